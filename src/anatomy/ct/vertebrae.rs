//! From segments of the straightened spine to vertebrae in the patient.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::body::{Expected, ExpectedPlate, cut_out};
use super::disc_evidence::{DiscEvidence, TILTS_DEGREES, limit_for_spacing};
use super::disc_space::{DiscSpace, Evidence, ExpectedDisc, best_chain, disc_spaces};
use super::endplates::Edge;
use super::parameters::Parameters;
use super::plausible::{doubt_implausible_bodies, unless_slip};
use super::rhythm::Segment;
use super::signals::Signals;
use super::spine_line::SpineLine;
use crate::anatomy::model::{Disc, Vertebra, VertebraId};
use crate::anatomy::surface::EndplateSurface;
use crate::geometry::{Frame, LpsPoint};
use crate::kernels::median;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::units::{Millimetres, Share};
use crate::volume::Volume;

/// Strength from which a disc counts as seen.
const DISC_SEEN: f64 = 0.2;
/// Share in view below which a vertebra is said to be cut by the field.
const WHOLE: f64 = 0.95;
/// Two neighbours have at least this share of them in view: no step is stretched by more.
const LEAST_SHARE: f64 = 0.4;

/// How far into the body an endplate is searched, mm: where only the rhythm tells of it, and where
/// its plane was seen (hollow endplates leave their plane by 4 mm).
const REACH_INTO_BODY_MM: f64 = 7.0;
const REACH_HOLLOW_MM: f64 = 4.0;
/// How far to either side the flank of a dense band is searched, mm: farther out its middle is near.
const REACH_FLANK_MM: (f64, f64) = (3.0, 2.0);
/// Height of a body over the distance of its discs.
const BODY_OF_SPACING: f64 = 0.78;

/// What the stages before have measured.
pub struct Measured<'a> {
    /// The native voxels.
    pub volume: &'a Volume<i16>,
    /// The line along the spine.
    pub line: &'a SpineLine,
    /// Sizes along it.
    pub signals: &'a Signals,
    /// Discs along it.
    pub discs: &'a DiscEvidence,
    /// Limits and weights.
    pub parameters: &'a Parameters,
}

/// The vertebrae of a chain of segments, from feet to head.
pub fn vertebrae(measured: &Measured<'_>, segments: &[Segment]) -> Vec<Vertebra> {
    let seen = |s: &usize| measured.discs.in_view[*s];
    let n = measured.line.frames.len();
    let (Some(first), Some(last)) = ((0..n).find(seen), (0..n).rev().find(seen)) else {
        return Vec::new();
    };
    let spaces = spaces_by_place(measured, segments);
    let (mut found, spacings_mm): (Vec<Vertebra>, Vec<f64>) = segments
        .par_iter()
        .filter_map(|segment| {
            let at = |place: i64| spaces.get(&place).copied();
            let spaces = (at(segment.low), at(segment.high));
            let vertebra = vertebra(measured, segment, spaces, (first as f64, last as f64))?;
            Some((vertebra, (segment.high - segment.low) as f64))
        })
        .unzip();
    doubt_implausible_bodies(&mut found, &spacings_mm);
    found
}

/// The endplates about every disc of the chain that is in view, by the disc's place.
fn spaces_by_place(measured: &Measured<'_>, segments: &[Segment]) -> BTreeMap<i64, DiscSpace> {
    let mut places: Vec<(i64, &Segment, f64)> = Vec::new();
    for (n, segment) in segments.iter().enumerate() {
        if n == 0 || segments[n - 1].high != segment.low {
            places.push((segment.low, segment, segment.half_low));
        }
        places.push((segment.high, segment, segment.half_high));
    }
    let candidates: Vec<(i64, Vec<DiscSpace>)> = places
        .par_iter()
        .filter_map(|&(place, segment, half)| {
            let spacing = segment.high - segment.low;
            let s = usize::try_from(place).ok()?;
            let frame = disc_frame(measured, place, spacing)?;
            let expected = ExpectedDisc {
                frame,
                half_depth_mm: 0.5 * measured.signals.depth_mm[s],
                half_width_mm: 0.5 * measured.signals.width_mm[s],
                spacing_mm: spacing as f64,
                half_height_mm: half,
            };
            Some((place, disc_spaces(measured.volume, &expected)))
        })
        .collect();
    // A running median: one wrong spacing must not ask for the wrong height.
    let spacings: Vec<f64> = candidates.windows(2).map(|w| (w[1].0 - w[0].0) as f64).collect();
    let heights: Vec<f64> = (0..spacings.len())
        .map(|n| {
            let near = n.saturating_sub(2)..(n + 3).min(spacings.len());
            BODY_OF_SPACING * median(spacings[near].iter().copied()).unwrap_or(25.0)
        })
        .collect();
    let (places, discs): (Vec<i64>, Vec<Vec<DiscSpace>>) = candidates.into_iter().unzip();
    places.into_iter().zip(best_chain(&discs, &heights)).collect()
}

