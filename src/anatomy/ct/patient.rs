//! The patient against air and couch, and bone against the patient's own soft tissue.

use super::coarse::{Coarse, LOWEST_MEASURED_HU};
use crate::geometry::{ContinuousIndex, Grid};
use crate::kernels::{
    BitMask, Connectivity, bits_above, components, dilate, erode, fill_holes_in_slices,
    keep_components, median,
};
use crate::volume::Volume;

/// Denser than this is tissue, HU.
const TISSUE_HU: f64 = -300.0;
/// What is thinner than twice this in the axial plane is couch, sheet or line, mm.
const THIN_MM: f64 = 4.0;
/// Bone is this much denser than the median of soft tissue, HU: cortex and dense marrow are, muscle
/// and unenhanced vessels are not; more where noise asks for it.
const BONE_CONTRAST_HU: (f64, f64) = (100.0, 200.0);
/// Smallest piece of bone, mm³, and the share of it that must reach cortical density: vessels,
/// kidneys and bowel full of contrast medium do not.
const LEAST_BONE_MM3: f64 = 500.0;
const CORTICAL_HU: f64 = 250.0;
const CORTICAL_SHARE: f64 = 0.02;

/// The masks on the grid of the series.
pub struct Patient {
    /// The patient, holes filled slice by slice; `None` when nothing is denser than air.
    pub body_outline: Option<BitMask>,
    /// Bone; `None` when there is none.
    pub bone: Option<BitMask>,
}

/// Tells the patient from air and couch, and bone from soft tissue.
pub fn patient(volume: &Volume<i16>, coarse: &Coarse) -> Patient {
    let Some(inside) = coarse_body(coarse) else {
        return Patient { body_outline: None, bone: None };
    };
    let grid = &volume.grid;
    let nearest = NearestCoarse::new(grid, &coarse.grid);
    let outline = dense_within(volume, TISSUE_HU, &inside, &nearest);
    let outline = fill_holes_in_slices(&outline);
    let bone = bone(volume, coarse, &inside, &nearest);
    Patient {
        body_outline: (!outline.is_empty()).then_some(outline),
        bone: bone.filter(|bone| !bone.is_empty()),
    }
}

/// The largest piece of tissue on the coarse grid, without what is thin.
fn coarse_body(coarse: &Coarse) -> Option<BitMask> {
    let size = coarse.hu.size();
    let tissue = BitMask::from_fn(size, |i, j, k| f64::from(coarse.hu.at(i, j, k)) > TISSUE_HU);
    let r = libm::round(THIN_MM / coarse.spacing).max(1.0) as usize;
    let opened = erode(&tissue, [r, r, 0]);
    let pieces = components(&opened, Connectivity::Faces);
    let largest = pieces.iter().max_by_key(|piece| piece.voxels)?;
    let body = BitMask::from_offsets(size, largest.offsets(size));
    // One voxel more than was worn away, within tissue: skin folds and fingers come back.
    Some(dilate(&body, [r + 1, r + 1, 0]))
}

fn bone(
    volume: &Volume<i16>,
    coarse: &Coarse,
    inside: &BitMask,
    nearest: &NearestCoarse,
) -> Option<BitMask> {
    let soft = |at: usize| {
        let hu = f64::from(coarse.hu.data()[at]);
        (-20.0..120.0).contains(&hu)
    };
    // Of millions of voxels every eighth is enough, as for the noise below.
    let tissue = inside.offsets().filter(|&at| soft(at)).step_by(8);
    let level = median(tissue.map(|at| f64::from(coarse.hu.data()[at])))?;
    let grid = &volume.grid;
    // Noise of single voxels against their smoothed surroundings, on every seventh.
    let [ni, nj, nk] = grid.size();
    let mut differences = Vec::new();
    for k in (0..nk).step_by(3) {
        for j in (0..nj).step_by(7) {
            for i in (0..ni).step_by(7) {
                if let Some(at) = nearest.offset(i, j, k)
                    && inside.get(at)
                    && soft(at)
                {
                    let offset = (k * nj + j) * ni + i;
                    let hu = f64::from(volume.voxels[offset]);
                    differences.push((hu - f64::from(coarse.hu.data()[at])).abs());
                }
            }
        }
    }
    let noise = 1.48 * median(differences)?;
    let threshold = level + (2.5 * noise).clamp(BONE_CONTRAST_HU.0, BONE_CONTRAST_HU.1);
    // Half of the contrast must remain after smoothing, so that single noisy voxels do not count.
    let smoothed = level + 0.5 * (threshold - level);
    let mut still_dense = inside.clone();
    for at in inside.offsets() {
        if f64::from(coarse.hu.data()[at]) <= smoothed {
            still_dense.remove(at);
        }
    }
    let dense = dense_within(volume, threshold, &still_dense, nearest);
    let least = (LEAST_BONE_MM3 / grid.voxel_mm3()).max(1.0);
    Some(keep_components(&dense, Connectivity::Corners, |piece| {
        let voxels = piece.voxels as f64;
        voxels >= least && {
            let cortical = piece
                .offsets(grid.size())
                .filter(|&offset| f64::from(volume.voxels[offset]) > level + CORTICAL_HU)
                .count();
            cortical as f64 >= CORTICAL_SHARE * voxels
        }
    }))
}

