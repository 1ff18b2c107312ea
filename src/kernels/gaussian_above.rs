//! Clamp, Gaussian and threshold in one pass, from 16-bit voxels to a bit mask.
//!
//! # Method
//! The Gaussian is separable; the filtered values of a slice live in a plane of scratch memory and
//! only the bits leave it. Axes go k, j, i, each a symmetric sum in `f32`; the order of the sums is
//! the same for every voxel, so the bits do not depend on the number of threads, on the width of
//! the vector unit or on what is left out.
//!
//! What is left out: the smoothed value of a block of voxels lies between bounds made of the
//! extremes of its surroundings and of the share of the kernel that can fall on each of them. A
//! block whose bounds lie on one side of the threshold is decided without filtering. The smoothed
//! volume itself is never made; who needs it takes [`gaussian`](super::gaussian).

#![allow(
    clippy::inline_always,
    reason = "what is called from a loop for AVX2 must become part of it, or it stays at the baseline"
)]

use std::ops::{Range, RangeInclusive};

use multiversion::multiversion;
use rayon::prelude::*;

use super::BitMask;
use super::bit_rows::pack_slabs;
use super::convolve::gaussian_weights;

/// Voxels of a block along i, j, k. Along i it is what a vector unit takes at once.
const BLOCK: [usize; 3] = [16, 8, 4];
/// Slices and rows worked on at a time: the rows that the kernel reaches stay in the cache of one
/// core from slice to slice.
const SLAB: usize = 24;
const TILE: usize = 8 * BLOCK[1];
/// Rounding of the sums in `f32` against the bounds, as a share of the largest value.
const ROUNDING: f32 = 1e-4;

/// Which blocks are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Those that their surroundings leave undecided.
    Undecided,
    /// All; the result is the same. For comparisons of time.
    All,
}

/// Where the Gaussian-filtered volume exceeds `threshold`.
///
/// `voxels` lie `[k, j, i]` over `size` = `[columns, rows, slices]` and are clamped to `range`
/// first; `sigma` is in voxels along i, j, k; the kernel is cut at `truncate` standard deviations;
/// beyond the border the outermost value goes on. An array that does not fit `size` gives an
/// empty mask.
///
/// # Method
/// See the [module](self). Differs from a filter in `f64` only where the smoothed value is within
/// rounding of the threshold.
pub fn gaussian_above(
    voxels: &[i16],
    size: [usize; 3],
    range: RangeInclusive<i16>,
    sigma: [f64; 3],
    truncate: f64,
    threshold: f32,
    blocks: Blocks,
) -> BitMask {
    let [ni, nj, nk] = size;
    if voxels.len() != ni * nj * nk || voxels.is_empty() {
        return BitMask::empty(size);
    }
    let filter = Filter {
        voxels,
        size,
        low: *range.start(),
        high: *range.end(),
        half: sigma.map(|s| half_weights(s, truncate)),
        threshold,
    };
    let decided = match blocks {
        Blocks::Undecided => filter.decide(),
        Blocks::All => Decisions::none(size),
    };
    let words = pack_slabs(
        size,
        SLAB,
        || Scratch::new(size, &filter.half),
        |scratch, slices, rows| filter_slab(&filter, &decided, scratch, slices, rows),
    );
    BitMask::from_words(size, words)
}

/// Weights of the middle and of one side.
fn half_weights(sigma: f64, truncate: f64) -> Vec<f32> {
    let weights = gaussian_weights(sigma, truncate);
    weights[weights.len() / 2..].iter().map(|&w| w as f32).collect()
}

struct Filter<'a> {
    voxels: &'a [i16],
    size: [usize; 3],
    low: i16,
    high: i16,
    half: [Vec<f32>; 3],
    threshold: f32,
}

/// What the surroundings say of each block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Below,
    Above,
    Open,
}

struct Decisions {
    /// Blocks along i, j, k.
    size: [usize; 3],
    of: Vec<Decision>,
}

impl Decisions {
    fn none(size: [usize; 3]) -> Self {
        let size = blocks_of(size);
        Self { size, of: vec![Decision::Open; size[0] * size[1] * size[2]] }
    }

    /// The decisions of the row of blocks (jb, kb).
    fn row(&self, jb: usize, kb: usize) -> &[Decision] {
        let start = (kb * self.size[1] + jb) * self.size[0];
        &self.of[start..start + self.size[0]]
    }
}

