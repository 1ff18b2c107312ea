//! What the room promises, on small files made for it.

use proptest::prelude::*;

use super::testing::{TestObject, element, enhanced_mr, intake, intake_of, stack};
use super::*;
use crate::problem::{Problem, ProblemCode};

fn only_series(intake: &Intake) -> &Series {
    assert_eq!(intake.studies.len(), 1);
    assert_eq!(intake.studies[0].series.len(), 1, "{:#?}", intake.studies[0].series);
    &intake.studies[0].series[0]
}

fn problem(series: &Series, code: ProblemCode) -> Option<&Problem> {
    series.problems.iter().find(|problem| problem.code == code)
}

/// What must not change with names and order: ids, geometry and the slices' places.
fn essence(intake: &Intake) -> Vec<(StudyId, SeriesId, Vec<String>, Vec<ProblemCode>)> {
    let mut all = Vec::new();
    for study in &intake.studies {
        for series in &study.series {
            let places = series.slices.iter().map(|s| format!("{:?}", s.position)).collect();
            let codes = series.problems.iter().map(|p| p.code).collect();
            all.push((study.id.clone(), series.id.clone(), places, codes));
        }
    }
    all
}

#[test]
fn slices_are_ordered_by_place_and_not_by_name_or_number() {
    let mut objects = stack(5, 3.0);
    objects.reverse();
    let (_folder, intake) = intake(&objects);
    let series = only_series(&intake);
    let z: Vec<f64> = series.slices.iter().map(|slice| slice.position.z()).collect();
    assert_eq!(z, [0.0, 3.0, 6.0, 9.0, 12.0]);
    assert_eq!(series.grid.spacing(), [0.5, 0.5, 3.0]);
    assert!(series.problems.is_empty() && series.not_a_volume.is_none());
    assert_eq!(series.id.0.len(), 16);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn names_and_order_of_files_change_nothing(
        order in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(),
        with_uids in any::<bool>(),
    ) {
        // Two volumes at the same places that only their numbers tell apart, one slice twice,
        // one stray slice of another orientation.
        let mut objects = stack(5, 3.0);
        for n in 0..5 {
            let mut second = TestObject::ct([0.0, 0.0, f64::from(n) * 3.0], 100 + n as i16);
            second.text(0x0020_0013, *b"IS", &(10 + n).to_string());
            objects.push(second);
        }
        objects.push(objects[2].clone());
        let mut stray = TestObject::ct([0.0, 0.0, 0.0], 7);
        stray.text(0x0020_0037, *b"DS", "1\\0\\0\\0\\0\\-1");
        objects.push(stray);
        if !with_uids {
            for object in &mut objects {
                object.remove(0x0020_000D).text(0x0020_000E, *b"UI", "");
            }
        }
        let straight = intake(&objects).1;
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<_> = order
            .iter()
            .enumerate()
            .map(|(n, &object)| (format!("{n:02}-of-{object}.bin"), objects[object].bytes()))
            .collect();
        let shuffled = intake_of(folder.path(), &files);
        prop_assert_eq!(essence(&straight), essence(&shuffled));
        prop_assert_eq!(straight.studies[0].series.len(), 3);
    }
}

#[test]
fn a_missing_slice_is_a_gap_with_its_width_and_not_a_thick_voxel() {
    let mut objects = stack(9, 3.0);
    objects.remove(4);
    let (_folder, intake) = intake(&objects);
    let gap = problem(only_series(&intake), ProblemCode::SliceGap).unwrap();
    assert_eq!(gap.numbers["gaps"], 1.0);
    assert_eq!(gap.numbers["widest_gap_mm"], 6.0);
    assert_eq!(gap.numbers["missing_mm"], 3.0);
    assert!(gap.numbers["largest_displacement_mm"] > 1.0);
}

#[test]
fn rounding_of_positions_is_no_gap_and_no_unevenness() {
    let objects: Vec<_> = (0..20)
        .map(|n| {
            let noise = if n % 2 == 0 { 0.004 } else { -0.004 };
            TestObject::ct([0.0, 0.0, f64::from(n) * 1.25 + noise], n as i16)
        })
        .collect();
    let (_folder, intake) = intake(&objects);
    let series = only_series(&intake);
    assert!(problem(series, ProblemCode::SliceGap).is_none());
    assert!(problem(series, ProblemCode::UnevenSteps).is_none());
}

#[test]
fn a_tilted_gantry_is_measured_and_kept_as_shear() {
    let tilt = 14.0_f64.to_radians();
    let orientation = format!("1\\0\\0\\0\\{}\\{}", tilt.cos(), -tilt.sin());
    let mut objects = stack(6, 4.0);
    for object in &mut objects {
        object.text(0x0020_0037, *b"DS", &orientation);
    }
    let (_folder, intake) = intake(&objects);
    let series = only_series(&intake);
    let found = problem(series, ProblemCode::GantryTilt).unwrap().numbers["tilt_deg"];
    assert!((found - 14.0).abs() < 1e-6, "{found}");
    let step = series.grid.step(2);
    assert!(step.y().abs() < 1e-9 && (step.z().abs() - 4.0).abs() < 1e-9);
}