/// Measured voxels above a threshold (HU) whose nearest coarse voxel is in a mask.
fn dense_within(
    volume: &Volume<i16>,
    above: f64,
    inside: &BitMask,
    nearest: &NearestCoarse,
) -> BitMask {
    let grid = &volume.grid;
    let [ni, nj, _] = grid.size();
    let validity = &volume.validity;
    // Whole numbers above a threshold are those above its whole part.
    let above = libm::floor(above).clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
    BitMask::from_rows(grid.size(), |j, k, row| {
        let start = (k * nj + j) * ni;
        bits_above(&volume.voxels[start..start + ni], above.max(LOWEST_MEASURED_HU), row);
        for mask in [&validity.padding, &validity.outside_field_of_view].into_iter().flatten() {
            for (n, word) in row.iter_mut().enumerate() {
                *word &= !mask.bits_from(start + n * 64);
            }
        }
        if row.iter().any(|&word| word != 0) {
            nearest.keep_inside(inside, j, k, row);
        }
    })
}

/// The coarse voxel nearest to a native one, by a fixed affine.
struct NearestCoarse {
    size: [usize; 3],
    start: ContinuousIndex,
    steps: [ContinuousIndex; 3],
    /// Where both grids lie along the same axes.
    tables: Option<Tables>,
}

/// The nearest coarse voxels of grids along the same axes.
struct Tables {
    /// For each native i the coarse i.
    along_i: Vec<Option<usize>>,
    /// The same for j and k.
    along_j: Vec<Option<usize>>,
    along_k: Vec<Option<usize>>,
    /// Ends of the runs of native columns with the same coarse one.
    ends: Vec<usize>,
}

impl NearestCoarse {
    fn new(native: &Grid, coarse: &Grid) -> Self {
        let steps = [0, 1, 2].map(|axis| coarse.vector_to_index(native.step(axis)));
        let mut nearest = Self {
            size: coarse.size(),
            start: coarse.to_index(native.origin()),
            steps,
            tables: None,
        };
        let [a, b, c] = &steps;
        if [a.j, a.k, b.i, b.k, c.i, c.j].iter().all(|&x| x == 0.0) {
            let [ni, nj, nk] = native.size();
            let along_i: Vec<Option<usize>> = (0..ni).map(|i| nearest.along(0, i, 0, 0)).collect();
            let mut ends = Vec::new();
            for run in along_i.chunk_by(|a, b| a == b) {
                ends.push(ends.last().copied().unwrap_or(0) + run.len());
            }
            let along_j = (0..nj).map(|j| nearest.along(1, 0, j, 0)).collect();
            let along_k = (0..nk).map(|k| nearest.along(2, 0, 0, k)).collect();
            nearest.tables = Some(Tables { along_i, along_j, along_k, ends });
        }
        nearest
    }

    /// The coarse index along one axis; `None` outside.
    fn along(&self, axis: usize, i: usize, j: usize, k: usize) -> Option<usize> {
        let of = |index: &ContinuousIndex| [index.i, index.j, index.k][axis];
        let [a, b, c] = self.steps.each_ref().map(of);
        let n = self.size[axis];
        // The far border of the native grid may lie up to a coarse voxel beyond the last centre.
        let x = (of(&self.start) + a * i as f64 + b * j as f64 + c * k as f64).round();
        (x > -1.5 && x < n as f64 + 0.5 && n > 0).then(|| (x.max(0.0) as usize).min(n - 1))
    }

