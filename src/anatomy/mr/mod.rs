//! The vertebral bodies on a sagittal (or isotropic) spine MR, without learning.
//!
//! # Method
//! [`sagittal_stack`]: pictures of 1 mm, head to feet, front to back. [`plate_response`]: where
//! flat plates lie, bright or dark. [`chain`]: dynamic programming over pairs of discs.
//! [`extension`]: growth at both ends. [`wall_fit`], [`height_fit`], [`lateral_fit`]: a box for
//! each body. Then outlines, canal, discs, and the signal quotients that tell T1 from T2.
//!
//! # Limits
//! Levels are not named. Crops of few bodies, and whole series of dark marrow, may fall under
//! the gate. The sacrum bends too sharply: S1 is often missing.

mod body;
mod canal;
mod chain;
mod contour;
pub(super) mod discs;
mod extension;
mod height_fit;
mod lateral_fit;
mod plate_response;
mod quotients;
mod sagittal_stack;
mod wall_fit;

use rayon::prelude::*;

use self::chain::BodyBox;
use self::plate_response::Slab;
use self::sagittal_stack::SagittalStack;
use super::{Anatomy, ColumnEnds, Vertebra, VertebraId};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::Provider;
use crate::units::Share;
use crate::volume::Image;

/// Score of a chain that is taken for a spine.
const LEAST_CHAIN_SCORE: f64 = 1.2;
/// Sizes of the pixel that are always tried, mm: small bodies look large in small pixels.
const SCALES: [f64; 2] = [1.0, 0.8];
/// The smallest pixel, mm, for necks. Tried only where the others found no spine, or one whose
/// discs come closer than [`SMALL_PITCH_MM`] (lumbar and lower thoracic ones are 26 mm apart and
/// more), and with a higher gate: other chains pass more easily here (an abdomen reached 1.3).
const NECK_SCALE: f64 = 0.6;
const NECK_CHAIN_SCORE: f64 = 2.5;
const SMALL_PITCH_MM: f64 = 24.0;

/// Confidence of bodies that overlap is multiplied by it.
const OVERLAP_DOUBT: f64 = 0.7;

/// The chain of bodies on the stack it was found on.
struct FoundSpine {
    stack: SagittalStack,
    /// From head to feet.
    bodies: Vec<BodyBox>,
    /// Middle slice of each body.
    slices: Vec<f64>,
    /// Half width of each body, mm.
    half_widths: Vec<f64>,
    score: f64,
}

/// Finds the vertebrae of an MR series whose slices are roughly sagittal, or whose voxels are
/// nearly cubes. For others, and where no spine is seen, the anatomy is empty and says why.
pub fn find(image: &Image) -> Anatomy {
    let stack = match SagittalStack::of(image) {
        Ok(stack) => stack,
        Err(reason) => return nothing_found(reason.to_string()),
    };
    let Some(spine) = find_spine(&stack) else {
        return nothing_found(
            "no chain of plates and bodies that repeats itself as a spine does was seen".to_owned(),
        );
    };
    let vertebrae = vertebrae(&spine);
    let canal = canal::canal(&vertebrae);
    let problems = vec![
        Problem::new(
            ProblemCode::NoLevelAnchor,
            Severity::Warning,
            "on MR this version counts vertebrae and does not name them",
        )
        .with_number("vertebrae_count", vertebrae.len() as f64),
    ];
    Anatomy {
        provider: Provider::Heuristic,
        canal,
        tissue_quotients: Some(quotients::tissue_quotients(&spine)),
        vertebrae,
        ends: ColumnEnds::NONE,
        body_outline: None,
        bone: None,
        arches: None,
        bones: None,
        foreign: None,
        problems,
    }
}

/// The found bodies as vertebrae, from feet to head.
fn vertebrae(spine: &FoundSpine) -> Vec<Vertebra> {
    let mut out: Vec<Vertebra> = Vec::new();
    let mut boxes: Vec<&BodyBox> = Vec::new();
    let cut = body::cut_out(spine);
    for ((boxed, &slice), cut) in spine.bodies.iter().zip(&spine.slices).zip(cut).rev() {
        let in_view = cut.fraction_in_view;
        let mut problems = Vec::new();
        if in_view < 0.95 {
            problems.push(
                Problem::new(
                    ProblemCode::VertebraCutByField,
                    Severity::Warning,
                    "the edge of the field of view cuts the body",
                )
                .with_number("fraction_in_view", crate::units::rounded(in_view, 2)),
            );
        }
        let centroid = cut.body.as_ref().map_or_else(
            || spine.stack.to_lps(slice, boxed.row, boxed.column),
            |body| body.frame.origin,
        );
        tracing::debug!(
            body = out.len() + 1,
            plates = boxed.evidence.plates,
            likeness = boxed.evidence.likeness,
            core = boxed.evidence.core,
            direction_degrees = boxed.direction,
            pitch_mm = boxed.pitch * spine.stack.pixel_mm,
            height_mm = boxed.height * spine.stack.pixel_mm,
            half_depth_mm = boxed.half_depth * spine.stack.pixel_mm,
            in_view,
            "vertebral body"
        );
        out.push(Vertebra {
            id: VertebraId(format!("v{}", out.len() + 1)),
            level: None,
            level_candidates: Vec::new(),
            section_guess: None,
            centroid,
            fraction_in_view: Share::new(in_view),
            confidence: confidence(boxed, spine.score, in_view),
            body: cut.body,
            disc_below: None,
            disc_above: None,
            problems,
        });
        boxes.push(boxed);
    }
    let mm = spine.stack.pixel_mm;
    let discs: Vec<_> = out
        .windows(2)
        .map(|pair| discs::between(pair[0].body.as_ref()?, pair[1].body.as_ref()?))
        .collect();
    // Two bodies cannot share their place: one of them, and it is not told which, is wrong.
    for n in 1..out.len() {
        let gap = out[n - 1].body.as_ref().zip(out[n].body.as_ref()).map(|(a, b)| discs::gap(a, b));
        if gap.flatten().is_some_and(|mm| mm < 0.0) {
            for vertebra in &mut out[n - 1..=n] {
                vertebra.confidence = Share::new(OVERLAP_DOUBT * vertebra.confidence.get());
            }
        }
    }
    let count = out.len();
    for (n, vertebra) in out.iter_mut().enumerate() {
        let ends = vertebra.body.as_ref().map(|body| {
            [discs::End::Lower, discs::End::Upper].map(|e| discs::beyond(body, boxes[n], mm, e))
        });
        let [below, above] = ends.unwrap_or([None, None]);
        vertebra.disc_below = if n == 0 { below } else { discs[n - 1] };
        vertebra.disc_above = if n + 1 == count { above } else { discs[n] };
    }
    out
}

