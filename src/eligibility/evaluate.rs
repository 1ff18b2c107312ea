//! From a view to a verdict: the value of every rule for the patient and for each site, then what
//! is shown of it.
//!
//! Values follow Kleene's logic and can only be added to: one more input never turns met or not
//! met into anything else. What is shown is a second step and may change with an input.
//!
//! A site rule is also asked about the site that nobody has listed (`unlisted`), unless the
//! context says that the list is complete; of it only what holds whatever the site is shown.

use cel::{Context, ExecutionError};

use super::condition::{Condition, Reading, read};
use super::context::{ClinicalContext, StudyMatch};
use super::input::Scope;
use super::outcome::{Family, Outcome};
use super::requests::{derived_requests, missing_inputs};
use super::rulebook::{Rule, Rulebook, Stands};
use super::verdict::{OutcomeRecord, SCHEMA, Shown, Value, Verdict};
use super::view::{self, Datum, KnownKeys, SiteView, View, ViewError};
use crate::findings::schema::Findings;

/// Subject of a site rule for a site that nobody has listed.
pub const UNLISTED: &str = "unlisted";

/// Subject of a rule about the patient.
pub const PATIENT: &str = "patient";

/// Why a study could not be assessed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The clinical context belongs to another study: usage.
    #[error("the clinical context names another study than {study}")]
    ContextOfAnotherStudy {
        /// The study of the findings.
        study: String,
    },
    /// Findings and context do not fit together: usage.
    #[error(transparent)]
    View(#[from] ViewError),
    /// CEL met an error that is no unknown: a bug, the checker should have refused the condition.
    #[error("rule {rule}: CEL ended with an error that is no unknown: {error}")]
    Cel {
        /// The rule.
        rule: String,
        /// What CEL said.
        error: String,
    },
    /// The two evaluations of a condition differ: a bug.
    #[error("rule {rule}: CEL says {cel:?}, the walk over the condition says {walk:?}")]
    Disagreement {
        /// The rule.
        rule: String,
        /// Value by CEL.
        cel: Value,
        /// Value by the walk.
        walk: Value,
    },
}

impl EvaluationError {
    /// Whether it is a mistake of the user, as opposed to a bug.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::ContextOfAnotherStudy { .. } | Self::View(_))
    }
}

/// Value of one rule for one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleValue<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// `patient`, a site id, or `unlisted`.
    pub subject: String,
    /// What its own condition says.
    pub own: Reading,
    /// What its condition says together with the rules that withhold it.
    pub effective: Reading,
    /// Rules that withhold it and are met.
    pub withheld_by: Vec<&'a Rule>,
    /// Where it would be shown while unknown.
    unknown: WhileUnknown,
    /// Place of the subject among the subjects.
    order: usize,
    /// What the sentence calls the site.
    label: String,
    side: String,
}

/// What becomes of a rule whose value is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhileUnknown {
    NotShown,
    OnlyAsRequest,
    Provisional,
}

/// Applies a rulebook to the findings of a study and what is known of the patient.
///
/// # Errors
///
/// Where the context belongs to another study or does not fit the findings (usage), or where an
/// evaluation shows a bug.
pub fn assess(
    findings: &Findings,
    context: Option<&ClinicalContext>,
    rulebook: &Rulebook,
) -> Result<Verdict, EvaluationError> {
    if let Some(context) = context {
        let study = &findings.study;
        let uid = study.study_instance_uid.as_deref();
        if context.matches_study(&study.id, uid, None) == StudyMatch::AnotherStudy {
            return Err(EvaluationError::ContextOfAnotherStudy { study: study.id.clone() });
        }
    }
    let view = view::build(findings, context)?;
    let values = evaluate_rules(rulebook, &view)?;
    let (outcomes, only_as_request) = shown(&values, &view);
    let missing = missing_inputs(&values);
    Ok(Verdict {
        schema: SCHEMA.to_owned(),
        study: findings.study.id.clone(),
        rulebook: rulebook.title(),
        context_given: context.is_some(),
        outcomes,
        only_as_request,
        missing,
        notes: view.notes.clone(),
        disclaimer: rulebook.disclaimer.clone(),
    })
}

