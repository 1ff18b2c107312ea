//! The side wall of a body: in every cross section a closed path of radii about the axis.
//!
//! # Method
//! In each millimetre of height 64 radial profiles. The radius gains the outward fall from bone to
//! soft tissue over 6 mm and pays for its distance from a prior shape; a closed Viterbi keeps
//! neighbouring directions together; a median over direction and height removes what is left; last
//! each wall moves to the steepest place within 2.5 mm.

use super::body_volume::{BodyVolume, InPlane};
use crate::anatomy::surface::OUTLINE_DIRECTIONS;
use crate::kernels::median;

/// Step of the radius, mm, and number of steps.
const STEP_MM: f64 = 0.5;
const STEPS: usize = 76;
/// Least radius, steps.
const LEAST: usize = 6;
/// Half window of the coarse fall, steps: 3 mm to either side.
const HALF_WINDOW: usize = 6;
/// Half window of the fine fall, steps: 1.5 mm to either side.
const FINE_WINDOW: usize = 3;
/// Fall that gains one point, HU.
const FALL_SCALE_HU: f64 = 150.0;
/// Standard deviation of the prior shape, mm.
const PRIOR_SIGMA_MM: f64 = 6.0;
/// Largest change from one direction to the next, steps, and the cost of one step, squared.
const REACH: usize = 3;
const CHANGE_COST: f64 = 0.04;
/// How far the wall may move to the steepest place, steps.
const REFINE: usize = 5;
/// A fall that counts as a wall seen, HU.
pub const SEEN_FALL_HU: f64 = 50.0;

/// The expected shape of a cross section: distances from the axis, mm.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    /// To the front wall.
    pub front: f64,
    /// To the back wall.
    pub back: f64,
    /// To each side wall.
    pub side: f64,
}

impl Prior {
    /// Distance to the wall in a direction from anterior (0) towards the left, radians.
    pub fn radius(&self, angle: f64) -> f64 {
        let (c, s) = (libm::cos(angle), libm::sin(angle));
        // Rounded in front, squarer behind, where the body meets the pedicles.
        let (axis, power) = if c >= 0.0 { (self.front, 2.2) } else { (self.back * 1.15, 3.0) };
        let sum = libm::pow(c.abs() / axis, power) + libm::pow(s.abs() / self.side, power);
        let round = libm::pow(sum.max(1e-12), -1.0 / power);
        if c < -0.05 { round.min(self.back / -c) } else { round }
    }
}

/// Radii of the side wall.
pub struct Outlines {
    /// For each millimetre of height from `first_s` on, mm.
    pub radii: Vec<[f32; OUTLINE_DIRECTIONS]>,
    /// Height of the first, mm.
    pub first_s: i32,
    /// Share of walls (pedicles left out) at which bone ends visibly.
    pub seen_share: f64,
}

/// Angle of a direction, radians.
pub fn angle(direction: usize) -> f64 {
    std::f64::consts::TAU * direction as f64 / OUTLINE_DIRECTIONS as f64
}

/// Outlines at heights `from..=to`.
pub fn outlines(volume: &BodyVolume, prior: &Prior, from: i32, to: i32) -> Outlines {
    let rays: Vec<[InPlane; SAMPLES]> = (0..OUTLINE_DIRECTIONS).map(ray).collect();
    // Each plane is part of three sections.
    let planes: Vec<Plane> = (from - 1..=to + 1)
        .map(|s| rays.iter().map(|ray| ray.map(|at| volume.in_plane(s, &at))).collect())
        .collect();
    let sections: Vec<Section> =
        planes.windows(3).map(|w| Section::new([&w[0], &w[1], &w[2]])).collect();
    let expected: Vec<f64> = (0..OUTLINE_DIRECTIONS).map(|d| prior.radius(angle(d))).collect();
    let coarse: Vec<[usize; OUTLINE_DIRECTIONS]> =
        sections.iter().map(|section| section.closed_path(prior, &expected)).collect();
    let smooth = median_filtered(&coarse, 2);
    let (mut seen, mut asked) = (0u32, 0u32);
    let refined: Vec<[f64; OUTLINE_DIRECTIONS]> = sections
        .iter()
        .zip(&smooth)
        .map(|(section, radii)| {
            std::array::from_fn(|d| {
                let (radius, fall) = section.steepest_near(d, radii[d], prior);
                // Where the pedicles leave, bone goes on: no wall is to be seen there.
                let c = libm::cos(angle(d));
                if !(-0.92..=-0.35).contains(&c) {
                    asked += 1;
                    seen += u32::from(fall > SEEN_FALL_HU);
                }
                radius
            })
        })
        .collect();
    let steps: Vec<[usize; OUTLINE_DIRECTIONS]> =
        refined.iter().map(|r| r.map(|mm| libm::round(mm * 8.0) as usize)).collect();
    let radii = median_filtered(&steps, 1)
        .into_iter()
        .map(|r| r.map(|eighths| (eighths / 8.0) as f32))
        .collect();
    Outlines { radii, first_s: from, seen_share: f64::from(seen) / f64::from(asked.max(1)) }
}

