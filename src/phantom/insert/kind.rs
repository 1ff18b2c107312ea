//! The kinds of lesions and look-alikes.

use super::Contrast;
use crate::terms::FeatureId;

/// What can be put in. Not built: loss of height. It would need discs, neighbours, ligaments and
/// processes moved with the plate; a warp of the body alone tears the disc and stretches the
/// noise, and would be told from a real fracture at a glance.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::EnumIter,
    strum::Display,
    strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub enum InsertKind {
    /// CT: denser marrow.
    Sclerotic,
    /// CT: marrow replaced by tissue.
    Lytic,
    /// CT: dense and open parts in one lesion.
    Mixed,
    /// CT: wall open and bulging into the canal, soft or bony.
    PosteriorWallBreach,
    /// CT: wall open without a bulge.
    PosteriorWallLysis,
    /// T1: marrow fat replaced.
    T1Replacement,
    /// STIR or fat-suppressed T2: marrow bright.
    StirOedema,
    /// CT look-alike: bone island.
    BoneIsland,
    /// CT look-alike: haemangioma with coarse upright trabeculae.
    Haemangioma,
    /// CT look-alike: Schmorl node with a dense rim.
    SchmorlNode,
    /// CT look-alike: dense band below an endplate.
    EndplateSclerosis,
    /// CT look-alike: beak at the rim of an endplate.
    Osteophyte,
    /// T1 look-alike: focal fat.
    FocalFat,
    /// MR look-alike: Modic change below an endplate, type 1 (dark on T1, bright on STIR).
    Modic,
}

impl InsertKind {
    /// Whether it is harmless: a finding there counts as false.
    pub const fn is_look_alike(self) -> bool {
        matches!(
            self,
            Self::BoneIsland
                | Self::Haemangioma
                | Self::SchmorlNode
                | Self::EndplateSclerosis
                | Self::Osteophyte
                | Self::FocalFat
                | Self::Modic
        )
    }

    /// The feature that ought to see it, or that a look-alike tempts.
    pub const fn feature(self, contrast: Contrast) -> FeatureId {
        match self {
            Self::Sclerotic | Self::BoneIsland | Self::EndplateSclerosis | Self::Osteophyte => {
                FeatureId::ScleroticDensity
            }
            Self::Lytic | Self::Haemangioma | Self::SchmorlNode => FeatureId::LyticDensity,
            Self::Mixed => FeatureId::MixedDensity,
            Self::PosteriorWallBreach | Self::PosteriorWallLysis => {
                FeatureId::PosteriorWallDisruption
            }
            Self::T1Replacement | Self::FocalFat => FeatureId::T1MarrowSignalDrop,
            Self::StirOedema => FeatureId::MarrowOedema,
            Self::Modic => match contrast {
                Contrast::MrFluid => FeatureId::MarrowOedema,
                Contrast::Ct | Contrast::MrT1 => FeatureId::T1MarrowSignalDrop,
            },
        }
    }

    /// Whether the contrast shows it.
    pub const fn is_shown_by(self, contrast: Contrast) -> bool {
        match self {
            Self::T1Replacement | Self::FocalFat => matches!(contrast, Contrast::MrT1),
            Self::StirOedema => matches!(contrast, Contrast::MrFluid),
            Self::Modic => matches!(contrast, Contrast::MrT1 | Contrast::MrFluid),
            _ => matches!(contrast, Contrast::Ct),
        }
    }

    /// From what its strength is drawn (uniform), with the unit.
    pub const fn drawn_from(self) -> ([f64; 2], &'static str) {
        match self {
            Self::Sclerotic | Self::Mixed => ([40.0, 500.0], "HU"),
            Self::Lytic => ([40.0, 150.0], "HU"),
            Self::PosteriorWallBreach => ([2.0, 7.0], "mm"),
            Self::PosteriorWallLysis => ([4.0, 14.0], "mm"),
            Self::T1Replacement => ([0.35, 0.80], "ratio"),
            Self::StirOedema => ([1.3, 3.0], "ratio"),
            Self::BoneIsland => ([250.0, 700.0], "HU"),
            Self::Haemangioma => ([20.0, 80.0], "HU"),
            Self::SchmorlNode | Self::Osteophyte => ([3.0, 8.0], "mm"),
            Self::EndplateSclerosis => ([60.0, 300.0], "HU"),
            Self::FocalFat => ([1.15, 1.6], "ratio"),
            Self::Modic => ([0.6, 0.9], "ratio"),
        }
    }
}
