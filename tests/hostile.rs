//! Bad input: a clear error, the right exit code, and nothing lost of what was good.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;

use common::{findings, fixture, osteoflag, screen, stderr, stdout};
use std::fs;

#[test]
fn a_path_that_does_not_exist_is_a_usage_error() {
    let out = tempfile::tempdir().unwrap();
    let run = screen("/nowhere/at/all".as_ref(), out.path(), &[]).code(2);
    assert!(stderr(&run).contains("/nowhere/at/all"));
}

#[test]
fn an_empty_folder_has_nothing_to_screen() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = screen(folder.path(), out.path(), &[]).code(4);
    assert!(stdout(&run).contains("no readable image"));
    assert!(out.path().join("run.json").is_file());
}

#[test]
fn a_text_file_is_listed_as_left_out_and_is_no_image() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("notes.txt"), "not an image").unwrap();
    screen(folder.path(), out.path(), &[]).code(4);
    let record = fs::read_to_string(out.path().join("run.json")).unwrap();
    assert!(record.contains("not_dicom") && record.contains("notes.txt"));
}

#[test]
fn every_file_of_the_bad_fixtures_alone_is_left_out_with_a_reason() {
    let mut seen = 0;
    for entry in fs::read_dir(fixture("bad")).unwrap() {
        let file = entry.unwrap().path();
        let out = tempfile::tempdir().unwrap();
        let run = screen(&file, out.path(), &["--no-pictures"]);
        let code = run.get_output().status.code();
        // A readable image that cannot be placed in the patient is left out, and nothing failed.
        let unplaced = file.ends_with("no_position.dcm");
        let expected: &[i32] = if unplaced { &[0] } else { &[3, 4] };
        assert!(
            code.is_some_and(|code| expected.contains(&code)),
            "{}: exit {code:?}",
            file.display()
        );
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(out.path().join("run.json")).unwrap()).unwrap();
        assert!(
            record["problems"].as_array().is_some_and(|problems| !problems.is_empty()),
            "{} was left out without a word",
            file.display()
        );
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} bad fixtures");
}

#[test]
fn good_slices_beside_a_cut_one_are_complete_and_the_exit_says_partly() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut files: Vec<_> = fs::read_dir(fixture("ct_lumbar"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "dcm"))
        .collect();
    files.sort();
    for (n, file) in files.iter().enumerate() {
        let bytes = fs::read(file).unwrap();
        let end = if n == 20 { bytes.len() - 3000 } else { bytes.len() };
        fs::write(folder.path().join(format!("{n}")), &bytes[..end]).unwrap();
    }
    screen(folder.path(), out.path(), &["--no-pictures"]).code(3);
    let findings = findings(out.path());
    assert_eq!(findings.len(), 1);
    assert!(findings[0]["anatomy"]["vertebrae"].as_array().unwrap().len() >= 4);
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_work() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("a_file");
    fs::write(&file, "").unwrap();
    let run = screen(&fixture("ct_lumbar"), &file.join("below"), &[]).code(5);
    assert!(stderr(&run).contains("help:"));
}

#[test]
fn an_unknown_setting_names_the_nearest_known_one() {
    let out = tempfile::tempdir().unwrap();
    let run =
        screen(&fixture("ct_lumbar"), out.path(), &["--set", "sclerotic_density.min_contrast=60"])
            .code(2);
    assert!(stderr(&run).contains("sclerotic_density.min_contrast_hu"), "{}", stderr(&run));
}

#[test]
fn a_setting_out_of_range_or_without_number_is_refused() {
    let out = tempfile::tempdir().unwrap();
    for value in ["-100000", "many", "NaN"] {
        let set = format!("sclerotic_density.min_contrast_hu={value}");
        screen(&fixture("ct_lumbar"), out.path(), &["--set", &set]).code(2);
    }
}

#[test]
fn a_broken_rulebook_is_named_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[rulebook]\nname = \"x\"\nversion = \n").unwrap();
    let run = osteoflag().args(["rules", "check", "--rules"]).arg(&rules).assert().code(2);
    assert!(stderr(&run).contains("3:") || stderr(&run).contains("line 3"), "{}", stderr(&run));
}

#[test]
fn a_context_for_another_study_is_refused_before_voxels_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let context = folder.path().join("context.toml");
    fs::write(&context, "study = \"0000000000000000\"\n[patient]\npain_score_0_10 = 7\n").unwrap();
    let run =
        screen(&fixture("ct_lumbar"), folder.path(), &["--context", context.to_str().unwrap()])
            .code(2);
    assert!(stderr(&run).contains("context"), "{}", stderr(&run));
}

#[test]
fn a_word_that_nobody_knows_gets_the_nearest_one() {
    let run = osteoflag().args(["explain", "sclerotic_densty"]).assert().code(2);
    assert!(stderr(&run).contains("sclerotic_density"));
}

#[test]
fn findings_of_another_format_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("findings.json");
    fs::write(&file, "{\"schema\": \"something/9\"}").unwrap();
    let run = osteoflag().arg("assess").arg(&file).assert().code(2);
    assert!(stderr(&run).contains("findings.json"));
}
