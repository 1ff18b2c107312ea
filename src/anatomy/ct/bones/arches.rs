//! The arches of the vertebrae: pedicles, and what lies behind them.
//!
//! # Method
//! Bone behind the plane of the back wall, beside the column, is cut into vertebrae by planes between neighbouring
//! bodies that fall backward (laminae and spinous processes hang down) and, in the lumbar spine, rise to the sides
//! from the facets outward: there the superior articular process of the lower vertebra lies beside the inferior one
//! of the upper; further up it lies before it.
//! What lies well between two such planes is sure; the rest goes to the vertebra that the shortest way through
//! bone leads to. A pedicle is the part beside the canal, from the plane of the back wall to the canal's middle.
//!
//! # Limits
//! On the 2 mm grid joints are closed, so a facet is given by its place alone. Heads and necks of ribs within
//! 26 mm of the midline are taken along. Fall and rise were read from two lumbar spines.

use strum::VariantArray;

use super::column::{Column, Place};
use super::regions::COLUMN_ASIDE_MM;
use crate::anatomy::ct::coarse::Coarse;
use crate::anatomy::model::{ArchPart, ArchRegion, Arches, Vertebra, VertebraId};
use crate::geometry::{LocalPoint, LpsPoint, LpsVector};
use crate::kernels::{Array3, BitMask, dilate, erode, nearest_owner};
use crate::terms::SpineSection;
use crate::units::{CubicMillimetres, Share};

/// What parts two arches falls by this share of the distance behind the canal's middle.
const FALL: f64 = 0.3;
/// From here to there, mm to the side of the midline, they rise by as much as one goes outward: from the facet joints
/// to the transverse processes.
const RISE_MM: (f64, f64) = (14.0, 26.0);
/// That is so between lumbar vertebrae and less and less above: none at the lower, all at the upper of these
/// distances between bodies, mm.
const RISE_STEP_MM: (f64, f64) = (18.0, 34.0);
/// The middle share of the height between two planes is sure.
const SURE: f64 = 0.4;
/// Bone further behind the canal's middle is none, mm (spinous processes end 50 to 70 mm behind it).
const BEHIND_MM: f64 = 75.0;
/// What lies less behind the plane of the back wall belongs to the body, mm: a coarse voxel.
const WALL_MM: f64 = 2.0;
/// Pedicles end this far to the side of the canal's wall, mm (up to 18 wide at L5, 5 to 10 above).
const PEDICLE_WIDTH_MM: f64 = 16.0;
/// They lie between these shares of a step from the body's centre upward.
const PEDICLE_HEIGHT: (f64, f64) = (-0.2, 0.45);
/// Pieces of less are slips, mm³.
const LEAST_MM3: f64 = 80.0;
/// How sure a part is that its vertebra is sure of: on masks of two lumbar spines 0.86 to 0.99 of the voxels
/// had the right vertebra (`docs/CT_LEVELS_AND_BONES.md`).
const CONFIDENCE: f64 = 0.85;

/// A voxel of bone behind the bodies.
struct Behind {
    offset: usize,
    /// The vertebra that the partings give it to.
    vertebra: usize,
    /// Whether it lies well between two of them.
    sure: bool,
}

/// The arches of the vertebrae. `bone` is on the coarse grid; `processes` are its voxels that hang on vertebrae at
/// the side; `is_s1` tells the first sacral vertebra, whose arch belongs to another bone.
pub fn arches(
    coarse: &Coarse,
    bone: &BitMask,
    column: &Column,
    vertebrae: &[Vertebra],
    processes: &[usize],
    is_s1: impl Fn(usize) -> bool,
) -> Arches {
    let size = coarse.hu.size();
    let process = BitMask::from_offsets(size, processes.iter().copied());
    let bodies = bodies(coarse, vertebrae);
    let partings = partings(column);
    let is_behind = |offset: usize| {
        let (local, section) = column.beside(coarse.place_at(offset));
        let beside = local.u.abs() < COLUMN_ASIDE_MM || process.get(offset);
        let in_canal =
            libm::hypot(local.u, local.v) < section.radius(libm::atan2(local.u, local.v));
        let back_wall = section.anterior.mm() - WALL_MM;
        (beside && !in_canal && local.v <= back_wall && local.v >= -BEHIND_MM)
            && !bodies.get(offset)
    };
    let cortex = bone.filter_map_offsets(|offset| is_behind(offset).then_some(offset));
    let cortex = BitMask::from_offsets(size, cortex);
    // Marrow between cortex may be no denser than soft tissue.
    let one = [1; 3];
    let closed = erode(&dilate(&cortex, one), one);
    let behind = closed.filter_map_offsets(|offset| {
        let point = coarse.place_at(offset);
        if !cortex.get(offset) && !is_behind(offset) {
            return None;
        }
        let (vertebra, sure) = between(&partings, point, column.beside_canal(point))?;
        Some(Behind { offset, vertebra, sure })
    });
    let mut domain = BitMask::from_offsets(size, behind.iter().map(|voxel| voxel.offset));
    let seeds: Vec<(usize, u16)> = behind
        .iter()
        .filter(|voxel| voxel.sure)
        .filter_map(|voxel| Some((voxel.offset, u16::try_from(voxel.vertebra).ok()?)))
        .collect();
    let mut owned: Vec<(usize, usize)> = nearest_owner(&domain, &seeds, 1)
        .into_iter()
        .map(|(offset, n)| (offset, usize::from(n)))
        .collect();
    // Pieces without a sure voxel keep what the partings say.
    for &(offset, _) in &owned {
        domain.remove(offset);
    }
    let rest = behind.iter().filter(|voxel| domain.get(voxel.offset));
    owned.extend(rest.map(|voxel| (voxel.offset, voxel.vertebra)));
    label(coarse, column, vertebrae, &owned, is_s1)
}

