//! The closed vocabularies: every word that findings, rules and people share.
//!
//! Written to JSON, settings and the command line in `snake_case` (levels as `T12`). A word that
//! is not here is refused on reading, never guessed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Vertebral level. Only ever given through an anchor in view (sacrum, C2 or skull base, first or
/// last rib); without one a vertebra has candidates and no level. S2 and below belong to the
/// region sacrum.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[allow(missing_docs, reason = "C1 to S1 say what they are")]
pub enum Level {
    C1,
    C2,
    C3,
    C4,
    C5,
    C6,
    C7,
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
    T7,
    T8,
    T9,
    T10,
    T11,
    T12,
    T13,
    L1,
    L2,
    L3,
    L4,
    L5,
    L6,
    S1,
}

/// The part of the spine a level belongs to.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SpineSection {
    /// C1 to C7.
    Cervical,
    /// T1 to T13.
    Thoracic,
    /// L1 to L6.
    Lumbar,
    /// S1.
    Sacral,
}

impl Level {
    /// What to say beside a level that may be another one ("L3 or L5 possible"); `None` where
    /// there is no other candidate. A single anchor leaves the neighbours.
    pub fn doubt(self, candidates: &[Self]) -> Option<String> {
        let others: Vec<String> =
            candidates.iter().filter(|level| **level != self).map(ToString::to_string).collect();
        (!others.is_empty()).then(|| format!("{} possible", others.join(" or ")))
    }

    /// The level that the name of a label ends in (`L1`, `vertebrae_T12`).
    pub fn of_label_name(name: &str) -> Option<Self> {
        name.rsplit(['_', ' ', '-', '.']).next()?.to_ascii_uppercase().parse().ok()
    }

    /// The part of the spine this level belongs to.
    pub const fn section(self) -> SpineSection {
        match self {
            Self::C1 | Self::C2 | Self::C3 | Self::C4 | Self::C5 | Self::C6 | Self::C7 => {
                SpineSection::Cervical
            }
            Self::T1
            | Self::T2
            | Self::T3
            | Self::T4
            | Self::T5
            | Self::T6
            | Self::T7
            | Self::T8
            | Self::T9
            | Self::T10
            | Self::T11
            | Self::T12
            | Self::T13 => SpineSection::Thoracic,
            Self::L1 | Self::L2 | Self::L3 | Self::L4 | Self::L5 | Self::L6 => SpineSection::Lumbar,
            Self::S1 => SpineSection::Sacral,
        }
    }
}

/// Bone outside the single vertebrae.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Region {
    /// Sacrum from S2 down (S1 is a level).
    Sacrum,
    /// Wing of the hip bone.
    Ilium,
    /// Ischium.
    Ischium,
    /// Pubic body.
    Pubis,
    /// Superior or inferior pubic ramus.
    PubicRamus,
    /// Socket of the hip.
    Acetabulum,
    /// Femur.
    Femur,
    /// A rib.
    Rib,
    /// Sternum.
    Sternum,
    /// Scapula.
    Scapula,
    /// Clavicle.
    Clavicle,
    /// Humerus.
    Humerus,
    /// Shoulder girdle, where the bone is not told.
    ShoulderGirdle,
    /// A long bone, where it is not told which.
    LongBone,
    /// Any other bone.
    Other,
}

/// Side of the patient.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Side {
    /// The patient's left.
    Left,
    /// The patient's right.
    Right,
    /// On the midline.
    Midline,
    /// On both sides.
    Bilateral,
}

/// A part of a vertebra.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Part {
    /// Vertebral body.
    VertebralBody,
    /// Front third of the body.
    AnteriorThird,
    /// Middle third of the body, front to back.
    MiddleThird,
    /// Back third of the body.
    PosteriorThird,
    /// Upper endplate.
    UpperEndplate,
    /// Lower endplate.
    LowerEndplate,
    /// Front wall of the body.
    AnteriorWall,
    /// Side wall of the body.
    LateralWall,
    /// Back wall of the body.
    PosteriorWall,
    /// Pedicle.
    Pedicle,
    /// Lamina, facet or process.
    PosteriorElement,
    /// Joint of rib and vertebra.
    CostovertebralJunction,
    /// Spinal canal.
    SpinalCanal,
    /// Intervertebral disc above or below.
    Disc,
}

