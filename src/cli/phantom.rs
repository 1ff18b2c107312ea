//! `osteoflag phantom`: a synthetic study with known truth.

use std::path::PathBuf;

use super::{Exit, Failure, output};
use crate::phantom::{self, Spec};

/// Arguments of `osteoflag phantom`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which phantom
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(Spec::BUILT_IN))]
    name: String,
    /// Folder for the DICOM files and truth.json, made when it is missing
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,
    /// Seed of noise and texture; the same seed gives the same bytes
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let Some(mut spec) = Spec::built_in(&arguments.name) else {
        return Err(Failure::usage(format!("no phantom is named '{}'", arguments.name), None));
    };
    if let Some(seed) = arguments.seed {
        spec.seed = seed;
    }
    let made = phantom::generate(&spec).map_err(|error| Failure::usage(error, None))?;
    phantom::write(&made, &arguments.output).map_err(|error| Failure {
        exit: Exit::Output,
        what: error.to_string(),
        help: Some("give a folder that can be written with --output".to_owned()),
    })?;
    let text = format!(
        "{} written to {} (seed {})",
        arguments.name,
        arguments.output.display(),
        spec.seed
    );
    output::message(quiet, &text);
    Ok(Exit::Complete)
}
