//! The view: what findings and context together let conditions see.

use serde_json::{Value, json};

use super::context::{ClinicalContext, ContextFormat};
use super::view::{Datum, SiteView, View, ViewError, build};
use crate::findings::schema::Findings;
use crate::terms::Level;

/// Findings with the given vertebrae (`id`, `series`, `level`, `z`), coverage rows and findings.
#[allow(clippy::needless_pass_by_value, reason = "callers write the lists in place")]
fn findings(
    vertebrae: &[(&str, &str, Value, f64)],
    coverage: Vec<Value>,
    found: Vec<Value>,
) -> Findings {
    let series: std::collections::BTreeSet<&str> = vertebrae.iter().map(|v| v.1).collect();
    let series: Vec<Value> = series
        .into_iter()
        .map(|id| {
            json!({
                "id": id, "role": if id.starts_with("ct") { "ct_bone" } else { "mr_t1" },
                "role_confidence": 1.0, "role_evidence": [], "contrast_medium": "unknown",
                "choice": "chosen", "problems": [],
            })
        })
        .collect();
    let vertebrae: Vec<Value> = vertebrae
        .iter()
        .map(|(id, series, level, z)| {
            json!({
                "id": id, "series": series, "level": level, "level_candidates": [],
                "body_centroid_lps_mm": [0.0, 0.0, z], "fraction_in_view": 1.0, "confidence": 0.9,
            })
        })
        .collect();
    let sites: Vec<Value> = found
        .iter()
        .map(|finding| {
            let site = &finding["site"];
            let id = site["vertebra"].as_str().map_or_else(
                || format!("{}:{}", site["region"].as_str().unwrap(), site["side"].as_str().unwrap()),
                str::to_owned,
            );
            json!({ "id": id, "vertebra": site["vertebra"], "region": site["region"], "side": site["side"], "findings": [finding["id"]] })
        })
        .collect();
    serde_json::from_value(json!({
        "schema": "osteoflag-findings/1",
        "tool": { "name": "osteoflag", "version": "0", "decoders": [], "settings": [] },
        "study": { "id": "study", "modalities": ["CT"] },
        "series": series,
        "anatomy": { "provider": "heuristic", "vertebrae": vertebrae },
        "findings": &found, "coverage": coverage, "sites": sites, "limitations": [],
    }))
    .unwrap()
}

fn row(feature: &str, vertebra: &str, status: &str, rules_out: bool) -> Value {
    json!({
        "feature": feature, "series": vertebra.split('/').next(), "vertebra": vertebra,
        "status": status, "absence_rules_out": rules_out,
    })
}

fn finding(id: &str, kind: &str, vertebra: &str, status: &str) -> Value {
    json!({
        "id": id, "kind": kind, "site": { "vertebra": vertebra, "parts": [] }, "status": status,
        "measurements": [], "evidence": [{ "series": vertebra.split('/').next(), "slices": [1, 1], "pictures": [] }],
        "speaks_for": [], "speaks_against": [], "limitations": [],
    })
}

fn context(text: &str) -> ClinicalContext {
    ClinicalContext::parse(&format!("study = \"study\"\n{text}"), ContextFormat::Toml).unwrap()
}

fn view(findings: &Findings, text: &str) -> View {
    build(findings, Some(&context(text))).unwrap()
}

fn boolean(site: &SiteView, key: &str) -> Option<bool> {
    match site.keys.get(key)?.value {
        Datum::Boolean(truth) => Some(truth),
        _ => None,
    }
}

fn patient(view: &View, key: &str) -> Option<Datum> {
    view.patient.get(key).map(|known| known.value.clone())
}

const L2: (&str, &str, &str) = ("ct/v1", "ct", "L2");

#[test]
fn only_present_and_absent_that_rules_out_become_keys() {
    let vertebrae = [(L2.0, L2.1, json!(L2.2), 0.0)];
    for (rows, expected) in [
        (vec![("present", true)], Some(true)),
        (vec![("absent", true)], Some(false)),
        (vec![("absent", false)], None),
        (vec![("indeterminate", true)], None),
        (vec![("not_assessed", true)], None),
        (vec![("absent", true), ("not_assessed", true)], Some(false)),
        (vec![("absent", true), ("indeterminate", true)], None),
        (vec![("absent", true), ("present", true)], Some(true)),
        (vec![("indeterminate", true), ("present", false)], Some(true)),
        (vec![], None),
    ] {
        let coverage =
            rows.iter().map(|(status, out)| row("sclerotic_density", L2.0, status, *out)).collect();
        let other = finding("f1", "height_loss", L2.0, "present");
        let view = build(&findings(&vertebrae, coverage, vec![other]), None).unwrap();
        assert_eq!(boolean(&view.sites[0], "sclerotic_lesion"), expected, "{rows:?}");
    }
}

