//! The evaluation as tables.

use super::bootstrap::Estimate;
use super::{Evaluation, LesionGroup, RocUnit, Tier};
use crate::terms::FeatureId;

/// File name and text of each table. Numbers carry all their digits; an empty value is not
/// defined.
pub fn tables(evaluation: &Evaluation) -> Vec<(&'static str, String)> {
    vec![
        ("summary.csv", summary(evaluation)),
        ("scans.csv", scans(evaluation)),
        ("vertebrae.csv", vertebrae(evaluation)),
        ("masks.csv", masks(evaluation)),
        ("lesions.csv", lesions(evaluation)),
        ("false_findings.csv", false_findings(evaluation)),
        ("froc.csv", froc(evaluation)),
        ("roc.csv", roc(evaluation)),
    ]
}

/// Text of a table: a header and rows of the same length, quoted as RFC 4180 asks.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = header.join(",");
    text.push('\n');
    for row in rows {
        let quoted: Vec<String> = row.iter().map(|value| quote(value)).collect();
        text.push_str(&quoted.join(","));
        text.push('\n');
    }
    text
}

fn quote(value: &str) -> String {
    // A leading sign or equals sign would be run as a formula by spreadsheets; numbers may begin so.
    let formula = value.starts_with(['=', '+', '-', '@']) && value.parse::<f64>().is_err();
    let value = if formula { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn word<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(String::new, ToString::to_string)
}

fn kind(feature: Option<FeatureId>) -> String {
    feature.map_or_else(|| "all".to_owned(), |feature| feature.to_string())
}

const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Present => "present",
        Tier::PresentAndIndeterminate => "present_and_indeterminate",
    }
}

const fn unit(unit: RocUnit) -> &'static str {
    match unit {
        RocUnit::Vertebra => "vertebra",
        RocUnit::Patient => "patient",
    }
}

/// A word of a closed vocabulary as JSON writes it.
fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

