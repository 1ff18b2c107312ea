//! Masks and NIfTI volumes through the command line: a volume becomes a DICOM series, masks become
//! its anatomy, bodies become a label map again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use osteoflag::geometry::{Grid, LpsPoint, LpsVector, VoxelIndex};
use osteoflag::volume::{LabelMap, NiftiData, label_table, nifti_gz_bytes, read_label_map};
use serde_json::Value;

const BIG: u64 = 1 << 30;

fn osteoflag(arguments: &[&str]) -> (i32, String) {
    let output =
        Command::cargo_bin("osteoflag").unwrap().args(arguments).arg("--quiet").output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The one folder of a study below OUT.
fn study(out: &Path) -> PathBuf {
    let mut folders =
        std::fs::read_dir(out).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir());
    folders.next().unwrap()
}

fn only_file(folder: &Path, ending: &str) -> PathBuf {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.to_string_lossy().ends_with(ending))
        .collect();
    assert_eq!(files.len(), 1, "{ending} in {}", folder.display());
    files.remove(0)
}

/// Three bodies without arches beside the middle of a trunk, 12 mm to the left: labels 1 to 3 from
/// below, named L3, L2, L1.
fn synthetic() -> (Grid, Vec<i16>, Vec<u16>) {
    let grid = Grid::new(
        [60, 70, 55],
        // RAS on purpose: the first axis runs to the right.
        LpsPoint::new(60.0, 70.0, -20.0),
        LpsVector::new(-2.0, 0.0, 0.0),
        LpsVector::new(0.0, -2.0, 0.0),
        LpsVector::new(0.0, 0.0, 2.0),
    )
    .unwrap();
    let (mut hu, mut labels) = (Vec::new(), Vec::new());
    for k in 0..55 {
        for j in 0..70 {
            for i in 0..60 {
                let p = grid.voxel_to_lps(VoxelIndex { i, j, k });
                let trunk = (p.x() / 55.0).powi(2) + (p.y() / 60.0).powi(2) <= 1.0;
                let body = (0..3u16).find(|&n| {
                    let s = p.z() - 34.0 * f64::from(n);
                    ((p.x() - 12.0) / 21.0).powi(2) + (p.y() / 15.0).powi(2) <= 1.0
                        && s.abs() <= 13.0
                });
                labels.push(body.map_or(0, |n| n + 1));
                hu.push(if body.is_some() {
                    180
                } else if trunk {
                    40
                } else {
                    -1000
                });
            }
        }
    }
    (grid, hu, labels)
}

fn names() -> BTreeMap<u16, String> {
    [(1, "vertebrae_L3"), (2, "vertebrae_L2"), (3, "vertebrae_L1")]
        .map(|(n, name)| (n, name.to_owned()))
        .into()
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    /// The synthetic volume, its masks and its DICOM series in a folder.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (grid, hu, labels) = synthetic();
        let at = |name: &str| folder.path().join(name);
        let image = nifti_gz_bytes(&grid, NiftiData::I16(&hu), &[]).unwrap();
        std::fs::write(at("ct.nii.gz"), image).unwrap();
        let map = nifti_gz_bytes(&grid, NiftiData::U16(&labels), &[label_table(&names())]).unwrap();
        std::fs::write(at("masks.nii.gz"), map).unwrap();
        let (code, said) = osteoflag(&[
            "phantom",
            "from-nifti",
            text(&at("ct.nii.gz")),
            "--modality",
            "CT",
            "--labels",
            text(&at("masks.nii.gz")),
            "-o",
            text(&at("dicom")),
        ]);
        assert_eq!(code, 0, "{said}");
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn screen(&self, masks: &Path, more: &[&str], out: &str) -> (i32, String) {
        let (dicom, out) = (self.at("dicom"), self.at(out));
        let mut arguments =
            vec!["screen", text(&dicom), "--masks", text(masks), "--no-pictures", "-o", text(&out)];
        arguments.extend(more);
        osteoflag(&arguments)
    }
}

#[test]
fn a_converted_volume_has_its_bodies_where_the_file_had_them_left_is_left() {
    let case = Case::new();
    let truth = json(&case.at("dicom/truth.json"));
    let vertebrae = truth["vertebrae"].as_array().unwrap();
    assert_eq!(vertebrae.len(), 3);
    for (vertebra, (name, z)) in vertebrae.iter().zip([("L1", 68.0), ("L2", 34.0), ("L3", 0.0)]) {
        assert_eq!(vertebra["source_level"], name);
        assert_eq!(vertebra["level"], Value::Null, "no anchor is in the mask");
        let at: Vec<f64> = vertebra["centroid_lps_mm"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_f64().unwrap())
            .collect();
        for (found, expected) in at.iter().zip([12.0, 0.0, z]) {
            assert!((found - expected).abs() < 1.01, "{at:?}");
        }
    }
}

