//! How much each soft voxel looks like spinal canal: rays to bone in the axial plane.
//!
//! # Method
//! From each soft voxel with bone ahead, 24 rays run up to 18 mm in the axial plane. A ray hits
//! where a voxel is 130 HU over the *local* mean: the threshold is relative to the content of the
//! canal, so it holds for osteoporosis, low dose and contrast alike. In true canal the share is
//! 0.8 to 1.0 at pedicles, 0.55 to 0.8 at discs and foramina, 0.5 to 0.6 in the sacrum.
//!
//! # Limits
//! Content above 120 HU (dense blood) is taken for bone or marrow and missed; contrast medium is taken out before
//! (`contrast_column`).

use multiversion::multiversion;
use rayon::prelude::*;

use super::coarse::{Coarse, OUTSIDE};
use super::parameters::Parameters;
use crate::kernels::{Array3, Boundary, convolve_axis_into, gaussian_weights};

/// Rays in a full turn.
const DIRECTIONS: usize = 24;
/// A ray that meets this is in air, HU.
const AIR_HU: f32 = -300.0;
/// Slices worked on at a time.
const SLAB: usize = 24;

/// Canal likeness 0 to 1 for each voxel of the coarse grid.
pub fn canal_map(coarse: &Coarse, parameters: &Parameters) -> Array3<f32> {
    let size = coarse.hu.size();
    let slice = size[0] * size[1];
    let mut out = Array3::filled(size, 0.0f32);
    if slice == 0 {
        return out;
    }
    let rays = Rays::new(coarse.spacing, parameters);
    // The widest window along z reaches this many slices beyond a slab.
    let halo = (odd(14.0 / coarse.spacing) / 2).max(4);
    out.data_mut().par_chunks_mut(slice * SLAB).enumerate().for_each_init(
        Scratch::default,
        |scratch, (n, into)| {
            let from = n * SLAB;
            let to = (from + SLAB).min(size[2]);
            let low = from.saturating_sub(halo);
            let high = (to + halo).min(size[2]);
            let slab = Slab {
                values: &coarse.hu.data()[low * slice..high * slice],
                size: [size[0], size[1], high - low],
                spacing: coarse.spacing,
            };
            slab_map(&slab, &rays, from - low..to - low, scratch, into);
        },
    );
    out
}

/// Slices of the coarse grid, with a margin.
struct Slab<'a> {
    /// Hounsfield units.
    values: &'a [f32],
    size: [usize; 3],
    spacing: f64,
}

/// Arrays over a slab, kept from slab to slab: fresh memory costs more than the filters.
#[derive(Default)]
struct Scratch {
    hu: Vec<f32>,
    local: Vec<f32>,
    bone: Vec<f32>,
    smooth: Vec<f32>,
    between: Vec<f32>,
}

fn odd(n: f64) -> usize {
    n as usize | 1
}

/// `from` filtered along the three axes into `into`, by way of `between`.
fn filtered(
    from: &[f32],
    size: [usize; 3],
    weights: &[Vec<f64>; 3],
    between: &mut Vec<f32>,
    into: &mut Vec<f32>,
) {
    into.resize(from.len(), 0.0);
    between.resize(from.len(), 0.0);
    let [i, j, k] = weights;
    let plane = [size[0], size[1], 1];
    let len = size[0] * size[1];
    // Slice by slice along i and j, so that they stay in the cache.
    for (from, between) in from.chunks_exact(len).zip(between.chunks_exact_mut(len)) {
        convolve_axis_into(from, plane, 0, i, Boundary::Reflect, &mut into[..len]);
        convolve_axis_into(&into[..len], plane, 1, j, Boundary::Reflect, between);
    }
    convolve_axis_into(between, size, 2, k, Boundary::Reflect, into);
}

/// Equal weights over `n` voxels.
fn mean_of(n: usize) -> Vec<f64> {
    vec![1.0 / n as f64; n]
}

