//! How far places lie from the spinal canal.

use crate::anatomy::{Canal, CanalSection};
use crate::geometry::LpsPoint;
use crate::units::Millimetres;

/// A section speaks for places at most this far above or below it, mm.
const SECTION_REACH_MM: f64 = 3.0;
/// Half width of the canal over its forward reach where no side wall was measured.
const SIDE_OVER_ANTERIOR: f64 = 1.3;

/// Distance from a place to the border of the canal, mm, 0 inside it; `None` where the canal was
/// not followed at this height. The cross section is taken as four quarter ellipses through the
/// measured walls.
pub(super) fn distance_to_canal(canal: &Canal, place: LpsPoint) -> Option<f64> {
    nearest_section(canal, place).map(|section| distance_in_section(section, place))
}

/// Smallest distance of several places; `None` where the canal was not followed at any of them.
pub(super) fn least_distance_to_canal(
    canal: &Canal,
    places: impl Iterator<Item = LpsPoint>,
) -> Option<f64> {
    places.filter_map(|place| distance_to_canal(canal, place)).reduce(f64::min)
}

/// The section at the height of a place.
pub(super) fn nearest_section(canal: &Canal, place: LpsPoint) -> Option<&CanalSection> {
    canal
        .sections
        .iter()
        .map(|section| (section.frame.to_local(place).s.abs(), section))
        .filter(|(height, _)| *height <= SECTION_REACH_MM)
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, section)| section)
}

fn distance_in_section(section: &CanalSection, place: LpsPoint) -> f64 {
    let local = section.frame.to_local(place);
    let anterior = section.anterior.mm().max(1.0);
    let forward = if local.v >= 0.0 {
        anterior
    } else {
        section.posterior.map_or(anterior, Millimetres::mm).max(1.0)
    };
    let side = if local.u >= 0.0 { section.left } else { section.right };
    let sideways = side.map_or(SIDE_OVER_ANTERIOR * anterior, Millimetres::mm).max(1.0);
    let (x, y) = (local.v / forward, local.u / sideways);
    let level = libm::sqrt(x * x + y * y);
    if level <= 1.0 {
        return 0.0;
    }
    // Along the ray from the centre: exact on the axes, and at most a little long between them.
    libm::sqrt(local.v * local.v + local.u * local.u) * (1.0 - 1.0 / level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Frame, LpsVector};
    use crate::units::Share;

    fn canal() -> Canal {
        let sections = (0..10)
            .map(|n| CanalSection {
                frame: Frame::from_up_and_anterior(
                    LpsPoint::new(0.0, 0.0, f64::from(n)),
                    LpsVector::HEAD,
                    LpsVector::ANTERIOR,
                )
                .unwrap(),
                anterior: Millimetres::new(8.0),
                posterior: None,
                left: Some(Millimetres::new(12.0)),
                right: None,
                confidence: Share::new(1.0),
            })
            .collect();
        Canal { sections }
    }

    #[test]
    fn distance_is_counted_from_the_wall_of_the_canal() {
        for (place, expected) in
            [([0.0, -20.0, 4.2], 12.0), ([15.0, 0.0, 4.0], 3.0), ([0.0, -7.0, 4.0], 0.0)]
        {
            let distance = distance_to_canal(&canal(), LpsPoint::from(place)).unwrap();
            assert!((distance - expected).abs() < 1e-9, "{distance} mm of {expected}");
        }
    }

    #[test]
    fn where_the_canal_was_not_followed_there_is_no_distance() {
        assert_eq!(distance_to_canal(&canal(), LpsPoint::new(0.0, -20.0, 40.0)), None);
    }
}
