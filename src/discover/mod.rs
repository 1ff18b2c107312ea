//! Finds candidate files: recursive, blind to names and extensions, in a fixed order.

use std::path::PathBuf;

/// A file that may be DICOM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CandidateFile {
    /// Where it lies.
    pub path: PathBuf,
}
