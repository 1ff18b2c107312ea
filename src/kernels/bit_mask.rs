//! One bit for each voxel of a grid.

use rayon::prelude::*;

use super::bit_rows::{last_word_bits, pack_slabs};

/// A set of voxels of a `[k, j, i]` array, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitMask {
    /// Columns, rows, slices.
    size: [usize; 3],
    words: Vec<u64>,
}

impl BitMask {
    /// No voxel of a grid of `size` = `[columns, rows, slices]`.
    pub fn empty(size: [usize; 3]) -> Self {
        let len = size[0] * size[1] * size[2];
        Self { size, words: vec![0; len.div_ceil(64)] }
    }

    /// The voxels (i, j, k) of a grid of `size` for which `inside` holds.
    pub fn from_fn(size: [usize; 3], inside: impl Fn(usize, usize, usize) -> bool + Sync) -> Self {
        let len = size[0] * size[1] * size[2];
        let mut words = vec![0u64; len.div_ceil(64)];
        words.par_chunks_mut(1024).enumerate().for_each(|(chunk, words)| {
            for (n, word) in words.iter_mut().enumerate() {
                let start = (chunk * 1024 + n) * 64;
                let (mut i, mut j) = (start % size[0], start / size[0] % size[1]);
                let mut k = start / size[0] / size[1];
                for bit in 0..64.min(len - start) {
                    if inside(i, j, k) {
                        *word |= 1 << bit;
                    }
                    i += 1;
                    if i == size[0] {
                        (i, j) = (0, j + 1);
                        if j == size[1] {
                            (j, k) = (0, k + 1);
                        }
                    }
                }
            }
        });
        Self { size, words }
    }

    /// The voxels whose bits `fill(j, k, row)` sets in the words of their row; bits beyond the end of
    /// the row are dropped.
    pub fn from_rows(size: [usize; 3], fill: impl Fn(usize, usize, &mut [u64]) + Sync) -> Self {
        let [ni, nj, _] = size;
        let width = ni.div_ceil(64).max(1);
        let last = last_word_bits(ni);
        let words = pack_slabs(
            size,
            1,
            || (),
            |(), slices, rows| {
                let first = slices.start * nj;
                for (n, row) in rows.chunks_exact_mut(width).enumerate() {
                    let row_of_grid = first + n;
                    fill(row_of_grid % nj, row_of_grid / nj, row);
                    if let Some(word) = row.last_mut() {
                        *word &= last;
                    }
                }
            },
        );
        Self { size, words }
    }

    /// The voxels at these offsets.
    pub fn from_offsets(size: [usize; 3], offsets: impl IntoIterator<Item = usize>) -> Self {
        let mut mask = Self::empty(size);
        for offset in offsets {
            mask.insert(offset);
        }
        mask
    }

    /// The 64 bits from `offset` on, zero beyond the last voxel.
    pub fn bits_from(&self, offset: usize) -> u64 {
        let (at, shift) = (offset >> 6, offset & 63);
        let word = |at: usize| self.words.get(at).copied().unwrap_or(0);
        if shift == 0 { word(at) } else { word(at) >> shift | word(at + 1) << (64 - shift) }
    }

    /// A mask over words that are there already, without gaps, zero beyond the last voxel.
    pub(super) fn from_words(size: [usize; 3], words: Vec<u64>) -> Self {
        debug_assert_eq!(words.len(), (size[0] * size[1] * size[2]).div_ceil(64));
        Self { size, words }
    }

    /// The words, without gaps between rows.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// `[columns, rows, slices]`.
    pub const fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Whether the voxel at `offset` of the `[k, j, i]` array is in the set.
    pub fn get(&self, offset: usize) -> bool {
        self.words[offset >> 6] >> (offset & 63) & 1 == 1
    }

    /// Whether voxel (i, j, k) is in the set.
    pub fn at(&self, i: usize, j: usize, k: usize) -> bool {
        self.get((k * self.size[1] + j) * self.size[0] + i)
    }

    /// Puts the voxel at `offset` into the set.
    pub fn insert(&mut self, offset: usize) {
        self.words[offset >> 6] |= 1 << (offset & 63);
    }

