//! Tests that stand beside their rules: what is given, what the condition must say.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::fits;
use super::evaluate::{EvaluationError, Subject};
use super::input::{KeyType, Scope, key, keys, nearest};
use super::rulebook::{Rule, Rulebook};
use super::verdict::Value;
use super::view::{Datum, Known, SiteView, View};

/// What a test gives: keys of the view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Keys of the patient.
    pub patient: BTreeMap<String, Datum>,
    /// Keys of the subject of a site rule.
    pub site: BTreeMap<String, Datum>,
    /// The listed sites, for `exists` and `all`.
    pub sites: Vec<BTreeMap<String, Datum>>,
    /// Whether the list of sites is complete.
    pub sites_complete: bool,
}

/// One test of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTest {
    /// What is given.
    pub given: Given,
    /// The value that the condition, with what withholds it, must have.
    pub expect: Value,
    /// The paths that must be missing, all of them, where the test says so.
    pub missing: Option<BTreeSet<String>>,
    /// Its line in the file.
    pub line: usize,
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTestResult {
    /// The rule.
    pub rule: String,
    /// The test's line in the file.
    pub line: usize,
    /// What was expected.
    pub expected: Value,
    /// What the condition said.
    pub found: Value,
    /// Missing paths that were expected, where the test says so.
    pub missing_expected: Option<BTreeSet<String>>,
    /// Missing paths that were found.
    pub missing_found: BTreeSet<String>,
}

impl RuleTestResult {
    /// Whether the test passed.
    pub fn passed(&self) -> bool {
        self.expected == self.found
            && self.missing_expected.as_ref().is_none_or(|expected| *expected == self.missing_found)
    }
}

impl Given {
    /// Reads the table of a test: `patient`, `site`, `sites`, `sites_complete`.
    ///
    /// # Errors
    ///
    /// A sentence, where a key is unknown or a value has the wrong type.
    pub fn from_table(table: &toml::Table) -> Result<Self, String> {
        let mut given = Self::default();
        for (name, value) in table {
            match (name.as_str(), value) {
                ("patient", toml::Value::Table(table)) => {
                    given.patient = data(Scope::Patient, table)?;
                }
                ("site", toml::Value::Table(table)) => given.site = data(Scope::Site, table)?,
                ("sites", toml::Value::Array(list)) => {
                    for site in list {
                        let table = site.as_table().ok_or("each of sites is a table")?;
                        given.sites.push(data(Scope::Site, table)?);
                    }
                }
                ("sites_complete", toml::Value::Boolean(complete)) => {
                    given.sites_complete = *complete;
                }
                _ => {
                    return Err(format!(
                        "{name} is not known here; a test gives patient, site, sites and sites_complete"
                    ));
                }
            }
        }
        Ok(given)
    }

    /// Adds what another one gives; its values win.
    pub fn add(&mut self, other: Self) {
        self.patient.extend(other.patient);
        self.site.extend(other.site);
        self.sites.extend(other.sites);
        self.sites_complete |= other.sites_complete;
    }

    /// Takes a key away, named as `patient.x` or `site.x`; says whether it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        match path.split_once('.') {
            Some(("patient", name)) => self.patient.remove(name).is_some(),
            Some(("site", name)) => self.site.remove(name).is_some(),
            _ => false,
        }
    }

    /// The view that it makes, and its subject site.
    pub fn view(&self) -> (View, SiteView) {
        let known = |data: &BTreeMap<String, Datum>| {
            data.iter()
                .map(|(name, datum)| {
                    (name.clone(), Known { value: datum.clone(), source: "test".to_owned() })
                })
                .collect()
        };
        let site =
            |id: String, data| SiteView { label: id.clone(), id, side: None, keys: known(data) };
        let sites = self
            .sites
            .iter()
            .enumerate()
            .map(|(index, data)| site(format!("s{}", index + 1), data))
            .collect();
        let view = View {
            patient: known(&self.patient),
            sites,
            sites_complete: self.sites_complete,
            notes: Vec::new(),
        };
        (view, site("site".to_owned(), &self.site))
    }
}

fn data(scope: Scope, table: &toml::Table) -> Result<BTreeMap<String, Datum>, String> {
    let mut data = BTreeMap::new();
    for (name, value) in table {
        let Some(key) = key(scope, name) else {
            let near = nearest(name, keys(scope).keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            return Err(format!("{scope}.{name} is not a known key{hint}"));
        };
        let datum = match (key.kind, value) {
            (KeyType::Boolean, toml::Value::Boolean(truth)) => Datum::Boolean(*truth),
            (KeyType::Number(_), toml::Value::Integer(number)) => Datum::Number(*number as f64),
            (KeyType::Number(_), toml::Value::Float(number)) => Datum::Number(*number),
            (KeyType::Word(_), toml::Value::String(word)) => Datum::Word(word.clone()),
            (kind, other) => {
                return Err(format!("{scope}.{name} is a {}, not {other}", kind.words()));
            }
        };
        if !fits(key.kind, &datum) {
            return Err(format!("{scope}.{name} = {value} is not a {}", key.kind.words()));
        }
        data.insert(name.clone(), datum);
    }
    Ok(data)
}

/// Runs one test of a rule.
///
/// # Errors
///
/// Only a bug: see [`EvaluationError`].
pub fn run_rule_test(rule: &Rule, test: &RuleTest) -> Result<RuleTestResult, EvaluationError> {
    let (view, site) = test.given.view();
    let site = (rule.subject == Scope::Site).then_some(&site);
    let reading = Subject::new(&view, site).ask(&rule.effective, &rule.id)?;
    Ok(RuleTestResult {
        rule: rule.id.clone(),
        line: test.line,
        expected: test.expect,
        found: reading.value,
        missing_expected: test.missing.clone(),
        missing_found: reading.missing,
    })
}

/// Runs every test of a rulebook, in the order of its rules.
///
/// # Errors
///
/// Only a bug: see [`EvaluationError`].
pub fn run_rule_tests(rulebook: &Rulebook) -> Result<Vec<RuleTestResult>, EvaluationError> {
    rulebook
        .rules
        .iter()
        .flat_map(|rule| rule.tests.iter().map(move |test| run_rule_test(rule, test)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_the_builtin_rulebook_passes() {
        let rulebook = Rulebook::builtin().unwrap();
        let results = run_rule_tests(&rulebook).unwrap();
        assert!(results.len() > 150, "only {} tests ran", results.len());
        let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn every_builtin_rule_is_tested_for_each_value_that_it_can_have() {
        // What cannot have a value says so in its note.
        let cannot = [
            ("fracture-cause-not-known", Value::Met),
            ("therapy-timing", Value::NotMet),
            ("features-at-site", Value::NotMet),
            ("prognosis", Value::NotMet),
        ];
        let rulebook = Rulebook::builtin().unwrap();
        let mut conditions = 0;
        for rule in &rulebook.rules {
            if rule.when.node.keys().is_empty() {
                continue;
            }
            conditions += 1;
            for value in [Value::Met, Value::NotMet, Value::Unknown] {
                let tested = rule.tests.iter().any(|test| test.expect == value);
                let exempt = cannot.contains(&(rule.id.as_str(), value));
                assert!(
                    tested != exempt,
                    "{} has no test for {value:?}, or needs no exemption",
                    rule.id
                );
                assert!(!exempt || rule.note.is_some(), "{} says nothing of its limits", rule.id);
            }
        }
        assert!(conditions >= 35, "{conditions} rules with a condition");
    }
}
