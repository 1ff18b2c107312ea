//! The rulebook: named terms and rules as TOML, checked as a whole before any is used.
//!
//! The order of the file decides nothing. What stands against what is written in the rules
//! themselves (`withheld_by`, `hidden_until_ruled_out`), what comes first is the table of
//! [`Outcome::precedence`].

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::Deserialize;
use strum::{Display, EnumString, VariantArray, VariantNames};
use toml::Spanned;

use super::checker::{self, Place, Refusal, Terms};
use super::condition::{Condition, KeyPath, Node};
use super::input::{Scope, nearest};
use super::outcome::{Family, Outcome};
use super::rule_test::{Given, RuleTest};
use super::toml_place::{FilePlace, byte_in_string, place_of};

/// The rulebook that is built in.
pub const BUILTIN: &str = include_str!("../../rules/default.toml");

/// Name of the built-in rulebook's file, for messages.
pub const BUILTIN_NAME: &str = "rules/default.toml";

/// Why a rulebook was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, {place}: {message}")]
pub struct RulebookError {
    /// The file, as it was named by the caller.
    pub file: String,
    /// Where.
    pub place: FilePlace,
    /// What was found.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

impl RulebookError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        (!self.hint.is_empty()).then_some(&self.hint)
    }
}

/// Beside what an outcome may be shown.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Deserialize, Display, EnumString, VariantArray, VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Stands {
    /// By itself.
    Alone,
    /// Only beside an option (a candidate that is proposed or provisional) of the same subject;
    /// for the patient, beside an option of any site.
    BesideOption,
    /// By itself where it is met; where it is unknown, only beside an option.
    BesideOptionWhileUnknown,
}

/// A named part of conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub condition: Condition,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// What it says.
    pub outcome: Outcome,
    /// Of the patient or of each site.
    pub subject: Scope,
    /// When.
    pub when: Condition,
    /// `when`, and none of the rules that withhold it: what the value of the outcome is.
    pub effective: Condition,
    /// Whether it is shown while its own condition is unknown.
    pub shown_while_unknown: bool,
    /// Shown while unknown only if this holds.
    pub unknown_only_if: Option<Condition>,
    /// While unknown and this holds, it is printed only as the request for what is missing.
    pub as_request_if: Option<Condition>,
    /// A referral or exclusion that nothing withholds; it stands first.
    pub hard: bool,
    /// Rules that withhold it where they are met, and leave it provisional while unknown.
    pub withheld_by: Vec<String>,
    /// Those of `withheld_by` for which it is printed only as a request while they are unknown.
    pub hidden_until_ruled_out: Vec<String>,
    /// As a rule that hides others while unknown: it does so only if this holds.
    pub hides_if: Option<Condition>,
    /// Beside what it may be shown.
    pub stands: Stands,
    /// A sentence for people. `{site}` and `{side}` are filled in.
    pub sentence: String,
    /// Ids of the facts it rests on.
    pub sources: Vec<String>,
    /// What the sources do not say and was decided here.
    pub note: Option<String>,
    /// Its tests.
    pub tests: Vec<RuleTest>,
}

