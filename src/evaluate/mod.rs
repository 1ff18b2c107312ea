//! Findings against truth: vertebrae found, missed and false, levels named right or wrong, lesions
//! found and missed, curves over the score, agreement of measurements; with intervals over
//! patients.
//!
//! Takes findings and truths that are already in memory, gives an [`Evaluation`] and the texts of
//! its tables and pictures. What every number means is told in `docs/EVALUATION.md`.
//!
//! The way: [`pair`] brings results and truths together, [`Scan::new`] cuts out the series to
//! compare, [`evaluate`] counts in each scan and over all. A vertebra or lesion that was not
//! answered is a miss, never left out.

mod agreement;
mod assignment;
mod bootstrap;
mod csv;
mod froc;
mod lesions;
mod masks;
mod matching;
mod nearest;
mod pairing;
mod roc;
mod scan;
mod summary;
mod svg;
mod sweep;
#[cfg(test)]
mod testing;
mod truth;
mod truth_csv;
mod truth_labels;
mod units;
mod vertebrae;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use agreement::Agreement;
pub use bootstrap::Estimate;
pub use csv::tables;
pub use froc::{Froc, FrocPoint, RATES, SensitivityAt};
pub use lesions::{FalseFinding, LesionRow, LesionState, ScanLesions};
pub use masks::{MaskPair, MaskScore, MaskSummary, ScanMasks};
pub use matching::{Kinds, Matching};
pub use pairing::{Pairing, PairingError, ResultKey, TruthKey, pair};
pub use roc::{Roc, RocPoint};
pub use scan::{MatchedBy, Scan, Tier};
pub use summary::{Division, FrocOf, KindSummary, LesionClass, LesionGroup, LesionSummary};
pub use svg::pictures;
pub use sweep::{
    Below, Cut, CutError, STORED_CUTS, StoredCut, Sweep, SweepError, SweepKind, SweepResult,
    SweepRow, apply_cut, row, stored_cut, sweep_picture, sweep_table,
};
pub use truth::{Truth, TruthError, TruthLesion, TruthVertebra};
pub use truth_csv::{TruthRow, parse_csv};
pub use truth_labels::{lesions_of_labels, vertebrae_of_labels};
pub use vertebrae::{VertebraMatch, VertebraScore, VertebraSummary};

use agreement::agreement;
use bootstrap::Resampler;
use lesions::{ScanScores, score_lesions};
use roc::roc;
use summary::Counted;
use units::{patient_units, vertebra_units};
use vertebrae::{ScoredScan, score_vertebrae, size_pairs};

/// Value of [`Evaluation::schema`].
pub const SCHEMA: &str = "osteoflag-evaluation/1";

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// When a finding hits a lesion.
    pub matching: Matching,
    /// Whether it must be of the lesion's kind.
    pub kinds: Kinds,
    /// Replicates of the bootstrap.
    pub replicates: usize,
    /// Its seed.
    pub seed: u64,
}

impl Default for Options {
    /// Hits within 3 mm of the lesion's sphere, same kind, 1000 replicates, seed 1.
    fn default() -> Self {
        Self {
            matching: Matching::Distance { margin_mm: 3.0 },
            kinds: Kinds::Same,
            replicates: 1000,
            seed: 1,
        }
    }
}

/// Findings against truth. `docs/EVALUATION.md` says what each number means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Name and version of this format: [`SCHEMA`].
    pub schema: String,
    /// How it was compared, in words.
    pub rule: Rule,
    /// Scans compared.
    pub scans: usize,
    /// Patients they are of.
    pub patients: usize,
    /// Scans whose truth has no result: all of it counts as missed.
    pub scans_without_result: usize,
    /// Vertebrae.
    pub vertebrae: VertebraSummary,
    /// Masks of vertebrae; `null` where no scan has them on both sides.
    pub masks: Option<MaskSummary>,
    /// Lesions.
    pub lesions: LesionSummary,
    /// ROC curves over vertebrae and patients.
    pub roc: Vec<RocOf>,
    /// Agreement of measurements.
    pub agreement: Vec<Agreement>,
    /// Each scan.
    pub cases: Vec<CaseScore>,
    /// What a reader of the numbers must know.
    pub notes: Vec<String>,
}

/// File name and text of each schema under `schemas/`.
pub fn schemas() -> Vec<(&'static str, String)> {
    let text = |schema: schemars::Schema| format!("{:#}\n", schema.to_value());
    vec![
        ("evaluation.schema.json", text(schemars::schema_for!(Evaluation))),
        ("sweep.schema.json", text(schemars::schema_for!(SweepResult))),
    ]
}

