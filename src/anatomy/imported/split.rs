//! The body of a vertebra, told from its arch.
//!
//! # Method
//! Looked at along the spine, a whole vertebra is a ring: body in front, arch behind, the canal as
//! a hole between them. The hole gives the middle of the canal; rays from there to the front meet
//! the posterior wall, to which a plane is fitted; what lies in front of it is the body. A mask
//! that holds bodies alone has no hole and is convex.
//!
//! # Limits
//! The posterior corners of a kidney-shaped body lose up to 2 mm to the plane. C1 has no body; the
//! body of C2 holds the dens.

use super::spine_mask::{Crop, VertebraMask};
use crate::geometry::{Frame, Grid, LocalPoint, LpsPoint};
use crate::kernels::median;
use crate::terms::{Level, SpineSection};

/// Pitch of the view along the spine, mm.
const PITCH_MM: f64 = 1.0;
/// Areas that a hole must have to be the canal, mm²: the neck's and the sacrum's measure about 150
/// to 450, less where the view is tilted; foramina of transverse processes about 30.
const CANAL_MM2: (f64, f64) = (60.0, 900.0);
/// Parts of the height that are looked through, from below (0) to above (1): the arch leans
/// backward and down, and may cover the hole when all of it is looked through.
const WINDOWS: [(f64, f64); 3] = [(0.0, 1.0), (0.35, 1.0), (0.2, 0.75)];
/// Rays to the posterior wall start within this of the middle of the canal, mm.
const WALL_HALF_WIDTH_MM: f64 = 5.0;
/// The wall is met at most so far in front of the middle of the canal, mm.
const WALL_REACH_MM: f64 = 25.0;
/// Rays that miss the fitted wall by more than this are left out, mm.
const WALL_OUTLIER_MM: f64 = 3.0;
/// A view whose area is this share of its convex hull, or more, is that of a body alone (bodies
/// 0.9 and more, whole vertebrae 0.4 to 0.65).
const BODY_SOLIDITY: f64 = 0.8;
/// Half width of a body of the neck with its uncinate processes, mm (published widths to 27 mm);
/// transverse processes lie beside it, not behind it.
const NECK_HALF_WIDTH_MM: f64 = 14.0;

/// What a vertebra's mask gives.
#[derive(Clone, Debug)]
pub struct Split {
    /// The body; `None` where it cannot be told from the arch, or there is none (C1).
    pub body: Option<Crop>,
    /// Middle of the canal at the height of the body with the spine's axes, and the distances from
    /// it to the posterior wall and to the arch behind, mm.
    pub canal: Option<CanalAt>,
}

/// The canal at one vertebra.
#[derive(Clone, Copy, Debug)]
pub struct CanalAt {
    /// Its middle, with the axes of the vertebra.
    pub frame: Frame,
    /// To the posterior wall, mm.
    pub anterior_mm: f64,
    /// To the arch, mm.
    pub posterior_mm: Option<f64>,
    /// To either side, mm.
    pub side_mm: Option<f64>,
}

/// Tells body and canal of a vertebra. `canal_guess` is a place in the canal near the vertebra, if
/// one is known from elsewhere.
pub fn split(
    grid: &Grid,
    vertebra: &VertebraMask,
    frame: &Frame,
    canal_guess: Option<LpsPoint>,
) -> Split {
    if vertebra.label.level() == Some(Level::C1) {
        return Split { body: None, canal: None };
    }
    let view = View::new(grid, &vertebra.whole, frame);
    let hole = view.hole();
    let guess = canal_guess.map(|place| {
        let local = frame.to_local(place);
        (local.v, local.u)
    });
    let middle = hole.map(|hole| hole.middle).or(guess);
    let body_alone = || hole.is_none() && view.solidity() >= BODY_SOLIDITY;
    let told = match &vertebra.body {
        Some(body) => Some(body.clone()),
        None if body_alone() => Some(vertebra.whole.clone()),
        None => None,
    };
    let wall = middle.and_then(|middle| Some((middle, Wall::fit(&view, middle)?)));
    let Some((middle, wall)) = wall else { return Split { body: told, canal: None } };
    let at = |body: &Crop| canal_at(grid, frame, body, middle, &wall, hole);
    if let Some(body) = told {
        let canal = at(&body);
        return Split { body: Some(body), canal };
    }
    let neck = vertebra.label.level().is_some_and(|l| l.section() == SpineSection::Cervical);
    let body = vertebra.whole.kept(|voxel| {
        let local = frame.to_local(grid.voxel_to_lps(voxel));
        let beside = (local.u - middle.1).abs();
        // In the middle the wall may be hollow or bulge; there the canal itself is the border.
        let border = if beside <= WALL_HALF_WIDTH_MM { middle.0 } else { wall.at(local.s) };
        local.v >= border && (!neck || beside <= NECK_HALF_WIDTH_MM)
    });
    let canal = body.as_ref().and_then(at);
    Split { body, canal }
}