/// Fills the map of some slices of a slab.
fn slab_map(
    slab: &Slab<'_>,
    rays: &Rays,
    slices: std::ops::Range<usize>,
    scratch: &mut Scratch,
    into: &mut [f32],
) {
    let size = slab.size;
    let [ni, nj, _] = size;
    let slice = ni * nj;
    let Scratch { hu, local, bone, smooth, between } = scratch;
    hu.clear();
    hu.extend(slab.values.iter().map(|&v| if v < -1500.0 { -1000.0 } else { v }));
    filtered(hu, size, &[mean_of(3), mean_of(3), mean_of(3)], between, local);
    let sigma = [0.5, 0.5, 0.8].map(|sigma| gaussian_weights(sigma, 4.0));
    filtered(hu, size, &sigma, between, smooth);
    for value in hu.iter_mut() {
        *value = ((*value - 40.0) / 160.0).clamp(0.0, 1.0);
    }
    let n = odd(20.0 / slab.spacing);
    filtered(hu, size, &[mean_of(n), mean_of(n), mean_of(odd(14.0 / slab.spacing))], between, bone);
    let from = slices.start;
    for k in slices {
        let plane = &smooth[k * slice..(k + 1) * slice];
        let bone = &bone[k * slice..(k + 1) * slice];
        for j in 0..nj {
            let row = k * slice + j * ni;
            for first in (0..ni).step_by(LANES) {
                let block = first..(first + LANES).min(ni);
                // Softness and bone ahead of the voxels that are looked at.
                let mut seen: [Option<(f32, f32)>; LANES] = [None; LANES];
                let mut bases: [Option<f32>; LANES] = [None; LANES];
                for (lane, i) in block.clone().enumerate() {
                    let mean = local[row + i];
                    let soft = ((mean + 60.0) / 50.0).min((rays.softest_upper_hu - mean) / 55.0);
                    if soft <= 0.0 || slab.values[row + i] == OUTSIDE {
                        continue;
                    }
                    let ahead = rays.bone_ahead(bone, ni, nj, i, j);
                    if ahead <= 0.1 {
                        continue;
                    }
                    seen[lane] = Some((soft, ahead));
                    bases[lane] = Some(mean.clamp(-30.0, 90.0));
                }
                if bases == [None; LANES] {
                    continue;
                }
                let shares = rays.shares(plane, [ni, nj], first, j, &bases);
                let start = (k - from) * slice + j * ni;
                for (lane, i) in block.enumerate() {
                    if let Some((soft, ahead)) = seen[lane] {
                        into[start + i] = shares[lane]
                            * soft.min(1.0)
                            * (0.5 + 0.5 * ((ahead - 0.1) / 0.3).clamp(0.0, 1.0));
                    }
                }
            }
        }
    }
}

/// Neighbouring voxels whose rays run together.
const LANES: usize = 8;

/// One ray: the cosine and sine of its direction, and the voxels along it.
struct Ray {
    cosine: f64,
    sine: f64,
    steps: Vec<Step>,
}

/// A voxel along a ray and its distance, mm.
#[derive(Clone, Copy)]
struct Step {
    dx: isize,
    dy: isize,
    r: f32,
}

/// Offsets of the rays and of the places ahead, in coarse voxels.
struct Rays {
    directions: Vec<Ray>,
    /// Columns and rows that a ray reaches at most.
    reach: usize,
    /// Places 24 mm ahead within 40 degrees, with the penalty of the angle.
    ahead: Vec<(isize, isize, f32)>,
    contrast_hu: f32,
    far_mm: f64,
    near_mm: f64,
    softest_upper_hu: f32,
    imbalance_cost: f64,
}