#[test]
fn thick_slices_overlap_and_thin_ones_leave_tissue_out() {
    let (_folder, close) = intake(&stack(5, 2.0));
    let overlap = problem(only_series(&close), ProblemCode::SliceOverlap).unwrap();
    assert_eq!(overlap.numbers["slice_thickness_mm"], 3.0);
    assert_eq!(overlap.numbers["median_step_mm"], 2.0);
    let (_folder, far) = intake(&stack(5, 8.0));
    assert!(problem(only_series(&far), ProblemCode::SliceGap).is_some());
}

#[test]
fn a_slice_sent_twice_is_kept_once() {
    let mut objects = stack(4, 3.0);
    objects.push(objects[1].clone());
    let (_folder, intake) = intake(&objects);
    let series = only_series(&intake);
    assert_eq!(series.slices.len(), 4);
    let duplicate = problem(series, ProblemCode::DuplicateSlice).unwrap();
    assert_eq!(duplicate.numbers["duplicates"], 1.0);
    assert_eq!(duplicate.files.len(), 1);
    assert!(intake.files.iter().all(|f| matches!(f.outcome, FileOutcome::Image(_))));
}

#[test]
fn two_echoes_in_one_series_are_two_stacks() {
    let mut objects = stack(4, 3.0);
    for n in 0..4 {
        let mut echo = TestObject::ct([0.0, 0.0, f64::from(n) * 3.0], 50);
        echo.text(0x0018_0081, *b"DS", "4.6");
        objects.push(echo);
    }
    let (_folder, intake) = intake(&objects);
    let series = &intake.studies[0].series;
    assert_eq!(series.len(), 2);
    assert!(series.iter().all(|s| s.slices.len() == 4));
    assert_eq!(series[1].id.0, format!("{}-2", series[0].id.0));
    assert!(problem(&series[0], ProblemCode::SamePositionDifferentPixels).is_none());
}

#[test]
fn an_acquisition_number_that_counts_slices_does_not_shatter_the_stack() {
    let mut objects = stack(8, 3.0);
    objects.push(objects[3].clone());
    for (n, object) in objects.iter_mut().enumerate() {
        object.text(0x0020_0012, *b"IS", &n.to_string());
    }
    let (_folder, intake) = intake(&objects);
    assert_eq!(only_series(&intake).slices.len(), 8);
}

#[test]
fn blocks_far_apart_are_stacks_of_their_own() {
    let mut objects = stack(4, 3.0);
    for n in 0..4 {
        objects.push(TestObject::ct([0.0, 0.0, 100.0 + f64::from(n) * 3.0], n as i16));
    }
    let (_folder, intake) = intake(&objects);
    let sizes: Vec<_> = intake.studies[0].series.iter().map(|s| s.slices.len()).collect();
    assert_eq!(sizes, [4, 4]);
}

#[test]
fn two_patients_with_one_study_uid_are_two_studies() {
    let mut objects = stack(6, 3.0);
    for object in &mut objects[3..] {
        object.text(0x0010_0020, *b"LO", "P2");
    }
    let (_folder, intake) = intake(&objects);
    assert_eq!(intake.studies.len(), 2);
    assert_ne!(intake.studies[0].id, intake.studies[1].id);
    for study in &intake.studies {
        assert_eq!(study.problems[0].code, ProblemCode::StudyUidSharedByPatients);
        assert_eq!(study.series[0].slices.len(), 3);
    }
}

#[test]
fn colour_and_single_slices_are_listed_and_never_volumes() {
    let mut colour = stack(3, 3.0);
    for object in &mut colour {
        object.short(0x0028_0002, 3).raw(0x7FE0_0010, *b"OW", &[0; 96]);
    }
    let (_folder, intake_of_colour) = intake(&colour);
    let why = only_series(&intake_of_colour).not_a_volume.as_ref().unwrap();
    assert_eq!(why.code, ProblemCode::UnsupportedPixelLayout);
    let (_folder, single) = intake(&stack(1, 3.0));
    let why = only_series(&single).not_a_volume.as_ref().unwrap();
    assert_eq!(why.code, ProblemCode::TooFewSlices);
}

#[test]
fn a_file_without_meta_group_or_preamble_is_read_in_any_encoding() {
    let object = TestObject::ct([0.0, 0.0, 0.0], 5);
    let folder = tempfile::tempdir().unwrap();
    let intake = intake_of(folder.path(), &[("raw".to_owned(), object.data_set())]);
    let slice = &only_series(&intake).slices[0];
    assert_eq!(slice.transfer_syntax_uid, "1.2.840.10008.1.2.1");
}

