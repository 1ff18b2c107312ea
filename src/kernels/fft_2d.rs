//! Convolution of pictures through the Fourier transform.
//!
//! Only the scalar transform is used: the SIMD ones are chosen at run time and round differently
//! from machine to machine.

use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlannerScalar};

/// Transforms of one size. Spectra are stored transposed (`[column frequency, row frequency]`).
pub struct Fft2d {
    rows: usize,
    columns: usize,
    along_rows: [Arc<dyn Fft<f32>>; 2],
    along_columns: [Arc<dyn Fft<f32>>; 2],
}

/// The smallest size of at least `n` whose only prime factors are 2, 3 and 5.
pub fn fast_length(n: usize) -> usize {
    // A power of two lies below twice `n`.
    (n.max(1)..=2 * n.max(1))
        .find(|&m| {
            let mut rest = m;
            for p in [2, 3, 5] {
                while rest.is_multiple_of(p) {
                    rest /= p;
                }
            }
            rest == 1
        })
        .unwrap_or(n)
}

impl Fft2d {
    /// Transforms for pictures of at least `rows` times `columns`; the true size is rounded up
    /// to fast lengths.
    pub fn new(rows: usize, columns: usize) -> Self {
        let (rows, columns) = (fast_length(rows), fast_length(columns));
        let mut planner = FftPlannerScalar::new();
        Self {
            rows,
            columns,
            along_rows: [planner.plan_fft_forward(columns), planner.plan_fft_inverse(columns)],
            along_columns: [planner.plan_fft_forward(rows), planner.plan_fft_inverse(rows)],
        }
    }

    /// Rows of the transform.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the transform.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Spectrum of a picture `[row, column]` of the transform's own size.
    pub fn forward(&self, mut picture: Vec<Complex32>) -> Vec<Complex32> {
        self.along_rows[0].process(&mut picture);
        let mut turned = transposed(&picture, self.rows, self.columns);
        self.along_columns[0].process(&mut turned);
        turned
    }

    /// The picture `[row, column]` of a spectrum, so that `inverse(forward(p))` is `p`.
    pub fn inverse(&self, mut spectrum: Vec<Complex32>) -> Vec<Complex32> {
        self.along_columns[1].process(&mut spectrum);
        let mut picture = transposed(&spectrum, self.columns, self.rows);
        self.along_rows[1].process(&mut picture);
        let scale = 1.0 / (self.rows * self.columns) as f32;
        for value in &mut picture {
            *value *= scale;
        }
        picture
    }

    /// Spectrum of a kernel given by its value at each offset (row, column) within `radius`,
    /// centred at the origin.
    pub fn kernel(
        &self,
        radius: usize,
        value: impl Fn(isize, isize) -> Complex32,
    ) -> Vec<Complex32> {
        let mut picture = vec![Complex32::default(); self.rows * self.columns];
        let r = radius as isize;
        for a in -r..=r {
            for b in -r..=r {
                let row = a.rem_euclid(self.rows as isize) as usize;
                let column = b.rem_euclid(self.columns as isize) as usize;
                picture[row * self.columns + column] += value(a, b);
            }
        }
        self.forward(picture)
    }

    /// Position in a spectrum of the frequency opposite to the one at `offset`.
    pub fn opposite(&self, offset: usize) -> usize {
        let (c, r) = (offset / self.rows, offset % self.rows);
        let c = if c == 0 { 0 } else { self.columns - c };
        let r = if r == 0 { 0 } else { self.rows - r };
        c * self.rows + r
    }
}

/// Transposes in tiles that fit the cache.
fn transposed(source: &[Complex32], rows: usize, columns: usize) -> Vec<Complex32> {
    const TILE: usize = 16;
    let mut out = vec![Complex32::default(); source.len()];
    for r0 in (0..rows).step_by(TILE) {
        for c0 in (0..columns).step_by(TILE) {
            for r in r0..(r0 + TILE).min(rows) {
                for c in c0..(c0 + TILE).min(columns) {
                    out[c * rows + r] = source[r * columns + c];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_of_spectra_is_a_circular_convolution() {
        let fft = Fft2d::new(7, 5);
        assert_eq!((fft.rows(), fft.columns()), (8, 5));
        let picture: Vec<Complex32> =
            (0..40).map(|n| Complex32::new((n * 7 % 11) as f32, 0.0)).collect();
        let kernel = |a: isize, b: isize| Complex32::new((a * 2 + b) as f32, (a - b * b) as f32);
        let spectrum = fft.forward(picture.clone());
        let k = fft.kernel(1, kernel);
        let out = fft.inverse(spectrum.iter().zip(&k).map(|(s, k)| s * k).collect());
        for r in 0..8isize {
            for c in 0..5isize {
                let mut sum = Complex32::default();
                for a in -1..=1isize {
                    for b in -1..=1isize {
                        let (y, x) = ((r - a).rem_euclid(8), (c - b).rem_euclid(5));
                        sum += picture[(y * 5 + x) as usize] * kernel(a, b);
                    }
                }
                assert!((sum - out[(r * 5 + c) as usize]).norm() < 1e-3);
            }
        }
    }

    #[test]
    fn the_spectrum_of_a_real_picture_mirrors_at_the_opposite_frequency() {
        let fft = Fft2d::new(6, 4);
        let s = fft.forward((0..24).map(|n| Complex32::new((n * n % 13) as f32, 0.0)).collect());
        for n in 0..24 {
            assert!((s[n].conj() - s[fft.opposite(n)]).norm() < 1e-3);
        }
    }
}