impl Rays {
    fn new(spacing: f64, parameters: &Parameters) -> Self {
        let directions: Vec<Ray> = (0..DIRECTIONS)
            .map(|d| {
                let angle = std::f64::consts::TAU * d as f64 / DIRECTIONS as f64;
                let (c, s) = (libm::cos(angle), libm::sin(angle));
                let mut steps = Vec::new();
                let mut r = spacing;
                while r <= parameters.ray_length_mm {
                    let step = |x: f64| libm::floor(x * r / spacing + 0.5) as isize;
                    steps.push(Step { dx: step(c), dy: step(s), r: r as f32 });
                    r += spacing * 0.75;
                }
                Ray { cosine: c, sine: s, steps }
            })
            .collect();
        let ahead = [-40.0, -20.0, 0.0, 20.0, 40.0f64]
            .into_iter()
            .map(|degrees| {
                let a = degrees.to_radians();
                let dx = libm::round(24.0 * libm::sin(a) / spacing) as isize;
                let dy = libm::round(-24.0 * libm::cos(a) / spacing) as isize;
                (dx, dy, 0.002 * degrees.abs() as f32)
            })
            .collect();
        let reach = directions
            .iter()
            .flat_map(|ray| &ray.steps)
            .map(|step| step.dx.unsigned_abs().max(step.dy.unsigned_abs()))
            .max()
            .unwrap_or(0);
        Self {
            directions,
            reach,
            ahead,
            contrast_hu: parameters.wall_contrast_hu as f32,
            far_mm: parameters.ray_length_mm,
            near_mm: parameters.near_wall_mm,
            softest_upper_hu: parameters.softest_upper_hu as f32,
            imbalance_cost: parameters.imbalance_cost_per_mm,
        }
    }

    /// Bone in a 20 mm box 24 mm ahead (towards anterior), best of five directions.
    fn bone_ahead(&self, bone: &[f32], ni: usize, nj: usize, i: usize, j: usize) -> f32 {
        let mut best = 0.0f32;
        for &(dx, dy, penalty) in &self.ahead {
            if let (Some(x), Some(y)) = (i.checked_add_signed(dx), j.checked_add_signed(dy))
                && x < ni
                && y < nj
            {
                best = best.max(bone[y * ni + x] - penalty);
            }
        }
        best
    }

    /// Share of rays that meet bone, less the imbalance of their lengths and the share of walls
    /// that are too near, for the voxels from column `first` of row `j` on that have a base (HU).
    fn shares(
        &self,
        plane: &[f32],
        [ni, nj]: [usize; 2],
        first: usize,
        j: usize,
        bases: &[Option<f32>; LANES],
    ) -> [f32; LANES] {
        let reach = self.reach;
        let inner = first >= reach && j >= reach && first + LANES + reach <= ni && j + reach < nj;
        if inner {
            return shares_together(self, plane, ni, j * ni + first, bases);
        }
        std::array::from_fn(|lane| {
            let mut sums = Sums::default();
            let Some(base) = bases[lane] else { return 0.0 };
            for ray in &self.directions {
                let limit = base + self.contrast_hu;
                let end = run(plane, [ni, nj], [first + lane, j], &ray.steps, limit);
                sums.add(self, ray, end, base);
            }
            sums.share(self.imbalance_cost)
        })
    }
}

/// Length of a ray that met no wall, mm.
const NO_WALL: f32 = f32::INFINITY;

/// Where a ray ended.
#[derive(Clone, Copy)]
struct End {
    /// Distance of the wall it met, mm, or [`NO_WALL`].
    wall: f32,
    /// Densest voxel before, HU.
    densest: f32,
}

/// The ray of one voxel, which may leave the plane.
fn run(plane: &[f32], [ni, nj]: [usize; 2], [i, j]: [usize; 2], steps: &[Step], limit: f32) -> End {
    let mut densest = f32::NEG_INFINITY;
    for step in steps {
        let (Some(x), Some(y)) = (i.checked_add_signed(step.dx), j.checked_add_signed(step.dy))
        else {
            break;
        };
        if x >= ni || y >= nj {
            break;
        }
        let value = plane[y * ni + x];
        if value < AIR_HU {
            break;
        }
        if value > limit {
            return End { wall: step.r, densest };
        }
        densest = densest.max(value);
    }
    End { wall: NO_WALL, densest }
}

