//! Resampling between grids along the same axes: the places along each axis are worked out once.

use multiversion::multiversion;
use rayon::prelude::*;

use super::convolve::{add_all, convolve_line};
use super::resample::{Weights, neighbours, stack_taps};
use super::{Array3, Boundary, Samples};
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

/// Target slices worked on by one thread at a time.
const SLAB: usize = 24;

/// Fills `out` as [`resample_onto`](super::resample_onto) does.
pub(super) fn resample_aligned(
    samples: &Samples<'_, i16>,
    range: (i16, i16),
    weights: &Weights,
    places: &Places,
    out: &mut Array3<f32>,
) {
    let size = samples.size;
    let [ni, nj, nk] = size;
    let Places([along_i, along_j, along_k]) = places;
    let slice = ni * nj;
    let [ti, tj, _] = out.size();
    let clamped = |k: usize, j: usize, into: &mut [f32]| {
        let start = k * slice + j * ni;
        clamp_row(&samples.values[start..start + ni], samples.above, range, into);
        for mask in samples.without.into_iter().flatten() {
            for (n, values) in into.chunks_mut(64).enumerate() {
                let bits = mask.bits_from(start + n * 64);
                if bits != 0 {
                    for (bit, value) in values.iter_mut().enumerate() {
                        if bits >> bit & 1 == 1 {
                            *value = f32::from(range.0);
                        }
                    }
                }
            }
        }
    };
    let start =
        || (InPlane::new(size, weights, along_i), Planes::new(weights[2].len() + 2, ti * tj));
    let slabs = out.data_mut().par_chunks_mut(ti * tj * SLAB).zip(along_k.par_chunks(SLAB));
    slabs.for_each_init(start, |(in_plane, planes), (slab, along_k)| {
        let mut sums = vec![0.0f64; ti * tj];
        for (into, place) in slab.chunks_exact_mut(ti * tj).zip(along_k) {
            let Some(place) = place else { continue };
            sums.fill(0.0);
            for (k, weight) in stack_taps(&weights[2], place.0, place.2, nk) {
                let plane = planes.slice(k, |plane| {
                    in_plane.sample(|j, row| clamped(k, j, row), along_i, along_j, plane);
                });
                add_plane(&mut sums, plane, weight);
            }
            let near_k = nearer(place);
            for (j, at_j) in along_j.iter().enumerate() {
                let Some(at_j) = at_j else { continue };
                let row = (near_k * nj + nearer(at_j)) * ni;
                for (i, at_i) in along_i.iter().enumerate() {
                    if let Some(at_i) = at_i
                        && let nearest = row + nearer(at_i)
                        && samples.is_measured(nearest)
                    {
                        into[j * ti + i] = sums[j * ti + i] as f32;
                    }
                }
            }
        }
    });
}

/// The last few source slices, smoothed and sampled at the target's columns and rows.
struct Planes {
    slots: Vec<(Option<usize>, Vec<f64>)>,
}

impl Planes {
    fn new(slots: usize, len: usize) -> Self {
        Self { slots: vec![(None, vec![0.0; len]); slots] }
    }

    /// Source slice `k`, made by `fill` when it is not there.
    fn slice(&mut self, k: usize, fill: impl FnOnce(&mut [f64])) -> &[f64] {
        let n = self.slots.len();
        let (held, plane) = &mut self.slots[k % n];
        if *held != Some(k) {
            plane.fill(0.0);
            fill(plane);
            *held = Some(k);
        }
        plane
    }
}

