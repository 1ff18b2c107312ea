//! The chain of bodies: pairs of discs are body hypotheses (links), and dynamic programming over
//! links finds the chain whose neighbours look alike, keep their distance and bend gently.
//!
//! A link is a state, so the transition sees three discs (second order). Lengths in pixels of the
//! stack, angles in degrees.

use super::plate_response::{NORMALS, Slab, normal, sample_directional};
use crate::kernels::plane::Plane;

/// Radius in which a disc candidate is the greatest.
const SUPPRESSION: usize = 4;
/// Candidates kept in a slab.
const CANDIDATES: usize = 260;
/// Least and greatest distance of neighbouring discs.
const PITCH: (f64, f64) = (19.0, 46.0);
/// Greatest angle between a link and the normals of its discs.
const DIRECTION_TOLERANCE: f64 = 34.0;
/// Directions that a spine takes.
const DIRECTIONS: (f64, f64) = (-45.0, 85.0);
/// Responses are capped at this multiple of the reference.
const RESPONSE_CAP: f64 = 1.3;
const INTERIOR_WEIGHT: f64 = 0.8;
const LINK_COST: f64 = 0.10;
const LIKENESS_OFFSET: f64 = 0.2;
/// Steepest turn and greatest change of the log pitch between neighbours.
const MOST_TURN: f64 = 40.0;
const MOST_PITCH_CHANGE: f64 = 0.6;
/// Side of the square of patch samples.
pub const PATCH_SIDE: usize = 22;
/// Number of patch samples.
pub const PATCH: usize = PATCH_SIDE * PATCH_SIDE;

/// A body as a box on a slab.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyBox {
    /// Centre.
    pub row: f64,
    /// Centre.
    pub column: f64,
    /// Distance of its two discs.
    pub pitch: f64,
    /// Direction to the feet: 0 straight down, positive to the back.
    pub direction: f64,
    /// Slab it was seen on.
    pub slab: usize,
    /// Half of its depth, front to back.
    pub half_depth: f64,
    /// Its height.
    pub height: f64,
    /// How well it was seen.
    pub evidence: Evidence,
}

/// What speaks for a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Plates above and below less plates inside, in units of the reference response.
    pub plates: f64,
    /// Greatest likeness (normalised correlation) with a neighbour.
    pub likeness: f64,
    /// Found by the chain itself, not by its extension.
    pub core: bool,
}

impl BodyBox {
    /// Unit vectors (row, column) to the feet and to the back.
    pub fn axes(&self) -> ([f64; 2], [f64; 2]) {
        axes(self.direction)
    }
}

/// Unit vectors (row, column) along a direction and across it towards the back.
pub fn axes(direction: f64) -> ([f64; 2], [f64; 2]) {
    let (sin, cos) = (libm::sin(direction.to_radians()), libm::cos(direction.to_radians()));
    ([cos, sin], [-sin, cos])
}

/// The best chain of a slab.
pub struct Chain {
    /// Sum of all terms: decides whether this is a spine.
    pub score: f64,
    /// 90th percentile of the candidates' responses: the unit of all responses.
    pub reference: f64,
    /// From head to feet.
    pub bodies: Vec<BodyBox>,
}

struct Candidate {
    row: f64,
    column: f64,
    normal: f64,
    response: f64,
}

struct Link {
    upper: usize,
    lower: usize,
    centre: [f64; 2],
    pitch: f64,
    direction: f64,
    unary: f64,
    patch: Vec<f32>,
}

