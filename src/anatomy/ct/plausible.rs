//! Outlines that cannot be right, whatever their edges look like: the body of a spine is lower than the
//! distance of its discs and fills most of it, collapsed or not; it leaves room for a disc; and it is
//! about as deep and as wide as its neighbours.

use crate::anatomy::measurements::{BodyMeasurements, MeasuredLength};
use crate::anatomy::model::{Vertebra, VertebralBody};
use crate::anatomy::surface::{BodySurface, OUTLINE_DIRECTIONS};
use crate::geometry::LocalPoint;
use crate::kernels::median;
use crate::units::Share;
use std::f64::consts::TAU;

/// Confidence that is left to such an outline: less than [`VertebralBody::SURE_OUTLINE`].
const IMPLAUSIBLE: f64 = 0.4;
/// Least distance of two endplates, mm; narrower discs are not told apart from none, and one of the
/// neighbours has taken the disc.
const LEAST_DISC_MM: f64 = 1.0;
/// Height of a body over the distance of its discs: 0.65 to 0.95 where outlines were right on the development
/// series. A thin disc taken for a body has 0.1 to 0.45; more than 1 holds a disc.
const HEIGHT_OF_SPACING: (f64, f64) = (0.5, 1.0);
/// Greatest depth and width over the median of the two neighbours on either side: 1.12 and 1.24 where outlines
/// were right; an aorta taken in makes 1.3.
const DEPTH_OF_NEIGHBOURS: f64 = 1.25;
const WIDTH_OF_NEIGHBOURS: f64 = 1.3;
/// Least height near the rim over that of the middle, and the share of the way to the wall where it is taken: 0.64 or
/// more where outlines were right, the dens and a slope of S1 included; an endplate that runs through its body makes
/// less than 0.5. No wedge fracture is doubted by it: its middle is lowered with its front.
const RIM_OF_MIDDLE: f64 = 0.5;
const RIM_SHARE: f64 = 0.85;
/// How many on either side are the neighbours.
const NEIGHBOURS: usize = 2;

/// Lowers the confidence of outlines that cannot be right. `spacings_mm` are the distances of the discs of
/// each vertebra, from feet to head.
pub fn doubt_implausible_bodies(vertebrae: &mut [Vertebra], spacings_mm: &[f64]) {
    let misfits: Vec<bool> = (0..vertebrae.len())
        .map(|n| {
            let touches = |n: usize| disc_mm(vertebrae, n).is_some_and(|mm| mm < LEAST_DISC_MM);
            touches(n)
                || n.checked_sub(1).is_some_and(touches)
                || is_misfit(vertebrae, n, spacings_mm.get(n).copied())
        })
        .collect();
    for (vertebra, _) in vertebrae.iter_mut().zip(misfits).filter(|(_, misfits)| *misfits) {
        vertebra.body = vertebra.body.take().map(doubted);
    }
}

/// The body between the endplates that were seen, or, where none were, the one at the rhythm's place; also where
/// what was seen is a slip, and then nobody measures it.
pub fn unless_slip(
    seen: Option<VertebralBody>,
    spacing_mm: f64,
    by_rhythm: impl FnOnce() -> Option<VertebralBody>,
) -> Option<VertebralBody> {
    match seen {
        Some(slip) if is_slip(&slip, spacing_mm) => by_rhythm().or(Some(slip)).map(doubted),
        None => by_rhythm(),
        body => body,
    }
}

/// The body with no more confidence than an outline has that cannot be right.
fn doubted(mut body: VertebralBody) -> VertebralBody {
    body.confidence = Share::new(body.confidence.get().min(IMPLAUSIBLE));
    body
}

/// Whether it is too low for the distance of its discs: a disc with its endplates, or one endplate.
fn is_slip(body: &VertebralBody, spacing_mm: f64) -> bool {
    let BodySurface { lower, upper, .. } = &body.surface;
    upper.height(0.0, 0.0) - lower.height(0.0, 0.0) < HEIGHT_OF_SPACING.0 * spacing_mm
}

