//! Closed contours of a body, slice by slice: polar dynamic programming about the box.
//!
//! # Method
//! 72 directions, radii of 0.6 to 1.3 of a rounded box. Cost: edges reward, leaving the body's own
//! signal costs more the farther it goes on (the first exit counts), the box and the neighbouring
//! slice's contour pull. From the middle slice outwards; the box loses depth at its front beyond
//! 60 % of the half width, where bodies are rounded.

use super::chain::BodyBox;
use crate::kernels::plane::Plane;

/// Directions of a contour: direction `n` points to `2π·n/72`, from the feet towards the back.
pub const DIRECTIONS: usize = 72;
const RADII: usize = 29;
const FIRST_RADIUS: f64 = 0.6;
const RADIUS_STEP: f64 = 0.025;
/// Exponent of the rounded box.
const BOX_EXPONENT: f64 = 4.0;
/// Greatest step between neighbouring directions, in radii.
const MOST_STEP: usize = 2;

/// One contour in the plane of a body: millimetres from the box's centre for each direction.
#[derive(Clone, Debug)]
pub struct Contour {
    /// Slice position.
    pub slice: f64,
    /// Radius in each direction, mm.
    pub radii: [f64; DIRECTIONS],
    /// Mean edge under the contour, in standard deviations of the normalised signal per pixel.
    pub edge: f64,
    /// Mean share of the box's radius.
    pub share: f64,
}

/// A normalised picture at a slice position.
pub struct NormalisedSlice {
    /// Slice position.
    pub slice: f64,
    /// Normalised signal.
    pub plane: Plane,
}

/// Contours of a body within its half width, in the order of `slices`; empty when no slice lies
/// there.
pub fn contours(
    body: &BodyBox,
    middle: f64,
    half_width_mm: f64,
    slices: &[NormalisedSlice],
    slice_mm: f64,
    pixel_mm: f64,
) -> Vec<Contour> {
    let offset = |n: usize| (slices[n].slice - middle) * slice_mm;
    let members: Vec<usize> =
        (0..slices.len()).filter(|&n| libm::fabs(offset(n)) <= half_width_mm).collect();
    let Some(start) = members
        .iter()
        .enumerate()
        .min_by(|a, b| libm::fabs(offset(*a.1)).total_cmp(&libm::fabs(offset(*b.1))))
        .map(|(position, _)| position)
    else {
        return Vec::new();
    };
    let draw = |n: usize, prior: Option<&[usize; DIRECTIONS]>| {
        let outward = libm::fabs(offset(n)) / half_width_mm;
        draw(body, &slices[n], outward, prior, pixel_mm)
    };
    let (first, first_path) = draw(members[start], None);
    let mut out = vec![first];
    let mut path = first_path;
    for &n in &members[start + 1..] {
        let (contour, next) = draw(n, Some(&path));
        out.push(contour);
        path = next;
    }
    path = first_path;
    for &n in members[..start].iter().rev() {
        let (contour, next) = draw(n, Some(&path));
        out.insert(0, contour);
        path = next;
    }
    out
}

/// Radius of the rounded box in a direction, pixels.
fn box_radius(body: &BodyBox, n: usize, outward: f64) -> f64 {
    let angle = std::f64::consts::TAU * n as f64 / DIRECTIONS as f64;
    let (sin, cos) = (libm::sin(angle), libm::cos(angle));
    let rounded = ((outward - 0.6) / 0.4).clamp(0.0, 1.0);
    // Bodies are rounded at the front; at the back the pedicles go on.
    let loss = if sin < 0.0 { 0.40 } else { 0.10 } * rounded * rounded;
    let depth = body.half_depth * (1.0 - loss);
    let power = |x: f64| libm::pow(libm::fabs(x), BOX_EXPONENT);
    libm::pow(power(cos / (body.height / 2.0)) + power(sin / depth), -1.0 / BOX_EXPONENT)
}