/// How it was compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `distance` or `overlap`.
    pub matching: String,
    /// mm beyond the lesion's sphere, or least intersection over union.
    pub limit: f64,
    /// `same` or `any`.
    pub kinds: String,
    /// Replicates of the bootstrap over patients.
    pub replicates: usize,
    /// Its seed.
    pub seed: u64,
}

/// What a ROC curve is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RocUnit {
    /// True vertebrae at least half in view.
    Vertebra,
    /// Patients.
    Patient,
}

/// A ROC curve of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RocOf {
    /// What it is over.
    pub unit: RocUnit,
    /// The kind; `null` for any (patients only).
    pub feature: Option<crate::terms::FeatureId>,
    /// The curve.
    pub roc: Roc,
}

/// One scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseScore {
    /// Folder or file of the truth.
    pub name: String,
    /// Who it is of.
    pub patient: String,
    /// The study; `null` without a result.
    pub study: Option<String>,
    /// The series compared; `null` without a screened series.
    pub series: Option<String>,
    /// By what result and truth were brought together.
    pub matched_by: Option<MatchedBy>,
    /// Vertebrae; `null` where the truth has none listed.
    pub vertebrae: Option<VertebraScore>,
    /// Masks; `null` unless both sides have them.
    pub masks: Option<ScanMasks>,
    /// Lesions.
    pub lesions: ScanLesions,
}

/// Compares scans with their truth.
pub fn evaluate(scans: &[Scan], options: &Options) -> Evaluation {
    let mut patients: Vec<&str> = scans.iter().map(|scan| scan.patient.as_str()).collect();
    patients.sort_unstable();
    patients.dedup();
    let patient_of: Vec<usize> = scans
        .iter()
        .map(|scan| patients.partition_point(|known| *known < scan.patient.as_str()))
        .collect();
    let resampler = Resampler::new(patients.len(), options.replicates, options.seed);
    let vertebrae: Vec<Option<VertebraScore>> = scans
        .iter()
        .map(|scan| Some(score_vertebrae(&scan.vertebrae, scan.truth.vertebrae.as_ref()?)))
        .collect();
    let lesions: Vec<(ScanLesions, ScanScores)> = scans
        .iter()
        .zip(&patient_of)
        .map(|(scan, &patient)| score_lesions(scan, patient, options.matching, options.kinds))
        .collect();
    let counted: Vec<Counted<'_>> = scans
        .iter()
        .zip(&patient_of)
        .zip(&lesions)
        .map(|((scan, &patient), (lesions, scores))| Counted { patient, scan, lesions, scores })
        .collect();
    let scored: Vec<ScoredScan<'_>> = patient_of
        .iter()
        .zip(scans)
        .zip(&vertebrae)
        .filter_map(|((&patient, scan), score)| {
            let score = score.as_ref()?;
            Some(ScoredScan { patient, has_result: scan.has_result(), score })
        })
        .collect();
    let masks: Vec<Option<ScanMasks>> =
        scans.iter().map(|scan| scan.masks.as_ref().map(masks::score_masks)).collect();
    let masked: Vec<(usize, &ScanMasks)> = patient_of
        .iter()
        .zip(&masks)
        .filter_map(|(patient, score)| Some((*patient, score.as_ref()?)))
        .collect();
    let mut pairs: Vec<_> = lesions.iter().flat_map(|(_, scores)| scores.pairs.clone()).collect();
    for ((scan, &patient), score) in scans.iter().zip(&patient_of).zip(&vertebrae) {
        let truth = scan.truth.vertebrae.as_deref().unwrap_or_default();
        let score = score.iter();
        pairs.extend(score.flat_map(|score| size_pairs(patient, &scan.vertebrae, truth, score)));
    }
    Evaluation {
        schema: SCHEMA.to_owned(),
        rule: Rule::of(options),
        scans: scans.len(),
        patients: patients.len(),
        scans_without_result: scans.iter().filter(|scan| !scan.has_result()).count(),
        vertebrae: vertebrae::summarise(&scored, &resampler),
        masks: (!masked.is_empty()).then(|| masks::summarise(&masked, &resampler)),
        lesions: summary::summarise(&counted, options.kinds, &resampler),
        roc: curves(&counted, &vertebrae, &resampler),
        agreement: agreement(&pairs, &resampler),
        notes: notes(scans, &vertebrae),
        cases: scans
            .iter()
            .zip(vertebrae)
            .zip(lesions)
            .zip(masks)
            .map(|(((scan, vertebrae), (lesions, _)), masks)| CaseScore {
                name: scan.name.clone(),
                patient: scan.patient.clone(),
                study: scan.study.clone(),
                series: scan.series.clone(),
                matched_by: scan.matched_by,
                vertebrae,
                masks,
                lesions,
            })
            .collect(),
    }
}

