//! Free-response ROC: sensitivity against false findings per scan as the score's limit goes down.
//!
//! # Method
//! A point for each distinct score: all findings of one score enter together, so the order of
//! ties cannot matter. Sensitivity at a rate of false findings is read in two ways: `interpolated`
//! linearly between points, as the LUNA16 challenge does (Setio 2017, doi:10.1016/j.media.2017.06.015),
//! and `reachable`, the most that a real limit gives at no more than that rate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Estimate, Resampler};

/// The rates at which sensitivity is read; its mean over them is LUNA16's score.
pub const RATES: [f64; 7] = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// What a curve is made of.
#[derive(Clone, Debug, Default)]
pub struct FrocData {
    /// Scans of each patient.
    pub scans: Vec<u64>,
    /// Patient of every true lesion, with the score of the finding that hit it.
    pub lesions: Vec<(usize, Option<f64>)>,
    /// Patient and score of every false finding.
    pub false_findings: Vec<(usize, f64)>,
}

/// One limit of the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrocPoint {
    /// Findings of at least this score are counted; `null` for the start of the curve, where
    /// nothing is.
    pub score: Option<f64>,
    /// False findings per scan.
    pub false_per_scan: f64,
    /// Lesions found over lesions.
    pub sensitivity: f64,
}

/// Sensitivity at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensitivityAt {
    /// False findings per scan.
    pub false_per_scan: f64,
    /// Linear between the points of the curve, as LUNA16.
    pub interpolated: Estimate,
    /// Of the last real limit with no more false findings than that.
    pub reachable: Option<f64>,
}

/// A curve with what is read from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Froc {
    /// Scans.
    pub scans: u64,
    /// True lesions.
    pub lesions: usize,
    /// False findings at the lowest limit.
    pub false_findings: usize,
    /// The curve, from the highest limit down; empty without scans or without lesions.
    pub points: Vec<FrocPoint>,
    /// Sensitivity at 1/8 to 8 false findings per scan.
    pub at: Vec<SensitivityAt>,
    /// Mean of the seven interpolated sensitivities (LUNA16's score).
    pub mean_sensitivity: Estimate,
}

/// Findings in the order in which a falling limit takes them in.
struct Events {
    /// Score, patient, and whether it hits a lesion.
    sorted: Vec<(f64, usize, bool)>,
    lesions: Vec<u64>,
    scans: Vec<u64>,
}

impl Events {
    fn new(data: &FrocData) -> Self {
        let mut lesions = vec![0; data.scans.len()];
        let mut sorted = Vec::with_capacity(data.lesions.len() + data.false_findings.len());
        for &(patient, score) in &data.lesions {
            lesions[patient] += 1;
            sorted.extend(score.map(|score| (score, patient, true)));
        }
        sorted.extend(data.false_findings.iter().map(|&(patient, score)| (score, patient, false)));
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self { sorted, lesions, scans: data.scans.clone() }
    }

    /// The curve when each patient counts `times`; `None` without scans or lesions.
    fn curve(&self, times: &[u32]) -> Option<Vec<FrocPoint>> {
        let sum = |counts: &[u64]| -> u64 {
            counts.iter().zip(times).map(|(count, times)| count * u64::from(*times)).sum()
        };
        let (lesions, scans) = (sum(&self.lesions), sum(&self.scans));
        if lesions == 0 || scans == 0 {
            return None;
        }
        let mut points = vec![FrocPoint { score: None, false_per_scan: 0.0, sensitivity: 0.0 }];
        let (mut hits, mut misses) = (0_u64, 0_u64);
        for (n, &(score, patient, hit)) in self.sorted.iter().enumerate() {
            let times = u64::from(times[patient]);
            if hit {
                hits += times;
            } else {
                misses += times;
            }
            if self.sorted.get(n + 1).is_none_or(|next| next.0 != score) {
                points.push(FrocPoint {
                    score: Some(score),
                    false_per_scan: misses as f64 / scans as f64,
                    sensitivity: hits as f64 / lesions as f64,
                });
            }
        }
        Some(points)
    }
}

/// The curve of `data` with intervals over patients.
pub fn froc(data: &FrocData, resampler: &Resampler) -> Froc {
    let events = Events::new(data);
    let at = RATES
        .iter()
        .map(|&rate| SensitivityAt {
            false_per_scan: rate,
            interpolated: resampler
                .estimate(|times| events.curve(times).map(|curve| interpolated(&curve, rate))),
            reachable: events
                .curve(&vec![1; data.scans.len()])
                .map(|curve| reachable(&curve, rate)),
        })
        .collect();
    Froc {
        scans: data.scans.iter().sum(),
        lesions: data.lesions.len(),
        false_findings: data.false_findings.len(),
        points: events.curve(&vec![1; data.scans.len()]).unwrap_or_default(),
        at,
        mean_sensitivity: resampler.estimate(|times| {
            let curve = events.curve(times)?;
            let sum: f64 = RATES.iter().map(|&rate| interpolated(&curve, rate)).sum();
            Some(sum / RATES.len() as f64)
        }),
    }
}

