//! One scan: the result for one series beside its truth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::truth::Truth;
use crate::findings::schema::{Choice, Coverage, Finding, Findings, VertebraRecord};
use crate::terms::{FeatureId, Reason, Status};

/// By what a result and a truth were brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// The truth names the series.
    SeriesId,
    /// The truth names the study.
    StudyId,
    /// The truth's file is named like the study or series id.
    FileName,
    /// A folder above both has the same name.
    FolderName,
    /// There is one of each.
    OnlyOne,
}

/// A result beside its truth.
#[derive(Clone, Debug)]
pub struct Scan {
    /// A name for people: the folder or file of the truth.
    pub name: String,
    /// Who it is of; the study id where the truth does not say.
    pub patient: String,
    /// Study id, where there is a result.
    pub study: Option<String>,
    /// Series compared; `None` when the study has no screened series.
    pub series: Option<String>,
    /// By what they were brought together; `None` for a truth without a result.
    pub matched_by: Option<MatchedBy>,
    /// Vertebrae of the series.
    pub vertebrae: Vec<VertebraRecord>,
    /// Findings of the series.
    pub findings: Vec<Finding>,
    /// Answers for the series, and those that belong to no series.
    pub coverage: Vec<Coverage>,
    /// What is true.
    pub truth: Truth,
}

impl Scan {
    /// A truth with the result of one series. Without `series` (and none in the truth) the series
    /// with the most vertebrae is taken, of equal ones the smallest id.
    pub fn new(
        name: &str,
        truth: Truth,
        result: &Findings,
        series: Option<&str>,
        matched_by: MatchedBy,
    ) -> Self {
        let series = truth
            .series_id
            .clone()
            .or_else(|| series.map(str::to_owned))
            .or_else(|| fullest_series(result));
        let of_series = |id: &str| series.as_deref() == Some(id);
        let vertebrae: Vec<VertebraRecord> =
            result.anatomy.vertebrae.iter().filter(|v| of_series(&v.series)).cloned().collect();
        let findings = result
            .findings
            .iter()
            .filter(|finding| {
                let on_vertebra =
                    || vertebrae.iter().any(|v| Some(&v.id) == finding.site.vertebra.as_ref());
                finding.evidence.iter().any(|evidence| of_series(&evidence.series))
                    || (finding.evidence.is_empty() && on_vertebra())
            })
            .cloned()
            .collect();
        let coverage = result
            .coverage
            .iter()
            .filter(|row| row.series.as_deref().is_none_or(of_series))
            .cloned()
            .collect();
        Self {
            name: name.to_owned(),
            patient: truth.patient.clone().unwrap_or_else(|| result.study.id.clone()),
            study: Some(result.study.id.clone()),
            matched_by: Some(matched_by),
            vertebrae,
            findings,
            coverage,
            truth,
            series,
        }
    }

    /// A truth for which there is no result: all of it is missed.
    pub fn without_result(name: &str, truth: Truth) -> Self {
        let patient = truth.patient.clone().or_else(|| truth.study_id.clone());
        Self {
            name: name.to_owned(),
            patient: patient.unwrap_or_else(|| name.to_owned()),
            study: None,
            series: None,
            matched_by: None,
            vertebrae: Vec::new(),
            findings: Vec::new(),
            coverage: Vec::new(),
            truth,
        }
    }

    /// Whether there is a result at all.
    pub const fn has_result(&self) -> bool {
        self.study.is_some()
    }

    /// Answers of a feature.
    pub fn answers(&self, feature: FeatureId) -> impl Iterator<Item = &Coverage> {
        self.coverage.iter().filter(move |row| row.feature == feature)
    }

    /// Whether a feature can be asked of this scan: the truth judges it and either has a lesion of
    /// it, or the result looked at a series of a kind that the feature reads.
    pub fn asks(&self, feature: FeatureId) -> bool {
        let unsuited = |row: &Coverage| {
            matches!(row.reason, Some(Reason::NoSuitableSeries | Reason::NotBuilt))
        };
        let lesions = self.truth.lesions.iter().flatten();
        self.truth.judges(feature)
            && (lesions.clone().any(|lesion| lesion.feature == feature && !lesion.ignored)
                || self.findings.iter().any(|finding| finding.kind == feature)
                || self.answers(feature).any(|row| !unsuited(row)))
    }

    /// Findings that are present, or present and indeterminate.
    pub fn findings_of(&self, tier: Tier) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| match finding.status {
            Status::Present => true,
            Status::Indeterminate => tier == Tier::PresentAndIndeterminate,
            Status::Absent | Status::NotAssessed => false,
        })
    }
}

/// Which findings count.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// What the program flags.
    Present,
    /// Places to look at as well. Never the headline: declining would pay.
    PresentAndIndeterminate,
}

/// The screened series with the most vertebrae, of equal ones the smallest id.
pub fn fullest_series(findings: &Findings) -> Option<String> {
    let count = |id: &str| findings.anatomy.vertebrae.iter().filter(|v| v.series == id).count();
    let mut ids: Vec<&str> = findings
        .series
        .iter()
        .filter(|series| series.choice == Choice::Chosen)
        .map(|series| series.id.as_str())
        .collect();
    ids.sort_by(|a, b| count(b).cmp(&count(a)).then_with(|| a.cmp(b)));
    ids.first().map(|id| (*id).to_owned())
}
