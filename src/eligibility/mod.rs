//! The rulebook: three-valued conditions over findings and clinical context.
//!
//! Knows nothing of pixels: it stands on the ground and on [`crate::findings::schema`].
//!
//! [`assess`] takes [findings](crate::findings::schema::Findings), a [`ClinicalContext`] where
//! there is one, and a [`Rulebook`], and gives a [`verdict::Verdict`]. Findings and context become
//! a [`view`], in which what is unknown has no key; rules ask it with [conditions](condition) that
//! passed the [`checker`]; [`evaluate`] decides what is shown and derives what to ask for.

#![warn(clippy::indexing_slicing)]

pub mod checker;
pub mod condition;
pub mod context;
mod context_document;
mod context_schema;
pub mod docs;
pub mod evaluate;
pub mod input;
pub mod outcome;
mod requests;
pub mod rule_test;
pub mod rulebook;
pub mod toml_place;
pub mod verdict;
pub mod view;
mod view_image;
mod view_sites;
pub mod vocabulary;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod traps;
#[cfg(test)]
mod view_tests;

pub use context::{ClinicalContext, ContextError, ContextFormat, StudyMatch};
pub use context_schema::context_schema;
pub use evaluate::{EvaluationError, assess};
pub use rule_test::{RuleTestResult, run_rule_tests};
pub use rulebook::{Rulebook, RulebookError};
