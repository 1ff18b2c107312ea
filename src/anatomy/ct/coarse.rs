//! The coarse grid on which the spine is searched: along LPS or turned about z, isotropic, Hounsfield units.

use super::sampling::samples;
use crate::geometry::{ContinuousIndex, Frame, Grid, LpsPoint, LpsVector, VoxelIndex};
use crate::kernels::{Array3, place_of, resample_onto};
use crate::volume::Volume;

/// Spacing of the coarse grid, mm. 3 mm found as many bodies in the trials; 1.5 mm more false ones.
const SPACING_MM: f64 = 2.0;
/// Largest coarse grid; a larger field is searched on a coarser grid, so that a header with
/// impossible spacing cannot take the machine's memory.
const MAX_VOXELS: f64 = 4e7;
/// What stands in the coarse grid where nothing was measured, HU.
pub const OUTSIDE: f32 = -2000.0;
/// Below this a CT value is no measurement but padding (air is -1000 HU), whatever the header says.
pub const LOWEST_MEASURED_HU: i16 = -1500;

/// The coarse grid.
pub struct Coarse {
    /// Hounsfield units, [`OUTSIDE`] where nothing was measured.
    pub hu: Array3<f32>,
    /// Where its voxels lie: steps to the left, to the back, to the head.
    pub grid: Grid,
    /// Distance of its voxels, mm.
    pub spacing: f64,
    /// Direction of its rows and, reversed, of its columns: the patient's left and front as far as
    /// they are known.
    pub left: LpsVector,
    /// See `left`.
    pub anterior: LpsVector,
}

/// Whether the voxel at `offset` holds a measured value.
pub fn is_measured(volume: &Volume<i16>, offset: usize) -> bool {
    volume.voxels[offset] > LOWEST_MEASURED_HU && volume.validity.is_measured(offset)
}

/// Resamples a volume onto the coarse grid; `None` when it has no voxels or no sensible extent.
pub fn coarse_grid(volume: &Volume<i16>) -> Option<Coarse> {
    turned_coarse_grid(volume, 0.0)
}

/// The coarse grid for a patient who lies turned about the z axis: its rows run along the front
/// turned by `turn` towards the left, radians.
pub fn turned_coarse_grid(volume: &Volume<i16>, turn: f64) -> Option<Coarse> {
    let (c, s) = (libm::cos(turn), libm::sin(turn));
    let axes = [
        LpsVector::LEFT * c - LpsVector::ANTERIOR * s,
        LpsVector::LEFT * -s - LpsVector::ANTERIOR * c,
        LpsVector::HEAD,
    ];
    let grid = &volume.grid;
    if grid.is_empty() || volume.voxels.len() != grid.len() {
        return None;
    }
    let last = grid.size().map(|n| n as f64 - 1.0);
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for corner in 0..8 {
        let end = |axis: usize| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 };
        let corner = grid.to_lps(ContinuousIndex { i: end(0), j: end(1), k: end(2) });
        let from_zero = corner - LpsPoint::new(0.0, 0.0, 0.0);
        for axis in 0..3 {
            low[axis] = low[axis].min(from_zero.dot(axes[axis]));
            high[axis] = high[axis].max(from_zero.dot(axes[axis]));
        }
    }
    let mut spacing = SPACING_MM;
    let counts = |spacing: f64| {
        [0, 1, 2].map(|axis| libm::floor((high[axis] - low[axis]) / spacing + 1e-9) + 1.0)
    };
    while counts(spacing).iter().product::<f64>() > MAX_VOXELS {
        spacing *= 1.25;
    }
    let size = counts(spacing).map(|n| n as usize);
    let target = Grid::new(
        size,
        LpsPoint::new(0.0, 0.0, 0.0) + axes[0] * low[0] + axes[1] * low[1] + axes[2] * low[2],
        axes[0] * spacing,
        axes[1] * spacing,
        axes[2] * spacing,
    )
    .ok()?;
    let hu = resample_onto(grid, &samples(volume), &target, (-1024, 3000), OUTSIDE);
    Some(Coarse { hu, grid: target, spacing, left: axes[0], anterior: -axes[1] })
}

