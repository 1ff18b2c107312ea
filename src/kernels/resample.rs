//! Values between voxel centres.

use rayon::prelude::*;

use super::resample_aligned::{Places, resample_aligned};
use super::{Array3, Boundary, Samples, gaussian_weights};
use crate::geometry::{ContinuousIndex, Grid, VoxelIndex};

/// Tolerance at the outermost voxel centres, in voxels: rounding must not push a place on the
/// border out of the grid.
const BORDER_TOLERANCE: f64 = 1e-6;

/// The two voxels around a continuous index along one axis and the weight of the second; `None`
/// outside the outermost centres.
pub fn neighbours(x: f64, n: usize) -> Option<(usize, usize, f64)> {
    let last = n as f64 - 1.0;
    if !(x >= -BORDER_TOLERANCE && x <= last + BORDER_TOLERANCE) {
        return None;
    }
    let x = x.clamp(0.0, last.max(0.0));
    let low = x as usize;
    Some((low, (low + 1).min(n - 1), x - low as f64))
}

/// Trilinear value at a continuous index over the measured voxels; NaN outside the grid, and
/// where half of the weight or more falls on voxels that were not measured.
pub fn trilinear<T: Copy + Into<f32>>(
    size: [usize; 3],
    values: &[T],
    is_measured: impl Fn(usize) -> bool,
    at: ContinuousIndex,
) -> f32 {
    trilinear_where(size, values, |offset, _| is_measured(offset), at)
}

/// The same with the value of a voxel told to `is_measured` beside its offset.
#[inline]
pub fn trilinear_where<T: Copy + Into<f32>>(
    size: [usize; 3],
    values: &[T],
    is_measured: impl Fn(usize, T) -> bool,
    at: ContinuousIndex,
) -> f32 {
    let (Some((i0, i1, fi)), Some((j0, j1, fj)), Some((k0, k1, fk))) =
        (neighbours(at.i, size[0]), neighbours(at.j, size[1]), neighbours(at.k, size[2]))
    else {
        return f32::NAN;
    };
    let (mut sum, mut total) = (0.0f32, 0.0f32);
    for (k, wk) in [(k0, 1.0 - fk), (k1, fk)] {
        for (j, wj) in [(j0, 1.0 - fj), (j1, fj)] {
            let row = (k * size[1] + j) * size[0];
            let of_row = wk * wj;
            for (i, wi) in [(i0, 1.0 - fi), (i1, fi)] {
                // Without a branch: a weight of zero adds nothing.
                let (weight, value) = ((of_row * wi) as f32, values[row + i]);
                let weight = if is_measured(row + i, value) { weight } else { 0.0 };
                sum += weight * value.into();
                total += weight;
            }
        }
    }
    if total > 0.5 { sum / total } else { f32::NAN }
}

/// A volume on another, usually coarser grid: smoothed by a Gaussian against aliasing, then
/// trilinear.
///
/// Values are clamped to `range`; voxels that were not measured are smoothed in as its lower end,
/// and come out as `outside` where they are the nearest ones. `outside` also stands where the
/// target leaves the source. The standard deviation along an axis is `0.4·sqrt((t/s)² - 1)`
/// voxels, `s` the spacing of the source and `t` that of the target.
pub fn resample_onto(
    source: &Grid,
    samples: &Samples<'_, i16>,
    target: &Grid,
    range: (i16, i16),
    outside: f32,
) -> Array3<f32> {
    let mut out = Array3::filled(target.size(), outside);
    let fits = samples.values.len() == source.len() && samples.size == source.size();
    if source.is_empty() || target.is_empty() || !fits {
        return out;
    }
    let weights = smoothing(source, target);
    if let Some(places) = Places::new(source, target) {
        resample_aligned(samples, range, &weights, &places, &mut out);
        return out;
    }
    resample_freely(source, samples, &weights, target, range, &mut out);
    out
}

/// The smoothing that keeps a coarser grid from aliasing.
fn smoothing(source: &Grid, target: &Grid) -> Weights {
    let coarse = target.spacing().into_iter().fold(f64::INFINITY, f64::min);
    source.spacing().map(|s| {
        let excess = (coarse / s) * (coarse / s) - 1.0;
        gaussian_weights(0.4 * libm::sqrt(excess.max(0.0)), 2.5)
    })
}

