//! Which vertebra a rib's shaft belongs to, where two neighbours claim it.
//!
//! # Method
//! A rib falls on its way out and passes the transverse process of the vertebra below, closer than its
//! own head: the shortest way to its outer part may start at either. So the bone beyond all transverse
//! processes is looked at again, two neighbouring vertebrae of one side at a time, from the head down.
//! Where their bone hangs together, the sheets (parallel to the midline) in which both have some tell one
//! shaft from two. One shaft is the upper one's: ribs fall, transverse processes do not.
//!
//! # Limits
//! Two ribs that are one piece from the tips of the transverse processes on are taken for one.

use crate::kernels::{BitMask, Ranks, place_of};

/// Of the sheets in which two neighbours both have bone, at least this share must show one piece where
/// there is one shaft, and at most the rest of it where there are two: a rib breaks here and there in
/// thick slices, and two may touch.
const ONE_SHAFT: f64 = 0.75;

/// One voxel of the bone beyond the transverse processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Its offset in the grid.
    pub offset: usize,
    /// The sheet in which it lies, counted from the midline outward.
    pub sheet: i32,
    /// The vertebra that the walk gave it to, from feet to head.
    pub vertebra: usize,
}

/// What two neighbours have between them where their bone hangs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    OneShaft,
    TwoShafts,
    NotTold,
}

/// Voxels that lie at most this many on along each axis hang together: thin ribs break in thick slices.
pub const REACH: usize = 2;

/// Where the voxels lie, and which they are.
struct Grid<'a> {
    mask: &'a BitMask,
    ranks: Ranks<'a>,
}

/// Gives each shaft of one side to its vertebra; returns the lower ones of neighbours where it is not told
/// whether they have one shaft or two between them.
///
/// `voxels` lie on a grid of `size` and are in the order of their offsets, each once.
pub fn settle(size: [usize; 3], voxels: &mut [Outer]) -> Vec<usize> {
    let mask = BitMask::from_offsets(size, voxels.iter().map(|voxel| voxel.offset));
    let grid = Grid { mask: &mask, ranks: mask.ranks() };
    let highest = voxels.iter().map(|voxel| voxel.vertebra).max().unwrap_or(0);
    let mut not_told = Vec::new();
    // From the head down: what is settled above is in question no more.
    for lower in (0..highest).rev() {
        let of_pair = |voxel: &Outer| voxel.vertebra == lower || voxel.vertebra == lower + 1;
        let from: Vec<usize> = (0..voxels.len()).filter(|&at| of_pair(&voxels[at])).collect();
        for piece in pieces(&grid, voxels, from.into_iter(), |_, to| of_pair(to)) {
            match between(&grid, voxels, &piece, lower) {
                None | Some(Between::TwoShafts) => {}
                Some(Between::NotTold) => not_told.push(lower),
                Some(Between::OneShaft) => {
                    for at in piece {
                        voxels[at].vertebra = lower + 1;
                    }
                }
            }
        }
    }
    not_told.dedup();
    not_told
}

/// What a piece of two neighbours is; `None` where one of them has no part in it.
fn between(grid: &Grid<'_>, voxels: &[Outer], piece: &[usize], lower: usize) -> Option<Between> {
    let sheets_of = |vertebra: usize| -> Vec<i32> {
        let own = piece.iter().map(|&at| voxels[at]).filter(|voxel| voxel.vertebra == vertebra);
        let mut sheets: Vec<i32> = own.map(|voxel| voxel.sheet).collect();
        sheets.sort_unstable();
        sheets.dedup();
        sheets
    };
    let (mut both, upper) = (sheets_of(lower), sheets_of(lower + 1));
    if both.is_empty() || upper.is_empty() {
        return None;
    }
    both.retain(|sheet| upper.binary_search(sheet).is_ok());
    if both.is_empty() {
        // One begins where the other ends.
        return Some(Between::OneShaft);
    }
    let in_piece = |voxel: &Outer| voxel.vertebra == lower || voxel.vertebra == lower + 1;
    let mut count = vec![0usize; both.len()];
    let joined = |from: &Outer, to: &Outer| in_piece(to) && from.sheet == to.sheet;
    for part in pieces(grid, voxels, piece.iter().copied(), joined) {
        if let Ok(sheet) = both.binary_search(&voxels[part[0]].sheet) {
            count[sheet] += 1;
        }
    }
    let single = count.iter().filter(|&&count| count == 1).count() as f64 / both.len() as f64;
    Some(if single >= ONE_SHAFT {
        Between::OneShaft
    } else if single <= 1.0 - ONE_SHAFT {
        Between::TwoShafts
    } else {
        Between::NotTold
    })
}

