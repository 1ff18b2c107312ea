//! What is measured on one body: its marrow, its discs, muscle, and its darkest place.

use crate::anatomy::{BodyPosition, Disc, Vertebra, VertebralBody};
use crate::geometry::{Grid, LocalPoint, VoxelIndex};
use crate::units::Millimetres;
use crate::volume::Image;

/// Marrow is measured this far inside the surface, mm.
pub const EROSION_MM: f64 = 3.0;
/// And within this distance of the body's middle, side to side, mm.
const HALF_WIDTH_MM: f64 = 15.0;
/// And, since widths are the least sure of all measures, within this share of the half depth.
const HALF_WIDTH_OVER_DEPTH: f64 = 0.7;
/// Radius of the ball, mm.
const BALL_MM: f64 = 4.0;
/// Least share of a ball's voxels that must be marrow.
const BALL_FILLED: f64 = 0.6;
/// Least number of voxels of any tissue for a median.
const LEAST_VOXELS: usize = 60;

/// Signal of a tissue.
#[derive(Clone, Debug)]
pub struct Tissue {
    /// Its median.
    pub median: f64,
    /// 1.48 times the median absolute deviation.
    pub spread: f64,
    /// Number of samples.
    pub voxels: usize,
}

impl Tissue {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        let voxels = values.len();
        if voxels < LEAST_VOXELS {
            return None;
        }
        let median = median(&mut values)?;
        let mut away: Vec<f64> = values.iter().map(|v| libm::fabs(v - median)).collect();
        let spread = 1.48 * self::median(&mut away)?;
        (median > 0.0).then_some(Self { median, spread, voxels })
    }
}

/// The middle value; `None` for no values.
pub fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let n = values.len();
    Some(f64::midpoint(values[(n - 1) / 2], values[n / 2]))
}

/// A voxel of marrow.
struct Marrow {
    offset: usize,
    index: VoxelIndex,
    local: LocalPoint,
    position: BodyPosition,
}

/// A dark place inside a body.
#[derive(Clone, Debug)]
pub struct Ball {
    /// Its median signal.
    pub median: f64,
    /// Its voxels.
    pub voxels: Vec<usize>,
}

/// What was measured on one vertebra.
pub struct Measured {
    /// The body, eroded, its middle.
    pub marrow: Option<Tissue>,
    /// The adjacent discs.
    pub discs: Option<Tissue>,
    /// Paraspinal muscle.
    pub muscle: Option<Tissue>,
    /// Its darkest place.
    pub ball: Option<Ball>,
    /// Median signal of the third of the body next to the lower and the upper endplate.
    pub plate_thirds: [Option<f64>; 2],
    /// Voxels of the marrow.
    pub voxels: Vec<usize>,
}

impl Measured {
    /// Signal of marrow over that of the discs.
    pub fn over_discs(&self) -> Option<f64> {
        Some(self.marrow.as_ref()?.median / self.discs.as_ref()?.median)
    }
}

/// Measures one vertebra; `None` where its body does not meet the grid.
pub fn measure(image: &Image, vertebra: &Vertebra) -> Option<Measured> {
    let body = vertebra.body.as_ref()?;
    let grid = image.grid();
    let (mask, low, high) = body.surface.rasterise(&body.frame, grid)?;
    let half_depth = f64::midpoint(
        body.surface.radius(0.0, 0.0),
        body.surface.radius(0.0, std::f64::consts::PI),
    );
    let half_width = HALF_WIDTH_MM.min(HALF_WIDTH_OVER_DEPTH * half_depth);
    let mut marrow: Vec<Marrow> = Vec::new();
    for offset in mask.offsets() {
        if !image.validity().is_tissue(offset) {
            continue;
        }
        let index = index_of(grid, offset);
        let local = body.frame.to_local(grid.voxel_to_lps(index));
        let position = body.surface.position(local);
        if position.depth() >= EROSION_MM && libm::fabs(local.u) <= half_width {
            marrow.push(Marrow { offset, index, local, position });
        }
    }
    let values = marrow.iter().map(|m| image.value(m.offset)).collect();
    let thirds = [true, false].map(|lower| {
        let mut values: Vec<f64> = marrow
            .iter()
            .filter(|m| {
                if lower {
                    m.position.height_fraction < 0.38
                } else {
                    m.position.height_fraction > 0.62
                }
            })
            .map(|m| image.value(m.offset))
            .collect();
        if values.len() < LEAST_VOXELS / 3 { None } else { median(&mut values) }
    });
    Some(Measured {
        ball: darkest_ball(image, &marrow, (low, high)),
        marrow: Tissue::of(values),
        discs: disc_signal(image, vertebra, body),
        muscle: muscle_signal(image, body),
        plate_thirds: thirds,
        voxels: marrow.iter().map(|m| m.offset).collect(),
    })
}