/// Fills `out` for grids of any directions.
fn resample_freely(
    source: &Grid,
    samples: &Samples<'_, i16>,
    weights: &Weights,
    target: &Grid,
    range: (i16, i16),
    out: &mut Array3<f32>,
) {
    let [ni, nj, nk] = source.size();
    let values = samples.values;
    let clamped = |offset: usize| {
        if samples.is_measured(offset) { values[offset].clamp(range.0, range.1) } else { range.0 }
    };
    // In the slices first, kept as whole units: half the memory of f32, and the rounding is far
    // below the noise.
    let slice = ni * nj;
    let mut smooth = vec![0i16; values.len()];
    smooth.par_chunks_mut(slice).enumerate().for_each(|(k, into)| {
        let line: Vec<f32> = (0..slice).map(|n| f32::from(clamped(k * slice + n))).collect();
        let Some(mut plane) = Array3::from_vec([ni, nj, 1], line) else { return };
        for (axis, weights) in weights.iter().enumerate().take(2) {
            if weights.len() > 1 {
                plane = super::convolve_axis(&plane, axis, weights, Boundary::Reflect);
            }
        }
        for (target, value) in into.iter_mut().zip(plane.data()) {
            *target = value.round() as i16;
        }
    });
    // Along the stack the smoothing is part of the sampling: only the slices that are needed.
    let [ti, tj, _] = target.size();
    out.data_mut().par_chunks_mut(ti * tj).enumerate().for_each(|(k, into)| {
        for j in 0..tj {
            for i in 0..ti {
                let at = source.to_index(target.voxel_to_lps(VoxelIndex { i, j, k }));
                let (Some((i0, i1, fi)), Some((j0, j1, fj)), Some((k0, _, fk))) =
                    (neighbours(at.i, ni), neighbours(at.j, nj), neighbours(at.k, nk))
                else {
                    continue;
                };
                let near = |low: usize, high: usize, f: f64| if f < 0.5 { low } else { high };
                let k1 = (k0 + 1).min(nk - 1);
                let nearest = (near(k0, k1, fk) * nj + near(j0, j1, fj)) * ni + near(i0, i1, fi);
                if !samples.is_measured(nearest) {
                    continue;
                }
                let in_slice = |slice_k: usize| {
                    let row = |j: usize| (slice_k * nj + j) * ni;
                    let v = |j: usize| {
                        f64::from(smooth[row(j) + i0]) * (1.0 - fi)
                            + f64::from(smooth[row(j) + i1]) * fi
                    };
                    v(j0) * (1.0 - fj) + v(j1) * fj
                };
                let mut sum = 0.0;
                for (other, weight) in stack_taps(&weights[2], k0, fk, nk) {
                    sum += weight * in_slice(other);
                }
                into[j * ti + i] = sum as f32;
            }
        }
    });
}

/// Weights of the smoothing along i, j, k.
pub(super) type Weights = [Vec<f64>; 3];

