//! The anatomy of one series.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::measurements::BodyMeasurements;
use super::surface::BodySurface;
use crate::geometry::{Frame, Grid, LpsPoint};
use crate::kernels::{Array3, BitMask};
use crate::problem::Problem;
use crate::role::TissueQuotients;
use crate::terms::{Level, Provider, Region, Side, SpineSection};
use crate::units::{CubicMillimetres, Millimetres, Share};

/// Name of a vertebra within one series: `v1` is the lowest found, counted towards the head.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct VertebraId(pub String);

impl std::fmt::Display for VertebraId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was found in one series.
#[derive(Clone, Debug)]
pub struct Anatomy {
    /// Who found it.
    pub provider: Provider,
    /// The spinal canal, where it could be followed.
    pub canal: Option<Canal>,
    /// Vertebrae from feet to head.
    pub vertebrae: Vec<Vertebra>,
    /// Where the mobile column ends, as far as that is in view.
    pub ends: ColumnEnds,
    /// MR signal quotients of the tissues, as evidence for the role.
    pub tissue_quotients: Option<TissueQuotients>,
    /// The patient on the series' grid (CT): tissue in one piece, without couch and clothes, holes
    /// (lung, bowel gas) filled slice by slice. `None` where no body was told from air.
    pub body_outline: Option<BitMask>,
    /// Bone on the series' grid (CT), every bone in view in one mask: a threshold over the
    /// patient's own soft tissue, pieces of sensible size. Thin or porous marrow is left out, and
    /// vessels full of contrast medium that touch bone may be in it: good for "is there bone
    /// here", not for measuring.
    pub bone: Option<BitMask>,
    /// Pedicles and posterior elements of the vertebrae (CT); `None` where none was looked for.
    pub arches: Option<Arches>,
    /// Bones outside the vertebrae (CT), as far as they were told; `None` where none was looked for.
    pub bones: Option<Bones>,
    /// What is not bone (CT): metal, cement and streaks; `None` where none was found.
    pub foreign: Option<Foreign>,
    /// What could not be found or followed, and where.
    pub problems: Vec<Problem>,
}

/// Bones outside the vertebrae as a label map on a coarse grid.
#[derive(Clone, Debug)]
pub struct Bones {
    /// Where the labels lie: isotropic, axes of the patient.
    pub grid: Grid,
    /// 0 where there is none or a vertebra, else 1 + the place in `regions`.
    pub labels: Array3<u8>,
    /// The bones.
    pub regions: Vec<BoneRegion>,
}

/// One bone, as far as it is in view.
#[derive(Clone, Debug, PartialEq)]
pub struct BoneRegion {
    /// Which bone; [`Region::Other`] where it could not be told.
    pub region: Region,
    /// Its side, where it has one and it could be told.
    pub side: Option<Side>,
    /// The vertebra that a rib belongs to.
    pub vertebra: Option<VertebraId>,
    /// Centre of the part in view.
    pub centroid: LpsPoint,
    /// Volume of the part in view; marrow that is no denser than soft tissue is left out.
    pub volume: CubicMillimetres,
    /// How sure the name is.
    pub confidence: Share,
}

impl Bones {
    /// The bone at a place in the patient.
    pub fn at(&self, point: LpsPoint) -> Option<&BoneRegion> {
        let at = self.grid.nearest(point)?;
        let label = usize::from(self.labels.at(at.i, at.j, at.k));
        self.regions.get(label.checked_sub(1)?)
    }
}

/// A part of a vertebra beside and behind the canal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum ArchPart {
    /// From the body to the canal's middle, left of the canal.
    LeftPedicle,
    /// The same on the right.
    RightPedicle,
    /// Laminae, articular, transverse and spinous processes.
    PosteriorElements,
}

/// The arches of the vertebrae as a label map of 2 mm.
#[derive(Clone, Debug)]
pub struct Arches {
    /// Where the labels lie: isotropic, axes of the patient.
    pub grid: Grid,
    /// 0 where there is none, else 1 + the place in `regions`.
    pub labels: Array3<u8>,
    /// The parts, from feet to head.
    pub regions: Vec<ArchRegion>,
}

