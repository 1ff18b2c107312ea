//! What to make: a phantom study as data.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::PhantomError;
use crate::terms::{FeatureId, Level};

/// Which scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// CT, Hounsfield units.
    Ct,
    /// MR, T1-weighted spin echo.
    MrT1,
}

/// How the slices lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Rows from right to left, columns from front to back, stack to the head.
    Axial,
    /// Rows from front to back, columns from head to foot, stack to the right.
    Sagittal,
}

/// Reconstruction kernel of CT: how the noise is correlated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Smooth; noise correlated over about a millimetre.
    Soft,
    /// Sharp; noise nearly white.
    Bone,
}

/// What lies around the spine besides fat and muscle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surrounding {
    /// Aorta and vena cava with plain blood.
    Vessels,
    /// Contrast medium in the aorta (CT).
    ContrastMedium,
    /// Ribs of thoracic levels.
    Ribs,
    /// Skin and, behind it, air; without it the field is filled with tissue.
    BodyOutline,
    /// Couch behind the patient (CT, with the outline).
    Couch,
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
    /// Posterior wall pushed into the canal and open (CT).
    PosteriorWallBreach {
        /// How far the wall stands behind its place, mm.
        bulge_mm: f64,
        /// Width of the opening in the cortex, mm; 0 for a bulge with whole cortex.
        gap_mm: f64,
    },
    /// Marrow fat replaced (MR T1).
    T1Replacement {
        /// Signal of the core as a share of the marrow around it.
        signal_share: f64,
    },
}

impl LesionKind {
    /// The name used in truth files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sclerotic { .. } => "sclerotic",
            Self::PosteriorWallBreach { .. } => "posterior_wall_breach",
            Self::T1Replacement { .. } => "t1_replacement",
        }
    }

    /// The feature that ought to see it.
    pub const fn feature(self) -> FeatureId {
        match self {
            Self::Sclerotic { .. } => FeatureId::ScleroticDensity,
            Self::PosteriorWallBreach { .. } => FeatureId::PosteriorWallDisruption,
            Self::T1Replacement { .. } => FeatureId::T1MarrowSignalDrop,
        }
    }

    /// The modality on which it can be made.
    pub const fn modality(self) -> Modality {
        match self {
            Self::Sclerotic { .. } | Self::PosteriorWallBreach { .. } => Modality::Ct,
            Self::T1Replacement { .. } => Modality::MrT1,
        }
    }
}

/// One lesion in one vertebral body.
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
    /// Number of slices; `None` for as many as cover the levels (axial) or 60 mm (sagittal).
    pub slices: Option<usize>,
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
    /// Share of the normal lordosis and kyphosis, 1 for normal.
    pub curvature: f64,
    /// The patient turned about the long axis, degrees (front to the patient's left).
    pub turn_deg: f64,
    /// The patient tilted sideways, degrees (head to the patient's left).
    pub tilt_deg: f64,
    /// What lies around the spine.
    pub surroundings: BTreeSet<Surrounding>,
    /// Lesions.
    pub lesions: Vec<Lesion>,
}

impl Spec {
    /// Names of the built-in studies, with what they show.
    pub const BUILT_IN: [(&'static str, &'static str); 5] = [
        (
            "ct_thoracolumbar",
            "CT, T1 to S1, 512 x 512 x 300 voxels, 1.75 mm; two sclerotic lesions",
        ),
        (
            "ct_lumbar",
            "CT, T12 to S1, small field, 3 mm; sclerotic L2, broken posterior wall of L4",
        ),
        ("ct_lumbar_normal", "the same without lesions"),
        ("mr_t1_lumbar", "sagittal T1, T12 to S1, 4 mm; marrow of L3 replaced"),
        ("mr_t1_lumbar_normal", "the same without lesions"),
    ];

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

    /// The built-in study of that name.
    pub fn built_in(name: &str) -> Option<Self> {
        match name {
            "ct_lumbar" => Some(Self::ct_lumbar()),
            "ct_lumbar_normal" => {
                Some(Self { name: name.to_owned(), lesions: Vec::new(), ..Self::ct_lumbar() })
            }
            "ct_thoracolumbar" => Some(Self::ct_thoracolumbar()),
            "mr_t1_lumbar" => Some(Self::mr_t1_lumbar()),
            "mr_t1_lumbar_normal" => {
                Some(Self { name: name.to_owned(), lesions: Vec::new(), ..Self::mr_t1_lumbar() })
            }
            _ => None,
        }
    }

