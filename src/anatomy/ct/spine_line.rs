//! From the canal map to a proven line of frames along the spine, or to "no spine".

use super::canal_map::canal_map;
use super::canal_path::{CanalPath, best_path, blank_around};
use super::centre_line::{centre_line, every_millimetre, frames, smoothed};
use super::coarse::Coarse;
use super::symmetry::{Symmetry, symmetry};
use crate::geometry::{Frame, LpsPoint};
use crate::kernels::{longest_run, median};

/// Shortest path that may be a spine, mm.
const MIN_LENGTH_MM: f64 = 24.0;
/// Least score (sum of canal likeness over 0.5, mm) that may be a spine.
const MIN_SCORE: f64 = 8.0;
/// Mirror correlation above which a point counts as symmetric.
const SYMMETRIC: f64 = 0.5;
/// Median mirror correlation that a spine has at least.
const MIN_SYMMETRY: f64 = 0.66;
/// Share of the path that must be symmetric.
const MIN_SYMMETRIC_SHARE: f64 = 0.55;
/// Line drawn out beyond the path at both ends, mm: bodies reach beyond their canal.
const EXTENSION_MM: usize = 25;
/// Skin nearer in front than this is a sternum, mm.
const MIN_SKIN_AHEAD_MM: f64 = 45.0;
/// How often a line that was not symmetric enough is moved onto its plane of symmetry.
const REFITS: usize = 2;
/// Paths that are tried.
const TRIES: usize = 3;

/// A line of frames along the spine, one millimetre apart, from feet to head.
pub struct SpineLine {
    /// Frames: `up` along the canal, `anterior` in the plane of symmetry.
    pub frames: Vec<Frame>,
    /// Mirror correlation at each frame.
    pub symmetry: Vec<f64>,
    /// The stretch that was followed through the canal map and found symmetric; beyond it the
    /// line is drawn out straight.
    pub followed: std::ops::Range<usize>,
    /// What it rests on.
    pub proof: Proof,
}

/// What speaks for a spine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    /// Sum of canal likeness over 0.5, mm.
    pub score: f64,
    /// Length of the canal path, mm.
    pub length_mm: f64,
    /// Median mirror correlation over the symmetric stretch.
    pub symmetry: f64,
}

/// Finds the spine on the coarse grid; `None` when no path proves to be one.
pub fn spine_line(coarse: &Coarse) -> Option<SpineLine> {
    let mut map = canal_map(coarse);
    for _ in 0..TRIES {
        let path = best_path(&map, coarse.spacing);
        let length_mm = path.voxels.len() as f64 * coarse.spacing;
        if length_mm < MIN_LENGTH_MM || path.score < MIN_SCORE {
            return None;
        }
        if let Some(line) = proven(coarse, &path, length_mm) {
            return Some(line);
        }
        blank_around(&mut map, &path, coarse, 14.0);
    }
    None
}

fn proven(coarse: &Coarse, path: &CanalPath, length_mm: f64) -> Option<SpineLine> {
    let places: Vec<LpsPoint> =
        path.voxels.iter().map(|&[i, j, k]| coarse.place(i, j, k)).collect();
    let (low, high) = (places.first()?.z() - 1.0, places.last()?.z() + 1.0);
    if skin_ahead_mm(coarse, path).is_some_and(|mm| mm < MIN_SKIN_AHEAD_MM) {
        return None;
    }
    let mut points = centre_line(&places, EXTENSION_MM, 8.0);
    for _ in 0..=REFITS {
        let line = frames(&points, &[]);
        let found = symmetry(coarse, &line);
        let symmetric = longest_run(
            points
                .iter()
                .zip(&found.correlation)
                .map(|(p, &c)| p.z() >= low && p.z() <= high && c > SYMMETRIC),
        );
        let median = median(found.correlation[symmetric.clone()].iter().copied())?;
        let stretch = symmetric.len() as f64;
        let weight = (path.score / length_mm - 0.15) / 0.3 + (median - 0.6) / 0.3;
        let proof = Proof { score: path.score, length_mm, symmetry: median };
        if median >= MIN_SYMMETRY
            && stretch >= MIN_LENGTH_MM.max(MIN_SYMMETRIC_SHARE * length_mm)
            && weight > 0.7
        {
            return Some(settled(&points, &line, &found, symmetric, proof));
        }
        // In a spine that leans to the side the path follows only half of the lean, and the
        // sections cut across it; moved onto the plane of symmetry they do not.
        points = every_millimetre(&smoothed(&onto_symmetry(&points, &line, &found), 6.0));
        if points.len() < MIN_LENGTH_MM as usize {
            return None;
        }
    }
    None
}

/// The points moved onto the plane of symmetry.
fn onto_symmetry(points: &[LpsPoint], line: &[Frame], found: &Symmetry) -> Vec<LpsPoint> {
    (0..points.len())
        .map(|s| {
            let (c, sine) = (libm::cos(found.turn[s]), libm::sin(found.turn[s]));
            points[s] + (line[s].left * c - line[s].anterior * sine) * found.shift_mm[s]
        })
        .collect()
}

fn settled(
    points: &[LpsPoint],
    line: &[Frame],
    found: &Symmetry,
    symmetric: std::ops::Range<usize>,
    proof: Proof,
) -> SpineLine {
    let from = symmetric.start.saturating_sub(EXTENSION_MM);
    let to = (symmetric.end + EXTENSION_MM).min(points.len());
    let moved = onto_symmetry(points, line, found);
    let moved = smoothed(&moved[from..to], 3.0);
    SpineLine {
        frames: frames(&moved, &found.turn[from..to]),
        symmetry: found.correlation[from..to].to_vec(),
        followed: symmetric.start - from..symmetric.end - from,
        proof,
    }
}

/// Median distance from the path to the last tissue in front, mm; `None` where the field ends
/// first on most slices.
fn skin_ahead_mm(coarse: &Coarse, path: &CanalPath) -> Option<f64> {
    let mut found = Vec::new();
    for &[i, j, k] in path.voxels.iter().step_by(4) {
        let mut skin = None;
        let mut measured_beyond = 0;
        for steps in 0..j {
            let hu = coarse.hu.at(i, j - 1 - steps, k);
            if hu > -300.0 {
                skin = Some(steps);
                measured_beyond = 0;
            } else if hu > -1500.0 {
                measured_beyond += 1;
            }
        }
        if let Some(steps) = skin
            && j >= 8
            && f64::from(measured_beyond) * coarse.spacing >= 10.0
        {
            found.push(steps as f64 * coarse.spacing);
        }
    }
    (found.len() >= 3).then(|| median(found)).flatten()
}
