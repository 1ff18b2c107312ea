//! Where the posterior wall of a body lies, column by column, and how it differs from the line
//! between its corners and from the neighbours' walls.
//!
//! Maps are `[row, column]`: rows by share of the height between the endplates, columns by the
//! place across in the body's frame. Lengths in millimetres, backwards is positive.
//!
//! # Method
//! The wall of a place is the crossing of half height between the canal's median and the hindmost
//! bony ridge of at least three quarters of the highest. The chord joins robust curves through
//! the upper and the lower end. What the patient's other walls do (median map) is taken off.

use super::body_samples::pitch;
use super::robust_statistics::{median, median_of};
use crate::anatomy::{Canal, VertebralBody};
use crate::geometry::{LocalPoint, LpsPoint};
use crate::volume::Image;

/// Rows of a map, from the lower to the upper endplate.
pub(super) const ROWS: usize = 32;
/// Columns of a map, 1 mm apart, the middle one on the midline of the body.
pub(super) const COLUMNS: usize = 15;
/// Farthest column from the midline, mm.
const HALF_WIDTH_MM: f64 = 7.0;
/// And at most this share of the half width of the body: beyond it the pedicles begin.
const HALF_WIDTH_SHARE: f64 = 0.38;
/// The wall is searched from this far in front of the outline's back, mm ...
const SEARCH_FRONT_MM: f64 = 7.0;
/// ... to this far behind it, mm.
const SEARCH_BACK_MM: f64 = 6.0;
/// Step of the search, mm.
const SEARCH_STEP_MM: f64 = 0.5;
/// A ridge counts from this share of the highest one.
const RIDGE_SHARE: f64 = 0.75;
/// A ridge must rise this far above the canal, HU, or there is no wall to follow.
const MIN_RIDGE_HU: f64 = 60.0;
/// Share of the height at each end that gives the corners (38 % in all).
pub(super) const END_BAND: f64 = 0.19;
/// Shares of the height that are too near to the endplate itself to show the wall.
const RIM: f64 = 0.04;
/// Half of the square over which a bulge is averaged, mm.
const AVERAGE_HALF_MM: f64 = 2.5;
/// Share of the columns of an average that must be known.
const MIN_KNOWN_SHARE: f64 = 0.6;
/// Samples in the canal within this distance of its centre give its density, mm.
const CANAL_RADIUS_MM: f64 = 4.0;
/// The wall is looked for this far round its expected place when its density is asked, mm.
const DENSITY_REACH_MM: f64 = 1.5;

/// The wall of one body.
#[derive(Clone, Debug)]
pub(super) struct WallMap {
    /// Place of the wall behind the body's axis, mm; NaN where it could not be followed.
    pub back: Vec<f64>,
    /// The line between the corners, mm behind the body's axis; NaN where there is none.
    pub chord: Vec<f64>,
    /// Columns on each side of the midline that are used.
    pub half_columns: usize,
    /// Height of the body on the midline of the wall, mm.
    pub height_mm: f64,
    /// Median density of the canal at this body, HU.
    pub canal_hu: f64,
    /// Share of the places where the wall was followed.
    pub followed: f64,
}

impl WallMap {
    /// Follows the wall of a body. `None` where the canal holds no measured voxel at this body or
    /// the body has no height.
    pub(super) fn measure(image: &Image, body: &VertebralBody, canal: &Canal) -> Option<Self> {
        let surface = &body.surface;
        let axis_back = surface.radius(0.0, std::f64::consts::PI);
        let height_mm = surface.upper.height(-0.8 * axis_back, 0.0)
            - surface.lower.height(-0.8 * axis_back, 0.0);
        if height_mm < 6.0 {
            return None;
        }
        let canal_hu = canal_density(image, body, canal)?;
        let half_width = 0.5
            * (surface.radius(0.0, std::f64::consts::FRAC_PI_2)
                + surface.radius(0.0, -std::f64::consts::FRAC_PI_2));
        let half_columns =
            libm::floor(HALF_WIDTH_MM.min(HALF_WIDTH_SHARE * half_width)).max(1.0) as usize;
        let mut back = vec![f64::NAN; ROWS * COLUMNS];
        let (mut tried, mut found) = (0usize, 0usize);
        for row in 0..ROWS {
            for column in columns(half_columns) {
                let Some(place) = outline_back(body, row, column) else { continue };
                if place.s < surface.in_view_s.0 || place.s > surface.in_view_s.1 {
                    continue;
                }
                tried += 1;
                if let Some(wall) = half_height_crossing(image, body, place, canal_hu) {
                    back[row * COLUMNS + column] = wall;
                    found += 1;
                }
            }
        }
        let mut map = Self {
            chord: vec![f64::NAN; ROWS * COLUMNS],
            half_columns,
            height_mm,
            canal_hu,
            followed: found as f64 / tried.max(1) as f64,
            back,
        };
        map.back = map.without_outliers();
        map.draw_chord();
        Some(map)
    }

