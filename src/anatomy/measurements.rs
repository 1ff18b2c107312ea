//! Sizes of a cut-out body in millimetres, each with an error estimate.

use super::surface::{BodySurface, EndplateSurface, OUTLINE_DIRECTIONS};
use crate::geometry::{Frame, LocalPoint, LpsPoint};
use crate::units::{Degrees, Millimetres};

/// Where the anterior and posterior height are taken: share of the way from the middle of the body
/// to its front and back wall, in the midline. Farther out the rim and its osteophytes count.
pub const HEIGHT_PLACE: f64 = 0.85;
/// Half of the width of the strip over which depth is averaged, and half of its height, mm.
const STRIP_HALF_MM: f64 = 4.0;

/// A length with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredLength {
    /// The length.
    pub length: Millimetres,
    /// Its standard error as far as resolution and the scatter of the edge tell it. What lies
    /// outside the model (a wrong disc taken for the right one) is not in it: that is the
    /// body's confidence.
    pub error: Millimetres,
}

/// A corner between the back wall and an endplate, in the midline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PosteriorCorner {
    /// Its place.
    pub place: LpsPoint,
    /// Standard error of its place in any direction.
    pub error: Millimetres,
}

/// How sure the surfaces of a body are: standard errors in mm, `None` where a surface was not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SurfaceErrors {
    /// Upper endplate.
    pub upper: Option<f64>,
    /// Lower endplate.
    pub lower: Option<f64>,
    /// Side wall, one place of it.
    pub wall: Option<f64>,
}

/// Sizes of a body in its own axes. `None` means not measured: a surface was not seen or lies
/// outside the field of view.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BodyMeasurements {
    /// Height in the midline, at [`HEIGHT_PLACE`] of the way to the front wall.
    pub height_anterior: Option<MeasuredLength>,
    /// Height in the middle.
    pub height_middle: Option<MeasuredLength>,
    /// Height in the midline, at [`HEIGHT_PLACE`] of the way to the back wall.
    pub height_posterior: Option<MeasuredLength>,
    /// Front wall to back wall at mid height, over the middle 8 mm.
    pub depth: Option<MeasuredLength>,
    /// Side to side at mid height and mid depth.
    pub width: Option<MeasuredLength>,
    /// Angle between the endplates in the midline; positive where the front is lower.
    pub wedge: Option<Degrees>,
    /// Upper posterior corner.
    pub upper_posterior_corner: Option<PosteriorCorner>,
    /// Lower posterior corner.
    pub lower_posterior_corner: Option<PosteriorCorner>,
}

impl BodyMeasurements {
    /// Measures a surface.
    pub fn of(frame: &Frame, surface: &BodySurface, errors: &SurfaceErrors) -> Self {
        let (in_view_low, in_view_high) = surface.in_view_s;
        let in_view = |s: f64| s >= in_view_low && s <= in_view_high;
        let mid_height =
            |v: f64, u: f64| f64::midpoint(surface.lower.height(v, u), surface.upper.height(v, u));
        let front = surface.radius(mid_height(0.0, 0.0), 0.0);
        let back = surface.radius(mid_height(0.0, 0.0), std::f64::consts::PI);
        let middle = 0.5 * (front - back);
        let half_depth = 0.5 * (front + back);
        let height = |v: f64| {
            let (low, high) = (surface.lower.height(v, 0.0), surface.upper.height(v, 0.0));
            let (lower, upper) = (errors.lower?, errors.upper?);
            (high > low && in_view(low) && in_view(high)).then(|| MeasuredLength {
                length: Millimetres::new(high - low),
                error: Millimetres::new(libm::hypot(lower, upper)),
            })
        };
        let mid = mid_height(middle, 0.0);
        let across = errors.wall.filter(|_| in_view(mid));
        let depth = across.map(|error| MeasuredLength {
            length: Millimetres::new(depth_over_strip(surface, mid)),
            // Neighbouring directions share their voxels: the strip counts as two places a wall.
            error: Millimetres::new(error),
        });
        let width = across.map(|error| MeasuredLength {
            length: Millimetres::new(
                side_at(surface, mid, middle, 1.0) + side_at(surface, mid, middle, -1.0),
            ),
            error: Millimetres::new(error * std::f64::consts::SQRT_2),
        });
        let wedge = (errors.upper.is_some() && errors.lower.is_some()).then(|| {
            let slope = |plate: &EndplateSurface| {
                let (v0, v1) =
                    (middle - HEIGHT_PLACE * half_depth, middle + HEIGHT_PLACE * half_depth);
                let rise = plate.height(v1, 0.0) - plate.height(v0, 0.0);
                libm::atan2(rise, (v1 - v0).max(1.0))
            };
            Degrees::new((slope(&surface.lower) - slope(&surface.upper)).to_degrees())
        });
        let corner = |plate: &EndplateSurface, error: Option<f64>| {
            let v = -back;
            let s = plate.height(v, 0.0);
            let (plate, wall) = (error?, errors.wall?);
            in_view(s).then(|| PosteriorCorner {
                place: frame.to_lps(LocalPoint { s, v, u: 0.0 }),
                error: Millimetres::new(libm::hypot(plate, wall)),
            })
        };
        Self {
            height_anterior: height(middle + HEIGHT_PLACE * half_depth),
            height_middle: height(middle),
            height_posterior: height(middle - HEIGHT_PLACE * half_depth),
            depth,
            width,
            wedge,
            upper_posterior_corner: corner(&surface.upper, errors.upper),
            lower_posterior_corner: corner(&surface.lower, errors.lower),
        }
    }
}

