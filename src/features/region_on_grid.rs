//! A region of a body's samples on the native grid, and in words.

use super::body_samples::BodySamples;
use crate::anatomy::VertebralBody;
use crate::geometry::{LocalPoint, VoxelIndex};
use crate::kernels::BitMask;
use crate::terms::{Part, Side};
use crate::volume::Image;

/// A region must have this share of itself in a third of the body to be said to lie there.
const PART_SHARE: f64 = 0.2;
/// A region with more than this share on one side of the midline lies on that side.
const ONE_SIDED_SHARE: f64 = 0.75;
/// A region that reaches further than this on both sides lies on both, mm.
const BILATERAL_REACH_MM: f64 = 8.0;
/// A region this near to the border of the core touches the wall or endplate, mm.
const CONTACT_MM: f64 = 1.0;

/// A region on the series' own grid.
#[derive(Clone, Debug)]
pub(super) struct NativeRegion {
    /// Its voxels; `None` where no voxel centre lies in it.
    pub mask: Option<BitMask>,
    /// Box around it, inclusive.
    pub voxel_box: Option<(VoxelIndex, VoxelIndex)>,
    /// Centre in the body's frame.
    pub centre: LocalPoint,
    /// Mean of its voxels.
    pub mean: f64,
    /// Largest of its voxels.
    pub peak: f64,
}

/// The voxels whose centres lie nearest to a sample of the region, with their mean and maximum
/// (of the samples, where no voxel centre falls into it). Voxels that are no tissue are left out.
pub(super) fn region_on_grid(
    image: &Image,
    body: &VertebralBody,
    samples: &BodySamples,
    region: &[usize],
) -> NativeRegion {
    let n = region.len().max(1) as f64;
    let mut centre = LocalPoint { s: 0.0, v: 0.0, u: 0.0 };
    let mut inside = vec![false; samples.values.len()];
    let (mut sum, mut peak) = (0.0, f64::NEG_INFINITY);
    for &at in region {
        inside[at] = true;
        let p = samples.local(at);
        centre.s += p.s / n;
        centre.v += p.v / n;
        centre.u += p.u / n;
        sum += f64::from(samples.values[at]);
        peak = peak.max(f64::from(samples.values[at]));
    }
    let mut native = NativeRegion { mask: None, voxel_box: None, centre, mean: sum / n, peak };
    let grid = image.grid();
    let Some((low, high)) = body.surface.voxel_box(&body.frame, grid) else { return native };
    let mut mask = BitMask::empty(grid.size());
    let (mut count, mut sum, mut peak) = (0u64, 0.0, f64::NEG_INFINITY);
    let (mut a, mut b) = ([usize::MAX; 3], [0usize; 3]);
    for k in low.k..=high.k {
        for j in low.j..=high.j {
            for i in low.i..=high.i {
                let index = VoxelIndex { i, j, k };
                let offset = grid.offset(index);
                let local = body.frame.to_local(grid.voxel_to_lps(index));
                if !samples.nearest(local).is_some_and(|at| inside[at])
                    || !image.validity().is_measured(offset)
                {
                    continue;
                }
                mask.insert(offset);
                for (axis, x) in [i, j, k].into_iter().enumerate() {
                    a[axis] = a[axis].min(x);
                    b[axis] = b[axis].max(x);
                }
                let value = image.value(offset);
                count += 1;
                sum += value;
                peak = peak.max(value);
            }
        }
    }
    if count > 0 {
        native.mask = Some(mask);
        native.voxel_box = Some((
            VoxelIndex { i: a[0], j: a[1], k: a[2] },
            VoxelIndex { i: b[0], j: b[1], k: b[2] },
        ));
        native.mean = sum / count as f64;
        native.peak = peak;
    }
    native
}

/// Side of the midline a region lies on.
pub(super) fn side_of(samples: &BodySamples, region: &[usize]) -> Side {
    let n = region.len().max(1) as f64;
    let us: Vec<f64> = region.iter().map(|&at| samples.local(at).u).collect();
    let left = us.iter().filter(|&&u| u > 0.0).count() as f64 / n;
    let low = us.iter().copied().fold(f64::INFINITY, f64::min);
    let high = us.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if left >= ONE_SIDED_SHARE && high > 3.0 {
        Side::Left
    } else if left <= 1.0 - ONE_SIDED_SHARE && low < -3.0 {
        Side::Right
    } else if low < -BILATERAL_REACH_MM && high > BILATERAL_REACH_MM {
        Side::Bilateral
    } else {
        Side::Midline
    }
}

/// The parts of the body a region lies in or touches, in the order of the vocabulary.
pub(super) fn body_parts(
    body: &VertebralBody,
    samples: &BodySamples,
    region: &[usize],
) -> Vec<Part> {
    let n = region.len().max(1) as f64;
    let front = body.surface.radius(0.0, 0.0);
    let back = body.surface.radius(0.0, std::f64::consts::PI);
    let mut thirds = [0usize; 3];
    let mut touched = [false; 5];
    for &at in region {
        let p = samples.local(at);
        let from_front = (front - p.v) / (front + back).max(1.0);
        thirds[((from_front * 3.0).max(0.0) as usize).min(2)] += 1;
        if samples.endplate_depth_in_core(at) < CONTACT_MM {
            touched[usize::from(samples.height_fraction[at] < 0.5)] = true;
        }
        if samples.side_depth_in_core(at) < CONTACT_MM {
            let off_anterior = f64::from(samples.angle[at]).abs().to_degrees();
            touched[match off_anterior {
                a if a < 60.0 => 2,
                a if a < 130.0 => 3,
                _ => 4,
            }] = true;
        }
    }
    let mut parts = vec![Part::VertebralBody];
    let third_parts = [Part::AnteriorThird, Part::MiddleThird, Part::PosteriorThird];
    for (count, part) in thirds.into_iter().zip(third_parts) {
        if count as f64 / n >= PART_SHARE {
            parts.push(part);
        }
    }
    let touched_parts = [
        Part::UpperEndplate,
        Part::LowerEndplate,
        Part::AnteriorWall,
        Part::LateralWall,
        Part::PosteriorWall,
    ];
    for (touched, part) in touched.into_iter().zip(touched_parts) {
        if touched {
            parts.push(part);
        }
    }
    parts
}
