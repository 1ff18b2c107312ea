//! Masks of vertebrae against true ones: Dice and surface distances.
//!
//! # Method
//! Labels are paired one to one by overlap, whatever their numbers, as many pairs as can be and of
//! these the greatest sum of Dice. A true label without a pair has Dice 0 and no distance. The
//! surface of a mask is its voxels with a face neighbour outside (the edge of the grid counts as
//! outside); distances go from voxel centre to voxel centre in LPS millimetres, so spacing and
//! tilt are in them. `average_mm` is the mean of the two directed means, `hausdorff_95_mm` the 95th
//! percentile of both directions together (as medpy).

use std::collections::BTreeMap;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assignment::assign;
use super::bootstrap::{Estimate, Resampler, quantile};
use super::nearest::Nearest;
use crate::geometry::{Grid, VoxelIndex};

/// Masks of one scan on one grid.
#[derive(Clone, Debug)]
pub struct MaskPair {
    /// The grid.
    pub grid: Grid,
    /// Labels of the result, `[k, j, i]`; 0 is none.
    pub found: Vec<u16>,
    /// Labels of the truth, on the same grid.
    pub expected: Vec<u16>,
}

/// A true label and what was found for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskScore {
    /// The label in the truth.
    pub label: u16,
    /// The label in the result; `null` where nothing overlaps.
    pub found_label: Option<u16>,
    /// Twice the shared voxels over the sum of both; 0 where nothing overlaps.
    pub dice: f64,
    /// Average surface distance, mm.
    pub average_mm: Option<f64>,
    /// 95th percentile of the surface distances, mm.
    pub hausdorff_95_mm: Option<f64>,
}

/// The masks of one scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanMasks {
    /// Each label of the truth.
    pub masks: Vec<MaskScore>,
    /// Labels of the result without a true one.
    pub false_labels: Vec<u16>,
}

/// The masks of all scans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskSummary {
    /// Scans with masks on both sides.
    pub scans: usize,
    /// Labels in the truth.
    pub expected: usize,
    /// Of these, with a mask that overlaps.
    pub paired: usize,
    /// Labels of the result without a true one.
    pub false_labels: usize,
    /// Mean Dice, 0 for those without a pair.
    pub mean_dice: Estimate,
    /// Mean Dice of the pairs alone.
    pub mean_dice_paired: Estimate,
    /// Mean of the average surface distances of the pairs, mm.
    pub mean_average_mm: Estimate,
    /// Mean of the 95th percentiles of the pairs, mm.
    pub mean_hausdorff_95_mm: Estimate,
}

/// Compares the masks of one scan.
pub fn score_masks(pair: &MaskPair) -> ScanMasks {
    let mut found: BTreeMap<u16, u64> = BTreeMap::new();
    let mut expected: BTreeMap<u16, u64> = BTreeMap::new();
    let mut shared: BTreeMap<(u16, u16), u64> = BTreeMap::new();
    for (&f, &t) in pair.found.iter().zip(&pair.expected) {
        if f != 0 {
            *found.entry(f).or_default() += 1;
        }
        if t != 0 {
            *expected.entry(t).or_default() += 1;
        }
        if f != 0 && t != 0 {
            *shared.entry((t, f)).or_default() += 1;
        }
    }
    let dice = |t: u16, f: u16| -> f64 {
        let both = shared.get(&(t, f)).copied().unwrap_or(0);
        2.0 * both as f64 / (expected[&t] + found[&f]) as f64
    };
    let found_labels: Vec<u16> = found.keys().copied().collect();
    let cost: Vec<Vec<f64>> = expected
        .keys()
        .map(|&t| {
            found_labels
                .iter()
                .map(|&f| Some(dice(t, f)).filter(|d| *d > 0.0).map_or(0.0, |d| -1.0 - d))
                .collect()
        })
        .collect();
    let given: Vec<(u16, Option<u16>)> = expected
        .keys()
        .zip(assign(&cost))
        .zip(&cost)
        .map(|((&t, given), row)| (t, given.filter(|&n| row[n] < 0.0).map(|n| found_labels[n])))
        .collect();
    let masks = given
        .par_iter()
        .map(|&(label, found_label)| {
            let distances = found_label.and_then(|f| {
                let (a, b) = (
                    surface(&pair.expected, label, &pair.grid),
                    surface(&pair.found, f, &pair.grid),
                );
                surface_distances(&a, &b)
            });
            MaskScore {
                label,
                found_label,
                dice: found_label.map_or(0.0, |f| dice(label, f)),
                average_mm: distances.map(|(average, _)| average),
                hausdorff_95_mm: distances.map(|(_, hausdorff)| hausdorff),
            }
        })
        .collect();
    let false_labels = found_labels
        .into_iter()
        .filter(|f| !given.iter().any(|(_, given)| *given == Some(*f)))
        .collect();
    ScanMasks { masks, false_labels }
}

