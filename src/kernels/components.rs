//! Connected components on runs, with statistics, and holes filled slice by slice.
//!
//! # Method
//! Each row of the mask is cut into runs; runs that touch in a neighbouring row are joined by
//! union-find (Rosenfeld and Pfaltz 1966, on runs as He, Chao and Suzuki 2008). Memory grows with
//! the number of runs, not of voxels.

use rayon::prelude::*;

use super::BitMask;

/// Which neighbours count as touching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// Voxels that share a face (6).
    Faces,
    /// Voxels that share a face, an edge or a corner (26).
    Corners,
}

/// One connected component. Components are ordered by their first voxel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Number of voxels.
    pub voxels: u64,
    /// Lowest i, j, k.
    pub low: [usize; 3],
    /// Highest i, j, k (inclusive).
    pub high: [usize; 3],
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    j: usize,
    k: usize,
    /// First column and the one after the last.
    from: usize,
    to: usize,
}

impl Component {
    /// Offsets of its voxels in an array of `size`, ascending.
    pub fn offsets(&self, size: [usize; 3]) -> impl Iterator<Item = usize> + '_ {
        self.runs.iter().flat_map(move |run| {
            let row = (run.k * size[1] + run.j) * size[0];
            row + run.from..row + run.to
        })
    }
}

fn runs_of_row(inside: impl Fn(usize) -> bool, ni: usize, j: usize, k: usize, runs: &mut Vec<Run>) {
    let mut i = 0;
    while i < ni {
        if inside(i) {
            let from = i;
            while i < ni && inside(i) {
                i += 1;
            }
            runs.push(Run { j, k, from, to: i });
        } else {
            i += 1;
        }
    }
}

fn root(parents: &mut [u32], mut n: u32) -> u32 {
    while parents[n as usize] != n {
        let above = parents[parents[n as usize] as usize];
        parents[n as usize] = above;
        n = above;
    }
    n
}

fn join(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parents, a), root(parents, b));
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    parents[high as usize] = low;
}

/// Joins runs of two rows that touch, `reach` columns beyond their ends counting as touching.
fn join_rows(
    runs: &[Run],
    a: std::ops::Range<usize>,
    b: std::ops::Range<usize>,
    reach: usize,
    parents: &mut [u32],
) {
    let (mut x, mut y) = (a.start, b.start);
    while x < a.end && y < b.end {
        if runs[x].from < runs[y].to + reach && runs[y].from < runs[x].to + reach {
            join(parents, x as u32, y as u32);
        }
        if runs[x].to < runs[y].to {
            x += 1;
        } else {
            y += 1;
        }
    }
}

/// The connected components of a mask, ordered by their first voxel.
pub fn components(mask: &BitMask, connectivity: Connectivity) -> Vec<Component> {
    let [ni, nj, nk] = mask.size();
    let mut runs = Vec::new();
    let mut rows = Vec::with_capacity(nj * nk + 1);
    for k in 0..nk {
        for j in 0..nj {
            rows.push(runs.len());
            let row = (k * nj + j) * ni;
            runs_of_row(|i| mask.get(row + i), ni, j, k, &mut runs);
        }
    }
    rows.push(runs.len());
    let mut parents: Vec<u32> = (0..runs.len() as u32).collect();
    let row = |j: usize, k: usize| rows[k * nj + j]..rows[k * nj + j + 1];
    for k in 0..nk {
        for j in 0..nj {
            let here = row(j, k);
            if here.is_empty() {
                continue;
            }
            match connectivity {
                Connectivity::Faces => {
                    if j > 0 {
                        join_rows(&runs, here.clone(), row(j - 1, k), 0, &mut parents);
                    }
                    if k > 0 {
                        join_rows(&runs, here, row(j, k - 1), 0, &mut parents);
                    }
                }
                Connectivity::Corners => {
                    if j > 0 {
                        join_rows(&runs, here.clone(), row(j - 1, k), 1, &mut parents);
                    }
                    if k > 0 {
                        for other in j.saturating_sub(1)..=(j + 1).min(nj - 1) {
                            join_rows(&runs, here.clone(), row(other, k - 1), 1, &mut parents);
                        }
                    }
                }
            }
        }
    }
    // The root of a component is its first run, so that the order is that of first voxels.
    let mut place = vec![usize::MAX; runs.len()];
    let mut found: Vec<Component> = Vec::new();
    for (n, &run) in runs.iter().enumerate() {
        let top = root(&mut parents, n as u32) as usize;
        if place[top] == usize::MAX {
            place[top] = found.len();
            found.push(Component {
                voxels: 0,
                low: [run.from, run.j, run.k],
                high: [run.to - 1, run.j, run.k],
                runs: Vec::new(),
            });
        }
        let component = &mut found[place[top]];
        component.voxels += (run.to - run.from) as u64;
        for (axis, (a, b)) in
            [(run.from, run.to - 1), (run.j, run.j), (run.k, run.k)].into_iter().enumerate()
        {
            component.low[axis] = component.low[axis].min(a);
            component.high[axis] = component.high[axis].max(b);
        }
        component.runs.push(run);
    }
    found
}