/// The shares of neighbouring voxels whose rays do not leave the plane, from offset `here` on: what
/// [`Sums`] adds up for one voxel, without a branch.
#[multiversion(targets("x86_64+avx2"))]
fn shares_together(
    rays: &Rays,
    plane: &[f32],
    ni: usize,
    here: usize,
    bases: &[Option<f32>; LANES],
) -> [f32; LANES] {
    // A voxel without a base ends its rays at once.
    let limits = bases.map(|base| base.map_or(f32::NEG_INFINITY, |b| b + rays.contrast_hu));
    let bases = bases.map(|base| base.unwrap_or(0.0));
    let (mut hits, mut close) = ([0.0f64; LANES], [0.0f64; LANES]);
    let (mut east, mut south) = ([0.0f64; LANES], [0.0f64; LANES]);
    for ray in &rays.directions {
        // Bits of the distances of the walls.
        let mut walls = [NO_WALL.to_bits(); LANES];
        let mut densest = [f32::NEG_INFINITY; LANES];
        // All bits while the ray goes on.
        let mut going = [u32::MAX; LANES];
        for step in &ray.steps {
            let r = step.r.to_bits();
            let at = here.wrapping_add_signed(step.dy * ni as isize + step.dx);
            let Some(values) = plane.get(at..).and_then(|rest| rest.first_chunk::<LANES>()) else {
                break;
            };
            let mut any = 0;
            for lane in 0..LANES {
                let value = values[lane];
                let air = if value < AIR_HU { u32::MAX } else { 0 };
                let wall = if value > limits[lane] { u32::MAX } else { 0 } & !air & going[lane];
                walls[lane] = (walls[lane] & !wall) | (r & wall);
                going[lane] &= !(air | wall);
                let seen = if going[lane] != 0 { value } else { f32::NEG_INFINITY };
                densest[lane] = if seen > densest[lane] { seen } else { densest[lane] };
                any |= going[lane];
            }
            if any == 0 {
                break;
            }
        }
        let walls = walls.map(f32::from_bits);
        for lane in 0..LANES {
            let length = f64::from(walls[lane]);
            let hit = walls[lane] < NO_WALL;
            let part = f64::from((densest[lane] - bases[lane]) / rays.contrast_hu);
            let weak = (part - 0.4) / 0.6;
            let weak = 0.7 * if weak < 1.0 { weak } else { 1.0 };
            let weak = if part > 0.4 { weak } else { 0.0 };
            hits[lane] += if hit { 1.0 } else { weak };
            close[lane] += if length < rays.near_mm { 1.0 } else { 0.0 };
            let length = if hit { length } else { rays.far_mm };
            east[lane] += ray.cosine * length;
            south[lane] += ray.sine * length;
        }
    }
    let n = DIRECTIONS as f64;
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        let away = (east[lane] * east[lane] + south[lane] * south[lane]).sqrt();
        let share = hits[lane] / n - rays.imbalance_cost * away / n - 0.5 * close[lane] / n;
        out[lane] = (if share > 0.0 { share } else { 0.0 }) as f32;
    }
    out
}

/// What the rays of one voxel add up to.
#[derive(Clone, Copy, Default)]
struct Sums {
    hits: f64,
    close: u32,
    east: f64,
    south: f64,
}

impl Sums {
    fn add(&mut self, rays: &Rays, ray: &Ray, end: End, base: f32) {
        let length = if end.wall < NO_WALL {
            let length = f64::from(end.wall);
            self.hits += 1.0;
            if length < rays.near_mm {
                self.close += 1;
            }
            length
        } else {
            // A weak wall (disc, thin lamina) is part of a hit.
            let part = f64::from((end.densest - base) / rays.contrast_hu);
            if part > 0.4 {
                self.hits += 0.7 * ((part - 0.4) / 0.6).min(1.0);
            }
            rays.far_mm
        };
        self.east += ray.cosine * length;
        self.south += ray.sine * length;
    }

    fn share(&self, imbalance_cost: f64) -> f32 {
        let n = DIRECTIONS as f64;
        let imbalance =
            imbalance_cost * libm::sqrt(self.east * self.east + self.south * self.south) / n;
        (self.hits / n - imbalance - 0.5 * f64::from(self.close) / n).max(0.0) as f32
    }
}
