//! The spine on CT, without learned weights.
//!
//! # Method
//! A 2 mm grid ([`coarse`]); rays map the canal with a bone threshold relative to its own content
//! ([`canal_map`]); a local, droppable Viterbi makes it a path ([`canal_path`]); left-right
//! symmetry proves that it is a spine ([`spine_line`]); in the frame straightened along it
//! ([`straightened`]) tilted disc evidence and the pedicle rhythm place the vertebrae by a second
//! Viterbi ([`rhythm`]); on the native voxels each body is cut out by closed polar paths
//! ([`outline`]) and quadratic endplates ([`endplates`]).
//!
//! # Limits
//! Myelography, laminectomy, metal and a patient turned by more than 25 degrees are not covered.

mod body;
mod body_volume;
mod canal;
mod canal_map;
mod canal_path;
mod centre_line;
mod coarse;
mod disc_evidence;
mod endplates;
mod outline;
mod rhythm;
mod signals;
mod spine_line;
mod straightened;
mod symmetry;
mod vertebrae;

use super::model::Anatomy;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::Provider;
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
    anatomy.canal = canal::canal(&line, &straight, &signals, &discs.in_view);
    let measured = vertebrae::Measured { volume, line: &line, signals: &signals, discs: &discs };
    anatomy.vertebrae = vertebrae::vertebrae(&measured, &segments);
    anatomy
}

fn not_found() -> Problem {
    Problem::new(ProblemCode::SpineNotFound, Severity::Warning, "no spine was found in the series")
}
