//! The law of the rulebook: one more input never turns met or not met into anything else, and
//! taking one away leaves the value or makes it unknown. Over every rule of the built-in rulebook,
//! and over random conditions that the checker accepts. Every evaluation also compares CEL with
//! the walk over the condition (a disagreement is an error).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::checker::{Place, Terms, check};
use super::condition::{Comparison, Condition, KeyPath, Node, Operand};
use super::evaluate::{Subject, evaluate_rules};
use super::input::{Key, KeyType, Scope, keys};
use super::rulebook::Rulebook;
use super::verdict::Value;
use super::view::{Datum, Known, KnownKeys, SiteView, View};

static BOOK: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::builtin().unwrap());

/// Keys that some built-in rule reads: random inputs among all keys would seldom meet a rule.
static READ_KEYS: LazyLock<BTreeMap<Scope, Vec<String>>> = LazyLock::new(|| {
    let mut read: BTreeMap<Scope, Vec<String>> = BTreeMap::new();
    let all: std::collections::BTreeSet<_> =
        BOOK.rules.iter().flat_map(|rule| rule.effective.node.keys()).collect();
    for (scope, name) in all {
        read.entry(scope).or_default().push(name);
    }
    read
});

/// A value of the key's type; numbers near the limits that rules use.
fn datum(key: &Key) -> BoxedStrategy<Datum> {
    match key.kind {
        KeyType::Boolean => any::<bool>().prop_map(Datum::Boolean).boxed(),
        KeyType::Number(_) => select(vec![-1.0, 0.0, 1.0, 2.0, 3.0, 7.0, 45.0, 50_000.0, 50_001.0])
            .prop_map(Datum::Number)
            .boxed(),
        KeyType::Word(words) => select(words).prop_map(|word| Datum::Word(word.to_owned())).boxed(),
    }
}

/// A key of the scope with a value.
fn entry(scope: Scope) -> impl Strategy<Value = (String, Datum)> {
    select(READ_KEYS[&scope].clone())
        .prop_flat_map(move |name| (Just(name.clone()), datum(&keys(scope)[&name])))
}

fn known_keys(scope: Scope, most: usize) -> impl Strategy<Value = KnownKeys> {
    proptest::collection::vec(entry(scope), 0..most).prop_map(|entries| {
        entries
            .into_iter()
            .map(|(name, value)| (name, Known { value, source: "test".to_owned() }))
            .collect()
    })
}

fn views() -> impl Strategy<Value = View> {
    (
        known_keys(Scope::Patient, 25),
        proptest::collection::vec(known_keys(Scope::Site, 30), 0..4),
        any::<bool>(),
    )
        .prop_map(|(patient, sites, sites_complete)| View {
            patient,
            sites: sites
                .into_iter()
                .enumerate()
                .map(|(index, keys)| SiteView {
                    id: format!("s{index}"),
                    label: format!("s{index}"),
                    side: None,
                    keys,
                })
                .collect(),
            sites_complete,
            notes: Vec::new(),
        })
}

/// What may become known of a view.
#[derive(Clone, Debug)]
enum News {
    Patient(String, Datum),
    Site(Index, String, Datum),
    AnotherSite(KnownKeys),
    ListComplete,
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        4 => entry(Scope::Patient).prop_map(|(name, value)| News::Patient(name, value)),
        4 => (any::<Index>(), entry(Scope::Site))
            .prop_map(|(site, (name, value))| News::Site(site, name, value)),
        1 => known_keys(Scope::Site, 10).prop_map(News::AnotherSite),
        1 => Just(News::ListComplete),
    ]
}

