//! A vertebral body read on a 1 mm grid of its own frame, with where each sample lies in it.
//!
//! Samples are trilinear between native voxels. Arrays are `[s, v, u]`, `u` fastest, so that
//! bodies of one patient can be compared place by place.

use crate::anatomy::{BodyPosition, VertebralBody};
use crate::geometry::{ContinuousIndex, Grid, LocalPoint, LpsPoint, LpsVector};
use crate::volume::{Image, Validity};

/// Share of the pixel added to the depth below the side wall at which marrow is taken to begin.
const SIDE_MARGIN_PER_PIXEL: f64 = 0.4;
/// Share of the slice step added to the depth below the endplates.
const ENDPLATE_MARGIN_PER_SLICE: f64 = 0.5;

/// How far below the surfaces marrow is taken to begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoreMargins {
    /// Below the side wall, mm, before what the pixel adds.
    pub side: f64,
    /// Below the endplates, mm, before what the slice adds.
    pub endplate: f64,
    /// Inside the edge of the field of view, mm.
    pub field: f64,
}

/// The samples of one body.
#[derive(Clone, Debug)]
pub(super) struct BodySamples {
    /// Number of samples along s, v and u.
    pub size: [usize; 3],
    /// Local coordinates of sample (0, 0, 0); samples are 1 mm apart.
    pub first: LocalPoint,
    /// Hounsfield units or signal; NaN where nothing was measured.
    pub values: Vec<f32>,
    /// Depth below the side wall, mm; negative outside the body.
    pub side_depth: Vec<f32>,
    /// Depth below the nearer endplate, mm; negative outside the body.
    pub endplate_depth: Vec<f32>,
    /// Height between the endplates, 0 at the lower, 1 at the upper.
    pub height_fraction: Vec<f32>,
    /// Direction from the body's axis, radians, from anterior towards the patient's left.
    pub angle: Vec<f32>,
    /// Distance from the axis over the distance of the wall.
    pub radius_fraction: Vec<f32>,
    /// Marrow that may be measured: deep enough below all surfaces and inside the field.
    pub core: Vec<bool>,
    /// Depth below the side wall at which the core begins, mm.
    pub side_margin: f64,
    /// Depth below the endplates at which the core begins, mm.
    pub endplate_margin: f64,
    /// Samples that would be core if the field of view did not end.
    pub core_without_field: usize,
}

impl BodySamples {
    /// Reads a body. Returns `None` when its surface encloses nothing.
    pub(super) fn read(image: &Image, body: &VertebralBody, margins: CoreMargins) -> Option<Self> {
        let grid = image.grid();
        let frame = &body.frame;
        let reach = body.surface.outlines.iter().flatten().fold(0.0f32, |a, &b| a.max(b));
        let reach = libm::ceil(f64::from(reach).min(60.0)) + 1.0;
        let (low, high) = endplate_range(body)?;
        let first = LocalPoint { s: libm::floor(low) - 1.0, v: -reach, u: -reach };
        let across = (2.0 * reach) as usize + 1;
        let size = [(libm::ceil(high) + 1.0 - first.s) as usize + 1, across, across];
        let len = size[0] * size[1] * size[2];
        let side_margin = margins.side
            + SIDE_MARGIN_PER_PIXEL * pitch(grid, frame.anterior).max(pitch(grid, frame.left));
        let endplate_margin = margins.endplate + ENDPLATE_MARGIN_PER_SLICE * pitch(grid, frame.up);
        let mut samples = Self {
            size,
            first,
            values: vec![f32::NAN; len],
            side_depth: vec![-1.0; len],
            endplate_depth: vec![-1.0; len],
            height_fraction: vec![0.0; len],
            angle: vec![0.0; len],
            radius_fraction: vec![2.0; len],
            core: vec![false; len],
            side_margin,
            endplate_margin,
            core_without_field: 0,
        };
        let mut any_inside = false;
        for at in 0..len {
            let local = samples.local(at);
            let position = body.surface.position(local);
            let BodyPosition { side_depth, upper_depth, lower_depth, .. } = position;
            let endplate_depth = upper_depth.min(lower_depth);
            samples.side_depth[at] = side_depth as f32;
            samples.endplate_depth[at] = endplate_depth as f32;
            samples.height_fraction[at] = position.height_fraction as f32;
            samples.angle[at] = position.angle as f32;
            samples.radius_fraction[at] = position.radius_fraction as f32;
            // A border of 2 mm is read too: other bodies are warped onto this one and may need it.
            if side_depth < -2.0 || endplate_depth < -2.0 {
                continue;
            }
            let place = frame.to_lps(local);
            let Some(value) = image.sample(place) else { continue };
            samples.values[at] = value as f32;
            let in_view =
                local.s >= body.surface.in_view_s.0 && local.s <= body.surface.in_view_s.1;
            any_inside |= in_view && side_depth >= 0.0 && endplate_depth >= 0.0;
            let deep = side_depth >= side_margin && endplate_depth >= endplate_margin;
            if deep && in_view {
                samples.core[at] = inside_field(grid, image.validity(), place, margins.field);
            }
        }
        samples.core_without_field = (0..len)
            .filter(|&at| {
                f64::from(samples.side_depth[at]) >= side_margin
                    && f64::from(samples.endplate_depth[at]) >= endplate_margin
            })
            .count();
        any_inside.then_some(samples)
    }

