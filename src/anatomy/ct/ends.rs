//! The ends of the column: what is below S1 or above C2 is no vertebra to report.
//!
//! # Method
//! The rhythm runs on into the sacrum (S2, S3) and over the dens into C1 and the skull base.
//! - **Sacrum**: from L4 over L5 to S1 the axes of the bodies lean to the back by 40 degrees and more,
//!   S1 against L5 by more than any lumbar pair. Relative angles, so that the position of the
//!   patient does not matter. Where the axes say nothing, the distances do: S1 to S2 is shorter
//!   than L5 to S1, and the chain bends. And S1 is the highest body that bone joins to both hip bones
//!   ([`super::bones::Joints`]).
//! - **C2**: above it the canal opens: in the ring of C1 it is 28 to 32 mm wide, from C2 to C7
//!   less than 28 mm and nearly constant; the relation counts, as necks differ in size. What
//!   stands beside the open canal is dens, C1 or skull.
//!
//! # Limits
//! A straightened sacrum (S1 in line with L5), a transitional body and a tumour that widens the
//! canal at the top of the chain are not told apart from their look-alikes. A dens or a C1 of which
//! only the lower half is in view stays a vertebra.

use super::bones::Joints;
use super::vertebrae::whole_step_mm;
use crate::anatomy::model::{Canal, ColumnEnds, EndEvidence, Vertebra, VertebraId};
use crate::geometry::{Frame, LpsPoint};
use crate::kernels::median;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::Level;
use crate::units::Share;

/// S1 to S2 is at most this share of L5 to S1 (measured: 0.72 to 0.75).
pub(super) const SACRAL_STEP_SHARE: f64 = 0.87;
/// L5 to S1 is at least this, mm: guards the upper thoracic spine, which slopes as much.
const LUMBAR_STEP_MM: f64 = 28.0;
/// The sacrum slopes to the back by at least this against the spine two vertebrae above (sine), or
/// against the patient's axis where the chain is too short for that.
const SACRAL_BEND: f64 = 0.5;
const SACRAL_SLOPE: f64 = 0.6;
/// Sacral bodies below S1.
const MOST_BELOW_S1: usize = 4;
/// Lean of S1 against the body two above, degrees: none from the first, whole evidence from the
/// second value on (measured 45; L5 has 20 to 32).
const LEAN_OVER_TWO: (f64, f64) = (25.0, 45.0);
/// Lean of S1 against L5, degrees, likewise (measured 18 to 30; S2 against S1 about 10).
const LEAN_OVER_ONE: (f64, f64) = (8.0, 20.0);
/// L5 to S1 is at least this where the axes decide, mm.
const LEAST_LUMBOSACRAL_STEP_MM: f64 = 26.0;
/// No two neighbours that are whole have their centres closer than this, mm: a worn neck has 13, a body crushed flat 18.
const LEAST_STEP_MM: f64 = 12.0;
/// A step to a vertebra cut by the lower edge of a field is, as one to a whole vertebra, at least this share of the next
/// above it: no vertebra is as much lower than the one above (cut ones 0.8; the rest of a disc 0.59 to 0.71).
const LEAST_OF_NEXT: f64 = 0.75;
/// Score from which an end is believed.
const BELIEVED: f64 = 0.45;
/// C2 to dens is at most this share of the steps below it (measured: 0.7), which are at most this
/// long, mm, in the neck; no step of the loins is as short.
const DENS_STEP_SHARE: f64 = 0.8;
const NECK_STEP_MM: f64 = 23.0;
/// Dens, C1 and skull base: more than this above C2 are no such thing.
const MOST_ABOVE_C2: usize = 3;
/// The canal has opened when it is this wide, mm, and this many times as wide as beside the widest of the
/// three bodies below (33 mm and 1.4 in a neck, 28 mm and 1.17 in phantoms) ...
const OPEN_CANAL_MM: f64 = 27.0;
const OPENING: f64 = 1.15;
/// ... or, in a small person (27 mm and 1.36), when it is less wide but has opened more.
const SMALL_RING_MM: f64 = 24.0;
const SMALL_OPENING: f64 = 1.33;
/// Beside two of three bodies of the neck the canal is nearly as wide as beside the widest: by this share at
/// least (0.94). Where the chest becomes a neck it is not (0.79).
const ALIKE: f64 = 0.82;
/// A short step beside a canal that has opened less than this is that of a worn neck, not that to a dens.
const NARROW_OPENING: f64 = 1.1;

