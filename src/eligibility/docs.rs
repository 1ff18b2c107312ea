//! Texts about the rulebook: `docs/RULES.md`, and what `osteoflag explain` says of a rule, an
//! outcome or an input.

use std::fmt::Write as _;
use std::str::FromStr;

use strum::VariantArray;

use super::input::{Input, InputType, Scope, Setter, input, key, keys};
use super::outcome::{Family, Outcome};
use super::rulebook::{Rule, Rulebook, Stands};
use super::verdict::Value;
use super::vocabulary::INPUTS;

/// The whole rulebook as Markdown, for `docs/RULES.md`.
pub fn rulebook_markdown(rulebook: &Rulebook) -> String {
    let mut text = String::new();
    let tests: usize = rulebook.rules.iter().map(|rule| rule.tests.len()).sum();
    line(&mut text, "<!-- Generated from the rulebook and the vocabularies; do not edit. -->");
    line(&mut text, &format!("# {}, version {}\n", rulebook.name, rulebook.version));
    line(&mut text, &format!("{}\n", rulebook.disclaimer));
    line(
        &mut text,
        &format!(
            "{} rules with {tests} tests, {} outcomes, {} inputs.\n",
            rulebook.rules.len(),
            Outcome::VARIANTS.len(),
            INPUTS.len()
        ),
    );
    text.push_str(HOW_TO_READ);
    line(&mut text, "## Precedence\n");
    line(
        &mut text,
        "Exclusions that nothing can overrule, urgent referrals, other exclusions, requests, options, other referrals and topics, plans, cautions, follow-up, lines of the report. Within each, the order of the lists below; then the patient before the sites.\n",
    );
    line(&mut text, "| family | what it is |\n|---|---|");
    for family in Family::VARIANTS {
        line(&mut text, &format!("| {family} | {} |", family.definition()));
    }
    line(&mut text, "\n## Rules\n");
    for rule in &rulebook.rules {
        line(&mut text, &format!("### `{}`: `{}`\n", rule.id, rule.outcome));
        line(&mut text, &rule_text(rule));
    }
    line(&mut text, "## Terms\n");
    line(&mut text, "| term | stands for |\n|---|---|");
    for term in rulebook.terms.values() {
        let when = flat(&term.condition.text).replace('|', "\\|");
        line(&mut text, &format!("| `{}` | `{when}` |", term.name));
    }
    line(&mut text, "\n## Outcomes\n");
    line(&mut text, "| outcome | family | meaning | rules |\n|---|---|---|---|");
    for outcome in Outcome::VARIANTS {
        let mut rules = rules_of(rulebook, *outcome);
        if outcome.family() == Family::Request {
            rules.push("derived from what is missing".to_owned());
        }
        line(
            &mut text,
            &format!(
                "| `{outcome}` | {} | {} | {} |",
                outcome.family(),
                outcome.definition(),
                rules.join(", ")
            ),
        );
    }
    line(&mut text, "\n## Inputs\n");
    line(
        &mut text,
        "What is not given is unknown. A value from the image is a candidate; a reader's value takes its place, and both are printed.\n",
    );
    line(
        &mut text,
        "| input | of | values | from | set by feature | meaning |\n|---|---|---|---|---|---|",
    );
    for input in INPUTS {
        let feature = input.feature.map_or_else(String::new, |feature| format!("`{feature}`"));
        line(
            &mut text,
            &format!(
                "| `{}` | {} | {} | {} | {feature} | {} |",
                input.name,
                input.scope,
                type_words(input.kind),
                input.from_words(),
                input.definition
            ),
        );
    }
    line(&mut text, "\n## Keys that follow from inputs\n");
    line(&mut text, "| key | values | meaning |\n|---|---|---|");
    for scope in Scope::VARIANTS {
        for (name, key) in keys(*scope) {
            if let Some(meaning) = key.derived {
                line(
                    &mut text,
                    &format!("| `{scope}.{name}` | {} | {meaning} |", key.kind.words()),
                );
            }
        }
    }
    text
}

const HOW_TO_READ: &str = "\
A condition is **met**, **not met** or **unknown**. It is unknown while an input that could still change it is missing; one more input
never turns met or not met into anything else. What is shown is a second step:

| shown | means |
|---|---|
| proposed | the condition is met and nothing stands against it |
| provisional | something is unknown, listed under `missing` |
| withheld | a rule that stands against it is met, named under `withheld_by` |

An option that waits for the neurologic status, or whose epidural or canal status is open where that decides, is not shown at all: the request
for what is missing stands for it, and `verdict.json` keeps it apart under `only_as_request`. Requests are derived from what is missing.
A site rule is asked for every site, and once for a site that nobody has listed (`unlisted`).

