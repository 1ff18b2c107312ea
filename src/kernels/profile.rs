//! Filters of profiles: one value per millimetre along a line, NaN where the line is out of view.

use std::ops::Range;

use super::convolve::{Boundary, gaussian_weights};

/// Gaussian filter, cut off at four standard deviations.
pub fn gaussian_profile(profile: &[f64], sigma: f64, boundary: Boundary) -> Vec<f64> {
    weighted(profile, &gaussian_weights(sigma, 4.0), boundary)
}

/// Moving mean over `width` values (made odd), the outermost value going on.
pub fn uniform_profile(profile: &[f64], width: usize) -> Vec<f64> {
    let width = width | 1;
    weighted(profile, &vec![1.0 / width as f64; width], Boundary::Nearest)
}

fn weighted(profile: &[f64], weights: &[f64], boundary: Boundary) -> Vec<f64> {
    let radius = weights.len() as isize / 2;
    (0..profile.len())
        .map(|x| {
            weights
                .iter()
                .enumerate()
                .filter_map(|(n, w)| {
                    let at = x as isize + n as isize - radius;
                    boundary.index(at, profile.len()).map(|from| w * profile[from])
                })
                .sum()
        })
        .collect()
}

/// Gaussian mean of the finite values only; NaN where they carry less than a twentieth of the
/// weight.
pub fn gaussian_profile_in_view(profile: &[f64], sigma: f64) -> Vec<f64> {
    let weights = gaussian_weights(sigma, 4.0);
    let radius = weights.len() as isize / 2;
    (0..profile.len())
        .map(|x| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for (n, w) in weights.iter().enumerate() {
                let at = x as isize + n as isize - radius;
                if let Some(from) = Boundary::Zero.index(at, profile.len())
                    && profile[from].is_finite()
                {
                    sum += w * profile[from];
                    weight += w;
                }
            }
            if weight > 0.05 { sum / weight } else { f64::NAN }
        })
        .collect()
}

/// Median over `width` values (odd), the outermost value going on.
pub fn median_profile(profile: &[f64], width: usize) -> Vec<f64> {
    let radius = (width / 2) as isize;
    let mut window = Vec::with_capacity(width);
    (0..profile.len())
        .map(|x| {
            window.clear();
            for d in -radius..=radius {
                if let Some(from) = Boundary::Nearest.index(x as isize + d, profile.len()) {
                    window.push(profile[from]);
                }
            }
            let middle = window.len() / 2;
            *window.select_nth_unstable_by(middle, f64::total_cmp).1
        })
        .collect()
}

/// The value at `x` of a line through the points (`xs`, `ys`), `xs` ascending; the first and last
/// value go on. NaN without points.
pub fn interpolate(x: f64, xs: &[f64], ys: &[f64]) -> f64 {
    let (Some(&first), Some(&last)) = (ys.first(), ys.last()) else { return f64::NAN };
    let next = xs.partition_point(|&at| at <= x);
    if next == 0 {
        return first;
    }
    if next >= xs.len() {
        return last;
    }
    let (x0, x1) = (xs[next - 1], xs[next]);
    ys[next - 1] + (ys[next] - ys[next - 1]) * (x - x0) / (x1 - x0)
}

/// Least squares line `intercept + slope·x`; level through the mean where `xs` do not spread.
pub fn linear_fit(xs: &[f64], ys: &[f64]) -> (f64, f64) {
    let n = xs.len().min(ys.len()).max(1) as f64;
    let (mx, my) = (xs.iter().sum::<f64>() / n, ys.iter().sum::<f64>() / n);
    let (mut sxx, mut sxy) = (0.0, 0.0);
    for (x, y) in xs.iter().zip(ys) {
        sxx += (x - mx) * (x - mx);
        sxy += (x - mx) * (y - my);
    }
    let slope = if sxx > 1e-12 { sxy / sxx } else { 0.0 };
    (my - slope * mx, slope)
}

/// Pearson's correlation of two lists; 0 where one of them does not spread.
pub fn correlation(xs: &[f64], ys: &[f64]) -> f64 {
    let ((_, of_y), (_, of_x)) = (linear_fit(xs, ys), linear_fit(ys, xs));
    of_y.signum() * libm::sqrt((of_y * of_x).max(0.0))
}

/// The longest run of `true`, as `start..end`; the first of equally long ones. Empty when all are
/// false.
pub fn longest_run(flags: &[bool]) -> Range<usize> {
    longest(runs(flags))
}