/// Names them from feet to head.
pub fn number(vertebrae: &mut [Vertebra]) {
    for (at, vertebra) in vertebrae.iter_mut().enumerate() {
        vertebra.id = VertebraId(format!("v{}", at + 1));
    }
}

/// The distance of two neighbours from disc to disc (mm), from that of their centres and their shares in view: the
/// centre of one that the field cuts is the middle of what is in view, half of what is missing nearer to its
/// neighbour. L5 and S1 at the edges of a small field have their centres 24 mm apart, as in the chest.
pub fn whole_step_mm(below: &Vertebra, above: &Vertebra) -> f64 {
    let shares = below.fraction_in_view.get() + above.fraction_in_view.get();
    below.centroid.distance(above.centroid) / (0.5 * shares).max(LEAST_SHARE)
}

fn vertebra(
    measured: &Measured<'_>,
    segment: &Segment,
    (space_below, space_above): (Option<DiscSpace>, Option<DiscSpace>),
    (first, last): (f64, f64),
) -> Option<Vertebra> {
    let Measured { line, signals, .. } = measured;
    let n = line.frames.len();
    let low = segment.low as f64 + segment.half_low;
    let high = segment.high as f64 - segment.half_high;
    // The centre of what is in view.
    let middle = f64::midpoint(low.max(first), high.min(last));
    let at = (libm::round(middle).max(0.0) as usize).min(n - 1);
    let within = segment.low.clamp(0, n as i64) as usize..segment.high.clamp(0, n as i64) as usize;
    let symmetry = line.symmetry[within.clone()].iter().sum::<f64>() / within.len().max(1) as f64;
    if within.is_empty() || symmetry <= measured.parameters.min_segment_symmetry {
        return None;
    }
    let frame = &line.frames[at];
    let to_back = measured.parameters.centre_of_depth * signals.depth_mm[at];
    let expected_centre = body_place(line, signals, at, measured.parameters.centre_of_depth)
        + frame.up * (middle - at as f64);
    let disc = |place: i64, strength: Option<f64>, half: f64| {
        strength.filter(|&s| s >= DISC_SEEN)?;
        disc(measured, segment, usize::try_from(place).ok().filter(|&s| s < n)?, half)
    };
    let disc_below = disc(segment.low, segment.disc_low, segment.half_low);
    let disc_above = disc(segment.high, segment.disc_high, segment.half_high);
    let frame = Frame { origin: expected_centre, ..*frame };
    let by_rhythm = |disc: &Option<Disc>, s: f64, half: f64| {
        // Tilt of the disc plane against the body's own section of the line.
        let slope = disc.map(|disc| {
            let up = disc.frame.up;
            -up.dot(frame.anterior) / up.dot(frame.up).max(0.3)
        });
        ExpectedPlate {
            plane: EndplateSurface { coefficients: [s, slope.unwrap_or(0.0), 0.0, 0.0, 0.0, 0.0] },
            frame,
            tilt_seen: slope.is_some(),
            reach_mm: (REACH_INTO_BODY_MM, half),
            edge: Edge::Fall,
        }
    };
    let expected = Expected {
        frame,
        lower: by_rhythm(&disc_below, low - middle, segment.half_low),
        upper: by_rhythm(&disc_above, high - middle, segment.half_high),
        depth_mm: signals.depth_mm[at],
        width_mm: signals.width_mm[at],
        to_back_mm: to_back,
    };
    let seen = |space: Option<DiscSpace>| space.filter(|s| s.evidence != Evidence::Rhythm);
    let seen_body =
        with_seen_plates(&expected, seen(space_below), seen(space_above), (first, last), at)
            .and_then(|expected| cut_out(measured.volume, &expected));
    let spacing_mm = (segment.high - segment.low) as f64;
    let body = unless_slip(seen_body, spacing_mm, || cut_out(measured.volume, &expected));
    let centroid = body.as_ref().map_or(expected_centre, |body| body.frame.origin);
    let fraction_in_view = Share::new(segment.fraction_in_view);
    let mut problems = Vec::new();
    if fraction_in_view.get() < WHOLE {
        let percent = libm::round(100.0 * fraction_in_view.get());
        problems.push(
            Problem::new(
                ProblemCode::VertebraCutByField,
                Severity::Note,
                format!("about {percent} % of the vertebra lies in the field of view"),
            )
            .with_number("fraction_in_view", fraction_in_view.get()),
        );
    }
    Some(Vertebra {
        id: VertebraId(String::new()),
        level: None,
        level_candidates: Vec::new(),
        section_guess: None,
        centroid,
        fraction_in_view,
        confidence: confidence(segment, symmetry),
        body,
        disc_below,
        disc_above,
        problems,
    })
}

