//! The closed list of inputs: what a condition may ask, who may answer, and what the answer means.
//!
//! One table, [`crate::eligibility::vocabulary::INPUTS`], serves the view, the checker, the
//! clinical context, its schema, the documentation and `osteoflag explain`. An input that nobody
//! supplied is unknown: its key is absent from the view, and never false.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::outcome::Outcome;
use super::vocabulary::{DERIVED_KEYS, INPUTS};
use crate::terms::FeatureId;

/// Whether an input belongs to the patient or to each site.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// Once for the patient: `patient.<key>`.
    Patient,
    /// Once for each site: `site.<key>`.
    Site,
}

/// Who may set an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Setter {
    /// A measured candidate of this program. A reader's value replaces it.
    Image,
    /// The headers of the study.
    Header,
    /// A person who looked at the images.
    Reader,
    /// Whoever knows the patient; never pixels.
    Clinician,
    /// Follows from other inputs of the same site or patient.
    Derived,
}

/// What values an input takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InputType {
    /// True or false.
    Boolean,
    /// One number within limits, both included.
    Number {
        /// Unit, for people.
        unit: &'static str,
        /// Smallest value taken.
        min: f64,
        /// Largest value taken.
        max: f64,
    },
    /// A number of which only bounds may be known: two keys, `<name>_min` and `<name>_max`.
    Bounds {
        /// Unit, for people.
        unit: &'static str,
        /// Smallest value taken.
        min: f64,
        /// Largest value taken.
        max: f64,
    },
    /// One word of a list.
    Word(&'static [&'static str]),
    /// Some words of a list: one boolean key `<name>_<word>` for each. A word that is not given
    /// is unknown, not false.
    Words(&'static [&'static str]),
    /// A level (`T10`) or a region with its side (`acetabulum:right`).
    Place,
    /// A free term; kept and printed, no condition can ask for it.
    FreeText,
    /// Free terms; kept and printed, no condition can ask for them.
    FreeTexts,
    /// A day, `YYYY-MM-DD`; the condition can ask whether it was given (`<name>_given`).
    Date,
}

/// Sides that a paired part can lie on.
pub const SIDES: &[&str] = &["left", "right", "midline", "bilateral"];

/// One input of the closed list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Its name, also the key in the view and in a clinical context.
    pub name: &'static str,
    /// Of the patient or of each site.
    pub scope: Scope,
    /// Its values.
    pub kind: InputType,
    /// Who may set it.
    pub from: &'static [Setter],
    /// The feature whose answer sets it (`present` true, `absent` false where it rules out).
    pub feature: Option<FeatureId>,
    /// Features that look at the same thing without setting it.
    pub related: &'static [FeatureId],
    /// Values that go with it: a side, a diameter, a date.
    pub companions: &'static [(&'static str, InputType)],
    /// The request that asks for it.
    pub asked_by: Outcome,
    /// What it means, for people.
    pub definition: &'static str,
}

impl Input {
    /// An input of the table; the builders below add what differs from the usual.
    pub(super) const fn new(
        name: &'static str,
        scope: Scope,
        kind: InputType,
        from: &'static [Setter],
        definition: &'static str,
    ) -> Self {
        Self {
            name,
            scope,
            kind,
            from,
            feature: None,
            related: &[],
            companions: &[],
            asked_by: Outcome::RequestClinicalInput,
            definition,
        }
    }

    /// The feature that sets it.
    pub(super) const fn set_by(mut self, feature: FeatureId) -> Self {
        self.feature = Some(feature);
        self
    }

    /// Features that look at the same thing.
    pub(super) const fn near(mut self, related: &'static [FeatureId]) -> Self {
        self.related = related;
        self
    }

    /// Values that go with it.
    pub(super) const fn with(mut self, companions: &'static [(&'static str, InputType)]) -> Self {
        self.companions = companions;
        self
    }

    /// The request that asks for it.
    pub(super) const fn asked_by(mut self, request: Outcome) -> Self {
        self.asked_by = request;
        self
    }

    /// Whether a clinical context may give it: what a reader or clinician knows, and what a
    /// reader may put in the place of a measured candidate.
    pub fn may_be_given(&self) -> bool {
        self.from
            .iter()
            .any(|setter| matches!(setter, Setter::Image | Setter::Reader | Setter::Clinician))
    }

    /// Who gives it, in words (`image or reader`).
    pub fn from_words(&self) -> String {
        let mut words: Vec<String> = self.from.iter().map(ToString::to_string).collect();
        if self.from.contains(&Setter::Image) && !words.iter().any(|word| word == "reader") {
            words.push("reader".to_owned());
        }
        words.join(" or ")
    }

    /// Who answers for a value in a clinical context.
    pub fn context_setter(&self) -> &'static str {
        if self.from.contains(&Setter::Clinician) { "clinician" } else { "reader" }
    }
}

/// The type of one key of the view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyType {
    /// A boolean.
    Boolean,
    /// A number in the unit named.
    Number(&'static str),
    /// A word of the list.
    Word(&'static [&'static str]),
}

impl KeyType {
    /// The type for people.
    pub fn words(self) -> String {
        match self {
            Self::Boolean => "boolean".to_owned(),
            Self::Number("") => "number".to_owned(),
            Self::Number(unit) => format!("number ({unit})"),
            Self::Word(words) => format!("word ({})", words.join(", ")),
        }
    }
}