/// Front wall to back wall at height `s`, mean over the strip about the midline, mm.
fn depth_over_strip(surface: &BodySurface, s: f64) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for direction in 0..OUTLINE_DIRECTIONS {
        let angle = std::f64::consts::TAU * direction as f64 / OUTLINE_DIRECTIONS as f64;
        let r = surface.radius(s, angle);
        let (v, u) = (r * libm::cos(angle), r * libm::sin(angle));
        if u.abs() <= STRIP_HALF_MM && v > 0.0 {
            // The wall behind, straight across.
            let mut back = surface.radius(s, std::f64::consts::PI);
            for _ in 0..8 {
                back = surface.radius(s, libm::atan2(u, -back))
                    * libm::cos(libm::atan2(u, -back)).abs();
            }
            sum += v + back;
            n += 1.0;
        }
    }
    if n > 0.0 { sum / n } else { 0.0 }
}

/// From the midline to the wall at height `s` and depth `v`, to the left (`way` 1) or right (-1), mm.
fn side_at(surface: &BodySurface, s: f64, v: f64, way: f64) -> f64 {
    let mut u = surface.radius(s, way * std::f64::consts::FRAC_PI_2);
    for _ in 0..8 {
        let angle = libm::atan2(way * u, v);
        u = surface.radius(s, angle) * libm::sin(angle).abs();
    }
    u
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::LpsVector;

    fn frame() -> Frame {
        let place = LpsPoint::new(0.0, 0.0, 0.0);
        Frame::from_up_and_anterior(place, LpsVector::HEAD, LpsVector::ANTERIOR).unwrap()
    }

    fn wedge(in_view: (f64, f64)) -> BodySurface {
        // 16 mm about the axis, lower in front: a fall of 0.1 over 32 mm at the upper endplate.
        let mut upper = EndplateSurface::flat(12.0);
        upper.coefficients[1] = -0.1;
        BodySurface {
            first_outline_s: -12.0,
            outlines: vec![[16.0; OUTLINE_DIRECTIONS]; 25],
            upper,
            lower: EndplateSurface::flat(-12.0),
            in_view_s: in_view,
        }
    }

    const SEEN: SurfaceErrors =
        SurfaceErrors { upper: Some(0.3), lower: Some(0.4), wall: Some(0.5) };

    #[test]
    fn a_wedge_is_measured_where_the_definition_says() {
        let found = BodyMeasurements::of(&frame(), &wedge((-20.0, 20.0)), &SEEN);
        let mm = |m: Option<MeasuredLength>| m.unwrap().length.mm();
        assert!((mm(found.height_middle) - 24.0).abs() < 1e-6);
        assert!((mm(found.height_anterior) - (24.0 - 0.1 * 0.85 * 16.0)).abs() < 1e-6);
        assert!((mm(found.height_posterior) - (24.0 + 0.1 * 0.85 * 16.0)).abs() < 1e-6);
        assert!((mm(found.width) - 32.0).abs() < 0.1);
        assert!((mm(found.depth) - 32.0).abs() < 0.6, "{}", mm(found.depth));
        assert!((found.wedge.unwrap().degrees() - 5.71).abs() < 0.01);
        let error = found.height_middle.unwrap().error.mm();
        assert!((error - 0.5).abs() < 1e-9, "errors of both endplates add as squares: {error}");
        let corner = found.upper_posterior_corner.unwrap().place;
        assert!((corner.y() - 16.0).abs() < 1e-6 && (corner.z() - 13.6).abs() < 1e-6);
    }

    #[test]
    fn what_is_out_of_view_or_was_not_seen_is_not_measured() {
        let cut = BodyMeasurements::of(&frame(), &wedge((-20.0, 8.0)), &SEEN);
        assert!(cut.height_middle.is_none() && cut.upper_posterior_corner.is_none());
        assert!(cut.depth.is_some() && cut.lower_posterior_corner.is_some());
        let unseen = SurfaceErrors { upper: None, ..SEEN };
        let found = BodyMeasurements::of(&frame(), &wedge((-20.0, 20.0)), &unseen);
        assert!(found.height_anterior.is_none() && found.wedge.is_none());
        assert!(found.depth.is_some());
    }
}
