//! Left-right symmetry of bone about a line: what tells a spine from a hip, a rib or a heart.
//!
//! # Method
//! Correlation of bone likeness with its mirror image, left against right, in a box 26 mm to
//! either side, 40 mm behind to 14 mm ahead of the line (no further: a contrast-filled aorta
//! breaks symmetry), over turns of the frame, shifts of the mirror plane and then, at the best
//! turn, over rolls of the section (a spine that leans to the side is cut obliquely by sections
//! across a line that follows only part of the lean). True spines have a median of 0.74 to 0.89
//! along the path, the best wrong paths 0.08 to 0.61.

use multiversion::multiversion;
use rayon::prelude::*;

use super::centre_line::{rolled, turned};
use super::coarse::{Coarse, OUTSIDE};
use crate::geometry::{ContinuousIndex, Frame, LocalPoint};
use crate::kernels::{
    Boundary, Samples, gaussian_profile, gaussian_profile_in_view, interpolate, median_profile,
};

/// Turns that are tried, degrees.
const TURNS_DEGREES: [f64; 9] = [-24.0, -18.0, -12.0, -6.0, 0.0, 6.0, 12.0, 18.0, 24.0];
/// Rolls that are tried at the best turn, degrees.
const ROLLS_DEGREES: [f64; 5] = [0.0, -18.0, -9.0, 9.0, 18.0];
/// Shifts of the mirror plane that are tried, in steps of 2 mm.
const SHIFTS: [isize; 7] = [-3, -2, -1, 0, 1, 2, 3];
/// Step of the sampled planes, mm.
const STEP_MM: f64 = 2.0;
/// Half width of the compared box, steps.
const HALF_WIDTH: usize = 13;
/// Columns sampled to either side of the line, steps (half width plus shifts, and a margin).
const COLUMNS: usize = 17;
/// Rows from 40 mm behind to 14 mm ahead, steps.
const ROWS: usize = 28;
const FIRST_ROW_MM: f64 = -40.0;
/// Pairs that must be in view, as a share of the box.
const MIN_PAIRS: f64 = 0.3;

/// Symmetry for each point of a line.
pub struct Symmetry {
    /// Best mirror correlation, -1 to 1.
    pub correlation: Vec<f64>,
    /// Turn of the frame that gives it, radians, forward towards left.
    pub turn: Vec<f64>,
    /// Shift of the mirror plane to the left, mm.
    pub shift_mm: Vec<f64>,
    /// Roll of the section that gives it, radians, up towards left.
    pub roll: Vec<f64>,
}

/// Symmetry of bone about a line of frames one millimetre apart.
pub fn symmetry(coarse: &Coarse, line: &[Frame]) -> Symmetry {
    let at: Vec<usize> = (0..line.len()).step_by(2).collect();
    let turns = smoothed_correlations(at.par_iter().map(|&s| {
        let frame = &line[s];
        TURNS_DEGREES
            .iter()
            .flat_map(|d| correlations(coarse, &turned(frame, d.to_radians())))
            .collect()
    }));
    let turn_cost = |c: usize| {
        let (t, s) = (TURNS_DEGREES[c / SHIFTS.len()] / 24.0, shift(c) / 6.0);
        // Between equally good choices the smaller correction.
        0.10 * t * t + 0.06 * s * s
    };
    let best: Vec<usize> = best_choices(&turns, turn_cost);
    let turn: Vec<f64> =
        best.iter().map(|&c| TURNS_DEGREES[c / SHIFTS.len()].to_radians()).collect();
    let rolls = smoothed_correlations(at.par_iter().zip(&turn).map(|(&s, &turn)| {
        let frame = turned(&line[s], turn);
        ROLLS_DEGREES
            .iter()
            .flat_map(|d| correlations(coarse, &rolled(&frame, d.to_radians())))
            .collect()
    }));
    let roll_cost = |c: usize| {
        let (r, s) = (ROLLS_DEGREES[c / SHIFTS.len()] / 18.0, shift(c) / 6.0);
        0.04 * r * r + 0.06 * s * s
    };
    let rolled: Vec<usize> = best_choices(&rolls, roll_cost);
    let roll: Vec<f64> =
        rolled.iter().map(|&c| ROLLS_DEGREES[c / SHIFTS.len()].to_radians()).collect();
    let shift_mm: Vec<f64> = rolled.iter().map(|&c| shift(c)).collect();
    // The correlation of the line as it is: a roll is a reason to refit, no proof.
    let correlation: Vec<f64> = best.iter().enumerate().map(|(n, &c)| turns[n][c]).collect();
    let places: Vec<f64> = at.iter().map(|&s| s as f64).collect();
    let fine = |values: &[f64], sigma: Option<f64>| -> Vec<f64> {
        let values = match sigma {
            Some(sigma) => gaussian_profile(&median_profile(values, 9), sigma, Boundary::Nearest),
            None => values.to_vec(),
        };
        (0..line.len()).map(|s| interpolate(s as f64, &places, &values)).collect()
    };
    Symmetry {
        correlation: fine(&correlation, None),
        turn: fine(&turn, Some(8.0)),
        shift_mm: fine(&shift_mm, Some(4.0)),
        roll: fine(&roll, Some(8.0)),
    }
}

