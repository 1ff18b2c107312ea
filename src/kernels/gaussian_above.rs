//! Clamp, Gaussian and threshold in one pass, from 16-bit voxels to a bit mask.
//!
//! # Method
//! The Gaussian is separable; the filtered values of a slice live in a plane of scratch memory and
//! only the bits leave it. Axes go k, j, i, each a symmetric sum in `f32`; the order of the sums is
//! the same for every voxel, so the bits do not depend on the number of threads, on the width of
//! the vector unit or on what is left out.
//!
//! What is left out: blocks that their surroundings decide ([`block_decisions`](super::block_decisions)). The smoothed
//! volume itself is never made; who needs it takes [`gaussian`](super::gaussian).

#![allow(
    clippy::inline_always,
    reason = "what is called from a loop for AVX2 must become part of it, or it stays at the baseline"
)]

use std::ops::{Range, RangeInclusive};

use multiversion::multiversion;

use super::BitMask;
use super::bit_rows::{last_word_bits, pack_slabs};
use super::block_decisions::{BLOCK, Decision, Decisions, Question, blocks_of};
use super::convolve::gaussian_weights;

/// Values of a block next to each other along i.
type Lanes = [f32; BLOCK[0]];
/// Blocks along k that a thread works on together: the more, the less often a voxel is read again
/// for the slices above it, the more rows have to stay in the cache.
const LAYERS: usize = 3;
/// Blocks along i that are filtered along k at a time: their voxels stay in the first cache.
const PIECE: usize = 16;
/// Slices that a thread takes at a time.
const SLAB: usize = LAYERS * BLOCK[2];
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
    let half = sigma.map(|s| half_weights(s, truncate));
    let taps_i = half[0].iter().copied().enumerate().collect();
    let question =
        Question { voxels, size, low: *range.start(), high: *range.end(), half, threshold };
    let filter = Filter { question, taps_i };
    let decided = match blocks {
        Blocks::Undecided => filter.question.decide(),
        Blocks::All => Decisions::none(size),
    };
    let words = pack_slabs(
        size,
        SLAB,
        || Scratch::new(size, &filter.question.half),
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
    question: Question<'a>,
    /// Distances and weights along i. The distances as data: when the compiler knows that they follow
    /// each other, it carries single values from one to the next instead of loading whole registers.
    taps_i: Vec<(usize, f32)>,
}

/// Memory of one thread.
///
/// Rows and slices beyond the border, on which the outermost value goes on, have a place like those
/// inside, so that what the kernel reaches always lies side by side.
struct Scratch {
    /// For each layer, row of blocks and block: needed from the filter along j.
    needed: Vec<bool>,
    /// For each layer and block of one row: needed from the filter along k.
    wanted: Vec<bool>,
    /// For each block of a row: needed from the filter along k in any layer.
    read: Vec<bool>,
    /// Some blocks of one row, clamped.
    clamped: Vec<f32>,
    /// For some blocks of a row their clamped voxels in all slices within reach of the layers.
    column: Vec<Lanes>,
    /// For each slice and block of a row what the filter along k made of the last rows: as many as
    /// a block reaches, each twice, so that they lie side by side wherever the oldest is.
    rows: Vec<Lanes>,
    /// The rows of a block filtered along k and j, with a margin of the kernel's radius on both
    /// sides.
    padded: Vec<f32>,
    /// The open blocks of one row filtered along all axes.
    filtered: Vec<Lanes>,
    /// Bits of one row that are decided to be above the threshold.
    above: Vec<u64>,
    /// Open blocks of a row of blocks.
    open: Vec<usize>,
}

impl Scratch {
    fn new(size: [usize; 3], half: &[Vec<f32>; 3]) -> Self {
        let [nib, njb, _] = blocks_of(size);
        let zero = [0.0; BLOCK[0]];
        Self {
            needed: vec![false; LAYERS * nib * njb],
            wanted: vec![false; LAYERS * nib],
            read: vec![false; nib],
            clamped: vec![0.0; nib * BLOCK[0]],
            column: vec![zero; PIECE * reach(&half[2], SLAB)],
            rows: vec![zero; SLAB * nib * 2 * reach(&half[1], BLOCK[1])],
            padded: vec![0.0; BLOCK[1] * padded_len(nib, &half[0])],
            filtered: vec![zero; nib],
            above: vec![0; size[0].div_ceil(64)],
            open: Vec::with_capacity(nib),
        }
    }
}

/// Rows or slices that the kernel reaches from `count` of them.
const fn reach(half: &[f32], count: usize) -> usize {
    count + 2 * (half.len() - 1)
}

