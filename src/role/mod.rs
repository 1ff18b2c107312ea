//! What a series shows: contrast and kernel, from weighted evidence in tags and pixels.

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