impl Coarse {
    /// The voxels of the same grid that lie within `margin_mm` of a line along each axis; `None` where there are none.
    pub fn about(&self, line: &[Frame], margin_mm: f64) -> Option<Self> {
        let size = self.hu.size();
        let margin = margin_mm / self.spacing;
        let (mut from, mut to) = (size, [0; 3]);
        for frame in line {
            let ContinuousIndex { i, j, k } = self.grid.to_index(frame.origin);
            for (axis, at) in [i, j, k].into_iter().enumerate() {
                from[axis] = from[axis].min((at - margin).max(0.0) as usize);
                to[axis] = to[axis].max(size[axis].min((at + margin + 1.0).max(0.0) as usize));
            }
        }
        let part = [0, 1, 2].map(|axis| to[axis].saturating_sub(from[axis]));
        if part.contains(&0) {
            return None;
        }
        let rows = (from[2]..to[2]).flat_map(|k| (from[1]..to[1]).map(move |j| (j, k)));
        let hu = rows.flat_map(|(j, k)| {
            let start = self.hu.offset(from[0], j, k);
            &self.hu.data()[start..start + part[0]]
        });
        let [a, b, c] = [0, 1, 2].map(|axis| self.grid.step(axis));
        Some(Self {
            hu: Array3::from_vec(part, hu.copied().collect())?,
            grid: Grid::new(part, self.place(from[0], from[1], from[2]), a, b, c).ok()?,
            ..*self
        })
    }

    /// Centre of a coarse voxel.
    pub fn place(&self, i: usize, j: usize, k: usize) -> LpsPoint {
        self.grid.voxel_to_lps(VoxelIndex { i, j, k })
    }

    /// Centre of the coarse voxel at an offset.
    pub fn place_at(&self, offset: usize) -> LpsPoint {
        let [i, j, k] = place_of(offset, self.hu.size());
        self.place(i, j, k)
    }
}

/// A series of 2 mm about the z axis, from z = 0 up, with what `hu` gives at x, y, z, and its coarse grid.
#[cfg(test)]
pub fn made(size: [usize; 3], hu: impl Fn(f64, f64, f64) -> i16) -> (Volume<i16>, Coarse) {
    let [ni, nj, _] = size;
    let grid = Grid::new(
        size,
        LpsPoint::new(1.0 - ni as f64, 1.0 - nj as f64, 0.0),
        LpsVector::LEFT * 2.0,
        LpsVector::ANTERIOR * -2.0,
        LpsVector::HEAD * 2.0,
    )
    .unwrap();
    let voxels = (0..grid.len())
        .map(|n| {
            let [i, j, k] = place_of(n, size);
            let p = grid.voxel_to_lps(VoxelIndex { i, j, k });
            hu(p.x(), p.y(), p.z())
        })
        .collect();
    let volume = Volume { grid, voxels, validity: crate::volume::Validity::default() };
    let coarse = coarse_grid(&volume).unwrap();
    (volume, coarse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_about_a_line_has_the_values_of_the_whole_at_the_same_places() {
        let (_, coarse) = made([20, 24, 30], |x, y, z| (x + 40.0 * y + 9.0 * z) as i16);
        let frame = |z: f64| Frame {
            origin: LpsPoint::new(6.0, -9.0, z),
            up: LpsVector::HEAD,
            anterior: LpsVector::ANTERIOR,
            left: LpsVector::LEFT,
        };
        let part = coarse.about(&[frame(20.0), frame(31.0)], 7.0).unwrap();
        let [ni, nj, nk] = part.hu.size();
        assert!(ni < 10 && nj < 10 && (9..=14).contains(&nk), "{ni} {nj} {nk}");
        for at in 0..part.hu.data().len() {
            let whole = coarse.grid.nearest(part.place_at(at)).unwrap();
            assert_eq!(part.hu.data()[at], coarse.hu.at(whole.i, whole.j, whole.k));
        }
        for corner in [[-0.4, -0.4, -7.0], [6.9, 6.9, 6.9], [-6.9, -6.9, -6.9]] {
            let place = frame(24.0).origin + LpsVector::new(corner[0], corner[1], corner[2]);
            assert!(part.grid.nearest(place).is_some(), "{corner:?}");
        }
        assert!(coarse.about(&[frame(500.0)], 7.0).is_none() && coarse.about(&[], 7.0).is_none());
    }
}
