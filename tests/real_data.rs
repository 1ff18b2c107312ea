//! One real series per trait through the whole program. Needs `OSTEOFLAG_DATA`.
//!
//! `least` is what was reached when the row was written, so that a change that loses a body is
//! seen; the table in docs/ACCURACY.md has the errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what was measured is printed; a test that cannot go on has failed"
)]

mod common;

use std::path::Path;

use common::{findings, osteoflag, real_data, results, screen, shuffled_copy, stdout};
use dicom_dictionary_std::tags;
use serde_json::Value;

struct Trait {
    folder: &'static str,
    truth: &'static str,
    what: &'static str,
    least: u64,
    most_false: u64,
}

const SPINES: &[Trait] = &[
    Trait {
        folder: "ct/acrin_breast_lowdose_abdomen_pelvis_5mm",
        truth: "ct/acrin_breast_lowdose_abdomen_pelvis_5mm/truth/vertebrae.json",
        what: "low dose, lumbosacral",
        least: 4,
        most_false: 0,
    },
    Trait {
        folder: "ct/cerr_head_neck_cspine_3mm",
        truth: "ct/cerr_head_neck_cspine_3mm/truth/vertebrae.json",
        what: "cervical spine",
        least: 5,
        most_false: 0,
    },
    Trait {
        folder: "ct/cmb_crc_chest_lung_kernel",
        truth: "ct/cmb_crc_chest_lung_kernel/truth/vertebrae.json",
        what: "JPEG-LS, lung kernel, padding",
        least: 3,
        most_false: 0,
    },
    Trait {
        folder: "ct/crlm_contrast_abdomen_5mm",
        truth: "ct/crlm_contrast_abdomen_5mm/truth/vertebrae.json",
        what: "contrast medium, 5 mm slices",
        least: 4,
        most_false: 0,
    },
    Trait {
        folder: "ct/ibsi_lung_tumour_chest_crop_3mm",
        truth: "ct/ibsi_lung_tumour_chest_crop_3mm/truth/vertebrae.json",
        what: "field cut through the spine",
        least: 8,
        most_false: 0,
    },
    Trait {
        folder: "ct/lidc_chest_1mm_sharp",
        truth: "ct/lidc_chest_1mm_sharp/truth/vertebrae.json",
        what: "1 mm, sharp kernel",
        least: 3,
        most_false: 0,
    },
    Trait {
        folder: "ct/nsclc_whole_chest_3mm",
        truth: "ct/nsclc_whole_chest_3mm/truth/vertebrae.json",
        what: "whole chest, kyphosis, dark marrow, JPEG 2000",
        least: 16,
        most_false: 0,
    },
    Trait {
        folder: "ct/totalsegmentator_t11_t12_j2k",
        truth: "ct/totalsegmentator_t11_t12_j2k/truth/vertebrae.json",
        what: "empty UIDs",
        least: 1,
        most_false: 0,
    },
    Trait {
        folder: "mr/rsna_lumbar",
        truth: "mr/rsna_lumbar/truth/vertebrae.json",
        what: "sagittal MR without Modality, TR and TE",
        least: 8,
        most_false: 1,
    },
];

const NO_SPINE: &[&str] = &[
    "ct/ge_head_gantry_tilt_no_spine",
    "ct/ibsi_sts003_extremity_no_spine",
    "ct/midrc_sagittal_bone_reformat_lateral_no_spine",
];

fn evaluation(out: &Path, truth: &Path) -> Value {
    let study = std::fs::read_dir(out).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir());
    let run = osteoflag()
        .arg("evaluate")
        .arg(study.unwrap().join("findings.json"))
        .arg("--truth")
        .arg(truth)
        .arg("--json")
        .assert()
        .success();
    serde_json::from_str(&stdout(&run)).unwrap()
}

