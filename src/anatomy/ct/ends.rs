//! The ends of the column: what is below S1 or above C2 is no vertebra to report.
//!
//! The rhythm runs on into the sacrum (S2, S3) and over the dens into C1 and the skull base. Both
//! ends show in the distances of the centres.

use crate::anatomy::model::Vertebra;
use crate::kernels::median;
use crate::problem::{Problem, ProblemCode, Severity};

/// S1 to S2 is at most this share of L5 to S1 (measured: 0.75).
const SACRAL_STEP_SHARE: f64 = 0.87;
/// L5 to S1 is at least this, mm: guards the upper thoracic spine, which slopes as much.
const LUMBAR_STEP_MM: f64 = 28.0;
/// The sacrum slopes to the back by at least this against the spine two vertebrae above (sine), or
/// against the patient's axis where the chain is too short for that.
const SACRAL_BEND: f64 = 0.5;
const SACRAL_SLOPE: f64 = 0.6;
/// Sacral bodies below S1.
const MOST_BELOW_S1: usize = 4;
/// C2 to dens is at most this share of the steps below it (measured: 0.7), which are at most this
/// long, mm, in the neck.
const DENS_STEP_SHARE: f64 = 0.8;
const NECK_STEP_MM: f64 = 23.0;
/// Dens, C1 and skull base: more than this above C2 are no such thing.
const MOST_ABOVE_C2: usize = 3;

/// Takes off what lies below S1 and above C2, and says so.
pub fn trim_ends(vertebrae: &mut Vec<Vertebra>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let sacral = sacral_bodies(vertebrae);
    if sacral > 0 {
        let top = vertebrae[sacral - 1].centroid.z();
        vertebrae.drain(..sacral);
        problems.push(
            Problem::new(
                ProblemCode::SpinePartlyFollowed,
                Severity::Note,
                format!("the chain ran on into the sacrum: {sacral} sacral bodies at and below {top:.0} mm along z are not reported as vertebrae"),
            )
            .with_number("to_z_mm", top),
        );
    }
    if let Some(first) = first_above_c2(vertebrae) {
        let bottom = vertebrae[first].centroid.z();
        let count = vertebrae.len() - first;
        vertebrae.truncate(first);
        problems.push(
            Problem::new(
                ProblemCode::SpinePartlyFollowed,
                Severity::Note,
                format!("the chain ran on over the upper end of the column: {count} places at and above {bottom:.0} mm along z are not reported as vertebrae"),
            )
            .with_number("from_z_mm", bottom),
        );
    }
    problems
}

/// How many at the lower end are sacral bodies below S1.
fn sacral_bodies(vertebrae: &[Vertebra]) -> usize {
    let mut count = 0;
    for n in 0..vertebrae.len().saturating_sub(2).min(MOST_BELOW_S1) {
        let place = |m: usize| vertebrae[m].centroid;
        let (own, above) = (place(n + 1) - place(n), place(n + 2) - place(n + 1));
        if above.length() < LUMBAR_STEP_MM || own.length() > SACRAL_STEP_SHARE * above.length() {
            continue;
        }
        // Sine of the slope to the front, going up.
        let slope = -own.y() / own.length().max(1.0);
        let bent = if n + 3 < vertebrae.len() {
            let lumbar = place(n + 3) - place(n + 2);
            let reference = -lumbar.y() / lumbar.length().max(1.0);
            libm::asin(slope.clamp(-1.0, 1.0)) - libm::asin(reference.clamp(-1.0, 1.0))
                >= libm::asin(SACRAL_BEND)
        } else {
            slope >= SACRAL_SLOPE
        };
        if bent {
            count = n + 1;
        }
    }
    count
}

/// The first place above C2, where the step falls short.
fn first_above_c2(vertebrae: &[Vertebra]) -> Option<usize> {
    let steps: Vec<f64> =
        vertebrae.windows(2).map(|pair| pair[0].centroid.distance(pair[1].centroid)).collect();
    // Only near the end: further down a short step is a vertebra that was placed badly.
    let from = steps.len().saturating_sub(MOST_ABOVE_C2).max(2);
    (from..steps.len()).find_map(|n| {
        let usual = median(steps[n.saturating_sub(3)..n].iter().copied())?;
        let short = |step: &f64| *step < DENS_STEP_SHARE * usual;
        (usual <= NECK_STEP_MM && steps[n..].iter().all(short)).then_some(n + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::model::VertebraId;
    use crate::geometry::LpsPoint;
    use crate::units::Share;

    fn at(y: f64, z: f64) -> Vertebra {
        Vertebra {
            id: VertebraId(String::new()),
            level: None,
            level_candidates: Vec::new(),
            section_guess: None,
            centroid: LpsPoint::new(0.0, y, z),
            fraction_in_view: Share::new(1.0),
            confidence: Share::new(0.8),
            body: None,
            disc_below: None,
            disc_above: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn bodies_below_s1_are_taken_off_and_s1_stays() {
        // S3, S2, S1, L5, L4, L3.
        let mut chain = vec![
            at(82.0, -60.0),
            at(62.0, -45.0),
            at(41.0, -28.0),
            at(12.0, 0.0),
            at(2.0, 36.0),
            at(0.0, 73.0),
        ];
        let problems = trim_ends(&mut chain);
        assert_eq!(chain.len(), 4);
        assert_eq!(chain[0].centroid.z(), -28.0);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn a_lumbar_spine_that_ends_at_s1_stays_whole() {
        let mut chain = vec![at(41.0, -28.0), at(12.0, 0.0), at(2.0, 36.0), at(0.0, 73.0)];
        assert!(trim_ends(&mut chain).is_empty());
        assert_eq!(chain.len(), 4);
    }

    #[test]
    fn a_kyphotic_chest_with_one_vertebra_missed_stays_whole() {
        let mut chain: Vec<Vertebra> = (0..9).map(|n| at(0.0, 27.0 * f64::from(n))).collect();
        chain.extend([at(-18.0, 233.0), at(-36.0, 250.0), at(-54.0, 278.0), at(-60.0, 296.0)]);
        let whole = chain.len();
        assert!(trim_ends(&mut chain).is_empty());
        assert_eq!(chain.len(), whole);
    }

    #[test]
    fn one_short_step_in_the_middle_of_the_column_takes_nothing_off() {
        let mut chain: Vec<Vertebra> =
            [0.0, 22.0, 44.0, 59.0, 81.0, 103.0, 125.0, 147.0].map(|z| at(0.0, z)).into();
        assert!(trim_ends(&mut chain).is_empty());
        assert_eq!(chain.len(), 8);
    }

    #[test]
    fn the_dens_and_the_skull_base_are_taken_off_and_c2_stays() {
        let mut chain: Vec<Vertebra> =
            [0.0, 19.0, 37.0, 55.0, 73.0, 86.0, 99.0].map(|z| at(0.0, z)).into();
        assert_eq!(trim_ends(&mut chain).len(), 1);
        assert_eq!(chain.len(), 5);
    }
}
