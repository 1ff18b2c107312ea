//! Lesions of all scans together: sensitivity by kind, size, level and strength; false findings;
//! FROC curves.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Estimate, Resampler};
use super::froc::{Froc, FrocData, froc};
use super::lesions::{LesionRow, LesionState, ScanLesions, ScanScores};
use super::matching::Kinds;
use super::scan::{Scan, Tier};
use crate::terms::{FeatureId, Status};

/// What became of a group of lesions. `expected` is the sum of the states below it; only `found`
/// counts in the sensitivity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LesionGroup {
    /// Lesions in the truth.
    pub expected: usize,
    /// Hit by a present finding.
    pub found: usize,
    /// Met by an indeterminate answer only.
    pub only_indeterminate: usize,
    /// Their vertebra was not assessed.
    pub not_assessed: usize,
    /// Their vertebra was called absent, or present elsewhere only.
    pub absent: usize,
    /// No vertebra was found near them.
    pub no_vertebra: usize,
    /// The result has no answer for their vertebra.
    pub no_answer: usize,
    /// Their scan has no result.
    pub no_result: usize,
    /// `found` over `expected`.
    pub sensitivity: Estimate,
    /// The same when a hit by an indeterminate finding counts as found. Shown apart.
    pub sensitivity_with_indeterminate: Estimate,
}

/// Lesions and findings of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindSummary {
    /// Its lesions.
    #[serde(flatten)]
    pub lesions: LesionGroup,
    /// Scans with a result that could be asked for this kind.
    pub scans: usize,
    /// Present findings on no lesion.
    pub false_findings: usize,
    /// Indeterminate findings on no lesion.
    pub false_indeterminate: usize,
    /// `false_findings` per scan that could be asked.
    pub false_per_scan: Estimate,
}

/// By what lesions of one kind are divided.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Division {
    /// Class of the volume.
    Size,
    /// Level in the truth.
    Level,
    /// Class of the strength.
    Strength,
}

/// Lesions of one kind and class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LesionClass {
    /// The feature that should see them.
    pub feature: FeatureId,
    /// By what they are divided.
    pub by: Division,
    /// Their class.
    pub class: String,
    /// What became of them.
    pub lesions: LesionGroup,
}

/// A FROC curve of one kind, or of all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrocOf {
    /// The kind; `null` for all together.
    pub feature: Option<FeatureId>,
    /// Which findings count.
    pub findings: Tier,
    /// The curve.
    pub froc: Froc,
}

/// Lesions of all scans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LesionSummary {
    /// Scans whose lesions are in the truth.
    pub scans: usize,
    /// Scans whose lesions nobody listed: their findings are neither right nor false.
    pub scans_not_judged: usize,
    /// All kinds together.
    pub all: KindSummary,
    /// Each kind that is in the truth or was found.
    pub kinds: BTreeMap<FeatureId, KindSummary>,
    /// By size, level and strength within each kind.
    pub classes: Vec<LesionClass>,
    /// FROC curves.
    pub froc: Vec<FrocOf>,
}

/// A scan with its patient and what was counted in it.
pub struct Counted<'a> {
    /// Its patient.
    pub patient: usize,
    /// The scan.
    pub scan: &'a Scan,
    /// Its lesions.
    pub lesions: &'a ScanLesions,
    /// What curves need.
    pub scores: &'a ScanScores,
}

/// Features in the truth or among the findings of the scans, in order.
pub fn features(scans: &[Counted<'_>]) -> BTreeSet<FeatureId> {
    let of_scan = |one: &Counted<'_>| {
        let lesions = one.lesions.lesions.iter().map(|row| row.feature);
        let found = one.lesions.false_findings.iter().map(|finding| finding.feature);
        lesions.chain(found).collect::<Vec<_>>()
    };
    scans.iter().flat_map(of_scan).collect()
}