    /// Distance of the wall behind the chord; NaN where unknown.
    pub(super) fn bulge(&self) -> Vec<f64> {
        self.back.iter().zip(&self.chord).map(|(back, chord)| back - chord).collect()
    }

    /// Each place as the median of its 3 by 3 neighbourhood: single trabeculae and vessels are
    /// no wall.
    fn without_outliers(&self) -> Vec<f64> {
        let mut out = vec![f64::NAN; ROWS * COLUMNS];
        for row in 0..ROWS {
            for column in columns(self.half_columns) {
                let mut near = Vec::with_capacity(9);
                for r in row.saturating_sub(1)..=(row + 1).min(ROWS - 1) {
                    for c in column.saturating_sub(1)..=(column + 1).min(COLUMNS - 1) {
                        let value = self.back[r * COLUMNS + c];
                        if !value.is_nan() {
                            near.push(value);
                        }
                    }
                }
                if near.len() >= 4 {
                    out[row * COLUMNS + column] = median_of(&near).unwrap_or(f64::NAN);
                }
            }
        }
        out
    }

    fn draw_chord(&mut self) {
        let lower = self.end_curve(RIM, END_BAND);
        let upper = self.end_curve(1.0 - END_BAND, 1.0 - RIM);
        let (Some(lower), Some(upper)) = (lower, upper) else { return };
        let (low_at, high_at) = (0.5 * (RIM + END_BAND), 1.0 - 0.5 * (RIM + END_BAND));
        for row in 0..ROWS {
            let t = (row_fraction(row) - low_at) / (high_at - low_at);
            for column in columns(self.half_columns) {
                let u = column_u(column);
                self.chord[row * COLUMNS + column] =
                    curve(&lower, u) * (1.0 - t) + curve(&upper, u) * t;
            }
        }
    }

    /// Robust quadratic in u through the wall of an end band: reweighted least squares.
    fn end_curve(&self, from: f64, to: f64) -> Option<[f64; 3]> {
        let mut points = Vec::new();
        for row in (0..ROWS).filter(|&row| (from..=to).contains(&row_fraction(row))) {
            for column in columns(self.half_columns) {
                let value = self.back[row * COLUMNS + column];
                if !value.is_nan() {
                    points.push((column_u(column), value));
                }
            }
        }
        if points.len() < 8 {
            return None;
        }
        let mut weights = vec![1.0; points.len()];
        let mut fit = [0.0; 3];
        for _ in 0..8 {
            fit = weighted_quadratic(&points, &weights)?;
            for (weight, &(u, value)) in weights.iter_mut().zip(&points) {
                let off = value - curve(&fit, u);
                *weight = 1.0 / (1.0 + off * off);
            }
        }
        Some(fit)
    }
}

/// Share of the height at the middle of a row.
pub(super) fn row_fraction(row: usize) -> f64 {
    (row as f64 + 0.5) / ROWS as f64
}

/// Place across of a column, mm to the patient's left of the body's midline.
pub(super) fn column_u(column: usize) -> f64 {
    column as f64 - (COLUMNS / 2) as f64
}

fn columns(half_columns: usize) -> std::ops::RangeInclusive<usize> {
    let middle = COLUMNS / 2;
    let half = half_columns.min(middle);
    middle - half..=middle + half
}

fn curve(fit: &[f64; 3], u: f64) -> f64 {
    fit[0] + fit[1] * u + fit[2] * u * u
}

/// Weighted least squares of `a + b·u + c·u²`, the square term held near 0 (a wall is nearly
/// flat across).
fn weighted_quadratic(points: &[(f64, f64)], weights: &[f64]) -> Option<[f64; 3]> {
    let mut m = [[0.0; 4]; 3];
    for (&(u, value), &w) in points.iter().zip(weights) {
        let x = [1.0, u, u * u];
        for r in 0..3 {
            for c in 0..3 {
                m[r][c] += w * x[r] * x[c];
            }
            m[r][3] += w * x[r] * value;
        }
    }
    m[2][2] += 100.0;
    for pivot in 0..3 {
        let best = (pivot..3).max_by(|&a, &b| m[a][pivot].abs().total_cmp(&m[b][pivot].abs()))?;
        m.swap(pivot, best);
        if m[pivot][pivot].abs() < 1e-9 {
            return None;
        }
        for row in 0..3 {
            if row != pivot {
                let factor = m[row][pivot] / m[pivot][pivot];
                let from = m[pivot];
                for (out, value) in m[row].iter_mut().zip(from) {
                    *out -= factor * value;
                }
            }
        }
    }
    Some([m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]])
}

