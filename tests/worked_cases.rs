//! Worked cases W1, W3, W7, W9 and W10 of the project's reading of its sources, each from a
//! `findings.json` and a clinical context under `tests/worked_cases/` through [`assess`].
//!
//! "added" in a context marks what the source does not give and the case needs. Every case has a
//! twin without its platelet count: the same outcomes, the options provisional, and the request.
//! The findings are written by the builders below: `OSTEOFLAG_UPDATE=1` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_collect,
    clippy::format_push_string,
    reason = "a test may fail loudly"
)]

#[path = "worked_cases/case.rs"]
mod case;
#[path = "worked_cases/others.rs"]
mod others;

use case::{Answer, At, Case, In, Place, answer, changed, context_text, platelet_twin, without};
use osteoflag::eligibility::outcome::{Family, Outcome};
use osteoflag::eligibility::verdict::{Shown, Verdict};
use osteoflag::eligibility::{ClinicalContext, ContextFormat, Rulebook, assess};
use osteoflag::findings::schema::Findings;
use osteoflag::terms::{FeatureId, Level, Region, Role, Side};

// ---------------------------------------------------------------------------------------------
// W1
// ---------------------------------------------------------------------------------------------

const ILIUM: Place = In(Region::Ilium, Side::Right);
const ACETABULUM: Place = In(Region::Acetabulum, Side::Right);

fn w1() -> Findings {
    Case::new("w1", "CT", &[Role::CtBone])
        .present(FeatureId::LyticDensity, ILIUM)
        .present(FeatureId::LyticDensity, ACETABULUM)
        .absent(FeatureId::ScleroticDensity, ILIUM)
        .absent(FeatureId::ScleroticDensity, ACETABULUM)
        .through_file("w1")
}

#[test]
fn w1_painful_lytic_pelvis_gets_ablation_and_cement_and_no_vertebral_options() {
    let findings = w1();
    let verdict = answer(&findings, &context_text("w1"));
    let both = ["ilium:right", "acetabulum:right"];
    verdict.common();
    for outcome in
        ["consider_ablation", "consider_cryoablation", "consider_cementoplasty_extraspinal"]
    {
        verdict.expect_shown(Shown::Proposed, outcome, &both);
    }
    verdict.expect("refer_surgery", &["acetabulum:right"]);
    verdict.expect_shown(Shown::Proposed, "refer_radiation_oncology", &["patient"]);
    for outcome in [
        "plan_coverage",
        "plan_access_route",
        "plan_stabilize_after_ablation",
        "caution_fracture_risk",
    ] {
        verdict.expect(outcome, &both);
    }
    verdict.expect("mention_pain_pump", &["patient"]);
    verdict.expect("followup_pain_analgesia", &["patient"]);
    for outcome in [
        "consider_augmentation",
        "consider_rf_ablation",
        "exclude_ablation_alone",
        "plan_scaffold_device",
    ] {
        verdict.must_not_anywhere(outcome);
    }
    platelet_twin(&findings, &context_text("w1"));
}

// ---------------------------------------------------------------------------------------------
// W3
// ---------------------------------------------------------------------------------------------

fn w3() -> Findings {
    use Level::{L1, T7, T8, T9, T10, T11, T12};
    let mut case =
        Case::new("w3", "CT", &[Role::CtBone]).vertebrae(&[L1, T12, T11, T10, T9, T8, T7]);
    for level in [L1, T10, T7] {
        case = case.present(FeatureId::HeightLoss, At(level));
    }
    case.through_file("w3")
}

#[test]
fn w3_of_several_fractures_only_the_tender_flat_one_is_an_option() {
    let findings = w3();
    let verdict = answer(&findings, &context_text("w3"));
    verdict.common();
    verdict.expect("consider_augmentation", &["T10"]);
    verdict.expect_shown(Shown::Proposed, "defer_ablation_asymptomatic", &["T7", "L1"]);
    verdict.expect("request_mri", &["T10"]);
    verdict.expect("request_clinical_input", &["T10"]);
    verdict.expect("plan_cement_vigilance", &["T10"]);
    verdict.expect("caution_cement_leak", &["T10"]);
    verdict.expect("followup_clinic_2w", &["patient"]);
    // Radiofrequency is at most a provisional option: nothing says tumour, and the epidural
    // status is open, so that only the request stands for it.
    verdict.must_not("consider_rf_ablation", &["T10"]);
    assert!(
        verdict
            .verdict
            .only_as_request
            .iter()
            .any(|record| record.outcome == "consider_rf_ablation")
    );
    for level in ["T7", "L1"] {
        assert!(verdict.options(level).is_empty(), "{level}:\n{}", verdict.listing());
    }
    verdict.must_not("plan_bilateral_access", &["T10"]);
    verdict.must_not_anywhere("exclude_ablation_alone");
    platelet_twin(&findings, &context_text("w3"));
}

