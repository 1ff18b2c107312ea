//! Gaussian filters inside a mask, and how much their answer varies by place in healthy bodies.
//!
//! # Method
//! What is left of the core after reference and normal pattern is smoothed at three scales, each
//! normalised to the samples of the mask (no tissue from outside bleeds in). The spread of the
//! answer is estimated for each place class (side, pedicle side, endplate by depth, and the deep
//! core), since structure near the cortex varies more than the middle: one spread for all places
//! gave 203 false candidates where this one gave 109 (own trial, ten scans).

use super::body_samples::BodySamples;
use super::robust_statistics::{median_and_spread, median_of, percentile};

/// Standard deviations of the filters, mm: matched to foci of about 5, 7 and 11 mm.
pub(super) const SCALES_MM: [f64; 3] = [2.0, 3.0, 4.5];
/// Number of place classes.
pub(super) const CLASSES: usize = 10;
/// The class of samples at least 5 mm deep in the core.
pub(super) const DEEP: usize = 9;
/// No spread is believed to be smaller than this, HU.
const SPREAD_FLOOR_HU: f64 = 6.0;
/// Fewer samples of a class than this tell nothing about it.
const MIN_CLASS_SAMPLES: usize = 20;
/// Bodies needed to estimate the spread of each class from the patient.
const MIN_BODIES_FOR_SPREAD: usize = 4;

/// Spread of each class over that of the deep core, by scale: medians over the four development
/// scans with at least four bodies, rounded. Used for patients with fewer.
const POOLED_RATIO: [[f64; CLASSES]; 3] = [
    [1.50, 1.40, 1.10, 2.70, 2.30, 1.90, 1.90, 1.40, 1.15, 1.0],
    [1.60, 1.50, 1.10, 2.50, 2.10, 1.80, 1.75, 1.50, 1.25, 1.0],
    [1.45, 1.30, 1.10, 2.30, 2.10, 1.70, 1.70, 1.40, 1.20, 1.0],
];

/// Smooths `field` with a Gaussian of `sigma` mm inside `mask` (1 mm samples `[s, v, u]`);
/// 0 outside the mask.
pub(super) fn gaussian_inside(
    field: &[f32],
    mask: &[bool],
    size: [usize; 3],
    sigma: f64,
) -> Vec<f32> {
    let radius = libm::ceil(3.0 * sigma) as usize;
    let weights: Vec<f32> = (0..=radius)
        .map(|n| libm::exp(-0.5 * (n as f64 / sigma) * (n as f64 / sigma)) as f32)
        .collect();
    let mut sum: Vec<f32> =
        mask.iter().zip(field).map(|(&m, &f)| if m { f } else { 0.0 }).collect();
    let mut weight: Vec<f32> = mask.iter().map(|&m| f32::from(u8::from(m))).collect();
    let strides = [size[1] * size[2], size[2], 1];
    for axis in 0..3 {
        sum = smooth_axis(&sum, size[axis], strides[axis], &weights);
        weight = smooth_axis(&weight, size[axis], strides[axis], &weights);
    }
    for (at, value) in sum.iter_mut().enumerate() {
        *value = if mask[at] { *value / weight[at] } else { 0.0 };
    }
    sum
}

/// One axis of a separable filter; `weights[n]` stands for a distance of `n` samples.
fn smooth_axis(data: &[f32], n: usize, stride: usize, weights: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0f32; data.len()];
    let reach = weights.len() - 1;
    for at in 0..data.len() {
        let value = data[at];
        if value == 0.0 {
            continue;
        }
        // Zeros outside the mask are most of the box: spreading what is there is cheaper than
        // gathering from all of it.
        let position = at / stride % n;
        out[at] += value * weights[0];
        for (d, &w) in weights.iter().enumerate().skip(1).take(reach) {
            if position >= d {
                out[at - d * stride] += value * w;
            }
            if position + d < n {
                out[at + d * stride] += value * w;
            }
        }
    }
    out
}

/// Place class of a core sample: 0-2 side, 3-5 pedicle side, 6-8 endplate (each by depth
/// 0-1.5-3-5 mm in the core), 9 deeper.
pub(super) fn place_class(samples: &BodySamples, at: usize) -> usize {
    let side = samples.side_depth_in_core(at);
    let endplate = samples.endplate_depth_in_core(at);
    let band = match side.min(endplate) {
        d if d < 1.5 => 0,
        d if d < 3.0 => 1,
        d if d < 5.0 => 2,
        _ => return DEEP,
    };
    let kind = if endplate < side {
        2
    } else {
        // The pedicles spring from the back corners: 95 to 160 degrees off anterior.
        let off_anterior = f64::from(samples.angle[at]).abs().to_degrees();
        usize::from((95.0..=160.0).contains(&off_anterior))
    };
    3 * kind + band
}

/// The filter answers of one body, one field for each of [`SCALES_MM`].
pub(super) struct Filtered {
    /// Smoothed residual, `[scale][sample]`.
    pub scales: [Vec<f32>; 3],
    /// Place class of each sample (only meaningful in the core).
    pub class: Vec<u8>,
}