fn draw(
    body: &BodyBox,
    slice: &NormalisedSlice,
    outward: f64,
    prior: Option<&[usize; DIRECTIONS]>,
    pixel_mm: f64,
) -> (Contour, [usize; DIRECTIONS]) {
    let (axis, across) = body.axes();
    let sample = |n: usize, radius: f64| {
        let angle = std::f64::consts::TAU * n as f64 / DIRECTIONS as f64;
        let (a, w) = (radius * libm::cos(angle), radius * libm::sin(angle));
        slice.plane.sample(
            body.row + a * axis[0] + w * across[0],
            body.column + a * axis[1] + w * across[1],
        )
    };
    let base: Vec<f64> = (0..DIRECTIONS).map(|n| box_radius(body, n, outward)).collect();
    let mut inner: Vec<f64> = Vec::new();
    for (n, radius) in base.iter().enumerate() {
        for share in [0.2, 0.35, 0.5, 0.6] {
            inner.push(sample(n, share * radius));
        }
    }
    inner.sort_by(f64::total_cmp);
    let median = inner[inner.len() / 2];
    let mut away: Vec<f64> = inner.iter().map(|v| libm::fabs(v - median)).collect();
    away.sort_by(f64::total_cmp);
    let tolerance = (1.5 * away[away.len() / 2]).clamp(0.15, 0.5);
    let mut cost = vec![[0.0f64; RADII]; DIRECTIONS];
    let mut edges = vec![[0.0f64; RADII]; DIRECTIONS];
    for n in 0..DIRECTIONS {
        let mut gone = 0.0;
        for k in 0..RADII {
            let share = FIRST_RADIUS + RADIUS_STEP * k as f64;
            let radius = share * base[n];
            let edge = libm::fabs(sample(n, radius + 1.0) - sample(n, radius - 1.0)) / 2.0;
            let mismatch = (libm::fabs(sample(n, radius) - median) - tolerance).max(0.0);
            gone += mismatch * RADIUS_STEP * base[n];
            let off = (share - 1.0) / 0.15;
            let moved = prior.map_or(0.0, |p| (k as f64 - p[n] as f64) / 3.0);
            edges[n][k] = edge;
            cost[n][k] =
                -3.0 * edge.min(0.6) + 0.5 * gone + 0.10 * off * off + 0.08 * moved * moved;
        }
    }
    let path = cheapest_closed_path(&cost);
    let mut radii = [0.0; DIRECTIONS];
    let (mut edge, mut share) = (0.0, 0.0);
    for n in 0..DIRECTIONS {
        let s = FIRST_RADIUS + RADIUS_STEP * path[n] as f64;
        radii[n] = s * base[n] * pixel_mm;
        edge += edges[n][path[n]] / DIRECTIONS as f64;
        share += s / DIRECTIONS as f64;
    }
    (Contour { slice: slice.slice, radii, edge, share }, path)
}

/// The cheapest closed path: each start is tried.
fn cheapest_closed_path(cost: &[[f64; RADII]]) -> [usize; DIRECTIONS] {
    let mut best = (f64::INFINITY, [0usize; DIRECTIONS]);
    for start in 0..RADII {
        let mut sum = [f64::INFINITY; RADII];
        sum[start] = cost[0][start];
        let mut from = [[0u8; RADII]; DIRECTIONS];
        for n in 1..=DIRECTIONS {
            let mut next = [f64::INFINITY; RADII];
            for k in 0..RADII {
                let low = k.saturating_sub(MOST_STEP);
                let high = (k + MOST_STEP).min(RADII - 1);
                for (p, before) in sum.iter().enumerate().take(high + 1).skip(low) {
                    let d = k as f64 - p as f64;
                    let total = before + 0.10 * d * d;
                    if total < next[k] {
                        next[k] = total;
                        from[n % DIRECTIONS][k] = p as u8;
                    }
                }
                if n < DIRECTIONS {
                    next[k] += cost[n][k];
                }
            }
            sum = next;
        }
        if sum[start] < best.0 {
            let mut path = [0usize; DIRECTIONS];
            path[0] = start;
            let mut at = usize::from(from[0][start]);
            for n in (1..DIRECTIONS).rev() {
                path[n] = at;
                at = usize::from(from[n][at]);
            }
            best = (sum[start], path);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::mr::chain::Evidence;

    #[test]
    fn the_contour_of_a_bright_box_is_its_edge() {
        // 24 rows high, 30 columns deep, about (60, 60); the guess is off by two pixels.
        let values = (0..120 * 120)
            .map(|n| {
                let (r, c) = (n / 120, n % 120);
                if (48..72).contains(&r) && (45..75).contains(&c) { 1.0 } else { -1.0 }
            })
            .collect();
        let slice = NormalisedSlice { slice: 0.0, plane: Plane::new(120, 120, values) };
        let body = BodyBox {
            row: 59.5,
            column: 59.5,
            pitch: 32.0,
            direction: 0.0,
            slab: 0,
            half_depth: 17.0,
            height: 22.0,
            evidence: Evidence { plates: 1.0, likeness: 1.0, core: true },
        };
        let found = contours(&body, 0.0, 20.0, &[slice], 1.0, 1.0);
        let radii = found[0].radii;
        // Down (12), back (15), up (12), front (15).
        for (n, expected) in [(0, 12.0), (18, 15.0), (36, 12.0), (54, 15.0)] {
            assert!((radii[n] - expected).abs() <= 1.0, "direction {n}: {}", radii[n]);
        }
    }
}
