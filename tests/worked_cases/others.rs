//! The other worked cases, W2, W4, W5, W6, W8, W11 and W12, with the context in the test.

use osteoflag::eligibility::verdict::Shown;
use osteoflag::findings::schema::Findings;
use osteoflag::terms::{FeatureId, Level, Region, Role, Side};

use crate::case::{Answer, At, Case, In, answer, changed, without};

/// What every case adds, and a painful patient with one lesion.
const READY: &str = "neurologic_deficit = false
platelets_per_ul = 180000
platelets_date = \"2025-03-01\"
bleeding_dyscrasia = false
multidisciplinary_review_done = false
pain_score_0_10 = 8
multifocal_disease = false
";

/// What makes a site painful, and its canal free.
const PAINFUL: &str = "pain_imaging_concordant = true
exam_localizes_pain = true
epidural_extension = false
spinal_canal_involvement = false
";

fn context(study: &str, patient: &str, sites: &[(&str, &str)]) -> String {
    let sites: Vec<String> =
        sites.iter().map(|(name, values)| format!("[[site]]\n{name}\n{values}\n")).collect();
    format!("study = \"{study}\"\n[patient]\n{READY}{patient}\n{}", sites.concat())
}

fn one_vertebra(study: &str, level: Level, feature: FeatureId) -> Findings {
    Case::new(study, "CT", &[Role::CtBone]).vertebrae(&[level]).present(feature, At(level)).0
}

#[test]
fn w2_two_painful_pelvic_fractures_get_cement_at_both_without_an_ablation() {
    let findings = Case::new("w2", "CT", &[Role::CtBone])
        .present(FeatureId::PelvicLesion, In(Region::Acetabulum, Side::Right))
        .present(FeatureId::PelvicLesion, In(Region::PubicRamus, Side::Right))
        .0;
    let fractured = "side = \"right\"\npathologic_fracture = true\npain_imaging_concordant = true";
    let text = context(
        "w2",
        "opioid_use = true\nanalgesia_adequate = false\npainful_site_count = 2",
        &[("region = \"acetabulum\"", fractured), ("region = \"pubic_ramus\"", fractured)],
    );
    let text = without(&text, &["multifocal_disease"]);
    let verdict = answer(&findings, &text);
    let both = ["acetabulum:right", "pubic_ramus:right"];
    verdict.common();
    for outcome in [
        "consider_cementoplasty_extraspinal",
        "refer_surgery",
        "plan_access_route",
        "plan_coverage",
    ] {
        verdict.expect(outcome, &both);
    }
    verdict.expect("refer_radiation_oncology", &["patient"]);
    verdict.expect("followup_pain_analgesia", &["patient"]);
    verdict.expect("request_physical_exam", &both);
    verdict.must_not_anywhere("consider_cryoablation");
    let examined = changed(&text, fractured, &format!("{fractured}\nexam_localizes_pain = true"));
    let examined = answer(&findings, &examined);
    examined.expect_shown(Shown::Proposed, "consider_cementoplasty_extraspinal", &both);
    examined.must_not_anywhere("consider_cryoablation");
}

#[test]
fn w4_only_the_two_symptomatic_levels_of_many_are_options() {
    use Level::{L1, L2, L3, L4, L5, T8, T9, T10, T11, T12};
    let mut case = Case::new("w4", "MR", &[Role::MrT1, Role::MrStir])
        .vertebrae(&[L5, L4, L3, L2, L1, T12, T11, T10, T9, T8]);
    for level in [T8, T11, L1, L3, L5] {
        case = case.present(FeatureId::T1MarrowSignalDrop, At(level));
    }
    let symptomatic = format!(
        "{PAINFUL}pathologic_fracture = true\nvertebral_compression_fracture = true\nposterior_wall_disruption = false"
    );
    let quiet = "exam_localizes_pain = false\nepidural_extension = false";
    let text = context(
        "w4",
        "",
        &[
            ("level = \"L1\"", symptomatic.as_str()),
            ("level = \"L3\"", symptomatic.as_str()),
            ("level = \"T8\"", quiet),
            ("level = \"T11\"", quiet),
            ("level = \"L5\"", quiet),
        ],
    );
    let verdict = answer(&case.0, &without(&text, &["multifocal_disease"]));
    for outcome in ["consider_ablation", "consider_rf_ablation", "consider_augmentation"] {
        verdict.expect_shown(Shown::Proposed, outcome, &["L1", "L3"]);
    }
    for outcome in [
        "plan_bilateral_access",
        "plan_stabilize_after_ablation",
        "caution_cement_leak",
        "caution_fracture_risk",
        "flag_adjacent_level",
    ] {
        verdict.expect(outcome, &["L1", "L3"]);
    }
    verdict.expect("mention_pain_pump", &["patient"]);
    verdict.expect("followup_imaging_1m", &["patient"]);
    for level in ["T8", "T11", "L5"] {
        verdict.expect("defer_ablation_asymptomatic", &[level]);
        assert!(verdict.options(level).is_empty(), "{}", verdict.listing());
    }
    for record in &verdict.verdict.outcomes {
        assert!(!record.sentence.to_lowercase().contains("surviv"), "{}", record.sentence);
    }
}