#[test]
fn masks_become_the_anatomy_and_the_label_map_gives_them_back() {
    let case = Case::new();
    let (code, said) = case.screen(&case.at("masks.nii.gz"), &["--label-maps"], "out");
    assert_eq!(code, 0, "{said}");
    let folder = study(&case.at("out"));
    let findings = json(&folder.join("findings.json"));
    assert_eq!(findings["anatomy"]["provider"], "imported");
    let levels: Vec<&str> = findings["anatomy"]["vertebrae"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["level"].as_str().unwrap())
        .collect();
    assert_eq!(levels, ["L3", "L2", "L1"]);
    let problems = findings["series"][0]["problems"].to_string();
    assert!(problems.contains("anatomy_from_masks") && problems.contains("names in the file"));

    let maps = folder.join("label_maps");
    let record = json(&only_file(&maps, ".json"));
    assert_eq!(record["labels"][0]["level"], "L3");
    let written: LabelMap = read_label_map(&only_file(&maps, ".nii.gz"), BIG).unwrap();
    let given = read_label_map(&case.at("masks.nii.gz"), BIG).unwrap();
    let given = given.on_grid(&written.grid, "").unwrap();
    for label in 1..=3 {
        let (mut both, mut a, mut b) = (0u64, 0u64, 0u64);
        for (x, y) in given.iter().zip(&written.labels) {
            a += u64::from(*x == label);
            b += u64::from(*y == label);
            both += u64::from(*x == label && *y == label);
        }
        let dice = 2.0 * both as f64 / (a + b) as f64;
        assert!(dice > 0.93, "label {label}: Dice {dice:.3}");
    }

    // Its own label map is a mask again, without levels; and the bytes are the same every time.
    let own = only_file(&maps, ".nii.gz");
    let (code, said) = case.screen(&own, &["--label-maps", "--threads", "1"], "again");
    assert_eq!(code, 0, "{said}");
    let findings = json(&study(&case.at("again")).join("findings.json"));
    assert_eq!(findings["anatomy"]["vertebrae"][0]["level"], Value::Null);
    let (code, _) =
        case.screen(&case.at("masks.nii.gz"), &["--label-maps", "--threads", "1"], "same");
    assert_eq!(code, 0);
    let same = only_file(&study(&case.at("same")).join("label_maps"), ".nii.gz");
    assert_eq!(std::fs::read(same).unwrap(), std::fs::read(own).unwrap());
}

#[test]
fn masks_that_do_not_fit_are_told_with_exit_code_2_and_nothing_is_written() {
    let case = Case::new();
    let (grid, _, labels) = synthetic();
    let write = |name: &str, grid: &Grid, labels: &[u16], named: bool| {
        let table: Vec<_> = named.then(|| label_table(&names())).into_iter().collect();
        let bytes = nifti_gz_bytes(grid, NiftiData::U16(labels), &table).unwrap();
        std::fs::write(case.at(name), bytes).unwrap();
        case.at(name)
    };
    let moved = Grid::new(
        grid.size(),
        grid.origin() + LpsVector::HEAD,
        grid.step(0),
        grid.step(1),
        grid.step(2),
    )
    .unwrap();
    let cases = [
        (write("moved.nii.gz", &moved, &labels, true), &[][..], "0.50 voxels"),
        (write("nameless.nii.gz", &grid, &labels, false), &[][..], "could be"),
        (
            write("label.nii.gz", &grid, &labels, false),
            &["--mask-labels", "totalsegmentator"][..],
            "no label is a vertebra",
        ),
        (case.at("ct.nii.gz"), &[][..], "expected a whole number"),
        (case.at("nowhere"), &[][..], "nowhere"),
    ];
    for (mask, more, expected) in cases {
        let (code, said) = case.screen(&mask, more, "out");
        assert_eq!(code, 2, "{}: {said}", mask.display());
        assert!(said.contains(expected) && said.contains("help:"), "{expected}: {said}");
    }
    assert!(
        !case.at("out").exists()
            || std::fs::read_dir(case.at("out")).unwrap().all(|e| e.unwrap().path().is_file())
    );
}

#[test]
fn real_masks_agree_with_the_truth_beside_them() {
    let Some(data) = std::env::var_os("OSTEOFLAG_DATA").map(PathBuf::from) else {
        eprintln!("skipped: OSTEOFLAG_DATA is not set, so no real masks were read");
        return;
    };
    // Folder, image, masks, arguments, and how far centres may be from the truth, mm: bodies told
    // from whole vertebrae by the canal against a network's body label.
    let cases: [(&str, &str, &str, &[&str], f64); 4] = [
        (
            "ct/totalsegmentator_abdomen_pelvis_3mm",
            "ct.nii.gz",
            "masks/totalseg.nii.gz",
            &["--modality", "CT"],
            2.0,
        ),
        (
            "ct/tptbox_lumbar_crop",
            "sub-ct_label-22_ct.nii.gz",
            "sub-ct_seg-vert_label-22_msk.nii.gz",
            &["--modality", "CT"],
            2.0,
        ),
        (
            "mr/vb_modic_stir",
            "image.nii.gz",
            "vertebra_mask.nii.gz",
            &["--modality", "MR", "--role", "stir", "--mask-labels", "count"],
            0.2,
        ),
        (
            "mr/vb_water_gre",
            "image.nii.gz",
            "vertebra_mask.nii.gz",
            &["--modality", "MR", "--role", "dixon_water", "--mask-labels", "count"],
            0.2,
        ),
    ];
    for (name, image, masks, more, most_mm) in cases {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("dicom");
        let (image, masks) = (data.join(name).join(image), data.join(name).join(masks));
        let mut arguments =
            vec!["phantom", "from-nifti", text(&image), "--labels", text(&masks), "-o", text(&out)];
        arguments.extend(more);
        let (code, said) = osteoflag(&arguments);
        assert_eq!(code, 0, "{name}: {said}");
        let places = |path: &Path| -> Vec<[f64; 3]> {
            json(path)["vertebrae"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| {
                    let at = v["centroid_lps_mm"].as_array().unwrap();
                    std::array::from_fn(|n| at[n].as_f64().unwrap())
                })
                .collect()
        };
        let mine = places(&out.join("truth.json"));
        let truth = places(&data.join(name).join("truth/vertebrae.json"));
        assert_eq!(mine.len(), truth.len(), "{name}");
        for (a, b) in mine.iter().zip(&truth) {
            let mm = (0..3).map(|n| (a[n] - b[n]).powi(2)).sum::<f64>().sqrt();
            assert!(mm <= most_mm, "{name}: {a:?} against {b:?}");
        }
    }
}