/// A checked rulebook.
#[derive(Clone, Debug, PartialEq)]
pub struct Rulebook {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Printed with every verdict.
    pub disclaimer: String,
    /// Named parts of conditions, by name.
    pub terms: BTreeMap<String, Term>,
    /// Rules, by precedence, outcome and id.
    pub rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRulebook {
    rulebook: RawHead,
    #[serde(default)]
    terms: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    given: BTreeMap<String, Spanned<toml::Table>>,
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    name: String,
    version: String,
    disclaimer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: Spanned<String>,
    outcome: Spanned<String>,
    subject: Spanned<String>,
    when: Spanned<String>,
    show_when: Option<Spanned<Vec<String>>>,
    unknown_only_if: Option<Spanned<String>>,
    as_request_if: Option<Spanned<String>>,
    #[serde(default)]
    hard: bool,
    #[serde(default)]
    withheld_by: Vec<Spanned<String>>,
    #[serde(default)]
    hidden_until_ruled_out: Vec<Spanned<String>>,
    hides_if: Option<Spanned<String>>,
    stands: Option<Spanned<String>>,
    sentence: Spanned<String>,
    sources: Spanned<Vec<String>>,
    note: Option<String>,
    #[serde(default)]
    test: Vec<RawTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    #[serde(default)]
    from: Option<Spanned<String>>,
    given: Option<Spanned<toml::Table>>,
    #[serde(default)]
    without: Vec<Spanned<String>>,
    expect: Spanned<String>,
    missing: Option<Vec<String>>,
}

impl Rulebook {
    /// Reads and checks a rulebook. `name` is the file's name for messages.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong: TOML, an unknown word, a condition that the checker
    /// refuses, a rule that withholds in a circle, a test that names an unknown key.
    pub fn parse(text: &str, name: &str) -> Result<Self, RulebookError> {
        let reader = Reader { text, name };
        let raw: RawRulebook = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            reader.error(at, error.message().to_owned(), "")
        })?;
        let terms = reader.terms(&raw.terms)?;
        let given = reader.givens(&raw.given)?;
        let mut rules = Vec::new();
        for rule in &raw.rule {
            rules.push(reader.rule(rule, &terms, &given)?);
        }
        reader.unique_ids(&raw.rule)?;
        let rules = reader.with_guards(rules, &raw.rule)?;
        reader.deficit_comes_first(&rules, &raw.rule)?;
        let terms = terms
            .into_iter()
            .map(|(name, condition)| (name.clone(), Term { name, condition }))
            .collect();
        let mut book = Self {
            name: raw.rulebook.name,
            version: raw.rulebook.version,
            disclaimer: raw.rulebook.disclaimer,
            terms,
            rules,
        };
        book.rules.sort_by(|a, b| {
            let rank = |rule: &Rule| (rule.outcome.precedence(rule.hard), rule.outcome);
            rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id))
        });
        Ok(book)
    }

    /// The rulebook that is built in.
    ///
    /// # Errors
    ///
    /// None in a released build: a unit test parses it.
    pub fn builtin() -> Result<Self, RulebookError> {
        Self::parse(BUILTIN, BUILTIN_NAME)
    }

    /// The rule of that id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Name and version in one, as a verdict carries it.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

struct Reader<'a> {
    text: &'a str,
    name: &'a str,
}

