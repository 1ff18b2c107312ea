//! Separable filters: Gaussian and moving mean along the axes of an array.
//!
//! Sums run in `f32` in a fixed order, so that the result does not depend on the number of
//! threads.

use multiversion::multiversion;
use rayon::prelude::*;

use super::Array3;

/// What lies beyond the border of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// Mirrored about the edge of the outermost voxel: `d c b a | a b c d | d c b a`.
    Reflect,
    /// The outermost value goes on.
    Nearest,
    /// Zero.
    Zero,
}

impl Boundary {
    /// The index inside `0..n` that stands for index `i`, or `None` for zero.
    pub fn index(self, i: isize, n: usize) -> Option<usize> {
        let len = isize::try_from(n).ok()?;
        if (0..len).contains(&i) {
            return usize::try_from(i).ok();
        }
        match self {
            Self::Zero => None,
            _ if len == 0 => None,
            Self::Nearest => usize::try_from(i.clamp(0, len - 1)).ok(),
            Self::Reflect => {
                let period = 2 * len;
                let m = i.rem_euclid(period);
                usize::try_from(if m < len { m } else { period - 1 - m }).ok()
            }
        }
    }
}

/// Weights of a Gaussian of standard deviation `sigma` (in voxels), cut off at `truncate`
/// standard deviations, of sum 1. A single 1 for a `sigma` of zero.
pub fn gaussian_weights(sigma: f64, truncate: f64) -> Vec<f64> {
    if sigma.is_nan() || sigma <= 1e-15 {
        return vec![1.0];
    }
    let radius = (truncate * sigma + 0.5) as i32;
    let raw: Vec<f64> = (-radius..=radius)
        .map(|d| libm::exp(-0.5 * (f64::from(d) / sigma) * (f64::from(d) / sigma)))
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|w| w / sum).collect()
}

/// Correlates with `weights` (odd in number, the middle one falls on the voxel) along axis 0 (i),
/// 1 (j) or 2 (k).
pub fn convolve_axis(
    array: &Array3<f32>,
    axis: usize,
    weights: &[f64],
    boundary: Boundary,
) -> Array3<f32> {
    let mut out = Array3::filled(array.size(), 0.0f32);
    convolve_axis_into(array.data(), array.size(), axis, weights, boundary, out.data_mut());
    out
}

/// The same into memory of the caller; `source` and `out` lie `[k, j, i]` over `size`. Does nothing
/// when they do not fit.
pub fn convolve_axis_into(
    source: &[f32],
    size: [usize; 3],
    axis: usize,
    weights: &[f64],
    boundary: Boundary,
    out: &mut [f32],
) {
    let [ni, nj, nk] = size;
    let slice = ni * nj;
    if source.len() != slice * nk || out.len() != source.len() || source.is_empty() {
        return;
    }
    let weights: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
    let radius = weights.len() as isize / 2;
    out.par_chunks_mut(slice).enumerate().for_each_init(Vec::new, |padded, (k, target)| {
        let from = &source[k * slice..(k + 1) * slice];
        match axis {
            0 => {
                for (row, into) in from.chunks_exact(ni).zip(target.chunks_exact_mut(ni)) {
                    convolve_line(row, into, &weights, boundary, padded);
                }
            }
            1 => {
                let row = |j: usize| &from[j * ni..(j + 1) * ni];
                for (j, into) in target.chunks_exact_mut(ni).enumerate() {
                    add_all(into, &weights, |n| {
                        boundary.index(j as isize + n as isize - radius, nj).map(row)
                    });
                }
            }
            _ => {
                // In pieces that stay in the cache while all slices are added.
                for start in (0..slice).step_by(PIECE) {
                    let piece = start..(start + PIECE).min(slice);
                    add_all(&mut target[piece.clone()], &weights, |n| {
                        let other = boundary.index(k as isize + n as isize - radius, nk)?;
                        Some(&source[other * slice + piece.start..other * slice + piece.end])
                    });
                }
            }
        }
    });
}

/// Values of a slice added up at a time along the stack.
const PIECE: usize = 4096;

/// Taps added up together.
const TAPS: usize = 16;

/// The sum of the rows times their weights, in the order of the weights; a row that is not there is
/// zero. All rows are as long as `into`.
pub(super) fn add_all<'a>(
    into: &mut [f32],
    weights: &[f32],
    row: impl Fn(usize) -> Option<&'a [f32]>,
) {
    let mut taps: [(&[f32], f32); TAPS] = [(&[], 0.0); TAPS];
    let (mut held, mut begun) = (0, false);
    for (n, &weight) in weights.iter().enumerate() {
        let Some(row) = row(n) else { continue };
        if held == TAPS {
            add_taps(into, &taps, begun);
            (held, begun) = (0, true);
        }
        taps[held] = (row, weight);
        held += 1;
    }
    add_taps(into, &taps[..held], begun);
}

/// Values summed at a time: as many as the registers hold.
const BLOCK: usize = 32;

