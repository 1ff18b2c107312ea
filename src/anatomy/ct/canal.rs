//! Cross sections of the spinal canal in the straightened spine.

use rayon::prelude::*;

use super::signals::Signals;
use super::spine_line::SpineLine;
use super::straightened::{Straightened, column, row};
use crate::anatomy::model::{CANAL_DIRECTIONS, Canal, CanalSection};
use crate::kernels::median;
use crate::units::{Millimetres, Share};

/// A wall is this much denser than the content of the canal, HU; half of what the search asks,
/// because thin laminae do not reach their full density.
const WALL_CONTRAST_HU: f64 = 65.0;
/// Farthest wall, mm: half the width of the widest canals, with room for a line off the middle.
const FARTHEST_WALL_MM: usize = 20;
/// Cross sections that are averaged to either side, mm.
const HALF_WINDOW: usize = 1;

/// Rays in all directions from the line, and how far the rays of one side reach from straight
/// sideways, in rays (67 degrees).
const RAYS: usize = CANAL_DIRECTIONS;
const SIDE_RAYS: usize = 9;
/// Rays of one side that must meet a wall: between the pedicles the canal is open to the foramina.
const LEAST_SIDE_RAYS: usize = 10;
/// Sections to either side whose walls make the outline, mm: half a vertebra of the neck.
const OUTLINE_HALF_WINDOW: usize = 8;
/// Rays of a section that must meet a wall, with those carried over, for an outline.
const LEAST_OUTLINE_RAYS: usize = RAYS * 3 / 4;
/// Step along a ray, mm.
const RAY_STEP_MM: f64 = 0.5;

/// The canal along the line, one section for each millimetre in view.
pub fn canal(
    line: &SpineLine,
    straight: &Straightened,
    signals: &Signals,
    in_view: &[bool],
) -> Option<Canal> {
    let threshold = signals.canal_hu + WALL_CONTRAST_HU;
    let seen = |s: usize| in_view.get(s).copied().unwrap_or(false);
    let walls: Vec<Option<[Option<f64>; RAYS]>> = (0..line.frames.len())
        .into_par_iter()
        .map(|s| seen(s).then(|| walls(straight, s, threshold)))
        .collect();
    let sections: Vec<CanalSection> = line
        .frames
        .par_iter()
        .enumerate()
        .filter_map(|(s, frame)| Some((s, frame, walls[s].as_ref()?)))
        .map(|(s, frame, own)| CanalSection {
            frame: *frame,
            anterior: Millimetres::new(signals.back_wall_mm[s]),
            posterior: own[RAYS / 2].map(Millimetres::new),
            left: reach_to_side(own, RAYS / 4).map(Millimetres::new),
            right: reach_to_side(own, 3 * RAYS / 4).map(Millimetres::new),
            outline: outline(&walls, s),
            followed: line.followed.contains(&s),
            confidence: confidence(line, signals, s),
        })
        .collect();
    (!sections.is_empty()).then_some(Canal { sections })
}

/// Distance to the wall along each ray, the first forward, then towards the left; the median of
/// three neighbours, so that one vessel or calcified speck is no wall.
fn walls(straight: &Straightened, s: usize, threshold: f64) -> [Option<f64>; RAYS] {
    let near = s.saturating_sub(HALF_WINDOW)..(s + HALF_WINDOW + 1).min(straight.len());
    let raw: [Option<f64>; RAYS] = std::array::from_fn(|ray| {
        let turn = std::f64::consts::TAU * ray as f64 / RAYS as f64;
        let (forward, left) = (libm::cos(turn), libm::sin(turn));
        let steps = (FARTHEST_WALL_MM as f64 / RAY_STEP_MM) as usize;
        let profile = (0..=steps).map(|n| {
            let r = n as f64 * RAY_STEP_MM;
            let sum: f64 =
                near.clone().map(|t| in_section(straight, t, r * forward, r * left)).sum();
            sum / near.len() as f64
        });
        crossing(profile, threshold).map(|steps| steps * RAY_STEP_MM)
    });
    std::array::from_fn(|ray| {
        let mut three = [RAYS - 1, 0, 1].map(|d| raw[(ray + d) % RAYS].unwrap_or(f64::INFINITY));
        three.sort_by(f64::total_cmp);
        Some(three[1]).filter(|r| r.is_finite())
    })
}

