//! Which blocks of a volume their surroundings decide, before a Gaussian with threshold is computed there.
//!
//! The smoothed value of a voxel is a mean with the weights of the kernel. Along each axis it is at most the
//! highest voxel of its own block, plus for every block within reach the share of the kernel that can fall on
//! it times what its highest voxel exceeds that by; likewise from below. A block whose bounds lie on one side of the
//! threshold is decided.

use multiversion::multiversion;
use rayon::prelude::*;

/// Voxels of a block along i, j, k. Along i it is what a register of AVX2 holds; the slices of a
/// block are filtered together, so that a voxel is clamped and converted once for all of them.
pub const BLOCK: [usize; 3] = [8, 4, 4];
/// Rounding of the sums in `f32` against the bounds, as a share of the largest value.
const ROUNDING: f32 = 1e-4;

/// What is asked: where a volume, clamped and smoothed, exceeds a threshold.
pub struct Question<'a> {
    /// Voxels `[k, j, i]`; as many as `size` has.
    pub voxels: &'a [i16],
    /// Columns, rows, slices.
    pub size: [usize; 3],
    /// Voxels are clamped to these first.
    pub low: i16,
    /// See `low`.
    pub high: i16,
    /// Weights of the kernel's middle and of one side, along i, j, k.
    pub half: [Vec<f32>; 3],
    /// Of the smoothed value.
    pub threshold: f32,
}

/// What the surroundings say of each block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Every voxel of it lies below the threshold.
    Below,
    /// Every voxel of it lies above.
    Above,
    /// It has to be filtered.
    Open,
}

/// A decision for each block.
pub struct Decisions {
    /// Blocks along i, j, k.
    pub size: [usize; 3],
    of: Vec<Decision>,
}

impl Decisions {
    /// No block of a volume of `size` is decided.
    pub fn none(size: [usize; 3]) -> Self {
        let size = blocks_of(size);
        Self { size, of: vec![Decision::Open; size[0] * size[1] * size[2]] }
    }

    /// The decisions of the row of blocks (jb, kb).
    pub fn row(&self, jb: usize, kb: usize) -> &[Decision] {
        let start = (kb * self.size[1] + jb) * self.size[0];
        &self.of[start..start + self.size[0]]
    }
}

/// How many blocks a volume of `size` has along i, j, k.
pub fn blocks_of(size: [usize; 3]) -> [usize; 3] {
    [0, 1, 2].map(|axis| size[axis].div_ceil(BLOCK[axis]))
}

impl Question<'_> {
    /// Decides by the bounds of the smoothed value in each block, from the extremes of the blocks around it.
    pub fn decide(&self) -> Decisions {
        let size = blocks_of(self.size);
        let slice = size[0] * size[1];
        let (lows, highs) = self.extremes();
        let shares = [0, 1, 2].map(|axis| shares(&self.half[axis], BLOCK[axis]));
        let largest = f32::from(self.low).abs().max(f32::from(self.high).abs());
        let rounding = ROUNDING * largest.max(1.0);
        let mut of = vec![Decision::Open; slice * size[2]];
        of.par_chunks_mut(slice).enumerate().for_each_init(
            || (Bounds::new(size), Bounds::new(size)),
            |(upper, lower), (kb, of)| {
                let upper = upper.of_slice(kb, &shares, |at| self.clamped(highs[at]));
                // The lower bound is the upper bound of the negative.
                let lower = lower.of_slice(kb, &shares, |at| -self.clamped(lows[at]));
                for (of, (&upper, &lower)) in of.iter_mut().zip(upper.iter().zip(lower)) {
                    if upper + rounding < self.threshold {
                        *of = Decision::Below;
                    } else if -lower - rounding > self.threshold {
                        *of = Decision::Above;
                    }
                }
            },
        );
        Decisions { size, of }
    }

    fn clamped(&self, value: i16) -> f32 {
        f32::from(value.max(self.low).min(self.high))
    }

    /// The lowest and the highest voxel of each block.
    fn extremes(&self) -> (Vec<i16>, Vec<i16>) {
        let size = blocks_of(self.size);
        let slice = size[0] * size[1];
        let (mut lows, mut highs) = (vec![0; slice * size[2]], vec![0; slice * size[2]]);
        lows.par_chunks_mut(slice).zip(highs.par_chunks_mut(slice)).enumerate().for_each_init(
            || (vec![0; self.size[0]], vec![0; self.size[0]]),
            |(low, high), (kb, (lows, highs))| {
                let [ni, nj, nk] = self.size;
                let rows_of_blocks =
                    lows.chunks_exact_mut(size[0]).zip(highs.chunks_exact_mut(size[0]));
                for (jb, (lows, highs)) in rows_of_blocks.enumerate() {
                    low.fill(i16::MAX);
                    high.fill(i16::MIN);
                    for k in kb * BLOCK[2]..((kb + 1) * BLOCK[2]).min(nk) {
                        for j in jb * BLOCK[1]..((jb + 1) * BLOCK[1]).min(nj) {
                            let start = (k * nj + j) * ni;
                            widen(&self.voxels[start..start + ni], low, high);
                        }
                    }
                    for (block, into) in low.chunks(BLOCK[0]).zip(lows) {
                        *into = block.iter().fold(i16::MAX, |a, &b| a.min(b));
                    }
                    for (block, into) in high.chunks(BLOCK[0]).zip(highs) {
                        *into = block.iter().fold(i16::MIN, |a, &b| a.max(b));
                    }
                }
            },
        );
        (lows, highs)
    }
}

