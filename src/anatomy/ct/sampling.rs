//! Native voxels along lines through the patient.

use super::coarse::{LOWEST_MEASURED_HU, is_measured};
use crate::geometry::ContinuousIndex;
use crate::kernels::trilinear_where;
use crate::volume::Volume;

/// Hounsfield units at places `step` voxels apart from `start` on, one for each value of `line`; NaN
/// where nothing was measured.
pub fn sample_line(
    volume: &Volume<i16>,
    start: ContinuousIndex,
    step: ContinuousIndex,
    line: &mut [f32],
) {
    let validity = &volume.validity;
    if validity.padding.is_none() && validity.outside_field_of_view.is_none() {
        // Then the value alone says whether it was measured.
        along(volume, |_, hu| hu > LOWEST_MEASURED_HU, start, step, line);
    } else {
        along(volume, |offset, _| is_measured(volume, offset), start, step, line);
    }
}

fn along(
    volume: &Volume<i16>,
    is_measured: impl Fn(usize, i16) -> bool,
    start: ContinuousIndex,
    step: ContinuousIndex,
    line: &mut [f32],
) {
    let size = volume.grid.size();
    for (n, value) in line.iter_mut().enumerate() {
        let n = n as f64;
        let at = ContinuousIndex {
            i: start.i + step.i * n,
            j: start.j + step.j * n,
            k: start.k + step.k * n,
        };
        *value = trilinear_where(size, &volume.voxels, &is_measured, at);
    }
}
