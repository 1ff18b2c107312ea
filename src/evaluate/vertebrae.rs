//! Vertebrae found, missed and false.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::truth::TruthVertebra;
use crate::findings::schema::VertebraRecord;
use crate::terms::Level;
use crate::units::rounded;

/// A found vertebra belongs to a true one when their centres are at most this far apart.
pub const MATCH_MM: f64 = 10.0;
/// A found vertebra near a body less than half in view is not counted as false.
pub const CUT_BODY_MM: f64 = 20.0;
/// Bodies with less than this share in view are not asked for.
pub const HALF_IN_VIEW: f64 = 0.5;

/// How the vertebrae of one series compare with the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VertebraScore {
    /// True bodies at least half in view.
    pub expected: usize,
    /// Of these, found within 10 mm, one to one.
    pub found: usize,
    /// Vertebrae that match no true body and do not lie within 20 mm of a body less than half in
    /// view.
    pub false_vertebrae: usize,
    /// Matched vertebrae whose level is the true one.
    pub level_right: usize,
    /// Matched vertebrae whose level is another one.
    pub level_wrong: usize,
    /// Matched vertebrae without a level whose true level is known.
    pub level_not_named: usize,
    /// Median distance of the matched, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_error_mm: Option<f64>,
    /// Greatest distance of the matched, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greatest_error_mm: Option<f64>,
    /// The matched pairs.
    pub matches: Vec<VertebraMatch>,
    /// True levels (or places in the list) that were missed.
    pub missed: Vec<String>,
}

/// A found vertebra with its true body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VertebraMatch {
    /// Id of the found vertebra.
    pub vertebra: String,
    /// The true level, where known.
    pub level: Option<Level>,
    /// Distance of the centres, mm.
    pub error_mm: f64,
}

/// Compares found vertebrae with true bodies: pairs are taken nearest first, each body once.
pub fn score_vertebrae(found: &[VertebraRecord], truth: &[TruthVertebra]) -> VertebraScore {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (f, vertebra) in found.iter().enumerate() {
        for (t, body) in truth.iter().enumerate() {
            let distance = vertebra.body_centroid_lps_mm.distance(body.centroid_lps_mm);
            if distance <= MATCH_MM {
                pairs.push((distance, f, t));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let mut of_found: Vec<Option<(usize, f64)>> = vec![None; found.len()];
    let mut of_truth: Vec<bool> = vec![false; truth.len()];
    for (distance, f, t) in pairs {
        if of_found[f].is_none() && !of_truth[t] {
            of_found[f] = Some((t, distance));
            of_truth[t] = true;
        }
    }
    let asked = |t: usize| truth[t].fraction_in_view >= HALF_IN_VIEW;
    let near_cut_body = |vertebra: &VertebraRecord| {
        truth.iter().any(|body| {
            body.fraction_in_view < HALF_IN_VIEW
                && vertebra.body_centroid_lps_mm.distance(body.centroid_lps_mm) <= CUT_BODY_MM
        })
    };
    let mut score = VertebraScore {
        expected: (0..truth.len()).filter(|&t| asked(t)).count(),
        found: (0..truth.len()).filter(|&t| asked(t) && of_truth[t]).count(),
        false_vertebrae: 0,
        level_right: 0,
        level_wrong: 0,
        level_not_named: 0,
        median_error_mm: None,
        greatest_error_mm: None,
        matches: Vec::new(),
        missed: Vec::new(),
    };
    for (vertebra, matched) in found.iter().zip(&of_found) {
        let Some((t, error)) = *matched else {
            score.false_vertebrae += usize::from(!near_cut_body(vertebra));
            continue;
        };
        match (vertebra.level, truth[t].level) {
            (Some(given), Some(level)) if given == level => score.level_right += 1,
            (Some(_), Some(_)) => score.level_wrong += 1,
            (None, Some(_)) => score.level_not_named += 1,
            (_, None) => {}
        }
        score.matches.push(VertebraMatch {
            vertebra: vertebra.id.clone(),
            level: truth[t].level,
            error_mm: rounded(error, 2),
        });
    }
    let missed = (0..truth.len()).filter(|&t| asked(t) && !of_truth[t]);
    score.missed = missed
        .map(|t| truth[t].level.map_or_else(|| format!("#{}", t + 1), |level| level.to_string()))
        .collect();
    let mut errors: Vec<f64> = score.matches.iter().map(|pair| pair.error_mm).collect();
    errors.sort_by(f64::total_cmp);
    score.greatest_error_mm = errors.last().copied();
    if !errors.is_empty() {
        let (low, high) = (errors[(errors.len() - 1) / 2], errors[errors.len() / 2]);
        score.median_error_mm = Some(rounded(f64::midpoint(low, high), 2));
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::LpsPoint;

    fn found(id: &str, z: f64, level: Option<Level>) -> VertebraRecord {
        VertebraRecord {
            id: id.into(),
            series: "s".into(),
            level,
            level_candidates: Vec::new(),
            section_guess: None,
            body_centroid_lps_mm: LpsPoint::new(0.0, 0.0, z),
            fraction_in_view: 1.0,
            confidence: 1.0,
            limitations: Vec::new(),
        }
    }

    fn body(level: Option<Level>, z: f64, fraction_in_view: f64) -> TruthVertebra {
        TruthVertebra { level, centroid_lps_mm: LpsPoint::new(0.0, 0.0, z), fraction_in_view }
    }

    #[test]
    fn exactly_ten_millimetres_is_a_match_and_a_hair_more_is_not() {
        let truth = [body(None, 0.0, 1.0)];
        assert_eq!(score_vertebrae(&[found("a", 10.0, None)], &truth).found, 1);
        let score = score_vertebrae(&[found("a", 10.001, None)], &truth);
        assert_eq!((score.found, score.false_vertebrae), (0, 1));
    }

    #[test]
    fn two_vertebrae_at_one_body_are_one_hit_and_one_false() {
        let score = score_vertebrae(
            &[found("a", 3.0, None), found("b", -2.0, None)],
            &[body(None, 0.0, 1.0)],
        );
        assert_eq!((score.found, score.false_vertebrae), (1, 1));
        assert_eq!(score.matches[0].vertebra, "b", "the nearer one is the match");
    }

    #[test]
    fn a_cut_body_is_neither_asked_for_nor_false() {
        let truth = [body(None, 0.0, 0.3)];
        let score = score_vertebrae(&[found("a", 19.0, None)], &truth);
        assert_eq!((score.expected, score.false_vertebrae), (0, 0));
    }

    #[test]
    fn nothing_found_and_nothing_true_are_counted_as_such() {
        let none = score_vertebrae(&[], &[]);
        assert_eq!((none.expected, none.found, none.median_error_mm), (0, 0, None));
        let missed = score_vertebrae(&[], &[body(Some(Level::L1), 0.0, 1.0)]);
        assert_eq!(missed.missed, ["L1"]);
    }

    #[test]
    fn a_wrong_level_is_told_from_an_unnamed_one() {
        let truth = [body(Some(Level::L1), 0.0, 1.0), body(Some(Level::L2), -30.0, 1.0)];
        let score =
            score_vertebrae(&[found("a", 0.0, Some(Level::L2)), found("b", -30.0, None)], &truth);
        assert_eq!((score.level_right, score.level_wrong, score.level_not_named), (0, 1, 1));
    }
}
