//! ROC over vertebrae and over patients.
//!
//! The area is the share of pairs (one with a lesion, one without) that the score orders rightly,
//! ties counted half (Hanley and `McNeil` 1982), from whole numbers.
//!
//! A unit that was not answered may not gain by that: in the headline area a declined unit with a
//! lesion ranks as low as one called absent, and a declined unit without a lesion ranks above
//! everything. The usual readings stand beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Estimate, Resampler};

/// What was said of a vertebra or patient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// Present, with the highest score of its findings.
    Present(f64),
    /// Absent.
    Absent,
    /// Indeterminate, not assessed or not found, with the highest score of its indeterminate
    /// findings.
    Declined(Option<f64>),
}

/// A vertebra or patient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// Patient it belongs to.
    pub patient: usize,
    /// Whether the truth has a lesion there.
    pub positive: bool,
    /// What was said.
    pub answer: Answer,
}

/// One limit of the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RocPoint {
    /// Share of the units without a lesion at or above the limit.
    pub false_positive_rate: f64,
    /// Share of the units with a lesion at or above the limit.
    pub true_positive_rate: f64,
}

/// A curve with its areas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roc {
    /// Units with a lesion.
    pub positives: usize,
    /// Units without.
    pub negatives: usize,
    /// Units with a lesion that were not answered (indeterminate, not assessed, not found).
    pub declined_positives: usize,
    /// Units without a lesion that were not answered.
    pub declined_negatives: usize,
    /// Area with every unanswered unit counted against the program.
    pub auc: Estimate,
    /// Area with unanswered units taken for absent.
    pub auc_declined_as_absent: Estimate,
    /// Area with the scores of indeterminate findings; what is left unanswered is taken for absent.
    pub auc_with_indeterminate: Estimate,
    /// Area over the answered units alone.
    pub auc_answered_only: Estimate,
    /// The curve of `auc`, from the highest limit down; empty without both kinds of unit.
    pub points: Vec<RocPoint>,
}

/// How an unanswered unit is counted.
#[derive(Clone, Copy, PartialEq)]
enum Declined {
    Against,
    Absent,
    Scored,
    LeftOut,
}

/// Ranks below every score, which lie within 0 to 1, and above.
const LOWEST: f64 = -1.0;
const HIGHEST: f64 = 2.0;