/// Columns of a row of `nib` blocks with its margins.
const fn padded_len(nib: usize, half: &[f32]) -> usize {
    nib * BLOCK[0] + 2 * (half.len() - 1)
}

/// The next range of blocks from `at` on that are all `wanted`.
///
/// Not a closure for each range: what is called in between would not be compiled for AVX2.
#[inline(always)]
fn next_span(wanted: &[bool], at: usize) -> Option<Range<usize>> {
    let from = at + wanted[at..].iter().position(|&wanted| wanted)?;
    let len = wanted[from..].iter().position(|&wanted| !wanted);
    Some(from..len.map_or(wanted.len(), |len| from + len))
}

/// Fills the bits of some slices, as many layers at a time as there is memory for.
fn filter_slab(
    filter: &Filter<'_>,
    decided: &Decisions,
    scratch: &mut Scratch,
    slices: Range<usize>,
    rows: &mut [u64],
) {
    let [ni, nj, _] = filter.question.size;
    let some = rows.chunks_mut(SLAB * nj * ni.div_ceil(64));
    for (k, rows) in slices.step_by(SLAB).zip(some) {
        filter_layers(filter, decided, scratch, k, rows);
    }
}

/// Fills the bits of the slices from `k` on, of which the first is the first of its block.
#[multiversion(targets("x86_64+avx2"))]
fn filter_layers<'a>(
    filter: &Filter<'a>,
    decided: &Decisions,
    scratch: &mut Scratch,
    k: usize,
    rows: &mut [u64],
) {
    let [_, nj, nk] = filter.question.size;
    let [nib, njb, _] = decided.size;
    let half_j = &filter.question.half[1];
    let slice = filter.question.size[0].div_ceil(64) * nj;
    let layers = (nk - k).div_ceil(BLOCK[2]).min(LAYERS);
    let margin = (filter.question.half[0].len() - 1).div_ceil(BLOCK[0]);
    let mut any = false;
    for (layer, needed) in scratch.needed.chunks_exact_mut(nib * njb).take(layers).enumerate() {
        any |= need(decided, k / BLOCK[2] + layer, margin, needed);
    }
    // Rows are counted from the first one beyond the border that the kernel reaches.
    let mut next = 0;
    for jb in 0..njb {
        if any {
            let end = jb * BLOCK[1] + reach(half_j, BLOCK[1]);
            for row in next..end {
                along_k(filter, (k, layers), row, scratch, [nib, njb]);
            }
            next = end;
        }
        for (layer, rows) in rows.chunks_mut(BLOCK[2] * slice).enumerate() {
            filter_row_of_blocks(filter, decided, scratch, (k / BLOCK[2], layer, jb), rows);
        }
    }
}

/// Fills the bits of the rows of blocks `jb` in the slices of a layer from what was filtered along
/// k; `kb` is the block of the first layer.
#[inline(always)]
fn filter_row_of_blocks(
    filter: &Filter<'_>,
    decided: &Decisions,
    scratch: &mut Scratch,
    (kb, layer, jb): (usize, usize, usize),
    rows: &mut [u64],
) {
    let [ni, nj, _] = filter.question.size;
    let [nib, njb, _] = decided.size;
    let [half_i, half_j, _] = &filter.question.half;
    let radius = half_i.len() - 1;
    let Scratch { needed, rows: filtered_k, padded, filtered, above: row_above, open, .. } =
        scratch;
    row_above.fill(0);
    open.clear();
    for (b, decision) in decided.row(jb, kb + layer).iter().enumerate() {
        match decision {
            Decision::Below => {}
            Decision::Above => put_block(row_above, b, all_bits(BLOCK[0])),
            Decision::Open => open.push(b),
        }
    }
    let needed = &needed[(layer * njb + jb) * nib..][..nib];
    let words = ni.div_ceil(64);
    let tile = jb * BLOCK[1]..((jb + 1) * BLOCK[1]).min(nj);
    for (s, rows) in rows.chunks_exact_mut(words * nj).enumerate() {
        if !open.is_empty() {
            along_j(half_j, filtered_k, (layer * BLOCK[2] + s, jb), needed, padded, radius);
        }
        let padded = padded.chunks_exact_mut(padded_len(nib, half_i));
        for (j, padded) in tile.clone().zip(padded) {
            let bits = &mut rows[j * words..(j + 1) * words];
            bits.copy_from_slice(row_above);
            if !open.is_empty() {
                let (first, last) = (padded[radius], padded[radius + ni - 1]);
                padded[..radius].fill(first);
                padded[radius + ni..].fill(last);
                filter_open(&filter.taps_i, open, padded, filtered);
                for (&b, values) in open.iter().zip(&*filtered) {
                    put_block(bits, b, above(values, filter.question.threshold));
                }
            }
            if let Some(last) = bits.last_mut() {
                *last &= last_word_bits(ni);
            }
        }
    }
}