#[test]
fn an_indeterminate_finding_is_not_known_whatever_a_row_says() {
    let vertebrae = [(L2.0, L2.1, json!(L2.2), 0.0)];
    let coverage = vec![row("sclerotic_density", L2.0, "absent", true)];
    let found = vec![finding("f1", "sclerotic_density", L2.0, "indeterminate")];
    let view = build(&findings(&vertebrae, coverage, found), None).unwrap();
    assert_eq!(boolean(&view.sites[0], "sclerotic_lesion"), None);
    assert_eq!(boolean(&view.sites[0], "finding_present"), None);
}

#[test]
fn a_readers_value_takes_the_place_of_the_images_and_both_are_kept_in_words() {
    let vertebrae = [(L2.0, L2.1, json!(L2.2), 0.0)];
    let found = vec![finding("f1", "epidural_soft_tissue", L2.0, "present")];
    let view = view(
        &findings(&vertebrae, vec![], found),
        "[[site]]\nlevel = \"L2\"\nepidural_extension = false",
    );
    assert_eq!(view.sites.len(), 1);
    let known = &view.sites[0].keys["epidural_extension"];
    assert_eq!(known.value, Datum::Boolean(false));
    assert_eq!(
        known.source,
        "reader; replaces true (image candidate: epidural_soft_tissue, finding f1)"
    );
}

#[test]
fn a_context_level_never_becomes_a_vertebra_without_a_level() {
    let vertebrae = [("ct/v1", "ct", Value::Null, 0.0), ("ct/v2", "ct", Value::Null, 30.0)];
    let found = vec![finding("f1", "sclerotic_density", "ct/v1", "present")];
    let view = view(
        &findings(&vertebrae, vec![], found),
        "[[site]]\nlevel = \"L2\"\nexam_localizes_pain = true",
    );
    let ids: Vec<&str> = view.sites.iter().map(|site| site.id.as_str()).collect();
    assert_eq!(ids, ["ct/v1", "L2"]);
    assert_eq!(boolean(&view.sites[0], "exam_localizes_pain"), None);
    assert_eq!(boolean(&view.sites[0], "upper_thoracic"), None);
    assert_eq!(boolean(&view.sites[1], "sclerotic_lesion"), None);
    assert_eq!(boolean(&view.sites[1], "upper_thoracic"), Some(false));
    assert!(
        view.notes
            .iter()
            .any(|note| note.contains("L2 stands alone") && note.contains("not guessed")),
        "{:?}",
        view.notes
    );
    // By its id it is named without guessing.
    let named = super::view::build(
        &findings(&vertebrae, vec![], vec![finding("f1", "sclerotic_density", "ct/v1", "present")]),
        Some(&context("[[site]]\nvertebra = \"ct/v1\"\nexam_localizes_pain = true")),
    )
    .unwrap();
    assert_eq!(named.sites.len(), 1);
    assert_eq!(boolean(&named.sites[0], "exam_localizes_pain"), Some(true));
}

#[test]
fn a_vertebra_seen_on_two_series_is_one_site_only_with_the_same_level_close_by() {
    let found = || {
        vec![
            finding("f1", "sclerotic_density", "ct/v1", "present"),
            finding("f2", "t1_marrow_signal_drop", "mr/v1", "present"),
        ]
    };
    let rows = || vec![row("epidural_soft_tissue", "mr/v1", "absent", true)];
    let at = |level: Value, z: f64| [("ct/v1", "ct", json!("L2"), 0.0), ("mr/v1", "mr", level, z)];
    let one = build(&findings(&at(json!("L2"), 4.0), rows(), found()), None).unwrap();
    assert_eq!(one.sites.len(), 1);
    assert_eq!(boolean(&one.sites[0], "sclerotic_lesion"), Some(true));
    assert_eq!(boolean(&one.sites[0], "t1_marrow_replacement"), Some(true));
    assert_eq!(boolean(&one.sites[0], "epidural_extension"), Some(false));
    assert!(one.notes.iter().any(|note| note.contains("one vertebra seen on two series")));
    for apart in [at(json!("L2"), 33.0), at(json!("L3"), 4.0), at(Value::Null, 4.0)] {
        let two = build(&findings(&apart, rows(), found()), None).unwrap();
        assert_eq!(two.sites.len(), 2);
        assert_eq!(boolean(&two.sites[0], "epidural_extension"), None);
    }
    // Two that carry one level and are not joined: the context's level is not given to either.
    let far = findings(&at(json!("L2"), 33.0), rows(), found());
    let unclear = view(&far, "[[site]]\nlevel = \"L2\"\nexam_localizes_pain = true");
    assert_eq!(unclear.sites.len(), 3);
    assert_eq!(unclear.sites[2].id, "L2");
}

