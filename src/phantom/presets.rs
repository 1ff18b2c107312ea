//! The built-in phantoms.

use std::collections::BTreeSet;

use strum::VariantArray;

use super::spec::{
    Anatomy, Deformity, DeformityKind, InstanceOrder, Kernel, Lesion, LesionKind, LesionSite,
    LookAlike, LookAlikeKind, Modality, ObjectKind, Plane, Pose, Scoliosis, Spec, Surrounding,
};
use crate::terms::Level;

/// The levels from one to another with 12 thoracic and 5 lumbar vertebrae.
fn levels(first: Level, last: Level) -> Vec<Level> {
    Level::VARIANTS
        .iter()
        .copied()
        .filter(|level| (first..=last).contains(level))
        .filter(|level| ![Level::T13, Level::L6].contains(level))
        .collect()
}

fn trunk() -> BTreeSet<Surrounding> {
    BTreeSet::from([
        Surrounding::Vessels,
        Surrounding::Ribs,
        Surrounding::BodyOutline,
        Surrounding::Couch,
    ])
}

fn lesion(level: Level, kind: LesionKind, place: [f64; 3], radius_mm: f64) -> Lesion {
    Lesion { level, kind, place, radius_mm, site: LesionSite::Body }
}

impl Spec {
    /// Names of the built-in studies, with what they show.
    pub const BUILT_IN: [(&'static str, &'static str); 21] = [
        (
            "ct_thoracolumbar",
            "CT, T1 to S1, 512 x 512 x 300 voxels, 1.75 mm; two sclerotic lesions",
        ),
        ("ct_whole_spine", "CT, C1 to S1 with skull base and hips, 2.5 mm; no lesion"),
        ("ct_chest", "CT, T1 to L1, sharp kernel, 2 mm; no lesion"),
        ("ct_small_field", "CT, T11 to L3, 130 mm field, bone kernel, 0.8 mm; no lesion"),
        ("ct_cervical", "CT, C1 to T2, 1.25 mm; no lesion"),
        (
            "ct_osteoporosis",
            "CT, T6 to S1, thin cortex, dark marrow, wedge, biconcave and crush bodies",
        ),
        ("ct_scoliosis", "CT, T1 to S1, Cobb angle 35 degrees, 3 mm"),
        ("ct_lesions", "CT, T8 to S1: lytic, mixed, pedicle, epidural and paravertebral lesions"),
        ("ct_look_alikes", "CT, T8 to S1: what looks like a lesion and is none"),
        (
            "ct_lumbar",
            "CT, T12 to S1, small field, 3 mm; sclerotic L2, broken posterior wall of L4",
        ),
        ("ct_lumbar_normal", "the same without lesions"),
        ("mr_t1_lumbar", "sagittal T1, T12 to S1, 4 mm; marrow of L3 replaced"),
        ("mr_t1_lumbar_normal", "the same without lesions"),
        ("mr_t2_lumbar", "the same patient as mr_t1_lumbar on T2"),
        ("mr_stir_lumbar", "the same patient on STIR"),
        ("mr_in_phase_lumbar", "the same patient, fat and water in phase"),
        ("mr_opposed_phase_lumbar", "the same patient, fat and water opposed"),
        (
            "mr_t1_lesions",
            "sagittal T1, T11 to S1: marrow replaced in part and wholly, epidural and paravertebral mass, oedema",
        ),
        ("mr_stir_lesions", "the same patient on STIR"),
        (
            "mr_t1_look_alikes",
            "sagittal T1, T11 to S1: Modic 1 to 3, focal fat, red marrow, haemangioma, Schmorl node, old wedge",
        ),
        ("mr_stir_look_alikes", "the same patient on STIR"),
    ];

