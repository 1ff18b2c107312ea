//! What is known of a series before its pixels are read.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::geometry::{Grid, LpsPoint};
use crate::problem::Problem;

/// Pseudonym of a series: the first 16 hex digits of the SHA-256 of its `SeriesInstanceUID` (of
/// its sorted pixel digests where the UID is empty), with `-2`, `-3` … for further stacks of one
/// series.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct SeriesId(pub String);

/// Pseudonym of a study, made like [`SeriesId`].
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct StudyId(pub String);

impl std::fmt::Display for SeriesId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for StudyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One examination of one patient.
#[derive(Clone, Debug)]
pub struct Study {
    /// Pseudonym.
    pub id: StudyId,
    /// `StudyInstanceUID` as read; empty where it is missing. An identifier.
    pub study_instance_uid: String,
    /// `PatientID` as read. An identifier.
    pub patient_id: String,
    /// The stacks, ordered by id.
    pub series: Vec<Series>,
    /// Problems of the study as a whole.
    pub problems: Vec<Problem>,
}

/// One stack of parallel slices of equal size, ordered along its normal.
#[derive(Clone, Debug)]
pub struct Series {
    /// Pseudonym.
    pub id: SeriesId,
    /// `SeriesInstanceUID` as read; empty where it is missing. An identifier.
    pub series_instance_uid: String,
    /// `FrameOfReferenceUID` as read; empty where it is missing. An identifier.
    pub frame_of_reference_uid: String,
    /// Tags that tell what kind of series it is.
    pub tags: SeriesTags,
    /// The slices in stack order.
    pub slices: Vec<Slice>,
    /// Where the stack lies. Steps along `k` are the mean step; a shear (gantry tilt) is kept.
    pub grid: Grid,
    /// What was wrong or odd.
    pub problems: Vec<Problem>,
    /// Why this cannot be a volume (single slice, localizer in several planes, colour …); such a
    /// series is listed and never loaded.
    pub not_a_volume: Option<Problem>,
}

/// Where a slice's pixels come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameSource {
    /// The file.
    pub path: PathBuf,
    /// Frame in the file, counted from 0.
    pub frame: u32,
}

/// One slice of a stack.
#[derive(Clone, Debug)]
pub struct Slice {
    /// File and frame.
    pub source: FrameSource,
    /// Centre of the first voxel.
    pub position: LpsPoint,
    /// Transfer syntax of the file.
    pub transfer_syntax_uid: String,
    /// How its pixels are stored.
    pub layout: PixelLayout,
    /// `RescaleSlope`; 1 where missing.
    pub rescale_slope: f64,
    /// `RescaleIntercept`; 0 where missing.
    pub rescale_intercept: f64,
    /// `PixelPaddingValue` as stored, if given.
    pub pixel_padding_value: Option<i32>,
    /// `PixelPaddingRangeLimit` as stored, if given.
    pub pixel_padding_range_limit: Option<i32>,
}

/// How the pixels of a slice are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelLayout {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
    /// `BitsAllocated`: 8 or 16 for a volume.
    pub bits_allocated: u16,
    /// `BitsStored`.
    pub bits_stored: u16,
    /// `HighBit`.
    pub high_bit: u16,
    /// `PixelRepresentation` 1.
    pub signed: bool,
    /// `SamplesPerPixel`: 1 for a volume.
    pub samples_per_pixel: u16,
}

/// Tags that tell what kind of series it is, as read (text trimmed, empty text as `None`).
/// Private to the program: free text may identify and is never written to results.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "each field is the DICOM keyword in snake_case")]
pub struct SeriesTags {
    pub sop_class_uid: Option<String>,
    pub modality: Option<String>,
    pub image_type: Vec<String>,
    pub series_description: Option<String>,
    pub protocol_name: Option<String>,
    pub body_part_examined: Option<String>,
    pub manufacturer: Option<String>,
    pub patient_position: Option<String>,
    pub photometric_interpretation: Option<String>,
    pub convolution_kernel: Option<String>,
    pub kvp: Option<f64>,
    pub slice_thickness_mm: Option<f64>,
    pub spacing_between_slices_mm: Option<f64>,
    pub contrast_bolus_agent: Option<String>,
    pub rescale_type: Option<String>,
    pub rescale_present: bool,
    pub scanning_sequence: Vec<String>,
    pub sequence_variant: Vec<String>,
    pub scan_options: Vec<String>,
    pub sequence_name: Option<String>,
    pub mr_acquisition_type: Option<String>,
    pub repetition_time_ms: Option<f64>,
    pub echo_time_ms: Option<f64>,
    pub inversion_time_ms: Option<f64>,
    pub flip_angle_deg: Option<f64>,
    pub echo_train_length: Option<f64>,
    pub magnetic_field_strength_t: Option<f64>,
    pub diffusion_b_value: Option<f64>,
    pub acquisition_contrast: Option<String>,
    pub complex_image_component: Option<String>,
    pub number_of_frames: u32,
}
