//! The voxels about one vertebral body, in the body's own frame.

use super::sampling::sample_line;
use crate::geometry::{Frame, LocalPoint};
use crate::volume::Volume;

/// Half width of the box, forward and to the side, mm.
pub const HALF_WIDTH: i32 = 42;

/// Hounsfield units in steps of 1 mm about a frame's origin; NaN out of view. Values are kept
/// within `-50..=700`: neither lung beside the body nor one dense voxel decides a gradient.
pub struct BodyVolume {
    values: Vec<f32>,
    half_height: i32,
}

impl BodyVolume {
    /// Samples the native voxels, up to `half_height` mm above and below the origin.
    pub fn new(volume: &Volume<i16>, frame: &Frame, half_height: i32) -> Self {
        let n = 2 * HALF_WIDTH + 1;
        let mut values = vec![f32::NAN; (n * n * (2 * half_height + 1)) as usize];
        let du = volume.grid.vector_to_index(frame.left);
        let mut lines = values.chunks_exact_mut(n as usize);
        for s in -half_height..=half_height {
            for (v, line) in (-HALF_WIDTH..=HALF_WIDTH).zip(&mut lines) {
                let first =
                    LocalPoint { s: f64::from(s), v: f64::from(v), u: -f64::from(HALF_WIDTH) };
                let start = volume.grid.to_index(frame.to_lps(first));
                sample_line(volume, start, du, line);
                for hu in line {
                    *hu = hu.clamp(-50.0, 700.0);
                }
            }
        }
        Self { values, half_height }
    }

    /// The value at whole millimetres; NaN out of the box or of view.
    pub fn at(&self, s: i32, v: i32, u: i32) -> f32 {
        let n = 2 * HALF_WIDTH + 1;
        if s.abs() > self.half_height || v.abs() > HALF_WIDTH || u.abs() > HALF_WIDTH {
            return f32::NAN;
        }
        self.values[(((s + self.half_height) * n + v + HALF_WIDTH) * n + u + HALF_WIDTH) as usize]
    }

    /// The value at height `s`, linear between whole millimetres in the plane.
    pub fn in_plane(&self, s: i32, v: f64, u: f64) -> f32 {
        let (v0, u0) = (floor(v), floor(u));
        let (fv, fu) = ((v - f64::from(v0)) as f32, (u - f64::from(u0)) as f32);
        let inner = -HALF_WIDTH..HALF_WIDTH;
        let [a, b, c, d] =
            if s.abs() <= self.half_height && inner.contains(&v0) && inner.contains(&u0) {
                let n = 2 * HALF_WIDTH + 1;
                let start =
                    (((s + self.half_height) * n + v0 + HALF_WIDTH) * n + u0 + HALF_WIDTH) as usize;
                let (here, next) = (&self.values[start..start + 2], start + n as usize);
                let ahead = &self.values[next..next + 2];
                [here[0], here[1], ahead[0], ahead[1]]
            } else {
                [
                    self.at(s, v0, u0),
                    self.at(s, v0, u0 + 1),
                    self.at(s, v0 + 1, u0),
                    self.at(s, v0 + 1, u0 + 1),
                ]
            };
        let row = |low: f32, high: f32| low * (1.0 - fu) + high * fu;
        row(a, b) * (1.0 - fv) + row(c, d) * fv
    }

    /// Mean over a square of 3 mm at height `s`, of what is in view.
    pub fn square_mean(&self, s: i32, v: i32, u: i32) -> f32 {
        let (mut sum, mut seen) = (0.0, 0);
        for dv in -1..=1 {
            for du in -1..=1 {
                let value = self.at(s, v + dv, u + du);
                if value.is_finite() {
                    sum += value;
                    seen += 1;
                }
            }
        }
        if seen >= 5 { sum / seen as f32 } else { f32::NAN }
    }

    /// Lowest and highest height, mm, about `s = 0` at which at least half of the ellipse with the
    /// given half axes is in view; `None` when the origin's own height is not.
    pub fn heights_in_view(&self, forward_mm: f64, side_mm: f64) -> Option<(i32, i32)> {
        let in_view = |s: i32| {
            let (mut seen, mut all) = (0u32, 0u32);
            for v in (-HALF_WIDTH..=HALF_WIDTH).step_by(3) {
                for u in (-HALF_WIDTH..=HALF_WIDTH).step_by(3) {
                    let (a, b) = (f64::from(v) / forward_mm, f64::from(u) / side_mm);
                    if a * a + b * b <= 1.0 {
                        all += 1;
                        seen += u32::from(self.at(s, v, u).is_finite());
                    }
                }
            }
            all > 0 && 2 * seen >= all
        };
        if !in_view(0) {
            return None;
        }
        let (mut low, mut high) = (0, 0);
        while low > -self.half_height && in_view(low - 1) {
            low -= 1;
        }
        while high < self.half_height && in_view(high + 1) {
            high += 1;
        }
        Some((low, high))
    }
}

/// The whole number at or below a coordinate of the box.
fn floor(x: f64) -> i32 {
    let towards_zero = x as i32;
    towards_zero - i32::from(f64::from(towards_zero) > x)
}
