//! Which finding hits which lesion, within one scan.

use super::assignment::assign;
use crate::geometry::LpsPoint;
use crate::terms::FeatureId;

/// When a finding hits a lesion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Matching {
    /// Its centre lies at most this far outside a sphere of the lesion's volume round the lesion's
    /// centre. One finding may hit several lesions; a lesion takes its finding of the highest
    /// score; further findings in it are neither hits nor false (as LUNA16).
    Distance {
        /// mm beyond the sphere; the limit itself is a hit.
        margin_mm: f64,
    },
    /// Intersection over union of at least this, one to one, as many pairs as possible and of
    /// these the greatest sum of overlaps; a finding with enough overlap that is left over is not
    /// false (as PI-CAI). The extents are spheres of the volumes stated.
    Overlap {
        /// Least intersection over union; the limit itself is a hit.
        least: f64,
    },
}

/// Whether a finding must be of the lesion's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// It must: a wall called broken is no hit on a dense focus.
    Same,
    /// Any finding at the place is a hit.
    Any,
}

/// A true lesion, as far as matching cares.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Feature that should see it.
    pub feature: FeatureId,
    /// Its centre.
    pub centre: LpsPoint,
    /// Its volume, mm³.
    pub volume_mm3: f64,
    /// The found vertebra nearest to it.
    pub vertebra: Option<String>,
}

/// Where a finding lies.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// At a point, with a volume where it has one.
    Point {
        /// Its centre.
        centre: LpsPoint,
        /// Its volume, mm³.
        volume_mm3: Option<f64>,
    },
    /// It speaks of a vertebra as a whole: it hits the lesions of this vertebra.
    Vertebra(String),
    /// Nowhere that can be compared.
    Unknown,
}

/// A finding, as far as matching cares.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Feature that saw it.
    pub feature: FeatureId,
    /// Where.
    pub place: Place,
    /// Its score.
    pub score: f64,
}

/// What hit what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hits {
    /// For each lesion the finding that counts for it.
    pub of_target: Vec<Option<usize>>,
    /// For each finding whether it lies on a lesion; one that does not is false.
    pub on_target: Vec<bool>,
}

/// Radius of a sphere of a volume, mm.
pub fn radius_of(volume_mm3: f64) -> f64 {
    libm::cbrt(volume_mm3.max(0.0) * 3.0 / (4.0 * std::f64::consts::PI))
}

/// Intersection over union of two spheres.
pub fn sphere_overlap(distance: f64, a: f64, b: f64) -> f64 {
    let ball = |r: f64| 4.0 / 3.0 * std::f64::consts::PI * r * r * r;
    let (small, large) = (a.min(b), a.max(b));
    if small <= 0.0 || distance >= a + b {
        return 0.0;
    }
    let shared = if distance <= large - small {
        ball(small)
    } else {
        let gap = a + b - distance;
        std::f64::consts::PI
            * gap
            * gap
            * (distance * distance + 2.0 * distance * (a + b) - 3.0 * (a - b) * (a - b))
            / (12.0 * distance)
    };
    shared / (ball(a) + ball(b) - shared)
}

/// Compares findings with lesions.
pub fn match_findings(
    candidates: &[Candidate],
    targets: &[Target],
    rule: Matching,
    kinds: Kinds,
) -> Hits {
    let fits = |c: &Candidate, t: &Target| kinds == Kinds::Any || c.feature == t.feature;
    match rule {
        Matching::Distance { margin_mm } => {
            let distance = |c: &Candidate, t: &Target| {
                fits(c, t).then(|| distance_beyond(c, t)).flatten().filter(|d| *d <= margin_mm)
            };
            let of_target = targets
                .iter()
                .map(|target| {
                    let hits = candidates
                        .iter()
                        .enumerate()
                        .filter_map(|(n, c)| Some((n, c.score, distance(c, target)?)));
                    // The highest score, of equal ones the nearest, of these the first.
                    hits.min_by(|a, b| {
                        b.1.total_cmp(&a.1).then(a.2.total_cmp(&b.2)).then(a.0.cmp(&b.0))
                    })
                    .map(|(n, ..)| n)
                })
                .collect();
            let on_target = candidates
                .iter()
                .map(|c| targets.iter().any(|target| distance(c, target).is_some()))
                .collect();
            Hits { of_target, on_target }
        }
        Matching::Overlap { least } => {
            let overlap = |c: &Candidate, t: &Target| -> f64 {
                let Place::Point { centre, volume_mm3: Some(volume) } = &c.place else {
                    return 0.0;
                };
                if !fits(c, t) {
                    return 0.0;
                }
                let shared = sphere_overlap(
                    centre.distance(t.centre),
                    radius_of(*volume),
                    radius_of(t.volume_mm3),
                );
                if shared < least { 0.0 } else { shared }
            };
            let overlaps: Vec<Vec<f64>> = targets
                .iter()
                .map(|t| candidates.iter().map(|c| overlap(c, t)).collect())
                .collect();
            hits_of_overlaps(&overlaps, candidates.len())
        }
    }
}

