//! What the stages of the search measured along the spine, for trials and pictures.

use serde::Serialize;

use super::disc_evidence::DiscEvidence;
use super::rhythm::Segment;
use super::signals::Signals;
use super::spine_line::SpineLine;

/// Profiles along the straightened spine, one value for each millimetre from feet to head; `null`
/// in JSON where a value is out of view. Empty where no spine was followed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trace {
    /// The line, LPS mm.
    pub line_lps_mm: Vec<[f64; 3]>,
    /// Direction to the front, LPS.
    pub anterior: Vec<[f64; 3]>,
    /// Mirror correlation.
    pub symmetry: Vec<f64>,
    /// From the line to the back wall, mm.
    pub back_wall_mm: Vec<f64>,
    /// Depth of the bodies, mm.
    pub depth_mm: Vec<f64>,
    /// Width of the bodies, mm.
    pub width_mm: Vec<f64>,
    /// Density beside the canal, standard deviations.
    pub pedicle: Vec<f64>,
    /// Disc evidence for half heights up to 4 mm.
    pub disc: Vec<f64>,
    /// Lower and upper disc (places on the line), gain and margin of each vertebra.
    pub segments: Vec<(i64, i64, f64, f64)>,
}

impl Trace {
    pub(super) fn of(
        line: &SpineLine,
        signals: &Signals,
        discs: &DiscEvidence,
        segments: &[Segment],
    ) -> Self {
        Self {
            line_lps_mm: line.frames.iter().map(|f| f.origin.into()).collect(),
            anterior: line
                .frames
                .iter()
                .map(|f| [f.anterior.x(), f.anterior.y(), f.anterior.z()])
                .collect(),
            symmetry: line.symmetry.clone(),
            back_wall_mm: signals.back_wall_mm.clone(),
            depth_mm: signals.depth_mm.clone(),
            width_mm: signals.width_mm.clone(),
            pedicle: signals.pedicle.clone(),
            disc: discs.strength[2].clone(),
            segments: segments.iter().map(|s| (s.low, s.high, s.score, s.margin)).collect(),
        }
    }
}
