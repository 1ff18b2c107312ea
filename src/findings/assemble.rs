//! What was seen on each series, as one `findings.json` for the study.

use std::collections::BTreeMap;

use super::schema::{
    AnatomyRecord, BodySizesRecord, Choice, Coverage, Evidence, Finding, FindingSite, Findings,
    GeometryRecord, MeasuredSize, SCHEMA, SeriesRecord, SiteRecord, StudyRecord, Tool,
    VertebraRecord,
};
use crate::anatomy::{Anatomy, MeasuredLength, Vertebra, VertebraId};
use crate::features::{Observation, Site};
use crate::geometry::Grid;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::role::RoleAssessment;
use crate::series::{Series, SeriesId, Study};
use crate::terms::{FeatureId, Provider, Reason, Region, Side, Status};
use crate::units::rounded;
use strum::VariantArray;

/// What became of one series of a study.
pub struct SeriesOutcome<'a> {
    /// The series.
    pub series: &'a Series,
    /// What it shows.
    pub role: RoleAssessment,
    /// Problems that came up after its headers were read.
    pub problems: Vec<Problem>,
    /// What was seen, or why it was left out.
    pub screened: Result<Screened, String>,
}

/// What was seen on a screened series.
pub struct Screened {
    /// Its anatomy.
    pub anatomy: Anatomy,
    /// The answer of every feature for every vertebra.
    pub observations: Vec<Observation>,
    /// Whether pictures of the findings exist under [`picture_name`].
    pub pictures: bool,
}

/// Name of the picture of observation number `index` of a series, relative to the study's folder.
/// Made before findings are numbered, because the voxels are gone by then.
pub fn picture_name(series: &SeriesId, index: usize, observation: &Observation) -> String {
    let site = match &observation.site {
        Site::Vertebra(vertebra) => vertebra.to_string(),
        Site::Region(region, Some(side)) => format!("{region}_{side}"),
        Site::Region(region, None) => region.to_string(),
        Site::Series => "series".to_owned(),
    };
    format!("pictures/{series}_{site}_{}_{index}.png", observation.feature)
}

/// Whether an observation becomes a finding: whatever is present, and what cannot be told where
/// there is a place to look at. All else is read in the coverage.
pub fn is_finding(observation: &Observation) -> bool {
    match observation.status {
        Status::Present => true,
        Status::Indeterminate => observation.location.is_some(),
        Status::Absent | Status::NotAssessed => false,
    }
}

