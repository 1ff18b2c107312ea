//! From contours to a [`VertebralBody`]: endplates as quadratic surfaces, walls as outlines for
//! each millimetre of height.

use super::FoundSpine;
use super::chain::BodyBox;
use super::contour::{Contour, DIRECTIONS, NormalisedSlice, contours};
use super::plate_response::normalise;
use super::sagittal_stack::SagittalStack;
use crate::anatomy::{BodySurface, EndplateSurface, OUTLINE_DIRECTIONS, VertebralBody};
use crate::geometry::{Frame, LocalPoint};
use crate::units::Share;
use rayon::prelude::*;

/// Thickness of the slices that contours are drawn on, mm.
const CONTOUR_SLAB_MM: f64 = 2.5;
/// Walls are followed up to this share of the height; beyond, endplate rims mislead.
const WALL_SHARE: f64 = 0.36;
/// Contour points of an endplate lie within this share of the half depth.
const ENDPLATE_SHARE: f64 = 0.75;

/// A body with its surface and the share of it that lies in the field.
pub struct CutOut {
    /// The body, whose frame's origin is the centre of the visible part; `None` when no contour
    /// could be drawn.
    pub body: Option<VertebralBody>,
    /// Share along the spine in the field of view.
    pub fraction_in_view: f64,
}

/// Cuts out all bodies, in the order of the chain.
pub fn cut_out(spine: &FoundSpine) -> Vec<CutOut> {
    let slices = normalised_slices(&spine.stack);
    spine
        .bodies
        .par_iter()
        .zip(&spine.slices)
        .zip(&spine.half_widths)
        .map(|((body, &middle), &half_width)| {
            let drawn = contours(
                body,
                middle,
                half_width,
                &slices,
                spine.stack.slice_mm,
                spine.stack.pixel_mm,
            );
            surface(&spine.stack, body, middle, half_width, &drawn)
        })
        .collect()
}

fn normalised_slices(stack: &SagittalStack) -> Vec<NormalisedSlice> {
    let count = stack.slices.len();
    let step = (libm::round(CONTOUR_SLAB_MM / stack.slice_mm) as usize).clamp(1, count.max(1));
    let starts: Vec<usize> = (0..count / step).map(|n| n * step).collect();
    starts
        .par_iter()
        .map(|&start| NormalisedSlice {
            slice: start as f64 + (step as f64 - 1.0) / 2.0,
            plane: normalise(&stack.mean_of(start, step), stack.tissue_signal),
        })
        .collect()
}

fn surface(
    stack: &SagittalStack,
    body: &BodyBox,
    middle: f64,
    half_width: f64,
    drawn: &[Contour],
) -> CutOut {
    let mm = stack.pixel_mm;
    let half_height = body.height * mm / 2.0;
    // Heights over the box's centre that lie in the picture.
    let (axis, across) = body.axes();
    let (rows, columns) = (stack.rows() as f64 - 1.0, stack.columns() as f64 - 1.0);
    let inside = |s: f64| {
        let row = body.row - s / mm * axis[0];
        let column = body.column - s / mm * axis[1];
        (0.0..=rows).contains(&row) && (0.0..=columns).contains(&column)
    };
    let margin = 6;
    let reach = libm::ceil(half_height) as i32 + margin;
    let seen: Vec<i32> = (-reach..=reach).filter(|&s| inside(f64::from(s))).collect();
    let (Some(&lowest), Some(&highest)) = (seen.first(), seen.last()) else {
        return CutOut { body: None, fraction_in_view: 0.0 };
    };
    let (low, high) = (f64::from(lowest).max(-half_height), f64::from(highest).min(half_height));
    let fraction_in_view = ((high - low) / (2.0 * half_height)).clamp(0.0, 1.0);
    let shift = if fraction_in_view < 0.98 { f64::midpoint(low, high) } else { 0.0 };
    let up = stack.direction(-axis[0], -axis[1]);
    let anterior = stack.direction(-across[0], -across[1]);
    let centre = stack.to_lps(middle, body.row, body.column);
    let frame = up
        .normalised()
        .and_then(|up| Frame::from_up_and_anterior(centre + up * shift, up, anterior));
    let Some(frame) = frame.filter(|_| !drawn.is_empty()) else {
        return CutOut { body: None, fraction_in_view };
    };
    let lateral = |contour: &Contour| (contour.slice - middle) * stack.slice_mm;
    let mut upper = Vec::new();
    let mut lower = Vec::new();
    for contour in drawn {
        for (n, &radius) in contour.radii.iter().enumerate() {
            let angle = std::f64::consts::TAU * n as f64 / DIRECTIONS as f64;
            let s = -radius * libm::cos(angle) - shift;
            let v = -radius * libm::sin(angle);
            if libm::fabs(v) > ENDPLATE_SHARE * body.half_depth * mm {
                continue;
            }
            let point = LocalPoint { s, v, u: lateral(contour) };
            if libm::cos(angle) < 0.0 { upper.push(point) } else { lower.push(point) }
        }
    }
    let upper = endplate(&upper, half_height - shift);
    let lower = endplate(&lower, -half_height - shift);
    let walls: Vec<Walls> = drawn.iter().map(|c| Walls::of(c, lateral(c), half_height)).collect();
    let first = -reach;
    let outlines =
        (first..=reach).map(|s| outline(&walls, f64::from(s), half_width, half_height)).collect();
    let surface = BodySurface {
        first_outline_s: f64::from(first) - shift,
        outlines,
        upper,
        lower,
        in_view_s: (f64::from(lowest) - shift, f64::from(highest) - shift),
    };
    let edge = drawn.iter().map(|c| c.edge).sum::<f64>() / drawn.len() as f64;
    let share = drawn.iter().map(|c| c.share).sum::<f64>() / drawn.len() as f64;
    let agreement = 1.0 - (libm::fabs(share - 1.0) / 0.25).min(1.0);
    let confidence = Share::new(
        (0.75 * (edge / 0.45).min(1.0) + 0.25 * agreement) * (0.4 + 0.6 * fraction_in_view),
    );
    CutOut {
        body: Some(VertebralBody { frame, surface, confidence, measurements: None }),
        fraction_in_view,
    }
}