/// As [`longest_run`], with two runs counted as one where both are at least `least` long and what parts them is shorter
/// than either.
pub fn longest_bridged_run(flags: &[bool], least: usize) -> Range<usize> {
    let mut runs = runs(flags);
    let bridged = |pair: &[Range<usize>]| {
        let shorter = pair[0].len().min(pair[1].len());
        shorter >= least && pair[1].start - pair[0].end < shorter
    };
    while let Some(at) = runs.windows(2).position(bridged) {
        runs[at].end = runs[at + 1].end;
        runs.remove(at + 1);
    }
    longest(runs)
}

/// The runs of `true`, in order.
fn runs(flags: &[bool]) -> Vec<Range<usize>> {
    let mut end = 0;
    let alike = flags.chunk_by(|a, b| a == b).map(|run| {
        let start = end;
        end += run.len();
        (run[0], start..end)
    });
    alike.filter(|(flag, _)| *flag).map(|(_, run)| run).collect()
}

/// The longest of some runs, the first of equally long ones.
fn longest(runs: Vec<Range<usize>>) -> Range<usize> {
    // `max_by_key` gives the last of equals.
    runs.into_iter().rev().max_by_key(Range::len).unwrap_or(0..0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn median_profile_agrees_with_sorting_each_window(profile in proptest::collection::vec(-9.0..9.0f64, 1..30), half in 0usize..6) {
            let fast = median_profile(&profile, 2 * half + 1);
            for (x, value) in fast.iter().enumerate() {
                let mut window: Vec<f64> = (0..=2 * half)
                    .map(|d| profile[(x + d).saturating_sub(half).min(profile.len() - 1)])
                    .collect();
                window.sort_by(f64::total_cmp);
                prop_assert_eq!(*value, window[half]);
            }
        }

        #[test]
        fn correlation_is_that_of_the_line_and_bears_any_scale(
            xs in proptest::collection::vec(-9.0..9.0f64, 3..20), slope in -4.0..4.0f64, noise in 0.0..3.0f64,
        ) {
            let ys: Vec<f64> =
                xs.iter().enumerate().map(|(n, x)| 7.0 + slope * x + if n % 2 == 0 { noise } else { -noise }).collect();
            let n = xs.len() as f64;
            let (mx, my) = (xs.iter().sum::<f64>() / n, ys.iter().sum::<f64>() / n);
            let sum = |of: &dyn Fn(f64, f64) -> f64| xs.iter().zip(&ys).map(|(x, y)| of(x - mx, y - my)).sum::<f64>();
            let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
            if xx > 1e-6 && yy > 1e-6 {
                prop_assert!((correlation(&xs, &ys) - xy / (xx * yy).sqrt()).abs() < 1e-6);
            }
            prop_assert_eq!(correlation(&xs, &vec![1.0; xs.len()]), 0.0);
        }

        #[test]
        fn values_out_of_view_do_not_pull_the_mean(level in -100.0..100.0f64, gap in 0usize..20) {
            let mut profile = vec![level; 20];
            profile[gap] = f64::NAN;
            for value in gaussian_profile_in_view(&profile, 2.0) {
                prop_assert!((value - level).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_profile_that_never_held_a_value_stays_unknown() {
        assert!(gaussian_profile_in_view(&[f64::NAN; 5], 3.0).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn runs_are_bridged_only_over_gaps_shorter_than_both() {
        let flags = |text: &str| text.bytes().map(|b| b == b'#').collect::<Vec<_>>();
        assert_eq!(longest_bridged_run(&flags("###..####.##"), 3), 0..9);
        assert_eq!(longest_bridged_run(&flags("###..####.##"), 2), 0..12);
        assert_eq!(longest_bridged_run(&flags("###...####"), 3), 6..10);
        assert_eq!(longest_bridged_run(&flags("##.##"), 3), 0..2);
        assert_eq!(longest_bridged_run(&flags("..."), 1), 0..0);
        assert_eq!(longest_bridged_run(&[], 1), 0..0);
    }

    #[test]
    fn the_longest_run_is_found_at_either_end() {
        assert_eq!(longest_run(&[true, true, false, true]), 0..2);
        assert_eq!(longest_run(&[true, false, true, true]), 2..4);
        assert_eq!(longest_run(&[true, false, true]), 0..1);
        assert_eq!(longest_run(&[false; 3]), 0..0);
    }

    #[test]
    fn interpolation_is_linear_and_level_beyond_the_ends() {
        let (xs, ys) = ([0.0, 2.0, 4.0], [0.0, 10.0, 0.0]);
        assert_eq!(interpolate(1.0, &xs, &ys), 5.0);
        assert_eq!(interpolate(-1.0, &xs, &ys), 0.0);
        assert_eq!(interpolate(9.0, &xs, &ys), 0.0);
        assert_eq!(linear_fit(&[0.0, 1.0, 2.0], &[1.0, 3.0, 5.0]), (1.0, 2.0));
    }
}
