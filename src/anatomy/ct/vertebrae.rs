//! From segments of the straightened spine to vertebrae in the patient.

use rayon::prelude::*;

use super::body::{Expected, cut_out};
use super::disc_evidence::{DiscEvidence, TILTS_DEGREES, limit_for_spacing};
use super::parameters::Parameters;
use super::rhythm::Segment;
use super::signals::Signals;
use super::spine_line::SpineLine;
use crate::anatomy::model::{Disc, Vertebra, VertebraId, VertebralBody};
use crate::geometry::{Frame, LocalPoint, LpsPoint};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::units::{Millimetres, Share};
use crate::volume::Volume;

/// Strength from which a disc counts as seen.
const DISC_SEEN: f64 = 0.2;
/// Share in view below which a vertebra is said to be cut by the field.
const WHOLE: f64 = 0.95;

/// Least distance of two endplates, mm; narrower discs are not told apart from none.
const LEAST_DISC_MM: f64 = 1.0;

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
    let mut found: Vec<Vertebra> = segments
        .par_iter()
        .filter_map(|segment| vertebra(measured, segment, first as f64, last as f64))
        .collect();
    doubt_touching_bodies(&mut found);
    found
}

/// Names them from feet to head.
pub fn number(vertebrae: &mut [Vertebra]) {
    for (at, vertebra) in vertebrae.iter_mut().enumerate() {
        vertebra.id = VertebraId(format!("v{}", at + 1));
    }
}

/// Neighbours whose endplates touch or cross were not told apart: one of them has taken the disc.
fn doubt_touching_bodies(vertebrae: &mut [Vertebra]) {
    let gaps: Vec<Option<f64>> = vertebrae
        .windows(2)
        .map(|pair| {
            let (low, high) = (pair[0].body.as_ref()?, pair[1].body.as_ref()?);
            let plate =
                |body: &VertebralBody, s: f64| body.frame.to_lps(LocalPoint { s, v: 0.0, u: 0.0 });
            let top = plate(low, low.surface.upper.height(0.0, 0.0));
            let bottom = plate(high, high.surface.lower.height(0.0, 0.0));
            Some((bottom - top).dot(low.frame.up))
        })
        .collect();
    for (n, gap) in gaps.into_iter().enumerate() {
        if gap.is_some_and(|mm| mm < LEAST_DISC_MM) {
            for vertebra in &mut vertebrae[n..=n + 1] {
                if let Some(body) = &mut vertebra.body {
                    body.confidence = Share::new(body.confidence.get() * 0.6);
                }
            }
        }
    }
}

fn vertebra(measured: &Measured<'_>, segment: &Segment, first: f64, last: f64) -> Option<Vertebra> {
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
    let slope = |disc: &Option<Disc>| {
        disc.map(|disc| {
            // Tilt of the disc plane against the body's own section of the line.
            let up = disc.frame.up;
            -up.dot(frame.anterior) / up.dot(frame.up).max(0.3)
        })
    };
    let body = cut_out(
        measured.volume,
        &Expected {
            frame: Frame { origin: expected_centre, ..*frame },
            lower_slope: slope(&disc_below),
            upper_slope: slope(&disc_above),
            lower_s: low - middle,
            upper_s: high - middle,
            depth_mm: signals.depth_mm[at],
            width_mm: signals.width_mm[at],
            to_back_mm: to_back,
        },
    );
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

/// The place at a share of the body's depth in front of its back wall, in the middle of its width.
fn body_place(line: &SpineLine, signals: &Signals, s: usize, share_of_depth: f64) -> LpsPoint {
    let frame = &line.frames[s];
    frame.origin
        + frame.anterior * (signals.back_wall_mm[s] + share_of_depth * signals.depth_mm[s])
        + frame.left * signals.middle_mm[s]
}

fn disc(measured: &Measured<'_>, segment: &Segment, s: usize, half: f64) -> Option<Disc> {
    let limit = limit_for_spacing(usize::try_from(segment.high - segment.low).ok()?);
    let tilt = TILTS_DEGREES[measured.discs.tilt[limit][s]].to_radians();
    let frame = &measured.line.frames[s];
    let up = frame.up * libm::cos(tilt) - frame.anterior * libm::sin(tilt);
    let centre = body_place(measured.line, measured.signals, s, 0.5);
    let frame = Frame::from_up_and_anterior(centre, up, frame.anterior)?;
    Some(Disc { frame, half_height: Millimetres::new(half) })
}

/// Grows with the margin of the rhythm, with symmetry and with the share in view.
fn confidence(segment: &Segment, symmetry: f64) -> Share {
    let margin = 1.0 - 0.5 * libm::exp(-segment.margin.max(0.0) / 0.5);
    let symmetric = 0.6 + 0.4 * ((symmetry - 0.4) / 0.3).clamp(0.0, 1.0);
    Share::new(margin * symmetric * (0.8 + 0.2 * segment.fraction_in_view))
}
