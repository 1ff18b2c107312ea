//! From anchors in view to the levels of a chain of vertebrae. Knows no voxels.
//!
//! # Method
//! The chain is read from feet to head as a hidden Markov model. The hidden state of a vertebra is
//! its level; going up, a level is followed by the next one, by a variant (4 or 6 lumbar, 11 or 13
//! thoracic vertebrae), or by one further up when vertebrae in between were missed; how likely
//! each is depends on the distance of the two centres against the distance that these levels have
//! in a patient of unknown size. Anchors weigh the levels of their vertebra. The marginals
//! (forward-backward, summed over sizes) order the candidates.
//!
//! # When a level is named
//! Only with an anchor of at least [`LEAST_ANCHOR`], only when the marginal is at least
//! [`LEAST_MARGINAL`], and never where two anchors contradict each other: such a stretch keeps its
//! candidates and says so. A single anchor that ribs, sizes and distances outvote names nothing either.
//! Necks are named by C2, chest and loins by ribs and sacrum: no count from one side alone goes over the border. Beyond an anchor the count is carried over vertebrae of at least
//! [`Vertebra::SURE`] confidence, no farther. A single anchor names with the level above and below kept as candidates.
//!
//! # What is listed
//! A list without the true level is an error that nobody sees. Every list therefore holds, after what is
//! likely, the levels next to the likeliest; only between two anchors that agree, where the count is checked,
//! the name stands alone. Where no level is named, each anchor's own count is listed as well, with the level on
//! either side, however weak the anchor is. A chain may begin in the sacrum below S1: such vertebrae have no
//! level of their own and list those next to them.
//!
//! # Sources
//! Distances of centres: heights of Panjabi et al., Spine 1991 and 1992, with published heights of
//! discs, rounded to 0.5 mm. Shares of variants: 4 or 6 lumbar vertebrae in about 3 to 6 % of
//! adults, 11 or 13 ribs in about 1 to 3 %; the exact shares do not matter, only that a variant is
//! possible and not likely.

use super::model::Vertebra;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::{Level, SpineSection};
use crate::units::Share;

/// What names a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnchorKind {
    /// S1: the first body joined to the hip bones.
    Sacrum,
    /// T12: the lowest with ribs.
    LastRib,
    /// T1: the highest with ribs.
    FirstRib,
    /// C2: the dens under the skull base.
    Axis,
}

impl AnchorKind {
    /// The level that it names.
    pub const fn level(self) -> Level {
        match self {
            Self::Sacrum => Level::S1,
            Self::LastRib => Level::T12,
            Self::FirstRib => Level::T1,
            Self::Axis => Level::C2,
        }
    }

    /// For sentences.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Sacrum => "the sacrum",
            Self::LastRib => "the last rib",
            Self::FirstRib => "the first rib",
            Self::Axis => "C2 under the skull base",
        }
    }
}

/// An anchor in view.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchor {
    /// Which.
    pub kind: AnchorKind,
    /// Its vertebra: index in the chain from feet to head; -1 and the length of the chain are the
    /// places just beyond its ends.
    pub position: isize,
    /// How sure it is that this very vertebra is the anchor.
    pub confidence: Share,
    /// What was seen, one sentence without a full stop.
    pub evidence: String,
}

/// Ribs at a vertebra, both sides together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ribs {
    /// Ribs on both sides.
    Present,
    /// No rib on either side, both in view.
    Absent,
    /// Not in view, or not told.
    #[default]
    Unknown,
}

/// What is known of one vertebra of the chain, from feet to head.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Link {
    /// Distance of its centre to that of the next one up, mm; not looked at for the last.
    pub step_up_mm: f64,
    /// Its ribs.
    pub ribs: Ribs,
    /// The part of the spine that its size and surroundings speak for.
    pub section: Option<SpineSection>,
    /// How sure it is that this is one vertebra, no more and no less.
    pub confidence: Share,
}

