use super::*;
use proptest::prelude::*;

/// Distances of a usual spine of one size, from a level up.
fn chain_from(lowest: Level, count: usize, size: f64) -> Vec<Link> {
    let usual: Vec<f64> = LEVELS_UP
        .iter()
        .filter(|(l, _)| !matches!(l, Level::L6 | Level::T13))
        .map(|(_, mm)| *mm)
        .collect();
    let start = usize::try_from(usual_index(lowest)).unwrap();
    (start..(start + count).min(usual.len()))
        .map(|n| Link {
            step_up_mm: size * usual[n],
            confidence: Share::new(1.0),
            ..Link::default()
        })
        .collect()
}

fn usual_levels() -> Vec<Level> {
    LEVELS_UP.iter().map(|(l, _)| *l).filter(|l| !matches!(l, Level::L6 | Level::T13)).collect()
}

fn anchor(kind: AnchorKind, position: isize, confidence: f64) -> Anchor {
    Anchor { kind, position, confidence: Share::new(confidence), evidence: "seen".to_owned() }
}

fn has(found: &ChainLevels, code: ProblemCode) -> bool {
    found.problems.iter().any(|p| p.code == code)
}

#[test]
fn two_agreeing_anchors_name_the_whole_chest_and_the_neck_is_left_to_its_own() {
    // L2 to C6 with the last rib at 2 and the first at 13.
    let chain = chain_from(Level::L2, 16, 1.05);
    let anchors = [anchor(AnchorKind::LastRib, 2, 0.8), anchor(AnchorKind::FirstRib, 13, 0.8)];
    let found = name_levels(&chain, &anchors);
    let start = usize::try_from(usual_index(Level::L2)).unwrap();
    let mut expected: Vec<Option<Level>> =
        usual_levels()[start..start + 16].iter().copied().map(Some).collect();
    expected[14..].fill(None);
    assert_eq!(found.levels, expected);
    assert_eq!((found.candidates[14][0], found.candidates[15][0]), (Level::C7, Level::C6));
    let codes: Vec<ProblemCode> = found.problems.iter().map(|p| p.code).collect();
    assert_eq!(codes, [ProblemCode::LevelCountBroken]);
    // C2 names the neck, and the chest alone would not be named by it.
    let whole = chain_from(Level::L2, 20, 1.05);
    let axis = anchor(AnchorKind::Axis, 19, 0.9);
    let found = name_levels(&whole, &[anchors.as_slice(), std::slice::from_ref(&axis)].concat());
    assert!(found.levels.iter().all(Option::is_some), "{:?}", found.levels);
    let found = name_levels(&whole, &[axis]);
    assert_eq!((found.levels[13], found.levels[14]), (None, Some(Level::C7)));
}

#[test]
fn a_single_anchor_names_with_its_neighbours_kept_and_says_so() {
    let chain = chain_from(Level::S1, 7, 1.0);
    let found = name_levels(&chain, &[anchor(AnchorKind::Sacrum, 0, 0.9)]);
    assert_eq!(found.levels[0], Some(Level::S1));
    assert_eq!(found.levels[6], Some(Level::T12));
    assert_eq!(found.candidates[3][0], Level::L3);
    assert!(found.candidates[3].contains(&Level::L2) && found.candidates[3].contains(&Level::L4));
    assert!(found.candidates[0].contains(&Level::L5));
    assert!(has(&found, ProblemCode::SingleLevelAnchor));
}

#[test]
fn a_vertebra_below_l5_that_looks_lumbar_is_a_candidate_for_l6_and_never_named_so() {
    let mut chain = chain_from(Level::S1, 9, 1.0);
    chain[0].section = Some(SpineSection::Lumbar);
    // Counted down from the last rib; nobody saw the sacrum.
    let found = name_levels(&chain, &[anchor(AnchorKind::LastRib, 6, 0.95)]);
    assert_eq!(found.levels[1], Some(Level::L5));
    assert_eq!(found.candidates[0][0], Level::L6, "{:?}", found.candidates[0]);
    assert_eq!(found.levels[0], None);
}

#[test]
fn a_single_anchor_that_ribs_and_distances_outvote_names_nothing_and_still_lists_its_count() {
    // Kidneys bright with contrast medium beside L2, taken for hip bones.
    let mut chain = chain_from(Level::L2, 14, 1.0);
    for link in &mut chain[2..] {
        (link.ribs, link.section) = (Ribs::Present, Some(SpineSection::Thoracic));
    }
    chain[..2].iter_mut().for_each(|link| link.ribs = Ribs::Absent);
    let found = name_levels(&chain, &[anchor(AnchorKind::Sacrum, 0, 0.64)]);
    assert!(found.levels.iter().all(Option::is_none), "{:?}", found.levels);
    assert!(found.candidates[0].contains(&Level::L2) && found.candidates[0].contains(&Level::S1));
    assert!(
        has(&found, ProblemCode::NoLevelAnchor) && !has(&found, ProblemCode::SingleLevelAnchor)
    );
}