/// The view with the news; what is known already stays as it is, and a complete list takes no
/// further site.
fn told(view: &View, news: &News) -> View {
    let mut view = view.clone();
    let known = |value: &Datum| Known { value: value.clone(), source: "news".to_owned() };
    match news {
        News::Patient(name, value) => {
            view.patient.entry(name.clone()).or_insert_with(|| known(value));
        }
        News::Site(site, name, value) if !view.sites.is_empty() => {
            let index = site.index(view.sites.len());
            view.sites[index].keys.entry(name.clone()).or_insert_with(|| known(value));
        }
        News::AnotherSite(keys) if !view.sites_complete => {
            let id = format!("s{}", view.sites.len());
            let (label, keys) = (id.clone(), keys.clone());
            view.sites.push(SiteView { id, label, side: None, keys });
        }
        News::ListComplete => view.sites_complete = true,
        News::Site(..) | News::AnotherSite(_) => {}
    }
    view
}

/// Value of a condition for the patient (no site) and each site of the view.
fn values(condition: &Condition, view: &View) -> Vec<Value> {
    std::iter::once(None)
        .chain(view.sites.iter().map(Some))
        .map(|site| Subject::new(view, site).ask(condition, "random").unwrap().value)
        .collect()
}

/// Boolean keys and comparisons that conditions are made of, of the patient and of `variables`.
fn atoms(variables: &[String]) -> BoxedStrategy<Node> {
    let mut all = Vec::new();
    let scopes = std::iter::once(None).chain(variables.iter().map(Some));
    for variable in scopes {
        let scope = if variable.is_some() { Scope::Site } else { Scope::Patient };
        for name in &READ_KEYS[&scope] {
            let path = KeyPath { variable: variable.cloned(), key: name.clone() };
            match keys(scope)[name].kind {
                KeyType::Boolean => all.push(Node::Key(path)),
                KeyType::Number(_) => {
                    for comparison in [
                        Comparison::Equal,
                        Comparison::NotEqual,
                        Comparison::Less,
                        Comparison::LessOrEqual,
                        Comparison::Greater,
                        Comparison::GreaterOrEqual,
                    ] {
                        let key = Operand::Key(path.clone());
                        all.push(Node::Compare(comparison, key, Operand::Number(2.0)));
                    }
                }
                KeyType::Word(words) => {
                    for comparison in [Comparison::Equal, Comparison::NotEqual] {
                        let word = Operand::Word(words[0].to_owned());
                        all.push(Node::Compare(comparison, Operand::Key(path.clone()), word));
                    }
                }
            }
        }
    }
    all.push(Node::Literal(true));
    all.push(Node::Literal(false));
    select(all).boxed()
}

fn nodes(variables: Vec<String>, loops: u32) -> BoxedStrategy<Node> {
    let leaf = atoms(&variables);
    let with_loops = if loops == 0 {
        leaf
    } else {
        let variable = format!("x{loops}");
        let mut inside = variables;
        inside.push(variable.clone());
        let body = nodes(inside, loops - 1);
        let all_variable = variable.clone();
        prop_oneof![
            6 => leaf,
            1 => body.clone().prop_map(move |body| {
                let listed = Node::Listed(variable.clone());
                let guarded = Node::And(Box::new(listed), Box::new(body));
                Node::Exists(variable.clone(), Box::new(guarded))
            }),
            1 => body.prop_map(move |body| {
                let listed = Node::Not(Box::new(Node::Listed(all_variable.clone())));
                let guarded = Node::Or(Box::new(listed), Box::new(body));
                Node::All(all_variable.clone(), Box::new(guarded))
            }),
        ]
        .boxed()
    };
    with_loops
        .prop_recursive(4, 24, 3, |inner| {
            let boxed = inner.clone().prop_map(Box::new);
            prop_oneof![
                boxed.clone().prop_map(Node::Not),
                (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Node::And(a, b)),
                (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Node::Or(a, b)),
                (boxed.clone(), boxed.clone(), boxed).prop_map(|(c, a, b)| Node::If(c, a, b)),
            ]
        })
        .boxed()
}

