//! What conditions see of a study: `patient.*`, `site.*` and the list `sites`.
//!
//! A key is present only where something is known; unknown is an absent key and never null,
//! false, NaN or an empty list. From the findings a key is set like this:
//!
//! | answers of the feature at the site, over all series | key |
//! |---|---|
//! | present at least once | true (a candidate, said so in the words of its source) |
//! | indeterminate at least once, never present | no key |
//! | absent at least once where absent rules out, else not assessed | false |
//! | absent where it does not rule out, or not assessed | no key |
//!
//! A reader's value takes the place of the image's, and the words of its source keep both. What
//! only a clinician knows is set by the clinical context alone.
//!
//! # Sites
//!
//! A site is a vertebra, or a region and side, that has a finding or that the context names. A
//! vertebra without a level is known by its id alone, and a context site named by level never
//! becomes it. Vertebrae of several series are one site only where they carry the same level and
//! their centres lie within [`SAME_VERTEBRA_MM`]; else they stay apart, which at worst asks for
//! more than is needed. A context site that fits no vertebra, or more than one, stands alone, and
//! a note of the verdict says so.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::fits;
use super::context::{ClinicalContext, Given, SiteName};
use super::input::{Scope, input, key, key_names};
use super::view_image::{add_image_keys, add_study_keys};
use super::view_sites::{SiteMembers, sites_of};
use crate::findings::schema::Findings;
use crate::terms::{Region, Side};

/// Vertebrae of two series with the same level are one site only where the centres of their
/// bodies lie within this distance: less than the height of a thoracic body and its disc, so that
/// two neighbours of which one is numbered wrongly stay apart.
pub const SAME_VERTEBRA_MM: f64 = 15.0;

/// A known value.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// True or false.
    Boolean(bool),
    /// A finite number.
    Number(f64),
    /// A word of the key's list.
    Word(String),
}

impl std::fmt::Display for Datum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// A known value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The value.
    pub value: Datum,
    /// Where it comes from, for people.
    pub source: String,
}

impl Known {
    /// `site.lytic_lesion = true (image: …)`.
    pub fn words(&self, name: &str) -> String {
        format!("{name} = {} ({})", self.value, self.source)
    }
}

/// Known keys by name.
pub type KnownKeys = BTreeMap<String, Known>;

/// One listed site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteView {
    /// Its id: as in the findings, or the name that the context gave.
    pub id: String,
    /// What to call it in a sentence.
    pub label: String,
    /// Its side, where it has one.
    pub side: Option<Side>,
    /// Known keys.
    pub keys: KnownKeys,
}

/// Everything that conditions may see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Known keys of the patient.
    pub patient: KnownKeys,
    /// Listed sites.
    pub sites: Vec<SiteView>,
    /// Whether there is no other site of disease.
    pub sites_complete: bool,
    /// What people must know about how findings and context were joined.
    pub notes: Vec<String>,
}

/// Why findings and context cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The context names a vertebra that the findings do not have.
    #[error("the context names the vertebra {id}, which the findings do not have")]
    NoSuchVertebra {
        /// The id.
        id: String,
    },
    /// Two sites of the context are the same site.
    #[error("the sites {first} and {second} of the context are the same site {site}")]
    SameSite {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// The site in the findings.
        site: String,
    },
}

/// Builds the view of a study.
///
/// # Errors
///
/// Where the context names a vertebra that is not there, or one site twice.
pub fn build(findings: &Findings, context: Option<&ClinicalContext>) -> Result<View, ViewError> {
    let mut notes = Vec::new();
    let members = sites_of(findings, context, &mut notes)?;
    let mut view = View {
        sites_complete: context.is_some_and(|context| context.sites_complete),
        notes,
        ..View::default()
    };
    add_study_keys(&mut view.patient, findings);
    if let Some(context) = context {
        for (name, given) in &context.patient {
            give(&mut view.patient, Scope::Patient, name, given, &mut view.notes);
        }
    }
    for site in &members {
        view.sites.push(site_view(findings, context, site, &mut view.notes));
    }
    add_patient_derivations(&mut view, context);
    Ok(view)
}

fn site_view(
    findings: &Findings,
    context: Option<&ClinicalContext>,
    members: &SiteMembers,
    notes: &mut Vec<String>,
) -> SiteView {
    let mut site = SiteView {
        id: members.id.clone(),
        label: members.label(),
        side: members.side,
        keys: KnownKeys::new(),
    };
    add_image_keys(&mut site, findings, members);
    let given =
        context.and_then(|context| members.context_site.and_then(|index| context.sites.get(index)));
    for (name, value) in given.into_iter().flat_map(|site| &site.values) {
        give(&mut site.keys, Scope::Site, name, value, notes);
    }
    if let Some(context) = context
        && let Some(Given::Place(place)) = context.patient.get("site_of_maximal_pain")
        && let Some(here) = is_here(place, members)
    {
        let source = format!("clinician: worst pain at {place}");
        set(&mut site.keys, Scope::Site, "maximal_pain_here", Datum::Boolean(here), source);
    }
    site
}

