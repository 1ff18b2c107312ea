//! Voxels of a mask given to the seed that reaches them by the cheapest way (Dijkstra 1959).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{BitMask, neighbour, place_of};

/// Gives each voxel of `domain` that hangs on a seed, over 26 neighbours, to the owner of the seed
/// with the cheapest way to it. `seeds` are (offset, owner); `cost` is that of entering a voxel,
/// per tenth of its width. Equal costs go to the lower owner. The answer is (offset, owner), from
/// the cheapest on.
pub fn cheapest_owner(
    domain: &BitMask,
    seeds: &[(usize, u16)],
    cost: impl Fn(usize) -> u32,
) -> Vec<(usize, u16)> {
    let size = domain.size();
    let voxels = size.iter().product();
    let ranks = domain.ranks();
    let mut done = BitMask::empty(size);
    let mut cheapest: Vec<u32> = vec![u32::MAX; domain.count() as usize];
    let mut queue: BinaryHeap<Reverse<(u32, usize, u16)>> = seeds
        .iter()
        .filter(|&&(offset, _)| offset < voxels)
        .map(|&(offset, owner)| Reverse((0, offset, owner)))
        .collect();
    let mut out = Vec::new();
    while let Some(Reverse((spent, offset, owner))) = queue.pop() {
        if done.get(offset) {
            continue;
        }
        done.insert(offset);
        out.push((offset, owner));
        let at = place_of(offset, size);
        for n in (0..27).filter(|&n| n != 13) {
            let step = [n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1];
            let Some(to) = neighbour(at, step, size) else { continue };
            let Some(rank) = ranks.of(to).filter(|_| !done.get(to)) else { continue };
            let axes = step.iter().filter(|&&d| d != 0).count();
            let length = [0, 10, 14, 17][axes];
            let sum = spent.saturating_add(cost(to).saturating_mul(length) / 10);
            if sum <= cheapest[rank] {
                cheapest[rank] = sum;
                queue.push(Reverse((sum, to, owner)));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_of_a_bar_goes_to_its_own_end_and_a_piece_apart_to_nobody() {
        let domain = BitMask::from_fn([11, 3, 1], |i, j, _| j == 0 || (i == 5 && j == 2));
        let mut owned = cheapest_owner(&domain, &[(0, 7), (10, 3)], |_| 10);
        owned.sort_unstable();
        let owners: Vec<u16> = owned.iter().map(|&(_, owner)| owner).collect();
        assert_eq!(owners, [7, 7, 7, 7, 7, 3, 3, 3, 3, 3, 3], "the middle goes to the lower owner");
    }

    #[test]
    fn a_dear_wall_moves_the_border_to_itself() {
        let domain = BitMask::from_fn([11, 1, 1], |_, _, _| true);
        let owned =
            cheapest_owner(&domain, &[(0, 1), (10, 2)], |at| if at == 8 { 500 } else { 10 });
        assert_eq!(owned.iter().filter(|&&(_, owner)| owner == 1).count(), 8);
    }
}
