//! Discs between neighbouring bodies, and the ones beyond the ends of the chain.

use super::chain::BodyBox;
use crate::anatomy::{Disc, VertebralBody};
use crate::geometry::{Frame, LocalPoint, LpsPoint, LpsVector};
use crate::units::Millimetres;

/// Least and greatest height of a gap that is taken for a disc, mm.
const GAP_MM: (f64, f64) = (1.5, 18.0);

/// Places of the two endplates that face each other, and the direction from the lower to the
/// upper body.
fn facing(lower: &VertebralBody, upper: &VertebralBody) -> (LpsPoint, LpsPoint, LpsVector) {
    let at = |body: &VertebralBody, s: f64| body.frame.to_lps(LocalPoint { s, v: 0.0, u: 0.0 });
    (
        at(lower, lower.surface.upper.height(0.0, 0.0)),
        at(upper, upper.surface.lower.height(0.0, 0.0)),
        lower.frame.up + upper.frame.up,
    )
}

/// Distance of the facing endplates of two neighbours, mm; negative where they overlap.
pub fn gap(lower: &VertebralBody, upper: &VertebralBody) -> Option<f64> {
    let (from, to, up) = facing(lower, upper);
    Some((to - from).dot(up.normalised()?))
}

/// The disc between two neighbouring bodies.
pub fn between(lower: &VertebralBody, upper: &VertebralBody) -> Option<Disc> {
    let (from, to, up) = facing(lower, upper);
    let gap = gap(lower, upper)?;
    if gap < GAP_MM.0 || gap > GAP_MM.1 {
        return None;
    }
    let anterior = lower.frame.anterior + upper.frame.anterior;
    let frame = Frame::from_up_and_anterior(from + (to - from) * 0.5, up, anterior)?;
    Some(Disc { frame, half_height: Millimetres::new(gap / 2.0) })
}

/// Which end of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Towards the head.
    Upper,
    /// Towards the feet.
    Lower,
}

/// The disc beyond the last body of the chain, as far as its pitch tells; `None` where the
/// endplate lies outside the field.
pub fn beyond(body: &VertebralBody, boxed: &BodyBox, pixel_mm: f64, end: End) -> Option<Disc> {
    let half = (boxed.pitch - boxed.height) * pixel_mm / 2.0;
    if half * 2.0 < GAP_MM.0 || half * 2.0 > GAP_MM.1 {
        return None;
    }
    let s = match end {
        End::Upper => body.surface.upper.height(0.0, 0.0) + half,
        End::Lower => body.surface.lower.height(0.0, 0.0) - half,
    };
    if s + half > body.surface.in_view_s.1 || s - half < body.surface.in_view_s.0 {
        return None;
    }
    let frame = Frame { origin: body.frame.to_lps(LocalPoint { s, v: 0.0, u: 0.0 }), ..body.frame };
    Some(Disc { frame, half_height: Millimetres::new(half) })
}
