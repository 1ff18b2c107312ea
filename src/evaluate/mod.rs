//! Findings against truth.
