//! The surface of a vertebral body as numbers: an outline for each millimetre of height and two
//! quadratic endplates, in the body's own frame.
//!
//! Voxels are asked where they lie in it, so that any grid can be measured without resampling.

use crate::geometry::{Frame, Grid, LocalPoint, LpsPoint, VoxelIndex};
use crate::kernels::BitMask;

/// Directions of an outline: direction `n` points to `2π·n/64`, counted from anterior towards
/// the patient's left.
pub const OUTLINE_DIRECTIONS: usize = 64;

/// A quadratic surface over the (v, u) plane of a body's frame:
/// `s = c0 + c1·v + c2·u + c3·v² + c4·v·u + c5·u²`, all in millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndplateSurface {
    /// The six coefficients.
    pub coefficients: [f64; 6],
}

impl EndplateSurface {
    /// A plane at right angles to the frame's `up` at height `s`, mm.
    pub const fn flat(s: f64) -> Self {
        Self { coefficients: [s, 0.0, 0.0, 0.0, 0.0, 0.0] }
    }

    /// Height over the frame's origin at (v, u), mm.
    pub fn height(&self, v: f64, u: f64) -> f64 {
        let c = &self.coefficients;
        c[0] + c[1] * v + c[2] * u + c[3] * v * v + c[4] * v * u + c[5] * u * u
    }
}

/// The surface of one vertebral body.
#[derive(Clone, Debug, PartialEq)]
pub struct BodySurface {
    /// Height of the first outline over the frame's origin, mm.
    pub first_outline_s: f64,
    /// Outlines one millimetre apart, from below to above: distance from the frame's `up` axis to
    /// the wall in each direction, mm.
    pub outlines: Vec<[f32; OUTLINE_DIRECTIONS]>,
    /// Upper endplate.
    pub upper: EndplateSurface,
    /// Lower endplate.
    pub lower: EndplateSurface,
    /// Lowest and highest height that lies in the field of view, mm. Surfaces beyond it are
    /// extrapolated and must not be measured.
    pub in_view_s: (f64, f64),
}

/// Where a place lies relative to a [`BodySurface`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyPosition {
    /// Depth below the side wall, mm; negative outside.
    pub side_depth: f64,
    /// Depth below the upper endplate, mm; negative above it.
    pub upper_depth: f64,
    /// Height over the lower endplate, mm; negative below it.
    pub lower_depth: f64,
    /// Height between the endplates: 0 at the lower, 1 at the upper.
    pub height_fraction: f64,
    /// Direction from the axis, radians, from anterior (0) towards the patient's left.
    pub angle: f64,
    /// Distance from the axis over the distance of the wall in that direction.
    pub radius_fraction: f64,
}

/// A line in the direction of `up` through a [`BodySurface`].
pub(super) struct SurfaceColumn {
    /// Forward and left coordinate, mm.
    pub v: f64,
    /// See `v`.
    pub u: f64,
    angle: f64,
    distance: f64,
    lower: f64,
    upper: f64,
}

impl BodyPosition {
    /// Smallest depth below any surface, mm; negative outside.
    pub fn depth(&self) -> f64 {
        self.side_depth.min(self.upper_depth).min(self.lower_depth)
    }
}

impl BodySurface {
    /// Distance from the axis to the wall at height `s` in direction `angle` (radians), mm;
    /// linear between outlines and directions, constant beyond the first and last outline.
    pub fn radius(&self, s: f64, angle: f64) -> f64 {
        let Some(last) = self.outlines.len().checked_sub(1) else { return 0.0 };
        let row = (s - self.first_outline_s).clamp(0.0, last as f64);
        let low = libm::floor(row) as usize;
        let high = (low + 1).min(last);
        let turn = angle / std::f64::consts::TAU;
        let direction = (turn - libm::floor(turn)) * OUTLINE_DIRECTIONS as f64;
        let a = libm::floor(direction) as usize % OUTLINE_DIRECTIONS;
        let b = (a + 1) % OUTLINE_DIRECTIONS;
        let fraction = direction - libm::floor(direction);
        let at = |r: usize| {
            f64::from(self.outlines[r][a]) * (1.0 - fraction)
                + f64::from(self.outlines[r][b]) * fraction
        };
        let f = row - low as f64;
        at(low) * (1.0 - f) + at(high) * f
    }

    /// Where a place in the body's frame lies relative to the surface.
    pub fn position(&self, p: LocalPoint) -> BodyPosition {
        let angle = libm::atan2(p.u, p.v);
        let distance = libm::sqrt(p.u * p.u + p.v * p.v);
        let wall = self.radius(p.s, angle).max(1e-6);
        let upper = self.upper.height(p.v, p.u);
        let lower = self.lower.height(p.v, p.u);
        BodyPosition {
            side_depth: wall - distance,
            upper_depth: upper - p.s,
            lower_depth: p.s - lower,
            height_fraction: (p.s - lower) / (upper - lower).max(1e-6),
            angle,
            radius_fraction: distance / wall,
        }
    }

    /// What does not change along a line in the direction of `up` at (v, u).
    pub(super) fn column(&self, v: f64, u: f64) -> SurfaceColumn {
        SurfaceColumn {
            v,
            u,
            angle: libm::atan2(u, v),
            distance: libm::sqrt(v * v + u * u),
            lower: self.lower.height(v, u),
            upper: self.upper.height(v, u),
        }
    }

