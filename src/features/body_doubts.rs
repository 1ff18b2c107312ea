//! Bodies that must not be measured, and why.

use crate::anatomy::{Anatomy, Vertebra, VertebralBody};
use crate::geometry::{LocalPoint, LpsPoint};
use crate::problem::ProblemCode;
use crate::terms::{Reason, SpineSection};

/// An endplate found on the far side of the disc is moved to this far from the disc's middle, mm:
/// half of a thin thoracic disc.
const HALF_DISC_MM: f64 = 1.5;
/// An endplate farther than this beyond the middle of the disc is the neighbour's, mm.
const BEYOND_DISC_MM: f64 = -0.5;
/// Bodies lower than this after that are none, mm.
const MIN_HEIGHT_MM: f64 = 8.0;

/// Least values that a body must have to be measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    /// Share of the body in view.
    pub fraction_in_view: f64,
    /// Confidence that a vertebra lies here.
    pub vertebra_confidence: f64,
    /// Confidence in the outline.
    pub outline_confidence: f64,
}

/// The body of vertebra `n`, or why it must not be measured.
///
/// Thin discs have two endplates within the reach of one search: an endplate that was found on
/// the far side of the disc belongs to the neighbour and is moved back to the disc.
pub(super) fn measurable_body(
    anatomy: &Anatomy,
    n: usize,
    least: &Least,
) -> Result<VertebralBody, Reason> {
    let vertebra = anatomy.vertebrae.get(n).ok_or(Reason::SpineNotFound)?;
    if let Some(reason) = section_refused(vertebra) {
        return Err(reason);
    }
    if vertebra.problems.iter().any(|problem| problem.code == ProblemCode::MetalOrCement) {
        return Err(Reason::MetalOrCement);
    }
    if vertebra.fraction_in_view.get() < least.fraction_in_view {
        return Err(Reason::PartlyOutsideFieldOfView);
    }
    if vertebra.confidence.get() < least.vertebra_confidence {
        return Err(Reason::AnatomyUncertain);
    }
    let body = vertebra.body.as_ref().ok_or(Reason::OutlineUncertain)?;
    // The other end of a body cut by the field is not missed: it is known to be out of view.
    let cut = vertebra.problems.iter().any(|p| p.code == ProblemCode::VertebraCutByField);
    let ends_seen = cut || body.both_endplates_seen();
    if body.confidence.get() < least.outline_confidence || !ends_seen {
        return Err(Reason::OutlineUncertain);
    }
    let mut body = body.clone();
    let centre = |body: &VertebralBody| {
        (body.surface.lower.height(0.0, 0.0), body.surface.upper.height(0.0, 0.0))
    };
    let (lower, upper) = centre(&body);
    let below = n.checked_sub(1).and_then(|n| anatomy.vertebrae.get(n));
    if let Some(disc) = below.and_then(|below| disc_between(below, vertebra))
        && lower < body.frame.to_local(disc).s - BEYOND_DISC_MM
    {
        body.surface.lower.coefficients[0] += body.frame.to_local(disc).s + HALF_DISC_MM - lower;
    }
    if let Some(disc) = anatomy.vertebrae.get(n + 1).and_then(|above| disc_between(vertebra, above))
        && upper > body.frame.to_local(disc).s + BEYOND_DISC_MM
    {
        body.surface.upper.coefficients[0] += body.frame.to_local(disc).s - HALF_DISC_MM - upper;
    }
    let (lower, upper) = centre(&body);
    if upper - lower < MIN_HEIGHT_MM { Err(Reason::OutlineUncertain) } else { Ok(body) }
}

/// The middle of the disc between two neighbours: as seen, else the middle between the endplates
/// that were found (which holds when each took the other's, too).
fn disc_between(lower: &Vertebra, upper: &Vertebra) -> Option<LpsPoint> {
    if let Some(disc) = lower.disc_above.or(upper.disc_below) {
        return Some(disc.frame.origin);
    }
    let (a, b) = (lower.body.as_ref()?, upper.body.as_ref()?);
    let top = a.frame.to_lps(LocalPoint { s: a.surface.upper.height(0.0, 0.0), v: 0.0, u: 0.0 });
    let bottom = b.frame.to_lps(LocalPoint { s: b.surface.lower.height(0.0, 0.0), v: 0.0, u: 0.0 });
    Some(top + (bottom - top) * 0.5)
}

