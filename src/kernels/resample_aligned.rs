//! Resampling between grids along the same axes: the places along each axis are worked out once.

use multiversion::multiversion;
use rayon::prelude::*;

use super::resample::{Weights, neighbours, stack_taps};
use super::{Array3, Boundary, convolve_axis_into};
use crate::geometry::{ContinuousIndex, Grid, VoxelIndex};

/// Two neighbours and the weight of the second.
type Place = (usize, usize, f64);

/// For each i, j, k of the target its place along i, j, k of the source; `None` where it lies
/// outside.
pub(super) struct Places([Vec<Option<Place>>; 3]);

impl Places {
    /// `None` when the axes of the grids differ.
    pub fn new(source: &Grid, target: &Grid) -> Option<Self> {
        for axis in 0..3 {
            let step = target.step(axis);
            let ContinuousIndex { i, j, k } = source.vector_to_index(step);
            for other in (0..3).filter(|&other| other != axis) {
                if [step.x(), step.y(), step.z()][other] != 0.0 || [i, j, k][other] != 0.0 {
                    return None;
                }
            }
        }
        let along = |axis: usize| {
            (0..target.size()[axis])
                .map(|n| {
                    let mut at = [0; 3];
                    at[axis] = n;
                    let [i, j, k] = at;
                    let c = source.to_index(target.voxel_to_lps(VoxelIndex { i, j, k }));
                    neighbours([c.i, c.j, c.k][axis], source.size()[axis])
                })
                .collect()
        };
        Some(Self([along(0), along(1), along(2)]))
    }
}

/// The nearer of the two neighbours.
fn nearer(&(low, high, f): &Place) -> usize {
    if f < 0.5 { low } else { high }
}

/// Fills `out` as [`resample_onto`](super::resample_onto) does.
pub(super) fn resample_aligned(
    size: [usize; 3],
    values: &[i16],
    is_measured: impl Fn(usize, i16) -> bool + Sync,
    range: (i16, i16),
    weights: &Weights,
    places: &Places,
    out: &mut Array3<f32>,
) {
    let [ni, nj, nk] = size;
    let Places([along_i, along_j, along_k]) = places;
    let mut needed = vec![false; nk];
    for place in along_k.iter().flatten() {
        for (slice, _) in stack_taps(&weights[2], place.0, place.2, nk) {
            needed[slice] = true;
        }
    }
    let slice = ni * nj;
    // Each source slice smoothed and sampled at the target's columns and rows.
    let planes: Vec<Vec<f64>> = (0..nk)
        .into_par_iter()
        .map_init(
            || (vec![0.0f32; slice], vec![0.0f32; slice]),
            |(plane, next), k| {
                if !needed[k] {
                    return Vec::new();
                }
                let start = k * slice;
                let voxels = &values[start..start + slice];
                for (n, (value, &voxel)) in plane.iter_mut().zip(voxels).enumerate() {
                    let measured = is_measured(start + n, voxel);
                    *value =
                        f32::from(if measured { voxel.max(range.0).min(range.1) } else { range.0 });
                }
                for (axis, weights) in weights.iter().enumerate().take(2) {
                    if weights.len() > 1 {
                        let size = [ni, nj, 1];
                        convolve_axis_into(plane, size, axis, weights, Boundary::Reflect, next);
                        std::mem::swap(plane, next);
                    }
                }
                sample_plane(plane, ni, along_i, along_j)
            },
        )
        .collect();
    let [ti, tj, _] = out.size();
    out.data_mut().par_chunks_mut(ti * tj).zip(along_k).for_each_init(
        || vec![0.0f64; ti * tj],
        |sums, (into, place)| {
            let Some(place) = place else { return };
            sums.fill(0.0);
            for (slice, weight) in stack_taps(&weights[2], place.0, place.2, nk) {
                for (sum, &value) in sums.iter_mut().zip(&planes[slice]) {
                    *sum += weight * value;
                }
            }
            let near_k = nearer(place);
            for (j, at_j) in along_j.iter().enumerate() {
                let Some(at_j) = at_j else { continue };
                let row = (near_k * nj + nearer(at_j)) * ni;
                for (i, at_i) in along_i.iter().enumerate() {
                    if let Some(at_i) = at_i
                        && let nearest = row + nearer(at_i)
                        && is_measured(nearest, values[nearest])
                    {
                        into[j * ti + i] = sums[j * ti + i] as f32;
                    }
                }
            }
        },
    );
}

/// Bilinear values of a smoothed slice, kept as whole units, at the target's columns and rows.
fn sample_plane(
    plane: &[f32],
    ni: usize,
    along_i: &[Option<Place>],
    along_j: &[Option<Place>],
) -> Vec<f64> {
    let mut out = vec![0.0; along_i.len() * along_j.len()];
    let mut whole = vec![0.0; ni];
    let mut rows: [(Option<usize>, Vec<f64>); 2] =
        [(None, vec![0.0; along_i.len()]), (None, vec![0.0; along_i.len()])];
    for (line, place) in out.chunks_exact_mut(along_i.len()).zip(along_j) {
        let &Some((j0, j1, fj)) = place else { continue };
        // The upper row of one line is often the lower of the next.
        if rows[1].0 == Some(j0) {
            rows.swap(0, 1);
        }
        for ((held, row), j) in rows.iter_mut().zip([j0, j1]) {
            if *held != Some(j) {
                round_row(&plane[j * ni..(j + 1) * ni], &mut whole);
                for (value, place) in row.iter_mut().zip(along_i) {
                    if let &Some((i0, i1, fi)) = place {
                        *value = whole[i0] * (1.0 - fi) + whole[i1] * fi;
                    }
                }
                *held = Some(j);
            }
        }
        for ((value, low), high) in line.iter_mut().zip(&rows[0].1).zip(&rows[1].1) {
            *value = low * (1.0 - fj) + high * fj;
        }
    }
    out
}

/// The nearest whole numbers, halves away from zero, of values within `i16`.
#[multiversion(targets("x86_64+avx2"))]
fn round_row(values: &[f32], into: &mut [f64]) {
    for (whole, &value) in into.iter_mut().zip(values) {
        // Exact in f64, and without a call for each voxel.
        let value = f64::from(value);
        let half = if value < 0.0 { -0.5 } else { 0.5 };
        *whole = f64::from((value + half) as i32);
    }
}
