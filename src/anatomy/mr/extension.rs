//! The chain grows at both ends, body by body, while the next one looks like the last.
//!
//! About a thousand hypotheses each (pitch, turn, jog, neighbouring slabs). A far disc outside
//! the picture is worth something, so that bodies cut by the field are kept.

use super::chain::{BodyBox, Evidence, PATCH, axes, patch_places};
use super::plate_response::{NEIGHBOUR_MM, Slab, sample_directional_or_zero};
use super::sagittal_stack::SagittalStack;
use crate::kernels::plane::Plane;

/// 0.55 in the prototype, whose likeness limit was lower.
const LEAST_SCORE: f64 = 0.48;
/// The prototype took 0.2: one body of pelvic organs came with 0.21, true ones with 0.35 and more.
const LEAST_LIKENESS: f64 = 0.3;
/// A body that leans more than this may be S1, and S2 is no vertebra here: what follows must look
/// better (S2 reached 0.73 in the trials, S1 below a leaning L5 0.93). Beyond the second limit
/// nothing follows.
const MAYBE_SACRAL_DIRECTION: f64 = 35.0;
const SACRAL_DIRECTION: f64 = 45.0;
const LEAST_SCORE_BELOW_SACRAL: f64 = 0.85;
const MOST_INTERIOR: f64 = 0.4;
const MOST_BODIES: usize = 26;
const RESPONSE_CAP: f64 = 1.2;
const DISC_OUT_OF_VIEW: f64 = 0.35;
const LEAST_SAMPLES_IN_VIEW: f64 = 0.5;

#[derive(Clone, Copy, PartialEq)]
enum End {
    Head,
    Feet,
}

/// Extends a chain (head to feet) at both ends.
pub fn extend(
    mut bodies: Vec<BodyBox>,
    slabs: &[Slab],
    stack: &SagittalStack,
    reference: f64,
) -> Vec<BodyBox> {
    for end in [End::Head, End::Feet] {
        while bodies.len() < MOST_BODIES {
            let Some(next) = next_body(&bodies, end, slabs, stack, reference) else { break };
            match end {
                End::Head => bodies.insert(0, next),
                End::Feet => bodies.push(next),
            }
        }
    }
    bodies
}

struct Found {
    score: f64,
    interior: f64,
    body: BodyBox,
}

fn next_body(
    bodies: &[BodyBox],
    end: End,
    slabs: &[Slab],
    stack: &SagittalStack,
    reference: f64,
) -> Option<BodyBox> {
    let (last, before) = match end {
        End::Head => (bodies.first()?, bodies.get(1)),
        End::Feet => (bodies.last()?, bodies.len().checked_sub(2).and_then(|n| bodies.get(n))),
    };
    if end == End::Feet && last.direction >= SACRAL_DIRECTION {
        return None;
    }
    let sign = if end == End::Head { -1.0 } else { 1.0 };
    let curve = before.map_or(0.0, |b| 0.5 * (last.direction - b.direction).clamp(-12.0, 12.0));
    let (axis, across) = last.axes();
    let start = [
        last.row + sign * axis[0] * last.pitch / 2.0,
        last.column + sign * axis[1] * last.pitch / 2.0,
    ];
    let own =
        Patch::of(&slabs[last.slab].smooth, [last.row, last.column], last.pitch, last.direction);
    let (rows, columns) = (stack.rows() as f64, stack.columns() as f64);
    let turns: (f64, f64, usize) =
        if end == End::Head { (-32.0, 32.0, 9) } else { (-28.0, 52.0, 11) };
    let mut best: Option<Found> = None;
    for (index, slab) in slabs.iter().enumerate() {
        if libm::fabs(slab.slice - slabs[last.slab].slice) * stack.slice_mm > NEIGHBOUR_MM {
            continue;
        }
        for f in 0..11 {
            let factor = 0.7 + 0.07 * f64::from(f);
            let pitch = last.pitch * factor;
            if !(pitch > 18.0 && pitch < 48.0) {
                continue;
            }
            for t in 0..turns.2 {
                let turn = turns.0 + (turns.1 - turns.0) * t as f64 / (turns.2 - 1) as f64;
                let direction = last.direction + turn;
                if !(direction > -45.0 && direction < 92.0) {
                    continue;
                }
                let (down, _) = axes(direction);
                for jog in [-4.0, 0.0, 4.0] {
                    for gap in [-3.0, 0.0, 3.0] {
                        let s = [
                            start[0] + jog * across[0] + gap * axis[0],
                            start[1] + jog * across[1] + gap * axis[1],
                        ];
                        let at = |share: f64| {
                            let d = sign * share * pitch;
                            [s[0] + d * down[0], s[1] + d * down[1]]
                        };
                        let (c, e) = (at(0.5), at(1.0));
                        if !(c[0] > 3.0 && c[0] < rows - 4.0 && c[1] > 5.0 && c[1] < columns - 5.0)
                        {
                            continue;
                        }
                        let response = |p: [f64; 2]| {
                            let r =
                                sample_directional_or_zero(&slab.response, direction, p[0], p[1]);
                            (r / reference).min(RESPONSE_CAP)
                        };
                        let out_of_view = e[0] < 3.0 || e[0] > rows - 4.0;
                        let far = if out_of_view { DISC_OUT_OF_VIEW } else { response(e) };
                        let near = response(s);
                        let interior = [0.32, 0.5, 0.68]
                            .iter()
                            .map(|&share| response(at(share)).max(-0.3))
                            .sum::<f64>()
                            / 3.0;
                        let away = turn - curve;
                        let ease = if away > 0.0 && end == End::Feet { 0.65 } else { 1.0 };
                        let plates = far.min(near + 0.3) - 0.8 * interior;
                        let bend = away / 18.0;
                        let stretch = libm::log(factor) / 0.22;
                        let geometry = plates - 0.3 * stretch * stretch - 0.2 * ease * bend * bend;
                        if best.as_ref().is_some_and(|b| geometry + 1.0 <= b.score) {
                            continue;
                        }
                        let patch = Patch::of(&slab.smooth, c, pitch, direction);
                        let (likeness, in_view) = own.likeness(&patch);
                        if in_view < LEAST_SAMPLES_IN_VIEW {
                            continue;
                        }
                        let doubt = if likeness < LEAST_LIKENESS { 0.6 } else { 0.0 };
                        let score = geometry + likeness - doubt;
                        if best.as_ref().is_none_or(|b| score > b.score) {
                            best = Some(Found {
                                score,
                                interior,
                                body: BodyBox {
                                    row: c[0],
                                    column: c[1],
                                    pitch,
                                    direction,
                                    slab: index,
                                    half_depth: last.half_depth,
                                    height: 0.72 * pitch,
                                    evidence: Evidence { plates, likeness, core: false },
                                },
                            });
                        }
                    }
                }
            }
        }
    }
    if let Some(b) = &best {
        tracing::debug!(
            towards = if end == End::Head { "head" } else { "feet" },
            score = b.score,
            likeness = b.body.evidence.likeness,
            interior = b.interior,
            direction_degrees = b.body.direction,
            "next body"
        );
    }
    let leans = end == End::Feet && last.direction >= MAYBE_SACRAL_DIRECTION;
    let least_score = if leans { LEAST_SCORE_BELOW_SACRAL } else { LEAST_SCORE };
    best.filter(|b| {
        b.score >= least_score
            && b.body.evidence.likeness >= LEAST_LIKENESS
            && b.interior <= MOST_INTERIOR
    })
    .map(|b| b.body)
}

