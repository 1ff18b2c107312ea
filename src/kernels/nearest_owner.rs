//! Voxels of a mask given to the seed that the shortest way leads to (Dijkstra 1959).

use super::{BitMask, place_of};

/// Gives each voxel of `domain` that hangs on a seed to the owner of the nearest one, by ways through the domain
/// whose steps lead at most `reach` voxels on along each axis (1: the 26 neighbours).
///
/// `seeds` are (offset, owner); those outside of the domain count as well. Of equal lengths the lower owner wins. The
/// answer is (offset, owner), from the nearest on, of equal lengths by offset.
pub fn nearest_owner(domain: &BitMask, seeds: &[(usize, u16)], reach: usize) -> Vec<(usize, u16)> {
    let size = domain.size();
    let voxels: usize = size.iter().product();
    // By the square of a step's length, in tenths of a voxel: whole numbers keep the order the same everywhere.
    let lengths: Vec<usize> = (0..=3 * reach * reach)
        .map(|squared| libm::round(10.0 * libm::sqrt(squared as f64)) as usize)
        .collect();
    // What waits, by length; every step makes a way longer, so that nothing comes to a length whose turn has come.
    let mut waiting: Vec<Vec<(usize, u16)>> = vec![Vec::new()];
    waiting[0].extend(seeds.iter().filter(|&&(offset, _)| offset < voxels));
    let ranks = domain.ranks();
    let mut shortest: Vec<usize> = vec![usize::MAX; domain.count() as usize];
    let mut free = domain.clone();
    let mut owned = BitMask::empty(size);
    let mut out = Vec::new();
    let mut length = 0;
    while length < waiting.len() {
        let mut turn = std::mem::take(&mut waiting[length]);
        turn.sort_unstable();
        for (offset, owner) in turn {
            if owned.get(offset) {
                continue;
            }
            owned.insert(offset);
            free.remove(offset);
            out.push((offset, owner));
            free.for_each_around(place_of(offset, size), reach, |to, squared| {
                let Some(rank) = ranks.of(to) else { return };
                let sum = length + lengths[squared];
                // Of equal lengths all are kept.
                if sum <= shortest[rank] {
                    shortest[rank] = sum;
                    if waiting.len() <= sum {
                        waiting.resize(sum + 1, Vec::new());
                    }
                    waiting[sum].push((to, owner));
                }
            });
        }
        length += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_half_of_a_bar_goes_to_its_own_end_and_a_piece_apart_to_nobody() {
        let domain = BitMask::from_fn([11, 3, 1], |i, j, _| j == 0 || (i == 5 && j == 2));
        let mut owned = nearest_owner(&domain, &[(0, 7), (10, 3)], 1);
        owned.sort_unstable();
        let owners: Vec<u16> = owned.iter().map(|&(_, owner)| owner).collect();
        assert_eq!(owners, [7, 7, 7, 7, 7, 3, 3, 3, 3, 3, 3], "the middle goes to the lower owner");
        assert_eq!(nearest_owner(&domain, &[(0, 7)], 2).len(), 12, "two voxels on are one step");
    }

    proptest! {
        #[test]
        fn agrees_with_lengths_made_shorter_until_nothing_changes(
            bits in proptest::collection::vec(any::<bool>(), 120),
            seeds in proptest::collection::vec((0usize..120, 0u16..4), 0..5),
            reach in 1usize..3,
        ) {
            let size = [6, 5, 4];
            let domain = BitMask::from_fn(size, |i, j, k| bits[(k * 5 + j) * 6 + i]);
            let mut best: BTreeMap<usize, (usize, u16)> = BTreeMap::new();
            for &(offset, owner) in &seeds {
                let at = best.entry(offset).or_insert((0, owner));
                *at = (*at).min((0, owner));
            }
            let r = reach as isize;
            loop {
                let before = best.clone();
                for (&from, &(length, owner)) in &before {
                    for (x, y, z) in (-r..=r).flat_map(|x| (-r..=r).flat_map(move |y| (-r..=r).map(move |z| (x, y, z)))) {
                        let at = place_of(from, size);
                        let along = |axis: usize, step: isize| at[axis].checked_add_signed(step).filter(|&to| to < size[axis]);
                        let (Some(i), Some(j), Some(k)) = (along(0, x), along(1, y), along(2, z)) else { continue };
                        let to = (k * size[1] + j) * size[0] + i;
                        if domain.get(to) && to != from {
                            let step = (100.0 * (x * x + y * y + z * z) as f64).sqrt().round() as usize;
                            let new = (length + step, owner);
                            let at = best.entry(to).or_insert(new);
                            *at = (*at).min(new);
                        }
                    }
                }
                if best == before {
                    break;
                }
            }
            let mut expected: Vec<(usize, usize, u16)> =
                best.into_iter().map(|(offset, (length, owner))| (length, offset, owner)).collect();
            expected.sort_unstable();
            let expected: Vec<(usize, u16)> = expected.into_iter().map(|(_, offset, owner)| (offset, owner)).collect();
            prop_assert_eq!(nearest_owner(&domain, &seeds, reach), expected);
        }
    }
}
