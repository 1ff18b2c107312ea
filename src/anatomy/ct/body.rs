//! Cutting out one vertebral body: frame, outlines, endplates.

use super::body_volume::{BodyVolume, InPlane};
use super::edge_model::EdgeProfile;
use super::endplates::{Edge, Endplate, Which, endplate};
use super::outline::{Outlines, Prior, angle, outlines};
use crate::anatomy::measurements::{BodyMeasurements, SurfaceErrors};
use crate::anatomy::model::VertebralBody;
use crate::anatomy::surface::{BodySurface, EndplateSurface, OUTLINE_DIRECTIONS, SurfaceColumn};
use crate::geometry::{Frame, LocalPoint, LpsPoint, LpsVector};
use crate::units::Share;
use crate::volume::Volume;

/// How far the centre may move from where the rhythm put it, mm; farther and the cut-out is not
/// believed.
const MAX_SHIFT_MM: f64 = 7.0;
/// A blurred edge is placed to this share of a voxel, and no better than for a voxel of this size, mm.
const EDGE_ERROR_OF_VOXEL: f64 = 0.2;
const LEAST_EXTENT_MM: f64 = 1.0;
/// Error of an endplate that is only seen as one band with its neighbour, mm, beside that of its flank: half of a thin
/// disc.
const BAND_ERROR_MM: f64 = 1.5;
/// Scatter of one place of the side wall (spurs, vessels), mm.
const WALL_SCATTER_MM: f64 = 0.5;
/// How far the profile across an endplate reaches into the body and out of it, mm.
const PROFILE_MM: (f64, f64) = (6.0, 5.0);
/// Blur of common kernels in the plane and of linear resampling together, standard deviation, mm.
const KERNEL_SIGMA_MM: f64 = 0.65;
/// Steepest slope by which the frame follows the endplates (tan of 30 degrees).
const MAX_SLOPE: f64 = 0.58;

/// Where an endplate is expected.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedPlate {
    /// The plane, in the frame beside it.
    pub plane: EndplateSurface,
    /// Frame of the plane.
    pub frame: Frame,
    /// Whether the plane's tilt was seen (else it only follows the spine line).
    pub tilt_seen: bool,
    /// How far from the plane the endplate may lie, into the body and out of it, mm.
    pub reach_mm: (f64, f64),
    /// What tells where it lies.
    pub edge: Edge,
}

/// What is known of a body before it is cut out.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Centre and axes along the spine line.
    pub frame: Frame,
    /// The lower endplate.
    pub lower: ExpectedPlate,
    /// The upper endplate.
    pub upper: ExpectedPlate,
    /// Depth of the body, mm.
    pub depth_mm: f64,
    /// Width, mm.
    pub width_mm: f64,
    /// From the centre to the back wall, mm.
    pub to_back_mm: f64,
}

