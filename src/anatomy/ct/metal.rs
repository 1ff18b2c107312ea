//! Metal and cement, told from bone, and where the streaks of metal reach.
//!
//! # Method
//! Metal: pieces with a core above every bone (or at the end of the stored range), grown to what
//! hangs on it above the densest cortex. Cement: pieces inside a body, away from its shell, too
//! dense on the whole for a bone island. Streaks: what lies in the axial slices of metal, near it.
//!
//! # Limits
//! Contrast medium as dense as metal (bladder, barium) reads as metal. Cement with little contrast
//! agent is as dense as a bone island or a sclerotic metastasis and is not told from them: such
//! density stays with the features.

use rayon::prelude::*;

use super::coarse::is_measured;
use crate::anatomy::model::{Foreign, Vertebra};
use crate::geometry::{Grid, LpsPoint, VoxelIndex};
use crate::kernels::{BitMask, Connectivity, components, dilate, keep_components};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::volume::Volume;

/// No bone reaches this, HU; titanium lies above 3000, less in thick slices. Dental enamel and the
/// petrous bone come near it.
const METAL_CORE_HU: i16 = 2500;
/// What hangs on such a core and is denser than this belongs to it, HU: resolved cortex ends at
/// about 1800.
const METAL_HU: i16 = 2000;
/// Smaller pieces of metal are single voxels, enamel or calcium, mm³.
const LEAST_METAL_MM3: f64 = 60.0;
/// Pieces of at least this make streaks that reach far, mm³; clips and markers do not.
const STREAKING_MM3: f64 = 400.0;
/// Reach of streaks in the slice of the metal, mm, for large and small pieces, and along the
/// stack.
const STREAK_MM: f64 = 18.0;
const SMALL_STREAK_MM: f64 = 5.0;
const STREAK_ALONG_MM: f64 = 3.0;
/// Cement is at least this dense at each voxel, HU, and this on the mean: 95 % of bone islands have
/// a mean below 1580 (Ulano 2016: 1190 with a spread of 239); cement has 1500 to 3000.
const CEMENT_HU: i16 = 1000;
const CEMENT_MEAN_HU: f64 = 1550.0;
/// Least volume of cement in a body, mm³; usual fillings have 2000 to 6000.
const LEAST_CEMENT_MM3: f64 = 300.0;
/// The shell of the body is left out, mm: endplates and cortex with spurs.
const SHELL_MM: f64 = 3.0;
/// Where no body was cut out, this far around its centre is looked at, mm.
const WITHOUT_BODY_MM: f64 = 10.0;
/// A vertebra is touched when metal or streaks lie within this of its centre, mm: the pedicles are.
const TOUCHES_MM: f64 = 26.0;

/// Voxels that are looked through at a time.
const PIECE: usize = 1 << 16;

/// Finds metal, cement and streaks, `None` where there is none, and says of each vertebra what touches it.
pub fn foreign(
    volume: &Volume<i16>,
    vertebrae: &[Vertebra],
) -> (Option<Foreign>, Vec<Vec<Problem>>) {
    let (metal, streaks) = metal(volume).map_or((None, None), |(m, s)| (Some(m), Some(s)));
    let dense: Vec<Vec<usize>> =
        vertebrae.par_iter().map(|of| dense_inside(volume, of, metal.as_ref())).collect();
    let cement = cement(volume, &dense);
    let voxel_mm3 = volume.grid.voxel_mm3();
    let mut problems = vec![Vec::new(); vertebrae.len()];
    for ((vertebra, dense), problems) in vertebrae.iter().zip(&dense).zip(&mut problems) {
        let cement_mm3 = cement.as_ref().map_or(0.0, |cement| {
            dense.iter().filter(|&&n| cement.get(n)).count() as f64 * voxel_mm3
        });
        let near = |mask: Option<&BitMask>| {
            mask.map_or(0.0, |mask| {
                let ball = ball(&volume.grid, vertebra.centroid, TOUCHES_MM, |n| mask.get(n));
                ball.count() as f64 * voxel_mm3
            })
        };
        let (metal_mm3, streak_mm3) = (near(metal.as_ref()), near(streaks.as_ref()));
        let mut say = |sentence: String, numbers: &[(&str, f64)]| {
            let problem = Problem::new(ProblemCode::MetalOrCement, Severity::Warning, sentence);
            problems.push(numbers.iter().fold(problem, |problem, (name, value)| {
                problem.with_number(name, libm::round(*value))
            }));
        };
        if cement_mm3 > 0.0 {
            let ml = cement_mm3 / 1000.0;
            say(
                format!("{ml:.1} ml in the body are as dense as cement, denser than bone"),
                &[("cement_mm3", cement_mm3)],
            );
        }
        if metal_mm3 > 0.0 {
            say(
                "metal lies in or beside the vertebra; densities and outlines are not dependable"
                    .to_owned(),
                &[("metal_mm3", metal_mm3), ("streak_mm3", streak_mm3)],
            );
        } else if streak_mm3 > 0.0 {
            say(
                "streaks of metal reach the vertebra; densities are not dependable".to_owned(),
                &[("streak_mm3", streak_mm3)],
            );
        }
    }
    let found = (metal.is_some() || cement.is_some()).then_some(Foreign { metal, cement, streaks });
    (found, problems)
}

