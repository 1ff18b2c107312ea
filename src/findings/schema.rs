//! `findings.json`, schema version 1. These types are the source; `schemas/findings.schema.json`
//! is generated from them. Unknown fields are refused on reading.
//!
//! Places are LPS millimetres of the series named beside them. No clock, no file name and, unless
//! asked for, no identifier stands here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::geometry::{LpsPoint, Plane};
use crate::problem::Problem;
use crate::terms::{
    ContrastMedium, FeatureId, Level, Part, Provider, Reason, Region, Role, RoleEvidence, Side,
    SpineSection, Status,
};
use crate::units::{Measurement, Reference};

/// Value of [`Findings::schema`] that this version writes and reads.
pub const SCHEMA: &str = "osteoflag-findings/1";

/// Everything found in one study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// Name and version of this format: [`SCHEMA`].
    pub schema: String,
    /// Which program wrote it.
    pub tool: Tool,
    /// The study.
    pub study: StudyRecord,
    /// Every series of the study, screened or skipped.
    pub series: Vec<SeriesRecord>,
    /// The anatomy the findings stand on.
    pub anatomy: AnatomyRecord,
    /// Candidates for a reader: `present` and `indeterminate` answers.
    pub findings: Vec<Finding>,
    /// The answer of every feature for every vertebra or region: "absent" can only be read here.
    pub coverage: Vec<Coverage>,
    /// One entry for each vertebra, or region and side, that has a finding.
    pub sites: Vec<SiteRecord>,
    /// What touches the study as a whole.
    pub limitations: Vec<Problem>,
}

/// The program that wrote a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `osteoflag`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The decoders built in, by transfer syntax name.
    pub decoders: Vec<String>,
    /// Thresholds that differ from their defaults, as `name=value`.
    pub settings: Vec<String>,
}

/// The study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyRecord {
    /// Pseudonym: the first hex digits of the SHA-256 of the `StudyInstanceUID`. Not anonymity:
    /// whoever has the UID can make it again.
    pub id: String,
    /// The UID itself, with `--identifiers` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study_instance_uid: Option<String>,
    /// Modalities of its images, sorted.
    pub modalities: Vec<String>,
}

/// Whether a series was screened.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Its pixels were screened.
    Chosen,
    /// It was left out; the reason says why.
    Skipped,
}

/// One series (one stack of it).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesRecord {
    /// Pseudonym, see [`StudyRecord::id`].
    pub id: String,
    /// The UID itself, with `--identifiers` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_instance_uid: Option<String>,
    /// What it shows.
    pub role: Role,
    /// How sure the role is, 0 to 1.
    pub role_confidence: f64,
    /// What the role rests on.
    pub role_evidence: Vec<RoleEvidence>,
    /// Whether contrast medium was given.
    pub contrast_medium: ContrastMedium,
    /// Size and spacing; absent where it is no stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<GeometryRecord>,
    /// Screened or left out.
    pub choice: Choice,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_because: Option<String>,
    /// What was wrong or odd with it.
    pub problems: Vec<Problem>,
}

/// Size and place of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeometryRecord {
    /// Columns, rows, slices.
    pub size: [usize; 3],
    /// Distance of voxel centres along a row, along a column and along the stack, mm.
    pub spacing_mm: [f64; 3],
    /// Plane of the slices.
    pub plane: Plane,
    /// `SliceThickness` as the header says, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice_thickness_mm: Option<f64>,
}

/// The anatomy of the screened series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnatomyRecord {
    /// Who found it.
    pub provider: Provider,
    /// The vertebrae, by series, from feet to head.
    pub vertebrae: Vec<VertebraRecord>,
}

/// One vertebra of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VertebraRecord {
    /// `<series id>/<vertebra>`; unique in the study.
    pub id: String,
    /// The series it was found in.
    pub series: String,
    /// Its level, through an anchor in view only; else null.
    pub level: Option<Level>,
    /// Levels it may be, most likely first; empty where nothing narrows them down.
    pub level_candidates: Vec<Level>,
    /// Part of the spine, where size or shape tell it without an anchor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_guess: Option<SpineSection>,
    /// Centre of the visible part of the body.
    pub body_centroid_lps_mm: LpsPoint,
    /// Share of the body in the field of view, 0 to 1.
    pub fraction_in_view: f64,
    /// How sure it is that a vertebral body lies here, 0 to 1.
    pub confidence: f64,
    /// Sizes of its body; absent where the outline is not sure enough to be measured, or this
    /// provider measures none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<BodySizesRecord>,
    /// What touches this vertebra.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitations: Vec<Problem>,
}

