//! `report.md`: the page a radiologist reads first.
//!
//! What is dangerous to overlook comes first; what was not looked at is never left out, and
//! nothing is called absent outside what was assessed.

#![allow(
    clippy::format_push_string,
    reason = "a page is put together from lines; writing into a String cannot fail"
)]

mod coverage;
mod found;
mod outcomes;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use crate::eligibility::verdict::Verdict;
use crate::findings::schema::{Choice, Findings, SeriesRecord};
use crate::problem::{Problem, Severity};
use crate::terms::ContrastMedium;
use text::{code, link, number, plain};

const DISCLAIMER: &str = "Made by a program that has no approval as a medical device. It screens and structures what a \
     reader should look at; it does not diagnose, and it replaces neither the images nor professional judgment.";

const HOW_TO_READ: &str = "\
- **present**: a candidate for a reader, no diagnosis. **absent**: looked at by this program and not seen; it counts \
only for the question, the place and the series named. **cannot tell**: looked at without a clear answer. \
**not looked at**: nothing is said.
- The score orders candidates from 0 to 1. It is no probability.
- Slices are counted from 1 in the order of the stack, which need not be the scanner's; the pictures name the same \
numbers. Places are millimetres in the patient (LPS).
- A level is named only where something in view anchors it; `v1` is the lowest vertebra found in its series.
- The ids of study and series are made from their UIDs. They are pseudonyms and no anonymity.
- The numbers behind this page: `findings.json`, `verdict.json`.
";

/// The page for one study, as Markdown. Without a verdict the rules are said not to have been run.
///
/// Holds no identifiers of the patient. All text that can come from elsewhere is escaped.
pub fn markdown(findings: &Findings, verdict: Option<&Verdict>) -> String {
    let places = Places::of(findings);
    let mut page = String::new();
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            page.push_str(title);
            page.push_str("\n\n");
            page.push_str(body.trim_end());
            page.push_str("\n\n");
        }
    };
    section(
        &format!("# Spine screening of study {}", code(&findings.study.id)),
        head(findings, verdict),
    );
    section("## First of all", outcomes::urgent(verdict, &places));
    section("## Candidates for a reader", found::candidates(findings, &places));
    section("## What was not looked at, and why", coverage::not_looked_at(findings, &places));
    section("## What was looked at", coverage::looked_at(findings, &places));
    section("## Series", series(findings));
    section("## Vertebrae", found::vertebrae(findings));
    section("## Limitations", limitations(findings));
    section("## What the rules say", outcomes::all(verdict, &places));
    section("## How to read this page", HOW_TO_READ.to_owned());
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn head(findings: &Findings, verdict: Option<&Verdict>) -> String {
    let mut text = format!("> **{DISCLAIMER}**\n");
    if let Some(verdict) = verdict.filter(|verdict| !verdict.disclaimer.is_empty()) {
        text += &format!(">\n> {}\n", plain(&verdict.disclaimer));
    }
    let modalities: Vec<String> = findings.study.modalities.iter().map(|m| plain(m)).collect();
    let screened = findings.series.iter().filter(|s| s.choice == Choice::Chosen).count();
    text += &format!(
        "\n{} {}{}. {screened} of {} series screened, {} vertebrae found, {}.\n",
        plain(&findings.tool.name),
        plain(&findings.tool.version),
        if modalities.is_empty() {
            String::new()
        } else {
            format!(", {}", modalities.join(" and "))
        },
        findings.series.len(),
        findings.anatomy.vertebrae.len(),
        match findings.findings.len() {
            1 => "1 candidate".to_owned(),
            count => format!("{count} candidates"),
        },
    );
    if !findings.tool.settings.is_empty() {
        let settings: Vec<String> = findings.tool.settings.iter().map(|s| code(s)).collect();
        text += &format!("\nSettings that differ from their defaults: {}.\n", settings.join(", "));
    }
    text
}

/// Short names of sites: `L1 (v2)`; with the series where the study has several.
struct Places {
    names: BTreeMap<String, String>,
}

