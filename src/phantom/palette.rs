//! What each tissue shows on each scanner.
//!
//! CT: HU at 120 kV. MR T1: signal relative to fatty-mixed marrow from spin-echo 550/10 with
//! published relaxation times; disc, muscle and fat as measured on T1 series of healthy people,
//! where discs are brighter than the equation says (body over disc 1.6, over muscle 1.5).

use super::spec::{Modality, Spec, Surrounding};

/// Value of every tissue, and how it varies.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    pub air: f64,
    pub gas: f64,
    pub skin: f64,
    pub fat: f64,
    pub fat_grain: f64,
    pub muscle: f64,
    pub muscle_grain: f64,
    pub bowel: f64,
    pub bowel_grain: f64,
    pub kidney: f64,
    pub artery: f64,
    pub vein: f64,
    pub vessel_wall: f64,
    pub ligament: f64,
    pub flavum: f64,
    pub annulus: f64,
    pub nucleus: f64,
    pub epidural_fat: f64,
    pub csf: f64,
    pub cord: f64,
    pub roots: f64,
    pub marrow: f64,
    /// Shares of the marrow: standard deviation of fine and coarse grain, gain at endplates.
    pub marrow_fine: f64,
    pub marrow_coarse: f64,
    pub marrow_endplate: f64,
    /// Marrow of posterior elements and of pelvis and ribs as a share of that of bodies.
    pub posterior_marrow: f64,
    pub pelvic_marrow: f64,
    pub basivertebral: f64,
    pub tumour: f64,
    pub cortex: f64,
    pub endplate: f64,
    pub arch_cortex: f64,
    /// Thickness of the wall's cortex and of the endplates, mm.
    pub wall_mm: f64,
    pub endplate_mm: f64,
    /// Thickness of the cortex of arches, mm.
    pub arch_mm: f64,
}

impl Palette {
    pub fn new(spec: &Spec) -> Self {
        match spec.modality {
            Modality::Ct => {
                let contrast = spec.surroundings.contains(&Surrounding::ContrastMedium);
                Self {
                    air: -1000.0,
                    gas: -850.0,
                    skin: 20.0,
                    fat: -103.0,
                    fat_grain: 6.0,
                    muscle: if contrast { 68.0 } else { 57.0 },
                    muscle_grain: 9.0,
                    bowel: 28.0,
                    bowel_grain: 22.0,
                    kidney: if contrast { 170.0 } else { 34.0 },
                    artery: if contrast { 190.0 } else { 44.0 },
                    vein: if contrast { 140.0 } else { 42.0 },
                    vessel_wall: 55.0,
                    ligament: 80.0,
                    flavum: 75.0,
                    annulus: 96.0,
                    nucleus: 76.0,
                    epidural_fat: -70.0,
                    csf: 16.0,
                    cord: 38.0,
                    roots: 36.0,
                    marrow: spec.marrow,
                    marrow_fine: 0.20,
                    marrow_coarse: 0.12,
                    marrow_endplate: 0.25,
                    posterior_marrow: 1.7,
                    pelvic_marrow: 0.8,
                    basivertebral: 75.0,
                    tumour: 58.0,
                    cortex: 1050.0,
                    endplate: 820.0,
                    arch_cortex: 880.0,
                    wall_mm: 0.55,
                    endplate_mm: 0.75,
                    arch_mm: 1.0,
                }
            }
            Modality::MrT1 => {
                let m = spec.marrow;
                Self {
                    air: 0.0,
                    gas: 0.03 * m,
                    skin: 0.55 * m,
                    fat: 1.45 * m,
                    fat_grain: 0.05 * m,
                    muscle: 0.52 * m,
                    muscle_grain: 0.04 * m,
                    bowel: 0.55 * m,
                    bowel_grain: 0.14 * m,
                    kidney: 0.62 * m,
                    artery: 0.10 * m,
                    vein: 0.16 * m,
                    vessel_wall: 0.30 * m,
                    ligament: 0.14 * m,
                    flavum: 0.42 * m,
                    annulus: 0.42 * m,
                    nucleus: 0.60 * m,
                    epidural_fat: 1.20 * m,
                    csf: 0.27 * m,
                    cord: 0.52 * m,
                    roots: 0.42 * m,
                    marrow: m,
                    marrow_fine: 0.05,
                    marrow_coarse: 0.07,
                    marrow_endplate: 0.03,
                    posterior_marrow: 1.05,
                    pelvic_marrow: 1.05,
                    basivertebral: 0.80 * m,
                    tumour: 0.45 * m,
                    cortex: 0.08 * m,
                    endplate: 0.08 * m,
                    arch_cortex: 0.08 * m,
                    wall_mm: 0.8,
                    endplate_mm: 0.8,
                    arch_mm: 1.0,
                }
            }
        }
    }
}
