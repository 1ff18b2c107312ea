//! What a condition may say: the part of CEL that keeps an unknown unknown.
//!
//! CEL absorbs errors in `&&` and `||` as Kleene logic asks, but much of the language turns an
//! absent key into a value (`has`, `size`, an empty list) or swallows a mistake beside it (a
//! wrong type, a division by zero). Everything of that kind is refused here, with the place and
//! what to write instead; what passes becomes a [`Node`].

use std::collections::BTreeMap;

use cel::common::ast::operators;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, SourceInfo};
use cel::parser::{Expression, Parser};

use super::condition::{Comparison, Condition, KeyPath, Node, Operand};
use super::input::{KeyType, Scope, key, keys, nearest};

/// Longest condition taken, in bytes; the parser's work grows faster than its input.
pub const LONGEST_CONDITION: usize = 4000;

/// Most parts (keys, operators) of a condition after its terms were put in: terms that use terms
/// could grow without bound.
pub const LARGEST_CONDITION: usize = 600;

/// Why a condition was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Byte in the condition, from 0.
    pub offset: usize,
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Where a condition stands, which decides whether it may read `site.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a rule about the patient.
    PatientRule,
    /// In a rule about each site, or in a named term.
    SiteRuleOrTerm,
}

/// Named terms that a condition may use.
pub type Terms = BTreeMap<String, Condition>;

/// Parses and checks a condition.
///
/// # Errors
///
/// The first thing in it that CEL cannot parse or the rulebook must not say.
pub fn check(text: &str, place: Place, terms: &Terms) -> Result<Condition, Refusal> {
    if text.len() > LONGEST_CONDITION {
        return Err(Refusal {
            offset: 0,
            message: format!(
                "the condition has {} bytes, at most {LONGEST_CONDITION} are taken",
                text.len()
            ),
            hint: "name parts of it in [terms]".to_owned(),
        });
    }
    let (expression, source) = Parser::default()
        .parse_with_source_info(text)
        .map_err(|errors| syntax_refusal(text, &errors))?;
    let checker = Checker { source: &source, place, terms };
    let node = checker.boolean(&expression, &mut Vec::new())?;
    let size = node.size();
    if size > LARGEST_CONDITION {
        return Err(Refusal {
            offset: 0,
            message: format!(
                "with its terms the condition has {size} parts, at most {LARGEST_CONDITION} are taken"
            ),
            hint: "split the rule".to_owned(),
        });
    }
    let expression = with_terms(&expression, terms);
    Ok(Condition { text: text.to_owned(), node, expression })
}

fn syntax_refusal(text: &str, errors: &cel::ParseErrors) -> Refusal {
    let Some(first) = errors.errors.first() else {
        return Refusal {
            offset: 0,
            message: "not a CEL expression".to_owned(),
            hint: String::new(),
        };
    };
    // The parser lists every token it would have taken; that helps nobody.
    let message = first.msg.split(" expecting ").next().unwrap_or(&first.msg);
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let line = usize::try_from(first.pos.0).unwrap_or(1).max(1);
    let column = usize::try_from(first.pos.1).unwrap_or(1).max(1);
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let hint = if message.contains(".?") || message.contains('`') {
        "write keys plainly, as patient.name or site.name".to_owned()
    } else {
        "write CEL: keys joined with &&, ||, !, brackets and comparisons".to_owned()
    };
    Refusal { offset: (before + column - 1).min(text.len()), message: message.to_owned(), hint }
}

struct Checker<'a> {
    source: &'a SourceInfo,
    place: Place,
    terms: &'a Terms,
}

