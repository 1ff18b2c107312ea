//! The spine from masks made elsewhere: the same [`Anatomy`] as the heuristic gives.
//!
//! Takes label maps that lie voxel on voxel with the series ([`files`]), asks what their labels
//! mean ([`numbering`]), sorts voxels into vertebrae ([`spine_mask`]), tells bodies from arches
//! ([`mod@split`]) and fits a surface to each body ([`body_fit`]). The heuristic runs as well: what it
//! sees otherwise is a limitation ([`disagreement`]).
//!
//! # Limits
//! Levels are those of the masks; whoever made them may have counted wrong. No bone beside the
//! vertebrae is taken over. C1 has no body; the dens belongs to the body of C2.

mod body_fit;
mod disagreement;
mod files;
mod numbering;
mod spine_mask;
mod split;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
mod tests;

pub use disagreement::{Disagreement, compare};
pub use files::{MaskFile, MaskFileError, read_masks};
pub use numbering::{MaskLabels, Meaning, NumberingError, Structure, VertebraLabel, meaning};
pub use spine_mask::{Layer, SpineMaskError};

use body_fit::{BodyFit, fit_body};
use rayon::prelude::*;
use spine_mask::{Crop, SpineMasks, VertebraMask, directions, spine_masks};
use split::{CanalAt, Split, split};

use super::mr::discs;
use super::{Anatomy, Canal, CanalSection, Vertebra, VertebraId};
use crate::geometry::{Frame, Grid, LpsPoint, LpsVector};
use crate::kernels::{BitMask, median};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::{Level, Provider, SpineSection};
use crate::units::{Millimetres, Share};

/// The canal of the heuristic is kept where it runs within this of the canal of the masks, mm.
const SAME_CANAL_MM: f64 = 6.0;
/// A canal that masks show beside bodies is followed so far beyond the last of them, mm.
const CANAL_BEYOND_MM: f64 = 15.0;
/// Share of a body that is assumed in view when it is cut and no neighbour is whole.
const CUT_WITHOUT_NEIGHBOUR: f64 = 0.5;
/// Cross section of a body against that of its larger neighbour below which it is none: from one
/// level to the next bodies differ by a tenth, a crushed one is wider rather than slimmer.
const SLIVER_SHARE: f64 = 0.5;
/// Highest body of the neck, mm (published means to 15 mm, tallest men to 19 mm).
const NECK_HEIGHT_MM: f64 = 22.0;
/// Share in view below which a vertebra is said to be cut by the field.
const WHOLE: f64 = 0.95;

/// What masks show of a spine.
#[derive(Clone, Debug)]
pub struct MaskedSpine {
    /// Vertebrae from feet to head.
    pub vertebrae: Vec<Vertebra>,
    /// What each of them is called in the masks.
    pub labels: Vec<VertebraLabel>,
    /// The canal, where whole vertebrae or a canal mask show it.
    pub canal: Option<Canal>,
    /// Whether a bone is in the masks that names levels: sacrum, S1, C1, C2, first or last rib.
    pub anchor_in_view: bool,
    /// What is missing or odd.
    pub problems: Vec<Problem>,
}