/// Takes off what hangs at an end of the column where the line has left the canal (a sacrum whose canal is
/// not seen, the skull), and says so: two places there lie closer than any neighbours.
pub fn trim_strays(vertebrae: &mut Vec<Vertebra>) -> Vec<Problem> {
    let mut problems = Vec::new();
    // A sacrum may hold a long row of them.
    loop {
        let more = trim_strays_once(vertebrae);
        if more.is_empty() {
            return problems;
        }
        problems.extend(more);
    }
}

/// Those in reach of the ends.
fn trim_strays_once(vertebrae: &mut Vec<Vertebra>) -> Vec<Problem> {
    let steps: Vec<f64> =
        vertebrae.windows(2).map(|pair| whole_step_mm(&pair[0], &pair[1])).collect();
    // Each end has the half of the chain that is nearer to it.
    let middle = steps.len().div_ceil(2);
    let close = |step: &f64| *step < LEAST_STEP_MM;
    let rest_of_disc = |n: usize| {
        let near = vertebrae[n].centroid.distance(vertebrae[n + 1].centroid) < LEAST_STEP_MM;
        near && steps.get(n + 1).is_some_and(|next| steps[n] < LEAST_OF_NEXT * next)
    };
    let below = (0..middle.min(MOST_BELOW_S1))
        .rfind(|&n| close(&steps[n]) || rest_of_disc(n))
        .map_or(0, |n| n + 1);
    let from = middle.max(steps.len().saturating_sub(MOST_ABOVE_C2));
    // In a worn neck an outline that is off by 3 mm makes one step too short and the next longer.
    let crowded = |n: &usize| {
        let two = steps.get(n + 1).map_or(steps[*n], |next| f64::midpoint(steps[*n], *next));
        close(&steps[*n]) && close(&two)
    };
    let above = (from..steps.len()).find(crowded).map_or(vertebrae.len(), |n| n + 1);
    let mut problems = Vec::new();
    let mut say = |count: usize, side: &str, end: &str, z: f64| {
        problems.push(
            Problem::new(
                ProblemCode::SpinePartlyFollowed,
                Severity::Warning,
                format!("at and {side} {z:.0} mm along z the canal was lost: {count} places there, too close to be neighbours, are not reported as vertebrae"),
            )
            .with_number(end, z),
        );
    };
    if above < vertebrae.len() {
        say(vertebrae.len() - above, "above", "from_z_mm", vertebrae[above].centroid.z());
        vertebrae.truncate(above);
    }
    if below > 0 {
        say(below, "below", "to_z_mm", vertebrae[below - 1].centroid.z());
        vertebrae.drain(..below);
    }
    problems
}