/// The best chain of links on one slab, or `None` when no two plates make a pair.
pub fn find_chain(slab: &Slab, slab_index: usize) -> Option<Chain> {
    let candidates = candidates(&slab.response);
    let reference = percentile(candidates.iter().map(|c| c.response).collect(), 0.9)? + 1e-6;
    let mut links = links(slab, &candidates, reference);
    links.sort_by(|a, b| a.centre[0].total_cmp(&b.centre[0]));
    let mut ending_at: Vec<Vec<usize>> = vec![Vec::new(); candidates.len()];
    let mut best: Vec<f64> = Vec::with_capacity(links.len());
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(links.len());
    for (m, link) in links.iter().enumerate() {
        let mut step: Option<(f64, usize)> = None;
        for &p in &ending_at[link.upper] {
            let before = &links[p];
            let pitch_change = libm::fabs(libm::log(link.pitch / before.pitch));
            let turn = link.direction - before.direction;
            let turn = if turn > 0.0 { 0.75 * turn } else { -turn };
            if turn > MOST_TURN || pitch_change > MOST_PITCH_CHANGE {
                continue;
            }
            let tilt =
                candidates[link.upper].normal - f64::midpoint(link.direction, before.direction);
            let geometry = best[p]
                - 0.3 * square(pitch_change / 0.25)
                - 0.3 * square(turn / 20.0)
                - 0.15 * square(tilt / 15.0);
            let to_beat = step.map_or(0.0, |s| s.0);
            // No likeness can lift it above the best: spare the correlation.
            if geometry + 1.0 - LIKENESS_OFFSET <= to_beat {
                continue;
            }
            let likeness = f64::from(dot(&before.patch, &link.patch));
            let total = geometry + likeness - LIKENESS_OFFSET;
            if total > to_beat {
                step = Some((total, p));
            }
        }
        best.push(link.unary + step.map_or(0.0, |s| s.0));
        previous.push(step.map(|s| s.1));
        ending_at[link.lower].push(m);
    }
    let mut last = None;
    for (m, &score) in best.iter().enumerate() {
        if last.is_none_or(|l: usize| score > best[l]) {
            last = Some(m);
        }
    }
    let score = best[last?];
    let mut members = Vec::new();
    let mut at = last;
    while let Some(m) = at {
        members.push(m);
        at = previous[m];
    }
    members.reverse();
    let likeness = |a: usize, b: usize| f64::from(dot(&links[a].patch, &links[b].patch));
    let bodies = (0..members.len())
        .map(|n| {
            let link = &links[members[n]];
            let above = n.checked_sub(1).map(|p| likeness(members[p], members[n]));
            let below = members.get(n + 1).map(|&q| likeness(members[n], q));
            BodyBox {
                row: link.centre[0],
                column: link.centre[1],
                pitch: link.pitch,
                direction: link.direction,
                slab: slab_index,
                half_depth: 16.0,
                height: 0.72 * link.pitch,
                evidence: Evidence {
                    plates: link.unary + LINK_COST,
                    likeness: above.unwrap_or(0.0).max(below.unwrap_or(0.0)),
                    core: true,
                },
            }
        })
        .collect();
    Some(Chain { score, reference, bodies })
}

