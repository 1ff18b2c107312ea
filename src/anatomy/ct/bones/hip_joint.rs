//! The ball of the hip: a sphere fitted to the joint space around the femoral head.

use crate::anatomy::ct::coarse::Coarse;
use crate::geometry::{Frame, LpsPoint, LpsVector};

/// Where the centre is looked for against S1, mm: to the side, below, behind (negative: ahead).
const ASIDE_MM: (f64, f64) = (60.0, 122.0);
const BELOW_MM: (f64, f64) = (55.0, 190.0);
const BEHIND_MM: (f64, f64) = (-90.0, 45.0);
/// Radii of adult femoral heads, mm, with room.
const RADII_MM: [f64; 6] = [18.0, 20.0, 22.0, 24.0, 26.0, 28.0];
/// From just inside the ball to the joint space the density falls by this, HU.
const FALL_HU: f32 = 80.0;
/// A nail or a prosthesis is no ball of bone, HU.
const METAL_HU: f32 = 1400.0;
/// Just inside and just outside the ball, mm.
const INSIDE_MM: f64 = 1.5;
const OUTSIDE_MM: f64 = 3.0;
/// Share of directions that must show the fall: the neck and thick slices take some.
const LEAST_SHARE: f64 = 0.6;
/// The ball is bone: its mean on the rays is at least this, HU.
const LEAST_MEAN_HU: f64 = 150.0;

/// The ball of one hip.
#[derive(Clone, Copy, Debug)]
pub struct HipJoint {
    /// Centre of the femoral head.
    pub centre: LpsPoint,
    /// Its radius.
    pub radius_mm: f64,
    /// How sure.
    pub confidence: f64,
}

/// Finds the ball on one side (`sign` 1 left, -1 right).
pub fn hip_joint(coarse: &Coarse, s1: &Frame, sign: f64) -> Option<HipJoint> {
    let directions = directions();
    let hu = |p: LpsPoint| -> Option<f32> {
        let at = coarse.grid.nearest(p)?;
        Some(coarse.hu.at(at.i, at.j, at.k)).filter(|&hu| hu > -1500.0)
    };
    let score = |centre: LpsPoint, radius: f64| -> Option<f64> {
        let (mut falls, mut seen, mut mean) = (0u32, 0u32, 0.0);
        for &d in &directions {
            let (Some(inside), Some(outside)) =
                (hu(centre + d * (radius - INSIDE_MM)), hu(centre + d * (radius + OUTSIDE_MM)))
            else {
                continue;
            };
            seen += 1;
            falls += u32::from(inside - outside > FALL_HU && inside < METAL_HU);
            mean += f64::from(hu(centre + d * (0.5 * radius))?);
        }
        // At least three quarters of the ball in view.
        let all = directions.len() as f64;
        let enough = f64::from(seen) >= 0.75 * all && mean / f64::from(seen) >= LEAST_MEAN_HU;
        enough.then(|| f64::from(falls) / f64::from(seen))
    };
    let mut best: Option<(f64, LpsPoint, f64)> = None;
    let mut try_at = |centre: LpsPoint| {
        for radius in RADII_MM {
            if let Some(share) = score(centre, radius)
                && best.is_none_or(|(most, ..)| share > most)
            {
                best = Some((share, centre, radius));
            }
        }
    };
    let steps = |(low, high): (f64, f64), step: f64| {
        (0..=libm::floor((high - low) / step) as usize).map(move |n| low + n as f64 * step)
    };
    for aside in steps(ASIDE_MM, 4.0) {
        for below in steps(BELOW_MM, 4.0) {
            for behind in steps(BEHIND_MM, 4.0) {
                let sideways = s1.origin + s1.left * (sign * aside);
                let centre =
                    LpsPoint::new(sideways.x(), s1.origin.y() + behind, s1.origin.z() - below);
                // A ball begins as bone in its middle.
                if hu(centre).is_some_and(|hu| hu > 100.0) {
                    try_at(centre);
                }
            }
        }
    }
    let (_, rough, _) = best?;
    for n in 0..125 {
        let step = |n: usize| 1.5 * (n as f64 - 2.0);
        let (x, y, z) = (step(n % 5), step(n / 5 % 5), step(n / 25));
        for radius in RADII_MM {
            let centre = rough + LpsVector::new(x, y, z);
            if let Some(share) = score(centre, radius)
                && best.is_none_or(|(most, ..)| share > most)
            {
                best = Some((share, centre, radius));
            }
        }
    }
    let (share, centre, radius_mm) = best.filter(|(share, ..)| *share >= LEAST_SHARE)?;
    Some(HipJoint { centre, radius_mm, confidence: (0.5 + share - LEAST_SHARE).min(0.9) })
}

/// Directions spread evenly over the sphere (Fibonacci).
fn directions() -> Vec<LpsVector> {
    const COUNT: usize = 60;
    (0..COUNT)
        .map(|n| {
            let z = 1.0 - (2.0 * n as f64 + 1.0) / COUNT as f64;
            let r = libm::sqrt(1.0 - z * z);
            let turn = 2.399_963 * n as f64;
            LpsVector::new(r * libm::cos(turn), r * libm::sin(turn), z)
        })
        .collect()
}
