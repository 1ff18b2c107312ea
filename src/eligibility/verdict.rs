//! `verdict.json`: what the rules say of one study. `schemas/verdict.schema.json` is generated
//! from these types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Value of [`Verdict::schema`] that this version writes and reads.
pub const SCHEMA: &str = "osteoflag-verdict/1";

/// Three-valued truth.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// The condition holds, whatever else may become known.
    Met,
    /// It does not hold, whatever else may become known.
    NotMet,
    /// What is missing could make it hold.
    Unknown,
}

/// How an outcome is presented.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Met, and nothing stands against showing it.
    Proposed,
    /// Unknown: shown with what is missing.
    Provisional,
    /// A hard referral or exclusion stands against it.
    Withheld,
}

/// What the rules say of one study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Name and version of this format: [`SCHEMA`].
    pub schema: String,
    /// The study, as in `findings.json`.
    pub study: String,
    /// The rulebook: its name and version.
    pub rulebook: String,
    /// Whether a clinical context was given.
    pub context_given: bool,
    /// What is shown, ordered by precedence, outcome, subject and rule.
    pub outcomes: Vec<OutcomeRecord>,
    /// Options that wait for something without which they must not be read as options, such as
    /// the neurologic status. They are not to be printed: the requests in `outcomes` that name
    /// what is missing stand for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_as_request: Vec<OutcomeRecord>,
    /// Inputs that could still change something, with the outcomes they could change.
    pub missing: Vec<MissingInput>,
    /// What people must know about how findings and context were joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Printed with every verdict.
    pub disclaimer: String,
}

/// One outcome for the patient or one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRecord {
    /// Word of the closed outcome list.
    pub outcome: String,
    /// `patient`, a site id, or `unlisted` (what would hold for a site that nobody has listed).
    pub subject: String,
    /// Value of the condition together with what withholds it: met only where nothing stands
    /// against it, so that an outcome that is withheld has the value `not_met`.
    pub value: Value,
    /// How it is presented.
    pub shown: Shown,
    /// The rule that withholds it, as `outcome (rule)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld_by: Option<String>,
    /// Full paths of inputs that could still change the value.
    pub missing: Vec<String>,
    /// The rule.
    pub rule: String,
    /// A sentence for people.
    pub sentence: String,
    /// What decided: input, value and where it comes from, in words.
    pub because: Vec<String>,
    /// Ids of the facts the rule rests on.
    pub sources: Vec<String>,
}

/// An input that could still change something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingInput {
    /// Full path, such as `patient.platelets_per_ul`.
    pub input: String,
    /// Who can give it: reader, clinician, image or header.
    pub from: String,
    /// Rules it could decide.
    pub rules: Vec<String>,
}
