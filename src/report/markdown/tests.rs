//! The page of made-up studies.

use super::found::words;
use super::markdown;
use crate::eligibility::verdict::{MissingInput, OutcomeRecord, Shown, Value, Verdict};
use crate::findings::schema::{
    AnatomyRecord, Choice, Coverage, Evidence, Finding, FindingSite, Findings, GeometryRecord,
    SCHEMA, SeriesRecord, SiteRecord, StudyRecord, Tool, VertebraRecord,
};
use crate::geometry::{LpsPoint, Plane};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::{
    ContrastMedium, FeatureId, Level, Part, Provider, Reason, Region, Role, Side, SpineSection,
    Status,
};
use crate::units::{Measurement, Reference, Unit};

const SERIES: &str = "0123456789abcdef";

fn series(id: &str, choice: Choice, problems: Vec<Problem>) -> SeriesRecord {
    let chosen = choice == Choice::Chosen;
    SeriesRecord {
        id: id.to_owned(),
        series_instance_uid: None,
        role: if chosen { Role::CtSoft } else { Role::Localizer },
        role_confidence: 0.82,
        role_evidence: Vec::new(),
        contrast_medium: ContrastMedium::Unknown,
        geometry: chosen.then_some(GeometryRecord {
            size: [512, 512, 134],
            spacing_mm: [0.9765625, 0.9765625, 3.0],
            plane: Plane::Axial,
            slice_thickness_mm: Some(3.0),
        }),
        choice,
        skipped_because: (!chosen).then(|| "a planning view".to_owned()),
        problems,
    }
}

fn vertebra(name: &str, level: Option<Level>) -> VertebraRecord {
    VertebraRecord {
        id: format!("{SERIES}/{name}"),
        series: SERIES.to_owned(),
        level,
        level_candidates: level.into_iter().collect(),
        section_guess: level.is_none().then_some(SpineSection::Lumbar),
        body_centroid_lps_mm: LpsPoint::new(1.0, -138.0, -440.0),
        fraction_in_view: 1.0,
        confidence: 0.9,
        sizes: None,
        limitations: Vec::new(),
    }
}

fn coverage(
    feature: FeatureId,
    place: Result<&str, Region>,
    status: Status,
    reason: Option<Reason>,
) -> Coverage {
    Coverage {
        feature,
        series: Some(SERIES.to_owned()),
        vertebra: place.ok().map(|name| format!("{SERIES}/{name}")),
        region: place.err(),
        side: None,
        status,
        reason,
        absence_rules_out: feature == FeatureId::ScleroticDensity,
    }
}

