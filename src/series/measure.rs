//! Measures how the slices of a stack lie: steps, gaps, overlap, tilt.

use super::record::SliceRecord;
use super::stacks::{along_normal, median, normal};
use crate::geometry::{Grid, GridError, LpsPoint, LpsVector};
use crate::problem::{Problem, ProblemCode, Severity};

/// Steps that differ from the median by less are even: mm, and as a share of the median.
const EVEN_STEP_MM: f64 = 0.05;
const EVEN_STEP_SHARE: f64 = 0.02;
/// A step this many times the median has room for another slice.
const GAP_STEPS: f64 = 1.5;
/// A smaller angle between the normal and the line of the slices is rounding.
const NO_TILT_DEG: f64 = 0.5;
/// Fewer slices are no volume.
pub(crate) const FEWEST_SLICES: usize = 3;

/// How a stack lies.
pub(crate) struct Measured {
    pub(crate) grid: Grid,
    pub(crate) problems: Vec<Problem>,
    pub(crate) not_a_volume: Option<Problem>,
}

/// Measures a stack whose slices are ordered along the normal.
///
/// The grid's step along the stack is the mean of all steps, sheared if they are; where steps
/// vary, a problem says how far a slice lies from where the grid puts it.
pub(crate) fn measure(slices: &[SliceRecord]) -> Measured {
    let size = slices.first().map_or([1, 1, 1], |first| {
        let layout = first.info.layout;
        [usize::from(layout.columns), usize::from(layout.rows), slices.len()]
    });
    let blocked = |code, sentence: String| Some(Problem::new(code, Severity::Blocks, sentence));
    let placed = place(slices, size);
    let (grid, problems, missing) = match placed {
        Ok((grid, problems)) => (grid, problems, None),
        Err(code) => {
            let what = match code {
                ProblemCode::OrientationMissing => "ImageOrientationPatient",
                ProblemCode::PixelSpacingMissing => "PixelSpacing",
                _ => "ImagePositionPatient",
            };
            let sentence = format!("{what} is missing or makes no sense");
            (index_grid(size), Vec::new(), blocked(code, sentence))
        }
    };
    let layout = slices.first().and_then(|slice| slice.info.layout_problem.clone());
    let too_few = (slices.len() < FEWEST_SLICES).then(|| {
        Problem::new(
            ProblemCode::TooFewSlices,
            Severity::Blocks,
            match slices.len() {
                1 => "a single slice".to_owned(),
                n => format!("only {n} slices"),
            },
        )
        .with_number("slices", slices.len() as f64)
    });
    Measured { grid, problems, not_a_volume: layout.or(missing).or(too_few) }
}

/// A grid in voxels, for slices that have no place in the patient.
#[allow(clippy::expect_used, reason = "unit steps span space")]
fn index_grid(size: [usize; 3]) -> Grid {
    let (x, y, z) = (LpsVector::new(1.0, 0.0, 0.0), LpsVector::new(0.0, 1.0, 0.0), LpsVector::HEAD);
    Grid::new(size, LpsPoint::new(0.0, 0.0, 0.0), x, y, z).expect("unit steps span space")
}

fn place(slices: &[SliceRecord], size: [usize; 3]) -> Result<(Grid, Vec<Problem>), ProblemCode> {
    let (Some(first), Some(last)) = (slices.first(), slices.last()) else {
        return Err(ProblemCode::PositionMissing);
    };
    let orientation = first.orientation.ok_or(ProblemCode::OrientationMissing)?;
    let n = normal(first).ok_or(ProblemCode::OrientationMissing)?;
    let [row_distance, column_distance] = first.spacing.ok_or(ProblemCode::PixelSpacingMissing)?;
    let origin = point(first.position.ok_or(ProblemCode::PositionMissing)?);
    let end = point(last.position.ok_or(ProblemCode::PositionMissing)?);
    let [a, b, c, d, e, f] = orientation;
    let along =
        |x, y, z| LpsVector::new(x, y, z).normalised().ok_or(ProblemCode::OrientationMissing);
    let row = along(a, b, c)?;
    let column = along(d, e, f)?;
    let normal = LpsVector::new(n[0], n[1], n[2]);
    let step_k = if slices.len() > 1 {
        (end - origin) * (1.0 / (slices.len() - 1) as f64)
    } else {
        let tags = &first.tags;
        let thickness = tags.spacing_between_slices_mm.or(tags.slice_thickness_mm);
        normal * thickness.filter(|&mm| mm > 0.0).unwrap_or(1.0)
    };
    let grid = Grid::new(size, origin, row * column_distance, column * row_distance, step_k)
        .map_err(|GridError::Degenerate { .. }| ProblemCode::PositionMissing)?;
    let mut problems = Vec::new();
    if slices.len() > 1 {
        problems.extend(uneven(slices, &grid));
        problems.extend(tilt(normal, step_k));
        problems.extend(overlap(slices));
    }
    Ok((grid, problems))
}

