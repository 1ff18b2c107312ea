//! Disc evidence: two bright endplates about a darker core, in tilted planes.

use super::signals::Signals;
use super::straightened::row;
use crate::kernels::{gaussian_profile_in_view, percentile, uniform_profile};

/// Sagittal tilts of disc planes that are tried, degrees; positive rises to the front.
pub const TILTS_DEGREES: [f64; 13] =
    [-36.0, -30.0, -24.0, -18.0, -12.0, -6.0, 0.0, 6.0, 12.0, 18.0, 24.0, 30.0, 36.0];
/// Number of largest half heights a disc may be limited to: 2 to 6 mm.
pub const HALF_HEIGHTS: usize = 5;
/// Least half height, mm.
const LEAST_HALF_HEIGHT: i32 = 2;

/// Disc evidence for each limit of the half height (2 to 6 mm) and millimetre of the spine.
pub struct DiscEvidence {
    /// Strength, NaN out of view: 1 is strong. `[limit][s]`.
    pub strength: [Vec<f64>; HALF_HEIGHTS],
    /// Tilt of the disc plane, index into [`TILTS_DEGREES`].
    pub tilt: [Vec<usize>; HALF_HEIGHTS],
    /// Half height, mm.
    pub half_height_mm: [Vec<f64>; HALF_HEIGHTS],
    /// Whether the body's strip is in view.
    pub in_view: Vec<bool>,
}

/// The limit of the half height that suits a spacing of vertebrae: 0.17 of it, else a thoracic
/// body between its endplates looks like a disc. Index into [`DiscEvidence`].
pub fn limit_for_spacing(spacing_mm: usize) -> usize {
    ((0.17 * spacing_mm as f64) as usize).clamp(2, 6) - 2
}

/// Mean HU along planes of each tilt, `[tilt][s]`; NaN out of view.
fn tilted_means(signals: &Signals) -> Vec<Vec<f64>> {
    let n = signals.strip.len();
    let slopes = TILTS_DEGREES.map(|d| libm::tan(d.to_radians()));
    let mut means = vec![vec![f64::NAN; n]; slopes.len()];
    #[allow(clippy::needless_range_loop, reason = "s is a place on the line, not only an index")]
    for s in 0..n {
        let from = row(signals.back_wall_mm[s] + 2.0);
        let to = row(signals.back_wall_mm[s] + signals.depth_mm[s] - 2.0).max(from + 6);
        let to = to.min(super::straightened::ROWS);
        let rows = to.saturating_sub(from);
        let middle = (from + to).saturating_sub(1) as f64 / 2.0;
        for (k, slope) in slopes.iter().enumerate() {
            let (mut sum, mut seen, mut inside) = (0.0, 0usize, 0usize);
            for r in from..to {
                let at = s as f64 + slope * (r as f64 - middle);
                let low = libm::floor(at);
                if low < 0.0 || low + 1.0 >= n as f64 {
                    continue;
                }
                inside += 1;
                let (low, w) = (low as usize, at - low);
                let value = signals.strip[low][r] * (1.0 - w) + signals.strip[low + 1][r] * w;
                if value.is_finite() {
                    sum += value;
                    seen += 1;
                }
            }
            if rows > 0 && inside as f64 >= 0.6 * rows as f64 && seen as f64 >= 0.6 * rows as f64 {
                means[k][s] = sum / seen as f64;
            }
        }
    }
    means
}

/// Disc evidence along the spine.
pub fn disc_evidence(signals: &Signals) -> DiscEvidence {
    let n = signals.strip.len();
    let means = tilted_means(signals);
    let level_plane = TILTS_DEGREES.len() / 2;
    let flat = &means[level_plane];
    let in_view: Vec<bool> = flat.iter().map(|v| v.is_finite()).collect();
    let mut out = DiscEvidence {
        strength: std::array::from_fn(|_| vec![f64::NAN; n]),
        tilt: std::array::from_fn(|_| vec![level_plane; n]),
        half_height_mm: std::array::from_fn(|_| vec![3.0; n]),
        in_view,
    };
    let seen: Vec<f64> = flat.iter().copied().filter(|v| v.is_finite()).collect();
    if seen.len() < 10 {
        return out;
    }
    // Strength is relative to how much this spine varies along itself.
    let slow = uniform_profile(&seen, 31);
    let variation = percentile(seen.iter().zip(&slow).map(|(a, b)| (a - b).abs()), 70.0);
    let scale = (2.0 * variation.unwrap_or(0.0)).max(25.0);
    let smooth: Vec<Vec<f64>> = means.iter().map(|m| gaussian_profile_in_view(m, 0.7)).collect();
    let mut best = vec![f64::NEG_INFINITY; n];
    let (mut tilt, mut half) = (vec![0usize; n], vec![3.0f64; n]);
    for limit in 0..HALF_HEIGHTS {
        let h = limit as i32 + LEAST_HALF_HEIGHT;
        for s in 0..n {
            for (k, profile) in smooth.iter().enumerate() {
                let penalty = 0.004 * TILTS_DEGREES[k].abs();
                let mean = |from: i32, to: i32| mean_between(profile, s, from, to);
                let (up, down) = (mean(h + 1, h + 2), mean(-h - 2, -h - 1));
                let core = mean(-h + 1, h - 1);
                let disc = (0.6 * up.min(down) + 0.4 * up.max(down) - core) / scale - penalty;
                if (up + down).is_finite() && disc.is_finite() && disc > best[s] {
                    (best[s], tilt[s], half[s]) = (disc, k, f64::from(h));
                }
                if h == LEAST_HALF_HEIGHT {
                    // A thin disc between thick slices: one bright line.
                    let (above, below) = (mean(6, 9), mean(-9, -6));
                    let line = 0.6 * (mean(-1, 1) - above.max(below)) / scale - penalty;
                    if (above + below).is_finite() && line.is_finite() && line > best[s] {
                        (best[s], tilt[s], half[s]) = (line, k, f64::from(h));
                    }
                }
            }
        }
        for s in 0..n {
            if best[s].is_finite() {
                out.strength[limit][s] = best[s].clamp(-1.0, 1.6);
            }
            out.tilt[limit][s] = tilt[s];
            out.half_height_mm[limit][s] = half[s];
        }
    }
    out
}

/// Mean of a profile between `from` and `to` (inclusive) about `s`; NaN where one is out of view.
fn mean_between(profile: &[f64], s: usize, from: i32, to: i32) -> f64 {
    let mut sum = 0.0;
    for d in from..=to {
        let Some(value) = s.checked_add_signed(d as isize).and_then(|at| profile.get(at)) else {
            return f64::NAN;
        };
        sum += value;
    }
    sum / f64::from(to - from + 1)
}
