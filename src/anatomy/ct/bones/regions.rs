//! Bones outside the vertebrae, as far as their place tells which they are.
//!
//! # Method
//! Ribs are the walks of [`crate::anatomy::ct::ribs`], followed on through bone that hangs on them.
//! Sacrum and hip bones are told apart from S1 by the shortest way through bone from the midline and
//! from the wings. The hip bone is split at the hip
//! joint, whose ball is fitted. What is left is the sternum by its place, the shoulder, or a bone
//! that is not told.
//!
//! # Limits
//! Scapula, clavicle and humerus are not told apart. The pelvis is told only with S1 in view, its
//! lower half only with the ball of the hip. Marrow no denser than soft tissue is left out.

use super::column::Column;
use super::hip_joint::{HipJoint, hip_joint};
use crate::anatomy::ct::coarse::Coarse;
use crate::anatomy::ct::ribs::{FoundRibs, Sight};
use crate::anatomy::levels::Anchor;
use crate::anatomy::model::{BoneRegion, Bones, Vertebra, VertebraId};
use crate::geometry::{Frame, LpsPoint};
use crate::kernels::{Array3, BitMask, Connectivity, components, nearest_owner};
use crate::terms::{Region, Side, SpineSection};
use crate::units::{CubicMillimetres, Share};

/// The column proper reaches this far to the side of the canal, mm.
pub const COLUMN_ASIDE_MM: f64 = 26.0;
/// And this far ahead and behind.
const COLUMN_MM: (f64, f64) = (48.0, -65.0);
/// Pieces smaller than this are not listed, mm³.
const LEAST_MM3: f64 = 1000.0;
/// The sternum: this near the midline, this far ahead of the canal, mm.
const STERNUM_MM: (f64, f64) = (38.0, 60.0);
/// More than this is no sternum but a heart full of contrast medium, mm³.
const MOST_STERNUM_MM3: f64 = 130_000.0;
/// More than this is not one rib, mm³, but a bone that is not told.
const MOST_RIB_MM3: f64 = 50_000.0;
const MERGED_RIBS: f64 = 0.3;
/// Against S1: what is surely sacrum, mm from the midline beside S1 and from 70 mm below it on (the
/// joint lies 45 mm and more aside in front, the hip bone's back end 42 mm), and what is surely hip
/// bone.
const SACRUM_ASIDE_MM: (f64, f64) = (38.0, 22.0);
const HIP_ASIDE_MM: f64 = 76.0;
/// Sacrum and coccyx reach this far below S1, and lie no further ahead of it, mm.
const SACRUM_BELOW_MM: f64 = 140.0;
const SACRUM_AHEAD_MM: f64 = 22.0;
/// The hip bone begins at most this far above S1 (iliac crest), and its lower half, told only with
/// the hip joint, this far below it, mm.
const CREST_ABOVE_MM: f64 = 85.0;
const WING_BELOW_MM: f64 = 60.0;
/// Bone around the ball of the hip up to this thick is the acetabulum, mm.
const ACETABULUM_MM: f64 = 14.0;
/// Pubic body: this near the midline, mm.
const PUBIS_MM: f64 = 26.0;
/// Most labels of a map of bytes.
const MOST_REGIONS: usize = 250;

/// A region that voxels are given to.
type Name = (Region, Option<Side>, Option<usize>);

struct Map<'a> {
    coarse: &'a Coarse,
    bone: &'a BitMask,
    labels: Vec<u8>,
    /// Names in the order of their labels, with the confidence.
    names: Vec<(Name, f64)>,
    /// Bone of the vertebrae, which is no region.
    column: BitMask,
}

impl Map<'_> {
    fn place(&self, offset: usize) -> LpsPoint {
        self.coarse.place_at(offset)
    }

    /// Label of a name; `None` when there are too many.
    fn label(&mut self, name: Name, confidence: f64) -> Option<u8> {
        let known = self.names.iter().position(|(known, _)| *known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push((name, confidence));
            self.names.len() - 1
        });
        (at < MOST_REGIONS).then(|| u8::try_from(at + 1).ok())?
    }

    fn is_free(&self, offset: usize) -> bool {
        self.labels[offset] == 0 && !self.column.get(offset)
    }

    fn free(&self) -> BitMask {
        let free = self.bone.offsets().filter(|&offset| self.is_free(offset));
        BitMask::from_offsets(self.coarse.hu.size(), free)
    }
}

