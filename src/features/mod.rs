//! One question per file, one answer per vertebra: present, absent, indeterminate or not assessed.

mod model;
mod settings;
mod t1_marrow_signal_drop;

pub use model::{Context, Feature, Location, Need, Observation, Site, Spec, Threshold};
pub use settings::{SettingError, Settings};

/// The features that are built, in the order of the output. A feature of
/// [`FeatureId`](crate::terms::FeatureId) that is not here answers `not_assessed` (`not_built`).
pub static ALL: &[&dyn Feature] = &[&t1_marrow_signal_drop::T1MarrowSignalDrop];
