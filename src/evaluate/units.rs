//! The vertebrae and patients over which ROC curves are drawn.

use super::lesions::{VERTEBRA_MM, rank};
use super::roc::{Answer, Unit};
use super::scan::{Scan, Tier};
use super::truth::{TruthLesion, TruthVertebra};
use super::vertebrae::VertebraScore;
use crate::terms::{FeatureId, Status};

/// The true bodies of a scan that are at least half in view, asked for one feature. A body
/// without a lesion is left out where the feature cannot be asked of the scan, and where the truth
/// says to ignore a place in it.
pub fn vertebra_units(
    scan: &Scan,
    patient: usize,
    matches: &VertebraScore,
    feature: FeatureId,
) -> Vec<Unit> {
    let (Some(bodies), Some(lesions)) = (&scan.truth.vertebrae, &scan.truth.lesions) else {
        return Vec::new();
    };
    let asks = scan.asks(feature);
    let mut of_body = vec![(false, false); bodies.len()];
    for lesion in lesions.iter().filter(|lesion| lesion.feature == feature) {
        if let Some((has_lesion, ignored)) =
            body_of(lesion, bodies).and_then(|n| of_body.get_mut(n))
        {
            *has_lesion |= !lesion.ignored;
            *ignored |= lesion.ignored;
        }
    }
    let mut units = Vec::new();
    for (n, (body, (positive, ignored))) in bodies.iter().zip(of_body).enumerate() {
        let in_view = body.fraction_in_view >= super::vertebrae::HALF_IN_VIEW;
        if !in_view || (!positive && (ignored || !asks)) {
            continue;
        }
        let found = matches.matches.iter().find(|pair| pair.truth_index == n);
        let answer = found.map_or(Answer::Declined(None), |pair| {
            answer_for_vertebra(scan, &pair.vertebra, feature)
        });
        units.push(Unit { patient, positive, answer });
    }
    units
}

/// The body a lesion lies in: the one of its level where that is told, else the nearest.
fn body_of(lesion: &TruthLesion, bodies: &[TruthVertebra]) -> Option<usize> {
    let named = |body: &TruthVertebra| lesion.level.is_some() && body.level == lesion.level;
    if let Some(n) = bodies.iter().position(named) {
        return Some(n);
    }
    let distance = |n: usize| bodies[n].centroid_lps_mm.distance(lesion.centroid_lps_mm);
    (0..bodies.len())
        .filter(|&n| distance(n) <= VERTEBRA_MM)
        .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
}

fn answer_for_vertebra(scan: &Scan, vertebra: &str, feature: FeatureId) -> Answer {
    let scores = |status: Status| {
        scan.findings
            .iter()
            .filter(|f| f.kind == feature && f.status == status)
            .filter(|f| f.site.vertebra.as_deref() == Some(vertebra))
            .map(rank)
            .max_by(f64::total_cmp)
    };
    if let Some(score) = scores(Status::Present) {
        return Answer::Present(score);
    }
    let declined = scores(Status::Indeterminate);
    let rows = || scan.answers(feature).filter(|row| row.vertebra.as_deref() == Some(vertebra));
    let called_absent = declined.is_none()
        && rows().next().is_some()
        && rows().all(|row| matches!(row.status, Status::Absent | Status::Present));
    if called_absent { Answer::Absent } else { Answer::Declined(declined) }
}