    /// Whether the place at height `s` of a column lies inside, as [`BodySurface::position`] tells.
    pub(super) fn holds(&self, column: &SurfaceColumn, s: f64) -> bool {
        column.upper - s >= 0.0
            && s - column.lower >= 0.0
            && self.radius(s, column.angle).max(1e-6) - column.distance >= 0.0
    }

    /// Voxels of `grid` whose centres lie inside the surface and in view, with their bounding
    /// box `[low, high]` in voxels (inclusive); `None` when there are none.
    pub fn rasterise(
        &self,
        frame: &Frame,
        grid: &Grid,
    ) -> Option<(BitMask, VoxelIndex, VoxelIndex)> {
        let (low, high) = self.voxel_box(frame, grid)?;
        let mut mask = BitMask::empty(grid.size());
        for k in low.k..=high.k {
            for j in low.j..=high.j {
                for i in low.i..=high.i {
                    let index = VoxelIndex { i, j, k };
                    let local = frame.to_local(grid.voxel_to_lps(index));
                    if local.s >= self.in_view_s.0
                        && local.s <= self.in_view_s.1
                        && self.position(local).depth() >= 0.0
                    {
                        mask.insert(grid.offset(index));
                    }
                }
            }
        }
        (!mask.is_empty()).then_some((mask, low, high))
    }

    /// The box of voxels that can hold the body, clipped to the grid; `None` when they do not
    /// meet.
    pub fn voxel_box(&self, frame: &Frame, grid: &Grid) -> Option<(VoxelIndex, VoxelIndex)> {
        let reach = self.outlines.iter().flatten().fold(0.0f32, |a, &b| a.max(b));
        let reach = f64::from(reach);
        let (s0, s1) = self.in_view_s;
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for s in [s0, s1] {
            for v in [-reach, reach] {
                for u in [-reach, reach] {
                    let c = grid.to_index(frame.to_lps(LocalPoint { s, v, u }));
                    for (axis, value) in [c.i, c.j, c.k].into_iter().enumerate() {
                        low[axis] = low[axis].min(value);
                        high[axis] = high[axis].max(value);
                    }
                }
            }
        }
        let mut a = [0usize; 3];
        let mut b = [0usize; 3];
        for axis in 0..3 {
            let n = grid.size()[axis] as f64;
            let from = libm::floor(low[axis]).max(0.0);
            let to = libm::ceil(high[axis]).min(n - 1.0);
            // NaN (a surface without size) meets no grid either.
            if from > to || from.is_nan() || to.is_nan() {
                return None;
            }
            a[axis] = from as usize;
            b[axis] = to as usize;
        }
        Some((VoxelIndex { i: a[0], j: a[1], k: a[2] }, VoxelIndex { i: b[0], j: b[1], k: b[2] }))
    }

    /// Points of the outline at height `s` (frame coordinates), for drawing.
    pub fn outline_at(&self, s: f64) -> Vec<LocalPoint> {
        (0..OUTLINE_DIRECTIONS)
            .map(|n| {
                let angle = std::f64::consts::TAU * n as f64 / OUTLINE_DIRECTIONS as f64;
                let r = self.radius(s, angle);
                LocalPoint { s, v: r * libm::cos(angle), u: r * libm::sin(angle) }
            })
            .collect()
    }

    /// Whether a place in the patient lies inside the surface.
    pub fn contains(&self, frame: &Frame, point: LpsPoint) -> bool {
        self.position(frame.to_local(point)).depth() >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::LpsVector;

    fn cylinder() -> BodySurface {
        BodySurface {
            first_outline_s: -12.0,
            outlines: vec![[15.0; OUTLINE_DIRECTIONS]; 25],
            upper: EndplateSurface::flat(10.0),
            lower: EndplateSurface::flat(-10.0),
            in_view_s: (-12.0, 12.0),
        }
    }

    #[test]
    fn a_rasterised_cylinder_has_the_volume_of_a_cylinder() {
        let surface = cylinder();
        let frame = Frame::from_up_and_anterior(
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::new(0.2, 0.1, 1.0),
            LpsVector::ANTERIOR,
        )
        .unwrap();
        let grid = Grid::new(
            [80, 80, 80],
            LpsPoint::new(-20.0, -20.0, -20.0),
            LpsVector::new(0.5, 0.0, 0.0),
            LpsVector::new(0.0, 0.5, 0.0),
            LpsVector::new(0.0, 0.0, 0.5),
        )
        .unwrap();
        let (mask, ..) = surface.rasterise(&frame, &grid).unwrap();
        let mm3 = mask.count() as f64 * grid.voxel_mm3();
        let expected = std::f64::consts::PI * 15.0 * 15.0 * 20.0;
        assert!((mm3 / expected - 1.0).abs() < 0.02, "{mm3} mm³ against {expected}");
    }

    #[test]
    fn depth_is_counted_from_the_nearest_surface() {
        let at = cylinder().position(LocalPoint { s: 9.0, v: 0.0, u: 12.0 });
        assert!((at.upper_depth - 1.0).abs() < 1e-9);
        assert!((at.side_depth - 3.0).abs() < 1e-6);
        assert!((at.depth() - 1.0).abs() < 1e-9);
        assert!((at.angle - std::f64::consts::FRAC_PI_2).abs() < 1e-9, "left is a quarter turn");
    }
}
