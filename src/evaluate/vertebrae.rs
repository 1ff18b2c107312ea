//! Vertebrae found, missed and false; levels named right or wrong.
//!
//! # Method
//! Two counts stand side by side. `found` pairs centres one to one, as many pairs within 10 mm as
//! can be and of these the nearest, whatever their levels. `identified` is the identification
//! rate of `VerSe` (Sekuboyina 2021, doi:10.1016/j.media.2021.102166): a vertebra that carries the
//! right level lies within 20 mm, and no other true centre is nearer to it. `VerSe`'s own script
//! looks for a nearer centre only among levels that truth and result share; here all true
//! vertebrae count, which is never more lenient.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agreement::Pair;
use super::assignment::assign;
use super::bootstrap::{Estimate, Resampler, quantile};
use super::truth::TruthVertebra;
use crate::findings::schema::{MeasuredSize, VertebraRecord};
use crate::terms::Level;

/// A found vertebra belongs to a true one when their centres are at most this far apart.
pub const MATCH_MM: f64 = 10.0;
/// The limit of `VerSe`'s identification rate.
pub const IDENTIFIED_MM: f64 = 20.0;
/// A found vertebra near a body less than half in view is not counted as false.
pub const CUT_BODY_MM: f64 = 20.0;
/// Bodies with less than this share in view are not asked for.
pub const HALF_IN_VIEW: f64 = 0.5;
/// Cost of a pair that is too far apart: more than all near pairs together.
const FAR: f64 = 1e4;

/// How the vertebrae of one series compare with the truth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VertebraScore {
    /// True bodies at least half in view.
    pub expected: usize,
    /// Of these, found within 10 mm, one to one.
    pub found: usize,
    /// Vertebrae that match no true body and do not lie within 20 mm of a body less than half in
    /// view.
    pub false_vertebrae: usize,
    /// True bodies at least half in view whose level is known.
    pub with_level: usize,
    /// Of these, identified as `VerSe` counts: right level, within 20 mm, nearest.
    pub identified: usize,
    /// Matched vertebrae whose level is the true one.
    pub level_right: usize,
    /// Matched vertebrae whose level is another one.
    pub level_wrong: usize,
    /// Matched vertebrae without a level whose true level is known.
    pub level_not_named: usize,
    /// Matched vertebrae with a level whose true level is not known: nobody can judge it.
    pub level_not_judged: usize,
    /// Median distance of the matched bodies at least half in view, mm.
    pub median_error_mm: Option<f64>,
    /// Greatest distance of the same, mm.
    pub greatest_error_mm: Option<f64>,
    /// The matched pairs.
    pub matches: Vec<VertebraMatch>,
    /// True levels (or places in the list, from 1) that were missed.
    pub missed: Vec<String>,
}

/// A found vertebra with its true body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VertebraMatch {
    /// Id of the found vertebra.
    pub vertebra: String,
    /// Place of the true body in the truth, from 0.
    pub truth_index: usize,
    /// The true level, where known.
    pub level: Option<Level>,
    /// The level that was given.
    pub given_level: Option<Level>,
    /// Whether the body is at least half in view, so that it was asked for.
    pub asked: bool,
    /// Distance of the centres, mm.
    pub error_mm: f64,
}

/// Vertebrae of all scans together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VertebraSummary {
    /// Scans whose vertebrae are in the truth.
    pub scans: usize,
    /// Sums of [`VertebraScore`]: true bodies at least half in view.
    pub expected: usize,
    /// Found within 10 mm.
    pub found: usize,
    /// False vertebrae.
    pub false_vertebrae: usize,
    /// True bodies whose level is known.
    pub with_level: usize,
    /// Identified as `VerSe` counts.
    pub identified: usize,
    /// Matched with the right level.
    pub level_right: usize,
    /// Matched with a wrong level.
    pub level_wrong: usize,
    /// Matched without a level.
    pub level_not_named: usize,
    /// Matched with a level that nobody can judge.
    pub level_not_judged: usize,
    /// `found` over `expected`.
    pub found_rate: Estimate,
    /// `identified` over `with_level`, all vertebrae together.
    pub id_rate: Estimate,
    /// Mean of the identification rates of the scans, as `VerSe`'s tables.
    pub id_rate_mean_of_scans: Estimate,
    /// False vertebrae per scan that has a result.
    pub false_per_scan: Estimate,
    /// Median distance of the matched bodies, mm.
    pub median_error_mm: Estimate,
    /// Greatest distance of the matched bodies, mm.
    pub greatest_error_mm: Option<f64>,
}

