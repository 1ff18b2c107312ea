//! The traps of CEL, one by one: what the crate does, and what the checker says to it.
//!
//! The first half pins the behaviour of `cel` that the rulebook leans on or keeps away from: a
//! new version that changes it fails here.

use std::collections::{BTreeMap, HashMap};

use cel::{Context, ExecutionError, Program, Value};

use super::checker::{Place, Terms, check};
use super::condition::Condition;

/// `p.t` true, `p.f` false, `p.n` 5.0, `p.w` "T4"; `sites` with one listed site (a true, b
/// false) and the keyless one; `q.nothing` null.
fn cel(expression: &str) -> Result<Value, ExecutionError> {
    let map = |entries: &[(&str, Value)]| -> HashMap<String, Value> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let mut context = Context::default();
    context.add_variable_from_value(
        "p",
        map(&[
            ("t", Value::Bool(true)),
            ("f", Value::Bool(false)),
            ("n", Value::Float(5.0)),
            ("nan", Value::Float(f64::NAN)),
            ("w", Value::from("T4")),
        ]),
    );
    context.add_variable_from_value("q", map(&[("nothing", Value::Null)]));
    let listed =
        map(&[("listed", Value::Bool(true)), ("a", Value::Bool(true)), ("b", Value::Bool(false))]);
    context.add_variable_from_value("sites", vec![Value::from(listed), Value::from(map(&[]))]);
    context.add_variable_from_value("empty", Vec::<Value>::new());
    Program::compile(expression).unwrap().execute(&context)
}

fn truth(expression: &str) -> Option<bool> {
    match cel(expression) {
        Ok(Value::Bool(truth)) => Some(truth),
        Err(ExecutionError::NoSuchKey(_)) => None,
        other => panic!("{expression}: {other:?}"),
    }
}

#[test]
fn cel_absorbs_an_absent_key_as_kleene_logic_asks() {
    for (expression, expected) in [
        ("p.u", None),
        ("!p.u", None),
        ("p.u && p.f", Some(false)),
        ("p.f && p.u", Some(false)),
        ("p.u && p.t", None),
        ("p.t && p.u", None),
        ("p.u || p.t", Some(true)),
        ("p.t || p.u", Some(true)),
        ("p.u || p.f", None),
        ("p.f || p.u", None),
        ("p.u && p.v && p.f", Some(false)),
        ("p.t && (p.u || (p.v && p.f))", None),
        ("p.u > 3 && p.f", Some(false)),
        ("p.u == \"T4\" || p.t", Some(true)),
        ("p.n > 4", Some(true)),
        ("p.n == 5", Some(true)),
        ("p.n >= -3", Some(true)),
        ("p.t ? p.f : p.u", Some(false)),
        ("p.u ? p.t : p.t", None),
    ] {
        assert_eq!(truth(expression), expected, "{expression}");
    }
}

#[test]
fn cel_keeps_an_unfinished_list_open_in_the_two_allowed_forms() {
    for (expression, expected) in [
        ("sites.exists(x, x.listed && x.a)", Some(true)),
        ("sites.exists(x, x.listed && x.b)", None),
        ("sites.all(x, !x.listed || x.b)", Some(false)),
        ("sites.all(x, !x.listed || x.a)", None),
        // Settled by another key, the body decides for real and unlisted sites alike.
        ("sites.exists(x, x.listed && p.f)", Some(false)),
    ] {
        assert_eq!(truth(expression), expected, "{expression}");
    }
}

#[test]
fn the_traps_are_there_so_the_checker_is_needed() {
    assert_eq!(truth("q.nothing == 5"), Some(false));
    assert_eq!(truth("q.nothing != 5"), Some(true));
    assert_eq!(truth("has(p.u)"), Some(false));
    assert_eq!(truth("empty.exists(x, x.a)"), Some(false));
    assert_eq!(truth("empty.all(x, x.a)"), Some(true));
    assert_eq!(truth("p.t != 1"), Some(true));
    assert_eq!(truth("p.nan != 1.0"), Some(true));
    // Mistakes beside something that settles it leave no trace.
    assert_eq!(truth("(1 / 0 > 0) && false"), Some(false));
    assert_eq!(truth("(p.t > 1) && false"), Some(false));
}

fn term(name: &str, text: &str) -> (String, Condition) {
    (name.to_owned(), check(text, Place::SiteRuleOrTerm, &Terms::new()).unwrap())
}