/// Shift of a choice, mm.
const fn shift(choice: usize) -> f64 {
    SHIFTS[choice % SHIFTS.len()] as f64 * STEP_MM
}

/// Correlations `[section][choice]` smoothed along the line for each choice; -1 out of view.
fn smoothed_correlations(raw: impl IndexedParallelIterator<Item = Vec<f64>>) -> Vec<Vec<f64>> {
    let raw: Vec<Vec<f64>> = raw.collect();
    let choices = raw.first().map_or(0, Vec::len);
    let by_choice: Vec<Vec<f64>> = (0..choices)
        .into_par_iter()
        .map(|c| {
            let along: Vec<f64> = raw.iter().map(|r| r[c]).collect();
            gaussian_profile_in_view(&along, 6.0)
        })
        .collect();
    let value = |n: usize, c: usize| by_choice[c][n];
    (0..raw.len())
        .map(|n| {
            (0..choices).map(|c| if value(n, c).is_finite() { value(n, c) } else { -1.0 }).collect()
        })
        .collect()
}

/// The best choice of each section.
fn best_choices(correlations: &[Vec<f64>], cost: impl Fn(usize) -> f64) -> Vec<usize> {
    correlations
        .iter()
        .map(|of_choices| {
            let mut top = (f64::NEG_INFINITY, 0);
            for (c, value) in of_choices.iter().enumerate() {
                if value - cost(c) > top.0 {
                    top = (value - cost(c), c);
                }
            }
            top.1
        })
        .collect()
}

/// Mirror correlation of one cross section for every shift; NaN where too few pairs are in view.
fn correlations(coarse: &Coarse, frame: &Frame) -> Vec<f64> {
    let width = 2 * COLUMNS + 1;
    let samples = Samples {
        size: coarse.hu.size(),
        values: coarse.hu.data(),
        above: OUTSIDE,
        without: [None; 2],
    };
    let mut likeness = vec![0.0f32; ROWS * width];
    let first = LocalPoint { s: 0.0, v: FIRST_ROW_MM, u: -STEP_MM * COLUMNS as f64 };
    let first = coarse.grid.to_index(frame.to_lps(first));
    let ahead = coarse.grid.vector_to_index(frame.anterior * STEP_MM);
    let aside = coarse.grid.vector_to_index(frame.left * STEP_MM);
    for (row, line) in likeness.chunks_exact_mut(width).enumerate() {
        samples.fill(line, |column| {
            let (row, column) = (row as f64, column as f64);
            ContinuousIndex {
                i: first.i + row * ahead.i + column * aside.i,
                j: first.j + row * ahead.j + column * aside.j,
                k: first.k + row * ahead.k + column * aside.k,
            }
        });
        for value in line {
            *value = ((*value - 40.0) / 260.0).clamp(0.0, 1.0);
        }
    }
    mirror_correlations(&likeness, width).to_vec()
}