";

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rules_of(rulebook: &Rulebook, outcome: Outcome) -> Vec<String> {
    rulebook
        .rules
        .iter()
        .filter(|rule| rule.outcome == outcome)
        .map(|rule| format!("`{}`", rule.id))
        .collect()
}

fn rule_text(rule: &Rule) -> String {
    let mut text = String::new();
    let subject = match rule.subject {
        Scope::Patient => "the patient",
        Scope::Site => "each site",
    };
    let hard = if rule.hard { " Nothing can withhold it." } else { "" };
    line(&mut text, &format!("> {}\n", rule.sentence));
    line(&mut text, &format!("Asked of {subject}.{hard}\n"));
    line(&mut text, &format!("```cel\n{}\n```\n", rule.when.text.trim()));
    let mut facts = Vec::new();
    facts.push(if rule.shown_while_unknown {
        match &rule.unknown_only_if {
            Some(only) => format!("shown while met; while unknown only if `{}`", flat(&only.text)),
            None => "shown while met or unknown".to_owned(),
        }
    } else {
        "shown while met".to_owned()
    });
    match rule.stands {
        Stands::Alone => {}
        Stands::BesideOption => facts.push("only beside an option of the same subject".to_owned()),
        Stands::BesideOptionWhileUnknown => {
            facts.push("while unknown only beside an option of the same subject".to_owned());
        }
    }
    if !rule.withheld_by.is_empty() {
        facts.push(format!("withheld by {}", names(&rule.withheld_by)));
    }
    if !rule.hidden_until_ruled_out.is_empty() {
        facts.push(format!(
            "only the request is shown until ruled out: {}",
            names(&rule.hidden_until_ruled_out)
        ));
    }
    if let Some(condition) = &rule.as_request_if {
        facts.push(format!(
            "while unknown only the request is shown, if `{}`",
            flat(&condition.text)
        ));
    }
    if let Some(condition) = &rule.hides_if {
        facts.push(format!(
            "while unknown it hides what waits for it, if `{}`",
            flat(&condition.text)
        ));
    }
    for fact in facts {
        line(&mut text, &format!("- {fact}"));
    }
    line(&mut text, &format!("- rests on {}", rule.sources.join(", ")));
    if let Some(note) = &rule.note {
        line(&mut text, &format!("- note: {note}"));
    }
    let count = |value: Value| rule.tests.iter().filter(|test| test.expect == value).count();
    line(
        &mut text,
        &format!(
            "- tests: {} met, {} not met, {} unknown",
            count(Value::Met),
            count(Value::NotMet),
            count(Value::Unknown)
        ),
    );
    text
}

