//! Findings against truth: vertebrae found, missed and false, levels named right or wrong,
//! lesions found and missed.
//!
//! First form: centres and lesion hits for one study. Masks, curves over thresholds and intervals
//! over patients are not built yet.

mod lesions;
mod truth;
mod vertebrae;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use lesions::{KindScore, LesionScore, score_lesions};
pub use truth::{Truth, TruthError, TruthLesion, TruthVertebra};
pub use vertebrae::{VertebraMatch, VertebraScore, score_vertebrae};

use crate::findings::schema::Findings;

/// A study's findings against its truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// The study.
    pub study: String,
    /// The series compared; `null` when the study has no screened series.
    pub series: Option<String>,
    /// Vertebrae.
    pub vertebrae: VertebraScore,
    /// Lesions.
    pub lesions: LesionScore,
}

/// Compares the findings of one series with the truth. Without `series` the series with the most
/// vertebrae is taken (the smallest id among equals), so that a study whose other series show no
/// spine can be compared as a whole.
pub fn evaluate(findings: &Findings, truth: &Truth, series: Option<&str>) -> Evaluation {
    let series = series.map(str::to_owned).or_else(|| fullest_series(findings));
    let of_series = |id: &str| series.as_deref() == Some(id);
    let found: Vec<_> =
        findings.anatomy.vertebrae.iter().filter(|v| of_series(&v.series)).cloned().collect();
    let flags: Vec<_> = findings
        .findings
        .iter()
        .filter(|finding| finding.evidence.iter().any(|evidence| of_series(&evidence.series)))
        .cloned()
        .collect();
    Evaluation {
        study: findings.study.id.clone(),
        vertebrae: score_vertebrae(&found, &truth.vertebrae),
        lesions: score_lesions(&flags, &truth.lesions),
        series,
    }
}

fn fullest_series(findings: &Findings) -> Option<String> {
    let count = |id: &str| findings.anatomy.vertebrae.iter().filter(|v| v.series == id).count();
    let mut ids: Vec<&str> = findings
        .series
        .iter()
        .filter(|series| series.choice == crate::findings::schema::Choice::Chosen)
        .map(|series| series.id.as_str())
        .collect();
    ids.sort_by(|a, b| count(b).cmp(&count(a)).then_with(|| a.cmp(b)));
    ids.first().map(|id| (*id).to_owned())
}