/// Sizes of a vertebral body between its outer surfaces, in its own axes. What is absent was not
/// measured: a surface was not seen or lies outside the field of view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodySizesRecord {
    /// Height in the midline, at 85 % of the way from the middle to the front wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anterior_height_mm: Option<MeasuredSize>,
    /// Height in the midline, half way from the front wall to the back wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle_height_mm: Option<MeasuredSize>,
    /// Height in the midline, at 85 % of the way from the middle to the back wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posterior_height_mm: Option<MeasuredSize>,
    /// Front wall to back wall at mid height, over the middle 8 mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle_depth_mm: Option<MeasuredSize>,
    /// Side to side at mid height and mid depth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle_width_mm: Option<MeasuredSize>,
}

impl BodySizesRecord {
    /// Each size under the name it has in the file.
    pub const fn by_name(&self) -> [(&'static str, Option<MeasuredSize>); 5] {
        [
            ("anterior_height_mm", self.anterior_height_mm),
            ("middle_height_mm", self.middle_height_mm),
            ("posterior_height_mm", self.posterior_height_mm),
            ("middle_depth_mm", self.middle_depth_mm),
            ("middle_width_mm", self.middle_width_mm),
        ]
    }
}

/// A size with its standard error, as far as resolution and scatter of the edges tell it. That a
/// wrong edge was taken is not in it: the vertebra's confidence speaks of that.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasuredSize {
    /// The size, mm.
    pub value: f64,
    /// Its standard error, mm.
    pub error: f64,
}

/// A candidate for a reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// `f1`, `f2` … in the order of the file.
    pub id: String,
    /// The feature that saw it.
    pub kind: FeatureId,
    /// Where.
    pub site: FindingSite,
    /// `present` or `indeterminate`.
    pub status: Status,
    /// Why it is indeterminate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// For ranking, 0 to 1. Not a probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// What was measured.
    pub measurements: Vec<Measurement>,
    /// What it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What it was seen on.
    pub evidence: Vec<Evidence>,
    /// What speaks for a lesion.
    pub speaks_for: Vec<String>,
    /// What speaks against one.
    pub speaks_against: Vec<String>,
    /// What may have touched it.
    pub limitations: Vec<Problem>,
}

/// Where a finding lies in the patient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingSite {
    /// A [`VertebraRecord::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertebra: Option<String>,
    /// Another bone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Side of the midline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Parts of the vertebra it lies in.
    pub parts: Vec<Part>,
    /// Its centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centroid_lps_mm: Option<LpsPoint>,
    /// Its volume, mm³.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mm3: Option<f64>,
    /// Shortest distance to the canal, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_to_canal_mm: Option<f64>,
}

/// What a finding was seen on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The series.
    pub series: String,
    /// First and last slice (counted from 1 in stack order) that it touches.
    pub slices: [usize; 2],
    /// Box in voxels, inclusive: `[[i, j, k], [i, j, k]]`, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voxel_box: Option<[[usize; 3]; 2]>,
    /// Pictures, relative to the folder of this file.
    pub pictures: Vec<String>,
}

/// The answer of one feature for one vertebra or region of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// The feature.
    pub feature: FeatureId,
    /// The series, where one was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// A [`VertebraRecord::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertebra: Option<String>,
    /// Another bone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Side, for regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The answer.
    pub status: Status,
    /// Why it is indeterminate or not assessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Whether `absent` rules the finding out (see `osteoflag explain <feature>`).
    pub absence_rules_out: bool,
}

/// A place that has findings, as the rules see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteRecord {
    /// The vertebra's id, or `<region>` or `<region>:<side>`.
    pub id: String,
    /// A [`VertebraRecord::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertebra: Option<String>,
    /// Another bone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Side, for regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Ids of its findings.
    pub findings: Vec<String>,
}