impl Rule {
    fn of(options: &Options) -> Self {
        let (matching, limit) = match options.matching {
            Matching::Distance { margin_mm } => ("distance", margin_mm),
            Matching::Overlap { least } => ("overlap", least),
        };
        let kinds = match options.kinds {
            Kinds::Same => "same",
            Kinds::Any => "any",
        };
        Self {
            matching: matching.to_owned(),
            limit,
            kinds: kinds.to_owned(),
            replicates: options.replicates,
            seed: options.seed,
        }
    }
}

/// One curve over vertebrae and one over patients for each feature with a lesion in the truth, and
/// one over patients for any.
fn curves(
    counted: &[Counted<'_>],
    vertebrae: &[Option<VertebraScore>],
    resampler: &Resampler,
) -> Vec<RocOf> {
    let scans: Vec<(usize, &Scan)> = counted.iter().map(|one| (one.patient, one.scan)).collect();
    let with_lesions = |feature: &crate::terms::FeatureId| {
        counted.iter().any(|one| one.lesions.lesions.iter().any(|row| row.feature == *feature))
    };
    let mut curves = Vec::new();
    for feature in summary::features(counted).into_iter().filter(with_lesions) {
        let units: Vec<_> = counted
            .iter()
            .zip(vertebrae)
            .flat_map(|(one, matches)| {
                let units = matches
                    .as_ref()
                    .map(|matches| vertebra_units(one.scan, one.patient, matches, feature));
                units.unwrap_or_default()
            })
            .collect();
        let of = Some(feature);
        curves.push(RocOf { unit: RocUnit::Vertebra, feature: of, roc: roc(&units, resampler) });
        let units = patient_units(&scans, resampler.patients(), of);
        curves.push(RocOf { unit: RocUnit::Patient, feature: of, roc: roc(&units, resampler) });
    }
    let units = patient_units(&scans, resampler.patients(), None);
    if !units.is_empty() {
        curves.push(RocOf { unit: RocUnit::Patient, feature: None, roc: roc(&units, resampler) });
    }
    curves
}

/// What a reader of the numbers must know about each scan.
fn notes(scans: &[Scan], vertebrae: &[Option<VertebraScore>]) -> Vec<String> {
    let mut notes = Vec::new();
    for (scan, score) in scans.iter().zip(vertebrae) {
        let name = &scan.name;
        if !scan.has_result() {
            notes.push(format!("{name}: there is no result; all of its truth counts as missed"));
            continue;
        }
        if scan.truth.lesions.is_none() {
            notes.push(format!("{name}: its truth lists no lesions, so no finding is judged"));
        }
        let Some(bodies) = scan.truth.vertebrae.as_ref() else {
            notes.push(format!("{name}: its truth lists no vertebrae, so none is judged"));
            continue;
        };
        let none_matched = score.as_ref().is_some_and(|score| score.matches.is_empty());
        if none_matched && !bodies.is_empty() && !scan.vertebrae.is_empty() {
            let turned = scan.vertebrae.iter().any(|found| {
                let p = found.body_centroid_lps_mm;
                let ras = crate::geometry::LpsPoint::new(-p.x(), -p.y(), p.z());
                bodies.iter().any(|b| b.centroid_lps_mm.distance(ras) <= vertebrae::MATCH_MM)
            });
            notes.push(format!(
                "{name}: not one vertebra lies near a true one: {}",
                if turned {
                    "with x and y turned round some would, so the truth is probably in RAS; it must be in LPS"
                } else {
                    "is the truth of this series, in LPS millimetres?"
                }
            ));
        }
    }
    let unscored = scans
        .iter()
        .flat_map(|scan| scan.findings_of(Tier::Present))
        .filter(|finding| finding.score.is_none())
        .count();
    if unscored > 0 {
        notes.push(format!("{unscored} present findings have no score and rank below all others"));
    }
    notes
}

#[cfg(test)]
mod tests;