#[test]
fn an_anchor_just_beyond_the_chain_counts() {
    let chain = chain_from(Level::C7, 5, 1.05);
    let found = name_levels(&chain, &[anchor(AnchorKind::Axis, 5, 0.9)]);
    assert_eq!(found.levels[4], Some(Level::C3));
    assert_eq!(found.levels[0], Some(Level::C7));
}

#[test]
fn four_lumbar_vertebrae_between_sacrum_and_last_rib_name_nothing_there() {
    let chain = chain_from(Level::L5, 8, 1.0);
    let anchors = [anchor(AnchorKind::Sacrum, 0, 0.9), anchor(AnchorKind::LastRib, 5, 0.9)];
    let found = name_levels(&chain, &anchors);
    assert!(found.levels.iter().all(Option::is_none), "{:?}", found.levels);
    assert!(has(&found, ProblemCode::LevelAnchorsDisagree));
    let rib = &found.candidates[5];
    assert!(rib.contains(&Level::T12) && rib.contains(&Level::L1), "{rib:?}");
}

#[test]
fn with_three_anchors_the_pair_that_agrees_keeps_its_names() {
    // Sacrum, six lumbar bodies, then twelve with ribs.
    let mut chain = chain_from(Level::S1, 6, 1.0);
    chain.extend(chain_from(Level::L1, 15, 1.0));
    let anchors = [
        anchor(AnchorKind::Sacrum, 0, 0.9),
        anchor(AnchorKind::LastRib, 7, 0.9),
        anchor(AnchorKind::FirstRib, 18, 0.9),
    ];
    let found = name_levels(&chain, &anchors);
    assert_eq!(found.levels[7], Some(Level::T12));
    assert_eq!(found.levels[18], Some(Level::T1));
    assert_eq!(found.levels[17], Some(Level::T2));
    assert!(found.levels[..7].iter().all(Option::is_none), "{:?}", found.levels);
    assert!(has(&found, ProblemCode::LevelAnchorsDisagree));
}

#[test]
fn a_gap_that_may_hold_one_or_none_breaks_the_count() {
    let mut chain = chain_from(Level::S1, 9, 1.0);
    chain[3].step_up_mm *= 1.5;
    let found = name_levels(&chain, &[anchor(AnchorKind::Sacrum, 0, 0.95)]);
    assert_eq!(found.levels[3], Some(Level::L3));
    assert!(found.levels[4..].iter().all(Option::is_none), "{:?}", found.levels);
    assert!(has(&found, ProblemCode::LevelCountBroken));
}

#[test]
fn a_gap_of_two_usual_distances_is_one_vertebra_missed() {
    let mut chain = chain_from(Level::S1, 9, 1.0);
    let both = chain[3].step_up_mm + chain[4].step_up_mm;
    chain.remove(4);
    chain[3].step_up_mm = both;
    let found = name_levels(&chain, &[anchor(AnchorKind::Sacrum, 0, 0.95)]);
    assert_eq!(found.levels[4], Some(Level::L1));
}

#[test]
fn distances_alone_order_the_candidates_and_name_nothing() {
    let found = name_levels(&chain_from(Level::L5, 4, 1.0), &[]);
    assert!(found.levels.iter().all(Option::is_none));
    assert!(found.candidates[1].contains(&Level::L4), "{:?}", found.candidates);
    assert!(has(&found, ProblemCode::NoLevelAnchor));
}