fn square(x: f64) -> f64 {
    x * x
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Four sums that may run side by side; their order is fixed.
    let mut sums = [0.0f32; 4];
    for (x, y) in a.chunks_exact(4).zip(b.chunks_exact(4)) {
        for n in 0..4 {
            sums[n] += x[n] * y[n];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Greatest responses over direction and neighbourhood, strongest first.
fn candidates(response: &[Plane]) -> Vec<Candidate> {
    let Some(first) = response.first() else { return Vec::new() };
    let (rows, columns) = (first.rows(), first.columns());
    let mut greatest = first.values().to_vec();
    let mut which = vec![0usize; greatest.len()];
    for (t, plane) in response.iter().enumerate().take(NORMALS).skip(1) {
        for (n, &v) in plane.values().iter().enumerate() {
            if v > greatest[n] {
                greatest[n] = v;
                which[n] = t;
            }
        }
    }
    let mut found = Vec::new();
    for r in 0..rows {
        for c in 0..columns {
            let v = greatest[r * columns + c];
            let (r0, r1) = (r.saturating_sub(SUPPRESSION), (r + SUPPRESSION).min(rows - 1));
            let (c0, c1) = (c.saturating_sub(SUPPRESSION), (c + SUPPRESSION).min(columns - 1));
            let is_peak = (r0..=r1)
                .all(|y| greatest[y * columns + c0..=y * columns + c1].iter().all(|&w| w <= v));
            if is_peak {
                found.push(Candidate {
                    row: r as f64,
                    column: c as f64,
                    normal: normal(which[r * columns + c]),
                    response: f64::from(v),
                });
            }
        }
    }
    found.sort_by(|a, b| b.response.total_cmp(&a.response));
    found.truncate(CANDIDATES);
    found
}

fn links(slab: &Slab, candidates: &[Candidate], reference: f64) -> Vec<Link> {
    let (rows, columns) = (slab.normalised.rows() as f64, slab.normalised.columns() as f64);
    let mut out = Vec::new();
    for (i, a) in candidates.iter().enumerate() {
        for (j, b) in candidates.iter().enumerate() {
            let (z, y) = (b.row - a.row, b.column - a.column);
            let pitch = libm::sqrt(z * z + y * y);
            if !(z > 0.0 && pitch > PITCH.0 && pitch < PITCH.1) {
                continue;
            }
            let direction = libm::atan2(y, z).to_degrees();
            let leans = |normal: f64| libm::fabs(direction - normal) > DIRECTION_TOLERANCE;
            if leans(a.normal)
                || leans(b.normal)
                || direction <= DIRECTIONS.0
                || direction >= DIRECTIONS.1
            {
                continue;
            }
            let centre = [f64::midpoint(a.row, b.row), f64::midpoint(a.column, b.column)];
            let inside = centre[0] > 2.0
                && centre[0] < rows - 2.0
                && centre[1] > 6.0
                && centre[1] < columns - 6.0;
            if !inside {
                // In the prototype worth -5: never part of a best chain.
                continue;
            }
            let at = |row: f64, column: f64| {
                sample_directional(&slab.response, direction, row, column) / reference
            };
            let ends = at(a.row, a.column).min(RESPONSE_CAP).min(at(b.row, b.column));
            let (axis, _) = axes(direction);
            let interior = (-2..=2)
                .map(|n| {
                    let u = 0.1 * f64::from(n) * pitch;
                    at(centre[0] + u * axis[0], centre[1] + u * axis[1])
                })
                .sum::<f64>()
                / 5.0;
            let unary = ends - INTERIOR_WEIGHT * interior.max(-0.3) - LINK_COST;
            let patch = unit_patch(&slab.smooth, centre, pitch, direction);
            out.push(Link { upper: i, lower: j, centre, pitch, direction, unary, patch });
        }
    }
    out
}

/// Places of the patch samples: along the axis -0.7..0.7 pitches, across -20..32.5 pixels (the
/// back, with the canal, is the longer side).
pub fn patch_places(
    centre: [f64; 2],
    pitch: f64,
    direction: f64,
) -> impl Iterator<Item = (f64, f64)> {
    let (axis, across) = axes(direction);
    (0..PATCH_SIDE).flat_map(move |m| {
        let u = (-0.7 + 1.4 * m as f64 / (PATCH_SIDE - 1) as f64) * pitch;
        (0..PATCH_SIDE).map(move |n| {
            let w = -20.0 + 2.5 * n as f64;
            (centre[0] + u * axis[0] + w * across[0], centre[1] + u * axis[1] + w * across[1])
        })
    })
}

fn unit_patch(plane: &Plane, centre: [f64; 2], pitch: f64, direction: f64) -> Vec<f32> {
    let mut patch: Vec<f32> = patch_places(centre, pitch, direction)
        .map(|(row, column)| plane.sample(row, column) as f32)
        .collect();
    let mean = patch.iter().sum::<f32>() / PATCH as f32;
    for v in &mut patch {
        *v -= mean;
    }
    let norm = dot(&patch, &patch).sqrt() + 1.0;
    for v in &mut patch {
        *v /= norm;
    }
    patch
}

/// Value below which `share` of the values lie, linear between them; `None` for no values.
pub fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let low = at as usize;
    let high = (low + 1).min(last);
    Some(values[low] + (values[high] - values[low]) * (at - low as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_between_the_sorted_values() {
        assert_eq!(percentile(vec![3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(percentile(vec![0.0, 10.0], 0.9), Some(9.0));
        assert_eq!(percentile(Vec::new(), 0.5), None);
    }

    #[test]
    fn a_patch_reaches_farther_to_the_back_than_to_the_front() {
        let places: Vec<(f64, f64)> = patch_places([100.0, 100.0], 30.0, 0.0).collect();
        let front = places.iter().fold(f64::INFINITY, |a, p| a.min(p.1));
        let back = places.iter().fold(0.0f64, |a, p| a.max(p.1));
        assert_eq!((places.len(), front, back), (PATCH, 80.0, 132.5));
    }
}
