//! Threshold studies: the same comparison for many values of one setting.
//!
//! Where a setting only moves a cut on a number that findings carry, the stored findings are cut
//! again ([`apply_cut`]); any other setting changes what is looked at, and the pixels are needed.
//! Who runs the pixels is not known here: a [`SweepRow`] is made from an [`Evaluation`], however
//! its findings came to be.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::svg::{Axis, Line, plot, shares};
use super::{Evaluation, bootstrap::Estimate, csv};
use crate::findings::schema::{Finding, Findings};
use crate::terms::{FeatureId, Reason, Status};

/// A setting that moves a cut on a stored number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredCut {
    /// Full name of the setting, `<feature id>.<threshold>`.
    pub setting: &'static str,
    /// The feature.
    pub feature: FeatureId,
    /// The measurement that is cut.
    pub measurement: &'static str,
    /// What the measurement is rounded to in findings: within half of it the stored number does
    /// not tell on which side of the cut it was.
    pub rounded_to: f64,
    /// What lies below the cut.
    pub below: Below,
}

/// What becomes of a finding below the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// It is indeterminate; at or above, it is present unless another reason holds it back.
    Indeterminate,
    /// It is gone. Findings that a lower cut would have let in are not stored.
    Gone,
}

/// The settings that can be swept without pixels. `<feature id>.score` can be swept for every
/// feature: it is no setting, but the limit of the score from which a finding would be present.
pub const STORED_CUTS: &[StoredCut] = &[
    StoredCut {
        setting: "sclerotic_density.z_present",
        feature: FeatureId::ScleroticDensity,
        measurement: "z",
        rounded_to: 0.1,
        below: Below::Indeterminate,
    },
    StoredCut {
        setting: "sclerotic_density.z_look_here",
        feature: FeatureId::ScleroticDensity,
        measurement: "z",
        rounded_to: 0.1,
        below: Below::Gone,
    },
];

/// A cut that findings can be put to again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// A setting on a stored measurement.
    Measurement(StoredCut),
    /// The stored score of a feature.
    Score(FeatureId),
}

/// The cut that a name stands for, if the stored findings are enough for it.
pub fn stored_cut(name: &str) -> Option<Cut> {
    let of_score = || {
        let feature = name.strip_suffix(".score")?;
        feature.parse().ok().map(Cut::Score)
    };
    STORED_CUTS
        .iter()
        .find(|cut| cut.setting == name)
        .copied()
        .map(Cut::Measurement)
        .or_else(of_score)
}

/// A setting and the values it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// Full name of the setting.
    pub name: String,
    /// Its values, ascending or descending as given.
    pub values: Vec<f64>,
}

/// Most values of one sweep.
const MOST_VALUES: usize = 1000;

/// Why a sweep cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepError {
    /// Not `name=a:b:n`.
    #[error("sweep '{given}' is not name=first:last:number (sclerotic_density.z_present=3:8:11)")]
    Form {
        /// What was given.
        given: String,
    },
    /// Too few or too many values.
    #[error("sweep '{given}': the number of values is 1 to {MOST_VALUES}")]
    Number {
        /// What was given.
        given: String,
    },
}

impl std::str::FromStr for Sweep {
    type Err = SweepError;

    fn from_str(given: &str) -> Result<Self, SweepError> {
        let form = || SweepError::Form { given: given.to_owned() };
        let (name, range) = given.split_once('=').ok_or_else(form)?;
        let parts: Vec<&str> = range.split(':').collect();
        let [first, last, number] = parts.as_slice() else { return Err(form()) };
        let value = |text: &str| text.trim().parse().ok().filter(|v: &f64| v.is_finite());
        let (first, last) = (value(first).ok_or_else(form)?, value(last).ok_or_else(form)?);
        let number: usize = number.trim().parse().map_err(|_| form())?;
        if number == 0 || number > MOST_VALUES {
            return Err(SweepError::Number { given: given.to_owned() });
        }
        let step = (last - first) / (number.max(2) - 1) as f64;
        let values = (0..number)
            // Steps like 0.1 are not exact in binary; what is written is what is meant.
            .map(|n| crate::units::rounded(first + step * n as f64, 9))
            .collect();
        Ok(Self { name: name.trim().to_owned(), values })
    }
}

