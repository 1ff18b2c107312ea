//! Voxels: CT in Hounsfield units, MR in its stored type, each with a validity mask.
//!
//! Takes a series, gives an image on the series' grid. Frames are located by the room `series`,
//! decoded by [`codecs`], rescaled into place (`load`) and looked at for what is no tissue
//! (`validity`). Guarantees: memory is checked before it is taken, a slice that fails is masked
//! and named, the same series gives the same voxels for any number of threads.

#![warn(clippy::indexing_slicing)]

pub mod codecs;
mod error;
mod label_map;
mod load;
mod model;
mod nifti;
mod nifti_write;
mod segmentation;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
mod segmentation_tests;
mod stored;
#[cfg(test)]
mod tests;
mod validity;

pub use error::{SliceFailure, VolumeError};
pub use label_map::{
    GridMismatch, LabelMap, LabelMapError, SegmentCode, SlicesHeld, label_table, read_label_map,
};
pub use load::{LoadLimits, Loaded, load, required_bytes};
pub use model::{Image, MrVoxels, Validity, Volume};
pub use nifti::{NiftiError, NiftiImage, NiftiVoxels, is_nifti_name, read_nifti};
pub use nifti_write::{NiftiData, nifti_bytes, nifti_gz_bytes};
pub use stored::{StoredValues, stored_values};
