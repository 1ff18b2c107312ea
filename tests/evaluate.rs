//! `osteoflag evaluate` as a user types it: what is wrong with the truth is said with exit code 2
//! before any number is printed, and threshold studies run on results of `screen`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{fixture, osteoflag, screen, stderr, stdout};
use osteoflag::geometry::{Grid, LpsVector};
use osteoflag::volume::{NiftiData, nifti_gz_bytes, read_label_map};
use serde_json::{Value, json};

/// A phantom, screened, with its truth that names study and series.
struct Case {
    folder: tempfile::TempDir,
    truth: Value,
}

impl Case {
    /// The CT fixture.
    fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap(), &fixture("ct_lumbar"))
    }

    /// The same patient with four faint sclerotic lesions, in the folder `faint`.
    fn faint() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lesion = |level: &str, contrast: u32| {
            json!({"level": level, "kind": {"sclerotic": {"contrast_hu": contrast}},
                   "place": [0.2, 0.1, 0.0], "radius_mm": 8.0})
        };
        let lesions = [("L1", 50), ("L2", 70), ("L3", 90), ("L4", 110)].map(|(l, c)| lesion(l, c));
        let spec = folder.path().join("faint.json");
        let text = json!({"base": "ct_lumbar", "name": "faint", "lesions": lesions}).to_string();
        fs::write(&spec, text).unwrap();
        let images = folder.path().join("faint");
        osteoflag().arg("phantom").arg(&spec).arg("-o").arg(&images).assert().success();
        Self::of(folder, &images)
    }

    fn of(folder: tempfile::TempDir, images: &Path) -> Self {
        let out = folder.path().join("out");
        screen(images, &out, &["--no-pictures", "--label-maps"]).success();
        let findings = common::findings(&out).remove(0);
        let text = fs::read_to_string(images.join("truth.json")).unwrap();
        let mut truth: Value = serde_json::from_str(&text).unwrap();
        truth["study_id"] = findings["study"]["id"].clone();
        truth["series_id"] = findings["series"][0]["id"].clone();
        Self { folder, truth }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, truth: &Value) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, truth.to_string()).unwrap();
        path
    }

    /// Arguments of a comparison of the results with a truth.
    fn evaluate(&self, truth: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
        osteoflag()
            .arg("evaluate")
            .arg(self.at("out"))
            .arg("--truth")
            .arg(truth)
            .args(["--bootstrap", "50"])
            .args(more)
            .assert()
    }

    /// Asserts that a truth is refused with words that name what is wrong and what to do.
    fn refused(&self, truth: &Path, words: &[&str]) {
        let run = self.evaluate(truth, &[]).code(2);
        let said = stderr(&run);
        for word in words.iter().chain(&["help:"]) {
            assert!(said.contains(word), "'{word}' is missing in: {said}");
        }
        assert_eq!(stdout(&run), "", "no number may stand beside a refusal");
    }
}

#[test]
fn truth_that_cannot_be_of_these_results_is_refused_with_both_names() {
    let case = Case::new();
    let study = case.truth["study_id"].as_str().unwrap().to_owned();
    let of = |key: &str, value: &str| {
        let mut other = case.truth.clone();
        other[key] = json!(value);
        case.write(&format!("{key}.json"), &other)
    };
    case.refused(&of("series_id", "0123456789abcdef"), &["series 0123456789abcdef", &study]);
    let mut other = case.truth.clone();
    other["study_id"] = json!("fedcba9876543210");
    other["series_id"] = Value::Null;
    let other = case.write("other_study.json", &other);
    case.refused(&other, &["study fedcba9876543210", &study]);
}

#[test]
fn unknown_levels_and_features_are_refused_by_name() {
    let case = Case::new();
    let mut truth = case.truth.clone();
    truth["vertebrae"][0]["level"] = json!("L9");
    case.refused(&case.write("level.json", &truth), &["L9", "level.json"]);
    let mut truth = case.truth.clone();
    truth["lesions"][0]["feature"] = json!("sclerosis");
    case.refused(&case.write("feature.json", &truth), &["sclerosis", "feature.json"]);
    let table = case.at("vertebrae.csv");
    fs::write(&table, "level,x_mm,y_mm,z_mm\nLumbar1,0,0,0\n").unwrap();
    case.refused(&table, &["line 2", "Lumbar1"]);
}

#[test]
fn empty_results_and_empty_truths_are_refused() {
    let case = Case::new();
    let empty = case.at("empty");
    fs::create_dir_all(&empty).unwrap();
    case.refused(&empty, &["there is no truth"]);
    let nothing = case.write("nothing.json", &json!({"name": "x"}));
    case.refused(&nothing, &["neither `vertebrae` nor `lesions`"]);
    let truth = case.write("truth.json", &case.truth);
    let run = osteoflag().arg("evaluate").arg(&empty).arg("--truth").arg(truth).assert().code(2);
    assert!(stderr(&run).contains("there is no result"), "{}", stderr(&run));
}

#[test]
fn a_label_map_on_another_grid_is_refused_and_on_its_own_is_compared() {
    let case = Case::new();
    let maps = fixture("ct_lumbar").join("labels.nii.gz");
    let own = read_label_map(&maps, 1 << 30).unwrap();
    let folder = case.at("masks");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}.nii.gz", case.truth["series_id"].as_str().unwrap()));
    let write = |grid: &Grid| {
        fs::write(&file, nifti_gz_bytes(grid, NiftiData::U16(&own.labels), &[]).unwrap()).unwrap();
    };
    write(&own.grid);
    let run = case.evaluate(&folder, &["--json"]).success();
    let compared: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert!(
        compared["masks"]["mean_dice_paired"]["value"].as_f64().unwrap() > 0.9,
        "{}",
        compared["masks"]
    );
    let moved = own.grid.origin() + LpsVector::HEAD * 2.0;
    let step = |axis| own.grid.step(axis);
    write(&Grid::new(own.grid.size(), moved, step(0), step(1), step(2)).unwrap());
    case.refused(&folder, &["voxels"]);
}

