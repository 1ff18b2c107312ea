//! The feature on made bodies: cylinders in a row, each with a signal of its own.

use super::*;
use crate::anatomy::{
    Anatomy, BodySurface, Disc, EndplateSurface, OUTLINE_DIRECTIONS, VertebraId, VertebralBody,
};
use crate::features::Settings;
use crate::geometry::{Frame, Grid, LpsPoint, LpsVector};
use crate::series::SeriesId;
use crate::terms::{ContrastMedium, Part, Provider};
use crate::units::Millimetres;
use crate::volume::{Image, MrVoxels, Validity};

const PITCH: f64 = 34.0;
const MARROW: f32 = 320.0;
const DISC: f32 = 200.0;
const MUSCLE: f32 = 215.0;
const BODIES: usize = 6;

fn frame(z: f64) -> Frame {
    let origin = LpsPoint::new(0.0, 0.0, z);
    Frame::from_up_and_anterior(origin, LpsVector::HEAD, LpsVector::ANTERIOR).unwrap()
}

fn vertebra(n: usize) -> Vertebra {
    let z = PITCH * n as f64;
    let disc = |z: f64| Some(Disc { frame: frame(z), half_height: Millimetres::new(4.0) });
    Vertebra {
        id: VertebraId(format!("v{}", n + 1)),
        level: None,
        level_candidates: Vec::new(),
        section_guess: None,
        centroid: LpsPoint::new(0.0, 0.0, z),
        fraction_in_view: Share::new(1.0),
        confidence: Share::new(0.8),
        body: Some(VertebralBody {
            frame: frame(z),
            surface: BodySurface {
                first_outline_s: -14.0,
                outlines: vec![[17.0; OUTLINE_DIRECTIONS]; 29],
                upper: EndplateSurface::flat(13.0),
                lower: EndplateSurface::flat(-13.0),
                in_view_s: (-14.0, 14.0),
            },
            confidence: Share::new(0.7),
            measurements: None,
        }),
        disc_below: disc(z - PITCH / 2.0),
        disc_above: disc(z + PITCH / 2.0),
        problems: Vec::new(),
    }
}

/// Answers for a row of bodies whose marrow has the signal that `marrow` gives for
/// (body, mm above its centre, mm behind, mm left).
fn assess_with(
    change: impl Fn(&mut [Vertebra]),
    marrow: impl Fn(usize, f64, f64, f64) -> f32,
) -> Vec<Observation> {
    let size = [50, 100, 220];
    let grid = Grid::new(
        size,
        LpsPoint::new(-37.0, -20.0, -25.0),
        LpsVector::new(1.5, 0.0, 0.0),
        LpsVector::new(0.0, 1.0, 0.0),
        LpsVector::new(0.0, 0.0, 1.0),
    )
    .unwrap();
    let mut voxels = Vec::with_capacity(grid.len());
    for k in 0..size[2] {
        for j in 0..size[1] {
            for i in 0..size[0] {
                let (x, y, z) = (-37.0 + 1.5 * i as f64, j as f64 - 20.0, k as f64 - 25.0);
                let n = (z / PITCH).round();
                let s = z - n * PITCH;
                let in_column = x.hypot(y) <= 17.5;
                voxels.push(match (in_column, s.abs() <= 13.5) {
                    (true, true) => marrow(n.clamp(0.0, 5.0) as usize, s, y, x),
                    (true, false) => DISC,
                    (false, _) => MUSCLE,
                });
            }
        }
    }
    let image = Image::Mr {
        grid,
        voxels: MrVoxels::Rescaled(voxels),
        slope: 1.0,
        intercept: 0.0,
        validity: Validity::default(),
    };
    let mut vertebrae: Vec<Vertebra> = (0..BODIES).map(vertebra).collect();
    change(&mut vertebrae);
    let anatomy = Anatomy {
        provider: Provider::Heuristic,
        canal: None,
        vertebrae,
        ends: crate::anatomy::ColumnEnds::NONE,
        tissue_quotients: None,
        body_outline: None,
        bone: None,
        arches: None,
        bones: None,
        foreign: None,
        problems: Vec::new(),
    };
    let series = SeriesId("made".to_owned());
    T1MarrowSignalDrop.assess(&Context {
        series: &series,
        role: Role::MrT1,
        contrast_medium: ContrastMedium::NotGiven,
        image: &image,
        anatomy: &anatomy,
        settings: &Settings::default(),
    })
}

fn assess(marrow: impl Fn(usize, f64, f64, f64) -> f32) -> Vec<Observation> {
    assess_with(|_| (), marrow)
}

#[test]
fn normal_marrow_is_absent_in_every_body_and_says_what_it_was_compared_with() {
    let answers = assess(|_, _, _, _| MARROW);
    assert_eq!(answers.len(), BODIES);
    for answer in &answers {
        assert_eq!((answer.status, answer.reason), (Status::Absent, None));
        let reference = answer.reference.as_ref().unwrap();
        assert!((reference.median - 200.0).abs() < 1.0 && reference.voxels > 60);
        let over_disc = &answer.measurements[0];
        assert!((over_disc.value - 1.6).abs() < 0.02, "{over_disc:?}");
    }
}