/// Neck and sacrum are not dependable: by level, else by what the likeliest level or the guess of the section
/// says. The dense small bodies of a neck look like foci, and the walls of S1 are not those of a lumbar body.
fn section_refused(vertebra: &Vertebra) -> Option<Reason> {
    let of = |section| match section {
        SpineSection::Cervical => Some(Reason::CervicalSpine),
        SpineSection::Sacral => Some(Reason::SacralSpine),
        SpineSection::Thoracic | SpineSection::Lumbar => None,
    };
    if let Some(level) = vertebra.level {
        return of(level.section());
    }
    if let Some(reason) =
        vertebra.level_candidates.first().and_then(|likeliest| of(likeliest.section()))
    {
        return Some(reason);
    }
    vertebra.section_guess.and_then(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::EndplateSurface;
    use crate::anatomy::{BodyMeasurements, SurfaceErrors};
    use crate::features::synthetic::spine;
    use crate::problem::{Problem, Severity};
    use crate::terms::Level;

    const LEAST: Least =
        Least { fraction_in_view: 0.6, vertebra_confidence: 0.45, outline_confidence: 0.5 };

    #[test]
    fn an_endplate_found_on_the_far_side_of_the_disc_is_moved_back() {
        let mut spine = spine(3, 3.0, |_, _| 0.0);
        // Bodies end at ±11 mm, the disc's middle is at 14 mm, the neighbour begins at 17 mm.
        if let Some(body) = &mut spine.anatomy.vertebrae[0].body {
            body.surface.upper = EndplateSurface::flat(17.0);
        }
        if let Some(body) = &mut spine.anatomy.vertebrae[1].body {
            body.surface.lower = EndplateSurface::flat(-17.0);
        }
        let upper = |n| {
            let body = measurable_body(&spine.anatomy, n, &LEAST).unwrap();
            (body.surface.lower.height(0.0, 0.0), body.surface.upper.height(0.0, 0.0))
        };
        assert_eq!(upper(0), (-11.0, 12.5));
        assert_eq!(upper(1), (-12.5, 11.0));
        assert_eq!(upper(2), (-11.0, 11.0));
    }

    #[test]
    fn doubtful_vertebrae_and_outlines_are_refused() {
        let mut spine = spine(2, 3.0, |_, _| 0.0);
        spine.anatomy.vertebrae[0].confidence = crate::units::Share::new(0.2);
        if let Some(body) = &mut spine.anatomy.vertebrae[1].body {
            body.confidence = crate::units::Share::new(0.2);
        }
        let reason = |n| measurable_body(&spine.anatomy, n, &LEAST).err();
        assert_eq!(reason(0), Some(Reason::AnatomyUncertain));
        assert_eq!(reason(1), Some(Reason::OutlineUncertain));
        assert_eq!(reason(2), Some(Reason::SpineNotFound));
    }

    #[test]
    fn a_body_without_a_seen_endplate_is_refused_unless_the_field_ends_there() {
        let mut spine = spine(1, 3.0, |_, _| 0.0);
        let vertebra = &mut spine.anatomy.vertebrae[0];
        let body = vertebra.body.as_mut().unwrap();
        let errors = SurfaceErrors { upper: None, lower: Some(0.5), wall: Some(0.5) };
        body.measurements = Some(BodyMeasurements::of(&body.frame, &body.surface, &errors));
        let reason = |anatomy: &Anatomy| measurable_body(anatomy, 0, &LEAST).err();
        assert_eq!(reason(&spine.anatomy), Some(Reason::OutlineUncertain));
        spine.anatomy.vertebrae[0].problems.push(Problem::new(
            ProblemCode::VertebraCutByField,
            Severity::Note,
            String::new(),
        ));
        assert_eq!(reason(&spine.anatomy), None);
    }

    #[test]
    fn the_likeliest_level_decides_the_section_where_there_is_no_name() {
        let mut spine = spine(1, 3.0, |_, _| 0.0);
        spine.anatomy.vertebrae[0].level_candidates = vec![Level::C6, Level::C7];
        assert_eq!(section_refused(&spine.anatomy.vertebrae[0]), Some(Reason::CervicalSpine));
        spine.anatomy.vertebrae[0].level_candidates = vec![Level::C7, Level::T1];
        assert_eq!(section_refused(&spine.anatomy.vertebrae[0]), Some(Reason::CervicalSpine));
        spine.anatomy.vertebrae[0].level_candidates = vec![Level::T1, Level::C7];
        assert_eq!(section_refused(&spine.anatomy.vertebrae[0]), None);
        spine.anatomy.vertebrae[0].level_candidates = vec![Level::L5, Level::S1];
        assert_eq!(section_refused(&spine.anatomy.vertebrae[0]), None);
        spine.anatomy.vertebrae[0].level_candidates = vec![Level::S1, Level::L5];
        assert_eq!(section_refused(&spine.anatomy.vertebrae[0]), Some(Reason::SacralSpine));
        spine.anatomy.vertebrae[0].level_candidates = vec![Level::L5, Level::S1];
        spine.anatomy.vertebrae[0].section_guess = Some(SpineSection::Sacral);
        assert_eq!(section_refused(&spine.anatomy.vertebrae[0]), Some(Reason::SacralSpine));
    }
}
