//! Ribs: bone that leaves the costovertebral place of a vertebra and runs on.
//!
//! # Method
//! Bone of the coarse grid beside the column is walked from seeds beside each vertebra (24 to 30
//! mm from the midline, between the middle of the body and the disc above), all at once, so that
//! each voxel goes to the vertebra that it hangs on by the shortest way. How far the walk gets from
//! its seeds tells a rib from a transverse process. What two neighbours claim of one shaft is settled
//! after that ([`shafts`]).

use super::bones::column::Column;
use super::coarse::Coarse;
use super::shafts::{self, Outer};
use crate::anatomy::levels::{Anchor, AnchorKind, Ribs};
use crate::geometry::{LocalPoint, LpsPoint};
use crate::kernels::{BitMask, nearest_owner};
use crate::units::Share;

/// Bone is walked from this far from the midline, mm: outside the body and the rib's head, where
/// neighbouring ribs are apart.
const FROM_MM: f64 = 24.0;
/// Seeds lie up to this far from the midline, mm.
const SEEDS_TO_MM: f64 = 32.0;
/// Bone further than this to the side, behind or ahead of the canal is not walked, mm.
const FARTHEST_MM: f64 = 110.0;
const BEHIND_MM: f64 = -75.0;
const AHEAD_MM: f64 = 60.0;
/// Ribs fall this far below the lowest vertebra, and rise this far above the highest, mm.
const BELOW_COLUMN_MM: f64 = 70.0;
const ABOVE_COLUMN_MM: f64 = 30.0;
/// Seeds lie between these places, in steps to the next vertebra from the centre up: a rib's head
/// lies at the upper half of its body or the disc above, never at the body below.
const SEED_LOW: f64 = -0.15;
const SEED_HIGH: f64 = 0.85;
/// Seeds lie this far ahead of and behind the canal's centre, mm.
const SEED_AHEAD_MM: f64 = 22.0;
const SEED_BEHIND_MM: f64 = -35.0;
/// A rib gets this far from its costovertebral place, mm; lumbar transverse processes, with the
/// facets that the walk meets, end 25 to 37 mm from it.
const LEAST_RIB_MM: f64 = 45.0;
/// Bone that gets less far is a transverse process, mm; between the two it may be a stub rib.
const MOST_PROCESS_MM: f64 = 38.0;
/// Both are less where vertebrae are smaller, in steps to the nearer neighbour: the transverse
/// processes of the upper chest and the neck are short, and first ribs curve forward early.
const LEAST_RIB_STEPS: f64 = 1.35;
const MOST_PROCESS_STEPS: f64 = 1.15;

/// Bone this far from the midline is a rib, too: lumbar transverse processes end up to 53 mm (1.5
/// steps) from it.
const LEAST_LATERAL_MM: f64 = 54.0;
const LEAST_LATERAL_STEPS: f64 = 1.8;
/// Sheets in which shafts are counted, mm: two coarse voxels.
const SHEET_MM: f64 = 4.0;
/// A last rib that is not this much longer than the least on both sides may be a stub or a transverse
/// process, mm.
const SURELY_LONGER_MM: f64 = 10.0;
/// An anchor that something speaks against is this much less sure: it weighs the candidates and names
/// nothing.
const DOUBTED: f64 = 0.6;
/// Least reach of a rib at the smallest vertebrae, mm.
const LEAST_SMALL_RIB_MM: f64 = 30.0;

/// What leaves one side of one vertebra.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Side {
    /// Distance of the farthest bone from the seeds, mm; 0 where there is none.
    pub reach_mm: f64,
    /// Distance of the farthest bone from the midline, mm.
    pub lateral_mm: f64,
    /// Distance to the nearer neighbour of the vertebra, mm.
    pub step_mm: f64,
    /// Whether the place where a rib would run is in view.
    pub in_view: bool,
    /// Whether its bone runs into that of the next vertebra up, and it is not told whether the two are one
    /// rib.
    pub contested: bool,
}