/// Adds rows times their weights one after the other, to what is there when `begun`.
#[multiversion(targets("x86_64+avx2"))]
fn add_taps(into: &mut [f32], taps: &[(&[f32], f32)], begun: bool) {
    let whole = into.len() / BLOCK * BLOCK;
    let (blocks, rest) = into.split_at_mut(whole);
    for (n, block) in blocks.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = [0.0f32; BLOCK];
        if begun {
            sums.copy_from_slice(block);
        }
        for &(row, weight) in taps {
            for (sum, &value) in sums.iter_mut().zip(&row[n * BLOCK..(n + 1) * BLOCK]) {
                *sum += weight * value;
            }
        }
        block.copy_from_slice(&sums);
    }
    if !begun {
        rest.fill(0.0);
    }
    for &(row, weight) in taps {
        for (sum, &value) in rest.iter_mut().zip(&row[whole..]) {
            *sum += weight * value;
        }
    }
}

/// Along a line, by way of a copy with a margin on both sides.
pub(super) fn convolve_line(
    line: &[f32],
    into: &mut [f32],
    weights: &[f32],
    boundary: Boundary,
    padded: &mut Vec<f32>,
) {
    let (n, radius) = (line.len(), weights.len() / 2);
    padded.clear();
    let beyond = |at: isize| boundary.index(at, n).map_or(0.0, |from| line[from]);
    padded.extend((0..radius).map(|d| beyond(d as isize - radius as isize)));
    padded.extend_from_slice(line);
    padded.extend((0..radius).map(|d| beyond((n + d) as isize)));
    add_all(into, weights, |d| Some(&padded[d..d + n]));
}

/// Gaussian filter with one standard deviation (in voxels) for each of i, j, k; a zero leaves
/// the axis alone.
pub fn gaussian(
    array: &Array3<f32>,
    sigma: [f64; 3],
    truncate: f64,
    boundary: Boundary,
) -> Array3<f32> {
    let weights = sigma.map(|s| gaussian_weights(s, truncate));
    filter_axes(array, &weights, boundary)
}

/// Moving mean over `widths` voxels along i, j, k; an even width is widened by one, so that the
/// window stays centred.
pub fn uniform(array: &Array3<f32>, widths: [usize; 3], boundary: Boundary) -> Array3<f32> {
    let weights = widths.map(|n| {
        let n = n | 1;
        vec![1.0 / n as f64; n]
    });
    filter_axes(array, &weights, boundary)
}

fn filter_axes(array: &Array3<f32>, weights: &[Vec<f64>; 3], boundary: Boundary) -> Array3<f32> {
    let mut done: Option<Array3<f32>> = None;
    for (axis, weights) in weights.iter().enumerate() {
        if weights.len() > 1 {
            let next = convolve_axis(done.as_ref().unwrap_or(array), axis, weights, boundary);
            done = Some(next);
        }
    }
    done.unwrap_or_else(|| array.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(a: &Array3<f32>, axis: usize, weights: &[f64], boundary: Boundary) -> Vec<f64> {
        let [ni, nj, nk] = a.size();
        let mut out = Vec::new();
        for k in 0..nk {
            for j in 0..nj {
                for i in 0..ni {
                    let mut sum = 0.0;
                    for (n, w) in weights.iter().enumerate() {
                        let mut at = [i as isize, j as isize, k as isize];
                        at[axis] += n as isize - weights.len() as isize / 2;
                        let len = [ni, nj, nk][axis] as isize;
                        // Reflected the slow way: step by step back into the array.
                        let mut x = at[axis];
                        while boundary == Boundary::Reflect && !(0..len).contains(&x) {
                            x = if x < 0 { -1 - x } else { 2 * len - 1 - x };
                        }
                        if boundary == Boundary::Nearest {
                            x = x.clamp(0, len - 1);
                        }
                        if (0..len).contains(&x) {
                            at[axis] = x;
                            sum +=
                                w * f64::from(a.at(at[0] as usize, at[1] as usize, at[2] as usize));
                        }
                    }
                    out.push(sum);
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn every_axis_and_boundary_agrees_with_a_plain_loop(
            ni in 1usize..9, nj in 1usize..7, nk in 1usize..6, axis in 0usize..3,
            sigma in 0.0..2.5f64, seed in 0u32..1000,
        ) {
            let mut state = seed;
            let data = (0..ni * nj * nk).map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                (state >> 20) as f32 - 2000.0
            }).collect();
            let a = Array3::from_vec([ni, nj, nk], data).unwrap();
            let weights = gaussian_weights(sigma, 4.0);
            for boundary in [Boundary::Reflect, Boundary::Nearest, Boundary::Zero] {
                let fast = convolve_axis(&a, axis, &weights, boundary);
                for (x, y) in fast.data().iter().zip(plain(&a, axis, &weights, boundary)) {
                    prop_assert!((f64::from(*x) - y).abs() < 0.01, "{x} against {y}");
                }
            }
        }
    }

    #[test]
    fn a_moving_mean_of_a_constant_is_the_constant() {
        let a = Array3::filled([4, 3, 2], 7.0);
        let mean = uniform(&a, [3, 5, 7], Boundary::Reflect);
        assert!(mean.data().iter().all(|v| (v - 7.0).abs() < 1e-5));
    }
}
