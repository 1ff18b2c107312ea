//! The voxels about one vertebral body, in the body's own frame.

use std::cell::Cell;

use super::sampling::samples;
use crate::geometry::{ContinuousIndex, Frame, Grid, LocalPoint};
use crate::kernels::Samples;
use crate::volume::Volume;

/// Half width of the box, forward and to the side, mm.
pub const HALF_WIDTH: i32 = 42;
/// Values of a line that are sampled together: most of the box is never asked for.
const PIECE: usize = 16;
/// Pieces of a line, the middle of the line between two of them.
const PIECES: usize = 6;
/// Left coordinate of the first value of the first piece, mm; beyond the box nothing is sampled.
const FIRST_MM: i32 = -(PIECE as i32 * PIECES as i32) / 2;

/// Hounsfield units in steps of 1 mm about a frame's origin; NaN out of view. Values are kept
/// within `-50..=700`: neither lung beside the body nor one dense voxel decides a gradient. Sampled
/// where they are first asked for.
pub struct BodyVolume<'a> {
    native: Samples<'a, i16>,
    grid: &'a Grid,
    frame: Frame,
    /// One step to the left, in native voxels.
    step: ContinuousIndex,
    /// Lines `[s, v]` of [`PIECES`] pieces.
    values: Vec<Cell<f32>>,
    /// A bit for each piece of a line that was sampled.
    sampled: Vec<Cell<u8>>,
    half_height: i32,
}

impl<'a> BodyVolume<'a> {
    /// The native voxels up to `half_height` mm above and below the origin.
    pub fn new(volume: &'a Volume<i16>, frame: &Frame, half_height: i32) -> Self {
        let n = 2 * HALF_WIDTH + 1;
        let lines = (n * (2 * half_height + 1)) as usize;
        Self {
            native: samples(volume),
            grid: &volume.grid,
            frame: *frame,
            step: volume.grid.vector_to_index(frame.left),
            values: vec![Cell::new(f32::NAN); lines * PIECE * PIECES],
            sampled: vec![Cell::new(0); lines],
            half_height,
        }
    }

    /// The line at (s, v) with values from `u` to `last` sampled; all inside the box.
    fn line(&self, s: i32, v: i32, u: i32, last: i32) -> &[Cell<f32>] {
        let line = ((s + self.half_height) * (2 * HALF_WIDTH + 1) + v + HALF_WIDTH) as usize;
        let (first, last) = ((u - FIRST_MM) as usize / PIECE, (last - FIRST_MM) as usize / PIECE);
        let values = &self.values[line * PIECE * PIECES..(line + 1) * PIECE * PIECES];
        let sampled = self.sampled[line].get();
        if sampled >> first & sampled >> last & 1 == 0 {
            self.sample(s, v, first, &values[first * PIECE..(first + 1) * PIECE]);
            self.sample(s, v, last, &values[last * PIECE..(last + 1) * PIECE]);
            self.sampled[line].set(sampled | 1 << first | 1 << last);
        }
        values
    }

    #[cold]
    fn sample(&self, s: i32, v: i32, piece: usize, into: &[Cell<f32>]) {
        let u = -f64::from(HALF_WIDTH);
        let first = LocalPoint { s: f64::from(s), v: f64::from(v), u };
        let start = self.grid.to_index(self.frame.to_lps(first));
        let step = self.step;
        let mut values = [0.0; PIECE];
        let offset = FIRST_MM + HALF_WIDTH + (piece * PIECE) as i32;
        self.native.fill(&mut values, |n| {
            let n = f64::from(offset + n as i32);
            ContinuousIndex {
                i: start.i + step.i * n,
                j: start.j + step.j * n,
                k: start.k + step.k * n,
            }
        });
        for (cell, hu) in into.iter().zip(values) {
            cell.set(hu.clamp(-50.0, 700.0));
        }
    }

    /// The value at whole millimetres; NaN out of the box or of view.
    pub fn at(&self, s: i32, v: i32, u: i32) -> f32 {
        if s.abs() > self.half_height || v.abs() > HALF_WIDTH || u.abs() > HALF_WIDTH {
            return f32::NAN;
        }
        self.line(s, v, u, u)[(u - FIRST_MM) as usize].get()
    }

    /// The value at height `s`, linear between whole millimetres in the plane.
    pub fn in_plane(&self, s: i32, place: &InPlane) -> f32 {
        let &InPlane { v0, u0, fv, fu } = place;
        let inner = -HALF_WIDTH..HALF_WIDTH;
        let [a, b, c, d] =
            if s.abs() <= self.half_height && inner.contains(&v0) && inner.contains(&u0) {
                let at = (u0 - FIRST_MM) as usize;
                let here = &self.line(s, v0, u0, u0 + 1)[at..at + 2];
                let ahead = &self.line(s, v0 + 1, u0, u0 + 1)[at..at + 2];
                [here[0].get(), here[1].get(), ahead[0].get(), ahead[1].get()]
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

/// A place in the plane: the millimetre before it, forward and to the left, and the part beyond.
#[derive(Clone, Copy)]
pub struct InPlane {
    v0: i32,
    u0: i32,
    fv: f32,
    fu: f32,
}

impl InPlane {
    /// The place at (v, u), mm.
    pub fn new(v: f64, u: f64) -> Self {
        let (v0, u0) = (floor(v), floor(u));
        Self { v0, u0, fv: (v - f64::from(v0)) as f32, fu: (u - f64::from(u0)) as f32 }
    }
}

/// The whole number at or below a coordinate of the box.
fn floor(x: f64) -> i32 {
    let towards_zero = x as i32;
    towards_zero - i32::from(f64::from(towards_zero) > x)
}
