//! JSON Schema of a clinical context, made from the table of inputs.

use serde_json::{Map, Value, json};
use strum::VariantArray;

use super::input::{InputType, Scope};
use super::vocabulary::{INPUTS, LEVELS};
use crate::terms::{Region, Side};

/// The schema of what [`super::ClinicalContext::parse`] takes, as far as JSON Schema can say it:
/// that values must not contradict each other it cannot.
pub fn context_schema() -> Value {
    let regions: Vec<String> = Region::VARIANTS.iter().map(ToString::to_string).collect();
    let sides: Vec<String> = Side::VARIANTS.iter().map(ToString::to_string).collect();
    let mut site = properties(Scope::Site);
    site.insert("level".to_owned(), json!({ "enum": LEVELS, "description": "The site by level." }));
    site.insert(
        "region".to_owned(),
        json!({ "enum": regions, "description": "The site by bone." }),
    );
    site.insert("side".to_owned(), json!({ "enum": sides, "description": "Side of the bone." }));
    site.insert(
        "vertebra".to_owned(),
        json!({ "type": "string", "description": "The site by the id of a vertebra in findings.json." }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ClinicalContext",
        "description": "What a reader and a clinician know. What is left out is unknown.",
        "type": "object",
        "additionalProperties": false,
        "anyOf": [{ "required": ["study"] }, { "required": ["patient_id"] }],
        "properties": {
            "study": {
                "type": "string",
                "minLength": 1,
                "description": "StudyInstanceUID, or the id of the study in findings.json.",
            },
            "patient_id": {
                "type": "string",
                "minLength": 1,
                "description": "PatientID; enough for a run that reads headers.",
            },
            "sites_complete": {
                "type": "boolean",
                "description": "True: there is no site of disease besides those listed.",
            },
            "patient": {
                "type": "object",
                "additionalProperties": false,
                "properties": properties(Scope::Patient),
            },
            "site": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "oneOf": [
                        { "required": ["level"] },
                        { "required": ["region"] },
                        { "required": ["vertebra"] },
                    ],
                    "properties": site,
                },
            },
        },
    })
}

fn properties(scope: Scope) -> Map<String, Value> {
    let mut properties = Map::new();
    for input in INPUTS.iter().filter(|input| input.scope == scope && input.may_be_given()) {
        properties.insert(input.name.to_owned(), described(input.kind, input.definition));
        for (name, kind) in input.companions {
            let description = format!("Goes with {}.", input.name);
            properties.insert((*name).to_owned(), described(*kind, &description));
        }
    }
    properties
}

fn described(kind: InputType, description: &str) -> Value {
    let mut schema = schema_of(kind);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(description));
    }
    schema
}

fn schema_of(kind: InputType) -> Value {
    let number = |min: f64, max: f64| json!({ "type": "number", "minimum": min, "maximum": max });
    match kind {
        InputType::Boolean => json!({ "type": "boolean" }),
        InputType::Number { min, max, .. } => number(min, max),
        InputType::Bounds { min, max, .. } => json!({
            "anyOf": [
                number(min, max),
                { "type": "array", "items": number(min, max), "minItems": 2, "maxItems": 2 },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": { "min": number(min, max), "max": number(min, max) },
                },
            ],
        }),
        InputType::Word(words) => json!({ "enum": words }),
        InputType::Words(words) => json!({ "type": "array", "items": { "enum": words } }),
        InputType::Place => json!({
            "type": "string",
            "pattern": "^([CTLS][0-9]+|[a-z_]+(:(left|right|midline|bilateral))?)$",
        }),
        InputType::FreeText => json!({ "type": "string" }),
        InputType::FreeTexts => json!({ "type": "array", "items": { "type": "string" } }),
        InputType::Date => json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
    }
}
