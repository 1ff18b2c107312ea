//! What pixels add to a role: smoothness of CT, tissue quotients of MR.

use super::assess::{CONFLICT_WEIGHT, UNCERTAIN, conflict, evidence, sort_evidence};
use super::{PixelLook, RoleAssessment, TissueQuotients};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::terms::{Role, RoleEvidence};
use crate::units::{Share, rounded};

/// Canal over body below which a series is T1-weighted (trials: T1 0.37 to 0.63).
const T1_CANAL_AT_MOST: f64 = 0.9;
/// Canal over body above which fluid is bright (T2 1.3 to 2.3, fat-suppressed 1.8 to 3.9).
const FLUID_CANAL_AT_LEAST: f64 = 1.1;
/// Fat over muscle below which fat is suppressed (1.1 to 1.6; water image 0.7).
const SUPPRESSED_FAT_AT_MOST: f64 = 2.5;
/// Fat over muscle above which it is not, where fluid is bright (T2 6.2 to 7.2).
const T2_FAT_AT_LEAST: f64 = 4.0;
/// Disc over body that goes with T1 (0.56 to 0.72).
const T1_DISC_AT_MOST: f64 = 0.85;
/// Correlation of neighbours below which a kernel is sharp: 0.23 (lung) and 0.30 (Philips D) with
/// sharp kernels, 0.44 to 0.69 with six smooth ones, at 0.5 to 1 mm. Set on these same series.
const SHARP_CORRELATION_AT_MOST: f64 = 0.31;
const SMOOTH_CORRELATION_AT_LEAST: f64 = 0.42;
/// Column spacing within which that holds, mm.
const CORRELATION_SPACING_MM: (f64, f64) = (0.45, 1.05);

/// Adds the cheap look at pixels: for CT without a kernel name how sharp it is, and whether a
/// series of untold modality is CT.
pub fn with_look(mut assessment: RoleAssessment, look: &PixelLook) -> RoleAssessment {
    let untold = assessment.role == Role::Other && assessment.evidence.is_empty();
    if untold && look.share_like_air >= 0.1 {
        assessment.role = Role::CtSoft;
        assessment.evidence.push(evidence(
            "pixels",
            Role::CtSoft,
            0.6,
            "a tenth or more of the voxels has the value of air in Hounsfield units",
        ));
        assessment.confidence = Share::new(0.3);
    }
    if !assessment.role.is_ct() {
        return assessment;
    }
    let in_range = look.column_spacing_mm >= CORRELATION_SPACING_MM.0
        && look.column_spacing_mm <= CORRELATION_SPACING_MM.1;
    let Some(correlation) = look.neighbour_correlation.filter(|_| in_range) else {
        return assessment;
    };
    let (role, seen) = if correlation <= SHARP_CORRELATION_AT_MOST {
        (Role::CtBone, "neighbouring voxels vary almost independently, as with a sharp kernel")
    } else if correlation >= SMOOTH_CORRELATION_AT_LEAST {
        (Role::CtSoft, "neighbouring voxels vary together, as with a smooth kernel")
    } else {
        return assessment;
    };
    let named = weight_of(&assessment.evidence, assessment.role);
    let sharp = matches!(assessment.role, Role::CtBone | Role::CtLung);
    // Texture cannot tell bone from lung kernels: both are sharp and neither contradicts.
    let role = if sharp && role == Role::CtBone { assessment.role } else { role };
    assessment.evidence.push(evidence("pixels", role, 0.9, seen));
    if role == assessment.role {
        settle(&mut assessment, named + 0.9, 0.0);
    } else if named < 0.9 {
        assessment.role = role;
        settle(&mut assessment, 0.9, named);
    } else {
        settle(&mut assessment, named, 0.9);
        assessment.problems.push(conflict(assessment.role, named, role, 0.9));
    }
    sort_evidence(&mut assessment.evidence);
    assessment
}

