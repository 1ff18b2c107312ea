//! What the room promises, on small series made for it.

use super::*;
use crate::problem::ProblemCode;
use crate::series::Series;
use crate::series::testing::{TestObject, enhanced_mr, intake, stack};

const LIMITS: LoadLimits = LoadLimits { max_bytes: 1 << 30 };

/// Writes, reads and loads objects that make one series.
fn loaded(objects: &[TestObject]) -> (Series, Result<Loaded, VolumeError>) {
    let (folder, intake) = intake(objects);
    assert_eq!(intake.studies[0].series.len(), 1);
    let series = intake.studies[0].series[0].clone();
    let loaded = load(&series, &LIMITS);
    drop(folder);
    (series, loaded)
}

fn ct(image: &Image) -> &Volume<i16> {
    match image {
        Image::Ct(volume) => volume,
        Image::Mr { .. } => panic!("no CT"),
    }
}

#[test]
fn ct_becomes_hounsfield_units_by_each_slices_own_rescale() {
    let mut objects = stack(3, 3.0);
    objects[2].text(0x0028_1053, *b"DS", "2.5").text(0x0028_1052, *b"DS", "-1000");
    let (_, loaded) = loaded(&objects);
    let loaded = loaded.unwrap();
    let volume = ct(&loaded.image);
    assert_eq!(volume.voxels[0], -1024);
    assert_eq!(volume.voxels[16], -1023);
    assert_eq!(volume.voxels[32], -995);
    assert_eq!(loaded.problems[0].code, ProblemCode::RescaleVaries);
}

#[test]
fn hounsfield_units_beyond_sixteen_bits_saturate_and_say_so() {
    let mut objects = stack(3, 3.0);
    objects[1].pixels(&[i16::MAX; 16]).text(0x0028_1052, *b"DS", "100");
    let (_, loaded) = loaded(&objects);
    let loaded = loaded.unwrap();
    assert_eq!(ct(&loaded.image).voxels[16], i16::MAX);
    assert_eq!(loaded.image.validity().saturated.as_ref().unwrap().count(), 16);
}

#[test]
fn padding_is_found_whether_or_not_its_tag_has_a_sign() {
    for padding in [63536_u16, 63000] {
        let mut objects = stack(3, 3.0);
        for object in &mut objects {
            let mut pixels = [0; 16];
            pixels[5] = -2000;
            pixels[6] = -2100;
            object.pixels(&pixels).short(0x0028_0120, 63536);
            if padding == 63000 {
                object.short(0x0028_0121, 63000);
            }
        }
        let (_, loaded) = loaded(&objects);
        let loaded = loaded.unwrap();
        let count = loaded.image.validity().padding.as_ref().unwrap().count();
        assert_eq!(count, if padding == 63000 { 6 } else { 3 });
        assert!(!loaded.image.validity().is_measured(5));
    }
}

#[test]
fn what_has_the_value_of_a_dark_corner_lies_outside_the_field_of_view() {
    let mut objects = stack(3, 3.0);
    let mut pixels = [0; 16];
    for at in [0, 3, 12, 15, 1] {
        pixels[at] = -1024;
    }
    // Dark, but no corner: a streak.
    pixels[6] = -900;
    objects[1].pixels(&pixels);
    let (_, loaded) = loaded(&objects);
    let loaded = loaded.unwrap();
    let outside = loaded.image.validity().outside_field_of_view.as_ref().unwrap();
    assert_eq!(outside.offsets().collect::<Vec<_>>(), [16, 17, 19, 28, 31]);
}

#[test]
fn a_truncated_slice_is_masked_and_named_and_the_others_stay() {
    let mut objects = stack(5, 3.0);
    objects[2].pixels(&[0; 10]);
    let (series, loaded) = loaded(&objects);
    let loaded = loaded.unwrap();
    assert_eq!(loaded.failed_slices, [2]);
    assert_eq!(loaded.problems[0].code, ProblemCode::PixelDataTruncated);
    assert_eq!(loaded.problems[0].files, [series.slices[2].source.path.clone()]);
    let padding = loaded.image.validity().padding.as_ref().unwrap();
    assert_eq!(padding.offsets().collect::<Vec<_>>(), (32..48).collect::<Vec<_>>());
    assert_eq!(ct(&loaded.image).voxels[48], -1021);
}