/// Radial profiles of one cross section.
struct Section {
    /// Fall over the coarse window, HU, `[direction][step]`.
    falls: Vec<Vec<f64>>,
    /// Fall over the fine window.
    fine: Vec<Vec<f64>>,
}

/// Samples along a ray: the coarse window reaches beyond the last step.
const SAMPLES: usize = STEPS + HALF_WINDOW;

/// The values of one plane along the rays.
type Plane = Vec<[f32; SAMPLES]>;

/// The places along the ray in a direction.
fn ray(direction: usize) -> [InPlane; SAMPLES] {
    let (c, sine) = (libm::cos(angle(direction)), libm::sin(angle(direction)));
    std::array::from_fn(|n| {
        let r = n as f64 * STEP_MM;
        InPlane::new(r * c, r * sine)
    })
}

impl Section {
    /// The section of the middle one of three planes: one millimetre above and below are averaged
    /// in against noise.
    fn new(planes: [&Plane; 3]) -> Self {
        let (mut falls, mut fine) = (Vec::new(), Vec::new());
        for d in 0..OUTLINE_DIRECTIONS {
            let profile: [f64; SAMPLES] = std::array::from_fn(|n| {
                let (mut sum, mut weight) = (0.0, 0.0);
                for (plane, w) in planes.into_iter().zip([1.0, 2.0, 1.0]) {
                    let value = f64::from(plane[d][n]);
                    if value.is_finite() {
                        sum += w * value;
                        weight += w;
                    }
                }
                if weight > 0.0 { sum / weight } else { f64::NAN }
            });
            falls.push(falls_of(&profile, HALF_WINDOW));
            fine.push(falls_of(&profile, FINE_WINDOW));
        }
        Self { falls, fine }
    }

    /// Steps of the closed path with the greatest gain.
    fn closed_path(&self, prior: &Prior, expected: &[f64]) -> [usize; OUTLINE_DIRECTIONS] {
        let gains: Vec<Vec<f64>> = (0..OUTLINE_DIRECTIONS)
            .map(|d| {
                let expected = expected[d];
                let limit = back_limit(prior, d);
                (0..STEPS)
                    .map(|n| {
                        let r = n as f64 * STEP_MM;
                        if n < LEAST || r > limit {
                            return f64::NEG_INFINITY;
                        }
                        let off = (r - expected) / PRIOR_SIGMA_MM;
                        let fall = self.falls[d][n];
                        let fall = if fall.is_finite() { fall / FALL_SCALE_HU } else { 0.0 };
                        fall.clamp(-1.0, 1.5) - 0.5 * off * off
                    })
                    .collect()
            })
            .collect();
        // Closed by running twice about and keeping the middle turn: the ends have settled.
        let order: Vec<usize> = (0..2 * OUTLINE_DIRECTIONS)
            .map(|n| (n + OUTLINE_DIRECTIONS / 2) % OUTLINE_DIRECTIONS)
            .collect();
        let path = open_path(&order, &gains);
        let mut out = [0usize; OUTLINE_DIRECTIONS];
        let quarter = OUTLINE_DIRECTIONS / 2;
        for n in quarter..quarter + OUTLINE_DIRECTIONS {
            out[order[n]] = path[n];
        }
        out
    }

    /// The steepest place near a radius in steps, in mm with parts of a step, and its fall.
    fn steepest_near(&self, d: usize, steps: f64, prior: &Prior) -> (f64, f64) {
        let centre = libm::round(steps) as usize;
        let limit = back_limit(prior, d);
        let fine = &self.fine[d];
        let mut best = (f64::NEG_INFINITY, centre);
        let range = centre.saturating_sub(REFINE).max(LEAST)..=(centre + REFINE).min(STEPS - 2);
        for (n, fall) in range.clone().zip(&fine[range]) {
            let away = (n as f64 - steps) / REFINE as f64;
            let value = fall - 30.0 * away * away;
            if n as f64 * STEP_MM <= limit && value > best.0 {
                best = (value, n);
            }
        }
        let (value, n) = best;
        if value <= SEEN_FALL_HU / 2.0 {
            return (steps * STEP_MM, fine.get(centre).copied().unwrap_or(0.0));
        }
        let (a, b, c) = (fine[n - 1], fine[n], fine[n + 1]);
        let curve = a - 2.0 * b + c;
        let shift = if curve < -1e-6 { (0.5 * (a - c) / curve).clamp(-0.5, 0.5) } else { 0.0 };
        ((n as f64 + shift) * STEP_MM, b)
    }
}