/// The cut-out body, its centre (of the part in view) as the frame's origin; `None` when too
/// little is in view or the centre runs away.
pub fn cut_out(volume: &Volume<i16>, expected: &Expected) -> Option<VertebralBody> {
    let plates = [&expected.lower, &expected.upper];
    let mean_slope = |frame: &Frame, n: usize| {
        let seen = plates.iter().filter(|plate| plate.tilt_seen);
        let slopes: Vec<f64> =
            seen.map(|plate| carried(&plate.plane, &plate.frame, frame).coefficients[n]).collect();
        slopes.iter().sum::<f64>() / slopes.len().max(1) as f64
    };
    let start = &expected.frame;
    let mut frame = leaned(start, mean_slope(start, 1), mean_slope(start, 2))?;
    let mut lower = carried(&expected.lower.plane, &expected.lower.frame, &frame);
    let mut upper = carried(&expected.upper.plane, &expected.upper.frame, &frame);
    let mut to_back = expected.to_back_mm;
    let mut pass = fit(volume, &frame, expected, to_back, lower, upper)?;
    // A second pass about the found centre, with axes at right angles to the found endplates.
    let centre = pass.centre()?;
    let shift = centre - expected.frame.origin;
    if shift.length() > MAX_SHIFT_MM {
        return None;
    }
    let slope = |n: usize| {
        let both: Vec<f64> = [&pass.lower, &pass.upper]
            .into_iter()
            .filter(|plate| plate.seen_share > 0.3)
            .map(|plate| plate.surface.coefficients[n])
            .collect();
        both.iter().sum::<f64>() / both.len().max(1) as f64
    };
    let (forward, side) = (slope(1), slope(2));
    let moved = Frame { origin: centre, ..leaned(&frame, forward, side)? };
    // A weak rise to a band has look-alikes: from pass to pass the plane would follow them into the marrow.
    let again = |plate: &Endplate, expected: &ExpectedPlate| match expected.edge {
        Edge::Fall => carried(&plate.surface, &frame, &moved),
        Edge::Flank => carried(&expected.plane, &expected.frame, &moved),
    };
    (lower, upper) = (again(&pass.lower, &expected.lower), again(&pass.upper, &expected.upper));
    to_back += shift.dot(expected.frame.anterior);
    frame = moved;
    pass = fit(volume, &frame, expected, to_back, lower, upper)?;
    let centre = pass.centre()?;
    if (centre - expected.frame.origin).length() > MAX_SHIFT_MM {
        return None;
    }
    Some(pass.into_body(centre, volume, expected))
}

/// The frame leaned so that a plane of these slopes (tan, to the front and to the left) is level.
fn leaned(frame: &Frame, forward: f64, side: f64) -> Option<Frame> {
    let f = forward.clamp(-MAX_SLOPE, MAX_SLOPE);
    let l = side.clamp(-MAX_SLOPE, MAX_SLOPE);
    let up = frame.up - frame.anterior * f - frame.left * l;
    Frame::from_up_and_anterior(frame.origin, up, frame.anterior)
}

/// The plane through a surface's middle, expressed in another frame close to its own.
fn carried(surface: &EndplateSurface, from: &Frame, to: &Frame) -> EndplateSurface {
    let place =
        |v: f64, u: f64| to.to_local(from.to_lps(LocalPoint { s: surface.height(v, u), v, u }));
    let (a, b, c) = (place(0.0, 0.0), place(10.0, 0.0), place(0.0, 10.0));
    let forward = (b.s - a.s) / (b.v - a.v).max(1.0);
    let side = (c.s - a.s) / (c.u - a.u).max(1.0);
    let height = a.s - forward * a.v - side * a.u;
    EndplateSurface { coefficients: [height, forward, side, 0.0, 0.0, 0.0] }
}

struct Pass {
    frame: Frame,
    outlines: Outlines,
    lower: Endplate,
    upper: Endplate,
    in_view: (i32, i32),
}

fn fit(
    volume: &Volume<i16>,
    frame: &Frame,
    expected: &Expected,
    to_back: f64,
    lower: EndplateSurface,
    upper: EndplateSurface,
) -> Option<Pass> {
    let (low, high) = (lower.height(0.0, 0.0), upper.height(0.0, 0.0));
    if !(high - low > 4.0 && high - low < 60.0) {
        return None;
    }
    let reach = low.abs().max(high.abs()) + 14.0;
    let local = BodyVolume::new(volume, frame, (reach as i32).min(50));
    let prior = Prior {
        front: (expected.depth_mm - to_back).max(6.0),
        back: to_back.max(5.0),
        side: expected.width_mm / 2.0,
    };
    let in_view = local.heights_in_view(f64::midpoint(prior.front, prior.back), prior.side)?;
    // Near the endplates a cross section cuts disc and rim: outlines stop before.
    let from = (libm::ceil(low + 2.0) as i32).max(in_view.0);
    let to = (libm::floor(high - 2.0) as i32).min(in_view.1);
    if to - from < 2 {
        return None;
    }
    let outlines = outlines(&local, &prior, from, to);
    let surface = BodySurface {
        first_outline_s: f64::from(outlines.first_s),
        outlines: outlines.radii.clone(),
        upper,
        lower,
        in_view_s: (f64::from(in_view.0), f64::from(in_view.1)),
    };
    let within = |s: f64| {
        let surface = &surface;
        move |v: f64, u: f64| {
            libm::sqrt(v * v + u * u) < 0.85 * surface.radius(s, libm::atan2(u, v))
        }
    };
    let plate = |which: Which, expected: &ExpectedPlate, plane: EndplateSurface, inside_s: f64| {
        let way = (which, expected.edge);
        endplate(&local, way, plane, expected.reach_mm, in_view, within(inside_s))
    };
    let lower = plate(Which::Lower, &expected.lower, lower, low + 3.0);
    let upper = plate(Which::Upper, &expected.upper, upper, high - 3.0);
    let mut pass = Pass { frame: *frame, outlines, lower, upper, in_view };
    pass.sharpen(&local, volume, expected);
    Some(pass)
}