fn blocks_of(size: [usize; 3]) -> [usize; 3] {
    [0, 1, 2].map(|axis| size[axis].div_ceil(BLOCK[axis]))
}

impl Filter<'_> {
    /// Bounds of the smoothed value in each block, from the extremes of the blocks around it.
    fn decide(&self) -> Decisions {
        let size = blocks_of(self.size);
        let len = size[0] * size[1] * size[2];
        let (mut lows, mut highs) = (vec![0i16; len], vec![0i16; len]);
        let slice = size[0] * size[1];
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
        let clamped = |v: i16| f32::from(v.clamp(self.low, self.high));
        let mut upper: Vec<f32> = highs.into_iter().map(clamped).collect();
        // The lower bound is the upper bound of the negative.
        let mut lower: Vec<f32> = lows.into_iter().map(|v| -clamped(v)).collect();
        for axis in [2, 1, 0] {
            let shares = Shares::new(&self.half[axis], BLOCK[axis]);
            upper = shares.bound(&upper, size, axis);
            lower = shares.bound(&lower, size, axis);
        }
        let largest = f32::from(self.low).abs().max(f32::from(self.high).abs());
        let rounding = ROUNDING * largest.max(1.0);
        let of = upper
            .into_iter()
            .zip(lower)
            .map(|(upper, lower)| {
                if upper + rounding < self.threshold {
                    Decision::Below
                } else if -lower - rounding > self.threshold {
                    Decision::Above
                } else {
                    Decision::Open
                }
            })
            .collect();
        Decisions { size, of }
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

/// The largest share of the kernel that a block at some distance can have, along one axis.
struct Shares {
    /// By distance in blocks, 1 upwards; the same on both sides.
    largest: Vec<f32>,
}

impl Shares {
    fn new(half: &[f32], block: usize) -> Self {
        let radius = half.len() - 1;
        let largest = (1..=radius.div_ceil(block))
            .map(|distance| {
                // From the last voxel of a block the next ones are nearest.
                let nearest = (distance - 1) * block + 1;
                half.iter().skip(nearest).take(block).sum()
            })
            .collect();
        Self { largest }
    }

    /// A mean of values up to `m` with shares of others up to `m + excess` is at most `m` and the
    /// largest share of each positive excess.
    fn bound(&self, values: &[f32], size: [usize; 3], axis: usize) -> Vec<f32> {
        let step = [1, size[0], size[0] * size[1]][axis];
        let n = size[axis];
        let mut bounds = values.to_vec();
        for (values, bounds) in values.chunks_exact(n * step).zip(bounds.chunks_exact_mut(n * step))
        {
            for (x, bounds) in bounds.chunks_exact_mut(step).enumerate() {
                let row = |x: usize| &values[x * step..(x + 1) * step];
                for (d, &share) in self.largest.iter().enumerate() {
                    let before = row(x.saturating_sub(d + 1));
                    let after = row((x + d + 1).min(n - 1));
                    let sides = before.iter().zip(after).zip(row(x));
                    for (bound, ((&before, &after), &own)) in bounds.iter_mut().zip(sides) {
                        let excess = |other: f32| if other > own { other - own } else { 0.0 };
                        *bound += share * (excess(before) + excess(after));
                    }
                }
            }
        }
        bounds
    }
}

/// Memory of one thread.
struct Scratch {
    /// Values filtered along k, `[j][i]`, rows of whole blocks.
    plane: Vec<f32>,
    /// One row filtered along k and j, with a margin of the kernel's radius on both sides.
    padded: Vec<f32>,
    /// One row filtered along all axes.
    filtered: Vec<f32>,
    /// For each row of blocks and block: needed from the filter along j.
    needed: Vec<bool>,
    /// For each block of one row: needed from the filter along k.
    wanted: Vec<bool>,
}

impl Scratch {
    fn new(size: [usize; 3], half: &[Vec<f32>; 3]) -> Self {
        let blocks = blocks_of(size);
        let width = blocks[0] * BLOCK[0];
        Self {
            plane: vec![0.0; width * size[1]],
            padded: vec![0.0; width + 2 * (half[0].len() - 1)],
            filtered: vec![0.0; width],
            needed: vec![false; blocks[0] * blocks[1]],
            wanted: vec![false; blocks[0]],
        }
    }
}

/// Ranges of blocks for which `wanted` holds.
#[inline(always)]
fn spans(n: usize, wanted: impl Fn(usize) -> bool, mut each: impl FnMut(usize, usize)) {
    let mut b = 0;
    while b < n {
        if !wanted(b) {
            b += 1;
            continue;
        }
        let from = b;
        while b < n && wanted(b) {
            b += 1;
        }
        each(from, b);
    }
}

/// Fills the bits of some slices, tile by tile.
fn filter_slab(
    filter: &Filter<'_>,
    decided: &Decisions,
    scratch: &mut Scratch,
    slices: Range<usize>,
    rows: &mut [u64],
) {
    let [ni, nj, _] = filter.size;
    let width = ni.div_ceil(64);
    for start in (0..nj).step_by(TILE) {
        let tile = start..(start + TILE).min(nj);
        for (k, rows) in slices.clone().zip(rows.chunks_exact_mut(width * nj)) {
            filter_tile(filter, decided, scratch, (k, tile.clone()), rows);
        }
    }
}

/// Fills the bits of some rows, whole blocks, of slice `k`; `rows` are those of the whole slice.
#[multiversion(targets("x86_64+avx2"))]
fn filter_tile<'a>(
    filter: &Filter<'a>,
    decided: &Decisions,
    scratch: &mut Scratch,
    (k, tile): (usize, Range<usize>),
    rows: &mut [u64],
) {
    let [ni, nj, nk] = filter.size;
    let nib = decided.size[0];
    let kb = k / BLOCK[2];
    let [half_i, half_j, half_k] = &filter.half;
    let radius = [half_i.len() - 1, half_j.len() - 1, half_k.len() - 1];
    let width = nib * BLOCK[0];
    let margin = radius[0].div_ceil(BLOCK[0]);
    let Scratch { plane, padded, filtered, needed, wanted } = scratch;
    let blocks = tile.start / BLOCK[1]..tile.end.div_ceil(BLOCK[1]);
    let mut any = false;
    for jb in blocks.clone() {
        let row = decided.row(jb, kb);
        let needed = &mut needed[jb * nib..(jb + 1) * nib];
        needed.fill(false);
        spans(
            nib,
            |b| row[b] == Decision::Open,
            |from, to| {
                needed[from.saturating_sub(margin)..(to + margin).min(nib)].fill(true);
                any = true;
            },
        );
    }
    // Along k, wherever a row within reach is needed.
    let mut sources: Vec<&[i16]> = Vec::with_capacity(2 * radius[2] + 1);
    let reached = tile.start.saturating_sub(radius[1])..(tile.end + radius[1]).min(nj);
    for j in if any { reached } else { 0..0 } {
        wanted.fill(false);
        let first = (j.saturating_sub(radius[1]) / BLOCK[1]).max(blocks.start);
        let last = ((j + radius[1]) / BLOCK[1]).min(blocks.end - 1);
        for jb in first..=last {
            for (a, &b) in wanted.iter_mut().zip(&needed[jb * nib..(jb + 1) * nib]) {
                *a |= b;
            }
        }
        sources.clear();
        sources.extend((0..=2 * radius[2]).map(|n| {
            let source = (k + n).saturating_sub(radius[2]).min(nk - 1);
            let start = (source * nj + j) * ni;
            &filter.voxels[start..start + ni]
        }));
        let target = &mut plane[j * width..(j + 1) * width];
        spans(
            nib,
            |b| wanted[b],
            |from, to| {
                let (from, to) = (from * BLOCK[0], (to * BLOCK[0]).min(ni));
                along_k(&sources, half_k, (filter.low, filter.high), from, &mut target[from..to]);
            },
        );
    }
    // Along j and i, and the threshold.
    let mut sources: Vec<&[f32]> = Vec::with_capacity(2 * radius[1] + 1);
    let words = ni.div_ceil(64);
    for j in tile {
        let jb = j / BLOCK[1];
        let decisions = decided.row(jb, kb);
        let bits = &mut rows[j * words..(j + 1) * words];
        spans(
            nib,
            |b| decisions[b] == Decision::Above,
            |from, to| {
                for b in from..to {
                    put_block(bits, b, all_bits((ni - b * BLOCK[0]).min(BLOCK[0])));
                }
            },
        );
        let needed = &needed[jb * nib..(jb + 1) * nib];
        if !needed.contains(&true) {
            continue;
        }
        sources.clear();
        sources.extend((0..=2 * radius[1]).map(|n| {
            let source = (j + n).saturating_sub(radius[1]).min(nj - 1);
            &plane[source * width..(source + 1) * width]
        }));
        spans(
            nib,
            |b| needed[b],
            |from, to| {
                let (from, to) = (from * BLOCK[0], (to * BLOCK[0]).min(ni));
                along_j(&sources, half_j, from, &mut padded[radius[0] + from..radius[0] + to]);
            },
        );
        let (first, last) = (padded[radius[0]], padded[radius[0] + ni - 1]);
        padded[..radius[0]].fill(first);
        padded[radius[0] + ni..].fill(last);
        spans(
            nib,
            |b| decisions[b] == Decision::Open,
            |from, to| {
                let (start, end) = (from * BLOCK[0], (to * BLOCK[0]).min(ni));
                let values = &mut filtered[start..end];
                along_i(&padded[start..end + 2 * radius[0]], half_i, values);
                let (whole, rest) = values.as_chunks();
                for (n, values) in whole.iter().enumerate() {
                    put_block(bits, from + n, above(values, filter.threshold));
                }
                if !rest.is_empty() {
                    let mut values = [f32::NEG_INFINITY; BLOCK[0]];
                    values[..rest.len()].copy_from_slice(rest);
                    put_block(bits, from + whole.len(), above(&values, filter.threshold));
                }
            },
        );
    }
}