/// The patients, asked for one feature, or for any that is judged with `None`. `scans` with the
/// patient of each. A patient is declined when nothing is present and either a finding is
/// indeterminate or no vertebra was called absent.
pub fn patient_units(
    scans: &[(usize, &Scan)],
    patients: usize,
    feature: Option<FeatureId>,
) -> Vec<Unit> {
    (0..patients)
        .filter_map(|patient| {
            let own: Vec<&Scan> = scans
                .iter()
                .filter(|(of, scan)| *of == patient && scan.truth.lesions.is_some())
                .map(|(_, scan)| *scan)
                .filter(|scan| feature.is_none_or(|feature| scan.asks(feature)))
                .collect();
            if own.is_empty() {
                return None;
            }
            let wanted = |scan: &Scan, kind: FeatureId| {
                feature.is_none_or(|feature| feature == kind) && scan.truth.judges(kind)
            };
            let positive = own.iter().any(|scan| {
                let lesions = scan.truth.lesions.iter().flatten();
                lesions.into_iter().any(|l| !l.ignored && wanted(scan, l.feature))
            });
            let best = |status: Status| {
                own.iter()
                    .flat_map(|scan| {
                        scan.findings_of(Tier::PresentAndIndeterminate)
                            .filter(|f| f.status == status && wanted(scan, f.kind))
                    })
                    .map(rank)
                    .max_by(f64::total_cmp)
            };
            let called_absent = own.iter().any(|scan| {
                scan.coverage.iter().any(|row| {
                    wanted(scan, row.feature)
                        && row.vertebra.is_some()
                        && row.status == Status::Absent
                })
            });
            let answer = match (best(Status::Present), best(Status::Indeterminate)) {
                (Some(score), _) => Answer::Present(score),
                (None, None) if called_absent => Answer::Absent,
                (None, declined) => Answer::Declined(declined),
            };
            Some(Unit { patient, positive, answer })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::scan::MatchedBy;
    use crate::evaluate::testing::{self, body, vertebra};
    use crate::evaluate::truth::Truth;
    use crate::evaluate::vertebrae::score_vertebrae;
    use crate::findings::schema::Coverage;

    const FEATURE: FeatureId = FeatureId::ScleroticDensity;

    fn scan(findings: Vec<crate::findings::schema::Finding>, said: Vec<Coverage>) -> Scan {
        let truth = Truth {
            vertebrae: Some(vec![body(None, 0.0, 1.0), body(None, -35.0, 1.0)]),
            lesions: Some(vec![testing::lesion(3.0)]),
            ..Truth::default()
        };
        let vertebrae = vec![vertebra("v1", None, 0.0), vertebra("v2", None, -35.0)];
        let result = testing::findings(vertebrae, findings, said);
        Scan::new("s", truth, &result, None, MatchedBy::OnlyOne)
    }

    fn answers(scan: &Scan) -> Vec<(bool, Answer)> {
        let truth = scan.truth.vertebrae.as_ref().unwrap();
        let matches = score_vertebrae(&scan.vertebrae, truth);
        vertebra_units(scan, 0, &matches, FEATURE)
            .into_iter()
            .map(|unit| (unit.positive, unit.answer))
            .collect()
    }

    #[test]
    fn a_vertebra_is_absent_only_when_it_was_called_absent() {
        let said = vec![testing::coverage("v2", Status::Absent)];
        let found = vec![testing::finding(Status::Present, 0.7, 3.0, Some("v1"))];
        assert_eq!(
            answers(&scan(found, said)),
            [(true, Answer::Present(0.7)), (false, Answer::Absent)]
        );
        let said = vec![testing::coverage("v2", Status::NotAssessed)];
        assert_eq!(
            answers(&scan(vec![], said)),
            [(true, Answer::Declined(None)), (false, Answer::Declined(None))]
        );
    }

    #[test]
    fn a_patient_with_an_indeterminate_finding_only_has_not_been_answered() {
        let declined = vec![testing::finding(Status::Indeterminate, 0.4, 3.0, Some("v1"))];
        let said = || vec![testing::coverage("v2", Status::Absent)];
        let one = scan(declined, said());
        let units = patient_units(&[(0, &one)], 1, Some(FEATURE));
        assert_eq!(units[0].answer, Answer::Declined(Some(0.4)));
        let two = scan(vec![], said());
        let units = patient_units(&[(0, &two)], 1, None);
        assert_eq!((units[0].positive, units[0].answer), (true, Answer::Absent));
    }
}