impl Checker<'_> {
    fn refuse<T>(
        &self,
        at: &Expression,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Result<T, Refusal> {
        Err(Refusal { offset: self.start_of(at), message: message.into(), hint: hint.into() })
    }

    /// First byte of an expression: of its leftmost part, for an operator is where it stands.
    fn start_of(&self, at: &Expression) -> usize {
        let leftmost = match &at.expr {
            Expr::Select(select) => Some(&*select.operand),
            Expr::Call(call) => match &call.target {
                Some(target) => Some(&**target),
                None if is_binary(&call.func_name) => call.args.first(),
                None => None,
            },
            Expr::Comprehension(comprehension) => Some(&comprehension.iter_range),
            _ => None,
        };
        let own = self.source.offset_for(at.id).map(|(start, _)| start as usize);
        // A function stands in the source at its bracket; its name is what people look for.
        let name = match &at.expr {
            Expr::Call(call) if call.target.is_none() && !is_operator(&call.func_name) => {
                Some(call.func_name.as_str())
            }
            Expr::Select(select) if select.test => Some("has"),
            _ => None,
        };
        if let (Some(name), Some(own)) = (name, own) {
            return own.saturating_sub(name.len());
        }
        match leftmost {
            Some(leftmost) => self.start_of(leftmost).min(own.unwrap_or(usize::MAX)),
            None => own.unwrap_or(0),
        }
    }

    /// An expression that must be a boolean. `bound` are the variables of `exists` and `all`.
    fn boolean(&self, at: &Expression, bound: &mut Vec<String>) -> Result<Node, Refusal> {
        match &at.expr {
            Expr::Literal(LiteralValue::Boolean(truth)) => Ok(Node::Literal(*truth.inner())),
            Expr::Literal(LiteralValue::Null) => self.refuse_null(at),
            Expr::Literal(_) => self.refuse(
                at,
                "a condition is true or false, this is neither",
                "compare it with a key, as in patient.pain_score_0_10_min > 0",
            ),
            Expr::Ident(name) => self.term(at, name, bound),
            Expr::Select(select) => self.select(at, select, bound),
            Expr::Call(call) => self.call(at, call, bound),
            Expr::Comprehension(comprehension) => self.comprehension(at, comprehension, bound),
            Expr::List(_) => self.refuse_list(at),
            Expr::Map(_) | Expr::Struct(_) => self.refuse(
                at,
                "maps and structures are not used in conditions",
                "read keys as patient.name or site.name",
            ),
            Expr::Unspecified => self.refuse(at, "the condition is empty", "write a condition"),
        }
    }

    fn refuse_null<T>(&self, at: &Expression) -> Result<T, Refusal> {
        self.refuse(
            at,
            "null is never the value of a key: what is unknown has no key",
            "leave the comparison out; an absent key makes the condition unknown by itself",
        )
    }

    fn refuse_list<T>(&self, at: &Expression) -> Result<T, Refusal> {
        self.refuse(
            at,
            "list literals are refused",
            "compare with each word: x == \"a\" || x == \"b\"",
        )
    }

    fn term(&self, at: &Expression, name: &str, bound: &[String]) -> Result<Node, Refusal> {
        if let Some(term) = self.terms.get(name) {
            let site_is_bound = bound.iter().any(|variable| variable == "site");
            if self.place == Place::PatientRule && term.node.reads_subject_site() && !site_is_bound
            {
                return self.refuse(
                    at,
                    format!("the term {name} reads site.*, and this rule is about the patient"),
                    format!(
                        "write sites.exists(site, site.listed && {name}), or subject = \"site\""
                    ),
                );
            }
            return Ok(term.node.clone());
        }
        if matches!(name, "patient" | "site" | "sites") || bound.iter().any(|known| known == name) {
            return self.refuse(at, format!("{name} alone is not a condition"), "name a key of it");
        }
        let known = self.terms.keys().map(String::as_str);
        let hint = match nearest(name, known).map(str::to_owned).or_else(|| qualified(name)) {
            Some(near) => format!("did you mean {near}?"),
            None => "keys are written patient.name or site.name; terms stand in [terms]".to_owned(),
        };
        self.refuse(at, format!("{name} is neither a term nor a key"), hint)
    }

    fn select(
        &self,
        at: &Expression,
        select: &SelectExpr,
        bound: &[String],
    ) -> Result<Node, Refusal> {
        if select.test {
            return self.refuse(
                at,
                "has() says false for a key that is unknown",
                "leave it out; an absent key makes the condition unknown by itself",
            );
        }
        if let Expr::Ident(variable) = &select.operand.expr
            && select.field == "listed"
            && bound.contains(variable)
        {
            return Ok(Node::Listed(variable.clone()));
        }
        let (path, kind) = self.key_path(at, select, bound)?;
        match kind {
            KeyType::Boolean => Ok(Node::Key(path)),
            KeyType::Number(unit) => self.refuse(
                at,
                format!("{} is a number ({unit}), not true or false", path.key),
                format!("compare it, as in {} > 0", path.key),
            ),
            KeyType::Word(words) => self.refuse(
                at,
                format!("{} is a word, not true or false", path.key),
                format!("compare it with one of: {}", words.join(", ")),
            ),
        }
    }

    fn key_path(
        &self,
        at: &Expression,
        select: &SelectExpr,
        bound: &[String],
    ) -> Result<(KeyPath, KeyType), Refusal> {
        let Expr::Ident(root) = &select.operand.expr else {
            return self.refuse(
                at,
                "a key has one dot: patient.name or site.name",
                "read each key by its own name; see `osteoflag explain` for the list",
            );
        };
        let is_bound = bound.contains(root);
        let scope = if is_bound {
            Scope::Site
        } else {
            match root.as_str() {
                "patient" => Scope::Patient,
                "site" if self.place == Place::SiteRuleOrTerm => Scope::Site,
                "site" => {
                    return self.refuse(
                        at,
                        "this rule is about the patient and has no site",
                        "write subject = \"site\", or sites.exists(x, x.listed && x.name)",
                    );
                }
                "sites" => {
                    return self.refuse(
                        at,
                        "sites is a list",
                        "write sites.exists(x, x.listed && …) or sites.all(x, !x.listed || …)",
                    );
                }
                other => {
                    let hint = match nearest(other, ["patient", "site", "sites"]) {
                        Some(near) => format!("did you mean {near}?"),
                        None => "keys belong to patient or site".to_owned(),
                    };
                    return self.refuse(at, format!("{other} is not known"), hint);
                }
            }
        };
        let name = &select.field;
        let Some(found) = key(scope, name) else {
            return self.refuse(
                at,
                format!("{root}.{name} is not a known key"),
                hint_for(scope, name),
            );
        };
        let variable = (scope == Scope::Site).then(|| root.clone());
        Ok((KeyPath { variable, key: name.clone() }, found.kind))
    }

    fn call(
        &self,
        at: &Expression,
        call: &CallExpr,
        bound: &mut Vec<String>,
    ) -> Result<Node, Refusal> {
        if call.target.is_some() {
            return self.refuse_function(at, &call.func_name);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => Ok(Node::And(
                Box::new(self.boolean(left, bound)?),
                Box::new(self.boolean(right, bound)?),
            )),
            (operators::LOGICAL_OR, [left, right]) => Ok(Node::Or(
                Box::new(self.boolean(left, bound)?),
                Box::new(self.boolean(right, bound)?),
            )),
            (operators::LOGICAL_NOT, [inner]) => {
                Ok(Node::Not(Box::new(self.boolean(inner, bound)?)))
            }
            (operators::CONDITIONAL, [condition, then, otherwise]) => Ok(Node::If(
                Box::new(self.boolean(condition, bound)?),
                Box::new(self.boolean(then, bound)?),
                Box::new(self.boolean(otherwise, bound)?),
            )),
            (name, [left, right]) => match comparison(name) {
                Some(comparison) => self.compare(at, comparison, left, right, bound),
                None => self.refuse_function(at, name),
            },
            (name, _) => self.refuse_function(at, name),
        }
    }

    fn refuse_function<T>(&self, at: &Expression, name: &str) -> Result<T, Refusal> {
        let (message, hint) = match name {
            operators::IN => (
                "`in` errs before it is known that the answer is unknown".to_owned(),
                "compare with each word: x == \"a\" || x == \"b\"",
            ),
            operators::INDEX | operators::OPT_INDEX => (
                "indexing is refused: an unfinished list has no fixed places".to_owned(),
                "write sites.exists(x, x.listed && …)",
            ),
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE => (
                "arithmetic is refused: its errors would be read as unknown".to_owned(),
                "compare keys with numbers directly",
            ),
            "size" => (
                "size() counts the element that stands for what is not listed".to_owned(),
                "use a key that ends in _min or _max, as patient.lesion_count_min",
            ),
            "matches" | "contains" | "startsWith" | "endsWith" => {
                (format!("{name}() on text is refused"), "compare whole words with == or !=")
            }
            "int" | "uint" | "double" | "string" | "bool" | "bytes" | "dyn" | "type"
            | "duration" | "timestamp" => (
                format!("the conversion {name}() is refused: its errors would be read as unknown"),
                "keys have a type already; see `osteoflag explain`",
            ),
            "exists" | "all" | "exists_one" | "map" | "filter" | "has" => (
                format!("{name} in this form is refused"),
                "write sites.exists(x, x.listed && …) or sites.all(x, !x.listed || …)",
            ),
            other => (
                format!("the function {other} is refused"),
                "conditions are made of keys, &&, ||, !, ?:, comparisons, sites.exists and sites.all",
            ),
        };
        self.refuse(at, message, hint)
    }

    fn compare(
        &self,
        at: &Expression,
        comparison: Comparison,
        left: &Expression,
        right: &Expression,
        bound: &[String],
    ) -> Result<Node, Refusal> {
        for side in [left, right] {
            if matches!(side.expr, Expr::Literal(LiteralValue::Null)) {
                return self.refuse_null(side);
            }
        }
        let (left_operand, left_kind) = self.operand(left, bound)?;
        let (right_operand, right_kind) = self.operand(right, bound)?;
        match (left_kind, right_kind) {
            (None, None) => {
                return self.refuse(
                    at,
                    "this compares two fixed values",
                    "compare a key with a value",
                );
            }
            (Some(KeyType::Number(left_unit)), Some(KeyType::Number(right_unit))) => {
                if left_unit != right_unit {
                    return self.refuse(
                        at,
                        format!("a number in {left_unit} is compared with one in {right_unit}"),
                        "compare numbers of one unit",
                    );
                }
            }
            (Some(KeyType::Number(_)), None) | (None, Some(KeyType::Number(_))) => {
                let word = [(left, &left_operand), (right, &right_operand)]
                    .into_iter()
                    .find(|(_, operand)| matches!(operand, Operand::Word(_)));
                if let Some((place, _)) = word {
                    return self.refuse(
                        place,
                        "a number is compared with a word",
                        "write a number",
                    );
                }
            }
            (Some(KeyType::Word(words)), None) | (None, Some(KeyType::Word(words))) => {
                let literal = if matches!(left_operand, Operand::Key(_)) {
                    (right, &right_operand)
                } else {
                    (left, &left_operand)
                };
                match literal {
                    (_, Operand::Word(word)) if words.contains(&word.as_str()) => {}
                    (place, Operand::Word(word)) => {
                        let hint = match nearest(word, words.iter().copied()) {
                            Some(near) => format!("did you mean \"{near}\"?"),
                            None => format!("known words: {}", words.join(", ")),
                        };
                        return self.refuse(
                            place,
                            format!("\"{word}\" is not a word of this key"),
                            hint,
                        );
                    }
                    (place, _) => {
                        return self.refuse(
                            place,
                            "a word is compared with a number",
                            "write a word in quotes",
                        );
                    }
                }
                if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
                    return self.refuse(at, "words have no order", "compare them with == or !=");
                }
            }
            _ => {
                return self.refuse(
                    at,
                    "these two cannot be compared",
                    "compare a number key with a number, or a word key with a word",
                );
            }
        }
        Ok(Node::Compare(comparison, left_operand, right_operand))
    }

    /// One side of a comparison, and the type of the key if it is one.
    fn operand(
        &self,
        at: &Expression,
        bound: &[String],
    ) -> Result<(Operand, Option<KeyType>), Refusal> {
        match &at.expr {
            Expr::Literal(LiteralValue::Int(number)) => {
                Ok((Operand::Number(*number.inner() as f64), None))
            }
            Expr::Literal(LiteralValue::Double(number)) if number.inner().is_finite() => {
                Ok((Operand::Number(*number.inner()), None))
            }
            Expr::Literal(LiteralValue::String(word)) => {
                Ok((Operand::Word(word.inner().to_owned()), None))
            }
            Expr::Literal(LiteralValue::Boolean(_)) => self.refuse(
                at,
                "a comparison with true or false",
                "write the key by itself, or !key",
            ),
            Expr::Literal(_) => {
                self.refuse(at, "this kind of literal is refused", "write a plain number or word")
            }
            Expr::Select(select) if !select.test => {
                let (path, kind) = self.key_path(at, select, bound)?;
                if kind == KeyType::Boolean {
                    return self.refuse(
                        at,
                        format!("{} is true or false and is not compared", path.key),
                        "write the key by itself, or !key",
                    );
                }
                Ok((Operand::Key(path), Some(kind)))
            }
            Expr::List(_) => self.refuse_list(at),
            Expr::Call(call) if call.target.is_some() || comparison(&call.func_name).is_none() => {
                match call.func_name.as_str() {
                    operators::LOGICAL_AND
                    | operators::LOGICAL_OR
                    | operators::LOGICAL_NOT
                    | operators::CONDITIONAL => self.refuse(
                        at,
                        "a condition is compared with a value",
                        "join conditions with && and ||",
                    ),
                    name => self.refuse_function(at, name),
                }
            }
            Expr::Comprehension(comprehension) => {
                self.comprehension(at, comprehension, &mut bound.to_vec())?;
                self.refuse(
                    at,
                    "a condition is compared with a value",
                    "join conditions with && and ||",
                )
            }
            Expr::Ident(name) if !self.terms.contains_key(name) => {
                self.term(at, name, bound).map(|node| (Operand::Word(node.to_cel()), None))
            }
            _ => self.refuse(
                at,
                "only a key, a number or a word can be compared",
                "join conditions with && and ||",
            ),
        }
    }

    fn comprehension(
        &self,
        at: &Expression,
        comprehension: &ComprehensionExpr,
        bound: &mut Vec<String>,
    ) -> Result<Node, Refusal> {
        const FORMS: &str = "write sites.exists(x, x.listed && …) or sites.all(x, !x.listed || …)";
        let all = match (&comprehension.accu_init.expr, &comprehension.loop_step.expr) {
            (Expr::Literal(LiteralValue::Boolean(start)), Expr::Call(step)) => {
                match (*start.inner(), step.func_name.as_str()) {
                    (false, operators::LOGICAL_OR) => false,
                    (true, operators::LOGICAL_AND) => true,
                    _ => return self.refuse(at, "this loop is refused", FORMS),
                }
            }
            (Expr::List(_), _) => {
                return self.refuse(
                    at,
                    "map and filter keep the element that stands for what is not listed",
                    FORMS,
                );
            }
            _ => {
                return self.refuse(
                    at,
                    "exists_one counts the element that stands for what is not listed",
                    FORMS,
                );
            }
        };
        if !matches!(&comprehension.iter_range.expr, Expr::Ident(list) if list == "sites") {
            return self.refuse(&comprehension.iter_range, "the only list is sites", FORMS);
        }
        let variable = &comprehension.iter_var;
        if matches!(variable.as_str(), "patient" | "sites")
            || self.terms.contains_key(variable)
            || comprehension.iter_var2.is_some()
        {
            return self.refuse(
                at,
                format!("{variable} cannot name the site of a loop"),
                "choose another name, such as x",
            );
        }
        let Expr::Call(step) = &comprehension.loop_step.expr else {
            return self.refuse(at, "this loop is refused", FORMS);
        };
        let Some(body) = step.args.get(1) else {
            return self.refuse(at, "this loop is refused", FORMS);
        };
        bound.push(variable.clone());
        let node = self.boolean(body, bound);
        bound.pop();
        let node = node?;
        if all {
            let guarded = matches!(first_of_or(&node), Node::Not(inner) if **inner == Node::Listed(variable.clone()));
            if !guarded || !matches!(node, Node::Or(..)) {
                return self.refuse(
                    body,
                    "all() on an unfinished list would be true of sites that nobody looked at",
                    format!("write sites.all({variable}, !{variable}.listed || …)"),
                );
            }
            Ok(Node::All(variable.clone(), Box::new(node)))
        } else {
            let guarded = *first_of_and(&node) == Node::Listed(variable.clone());
            if !guarded || !matches!(node, Node::And(..)) {
                return self.refuse(
                    body,
                    "exists() on an unfinished list would be false of sites that nobody looked at",
                    format!("write sites.exists({variable}, {variable}.listed && …)"),
                );
            }
            Ok(Node::Exists(variable.clone(), Box::new(node)))
        }
    }
}

