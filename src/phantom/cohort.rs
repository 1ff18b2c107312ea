//! A population of CT phantoms, drawn from a stated spectrum.
//!
//! What is drawn stands in each case's truth (`spec`). The spectrum is wide on purpose: it is made
//! to break heuristics, not to copy a hospital's statistics. `docs/PHANTOMS.md` lists it.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use strum::VariantArray;

use super::random::{Stream, generator, normal_pair, uniform};
use super::spec::{
    Anatomy, Deformity, DeformityKind, InstanceOrder, Kernel, Lesion, LesionKind, LesionSite,
    LookAlike, LookAlikeKind, Pose, Scoliosis, Spec, Surrounding,
};
use crate::terms::{Level, SpineSection};
use crate::units::rounded;

/// Fields of view: first and last level, columns, pixel, mm.
const FIELDS: [(Level, Level, usize, f64); 6] = [
    (Level::C2, Level::T1, 256, 0.8),
    (Level::T1, Level::L1, 320, 1.1),
    (Level::T8, Level::S1, 320, 1.1),
    (Level::T1, Level::S1, 288, 1.3),
    (Level::T11, Level::L4, 224, 0.7),
    (Level::T4, Level::T9, 224, 0.7),
];

/// Slice thickness and spacing, mm.
const SLICES: [[f64; 2]; 7] =
    [[0.8, 0.8], [1.0, 1.0], [1.5, 1.0], [2.0, 2.0], [2.5, 2.5], [3.0, 3.0], [5.0, 5.0]];

const POSES: [Pose; 10] = [
    Pose::Hfs,
    Pose::Hfs,
    Pose::Hfs,
    Pose::Hfs,
    Pose::Hfs,
    Pose::Hfp,
    Pose::Hfdl,
    Pose::Hfdr,
    Pose::Ffs,
    Pose::Ffp,
];

struct Draw(ChaCha8Rng);

impl Draw {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        rounded(low + (high - low) * uniform(&mut self.0), 3)
    }

    fn normal(&mut self) -> f64 {
        normal_pair(&mut self.0)[0].clamp(-2.5, 2.5)
    }

    fn chance(&mut self, share: f64) -> bool {
        uniform(&mut self.0) < share
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let place = (uniform(&mut self.0) * of.len() as f64) as usize;
        of[place.min(of.len() - 1)]
    }
}

/// The spec of one case of a population; the same seed and number give the same case.
pub fn cohort_case(seed: u64, case: usize) -> Spec {
    let mut draw = Draw(generator(seed, Stream::Cohort(case)));
    let age = draw.between(25.0, 90.0);
    let marrow = (226.0 - 2.05 * (age - 25.0) + 40.0 * draw.normal()).max(15.0);
    let cortex = (1.0 - 0.008 * (age - 40.0).max(0.0) + 0.08 * draw.normal()).clamp(0.4, 1.15);
    let (first, last, columns, pixel) = draw.one(&FIELDS);
    let [thickness, spacing] = draw.one(&SLICES);
    let kernel = draw.one(&[Kernel::Soft, Kernel::Soft, Kernel::Bone, Kernel::Lung]);
    // About 12 HU at 3 mm with the soft kernel, more where slices are thin and kernels sharp.
    let sharp = match kernel {
        Kernel::Soft => 1.0,
        Kernel::Bone => 2.5,
        Kernel::Lung => 3.0,
    };
    let noise = sharp * draw.between(7.0, 18.0) * (3.0 / thickness).sqrt();
    let fwhm = match kernel {
        Kernel::Soft => draw.between(1.1, 1.5),
        Kernel::Bone | Kernel::Lung => draw.between(0.6, 0.9),
    };
    let mut anatomy = Anatomy::default();
    if draw.chance(0.12) {
        match draw.one(&[0, 1, 2, 3, 4, 5]) {
            0 => anatomy.lumbar = 6,
            1 => anatomy.lumbar = 4,
            2 => anatomy.thoracic = 13,
            3 => anatomy.thoracic = 11,
            4 => anatomy.last_rib_share = 0.2,
            _ => anatomy.lumbar_rib_share = 0.6,
        }
    }
    let levels: Vec<Level> = Level::VARIANTS
        .iter()
        .copied()
        .filter(|level| (first..=last).contains(level))
        .filter(|level| match level.section() {
            SpineSection::Thoracic => (*level as u8 - Level::T1 as u8) < anatomy.thoracic,
            SpineSection::Lumbar => (*level as u8 - Level::L1 as u8) < anatomy.lumbar,
            SpineSection::Cervical | SpineSection::Sacral => true,
        })
        .collect();
    let scoliosis = Scoliosis {
        cobb_deg: if draw.chance(0.3) { draw.between(-40.0, 40.0) } else { 0.0 },
        apex_station: draw.between(6.0, 14.0),
        half_length: draw.between(3.0, 5.0),
    };
    let mut surroundings = BTreeSet::from([
        Surrounding::Vessels,
        Surrounding::Ribs,
        Surrounding::BodyOutline,
        Surrounding::Couch,
    ]);
    if draw.chance(0.4) {
        surroundings.insert(Surrounding::ContrastMedium);
    }
    if draw.chance((age - 45.0) / 45.0) {
        surroundings.insert(Surrounding::VascularCalcium);
    }
    let (deformities, lesions, look_alikes) = changes(&mut draw, &levels, marrow);
    Spec {
        name: format!("cohort_{seed}_{case:04}"),
        seed: seed.wrapping_mul(1_000_003).wrapping_add(case as u64),
        levels,
        size: [columns, columns],
        pixel_spacing_mm: pixel,
        slice_thickness_mm: thickness,
        slice_spacing_mm: spacing,
        slices: None,
        field_shift_mm: [draw.between(-15.0, 15.0), draw.between(-10.0, 10.0), 0.0],
        pose: draw.one(&POSES),
        order: draw.one(&[InstanceOrder::AgainstNormal, InstanceOrder::AlongNormal]),
        in_plane_fwhm_mm: fwhm,
        kernel,
        noise: rounded(noise, 1),
        marrow: rounded(marrow, 1),
        size_factor: rounded(1.0 + 0.06 * draw.normal(), 3),
        anatomy,
        cortex: rounded(cortex, 3),
        disc_height: draw.between(0.75, 1.25),
        curvature: draw.between(0.6, 1.35),
        scoliosis,
        turn_deg: draw.between(-8.0, 8.0),
        tilt_deg: draw.between(-6.0, 6.0),
        surroundings,
        deformities,
        lesions,
        look_alikes,
        ..Spec::ct_lumbar()
    }
}

