//! Vertebrae of simple shapes whose truth is known, and what may be wrong with masks.

use std::collections::BTreeMap;

use super::*;
use crate::geometry::VoxelIndex;

/// Half sizes of the body, mm: forward, to the side, upward.
const BODY: (f64, f64, f64) = (15.0, 21.0, 13.0);
/// From one body to the next, mm.
const PITCH: f64 = 34.0;

/// A vertebra with its body's centre at the origin: an elliptic body, a ring behind it round an
/// elliptic canal, a spinous process. 1 body, 2 the rest, 0 outside. `v` forward, `u` left.
fn part(s: f64, v: f64, u: f64) -> u8 {
    let (depth, width, height) = BODY;
    let body = (v / depth).powi(2) + (u / width).powi(2) <= 1.0 && s.abs() <= height;
    // The canal is 18 mm deep and 22 mm wide, its front 1 mm behind the body.
    let middle = -depth - 10.0;
    let at = |a: f64, b: f64| ((v - middle) / a).powi(2) + (u / b).powi(2);
    let ring = at(9.0, 11.0) > 1.0 && at(14.0, 16.0) <= 1.0 && (0.0..=11.0).contains(&s);
    let spinous =
        u.abs() <= 4.0 && (-70.0..=middle - 9.0).contains(&v) && (-8.0..=4.0).contains(&s);
    if body { 1 } else { u8::from(ring || spinous) * 2 }
}

/// Voxels of 1 x 1 x 2 mm in which `count` vertebrae stand, the lowest at z = 0, the column
/// leaning to the left by `lean` (tangent). `label` gives the label of vertebra n and part.
fn masks(
    count: usize,
    lean: f64,
    low_z: f64,
    slices: usize,
    label: impl Fn(usize, u8) -> u16,
) -> (Grid, Vec<u16>) {
    let grid = Grid::new(
        [90, 110, slices],
        LpsPoint::new(-45.0, -25.0, low_z),
        LpsVector::new(1.0, 0.0, 0.0),
        LpsVector::new(0.0, 1.0, 0.0),
        LpsVector::new(0.0, 0.0, 2.0),
    )
    .unwrap();
    let mut labels = vec![0; grid.len()];
    for k in 0..slices {
        for j in 0..110 {
            for i in 0..90 {
                let index = VoxelIndex { i, j, k };
                let p = grid.voxel_to_lps(index);
                for n in 0..count {
                    let s = p.z() - PITCH * n as f64;
                    let found = part(s, -p.y(), p.x() - lean * p.z());
                    if found > 0 {
                        labels[grid.offset(index)] = label(n, found);
                    }
                }
            }
        }
    }
    (grid, labels)
}

fn layer(labels: Vec<u16>, numbering: MaskLabels) -> Layer {
    let mut used: Vec<u16> = labels.iter().copied().filter(|&l| l > 0).collect();
    used.sort_unstable();
    used.dedup();
    Layer { meaning: meaning(&used, &BTreeMap::new(), "", Some(numbering)).unwrap(), labels }
}

/// Dice of the fitted surface of a vertebra and its true body.
fn dice(grid: &Grid, vertebra: &Vertebra, truth: impl Fn(LpsPoint) -> bool) -> f64 {
    let body = vertebra.body.as_ref().unwrap();
    let (mask, ..) = body.surface.rasterise(&body.frame, grid).unwrap();
    let (mut both, mut of_truth) = (0u64, 0u64);
    for k in 0..grid.nk() {
        for j in 0..grid.nj() {
            for i in 0..grid.ni() {
                let index = VoxelIndex { i, j, k };
                if truth(grid.voxel_to_lps(index)) {
                    of_truth += 1;
                    both += u64::from(mask.get(grid.offset(index)));
                }
            }
        }
    }
    2.0 * both as f64 / (of_truth + mask.count()) as f64
}

