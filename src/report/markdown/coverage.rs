//! What was looked at, what was not, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::Places;
use super::found::words;
use super::text::plain;
use crate::findings::schema::{Coverage, Findings};
use crate::terms::{FeatureId, Reason, Status};

/// Answers that are missing, grouped by reason; questions that miss the same places share a line.
pub(super) fn not_looked_at(findings: &Findings, places: &Places) -> String {
    if findings.coverage.is_empty() {
        return "**No question was asked of any place.** Nothing is said about this study."
            .to_owned();
    }
    let everywhere: BTreeSet<String> =
        findings.coverage.iter().map(|row| site(row, places)).collect();
    let mut missing: BTreeMap<(Status, Option<Reason>), BTreeMap<FeatureId, BTreeSet<String>>> =
        BTreeMap::new();
    for row in &findings.coverage {
        if matches!(row.status, Status::Indeterminate | Status::NotAssessed) {
            missing
                .entry((row.status, row.reason))
                .or_default()
                .entry(row.feature)
                .or_default()
                .insert(site(row, places));
        }
    }
    if missing.is_empty() {
        return format!(
            "Every question was answered for every place ({} answers). What this program cannot ask is not in that number.",
            findings.coverage.len()
        );
    }
    let mut text = String::new();
    for status in [Status::NotAssessed, Status::Indeterminate] {
        let groups: Vec<_> = missing.iter().filter(|((of, _), _)| *of == status).collect();
        if groups.is_empty() {
            continue;
        }
        text += if status == Status::NotAssessed {
            "Not looked at:\n\n"
        } else {
            "Looked at, but cannot tell:\n\n"
        };
        for ((_, reason), features) in groups {
            let reason = reason.map_or("no reason was given", Reason::sentence);
            text += &format!("- **{reason}**\n");
            let mut by_places: Vec<(&BTreeSet<String>, Vec<FeatureId>)> = Vec::new();
            for (feature, sites) in features {
                match by_places.iter_mut().find(|(known, _)| *known == sites) {
                    Some((_, list)) => list.push(*feature),
                    None => by_places.push((sites, vec![*feature])),
                }
            }
            for (sites, features) in by_places {
                let features: Vec<String> = features.into_iter().map(words).collect();
                text += &format!("  - {}: {}\n", at(sites, &everywhere), features.join(", "));
            }
        }
        text.push('\n');
    }
    text
}

/// Counts of answers for each question that was asked anywhere.
pub(super) fn looked_at(findings: &Findings, places: &Places) -> String {
    let mut counts: BTreeMap<FeatureId, [usize; 4]> = BTreeMap::new();
    let mut absent: BTreeMap<FeatureId, (BTreeSet<String>, bool)> = BTreeMap::new();
    for row in &findings.coverage {
        let count = counts.entry(row.feature).or_default();
        match row.status {
            Status::Present => count[0] += 1,
            Status::Absent => {
                count[1] += 1;
                let entry = absent.entry(row.feature).or_insert((BTreeSet::new(), true));
                entry.0.insert(site(row, places));
                entry.1 &= row.absence_rules_out;
            }
            Status::Indeterminate => count[2] += 1,
            Status::NotAssessed => count[3] += 1,
        }
    }
    counts.retain(|_, count| count[0] + count[1] + count[2] > 0);
    if counts.is_empty() {
        return "Nothing.".to_owned();
    }
    let mut text = String::from(
        "| question | present | absent | cannot tell | not looked at | absent at |\n|---|---|---|---|---|---|\n",
    );
    for (feature, [present, not_seen, unclear, not_asked]) in &counts {
        let places = absent.get(feature).map_or_else(String::new, |(sites, rules_out)| {
            let sites: Vec<&str> = sites.iter().map(String::as_str).collect();
            let caution = if *rules_out { "" } else { " (does not rule it out)" };
            format!("{}{caution}", sites.join("; "))
        });
        text += &format!(
            "| {} | {present} | {not_seen} | {unclear} | {not_asked} | {places} |\n",
            words(feature)
        );
    }
    text
}

fn site(row: &Coverage, places: &Places) -> String {
    let mut parts = Vec::new();
    if let Some(vertebra) = &row.vertebra {
        parts.push(places.name(vertebra));
    }
    if let Some(region) = row.region {
        parts.push(words(region));
    }
    if let Some(side) = row.side {
        parts.push(words(side));
    }
    match (parts.is_empty(), &row.series) {
        (false, _) => parts.join(", "),
        (true, Some(series)) => format!("series {} as a whole", plain(series)),
        (true, None) => "the study as a whole".to_owned(),
    }
}

/// The places of a line: everywhere, or named one by one.
fn at(sites: &BTreeSet<String>, everywhere: &BTreeSet<String>) -> String {
    if sites.len() > 1 && sites == everywhere {
        return format!("all {} places", sites.len());
    }
    let sites: Vec<&str> = sites.iter().map(String::as_str).collect();
    sites.join("; ")
}
