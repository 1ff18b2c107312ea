//! Findings and truth made up for tests.

use super::truth::{TrueSizes, TruthLesion, TruthVertebra};
use crate::findings::schema::{
    AnatomyRecord, Choice, Coverage, Evidence, Finding, FindingSite, Findings, SCHEMA,
    SeriesRecord, StudyRecord, Tool, VertebraRecord,
};
use crate::geometry::LpsPoint;
use crate::terms::{ContrastMedium, FeatureId, Level, Provider, Role, Status};

pub const SERIES: &str = "5e";

pub fn body(level: Option<Level>, z: f64, fraction_in_view: f64) -> TruthVertebra {
    TruthVertebra {
        level,
        centroid_lps_mm: LpsPoint::new(0.0, 0.0, z),
        fraction_in_view,
        measurements: TrueSizes::default(),
    }
}

pub fn vertebra(id: &str, level: Option<Level>, z: f64) -> VertebraRecord {
    VertebraRecord {
        id: id.into(),
        series: SERIES.into(),
        level,
        level_candidates: Vec::new(),
        section_guess: None,
        body_centroid_lps_mm: LpsPoint::new(0.0, 0.0, z),
        fraction_in_view: 1.0,
        confidence: 1.0,
        sizes: None,
        limitations: Vec::new(),
    }
}

/// A sclerotic lesion of 5 mm radius.
pub fn lesion(z: f64) -> TruthLesion {
    TruthLesion {
        feature: FeatureId::ScleroticDensity,
        level: None,
        centroid_lps_mm: LpsPoint::new(0.0, 0.0, z),
        volume_mm3: 523.6,
        contrast: None,
        contrast_unit: None,
        mean_added_hu: None,
        ignored: false,
        measurements: std::collections::BTreeMap::new(),
    }
}

pub fn finding(status: Status, score: f64, z: f64, vertebra: Option<&str>) -> Finding {
    Finding {
        id: "f1".into(),
        kind: FeatureId::ScleroticDensity,
        site: FindingSite {
            vertebra: vertebra.map(str::to_owned),
            region: None,
            side: None,
            parts: Vec::new(),
            centroid_lps_mm: Some(LpsPoint::new(0.0, 0.0, z)),
            volume_mm3: Some(523.6),
            distance_to_canal_mm: None,
        },
        status,
        reason: None,
        score: Some(score),
        measurements: Vec::new(),
        reference: None,
        evidence: vec![Evidence {
            series: SERIES.into(),
            slices: [1, 2],
            voxel_box: None,
            pictures: Vec::new(),
        }],
        speaks_for: Vec::new(),
        speaks_against: Vec::new(),
        limitations: Vec::new(),
    }
}

pub fn coverage(vertebra: &str, status: Status) -> Coverage {
    Coverage {
        feature: FeatureId::ScleroticDensity,
        series: Some(SERIES.into()),
        vertebra: Some(vertebra.into()),
        region: None,
        side: None,
        status,
        reason: None,
        absence_rules_out: false,
    }
}

pub fn findings(
    vertebrae: Vec<VertebraRecord>,
    findings: Vec<Finding>,
    coverage: Vec<Coverage>,
) -> Findings {
    Findings {
        schema: SCHEMA.into(),
        tool: Tool {
            name: "osteoflag".into(),
            version: "0".into(),
            decoders: Vec::new(),
            settings: Vec::new(),
        },
        study: StudyRecord { id: "57".into(), study_instance_uid: None, modalities: Vec::new() },
        series: vec![SeriesRecord {
            id: SERIES.into(),
            series_instance_uid: None,
            role: Role::CtSoft,
            role_confidence: 1.0,
            role_evidence: Vec::new(),
            contrast_medium: ContrastMedium::Unknown,
            geometry: None,
            choice: Choice::Chosen,
            skipped_because: None,
            problems: Vec::new(),
        }],
        anatomy: AnatomyRecord { provider: Provider::Heuristic, vertebrae },
        findings,
        coverage,
        sites: Vec::new(),
        limitations: Vec::new(),
    }
}