fn terms() -> Terms {
    BTreeMap::from([
        term("painful", "patient.pain_score_0_10_min > 0"),
        term("lytic", "site.lytic_lesion"),
    ])
}

#[test]
fn what_would_turn_an_unknown_into_an_answer_is_refused_where_it_stands() {
    let mut wrong = Vec::new();
    // The condition, the piece at which it is refused, a piece of the message or hint.
    for (condition, at, says) in [
        (
            "patient.opioid_use && patient.opioid_us",
            "patient.opioid_us",
            "did you mean opioid_use?",
        ),
        ("site.opioid_use", "site.opioid_use", "write patient.opioid_use"),
        ("patient.lytic_lesion", "patient.lytic_lesion", "write site.lytic_lesion"),
        ("patint.opioid_use", "patint.opioid_use", "did you mean patient?"),
        ("opioid_use", "opioid_use", "did you mean patient.opioid_use?"),
        ("painfull", "painfull", "did you mean painful?"),
        ("patient.painful_site_count > 2", "patient.painful_site_count", "painful_site_count_min"),
        ("patient.primary_tumor_type == \"breast\"", "patient.primary", "no condition can read it"),
        ("has(patient.opioid_use)", "has(", "has() says false"),
        ("patient.opioid_use == null", "null", "null is never"),
        ("null", "null", "null is never"),
        ("patient.opioid_use == true", "patient.opioid_use ==", "not compared"),
        ("patient.opioid_use != 1", "patient.opioid_use !=", "not compared"),
        ("patient.pain_score_0_10_min", "patient.pain", "compare it"),
        ("site.vertebral_level", "site.vertebral_level", "is a word"),
        ("patient.pain_score_0_10_min > \"3\"", "\"3\"", "a number is compared with a word"),
        ("site.vertebral_level == 3", "3", "a word is compared with a number"),
        ("site.vertebral_level == \"T14\"", "\"T14\"", "did you mean \"T1"),
        ("site.vertebral_level > \"T4\"", "site.vertebral_level", "words have no order"),
        ("site.vertebral_level == site.lesion_site", "site.vertebral_level", "cannot be compared"),
        ("patient.age_years > patient.inr", "patient.age_years", "number in years"),
        ("1 < 2", "1 < 2", "two fixed values"),
        ("patient.age_years > 1u", "1u", "kind of literal"),
        ("5", "5", "neither"),
        ("patient.opioid_use && (patient.age_years + 1 > 3)", "patient.age_years", "arithmetic"),
        ("patient.age_years / 0 > 3", "patient.age_years", "arithmetic"),
        ("-patient.age_years < 3", "-patient", "arithmetic"),
        ("site.vertebral_level in [\"T1\"]", "site.vertebral_level", "`in`"),
        ("[true][0]", "[true]", "indexing"),
        ("sites[0].lytic_lesion", "sites", "one dot"),
        ("patient[\"opioid_use\"]", "patient", "indexing"),
        ("[patient.opioid_use]", "[", "list literals"),
        ("{\"a\": true}", "{", "maps"),
        ("size(sites) > 0", "size", "size() counts"),
        ("sites.size() > 0", "sites", "size() counts"),
        ("site.vertebral_level.matches(\"T.*\")", "site.vertebral_level", "refused"),
        ("string(patient.age_years) == \"3\"", "string", "conversion"),
        ("double(\"x\") > 1.0", "double", "conversion"),
        ("patient.opioid_use.deeper", "patient.opioid_use.deeper", "one dot"),
        ("patient", "patient", "alone is not a condition"),
        ("sites.lytic_lesion", "sites", "sites is a list"),
        ("sites.exists(x, x.lytic_lesion)", "x.lytic_lesion", "x.listed &&"),
        ("sites.exists(x, x.lytic_lesion && x.listed)", "x.lytic_lesion &&", "x.listed &&"),
        ("sites.exists(x, x.listed || x.lytic_lesion)", "x.listed ||", "x.listed &&"),
        ("sites.exists(x, !x.listed && x.lytic_lesion)", "!x.listed", "x.listed &&"),
        ("sites.exists(x, x.listed)", "x.listed)", "x.listed &&"),
        ("sites.all(x, x.listed && x.lytic_lesion)", "x.listed &&", "!x.listed ||"),
        ("sites.all(x, x.lytic_lesion)", "x.lytic_lesion", "!x.listed ||"),
        ("sites.all(x, !x.listed)", "!x.listed", "!x.listed ||"),
        ("sites.exists_one(x, x.listed && x.lytic_lesion)", "sites", "exists_one"),
        ("sites.filter(x, x.listed) == []", "sites", "map and filter"),
        ("sites.map(x, x.lytic_lesion)", "sites", "map and filter"),
        ("patient.exists(x, x.listed && true)", "patient", "only list is sites"),
        ("sites.exists(lytic, lytic.listed && true)", "sites", "cannot name"),
        ("sites.exists(x, y.listed && true)", "y.listed", "y is not known"),
        ("x.listed && true", "x.listed", "x is not known"),
        ("site.listed && true", "site.listed", "not a known key"),
        ("painful == true", "painful", "only a key"),
        ("(patient.opioid_use ? 1 : 2) > 1", "patient.opioid_use", "join conditions"),
        ("painful > 1", "painful", "only a key"),
        ("site.status != \"absent\"", "site.status", "not a known key"),
        ("b'x' == site.vertebral_level", "b'x'", "kind of literal"),
        (
            "timestamp(\"2020-01-01T00:00:00Z\") < timestamp(\"2021-01-01T00:00:00Z\")",
            "timestamp",
            "conversion",
        ),
        ("painful &&", "", "mismatched input"),
        ("painful painful", "painful", "extraneous input 'painful'"),
        ("", "", "mismatched input"),
        ("site.`lytic`", ".`lytic`", "write keys plainly"),
    ] {
        let refusal = match check(condition, Place::SiteRuleOrTerm, &terms()) {
            Err(refusal) => refusal,
            Ok(_) => panic!("{condition} was accepted"),
        };
        let text = format!("{} {}", refusal.message, refusal.hint);
        assert!(refusal.offset <= condition.len());
        let here = condition[refusal.offset..].starts_with(at);
        if !text.contains(says) || !here {
            wrong.push(format!("{condition}: {refusal:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn conditions_that_keep_unknown_unknown_pass() {
    for condition in [
        "true",
        "painful && !lytic",
        "patient.pain_score_0_10_min <= patient.pain_score_0_10_max",
        "3.5 < patient.age_years || patient.days_to_blood_count_nadir > -5",
        "site.vertebral_level == \"T4\" || site.vertebral_level != 'S5'",
        "patient.opioid_use ? lytic : !lytic",
        "sites.exists(x, x.listed && (x.lytic_lesion || painful))",
        "sites.all(x, !x.listed || x.lytic_lesion || x.sclerotic_lesion)",
        "sites.exists(x, x.listed && sites.exists(y, y.listed && x.lytic_lesion && y.sclerotic_lesion))",
        "sites.exists(site, site.listed && lytic)",
    ] {
        let checked = check(condition, Place::SiteRuleOrTerm, &terms()).unwrap();
        // What it is printed as is the same condition.
        let again = check(&checked.node.to_cel(), Place::SiteRuleOrTerm, &Terms::new()).unwrap();
        assert_eq!(checked.node, again.node, "{condition}");
    }
}

#[test]
fn a_rule_about_the_patient_has_no_site() {
    let refusal = check("site.lytic_lesion", Place::PatientRule, &terms()).unwrap_err();
    assert!(refusal.message.contains("about the patient"));
    assert!(check("lytic", Place::PatientRule, &terms()).is_err());
    assert!(
        check("sites.exists(site, site.listed && lytic)", Place::PatientRule, &terms()).is_ok()
    );
    assert!(check("sites.exists(x, x.listed && lytic)", Place::PatientRule, &terms()).is_err());
}

#[test]
fn conditions_without_bound_are_refused() {
    let long = "painful && ".repeat(1000) + "painful";
    assert!(check(&long, Place::PatientRule, &terms()).unwrap_err().message.contains("bytes"));
    let grown = Terms::from([(
        "many".to_owned(),
        check(&format!("{}true", "true && ".repeat(200)), Place::PatientRule, &Terms::new())
            .unwrap(),
    )]);
    let refusal = check("many && many", Place::PatientRule, &grown).unwrap_err();
    assert!(refusal.message.contains("parts"), "{refusal:?}");
    let deep = format!("{}true{}", "(".repeat(300), ")".repeat(300));
    assert!(check(&deep, Place::PatientRule, &Terms::new()).is_err());
}
