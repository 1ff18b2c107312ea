//! Lesions found and missed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::truth::TruthLesion;
use crate::findings::schema::Finding;
use crate::terms::{FeatureId, Status};

/// A lesion is hit by a finding of its kind whose centre lies within the radius of a sphere of
/// the lesion's volume and this much more.
pub const HIT_MARGIN_MM: f64 = 3.0;

/// Lesions of one series against the truth, by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LesionScore {
    /// Score of each kind that is in the truth or was found.
    pub kinds: BTreeMap<FeatureId, KindScore>,
}

/// Lesions of one kind. `indeterminate` answers count as missed and are shown apart, so that
/// declining to answer cannot raise a score.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindScore {
    /// Lesions in the truth.
    pub expected: usize,
    /// Of these, hit by a finding that is present.
    pub found: usize,
    /// Of these, met only by an indeterminate finding.
    pub only_indeterminate: usize,
    /// Present findings that hit no lesion.
    pub false_findings: usize,
}

/// Compares findings with true lesions. One finding may hit several lesions; a second finding in
/// one lesion is neither a hit nor false.
pub fn score_lesions(findings: &[Finding], truth: &[TruthLesion]) -> LesionScore {
    let mut kinds: BTreeMap<FeatureId, KindScore> = BTreeMap::new();
    for lesion in truth {
        let met = |status| {
            findings.iter().any(|finding| finding.status == status && hits(finding, lesion))
        };
        let score = kinds.entry(lesion.feature).or_default();
        score.expected += 1;
        if met(Status::Present) {
            score.found += 1;
        } else if met(Status::Indeterminate) {
            score.only_indeterminate += 1;
        }
    }
    for finding in findings.iter().filter(|finding| finding.status == Status::Present) {
        if !truth.iter().any(|lesion| hits(finding, lesion)) {
            kinds.entry(finding.kind).or_default().false_findings += 1;
        }
    }
    LesionScore { kinds }
}

fn hits(finding: &Finding, lesion: &TruthLesion) -> bool {
    let radius = libm::cbrt(lesion.volume_mm3.max(0.0) * 3.0 / (4.0 * std::f64::consts::PI));
    finding.kind == lesion.feature
        && finding
            .site
            .centroid_lps_mm
            .is_some_and(|p| p.distance(lesion.centroid_lps_mm) <= radius + HIT_MARGIN_MM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::schema::FindingSite;
    use crate::geometry::LpsPoint;

    fn finding(status: Status, x: f64) -> Finding {
        Finding {
            id: "f1".into(),
            kind: FeatureId::ScleroticDensity,
            site: FindingSite {
                vertebra: None,
                region: None,
                side: None,
                parts: Vec::new(),
                centroid_lps_mm: Some(LpsPoint::new(x, 0.0, 0.0)),
                volume_mm3: None,
                distance_to_canal_mm: None,
            },
            status,
            reason: None,
            score: None,
            measurements: Vec::new(),
            reference: None,
            evidence: Vec::new(),
            speaks_for: Vec::new(),
            speaks_against: Vec::new(),
            limitations: Vec::new(),
        }
    }

    fn lesion(x: f64) -> TruthLesion {
        TruthLesion {
            feature: FeatureId::ScleroticDensity,
            centroid_lps_mm: LpsPoint::new(x, 0.0, 0.0),
            volume_mm3: 524.0,
        }
    }

    #[test]
    fn declining_to_answer_is_a_miss_that_is_shown_apart() {
        let score = score_lesions(&[finding(Status::Indeterminate, 0.0)], &[lesion(0.0)]);
        let score = &score.kinds[&FeatureId::ScleroticDensity];
        assert_eq!((score.expected, score.found, score.only_indeterminate), (1, 0, 1));
    }

    #[test]
    fn a_finding_between_two_lesions_hits_both_and_one_elsewhere_is_false() {
        let score = score_lesions(
            &[finding(Status::Present, 6.0), finding(Status::Present, 40.0)],
            &[lesion(0.0), lesion(12.0)],
        );
        let score = &score.kinds[&FeatureId::ScleroticDensity];
        assert_eq!((score.expected, score.found, score.false_findings), (2, 2, 1));
    }

    #[test]
    fn nothing_found_and_no_lesions_give_an_empty_score() {
        assert!(score_lesions(&[], &[]).kinds.is_empty());
    }
}
