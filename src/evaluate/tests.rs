//! The whole comparison, from findings and truth to numbers.

use super::testing::{self, body, coverage, finding, lesion, vertebra};
use super::*;
use crate::terms::{FeatureId, Level, Status};

const FEATURE: FeatureId = FeatureId::ScleroticDensity;

fn options() -> Options {
    Options { replicates: 50, ..Options::default() }
}

/// A patient with one lesion in the first of two vertebrae, and what was said of both.
fn scan(name: &str, score: Option<f64>, wrong: &[f64]) -> Scan {
    let mut found = Vec::new();
    let mut said = vec![coverage("v2", Status::Absent)];
    match score {
        Some(score) => {
            found.push(finding(Status::Present, score, 2.0, Some("v1")));
            said.push(coverage("v1", Status::Present));
        }
        None => said.push(coverage("v1", Status::NotAssessed)),
    }
    for (n, &score) in wrong.iter().enumerate() {
        let mut one = finding(Status::Present, score, -40.0 - 3.0 * n as f64, Some("v2"));
        one.id = format!("w{n}");
        found.push(one);
    }
    let truth = Truth {
        patient: Some(name.into()),
        vertebrae: Some(vec![body(Some(Level::L1), 0.0, 1.0), body(Some(Level::L2), -40.0, 1.0)]),
        lesions: Some(vec![lesion(0.0)]),
        ..Truth::default()
    };
    let vertebrae = vec![vertebra("v1", Some(Level::L1), 1.0), vertebra("v2", None, -38.0)];
    let result = testing::findings(vertebrae, found, said);
    Scan::new(name, truth, &result, None, MatchedBy::OnlyOne)
}

#[test]
fn a_small_cohort_gives_the_numbers_counted_by_hand() {
    let scans =
        [scan("a", Some(0.9), &[]), scan("b", Some(0.5), &[0.7, 0.3]), scan("c", None, &[])];
    let result = evaluate(&scans, &options());
    assert_eq!((result.scans, result.patients), (3, 3));
    let v = &result.vertebrae;
    assert_eq!((v.expected, v.found, v.level_right, v.level_not_named), (6, 6, 3, 3));
    assert_eq!(v.id_rate.value, Some(0.5));
    let kind = &result.lesions.kinds[&FEATURE];
    assert_eq!((kind.lesions.expected, kind.lesions.found, kind.lesions.not_assessed), (3, 2, 1));
    assert_eq!((kind.false_findings, kind.false_per_scan.value), (2, Some(2.0 / 3.0)));
    let curve = &result.lesions.froc[0];
    assert_eq!(curve.feature, None);
    let points: Vec<(f64, f64)> =
        curve.froc.points.iter().map(|p| (p.false_per_scan, p.sensitivity)).collect();
    let third = 1.0 / 3.0;
    assert_eq!(
        points,
        [
            (0.0, 0.0),
            (0.0, third),
            (third, third),
            (third, 2.0 * third),
            (2.0 * third, 2.0 * third)
        ]
    );
    // At 1/8 and 1/4 only the first point, from 1/2 on two of three: (2/3 + 10/3) / 7.
    assert!((curve.froc.mean_sensitivity.value.unwrap() - 4.0 / 7.0).abs() < 1e-12);
    let by_vertebra = result.roc.iter().find(|curve| curve.unit == RocUnit::Vertebra).unwrap();
    let roc = &by_vertebra.roc;
    assert_eq!((roc.positives, roc.negatives, roc.declined_positives), (3, 3, 1));
    // Negatives: absent, 0.7, absent. Positives: 0.9 beats 3; 0.5 beats 2; declined ties with 2.
    assert!((roc.auc.value.unwrap() - 6.0 / 9.0).abs() < 1e-12);
}

