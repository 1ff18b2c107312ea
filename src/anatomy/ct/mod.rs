//! The spine on CT, without learned weights.
//!
//! # Method
//! A 2 mm grid ([`coarse`]); rays map the canal with a bone threshold relative to its own content
//! ([`canal_map`]); a local, droppable Viterbi makes it a path ([`canal_path`]); left-right
//! symmetry proves that it is a spine ([`spine_line`]); in the frame straightened along it
//! ([`straightened`]) tilted disc evidence and the pedicle rhythm place the vertebrae by a second
//! Viterbi ([`rhythm`]); on the native voxels each body is cut out by closed polar paths
//! ([`outline`]) and quadratic endplates ([`endplates`]).
//!
//! # Limits
//! A patient turned by more than about 60 degrees is not covered. Laminectomy, screws, cement and collapse
//! were tried on painted copies alone (`docs/CT_ANATOMY.md`).

mod body;
mod body_volume;
mod bones;
mod canal;
mod canal_map;
mod canal_path;
mod centre_line;
mod coarse;
mod contrast_column;
mod disc_evidence;
mod disc_space;
mod doubts;
mod edge_model;
mod endplates;
mod ends;
mod metal;
mod outline;
mod parameters;
mod patient;
mod plausible;
mod rhythm;
mod ribs;
mod sampling;
mod sections;
mod shafts;
mod signals;
mod spine_line;
mod straightened;
mod symmetry;
mod trace;
mod twin;
mod vertebrae;

use std::borrow::Cow;

pub use parameters::Parameters;
pub use trace::Trace;

use super::model::Anatomy;
use crate::terms::Provider;
use crate::volume::Volume;
use contrast_column::{Cleared, Myelography};

/// Finds the spine in a CT volume.
///
/// Never fails: what could not be found or followed is in [`Anatomy::problems`].
pub fn find(volume: &Volume<i16>) -> Anatomy {
    find_with(volume, &Parameters::default(), None)
}