/// Takes off what lies below S1 and above C2, and tells which vertebrae the ends are; what crowded them and was taken
/// off with it is said at once. The evidence carries the place in the list until the vertebrae are numbered.
pub fn trim_ends(
    vertebrae: &mut Vec<Vertebra>,
    canal: Option<&Canal>,
    joints: &Joints,
) -> (FoundEnds, Vec<Problem>) {
    let places: Vec<LpsPoint> = vertebrae.iter().map(|v| v.centroid).collect();
    let frames: Vec<Option<Frame>> =
        vertebrae.iter().map(|v| v.body.as_ref().map(|body| body.frame)).collect();
    let (by_axes, score) = first_sacral(&places, &frames, &joints.free);
    let sacral = if score >= BELIEVED { by_axes } else { sacral_bodies(vertebrae) };
    let sacral = sacral.max(joints.below_s1);
    let below = sacral.checked_sub(1).map(|highest| {
        let z_mm = vertebrae[highest].centroid.z();
        vertebrae.drain(..sacral);
        TakenOff { count: sacral, z_mm }
    });
    let (opened, c2_score) = canal.map_or((None, 0.0), |canal| canal_opens(vertebrae, canal));
    let narrow = |n: usize| {
        let width = canal.and_then(|canal| canal_width(canal, &vertebrae[n], -6.0, 6.0));
        let widest = canal.and_then(|canal| widths_below(vertebrae, canal, n)?.pop());
        let opened = NARROW_OPENING * widest.unwrap_or(0.0);
        width.is_some_and(|w| w < SMALL_RING_MM || w < opened.min(OPEN_CANAL_MM))
    };
    let short = first_above_c2(vertebrae).filter(|&n| !narrow(n));
    let mut strays = Vec::new();
    let above = [opened, short].into_iter().flatten().min().map(|first| {
        let taken =
            TakenOff { count: vertebrae.len() - first, z_mm: vertebrae[first].centroid.z() };
        vertebrae.truncate(first);
        // The dens may be left, closer to C2 than any neighbour.
        strays = trim_strays(vertebrae);
        taken
    });
    let ends = FoundEnds {
        s1: if score >= BELIEVED { Some(score) } else { (sacral > 0).then_some(BELIEVED) },
        c2: (c2_score > 0.0).then_some(c2_score),
        below,
        above,
    };
    (ends, strays)
}

/// What was taken off at an end of the column.
#[derive(Clone, Copy, Debug, PartialEq)]
struct TakenOff {
    /// How many places.
    count: usize,
    /// Height of the one nearest to the column, LPS mm.
    z_mm: f64,
}

/// Scores of the lowest vertebra as S1 and of the highest as C2, and what was taken off beyond them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoundEnds {
    s1: Option<f64>,
    c2: Option<f64>,
    below: Option<TakenOff>,
    above: Option<TakenOff>,
}

impl FoundEnds {
    /// With the names of the vertebrae.
    pub fn named(self, vertebrae: &[Vertebra]) -> ColumnEnds {
        let end = |vertebra: Option<&Vertebra>, score: Option<f64>| {
            let id: VertebraId = vertebra?.id.clone();
            Some(EndEvidence { vertebra: id, score: Share::new(score?) })
        };
        ColumnEnds { s1: end(vertebrae.first(), self.s1), c2: end(vertebrae.last(), self.c2) }
    }

    /// What was taken off, in words, once the levels are told: a note where the vertebra that is left at that end is
    /// S1 or C2 by its own anchor. Where it is not, a vertebra may have been taken off, and no other line of the
    /// report would tell that it was not looked at: a warning.
    pub fn problems(self, vertebrae: &[Vertebra]) -> Vec<Problem> {
        let level = |vertebra: Option<&Vertebra>| vertebra.and_then(|vertebra| vertebra.level);
        let below = self.below.map(|taken| {
            let certain = level(vertebrae.first()) == Some(Level::S1);
            let TakenOff { count, z_mm } = taken;
            let sentence = format!(
                "{count} places at and below {z_mm:.0} mm along z, taken for sacral bodies below S1, are not reported as vertebrae"
            );
            (certain, sentence, "to_z_mm", z_mm)
        });
        let above = self.above.map(|taken| {
            let certain = level(vertebrae.last()) == Some(Level::C2);
            let TakenOff { count, z_mm } = taken;
            let sentence = format!(
                "{count} places at and above {z_mm:.0} mm along z, taken for dens, C1 or skull base, are not reported as vertebrae"
            );
            (certain, sentence, "from_z_mm", z_mm)
        });
        let said = |(certain, mut sentence, number, z_mm): (bool, String, &str, f64)| {
            let severity = if certain { Severity::Note } else { Severity::Warning };
            if !certain {
                sentence += ": nothing else in view confirms it, and if they are vertebrae they were not looked at";
            }
            Problem::new(ProblemCode::SpinePartlyFollowed, severity, sentence)
                .with_number(number, z_mm)
        };
        [below, above].into_iter().flatten().map(said).collect()
    }
}

