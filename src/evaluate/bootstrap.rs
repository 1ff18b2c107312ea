//! Intervals over patients: whole patients are drawn with replacement, because the lesions and
//! vertebrae of one patient are not independent.
//!
//! Percentile intervals (Efron 1979) at 95 %. Every replicate has a random stream of its own, so
//! that neither the number of threads nor the order of the work changes a bit.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Share of the replicates that lies below and above the interval.
const TAIL: f64 = 0.025;

/// How often each patient is drawn, for every replicate.
#[derive(Clone, Debug)]
pub struct Resampler {
    drawn: Vec<Vec<u32>>,
    once: Vec<u32>,
}

/// A number with its 95 % interval over patients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The value on the data as they are; `null` where it is not defined (nothing to count).
    pub value: Option<f64>,
    /// Lower end of the interval; `null` with fewer than two patients.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Replicates in which the value was defined; the interval rests on these.
    pub replicates: usize,
}

impl Resampler {
    /// `replicates` draws of `patients` patients each.
    pub fn new(patients: usize, replicates: usize, seed: u64) -> Self {
        // One patient can only be drawn as it is: no interval then.
        let replicates = if patients < 2 { 0 } else { replicates };
        let drawn = (0..replicates)
            .into_par_iter()
            .map(|replicate| {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(replicate as u64);
                let mut times = vec![0_u32; patients];
                for _ in 0..patients {
                    let at = (u128::from(random.next_u64()) * patients as u128) >> 64;
                    times[at as usize] += 1;
                }
                times
            })
            .collect();
        Self { drawn, once: vec![1; patients] }
    }

    /// Number of patients.
    pub fn patients(&self) -> usize {
        self.once.len()
    }

    /// The value of `statistic` and its interval. `statistic` is given how often each patient
    /// counts.
    pub fn estimate(&self, statistic: impl Fn(&[u32]) -> Option<f64> + Sync) -> Estimate {
        let value = statistic(&self.once);
        let mut values: Vec<f64> =
            self.drawn.par_iter().filter_map(|times| statistic(times)).collect();
        values.sort_by(f64::total_cmp);
        let known = value.is_some();
        Estimate {
            value,
            low: quantile(&values, TAIL).filter(|_| known),
            high: quantile(&values, 1.0 - TAIL).filter(|_| known),
            replicates: values.len(),
        }
    }

    /// Share `part` of `whole`, both counted for each patient.
    pub fn ratio(&self, part: &[u64], whole: &[u64]) -> Estimate {
        self.estimate(|times| {
            let sum = |counts: &[u64]| -> u64 {
                counts.iter().zip(times).map(|(count, times)| count * u64::from(*times)).sum()
            };
            let whole = sum(whole);
            (whole > 0).then(|| sum(part) as f64 / whole as f64)
        })
    }
}

/// Quantile `share` (0 to 1) of sorted values, linear between neighbours as in numpy.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_interval_with_any_number_of_threads() {
        let part: Vec<u64> = (0..40).map(|n| n % 3).collect();
        let whole = vec![3_u64; 40];
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Resampler::new(40, 500, 7).ratio(&part, &whole))
        };
        assert_eq!(run(1), run(4));
        assert_ne!(run(1), Resampler::new(40, 500, 8).ratio(&part, &whole));
    }

    #[test]
    fn the_interval_of_a_share_is_about_as_wide_as_theory_says() {
        // 200 patients with one lesion each, half of them found: standard error 0.035.
        let part: Vec<u64> = (0..200).map(|n| n % 2).collect();
        let estimate = Resampler::new(200, 2000, 1).ratio(&part, &vec![1; 200]);
        let width = estimate.high.unwrap() - estimate.low.unwrap();
        assert!((width - 2.0 * 1.96 * 0.0354).abs() < 0.015, "{width}");
        assert_eq!(estimate.value, Some(0.5));
    }

    #[test]
    fn one_patient_has_a_value_and_no_interval_and_nothing_counted_has_neither() {
        let one = Resampler::new(1, 100, 1).ratio(&[1], &[2]);
        assert_eq!((one.value, one.low, one.high, one.replicates), (Some(0.5), None, None, 0));
        let none = Resampler::new(3, 100, 1).ratio(&[0; 3], &[0; 3]);
        assert_eq!((none.value, none.low), (None, None));
    }

    #[test]
    fn quantiles_lie_between_neighbours_as_in_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.5), Some(3.0));
        assert_eq!(quantile(&sorted, 0.95), Some(4.0 + 4.0 * (0.95 * 3.0 - 2.0)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
