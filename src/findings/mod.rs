//! Observations of a study as findings, coverage and limitations (schema v1).

pub mod schema;