/// The wall in each direction: the median of the sections about, which carries it over foramina and
/// leaves out what lies beyond them; between directions without one the neighbours' mean.
fn outline(walls: &[Option<[Option<f64>; RAYS]>], s: usize) -> Option<[f32; RAYS]> {
    let about =
        s.saturating_sub(OUTLINE_HALF_WINDOW)..(s + OUTLINE_HALF_WINDOW + 1).min(walls.len());
    let about: Vec<&[Option<f64>; RAYS]> = walls[about].iter().flatten().collect();
    let met: [Option<f64>; RAYS] =
        std::array::from_fn(|ray| median(about.iter().filter_map(|walls| walls[ray])));
    if met.iter().flatten().count() < LEAST_OUTLINE_RAYS {
        return None;
    }
    let nearest =
        |ray: usize, step: usize| (0..RAYS).find_map(|n| Some((n, met[(ray + n * step) % RAYS]?)));
    let mut outline = [0.0f32; RAYS];
    for (ray, radius) in outline.iter_mut().enumerate() {
        let ((after, a), (before, b)) = (nearest(ray, 1)?, nearest(ray, RAYS - 1)?);
        let share = after as f64 / (after + before).max(1) as f64;
        *radius = (a + (b - a) * share) as f32;
    }
    Some(outline)
}

/// How far the canal reaches to the side of a ray: the pedicles bound it in front of the line, the
/// narrow corner at the laminae does not.
fn reach_to_side(walls: &[Option<f64>; RAYS], side: usize) -> Option<f64> {
    let met: Vec<f64> = (0..=2 * SIDE_RAYS)
        .filter_map(|n| {
            let turn = std::f64::consts::TAU * (n as f64 - SIDE_RAYS as f64) / RAYS as f64;
            walls[(side + RAYS + n - SIDE_RAYS) % RAYS].map(|r| r * libm::cos(turn))
        })
        .collect();
    (met.len() >= LEAST_SIDE_RAYS).then(|| met.into_iter().fold(0.0, f64::max))
}

/// The value of a section of the straightened spine, linear between samples; NaN out of view.
fn in_section(straight: &Straightened, s: usize, v: f64, u: f64) -> f64 {
    let (v0, u0) = (libm::floor(v), libm::floor(u));
    let (fv, fu) = (v - v0, u - u0);
    let along = |v: f64| {
        let line = straight.line(s, row(v));
        let at = |u: f64| f64::from(line[column(u)]);
        at(u0) * (1.0 - fu) + at(u0 + 1.0) * fu
    };
    along(v0) * (1.0 - fv) + along(v0 + 1.0) * fv
}

/// Place, in samples, at which a profile first rises to `threshold`, linear between steps;
/// `None` where it never does, or leaves the field before. Asks for no more than it needs.
fn crossing(profile: impl IntoIterator<Item = f64>, threshold: f64) -> Option<f64> {
    let mut profile = profile.into_iter();
    let mut before = profile.next()?;
    for (d, here) in profile.enumerate() {
        if !(before.is_finite() && here.is_finite()) {
            return None;
        }
        if before < threshold && here >= threshold {
            return Some(d as f64 + (threshold - before) / (here - before));
        }
        before = here;
    }
    None
}

/// Symmetry of the bone about the line, less where the line was only drawn out straight beyond
/// the followed canal, and where no back wall was seen.
fn confidence(line: &SpineLine, signals: &Signals, s: usize) -> Share {
    let symmetric = (line.symmetry[s] / 0.8).clamp(0.0, 1.0);
    let beyond =
        line.followed.start.saturating_sub(s).max((s + 1).saturating_sub(line.followed.end));
    let followed = (1.0 - beyond as f64 / 25.0).max(0.0);
    let walled = if signals.back_wall_seen[s] { 1.0 } else { 0.6 };
    Share::new(symmetric * followed * walled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_is_carried_over_foramina_and_spikes_and_needs_most_of_the_wall() {
        let round = [Some(8.0); RAYS];
        let mut foramen = round;
        foramen[9..15].fill(None);
        foramen[30] = Some(19.0);
        let mut sections = vec![Some(round); 12];
        sections[4..9].fill(Some(foramen));
        assert_eq!(outline(&sections, 6), Some([8.0; RAYS]));
        // Open on one side all along: the gap is bridged from its edges.
        let mut open = [Some(8.0); RAYS];
        open[10] = None;
        open[11] = None;
        open[12] = Some(11.0);
        let bridged = outline(&vec![Some(open); 12], 6).unwrap();
        assert!((bridged[10] - 9.0).abs() < 1e-6 && (bridged[11] - 10.0).abs() < 1e-6);
        let mut half = [Some(8.0); RAYS];
        half[..RAYS / 2].fill(None);
        assert_eq!(outline(&vec![Some(half); 12], 6), None);
    }

    #[test]
    fn a_wall_is_placed_between_the_samples_and_none_is_made_up() {
        assert_eq!(crossing([0.0, 0.0, 100.0], 50.0), Some(1.5));
        assert_eq!(crossing([0.0, 10.0, 20.0], 50.0), None);
        assert_eq!(crossing([0.0, f64::NAN, 100.0], 50.0), None);
    }
}