/// As [`find`], with other limits and weights; `trace` takes what the stages measured on the way.
pub fn find_with(
    volume: &Volume<i16>,
    parameters: &Parameters,
    trace: Option<&mut Trace>,
) -> Anatomy {
    let mut anatomy = Anatomy::empty(Provider::Heuristic);
    let Some(coarse) = coarse::coarse_grid(volume) else {
        anatomy.problems.push(doubts::not_found(spine_line::Refusal::NoCanal));
        return anatomy;
    };
    let (mut patient, line) = rayon::join(
        || patient::patient(volume, &coarse),
        || spine_line::spine_line(volume, &coarse, parameters),
    );
    let said = contrast_column::myelography(volume, &coarse, line.as_ref(), parameters);
    let (volume, coarse, line) = match said {
        Some(Myelography::TakenOut(cleared)) => {
            let Cleared { volume, coarse, line, problem } = *cleared;
            anatomy.problems.push(problem);
            patient = patient::patient(&volume, &coarse);
            (Cow::Owned(volume), coarse, Ok(line))
        }
        Some(Myelography::InPlace(problem)) => {
            anatomy.problems.push(problem);
            (Cow::Borrowed(volume), coarse, line)
        }
        None => (Cow::Borrowed(volume), coarse, line),
    };
    let volume: &Volume<i16> = &volume;
    anatomy.body_outline = patient.body_outline;
    anatomy.bone = patient.bone;
    let line = match line {
        Ok(line) => line,
        Err(refusal) => {
            anatomy.problems.push(doubts::not_found(refusal));
            return anatomy;
        }
    };
    let straight = straightened::Straightened::new(volume, &line.frames);
    let signals = signals::signals(&straight);
    let discs = disc_evidence::disc_evidence(&signals);
    let segments = rhythm::rhythm(&signals, &discs, &line.symmetry, parameters);
    if let Some(trace) = trace {
        *trace = Trace::of(&line, &signals, &discs, &segments);
    }
    anatomy.canal = canal::canal(&line, &straight, &signals, &discs.in_view);
    let measured =
        vertebrae::Measured { volume, line: &line, signals: &signals, discs: &discs, parameters };
    anatomy.vertebrae = vertebrae::vertebrae(&measured, &segments);
    let strays = ends::trim_strays(&mut anatomy.vertebrae);
    let joints = bones::joints(&anatomy, &coarse);
    if let Some(refusal) = line.after.filter(|_| !joints.sacrum) {
        anatomy.vertebrae.clear();
        anatomy.canal = None;
        // Nor is what was said of its canal.
        anatomy.problems = vec![doubts::not_found(refusal)];
        return anatomy;
    }
    anatomy.problems.extend(strays);
    let (ends, strays) = ends::trim_ends(&mut anatomy.vertebrae, anatomy.canal.as_ref(), &joints);
    anatomy.problems.extend(strays);
    vertebrae::number(&mut anatomy.vertebrae);
    anatomy.ends = ends.named(&anatomy.vertebrae);
    sections::guess_sections(&coarse, &mut anatomy.vertebrae);
    doubts::add_doubts(&mut anatomy, &coarse, &line);
    // Before the levels: no count goes over what metal hides.
    let (foreign, touched) = metal::foreign(volume, &anatomy.vertebrae);
    anatomy.foreign = foreign;
    for (vertebra, problems) in anatomy.vertebrae.iter_mut().zip(touched) {
        vertebra.problems.extend(problems);
    }
    let told = bones::look(&anatomy, volume, &coarse);
    if let Some(told) = told {
        told.add_to(&mut anatomy);
    }
    anatomy.problems.extend(ends.problems(&anatomy.vertebrae));
    anatomy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Grid, LpsPoint, LpsVector};
    use crate::problem::ProblemCode;
    use crate::volume::Validity;
    use proptest::prelude::*;

    fn volume(size: [usize; 3], spacing: [f64; 3], voxels: Vec<i16>) -> Volume<i16> {
        let grid = Grid::new(
            size,
            LpsPoint::new(-20.0, 30.0, 500.0),
            LpsVector::new(spacing[0], 0.0, 0.0),
            LpsVector::new(0.0, spacing[1], 0.1),
            LpsVector::new(0.0, 0.3, spacing[2]),
        )
        .unwrap();
        Volume { grid, voxels, validity: Validity::default() }
    }

    fn says_not_found(anatomy: &Anatomy) -> bool {
        anatomy.vertebrae.is_empty()
            && anatomy.problems.iter().any(|p| p.code == ProblemCode::SpineNotFound)
    }

    #[test]
    fn one_voxel_is_no_spine() {
        assert!(says_not_found(&find(&volume([1, 1, 1], [1.0, 1.0, 1.0], vec![50]))));
    }

    #[test]
    fn padding_alone_is_no_spine_and_no_patient() {
        let anatomy = find(&volume([40, 40, 20], [2.0, 2.0, 3.0], vec![-3024; 32000]));
        assert!(says_not_found(&anatomy));
        assert!(anatomy.body_outline.is_none() && anatomy.bone.is_none());
    }

    #[test]
    fn water_without_bone_is_no_spine() {
        assert!(says_not_found(&find(&volume([60, 60, 40], [2.0, 2.0, 3.0], vec![20; 144000]))));
    }

    #[test]
    fn fewer_voxels_than_the_grid_says_is_no_spine() {
        assert!(says_not_found(&find(&volume([4, 4, 4], [1.0, 1.0, 1.0], vec![0; 7]))));
    }

    #[test]
    fn a_canal_found_behind_longer_tubes_beside_it_is_none_without_a_sacrum() {
        let (volume, _) = coarse::made([190, 110, 60], |x, y, z| {
            let column = |x: f64| {
                let ring = (8.0..13.0).contains(&libm::hypot(x, y - 20.0));
                ring || libm::hypot(x, y + 4.0) < 16.0
            };
            let beside = [-125.0, -85.0, 85.0, 125.0].iter().any(|at| column(x - at));
            let discs = (z % 20.0) < 4.0;
            if libm::hypot(x / 170.0, y / 90.0) > 1.0 {
                -1000
            } else if beside || (z < 76.0 && column(x)) {
                if discs { 120 } else { 400 }
            } else {
                40
            }
        });
        let anatomy = find(&volume);
        assert!(says_not_found(&anatomy) && anatomy.canal.is_none());
        // What is said is why the first path is none.
        assert!(anatomy.problems.iter().any(|problem| problem.sentence.contains("hips")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn nothing_panics_on_noise_of_any_shape(
            size in proptest::array::uniform3(1usize..26),
            spacing in proptest::array::uniform3(0.4..9.0f64),
            seed in any::<u32>(), spread in 1u32..4000,
        ) {
            let mut state = seed;
            let voxels = (0..size.iter().product::<usize>()).map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                ((state >> 8) % spread) as i16 - 1000
            }).collect();
            find(&volume(size, spacing, voxels));
        }
    }
}
