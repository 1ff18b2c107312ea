//! Where the dark marrow lies: centre, thirds, side, distance to the canal.

use super::measure::{EROSION_MM, Measured, index_of};
use crate::anatomy::VertebralBody;
use crate::features::{Context, Location};
use crate::geometry::{Grid, LpsPoint, VoxelIndex};
use crate::kernels::BitMask;
use crate::terms::{Part, Side};
use crate::units::{CubicMillimetres, Millimetres};

/// Depth below the surface at which a region touches the edge of what is measured, mm.
const EDGE_MM: f64 = EROSION_MM + 1.5;

/// Dark marrow and whether it reaches the surface of what was measured.
pub struct Located {
    /// Where.
    pub location: Location,
    /// Whether it touches the edge towards an endplate.
    pub touches_endplate: bool,
    /// Whether it touches the edge towards the front or rear wall.
    pub touches_wall: bool,
    /// Its extents along the body's axis and from front to back, mm.
    pub extents_mm: [f64; 2],
}

/// The dark voxels that hang together with the darkest ball: darker than halfway between it and
/// normal marrow, which is the body's own median, or `expected` (from the other bodies) where the
/// whole body is suspected.
pub fn locate(
    context: &Context<'_>,
    own: &Measured,
    body: &VertebralBody,
    expected: Option<f64>,
) -> Option<Located> {
    let ball = own.ball.as_ref()?;
    let grid = context.image.grid();
    let median = own.marrow.as_ref()?.median;
    let normal = match expected {
        Some(expected) => expected.max(median),
        None => median,
    };
    let limit = f64::midpoint(ball.median, normal);
    let mut core = BitMask::empty(grid.size());
    for &offset in &own.voxels {
        core.insert(offset);
    }
    let mut region = BitMask::empty(grid.size());
    let mut open: Vec<usize> = Vec::new();
    for &offset in &ball.voxels {
        if context.image.value(offset) <= limit && !region.get(offset) {
            region.insert(offset);
            open.push(offset);
        }
    }
    while let Some(offset) = open.pop() {
        for next in neighbours(grid, offset) {
            if core.get(next) && !region.get(next) && context.image.value(next) <= limit {
                region.insert(next);
                open.push(next);
            }
        }
    }
    describe(context, body, region)
}

fn neighbours(grid: &Grid, offset: usize) -> impl Iterator<Item = usize> {
    let at = index_of(grid, offset);
    let (ni, plane) = (grid.ni(), grid.ni() * grid.nj());
    let candidates = [
        (at.i > 0).then(|| offset - 1),
        (at.i + 1 < grid.ni()).then(|| offset + 1),
        (at.j > 0).then(|| offset - ni),
        (at.j + 1 < grid.nj()).then(|| offset + ni),
        (at.k > 0).then(|| offset - plane),
        (at.k + 1 < grid.nk()).then(|| offset + plane),
    ];
    candidates.into_iter().flatten()
}

/// Centre, box, thirds, side and distance to the canal of a region inside a body.
fn describe(context: &Context<'_>, body: &VertebralBody, region: BitMask) -> Option<Located> {
    let grid = context.image.grid();
    let count = region.count();
    if count == 0 {
        return None;
    }
    let mut sum = [0.0; 3];
    let mut low = [usize::MAX; 3];
    let mut high = [0usize; 3];
    let mut thirds = [0u64; 3];
    let (mut left, mut right) = (0u64, 0u64);
    let (mut upper, mut lower, mut wall_near) = (false, false, false);
    let mut to_rear_wall = f64::INFINITY;
    let mut ends = [(f64::INFINITY, f64::NEG_INFINITY); 2];
    for offset in region.offsets() {
        let index = index_of(grid, offset);
        let place = grid.voxel_to_lps(index);
        let local = body.frame.to_local(place);
        let position = body.surface.position(local);
        for (s, v) in sum.iter_mut().zip([place.x(), place.y(), place.z()]) {
            *s += v;
        }
        for (axis, n) in [index.i, index.j, index.k].into_iter().enumerate() {
            low[axis] = low[axis].min(n);
            high[axis] = high[axis].max(n);
        }
        let behind = -libm::cos(position.angle) * position.radius_fraction;
        let third = if behind < -1.0 / 3.0 { 0 } else { usize::from(behind > 1.0 / 3.0) + 1 };
        thirds[third] += 1;
        left += u64::from(local.u > 4.0);
        right += u64::from(local.u < -4.0);
        upper |= position.upper_depth < EDGE_MM;
        lower |= position.lower_depth < EDGE_MM;
        let wall = body.surface.radius(local.s, std::f64::consts::PI);
        let front = body.surface.radius(local.s, 0.0);
        wall_near |= front - local.v < EDGE_MM || local.v + wall < EDGE_MM;
        for (end, value) in ends.iter_mut().zip([local.s, local.v]) {
            *end = (end.0.min(value), end.1.max(value));
        }
        to_rear_wall = to_rear_wall.min(local.v + wall);
    }
    let share = |n: u64| n as f64 / count as f64;
    let mut parts = vec![Part::VertebralBody];
    for (n, part) in
        [Part::AnteriorThird, Part::MiddleThird, Part::PosteriorThird].into_iter().enumerate()
    {
        if share(thirds[n]) >= 0.2 {
            parts.push(part);
        }
    }
    if upper {
        parts.push(Part::UpperEndplate);
    }
    if lower {
        parts.push(Part::LowerEndplate);
    }
    let side = match (share(left) > 0.2, share(right) > 0.2) {
        (true, true) => Side::Bilateral,
        (true, false) => Side::Left,
        (false, true) => Side::Right,
        (false, false) => Side::Midline,
    };
    let n = count as f64;
    let corner = |c: [usize; 3]| VoxelIndex { i: c[0], j: c[1], k: c[2] };
    let centroid = LpsPoint::new(sum[0] / n, sum[1] / n, sum[2] / n);
    let location = Location {
        centroid,
        voxel_box: Some((corner(low), corner(high))),
        volume: Some(CubicMillimetres::new(n * grid.voxel_mm3())),
        mask: Some(region),
        side: Some(side),
        parts,
        distance_to_canal: context
            .anatomy
            .canal
            .as_ref()
            .map(|_| Millimetres::new(to_rear_wall.max(0.0))),
    };
    Some(Located {
        location,
        touches_endplate: upper || lower,
        touches_wall: wall_near,
        extents_mm: [0, 1].map(|n| ends[n].1 - ends[n].0),
    })
}
