//! Order statistics.

/// The `percent`-th percentile of the finite values, linear between neighbours; `None` when there
/// are none.
pub fn percentile(values: impl IntoIterator<Item = f64>, percent: f64) -> Option<f64> {
    let mut finite: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    if finite.is_empty() {
        return None;
    }
    let place = (percent / 100.0).clamp(0.0, 1.0) * (finite.len() - 1) as f64;
    let low = place as usize;
    let (_, &mut at, above) = finite.select_nth_unstable_by(low, f64::total_cmp);
    let next = above.iter().copied().fold(f64::INFINITY, f64::min);
    let fraction = place - low as f64;
    Some(if fraction > 0.0 && next.is_finite() { at + fraction * (next - at) } else { at })
}

/// The median of the finite values; `None` when there are none.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    percentile(values, 50.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn percentile_agrees_with_sorting(values in proptest::collection::vec(-1e3..1e3f64, 1..60), percent in 0.0..100.0f64) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let place = percent / 100.0 * (sorted.len() - 1) as f64;
            let low = place.floor() as usize;
            let high = (low + 1).min(sorted.len() - 1);
            let expected = sorted[low] + (place - low as f64) * (sorted[high] - sorted[low]);
            prop_assert!((percentile(values, percent).unwrap() - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn values_that_are_no_numbers_are_left_out() {
        assert_eq!(median([f64::NAN, 1.0, 3.0]), Some(2.0));
        assert_eq!(median([f64::NAN]), None);
    }
}
