//! The commands as a user types them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;

use common::{fixture, osteoflag, screen, stdout};

#[test]
fn help_lists_the_exit_codes() {
    let run = osteoflag().arg("--help").assert().success();
    for code in 0..=5 {
        assert!(stdout(&run).contains(&format!("\n  {code}  ")), "exit code {code}");
    }
}

#[test]
fn series_lists_what_would_be_screened_in_table_and_json() {
    let run = osteoflag().arg("series").arg(fixture("ct_lumbar")).assert().success();
    assert!(stdout(&run).contains("ct_soft") && stdout(&run).contains("chosen"));
    let run =
        osteoflag().arg("series").arg(fixture("mr_t1_lumbar")).arg("--json").assert().success();
    let rows: serde_json::Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(rows[0]["role"], "mr_t1");
}

#[test]
fn assess_repeats_the_verdict_of_screen_from_its_findings() {
    let out = tempfile::tempdir().unwrap();
    screen(&fixture("ct_lumbar"), out.path(), &["--no-pictures"]).success();
    let study = std::fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let run =
        osteoflag().arg("assess").arg(study.join("findings.json")).arg("--json").assert().success();
    let verdict = std::fs::read_to_string(study.join("verdict.json")).unwrap();
    assert_eq!(stdout(&run).trim(), verdict.trim());
}

#[test]
fn the_rulebook_passes_its_own_tests() {
    let run = osteoflag().args(["rules", "test"]).assert().success();
    assert!(stdout(&run).contains(" 0 failed"));
}

#[test]
fn explain_knows_features_problems_reasons_rules_and_exit_codes() {
    for (name, word) in [
        ("sclerotic_density", "HU"),
        ("slice_gap", "missing"),
        ("end_of_field", "field"),
        ("exit-codes", "output"),
        ("refer_surgery", "surg"),
    ] {
        let run = osteoflag().args(["explain", name]).assert().success();
        assert!(stdout(&run).contains(word), "{name}: {}", stdout(&run));
    }
}

#[test]
fn completions_are_printed_for_bash() {
    let run = osteoflag().args(["completions", "bash"]).assert().success();
    assert!(stdout(&run).contains("osteoflag"));
}

#[test]
fn a_phantom_is_the_same_bytes_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    for out in [&a, &b] {
        osteoflag().args(["phantom", "ct_lumbar", "-o"]).arg(out).assert().success();
    }
    assert_eq!(common::results(&a), common::results(&b));
}

#[test]
fn a_setting_reaches_the_findings_and_is_written_down() {
    let out = tempfile::tempdir().unwrap();
    screen(
        &fixture("ct_lumbar"),
        out.path(),
        &["--no-pictures", "--set", "sclerotic_density.min_contrast_hu=80"],
    )
    .success();
    let findings = common::findings(out.path()).remove(0);
    assert_eq!(findings["tool"]["settings"][0], "sclerotic_density.min_contrast_hu=80");
}
