//! Top, bottom and tilt of each body from its row profile.
//!
//! Needed because a link may end on any of the plates round a disc: the endplates are where the
//! contrast to the next three pixels and the edge are greatest and the inside is even.

use super::chain::{BodyBox, axes};
use crate::kernels::gaussian_2d::{gaussian_2d, gaussian_derivative};
use crate::kernels::plane::Plane;

use super::plate_response::Slab;

/// Expected height as a share of the pitch.
const HEIGHT_OVER_PITCH: f64 = 0.72;
const TILTS: [f64; 5] = [-12.0, -6.0, 0.0, 6.0, 12.0];

/// Moves each body along its axis, tilts it and sets its height.
pub fn fit_heights(bodies: &mut [BodyBox], slabs: &[Slab]) {
    let mut blurred: Vec<Option<Plane>> = slabs.iter().map(|_| None).collect();
    for body in bodies {
        let plane = blurred[body.slab]
            .get_or_insert_with(|| gaussian_2d(&slabs[body.slab].normalised, 0.6, 4.0));
        fit_height(body, plane);
    }
}

struct Fit {
    score: f64,
    shift: f64,
    height: f64,
    tilt: f64,
}

fn fit_height(body: &mut BodyBox, plane: &Plane) {
    let pitch = body.pitch;
    let reach = libm::round(0.8 * pitch) as i32;
    let offsets: Vec<f64> = (-reach..=reach).map(f64::from).collect();
    let half = (0.75 * body.half_depth + 0.1) as i32;
    let mut best: Option<Fit> = None;
    for tilt in TILTS {
        let (axis, across) = axes(body.direction + tilt);
        let profile: Vec<f64> = offsets
            .iter()
            .map(|&u| {
                let samples = (0..=2 * half).map(|n| {
                    let w = -0.75 * body.half_depth + f64::from(n);
                    plane.sample(
                        body.row + u * axis[0] + w * across[0],
                        body.column + u * axis[1] + w * across[1],
                    )
                });
                samples.sum::<f64>() / f64::from(2 * half + 1)
            })
            .collect();
        let edges: Vec<f64> =
            gaussian_derivative(&profile, 1.0).into_iter().map(libm::fabs).collect();
        let mut sorted = Vec::new();
        for top in 3..offsets.len() {
            if offsets[top] > -0.15 * pitch || offsets[top] < -0.62 * pitch {
                continue;
            }
            for bottom in top + 8..offsets.len().saturating_sub(3) {
                let height = offsets[bottom] - offsets[top];
                if height < 0.5 * pitch
                    || height > 0.92 * pitch
                    || offsets[bottom] < 0.15 * pitch
                    || offsets[bottom] > 0.62 * pitch
                {
                    continue;
                }
                let inside = &profile[top + 2..bottom - 1];
                sorted.clear();
                sorted.extend_from_slice(inside);
                sorted.sort_by(f64::total_cmp);
                let core = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
                let (above, below) = (&profile[top - 3..top], &profile[bottom + 1..bottom + 4]);
                let (c1, c2) = (deviation(above, core), deviation(below, core));
                let sides_disagree = (mean(above) > core) != (mean(below) > core);
                let shift = f64::midpoint(offsets[top], offsets[bottom]);
                let score = 0.7 * c1.min(c2)
                    + 0.3 * (c1 + c2) / 2.0
                    + 1.2 * (edges[top].min(0.5) + edges[bottom].min(0.5))
                    - 1.5 * deviation(inside, core)
                    - if sides_disagree { 0.3 } else { 0.0 }
                    - 0.12 * square((height / pitch - HEIGHT_OVER_PITCH) / 0.1)
                    - 0.04 * square(shift / 5.0)
                    - 0.03 * square(tilt / 10.0);
                if best.as_ref().is_none_or(|b| score > b.score) {
                    best = Some(Fit { score, shift, height, tilt });
                }
            }
        }
    }
    match best {
        None => body.height = HEIGHT_OVER_PITCH * pitch,
        Some(fit) => {
            body.direction += fit.tilt;
            let (axis, _) = body.axes();
            body.row += fit.shift * axis[0];
            body.column += fit.shift * axis[1];
            body.height = fit.height;
        }
    }
}

fn square(x: f64) -> f64 {
    x * x
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Mean absolute deviation from `centre`.
fn deviation(values: &[f64], centre: f64) -> f64 {
    values.iter().map(|v| libm::fabs(v - centre)).sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::mr::chain::Evidence;

    #[test]
    fn endplates_are_found_where_the_signal_changes() {
        // A body 24 rows high about row 62, discs dark above and below.
        let values = (0..140 * 100)
            .map(|n| if (50..74).contains(&(n / 100)) { 1.0 } else { -1.0 })
            .collect();
        let plane = Plane::new(140, 100, values);
        let mut body = BodyBox {
            row: 58.0,
            column: 50.0,
            pitch: 34.0,
            direction: 0.0,
            slab: 0,
            half_depth: 16.0,
            height: 0.0,
            evidence: Evidence { plates: 1.0, likeness: 1.0, core: true },
        };
        fit_height(&mut body, &plane);
        assert!((body.row - 61.5).abs() <= 1.0, "{}", body.row);
        assert!((body.height - 24.0).abs() <= 2.0, "{}", body.height);
    }
}
