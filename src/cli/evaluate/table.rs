//! The evaluation as a short table on stdout.

use crate::evaluate::{Estimate, Evaluation, KindSummary, RocUnit, SweepResult, Tier};

/// A number with its interval.
fn shown(estimate: &Estimate, digits: usize) -> String {
    match (estimate.value, estimate.low, estimate.high) {
        (Some(v), Some(low), Some(high)) => {
            format!("{v:.digits$} ({low:.digits$} to {high:.digits$})")
        }
        (Some(v), ..) => format!("{v:.digits$}"),
        (None, ..) => "-".to_owned(),
    }
}

/// The numbers a reader asks for first.
pub fn table(evaluation: &Evaluation) -> String {
    let v = &evaluation.vertebrae;
    let mut lines = vec![
        format!(
            "{} scans of {} patients, {} without a result; intervals are 95 % over patients",
            evaluation.scans, evaluation.patients, evaluation.scans_without_result
        ),
        String::new(),
        format!("vertebrae half in view    {}", v.expected),
        format!("found within 10 mm        {}  {}", v.found, shown(&v.found_rate, 3)),
        format!(
            "false                     {}  {} per scan",
            v.false_vertebrae,
            shown(&v.false_per_scan, 2)
        ),
        format!(
            "identified within 20 mm   {} of {} with a level  {}",
            v.identified,
            v.with_level,
            shown(&v.id_rate, 3)
        ),
        format!(
            "levels                    {} right, {} wrong, {} not named, {} not judged",
            v.level_right, v.level_wrong, v.level_not_named, v.level_not_judged
        ),
        format!(
            "median, greatest error    {} mm, {} mm",
            shown(&v.median_error_mm, 1),
            v.greatest_error_mm.map_or_else(|| "-".to_owned(), |mm| format!("{mm:.1}"))
        ),
    ];
    for case in &evaluation.cases {
        if let Some(missed) = case.vertebrae.as_ref().map(|v| &v.missed).filter(|m| !m.is_empty()) {
            lines.push(format!("missed in {}: {}", case.name, missed.join(" ")));
        }
    }
    if let Some(masks) = &evaluation.masks {
        lines.push(format!(
            "masks                     {} of {} overlap, {} false; Dice {}, of the pairs {}; surface {} mm, 95 % {} mm",
            masks.paired,
            masks.expected,
            masks.false_labels,
            shown(&masks.mean_dice, 3),
            shown(&masks.mean_dice_paired, 3),
            shown(&masks.mean_average_mm, 2),
            shown(&masks.mean_hausdorff_95_mm, 2)
        ));
    }
    let l = &evaluation.lesions;
    if l.scans > 0 {
        lines.push(String::new());
        lines.push(format!(
            "{:<34} {:>7} {:>6} {:>7} {:>6} {:>6} {:>6}  {:<24} false per scan",
            "lesions", "in all", "found", "indet.", "not as", "absent", "other", "sensitivity"
        ));
        lines.push(kind("all", &l.all));
        lines.extend(l.kinds.iter().map(|(feature, one)| kind(&feature.to_string(), one)));
        lines.push(String::new());
        lines.push(format!(
            "{:<38} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}  mean of seven",
            "sensitivity at false per scan", "1/8", "1/4", "1/2", "1", "2", "4", "8"
        ));
        for curve in &l.froc {
            let name = curve.feature.map_or_else(|| "all".to_owned(), |f| f.to_string());
            let more = if curve.findings == Tier::Present { "" } else { " +indet." };
            let at: Vec<String> = curve
                .froc
                .at
                .iter()
                .map(|at| {
                    at.interpolated.value.map_or_else(|| "-".to_owned(), |v| format!("{v:.3}"))
                })
                .map(|text| format!("{text:>6}"))
                .collect();
            lines.push(format!(
                "{:<38} {}  {}",
                format!("{name}{more}"),
                at.join(" "),
                shown(&curve.froc.mean_sensitivity, 3)
            ));
        }
    }
    let areas = evaluation.roc.iter().filter(|curve| curve.roc.auc.value.is_some());
    for (n, curve) in areas.enumerate() {
        if n == 0 {
            lines.push(String::new());
        }
        let unit = match curve.unit {
            RocUnit::Vertebra => "vertebra",
            RocUnit::Patient => "patient",
        };
        let name = curve.feature.map_or_else(|| "any".to_owned(), |f| f.to_string());
        lines.push(format!(
            "ROC area by {unit}, {name}: {}; unanswered as absent {}, answered only {} ({} + {} unanswered)",
            shown(&curve.roc.auc, 3),
            shown(&curve.roc.auc_declined_as_absent, 3),
            shown(&curve.roc.auc_answered_only, 3),
            curve.roc.declined_positives,
            curve.roc.declined_negatives
        ));
    }
    for (n, one) in evaluation.agreement.iter().enumerate() {
        if n == 0 {
            lines.push(String::new());
        }
        let feature = one.feature.map_or_else(|| "vertebra".to_owned(), |f| f.to_string());
        lines.push(format!(
            "{feature} {}: bias {}, limits {} and {} ({} pairs)",
            one.name,
            shown(&one.bias, 2),
            shown(&one.lower_limit, 1),
            shown(&one.upper_limit, 1),
            one.pairs
        ));
    }
    if !evaluation.notes.is_empty() {
        lines.push(String::new());
        lines.extend(evaluation.notes.iter().map(|note| format!("note: {note}")));
    }
    lines.join("\n")
}

fn kind(name: &str, one: &KindSummary) -> String {
    let g = &one.lesions;
    format!(
        "{:<34} {:>7} {:>6} {:>7} {:>6} {:>6} {:>6}  {:<24} {} {}",
        name,
        g.expected,
        g.found,
        g.only_indeterminate,
        g.not_assessed,
        g.absent,
        g.no_vertebra + g.no_answer + g.no_result,
        shown(&g.sensitivity, 3),
        one.false_findings,
        shown(&one.false_per_scan, 2)
    )
}

/// A sweep as a table.
pub fn sweep(sweep: &SweepResult) -> String {
    let how = if sweep.from_pixels { "from pixels" } else { "from stored findings" };
    let mut lines = vec![
        format!("{} {how}", sweep.name),
        format!(
            "{:>10}  {:<30} {:>12}  {:<24} false per scan",
            "value", "lesions", "found", "sensitivity"
        ),
    ];
    for row in &sweep.rows {
        for kind in &row.kinds {
            let name = kind.feature.map_or_else(|| "all".to_owned(), |f| f.to_string());
            lines.push(format!(
                "{:>10}  {:<30} {:>12}  {:<24} {}",
                row.value,
                name,
                format!("{} of {}", kind.found, kind.lesions),
                shown(&kind.sensitivity, 3),
                shown(&kind.false_per_scan, 2)
            ));
        }
        if row.open > 0 {
            lines.push(format!(
                "{:>10}  {} findings lie within rounding of the cut: their side is open",
                "", row.open
            ));
        }
    }
    lines.join("\n")
}
