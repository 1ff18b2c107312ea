//! What a series shows: contrast and kernel, from weighted evidence in tags and pixels.
//!
//! ```text
//! tags ──rules──▶ assess ──▶ RoleAssessment ──pixel_look──▶ with_look ──anatomy──▶ refine
//! ```
//! Every rule is one entry of a table ([`rules`](self) for MR and what both share, the kernel
//! names for CT). To add a rule: one entry there and one test. Free text (`SeriesDescription`,
//! else `ProtocolName`) never decides alone for a role that a feature accepts: what rests on it is
//! weak until pixels confirm it in [`refine`].

mod assess;
mod clues;
mod convolution_kernel;
mod pixels;
mod refine;
mod rules;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_on_data;

pub use assess::assess;
pub use pixels::{PixelLook, pixel_look};
pub use refine::{refine, with_look};

use crate::problem::Problem;
use crate::terms::{ContrastMedium, Role, RoleEvidence};
use crate::units::Share;

/// The role of a series with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleAssessment {
    /// The role.
    pub role: Role,
    /// How sure.
    pub confidence: Share,
    /// Whether contrast medium was given.
    pub contrast_medium: ContrastMedium,
    /// All evidence, strongest first.
    pub evidence: Vec<RoleEvidence>,
    /// Conflicts and doubts.
    pub problems: Vec<Problem>,
}

/// Signal quotients of tissues in an MR series, measured on the found anatomy. They tell T1 from
/// T2 from fat-suppressed where tags are missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TissueQuotients {
    /// Canal (4 to 13 mm behind the rear wall) over vertebral body.
    pub canal_over_body: Option<f64>,
    /// Disc over vertebral body.
    pub disc_over_body: Option<f64>,
    /// Subcutaneous fat over muscle.
    pub fat_over_muscle: Option<f64>,
}

impl TissueQuotients {
    /// Nothing could be measured: what [`refine`] hears where no spine was found.
    pub const NONE: Self =
        Self { canal_over_body: None, disc_over_body: None, fat_over_muscle: None };
}
