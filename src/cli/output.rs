//! What the commands print: results to stdout, progress and messages to stderr.
//!
//! A closed pipe is no error: whoever reads has seen enough.

#![allow(clippy::print_stderr, reason = "the one place where messages are printed")]

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use crate::screen::Event;

/// Prints a result.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe (`| head`) ends the output, not the program.
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints an error with its remedy.
pub fn error(what: &str, help: Option<&str>) {
    eprintln!("error: {}", printable(what));
    if let Some(help) = help {
        eprintln!(" help: {}", printable(help));
    }
}

/// Prints a message unless `quiet`.
pub fn message(quiet: bool, text: &str) {
    if !quiet {
        eprintln!("{}", printable(text));
    }
}

/// The text without control characters other than line ends: file names and headers may carry
/// terminal sequences.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A progress bar on a terminal, nothing elsewhere.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar, hidden when `quiet` or when stderr is no terminal.
    pub fn new(quiet: bool) -> Self {
        let bar = if quiet || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0)
        };
        if let Ok(style) = ProgressStyle::with_template("{msg:28} [{bar:32}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Shows how far the run is.
    pub fn show(&self, event: Event) {
        match event {
            Event::FilesFound(files) => {
                self.bar.set_message("reading headers");
                self.bar.set_length(files as u64);
            }
            Event::HeadersRead(files) => self.bar.set_position(files as u64),
            Event::Study(n, of) => {
                self.bar.set_message("screening studies");
                self.bar.set_length(of as u64);
                self.bar.set_position(n as u64);
            }
            Event::Series(n, of) => {
                self.bar.set_message(format!("screening series {} of {of}", n + 1));
            }
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_sequences_in_a_name_are_not_passed_on() {
        assert_eq!(printable("a\u{1b}[31mb\nc"), "a\u{fffd}[31mb\nc");
    }
}