#[test]
fn sizes_of_found_bodies_are_compared_with_the_true_ones_and_a_wrong_size_is_refused() {
    let case = Case::new();
    let truth = case.write("truth.json", &case.truth);
    let run = case.evaluate(&truth, &["--json"]).success();
    let compared: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let rows = compared["agreement"].as_array().unwrap();
    for name in ["anterior_height_mm", "middle_height_mm", "posterior_height_mm"] {
        let row = rows.iter().find(|row| row["feature"].is_null() && row["name"] == name);
        let row = row.unwrap_or_else(|| panic!("no {name} in {rows:?}"));
        assert!(row["pairs"].as_u64().unwrap() >= 3, "{row}");
        let bias = row["bias"]["value"].as_f64().unwrap();
        assert!(bias.abs() < 1.5, "{name} is off by {bias} mm on average");
    }
    let mut wrong = case.truth.clone();
    wrong["vertebrae"][0]["measurements"]["middle_height_mm"] = json!(-3.0);
    case.refused(&case.write("wrong.json", &wrong), &["middle_height_mm", "-3"]);
}

#[test]
fn a_folder_of_inserted_lesions_is_screened_and_compared_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (images, out) = (folder.path().join("images"), folder.path().join("out"));
    let bodies = fixture("ct_lumbar").join("truth.json");
    osteoflag()
        .args(["phantom", "insert"])
        .arg(fixture("ct_lumbar"))
        .arg("-o")
        .arg(&images)
        .arg("--bodies")
        .arg(bodies)
        .args(["--seed", "2", "--kinds", "sclerotic"])
        .assert()
        .success();
    assert!(images.join("lesions.nii.gz").exists() && images.join("truth.json").exists());
    screen(&images, &out, &["--no-pictures"]).success();
    let run = osteoflag()
        .arg("evaluate")
        .arg(&out)
        .arg("--truth")
        .arg(&images)
        .args(["--json", "--bootstrap", "10"])
        .assert()
        .success();
    let compared: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let listed: Value =
        serde_json::from_str(&fs::read_to_string(images.join("truth.json")).unwrap()).unwrap();
    let lesions = listed["lesions"].as_array().unwrap().len();
    assert!(lesions > 0);
    assert_eq!(compared["lesions"]["all"]["expected"], lesions, "each lesion counts once");
}

#[test]
fn a_cut_on_stored_findings_and_the_same_cut_from_pixels_agree() {
    let case = Case::faint();
    let truth = case.write("truth.json", &case.truth);
    let images = case.at("faint");
    let sweep = ["--sweep", "sclerotic_density.z_present=3:10:3"];
    let rows = |more: &[&str], name: &str| -> Vec<Value> {
        let out = case.at(name);
        let out = out.to_str().unwrap();
        let arguments: Vec<&str> =
            sweep.iter().chain(&["--output", out]).chain(more).copied().collect();
        case.evaluate(&truth, &arguments).success();
        let file = |ending: &str| {
            let name = format!("sweep_sclerotic_density.z_present.{ending}");
            fs::read_to_string(Path::new(out).join(name)).unwrap()
        };
        // A head, and for each value all kinds together and the one there is.
        assert_eq!(file("csv").lines().count(), 7);
        assert!(file("svg").starts_with("<svg") && file("svg").trim_end().ends_with("</svg>"));
        let result: Value = serde_json::from_str(&file("json")).unwrap();
        result["rows"].as_array().unwrap().clone()
    };
    let stored = rows(&[], "stored");
    let pixels = rows(&["--images", images.to_str().unwrap()], "pixels");
    let plain = |rows: &[Value]| -> Vec<Value> {
        rows.iter()
            .map(|row| {
                let mut row = row.clone();
                row["open"] = Value::Null;
                row
            })
            .collect()
    };
    assert_eq!(plain(&stored), plain(&pixels));
    assert_ne!(stored[0]["kinds"], stored[2]["kinds"], "the cut must matter somewhere");
}

#[test]
fn a_setting_that_changes_what_is_looked_at_needs_the_pixels_and_says_so() {
    let case = Case::new();
    let truth = case.write("truth.json", &case.truth);
    let sweep = ["--sweep", "sclerotic_density.min_contrast_hu=40:120:2"];
    let run = case.evaluate(&truth, &sweep).code(2);
    assert!(stderr(&run).contains("--images"), "{}", stderr(&run));
    let images = fixture("ct_lumbar");
    let more: Vec<&str> =
        sweep.iter().copied().chain(["--images", images.to_str().unwrap()]).collect();
    let run = case.evaluate(&truth, &more).success();
    assert!(stdout(&run).contains("120"), "{}", stdout(&run));
    let other = fixture("mr_t1_lumbar");
    let wrong: Vec<&str> =
        sweep.iter().copied().chain(["--images", other.to_str().unwrap()]).collect();
    let run = case.evaluate(&truth, &wrong).code(2);
    assert!(stderr(&run).contains("is not there"), "{}", stderr(&run));
}
