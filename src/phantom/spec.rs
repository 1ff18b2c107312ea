//! What to make: a phantom study as data.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::PhantomError;
use crate::terms::{FeatureId, Level};

/// Which scanner and contrast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// CT, Hounsfield units.
    Ct,
    /// MR, T1-weighted spin echo.
    MrT1,
    /// MR, T2-weighted fast spin echo.
    MrT2,
    /// MR, short inversion time: fat dark.
    MrStir,
    /// MR gradient echo, fat and water in phase.
    MrInPhase,
    /// MR gradient echo, fat and water opposed.
    MrOpposedPhase,
}

impl Modality {
    /// Whether it is CT.
    pub const fn is_ct(self) -> bool {
        matches!(self, Self::Ct)
    }
}

/// How the slices lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Rows from right to left, columns from front to back, stack to the head.
    Axial,
    /// Rows from front to back, columns from head to foot, stack to the right.
    Sagittal,
    /// Rows from right to left, columns from head to foot, stack to the back.
    Coronal,
}

/// Reconstruction kernel of CT: how the noise is correlated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Smooth; noise correlated over about a millimetre.
    Soft,
    /// Sharp; noise nearly white.
    Bone,
    /// Sharper than it can be: edges overshoot, noise rises with frequency.
    Lung,
}

/// How the patient lies in the scanner. Coordinates stay the patient's own; the image's axes
/// turn, as on a scanner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pose {
    /// Head first, supine.
    #[default]
    Hfs,
    /// Head first, prone.
    Hfp,
    /// Head first, on the left side.
    Hfdl,
    /// Head first, on the right side.
    Hfdr,
    /// Feet first, supine.
    Ffs,
    /// Feet first, prone.
    Ffp,
}

/// Which way instance numbers run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceOrder {
    /// Against the stack's normal: from the head down, from the right to the left.
    #[default]
    AgainstNormal,
    /// Along the stack's normal.
    AlongNormal,
}

/// As which kind of object slices are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// One object a slice.
    #[default]
    Classic,
    /// All slices as frames of one object.
    Enhanced,
}

/// How many vertebrae, and what their ribs are like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Anatomy {
    /// Vertebrae with ribs, 11 to 13.
    pub thoracic: u8,
    /// Lumbar vertebrae, 4 to 6.
    pub lumbar: u8,
    /// Length of the last ribs as a share of their normal one; 0.15 for stubs.
    pub last_rib_share: f64,
    /// Length of ribs at L1 as a share of a twelfth rib's; 0 for none.
    pub lumbar_rib_share: f64,
}

impl Default for Anatomy {
    fn default() -> Self {
        Self { thoracic: 12, lumbar: 5, last_rib_share: 1.0, lumbar_rib_share: 0.0 }
    }
}

/// A sideways curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scoliosis {
    /// Cobb angle of the main curve, degrees; positive when it is convex to the left.
    pub cobb_deg: f64,
    /// Its apex, as a station of the spine: T1 is 0, T12 11, L1 12, L5 16.
    pub apex_station: f64,
    /// Vertebrae between the apex and each end vertebra.
    pub half_length: f64,
}

impl Default for Scoliosis {
    fn default() -> Self {
        Self { cobb_deg: 0.0, apex_station: 11.0, half_length: 4.0 }
    }
}

impl Scoliosis {
    /// Sideways tilt of a segment, degrees: half the Cobb angle at each end vertebra, none at the
    /// apex, fading beyond into the curves that balance it.
    pub(super) fn lateral_tilt_deg(&self, station: f64) -> f64 {
        let x = (station - self.apex_station) / self.half_length.max(1.0);
        let wave = libm::sin(0.5 * std::f64::consts::PI * x.clamp(-2.0, 2.0));
        -0.5 * self.cobb_deg * wave
    }

    /// Turn of a segment about its axis, degrees: the body turns to the convex side, most at the
    /// apex (about a third of the Cobb angle).
    pub(super) fn rotation_deg(&self, station: f64) -> f64 {
        let x = (station - self.apex_station) / self.half_length.max(1.0);
        let share = (1.0 - (0.5 * x) * (0.5 * x)).max(0.0);
        0.33 * self.cobb_deg * share * share
    }
}