/// Centres, LPS mm, of the voxels of a label with a face neighbour outside it.
fn surface(labels: &[u16], label: u16, grid: &Grid) -> Vec<[f64; 3]> {
    let [ni, nj, nk] = grid.size();
    let at = |i: usize, j: usize, k: usize| labels[(k * nj + j) * ni + i] == label;
    let mut points = Vec::new();
    for (offset, _) in labels.iter().enumerate().filter(|(_, value)| **value == label) {
        let (i, j, k) = (offset % ni, offset / ni % nj, offset / ni / nj);
        let inner = (1..ni.max(1) - 1).contains(&i)
            && (1..nj.max(1) - 1).contains(&j)
            && (1..nk.max(1) - 1).contains(&k)
            && at(i - 1, j, k)
            && at(i + 1, j, k)
            && at(i, j - 1, k)
            && at(i, j + 1, k)
            && at(i, j, k - 1)
            && at(i, j, k + 1);
        if !inner {
            points.push(grid.voxel_to_lps(VoxelIndex { i, j, k }).into());
        }
    }
    points
}

/// Average and 95th percentile of the distances between two surfaces.
fn surface_distances(a: &[[f64; 3]], b: &[[f64; 3]]) -> Option<(f64, f64)> {
    let directed = |from: &[[f64; 3]], to: &Nearest| -> Option<Vec<f64>> {
        from.iter().map(|&point| to.distance(point)).collect()
    };
    let to_b = directed(a, &Nearest::new(b.to_vec()))?;
    let to_a = directed(b, &Nearest::new(a.to_vec()))?;
    if to_a.is_empty() || to_b.is_empty() {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let average = f64::midpoint(mean(&to_a), mean(&to_b));
    let mut all = [to_a, to_b].concat();
    all.sort_by(f64::total_cmp);
    Some((average, quantile(&all, 0.95)?))
}

/// The masks of all scans, each with its patient.
pub fn summarise(scans: &[(usize, &ScanMasks)], resampler: &Resampler) -> MaskSummary {
    let rows: Vec<(usize, &MaskScore)> = scans
        .iter()
        .flat_map(|(patient, scan)| scan.masks.iter().map(|mask| (*patient, mask)))
        .collect();
    let mean = |value: fn(&MaskScore) -> Option<f64>| {
        let rows = &rows;
        resampler.estimate(move |times| {
            let (mut sum, mut count) = (0.0, 0_u32);
            for (patient, mask) in rows {
                if let Some(value) = value(mask) {
                    sum += f64::from(times[*patient]) * value;
                    count += times[*patient];
                }
            }
            (count > 0).then(|| sum / f64::from(count))
        })
    };
    MaskSummary {
        scans: scans.len(),
        expected: rows.len(),
        paired: rows.iter().filter(|(_, mask)| mask.found_label.is_some()).count(),
        false_labels: scans.iter().map(|(_, scan)| scan.false_labels.len()).sum(),
        mean_dice: mean(|mask| Some(mask.dice)),
        mean_dice_paired: mean(|mask| mask.found_label.map(|_| mask.dice)),
        mean_average_mm: mean(|mask| mask.average_mm),
        mean_hausdorff_95_mm: mean(|mask| mask.hausdorff_95_mm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{LpsPoint, LpsVector};
    use proptest::prelude::*;

    fn grid(size: [usize; 3], spacing: [f64; 3]) -> Grid {
        Grid::new(
            size,
            LpsPoint::new(-7.0, 3.0, 50.0),
            LpsVector::new(spacing[0], 0.0, 0.0),
            LpsVector::new(0.0, spacing[1], 0.0),
            LpsVector::new(0.0, 0.3, spacing[2]),
        )
        .unwrap()
    }

    /// A box of a label, corners inclusive.
    fn boxed(labels: &mut [u16], size: [usize; 3], low: [usize; 3], high: [usize; 3], label: u16) {
        for k in low[2]..=high[2] {
            for j in low[1]..=high[1] {
                for i in low[0]..=high[0] {
                    labels[(k * size[1] + j) * size[0] + i] = label;
                }
            }
        }
    }

    #[test]
    fn a_mask_shifted_along_thick_slices_is_as_far_off_as_the_slices_are_apart() {
        let size = [12, 12, 8];
        let grid = Grid::new(
            size,
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::new(0.5, 0.0, 0.0),
            LpsVector::new(0.0, 0.5, 0.0),
            LpsVector::new(0.0, 0.0, 4.0),
        )
        .unwrap();
        let (mut found, mut expected) = (vec![0; grid.len()], vec![0; grid.len()]);
        boxed(&mut expected, size, [2, 2, 2], [9, 9, 2], 7);
        boxed(&mut found, size, [2, 2, 3], [9, 9, 3], 1);
        let apart =
            MaskPair { grid: grid.clone(), found: found.clone(), expected: expected.clone() };
        let score = score_masks(&apart);
        assert_eq!((score.masks[0].dice, score.masks[0].found_label), (0.0, None));
        assert_eq!(score.false_labels, [1]);
        boxed(&mut found, size, [2, 2, 2], [9, 9, 3], 1);
        let score = score_masks(&MaskPair { grid, found, expected });
        let mask = &score.masks[0];
        assert_eq!((mask.label, mask.found_label), (7, Some(1)));
        assert!((mask.dice - 2.0 / 3.0).abs() < 1e-12);
        // From the truth 0 everywhere; to the truth half of the voxels 4 mm away.
        assert!((mask.average_mm.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(mask.hausdorff_95_mm, Some(4.0));
    }

    #[test]
    fn no_masks_at_all_and_a_missed_vertebra_are_counted_as_such() {
        let grid = grid([4, 4, 4], [1.0, 1.0, 2.0]);
        let nothing = MaskPair { found: vec![0; 64], expected: vec![0; 64], grid: grid.clone() };
        let none = score_masks(&nothing);
        assert!(none.masks.is_empty());
        let resampler = Resampler::new(1, 0, 1);
        assert_eq!(summarise(&[(0, &none)], &resampler).mean_dice.value, None);
        let missed = score_masks(&MaskPair { expected: vec![3; 64], ..nothing });
        let summary = summarise(&[(0, &missed)], &resampler);
        assert_eq!((summary.mean_dice.value, summary.mean_dice_paired.value), (Some(0.0), None));
        assert_eq!((summary.expected, summary.paired), (1, 0));
    }

    proptest! {
        /// Dice and distances by their definitions, over all pairs of voxels.
        #[test]
        fn agrees_with_all_pairs_of_surface_voxels(
            a in prop::collection::vec(any::<bool>(), 60), b in prop::collection::vec(any::<bool>(), 60)
        ) {
            let size = [5, 4, 3];
            let grid = grid(size, [0.7, 0.9, 3.0]);
            let labels = |mask: &[bool], label: u16| -> Vec<u16> {
                mask.iter().map(|&inside| if inside { label } else { 0 }).collect()
            };
            let pair = MaskPair { found: labels(&a, 2), expected: labels(&b, 5), grid };
            let score = score_masks(&pair);
            let border = |mask: &[bool]| -> Vec<[f64; 3]> {
                let inside = |i: i32, j: i32, k: i32| {
                    (0..5).contains(&i) && (0..4).contains(&j) && (0..3).contains(&k)
                        && mask[((k * 4 + j) * 5 + i) as usize]
                };
                let mut points = Vec::new();
                for k in 0..3 { for j in 0..4 { for i in 0..5 {
                    let full = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
                        .iter().all(|d| inside(i + d.0, j + d.1, k + d.2));
                    if inside(i, j, k) && !full {
                        let (i, j, k) = (f64::from(i), f64::from(j), f64::from(k));
                        points.push([0.7 * i, 0.9 * j + 0.3 * k, 3.0 * k]);
                    }
                }}}
                points
            };
            let both = a.iter().zip(&b).filter(|(a, b)| **a && **b).count();
            let sum = a.iter().chain(&b).filter(|inside| **inside).count();
            if both > 0 {
                let mask = &score.masks[0];
                prop_assert!((mask.dice - 2.0 * both as f64 / sum as f64).abs() < 1e-9);
                let (a, b) = (border(&a), border(&b));
                let near = |from: &[[f64; 3]], to: &[[f64; 3]]| -> Vec<f64> {
                    from.iter().map(|p| to.iter().map(|q| {
                        (0..3).map(|n| (p[n] - q[n]).powi(2)).sum::<f64>().sqrt()
                    }).fold(f64::INFINITY, f64::min)).collect()
                };
                let (ab, ba) = (near(&a, &b), near(&b, &a));
                let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
                prop_assert!((mask.average_mm.unwrap() - 0.5 * (mean(&ab) + mean(&ba))).abs() < 1e-9);
                let mut all = [ab, ba].concat();
                all.sort_by(f64::total_cmp);
                prop_assert!((mask.hausdorff_95_mm.unwrap() - quantile(&all, 0.95).unwrap()).abs() < 1e-9);
            }
        }
    }
}