/// What leaves a side, told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A rib.
    Rib,
    /// A stub rib, a long transverse process, or a rib that the field cuts.
    Short,
    /// No rib.
    None,
    /// Not in view.
    OutOfView,
}

impl Side {
    /// Told from the reach.
    pub fn sight(&self) -> Sight {
        let least_rib = (LEAST_RIB_STEPS * self.step_mm).clamp(LEAST_SMALL_RIB_MM, LEAST_RIB_MM);
        let most_process =
            (MOST_PROCESS_STEPS * self.step_mm).clamp(0.8 * LEAST_SMALL_RIB_MM, MOST_PROCESS_MM);
        let far = self.lateral_mm >= LEAST_LATERAL_MM
            && self.lateral_mm >= LEAST_LATERAL_STEPS * self.step_mm;
        if self.reach_mm >= least_rib || far {
            Sight::Rib
        } else if !self.in_view {
            Sight::OutOfView
        } else if self.reach_mm > most_process {
            Sight::Short
        } else {
            Sight::None
        }
    }
}

/// The ribs of each vertebra, `[left, right]`.
pub struct FoundRibs {
    /// One for each vertebra from feet to head.
    pub sides: Vec<[Side; 2]>,
    /// Coarse voxels of ribs: offset, vertebra, whether left; only of sides that are ribs.
    pub voxels: Vec<(usize, usize, bool)>,
    /// Coarse voxels that hang on a vertebra and are no rib: transverse processes and what touches
    /// them.
    pub processes: Vec<usize>,
}

/// Walks the ribs. `bone` is on the coarse grid.
pub fn ribs(coarse: &Coarse, bone: &BitMask, column: &Column) -> FoundRibs {
    let heights = column.places.iter().map(|place| place.frame.origin.z());
    let (low, high) = heights
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), z| (low.min(z), high.max(z)));
    // Bone that may be walked, and where it lies against the canal.
    let near = bone.filter_map_offsets(|offset| {
        let point = coarse.place_at(offset);
        if point.z() < low - BELOW_COLUMN_MM || point.z() > high + ABOVE_COLUMN_MM {
            return None;
        }
        let local = column.beside_canal(point);
        let far = local.u.abs() < FROM_MM
            || local.u.abs() > FARTHEST_MM
            || local.v < BEHIND_MM
            || local.v > AHEAD_MM;
        let is_seed =
            local.u.abs() <= SEEDS_TO_MM && local.v > SEED_BEHIND_MM && local.v < SEED_AHEAD_MM;
        (!far).then(|| Near {
            offset,
            u_mm: local.u,
            seed: is_seed.then(|| vertebra_of(column, point)).flatten(),
        })
    });
    // The two sides are too far apart to touch.
    let (left, right) = rayon::join(
        || one_side(coarse, column, &near, true),
        || one_side(coarse, column, &near, false),
    );
    let sides: Vec<[Side; 2]> =
        left.sides.iter().zip(&right.sides).map(|(left, right)| [*left, *right]).collect();
    let (mut voxels, mut processes) = (Vec::new(), Vec::new());
    for (walked, is_left) in [(left.walked, true), (right.walked, false)] {
        for (offset, n) in walked {
            let side = &sides[n][usize::from(!is_left)];
            match side.sight() {
                Sight::Rib => voxels.push((offset, n, is_left)),
                _ if side.lateral_mm < LEAST_LATERAL_MM => processes.push(offset),
                _ => {}
            }
        }
    }
    FoundRibs { sides, voxels, processes }
}

/// A voxel of bone beside the column.
struct Near {
    offset: usize,
    /// To the left of the canal, mm.
    u_mm: f64,
    /// The vertebra whose rib would leave here.
    seed: Option<usize>,
}

/// What hangs on the vertebrae on one side.
struct OneSide {
    /// Offsets of coarse voxels, each with its vertebra.
    walked: Vec<(usize, usize)>,
    /// One for each vertebra.
    sides: Vec<Side>,
}

