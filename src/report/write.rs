//! Writing of files: whole or not at all.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Why a result could not be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder could not be made.
    #[error("cannot make the folder {}: {source}", path.display())]
    MakeFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The path names no file.
    #[error("{} is no name of a file", path.display())]
    NotAFileName {
        /// The path.
        path: PathBuf,
    },
    /// A result could not be turned into JSON.
    #[error("cannot write a result as JSON: {source}")]
    Json {
        /// What the writer said.
        source: serde_json::Error,
    },
    /// A picture has no pixels or too many.
    #[error("a picture of {width} x {height} pixels cannot be written as PNG")]
    PictureSize {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The PNG encoder refused.
    #[error("cannot write a picture as PNG: {source}")]
    Png {
        /// What it said.
        source: png::EncodingError,
    },
}

impl ReportError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::MakeFolder { .. } | Self::Write { .. } => {
                "check that the output folder may be written and that the disk has room"
            }
            Self::NotAFileName { .. } => "name a file, not a folder",
            Self::Json { .. } | Self::PictureSize { .. } | Self::Png { .. } => {
                "this is a bug, please report it with the version"
            }
        }
    }
}

/// Writes a file beside its place and renames it: a reader sees the old file, none, or the whole
/// new one. The folder is made where it is missing.
///
/// # Errors
/// [`ReportError::MakeFolder`], [`ReportError::Write`], [`ReportError::NotAFileName`].
///
/// # Limits
/// Two writers of one path at the same time may overwrite each other's temporary file; each study
/// has its own folder.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let Some(name) = path.file_name() else {
        return Err(ReportError::NotAFileName { path: path.to_owned() });
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .map_err(|source| ReportError::MakeFolder { path: folder.to_owned(), source })?;
    }
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(".partial");
    let beside = path.with_file_name(beside);
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        // What is left of it is of no use to anyone; the error that counts is the first one.
        let _ = fs::remove_file(&beside);
        ReportError::Write { path: path.to_owned(), source }
    })
}

/// A result as JSON with two spaces of indent and a newline at its end. Keys come in the order
/// of the type's fields.
///
/// # Errors
/// [`ReportError::Json`].
pub fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, ReportError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|source| ReportError::Json { source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study/findings.json");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write_atomically(&file, b"x").unwrap();
        let error = write_atomically(&file.join("below/it.json"), b"x").unwrap_err();
        assert!(matches!(error, ReportError::MakeFolder { .. }));
        assert!(error.to_string().contains("below"));
        let error = write_atomically(folder.path(), b"x").unwrap_err();
        assert!(matches!(error, ReportError::Write { .. }), "a folder stands in its place");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = write_atomically(Path::new("/"), b"x").unwrap_err();
        assert!(matches!(error, ReportError::NotAFileName { .. }));
    }

    #[test]
    fn json_ends_in_a_newline() {
        let text = String::from_utf8(json(&vec![1]).unwrap()).unwrap();
        assert_eq!(text, "[\n  1\n]\n");
    }
}
