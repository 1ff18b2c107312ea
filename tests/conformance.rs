//! Every file of the conformance corpus against the digests of independent decoders, and the
//! real series against volumes that pydicom decoded.
//!
//! Needs the development data (`OSTEOFLAG_DATA`); without it the tests say so and pass.
//! Known failures are listed with reasons; one that begins to pass is red.

#![allow(clippy::print_stderr, reason = "a test that was left out says so")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use osteoflag::discover::discover;
use osteoflag::problem::ProblemCode;
use osteoflag::series::{self, FileOutcome, Intake, Series};
use osteoflag::volume::{self, Image, LoadLimits, MrVoxels, StoredValues, stored_values};
use sha2::{Digest, Sha256};

/// Files with a digest that this build refuses, and why: each must be refused with this word.
const KNOWN_FAILURES: &[(&str, &str)] = &[
    // No decoder in Rust for 12 bit JPEG.
    ("syntax/jpeg_extended/cornerstone_CT0012.fragmented_no_bot_jpeg_baseline.51.dcm", "12"),
    (
        "syntax/jpeg_extended/cornerstone_CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm",
        "12",
    ),
    ("syntax/jpeg_extended/enet4_MR1_JPLY", "12"),
    ("syntax/jpeg_extended/enet4_MR4_JPLY", "12"),
    ("syntax/jpeg_extended/enet4_RG3_JPLY", "12"),
    ("syntax/jpeg_extended/enet4_XA1_JPLY", "12"),
    ("syntax/jpeg_extended/pydicom_JPGExtended.dcm", "12"),
    // Retired processes.
    (
        "syntax/jpeg_progressive_55/cornerstone_CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
        "1.2.840.10008.1.2.4.55 is not supported",
    ),
    (
        "syntax/jpeg_spectral_53/cornerstone_CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm",
        "1.2.840.10008.1.2.4.53 is not supported",
    ),
];

/// Files without a digest that decode nevertheless.
const READ_WITHOUT_DIGEST: &[&str] = &[
    // Lacks nothing but the last delimiter; its frames equal those of the whole file.
    "broken/truncated/pydicomdata_emri_small_jpeg_2k_lossless_too_short.dcm",
];

/// Transfer syntaxes with DCT: decoders may differ by one or two.
const DCT: [&str; 2] = ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"];