/// The vertebrae of label maps that lie on `grid`.
///
/// # Errors
/// [`SpineMaskError`] where the maps hold no vertebrae or contradict each other.
pub fn masked_spine(grid: &Grid, layers: &[Layer]) -> Result<MaskedSpine, SpineMaskError> {
    let masks = spine_masks(grid, layers)?;
    let (splits, ups) = bodies_and_canal(grid, &masks);
    let parts: Vec<(Option<Crop>, Option<BodyFit>, LpsPoint)> = masks
        .vertebrae
        .par_iter()
        .zip(&splits)
        .zip(&ups)
        .map(|((vertebra, split), &up)| {
            let body = split.body.clone();
            let centroid = body.as_ref().and_then(|b| b.centroid(grid));
            let anterior = match (&split.canal, centroid) {
                (Some(canal), Some(centroid)) => centroid - canal.frame.origin,
                _ => LpsVector::ANTERIOR,
            };
            // The dens is no part of what an endplate can close.
            let fitted = body
                .as_ref()
                .filter(|_| vertebra.label.level() != Some(Level::C2))
                .and_then(|body| fit_body(grid, body, up, anterior));
            (body, fitted, centroid.unwrap_or(vertebra.centroid))
        })
        .collect();
    let whole_height = median(
        parts
            .iter()
            .filter_map(|(_, fit, _)| fit.as_ref())
            .filter(|fit| fit.lower_seen && fit.upper_seen)
            .map(|fit| fit.height_mm),
    );
    let slivers = slivers(grid, &parts);
    let mut problems = left_out(&masks, &splits, &slivers);
    let (mut vertebrae, mut labels) = (Vec::new(), Vec::new());
    for ((mask, (body, fit, centroid)), sliver) in masks.vertebrae.iter().zip(&parts).zip(&slivers)
    {
        // Without a body there is no place that could stand for it: its arch lies 40 mm behind.
        if let Some(body) = body.as_ref().filter(|_| !sliver) {
            let n = vertebrae.len();
            vertebrae.push(vertebra(grid, n, mask, body, fit.as_ref(), *centroid, whole_height));
            labels.push(mask.label);
        }
    }
    between(&mut vertebrae);
    problems.extend(too_large_for_a_neck(&mut vertebrae));
    // What was no body had no canal behind it either.
    let canals: Vec<CanalAt> = splits
        .iter()
        .zip(&slivers)
        .filter(|(_, sliver)| !**sliver)
        .filter_map(|(split, _)| split.canal)
        .collect();
    Ok(MaskedSpine {
        canal: canal(&canals),
        labels,
        anchor_in_view: masks.anchor_in_view,
        problems,
        vertebrae,
    })
}

/// Which bodies are too slim beside their neighbours to be bodies: bits of a neighbour that a network
/// gave another label, or the root of an arch whose body is out of view.
fn slivers(grid: &Grid, parts: &[(Option<Crop>, Option<BodyFit>, LpsPoint)]) -> Vec<bool> {
    let areas: Vec<Option<f64>> = parts
        .iter()
        .map(|(body, fit, _)| {
            let mm3 = body.as_ref()?.mask.count() as f64 * grid.voxel_mm3();
            Some(mm3 / fit.as_ref()?.height_mm)
        })
        .collect();
    let at = |n: Option<usize>| n.and_then(|n| areas.get(n).copied().flatten()).unwrap_or(0.0);
    (0..areas.len())
        .map(|n| {
            let beside = at(n.checked_sub(1)).max(at(Some(n + 1)));
            areas[n].is_some_and(|area| area < SLIVER_SHARE * beside)
        })
        .collect()
}

/// Levels that say neck where bodies are too high for one are a count, not levels: all are taken
/// back.
fn too_large_for_a_neck(vertebrae: &mut [Vertebra]) -> Option<Problem> {
    let neck = vertebrae.iter().find(|v| {
        let cervical = v.level.is_some_and(|l| l.section() == SpineSection::Cervical);
        let height = v.body.as_ref().map_or(0.0, |body| {
            body.surface.upper.height(0.0, 0.0) - body.surface.lower.height(0.0, 0.0)
        });
        cervical && v.fraction_in_view.get() >= WHOLE && height > NECK_HEIGHT_MM
    })?;
    let named = neck.level?;
    for vertebra in vertebrae.iter_mut() {
        vertebra.level = None;
        vertebra.level_candidates.clear();
    }
    Some(Problem::new(
        ProblemCode::MaskIncomplete,
        Severity::Warning,
        format!(
            "the masks call a body {named} that is higher than {NECK_HEIGHT_MM} mm, which no vertebra of the neck is: none of their levels was taken over"
        ),
    ))
}