    /// Axial lumbar CT, T12 to S1, a field of 176 mm about the spine, 3 mm slices, soft kernel;
    /// L2 with a sclerotic lesion, L4 with a broken, bulging posterior wall.
    pub fn ct_lumbar() -> Self {
        Self {
            name: "ct_lumbar".to_owned(),
            seed: 20260101,
            modality: Modality::Ct,
            plane: Plane::Axial,
            levels: LUMBAR.to_vec(),
            size: [160, 160],
            pixel_spacing_mm: 1.1,
            slice_thickness_mm: 3.0,
            slice_spacing_mm: 3.0,
            slices: None,
            in_plane_fwhm_mm: 1.2,
            kernel: Kernel::Soft,
            noise: 11.0,
            marrow: 150.0,
            size_factor: 1.0,
            curvature: 1.0,
            turn_deg: 2.0,
            tilt_deg: 1.5,
            surroundings: BTreeSet::from([
                Surrounding::Vessels,
                Surrounding::Ribs,
                Surrounding::BodyOutline,
            ]),
            lesions: vec![
                Lesion {
                    level: Level::L2,
                    kind: LesionKind::Sclerotic { contrast_hu: 320.0 },
                    place: [0.3, 0.1, 0.05],
                    radius_mm: 9.0,
                },
                Lesion {
                    level: Level::L4,
                    kind: LesionKind::PosteriorWallBreach { bulge_mm: 5.0, gap_mm: 11.0 },
                    place: [-0.2, -1.0, 0.0],
                    radius_mm: 14.0,
                },
            ],
        }
    }

    /// Axial CT of the trunk, T1 to S1 wholly in view, 512 by 512 by 300 voxels, soft kernel;
    /// sclerotic lesions in T8 and L3.
    pub fn ct_thoracolumbar() -> Self {
        let lesion = |level, radius_mm, contrast_hu, place| Lesion {
            level,
            kind: LesionKind::Sclerotic { contrast_hu },
            place,
            radius_mm,
        };
        Self {
            name: "ct_thoracolumbar".to_owned(),
            levels: THORACOLUMBAR.to_vec(),
            size: [512, 512],
            pixel_spacing_mm: 0.75,
            slice_thickness_mm: 2.0,
            slice_spacing_mm: 1.75,
            slices: Some(300),
            in_plane_fwhm_mm: 1.1,
            noise: 14.0,
            surroundings: BTreeSet::from([
                Surrounding::Vessels,
                Surrounding::Ribs,
                Surrounding::BodyOutline,
                Surrounding::Couch,
            ]),
            lesions: vec![
                lesion(Level::T8, 6.0, 260.0, [-0.3, 0.2, 0.1]),
                lesion(Level::L3, 9.0, 180.0, [0.2, -0.2, -0.2]),
            ],
            ..Self::ct_lumbar()
        }
    }

    /// Sagittal lumbar T1, T12 to S1 in view, 15 slices of 4 mm; the marrow of L3 is replaced.
    pub fn mr_t1_lumbar() -> Self {
        Self {
            name: "mr_t1_lumbar".to_owned(),
            seed: 20260102,
            modality: Modality::MrT1,
            plane: Plane::Sagittal,
            levels: LUMBAR.to_vec(),
            size: [224, 224],
            pixel_spacing_mm: 1.25,
            slice_thickness_mm: 4.0,
            slice_spacing_mm: 4.4,
            slices: Some(15),
            in_plane_fwhm_mm: 1.3,
            kernel: Kernel::Soft,
            noise: 22.0,
            marrow: 600.0,
            size_factor: 1.0,
            curvature: 1.0,
            turn_deg: 1.0,
            tilt_deg: -1.0,
            surroundings: BTreeSet::from([Surrounding::Vessels, Surrounding::BodyOutline]),
            lesions: vec![Lesion {
                level: Level::L3,
                kind: LesionKind::T1Replacement { signal_share: 0.42 },
                place: [0.0, 0.0, 0.0],
                radius_mm: 34.0,
            }],
        }
    }
}

const LUMBAR: [Level; 7] =
    [Level::T12, Level::L1, Level::L2, Level::L3, Level::L4, Level::L5, Level::S1];

const THORACOLUMBAR: [Level; 18] = [
    Level::T1,
    Level::T2,
    Level::T3,
    Level::T4,
    Level::T5,
    Level::T6,
    Level::T7,
    Level::T8,
    Level::T9,
    Level::T10,
    Level::T11,
    Level::T12,
    Level::L1,
    Level::L2,
    Level::L3,
    Level::L4,
    Level::L5,
    Level::S1,
];