// ---------------------------------------------------------------------------------------------
// W7
// ---------------------------------------------------------------------------------------------

fn w7() -> Findings {
    Case::new("w7", "CT", &[Role::CtBone])
        .vertebrae(&[Level::L3, Level::L2, Level::L1])
        .present(FeatureId::PosteriorWallDisruption, At(Level::L2))
        .absent(FeatureId::ScleroticDensity, At(Level::L2))
        .through_file("w7")
}

#[test]
fn w7_a_broken_posterior_wall_is_a_caution_and_excludes_nothing() {
    let findings = w7();
    let context = context_text("w7");
    let verdict = answer(&findings, &context);
    verdict.common();
    verdict.expect_shown(Shown::Proposed, "consider_rf_ablation", &["L2"]);
    verdict.expect_shown(Shown::Proposed, "consider_augmentation", &["L2"]);
    for outcome in [
        "caution_posterior_wall",
        "caution_cement_leak",
        "plan_cement_vigilance",
        "plan_bilateral_access",
        "plan_ct_guidance",
        "plan_nerve_monitoring",
    ] {
        verdict.expect(outcome, &["L2"]);
    }
    verdict.must_not_anywhere("exclude_ablation_alone");
    verdict.must_not_anywhere("defer_ablation_asymptomatic");
    platelet_twin(&findings, &context);
}

#[test]
fn w7_with_the_epidural_status_open_waits_for_mri() {
    let findings = w7();
    let verdict = answer(&findings, &without(&context_text("w7"), &["epidural_extension"]));
    verdict.expect("request_mri", &["L2"]);
    verdict.expect_shown(Shown::Provisional, "consider_augmentation", &["L2"]);
    verdict.lacks("consider_augmentation", "L2", "site.epidural_extension");
    // Heat beside a canal that nobody has seen is no option: only the request stands for it.
    verdict.must_not("consider_rf_ablation", &["L2"]);
    verdict.must_not("consider_ablation", &["L2"]);
    let waiting: Vec<_> =
        verdict.verdict.only_as_request.iter().map(|record| record.outcome.as_str()).collect();
    assert_eq!(waiting, ["consider_ablation", "consider_rf_ablation"]);
    verdict.must_not_anywhere("exclude_ablation_alone");
}

#[test]
fn w7_without_what_was_added_to_it_keeps_its_options_provisional() {
    let added = ["spinal_canal_involvement", "exam_localizes_pain"];
    let verdict = answer(&w7(), &without(&context_text("w7"), &added));
    verdict.expect_shown(Shown::Provisional, "consider_rf_ablation", &["L2"]);
    verdict.expect_shown(Shown::Provisional, "consider_augmentation", &["L2"]);
    verdict.expect("request_physical_exam", &["L2"]);
    verdict.expect("caution_posterior_wall", &["L2"]);
}

// ---------------------------------------------------------------------------------------------
// W9
// ---------------------------------------------------------------------------------------------

const W9_LEVELS: [&str; 3] = ["T8", "L2", "L5"];
const ABLATION: [&str; 4] = [
    "consider_ablation",
    "consider_rf_ablation",
    "consider_cryoablation",
    "rare_exception_epidural",
];

fn w9() -> Findings {
    use Level::{L1, L2, L3, L4, L5, T7, T8, T9, T10, T11, T12};
    let mut case = Case::new("w9", "MR", &[Role::MrT1, Role::MrStir])
        .vertebrae(&[L5, L4, L3, L2, L1, T12, T11, T10, T9, T8, T7]);
    for level in [L5, L2, T8] {
        case = case
            .present(FeatureId::T1MarrowSignalDrop, At(level))
            .absent(FeatureId::EpiduralSoftTissue, At(level))
            .absent(FeatureId::CanalEncroachment, At(level));
    }
    case.through_file("w9")
}