fn study() -> Findings {
    let gap = Problem::new(ProblemCode::SliceGap, Severity::Warning, "two slices are missing")
        .with_number("gap_mm", 6.0);
    let finding = Finding {
        id: "f1".to_owned(),
        kind: FeatureId::ScleroticDensity,
        site: FindingSite {
            vertebra: Some(format!("{SERIES}/v2")),
            region: None,
            side: Some(Side::Left),
            parts: vec![Part::PosteriorThird, Part::Pedicle],
            centroid_lps_mm: Some(LpsPoint::new(9.4, -138.5, -440.5)),
            volume_mm3: Some(1466.0),
            distance_to_canal_mm: Some(4.5),
        },
        status: Status::Present,
        reason: None,
        score: Some(0.71),
        measurements: vec![
            Measurement::new("mean_contrast_hu", 320.0, Unit::Hounsfield),
            Measurement::new("volume_mm3", 1466.0, Unit::CubicMillimetre),
            Measurement::new("peak_hu", 812.0, Unit::Hounsfield),
            Measurement::new("share_of_body", 0.12, Unit::Fraction),
        ],
        reference: Some(Reference {
            tissue: "own marrow and the four nearest bodies".to_owned(),
            voxels: 12345,
            median: 158.0,
            spread: 17.25,
            unit: Some(Unit::Hounsfield),
        }),
        evidence: vec![Evidence {
            series: SERIES.to_owned(),
            slices: [79, 83],
            voxel_box: None,
            pictures: vec!["pictures/f1.png".to_owned()],
        }],
        speaks_for: vec!["denser than every other body".to_owned()],
        speaks_against: vec!["touches the endplate".to_owned()],
        limitations: vec![gap.clone()],
    };
    let mut unclear = finding.clone();
    unclear.id = "f2".to_owned();
    unclear.kind = FeatureId::PosteriorWallDisruption;
    unclear.site.vertebra = Some(format!("{SERIES}/v1"));
    unclear.site.side = None;
    unclear.site.parts.clear();
    unclear.status = Status::Indeterminate;
    unclear.reason = Some(Reason::BetweenLimits);
    unclear.score = None;
    unclear.measurements.truncate(1);
    unclear.reference = None;
    unclear.evidence[0].slices = [70, 70];
    unclear.evidence[0].pictures.clear();
    unclear.limitations.clear();
    let mut rows = vec![
        coverage(FeatureId::ScleroticDensity, Ok("v1"), Status::Absent, None),
        coverage(FeatureId::ScleroticDensity, Ok("v2"), Status::Present, None),
        coverage(
            FeatureId::PosteriorWallDisruption,
            Ok("v1"),
            Status::Indeterminate,
            Some(Reason::BetweenLimits),
        ),
        coverage(FeatureId::PosteriorWallDisruption, Ok("v2"), Status::Absent, None),
        coverage(
            FeatureId::PelvicLesion,
            Err(Region::Ilium),
            Status::NotAssessed,
            Some(Reason::RegionNotSegmented),
        ),
    ];
    for feature in [FeatureId::LyticDensity, FeatureId::FractureLine] {
        for place in ["v1", "v2"] {
            rows.push(coverage(feature, Ok(place), Status::NotAssessed, Some(Reason::NotBuilt)));
        }
    }
    rows.push(coverage(
        FeatureId::T1MarrowSignalDrop,
        Ok("v1"),
        Status::NotAssessed,
        Some(Reason::NoSuitableSeries),
    ));
    Findings {
        schema: SCHEMA.to_owned(),
        tool: Tool {
            name: "osteoflag".to_owned(),
            version: "0.1.0".to_owned(),
            decoders: Vec::new(),
            settings: vec!["sclerotic_density.min_contrast_hu=100".to_owned()],
        },
        study: StudyRecord {
            id: "fedcba9876543210".to_owned(),
            study_instance_uid: Some("1.2.840.1.SECRET".to_owned()),
            modalities: vec!["CT".to_owned()],
        },
        series: vec![
            series(SERIES, Choice::Chosen, vec![gap]),
            series("1111111111111111", Choice::Skipped, Vec::new()),
        ],
        anatomy: AnatomyRecord {
            provider: Provider::Heuristic,
            vertebrae: vec![vertebra("v1", None), vertebra("v2", Some(Level::L1))],
        },
        findings: vec![finding, unclear],
        coverage: rows,
        sites: vec![SiteRecord {
            id: format!("{SERIES}/v2"),
            vertebra: Some(format!("{SERIES}/v2")),
            region: None,
            side: None,
            findings: vec!["f1".to_owned()],
        }],
        limitations: vec![Problem::new(
            ProblemCode::NotMerged,
            Severity::Note,
            "findings of several series stand apart",
        )],
    }
}

fn outcome(word: &str, subject: &str, value: Value, shown: Shown) -> OutcomeRecord {
    OutcomeRecord {
        outcome: word.to_owned(),
        subject: subject.to_owned(),
        value,
        shown,
        withheld_by: (shown == Shown::Withheld).then(|| "refer_surgery (neuro_1)".to_owned()),
        missing: if shown == Shown::Provisional {
            vec!["patient.platelets_per_ul".to_owned()]
        } else {
            Vec::new()
        },
        rule: format!("{word}_1"),
        sentence: "A sentence for people.".to_owned(),
        because: vec!["the reader said so".to_owned()],
        sources: vec!["F023".to_owned()],
    }
}

fn verdict() -> Verdict {
    Verdict {
        schema: crate::eligibility::verdict::SCHEMA.to_owned(),
        study: "fedcba9876543210".to_owned(),
        rulebook: "default 1".to_owned(),
        context_given: false,
        outcomes: vec![
            outcome("exclude_ablation_alone", "patient", Value::Met, Shown::Proposed),
            outcome("refer_surgery", "patient", Value::Unknown, Shown::Provisional),
            outcome("consider_ablation", &format!("{SERIES}/v2"), Value::NotMet, Shown::Withheld),
            outcome("request_clinical_input", "unlisted", Value::Met, Shown::Proposed),
        ],
        only_as_request: Vec::new(),
        missing: vec![MissingInput {
            input: "patient.platelets_per_ul".to_owned(),
            from: "clinician".to_owned(),
            rules: vec!["consider_ablation_1".to_owned()],
        }],
        notes: vec!["the context names a site that the image does not show".to_owned()],
        disclaimer: "For information; it does not replace professional judgment.".to_owned(),
    }
}