/// Compares the vertebrae of one series with the true bodies.
pub fn score_vertebrae(found: &[VertebraRecord], truth: &[TruthVertebra]) -> VertebraScore {
    let asked = |t: usize| truth[t].fraction_in_view >= HALF_IN_VIEW;
    let distance =
        |f: usize, t: usize| found[f].body_centroid_lps_mm.distance(truth[t].centroid_lps_mm);
    let of_truth = pairs_within(found.len(), truth.len(), distance);
    let mut score = VertebraScore {
        expected: (0..truth.len()).filter(|&t| asked(t)).count(),
        with_level: (0..truth.len()).filter(|&t| asked(t) && truth[t].level.is_some()).count(),
        ..VertebraScore::default()
    };
    let mut matched = vec![false; found.len()];
    let mut errors = Vec::new();
    for (t, body) in truth.iter().enumerate() {
        let Some(f) = of_truth[t] else {
            if asked(t) {
                let name = body.level.map(|level| level.to_string());
                score.missed.push(name.unwrap_or_else(|| format!("#{}", t + 1)));
            }
            continue;
        };
        matched[f] = true;
        let given = found[f].level;
        match (given, body.level) {
            (Some(given), Some(level)) if given == level => score.level_right += 1,
            (Some(_), Some(_)) => score.level_wrong += 1,
            (None, Some(_)) => score.level_not_named += 1,
            (Some(_), None) => score.level_not_judged += 1,
            (None, None) => {}
        }
        if asked(t) {
            score.found += 1;
            errors.push(distance(f, t));
        }
        score.matches.push(VertebraMatch {
            vertebra: found[f].id.clone(),
            truth_index: t,
            level: body.level,
            given_level: given,
            asked: asked(t),
            error_mm: distance(f, t),
        });
    }
    let near_cut_body =
        |f: usize| (0..truth.len()).any(|t| !asked(t) && distance(f, t) <= CUT_BODY_MM);
    score.false_vertebrae = (0..found.len()).filter(|&f| !matched[f] && !near_cut_body(f)).count();
    score.identified =
        (0..truth.len()).filter(|&t| asked(t) && is_identified(t, found, truth, &distance)).count();
    errors.sort_by(f64::total_cmp);
    score.median_error_mm = quantile(&errors, 0.5);
    score.greatest_error_mm = errors.last().copied();
    score
}

/// Sizes of the matched bodies beside the true ones.
pub fn size_pairs(
    patient: usize,
    found: &[VertebraRecord],
    truth: &[TruthVertebra],
    score: &VertebraScore,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for matched in &score.matches {
        let body = found.iter().find(|body| body.id == matched.vertebra);
        let sizes = body.and_then(|body| body.sizes.as_ref());
        let measured: BTreeMap<&str, _> = sizes.iter().flat_map(|sizes| sizes.by_name()).collect();
        let expected = truth.get(matched.truth_index).map(|body| body.measurements.all());
        for (name, expected) in expected.into_iter().flatten() {
            if let Some(&Some(MeasuredSize { value: measured, .. })) = measured.get(name) {
                pairs.push(Pair { patient, feature: None, name: name.into(), expected, measured });
            }
        }
    }
    pairs
}

/// Whether a vertebra of the right level lies within 20 mm of true body `t`, which is the true
/// body nearest to it.
fn is_identified(
    t: usize,
    found: &[VertebraRecord],
    truth: &[TruthVertebra],
    distance: &impl Fn(usize, usize) -> f64,
) -> bool {
    truth[t].level.is_some()
        && (0..found.len()).any(|f| {
            let own = distance(f, t);
            found[f].level == truth[t].level
                && own <= IDENTIFIED_MM
                && (0..truth.len()).all(|other| distance(f, other) >= own)
        })
}

/// For each true body the found vertebra that is given to it within [`MATCH_MM`].
fn pairs_within(
    found: usize,
    truth: usize,
    distance: impl Fn(usize, usize) -> f64,
) -> Vec<Option<usize>> {
    let cost: Vec<Vec<f64>> = (0..truth)
        .map(|t| {
            (0..found)
                .map(|f| Some(distance(f, t)).filter(|d| *d <= MATCH_MM).unwrap_or(FAR))
                .collect()
        })
        .collect();
    assign(&cost)
        .into_iter()
        .enumerate()
        .map(|(t, given)| given.filter(|&f| cost[t][f] < FAR))
        .collect()
}

/// The vertebrae of one scan, with what the sums need to know of it.
pub struct ScoredScan<'a> {
    /// Its patient.
    pub patient: usize,
    /// Whether there is a result: without one it has no false vertebrae, and must not thin out
    /// those of the others.
    pub has_result: bool,
    /// Its vertebrae.
    pub score: &'a VertebraScore,
}

