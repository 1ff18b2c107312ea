//! Every kind of lesion and look-alike that a spec can name changes the voxels where its truth
//! says, the right way, and nothing far from there.

use super::*;

/// A body of few voxels in the middle of the field.
fn place(modality: Modality) -> Spec {
    let base = if modality.is_ct() { Spec::ct_lumbar() } else { Spec::mr_t1_lumbar() };
    Spec {
        name: "kinds".to_owned(),
        modality,
        plane: Plane::Axial,
        levels: vec![Level::L3],
        size: [44, 44],
        pixel_spacing_mm: 2.4,
        slice_thickness_mm: 3.0,
        slice_spacing_mm: 3.0,
        slices: None,
        in_plane_fwhm_mm: 2.0,
        noise: 0.0,
        turn_deg: 0.0,
        tilt_deg: 0.0,
        lesions: vec![],
        ..base
    }
}

/// How the voxels of two phantoms of one grid differ: mean within 5 mm of a place, greatest change
/// (as a size) farther than 45 mm from it, and voxels changed by more than a tenth of the marrow.
struct Change {
    near: f64,
    far: f64,
    voxels: usize,
}

fn change(before: &Phantom, after: &Phantom, at: LpsPoint, marrow: f64) -> Change {
    let grid = &after.grid;
    let (mut sum, mut count, mut far, mut voxels) = (0.0, 0.0, 0.0f64, 0);
    for k in 0..grid.nk() {
        for j in 0..grid.nj() {
            for i in 0..grid.ni() {
                let voxel = VoxelIndex { i, j, k };
                let offset = grid.offset(voxel);
                let change = f64::from(after.voxels[offset]) - f64::from(before.voxels[offset]);
                let distance = grid.voxel_to_lps(voxel).distance(at);
                if distance < 5.0 {
                    sum += change;
                    count += 1.0;
                }
                if distance > 45.0 {
                    far = far.max(change.abs());
                }
                voxels += usize::from(change.abs() > 0.1 * marrow);
            }
        }
    }
    Change { near: sum / f64::max(count, 1.0), far, voxels }
}

#[test]
fn every_lesion_changes_its_place_the_right_way_and_nothing_far_away() {
    use LesionKind as Kind;
    // Kind, centre, modality, sign of the change at its centroid.
    let cases = [
        (Kind::Sclerotic { contrast_hu: 200.0 }, Modality::Ct, 1.0),
        (Kind::Lytic { tissue_hu: 50.0 }, Modality::Ct, -1.0),
        (Kind::Mixed { contrast_hu: 400.0, tissue_hu: 50.0 }, Modality::Ct, 1.0),
        (Kind::PosteriorWallBreach { bulge_mm: 5.0, gap_mm: 12.0 }, Modality::Ct, -1.0),
        (Kind::PosteriorWallBreach { bulge_mm: 0.0, gap_mm: 12.0 }, Modality::Ct, -1.0),
        (Kind::PosteriorWallBreach { bulge_mm: 5.0, gap_mm: 0.0 }, Modality::Ct, 0.0),
        (Kind::EpiduralMass { thickness_mm: 7.0 }, Modality::Ct, 0.0),
        (Kind::ParavertebralMass { thickness_mm: 14.0 }, Modality::Ct, 0.0),
        (Kind::T1Replacement { signal_share: 0.4 }, Modality::MrT1, -1.0),
        (Kind::T1Replacement { signal_share: 0.4 }, Modality::MrStir, 1.0),
        (Kind::T1Replacement { signal_share: 0.4 }, Modality::MrOpposedPhase, 1.0),
        (Kind::Oedema { water_share: 0.6 }, Modality::MrT1, -1.0),
        (Kind::Oedema { water_share: 0.6 }, Modality::MrStir, 1.0),
    ];
    for (kind, modality, sign) in cases {
        assert!(kind.shown_on(modality));
        let site = LesionSite::Body;
        let at_wall = matches!(kind, Kind::PosteriorWallBreach { .. } | Kind::EpiduralMass { .. });
        let beside = matches!(kind, Kind::ParavertebralMass { .. });
        let centre =
            if at_wall { [0.0, -1.0, 0.0] } else { [f64::from(u8::from(beside)), 0.1, 0.1] };
        let lesion = Lesion { level: Level::L3, kind, place: centre, radius_mm: 11.0, site };
        let spec = place(modality);
        let before = generate(&spec).unwrap();
        let after = generate(&Spec { lesions: vec![lesion], ..spec.clone() }).unwrap();
        let truth = &after.truth.lesions[0];
        let seen = change(&before, &after, truth.centroid_lps_mm, spec.marrow);
        let what = format!("{} on {modality:?}: {:.0} near", truth.kind, seen.near);
        assert_eq!(truth.feature, kind.feature(modality));
        assert!(seen.near * sign >= 0.1 * spec.marrow * sign.abs(), "{what}");
        assert!(seen.far < 0.02 * spec.marrow, "{what}, {} far away", seen.far);
        assert!(seen.voxels >= 8, "{what}, {} voxels", seen.voxels);
        assert!(truth.volume_mm3 > 50.0, "{what}, {} mm³", truth.volume_mm3);
    }
}