impl Places {
    fn of(findings: &Findings) -> Self {
        let mut series: Vec<&str> =
            findings.anatomy.vertebrae.iter().map(|v| v.series.as_str()).collect();
        series.sort_unstable();
        series.dedup();
        let names = findings
            .anatomy
            .vertebrae
            .iter()
            .map(|vertebra| {
                let id = vertebra.id.rsplit('/').next().unwrap_or(&vertebra.id);
                let mut name = match vertebra.level {
                    Some(level) => match level.doubt(&vertebra.level_candidates) {
                        Some(doubt) => format!("{level} ({}; {doubt})", plain(id)),
                        None => format!("{level} ({})", plain(id)),
                    },
                    None => format!("{}, level not known", plain(id)),
                };
                if series.len() > 1 {
                    let short: String = vertebra.series.chars().take(6).collect();
                    name += &format!(" in series {}\u{2026}", plain(&short));
                }
                (vertebra.id.clone(), name)
            })
            .collect();
        Self { names }
    }

    /// Name of a vertebra or site id.
    fn name(&self, id: &str) -> String {
        match (self.names.get(id), id) {
            (Some(name), _) => name.clone(),
            (None, "patient") => "patient".to_owned(),
            (None, "unlisted") => "any site that nobody has listed".to_owned(),
            (None, other) => plain(&other.replace('_', " ").replace(':', ", ")),
        }
    }
}

fn series(findings: &Findings) -> String {
    if findings.series.is_empty() {
        return "No series was read.".to_owned();
    }
    let mut text = String::from(
        "| series | kind of image | contrast medium | stack | screened |\n|---|---|---|---|---|\n",
    );
    for series in &findings.series {
        let stack = series.geometry.as_ref().map_or_else(
            || "no stack".to_owned(),
            |geometry| {
                let [ni, nj, nk] = geometry.size;
                let [si, sj, sk] = geometry.spacing_mm.map(number);
                let thickness = geometry
                    .slice_thickness_mm
                    .map_or_else(String::new, |mm| format!(", {} mm thick", number(mm)));
                format!("{} {ni}x{nj}x{nk}, {si}x{sj}x{sk} mm{thickness}", geometry.plane)
            },
        );
        let screened = match series.choice {
            Choice::Chosen => "yes".to_owned(),
            Choice::Skipped => format!(
                "no: {}",
                series.skipped_because.as_deref().map_or("no reason was given".to_owned(), plain)
            ),
        };
        text += &format!(
            "| {} | {} ({}) | {} | {stack} | {screened} |\n",
            code(&series.id),
            found::words(series.role),
            number(series.role_confidence),
            match series.contrast_medium {
                ContrastMedium::Given => "given",
                ContrastMedium::NotGiven => "not given",
                ContrastMedium::Unknown => "not told",
            },
        );
    }
    text += "\nBehind the kind of image: how sure it is, 0 to 1.\n";
    let overviews: Vec<String> = findings
        .series
        .iter()
        .filter(|series| series.choice == Choice::Chosen)
        .map(|series| link(&series.id, &format!("pictures/{}_overview.png", series.id)))
        .collect();
    if !overviews.is_empty() {
        text += &format!(
            "\nOverview pictures (none with `--no-pictures`): {}.\n",
            overviews.join(", ")
        );
    }
    text + &series_problems(&findings.series)
}

fn series_problems(series: &[SeriesRecord]) -> String {
    let mut text = String::new();
    for series in series {
        for problem in series.problems.iter().filter(|p| p.severity != Severity::Note) {
            text += &format!("- {}: {}\n", code(&series.id), problem_words(problem));
        }
    }
    let notes: usize = series
        .iter()
        .flat_map(|series| &series.problems)
        .filter(|problem| problem.severity == Severity::Note)
        .count();
    if notes > 0 {
        let more = if notes == 1 { "more note stands" } else { "more notes stand" };
        text += &format!("- {notes} {more} in `findings.json`.\n");
    }
    if text.is_empty() { text } else { format!("\nProblems with them:\n\n{text}") }
}

fn problem_words(problem: &Problem) -> String {
    let numbers: Vec<String> = problem
        .numbers
        .iter()
        .map(|(name, value)| format!("{} {}", plain(&name.replace('_', " ")), number(*value)))
        .collect();
    let numbers =
        if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
    format!("{}{numbers} [{}]", plain(&problem.sentence), code(&problem.code.to_string()))
}

fn limitations(findings: &Findings) -> String {
    if findings.limitations.is_empty() {
        return "None beyond those named above.".to_owned();
    }
    let mut text = String::new();
    for problem in &findings.limitations {
        text += &format!("- {} {}\n", problem_words(problem), plain(problem.code.explanation()));
    }
    text
}
