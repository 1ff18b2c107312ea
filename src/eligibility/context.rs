//! The clinical context: what a reader and a clinician know, in TOML or JSON.
//!
//! ```toml
//! study = "3f9c0a1b2c3d4e5f"      # our study id or the StudyInstanceUID
//! sites_complete = false          # true: no site is missing below or in the findings
//!
//! [patient]
//! neurologic_deficit = false      # false only when examined
//! pain_score_0_10 = [7, 8]        # or one number
//! platelets_per_ul = 180000
//! platelets_date = "2025-03-01"
//!
//! [[site]]
//! level = "L2"                    # or region and side, or vertebra = "<id of the findings>"
//! exam_localizes_pain = true
//! ```
//!
//! What is not written is unknown. An unknown key, a wrong type, a value out of range and values
//! that contradict each other are refused, never repaired.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::context_document::{self as document, Content, Value};
use super::input::{InputType, Scope, input, nearest};
use super::toml_place::FilePlace;
use super::vocabulary::{INPUTS, LEVELS};
use crate::terms::{Region, Side};

/// How a context is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextFormat {
    /// TOML.
    Toml,
    /// JSON.
    Json,
}

/// Why a clinical context was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// Not TOML or JSON.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: FilePlace,
        /// What the parser said.
        message: String,
    },
    /// A key that no input has.
    #[error("{at}{key} is not a known input of {table}")]
    UnknownKey {
        /// Where, with a colon; empty where it is not known.
        at: String,
        /// The table it stands in.
        table: String,
        /// The key.
        key: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A value of the wrong type.
    #[error("{at}{key} is {found}, expected {expected}")]
    WrongType {
        /// Where, with a colon; empty where it is not known.
        at: String,
        /// The key.
        key: String,
        /// What is written.
        found: String,
        /// What can be.
        expected: String,
    },
    /// A number outside its limits.
    #[error("{at}{key} = {value} is outside {min} to {max} {unit}")]
    OutOfRange {
        /// Where, with a colon; empty where it is not known.
        at: String,
        /// The key.
        key: String,
        /// What is written.
        value: f64,
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// Unit.
        unit: &'static str,
    },
    /// An input that only headers give, or that follows from others.
    #[error("{at}{key} cannot be given: it comes from {from}")]
    NotForContext {
        /// Where, with a colon; empty where it is not known.
        at: String,
        /// The key.
        key: String,
        /// Who gives it.
        from: String,
    },
    /// Two values that cannot both be true.
    #[error("{first} contradicts {second}")]
    Contradiction {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// Neither `study` nor `patient_id`.
    #[error("the context names no study")]
    NamesNoStudy,
    /// A `[[site]]` that says no place, or more than one way.
    #[error(
        "{at}a site is named by level, by region (with side), or by vertebra; this one has {found}"
    )]
    SiteNotNamed {
        /// Where, with a colon; empty where it is not known.
        at: String,
        /// What it has.
        found: String,
    },
    /// Two `[[site]]` of one name.
    #[error("{at}the site {site} stands twice")]
    SiteTwice {
        /// Where, with a colon; empty where it is not known.
        at: String,
        /// Its name.
        site: String,
    },
}

impl ContextError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest, .. } => {
                nearest.as_ref().map(|near| format!("did you mean {near}?"))
            }
            Self::Contradiction { .. } => {
                Some("correct the one that is wrong; nothing was assessed".to_owned())
            }
            Self::NamesNoStudy => Some(
                "write study = \"…\" with the StudyInstanceUID or the id in findings.json"
                    .to_owned(),
            ),
            Self::WrongType { found, .. } if found == "null" => {
                Some("leave out what is unknown".to_owned())
            }
            Self::SiteNotNamed { .. } => Some("write level = \"L2\"".to_owned()),
            _ => None,
        }
    }
}

/// Whether a context belongs to a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StudyMatch {
    /// It names this study, or this patient.
    ThisStudy,
    /// It names another one: it must not be used.
    AnotherStudy,
    /// It names a patient, and the patient of the study is not known here. Only a caller that
    /// knows the `PatientID` may use it.
    CannotTell,
}

