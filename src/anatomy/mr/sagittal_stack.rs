//! The series as sagittal pictures: slices from the patient's right to left, rows from head to
//! feet, columns from front to back, square pixels. Slices stay where they are; only the plane is
//! resampled.

use rayon::prelude::*;

use crate::geometry::{ContinuousIndex, Grid, LpsPoint, LpsVector};
use crate::kernels::gaussian_2d::gaussian_rows_columns;
use crate::kernels::plane::Plane;
use crate::volume::Image;

/// Cosine of the greatest lean of the slices' normal from left-right, and of rows and columns
/// from head-foot and front-back: 30 degrees. Beyond it "behind the body" is no longer a column.
const LEAST_AXIS_COSINE: f64 = 0.866;
/// Widest pixel in the sagittal plane, mm: at 2 mm the trials still found 88 %.
const WIDEST_PIXEL_MM: f64 = 2.1;
/// Least extent head-foot and front-back, mm: two bodies with their discs.
const LEAST_EXTENT_MM: f64 = 60.0;
/// Least number of slices: with fewer nothing shows that a body has a width.
const LEAST_SLICES: usize = 3;
/// Most pixels of one plane, so that the memory stays bounded (600 mm square at 1 mm).
const MOST_PIXELS: usize = 360_000;

/// Why a series is not searched.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NotSagittal {
    /// The axes of the grid lie too far from the patient's, or the pixels are too wide.
    #[error(
        "only sagittal stacks and isotropic volumes are searched on MR in this version; here the sagittal plane has pixels of {rows_mm:.1} x {columns_mm:.1} mm and its normal lies {lean_degrees:.0} degrees from left-right"
    )]
    OtherPlane {
        /// Distance of rows in the most sagittal plane, mm.
        rows_mm: f64,
        /// Distance of columns, mm.
        columns_mm: f64,
        /// Greatest angle between an axis of the grid and the patient's.
        lean_degrees: f64,
    },
    /// Too little of the patient is in view.
    #[error(
        "the field of {rows_mm:.0} x {columns_mm:.0} mm with {slices} slices is too small to follow a spine in it"
    )]
    TooSmall {
        /// Head-foot, mm.
        rows_mm: f64,
        /// Front-back, mm.
        columns_mm: f64,
        /// Number of slices.
        slices: usize,
    },
    /// The field is larger than any patient.
    #[error("the field of {rows_mm:.0} x {columns_mm:.0} mm is larger than a patient")]
    TooLarge {
        /// Head-foot, mm.
        rows_mm: f64,
        /// Front-back, mm.
        columns_mm: f64,
    },
    /// No signal.
    #[error("the series holds no signal")]
    Empty,
}

/// Sagittal pictures with square pixels.
pub struct SagittalStack {
    /// From right to left.
    pub slices: Vec<Plane>,
    /// Size of a pixel, mm.
    pub pixel_mm: f64,
    /// Distance of slices, mm.
    pub slice_mm: f64,
    /// Signal of ordinary tissue: 60th percentile of what is brighter than 0.3 of the mean.
    pub tissue_signal: f64,
    origin: LpsPoint,
    /// To the next slice (left), row (feet) and column (back).
    steps: [LpsVector; 3],
}

