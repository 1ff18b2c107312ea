use super::*;

fn toml(text: &str) -> Result<ClinicalContext, ContextError> {
    ClinicalContext::parse(&format!("study = \"s\"\n{text}"), ContextFormat::Toml)
}

#[test]
fn toml_and_json_give_the_same_context() {
    let from_toml = ClinicalContext::parse(
        "study = \"s\"\nsites_complete = true\n[patient]\npain_score_0_10 = [3, 5]\nopioid_use = true\nprocedure_planned = [\"ablation\"]\nplatelets_date = 2025-03-01\ncomorbidities = [\"a\"]\nsite_of_maximal_pain = \"T10\"\n[[site]]\nlevel = \"T10\"\nradiation_technique = \"stereotactic\"\n[[site]]\nregion = \"ilium\"\nside = \"left\"\n",
        ContextFormat::Toml,
    );
    let from_json = ClinicalContext::parse(
        r#"{"study": "s", "sites_complete": true, "patient": {"pain_score_0_10": [3, 5.0], "opioid_use": true,
                "procedure_planned": ["ablation"], "platelets_date": "2025-03-01", "comorbidities": ["a"], "site_of_maximal_pain": "T10"},
                "site": [{"level": "T10", "radiation_technique": "stereotactic"}, {"region": "ilium", "side": "left"}]}"#,
        ContextFormat::Json,
    );
    assert_eq!(from_toml.unwrap(), from_json.unwrap());
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_the_nearest_name() {
    for (text, message, hint) in [
        (
            "[patient]\nneurologic_defict = true",
            "line 3, column 1: neurologic_defict is not a known input of [patient]",
            "did you mean neurologic_deficit?",
        ),
        (
            "[patient]\nexam_localizes_pain = true",
            "line 3, column 1: exam_localizes_pain is not a known input of [patient]",
            "did you mean exam_localizes_pain in [[site]]?",
        ),
        (
            "[[site]]\nlevel = \"L2\"\nopioid_use = true",
            "line 4, column 1: opioid_use is not a known input of [[site]]",
            "did you mean opioid_use in [patient]?",
        ),
        (
            "[patient]\nopioid_use = \"yes\"",
            "line 3, column 1: opioid_use is a text, expected true or false",
            "",
        ),
        (
            "[patient]\npain_score_0_10 = 11",
            "line 3, column 1: pain_score_0_10 = 11 is outside 0 to 10 points",
            "",
        ),
        (
            "[patient]\nplatelets_per_ul = nan",
            "line 3, column 1: platelets_per_ul = NaN is outside 0 to 10000000 platelets per microlitre",
            "",
        ),
        (
            "[patient]\npain_score_0_10 = [7, 3]",
            "pain_score_0_10: lower bound 7 contradicts upper bound 3",
            "correct the one that is wrong; nothing was assessed",
        ),
        (
            "[patient]\nplatelets_date = \"soon\"",
            "line 3, column 1: platelets_date is a text, expected a day, as 2025-03-01",
            "",
        ),
        (
            "[patient]\ndisease_extent = \"wide\"",
            "line 3, column 1: disease_extent is \"wide\", expected one of bone_only, bone_and_visceral, widespread",
            "",
        ),
        (
            "[patient]\nmr_t1_available = true",
            "line 3, column 1: mr_t1_available cannot be given: it comes from header",
            "",
        ),
        (
            "[[site]]\nlevel = \"L2\"\nweight_bearing_site = true",
            "line 4, column 1: weight_bearing_site cannot be given: it comes from derived",
            "",
        ),
        (
            "[[site]]\nlevel = \"L9\"",
            "line 3, column 1: level is \"L9\", expected one of C1 to C7, T1 to T13, L1 to L6, S1 to S5",
            "",
        ),
        (
            "[[site]]\nlevel = \"L2\"\nregion = \"ilium\"",
            "a site is named by level, by region (with side), or by vertebra; this one has level and region",
            "write level = \"L2\"",
        ),
        ("[[site]]\nlevel = \"L2\"\n[[site]]\nlevel = \"L2\"", "the site L2 stands twice", ""),
        ("colour = 3", "line 2, column 1: colour is not a known input of the context", ""),
        (
            "[patient]\nneurologic_deficit = false\nincontinence = true",
            "neurologic_deficit = false contradicts incontinence = true",
            "correct the one that is wrong; nothing was assessed",
        ),
        (
            "[patient]\nexam_performed = false\n[[site]]\nlevel = \"L2\"\nexam_localizes_pain = true",
            "exam_performed = false contradicts exam_localizes_pain at L2",
            "correct the one that is wrong; nothing was assessed",
        ),
        ("[patient]\nage_years = 0x10", "line 3, column 1: 0x10 is not a decimal number", ""),
    ] {
        let error = toml(text).unwrap_err();
        assert!(error.to_string().ends_with(message), "{text}: {error}");
        if !hint.is_empty() {
            assert_eq!(error.hint().as_deref(), Some(hint), "{text}");
        }
    }
    assert!(matches!(toml("[patient"), Err(ContextError::Syntax { .. })));
    assert!(matches!(
        ClinicalContext::parse("", ContextFormat::Toml),
        Err(ContextError::NamesNoStudy)
    ));
}

#[test]
fn a_key_that_stands_twice_is_refused_in_json_too() {
    let text =
        r#"{"study": "s", "patient": {"neurologic_deficit": true, "neurologic_deficit": false}}"#;
    let error = ClinicalContext::parse(text, ContextFormat::Json).unwrap_err();
    assert!(error.to_string().contains("neurologic_deficit stands twice"), "{error}");
    let null = r#"{"study": "s", "patient": {"opioid_use": null}}"#;
    let error = ClinicalContext::parse(null, ContextFormat::Json).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("leave out what is unknown"));
}

#[test]
fn a_context_belongs_to_the_study_that_it_names_and_to_no_other() {
    let by_study = |study: &str| {
        ClinicalContext::parse(&format!("study = \"{study}\""), ContextFormat::Toml).unwrap()
    };
    let uid = "1.2.840.1";
    let hash = sha256_hex(uid);
    let id = &hash[..16];
    assert_eq!(by_study(id).matches_study(id, None, None), StudyMatch::ThisStudy);
    assert_eq!(by_study(uid).matches_study(id, None, None), StudyMatch::ThisStudy);
    assert_eq!(by_study(uid).matches_study("other", Some(uid), None), StudyMatch::ThisStudy);
    assert_eq!(by_study("1.2.840.2").matches_study(id, Some(uid), None), StudyMatch::AnotherStudy);
    let by_patient = ClinicalContext::parse("patient_id = \"P1\"", ContextFormat::Toml).unwrap();
    assert_eq!(by_patient.matches_study(id, None, Some("P1 ")), StudyMatch::ThisStudy);
    assert_eq!(by_patient.matches_study(id, None, Some("P2")), StudyMatch::AnotherStudy);
    assert_eq!(by_patient.matches_study(id, None, None), StudyMatch::CannotTell);
    let both = ClinicalContext::parse(
        &format!("study = \"{uid}\"\npatient_id = \"P1\""),
        ContextFormat::Toml,
    )
    .unwrap();
    assert_eq!(both.matches_study(id, Some(uid), Some("P2")), StudyMatch::AnotherStudy);
}