fn data(folder: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("OSTEOFLAG_DATA") else {
        eprintln!("left out: OSTEOFLAG_DATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(folder))
}

/// A row of `digests.csv` by column name.
type Row = BTreeMap<String, String>;

fn rows(root: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(root.join("digests.csv")).unwrap();
    let mut lines = text.lines();
    let names = cells(lines.next().unwrap());
    lines.map(|line| names.iter().cloned().zip(cells(line)).collect()).collect()
}

fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn digest(stored: &StoredValues) -> String {
    let mut hash = Sha256::new();
    for value in &stored.values {
        if stored.layout.bits_allocated == 8 {
            hash.update([*value as u8]);
        } else {
            hash.update(value.to_le_bytes());
        }
    }
    hex(hash.finalize())
}

fn range(stored: &StoredValues) -> (i32, i32) {
    let signed = stored.layout.signed;
    let value = |v: &u16| if signed { i32::from(*v as i16) } else { i32::from(*v) };
    let values = || stored.values.iter().map(value);
    (values().min().unwrap(), values().max().unwrap())
}

#[test]
fn every_file_gives_the_digest_of_other_decoders_or_a_clear_refusal() {
    let Some(root) = data("conformance") else { return };
    let known: BTreeMap<&str, &str> = KNOWN_FAILURES.iter().copied().collect();
    let (mut equal, mut near, mut refused) = (0, 0, 0);
    let mut wrong = Vec::new();
    for row in rows(&root) {
        let path = row["path"].as_str();
        // One sample of 8 or 16 bits is what a CT or MR volume is made of.
        let supported = !row["sha256"].is_empty()
            && ["1", ""].contains(&row["samples"].as_str())
            && ["8", "16"].contains(&row["bits_allocated"].as_str());
        match (stored_values(&root.join(path), 1 << 30), known.get(path)) {
            (Ok(_), Some(_)) => wrong.push(format!("{path}: a known failure passes; delete it")),
            (Err(error), Some(word)) if error.to_string().contains(word) => refused += 1,
            (Err(error), _) if supported => wrong.push(format!("{path}: {error}")),
            (Err(error), _) => {
                refused += 1;
                if error.to_string().is_empty() {
                    wrong.push(format!("{path}: refused without a word"));
                }
            }
            (Ok(_), None) if READ_WITHOUT_DIGEST.contains(&path) => {}
            (Ok(_), None) if !supported => {
                wrong.push(format!("{path}: should be refused, there is no digest to hold it to"));
            }
            (Ok(stored), None) if digest(&stored) == row["sha256"] => equal += 1,
            (Ok(stored), None) if DCT.contains(&row["transfer_syntax_uid"].as_str()) => {
                let (low, high) = range(&stored);
                let told = |name: &str| row[name].parse::<i32>().unwrap();
                if (low - told("min")).abs() <= 2 && (high - told("max")).abs() <= 2 {
                    near += 1;
                } else {
                    wrong.push(format!("{path}: {low}..{high}, not near the digest's range"));
                }
            }
            (Ok(stored), None) => {
                wrong.push(format!("{path}: other pixels, {:?}", range(&stored)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
    // A run of nothing would be green otherwise. Figures of the corpus of 537 files.
    assert_eq!((equal, near), (269, 3));
    assert!(refused > 200, "{refused}");
}

fn read(root: &Path) -> Intake {
    series::read(&discover(root).unwrap().files, &|_| {})
}

fn code(outcome: &FileOutcome) -> &'static str {
    match outcome {
        FileOutcome::Image(_) => "image",
        FileOutcome::NotAnImage(_) => "not an image",
        FileOutcome::NotDicom(_) => "not DICOM",
        FileOutcome::Failed(problem) => problem.code.into(),
    }
}

/// Where all files of a folder must end. A trait that is missing here is listed file by file.
const FOLDERS: &[(&str, &[&str])] = &[
    ("broken/impossible_size", &["impossible_size", "no_pixel_data"]),
    ("broken/no_meta", &["not an image", "not DICOM", "damaged_header"]),
    ("broken/truncated", &["impossible_size", "pixel_data_truncated", "not an image", "image"]),
    ("broken/wrong_stream", &["image"]),
    ("broken/wrong_vr", &["image", "not an image"]),
    ("not_images/screen_page", &["image"]),
    ("not_images/", &["not an image"]),
    ("shape/dicomdir/pydicom_fileset/TINY_ALPHA/PT", &["no_pixel_data"]),
    ("shape/dicomdir/pydicom_fileset/77654033/CT", &["image"]),
    ("shape/dicomdir/pydicom_fileset/98892001/CT", &["image"]),
    ("shape/dicomdir/pydicom_fileset/98892003/MR", &["image"]),
    ("shape/dicomdir/", &["not an image", "not DICOM"]),
    ("shape/enhanced_ct/", &["image", "not an image", "not DICOM"]),
    ("shape/enhanced_mr/orthanc_Issue22", &["no_pixel_data"]),
    ("shape/gap_missing_slice", &["image"]),
    ("shape/tilt", &["image"]),
    ("shape/small_series", &["image"]),
    ("shape/two_orientations_one_series", &["image"]),
    ("shape/nonsquare_pixels", &["image"]),
    ("syntax/", &["image", "not an image"]),
    ("tags/colour/", &["not an image"]),
    ("tags/private/orthanc_2020-09-12-ELSCINT1-PMSCT_RLE1.dcm", &["private_pixel_data"]),
    ("tags/padding/highdicom_ct_image.dcm", &["image"]),
    ("tags/padding/fodicom_GH179", &["damaged_header"]),
    ("tags/odd/fodicom_GH626.dcm", &["damaged_header"]),
    ("tags/odd/fodicom_GH1146.dcm", &["no_pixel_data"]),
];

#[test]
fn every_file_has_the_outcome_that_its_trait_asks_for() {
    let Some(root) = data("conformance") else { return };
    let intake = read(&root);
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for file in &intake.files {
        let path = file.path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let Some(&(folder, allowed)) = FOLDERS.iter().find(|(folder, _)| path.starts_with(folder))
        else {
            continue;
        };
        used.insert(folder);
        if !allowed.contains(&code(&file.outcome)) {
            wrong.push(format!("{path}: {}", code(&file.outcome)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(used.len(), FOLDERS.len(), "a folder of the list holds no file: {used:?}");
}

/// The series that the files of a folder went to, in stack order.
fn series_in(root: &Path, folder: &str) -> Vec<Series> {
    let intake = read(&root.join(folder));
    intake.studies.into_iter().flat_map(|study| study.series).collect()
}

fn number(series: &Series, code: ProblemCode, name: &str) -> Option<f64> {
    series.problems.iter().find(|p| p.code == code).and_then(|p| p.numbers.get(name).copied())
}

#[test]
fn shapes_become_the_stacks_that_they_hold() {
    let Some(root) = data("conformance/shape") else { return };
    let gap = series_in(&root, "gap_missing_slice");
    assert_eq!(number(&gap[0], ProblemCode::SliceGap, "widest_gap_mm"), Some(10.0));
    let tilt = series_in(&root, "tilt");
    let degrees = number(&tilt[0], ProblemCode::GantryTilt, "tilt_deg").unwrap();
    assert!((degrees - 14.0).abs() < 0.1, "{degrees}");
    let orientations = series_in(&root, "two_orientations_one_series");
    assert_eq!(orientations.iter().map(|s| s.slices.len()).collect::<Vec<_>>(), [2, 2]);
    let few = series_in(&root, "too_few_slices");
    assert_eq!(few[0].not_a_volume.as_ref().unwrap().code, ProblemCode::TooFewSlices);
    let scout = series_in(&root, "localizer");
    assert!(scout[0].not_a_volume.is_some());
    let dti = series_in(&root, "small_series/ge_dti_volumes");
    assert_eq!(dti.iter().map(|s| s.slices.len()).collect::<Vec<_>>(), [4, 4, 4, 4]);
    let xa = series_in(&root, "enhanced_mr/siemens_xa10_series");
    assert_eq!(xa.iter().map(|s| s.slices.len()).collect::<Vec<_>>(), [6, 6, 6, 6]);
    for mosaic in series_in(&root, "mosaic") {
        assert!(mosaic.not_a_volume.is_some());
    }
}

#[test]
fn a_legacy_converted_object_gives_the_volume_of_its_single_images() {
    let Some(root) = data("conformance/shape/enhanced_ct") else { return };
    for name in ["legacy_converted_23x38x3", "legacy_converted_24x38x3"] {
        let load = |folder: &str| {
            let series = series_in(&root, &format!("{name}/{folder}"));
            assert_eq!(series.len(), 1);
            let loaded = volume::load(&series[0], &LoadLimits { max_bytes: 1 << 30 }).unwrap();
            (series[0].grid.clone(), hounsfield(&loaded.image))
        };
        assert_eq!(load("image"), load("multiframe"), "{name}");
    }
}

fn hounsfield(image: &Image) -> Vec<i16> {
    match image {
        Image::Ct(volume) => volume.voxels.clone(),
        Image::Mr { .. } => panic!("no CT"),
    }
}

/// Real series: folder, slices of the stack, SHA-256 of its voxels `[k, j, i]` (CT: HU as
/// `i16`, MR: stored values as `u16`, little endian) as pydicom decodes them.
const VOLUMES: &[(&str, usize, &str)] = &[
    // native, JPEG lossless, JPEG-LS, RLE, JPEG 2000; the last is the slowest and stays small
    (
        "ct/ge_head_gantry_tilt_no_spine/dicom",
        15,
        "79bc3aebe69d34f9bbeba06629331103437753a4e56ce53cf3f90b5b54a21ae6",
    ),
    (
        "ct/ibsi_lung_tumour_chest_crop_3mm/dicom",
        60,
        "d639864811578ec72e60189f9fb63ef1ede13253a5585f9c7a4725530cd1e139",
    ),
    (
        "ct/acrin_breast_lowdose_abdomen_pelvis_5mm/dicom",
        57,
        "804cab7c0a934416ac7a2c8e7da7751a1fd5bdc27a600d2d6a330947d279c780",
    ),
    (
        "ct/cmb_crc_chest_lung_kernel/dicom",
        38,
        "52e7c21875ad401f2cc082d8c1094dc65d8bf7bc98e18d880eedc6641e9da267",
    ),
    (
        "ct/crlm_contrast_abdomen_5mm/dicom",
        32,
        "678d9ce35f6807a2dfa03904ad5f30550809cf10cdab606968e3cee07744d102",
    ),
    (
        "ct/cerr_head_neck_cspine_3mm/dicom",
        49,
        "fd0f625f47de7adeb9ad3de38d5c62d5d9ae1b7f74993a8f69e844bafe0a19c0",
    ),
    (
        "ct/totalsegmentator_t11_t12_j2k/dicom",
        20,
        "0d9f62d8433a424e582d5a4478ba5af0eff3f5c3589fc90af21b0c448fd0ff5e",
    ),
    (
        "ct/midrc_sagittal_bone_reformat_lateral_no_spine/dicom",
        19,
        "c0ccfb934d52981a5aa231acbb1cea30c51335d0f38635434fea08a4eb631a1f",
    ),
    (
        "mr/rsna_lumbar/sag_t1",
        18,
        "bbd51c11fedf5663fde0a97d3a2a2dbf52de5b8121a5ddf59dab77e83911db21",
    ),
    (
        "mr/rsna_lumbar/sag_t2_stir",
        18,
        "e365416c1787e690978fd9deedeb847d2388667c55541b9c7c755083a5244dda",
    ),
    ("mr/rsna_lumbar/ax_t2", 7, "71c0297c0f7fbae31281a329b654922e2b6dfbe2ca67ffd4a39dfd6bdc567d12"),
];

#[test]
fn real_series_give_the_voxels_that_pydicom_gives() {
    let Some(root) = data("") else { return };
    for &(folder, slices, expected) in VOLUMES {
        let all = series_in(&root, folder);
        let series = all.iter().find(|series| series.slices.len() == slices).unwrap();
        let loaded = volume::load(series, &LoadLimits { max_bytes: 1 << 30 }).unwrap();
        assert!(loaded.failed_slices.is_empty(), "{folder}");
        let mut hash = Sha256::new();
        match &loaded.image {
            Image::Ct(volume) => {
                for voxel in &volume.voxels {
                    hash.update(voxel.to_le_bytes());
                }
            }
            Image::Mr { voxels: MrVoxels::Unsigned(voxels), .. } => {
                for voxel in voxels {
                    hash.update(voxel.to_le_bytes());
                }
            }
            Image::Mr { .. } => panic!("{folder}: other storage"),
        }
        assert_eq!(hex(hash.finalize()), expected, "{folder}");
    }
}

#[test]
fn a_study_whose_series_lie_in_three_frames_of_reference_is_one_study() {
    let Some(root) = data("mr/rsna_lumbar") else { return };
    let intake = read(&root);
    assert_eq!(intake.studies.len(), 1);
    let study = &intake.studies[0];
    assert!(study.problems.iter().any(|p| p.code == ProblemCode::FrameOfReferenceDiffers));
    let mut sizes: Vec<_> = study.series.iter().map(|series| series.slices.len()).collect();
    sizes.sort_unstable();
    // Seven tilted blocks of the axial series, two sagittal series.
    assert_eq!(sizes, [7, 8, 8, 9, 9, 9, 10, 18, 18]);
}
