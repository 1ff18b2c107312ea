//! Why a series gives no volume, and why a slice of it gives no pixels.

use crate::problem::{Problem, ProblemCode, Severity};
use crate::series::SeriesId;

/// Why a series gives no volume.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The headers rule it out already.
    #[error("series {series}: {}", problem.sentence)]
    NotAVolume {
        /// The series.
        series: SeriesId,
        /// Why.
        problem: Problem,
    },
    /// It would need more memory than allowed; nothing was allocated.
    #[error("series {series}: {required_bytes} bytes needed, {max_bytes} allowed")]
    MemoryLimit {
        /// The series.
        series: SeriesId,
        /// What it needs.
        required_bytes: u64,
        /// What is allowed; `u64::MAX` where the system itself refused.
        max_bytes: u64,
    },
    /// Fewer than half of the slices could be decoded.
    #[error(
        "series {series}: only {decoded} of {slices} slices could be decoded; the first failure: {first}"
    )]
    TooFewSlicesDecoded {
        /// The series.
        series: SeriesId,
        /// Slices with pixels.
        decoded: usize,
        /// All slices.
        slices: usize,
        /// What the first failing slice said.
        first: SliceFailure,
    },
    /// CT without rescale whose values cannot be Hounsfield units.
    #[error("series {series}: CT without rescale, values from {lowest} to {highest} hold no air")]
    NotHounsfield {
        /// The series.
        series: SeriesId,
        /// Lowest value.
        lowest: i16,
        /// Highest value.
        highest: i16,
    },
}

impl VolumeError {
    /// The same as a problem that blocks the series.
    pub fn problem(&self) -> Problem {
        let (code, sentence) = match self {
            Self::NotAVolume { problem, .. } => return problem.clone(),
            Self::MemoryLimit { required_bytes, max_bytes, .. } => {
                return Problem::new(
                    ProblemCode::MemoryLimit,
                    Severity::Blocks,
                    format!(
                        "the volume needs {} MiB of memory, {} MiB are allowed",
                        required_bytes >> 20,
                        max_bytes >> 20
                    ),
                )
                .with_number("required_bytes", *required_bytes as f64)
                .with_number("max_bytes", *max_bytes as f64);
            }
            Self::TooFewSlicesDecoded { decoded, slices, first, .. } => (
                first.code(),
                format!(
                    "only {decoded} of {slices} slices could be decoded; the first failure: {first}"
                ),
            ),
            Self::NotHounsfield { lowest, highest, .. } => (
                ProblemCode::RescaleMissing,
                format!(
                    "RescaleIntercept or RescaleSlope is missing and values from {lowest} to {highest} are no Hounsfield units"
                ),
            ),
        };
        Problem::new(code, Severity::Blocks, sentence)
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotAVolume { .. } => "nothing to do if it is a localizer or a single picture",
            Self::MemoryLimit { .. } => "raise --max-memory or screen a smaller series",
            Self::TooFewSlicesDecoded { .. } => "send the series again, or transcode it",
            Self::NotHounsfield { .. } => "export the series again with its rescale values",
        }
    }
}

/// Why a slice gives no pixels.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SliceFailure {
    /// The file cannot be read.
    #[error("the file could not be read: {0}")]
    Unreadable(String),
    /// There are no pixels.
    #[error("the file holds no pixel data")]
    NoPixelData,
    /// Fewer bytes than the image needs.
    #[error("pixel data ends after {found} of {expected} bytes")]
    Truncated {
        /// Bytes that are there.
        found: u64,
        /// Bytes that the image needs.
        expected: u64,
    },
    /// No codec of this build decodes the transfer syntax.
    #[error("transfer syntax {uid} is not supported")]
    UnsupportedTransferSyntax {
        /// The transfer syntax.
        uid: String,
    },
    /// Colour, float or an odd number of bits.
    #[error("{0}")]
    UnsupportedLayout(String),
    /// The compressed data is damaged or in a form that the codec does not know.
    #[error("{codec}: {what}")]
    Decode {
        /// Name of the codec.
        codec: &'static str,
        /// What it said.
        what: String,
    },
    /// The codec broke off.
    #[error("{codec}: the decoder broke off")]
    Panicked {
        /// Name of the codec.
        codec: &'static str,
    },
}

impl SliceFailure {
    /// The problem code for it.
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::Unreadable(_) => ProblemCode::UnreadableFile,
            Self::NoPixelData => ProblemCode::NoPixelData,
            Self::Truncated { .. } => ProblemCode::PixelDataTruncated,
            Self::UnsupportedTransferSyntax { .. } => ProblemCode::UnsupportedTransferSyntax,
            Self::UnsupportedLayout(_) => ProblemCode::UnsupportedPixelLayout,
            Self::Decode { .. } => ProblemCode::DecodeFailed,
            Self::Panicked { .. } => ProblemCode::CodecPanicked,
        }
    }
}