/// Front and rear wall of one slice for each millimetre of height over the box's centre.
struct Walls {
    u: f64,
    lowest: f64,
    front: Vec<f64>,
    rear: Vec<f64>,
}

impl Walls {
    fn of(contour: &Contour, u: f64, half_height: f64) -> Self {
        let reach = libm::floor(2.0 * WALL_SHARE * half_height).max(1.0) as i32;
        let (mut front, mut rear) = (Vec::new(), Vec::new());
        for s in -reach..=reach {
            front.push(wall(contour, f64::from(s), -1.0));
            rear.push(-wall(contour, f64::from(s), 1.0));
        }
        Self { u, lowest: f64::from(-reach), front, rear }
    }

    /// (front, rear) as anterior coordinates at a height; constant beyond the followed part.
    fn at(&self, s: f64) -> (f64, f64) {
        let n = libm::round((s - self.lowest).clamp(0.0, (self.front.len() - 1) as f64)) as usize;
        (self.front[n], self.rear[n])
    }
}

/// Distance of the contour from the axis at height `s` over the centre, to the back (`side` 1) or
/// the front (-1): where a line across leaves it.
fn wall(contour: &Contour, s: f64, side: f64) -> f64 {
    let mut w = 0.0;
    loop {
        let next = w + 0.25;
        let angle = libm::atan2(side * next, -s);
        let turn = angle / std::f64::consts::TAU;
        let at = (turn - libm::floor(turn)) * DIRECTIONS as f64;
        let low = at as usize % DIRECTIONS;
        let f = at - libm::floor(at);
        let radius = contour.radii[low] * (1.0 - f) + contour.radii[(low + 1) % DIRECTIONS] * f;
        if next * next + s * s > radius * radius || next > 60.0 {
            return w;
        }
        w = next;
    }
}

/// Distance of the walls from the axis in each direction at a height over the box's centre.
fn outline(
    walls: &[Walls],
    s: f64,
    half_width: f64,
    half_height: f64,
) -> [f32; OUTLINE_DIRECTIONS] {
    let s = s.clamp(-2.0 * WALL_SHARE * half_height, 2.0 * WALL_SHARE * half_height);
    let sides: Vec<(f64, f64, f64)> = walls
        .iter()
        .map(|w| {
            let (front, rear) = w.at(s);
            (w.u, front, rear)
        })
        .collect();
    let inside = |v: f64, u: f64| {
        if libm::fabs(u) > half_width {
            return false;
        }
        let after = sides.iter().position(|w| w.0 >= u);
        let (front, rear) = match after {
            Some(0) => (sides[0].1, sides[0].2),
            Some(n) => {
                let (a, b) = (sides[n - 1], sides[n]);
                let f = (u - a.0) / (b.0 - a.0).max(1e-6);
                (a.1 + (b.1 - a.1) * f, a.2 + (b.2 - a.2) * f)
            }
            None => sides.last().map_or((0.0, 0.0), |w| (w.1, w.2)),
        };
        v <= front && v >= rear
    };
    let mut radii = [0.0f32; OUTLINE_DIRECTIONS];
    for (n, radius) in radii.iter_mut().enumerate() {
        let angle = std::f64::consts::TAU * n as f64 / OUTLINE_DIRECTIONS as f64;
        let (v, u) = (libm::cos(angle), libm::sin(angle));
        let mut r = 0.0;
        while r < 80.0 && inside((r + 0.25) * v, (r + 0.25) * u) {
            r += 0.25;
        }
        *radius = r as f32;
    }
    radii
}