/// Splits every vertebra, twice: bodies of the first round give the axes of the second, and the
/// canal seen at neighbours helps where a ring is open.
fn bodies_and_canal(grid: &Grid, masks: &SpineMasks) -> (Vec<Split>, Vec<LpsVector>) {
    let vertebrae = &masks.vertebrae;
    let mut ups: Vec<LpsVector> = vertebrae.iter().map(|v| v.up).collect();
    let mut anteriors = vec![LpsVector::ANTERIOR; vertebrae.len()];
    let mut guesses: Vec<Option<LpsPoint>> = vertebrae
        .iter()
        .map(|v| masks.canal.as_ref().and_then(|canal| canal_beside(grid, canal, v)))
        .collect();
    let mut splits = Vec::new();
    for round in 0..2 {
        splits = vertebrae
            .par_iter()
            .enumerate()
            .map(|(n, vertebra)| {
                match Frame::from_up_and_anterior(vertebra.centroid, ups[n], anteriors[n]) {
                    Some(frame) => split(grid, vertebra, &frame, guesses[n]),
                    None => Split { body: None, canal: None },
                }
            })
            .collect();
        if round == 1 {
            break;
        }
        let bodies: Vec<Option<LpsPoint>> = splits
            .iter()
            .map(|split| split.body.as_ref().and_then(|body| body.centroid(grid)))
            .collect();
        if bodies.iter().flatten().count() >= 2 {
            ups = directions(&bodies);
        }
        for n in 0..vertebrae.len() {
            if let (Some(canal), Some(body)) = (&splits[n].canal, bodies[n]) {
                anteriors[n] = body - canal.frame.origin;
            }
        }
        for n in 0..vertebrae.len() {
            if guesses[n].is_none() && splits[n].canal.is_none() {
                guesses[n] = canal_of_neighbours(&splits, vertebrae, n);
            }
        }
    }
    (splits, ups)
}

/// Middle of a canal mask at the height of a vertebra.
fn canal_beside(grid: &Grid, canal: &BitMask, vertebra: &VertebraMask) -> Option<LpsPoint> {
    let [ni, nj, _] = grid.size();
    let (mut sum, mut n) = (LpsVector::new(0.0, 0.0, 0.0), 0u32);
    for offset in canal.offsets() {
        let index = crate::geometry::VoxelIndex {
            i: offset % ni,
            j: offset / ni % nj,
            k: offset / ni / nj,
        };
        let away = grid.voxel_to_lps(index) - vertebra.centroid;
        // Within a slab of 10 mm; a canal lies at most 50 mm from a vertebra's centre.
        if away.dot(vertebra.up).abs() <= 5.0 && away.length() <= 50.0 {
            sum = sum + away;
            n += 1;
        }
    }
    (n > 0).then(|| vertebra.centroid + sum * (1.0 / f64::from(n)))
}

/// Where the line through the canal at the two nearest vertebrae passes a vertebra.
fn canal_of_neighbours(
    splits: &[Split],
    vertebrae: &[VertebraMask],
    at: usize,
) -> Option<LpsPoint> {
    let mut seen: Vec<(usize, LpsPoint)> = splits
        .iter()
        .enumerate()
        .filter_map(|(n, split)| Some((n, split.canal?.frame.origin)))
        .collect();
    seen.sort_by_key(|(n, _)| (n.abs_diff(at), *n));
    let z = vertebrae[at].centroid.z();
    match seen.as_slice() {
        [(_, a), (_, b), ..] if (a.z() - b.z()).abs() > 5.0 => {
            let f = ((z - a.z()) / (b.z() - a.z())).clamp(-1.5, 2.5);
            Some(*a + (*b - *a) * f)
        }
        [(n, a), ..] => Some(*a + (vertebrae[at].centroid - vertebrae[*n].centroid)),
        [] => None,
    }
}

