//! A folder in, results out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::masks::{self, MaskMatchError};
use super::run_record::{FileEntry, RUN_SCHEMA, RunProblem, RunRecord, StudyEntry, StudyOutcome};
use super::study::{Options, StudyResult, context_names, study, tool};
use crate::discover::{DiscoverError, discover};
use crate::findings::schema::Choice;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::report::{ReportError, json, markdown, write_atomically};
use crate::series::{FileOutcome, Intake, Study};
use crate::terms::Status;
use crate::units::rounded;

/// What a run tells while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many candidate files were found.
    FilesFound(usize),
    /// So many of them have been read.
    HeadersRead(usize),
    /// A study is begun: its place and the number of studies.
    Study(usize, usize),
    /// A series of it is begun: its place and the number of series.
    Series(usize, usize),
}

/// Why a run gave no results at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The path to screen cannot be used.
    #[error(transparent)]
    Path(#[from] DiscoverError),
    /// The clinical context belongs to no study of the folder.
    #[error(
        "the clinical context names a study or patient that is not among the {studies} studies of the folder"
    )]
    ContextMatchesNoStudy {
        /// Studies found.
        studies: usize,
    },
    /// A mask belongs to no series, or to more than one study.
    #[error(transparent)]
    Masks(#[from] MaskMatchError),
    /// Results cannot be written.
    #[error(transparent)]
    Output(#[from] ReportError),
}

/// Screens all of `path` and writes results below `out`; returns what was written to
/// `OUT/run.json`. Its `exit_code` is 0, 1, 3 or 4 (see [`crate::cli`]).
///
/// # Errors
/// When nothing was processed: the path does not exist, the context matches no study, or `out`
/// cannot be written.
pub fn run(
    path: &Path,
    out: &Path,
    options: &Options,
    progress: &(dyn Fn(Event) + Sync),
) -> Result<RunRecord, RunError> {
    let start = Instant::now();
    let discovered = discover(path)?;
    // An unwritable folder is found before hours of work, not after.
    write_atomically(&out.join("run.json"), b"{}\n")?;
    progress(Event::FilesFound(discovered.files.len()));
    let intake = crate::series::read(&discovered.files, &|n| progress(Event::HeadersRead(n)));
    if let Some(context) = &options.context
        && !intake.studies.iter().any(|study| context_names(context, study))
    {
        return Err(RunError::ContextMatchesNoStudy { studies: intake.studies.len() });
    }
    masks::check(&options.masks, &intake.studies)?;
    let mut problems: Vec<Problem> = discovered.problems;
    problems.extend(intake.problems.iter().cloned());
    let mut entries = Vec::new();
    for (n, one) in intake.studies.iter().enumerate() {
        progress(Event::Study(n, intake.studies.len()));
        entries.push(screen_one(one, out, options, progress, &mut problems)?);
    }
    let record = RunRecord {
        schema: RUN_SCHEMA.to_owned(),
        tool: tool(&options.settings),
        rulebook: options.rulebook.title(),
        exit_code: exit_code(&intake, &entries, &problems),
        seconds: rounded(start.elapsed().as_secs_f64(), 3),
        studies: entries,
        files: intake.files.iter().map(FileEntry::from).collect(),
        problems: all_problems(&intake, &problems),
    };
    write_atomically(&out.join("run.json"), &json(&record)?)?;
    Ok(record)
}

fn screen_one(
    one: &Study,
    out: &Path,
    options: &Options,
    progress: &(dyn Fn(Event) + Sync),
    problems: &mut Vec<Problem>,
) -> Result<StudyEntry, ReportError> {
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| {
        study(one, options, &|n, of| progress(Event::Series(n, of)))
    }));
    let mut entry = StudyEntry {
        id: one.id.to_string(),
        outcome: StudyOutcome::Panicked,
        series_screened: 0,
        series_skipped: 0,
        vertebrae: 0,
        findings_present: 0,
        findings_indeterminate: 0,
        seconds: 0.0,
    };
    match result {
        Ok(Ok(result)) => {
            write_study(&out.join(one.id.to_string()), &result)?;
            count(&mut entry, &result);
            problems.extend(result.problems);
        }
        Ok(Err(error)) => problems.push(bug(one, &error.to_string())),
        Err(_) => problems.push(bug(one, "see the message on the terminal")),
    }
    entry.seconds = rounded(start.elapsed().as_secs_f64(), 3);
    Ok(entry)
}

fn bug(study: &Study, what: &str) -> Problem {
    Problem::new(
        ProblemCode::StudyPanicked,
        Severity::Blocks,
        format!("study {}: a bug stopped the work ({what})", study.id),
    )
}

fn count(entry: &mut StudyEntry, result: &StudyResult) {
    let findings = &result.findings;
    let with = |status| findings.findings.iter().filter(|f| f.status == status).count();
    entry.outcome =
        if result.incomplete { StudyOutcome::PartlyRead } else { StudyOutcome::Complete };
    entry.series_screened = findings.series.iter().filter(|s| s.choice == Choice::Chosen).count();
    entry.series_skipped = findings.series.len() - entry.series_screened;
    entry.vertebrae = findings.anatomy.vertebrae.len();
    entry.findings_present = with(Status::Present);
    entry.findings_indeterminate = with(Status::Indeterminate);
}

/// Pictures first and the page that shows them last, so that no page points to a missing file.
fn write_study(folder: &Path, result: &StudyResult) -> Result<(), ReportError> {
    for (name, png) in &result.pictures {
        write_atomically(&folder.join(name), png)?;
    }
    for (name, bytes) in &result.label_maps {
        write_atomically(&folder.join(name), bytes)?;
    }
    write_atomically(&folder.join("findings.json"), &json(&result.findings)?)?;
    write_atomically(&folder.join("verdict.json"), &json(&result.verdict)?)?;
    let page = markdown(&result.findings, Some(&result.verdict));
    write_atomically(&folder.join("report.md"), page.as_bytes())
}

fn exit_code(intake: &Intake, studies: &[StudyEntry], problems: &[Problem]) -> u8 {
    let any = |outcome| studies.iter().any(|study| study.outcome == outcome);
    let failed = intake.files.iter().any(|file| matches!(file.outcome, FileOutcome::Failed(_)));
    let readable = intake.files.iter().any(|file| matches!(file.outcome, FileOutcome::Image(_)));
    let unlisted = problems.iter().any(|problem| problem.code == ProblemCode::UnreadableFolder);
    if any(StudyOutcome::Panicked) {
        1
    } else if !readable {
        4
    } else if failed || unlisted || any(StudyOutcome::PartlyRead) {
        3
    } else {
        0
    }
}

fn all_problems(intake: &Intake, problems: &[Problem]) -> Vec<RunProblem> {
    let of_files = intake.files.iter().filter_map(|file| match &file.outcome {
        FileOutcome::Image(_) => None,
        FileOutcome::NotAnImage(problem)
        | FileOutcome::NotDicom(problem)
        | FileOutcome::Failed(problem) => Some((problem, Some(&file.path))),
    });
    let of_studies = intake.studies.iter().flat_map(|study| {
        study
            .problems
            .iter()
            .chain(study.series.iter().flat_map(|s| s.problems.iter().chain(&s.not_a_volume)))
    });
    of_studies
        .chain(problems)
        .map(|problem| (problem, None::<&PathBuf>))
        .chain(of_files)
        .map(|(problem, path)| {
            let mut entry = RunProblem::from(problem);
            if let Some(path) = path
                && !entry.files.contains(path)
            {
                entry.files.push(path.clone());
            }
            entry.files.sort();
            entry
        })
        .collect()
}
