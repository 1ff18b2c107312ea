//! A body surface fitted to a mask: outlines for each millimetre and two quadratic endplates.
//!
//! The mask is read as a smooth function (trilinear, border at one half), so that steps of its
//! voxels do not show in the surface.

use super::spine_mask::Crop;
use crate::anatomy::{BodySurface, EndplateSurface, OUTLINE_DIRECTIONS, VertebralBody};
use crate::geometry::{Frame, Grid, LocalPoint, LpsVector};
use crate::kernels::solve;
use crate::units::Share;

/// Rays go so far from the axis, mm.
const REACH_MM: f64 = 45.0;
/// Step along a ray, mm.
const RAY_STEP_MM: f64 = 0.5;
/// A gap along a ray that is no wall, mm: holes and speckles of a network's mask.
const GAP_MM: f64 = 3.0;
/// Columns that are asked for the endplates, mm apart and as a share of the outline.
const COLUMN_MM: f64 = 1.5;
const COLUMN_SHARE: f64 = 0.8;
/// Columns farther from the fitted endplate than this are left out, mm (osteophytes, steps).
const PLATE_OUTLIER_MM: f64 = 2.5;
/// An endplate is seen when this share of its columns meets it in the field of view.
const PLATE_SEEN: f64 = 0.5;
/// Surfaces are in view at most so far beyond the endplates, mm.
const BEYOND_MM: f64 = 10.0;
/// Lowest body that is fitted, mm; vertebra plana in a mask is below what outlines can follow.
const LEAST_HEIGHT_MM: f64 = 5.0;

/// A fitted body.
pub struct BodyFit {
    /// The body; its confidence tells how well the surface follows the mask.
    pub body: VertebralBody,
    /// Whether the lower endplate is in the field of view.
    pub lower_seen: bool,
    /// Whether the upper endplate is in the field of view.
    pub upper_seen: bool,
    /// Height between the endplates in the middle, or of what is in view, mm.
    pub height_mm: f64,
}

/// Fits a surface to a body's mask. `up` and `anterior` need be right to 30 degrees.
pub fn fit_body(grid: &Grid, body: &Crop, up: LpsVector, anterior: LpsVector) -> Option<BodyFit> {
    let centroid = body.centroid(grid)?;
    let mut frame = Frame::from_up_and_anterior(centroid, up, anterior)?;
    let mut plates = None;
    for pass in 0..3 {
        let field = Field { grid, body, frame: &frame };
        let found = Plates::find(&field)?;
        if pass < 2 {
            // Leaned so that the endplates are level on average.
            let seen: Vec<&EndplateSurface> = [&found.lower, &found.upper]
                .into_iter()
                .filter_map(|p| p.surface.as_ref())
                .collect();
            if seen.is_empty() {
                return None;
            }
            let mean =
                |n: usize| seen.iter().map(|p| p.coefficients[n]).sum::<f64>() / seen.len() as f64;
            let (forward, side) = (mean(1).clamp(-0.4, 0.4), mean(2).clamp(-0.4, 0.4));
            let up = frame.up - frame.anterior * forward - frame.left * side;
            frame = Frame::from_up_and_anterior(centroid, up, frame.anterior)?;
        }
        plates = Some(found);
    }
    let plates = plates?;
    let field = Field { grid, body, frame: &frame };
    let (view_low, view_high) = field.in_view();
    let (lower_seen, upper_seen) = (plates.lower.surface.is_some(), plates.upper.surface.is_some());
    let lower = plates.lower.surface.unwrap_or(EndplateSurface::flat(view_low));
    let upper = plates.upper.surface.unwrap_or(EndplateSurface::flat(view_high));
    let (low, high) = (lower.height(0.0, 0.0), upper.height(0.0, 0.0));
    if high - low < LEAST_HEIGHT_MM {
        return None;
    }
    // Near an endplate a cross section cuts rim and disc: outlines stop before it.
    let margin = if high - low > 10.0 { 2.0 } else { 1.0 };
    let first = libm::ceil((low + margin).max(view_low));
    let last = libm::floor((high - margin).min(view_high));
    let count = (last - first) as i64 + 1;
    if count < 2 {
        return None;
    }
    let outlines: Vec<[f32; OUTLINE_DIRECTIONS]> =
        (0..count).map(|n| field.outline(first + n as f64)).collect();
    if outlines.iter().flatten().all(|&r| r < 1.0) {
        return None;
    }
    let surface = BodySurface {
        first_outline_s: first,
        outlines,
        upper,
        lower,
        in_view_s: (view_low.max(low - BEYOND_MM), view_high.min(high + BEYOND_MM)),
    };
    let confidence = Share::new(agreement(grid, body, &frame, &surface));
    Some(BodyFit {
        body: VertebralBody { measurements: None, frame, surface, confidence },
        lower_seen,
        upper_seen,
        height_mm: high - low,
    })
}