/// How a body has lost height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeformityKind {
    /// In front.
    Wedge,
    /// In the middle.
    Biconcave,
    /// In front and behind; from a loss of three quarters on it is a plana.
    Crush,
}

impl DeformityKind {
    /// The name used in truth files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wedge => "wedge",
            Self::Biconcave => "biconcave",
            Self::Crush => "crush",
        }
    }
}

/// Height lost by one body. Whether it is old or new is told by what else the spec puts there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deformity {
    /// Which body.
    pub level: Level,
    /// Where its height is lost.
    pub kind: DeformityKind,
    /// Share of the height lost where it is lost, 0 to 0.9.
    pub loss: f64,
}

/// Where in the vertebra a lesion's centre lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LesionSite {
    /// In the body, at [`Lesion::place`].
    #[default]
    Body,
    /// In the middle of the pedicle of the side that `place[0]` points to.
    Pedicle,
    /// In the lamina and articular pillar of that side.
    Lamina,
    /// In the spinous process.
    SpinousProcess,
}

/// What looks like a lesion and is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookAlikeKind {
    /// Compact bone in the marrow, about 1100 HU, spiky at its edge.
    BoneIsland,
    /// Fat between thick upright trabeculae.
    Haemangioma,
    /// A spur at the rim of the upper endplate, on the side of `place[0]`.
    Osteophyte,
    /// Dense band at the lower endplate.
    EndplateSclerosis,
    /// Dense articular processes.
    FacetSclerosis,
    /// Disc in the body, with a dense rim, through the upper endplate.
    SchmorlNode,
    /// A wide basivertebral vein.
    BasivertebralVein,
    /// Bone cement.
    Cement,
    /// A screw through each pedicle.
    Screw,
    /// Endplate change with oedema (MR).
    ModicOne,
    /// Endplate change with fat (MR).
    ModicTwo,
    /// Endplate change with sclerosis.
    ModicThree,
    /// An island of fat in the marrow.
    FocalFat,
    /// An island of red marrow.
    RedMarrow,
}

impl LookAlikeKind {
    /// Whether it is painted about the place that was asked for; the others have a place of their own
    /// in the vertebra (endplate, facet, pedicle).
    pub const fn is_a_ball(self) -> bool {
        matches!(
            self,
            Self::BoneIsland | Self::Haemangioma | Self::Cement | Self::FocalFat | Self::RedMarrow
        )
    }

    /// The name used in truth files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BoneIsland => "bone_island",
            Self::Haemangioma => "haemangioma",
            Self::Osteophyte => "osteophyte",
            Self::EndplateSclerosis => "endplate_sclerosis",
            Self::FacetSclerosis => "facet_sclerosis",
            Self::SchmorlNode => "schmorl_node",
            Self::BasivertebralVein => "basivertebral_vein",
            Self::Cement => "cement",
            Self::Screw => "screw",
            Self::ModicOne => "modic_one",
            Self::ModicTwo => "modic_two",
            Self::ModicThree => "modic_three",
            Self::FocalFat => "focal_fat",
            Self::RedMarrow => "red_marrow",
        }
    }
}

/// A look-alike in one vertebra.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookAlike {
    /// Which vertebra.
    pub level: Level,
    /// Which kind.
    pub kind: LookAlikeKind,
    /// Centre in the body, as [`Lesion::place`]; kinds with a place of their own use what they can.
    pub place: [f64; 3],
    /// Radius, mm; depth of a band or node.
    pub radius_mm: f64,
}

/// What lies around the spine besides fat and muscle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surrounding {
    /// Aorta and vena cava with plain blood.
    Vessels,
    /// Contrast medium in the vessels and organs (CT).
    ContrastMedium,
    /// Contrast medium in the thecal sac: a myelography (CT).
    IntrathecalContrast,
    /// Calcium in the wall of the aorta (CT).
    VascularCalcium,
    /// Ribs of thoracic levels.
    Ribs,
    /// Skin and, behind it, air; without it the field is filled with tissue.
    BodyOutline,
    /// Couch behind the patient (CT, supine, with the outline).
    Couch,
    /// Arms beside the trunk (with the outline).
    Arms,
}

