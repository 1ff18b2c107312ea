//! The voxels of a series while lesions are painted into them.

use crate::geometry::{Grid, LpsPoint, LpsVector, VoxelIndex};
use crate::kernels::{Array3, Boundary, gaussian, trilinear, uniform};
use crate::volume::{Image, Validity};

/// Pitch of the fine grid on which shapes are drawn before the scan's blur, mm.
const FINE_MM: f64 = 0.7;
/// Gaussian weights are cut off here, in standard deviations.
const TRUNCATE: f64 = 4.0;

/// Values `[k, j, i]` on the series' grid: Hounsfield units or rescaled signal.
pub(super) struct Canvas {
    pub(super) grid: Grid,
    pub(super) values: Array3<f32>,
    validity: Validity,
    /// Blur of the scan within the slices, standard deviation in mm.
    pub(super) sigma_mm: f64,
    /// Thickness over which a voxel averages through the plane, mm.
    pub(super) thickness_mm: f64,
}

/// A block of voxels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) low: [usize; 3],
    pub(super) size: [usize; 3],
}

/// Share of each voxel of a block that lies inside a shape, after the scan's blur.
pub(super) struct Shares {
    pub(super) block: Block,
    pub(super) share: Array3<f32>,
    /// Volume of the shape before the blur, mm³.
    pub(super) volume_mm3: f64,
    /// Its centroid; the shape's given centre where it holds nothing.
    pub(super) centroid: LpsPoint,
}

impl Canvas {
    /// The canvas of an image. `blur` tells how the scan's own blur is found.
    pub(super) fn new(image: &Image, ct: bool, slice_thickness_mm: Option<f64>) -> Self {
        let grid = image.grid().clone();
        let mut values = Array3::filled(grid.size(), 0.0f32);
        for (offset, value) in values.data_mut().iter_mut().enumerate() {
            *value = image.value(offset) as f32;
        }
        let spacing = grid.spacing();
        let pixel = 0.5 * (spacing[0] + spacing[1]);
        let mut canvas = Self {
            thickness_mm: slice_thickness_mm
                .filter(|t| t.is_finite())
                .unwrap_or(0.0)
                .max(spacing[2]),
            grid,
            values,
            validity: image.validity().clone(),
            sigma_mm: 0.6 * pixel,
        };
        if ct {
            canvas.sigma_mm = canvas.blur_from_skin(pixel);
        }
        canvas
    }

    /// Whether the voxel at an offset was measured.
    pub(super) fn is_measured(&self, offset: usize) -> bool {
        self.validity.is_measured(offset)
    }

    /// Trilinear value at a place; `None` outside the volume.
    pub(super) fn sample(&self, at: LpsPoint) -> Option<f64> {
        let index = self.grid.to_index(at);
        let values = self.values.data();
        let value = trilinear(self.grid.size(), values, |offset| self.is_measured(offset), index);
        (!value.is_nan()).then_some(f64::from(value))
    }

    /// Voxels within `reach_mm` of a centre along each axis; `None` when they miss the volume.
    pub(super) fn around(&self, centre: LpsPoint, reach_mm: f64) -> Option<Block> {
        let middle = self.grid.to_index(centre);
        let spacing = self.grid.spacing();
        let mut block = Block { low: [0; 3], size: [0; 3] };
        for (axis, middle) in [middle.i, middle.j, middle.k].into_iter().enumerate() {
            let half = reach_mm / spacing[axis];
            let last = self.grid.size()[axis].checked_sub(1)? as f64;
            let low = (middle - half).floor().max(0.0);
            let high = (middle + half).ceil().min(last);
            if low.is_nan() || high.is_nan() || low > high {
                return None;
            }
            block.low[axis] = low as usize;
            block.size[axis] = (high - low) as usize + 1;
        }
        Some(block)
    }

    /// The values of a block.
    pub(super) fn read(&self, block: Block) -> Array3<f32> {
        let mut out = Array3::filled(block.size, 0.0);
        for (at, offset) in self.offsets(block).enumerate() {
            out.data_mut()[at] = self.values.data()[offset];
        }
        out
    }

    /// Writes a block back; what was not measured stays as it was.
    pub(super) fn write(&mut self, block: Block, values: &Array3<f32>) {
        let offsets: Vec<usize> = self.offsets(block).collect();
        for (&offset, &value) in offsets.iter().zip(values.data()) {
            if self.is_measured(offset) {
                self.values.data_mut()[offset] = value;
            }
        }
    }