/// Whether a place is this site; `None` where it cannot be told (a vertebra without a level).
fn is_here(place: &SiteName, site: &SiteMembers) -> Option<bool> {
    match (place, site.level.as_deref(), site.region) {
        (SiteName::Level(named), Some(level), _) => Some(named == level),
        (SiteName::Level(_), None, Some(_)) => Some(false),
        (SiteName::Region(named, side), _, Some(region)) => {
            match (named == &region, side, site.side) {
                (false, _, _) => Some(false),
                (true, Some(side), Some(own)) => Some(*side == own),
                (true, None, None) => Some(true),
                (true, _, _) => None,
            }
        }
        (SiteName::Region(..), Some(_), None) => Some(false),
        (SiteName::Vertebra(id), _, _) => Some(site.vertebrae.contains(id)),
        (SiteName::Level(_) | SiteName::Region(..), None, None) => None,
    }
}

/// Sets the keys of one given input. What the image had said is kept in the words of the source.
fn give(keys: &mut KnownKeys, scope: Scope, name: &str, given: &Given, notes: &mut Vec<String>) {
    let who = key_owner(scope, name);
    let mut put = |key: String, datum: Datum| {
        let before =
            keys.get(&key).map(|known| format!("; replaces {} ({})", known.value, known.source));
        let source = format!("{who}{}", before.unwrap_or_default());
        set(keys, scope, &key, datum, source);
    };
    match given {
        Given::Boolean(truth) => put(name.to_owned(), Datum::Boolean(*truth)),
        Given::Number(number) => put(name.to_owned(), Datum::Number(*number)),
        Given::Bounds(low, high) => {
            if let Some(low) = low {
                put(format!("{name}_min"), Datum::Number(*low));
            }
            if let Some(high) = high {
                put(format!("{name}_max"), Datum::Number(*high));
            }
        }
        Given::Word(word) => put(name.to_owned(), Datum::Word(word.clone())),
        Given::Words(words) => {
            for word in words {
                put(format!("{name}_{word}"), Datum::Boolean(true));
            }
        }
        Given::Date(_) => put(format!("{name}_given"), Datum::Boolean(true)),
        // No condition reads these; a place becomes `maximal_pain_here` of each site.
        Given::Place(_) | Given::Free(_) => {}
    }
    if matches!(name, "inr" | "anticoagulant_use") {
        notes.push(format!(
            "{name} is recorded; the sources give no limit for it and no rule uses it"
        ));
    }
}

/// Who answers for a given input or companion.
fn key_owner(scope: Scope, name: &str) -> &'static str {
    input(name)
        .or_else(|| {
            super::vocabulary::INPUTS.iter().find(|input| {
                input.scope == scope
                    && input.companions.iter().any(|(companion, _)| *companion == name)
            })
        })
        .map_or("context", |input| input.context_setter())
}

/// Sets a key if it is known and the value is of its type; a value that is not never gets in.
pub(super) fn set(keys: &mut KnownKeys, scope: Scope, name: &str, value: Datum, source: String) {
    if let Some(key) = key(scope, name)
        && fits(key.kind, &value)
    {
        keys.insert(name.to_owned(), Known { value, source });
    }
}

fn add_patient_derivations(view: &mut View, context: Option<&ClinicalContext>) {
    let signs: Vec<&str> = ["incontinence", "limb_weakness"]
        .into_iter()
        .filter(|sign| is_true(&view.patient, sign))
        .collect();
    if !signs.is_empty() {
        let source = format!("clinician: {}", signs.join(" and "));
        set(&mut view.patient, Scope::Patient, "neurologic_deficit", Datum::Boolean(true), source);
    }
    let examined: BTreeSet<&str> = view
        .sites
        .iter()
        .filter(|site| site.keys.contains_key("exam_localizes_pain"))
        .map(|site| site.label.as_str())
        .collect();
    if !examined.is_empty() && !view.patient.contains_key("exam_performed") {
        let examined = examined.into_iter().collect::<Vec<_>>().join(", ");
        let source = format!("clinician: an examination result is given for {examined}");
        set(&mut view.patient, Scope::Patient, "exam_performed", Datum::Boolean(true), source);
    }
    if let Some(context) = context
        && context.patient.contains_key("platelets_per_ul")
        && !context.patient.contains_key("platelets_date")
    {
        view.notes
            .push("the platelet count has no date; without one it settles nothing".to_owned());
    }
}

pub(super) fn is_true(keys: &KnownKeys, name: &str) -> bool {
    keys.get(name).is_some_and(|known| known.value == Datum::Boolean(true))
}

/// Name of a region and side in a sentence: `right acetabulum`.
pub(super) fn region_label(region: Region, side: Option<Side>) -> String {
    let region = region.to_string().replace('_', " ");
    match side {
        Some(side) => format!("{side} {region}"),
        None => region,
    }
}

/// Keys of an input by name, for those who list them.
pub fn keys_of_input(name: &str) -> Vec<String> {
    input(name)
        .map(|input| {
            std::iter::once((input.name, input.kind))
                .chain(input.companions.iter().copied())
                .flat_map(|(name, kind)| key_names(name, kind))
                .map(|(name, _)| name)
                .collect()
        })
        .unwrap_or_default()
}