#[test]
fn a_level_without_a_finding_becomes_a_site_with_its_coverage() {
    let vertebrae = [("ct/v1", "ct", json!("L3"), 0.0), ("ct/v2", "ct", json!("L2"), 30.0)];
    let coverage = vec![row("sclerotic_density", "ct/v2", "absent", true)];
    let view = view(
        &findings(&vertebrae, coverage, vec![]),
        "[[site]]\nlevel = \"L2\"\nexam_localizes_pain = true",
    );
    assert_eq!(view.sites.len(), 1);
    assert_eq!(view.sites[0].id, "ct/v2");
    assert_eq!(boolean(&view.sites[0], "sclerotic_lesion"), Some(false));
}

#[test]
fn a_site_named_twice_and_a_vertebra_that_is_not_there_are_refused() {
    let vertebrae = [(L2.0, L2.1, json!(L2.2), 0.0)];
    let findings = findings(&vertebrae, vec![], vec![]);
    let twice = context("[[site]]\nlevel = \"L2\"\n[[site]]\nvertebra = \"ct/v1\"");
    assert_eq!(
        build(&findings, Some(&twice)).unwrap_err(),
        ViewError::SameSite { first: "L2".into(), second: "ct/v1".into(), site: "ct/v1".into() }
    );
    let nowhere = context("[[site]]\nvertebra = \"ct/v9\"");
    assert!(matches!(build(&findings, Some(&nowhere)), Err(ViewError::NoSuchVertebra { .. })));
}

#[test]
fn lesions_are_counted_within_a_series_and_never_added_up_over_series() {
    let vertebrae = [
        ("ct/v1", "ct", Value::Null, 0.0),
        ("mr/v1", "mr", Value::Null, 0.0),
        ("mr/v2", "mr", Value::Null, 30.0),
    ];
    let one_each = vec![
        finding("f1", "sclerotic_density", "ct/v1", "present"),
        finding("f2", "t1_marrow_signal_drop", "mr/v1", "present"),
    ];
    let view_of = |found| build(&findings(&vertebrae, vec![], found), None).unwrap();
    let one = view_of(one_each.clone());
    assert_eq!(patient(&one, "lesion_count_min"), Some(Datum::Number(1.0)));
    assert_eq!(patient(&one, "lesion_count_max"), None);
    assert_eq!(patient(&one, "multifocal_disease"), None);
    let mut two = one_each;
    two.push(finding("f3", "t1_marrow_signal_drop", "mr/v2", "present"));
    let two = view_of(two);
    assert_eq!(patient(&two, "lesion_count_min"), Some(Datum::Number(2.0)));
    assert_eq!(patient(&two, "multifocal_disease"), Some(Datum::Boolean(true)));
    assert_eq!(boolean(&two.sites[1], "adjacent_level_lesion"), Some(true));
    assert_eq!(boolean(&two.sites[0], "adjacent_level_lesion"), None);
}

#[test]
fn signs_of_a_deficit_make_it_true_and_their_absence_makes_nothing() {
    let empty = findings(&[], vec![], vec![]);
    let deficit = |text: &str| patient(&view(&empty, text), "neurologic_deficit");
    assert_eq!(deficit("[patient]\nlimb_weakness = true"), Some(Datum::Boolean(true)));
    assert_eq!(deficit("[patient]\nincontinence = true"), Some(Datum::Boolean(true)));
    assert_eq!(deficit("[patient]\nlimb_weakness = false\nincontinence = false"), None);
    assert_eq!(deficit("[patient]\nneurologic_deficit = false"), Some(Datum::Boolean(false)));
}