/// A lesion's kind with its strength.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LesionKind {
    /// Denser marrow (CT).
    Sclerotic {
        /// Above the marrow around it, HU, in the core.
        contrast_hu: f64,
    },
    /// Marrow replaced by tissue without trabeculae (CT); where it reaches a wall the cortex is
    /// lost.
    Lytic {
        /// HU of the tissue in the core.
        tissue_hu: f64,
    },
    /// Lytic core with dense islands and rim (CT).
    Mixed {
        /// Above the marrow, HU, of the dense parts.
        contrast_hu: f64,
        /// HU of the tissue between.
        tissue_hu: f64,
    },
    /// Posterior wall pushed into the canal and open (CT).
    PosteriorWallBreach {
        /// How far the wall stands behind its place, mm.
        bulge_mm: f64,
        /// Width of the opening in the cortex, mm; 0 for a bulge with whole cortex.
        gap_mm: f64,
    },
    /// Soft tissue in the canal behind the wall.
    EpiduralMass {
        /// Its depth at the middle, mm.
        thickness_mm: f64,
    },
    /// Soft tissue beside the body, on the side that `place[0]` points to.
    ParavertebralMass {
        /// How far it stands out from the wall, mm.
        thickness_mm: f64,
    },
    /// Marrow fat replaced (MR): dark on T1, bright on STIR, no loss on opposed phase.
    T1Replacement {
        /// T1 signal of the core as a share of the marrow around it.
        signal_share: f64,
    },
    /// Oedema (MR): fat kept, water added.
    Oedema {
        /// Share of the marrow that is water more than before, 0 to 1.
        water_share: f64,
    },
}

impl LesionKind {
    /// The name used in truth files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sclerotic { .. } => "sclerotic",
            Self::Lytic { .. } => "lytic",
            Self::Mixed { .. } => "mixed",
            Self::PosteriorWallBreach { .. } => "posterior_wall_breach",
            Self::EpiduralMass { .. } => "epidural_mass",
            Self::ParavertebralMass { .. } => "paravertebral_mass",
            Self::T1Replacement { .. } => "t1_replacement",
            Self::Oedema { .. } => "oedema",
        }
    }

    /// The feature that ought to see it on a modality.
    pub const fn feature(self, modality: Modality) -> FeatureId {
        match self {
            Self::Sclerotic { .. } => FeatureId::ScleroticDensity,
            Self::Lytic { .. } => FeatureId::LyticDensity,
            Self::Mixed { .. } => FeatureId::MixedDensity,
            Self::PosteriorWallBreach { .. } => FeatureId::PosteriorWallDisruption,
            Self::EpiduralMass { .. } => FeatureId::EpiduralSoftTissue,
            Self::ParavertebralMass { .. } => FeatureId::ExtraosseousSoftTissue,
            Self::T1Replacement { .. } => match modality {
                Modality::MrT2 | Modality::MrStir => FeatureId::MarrowOedema,
                Modality::MrInPhase | Modality::MrOpposedPhase => FeatureId::OpposedPhaseDrop,
                Modality::Ct | Modality::MrT1 => FeatureId::T1MarrowSignalDrop,
            },
            Self::Oedema { .. } => FeatureId::MarrowOedema,
        }
    }

    /// Whether it can be made on a modality.
    pub const fn shown_on(self, modality: Modality) -> bool {
        match self {
            Self::Sclerotic { .. }
            | Self::Lytic { .. }
            | Self::Mixed { .. }
            | Self::PosteriorWallBreach { .. } => modality.is_ct(),
            Self::EpiduralMass { .. } | Self::ParavertebralMass { .. } => true,
            Self::T1Replacement { .. } | Self::Oedema { .. } => !modality.is_ct(),
        }
    }
}

/// One lesion in one vertebra.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesion {
    /// In which body.
    pub level: Level,
    /// Kind and strength.
    pub kind: LesionKind,
    /// Centre in the body: left, anterior, up from the body's centre, each as a share of the
    /// body's half width, half depth, half height. For a wall breach only left and up count.
    pub place: [f64; 3],
    /// Mean radius of the irregular blob, mm; for a wall breach the radius of the bulge.
    pub radius_mm: f64,
    /// In which part its centre lies.
    #[serde(default)]
    pub site: LesionSite,
}

