//! The fixtures through the whole program: what was found, that nothing shows of threads, file
//! names and order, and that the results are what they were.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;

use common::{findings, fixture, results, screen, shuffled_copy};
use serde_json::Value;

/// What a reader sees first, without the numbers that any small change moves.
fn outline(findings: &Value) -> Value {
    let list = |path: &str| findings.pointer(path).and_then(Value::as_array).cloned().unwrap();
    serde_json::json!({
        "series": list("/series").iter().map(|s| serde_json::json!([s["role"], s["choice"]])).collect::<Vec<_>>(),
        "vertebrae": list("/anatomy/vertebrae").len(),
        "findings": list("/findings").iter()
            .map(|f| serde_json::json!([f["id"], f["kind"], f["status"], f["site"]["vertebra"]]))
            .collect::<Vec<_>>(),
        "coverage_rows": list("/coverage").len(),
    })
}

#[test]
fn ct_fixture_gives_its_golden_outline_and_hits_its_lesions() {
    let out = tempfile::tempdir().unwrap();
    screen(&fixture("ct_lumbar"), out.path(), &[]).success();
    let findings = findings(out.path()).remove(0);
    insta::assert_json_snapshot!("ct_lumbar", outline(&findings));
    hits_every_lesion("ct_lumbar", out.path());
}

#[test]
fn mr_fixture_gives_its_golden_outline_and_hits_its_lesion() {
    let out = tempfile::tempdir().unwrap();
    screen(&fixture("mr_t1_lumbar"), out.path(), &[]).success();
    let findings = findings(out.path()).remove(0);
    insta::assert_json_snapshot!("mr_t1_lumbar", outline(&findings));
    hits_every_lesion("mr_t1_lumbar", out.path());
}

fn hits_every_lesion(name: &str, out: &std::path::Path) {
    let run = common::osteoflag()
        .arg("evaluate")
        .arg(out)
        .arg("--truth")
        .arg(fixture(name).join("truth.json"))
        .arg("--json")
        .assert()
        .success();
    let evaluation: Value = serde_json::from_str(&common::stdout(&run)).unwrap();
    let vertebrae = &evaluation["vertebrae"];
    assert_eq!(vertebrae["found"], vertebrae["expected"], "{vertebrae:#}");
    assert_eq!(vertebrae["false_vertebrae"], 0, "{vertebrae:#}");
    let lesions = evaluation["lesions"]["kinds"].as_object().unwrap();
    assert!(!lesions.is_empty());
    for (kind, score) in lesions {
        assert_eq!(score["found"], score["expected"], "{kind}: {score}");
        assert_eq!(score["false_findings"], 0, "{kind}: {score}");
    }
}

#[test]
fn threads_file_names_and_file_order_do_not_show_in_any_byte() {
    for name in ["ct_lumbar", "mr_t1_lumbar"] {
        let folder = tempfile::tempdir().unwrap();
        let (one, two, copy) =
            (folder.path().join("one"), folder.path().join("two"), folder.path().join("copy"));
        screen(&fixture(name), &one, &["--threads", "1"]).success();
        shuffled_copy(&fixture(name), &copy);
        screen(&copy, &two, &["--threads", "2"]).success();
        let (one, two) = (results(&one), results(&two));
        assert!(one.len() > 3, "{name}: {} files", one.len());
        assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
        for (file, bytes) in &one {
            assert!(bytes == &two[file], "{name}: {file} differs");
        }
    }
}

#[test]
fn a_context_reaches_only_the_study_it_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ct_lumbar", "mr_t1_lumbar"] {
        shuffled_copy(&fixture(name), &folder.path().join("in").join(name));
    }
    let context = folder.path().join("context.toml");
    std::fs::write(
        &context,
        "study = \"27741aed29600c39\"\n[patient]\nneurologic_deficit = true\n",
    )
    .unwrap();
    let out = folder.path().join("out");
    screen(
        &folder.path().join("in"),
        &out,
        &["--no-pictures", "--context", context.to_str().unwrap()],
    )
    .success();
    let verdicts: Vec<Value> = results(&out)
        .into_iter()
        .filter(|(name, _)| name.ends_with("verdict.json"))
        .map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap())
        .collect();
    assert_eq!(verdicts.len(), 2);
    for verdict in &verdicts {
        let named = verdict["study"] == "27741aed29600c39";
        assert_eq!(verdict["context_given"], named, "{}", verdict["study"]);
        let excluded = verdict["outcomes"].as_array().unwrap().iter().any(|outcome| {
            outcome["outcome"] == "exclude_ablation_alone" && outcome["shown"] == "proposed"
        });
        assert_eq!(excluded, named, "{}", verdict["study"]);
    }
}

#[test]
fn results_hold_no_uid_and_no_patient_unless_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, named) = (folder.path().join("plain"), folder.path().join("named"));
    screen(&fixture("ct_lumbar"), &plain, &["--no-pictures"]).success();
    screen(&fixture("ct_lumbar"), &named, &["--no-pictures", "--identifiers"]).success();
    let uid = findings(&named)[0]["study"]["study_instance_uid"].as_str().unwrap().to_owned();
    assert!(uid.len() > 10);
    for (file, bytes) in results(&plain) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&uid) && !text.contains("PHANTOM^"), "{file}");
    }
}

#[test]
fn every_vertebra_has_a_row_for_every_feature_and_no_reason_is_missing() {
    let out = tempfile::tempdir().unwrap();
    screen(&fixture("ct_lumbar"), out.path(), &["--no-pictures"]).success();
    let findings = findings(out.path()).remove(0);
    let coverage = findings["coverage"].as_array().unwrap();
    let features: std::collections::BTreeSet<_> =
        coverage.iter().map(|row| row["feature"].as_str().unwrap()).collect();
    for vertebra in findings["anatomy"]["vertebrae"].as_array().unwrap() {
        // What asks about the pelvis answers for its bones.
        for feature in features.iter().filter(|feature| **feature != "pelvic_lesion") {
            assert!(
                coverage
                    .iter()
                    .any(|row| row["vertebra"] == vertebra["id"] && row["feature"] == **feature),
                "{feature} is silent about {}",
                vertebra["id"]
            );
        }
    }
    for row in coverage {
        let answered = row["status"] == "present" || row["status"] == "absent";
        assert!(answered || row["reason"].is_string(), "{row}");
    }
}
