//! `osteoflag phantom`: synthetic studies with known truth.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, nearest, output, read_text};
use crate::phantom::{self, Spec};

/// Arguments of `osteoflag phantom`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// List the built-in phantoms
    #[arg(long, exclusive = true)]
    list: bool,
    #[command(flatten)]
    make: Option<Make>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make one phantom (the word `make` may be left out)
    Make(Make),
    /// Make a population of CT phantoms from a stated spectrum
    Cohort(Cohort),
    /// List the built-in phantoms
    List,
}

/// Arguments of `osteoflag phantom cohort`.
#[derive(Debug, clap::Args)]
struct Cohort {
    /// Folder for the cases, made when it is missing; each gets a folder with DICOM files,
    /// truth.json (with what was drawn) and labels.nii.gz
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,
    /// How many cases
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=9999))]
    count: u16,
    /// Seed; case n is the same for any count
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Arguments of `osteoflag phantom make`.
#[derive(Debug, clap::Args)]
struct Make {
    /// A built-in phantom (see `osteoflag phantom list`) or a JSON file that describes one
    #[arg(value_name = "NAME|SPEC.json")]
    name: String,
    /// Folder for the DICOM files, truth.json and labels.nii.gz, made when it is missing
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,
    /// Seed of noise, texture and shape; the same seed gives the same bytes
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    match (&arguments.command, &arguments.make) {
        (Some(Command::Make(make_arguments)), _) | (None, Some(make_arguments)) => {
            make(make_arguments, quiet)
        }
        (Some(Command::Cohort(cohort_arguments)), _) => cohort(cohort_arguments, quiet),
        (Some(Command::List), _) => Ok(list()),
        (None, None) if arguments.list => Ok(list()),
        (None, None) => Err(Failure::usage(
            "no phantom is named",
            "give a name of `osteoflag phantom list`, or a subcommand (see --help)".to_owned(),
        )),
    }
}

fn list() -> Exit {
    let width = Spec::BUILT_IN.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        Spec::BUILT_IN.iter().map(|(name, says)| format!("{name:width$}  {says}")).collect();
    output::result(&lines.join("\n"));
    Exit::Complete
}

/// The spec that a name or a file gives.
fn spec(name: &str) -> Result<Spec, Failure> {
    if let Some(spec) = Spec::built_in(name) {
        return Ok(spec);
    }
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return Spec::parse(&read_text(path)?).map_err(|error| {
            Failure::usage(
                format!("{name}: {error}"),
                "docs/PHANTOMS.md describes every field".to_owned(),
            )
        });
    }
    let known = nearest(name, Spec::BUILT_IN.iter().map(|(name, _)| *name));
    Err(Failure::usage(
        format!("no phantom is named '{name}'"),
        known.map(|known| {
            format!("is '{known}' meant? `osteoflag phantom list` shows all; a file ends in .json")
        }),
    ))
}

fn make(arguments: &Make, quiet: bool) -> Result<Exit, Failure> {
    let mut spec = spec(&arguments.name)?;
    if let Some(seed) = arguments.seed {
        spec.seed = seed;
    }
    let made = phantom::generate(&spec).map_err(|error| Failure::usage(error, None))?;
    phantom::write(&made, &arguments.output).map_err(|error| cannot_write(&error))?;
    let text =
        format!("{} written to {} (seed {})", spec.name, arguments.output.display(), spec.seed);
    output::message(quiet, &text);
    Ok(Exit::Complete)
}

fn cohort(arguments: &Cohort, quiet: bool) -> Result<Exit, Failure> {
    for case in 1..=usize::from(arguments.count) {
        let spec = phantom::cohort_case(arguments.seed, case);
        let made = phantom::generate(&spec).map_err(|error| Failure::usage(error, None))?;
        let folder = arguments.output.join(format!("case_{case:04}"));
        phantom::write(&made, &folder).map_err(|error| cannot_write(&error))?;
        output::message(quiet, &format!("{} of {}: {}", case, arguments.count, folder.display()));
    }
    Ok(Exit::Complete)
}

fn cannot_write(error: &phantom::PhantomError) -> Failure {
    Failure {
        exit: Exit::Output,
        what: error.to_string(),
        help: Some("give a folder that can be written with --output".to_owned()),
    }
}