/// Patch samples with whether they lie inside the picture.
struct Patch {
    values: Vec<f32>,
    inside: Vec<f32>,
}

impl Patch {
    fn of(plane: &Plane, centre: [f64; 2], pitch: f64, direction: f64) -> Self {
        let mut values = Vec::with_capacity(PATCH);
        let mut inside = Vec::with_capacity(PATCH);
        for (row, column) in patch_places(centre, pitch, direction) {
            values.push(plane.sample(row, column) as f32);
            inside.push(if plane.holds(row, column) { 1.0 } else { 0.0 });
        }
        Self { values, inside }
    }

    /// Normalised correlation over the samples inside both pictures, and their share.
    fn likeness(&self, other: &Self) -> (f64, f64) {
        let weights = || self.inside.iter().zip(&other.inside).map(|(a, b)| a * b);
        let count = weights().sum::<f32>() + 1e-6;
        let mean = |v: &[f32]| weights().zip(v).map(|(w, v)| w * v).sum::<f32>() / count;
        let (ma, mb) = (mean(&self.values), mean(&other.values));
        let (mut aa, mut bb, mut ab) = (0.0f32, 0.0f32, 0.0f32);
        for ((w, a), b) in weights().zip(&self.values).zip(&other.values) {
            let (a, b) = ((a - ma) * w, (b - mb) * w);
            aa += a * a;
            bb += b * b;
            ab += a * b;
        }
        (f64::from(ab / ((aa * bb).sqrt() + 1.0)), f64::from(count) / PATCH as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_like_itself_and_unlike_its_negative() {
        let values = (0..120 * 120).map(|n| (n * 31 % 17) as f32 - 8.0).collect();
        let plane = Plane::new(120, 120, values);
        let patch = Patch::of(&plane, [60.0, 55.0], 30.0, 10.0);
        let mut negative = Patch::of(&plane, [60.0, 55.0], 30.0, 10.0);
        for v in &mut negative.values {
            *v = -*v;
        }
        assert!(patch.likeness(&patch).0 > 0.99);
        assert!(patch.likeness(&negative).0 < -0.99);
    }

    #[test]
    fn samples_outside_the_picture_do_not_count() {
        let plane = Plane::new(120, 120, vec![1.0; 120 * 120]);
        let whole = Patch::of(&plane, [60.0, 55.0], 30.0, 0.0);
        let cut = Patch::of(&plane, [0.0, 55.0], 30.0, 0.0);
        assert!((whole.likeness(&cut).1 - 0.5).abs() < 0.05);
    }
}
