//! The coarse grid on which the spine is searched: axis-aligned LPS, isotropic, Hounsfield units.

use crate::geometry::{ContinuousIndex, Grid, LpsPoint, LpsVector, VoxelIndex};
use crate::kernels::{Array3, resample_onto};
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
    /// Where its voxels lie: steps along +x (left), +y (posterior), +z (head).
    pub grid: Grid,
    /// Distance of its voxels, mm.
    pub spacing: f64,
}

/// Whether the voxel at `offset` holds a measured value.
pub fn is_measured(volume: &Volume<i16>, offset: usize) -> bool {
    volume.voxels[offset] > LOWEST_MEASURED_HU && volume.validity.is_measured(offset)
}

/// Resamples a volume onto the coarse grid; `None` when it has no voxels or no sensible extent.
pub fn coarse_grid(volume: &Volume<i16>) -> Option<Coarse> {
    let grid = &volume.grid;
    if grid.is_empty() || volume.voxels.len() != grid.len() {
        return None;
    }
    let last = grid.size().map(|n| n as f64 - 1.0);
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for corner in 0..8 {
        let end = |axis: usize| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 };
        let p: [f64; 3] = grid.to_lps(ContinuousIndex { i: end(0), j: end(1), k: end(2) }).into();
        for axis in 0..3 {
            low[axis] = low[axis].min(p[axis]);
            high[axis] = high[axis].max(p[axis]);
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
        LpsPoint::from(low),
        LpsVector::LEFT * spacing,
        -LpsVector::ANTERIOR * spacing,
        LpsVector::HEAD * spacing,
    )
    .ok()?;
    let (voxels, range) = (&volume.voxels, (-1024, 3000));
    let validity = &volume.validity;
    let hu = if validity.padding.is_none() && validity.outside_field_of_view.is_none() {
        // Then the value alone says whether it was measured.
        let is_measured = |_, hu| hu > LOWEST_MEASURED_HU;
        resample_onto(grid, voxels, is_measured, &target, range, OUTSIDE)
    } else {
        let is_measured = |offset, _| is_measured(volume, offset);
        resample_onto(grid, voxels, is_measured, &target, range, OUTSIDE)
    };
    Some(Coarse { hu, grid: target, spacing })
}

impl Coarse {
    /// Centre of a coarse voxel.
    pub fn place(&self, i: usize, j: usize, k: usize) -> LpsPoint {
        self.grid.voxel_to_lps(VoxelIndex { i, j, k })
    }
}