fn summary(evaluation: &Evaluation) -> String {
    let mut rows = Vec::new();
    let mut add = |measure: &str, feature: &str, class: &str, count: String, e: &Estimate| {
        rows.push(vec![
            measure.to_owned(),
            feature.to_owned(),
            class.to_owned(),
            count,
            number(e.value),
            number(e.low),
            number(e.high),
        ]);
    };
    let plain = |value: f64| Estimate { value: Some(value), ..Estimate::default() };
    let v = &evaluation.vertebrae;
    let expected = v.expected.to_string();
    add("vertebrae_found_within_10_mm", "", "", expected.clone(), &v.found_rate);
    add("vertebrae_id_rate", "", "", v.with_level.to_string(), &v.id_rate);
    add("vertebrae_id_rate_mean_of_scans", "", "", v.scans.to_string(), &v.id_rate_mean_of_scans);
    add("vertebrae_false_per_scan", "", "", v.scans.to_string(), &v.false_per_scan);
    for (measure, count) in [
        ("vertebrae_level_right", v.level_right),
        ("vertebrae_level_wrong", v.level_wrong),
        ("vertebrae_level_not_named", v.level_not_named),
        ("vertebrae_level_not_judged", v.level_not_judged),
    ] {
        add(measure, "", "", expected.clone(), &plain(count as f64));
    }
    add("vertebrae_median_error_mm", "", "", v.found.to_string(), &v.median_error_mm);
    let greatest = Estimate { value: v.greatest_error_mm, ..Estimate::default() };
    add("vertebrae_greatest_error_mm", "", "", v.found.to_string(), &greatest);
    if let Some(masks) = &evaluation.masks {
        let count = masks.expected.to_string();
        for (measure, estimate) in [
            ("masks_mean_dice", &masks.mean_dice),
            ("masks_mean_dice_paired", &masks.mean_dice_paired),
            ("masks_mean_average_surface_distance_mm", &masks.mean_average_mm),
            ("masks_mean_hausdorff_95_mm", &masks.mean_hausdorff_95_mm),
        ] {
            add(measure, "", "", count.clone(), estimate);
        }
    }
    let mut group = |feature: &str, class: &str, group: &LesionGroup| {
        let count = group.expected.to_string();
        add("sensitivity", feature, class, count.clone(), &group.sensitivity);
        let either = &group.sensitivity_with_indeterminate;
        add("sensitivity_with_indeterminate", feature, class, count, either);
    };
    let l = &evaluation.lesions;
    group("all", "", &l.all.lesions);
    for (feature, one) in &l.kinds {
        group(&feature.to_string(), "", &one.lesions);
    }
    for one in &l.classes {
        group(&one.feature.to_string(), &one.class, &one.lesions);
    }
    add("false_per_scan", "all", "", l.all.scans.to_string(), &l.all.false_per_scan);
    for (feature, one) in &l.kinds {
        let count = one.scans.to_string();
        add("false_per_scan", &feature.to_string(), "", count, &one.false_per_scan);
    }
    for curve in &l.froc {
        let (feature, count) = (kind(curve.feature), curve.froc.lesions.to_string());
        let which = tier(curve.findings);
        add("froc_mean_sensitivity", &feature, which, count.clone(), &curve.froc.mean_sensitivity);
        for at in &curve.froc.at {
            let class = format!("{which} at {}", at.false_per_scan);
            add("froc_sensitivity", &feature, &class, count.clone(), &at.interpolated);
        }
    }
    for curve in &evaluation.roc {
        let count = (curve.roc.positives + curve.roc.negatives).to_string();
        let (feature, roc) = (kind(curve.feature), &curve.roc);
        for (measure, estimate) in [
            ("auc", &roc.auc),
            ("auc_declined_as_absent", &roc.auc_declined_as_absent),
            ("auc_with_indeterminate", &roc.auc_with_indeterminate),
            ("auc_answered_only", &roc.auc_answered_only),
        ] {
            add(measure, &feature, unit(curve.unit), count.clone(), estimate);
        }
    }
    for one in &evaluation.agreement {
        let feature = one.feature.map_or_else(|| "vertebra".to_owned(), |f| f.to_string());
        let count = one.pairs.to_string();
        for (measure, estimate) in [
            ("agreement_bias", &one.bias),
            ("agreement_lower_limit", &one.lower_limit),
            ("agreement_upper_limit", &one.upper_limit),
            ("agreement_mean_absolute_difference", &one.mean_absolute_difference),
        ] {
            add(measure, &feature, &one.name, count.clone(), estimate);
        }
    }
    table(&["measure", "feature", "class", "count", "value", "low_95", "high_95"], rows)
}

fn scans(evaluation: &Evaluation) -> String {
    let rows = evaluation.cases.iter().map(|case| {
        let v = case.vertebrae.as_ref();
        let count = |count: Option<usize>| word(count.as_ref());
        vec![
            case.name.clone(),
            case.patient.clone(),
            word(case.study.as_ref()),
            word(case.series.as_ref()),
            case.matched_by.as_ref().map(name).unwrap_or_default(),
            count(v.map(|v| v.expected)),
            count(v.map(|v| v.found)),
            count(v.map(|v| v.false_vertebrae)),
            count(v.map(|v| v.with_level)),
            count(v.map(|v| v.identified)),
            count(v.map(|v| v.level_wrong)),
            count(v.map(|v| v.level_not_named)),
            number(v.and_then(|v| v.median_error_mm)),
            number(v.and_then(|v| v.greatest_error_mm)),
            v.map(|v| v.missed.join(" ")).unwrap_or_default(),
            case.lesions.lesions.len().to_string(),
            case.lesions.lesions.iter().filter(|l| name(&l.state) == "found").count().to_string(),
            case.lesions
                .false_findings
                .iter()
                .filter(|finding| finding.status == crate::terms::Status::Present)
                .count()
                .to_string(),
        ]
    });
    let header = [
        "scan",
        "patient",
        "study",
        "series",
        "matched_by",
        "bodies",
        "found",
        "false",
        "with_level",
        "identified",
        "level_wrong",
        "level_not_named",
        "median_error_mm",
        "greatest_error_mm",
        "missed",
        "lesions",
        "lesions_found",
        "false_findings",
    ];
    table(&header, rows)
}

