//! The chain on a synthetic spine.

use super::*;
use crate::features::synthetic::{MARROW, Spine, ball, measured, of_body, spine};
use crate::terms::{Level, Part, Side};

fn statuses(spine: &Spine) -> Vec<Status> {
    spine.assess(&ScleroticDensity).iter().map(|o| o.status).collect()
}

#[test]
fn healthy_bodies_are_absent_with_what_they_were_compared_with() {
    let observations = spine(5, 1.0, |_, _| 0.0).assess(&ScleroticDensity);
    assert_eq!(observations.len(), 5);
    for observation in &observations {
        assert_eq!(observation.status, Status::Absent);
        let reference = observation.reference.as_ref().unwrap();
        assert!((reference.median - MARROW).abs() < 5.0, "{}", reference.median);
        assert!(reference.voxels > 10_000);
    }
}

#[test]
fn a_ball_on_the_left_is_present_there_and_nowhere_else() {
    let observations =
        spine(5, 1.0, |n, p| if n == 2 { ball(p, [2.0, 3.0, 6.5], 5.0, 250.0) } else { 0.0 })
            .assess(&ScleroticDensity);
    for n in [0, 1, 3, 4] {
        assert_eq!(of_body(&observations, n)[0].status, Status::Absent, "body {n}");
    }
    let found = of_body(&observations, 2);
    assert_eq!(found.len(), 1);
    let location = found[0].location.as_ref().unwrap();
    assert_eq!(found[0].status, Status::Present);
    assert_eq!(location.side, Some(Side::Left));
    assert!(location.parts.contains(&Part::MiddleThird), "{:?}", location.parts);
    let off = location.centroid.distance(crate::geometry::LpsPoint::new(6.5, -3.0, 58.0));
    assert!(off < 1.5, "{off} mm off");
    let volume = measured(found[0], "volume_mm3");
    assert!((350.0..750.0).contains(&volume), "{volume} mm³ of 524");
    let contrast = measured(found[0], "mean_contrast_hu");
    assert!((150.0..260.0).contains(&contrast), "{contrast} HU of 250");
    let mask = location.mask.as_ref().unwrap();
    assert!((mask.count() as f64 / volume - 1.0).abs() < 0.05);
    // The ball's back is 11 mm behind the body's axis and the canal begins at 16 mm.
    let distance = measured(found[0], "distance_to_canal_mm");
    assert!((11.0..22.0).contains(&distance), "{distance} mm");
}

#[test]
fn a_body_that_is_dense_as_a_whole_is_present_and_its_neighbours_are_not() {
    let observations =
        spine(6, 1.0, |n, p| if n == 3 { ball(p, [0.0; 3], 40.0, 220.0) } else { 0.0 })
            .assess(&ScleroticDensity);
    let dense = of_body(&observations, 3);
    assert_eq!(dense[0].status, Status::Present);
    assert!(measured(dense[0], "volume_mm3") > 5000.0);
    assert!(dense[0].speaks_for.iter().any(|s| s.contains("as a whole")));
    for n in [0, 1, 2, 4, 5] {
        assert_eq!(of_body(&observations, n)[0].status, Status::Absent, "body {n}");
    }
}

#[test]
fn a_mirrored_pair_is_absent_and_the_answer_says_why() {
    let observations = spine(5, 1.0, |n, p| {
        if n == 1 {
            ball(p, [0.0, -4.0, 8.0], 3.5, 250.0) + ball(p, [0.0, -4.0, -8.0], 3.5, 250.0)
        } else {
            0.0
        }
    })
    .assess(&ScleroticDensity);
    let pair = of_body(&observations, 1);
    assert_eq!(pair[0].status, Status::Absent);
    assert!(pair[0].speaks_against.iter().any(|s| s.contains("mirror image")));
}