/// Puts the outcomes of all series of a study together.
///
/// `absence_rules_out` tells for a feature whether its `absent` rules the finding out.
/// With `identifiers` the UIDs are written beside the pseudonyms.
pub fn assemble(
    study: &Study,
    outcomes: &[SeriesOutcome<'_>],
    tool: Tool,
    absence_rules_out: impl Fn(FeatureId) -> bool,
    identifiers: bool,
) -> Findings {
    let mut findings = Vec::new();
    let mut coverage = Vec::new();
    let mut vertebrae = Vec::new();
    for outcome in outcomes {
        let Ok(screened) = &outcome.screened else { continue };
        let series = &outcome.series.id;
        vertebrae.extend(vertebra_records(series, &screened.anatomy));
        let problems = series_problems(outcome);
        for (index, observation) in screened.observations.iter().enumerate() {
            coverage.push(coverage_row(
                series,
                observation,
                absence_rules_out(observation.feature),
            ));
            if is_finding(observation) {
                let mut finding = finding(outcome.series, observation, &problems);
                if screened.pictures {
                    for evidence in &mut finding.evidence {
                        evidence.pictures.push(picture_name(series, index, observation));
                    }
                }
                findings.push(finding);
            }
        }
    }
    coverage.extend(unscreened_coverage(&coverage, &absence_rules_out));
    order_findings(&mut findings);
    for (n, finding) in findings.iter_mut().enumerate() {
        finding.id = format!("f{}", n + 1);
    }
    let sites = sites(&findings);
    let modalities: std::collections::BTreeSet<String> =
        study.series.iter().filter_map(|s| s.tags.modality.clone()).collect();
    let mut limitations = study.problems.clone();
    let screened = outcomes.iter().filter(|outcome| outcome.screened.is_ok()).count();
    if screened > 1 {
        limitations.push(Problem::new(
            ProblemCode::NotMerged,
            Severity::Note,
            format!("{screened} series were screened; what is seen on two of them is listed twice"),
        ));
    }
    Findings {
        schema: SCHEMA.to_owned(),
        tool,
        study: StudyRecord {
            id: study.id.to_string(),
            study_instance_uid: identifiers.then(|| study.study_instance_uid.clone()),
            modalities: modalities.into_iter().collect(),
        },
        series: outcomes.iter().map(|outcome| series_record(outcome, identifiers)).collect(),
        anatomy: AnatomyRecord { provider: provider(outcomes), vertebrae },
        findings,
        coverage,
        sites,
        limitations,
    }
}

/// Imported as soon as one series has its anatomy from masks; the problems of each series say which.
fn provider(outcomes: &[SeriesOutcome<'_>]) -> Provider {
    let imported = outcomes
        .iter()
        .filter_map(|outcome| outcome.screened.as_ref().ok())
        .any(|screened| screened.anatomy.provider == Provider::Imported);
    if imported { Provider::Imported } else { Provider::Heuristic }
}

fn vertebra_key(series: &SeriesId, vertebra: &VertebraId) -> String {
    format!("{series}/{vertebra}")
}

fn series_problems(outcome: &SeriesOutcome<'_>) -> Vec<Problem> {
    let anatomy = outcome.screened.iter().flat_map(|screened| screened.anatomy.problems.iter());
    let mut problems: Vec<Problem> = outcome
        .series
        .problems
        .iter()
        .chain(&outcome.role.problems)
        .chain(&outcome.problems)
        .chain(anatomy)
        .cloned()
        .collect();
    for problem in &mut problems {
        problem.files.clear();
        for number in problem.numbers.values_mut() {
            *number = rounded(*number, 3);
        }
    }
    problems
}

fn geometry_record(grid: &Grid, series: &Series) -> GeometryRecord {
    GeometryRecord {
        size: grid.size(),
        spacing_mm: grid.spacing().map(|mm| rounded(mm, 4)),
        plane: grid.plane(),
        slice_thickness_mm: series.tags.slice_thickness_mm,
    }
}

fn series_record(outcome: &SeriesOutcome<'_>, identifiers: bool) -> SeriesRecord {
    let series = outcome.series;
    let mut problems = series_problems(outcome);
    problems.extend(series.not_a_volume.clone().map(|mut problem| {
        problem.files.clear();
        problem
    }));
    SeriesRecord {
        id: series.id.to_string(),
        series_instance_uid: identifiers.then(|| series.series_instance_uid.clone()),
        role: outcome.role.role,
        role_confidence: rounded(outcome.role.confidence.get(), 2),
        role_evidence: outcome.role.evidence.clone(),
        contrast_medium: outcome.role.contrast_medium,
        geometry: series.not_a_volume.is_none().then(|| geometry_record(&series.grid, series)),
        choice: if outcome.screened.is_ok() { Choice::Chosen } else { Choice::Skipped },
        skipped_because: outcome.screened.as_ref().err().cloned(),
        problems,
    }
}

fn vertebra_records(series: &SeriesId, anatomy: &Anatomy) -> Vec<VertebraRecord> {
    anatomy
        .vertebrae
        .iter()
        .map(|vertebra| VertebraRecord {
            id: vertebra_key(series, &vertebra.id),
            series: series.to_string(),
            level: vertebra.level,
            level_candidates: vertebra.level_candidates.clone(),
            section_guess: vertebra.section_guess,
            body_centroid_lps_mm: vertebra.centroid.rounded(1),
            fraction_in_view: rounded(vertebra.fraction_in_view.get(), 2),
            confidence: rounded(vertebra.confidence.get(), 2),
            sizes: body_sizes(vertebra),
            limitations: vertebra.problems.clone(),
        })
        .collect()
}

/// Sizes of a body whose outline can be trusted: a wrong millimetre is worse than none.
fn body_sizes(vertebra: &Vertebra) -> Option<BodySizesRecord> {
    let sizes = vertebra.body.as_ref().filter(|_| vertebra.outline_is_sure())?.measurements?;
    let size = |measured: Option<MeasuredLength>| {
        measured.map(|measured| MeasuredSize {
            value: rounded(measured.length.mm(), 1),
            error: rounded(measured.error.mm(), 1),
        })
    };
    Some(BodySizesRecord {
        anterior_height_mm: size(sizes.height_anterior),
        middle_height_mm: size(sizes.height_middle),
        posterior_height_mm: size(sizes.height_posterior),
        middle_depth_mm: size(sizes.depth),
        middle_width_mm: size(sizes.width),
    })
}

fn coverage_row(series: &SeriesId, observation: &Observation, absence_rules_out: bool) -> Coverage {
    let (vertebra, region, side) = match &observation.site {
        Site::Vertebra(vertebra) => (Some(vertebra_key(series, vertebra)), None, None),
        Site::Region(region, side) => (None, Some(*region), *side),
        Site::Series => (None, None, None),
    };
    Coverage {
        feature: observation.feature,
        series: Some(series.to_string()),
        vertebra,
        region,
        side,
        status: observation.status,
        reason: observation.reason,
        absence_rules_out,
    }
}

/// Rows for what no series answered: features without a series, and the bones outside the spine.
fn unscreened_coverage(
    answered: &[Coverage],
    absence_rules_out: &impl Fn(FeatureId) -> bool,
) -> Vec<Coverage> {
    let row = |feature, region, reason| Coverage {
        feature,
        series: None,
        vertebra: None,
        region,
        side: None,
        status: Status::NotAssessed,
        reason: Some(reason),
        absence_rules_out: absence_rules_out(feature),
    };
    let mut rows = Vec::new();
    for &feature in FeatureId::VARIANTS {
        if !answered.iter().any(|coverage| coverage.feature == feature) {
            rows.push(row(feature, None, Reason::NoSuitableSeries));
        }
    }
    for &region in Region::VARIANTS {
        if !answered.iter().any(|coverage| coverage.region == Some(region)) {
            rows.push(row(FeatureId::PelvicLesion, Some(region), Reason::RegionNotSegmented));
        }
    }
    rows
}

fn finding(series: &Series, observation: &Observation, problems: &[Problem]) -> Finding {
    let (vertebra, region, site_side) = match &observation.site {
        Site::Vertebra(vertebra) => (Some(vertebra_key(&series.id, vertebra)), None, None),
        Site::Region(region, side) => (None, Some(*region), *side),
        Site::Series => (None, None, None),
    };
    let location = observation.location.as_ref();
    let slices = location.and_then(|location| slice_range(&series.grid, location));
    let mut limitations = observation.problems.clone();
    limitations
        .extend(problems.iter().filter(|problem| problem.severity != Severity::Note).cloned());
    Finding {
        id: String::new(),
        kind: observation.feature,
        site: FindingSite {
            vertebra,
            region,
            side: location.and_then(|location| location.side).or(site_side),
            parts: location.map(|location| location.parts.clone()).unwrap_or_default(),
            centroid_lps_mm: location.map(|location| location.centroid.rounded(1)),
            volume_mm3: location
                .and_then(|location| location.volume)
                .map(|volume| rounded(volume.mm3(), 0)),
            distance_to_canal_mm: location
                .and_then(|location| location.distance_to_canal)
                .map(|distance| rounded(distance.mm(), 1)),
        },
        status: observation.status,
        reason: observation.reason,
        score: observation.score.map(|score| rounded(score.get(), 2)),
        measurements: observation.measurements.clone(),
        reference: observation.reference.clone(),
        evidence: slices
            .map(|slices| Evidence {
                series: series.id.to_string(),
                slices,
                voxel_box: location
                    .and_then(|location| location.voxel_box)
                    .map(|(low, high)| [[low.i, low.j, low.k], [high.i, high.j, high.k]]),
                pictures: Vec::new(),
            })
            .into_iter()
            .collect(),
        speaks_for: observation.speaks_for.clone(),
        speaks_against: observation.speaks_against.clone(),
        limitations,
    }
}

/// First and last slice, counted from 1.
fn slice_range(grid: &Grid, location: &crate::features::Location) -> Option<[usize; 2]> {
    if let Some((low, high)) = location.voxel_box {
        return Some([low.k + 1, high.k + 1]);
    }
    let slice = grid.nearest(location.centroid)?.k + 1;
    Some([slice, slice])
}

/// Present before indeterminate, then by kind, score and place: an order that any run gives.
fn order_findings(findings: &mut [Finding]) {
    let place = |finding: &Finding| {
        finding
            .site
            .centroid_lps_mm
            .map_or([0; 3], |p| [-p.z(), p.y(), p.x()].map(|mm| libm::round(mm * 10.0) as i64))
    };
    findings.sort_by(|a, b| {
        a.status
            .cmp(&b.status)
            .then_with(|| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)))
            .then_with(|| a.kind.cmp(&b.kind))
            .then_with(|| a.site.vertebra.cmp(&b.site.vertebra))
            .then_with(|| place(a).cmp(&place(b)))
    });
}

