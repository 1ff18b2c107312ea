//! Contrast medium in the thecal sac (CT myelography), taken out so that the canal is soft again.
//!
//! # Method
//! A sac full of contrast medium is what bone never is: dense, and alike over a stretch of its
//! length, since discs, foramina and gaps between laminae interrupt bone. On the 2 mm grid such columns
//! are grown to what is as dense as they are, and their dense voxels read as soft tissue on the native grid.
//!
//! # Limits
//! An aorta full of contrast medium is such a column as well, and so are dense bodies with thin discs: a column
//! counts only where it lies in the canal of a spine that is proven. Up to 2 mm of bone that touches the sac is
//! lost with it.

use rayon::prelude::*;

use super::coarse::{Coarse, coarse_grid};
use super::parameters::Parameters;
use super::spine_line::{Refusal, SpineLine, spine_line};
use crate::geometry::{Frame, LocalPoint, LpsPoint, VoxelIndex};
use crate::kernels::{
    Beyond, BitMask, Boundary, Connectivity, components, dilate, fill_holes_in_slices, gaussian,
    median, open,
};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::volume::Volume;

/// Contrast medium in the sac is denser than this, HU (200 to 1000 in use); marrow rarely is.
const COLUMN_HU: f32 = 200.0;
/// A column is alike over this far to either side along z, mm, within so many HU.
const ALIKE_OVER_MM: f64 = 8.0;
const ALIKE_WITHIN_HU: f32 = 120.0;
/// Shortest column, mm: more than a body between two discs.
const LEAST_LENGTH_MM: f64 = 40.0;
/// Area of its section, mm²: a sac has 60 to 300, more where bone hangs on it; a body 700 and more.
const AREA_MM2: std::ops::RangeInclusive<f64> = 24.0..=700.0;
/// A sac is wider than the cortex that may be alike and touch it: what is thinner is worn away, voxels
/// to either side.
const THIN: usize = 1;
/// What touches a column is its rim when it is at most this much denser than its mean, HU.
const RIM_HU: f32 = 75.0;
/// What is softer was not reached by the medium (cord, roots), HU; it is left as it is.
const SOFT_HU: i16 = 100;
/// What stands in the place of contrast medium, HU: the sac without it.
const WITHOUT_MEDIUM_HU: i16 = 30;
/// A line this long, as a share of the field, needs no second look.
const LONG_ENOUGH: f64 = 0.7;
/// A line through a cleared sac must prove this much more than the one without.
const BETTER: f64 = 1.2;
/// Where the medium lies in the plane of a frame, forward and to either side, mm: the line follows the cord, or the
/// fat before the sac. Dense bodies begin from 1 mm ahead of it, so what is ahead proves nothing.
const AHEAD_MM: (i32, i32) = (-14, 0);
const BESIDE_MM: i32 = 8;
/// So far about a line that is long enough columns are sought, mm: farther than the side of any body, so that what
/// is wider than a sac is seen to be.
const NEAR_LINE_MM: f64 = 45.0;
/// Area of medium there that counts, mm².
const LEAST_AREA_MM2: f64 = 24.0;

/// A spine whose canal holds contrast medium.
pub enum Myelography {
    /// The spine was found with the medium in place.
    InPlace(Problem),
    /// The spine was found, or more of it, with the medium taken out.
    TakenOut(Box<Cleared>),
}

/// A series whose sac was cleared of contrast medium, and the spine in it.
pub struct Cleared {
    /// The voxels without the medium.
    pub volume: Volume<i16>,
    /// The same on the coarse grid.
    pub coarse: Coarse,
    /// The spine, its canal in what was taken out.
    pub line: SpineLine,
    /// What is to be said of it.
    pub problem: Problem,
}

/// Looks for a sac full of contrast medium: in the canal of the spine that was found, and, where none
/// or only a part of one was, by a search with the medium taken out.
pub fn myelography(
    volume: &Volume<i16>,
    coarse: &Coarse,
    line: Result<&SpineLine, &Refusal>,
    parameters: &Parameters,
) -> Option<Myelography> {
    let field_mm = coarse.hu.size()[2] as f64 * coarse.spacing;
    let whole = line.ok().filter(|line| line.proof.length_mm >= LONG_ENOUGH * field_mm);
    if let Some(line) = whole {
        let near = coarse.about(&line.frames[line.followed.clone()], NEAR_LINE_MM)?;
        return in_place(&near, line, &columns(&near)?);
    }
    let columns = columns(coarse)?;
    taken_out(volume, coarse, line, &columns, parameters)
        .map(|cleared| Myelography::TakenOut(Box::new(cleared)))
        .or_else(|| in_place(coarse, line.ok()?, &columns))
}

/// The medium in the canal of a spine that was found with it.
fn in_place(coarse: &Coarse, line: &SpineLine, columns: &BitMask) -> Option<Myelography> {
    let what_follows = "densities beside the canal are not dependable";
    lies_in_canal(coarse, columns, line).then(|| Myelography::InPlace(problem(line, what_follows)))
}

