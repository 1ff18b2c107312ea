//! JSON Schemas of what a run writes, generated from the types.

use schemars::{JsonSchema, schema_for};

use super::{LabelMapRecord, RunRecord};
use crate::eligibility::verdict::Verdict;
use crate::findings::schema::Findings;

/// File name and text of each schema under `schemas/`.
pub fn schemas() -> Vec<(&'static str, String)> {
    vec![
        ("findings.schema.json", text::<Findings>()),
        ("verdict.schema.json", text::<Verdict>()),
        ("run.schema.json", text::<RunRecord>()),
        ("label_map.schema.json", text::<LabelMapRecord>()),
        ("context.schema.json", format!("{:#}\n", crate::eligibility::context_schema())),
    ]
}

fn text<T: JsonSchema>() -> String {
    let mut text = format!("{:#}", schema_for!(T).to_value());
    text.push('\n');
    text
}