/// Why stored findings cannot be cut at a value.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum CutError {
    /// Findings below the stored cut were never written.
    #[error(
        "study {study}: {setting} was {stored} when it was screened; what a value of {value} would let in is not stored"
    )]
    BelowStored {
        /// The study.
        study: String,
        /// The setting.
        setting: &'static str,
        /// Its value in the result.
        stored: f64,
        /// The value asked for.
        value: f64,
    },
    /// A finding does not carry the number.
    #[error("study {study}, finding {finding}: it carries no {measurement}")]
    NotMeasured {
        /// The study.
        study: String,
        /// The finding.
        finding: String,
        /// What it should carry.
        measurement: String,
    },
}

/// The findings as they would be with another cut, and how many of them lie so near to it that
/// the rounding of the stored number leaves their side open. `stored` is the value that was in
/// force. Answers in `coverage` follow: a vertebra whose findings all went from present to
/// indeterminate is indeterminate, one that lost them all is absent.
///
/// # Errors
/// When a finding does not carry the number, or the value lies below one that kept findings out.
pub fn apply_cut(
    findings: &Findings,
    cut: Cut,
    value: f64,
    stored: Option<f64>,
) -> Result<(Findings, usize), CutError> {
    let mut result = findings.clone();
    let study = &findings.study.id;
    let (feature, below, half) = match cut {
        Cut::Measurement(cut) => (cut.feature, cut.below, 0.5 * cut.rounded_to),
        Cut::Score(feature) => (feature, Below::Indeterminate, 0.0),
    };
    if let (Cut::Measurement(cut), Some(stored)) = (cut, stored)
        && below == Below::Gone
        && value < stored
    {
        return Err(CutError::BelowStored {
            study: study.clone(),
            setting: cut.setting,
            stored,
            value,
        });
    }
    let mut open = 0;
    let mut kept = Vec::with_capacity(result.findings.len());
    for mut finding in std::mem::take(&mut result.findings) {
        if finding.kind != feature {
            kept.push(finding);
            continue;
        }
        let number = number_of(&finding, cut).ok_or_else(|| CutError::NotMeasured {
            study: study.clone(),
            finding: finding.id.clone(),
            measurement: match cut {
                Cut::Measurement(cut) => cut.measurement.to_owned(),
                Cut::Score(_) => "score".to_owned(),
            },
        })?;
        // At the value in force the stored answer is the answer.
        let in_force = stored == Some(value);
        open += usize::from(!in_force && (number - value).abs() <= half);
        let above = number >= value;
        if !in_force {
            match (below, above) {
                (Below::Gone, false) => continue,
                (Below::Indeterminate, false) if finding.status == Status::Present => {
                    finding.status = Status::Indeterminate;
                    finding.reason = Some(Reason::BetweenLimits);
                }
                // Another reason (metal, a doubt about the outline) holds whatever the cut.
                (Below::Indeterminate, true) if finding.reason == Some(Reason::BetweenLimits) => {
                    finding.status = Status::Present;
                    finding.reason = None;
                }
                (Below::Gone | Below::Indeterminate, _) => {}
            }
        }
        kept.push(finding);
    }
    result.findings = kept;
    follow(&mut result, findings, feature);
    Ok((result, open))
}

fn number_of(finding: &Finding, cut: Cut) -> Option<f64> {
    match cut {
        Cut::Measurement(cut) => {
            finding.measurements.iter().find(|m| m.name == cut.measurement).map(|m| m.value)
        }
        Cut::Score(_) => finding.score,
    }
}

/// Lets the answers of a feature follow its findings, for vertebrae that had findings before.
fn follow(result: &mut Findings, before: &Findings, feature: FeatureId) {
    let of = |findings: &[Finding], vertebra: Option<&String>| -> Vec<Status> {
        findings
            .iter()
            .filter(|f| {
                f.kind == feature && vertebra.is_some() && f.site.vertebra.as_ref() == vertebra
            })
            .map(|finding| finding.status)
            .collect()
    };
    for row in result.coverage.iter_mut().filter(|row| row.feature == feature) {
        if of(&before.findings, row.vertebra.as_ref()).is_empty() {
            continue;
        }
        let now = of(&result.findings, row.vertebra.as_ref());
        (row.status, row.reason) = if now.contains(&Status::Present) {
            (Status::Present, None)
        } else if now.contains(&Status::Indeterminate) {
            (Status::Indeterminate, row.reason.or(Some(Reason::BetweenLimits)))
        } else {
            (Status::Absent, None)
        };
    }
}

/// A sweep with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepResult {
    /// Full name of the setting.
    pub name: String,
    /// Whether the stored findings were cut again, or the pixels screened again.
    pub from_pixels: bool,
    /// One row for each value.
    pub rows: Vec<SweepRow>,
}