    /// The built-in study of that name.
    pub fn built_in(name: &str) -> Option<Self> {
        let spec = match name {
            "ct_thoracolumbar" => Self::ct_thoracolumbar(),
            "ct_whole_spine" => Self::ct_whole_spine(),
            "ct_chest" => Self::ct_chest(),
            "ct_small_field" => Self::ct_small_field(),
            "ct_cervical" => Self::ct_cervical(),
            "ct_osteoporosis" => Self::ct_osteoporosis(),
            "ct_scoliosis" => Self {
                size: [256, 256],
                pixel_spacing_mm: 1.5,
                slice_thickness_mm: 3.0,
                slice_spacing_mm: 3.0,
                slices: None,
                in_plane_fwhm_mm: 1.7,
                scoliosis: Scoliosis { cobb_deg: 35.0, apex_station: 10.0, half_length: 4.0 },
                lesions: vec![],
                ..Self::ct_thoracolumbar()
            },
            "ct_lesions" => Self::ct_lesions(),
            "ct_look_alikes" => Self::ct_look_alikes(),
            "ct_lumbar" => Self::ct_lumbar(),
            "ct_lumbar_normal" => Self { lesions: vec![], ..Self::ct_lumbar() },
            "mr_t1_lumbar" => Self::mr_t1_lumbar(),
            "mr_t1_lumbar_normal" => Self { lesions: vec![], ..Self::mr_t1_lumbar() },
            "mr_t2_lumbar" => Self { modality: Modality::MrT2, ..Self::mr_t1_lumbar() },
            "mr_stir_lumbar" => Self { modality: Modality::MrStir, ..Self::mr_t1_lumbar() },
            "mr_in_phase_lumbar" => Self { modality: Modality::MrInPhase, ..Self::mr_t1_lumbar() },
            "mr_opposed_phase_lumbar" => {
                Self { modality: Modality::MrOpposedPhase, ..Self::mr_t1_lumbar() }
            }
            "mr_t1_lesions" => Self::mr_t1_lesions(),
            "mr_stir_lesions" => Self { modality: Modality::MrStir, ..Self::mr_t1_lesions() },
            "mr_t1_look_alikes" => Self::mr_t1_look_alikes(),
            "mr_stir_look_alikes" => {
                Self { modality: Modality::MrStir, ..Self::mr_t1_look_alikes() }
            }
            _ => return None,
        };
        Some(Self { name: name.to_owned(), ..spec })
    }

    /// Axial lumbar CT, T12 to S1, a field of 176 mm about the spine, 3 mm slices, soft kernel;
    /// L2 with a sclerotic lesion, L4 with a broken, bulging posterior wall.
    pub fn ct_lumbar() -> Self {
        Self {
            name: "ct_lumbar".to_owned(),
            seed: 20260101,
            modality: Modality::Ct,
            plane: Plane::Axial,
            levels: levels(Level::T12, Level::S1),
            size: [160, 160],
            pixel_spacing_mm: 1.1,
            slice_thickness_mm: 3.0,
            slice_spacing_mm: 3.0,
            slices: None,
            field_shift_mm: [0.0; 3],
            pose: Pose::Hfs,
            order: InstanceOrder::AgainstNormal,
            objects: ObjectKind::Classic,
            in_plane_fwhm_mm: 1.2,
            kernel: Kernel::Soft,
            noise: 11.0,
            marrow: 150.0,
            size_factor: 1.0,
            anatomy: Anatomy::default(),
            cortex: 1.0,
            disc_height: 1.0,
            curvature: 1.0,
            scoliosis: Scoliosis::default(),
            turn_deg: 2.0,
            tilt_deg: 1.5,
            surroundings: BTreeSet::from([
                Surrounding::Vessels,
                Surrounding::Ribs,
                Surrounding::BodyOutline,
            ]),
            deformities: vec![],
            lesions: vec![
                lesion(
                    Level::L2,
                    LesionKind::Sclerotic { contrast_hu: 320.0 },
                    [0.3, 0.1, 0.05],
                    9.0,
                ),
                lesion(
                    Level::L4,
                    LesionKind::PosteriorWallBreach { bulge_mm: 5.0, gap_mm: 11.0 },
                    [-0.2, -1.0, 0.0],
                    14.0,
                ),
            ],
            look_alikes: vec![],
        }
    }

