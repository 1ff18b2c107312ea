//! Masks in, masks out: which mask belongs to which series, and bodies as label maps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::anatomy::Anatomy;
use crate::anatomy::imported::{self, MaskFile};
use crate::geometry::{Grid, LpsPoint};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::report::{ReportError, json};
use crate::series::{Series, SeriesId, Study};
use crate::terms::{Level, Provider};
use crate::units::rounded;
use crate::volume::{NiftiData, NiftiError, label_table, nifti_gz_bytes};

/// Value of [`LabelMapRecord::schema`].
pub const LABEL_MAP_SCHEMA: &str = "osteoflag-label-map/1";

/// Why a mask belongs to no series, or to too many.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaskMatchError {
    /// It lies on no series.
    #[error("mask {path}: it fits none of the {series} series that could be volumes; {nearest}")]
    FitsNoSeries {
        /// The file.
        path: String,
        /// Series looked at.
        series: usize,
        /// How it differs from the one it differs least from.
        nearest: String,
    },
    /// It lies on series of several studies, and nothing in it says whose it is.
    #[error("mask {path}: it fits series of {studies} studies, and nothing says whose it is")]
    FitsManyStudies {
        /// The file.
        path: String,
        /// Number of studies.
        studies: usize,
    },
}

impl MaskMatchError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::FitsNoSeries { .. } => {
                "masks must lie voxel on voxel with a series: resample them onto it with nearest neighbour"
            }
            Self::FitsManyStudies { .. } => "screen each study with its own masks",
        }
    }
}

/// Checks that every mask belongs to exactly one study; reads no voxels.
pub(super) fn check(masks: &[MaskFile], studies: &[Study]) -> Result<(), MaskMatchError> {
    for mask in masks {
        let path = mask.path.display().to_string();
        let mut fitting = 0;
        let mut series = 0;
        let mut nearest: Option<(usize, String)> = None;
        for study in studies {
            let volumes = study.series.iter().filter(|s| s.not_a_volume.is_none());
            let mut fits = false;
            for one in volumes {
                series += 1;
                match mask.fits(one) {
                    Ok(()) => fits = true,
                    Err(mismatch) => {
                        let said = format!("series {}: {mismatch}", one.id);
                        // The one with the fewest words to say differs least.
                        let weight = said.matches(';').count();
                        if nearest.as_ref().is_none_or(|(least, _)| weight < *least) {
                            nearest = Some((weight, said));
                        }
                    }
                }
            }
            fitting += usize::from(fits);
        }
        match fitting {
            1 => {}
            0 => {
                let nearest = nearest.map_or_else(String::new, |(_, said)| said);
                return Err(MaskMatchError::FitsNoSeries { path, series, nearest });
            }
            studies => return Err(MaskMatchError::FitsManyStudies { path, studies }),
        }
    }
    Ok(())
}

/// The anatomy of a series: from the masks that lie on it, else as the heuristic saw it. A problem
/// where masks lie on it and cannot be used.
pub(super) fn with_masks(
    series: &Series,
    grid: &Grid,
    masks: &[MaskFile],
    heuristic: Anatomy,
) -> (Anatomy, Option<Problem>) {
    let mut fitting: Vec<&MaskFile> = masks.iter().filter(|m| m.fits(series).is_ok()).collect();
    if fitting.is_empty() {
        let mut anatomy = heuristic;
        if !masks.is_empty() {
            anatomy.problems.push(Problem::new(
                ProblemCode::MaskIncomplete,
                Severity::Note,
                "no mask lies on this series; its vertebrae are what this program saw",
            ));
        }
        return (anatomy, None);
    }
    // Vertebrae first, whatever the files are called.
    fitting.sort_by_key(|mask| (!mask.meaning.has_vertebrae(), mask.path.clone()));
    let refused = |what: String| {
        Problem::new(
            ProblemCode::MaskIncomplete,
            Severity::Warning,
            format!(
                "the masks of this series could not be used, its vertebrae are what this program saw: {what}"
            ),
        )
    };
    let layers: Result<Vec<imported::Layer>, Problem> = fitting
        .iter()
        .map(|mask| {
            mask.layer(grid, &series.frame_of_reference_uid).map_err(|error| {
                // The sentence stands in findings: no file names there.
                tracing::error!(file = %mask.path.display(), %error, "mask");
                refused("a file could not be read again".to_owned()).with_file(&mask.path)
            })
        })
        .collect();
    let mut sources: Vec<String> = fitting.iter().map(|mask| mask.meaning.source()).collect();
    sources.dedup();
    let result = layers.and_then(|layers| {
        // A copy of the heuristic is kept in case the masks contradict each other.
        imported::anatomy(grid, &layers, &sources.join(", "), heuristic.clone())
            .map_err(|error| refused(error.to_string()))
    });
    match result {
        Ok(anatomy) => (anatomy, None),
        Err(problem) => {
            let mut anatomy = heuristic;
            anatomy.problems.push(problem.clone());
            (anatomy, Some(problem))
        }
    }
}