/// Metal and its streaks.
fn metal(volume: &Volume<i16>) -> Option<(BitMask, BitMask)> {
    let size = volume.grid.size();
    let saturated = volume.validity.saturated.as_ref();
    let core = |n: usize| {
        is_measured(volume, n)
            && (volume.voxels[n] >= METAL_CORE_HU
                || (volume.voxels[n] >= METAL_HU && saturated.is_some_and(|mask| mask.get(n))))
    };
    let any_core = |(n, voxels): (usize, &[i16])| {
        // Few pieces hold anything as dense at all.
        voxels.iter().fold(i16::MIN, |top, &hu| top.max(hu)) >= METAL_HU
            && (n * PIECE..n * PIECE + voxels.len()).any(core)
    };
    if !volume.voxels.par_chunks(PIECE).enumerate().any(any_core) {
        return None;
    }
    let dense = BitMask::from_fn(size, |i, j, k| {
        let n = (k * size[1] + j) * size[0] + i;
        volume.voxels[n] >= METAL_HU && is_measured(volume, n)
    });
    let voxel_mm3 = volume.grid.voxel_mm3();
    let (mut metal, mut large) = (BitMask::empty(size), BitMask::empty(size));
    for piece in components(&dense, Connectivity::Corners) {
        let mm3 = piece.voxels as f64 * voxel_mm3;
        if mm3 < LEAST_METAL_MM3 || !piece.offsets(size).any(core) {
            continue;
        }
        for n in piece.offsets(size) {
            metal.insert(n);
            if mm3 >= STREAKING_MM3 {
                large.insert(n);
            }
        }
    }
    if metal.is_empty() {
        return None;
    }
    // Streaks run in the plane of acquisition; it is taken for the plane of the slices.
    let spacing = volume.grid.spacing();
    let voxels = |mm: f64, step: f64| libm::ceil(mm / step.max(1e-3)).min(1e4) as usize;
    let around = |mask: &BitMask, mm: f64| {
        let [i, j, k] = spacing;
        dilate(mask, [voxels(mm, i), voxels(mm, j), voxels(STREAK_ALONG_MM, k)])
    };
    let mut streaks = around(&metal, SMALL_STREAK_MM);
    for n in around(&large, STREAK_MM).offsets() {
        streaks.insert(n);
    }
    for n in metal.offsets() {
        streaks.remove(n);
    }
    Some((metal, streaks))
}

/// Voxels inside one body, away from its shell, that are as dense as cement.
fn dense_inside(volume: &Volume<i16>, vertebra: &Vertebra, metal: Option<&BitMask>) -> Vec<usize> {
    let grid = &volume.grid;
    let inside = |point: LpsPoint| match &vertebra.body {
        Some(body) => body.surface.position(body.frame.to_local(point)).depth() >= SHELL_MM,
        None => point.distance(vertebra.centroid) <= WITHOUT_BODY_MM,
    };
    let dense = |n: usize| {
        volume.voxels[n] >= CEMENT_HU
            && is_measured(volume, n)
            && !metal.is_some_and(|metal| metal.get(n))
    };
    ball(grid, vertebra.centroid, REACH_OF_BODY_MM, dense)
        .filter(|&n| inside(place(grid, n)))
        .collect()
}

/// Of the dense voxels of all bodies the pieces that are cement.
fn cement(volume: &Volume<i16>, dense: &[Vec<usize>]) -> Option<BitMask> {
    let size = volume.grid.size();
    let voxel_mm3 = volume.grid.voxel_mm3();
    let enough = |voxels: f64| voxels * voxel_mm3 >= LEAST_CEMENT_MM3;
    if !dense.iter().any(|dense| enough(dense.len() as f64)) {
        return None;
    }
    let mut mask = BitMask::empty(size);
    for &n in dense.iter().flatten() {
        mask.insert(n);
    }
    let cement = keep_components(&mask, Connectivity::Faces, |piece| {
        let voxels = piece.voxels as f64;
        let sum: f64 = piece.offsets(size).map(|n| f64::from(volume.voxels[n])).sum();
        enough(voxels) && sum / voxels >= CEMENT_MEAN_HU
    });
    (!cement.is_empty()).then_some(cement)
}

/// No part of a body lies further than this from its centre, mm.
const REACH_OF_BODY_MM: f64 = 34.0;

fn place(grid: &Grid, offset: usize) -> LpsPoint {
    let [ni, nj, _] = grid.size();
    grid.voxel_to_lps(VoxelIndex { i: offset % ni, j: offset / ni % nj, k: offset / ni / nj })
}

/// Offsets of the voxels within `radius_mm` of a place that are `wanted`.
fn ball<'a>(
    grid: &'a Grid,
    centre: LpsPoint,
    radius_mm: f64,
    wanted: impl Fn(usize) -> bool + 'a,
) -> impl Iterator<Item = usize> + 'a {
    let [ni, nj, nk] = grid.size();
    let middle = grid.to_index(centre);
    let spacing = grid.spacing();
    // For a sheared grid the box in index space is a little larger than the radius.
    let range = |at: f64, axis: usize, n: usize| {
        let r = 1.2 * radius_mm / spacing[axis].max(1e-3) + 1.0;
        let low = libm::floor(at - r).clamp(0.0, n as f64) as usize;
        let high = libm::ceil(at + r).clamp(-1.0, n as f64 - 1.0) + 1.0;
        low..high as usize
    };
    let (is, js, ks) = (range(middle.i, 0, ni), range(middle.j, 1, nj), range(middle.k, 2, nk));
    ks.flat_map(move |k| {
        let is = is.clone();
        js.clone().flat_map(move |j| is.clone().map(move |i| (k * nj + j) * ni + i))
    })
    // What is wanted is told at less cost than where it lies.
    .filter(move |&n| wanted(n) && place(grid, n).distance(centre) <= radius_mm)
}

#[cfg(test)]
#[path = "metal_tests.rs"]
mod tests;
