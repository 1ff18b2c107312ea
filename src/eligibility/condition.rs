//! A checked condition, and what it says of a view: its value, what is missing, what decided.
//!
//! A condition is held twice: as the CEL expression that the crate `cel` evaluates, and as the
//! small tree below, which the checker makes of it. The tree is walked with Kleene's rules to
//! find what is missing and what decided; that it gives the same value as CEL is asked on every
//! evaluation (see [`crate::eligibility::evaluate`]) and is a property test.

use std::collections::BTreeSet;

use super::input::{KeyType, Scope, key};
use super::verdict::Value;
use super::view::{Datum, Known, SiteView, View};

/// A condition of a rulebook, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As written.
    pub text: String,
    /// As walked.
    pub node: Node,
    /// As CEL evaluates it; named terms are already replaced by what they stand for.
    pub(super) expression: cel::parser::Expression,
}

/// Which way two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say what they compare")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The operator as it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    fn of_numbers(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// A key as a condition names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath {
    /// `None` for `patient`, else the name that a site goes by: `site`, or the variable of an
    /// `exists` or `all`.
    pub variable: Option<String>,
    /// Name of the key.
    pub key: String,
}

impl KeyPath {
    /// The scope that the key belongs to.
    pub const fn scope(&self) -> Scope {
        if self.variable.is_some() { Scope::Site } else { Scope::Patient }
    }
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A key.
    Key(KeyPath),
    /// A number.
    Number(f64),
    /// A word.
    Word(String),
}

/// A condition as a tree. Nothing else than this passes the checker.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `true` or `false`.
    Literal(bool),
    /// A boolean key.
    Key(KeyPath),
    /// `<variable>.listed`, within `exists` and `all` only.
    Listed(String),
    /// `!a`
    Not(Box<Self>),
    /// `a && b`
    And(Box<Self>, Box<Self>),
    /// `a || b`
    Or(Box<Self>, Box<Self>),
    /// `c ? a : b`; unknown while `c` is, even where `a` and `b` agree.
    If(Box<Self>, Box<Self>, Box<Self>),
    /// `a < b` and the like.
    Compare(Comparison, Operand, Operand),
    /// `sites.exists(x, x.listed && …)`: true or unknown while the list is unfinished.
    Exists(String, Box<Self>),
    /// `sites.all(x, !x.listed || …)`: false or unknown while the list is unfinished.
    All(String, Box<Self>),
}

/// What a condition says of a view.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Its value.
    pub value: Value,
    /// Full paths of the inputs that could still change it; empty unless unknown.
    pub missing: BTreeSet<String>,
    /// Known keys that decided, or had a part in it, in words.
    pub because: BTreeSet<String>,
}

impl Reading {
    fn known(truth: bool, because: BTreeSet<String>) -> Self {
        let value = if truth { Value::Met } else { Value::NotMet };
        Self { value, missing: BTreeSet::new(), because }
    }

    fn unknown(missing: BTreeSet<String>, because: BTreeSet<String>) -> Self {
        Self { value: Value::Unknown, missing, because }
    }

    fn negated(self) -> Self {
        let value = match self.value {
            Value::Met => Value::NotMet,
            Value::NotMet => Value::Met,
            Value::Unknown => Value::Unknown,
        };
        Self { value, ..self }
    }

    /// `&&` for `absorbing` false, `||` for `absorbing` true: one operand with the absorbing
    /// value decides, whatever the other is.
    fn combined(self, other: Self, absorbing: Value) -> Self {
        match (self.value == absorbing, other.value == absorbing) {
            (true, true) => Self { because: union(self.because, other.because), ..self },
            (true, false) => self,
            (false, true) => other,
            (false, false) => {
                let unknown = self.value == Value::Unknown || other.value == Value::Unknown;
                let value = if unknown { Value::Unknown } else { self.value };
                Self {
                    value,
                    missing: union(self.missing, other.missing),
                    because: union(self.because, other.because),
                }
            }
        }
    }
}

fn union(mut left: BTreeSet<String>, right: BTreeSet<String>) -> BTreeSet<String> {
    left.extend(right);
    left
}

