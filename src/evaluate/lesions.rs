//! Lesions found and missed in one scan, and why; findings that belong to no lesion.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agreement::Pair;
use super::matching::{Candidate, Kinds, Matching, Place, Target, match_findings};
use super::scan::{Scan, Tier};
use super::truth::TruthLesion;
use crate::findings::schema::{Finding, VertebraRecord};
use crate::terms::{FeatureId, Level, Status};

/// A lesion belongs to the found vertebra whose centre is nearest, if it is at most this far.
pub const VERTEBRA_MM: f64 = 30.0;

/// What became of a true lesion. Only `found` counts as found.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LesionState {
    /// A present finding hits it.
    Found,
    /// Only an indeterminate finding hits it, or its vertebra was answered indeterminate.
    Indeterminate,
    /// Its vertebra was not assessed for it.
    NotAssessed,
    /// Its vertebra was called absent, or present elsewhere only.
    Absent,
    /// No vertebra was found within 30 mm of it.
    NoVertebra,
    /// The result has no answer for its vertebra.
    NoAnswer,
    /// There is no result for the scan.
    NoResult,
}

/// A true lesion and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LesionRow {
    /// The feature that should see it.
    pub feature: FeatureId,
    /// Level in the truth.
    pub level: Option<Level>,
    /// Volume in the truth, mm³.
    pub volume_mm3: f64,
    /// Class of its volume.
    pub size: String,
    /// Class of its strength, where the truth gives one.
    pub strength: Option<String>,
    /// What became of it.
    pub state: LesionState,
    /// The finding that hits it: a present one, else an indeterminate one.
    pub finding: Option<String>,
    /// Its score.
    pub score: Option<f64>,
    /// Distance from the finding's centre to the lesion's, mm.
    pub distance_mm: Option<f64>,
}

/// A present or indeterminate finding of a judged kind that lies on no lesion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FalseFinding {
    /// Its id.
    pub finding: String,
    /// The feature that saw it.
    pub feature: FeatureId,
    /// `present` is a false finding; `indeterminate` is shown apart.
    pub status: Status,
    /// Its score.
    pub score: Option<f64>,
    /// The vertebra it lies in.
    pub vertebra: Option<String>,
}

/// The lesions of one scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanLesions {
    /// Every lesion of the truth that is not ignored.
    pub lesions: Vec<LesionRow>,
    /// Findings that belong to no lesion.
    pub false_findings: Vec<FalseFinding>,
    /// Findings on places that the truth says to ignore.
    pub ignored_findings: usize,
    /// Findings of kinds whose lesions the truth does not list.
    pub not_judged_findings: usize,
}

/// What curves and agreement need of a scan beyond [`ScanLesions`].
#[derive(Clone, Debug, Default)]
pub struct ScanScores {
    /// For each tier: kind and score of the finding that hits each lesion, in the order of
    /// [`ScanLesions::lesions`].
    pub hits: [Vec<(FeatureId, Option<f64>)>; 2],
    /// For each tier: kind and score of each false finding.
    pub false_findings: [Vec<(FeatureId, f64)>; 2],
    /// Measurements of present findings beside the truth of the lesion they hit.
    pub pairs: Vec<Pair>,
}

/// Score of a finding for ranking; one without a score ranks below all others.
pub fn rank(finding: &Finding) -> f64 {
    finding.score.unwrap_or(0.0)
}

