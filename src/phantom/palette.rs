//! What each tissue shows on each scanner.
//!
//! CT: HU at 120 kV. MR: shares of the marrow's signal; T1: relative to fatty-mixed marrow from spin-echo 550/10 with
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
    pub oedema: f64,
    pub red_marrow: f64,
    pub lung: f64,
    pub lung_grain: f64,
    pub liver: f64,
    /// Compact bone of an island, struts of a haemangioma, what sclerosis adds.
    pub compact: f64,
    pub strut: f64,
    pub sclerosis: f64,
    pub cement: f64,
    pub metal: f64,
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
    #[rustfmt::skip]
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
                    csf: if spec.surroundings.contains(&Surrounding::IntrathecalContrast) { 450.0 } else { 16.0 },
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
                    oedema: spec.marrow,
                    red_marrow: spec.marrow + 25.0,
                    lung: -860.0,
                    lung_grain: 22.0,
                    liver: if contrast { 108.0 } else { 58.0 },
                    compact: 1150.0,
                    strut: 420.0,
                    sclerosis: 330.0,
                    cement: 1900.0,
                    metal: 3071.0,
                    cortex: 1050.0,
                    endplate: 820.0,
                    arch_cortex: 880.0,
                    wall_mm: 0.55 * spec.cortex,
                    endplate_mm: 0.75 * spec.cortex,
                    arch_mm: 0.4 + 0.6 * spec.cortex,
                }
            }
            // Relative to marrow: spin-echo 550/10; tumour as measured, not as computed.
            Modality::MrT1 => mr(
                spec.marrow,
                &Signals {
                    skin: 0.55, fat: 1.45, muscle: 0.52, bowel: 0.55, kidney: 0.62, vessel: 0.13,
                    ligament: 0.14, flavum: 0.42, annulus: 0.42, nucleus: 0.60,
                    epidural_fat: 1.20, csf: 0.27, cord: 0.52, roots: 0.42, vein: 0.80,
                    tumour: 0.45, oedema: 0.50, red_marrow: 0.66, liver: 0.70,
                },
            ),
            // Fast spin echo, on which fat stays bright.
            Modality::MrT2 => mr(
                spec.marrow,
                &Signals {
                    skin: 0.50, fat: 1.35, muscle: 0.34, bowel: 0.95, kidney: 1.45, vessel: 0.12,
                    ligament: 0.14, flavum: 0.35, annulus: 0.42, nucleus: 1.35,
                    epidural_fat: 1.25, csf: 2.40, cord: 0.95, roots: 1.15, vein: 1.35,
                    tumour: 1.25, oedema: 1.60, red_marrow: 0.88, liver: 0.45,
                },
            ),
            // Fat nulled: what is left of marrow is its water.
            Modality::MrStir => mr(
                spec.marrow,
                &Signals {
                    skin: 0.9, fat: 0.55, muscle: 1.15, bowel: 2.6, kidney: 4.2, vessel: 0.45,
                    ligament: 0.4, flavum: 1.0, annulus: 1.1, nucleus: 3.3,
                    epidural_fat: 0.7, csf: 6.0, cord: 2.4, roots: 2.9, vein: 2.4,
                    tumour: 3.1, oedema: 4.0, red_marrow: 1.7, liver: 1.6,
                },
            ),
            // Gradient echo; marrow of 45 % fat.
            Modality::MrInPhase => mr(
                spec.marrow,
                &Signals {
                    skin: 0.7, fat: 1.35, muscle: 0.78, bowel: 0.8, kidney: 0.8, vessel: 0.9,
                    ligament: 0.25, flavum: 0.6, annulus: 0.65, nucleus: 0.85,
                    epidural_fat: 1.25, csf: 0.55, cord: 0.85, roots: 0.7, vein: 0.9,
                    tumour: 0.70, oedema: 0.85, red_marrow: 0.92, liver: 0.9,
                },
            ),
            // Marrow keeps 42 % of its signal in phase; water, and fat alone, keep all.
            Modality::MrOpposedPhase => mr(
                spec.marrow,
                &Signals {
                    skin: 1.5, fat: 3.0, muscle: 1.8, bowel: 1.8, kidney: 1.85, vessel: 2.1,
                    ligament: 0.6, flavum: 1.3, annulus: 1.5, nucleus: 2.0,
                    epidural_fat: 2.8, csf: 1.3, cord: 2.0, roots: 1.6, vein: 1.9,
                    tumour: 1.64, oedema: 1.25, red_marrow: 1.2, liver: 1.95,
                },
            ),
        }
    }
}

/// Signals as shares of that of marrow.
struct Signals {
    skin: f64,
    fat: f64,
    muscle: f64,
    bowel: f64,
    kidney: f64,
    vessel: f64,
    ligament: f64,
    flavum: f64,
    annulus: f64,
    nucleus: f64,
    epidural_fat: f64,
    csf: f64,
    cord: f64,
    roots: f64,
    vein: f64,
    tumour: f64,
    oedema: f64,
    red_marrow: f64,
    liver: f64,
}

fn mr(m: f64, signals: &Signals) -> Palette {
    Palette {
        air: 0.0,
        gas: 0.03 * m,
        skin: signals.skin * m,
        fat: signals.fat * m,
        fat_grain: 0.035 * signals.fat * m,
        muscle: signals.muscle * m,
        muscle_grain: 0.077 * signals.muscle * m,
        bowel: signals.bowel * m,
        bowel_grain: 0.25 * signals.bowel * m,
        kidney: signals.kidney * m,
        artery: 0.8 * signals.vessel * m,
        vein: 1.2 * signals.vessel * m,
        vessel_wall: 0.5 * signals.muscle * m,
        ligament: signals.ligament * m,
        flavum: signals.flavum * m,
        annulus: signals.annulus * m,
        nucleus: signals.nucleus * m,
        epidural_fat: signals.epidural_fat * m,
        csf: signals.csf * m,
        cord: signals.cord * m,
        roots: signals.roots * m,
        marrow: m,
        marrow_fine: 0.05,
        marrow_coarse: 0.07,
        marrow_endplate: 0.03,
        posterior_marrow: 1.05,
        pelvic_marrow: 1.05,
        basivertebral: signals.vein * m,
        tumour: signals.tumour * m,
        oedema: signals.oedema * m,
        red_marrow: signals.red_marrow * m,
        lung: 0.05 * m,
        lung_grain: 0.02 * m,
        liver: signals.liver * m,
        compact: 0.10 * m,
        strut: 0.5 * m,
        // Added to marrow: dense bone is dark.
        sclerosis: -0.5 * m,
        cement: 0.06 * m,
        metal: 0.0,
        cortex: 0.08 * m,
        endplate: 0.08 * m,
        arch_cortex: 0.08 * m,
        wall_mm: 0.8,
        endplate_mm: 0.8,
        arch_mm: 1.0,
    }
}