/// The connected pieces that `from` lies in, over neighbours that `joined` lets pass from one to the
/// next; places in `voxels`.
fn pieces(
    grid: &Grid<'_>,
    voxels: &[Outer],
    from: impl Iterator<Item = usize>,
    joined: impl Fn(&Outer, &Outer) -> bool,
) -> Vec<Vec<usize>> {
    let mut seen = vec![false; voxels.len()];
    let mut out = Vec::new();
    for start in from {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut piece = vec![start];
        let mut next = 0;
        while let Some(&at) = piece.get(next) {
            next += 1;
            let place = place_of(voxels[at].offset, grid.mask.size());
            grid.mask.for_each_around(place, REACH, |offset, _| {
                if let Some(to) = grid.ranks.of(offset)
                    && !seen[to]
                    && joined(&voxels[at], &voxels[to])
                {
                    seen[to] = true;
                    piece.push(to);
                }
            });
        }
        out.push(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: [usize; 3] = [40, 12, 40];

    /// A shaft along i, three voxels thick, whose height falls from `k` by `fall` over its length; `owner`
    /// by how far out.
    fn shaft(
        k: usize,
        fall: usize,
        from: usize,
        to: usize,
        owner: impl Fn(usize) -> usize,
    ) -> Vec<Outer> {
        (from..to)
            .flat_map(|i| {
                let at = k - fall * (i - from) / (to - from);
                let vertebra = owner(i);
                (at - 1..=at + 1).flat_map(move |k| {
                    (4..7).map(move |j| Outer {
                        offset: (k * SIZE[1] + j) * SIZE[0] + i,
                        sheet: (i / 2) as i32,
                        vertebra,
                    })
                })
            })
            .collect()
    }

    fn settled(mut voxels: Vec<Outer>) -> (Vec<Outer>, Vec<usize>) {
        voxels.sort_by_key(|voxel| voxel.offset);
        voxels.dedup_by_key(|voxel| voxel.offset);
        let not_told = settle(SIZE, &mut voxels);
        (voxels, not_told)
    }

    fn has(voxels: &[Outer], vertebra: usize) -> bool {
        voxels.iter().any(|voxel| voxel.vertebra == vertebra)
    }

    #[test]
    fn bone_of_a_third_vertebra_that_touches_a_shaft_does_not_hide_it() {
        // Vertebra 2 holds voxels before the shaft in the order of offsets.
        let mut voxels = shaft(30, 10, 0, 38, |i| if i < 8 { 5 } else { 4 });
        let below = voxels.iter().filter(|v| v.vertebra == 4).map(|v| v.offset).min().unwrap();
        voxels.push(Outer { offset: below - SIZE[0] * SIZE[1], sheet: 18, vertebra: 2 });
        let (voxels, _) = settled(voxels);
        assert!(!has(&voxels, 4) && has(&voxels, 5) && has(&voxels, 2));
    }

    #[test]
    fn a_rib_that_passes_the_process_of_the_vertebra_below_stays_with_the_upper_one() {
        // The walk from vertebra 4 took over from voxel 8 on.
        let (voxels, not_told) = settled(shaft(30, 10, 0, 38, |i| if i < 8 { 5 } else { 4 }));
        assert!(!has(&voxels, 4) && has(&voxels, 5));
        assert!(not_told.is_empty());
    }

    #[test]
    fn every_rib_of_a_row_whose_outer_part_went_to_the_next_below_is_given_back() {
        let mut all = shaft(36, 6, 0, 38, |i| if i < 6 { 5 } else { 4 });
        all.extend(shaft(24, 6, 0, 38, |i| if i < 6 { 4 } else { 3 }));
        all.extend(shaft(12, 6, 0, 38, |i| if i < 6 { 3 } else { 2 }));
        let (voxels, not_told) = settled(all);
        assert!((3..6).all(|vertebra| has(&voxels, vertebra)) && !has(&voxels, 2));
        assert!(not_told.is_empty());
    }

    #[test]
    fn two_ribs_that_touch_far_out_stay_two() {
        let mut all = shaft(24, 12, 0, 38, |_| 5);
        all.extend(shaft(10, 0, 0, 38, |_| 4));
        let (voxels, not_told) = settled(all.clone());
        all.sort_by_key(|voxel| voxel.offset);
        assert!(has(&voxels, 4) && has(&voxels, 5));
        assert!(not_told.is_empty());
    }

    #[test]
    fn two_that_are_one_piece_on_half_of_the_way_are_not_told() {
        let mut all = shaft(16, 0, 0, 38, |_| 5);
        all.extend(shaft(10, 0, 0, 20, |_| 4));
        all.extend(shaft(13, 0, 0, 9, |_| 4));
        let (voxels, not_told) = settled(all);
        assert!(has(&voxels, 4) && has(&voxels, 5));
        assert_eq!(not_told, [4]);
    }

    proptest! {
        #[test]
        fn a_vertebra_only_gains_from_the_next_below_and_nothing_is_lost(
            owners in proptest::collection::vec((0usize..6, 0usize..SIZE[0] * SIZE[1] * SIZE[2]), 0..300),
        ) {
            let mut voxels: Vec<Outer> = owners
                .iter()
                .map(|&(vertebra, offset)| Outer { offset, sheet: (offset % SIZE[0] / 2) as i32, vertebra })
                .collect();
            voxels.sort_by_key(|voxel| voxel.offset);
            voxels.dedup_by_key(|voxel| voxel.offset);
            let before = voxels.clone();
            settle(SIZE, &mut voxels);
            prop_assert_eq!(before.len(), voxels.len());
            for (before, after) in before.iter().zip(&voxels) {
                prop_assert_eq!(before.offset, after.offset);
                prop_assert!(after.vertebra >= before.vertebra);
            }
        }
    }
}
