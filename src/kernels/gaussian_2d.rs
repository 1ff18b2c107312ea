//! Gaussian blur of a picture, and the Gaussian derivative of a profile; edges are mirrored.

use super::plane::{Plane, mirrored};

/// Weights of a Gaussian of standard deviation `sigma` (pixels), cut at `truncate` sigmas; sum 1.
pub fn gaussian_weights(sigma: f64, truncate: f64) -> Vec<f32> {
    let radius = (truncate * sigma + 0.5) as isize;
    let weights: Vec<f64> =
        (-radius..=radius).map(|x| libm::exp(-0.5 * (x * x) as f64 / (sigma * sigma))).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| (w / sum) as f32).collect()
}

/// Blurs with a Gaussian of `sigma` pixels cut at `truncate` sigmas.
pub fn gaussian_2d(plane: &Plane, sigma: f64, truncate: f64) -> Plane {
    gaussian_rows_columns(plane, [sigma, sigma], truncate)
}

/// Blurs with `sigma[0]` pixels across the rows and `sigma[1]` along them; 0 leaves that axis.
pub fn gaussian_rows_columns(plane: &Plane, sigma: [f64; 2], truncate: f64) -> Plane {
    let (rows, columns) = (plane.rows(), plane.columns());
    if rows == 0 || columns == 0 {
        return plane.clone();
    }
    let mut out = plane.clone();
    if sigma[1] > 0.0 {
        let weights = gaussian_weights(sigma[1], truncate);
        let radius = weights.len() / 2;
        let mut padded = vec![0.0f32; columns + 2 * radius];
        for r in 0..rows {
            let row = plane.row(r);
            for (p, value) in padded.iter_mut().enumerate() {
                *value = row[mirrored(p as isize - radius as isize, columns)];
            }
            let target = &mut out.values_mut()[r * columns..(r + 1) * columns];
            target.fill(0.0);
            for (t, &w) in weights.iter().enumerate() {
                for (o, &p) in target.iter_mut().zip(&padded[t..]) {
                    *o += w * p;
                }
            }
        }
    }
    if sigma[0] > 0.0 {
        let weights = gaussian_weights(sigma[0], truncate);
        let radius = (weights.len() / 2) as isize;
        let source = out.clone();
        for r in 0..rows {
            let target = &mut out.values_mut()[r * columns..(r + 1) * columns];
            target.fill(0.0);
            for (t, &w) in weights.iter().enumerate() {
                let row = source.row(mirrored(r as isize + t as isize - radius, rows));
                for (o, &p) in target.iter_mut().zip(row) {
                    *o += w * p;
                }
            }
        }
    }
    out
}

/// First derivative of a profile after a Gaussian of `sigma` samples (cut at 4 sigmas), per
/// sample.
pub fn gaussian_derivative(profile: &[f64], sigma: f64) -> Vec<f64> {
    let weights = gaussian_weights(sigma, 4.0);
    let radius = (weights.len() / 2) as isize;
    (0..profile.len() as isize)
        .map(|x| {
            weights
                .iter()
                .enumerate()
                .map(|(t, &w)| {
                    let d = t as isize - radius;
                    let value = profile[mirrored(x + d, profile.len())];
                    f64::from(w) * d as f64 / (sigma * sigma) * value
                })
                .sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_derivative_of_a_ramp_is_its_slope() {
        let ramp: Vec<f64> = (0..40).map(|x| 3.0 * f64::from(x)).collect();
        let d = gaussian_derivative(&ramp, 1.5);
        assert!((d[20] - 3.0).abs() < 0.02, "{}", d[20]);
    }

    proptest! {
        #[test]
        fn a_blur_is_the_plain_double_sum(values in proptest::collection::vec(-5.0..5.0f32, 63)) {
            let plane = Plane::new(7, 9, values);
            let blurred = gaussian_2d(&plane, 1.0, 2.0);
            let w = gaussian_weights(1.0, 2.0);
            for r in 0..7isize {
                for c in 0..9isize {
                    let mut sum = 0.0;
                    for a in -2..=2isize {
                        for b in -2..=2isize {
                            sum += w[(a + 2) as usize] * w[(b + 2) as usize]
                                * plane.get(mirrored(r + a, 7), mirrored(c + b, 9));
                        }
                    }
                    prop_assert!((sum - blurred.get(r as usize, c as usize)).abs() < 1e-4);
                }
            }
        }
    }
}
