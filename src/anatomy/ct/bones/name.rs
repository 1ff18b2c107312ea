//! The levels of the vertebrae that were found, from the anchors in view.

use super::axis;
use super::column::Column;
use crate::anatomy::ct::coarse::Coarse;
use crate::anatomy::ct::ribs::FoundRibs;
use crate::anatomy::ct::vertebrae::whole_step_mm;
use crate::anatomy::levels::{Anchor, ChainLevels, Link, name_levels};
use crate::anatomy::model::{Anatomy, Vertebra};
use crate::kernels::BitMask;
use crate::problem::ProblemCode;
use crate::units::Share;
use crate::volume::Volume;

/// Confidence of C2 by dens and opening canal together: with the weakest and what the strongest
/// opening adds.
const OPENING_FROM: f64 = 0.5;
const OPENING_GAIN: f64 = 0.4;

/// Level and candidates of every vertebra, and what limits them. `bone` is on the coarse grid.
pub fn name(
    anatomy: &Anatomy,
    volume: &Volume<i16>,
    coarse: &Coarse,
    bone: &BitMask,
    column: &Column,
    ribs: &FoundRibs,
    sacrum: Option<&Anchor>,
) -> ChainLevels {
    let mut anchors: Vec<Anchor> = ribs.anchors();
    anchors.extend(sacrum.cloned());
    let dens = axis::anchor(volume, coarse, bone, column);
    let opening = anatomy.ends.c2.as_ref().map(|end| end.score);
    anchors.extend(axis_with_opening(dens, opening, anatomy.vertebrae.len()));
    let chain: Vec<Link> = anatomy
        .vertebrae
        .iter()
        .enumerate()
        .map(|(n, vertebra)| Link {
            step_up_mm: anatomy
                .vertebrae
                .get(n + 1)
                .map_or(column.places[n].step_mm, |above| whole_step_mm(vertebra, above)),
            ribs: ribs.in_run(n),
            section: vertebra.section_guess,
            confidence: counted(vertebra),
        })
        .collect();
    name_levels(&chain, &anchors)
}

/// How sure a vertebra counts as one: not at all where metal or cement touches it. However clear it looks, three
/// places may have been found for four bodies there (above screws painted into a chest seven names were wrong by
/// one), so no name is counted over it from one anchor alone.
fn counted(vertebra: &Vertebra) -> Share {
    let touched = vertebra.problems.iter().any(|p| p.code == ProblemCode::MetalOrCement);
    if touched { Share::new(0.0) } else { vertebra.confidence }
}

/// The dens is placed by a height that differs between patients; where the canal opens above the
/// highest vertebra, within one place of it, the two together settle which vertebra C2 is.
fn axis_with_opening(
    dens: Option<Anchor>,
    opening: Option<Share>,
    vertebrae: usize,
) -> Option<Anchor> {
    let dens = dens?;
    let highest = isize::try_from(vertebrae).ok()? - 1;
    let Some(opening) = opening.filter(|_| (dens.position - highest).abs() <= 1) else {
        return Some(dens);
    };
    let together = OPENING_FROM + OPENING_GAIN * opening.get();
    if together < dens.confidence.get() {
        return Some(dens);
    }
    Some(Anchor {
        position: highest,
        confidence: Share::new(together),
        evidence: format!("{}, and the canal opens above it", dens.evidence),
        ..dens
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
mod tests {
    use super::*;
    use crate::anatomy::levels::AnchorKind;

    fn dens(position: isize) -> Anchor {
        Anchor {
            kind: AnchorKind::Axis,
            position,
            confidence: Share::new(0.5),
            evidence: "dens".to_owned(),
        }
    }

    #[test]
    fn an_opening_canal_settles_a_dens_one_place_off_but_not_one_farther_away() {
        let opening = Some(Share::new(1.0));
        let settled = axis_with_opening(Some(dens(6)), opening, 6).unwrap();
        assert_eq!(settled.position, 5);
        assert!(settled.confidence.get() > 0.8);
        assert_eq!(axis_with_opening(Some(dens(7)), opening, 6), Some(dens(7)));
    }

    #[test]
    fn an_opening_canal_without_a_dens_names_nothing() {
        assert_eq!(axis_with_opening(None, Some(Share::new(1.0)), 6), None);
        assert_eq!(axis_with_opening(Some(dens(5)), None, 6), Some(dens(5)));
    }
}