/// The bodies on the coarse grid.
fn bodies(coarse: &Coarse, vertebrae: &[Vertebra]) -> BitMask {
    let mut all = BitMask::empty(coarse.hu.size());
    for body in vertebrae.iter().filter_map(|vertebra| vertebra.body.as_ref()) {
        if let Some((mask, _, _)) = body.surface.rasterise(&body.frame, &coarse.grid) {
            for offset in mask.offsets() {
                all.insert(offset);
            }
        }
    }
    all
}

/// What parts two arches, near the bodies a plane.
#[derive(Clone, Copy, Debug)]
struct Parting {
    /// Between the bodies.
    point: LpsPoint,
    /// Towards the head.
    up: LpsVector,
    /// How much it rises to the sides, 0 to 1.
    rise: f64,
}

impl Parting {
    fn new(point: LpsPoint, up: LpsVector, step_mm: f64) -> Self {
        let (none, all) = RISE_STEP_MM;
        Self { point, up, rise: ((step_mm - none) / (all - none)).clamp(0.0, 1.0) }
    }

    /// How far a place lies above, mm; `local` to the canal beside it.
    fn above(&self, place: LpsPoint, local: LocalPoint) -> f64 {
        let fall = FALL * (-local.v).max(0.0);
        let (from, to) = RISE_MM;
        let rise = self.rise * (local.u.abs().min(to) - from).max(0.0);
        (place - self.point).dot(self.up) + fall - rise
    }
}

/// Partings below, between and above the vertebrae.
fn partings(column: &Column) -> Vec<Parting> {
    let places = &column.places;
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Vec::new() };
    let end = |place: &Place, steps: f64| {
        let point = place.frame.origin + place.frame.up * (steps * place.step_mm);
        Parting::new(point, place.frame.up, place.step_mm)
    };
    let between = places.windows(2).map(|pair| {
        let across = pair[1].frame.origin - pair[0].frame.origin;
        let up = (pair[0].frame.up + pair[1].frame.up) * 0.5;
        Parting::new(pair[0].frame.origin + across * 0.5, up, pair[0].step_mm)
    });
    std::iter::once(end(first, -0.5)).chain(between).chain([end(last, 0.5)]).collect()
}

/// The vertebra between whose partings a place lies, `local` to the canal beside it, and whether well between them.
fn between(partings: &[Parting], place: LpsPoint, local: LocalPoint) -> Option<(usize, bool)> {
    let higher = partings.iter().take_while(|parting| parting.above(place, local) > 0.0).count();
    let lower = partings.get(higher.checked_sub(1)?)?.above(place, local);
    let upper = partings.get(higher)?.above(place, local);
    let share = lower / (lower - upper);
    Some((higher - 1, (share - 0.5).abs() < 0.5 * SURE))
}