fn point(p: [f64; 3]) -> LpsPoint {
    LpsPoint::from(p)
}

/// Gaps and other steps that vary.
fn uneven(slices: &[SliceRecord], grid: &Grid) -> Vec<Problem> {
    let places: Vec<f64> = slices.iter().map(along_normal).collect();
    let steps: Vec<f64> = places.iter().zip(places.iter().skip(1)).map(|(a, b)| b - a).collect();
    let middle = median(&steps);
    // How far a slice lies from where the grid puts it, along the stack or aside.
    let displaced = slices
        .iter()
        .enumerate()
        .filter_map(|(k, slice)| {
            let put = grid.origin() + grid.step(2) * k as f64;
            slice.position.map(|p| put.distance(point(p)))
        })
        .fold(0.0, f64::max);
    let thickness = |k: usize| slices.get(k).and_then(|slice| slice.tags.slice_thickness_mm);
    let is_gap = |k: usize, step: f64| {
        // Thicker slices farther apart leave nothing out.
        let covered = thickness(k).into_iter().chain(thickness(k + 1)).fold(0.0, f64::max);
        step > GAP_STEPS * middle && step > 1.2 * covered
    };
    let gaps: Vec<(usize, f64)> =
        steps.iter().copied().enumerate().filter(|&(k, step)| is_gap(k, step)).collect();
    let tolerance = EVEN_STEP_MM.max(EVEN_STEP_SHARE * middle);
    let mut problems = Vec::new();
    if let Some(&(k, widest)) = gaps.iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
        problems.push(
            Problem::new(
                ProblemCode::SliceGap,
                Severity::Warning,
                format!(
                    "{} of {} steps leave slices out; the widest, {widest:.1} mm instead of {middle:.1} mm, follows slice {}",
                    gaps.len(),
                    steps.len(),
                    k + 1
                ),
            )
            .with_number("gaps", gaps.len() as f64)
            .with_number("widest_gap_mm", widest)
            .with_number("median_step_mm", middle)
            .with_number("missing_mm", gaps.iter().map(|(_, step)| step - middle).sum())
            .with_number("largest_displacement_mm", displaced),
        );
    }
    let varies = steps
        .iter()
        .enumerate()
        .any(|(k, &step)| (step - middle).abs() > tolerance && !is_gap(k, step));
    if varies || (displaced > 1.0 && gaps.is_empty()) {
        let shortest = steps.iter().copied().fold(f64::INFINITY, f64::min);
        let longest = steps.iter().copied().fold(0.0, f64::max);
        problems.push(
            Problem::new(
                ProblemCode::UnevenSteps,
                Severity::Warning,
                format!(
                    "steps between slices vary from {shortest:.2} to {longest:.2} mm; a slice lies up to {displaced:.1} mm from its place in the grid"
                ),
            )
            .with_number("shortest_step_mm", shortest)
            .with_number("longest_step_mm", longest)
            .with_number("median_step_mm", middle)
            .with_number("largest_displacement_mm", displaced),
        );
    }
    problems
}

fn tilt(normal: LpsVector, step_k: LpsVector) -> Option<Problem> {
    let cosine = (normal.dot(step_k) / step_k.length()).clamp(-1.0, 1.0);
    let degrees = libm::acos(cosine).to_degrees();
    (degrees > NO_TILT_DEG).then(|| {
        Problem::new(
            ProblemCode::GantryTilt,
            Severity::Warning,
            format!("the slices are stacked {degrees:.1} degrees off their normal"),
        )
        .with_number("tilt_deg", degrees)
    })
}

/// Slices thicker than their step, or so much thinner that tissue between them is not seen.
fn overlap(slices: &[SliceRecord]) -> Option<Problem> {
    let places: Vec<f64> = slices.iter().map(along_normal).collect();
    let steps: Vec<f64> = places.iter().zip(places.iter().skip(1)).map(|(a, b)| b - a).collect();
    let step = median(&steps);
    let thickness: Vec<f64> = slices
        .iter()
        .filter_map(|slice| slice.tags.slice_thickness_mm)
        .filter(|&mm| mm > 0.0)
        .collect();
    let thickness = median(&thickness);
    let (code, severity, sentence) = if thickness > 1.02 * step + 0.01 {
        let sentence = format!("slices of {thickness:.2} mm lie {step:.2} mm apart");
        (ProblemCode::SliceOverlap, Severity::Note, sentence)
    } else if thickness > 0.0 && step > GAP_STEPS * thickness {
        let sentence = format!(
            "slices of {thickness:.2} mm lie {step:.2} mm apart: what is between them was not imaged"
        );
        (ProblemCode::SliceGap, Severity::Warning, sentence)
    } else {
        return None;
    };
    Some(
        Problem::new(code, severity, sentence)
            .with_number("slice_thickness_mm", thickness)
            .with_number("median_step_mm", step),
    )
}
