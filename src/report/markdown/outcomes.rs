//! What the rules say.

use std::str::FromStr;

use super::Places;
use super::found::words;
use super::text::{code, plain};
use crate::eligibility::outcome::{Family, Outcome};
use crate::eligibility::verdict::{OutcomeRecord, Shown, Verdict};

const NOT_RUN: &str = "**The rules were not run**: nothing is said about urgency or treatment.";

/// Exclusions and referrals: those that hold, then those that are not ruled out.
pub(super) fn urgent(verdict: Option<&Verdict>, places: &Places) -> String {
    let Some(verdict) = verdict else { return NOT_RUN.to_owned() };
    let of = |shown: Shown, families: &[Family]| -> String {
        verdict
            .outcomes
            .iter()
            .filter(|outcome| outcome.shown == shown)
            .filter(|outcome| family(outcome).is_none_or(|family| families.contains(&family)))
            .map(|outcome| line(outcome, places))
            .collect()
    };
    let holds = of(Shown::Proposed, &[Family::Exclusion, Family::Routing]);
    let open = of(Shown::Provisional, &[Family::Exclusion, Family::Routing]);
    let mut text = String::new();
    if !verdict.context_given {
        text += "**No clinical context was given.** Pain, neurologic status and everything else that only a clinician \
                 knows are unknown to the rules.\n\n";
    }
    if holds.is_empty() {
        text += "No referral or exclusion holds on what is known. That is no clearance: what is not known stands below.\n\n";
    } else {
        text += &holds;
        text.push('\n');
    }
    if !open.is_empty() {
        text += &format!("Not ruled out:\n\n{open}\n");
    }
    for note in &verdict.notes {
        text += &format!("- Note: {}\n", plain(note));
    }
    text
}

/// All outcomes in groups, and the inputs that are missing.
pub(super) fn all(verdict: Option<&Verdict>, places: &Places) -> String {
    let Some(verdict) = verdict else { return NOT_RUN.to_owned() };
    let mut text = format!(
        "Rulebook {}. Each line is something for a team to discuss, to ask for or to keep in mind; none is an order.\n\n",
        plain(&verdict.rulebook)
    );
    for (title, shown) in [
        ("Proposed (the condition holds)", Shown::Proposed),
        ("Provisional (something is missing)", Shown::Provisional),
        ("Withheld", Shown::Withheld),
    ] {
        let lines: String = verdict
            .outcomes
            .iter()
            .filter(|outcome| outcome.shown == shown)
            .map(|outcome| line(outcome, places))
            .collect();
        let lines = if lines.is_empty() { "None.\n".to_owned() } else { lines };
        text += &format!("### {title}\n\n{lines}\n");
    }
    if !verdict.missing.is_empty() {
        text += "### Inputs that could change this\n\n| input | who knows it | rules |\n|---|---|---|\n";
        for missing in &verdict.missing {
            text += &format!(
                "| {} | {} | {} |\n",
                code(&missing.input),
                plain(&missing.from),
                missing.rules.len()
            );
        }
    }
    text
}

/// `None` for a word that this version does not know: shown wherever it could matter.
fn family(outcome: &OutcomeRecord) -> Option<Family> {
    Outcome::from_str(&outcome.outcome).ok().map(Outcome::family)
}

fn line(outcome: &OutcomeRecord, places: &Places) -> String {
    let list = |texts: &[String]| -> String {
        texts.iter().map(|text| plain(text)).collect::<Vec<_>>().join("; ")
    };
    let mut text = format!(
        "- **{}**, {}: {}",
        plain(&words(&outcome.outcome)),
        places.name(&outcome.subject),
        plain(&outcome.sentence)
    );
    if !outcome.because.is_empty() {
        text += &format!(" Because: {}.", list(&outcome.because));
    }
    if let Some(by) = &outcome.withheld_by {
        text += &format!(" Withheld by {}.", code(by));
    }
    if !outcome.missing.is_empty() {
        let missing: Vec<String> = outcome.missing.iter().map(|path| code(path)).collect();
        text += &format!(" Missing: {}.", missing.join(", "));
    }
    let sources = if outcome.sources.is_empty() {
        String::new()
    } else {
        format!(", {}", list(&outcome.sources))
    };
    text + &format!(" ({}{sources})\n", code(&outcome.rule))
}
