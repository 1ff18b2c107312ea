//! Problems: what was wrong or odd with the input, as data.
//!
//! A problem travels to every finding that it may touch. Its code is from a closed list, each
//! with an explanation (`osteoflag explain CODE`); its files are written to `run.json` alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// How much a problem matters.
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
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; results stand.
    Note,
    /// Results may be touched.
    Warning,
    /// The file or series could not be used.
    Blocks,
}

/// The closed list of problems. To add one: a variant here, its line in [`ProblemCode::explanation`].
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
#[allow(missing_docs, reason = "each variant is explained by ProblemCode::explanation")]
pub enum ProblemCode {
    // Files
    UnreadableFile,
    UnreadableFolder,
    NotDicom,
    ArchiveNotOpened,
    DamagedHeader,
    NoPixelData,
    PixelDataTruncated,
    PrivatePixelData,
    ImpossibleSize,
    UnsupportedTransferSyntax,
    UnsupportedPixelLayout,
    DecodeFailed,
    CodecPanicked,
    NotAnImage,
    NotCtOrMr,
    // Series
    SeriesUidMissing,
    StudyUidSharedByPatients,
    ModalityMissing,
    PositionMissing,
    OrientationMissing,
    PixelSpacingMissing,
    SeriesSplit,
    DuplicateSlice,
    SamePositionDifferentPixels,
    RepeatedSopInstanceUid,
    FrameOfReferenceDiffers,
    UnevenSteps,
    SliceGap,
    SliceOverlap,
    GantryTilt,
    TooFewSlices,
    RescaleMissing,
    RescaleVaries,
    LossyCompression,
    MemoryLimit,
    // Role
    RoleConflict,
    RoleUncertain,
    // Anatomy
    SpineNotFound,
    SpinePartlyFollowed,
    NoLevelAnchor,
    SingleLevelAnchor,
    LevelAnchorsDisagree,
    LevelCountBroken,
    VertebraCutByField,
    AnatomyFromMasks,
    MasksDisagreeWithImage,
    MaskIncomplete,
    MetalOrCement,
    ContrastInCanal,
    // Findings
    NotMerged,
    // Run
    StudyPanicked,
}