/// What a series is, as far as features care. `other` is the unknown one; no feature accepts it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// CT, sharp bone kernel.
    CtBone,
    /// CT, soft-tissue kernel.
    CtSoft,
    /// CT, lung kernel.
    CtLung,
    /// MR, T1-weighted.
    MrT1,
    /// MR, T1-weighted after contrast medium.
    MrT1Contrast,
    /// MR, T1-weighted with fat suppression, without contrast medium.
    MrT1Fatsat,
    /// MR, T2-weighted.
    MrT2,
    /// MR, T2-weighted with fat suppression.
    MrT2Fatsat,
    /// MR, short-tau inversion recovery.
    MrStir,
    /// MR, proton density.
    MrPd,
    /// MR, diffusion-weighted.
    MrDwi,
    /// MR, apparent diffusion coefficient.
    MrAdc,
    /// MR gradient echo, fat and water in phase.
    MrInPhase,
    /// MR gradient echo, fat and water opposed.
    MrOpposedPhase,
    /// MR, water image of a Dixon series.
    MrDixonWater,
    /// MR, fat image of a Dixon series.
    MrDixonFat,
    /// MR, fat fraction map.
    MrFatFraction,
    /// A planning view.
    Localizer,
    /// Computed from other images (map, projection, reformat of unknown kind).
    Derived,
    /// No image at all (report, dose page, text page).
    NotAnImage,
    /// Could not be told.
    Other,
}

impl Role {
    /// Whether the voxels are Hounsfield units.
    pub const fn is_ct(self) -> bool {
        matches!(self, Self::CtBone | Self::CtSoft | Self::CtLung)
    }

    /// Whether this is an MR sequence whose anatomy may be searched.
    pub const fn is_mr(self) -> bool {
        matches!(
            self,
            Self::MrT1
                | Self::MrT1Contrast
                | Self::MrT1Fatsat
                | Self::MrT2
                | Self::MrT2Fatsat
                | Self::MrStir
                | Self::MrPd
                | Self::MrDwi
                | Self::MrAdc
                | Self::MrInPhase
                | Self::MrOpposedPhase
                | Self::MrDixonWater
                | Self::MrDixonFat
                | Self::MrFatFraction
        )
    }
}

/// One piece of evidence for a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleEvidence {
    /// The tag (DICOM keyword) or pixel measure it comes from.
    pub source: String,
    /// The role it speaks for.
    pub role: Role,
    /// Its weight.
    pub weight: f64,
    /// What was seen, in words without free text of the header.
    pub seen: String,
}

/// Who found the anatomy.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// This program, by classical image analysis.
    Heuristic,
    /// A label map made elsewhere.
    Imported,
}

/// Whether contrast medium was given, as far as the header says.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ContrastMedium {
    /// Said to have been given.
    Given,
    /// Said not to have been given.
    NotGiven,
    /// Nothing is said.
    Unknown,
}

/// The answer of a feature for one vertebra or region.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Looked and seen: a candidate for a reader, not a diagnosis.
    Present,
    /// Looked and not seen.
    Absent,
    /// Looked and cannot tell; the reason says why.
    Indeterminate,
    /// Did not look; the reason says why.
    NotAssessed,
}

/// The features, in the order in which they are reported.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FeatureId {
    /// T1 signal of marrow lost.
    T1MarrowSignalDrop,
    /// A fracture line.
    FractureLine,
    /// Canal narrowed or entered.
    CanalEncroachment,
    /// Soft tissue in the epidural space.
    EpiduralSoftTissue,
    /// Posterior wall of the body broken, bulging or retropulsed.
    PosteriorWallDisruption,
    /// Lesion reaches a pedicle.
    PedicleInvolvement,
    /// Denser than the patient's own marrow.
    ScleroticDensity,
    /// Less dense than the patient's own marrow.
    LyticDensity,
    /// Both in one lesion.
    MixedDensity,
    /// Cortex of the front of the body lost.
    AnteriorColumnErosion,
    /// Cortex of a side of the body lost.
    LateralWallErosion,
    /// Lesion reaches lamina, facet or process.
    PosteriorElementInvolvement,
    /// Lesion reaches the rib joint.
    CostovertebralInvolvement,
    /// Height of the body lost.
    HeightLoss,
    /// Step, kyphosis, translation.
    Alignment,
    /// Mass beyond the cortex.
    ExtraosseousSoftTissue,
    /// Trabecular attenuation of unaffected bodies.
    BoneQuality,
    /// What is not bone: cement, screw, stent.
    CementOrMetal,
    /// Signal kept on opposed-phase images.
    OpposedPhaseDrop,
    /// Fat fraction low.
    FatFractionLow,
    /// Marrow bright on STIR or fat-suppressed T2.
    MarrowOedema,
    /// Lesion or fracture of the pelvis or femur.
    PelvicLesion,
}