/// Every rule for every subject, whatever is shown of it, in the order of the rulebook.
///
/// # Errors
///
/// Only bugs.
pub fn evaluate_rules<'a>(
    rulebook: &'a Rulebook,
    view: &View,
) -> Result<Vec<RuleValue<'a>>, EvaluationError> {
    let unlisted = (!view.sites_complete).then_some(None);
    let patient = Subject::new(view, None);
    let sites: Vec<Subject<'_>> =
        view.sites.iter().map(Some).chain(unlisted).map(|site| Subject::new(view, site)).collect();
    let mut values = Vec::new();
    for rule in &rulebook.rules {
        match rule.subject {
            Scope::Patient => values.push(rule_value(rulebook, rule, &patient, 0)?),
            Scope::Site => {
                for (index, site) in sites.iter().enumerate() {
                    values.push(rule_value(rulebook, rule, site, index + 1)?);
                }
            }
        }
    }
    Ok(values)
}

fn rule_value<'a>(
    rulebook: &'a Rulebook,
    rule: &'a Rule,
    subject: &Subject<'_>,
    order: usize,
) -> Result<RuleValue<'a>, EvaluationError> {
    let site = subject.site;
    let ask = |condition: &Condition| subject.ask(condition, &rule.id);
    let holds = |condition: &Option<Condition>, otherwise: bool| match condition {
        Some(condition) => ask(condition).map(|reading| reading.value == Value::Met),
        None => Ok(otherwise),
    };
    let own = ask(&rule.when)?;
    let effective = ask(&rule.effective)?;
    let mut withheld_by = Vec::new();
    let mut hidden = holds(&rule.as_request_if, false)?;
    for guard in rule.withheld_by.iter().filter_map(|id| rulebook.rule(id)) {
        match ask(&guard.when)?.value {
            Value::Met => withheld_by.push(guard),
            Value::Unknown if rule.hidden_until_ruled_out.contains(&guard.id) => {
                hidden |= holds(&guard.hides_if, true)?;
            }
            Value::Unknown | Value::NotMet => {}
        }
    }
    withheld_by.sort_by_key(|guard| (guard.outcome.precedence(guard.hard), guard.outcome));
    let own_unknown_shown = match own.value {
        Value::Unknown => {
            let hinges_on_the_unlisted = own.missing.contains("sites_complete")
                && !own.missing.iter().any(|path| path.starts_with("sites["));
            match &rule.unknown_only_if {
                Some(_) => rule.shown_while_unknown && holds(&rule.unknown_only_if, false)?,
                None => rule.shown_while_unknown && !hinges_on_the_unlisted,
            }
        }
        Value::Met | Value::NotMet => true,
    };
    let unknown = if hidden && (own_unknown_shown || rule.as_request_if.is_some()) {
        WhileUnknown::OnlyAsRequest
    } else if own_unknown_shown {
        WhileUnknown::Provisional
    } else {
        WhileUnknown::NotShown
    };
    let (subject, label, side) = match (rule.subject, site) {
        (Scope::Patient, _) => (PATIENT.to_owned(), "the patient".to_owned(), None),
        (Scope::Site, None) => {
            (UNLISTED.to_owned(), "any site that is not listed".to_owned(), None)
        }
        (Scope::Site, Some(site)) => (site.id.clone(), site.label.clone(), Some(site)),
    };
    let side = side.map_or_else(|| "side not known".to_owned(), side_words);
    Ok(RuleValue { rule, subject, own, effective, withheld_by, unknown, order, label, side })
}

/// Side of a site for a sentence: of the pedicle if one is involved, else of the lesion.
fn side_words(site: &SiteView) -> String {
    ["pedicle_involvement_side", "lesion_side"]
        .iter()
        .find_map(|name| site.keys.get(*name))
        .map(|known| known.value.to_string())
        .or_else(|| site.side.map(|side| side.to_string()))
        .unwrap_or_else(|| "side not known".to_owned())
}

