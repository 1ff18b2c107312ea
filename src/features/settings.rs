//! Values of thresholds: `--set <feature id>.<threshold>=value`.

use std::collections::BTreeMap;

use super::{Feature, Threshold};
use crate::terms::FeatureId;

/// Thresholds that differ from their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    values: BTreeMap<String, f64>,
}

/// Why a setting was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// Not of the form `name=value`.
    #[error("setting '{given}': expected name=value, such as sclerotic_density.min_contrast_hu=60")]
    Form {
        /// What was given.
        given: String,
    },
    /// No threshold has this name.
    #[error("setting '{name}' is not known; the nearest known name is '{nearest}'")]
    UnknownName {
        /// What was given.
        name: String,
        /// The nearest known name.
        nearest: String,
    },
    /// The value is not a number.
    #[error("setting '{name}': '{value}' is not a number")]
    NotANumber {
        /// The setting.
        name: String,
        /// What was given.
        value: String,
    },
    /// The value lies outside the range.
    #[error("setting '{name}': {value} lies outside {least} to {greatest}")]
    OutOfRange {
        /// The setting.
        name: String,
        /// What was given.
        value: f64,
        /// Least allowed value.
        least: f64,
        /// Greatest allowed value.
        greatest: f64,
    },
}

impl Settings {
    /// Reads `name=value` pairs against the thresholds of `features`.
    ///
    /// # Errors
    /// The first pair that is no pair, names no threshold, or gives no number within range.
    pub fn parse<S: AsRef<str>>(
        pairs: &[S],
        features: &[&dyn Feature],
    ) -> Result<Self, SettingError> {
        let known: BTreeMap<String, &'static Threshold> = features
            .iter()
            .flat_map(|feature| {
                let spec = feature.spec();
                spec.thresholds.iter().map(move |&t| (format!("{}.{}", spec.id, t.name), t))
            })
            .collect();
        let mut values = BTreeMap::new();
        for pair in pairs {
            let pair = pair.as_ref();
            let Some((name, value)) = pair.split_once('=') else {
                return Err(SettingError::Form { given: pair.to_owned() });
            };
            let (name, value) = (name.trim(), value.trim());
            let Some(threshold) = known.get(name) else {
                let nearest = known
                    .keys()
                    .min_by_key(|known| strsim::damerau_levenshtein(known, name))
                    .cloned()
                    .unwrap_or_default();
                return Err(SettingError::UnknownName { name: name.to_owned(), nearest });
            };
            let number: f64 =
                value.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
                    SettingError::NotANumber { name: name.to_owned(), value: value.to_owned() }
                })?;
            let (least, greatest) = threshold.range;
            if number < least || number > greatest {
                return Err(SettingError::OutOfRange {
                    name: name.to_owned(),
                    value: number,
                    least,
                    greatest,
                });
            }
            values.insert(name.to_owned(), number);
        }
        Ok(Self { values })
    }

    /// Value of a threshold of `feature`: what was set, else its default.
    pub fn value(&self, feature: FeatureId, threshold: &Threshold) -> f64 {
        self.values
            .get(&format!("{feature}.{}", threshold.name))
            .copied()
            .unwrap_or(threshold.default)
    }

    /// What differs from the defaults, by full name.
    pub const fn changed(&self) -> &BTreeMap<String, f64> {
        &self.values
    }
}