impl Pass {
    fn surface(&self) -> BodySurface {
        BodySurface {
            first_outline_s: f64::from(self.outlines.first_s),
            outlines: self.outlines.radii.clone(),
            upper: self.upper.surface,
            lower: self.lower.surface,
            in_view_s: (f64::from(self.in_view.0), f64::from(self.in_view.1)),
        }
    }

    /// Moves the surfaces from the steepest place to where the shell of bone ends. A band has no such place.
    fn sharpen(&mut self, local: &BodyVolume, volume: &Volume<i16>, expected: &Expected) {
        let surface = self.surface();
        let up = blur_along(volume, self.frame.up);
        let plates = [
            (&mut self.lower, Which::Lower, &expected.lower),
            (&mut self.upper, Which::Upper, &expected.upper),
        ];
        for (plate, which, expected) in plates {
            if plate.scatter_mm.is_none() || expected.edge == Edge::Flank {
                continue;
            }
            let outward = if which == Which::Upper { 1.0 } else { -1.0 };
            let mut profile = EdgeProfile::default();
            // Beyond half of the disc and its blur the neighbour's endplate rises.
            let farthest = (expected.reach_mm.1 + 1.0).clamp(2.0, PROFILE_MM.1);
            for v in (-36..=36).step_by(2) {
                for u in (-36..=36).step_by(2) {
                    let (v_mm, u_mm) = (f64::from(v), f64::from(u));
                    let height = plate.surface.height(v_mm, u_mm);
                    let wall = surface.radius(height, libm::atan2(u_mm, v_mm));
                    if libm::hypot(u_mm, v_mm) > 0.75 * wall {
                        continue;
                    }
                    let reach = PROFILE_MM.0.max(farthest) + 1.0;
                    for s in libm::floor(height - reach) as i32..=libm::ceil(height + reach) as i32
                    {
                        let x = outward * (f64::from(s) - height);
                        if x >= -PROFILE_MM.0 && x <= farthest {
                            profile.add(x, f64::from(local.at(s, v, u)));
                        }
                    }
                }
            }
            if let Some(edge) = profile.edge(up) {
                plate.surface.coefficients[0] += outward * edge;
            }
        }
        self.sharpen_walls(local, volume);
    }

    /// The side wall as a whole; where the pedicles leave there is no edge.
    fn sharpen_walls(&mut self, local: &BodyVolume, volume: &Volume<i16>) {
        let mut profile = EdgeProfile::default();
        for (row, radii) in self.outlines.radii.iter().enumerate() {
            let s = self.outlines.first_s + row as i32;
            for (direction, &radius) in radii.iter().enumerate() {
                let (c, sine) = (libm::cos(angle(direction)), libm::sin(angle(direction)));
                if (-0.92..=-0.35).contains(&c) {
                    continue;
                }
                for n in -10..=6 {
                    let x = 0.5 * f64::from(n);
                    let r = f64::from(radius) + x;
                    profile.add(x, f64::from(local.in_plane(s, &InPlane::new(r * c, r * sine))));
                }
            }
        }
        let blur = blur_along(volume, self.frame.anterior).max(blur_along(volume, self.frame.left));
        if let Some(edge) = profile.edge(blur) {
            for radius in self.outlines.radii.iter_mut().flatten() {
                *radius = (*radius + edge as f32).max(1.0);
            }
        }
    }