/// Records to show, in order, and those that only their requests stand for.
fn shown(values: &[RuleValue<'_>], view: &View) -> (Vec<OutcomeRecord>, Vec<OutcomeRecord>) {
    let standing: Vec<(&RuleValue<'_>, Option<Shown>)> =
        values.iter().map(|value| (value, value.standing())).collect();
    let is_option = |value: &RuleValue<'_>, shown: Option<Shown>| {
        value.rule.outcome.family() == Family::Candidate
            // The pump is no procedure at a site: nothing is planned or cautioned beside it.
            && value.rule.outcome != Outcome::ConsiderPainPump
            && matches!(shown, Some(Shown::Proposed | Shown::Provisional))
    };
    let options: Vec<&str> = standing
        .iter()
        .filter(|(value, shown)| is_option(value, *shown))
        .map(|(value, _)| value.subject.as_str())
        .collect();
    let beside_option = |value: &RuleValue<'_>| match value.rule.subject {
        Scope::Patient => !options.is_empty(),
        Scope::Site => options.contains(&value.subject.as_str()),
    };
    let mut records = Vec::new();
    let mut only_as_request = Vec::new();
    for (value, shown) in &standing {
        let Some(shown) = *shown else {
            if value.is_only_request() {
                only_as_request.push(value.record(Shown::Provisional));
            }
            continue;
        };
        let allowed = match value.rule.stands {
            Stands::Alone => true,
            Stands::BesideOption => beside_option(value),
            Stands::BesideOptionWhileUnknown => shown == Shown::Proposed || beside_option(value),
        };
        if allowed {
            records.push((value.order, value.rule.hard, value.record(shown)));
        }
    }
    let provisional: Vec<&RuleValue<'_>> = standing
        .iter()
        .filter(|(value, shown)| {
            value.is_only_request()
                || (*shown == Some(Shown::Provisional)
                    && match value.rule.outcome.family() {
                        Family::Candidate => true,
                        Family::Caution => beside_option(value),
                        _ => value.rule.unknown_only_if.is_some(),
                    })
        })
        .map(|(value, _)| *value)
        .collect();
    records.extend(
        derived_requests(&provisional, view)
            .into_iter()
            .map(|(order, record)| (order, false, record)),
    );
    // `outcome` is a word of the closed list: its place in the list is its place here. What is
    // hard and about the patient stands before what is hard and about a site.
    let rank = |record: &OutcomeRecord, hard: bool, order: usize| {
        let outcome = record.outcome.parse::<Outcome>().ok();
        let precedence = outcome.map_or(u8::MAX, |outcome| outcome.precedence(hard));
        (precedence, hard && order > 0, outcome, order)
    };
    records.sort_by(|(order_a, hard_a, a), (order_b, hard_b, b)| {
        rank(a, *hard_a, *order_a)
            .cmp(&rank(b, *hard_b, *order_b))
            .then_with(|| a.rule.cmp(&b.rule))
    });
    (records.into_iter().map(|(_, _, record)| record).collect(), only_as_request)
}