    /// Puts the voxels at offsets `range` into the set.
    pub fn insert_range(&mut self, range: std::ops::Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let bit = at & 63;
            let count = (64 - bit).min(range.end - at);
            self.words[at >> 6] |= (u64::MAX >> (64 - count)) << bit;
            at += count;
        }
    }

    /// Takes the voxel at `offset` out of the set.
    pub fn remove(&mut self, offset: usize) {
        self.words[offset >> 6] &= !(1 << (offset & 63));
    }

    /// Number of voxels in the set.
    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether no voxel is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The place of each voxel of the set among them, by offset.
    pub fn ranks(&self) -> Ranks<'_> {
        let mut before = 0;
        let counts = self.words.iter().map(|word| {
            let here = before;
            before += word.count_ones();
            here
        });
        Ranks { before: counts.collect(), mask: self }
    }

    /// Offsets of the voxels in the set, ascending.
    pub fn offsets(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(w, &word)| bits_of(w, word))
    }

    /// Visits the voxels of the set that lie at most `reach` voxels from `at` along each axis, by their offsets, with
    /// the squares of their distances from it in voxels. `reach` is 31 at most.
    pub fn for_each_around(
        &self,
        at: [usize; 3],
        reach: usize,
        mut visit: impl FnMut(usize, usize),
    ) {
        let [i, j, k] = [0, 1, 2].map(|axis| {
            at[axis].saturating_sub(reach)..(at[axis] + reach + 1).min(self.size[axis])
        });
        let squared = |axis: usize, to: usize| at[axis].abs_diff(to).pow(2);
        for to_k in k {
            for to_j in j.clone() {
                let row = (to_k * self.size[1] + to_j) * self.size[0] + i.start;
                let bits = self.bits_from(row) & (u64::MAX >> (64 - i.len().clamp(1, 64)));
                for n in bits_of(0, bits) {
                    let aside = squared(0, i.start + n) + squared(1, to_j) + squared(2, to_k);
                    visit(row + n, aside);
                }
            }
        }
    }

    /// What `change` makes of the offsets of the voxels in the set, without those of which it makes
    /// nothing, in their order.
    pub fn filter_map_offsets<T: Send>(
        &self,
        change: impl Fn(usize) -> Option<T> + Sync,
    ) -> Vec<T> {
        let parts: Vec<Vec<T>> = self
            .words
            .par_chunks(1024)
            .enumerate()
            .map(|(n, words)| {
                let words = words.iter().enumerate();
                let offsets = words.flat_map(|(w, &word)| bits_of(n * 1024 + w, word));
                offsets.filter_map(&change).collect()
            })
            .collect();
        parts.into_iter().flatten().collect()
    }
}

/// The offsets of the bits of word `w`.
fn bits_of(w: usize, word: u64) -> impl Iterator<Item = usize> {
    let mut rest = word;
    std::iter::from_fn(move || {
        (rest != 0).then(|| {
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            w * 64 + bit
        })
    })
}

/// Numbers the voxels of a mask from 0 on in the order of their offsets, so that what belongs to
/// them lies close together.
pub struct Ranks<'a> {
    mask: &'a BitMask,
    /// Voxels before each word.
    before: Vec<u32>,
}

impl Ranks<'_> {
    /// The number of the voxel at `offset`; `None` when it is not in the mask.
    pub fn of(&self, offset: usize) -> Option<usize> {
        let (at, bit) = (offset >> 6, offset & 63);
        let word = self.mask.words[at];
        (word >> bit & 1 == 1)
            .then(|| (self.before[at] + (word & ((1 << bit) - 1)).count_ones()) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::place_of;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn from_fn_asks_every_voxel_once(ni in 1usize..9, nj in 1usize..9, nk in 1usize..9, step in 1usize..7) {
            let mask = BitMask::from_fn([ni, nj, nk], |i, j, k| (i + 2 * j + 3 * k) % step == 0);
            for k in 0..nk {
                for j in 0..nj {
                    for i in 0..ni {
                        prop_assert_eq!(mask.at(i, j, k), (i + 2 * j + 3 * k) % step == 0);
                    }
                }
            }
        }

        #[test]
        fn offsets_give_back_what_was_inserted(set in proptest::collection::btree_set(0usize..210, 0..60)) {
            let mut mask = BitMask::empty([5, 6, 7]);
            for &offset in &set {
                mask.insert(offset);
            }
            prop_assert_eq!(mask.count(), set.len() as u64);
            prop_assert_eq!(mask.offsets().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            let even = mask.filter_map_offsets(|offset| (offset % 2 == 0).then_some(offset));
            prop_assert_eq!(even, set.iter().copied().filter(|o| o % 2 == 0).collect::<Vec<_>>());
            let ranks = mask.ranks();
            for offset in 0..210 {
                prop_assert_eq!(ranks.of(offset), set.iter().position(|&o| o == offset));
            }
        }

        #[test]
        fn around_a_voxel_are_those_of_the_set_within_reach(
            set in proptest::collection::btree_set(0usize..210, 0..90), at in 0usize..210, reach in 0usize..4,
        ) {
            let size = [5, 6, 7];
            let mut mask = BitMask::empty(size);
            for &offset in &set {
                mask.insert(offset);
            }
            let at = place_of(at, size);
            let far = |offset: usize| {
                let to = place_of(offset, size);
                [0, 1, 2].map(|axis| at[axis].abs_diff(to[axis]))
            };
            let mut found = Vec::new();
            mask.for_each_around(at, reach, |offset, squared| found.push((offset, squared)));
            let near = set.iter().filter(|&&offset| far(offset).iter().all(|&d| d <= reach));
            let expected: Vec<_> =
                near.map(|&offset| (offset, far(offset).iter().map(|d| d * d).sum::<usize>())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