/// A site that a variable stands for: a real one, or the one that nobody has listed.
#[derive(Clone, Copy)]
enum Bound<'a> {
    Subject(Option<&'a SiteView>),
    Element(Option<&'a SiteView>),
}

/// Walks a condition over a view. `site` is the subject of a site rule; `None` there stands for
/// the site that nobody has listed, of which nothing is known.
pub fn read(node: &Node, view: &View, site: Option<&SiteView>) -> Reading {
    walk(node, view, &mut vec![("site".to_owned(), Bound::Subject(site))])
}

fn walk<'a>(node: &Node, view: &'a View, bound: &mut Vec<(String, Bound<'a>)>) -> Reading {
    match node {
        Node::Literal(truth) => Reading::known(*truth, BTreeSet::new()),
        Node::Key(path) => match lookup(path, view, bound) {
            Ok((known, name)) => match &known.value {
                Datum::Boolean(truth) => Reading::known(*truth, one(known.words(&name))),
                // The checker and the view agree on types; a value of another type is unknown.
                Datum::Number(_) | Datum::Word(_) => Reading::unknown(one(name), BTreeSet::new()),
            },
            Err(missing) => Reading::unknown(one(missing), BTreeSet::new()),
        },
        Node::Listed(variable) => match find(variable, bound) {
            Some(Bound::Element(Some(_))) => Reading::known(true, BTreeSet::new()),
            _ => Reading::unknown(one("sites_complete".to_owned()), BTreeSet::new()),
        },
        Node::Not(inner) => walk(inner, view, bound).negated(),
        Node::And(left, right) => {
            let left = walk(left, view, bound);
            left.combined(walk(right, view, bound), Value::NotMet)
        }
        Node::Or(left, right) => {
            let left = walk(left, view, bound);
            left.combined(walk(right, view, bound), Value::Met)
        }
        Node::If(condition, then, otherwise) => {
            let condition = walk(condition, view, bound);
            match condition.value {
                Value::Met => with_because(walk(then, view, bound), condition.because),
                Value::NotMet => with_because(walk(otherwise, view, bound), condition.because),
                Value::Unknown => {
                    let then = walk(then, view, bound);
                    let otherwise = walk(otherwise, view, bound);
                    let missing = union(condition.missing, union(then.missing, otherwise.missing));
                    Reading::unknown(missing, condition.because)
                }
            }
        }
        Node::Compare(comparison, left, right) => compare(*comparison, left, right, view, bound),
        Node::Exists(variable, body) => over_sites(variable, body, view, bound, Value::Met),
        Node::All(variable, body) => over_sites(variable, body, view, bound, Value::NotMet),
    }
}

fn with_because(reading: Reading, because: BTreeSet<String>) -> Reading {
    Reading { because: union(reading.because, because), ..reading }
}

fn over_sites<'a>(
    variable: &str,
    body: &Node,
    view: &'a View,
    bound: &mut Vec<(String, Bound<'a>)>,
    absorbing: Value,
) -> Reading {
    let mut result = Reading::known(absorbing == Value::NotMet, BTreeSet::new());
    let unlisted = (!view.sites_complete).then_some(None);
    for element in view.sites.iter().map(Some).chain(unlisted) {
        bound.push((variable.to_owned(), Bound::Element(element)));
        let reading = walk(body, view, bound);
        bound.pop();
        result = result.combined(reading, absorbing);
    }
    result
}

fn compare<'a>(
    comparison: Comparison,
    left: &Operand,
    right: &Operand,
    view: &'a View,
    bound: &[(String, Bound<'a>)],
) -> Reading {
    let mut missing = BTreeSet::new();
    let mut because = BTreeSet::new();
    let mut value = |operand: &Operand| match operand {
        Operand::Number(number) => Some(Datum::Number(*number)),
        Operand::Word(word) => Some(Datum::Word(word.clone())),
        Operand::Key(path) => match lookup(path, view, bound) {
            Ok((known, name)) => {
                because.insert(known.words(&name));
                Some(known.value.clone())
            }
            Err(path) => {
                missing.insert(path);
                None
            }
        },
    };
    let truth = match (value(left), value(right)) {
        (Some(Datum::Number(left)), Some(Datum::Number(right))) => {
            Some(comparison.of_numbers(left, right))
        }
        (Some(Datum::Word(left)), Some(Datum::Word(right))) => match comparison {
            Comparison::Equal => Some(left == right),
            Comparison::NotEqual => Some(left != right),
            _ => None,
        },
        _ => None,
    };
    match truth {
        Some(truth) => Reading::known(truth, because),
        None => Reading::unknown(missing, because),
    }
}

/// The known value and the name to print it under, or the path of what is missing.
fn lookup<'a>(
    path: &KeyPath,
    view: &'a View,
    bound: &[(String, Bound<'a>)],
) -> Result<(&'a Known, String), String> {
    let Some(variable) = &path.variable else {
        let name = format!("patient.{}", path.key);
        return match view.patient.get(&path.key) {
            Some(known) => Ok((known, name)),
            None => Err(missing_path(path, "patient")),
        };
    };
    match find(variable, bound) {
        Some(Bound::Subject(Some(site))) => match site.keys.get(&path.key) {
            Some(known) => Ok((known, format!("site.{}", path.key))),
            None => Err(missing_path(path, "site")),
        },
        Some(Bound::Element(Some(site))) => match site.keys.get(&path.key) {
            Some(known) => Ok((known, format!("sites[{}].{}", site.id, path.key))),
            None => Err(missing_path(path, &format!("sites[{}]", site.id))),
        },
        Some(Bound::Element(None)) => Err("sites_complete".to_owned()),
        Some(Bound::Subject(None)) | None => Err(missing_path(path, "site")),
    }
}

fn missing_path(path: &KeyPath, place: &str) -> String {
    match key(path.scope(), &path.key) {
        Some(key) => key.missing_path(place),
        None => format!("{place}.{}", path.key),
    }
}

fn find<'a>(variable: &str, bound: &[(String, Bound<'a>)]) -> Option<Bound<'a>> {
    bound.iter().rev().find(|(name, _)| name == variable).map(|(_, bound)| *bound)
}