impl SagittalStack {
    /// The series at 1 mm in plane.
    pub fn of(image: &Image) -> Result<Self, NotSagittal> {
        let grid = image.grid();
        let axes = Axes::of(grid);
        let spacing = axes.0.map(|(axis, _)| grid.spacing()[axis]);
        let count = axes.0.map(|(axis, _)| grid.size()[axis]);
        let lean = axes.least_cosine(grid);
        if lean < LEAST_AXIS_COSINE || spacing[1] > WIDEST_PIXEL_MM || spacing[2] > WIDEST_PIXEL_MM
        {
            return Err(NotSagittal::OtherPlane {
                rows_mm: spacing[1],
                columns_mm: spacing[2],
                lean_degrees: libm::acos(lean.clamp(-1.0, 1.0)).to_degrees(),
            });
        }
        let extent = [count[1] as f64 * spacing[1], count[2] as f64 * spacing[2]];
        if count[0] < LEAST_SLICES || extent[0] < LEAST_EXTENT_MM || extent[1] < LEAST_EXTENT_MM {
            return Err(NotSagittal::TooSmall {
                rows_mm: extent[0],
                columns_mm: extent[1],
                slices: count[0],
            });
        }
        if extent[0] * extent[1] > MOST_PIXELS as f64 {
            return Err(NotSagittal::TooLarge { rows_mm: extent[0], columns_mm: extent[1] });
        }
        let size = [libm::round(extent[0]) as usize, libm::round(extent[1]) as usize];
        // A pixel that becomes larger gathers its neighbours first.
        let sigma = [1, 2].map(|a| if spacing[a] < 0.9 { 0.4 / spacing[a] } else { 0.0 });
        let place = |index: usize, axis: usize| (index as f64 + 0.5) / spacing[axis] - 0.5;
        let slices: Vec<Plane> = (0..count[0])
            .into_par_iter()
            .map(|s| {
                let native = gaussian_rows_columns(&axes.plane(image, s), sigma, 4.0);
                let mut values = Vec::with_capacity(size[0] * size[1]);
                for r in 0..size[0] {
                    for c in 0..size[1] {
                        values.push(native.sample(place(r, 1), place(c, 2)) as f32);
                    }
                }
                Plane::new(size[0], size[1], values)
            })
            .collect();
        let tissue_signal = tissue_signal(&slices).ok_or(NotSagittal::Empty)?;
        let unit = |axis: usize| axes.step(grid, axis) * (1.0 / spacing[axis]);
        let mut origin = axes.origin(grid);
        for axis in [1, 2] {
            origin = origin + axes.step(grid, axis) * place(0, axis);
        }
        Ok(Self {
            slices,
            pixel_mm: 1.0,
            slice_mm: spacing[0],
            tissue_signal,
            origin,
            steps: [axes.step(grid, 0), unit(1), unit(2)],
        })
    }

    /// The same field with pixels of `scale` times the size, from linear interpolation.
    pub fn rescaled(&self, scale: f64) -> Self {
        let Some(first) = self.slices.first() else { return self.with_slices(Vec::new(), scale) };
        let size = |n: usize| libm::round(n as f64 / scale) as usize;
        let (rows, columns) = (size(first.rows()), size(first.columns()));
        let slices = self
            .slices
            .par_iter()
            .map(|slice| {
                let mut values = Vec::with_capacity(rows * columns);
                for r in 0..rows {
                    for c in 0..columns {
                        values.push(slice.sample(r as f64 * scale, c as f64 * scale) as f32);
                    }
                }
                Plane::new(rows, columns, values)
            })
            .collect();
        self.with_slices(slices, scale)
    }

    fn with_slices(&self, slices: Vec<Plane>, scale: f64) -> Self {
        let [slice, row, column] = self.steps;
        Self {
            slices,
            pixel_mm: self.pixel_mm * scale,
            slice_mm: self.slice_mm,
            tissue_signal: self.tissue_signal,
            origin: self.origin,
            steps: [slice, row * scale, column * scale],
        }
    }

    /// Rows of each picture.
    pub fn rows(&self) -> usize {
        self.slices.first().map_or(0, Plane::rows)
    }

    /// Columns of each picture.
    pub fn columns(&self) -> usize {
        self.slices.first().map_or(0, Plane::columns)
    }

    /// Slice position halfway through the stack.
    pub fn middle(&self) -> f64 {
        (self.slices.len() as f64 - 1.0) / 2.0
    }

    /// Mean of the slices `from..from + count`.
    pub fn mean_of(&self, from: usize, count: usize) -> Plane {
        let mut values = vec![0.0f32; self.rows() * self.columns()];
        for slice in &self.slices[from..from + count] {
            for (sum, &v) in values.iter_mut().zip(slice.values()) {
                *sum += v;
            }
        }
        let scale = 1.0 / count as f32;
        for v in &mut values {
            *v *= scale;
        }
        Plane::new(self.rows(), self.columns(), values)
    }

    /// Where a place of the stack (slice, row, column) lies in the patient.
    pub fn to_lps(&self, slice: f64, row: f64, column: f64) -> LpsPoint {
        self.origin + self.steps[0] * slice + self.steps[1] * row + self.steps[2] * column
    }

    /// A direction in the plane (rows, columns) in the patient.
    pub fn direction(&self, row: f64, column: f64) -> LpsVector {
        self.steps[1] * row + self.steps[2] * column
    }
}

/// Which axis of the grid runs left, to the feet and to the back, and whether it must be turned.
struct Axes([(usize, bool); 3]);

impl Axes {
    fn of(grid: &Grid) -> Self {
        let along = |axis: usize, world: usize| {
            let step = grid.step(axis);
            [step.x(), -step.z(), step.y()][world] / step.length()
        };
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let mut best = (f64::NEG_INFINITY, orders[0]);
        for order in orders {
            let fit = (0..3).map(|w| libm::fabs(along(order[w], w))).sum::<f64>();
            if fit > best.0 {
                best = (fit, order);
            }
        }
        let order = best.1;
        Self([0, 1, 2].map(|w| (order[w], along(order[w], w) < 0.0)))
    }