/// Quadratic surface through contour points, twice, the second time without outliers; flat at
/// `height` where the points do not carry one.
fn endplate(points: &[LocalPoint], height: f64) -> EndplateSurface {
    let mut kept: Vec<LocalPoint> = points.to_vec();
    let mut plate = EndplateSurface::flat(height);
    for _ in 0..3 {
        let Some(fitted) = fit_quadratic(&kept) else { return plate };
        plate = fitted;
        let mut away: Vec<f64> =
            kept.iter().map(|p| libm::fabs(p.s - plate.height(p.v, p.u))).collect();
        away.sort_by(f64::total_cmp);
        let limit = (2.5 * away[away.len() / 2]).max(0.8);
        kept.retain(|p| libm::fabs(p.s - plate.height(p.v, p.u)) <= limit);
    }
    plate
}

/// Least squares with a pull of the slopes and curvatures to zero, so that few slices do not
/// make a bowl.
fn fit_quadratic(points: &[LocalPoint]) -> Option<EndplateSurface> {
    const UNIT_MM: f64 = 15.0;
    if points.len() < 12 {
        return None;
    }
    let mut a = [[0.0f64; 7]; 6];
    for p in points {
        let (v, u) = (p.v / UNIT_MM, p.u / UNIT_MM);
        let terms = [1.0, v, u, v * v, v * u, u * u];
        for r in 0..6 {
            for c in 0..6 {
                a[r][c] += terms[r] * terms[c];
            }
            a[r][6] += terms[r] * p.s;
        }
    }
    let pull = points.len() as f64;
    for (n, weight) in [0.0, 0.002, 0.02, 0.01, 0.05, 0.05].into_iter().enumerate() {
        a[n][n] += weight * pull;
    }
    // Gauss with pivoting.
    for n in 0..6 {
        let pivot = (n..6).max_by(|&x, &y| libm::fabs(a[x][n]).total_cmp(&libm::fabs(a[y][n])))?;
        a.swap(n, pivot);
        if libm::fabs(a[n][n]) < 1e-9 {
            return None;
        }
        for r in n + 1..6 {
            let f = a[r][n] / a[n][n];
            let pivot_row = a[n];
            for (value, above) in a[r].iter_mut().zip(pivot_row).skip(n) {
                *value -= f * above;
            }
        }
    }
    let mut x = [0.0; 6];
    for n in (0..6).rev() {
        let mut rest = a[n][6];
        for c in n + 1..6 {
            rest -= a[n][c] * x[c];
        }
        x[n] = rest / a[n][n];
    }
    let units = [1.0, UNIT_MM, UNIT_MM, UNIT_MM * UNIT_MM, UNIT_MM * UNIT_MM, UNIT_MM * UNIT_MM];
    let mut coefficients = [0.0; 6];
    for n in 0..6 {
        coefficients[n] = x[n] / units[n];
    }
    Some(EndplateSurface { coefficients })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endplate_is_fitted_through_its_points_despite_outliers() {
        let mut points = Vec::new();
        for v in -10..=10 {
            for u in -10..=10 {
                let (v, u) = (f64::from(v), f64::from(u));
                points.push(LocalPoint { s: 12.0 + 0.1 * v - 0.01 * v * v, v, u });
            }
        }
        for p in points.iter_mut().step_by(17) {
            p.s += 9.0;
        }
        let plate = endplate(&points, 0.0);
        assert!((plate.height(0.0, 0.0) - 12.0).abs() < 0.4, "{}", plate.height(0.0, 0.0));
        assert!((plate.height(8.0, 0.0) - plate.height(-8.0, 0.0) - 1.6).abs() < 0.3);
    }

    #[test]
    fn walls_go_on_straight_beyond_the_endplates() {
        let contour = Contour { slice: 0.0, radii: [12.0; DIRECTIONS], edge: 1.0, share: 1.0 };
        let walls = [Walls::of(&contour, 0.0, 12.0)];
        let beyond = outline(&walls, 15.0, 20.0, 12.0);
        let at_rim = outline(&walls, 0.72 * 12.0, 20.0, 12.0);
        assert_eq!(beyond, at_rim);
        let middle = outline(&walls, 0.0, 20.0, 12.0);
        assert!((middle[0] - 12.0).abs() <= 0.5 && (middle[16] - 20.0).abs() <= 0.5);
    }
}