/// Dice of the surface and the mask, 0.6 read as 0 and 0.95 as 1.
fn agreement(grid: &Grid, body: &Crop, frame: &Frame, surface: &BodySurface) -> f64 {
    let Some((mask, ..)) = surface.rasterise(frame, grid) else { return 0.0 };
    let (mut both, mut of_mask) = (0u64, 0u64);
    for voxel in body.voxels() {
        of_mask += 1;
        both += u64::from(mask.get(grid.offset(voxel)));
    }
    let dice = 2.0 * both as f64 / (of_mask + mask.count()).max(1) as f64;
    ((dice - 0.6) / 0.35).clamp(0.0, 1.0)
}

/// The mask as a function of place.
struct Field<'a> {
    grid: &'a Grid,
    body: &'a Crop,
    frame: &'a Frame,
}

impl Field<'_> {
    /// Share of bone, 0 to 1; `None` outside the field of view.
    fn value(&self, s: f64, v: f64, u: f64) -> Option<f64> {
        let at = self.grid.to_index(self.frame.to_lps(LocalPoint { s, v, u }));
        let axis = |x: f64, n: usize| -> Option<(i64, f64)> {
            // Half a voxel beyond the outermost centres still belongs to the image.
            if !(x >= -0.5 && x <= n as f64 - 0.5) {
                return None;
            }
            let x = x.clamp(0.0, n as f64 - 1.0);
            let low = libm::floor(x);
            Some((low as i64, x - low))
        };
        let (i, fi) = axis(at.i, self.grid.ni())?;
        let (j, fj) = axis(at.j, self.grid.nj())?;
        let (k, fk) = axis(at.k, self.grid.nk())?;
        let mut sum = 0.0;
        for (dk, wk) in [(0, 1.0 - fk), (1, fk)] {
            for (dj, wj) in [(0, 1.0 - fj), (1, fj)] {
                for (di, wi) in [(0, 1.0 - fi), (1, fi)] {
                    let weight = wk * wj * wi;
                    if weight > 0.0 && self.body.holds([i + di, j + dj, k + dk]) {
                        sum += weight;
                    }
                }
            }
        }
        Some(sum)
    }

    /// Heights of the axis that lie in the field of view.
    fn in_view(&self) -> (f64, f64) {
        let reach = |sign: f64| {
            let mut s = 0.0;
            while s < 80.0 && self.value(sign * (s + RAY_STEP_MM), 0.0, 0.0).is_some() {
                s += RAY_STEP_MM;
            }
            sign * s
        };
        (reach(-1.0), reach(1.0))
    }

    /// Where a ray leaves the mask: the last border before a gap of [`GAP_MM`]. The flag tells
    /// whether the field of view ended before.
    fn exit(at: impl Fn(f64) -> Option<f64>) -> (Option<f64>, bool) {
        let mut last = None;
        let Some(mut before) = at(0.0) else { return (None, true) };
        let mut t = 0.0;
        let mut outside_since = (before < 0.5).then_some(0.0);
        while t < REACH_MM {
            t += RAY_STEP_MM;
            let Some(value) = at(t) else { return (last, outside_since.is_none()) };
            if before >= 0.5 && value < 0.5 {
                last = Some(t - RAY_STEP_MM * (0.5 - value) / (before - value));
                outside_since = Some(t);
            } else if value >= 0.5 {
                outside_since = None;
            }
            if outside_since.is_some_and(|from| t - from > GAP_MM) {
                break;
            }
            before = value;
        }
        (last, false)
    }

    fn outline(&self, s: f64) -> [f32; OUTLINE_DIRECTIONS] {
        std::array::from_fn(|n| {
            let angle = std::f64::consts::TAU * n as f64 / OUTLINE_DIRECTIONS as f64;
            let (c, d) = (libm::cos(angle), libm::sin(angle));
            let (exit, cut) = Self::exit(|t| self.value(s, t * c, t * d));
            match (exit, cut) {
                (Some(r), false) => r as f32,
                // The field of view ends inside the body: its edge is all that is known.
                (known, true) => {
                    let mut t = known.unwrap_or(0.0);
                    while self.value(s, (t + RAY_STEP_MM) * c, (t + RAY_STEP_MM) * d).is_some() {
                        t += RAY_STEP_MM;
                    }
                    t as f32
                }
                (None, false) => 0.0,
            }
        })
    }
}