/// The levels of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainLevels {
    /// Level of each vertebra, where it is known.
    pub levels: Vec<Option<Level>>,
    /// What each may be, most likely first; begins with its level where that is known.
    pub candidates: Vec<Vec<Level>>,
    /// What limits the levels, for the whole chain.
    pub problems: Vec<Problem>,
}

/// An anchor of less confidence weighs the candidates and names nothing.
pub const LEAST_ANCHOR: f64 = 0.6;
/// Probability from which a level is named. Below it the count is not safe: a gap in the chain, or
/// an anchor that may sit on the neighbour.
pub const LEAST_MARGINAL: f64 = 0.85;
/// Probability from which a level is listed as a candidate.
const LEAST_CANDIDATE: f64 = 0.04;

/// Segments of the sacrum that a chain may begin with below S1, from feet to head (S4, S3, S2), with the
/// usual distance of a centre to the next one up, mm. They have no name.
const BELOW_S1_UP: [f64; 3] = [18.0, 22.0, 27.0];
/// How likely a chain begins at one of them, against any one level: the end of the chain is trimmed there.
const BEGINS_BELOW_S1: f64 = 0.05;

/// The levels from feet to head, with the usual distance of a centre to the next one up, mm.
const LEVELS_UP: [(Level, f64); 27] = [
    (Level::S1, 34.0),
    (Level::L6, 36.0),
    (Level::L5, 36.0),
    (Level::L4, 36.0),
    (Level::L3, 35.0),
    (Level::L2, 34.0),
    (Level::L1, 31.5),
    (Level::T13, 30.0),
    (Level::T12, 29.0),
    (Level::T11, 27.5),
    (Level::T10, 25.5),
    (Level::T9, 24.0),
    (Level::T8, 23.0),
    (Level::T7, 22.5),
    (Level::T6, 22.0),
    (Level::T5, 21.5),
    (Level::T4, 21.0),
    (Level::T3, 20.5),
    (Level::T2, 20.0),
    (Level::T1, 19.5),
    (Level::C7, 18.5),
    (Level::C6, 18.0),
    (Level::C5, 18.0),
    (Level::C4, 18.0),
    (Level::C3, 18.5),
    (Level::C2, 19.0),
    (Level::C1, 19.0),
];
/// What a vertebra of a chain can be: a segment of the sacrum below S1, then the levels.
const STATES: usize = BELOW_S1_UP.len() + LEVELS_UP.len();

/// The level of a state; `None` below S1.
fn level_of(state: usize) -> Option<Level> {
    state.checked_sub(BELOW_S1_UP.len()).map(|level| LEVELS_UP[level].0)
}

/// Usual distance from a state to the next one up, mm.
fn usual_step_mm(state: usize) -> f64 {
    match state.checked_sub(BELOW_S1_UP.len()) {
        Some(level) => LEVELS_UP[level].1,
        None => BELOW_S1_UP[state],
    }
}

/// The state of a level.
fn state_of(level: Level) -> Option<usize> {
    Some(BELOW_S1_UP.len() + LEVELS_UP.iter().position(|(l, _)| *l == level)?)
}

/// Share of patients with one lumbar vertebra less, or more.
const LUMBAR_VARIANT: f64 = 0.04;
/// Share of patients with one thoracic vertebra less, or more.
const THORACIC_VARIANT: f64 = 0.015;
/// Probability that between two neighbours one, or two, were missed.
const MISSED: [f64; 2] = [0.04, 0.01];
/// Probability that one of two neighbours is no vertebra; its place lies about half a step on.
const FALSE_VERTEBRA: f64 = 0.01;
const FALSE_STEP_SHARE: f64 = 0.45;
/// Spread of a measured distance of two centres, mm: each is placed within about 2.5 mm.
const PLACING_MM: f64 = 3.5;
/// Spread of the distances within one patient after his size, as a share.
const WITHIN_PATIENT: f64 = 0.09;
/// Sizes of patients, against the usual, and how likely they are (spread 0.09).
const SIZES: [(f64, f64); 7] = [
    (0.79, 0.03),
    (0.86, 0.11),
    (0.93, 0.22),
    (1.0, 0.28),
    (1.07, 0.22),
    (1.14, 0.11),
    (1.21, 0.03),
];
/// How likely ribs, or their absence, are seen where they should not be.
const RIB_ERROR: f64 = 0.2;
/// How likely the guess of the section by size is wrong.
const SECTION_ERROR: f64 = 0.1;

