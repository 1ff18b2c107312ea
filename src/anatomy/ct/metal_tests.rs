use super::*;
use crate::anatomy::model::VertebraId;
use crate::geometry::LpsVector;
use crate::units::Share;
use crate::volume::Validity;

/// Soft tissue with three balls of marrow under cortex, 40 mm apart, in the middle of 120 mm.
fn spine(change: impl Fn(LpsPoint) -> Option<i16>) -> (Volume<i16>, Vec<Vertebra>) {
    let grid = Grid::new(
        [60, 60, 60],
        LpsPoint::new(-59.0, -59.0, -59.0),
        LpsVector::new(2.0, 0.0, 0.0),
        LpsVector::new(0.0, 2.0, 0.0),
        LpsVector::new(0.0, 0.0, 2.0),
    )
    .unwrap();
    let centres = [-40.0, 0.0, 40.0].map(|z| LpsPoint::new(0.0, 0.0, z));
    let voxels = (0..grid.len())
        .map(|n| {
            let p = place(&grid, n);
            let deep = centres.iter().map(|c| p.distance(*c)).fold(f64::INFINITY, f64::min);
            change(p).unwrap_or(if deep < 13.0 {
                180
            } else if deep < 15.0 {
                1300
            } else {
                50
            })
        })
        .collect();
    let vertebrae = centres
        .iter()
        .map(|&centroid| Vertebra {
            id: VertebraId(String::new()),
            level: None,
            level_candidates: Vec::new(),
            section_guess: None,
            centroid,
            fraction_in_view: Share::new(1.0),
            confidence: Share::new(0.9),
            body: None,
            disc_below: None,
            disc_above: None,
            problems: Vec::new(),
        })
        .collect();
    (Volume { grid, voxels, validity: Validity::default() }, vertebrae)
}

/// What is found, and which vertebrae it touches.
fn look(volume: &Volume<i16>, vertebrae: &[Vertebra]) -> (Option<Foreign>, Vec<bool>) {
    let (found, problems) = foreign(volume, vertebrae);
    let touched =
        problems.iter().map(|of| of.iter().any(|p| p.code == ProblemCode::MetalOrCement)).collect();
    (found, touched)
}

#[test]
fn bone_alone_is_neither_metal_nor_cement() {
    let (volume, vertebrae) = spine(|_| None);
    let (found, touched) = look(&volume, &vertebrae);
    assert!(found.is_none());
    assert_eq!(touched, [false; 3]);
}

#[test]
fn cement_in_one_body_is_told_and_only_there() {
    let middle = LpsPoint::new(2.0, 0.0, 0.0);
    let (volume, vertebrae) = spine(|p| (p.distance(middle) < 7.0).then_some(1900));
    let (found, touched) = look(&volume, &vertebrae);
    let found = found.unwrap();
    assert!(found.metal.is_none() && found.streaks.is_none());
    let mm3 = found.cement.unwrap().count() as f64 * 8.0;
    assert!((mm3 / 1437.0 - 1.0).abs() < 0.2, "{mm3} mm³");
    assert_eq!(touched, [false, true, false]);
}

#[test]
fn a_bone_island_is_no_cement() {
    let middle = LpsPoint::new(2.0, 0.0, 0.0);
    let (volume, vertebrae) = spine(|p| (p.distance(middle) < 6.0).then_some(1190));
    assert!(look(&volume, &vertebrae).0.is_none());
}

#[test]
fn a_screw_is_metal_with_streaks_in_its_slices_and_not_far_above() {
    let rod = |p: LpsPoint| {
        (p.z().abs() < 4.0 && p.x().abs() < 4.0 && p.y().abs() < 22.0).then_some(3071)
    };
    let (volume, vertebrae) = spine(rod);
    let (found, touched) = look(&volume, &vertebrae);
    let found = found.unwrap();
    let (metal, streaks) = (found.metal.unwrap(), found.streaks.unwrap());
    let at = |x, y, z| {
        let index = volume.grid.nearest(LpsPoint::new(x, y, z)).unwrap();
        volume.grid.offset(index)
    };
    assert!(metal.get(at(1.0, 1.0, 1.0)) && !streaks.get(at(1.0, 1.0, 1.0)));
    assert!(streaks.get(at(15.0, 1.0, 1.0)), "beside the screw in its slice");
    assert!(!streaks.get(at(1.0, 1.0, 15.0)), "15 mm above it");
    assert!(found.cement.is_none());
    assert_eq!(touched, [false, true, false]);
}

#[test]
fn a_saturated_voxel_below_the_metal_limit_counts_where_the_scan_ends_there() {
    let rod = |p: LpsPoint| {
        (p.z().abs() < 4.0 && p.x().abs() < 4.0 && p.y().abs() < 22.0).then_some(2200)
    };
    let (mut volume, vertebrae) = spine(rod);
    assert!(look(&volume, &vertebrae).0.is_none_or(|found| found.metal.is_none()));
    let voxels = std::mem::take(&mut volume.voxels);
    volume.validity.saturated =
        Some(BitMask::from_fn([60, 60, 60], |i, j, k| voxels[(k * 60 + j) * 60 + i] == 2200));
    volume.voxels = voxels;
    assert!(look(&volume, &vertebrae).0.unwrap().metal.is_some());
}

#[test]
fn a_single_bright_voxel_is_no_metal() {
    let (mut volume, vertebrae) = spine(|_| None);
    volume.voxels[1234] = 3071;
    assert!(look(&volume, &vertebrae).0.is_none());
}
