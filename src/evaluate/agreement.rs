//! Agreement of measurements: bias and limits of agreement (Bland and Altman 1986).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Estimate, Resampler};
use crate::terms::FeatureId;

/// A measurement beside its truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Patient.
    pub patient: usize,
    /// Feature that measured; `None` for the size of a vertebra.
    pub feature: Option<FeatureId>,
    /// Name of the measurement.
    pub name: String,
    /// What is true.
    pub expected: f64,
    /// What was measured.
    pub measured: f64,
}

/// How one measurement agrees with the truth. Differences are measured minus true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Feature that measured; `null` for the size of a vertebra.
    pub feature: Option<FeatureId>,
    /// Name of the measurement, with its unit.
    pub name: String,
    /// Pairs.
    pub pairs: usize,
    /// Mean difference.
    pub bias: Estimate,
    /// Standard deviation of the differences (n - 1).
    pub standard_deviation: Option<f64>,
    /// Bias less 1.96 standard deviations.
    pub lower_limit: Estimate,
    /// Bias plus 1.96 standard deviations.
    pub upper_limit: Estimate,
    /// Mean size of the difference.
    pub mean_absolute_difference: Estimate,
}

/// Agreement of each measurement, by feature and name. Only what was measured can agree: pairs
/// exist for lesions that were hit and bodies that were found, the rest are misses in the
/// sensitivity.
pub fn agreement(pairs: &[Pair], resampler: &Resampler) -> Vec<Agreement> {
    let mut names: Vec<(Option<FeatureId>, &str)> =
        pairs.iter().map(|pair| (pair.feature, pair.name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|(feature, name)| {
            let of_name: Vec<(usize, f64)> = pairs
                .iter()
                .filter(|pair| pair.feature == feature && pair.name == name)
                .map(|pair| (pair.patient, pair.measured - pair.expected))
                .collect();
            let limit = |side: f64| {
                let of_name = &of_name;
                resampler.estimate(move |times| {
                    let (mean, deviation) = mean_and_deviation(of_name, times)?;
                    Some(mean + side * 1.96 * deviation?)
                })
            };
            let once = vec![1; resampler.patients()];
            Agreement {
                feature,
                name: name.to_owned(),
                pairs: of_name.len(),
                bias: resampler.estimate(|times| Some(mean_and_deviation(&of_name, times)?.0)),
                standard_deviation: mean_and_deviation(&of_name, &once).and_then(|(_, sd)| sd),
                lower_limit: limit(-1.0),
                upper_limit: limit(1.0),
                mean_absolute_difference: resampler.estimate(|times| {
                    let sizes: Vec<(usize, f64)> =
                        of_name.iter().map(|&(patient, value)| (patient, value.abs())).collect();
                    Some(mean_and_deviation(&sizes, times)?.0)
                }),
            }
        })
        .collect()
}

/// Mean and, from two values on, standard deviation when each patient counts `times`.
fn mean_and_deviation(values: &[(usize, f64)], times: &[u32]) -> Option<(f64, Option<f64>)> {
    let count: u64 = values.iter().map(|&(patient, _)| u64::from(times[patient])).sum();
    if count == 0 {
        return None;
    }
    let weighted = |value: &dyn Fn(f64) -> f64| -> f64 {
        values.iter().map(|&(patient, v)| f64::from(times[patient]) * value(v)).sum()
    };
    let mean = weighted(&|v| v) / count as f64;
    let squares = weighted(&|v| (v - mean) * (v - mean));
    Some((mean, (count > 1).then(|| (squares / (count - 1) as f64).sqrt())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(expected: f64, measured: f64) -> Pair {
        Pair {
            patient: 0,
            feature: Some(FeatureId::ScleroticDensity),
            name: "volume_mm3".into(),
            expected,
            measured,
        }
    }

    #[test]
    fn bias_and_limits_are_those_of_a_worked_example() {
        // Differences 1, 2, 3: mean 2, standard deviation 1.
        let pairs = [pair(10.0, 11.0), pair(10.0, 12.0), pair(0.0, 3.0)];
        let one = agreement(&pairs, &Resampler::new(1, 0, 1)).remove(0);
        assert_eq!((one.pairs, one.bias.value, one.standard_deviation), (3, Some(2.0), Some(1.0)));
        assert!((one.lower_limit.value.unwrap() - 0.04).abs() < 1e-12);
        assert!((one.upper_limit.value.unwrap() - 3.96).abs() < 1e-12);
    }

    #[test]
    fn one_pair_has_a_bias_and_no_limits_and_none_gives_no_row() {
        let one = agreement(&[pair(10.0, 7.0)], &Resampler::new(1, 0, 1)).remove(0);
        assert_eq!((one.bias.value, one.lower_limit.value), (Some(-3.0), None));
        assert!(agreement(&[], &Resampler::new(1, 0, 1)).is_empty());
    }
}