/// A key that a condition may read: `patient.<name>` or `site.<name>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Of the patient or of each site.
    pub scope: Scope,
    /// Its type.
    pub kind: KeyType,
    /// The input that it belongs to; for a derived key, the one to ask for.
    pub input: &'static Input,
    /// What a derived key means.
    pub derived: Option<&'static str>,
    /// The name under which a clinical context gives it (`platelets_date`, `painful_site_count`).
    pub given_as: String,
}

impl Key {
    /// Full path of what is missing where this key is: `patient.platelets_date`. `place` is the
    /// site, as `site` or `sites[L2]`.
    pub fn missing_path(&self, place: &str) -> String {
        match self.input.scope {
            Scope::Patient => format!("patient.{}", self.given_as),
            Scope::Site => format!("{place}.{}", self.given_as),
        }
    }
}

/// A key that follows from inputs and is no input of the closed list itself.
pub(super) struct DerivedKey {
    pub name: &'static str,
    pub scope: Scope,
    pub kind: KeyType,
    /// The input to ask for where it is unknown.
    pub input: &'static str,
    pub definition: &'static str,
}

/// Keys of one scope by name.
pub type Keys = BTreeMap<String, Key>;

static PATIENT_KEYS: LazyLock<Keys> = LazyLock::new(|| keys_of(Scope::Patient));
static SITE_KEYS: LazyLock<Keys> = LazyLock::new(|| keys_of(Scope::Site));

/// Every key of a scope.
pub fn keys(scope: Scope) -> &'static Keys {
    match scope {
        Scope::Patient => &PATIENT_KEYS,
        Scope::Site => &SITE_KEYS,
    }
}

/// The key behind a name of a scope.
pub fn key(scope: Scope, name: &str) -> Option<&'static Key> {
    keys(scope).get(name)
}

/// The input of that name.
pub fn input(name: &str) -> Option<&'static Input> {
    INPUTS.iter().find(|input| input.name == name)
}

/// Names of the keys that an input or companion of a type has in the view.
pub fn key_names(name: &str, kind: InputType) -> Vec<(String, KeyType)> {
    match kind {
        InputType::Boolean => vec![(name.to_owned(), KeyType::Boolean)],
        InputType::Number { unit, .. } => vec![(name.to_owned(), KeyType::Number(unit))],
        InputType::Bounds { unit, .. } => vec![
            (format!("{name}_min"), KeyType::Number(unit)),
            (format!("{name}_max"), KeyType::Number(unit)),
        ],
        InputType::Word(words) => vec![(name.to_owned(), KeyType::Word(words))],
        InputType::Words(words) => {
            words.iter().map(|word| (format!("{name}_{word}"), KeyType::Boolean)).collect()
        }
        InputType::Date => vec![(format!("{name}_given"), KeyType::Boolean)],
        InputType::Place | InputType::FreeText | InputType::FreeTexts => Vec::new(),
    }
}

fn keys_of(scope: Scope) -> Keys {
    let mut keys = Keys::new();
    for input in INPUTS.iter().filter(|input| input.scope == scope) {
        let own = std::iter::once((input.name, input.kind));
        for (given_as, input_kind) in own.chain(input.companions.iter().copied()) {
            for (name, kind) in key_names(given_as, input_kind) {
                let given_as = given_as.to_owned();
                keys.insert(name, Key { scope, kind, input, derived: None, given_as });
            }
        }
    }
    for derived in DERIVED_KEYS.iter().filter(|derived| derived.scope == scope) {
        if let Some(input) = input(derived.input) {
            let key = Key {
                scope,
                kind: derived.kind,
                input,
                derived: Some(derived.definition),
                given_as: input.name.to_owned(),
            };
            keys.insert(derived.name.to_owned(), key);
        }
    }
    keys
}

/// The known name nearest to a mistyped one, unless nothing is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_ninety_six_inputs_with_names_of_their_own() {
        assert_eq!(INPUTS.len(), 96);
        let names: BTreeSet<_> = INPUTS.iter().map(|input| input.name).collect();
        assert_eq!(names.len(), 96);
    }

    #[test]
    fn every_derived_key_names_an_input_to_ask_for() {
        for derived in DERIVED_KEYS {
            assert!(input(derived.input).is_some(), "{}", derived.name);
            assert!(key(derived.scope, derived.name).is_some());
        }
    }

    #[test]
    fn no_two_keys_of_a_scope_share_a_name() {
        for scope in Scope::VARIANTS {
            let count: usize = INPUTS
                .iter()
                .filter(|input| input.scope == *scope)
                .map(|input| {
                    key_names(input.name, input.kind).len()
                        + input
                            .companions
                            .iter()
                            .map(|(name, kind)| key_names(name, *kind).len())
                            .sum::<usize>()
                })
                .sum::<usize>()
                + DERIVED_KEYS.iter().filter(|derived| derived.scope == *scope).count();
            assert_eq!(keys(*scope).len(), count);
        }
    }

    #[test]
    fn what_only_a_clinician_knows_has_no_feature_that_could_set_it() {
        for input in INPUTS {
            if !input.from.contains(&Setter::Image) {
                assert!(input.feature.is_none(), "{}", input.name);
            }
        }
        assert_eq!(input("neurologic_deficit").unwrap().from, &[Setter::Clinician]);
        assert_eq!(input("spinal_canal_involvement_minor").unwrap().from, &[Setter::Reader]);
    }

    #[test]
    fn nearest_name_is_found_and_a_far_one_is_not() {
        let names = keys(Scope::Patient).keys().map(String::as_str);
        assert_eq!(nearest("platelet_per_ul", names.clone()), Some("platelets_per_ul"));
        assert_eq!(nearest("qqq", names), None);
    }
}
