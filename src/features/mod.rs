//! One question per file, one answer per vertebra: present, absent, indeterminate or not assessed.

mod assess;
mod body_doubts;
mod body_samples;
mod canal_distance;
mod density_candidates;
mod docs;
mod marrow_contrast;
mod matched_filter;
mod model;
mod normal_pattern;
mod posterior_wall;
mod posterior_wall_disruption;
mod region_on_grid;
mod robust_statistics;
mod sclerotic_density;
mod settings;
#[cfg(test)]
pub(crate) mod synthetic;
mod t1_marrow_signal_drop;

pub use assess::assess_series;
pub use docs::{explain, features_markdown};
pub use model::{Context, Feature, Location, Need, Observation, Site, Spec, Threshold};
pub use posterior_wall_disruption::PosteriorWallDisruption;
pub use sclerotic_density::ScleroticDensity;
pub use settings::{SettingError, Settings};
pub use t1_marrow_signal_drop::T1MarrowSignalDrop;

/// The features that are built, in the order of the output. A feature of
/// [`FeatureId`](crate::terms::FeatureId) that is not here answers `not_assessed` (`not_built`).
pub static ALL: &[&dyn Feature] =
    &[&T1MarrowSignalDrop, &PosteriorWallDisruption, &ScleroticDensity];
