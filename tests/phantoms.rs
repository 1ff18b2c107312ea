//! Phantoms as files: what is written, our own reader reads back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use osteoflag::anatomy::{ArchPart, ArchRegion};
use osteoflag::phantom::{
    InstanceOrder, LookAlike, LookAlikeKind, Modality, ObjectKind, Phantom, Plane, Pose, Spec,
    Surrounding,
};
use osteoflag::problem::ProblemCode;
use osteoflag::terms::Level;
use osteoflag::volume::{Image, LoadLimits, MrVoxels, load};
use osteoflag::{discover, phantom, series};

/// A quick series of two levels.
fn small(modality: Modality) -> Spec {
    let base = if modality == Modality::Ct { Spec::ct_lumbar() } else { Spec::mr_t1_lumbar() };
    Spec {
        modality,
        plane: Plane::Axial,
        levels: vec![Level::L2, Level::L3],
        size: [40, 36],
        pixel_spacing_mm: 3.0,
        slice_thickness_mm: 6.0,
        slice_spacing_mm: 9.0,
        slices: Some(8),
        lesions: vec![],
        ..base
    }
}

fn read_back(made: &Phantom) -> Image {
    let folder = tempfile::tempdir().unwrap();
    phantom::write(made, folder.path()).unwrap();
    let files = discover::discover(folder.path()).unwrap().files;
    let intake = series::read(&files, &|_| {});
    assert_eq!(intake.studies.len(), 1);
    assert_eq!(intake.studies[0].series.len(), 1);
    let series = intake.studies[0].series[0].clone();
    load(&series, &LoadLimits { max_bytes: 1 << 30 }).unwrap().image
}

/// The same place gives the same value in memory and from the files.
fn assert_same(made: &Phantom, read: &Image) {
    let value = |image: &Image, at: usize| match image {
        Image::Ct(volume) => f64::from(volume.voxels[at]),
        Image::Mr { voxels: MrVoxels::Unsigned(v), slope, intercept, .. } => {
            f64::from(v[at]) * f64::from(*slope) + f64::from(*intercept)
        }
        Image::Mr { .. } => panic!("phantoms store unsigned values"),
    };
    let grid = read.grid();
    assert_eq!(grid.len(), made.grid.len());
    for k in 0..grid.nk() {
        for j in 0..grid.nj() {
            for i in 0..grid.ni() {
                let voxel = osteoflag::geometry::VoxelIndex { i, j, k };
                let there = made.grid.nearest(grid.voxel_to_lps(voxel)).unwrap();
                assert!(
                    made.grid.voxel_to_lps(there).distance(grid.voxel_to_lps(voxel)) < 1e-3,
                    "{voxel:?}"
                );
                let expected = f64::from(made.voxels[made.grid.offset(there)]);
                assert!((value(read, grid.offset(voxel)) - expected).abs() < 0.01);
            }
        }
    }
}

#[test]
fn every_pose_and_order_reads_back_at_its_place() {
    for (pose, order) in [
        (Pose::Hfs, InstanceOrder::AlongNormal),
        (Pose::Hfp, InstanceOrder::AgainstNormal),
        (Pose::Hfdl, InstanceOrder::AlongNormal),
        (Pose::Hfdr, InstanceOrder::AgainstNormal),
        (Pose::Ffp, InstanceOrder::AgainstNormal),
    ] {
        let made = phantom::generate(&Spec { pose, order, ..small(Modality::Ct) }).unwrap();
        assert_same(&made, &read_back(&made));
    }
}

#[test]
fn enhanced_objects_read_back_as_classic_ones_do() {
    for modality in [Modality::Ct, Modality::MrT1, Modality::MrStir] {
        let spec = Spec { objects: ObjectKind::Enhanced, ..small(modality) };
        let made = phantom::generate(&spec).unwrap();
        assert_same(&made, &read_back(&made));
    }
}

#[test]
fn coronal_and_sagittal_stacks_read_back() {
    for plane in [Plane::Coronal, Plane::Sagittal] {
        let made = phantom::generate(&Spec { plane, ..small(Modality::MrT2) }).unwrap();
        assert_same(&made, &read_back(&made));
    }
}

#[test]
fn a_case_of_a_population_is_the_same_for_the_same_seed_and_stays_in_its_spectrum() {
    for case in 1..200 {
        let spec = phantom::cohort_case(5, case);
        assert_eq!(spec, phantom::cohort_case(5, case));
        assert!(spec.marrow >= 15.0 && spec.scoliosis.cobb_deg.abs() <= 40.0);
        let touched = spec.lesions.len() + spec.look_alikes.len() + spec.deformities.len();
        assert!(2 * touched <= spec.levels.len(), "case {case}: {touched} of {:?}", spec.levels);
    }
    assert_ne!(phantom::cohort_case(5, 1), phantom::cohort_case(6, 1));
}