/// Puts the bits of block `b` into the words of its row.
#[inline(always)]
fn put_block(row: &mut [u64], b: usize, bits: u64) {
    let at = b * BLOCK[0];
    row[at / 64] |= bits << (at % 64);
}

/// The lowest `n` bits, of fewer than 64.
const fn all_bits(n: usize) -> u64 {
    (1 << n) - 1
}

/// Pairs of rows at the same distance before and after, with their weight; three at a time, so that
/// the sums go through memory less often than the rows.
type Pairs<'a, T> = [(&'a [T], &'a [T], f32); 3];

#[inline(always)]
fn along_k(sources: &[&[i16]], half: &[f32], range: (i16, i16), from: usize, into: &mut [f32]) {
    let radius = half.len() - 1;
    let columns = from..from + into.len();
    let row = |n: usize| &sources[n][columns.clone()];
    let pair = |d: usize| (row(radius - d), row(radius + d), half[d]);
    start_integers(into, row(radius), half[0], range);
    let mut d = 1;
    while d + 2 <= radius {
        add_integers(into, [pair(d), pair(d + 1), pair(d + 2)], range);
        d += 3;
    }
    for d in d..=radius {
        add_integer_pair(into, pair(d), range);
    }
}

#[inline(always)]
fn along_j(sources: &[&[f32]], half: &[f32], from: usize, into: &mut [f32]) {
    let columns = from..from + into.len();
    filter_rows(half, into, |n| &sources[n][columns.clone()]);
}

