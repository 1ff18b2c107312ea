//! Voxels: CT in Hounsfield units, MR in its stored type, each with a validity mask.

mod model;

pub use model::{Image, MrVoxels, Validity, Volume};