/// Farthest radius in a direction to the back: 3 mm behind the expected back wall, so that the
/// path cannot cross the canal to the lamina; room for a bulging wall.
fn back_limit(prior: &Prior, d: usize) -> f64 {
    let c = libm::cos(angle(d));
    if c < -0.05 { (prior.back + 3.0) / -c } else { f64::INFINITY }
}

/// Mean of the `window` values before each place less that of the `window` values from it on.
fn falls_of(profile: &[f64], window: usize) -> Vec<f64> {
    (0..STEPS)
        .map(|n| {
            if n < window || n + window > profile.len() {
                return f64::NAN;
            }
            let mean = |part: &[f64]| part.iter().sum::<f64>() / window as f64;
            // The value at the place itself belongs to neither side.
            let outside = &profile[n + 1..(n + 1 + window).min(profile.len())];
            if outside.len() < window {
                return f64::NAN;
            }
            mean(&profile[n - window..n]) - mean(outside)
        })
        .collect()
}

fn open_path(order: &[usize], gains: &[Vec<f64>]) -> Vec<usize> {
    let costs: [f64; REACH + 1] = std::array::from_fn(|n| {
        let change = n as f64;
        CHANGE_COST * change * change
    });
    let mut best = gains[order[0]].clone();
    let mut from: Vec<Vec<u8>> = Vec::with_capacity(order.len());
    for &d in &order[1..] {
        let mut next = vec![f64::NEG_INFINITY; STEPS];
        let mut steps = vec![0u8; STEPS];
        for n in 0..STEPS {
            if gains[d][n] == f64::NEG_INFINITY {
                continue;
            }
            let range = n.saturating_sub(REACH)..=(n + REACH).min(STEPS - 1);
            for (m, before) in range.clone().zip(&best[range]) {
                let value = before - costs[n.abs_diff(m)];
                if value > next[n] {
                    next[n] = value;
                    steps[n] = m as u8;
                }
            }
            next[n] += gains[d][n];
        }
        best = next;
        from.push(steps);
    }
    let mut n = 0;
    for (candidate, &value) in best.iter().enumerate() {
        if value > best[n] {
            n = candidate;
        }
    }
    let mut path = vec![n];
    for steps in from.iter().rev() {
        n = usize::from(steps[n]);
        path.push(n);
    }
    path.reverse();
    path
}

/// Median over `reach` neighbours in direction (closed) and height (open).
fn median_filtered(
    radii: &[[usize; OUTLINE_DIRECTIONS]],
    reach: usize,
) -> Vec<[f64; OUTLINE_DIRECTIONS]> {
    (0..radii.len())
        .map(|s| {
            std::array::from_fn(|d| {
                let rows = s.saturating_sub(reach)..(s + reach + 1).min(radii.len());
                let values = rows.flat_map(|t| {
                    (0..=2 * reach).map(move |n| {
                        radii[t][(d + OUTLINE_DIRECTIONS + n - reach) % OUTLINE_DIRECTIONS] as f64
                    })
                });
                median(values).unwrap_or(0.0)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Frame, Grid, LpsPoint, LpsVector, VoxelIndex};
    use crate::volume::{Validity, Volume};

    #[test]
    fn the_wall_of_a_round_body_is_found_where_it_is_not_where_it_was_expected() {
        let grid = Grid::new(
            [90, 90, 30],
            LpsPoint::new(-45.0, -45.0, -15.0),
            LpsVector::new(1.0, 0.0, 0.0),
            LpsVector::new(0.0, 1.0, 0.0),
            LpsVector::new(0.0, 0.0, 1.0),
        )
        .unwrap();
        let mut voxels = vec![40i16; grid.len()];
        for k in 0..30 {
            for j in 0..90 {
                for i in 0..90 {
                    let index = VoxelIndex { i, j, k };
                    let p = grid.voxel_to_lps(index);
                    if p.x() * p.x() + p.y() * p.y() < 18.0 * 18.0 {
                        voxels[grid.offset(index)] = 200;
                    }
                }
            }
        }
        let frame = Frame::from_up_and_anterior(
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::HEAD,
            LpsVector::ANTERIOR,
        )
        .unwrap();
        let volume = Volume { grid, voxels, validity: Validity::default() };
        let body = BodyVolume::new(&volume, &frame, 10);
        let prior = Prior { front: 20.0, back: 17.0, side: 21.0 };
        let found = outlines(&body, &prior, -4, 4);
        for radii in &found.radii {
            for radius in radii {
                assert!((radius - 18.0).abs() < 0.8, "{radius}");
            }
        }
        assert!(found.seen_share > 0.99);
    }
}
