//! Observations of a study as findings, coverage and limitations (schema v1).

mod assemble;
pub mod schema;

pub use assemble::{Screened, SeriesOutcome, assemble, is_finding, picture_name};