/// How a context names a site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SiteName {
    /// By level.
    Level(String),
    /// By region and side.
    Region(Region, Option<Side>),
    /// By the id of a vertebra in the findings.
    Vertebra(String),
}

impl std::fmt::Display for SiteName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Level(level) => f.write_str(level),
            Self::Region(region, None) => write!(f, "{region}"),
            Self::Region(region, Some(side)) => write!(f, "{region}:{side}"),
            Self::Vertebra(id) => f.write_str(id),
        }
    }
}

/// A value of a context, of the type of its input.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A lower and an upper bound; one may be missing.
    Bounds(Option<f64>, Option<f64>),
    /// A word of the input's list.
    Word(String),
    /// Words of the input's list.
    Words(Vec<String>),
    /// A place.
    Place(SiteName),
    /// Free terms.
    Free(Vec<String>),
    /// A day.
    Date(String),
}

/// A site of the context.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextSite {
    /// How it is named.
    pub name: SiteName,
    /// What is known of it, by input or companion name.
    pub values: BTreeMap<String, Given>,
}

/// A clinical context, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ClinicalContext {
    /// `StudyInstanceUID` or our study id.
    pub study: Option<String>,
    /// `PatientID`; enough for `screen`, which reads headers.
    pub patient_id: Option<String>,
    /// Whether every site of disease is listed, here or in the findings.
    pub sites_complete: bool,
    /// What is known of the patient, by input or companion name.
    pub patient: BTreeMap<String, Given>,
    /// Sites, in the order of the file.
    pub sites: Vec<ContextSite>,
}

impl ClinicalContext {
    /// Reads and checks a context.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(text: &str, format: ContextFormat) -> Result<Self, ContextError> {
        let mut context = Self {
            study: None,
            patient_id: None,
            sites_complete: false,
            patient: BTreeMap::new(),
            sites: Vec::new(),
        };
        for (name, value) in document::read(text, format)? {
            match (name.as_str(), &value.content) {
                ("study", Content::Text(study)) => {
                    context.study = Some(trimmed(&name, &value, study)?);
                }
                ("patient_id", Content::Text(id)) => {
                    context.patient_id = Some(trimmed(&name, &value, id)?);
                }
                ("sites_complete", Content::Boolean(complete)) => {
                    context.sites_complete = *complete;
                }
                ("patient", Content::Table(entries)) => {
                    context.patient = values(Scope::Patient, "[patient]", entries)?;
                }
                ("site", Content::List(sites)) => {
                    for site in sites {
                        context.sites.push(context_site(site)?);
                    }
                }
                ("study" | "patient_id", other) => {
                    return Err(wrong_type(&name, &value, other, "a text"));
                }
                ("sites_complete", other) => {
                    return Err(wrong_type(&name, &value, other, "true or false"));
                }
                ("patient", other) => return Err(wrong_type(&name, &value, other, "a table")),
                ("site", other) => {
                    return Err(wrong_type(&name, &value, other, "a list of tables"));
                }
                _ => {
                    let known = ["study", "patient_id", "sites_complete", "patient", "site"];
                    return Err(ContextError::UnknownKey {
                        at: at(&value),
                        table: "the context".to_owned(),
                        nearest: nearest(&name, known).map(str::to_owned),
                        key: name,
                    });
                }
            }
        }
        if context.study.is_none() && context.patient_id.is_none() {
            return Err(ContextError::NamesNoStudy);
        }
        let mut seen = BTreeSet::new();
        for site in &context.sites {
            if !seen.insert(site.name.clone()) {
                return Err(ContextError::SiteTwice {
                    at: String::new(),
                    site: site.name.to_string(),
                });
            }
        }
        context.refuse_contradictions()?;
        Ok(context)
    }

    /// Whether it belongs to the study. `study_id` is our pseudonym of the study; a UID that the
    /// context gives is compared with it through its SHA-256, so that findings without
    /// identifiers can be matched too.
    pub fn matches_study(
        &self,
        study_id: &str,
        study_instance_uid: Option<&str>,
        patient_id: Option<&str>,
    ) -> StudyMatch {
        let study = self.study.as_ref().map(|named| {
            named == study_id
                || study_instance_uid == Some(named.as_str())
                || is_hash_of(study_id, named)
        });
        let patient = match (&self.patient_id, patient_id) {
            (Some(named), Some(known)) => Some(named == known.trim()),
            _ => None,
        };
        match (study, patient) {
            (Some(false), _) | (_, Some(false)) => StudyMatch::AnotherStudy,
            (Some(true), _) | (None, Some(true)) => StudyMatch::ThisStudy,
            (None, None) => StudyMatch::CannotTell,
        }
    }

    /// A deficit that is denied beside one of its signs could hide the one referral that nothing
    /// may hide; which of the two is wrong only the writer knows.
    fn refuse_contradictions(&self) -> Result<(), ContextError> {
        let boolean = |name: &str| match self.patient.get(name) {
            Some(Given::Boolean(truth)) => Some(*truth),
            _ => None,
        };
        let contradiction = |first: &str, second: String| {
            Err(ContextError::Contradiction { first: first.to_owned(), second })
        };
        for sign in ["incontinence", "limb_weakness"] {
            if boolean("neurologic_deficit") == Some(false) && boolean(sign) == Some(true) {
                return contradiction("neurologic_deficit = false", format!("{sign} = true"));
            }
        }
        if boolean("exam_performed") == Some(false)
            && let Some(site) =
                self.sites.iter().find(|site| site.values.contains_key("exam_localizes_pain"))
        {
            return contradiction(
                "exam_performed = false",
                format!("exam_localizes_pain at {}", site.name),
            );
        }
        for site in &self.sites {
            let truth = |name: &str| site.values.get(name) == Some(&Given::Boolean(true));
            let denied = |name: &str| site.values.get(name) == Some(&Given::Boolean(false));
            if truth("spinal_canal_involvement_minor") && denied("spinal_canal_involvement") {
                return contradiction(
                    "spinal_canal_involvement = false",
                    format!("spinal_canal_involvement_minor = true at {}", site.name),
                );
            }
        }
        Ok(())
    }
}