/// Widens the extremes of each column by a row.
#[multiversion(targets("x86_64+avx2"))]
fn widen(row: &[i16], low: &mut [i16], high: &mut [i16]) {
    for ((&value, low), high) in row.iter().zip(low).zip(high) {
        *low = (*low).min(value);
        *high = (*high).max(value);
    }
}

/// The largest share of the kernel that a block at some distance can have, along one axis: by
/// distance in blocks, 1 upwards; the same on both sides.
fn shares(half: &[f32], block: usize) -> Vec<f32> {
    let radius = half.len() - 1;
    (1..=radius.div_ceil(block))
        .map(|distance| {
            // From the last voxel of a block the next ones are nearest.
            let nearest = (distance - 1) * block + 1;
            half.iter().skip(nearest).take(block).sum()
        })
        .collect()
}

/// Memory for the upper bounds of a slice of blocks.
struct Bounds {
    /// Blocks along i, j, k.
    size: [usize; 3],
    /// After the axes k, j, i.
    after: [Vec<f32>; 3],
    /// One slice or row, and one some steps before and after it.
    own: Vec<f32>,
    sides: [Vec<f32>; 2],
}

impl Bounds {
    fn new(size: [usize; 3]) -> Self {
        let slice = vec![0.0; size[0] * size[1]];
        Self {
            size,
            after: [slice.clone(), slice.clone(), slice.clone()],
            own: slice.clone(),
            sides: [slice.clone(), slice],
        }
    }

    /// Upper bounds of the smoothed values in the blocks of slice `kb`, whose voxels are at most
    /// `value`.
    fn of_slice(
        &mut self,
        kb: usize,
        shares: &[Vec<f32>; 3],
        value: impl Fn(usize) -> f32,
    ) -> &[f32] {
        let [ni, nj, nk] = self.size;
        let slice = ni * nj;
        let take = |into: &mut [f32], kb: usize| {
            for (n, into) in into.iter_mut().enumerate() {
                *into = value(kb * slice + n);
            }
        };
        let [along_k, along_j, along_i] = &mut self.after;
        let [before, after] = &mut self.sides;
        take(&mut self.own, kb);
        along_k.copy_from_slice(&self.own);
        for (d, &share) in (1..).zip(&shares[2]) {
            take(before, kb.saturating_sub(d));
            take(after, (kb + d).min(nk - 1));
            raise(along_k, &self.own, before, after, share);
        }
        along_j.copy_from_slice(along_k);
        for (j, bounds) in along_j.chunks_exact_mut(ni).enumerate() {
            let row = |j: usize| &along_k[j * ni..(j + 1) * ni];
            for (d, &share) in (1..).zip(&shares[1]) {
                raise(bounds, row(j), row(j.saturating_sub(d)), row((j + d).min(nj - 1)), share);
            }
        }
        along_i.copy_from_slice(along_j);
        for (bounds, row) in along_i.chunks_exact_mut(ni).zip(along_j.chunks_exact(ni)) {
            for (d, &share) in (1..).zip(&shares[0]) {
                let d = d.min(ni - 1);
                before[..d].fill(row[0]);
                before[d..ni].copy_from_slice(&row[..ni - d]);
                after[..ni - d].copy_from_slice(&row[d..]);
                after[ni - d..ni].fill(row[ni - 1]);
                raise(bounds, row, &before[..ni], &after[..ni], share);
            }
        }
        along_i
    }
}

/// A mean of values up to `own` with shares of others up to `own + excess` is at most `own` and the
/// largest share of each positive excess.
#[multiversion(targets("x86_64+avx2"))]
fn raise(bounds: &mut [f32], own: &[f32], before: &[f32], after: &[f32], share: f32) {
    for (bound, ((&own, &before), &after)) in
        bounds.iter_mut().zip(own.iter().zip(before).zip(after))
    {
        let excess = |other: f32| if other > own { other - own } else { 0.0 };
        *bound += share * (excess(before) + excess(after));
    }
}
