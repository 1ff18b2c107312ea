//! What the worked cases share: findings of a case, and questions to its verdict.

use std::collections::BTreeSet;
use std::path::PathBuf;

use osteoflag::eligibility::outcome::{Family, Outcome};
use osteoflag::eligibility::verdict::{OutcomeRecord, Shown, Verdict};
use osteoflag::eligibility::{ClinicalContext, ContextFormat, Rulebook, assess};
use osteoflag::findings::schema::{
    AnatomyRecord, Choice, Coverage, Evidence, Finding, FindingSite, Findings, SCHEMA,
    SeriesRecord, SiteRecord, StudyRecord, Tool, VertebraRecord,
};
use osteoflag::geometry::LpsPoint;
use osteoflag::terms::{ContrastMedium, FeatureId, Level, Provider, Region, Role, Side, Status};

// ---------------------------------------------------------------------------------------------
// Builders
// ---------------------------------------------------------------------------------------------

/// A site of a case, by level or by region and side.
#[derive(Clone, Copy)]
pub enum Place {
    At(Level),
    In(Region, Side),
}
pub use Place::{At, In};

pub struct Case(pub Findings);

impl Case {
    pub fn new(study: &str, modality: &str, roles: &[Role]) -> Self {
        let series = roles
            .iter()
            .enumerate()
            .map(|(index, role)| SeriesRecord {
                id: format!("series{}", index + 1),
                series_instance_uid: None,
                role: *role,
                role_confidence: 1.0,
                role_evidence: Vec::new(),
                contrast_medium: ContrastMedium::NotGiven,
                geometry: None,
                choice: Choice::Chosen,
                skipped_because: None,
                problems: Vec::new(),
            })
            .collect();
        Self(Findings {
            schema: SCHEMA.to_owned(),
            tool: Tool {
                name: "osteoflag".to_owned(),
                version: "worked case".to_owned(),
                decoders: Vec::new(),
                settings: Vec::new(),
            },
            study: StudyRecord {
                id: study.to_owned(),
                study_instance_uid: None,
                modalities: vec![modality.to_owned()],
            },
            series,
            anatomy: AnatomyRecord { provider: Provider::Heuristic, vertebrae: Vec::new() },
            findings: Vec::new(),
            coverage: Vec::new(),
            sites: Vec::new(),
            limitations: Vec::new(),
        })
    }

    /// Vertebrae of the first series, from feet to head.
    pub fn vertebrae(mut self, levels: &[Level]) -> Self {
        for (index, level) in levels.iter().enumerate() {
            self.0.anatomy.vertebrae.push(VertebraRecord {
                id: format!("series1/v{}", index + 1),
                series: "series1".to_owned(),
                level: Some(*level),
                level_candidates: vec![*level],
                section_guess: None,
                body_centroid_lps_mm: LpsPoint::new(0.0, 0.0, 30.0 * index as f64),
                fraction_in_view: 1.0,
                confidence: 0.9,
                sizes: None,
                limitations: Vec::new(),
            });
        }
        self
    }

    pub fn place(&self, place: Place) -> (Option<String>, Option<Region>, Option<Side>) {
        match place {
            In(region, side) => (None, Some(region), Some(side)),
            At(level) => {
                let vertebra = self.0.anatomy.vertebrae.iter().find(|v| v.level == Some(level));
                (Some(vertebra.expect("the case has this level").id.clone()), None, None)
            }
        }
    }

    /// A present finding with its row of coverage.
    pub fn present(mut self, feature: FeatureId, place: Place) -> Self {
        let id = format!("f{}", self.0.findings.len() + 1);
        let (vertebra, region, side) = self.place(place);
        let site_id = match (&vertebra, region, side) {
            (Some(vertebra), _, _) => vertebra.clone(),
            (None, Some(region), Some(side)) => format!("{region}:{side}"),
            _ => unreachable!("a place is a vertebra or a region with its side"),
        };
        self.0.findings.push(Finding {
            id: id.clone(),
            kind: feature,
            site: FindingSite {
                vertebra: vertebra.clone(),
                region,
                side,
                parts: Vec::new(),
                centroid_lps_mm: None,
                volume_mm3: None,
                distance_to_canal_mm: None,
            },
            status: Status::Present,
            reason: None,
            score: Some(0.8),
            measurements: Vec::new(),
            reference: None,
            evidence: vec![Evidence {
                series: "series1".to_owned(),
                slices: [1, 2],
                voxel_box: None,
                pictures: Vec::new(),
            }],
            speaks_for: Vec::new(),
            speaks_against: Vec::new(),
            limitations: Vec::new(),
        });
        match self.0.sites.iter_mut().find(|site| site.id == site_id) {
            Some(site) => site.findings.push(id),
            None => self.0.sites.push(SiteRecord {
                id: site_id,
                vertebra,
                region,
                side,
                findings: vec![id],
            }),
        }
        self.row(feature, place, Status::Present)
    }