#[test]
fn declining_raises_no_headline_number() {
    let answered =
        evaluate(&[scan("a", Some(0.9), &[0.2]), scan("b", Some(0.5), &[0.7])], &options());
    let mut declining = [scan("a", Some(0.9), &[0.2]), scan("b", Some(0.5), &[0.7])];
    for one in &mut declining[1].findings {
        one.status = Status::Indeterminate;
    }
    let declined = evaluate(&declining, &options());
    let all = |e: &Evaluation| e.lesions.all.lesions.sensitivity.value.unwrap();
    assert!(all(&declined) < all(&answered));
    for (before, after) in answered.roc.iter().zip(&declined.roc) {
        assert!(
            after.roc.auc.value <= before.roc.auc.value,
            "{:?} {:?}",
            before.unit,
            before.feature
        );
    }
    assert_eq!(declined.lesions.all.lesions.only_indeterminate, 1);
    assert_eq!(declined.lesions.all.lesions.sensitivity_with_indeterminate.value, Some(1.0));
}

#[test]
fn a_truth_without_a_result_is_missed_and_not_left_out() {
    let truth = Truth {
        vertebrae: Some(vec![body(Some(Level::L1), 0.0, 1.0)]),
        lesions: Some(vec![lesion(0.0)]),
        ..Truth::default()
    };
    let scans = [scan("a", Some(0.9), &[]), Scan::without_result("lost", truth)];
    let result = evaluate(&scans, &options());
    assert_eq!(result.scans_without_result, 1);
    assert_eq!(result.lesions.all.lesions.no_result, 1);
    assert_eq!(result.lesions.all.lesions.sensitivity.value, Some(0.5));
    assert_eq!((result.vertebrae.expected, result.vertebrae.found), (3, 2));
    assert!(result.notes.iter().any(|note| note.contains("lost")));
}

#[test]
fn no_scans_no_lesions_and_no_findings_give_numbers_that_are_not_defined() {
    let nothing = evaluate(&[], &options());
    assert_eq!(nothing.lesions.all.lesions.sensitivity.value, None);
    assert_eq!(nothing.vertebrae.found_rate.value, None);
    let truth = Truth { vertebrae: Some(vec![]), lesions: Some(vec![]), ..Truth::default() };
    let empty = testing::findings(vec![], vec![], vec![]);
    let one = evaluate(&[Scan::new("e", truth, &empty, None, MatchedBy::OnlyOne)], &options());
    assert_eq!(one.lesions.all.false_per_scan.value, Some(0.0));
    assert_eq!(one.lesions.froc[0].froc.mean_sensitivity.value, None);
    for evaluation in [&nothing, &one] {
        for (name, text) in tables(evaluation).iter().chain(&pictures(evaluation)) {
            assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
        }
    }
}

#[test]
fn a_truth_in_ras_is_told_from_a_wrong_result() {
    let mut turned = scan("a", None, &[]);
    for vertebra in &mut turned.vertebrae {
        let p = vertebra.body_centroid_lps_mm;
        vertebra.body_centroid_lps_mm = crate::geometry::LpsPoint::new(80.0, 60.0, p.z());
    }
    for body in turned.truth.vertebrae.as_mut().unwrap() {
        let p = body.centroid_lps_mm;
        body.centroid_lps_mm = crate::geometry::LpsPoint::new(-80.0, -60.0, p.z());
    }
    let result = evaluate(&[turned], &options());
    assert!(result.notes.iter().any(|note| note.contains("RAS")), "{:?}", result.notes);
}

#[test]
fn the_same_scans_give_the_same_bytes_for_any_number_of_threads() {
    let scans =
        [scan("a", Some(0.9), &[0.1]), scan("b", Some(0.5), &[0.7, 0.3]), scan("c", None, &[])];
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let evaluation = evaluate(&scans, &Options { replicates: 300, ..Options::default() });
            (
                serde_json::to_string(&evaluation).unwrap(),
                tables(&evaluation),
                pictures(&evaluation),
            )
        })
    };
    assert_eq!(run(1), run(3));
}