/// One part of one arch, as far as it is in view.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchRegion {
    /// Whose it is.
    pub vertebra: VertebraId,
    /// Which part.
    pub part: ArchPart,
    /// Centre of the part in view.
    pub centroid: LpsPoint,
    /// Volume of the part in view; marrow that is no denser than soft tissue is left out.
    pub volume: CubicMillimetres,
    /// How sure it is that this bone is that part.
    pub confidence: Share,
}

impl Arches {
    /// The part at a place in the patient.
    pub fn at(&self, point: LpsPoint) -> Option<&ArchRegion> {
        let at = self.grid.nearest(point)?;
        let label = usize::from(self.labels.at(at.i, at.j, at.k));
        self.regions.get(label.checked_sub(1)?)
    }
}

/// What is not bone, on the grid of the series.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// Metal, or contrast medium as dense as metal.
    pub metal: Option<BitMask>,
    /// Cement in vertebral bodies.
    pub cement: Option<BitMask>,
    /// Where streaks of metal are expected, without the metal.
    pub streaks: Option<BitMask>,
}

impl Anatomy {
    /// Nothing found yet: what a provider starts from.
    pub const fn empty(provider: Provider) -> Self {
        Self {
            provider,
            canal: None,
            vertebrae: Vec::new(),
            ends: ColumnEnds::NONE,
            tissue_quotients: None,
            body_outline: None,
            bone: None,
            arches: None,
            bones: None,
            foreign: None,
            problems: Vec::new(),
        }
    }
}

/// The ends of the column: what names levels by counting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnEnds {
    /// The vertebra that looks like the first sacral one.
    pub s1: Option<EndEvidence>,
    /// The vertebra that looks like the axis.
    pub c2: Option<EndEvidence>,
}

impl ColumnEnds {
    /// No end in view.
    pub const NONE: Self = Self { s1: None, c2: None };
}

/// Evidence that a vertebra is the last one at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct EndEvidence {
    /// Which vertebra.
    pub vertebra: VertebraId,
    /// How strong the evidence is; a score, no probability. Below about 0.5 it names nothing.
    pub score: Share,
}

/// Directions of a canal's outline, counted from anterior towards the left.
pub const CANAL_DIRECTIONS: usize = 48;

/// The spinal canal as cross sections about every millimetre, from feet to head.
#[derive(Clone, Debug)]
pub struct Canal {
    /// The cross sections.
    pub sections: Vec<CanalSection>,
}

/// One cross section of the canal. Distances are from the frame's origin (the centre line).
#[derive(Clone, Copy, Debug)]
pub struct CanalSection {
    /// Centre with the local axes.
    pub frame: Frame,
    /// Forward to the back wall of the bodies (or to the disc).
    pub anterior: Millimetres,
    /// Backward to the lamina, where it could be measured.
    pub posterior: Option<Millimetres>,
    /// To the left wall, where it could be measured.
    pub left: Option<Millimetres>,
    /// To the right wall, where it could be measured.
    pub right: Option<Millimetres>,
    /// From the origin to the bony canal in each direction, mm: direction `n` points to `2π·n/48` from
    /// anterior towards the left. Smoothed along the canal and carried over where it is open
    /// (foramina), so narrower or wider places within 8 mm are in the four walls only. `None` where
    /// too little wall was met.
    pub outline: Option<[f32; CANAL_DIRECTIONS]>,
    /// Whether the canal was followed here; `false` where its line only goes on straight beyond the followed stretch,
    /// or is put behind the bodies (MR).
    pub followed: bool,
    /// How sure the centre is.
    pub confidence: Share,
}

impl CanalSection {
    /// Distance from the origin to the wall in direction `angle` (radians from anterior towards the
    /// left), mm: of the outline where there is one, else of four quarter ellipses through the
    /// walls that were measured.
    pub fn radius(&self, angle: f64) -> f64 {
        if let Some(outline) = &self.outline {
            let turn = angle / std::f64::consts::TAU;
            let at = (turn - libm::floor(turn)) * CANAL_DIRECTIONS as f64;
            let (a, f) = (libm::floor(at) as usize % CANAL_DIRECTIONS, at - libm::floor(at));
            let b = (a + 1) % CANAL_DIRECTIONS;
            return f64::from(outline[a]) * (1.0 - f) + f64::from(outline[b]) * f;
        }
        let (forward, left) = (libm::cos(angle), libm::sin(angle));
        let anterior = self.anterior.mm().max(1.0);
        let along = if forward >= 0.0 {
            anterior
        } else {
            self.posterior.map_or(anterior, Millimetres::mm).max(1.0)
        };
        let side = if left >= 0.0 { self.left } else { self.right };
        let across = side.map_or(SIDE_OVER_ANTERIOR * anterior, Millimetres::mm).max(1.0);
        1.0 / libm::hypot(forward / along, left / across)
    }
}