fn is_hash_of(study_id: &str, uid: &str) -> bool {
    if study_id.len() < 16 {
        return false;
    }
    sha256_hex(uid).starts_with(study_id)
}

fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn at(value: &Value) -> String {
    value.place.map_or_else(String::new, |place| format!("{place}: "))
}

fn wrong_type(key: &str, value: &Value, found: &Content, expected: &str) -> ContextError {
    ContextError::WrongType {
        at: at(value),
        key: key.to_owned(),
        found: found.kind().to_owned(),
        expected: expected.to_owned(),
    }
}

fn trimmed(key: &str, value: &Value, text: &str) -> Result<String, ContextError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ContextError::WrongType {
            at: at(value),
            key: key.to_owned(),
            found: "empty".to_owned(),
            expected: "an id".to_owned(),
        });
    }
    Ok(text.to_owned())
}

fn context_site(site: &Value) -> Result<ContextSite, ContextError> {
    let Content::Table(entries) = &site.content else {
        return Err(wrong_type("site", site, &site.content, "a table"));
    };
    let text = |name: &str| -> Result<Option<String>, ContextError> {
        match entries.iter().find(|(key, _)| key == name) {
            None => Ok(None),
            Some((_, Value { content: Content::Text(text), .. })) => Ok(Some(text.clone())),
            Some((_, value)) => Err(wrong_type(name, value, &value.content, "a text")),
        }
    };
    let place_of_key = |name: &str| {
        entries.iter().find(|(key, _)| key == name).map_or_else(String::new, |(_, value)| at(value))
    };
    let (level, region, side, vertebra) =
        (text("level")?, text("region")?, text("side")?, text("vertebra")?);
    let name = match (level, region, vertebra) {
        (Some(level), None, None) if side.is_none() => parse_level(&level, place_of_key("level"))?,
        (None, Some(region), None) => {
            let region = parse_word(&region, "region", place_of_key("region"))?;
            let side =
                side.map(|side| parse_word(&side, "side", place_of_key("side"))).transpose()?;
            SiteName::Region(region, side)
        }
        (None, None, Some(id)) if side.is_none() => SiteName::Vertebra(id),
        (level, region, vertebra) => {
            let found: Vec<&str> = [
                level.map(|_| "level"),
                region.map(|_| "region"),
                side.map(|_| "side"),
                vertebra.map(|_| "vertebra"),
            ]
            .into_iter()
            .flatten()
            .collect();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(" and ") };
            return Err(ContextError::SiteNotNamed { at: at(site), found });
        }
    };
    let rest: Vec<(String, Value)> = entries
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "level" | "region" | "side" | "vertebra"))
        .cloned()
        .collect();
    Ok(ContextSite { name, values: values(Scope::Site, "[[site]]", &rest)? })
}