fn names(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

fn type_words(kind: InputType) -> String {
    match kind {
        InputType::Boolean => "true, false".to_owned(),
        InputType::Number { unit, min, max } => format!("{min} to {max} {unit}"),
        InputType::Bounds { unit, min, max } => {
            format!("{min} to {max} {unit}, or a lower and an upper bound")
        }
        InputType::Word(words) => words.join(", "),
        InputType::Words(words) => format!("some of {}", words.join(", ")),
        InputType::Place => "level, or region with side".to_owned(),
        InputType::FreeText => "free term".to_owned(),
        InputType::FreeTexts => "free terms".to_owned(),
        InputType::Date => "day".to_owned(),
    }
}

/// What a rule is, for `osteoflag explain`; `None` where there is no such rule.
pub fn explain_rule(rulebook: &Rulebook, id: &str) -> Option<String> {
    let rule = rulebook.rule(id)?;
    Some(format!("rule {} says {}\n\n{}", rule.id, rule.outcome, rule_text(rule)))
}

/// What an outcome means, for `osteoflag explain`; `None` where there is no such outcome.
pub fn explain_outcome(rulebook: &Rulebook, name: &str) -> Option<String> {
    let outcome = Outcome::from_str(name).ok()?;
    let mut text =
        format!("outcome {outcome} ({})\n\n{}\n", outcome.family(), outcome.definition());
    let rules = rules_of(rulebook, outcome);
    if outcome.family() == Family::Request {
        text.push_str("Derived from what is missing.\n");
    }
    if rules.is_empty() {
        text.push_str("No rule of this rulebook says it.\n");
    } else {
        let _ = writeln!(text, "Said by {}.", rules.join(", "));
    }
    Some(text)
}

/// What an input or a key of the view means, for `osteoflag explain`; `None` where there is no
/// such input. Takes `platelets_per_ul` as well as `patient.platelets_per_ul`.
pub fn explain_input(rulebook: &Rulebook, name: &str) -> Option<String> {
    let bare = name.strip_prefix("patient.").or_else(|| name.strip_prefix("site.")).unwrap_or(name);
    if let Some(input) = input(bare) {
        return Some(input_text(rulebook, input));
    }
    let (scope, key) =
        Scope::VARIANTS.iter().find_map(|scope| Some((*scope, key(*scope, bare)?)))?;
    let meaning = key.derived.unwrap_or(key.input.definition);
    Some(format!(
        "key {scope}.{bare}: {}\n\n{meaning}\nGiven through {}.\n",
        key.kind.words(),
        key.input.name
    ))
}

fn input_text(rulebook: &Rulebook, input: &Input) -> String {
    let mut text = format!(
        "input {} (of the {}): {}\n\n{}\n",
        input.name,
        input.scope,
        type_words(input.kind),
        input.definition
    );
    let _ = writeln!(text, "Comes from {}; asked for by {}.", input.from_words(), input.asked_by);
    if let Some(feature) = input.feature {
        let _ = writeln!(text, "Set by the feature {feature}, until a reader says otherwise.");
    }
    if !input.related.is_empty() {
        let related: Vec<String> = input.related.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "Near features, which do not set it: {}.", related.join(", "));
    }
    if input.from == [Setter::Clinician] {
        text.push_str("Never comes from pixels.\n");
    }
    for (name, kind) in input.companions {
        let _ = writeln!(text, "Goes with {name}: {}.", type_words(*kind));
    }
    let keys: Vec<String> = super::view::keys_of_input(input.name);
    if keys.is_empty() {
        text.push_str("Kept and printed; no condition can read it.\n");
    } else {
        let keys: Vec<String> = keys.iter().map(|key| format!("{}.{key}", input.scope)).collect();
        let _ = writeln!(text, "Conditions read {}.", keys.join(", "));
    }
    let rules: Vec<String> = rulebook
        .rules
        .iter()
        .filter(|rule| {
            rule.effective.node.keys().iter().any(|(scope, name)| {
                key(*scope, name).is_some_and(|key| key.input.name == input.name)
            })
        })
        .map(|rule| rule.id.clone())
        .collect();
    if rules.is_empty() {
        text.push_str("No rule of this rulebook reads it.\n");
    } else {
        let _ = writeln!(text, "Read by {}.", rules.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_rule_outcome_input_and_term() {
        let book = Rulebook::builtin().unwrap();
        let page = rulebook_markdown(&book);
        for rule in &book.rules {
            assert!(page.contains(&format!("### `{}`", rule.id)), "{}", rule.id);
            assert!(page.contains(&rule.sentence), "{}", rule.id);
        }
        for outcome in Outcome::VARIANTS {
            assert!(page.contains(&format!("| `{outcome}` |")), "{outcome}");
        }
        for input in INPUTS {
            assert!(page.contains(&format!("| `{}` |", input.name)), "{}", input.name);
        }
        for term in book.terms.keys() {
            assert!(page.contains(&format!("| `{term}` |")), "{term}");
        }
        for line in page.lines().filter(|line| line.starts_with("| `")) {
            assert!(line.ends_with('|'), "{line}");
        }
    }

    #[test]
    fn rules_outcomes_inputs_and_keys_are_explained_and_nothing_else_is() {
        let book = Rulebook::builtin().unwrap();
        assert!(
            explain_rule(&book, "ablation")
                .unwrap()
                .contains("only the request is shown until ruled out")
        );
        assert!(
            explain_outcome(&book, "request_mri").unwrap().contains("Derived from what is missing")
        );
        let platelets = explain_input(&book, "patient.platelets_per_ul").unwrap();
        assert!(platelets.contains("Never comes from pixels"), "{platelets}");
        assert!(platelets.contains("patient.platelets_date_given"), "{platelets}");
        assert!(platelets.contains("coagulation-not-clear"), "{platelets}");
        assert!(
            explain_input(&book, "painful_site_count_min").unwrap().contains("painful_site_count")
        );
        assert!(explain_input(&book, "inr").unwrap().contains("No rule of this rulebook reads it"));
        assert_eq!(explain_input(&book, "nothing"), None);
        assert_eq!(explain_rule(&book, "nothing"), None);
        assert_eq!(explain_outcome(&book, "nothing"), None);
    }

    #[test]
    fn sentences_are_neutral_and_name_no_product_drug_or_promise() {
        let book = Rulebook::builtin().unwrap();
        let words = [
            "osteocool",
            "spinejack",
            "star ",
            "zoledron",
            "pamidron",
            "denosumab",
            "morphine",
            " mg",
            "must be",
            "never",
            "guarantee",
            "recommended",
        ];
        for rule in &book.rules {
            let sentence = rule.sentence.to_lowercase();
            for word in words {
                assert!(!sentence.contains(word), "{}: {word}", rule.id);
            }
            assert!(rule.sentence.ends_with('.'), "{}", rule.id);
        }
    }
}