#[test]
fn a_patient_who_lies_turned_by_45_degrees_is_found_as_one_who_lies_straight() {
    let found = |turn_deg: f64| -> Vec<bool> {
        let spec = Spec { turn_deg, ..Spec::built_in("ct_lumbar_normal").unwrap() };
        let made = phantom::generate(&spec).unwrap();
        let Image::Ct(volume) = made.image() else { panic!("a CT phantom is CT") };
        let anatomy = osteoflag::anatomy::ct::find(&volume);
        made.truth
            .vertebrae
            .iter()
            // Of a body cut by more than half nothing is asked.
            .filter(|truth| truth.fraction_in_view >= 0.5)
            .map(|truth| {
                anatomy.vertebrae.iter().any(|v| v.centroid.distance(truth.centroid_lps_mm) < 10.0)
            })
            .collect()
    };
    let straight = found(0.0);
    assert!(straight.len() >= 7 && straight.iter().all(|&hit| hit), "{straight:?}");
    for turn in [-45.0, 45.0] {
        assert_eq!(found(turn), straight, "turned by {turn} degrees");
    }
}

#[test]
fn a_spine_is_found_beside_a_sac_full_of_contrast_medium_and_the_medium_is_said() {
    let plain = Spec::built_in("ct_lumbar_normal").unwrap();
    let mut surroundings = plain.surroundings.clone();
    surroundings.insert(Surrounding::IntrathecalContrast);
    for (spec, medium) in [(Spec { surroundings, ..plain.clone() }, true), (plain, false)] {
        let made = phantom::generate(&spec).unwrap();
        let Image::Ct(volume) = made.image() else { panic!("a CT phantom is CT") };
        let anatomy = osteoflag::anatomy::ct::find(&volume);
        let whole = made.truth.vertebrae.iter().filter(|truth| truth.fraction_in_view >= 0.5);
        for truth in whole {
            assert!(
                anatomy.vertebrae.iter().any(|v| v.centroid.distance(truth.centroid_lps_mm) < 10.0),
                "{} with medium: {medium}",
                truth.level
            );
        }
        let said = anatomy.problems.iter().any(|p| p.code == ProblemCode::ContrastInCanal);
        assert_eq!(said, medium);
    }
}

#[test]
fn no_level_is_counted_from_one_anchor_over_a_vertebra_with_a_screw() {
    let plain = Spec::built_in("ct_lumbar_normal").unwrap();
    let screw = LookAlike {
        level: Level::L3,
        kind: LookAlikeKind::Screw,
        place: [0.5, -0.5, 0.2],
        radius_mm: 3.0,
    };
    let named = |look_alikes: Vec<LookAlike>| -> Vec<Option<Level>> {
        let made = phantom::generate(&Spec { look_alikes, ..plain.clone() }).unwrap();
        let Image::Ct(volume) = made.image() else { panic!("a CT phantom is CT") };
        let anatomy = osteoflag::anatomy::ct::find(&volume);
        let whole = &anatomy.vertebrae[..7];
        assert!(whole.iter().all(|v| v.level_candidates.len() > 1));
        whole.iter().map(|v| v.level).collect()
    };
    let (s1, l5, l4) = (Some(Level::S1), Some(Level::L5), Some(Level::L4));
    let above = [Level::L3, Level::L2, Level::L1, Level::T12].map(Some);
    assert_eq!(named(vec![]), [[s1, l5, l4].as_slice(), &above].concat());
    assert_eq!(named(vec![screw]), [s1, l5, l4, None, None, None, None]);
}

#[test]
fn every_vertebra_in_view_has_two_pedicles_beside_its_canal_and_an_arch_behind_it() {
    let made = phantom::generate(&Spec::built_in("ct_lumbar_normal").unwrap()).unwrap();
    let Image::Ct(volume) = made.image() else { panic!("a CT phantom is CT") };
    let anatomy = osteoflag::anatomy::ct::find(&volume);
    let (arches, canal) = (anatomy.arches.as_ref().unwrap(), anatomy.canal.as_ref().unwrap());
    let mut seen = 0;
    for truth in &made.truth.vertebrae {
        if truth.fraction_in_view < 0.99 || truth.level == Level::S1 {
            continue;
        }
        let found = anatomy
            .vertebrae
            .iter()
            .find(|v| v.centroid.distance(truth.centroid_lps_mm) < 10.0)
            .unwrap();
        let body = found.body.as_ref().unwrap().frame;
        let near = |part: ArchPart| {
            let of = |r: &&ArchRegion| r.vertebra == found.id && r.part == part;
            body.to_local(arches.regions.iter().find(of).unwrap().centroid)
        };
        let left = near(ArchPart::LeftPedicle);
        let right = near(ArchPart::RightPedicle);
        let rest = near(ArchPart::PosteriorElements);
        assert!(left.u > 8.0 && right.u < -8.0, "{}: {left:?} {right:?}", truth.level);
        assert!(
            (left.u + right.u).abs() < 3.0 && (left.s - right.s).abs() < 3.0,
            "{}",
            truth.level
        );
        assert!(left.s > 0.0 && rest.v < left.v - 10.0 && rest.s < left.s, "{}", truth.level);
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
    for section in &canal.sections {
        assert_eq!(arches.at(section.frame.origin), None, "bone in the canal's middle");
    }
}
