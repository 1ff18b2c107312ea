//! The spine on CT, without learned weights.
//!
//! # Method
//! A 2 mm grid; rays map the canal with a bone threshold relative to its own content
//! ([`canal_map`]); a local, droppable Viterbi makes it a path ([`canal_path`]); left-right
//! symmetry proves that it is a spine ([`spine_line`]); in the frame straightened along it
//! ([`straightened`]) tilted disc evidence and the pedicle rhythm place the vertebrae by a second
//! Viterbi ([`rhythm`]).
//!
//! # Limits
//! Myelography, laminectomy, metal and a patient turned by more than 25 degrees are not covered.

mod canal;
mod canal_map;
mod canal_path;
mod centre_line;
mod coarse;
mod disc_evidence;
mod rhythm;
mod signals;
mod spine_line;
mod straightened;
mod symmetry;

use super::model::{Anatomy, Vertebra, VertebraId};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::Provider;
use crate::units::Share;
use crate::volume::Volume;

/// Finds the spine in a CT volume.
///
/// Never fails: what could not be found or followed is in [`Anatomy::problems`].
pub fn find(volume: &Volume<i16>) -> Anatomy {
    let mut anatomy = Anatomy::empty(Provider::Heuristic);
    let Some(coarse) = coarse::coarse_grid(volume) else {
        anatomy.problems.push(not_found());
        return anatomy;
    };
    let Some(line) = spine_line::spine_line(&coarse) else {
        anatomy.problems.push(not_found());
        return anatomy;
    };
    let straight = straightened::Straightened::new(volume, &line.frames);
    let signals = signals::signals(&straight);
    let discs = disc_evidence::disc_evidence(&signals);
    let segments = rhythm::rhythm(&signals, &discs);
    let seen: Vec<usize> = (0..straight.len()).filter(|&s| discs.in_view[s]).collect();
    let (Some(&first), Some(&last)) = (seen.first(), seen.last()) else { return anatomy };
    anatomy.canal = canal::canal(&line, &straight, &signals, &discs.in_view);
    for segment in segments {
        let low = (segment.low as f64 + segment.half_low).max(first as f64);
        let high = (segment.high as f64 - segment.half_high).min(last as f64);
        let middle = (low + high) / 2.0;
        let at = (libm::round(middle).max(0.0) as usize).min(line.frames.len() - 1);
        let (a, b) = (segment.low.max(0) as usize, segment.high.max(1) as usize);
        let within = &line.symmetry[a.min(line.symmetry.len())..b.min(line.symmetry.len())];
        let symmetry = within.iter().sum::<f64>() / within.len().max(1) as f64;
        if segment.high <= 0 || symmetry <= 0.4 {
            continue;
        }
        let frame = &line.frames[at];
        let centroid = frame.origin
            + frame.anterior * (signals.back_wall_mm[at] + 0.43 * signals.depth_mm[at])
            + frame.left * signals.middle_mm[at]
            + frame.up * (middle - at as f64);
        anatomy.vertebrae.push(Vertebra {
            id: VertebraId(format!("v{}", anatomy.vertebrae.len() + 1)),
            level: None,
            level_candidates: Vec::new(),
            section_guess: None,
            centroid,
            fraction_in_view: Share::new(segment.fraction_in_view),
            confidence: Share::new(segment.score),
            body: None,
            disc_below: None,
            disc_above: None,
            problems: Vec::new(),
        });
    }
    anatomy
}

fn not_found() -> Problem {
    Problem::new(ProblemCode::SpineNotFound, Severity::Warning, "no spine was found in the series")
}