/// Linear between the last point at or below `rate` and the next; past its end the curve stays
/// where it is.
fn interpolated(curve: &[FrocPoint], rate: f64) -> f64 {
    let next = curve.partition_point(|point| point.false_per_scan <= rate);
    let Some(left) = next.checked_sub(1).and_then(|n| curve.get(n)) else { return 0.0 };
    let Some(right) = curve.get(next) else { return left.sensitivity };
    left.sensitivity
        + (right.sensitivity - left.sensitivity) * (rate - left.false_per_scan)
            / (right.false_per_scan - left.false_per_scan)
}

fn reachable(curve: &[FrocPoint], rate: f64) -> f64 {
    let next = curve.partition_point(|point| point.false_per_scan <= rate);
    next.checked_sub(1).and_then(|n| curve.get(n)).map_or(0.0, |point| point.sensitivity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(data: &FrocData) -> Froc {
        froc(data, &Resampler::new(data.scans.len(), 0, 1))
    }

    #[test]
    fn findings_of_one_score_enter_together_whatever_their_order() {
        let data = |flip: bool| {
            let mut lesions = vec![(0, Some(0.5)), (0, Some(0.9)), (1, None)];
            if flip {
                lesions.reverse();
            }
            FrocData { scans: vec![1, 1], lesions, false_findings: vec![(0, 0.5), (1, 0.5)] }
        };
        let one = plain(&data(false));
        assert_eq!(one, plain(&data(true)));
        assert_eq!(one.points.len(), 3);
        assert_eq!((one.points[2].false_per_scan, one.points[2].sensitivity), (1.0, 2.0 / 3.0));
        // Half way between (0, 1/3) and (1, 2/3); the only real limit at that rate finds one.
        assert!((one.at[2].interpolated.value.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(one.at[2].reachable, Some(1.0 / 3.0));
    }

    #[test]
    fn no_findings_at_all_is_a_sensitivity_of_zero_and_no_lesions_is_none() {
        let none_found =
            plain(&FrocData { scans: vec![1], lesions: vec![(0, None)], false_findings: vec![] });
        assert_eq!(none_found.mean_sensitivity.value, Some(0.0));
        assert_eq!(none_found.points.len(), 1);
        let no_lesions =
            plain(&FrocData { scans: vec![2], lesions: vec![], false_findings: vec![(0, 0.3)] });
        assert_eq!(no_lesions.mean_sensitivity.value, None);
        assert_eq!((no_lesions.false_findings, no_lesions.points.len()), (1, 0));
        assert!(plain(&FrocData::default()).points.is_empty());
    }

    #[test]
    fn a_rate_that_is_met_exactly_counts() {
        let data = FrocData {
            scans: vec![8],
            lesions: vec![(0, Some(0.2)), (0, Some(0.8))],
            false_findings: vec![(0, 0.2)],
        };
        let curve = plain(&data);
        assert_eq!(curve.at[0].reachable, Some(1.0), "one false finding in eight scans is 1/8");
        assert_eq!(curve.at[0].interpolated.value, Some(1.0));
    }

    proptest! {
        /// The definition, written down plainly: count at every limit, interpolate as
        /// `numpy.interp` does.
        #[test]
        fn agrees_with_counting_at_every_limit(
            hits in prop::collection::vec((0_usize..5, prop::option::of(0_u32..6)), 1..30),
            misses in prop::collection::vec((0_usize..5, 0_u32..6), 0..30),
        ) {
            let score = |n: u32| f64::from(n) / 7.0;
            let data = FrocData {
                scans: vec![1, 2, 1, 1, 3],
                lesions: hits.iter().map(|&(p, s)| (p, s.map(score))).collect(),
                false_findings: misses.iter().map(|&(p, s)| (p, score(s))).collect(),
            };
            let ours = plain(&data);
            let mut curve = vec![(0.0, 0.0)];
            for limit in (0..6).rev().map(score) {
                let found = hits.iter().filter(|(_, s)| s.is_some_and(|s| score(s) >= limit)).count();
                let wrong = misses.iter().filter(|&&(_, s)| score(s) >= limit).count();
                curve.push((wrong as f64 / 8.0, found as f64 / hits.len() as f64));
            }
            let mut sum = 0.0;
            for (n, rate) in RATES.iter().enumerate() {
                let at = curve.iter().rposition(|point| point.0 <= *rate).unwrap();
                let value = curve.get(at + 1).map_or(curve[at].1, |next| {
                    let share = (rate - curve[at].0) / (next.0 - curve[at].0);
                    curve[at].1 * (1.0 - share) + next.1 * share
                });
                prop_assert!((ours.at[n].interpolated.value.unwrap() - value).abs() < 1e-9);
                sum += value;
            }
            prop_assert!((ours.mean_sensitivity.value.unwrap() - sum / 7.0).abs() < 1e-9);
        }
    }
}