/// Along i: the rows are one row, each a column further.
#[inline(always)]
fn along_i(padded: &[f32], half: &[f32], into: &mut [f32]) {
    let len = into.len();
    filter_rows(half, into, |n| &padded[n..n + len]);
}

/// The symmetric sum of `row(0)` to `row(2 * radius)`.
#[inline(always)]
fn filter_rows<'a>(half: &[f32], into: &mut [f32], row: impl Fn(usize) -> &'a [f32]) {
    let radius = half.len() - 1;
    let pair = |d: usize| (row(radius - d), row(radius + d), half[d]);
    for (sum, &value) in into.iter_mut().zip(row(radius)) {
        *sum = half[0] * value;
    }
    let mut d = 1;
    while d + 2 <= radius {
        add_pairs(into, [pair(d), pair(d + 1), pair(d + 2)]);
        d += 3;
    }
    for d in d..=radius {
        add_pair(into, pair(d));
    }
}

#[inline(always)]
fn start_integers(into: &mut [f32], row: &[i16], weight: f32, (low, high): (i16, i16)) {
    for (sum, &value) in into.iter_mut().zip(row) {
        *sum = weight * f32::from(value.max(low).min(high));
    }
}

#[inline(always)]
fn clamped_sum(a: i16, b: i16, (low, high): (i16, i16)) -> f32 {
    (i32::from(a.max(low).min(high)) + i32::from(b.max(low).min(high))) as f32
}

#[inline(always)]
fn add_integer_pair(into: &mut [f32], (a, b, w): (&[i16], &[i16], f32), range: (i16, i16)) {
    for ((sum, &a), &b) in into.iter_mut().zip(a).zip(b) {
        *sum += w * clamped_sum(a, b, range);
    }
}

