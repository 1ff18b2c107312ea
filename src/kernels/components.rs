//! Connected components on runs, with statistics, and holes filled slice by slice.
//!
//! # Method
//! Each row of the mask is cut into runs, 64 voxels at a time; runs that touch in a neighbouring
//! row are joined by union-find (Rosenfeld and Pfaltz 1966, on runs as He, Chao and Suzuki 2008).
//! Slabs of slices are joined in parallel, their seams one after the other; the root of a component
//! is its first run, whatever the order of joins. Memory grows with the number of runs, not of
//! voxels.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::BitMask;
use super::bit_rows::{BitRows, runs_of_row};

/// Slices joined by one thread.
const SLAB: usize = 16;

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
    /// Sums of i, j, k over its voxels.
    sums: [u64; 3],
    /// Its runs within those of all components.
    range: Range<usize>,
    runs: Arc<Vec<Run>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    /// Row, `k * nj + j`.
    row: u32,
    /// First column and the one after the last.
    from: u32,
    to: u32,
}

impl Component {
    /// Offsets of its voxels in an array of `size`, ascending.
    pub fn offsets(&self, size: [usize; 3]) -> impl Iterator<Item = usize> + '_ {
        self.runs[self.range.clone()].iter().flat_map(move |run| {
            let row = run.row as usize * size[0];
            row + run.from as usize..row + run.to as usize
        })
    }

    /// Mean voxel index i, j, k.
    pub fn centroid(&self) -> [f64; 3] {
        self.sums.map(|sum| sum as f64 / self.voxels as f64)
    }
}

/// The runs of a mask, row by row.
struct Runs {
    runs: Vec<Run>,
    /// For each row the first of its runs; one more at the end.
    rows: Vec<u32>,
}

impl Runs {
    fn of(mask: &BitMask) -> Self {
        let [ni, nj, nk] = mask.size();
        let words = BitRows::from_packed(mask.size(), mask.words());
        // Slab by slab, then put together: `(runs, number of runs of each row)`.
        let slabs: Vec<(Vec<Run>, Vec<u32>)> = (0..nk.div_ceil(SLAB))
            .into_par_iter()
            .map(|slab| {
                let (mut runs, mut counts) = (Vec::new(), Vec::with_capacity(SLAB * nj));
                for row in slab * SLAB * nj..((slab + 1) * SLAB).min(nk) * nj {
                    let before = runs.len();
                    runs_of_row(words.row(row), ni, |from, to| {
                        runs.push(Run { row: row as u32, from: from as u32, to: to as u32 });
                    });
                    counts.push((runs.len() - before) as u32);
                }
                (runs, counts)
            })
            .collect();
        let mut runs = Vec::with_capacity(slabs.iter().map(|(runs, _)| runs.len()).sum());
        let mut rows = Vec::with_capacity(nj * nk + 1);
        let mut next = 0;
        rows.push(next);
        for (of_slab, counts) in slabs {
            runs.extend_from_slice(&of_slab);
            for count in counts {
                next += count;
                rows.push(next);
            }
        }
        Self { runs, rows }
    }

    fn row(&self, row: usize) -> Range<usize> {
        self.rows[row] as usize..self.rows[row + 1] as usize
    }
}

/// The first run of each component, by way of parents; `parents[n - base]` belongs to run `n`.
struct Forest<'a> {
    parents: &'a mut [u32],
    base: u32,
}

impl Forest<'_> {
    fn root(&mut self, n: u32) -> u32 {
        let mut n = n - self.base;
        loop {
            let above = self.parents[n as usize] - self.base;
            if above == n {
                return n + self.base;
            }
            let next = self.parents[above as usize];
            self.parents[n as usize] = next;
            n = next - self.base;
        }
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[(a.max(b) - self.base) as usize] = a.min(b);
    }

    /// Joins runs of two rows that touch, `reach` columns beyond their ends counting as touching.
    fn join_rows(&mut self, runs: &[Run], a: Range<usize>, b: Range<usize>, reach: u32) {
        let (mut x, mut y) = (a.start, b.start);
        while x < a.end && y < b.end {
            if runs[x].from < runs[y].to + reach && runs[y].from < runs[x].to + reach {
                self.join(x as u32, y as u32);
            }
            if runs[x].to < runs[y].to {
                x += 1;
            } else {
                y += 1;
            }
        }
    }

    /// Joins the rows of slice `k` with their neighbours in slice `k - 1`.
    fn join_slices(&mut self, runs: &Runs, nj: usize, k: usize, connectivity: Connectivity) {
        for j in 0..nj {
            let here = runs.row(k * nj + j);
            if here.is_empty() {
                continue;
            }
            let below = (k - 1) * nj;
            match connectivity {
                Connectivity::Faces => self.join_rows(&runs.runs, here, runs.row(below + j), 0),
                Connectivity::Corners => {
                    for other in j.saturating_sub(1)..=(j + 1).min(nj - 1) {
                        self.join_rows(&runs.runs, here.clone(), runs.row(below + other), 1);
                    }
                }
            }
        }
    }

    /// Joins the neighbouring rows of slice `k`.
    fn join_rows_of_slice(&mut self, runs: &Runs, nj: usize, k: usize, connectivity: Connectivity) {
        let reach = u32::from(connectivity == Connectivity::Corners);
        for row in k * nj + 1..(k + 1) * nj {
            let here = runs.row(row);
            if !here.is_empty() {
                self.join_rows(&runs.runs, here, runs.row(row - 1), reach);
            }
        }
    }
}