/// One value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepRow {
    /// The value.
    pub value: f64,
    /// Findings so near to the cut that the rounding of stored numbers leaves their side open.
    pub open: usize,
    /// Vertebrae found within 10 mm.
    pub vertebrae_found: usize,
    /// Each kind, and all together under `null`.
    pub kinds: Vec<SweepKind>,
}

/// One kind at one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepKind {
    /// The kind; `null` for all together.
    pub feature: Option<FeatureId>,
    /// Lesions in the truth.
    pub lesions: usize,
    /// Found.
    pub found: usize,
    /// Present findings on no lesion.
    pub false_findings: usize,
    /// Found over lesions.
    pub sensitivity: Estimate,
    /// The same with indeterminate findings.
    pub sensitivity_with_indeterminate: Estimate,
    /// Present findings on no lesion, per scan.
    pub false_per_scan: Estimate,
}

/// What an evaluation says at one value.
pub fn row(value: f64, open: usize, evaluation: &Evaluation) -> SweepRow {
    let of = |feature, kind: &super::KindSummary| SweepKind {
        feature,
        lesions: kind.lesions.expected,
        found: kind.lesions.found,
        false_findings: kind.false_findings,
        sensitivity: kind.lesions.sensitivity,
        sensitivity_with_indeterminate: kind.lesions.sensitivity_with_indeterminate,
        false_per_scan: kind.false_per_scan,
    };
    let lesions = &evaluation.lesions;
    let each = lesions.kinds.iter().map(|(feature, kind)| of(Some(*feature), kind));
    SweepRow {
        value,
        open,
        vertebrae_found: evaluation.vertebrae.found,
        kinds: std::iter::once(of(None, &lesions.all)).chain(each).collect(),
    }
}

fn kind_name(feature: Option<FeatureId>) -> String {
    feature.map_or_else(|| "all".to_owned(), |feature| feature.to_string())
}

/// The sweep as CSV.
pub fn sweep_table(sweep: &SweepResult) -> String {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let rows = sweep.rows.iter().flat_map(|row| {
        row.kinds.iter().map(|kind| {
            let mut values = vec![
                sweep.name.clone(),
                row.value.to_string(),
                kind_name(kind.feature),
                kind.lesions.to_string(),
                kind.found.to_string(),
                kind.false_findings.to_string(),
            ];
            for estimate in
                [kind.sensitivity, kind.sensitivity_with_indeterminate, kind.false_per_scan]
            {
                values.extend([estimate.value, estimate.low, estimate.high].map(number));
            }
            values.extend([row.vertebrae_found.to_string(), row.open.to_string()]);
            values
        })
    });
    let header = [
        "setting",
        "value",
        "feature",
        "lesions",
        "found",
        "false_findings",
        "sensitivity",
        "sensitivity_low",
        "sensitivity_high",
        "sensitivity_with_indeterminate",
        "sensitivity_with_indeterminate_low",
        "sensitivity_with_indeterminate_high",
        "false_per_scan",
        "false_per_scan_low",
        "false_per_scan_high",
        "vertebrae_found",
        "open",
    ];
    csv::table(&header, rows)
}