/// The spine that is found with the medium taken out, where it is more of one than without.
fn taken_out(
    volume: &Volume<i16>,
    coarse: &Coarse,
    line: Result<&SpineLine, &Refusal>,
    columns: &BitMask,
    parameters: &Parameters,
) -> Option<Cleared> {
    let volume = without(volume, coarse, columns);
    let cleared_coarse = coarse_grid(&volume)?;
    let found = spine_line(&volume, &cleared_coarse, parameters).ok()?;
    if line.is_ok_and(|line| !found.outweighs(line, BETTER)) {
        return None;
    }
    lies_in_canal(coarse, columns, &found).then(|| Cleared {
        problem: problem(&found, "the spine was found with its density taken out"),
        volume,
        coarse: cleared_coarse,
        line: found,
    })
}

/// Says that the canal holds contrast medium, and what follows.
fn problem(line: &SpineLine, what_follows: &str) -> Problem {
    let z = |frame: Option<&Frame>| frame.map_or(0.0, |frame| frame.origin.z());
    let followed = &line.frames[line.followed.clone()];
    let (from, to) = (z(followed.first()), z(followed.last()));
    Problem::new(
        ProblemCode::ContrastInCanal,
        Severity::Warning,
        format!(
            "the spinal canal holds contrast medium ({from:.0} to {to:.0} mm along z); {what_follows}"
        ),
    )
    .with_number("from_z_mm", libm::round(from))
    .with_number("to_z_mm", libm::round(to))
}

/// Whether columns lie in the canal of a line, over the length of the shortest column or half of the line.
fn lies_in_canal(coarse: &Coarse, columns: &BitMask, line: &SpineLine) -> bool {
    let followed = &line.frames[line.followed.clone()];
    let step = libm::round(coarse.spacing).max(1.0) as usize;
    let filled = |frame: &&Frame| {
        let places = (AHEAD_MM.0..=AHEAD_MM.1).step_by(step).flat_map(|v| {
            (-BESIDE_MM..=BESIDE_MM)
                .step_by(step)
                .map(move |u| frame.to_lps(LocalPoint { s: 0.0, v: f64::from(v), u: f64::from(u) }))
        });
        let count = places.filter(|&place| covers(coarse, columns, place)).count();
        (count * step * step) as f64 >= LEAST_AREA_MM2
    };
    // Frames lie a millimetre apart.
    followed.iter().filter(filled).count() as f64
        >= LEAST_LENGTH_MM.min(0.5 * followed.len() as f64)
}

/// Whether the coarse voxel at a place belongs to a mask.
fn covers(coarse: &Coarse, mask: &BitMask, place: LpsPoint) -> bool {
    coarse.grid.nearest(place).is_some_and(|at| mask.at(at.i, at.j, at.k))
}

/// Dense columns that are alike along z, grown to their rims, on the coarse grid; `None` where there is none.
fn columns(coarse: &Coarse) -> Option<BitMask> {
    let size = coarse.hu.size();
    let smooth = gaussian(&coarse.hu, [0.7; 3], 3.0, Boundary::Nearest);
    let reach = libm::round(ALIKE_OVER_MM / coarse.spacing) as usize;
    let alike = BitMask::from_fn(size, |i, j, k| {
        if smooth.at(i, j, k) <= COLUMN_HU {
            return false;
        }
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for k in k.saturating_sub(reach)..(k + reach + 1).min(size[2]) {
            let hu = smooth.at(i, j, k);
            (low, high) = (low.min(hu), high.max(hu));
        }
        low > COLUMN_HU && high - low < ALIKE_WITHIN_HU
    });
    let mut all: Option<BitMask> = None;
    // The cord is a hole in the medium.
    let alike = fill_holes_in_slices(&alike);
    let wide = open(&alike, [THIN, THIN, 0], Beyond::Inside);
    for piece in components(&wide, Connectivity::Corners) {
        let slices = piece.high[2] - piece.low[2] + 1;
        if (slices as f64 * coarse.spacing) < LEAST_LENGTH_MM {
            continue;
        }
        let mut areas = vec![0.0; slices];
        let mut sum = 0.0;
        for offset in piece.offsets(size) {
            areas[offset / (size[0] * size[1]) - piece.low[2]] += coarse.spacing * coarse.spacing;
            sum += f64::from(smooth.data()[offset]);
        }
        if median(areas).is_some_and(|area| AREA_MM2.contains(&area)) {
            let mean = (sum / piece.voxels as f64) as f32;
            let all = all.get_or_insert_with(|| BitMask::empty(size));
            grow(coarse, piece.offsets(size), &alike, mean, all);
        }
    }
    all
}