#[test]
fn w9_many_lesions_without_an_examination_give_no_ablation_option() {
    let findings = w9();
    let verdict = answer(&findings, &context_text("w9a"));
    verdict.common();
    verdict.expect("request_physical_exam", &W9_LEVELS);
    for outcome in ABLATION {
        verdict.must_not_anywhere(outcome);
    }
    // Nothing ranks the levels: each has the same lines.
    let lines = |level: &str| -> Vec<(String, Shown)> {
        let subject = verdict.subject(level);
        verdict
            .verdict
            .outcomes
            .iter()
            .filter(|record| record.subject == subject)
            .map(|record| (record.outcome.clone(), record.shown))
            .collect()
    };
    assert_eq!(lines("T8"), lines("L2"));
    assert_eq!(lines("L5"), lines("L2"));
    // An examination that is said not to have been done withholds them by name.
    let denied = changed(&context_text("w9a"), "[patient]", "[patient]\nexam_performed = false");
    let denied = answer(&findings, &denied);
    for outcome in ABLATION {
        denied.must_not_anywhere(outcome);
    }
    denied.expect("request_physical_exam", &["patient"]);
}

#[test]
fn w9_the_tender_level_is_an_option_and_the_others_are_deferred() {
    let findings = w9();
    let context = context_text("w9b");
    let verdict = answer(&findings, &context);
    verdict.common();
    verdict.expect_shown(Shown::Proposed, "consider_ablation", &["L2"]);
    verdict.expect_shown(Shown::Proposed, "consider_rf_ablation", &["L2"]);
    verdict.expect("plan_stabilize_after_ablation", &["L2"]);
    verdict.expect_shown(Shown::Proposed, "defer_ablation_asymptomatic", &["T8", "L5"]);
    for level in ["T8", "L5"] {
        assert!(verdict.options(level).is_empty(), "{}", verdict.listing());
    }
    platelet_twin(&findings, &context);
    // Whether the lesion is dense is part of what was added: open, it leaves them provisional.
    let open = answer(&findings, &without(&context, &["sclerotic_lesion"]));
    open.expect_shown(Shown::Provisional, "consider_ablation", &["L2"]);
}

#[test]
fn w9_nothing_tender_asks_where_the_pain_comes_from() {
    let findings = w9();
    let verdict = answer(&findings, &context_text("w9c"));
    verdict.common();
    for level in W9_LEVELS {
        assert!(verdict.options(level).is_empty(), "{}", verdict.listing());
    }
    verdict.expect("request_clinical_input", &["patient"]);
    verdict.expect("flag_adjacent_level", &W9_LEVELS);
    verdict.must_not_anywhere("consider_pain_pump");
    let diffuse = changed(&context_text("w9c"), "[patient]", "[patient]\ndiffuse_pain = true");
    let diffuse = answer(&findings, &diffuse);
    diffuse.expect_shown(Shown::Proposed, "consider_pain_pump", &["patient"]);
    // Without the platelet count nothing changes but what procedures would need.
    let twin =
        answer(&findings, &without(&context_text("w9c"), &["platelets_per_ul", "platelets_date"]));
    for level in W9_LEVELS {
        assert!(twin.options(level).is_empty(), "{}", twin.listing());
    }
}

// ---------------------------------------------------------------------------------------------
// W10
// ---------------------------------------------------------------------------------------------

fn w10() -> Findings {
    Case::new("w10", "MR", &[Role::MrT1, Role::MrStir])
        .vertebrae(&[Level::T10, Level::T9, Level::T8])
        .present(FeatureId::T1MarrowSignalDrop, At(Level::T9))
        .present(FeatureId::EpiduralSoftTissue, At(Level::T9))
        .present(FeatureId::CanalEncroachment, At(Level::T9))
        .present(FeatureId::PedicleInvolvement, At(Level::T9))
        .through_file("w10")
}

/// The urgent lines first, and no option for the site, shown or waiting.
fn deficit_comes_first(verdict: &Answer) {
    let first: Vec<&str> =
        verdict.verdict.outcomes.iter().take(3).map(|record| record.outcome.as_str()).collect();
    assert_eq!(first, ["exclude_ablation_alone", "refer_surgery", "refer_radiation_oncology"]);
    for record in verdict.verdict.outcomes.iter().take(3) {
        assert_eq!((record.subject.as_str(), record.shown), ("patient", Shown::Proposed));
        assert!(record.sentence.to_lowercase().contains("urgent"), "{}", record.sentence);
    }
    let options =
        verdict.verdict.outcomes.iter().filter(|record| {
            record.outcome.parse::<Outcome>().unwrap().family() == Family::Candidate
        });
    for record in options {
        assert_eq!(record.shown, Shown::Withheld, "{}", verdict.listing());
        let by = record.withheld_by.as_deref();
        assert_eq!(by, Some("exclude_ablation_alone (neurologic-deficit)"));
    }
    assert!(verdict.verdict.only_as_request.is_empty(), "{}", verdict.listing());
    for record in &verdict.verdict.outcomes {
        let family = record.outcome.parse::<Outcome>().unwrap().family();
        assert!(!matches!(family, Family::FollowUp), "{}", record.outcome);
        assert!(
            family != Family::Planning || record.outcome == "flag_adjacent_level",
            "{}",
            record.outcome
        );
    }
}

