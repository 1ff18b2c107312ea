//! Truth of a study as JSON: centres of vertebral bodies and lesions.

use serde::Deserialize;

use crate::geometry::LpsPoint;
use crate::terms::{FeatureId, Level};

/// What is known of a study. Fields that are not listed here are notes and are passed over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Truth {
    /// Vertebral bodies; an empty list means that no spine is in view.
    pub vertebrae: Vec<TruthVertebra>,
    /// Lesions; none where the key is missing.
    #[serde(default)]
    pub lesions: Vec<TruthLesion>,
}

/// One vertebral body.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TruthVertebra {
    /// Its level where an anchor in view names it.
    pub level: Option<Level>,
    /// Its centre (of the visible part).
    pub centroid_lps_mm: LpsPoint,
    /// Share of it in the field of view.
    #[serde(default = "whole")]
    pub fraction_in_view: f64,
}

fn whole() -> f64 {
    1.0
}

/// One lesion.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TruthLesion {
    /// The feature that should see it.
    pub feature: FeatureId,
    /// Its centre.
    pub centroid_lps_mm: LpsPoint,
    /// Its volume, mm³.
    pub volume_mm3: f64,
}

/// Why a truth file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TruthError {
    /// Not JSON of the expected form.
    #[error("truth: {0}")]
    Form(#[from] serde_json::Error),
    /// A number that cannot be.
    #[error("truth: vertebra {number}: fraction_in_view is {found}, expected 0 to 1")]
    FractionInView {
        /// Place in the list, from 1.
        number: usize,
        /// What was given.
        found: f64,
    },
}

impl Truth {
    /// Reads a truth file.
    ///
    /// # Errors
    /// When the text is not JSON of the expected form, names an unknown level or kind, or gives a
    /// share outside 0 to 1.
    pub fn parse(text: &str) -> Result<Self, TruthError> {
        let truth: Self = serde_json::from_str(text)?;
        for (n, vertebra) in truth.vertebrae.iter().enumerate() {
            if !(0.0..=1.0).contains(&vertebra.fraction_in_view) {
                return Err(TruthError::FractionInView {
                    number: n + 1,
                    found: vertebra.fraction_in_view,
                });
            }
        }
        Ok(truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_level_or_share_is_refused_and_notes_are_passed_over() {
        let truth = |level, share| {
            format!(
                r#"{{"made_by": "eye", "vertebrae": [{{"level": {level}, "centroid_lps_mm": [1, 2, 3],
                "fraction_in_view": {share}, "note": "x"}}]}}"#
            )
        };
        assert_eq!(Truth::parse(&truth("\"L1\"", "0.5")).unwrap().vertebrae.len(), 1);
        assert!(Truth::parse(&truth("null", "1")).is_ok());
        assert!(matches!(Truth::parse(&truth("\"L9\"", "1")), Err(TruthError::Form(_))));
        assert!(matches!(
            Truth::parse(&truth("null", "1.5")),
            Err(TruthError::FractionInView { number: 1, .. })
        ));
    }
}
