//! What could not be followed, said as problems.

use super::coarse::Coarse;
use super::spine_line::{Refusal, SpineLine};
use crate::anatomy::model::{Anatomy, Vertebra};
use crate::problem::{Problem, ProblemCode, Severity};

/// Length of field beyond the followed spine that is worth a word, mm: more than a cut vertebra.
const UNFOLLOWED_MM: f64 = 40.0;
/// Two neighbouring bodies further apart than this many times the usual distance have one between
/// them that was missed.
const GAP_FACTOR: f64 = 1.6;

/// No spine was found, and why.
pub fn not_found(refusal: Refusal) -> Problem {
    let problem =
        |sentence: String| Problem::new(ProblemCode::SpineNotFound, Severity::Warning, sentence);
    let stretch = |from_z_mm: f64, to_z_mm: f64, why: &str| {
        problem(format!(
            "no spine was found in the series: what looks most like a canal ({from_z_mm:.0} to {to_z_mm:.0} mm along z) {why}"
        ))
        .with_number("from_z_mm", from_z_mm)
        .with_number("to_z_mm", to_z_mm)
    };
    match refusal {
        Refusal::NoCanal => problem(
            "no spine was found in the series: nothing in it looks like a spinal canal over the height of a vertebra".to_owned(),
        ),
        Refusal::NotASpine { from_z_mm, to_z_mm } => {
            stretch(from_z_mm, to_z_mm, "has no left-right symmetric bone about it")
        }
        Refusal::Aslant { from_z_mm, to_z_mm } => stretch(
            from_z_mm,
            to_z_mm,
            "runs across the patient, as the shaft of a raised arm does",
        ),
        Refusal::HasTwin { from_z_mm, to_z_mm } => stretch(
            from_z_mm,
            to_z_mm,
            "lies beside the middle of the patient and has a mirror image on the other side, as hips have",
        ),
    }
}

/// Adds to the anatomy what is doubtful about it.
pub fn add_doubts(anatomy: &mut Anatomy, coarse: &Coarse, line: &SpineLine) {
    if anatomy.vertebrae.is_empty() {
        anatomy.problems.push(Problem::new(
            ProblemCode::SpineNotFound,
            Severity::Warning,
            "a canal was found, but no vertebral body could be told in front of it",
        ));
        return;
    }
    unfollowed_ends(anatomy, coarse, line);
    gaps(anatomy);
}

/// Stretches of the field beyond the lowest and highest vertebra that hold tissue.
fn unfollowed_ends(anatomy: &mut Anatomy, coarse: &Coarse, line: &SpineLine) {
    let Some((field_low, field_high)) = tissue_range(coarse) else { return };
    let ends = |vertebrae: &[Vertebra]| -> Option<(f64, f64)> {
        Some((vertebrae.first()?.centroid.z(), vertebrae.last()?.centroid.z()))
    };
    let Some((low, high)) = ends(&anatomy.vertebrae) else { return };
    // Half a vertebra beyond its centre was still looked at.
    let half = 15.0;
    for (from, to, what) in [(field_low, low - half, "below"), (high + half, field_high, "above")] {
        if to - from < UNFOLLOWED_MM {
            continue;
        }
        anatomy.problems.push(
            Problem::new(
                ProblemCode::SpinePartlyFollowed,
                Severity::Warning,
                format!(
                    "{what} the {} vertebra ({from:.0} to {to:.0} mm along z) no vertebra was followed",
                    if what == "below" { "lowest" } else { "highest" }
                ),
            )
            .with_number("from_z_mm", from)
            .with_number("to_z_mm", to)
            .with_number("followed_canal_mm", line.proof.length_mm),
        );
    }
}

/// Places between two neighbours that are too far apart.
fn gaps(anatomy: &mut Anatomy) {
    let steps: Vec<(f64, f64, f64)> = anatomy
        .vertebrae
        .windows(2)
        .map(|pair| {
            let (a, b) = (pair[0].centroid, pair[1].centroid);
            (a.distance(b), a.z(), b.z())
        })
        .collect();
    let mut problems = Vec::new();
    for (n, &(step, from, to)) in steps.iter().enumerate() {
        let around: Vec<f64> = [n.checked_sub(1), Some(n + 1)]
            .into_iter()
            .flatten()
            .filter_map(|m| steps.get(m).map(|s| s.0))
            .collect();
        let usual = around.iter().copied().fold(f64::INFINITY, f64::min);
        if usual.is_finite() && step > GAP_FACTOR * usual {
            problems.push(
                Problem::new(
                    ProblemCode::SpinePartlyFollowed,
                    Severity::Warning,
                    format!(
                        "between {from:.0} and {to:.0} mm along z two neighbours lie {step:.0} mm apart: one may have been missed"
                    ),
                )
                .with_number("from_z_mm", from)
                .with_number("to_z_mm", to),
            );
        }
    }
    anatomy.problems.extend(problems);
}

/// Lowest and highest z of slices that hold tissue, mm.
fn tissue_range(coarse: &Coarse) -> Option<(f64, f64)> {
    let [_, _, nk] = coarse.hu.size();
    let slice = coarse.hu.slice_len();
    let has_tissue = |k: &usize| {
        coarse.hu.data()[k * slice..(k + 1) * slice].iter().filter(|&&hu| hu > -300.0).count() > 50
    };
    let low = (0..nk).find(has_tissue)?;
    let high = (0..nk).rev().find(has_tissue)?;
    Some((coarse.place(0, 0, low).z(), coarse.place(0, 0, high).z()))
}