#[test]
fn a_body_as_dark_as_its_discs_is_present_and_the_others_stay_absent() {
    let answers = assess(|n, _, _, _| if n == 2 { 180.0 } else { MARROW });
    assert_eq!(answers[2].status, Status::Present);
    assert!(answers[2].score.unwrap().get() >= 0.6);
    let location = answers[2].location.as_ref().unwrap();
    assert!((location.centroid.z() - 2.0 * PITCH).abs() < 2.0);
    assert!(location.parts.contains(&Part::AnteriorThird));
    for n in [0, 1, 3, 4, 5] {
        assert_eq!(answers[n].status, Status::Absent, "v{}", n + 1);
    }
}

#[test]
fn a_body_between_the_limits_is_indeterminate() {
    let answers = assess(|n, _, _, _| if n == 3 { 220.0 } else { MARROW });
    assert_eq!(answers[3].status, Status::Indeterminate);
    assert_eq!(answers[3].reason, Some(Reason::BetweenLimits));
}

#[test]
fn both_sides_of_a_disc_dark_is_a_look_alike() {
    let answers = assess(|n, s, _, _| {
        let modic = (n == 2 && s > 1.0) || (n == 3 && s < -1.0);
        if modic { 150.0 } else { MARROW }
    });
    for n in [2, 3] {
        assert_eq!(answers[n].status, Status::Indeterminate, "v{}", n + 1);
        assert_eq!(answers[n].reason, Some(Reason::LookAlike), "v{}", n + 1);
        assert!(answers[n].speaks_against.iter().any(|line| line.contains("Modic")));
    }
}

#[test]
fn a_dark_lump_inside_a_body_is_present_with_its_place_and_side() {
    let answers = assess(|n, s, y, x| {
        let r = (s * s + (y + 4.0) * (y + 4.0) + (x - 6.0) * (x - 6.0)).sqrt();
        if n == 1 && r <= 6.5 { 150.0 } else { MARROW }
    });
    assert_eq!((answers[1].status, answers[1].reason), (Status::Present, None));
    let location = answers[1].location.as_ref().unwrap();
    assert!(location.centroid.distance(LpsPoint::new(6.0, -4.0, PITCH)) < 3.0);
    assert_eq!(location.side, Some(crate::terms::Side::Left));
    let expected = 4.0 / 3.0 * std::f64::consts::PI * 6.5f64.powi(3);
    let volume = location.volume.unwrap().mm3();
    assert!((volume / expected - 1.0).abs() < 0.25, "{volume} against {expected}");
}

#[test]
fn the_basivertebral_vein_is_not_taken_for_a_lesion() {
    let answers =
        assess(
            |n, s, y, x| {
                if n == 4 && y > 8.0 && s.abs() < 4.0 && x.abs() < 4.0 { 120.0 } else { MARROW }
            },
        );
    assert_eq!(answers[4].status, Status::Absent);
}

#[test]
fn a_thin_dark_rim_at_an_endplate_is_a_look_alike() {
    let answers = assess(|n, s, _, _| if n == 4 && s > 4.0 { 120.0 } else { MARROW });
    assert_eq!(answers[4].status, Status::Indeterminate);
    assert_eq!(answers[4].reason, Some(Reason::LookAlike));
}

#[test]
fn marrow_dark_in_all_bodies_cannot_be_told_from_replacement() {
    for answer in assess(|_, _, _, _| 180.0) {
        assert_eq!(answer.status, Status::Indeterminate);
        assert_eq!(answer.reason, Some(Reason::MarrowAsDarkAsTumour));
    }
}

#[test]
fn absent_is_never_said_without_discs_others_or_the_whole_body() {
    let without_discs = assess_with(
        |v| {
            v[2].disc_above = None;
            v[2].disc_below = None;
        },
        |_, _, _, _| MARROW,
    );
    assert_eq!(without_discs[2].status, Status::Indeterminate);
    assert_eq!(without_discs[2].reason, Some(Reason::ReferenceTissueNotFound));
    let cut = assess_with(|v| v[5].fraction_in_view = Share::new(0.8), |_, _, _, _| MARROW);
    assert_eq!(cut[5].reason, Some(Reason::PartlyOutsideFieldOfView));
    assert_eq!(cut[5].status, Status::Indeterminate);
    let alone = assess_with(
        |v| {
            for other in &mut v[1..] {
                other.body = None;
            }
        },
        |_, _, _, _| MARROW,
    );
    assert_eq!(alone[0].reason, Some(Reason::TooFewReferenceVertebrae));
    assert_eq!(alone[1].status, Status::NotAssessed);
}

#[test]
fn an_uncertain_vertebra_is_not_assessed() {
    let answers = assess_with(|v| v[3].confidence = Share::new(0.2), |_, _, _, _| MARROW);
    assert_eq!(answers[3].status, Status::NotAssessed);
    assert_eq!(answers[3].reason, Some(Reason::AnatomyUncertain));
}
