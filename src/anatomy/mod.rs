//! Where the spine is: canal, vertebrae with their surfaces, levels by anchor, other bones.
//!
//! One type, two providers: heuristic ([`ct`], [`mr`]) and masks made elsewhere ([`imported`]).

pub mod ct;
pub mod imported;
pub mod levels;
mod measurements;
mod model;
pub mod mr;
mod surface;

pub use measurements::{
    BodyMeasurements, HEIGHT_PLACE, MeasuredLength, PosteriorCorner, SurfaceErrors,
};
pub use model::{
    Anatomy, ArchPart, ArchRegion, Arches, BoneRegion, Bones, CANAL_DIRECTIONS, Canal,
    CanalSection, ColumnEnds, Disc, EndEvidence, Foreign, Vertebra, VertebraId, VertebralBody,
};
pub use surface::{BodyPosition, BodySurface, EndplateSurface, OUTLINE_DIRECTIONS};