    /// Axial CT of the trunk, T1 to S1 wholly in view, 512 by 512 by 300 voxels, soft kernel;
    /// sclerotic lesions in T8 and L3.
    pub fn ct_thoracolumbar() -> Self {
        Self {
            name: "ct_thoracolumbar".to_owned(),
            levels: levels(Level::T1, Level::S1),
            size: [512, 512],
            pixel_spacing_mm: 0.78,
            slice_thickness_mm: 2.0,
            slice_spacing_mm: 1.75,
            slices: Some(300),
            in_plane_fwhm_mm: 1.1,
            noise: 14.0,
            surroundings: trunk(),
            lesions: vec![
                lesion(
                    Level::T8,
                    LesionKind::Sclerotic { contrast_hu: 260.0 },
                    [-0.3, 0.2, 0.1],
                    6.0,
                ),
                lesion(
                    Level::L3,
                    LesionKind::Sclerotic { contrast_hu: 180.0 },
                    [0.2, -0.2, -0.2],
                    9.0,
                ),
            ],
            ..Self::ct_lumbar()
        }
    }

    /// Axial CT from the skull base to the hips.
    pub fn ct_whole_spine() -> Self {
        Self {
            name: "ct_whole_spine".to_owned(),
            levels: levels(Level::C1, Level::S1),
            size: [320, 320],
            pixel_spacing_mm: 1.3,
            slice_thickness_mm: 2.5,
            slice_spacing_mm: 2.5,
            slices: Some(330),
            field_shift_mm: [0.0, 0.0, -35.0],
            in_plane_fwhm_mm: 1.5,
            lesions: vec![],
            ..Self::ct_thoracolumbar()
        }
    }

    /// Axial CT of the chest, T1 to L1, sharp kernel.
    pub fn ct_chest() -> Self {
        Self {
            name: "ct_chest".to_owned(),
            levels: levels(Level::T1, Level::L1),
            size: [384, 384],
            pixel_spacing_mm: 1.0,
            slice_thickness_mm: 2.0,
            slice_spacing_mm: 2.0,
            slices: None,
            in_plane_fwhm_mm: 0.9,
            kernel: Kernel::Lung,
            noise: 55.0,
            marrow: 165.0,
            lesions: vec![],
            ..Self::ct_thoracolumbar()
        }
    }

    /// Axial CT of a short stretch in a field of 130 mm, bone kernel, thin slices.
    pub fn ct_small_field() -> Self {
        Self {
            name: "ct_small_field".to_owned(),
            levels: levels(Level::T11, Level::L3),
            size: [260, 260],
            pixel_spacing_mm: 0.5,
            slice_thickness_mm: 0.8,
            slice_spacing_mm: 0.8,
            slices: None,
            in_plane_fwhm_mm: 0.7,
            kernel: Kernel::Bone,
            noise: 60.0,
            lesions: vec![],
            ..Self::ct_lumbar()
        }
    }

    /// Axial CT of the neck.
    pub fn ct_cervical() -> Self {
        Self {
            name: "ct_cervical".to_owned(),
            levels: levels(Level::C1, Level::T2),
            size: [256, 256],
            pixel_spacing_mm: 0.9,
            slice_thickness_mm: 1.25,
            slice_spacing_mm: 1.25,
            slices: None,
            in_plane_fwhm_mm: 1.0,
            noise: 16.0,
            lesions: vec![],
            ..Self::ct_thoracolumbar()
        }
    }

    /// CT of an old person: marrow near water, thin cortex, old fractures, calcium.
    pub fn ct_osteoporosis() -> Self {
        let deformity = |level, kind, loss| Deformity { level, kind, loss };
        Self {
            name: "ct_osteoporosis".to_owned(),
            levels: levels(Level::T6, Level::S1),
            size: [256, 256],
            pixel_spacing_mm: 1.4,
            slice_thickness_mm: 2.5,
            slice_spacing_mm: 2.5,
            slices: None,
            in_plane_fwhm_mm: 1.6,
            marrow: 45.0,
            cortex: 0.6,
            curvature: 1.25,
            disc_height: 0.85,
            surroundings: BTreeSet::from([
                Surrounding::Vessels,
                Surrounding::VascularCalcium,
                Surrounding::Ribs,
                Surrounding::BodyOutline,
                Surrounding::Couch,
            ]),
            deformities: vec![
                deformity(Level::T8, DeformityKind::Wedge, 0.35),
                deformity(Level::T12, DeformityKind::Crush, 0.45),
                deformity(Level::L2, DeformityKind::Biconcave, 0.30),
            ],
            lesions: vec![],
            ..Self::ct_thoracolumbar()
        }
    }

