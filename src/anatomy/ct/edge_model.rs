//! Where bone ends in a blurred profile.
//!
//! # Method
//! Bone ends in a thin dense shell. Blurred over a slice, its outer slope is steepest well outside of
//! it: the steepest place overstates a body's height by 2 mm and more in slices of 3 mm. A model of
//! marrow, shell and what lies outside, blurred by a Gaussian, is fitted instead (after Treece, Med
//! Image Anal 2010, with the shell's thickness held and its density left free).

use crate::kernels::{median, solve};

/// Thickness of the shell, mm: endplates and walls of vertebral bodies measure 0.4 to 1.0. Half of a
/// wrong thickness goes into the edge.
const SHELL_MM: f64 = 0.7;
/// Outer edges that are tried about the coarse one, mm (outwards counts positive), and their step.
const INNERMOST_MM: f64 = -3.0;
const OUTERMOST_MM: f64 = 1.5;
const STEP_MM: f64 = 0.1;
/// Blurs that are tried, as multiples of the expected one: the coarse surface is no exact one.
const BLURS: [f64; 6] = [0.8, 0.95, 1.1, 1.3, 1.5, 1.75];
/// The least number of places that a fit needs.
const LEAST_PLACES: usize = 8;
/// The model must explain this share of the profile's variance.
const LEAST_EXPLAINED: f64 = 0.8;

/// A profile across an edge: medians of values by distance to the coarse edge.
#[derive(Clone, Debug, Default)]
pub struct EdgeProfile {
    /// Distance from the coarse edge, mm, outwards positive, and values there.
    bins: std::collections::BTreeMap<i32, Vec<f64>>,
}

/// Width of a bin, mm.
const BIN_MM: f64 = 0.5;

impl EdgeProfile {
    /// Adds a value at a distance from the coarse edge, mm.
    pub fn add(&mut self, distance: f64, value: f64) {
        if distance.is_finite() && value.is_finite() {
            let bin = libm::round(distance / BIN_MM) as i32;
            self.bins.entry(bin).or_default().push(value);
        }
    }

    /// The outer edge of bone from the coarse edge, mm, outwards positive, for a blur with the
    /// standard deviation `sigma_mm`; `None` where no edge of that kind is to be seen.
    pub fn edge(&self, sigma_mm: f64) -> Option<f64> {
        let most = self.bins.values().map(Vec::len).max()?;
        let profile: Vec<(f64, f64)> = self
            .bins
            .iter()
            .filter(|(_, values)| 3 * values.len() >= most)
            .filter_map(|(&bin, values)| {
                Some((f64::from(bin) * BIN_MM, median(values.iter().copied())?))
            })
            .collect();
        if profile.len() < LEAST_PLACES {
            return None;
        }
        let mean = profile.iter().map(|p| p.1).sum::<f64>() / profile.len() as f64;
        let variance: f64 = profile.iter().map(|p| (p.1 - mean) * (p.1 - mean)).sum();
        let steps = libm::round((OUTERMOST_MM - INNERMOST_MM) / STEP_MM) as i32;
        let mut best: Option<(f64, i32)> = None;
        for step in 0..=steps {
            let edge = INNERMOST_MM + f64::from(step) * STEP_MM;
            for blur in BLURS {
                let Some(error) = misfit(&profile, edge, blur * sigma_mm) else { continue };
                if best.is_none_or(|(least, _)| error < least) {
                    best = Some((error, step));
                }
            }
        }
        let (error, step) = best?;
        // At the end of the range the edge lies elsewhere.
        let inside = step > 0 && step < steps;
        (inside && error < (1.0 - LEAST_EXPLAINED) * variance)
            .then(|| INNERMOST_MM + f64::from(step) * STEP_MM)
    }
}

/// Sum of squares that the best marrow, shell and outside leave; `None` where there is no best, the
/// shell would be darker than what it bounds, or the outside denser than the marrow's side needs.
fn misfit(profile: &[(f64, f64)], edge: f64, sigma: f64) -> Option<f64> {
    let cumulative = |x: f64| 0.5 * (1.0 + libm::erf(x / (sigma * std::f64::consts::SQRT_2)));
    let mut normal = [[0.0f64; 4]; 3];
    let mut squares = 0.0;
    for &(x, value) in profile {
        let outside = cumulative(x - edge);
        let within = cumulative(x - edge + SHELL_MM) - outside;
        let terms = [1.0 - outside, outside, within];
        for (row, a) in normal.iter_mut().zip(terms) {
            for (sum, b) in row.iter_mut().zip(terms) {
                *sum += a * b;
            }
            row[3] += a * value;
        }
        squares += value * value;
    }
    let fitted = solve(normal)?;
    if fitted[2] < 0.0 {
        return None;
    }
    let explained: f64 = normal.iter().zip(fitted).map(|(row, c)| row[3] * c).sum();
    Some((squares - explained).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A shell of `shell` mm that ends at `edge`, averaged over boxes of `slice` mm (numerically, not
    /// by the Gaussian of the model).
    fn boxed(edge: f64, shell: f64, slice: f64, marrow: f64, outside: f64) -> EdgeProfile {
        let mut profile = EdgeProfile::default();
        let at = |x: f64| {
            if x > edge {
                outside
            } else if x > edge - shell {
                700.0
            } else {
                marrow
            }
        };
        for n in -12..=8 {
            let x = f64::from(n) * BIN_MM;
            let sum: f64 =
                (0..200).map(|m| at(x + slice * ((f64::from(m) + 0.5) / 200.0 - 0.5))).sum();
            profile.add(x, sum / 200.0);
        }
        profile
    }

    proptest! {
        #[test]
        fn the_outer_edge_of_a_thin_shell_is_found_in_slices_of_any_thickness(
            edge in -1.8..0.4f64, shell in 0.4..1.0f64, slice in 1.0..4.0f64,
            marrow in 20.0..250.0f64, outside in 20.0..120.0f64,
        ) {
            let found = boxed(edge, shell, slice, marrow, outside).edge(slice / 3.46).unwrap();
            prop_assert!((found - edge).abs() < 0.5, "{found} against {edge}");
        }
    }

    #[test]
    fn noise_without_an_edge_gives_none() {
        let mut profile = EdgeProfile::default();
        for n in -12..=8 {
            profile.add(f64::from(n) * BIN_MM, f64::from((n * 7919) % 13));
        }
        assert!(profile.edge(0.9).is_none());
    }
}