#[test]
fn spines_are_found_as_often_as_when_last_measured() {
    let Some(data) = real_data("real CT and MR series") else { return };
    let mut wrong = Vec::new();
    for one in SPINES {
        let out = tempfile::tempdir().unwrap();
        screen(&data.join(one.folder), out.path(), &["--no-pictures"]).success();
        let score = &evaluation(out.path(), &data.join(one.truth))["vertebrae"];
        let (found, false_ones) =
            (score["found"].as_u64().unwrap(), score["false_vertebrae"].as_u64().unwrap());
        println!(
            "{}: {found} of {} found, {false_ones} false ({})",
            one.folder, score["expected"], one.what
        );
        if found < one.least || false_ones > one.most_false || score["level_wrong"] != 0 {
            wrong.push(format!("{}: {score:#}", one.folder));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn where_no_spine_is_in_view_no_vertebra_is_found() {
    let Some(data) = real_data("series without a spine") else { return };
    for folder in NO_SPINE {
        let out = tempfile::tempdir().unwrap();
        screen(&data.join(folder), out.path(), &["--no-pictures"]).success();
        for study in findings(out.path()) {
            assert_eq!(study["anatomy"]["vertebrae"].as_array().unwrap().len(), 0, "{folder}");
            assert!(!study["coverage"].as_array().unwrap().is_empty(), "{folder} is silent");
        }
    }
}

/// A CT of the pelvis alone, as it is often asked for: hip and sacroiliac joints look more like a
/// canal than the sacral canal does, and no lumbar distance is in view.
#[test]
fn in_a_field_of_pelvis_l5_and_s1_are_found_and_one_anchor_is_said_to_name_them() {
    let Some(data) = real_data("a field of pelvis") else { return };
    let (pelvis, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = data.join("ct/acrin_breast_lowdose_abdomen_pelvis_5mm/dicom");
    for slice in std::fs::read_dir(whole).unwrap().map(|entry| entry.unwrap()) {
        let header = dicom_object::open_file(slice.path()).unwrap();
        let place = header.element(tags::IMAGE_POSITION_PATIENT).unwrap();
        // The upper endplate of L5 lies at about -690 mm.
        if place.to_multi_float64().unwrap()[2] <= -690.0 {
            std::fs::copy(slice.path(), pelvis.path().join(slice.file_name())).unwrap();
        }
    }
    screen(pelvis.path(), out.path(), &["--no-pictures"]).success();
    let studies = findings(out.path());
    let vertebrae = studies[0]["anatomy"]["vertebrae"].as_array().unwrap();
    let levels: Vec<_> = vertebrae.iter().map(|v| v["level"].as_str()).collect();
    assert_eq!(levels, [Some("S1"), Some("L5")]);
    for vertebra in vertebrae {
        assert!(vertebra["level_candidates"].as_array().unwrap().len() > 1, "{vertebra:#}");
    }
}

#[test]
fn the_conformance_corpus_ends_partly_done_and_finds_no_vertebra_by_guess() {
    let Some(data) = real_data("the conformance corpus") else { return };
    let out = tempfile::tempdir().unwrap();
    screen(&data.join("conformance"), out.path(), &["--no-pictures"]).code(3);
    let vertebrae: usize = findings(out.path())
        .iter()
        .map(|study| study["anatomy"]["vertebrae"].as_array().unwrap().len())
        .sum();
    println!("conformance: {} studies, {vertebrae} vertebrae", findings(out.path()).len());
}

#[test]
fn a_real_study_gives_the_same_bytes_whatever_the_threads_and_names() {
    let Some(data) = real_data("determinism on real series") else { return };
    for folder in ["ct/totalsegmentator_t11_t12_j2k/dicom", "mr/rsna_lumbar"] {
        let temp = tempfile::tempdir().unwrap();
        let (one, two, copy) =
            (temp.path().join("one"), temp.path().join("two"), temp.path().join("copy"));
        screen(&data.join(folder), &one, &["--threads", "1"]).success();
        shuffled_copy(&data.join(folder), &copy);
        screen(&copy, &two, &["--threads", "2"]).success();
        let (one, two) = (results(&one), results(&two));
        assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>(), "{folder}");
        for (file, bytes) in &one {
            assert!(bytes == &two[file], "{folder}: {file} differs");
        }
    }
}