/// Values above a level clamped to a range, others its lower end.
#[multiversion(targets("x86_64+avx2"))]
fn clamp_row(voxels: &[i16], above: f32, range: (i16, i16), into: &mut [f32]) {
    let (low, high) = (f32::from(range.0), f32::from(range.1));
    for (into, &voxel) in into.iter_mut().zip(voxels) {
        let value = f32::from(voxel);
        let clamped = if value < low { low } else { value };
        let clamped = if clamped > high { high } else { clamped };
        *into = if value > above { clamped } else { low };
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add_plane(sums: &mut [f64], plane: &[f64], weight: f64) {
    for (sum, &value) in sums.iter_mut().zip(plane) {
        *sum += weight * value;
    }
}

/// One source slice smoothed in its plane, row by row, so that what is worked on stays in the cache.
struct InPlane {
    size: [usize; 2],
    weights: [Vec<f32>; 2],
    /// The last rows smoothed along i, each with its number.
    rows: Vec<(Option<usize>, Vec<f32>)>,
    /// A row with a margin at both ends, one smoothed along j, and one rounded.
    padded: Vec<f32>,
    smooth: Vec<f32>,
    whole: Vec<f64>,
    /// The last two rows at the target's columns.
    sampled: [(Option<usize>, Vec<f64>); 2],
}

impl InPlane {
    fn new([ni, nj, _]: [usize; 3], weights: &Weights, along_i: &[Option<Place>]) -> Self {
        let as_f32 = |axis: usize| weights[axis].iter().map(|&w| w as f32).collect::<Vec<f32>>();
        let weights = [as_f32(0), as_f32(1)];
        Self {
            size: [ni, nj],
            rows: vec![(None, vec![0.0; ni]); weights[1].len() + 2],
            weights,
            padded: Vec::new(),
            smooth: vec![0.0; ni],
            whole: vec![0.0; ni],
            sampled: [(None, vec![0.0; along_i.len()]), (None, vec![0.0; along_i.len()])],
        }
    }

    /// Bilinear values of a slice, smoothed and kept as whole units, at the target's columns and
    /// rows. `clamped` gives the rows of the slice.
    fn sample(
        &mut self,
        clamped: impl Fn(usize, &mut [f32]),
        along_i: &[Option<Place>],
        along_j: &[Option<Place>],
        out: &mut [f64],
    ) {
        // Of another slice.
        self.rows.iter_mut().for_each(|row| row.0 = None);
        self.sampled.iter_mut().for_each(|row| row.0 = None);
        for (line, place) in out.chunks_exact_mut(along_i.len()).zip(along_j) {
            let &Some((j0, j1, fj)) = place else { continue };
            // The upper row of one line is often the lower of the next.
            if self.sampled[1].0 == Some(j0) {
                self.sampled.swap(0, 1);
            }
            for (n, j) in [j0, j1].into_iter().enumerate() {
                if self.sampled[n].0 != Some(j) {
                    self.smooth_row(j, &clamped);
                    let (held, row) = &mut self.sampled[n];
                    for (value, place) in row.iter_mut().zip(along_i) {
                        if let &Some((i0, i1, fi)) = place {
                            *value = self.whole[i0] * (1.0 - fi) + self.whole[i1] * fi;
                        }
                    }
                    *held = Some(j);
                }
            }
            let rows = self.sampled[0].1.iter().zip(&self.sampled[1].1);
            for (value, (low, high)) in line.iter_mut().zip(rows) {
                *value = low * (1.0 - fj) + high * fj;
            }
        }
    }

    /// Row `j` smoothed along i and j and rounded, into `whole`.
    fn smooth_row(&mut self, j: usize, clamped: &impl Fn(usize, &mut [f32])) {
        let nj = self.size[1];
        let (slots, radius) = (self.rows.len(), self.weights[1].len() as isize / 2);
        let row_of = |d: isize| Boundary::Reflect.index(j as isize + d, nj).unwrap_or(j);
        if self.weights[1].len() == 1 {
            self.hold_row(j, clamped);
            round_row(&self.rows[j % slots].1, &mut self.whole);
            return;
        }
        for d in -radius..=radius {
            self.hold_row(row_of(d), clamped);
        }
        let rows = &self.rows;
        add_all(&mut self.smooth, &self.weights[1], |n| {
            Some(rows[row_of(n as isize - radius) % slots].1.as_slice())
        });
        round_row(&self.smooth, &mut self.whole);
    }

    /// Makes sure that row `j`, smoothed along i, is among the held ones.
    fn hold_row(&mut self, j: usize, clamped: &impl Fn(usize, &mut [f32])) {
        let slots = self.rows.len();
        let (held, row) = &mut self.rows[j % slots];
        if *held == Some(j) {
            return;
        }
        if self.weights[0].len() == 1 {
            clamped(j, row);
        } else {
            clamped(j, &mut self.smooth);
            convolve_line(&self.smooth, row, &self.weights[0], Boundary::Reflect, &mut self.padded);
        }
        *held = Some(j);
    }
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
