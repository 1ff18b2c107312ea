//! The whole search on made pictures: a plain row of boxes is no patient, but what is found there
//! must lie where it was put.

use super::*;
use crate::geometry::{Grid, LpsPoint, LpsVector};
use crate::volume::{MrVoxels, Validity};

/// Distance of bodies, mm.
const PITCH: f64 = 34.0;
/// Lowest body's centre, mm over the origin.
const FIRST: f64 = 30.0;

/// A hash that looks like noise, 0 to 1.
fn noise(n: usize) -> f32 {
    let mixed = (n as u64 ^ 0x9e37_79b9).wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((mixed >> 33) & 0xffff) as f32 / 65535.0
}

/// Signal at a place (mm left, mm behind, mm up) of a T1-like spine: fat behind, bodies 26 mm high
/// and 34 deep, discs between, a dark canal.
fn spine_signal(x: f64, y: f64, z: f64) -> f32 {
    let level = ((z - FIRST) / PITCH).round();
    let from_centre = (z - FIRST) - level * PITCH;
    let across = y - 80.0;
    let wide = x.abs() < 21.0;
    if y > 150.0 {
        return if y > 165.0 { 5.0 } else { 900.0 };
    }
    if wide && across.abs() < 17.0 {
        return if from_centre.abs() < 13.0 { 420.0 } else { 230.0 };
    }
    if x.abs() < 12.0 && (17.0..32.0).contains(&across) {
        return 130.0;
    }
    // Spinous processes and the fat between them keep the same rhythm.
    if x.abs() < 5.0 && (36.0..60.0).contains(&across) {
        return if (from_centre + 8.0).abs() < 9.0 { 400.0 } else { 700.0 };
    }
    if across > 17.0 { 240.0 } else { 170.0 }
}

fn sagittal(signal: impl Fn(f64, f64, f64) -> f32) -> Image {
    // 16 slices of 4 mm from left to right, rows to the feet.
    let size = [180, 250, 16];
    let grid = Grid::new(
        size,
        LpsPoint::new(30.0, 0.0, 249.0),
        LpsVector::new(0.0, 1.0, 0.0),
        LpsVector::new(0.0, 0.0, -1.0),
        LpsVector::new(-4.0, 0.0, 0.0),
    )
    .unwrap();
    let mut voxels = Vec::with_capacity(grid.len());
    for k in 0..size[2] {
        for j in 0..size[1] {
            for i in 0..size[0] {
                let value = signal(30.0 - 4.0 * k as f64, i as f64, 249.0 - j as f64);
                voxels.push(value + 20.0 * (noise(voxels.len()) - 0.5));
            }
        }
    }
    image(grid, voxels)
}

fn image(grid: Grid, voxels: Vec<f32>) -> Image {
    Image::Mr {
        grid,
        voxels: MrVoxels::Rescaled(voxels),
        slope: 1.0,
        intercept: 0.0,
        validity: Validity::default(),
    }
}

#[test]
fn bodies_are_found_where_they_were_put_and_counted_from_the_feet() {
    let anatomy = find(&sagittal(spine_signal));
    let centres: Vec<f64> = (0..7).map(|n| FIRST + PITCH * f64::from(n)).collect();
    let found: Vec<f64> = anatomy.vertebrae.iter().map(|v| v.centroid.z()).collect();
    for z in &centres[1..6] {
        assert!(found.iter().any(|f| (f - z).abs() < 4.0), "nothing at {z}: {found:?}");
    }
    for (n, vertebra) in anatomy.vertebrae.iter().enumerate() {
        assert_eq!(vertebra.id.0, format!("v{}", n + 1));
        assert_eq!(vertebra.level, None);
        let c = vertebra.centroid;
        assert!((c.y() - 80.0).abs() < 5.0 && c.x().abs() < 8.0, "{c:?}");
        assert!(centres.iter().any(|z| (z - c.z()).abs() < 5.0), "a body where none is: {c:?}");
    }
    assert!(found.windows(2).all(|w| w[0] < w[1]));
    assert!(anatomy.problems.iter().any(|p| p.code == ProblemCode::NoLevelAnchor));
}

#[test]
fn a_body_is_cut_out_with_its_size_its_discs_and_the_canal_behind_it() {
    let anatomy = find(&sagittal(spine_signal));
    let z = FIRST + 3.0 * PITCH;
    let middle = anatomy.vertebrae.iter().find(|v| (v.centroid.z() - z).abs() < 5.0).unwrap();
    let surface = &middle.body.as_ref().unwrap().surface;
    let height = surface.upper.height(0.0, 0.0) - surface.lower.height(0.0, 0.0);
    assert!((height - 26.0).abs() < 3.0, "height {height}");
    let depth = surface.radius(0.0, 0.0) + surface.radius(0.0, std::f64::consts::PI);
    assert!((depth - 34.0).abs() < 4.0, "depth {depth}");
    let disc = middle.disc_above.unwrap();
    assert!((disc.frame.origin.z() - z - PITCH / 2.0).abs() < 3.0);
    let sections = &anatomy.canal.as_ref().unwrap().sections;
    // A place, not a measurement.
    assert!(sections.iter().all(|section| !section.followed));
    let near = sections.iter().find(|s| (s.frame.origin.z() - z).abs() < 1.0).unwrap();
    assert!((97.0..112.0).contains(&near.frame.origin.y()), "{:?}", near.frame.origin);
    let quotients = anatomy.tissue_quotients.unwrap();
    assert!((quotients.canal_over_body.unwrap() - 130.0 / 420.0).abs() < 0.1);
    assert!((quotients.disc_over_body.unwrap() - 230.0 / 420.0).abs() < 0.1);
    assert!(quotients.fat_over_muscle.unwrap() > 2.5);
}

#[test]
fn texture_without_rhythm_is_no_spine() {
    let anatomy = find(&sagittal(|x, y, z| {
        let blob = |a: f64, b: f64, r: f64| (y - a).hypot(z - b) < r && x.abs() < 25.0;
        if blob(60.0, 60.0, 35.0) || blob(110.0, 170.0, 50.0) { 500.0 } else { 200.0 }
    }));
    assert!(anatomy.vertebrae.is_empty());
    assert!(anatomy.problems.iter().any(|p| p.code == ProblemCode::SpineNotFound));
}

#[test]
fn odd_volumes_give_an_empty_anatomy_and_no_panic() {
    let unit = |s: f64| {
        [LpsVector::new(0.0, s, 0.0), LpsVector::new(0.0, 0.0, -s), LpsVector::new(s, 0.0, 0.0)]
    };
    for (size, step, value) in [
        ([1, 1, 1], 1.0, 7.0),
        ([80, 80, 4], 1.0, 0.0),
        ([80, 80, 4], 1.0, f32::NAN),
        ([70, 65, 3], 1.0, -5.0),
        ([70, 65, 3], 1.0, f32::INFINITY),
        ([5000, 2, 3], 0.01, 3.0),
        ([64, 64, 3], 1.0, 3.0),
    ] {
        let [i, j, k] = unit(step);
        let grid = Grid::new(size, LpsPoint::new(0.0, 0.0, 0.0), i, j, k).unwrap();
        let voxels = vec![value; grid.len()];
        let anatomy = find(&image(grid, voxels));
        assert!(anatomy.vertebrae.is_empty(), "{size:?} {value}");
        assert_eq!(anatomy.problems[0].code, ProblemCode::SpineNotFound);
    }
}