/// Adds a column of mean density `mean` to `into`, grown within what is alike and to its rim.
fn grow(
    coarse: &Coarse,
    piece: impl Iterator<Item = usize>,
    alike: &BitMask,
    mean: f32,
    into: &mut BitMask,
) {
    let mut column = BitMask::from_offsets(coarse.hu.size(), piece);
    let mut add = |radius: [usize; 3], belongs: &dyn Fn(usize) -> bool| {
        for offset in dilate(&column, radius).offsets().collect::<Vec<_>>() {
            if belongs(offset) {
                column.insert(offset);
            }
        }
    };
    add([1, 1, 1], &|offset| alike.get(offset));
    // The rim, where the medium and what is about it share a voxel; cortex is denser than that.
    add([1, 1, 0], &|offset| coarse.hu.data()[offset] - mean < RIM_HU);
    for offset in column.offsets() {
        into.insert(offset);
    }
}

/// The series with the dense voxels of the columns made soft.
fn without(volume: &Volume<i16>, coarse: &Coarse, columns: &BitMask) -> Volume<i16> {
    let mut out = volume.clone();
    let [ni, nj, _] = volume.grid.size();
    out.voxels.par_chunks_mut((ni * nj).max(1)).enumerate().for_each(|(k, slice)| {
        for (n, hu) in slice.iter_mut().enumerate() {
            if *hu > SOFT_HU {
                let place = volume.grid.voxel_to_lps(VoxelIndex { i: n % ni, j: n / ni, k });
                if covers(coarse, columns, place) {
                    *hu = WITHOUT_MEDIUM_HU;
                }
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::made;
    use crate::anatomy::ct::spine_line::Proof;
    use crate::geometry::LpsVector;

    const SIZE: [usize; 3] = [60, 60, 60];

    fn series(hu: impl Fn(f64, f64, f64) -> i16) -> (Volume<i16>, Coarse) {
        made(SIZE, hu)
    }

    /// A straight line up the z axis, `y` mm behind it.
    fn line(y: f64) -> SpineLine {
        let frames: Vec<Frame> = (0..118)
            .map(|z| Frame {
                origin: LpsPoint::new(0.0, y, f64::from(z)),
                up: LpsVector::HEAD,
                anterior: LpsVector::ANTERIOR,
                left: LpsVector::LEFT,
            })
            .collect();
        let proof = Proof { score: 30.0, length_mm: 118.0, symmetry: 0.8, symmetric_mm: 118.0 };
        let n = frames.len();
        SpineLine { frames, symmetry: vec![0.8; n], followed: 0..n, turn: 0.0, proof, after: None }
    }

    /// Soft tissue with a sac of 8 mm radius about the axis, a cord in it, as dense as `medium`.
    fn sac(medium: i16) -> impl Fn(f64, f64, f64) -> i16 {
        move |x, y, _| match x.hypot(y) {
            ..3.5 => 40,
            3.5..8.0 => medium,
            _ => 50,
        }
    }

    #[test]
    fn medium_about_a_cord_is_a_column_in_the_canal_and_is_taken_out() {
        let (volume, coarse) = series(sac(450));
        let columns = columns(&coarse).unwrap();
        // The line may follow the cord, or the fat before the sac.
        for y in [0.0, -6.0] {
            assert!(lies_in_canal(&coarse, &columns, &line(y)), "{y}");
        }
        let cleared = without(&volume, &coarse, &columns);
        assert!(cleared.voxels.iter().all(|&hu| hu <= 50));
        let said = myelography(&volume, &coarse, Ok(&line(0.0)), &Parameters::default());
        assert!(matches!(said, Some(Myelography::InPlace(_))));
    }

    #[test]
    fn a_line_found_near_the_middle_alone_outweighs_no_other() {
        let near_middle = || SpineLine { after: Some(Refusal::NoCanal), ..line(0.0) };
        let mut short = line(0.0);
        short.proof.symmetric_mm = 30.0;
        assert!(line(0.0).outweighs(&short, BETTER) && !short.outweighs(&line(0.0), 1.0));
        assert!(short.outweighs(&near_middle(), BETTER) && !near_middle().outweighs(&short, 1.0));
    }

    #[test]
    fn a_sac_without_medium_is_none() {
        assert!(columns(&series(sac(16)).1).is_none());
    }

    #[test]
    fn a_dense_aorta_and_dense_bodies_are_not_in_the_canal() {
        // Both 300 HU: a body of 30 mm with thin discs that are dense, too, from 9 mm ahead; an aorta left of it.
        let (volume, coarse) = series(|x, y, _| {
            let core = x.abs() < 11.0 && (-36.0..-9.0).contains(&y);
            let aorta = (x - 28.0).hypot(y + 40.0) < 10.0;
            if core || aorta { 300 } else { 50 }
        });
        let columns = columns(&coarse).unwrap();
        assert!(!lies_in_canal(&coarse, &columns, &line(0.0)));
        let said = myelography(&volume, &coarse, Ok(&line(0.0)), &Parameters::default());
        assert!(said.is_none());
    }

    #[test]
    fn bone_that_discs_interrupt_is_no_column() {
        let (_, coarse) = series(|x, y, z| {
            let inside = x.hypot(y) < 12.0;
            if inside && z % 30.0 < 24.0 { 400 } else { 60 }
        });
        assert!(columns(&coarse).is_none());
    }
}
