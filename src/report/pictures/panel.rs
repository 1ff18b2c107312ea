//! A panel: a flat or bent cut through the patient, sampled to square pixels.

use rayon::prelude::*;

use super::canvas::{Area, Canvas, OUTSIDE};
use crate::geometry::{ContinuousIndex, Grid, LpsPoint, LpsVector, VoxelIndex};
use crate::kernels::BitMask;
use crate::volume::Image;

/// Direction in which a cut is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plane {
    /// From the feet: the patient's right on the left of the picture, front at the top.
    Axial,
    /// From the patient's left: front on the left, head at the top.
    Sagittal,
    /// From the front: the patient's right on the left, head at the top.
    Coronal,
}

impl Plane {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Axial => "AXIAL",
            Self::Sagittal => "SAGITTAL",
            Self::Coronal => "CORONAL",
        }
    }
}

/// Three directions at right angles near the patient's own, one of them the normal of the
/// acquired slices: so that one of the three cuts shows an acquired slice as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    pub left: LpsVector,
    pub posterior: LpsVector,
    pub head: LpsVector,
    /// Plane of the acquired slices.
    pub acquired: Plane,
}

impl Axes {
    pub(super) fn of(grid: &Grid) -> Self {
        let posterior = -LpsVector::ANTERIOR;
        let plain = Self {
            left: LpsVector::LEFT,
            posterior,
            head: LpsVector::HEAD,
            acquired: Plane::Axial,
        };
        let Some(normal) = grid.step(0).cross(grid.step(1)).normalised() else { return plain };
        let (x, y, z) = (normal.x().abs(), normal.y().abs(), normal.z().abs());
        let upright = |v: LpsVector, sign: f64| if sign < 0.0 { -v } else { v };
        let across = |wish: LpsVector, n: LpsVector| (wish - n * wish.dot(n)).normalised();
        if z >= x && z >= y {
            let head = upright(normal, normal.z());
            let Some(posterior) = across(posterior, head) else { return plain };
            Self { left: posterior.cross(head), posterior, head, acquired: Plane::Axial }
        } else if x >= y {
            let left = upright(normal, normal.x());
            let Some(head) = across(LpsVector::HEAD, left) else { return plain };
            Self { left, posterior: head.cross(left), head, acquired: Plane::Sagittal }
        } else {
            let posterior = upright(normal, normal.y());
            let Some(head) = across(LpsVector::HEAD, posterior) else { return plain };
            Self { left: posterior.cross(head), posterior, head, acquired: Plane::Coronal }
        }
    }

    /// Directions of a plane: to the right of the picture, down, and its normal.
    pub(super) fn of_plane(&self, plane: Plane) -> (LpsVector, LpsVector, LpsVector) {
        match plane {
            Plane::Axial => (self.left, self.posterior, self.head),
            Plane::Sagittal => (self.posterior, -self.head, self.left),
            Plane::Coronal => (self.left, -self.head, self.posterior),
        }
    }
}

/// A cut of `width` x `height` square pixels.
pub(super) struct Panel {
    pub plane: Plane,
    pub width: usize,
    pub height: usize,
    /// Edge of a pixel, mm.
    pub pixel_mm: f64,
    /// Centre of the upper left pixel.
    origin: LpsPoint,
    pub right: LpsVector,
    pub down: LpsVector,
    normal: LpsVector,
    /// Displacement of each row along the normal, mm; empty for a flat cut.
    bend: Vec<f64>,
    /// The acquired slice shown, counted from 0, where the cut is one.
    pub slice: Option<usize>,
    /// Values, row by row; `NaN` where nothing was measured.
    values: Vec<f32>,
}

/// Size of a panel.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub width: usize,
    pub height: usize,
    pub pixel_mm: f64,
}