/// Compares the findings of a scan with its lesions. `patient` goes into the pairs.
pub fn score_lesions(
    scan: &Scan,
    patient: usize,
    rule: Matching,
    kinds: Kinds,
) -> (ScanLesions, ScanScores) {
    let Some(truth) = &scan.truth.lesions else {
        let not_judged = scan.findings_of(Tier::PresentAndIndeterminate).count();
        let nothing = ScanLesions { not_judged_findings: not_judged, ..ScanLesions::default() };
        return (nothing, ScanScores::default());
    };
    let counted: Vec<&TruthLesion> = truth.iter().filter(|lesion| !lesion.ignored).collect();
    let targets: Vec<Target> = counted.iter().map(|lesion| target(scan, lesion)).collect();
    let ignored: Vec<Target> =
        truth.iter().filter(|lesion| lesion.ignored).map(|lesion| target(scan, lesion)).collect();
    let mut scores = ScanScores::default();
    let mut result = ScanLesions::default();
    let mut given: [Vec<Option<&Finding>>; 2] = [Vec::new(), Vec::new()];
    for (n, tier) in [Tier::Present, Tier::PresentAndIndeterminate].into_iter().enumerate() {
        let all: Vec<&Finding> = scan.findings_of(tier).collect();
        let judged: Vec<&Finding> =
            all.iter().filter(|finding| scan.truth.judges(finding.kind)).copied().collect();
        let candidates: Vec<Candidate> = judged.iter().map(|finding| candidate(finding)).collect();
        let hits = match_findings(&candidates, &targets, rule, kinds);
        let on_ignored = match_findings(&candidates, &ignored, rule, kinds).on_target;
        given[n] = hits.of_target.iter().map(|hit| hit.map(|at| judged[at])).collect();
        scores.hits[n] = counted
            .iter()
            .zip(&given[n])
            .map(|(lesion, finding)| (lesion.feature, finding.map(rank)))
            .collect();
        result.ignored_findings = 0;
        result.not_judged_findings = all.len() - judged.len();
        result.false_findings.clear();
        for (at, finding) in judged.iter().enumerate() {
            if hits.on_target[at] {
                continue;
            }
            if on_ignored[at] {
                result.ignored_findings += 1;
                continue;
            }
            scores.false_findings[n].push((finding.kind, rank(finding)));
            result.false_findings.push(FalseFinding {
                finding: finding.id.clone(),
                feature: finding.kind,
                status: finding.status,
                score: finding.score,
                vertebra: finding.site.vertebra.clone(),
            });
        }
    }
    let [present, either] = &given;
    for ((lesion, present), either) in counted.iter().zip(present).zip(either) {
        let finding = present.or(*either);
        result.lesions.push(LesionRow {
            feature: lesion.feature,
            level: lesion.level,
            volume_mm3: lesion.volume_mm3,
            size: size_class(lesion.volume_mm3).to_owned(),
            strength: strength_class(lesion),
            state: match (present, either) {
                (Some(_), _) => LesionState::Found,
                (None, Some(_)) => LesionState::Indeterminate,
                (None, None) => answer(scan, lesion),
            },
            finding: finding.map(|finding| finding.id.clone()),
            score: finding.and_then(|finding| finding.score),
            distance_mm: finding.and_then(|finding| {
                Some(finding.site.centroid_lps_mm?.distance(lesion.centroid_lps_mm))
            }),
        });
        if let Some(finding) = present {
            scores.pairs.extend(pairs(patient, finding, lesion));
        }
    }
    (result, scores)
}

fn target(scan: &Scan, lesion: &TruthLesion) -> Target {
    Target {
        feature: lesion.feature,
        centre: lesion.centroid_lps_mm,
        volume_mm3: lesion.volume_mm3,
        vertebra: nearest_vertebra(scan, lesion).map(|vertebra| vertebra.id.clone()),
    }
}

fn candidate(finding: &Finding) -> Candidate {
    let site = &finding.site;
    let place = match (site.centroid_lps_mm, &site.vertebra) {
        (Some(centre), _) => Place::Point { centre, volume_mm3: site.volume_mm3 },
        (None, Some(vertebra)) => Place::Vertebra(vertebra.clone()),
        (None, None) => Place::Unknown,
    };
    Candidate { feature: finding.kind, place, score: rank(finding) }
}

fn nearest_vertebra<'a>(scan: &'a Scan, lesion: &TruthLesion) -> Option<&'a VertebraRecord> {
    let distance = |v: &VertebraRecord| v.body_centroid_lps_mm.distance(lesion.centroid_lps_mm);
    scan.vertebrae
        .iter()
        .filter(|vertebra| distance(vertebra) <= VERTEBRA_MM)
        .min_by(|a, b| distance(a).total_cmp(&distance(b)).then_with(|| a.id.cmp(&b.id)))
}

/// What the coverage says of a lesion that no finding hits.
fn answer(scan: &Scan, lesion: &TruthLesion) -> LesionState {
    if !scan.has_result() {
        return LesionState::NoResult;
    }
    let Some(vertebra) = nearest_vertebra(scan, lesion) else { return LesionState::NoVertebra };
    let said = |status| {
        scan.answers(lesion.feature)
            .any(|row| row.vertebra.as_ref() == Some(&vertebra.id) && row.status == status)
    };
    if said(Status::Indeterminate) {
        LesionState::Indeterminate
    } else if said(Status::NotAssessed) {
        LesionState::NotAssessed
    } else if said(Status::Absent) || said(Status::Present) {
        LesionState::Absent
    } else {
        LesionState::NoAnswer
    }
}

/// Measurements that finding and lesion share. The feature is the finding's, which under "any
/// kind" need not be the lesion's.
fn pairs(patient: usize, finding: &Finding, lesion: &TruthLesion) -> Vec<Pair> {
    let measured = |name: &str| {
        let listed = finding.measurements.iter().find(|m| m.name == name).map(|m| m.value);
        listed.or(finding.site.volume_mm3.filter(|_| name == "volume_mm3"))
    };
    lesion
        .true_measurements()
        .into_iter()
        .filter_map(|(name, expected)| {
            let measured = measured(&name)?;
            Some(Pair { patient, feature: Some(finding.kind), name, expected, measured })
        })
        .collect()
}

/// Class of a volume; the lower end belongs to the class.
fn size_class(volume_mm3: f64) -> &'static str {
    match volume_mm3 {
        v if v < 300.0 => "under 0.3 ml",
        v if v < 1000.0 => "0.3 to 1 ml",
        v if v < 3000.0 => "1 to 3 ml",
        _ => "3 ml and more",
    }
}

