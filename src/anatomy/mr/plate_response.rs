//! Where flat plates lie: the answer of oriented filters that do not care whether a disc is
//! bright or dark.
//!
//! # Method
//! Local normalisation takes coil shading and contrast away; odd and even elongated kernels
//! (quadrature) answer to any edge or line; their energy is averaged over neighbouring slabs and
//! gathered along the plate, less what lies beyond its ends. All lengths in pixels of the stack
//! (1 mm at scale 1), angles in degrees: 0 is a plate across the head-foot axis, positive leans
//! to the back on the way down (sacrum).

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::sagittal_stack::SagittalStack;
use crate::kernels::fft_2d::Fft2d;
use crate::kernels::gaussian_2d::gaussian_2d;
use crate::kernels::plane::Plane;

/// First plate normal.
pub const FIRST_NORMAL: f64 = -40.0;
/// Step between plate normals.
pub const NORMAL_STEP: f64 = 12.0;
/// Number of plate normals.
pub const NORMALS: usize = 12;
/// Thickness of a slab, mm.
const SLAB_MM: f64 = 4.0;
/// Slabs within this distance of the middle of the stack are searched, mm.
const SEARCHED_MM: f64 = 14.0;
/// Slabs within this distance share their energy, mm.
pub const NEIGHBOUR_MM: f64 = 5.0;
/// Standard deviation of the normalising Gaussian.
const NORMALISE_SIGMA: f64 = 14.0;
/// Share of the tissue signal that is added before the logarithm.
const LOG_FLOOR: f64 = 0.25;
/// Added to the local standard deviation, so that air does not become texture.
const LEAST_DEVIATION: f32 = 0.3;
/// Plate filter: standard deviation across and along the plate.
const ACROSS: f64 = 2.0;
const ALONG: f64 = 6.0;
/// Blur of the energy: one blob for a disc instead of two endplates.
const ENERGY_SIGMA: f64 = 2.5;
/// Half width of a disc, and the weight of what lies beyond it.
const HALF_WIDTH: f64 = 14.0;
const SURROUND_WEIGHT: f64 = 0.6;
const FILTER_RADIUS: usize = 18;
const LINE_RADIUS: usize = 27;

/// Several slices together.
pub struct Slab {
    /// Slice position of its middle.
    pub slice: f64,
    /// Whether chains start here.
    pub searched: bool,
    /// Locally normalised signal.
    pub normalised: Plane,
    /// The same with a little blur, for patches.
    pub smooth: Plane,
    /// Plate energy for each normal.
    pub energy: Vec<Plane>,
    /// Centred plate response for each normal.
    pub response: Vec<Plane>,
}

/// Slabs of a stack from right to left.
pub fn slabs(stack: &SagittalStack) -> Vec<Slab> {
    let count = (libm::round(SLAB_MM / stack.slice_mm) as usize).clamp(1, stack.slices.len());
    let middle = stack.middle();
    let mut starts = Vec::new();
    let mut start = 0;
    while start + count <= stack.slices.len() {
        let slice = start as f64 + (count as f64 - 1.0) / 2.0;
        if libm::fabs(slice - middle) * stack.slice_mm <= SEARCHED_MM + SLAB_MM + 1.0 {
            starts.push((start, slice));
        }
        start += count;
    }
    let filters = PlateFilters::new(stack.rows(), stack.columns());
    let raw: Vec<(Plane, Vec<Plane>)> = starts
        .par_iter()
        .map(|&(start, _)| {
            let normalised = normalise(&stack.mean_of(start, count), stack.tissue_signal);
            let energy = filters.energy(&normalised);
            (normalised, energy)
        })
        .collect();
    let near =
        |a: usize, b: usize| libm::fabs(starts[a].1 - starts[b].1) * stack.slice_mm <= NEIGHBOUR_MM;
    let lines = LineFilters::new(stack.rows(), stack.columns());
    let shared: Vec<(Vec<Plane>, Vec<Plane>)> = (0..starts.len())
        .into_par_iter()
        .map(|n| {
            let neighbours: Vec<usize> = (0..starts.len()).filter(|&m| near(n, m)).collect();
            let energy: Vec<Plane> = (0..NORMALS)
                .map(|t| mean_plane(neighbours.iter().map(|&m| &raw[m].1[t])))
                .collect();
            let response = lines.centred(&energy);
            (energy, response)
        })
        .collect();
    raw.into_iter()
        .zip(shared)
        .zip(&starts)
        .map(|(((normalised, _), (energy, response)), &(_, slice))| Slab {
            slice,
            searched: libm::fabs(slice - middle) * stack.slice_mm <= SEARCHED_MM + 1e-6,
            smooth: gaussian_2d(&normalised, 1.0, 4.0),
            normalised,
            energy,
            response,
        })
        .collect()
}

