//! What to ask for: derived from what is missing, never a condition of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluate::{PATIENT, RuleValue};
use super::input::{Input, input};
use super::outcome::Outcome;
use super::verdict::{MissingInput, OutcomeRecord, Shown, Value};
use super::view::{View, is_true};
use super::vocabulary::INPUTS;

/// Rule id of derived requests.
pub(super) const DERIVED: &str = "derived_from_missing";

/// One request for each kind and subject, with the place of the subject, for what the given
/// rules lack.
pub(super) fn derived_requests(
    lacking: &[&RuleValue<'_>],
    view: &View,
) -> Vec<(usize, OutcomeRecord)> {
    // (request, subject's place) -> paths, and the outcomes that each could decide
    let mut asked: BTreeMap<(Outcome, usize), Asked> = BTreeMap::new();
    for value in lacking {
        for path in &value.effective.missing {
            let Some((place, name)) = path.rsplit_once('.') else { continue };
            let Some(input) = input_of(name) else { continue };
            let request = request_for(input, view);
            let subjects: Vec<(usize, String, String)> = if place == PATIENT {
                vec![(0, PATIENT.to_owned(), "the patient".to_owned())]
            } else if place == "site" {
                vec![(value.order(), value.subject.clone(), value.label().to_owned())]
            } else {
                listed_site(place, view).into_iter().collect()
            };
            for (order, subject, label) in subjects {
                let entry = asked.entry((request, order)).or_insert_with(|| Asked {
                    subject,
                    label,
                    paths: BTreeSet::new(),
                    outcomes: BTreeSet::new(),
                });
                let prefix = if order == 0 { PATIENT } else { "site" };
                entry.paths.insert(format!("{prefix}.{name}"));
                entry.outcomes.insert(value.rule.outcome);
            }
        }
    }
    asked.into_iter().map(|((request, order), asked)| (order, asked.record(request))).collect()
}

struct Asked {
    subject: String,
    label: String,
    paths: BTreeSet<String>,
    outcomes: BTreeSet<Outcome>,
}

impl Asked {
    fn record(self, request: Outcome) -> OutcomeRecord {
        let names: Vec<String> = self
            .paths
            .iter()
            .map(|path| path.rsplit('.').next().unwrap_or(path).replace('_', " "))
            .collect();
        let what = match request {
            Outcome::RequestPhysicalExam => "An examination by palpation is missing",
            Outcome::RequestMri => "MRI, or a reading of it, is missing",
            Outcome::RequestCoagulationReview => "The blood count or bleeding history is missing",
            _ => "Not known yet",
        };
        let of =
            if self.subject == PATIENT { String::new() } else { format!(" for {}", self.label) };
        let outcomes: Vec<String> = self.outcomes.iter().map(ToString::to_string).collect();
        OutcomeRecord {
            outcome: request.to_string(),
            subject: self.subject,
            value: Value::Met,
            shown: Shown::Proposed,
            withheld_by: None,
            missing: self.paths.into_iter().collect(),
            rule: DERIVED.to_owned(),
            sentence: format!("{what}{of}: {}.", names.join(", ")),
            because: vec![format!("could decide {}", outcomes.join(", "))],
            sources: request.request_sources().iter().map(|&id| id.to_owned()).collect(),
        }
    }
}

/// `sites[L2]` as place, id and label of the site.
fn listed_site(place: &str, view: &View) -> Option<(usize, String, String)> {
    let id = place.strip_prefix("sites[")?.strip_suffix(']')?;
    let index = view.sites.iter().position(|site| site.id == id)?;
    let site = view.sites.get(index)?;
    Some((index + 1, site.id.clone(), site.label.clone()))
}

/// What is asked of MRI is asked of a reader where the MRI is there already; vessels need
/// contrast medium, which the sequences that are there need not have.
fn request_for(input: &Input, view: &View) -> Outcome {
    let mri_is_there = is_true(&view.patient, "mr_t1_available")
        && is_true(&view.patient, "mr_fluid_sensitive_available");
    match input.asked_by {
        Outcome::RequestMri if mri_is_there && input.name != "tumor_hypervascularity" => {
            Outcome::RequestClinicalInput
        }
        request => request,
    }
}

/// The input behind the name that a context gives, which may be a companion's.
fn input_of(name: &str) -> Option<&'static Input> {
    input(name).or_else(|| {
        INPUTS.iter().find(|input| input.companions.iter().any(|(companion, _)| *companion == name))
    })
}

/// Every input that could still change the value of some rule, with those rules. Sites are put
/// together; the site that nobody has listed is left out.
pub(super) fn missing_inputs(values: &[RuleValue<'_>]) -> Vec<MissingInput> {
    let mut rules: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for value in values.iter().filter(|value| !value.is_unlisted()) {
        for path in &value.effective.missing {
            let path = match path.split_once("].") {
                Some((_, name)) => format!("site.{name}"),
                None => path.clone(),
            };
            rules.entry(path).or_default().insert(&value.rule.id);
        }
    }
    rules
        .into_iter()
        .map(|(path, rules)| {
            let name = path.rsplit('.').next().unwrap_or(&path);
            let from = input_of(name).map_or_else(|| "clinician".to_owned(), Input::from_words);
            MissingInput {
                from,
                rules: rules.into_iter().map(str::to_owned).collect(),
                input: path,
            }
        })
        .collect()
}