/// Filters the open blocks of a row along i.
#[inline(always)]
fn filter_open(taps: &[(usize, f32)], open: &[usize], padded: &[f32], filtered: &mut [Lanes]) {
    let mut n = 0;
    while let Some(&b) = open.get(n) {
        let reached = &padded[b * BLOCK[0]..];
        // Neighbours together take less time than one after the other; the open blocks ascend.
        let side_by_side = |count: usize| open.get(n + count - 1) == Some(&(b + count - 1));
        let count = if side_by_side(4) {
            along_i::<{ 4 * BLOCK[0] }>(taps, reached, filtered[n..n + 4].as_flattened_mut());
            4
        } else if side_by_side(2) {
            along_i::<{ 2 * BLOCK[0] }>(taps, reached, filtered[n..n + 2].as_flattened_mut());
            2
        } else {
            along_i::<{ BLOCK[0] }>(taps, reached, &mut filtered[n]);
            1
        };
        n += count;
    }
}

/// Marks the blocks of slice `kb` that are open or within `margin` blocks along i of one that is;
/// whether there are any.
fn need(decided: &Decisions, kb: usize, margin: usize, needed: &mut [bool]) -> bool {
    let nib = decided.size[0];
    let mut any = false;
    for (jb, needed) in needed.chunks_exact_mut(nib).enumerate() {
        needed.fill(false);
        for (b, _) in decided.row(jb, kb).iter().enumerate().filter(|(_, d)| **d == Decision::Open)
        {
            needed[b.saturating_sub(margin)..(b + margin + 1).min(nib)].fill(true);
            any = true;
        }
    }
    any
}

/// Filters what is needed of a row along k, in some layers from slice `k` on.
#[inline(always)]
fn along_k(
    filter: &Filter<'_>,
    (k, layers): (usize, usize),
    row: usize,
    scratch: &mut Scratch,
    [nib, njb]: [usize; 2],
) {
    let Scratch { needed, wanted, read, clamped, column, rows, .. } = scratch;
    let [ni, nj, nk] = filter.question.size;
    let [_, half_j, half] = &filter.question.half;
    let (radius_j, radius) = (half_j.len() - 1, half.len() - 1);
    // The rows of blocks from which this one is reached.
    let first = row.saturating_sub(2 * radius_j) / BLOCK[1];
    let last = (row / BLOCK[1] + 1).min(njb);
    wanted.fill(false);
    read.fill(false);
    // The layers from the first to the last that want anything.
    let mut reading = layers..0;
    for (layer, wanted) in wanted.chunks_exact_mut(nib).take(layers).enumerate() {
        let needed = &needed[(layer * njb + first) * nib..(layer * njb + last) * nib];
        for needed in needed.chunks_exact(nib) {
            for (wanted, &needed) in wanted.iter_mut().zip(needed) {
                *wanted |= needed;
            }
        }
        let mut any = false;
        for (read, &wanted) in read.iter_mut().zip(&*wanted) {
            *read |= wanted;
            any |= wanted;
        }
        if any {
            reading = reading.start.min(layer)..layer + 1;
        }
    }
    if reading.is_empty() {
        return;
    }
    let k = k + reading.start * BLOCK[2];
    let j = row.saturating_sub(radius_j).min(nj - 1);
    let (deep, high) = (reach(half, reading.len() * BLOCK[2]), reach(half_j, BLOCK[1]));
    let mut at = 0;
    while let Some(span) = next_span(read, at) {
        let span = span.start..span.end.min(span.start + PIECE);
        at = span.end;
        let column = &mut column[..span.len() * deep];
        for n in 0..deep {
            let k = (k + n).saturating_sub(radius).min(nk - 1);
            let line = &filter.question.voxels[(k * nj + j) * ni..(k * nj + j + 1) * ni];
            let line = &line[span.start * BLOCK[0]..(span.end * BLOCK[0]).min(ni)];
            clamp(line, clamped, filter.question.low, filter.question.high);
            let into = column.iter_mut().skip(n).step_by(deep);
            for (into, values) in into.zip(clamped.as_chunks().0) {
                *into = *values;
            }
        }
        for layer in reading.clone() {
            let wanted = &wanted[layer * nib..(layer + 1) * nib];
            let slices = (layer - reading.start) * BLOCK[2]..;
            for (b, column) in span.clone().zip(column.chunks_exact(deep)) {
                if !wanted[b] {
                    continue;
                }
                let sums: [Lanes; BLOCK[2]] =
                    symmetric_sums(half, &column[slices.start..][..reach(half, BLOCK[2])]);
                for (s, sum) in sums.into_iter().enumerate() {
                    let at = ((layer * BLOCK[2] + s) * nib + b) * 2 * high + row % high;
                    rows[at] = sum;
                    rows[at + high] = sum;
                }
            }
        }
    }
}

