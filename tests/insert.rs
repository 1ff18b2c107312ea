//! `osteoflag phantom insert` as a user types it: bodies from a list, a label map or the anatomy,
//! and what cannot be.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{fixture, osteoflag, stderr, stdout};
use osteoflag::geometry::{Grid, LpsVector};
use osteoflag::volume::{NiftiData, nifti_gz_bytes, read_label_map};
use serde_json::{Value, json};

fn insert(series: &Path, out: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    osteoflag().args(["phantom", "insert"]).arg(series).arg("-o").arg(out).args(more).assert()
}

fn truth(out: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(out.join("truth.json")).unwrap()).unwrap()
}

#[test]
fn bodies_come_from_a_truth_file_a_list_of_points_a_label_map_or_the_anatomy() {
    let folder = tempfile::tempdir().unwrap();
    let series = fixture("ct_lumbar");
    let given = truth(&series);
    let bodies = given["vertebrae"].as_array().unwrap();
    let points: Vec<Value> = bodies
        .iter()
        .filter(|body| body["fraction_in_view"] == 1.0 && body["level"] != "S1")
        .map(|body| body["centroid_lps_mm"].clone())
        .collect();
    let list = folder.path().join("points.json");
    fs::write(&list, json!(points).to_string()).unwrap();
    let sources = [
        series.join("truth.json").display().to_string(),
        list.display().to_string(),
        series.join("labels.nii.gz").display().to_string(),
        "anatomy".to_owned(),
    ];
    for (n, source) in sources.iter().enumerate() {
        let out = folder.path().join(format!("out{n}"));
        let run = insert(&series, &out, &["--bodies", source, "--kinds", "sclerotic"]).success();
        let said = stdout(&run);
        assert!(said.contains("drawn from: sclerotic: uniform 40 to 500 HU"), "{said}");
        let made = truth(&out);
        let lesions = made["lesions"].as_array().unwrap();
        let untouched = made["untouched"].as_array().unwrap();
        assert!(!lesions.is_empty() && untouched.len() >= lesions.len(), "{source}: {said}");
        // Wherever the centres came from, each lesion lies in a true body.
        for lesion in lesions {
            let at = |p: &Value| -> Vec<f64> {
                p.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let place = at(&lesion["centroid_lps_mm"]);
            let nearest = bodies
                .iter()
                .map(|body| {
                    let p = at(&body["centroid_lps_mm"]);
                    place.iter().zip(&p).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
                })
                .fold(f64::INFINITY, f64::min);
            assert!(nearest < 25.0, "{source}: {nearest} mm from every body");
        }
    }
}

#[test]
fn a_label_map_of_another_grid_another_frame_and_unknown_kinds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let series = fixture("ct_lumbar");
    let out = folder.path().join("out");
    let refused = |more: &[&str], word: &str| {
        let run = insert(&series, &out, more).code(2);
        assert!(stderr(&run).contains(word), "'{word}' is missing in: {}", stderr(&run));
        assert!(!out.join("truth.json").exists());
    };
    let own = read_label_map(&series.join("labels.nii.gz"), 1 << 30).unwrap();
    let step = |axis| own.grid.step(axis);
    let moved = own.grid.origin() + LpsVector::HEAD * 2.0;
    let grid = Grid::new(own.grid.size(), moved, step(0), step(1), step(2)).unwrap();
    let map = folder.path().join("moved.nii.gz");
    fs::write(&map, nifti_gz_bytes(&grid, NiftiData::U16(&own.labels), &[]).unwrap()).unwrap();
    refused(&["--bodies", map.to_str().unwrap()], "voxels");
    let list = folder.path().join("far.json");
    fs::write(&list, "[[900, 900, 900]]").unwrap();
    refused(&["--bodies", list.to_str().unwrap()], "outside the volume");
    refused(&["--kinds", "sclerotik"], "is 'sclerotic' meant");
    refused(&["--kinds", "stir_oedema"], "cannot be put into a ct series");
}