/// Height lost, lesions and look-alikes; half of the vertebrae at least stay as they are.
fn changes(
    draw: &mut Draw,
    levels: &[Level],
    marrow: f64,
) -> (Vec<Deformity>, Vec<Lesion>, Vec<LookAlike>) {
    let mut free: Vec<Level> = levels
        .iter()
        .copied()
        .filter(|level| !matches!(level, Level::C1 | Level::C2 | Level::S1))
        .collect();
    let mut left = free.len() / 2;
    let (mut deformities, mut lesions, mut look_alikes) = (vec![], vec![], vec![]);
    let mut take = |draw: &mut Draw| {
        if left == 0 {
            return None;
        }
        left -= 1;
        let level = draw.one(&free);
        free.retain(|other| *other != level);
        Some(level)
    };
    let wanted = if marrow < 110.0 { 0.6 } else { 0.1 };
    while draw.chance(wanted) {
        let Some(level) = take(draw) else { break };
        let kind =
            draw.one(&[DeformityKind::Wedge, DeformityKind::Biconcave, DeformityKind::Crush]);
        deformities.push(Deformity { level, kind, loss: draw.between(0.2, 0.6) });
    }
    while draw.chance(0.6) {
        let Some(level) = take(draw) else { break };
        let contrast_hu = draw.between(40.0, 500.0);
        let tissue_hu = draw.between(30.0, 90.0);
        let kind = match draw.one(&[0, 0, 1, 1, 2, 3, 4, 5]) {
            0 => LesionKind::Sclerotic { contrast_hu },
            1 => LesionKind::Lytic { tissue_hu },
            2 => LesionKind::Mixed { contrast_hu, tissue_hu },
            3 => LesionKind::PosteriorWallBreach {
                bulge_mm: draw.between(2.0, 6.0),
                gap_mm: if draw.chance(0.5) { draw.between(4.0, 12.0) } else { 0.0 },
            },
            4 => LesionKind::EpiduralMass { thickness_mm: draw.between(2.0, 7.0) },
            _ => LesionKind::ParavertebralMass { thickness_mm: draw.between(6.0, 20.0) },
        };
        let site = draw.one(&[
            LesionSite::Body,
            LesionSite::Body,
            LesionSite::Body,
            LesionSite::Pedicle,
            LesionSite::Lamina,
            LesionSite::SpinousProcess,
        ]);
        let in_marrow = matches!(
            kind,
            LesionKind::Sclerotic { .. } | LesionKind::Lytic { .. } | LesionKind::Mixed { .. }
        );
        lesions.push(Lesion {
            level,
            kind,
            place: [draw.between(-0.6, 0.6), draw.between(-0.6, 0.6), draw.between(-0.5, 0.5)],
            radius_mm: draw.between(4.0, 13.0),
            site: if in_marrow { site } else { LesionSite::Body },
        });
    }
    while draw.chance(0.5) {
        let Some(level) = take(draw) else { break };
        let kind = draw.one(&[
            LookAlikeKind::BoneIsland,
            LookAlikeKind::Haemangioma,
            LookAlikeKind::Osteophyte,
            LookAlikeKind::EndplateSclerosis,
            LookAlikeKind::FacetSclerosis,
            LookAlikeKind::SchmorlNode,
            LookAlikeKind::BasivertebralVein,
            LookAlikeKind::Cement,
            LookAlikeKind::Screw,
        ]);
        look_alikes.push(LookAlike {
            level,
            kind,
            place: [draw.between(-0.5, 0.5), draw.between(-0.4, 0.5), draw.between(-0.3, 0.3)],
            radius_mm: draw.between(3.0, 8.0),
        });
    }
    (deformities, lesions, look_alikes)
}