#[inline(always)]
fn add_integers(into: &mut [f32], pairs: Pairs<'_, i16>, range: (i16, i16)) {
    let [(a, b, u), (c, d, v), (e, f, w)] = pairs;
    let rows = a.iter().zip(b).zip(c).zip(d).zip(e).zip(f);
    for (into, (((((&a, &b), &c), &d), &e), &f)) in into.iter_mut().zip(rows) {
        let sum = *into + u * clamped_sum(a, b, range);
        let sum = sum + v * clamped_sum(c, d, range);
        *into = sum + w * clamped_sum(e, f, range);
    }
}

#[inline(always)]
fn add_pair(into: &mut [f32], (a, b, w): (&[f32], &[f32], f32)) {
    for ((sum, &a), &b) in into.iter_mut().zip(a).zip(b) {
        *sum += w * (a + b);
    }
}

#[inline(always)]
fn add_pairs(into: &mut [f32], pairs: Pairs<'_, f32>) {
    let [(a, b, u), (c, d, v), (e, f, w)] = pairs;
    let rows = a.iter().zip(b).zip(c).zip(d).zip(e).zip(f);
    for (into, (((((&a, &b), &c), &d), &e), &f)) in into.iter_mut().zip(rows) {
        let sum = *into + u * (a + b);
        let sum = sum + v * (c + d);
        *into = sum + w * (e + f);
    }
}

/// One bit for each value above the threshold.
#[inline(always)]
fn above(values: &[f32; BLOCK[0]], threshold: f32) -> u64 {
    // A bit of its own for each lane, or-ed together at the end: the compiler makes it vectors.
    const BITS: [u32; BLOCK[0]] = {
        let mut bits = [0; BLOCK[0]];
        let mut n = 0;
        while n < BLOCK[0] {
            bits[n] = 1 << n;
            n += 1;
        }
        bits
    };
    let mut set = 0;
    for (&value, bit) in values.iter().zip(BITS) {
        set |= if value > threshold { bit } else { 0 };
    }
    u64::from(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Array3, Boundary, gaussian};
    use proptest::prelude::*;

    /// Soft tissue with noise and a few dense or airy boxes.
    fn voxels(size: [usize; 3], seed: u64) -> Vec<i16> {
        let mut state = seed;
        let mut draw = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        let mut out: Vec<i16> =
            (0..size[0] * size[1] * size[2]).map(|_| draw(60) as i16 - 30).collect();
        for _ in 0..4 {
            let low = size.map(|n| draw(n as u64) as usize);
            let value = [-900, 500, 900, 3000][draw(4) as usize];
            for k in low[2]..(low[2] + 5).min(size[2]) {
                for j in low[1]..(low[1] + 9).min(size[1]) {
                    for i in low[0]..(low[0] + 14).min(size[0]) {
                        out[(k * size[1] + j) * size[0] + i] = value;
                    }
                }
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bits_agree_with_the_filtered_volume_wherever_rounding_cannot_decide(
            ni in 1usize..90, nj in 1usize..40, nk in 1usize..14, seed in any::<u64>(),
            sigma in proptest::array::uniform3(0.0..3.0f64), threshold in -300.0..700.0f32,
        ) {
            let size = [ni, nj, nk];
            let voxels = voxels(size, seed);
            let clamped = voxels.iter().map(|&v| f32::from(v.clamp(-200, 1200))).collect();
            let plain = gaussian(
                &Array3::from_vec(size, clamped).unwrap(), sigma, 4.0, Boundary::Nearest,
            );
            let above = gaussian_above(
                &voxels, size, -200..=1200, sigma, 4.0, threshold, Blocks::Undecided,
            );
            for (n, &value) in plain.data().iter().enumerate() {
                if (value - threshold).abs() > 0.01 {
                    prop_assert_eq!(above.get(n), value > threshold, "{} at {}", value, n);
                }
            }
            let all = gaussian_above(
                &voxels, size, -200..=1200, sigma, 4.0, threshold, Blocks::All,
            );
            prop_assert_eq!(above, all);
        }
    }

    #[test]
    fn one_thread_gives_the_bits_of_three() {
        let size = [70, 33, 60];
        let voxels = voxels(size, 5);
        let run = |threads: usize| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
                gaussian_above(&voxels, size, -200..=1200, [1.5; 3], 4.0, 100.0, Blocks::Undecided)
            })
        };
        assert_eq!(run(1), run(3));
    }
}
