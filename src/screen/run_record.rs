//! `OUT/run.json`: what was run and what became of every file. The only result with file names
//! and times.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::findings::schema::Tool;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::series::{FileOutcome, FileRecord};

/// Value of [`RunRecord::schema`].
pub const RUN_SCHEMA: &str = "osteoflag-run/1";

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Name and version of this format: [`RUN_SCHEMA`].
    pub schema: String,
    /// Which program ran.
    pub tool: Tool,
    /// The rulebook: name and version.
    pub rulebook: String,
    /// Exit code of the run.
    pub exit_code: u8,
    /// Seconds from start to end.
    pub seconds: f64,
    /// What became of each study, by id.
    pub studies: Vec<StudyEntry>,
    /// What became of each file, by path.
    pub files: Vec<FileEntry>,
    /// All problems, with their files.
    pub problems: Vec<RunProblem>,
}

/// What became of one study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyEntry {
    /// The study's pseudonym and folder.
    pub id: String,
    /// `complete`, `partly_read` or `panicked`.
    pub outcome: StudyOutcome,
    /// Series screened.
    pub series_screened: usize,
    /// Series left out (each says why in `findings.json`).
    pub series_skipped: usize,
    /// Vertebrae found.
    pub vertebrae: usize,
    /// Findings with status present.
    pub findings_present: usize,
    /// Findings with status indeterminate.
    pub findings_indeterminate: usize,
    /// Seconds it took.
    pub seconds: f64,
}

/// How a study ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StudyOutcome {
    /// Everything that should be an image was read.
    Complete,
    /// Something that should be an image could not be read; the rest is complete.
    PartlyRead,
    /// A bug stopped it; there are no results.
    Panicked,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its path as found.
    pub path: PathBuf,
    /// The series it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<ProblemCode>,
}

/// A problem with its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunProblem {
    /// What kind.
    pub code: ProblemCode,
    /// How much it matters.
    pub severity: Severity,
    /// What happened, where.
    pub sentence: String,
    /// The files it concerns.
    pub files: Vec<PathBuf>,
}

impl From<&Problem> for RunProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code,
            severity: problem.severity,
            sentence: problem.sentence.clone(),
            files: problem.files.clone(),
        }
    }
}

impl From<&FileRecord> for FileEntry {
    fn from(record: &FileRecord) -> Self {
        let (series, left_out) = match &record.outcome {
            FileOutcome::Image(series) => (Some(series.to_string()), None),
            FileOutcome::NotAnImage(problem)
            | FileOutcome::NotDicom(problem)
            | FileOutcome::Failed(problem) => (None, Some(problem.code)),
        };
        Self { path: record.path.clone(), series, left_out }
    }
}
