//! Mask files: which there are, what their labels mean, which series they belong to.

use std::path::{Path, PathBuf};

use super::numbering::{MaskLabels, Meaning, NumberingError, meaning};
use super::spine_mask::Layer;
use crate::discover::{DiscoverError, discover};
use crate::geometry::Grid;
use crate::series::Series;
use crate::volume::{GridMismatch, LabelMap, LabelMapError, is_nifti_name, read_label_map};

/// A mask file, without its voxels.
#[derive(Clone, Debug)]
pub struct MaskFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What its labels mean.
    pub meaning: Meaning,
    /// The label map with its place and names; voxels are read again when they are asked for, so
    /// that a folder of masks does not fill the memory.
    place: LabelMap,
    max_bytes: u64,
}

/// Why masks cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaskFileError {
    /// The path cannot be used.
    #[error(transparent)]
    Path(#[from] DiscoverError),
    /// A file cannot be read as a label map.
    #[error(transparent)]
    LabelMap(#[from] LabelMapError),
    /// Its labels cannot be understood.
    #[error("{}: {source}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NumberingError,
    },
    /// There is no file with vertebrae.
    #[error("{}: no mask with vertebrae among {files} files", path.display())]
    NoMask {
        /// The path as given.
        path: PathBuf,
        /// Files looked at.
        files: usize,
    },
}

impl MaskFileError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Path(_) => "give a mask file or a folder of them",
            Self::LabelMap(error) => error.hint(),
            Self::Labels { source, .. } => source.hint(),
            Self::NoMask { .. } => "give .nii, .nii.gz or DICOM SEG files with vertebrae",
        }
    }
}

/// Reads the mask files at a path: one file, or all NIfTI files and DICOM segmentations below a
/// folder, in the order of their paths.
///
/// In a folder, files of other kinds and masks without anything of the spine are passed over.
///
/// # Errors
/// [`MaskFileError`]: a file that is a mask and cannot be used is never passed over.
pub fn read_masks(
    path: &Path,
    asked: Option<MaskLabels>,
    max_bytes: u64,
) -> Result<Vec<MaskFile>, MaskFileError> {
    let files = discover(path)?.files;
    let folder = path.is_dir();
    let mut masks = Vec::new();
    for file in &files {
        match mask_file(&file.path, asked, max_bytes) {
            Ok(mask) => masks.push(mask),
            Err(error) if folder && passed_over(&file.path, &error) => {
                tracing::debug!(file = %file.path.display(), %error, "no mask of the spine");
            }
            Err(error) => return Err(error),
        }
    }
    if masks.iter().any(|mask| mask.meaning.has_vertebrae()) {
        return Ok(masks);
    }
    Err(MaskFileError::NoMask { path: path.to_owned(), files: files.len() })
}

/// Whether a file of a folder is none of its masks of the spine.
fn passed_over(path: &Path, error: &MaskFileError) -> bool {
    match error {
        MaskFileError::LabelMap(LabelMapError::NotALabelMap { .. }) => !is_nifti_name(path),
        MaskFileError::Labels { source, .. } => match source {
            NumberingError::Empty | NumberingError::NoSpine { .. } => true,
            // One label 1 and a name that tells nothing of the spine: another organ's file.
            NumberingError::Ambiguous { labels, .. } => labels.as_slice() == [1],
            _ => false,
        },
        _ => false,
    }
}

fn mask_file(
    path: &Path,
    asked: Option<MaskLabels>,
    max_bytes: u64,
) -> Result<MaskFile, MaskFileError> {
    let mut place = read_label_map(path, max_bytes)?;
    let labels: Vec<u16> = place.counts().into_keys().collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.trim_end_matches(".gz").trim_end_matches(".nii");
    let meaning = meaning(&labels, &place.names, stem, asked)
        .map_err(|source| MaskFileError::Labels { path: path.to_owned(), source })?;
    place.labels = Vec::new();
    Ok(MaskFile { path: path.to_owned(), meaning, place, max_bytes })
}

impl MaskFile {
    /// Whether the mask lies voxel on voxel with a series.
    ///
    /// # Errors
    /// [`GridMismatch`], saying how they differ.
    pub fn fits(&self, series: &Series) -> Result<(), GridMismatch> {
        if let Some(uid) = &self.place.referenced_series_uid
            && !series.series_instance_uid.is_empty()
            && *uid != series.series_instance_uid
        {
            return Err(GridMismatch::AnotherSeries);
        }
        self.place.fits(&series.grid, &series.frame_of_reference_uid)
    }

    /// The labels on the grid of a series.
    ///
    /// # Errors
    /// [`LabelMapError`] when the file cannot be read again, or no longer fits.
    pub fn layer(&self, grid: &Grid, frame_of_reference_uid: &str) -> Result<Layer, LabelMapError> {
        let map = read_label_map(&self.path, self.max_bytes)?;
        let labels = map.on_grid(grid, frame_of_reference_uid).map_err(|mismatch| {
            LabelMapError::NotALabelMap { path: self.path.clone(), found: mismatch.to_string() }
        })?;
        Ok(Layer { labels, meaning: self.meaning.clone() })
    }
}
