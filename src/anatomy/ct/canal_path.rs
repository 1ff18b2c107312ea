//! The canal as a path through the canal map: Viterbi from slice to slice, local and droppable.
//!
//! # Method
//! As in local sequence alignment the path may start and end anywhere; it maximises
//! `sum(S - 0.5) - 0.1·dx² - 0.015·dy²` (the spine slopes far more in the sagittal plane). With
//! the X-drop of BLAST a path that lost 2.0 since its best is dropped: without it the path runs
//! from the sacrum through marrow into the hip. The drop looks one way only, so both ways are
//! tried.

use multiversion::multiversion;

use super::coarse::Coarse;
use super::parameters::Parameters;
use crate::kernels::{Array3, uniform_profile};

/// Largest step between slices, voxels, to the side and to front or back.
const SIDE_REACH: isize = 2;
const FRONT_REACH: isize = 3;

/// A path through the coarse grid, from feet to head.
pub struct CanalPath {
    /// Voxels (i, j, k), one for each slice.
    pub voxels: Vec<[usize; 3]>,
    /// Sum of (canal likeness - 0.5) times mm.
    pub score: f64,
}

/// The best path through the map.
pub fn best_path(map: &Array3<f32>, spacing: f64, parameters: &Parameters) -> CanalPath {
    let costs = Costs {
        neutral: parameters.neutral_likeness as f32,
        side: parameters.side_cost as f32,
        front: parameters.front_cost as f32,
        drop: (parameters.drop * 2.0 / spacing) as f32,
    };
    let ((up, going_up), (down, going_down)) =
        rayon::join(|| one_way(map, costs, false), || one_way(map, costs, true));
    let mut voxels = if up >= down { going_up } else { going_down };
    let likeness: Vec<f64> = voxels.iter().map(|&[i, j, k]| f64::from(map.at(i, j, k))).collect();
    let window = ((16.0 / spacing) as usize).max(1);
    let mean = uniform_profile(&likeness, window);
    let keep = best_stretch(&mean, &likeness, parameters.cut_below);
    voxels = voxels.get(keep.clone()).map(<[_]>::to_vec).unwrap_or_default();
    let score: f64 =
        likeness.get(keep).unwrap_or(&[]).iter().map(|v| v - parameters.neutral_likeness).sum();
    CanalPath { voxels, score: score * spacing }
}

/// The stretch above the cut with the greatest excess; the whole where nothing is above it.
fn best_stretch(mean: &[f64], likeness: &[f64], cut_below: f64) -> std::ops::Range<usize> {
    let mut best = (f64::NEG_INFINITY, 0..mean.len());
    let mut from = 0;
    while from < mean.len() {
        let run = mean[from..].iter().take_while(|&&v| v > cut_below).count();
        if run == 0 {
            from += 1;
            continue;
        }
        let excess: f64 = likeness[from..from + run].iter().map(|v| v - cut_below).sum();
        if excess > best.0 {
            best = (excess, from..from + run);
        }
        from += run;
    }
    best.1
}

