//! C2 as an anchor: the dens stands free between the lateral masses of C1, under the skull base.
//!
//! # Method
//! Above the highest vertebra found, along the canal, a bright narrow column (the dens, 9 to 12 mm
//! wide) with a dark gap on both sides and bone again beyond it (lateral masses of C1) is looked
//! for, millimetre by millimetre. No other level has it: bodies of the neck are 15 mm wide and more.
//! The centre of C2 lies about 31 mm below its tip (dens and body are 36 to 42 mm high together).
//!
//! # Limits
//! A fractured or missing dens, and a head turned by more than about 20 degrees, are not found.

use super::column::Column;
use crate::anatomy::ct::coarse::Coarse;
use crate::anatomy::levels::{Anchor, AnchorKind};
use crate::geometry::{Frame, LocalPoint, LpsPoint};
use crate::kernels::{BitMask, dilate, fill_holes_in_slices};
use crate::units::Share;
use crate::volume::Volume;

/// From the centre of C2 to the tip of the dens, mm.
const CENTRE_TO_TIP_MM: f64 = 31.0;
/// Step of centres in the neck, mm, where the chain does not tell.
const NECK_STEP_MM: (f64, f64) = (14.0, 23.0);
/// Enclosed soft tissue of this area, mm², within this distance of the canal and up to this far
/// above the dens, mm, is the posterior fossa; the canal itself has 500 mm² at most.
const LEAST_CAVITY_MM2: f64 = 2500.0;
const CAVITY_REACH_MM: f64 = 90.0;
const CAVITY_ABOVE_MM: f64 = 60.0;
/// Steps of more than this are not those of a neck, mm.
const MOST_NECK_STEP_MM: f64 = 27.0;
/// How far above the highest vertebra the dens is looked for, mm, and below its centre.
const ABOVE_MM: i32 = 90;
const BELOW_MM: i32 = 30;
/// The dens is at least this dense, HU.
const LEAST_HU: f64 = 300.0;
/// Half width of the dens, mm, at half height over the gaps: at most.
const MOST_HALF_WIDTH_MM: f64 = 7.0;
/// The gap falls to at most this share of the dens, and bone of at least this share follows.
const GAP_SHARE: f64 = 0.6;
const BEYOND_SHARE: f64 = 0.6;
/// The bone beyond the gap lies within this of the middle, mm.
const BEYOND_MM: i32 = 22;
/// Millimetres of height over which the dens must show.
const LEAST_HEIGHT_MM: usize = 8;

/// Whether a cross section shows the dens between two lateral masses.
fn shows_dens(volume: &Volume<i16>, frame: &Frame, s: i32) -> bool {
    let hu = |v: f64, u: f64| volume.sample(frame.to_lps(LocalPoint { s: f64::from(s), v, u }));
    (4..=32).step_by(2).any(|v| {
        let v = f64::from(v);
        (-4..=4).step_by(2).any(|middle| {
            let middle = f64::from(middle);
            let profile = |u: f64| {
                // The mean over 3 mm from front to back, so that single noisy voxels do not count.
                Some(
                    (hu(v - 1.0, middle + u)? + hu(v, middle + u)? + hu(v + 1.0, middle + u)?)
                        / 3.0,
                )
            };
            let Some(peak) = profile(0.0).filter(|&peak| peak >= LEAST_HU) else { return false };
            [1.0, -1.0].iter().all(|&side| {
                let mut least = (0, peak);
                let mut narrow = false;
                let mut beyond = false;
                for d in 1..=BEYOND_MM {
                    let Some(value) = profile(side * f64::from(d)) else { return false };
                    if value < least.1 {
                        least = (d, value);
                    }
                    if value < GAP_SHARE * peak && f64::from(d) <= MOST_HALF_WIDTH_MM {
                        narrow = true;
                    }
                    if narrow
                        && d > least.0
                        && value > (least.1 / GAP_SHARE).max(BEYOND_SHARE * peak)
                    {
                        beyond = true;
                    }
                }
                narrow && beyond
            })
        })
    })
}