/// Names the chain.
///
/// Anchors beyond the places next to the ends of the chain are left out.
pub fn name_levels(chain: &[Link], anchors: &[Anchor]) -> ChainLevels {
    let n = chain.len();
    if n == 0 {
        return ChainLevels { levels: Vec::new(), candidates: Vec::new(), problems: Vec::new() };
    }
    let last = isize::try_from(n).unwrap_or(isize::MAX);
    let mut anchors: Vec<&Anchor> =
        anchors.iter().filter(|a| a.position >= -1 && a.position <= last).collect();
    anchors.sort_by_key(|a| (a.position, a.kind));
    let marginals = marginals(chain, &anchors);
    let mut strong: Vec<&Anchor> =
        anchors.iter().copied().filter(|a| a.confidence.get() >= LEAST_ANCHOR).collect();
    if let [only] = strong[..]
        && !is_believed(only, &marginals)
    {
        strong.clear();
    }
    let agreement = agreement(&strong);
    let mut levels: Vec<Option<Level>> = (0..last)
        .zip(&marginals)
        .map(|(at, marginal)| {
            let best = likeliest(marginal);
            let support = support(&strong, &agreement, at);
            // Where a variant is the likeliest the count is open: it is a candidate, never a name.
            level_of(best)
                .filter(|level| !matches!(level, Level::L6 | Level::T13))
                .filter(|_| support != Support::None && support != Support::Contradicted)
                .filter(|level| is_own_side(*level, &strong))
                .filter(|_| marginal[best] >= LEAST_MARGINAL)
                .filter(|_| count_carries(chain, &strong, &agreement, at))
        })
        .collect();
    // One level twice: one of the two is no vertebra, and which is not known.
    let named = levels.clone();
    for level in &mut levels {
        if level.is_some() && named.iter().filter(|other| *other == level).count() > 1 {
            *level = None;
        }
    }
    // Without an anchor the list is all there is: it must not be shorter than what is known.
    let least = if strong.is_empty() { 0.25 * LEAST_CANDIDATE } else { LEAST_CANDIDATE };
    let candidates = (0..last)
        .zip(levels.iter().zip(&marginals))
        .map(|(at, (level, marginal))| {
            let mut listed = likely(marginal, least);
            if level.is_none() || !is_checked(&strong, &agreement, at) {
                // An anchor may sit on a neighbour, and a variant would shift every name.
                list_with_neighbours(&mut listed, usual_index_of_state(likeliest(marginal)));
            }
            if level.is_none() {
                for anchor in &anchors {
                    let counted = usual_index(anchor.kind.level()) + at - anchor.position;
                    list_with_neighbours(&mut listed, counted);
                }
            }
            listed
        })
        .collect();
    let problems = problems(&strong, &anchors, &agreement, &levels);
    ChainLevels { levels, candidates, problems }
}

/// Whether an anchor lies on a level's own side of the border of neck and chest. Where both meet, and in worn
/// necks, three places were found for four bodies more than once: no count from one side alone is safe there.
fn is_own_side(level: Level, strong: &[&Anchor]) -> bool {
    let is_cervical = |level: Level| level.section() == SpineSection::Cervical;
    strong.iter().any(|anchor| is_cervical(anchor.kind.level()) == is_cervical(level))
}

