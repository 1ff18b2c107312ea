//! The rows of a bit mask as whole words, so that 64 voxels are worked on at once.
//!
//! A [`BitMask`](super::BitMask) lies without gaps, so that a row may start inside a word. Here each
//! row starts a word of its own; the bits beyond the row's end are zero. When the row length is a
//! multiple of 64 the two are the same and nothing is copied.

#![allow(
    clippy::inline_always,
    reason = "what is called from a loop for AVX2 must become part of it, or it stays at the baseline"
)]

use std::borrow::Cow;
use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

/// Words of one row, `[k, j]` rows after one another.
#[derive(Clone, Debug)]
pub(super) struct BitRows<'a> {
    /// Columns, rows, slices.
    pub size: [usize; 3],
    /// Words of a row.
    pub width: usize,
    pub words: Cow<'a, [u64]>,
}

/// The bits of the last word of a row of `ni` voxels that are voxels.
pub(super) const fn last_word_bits(ni: usize) -> u64 {
    match ni % 64 {
        0 => u64::MAX,
        n => (1 << n) - 1,
    }
}

impl<'a> BitRows<'a> {
    /// The rows of words without gaps.
    pub fn from_packed(size: [usize; 3], packed: &'a [u64]) -> Self {
        let [ni, nj, nk] = size;
        let width = ni.div_ceil(64);
        if ni.is_multiple_of(64) {
            return Self { size, width, words: Cow::Borrowed(packed) };
        }
        let mut words = vec![0; width * nj * nk];
        words.par_chunks_mut((width * nj).max(1)).enumerate().for_each(|(k, slice)| {
            for (j, row) in slice.chunks_exact_mut(width).enumerate() {
                let start = (k * nj + j) * ni;
                for (n, word) in row.iter_mut().enumerate() {
                    let bit = start + n * 64;
                    let (at, shift) = (bit >> 6, bit & 63);
                    *word = packed[at] >> shift;
                    if shift > 0 && at + 1 < packed.len() {
                        *word |= packed[at + 1] << (64 - shift);
                    }
                }
                if let Some(last) = row.last_mut() {
                    *last &= last_word_bits(ni);
                }
            }
        });
        Self { size, width, words: Cow::Owned(words) }
    }

    /// Words of one slice.
    pub const fn slice_width(&self) -> usize {
        self.width * self.size[1]
    }

    /// The words of row `row` = `k * nj + j`.
    pub fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.width..(row + 1) * self.width]
    }
}

/// Number of slices after which a slice starts a word again in words without gaps.
pub(super) fn slices_to_whole_words(size: [usize; 3]) -> usize {
    let slice = size[0] * size[1];
    64 >> slice.trailing_zeros().min(6)
}

/// Puts the bits of a row of `ni` voxels at bit `start` of words without gaps that are zero there.
pub(super) fn put_row(packed: &mut [u64], start: usize, ni: usize, row: &[u64]) {
    let (at, shift) = (start >> 6, start & 63);
    if shift == 0 && ni.is_multiple_of(64) {
        packed[at..at + row.len()].copy_from_slice(row);
        return;
    }
    for (n, &word) in row.iter().enumerate() {
        packed[at + n] |= word << shift;
        if shift > 0 {
            let high = word >> (64 - shift);
            if high != 0 {
                packed[at + n + 1] |= high;
            }
        }
    }
}

/// Calls `of_slab(slices, rows)` for slabs of about `slab` slices, in parallel, to fill their rows
/// (of `ni.div_ceil(64)` words each, zero at first), and packs them without gaps.
pub(super) fn pack_slabs<S>(
    size: [usize; 3],
    slab: usize,
    scratch: impl Fn() -> S + Sync + Send,
    of_slab: impl Fn(&mut S, Range<usize>, &mut [u64]) + Sync + Send,
) -> Vec<u64> {
    let [ni, nj, nk] = size;
    let mut packed = vec![0; (ni * nj * nk).div_ceil(64)];
    if packed.is_empty() {
        return packed;
    }
    let width = ni.div_ceil(64);
    let slab = slab.next_multiple_of(slices_to_whole_words(size));
    let words = (slab * ni * nj).div_ceil(64);
    packed.par_chunks_mut(words).enumerate().for_each_init(scratch, |scratch, (n, into)| {
        let slices = n * slab..((n + 1) * slab).min(nk);
        if ni.is_multiple_of(64) {
            of_slab(scratch, slices, into);
            return;
        }
        let mut rows = vec![0; width * nj * slices.len()];
        of_slab(scratch, slices, &mut rows);
        for (row, words) in rows.chunks_exact(width).enumerate() {
            put_row(into, row * ni, ni, words);
        }
    });
    packed
}

/// Calls `found(from, to)` for each run of set bits of a row of `ni` voxels, in order; `to` is the
/// column after the last.
pub(super) fn runs_of_row(row: &[u64], ni: usize, mut found: impl FnMut(usize, usize)) {
    let mut from = None;
    let mut carry = 0;
    for (n, &word) in row.iter().enumerate() {
        // A bit for each column whose value differs from the column before it.
        let mut changes = word ^ (word << 1 | carry);
        carry = word >> 63;
        while changes != 0 {
            let i = n * 64 + changes.trailing_zeros() as usize;
            changes &= changes - 1;
            match from.take() {
                None => from = Some(i),
                Some(start) => found(start, i),
            }
        }
    }
    if let Some(start) = from {
        found(start, ni);
    }
}

/// One bit for each value of a row above a level, from the lowest bit of the first word on.
#[multiversion(targets("x86_64+avx2"))]
pub fn bits_above(values: &[i16], level: i16, row: &mut [u64]) {
    let (whole, rest) = values.as_chunks::<16>();
    for (n, values) in whole.iter().enumerate() {
        row[n / 4] |= u64::from(above_16(values, level)) << (n % 4 * 16);
    }
    for (n, &value) in (whole.len() * 16..).zip(rest) {
        row[n / 64] |= u64::from(value > level) << (n % 64);
    }
}

#[inline(always)]
fn above_16(values: &[i16; 16], level: i16) -> u16 {
    // A bit of its own for each lane, or-ed together at the end: the compiler makes it vectors.
    let mut set = 0;
    for (n, &value) in values.iter().enumerate() {
        set |= if value > level { 1 << n } else { 0 };
    }
    set
}
