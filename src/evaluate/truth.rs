//! What is true of a series: vertebral bodies, lesions, measurements. The JSON form; the CSV form
//! is in `truth_csv`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::geometry::LpsPoint;
use crate::terms::{FeatureId, Level};

/// What is known of a series. `None` is "nobody looked", an empty list is "looked, there is none".
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Truth {
    /// Id of the study ([`crate::findings::schema::StudyRecord::id`]).
    #[serde(default)]
    pub study_id: Option<String>,
    /// Id of the series.
    #[serde(default)]
    pub series_id: Option<String>,
    /// Who the study is of; intervals draw whole patients. The study stands for the patient where
    /// it is missing.
    #[serde(default)]
    pub patient: Option<String>,
    /// Vertebral bodies.
    #[serde(default)]
    pub vertebrae: Option<Vec<TruthVertebra>>,
    /// Lesions.
    #[serde(default)]
    pub lesions: Option<Vec<TruthLesion>>,
    /// Features whose lesions are listed without gaps, so that a finding elsewhere is false; all
    /// where the key is missing.
    #[serde(default)]
    pub lesion_features: Option<Vec<FeatureId>>,
}

/// One vertebral body.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TruthVertebra {
    /// Its level where it is known.
    pub level: Option<Level>,
    /// Its centre (of the visible part).
    pub centroid_lps_mm: LpsPoint,
    /// Share of it in the field of view.
    #[serde(default = "whole")]
    pub fraction_in_view: f64,
    /// Its true sizes, where they are known.
    #[serde(default)]
    pub measurements: TrueSizes,
}

/// Sizes of a whole vertebral body, mm, under the names they have in findings; others are passed
/// over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names, reason = "the names of the file carry their unit")]
pub struct TrueSizes {
    /// See [`crate::findings::schema::BodySizesRecord`].
    pub anterior_height_mm: Option<f64>,
    /// See `anterior_height_mm`.
    pub middle_height_mm: Option<f64>,
    /// See `anterior_height_mm`.
    pub posterior_height_mm: Option<f64>,
    /// See `anterior_height_mm`.
    pub middle_depth_mm: Option<f64>,
    /// See `anterior_height_mm`.
    pub middle_width_mm: Option<f64>,
}

impl TrueSizes {
    /// The sizes that are known, by name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, f64)> {
        [
            ("anterior_height_mm", self.anterior_height_mm),
            ("middle_height_mm", self.middle_height_mm),
            ("posterior_height_mm", self.posterior_height_mm),
            ("middle_depth_mm", self.middle_depth_mm),
            ("middle_width_mm", self.middle_width_mm),
        ]
        .into_iter()
        .filter_map(|(name, size)| Some((name, size?)))
    }
}

fn whole() -> f64 {
    1.0
}

/// One lesion.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TruthLesion {
    /// The feature that should see it.
    pub feature: FeatureId,
    /// In which vertebra.
    #[serde(default)]
    pub level: Option<Level>,
    /// Its centre.
    pub centroid_lps_mm: LpsPoint,
    /// Its volume, mm³.
    pub volume_mm3: f64,
    /// Its strength: HU over the marrow, share of the marrow's signal, mm of bulge.
    #[serde(default)]
    pub contrast: Option<f64>,
    /// Unit of the strength: `HU`, `ratio` or `mm`.
    #[serde(default)]
    pub contrast_unit: Option<String>,
    /// Mean HU that an inserted lesion adds after blur and thick slices.
    #[serde(default)]
    pub mean_added_hu: Option<f64>,
    /// Findings here are neither hits nor false (a look-alike, a place nobody could judge).
    #[serde(default)]
    pub ignored: bool,
    /// True values of measurements, by the name they have in findings.
    #[serde(default)]
    pub measurements: BTreeMap<String, f64>,
}

/// Why a truth file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TruthError {
    /// Not JSON of the expected form.
    #[error("not truth as JSON: {0}")]
    Form(#[from] serde_json::Error),
    /// Neither vertebrae nor lesions.
    #[error("neither `vertebrae` nor `lesions` is given: nothing to compare with")]
    Empty,
    /// A number that cannot be.
    #[error("{thing} {number}: {field} is {found}, expected {expected}")]
    Number {
        /// `vertebra` or `lesion`.
        thing: &'static str,
        /// Place in the list, from 1.
        number: usize,
        /// Which number.
        field: &'static str,
        /// What was given.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A table that cannot be read.
    #[error("line {line}: {what}")]
    Table {
        /// Line of the file, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A label of a lesion map whose kind nobody told.
    #[error(
        "label {label} is not named like a feature; of which kind its lesions are is not known"
    )]
    LabelWithoutFeature {
        /// The label.
        label: u16,
    },
    /// Two parts of the truth of one series give the same thing.
    #[error("{what} of one series are given twice")]
    Twice {
        /// `vertebrae` or `lesions`.
        what: &'static str,
    },
}