struct Plate {
    /// `None` where the field of view cuts it off.
    surface: Option<EndplateSurface>,
}

struct Plates {
    lower: Plate,
    upper: Plate,
}

impl Plates {
    fn find(field: &Field<'_>) -> Option<Self> {
        let middle = field.outline(0.0);
        let radius = |v: f64, u: f64| {
            let turn = libm::atan2(u, v) / std::f64::consts::TAU;
            let direction = libm::round((turn - libm::floor(turn)) * OUTLINE_DIRECTIONS as f64);
            f64::from(middle[direction as usize % OUTLINE_DIRECTIONS])
        };
        let n = libm::floor(REACH_MM / COLUMN_MM) as i32;
        let mut columns = Vec::new();
        for a in -n..=n {
            for b in -n..=n {
                let (v, u) = (f64::from(a) * COLUMN_MM, f64::from(b) * COLUMN_MM);
                if libm::sqrt(v * v + u * u) < COLUMN_SHARE * radius(v, u) {
                    columns.push((v, u));
                }
            }
        }
        if columns.len() < 12 {
            return None;
        }
        let plate = |sign: f64| {
            let mut places = Vec::new();
            for &(v, u) in &columns {
                if let (Some(t), false) = Field::exit(|t| field.value(sign * t, v, u)) {
                    places.push([v, u, sign * t]);
                }
            }
            let seen = places.len() as f64 >= PLATE_SEEN * columns.len() as f64;
            Plate { surface: seen.then(|| quadratic(places)).flatten() }
        };
        Some(Self { lower: plate(-1.0), upper: plate(1.0) })
    }
}

/// Least squares through `[v, u, s]`, twice without what lies far from it.
fn quadratic(mut places: Vec<[f64; 3]>) -> Option<EndplateSurface> {
    let mut surface = None;
    for _ in 0..3 {
        if places.len() < 10 {
            return surface;
        }
        let mut normal = [[0.0f64; 7]; 6];
        for [v, u, s] in &places {
            let row = [1.0, *v, *u, v * v, v * u, u * u];
            for (a, equation) in normal.iter_mut().enumerate() {
                for b in 0..6 {
                    equation[b] += row[a] * row[b];
                }
                equation[6] += row[a] * s;
            }
        }
        let fitted = EndplateSurface { coefficients: solve(normal)? };
        places.retain(|[v, u, s]| (s - fitted.height(*v, *u)).abs() <= PLATE_OUTLIER_MM);
        surface = Some(fitted);
    }
    surface
}