    /// CT with a lesion of every kind that CT shows.
    pub fn ct_lesions() -> Self {
        let at = |site, lesion: Lesion| Lesion { site, ..lesion };
        Self {
            name: "ct_lesions".to_owned(),
            levels: levels(Level::T8, Level::S1),
            size: [256, 256],
            pixel_spacing_mm: 0.9,
            slice_thickness_mm: 2.0,
            slice_spacing_mm: 2.0,
            slices: None,
            in_plane_fwhm_mm: 1.1,
            deformities: vec![Deformity {
                level: Level::L3,
                kind: DeformityKind::Wedge,
                loss: 0.3,
            }],
            lesions: vec![
                lesion(
                    Level::T9,
                    LesionKind::Sclerotic { contrast_hu: 150.0 },
                    [0.2, 0.3, -0.1],
                    6.0,
                ),
                lesion(Level::T10, LesionKind::Lytic { tissue_hu: 55.0 }, [-0.5, -0.2, 0.0], 9.0),
                at(
                    LesionSite::Pedicle,
                    lesion(Level::T12, LesionKind::Lytic { tissue_hu: 55.0 }, [1.0, 0.0, 0.0], 8.0),
                ),
                lesion(
                    Level::L1,
                    LesionKind::Mixed { contrast_hu: 300.0, tissue_hu: 60.0 },
                    [0.1, 0.1, 0.1],
                    11.0,
                ),
                lesion(
                    Level::L2,
                    LesionKind::EpiduralMass { thickness_mm: 5.0 },
                    [0.2, -1.0, 0.0],
                    11.0,
                ),
                lesion(Level::L3, LesionKind::Lytic { tissue_hu: 60.0 }, [0.0, 0.4, 0.2], 13.0),
                lesion(
                    Level::L4,
                    LesionKind::ParavertebralMass { thickness_mm: 14.0 },
                    [1.0, 0.2, 0.0],
                    18.0,
                ),
                lesion(
                    Level::L4,
                    LesionKind::PosteriorWallBreach { bulge_mm: 3.5, gap_mm: 0.0 },
                    [0.0, -1.0, 0.0],
                    13.0,
                ),
                at(
                    LesionSite::SpinousProcess,
                    lesion(
                        Level::L5,
                        LesionKind::Sclerotic { contrast_hu: 350.0 },
                        [0.0, 0.0, 0.0],
                        8.0,
                    ),
                ),
            ],
            ..Self::ct_thoracolumbar()
        }
    }

    /// CT with every look-alike that CT shows, and no lesion.
    pub fn ct_look_alikes() -> Self {
        let alike = |level, kind, place, radius_mm| LookAlike { level, kind, place, radius_mm };
        Self {
            name: "ct_look_alikes".to_owned(),
            deformities: vec![Deformity {
                level: Level::T8,
                kind: DeformityKind::Wedge,
                loss: 0.3,
            }],
            lesions: vec![],
            look_alikes: vec![
                alike(Level::T9, LookAlikeKind::BoneIsland, [0.3, 0.2, 0.1], 4.0),
                alike(Level::T10, LookAlikeKind::Haemangioma, [-0.3, 0.1, 0.0], 9.0),
                alike(Level::T11, LookAlikeKind::SchmorlNode, [0.1, -0.1, 0.0], 6.0),
                alike(Level::T12, LookAlikeKind::Osteophyte, [0.8, 0.6, 0.0], 6.0),
                alike(Level::L1, LookAlikeKind::BasivertebralVein, [0.0, 0.0, 0.0], 5.0),
                alike(Level::L2, LookAlikeKind::Cement, [-0.2, 0.1, 0.0], 9.0),
                alike(Level::L3, LookAlikeKind::Screw, [0.0, 0.0, 0.0], 3.0),
                alike(Level::L4, LookAlikeKind::FacetSclerosis, [0.0, 0.0, 0.0], 9.0),
                alike(Level::L5, LookAlikeKind::EndplateSclerosis, [0.0, 0.3, 0.0], 5.0),
            ],
            ..Self::ct_lesions()
        }
    }