/// Whether the likeliest level of an anchor's vertebra is the anchor's own; beyond the chain nothing speaks
/// against it.
fn is_believed(anchor: &Anchor, marginals: &[[f64; STATES]]) -> bool {
    usize::try_from(anchor.position)
        .ok()
        .and_then(|place| marginals.get(place))
        .is_none_or(|marginal| level_of(likeliest(marginal)) == Some(anchor.kind.level()))
}

/// The likeliest state.
fn likeliest(marginal: &[f64; STATES]) -> usize {
    // Of equal ones the lowest.
    (0..STATES).rev().max_by(|&a, &b| marginal[a].total_cmp(&marginal[b])).unwrap_or(0)
}

/// The levels of at least this probability, the likeliest first.
fn likely(marginal: &[f64; STATES], least: f64) -> Vec<Level> {
    let mut order: Vec<usize> = (0..STATES).filter(|&state| marginal[state] >= least).collect();
    order.sort_by(|&a, &b| marginal[b].total_cmp(&marginal[a]));
    order.into_iter().filter_map(level_of).collect()
}

/// Adds a level, by its place counted from S1, and those next to it where they are not listed yet.
fn list_with_neighbours(listed: &mut Vec<Level>, index: isize) {
    for level in [index, index + 1, index - 1].map(usual_level) {
        if !listed.contains(&level) {
            listed.push(level);
        }
    }
}

/// Whether a vertebra lies between two neighbouring anchors that agree, or is one of them: its count is
/// checked.
fn is_checked(strong: &[&Anchor], agreement: &[bool], at: isize) -> bool {
    strong
        .windows(2)
        .zip(agreement)
        .any(|(pair, agrees)| *agrees && (pair[0].position..=pair[1].position).contains(&at))
}

/// Whether the count from the nearest anchor on one side reaches a vertebra over sure ones alone.
/// Between two anchors that agree the count is checked and may pass over any.
fn count_carries(chain: &[Link], strong: &[&Anchor], agreement: &[bool], at: isize) -> bool {
    let above = strong.iter().position(|a| a.position >= at);
    let below = strong.iter().rposition(|a| a.position <= at);
    if let (Some(above), Some(below)) = (above, below)
        && (above == below || (above == below + 1 && agreement.get(below) == Some(&true)))
    {
        return true;
    }
    [above, below].into_iter().flatten().any(|anchor| {
        let from = strong[anchor].position;
        let (low, high) = if from < at { (from + 1, at) } else { (at, from - 1) };
        (low..=high).all(|place| {
            usize::try_from(place)
                .ok()
                .and_then(|place| chain.get(place))
                .is_some_and(|link| link.confidence.get() >= Vertebra::SURE)
        })
    })
}

/// What holds the name of a vertebra.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    /// No anchor.
    None,
    /// One anchor, or several that do not check each other.
    Single,
    /// Two that agree.
    Agreeing,
    /// Anchors that contradict each other.
    Contradicted,
}

/// For each pair of neighbouring anchors, whether the number of vertebrae between them is the
/// usual one.
fn agreement(strong: &[&Anchor]) -> Vec<bool> {
    strong
        .windows(2)
        .map(|pair| {
            let counted = pair[1].position - pair[0].position;
            let usual = usual_index(pair[1].kind.level()) - usual_index(pair[0].kind.level());
            counted == usual
        })
        .collect()
}

/// Place of a level counted from S1 in the usual spine of 12 thoracic and 5 lumbar vertebrae.
fn usual_index(level: Level) -> isize {
    LEVELS_UP
        .iter()
        .filter(|(l, _)| !matches!(l, Level::L6 | Level::T13))
        .zip(0..)
        .find_map(|((l, _), index)| (*l == level).then_some(index))
        .unwrap_or(0)
}