/// The voxel at an offset of the `[k, j, i]` array.
pub fn index_of(grid: &Grid, offset: usize) -> VoxelIndex {
    let i = offset % grid.ni();
    let rest = offset / grid.ni();
    VoxelIndex { i, j: rest % grid.nj(), k: rest / grid.nj() }
}

/// Signal of the middle of the adjacent discs, each within half of its height.
fn disc_signal(image: &Image, vertebra: &Vertebra, body: &VertebralBody) -> Option<Tissue> {
    let front = 0.5 * body.surface.radius(0.0, 0.0);
    let rear = 0.5 * body.surface.radius(0.0, std::f64::consts::PI);
    let mut values = Vec::new();
    for disc in [vertebra.disc_below, vertebra.disc_above].into_iter().flatten() {
        values.extend(one_disc(image, &disc, front, rear));
    }
    Tissue::of(values)
}

fn one_disc(image: &Image, disc: &Disc, front: f64, rear: f64) -> Vec<f64> {
    let half = (0.4 * disc.half_height.mm()).max(0.5);
    box_samples(image, disc, (-half, half), (-rear, front), (-10.0, 10.0))
}

/// Samples each millimetre in a box of a frame, where all voxels about them are measured.
fn box_samples(
    image: &Image,
    disc: &Disc,
    s: (f64, f64),
    v: (f64, f64),
    u: (f64, f64),
) -> Vec<f64> {
    let steps = |range: (f64, f64), step: f64| {
        let count = libm::floor((range.1 - range.0) / step).max(0.0) as usize;
        (0..=count).map(move |n| range.0 + n as f64 * step)
    };
    let mut out = Vec::new();
    for s in steps(s, 0.7) {
        for v in steps(v, 1.0) {
            for u in steps(u, 2.0) {
                out.extend(image.sample(disc.frame.to_lps(LocalPoint { s, v, u })));
            }
        }
    }
    out
}

/// Paraspinal muscle at the height of the body: 17 to 24 mm from the midline, 22 to 45 mm behind
/// the rear wall. Fat is cut off: what is brighter than 1.6 of the median.
fn muscle_signal(image: &Image, body: &VertebralBody) -> Option<Tissue> {
    let rear = body.surface.radius(0.0, std::f64::consts::PI);
    let holder = Disc { frame: body.frame, half_height: Millimetres::new(1.0) };
    let mut values = Vec::new();
    for u in [(-24.0, -17.0), (17.0, 24.0)] {
        values.extend(box_samples(image, &holder, (-10.0, 10.0), (-rear - 45.0, -rear - 22.0), u));
    }
    // Twice: the first median is lifted by the fat itself.
    for _ in 0..2 {
        let middle = median(&mut values)?;
        values.retain(|v| *v <= 1.6 * middle);
    }
    Tissue::of(values)
}