fn first_of_and(node: &Node) -> &Node {
    match node {
        Node::And(left, _) => first_of_and(left),
        other => other,
    }
}

fn first_of_or(node: &Node) -> &Node {
    match node {
        Node::Or(left, _) => first_of_or(left),
        other => other,
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    match name {
        operators::EQUALS => Some(Comparison::Equal),
        operators::NOT_EQUALS => Some(Comparison::NotEqual),
        operators::LESS => Some(Comparison::Less),
        operators::LESS_EQUALS => Some(Comparison::LessOrEqual),
        operators::GREATER => Some(Comparison::Greater),
        operators::GREATER_EQUALS => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}

fn is_operator(name: &str) -> bool {
    is_binary(name) || matches!(name, operators::LOGICAL_NOT | operators::NEGATE)
}

fn is_binary(name: &str) -> bool {
    comparison(name).is_some()
        || matches!(
            name,
            operators::LOGICAL_AND
                | operators::LOGICAL_OR
                | operators::CONDITIONAL
                | operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
                | operators::IN
                | operators::INDEX
                | operators::OPT_INDEX
        )
}

/// `patient.name` or `site.name` for a bare key name.
fn qualified(name: &str) -> Option<String> {
    [Scope::Patient, Scope::Site].into_iter().find_map(|scope| {
        nearest(name, keys(scope).keys().map(String::as_str)).map(|near| format!("{scope}.{near}"))
    })
}

fn hint_for(scope: Scope, name: &str) -> String {
    let other = match scope {
        Scope::Patient => Scope::Site,
        Scope::Site => Scope::Patient,
    };
    if key(other, name).is_some() {
        return format!("it belongs to the {other}: write {other}.{name}");
    }
    // A name that is an input, but whose keys are called otherwise.
    if let Some(input) = super::input::input(name) {
        let names: Vec<String> =
            super::input::key_names(name, input.kind).into_iter().map(|(name, _)| name).collect();
        return if names.is_empty() {
            "it is kept and printed, but no condition can read it".to_owned()
        } else {
            format!("its keys are {}", names.join(", "))
        };
    }
    match nearest(name, keys(scope).keys().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => "see `osteoflag explain` for the known keys".to_owned(),
    }
}

/// The expression with named terms replaced by what they stand for.
fn with_terms(at: &Expression, terms: &Terms) -> Expression {
    let again = |inner: &Expression| with_terms(inner, terms);
    let expr = match &at.expr {
        Expr::Ident(name) => match terms.get(name) {
            Some(term) => return term.expression.clone(),
            None => at.expr.clone(),
        },
        Expr::Call(call) => Expr::Call(CallExpr {
            func_name: call.func_name.clone(),
            target: call.target.as_deref().map(|target| Box::new(again(target))),
            args: call.args.iter().map(again).collect(),
        }),
        Expr::Comprehension(loop_) => Expr::Comprehension(Box::new(ComprehensionExpr {
            loop_step: again(&loop_.loop_step),
            ..(**loop_).clone()
        })),
        other => other.clone(),
    };
    Expression { id: at.id, expr }
}

/// `when && !(guard) && !(guard) …`, as CEL and as tree.
pub(super) fn guarded(when: &Condition, guards: &[&Condition]) -> Condition {
    let call = |name: &str, args: Vec<Expression>| Expression {
        id: 0,
        expr: Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }),
    };
    guards.iter().fold(when.clone(), |so_far, guard| {
        let not = call(operators::LOGICAL_NOT, vec![guard.expression.clone()]);
        Condition {
            text: format!("{} && !({})", so_far.text, guard.text),
            node: Node::And(
                Box::new(so_far.node),
                Box::new(Node::Not(Box::new(guard.node.clone()))),
            ),
            expression: call(operators::LOGICAL_AND, vec![so_far.expression, not]),
        }
    })
}