/// Shifts side by side, and one more that is not used.
const LANES: usize = SHIFTS.len() + 1;

/// Sums over pairs for the shifts side by side.
#[derive(Default)]
struct Pairs<T> {
    count: [T; LANES],
    sum: [T; LANES],
    squares: [T; LANES],
    products: [T; LANES],
}

/// The correlation of a section with its mirror image for each of [`SHIFTS`].
#[multiversion(targets("x86_64+avx2"))]
fn mirror_correlations(likeness: &[f32], width: usize) -> [f64; SHIFTS.len()] {
    let mut pairs = Pairs::<f64>::default();
    let first = COLUMNS.saturating_add_signed(SHIFTS[0]);
    for row in likeness.chunks_exact(width) {
        // Single precision is enough for the few pairs of a row.
        let mut of_row = Pairs::<f32>::default();
        for d in 0..=HALF_WIDTH {
            let (left, right) = (&row[first + d..], &row[first - d..]);
            let (Some(left), Some(right)) = (left.first_chunk(), right.first_chunk()) else {
                continue;
            };
            // The middle column is its own mirror image and counts once.
            of_row.add(left, right, if d == 0 { 1.0 } else { 2.0 });
        }
        pairs.add_row(&of_row);
    }
    std::array::from_fn(|n| {
        let count = pairs.count[n];
        if count <= MIN_PAIRS * (ROWS * (2 * HALF_WIDTH + 1)) as f64 {
            return f64::NAN;
        }
        let mean = pairs.sum[n] / count;
        (pairs.products[n] / count - mean * mean)
            / (pairs.squares[n] / count - mean * mean).max(1e-4)
    })
}

impl Pairs<f32> {
    #[allow(clippy::inline_always, reason = "becomes part of a loop compiled for AVX2")]
    #[inline(always)]
    fn add(&mut self, left: &[f32; LANES], right: &[f32; LANES], voxels: f32) {
        for lane in 0..LANES {
            // Without a branch: what is out of view adds nothing.
            let seen = !left[lane].is_nan() && !right[lane].is_nan();
            let l = if seen { left[lane] } else { 0.0 };
            let r = if seen { right[lane] } else { 0.0 };
            self.count[lane] += if seen { voxels } else { 0.0 };
            self.sum[lane] += 0.5 * voxels * (l + r);
            self.squares[lane] += 0.5 * voxels * (l * l + r * r);
            self.products[lane] += voxels * (l * r);
        }
    }
}

impl Pairs<f64> {
    #[allow(clippy::inline_always, reason = "becomes part of a loop compiled for AVX2")]
    #[inline(always)]
    fn add_row(&mut self, row: &Pairs<f32>) {
        for lane in 0..LANES {
            self.count[lane] += f64::from(row.count[lane]);
            self.sum[lane] += f64::from(row.sum[lane]);
            self.squares[lane] += f64::from(row.squares[lane]);
            self.products[lane] += f64::from(row.products[lane]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrored_section_correlates_wholly_and_a_one_sided_one_does_not() {
        let width = 2 * COLUMNS + 1;
        let mut even = vec![0.0f32; ROWS * width];
        let mut odd = even.clone();
        for row in 0..ROWS {
            for d in 5..9 {
                even[row * width + COLUMNS + d] = 1.0;
                even[row * width + COLUMNS - d] = 1.0;
                odd[row * width + COLUMNS + d] = 1.0;
            }
        }
        let unshifted = |likeness: &[f32]| mirror_correlations(likeness, width)[SHIFTS.len() / 2];
        assert!((unshifted(&even) - 1.0).abs() < 1e-9);
        assert!(unshifted(&odd) < 0.0);
        assert!(unshifted(&vec![f32::NAN; ROWS * width]).is_nan());
    }
}