fn vertebra(
    grid: &Grid,
    n: usize,
    mask: &VertebraMask,
    body: &Crop,
    fit: Option<&BodyFit>,
    centroid: LpsPoint,
    whole_height: Option<f64>,
) -> Vertebra {
    let level = mask.label.level();
    let cut = fit.map_or_else(|| touches_edge(grid, body), |f| !f.lower_seen || !f.upper_seen);
    let in_view = match (fit, whole_height) {
        _ if !cut => 1.0,
        (Some(fit), Some(whole)) => (fit.height_mm / whole.max(1.0)).min(1.0),
        _ => CUT_WITHOUT_NEIGHBOUR,
    };
    let mut problems = Vec::new();
    if in_view < WHOLE {
        problems.push(
            Problem::new(
                ProblemCode::VertebraCutByField,
                Severity::Note,
                format!(
                    "about {} % of the vertebra lies in the field of view",
                    libm::round(100.0 * in_view)
                ),
            )
            .with_number("fraction_in_view", in_view),
        );
    }
    if fit.is_none() {
        let why = match level {
            Some(Level::C2) => "the body of C2 with the dens has no upper endplate",
            _ => "no surface with two endplates could be fitted to the mask",
        };
        problems.push(Problem::new(ProblemCode::MaskIncomplete, Severity::Warning, why));
    }
    Vertebra {
        id: VertebraId(format!("v{}", n + 1)),
        level,
        level_candidates: level.into_iter().collect(),
        section_guess: None,
        centroid,
        fraction_in_view: Share::new(in_view),
        // Masks come without a confidence; a cut vertebra is less sure.
        confidence: Share::new(0.5 + 0.5 * in_view),
        body: fit.map(|fit| fit.body.clone()),
        disc_below: None,
        disc_above: None,
        problems,
    }
}

/// Whether a mask reaches the first or last voxel of the grid along any axis.
fn touches_edge(grid: &Grid, mask: &Crop) -> bool {
    let size = mask.mask.size();
    (0..3).any(|axis| mask.low[axis] == 0 || mask.low[axis] + size[axis] == grid.size()[axis])
}

/// Discs between neighbours whose levels follow each other (or are not told).
fn between(vertebrae: &mut [Vertebra]) {
    for n in 1..vertebrae.len() {
        if !neighbours(vertebrae[n - 1].level, vertebrae[n].level) {
            continue;
        }
        let pair = vertebrae[n - 1].body.as_ref().zip(vertebrae[n].body.as_ref());
        let disc = pair.and_then(|(a, b)| discs::between(a, b));
        vertebrae[n - 1].disc_above = disc;
        vertebrae[n].disc_below = disc;
    }
}

/// Whether two levels can follow each other: T13 and L6 may be left out.
fn neighbours(lower: Option<Level>, upper: Option<Level>) -> bool {
    let (Some(lower), Some(upper)) = (lower, upper) else { return true };
    let apart = lower as i32 - upper as i32;
    apart == 1 || matches!((upper, lower), (Level::T12, Level::L1) | (Level::L5, Level::S1))
}

/// Vertebrae of the masks that are not taken over, each group with its reason.
fn left_out(masks: &SpineMasks, splits: &[Split], slivers: &[bool]) -> Vec<Problem> {
    let name = |label: &VertebraLabel| match label {
        VertebraLabel::Level(level) => level.to_string(),
        VertebraLabel::Number(number) => number.to_string(),
    };
    let speckles: Vec<String> = masks.speckles.iter().map(name).collect();
    let arches: Vec<String> = masks
        .vertebrae
        .iter()
        .zip(splits.iter().zip(slivers))
        .filter(|(vertebra, (split, sliver))| {
            (split.body.is_none() || **sliver) && vertebra.label.level() != Some(Level::C1)
        })
        .map(|(vertebra, _)| name(&vertebra.label))
        .collect();
    let atlas: Vec<String> = masks
        .vertebrae
        .iter()
        .filter(|vertebra| vertebra.label.level() == Some(Level::C1))
        .map(|vertebra| name(&vertebra.label))
        .collect();
    [
        (speckles, "the mask is too small for a vertebra"),
        (arches, "the body is out of view or could not be told from the arch"),
        (atlas, "it has no body"),
    ]
    .into_iter()
    .filter(|(names, _)| !names.is_empty())
    .map(|(names, why)| {
        Problem::new(
            ProblemCode::MaskIncomplete,
            Severity::Warning,
            format!("not taken over from the masks: {} ({why})", names.join(", ")),
        )
        .with_number("labels", names.len() as f64)
    })
    .collect()
}

