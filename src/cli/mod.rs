//! The command line: one file for each subcommand. Knows all rooms; nobody imports it.

#![warn(clippy::indexing_slicing)]

mod assess;
mod evaluate;
mod exit_code;
mod explain;
mod from_nifti;
mod output;
mod phantom;
mod phantom_insert;
mod rules;
mod screen;
mod series;

use std::num::NonZeroUsize;

use clap::{CommandFactory, Parser, Subcommand};

pub use exit_code::Exit;

/// Screens CT and MR DICOM studies for what bears on treating painful bone metastases.
///
/// It screens and structures; it does not diagnose. What it did not look at is said with a
/// reason, never left out.
#[derive(Debug, Parser)]
#[command(name = "osteoflag", version, after_help = Exit::table(), max_term_width = 100)]
struct Arguments {
    /// Worker threads (results do not depend on it) [default: one for each core]
    #[arg(long, global = true, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// No progress and no messages but errors
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Screen a folder of DICOM and write findings, verdict, pictures and a page to read
    Screen(screen::Arguments),
    /// List every series with its role, and whether it would be screened and why
    Series(series::Arguments),
    /// Run the rules alone on a findings.json
    Assess(assess::Arguments),
    /// Look into a rulebook
    Rules(rules::Arguments),
    /// Explain a feature, threshold, problem, reason, rule, outcome, input or exit code
    Explain(explain::Arguments),
    /// Write a synthetic study with known truth as real DICOM
    Phantom(phantom::Arguments),
    /// Compare findings with known truth: vertebrae, lesions, curves, thresholds
    Evaluate(evaluate::Arguments),
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// An error that ends a command, with its exit code and remedy.
struct Failure {
    exit: Exit,
    what: String,
    help: Option<String>,
}

impl Failure {
    fn usage(what: impl std::fmt::Display, help: impl Into<Option<String>>) -> Self {
        Self { exit: Exit::Usage, what: what.to_string(), help: help.into() }
    }
}

/// Parses the arguments of the process, runs the command, and says how it ended.
pub fn main() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap prints help to stdout and mistakes to stderr; both may meet a closed pipe.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Complete };
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("OSTEOFLAG_LOG"))
        .init();
    if let Some(threads) = arguments.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global();
        if let Err(error) = pool {
            output::error(&format!("--threads {threads}: {error}"), None);
            return Exit::Usage;
        }
    }
    let quiet = arguments.quiet;
    let result = match arguments.command {
        Command::Screen(arguments) => screen::run(&arguments, quiet),
        Command::Series(arguments) => series::run(&arguments, quiet),
        Command::Assess(arguments) => assess::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Phantom(arguments) => phantom::run(&arguments, quiet),
        Command::Evaluate(arguments) => evaluate::run(&arguments, quiet),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "osteoflag", &mut script);
            output::result(&String::from_utf8_lossy(&script));
            Ok(Exit::Complete)
        }
    };
    result.unwrap_or_else(|failure| {
        output::error(&failure.what, failure.help.as_deref());
        failure.exit
    })
}

/// A text file of the user, whole.
fn read_text(file: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(
            format!("{}: {error}", file.display()),
            "give a readable UTF-8 text file".to_owned(),
        )
    })
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure {
        exit: Exit::Bug,
        what: format!("the result could not be written as JSON: {error}"),
        help: None,
    })
}

/// The known name that is nearest to a mistyped one.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known.min_by_key(|known| strsim::damerau_levenshtein(known, name)).map(str::to_owned)
}