    /// Least cosine between an axis of the grid and the patient's.
    fn least_cosine(&self, grid: &Grid) -> f64 {
        let mut least = f64::INFINITY;
        for (w, &(axis, _)) in self.0.iter().enumerate() {
            let step = grid.step(axis);
            let cosine = libm::fabs([step.x(), step.z(), step.y()][w]) / step.length();
            least = least.min(cosine);
        }
        least
    }

    fn step(&self, grid: &Grid, world: usize) -> LpsVector {
        let (axis, turned) = self.0[world];
        if turned { -grid.step(axis) } else { grid.step(axis) }
    }

    fn origin(&self, grid: &Grid) -> LpsPoint {
        let mut index = [0.0; 3];
        for &(axis, turned) in &self.0 {
            if turned {
                index[axis] = grid.size()[axis] as f64 - 1.0;
            }
        }
        grid.to_lps(ContinuousIndex { i: index[0], j: index[1], k: index[2] })
    }

    /// Slice `s` on the series' own pixels; what was not measured is zero.
    fn plane(&self, image: &Image, s: usize) -> Plane {
        let size = image.grid().size();
        let stride = [1, size[0], size[0] * size[1]];
        let position = |world: usize, n: usize| {
            let (axis, turned) = self.0[world];
            stride[axis] * if turned { size[axis] - 1 - n } else { n }
        };
        let (rows, columns) = (size[self.0[1].0], size[self.0[2].0]);
        let mut values = Vec::with_capacity(rows * columns);
        for r in 0..rows {
            for c in 0..columns {
                let offset = position(0, s) + position(1, r) + position(2, c);
                let value = image.value(offset) as f32;
                let sound = value.is_finite() && image.validity().is_measured(offset);
                values.push(if sound { value } else { 0.0 });
            }
        }
        Plane::new(rows, columns, values)
    }
}

fn tissue_signal(slices: &[Plane]) -> Option<f64> {
    let count: usize = slices.iter().map(|s| s.values().len()).sum();
    let sum: f64 = slices.iter().flat_map(Plane::values).map(|&v| f64::from(v)).sum();
    let floor = (sum / count as f64 * 0.3) as f32;
    let mut bright: Vec<f32> =
        slices.iter().flat_map(Plane::values).copied().filter(|&v| v > floor).collect();
    if bright.is_empty() {
        return None;
    }
    let at = (bright.len() - 1) * 6 / 10;
    let (_, value, _) = bright.select_nth_unstable_by(at, f32::total_cmp);
    let value = f64::from(*value);
    (value.is_finite() && value > 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{MrVoxels, Validity};

    fn image(size: [usize; 3], steps: [LpsVector; 3]) -> Image {
        let grid = Grid::new(size, LpsPoint::new(5.0, -7.0, 11.0), steps[0], steps[1], steps[2]);
        let grid = grid.unwrap();
        let voxels = (0..grid.len()).map(|n| 100.0 + (n % 97) as f32).collect();
        Image::Mr {
            grid,
            voxels: MrVoxels::Rescaled(voxels),
            slope: 1.0,
            intercept: 0.0,
            validity: Validity::default(),
        }
    }

    #[test]
    fn a_turned_volume_keeps_every_voxel_at_its_place() {
        // Columns run to the head, rows to the front, slices to the right.
        let steps = [
            LpsVector::new(0.0, 0.05, 1.0),
            LpsVector::new(0.0, -1.0, 0.05),
            LpsVector::new(-4.0, 0.0, 0.0),
        ];
        let image = image([80, 70, 5], steps);
        let stack = SagittalStack::of(&image).unwrap();
        let (s, r, c) = (3, 20, 41);
        let place = stack.to_lps(s as f64, r as f64, c as f64);
        let expected = image.sample(place).unwrap();
        assert!((f64::from(stack.slices[s].get(r, c)) - expected).abs() < 0.5);
        assert!(stack.direction(1.0, 0.0).z() < -0.9 && stack.direction(0.0, 1.0).y() > 0.9);
    }

    #[test]
    fn an_axial_stack_is_refused_with_its_pixel_sizes() {
        let steps = [
            LpsVector::new(1.0, 0.0, 0.0),
            LpsVector::new(0.0, 1.0, 0.0),
            LpsVector::new(0.0, 0.0, 4.0),
        ];
        let refused = SagittalStack::of(&image([90, 90, 40], steps)).err();
        assert!(matches!(refused, Some(NotSagittal::OtherPlane { rows_mm, .. }) if rows_mm == 4.0));
    }
}
