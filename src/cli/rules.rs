//! `osteoflag rules list|explain|check|test`.

use std::path::PathBuf;

use super::{Exit, Failure, output, screen};
use crate::eligibility::{docs::explain_rule, run_rule_tests};

/// Arguments of `osteoflag rules`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Rulebook to use instead of the built-in one
    #[arg(long, value_name = "FILE", global = true)]
    rules: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the rules with their outcomes
    List,
    /// Explain one rule: condition, sentence, sources
    Explain {
        /// The rule's id
        rule: String,
    },
    /// Check a rulebook; errors name line and column
    Check,
    /// Run the tests that stand beside the rules
    Test,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let rulebook = screen::rulebook(arguments.rules.as_ref())?;
    match &arguments.command {
        Command::List => {
            let lines: Vec<String> = rulebook
                .rules
                .iter()
                .map(|rule| format!("{:<44} {:<8} {}", rule.id, rule.subject, rule.outcome))
                .collect();
            output::result(&lines.join("\n"));
        }
        Command::Explain { rule } => {
            let Some(text) = explain_rule(&rulebook, rule) else {
                let ids = rulebook.rules.iter().map(|rule| rule.id.as_str());
                return Err(Failure::usage(
                    format!("no rule is named '{rule}'"),
                    super::nearest(rule, ids).map(|near| format!("did you mean '{near}'?")),
                ));
            };
            output::result(&text);
        }
        Command::Check => output::result(&format!(
            "{}: {} rules, no mistakes found",
            rulebook.title(),
            rulebook.rules.len()
        )),
        Command::Test => {
            let results = run_rule_tests(&rulebook).map_err(|error| Failure {
                exit: Exit::Bug,
                what: error.to_string(),
                help: Some("please report it with the rulebook".to_owned()),
            })?;
            let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
            for result in &failed {
                output::result(&format!(
                    "line {}: {}: expected {:?}, found {:?}",
                    result.line, result.rule, result.expected, result.found
                ));
            }
            output::result(&format!(
                "{} passed, {} failed",
                results.len() - failed.len(),
                failed.len()
            ));
            if !failed.is_empty() {
                return Ok(Exit::Usage);
            }
        }
    }
    Ok(Exit::Complete)
}
