//! Candidates and vertebrae.

use super::Places;
use super::text::{code, link, number, plain};
use crate::findings::schema::{Finding, Findings, VertebraRecord};
use crate::terms::Status;
use crate::units::{Measurement, Unit};

/// Measurements that stand in the table; all stand in the list below it.
const IN_TABLE: usize = 3;

pub(super) fn candidates(findings: &Findings, places: &Places) -> String {
    let assessed = findings
        .coverage
        .iter()
        .filter(|row| matches!(row.status, Status::Present | Status::Absent))
        .count();
    if findings.findings.is_empty() {
        return if assessed == 0 {
            "**Nothing was assessed, so nothing can be said about bone in this study.** The next section tells why."
                .to_owned()
        } else {
            format!(
                "No candidate in what was assessed: {assessed} of {} questions and places. For the others there is no \
                 answer; the next section names them.",
                findings.coverage.len()
            )
        };
    }
    let mut text = String::from(
        "| | where | what | answer | score | numbers | slices | picture |\n|---|---|---|---|---|---|---|---|\n",
    );
    for finding in &findings.findings {
        text += &row(finding, places);
    }
    text.push('\n');
    for finding in &findings.findings {
        text += &details(finding, places);
    }
    text
}

fn row(finding: &Finding, places: &Places) -> String {
    let numbers: Vec<String> = finding.measurements.iter().take(IN_TABLE).map(measured).collect();
    let mut slices = Vec::new();
    let mut pictures = Vec::new();
    for evidence in &finding.evidence {
        slices.push(range(evidence.slices));
        for path in &evidence.pictures {
            pictures.push(link(&format!("picture {}", pictures.len() + 1), path));
        }
    }
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
        plain(&finding.id),
        place(finding, places),
        words(finding.kind),
        answer(finding),
        finding.score.map_or_else(String::new, number),
        numbers.join(", "),
        slices.join("; "),
        if pictures.is_empty() { "none".to_owned() } else { pictures.join(", ") },
    )
}

fn details(finding: &Finding, places: &Places) -> String {
    let mut text = format!(
        "**{}** {}, {}: {}\n",
        plain(&finding.id),
        words(finding.kind),
        place(finding, places),
        answer(finding)
    );
    if finding.measurements.len() > IN_TABLE {
        let all: Vec<String> = finding.measurements.iter().map(measured).collect();
        text += &format!("- measured: {}\n", all.join(", "));
    }
    if let Some(reference) = &finding.reference {
        let unit = reference.unit.map_or("", Unit::symbol);
        text += &format!(
            "- compared with: {} ({} voxels, median {}{}, spread {}{})\n",
            plain(&reference.tissue),
            reference.voxels,
            number(reference.median),
            spaced(unit),
            number(reference.spread),
            spaced(unit),
        );
    }
    if let Some(centre) = finding.site.centroid_lps_mm {
        let [x, y, z] = <[f64; 3]>::from(centre).map(number);
        let canal = finding
            .site
            .distance_to_canal_mm
            .map_or_else(String::new, |mm| format!(", {} mm from the canal", number(mm)));
        text += &format!("- centre: {x}, {y}, {z} mm LPS{canal}\n");
    }
    for (title, sentences) in
        [("speaks for it", &finding.speaks_for), ("speaks against it", &finding.speaks_against)]
    {
        if !sentences.is_empty() {
            let all: Vec<String> = sentences.iter().map(|sentence| plain(sentence)).collect();
            text += &format!("- {title}: {}\n", all.join("; "));
        }
    }
    for evidence in &finding.evidence {
        let slices = range(evidence.slices);
        text += &format!("- seen on: series {}, slices {slices}\n", code(&evidence.series));
    }
    for problem in &finding.limitations {
        text += &format!("- limitation: {}\n", super::problem_words(problem));
    }
    text.push('\n');
    text
}

/// First and last slice.
fn range([first, last]: [usize; 2]) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// Vertebra or region, side, parts.
fn place(finding: &Finding, places: &Places) -> String {
    let site = &finding.site;
    let mut parts = Vec::new();
    if let Some(vertebra) = &site.vertebra {
        parts.push(places.name(vertebra));
    }
    if let Some(region) = site.region {
        parts.push(words(region));
    }
    if let Some(side) = site.side {
        parts.push(words(side));
    }
    parts.extend(site.parts.iter().map(|&part| words(part)));
    if parts.is_empty() { "place not told".to_owned() } else { parts.join(", ") }
}

fn answer(finding: &Finding) -> String {
    match (finding.status, finding.reason) {
        (Status::Present, _) => "present".to_owned(),
        (Status::Absent, _) => "absent".to_owned(),
        (status, reason) => {
            let status =
                if status == Status::NotAssessed { "not looked at" } else { "cannot tell" };
            reason.map_or_else(|| status.to_owned(), |r| format!("{status}: {}", r.sentence()))
        }
    }
}

/// A word of a closed vocabulary, for people.
pub(super) fn words(word: impl std::fmt::Display) -> String {
    let word = word.to_string();
    let spoken = word.split('_').map(|part| match part {
        "ct" | "mr" | "t1" | "t2" | "stir" | "pd" | "dwi" | "adc" => part.to_uppercase(),
        part => part.to_owned(),
    });
    spoken.collect::<Vec<String>>().join(" ")
}

/// `mean_contrast_hu` 320 becomes `mean contrast 320 HU`.
fn measured(measurement: &Measurement) -> String {
    let ending = match measurement.unit {
        Unit::Millimetre => "_mm",
        Unit::SquareMillimetre => "_mm2",
        Unit::CubicMillimetre => "_mm3",
        Unit::Hounsfield => "_hu",
        Unit::Degree => "_deg",
        Unit::StandardDeviation => "_sd",
        Unit::Fraction | Unit::Ratio | Unit::Count => "",
    };
    let name = measurement.name.strip_suffix(ending).unwrap_or(&measurement.name);
    format!(
        "{} {}{}",
        plain(&name.replace('_', " ")),
        number(measurement.value),
        spaced(measurement.unit.symbol())
    )
}

fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

pub(super) fn vertebrae(findings: &Findings) -> String {
    if findings.anatomy.vertebrae.is_empty() {
        return "No vertebra was found in any screened series: nothing is said about the spine."
            .to_owned();
    }
    let mut text = String::from(
        "| vertebra | level | could be | in view | sure of it | limitations |\n|---|---|---|---|---|---|\n",
    );
    for vertebra in &findings.anatomy.vertebrae {
        let limitations: Vec<String> =
            vertebra.limitations.iter().map(|problem| plain(&problem.sentence)).collect();
        text += &format!(
            "| {} | {} | {} | {} % | {} | {} |\n",
            code(&vertebra.id),
            vertebra.level.map_or_else(|| "not known".to_owned(), |level| level.to_string()),
            could_be(vertebra),
            number(libm::round(vertebra.fraction_in_view * 100.0)),
            number(vertebra.confidence),
            limitations.join("; "),
        );
    }
    text
}

fn could_be(vertebra: &VertebraRecord) -> String {
    let candidates: Vec<String> =
        vertebra.level_candidates.iter().map(ToString::to_string).collect();
    match (candidates.is_empty(), vertebra.section_guess) {
        (false, _) => candidates.join(", "),
        (true, Some(section)) => format!("{} by size or shape", words(section)),
        (true, None) => String::new(),
    }
}