/// 0 below the first, 1 above the second limit.
fn ramp(value: f64, (from, to): (f64, f64)) -> f64 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

/// Which of the lowest is most like S1 by the axes of the bodies, and how much. A frame is `None`
/// where the body was not cut out. A body that stands `free` between the hip bones is not S1: in a steep
/// lordosis L5 leans as much.
fn first_sacral(places: &[LpsPoint], frames: &[Option<Frame>], free: &[bool]) -> (usize, f64) {
    let lean = |n: usize, above: usize| -> Option<f64> {
        let (own, other) = ((*frames.get(n)?)?, (*frames.get(above)?)?);
        Some(libm::atan2(own.up.dot(other.anterior), own.up.dot(other.up)).to_degrees())
    };
    let mut best = (0, 0.0);
    for n in 0..places.len().saturating_sub(2).min(MOST_BELOW_S1 + 1) {
        if free.get(n) == Some(&true) {
            continue;
        }
        let step = places[n].distance(places[n + 1]);
        let (Some(two), Some(one)) = (lean(n, n + 2), lean(n, n + 1)) else { continue };
        let score = ramp(two, LEAN_OVER_TWO) * ramp(one, LEAN_OVER_ONE);
        // A missed body makes a step of the neck as long as one of the loins, not the next above it.
        let loins = step >= LEAST_LUMBOSACRAL_STEP_MM
            && places[n + 1].distance(places[n + 2]) > NECK_STEP_MM;
        if loins && score > best.1 {
            best = (n, score);
        }
    }
    best
}

/// Median width of the canal between two heights beside a vertebra, mm.
fn canal_width(canal: &Canal, at: &Vertebra, from_mm: f64, to_mm: f64) -> Option<f64> {
    let widths: Vec<f64> = canal
        .sections
        .iter()
        .filter(|section| {
            let up = (section.frame.origin - at.centroid).dot(section.frame.up);
            up >= from_mm && up <= to_mm
        })
        .filter_map(|section| Some(section.left?.mm() + section.right?.mm()))
        .collect();
    (widths.len() >= 3).then(|| median(widths)).flatten()
}

/// Widths of the canal beside the three vertebrae below one, mm, the widest last; what was not seen is left out, and
/// so is what crowds the vertebra below it: the dens, beside which the canal opens already.
fn widths_below(vertebrae: &[Vertebra], canal: &Canal, above: usize) -> Option<Vec<f64>> {
    let below = vertebrae.get(..above).filter(|below| below.len() >= 3)?;
    let crowds =
        |n: usize| n > 0 && below[n].centroid.distance(below[n - 1].centroid) < LEAST_STEP_MM;
    let nearest = (0..above).rev().filter(|&n| !crowds(n)).take(3);
    let mut widths: Vec<f64> =
        nearest.filter_map(|n| canal_width(canal, &below[n], -6.0, 6.0)).collect();
    widths.sort_by(f64::total_cmp);
    Some(widths)
}

/// Whether the three vertebrae below one lie as close as those of the neck.
fn neck_steps_below(vertebrae: &[Vertebra], above: usize) -> bool {
    let Some([a, b, c]) = above.checked_sub(3).and_then(|from| vertebrae.get(from..above)) else {
        return false;
    };
    whole_step_mm(a, b) + whole_step_mm(b, c) <= 2.0 * NECK_STEP_MM
}