/// Walks the bone of one side.
fn one_side(coarse: &Coarse, column: &Column, near: &[Near], left: bool) -> OneSide {
    let mut domain = BitMask::empty(coarse.hu.size());
    let mut seeds: Vec<(usize, u16)> = Vec::new();
    // Sums of the places of each vertebra's seeds.
    let mut sums = vec![(0.0, 0.0, 0.0, 0.0); column.places.len()];
    for voxel in near.iter().filter(|voxel| (voxel.u_mm > 0.0) == left) {
        domain.insert(voxel.offset);
        if let Some(n) = voxel.seed
            && let Ok(owner) = u16::try_from(n)
        {
            seeds.push((voxel.offset, owner));
            let (p, sum) = (coarse.place_at(voxel.offset), &mut sums[n]);
            *sum = (sum.0 + p.x(), sum.1 + p.y(), sum.2 + p.z(), sum.3 + 1.0);
        }
    }
    let mut walked: Vec<(usize, usize)> = nearest_owner(&domain, &seeds, shafts::REACH)
        .into_iter()
        .map(|(offset, owner)| (offset, usize::from(owner)))
        .collect();
    let contested = settle_shafts(coarse, column, &mut walked);
    let mut sides: Vec<Side> = (0..column.places.len())
        .map(|n| {
            let below = n.checked_sub(1).map_or(f64::INFINITY, |m| column.places[m].step_mm);
            Side {
                reach_mm: 0.0,
                lateral_mm: 0.0,
                step_mm: column.places[n].step_mm.min(below),
                in_view: in_view(coarse, column, n, left),
                contested: contested.contains(&n),
            }
        })
        .collect();
    for &(offset, n) in &walked {
        let (x, y, z, count) = sums[n];
        let (p, side) = (coarse.place_at(offset), &mut sides[n]);
        let reach = p.distance(LpsPoint::new(x / count, y / count, z / count));
        side.reach_mm = side.reach_mm.max(reach);
        side.lateral_mm = side.lateral_mm.max(column.beside_canal(p).u.abs());
    }
    OneSide { walked, sides }
}

/// The vertebra whose rib would leave at this height.
fn vertebra_of(column: &Column, point: LpsPoint) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for (n, place) in column.places.iter().enumerate() {
        let s = place.frame.to_local(point).s / place.step_mm;
        if (SEED_LOW..SEED_HIGH).contains(&s) {
            let off = (s - 0.35).abs();
            if best.is_none_or(|(least, _)| off < least) {
                best = Some((off, n));
            }
        }
    }
    best.map(|(_, n)| n)
}

/// Settles the shafts of one side; returns the vertebrae whose bone is contested with the next one up.
fn settle_shafts(coarse: &Coarse, column: &Column, walked: &mut [(usize, usize)]) -> Vec<usize> {
    let mut outer: Vec<(Outer, usize)> = Vec::new();
    for (at, &(offset, vertebra)) in walked.iter().enumerate() {
        let u = column.beside_canal(coarse.place_at(offset)).u.abs();
        if u >= LEAST_LATERAL_MM {
            let sheet = libm::floor((u - LEAST_LATERAL_MM) / SHEET_MM) as i32;
            outer.push((Outer { offset, sheet, vertebra }, at));
        }
    }
    outer.sort_unstable_by_key(|(voxel, _)| voxel.offset);
    let (mut voxels, from): (Vec<Outer>, Vec<usize>) = outer.into_iter().unzip();
    let contested = shafts::settle(coarse.hu.size(), &mut voxels);
    for (voxel, at) in voxels.iter().zip(from) {
        walked[at].1 = voxel.vertebra;
    }
    contested
}

