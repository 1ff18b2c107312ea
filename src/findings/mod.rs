//! Observations of a study as findings, coverage and limitations (schema v1).

#![warn(clippy::indexing_slicing)]

mod assemble;
pub mod schema;

pub use assemble::{Screened, SeriesOutcome, assemble, is_finding, picture_name};