#[test]
fn w5_dense_bone_waits_for_a_sign_of_activity_and_is_never_excluded() {
    let findings = one_vertebra("w5", Level::L4, FeatureId::ScleroticDensity);
    let site = format!(
        "{PAINFUL}nontumor_bone_in_body = true\nnontumor_bone_in_body_side = \"left\"\nlesion_side = \"right\""
    );
    let open = context("w5", "", &[("level = \"L4\"", &site)]);
    let active =
        context("w5", "", &[("level = \"L4\"", &format!("{site}\nfocal_marrow_edema = true"))]);
    for (text, shown) in [(&open, Shown::Provisional), (&active, Shown::Proposed)] {
        let verdict = answer(&findings, text);
        verdict.expect_shown(shown, "consider_rf_ablation", &["L4"]);
        verdict.expect_shown(shown, "consider_augmentation", &["L4"]);
        for outcome in [
            "caution_sclerotic",
            "caution_balloon_no_inflate",
            "plan_bone_drill",
            "plan_overlapping_ablations",
            "plan_needle_across_lesion",
            "plan_bilateral_access",
            "plan_ct_guidance",
        ] {
            // Access from both sides follows the option; while that is open it is no firm plan.
            if outcome != "plan_bilateral_access" || shown == Shown::Proposed {
                verdict.expect(outcome, &["L4"]);
            }
        }
        verdict.must_not_anywhere("plan_scaffold_device");
        let balloon =
            verdict.find("caution_balloon_no_inflate", "L4").map(|record| &record.sentence);
        assert!(balloon.is_some_and(|sentence| sentence.contains("right")), "{balloon:?}");
    }
    answer(&findings, &open).expect("request_mri", &["L4"]);
}

#[test]
fn w6_upper_thoracic_and_vascular_each_warn_of_cement_in_veins() {
    let rules = |verdict: &Answer| -> Vec<(String, Shown)> {
        verdict
            .verdict
            .outcomes
            .iter()
            .filter(|record| record.outcome == "caution_intravasation")
            .map(|record| (record.rule.clone(), record.shown))
            .collect()
    };
    let at = |level: Level, more: &str| {
        let findings = one_vertebra("w6", level, FeatureId::LyticDensity);
        let site = format!("{PAINFUL}sclerotic_lesion = false\n{more}");
        answer(&findings, &context("w6", "", &[(&format!("level = \"{level}\""), &site)]))
    };
    let both = at(Level::T4, "tumor_hypervascularity = true");
    both.expect_shown(Shown::Proposed, "consider_rf_ablation", &["T4"]);
    both.expect_shown(Shown::Proposed, "consider_augmentation", &["T4"]);
    both.expect("plan_cement_vigilance", &["T4"]);
    both.expect("plan_bilateral_access", &["T4"]);
    assert_eq!(
        rules(&both),
        [
            ("intravasation-upper-thoracic".to_owned(), Shown::Proposed),
            ("intravasation-vascular-tumour".to_owned(), Shown::Proposed),
        ]
    );
    let lower = at(Level::T10, "");
    assert_eq!(rules(&lower), [("intravasation-vascular-tumour".to_owned(), Shown::Provisional)]);
    let asked = lower.find("request_mri", "T10");
    assert!(asked.is_some(), "{}", lower.listing());
    let after =
        at(Level::T4, "tumor_hypervascularity = true\ncement_leak_type = \"intravascular\"");
    let told = after.find("refer_multidisciplinary", "T4").map(|record| record.sentence.clone());
    assert!(told.is_some_and(|sentence| !sentence.contains("canal")), "{}", after.listing());
}