#[test]
fn w10_a_deficit_comes_first_and_nothing_overrules_it() {
    let findings = w10();
    let context = context_text("w10");
    let verdict = answer(&findings, &context);
    verdict.common();
    deficit_comes_first(&verdict);
    verdict.expect("refer_surgery", &["T9"]);
    // Twin a: irradiated and no surgery possible. Twin b: no platelet count.
    let site = "[[site]]\nlevel = \"T9\"";
    let twin_a = changed(&context, site, &format!("{site}\nprior_radiation_to_site = true"));
    let twin_a = changed(&twin_a, "[patient]", "[patient]\nsurgical_candidate = false");
    deficit_comes_first(&answer(&findings, &twin_a));
    let twin_b = without(&context, &["platelets_per_ul", "platelets_date"]);
    deficit_comes_first(&answer(&findings, &twin_b));
    deficit_comes_first(&answer(
        &findings,
        &without(&twin_a, &["platelets_per_ul", "platelets_date"]),
    ));
    // Twin c: a reader sees the canal and the epidural space free.
    let free = format!("{site}\nspinal_canal_involvement = false\nepidural_extension = false");
    let twin_c = answer(&findings, &changed(&context, site, &free));
    deficit_comes_first(&twin_c);
    twin_c.must_not("refer_surgery", &["T9"]);
    // Either sign, or the deficit itself, is enough.
    for sign in ["incontinence = true", "neurologic_deficit = true"] {
        deficit_comes_first(&answer(&findings, &changed(&context, "limb_weakness = true", sign)));
    }
}

#[test]
fn w10_a_deficit_is_named_without_any_finding() {
    let findings = Case::new("w10", "MR", &[Role::MrT1]).0;
    let verdict = answer(&findings, &context_text("w10"));
    deficit_comes_first(&verdict);
}

// ---------------------------------------------------------------------------------------------
// All
// ---------------------------------------------------------------------------------------------

#[test]
fn without_a_context_no_option_is_shown_and_the_verdict_names_what_is_missing() {
    for findings in [w1(), w3(), w7(), w9(), w10()] {
        let verdict = assess(&findings, None, &Rulebook::builtin().unwrap()).unwrap();
        let answer = Answer { verdict, findings };
        assert!(!answer.verdict.context_given);
        for record in &answer.verdict.outcomes {
            let family = record.outcome.parse::<Outcome>().unwrap().family();
            assert_ne!(family, Family::Candidate, "{}", answer.listing());
        }
        let missing: Vec<&str> =
            answer.verdict.missing.iter().map(|missing| missing.input.as_str()).collect();
        for input in
            ["patient.neurologic_deficit", "patient.platelets_per_ul", "site.exam_localizes_pain"]
        {
            assert!(missing.contains(&input), "{missing:?}");
        }
        answer.expect("request_clinical_input", &["patient"]);
        answer.expect_anywhere("request_physical_exam");
        assert!(!answer.verdict.only_as_request.is_empty());
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_a_verdict_reads_back() {
    let findings = w9();
    let bytes = || serde_json::to_string(&answer(&findings, &context_text("w9b")).verdict).unwrap();
    assert_eq!(bytes(), bytes());
    let verdict: Verdict = serde_json::from_str(&bytes()).unwrap();
    assert_eq!(serde_json::to_string(&verdict).unwrap(), bytes());
}

#[test]
fn a_context_of_another_study_is_refused() {
    let context = ClinicalContext::parse(&context_text("w9b"), ContextFormat::Toml).unwrap();
    let error = assess(&w1(), Some(&context), &Rulebook::builtin().unwrap()).unwrap_err();
    assert!(error.is_usage());
    assert_eq!(error.to_string(), "the clinical context names another study than w1");
}