#[test]
fn ranges_lists_dates_and_places_become_keys_that_stay_open() {
    let empty = findings(&[], vec![], vec![]);
    let view = view(
        &empty,
        "[patient]\npain_score_0_10 = [3, 5]\npainful_site_count = { min = 2 }\npain_mechanism = [\"mechanical\"]\nplatelets_per_ul = 9\nsite_of_maximal_pain = \"acetabulum:right\"\ninr = 1.1\n[[site]]\nregion = \"acetabulum\"\nside = \"right\"\nexam_localizes_pain = true\n[[site]]\nregion = \"ilium\"\n",
    );
    assert_eq!(patient(&view, "pain_score_0_10_min"), Some(Datum::Number(3.0)));
    assert_eq!(patient(&view, "pain_score_0_10_max"), Some(Datum::Number(5.0)));
    assert_eq!(patient(&view, "painful_site_count_min"), Some(Datum::Number(2.0)));
    assert_eq!(patient(&view, "painful_site_count_max"), None);
    assert_eq!(patient(&view, "pain_mechanism_mechanical"), Some(Datum::Boolean(true)));
    assert_eq!(patient(&view, "pain_mechanism_biologic"), None);
    assert_eq!(patient(&view, "platelets_date_given"), None);
    assert_eq!(patient(&view, "exam_performed"), Some(Datum::Boolean(true)));
    assert_eq!(boolean(&view.sites[0], "maximal_pain_here"), Some(true));
    assert_eq!(boolean(&view.sites[1], "maximal_pain_here"), Some(false));
    assert_eq!(boolean(&view.sites[0], "epidural_extension"), Some(false));
    assert_eq!(boolean(&view.sites[0], "weight_bearing_site"), Some(true));
    assert!(view.notes.iter().any(|note| note.contains("platelet count has no date")));
    assert!(view.notes.iter().any(|note| note.starts_with("inr is recorded")));
}

#[test]
fn upper_thoracic_is_t1_to_t6_and_the_sacrum_keeps_its_canal_open() {
    let empty = findings(&[], vec![], vec![]);
    let view = view(
        &empty,
        "[[site]]\nlevel = \"T6\"\n[[site]]\nlevel = \"T7\"\n[[site]]\nlevel = \"C7\"\n[[site]]\nlevel = \"S2\"\n",
    );
    let upper: Vec<_> = view.sites.iter().map(|site| boolean(site, "upper_thoracic")).collect();
    assert_eq!(upper, [Some(true), Some(false), Some(false), None]);
    let thoracic: Vec<_> = view.sites.iter().map(|site| boolean(site, "thoracic")).collect();
    assert_eq!(thoracic, [Some(true), Some(true), Some(false), None]);
    assert_eq!(view.sites[3].id, "sacrum");
    assert_eq!(boolean(&view.sites[3], "epidural_extension"), None);
}

#[test]
fn a_series_that_could_be_t1_leaves_it_open_whether_there_is_one() {
    let of = |role: &str, choice: &str| {
        let mut findings = findings(&[("ct/v1", "ct", Value::Null, 0.0)], vec![], vec![]);
        findings.series[0].role = serde_json::from_value(json!(role)).unwrap();
        findings.series[0].choice = serde_json::from_value(json!(choice)).unwrap();
        patient(&build(&findings, None).unwrap(), "mr_t1_available")
    };
    assert_eq!(of("mr_t1", "chosen"), Some(Datum::Boolean(true)));
    assert_eq!(of("mr_t1", "skipped"), None);
    assert_eq!(of("other", "chosen"), None);
    assert_eq!(of("ct_bone", "chosen"), Some(Datum::Boolean(false)));
}

#[test]
fn a_level_of_a_single_anchor_is_told_in_doubt_and_is_no_known_key() {
    let vertebrae = [("ct/v4", "ct", json!("L2"), 0.0)];
    let found = vec![finding("f1", "sclerotic_density", "ct/v4", "present")];
    let mut doubtful = findings(&vertebrae, vec![], found);
    let text = "[[site]]\nlevel = \"L2\"\nexam_localizes_pain = true";
    let sure = view(&doubtful, text);
    assert!(sure.sites[0].keys.contains_key("vertebral_level"));
    assert!(sure.notes.iter().all(|note| !note.contains("not certain")), "{:?}", sure.notes);
    doubtful.anatomy.vertebrae[0].level_candidates = vec![Level::L2, Level::L1, Level::L3];
    let view = view(&doubtful, text);
    assert_eq!(view.sites.len(), 1);
    assert_eq!(view.sites[0].label, "L2 (L1 or L3 possible)");
    assert!(!view.sites[0].keys.contains_key("vertebral_level"));
    assert!(
        view.notes.iter().any(|note| note.contains("L2 was given to the vertebra ct/v4")),
        "{:?}",
        view.notes
    );
}
