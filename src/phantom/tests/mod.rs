use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use dicom_dictionary_std::tags;

use super::*;
use crate::geometry::{LpsPoint, VoxelIndex};
use crate::terms::FeatureId;

mod bad_files;
mod kinds;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Compares the files of a committed folder with what the program makes; `OSTEOFLAG_UPDATE=1`
/// writes them.
fn compare_with_committed(folder: &str, made: &[(String, Vec<u8>)]) {
    let folder = fixtures().join(folder);
    if env::var_os("OSTEOFLAG_UPDATE").is_some() {
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        for (name, bytes) in made {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let committed: BTreeSet<PathBuf> = walkdir::WalkDir::new(&folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(&folder).unwrap().to_owned())
        .collect();
    let expected: BTreeSet<PathBuf> = made.iter().map(|(name, _)| PathBuf::from(name)).collect();
    assert_eq!(committed, expected, "files of {}", folder.display());
    for (name, bytes) in made {
        let committed = fs::read(folder.join(name)).unwrap();
        assert!(
            committed == *bytes,
            "{}: differs from what the program makes; OSTEOFLAG_UPDATE=1 writes it anew",
            folder.join(name).display()
        );
    }
}

/// A quick CT of two lumbar levels.
fn small_ct() -> Spec {
    Spec {
        name: "small_ct".to_owned(),
        levels: vec![Level::L2, Level::L3, Level::L4],
        size: [64, 64],
        pixel_spacing_mm: 1.9,
        slice_thickness_mm: 3.0,
        slice_spacing_mm: 4.0,
        in_plane_fwhm_mm: 2.0,
        ..Spec::ct_lumbar()
    }
}

/// The quick CT, made once for all tests.
static SMALL_CT: LazyLock<Phantom> = LazyLock::new(|| generate(&small_ct()).unwrap());

static SMALL_CT_PLAIN: LazyLock<Phantom> =
    LazyLock::new(|| generate(&Spec { lesions: Vec::new(), ..small_ct() }).unwrap());

static SMALL_MR: LazyLock<Phantom> = LazyLock::new(|| generate(&small_mr()).unwrap());

fn small_mr() -> Spec {
    Spec {
        name: "small_mr".to_owned(),
        size: [96, 140],
        pixel_spacing_mm: 2.0,
        slices: Some(5),
        in_plane_fwhm_mm: 2.0,
        ..Spec::mr_t1_lumbar()
    }
}

/// Mean value of the voxels of one body that satisfy a condition on their place.
fn mean_in_body(phantom: &Phantom, level: Level, keep: impl Fn(LpsPoint) -> bool) -> f64 {
    let number = phantom.truth.vertebrae.iter().position(|v| v.level == level).unwrap() + 1;
    let grid = &phantom.grid;
    let mut values = Vec::new();
    for k in 0..grid.nk() {
        for j in 0..grid.nj() {
            for i in 0..grid.ni() {
                let voxel = VoxelIndex { i, j, k };
                let offset = grid.offset(voxel);
                if usize::from(phantom.body_labels[offset]) == number
                    && keep(grid.voxel_to_lps(voxel))
                {
                    values.push(f64::from(phantom.voxels[offset]));
                }
            }
        }
    }
    assert!(values.len() > 10, "{level}: {} voxels", values.len());
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_committed_ct_fixture_is_what_the_phantom_makes() {
    compare_with_committed("ct_lumbar", &files(&generate(&Spec::ct_lumbar()).unwrap()).unwrap());
}

#[test]
fn the_committed_mr_fixture_is_what_the_phantom_makes() {
    let phantom = generate(&Spec::mr_t1_lumbar()).unwrap();
    compare_with_committed("mr_t1_lumbar", &files(&phantom).unwrap());
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let spec = Spec { slices: Some(6), ..small_ct() };
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| files(&generate(&spec).unwrap()).unwrap())
    };
    assert!(with_threads(1) == with_threads(3));
}

#[test]
fn another_seed_gives_other_voxels_and_other_uids() {
    let one = &*SMALL_CT;
    let other = generate(&Spec { seed: 7, slices: Some(2), ..small_ct() }).unwrap();
    assert_ne!(one.voxels[..64 * 64], other.voxels[..64 * 64]);
    let uid = |phantom: &Phantom| {
        let bytes = &files(phantom).unwrap()[0].1;
        let object = dicom_object::from_reader(bytes.as_slice()).unwrap();
        object.element(tags::SERIES_INSTANCE_UID).unwrap().to_str().unwrap().into_owned()
    };
    assert_ne!(uid(one), uid(&other));
    assert!(uid(one).starts_with("2.25.") && uid(one).len() <= 64);
}

#[test]
fn centroids_of_the_truth_are_those_of_the_labelled_voxels() {
    let phantom = &*SMALL_CT;
    for (n, vertebra) in phantom.truth.vertebrae.iter().enumerate() {
        let mut sum = [0.0; 3];
        let mut count = 0.0;
        for k in 0..phantom.grid.nk() {
            for j in 0..phantom.grid.nj() {
                for i in 0..phantom.grid.ni() {
                    let voxel = VoxelIndex { i, j, k };
                    if usize::from(phantom.body_labels[phantom.grid.offset(voxel)]) == n + 1 {
                        let place: [f64; 3] = phantom.grid.voxel_to_lps(voxel).into();
                        sum = [0, 1, 2].map(|axis| sum[axis] + place[axis]);
                        count += 1.0;
                    }
                }
            }
        }
        let mean = LpsPoint::from(sum.map(|s| s / count));
        let distance = mean.distance(vertebra.centroid_lps_mm);
        assert!(distance < 1.5, "{}: {distance} mm", vertebra.level);
    }
}

#[test]
fn levels_asked_for_are_wholly_in_view_and_neighbours_may_be_cut() {
    let truth = &SMALL_CT.truth;
    for vertebra in &truth.vertebrae {
        let asked = [Level::L2, Level::L3, Level::L4].contains(&vertebra.level);
        assert_eq!(asked, vertebra.fraction_in_view == 1.0, "{vertebra:?}");
        assert!(!vertebra.level_anchor_in_view);
    }
    assert!(truth.vertebrae.len() > 3);
}

#[test]
fn a_sclerotic_lesion_stands_out_by_its_contrast_and_only_where_the_truth_says() {
    let lesioned = &*SMALL_CT;
    let lesion = lesioned.truth.lesions[0].clone();
    assert_eq!((lesion.level, lesion.feature), (Level::L2, FeatureId::ScleroticDensity));
    let inside = |p: LpsPoint| p.distance(lesion.centroid_lps_mm) < 4.0;
    let core = mean_in_body(lesioned, Level::L2, inside);
    let plain = &*SMALL_CT_PLAIN;
    let before = mean_in_body(plain, Level::L2, inside);
    let gain = core - before;
    assert!((0.75 * lesion.contrast..1.25 * lesion.contrast).contains(&gain), "{gain} HU");
    let far = |p: LpsPoint| p.distance(lesion.centroid_lps_mm) > 22.0;
    let elsewhere = mean_in_body(lesioned, Level::L2, far) - mean_in_body(plain, Level::L2, far);
    assert!(elsewhere.abs() < 12.0, "{elsewhere} HU");
}

#[test]
fn a_broken_wall_stands_in_the_canal_and_holds_soft_tissue() {
    let broken = &*SMALL_CT;
    let whole = &*SMALL_CT_PLAIN;
    let lesion = broken.truth.lesions[1].clone();
    assert_eq!((lesion.level, lesion.contrast_unit.as_str()), (Level::L4, "mm"));
    let count = |phantom: &Phantom| {
        let number = phantom.truth.vertebrae.iter().position(|v| v.level == Level::L4).unwrap() + 1;
        phantom.body_labels.iter().filter(|&&label| usize::from(label) == number).count()
    };
    assert!(count(broken) > count(whole));
    let there = |p: LpsPoint| p.distance(lesion.centroid_lps_mm) < 4.0;
    let lost = mean_in_body(broken, Level::L4, there);
    assert!((20.0..130.0).contains(&lost), "{lost} HU");
}

#[test]
fn replaced_marrow_is_no_brighter_than_disc_and_the_other_bodies_are() {
    let phantom = &*SMALL_MR;
    let core = |level: Level| {
        let centre =
            phantom.truth.vertebrae.iter().find(|v| v.level == level).unwrap().centroid_lps_mm;
        mean_in_body(phantom, level, |p| p.distance(centre) < 10.0)
    };
    let (replaced, above, below) = (core(Level::L3), core(Level::L2), core(Level::L4));
    // Half way between two bodies lies their disc.
    let centre =
        |level| phantom.truth.vertebrae.iter().find(|v| v.level == level).unwrap().centroid_lps_mm;
    let (a, b) = (centre(Level::L1), centre(Level::L2));
    let middle = a + (b - a) * 0.5;
    let disc = phantom.image().sample(middle).unwrap();
    assert!(replaced < 1.05 * disc, "replaced {replaced}, disc {disc}");
    assert!(above > 1.3 * disc && below > 1.3 * disc, "{above} {below} {disc}");
}

#[test]
fn written_slices_read_back_with_their_place_and_values() {
    for phantom in [&*SMALL_CT, &*SMALL_MR] {
        let folder = tempfile::tempdir().unwrap();
        write(phantom, folder.path()).unwrap();
        let slices = phantom.grid.nk();
        for (instance, k) in [(1, slices - 1), (slices, 0)] {
            let path = folder.path().join(format!("IM{instance:04}.dcm"));
            let object = dicom_object::open_file(path).unwrap();
            let numbers = |tag| object.element(tag).unwrap().to_multi_float64().unwrap();
            let position = numbers(tags::IMAGE_POSITION_PATIENT);
            let expected = phantom.grid.voxel_to_lps(VoxelIndex { i: 0, j: 0, k });
            let read = LpsPoint::new(position[0], position[1], position[2]);
            assert!(read.distance(expected) < 1e-5);
            let orientation = numbers(tags::IMAGE_ORIENTATION_PATIENT);
            for axis in 0..2 {
                let step = phantom.grid.step(axis);
                let cosines = &orientation[3 * axis..3 * axis + 3];
                let along = step.x() * cosines[0] + step.y() * cosines[1] + step.z() * cosines[2];
                assert!((along - phantom.grid.spacing()[axis]).abs() < 1e-6);
            }
            let pixels = object.element(tags::PIXEL_DATA).unwrap().to_multi_int::<i32>().unwrap();
            let intercept = object
                .element_opt(tags::RESCALE_INTERCEPT)
                .unwrap()
                .map_or(0, |element| element.to_int::<i32>().unwrap());
            let from = phantom.grid.offset(VoxelIndex { i: 0, j: 0, k });
            for (read, made) in pixels.iter().zip(&phantom.voxels[from..]) {
                assert_eq!(read + intercept, i32::from(*made));
            }
            assert_eq!(pixels.len(), phantom.grid.ni() * phantom.grid.nj());
        }
        let truth = fs::read(folder.path().join("truth.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Truth>(&truth).unwrap(), phantom.truth);
    }
}

#[test]
fn the_stack_runs_along_the_normal_of_rows_and_columns() {
    for grid in [&SMALL_CT.grid, &SMALL_MR.grid] {
        let normal = grid.step(0).cross(grid.step(1));
        assert!(normal.dot(grid.step(2)) > 0.0);
    }
}

#[test]
fn a_spec_that_cannot_be_made_says_why() {
    let fails = |spec: Spec| generate(&spec).unwrap_err().to_string();
    assert!(fails(Spec { levels: vec![], ..small_ct() }).contains("no levels"));
    assert!(fails(Spec { levels: vec![Level::T13], ..small_ct() }).contains("T13"));
    let gap = Spec { levels: vec![Level::L1, Level::L3], lesions: vec![], ..small_ct() };
    assert!(fails(gap).contains("not neighbours"));
    let other = Spec { lesions: Spec::mr_t1_lumbar().lesions, ..small_ct() };
    assert!(fails(other).contains("t1_replacement"));
    assert!(fails(Spec { size: [0, 64], ..small_ct() }).contains("size"));
    assert!(fails(Spec { pixel_spacing_mm: f64::NAN, ..small_ct() }).contains("pixel_spacing_mm"));
    let elsewhere = Spec { levels: vec![Level::L4, Level::L5], ..small_ct() };
    assert!(fails(elsewhere).contains("L2"));
}

/// Angle between the most tilted vertebrae in the coronal plane, degrees.
fn cobb(spec: &Spec) -> f64 {
    let skeleton = skeleton::Skeleton::new(spec).unwrap();
    let tilts: Vec<f64> = skeleton
        .segments
        .iter()
        .filter(|segment| (1.0..16.5).contains(&segment.station))
        .map(|segment| libm::atan2(segment.up.x, segment.up.z).to_degrees())
        .collect();
    tilts.iter().fold(f64::MIN, |a, &b| a.max(b)) - tilts.iter().fold(f64::MAX, |a, &b| a.min(b))
}

#[test]
fn a_scoliosis_has_the_cobb_angle_that_was_asked_for() {
    for asked in [0.0, 20.0, -40.0] {
        let scoliosis = Scoliosis { cobb_deg: asked, apex_station: 9.0, half_length: 4.0 };
        let spec = Spec { scoliosis, tilt_deg: 0.0, turn_deg: 0.0, ..Spec::ct_thoracolumbar() };
        assert!((cobb(&spec) - f64::abs(asked)).abs() < 4.0, "{asked}: {}", cobb(&spec));
    }
}

#[test]
fn spines_with_more_or_fewer_vertebrae_keep_their_order_and_length() {
    let length = |anatomy| {
        let levels = vec![Level::L1, Level::L2, Level::L3];
        let spec = Spec { anatomy, levels, lesions: vec![], slices: Some(400), ..small_ct() };
        let segments = skeleton::Skeleton::new(&spec).unwrap().segments;
        assert!(segments.windows(2).all(|pair| pair[0].station < pair[1].station));
        assert!(
            segments
                .windows(2)
                .all(|pair| pair[0].level < pair[1].level || pair[1].level.is_none())
        );
        segments.iter().filter(|s| s.level.is_some()).count()
    };
    assert_eq!(length(Anatomy::default()), 25);
    assert_eq!(length(Anatomy { thoracic: 13, lumbar: 6, ..Anatomy::default() }), 27);
    assert_eq!(length(Anatomy { thoracic: 11, lumbar: 4, ..Anatomy::default() }), 23);
    let fails = Spec { anatomy: Anatomy { lumbar: 9, ..Anatomy::default() }, ..small_ct() };
    assert!(generate(&fails).unwrap_err().to_string().contains("anatomy.lumbar"));
}

#[test]
fn true_heights_follow_the_table_and_the_deformity() {
    let sizes = |phantom: &Phantom, level| {
        let vertebra = phantom.truth.vertebrae.iter().find(|v| v.level == level).unwrap();
        vertebra.measurements.clone()
    };
    let wedge = Deformity { level: Level::L3, kind: DeformityKind::Wedge, loss: 0.4 };
    let spec = Spec {
        deformities: vec![wedge],
        lesions: vec![],
        slices: Some(2),
        size: [8, 8],
        ..small_ct()
    };
    let (plain, wedged) = (&*SMALL_CT_PLAIN, generate(&spec).unwrap());
    let (before, after) = (sizes(plain, Level::L3), sizes(&wedged, Level::L3));
    // Published posterior height of L3 is 23.8 mm; 2 % spread, hollow and roughness are about 1 mm.
    assert!((before.posterior_height_mm - 23.8).abs() < 2.0, "{before:?}");
    let lost = 1.0 - after.anterior_height_mm / before.anterior_height_mm;
    // At 85 % of the way to the front wall, which is hollow, 88 % of the loss at the front is there.
    assert!((lost - 0.35).abs() < 0.05, "{lost}");
    let behind = after.posterior_height_mm / before.posterior_height_mm;
    assert!((behind - 0.96).abs() < 0.04, "{behind}");
}

#[test]
fn a_wall_that_bulges_changes_no_height_and_deepens_the_body() {
    let sizes = |bulge_mm: f64| {
        let kind = LesionKind::PosteriorWallBreach { bulge_mm, gap_mm: 11.0 };
        let (level, place, site) = (Level::L3, [0.0, -1.0, 0.0], LesionSite::Body);
        let lesion = Lesion { level, kind, place, radius_mm: 14.0, site };
        let lesions = if bulge_mm > 0.0 { vec![lesion] } else { vec![] };
        let spec = Spec { lesions, slices: Some(2), size: [8, 8], ..small_ct() };
        let phantom = generate(&spec).unwrap();
        let vertebra = phantom.truth.vertebrae.iter().find(|v| v.level == level).unwrap();
        vertebra.measurements.clone()
    };
    let heights = |s: &BodySizes| [s.anterior_height_mm, s.middle_height_mm, s.posterior_height_mm];
    let whole = sizes(0.0);
    for bulge_mm in [2.0, 5.0, 9.0] {
        let broken = sizes(bulge_mm);
        assert_eq!(heights(&broken), heights(&whole), "{bulge_mm}");
        let deeper = broken.middle_depth_mm - whole.middle_depth_mm;
        assert!((deeper - bulge_mm).abs() < 0.35 * bulge_mm, "{bulge_mm}: {deeper}");
    }
}

#[test]
fn built_in_specs_can_be_made_and_carry_their_names() {
    for (name, _) in Spec::BUILT_IN {
        let spec = Spec::built_in(name).unwrap();
        assert_eq!(spec.name, name);
        assert!(skeleton::Skeleton::new(&spec).is_ok(), "{name}");
    }
    assert!(Spec::built_in("knee").is_none());
}

#[test]
fn a_spec_file_replaces_fields_of_its_base_and_refuses_unknown_ones() {
    let spec = Spec::parse(r#"{"base": "ct_lumbar", "noise": 20.0, "lesions": []}"#).unwrap();
    assert_eq!(spec, Spec { noise: 20.0, lesions: vec![], ..Spec::ct_lumbar() });
    let text = serde_json::to_string(&Spec::mr_t1_lumbar()).unwrap();
    assert_eq!(Spec::parse(&text).unwrap(), Spec::mr_t1_lumbar());
    let fails = |text: &str| Spec::parse(text).unwrap_err().to_string();
    assert!(fails(r#"{"base": "ct_lumbar", "nois": 20.0}"#).contains("nois"));
    assert!(fails(r#"{"base": "knee"}"#).contains("knee"));
    assert!(fails(r#"{"name": "x"}"#).contains("seed"));
}
