//! `osteoflag assess FINDINGS`: the rules alone, without pixels.

use std::path::PathBuf;

use super::{Exit, Failure, output, screen};
use crate::eligibility::{self, StudyMatch};
use crate::findings::schema::{Findings, SCHEMA};
use crate::report;

/// Arguments of `osteoflag assess`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A findings.json
    findings: PathBuf,
    /// Clinical context (TOML or JSON) that names the study
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// Rulebook to use instead of the built-in one
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Print verdict.json instead of the page
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let rulebook = screen::rulebook(arguments.rules.as_ref())?;
    let context = screen::context(arguments.context.as_ref())?;
    let text = super::read_text(&arguments.findings)?;
    let place = arguments.findings.display();
    let findings: Findings = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(
            format!("{place}: {error}"),
            format!("expected a findings.json of the format {SCHEMA}"),
        )
    })?;
    if findings.schema != SCHEMA {
        return Err(Failure::usage(
            format!("{place}: the format is '{}', expected '{SCHEMA}'", findings.schema),
            "write it again with this version of osteoflag".to_owned(),
        ));
    }
    if let Some(context) = &context {
        let uid = findings.study.study_instance_uid.as_deref();
        if context.matches_study(&findings.study.id, uid, None) != StudyMatch::ThisStudy {
            return Err(Failure::usage(
                format!("the context does not name study {}", findings.study.id),
                "put `study = \"<StudyInstanceUID or study id>\"` into the context".to_owned(),
            ));
        }
    }
    let verdict = eligibility::assess(&findings, context.as_ref(), &rulebook).map_err(|error| {
        if error.is_usage() {
            return Failure::usage(error, "correct the findings or the context".to_owned());
        }
        Failure {
            exit: Exit::Bug,
            what: error.to_string(),
            help: Some("please report it with the rulebook".to_owned()),
        }
    })?;
    if arguments.json {
        output::result(&super::to_json(&verdict)?);
    } else {
        output::result(&report::markdown(&findings, Some(&verdict)));
    }
    Ok(Exit::Complete)
}