/// Class of a strength; the lower end belongs to the class.
fn strength_class(lesion: &TruthLesion) -> Option<String> {
    let strength = lesion.contrast?;
    let class = match lesion.contrast_unit.as_deref()? {
        "HU" if strength.abs() < 120.0 => "under 120 HU",
        "HU" if strength.abs() < 250.0 => "120 to 250 HU",
        "HU" => "250 HU and more",
        "mm" if strength < 4.0 => "under 4 mm",
        "mm" => "4 mm and more",
        "ratio" if strength < 0.6 => "ratio under 0.6",
        "ratio" => "ratio 0.6 and more",
        _ => return None,
    };
    Some(class.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::scan::MatchedBy;
    use crate::evaluate::testing;
    use crate::evaluate::truth::Truth;
    use crate::findings::schema::Coverage;

    const RULE: Matching = Matching::Distance { margin_mm: 3.0 };

    fn scan(lesions: Option<Vec<TruthLesion>>, found: Vec<Finding>, said: Vec<Coverage>) -> Scan {
        let vertebrae = vec![testing::vertebra("v1", None, 0.0)];
        let truth = Truth { lesions, vertebrae: Some(Vec::new()), ..Truth::default() };
        let result = testing::findings(vertebrae, found, said);
        Scan::new("s", truth, &result, None, MatchedBy::OnlyOne)
    }

    fn score(scan: &Scan) -> (ScanLesions, ScanScores) {
        score_lesions(scan, 0, RULE, Kinds::Same)
    }

    #[test]
    fn declining_is_a_miss_that_is_shown_apart_and_never_a_hit_of_the_curve() {
        let declined = testing::finding(Status::Indeterminate, 0.9, 0.0, Some("v1"));
        let (lesions, scores) =
            score(&scan(Some(vec![testing::lesion(0.0)]), vec![declined], vec![]));
        assert_eq!(lesions.lesions[0].state, LesionState::Indeterminate);
        assert_eq!(scores.hits[0][0].1, None);
        assert_eq!(scores.hits[1][0].1, Some(0.9));
        let rows = [
            (Some(Status::NotAssessed), LesionState::NotAssessed),
            (Some(Status::Absent), LesionState::Absent),
            (Some(Status::Indeterminate), LesionState::Indeterminate),
            (None, LesionState::NoAnswer),
        ];
        for (said, expected) in rows {
            let said = said.map(|status| testing::coverage("v1", status)).into_iter().collect();
            let (lesions, _) = score(&scan(Some(vec![testing::lesion(0.0)]), vec![], said));
            assert_eq!(lesions.lesions[0].state, expected);
        }
        let (lesions, _) = score(&scan(Some(vec![testing::lesion(90.0)]), vec![], vec![]));
        assert_eq!(lesions.lesions[0].state, LesionState::NoVertebra);
        let truth = Truth { lesions: Some(vec![testing::lesion(0.0)]), ..Truth::default() };
        let (lesions, _) = score(&Scan::without_result("s", truth));
        assert_eq!(lesions.lesions[0].state, LesionState::NoResult);
    }

    #[test]
    fn where_nobody_listed_lesions_no_finding_is_false() {
        let finding = || testing::finding(Status::Present, 0.5, 0.0, Some("v1"));
        let (unlisted, _) = score(&scan(None, vec![finding()], vec![]));
        assert_eq!((unlisted.false_findings.len(), unlisted.not_judged_findings), (0, 1));
        let (none, scores) = score(&scan(Some(vec![]), vec![finding()], vec![]));
        assert_eq!((none.false_findings.len(), scores.false_findings[0].len()), (1, 1));
    }

    #[test]
    fn a_finding_on_an_ignored_place_is_neither_hit_nor_false() {
        let ignored = TruthLesion { ignored: true, ..testing::lesion(0.0) };
        let finding = testing::finding(Status::Present, 0.5, 0.0, Some("v1"));
        let (lesions, scores) = score(&scan(Some(vec![ignored]), vec![finding], vec![]));
        assert_eq!((lesions.lesions.len(), lesions.ignored_findings), (0, 1));
        assert!(scores.false_findings[0].is_empty() && lesions.false_findings.is_empty());
    }

    #[test]
    fn sizes_and_strengths_begin_with_their_lower_end() {
        assert_eq!(size_class(299.9), "under 0.3 ml");
        assert_eq!(size_class(300.0), "0.3 to 1 ml");
        assert_eq!(size_class(1000.0), "1 to 3 ml");
        let lesion = |contrast| TruthLesion {
            contrast: Some(contrast),
            contrast_unit: Some("HU".into()),
            ..testing::lesion(0.0)
        };
        assert_eq!(strength_class(&lesion(120.0)).unwrap(), "120 to 250 HU");
        assert_eq!(strength_class(&lesion(-60.0)).unwrap(), "under 120 HU");
        assert_eq!(strength_class(&testing::lesion(0.0)), None);
    }
}