/// Labels the bones beside the column.
pub fn regions(
    coarse: &Coarse,
    bone: &BitMask,
    column: &Column,
    vertebrae: &[Vertebra],
    ribs: &FoundRibs,
    sacrum: Option<&Anchor>,
) -> Bones {
    let size = coarse.hu.size();
    let mut map = Map {
        coarse,
        bone,
        labels: vec![0; size.iter().product()],
        names: Vec::new(),
        column: BitMask::empty(size),
    };
    take_column(&mut map, column, ribs);
    label_ribs(&mut map, column, vertebrae, ribs);
    let s1 = sacrum.and_then(|anchor| {
        let n = usize::try_from(anchor.position).ok().filter(|&n| n < column.places.len())?;
        Some((column.frame_from_above(n), anchor.confidence.get()))
    });
    if let Some((frame, confidence)) = s1 {
        label_pelvis(&mut map, &frame, confidence);
    }
    label_rest(&mut map, column, vertebrae);
    finish(&map, vertebrae)
}

fn take_column(map: &mut Map<'_>, column: &Column, ribs: &FoundRibs) {
    let heights = column.places.iter().map(|place| (place.frame.origin.z(), place.step_mm));
    let (low, high) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (z, step)| {
        (low.min(z - 0.5 * step), high.max(z + 0.6 * step))
    });
    let in_column = map.bone.filter_map_offsets(|offset| {
        let p = map.place(offset);
        let local = column.beside_canal(p);
        let (ahead, behind) = COLUMN_MM;
        let inside = p.z() > low
            && p.z() < high
            && local.u.abs() < COLUMN_ASIDE_MM
            && local.v < ahead
            && local.v > behind;
        inside.then_some(offset)
    });
    for offset in in_column {
        map.column.insert(offset);
    }
    for &offset in &ribs.processes {
        map.column.insert(offset);
    }
}

fn label_ribs(map: &mut Map<'_>, column: &Column, vertebrae: &[Vertebra], ribs: &FoundRibs) {
    // From feet to head: what is listed does not hang on the order of voxels.
    let mut labels = vec![[None; 2]; ribs.sides.len()];
    for (n, pair) in ribs.sides.iter().enumerate() {
        let thoracic = vertebrae
            .get(n)
            .is_some_and(|v| v.section_guess == Some(SpineSection::Thoracic) || ribs.is_in_run(n));
        let confidence = if ribs.is_in_run(n) { 0.85 } else { 0.6 };
        for (at, side) in [Side::Left, Side::Right].into_iter().enumerate() {
            if thoracic && pair[at].sight() == Sight::Rib {
                labels[n][at] = map.label((Region::Rib, Some(side), Some(n)), confidence);
            }
        }
    }
    let label = |n: usize, left: bool| labels[n][usize::from(!left)];
    let seeds: Vec<(usize, u16)> = ribs
        .voxels
        .iter()
        .filter_map(|&(offset, n, left)| Some((offset, u16::from(label(n, left)?))))
        .collect();
    if seeds.is_empty() {
        return;
    }
    // Ribs go on to the front; the sternum between them is not theirs.
    let mut domain = map.free();
    let lowest =
        seeds.iter().map(|&(offset, _)| map.place(offset).z()).fold(f64::INFINITY, f64::min);
    let not_ribs = map.bone.filter_map_offsets(|offset| {
        let p = map.place(offset);
        let local = column.beside_canal(p);
        let sternum = local.u.abs() < STERNUM_MM.0 && local.v > STERNUM_MM.1;
        (sternum || p.z() < lowest - 80.0).then_some(offset)
    });
    for offset in not_ribs {
        domain.remove(offset);
    }
    for (offset, label) in nearest_owner(&domain, &seeds, 1) {
        map.labels[offset] = u8::try_from(label).unwrap_or(0);
    }
}

