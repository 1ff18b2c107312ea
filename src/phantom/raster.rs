//! From the scene to voxels: sampling over the voxel's extent, blur, coil, noise.

use glam::DVec3;
use rayon::prelude::*;

use super::PhantomError;
use super::random::{Stream, generator, normal_pair};
use super::scene::{SHELL_MM, Scene};
use super::skeleton::Skeleton;
use super::spec::{Kernel, Plane, Pose, Spec};
use crate::geometry::{ContinuousIndex, Grid, LpsPoint, LpsVector};

/// Samples along one axis for each voxel: about one per this many millimetres in the plane, and
/// through the slice.
const SAMPLE_MM: [f64; 2] = [0.65, 1.0];

/// Voxels further from bone than this beyond their own reach are sampled once in the plane and
/// twice through the slice: their edges are soft already.
const DENSE_WITHIN_MM: f64 = 1.5;

/// No more samples than this along one axis: voxels so large are for quick trials.
const HIGHEST_SAMPLES: usize = 8;

/// Margin beyond the levels asked for, mm, at the upper and lower end of an axial stack.
const MARGIN_MM: [f64; 2] = [9.0, 16.0];

/// Width of a sagittal stack when the number of slices is left open, mm.
const SAGITTAL_WIDTH_MM: f64 = 60.0;

/// How far the middle of the field lies in front of the canal: axial, sagittal, mm.
const FIELD_IN_FRONT_MM: [f64; 2] = [8.0, 28.0];

/// A field at least this wide shows the whole trunk and is centred on it, mm in front of the canal.
const WIDE_FIELD_MM: [f64; 2] = [300.0, 46.0];

/// How far edges overshoot with the lung kernel, as a share of their detail.
const LUNG_OVERSHOOT: f64 = 0.45;

/// Stored values of both modalities have 12 bits.
pub(super) const HIGHEST_STORED: f64 = 4095.0;

/// Added to stored CT values to give Hounsfield units.
pub(super) const RESCALE_INTERCEPT: f64 = -1024.0;

/// Where the voxels lie.
pub(super) fn grid(spec: &Spec, skeleton: &Skeleton) -> Result<Grid, PhantomError> {
    let number = |name, value: f64| {
        if value.is_finite() && value > 0.0 && value <= 100.0 {
            Ok(value)
        } else {
            Err(PhantomError::NumberOutOfRange { name, value, range: "above 0 to 100" })
        }
    };
    let pixel = number("pixel_spacing_mm", spec.pixel_spacing_mm)?;
    let step = number("slice_spacing_mm", spec.slice_spacing_mm)?;
    number("slice_thickness_mm", spec.slice_thickness_mm)?;
    number("size_factor", spec.size_factor)?;
    let [columns, rows] = spec.size;
    for size in [columns, rows, spec.slices.unwrap_or(1)] {
        if !(1..=2048).contains(&size) {
            return Err(PhantomError::NumberOutOfRange {
                name: "size",
                value: size as f64,
                range: "1 to 2048",
            });
        }
    }
    number("cortex", spec.cortex)?;
    number("disc_height", spec.disc_height)?;
    let x = LpsVector::new(1.0, 0.0, 0.0);
    let y = LpsVector::new(0.0, 1.0, 0.0);
    let z = LpsVector::new(0.0, 0.0, 1.0);
    let bottom = skeleton.extent_z[0] - MARGIN_MM[1];
    let top = skeleton.extent_z[1] + MARGIN_MM[0];
    let wide = pixel * columns.max(rows) as f64 >= WIDE_FIELD_MM[0];
    // Axes of the image in the patient, and the field's middle: in front of the canal, height.
    let (row, column, in_front, height) = match spec.plane {
        Plane::Axial => {
            let (row, column) = match spec.pose {
                Pose::Hfs | Pose::Ffs => (x, y),
                Pose::Hfp | Pose::Ffp => (-x, -y),
                // The side that is down is at the image's bottom.
                Pose::Hfdl => (-y, x),
                Pose::Hfdr => (y, -x),
            };
            let in_front = if wide { WIDE_FIELD_MM[1] } else { FIELD_IN_FRONT_MM[0] };
            (row, column, in_front, 0.5 * (bottom + top))
        }
        Plane::Sagittal => (y, -z, FIELD_IN_FRONT_MM[1], skeleton.centre.z()),
        Plane::Coronal => (x, -z, FIELD_IN_FRONT_MM[0] + 10.0, skeleton.centre.z()),
    };
    let needed = match spec.plane {
        Plane::Axial => ((top - bottom) / step).ceil() as usize + 1,
        Plane::Sagittal | Plane::Coronal => (SAGITTAL_WIDTH_MM / step).ceil() as usize + 1,
    };
    let slices = spec.slices.unwrap_or(needed);
    let normal = row.cross(column);
    let (step_i, step_j, step_k) = (row * pixel, column * pixel, normal * step);
    let half = |n: usize| 0.5 * (n as f64 - 1.0);
    let [left, behind, up] = spec.field_shift_mm;
    let centre = LpsPoint::new(
        skeleton.centre.x() + left,
        skeleton.centre.y() - in_front + behind,
        height + up,
    );
    let origin = centre - step_i * half(columns) - step_j * half(rows) - step_k * half(slices);
    // Positions are written with at most 16 characters: round, so that memory and file agree.
    Ok(Grid::new([columns, rows, slices], origin.rounded(3), step_i, step_j, step_k)?)
}