/// Z-score of the log signal in a Gaussian window.
pub fn normalise(plane: &Plane, tissue_signal: f64) -> Plane {
    let floor = (LOG_FLOOR * tissue_signal) as f32;
    let log: Vec<f32> = plane.values().iter().map(|&v| libm::logf(v.max(0.0) + floor)).collect();
    let mut difference = Plane::new(plane.rows(), plane.columns(), log);
    let mean = gaussian_2d(&difference, NORMALISE_SIGMA, 2.5);
    for (d, m) in difference.values_mut().iter_mut().zip(mean.values()) {
        *d -= m;
    }
    let squares = difference.values().iter().map(|d| d * d).collect();
    let variance = Plane::new(plane.rows(), plane.columns(), squares);
    let variance = gaussian_2d(&variance, NORMALISE_SIGMA, 2.5);
    for (d, v) in difference.values_mut().iter_mut().zip(variance.values()) {
        *d /= v.max(0.0).sqrt() + LEAST_DEVIATION;
    }
    difference
}

/// Position of a direction among the plate normals, clamped to them.
pub fn normal_index(degrees: f64) -> f64 {
    ((degrees - FIRST_NORMAL) / NORMAL_STEP).clamp(0.0, (NORMALS - 1) as f64)
}

/// Direction of plate normal `n`.
pub fn normal(n: usize) -> f64 {
    FIRST_NORMAL + NORMAL_STEP * n as f64
}

/// Value of a directional answer at a place, linear in direction and place; the edge outside.
pub fn sample_directional(planes: &[Plane], degrees: f64, row: f64, column: f64) -> f64 {
    blend(planes, degrees, |plane| plane.sample(row, column))
}

/// The same, zero outside the picture.
pub fn sample_directional_or_zero(planes: &[Plane], degrees: f64, row: f64, column: f64) -> f64 {
    blend(planes, degrees, |plane| plane.sample_or_zero(row, column))
}

fn blend(planes: &[Plane], degrees: f64, sample: impl Fn(&Plane) -> f64) -> f64 {
    let at = normal_index(degrees);
    let low = at as usize;
    let high = (low + 1).min(NORMALS - 1);
    let f = at - low as f64;
    if f == 0.0 {
        return sample(&planes[low]);
    }
    sample(&planes[low]) * (1.0 - f) + sample(&planes[high]) * f
}

fn mean_plane<'a>(mut planes: impl Iterator<Item = &'a Plane>) -> Plane {
    let Some(first) = planes.next() else { return Plane::new(0, 0, Vec::new()) };
    let mut sum = first.clone();
    let mut count = 1.0f32;
    for plane in planes {
        for (s, v) in sum.values_mut().iter_mut().zip(plane.values()) {
            *s += v;
        }
        count += 1.0;
    }
    for s in sum.values_mut() {
        *s /= count;
    }
    sum
}

/// Odd (real part) and even (imaginary part) elongated kernels for each normal.
struct PlateFilters {
    fft: Fft2d,
    spectra: Vec<Vec<Complex32>>,
}

impl PlateFilters {
    fn new(rows: usize, columns: usize) -> Self {
        let fft = Fft2d::new(rows + 2 * FILTER_RADIUS, columns + 2 * FILTER_RADIUS);
        let spectra = (0..NORMALS)
            .into_par_iter()
            .map(|n| {
                let (odd, even) = plate_kernel(normal(n));
                let side = 2 * FILTER_RADIUS + 1;
                fft.kernel(FILTER_RADIUS, |a, b| {
                    let at = (a + FILTER_RADIUS as isize) as usize * side
                        + (b + FILTER_RADIUS as isize) as usize;
                    Complex32::new(odd[at] as f32, even[at] as f32)
                })
            })
            .collect();
        Self { fft, spectra }
    }

