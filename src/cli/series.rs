//! `osteoflag series PATH`: what there is, what it shows, and what would be screened.

use std::path::PathBuf;

use serde::Serialize;

use super::{Exit, Failure, output};
use crate::discover::discover;
use crate::screen::{SeriesPlan, plan};
use crate::series::FileOutcome;
use crate::terms::Role;
use crate::units::rounded;

/// Arguments of `osteoflag series`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder (or file) with DICOM
    path: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    study: String,
    series: String,
    role: Role,
    role_confidence: f64,
    size: [usize; 3],
    spacing_mm: [f64; 3],
    chosen: bool,
    skipped_because: Option<String>,
    problems: Vec<String>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let discovered = discover(&arguments.path)
        .map_err(|error| Failure::usage(error, "give a folder or file that exists".to_owned()))?;
    let intake = crate::series::read(&discovered.files, &|_| {});
    let mut rows = Vec::new();
    for study in &intake.studies {
        for (series, SeriesPlan { role, choice }) in study.series.iter().zip(plan(study)) {
            rows.push(Row {
                study: study.id.to_string(),
                series: series.id.to_string(),
                role: role.role,
                role_confidence: rounded(role.confidence.get(), 2),
                size: series.grid.size(),
                spacing_mm: series.grid.spacing().map(|mm| rounded(mm, 3)),
                chosen: choice.is_ok(),
                skipped_because: choice.err(),
                problems: series.problems.iter().map(|p| p.sentence.clone()).collect(),
            });
        }
    }
    if arguments.json {
        output::result(&super::to_json(&rows)?);
    } else {
        output::result(&table(&rows));
    }
    for problem in discovered.problems.iter().chain(&intake.problems) {
        output::message(quiet, &problem.sentence);
    }
    let failed = |file: &crate::series::FileRecord| matches!(file.outcome, FileOutcome::Failed(_));
    for file in intake.files.iter().filter(|file| failed(file)) {
        if let FileOutcome::Failed(problem) = &file.outcome {
            output::message(quiet, &format!("{}: {}", file.path.display(), problem.sentence));
        }
    }
    Ok(if rows.is_empty() {
        Exit::NothingToScreen
    } else if intake.files.iter().any(failed) {
        Exit::Partly
    } else {
        Exit::Complete
    })
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![format!(
        "{:<18} {:<20} {:<16} {:>14} {:>20}  {}",
        "study", "series", "role", "size", "spacing mm", "chosen, or why not"
    )];
    for row in rows {
        let [ni, nj, nk] = row.size;
        let [si, sj, sk] = row.spacing_mm;
        lines.push(format!(
            "{:<18} {:<20} {:<16} {:>14} {:>20}  {}",
            row.study,
            row.series,
            row.role.to_string(),
            format!("{ni}x{nj}x{nk}"),
            format!("{si:.2} {sj:.2} {sk:.2}"),
            row.skipped_because.as_deref().unwrap_or("chosen")
        ));
    }
    lines.join("\n")
}