/// The expectation with the endplates that were seen, its centre between them; `None` where none
/// was seen.
fn with_seen_plates(
    expected: &Expected,
    below: Option<DiscSpace>,
    above: Option<DiscSpace>,
    (first, last): (f64, f64),
    at: usize,
) -> Option<Expected> {
    if below.is_none() && above.is_none() {
        return None;
    }
    let plate = |space: DiscSpace, plane: EndplateSurface| {
        let gap = space.above.height(0.0, 0.0) - space.below.height(0.0, 0.0);
        // Beyond the middle of the disc the neighbour begins.
        let (reach_mm, edge) = match space.evidence {
            Evidence::Band => (REACH_FLANK_MM, Edge::Flank),
            Evidence::Pair | Evidence::Rhythm => {
                ((REACH_HOLLOW_MM, (0.5 * gap).max(1.0)), Edge::Fall)
            }
        };
        ExpectedPlate { plane, frame: space.frame, tilt_seen: true, reach_mm, edge }
    };
    let mut out = *expected;
    out.lower = below.map_or(expected.lower, |space| plate(space, space.above));
    out.upper = above.map_or(expected.upper, |space| plate(space, space.below));
    let height = |plate: &ExpectedPlate| {
        let middle = plate.frame.origin + plate.frame.up * plate.plane.height(0.0, 0.0);
        expected.frame.to_local(middle).s
    };
    // The middle of what is in view.
    let place = at as f64;
    let low = height(&out.lower).max(first - place);
    let high = height(&out.upper).min(last - place);
    out.frame.origin = expected.frame.origin + expected.frame.up * f64::midpoint(low, high);
    Some(out)
}

/// The place at a share of the body's depth in front of its back wall, in the middle of its width.
fn body_place(line: &SpineLine, signals: &Signals, s: usize, share_of_depth: f64) -> LpsPoint {
    let frame = &line.frames[s];
    frame.origin
        + frame.anterior * (signals.back_wall_mm[s] + share_of_depth * signals.depth_mm[s])
        + frame.left * signals.middle_mm[s]
}

fn disc(measured: &Measured<'_>, segment: &Segment, s: usize, half: f64) -> Option<Disc> {
    let frame = disc_frame(measured, s as i64, segment.high - segment.low)?;
    Some(Disc { frame, half_height: Millimetres::new(half) })
}

/// Centre and plane of the disc at a place of the line, by the tilt of the disc evidence there.
fn disc_frame(measured: &Measured<'_>, place: i64, spacing: i64) -> Option<Frame> {
    let s = usize::try_from(place).ok().filter(|&s| s < measured.line.frames.len())?;
    let limit = limit_for_spacing(usize::try_from(spacing).ok()?);
    let tilt = TILTS_DEGREES[measured.discs.tilt[limit][s]].to_radians();
    let frame = &measured.line.frames[s];
    let up = frame.up * libm::cos(tilt) - frame.anterior * libm::sin(tilt);
    let centre = body_place(measured.line, measured.signals, s, 0.5);
    Frame::from_up_and_anterior(centre, up, frame.anterior)
}

/// Grows with the margin of the rhythm, with symmetry and with the share in view.
fn confidence(segment: &Segment, symmetry: f64) -> Share {
    let margin = 1.0 - 0.5 * libm::exp(-segment.margin.max(0.0) / 0.5);
    let symmetric = 0.6 + 0.4 * ((symmetry - 0.4) / 0.3).clamp(0.0, 1.0);
    Share::new(margin * symmetric * (0.8 + 0.2 * segment.fraction_in_view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vertebra_cut_by_the_field_is_as_far_from_its_neighbour_as_a_whole_one() {
        // 30 mm from disc to disc; of the upper one the lower 12 mm are in view, of the lower one in turn the upper 12.
        let at = |z: f64, share: f64| Vertebra {
            id: VertebraId(String::new()),
            level: None,
            level_candidates: Vec::new(),
            section_guess: None,
            centroid: LpsPoint::new(0.0, 0.0, z),
            fraction_in_view: Share::new(share),
            confidence: Share::new(0.8),
            body: None,
            disc_below: None,
            disc_above: None,
            problems: Vec::new(),
        };
        for (step_mm, below, above) in [(30.0, 1.0, 1.0), (21.0, 1.0, 0.4), (12.0, 0.4, 0.4)] {
            let step = whole_step_mm(&at(0.0, below), &at(step_mm, above));
            assert!((step - 30.0).abs() < 1e-9, "{step}");
        }
    }
}