#[test]
fn a_series_of_which_most_slices_fail_gives_no_volume() {
    let mut objects = stack(5, 3.0);
    for object in &mut objects[1..4] {
        object.pixels(&[0; 10]);
    }
    let error = loaded(&objects).1.unwrap_err();
    assert!(matches!(error, VolumeError::TooFewSlicesDecoded { decoded: 2, slices: 5, .. }));
}

#[test]
fn an_unknown_transfer_syntax_is_named() {
    let mut objects = stack(3, 3.0);
    for object in &mut objects {
        object.fragment("1.2.840.10008.1.2.4.110", &[0xFF, 0x0A]);
    }
    let error = loaded(&objects).1.unwrap_err();
    assert!(error.to_string().contains("1.2.840.10008.1.2.4.110 is not supported"), "{error}");
    assert_eq!(error.problem().code, ProblemCode::UnsupportedTransferSyntax);
}

#[test]
fn memory_is_refused_before_it_is_taken() {
    let (_folder, intake) = intake(&stack(3, 3.0));
    let series = &intake.studies[0].series[0];
    let limits = LoadLimits { max_bytes: required_bytes(series) - 1 };
    assert!(matches!(load(series, &limits), Err(VolumeError::MemoryLimit { .. })));
    let limits = LoadLimits { max_bytes: required_bytes(series) };
    assert!(load(series, &limits).is_ok());
}

#[test]
fn ct_without_rescale_is_believed_only_if_it_holds_air() {
    let mut objects = stack(3, 3.0);
    for object in &mut objects {
        object.remove(0x0028_1052).remove(0x0028_1053);
    }
    let error = loaded(&objects).1.unwrap_err();
    assert!(matches!(error, VolumeError::NotHounsfield { lowest: 0, highest: 2, .. }), "{error}");
    for object in &mut objects {
        object.pixels(&[-1000; 16]);
    }
    let loaded = loaded(&objects).1.unwrap();
    assert_eq!(loaded.problems[0].code, ProblemCode::RescaleMissing);
}

#[test]
fn mr_keeps_its_stored_type_unless_slopes_vary() {
    let objects: Vec<_> =
        (0..3).map(|n| TestObject::mr([0.0, 0.0, f64::from(n) * 4.0], -1)).collect();
    let image = loaded(&objects).1.unwrap().image;
    let Image::Mr { voxels: MrVoxels::Unsigned(_), .. } = &image else { panic!("{image:?}") };
    assert_eq!(image.value(0), 65535.0);
    let mut varying = objects.clone();
    varying[1].text(0x0028_1053, *b"DS", "0.5").text(0x0028_1052, *b"DS", "3");
    varying[0].text(0x0028_1053, *b"DS", "1").text(0x0028_1052, *b"DS", "0");
    varying[2].text(0x0028_1053, *b"DS", "1").text(0x0028_1052, *b"DS", "0");
    let loaded = loaded(&varying).1.unwrap();
    let Image::Mr { voxels: MrVoxels::Rescaled(_), .. } = &loaded.image else { panic!() };
    assert_eq!(loaded.image.value(16), 65535.0 * 0.5 + 3.0);
    assert_eq!(loaded.problems[0].code, ProblemCode::RescaleVaries);
}

#[test]
fn frames_of_one_file_go_to_their_places() {
    let loaded = loaded(&[enhanced_mr(["8", "0", "4"])]).1.unwrap();
    let first_of_slices: Vec<f64> = (0..3).map(|k| loaded.image.value(16 * k)).collect();
    assert_eq!(first_of_slices, [0.0, 2.0, 1.0]);
    assert!(loaded.failed_slices.is_empty() && loaded.problems.is_empty());
}

#[test]
fn any_number_of_threads_gives_the_same_voxels() {
    let (_folder, intake) = intake(&stack(40, 1.0));
    let series = &intake.studies[0].series[0];
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let loaded = pool.install(|| load(series, &LIMITS)).unwrap();
        (ct(&loaded.image).voxels.clone(), loaded.image.validity().clone())
    };
    assert_eq!(with(1), with(3));
}
