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
fn two_agreeing_anchors_name_the_whole_chest() {
    // L2 to C6 with the last rib at 2 and the first at 13.
    let chain = chain_from(Level::L2, 16, 1.05);
    let anchors = [anchor(AnchorKind::LastRib, 2, 0.8), anchor(AnchorKind::FirstRib, 13, 0.8)];
    let found = name_levels(&chain, &anchors);
    let start = usize::try_from(usual_index(Level::L2)).unwrap();
    let expected: Vec<Option<Level>> =
        usual_levels()[start..start + 16].iter().copied().map(Some).collect();
    assert_eq!(found.levels, expected);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
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
    assert_eq!(found.levels[19], Some(Level::C7));
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
    chain[8].confidence = Share::new(COUNTED_FROM - 0.01);
    let last_rib = anchor(AnchorKind::LastRib, 2, 0.95);
    let found = name_levels(&chain, std::slice::from_ref(&last_rib));
    assert!(found.levels[..8].iter().all(Option::is_some), "{:?}", found.levels);
    assert!(found.levels[8..].iter().all(Option::is_none), "{:?}", found.levels);
    assert!(found.candidates.iter().all(|listed| !listed.is_empty()));
    // Two anchors that agree check the count between them.
    let checked = name_levels(&chain, &[last_rib, anchor(AnchorKind::FirstRib, 13, 0.95)]);
    assert!(checked.levels.iter().all(Option::is_some), "{:?}", checked.levels);
}
