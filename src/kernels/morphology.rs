//! Erosion and dilation of masks by a box, axis by axis.

use super::BitMask;

/// Voxels all of whose neighbours within `radius` (i, j, k) voxels are in the mask; beyond the
/// border counts as inside, so that a body cut by the field is not worn away there.
pub fn erode(mask: &BitMask, radius: [usize; 3]) -> BitMask {
    each_axis(mask, radius, false)
}

/// Voxels that have one of the mask within `radius` (i, j, k) voxels.
pub fn dilate(mask: &BitMask, radius: [usize; 3]) -> BitMask {
    each_axis(mask, radius, true)
}

fn each_axis(mask: &BitMask, radius: [usize; 3], grow: bool) -> BitMask {
    let size = mask.size();
    let mut current = mask.clone();
    for axis in 0..3 {
        let r = radius[axis];
        if r == 0 {
            continue;
        }
        let step = [1, size[0], size[0] * size[1]][axis];
        let n = size[axis];
        let mut next = BitMask::empty(size);
        for start in line_starts(size, axis) {
            // The nearest voxel that decides (set for dilation, unset for erosion), before and after.
            let mut before: Option<usize> = None;
            let mut after: Option<usize> = None;
            let mut scanned = 0;
            for x in 0..n {
                while scanned < n && scanned <= x + r {
                    if current.get(start + scanned * step) == grow {
                        after = Some(scanned);
                        if scanned <= x {
                            before = after;
                        }
                    }
                    scanned += 1;
                }
                if current.get(start + x * step) == grow {
                    before = Some(x);
                }
                let near = before.is_some_and(|b| x - b <= r)
                    || after.is_some_and(|a| a >= x && a - x <= r);
                if near == grow {
                    next.insert(start + x * step);
                }
            }
        }
        current = next;
    }
    current
}

fn line_starts(size: [usize; 3], axis: usize) -> impl Iterator<Item = usize> {
    let [ni, nj, nk] = size;
    let lens = match axis {
        0 => [1, nj, nk],
        1 => [ni, 1, nk],
        _ => [ni, nj, 1],
    };
    (0..lens[2]).flat_map(move |k| {
        (0..lens[1]).flat_map(move |j| (0..lens[0]).map(move |i| (k * nj + j) * ni + i))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(mask: &BitMask, radius: [usize; 3], grow: bool) -> BitMask {
        let [ni, nj, nk] = mask.size();
        let mut out = BitMask::empty(mask.size());
        for k in 0..nk {
            for j in 0..nj {
                for i in 0..ni {
                    let (mut any, mut all) = (false, true);
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
            ni in 1usize..8, nj in 1usize..7, nk in 1usize..6,
            radius in proptest::array::uniform3(0usize..4),
            bits in proptest::collection::vec(any::<bool>(), 8 * 7 * 6),
        ) {
            let mut mask = BitMask::empty([ni, nj, nk]);
            for offset in (0..ni * nj * nk).filter(|&n| bits[n]) {
                mask.insert(offset);
            }
            prop_assert_eq!(dilate(&mask, radius), plain(&mask, radius, true));
            prop_assert_eq!(erode(&mask, radius), plain(&mask, radius, false));
        }
    }
}
