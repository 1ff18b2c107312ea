//! The anatomy of raw CT volumes, for trials: perturbed copies, label masks, timings.
//!
//! `cargo run --example anatomy_trial -- [--labels OUT] [--trace] [--set NAME=VALUE] VOLUME.json ...`: each `<name>.json` (`size` `[ni, nj, nk]`, `origin`,
//! `step_i`, `step_j`, `step_k` in LPS mm) stands beside `<name>.raw` (int16 Hounsfield units, little endian,
//! `[k][j][i]`; below -1500 is padding). Prints one line of JSON for each. With `--labels` the
//! bodies are written to `OUT/<name>.bodies.raw` (one byte per voxel, same order; n for the n-th
//! vertebra printed), the other bones to `OUT/<name>.bones.raw` on the coarse grid of
//! `OUT/<name>.bones.json` (n for the n-th of `bones`), and pedicles and posterior elements to `OUT/<name>.arches.raw`
//! on that of `OUT/<name>.arches.json` (n for the n-th of its `parts`). `--trace` adds the profiles along the spine;
//! `--set` changes a parameter of the search (`osteoflag::anatomy::ct::Parameters`), `--parameters` prints them all.
//! Development only.
#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a development tool: it may stop at the first surprise"
)]

mod raw_volume;

use std::path::{Path, PathBuf};
use std::time::Instant;

use osteoflag::anatomy::Anatomy;
use osteoflag::anatomy::ct::{Parameters, Trace, find_with};
use osteoflag::geometry::{Grid, LpsPoint};
use osteoflag::kernels::{Array3, BitMask};
use raw_volume::{body_labels, load};
use serde_json::{Value, json};

fn point(p: LpsPoint) -> Value {
    json!([p.x(), p.y(), p.z()])
}

fn describe(name: &str, anatomy: &Anatomy, seconds: f64) -> Value {
    let vertebrae: Vec<Value> = anatomy
        .vertebrae
        .iter()
        .map(|v| {
            json!({
                "id": v.id,
                "level": v.level,
                "level_candidates": v.level_candidates,
                "body_centroid_lps_mm": point(v.centroid),
                "fraction_in_view": v.fraction_in_view,
                "confidence": v.confidence,
                "up": v.body.as_ref().map(|body| [body.frame.up.x(), body.frame.up.y(), body.frame.up.z()]),
                "body_confidence": v.body.as_ref().map(|body| body.confidence),
                "outline_is_sure": v.outline_is_sure(),
                "sizes_mm": v.body.as_ref().and_then(|body| body.measurements).map(|sizes| {
                    [sizes.height_middle, sizes.depth, sizes.width].map(|size| size.map(|size| size.length.mm()))
                }),
                "problems": v.problems.iter().map(|p| p.code).collect::<Vec<_>>(),
            })
        })
        .collect();
    let canal: Vec<Value> = anatomy
        .canal
        .iter()
        .flat_map(|canal| &canal.sections)
        .map(|section| point(section.frame.origin))
        .collect();
    let bones: Vec<Value> = anatomy
        .bones
        .iter()
        .flat_map(|bones| &bones.regions)
        .map(|region| {
            json!({
                "region": region.region,
                "side": region.side,
                "vertebra": region.vertebra,
                "centroid_lps_mm": point(region.centroid),
                "volume_mm3": region.volume.mm3(),
                "confidence": region.confidence,
            })
        })
        .collect();
    let voxels = |mask: &Option<BitMask>| mask.as_ref().map_or(0, BitMask::count);
    let foreign = anatomy.foreign.as_ref().map(|foreign| {
        json!({
            "metal_voxels": voxels(&foreign.metal),
            "cement_voxels": voxels(&foreign.cement),
            "streak_voxels": voxels(&foreign.streaks),
        })
    });
    json!({
        "name": name,
        "seconds": seconds,
        "bones": bones,
        "foreign": foreign,
        "sentences": anatomy.problems.iter().map(|p| &p.sentence).collect::<Vec<_>>(),
        "vertebrae": vertebrae,
        "canal": canal,
        "s1": anatomy.ends.s1.as_ref().map(|end| json!([end.vertebra, end.score])),
        "c2": anatomy.ends.c2.as_ref().map(|end| json!([end.vertebra, end.score])),
        "problems": anatomy.problems.iter().map(|p| p.code).collect::<Vec<_>>(),
    })
}

/// A label map as raw bytes `[k][j][i]`, and where it lies beside it; `parts` names its labels from 1 on.
fn write_map(path: &Path, grid: &Grid, labels: &Array3<u8>, parts: &[Value]) {
    let about = json!({
        "size": labels.size(),
        "origin": point(grid.origin()),
        "spacing_mm": grid.spacing()[0],
        "parts": parts,
    });
    let with = |extension: &str| {
        let name = path.file_name().unwrap().to_string_lossy();
        path.with_file_name(format!("{name}.{extension}"))
    };
    std::fs::write(with("json"), about.to_string()).unwrap();
    std::fs::write(with("raw"), labels.data()).unwrap();
}

fn main() {
    let mut labels: Option<PathBuf> = None;
    let mut traced = false;
    let mut parameters = Parameters::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--labels" {
            labels = Some(PathBuf::from(arguments.next().unwrap()));
            continue;
        }
        if argument == "--trace" {
            traced = true;
            continue;
        }
        if argument == "--parameters" {
            println!("{}", serde_json::to_string(&parameters).unwrap());
            continue;
        }
        if argument == "--set" {
            let pair = arguments.next().unwrap();
            let (name, value) = pair.split_once('=').expect("NAME=VALUE");
            let mut all = serde_json::to_value(&parameters).unwrap();
            all[name] = value.parse::<f64>().unwrap().into();
            parameters = serde_json::from_value(all).unwrap();
            continue;
        }
        let json = PathBuf::from(argument);
        let name = json.file_stem().unwrap().to_string_lossy().into_owned();
        let volume = load(&json);
        let start = Instant::now();
        let mut trace = Trace::default();
        let anatomy = find_with(&volume, &parameters, Some(&mut trace));
        let seconds = start.elapsed().as_secs_f64();
        let mut line = describe(&name, &anatomy, seconds);
        if traced {
            line["trace"] = serde_json::to_value(&trace).unwrap();
        }
        println!("{line}");
        if let Some(folder) = &labels {
            std::fs::create_dir_all(folder).unwrap();
            let bodies = body_labels(&anatomy, &volume.grid);
            std::fs::write(folder.join(format!("{name}.bodies.raw")), bodies).unwrap();
            if let Some(bones) = &anatomy.bones {
                write_map(&folder.join(format!("{name}.bones")), &bones.grid, &bones.labels, &[]);
            }
            if let Some(arches) = &anatomy.arches {
                let parts: Vec<Value> =
                    arches.regions.iter().map(|r| json!([r.vertebra, r.part])).collect();
                write_map(
                    &folder.join(format!("{name}.arches")),
                    &arches.grid,
                    &arches.labels,
                    &parts,
                );
            }
        }
    }
}