/// Grows with the plates seen, the likeness to a neighbour, the score of the chain and the share
/// in view; less for bodies that only the extension found.
fn confidence(body: &BodyBox, score: f64, in_view: f64) -> Share {
    let seen = body.evidence;
    let plates = (seen.plates / 1.2).clamp(0.0, 1.0);
    let likeness = (seen.likeness / 0.6).clamp(0.0, 1.0);
    let chain = ((score - 0.6) / 2.4).clamp(0.0, 1.0);
    let found = if seen.core { 1.0 } else { 0.85 };
    Share::new((0.35 * plates + 0.35 * likeness + 0.30 * chain) * found * (0.4 + 0.6 * in_view))
}

fn nothing_found(sentence: String) -> Anatomy {
    Anatomy {
        provider: Provider::Heuristic,
        canal: None,
        vertebrae: Vec::new(),
        ends: ColumnEnds::NONE,
        tissue_quotients: None,
        body_outline: None,
        bone: None,
        arches: None,
        bones: None,
        foreign: None,
        problems: vec![Problem::new(ProblemCode::SpineNotFound, Severity::Warning, sentence)],
    }
}

/// The best chain on one size of pixel.
struct Candidate {
    chain: chain::Chain,
    stack: SagittalStack,
    slabs: Vec<Slab>,
}

fn best_chain(stack: &SagittalStack, scale: f64) -> Option<Candidate> {
    let stack = stack.rescaled(scale);
    let slabs = plate_response::slabs(&stack);
    // Each slab by itself; the first of equals in the order of the slabs.
    let chains: Vec<Option<chain::Chain>> = slabs
        .par_iter()
        .enumerate()
        .map(|(index, slab)| slab.searched.then(|| chain::find_chain(slab, index)).flatten())
        .collect();
    let mut found: Option<chain::Chain> = None;
    for chain in chains.into_iter().flatten() {
        if found.as_ref().is_none_or(|f| chain.score > f.score) {
            found = Some(chain);
        }
    }
    let chain = found?;
    tracing::debug!(scale, score = chain.score, slabs = slabs.len(), "best chain of plates");
    Some(Candidate { chain, stack, slabs })
}

fn is_spine(chain: &chain::Chain, least_score: f64) -> bool {
    chain.score >= least_score && chain.bodies.len() >= 2
}

/// The best chain over the scales, with its boxes fitted; `None` under the gate.
fn find_spine(stack: &SagittalStack) -> Option<FoundSpine> {
    let mut best: Option<Candidate> = None;
    for scale in SCALES {
        if let Some(found) = best_chain(stack, scale)
            && best.as_ref().is_none_or(|b| found.chain.score > b.chain.score)
        {
            best = Some(found);
        }
    }
    best = best.filter(|b| is_spine(&b.chain, LEAST_CHAIN_SCORE));
    let small = best.as_ref().is_none_or(|b| {
        b.chain.bodies.iter().any(|body| body.pitch * b.stack.pixel_mm < SMALL_PITCH_MM)
    });
    if small
        && let Some(neck) = best_chain(stack, NECK_SCALE)
        && is_spine(&neck.chain, NECK_CHAIN_SCORE)
        && best.as_ref().is_none_or(|b| neck.chain.score > b.chain.score)
    {
        best = Some(neck);
    }
    let Candidate { chain, stack, slabs } = best?;
    let start = extension::extend(chain.bodies, &slabs, &stack, chain.reference);
    let mut bodies = start.clone();
    wall_fit::fit_walls(&mut bodies, &slabs);
    height_fit::fit_heights(&mut bodies, &slabs);
    let lateral = lateral_fit::fit_lateral(&stack, &bodies);
    // Again, on the slab through the middle of each body.
    let mut bodies = start;
    for (body, &slice) in bodies.iter_mut().zip(&lateral.slices) {
        let mut nearest = body.slab;
        for (index, slab) in slabs.iter().enumerate() {
            if libm::fabs(slab.slice - slice) < libm::fabs(slabs[nearest].slice - slice) {
                nearest = index;
            }
        }
        body.slab = nearest;
    }
    wall_fit::fit_walls(&mut bodies, &slabs);
    height_fit::fit_heights(&mut bodies, &slabs);
    Some(FoundSpine {
        stack,
        bodies,
        slices: lateral.slices,
        half_widths: lateral.half_widths,
        score: chain.score,
    })
}

#[cfg(test)]
mod tests;