impl Truth {
    /// Reads the JSON form. Keys that are not listed at [`Truth`] are notes and are passed over.
    ///
    /// # Errors
    /// When the text is not JSON of the expected form, names an unknown level or feature, gives a
    /// number that cannot be, or gives neither vertebrae nor lesions.
    pub fn parse(text: &str) -> Result<Self, TruthError> {
        let truth: Self = serde_json::from_str(text)?;
        truth.checked()
    }

    /// The truth, when its numbers can be.
    pub(super) fn checked(self) -> Result<Self, TruthError> {
        if self.vertebrae.is_none() && self.lesions.is_none() {
            return Err(TruthError::Empty);
        }
        for (n, vertebra) in self.vertebrae.iter().flatten().enumerate() {
            let share = vertebra.fraction_in_view;
            if !(0.0..=1.0).contains(&share) {
                return Err(number("vertebra", n, "fraction_in_view", share, "0 to 1"));
            }
            finite("vertebra", n, vertebra.centroid_lps_mm)?;
            for (field, size) in vertebra.measurements.all() {
                if !(size.is_finite() && size > 0.0) {
                    return Err(number("vertebra", n, field, size, "more than 0"));
                }
            }
        }
        for (n, lesion) in self.lesions.iter().flatten().enumerate() {
            let volume = lesion.volume_mm3;
            if !(volume.is_finite() && volume >= 0.0) {
                return Err(number("lesion", n, "volume_mm3", volume, "0 or more"));
            }
            finite("lesion", n, lesion.centroid_lps_mm)?;
        }
        Ok(self)
    }

    /// Adds what another file says of the same series.
    ///
    /// # Errors
    /// When both give vertebrae, or both give lesions.
    pub fn join(&mut self, other: Self) -> Result<(), TruthError> {
        if self.vertebrae.is_some() && other.vertebrae.is_some() {
            return Err(TruthError::Twice { what: "vertebrae" });
        }
        if self.lesions.is_some() && other.lesions.is_some() {
            return Err(TruthError::Twice { what: "lesions" });
        }
        self.study_id = self.study_id.take().or(other.study_id);
        self.series_id = self.series_id.take().or(other.series_id);
        self.patient = self.patient.take().or(other.patient);
        self.vertebrae = self.vertebrae.take().or(other.vertebrae);
        self.lesions = self.lesions.take().or(other.lesions);
        self.lesion_features = self.lesion_features.take().or(other.lesion_features);
        Ok(())
    }

    /// Whether the lesions of a feature are listed without gaps.
    pub fn judges(&self, feature: FeatureId) -> bool {
        self.lesions.is_some()
            && self.lesion_features.as_ref().is_none_or(|listed| listed.contains(&feature))
    }
}

fn number(
    thing: &'static str,
    n: usize,
    field: &'static str,
    found: f64,
    expected: &'static str,
) -> TruthError {
    TruthError::Number { thing, number: n + 1, field, found, expected }
}

fn finite(thing: &'static str, n: usize, point: LpsPoint) -> Result<(), TruthError> {
    match [point.x(), point.y(), point.z()].into_iter().find(|x| !x.is_finite()) {
        Some(found) => Err(number(thing, n, "centroid_lps_mm", found, "a finite number")),
        None => Ok(()),
    }
}

impl TruthLesion {
    /// Radius of a sphere of the lesion's volume, mm.
    pub fn radius_mm(&self) -> f64 {
        super::matching::radius_of(self.volume_mm3)
    }

    /// True values of measurements, by the name they have in findings: those that are listed, the
    /// volume, and the strength where a finding measures the same thing.
    pub fn true_measurements(&self) -> BTreeMap<String, f64> {
        let mut known = self.measurements.clone();
        let mut add = |name: &str, value: Option<f64>| {
            if let Some(value) = value {
                known.entry(name.to_owned()).or_insert(value);
            }
        };
        add("volume_mm3", Some(self.volume_mm3));
        match self.contrast_unit.as_deref() {
            Some("HU") => add("mean_contrast_hu", self.mean_added_hu.or(self.contrast)),
            Some("mm") => add("bulge_mm", self.contrast),
            _ => {}
        }
        known
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
        let read = Truth::parse(&truth("\"L1\"", "0.5")).unwrap();
        assert_eq!(read.vertebrae.unwrap().len(), 1);
        assert_eq!(read.lesions, None, "a missing list is not an empty one");
        assert!(Truth::parse(&truth("null", "1")).is_ok());
        let error = Truth::parse(&truth("\"L9\"", "1")).unwrap_err();
        assert!(error.to_string().contains("L9"), "{error}");
        assert!(matches!(
            Truth::parse(&truth("null", "1.5")),
            Err(TruthError::Number { number: 1, .. })
        ));
    }

    #[test]
    fn truth_that_says_nothing_is_refused_and_an_empty_list_says_something() {
        assert!(matches!(Truth::parse("{\"lesion\": []}"), Err(TruthError::Empty)));
        assert!(Truth::parse("{\"vertebrae\": []}").is_ok());
        assert!(matches!(
            Truth::parse(
                r#"{"lesions": [{"feature": "sclerotic_density", "centroid_lps_mm": [0, 0, 0], "volume_mm3": -1}]}"#
            ),
            Err(TruthError::Number { thing: "lesion", .. })
        ));
    }
}
