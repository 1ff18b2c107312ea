//! The walk over folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::problem::{Problem, ProblemCode, Severity};

/// A file that may be DICOM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CandidateFile {
    /// Where it lies.
    pub path: PathBuf,
}

/// What lies below a path.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// Regular files, sorted by path; each file once, however many links lead to it.
    pub files: Vec<CandidateFile>,
    /// Folders and links that could not be followed.
    pub problems: Vec<Problem>,
}

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// There is nothing at the path.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The path itself could not be looked at.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Lists the regular files at or below `root`, sorted by path.
///
/// Links are followed; loops end where they would enter themselves. Devices, pipes and sockets
/// are passed over. A folder that cannot be listed becomes a problem and the walk goes on.
///
/// # Errors
/// When `root` does not exist or cannot be looked at.
pub fn discover(root: &Path) -> Result<Discovered, DiscoverError> {
    match std::fs::metadata(root) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DiscoverError::NotFound { path: root.to_owned() });
        }
        Err(source) => return Err(DiscoverError::Unreadable { path: root.to_owned(), source }),
    }
    let mut files = Vec::new();
    let mut problems = Vec::new();
    let mut links = false;
    for entry in WalkDir::new(root).follow_links(true) {
        match entry {
            Ok(entry) => {
                links |= entry.path_is_symlink();
                if entry.file_type().is_file() {
                    files.push(CandidateFile { path: entry.into_path() });
                }
            }
            // The folder that the link leads back to is being walked anyway.
            Err(error) if error.loop_ancestor().is_some() => links = true,
            Err(error) => problems.push(unreadable(&error)),
        }
    }
    files.sort();
    if links {
        files = each_file_once(files);
    }
    problems.sort_by(|a, b| a.files.cmp(&b.files));
    Ok(Discovered { files, problems })
}

/// Keeps the first path of each file that links lead to more than once.
fn each_file_once(files: Vec<CandidateFile>) -> Vec<CandidateFile> {
    let mut seen = BTreeMap::new();
    for file in files {
        let real = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
        seen.entry(real).or_insert(file);
    }
    let mut files: Vec<_> = seen.into_values().collect();
    files.sort();
    files
}

fn unreadable(error: &walkdir::Error) -> Problem {
    let path = error.path().map(Path::to_owned).unwrap_or_default();
    let reason = error
        .io_error()
        .map_or_else(|| "it could not be read".to_owned(), |io| io.kind().to_string());
    let problem = if path.is_dir() {
        Problem::new(
            ProblemCode::UnreadableFolder,
            Severity::Blocks,
            format!("a folder could not be listed: {reason}"),
        )
    } else {
        Problem::new(
            ProblemCode::UnreadableFile,
            Severity::Blocks,
            format!("a file or link could not be followed: {reason}"),
        )
    };
    problem.with_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_does_not_exist_is_an_error_and_not_an_empty_list() {
        let error = discover(Path::new("no/such/place")).unwrap_err();
        assert!(matches!(error, DiscoverError::NotFound { .. }), "{error}");
    }

    #[test]
    fn files_come_sorted_whatever_their_endings_and_a_single_file_is_its_own_list() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["z.txt", "b/2", "a.dcm", ".hidden"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        let found = discover(folder.path()).unwrap();
        let names: Vec<_> = found
            .files
            .iter()
            .map(|f| f.path.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, [".hidden", "a.dcm", "b/2", "z.txt"]);
        let one = discover(&folder.path().join("a.dcm")).unwrap();
        assert_eq!(one.files.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_ends_and_a_broken_link_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/file"), b"x").unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("inner/loop")).unwrap();
        std::os::unix::fs::symlink("inner/file", folder.path().join("again")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("broken")).unwrap();
        let found = discover(folder.path()).unwrap();
        assert_eq!(found.files.len(), 1, "{:?}", found.files);
        assert_eq!(found.problems.len(), 1);
        assert_eq!(found.problems[0].code, ProblemCode::UnreadableFile);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_without_permission_is_a_problem_and_the_walk_goes_on() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::write(folder.path().join("open"), b"x").unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o0)).unwrap();
        let superuser = std::fs::read_dir(&closed).is_ok();
        let found = discover(folder.path()).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(found.files.len(), 1);
        if !superuser {
            assert_eq!(found.problems.len(), 1);
            assert_eq!(found.problems[0].code, ProblemCode::UnreadableFolder);
        }
    }
}