fn one(text: String) -> BTreeSet<String> {
    BTreeSet::from([text])
}

impl Node {
    /// Whether it reads a key of a site that no `exists` or `all` within it binds.
    pub fn reads_subject_site(&self) -> bool {
        self.reads_free("site")
    }

    fn reads_free(&self, variable: &str) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Key(path) => path.variable.as_deref() == Some(variable),
            Self::Listed(name) => name == variable,
            Self::Not(inner) => inner.reads_free(variable),
            Self::And(left, right) | Self::Or(left, right) => {
                left.reads_free(variable) || right.reads_free(variable)
            }
            Self::If(condition, then, otherwise) => {
                condition.reads_free(variable)
                    || then.reads_free(variable)
                    || otherwise.reads_free(variable)
            }
            Self::Compare(_, left, right) => [left, right].into_iter().any(|operand| {
                matches!(operand, Operand::Key(path) if path.variable.as_deref() == Some(variable))
            }),
            Self::Exists(name, body) | Self::All(name, body) => {
                name != variable && body.reads_free(variable)
            }
        }
    }

    /// Number of its parts.
    pub fn size(&self) -> usize {
        1 + match self {
            Self::Literal(_) | Self::Key(_) | Self::Listed(_) => 0,
            Self::Compare(..) => 2,
            Self::Not(inner) | Self::Exists(_, inner) | Self::All(_, inner) => inner.size(),
            Self::And(left, right) | Self::Or(left, right) => left.size() + right.size(),
            Self::If(condition, then, otherwise) => {
                condition.size() + then.size() + otherwise.size()
            }
        }
    }

    /// Every key it reads, as scope and name.
    pub fn keys(&self) -> BTreeSet<(Scope, String)> {
        let mut keys = BTreeSet::new();
        self.collect_keys(&mut keys);
        keys
    }

    fn collect_keys(&self, keys: &mut BTreeSet<(Scope, String)>) {
        match self {
            Self::Literal(_) | Self::Listed(_) => {}
            Self::Key(path) => {
                keys.insert((path.scope(), path.key.clone()));
            }
            Self::Not(inner) | Self::Exists(_, inner) | Self::All(_, inner) => {
                inner.collect_keys(keys);
            }
            Self::And(left, right) | Self::Or(left, right) => {
                left.collect_keys(keys);
                right.collect_keys(keys);
            }
            Self::If(condition, then, otherwise) => {
                condition.collect_keys(keys);
                then.collect_keys(keys);
                otherwise.collect_keys(keys);
            }
            Self::Compare(_, left, right) => {
                for operand in [left, right] {
                    if let Operand::Key(path) = operand {
                        keys.insert((path.scope(), path.key.clone()));
                    }
                }
            }
        }
    }

    /// The condition as CEL text, fully bracketed.
    pub fn to_cel(&self) -> String {
        let path = |path: &KeyPath| {
            format!("{}.{}", path.variable.as_deref().unwrap_or("patient"), path.key)
        };
        let operand = |operand: &Operand| match operand {
            Operand::Key(key) => path(key),
            // `{:?}` keeps the decimal point, so that CEL reads a double.
            Operand::Number(number) => format!("{number:?}"),
            Operand::Word(word) => format!("\"{word}\""),
        };
        match self {
            Self::Literal(truth) => truth.to_string(),
            Self::Key(key) => path(key),
            Self::Listed(variable) => format!("{variable}.listed"),
            Self::Not(inner) => format!("!({})", inner.to_cel()),
            Self::And(left, right) => format!("({} && {})", left.to_cel(), right.to_cel()),
            Self::Or(left, right) => format!("({} || {})", left.to_cel(), right.to_cel()),
            Self::If(condition, then, otherwise) => {
                format!("({} ? {} : {})", condition.to_cel(), then.to_cel(), otherwise.to_cel())
            }
            Self::Compare(comparison, left, right) => {
                format!("{} {} {}", operand(left), comparison.symbol(), operand(right))
            }
            Self::Exists(variable, body) => {
                format!("sites.exists({variable}, {})", body.to_cel())
            }
            Self::All(variable, body) => format!("sites.all({variable}, {})", body.to_cel()),
        }
    }
}

/// Whether a datum is of a key's type; the view never holds one that is not.
pub(super) fn fits(kind: KeyType, datum: &Datum) -> bool {
    match (kind, datum) {
        (KeyType::Boolean, Datum::Boolean(_)) => true,
        (KeyType::Number(_), Datum::Number(number)) => number.is_finite(),
        (KeyType::Word(words), Datum::Word(word)) => words.contains(&word.as_str()),
        _ => false,
    }
}