/// Heights above the upper end of the canal (mm, along it) whose cross sections show the dens.
pub fn dens_heights(volume: &Volume<i16>, column: &Column) -> Vec<i32> {
    let frame = column.upper_end();
    let Some(top) = column.places.last() else { return Vec::new() };
    let start = libm::round(frame.to_local(top.frame.origin).s) as i32;
    (start - BELOW_MM..start + ABOVE_MM).filter(|&s| shows_dens(volume, &frame, s)).collect()
}

/// Whether bone encloses a large cavity of soft tissue above a place: the posterior fossa.
fn cavity_above(coarse: &Coarse, bone: &BitMask, place: LpsPoint) -> bool {
    let [ni, nj, nk] = coarse.hu.size();
    let z = |k: usize| coarse.place(0, 0, k).z();
    let slices: Vec<usize> =
        (0..nk).filter(|&k| z(k) >= place.z() && z(k) <= place.z() + CAVITY_ABOVE_MM).collect();
    let (Some(&first), true) = (slices.first(), ni > 2 && nj > 2) else { return false };
    let slab = BitMask::from_fn([ni, nj, slices.len()], |i, j, k| bone.at(i, j, first + k));
    // Fissures of a voxel or two between the bones of the skull are closed.
    let closed = dilate(&slab, [1, 1, 0]);
    let filled = fill_holes_in_slices(&closed);
    let near = |offset: usize| {
        let (i, j, k) = (offset % ni, offset / ni % nj, offset / ni / nj + first);
        let p = coarse.place(i, j, k);
        let hu = coarse.hu.at(i, j, k);
        libm::hypot(p.x() - place.x(), p.y() - place.y()) <= CAVITY_REACH_MM
            && (-50.0..120.0).contains(&hu)
    };
    let mut voxels = vec![0u32; slices.len()];
    for offset in filled.offsets().filter(|&offset| !closed.get(offset) && near(offset)) {
        voxels[offset / ni / nj] += 1;
    }
    let mm2 = coarse.spacing * coarse.spacing;
    voxels.iter().any(|&n| f64::from(n) * mm2 >= LEAST_CAVITY_MM2)
}

/// C2, where the dens is in view. It may be the place just above the chain.
pub fn anchor(
    volume: &Volume<i16>,
    coarse: &Coarse,
    bone: &BitMask,
    column: &Column,
) -> Option<Anchor> {
    let heights = dens_heights(volume, column);
    // The longest stretch without a gap of more than 2 mm.
    let mut best: Option<(i32, i32)> = None;
    let mut from = *heights.first()?;
    let mut last = from;
    for &s in heights.iter().chain([&i32::MAX]) {
        if s.saturating_sub(last) > 2 {
            if best.is_none_or(|(a, b)| last - from > b - a) {
                best = Some((from, last));
            }
            from = s;
        }
        last = s;
    }
    let (low, tip) = best?;
    if usize::try_from(tip - low + 1).ok()? < LEAST_HEIGHT_MM {
        return None;
    }
    let frame = column.upper_end();
    let last = column.places.len() - 1;
    let top = &column.places[last];
    if column.places.len() > 1 && top.step_mm > MOST_NECK_STEP_MM {
        return None;
    }
    let step = top.step_mm.clamp(NECK_STEP_MM.0, NECK_STEP_MM.1);
    let above = f64::from(tip) - CENTRE_TO_TIP_MM - frame.to_local(top.frame.origin).s;
    let steps = above / step;
    let whole = libm::round(steps);
    let off = (steps - whole).abs();
    if !(-2.0..=1.0).contains(&whole) {
        return None;
    }
    // A narrow bright column without a skull above it may be anything.
    let low_place = frame.to_lps(LocalPoint { s: f64::from(low), v: 0.0, u: 0.0 });
    if !cavity_above(coarse, bone, low_place) {
        return None;
    }
    Some(Anchor {
        kind: AnchorKind::Axis,
        position: isize::try_from(last).ok()? + whole as isize,
        confidence: Share::new(0.95 - 0.8 * off),
        evidence: format!(
            "the dens stands free between the lateral masses of C1 over {} mm under the cavity of the skull",
            tip - low + 1
        ),
    })
}