    /// Offsets of a block's voxels in the volume, in the block's order.
    pub(super) fn offsets(&self, block: Block) -> impl Iterator<Item = usize> + '_ {
        let [ni, nj, nk] = block.size;
        let [i0, j0, k0] = block.low;
        (0..nk).flat_map(move |k| {
            (0..nj).flat_map(move |j| {
                let row = self.grid.offset(VoxelIndex { i: i0, j: j0 + j, k: k0 + k });
                row..row + ni
            })
        })
    }

    /// Centres of a block's voxels, in the block's order.
    pub(super) fn places(&self, block: Block) -> Vec<LpsPoint> {
        let [ni, nj, nk] = block.size;
        let [i0, j0, k0] = block.low;
        let mut places = Vec::with_capacity(ni * nj * nk);
        for k in k0..k0 + nk {
            for j in j0..j0 + nj {
                for i in i0..i0 + ni {
                    places.push(self.grid.voxel_to_lps(VoxelIndex { i, j, k }));
                }
            }
        }
        places
    }

    /// Gaussian filter of a block within the slices, standard deviation in mm.
    pub(super) fn smooth_in_plane(&self, values: &Array3<f32>, sigma_mm: f64) -> Array3<f32> {
        let spacing = self.grid.spacing();
        let sigma = [sigma_mm / spacing[0], sigma_mm / spacing[1], 0.0];
        gaussian(values, sigma, TRUNCATE, Boundary::Nearest)
    }

    /// How much of each voxel within `reach_mm` lies inside a shape.
    ///
    /// `inside` gives a depth in mm, positive inside; the surface is softened over `margin_mm`
    /// before the blur. The shape is drawn on a fine grid along the scan's own axes, blurred by
    /// its resolution within the slices, averaged over the slice thickness, and read at the
    /// voxel centres.
    pub(super) fn shares(
        &self,
        centre: LpsPoint,
        reach_mm: f64,
        margin_mm: f64,
        inside: impl Fn(LpsPoint) -> f64,
    ) -> Option<Shares> {
        let block = self.around(centre, reach_mm)?;
        let half = (reach_mm / FINE_MM).ceil() as usize;
        let side = 2 * half + 1;
        let unit: Vec<LpsVector> = (0..3)
            .map(|axis| self.grid.step(axis) * (FINE_MM / self.grid.spacing()[axis]))
            .collect();
        let offset = |n: usize| n as f64 - half as f64;
        let mut fine = Array3::filled([side; 3], 0.0f32);
        let (mut count, mut sum) = (0usize, LpsVector::new(0.0, 0.0, 0.0));
        for c in 0..side {
            for b in 0..side {
                for a in 0..side {
                    let from_centre =
                        unit[0] * offset(a) + unit[1] * offset(b) + unit[2] * offset(c);
                    let share = (inside(centre + from_centre) / margin_mm + 0.5).clamp(0.0, 1.0);
                    if share >= 0.5 {
                        count += 1;
                        sum = sum + from_centre;
                    }
                    let at = fine.offset(a, b, c);
                    fine.data_mut()[at] = share as f32;
                }
            }
        }
        let fine_sigma = self.sigma_mm / FINE_MM;
        let fine = gaussian(&fine, [fine_sigma, fine_sigma, 0.0], TRUNCATE, Boundary::Zero);
        let through = ((self.thickness_mm / FINE_MM).round() as usize).max(1);
        let fine = uniform(&fine, [1, 1, through], Boundary::Zero);
        let fine_grid = {
            let corner = centre - (unit[0] + unit[1] + unit[2]) * half as f64;
            Grid::new([side; 3], corner, unit[0], unit[1], unit[2]).ok()?
        };
        let mut share = Array3::filled(block.size, 0.0f32);
        for (out, place) in share.data_mut().iter_mut().zip(self.places(block)) {
            let value = trilinear([side; 3], fine.data(), |_| true, fine_grid.to_index(place));
            *out = if value.is_nan() { 0.0 } else { value };
        }
        let cell = fine_grid.voxel_mm3();
        Some(Shares {
            block,
            share,
            volume_mm3: count as f64 * cell,
            centroid: if count > 0 { centre + sum * (1.0 / count as f64) } else { centre },
        })
    }

    /// Blur within the slices from the steepest edges of skin against air.
    ///
    /// A step of 950 HU blurred by sigma has the slope 950 / (sigma·sqrt(2π)). Too few edges
    /// (a crop inside the body) give 0.7 mm.
    fn blur_from_skin(&self, pixel_mm: f64) -> f64 {
        const STEP_HU: f64 = 950.0;
        const FEWEST: usize = 200;
        let [ni, nj, nk] = self.grid.size();
        let mut slopes = Vec::new();
        let every = (nk / 12).max(1);
        let at = |i: usize, j: usize, k: usize| f64::from(self.values.at(i, j, k));
        for k in (0..nk).step_by(every) {
            for j in 4..nj.saturating_sub(4) {
                for i in 4..ni.saturating_sub(4) {
                    if (at(i, j, k) + 480.0).abs() > 120.0 {
                        continue;
                    }
                    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
                    for (di, dj) in [(0, 3), (6, 3), (3, 0), (3, 6), (0, 0), (6, 6), (0, 6), (6, 0)]
                    {
                        let value = at(i + di - 3, j + dj - 3, k);
                        low = low.min(value);
                        high = high.max(value);
                    }
                    if low < -900.0 && high > -150.0 {
                        let di = 0.5 * (at(i + 1, j, k) - at(i - 1, j, k)) / pixel_mm;
                        let dj = 0.5 * (at(i, j + 1, k) - at(i, j - 1, k)) / pixel_mm;
                        slopes.push(libm::hypot(di, dj));
                    }
                }
            }
        }
        if slopes.len() < FEWEST {
            return 0.7;
        }
        slopes.sort_by(f64::total_cmp);
        let steep = slopes[slopes.len() * 4 / 5];
        let sigma = STEP_HU / (steep * (2.0 * std::f64::consts::PI).sqrt());
        // The central difference spans two pixels: it widens the edge by about half a pixel.
        let own = sigma * sigma - (0.58 * pixel_mm) * (0.58 * pixel_mm);
        own.max((0.35 * pixel_mm) * (0.35 * pixel_mm)).sqrt().min(2.0)
    }
}
