//! Points, directions and grids in the patient's frame.
//!
//! The world frame is DICOM's patient coordinate system: **LPS, millimetres** (x grows to the
//! patient's left, y to posterior, z to the head). A voxel index `(i, j, k)` counts along a row
//! (`i`, columns), along a column (`j`, rows) and along the stack (`k`); whole numbers are voxel
//! **centres**. Arrays are stored `[k, j, i]` with `i` running fastest.

use glam::{DMat3, DVec3};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in the patient, LPS millimetres. Written to JSON as `[x, y, z]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[f64; 3]", into = "[f64; 3]")]
#[schemars(with = "[f64; 3]")]
pub struct LpsPoint(DVec3);

/// A displacement or direction in the patient, LPS millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LpsVector(DVec3);

/// A place in a voxel grid, in voxels; whole numbers are voxel centres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContinuousIndex {
    /// Along a row, in columns.
    pub i: f64,
    /// Along a column, in rows.
    pub j: f64,
    /// Along the stack, in slices.
    pub k: f64,
}

/// A voxel of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoxelIndex {
    /// Column.
    pub i: usize,
    /// Row.
    pub j: usize,
    /// Slice, counted from 0 in stack order.
    pub k: usize,
}

impl LpsPoint {
    /// The point at `x` (left), `y` (posterior), `z` (head) millimetres.
    pub const fn new(x: f64, y: f64, z: f64) -> Self {
        Self(DVec3::new(x, y, z))
    }

    /// Towards the patient's left, mm.
    pub const fn x(self) -> f64 {
        self.0.x
    }

    /// Towards posterior, mm.
    pub const fn y(self) -> f64 {
        self.0.y
    }

    /// Towards the head, mm.
    pub const fn z(self) -> f64 {
        self.0.z
    }

    /// Distance to another point, mm.
    pub fn distance(self, other: Self) -> f64 {
        (self.0 - other.0).length()
    }

    /// `[x, y, z]` rounded to `digits` decimal places, for output.
    #[must_use]
    pub fn rounded(self, digits: i32) -> Self {
        let round = |v| crate::units::rounded(v, digits);
        Self::new(round(self.x()), round(self.y()), round(self.z()))
    }
}

impl From<[f64; 3]> for LpsPoint {
    fn from(v: [f64; 3]) -> Self {
        Self::new(v[0], v[1], v[2])
    }
}

impl From<LpsPoint> for [f64; 3] {
    fn from(p: LpsPoint) -> Self {
        [p.x(), p.y(), p.z()]
    }
}

impl std::ops::Sub for LpsPoint {
    type Output = LpsVector;
    fn sub(self, other: Self) -> LpsVector {
        LpsVector(self.0 - other.0)
    }
}

impl std::ops::Add<LpsVector> for LpsPoint {
    type Output = Self;
    fn add(self, v: LpsVector) -> Self {
        Self(self.0 + v.0)
    }
}

impl std::ops::Sub<LpsVector> for LpsPoint {
    type Output = Self;
    fn sub(self, v: LpsVector) -> Self {
        Self(self.0 - v.0)
    }
}

impl LpsVector {
    /// Towards the patient's head.
    pub const HEAD: Self = Self(DVec3::Z);
    /// Towards the patient's front.
    pub const ANTERIOR: Self = Self(DVec3::NEG_Y);
    /// Towards the patient's left.
    pub const LEFT: Self = Self(DVec3::X);

    /// A displacement in millimetres.
    pub const fn new(x: f64, y: f64, z: f64) -> Self {
        Self(DVec3::new(x, y, z))
    }

    /// Component towards the patient's left.
    pub const fn x(self) -> f64 {
        self.0.x
    }

    /// Component towards posterior.
    pub const fn y(self) -> f64 {
        self.0.y
    }

    /// Component towards the head.
    pub const fn z(self) -> f64 {
        self.0.z
    }

    /// Length, mm.
    pub fn length(self) -> f64 {
        self.0.length()
    }

    /// Scalar product.
    pub fn dot(self, other: Self) -> f64 {
        self.0.dot(other.0)
    }

    /// Vector product.
    #[must_use]
    pub fn cross(self, other: Self) -> Self {
        Self(self.0.cross(other.0))
    }

    /// The same direction with length 1, or `None` for a vector too short to have one.
    pub fn normalised(self) -> Option<Self> {
        self.0.try_normalize().map(Self)
    }
}

impl std::ops::Add for LpsVector {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for LpsVector {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::ops::Neg for LpsVector {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::ops::Mul<f64> for LpsVector {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }
}

/// A voxel grid without voxels: its size and where it lies in the patient.
///
/// `index_to_lps(i, j, k) = origin + i·step_i + j·step_j + k·step_k`; the steps are the vectors
/// from one voxel centre to the next and need not be at right angles (gantry tilt is a shear).
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    size: [usize; 3],
    origin: DVec3,
    steps: DMat3,
    inverse: DMat3,
}

/// The plane in which slices lie.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Plane {
    /// Within 30 degrees of the plane that separates head from feet.
    Axial,
    /// Within 30 degrees of the plane that separates left from right.
    Sagittal,
    /// Within 30 degrees of the plane that separates front from back.
    Coronal,
    /// None of these.
    Oblique,
}

/// Why a grid cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// The three steps do not span space, or are not finite numbers.
    #[error("the voxel steps do not span space (volume of one voxel {voxel_mm3} mm³)")]
    Degenerate {
        /// Volume of one voxel.
        voxel_mm3: f64,
    },
}

impl Grid {
    /// A grid of `size` = `[columns, rows, slices]` voxels whose first voxel centre lies at
    /// `origin`.
    ///
    /// # Errors
    /// [`GridError::Degenerate`] when the steps do not span space.
    pub fn new(
        size: [usize; 3],
        origin: LpsPoint,
        step_i: LpsVector,
        step_j: LpsVector,
        step_k: LpsVector,
    ) -> Result<Self, GridError> {
        let steps = DMat3::from_cols(step_i.0, step_j.0, step_k.0);
        let voxel_mm3 = steps.determinant();
        if !voxel_mm3.is_finite() || voxel_mm3.abs() < 1e-9 || !origin.0.is_finite() {
            return Err(GridError::Degenerate { voxel_mm3 });
        }
        Ok(Self { size, origin: origin.0, steps, inverse: steps.inverse() })
    }

    /// `[columns, rows, slices]`.
    pub const fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Columns.
    pub const fn ni(&self) -> usize {
        self.size[0]
    }

    /// Rows.
    pub const fn nj(&self) -> usize {
        self.size[1]
    }

    /// Slices.
    pub const fn nk(&self) -> usize {
        self.size[2]
    }

    /// Number of voxels.
    pub const fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.size[2]
    }

    /// Whether the grid has no voxel.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position in a `[k, j, i]` array.
    pub const fn offset(&self, index: VoxelIndex) -> usize {
        (index.k * self.size[1] + index.j) * self.size[0] + index.i
    }

    /// Centre of voxel (0, 0, 0).
    pub const fn origin(&self) -> LpsPoint {
        LpsPoint(self.origin)
    }

    /// Vector from one voxel centre to the next along axis 0 (i), 1 (j) or 2 (k).
    ///
    /// # Panics
    /// When `axis` is above 2: a mistake in the program, not in data.
    pub fn step(&self, axis: usize) -> LpsVector {
        LpsVector(self.steps.col(axis))
    }

    /// Distance of voxel centres along i, j and k, mm.
    pub fn spacing(&self) -> [f64; 3] {
        [0, 1, 2].map(|axis| self.steps.col(axis).length())
    }

    /// The plane of the slices: that of the body axis nearest to their normal, within 30 degrees.
    pub fn plane(&self) -> Plane {
        let normal = self.step(0).cross(self.step(1));
        let share = |part: f64| part.abs() / normal.length();
        let limit = libm::cos(30f64.to_radians());
        if share(normal.z()) > limit {
            Plane::Axial
        } else if share(normal.x()) > limit {
            Plane::Sagittal
        } else if share(normal.y()) > limit {
            Plane::Coronal
        } else {
            Plane::Oblique
        }
    }

    /// Lowest and highest LPS coordinates of the voxel centres.
    pub fn bounds(&self) -> (LpsPoint, LpsPoint) {
        let mut low = DVec3::INFINITY;
        let mut high = DVec3::NEG_INFINITY;
        let end = |n: usize| [0.0, n.saturating_sub(1) as f64];
        for i in end(self.size[0]) {
            for j in end(self.size[1]) {
                for k in end(self.size[2]) {
                    let corner = self.to_lps(ContinuousIndex { i, j, k }).0;
                    low = low.min(corner);
                    high = high.max(corner);
                }
            }
        }
        (LpsPoint(low), LpsPoint(high))
    }

    /// Volume of one voxel, mm³.
    pub fn voxel_mm3(&self) -> f64 {
        self.steps.determinant().abs()
    }

    /// Where a (continuous) voxel index lies in the patient.
    pub fn to_lps(&self, index: ContinuousIndex) -> LpsPoint {
        LpsPoint(self.origin + self.steps * DVec3::new(index.i, index.j, index.k))
    }

    /// Where a voxel's centre lies in the patient.
    pub fn voxel_to_lps(&self, index: VoxelIndex) -> LpsPoint {
        self.to_lps(ContinuousIndex { i: index.i as f64, j: index.j as f64, k: index.k as f64 })
    }

    /// The (continuous) voxel index of a place in the patient; may lie outside the grid.
    pub fn to_index(&self, point: LpsPoint) -> ContinuousIndex {
        let v = self.inverse * (point.0 - self.origin);
        ContinuousIndex { i: v.x, j: v.y, k: v.z }
    }

    /// A displacement in the patient, in voxels along i, j and k.
    pub fn vector_to_index(&self, vector: LpsVector) -> ContinuousIndex {
        let v = self.inverse * vector.0;
        ContinuousIndex { i: v.x, j: v.y, k: v.z }
    }

    /// The voxel whose centre is nearest to a place, or `None` outside the grid.
    pub fn nearest(&self, point: LpsPoint) -> Option<VoxelIndex> {
        let c = self.to_index(point);
        let axis = |value: f64, n: usize| {
            let rounded = libm::round(value);
            (rounded >= 0.0 && rounded < n as f64).then_some(rounded as usize)
        };
        Some(VoxelIndex {
            i: axis(c.i, self.size[0])?,
            j: axis(c.j, self.size[1])?,
            k: axis(c.k, self.size[2])?,
        })
    }
}

/// A right-handed set of three unit axes at a place in the patient: the local frame of a
/// vertebra or a point of the canal.
///
/// `anterior`, `left` and `up` are at right angles and of length 1; `up` points along the spine to the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Where the local coordinates are zero.
    pub origin: LpsPoint,
    /// Along the spine, to the head.
    pub up: LpsVector,
    /// To the front of the patient.
    pub anterior: LpsVector,
    /// To the patient's left.
    pub left: LpsVector,
}

/// Coordinates in a [`Frame`], millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalPoint {
    /// Along `up`, mm.
    pub s: f64,
    /// Along `anterior`, mm.
    pub v: f64,
    /// Along `left`, mm.
    pub u: f64,
}

impl Frame {
    /// The frame whose `up` is given and whose `anterior` is the given direction made
    /// perpendicular to it; `None` when the two are parallel.
    pub fn from_up_and_anterior(
        origin: LpsPoint,
        up: LpsVector,
        anterior: LpsVector,
    ) -> Option<Self> {
        let up = up.normalised()?;
        let anterior = (anterior - up * anterior.dot(up)).normalised()?;
        let left = up.cross(anterior);
        Some(Self { origin, up, anterior, left })
    }

    /// A place in the patient, in this frame's coordinates.
    pub fn to_local(&self, point: LpsPoint) -> LocalPoint {
        let d = point - self.origin;
        LocalPoint { s: d.dot(self.up), v: d.dot(self.anterior), u: d.dot(self.left) }
    }

    /// Local coordinates as a place in the patient.
    pub fn to_lps(&self, local: LocalPoint) -> LpsPoint {
        self.origin + self.up * local.s + self.anterior * local.v + self.left * local.u
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_of_a_standing_patient_points_left_to_plus_x() {
        let frame = Frame::from_up_and_anterior(
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::HEAD,
            LpsVector::ANTERIOR,
        )
        .unwrap();
        assert_eq!(frame.left, LpsVector::LEFT);
    }

    #[test]
    fn the_plane_follows_the_normal_and_survives_a_tilted_gantry() {
        let grid = |i, j, k| Grid::new([2, 2, 2], LpsPoint::new(0.0, 0.0, 0.0), i, j, k).unwrap();
        let (x, y, z) = (LpsVector::LEFT, -LpsVector::ANTERIOR, LpsVector::HEAD);
        assert_eq!(grid(x, y, z).plane(), Plane::Axial);
        assert_eq!(grid(y, -z, x).plane(), Plane::Sagittal);
        assert_eq!(grid(x, -z, y).plane(), Plane::Coronal);
        assert_eq!(grid(x, y + z * 0.4, z).plane(), Plane::Axial);
        assert_eq!(grid(x, y + z, z).plane(), Plane::Oblique);
    }

    #[test]
    fn steps_in_one_plane_are_refused() {
        let v = LpsVector::LEFT;
        let grid = Grid::new([2, 2, 2], LpsPoint::new(0.0, 0.0, 0.0), v, v, LpsVector::HEAD);
        assert!(matches!(grid, Err(GridError::Degenerate { .. })));
    }

    proptest! {
        #[test]
        fn index_to_lps_and_back_is_the_identity(
            i in -50.0..50.0f64, j in -50.0..50.0f64, k in -50.0..50.0f64,
            sx in 0.3..6.0f64, sy in 0.3..6.0f64, sz in 0.3..6.0f64, tilt in -0.6..0.6f64,
        ) {
            let grid = Grid::new(
                [4, 5, 6],
                LpsPoint::new(-120.0, 33.0, 800.0),
                LpsVector::new(sx, 0.0, 0.0),
                LpsVector::new(0.0, sy, 0.0),
                LpsVector::new(0.0, tilt * sz, sz),
            ).unwrap();
            let back = grid.to_index(grid.to_lps(ContinuousIndex { i, j, k }));
            prop_assert!((back.i - i).abs() < 1e-9 && (back.j - j).abs() < 1e-9 && (back.k - k).abs() < 1e-9);
        }

        #[test]
        fn local_coordinates_keep_distances(
            s in -40.0..40.0f64, v in -40.0..40.0f64, u in -40.0..40.0f64, lean in -0.8..0.8f64,
        ) {
            let frame = Frame::from_up_and_anterior(
                LpsPoint::new(3.0, 4.0, 5.0), LpsVector::new(0.1, lean, 1.0), LpsVector::ANTERIOR,
            ).unwrap();
            let p = frame.to_lps(LocalPoint { s, v, u });
            let d = p.distance(frame.origin);
            prop_assert!((d * d - (s * s + v * v + u * u)).abs() < 1e-6);
            let l = frame.to_local(p);
            prop_assert!((l.s - s).abs() < 1e-9 && (l.v - v).abs() < 1e-9 && (l.u - u).abs() < 1e-9);
        }
    }
}