    /// Sagittal lumbar T1, T12 to S1 in view, 15 slices of 4 mm; the marrow of L3 is replaced.
    pub fn mr_t1_lumbar() -> Self {
        Self {
            name: "mr_t1_lumbar".to_owned(),
            seed: 20260102,
            modality: Modality::MrT1,
            plane: Plane::Sagittal,
            size: [224, 224],
            pixel_spacing_mm: 1.25,
            slice_thickness_mm: 4.0,
            slice_spacing_mm: 4.4,
            slices: Some(15),
            in_plane_fwhm_mm: 1.3,
            noise: 22.0,
            marrow: 600.0,
            turn_deg: 1.0,
            tilt_deg: -1.0,
            surroundings: BTreeSet::from([Surrounding::Vessels, Surrounding::BodyOutline]),
            lesions: vec![lesion(
                Level::L3,
                LesionKind::T1Replacement { signal_share: 0.42 },
                [0.0, 0.0, 0.0],
                34.0,
            )],
            ..Self::ct_lumbar()
        }
    }
    /// Sagittal MR with a lesion of every kind that MR shows.
    pub fn mr_t1_lesions() -> Self {
        let replaced = |signal_share| LesionKind::T1Replacement { signal_share };
        Self {
            name: "mr_t1_lesions".to_owned(),
            levels: levels(Level::T11, Level::S1),
            size: [256, 256],
            lesions: vec![
                lesion(Level::T11, replaced(0.6), [0.3, 0.2, 0.1], 8.0),
                lesion(Level::T12, replaced(0.45), [0.0, 0.0, 0.0], 34.0),
                lesion(Level::L1, LesionKind::Oedema { water_share: 0.6 }, [0.0, 0.2, 0.3], 13.0),
                lesion(
                    Level::L3,
                    LesionKind::EpiduralMass { thickness_mm: 5.0 },
                    [0.1, -1.0, 0.0],
                    11.0,
                ),
                lesion(
                    Level::L4,
                    LesionKind::ParavertebralMass { thickness_mm: 14.0 },
                    [1.0, 0.2, 0.0],
                    18.0,
                ),
            ],
            ..Self::mr_t1_lumbar()
        }
    }

    /// Sagittal MR with every look-alike that only MR tells from a lesion, and no lesion.
    pub fn mr_t1_look_alikes() -> Self {
        let alike = |level, kind, place, radius_mm| LookAlike { level, kind, place, radius_mm };
        Self {
            name: "mr_t1_look_alikes".to_owned(),
            deformities: vec![Deformity {
                level: Level::T11,
                kind: DeformityKind::Wedge,
                loss: 0.3,
            }],
            lesions: vec![],
            look_alikes: vec![
                alike(Level::T12, LookAlikeKind::FocalFat, [0.2, 0.1, 0.1], 7.0),
                alike(Level::L1, LookAlikeKind::RedMarrow, [0.0, 0.1, -0.1], 9.0),
                alike(Level::L1, LookAlikeKind::SchmorlNode, [0.0, -0.1, 0.0], 6.0),
                alike(Level::L2, LookAlikeKind::Haemangioma, [-0.2, 0.1, 0.0], 9.0),
                alike(Level::L3, LookAlikeKind::ModicThree, [0.0, 0.3, 0.0], 6.0),
                alike(Level::L4, LookAlikeKind::ModicTwo, [0.0, 0.3, 0.0], 7.0),
                alike(Level::L5, LookAlikeKind::ModicOne, [0.0, 0.2, 0.0], 7.0),
            ],
            ..Self::mr_t1_lesions()
        }
    }
}
