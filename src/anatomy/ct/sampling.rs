//! Native voxels between their centres.

use super::coarse::LOWEST_MEASURED_HU;
use crate::kernels::Samples;
use crate::volume::Volume;

/// The native voxels, Hounsfield units; what is padding or out of the field was not measured.
pub fn samples(volume: &Volume<i16>) -> Samples<'_, i16> {
    let validity = &volume.validity;
    Samples {
        size: volume.grid.size(),
        values: &volume.voxels,
        above: f32::from(LOWEST_MEASURED_HU),
        without: [validity.padding.as_ref(), validity.outside_field_of_view.as_ref()],
    }
}
