//! The canal as a path through the canal map: Viterbi from slice to slice, local and droppable.
//!
//! # Method
//! As in local sequence alignment the path may start and end anywhere; it maximises
//! `sum(S - 0.5) - 0.1·dx² - 0.015·dy²` (the spine slopes far more in the sagittal plane). With
//! the X-drop of BLAST a path that lost 2.0 since its best is dropped: without it the path runs
//! from the sacrum through marrow into the hip. The drop looks one way only, so both ways are
//! tried.

use rayon::prelude::*;

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
    let (up, going_up) = one_way(map, costs, false);
    let (down, going_down) = one_way(map, costs, true);
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
    // Score and best score so far of the path that ends in each voxel of the slice before.
    let mut before: Vec<(f32, f32)> = vec![(0.0, 0.0); slice];
    let mut filled: Vec<bool> = vec![false; nj];
    let mut here = before.clone();
    let mut from = vec![-1i8; slice * nk];
    let mut best = (-1.0f32, [0usize; 3]);
    for n in 0..nk {
        let k = if downward { nk - 1 - n } else { n };
        let plane = &map.data()[k * slice..(k + 1) * slice];
        let rows: Vec<(bool, f32, usize)> = here
            .par_chunks_mut(ni)
            .zip(from[n * slice..(n + 1) * slice].par_chunks_mut(ni))
            .enumerate()
            .map(|(j, (into, steps))| {
                let mut row = Row { before: &before, filled: &filled, ni, nj, costs };
                row.advance(j, &plane[j * ni..(j + 1) * ni], into, steps)
            })
            .collect();
        for (j, &(any, score, i)) in rows.iter().enumerate() {
            filled[j] = any;
            if score > best.0 {
                best = (score, [i, j, n]);
            }
        }
        std::mem::swap(&mut before, &mut here);
    }
    let mut path = vec![best.1];
    let [mut i, mut j, mut n] = best.1;
    loop {
        let step = from[n * slice + j * ni + i];
        if step < 0 || n == 0 {
            break;
        }
        let width = 2 * SIDE_REACH + 1;
        let (dy, dx) =
            (isize::from(step) / width - FRONT_REACH, isize::from(step) % width - SIDE_REACH);
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

struct Row<'a> {
    before: &'a [(f32, f32)],
    /// Whether the row of the slice before holds a path at all.
    filled: &'a [bool],
    ni: usize,
    nj: usize,
    costs: Costs,
}

impl Row<'_> {
    /// One row of one slice; whether it holds a path, its best score and where.
    fn advance(
        &mut self,
        j: usize,
        likeness: &[f32],
        into: &mut [(f32, f32)],
        steps: &mut [i8],
    ) -> (bool, f32, usize) {
        let rows: Vec<(isize, usize)> = (-FRONT_REACH..=FRONT_REACH)
            .filter_map(|dy| Some((dy, j.checked_add_signed(dy)?)))
            .filter(|&(_, y)| y < self.nj && self.filled[y])
            .collect();
        let mut any = false;
        let mut top = (f32::NEG_INFINITY, 0);
        for i in 0..self.ni {
            let gain = likeness[i] - self.costs.neutral;
            let (mut score, mut step, mut peak) = (0.0f32, -1i8, 0.0f32);
            for &(dy, y) in &rows {
                for dx in -SIDE_REACH..=SIDE_REACH {
                    let Some(x) = i.checked_add_signed(dx).filter(|&x| x < self.ni) else {
                        continue;
                    };
                    let (sum, highest) = self.before[y * self.ni + x];
                    if sum <= score {
                        continue;
                    }
                    let reached = sum
                        - self.costs.side * (dx * dx) as f32
                        - self.costs.front * (dy * dy) as f32;
                    if reached > score && reached + gain > highest - self.costs.drop {
                        score = reached;
                        step = ((dy + FRONT_REACH) * (2 * SIDE_REACH + 1) + dx + SIDE_REACH) as i8;
                        peak = highest;
                    }
                }
            }
            let mut value = score + gain;
            if value < 0.0 {
                (value, step, peak) = (0.0, -1, 0.0);
            }
            any |= value > 0.0;
            into[i] = (value, peak.max(value));
            steps[i] = step;
            if value > top.0 {
                top = (value, i);
            }
        }
        (any, top.0, top.1)
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
