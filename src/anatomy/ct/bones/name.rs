//! The levels of the vertebrae that were found, from the anchors in view.

use super::axis;
use super::column::Column;
use crate::anatomy::ct::coarse::Coarse;
use crate::anatomy::ct::ribs::FoundRibs;
use crate::anatomy::levels::{Anchor, Link, name_levels};
use crate::anatomy::model::Anatomy;
use crate::kernels::BitMask;
use crate::volume::Volume;

/// `bone` is on the coarse grid. Fills level and candidates of every vertebra, and says what limits them.
pub fn name(
    anatomy: &mut Anatomy,
    volume: &Volume<i16>,
    coarse: &Coarse,
    bone: &BitMask,
    column: &Column,
    ribs: &FoundRibs,
    sacrum: Option<&Anchor>,
) {
    let mut anchors: Vec<Anchor> = ribs.anchors();
    anchors.extend(sacrum.cloned());
    anchors.extend(axis::anchor(volume, coarse, bone, column));
    let chain: Vec<Link> = anatomy
        .vertebrae
        .iter()
        .enumerate()
        .map(|(n, vertebra)| Link {
            step_up_mm: column.places[n].step_mm,
            ribs: ribs.in_run(n),
            section: vertebra.section_guess,
        })
        .collect();
    let named = name_levels(&chain, &anchors);
    for ((vertebra, level), candidates) in
        anatomy.vertebrae.iter_mut().zip(named.levels).zip(named.candidates)
    {
        vertebra.level = level;
        vertebra.level_candidates = candidates;
    }
    anatomy.problems.extend(named.problems);
}