#[test]
fn lesions_of_pedicle_lamina_and_process_lie_there() {
    let mut centres = Vec::new();
    for site in [LesionSite::Pedicle, LesionSite::Lamina, LesionSite::SpinousProcess] {
        let kind = LesionKind::Lytic { tissue_hu: 50.0 };
        let lesion =
            Lesion { level: Level::L3, kind, place: [1.0, 0.0, 0.0], radius_mm: 7.0, site };
        let spec = Spec { slices: Some(2), ..place(Modality::Ct) };
        let made = generate(&Spec { lesions: vec![lesion], ..spec }).unwrap();
        let truth = made.truth.lesions[0].clone();
        assert!(truth.share_in_body < 0.5 && truth.volume_mm3 > 100.0, "{truth:?}");
        centres.push(truth.centroid_lps_mm);
    }
    // Ever farther back, and the process in the midline.
    assert!(centres[0].y() < centres[1].y() && centres[1].y() < centres[2].y());
    assert!(centres[2].x() < centres[1].x() && centres[2].x() < centres[0].x());
}

#[test]
fn every_look_alike_changes_the_voxels_about_it_and_nothing_far_away() {
    use LookAlikeKind as Kind;
    // Kind, modality, sign of the mean change within 5 mm of its place; 0 where it lies elsewhere.
    let cases = [
        (Kind::BoneIsland, Modality::Ct, 1.0),
        (Kind::Haemangioma, Modality::Ct, -1.0),
        (Kind::Osteophyte, Modality::Ct, 0.0),
        (Kind::EndplateSclerosis, Modality::Ct, 0.0),
        (Kind::FacetSclerosis, Modality::Ct, 0.0),
        (Kind::SchmorlNode, Modality::Ct, 0.0),
        (Kind::BasivertebralVein, Modality::Ct, 0.0),
        (Kind::Cement, Modality::Ct, 1.0),
        (Kind::Screw, Modality::Ct, 0.0),
        (Kind::ModicThree, Modality::Ct, 0.0),
        (Kind::ModicOne, Modality::MrT1, 0.0),
        (Kind::ModicOne, Modality::MrStir, 0.0),
        (Kind::ModicTwo, Modality::MrT1, 0.0),
        (Kind::ModicThree, Modality::MrT1, 0.0),
        (Kind::FocalFat, Modality::MrT1, 1.0),
        (Kind::FocalFat, Modality::MrStir, -1.0),
        (Kind::RedMarrow, Modality::MrT1, -1.0),
        (Kind::RedMarrow, Modality::MrStir, 1.0),
        (Kind::Haemangioma, Modality::MrT1, 1.0),
    ];
    for (kind, modality, sign) in cases {
        let alike = LookAlike { level: Level::L3, kind, place: [0.1, 0.1, 0.0], radius_mm: 8.0 };
        let spec = place(modality);
        let before = generate(&spec).unwrap();
        let after = generate(&Spec { look_alikes: vec![alike], ..spec.clone() }).unwrap();
        let truth = &after.truth.look_alikes[0];
        assert_eq!((truth.kind.as_str(), after.truth.lesions.len()), (kind.name(), 0));
        let seen = change(&before, &after, truth.centroid_lps_mm, spec.marrow);
        let what = format!("{} on {modality:?}: {:.0} near", truth.kind, seen.near);
        assert!(seen.near * sign >= 0.04 * spec.marrow * sign.abs(), "{what}");
        assert!(seen.voxels >= 4, "{what}, {} voxels", seen.voxels);
        // A screw's head stands behind the arch.
        let reach_is_short = kind != Kind::Screw;
        assert!(!reach_is_short || seen.far < 0.02 * spec.marrow, "{what}, {} far", seen.far);
    }
}