fn label_pelvis(map: &mut Map<'_>, s1: &Frame, confidence: f64) {
    let aside = |p: LpsPoint| (p - s1.origin).dot(s1.left);
    let mut domain = BitMask::empty(map.coarse.hu.size());
    let mut seeds: Vec<(usize, u16)> = Vec::new();
    for offset in map.bone.offsets().filter(|&offset| map.is_free(offset)) {
        let p = map.place(offset);
        let (u, back, below) = (aside(p), p.y() - s1.origin.y(), s1.origin.z() - p.z());
        if below < -CREST_ABOVE_MM || u.abs() > 210.0 {
            continue;
        }
        domain.insert(offset);
        let (wide, narrow) = SACRUM_ASIDE_MM;
        let half_width = wide + (narrow - wide) * (below / 70.0).clamp(0.0, 1.0);
        let midline = u.abs() < half_width && back > -SACRUM_AHEAD_MM;
        if midline && below > -12.0 && below < SACRUM_BELOW_MM {
            seeds.push((offset, 0));
        } else if u.abs() > HIP_ASIDE_MM {
            seeds.push((offset, if u > 0.0 { 1 } else { 2 }));
        } else if below > WING_BELOW_MM && back < -SACRUM_AHEAD_MM {
            // The front of the pelvis, up to the symphysis.
            seeds.push((offset, if u > 0.0 { 1 } else { 2 }));
        }
    }
    // Equal cost: by density the porous ala would go to the hip bone.
    let owned = nearest_owner(&domain, &seeds, 1);
    let joints: [Option<HipJoint>; 2] = [1.0, -1.0].map(|sign| hip_joint(map.coarse, s1, sign));
    for (offset, owner) in owned {
        let p = map.place(offset);
        let (name, sure) = if owner == 0 {
            ((Region::Sacrum, None, None), confidence)
        } else {
            let left = owner == 1;
            let side = if left { Side::Left } else { Side::Right };
            let joint = joints[usize::from(!left)].as_ref();
            let (region, sure) = hip_part(p, s1, aside(p).abs(), joint);
            ((region, Some(side), None), confidence * sure)
        };
        if let Some(label) = map.label(name, sure) {
            map.labels[offset] = label;
        }
    }
}

/// Which part of the hip bone, or the femur, a place on one side is.
fn hip_part(p: LpsPoint, s1: &Frame, aside: f64, joint: Option<&HipJoint>) -> (Region, f64) {
    let Some(joint) = joint else {
        let wing = s1.origin.z() - p.z() < WING_BELOW_MM;
        return if wing { (Region::Ilium, 0.9) } else { (Region::Other, 0.3) };
    };
    let from = p.distance(joint.centre);
    let above = p.z() - joint.centre.z();
    let outward = aside - (joint.centre - s1.origin).dot(s1.left).abs();
    let sure = joint.confidence;
    let ball = from <= joint.radius_mm + 1.5;
    let neck = outward > 0.4 * joint.radius_mm
        && above < 0.6 * joint.radius_mm
        && above > -joint.radius_mm;
    let shaft = above <= -joint.radius_mm && outward > -6.0;
    if ball || neck && from < 3.0 * joint.radius_mm || shaft {
        (Region::Femur, sure)
    } else if from <= joint.radius_mm + ACETABULUM_MM {
        (Region::Acetabulum, sure)
    } else if above >= 0.0 {
        (Region::Ilium, 0.95)
    } else if p.y() > joint.centre.y() - 4.0 {
        (Region::Ischium, sure)
    } else if aside < PUBIS_MM {
        (Region::Pubis, sure)
    } else {
        (Region::PubicRamus, sure)
    }
}

