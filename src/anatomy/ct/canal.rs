//! Cross sections of the spinal canal in the straightened spine.

use super::signals::Signals;
use super::spine_line::SpineLine;
use super::straightened::{Straightened, column, row};
use crate::anatomy::model::{Canal, CanalSection};
use crate::units::{Millimetres, Share};

/// A wall is this much denser than the content of the canal, HU; half of what the search asks,
/// because thin laminae do not reach their full density.
const WALL_CONTRAST_HU: f64 = 65.0;
/// Farthest wall, mm: half the width of the widest canals, with room for a line off the middle.
const FARTHEST_WALL_MM: usize = 20;
/// Cross sections that are averaged to either side, mm.
const HALF_WINDOW: usize = 1;

/// The canal along the line, one section for each millimetre in view.
pub fn canal(
    line: &SpineLine,
    straight: &Straightened,
    signals: &Signals,
    in_view: &[bool],
) -> Option<Canal> {
    let content = signals.canal_hu;
    let sections: Vec<CanalSection> = line
        .frames
        .iter()
        .enumerate()
        .filter(|&(s, _)| in_view.get(s).copied().unwrap_or(false))
        .map(|(s, frame)| {
            let wall = |profile: &dyn Fn(usize, usize) -> f64| {
                let values: Vec<f64> = (0..=FARTHEST_WALL_MM)
                    .map(|d| {
                        let near = s.saturating_sub(HALF_WINDOW)
                            ..(s + HALF_WINDOW + 1).min(straight.len());
                        let n = near.len() as f64;
                        near.map(|t| profile(t, d)).sum::<f64>() / n
                    })
                    .collect();
                crossing(&values, content + WALL_CONTRAST_HU).map(Millimetres::new)
            };
            let at = |t: usize, v: f64, u: f64| f64::from(straight.line(t, row(v))[column(u)]);
            let across = |t: usize, u: f64| (at(t, -1.0, u) + at(t, 0.0, u) + at(t, 1.0, u)) / 3.0;
            CanalSection {
                frame: *frame,
                anterior: Millimetres::new(signals.back_wall_mm[s]),
                posterior: wall(&|t, d| {
                    let v = -(d as f64);
                    (at(t, v, -1.0) + at(t, v, 0.0) + at(t, v, 1.0)) / 3.0
                }),
                left: wall(&|t, d| across(t, d as f64)),
                right: wall(&|t, d| across(t, -(d as f64))),
                confidence: confidence(line, signals, s),
            }
        })
        .collect();
    (!sections.is_empty()).then_some(Canal { sections })
}

/// Distance at which a profile in steps of 1 mm first rises to `threshold`, linear between steps;
/// `None` where it never does, or leaves the field before.
fn crossing(profile: &[f64], threshold: f64) -> Option<f64> {
    for (d, pair) in profile.windows(2).enumerate() {
        if !(pair[0].is_finite() && pair[1].is_finite()) {
            return None;
        }
        if pair[0] < threshold && pair[1] >= threshold {
            return Some(d as f64 + (threshold - pair[0]) / (pair[1] - pair[0]));
        }
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
    fn a_wall_is_placed_between_the_samples_and_none_is_made_up() {
        assert_eq!(crossing(&[0.0, 0.0, 100.0], 50.0), Some(1.5));
        assert_eq!(crossing(&[0.0, 10.0, 20.0], 50.0), None);
        assert_eq!(crossing(&[0.0, f64::NAN, 100.0], 50.0), None);
    }
}
