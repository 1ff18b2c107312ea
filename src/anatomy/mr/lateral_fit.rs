//! Where the middle of the bodies lies from side to side, and how wide they are.
//!
//! One line `slice = a + tilt * height` and one width for all bodies: endplate contrast inside
//! the bodies against beyond them.

use rayon::prelude::*;

use super::chain::BodyBox;
use super::plate_response::normalise;
use super::sagittal_stack::SagittalStack;
use crate::kernels::gaussian_2d::gaussian_derivative;

const SLAB_MM: f64 = 2.0;
/// Half width over half depth that is tried, and what is expected.
const WIDTH_OVER_DEPTH: [f64; 4] = [1.1, 1.2, 1.3, 1.4];
/// Half depth over pitch of the bodies on which widths were compared with masks.
const HALF_DEPTH_OVER_PITCH: f64 = 0.44;
const EXPECTED_WIDTH_OVER_DEPTH: f64 = 1.28;

/// Middle slice and half width of each body.
pub struct LateralFit {
    /// Slice position for each body.
    pub slices: Vec<f64>,
    /// Half width of each body, mm.
    pub half_widths: Vec<f64>,
}

/// Fits the lateral position of the bodies.
pub fn fit_lateral(stack: &SagittalStack, bodies: &[BodyBox]) -> LateralFit {
    let count = stack.slices.len();
    let step = (libm::round(SLAB_MM / stack.slice_mm) as usize).clamp(1, count.max(1));
    let starts: Vec<usize> = (0..count / step).map(|n| n * step).collect();
    let places: Vec<f64> = starts.iter().map(|&s| s as f64 + (step as f64 - 1.0) / 2.0).collect();
    let by_slab: Vec<Vec<f64>> = starts
        .par_iter()
        .map(|&start| {
            let plane = normalise(&stack.mean_of(start, step), stack.tissue_signal);
            bodies.iter().map(|body| endplate_contrast(body, &plane)).collect()
        })
        .collect();
    // Each body in units of its own spread.
    let contrast: Vec<Vec<f64>> = (0..bodies.len())
        .map(|b| {
            let own: Vec<f64> = by_slab.iter().map(|slab| slab[b]).collect();
            let n = own.len().max(1) as f64;
            let mean = own.iter().sum::<f64>() / n;
            let variance = own.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
            own.iter().map(|v| (v - mean) / (variance.sqrt() + 0.1)).collect()
        })
        .collect();
    let rows_middle =
        bodies.iter().map(|b| b.row).sum::<f64>() / bodies.len().max(1) as f64 * stack.pixel_mm;
    let mut best = (f64::NEG_INFINITY, stack.middle(), 0.0, EXPECTED_WIDTH_OVER_DEPTH);
    let sizes = sizes(bodies);
    let tries = (0.5 * count as f64 * stack.slice_mm) as usize + 1;
    for n in 0..tries {
        let a = 0.25 * count as f64 + n as f64 / stack.slice_mm;
        for t in 0..9 {
            let tilt = -0.2 + 0.05 * f64::from(t);
            for aspect in WIDTH_OVER_DEPTH {
                let (mut inside, mut outside) = ((0.0, 0usize), (0.0, 0usize));
                for ((body, own), size) in bodies.iter().zip(&contrast).zip(&sizes) {
                    let middle =
                        a + tilt * (body.row * stack.pixel_mm - rows_middle) / stack.slice_mm;
                    let half_width = aspect * size * stack.pixel_mm;
                    for (&place, &value) in places.iter().zip(own) {
                        let distance = libm::fabs(place - middle) * stack.slice_mm;
                        if distance <= half_width {
                            inside = (inside.0 + value, inside.1 + 1);
                        } else if distance < half_width + 10.0 {
                            outside = (outside.0 + value, outside.1 + 1);
                        }
                    }
                }
                let beyond = if outside.1 > 0 { outside.0 / outside.1 as f64 } else { -0.3 };
                let off_middle = (a - stack.middle()) * stack.slice_mm / 12.0;
                let odd_width = (aspect - EXPECTED_WIDTH_OVER_DEPTH) / 0.12;
                let score = inside.0 / inside.1.max(1) as f64
                    - beyond
                    - 1.5 * libm::fabs(tilt)
                    - 0.04 * odd_width * odd_width
                    - 0.04 * off_middle * off_middle;
                if score > best.0 {
                    best = (score, a, tilt, aspect);
                }
            }
        }
    }
    let (_, a, tilt, width_over_depth) = best;
    let slices = bodies
        .iter()
        .map(|body| {
            let at = a + tilt * (body.row * stack.pixel_mm - rows_middle) / stack.slice_mm;
            at.clamp(0.0, count as f64 - 1.0)
        })
        .collect();
    let half_widths = sizes.iter().map(|s| width_over_depth * s * stack.pixel_mm).collect();
    LateralFit { slices, half_widths }
}

/// Size of each body that its width follows: half of it from its depth, half from the distance of
/// its discs (median of three, which falls towards the head faster than the fitted depth).
fn sizes(bodies: &[BodyBox]) -> Vec<f64> {
    (0..bodies.len())
        .map(|n| {
            let near = &bodies[n.saturating_sub(1)..(n + 2).min(bodies.len())];
            let mut pitches: Vec<f64> = near.iter().map(|b| b.pitch).collect();
            pitches.sort_by(f64::total_cmp);
            let pitch = pitches[pitches.len() / 2];
            f64::midpoint(bodies[n].half_depth, HALF_DEPTH_OVER_PITCH * pitch)
        })
        .collect()
}

fn endplate_contrast(body: &BodyBox, plane: &crate::kernels::plane::Plane) -> f64 {
    let (axis, across) = body.axes();
    let rows = (body.height + 10.1) as usize + 1;
    let columns = (1.3 * body.half_depth / 1.5) as usize + 1;
    let profile: Vec<f64> = (0..rows)
        .map(|m| {
            let u = -body.height / 2.0 - 5.0 + m as f64;
            let samples = (0..columns).map(|n| {
                let w = -0.65 * body.half_depth + 1.5 * n as f64;
                plane.sample(
                    body.row + u * axis[0] + w * across[0],
                    body.column + u * axis[1] + w * across[1],
                )
            });
            samples.sum::<f64>() / columns as f64
        })
        .collect();
    let edges: Vec<f64> = gaussian_derivative(&profile, 1.0).into_iter().map(libm::fabs).collect();
    let greatest = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    let n = edges.len();
    let upper = greatest(&edges[2.min(n)..9.min(n)]);
    let lower = greatest(&edges[n.saturating_sub(9)..n.saturating_sub(2)]);
    let inside = if n > 20 { edges[9..n - 9].iter().sum::<f64>() / (n - 18) as f64 } else { 0.0 };
    upper.min(lower) + 0.3 * f64::midpoint(upper, lower) - inside
}