/// Hears the tissue quotients of an MR series.
///
/// To be called for every MR series once its anatomy was tried, with empty quotients where no
/// spine was found: a role that rests on free text alone and that no pixel confirms becomes
/// `Role::Other` here.
///
/// # Method
/// Thresholds of the project's MR trials, which were set and tested on ten series: canal over
/// body below 0.9 speaks for T1, above 1.1 for bright fluid; then fat over muscle below 2.5 says
/// that fat is suppressed, above 4 that it is not.
///
/// # Limits
/// Pixels cannot split STIR from fat-suppressed T2 or a water image. Where the slice runs beside
/// the canal, T2 can look like T1; that is told as a conflict.
pub fn refine(mut assessment: RoleAssessment, quotients: &TissueQuotients) -> RoleAssessment {
    if !assessment.role.is_mr() {
        return assessment;
    }
    let tags_weight = weight_of(&assessment.evidence, assessment.role);
    let text_alone = assessment
        .evidence
        .iter()
        .filter(|piece| speaks_for(piece, assessment.role))
        .all(|piece| piece.source == "SeriesDescription" || piece.source == "ProtocolName");

    let Some((seen_role, weight, said)) = weighting_from(quotients) else {
        if text_alone && !never_for_features(assessment.role) {
            assessment.problems.push(Problem::new(
                ProblemCode::RoleUncertain,
                Severity::Warning,
                format!(
                    "only free text says {}, and the pixels could not confirm it",
                    assessment.role
                ),
            ));
            assessment.role = Role::Other;
            assessment.confidence = Share::new(0.0);
        }
        return assessment;
    };
    assessment.evidence.push(evidence("pixels", seen_role, weight, said));
    sort_evidence(&mut assessment.evidence);

    let role = assessment.role;
    let confirmed = match seen_role {
        // Contrast medium and fat suppression do not show in these quotients of T1.
        Role::MrT1 => matches!(
            role,
            Role::MrT1
                | Role::MrT1Contrast
                | Role::MrT1Fatsat
                | Role::MrInPhase
                | Role::MrOpposedPhase
                | Role::MrDixonFat
        ),
        Role::MrT2 => matches!(role, Role::MrT2),
        _ => matches!(
            role,
            Role::MrStir
                | Role::MrT2Fatsat
                | Role::MrDixonWater
                | Role::MrDwi
                | Role::MrAdc
                | Role::MrPd
        ),
    };
    if confirmed {
        settle(&mut assessment, tags_weight + weight, 0.0);
        return assessment;
    }
    if weighting_of(seen_role) == weighting_of(role) && role == Role::MrT2 {
        // Called T2, and fat is suppressed: both are true.
        assessment.role = Role::MrT2Fatsat;
        settle(&mut assessment, tags_weight + weight, 0.0);
        // STIR or fat saturation cannot be told, so never as sure as a named sequence.
        assessment.confidence = Share::new(assessment.confidence.get().min(0.7));
        assessment.problems.push(Problem::new(
            ProblemCode::RoleConflict,
            Severity::Note,
            "called T2 without fat suppression, but fat is suppressed in the pixels: fat-suppressed T2 or STIR",
        ));
        return assessment;
    }
    if weighting_of(seen_role) == weighting_of(role) {
        // Called fat-suppressed, but fat is bright: suppression failed or was not used.
        settle(&mut assessment, tags_weight, weight);
        assessment.problems.push(conflict(role, tags_weight, seen_role, weight));
        return assessment;
    }
    if matches!(
        role,
        Role::MrPd
            | Role::MrDixonWater
            | Role::MrDixonFat
            | Role::MrDwi
            | Role::MrAdc
            | Role::MrFatFraction
    ) {
        // The quotients were not made for these.
        return assessment;
    }
    assessment.problems.push(conflict(role, tags_weight, seen_role, weight));
    settle(&mut assessment, tags_weight, weight);
    if text_alone || tags_weight - weight < CONFLICT_WEIGHT {
        assessment.role = Role::Other;
        assessment.confidence = Share::new(0.0);
    }
    assessment
}

/// The weighting that the quotients show, with a weight and words.
fn weighting_from(quotients: &TissueQuotients) -> Option<(Role, f64, &'static str)> {
    let canal = quotients.canal_over_body.filter(|v| v.is_finite() && *v > 0.0)?;
    let disc = quotients.disc_over_body.filter(|v| v.is_finite() && *v > 0.0);
    let fat = quotients.fat_over_muscle.filter(|v| v.is_finite() && *v > 0.0);
    if canal < T1_CANAL_AT_MOST {
        // A slice beside the canal imitates this; discs darker than marrow make it sure.
        return match disc {
            Some(disc) if disc <= T1_DISC_AT_MOST => {
                Some((Role::MrT1, 1.5, "canal and discs darker than marrow"))
            }
            _ => Some((Role::MrT1, 0.8, "canal darker than marrow")),
        };
    }
    if canal <= FLUID_CANAL_AT_LEAST {
        return None;
    }
    match fat {
        Some(fat) if fat <= SUPPRESSED_FAT_AT_MOST => {
            Some((Role::MrT2Fatsat, 1.2, "canal brighter than marrow, fat suppressed"))
        }
        Some(fat) if fat >= T2_FAT_AT_LEAST => {
            Some((Role::MrT2, 1.2, "canal brighter than marrow, fat bright"))
        }
        _ => None,
    }
}

/// Roles of one weighting, as far as the quotients can tell it.
fn weighting_of(role: Role) -> Role {
    match role {
        Role::MrT1
        | Role::MrT1Contrast
        | Role::MrT1Fatsat
        | Role::MrInPhase
        | Role::MrOpposedPhase => Role::MrT1,
        Role::MrT2 | Role::MrT2Fatsat | Role::MrStir => Role::MrT2,
        role => role,
    }
}

/// Roles that only keep a series away from features: free text may give them alone.
fn never_for_features(role: Role) -> bool {
    matches!(role, Role::Localizer | Role::Derived | Role::NotAnImage | Role::Other)
}

/// Whether a piece of evidence speaks for the weighting of `role`: an agent or fat saturation
/// alone do not.
fn speaks_for(piece: &RoleEvidence, role: Role) -> bool {
    let modifier = matches!(piece.role, Role::MrT1Contrast | Role::MrT1Fatsat | Role::MrT2Fatsat)
        && piece.source != "pixels";
    piece.weight > 0.0 && !modifier && weighting_of(piece.role) == weighting_of(role)
}

fn weight_of(pieces: &[RoleEvidence], role: Role) -> f64 {
    pieces.iter().filter(|piece| speaks_for(piece, role)).map(|piece| piece.weight).sum()
}

/// Sets the confidence from the weight for and against, and drops the doubt when it is resolved.
fn settle(assessment: &mut RoleAssessment, weight: f64, against: f64) {
    let confidence = (1.0 - libm::exp2(-weight)) * weight / (weight + against).max(1e-9);
    assessment.confidence = Share::new(rounded(confidence, 3));
    if confidence >= UNCERTAIN {
        assessment.problems.retain(|problem| problem.code != ProblemCode::RoleUncertain);
    }
}