#[test]
fn the_page_of_a_study_with_candidates_is_unchanged() {
    insta::assert_snapshot!(markdown(&study(), Some(&verdict())));
}

/// A study in which no spine was found.
fn nothing_assessed() -> Findings {
    let mut findings = study();
    findings.findings.clear();
    findings.sites.clear();
    findings.anatomy.vertebrae.clear();
    findings.coverage = vec![Coverage {
        vertebra: None,
        ..coverage(
            FeatureId::ScleroticDensity,
            Ok("v1"),
            Status::NotAssessed,
            Some(Reason::SpineNotFound),
        )
    }];
    findings
}

#[test]
fn the_page_of_a_study_without_a_spine_is_unchanged() {
    insta::assert_snapshot!(markdown(&nothing_assessed(), None));
}

#[test]
fn not_looked_at_never_reads_as_nothing_there() {
    let mut no_candidate = study();
    no_candidate.findings.clear();
    let mut no_coverage = study();
    no_coverage.findings.clear();
    no_coverage.coverage.clear();
    let mut no_series = nothing_assessed();
    no_series.series.clear();
    for findings in [nothing_assessed(), no_candidate, no_coverage, no_series] {
        let page = markdown(&findings, None).to_lowercase();
        for calming in ["nothing was found", "no findings", "normal", "unremarkable", "no lesion"] {
            assert!(!page.contains(calming), "{calming}");
        }
    }
    let page = markdown(&nothing_assessed(), None);
    assert!(page.contains("Nothing was assessed"));
    assert!(page.contains("no spine was found in the series"));
    assert!(page.contains("The rules were not run"));
}

#[test]
fn every_missing_answer_is_named_with_its_reason() {
    let findings = study();
    let page = markdown(&findings, None);
    for row in &findings.coverage {
        if let Some(reason) = row.reason {
            assert!(page.contains(reason.sentence()), "{reason}");
            assert!(page.contains(&words(row.feature)), "{}", row.feature);
        }
    }
}

#[test]
fn no_identifier_and_no_markup_of_others_stands_on_the_page() {
    let mut findings = study();
    let evil = "<script>x</script> [a](http://b) | `c`\n# d";
    findings.findings[0].speaks_for = vec![evil.to_owned()];
    findings.findings[0].id = evil.to_owned();
    findings.findings[0].evidence[0].pictures = vec!["../../x.png".to_owned()];
    findings.series[0].skipped_because = Some(evil.to_owned());
    findings.series[0].choice = Choice::Skipped;
    findings.series[1].id = evil.to_owned();
    findings.study.id = evil.to_owned();
    findings.limitations[0].sentence = evil.to_owned();
    let mut verdict = verdict();
    verdict.outcomes[0].sentence = evil.to_owned();
    verdict.outcomes[0].outcome = evil.to_owned();
    verdict.rulebook = evil.to_owned();
    verdict.missing[0].input = evil.to_owned();
    let page = markdown(&findings, Some(&verdict));
    assert!(!page.contains("SECRET"));
    // What is escaped, or stands in code letters, is shown and not obeyed.
    let unescaped = page.replace("\\]", "").replace("\\[", "").replace("\\`", "");
    let unescaped: String = unescaped.split('`').step_by(2).collect();
    for markup in ["<script", "](http", "http:", "\n# d", "../../x.png)", "](../"] {
        assert!(!unescaped.contains(markup), "{markup}");
    }
    // Every row of a table keeps its number of columns.
    let table = page.lines().filter(|line| line.starts_with("| "));
    for line in table {
        let columns = line.replace("\\|", "").matches('|').count();
        assert!([4, 6, 7, 9].contains(&columns), "{line}");
    }
}

#[test]
fn a_met_referral_stands_before_the_candidates() {
    let page = markdown(&study(), Some(&verdict()));
    let at = |words: &str| page.find(words).unwrap();
    assert!(at("exclude ablation alone") < at("## Candidates for a reader"));
    assert!(at("Not ruled out") < at("## Candidates for a reader"));
    assert!(at("## What was not looked at") < at("## What was looked at"));
}