/// Why a feature was not assessed, or why it could not tell.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The feature is not built in this version.
    NotBuilt,
    /// The study has no series of a role that the feature accepts.
    NoSuitableSeries,
    /// No spine was found in the series.
    SpineNotFound,
    /// The region was not cut out of the series.
    RegionNotSegmented,
    /// Too little of the vertebra lies inside the field of view.
    PartlyOutsideFieldOfView,
    /// An endplate lies outside the field of view.
    EndplateOutsideFieldOfView,
    /// The body could not be cut out well enough to measure.
    OutlineUncertain,
    /// The posterior wall could not be followed.
    WallNotFollowed,
    /// The canal could not be followed here.
    CanalNotFollowed,
    /// Not dependable in the cervical spine.
    CervicalSpine,
    /// Not dependable in the sacrum.
    SacralSpine,
    /// Slices are too thick for what is asked.
    SlicesTooThick,
    /// Slices are missing at this place.
    SlicesMissing,
    /// Too few other vertebrae to compare with.
    TooFewReferenceVertebrae,
    /// The patient's own marrow is as dark as tumour: a loss cannot be seen.
    MarrowAsDarkAsTumour,
    /// The reference tissue could not be measured.
    ReferenceTissueNotFound,
    /// Signal falls off at the end of the field.
    EndOfField,
    /// The vertebra itself was found with too little confidence.
    AnatomyUncertain,
    /// The measurement lies between the limits for present and absent.
    BetweenLimits,
    /// A look-alike explains the measurement as well as a lesion would.
    LookAlike,
    /// Metal, cement or its streaks at this place.
    MetalOrCement,
    /// Contrast medium in the canal (myelography) beside it.
    ContrastInCanal,
    /// Two ways of measuring disagree.
    MeasuresDisagree,
}

impl Reason {
    /// One sentence for people, without the trailing full stop.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotBuilt => "this version does not look for it",
            Self::NoSuitableSeries => "the study has no series of a kind this can be seen on",
            Self::SpineNotFound => "no spine was found in the series",
            Self::RegionNotSegmented => "this bone is not cut out in this version",
            Self::PartlyOutsideFieldOfView => "too little of it lies inside the field of view",
            Self::EndplateOutsideFieldOfView => "an endplate lies outside the field of view",
            Self::OutlineUncertain => "the outline of the body is too uncertain to measure",
            Self::WallNotFollowed => "the posterior wall could not be followed",
            Self::CanalNotFollowed => "the canal could not be followed here",
            Self::CervicalSpine => "not dependable in the cervical spine",
            Self::SacralSpine => "not dependable in the sacrum",
            Self::SlicesTooThick => "the slices are too thick for it",
            Self::SlicesMissing => "slices are missing here",
            Self::TooFewReferenceVertebrae => "too few other vertebrae to compare with",
            Self::MarrowAsDarkAsTumour => {
                "the patient's own marrow is as dark as tumour, a loss would not show"
            }
            Self::ReferenceTissueNotFound => "the tissue to compare with could not be measured",
            Self::EndOfField => "the signal falls off at the end of the field",
            Self::AnatomyUncertain => "the vertebra was found with too little confidence",
            Self::BetweenLimits => "the measurement lies between the limits for present and absent",
            Self::LookAlike => "a harmless look-alike explains it as well",
            Self::MetalOrCement => "metal or cement, or its streaks, lie here",
            Self::ContrastInCanal => "the canal holds contrast medium, its density hides the wall",
            Self::MeasuresDisagree => "two ways of measuring it disagree",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn a_level_with_other_candidates_says_so_and_one_without_does_not() {
        let doubt = Level::L4.doubt(&[Level::L4, Level::L3, Level::L5]);
        assert_eq!(doubt.as_deref(), Some("L3 or L5 possible"));
        assert_eq!(Level::L4.doubt(&[Level::L4]), None);
        assert_eq!(Level::L4.doubt(&[]), None);
    }

    #[test]
    fn every_word_reads_back_as_itself_in_json_and_as_text() {
        for feature in FeatureId::VARIANTS {
            let text = feature.to_string();
            assert_eq!(FeatureId::from_str(&text).unwrap(), *feature);
            assert_eq!(serde_json::to_value(feature).unwrap(), serde_json::json!(text));
        }
        for level in Level::VARIANTS {
            assert_eq!(Level::from_str(&level.to_string()).unwrap(), *level);
        }
    }
}