#[test]
fn a_flat_band_at_the_endplate_is_absent_and_the_answer_says_why() {
    let observations = spine(5, 1.0, |n, p| {
        let inside = p.v * p.v + p.u * p.u < 100.0;
        if n == 1 && inside && (6.0..11.0).contains(&p.s) { 200.0 } else { 0.0 }
    })
    .assess(&ScleroticDensity);
    let band = of_body(&observations, 1);
    assert_eq!(band[0].status, Status::Absent);
    assert!(band[0].speaks_against.iter().any(|s| s.contains("endplate")), "{band:?}");
}

#[test]
fn an_island_is_flagged_with_a_lower_score_and_named() {
    let at = |hu: f64| {
        let observations =
            spine(5, 1.0, move |n, p| if n == 2 { ball(p, [0.0, 0.0, 0.0], 4.0, hu) } else { 0.0 })
                .assess(&ScleroticDensity);
        of_body(&observations, 2)[0].clone()
    };
    let (metastasis, island) = (at(500.0), at(1200.0));
    assert_eq!(island.status, Status::Present);
    assert!(island.speaks_against.iter().any(|s| s.contains("bone island")));
    assert!(island.score.unwrap().get() < metastasis.score.unwrap().get());
}

#[test]
fn neck_and_sacrum_are_not_assessed_and_are_no_reference() {
    let mut spine = spine(5, 1.0, |_, _| 0.0);
    spine.name(4, Level::C7);
    spine.name(0, Level::S1);
    let observations = spine.assess(&ScleroticDensity);
    assert_eq!(of_body(&observations, 4)[0].reason, Some(Reason::CervicalSpine));
    assert_eq!(of_body(&observations, 0)[0].reason, Some(Reason::SacralSpine));
    let reference = of_body(&observations, 2)[0].reference.as_ref().unwrap();
    assert!(reference.tissue.contains("the 2 nearest bodies"), "{}", reference.tissue);
}

#[test]
fn one_body_alone_is_never_called_absent() {
    let lonely = spine(1, 1.0, |_, _| 0.0).assess(&ScleroticDensity);
    assert_eq!(lonely[0].status, Status::Indeterminate);
    assert_eq!(lonely[0].reason, Some(Reason::TooFewReferenceVertebrae));
}

#[test]
fn a_spine_dense_throughout_is_not_called_absent() {
    let dense = spine(4, 1.0, |_, p| ball(p, [0.0; 3], 40.0, 300.0));
    assert!(statuses(&dense).iter().all(|status| *status == Status::Indeterminate));
}

#[test]
fn a_body_at_the_edge_of_the_field_is_not_assessed() {
    let mut spine = spine(4, 1.0, |_, _| 0.0);
    spine.anatomy.vertebrae[3].fraction_in_view = Share::new(0.4);
    let observations = spine.assess(&ScleroticDensity);
    assert_eq!(of_body(&observations, 3)[0].status, Status::NotAssessed);
    assert_eq!(of_body(&observations, 3)[0].reason, Some(Reason::PartlyOutsideFieldOfView));
}

#[test]
fn a_mirrored_patient_has_the_same_finding_on_the_other_side() {
    let at = |u: f64| {
        let observations =
            spine(
                5,
                1.0,
                move |n, p| {
                    if n == 2 { ball(p, [2.0, 3.0, u], 5.0, 250.0) } else { 0.0 }
                },
            )
            .assess(&ScleroticDensity);
        of_body(&observations, 2)[0].clone()
    };
    let (left, right) = (at(7.0), at(-7.0));
    assert_eq!(left.location.as_ref().unwrap().side, Some(Side::Left));
    assert_eq!(right.location.as_ref().unwrap().side, Some(Side::Right));
    let ratio = measured(&left, "volume_mm3") / measured(&right, "volume_mm3");
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
}

#[test]
fn one_thread_and_three_give_the_same_answers() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let spine =
                spine(
                    4,
                    3.0,
                    |n, p| {
                        if n == 2 { ball(p, [2.0, 3.0, 6.0], 6.0, 180.0) } else { 0.0 }
                    },
                );
            format!("{:?}", spine.assess(&ScleroticDensity))
        })
    };
    assert_eq!(run(1), run(3));
}