/// What the labels of a label map are: written beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelMapRecord {
    /// Name and version of this format: [`LABEL_MAP_SCHEMA`].
    pub schema: String,
    /// The series on whose grid it lies.
    pub series: String,
    /// Who found the bodies.
    pub provider: Provider,
    /// What a voxel of a label is: inside the fitted surface of a vertebral body.
    pub holds: String,
    /// Each label.
    pub labels: Vec<LabelRecord>,
}

/// One label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelRecord {
    /// The value in the label map; n for the vertebra `vn`.
    pub label: u16,
    /// The vertebra, as `anatomy.vertebrae[].id` in `findings.json`.
    pub vertebra: String,
    /// Its level, if it is known.
    pub level: Option<Level>,
    /// Levels it may be.
    pub level_candidates: Vec<Level>,
    /// Voxels; 0 where the body could not be cut out.
    pub voxels: u64,
    /// Centre of the visible part of the body, LPS mm.
    pub body_centroid_lps_mm: LpsPoint,
    /// Share of the body in the field of view, 0 to 1.
    pub fraction_in_view: f64,
    /// How sure it is that a vertebral body lies here, 0 to 1.
    pub confidence: f64,
}

/// Why a label map cannot be made; a bug, or a grid that NIfTI cannot hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelMapWriteError {
    /// The NIfTI file.
    #[error(transparent)]
    Nifti(#[from] NiftiError),
    /// The names.
    #[error(transparent)]
    Json(#[from] ReportError),
}

/// The bodies of a series as `label_maps/<series>.nii.gz` and `.json`, names relative to the
/// study's folder.
pub(super) fn label_map(
    series: &SeriesId,
    grid: &Grid,
    anatomy: &Anatomy,
) -> Result<Vec<(String, Vec<u8>)>, LabelMapWriteError> {
    let mut labels = vec![0u16; grid.len()];
    let mut records = Vec::new();
    let mut names = BTreeMap::new();
    for (n, vertebra) in (1u16..).zip(&anatomy.vertebrae) {
        let mut voxels = 0;
        let body = vertebra.body.as_ref();
        if let Some((mask, ..)) = body.and_then(|b| b.surface.rasterise(&b.frame, grid)) {
            for offset in mask.offsets() {
                // Where two surfaces overlap the lower vertebra keeps the voxel.
                if let Some(to) = labels.get_mut(offset).filter(|to| **to == 0) {
                    *to = n;
                    voxels += 1;
                }
            }
        }
        names.insert(n, vertebra.id.to_string());
        records.push(LabelRecord {
            label: n,
            vertebra: format!("{series}/{}", vertebra.id),
            level: vertebra.level,
            level_candidates: vertebra.level_candidates.clone(),
            voxels,
            body_centroid_lps_mm: vertebra.centroid.rounded(1),
            fraction_in_view: rounded(vertebra.fraction_in_view.get(), 2),
            confidence: rounded(vertebra.confidence.get(), 2),
        });
    }
    let record = LabelMapRecord {
        schema: LABEL_MAP_SCHEMA.to_owned(),
        series: series.to_string(),
        provider: anatomy.provider,
        holds: "voxels whose centre lies inside the fitted surface of a vertebral body; arches, discs and other bones are not in it".to_owned(),
        labels: records,
    };
    let table = label_table(&names);
    let nifti = nifti_gz_bytes(grid, NiftiData::U16(&labels), &[table])?;
    Ok(vec![
        (format!("label_maps/{series}.nii.gz"), nifti),
        (format!("label_maps/{series}.json"), json(&record)?),
    ])
}
