//! Volumes in memory.

#![allow(
    clippy::indexing_slicing,
    reason = "offsets come from the grid that the voxels were made for"
)]

use crate::geometry::{ContinuousIndex, Grid, LpsPoint};
use crate::kernels::BitMask;

/// Which voxels are no tissue, and why. A mask is `None` where it would be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validity {
    /// `PixelPaddingValue`, or a slice that could not be decoded.
    pub padding: Option<BitMask>,
    /// Outside the reconstructed circle (CT values that no tissue or air has).
    pub outside_field_of_view: Option<BitMask>,
    /// At the end of the stored range: metal reads it, tissue statistics leave it out.
    pub saturated: Option<BitMask>,
}

impl Validity {
    /// Whether the voxel at `offset` holds a measured value (saturated counts as measured).
    pub fn is_measured(&self, offset: usize) -> bool {
        let out = |mask: &Option<BitMask>| mask.as_ref().is_some_and(|mask| mask.get(offset));
        !out(&self.padding) && !out(&self.outside_field_of_view)
    }

    /// Whether the voxel at `offset` may enter a statistic of tissue.
    pub fn is_tissue(&self, offset: usize) -> bool {
        self.is_measured(offset) && !self.saturated.as_ref().is_some_and(|mask| mask.get(offset))
    }
}

/// A grid of voxels `[k, j, i]`, `i` fastest.
#[derive(Clone, Debug)]
pub struct Volume<T> {
    /// Where the voxels lie.
    pub grid: Grid,
    /// The voxels; as many as the grid has.
    pub voxels: Vec<T>,
    /// Which of them are no tissue.
    pub validity: Validity,
}

/// MR voxels: the stored type where one rescale pair holds for all, else rescaled to `f32`.
#[derive(Clone, Debug)]
pub enum MrVoxels {
    /// Stored signed; signal = slope · value + intercept.
    Signed(Vec<i16>),
    /// Stored unsigned; signal = slope · value + intercept.
    Unsigned(Vec<u16>),
    /// Rescaled slice by slice.
    Rescaled(Vec<f32>),
}

/// The voxels of a series.
#[derive(Clone, Debug)]
pub enum Image {
    /// CT, Hounsfield units.
    Ct(Volume<i16>),
    /// MR, signal without unit.
    Mr {
        /// Where the voxels lie.
        grid: Grid,
        /// The voxels `[k, j, i]`.
        voxels: MrVoxels,
        /// `RescaleSlope` for stored types, else 1.
        slope: f32,
        /// `RescaleIntercept` for stored types, else 0.
        intercept: f32,
        /// Which voxels are no tissue.
        validity: Validity,
    },
}

impl<T: Copy + Into<f64>> Volume<T> {
    /// The value at a voxel offset.
    pub fn value(&self, offset: usize) -> f64 {
        self.voxels[offset].into()
    }

    /// Trilinear value at a continuous index, or `None` where one of the eight voxels lies
    /// outside the grid or holds no measured value.
    pub fn sample_index(&self, at: ContinuousIndex) -> Option<f64> {
        sample(&self.grid, &self.validity, at, |offset| self.value(offset))
    }

    /// Trilinear value at a place in the patient, see [`Volume::sample_index`].
    pub fn sample(&self, at: LpsPoint) -> Option<f64> {
        self.sample_index(self.grid.to_index(at))
    }
}

impl Image {
    /// Where the voxels lie.
    pub const fn grid(&self) -> &Grid {
        match self {
            Self::Ct(volume) => &volume.grid,
            Self::Mr { grid, .. } => grid,
        }
    }

    /// Which voxels are no tissue.
    pub const fn validity(&self) -> &Validity {
        match self {
            Self::Ct(volume) => &volume.validity,
            Self::Mr { validity, .. } => validity,
        }
    }

    /// Hounsfield units (CT) or rescaled signal (MR) at a voxel offset.
    pub fn value(&self, offset: usize) -> f64 {
        match self {
            Self::Ct(volume) => volume.value(offset),
            Self::Mr { voxels, slope, intercept, .. } => {
                let stored = match voxels {
                    MrVoxels::Signed(v) => f32::from(v[offset]),
                    MrVoxels::Unsigned(v) => f32::from(v[offset]),
                    MrVoxels::Rescaled(v) => return f64::from(v[offset]),
                };
                f64::from(stored * slope + intercept)
            }
        }
    }

    /// Trilinear value at a place in the patient, or `None` where one of the eight voxels lies
    /// outside the grid or holds no measured value.
    pub fn sample(&self, at: LpsPoint) -> Option<f64> {
        let index = self.grid().to_index(at);
        sample(self.grid(), self.validity(), index, |offset| self.value(offset))
    }
}

fn sample(
    grid: &Grid,
    validity: &Validity,
    at: ContinuousIndex,
    value: impl Fn(usize) -> f64,
) -> Option<f64> {
    let axis = |x: f64, n: usize| -> Option<(usize, usize, f64)> {
        let low = libm::floor(x);
        if !(low >= 0.0 && x <= n as f64 - 1.0) {
            return None;
        }
        let low_index = low as usize;
        Some((low_index, (low_index + 1).min(n - 1), x - low))
    };
    let (i0, i1, fi) = axis(at.i, grid.ni())?;
    let (j0, j1, fj) = axis(at.j, grid.nj())?;
    let (k0, k1, fk) = axis(at.k, grid.nk())?;
    let mut sum = 0.0;
    for (k, wk) in [(k0, 1.0 - fk), (k1, fk)] {
        for (j, wj) in [(j0, 1.0 - fj), (j1, fj)] {
            for (i, wi) in [(i0, 1.0 - fi), (i1, fi)] {
                let weight = wk * wj * wi;
                if weight == 0.0 {
                    continue;
                }
                let offset = (k * grid.nj() + j) * grid.ni() + i;
                if !validity.is_measured(offset) {
                    return None;
                }
                sum += weight * value(offset);
            }
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{LpsPoint, LpsVector};

    fn ramp() -> Volume<i16> {
        let grid = Grid::new(
            [4, 3, 2],
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::new(2.0, 0.0, 0.0),
            LpsVector::new(0.0, 2.0, 0.0),
            LpsVector::new(0.0, 0.0, 5.0),
        )
        .unwrap();
        let voxels = (0..24).map(|n| n as i16 * 10).collect();
        Volume { grid, voxels, validity: Validity::default() }
    }

    #[test]
    fn a_sample_between_two_centres_is_their_mean_and_one_outside_is_none() {
        let volume = ramp();
        assert_eq!(volume.sample(LpsPoint::new(1.0, 0.0, 0.0)), Some(5.0));
        assert_eq!(volume.sample(LpsPoint::new(6.0, 4.0, 5.0)), Some(230.0));
        assert_eq!(volume.sample(LpsPoint::new(-0.1, 0.0, 0.0)), None);
    }

    #[test]
    fn padding_is_never_averaged_in() {
        let mut volume = ramp();
        let mut mask = BitMask::empty(volume.grid.size());
        mask.insert(1);
        volume.validity.padding = Some(mask);
        assert_eq!(volume.sample(LpsPoint::new(1.0, 0.0, 0.0)), None);
        assert_eq!(volume.sample(LpsPoint::new(0.0, 0.0, 0.0)), Some(0.0));
    }
}