/// Random conditions, each parsed and checked from its text.
fn conditions() -> impl Strategy<Value = Condition> {
    nodes(vec!["site".to_owned()], 2).prop_map(|node| {
        check(&node.to_cel(), Place::SiteRuleOrTerm, &Terms::new())
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", node.to_cel()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_input_never_overturns_a_builtin_rule(view in views(), news in news()) {
        let after = told(&view, &news);
        let before = evaluate_rules(&BOOK, &view).unwrap();
        let after = evaluate_rules(&BOOK, &after).unwrap();
        for value in &before {
            // A site that was unlisted has become complete, or is a listed one now.
            let Some(now) = after
                .iter()
                .find(|now| now.rule.id == value.rule.id && now.subject == value.subject)
            else {
                prop_assert!(value.is_unlisted());
                continue;
            };
            for (was, is) in [(&value.own, &now.own), (&value.effective, &now.effective)] {
                prop_assert!(
                    was.value == Value::Unknown || was.value == is.value,
                    "{} of {}: {:?} became {:?}", value.rule.id, value.subject, was.value, is.value
                );
            }
        }
    }

    #[test]
    fn what_holds_of_the_unlisted_site_holds_of_every_site(view in views()) {
        let values = evaluate_rules(&BOOK, &view).unwrap();
        for unlisted in values.iter().filter(|value| value.is_unlisted()) {
            if unlisted.effective.value == Value::Unknown {
                continue;
            }
            for value in values.iter().filter(|value| value.rule.id == unlisted.rule.id) {
                prop_assert_eq!(value.effective.value, unlisted.effective.value);
            }
        }
    }

    #[test]
    fn missing_inputs_are_named_exactly_while_something_is_unknown(view in views()) {
        for value in evaluate_rules(&BOOK, &view).unwrap() {
            let unknown = value.effective.value == Value::Unknown;
            prop_assert_eq!(unknown, !value.effective.missing.is_empty());
        }
    }

    #[test]
    fn one_more_input_never_overturns_a_random_condition(
        condition in conditions(),
        view in views(),
        all_news in proptest::collection::vec(news(), 1..4),
    ) {
        let mut view = view;
        let mut before = values(&condition, &view);
        for news in &all_news {
            view = told(&view, news);
            let after = values(&condition, &view);
            for (was, is) in before.iter().zip(&after) {
                prop_assert!(*was == Value::Unknown || was == is, "{}: {was:?} became {is:?}", condition.text);
            }
            before = after;
        }
    }

    #[test]
    fn what_is_not_named_as_missing_changes_nothing(condition in conditions(), view in views(), news in news()) {
        // A key whose path is not in `missing` leaves an unknown value unknown.
        let (name, scope) = match &news {
            News::Patient(name, _) => (name, Scope::Patient),
            News::Site(_, name, _) => (name, Scope::Site),
            _ => return Ok(()),
        };
        let given_as = format!(".{}", keys(scope)[name].given_as);
        let subjects = || std::iter::once(None).chain((0..view.sites.len()).map(Some));
        let after = told(&view, &news);
        for subject in subjects() {
            let read = |view: &View| {
                Subject::new(view, subject.map(|index| &view.sites[index])).ask(&condition, "random").unwrap()
            };
            let was = read(&view);
            if was.value == Value::Unknown && !was.missing.iter().any(|path| path.ends_with(&given_as)) {
                prop_assert_eq!(read(&after).value, Value::Unknown, "{}", condition.text);
            }
        }
    }

    #[test]
    fn any_text_is_refused_or_accepted_and_never_panics(text in "[ a-z0-9.&|!()<>=?:\"'\\[\\]{},+*/-]{0,60}") {
        let _ = check(&text, Place::SiteRuleOrTerm, &Terms::new());
    }

    #[test]
    fn pieces_of_a_condition_in_any_order_never_panic(
        pieces in proptest::collection::vec(select(vec![
            "site.lytic_lesion", "patient.opioid_use", "patient.age_years", "sites", ".exists(", ".all(", "x", ", ",
            "x.listed", " && ", " || ", "!", "(", ")", " == ", " < ", "3", "\"T4\"", "has(", " ? ", " : ", "null", "[", "]", "-", "é", "\n",
        ]), 0..14),
    ) {
        let text = pieces.concat();
        if let Err(refusal) = check(&text, Place::SiteRuleOrTerm, &Terms::new()) {
            prop_assert!(refusal.offset <= text.len());
        }
    }
}