/// Half width of the canal over its forward reach where no side wall was measured.
const SIDE_OVER_ANTERIOR: f64 = 1.3;

/// One vertebra.
#[derive(Clone, Debug)]
pub struct Vertebra {
    /// Name within the series.
    pub id: VertebraId,
    /// Level, through an anchor only.
    pub level: Option<Level>,
    /// Levels it may be, most likely first; holds `level` where that is known.
    pub level_candidates: Vec<Level>,
    /// Part of the spine where size, curve or the shape of the field tell it without an anchor.
    pub section_guess: Option<SpineSection>,
    /// Centre of the visible part of the body.
    pub centroid: LpsPoint,
    /// Share of the body, along the spine, that lies in the field of view.
    pub fraction_in_view: Share,
    /// How sure it is that this is a vertebral body at this place.
    pub confidence: Share,
    /// The body, where it could be cut out.
    pub body: Option<VertebralBody>,
    /// Disc below, where one was seen.
    pub disc_below: Option<Disc>,
    /// Disc above, where one was seen.
    pub disc_above: Option<Disc>,
    /// What touches this vertebra alone.
    pub problems: Vec<Problem>,
}

impl Vertebra {
    /// Confidence from which a vertebra on CT is sure: below it two vertebrae may have been taken
    /// for one, or one for two, though the place of each be right. No level is counted over such a one, and no
    /// feature measures it. On the perturbed copies (`docs/CT_ANATOMY.md`) 19 of 556 names were wrong with a
    /// count over vertebrae from 0.65 on, 2 of 492 from 0.75, none of 431 from 0.8.
    pub const SURE: f64 = 0.75;

    /// Whether its outline can be trusted: vertebra and outline sure enough, and both endplates seen where
    /// the body was measured (not of a body cut by the field). S1 has no disc below that could be seen, and C2
    /// carries the dens: what was taken for their other end is a guess.
    pub fn outline_is_sure(&self) -> bool {
        let likeliest = self.level.or_else(|| self.level_candidates.first().copied());
        let has_two_endplates = !matches!(likeliest, Some(Level::S1 | Level::C2 | Level::C1))
            && self.section_guess != Some(SpineSection::Sacral);
        has_two_endplates
            && self.confidence.get() >= Self::SURE
            && self.body.as_ref().is_some_and(|body| {
                body.confidence.get() >= VertebralBody::SURE_OUTLINE && body.both_endplates_seen()
            })
    }
}

impl VertebralBody {
    /// Confidence from which an outline is sure: below it outlines ran into discs and
    /// ossifications.
    pub const SURE_OUTLINE: f64 = 0.5;

    /// Whether both endplates were seen where the body was measured (not in a body cut by the field); what was
    /// only expected may lie in the disc or the neighbour. Imported masks are not measured.
    pub fn both_endplates_seen(&self) -> bool {
        self.measurements.is_none_or(|sizes| sizes.height_middle.is_some())
    }
}

/// The cut-out body of a vertebra.
#[derive(Clone, Debug)]
pub struct VertebralBody {
    /// Axes of the body; the origin is the vertebra's centroid.
    pub frame: Frame,
    /// Its surface in that frame.
    pub surface: BodySurface,
    /// How well the surface fits the image, 0 to 1.
    pub confidence: Share,
    /// Sizes; `None` where this provider measures none.
    pub measurements: Option<BodyMeasurements>,
}

/// The middle of a disc.
#[derive(Clone, Copy, Debug)]
pub struct Disc {
    /// Centre with `up` at right angles to the disc plane.
    pub frame: Frame,
    /// Half of its height.
    pub half_height: Millimetres,
}