/// Distance of the endplates between a vertebra and the one above it, mm.
fn disc_mm(vertebrae: &[Vertebra], n: usize) -> Option<f64> {
    let (low, high) = (vertebrae[n].body.as_ref()?, vertebrae.get(n + 1)?.body.as_ref()?);
    let plate = |body: &VertebralBody, s: f64| body.frame.to_lps(LocalPoint { s, v: 0.0, u: 0.0 });
    let top = plate(low, low.surface.upper.height(0.0, 0.0));
    let bottom = plate(high, high.surface.lower.height(0.0, 0.0));
    Some((bottom - top).dot(low.frame.up))
}

/// Whether an endplate bends or leans so far into the body that little is left of a rim.
fn lacks_rim(surface: &BodySurface) -> bool {
    let height = |v: f64, u: f64| surface.upper.height(v, u) - surface.lower.height(v, u);
    let rim = |direction: usize| {
        let angle = TAU * direction as f64 / OUTLINE_DIRECTIONS as f64;
        let radius = RIM_SHARE * surface.radius(0.0, angle);
        height(radius * libm::cos(angle), radius * libm::sin(angle))
    };
    (0..OUTLINE_DIRECTIONS).any(|n| rim(n) < RIM_OF_MIDDLE * height(0.0, 0.0))
}