/// All scans together.
pub fn summarise(scans: &[Counted<'_>], kinds: Kinds, resampler: &Resampler) -> LesionSummary {
    let judged = scans.iter().filter(|one| one.scan.truth.lesions.is_some()).count();
    let features = features(scans);
    let mut classes = Vec::new();
    for &feature in &features {
        for by in [Division::Size, Division::Level, Division::Strength] {
            let mut names: BTreeSet<(usize, String)> = BTreeSet::new();
            for row in scans.iter().flat_map(|one| &one.lesions.lesions) {
                if row.feature == feature
                    && let Some(class) = class_of(row, by)
                {
                    names.insert(class);
                }
            }
            classes.extend(names.into_iter().map(|class| LesionClass {
                feature,
                by,
                lesions: group(
                    scans,
                    |row| row.feature == feature && class_of(row, by).as_ref() == Some(&class),
                    resampler,
                ),
                class: class.1.clone(),
            }));
        }
    }
    let mut curves = Vec::new();
    for tier in [Tier::Present, Tier::PresentAndIndeterminate] {
        curves.push(curve(scans, None, tier, resampler));
        // Where any kind may hit, a false finding is not false for one kind alone.
        if kinds == Kinds::Same {
            let with_lesions = features.iter().filter(|feature| {
                scans.iter().any(|s| s.lesions.lesions.iter().any(|row| row.feature == **feature))
            });
            curves.extend(with_lesions.map(|f| curve(scans, Some(*f), tier, resampler)));
        }
    }
    LesionSummary {
        scans: judged,
        scans_not_judged: scans.len() - judged,
        all: kind(scans, None, resampler),
        kinds: features
            .iter()
            .map(|&feature| (feature, kind(scans, Some(feature), resampler)))
            .collect(),
        classes,
        froc: curves,
    }
}

/// Whether a scan counts for a kind, or for all together.
fn is_asked(scan: &Scan, feature: Option<FeatureId>) -> bool {
    // A scan without a result has no false findings and must not thin out those of the others.
    scan.has_result()
        && match feature {
            Some(feature) => scan.asks(feature),
            None => scan.truth.lesions.is_some(),
        }
}

fn kind(scans: &[Counted<'_>], feature: Option<FeatureId>, resampler: &Resampler) -> KindSummary {
    let of_kind = |kind: FeatureId| feature.is_none_or(|feature| feature == kind);
    let count = |one: &Counted<'_>, status: Status| {
        one.lesions
            .false_findings
            .iter()
            .filter(|f| of_kind(f.feature) && f.status == status)
            .count()
    };
    let mut asked = vec![0_u64; resampler.patients()];
    let mut wrong = vec![0_u64; resampler.patients()];
    for one in scans {
        asked[one.patient] += u64::from(is_asked(one.scan, feature));
        wrong[one.patient] += count(one, Status::Present) as u64;
    }
    KindSummary {
        lesions: group(scans, |row| of_kind(row.feature), resampler),
        scans: asked.iter().sum::<u64>() as usize,
        false_findings: wrong.iter().sum::<u64>() as usize,
        false_indeterminate: scans.iter().map(|one| count(one, Status::Indeterminate)).sum(),
        false_per_scan: resampler.ratio(&wrong, &asked),
    }
}

fn group(
    scans: &[Counted<'_>],
    belongs: impl Fn(&LesionRow) -> bool,
    resampler: &Resampler,
) -> LesionGroup {
    let patients = resampler.patients();
    let mut result = LesionGroup::default();
    let (mut expected, mut found, mut met) =
        (vec![0_u64; patients], vec![0_u64; patients], vec![0_u64; patients]);
    for one in scans {
        for row in one.lesions.lesions.iter().filter(|row| belongs(row)) {
            result.expected += 1;
            *match row.state {
                LesionState::Found => &mut result.found,
                LesionState::Indeterminate => &mut result.only_indeterminate,
                LesionState::NotAssessed => &mut result.not_assessed,
                LesionState::Absent => &mut result.absent,
                LesionState::NoVertebra => &mut result.no_vertebra,
                LesionState::NoAnswer => &mut result.no_answer,
                LesionState::NoResult => &mut result.no_result,
            } += 1;
            expected[one.patient] += 1;
            found[one.patient] += u64::from(row.state == LesionState::Found);
            met[one.patient] += u64::from(row.finding.is_some());
        }
    }
    result.sensitivity = resampler.ratio(&found, &expected);
    result.sensitivity_with_indeterminate = resampler.ratio(&met, &expected);
    result
}

/// Place in the order of classes, and name.
fn class_of(row: &LesionRow, by: Division) -> Option<(usize, String)> {
    match by {
        Division::Size => {
            let edges = [300.0, 1000.0, 3000.0];
            let place = edges.iter().filter(|edge| row.volume_mm3 >= **edge).count();
            Some((place, row.size.clone()))
        }
        Division::Level => Some(match row.level {
            Some(level) => (level as usize, level.to_string()),
            None => (usize::MAX, "unknown".to_owned()),
        }),
        Division::Strength => {
            let name = row.strength.clone()?;
            let place = match name.as_str() {
                name if name.contains("under") => 0,
                name if name.contains(" to ") => 1,
                _ => 2,
            };
            Some((place, name))
        }
    }
}

fn curve(
    scans: &[Counted<'_>],
    feature: Option<FeatureId>,
    tier: Tier,
    resampler: &Resampler,
) -> FrocOf {
    let n = match tier {
        Tier::Present => 0,
        Tier::PresentAndIndeterminate => 1,
    };
    let of_kind = |kind: FeatureId| feature.is_none_or(|feature| feature == kind);
    let mut data = FrocData { scans: vec![0; resampler.patients()], ..FrocData::default() };
    for one in scans {
        data.scans[one.patient] += u64::from(is_asked(one.scan, feature));
        let hits = one.scores.hits[n].iter().filter(|(kind, _)| of_kind(*kind));
        data.lesions.extend(hits.map(|(_, score)| (one.patient, *score)));
        let wrong = one.scores.false_findings[n].iter().filter(|(kind, _)| of_kind(*kind));
        data.false_findings.extend(wrong.map(|(_, score)| (one.patient, *score)));
    }
    FrocOf { feature, findings: tier, froc: froc(&data, resampler) }
}