/// All scans together.
pub fn summarise(scans: &[ScoredScan<'_>], resampler: &Resampler) -> VertebraSummary {
    let scores: Vec<(usize, &VertebraScore)> =
        scans.iter().map(|scan| (scan.patient, scan.score)).collect();
    let mut with_result = vec![0_u64; resampler.patients()];
    for scan in scans {
        with_result[scan.patient] += u64::from(scan.has_result);
    }
    let sum = |count: fn(&VertebraScore) -> usize| -> usize {
        scores.iter().map(|(_, score)| count(score)).sum()
    };
    let by_patient = |count: fn(&VertebraScore) -> usize| {
        let mut counts = vec![0_u64; resampler.patients()];
        for (patient, score) in &scores {
            counts[*patient] += count(score) as u64;
        }
        counts
    };
    let ratio = |part, whole| resampler.ratio(&by_patient(part), &by_patient(whole));
    let errors: Vec<(usize, f64)> = scores
        .iter()
        .flat_map(|(patient, score)| {
            let asked = score.matches.iter().filter(|pair| pair.asked);
            asked.map(|pair| (*patient, pair.error_mm))
        })
        .collect();
    VertebraSummary {
        scans: scores.len(),
        expected: sum(|s| s.expected),
        found: sum(|s| s.found),
        false_vertebrae: sum(|s| s.false_vertebrae),
        with_level: sum(|s| s.with_level),
        identified: sum(|s| s.identified),
        level_right: sum(|s| s.level_right),
        level_wrong: sum(|s| s.level_wrong),
        level_not_named: sum(|s| s.level_not_named),
        level_not_judged: sum(|s| s.level_not_judged),
        found_rate: ratio(|s| s.found, |s| s.expected),
        id_rate: ratio(|s| s.identified, |s| s.with_level),
        id_rate_mean_of_scans: resampler.estimate(|times| {
            let (mut rates, mut scans) = (0.0, 0_u32);
            for (patient, score) in scores.iter().filter(|(_, score)| score.with_level > 0) {
                rates +=
                    f64::from(times[*patient]) * score.identified as f64 / score.with_level as f64;
                scans += times[*patient];
            }
            (scans > 0).then(|| rates / f64::from(scans))
        }),
        false_per_scan: resampler.ratio(&by_patient(|s| s.false_vertebrae), &with_result),
        median_error_mm: resampler.estimate(|times| {
            let mut drawn: Vec<f64> = errors
                .iter()
                .flat_map(|(patient, error)| std::iter::repeat_n(*error, times[*patient] as usize))
                .collect();
            drawn.sort_by(f64::total_cmp);
            quantile(&drawn, 0.5)
        }),
        greatest_error_mm: scores
            .iter()
            .filter_map(|(_, score)| score.greatest_error_mm)
            .max_by(f64::total_cmp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::testing::{body, vertebra};
    use crate::evaluate::truth::TrueSizes;
    use crate::findings::schema::BodySizesRecord;
    use proptest::prelude::*;

    #[test]
    fn found_false_missed_and_wrong_levels_are_told_apart() {
        let truth = [
            body(Some(Level::L1), 0.0, 1.0),
            body(Some(Level::L2), -35.0, 1.0),
            body(Some(Level::L3), -70.0, 1.0),
            body(Some(Level::L4), -105.0, 0.2),
        ];
        let found = [
            vertebra("a", Some(Level::L1), 2.0),
            vertebra("b", Some(Level::L3), -38.0),
            vertebra("c", None, 60.0),
            vertebra("d", None, -120.0),
        ];
        let score = score_vertebrae(&found, &truth);
        assert_eq!((score.expected, score.found, score.false_vertebrae), (3, 2, 1));
        assert_eq!((score.level_right, score.level_wrong, score.level_not_named), (1, 1, 0));
        assert_eq!((score.with_level, score.identified), (3, 1));
        assert_eq!(score.missed, ["L3"]);
        assert_eq!(score.median_error_mm, Some(2.5));
        assert_eq!(score.greatest_error_mm, Some(3.0));
    }

    #[test]
    fn no_level_is_counted_apart_from_a_wrong_one_and_is_not_identified() {
        let score =
            score_vertebrae(&[vertebra("a", None, 1.0)], &[body(Some(Level::L1), 0.0, 1.0)]);
        assert_eq!((score.level_not_named, score.level_wrong, score.identified), (1, 0, 0));
        let score =
            score_vertebrae(&[vertebra("a", Some(Level::L1), 1.0)], &[body(None, 0.0, 1.0)]);
        assert_eq!((score.level_not_judged, score.with_level), (1, 0));
    }

    #[test]
    fn a_body_is_matched_once_and_as_many_as_can_be() {
        // Nearest first would give the middle one to the first body and leave the second alone.
        let truth = [body(None, 0.0, 1.0), body(None, 14.0, 1.0)];
        let found = [vertebra("a", None, 6.0), vertebra("b", None, -9.0)];
        let score = score_vertebrae(&found, &truth);
        assert_eq!((score.found, score.false_vertebrae), (2, 0));
        let twice = [vertebra("a", None, 1.0), vertebra("b", None, -1.0)];
        let score = score_vertebrae(&twice, &truth[..1]);
        assert_eq!((score.found, score.false_vertebrae), (1, 1));
    }

    #[test]
    fn limits_themselves_count() {
        let truth = [body(Some(Level::L1), 0.0, 1.0)];
        let at = |z: f64| score_vertebrae(&[vertebra("a", Some(Level::L1), z)], &truth);
        assert_eq!((at(10.0).found, at(10.0_f64.next_up()).found), (1, 0));
        assert_eq!((at(20.0).identified, at(20.0_f64.next_up()).identified), (1, 0));
        let half = score_vertebrae(&[], &[body(None, 0.0, 0.5), body(None, 30.0, 0.499)]);
        assert_eq!(half.expected, 1);
    }

    #[test]
    fn sizes_are_paired_by_name_for_matched_bodies_only() {
        let size = |value| Some(MeasuredSize { value, error: 0.5 });
        let mut near = vertebra("a", None, 1.0);
        near.sizes = Some(BodySizesRecord {
            anterior_height_mm: size(25.0),
            middle_height_mm: size(24.0),
            posterior_height_mm: None,
            middle_depth_mm: None,
            middle_width_mm: size(40.0),
        });
        let far = VertebraRecord { sizes: near.sizes.clone(), ..vertebra("b", None, 40.0) };
        let mut truth = body(None, 0.0, 1.0);
        truth.measurements = TrueSizes {
            middle_height_mm: Some(22.5),
            posterior_height_mm: Some(23.0),
            middle_width_mm: Some(41.0),
            ..TrueSizes::default()
        };
        let (found, truth) = ([near, far], [truth]);
        let score = score_vertebrae(&found, &truth);
        let pairs = size_pairs(7, &found, &truth, &score);
        let seen: Vec<_> =
            pairs.iter().map(|p| (p.patient, p.name.as_str(), p.expected, p.measured)).collect();
        assert_eq!(seen, [(7, "middle_height_mm", 22.5, 24.0), (7, "middle_width_mm", 41.0, 40.0)]);
        assert!(pairs.iter().all(|pair| pair.feature.is_none()));
    }

    #[test]
    fn identified_needs_the_true_body_to_be_the_nearest() {
        let truth = [body(Some(Level::L1), 0.0, 1.0), body(Some(Level::L2), -25.0, 1.0)];
        let score = score_vertebrae(&[vertebra("a", Some(Level::L1), -15.0)], &truth);
        assert_eq!((score.identified, score.level_wrong), (0, 1));
    }

    #[test]
    fn no_truth_and_no_results_give_nothing_and_no_rate() {
        let resampler = Resampler::new(1, 0, 1);
        let one = |score| ScoredScan { patient: 0, has_result: true, score };
        let empty = score_vertebrae(&[], &[]);
        let summary = summarise(&[one(&empty)], &resampler);
        assert_eq!((summary.found_rate.value, summary.id_rate.value), (None, None));
        assert_eq!(summary.false_per_scan.value, Some(0.0));
        let nothing = score_vertebrae(&[], &[body(Some(Level::L1), 0.0, 1.0)]);
        let summary = summarise(&[one(&nothing)], &resampler);
        assert_eq!((summary.found_rate.value, summary.id_rate.value), (Some(0.0), Some(0.0)));
    }

    proptest! {
        /// Adding a vertebra never lowers what is found, and found is never more than either list.
        #[test]
        fn found_is_the_most_that_can_be_paired(
            truth in prop::collection::vec(-60.0_f64..60.0, 0..5),
            found in prop::collection::vec(-60.0_f64..60.0, 0..5),
        ) {
            fn most(t: &[f64], found: &[f64], used: u32) -> usize {
                let Some((first, rest)) = t.split_first() else { return 0 };
                let mut best = most(rest, found, used);
                for (n, z) in found.iter().enumerate() {
                    if used & (1 << n) == 0 && (z - first).abs() <= MATCH_MM {
                        best = best.max(1 + most(rest, found, used | (1 << n)));
                    }
                }
                best
            }
            let bodies: Vec<_> = truth.iter().map(|z| body(None, *z, 1.0)).collect();
            let vertebrae: Vec<_> = found.iter().map(|z| vertebra("v", None, *z)).collect();
            let score = score_vertebrae(&vertebrae, &bodies);
            prop_assert_eq!(score.found, most(&truth, &found, 0));
            prop_assert_eq!(score.false_vertebrae, found.len() - score.found);
        }
    }
}
