//! Front and back wall of all bodies together: a Viterbi over shift and half depth.
//!
//! For each body: plate energy between the walls against beyond them, edges at both walls (the
//! rear one is the sharper), few edges between; neighbours keep their shift and depth.

use super::chain::{BodyBox, percentile};
use super::plate_response::{Slab, sample_directional_or_zero};
use crate::kernels::gaussian_2d::gaussian_derivative;

const SHIFTS: std::ops::RangeInclusive<i32> = -20..=20;
const HALF_DEPTHS: std::ops::RangeInclusive<i32> = 10..=26;
/// Half depth over pitch: about the same from neck to sacrum.
const HALF_DEPTH_OVER_PITCH: f64 = 0.47;
const HALF_DEPTH_SPREAD: f64 = 5.0;
const REACH: i32 = 54;
const SHIFT_SPREAD: f64 = 14.0;
const SHIFT_SMOOTHNESS: f64 = 3.5;
const DEPTH_SMOOTHNESS: f64 = 2.0;

/// Moves each body across its axis and sets its half depth.
pub fn fit_walls(bodies: &mut [BodyBox], slabs: &[Slab]) {
    let states: Vec<(i32, i32)> =
        SHIFTS.flat_map(|shift| HALF_DEPTHS.map(move |half| (shift, half))).collect();
    let mut best: Vec<f64> = Vec::new();
    let mut from: Vec<Vec<usize>> = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        let own = state_scores(body, &slabs[body.slab], &states);
        if n == 0 {
            best = own;
            continue;
        }
        let mut next = Vec::with_capacity(states.len());
        let mut back = Vec::with_capacity(states.len());
        for (s, &(shift, half)) in states.iter().enumerate() {
            let mut top = (f64::NEG_INFINITY, 0);
            for (p, &(shift_before, half_before)) in states.iter().enumerate() {
                let a = f64::from(shift - shift_before) / SHIFT_SMOOTHNESS;
                let b = f64::from(half - half_before) / DEPTH_SMOOTHNESS;
                let score = best[p] - 0.5 * a * a - 0.5 * b * b;
                if score > top.0 {
                    top = (score, p);
                }
            }
            next.push(top.0 + own[s]);
            back.push(top.1);
        }
        best = next;
        from.push(back);
    }
    let mut state = 0;
    for (s, &score) in best.iter().enumerate() {
        if score > best[state] {
            state = s;
        }
    }
    for n in (0..bodies.len()).rev() {
        let (shift, half) = states[state];
        let body = &mut bodies[n];
        let (_, across) = body.axes();
        body.row += across[0] * f64::from(shift);
        body.column += across[1] * f64::from(shift);
        body.half_depth = f64::from(half);
        if n > 0 {
            state = from[n - 1][state];
        }
    }
}

fn state_scores(body: &BodyBox, slab: &Slab, states: &[(i32, i32)]) -> Vec<f64> {
    let (axis, across) = body.axes();
    let place = |u: f64, w: f64| {
        (body.row + u * axis[0] + w * across[0], body.column + u * axis[1] + w * across[1])
    };
    let offsets: Vec<f64> = (-REACH..=REACH).map(f64::from).collect();
    let mut signed = vec![0.0; offsets.len()];
    let mut absolute = vec![0.0; offsets.len()];
    for n in 0..9 {
        let u = (-0.3 + 0.075 * f64::from(n)) * body.pitch;
        let profile: Vec<f64> = offsets
            .iter()
            .map(|&w| {
                let (row, column) = place(u, w);
                slab.normalised.sample(row, column)
            })
            .collect();
        for (k, d) in gaussian_derivative(&profile, 1.5).into_iter().enumerate() {
            signed[k] += d / 9.0;
            absolute[k] += libm::fabs(d) / 9.0;
        }
    }
    let edges: Vec<f64> =
        signed.iter().zip(&absolute).map(|(s, a)| 0.6 * libm::fabs(*s) + 0.4 * a).collect();
    let plates: Vec<f64> = offsets
        .iter()
        .map(|&w| {
            let at = |u: f64| {
                let (row, column) = place(u, w);
                sample_directional_or_zero(&slab.energy, body.direction, row, column)
            };
            f64::midpoint(at(-0.5 * body.pitch), at(0.5 * body.pitch))
        })
        .collect();
    let (mut edges, plates) = (over_ninth_decile(edges), over_ninth_decile(plates));
    for edge in &mut edges {
        *edge = edge.min(EDGE_CAP) / EDGE_CAP;
    }
    let (edge_sum, plate_sum) = (running_sum(&edges), running_sum(&plates));
    let index = |w: i32| (w + REACH).clamp(0, 2 * REACH) as usize;
    let mean = |sum: &[f64], from: i32, to: i32| {
        let (a, b) = (index(from), index(to));
        (sum[b] - sum[a]) / ((b - a) as f64 + 1e-6)
    };
    let edge_near = |w: i32| (-1..=1).map(|k| edges[index(w + k)]).fold(0.0, f64::max);
    states
        .iter()
        .map(|&(shift, half)| {
            let (front, rear) = (shift - half, shift + half);
            let inside = mean(&plate_sum, front, rear);
            let outside =
                f64::midpoint(mean(&plate_sum, front - 7, front), mean(&plate_sum, rear, rear + 7));
            let between = mean(&edge_sum, front + 3, rear - 3);
            let off = f64::from(shift) / SHIFT_SPREAD;
            let expected = HALF_DEPTH_OVER_PITCH * body.pitch;
            let depth = (f64::from(half) - expected) / HALF_DEPTH_SPREAD;
            inside - outside + 0.5 * (edge_near(front) + 1.2 * edge_near(rear))
                - 0.8 * between
                - 0.25 * off * off
                - 0.25 * depth * depth
        })
        .collect()
}

/// Edges behind the canal (fat against fluid) must not dwarf those of the walls.
const EDGE_CAP: f64 = 0.8;

fn over_ninth_decile(mut values: Vec<f64>) -> Vec<f64> {
    let unit = percentile(values.clone(), 0.9).unwrap_or(0.0) + 1e-6;
    for v in &mut values {
        *v /= unit;
    }
    values
}

fn running_sum(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    let mut sum = 0.0;
    for v in values {
        sum += v;
        sums.push(sum);
    }
    sums
}