/// Whether a body that was measured has a height that its place does not allow, lacks a rim, or is much deeper or
/// wider than its neighbours.
fn is_misfit(vertebrae: &[Vertebra], n: usize, spacing_mm: Option<f64>) -> bool {
    let sizes = |n: usize| vertebrae[n].body.as_ref().and_then(|body| body.measurements);
    let Some(own) = sizes(n) else { return false };
    let height_misfits =
        vertebrae[n].body.as_ref().zip(spacing_mm).is_some_and(|(body, spacing)| {
            let holds_disc =
                |height: MeasuredLength| height.length.mm() > HEIGHT_OF_SPACING.1 * spacing;
            is_slip(body, spacing) || own.height_middle.is_some_and(holds_disc)
        });
    let exceeds = |size: fn(&BodyMeasurements) -> Option<MeasuredLength>, most: f64| {
        let near = n.saturating_sub(NEIGHBOURS)..(n + NEIGHBOURS + 1).min(vertebrae.len());
        let others = near.filter(|&m| m != n).filter_map(sizes);
        let usual = median(others.filter_map(|sizes| Some(size(&sizes)?.length.mm())));
        size(&own).zip(usual).is_some_and(|(own, usual)| own.length.mm() > most * usual)
    };
    height_misfits
        || vertebrae[n].body.as_ref().is_some_and(|body| lacks_rim(&body.surface))
        || exceeds(|sizes| sizes.depth, DEPTH_OF_NEIGHBOURS)
        || exceeds(|sizes| sizes.width, WIDTH_OF_NEIGHBOURS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::measurements::SurfaceErrors;
    use crate::anatomy::model::VertebraId;
    use crate::anatomy::surface::EndplateSurface;
    use crate::geometry::{Frame, LpsPoint, LpsVector};

    const SPACING_MM: f64 = 25.0;

    /// A round body (radius, lower and upper endplate, mm) about a height on the z axis.
    fn round((radius, lower, upper): (f32, f64, f64), z: f64) -> VertebralBody {
        let errors = SurfaceErrors { upper: Some(0.5), lower: Some(0.5), wall: Some(0.5) };
        let (up, anterior) = (LpsVector::HEAD, LpsVector::ANTERIOR);
        let frame = Frame::from_up_and_anterior(LpsPoint::new(0.0, 0.0, z), up, anterior).unwrap();
        let surface = BodySurface {
            first_outline_s: -12.0,
            outlines: vec![[radius; OUTLINE_DIRECTIONS]; 25],
            upper: EndplateSurface::flat(upper),
            lower: EndplateSurface::flat(lower),
            in_view_s: (-20.0, 20.0),
        };
        let measurements = Some(BodyMeasurements::of(&frame, &surface, &errors));
        VertebralBody { frame, surface, confidence: Share::new(0.9), measurements }
    }

    /// How sure the outlines of round bodies 25 mm apart are.
    fn confidences(bodies: &[(f32, f64, f64)]) -> Vec<f64> {
        let mut vertebrae: Vec<Vertebra> = bodies
            .iter()
            .enumerate()
            .map(|(n, &sizes)| {
                let body = round(sizes, n as f64 * SPACING_MM);
                Vertebra {
                    id: VertebraId(String::new()),
                    level: None,
                    level_candidates: Vec::new(),
                    section_guess: None,
                    centroid: body.frame.origin,
                    fraction_in_view: Share::new(1.0),
                    confidence: Share::new(0.9),
                    body: Some(body),
                    disc_below: None,
                    disc_above: None,
                    problems: Vec::new(),
                }
            })
            .collect();
        doubt_implausible_bodies(&mut vertebrae, &vec![SPACING_MM; bodies.len()]);
        vertebrae.iter().filter_map(|v| Some(v.body.as_ref()?.confidence.get())).collect()
    }

    const RIGHT: (f32, f64, f64) = (14.0, -10.0, 10.0);

    #[test]
    fn bodies_alike_with_discs_between_keep_their_confidence() {
        let collapsed = (14.0, -7.0, 6.0);
        assert_eq!(confidences(&[RIGHT, RIGHT, collapsed, RIGHT]), [0.9; 4]);
    }

    #[test]
    fn a_slip_of_bone_and_a_body_with_a_disc_in_it_are_doubted() {
        assert_eq!(confidences(&[RIGHT, (14.0, -3.0, 3.0), RIGHT]), [0.9, 0.4, 0.9]);
        assert_eq!(confidences(&[RIGHT, (14.0, -12.0, 13.5), RIGHT]), [0.9, 0.4, 0.9]);
    }

    #[test]
    fn a_slip_gives_way_to_the_place_of_the_rhythm_which_is_not_sure() {
        let kept = |seen: Option<VertebralBody>, by_rhythm: Option<VertebralBody>| {
            let body = unless_slip(seen, SPACING_MM, || by_rhythm)?;
            Some((body.frame.origin.z(), body.confidence.get()))
        };
        let (right, slip) = (round(RIGHT, 1.0), round((14.0, -3.0, 3.0), 2.0));
        let by_rhythm = Some(round(RIGHT, 3.0));
        assert_eq!(kept(Some(right), by_rhythm.clone()), Some((1.0, 0.9)));
        assert_eq!(kept(Some(slip.clone()), by_rhythm.clone()), Some((3.0, 0.4)));
        assert_eq!(kept(Some(slip), None), Some((2.0, 0.4)));
        assert_eq!(kept(None, by_rhythm), Some((3.0, 0.9)));
    }

    #[test]
    fn neighbours_without_a_disc_between_are_both_doubted() {
        assert_eq!(confidences(&[RIGHT, RIGHT, (14.0, -14.5, 10.0)]), [0.9, 0.4, 0.4]);
    }

    #[test]
    fn a_body_without_a_rim_is_doubted_and_a_wedge_is_not() {
        let lacking = |lower: [f64; 6], upper: [f64; 6]| {
            let mut body = round(RIGHT, 0.0);
            body.surface.lower.coefficients = lower;
            body.surface.upper.coefficients = upper;
            lacks_rim(&body.surface)
        };
        let flat = |s: f64| [s, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert!(!lacking(flat(-10.0), flat(10.0)));
        // 20 mm behind, 8 mm in front.
        assert!(!lacking(flat(-10.0), [4.0, -0.43, 0.0, 0.0, 0.0, 0.0]));
        // Hollow by 4 mm on both sides.
        let hollow = 4.0 / (14.0 * 14.0);
        assert!(!lacking(
            [-8.0, 0.0, 0.0, -hollow, 0.0, -hollow],
            [8.0, 0.0, 0.0, hollow, 0.0, hollow]
        ));
        // Straight in one half, 12 mm up near the left rim.
        assert!(lacking([-9.0, 0.0, 0.4, 0.0, 0.0, 0.05], flat(10.0)));
    }

    #[test]
    fn a_body_with_a_vessel_taken_in_is_doubted() {
        assert_eq!(confidences(&[RIGHT, RIGHT, (19.0, -10.0, 10.0)]), [0.9, 0.9, 0.4]);
    }
}