impl Filtered {
    /// Filters the residual (value less reference less normal pattern) of a body's core.
    pub(super) fn of(samples: &BodySamples, residual: &[f32]) -> Self {
        let scales =
            SCALES_MM.map(|sigma| gaussian_inside(residual, &samples.core, samples.size, sigma));
        let class = (0..samples.core.len())
            .map(|at| if samples.core[at] { place_class(samples, at) as u8 } else { 0 })
            .collect();
        Self { scales, class }
    }
}

/// Spread of the filter answer in healthy bone by scale and place class.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpreadByPlace {
    /// `[scale][class]`, HU.
    pub spread: [[f64; CLASSES]; 3],
    /// Whether the patient's own bodies gave it; else only the deep core did, and the other
    /// classes come from other patients.
    pub from_patient: bool,
}

impl SpreadByPlace {
    /// Estimates the spread of answers **above** the reference from all bodies of a patient.
    ///
    /// For each class the median over bodies of the larger of 1.48 MAD and (P95 - median)/1.645,
    /// joined with the spread of the class medians between bodies. Medians, so that some diseased
    /// bodies do not raise it. `None` without any deep core.
    pub(super) fn estimate(bodies: &[(&BodySamples, &Filtered)]) -> Option<Self> {
        let mut spread = [[f64::NAN; CLASSES]; 3];
        let from_patient = bodies.len() >= MIN_BODIES_FOR_SPREAD;
        for (scale, by_class) in spread.iter_mut().enumerate() {
            for (class, out) in by_class.iter_mut().enumerate() {
                *out = class_spread(bodies, scale, class).unwrap_or(f64::NAN);
            }
            let deepest = if by_class[DEEP].is_nan() {
                // Small bodies have no sample 5 mm deep: the deepest class there is stands in.
                by_class.iter().copied().filter(|s| !s.is_nan()).reduce(f64::min)?
            } else {
                by_class[DEEP]
            };
            for (class, out) in by_class.iter_mut().enumerate() {
                let pooled = deepest * POOLED_RATIO[scale][class];
                if !from_patient && class != DEEP {
                    *out = if out.is_nan() { pooled } else { out.max(pooled) };
                } else if out.is_nan() {
                    *out = pooled;
                }
                *out = out.max(SPREAD_FLOOR_HU);
            }
        }
        Some(Self { spread, from_patient })
    }

    /// Answer over spread at a sample: the best scale.
    pub(super) fn score(&self, filtered: &Filtered, at: usize) -> f64 {
        let class = usize::from(filtered.class[at]);
        (0..SCALES_MM.len())
            .map(|scale| f64::from(filtered.scales[scale][at]) / self.spread[scale][class])
            .fold(f64::NEG_INFINITY, f64::max)
    }
}

fn class_spread(bodies: &[(&BodySamples, &Filtered)], scale: usize, class: usize) -> Option<f64> {
    let mut within = Vec::with_capacity(bodies.len());
    let mut medians: Vec<f32> = Vec::with_capacity(bodies.len());
    for (samples, filtered) in bodies {
        let mut values: Vec<f32> = (0..samples.core.len())
            .filter(|&at| samples.core[at] && usize::from(filtered.class[at]) == class)
            .map(|at| filtered.scales[scale][at])
            .collect();
        if values.len() < MIN_CLASS_SAMPLES {
            continue;
        }
        let high = percentile(&mut values, 0.95)?;
        let (centre, mad) = median_and_spread(&mut values)?;
        within.push(mad.max((high - centre) / 1.645));
        medians.push(centre as f32);
    }
    let within = median_of(&within)?;
    let (_, between) = median_and_spread(&mut medians)?;
    Some(libm::sqrt(within * within + between * between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_inside_the_mask_stays_constant_up_to_its_border() {
        let size = [9, 9, 9];
        let mask: Vec<bool> = (0..729).map(|at| at % 9 < 6).collect();
        let field: Vec<f32> = mask.iter().map(|&m| if m { 50.0 } else { 900.0 }).collect();
        let smooth = gaussian_inside(&field, &mask, size, 2.0);
        for at in 0..729 {
            let expected = if mask[at] { 50.0 } else { 0.0 };
            assert!((smooth[at] - expected).abs() < 1e-3, "{} at {at}", smooth[at]);
        }
    }

    #[test]
    fn the_filter_answers_a_point_with_a_plain_gaussian() {
        let size = [15, 15, 15];
        let centre = (7 * 15 + 7) * 15 + 7;
        let mut field = vec![0.0f32; 3375];
        field[centre] = 100.0;
        let mask = vec![true; 3375];
        let smooth = gaussian_inside(&field, &mask, size, 2.0);
        // Plain reference: weights over the box, normalised by the weights inside it.
        let weight = |d: f64| if d.abs() <= 6.0 { (-d * d / 8.0).exp() } else { 0.0 };
        let at = (5 * 15 + 7) * 15 + 8;
        let norm = |c: f64| (0..15).map(|n| weight(n as f64 - c)).sum::<f64>();
        let expected =
            100.0 * weight(2.0) * weight(0.0) * weight(1.0) / (norm(5.0) * norm(7.0) * norm(8.0));
        assert!((f64::from(smooth[at]) - expected).abs() < 1e-4, "{} {expected}", smooth[at]);
    }
}