/// Slices and weights of a smoothed, linearly interpolated value a fraction `fk` after slice `k0`.
pub(super) fn stack_taps(
    weights: &[f64],
    k0: usize,
    fk: f64,
    nk: usize,
) -> impl Iterator<Item = (usize, f64)> + '_ {
    let radius = (weights.len() / 2) as isize;
    (-radius..=radius + 1).filter_map(move |d| {
        let tap = |n: isize| usize::try_from(n).ok().and_then(|n| weights.get(n)).copied();
        let low = tap(d + radius).unwrap_or(0.0) * (1.0 - fk);
        let high = tap(d + radius - 1).unwrap_or(0.0) * fk;
        if low + high > 0.0 {
            Some((Boundary::Reflect.index(k0 as isize + d, nk)?, low + high))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{LpsPoint, LpsVector};
    use crate::kernels::BitMask;
    use proptest::prelude::*;

    fn grid(size: [usize; 3], spacing: f64) -> Grid {
        Grid::new(
            size,
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::new(spacing, 0.0, 0.0),
            LpsVector::new(0.0, spacing, 0.0),
            LpsVector::new(0.0, 0.0, spacing),
        )
        .unwrap()
    }

    fn all<'a>(grid: &Grid, values: &'a [i16]) -> Samples<'a, i16> {
        Samples { size: grid.size(), values, above: f32::NEG_INFINITY, without: [None; 2] }
    }

    proptest! {
        #[test]
        fn a_ramp_stays_a_ramp_away_from_the_border(a in -20.0..20.0f64, b in -20.0..20.0f64, c in -20.0..20.0f64, spacing in 0.6..1.9f64) {
            let source = grid([24, 22, 20], spacing);
            let at = |i: f64, j: f64, k: f64| a * i + b * j + c * k;
            let values: Vec<i16> = (0..source.len()).map(|n| {
                at((n % 24) as f64, (n / 24 % 22) as f64, (n / 528) as f64).round() as i16
            }).collect();
            let target = grid([6, 5, 5], 2.0);
            let out = resample_onto(&source, &all(&source, &values), &target, (-2000, 2000), -9999.0);
            for k in 1..4 {
                for j in 1..4 {
                    for i in 1..4 {
                        let place = [i, j, k].map(|n| n as f64 * 2.0 / spacing);
                        // The window of the Gaussian must not meet the border.
                        if place.iter().all(|&p| (4.0..15.0).contains(&p)) {
                            let expected = at(place[0], place[1], place[2]);
                            prop_assert!((f64::from(out.at(i, j, k)) - expected).abs() < 2.0);
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn grids_along_the_same_axes_give_the_bits_of_any_grids(
            seed in any::<u32>(), steps in proptest::array::uniform3(0.4..4.0f64), shift in -3.0..3.0f64,
            masked in any::<bool>(),
        ) {
            let source = Grid::new(
                [17, 13, 9],
                LpsPoint::new(shift, -2.0, 1.0),
                LpsVector::new(steps[0], 0.0, 0.0),
                LpsVector::new(0.0, -steps[1], 0.0),
                LpsVector::new(0.0, 0.0, steps[2]),
            )
            .unwrap();
            let mut state = seed;
            let values: Vec<i16> = (0..source.len()).map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                ((state >> 8) % 5000) as i16 - 2000
            }).collect();
            let target = Grid::new(
                [12, 20, 11],
                LpsPoint::new(0.3, -20.0, 0.0),
                LpsVector::new(2.0, 0.0, 0.0),
                LpsVector::new(0.0, 2.0, 0.0),
                LpsVector::new(0.0, 0.0, 2.0),
            )
            .unwrap();
            prop_assert!(Places::new(&source, &target).is_some());
            let mask = BitMask::from_fn(source.size(), |i, j, k| (i + 3 * j + 5 * k) % 31 == 0);
            let without = [None, masked.then_some(&mask)];
            let samples = Samples { above: -1500.0, without, ..all(&source, &values) };
            let fast = resample_onto(&source, &samples, &target, (-1024, 2500), -9.0);
            let mut plain = Array3::filled(target.size(), -9.0);
            let weights = smoothing(&source, &target);
            let range = (-1024, 2500);
            resample_freely(&source, &samples, &weights, &target, range, &mut plain);
            prop_assert_eq!(fast, plain);
        }
    }

    #[test]
    fn places_out_of_the_source_or_in_padding_are_outside() {
        let source = grid([4, 4, 4], 1.0);
        let first = BitMask::from_fn([4; 3], |i, j, k| i + j + k == 0);
        let samples = Samples { without: [Some(&first), None], ..all(&source, &[10; 64]) };
        let out = resample_onto(&source, &samples, &grid([3, 2, 2], 2.0), (-1024, 3000), -2000.0);
        assert_eq!(out.at(0, 0, 0), -2000.0, "padding");
        assert_eq!(out.at(2, 0, 0), -2000.0, "beyond the last voxel");
        assert_eq!(out.at(1, 1, 1), 10.0);
    }

    #[test]
    fn trilinear_leaves_unmeasured_voxels_out() {
        let at = |i| ContinuousIndex { i, j: 0.0, k: 0.0 };
        let values = [0.0f32, 10.0];
        assert_eq!(trilinear([2, 1, 1], &values, |_| true, at(0.25)), 2.5);
        assert_eq!(trilinear([2, 1, 1], &values, |n| n == 0, at(0.25)), 0.0);
        assert!(trilinear([2, 1, 1], &values, |n| n == 0, at(0.75)).is_nan());
        assert!(trilinear([2, 1, 1], &values, |_| true, at(-0.1)).is_nan());
    }
}