/// Whether the place where a rib would run is in view: outward and backward, and down as far as
/// the lower ribs fall on the way.
fn in_view(coarse: &Coarse, column: &Column, n: usize, left: bool) -> bool {
    let place = &column.places[n];
    let sign = if left { 1.0 } else { -1.0 };
    [(24.0, 0.75, 0.0), (40.0, 0.1, -14.0), (60.0, -0.3, -22.0), (62.0, -0.9, -22.0)].iter().all(
        |&(u, steps, v)| {
            let s: f64 = steps * place.step_mm;
            let local = LocalPoint { s, v: place.canal_v + v, u: sign * u };
            coarse
                .grid
                .nearest(place.frame.to_lps(local))
                .is_some_and(|at| coarse.hu.at(at.i, at.j, at.k) > -1500.0)
        },
    )
}

impl FoundRibs {
    /// Both sides of one vertebra together.
    pub fn at(&self, n: usize) -> Ribs {
        match self.sides[n].map(|side| side.sight()) {
            [Sight::Rib, Sight::Rib] => Ribs::Present,
            [Sight::None, Sight::None] => Ribs::Absent,
            _ => Ribs::Unknown,
        }
    }

    /// What the ribs of a vertebra say of its level: ribs count only within the run of neighbours
    /// with ribs; the hip bones, the skull or the shoulder beside a body are none.
    pub fn in_run(&self, n: usize) -> Ribs {
        match self.at(n) {
            Ribs::Present if !self.is_in_run(n) => Ribs::Unknown,
            ribs => ribs,
        }
    }

    /// Whether a vertebra is one of the run of neighbours with ribs.
    pub fn is_in_run(&self, n: usize) -> bool {
        self.run().is_some_and(|(low, high)| (low..=high).contains(&n))
    }

    /// The longest run of neighbours with ribs, as (lowest, highest).
    fn run(&self) -> Option<(usize, usize)> {
        let ribs: Vec<bool> = (0..self.sides.len()).map(|n| self.at(n) == Ribs::Present).collect();
        let run = crate::kernels::longest_run(&ribs);
        (run.len() >= LEAST_RUN).then(|| (run.start, run.end - 1))
    }

    /// First and last rib, where their ends are in view.
    pub fn anchors(&self) -> Vec<Anchor> {
        let Some((low, high)) = self.run() else { return Vec::new() };
        let mut anchors = Vec::new();
        if let Some((confidence, without)) = self.end(&mut (0..low).rev()) {
            // A last rib that is hardly longer than a stub may be one, and one whose bone runs into the
            // neighbour's may be the neighbour's: either would shift every name.
            let longer = LEAST_RIB_MM + SURELY_LONGER_MM;
            let stub = self.sides[low].iter().any(|side| side.reach_mm < longer);
            let sure = if stub || self.contested(low) { DOUBTED } else { 1.0 };
            let confidence = Share::new(confidence.get() * sure);
            anchors.push(Anchor {
                kind: AnchorKind::LastRib,
                position: low as isize,
                confidence,
                evidence: self.evidence(low, without),
            });
        }
        if let Some((confidence, without)) = self.end(&mut (high + 1..self.sides.len())) {
            // The shoulder hides the first ribs, and C7 may carry one: a single vertebra without
            // ribs above does not show where they begin.
            let hidden = if without < 2 || self.contested(high) { DOUBTED } else { 1.0 };
            let confidence = Share::new(confidence.get() * hidden);
            anchors.push(Anchor {
                kind: AnchorKind::FirstRib,
                position: high as isize,
                confidence,
                evidence: self.evidence(high, without),
            });
        }
        anchors
    }

    /// Whether the bone of a vertebra runs into that of a neighbour, and whose it is is not told.
    fn contested(&self, n: usize) -> bool {
        [n.checked_sub(1), Some(n)].into_iter().flatten().any(|lower| {
            self.sides.get(lower).is_some_and(|pair| pair.iter().any(|side| side.contested))
        })
    }

