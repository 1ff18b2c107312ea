//! A line for the canal: behind the rear walls, where the thecal sac lies.
//!
//! # Limits
//! The rear of the canal is not looked for: sections state the distance to the rear walls alone.
//! The line is a place, not a measurement; its confidence says so.

use crate::anatomy::{Canal, CanalSection, Vertebra};
use crate::geometry::{Frame, LocalPoint, LpsPoint, LpsVector};
use crate::units::{Millimetres, Share};

/// The canal band lies 4 to 13 mm behind the rear wall; the line runs through its middle.
const BEHIND_WALL_MM: f64 = 8.5;
/// Walls are read at this share of the height above and below the middle.
const WALL_AT: f64 = 0.28;
/// The line alone, without a measured rear: never surer than this.
const MOST_CONFIDENCE: f64 = 0.6;
/// Longest piece between two bodies that is bridged, mm.
const LONGEST_BRIDGE_MM: f64 = 40.0;

/// The canal behind vertebrae ordered from feet to head; `None` when fewer than two carry it.
pub fn canal(vertebrae: &[Vertebra]) -> Option<Canal> {
    let mut knots: Vec<(LpsPoint, LpsVector, f64)> = Vec::new();
    for vertebra in vertebrae {
        let Some(body) = &vertebra.body else { continue };
        let height = body.surface.upper.height(0.0, 0.0) - body.surface.lower.height(0.0, 0.0);
        let confidence = MOST_CONFIDENCE * vertebra.confidence.get() * body.confidence.get();
        for s in [-WALL_AT * height, WALL_AT * height] {
            let rear = body.surface.radius(s, std::f64::consts::PI);
            let at = LocalPoint { s, v: -rear - BEHIND_WALL_MM, u: 0.0 };
            knots.push((body.frame.to_lps(at), body.frame.anterior, confidence));
        }
    }
    let mut sections = Vec::new();
    let mut previous: Option<(LpsPoint, LpsVector, f64)> = None;
    for knot in knots {
        if let Some(from) = previous {
            let way = knot.0 - from.0;
            let length = way.length();
            if length > 0.5 && length < LONGEST_BRIDGE_MM {
                let steps = libm::ceil(length) as usize;
                for n in 0..steps {
                    let f = n as f64 / steps as f64;
                    let anterior = from.1 * (1.0 - f) + knot.1 * f;
                    let frame = Frame::from_up_and_anterior(from.0 + way * f, way, anterior);
                    if let Some(frame) = frame {
                        sections.push(CanalSection {
                            frame,
                            anterior: Millimetres::new(BEHIND_WALL_MM),
                            posterior: None,
                            left: None,
                            right: None,
                            outline: None,
                            followed: false,
                            confidence: Share::new(from.2.min(knot.2)),
                        });
                    }
                }
            }
        }
        previous = Some(knot);
    }
    (!sections.is_empty()).then_some(Canal { sections })
}