    fn energy(&self, plane: &Plane) -> Vec<Plane> {
        let padded = padded(plane, FILTER_RADIUS, &self.fft, mirrored_about_edge_pixel);
        let spectrum = self.fft.forward(padded);
        self.spectra
            .iter()
            .map(|kernel| {
                let answer = self.fft.inverse(product(&spectrum, kernel));
                let energy =
                    cut(plane, FILTER_RADIUS, &self.fft, |at| answer[at].norm_sqr().sqrt());
                gaussian_2d(&energy, ENERGY_SIGMA, 4.0)
            })
            .collect()
    }
}

/// Odd and even kernel `[row, column]` for a plate normal, each with absolute sum 1.
fn plate_kernel(degrees: f64) -> (Vec<f64>, Vec<f64>) {
    let r = FILTER_RADIUS as isize;
    let (sin, cos) = (libm::sin(degrees.to_radians()), libm::cos(degrees.to_radians()));
    let (mut odd, mut even) = (Vec::new(), Vec::new());
    for z in -r..=r {
        for y in -r..=r {
            let (z, y) = (z as f64, y as f64);
            let a = z * cos + y * sin;
            let l = -z * sin + y * cos;
            let g = libm::exp(-a * a / (2.0 * ACROSS * ACROSS) - l * l / (2.0 * ALONG * ALONG));
            odd.push(a * g);
            even.push((a * a / (ACROSS * ACROSS) - 1.0) * g);
        }
    }
    let mean = even.iter().sum::<f64>() / even.len() as f64;
    for e in &mut even {
        *e -= mean;
    }
    for kernel in [&mut odd, &mut even] {
        let sum: f64 = kernel.iter().map(|v| libm::fabs(*v)).sum();
        for v in kernel.iter_mut() {
            *v /= sum;
        }
    }
    (odd, even)
}

/// Centre along the plate minus what lies beyond its ends, for each normal.
struct LineFilters {
    fft: Fft2d,
    /// Spectra are real: the kernels are point-symmetric.
    spectra: Vec<Vec<f32>>,
}

impl LineFilters {
    fn new(rows: usize, columns: usize) -> Self {
        let fft = Fft2d::new(rows + 2 * LINE_RADIUS, columns + 2 * LINE_RADIUS);
        let spectra = (0..NORMALS)
            .into_par_iter()
            .map(|n| {
                let kernel = line_kernel(normal(n));
                let side = 2 * LINE_RADIUS + 1;
                let spectrum = fft.kernel(LINE_RADIUS, |a, b| {
                    let at = (a + LINE_RADIUS as isize) as usize * side
                        + (b + LINE_RADIUS as isize) as usize;
                    Complex32::new(kernel[at] as f32, 0.0)
                });
                spectrum.into_iter().map(|v| v.re).collect()
            })
            .collect();
        Self { fft, spectra }
    }

    /// Two normals in one transform: one as real, one as imaginary part.
    fn centred(&self, energy: &[Plane]) -> Vec<Plane> {
        let mut out = Vec::with_capacity(NORMALS);
        for (pair, planes) in energy.chunks_exact(2).enumerate() {
            let (a, b) = (&planes[0], &planes[1]);
            let mut joined = padded(a, LINE_RADIUS, &self.fft, clamped);
            let second = padded(b, LINE_RADIUS, &self.fft, clamped);
            for (j, s) in joined.iter_mut().zip(second) {
                j.im = s.re;
            }
            let spectrum = self.fft.forward(joined);
            let (k1, k2) = (&self.spectra[2 * pair], &self.spectra[2 * pair + 1]);
            let filtered = (0..spectrum.len())
                .map(|n| {
                    let opposite = spectrum[self.fft.opposite(n)].conj();
                    spectrum[n] * ((k1[n] + k2[n]) * 0.5) + opposite * ((k1[n] - k2[n]) * 0.5)
                })
                .collect();
            let answer = self.fft.inverse(filtered);
            out.push(cut(a, LINE_RADIUS, &self.fft, |at| answer[at].re));
            out.push(cut(a, LINE_RADIUS, &self.fft, |at| answer[at].im));
        }
        out
    }
}