    /// How sure it is that the ribs end at a vertebra, with the number of vertebrae beyond that
    /// surely have none; `None` where nothing beyond is in view.
    fn end(&self, beyond: &mut dyn Iterator<Item = usize>) -> Option<(Share, usize)> {
        let next: Vec<[Sight; 2]> =
            beyond.take(2).map(|n| self.sides[n].map(|side| side.sight())).collect();
        let first = next.first()?;
        // A rib or stub at the next vertebra, or a side out of view: it may carry the last rib.
        let clear = |sights: &[Sight; 2]| sights.iter().filter(|s| **s == Sight::None).count();
        let mut confidence: f64 = [0.2, 0.4, 0.85][clear(first)];
        if first.contains(&Sight::Rib) {
            confidence = 0.2;
        }
        let without = next.iter().take_while(|sights| clear(sights) == 2).count();
        match next.get(1) {
            Some(second) if clear(second) == 2 => {}
            Some(second) if second.contains(&Sight::Rib) => confidence *= 0.4,
            _ => confidence *= 0.8,
        }
        Some((Share::new(confidence), without))
    }

    fn evidence(&self, at: usize, without: usize) -> String {
        let [left, right] = self.sides[at].map(|side| side.reach_mm);
        format!(
            "bone runs on for {left:.0} mm on the left and {right:.0} mm on the right, and from none of the next {without} vertebrae"
        )
    }
}

/// Neighbours with ribs that are needed before the end of the ribs means anything.
const LEAST_RUN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::levels::LEAST_ANCHOR;
    use proptest::prelude::*;

    fn side(reach_mm: f64) -> Side {
        let lateral_mm = FROM_MM + reach_mm;
        Side { reach_mm, lateral_mm, step_mm: 26.0, in_view: true, contested: false }
    }

    /// L3 to T9 with the ribs of T12 up, 90 mm long.
    fn abdomen() -> FoundRibs {
        let sides = (0..7).map(|n| [side(if n < 3 { 24.0 } else { 90.0 }); 2]).collect();
        FoundRibs { sides, voxels: Vec::new(), processes: Vec::new() }
    }

    /// Where the last rib is, if it is sure enough to name levels.
    fn naming(found: &FoundRibs) -> Option<isize> {
        let named = |anchor: &Anchor| {
            anchor.kind == AnchorKind::LastRib && anchor.confidence.get() >= LEAST_ANCHOR
        };
        found.anchors().iter().find(|anchor| named(anchor)).map(|anchor| anchor.position)
    }

    #[test]
    fn ribs_that_end_over_two_vertebrae_without_any_name_the_last() {
        assert_eq!(naming(&abdomen()), Some(3));
    }

    #[test]
    fn a_last_rib_that_is_hardly_longer_than_a_process_on_one_side_names_nothing() {
        let mut found = abdomen();
        found.sides[2] = [side(45.3), side(88.6)];
        assert_eq!(found.at(2), Ribs::Present);
        assert_eq!(naming(&found), None);
        assert!(found.anchors().iter().any(|anchor| anchor.position == 2), "it weighs candidates");
    }

    #[test]
    fn a_last_rib_that_runs_into_a_neighbours_names_nothing() {
        for lower in [2, 3] {
            let mut found = abdomen();
            found.sides[lower][1].contested = true;
            assert_eq!(naming(&found), None, "between {lower} and the next up");
        }
        let mut elsewhere = abdomen();
        elsewhere.sides[5][1].contested = true;
        assert_eq!(naming(&elsewhere), Some(3));
    }

    proptest! {
        #[test]
        fn a_last_rib_that_names_is_long_on_both_sides_and_clear_below(
            reaches in proptest::collection::vec((0.0..110.0f64, 0.0..110.0f64), 2..12),
        ) {
            let sides = reaches.iter().map(|&(left, right)| [side(left), side(right)]).collect();
            let found = FoundRibs { sides, voxels: Vec::new(), processes: Vec::new() };
            if let Some(at) = naming(&found) {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                prop_assert!(reaches[at].0.min(reaches[at].1) >= LEAST_RIB_MM + SURELY_LONGER_MM);
                prop_assert_eq!(found.at(at - 1), Ribs::Absent);
            }
        }
    }
}