/// The canal beside a body.
fn canal_at(
    grid: &Grid,
    frame: &Frame,
    body: &Crop,
    middle: (f64, f64),
    wall: &Wall,
    hole: Option<Hole>,
) -> Option<CanalAt> {
    let s = frame.to_local(body.centroid(grid)?).s;
    let origin = frame.to_lps(LocalPoint { s, v: middle.0, u: middle.1 });
    Some(CanalAt {
        frame: Frame { origin, ..*frame },
        anterior_mm: (wall.at(s) - middle.0).max(1.0),
        posterior_mm: hole.map(|hole| hole.half_depth.max(1.0)),
        side_mm: hole.map(|hole| hole.half_width.max(1.0)),
    })
}

/// The hole of the ring in the (v, u) plane, mm.
#[derive(Clone, Copy)]
struct Hole {
    middle: (f64, f64),
    half_depth: f64,
    half_width: f64,
    area_mm2: f64,
}

/// A vertebra seen along the spine.
struct View<'a> {
    grid: &'a Grid,
    crop: &'a Crop,
    frame: &'a Frame,
    low: [f64; 3],
    high: [f64; 3],
}

impl<'a> View<'a> {
    fn new(grid: &'a Grid, crop: &'a Crop, frame: &'a Frame) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for voxel in crop.voxels() {
            let p = frame.to_local(grid.voxel_to_lps(voxel));
            for (axis, x) in [p.s, p.v, p.u].into_iter().enumerate() {
                low[axis] = low[axis].min(x);
                high[axis] = high[axis].max(x);
            }
        }
        Self { grid, crop, frame, low, high }
    }

    fn inside(&self, s: f64, v: f64, u: f64) -> bool {
        let index = self.grid.to_index(self.frame.to_lps(LocalPoint { s, v, u }));
        self.crop.holds([index.i, index.j, index.k].map(|x| libm::round(x) as i64))
    }

    /// Rows and columns of the view with a border of two.
    fn size(&self) -> (usize, usize) {
        let n =
            |axis: usize| libm::ceil((self.high[axis] - self.low[axis]) / PITCH_MM) as usize + 5;
        (n(1), n(2))
    }

    fn place(&self, row: usize, column: usize) -> (f64, f64) {
        let at = |axis: usize, n: usize| self.low[axis] + (n as f64 - 2.0) * PITCH_MM;
        (at(1, row), at(2, column))
    }

    /// Where any mask is seen through a part of the height.
    fn silhouette(&self, window: (f64, f64)) -> Vec<bool> {
        let (rows, columns) = self.size();
        let height = self.high[0] - self.low[0];
        let (from, to) = (self.low[0] + window.0 * height, self.low[0] + window.1 * height);
        let steps = libm::ceil((to - from) / PITCH_MM).max(1.0) as usize;
        let mut seen = vec![false; rows * columns];
        for row in 0..rows {
            for column in 0..columns {
                let (v, u) = self.place(row, column);
                seen[row * columns + column] = (0..=steps)
                    .any(|n| self.inside(from + (to - from) * n as f64 / steps as f64, v, u));
            }
        }
        seen
    }

    /// The largest hole of canal size over the windows.
    fn hole(&self) -> Option<Hole> {
        let mut best: Option<Hole> = None;
        for window in WINDOWS {
            let seen = self.silhouette(window);
            for hole in self.holes(&seen) {
                if best.is_none_or(|b| hole.area_mm2 > b.area_mm2) {
                    best = Some(hole);
                }
            }
        }
        best
    }

    fn holes(&self, seen: &[bool]) -> Vec<Hole> {
        let (rows, columns) = self.size();
        let mut taken = seen.to_vec();
        let mut found = Vec::new();
        // The border is free, so the first region is the outside.
        for start in 0..rows * columns {
            if taken[start] {
                continue;
            }
            let mut stack = vec![start];
            taken[start] = true;
            let (mut n, mut sum, mut squares) = (0u32, [0.0; 2], [0.0; 2]);
            while let Some(at) = stack.pop() {
                let (row, column) = (at / columns, at % columns);
                let (v, u) = self.place(row, column);
                n += 1;
                for (axis, x) in [v, u].into_iter().enumerate() {
                    sum[axis] += x;
                    squares[axis] += x * x;
                }
                let mut visit = |next: usize| {
                    if !taken[next] {
                        taken[next] = true;
                        stack.push(next);
                    }
                };
                if row > 0 {
                    visit(at - columns);
                }
                if row + 1 < rows {
                    visit(at + columns);
                }
                if column > 0 {
                    visit(at - 1);
                }
                if column + 1 < columns {
                    visit(at + 1);
                }
            }
            let area_mm2 = f64::from(n) * PITCH_MM * PITCH_MM;
            if start == 0 || area_mm2 < CANAL_MM2.0 || area_mm2 > CANAL_MM2.1 {
                continue;
            }
            let mean = sum.map(|x| x / f64::from(n));
            // Half axes of the ellipse with the same second moments.
            let half = [0, 1].map(|a| {
                2.0 * libm::sqrt((squares[a] / f64::from(n) - mean[a] * mean[a]).max(0.0))
            });
            found.push(Hole {
                middle: (mean[0], mean[1]),
                half_depth: half[0],
                half_width: half[1],
                area_mm2,
            });
        }
        found
    }

    /// Area over the area of the convex hull.
    fn solidity(&self) -> f64 {
        let (rows, columns) = self.size();
        let seen = self.silhouette((0.0, 1.0));
        let mut points: Vec<(i64, i64)> = Vec::new();
        for row in 0..rows {
            let line = &seen[row * columns..(row + 1) * columns];
            let first = line.iter().position(|&s| s);
            let last = line.iter().rposition(|&s| s);
            // Corners of the pixels, so that hull and area are of one kind.
            for column in [first, last.map(|n| n + 1)].into_iter().flatten() {
                points.push((row as i64, column as i64));
                points.push((row as i64 + 1, column as i64));
            }
        }
        let area = seen.iter().filter(|&&s| s).count() as f64;
        area / hull_area(&mut points).max(1.0)
    }
}