impl Panel {
    /// A flat cut with `centre` in the middle. A cut in the plane of the acquired slices is moved
    /// to the nearest slice.
    pub(super) fn flat(
        image: &Image,
        axes: &Axes,
        plane: Plane,
        centre: LpsPoint,
        size: Size,
    ) -> Self {
        let grid = image.grid();
        let (right, down, normal) = axes.of_plane(plane);
        let mut centre = centre;
        let mut slice = None;
        if plane == axes.acquired {
            let at = grid.to_index(centre).k;
            let last = grid.nk().saturating_sub(1) as f64;
            let nearest = libm::round(at).clamp(0.0, last);
            let step = grid.step(2).dot(normal);
            if nearest.is_finite() && step.is_finite() {
                centre = centre + normal * ((nearest - at) * step);
                slice = Some(nearest as usize);
            }
        }
        Self::sampled(image, (plane, right, down, normal), centre, size, Vec::new(), slice)
    }

    /// A cut whose row `y` is displaced by `bend[y]` mm along the normal.
    pub(super) fn bent(
        image: &Image,
        axes: &Axes,
        plane: Plane,
        centre: LpsPoint,
        size: Size,
        bend: Vec<f64>,
    ) -> Self {
        let (right, down, normal) = axes.of_plane(plane);
        Self::sampled(image, (plane, right, down, normal), centre, size, bend, None)
    }

    fn sampled(
        image: &Image,
        (plane, right, down, normal): (Plane, LpsVector, LpsVector, LpsVector),
        centre: LpsPoint,
        size: Size,
        bend: Vec<f64>,
        slice: Option<usize>,
    ) -> Self {
        let Size { width, height, pixel_mm } = size;
        let half = |n: usize| (n as f64 - 1.0) / 2.0 * pixel_mm;
        let origin = centre - right * half(width) - down * half(height);
        let mut panel = Self {
            plane,
            width,
            height,
            pixel_mm,
            origin,
            right,
            down,
            normal,
            bend,
            slice,
            values: Vec::new(),
        };
        // Rows are independent and put together in order.
        panel.values = (0..height)
            .into_par_iter()
            .flat_map_iter(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| sample(image, panel.at(x, y)).map_or(f32::NAN, |value| value as f32))
            .collect();
        panel
    }

    /// Where pixel (x, y) lies in the patient.
    pub(super) fn at(&self, x: usize, y: usize) -> LpsPoint {
        let bend = self.bend.get(y).copied().unwrap_or(0.0);
        self.origin
            + self.right * (x as f64 * self.pixel_mm)
            + self.down * (y as f64 * self.pixel_mm)
            + self.normal * bend
    }

    /// Pixel at which a place is seen, looking along the normal.
    pub(super) fn project(&self, point: LpsPoint) -> (f64, f64) {
        let d = point - self.origin;
        (d.dot(self.right) / self.pixel_mm, d.dot(self.down) / self.pixel_mm)
    }

    /// Values that were measured.
    pub(super) fn measured(&self) -> impl Iterator<Item = f32> + '_ {
        self.values.iter().copied().filter(|value| value.is_finite())
    }

    pub(super) fn paint(&self, canvas: &mut Canvas, area: Area, window: &Window) {
        for y in 0..self.height {
            for x in 0..self.width {
                let value = f64::from(self.values[y * self.width + x]);
                let colour = if value.is_finite() {
                    let grey = window.grey(value);
                    [grey, grey, grey]
                } else {
                    OUTSIDE
                };
                canvas.blend(area, x as i64, y as i64, colour, 1.0);
            }
        }
    }

    /// Draws the rim of the pixels for which `inside` holds, one pixel wide, on the inner or the
    /// outer side; tells whether there were any. Only pixels of the box `from..=to` are asked.
    pub(super) fn rim(
        &self,
        canvas: &mut Canvas,
        area: Area,
        ((x0, y0), (x1, y1)): ((f64, f64), (f64, f64)),
        style: Rim,
        inside: impl Fn(LpsPoint) -> bool,
    ) -> bool {
        let span = |low: f64, high: f64, n: usize| -> Option<(usize, usize)> {
            let low = libm::floor(low - 2.0).max(0.0);
            let high = libm::ceil(high + 2.0).min(n as f64 - 1.0);
            (low <= high).then_some((low as usize, high as usize))
        };
        let (Some((x0, x1)), Some((y0, y1))) =
            (span(x0, x1, self.width), span(y0, y1, self.height))
        else {
            return false;
        };
        let columns = x1 - x0 + 1;
        let mut set = vec![false; columns * (y1 - y0 + 1)];
        for y in y0..=y1 {
            for x in x0..=x1 {
                set[(y - y0) * columns + (x - x0)] = inside(self.at(x, y));
            }
        }
        let is_set = |x: i64, y: i64| {
            let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return false };
            x >= x0 && x <= x1 && y >= y0 && y <= y1 && set[(y - y0) * columns + (x - x0)]
        };
        for y in y0..=y1 {
            for x in x0..=x1 {
                let (x, y) = (x as i64, y as i64);
                let here = is_set(x, y);
                let neighbours = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
                let on_rim = match style.side {
                    RimSide::Inner => here && neighbours.iter().any(|&(x, y)| !is_set(x, y)),
                    RimSide::Outer => !here && neighbours.iter().any(|&(x, y)| is_set(x, y)),
                };
                if on_rim {
                    canvas.blend(area, x, y, style.colour, style.alpha);
                }
            }
        }
        set.contains(&true)
    }
}