#[test]
fn bodies_are_told_from_arches_with_their_levels_on_straight_and_leaning_spines() {
    for lean in [0.0, 0.25] {
        // VerSe: L4, L3, L2 from below.
        let (grid, labels) = masks(3, lean, -30.0, 65, |n, _| 23 - n as u16);
        let spine = masked_spine(&grid, &[layer(labels, MaskLabels::Verse)]).unwrap();
        let levels: Vec<_> = spine.vertebrae.iter().map(|v| v.level.unwrap()).collect();
        assert_eq!(levels, [Level::L4, Level::L3, Level::L2]);
        for (n, vertebra) in spine.vertebrae.iter().enumerate() {
            let z = PITCH * n as f64;
            let true_centre = LpsPoint::new(lean * z, 0.0, z);
            let away = vertebra.centroid.distance(true_centre);
            assert!(away < 1.5, "lean {lean}: {away:.2} mm from the true centre");
            assert!(vertebra.fraction_in_view.get() == 1.0);
            let found =
                dice(&grid, vertebra, |p| part(p.z() - z, -p.y(), p.x() - lean * p.z()) == 1);
            assert!(found > 0.93, "lean {lean}: Dice {found:.3}");
            let height = {
                let surface = &vertebra.body.as_ref().unwrap().surface;
                surface.upper.height(0.0, 0.0) - surface.lower.height(0.0, 0.0)
            };
            // A sheared body is as high as before along z, and leaning shortens it across.
            assert!((height - 2.0 * BODY.2).abs() < 1.5, "lean {lean}: {height:.2} mm high");
        }
        assert!(spine.vertebrae[0].disc_above.is_some(), "8 mm between the bodies");
        let canal = spine.canal.unwrap();
        let section = canal
            .sections
            .iter()
            .min_by(|a, b| {
                let away = |s: &CanalSection| s.frame.origin.z().abs();
                away(a).total_cmp(&away(b))
            })
            .unwrap();
        assert!((section.frame.origin.y() - 25.0).abs() < 1.5, "the middle of the canal");
        assert!((section.anterior.mm() - 10.0).abs() < 2.0, "{}", section.anterior.mm());
    }
}

#[test]
fn a_subregion_map_beside_the_vertebra_map_tells_the_body_itself() {
    let (grid, vertebrae) = masks(2, 0.0, -30.0, 50, |n, _| 23 - n as u16);
    let (_, parts) = masks(2, 0.0, -30.0, 50, |_, part| if part == 1 { 50 } else { 41 });
    let layers = [layer(parts.clone(), MaskLabels::Spineps), layer(vertebrae, MaskLabels::Spineps)];
    let spine = masked_spine(&grid, &layers).unwrap();
    assert_eq!(spine.vertebrae.len(), 2);
    assert!(spine.vertebrae[0].centroid.distance(LpsPoint::new(0.0, 0.0, 0.0)) < 0.6);
    let alone = masked_spine(&grid, &[layer(parts, MaskLabels::Spineps)]);
    assert!(matches!(alone, Err(SpineMaskError::NoVertebrae)));
}

#[test]
fn masks_of_bodies_alone_are_taken_as_they_are() {
    let (grid, labels) =
        masks(2, 0.0, -30.0, 50, |n, part| if part == 1 { n as u16 + 5 } else { 0 });
    let spine = masked_spine(&grid, &[layer(labels, MaskLabels::Count)]).unwrap();
    assert_eq!(spine.labels, [VertebraLabel::Number(5), VertebraLabel::Number(6)]);
    assert!(spine.canal.is_none(), "bodies show no canal");
    for (n, vertebra) in spine.vertebrae.iter().enumerate() {
        assert_eq!(vertebra.level, None);
        assert!(
            dice(&grid, vertebra, |p| part(p.z() - PITCH * n as f64, -p.y(), p.x()) == 1) > 0.95
        );
    }
}

#[test]
fn a_body_cut_by_the_field_says_how_much_of_it_is_seen() {
    // The field begins in the middle of the lowest body.
    let (grid, labels) = masks(3, 0.0, 0.0, 50, |n, _| 23 - n as u16);
    let spine = masked_spine(&grid, &[layer(labels, MaskLabels::Verse)]).unwrap();
    let share = spine.vertebrae[0].fraction_in_view.get();
    assert!((share - 0.5).abs() < 0.08, "{share}");
    let codes: Vec<_> = spine.vertebrae[0].problems.iter().map(|p| p.code).collect();
    assert!(codes.contains(&ProblemCode::VertebraCutByField));
    let surface = &spine.vertebrae[0].body.as_ref().unwrap().surface;
    let low = surface.in_view_s.0 + spine.vertebrae[0].centroid.z();
    assert!(low.abs() <= 1.5, "nothing below the field may be measured: {low}");
    assert!(spine.vertebrae[1].fraction_in_view.get() == 1.0);
}