/// The first vertebra beside which the canal has opened, and how sure the one below it (or the
/// highest, where the canal opens beyond it) is C2.
fn canal_opens(vertebrae: &[Vertebra], canal: &Canal) -> (Option<usize>, f64) {
    let n = vertebrae.len();
    let opening = |width: Option<f64>, above: usize| -> Option<f64> {
        let (width, below) = (width?, widths_below(vertebrae, canal, above)?);
        let widest = *below.last()?;
        let ratio = width / widest;
        let opened = (width >= OPEN_CANAL_MM && ratio >= OPENING)
            || (width >= SMALL_RING_MM && ratio >= SMALL_OPENING);
        let alike = median(below).is_some_and(|usual| usual >= ALIKE * widest);
        let neck = alike && neck_steps_below(vertebrae, above);
        (opened && neck).then_some(ratio)
    };
    let score = |ratio: f64| ramp(ratio, (1.0, 1.3));
    let from = n.saturating_sub(MOST_ABOVE_C2).max(3);
    for (first, vertebra) in vertebrae.iter().enumerate().skip(from) {
        // At the upper edge of a field the canal is that at the foramen below instead, and narrow again beside the
        // upper half of the vertebra, where that is in view.
        let beside = |from_mm| opening(canal_width(canal, vertebra, from_mm, 6.0), first);
        if let (Some(ratio), Some(_)) = (beside(-6.0), beside(0.0)) {
            return (Some(first), score(ratio));
        }
    }
    // The ring of C1 begins about a spacing above the centre of C2.
    let beyond = vertebrae.last().and_then(|top| canal_width(canal, top, 14.0, 32.0));
    (None, opening(beyond, n).map_or(0.0, score))
}

/// How many at the lower end are sacral bodies below S1.
fn sacral_bodies(vertebrae: &[Vertebra]) -> usize {
    let mut count = 0;
    for n in 0..vertebrae.len().saturating_sub(2).min(MOST_BELOW_S1) {
        let place = |m: usize| vertebrae[m].centroid;
        let (own, above) = (place(n + 1) - place(n), place(n + 2) - place(n + 1));
        // As in `first_sacral`.
        let next = (n + 3 < vertebrae.len()).then(|| place(n + 2).distance(place(n + 3)));
        if above.length() < LUMBAR_STEP_MM
            || own.length() > SACRAL_STEP_SHARE * above.length()
            || next.is_some_and(|step| step <= NECK_STEP_MM)
        {
            continue;
        }
        // Sine of the slope to the front, going up.
        let slope = -own.y() / own.length().max(1.0);
        let bent = if n + 3 < vertebrae.len() {
            let lumbar = place(n + 3) - place(n + 2);
            let reference = -lumbar.y() / lumbar.length().max(1.0);
            libm::asin(slope.clamp(-1.0, 1.0)) - libm::asin(reference.clamp(-1.0, 1.0))
                >= libm::asin(SACRAL_BEND)
        } else {
            slope >= SACRAL_SLOPE
        };
        if bent {
            count = n + 1;
        }
    }
    count
}

/// The first place above C2, where the step falls short. A dens of which half is in view is told from no other
/// vertebra by it, and stays: at the upper edge of a field any vertebra is more likely.
fn first_above_c2(vertebrae: &[Vertebra]) -> Option<usize> {
    let steps: Vec<f64> =
        vertebrae.windows(2).map(|pair| whole_step_mm(&pair[0], &pair[1])).collect();
    // Only near the end: further down a short step is a vertebra that was placed badly.
    let from = steps.len().saturating_sub(MOST_ABOVE_C2).max(2);
    (from..steps.len()).find_map(|n| {
        let usual = median(steps[n.saturating_sub(3)..n].iter().copied())?;
        let short = |step: &f64| *step < DENS_STEP_SHARE * usual;
        (usual <= NECK_STEP_MM && steps[n..].iter().all(short)).then_some(n + 1)
    })
}

#[cfg(test)]
#[path = "ends_tests.rs"]
mod tests;