/// Where the outline has its back at a row and column: local coordinates.
fn outline_back(body: &VertebralBody, row: usize, column: usize) -> Option<LocalPoint> {
    let surface = &body.surface;
    let u = column_u(column);
    let mut p = LocalPoint { s: 0.0, v: -surface.radius(0.0, std::f64::consts::PI), u };
    for _ in 0..3 {
        let lower = surface.lower.height(p.v, u);
        let upper = surface.upper.height(p.v, u);
        p.s = lower + row_fraction(row) * (upper - lower);
        // Backwards along the column until the outline is crossed.
        let mut v = 0.0;
        while v > -60.0 {
            let distance = libm::sqrt(v * v + u * u);
            if distance >= surface.radius(p.s, libm::atan2(u, v)) {
                break;
            }
            v -= SEARCH_STEP_MM;
        }
        p.v = v;
    }
    (p.v < -2.0).then_some(p)
}

/// The wall along one column: mm behind the body's axis.
fn half_height_crossing(
    image: &Image,
    body: &VertebralBody,
    outline: LocalPoint,
    canal_hu: f64,
) -> Option<f64> {
    let steps = ((SEARCH_FRONT_MM + SEARCH_BACK_MM) / SEARCH_STEP_MM) as usize;
    let at = |n: usize| -outline.v - SEARCH_FRONT_MM + n as f64 * SEARCH_STEP_MM;
    let mut profile = Vec::with_capacity(steps + 1);
    for n in 0..=steps {
        profile.push(image.sample(body.frame.to_lps(LocalPoint { v: -at(n), ..outline }))?);
    }
    let top = profile.iter().copied().fold(f64::NEG_INFINITY, f64::max) - canal_hu;
    if top < MIN_RIDGE_HU {
        return None;
    }
    let ridge = (0..=steps).rev().find(|&n| {
        profile[n] - canal_hu >= RIDGE_SHARE * top
            && (n == 0 || profile[n] >= profile[n - 1])
            && (n == steps || profile[n] >= profile[n + 1])
    })?;
    let half = canal_hu + 0.5 * (profile[ridge] - canal_hu);
    (ridge..steps).find(|&n| profile[n] >= half && profile[n + 1] < half).map(|n| {
        let fraction = (profile[n] - half) / (profile[n] - profile[n + 1]);
        at(n) + fraction * SEARCH_STEP_MM
    })
}

/// Median density of what the canal holds at the height of a body.
fn canal_density(image: &Image, body: &VertebralBody, canal: &Canal) -> Option<f64> {
    let surface = &body.surface;
    let (low, high) = (surface.lower.height(0.0, 0.0), surface.upper.height(0.0, 0.0));
    let mut values: Vec<f32> = Vec::new();
    for section in &canal.sections {
        let s = body.frame.to_local(section.frame.origin).s;
        if s < low || s > high {
            continue;
        }
        let reach = CANAL_RADIUS_MM as i32;
        for v in -reach..=reach {
            for u in -reach..=reach {
                if v * v + u * u > reach * reach {
                    continue;
                }
                let local = LocalPoint { s: 0.0, v: f64::from(v), u: f64::from(u) };
                if let Some(value) = image.sample(section.frame.to_lps(local)) {
                    values.push(value as f32);
                }
            }
        }
    }
    median(&mut values)
}

/// Voxel-wise median of the other bodies' maps at the same share of the height and the same
/// place across; NaN where fewer than two know it.
pub(super) fn median_map(maps: &[&[f64]]) -> Vec<f64> {
    (0..ROWS * COLUMNS)
        .map(|at| {
            let known: Vec<f64> =
                maps.iter().map(|map| map[at]).filter(|value| !value.is_nan()).collect();
            if known.len() < 2 { f64::NAN } else { median_of(&known).unwrap_or(f64::NAN) }
        })
        .collect()
}