impl Reader<'_> {
    fn error(
        &self,
        byte: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> RulebookError {
        RulebookError {
            file: self.name.to_owned(),
            place: place_of(self.text, byte),
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn at<T>(
        &self,
        value: &Spanned<T>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> RulebookError {
        self.error(value.span().start, message, hint)
    }

    fn refusal(&self, value: &Spanned<String>, what: &str, refusal: Refusal) -> RulebookError {
        let byte = byte_in_string(self.text, value.span(), refusal.offset);
        self.error(byte, format!("{what}: {}", refusal.message), refusal.hint)
    }

    fn word<T: FromStr + VariantNames>(
        &self,
        value: &Spanned<String>,
        what: &str,
    ) -> Result<T, RulebookError> {
        T::from_str(value.get_ref()).map_err(|_| {
            let known = T::VARIANTS;
            let hint = match nearest(value.get_ref(), known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known: {}", known.join(", ")),
            };
            self.at(value, format!("{} is not a known {what}", value.get_ref()), hint)
        })
    }

    /// Terms may use each other; the order of the file does not matter, circles are refused.
    fn terms(
        &self,
        raw: &BTreeMap<Spanned<String>, Spanned<String>>,
    ) -> Result<Terms, RulebookError> {
        let mut done = Terms::new();
        let mut waiting: BTreeMap<&str, (&Spanned<String>, &Spanned<String>)> =
            raw.iter().map(|(name, when)| (name.get_ref().as_str(), (name, when))).collect();
        for (name, (place, _)) in &waiting {
            let plain =
                name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                    && name.starts_with(|c: char| c.is_ascii_lowercase());
            if !plain
                || matches!(*name, "patient" | "site" | "sites" | "true" | "false" | "null" | "in")
            {
                return Err(self.at(
                    place,
                    format!("{name} cannot name a term"),
                    "use snake_case, and no word of the language",
                ));
            }
        }
        while !waiting.is_empty() {
            let ready: Vec<&str> = waiting
                .iter()
                .filter(|(_, (_, when))| {
                    !words_of(when.get_ref()).any(|word| waiting.contains_key(word))
                })
                .map(|(name, _)| *name)
                .collect();
            if ready.is_empty()
                && let Some((name, (place, _))) = waiting.iter().next()
            {
                return Err(self.at(
                    place,
                    format!("the term {name} uses itself, or terms that use it"),
                    "break the circle",
                ));
            }
            for name in ready {
                if let Some((_, when)) = waiting.remove(name) {
                    let condition = checker::check(when.get_ref(), Place::SiteRuleOrTerm, &done)
                        .map_err(|refusal| self.refusal(when, &format!("term {name}"), refusal))?;
                    done.insert(name.to_owned(), condition);
                }
            }
        }
        Ok(done)
    }

    fn givens(
        &self,
        raw: &BTreeMap<String, Spanned<toml::Table>>,
    ) -> Result<BTreeMap<String, Given>, RulebookError> {
        raw.iter().map(|(name, table)| Ok((name.clone(), self.given(table)?))).collect()
    }

    fn given(&self, table: &Spanned<toml::Table>) -> Result<Given, RulebookError> {
        Given::from_table(table.get_ref()).map_err(|message| self.at(table, message, ""))
    }

    fn rule(
        &self,
        raw: &RawRule,
        terms: &Terms,
        givens: &BTreeMap<String, Given>,
    ) -> Result<Rule, RulebookError> {
        let id = raw.id.get_ref();
        let outcome = Outcome::from_str(raw.outcome.get_ref()).map_err(|_| {
            let known: Vec<String> = Outcome::VARIANTS.iter().map(ToString::to_string).collect();
            let hint = nearest(raw.outcome.get_ref(), known.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("did you mean {near}?"));
            self.at(&raw.outcome, format!("{} is not a known outcome", raw.outcome.get_ref()), hint)
        })?;
        let subject: Scope = Scope::from_str(raw.subject.get_ref()).map_err(|_| {
            self.at(
                &raw.subject,
                format!("{} is no subject", raw.subject.get_ref()),
                "write patient or site",
            )
        })?;
        let place = match subject {
            Scope::Patient => Place::PatientRule,
            Scope::Site => Place::SiteRuleOrTerm,
        };
        let condition = |text: &Spanned<String>| {
            checker::check(text.get_ref(), place, terms)
                .map_err(|refusal| self.refusal(text, &format!("rule {id}"), refusal))
        };
        let optional = |text: &Option<Spanned<String>>| text.as_ref().map(condition).transpose();
        let when = condition(&raw.when)?;
        let shown_while_unknown = match &raw.show_when {
            None => false,
            Some(words) => match words.get_ref().iter().map(String::as_str).collect::<Vec<_>>()[..]
            {
                ["met"] => false,
                ["met", "unknown"] => true,
                _ => {
                    return Err(self.at(
                        words,
                        "show_when is neither of the two allowed lists",
                        "write [\"met\"] or [\"met\", \"unknown\"]",
                    ));
                }
            },
        };
        let family = outcome.family();
        let stands = match &raw.stands {
            Some(word) => self.word(word, "value of stands")?,
            None => match family {
                Family::Planning | Family::FollowUp => Stands::BesideOption,
                Family::Caution => Stands::BesideOptionWhileUnknown,
                _ => Stands::Alone,
            },
        };
        if raw.hard && !matches!(family, Family::Exclusion | Family::Routing) {
            return Err(self.at(
                &raw.id,
                format!("rule {id}: only exclusions and referrals can be hard"),
                "remove hard",
            ));
        }
        if raw.hard && !(raw.withheld_by.is_empty() && raw.hidden_until_ruled_out.is_empty()) {
            return Err(self.at(
                &raw.id,
                format!("rule {id} is hard: nothing can withhold it"),
                "remove withheld_by",
            ));
        }
        for placeholder in placeholders(raw.sentence.get_ref()) {
            if !matches!(placeholder, "site" | "side") || subject == Scope::Patient {
                return Err(self.at(
                    &raw.sentence,
                    format!("rule {id}: {{{placeholder}}} cannot be filled in"),
                    "a rule about a site knows {site} and {side}",
                ));
            }
        }
        if raw.sources.get_ref().is_empty() {
            return Err(self.at(
                &raw.sources,
                format!("rule {id} rests on no fact"),
                "name at least one, as F006",
            ));
        }
        for source in raw.sources.get_ref() {
            let digits = source.strip_prefix('F').or_else(|| source.strip_prefix('A'));
            if !digits.is_some_and(|digits| {
                !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
            }) {
                return Err(self.at(
                    &raw.sources,
                    format!("rule {id}: {source} is no fact id"),
                    "write F and three digits, or A and a number for a resolved ambiguity",
                ));
            }
        }
        let mut tests = Vec::new();
        for test in &raw.test {
            tests.push(self.test(test, givens)?);
        }
        let hidden: Vec<String> =
            raw.hidden_until_ruled_out.iter().map(|id| id.get_ref().clone()).collect();
        let withheld_by: BTreeSet<String> =
            raw.withheld_by.iter().map(|id| id.get_ref().clone()).chain(hidden.clone()).collect();
        Ok(Rule {
            id: id.clone(),
            outcome,
            subject,
            effective: when.clone(),
            when,
            shown_while_unknown,
            unknown_only_if: optional(&raw.unknown_only_if)?,
            as_request_if: optional(&raw.as_request_if)?,
            hard: raw.hard,
            withheld_by: withheld_by.into_iter().collect(),
            hidden_until_ruled_out: hidden,
            hides_if: optional(&raw.hides_if)?,
            stands,
            sentence: raw.sentence.get_ref().split_whitespace().collect::<Vec<_>>().join(" "),
            sources: raw.sources.get_ref().clone(),
            note: raw.note.clone(),
            tests,
        })
    }

    fn test(
        &self,
        raw: &RawTest,
        givens: &BTreeMap<String, Given>,
    ) -> Result<RuleTest, RulebookError> {
        let mut given = match &raw.from {
            None => Given::default(),
            Some(name) => givens.get(name.get_ref()).cloned().ok_or_else(|| {
                let hint = nearest(name.get_ref(), givens.keys().map(String::as_str))
                    .map_or_else(String::new, |near| format!("did you mean {near}?"));
                self.at(name, format!("there is no [given.{}]", name.get_ref()), hint)
            })?,
        };
        if let Some(table) = &raw.given {
            given.add(self.given(table)?);
        }
        for path in &raw.without {
            if !given.remove(path.get_ref()) {
                return Err(self.at(
                    path,
                    format!("{} was not given", path.get_ref()),
                    "name a key of the test, as patient.neurologic_deficit",
                ));
            }
        }
        let expect = match raw.expect.get_ref().as_str() {
            "met" => super::verdict::Value::Met,
            "not_met" => super::verdict::Value::NotMet,
            "unknown" => super::verdict::Value::Unknown,
            other => {
                return Err(self.at(
                    &raw.expect,
                    format!("{other} is no value"),
                    "write met, not_met or unknown",
                ));
            }
        };
        let line = place_of(self.text, raw.expect.span().start).line;
        let missing = raw.missing.as_ref().map(|paths| paths.iter().cloned().collect());
        Ok(RuleTest { given, expect, missing, line })
    }

    fn unique_ids(&self, raw: &[RawRule]) -> Result<(), RulebookError> {
        let mut seen = BTreeSet::new();
        for rule in raw {
            if !seen.insert(rule.id.get_ref()) {
                return Err(self.at(
                    &rule.id,
                    format!("a second rule is called {}", rule.id.get_ref()),
                    "give each rule a name of its own",
                ));
            }
        }
        Ok(())
    }

    /// Puts the rules that withhold each rule into its effective condition.
    fn with_guards(
        &self,
        mut rules: Vec<Rule>,
        raw: &[RawRule],
    ) -> Result<Vec<Rule>, RulebookError> {
        let by_id: BTreeMap<String, Rule> =
            rules.iter().map(|rule| (rule.id.clone(), rule.clone())).collect();
        for (rule, raw) in rules.iter_mut().zip(raw) {
            for named in raw.withheld_by.iter().chain(&raw.hidden_until_ruled_out) {
                let Some(guard) = by_id.get(named.get_ref()) else {
                    let hint = nearest(named.get_ref(), by_id.keys().map(String::as_str))
                        .map_or_else(String::new, |near| format!("did you mean {near}?"));
                    return Err(self.at(
                        named,
                        format!("there is no rule {}", named.get_ref()),
                        hint,
                    ));
                };
                if guard.subject == Scope::Site && rule.subject == Scope::Patient {
                    return Err(self.at(
                        named,
                        format!(
                            "{} is about a site and cannot withhold a rule about the patient",
                            guard.id
                        ),
                        "",
                    ));
                }
                // One step only: what withholds is itself withheld by nothing, so no circles and
                // no chains whose end nobody sees.
                if !guard.withheld_by.is_empty() {
                    return Err(self.at(
                        named,
                        format!("{} is itself withheld by others and cannot withhold", guard.id),
                        "",
                    ));
                }
            }
            let guards: Vec<&Condition> = rule
                .withheld_by
                .iter()
                .filter_map(|id| by_id.get(id))
                .map(|guard| &guard.when)
                .collect();
            rule.effective = checker::guarded(&rule.when, &guards);
        }
        Ok(rules)
    }
}

impl Reader<'_> {
    /// A neurologic deficit cannot be overruled, by no rulebook: where there are options, each is
    /// hidden until a deficit is ruled out, and the deficit is answered by an exclusion and both
    /// referrals.
    fn deficit_comes_first(&self, rules: &[Rule], raw: &[RawRule]) -> Result<(), RulebookError> {
        let deficit = Node::Key(KeyPath { variable: None, key: "neurologic_deficit".to_owned() });
        let answers = |rule: &Rule, outcome: Outcome| {
            rule.outcome == outcome
                && rule.hard
                && rule.subject == Scope::Patient
                && rule.when.node == deficit
                && rule.hides_if.is_none()
        };
        for (rule, raw) in rules.iter().zip(raw) {
            if rule.outcome.family() != Family::Candidate {
                continue;
            }
            for needed in [
                Outcome::ExcludeAblationAlone,
                Outcome::ReferSurgery,
                Outcome::ReferRadiationOncology,
            ] {
                if !rules.iter().any(|rule| answers(rule, needed)) {
                    return Err(self.at(
                        &raw.id,
                        format!("{} is an option, and no hard rule says {needed} when patient.neurologic_deficit", rule.id),
                        "a neurologic deficit must be answered before any option; see the built-in rules",
                    ));
                }
            }
            let hidden = rules.iter().any(|guard| {
                answers(guard, Outcome::ExcludeAblationAlone)
                    && rule.hidden_until_ruled_out.contains(&guard.id)
            });
            if !hidden {
                return Err(self.at(
                    &raw.id,
                    format!("{} is an option and would be shown with a neurologic deficit not ruled out", rule.id),
                    "add the rule that excludes on patient.neurologic_deficit to hidden_until_ruled_out",
                ));
            }
        }
        Ok(())
    }
}

/// Identifiers that stand in a condition outside quotes, roughly: enough to order terms by what
/// they use.
fn words_of(condition: &str) -> impl Iterator<Item = &str> {
    let mut quote = None;
    condition
        .split(move |c: char| {
            if let Some(open) = quote {
                if c == open {
                    quote = None;
                }
                return true;
            }
            if matches!(c, '"' | '\'') {
                quote = Some(c);
            }
            !(c.is_ascii_alphanumeric() || c == '_' || c == '.')
        })
        .filter(|word| !word.is_empty())
}

/// Names in braces.
fn placeholders(sentence: &str) -> impl Iterator<Item = &str> {
    sentence.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest))
}

#[cfg(test)]
#[path = "rulebook_tests.rs"]
mod tests;