fn parse_level(level: &str, at: String) -> Result<SiteName, ContextError> {
    match level {
        // Below S1 the findings know one region, not single segments.
        "S2" | "S3" | "S4" | "S5" => Ok(SiteName::Region(Region::Sacrum, None)),
        level if LEVELS.contains(&level) => Ok(SiteName::Level(level.to_owned())),
        other => Err(ContextError::WrongType {
            at,
            key: "level".to_owned(),
            found: format!("\"{other}\""),
            expected: "one of C1 to C7, T1 to T13, L1 to L6, S1 to S5".to_owned(),
        }),
    }
}

fn parse_word<T: FromStr + strum::VariantArray + ToString>(
    word: &str,
    key: &str,
    at: String,
) -> Result<T, ContextError> {
    T::from_str(word).map_err(|_| ContextError::WrongType {
        at,
        key: key.to_owned(),
        found: format!("\"{word}\""),
        expected: format!(
            "one of {}",
            T::VARIANTS.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    })
}

/// Place text: `T10`, `acetabulum`, `acetabulum:right`.
fn parse_place(text: &str, at: String) -> Result<SiteName, ContextError> {
    if LEVELS.contains(&text) {
        return parse_level(text, at);
    }
    let (region, side) = match text.split_once(':') {
        Some((region, side)) => (region, Some(side)),
        None => (text, None),
    };
    let region = parse_word(region, "site_of_maximal_pain", at.clone())?;
    let side = side.map(|side| parse_word(side, "site_of_maximal_pain", at)).transpose()?;
    Ok(SiteName::Region(region, side))
}

fn values(
    scope: Scope,
    table: &str,
    entries: &[(String, Value)],
) -> Result<BTreeMap<String, Given>, ContextError> {
    let mut values = BTreeMap::new();
    for (name, value) in entries {
        let found = input(name).map(|input| (input, input.kind)).or_else(|| {
            INPUTS.iter().find_map(|input| {
                let companion = input.companions.iter().find(|(companion, _)| companion == name)?;
                Some((input, companion.1))
            })
        });
        let Some((input, kind)) = found.filter(|(input, _)| input.scope == scope) else {
            let known = INPUTS
                .iter()
                .filter(|input| input.scope == scope && input.may_be_given())
                .map(|input| input.name);
            let hint = match found {
                Some((input, _)) => Some(match input.scope {
                    Scope::Site => format!("{name} in [[site]]"),
                    Scope::Patient => format!("{name} in [patient]"),
                }),
                None => nearest(name, known).map(str::to_owned),
            };
            return Err(ContextError::UnknownKey {
                at: at(value),
                table: table.to_owned(),
                key: name.clone(),
                nearest: hint,
            });
        };
        if !input.may_be_given() {
            return Err(ContextError::NotForContext {
                at: at(value),
                key: name.clone(),
                from: input.from_words(),
            });
        }
        values.insert(name.clone(), given(name, kind, value)?);
    }
    Ok(values)
}

fn given(name: &str, kind: InputType, value: &Value) -> Result<Given, ContextError> {
    let wrong = |expected: &str| wrong_type(name, value, &value.content, expected);
    let unknown_word = |word: &str, words: &[&str]| ContextError::WrongType {
        at: at(value),
        key: name.to_owned(),
        found: format!("\"{word}\""),
        expected: format!("one of {}", words.join(", ")),
    };
    match (kind, &value.content) {
        (InputType::Boolean, Content::Boolean(truth)) => Ok(Given::Boolean(*truth)),
        (InputType::Boolean, _) => Err(wrong("true or false")),
        (InputType::Number { unit, min, max }, content) => {
            Ok(Given::Number(number(name, value, content, (unit, min, max))?))
        }
        (InputType::Bounds { unit, min, max }, content) => {
            let limits = (unit, min, max);
            let (low, high) = match content {
                Content::Number(_) => {
                    let one = number(name, value, content, limits)?;
                    (Some(one), Some(one))
                }
                Content::List(two) => match two.as_slice() {
                    [low, high] => (
                        Some(number(name, low, &low.content, limits)?),
                        Some(number(name, high, &high.content, limits)?),
                    ),
                    _ => return Err(wrong("a number, two numbers, or { min = …, max = … }")),
                },
                Content::Table(entries) => {
                    let mut bounds = (None, None);
                    for (bound, value) in entries {
                        let number = number(name, value, &value.content, limits)?;
                        match bound.as_str() {
                            "min" => bounds.0 = Some(number),
                            "max" => bounds.1 = Some(number),
                            _ => {
                                return Err(wrong(
                                    "a number, two numbers, or { min = …, max = … }",
                                ));
                            }
                        }
                    }
                    bounds
                }
                _ => return Err(wrong("a number, two numbers, or { min = …, max = … }")),
            };
            if let (Some(low), Some(high)) = (low, high)
                && low > high
            {
                return Err(ContextError::Contradiction {
                    first: format!("{name}: lower bound {low}"),
                    second: format!("upper bound {high}"),
                });
            }
            Ok(Given::Bounds(low, high))
        }
        (InputType::Word(words), Content::Text(word)) => {
            if words.contains(&word.as_str()) {
                Ok(Given::Word(word.clone()))
            } else {
                Err(unknown_word(word, words))
            }
        }
        (InputType::Word(words), _) => Err(wrong(&format!("one of {}", words.join(", ")))),
        (InputType::Words(words), Content::List(items)) => {
            let mut given = Vec::new();
            for item in items {
                match &item.content {
                    Content::Text(word) if words.contains(&word.as_str()) => {
                        given.push(word.clone());
                    }
                    Content::Text(word) => return Err(unknown_word(word, words)),
                    other => return Err(wrong_type(name, item, other, "a word")),
                }
            }
            Ok(Given::Words(given))
        }
        (InputType::Words(words), _) => Err(wrong(&format!("a list of {}", words.join(", ")))),
        (InputType::Place, Content::Text(text)) => Ok(Given::Place(parse_place(text, at(value))?)),
        (InputType::Place, _) => Err(wrong("a level or a region, as T10 or acetabulum:right")),
        (InputType::FreeText, Content::Text(text)) => Ok(Given::Free(vec![text.clone()])),
        (InputType::FreeText, _) => Err(wrong("a text")),
        (InputType::FreeTexts, Content::List(items)) => {
            let mut terms = Vec::new();
            for item in items {
                match &item.content {
                    Content::Text(text) => terms.push(text.clone()),
                    other => return Err(wrong_type(name, item, other, "a text")),
                }
            }
            Ok(Given::Free(terms))
        }
        (InputType::FreeTexts, _) => Err(wrong("a list of texts")),
        (InputType::Date, Content::Text(text)) if is_day(text) => Ok(Given::Date(text.clone())),
        (InputType::Date, _) => Err(wrong("a day, as 2025-03-01")),
    }
}

fn number(
    name: &str,
    value: &Value,
    content: &Content,
    (unit, min, max): (&'static str, f64, f64),
) -> Result<f64, ContextError> {
    let Content::Number(number) = content else {
        return Err(wrong_type(name, value, content, &format!("a number of {unit}")));
    };
    // NaN is in no range.
    if !(min..=max).contains(number) {
        return Err(ContextError::OutOfRange {
            at: at(value),
            key: name.to_owned(),
            value: *number,
            min,
            max,
            unit,
        });
    }
    Ok(*number)
}

/// `YYYY-MM-DD` with a month and a day that exist somewhere in a year.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str, length: usize| {
        (part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    match parts[..] {
        [year, month, day] => {
            digits(year, 4).is_some()
                && digits(month, 2).is_some_and(|month| (1..=12).contains(&month))
                && digits(day, 2).is_some_and(|day| (1..=31).contains(&day))
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
