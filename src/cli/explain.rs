//! `osteoflag explain NAME`: any word that results or settings use.

use std::str::FromStr;

use strum::VariantArray;

use super::{Exit, Failure, output, screen};
use crate::eligibility::docs::{explain_input, explain_outcome, explain_rule};
use crate::features;
use crate::problem::ProblemCode;
use crate::terms::{FeatureId, Reason};

/// Arguments of `osteoflag explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A feature, threshold, problem code, reason, rule, outcome, input, or `exit-codes`
    name: String,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let name = arguments.name.as_str();
    match explanation(name)? {
        Some(text) => {
            output::result(&text);
            Ok(Exit::Complete)
        }
        None => Err(Failure::usage(
            format!("'{name}' is no name of this program"),
            nearest_name(name).map(|near| format!("did you mean '{near}'?")),
        )),
    }
}

fn explanation(name: &str) -> Result<Option<String>, Failure> {
    if name == "exit-codes" {
        return Ok(Some(Exit::table()));
    }
    let feature = name.split_once('.').map_or(name, |(feature, _)| feature);
    if let Ok(feature) = FeatureId::from_str(feature) {
        return Ok(Some(features::explain(feature)));
    }
    if let Ok(code) = ProblemCode::from_str(name) {
        return Ok(Some(format!("{code} (problem)\n\n{}", code.explanation())));
    }
    if let Ok(reason) = Reason::from_str(name) {
        return Ok(Some(format!("{reason} (reason)\n\n{}.", reason.sentence())));
    }
    let rulebook = screen::rulebook(None)?;
    Ok(explain_rule(&rulebook, name)
        .or_else(|| explain_outcome(&rulebook, name))
        .or_else(|| explain_input(&rulebook, name)))
}

fn nearest_name(name: &str) -> Option<String> {
    let features = FeatureId::VARIANTS.iter().map(ToString::to_string);
    let problems = ProblemCode::VARIANTS.iter().map(ToString::to_string);
    let reasons = Reason::VARIANTS.iter().map(ToString::to_string);
    let names: Vec<String> = features.chain(problems).chain(reasons).collect();
    super::nearest(name, names.iter().map(String::as_str))
}
