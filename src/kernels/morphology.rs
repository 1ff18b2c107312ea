//! Erosion, dilation and opening of masks by a box, 64 voxels at a time.

use super::BitMask;
use super::bit_rows::{BitRows, last_word_bits, pack_slabs};

/// Slices worked on by one thread at a time.
const SLAB: usize = 8;

/// What lies beyond the border of the grid when a mask is worn away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The mask goes on, so that a body cut by the field is not worn away there.
    Inside,
    /// Nothing is there: the border is worn away.
    Outside,
}

/// Voxels all of whose neighbours within `radius` (i, j, k) voxels are in the mask; beyond the
/// border counts as inside, so that a body cut by the field is not worn away there.
pub fn erode(mask: &BitMask, radius: [usize; 3]) -> BitMask {
    erode_with_border(mask, radius, Beyond::Inside)
}

/// Voxels all of whose neighbours within `radius` (i, j, k) voxels are in the mask.
pub fn erode_with_border(mask: &BitMask, radius: [usize; 3], beyond: Beyond) -> BitMask {
    match beyond {
        Beyond::Inside => filter::<Erosion<true>>(mask, radius),
        Beyond::Outside => filter::<Erosion<false>>(mask, radius),
    }
}

/// Voxels that have one of the mask within `radius` (i, j, k) voxels.
pub fn dilate(mask: &BitMask, radius: [usize; 3]) -> BitMask {
    filter::<Dilation>(mask, radius)
}

/// Erosion, then dilation: what is thinner than `2 * radius + 1` voxels is left out.
pub fn open(mask: &BitMask, radius: [usize; 3], beyond: Beyond) -> BitMask {
    dilate(&erode_with_border(mask, radius, beyond), radius)
}

/// How two words of neighbours become one.
trait Operation {
    /// What stands beyond the border: all bits or none.
    const BEYOND: u64;
    /// What changes no word.
    const NEUTRAL: u64;
    fn combine(a: u64, b: u64) -> u64;
}

struct Dilation;
struct Erosion<const INSIDE: bool>;

impl Operation for Dilation {
    const BEYOND: u64 = 0;
    const NEUTRAL: u64 = 0;
    fn combine(a: u64, b: u64) -> u64 {
        a | b
    }
}

impl<const INSIDE: bool> Operation for Erosion<INSIDE> {
    const BEYOND: u64 = if INSIDE { u64::MAX } else { 0 };
    const NEUTRAL: u64 = u64::MAX;
    fn combine(a: u64, b: u64) -> u64 {
        a & b
    }
}

fn filter<O: Operation>(mask: &BitMask, radius: [usize; 3]) -> BitMask {
    let size = mask.size();
    let rows = BitRows::from_packed(size, mask.words());
    let words = pack_slabs(
        size,
        SLAB,
        || vec![0; rows.slice_width()],
        |plane, slices, into| {
            for (k, into) in slices.zip(into.chunks_exact_mut(rows.slice_width())) {
                filter_slice::<O>(&rows, radius, k, plane, into);
            }
        },
    );
    BitMask::from_words(size, words)
}

/// One slice: along k into `plane`, then along j and i into `into`.
fn filter_slice<O: Operation>(
    rows: &BitRows<'_>,
    radius: [usize; 3],
    k: usize,
    plane: &mut [u64],
    into: &mut [u64],
) {
    let [ni, nj, nk] = rows.size;
    let len = rows.slice_width();
    let cut_k = k < radius[2] || k + radius[2] >= nk;
    plane.fill(if cut_k { O::combine(O::BEYOND, O::NEUTRAL) } else { O::NEUTRAL });
    for other in k.saturating_sub(radius[2])..=(k + radius[2]).min(nk - 1) {
        let source = &rows.words[other * len..(other + 1) * len];
        for (a, &b) in plane.iter_mut().zip(source) {
            *a = O::combine(*a, b);
        }
    }
    let last = last_word_bits(ni);
    for (j, row) in into.chunks_exact_mut(rows.width).enumerate() {
        let cut_j = j < radius[1] || j + radius[1] >= nj;
        row.fill(if cut_j { O::combine(O::BEYOND, O::NEUTRAL) } else { O::NEUTRAL });
        for other in j.saturating_sub(radius[1])..=(j + radius[1]).min(nj - 1) {
            let source = &plane[other * rows.width..(other + 1) * rows.width];
            for (a, &b) in row.iter_mut().zip(source) {
                *a = O::combine(*a, b);
            }
        }
        // What lies after the row's end, in the last word.
        if let Some(word) = row.last_mut() {
            *word = (*word & last) | (O::BEYOND & !last);
        }
        along_row::<O>(row, radius[0]);
        if let Some(word) = row.last_mut() {
            *word &= last;
        }
    }
}