impl ProblemCode {
    /// What it means and what to do, for people.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::UnreadableFile => {
                "The file could not be opened or read. Check permissions and the disk, then run again; everything else was processed."
            }
            Self::UnreadableFolder => {
                "The folder could not be listed, so nothing below it was looked at. Check its permissions."
            }
            Self::NotDicom => {
                "The file is not DICOM. It was left out; nothing is lost if it was never meant to be an image."
            }
            Self::ArchiveNotOpened => {
                "The file is an archive. This version does not look inside: unpack it and name the folder."
            }
            Self::DamagedHeader => {
                "The header ends early or contradicts itself. The file was left out; send it again from its source."
            }
            Self::NoPixelData => "The object has no pixel data. It was left out.",
            Self::PixelDataTruncated => {
                "The pixel data ends before the image is complete. The slice was left out; send it again."
            }
            Self::PrivatePixelData => {
                "The pixels stand only in a private, vendor-compressed element. Export the series again without the vendor's compression."
            }
            Self::ImpossibleSize => {
                "Rows, columns or frames are missing, not numbers, or larger than the file can hold. The file was left out."
            }
            Self::UnsupportedTransferSyntax => {
                "The pixels are compressed in a way this build cannot decode. Transcode the series (for example with dcmtk or GDCM)."
            }
            Self::UnsupportedPixelLayout => {
                "The pixels are in colour, in floating point, or in a number of bits that a CT or MR volume does not have. The file was left out."
            }
            Self::DecodeFailed => {
                "The compressed pixel data could not be decoded. The slice was left out; send it again."
            }
            Self::CodecPanicked => {
                "The decoder broke off on this pixel data. The slice was left out, the others are complete; please report the file if it may be shared."
            }
            Self::NotAnImage => {
                "A DICOM object that is not an image (report, plan, presentation state, text page)."
            }
            Self::NotCtOrMr => "An image, but neither CT nor MR. It was left out.",
            Self::SeriesUidMissing => {
                "SeriesInstanceUID or StudyInstanceUID is empty or invalid. The slices were grouped by frame of reference, modality, acquisition and geometry instead."
            }
            Self::StudyUidSharedByPatients => {
                "Two patients share one StudyInstanceUID. They are kept apart as two studies."
            }
            Self::ModalityMissing => {
                "Modality is missing. It was told from the SOP class, other tags and the pixels."
            }
            Self::PositionMissing => {
                "ImagePositionPatient is missing: the slice cannot be placed in the patient and was left out."
            }
            Self::OrientationMissing => {
                "ImageOrientationPatient is missing or not a pair of perpendicular directions: the slice cannot be placed and was left out."
            }
            Self::PixelSpacingMissing => {
                "PixelSpacing is missing or not positive: nothing can be measured and the slice was left out."
            }
            Self::SeriesSplit => {
                "One series held several stacks (other orientation, spacing, echo, phase, acquisition or kernel). Each is treated by itself."
            }
            Self::DuplicateSlice => "A slice came twice with equal pixels. One copy was kept.",
            Self::SamePositionDifferentPixels => {
                "Two slices of one stack lie at the same place with different pixels. They were split into separate stacks."
            }
            Self::RepeatedSopInstanceUid => {
                "Several images share one SOPInstanceUID. They were told apart by position and pixels."
            }
            Self::FrameOfReferenceDiffers => {
                "Series of one study have different frames of reference. Places of one series are not carried over to another."
            }
            Self::UnevenSteps => {
                "The distance between slices varies. Measurements along the stack are less exact."
            }
            Self::SliceGap => {
                "Slices are missing inside the stack. What lies in the gap was not looked at."
            }
            Self::SliceOverlap => {
                "Slices are thicker than their distance: neighbouring slices share tissue."
            }
            Self::GantryTilt => {
                "The stack is sheared (tilted gantry). The shear is kept in the geometry."
            }
            Self::TooFewSlices => "Too few slices for a volume.",
            Self::RescaleMissing => {
                "RescaleSlope or RescaleIntercept is missing on CT. Whether the values are Hounsfield units was judged from the pixels."
            }
            Self::RescaleVaries => {
                "RescaleSlope or RescaleIntercept varies between slices. Each slice was rescaled by its own."
            }
            Self::LossyCompression => {
                "The pixels were compressed with loss: fine structure and exact values may be changed."
            }
            Self::MemoryLimit => {
                "The volume would need more memory than allowed. Raise --max-memory or screen a smaller series."
            }
            Self::RoleConflict => {
                "Pieces of evidence about the kind of series contradict each other. Confidence was lowered."
            }
            Self::RoleUncertain => "The kind of series could not be told with confidence.",
            Self::SpineNotFound => {
                "No spine was found in the series. Nothing is said about bone in it."
            }
            Self::SpinePartlyFollowed => {
                "The spine could be followed only over part of the field. The rest was not looked at."
            }
            Self::NoLevelAnchor => {
                "Nothing in view names the levels (sacrum, C2, first or last rib). Vertebrae are counted, not named."
            }
            Self::SingleLevelAnchor => {
                "A single anchor names the levels. With a transitional vertebra all names would shift by one."
            }
            Self::LevelAnchorsDisagree => {
                "Two anchors of the levels contradict each other: a transitional vertebra, or a vertebra missed or counted twice. The levels between them are not named; the candidates list what they may be. Count by hand, best on a scan of the whole spine."
            }
            Self::LevelCountBroken => {
                "How many vertebrae lie between some of them and the anchor is not safe: a distance may hold one or two, one is unsure, metal or cement touches one, or the border of neck and chest lies between. Those are counted, not named."
            }
            Self::MetalOrCement => {
                "Metal or cement, or streaks of metal, lie in or at the vertebra. Densities there are not those of bone, and outlines may be wrong."
            }
            Self::ContrastInCanal => {
                "The spinal canal holds contrast medium (myelography). The posterior wall is not assessed beside it; where it hid the spine, the spine was found with its density taken out."
            }
            Self::VertebraCutByField => {
                "The vertebra is cut by the edge of the field of view. Its centre is that of the visible part."
            }
            Self::AnatomyFromMasks => {
                "Vertebrae and their levels come from masks made elsewhere (--masks); this program did not count them."
            }
            Self::MasksDisagreeWithImage => {
                "What this program sees in the image differs from the masks: vertebrae missing or extra, centres apart, or other levels. A reader should look which is right."
            }
            Self::MaskIncomplete => {
                "A mask holds too little of a vertebra, or nothing that tells its body from its arch. Features that need the body do not answer for it."
            }
            Self::NotMerged => {
                "Findings of several series are not merged in this version: one lesion may be listed once for each series."
            }
            Self::StudyPanicked => {
                "A bug stopped the work on this study; the others are complete. Please report it with the version."
            }
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// What kind.
    pub code: ProblemCode,
    /// How much it matters.
    pub severity: Severity,
    /// The numbers behind it, each name ending in its unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, f64>,
    /// Files it concerns. Never written with findings; `run.json` lists them.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// One sentence: what happened, where. No identifiers, no file names, no control characters.
    pub sentence: String,
}

impl Problem {
    /// A problem without numbers or files.
    pub fn new(code: ProblemCode, severity: Severity, sentence: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            numbers: BTreeMap::new(),
            files: Vec::new(),
            sentence: sentence.into(),
        }
    }

    /// The same with one more number.
    #[must_use]
    pub fn with_number(mut self, name: &str, value: f64) -> Self {
        self.numbers.insert(name.to_owned(), value);
        self
    }

    /// The same with one more file.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.files.push(file.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_by_whole_sentences() {
        for code in ProblemCode::VARIANTS {
            let text = code.explanation();
            assert!(text.len() > 20 && text.ends_with('.'), "{code}: {text}");
        }
    }

    #[test]
    fn files_never_travel_with_a_problem_that_is_written() {
        let problem = Problem::new(ProblemCode::NotDicom, Severity::Note, "a text file")
            .with_file("secret-name.txt");
        assert!(!serde_json::to_string(&problem).unwrap().contains("secret"));
    }
}