/// The level at a place counted from S1 in the usual spine; beyond its ends that at the end.
fn usual_level(index: isize) -> Level {
    let usual = || {
        LEVELS_UP
            .iter()
            .map(|(level, _)| *level)
            .filter(|level| !matches!(level, Level::L6 | Level::T13))
    };
    usual()
        .nth(usize::try_from(index).unwrap_or(0))
        .or_else(|| usual().next_back())
        .unwrap_or(Level::C1)
}

fn support(strong: &[&Anchor], agreement: &[bool], at: isize) -> Support {
    match (strong, agreement) {
        ([], _) => Support::None,
        ([_], _) => Support::Single,
        _ => {
            let above = strong.iter().position(|a| a.position >= at).unwrap_or(strong.len());
            let agrees = |pair: usize| agreement.get(pair).copied().unwrap_or(false);
            let below = above.checked_sub(1);
            let good = if strong.get(above).is_some_and(|a| a.position == at) {
                // An anchor belongs to both of its pairs: one that agrees is enough.
                agrees(above) || below.is_some_and(agrees)
            } else {
                // The pair around this vertebra; beyond the outermost anchor, that anchor's own.
                agrees(below.unwrap_or(0).min(agreement.len() - 1))
            };
            if good { Support::Agreeing } else { Support::Contradicted }
        }
    }
}

/// Probability of each level for each vertebra.
fn marginals(chain: &[Link], anchors: &[&Anchor]) -> Vec<[f64; STATES]> {
    let n = chain.len();
    // An anchor just beyond the chain has a place of its own, one level further on.
    let below = anchors.iter().any(|a| a.position < 0);
    let above = anchors.iter().any(|a| usize::try_from(a.position) == Ok(n));
    let first = usize::from(below);
    let places = first + n + usize::from(above);
    let weights: Vec<[f64; STATES]> = (0..places)
        .map(|place| {
            let link = place.checked_sub(first).and_then(|at| chain.get(at));
            let own = anchors
                .iter()
                .filter(|a| isize::try_from(place) == Ok(a.position + first as isize));
            let mut weight = emission(link, own);
            if place == 0 {
                weight.iter_mut().take(BELOW_S1_UP.len()).for_each(|w| *w *= BEGINS_BELOW_S1);
            }
            weight
        })
        .collect();
    let runs: Vec<(f64, Vec<[f64; STATES]>)> = SIZES
        .iter()
        .map(|&(size, prior)| {
            let steps: Vec<Vec<[f64; STATES]>> = (0..places.saturating_sub(1))
                .map(|place| {
                    let at = place.checked_sub(first).filter(|at| at + 1 < n);
                    transition(at.map(|at| chain[at].step_up_mm), size)
                })
                .collect();
            let (log_evidence, run) = forward_backward(&weights, &steps);
            (log_evidence + libm::log(prior), run)
        })
        .collect();
    let top = runs.iter().map(|(log, _)| *log).fold(f64::NEG_INFINITY, f64::max);
    let mut sum = vec![[0.0; STATES]; n];
    for (log, run) in &runs {
        let weight = libm::exp(log - top);
        for at in 0..n {
            for state in 0..STATES {
                sum[at][state] += weight * run[at + first][state];
            }
        }
    }
    for row in &mut sum {
        normalise(row);
    }
    sum
}