fn vertebrae(evaluation: &Evaluation) -> String {
    let rows = evaluation.cases.iter().flat_map(|case| {
        let score = case.vertebrae.as_ref();
        let matched = score.into_iter().flat_map(|score| &score.matches).map(|pair| {
            vec![
                case.name.clone(),
                word(pair.level.as_ref()),
                "matched".to_owned(),
                pair.vertebra.clone(),
                word(pair.given_level.as_ref()),
                pair.error_mm.to_string(),
            ]
        });
        let missed = score.into_iter().flat_map(|score| &score.missed).map(|missed| {
            let missed = vec![case.name.clone(), missed.clone(), "missed".to_owned()];
            [missed, vec![String::new(); 3]].concat()
        });
        matched.chain(missed).collect::<Vec<_>>()
    });
    table(&["scan", "true_level", "state", "vertebra", "given_level", "error_mm"], rows)
}

fn masks(evaluation: &Evaluation) -> String {
    let rows = evaluation.cases.iter().flat_map(|case| {
        case.masks.iter().flat_map(|masks| &masks.masks).map(|mask| {
            vec![
                case.name.clone(),
                mask.label.to_string(),
                word(mask.found_label.as_ref()),
                mask.dice.to_string(),
                number(mask.average_mm),
                number(mask.hausdorff_95_mm),
            ]
        })
    });
    let header =
        ["scan", "label", "found_label", "dice", "average_surface_distance_mm", "hausdorff_95_mm"];
    table(&header, rows)
}

fn lesions(evaluation: &Evaluation) -> String {
    let rows = evaluation.cases.iter().flat_map(|case| {
        case.lesions.lesions.iter().map(|row| {
            vec![
                case.name.clone(),
                row.feature.to_string(),
                word(row.level.as_ref()),
                row.volume_mm3.to_string(),
                row.size.clone(),
                word(row.strength.as_ref()),
                name(&row.state),
                word(row.finding.as_ref()),
                number(row.score),
                number(row.distance_mm),
            ]
        })
    });
    let header = [
        "scan",
        "feature",
        "level",
        "volume_mm3",
        "size",
        "strength",
        "state",
        "finding",
        "score",
        "distance_mm",
    ];
    table(&header, rows)
}

fn false_findings(evaluation: &Evaluation) -> String {
    let rows = evaluation.cases.iter().flat_map(|case| {
        case.lesions.false_findings.iter().map(|finding| {
            vec![
                case.name.clone(),
                finding.finding.clone(),
                finding.feature.to_string(),
                finding.status.to_string(),
                number(finding.score),
                word(finding.vertebra.as_ref()),
            ]
        })
    });
    table(&["scan", "finding", "feature", "status", "score", "vertebra"], rows)
}

fn froc(evaluation: &Evaluation) -> String {
    let rows = evaluation.lesions.froc.iter().flat_map(|curve| {
        curve.froc.points.iter().map(|point| {
            vec![
                kind(curve.feature),
                tier(curve.findings).to_owned(),
                number(point.score),
                point.false_per_scan.to_string(),
                point.sensitivity.to_string(),
            ]
        })
    });
    table(&["feature", "findings", "score", "false_per_scan", "sensitivity"], rows)
}

fn roc(evaluation: &Evaluation) -> String {
    let rows = evaluation.roc.iter().flat_map(|curve| {
        curve.roc.points.iter().map(|point| {
            vec![
                unit(curve.unit).to_owned(),
                kind(curve.feature),
                point.false_positive_rate.to_string(),
                point.true_positive_rate.to_string(),
            ]
        })
    });
    table(&["unit", "feature", "false_positive_rate", "true_positive_rate"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_commas_are_quoted_and_formulas_defused() {
        let row = ["a,b", "say \"x\"", "=1+1", "-3.5", "-x"].map(str::to_owned).to_vec();
        assert_eq!(table(&["h"], [row]), "h\n\"a,b\",\"say \"\"x\"\"\",'=1+1,-3.5,'-x\n");
    }
}