/// Area of the convex hull of points (Andrew's monotone chain).
fn hull_area(points: &mut Vec<(i64, i64)>) -> f64 {
    points.sort_unstable();
    points.dedup();
    let turn = |o: (i64, i64), a: (i64, i64), b: (i64, i64)| {
        (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0)
    };
    let half = |points: &mut dyn Iterator<Item = (i64, i64)>| {
        let mut chain: Vec<(i64, i64)> = Vec::new();
        for p in points {
            while chain.len() >= 2 && turn(chain[chain.len() - 2], chain[chain.len() - 1], p) <= 0 {
                chain.pop();
            }
            chain.push(p);
        }
        chain
    };
    let mut ring = half(&mut points.iter().copied());
    ring.pop();
    let mut back = half(&mut points.iter().rev().copied());
    back.pop();
    ring.extend(back);
    let twice: i64 = (0..ring.len())
        .map(|n| {
            let (a, b) = (ring[n], ring[(n + 1) % ring.len()]);
            a.0 * b.1 - a.1 * b.0
        })
        .sum();
    twice.abs() as f64 / 2.0
}

/// The posterior wall as `v = a + b·s`.
struct Wall {
    a: f64,
    b: f64,
}

impl Wall {
    fn fit(view: &View<'_>, middle: (f64, f64)) -> Option<Self> {
        let mut hits: Vec<(f64, f64)> = Vec::new();
        let steps = libm::ceil((view.high[0] - view.low[0]) / PITCH_MM) as usize;
        for n in 0..=steps {
            let s = view.low[0] + n as f64 * PITCH_MM;
            let across = libm::floor(WALL_HALF_WIDTH_MM / PITCH_MM) as i32;
            let met = (-across..=across).filter_map(|column| {
                let u = middle.1 + f64::from(column) * PITCH_MM;
                let mut v = middle.0;
                while v <= middle.0 + WALL_REACH_MM {
                    // Three millimetres of bone: a speckle in the canal is no wall.
                    if [0.0, 1.0, 2.0, 3.0].iter().all(|d| view.inside(s, v + d, u)) {
                        return Some(v);
                    }
                    v += 0.5;
                }
                None
            });
            if let Some(v) = median(met) {
                hits.push((s, v));
            }
        }
        let mut used = hits;
        let mut line = None;
        for _ in 0..3 {
            if used.len() < 4 {
                return None;
            }
            let n = used.len() as f64;
            let (ms, mv) = (
                used.iter().map(|h| h.0).sum::<f64>() / n,
                used.iter().map(|h| h.1).sum::<f64>() / n,
            );
            let variance: f64 = used.iter().map(|h| (h.0 - ms) * (h.0 - ms)).sum();
            let b = used.iter().map(|h| (h.0 - ms) * (h.1 - mv)).sum::<f64>() / variance.max(1e-9);
            let fitted = Self { a: mv - b * ms, b };
            used.retain(|h| (h.1 - fitted.at(h.0)).abs() <= WALL_OUTLIER_MM);
            line = Some(fitted);
        }
        line
    }

    fn at(&self, s: f64) -> f64 {
        self.a + self.b * s
    }
}
