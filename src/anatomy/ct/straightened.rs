//! The series resampled in the frame of the spine: one cross section for each millimetre.

use rayon::prelude::*;

use super::sampling::samples;
use crate::geometry::{ContinuousIndex, Frame};
use crate::volume::Volume;

/// Rows run forward, from 50 mm behind the line to 70 mm ahead.
pub const ROWS: usize = 121;
/// Columns run to the left, from 50 mm right of the line to 50 mm left.
pub const COLUMNS: usize = 101;
/// Forward coordinate of the first row, mm.
pub const FIRST_ROW_MM: f64 = -50.0;
/// Left coordinate of the first column, mm.
pub const FIRST_COLUMN_MM: f64 = -50.0;

/// Row of a forward coordinate, kept inside.
pub fn row(v_mm: f64) -> usize {
    (libm::round(v_mm - FIRST_ROW_MM).max(0.0) as usize).min(ROWS - 1)
}

/// Column of a left coordinate, kept inside.
pub fn column(u_mm: f64) -> usize {
    (libm::round(u_mm - FIRST_COLUMN_MM).max(0.0) as usize).min(COLUMNS - 1)
}

/// Hounsfield units `[s][v][u]` in steps of 1 mm along a line of frames; NaN out of view.
pub struct Straightened {
    values: Vec<f32>,
    sections: usize,
}

impl Straightened {
    /// Samples the native voxels along the frames.
    pub fn new(volume: &Volume<i16>, frames: &[Frame]) -> Self {
        let mut values = vec![f32::NAN; frames.len() * ROWS * COLUMNS];
        let native = samples(volume);
        values.par_chunks_mut(ROWS * COLUMNS).zip(frames).for_each(|(section, frame)| {
            let start = volume.grid.to_index(
                frame.origin + frame.anterior * FIRST_ROW_MM + frame.left * FIRST_COLUMN_MM,
            );
            let dv = volume.grid.vector_to_index(frame.anterior);
            let du = volume.grid.vector_to_index(frame.left);
            for (r, line) in section.chunks_exact_mut(COLUMNS).enumerate() {
                let r = r as f64;
                native.fill(line, |c| {
                    let c = c as f64;
                    ContinuousIndex {
                        i: start.i + (dv.i * r + du.i * c),
                        j: start.j + (dv.j * r + du.j * c),
                        k: start.k + (dv.k * r + du.k * c),
                    }
                });
            }
        });
        Self { values, sections: frames.len() }
    }

    /// Number of cross sections.
    pub const fn len(&self) -> usize {
        self.sections
    }

    /// One row (left coordinate runs) of a cross section.
    pub fn line(&self, s: usize, row: usize) -> &[f32] {
        let start = (s * ROWS + row) * COLUMNS;
        &self.values[start..start + COLUMNS]
    }

    /// The same with each value changed, told its section.
    pub fn map(&self, change: impl Fn(usize, f32) -> f32 + Sync) -> Self {
        let section = ROWS * COLUMNS;
        let values =
            self.values.par_iter().enumerate().map(|(n, &v)| change(n / section, v)).collect();
        Self { values, sections: self.sections }
    }
}
