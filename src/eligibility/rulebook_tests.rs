use super::*;

const HEAD: &str = "[rulebook]\nname = \"t\"\nversion = \"1\"\ndisclaimer = \"d\"\n";

fn rule(body: &str) -> String {
    format!("{HEAD}[[rule]]\nid = \"r\"\nsentence = \"s\"\nsources = [\"F001\"]\n{body}\n")
}

fn error(text: &str) -> RulebookError {
    Rulebook::parse(text, "my.toml").unwrap_err()
}

fn place_of_word(text: &str, word: &str) -> FilePlace {
    place_of(text, text.find(word).unwrap())
}

#[test]
fn the_builtin_rulebook_is_accepted_and_sorted_by_precedence() {
    let book = Rulebook::builtin().unwrap();
    assert!(book.rules.len() >= 60, "{}", book.rules.len());
    assert_eq!(book.rules[0].id, "neurologic-deficit");
    let ranks: Vec<_> = book.rules.iter().map(|rule| rule.outcome.precedence(rule.hard)).collect();
    assert!(ranks.is_sorted());
}

#[test]
fn the_order_of_the_file_decides_nothing() {
    let (head, rules) = BUILTIN.split_at(BUILTIN.find("[[rule]]").unwrap());
    let mut pieces: Vec<&str> = rules.split("[[rule]]").skip(1).collect();
    pieces.reverse();
    let reversed = format!("{head}[[rule]]{}", pieces.join("\n[[rule]]"));
    let (a, mut b) = (Rulebook::builtin().unwrap(), Rulebook::parse(&reversed, "r").unwrap());
    // Lines of tests differ, nothing else.
    for (rule, other) in b.rules.iter_mut().zip(&a.rules) {
        assert_eq!(rule.id, other.id);
        rule.tests.clone_from(&other.tests);
    }
    assert_eq!(a, b);
}

#[test]
fn an_unknown_key_is_shown_where_it_stands_with_the_nearest_one() {
    let text = rule(
        "outcome = \"report_sentence\"\nsubject = \"patient\"\nwhen = '''\n  patient.opioid_use\n  && patient.platelet_per_ul > 5\n'''",
    );
    let error = error(&text);
    assert_eq!(error.place, place_of_word(&text, "patient.platelet_per_ul"));
    assert_eq!(error.hint(), Some("did you mean platelets_per_ul?"));
    assert_eq!(
        error.to_string(),
        "my.toml, line 13, column 6: rule r: patient.platelet_per_ul is not a known key"
    );
}

#[test]
fn what_is_wrong_in_a_rulebook_is_named_with_its_place() {
    let with = |outcome: &str, rest: &str| {
        rule(&format!(
            "outcome = \"{outcome}\"\nsubject = \"patient\"\nwhen = \"patient.opioid_use\"\n{rest}"
        ))
    };
    for (text, word, message) in [
        (with("consider_ablaton", ""), "\"consider_ablaton\"", "not a known outcome"),
        (with("report_sentence", "show_when = [\"unknown\"]"), "[\"unknown\"]", "show_when"),
        (with("report_sentence", "withheld_by = [\"x\"]"), "\"x\"", "there is no rule x"),
        (with("report_sentence", "hard = true"), "\"r\"", "only exclusions and referrals"),
        (with("report_sentence", "stands = \"alon\""), "\"alon\"", "not a known value of stands"),
        (with("report_sentence", "colour = 3"), "colour", "unknown field"),
        (with("report_sentence", "test = [{ expect = \"yes\" }]"), "\"yes\"", "yes is no value"),
        (
            with(
                "report_sentence",
                "test = [{ given = { patient.opioid = true }, expect = \"met\" }]",
            ),
            "{ patient.opioid ",
            "did you mean opioid_use",
        ),
        (with("consider_pain_pump", ""), "\"r\"", "no hard rule says exclude_ablation_alone"),
        ("[rulebook\n".to_owned(), "\n", ""),
        (format!("{HEAD}[terms]\na = \"b\"\nb = \"a\"\n"), "a = \"b\"", "uses itself"),
        (format!("{HEAD}[terms]\nsite = \"true\"\n"), "site", "cannot name a term"),
    ] {
        let error = error(&text);
        assert!(
            error.message.contains(message) || error.hint.contains(message),
            "{text}\n{error:?}"
        );
        assert_eq!(error.place, place_of_word(&text, word), "{text}\n{error:?}");
    }
}

#[test]
fn an_option_that_is_not_hidden_by_the_deficit_is_refused() {
    let cut = BUILTIN.replace(
        "hidden_until_ruled_out = [\"neurologic-deficit\"]\nsentence = \"Intrathecal",
        "withheld_by = [\"neurologic-deficit\"]\nsentence = \"Intrathecal",
    );
    assert_ne!(cut, BUILTIN);
    assert!(error(&cut).message.contains("would be shown with a neurologic deficit not ruled out"));
}

#[test]
fn a_rule_about_the_patient_cannot_read_a_site_through_a_term() {
    let text = rule(
        "outcome = \"report_sentence\"\nsubject = \"patient\"\nwhen = \"patient.opioid_use && bad\"",
    ) + "[terms]\nbad = \"site.lytic_lesion\"\n";
    let error = error(&text);
    assert!(error.message.contains("the term bad reads site.*"), "{error:?}");
    assert_eq!(error.place, place_of_word(&text, "bad\""));
}