/// The mask without the components that `keep` refuses.
pub fn keep_components(
    mask: &BitMask,
    connectivity: Connectivity,
    keep: impl Fn(&Component) -> bool,
) -> BitMask {
    let mut out = BitMask::empty(mask.size());
    for component in components(mask, connectivity) {
        if keep(&component) {
            for offset in component.offsets(mask.size()) {
                out.insert(offset);
            }
        }
    }
    out
}

/// The mask with holes filled in every slice (k): background that does not reach the slice's
/// border over faces.
pub fn fill_holes_in_slices(mask: &BitMask) -> BitMask {
    let [ni, nj, nk] = mask.size();
    let holes: Vec<Vec<usize>> = (0..nk)
        .into_par_iter()
        .map(|k| {
            let mut background = BitMask::empty([ni, nj, 1]);
            let start = k * ni * nj;
            for offset in 0..ni * nj {
                if !mask.get(start + offset) {
                    background.insert(offset);
                }
            }
            let mut filled = Vec::new();
            for component in components(&background, Connectivity::Faces) {
                let at_border = component.low[0] == 0
                    || component.low[1] == 0
                    || component.high[0] + 1 == ni
                    || component.high[1] + 1 == nj;
                if !at_border {
                    filled.extend(component.offsets([ni, nj, 1]).map(|offset| start + offset));
                }
            }
            filled
        })
        .collect();
    let mut out = mask.clone();
    for offset in holes.into_iter().flatten() {
        out.insert(offset);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Flood filling, voxel by voxel.
    fn flood(mask: &BitMask, corners: bool) -> Vec<Vec<usize>> {
        let [ni, nj, nk] = mask.size();
        let mut seen = vec![false; ni * nj * nk];
        let mut out = Vec::new();
        for start in mask.offsets() {
            if seen[start] {
                continue;
            }
            seen[start] = true;
            let (mut stack, mut members) = (vec![start], Vec::new());
            while let Some(at) = stack.pop() {
                members.push(at);
                let (i, j, k) = (at % ni, at / ni % nj, at / ni / nj);
                for (di, dj, dk) in (0..27).map(|n| (n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1)) {
                    let steps = i32::abs(di) + i32::abs(dj) + i32::abs(dk);
                    if steps == 0 || (!corners && steps > 1) {
                        continue;
                    }
                    let (x, y, z) = (i as i32 + di, j as i32 + dj, k as i32 + dk);
                    if x < 0 || y < 0 || z < 0 || x >= ni as i32 || y >= nj as i32 || z >= nk as i32
                    {
                        continue;
                    }
                    let next = (z as usize * nj + y as usize) * ni + x as usize;
                    if mask.get(next) && !seen[next] {
                        seen[next] = true;
                        stack.push(next);
                    }
                }
            }
            members.sort_unstable();
            out.push(members);
        }
        out
    }

    proptest! {
        #[test]
        fn runs_give_the_components_of_flood_filling(
            ni in 1usize..9, nj in 1usize..7, nk in 1usize..5,
            bits in proptest::collection::vec(any::<bool>(), 9 * 7 * 5),
        ) {
            let mut mask = BitMask::empty([ni, nj, nk]);
            for offset in (0..ni * nj * nk).filter(|&n| bits[n]) {
                mask.insert(offset);
            }
            for (connectivity, corners) in [(Connectivity::Faces, false), (Connectivity::Corners, true)] {
                let found = components(&mask, connectivity);
                let lists: Vec<Vec<usize>> = found.iter().map(|c| c.offsets(mask.size()).collect()).collect();
                prop_assert_eq!(&lists, &flood(&mask, corners));
                for (component, list) in found.iter().zip(&lists) {
                    prop_assert_eq!(component.voxels, list.len() as u64);
                    let columns: Vec<usize> = list.iter().map(|n| n % ni).collect();
                    prop_assert_eq!(component.low[0], *columns.iter().min().unwrap());
                    prop_assert_eq!(component.high[0], *columns.iter().max().unwrap());
                }
            }
        }
    }

    #[test]
    fn a_ring_is_filled_and_an_open_ring_is_not() {
        let mut ring = BitMask::empty([5, 5, 1]);
        for (i, j) in [(1, 1), (2, 1), (3, 1), (1, 2), (3, 2), (1, 3), (2, 3), (3, 3)] {
            ring.insert(j * 5 + i);
        }
        assert_eq!(fill_holes_in_slices(&ring).count(), 9);
        ring.remove(2 * 5 + 1);
        assert_eq!(fill_holes_in_slices(&ring).count(), 7);
    }
}