proptest! {
    #[test]
    fn without_a_strong_anchor_nothing_is_named(
        steps in proptest::collection::vec(5.0f64..90.0, 1..26),
        weak in proptest::collection::vec((0usize..4, -2isize..28, 0.0f64..LEAST_ANCHOR - 1e-9), 0..4),
    ) {
        let chain: Vec<Link> =
            steps.iter().map(|&step_up_mm| Link { step_up_mm, confidence: Share::new(1.0), ..Link::default() }).collect();
        let kinds = [AnchorKind::Sacrum, AnchorKind::LastRib, AnchorKind::FirstRib, AnchorKind::Axis];
        let anchors: Vec<Anchor> = weak.iter().map(|&(k, p, c)| anchor(kinds[k], p, c)).collect();
        let found = name_levels(&chain, &anchors);
        prop_assert_eq!(found.levels.len(), chain.len());
        prop_assert!(found.levels.iter().all(Option::is_none));
        prop_assert!(has(&found, ProblemCode::NoLevelAnchor));
    }

    #[test]
    fn two_contradicting_anchors_never_name(
        lumbar in 0isize..9, first in 0.6f64..1.0, second in 0.6f64..1.0, count in 7usize..20,
        size in 0.8f64..1.2,
    ) {
        prop_assume!(lumbar != 5);
        let chain = chain_from(Level::S1, count, size);
        let anchors =
            [anchor(AnchorKind::Sacrum, 0, first), anchor(AnchorKind::LastRib, lumbar + 1, second)];
        prop_assume!(lumbar < isize::try_from(count).unwrap());
        let found = name_levels(&chain, &anchors);
        prop_assert!(found.levels.iter().all(Option::is_none), "{:?}", found.levels);
        prop_assert!(has(&found, ProblemCode::LevelAnchorsDisagree));
    }

    #[test]
    fn moving_the_anchor_by_one_moves_every_name_by_one(count in 8usize..12, size in 0.9f64..1.1) {
        // Equal distances, so that nothing but the anchor speaks.
        let chain = vec![Link { step_up_mm: 22.0 * size, confidence: Share::new(1.0), ..Link::default() }; count];
        let name = |position| name_levels(&chain, &[anchor(AnchorKind::FirstRib, position, 0.95)]).levels;
        let (low, high) = (name(6), name(7));
        let order = usual_levels();
        for n in 1..count {
            if let (Some(a), Some(b)) = (low[n - 1], high[n]) {
                prop_assert_eq!(a, b);
            }
            if let (Some(a), Some(b)) = (low[n], high[n]) {
                let place = |l: Level| order.iter().position(|x| *x == l).unwrap();
                prop_assert_eq!(place(a), place(b) + 1);
            }
        }
    }

    #[test]
    fn names_go_up_the_spine_without_repeats_and_lead_their_candidates(
        steps in proptest::collection::vec(10.0f64..60.0, 1..24),
        at in 0isize..24, kind in 0usize..4, confidence in 0.6f64..1.0,
    ) {
        let chain: Vec<Link> =
            steps.iter().map(|&step_up_mm| Link { step_up_mm, confidence: Share::new(1.0), ..Link::default() }).collect();
        let kinds = [AnchorKind::Sacrum, AnchorKind::LastRib, AnchorKind::FirstRib, AnchorKind::Axis];
        let found = name_levels(&chain, &[anchor(kinds[kind], at, confidence)]);
        let named: Vec<Level> = found.levels.iter().flatten().copied().collect();
        prop_assert!(named.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", named);
        for (level, candidates) in found.levels.iter().zip(&found.candidates) {
            if let Some(level) = level {
                prop_assert_eq!(candidates.first(), Some(level));
                prop_assert!(candidates.len() > 1, "a single anchor keeps its neighbours");
            }
        }
    }
}

#[test]
fn a_count_is_not_carried_over_a_vertebra_that_may_be_two() {
    let mut chain = chain_from(Level::L2, 16, 1.0);
    chain[8].confidence = Share::new(Vertebra::SURE - 0.01);
    let last_rib = anchor(AnchorKind::LastRib, 2, 0.95);
    let found = name_levels(&chain, std::slice::from_ref(&last_rib));
    assert!(found.levels[..8].iter().all(Option::is_some), "{:?}", found.levels);
    assert!(found.levels[8..].iter().all(Option::is_none), "{:?}", found.levels);
    assert!(found.candidates.iter().all(|listed| !listed.is_empty()));
    // Two anchors that agree check the count between them.
    let checked = name_levels(&chain, &[last_rib, anchor(AnchorKind::FirstRib, 13, 0.95)]);
    assert!(checked.levels[..14].iter().all(Option::is_some), "{:?}", checked.levels);
}

/// What is listed at the least where no level is named: the counts of all anchors, with a level to
/// either side.
fn counted_from(anchors: &[Anchor], at: usize) -> Vec<Level> {
    let at = isize::try_from(at).unwrap();
    let count = |a: &Anchor| usual_index(a.kind.level()) + at - a.position;
    anchors
        .iter()
        .flat_map(|a| [count(a) - 1, count(a), count(a) + 1])
        .filter_map(|index| usual_levels().get(usize::try_from(index).ok()?).copied())
        .collect()
}

#[test]
fn beyond_two_anchors_that_agree_the_neighbours_stay_candidates_and_between_them_they_do_not() {
    let chain = chain_from(Level::L2, 16, 1.0);
    let anchors = [anchor(AnchorKind::LastRib, 2, 0.8), anchor(AnchorKind::FirstRib, 13, 0.8)];
    let found = name_levels(&chain, &anchors);
    assert_eq!(found.candidates[8], [found.levels[8].unwrap()]);
    assert_eq!(found.candidates[15][0], Level::C6);
    assert!([Level::C5, Level::C7].iter().all(|l| found.candidates[15].contains(l)));
    assert!([Level::L1, Level::L3].iter().all(|l| found.candidates[0].contains(l)));
}

#[test]
fn a_chain_that_begins_at_s2_gives_that_vertebra_no_name_and_the_next_one_s1_among_others() {
    let mut chain = chain_from(Level::S1, 9, 1.0);
    chain.insert(0, Link { step_up_mm: 26.0, confidence: Share::new(1.0), ..Link::default() });
    let found = name_levels(&chain, &[anchor(AnchorKind::LastRib, 7, 0.9)]);
    assert_eq!(found.levels[0], None);
    assert!(found.levels[2].is_none_or(|level| level == Level::L5), "{:?}", found.levels);
    assert!(found.candidates[1].contains(&Level::S1), "{:?}", found.candidates);
    assert!(found.candidates[0].contains(&Level::S1), "{:?}", found.candidates);
}

proptest! {
    #[test]
    fn every_list_holds_what_each_anchor_counts_and_is_neither_empty_nor_repeats(
        steps in proptest::collection::vec(8.0f64..70.0, 1..30),
        seen in proptest::collection::vec((0usize..4, 0isize..30, 0.0f64..1.0), 0..4),
    ) {
        let chain: Vec<Link> =
            steps.iter().map(|&step_up_mm| Link { step_up_mm, confidence: Share::new(1.0), ..Link::default() }).collect();
        let kinds = [AnchorKind::Sacrum, AnchorKind::LastRib, AnchorKind::FirstRib, AnchorKind::Axis];
        let last = isize::try_from(chain.len()).unwrap();
        let anchors: Vec<Anchor> = seen
            .iter()
            .filter(|(_, p, _)| *p <= last)
            .map(|&(k, p, c)| anchor(kinds[k], p, c))
            .collect();
        let found = name_levels(&chain, &anchors);
        for (at, (level, listed)) in found.levels.iter().zip(&found.candidates).enumerate() {
            prop_assert!(!listed.is_empty());
            let mut once = listed.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), listed.len(), "{:?}", listed);
            if level.is_none() {
                for counted in counted_from(&anchors, at) {
                    prop_assert!(listed.contains(&counted), "{:?} without {counted}", listed);
                }
            }
        }
    }

    #[test]
    fn a_single_anchor_that_sits_on_a_neighbour_does_not_push_the_truth_out(
        off in -1isize..=1, kind in 0usize..2, confidence in 0.0f64..1.0, size in 0.8f64..1.2,
        count in 8usize..24,
    ) {
        let (kind, place) = [(AnchorKind::Sacrum, 0), (AnchorKind::LastRib, 6)][kind];
        let chain = chain_from(Level::S1, count, size);
        let found = name_levels(&chain, &[anchor(kind, place + off, confidence)]);
        for (truth, listed) in usual_levels().iter().zip(&found.candidates) {
            prop_assert!(listed.contains(truth), "{:?} without {truth}", listed);
        }
    }

    #[test]
    fn segments_below_s1_at_the_lower_end_do_not_push_the_truth_out(
        below in 1usize..=3, confidence in 0.0f64..1.0, size in 0.85f64..1.15, count in 8usize..26,
    ) {
        let mut chain: Vec<Link> = BELOW_S1_UP[3 - below..]
            .iter()
            .map(|mm| Link { step_up_mm: size * mm, confidence: Share::new(1.0), ..Link::default() })
            .collect();
        chain.extend(chain_from(Level::S1, count, size));
        let last_rib = anchor(AnchorKind::LastRib, isize::try_from(below).unwrap() + 6, confidence);
        let found = name_levels(&chain, &[last_rib]);
        prop_assert!(found.levels[..below].iter().all(Option::is_none), "{:?}", found.levels);
        for (truth, (level, listed)) in
            usual_levels().iter().zip(found.levels.iter().zip(&found.candidates).skip(below))
        {
            prop_assert!(level.is_none_or(|level| level == *truth), "{:?}", found.levels);
            prop_assert!(listed.contains(truth), "{:?} without {truth}", listed);
        }
    }
}