/// Width of a sample for [`Scene::new`].
pub(super) fn sample_width(spec: &Spec) -> f64 {
    let in_plane = spec.pixel_spacing_mm / samples(spec.pixel_spacing_mm, SAMPLE_MM[0]) as f64;
    let through = spec.slice_thickness_mm / samples(spec.slice_thickness_mm, SAMPLE_MM[1]) as f64;
    (2.0 * in_plane + through) / 3.0
}

fn samples(extent_mm: f64, pitch_mm: f64) -> usize {
    ((extent_mm / pitch_mm).ceil() as usize).clamp(1, HIGHEST_SAMPLES)
}

/// The values of all voxels, `[k, j, i]`: HU or MR signal, within the stored range, whole numbers.
pub(super) fn voxels(scene: &Scene<'_>, grid: &Grid) -> Vec<i16> {
    let mut voxels = vec![0; grid.len()];
    voxels
        .par_chunks_mut(grid.ni() * grid.nj())
        .enumerate()
        .for_each(|(k, out)| slice(scene, grid, k, out));
    voxels
}

/// Side of the squares of voxels that share a list of near bones, mm: no more than
/// `NEAR_SEGMENTS` of the scene reach into one.
const TILE_MM: f64 = 9.0;

/// The mean of the scene over each voxel of a slice, before blur and noise.
fn sampled(scene: &Scene<'_>, grid: &Grid, k: usize) -> Vec<f64> {
    let spec = scene.spec;
    let (ni, nj) = (grid.ni(), grid.nj());
    let across = samples(spec.pixel_spacing_mm, SAMPLE_MM[0]);
    let through = samples(spec.slice_thickness_mm, SAMPLE_MM[1]);
    let thickness = spec.slice_thickness_mm / spec.slice_spacing_mm;
    let offset = |n: usize, count: usize| (n as f64 + 0.5) / count as f64 - 0.5;
    let step = [0, 1, 2].map(|axis| {
        let step = grid.step(axis);
        DVec3::new(step.x(), step.y(), step.z())
    });
    let mut offsets = Vec::with_capacity(across * across * through);
    for c in 0..through {
        for b in 0..across {
            for a in 0..across {
                offsets.push(
                    step[0] * offset(a, across)
                        + step[1] * offset(b, across)
                        + step[2] * (thickness * offset(c, through)),
                );
            }
        }
    }
    let half_voxel =
        0.5 * (spec.slice_thickness_mm.powi(2) + 2.0 * spec.pixel_spacing_mm.powi(2)).sqrt();
    let reach = DENSE_WITHIN_MM + half_voxel;
    let tile = ((TILE_MM / spec.pixel_spacing_mm) as usize).max(1);
    let tile_radius =
        0.5 * spec.pixel_spacing_mm * (tile as f64 - 1.0) * std::f64::consts::SQRT_2 + reach;
    let at = |i: f64, j: f64| vector(grid.to_lps(ContinuousIndex { i, j, k: k as f64 }));
    let mut values = vec![0.0; ni * nj];
    for j0 in (0..nj).step_by(tile) {
        for i0 in (0..ni).step_by(tile) {
            let middle = 0.5 * (tile as f64 - 1.0);
            let near = scene.near(at(i0 as f64 + middle, j0 as f64 + middle), tile_radius);
            for j in j0..(j0 + tile).min(nj) {
                for i in i0..(i0 + tile).min(ni) {
                    let centre = at(i as f64, j as f64);
                    let soft = scene.soft(centre, &near);
                    values[j * ni + i] = if near.is_soft() {
                        soft
                    } else {
                        match scene.depth(centre, &near) {
                            // Inside or outside of all edges one sample is as good as many.
                            depth if depth > SHELL_MM + reach => scene.hard(centre, soft, &near),
                            depth if depth < -reach => soft,
                            _ => {
                                offsets
                                    .iter()
                                    .map(|&offset| scene.hard(centre + offset, soft, &near))
                                    .sum::<f64>()
                                    / offsets.len() as f64
                            }
                        }
                    };
                }
            }
        }
    }
    values
}