/// The best path from the lowest to the highest slice (or the other way), its score and voxels
/// from feet to head.
fn one_way(map: &Array3<f32>, costs: Costs, downward: bool) -> (f32, Vec<[usize; 3]>) {
    let [ni, nj, nk] = map.size();
    let slice = ni * nj;
    if slice == 0 || nk == 0 {
        return (-1.0, Vec::new());
    }
    let mut before = Reached::nothing(ni, nj);
    let mut here = Reached::nothing(ni, nj);
    // The step to each voxel plus one; 0 where its path begins.
    let mut from = vec![0u8; slice * nk];
    let mut best = (-1.0f32, [0usize; 3]);
    let mut highest = vec![0.0; ni];
    for n in 0..nk {
        let k = if downward { nk - 1 - n } else { n };
        let plane = &map.data()[k * slice..(k + 1) * slice];
        for (j, likeness) in plane.chunks_exact(ni).enumerate() {
            let row = j * ni..(j + 1) * ni;
            let steps = &mut from[n * slice..][row.clone()];
            let mut into = here.row_mut(j);
            let begun = into.begin(likeness, costs.neutral);
            if into.go_on(&before, j, likeness, costs, &mut highest, steps) || begun {
                let (score, i) = into.finish();
                if score > best.0 {
                    best = (score, [i, j, n]);
                }
            } else {
                *into.columns = 0..0;
            }
        }
        std::mem::swap(&mut before, &mut here);
    }
    let mut path = vec![best.1];
    let [mut i, mut j, mut n] = best.1;
    loop {
        let step = from[n * slice + j * ni + i];
        if step == 0 || n == 0 {
            break;
        }
        let step = isize::from(step) - 1;
        let width = 2 * SIDE_REACH + 1;
        let (dy, dx) = (step / width - FRONT_REACH, step % width - SIDE_REACH);
        let (Some(y), Some(x)) = (j.checked_add_signed(dy), i.checked_add_signed(dx)) else {
            break;
        };
        (i, j, n) = (x, y, n - 1);
        path.push([i, j, n]);
    }
    if downward {
        for voxel in &mut path {
            voxel[2] = nk - 1 - voxel[2];
        }
    } else {
        path.reverse();
    }
    (best.0, path)
}

/// What a step costs; see [`Parameters`].
#[derive(Clone, Copy)]
struct Costs {
    neutral: f32,
    side: f32,
    front: f32,
    drop: f32,
}

/// The paths that end in the voxels of one slice.
struct Reached {
    ni: usize,
    /// Score of the path to each voxel, 0 where there is none.
    scores: Vec<f32>,
    /// The best score on its way.
    peaks: Vec<f32>,
    /// For each row the columns that hold a path, all within `start..end`.
    columns: Vec<std::ops::Range<usize>>,
}

/// One row of them.
struct ReachedRow<'a> {
    scores: &'a mut [f32],
    peaks: &'a mut [f32],
    columns: &'a mut std::ops::Range<usize>,
}

impl Reached {
    fn nothing(ni: usize, nj: usize) -> Self {
        let zero = vec![0.0; ni * nj];
        Self { ni, scores: zero.clone(), peaks: zero, columns: vec![0..0; nj] }
    }

    fn row_mut(&mut self, j: usize) -> ReachedRow<'_> {
        let row = j * self.ni..(j + 1) * self.ni;
        ReachedRow {
            scores: &mut self.scores[row.clone()],
            peaks: &mut self.peaks[row],
            columns: &mut self.columns[j],
        }
    }
}

impl ReachedRow<'_> {
    /// Paths that begin in this row; whether there are any.
    fn begin(&mut self, likeness: &[f32], neutral: f32) -> bool {
        let any = excess(likeness, neutral, self.scores);
        self.peaks.copy_from_slice(self.scores);
        any
    }

    /// Paths that come from the slice before; whether there may be any.
    fn go_on(
        &mut self,
        before: &Reached,
        j: usize,
        likeness: &[f32],
        costs: Costs,
        highest: &mut [f32],
        steps: &mut [u8],
    ) -> bool {
        let ni = before.ni;
        let reach = SIDE_REACH.unsigned_abs();
        let (mut start, mut end) = (ni, 0);
        let mut rows = [(0isize, 0usize); 2 * FRONT_REACH.unsigned_abs() + 1];
        let mut filled = 0;
        for dy in -FRONT_REACH..=FRONT_REACH {
            let Some(y) = j.checked_add_signed(dy) else { continue };
            let Some(columns) = before.columns.get(y).filter(|columns| !columns.is_empty()) else {
                continue;
            };
            (start, end) = (start.min(columns.start), end.max(columns.end));
            rows[filled] = (dy, y);
            filled += 1;
        }
        let rows = &rows[..filled];
        if rows.is_empty() {
            return false;
        }
        // The highest score that a column can be reached from in any of the rows.
        let from = start.saturating_sub(reach);
        let to = (end + reach).min(ni);
        let highest = &mut highest[from..to];
        highest.fill(0.0);
        for &(_, y) in rows {
            for shift in 0..=2 * reach {
                // Column `c` from column `c + reach - shift`.
                let first = (start + shift).saturating_sub(reach);
                let last = (end + shift).saturating_sub(reach).min(ni);
                if first < last {
                    let row = y * ni + reach;
                    let scores = &before.scores[row + first - shift..row + last - shift];
                    raise(&mut highest[first - from..last - from], scores);
                }
            }
        }
        for (i, &highest) in (from..to).zip(highest.iter()) {
            let gain = likeness[i] - costs.neutral;
            // Else no path to this voxel stays above zero: it is as it was begun.
            if highest > 0.0 && highest + gain >= 0.0 {
                let (score, step, peak) = best_step(before, rows, i, gain, costs);
                let value = score + gain;
                if step != 0 && value >= 0.0 {
                    self.scores[i] = value;
                    self.peaks[i] = peak.max(value);
                    steps[i] = step;
                }
            }
        }
        true
    }

    /// The best score and its column; notes where paths are.
    fn finish(&mut self) -> (f32, usize) {
        let mut top = (f32::NEG_INFINITY, 0);
        let positive = |score: &f32| *score > 0.0;
        let Some(first) = self.scores.iter().position(positive) else {
            *self.columns = 0..0;
            return top;
        };
        let last = self.scores.iter().rposition(positive).unwrap_or(first);
        *self.columns = first..last + 1;
        for (i, &value) in self.scores.iter().enumerate().take(last + 1).skip(first) {
            if value > top.0 {
                top = (value, i);
            }
        }
        top
    }
}