/// The darkest ball of marrow, leaving out where the basivertebral vein runs. Where slices
/// are thick it is a short cylinder over three of them: one dark slice is no lesion.
fn darkest_ball(
    image: &Image,
    marrow: &[Marrow],
    (low, high): (VoxelIndex, VoxelIndex),
) -> Option<Ball> {
    let grid = image.grid();
    let size = [high.i - low.i + 1, high.j - low.j + 1, high.k - low.k + 1];
    let place = |at: VoxelIndex| ((at.k - low.k) * size[1] + at.j - low.j) * size[0] + at.i - low.i;
    // NaN stands for what is no marrow.
    let mut signal = vec![f32::NAN; size[0] * size[1] * size[2]];
    for m in marrow {
        signal[place(m.index)] = image.value(m.offset) as f32;
    }
    let offsets = ball_offsets(grid);
    let spacing = grid.spacing();
    let mut best: Option<(f32, VoxelIndex)> = None;
    let mut values = Vec::with_capacity(offsets.len());
    for m in marrow {
        // Every second voxel in finely sampled directions.
        let skipped = [(m.index.i, low.i), (m.index.j, low.j), (m.index.k, low.k)]
            .into_iter()
            .zip(spacing)
            .any(|((n, first), mm)| mm <= 1.5 && (n - first) % 2 == 1);
        if skipped || rear_middle(&m.position, &m.local) {
            continue;
        }
        values.clear();
        for &by in &offsets {
            if let Some(index) = moved(m.index, by, (low, high)) {
                let value = signal[place(index)];
                if !value.is_nan() {
                    values.push(value);
                }
            }
        }
        if (values.len() as f64) < BALL_FILLED * offsets.len() as f64 {
            continue;
        }
        let middle = values.len() / 2;
        let (_, median, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
        if best.is_none_or(|b| *median < b.0) {
            best = Some((*median, m.index));
        }
    }
    let (median, centre) = best?;
    let voxels = offsets
        .iter()
        .filter_map(|&by| moved(centre, by, (low, high)))
        .filter(|&index| !signal[place(index)].is_nan())
        .map(|index| grid.offset(index))
        .collect();
    Some(Ball { median: f64::from(median), voxels })
}

/// Voxels about a centre that belong to the ball.
fn ball_offsets(grid: &Grid) -> Vec<[isize; 3]> {
    let spacing = grid.spacing();
    let thick = (0..3).find(|&axis| spacing[axis] > 2.0);
    let reach = spacing.map(|mm| libm::floor(BALL_MM / mm).max(1.0) as isize);
    let mut out = Vec::new();
    for k in -reach[2]..=reach[2] {
        for j in -reach[1]..=reach[1] {
            for i in -reach[0]..=reach[0] {
                let mut mm = [i as f64 * spacing[0], j as f64 * spacing[1], k as f64 * spacing[2]];
                if let Some(axis) = thick {
                    mm[axis] = 0.0;
                }
                if mm.iter().map(|v| v * v).sum::<f64>() <= BALL_MM * BALL_MM {
                    out.push([i, j, k]);
                }
            }
        }
    }
    out
}

fn moved(
    from: VoxelIndex,
    by: [isize; 3],
    (low, high): (VoxelIndex, VoxelIndex),
) -> Option<VoxelIndex> {
    let i = from.i.checked_add_signed(by[0])?;
    let j = from.j.checked_add_signed(by[1])?;
    let k = from.k.checked_add_signed(by[2])?;
    let within = (low.i..=high.i).contains(&i)
        && (low.j..=high.j).contains(&j)
        && (low.k..=high.k).contains(&k);
    within.then_some(VoxelIndex { i, j, k })
}

/// Where the basivertebral vein runs: the rear 22 % of the body's depth (with the ball's own reach
/// 27 %), near the midline, at mid-height (Tzika 2021: 12 to 21.8 % of the depth).
fn rear_middle(position: &BodyPosition, local: &LocalPoint) -> bool {
    let behind = -libm::cos(position.angle) * position.radius_fraction;
    behind > 0.45 && libm::fabs(local.u) < 6.0 && (0.3..0.7).contains(&position.height_fraction)
}