    /// Drops the bits of the native row (j, k) whose nearest coarse voxel is not in the mask.
    fn keep_inside(&self, inside: &BitMask, j: usize, k: usize, row: &mut [u64]) {
        let drop_bits = |row: &mut [u64], offset: &dyn Fn(usize) -> Option<usize>| {
            for (n, word) in row.iter_mut().enumerate() {
                let mut rest = *word;
                while rest != 0 {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    if !offset(n * 64 + bit).is_some_and(|at| inside.get(at)) {
                        *word &= !(1 << bit);
                    }
                }
            }
        };
        let Some(Tables { along_i, along_j, along_k, ends }) = &self.tables else {
            drop_bits(row, &|i| self.offset(i, j, k));
            return;
        };
        let (Some(y), Some(z)) = (along_j[j], along_k[k]) else {
            row.fill(0);
            return;
        };
        let start = (z * self.size[1] + y) * self.size[0];
        let is_inside = |i: usize| along_i[i].is_some_and(|x| inside.get(start + x));
        // Neighbouring columns of one coarse column are in or out together.
        let (mut from, mut out) = (0, 0);
        for &to in ends {
            if is_inside(from) {
                clear(row, out..from);
                out = to;
            }
            from = to;
        }
        clear(row, out..from);
    }

    fn offset(&self, i: usize, j: usize, k: usize) -> Option<usize> {
        let x = self.along(0, i, j, k)?;
        let y = self.along(1, i, j, k)?;
        let z = self.along(2, i, j, k)?;
        Some((z * self.size[1] + y) * self.size[0] + x)
    }
}

/// Clears the bits of columns `range`.
fn clear(row: &mut [u64], range: std::ops::Range<usize>) {
    let mut at = range.start;
    while at < range.end {
        let bit = at % 64;
        let count = (64 - bit).min(range.end - at);
        row[at / 64] &= !((u64::MAX >> (64 - count)) << bit);
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::coarse_grid;
    use crate::geometry::{LpsPoint, LpsVector, VoxelIndex};
    use crate::volume::Validity;

    /// A cylinder of tissue of 60 mm radius with a lung and a rod of bone, over a thin couch.
    fn cylinder() -> Volume<i16> {
        let grid = Grid::new(
            [100, 120, 10],
            LpsPoint::new(-100.0, -100.0, 0.0),
            LpsVector::new(2.0, 0.0, 0.0),
            LpsVector::new(0.0, 2.0, 0.0),
            LpsVector::new(0.0, 0.0, 5.0),
        )
        .unwrap();
        let voxels = (0..grid.len())
            .map(|n| {
                let index = VoxelIndex { i: n % 100, j: n / 100 % 120, k: n / 12000 };
                let p = grid.voxel_to_lps(index);
                let distance = |x: f64, y: f64| libm::hypot(p.x() - x, p.y() - y);
                if distance(0.0, 30.0) < 10.0 {
                    700
                } else if distance(25.0, 0.0) < 15.0 {
                    -850
                } else if distance(0.0, 0.0) < 60.0 {
                    40
                } else if (p.y() - 80.0).abs() < 3.0 {
                    100
                } else {
                    -1000
                }
            })
            .collect();
        Volume { grid, voxels, validity: Validity::default() }
    }

    #[test]
    fn the_couch_is_left_out_and_the_lung_filled() {
        let volume = cylinder();
        let coarse = coarse_grid(&volume).unwrap();
        let found = patient(&volume, &coarse);
        let outline = found.body_outline.unwrap();
        let mm2 = outline.count() as f64 * 4.0 / 10.0;
        let expected = std::f64::consts::PI * 60.0 * 60.0;
        assert!((mm2 / expected - 1.0).abs() < 0.03, "{mm2} mm² against {expected}");
        assert!(!outline.at(50, 90, 5), "couch");
        assert!(outline.at(62, 50, 5), "lung");
    }

    #[test]
    fn the_rod_of_bone_is_found_and_nothing_else() {
        let volume = cylinder();
        let coarse = coarse_grid(&volume).unwrap();
        let bone = patient(&volume, &coarse).bone.unwrap();
        let mm2 = bone.count() as f64 * 4.0 / 10.0;
        let expected = std::f64::consts::PI * 100.0;
        assert!((mm2 / expected - 1.0).abs() < 0.15, "{mm2} mm² against {expected}");
        assert!(bone.at(50, 65, 5));
    }
}