/// The largest mean over a 5 by 5 mm square of the middle of a map: value, row and column of the
/// square's centre. `None` where too little is known.
pub(super) fn largest_mean(
    values: &[f64],
    height_mm: f64,
    half_columns: usize,
) -> Option<(f64, usize, usize)> {
    let row_mm = height_mm / ROWS as f64;
    let half_rows = libm::round(AVERAGE_HALF_MM / row_mm).max(1.0) as usize;
    let half_across = AVERAGE_HALF_MM as usize;
    let used = columns(half_columns);
    let mut best: Option<(f64, usize, usize)> = None;
    for row in 0..ROWS {
        if !(END_BAND..=1.0 - END_BAND).contains(&row_fraction(row)) {
            continue;
        }
        for column in used.clone() {
            let (mut sum, mut known, mut all) = (0.0, 0usize, 0usize);
            for r in row.saturating_sub(half_rows)..=(row + half_rows).min(ROWS - 1) {
                for c in column.saturating_sub(half_across)..=(column + half_across) {
                    if !used.contains(&c) {
                        continue;
                    }
                    all += 1;
                    let value = values[r * COLUMNS + c];
                    if !value.is_nan() {
                        sum += value;
                        known += 1;
                    }
                }
            }
            if (known as f64) < MIN_KNOWN_SHARE * all as f64 || known == 0 {
                continue;
            }
            let mean = sum / known as f64;
            if best.is_none_or(|(value, ..)| mean > value) {
                best = Some((mean, row, column));
            }
        }
    }
    best
}

/// The largest connected set of places (by sides) where `inside` holds, with its area in mm².
pub(super) fn largest_patch(
    inside: impl Fn(usize, usize) -> bool,
    height_mm: f64,
) -> (f64, Vec<(usize, usize)>) {
    let cell_mm2 = height_mm / ROWS as f64;
    let mut seen = vec![false; ROWS * COLUMNS];
    let mut best: Vec<(usize, usize)> = Vec::new();
    for start in 0..ROWS * COLUMNS {
        if seen[start] || !inside(start / COLUMNS, start % COLUMNS) {
            continue;
        }
        let mut patch = Vec::new();
        let mut stack = vec![start];
        seen[start] = true;
        while let Some(at) = stack.pop() {
            let (row, column) = (at / COLUMNS, at % COLUMNS);
            patch.push((row, column));
            let near = [
                (row > 0).then(|| at - COLUMNS),
                (row + 1 < ROWS).then(|| at + COLUMNS),
                (column > 0).then(|| at - 1),
                (column + 1 < COLUMNS).then(|| at + 1),
            ];
            for next in near.into_iter().flatten() {
                if !seen[next] && inside(next / COLUMNS, next % COLUMNS) {
                    seen[next] = true;
                    stack.push(next);
                }
            }
        }
        if patch.len() > best.len() {
            best = patch;
        }
    }
    best.sort_unstable();
    (best.len() as f64 * cell_mm2, best)
}

/// How far the density at an expected wall rises above the canal, HU; NaN where unknown. The
/// largest value within 1.5 mm, so that a wall a little off its place still counts.
pub(super) fn wall_density(
    image: &Image,
    body: &VertebralBody,
    map: &WallMap,
    expected_bulge: &[f64],
) -> Vec<f64> {
    let reach = (DENSITY_REACH_MM / SEARCH_STEP_MM) as i32;
    (0..ROWS * COLUMNS)
        .map(|at| {
            let expected = map.chord[at] + expected_bulge[at];
            if expected.is_nan() {
                return f64::NAN;
            }
            let mut best = f64::NAN;
            for n in -reach..=reach {
                let back = expected + f64::from(n) * SEARCH_STEP_MM;
                let place = wall_place(body, at / COLUMNS, at % COLUMNS, back);
                if let Some(value) = image.sample(place) {
                    best = best.max(value - map.canal_hu);
                }
            }
            best
        })
        .collect()
}

/// The place in the patient of a row and column, `back` mm behind the body's axis.
pub(super) fn wall_place(body: &VertebralBody, row: usize, column: usize, back: f64) -> LpsPoint {
    let surface = &body.surface;
    let u = column_u(column);
    let (lower, upper) = (surface.lower.height(-back, u), surface.upper.height(-back, u));
    let s = lower + row_fraction(row) * (upper - lower);
    body.frame.to_lps(LocalPoint { s, v: -back, u })
}

/// How far apart slices are along a body, mm: which limits hold for its wall.
pub(super) fn step_along_body(image: &Image, body: &VertebralBody) -> f64 {
    pitch(image.grid(), body.frame.up)
}