#[inline(always)]
fn clamp(row: &[i16], into: &mut [f32], low: i16, high: i16) {
    for (into, &value) in into.iter_mut().zip(row) {
        *into = f32::from(value.max(low).min(high));
    }
}

/// Filters what is needed of a row of blocks along j.
#[inline(always)]
fn along_j(
    half: &[f32],
    rows: &[Lanes],
    (s, jb): (usize, usize),
    needed: &[bool],
    padded: &mut [f32],
    margin: usize,
) {
    let nib = needed.len();
    let high = reach(half, BLOCK[1]);
    let oldest = jb * BLOCK[1] % high;
    let stride = padded.len() / BLOCK[1];
    for (b, _) in needed.iter().enumerate().filter(|(_, needed)| **needed) {
        let at = (s * nib + b) * 2 * high + oldest;
        let sums: [Lanes; BLOCK[1]] = symmetric_sums(half, &rows[at..at + high]);
        for (padded, sum) in padded.chunks_exact_mut(stride).zip(sums) {
            padded[margin + b * BLOCK[0]..][..BLOCK[0]].copy_from_slice(&sum);
        }
    }
}

/// Filters `N` columns along i, from all values that they reach.
#[inline(always)]
fn along_i<const N: usize>(taps: &[(usize, f32)], reached: &[f32], into: &mut [f32]) {
    let Some((&(_, weight), pairs)) = taps.split_first() else { return };
    let radius = pairs.len();
    let mut sum = [0.0; N];
    if let Some(middle) = reached[radius..].first_chunk::<N>() {
        for n in 0..N {
            sum[n] = weight * middle[n];
        }
    }
    for &(distance, weight) in pairs {
        let before = reached[radius - distance..].first_chunk::<N>();
        let after = reached[radius + distance..].first_chunk::<N>();
        if let (Some(before), Some(after)) = (before, after) {
            for n in 0..N {
                sum[n] += weight * (before[n] + after[n]);
            }
        }
    }
    into.copy_from_slice(&sum);
}

/// Sums of what lies side by side with the weights of the kernel, from its middle outwards, for `N`
/// middles one after the other.
#[inline(always)]
fn symmetric_sums<const N: usize>(half: &[f32], reached: &[Lanes]) -> [Lanes; N] {
    let radius = half.len() - 1;
    let mut sums = [[0.0; BLOCK[0]]; N];
    if let Some(middles) = reached[radius..].first_chunk::<N>() {
        // Loops: the array's own `map` is a function apart, not compiled for AVX2.
        for (sum, middle) in sums.iter_mut().zip(middles) {
            for n in 0..BLOCK[0] {
                sum[n] = half[0] * middle[n];
            }
        }
    }
    let before = windows::<_, N>(&reached[..radius + N - 1]).rev();
    let after = windows::<_, N>(&reached[radius + 1..]);
    for ((before, after), &weight) in before.zip(after).zip(&half[1..]) {
        for n in 0..N {
            add_pair(&mut sums[n], &before[n], &after[n], weight);
        }
    }
    sums
}

#[inline(always)]
fn add_pair(sum: &mut Lanes, before: &Lanes, after: &Lanes, weight: f32) {
    for n in 0..BLOCK[0] {
        sum[n] += weight * (before[n] + after[n]);
    }
}

/// All `N` values side by side, as arrays: their length is known, so that sums stay in registers.
#[inline(always)]
fn windows<T, const N: usize>(values: &[T]) -> impl DoubleEndedIterator<Item = &[T; N]> {
    values.windows(N).filter_map(<[T]>::first_chunk)
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

/// One bit for each value above the threshold.
#[inline(always)]
fn above(values: &Lanes, threshold: f32) -> u64 {
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
            ni in 1usize..90, nj in 1usize..40, nk in 1usize..30, seed in any::<u64>(),
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