/// The sweep as SVG: sensitivity (whole lines) and false findings per scan, as a share of the
/// most (dashed), over the value.
pub fn sweep_picture(sweep: &SweepResult) -> String {
    let mut order: Vec<usize> = (0..sweep.rows.len()).collect();
    order.sort_by(|&a, &b| sweep.rows[a].value.total_cmp(&sweep.rows[b].value));
    let features: BTreeSet<Option<FeatureId>> =
        sweep.rows.iter().flat_map(|row| &row.kinds).map(|kind| kind.feature).collect();
    let mut lines = Vec::new();
    for (colour, feature) in features.into_iter().enumerate() {
        let points = |value: &dyn Fn(&SweepKind) -> Option<f64>| -> Vec<(f64, f64)> {
            order
                .iter()
                .filter_map(|&n| {
                    let row = sweep.rows.get(n)?;
                    let kind = row.kinds.iter().find(|kind| kind.feature == feature)?;
                    Some((row.value, value(kind)?))
                })
                .collect()
        };
        let sensitivity = points(&|kind| kind.sensitivity.value);
        if !sensitivity.is_empty() {
            let name = format!("{}: sensitivity", kind_name(feature));
            lines.push(Line { name, points: sensitivity, dashed: false, colour });
        }
        let mut wrong = points(&|kind| kind.false_per_scan.value);
        let most = wrong.iter().map(|point| point.1).fold(0.0, f64::max);
        if most > 0.0 {
            for point in &mut wrong {
                point.1 /= most;
            }
            let name = format!("{}: false per scan, 1 is {:.2}", kind_name(feature), most);
            lines.push(Line { name, points: wrong, dashed: true, colour });
        }
    }
    let values: Vec<f64> = order.iter().map(|&n| sweep.rows[n].value).collect();
    let (first, last) =
        (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(1.0));
    let last = if last > first { last } else { first + 1.0 };
    let ticks = (0..=5).map(|n| first + (last - first) * f64::from(n) / 5.0).collect();
    let x = Axis { title: sweep.name.clone(), ticks, logarithmic: false };
    plot(&format!("{} swept", sweep.name), &x, &shares("share"), &lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::testing;
    use crate::units::{Measurement, Unit};

    fn measured(status: Status, z: f64) -> Finding {
        let reason = (status == Status::Indeterminate).then_some(Reason::BetweenLimits);
        Finding {
            measurements: vec![Measurement::new("z", z, Unit::StandardDeviation)],
            reason,
            ..testing::finding(status, z / (z + 5.0), 0.0, Some("v1"))
        }
    }

    fn result(findings: Vec<Finding>) -> Findings {
        let vertebrae = vec![testing::vertebra("v1", None, 0.0)];
        testing::findings(vertebrae, findings, vec![testing::coverage("v1", Status::Present)])
    }

    #[test]
    fn a_sweep_is_read_with_both_ends_and_says_what_is_wrong_with_it() {
        let sweep: Sweep = "sclerotic_density.z_present=3:4:6".parse().unwrap();
        assert_eq!(sweep.values, [3.0, 3.2, 3.4, 3.6, 3.8, 4.0]);
        assert_eq!("a.b=5:9:1".parse::<Sweep>().unwrap().values, [5.0]);
        assert!(matches!("a.b=5:9".parse::<Sweep>(), Err(SweepError::Form { .. })));
        assert!(matches!("a.b=5:x:3".parse::<Sweep>(), Err(SweepError::Form { .. })));
        assert!(matches!("a.b=5:9:0".parse::<Sweep>(), Err(SweepError::Number { .. })));
    }

    #[test]
    fn a_higher_cut_turns_present_into_indeterminate_and_a_lower_one_back() {
        let cut = stored_cut("sclerotic_density.z_present").unwrap();
        let stored = result(vec![measured(Status::Present, 6.0)]);
        let (higher, open) = apply_cut(&stored, cut, 7.0, Some(5.0)).unwrap();
        assert_eq!((higher.findings[0].status, open), (Status::Indeterminate, 0));
        assert_eq!(higher.coverage[0].status, Status::Indeterminate);
        let (again, _) = apply_cut(&higher, cut, 6.0, Some(7.0)).unwrap();
        assert_eq!(again.findings[0].status, Status::Present, "the limit itself is present");
        let (same, open) = apply_cut(&stored, cut, 5.0, Some(5.0)).unwrap();
        assert_eq!((same, open), (stored, 0));
    }

    #[test]
    fn what_another_reason_holds_back_stays_back() {
        let cut = stored_cut("sclerotic_density.z_present").unwrap();
        let metal =
            Finding { reason: Some(Reason::MetalOrCement), ..measured(Status::Indeterminate, 9.0) };
        let (cut_again, _) = apply_cut(&result(vec![metal]), cut, 3.0, Some(5.0)).unwrap();
        assert_eq!(cut_again.findings[0].status, Status::Indeterminate);
    }

    #[test]
    fn what_was_never_stored_is_an_error_and_rounding_is_counted() {
        let cut = stored_cut("sclerotic_density.z_look_here").unwrap();
        let stored = result(vec![measured(Status::Indeterminate, 4.0)]);
        assert!(matches!(
            apply_cut(&stored, cut, 2.0, Some(3.0)),
            Err(CutError::BelowStored { .. })
        ));
        let (gone, open) = apply_cut(&stored, cut, 4.04, Some(3.0)).unwrap();
        assert_eq!((gone.findings.len(), gone.coverage[0].status, open), (0, Status::Absent, 1));
        let bare = Finding { measurements: vec![], ..measured(Status::Present, 4.0) };
        assert!(matches!(
            apply_cut(&result(vec![bare]), cut, 4.0, None),
            Err(CutError::NotMeasured { .. })
        ));
        assert_eq!(stored_cut("sclerotic_density.min_contrast_hu"), None);
        assert!(stored_cut("t1_marrow_signal_drop.score").is_some());
    }
}