    /// Looked for and not seen, by a feature whose absence rules out.
    pub fn absent(self, feature: FeatureId, place: Place) -> Self {
        self.row(feature, place, Status::Absent)
    }

    pub fn row(mut self, feature: FeatureId, place: Place, status: Status) -> Self {
        let (vertebra, region, side) = self.place(place);
        self.0.coverage.push(Coverage {
            feature,
            series: Some("series1".to_owned()),
            vertebra,
            region,
            side,
            status,
            reason: None,
            absence_rules_out: status == Status::Absent,
        });
        self
    }

    /// The findings as read back from their file.
    pub fn through_file(self, name: &str) -> Findings {
        let path = folder().join(format!("{name}.findings.json"));
        let written = serde_json::to_string_pretty(&self.0).unwrap() + "\n";
        if std::env::var_os("OSTEOFLAG_UPDATE").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, written, "{} differs from its builder", path.display());
        serde_json::from_str(&text).unwrap()
    }
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/worked_cases")
}

pub fn context_text(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.context.toml"))).unwrap()
}

/// The text without the lines that start with one of the keys.
pub fn without(text: &str, keys: &[&str]) -> String {
    let starts = |line: &str| keys.iter().any(|key| line.starts_with(&format!("{key} =")));
    assert!(text.lines().any(starts), "{keys:?} is not in the context");
    text.lines().filter(|line| !starts(line)).map(|line| format!("{line}\n")).collect()
}

pub fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the context");
    text.replace(from, to)
}

// ---------------------------------------------------------------------------------------------
// Asking a verdict
// ---------------------------------------------------------------------------------------------

pub struct Answer {
    pub verdict: Verdict,
    pub findings: Findings,
}

pub fn answer(findings: &Findings, context: &str) -> Answer {
    let context = ClinicalContext::parse(context, ContextFormat::Toml).unwrap();
    let verdict = assess(findings, Some(&context), &Rulebook::builtin().unwrap()).unwrap();
    Answer { verdict, findings: findings.clone() }
}

impl Answer {
    /// Id of a site by the level or `region:side` that people use.
    pub fn subject(&self, name: &str) -> String {
        self.findings
            .anatomy
            .vertebrae
            .iter()
            .find(|vertebra| vertebra.level.is_some_and(|level| level.to_string() == name))
            .map_or_else(|| name.to_owned(), |vertebra| vertebra.id.clone())
    }

    pub fn find(&self, outcome: &str, subject: &str) -> Option<&OutcomeRecord> {
        let subject = self.subject(subject);
        assert!(outcome.parse::<Outcome>().is_ok(), "{outcome} is no outcome");
        self.verdict.outcomes.iter().find(|record| {
            record.outcome == outcome
                && record.subject == subject
                && record.shown != Shown::Withheld
        })
    }

    pub fn expect(&self, outcome: &str, subjects: &[&str]) {
        for subject in subjects {
            assert!(
                self.find(outcome, subject).is_some(),
                "{outcome} at {subject} is missing:\n{}",
                self.listing()
            );
        }
    }

    pub fn expect_shown(&self, shown: Shown, outcome: &str, subjects: &[&str]) {
        for subject in subjects {
            let found = self.find(outcome, subject).map(|record| record.shown);
            assert_eq!(found, Some(shown), "{outcome} at {subject}:\n{}", self.listing());
        }
    }

    pub fn expect_anywhere(&self, outcome: &str) {
        assert!(
            self.verdict.outcomes.iter().any(|record| record.outcome == outcome),
            "{outcome}:\n{}",
            self.listing()
        );
    }

    pub fn must_not(&self, outcome: &str, subjects: &[&str]) {
        for subject in subjects {
            assert!(
                self.find(outcome, subject).is_none(),
                "{outcome} at {subject}:\n{}",
                self.listing()
            );
        }
    }