fn line_kernel(degrees: f64) -> Vec<f64> {
    let r = LINE_RADIUS as isize;
    let (sin, cos) = (libm::sin(degrees.to_radians()), libm::cos(degrees.to_radians()));
    let (mut centre, mut outer) = (Vec::new(), Vec::new());
    for z in -r..=r {
        for y in -r..=r {
            let (z, y) = (z as f64, y as f64);
            let a = z * cos + y * sin;
            let l = libm::fabs(-z * sin + y * cos);
            let g = libm::exp(-a * a / 2.0);
            centre.push(if l <= HALF_WIDTH { g } else { 0.0 });
            let beyond = l > HALF_WIDTH + 3.0 && l <= HALF_WIDTH + 11.0;
            outer.push(if beyond { g } else { 0.0 });
        }
    }
    let (c, o) = (centre.iter().sum::<f64>(), outer.iter().sum::<f64>());
    centre.iter().zip(&outer).map(|(a, b)| a / c - SURROUND_WEIGHT * b / o).collect()
}

fn clamped(index: isize, n: usize) -> usize {
    index.clamp(0, n as isize - 1) as usize
}

fn mirrored_about_edge_pixel(index: isize, n: usize) -> usize {
    if n < 2 {
        return 0;
    }
    let period = 2 * (n as isize - 1);
    let i = index.rem_euclid(period);
    (if i < n as isize { i } else { period - i }) as usize
}

/// A picture with a margin, in the size of the transform; the rest is zero.
fn padded(
    plane: &Plane,
    margin: usize,
    fft: &Fft2d,
    edge: impl Fn(isize, usize) -> usize,
) -> Vec<Complex32> {
    let mut out = vec![Complex32::default(); fft.rows() * fft.columns()];
    for r in 0..plane.rows() + 2 * margin {
        let row = plane.row(edge(r as isize - margin as isize, plane.rows()));
        for c in 0..plane.columns() + 2 * margin {
            let column = edge(c as isize - margin as isize, plane.columns());
            out[r * fft.columns() + c].re = row[column];
        }
    }
    out
}

/// The part of a transform without its margin.
fn cut(like: &Plane, margin: usize, fft: &Fft2d, value: impl Fn(usize) -> f32) -> Plane {
    let mut values = Vec::with_capacity(like.rows() * like.columns());
    for r in 0..like.rows() {
        for c in 0..like.columns() {
            values.push(value((r + margin) * fft.columns() + c + margin));
        }
    }
    Plane::new(like.rows(), like.columns(), values)
}

fn product(a: &[Complex32], b: &[Complex32]) -> Vec<Complex32> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(disc: f32) -> (f64, f64) {
        // A plate leaning by 20 degrees, 28 pixels wide.
        let mut values = vec![0.0f32; 120 * 120];
        let (sin, cos) = (libm::sin(20f64.to_radians()), libm::cos(20f64.to_radians()));
        for r in 0..120 {
            for c in 0..120 {
                let (z, y) = (r as f64 - 60.0, c as f64 - 60.0);
                let (a, l) = (z * cos + y * sin, -z * sin + y * cos);
                if a.abs() < 3.0 && l.abs() < 14.0 {
                    values[r * 120 + c] = disc;
                }
            }
        }
        let plane = Plane::new(120, 120, values);
        let energy = PlateFilters::new(120, 120).energy(&plane);
        let response = LineFilters::new(120, 120).centred(&energy);
        let best = (0..NORMALS)
            .max_by(|&a, &b| response[a].get(60, 60).total_cmp(&response[b].get(60, 60)))
            .unwrap();
        (normal(best), f64::from(response[best].get(60, 60)))
    }

    #[test]
    fn bright_and_dark_plates_answer_alike_and_in_their_direction() {
        let (direction, bright) = answer_to(1.0);
        let (_, dark) = answer_to(-1.0);
        assert!((direction - 20.0).abs() <= 6.0, "{direction}");
        assert!(bright > 0.0 && (bright - dark).abs() < 1e-4);
    }
}