/// Names the parts.
fn label(
    coarse: &Coarse,
    column: &Column,
    vertebrae: &[Vertebra],
    owned: &[(usize, usize)],
    is_s1: impl Fn(usize) -> bool,
) -> Arches {
    let size = coarse.hu.size();
    let mut sums = vec![[(0.0, 0.0, 0.0, 0.0); ArchPart::VARIANTS.len()]; vertebrae.len()];
    let part_of = |offset: usize, n: usize| {
        let point = coarse.place_at(offset);
        let (local, section) = column.beside(point);
        let place = &column.places[n];
        let height = place.frame.to_local(point).s / place.step_mm;
        let (wall, part) = if local.u > 0.0 {
            (section.left, ArchPart::LeftPedicle)
        } else {
            (section.right, ArchPart::RightPedicle)
        };
        let aside = wall.map(|wall| local.u.abs() - wall.mm());
        let beside_canal =
            aside.is_some_and(|mm| (-coarse.spacing..PEDICLE_WIDTH_MM).contains(&mm));
        let (low, high) = PEDICLE_HEIGHT;
        if beside_canal && local.v > 0.0 && (low..high).contains(&height) {
            part
        } else {
            ArchPart::PosteriorElements
        }
    };
    let told: Vec<(usize, usize, ArchPart)> =
        owned.iter().map(|&(offset, n)| (offset, n, part_of(offset, n))).collect();
    for &(offset, n, part) in &told {
        let (p, sum) = (coarse.place_at(offset), &mut sums[n][part as usize]);
        *sum = (sum.0 + p.x(), sum.1 + p.y(), sum.2 + p.z(), sum.3 + 1.0);
    }
    let mut regions = Vec::new();
    let mut labels_of = vec![[0u8; ArchPart::VARIANTS.len()]; vertebrae.len()];
    let voxel_mm3 = coarse.spacing.powi(3);
    for (n, ((vertebra, sums), labels)) in
        vertebrae.iter().zip(&sums).zip(&mut labels_of).enumerate()
    {
        // The arch of S1 is that of the sacrum.
        if is_s1(n) || vertebra.section_guess == Some(SpineSection::Sacral) {
            continue;
        }
        for ((&part, &(x, y, z, count)), label) in
            ArchPart::VARIANTS.iter().zip(sums).zip(labels.iter_mut())
        {
            if count * voxel_mm3 < LEAST_MM3 {
                continue;
            }
            regions.push(ArchRegion {
                vertebra: VertebraId(vertebra.id.0.clone()),
                part,
                centroid: LpsPoint::new(x / count, y / count, z / count),
                volume: CubicMillimetres::new(count * voxel_mm3),
                confidence: Share::new(CONFIDENCE * vertebra.confidence.get()),
            });
            *label = u8::try_from(regions.len()).unwrap_or(0);
        }
    }
    let mut labels = Array3::filled(size, 0u8);
    for (offset, n, part) in told {
        labels.data_mut()[offset] = labels_of[n][part as usize];
    }
    Arches { grid: coarse.grid.clone(), labels, regions }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where a place is given to among three vertebrae `step` apart along z, the lowest body's centre at z = 0.
    fn stepwise(step: f64, u: f64, back: f64, z: f64) -> Option<(usize, bool)> {
        let partings = [-0.5, 0.5, 1.5, 2.5]
            .map(|n| Parting::new(LpsPoint::new(0.0, -20.0, n * step), LpsVector::HEAD, step));
        let local = LocalPoint { s: 0.0, v: -back, u };
        between(&partings, LpsPoint::new(u, back, z), local)
    }

    /// Lumbar vertebrae.
    fn at(u: f64, back: f64, z: f64) -> Option<(usize, bool)> {
        stepwise(34.0, u, back, z)
    }

    #[test]
    fn spinous_processes_hang_down_and_superior_facets_rise_beside_them() {
        assert_eq!(at(0.0, 40.0, 24.0), Some((1, true)));
        assert_eq!(at(0.0, 40.0, 7.0).map(|it| it.0), Some(1), "the upper one's process");
        assert_eq!(at(8.0, 14.0, 14.0).map(|it| it.0), Some(1), "inferior facet of the upper one");
        assert_eq!(at(22.0, 4.0, 22.0).map(|it| it.0), Some(0), "superior facet of the lower one");
        // In the neck the articular pillars lie one above the other.
        assert_eq!(stepwise(17.0, 22.0, 4.0, 11.0).map(|it| it.0), Some(1));
    }

    #[test]
    fn nothing_is_given_to_a_vertebra_beyond_the_ends() {
        assert_eq!(at(0.0, 0.0, -18.0), None);
        assert_eq!(at(0.0, 0.0, 86.0), None);
    }

    proptest! {
        #[test]
        fn going_up_never_leads_to_a_lower_vertebra_and_both_sides_are_alike(
            u in -50.0..50.0f64, back in -15.0..75.0f64, z in -30.0..90.0f64, more in 0.0..40.0f64,
        ) {
            prop_assert_eq!(at(u, back, z), at(-u, back, z));
            if let (Some((low, _)), Some((high, _))) = (at(u, back, z), at(u, back, z + more)) {
                prop_assert!(low <= high);
            }
        }
    }
}
