//! Which part of the spine a vertebra belongs to, by its size, its slope and the lung beside it. No
//! level is named: that takes an anchor.

use super::coarse::Coarse;
use crate::anatomy::model::Vertebra;
use crate::geometry::LocalPoint;
use crate::terms::SpineSection;

/// Share of lung on either side of the body from which it is thoracic. Measured: 0.26 and more on
/// one side in the chest, 0.13 at most in the neck, 0.1 beside the lowest rib.
const THORACIC_LUNG_SHARE: f64 = 0.2;
/// A neck body is at most this deep and spaced, mm, and has hardly any lung beside it.
const CERVICAL_DEPTH_MM: f64 = 20.0;
const CERVICAL_SPACING_MM: f64 = 22.5;
/// A lumbar body is at least this wide and spaced, mm, without lung beside it.
const LUMBAR_WIDTH_MM: f64 = 38.0;
const LUMBAR_SPACING_MM: f64 = 33.0;
const LITTLE_LUNG_SHARE: f64 = 0.06;
/// Slope of the body's axis (part of `up` towards anterior) from which the lowest lumbar-sized
/// body is sacral: measured 0.77 and 0.79 at S1, 0.44 and 0.53 at L5. From the second value on it may
/// be either, since the axis of S1 is measured badly (0.48 was seen): nothing is guessed.
const SACRAL_SLOPE: f64 = 0.65;
const DOUBTFUL_SLOPE: f64 = 0.4;

/// Fills `section_guess`.
pub fn guess_sections(coarse: &Coarse, vertebrae: &mut [Vertebra]) {
    let guesses: Vec<Option<SpineSection>> =
        (0..vertebrae.len()).map(|n| by_size(coarse, vertebrae, n)).collect();
    // From feet to head the sections can only go up; where they contradict each other nothing is
    // guessed for either.
    for n in 0..vertebrae.len() {
        let contradicted =
            guesses.iter().enumerate().any(|(m, &other)| match (guesses[n], other) {
                (Some(own), Some(other)) => (m < n && other < own) || (m > n && other > own),
                _ => false,
            });
        vertebrae[n].section_guess = if contradicted { None } else { guesses[n] };
    }
    // Between two of one section lies nothing else.
    for section in [SpineSection::Cervical, SpineSection::Thoracic, SpineSection::Lumbar] {
        let is = |v: &Vertebra| v.section_guess == Some(section);
        if let (Some(low), Some(high)) =
            (vertebrae.iter().position(is), vertebrae.iter().rposition(is))
        {
            for vertebra in &mut vertebrae[low..=high] {
                vertebra.section_guess = Some(section);
            }
        }
    }
}

fn by_size(coarse: &Coarse, vertebrae: &[Vertebra], n: usize) -> Option<SpineSection> {
    let body = vertebrae[n].body.as_ref()?;
    let distances: Vec<f64> = [n.checked_sub(1), Some(n + 1)]
        .into_iter()
        .flatten()
        .filter_map(|m| Some(vertebrae.get(m)?.centroid.distance(vertebrae[n].centroid)))
        .collect();
    let spacing = distances.iter().sum::<f64>() / distances.len().max(1) as f64;
    let (height, half_turn) = (0.0, std::f64::consts::PI);
    let depth = body.surface.radius(height, 0.0) + body.surface.radius(height, half_turn);
    let width =
        body.surface.radius(height, half_turn / 2.0) + body.surface.radius(height, 1.5 * half_turn);
    let lung = lung_share(coarse, &vertebrae[n])?;
    if lung >= THORACIC_LUNG_SHARE {
        return Some(SpineSection::Thoracic);
    }
    if distances.is_empty() {
        return None;
    }
    if depth <= CERVICAL_DEPTH_MM && spacing <= CERVICAL_SPACING_MM {
        return Some(SpineSection::Cervical);
    }
    if width >= LUMBAR_WIDTH_MM && spacing >= LUMBAR_SPACING_MM && lung <= LITTLE_LUNG_SHARE {
        let slope = body.frame.up.dot(crate::geometry::LpsVector::ANTERIOR);
        return match slope {
            _ if n > 0 => Some(SpineSection::Lumbar),
            SACRAL_SLOPE.. => Some(SpineSection::Sacral),
            DOUBTFUL_SLOPE.. => None,
            _ => Some(SpineSection::Lumbar),
        };
    }
    None
}

/// Share of air-filled tissue 28 to 58 mm beside the body, the mean of both sides; `None` where
/// neither side is in view.
fn lung_share(coarse: &Coarse, vertebra: &Vertebra) -> Option<f64> {
    let frame = &vertebra.body.as_ref()?.frame;
    let (mut air, mut seen) = (0u32, 0u32);
    for s in [-8.0, -4.0, 0.0, 4.0, 8.0] {
        for v in (-30..40).step_by(3) {
            for u in (28..60).step_by(3).flat_map(|u| [u, -u]) {
                let p = LocalPoint { s, v: f64::from(v), u: f64::from(u) };
                if let Some(at) = coarse.grid.nearest(frame.to_lps(p)) {
                    let hu = coarse.hu.at(at.i, at.j, at.k);
                    seen += u32::from(hu > -1500.0);
                    air += u32::from(hu > -1500.0 && hu < -600.0);
                }
            }
        }
    }
    (seen > 200).then(|| f64::from(air) / f64::from(seen))
}
