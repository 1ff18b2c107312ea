//! How far places lie from the spinal canal.

use crate::anatomy::{Canal, CanalSection};
use crate::geometry::LpsPoint;

/// A section speaks for places at most this far above or below it, mm.
const SECTION_REACH_MM: f64 = 3.0;

/// Distance from a place to the border of the canal, mm, 0 inside it; `None` where the canal was
/// not followed at this height.
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
    // Along the ray from the centre: exact on the axes, and at most a little long between them.
    let distance = libm::hypot(local.v, local.u);
    (distance - section.radius(libm::atan2(local.u, local.v))).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::CANAL_DIRECTIONS;
    use crate::geometry::{Frame, LpsVector};
    use crate::units::{Millimetres, Share};

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
                outline: None,
                followed: true,
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
    fn an_outline_is_the_border_before_the_four_walls() {
        let mut canal = canal();
        let mut outline = [10.0; CANAL_DIRECTIONS];
        // A quarter turn: to the left.
        outline[CANAL_DIRECTIONS / 4] = 7.0;
        for section in &mut canal.sections {
            section.outline = Some(outline);
        }
        for (place, expected) in [([0.0, -20.0, 4.0], 10.0), ([15.0, 0.0, 4.0], 8.0)] {
            let distance = distance_to_canal(&canal, LpsPoint::from(place)).unwrap();
            assert!((distance - expected).abs() < 1e-6, "{distance} mm of {expected}");
        }
    }

    #[test]
    fn where_the_canal_was_not_followed_there_is_no_distance() {
        assert_eq!(distance_to_canal(&canal(), LpsPoint::new(0.0, -20.0, 40.0)), None);
    }
}