    pub fn must_not_anywhere(&self, outcome: &str) {
        let found = self.shown_words().contains(outcome);
        assert!(!found, "{outcome}:\n{}", self.listing());
    }

    pub fn must_not_propose(&self, outcome: &str) {
        let proposed = self
            .verdict
            .outcomes
            .iter()
            .any(|record| record.outcome == outcome && record.shown == Shown::Proposed);
        assert!(!proposed, "{outcome}:\n{}", self.listing());
    }

    /// Outcomes that are proposed or provisional.
    pub fn shown_words(&self) -> BTreeSet<&str> {
        self.verdict
            .outcomes
            .iter()
            .filter(|record| record.shown != Shown::Withheld)
            .map(|record| record.outcome.as_str())
            .collect()
    }

    /// Options shown for a subject.
    pub fn options(&self, subject: &str) -> Vec<&str> {
        let subject = self.subject(subject);
        self.verdict
            .outcomes
            .iter()
            .filter(|record| record.subject == subject && record.shown != Shown::Withheld)
            .map(|record| record.outcome.as_str())
            .filter(|word| word.parse::<Outcome>().unwrap().family() == Family::Candidate)
            .collect()
    }

    pub fn lacks(&self, outcome: &str, subject: &str, path: &str) {
        let record = self.find(outcome, subject).unwrap();
        assert!(record.missing.iter().any(|missing| missing == path), "{record:#?}");
    }

    pub fn listing(&self) -> String {
        let lines = |records: &[OutcomeRecord]| -> String {
            records
                .iter()
                .map(|record| {
                    format!(
                        "  {:?} {} @ {} ({}) missing {:?}\n",
                        record.shown, record.outcome, record.subject, record.rule, record.missing
                    )
                })
                .collect()
        };
        format!(
            "{}only as request:\n{}",
            lines(&self.verdict.outcomes),
            lines(&self.verdict.only_as_request)
        )
    }

    /// What every case expects.
    pub fn common(&self) {
        self.expect("refer_multidisciplinary", &["patient"]);
        self.expect("report_disclaimer", &["patient"]);
        for record in &self.verdict.outcomes {
            assert!(!record.sentence.contains('{'), "{}", record.sentence);
        }
    }
}

/// The twin without the platelet count shows the same outcomes, its options provisional, and asks
/// for a coagulation review.
pub fn platelet_twin(findings: &Findings, context: &str) {
    let base = answer(findings, context);
    let twin = answer(findings, &without(context, &["platelets_per_ul", "platelets_date"]));
    twin.expect("request_coagulation_review", &["patient"]);
    assert!(base.find("request_coagulation_review", "patient").is_none(), "{}", base.listing());
    let mut options = 0;
    for record in &base.verdict.outcomes {
        if record.shown == Shown::Withheld {
            continue;
        }
        let now = twin
            .verdict
            .outcomes
            .iter()
            .find(|other| {
                (&other.rule, &other.subject, &other.outcome)
                    == (&record.rule, &record.subject, &record.outcome)
            })
            .unwrap_or_else(|| {
                panic!("{} at {} is gone:\n{}", record.outcome, record.subject, twin.listing())
            });
        let outcome: Outcome = record.outcome.parse().unwrap();
        if outcome.family() == Family::Candidate && outcome != Outcome::ConsiderPainPump {
            options += 1;
            assert_eq!(now.shown, Shown::Provisional, "{}", record.outcome);
            assert!(now.missing.contains(&"patient.platelets_per_ul".to_owned()));
        } else {
            assert_eq!(now.shown, record.shown, "{}", record.outcome);
        }
    }
    assert!(options > 0, "the case has no options:\n{}", base.listing());
    // The limit itself does not pass: the options are withheld, and it is said by what.
    let low = changed(context, "platelets_per_ul = 180000", "platelets_per_ul = 50000");
    let low = answer(findings, &low);
    for record in &low.verdict.outcomes {
        let outcome: Outcome = record.outcome.parse().unwrap();
        if outcome.family() == Family::Candidate && outcome != Outcome::ConsiderPainPump {
            assert_eq!(record.shown, Shown::Withheld, "{}", low.listing());
            let by = record.withheld_by.as_deref();
            assert_eq!(by, Some("request_coagulation_review (coagulation-not-clear)"));
        }
    }
}
