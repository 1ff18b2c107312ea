//! Medians, percentiles and robust spreads, in a fixed order of operations.

/// Factor that makes the median absolute deviation a standard deviation for normal data.
pub(super) const MAD_TO_SD: f64 = 1.4826;

/// Value below which `share` (0..=1) of the values lie, linear between neighbours; `None` for no
/// values. Sorts `values`; they must not hold NaN.
pub(super) fn percentile(values: &mut [f32], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    values.sort_unstable_by(f32::total_cmp);
    let at = share.clamp(0.0, 1.0) * last as f64;
    let low = libm::floor(at) as usize;
    let high = (low + 1).min(last);
    let fraction = at - low as f64;
    Some(f64::from(values[low]) * (1.0 - fraction) + f64::from(values[high]) * fraction)
}

/// Median; `None` for no values. Sorts `values`.
pub(super) fn median(values: &mut [f32]) -> Option<f64> {
    percentile(values, 0.5)
}

/// Median of a few `f64`; `None` for no values.
pub(super) fn median_of(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    Some(0.5 * (sorted[last / 2] + sorted[last.div_ceil(2)]))
}

/// Median and 1.48 times the median absolute deviation; `None` for no values.
pub(super) fn median_and_spread(values: &mut [f32]) -> Option<(f64, f64)> {
    let centre = median(values)?;
    let mut deviations: Vec<f32> =
        values.iter().map(|&value| (f64::from(value) - centre).abs() as f32).collect();
    Some((centre, MAD_TO_SD * median(&mut deviations)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_value_moves_neither_median_nor_spread() {
        let mut values = [1.0, 2.0, 3.0, 4.0, 1e6];
        let (centre, spread) = median_and_spread(&mut values).unwrap();
        assert_eq!(centre, 3.0);
        assert!((spread - MAD_TO_SD).abs() < 1e-9);
    }

    #[test]
    fn statistics_of_nothing_are_none() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median_of(&[]), None);
        assert_eq!(median_of(&[1.0, 4.0]), Some(2.5));
    }
}