/// Sections each millimetre along the line through the canal at the vertebrae.
fn canal(at: &[CanalAt]) -> Option<Canal> {
    let (first, last) = (at.first()?, at.last()?);
    let mut sections = Vec::new();
    let section = |a: &CanalAt, b: &CanalAt, f: f64| -> Option<CanalSection> {
        let mix = |x: f64, y: f64| x + (y - x) * f;
        let mixed = |x: Option<f64>, y: Option<f64>| Some(Millimetres::new(mix(x?, y?)));
        let direction = |x: LpsVector, y: LpsVector| x * (1.0 - f) + y * f;
        let (p, q) = (a.frame, b.frame);
        let frame = Frame::from_up_and_anterior(
            p.origin + (q.origin - p.origin) * f,
            direction(p.up, q.up),
            direction(p.anterior, q.anterior),
        )?;
        let side = mixed(a.side_mm, b.side_mm);
        Some(CanalSection {
            frame,
            anterior: Millimetres::new(mix(a.anterior_mm, b.anterior_mm)),
            posterior: mixed(a.posterior_mm, b.posterior_mm),
            left: side,
            right: side,
            outline: None,
            followed: true,
            confidence: Share::new(0.9),
        })
    };
    let beyond = |end: &CanalAt, sign: f64| {
        let mut out = Vec::new();
        let mut s = 1.0;
        while s <= CANAL_BEYOND_MM {
            let origin = end.frame.origin + end.frame.up * (sign * s);
            let moved = CanalAt { frame: Frame { origin, ..end.frame }, ..*end };
            out.extend(section(&moved, &moved, 0.0));
            s += 1.0;
        }
        out
    };
    let mut below = beyond(first, -1.0);
    below.reverse();
    sections.extend(below);
    for pair in at.windows(2) {
        let [a, b] = pair else { continue };
        let steps = libm::floor((b.frame.origin - a.frame.origin).length()).max(1.0);
        sections.extend((0..steps as usize).filter_map(|n| section(a, b, n as f64 / steps)));
    }
    sections.extend(section(last, last, 0.0));
    sections.extend(beyond(last, 1.0));
    Some(Canal { sections })
}

/// The anatomy of a series from masks, completed by what the heuristic saw of it.
///
/// `heuristic` gives what masks do not hold (body outline, bone, tissue quotients, the canal where
/// no ring shows it) and is compared with the masks; `source` says in words where the levels come
/// from.
///
/// # Errors
/// [`SpineMaskError`] where the maps hold no vertebrae or contradict each other.
pub fn anatomy(
    grid: &Grid,
    layers: &[Layer],
    source: &str,
    heuristic: Anatomy,
) -> Result<Anatomy, SpineMaskError> {
    let spine = masked_spine(grid, layers)?;
    let mut problems = spine.problems;
    let levels = spine.vertebrae.iter().filter(|v| v.level.is_some()).count();
    let (severity, told) = if levels > 0 {
        (
            Severity::Warning,
            format!(
                "levels are those of the masks ({source}) and were not counted by this program"
            ),
        )
    } else {
        (Severity::Warning, format!("the masks ({source}) tell no levels"))
    };
    problems.push(
        Problem::new(
            ProblemCode::AnatomyFromMasks,
            severity,
            format!("vertebrae come from masks; {told}"),
        )
        .with_number("vertebrae", spine.vertebrae.len() as f64),
    );
    problems.extend(compare(&heuristic, &spine.vertebrae).problem());
    let canal = match (spine.canal, heuristic.canal) {
        (Some(own), Some(seen)) if runs_along(&seen, &own) => Some(seen),
        (own, seen) => own.or(seen),
    };
    Ok(Anatomy {
        provider: Provider::Imported,
        canal,
        vertebrae: spine.vertebrae,
        problems,
        ..heuristic
    })
}

/// Whether a canal runs where another one does.
fn runs_along(seen: &Canal, own: &Canal) -> bool {
    let away = own.sections.iter().step_by(5).filter_map(|section| {
        let near = seen.sections.iter().map(|s| s.frame.origin.distance(section.frame.origin));
        near.reduce(f64::min)
    });
    median(away).is_some_and(|mm| mm <= SAME_CANAL_MM)
}