#[test]
fn a_bit_of_a_neighbour_with_a_label_of_its_own_is_no_vertebra() {
    let (grid, mut labels) = masks(2, 0.0, -30.0, 65, |n, _| 23 - n as u16);
    // A peg of 10 x 10 x 14 mm above the upper body, where the next body would begin.
    for k in 40..47 {
        for j in 15..25 {
            for i in 40..50 {
                labels[grid.offset(VoxelIndex { i, j, k })] = 21;
            }
        }
    }
    let spine = masked_spine(&grid, &[layer(labels, MaskLabels::Verse)]).unwrap();
    assert_eq!(spine.vertebrae.len(), 2);
    assert!(spine.problems.iter().any(|p| p.sentence.contains("L2")), "{:?}", spine.problems);
}

#[test]
fn levels_that_run_the_wrong_way_are_refused() {
    // L2, L3, L4 from below: what VerSe numbers would be in a mask that counts upward.
    let (grid, labels) = masks(3, 0.0, -30.0, 65, |n, _| 21 + n as u16);
    let error = masked_spine(&grid, &[layer(labels, MaskLabels::Verse)]).unwrap_err();
    assert_eq!(error, SpineMaskError::LevelsOutOfOrder { lower: Level::L2, upper: Level::L3 });
    assert!(error.to_string().contains("L2 lies below L3") && !error.hint().is_empty());
}

#[test]
fn a_neck_of_lumbar_size_keeps_its_bodies_and_loses_its_levels() {
    let (grid, labels) = masks(3, 0.0, -30.0, 65, |n, _| 6 - n as u16);
    let spine = masked_spine(&grid, &[layer(labels, MaskLabels::Verse)]).unwrap();
    assert_eq!(spine.vertebrae.len(), 3);
    assert!(spine.vertebrae.iter().all(|v| v.level.is_none() && v.level_candidates.is_empty()));
    assert!(spine.problems.iter().any(|p| p.sentence.contains("none of their levels")));
}

#[test]
fn two_maps_that_contradict_each_other_are_refused() {
    let (grid, one) = masks(1, 0.0, -30.0, 30, |_, _| 22);
    let (_, other) = masks(1, 0.0, -30.0, 30, |_, _| 23);
    let layers = [layer(one, MaskLabels::Verse), layer(other, MaskLabels::Verse)];
    let error = masked_spine(&grid, &layers).unwrap_err();
    assert!(matches!(error, SpineMaskError::Contradiction { voxels, .. } if voxels > 1000));
}

#[test]
fn what_the_heuristic_sees_otherwise_is_a_limitation_with_numbers() {
    let (grid, labels) = masks(3, 0.0, -30.0, 65, |n, _| 23 - n as u16);
    let layers = [layer(labels, MaskLabels::Verse)];
    let spine = masked_spine(&grid, &layers).unwrap();
    let mut seen = Anatomy::empty(Provider::Heuristic);
    seen.vertebrae = spine.vertebrae.clone();
    assert_eq!(compare(&seen, &spine.vertebrae).problem(), None, "both agree");
    // One vertebra fewer, one elsewhere, one with another level, one 7 mm away.
    seen.vertebrae[0].level = Some(Level::L5);
    seen.vertebrae[1].centroid = spine.vertebrae[1].centroid + LpsVector::HEAD * 7.0;
    seen.vertebrae[2].centroid = spine.vertebrae[2].centroid + LpsVector::HEAD * 40.0;
    let anatomy = anatomy(&grid, &layers, "verse numbering", seen).unwrap();
    assert_eq!(anatomy.provider, Provider::Imported);
    let of = |code| anatomy.problems.iter().find(|p| p.code == code).unwrap();
    let differ = of(ProblemCode::MasksDisagreeWithImage);
    let number = |name: &str| differ.numbers[name];
    assert_eq!(number("shared_vertebrae"), 2.0);
    assert_eq!(number("only_in_masks"), 1.0);
    assert_eq!(number("only_in_image"), 1.0);
    assert_eq!(number("largest_distance_mm"), 7.0);
    assert!(differ.sentence.contains("v1 (L4 in the masks, L5 in the image)"), "{differ:?}");
    assert_eq!(differ.severity, Severity::Warning, "only warnings reach the findings");
    assert!(of(ProblemCode::AnatomyFromMasks).sentence.contains("verse numbering"));
}