    /// Standard errors of the surfaces: scatter of the edge, and the share of a voxel by which a
    /// blurred edge misses its place.
    fn errors(&self, volume: &Volume<i16>, frame: &Frame, expected: &Expected) -> SurfaceErrors {
        let step = |axis: usize, way: LpsVector| volume.grid.step(axis).dot(way).abs();
        let along = |way: LpsVector| (0..3).map(|axis| step(axis, way)).fold(0.0, f64::max);
        let edge = |extent: f64| EDGE_ERROR_OF_VOXEL * extent.max(LEAST_EXTENT_MM);
        let plate = |plate: &Endplate, expected: &ExpectedPlate| {
            if expected.edge == Edge::Flank {
                return Some(libm::hypot(BAND_ERROR_MM, edge(along(frame.up))));
            }
            Some(libm::hypot(plate.scatter_mm?, edge(along(frame.up))))
        };
        let sideways = along(frame.anterior).max(along(frame.left));
        SurfaceErrors {
            upper: plate(&self.upper, &expected.upper),
            lower: plate(&self.lower, &expected.lower),
            wall: (self.outlines.seen_share > 0.5)
                .then(|| libm::hypot(edge(sideways), WALL_SCATTER_MM)),
        }
    }

    /// Centre of the part in view.
    fn centre(&self) -> Option<LpsPoint> {
        let surface = self.surface();
        let (mut sum, mut n) = ([0.0f64; 3], 0u32);
        let grid = (-40..=40).step_by(2).map(f64::from);
        let columns: Vec<SurfaceColumn> = grid
            .clone()
            .flat_map(|v| grid.clone().map(move |u| (v, u)))
            .map(|(v, u)| surface.column(v, u))
            .collect();
        for s in (self.in_view.0..=self.in_view.1).step_by(2).map(f64::from) {
            for column in &columns {
                if surface.holds(column, s) {
                    for (total, x) in sum.iter_mut().zip([s, column.v, column.u]) {
                        *total += x;
                    }
                    n += 1;
                }
            }
        }
        let [s, v, u] = sum.map(|x| x / f64::from(n.max(1)));
        (n >= 20).then(|| self.frame.to_lps(LocalPoint { s, v, u }))
    }

    /// The body with its frame's origin moved to `centre`, surfaces expressed about it.
    fn into_body(
        self,
        centre: LpsPoint,
        volume: &Volume<i16>,
        expected: &Expected,
    ) -> VertebralBody {
        let old = self.surface();
        let d = self.frame.to_local(centre);
        let frame = Frame { origin: centre, ..self.frame };
        let outlines = old.outlines.iter().map(|radii| recentred(radii, d.v, d.u)).collect();
        let plate = |p: &EndplateSurface| {
            let c = p.coefficients;
            EndplateSurface {
                coefficients: [
                    p.height(d.v, d.u) - d.s,
                    c[1] + 2.0 * c[3] * d.v + c[4] * d.u,
                    c[2] + c[4] * d.v + 2.0 * c[5] * d.u,
                    c[3],
                    c[4],
                    c[5],
                ],
            }
        };
        let surface = BodySurface {
            first_outline_s: old.first_outline_s - d.s,
            outlines,
            upper: plate(&old.upper),
            lower: plate(&old.lower),
            in_view_s: (old.in_view_s.0 - d.s, old.in_view_s.1 - d.s),
        };
        let plates = f64::midpoint(self.lower.seen_share, self.upper.seen_share);
        let confidence = Share::new(0.5 * self.outlines.seen_share + 0.5 * plates);
        let errors = self.errors(volume, &frame, expected);
        let measurements = Some(BodyMeasurements::of(&frame, &surface, &errors));
        VertebralBody { frame, surface, confidence, measurements }
    }
}