/// How a rim is drawn.
#[derive(Clone, Copy)]
pub(super) struct Rim {
    pub colour: super::canvas::Rgb,
    pub alpha: f64,
    pub side: RimSide,
}

#[derive(Clone, Copy)]
pub(super) enum RimSide {
    Inner,
    Outer,
}

/// Grey values: black at `low`, white at `high`.
pub(super) struct Window {
    low: f64,
    high: f64,
    /// For the caption.
    pub words: String,
}

impl Window {
    /// CT: the bone window; MR: from the 1st to the 99.5th percentile of what is shown.
    pub(super) fn of(image: &Image, panels: &[Panel]) -> Self {
        match image {
            Image::Ct(_) => Self {
                low: -500.0,
                high: 1300.0,
                words: "window level 400 width 1800 HU".to_owned(),
            },
            Image::Mr { .. } => {
                let mut values: Vec<f32> = panels.iter().flat_map(Panel::measured).collect();
                values.sort_by(f32::total_cmp);
                let at = |share: f64| {
                    let n = (values.len().saturating_sub(1) as f64 * share) as usize;
                    values.get(n).copied().map_or(0.0, f64::from)
                };
                let (low, high) = (at(0.01), at(0.995));
                Self {
                    low,
                    high,
                    words: "window 1st to 99.5th percentile of the signal shown".to_owned(),
                }
            }
        }
    }

    fn grey(&self, value: f64) -> u8 {
        let share = (value - self.low) / (self.high - self.low).max(1e-9);
        libm::round(share.clamp(0.0, 1.0) * 255.0) as u8
    }
}

/// Trilinear value; the outer half voxel belongs to the voxel at the edge, so that the first and
/// last slice are seen. `None` outside, and where a voxel that counts was not measured.
fn sample(image: &Image, point: LpsPoint) -> Option<f64> {
    interpolate(image.grid(), point, |offset| {
        image.validity().is_measured(offset).then(|| image.value(offset))
    })
}

/// Whether a place lies inside a mask of voxels, with its steps smoothed by interpolation.
pub(super) fn in_mask(mask: &BitMask, grid: &Grid, point: LpsPoint) -> bool {
    mask.size() == grid.size()
        && interpolate(grid, point, |offset| Some(f64::from(u8::from(mask.get(offset)))))
            .is_some_and(|share| share >= 0.5)
}

fn interpolate(grid: &Grid, point: LpsPoint, value: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let at = grid.to_index(point);
    let (i0, i1, fi) = between(at.i, grid.ni())?;
    let (j0, j1, fj) = between(at.j, grid.nj())?;
    let (k0, k1, fk) = between(at.k, grid.nk())?;
    let mut sum = 0.0;
    for (k, wk) in [(k0, 1.0 - fk), (k1, fk)] {
        for (j, wj) in [(j0, 1.0 - fj), (j1, fj)] {
            for (i, wi) in [(i0, 1.0 - fi), (i1, fi)] {
                let weight = wk * wj * wi;
                // Rounding must not let an unmeasured neighbour decide.
                if weight > 1e-6 {
                    sum += weight * value(grid.offset(VoxelIndex { i, j, k }))?;
                }
            }
        }
    }
    Some(sum)
}