/// The step from the slice before that gives voxel `i` of a row the greatest score: score, step
/// plus one (0 for none) and the best score on the way.
fn best_step(
    before: &Reached,
    rows: &[(isize, usize)],
    i: usize,
    gain: f32,
    costs: Costs,
) -> (f32, u8, f32) {
    let (mut score, mut step, mut peak) = (0.0f32, 0u8, 0.0f32);
    for &(dy, y) in rows {
        for dx in -SIDE_REACH..=SIDE_REACH {
            let Some(x) = i.checked_add_signed(dx).filter(|&x| x < before.ni) else {
                continue;
            };
            let sum = before.scores[y * before.ni + x];
            if sum <= score {
                continue;
            }
            let highest = before.peaks[y * before.ni + x];
            let reached = sum - costs.side * (dx * dx) as f32 - costs.front * (dy * dy) as f32;
            if reached > score && reached + gain > highest - costs.drop {
                score = reached;
                step = ((dy + FRONT_REACH) * (2 * SIDE_REACH + 1) + dx + SIDE_REACH + 1) as u8;
                peak = highest;
            }
        }
    }
    (score, step, peak)
}

/// What values exceed a level by, zero where they do not; whether any does.
#[multiversion(targets("x86_64+avx2"))]
fn excess(values: &[f32], level: f32, into: &mut [f32]) -> bool {
    let mut any = 0;
    for (into, &value) in into.iter_mut().zip(values) {
        let over = value - level;
        *into = if over > 0.0 { over } else { 0.0 };
        any |= u32::from(over > 0.0);
    }
    any != 0
}

/// Each value raised to that of the other row.
#[multiversion(targets("x86_64+avx2"))]
fn raise(into: &mut [f32], to: &[f32]) {
    for (into, &to) in into.iter_mut().zip(to) {
        *into = if to > *into { to } else { *into };
    }
}

/// Blanks the map within `radius_mm` of a path that was no spine, so that the next best is found.
pub fn blank_around(map: &mut Array3<f32>, path: &CanalPath, coarse: &Coarse, radius_mm: f64) {
    let r = (radius_mm / coarse.spacing) as usize;
    let [ni, nj, _] = map.size();
    for &[i, j, k] in &path.voxels {
        for y in j.saturating_sub(r)..=(j + r).min(nj - 1) {
            for x in i.saturating_sub(r)..=(i + r).min(ni - 1) {
                let at = map.offset(x, y, k);
                map.data_mut()[at] = 0.0;
            }
        }
    }
}