/// Standard deviation of the blur along a direction, mm: the voxel's extent, the kernel and the
/// resampling to a millimetre.
fn blur_along(volume: &Volume<i16>, way: LpsVector) -> f64 {
    let voxel: f64 = (0..3)
        .map(|axis| {
            let extent = volume.grid.step(axis).dot(way);
            extent * extent / 12.0
        })
        .sum();
    libm::sqrt(voxel + KERNEL_SIGMA_MM * KERNEL_SIGMA_MM)
}

/// A closed outline about an axis moved by (v, u) mm.
fn recentred(radii: &[f32; OUTLINE_DIRECTIONS], dv: f64, du: f64) -> [f32; OUTLINE_DIRECTIONS] {
    let n = radii.len();
    let corners: Vec<(f64, f64)> = radii
        .iter()
        .enumerate()
        .map(|(d, &r)| {
            let a = super::outline::angle(d);
            (f64::from(r) * libm::cos(a) - dv, f64::from(r) * libm::sin(a) - du)
        })
        .collect();
    std::array::from_fn(|d| {
        let a = super::outline::angle(d);
        let (c, s) = (libm::cos(a), libm::sin(a));
        let mut farthest = 0.0f64;
        for m in 0..n {
            // Where the ray from the new axis meets the side from corner m to the next.
            let ((v0, u0), (v1, u1)) = (corners[m], corners[(m + 1) % n]);
            let (across0, across1) = (u0 * c - v0 * s, u1 * c - v1 * s);
            if (across0 <= 0.0) != (across1 <= 0.0) {
                let f = across0 / (across0 - across1);
                let along = (v0 + f * (v1 - v0)) * c + (u0 + f * (u1 - u0)) * s;
                farthest = farthest.max(along);
            }
        }
        farthest as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::made;

    #[test]
    fn a_trabecular_edge_that_leads_away_from_a_band_is_not_followed() {
        // Bands above 50 and below 30 mm; to the left a dense wedge leads from the lower one into the body.
        let (volume, _) = made([40, 40, 40], |x, y, z| {
            let band_top = 30.0 + 0.6 * x.max(0.0);
            match libm::hypot(x, y) {
                radius if radius > 16.0 => 30,
                radius if radius > 14.0 => 400,
                _ if z >= 50.0 || z <= band_top => 300,
                _ => 120,
            }
        });
        let centre = LpsPoint::new(0.0, 0.0, 40.0);
        let frame =
            Frame::from_up_and_anterior(centre, LpsVector::HEAD, LpsVector::ANTERIOR).unwrap();
        let plate = |s: f64| ExpectedPlate {
            plane: EndplateSurface::flat(s),
            frame,
            tilt_seen: true,
            reach_mm: (3.0, 2.0),
            edge: Edge::Flank,
        };
        let sizes = (32.0, 32.0, 16.0);
        let expected = Expected {
            frame,
            lower: plate(-12.0),
            upper: plate(12.0),
            depth_mm: sizes.0,
            width_mm: sizes.1,
            to_back_mm: sizes.2,
        };
        let body = cut_out(&volume, &expected).unwrap();
        for (lateral, highest) in [(-10.0, 31.0), (10.0, 32.0)] {
            let found = body.frame.to_local(LpsPoint::new(lateral, 0.0, 30.0));
            let s = body.surface.lower.height(found.v, found.u);
            let height = body.frame.to_lps(LocalPoint { s, ..found }).z();
            assert!((27.0..highest).contains(&height), "{lateral}: {height}");
        }
    }

    #[test]
    fn a_circle_seen_from_beside_its_centre_keeps_its_shape() {
        let moved = recentred(&[20.0; 64], 3.0, 0.0);
        assert!((f64::from(moved[0]) - 17.0).abs() < 0.1);
        assert!((f64::from(moved[32]) - 23.0).abs() < 0.1);
        assert!((f64::from(moved[16]) - libm::sqrt(400.0 - 9.0)).abs() < 0.1);
    }
}
