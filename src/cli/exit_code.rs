//! Exit codes: one list for `--help`, the docs and the program.

use std::process::ExitCode;

/// How a command ends. Where several hold: 2, 5, 1, 3, 4, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was processed, whatever was found.
    Complete,
    /// A bug: at least one study broke off; the others are complete.
    Bug,
    /// Arguments, settings, rulebook or context are wrong; nothing was processed.
    Usage,
    /// Something that should be an image could not be read; what could be is complete.
    Partly,
    /// No readable image.
    NothingToScreen,
    /// The output cannot be written.
    Output,
}

impl Exit {
    /// All of them, by code.
    pub const ALL: [Self; 6] =
        [Self::Complete, Self::Bug, Self::Usage, Self::Partly, Self::NothingToScreen, Self::Output];

    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Partly => 3,
            Self::NothingToScreen => 4,
            Self::Output => 5,
        }
    }

    /// What it means, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "every study was processed, whatever was found",
            Self::Bug => "a bug: at least one study broke off; the others are complete",
            Self::Usage => {
                "arguments, settings, rulebook or context are wrong; nothing was processed"
            }
            Self::Partly => {
                "partly done: something that should be an image could not be read; what could be is complete"
            }
            Self::NothingToScreen => "nothing to screen: no readable image",
            Self::Output => "the output cannot be written",
        }
    }

    /// The exit with a code of a run record.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Bug)
    }

    /// The table for `--help`.
    pub fn table() -> String {
        let rows: Vec<String> =
            Self::ALL.iter().map(|exit| format!("  {}  {}", exit.code(), exit.meaning())).collect();
        format!("Exit codes (where several hold: 2, 5, 1, 3, 4, 0):\n{}", rows.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