/// Combines each bit of a row with those up to `radius` before and after it.
fn along_row<O: Operation>(row: &mut [u64], radius: usize) {
    // A reach of r grows to r + s by a shift of s both ways; with s <= r + 1 nothing is missed that
    // could be seen only from beyond the border.
    let mut reach = 0;
    while reach < radius {
        let shift = (reach + 1).min(radius - reach).min(63);
        let mut before = O::BEYOND;
        for n in 0..row.len() {
            let here = row[n];
            let after = row.get(n + 1).copied().unwrap_or(O::BEYOND);
            let from_before = here << shift | before >> (64 - shift);
            let from_after = here >> shift | after << (64 - shift);
            row[n] = O::combine(here, O::combine(from_before, from_after));
            before = here;
        }
        reach += shift;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(mask: &BitMask, radius: [usize; 3], grow: bool, beyond: Beyond) -> BitMask {
        let [ni, nj, nk] = mask.size();
        let mut out = BitMask::empty(mask.size());
        for k in 0..nk {
            for j in 0..nj {
                for i in 0..ni {
                    let cut = i < radius[0]
                        || j < radius[1]
                        || k < radius[2]
                        || i + radius[0] >= ni
                        || j + radius[1] >= nj
                        || k + radius[2] >= nk;
                    let (mut any, mut all) = (false, beyond == Beyond::Inside || !cut);
                    for z in k.saturating_sub(radius[2])..=(k + radius[2]).min(nk - 1) {
                        for y in j.saturating_sub(radius[1])..=(j + radius[1]).min(nj - 1) {
                            for x in i.saturating_sub(radius[0])..=(i + radius[0]).min(ni - 1) {
                                any |= mask.at(x, y, z);
                                all &= mask.at(x, y, z);
                            }
                        }
                    }
                    if if grow { any } else { all } {
                        out.insert((k * nj + j) * ni + i);
                    }
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn box_erosion_and_dilation_agree_with_a_plain_loop(
            ni in 1usize..8, nj in 1usize..7, nk in 1usize..6, wide in 0usize..140,
            radius in proptest::array::uniform3(0usize..7), share in 0.02..0.98f64, seed in 0u64..9999,
        ) {
            let size = [ni + wide, nj, nk];
            let mut state = seed;
            let mut mask = BitMask::empty(size);
            for offset in 0..size[0] * nj * nk {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                if ((state >> 40) as f64) < share * f64::from(1 << 24) {
                    mask.insert(offset);
                }
            }
            prop_assert_eq!(dilate(&mask, radius), plain(&mask, radius, true, Beyond::Outside));
            prop_assert_eq!(erode(&mask, radius), plain(&mask, radius, false, Beyond::Inside));
            let worn = plain(&mask, radius, false, Beyond::Outside);
            prop_assert_eq!(
                open(&mask, radius, Beyond::Outside), plain(&worn, radius, true, Beyond::Outside)
            );
            prop_assert_eq!(erode_with_border(&mask, radius, Beyond::Outside), worn);
        }
    }

    #[test]
    fn a_wide_box_reaches_over_words() {
        for column in [0, 2, 150, 297] {
            let mut mask = BitMask::empty([300, 2, 1]);
            mask.insert(column);
            for radius in [1, 4, 5, 31, 63, 64, 90, 149, 200] {
                check_along_i(&mask, radius);
            }
        }
    }

    fn check_along_i(mask: &BitMask, radius: usize) {
        let grown = dilate(mask, [radius, 0, 0]);
        assert_eq!(grown, plain(mask, [radius, 0, 0], true, Beyond::Outside));
        assert_eq!(
            erode(&grown, [radius, 0, 0]),
            plain(&grown, [radius, 0, 0], false, Beyond::Inside)
        );
    }
}