fn slice(scene: &Scene<'_>, grid: &Grid, k: usize, out: &mut [i16]) {
    let spec = scene.spec;
    let (ni, nj) = (grid.ni(), grid.nj());
    let mut values = sampled(scene, grid, k);
    // The pixel's own width is part of the resolution asked for.
    let pixel = spec.pixel_spacing_mm;
    let variance = (spec.in_plane_fwhm_mm / 2.3548).powi(2) - pixel * pixel / 12.0;
    if variance > 0.0 {
        blur(&mut values, ni, nj, variance.sqrt() / pixel);
    }
    let mut rng = generator(spec.seed, Stream::Noise(k));
    if spec.modality.is_ct() {
        if spec.kernel == Kernel::Lung {
            sharpen(&mut values, ni, nj, LUNG_OVERSHOOT, 0.8 / pixel);
        }
        let mut noise: Vec<f64> =
            (0..(ni * nj).div_ceil(2)).flat_map(|_| normal_pair(&mut rng)).collect();
        noise.truncate(ni * nj);
        let gain = match spec.kernel {
            Kernel::Soft => blur(&mut noise, ni, nj, 0.55 / pixel),
            Kernel::Bone => blur(&mut noise, ni, nj, 0.2 / pixel),
            Kernel::Lung => sharpen(&mut noise, ni, nj, 0.9, 0.6 / pixel),
        };
        for ((out, value), noise) in out.iter_mut().zip(&values).zip(&noise) {
            let hu = value + noise * spec.noise / gain;
            let stored = libm::round(hu - RESCALE_INTERCEPT).clamp(0.0, HIGHEST_STORED);
            *out = (stored + RESCALE_INTERCEPT) as i16;
        }
    } else {
        for j in 0..nj {
            for i in 0..ni {
                let place = grid.to_lps(ContinuousIndex { i: i as f64, j: j as f64, k: k as f64 });
                values[j * ni + i] *= coil(scene.skeleton, vector(place))
                    * saturation_band(scene.skeleton, vector(place));
            }
        }
        for (out, value) in out.iter_mut().zip(&values) {
            // Magnitude of a complex signal with equal noise in both parts (Rice).
            let [real, imaginary] = normal_pair(&mut rng).map(|n| n * spec.noise);
            let magnitude = ((value + real).powi(2) + imaginary * imaginary).sqrt();
            *out = libm::round(magnitude).clamp(0.0, HIGHEST_STORED) as i16;
        }
    }
}

/// Takes a share of the blurred values away and scales the rest up again: edges overshoot and
/// noise loses its low frequencies. Returns the factor by which it changes the standard deviation
/// of white noise.
fn sharpen(values: &mut [f64], ni: usize, nj: usize, share: f64, sigma_pixels: f64) -> f64 {
    let mut smooth = values.to_vec();
    let weights = blur(&mut smooth, ni, nj, sigma_pixels);
    for (value, smooth) in values.iter_mut().zip(&smooth) {
        *value += share * (*value - smooth);
    }
    // A Gaussian's middle weight is twice the sum of its squared weights (in the plane).
    let power = weights * weights;
    let middle = (2.0 * power).min(1.0);
    let own = 1.0 + share;
    (own * own - 2.0 * own * share * middle + share * share * power).sqrt()
}

/// Signal left by a saturation band over the belly, which keeps its breathing out of the spine.
fn saturation_band(skeleton: &Skeleton, p: DVec3) -> f64 {
    let [_, canal_y] = skeleton.canal_at_z(p.z);
    1.0 - 0.82 * super::shapes::smooth_step((canal_y - 92.0 - p.y) / 26.0)
}

/// Sensitivity of a surface coil under the back: falls with depth and towards both ends; 1 at the
/// bodies in the middle.
fn coil(skeleton: &Skeleton, p: DVec3) -> f64 {
    let depth = (skeleton.centre.y() + 70.0 - p.y).max(0.0) / 125.0;
    let bodies = 95.0 / 125.0;
    let extent = 0.5 * (skeleton.extent_z[1] - skeleton.extent_z[0]).max(40.0);
    let end = (p.z - skeleton.centre.z()) / extent;
    (1.0 + bodies * bodies) / (1.0 + depth * depth) * (1.04 - 0.20 * end * end).max(0.3)
}

/// Gaussian blur in place, edges repeated; returns the factor by which it lowers the standard
/// deviation of white noise.
fn blur(values: &mut [f64], ni: usize, nj: usize, sigma_pixels: f64) -> f64 {
    let radius = (3.5 * sigma_pixels).ceil() as usize;
    let weights: Vec<f64> = (0..=2 * radius)
        .map(|n| {
            let x = (n as f64 - radius as f64) / sigma_pixels;
            libm::exp(-0.5 * x * x)
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    let weights: Vec<f64> = weights.iter().map(|w| w / sum).collect();
    let mut line = vec![0.0; ni + 2 * radius];
    for row in values.chunks_exact_mut(ni) {
        line[..radius].fill(row[0]);
        line[radius..radius + ni].copy_from_slice(row);
        line[radius + ni..].fill(row[ni - 1]);
        for (i, value) in row.iter_mut().enumerate() {
            *value = weights.iter().zip(&line[i..]).map(|(w, v)| w * v).sum();
        }
    }
    let from = values.to_vec();
    for (j, row) in values.chunks_exact_mut(ni).enumerate() {
        row.fill(0.0);
        for (m, weight) in weights.iter().enumerate() {
            let other = (j + m).saturating_sub(radius).min(nj - 1);
            for (value, v) in row.iter_mut().zip(&from[other * ni..]) {
                *value += weight * v;
            }
        }
    }
    weights.iter().map(|w| w * w).sum()
}

/// A place as a plain vector.
pub(super) fn vector(place: LpsPoint) -> DVec3 {
    DVec3::new(place.x(), place.y(), place.z())
}