/// One to one, the number of pairs before their overlap. `overlaps[lesion][finding]`, 0 for no
/// hit.
fn hits_of_overlaps(overlaps: &[Vec<f64>], candidates: usize) -> Hits {
    let cost: Vec<Vec<f64>> = overlaps
        .iter()
        .map(|row| row.iter().map(|&o| if o > 0.0 { -1.0 - o } else { 0.0 }).collect())
        .collect();
    let of_target = assign(&cost)
        .into_iter()
        .zip(overlaps)
        .map(|(given, row)| given.filter(|&n| row[n] > 0.0))
        .collect();
    let on_target = (0..candidates).map(|n| overlaps.iter().any(|row| row[n] > 0.0)).collect();
    Hits { of_target, on_target }
}

/// mm from the finding's centre to the sphere of the lesion, 0 or less inside.
fn distance_beyond(candidate: &Candidate, target: &Target) -> Option<f64> {
    match &candidate.place {
        Place::Point { centre, .. } => {
            Some(centre.distance(target.centre) - radius_of(target.volume_mm3))
        }
        Place::Vertebra(id) => (target.vertebra.as_ref() == Some(id)).then_some(0.0),
        Place::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Volume of a sphere of 5 mm radius.
    const BALL_5: f64 = 4.0 / 3.0 * std::f64::consts::PI * 125.0;

    fn target(x: f64) -> Target {
        Target {
            feature: FeatureId::ScleroticDensity,
            centre: LpsPoint::new(x, 0.0, 0.0),
            volume_mm3: BALL_5,
            vertebra: Some("v1".into()),
        }
    }

    fn candidate(x: f64, score: f64) -> Candidate {
        Candidate {
            feature: FeatureId::ScleroticDensity,
            place: Place::Point { centre: LpsPoint::new(x, 0.0, 0.0), volume_mm3: Some(BALL_5) },
            score,
        }
    }

    const DISTANCE: Matching = Matching::Distance { margin_mm: 3.0 };
    const OVERLAP: Matching = Matching::Overlap { least: 0.1 };

    #[test]
    fn a_finding_between_two_lesions_hits_both_by_distance_and_one_by_overlap() {
        let (between, two) = ([candidate(6.0, 0.5)], [target(0.0), target(12.0)]);
        let hits = match_findings(&between, &two, DISTANCE, Kinds::Same);
        assert_eq!(hits.of_target, [Some(0), Some(0)]);
        let hits = match_findings(&between, &two, OVERLAP, Kinds::Same);
        assert_eq!(hits.of_target.iter().flatten().count(), 1);
        assert_eq!(hits.on_target, [true]);
    }

    #[test]
    fn of_two_findings_on_one_lesion_the_higher_score_counts_and_none_is_false() {
        let two = [candidate(4.0, 0.4), candidate(5.0, 0.9)];
        let hits = match_findings(&two, &[target(0.0)], DISTANCE, Kinds::Same);
        assert_eq!((hits.of_target[0], hits.on_target), (Some(1), vec![true, true]));
        // By overlap the one that overlaps more counts; the other is still not false.
        let hits = match_findings(&two, &[target(0.0)], OVERLAP, Kinds::Same);
        assert_eq!((hits.of_target[0], hits.on_target), (Some(0), vec![true, true]));
    }

    #[test]
    fn the_limit_itself_is_a_hit_and_the_next_number_is_not() {
        let radius = radius_of(BALL_5);
        let at =
            |x: f64| match_findings(&[candidate(x, 0.5)], &[target(0.0)], DISTANCE, Kinds::Same);
        assert_eq!(at(radius + 3.0).of_target, [Some(0)]);
        assert_eq!(at((radius + 3.0).next_up().next_up()).of_target, [None]);
        let overlap = sphere_overlap(4.0, radius, radius);
        let at = |least: f64| {
            let rule = Matching::Overlap { least };
            match_findings(&[candidate(4.0, 0.5)], &[target(0.0)], rule, Kinds::Same)
        };
        assert_eq!(at(overlap).of_target, [Some(0)]);
        assert_eq!(at(overlap.next_up()).of_target, [None]);
        assert_eq!(at(overlap.next_up()).on_target, [false]);
    }

    #[test]
    fn the_number_of_pairs_goes_before_their_overlap() {
        // The second finding overlaps only the first lesion; the first both, the first more.
        let hits = hits_of_overlaps(&[vec![0.9, 0.2], vec![0.3, 0.0]], 2);
        assert_eq!(hits.of_target, [Some(1), Some(0)]);
    }

    #[test]
    fn another_kind_is_no_hit_unless_any_kind_is_asked_for() {
        let mut other = candidate(0.0, 0.5);
        other.feature = FeatureId::PosteriorWallDisruption;
        for rule in [DISTANCE, OVERLAP] {
            let one = std::slice::from_ref(&other);
            assert_eq!(match_findings(one, &[target(0.0)], rule, Kinds::Same).on_target, [false]);
            assert_eq!(match_findings(one, &[target(0.0)], rule, Kinds::Any).on_target, [true]);
        }
    }

    #[test]
    fn a_finding_on_a_whole_vertebra_hits_the_lesions_of_that_vertebra() {
        let whole =
            |id: &str| Candidate { place: Place::Vertebra(id.into()), ..candidate(0.0, 0.5) };
        let hits = match_findings(&[whole("v1")], &[target(9.0)], DISTANCE, Kinds::Same);
        assert_eq!(hits.of_target, [Some(0)]);
        let hits = match_findings(&[whole("v2")], &[target(9.0)], DISTANCE, Kinds::Same);
        assert_eq!((hits.of_target, hits.on_target), (vec![None], vec![false]));
    }

    #[test]
    fn no_findings_and_no_lesions_are_no_errors() {
        for rule in [DISTANCE, OVERLAP] {
            assert_eq!(match_findings(&[], &[target(0.0)], rule, Kinds::Same).of_target, [None]);
            assert_eq!(
                match_findings(&[candidate(0.0, 1.0)], &[], rule, Kinds::Same).on_target,
                [false]
            );
        }
    }

    #[test]
    fn spheres_overlap_as_counted_on_a_fine_grid() {
        for (distance, a, b) in [(3.0, 5.0, 4.0), (1.0, 5.0, 2.0), (8.9, 5.0, 4.0), (0.0, 3.0, 3.0)]
        {
            let (mut both, mut either) = (0_u32, 0_u32);
            let step = 0.1;
            for k in -60..=60 {
                for j in -60..=60 {
                    for i in -60..=140 {
                        let p = [i, j, k].map(|n| f64::from(n) * step);
                        let inside = |x: f64, r: f64| {
                            (p[0] - x).powi(2) + p[1].powi(2) + p[2].powi(2) <= r * r
                        };
                        let (in_a, in_b) = (inside(0.0, a), inside(distance, b));
                        both += u32::from(in_a && in_b);
                        either += u32::from(in_a || in_b);
                    }
                }
            }
            let counted = f64::from(both) / f64::from(either);
            assert!((sphere_overlap(distance, a, b) - counted).abs() < 3e-3, "{distance} {a} {b}");
        }
        assert_eq!(sphere_overlap(0.0, 0.0, 5.0), 0.0);
    }

    proptest! {
        /// PI-CAI's rule, by trying every one-to-one choice.
        #[test]
        fn overlap_matching_is_the_best_of_all_choices(
            values in prop::collection::vec(prop_oneof![Just(0.0), 0.1_f64..1.0], 16)
        ) {
            fn best(rows: &[&[f64]], used: u32) -> f64 {
                let Some((row, rest)) = rows.split_first() else { return 0.0 };
                let mut most = best(rest, used);
                for (n, value) in row.iter().enumerate() {
                    if *value > 0.0 && used & (1 << n) == 0 {
                        most = most.max(1.0 + value + best(rest, used | (1 << n)));
                    }
                }
                most
            }
            let rows: Vec<Vec<f64>> = values.chunks(4).map(<[f64]>::to_vec).collect();
            let hits = hits_of_overlaps(&rows, 4);
            let sum: f64 = hits.of_target.iter().zip(&rows)
                .filter_map(|(n, row)| n.map(|n| 1.0 + row[n])).sum();
            prop_assert!((sum - best(&values.chunks(4).collect::<Vec<_>>(), 0)).abs() < 1e-9);
        }
    }
}