#[test]
fn w8_a_device_is_named_only_where_lysis_and_density_are_known_to_be_absent() {
    let findings = one_vertebra("w8", Level::T8, FeatureId::HeightLoss);
    let site = |lysis: &str| {
        format!(
            "{PAINFUL}pathologic_fracture = true\nsclerotic_lesion = false\nmixed_density_lesion = false\n{lysis}"
        )
    };
    let verdict =
        |values: &str| answer(&findings, &context("w8", "", &[("level = \"T8\"", values)]));
    let firm = verdict(&site("extensive_lysis = false"));
    for outcome in [
        "consider_augmentation",
        "plan_scaffold_device",
        "caution_cement_leak",
        "plan_cement_vigilance",
        "consider_rf_ablation",
    ] {
        firm.expect_shown(Shown::Proposed, outcome, &["T8"]);
    }
    let lost = verdict(&site("extensive_lysis = true"));
    lost.must_not_anywhere("plan_scaffold_device");
    lost.expect("caution_implant_migration", &["T8"]);
    lost.expect("plan_full_body_cement", &["T8"]);
    let open = verdict(&site(""));
    open.must_not_anywhere("plan_scaffold_device");
    open.expect_shown(Shown::Provisional, "caution_implant_migration", &["T8"]);
    let irradiated = verdict(&site(
        "prior_radiation_to_site = true\nradiation_technique = \"stereotactic\"\nanterior_column_disruption = true",
    ));
    irradiated.expect("caution_fracture_risk", &["T8"]);
}

#[test]
fn w11_the_epidural_exception_needs_all_three_conditions_known() {
    let findings = Case::new("w11", "MR", &[Role::MrT1, Role::MrStir])
        .vertebrae(&[Level::T12])
        .present(FeatureId::T1MarrowSignalDrop, At(Level::T12))
        .present(FeatureId::EpiduralSoftTissue, At(Level::T12))
        .0;
    let site = "pain_imaging_concordant = true\nexam_localizes_pain = true\nsclerotic_lesion = false\nposterior_third_involvement = true\nposterior_wall_effacement = true\nprior_radiation_to_site = true";
    let text = context("w11", "surgical_candidate = false", &[("level = \"T12\"", site)]);
    let verdict = answer(&findings, &text);
    verdict.expect_shown(Shown::Proposed, "rare_exception_epidural", &["T12"]);
    for outcome in [
        "plan_nerve_monitoring",
        "caution_nerve_injury",
        "caution_posterior_wall",
        "plan_cement_vigilance",
        "plan_stabilize_after_ablation",
    ] {
        verdict.expect(outcome, &["T12"]);
    }
    let sentence =
        verdict.find("rare_exception_epidural", "T12").map(|record| record.sentence.clone());
    assert!(sentence.is_some_and(|sentence| sentence.contains("posterior third")));
    for (key, path) in [
        ("neurologic_deficit", "patient.neurologic_deficit"),
        ("surgical_candidate", "patient.surgical_candidate"),
        ("prior_radiation_to_site", "site.prior_radiation_to_site"),
    ] {
        let twin = answer(&findings, &without(&text, &[key]));
        twin.must_not_anywhere("rare_exception_epidural");
        twin.expect("refer_surgery", &["T12"]);
        twin.expect("refer_radiation_oncology", &["T12"]);
        let asked = twin.verdict.outcomes.iter().any(|record| {
            record.outcome == "request_clinical_input"
                && record.missing.iter().any(|missing| missing == path)
        });
        assert!(asked, "{path}:\n{}", twin.listing());
    }
    let fresh = changed(&text, "prior_radiation_to_site = true", "prior_radiation_to_site = false");
    let fresh = answer(&findings, &fresh);
    fresh.must_not_anywhere("rare_exception_epidural");
    fresh.expect("refer_radiation_oncology", &["T12"]);
}

#[test]
fn w12_a_pump_is_considered_for_pain_that_remains_and_only_mentioned_before() {
    let treated = Case::new("w12", "CT", &[Role::CtBone])
        .vertebrae(&[Level::L2])
        .present(FeatureId::CementOrMetal, At(Level::L2))
        .0;
    let left = context(
        "w12",
        "days_since_procedure = 14\nresidual_pain_after_ablation = true\nopioid_adverse_effects = true",
        &[],
    );
    let left = answer(&treated, &left);
    left.expect_shown(Shown::Proposed, "consider_pain_pump", &["patient"]);
    for outcome in ["followup_revisit_pump", "discuss_analgesia", "request_physical_exam"] {
        left.expect(outcome, &["patient"]);
    }
    // Cement hides density: the caution may stand as unknown, it is never said to hold.
    left.must_not_propose("caution_sclerotic");
    let diffuse =
        answer(&treated, &context("w12", "diffuse_pain = true\nanalgesia_adequate = false", &[]));
    for outcome in [
        "consider_pain_pump",
        "discuss_systemic_therapy",
        "discuss_radiopharmaceutical",
        "refer_radiation_oncology",
    ] {
        diffuse.expect(outcome, &["patient"]);
    }
    let first = one_vertebra("w12", Level::L2, FeatureId::LyticDensity);
    let site = format!("{PAINFUL}sclerotic_lesion = false");
    let first =
        answer(&first, &context("w12", "analgesia_adequate = true", &[("level = \"L2\"", &site)]));
    first.expect("mention_pain_pump", &["patient"]);
    first.must_not_anywhere("consider_pain_pump");
}
