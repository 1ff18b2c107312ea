//! `osteoflag evaluate RESULTS --truth TRUTH`.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, output};
use crate::evaluate::{Evaluation, Truth, evaluate};
use crate::findings::schema::Findings;

/// Arguments of `osteoflag evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A findings.json, or a results folder with one study
    results: PathBuf,
    /// Truth: JSON with vertebrae[] and lesions[]
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Series to compare [default: the one with the most vertebrae]
    #[arg(long, value_name = "ID")]
    series: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let file = findings_file(&arguments.results)?;
    let findings: Findings = serde_json::from_str(&super::read_text(&file)?).map_err(|error| {
        Failure::usage(format!("{}: {error}", file.display()), "give a findings.json".to_owned())
    })?;
    let truth = Truth::parse(&super::read_text(&arguments.truth)?).map_err(|error| {
        Failure::usage(
            format!("{}: {error}", arguments.truth.display()),
            "expected {\"vertebrae\": [{\"level\", \"centroid_lps_mm\", \"fraction_in_view\"}], \"lesions\": [{\"feature\", \"centroid_lps_mm\", \"volume_mm3\"}]}".to_owned(),
        )
    })?;
    if let Some(series) = &arguments.series
        && !findings.series.iter().any(|one| one.id == *series)
    {
        let known = findings.series.iter().map(|one| one.id.as_str());
        return Err(Failure::usage(
            format!("the findings have no series '{series}'"),
            super::nearest(series, known).map(|near| format!("did you mean '{near}'?")),
        ));
    }
    let evaluation = evaluate(&findings, &truth, arguments.series.as_deref());
    if arguments.json {
        output::result(&super::to_json(&evaluation)?);
    } else {
        output::result(&table(&evaluation));
    }
    Ok(Exit::Complete)
}

fn findings_file(results: &Path) -> Result<PathBuf, Failure> {
    if !results.is_dir() {
        return Ok(results.to_owned());
    }
    let entries = std::fs::read_dir(results)
        .map_err(|error| Failure::usage(format!("{}: {error}", results.display()), None))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path().join("findings.json")))
        .filter(|file| file.is_file())
        .collect();
    files.sort();
    match files.as_slice() {
        [file] => Ok(file.clone()),
        files => Err(Failure::usage(
            format!("{} holds {} studies", results.display(), files.len()),
            "name one findings.json".to_owned(),
        )),
    }
}

fn table(evaluation: &Evaluation) -> String {
    let v = &evaluation.vertebrae;
    let mm = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |mm| format!("{mm:.1}"));
    let mut lines = vec![
        format!("vertebrae half in view  {}", v.expected),
        format!("found within 10 mm      {}", v.found),
        format!("false                   {}", v.false_vertebrae),
        format!("missed                  {}", v.missed.join(" ")),
        format!("median, greatest mm     {} {}", mm(v.median_error_mm), mm(v.greatest_error_mm)),
        format!(
            "levels right wrong none {} {} {}",
            v.level_right, v.level_wrong, v.level_not_named
        ),
    ];
    for (kind, score) in &evaluation.lesions.kinds {
        lines.push(format!(
            "{kind}: {} of {} found, {} only indeterminate, {} false",
            score.found, score.expected, score.only_indeterminate, score.false_findings
        ));
    }
    lines.join("\n")
}
