//! Where the spine is: canal, vertebrae with their surfaces, levels by anchor, other bones.
//!
//! One type, two providers (heuristic now, imported label maps later).

pub mod ct;
pub mod levels;
mod model;
pub mod mr;
mod surface;

pub use model::{
    Anatomy, BoneRegion, Bones, Canal, CanalSection, ColumnEnds, Disc, EndEvidence, Foreign,
    Vertebra, VertebraId, VertebralBody,
};
pub use surface::{BodyPosition, BodySurface, EndplateSurface, OUTLINE_DIRECTIONS};