/// Rank, patient and truth, from the highest rank down.
fn ranked(units: &[Unit], declined: Declined) -> Vec<(f64, usize, bool)> {
    let mut ranked: Vec<(f64, usize, bool)> = units
        .iter()
        .filter_map(|unit| {
            let rank = match (unit.answer, declined) {
                (Answer::Present(score), _) | (Answer::Declined(Some(score)), Declined::Scored) => {
                    score
                }
                (Answer::Absent, _)
                | (Answer::Declined(_), Declined::Absent | Declined::Scored) => LOWEST,
                (Answer::Declined(_), Declined::Against) if unit.positive => LOWEST,
                (Answer::Declined(_), Declined::Against) => HIGHEST,
                (Answer::Declined(_), Declined::LeftOut) => return None,
            };
            Some((rank, unit.patient, unit.positive))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked
}

/// Area and points when each patient counts `times`; `None` without both kinds of unit.
fn curve(ranked: &[(f64, usize, bool)], times: &[u32]) -> Option<(f64, Vec<RocPoint>)> {
    let weight = |patient: usize| u64::from(times[patient]);
    let (mut positives, mut negatives) = (0_u64, 0_u64);
    let mut twice_ordered = 0_u128;
    let mut counts = Vec::new();
    let (mut tied_positives, mut tied_negatives) = (0_u64, 0_u64);
    for (n, &(rank, patient, positive)) in ranked.iter().enumerate() {
        if positive {
            tied_positives += weight(patient);
        } else {
            tied_negatives += weight(patient);
        }
        if ranked.get(n + 1).is_none_or(|next| next.0 != rank) {
            // Every negative of this rank lies below the positives so far and ties with its own.
            twice_ordered += u128::from(tied_negatives)
                * (2 * u128::from(positives) + u128::from(tied_positives));
            positives += tied_positives;
            negatives += tied_negatives;
            (tied_positives, tied_negatives) = (0, 0);
            counts.push((positives, negatives));
        }
    }
    if positives == 0 || negatives == 0 {
        return None;
    }
    let area = twice_ordered as f64 / (2.0 * positives as f64 * negatives as f64);
    let points = std::iter::once((0, 0))
        .chain(counts)
        .map(|(p, n)| RocPoint {
            false_positive_rate: n as f64 / negatives as f64,
            true_positive_rate: p as f64 / positives as f64,
        })
        .collect();
    Some((area, points))
}

/// The curve of `units` with intervals over patients.
pub fn roc(units: &[Unit], resampler: &Resampler) -> Roc {
    let area = |declined| {
        let ranked = ranked(units, declined);
        resampler.estimate(|times| curve(&ranked, times).map(|(area, _)| area))
    };
    let count = |positive: bool, declined: bool| {
        let is_declined = |unit: &&Unit| matches!(unit.answer, Answer::Declined(_));
        units
            .iter()
            .filter(|unit| unit.positive == positive)
            .filter(|unit| !declined || is_declined(unit))
            .count()
    };
    let once = vec![1; resampler.patients()];
    Roc {
        positives: count(true, false),
        negatives: count(false, false),
        declined_positives: count(true, true),
        declined_negatives: count(false, true),
        auc: area(Declined::Against),
        auc_declined_as_absent: area(Declined::Absent),
        auc_with_indeterminate: area(Declined::Scored),
        auc_answered_only: area(Declined::LeftOut),
        points: curve(&ranked(units, Declined::Against), &once)
            .map_or_else(Vec::new, |(_, points)| points),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(positive: bool, answer: Answer) -> Unit {
        Unit { patient: 0, positive, answer }
    }

    fn plain(units: &[Unit]) -> Roc {
        roc(units, &Resampler::new(1, 0, 1))
    }

    #[test]
    fn declining_never_raises_the_area() {
        let answers = [Answer::Present(0.9), Answer::Present(0.2), Answer::Absent];
        let mut all = Vec::new();
        for positive in [true, false] {
            all.extend(answers.map(|answer| unit(positive, answer)));
        }
        let before = plain(&all).auc.value.unwrap();
        for n in 0..all.len() {
            let mut declined = all.clone();
            declined[n].answer = Answer::Declined(Some(0.99));
            assert!(plain(&declined).auc.value.unwrap() <= before, "unit {n}");
        }
    }

    #[test]
    fn with_one_kind_of_unit_there_is_no_area() {
        assert_eq!(plain(&[unit(true, Answer::Present(0.5))]).auc.value, None);
        assert_eq!(plain(&[]).auc.value, None);
        assert!(plain(&[unit(false, Answer::Absent)]).points.is_empty());
    }

    #[test]
    fn all_tied_is_one_half() {
        let units = [unit(true, Answer::Absent), unit(false, Answer::Absent)];
        assert_eq!(plain(&units).auc.value, Some(0.5));
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(
            given in prop::collection::vec((any::<bool>(), 0_u32..5, 0_usize..4), 2..40),
            times in prop::collection::vec(0_u32..3, 4)
        ) {
            let units: Vec<Unit> = given
                .iter()
                .map(|&(positive, score, patient)| Unit {
                    patient, positive, answer: Answer::Present(f64::from(score) / 4.0),
                })
                .collect();
            let (mut sum, mut pairs) = (0.0, 0.0);
            for a in given.iter().filter(|unit| unit.0) {
                for b in given.iter().filter(|unit| !unit.0) {
                    let weight = f64::from(times[a.2] * times[b.2]);
                    pairs += weight;
                    sum += weight * match a.1.cmp(&b.1) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            let ours = curve(&ranked(&units, Declined::Against), &times).map(|(area, _)| area);
            if let Some(area) = ours {
                prop_assert!((area - sum / pairs).abs() < 1e-9);
            } else {
                prop_assert_eq!(pairs, 0.0);
            }
        }

        #[test]
        fn the_area_is_the_one_under_the_points(
            given in prop::collection::vec((any::<bool>(), 0_u32..5), 2..40)
        ) {
            let units: Vec<Unit> = given
                .iter()
                .map(|&(positive, score)| unit(positive, Answer::Present(f64::from(score) / 4.0)))
                .collect();
            let curve = plain(&units);
            let under: f64 = curve
                .points
                .windows(2)
                .map(|p| {
                    (p[1].false_positive_rate - p[0].false_positive_rate)
                        * (p[0].true_positive_rate + p[1].true_positive_rate) / 2.0
                })
                .sum();
            if let Some(area) = curve.auc.value {
                prop_assert!((area - under).abs() < 1e-9);
            }
        }
    }
}
