//! Contrast medium in the thecal sac (CT myelography), taken out so that the canal is soft again.
//!
//! # Method
//! A sac full of contrast medium is what bone never is: dense, and alike over a stretch of its
//! length, since discs, foramina and gaps between laminae interrupt bone. On the 2 mm grid such columns
//! are grown to what is as dense as they are, and their dense voxels read as soft tissue on the native grid.
//!
//! # Limits
//! An aorta full of contrast medium is such a column as well, and so may be ivory bodies over
//! several levels: what was taken out counts only when a spine is proven whose canal runs inside it.
//! Up to 2 mm of bone that touches the sac is lost with it.

use rayon::prelude::*;

use super::coarse::{Coarse, coarse_grid};
use super::parameters::Parameters;
use super::spine_line::{Refusal, SpineLine, spine_line};
use crate::anatomy::model::Anatomy;
use crate::geometry::{Frame, LpsPoint, VoxelIndex};
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
/// It must run within this distance of what was taken out, mm, over the length of the shortest column or half of its
/// own: it follows the cord or the fat before the sac, not the medium itself. Beside an aorta or inside bodies none
/// of it does.
const BESIDE_MM: f64 = 6.0;

/// A series whose sac was cleared of contrast medium, and the spine in it.
pub struct Cleared {
    /// The voxels without the medium.
    pub volume: Volume<i16>,
    /// The same on the coarse grid.
    pub coarse: Coarse,
    /// The spine, its canal in what was taken out.
    pub line: SpineLine,
}

/// Looks for a sac full of contrast medium where no spine, or only a part of one, was found.
pub fn cleared(
    volume: &Volume<i16>,
    coarse: &Coarse,
    line: Result<&SpineLine, &Refusal>,
    parameters: &Parameters,
) -> Option<Cleared> {
    let field_mm = coarse.hu.size()[2] as f64 * coarse.spacing;
    if line.is_ok_and(|line| line.proof.length_mm >= LONG_ENOUGH * field_mm) {
        return None;
    }
    let columns = columns(coarse)?;
    let volume = without(volume, coarse, &columns);
    let cleared_coarse = coarse_grid(&volume)?;
    let found = spine_line(&volume, &cleared_coarse, parameters).ok()?;
    if line.is_ok_and(|line| found.proof.weight_mm() < BETTER * line.proof.weight_mm()) {
        return None;
    }
    let reach = libm::round(BESIDE_MM / coarse.spacing) as usize;
    let about = dilate(&columns, [reach, reach, 0]);
    let followed = &found.frames[found.followed.clone()];
    let beside = followed.iter().filter(|f| covers(coarse, &about, f.origin)).count();
    // Frames lie a millimetre apart.
    (beside as f64 >= LEAST_LENGTH_MM.min(0.5 * followed.len() as f64)).then_some(Cleared {
        volume,
        coarse: cleared_coarse,
        line: found,
    })
}

/// Says that the canal holds contrast medium.
pub fn say(anatomy: &mut Anatomy, line: &SpineLine) {
    let z = |frame: Option<&Frame>| frame.map_or(0.0, |frame| frame.origin.z());
    let followed = &line.frames[line.followed.clone()];
    let (from, to) = (z(followed.first()), z(followed.last()));
    anatomy.problems.push(
        Problem::new(
            ProblemCode::ContrastInCanal,
            Severity::Warning,
            format!(
                "the spinal canal holds contrast medium ({from:.0} to {to:.0} mm along z); the spine was found with its density taken out"
            ),
        )
        .with_number("from_z_mm", libm::round(from))
        .with_number("to_z_mm", libm::round(to)),
    );
}

/// Whether the coarse voxel at a place belongs to a mask.
fn covers(coarse: &Coarse, mask: &BitMask, place: LpsPoint) -> bool {
    coarse.grid.nearest(place).is_some_and(|at| mask.at(at.i, at.j, at.k))
}

/// Dense columns that are alike along z, grown to their rims; `None` where there is none.
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
    let mut column = BitMask::empty(coarse.hu.size());
    piece.for_each(|offset| column.insert(offset));
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