#[test]
fn files_that_are_no_images_are_told_from_those_that_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = TestObject::ct([0.0; 3], 0);
    report.text(0x0008_0016, *b"UI", "1.2.840.10008.5.1.4.1.1.88.11").text(
        0x0008_0060,
        *b"CS",
        "SR",
    );
    let mut ultrasound = TestObject::ct([0.0; 3], 0);
    ultrasound.text(0x0008_0016, *b"UI", "1.2.840.10008.5.1.4.1.1.6.1").text(
        0x0008_0060,
        *b"CS",
        "US",
    );
    let mut empty = TestObject::ct([0.0; 3], 0);
    empty.remove(0x7FE0_0010);
    let mut huge = TestObject::ct([0.0; 3], 0);
    huge.short(0x0028_0010, 46341).short(0x0028_0011, 46341);
    let mut short = TestObject::ct([0.0; 3], 0);
    short.pixels(&[0; 12]);
    let files = [
        ("a-text".to_owned(), b"Dear colleague, thank you for this patient.".to_vec()),
        ("b-zip".to_owned(), b"PK\x03\x04 and so on".to_vec()),
        ("c-report".to_owned(), report.bytes()),
        ("d-ultrasound".to_owned(), ultrasound.bytes()),
        ("e-no-pixels".to_owned(), empty.bytes()),
        ("f-huge".to_owned(), huge.bytes()),
        ("g-short".to_owned(), short.bytes()),
        ("h-nothing".to_owned(), Vec::new()),
    ];
    let intake = intake_of(folder.path(), &files);
    let outcomes: Vec<String> = intake
        .files
        .iter()
        .map(|file| match &file.outcome {
            FileOutcome::Image(_) => "image".to_owned(),
            FileOutcome::NotAnImage(p) => format!("no image: {}", p.code),
            FileOutcome::NotDicom(p) => format!("no DICOM: {}", p.code),
            FileOutcome::Failed(p) => format!("failed: {}", p.code),
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            "no DICOM: not_dicom",
            "no DICOM: archive_not_opened",
            "no image: not_an_image",
            "no image: not_ct_or_mr",
            "failed: no_pixel_data",
            "failed: impossible_size",
            "failed: pixel_data_truncated",
            "no DICOM: not_dicom",
        ]
    );
    // The short slice still stands in its series, so that a stack keeps its geometry.
    assert_eq!(only_series(&intake).slices.len(), 1);
}

#[test]
fn frames_of_an_enhanced_object_are_placed_by_their_functional_groups() {
    let object = enhanced_mr(["8", "0", "4"]);
    let (_folder, intake) = intake(&[object]);
    let series = only_series(&intake);
    assert!(series.not_a_volume.is_none());
    let order: Vec<u32> = series.slices.iter().map(|slice| slice.source.frame).collect();
    // The normal of a sagittal slice with these directions points to the patient's right.
    assert_eq!(order, [0, 2, 1]);
    assert_eq!(series.grid.spacing(), [0.9, 0.8, 4.0]);
    assert_eq!(series.tags.repetition_time_ms, Some(550.0));
    assert_eq!(series.tags.slice_thickness_mm, Some(4.0));
    assert_eq!(series.tags.number_of_frames, 3);
}

#[test]
fn a_file_cut_at_any_length_has_an_outcome() {
    let object = TestObject::ct([0.0; 3], 5);
    let whole = object.bytes();
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> =
        (0..whole.len()).map(|n| (format!("{n:04}"), whole[..n].to_vec())).collect();
    let intake = intake_of(folder.path(), &files);
    let pixels_begin = whole.len() - 32;
    for (n, file) in intake.files.iter().enumerate() {
        match &file.outcome {
            FileOutcome::Image(_) => panic!("cut at {n} of {} passes as whole", whole.len()),
            FileOutcome::Failed(problem) if n >= pixels_begin => {
                let expected = [ProblemCode::PixelDataTruncated, ProblemCode::ImpossibleSize];
                assert!(expected.contains(&problem.code), "cut at {n}: {}", problem.code);
            }
            _ => {}
        }
    }
}

#[test]
fn a_sequence_bomb_is_refused() {
    let mut bytes = TestObject::ct([0.0; 3], 5).bytes();
    bytes.truncate(132 + 8 + 20);
    // Sequences of undefined length, one inside the other.
    for _ in 0..100_000 {
        element(&mut bytes, 0x0040_0275, *b"SQ", u32::MAX, &[]);
        bytes.extend([0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
    let folder = tempfile::tempdir().unwrap();
    let intake = intake_of(folder.path(), &[("bomb".to_owned(), bytes)]);
    let FileOutcome::Failed(problem) = &intake.files[0].outcome else { panic!() };
    assert_eq!(problem.code, ProblemCode::DamagedHeader);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn flipped_bits_never_stop_the_reading(flips in proptest::collection::vec((0usize..4000, 0u8..8), 1..6)) {
        let mut bytes = TestObject::ct([0.0; 3], 5).bytes();
        for (at, bit) in flips {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        }
        let folder = tempfile::tempdir().unwrap();
        let intake = intake_of(folder.path(), &[("flipped".to_owned(), bytes)]);
        prop_assert_eq!(intake.files.len(), 1);
    }
}