fn sites(findings: &[Finding]) -> Vec<SiteRecord> {
    let mut sites: BTreeMap<String, SiteRecord> = BTreeMap::new();
    for finding in findings {
        let site = &finding.site;
        let (id, side) = match (&site.vertebra, site.region, site.side) {
            (Some(vertebra), ..) => (vertebra.clone(), None),
            (None, Some(region), Some(side)) => (format!("{region}:{side}"), Some(side)),
            (None, Some(region), None) => (region.to_string(), None),
            (None, None, _) => continue,
        };
        sites
            .entry(id.clone())
            .or_insert_with(|| SiteRecord {
                id,
                vertebra: site.vertebra.clone(),
                region: site.region,
                side: side.filter(|side: &Side| site.region.is_some() && *side != Side::Bilateral),
                findings: Vec::new(),
            })
            .findings
            .push(finding.id.clone());
    }
    sites.into_values().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
mod tests {
    use super::*;
    use crate::anatomy::BodyMeasurements;
    use crate::features::synthetic::spine;
    use crate::terms::{Level, SpineSection};
    use crate::units::{Millimetres, Share};

    #[test]
    fn sizes_stand_with_their_error_and_only_where_vertebra_and_outline_are_sure() {
        let mut vertebra = spine(1, 2.0, |_, _| 0.0).anatomy.vertebrae.remove(0);
        assert_eq!(body_sizes(&vertebra), None, "this provider measured nothing");
        let length = |mm, error| {
            let (length, error) = (Millimetres::new(mm), Millimetres::new(error));
            Some(MeasuredLength { length, error })
        };
        vertebra.body.as_mut().unwrap().measurements = Some(BodyMeasurements {
            height_middle: length(22.04, 0.86),
            width: length(31.96, 1.2),
            ..BodyMeasurements::default()
        });
        let sizes = body_sizes(&vertebra).unwrap();
        assert_eq!(sizes.middle_height_mm, Some(MeasuredSize { value: 22.0, error: 0.9 }));
        assert_eq!(sizes.middle_width_mm, Some(MeasuredSize { value: 32.0, error: 1.2 }));
        assert_eq!((sizes.anterior_height_mm, sizes.middle_depth_mm), (None, None));
        let mut lowest = vertebra.clone();
        lowest.level_candidates = vec![Level::S1, Level::L5];
        assert_eq!(body_sizes(&lowest), None, "S1 by its likeliest level");
        lowest.level = Some(Level::L5);
        assert!(body_sizes(&lowest).is_some());
        lowest.section_guess = Some(SpineSection::Sacral);
        assert_eq!(body_sizes(&lowest), None);
        let mut doubtful = vertebra.clone();
        doubtful.confidence = Share::new(Vertebra::SURE - 0.01);
        assert_eq!(body_sizes(&doubtful), None);
        vertebra.body.as_mut().unwrap().confidence = Share::new(0.4);
        assert_eq!(body_sizes(&vertebra), None);
    }
}
