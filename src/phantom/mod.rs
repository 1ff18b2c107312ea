//! Seeded synthetic studies with truth, written as real DICOM.
//!
//! The anatomy is a function of place: a chain of vertebrae sized by published morphometry, with
//! discs, canal, muscles and vessels, sampled over each voxel's extent, blurred by the kernel and
//! given the scanner's noise. Truth comes from the geometry, never from the voxels.
//!
//! # Method
//! [`Spec`] (data) → skeleton (where each segment stands) → scene (a value for every place) →
//! raster (voxels) and truth. One seed gives the same bytes for any number of threads.
//!
//! # Limits
//! `docs/PHANTOMS.md` says where a phantom does not pass for real. A phantom is never the only
//! witness that a feature works.
//!
//! ```
//! use osteoflag::phantom::{Spec, generate};
//!
//! let spec = Spec { size: [40, 40], pixel_spacing_mm: 4.0, slice_spacing_mm: 8.0, ..Spec::ct_lumbar() };
//! let phantom = generate(&spec)?;
//! assert_eq!(phantom.truth.lesions.len(), 2);
//! assert_eq!(phantom.voxels.len(), phantom.grid.len());
//! # Ok::<(), osteoflag::phantom::PhantomError>(())
//! ```

use std::path::PathBuf;

use crate::geometry::{Grid, GridError};
use crate::terms::Level;
use crate::volume::{Image, MrVoxels, Validity, Volume};

mod bone;
mod cervical;
mod cohort;
mod dicom;
mod from_nifti;
pub mod insert;
mod marrow;
mod morphometry;
mod palette;
mod pelvis;
mod presets;
mod random;
mod raster;
mod rods;
mod scene;
mod shapes;
mod skeleton;
mod soft_tissue;
mod spec;
mod trunk;
mod truth;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
mod tests;

pub use cohort::cohort_case;
pub use dicom::{files, write};
pub use from_nifti::{Contrast, Converted, FromNifti, FromNiftiError, convert, write_converted};
pub use spec::{
    Anatomy, Deformity, DeformityKind, InstanceOrder, Kernel, Lesion, LesionKind, LesionSite,
    LookAlike, LookAlikeKind, Modality, ObjectKind, Plane, Pose, Scoliosis, Spec, Surrounding,
};
pub use truth::{BodySizes, TrueLesion, TrueLookAlike, TrueVertebra, Truth};

/// Why a phantom cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhantomError {
    /// A spec file that cannot be understood.
    #[error("spec: {message}")]
    Spec {
        /// Why.
        message: String,
    },
    /// The spec names no level.
    #[error("spec: no levels")]
    NoLevels,
    /// The morphometry table has no such level.
    #[error(
        "spec: level {level} is not made with this spec's numbers of vertebrae (C1 to C7, T1 to T12, L1 to L5 and S1 are by default)"
    )]
    LevelNotMade {
        /// The level.
        level: Level,
    },
    /// Levels are not neighbours from the head down.
    #[error("spec: levels {levels:?} are not neighbours from the head down")]
    LevelsWithGap {
        /// The levels as given.
        levels: Vec<Level>,
    },
    /// A lesion sits in a level that is not asked for.
    #[error("spec: a lesion sits in {level}, which is not among the levels")]
    LesionOutsideLevels {
        /// The lesion's level.
        level: Level,
    },
    /// A lesion that this scanner does not show.
    #[error("spec: a {kind} lesion cannot be made on {modality:?}")]
    LesionOfOtherModality {
        /// The lesion's kind.
        kind: &'static str,
        /// The spec's modality.
        modality: Modality,
    },
    /// A number outside its range.
    #[error("spec: {name} is {value}, expected {range}")]
    NumberOutOfRange {
        /// The field.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// The voxel grid is degenerate.
    #[error("spec: {0}")]
    Grid(#[from] GridError),
    /// A file cannot be written.
    #[error("{}: cannot write: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A slice cannot be encoded.
    #[error("instance {instance}: cannot encode: {message}")]
    Dicom {
        /// Instance number; 0 for the truth file.
        instance: usize,
        /// Why.
        message: String,
    },
}

/// A synthetic series in memory.
#[derive(Clone, Debug)]
pub struct Phantom {
    /// What was asked for.
    pub spec: Spec,
    /// Where the voxels lie; the stack runs along the normal of row and column direction.
    pub grid: Grid,
    /// The voxels `[k, j, i]`: Hounsfield units (CT) or signal 0..=4095 (MR).
    pub voxels: Vec<i16>,
    /// Number of the body each voxel's centre lies in, `[k, j, i]`: 0 for none, n for
    /// `truth.vertebrae[n - 1]`.
    pub body_labels: Vec<u8>,
    /// What is where.
    pub truth: Truth,
}

impl Phantom {
    /// The series as the volume room would hand it on.
    pub fn image(&self) -> Image {
        let validity = Validity::default();
        match self.spec.modality {
            Modality::Ct => {
                Image::Ct(Volume { grid: self.grid.clone(), voxels: self.voxels.clone(), validity })
            }
            _ => Image::Mr {
                grid: self.grid.clone(),
                voxels: MrVoxels::Unsigned(self.voxels.iter().map(|&v| v as u16).collect()),
                slope: 1.0,
                intercept: 0.0,
                validity,
            },
        }
    }
}

/// Makes the series that a spec describes.
///
/// # Errors
/// Every [`PhantomError`] that names the spec.
pub fn generate(spec: &Spec) -> Result<Phantom, PhantomError> {
    let skeleton = skeleton::Skeleton::new(spec)?;
    let grid = raster::grid(spec, &skeleton)?;
    let scene = scene::Scene::new(spec, &skeleton, raster::sample_width(spec));
    let voxels = raster::voxels(&scene, &grid);
    let truth = truth::truth(&scene, &grid);
    let body_labels = truth::body_labels(&scene, &grid, &truth);
    Ok(Phantom { spec: spec.clone(), grid, voxels, body_labels, truth })
}