/// Weight of each level from what was seen at one vertebra.
fn emission<'a>(
    link: Option<&Link>,
    anchors: impl Iterator<Item = &'a &'a Anchor>,
) -> [f64; STATES] {
    let mut weight = [1.0; STATES];
    for anchor in anchors {
        let target = usual_index(anchor.kind.level());
        let sure = anchor.confidence.get().clamp(0.01, 0.99);
        for (state, weight) in weight.iter_mut().enumerate() {
            let apart = match level_of(state) {
                // A variant is as far off as the neighbour that it stands beside.
                Some(Level::L6 | Level::T13) => 1 + (usual_index_of_state(state) - target).abs(),
                _ => (usual_index_of_state(state) - target).abs(),
            };
            *weight *= match apart {
                0 => sure,
                1 => 0.42 * (1.0 - sure),
                2 => 0.06 * (1.0 - sure),
                _ => 0.002 * (1.0 - sure),
            };
        }
    }
    if let Some(link) = link {
        for (state, weight) in weight.iter_mut().enumerate() {
            let section = level_of(state).map_or(SpineSection::Sacral, Level::section);
            let thoracic = section == SpineSection::Thoracic;
            *weight *= match link.ribs {
                Ribs::Present if !thoracic => RIB_ERROR,
                Ribs::Absent if thoracic => RIB_ERROR,
                _ => 1.0,
            };
            if link.section.is_some_and(|guess| guess != section) {
                *weight *= SECTION_ERROR;
            }
        }
    }
    weight
}

/// Place counted from S1 of a state, negative below S1; L6 and T13 stand with the level above them.
fn usual_index_of_state(state: usize) -> isize {
    match level_of(state) {
        None => state as isize - BELOW_S1_UP.len() as isize,
        Some(Level::L6) => usual_index(Level::L5),
        Some(Level::T13) => usual_index(Level::T12),
        Some(level) => usual_index(level),
    }
}

/// The levels that may follow one going up, with how likely each is.
fn next_up(state: usize) -> Vec<(usize, f64)> {
    let variants = |usual: Level, fewer: Level, more: Level, share: f64| {
        [(usual, 1.0 - 2.0 * share), (fewer, share), (more, share)]
            .into_iter()
            .filter_map(|(level, p)| Some((state_of(level)?, p)))
            .collect()
    };
    match level_of(state) {
        Some(Level::S1) => variants(Level::L5, Level::L4, Level::L6, LUMBAR_VARIANT),
        Some(Level::L1) => variants(Level::T12, Level::T11, Level::T13, THORACIC_VARIANT),
        _ if state + 1 < STATES => vec![(state + 1, 1.0)],
        _ => Vec::new(),
    }
}

/// How likely a level (row) is followed by another (column) at a measured distance; without a
/// distance it is the next one.
fn transition(step_mm: Option<f64>, size: f64) -> Vec<[f64; STATES]> {
    (0..STATES)
        .map(|state| {
            let mut row = [0.0; STATES];
            let Some(step) = step_mm else {
                for (next, p) in next_up(state) {
                    row[next] += p;
                }
                return row;
            };
            let density = |expected: f64| {
                let spread = libm::hypot(PLACING_MM, WITHIN_PATIENT * expected);
                let z = (step - expected) / spread;
                libm::exp(-0.5 * z * z) / spread
            };
            let usual = size * usual_step_mm(state);
            row[state] += FALSE_VERTEBRA * density(FALSE_STEP_SHARE * usual);
            let mut reached = vec![(state, 1.0, 0.0)];
            let none_missed = 1.0 - MISSED.iter().sum::<f64>() - FALSE_VERTEBRA;
            for p_missed in [none_missed, MISSED[0], MISSED[1]] {
                let mut further = Vec::new();
                for &(from, p, mm) in &reached {
                    let mm = mm + size * usual_step_mm(from);
                    for (next, q) in next_up(from) {
                        row[next] += p_missed * p * q * density(mm);
                        further.push((next, p * q, mm));
                    }
                }
                reached = further;
            }
            row
        })
        .collect()
}