fn label_rest(map: &mut Map<'_>, column: &Column, vertebrae: &[Vertebra]) {
    let size = map.coarse.hu.size();
    let voxel_mm3 = map.coarse.spacing.powi(3);
    let thoracic: Vec<f64> = vertebrae
        .iter()
        .filter(|v| v.section_guess == Some(SpineSection::Thoracic))
        .map(|v| v.centroid.z())
        .collect();
    let (low, high) = thoracic
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &z| (low.min(z), high.max(z)));
    let mut pieces = components(&map.free(), Connectivity::Corners);
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.voxels));
    for piece in pieces {
        if (piece.voxels as f64) * voxel_mm3 < LEAST_MM3 {
            break;
        }
        let n = piece.voxels as f64;
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for offset in piece.offsets(size) {
            let p = map.place(offset);
            (x, y, z) = (x + p.x() / n, y + p.y() / n, z + p.z() / n);
        }
        let local = column.beside_canal(LpsPoint::new(x, y, z));
        let side = if local.u > 0.0 { Side::Left } else { Side::Right };
        let chest = z > low - 20.0;
        let (name, confidence): (Name, f64) = if chest
            && z < high + 40.0
            && local.u.abs() < 0.7 * STERNUM_MM.0
            && local.v > STERNUM_MM.1
            && n * voxel_mm3 < MOST_STERNUM_MM3
        {
            ((Region::Sternum, None, None), 0.7)
        } else if chest && local.u.abs() > 70.0 && z > high - 150.0 && high - low > 60.0 {
            ((Region::ShoulderGirdle, Some(side), None), 0.5)
        } else {
            let side = (local.u.abs() > 20.0).then_some(side);
            ((Region::Other, side, None), 0.3)
        };
        if let Some(label) = map.label(name, confidence) {
            for offset in piece.offsets(size) {
                map.labels[offset] = label;
            }
        }
    }
}

/// Centre and volume of each region; regions without a voxel of their own stay out.
fn finish(map: &Map<'_>, vertebrae: &[Vertebra]) -> Bones {
    let size = map.coarse.hu.size();
    let mut sums = vec![(0.0, 0.0, 0.0, 0.0); map.names.len()];
    // Nothing but bone is labelled.
    for offset in map.bone.offsets() {
        let label = map.labels[offset];
        if let Some(sum) = usize::from(label).checked_sub(1).and_then(|at| sums.get_mut(at)) {
            let p = map.place(offset);
            *sum = (sum.0 + p.x(), sum.1 + p.y(), sum.2 + p.z(), sum.3 + 1.0);
        }
    }
    let mut renamed = vec![0u8; map.names.len() + 1];
    let mut regions = Vec::new();
    let voxel_mm3 = map.coarse.spacing.powi(3);
    for (at, (((region, side, rib_of), confidence), (x, y, z, n))) in
        map.names.iter().zip(sums).enumerate()
    {
        if n * voxel_mm3 < LEAST_LISTED_MM3 {
            continue;
        }
        // Ribs that touch each other or the shoulder in the picture: what it is was not told.
        let merged = *region == Region::Rib && n * voxel_mm3 > MOST_RIB_MM3;
        let (region, confidence) =
            if merged { (Region::Other, MERGED_RIBS) } else { (*region, *confidence) };
        let rib_of = rib_of.filter(|_| !merged);
        regions.push(BoneRegion {
            region,
            side: *side,
            vertebra: rib_of.and_then(|m| vertebrae.get(m)).map(|v| VertebraId(v.id.0.clone())),
            centroid: LpsPoint::new(x / n, y / n, z / n),
            volume: CubicMillimetres::new(n * voxel_mm3),
            confidence: Share::new(confidence),
        });
        renamed[at + 1] = u8::try_from(regions.len()).unwrap_or(0);
    }
    let labels: Vec<u8> = map.labels.iter().map(|&label| renamed[usize::from(label)]).collect();
    let labels = Array3::from_vec(size, labels).unwrap_or_else(|| Array3::filled(size, 0));
    Bones { grid: map.coarse.grid.clone(), labels, regions }
}

/// Regions of less are slips of the split and are not listed, mm³.
const LEAST_LISTED_MM3: f64 = 300.0;
