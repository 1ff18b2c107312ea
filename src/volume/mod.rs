//! Voxels: CT in Hounsfield units, MR in its stored type, each with a validity mask.
//!
//! Takes a series, gives an image on the series' grid. Frames are located by the room `series`,
//! decoded by [`codecs`], rescaled into place (`load`) and looked at for what is no tissue
//! (`validity`). Guarantees: memory is checked before it is taken, a slice that fails is masked
//! and named, the same series gives the same voxels for any number of threads.

#![warn(clippy::indexing_slicing)]

pub mod codecs;
mod error;
mod load;
mod model;
mod stored;
#[cfg(test)]
mod tests;
mod validity;

pub use error::{SliceFailure, VolumeError};
pub use load::{LoadLimits, Loaded, load, required_bytes};
pub use model::{Image, MrVoxels, Validity, Volume};
pub use stored::{StoredValues, stored_values};