/// Marginals of all places, and the logarithm of how likely the chain is at all.
fn forward_backward(
    weights: &[[f64; STATES]],
    steps: &[Vec<[f64; STATES]>],
) -> (f64, Vec<[f64; STATES]>) {
    let mut log_evidence = 0.0;
    let mut forward: Vec<[f64; STATES]> = Vec::with_capacity(weights.len());
    for (at, weight) in weights.iter().enumerate() {
        let mut row = *weight;
        if let (Some(before), Some(step)) =
            (at.checked_sub(1).and_then(|m| forward.get(m)), at.checked_sub(1).map(|m| &steps[m]))
        {
            for (state, value) in row.iter_mut().enumerate() {
                *value *= (0..STATES).map(|from| before[from] * step[from][state]).sum::<f64>();
            }
        }
        let total: f64 = row.iter().sum();
        log_evidence += libm::log(total.max(1e-300));
        normalise(&mut row);
        forward.push(row);
    }
    let mut backward = [1.0; STATES];
    for at in (0..forward.len()).rev() {
        for state in 0..STATES {
            forward[at][state] *= backward[state];
        }
        normalise(&mut forward[at]);
        if let Some(before) = at.checked_sub(1) {
            let mut row = [0.0; STATES];
            for (state, value) in row.iter_mut().enumerate() {
                *value = (0..STATES)
                    .map(|to| steps[before][state][to] * weights[at][to] * backward[to])
                    .sum();
            }
            normalise(&mut row);
            backward = row;
        }
    }
    (log_evidence, forward)
}

fn normalise(row: &mut [f64; STATES]) {
    let total: f64 = row.iter().sum();
    if total > 0.0 && total.is_finite() {
        for value in row {
            *value /= total;
        }
    } else {
        *row = [1.0 / STATES as f64; STATES];
    }
}

/// What limits the names.
fn problems(
    strong: &[&Anchor],
    all: &[&Anchor],
    agreement: &[bool],
    levels: &[Option<Level>],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if strong.is_empty() {
        let seen: Vec<String> = all
            .iter()
            .map(|a| format!("{} was looked for and is not sure ({})", a.kind.words(), a.evidence))
            .collect();
        problems.push(Problem::new(
            ProblemCode::NoLevelAnchor,
            Severity::Note,
            if seen.is_empty() {
                "nothing in view names the levels (sacrum, first or last rib, C2)".to_owned()
            } else {
                format!("nothing in view names the levels for sure: {}", seen.join("; "))
            },
        ));
        return problems;
    }
    for (pair, agrees) in strong.windows(2).zip(agreement) {
        if *agrees {
            continue;
        }
        let counted = pair[1].position - pair[0].position;
        let usual = usual_index(pair[1].kind.level()) - usual_index(pair[0].kind.level());
        problems.push(
            Problem::new(
                ProblemCode::LevelAnchorsDisagree,
                Severity::Warning,
                format!(
                    "from {} to {} {counted} steps were counted, {usual} are usual: a transitional vertebra (T11 or T13, L4 or L6, a stub or lumbar rib) or a vertebra missed or counted twice; no level is named here, the candidates are kept",
                    pair[0].kind.words(),
                    pair[1].kind.words(),
                ),
            )
            .with_number("counted_steps", counted as f64)
            .with_number("usual_steps", usual as f64),
        );
    }
    if let [anchor] = strong {
        problems.push(
            Problem::new(
                ProblemCode::SingleLevelAnchor,
                Severity::Warning,
                format!(
                    "{} alone names the levels ({}); with a transitional vertebra all names would shift by one, so the neighbours stay candidates",
                    anchor.kind.words(),
                    anchor.evidence
                ),
            )
            .with_number("anchor_confidence", anchor.confidence.get()),
        );
    }
    let unnamed = levels.iter().filter(|level| level.is_none()).count();
    if unnamed > 0 && agreement.iter().all(|agrees| *agrees) {
        problems.push(
            Problem::new(
                ProblemCode::LevelCountBroken,
                Severity::Warning,
                format!(
                    "{unnamed} of {} vertebrae are not named: between them and the anchor the count is not safe (a distance that may hold one or two, an unsure vertebra, metal or cement, or the border of neck and chest)",
                    levels.len()
                ),
            )
            .with_number("unnamed_vertebrae", unnamed as f64),
        );
    }
    problems
}

#[cfg(test)]
#[path = "levels_tests.rs"]
mod tests;