    /// Local coordinates of a sample.
    pub(super) fn local(&self, at: usize) -> LocalPoint {
        let [_, nv, nu] = self.size;
        LocalPoint {
            s: self.first.s + (at / (nv * nu)) as f64,
            v: self.first.v + (at / nu % nv) as f64,
            u: self.first.u + (at % nu) as f64,
        }
    }

    /// The sample nearest to a place in the body's frame.
    pub(super) fn nearest(&self, p: LocalPoint) -> Option<usize> {
        let [ns, nv, nu] = self.size;
        let axis = |x: f64, n: usize| {
            let x = libm::round(x);
            (x >= 0.0 && x < n as f64).then_some(x as usize)
        };
        let s = axis(p.s - self.first.s, ns)?;
        let v = axis(p.v - self.first.v, nv)?;
        let u = axis(p.u - self.first.u, nu)?;
        Some((s * nv + v) * nu + u)
    }

    /// Trilinear value of one of this body's arrays at a place; `None` outside or where a
    /// neighbour is NaN.
    pub(super) fn interpolate(&self, array: &[f32], p: LocalPoint) -> Option<f64> {
        let [ns, nv, nu] = self.size;
        let axis = |x: f64, n: usize| {
            let low = libm::floor(x);
            (low >= 0.0 && low + 1.0 < n as f64).then_some((low as usize, x - low))
        };
        let (s, fs) = axis(p.s - self.first.s, ns)?;
        let (v, fv) = axis(p.v - self.first.v, nv)?;
        let (u, fu) = axis(p.u - self.first.u, nu)?;
        let base = (s * nv + v) * nu + u;
        let row = |at: usize| f64::from(array[at]) * (1.0 - fu) + f64::from(array[at + 1]) * fu;
        let plane = |at: usize| row(at) * (1.0 - fv) + row(at + nu) * fv;
        let value = plane(base) * (1.0 - fs) + plane(base + nv * nu) * fs;
        (!value.is_nan()).then_some(value)
    }

    /// Depth below the surface of the core, mm; negative outside it.
    pub(super) fn depth_in_core(&self, at: usize) -> f64 {
        self.side_depth_in_core(at).min(self.endplate_depth_in_core(at))
    }

    /// Depth below the side of the core, mm.
    pub(super) fn side_depth_in_core(&self, at: usize) -> f64 {
        f64::from(self.side_depth[at]) - self.side_margin
    }

    /// Depth below the nearer end of the core, mm.
    pub(super) fn endplate_depth_in_core(&self, at: usize) -> f64 {
        f64::from(self.endplate_depth[at]) - self.endplate_margin
    }

    /// Values of the core.
    pub(super) fn core_values(&self) -> Vec<f32> {
        self.core.iter().zip(&self.values).filter(|(core, _)| **core).map(|(_, &v)| v).collect()
    }
}

/// Lowest and highest height of the endplates over the outline, cut to what is in view.
fn endplate_range(body: &VertebralBody) -> Option<(f64, f64)> {
    let surface = &body.surface;
    let mut low = f64::INFINITY;
    let mut high = f64::NEG_INFINITY;
    for p in surface.outline_at(0.0) {
        // Half of the radius as well: endplates are concave and may bulge in the middle.
        for share in [1.0, 0.5, 0.0] {
            low = low.min(surface.lower.height(p.v * share, p.u * share));
            high = high.max(surface.upper.height(p.v * share, p.u * share));
        }
    }
    let low = low.max(surface.in_view_s.0).max(-60.0);
    let high = high.min(surface.in_view_s.1).min(60.0);
    (low < high).then_some((low, high))
}

/// Size of a voxel seen along a direction, mm: how coarsely the image resolves a surface at right
/// angles to it.
pub(super) fn pitch(grid: &Grid, direction: LpsVector) -> f64 {
    (0..3).map(|axis| grid.step(axis).dot(direction).abs()).fold(0.0, f64::max)
}

/// Whether a place lies at least `margin` mm inside the scanned field: the grid's edge, and the
/// reconstructed circle within the slice. Values near the edge are not dependable.
fn inside_field(grid: &Grid, validity: &Validity, place: LpsPoint, margin: f64) -> bool {
    let at = grid.to_index(place);
    let spacing = grid.spacing();
    let centre = [at.i, at.j, at.k];
    for axis in 0..3 {
        let reach = margin / spacing[axis];
        let last = grid.size()[axis] as f64 - 0.5;
        if centre[axis] - reach < -0.5 || centre[axis] + reach > last {
            return false;
        }
    }
    if validity.padding.is_none() && validity.outside_field_of_view.is_none() {
        return true;
    }
    (0..3).all(|axis| {
        [-1.0, 1.0].into_iter().all(|sign| {
            let mut moved = centre;
            moved[axis] += sign * margin / spacing[axis];
            let moved = ContinuousIndex { i: moved[0], j: moved[1], k: moved[2] };
            grid.nearest(grid.to_lps(moved))
                .is_some_and(|index| validity.is_measured(grid.offset(index)))
        })
    })
}