/// The connected components of a mask, ordered by their first voxel.
pub fn components(mask: &BitMask, connectivity: Connectivity) -> Vec<Component> {
    let [_, nj, nk] = mask.size();
    let runs = Runs::of(mask);
    let mut parents: Vec<u32> = (0..runs.runs.len() as u32).collect();
    // The parents of each slab apart.
    let mut slabs = Vec::new();
    let mut rest = parents.as_mut_slice();
    for slab in 0..nk.div_ceil(SLAB) {
        let slices = slab * SLAB..((slab + 1) * SLAB).min(nk);
        let (base, end) = (runs.rows[slices.start * nj], runs.rows[slices.end * nj]);
        let (own, after) = rest.split_at_mut((end - base) as usize);
        rest = after;
        slabs.push((slices, Forest { parents: own, base }));
    }
    slabs.into_par_iter().for_each(|(slices, mut forest)| {
        for k in slices.clone() {
            forest.join_rows_of_slice(&runs, nj, k, connectivity);
            if k > slices.start {
                forest.join_slices(&runs, nj, k, connectivity);
            }
        }
    });
    let mut forest = Forest { parents: &mut parents, base: 0 };
    for k in (SLAB..nk).step_by(SLAB) {
        forest.join_slices(&runs, nj, k, connectivity);
    }
    gather(&runs.runs, &parents, nj)
}

/// Statistics of each component and its runs side by side.
fn gather(runs: &[Run], parents: &[u32], nj: usize) -> Vec<Component> {
    // A parent comes before its children, and the root is the component's first run.
    let mut labels = vec![0u32; runs.len()];
    let mut found: Vec<Component> = Vec::new();
    let none = Arc::new(Vec::new());
    for (n, run) in runs.iter().enumerate() {
        let parent = parents[n] as usize;
        let (j, k) = (run.row as usize % nj, run.row as usize / nj);
        let (from, to) = (run.from as usize, run.to as usize);
        if parent == n {
            labels[n] = found.len() as u32;
            found.push(Component {
                voxels: 0,
                low: [from, j, k],
                high: [to - 1, j, k],
                sums: [0; 3],
                range: 0..0,
                runs: Arc::clone(&none),
            });
        } else {
            labels[n] = labels[parent];
        }
        let component = &mut found[labels[n] as usize];
        let count = (to - from) as u64;
        component.voxels += count;
        component.sums[0] += (from + to - 1) as u64 * count / 2;
        component.sums[1] += j as u64 * count;
        component.sums[2] += k as u64 * count;
        component.low =
            [component.low[0].min(from), component.low[1].min(j), component.low[2].min(k)];
        component.high =
            [component.high[0].max(to - 1), component.high[1].max(j), component.high[2].max(k)];
        component.range.end += 1;
    }
    let mut start = 0;
    for component in &mut found {
        let count = component.range.end;
        component.range = start..start;
        start += count;
    }
    let mut sorted = vec![Run::default(); runs.len()];
    for (&run, &label) in runs.iter().zip(&labels) {
        let range = &mut found[label as usize].range;
        sorted[range.end] = run;
        range.end += 1;
    }
    let sorted = Arc::new(sorted);
    for component in &mut found {
        component.runs = Arc::clone(&sorted);
    }
    found
}

/// The mask without the components that `keep` refuses.
pub fn keep_components(
    mask: &BitMask,
    connectivity: Connectivity,
    keep: impl Fn(&Component) -> bool,
) -> BitMask {
    let ni = mask.size()[0];
    let mut out = BitMask::empty(mask.size());
    for component in components(mask, connectivity) {
        if keep(&component) {
            for run in &component.runs[component.range.clone()] {
                let row = run.row as usize * ni;
                out.insert_range(row + run.from as usize..row + run.to as usize);
            }
        }
    }
    out
}

/// The mask with holes filled in every slice (k): background that does not reach the slice's
/// border over faces.
pub fn fill_holes_in_slices(mask: &BitMask) -> BitMask {
    let [ni, nj, nk] = mask.size();
    let rows = BitRows::from_packed(mask.size(), mask.words());
    let holes: Vec<Vec<Range<usize>>> = (0..nk)
        .into_par_iter()
        .map(|k| {
            let background = BitMask::from_rows([ni, nj, 1], |j, _, row| {
                for (out, &word) in row.iter_mut().zip(rows.row(k * nj + j)) {
                    *out = !word;
                }
            });
            let mut filled = Vec::new();
            for component in components(&background, Connectivity::Faces) {
                let at_border = component.low[0] == 0
                    || component.low[1] == 0
                    || component.high[0] + 1 == ni
                    || component.high[1] + 1 == nj;
                if !at_border {
                    for run in &component.runs[component.range.clone()] {
                        let row = (k * nj + run.row as usize) * ni;
                        filled.push(row + run.from as usize..row + run.to as usize);
                    }
                }
            }
            filled
        })
        .collect();
    let mut out = mask.clone();
    for range in holes.into_iter().flatten() {
        out.insert_range(range);
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
            ni in 1usize..9, nj in 1usize..7, nk in 1usize..40,
            bits in proptest::collection::vec(any::<bool>(), 9 * 7 * 40),
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
                    let mean = columns.iter().sum::<usize>() as f64 / list.len() as f64;
                    prop_assert!((component.centroid()[0] - mean).abs() < 1e-9);
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