/// A phantom study, as data. The same value gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name, part of the UIDs.
    pub name: String,
    /// Seed of noise, texture and shape.
    pub seed: u64,
    /// Scanner.
    pub modality: Modality,
    /// How the slices lie.
    pub plane: Plane,
    /// Bodies that lie wholly in view, from the head down, without a gap. Neighbours are made too
    /// and may be cut by the field.
    pub levels: Vec<Level>,
    /// Columns and rows.
    pub size: [usize; 2],
    /// Distance of pixel centres, mm, in both directions.
    pub pixel_spacing_mm: f64,
    /// Slice thickness, mm.
    pub slice_thickness_mm: f64,
    /// Distance of slice centres, mm.
    pub slice_spacing_mm: f64,
    /// Number of slices; `None` for as many as cover the levels (axial) or 60 mm (else).
    pub slices: Option<usize>,
    /// The field's centre moved from its place by this much, mm: left, backward, up.
    pub field_shift_mm: [f64; 3],
    /// How the patient lies.
    pub pose: Pose,
    /// Which way instance numbers run.
    pub order: InstanceOrder,
    /// One object a slice, or one for all.
    pub objects: ObjectKind,
    /// In-plane resolution, full width at half maximum, mm.
    pub in_plane_fwhm_mm: f64,
    /// Noise texture of CT; MR ignores it.
    pub kernel: Kernel,
    /// Standard deviation of the noise: HU, or stored signal units on MR.
    pub noise: f64,
    /// Mean of the trabecular marrow: HU, or stored signal units on MR.
    pub marrow: f64,
    /// Size of the skeleton, 1 for the mean of the morphometry table.
    pub size_factor: f64,
    /// How many vertebrae, what ribs.
    pub anatomy: Anatomy,
    /// Thickness of cortex and endplates as a share of the normal one; below 1 in osteoporosis.
    pub cortex: f64,
    /// Height of the discs as a share of the normal one.
    pub disc_height: f64,
    /// Share of the normal lordosis and kyphosis, 1 for normal.
    pub curvature: f64,
    /// Sideways curve.
    pub scoliosis: Scoliosis,
    /// The patient turned about the long axis, degrees (front to the patient's left).
    pub turn_deg: f64,
    /// The patient tilted sideways, degrees (head to the patient's left).
    pub tilt_deg: f64,
    /// What lies around the spine.
    pub surroundings: BTreeSet<Surrounding>,
    /// Bodies that have lost height.
    pub deformities: Vec<Deformity>,
    /// Lesions.
    pub lesions: Vec<Lesion>,
    /// What looks like a lesion and is none.
    pub look_alikes: Vec<LookAlike>,
}

impl Spec {
    /// How far the field may reach above and below the levels asked for, mm.
    pub(super) fn field_reach_mm(&self) -> f64 {
        match self.plane {
            Plane::Axial => match self.slices {
                Some(slices) => 0.5 * slices as f64 * self.slice_spacing_mm,
                None => self.field_shift_mm[2].abs(),
            },
            Plane::Sagittal | Plane::Coronal => 0.5 * self.size[1] as f64 * self.pixel_spacing_mm,
        }
    }

    /// Reads a spec from JSON. A key `"base"` names a built-in study; the other keys then replace
    /// its fields, and those left out stay.
    ///
    /// # Errors
    /// [`PhantomError::Spec`] when the text is not JSON of the expected form or names no built-in
    /// study.
    pub fn parse(text: &str) -> Result<Self, PhantomError> {
        let wrong = |error: serde_json::Error| PhantomError::Spec { message: error.to_string() };
        let mut given: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(wrong)?;
        let Some(base) = given.remove("base") else {
            return serde_json::from_value(given.into()).map_err(wrong);
        };
        let named = base.as_str().and_then(Self::built_in).ok_or_else(|| PhantomError::Spec {
            message: format!("base is {base}, which is no built-in phantom"),
        })?;
        let mut fields = serde_json::to_value(named).map_err(wrong)?;
        for (key, value) in given {
            // A key that the spec does not have stays in and is refused with its name below.
            fields[key] = value;
        }
        serde_json::from_value(fields).map_err(wrong)
    }
}