fn between(x: f64, n: usize) -> Option<(usize, usize, f64)> {
    let last = n.checked_sub(1)? as f64;
    // NaN is refused as well.
    if !(x >= -0.5 && x <= last + 0.5) {
        return None;
    }
    let x = x.clamp(0.0, last);
    let low = libm::floor(x);
    let low_index = low as usize;
    Some((low_index, (low_index + 1).min(n - 1), x - low))
}

/// The letters of the patient's directions that `direction` points to: the main one, and a
/// second where it is more than 24 degrees off.
pub(super) fn letters(direction: LpsVector) -> String {
    let mut parts =
        [(direction.x(), 'L', 'R'), (direction.y(), 'P', 'A'), (direction.z(), 'H', 'F')];
    parts.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    parts
        .iter()
        .enumerate()
        .filter(|(n, part)| *n == 0 || part.0.abs() > 0.4)
        .map(|(_, &(value, plus, minus))| if value >= 0.0 { plus } else { minus })
        .collect()
}

/// Lowest and highest place of the voxel grid along a direction, mm from `from`.
pub(super) fn extent(grid: &Grid, from: LpsPoint, direction: LpsVector) -> (f64, f64) {
    let [ni, nj, nk] = grid.size().map(|n| n as f64);
    let mut low = f64::INFINITY;
    let mut high = f64::NEG_INFINITY;
    for k in [-0.5, nk - 0.5] {
        for j in [-0.5, nj - 0.5] {
            for i in [-0.5, ni - 0.5] {
                let d = (grid.to_lps(ContinuousIndex { i, j, k }) - from).dot(direction);
                low = low.min(d);
                high = high.max(d);
            }
        }
    }
    (low, high)
}

/// Centre of the voxel grid.
pub(super) fn middle(grid: &Grid) -> LpsPoint {
    let [i, j, k] = grid.size().map(|n| (n as f64 - 1.0) / 2.0);
    grid.to_lps(ContinuousIndex { i, j, k })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sagittal_grid() -> Grid {
        // Rows run to posterior, columns to the feet, slices to the left: a usual sagittal MR.
        Grid::new(
            [40, 50, 9],
            LpsPoint::new(-20.0, -30.0, 60.0),
            LpsVector::new(0.0, 1.0, 0.0),
            LpsVector::new(0.0, 0.0, -1.0),
            LpsVector::new(4.5, 0.0, 0.0),
        )
        .unwrap()
    }

    #[test]
    fn pictures_are_seen_as_radiologists_see_them() {
        let axes = Axes::of(&sagittal_grid());
        assert_eq!(axes.acquired, Plane::Sagittal);
        let seen = |plane| {
            let (right, down, _) = axes.of_plane(plane);
            (letters(-right), letters(right), letters(-down), letters(down))
        };
        let words = |a: &str, b: &str, c: &str, d: &str| {
            (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned())
        };
        assert_eq!(seen(Plane::Axial), words("R", "L", "A", "P"));
        assert_eq!(seen(Plane::Sagittal), words("A", "P", "H", "F"));
        assert_eq!(seen(Plane::Coronal), words("R", "L", "H", "F"));
    }

    #[test]
    fn a_direction_between_two_gets_two_letters() {
        assert_eq!(letters(LpsVector::new(0.0, -0.9, 0.1)), "A");
        assert_eq!(letters(LpsVector::new(0.0, -0.8, 0.6)), "AH");
    }

    #[test]
    fn a_cut_in_the_acquired_plane_shows_the_nearest_slice_unmixed() {
        let grid = sagittal_grid();
        let voxels = (0..grid.len()).map(|n| (n / (40 * 50)) as i16).collect();
        let image = Image::Ct(crate::volume::Volume {
            grid: grid.clone(),
            voxels,
            validity: crate::volume::Validity::default(),
        });
        let size = Size { width: 20, height: 20, pixel_mm: 1.0 };
        let centre = LpsPoint::new(-20.0 + 4.5 * 3.0 + 1.9, -10.0, 35.0);
        let panel = Panel::flat(&image, &Axes::of(&grid), Plane::Sagittal, centre, size);
        assert_eq!(panel.slice, Some(3));
        assert!(panel.measured().all(|value| value == 3.0));
    }
}