impl RuleValue<'_> {
    /// Whether the subject is a site that nobody has listed.
    pub fn is_unlisted(&self) -> bool {
        self.subject == UNLISTED
    }

    /// Place of the subject: 0 for the patient, then the sites in order.
    pub(super) const fn order(&self) -> usize {
        self.order
    }

    /// What the sentence calls the subject.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    fn is_only_request(&self) -> bool {
        self.effective.value == Value::Unknown
            && self.withheld_by.is_empty()
            && !self.is_unlisted()
            && self.unknown == WhileUnknown::OnlyAsRequest
    }

    /// How it would be shown, leaving aside what must stand beside it.
    fn standing(&self) -> Option<Shown> {
        match (self.own.value, self.effective.value) {
            (Value::NotMet, _) => None,
            (_, Value::Met) => Some(Shown::Proposed),
            _ if self.is_unlisted() => None,
            (Value::Met, Value::NotMet) => Some(Shown::Withheld),
            (Value::Unknown, Value::NotMet) => {
                let named =
                    !self.withheld_by.is_empty() && self.unknown == WhileUnknown::Provisional;
                named.then_some(Shown::Withheld)
            }
            (_, Value::Unknown) => {
                (self.unknown == WhileUnknown::Provisional).then_some(Shown::Provisional)
            }
        }
    }

    fn record(&self, shown: Shown) -> OutcomeRecord {
        let withheld_by = (shown == Shown::Withheld)
            .then(|| self.withheld_by.first())
            .flatten()
            .map(|guard| format!("{} ({})", guard.outcome, guard.id));
        OutcomeRecord {
            outcome: self.rule.outcome.to_string(),
            subject: self.subject.clone(),
            value: self.effective.value,
            shown,
            withheld_by,
            missing: self.effective.missing.iter().cloned().collect(),
            rule: self.rule.id.clone(),
            sentence: self
                .rule
                .sentence
                .replace("{site}", &self.label)
                .replace("{side}", &self.side),
            because: self.effective.because.iter().cloned().collect(),
            sources: self.rule.sources.clone(),
        }
    }
}

/// A view as one subject sees it, made ready for CEL once and asked many times.
pub struct Subject<'a> {
    view: &'a View,
    site: Option<&'a SiteView>,
    cel: Context<'static, 'static>,
}

impl<'a> Subject<'a> {
    /// The view for a site, or for the patient and the site that nobody has listed (`None`).
    pub fn new(view: &'a View, site: Option<&'a SiteView>) -> Self {
        // No function library: conditions that pass the checker call none.
        let mut cel = Context::empty();
        cel.add_variable_from_value("patient", cel_map(&view.patient, false));
        let unlisted = (!view.sites_complete).then(|| cel_map(&KnownKeys::new(), false));
        let sites: Vec<cel::Value> =
            view.sites.iter().map(|site| cel_map(&site.keys, true)).chain(unlisted).collect();
        cel.add_variable_from_value("sites", sites);
        let nothing = KnownKeys::new();
        cel.add_variable_from_value(
            "site",
            cel_map(site.map_or(&nothing, |site| &site.keys), false),
        );
        Self { view, site, cel }
    }

    /// Asks a condition twice, CEL and the walk, and gives what the walk found if both agree.
    ///
    /// # Errors
    ///
    /// Only bugs.
    pub fn ask(&self, condition: &Condition, rule: &str) -> Result<Reading, EvaluationError> {
        let cel = self.ask_cel(condition, rule)?;
        let reading = read(&condition.node, self.view, self.site);
        if reading.value != cel {
            let rule = rule.to_owned();
            return Err(EvaluationError::Disagreement { rule, cel, walk: reading.value });
        }
        Ok(reading)
    }

    fn ask_cel(&self, condition: &Condition, rule: &str) -> Result<Value, EvaluationError> {
        let bug = |error: String| EvaluationError::Cel { rule: rule.to_owned(), error };
        match self.cel.resolve(&condition.expression) {
            Ok(cel::Value::Bool(true)) => Ok(Value::Met),
            Ok(cel::Value::Bool(false)) => Ok(Value::NotMet),
            Ok(other) => Err(bug(format!("the value is {other:?}, not a boolean"))),
            Err(ExecutionError::NoSuchKey(_) | ExecutionError::UndeclaredReference(_)) => {
                Ok(Value::Unknown)
            }
            Err(error) => Err(bug(error.to_string())),
        }
    }
}

fn cel_map(keys: &KnownKeys, listed: bool) -> cel::Value {
    let mut map: std::collections::HashMap<String, cel::Value> = keys
        .iter()
        .map(|(name, known)| {
            let value = match &known.value {
                Datum::Boolean(truth) => cel::Value::Bool(*truth),
                Datum::Number(number) => cel::Value::Float(*number),
                Datum::Word(word) => cel::Value::from(word.as_str()),
            };
            (name.clone(), value)
        })
        .collect();
    if listed {
        map.insert("listed".to_owned(), cel::Value::Bool(true));
    }
    cel::Value::from(map)
}
