//! From rules that hold to a role with a confidence.

use super::RoleAssessment;
use super::clues::Clues;
use super::convolution_kernel;
use super::rules::{COMMON, CT, MR, Rule, Supports, TEXT};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::series::Series;
use crate::terms::{ContrastMedium, Role, RoleEvidence};
use crate::units::{Share, rounded};

/// Evidence for a kind from which on it decides before the weighting. Below a word of free text
/// (0.8): what calls itself a localizer or a map is kept away from features even if nothing else
/// says so.
const KIND_DECIDES: f64 = 0.75;
/// Sum of weights from which on a second role is a conflict worth telling.
pub(super) const CONFLICT_WEIGHT: f64 = 0.45;
/// Lead over the second role below which none is taken.
const LEAST_LEAD: f64 = 0.25;
/// Confidence below which a role is called uncertain.
pub(super) const UNCERTAIN: f64 = 0.5;
/// Weight of kernel names; times the plainness of the name.
const KERNEL_WEIGHT: f64 = 2.5;

/// The role of a series from its tags alone.
///
/// # Method
/// Each rule of the tables that holds adds its weight to one role. What kind of image it is
/// (localizer, map, diffusion, Dixon part) decides before the weighting. Confidence is
/// `1 - 2^(-weight)` times the winner's share of all weight that does not agree with it.
///
/// # Limits
/// A role with a confidence below 0.5 carries [`ProblemCode::RoleUncertain`]; it must not be
/// used before [`super::refine`] has heard the pixels. A tie is `Role::Other`.
pub fn assess(series: &Series) -> RoleAssessment {
    let clues = Clues::of(series);
    match modality(&clues) {
        Modality::Ct(evidence) => ct(&clues, evidence),
        Modality::Mr(evidence) => mr(&clues, evidence),
        Modality::Not(evidence) => RoleAssessment {
            role: evidence.role,
            confidence: Share::new(0.9),
            contrast_medium: ContrastMedium::Unknown,
            evidence: vec![evidence],
            problems: Vec::new(),
        },
        Modality::Untold => RoleAssessment {
            role: Role::Other,
            confidence: Share::new(0.0),
            contrast_medium: ContrastMedium::Unknown,
            evidence: Vec::new(),
            problems: vec![Problem::new(
                ProblemCode::RoleUncertain,
                Severity::Warning,
                "no tag tells CT from MR",
            )],
        },
    }
}

enum Modality {
    /// Found in this tag; `None` where the tag Modality itself says it.
    Ct(Option<&'static str>),
    Mr(Option<&'static str>),
    Not(RoleEvidence),
    Untold,
}

const CT_CLASSES: [&str; 3] =
    ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"];
const MR_CLASSES: [&str; 4] = [
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.3",
    "1.2.840.10008.5.1.4.1.1.4.4",
];
const NO_IMAGE: [&str; 12] =
    ["SR", "PR", "KO", "REG", "RTSTRUCT", "RTPLAN", "RTRECORD", "DOC", "SEG", "AU", "ECG", "PLAN"];

/// CT or MR. The tag Modality, else the SOP class, else tags that only one of them has, else a
/// description that names an MR weighting.
fn modality(c: &Clues<'_>) -> Modality {
    let tags = c.tags;
    if let Some(said) = tags.modality.as_ref().map(|said| said.trim().to_uppercase()) {
        let (role, seen) = match said.as_str() {
            "CT" => return Modality::Ct(None),
            "MR" => return Modality::Mr(None),
            code if NO_IMAGE.contains(&code) => (Role::NotAnImage, "no image"),
            _ => (Role::Other, "neither CT nor MR"),
        };
        return Modality::Not(evidence("Modality", role, 2.0, seen));
    }
    if let Some(class) = &tags.sop_class_uid {
        if CT_CLASSES.contains(&class.as_str()) {
            return Modality::Ct(Some("SOPClassUID"));
        }
        if MR_CLASSES.contains(&class.as_str()) {
            return Modality::Mr(Some("SOPClassUID"));
        }
    }
    if tags.repetition_time_ms.is_some()
        || tags.echo_time_ms.is_some()
        || tags.magnetic_field_strength_t.is_some()
        || !tags.scanning_sequence.is_empty()
    {
        return Modality::Mr(Some("RepetitionTime"));
    }
    if tags.convolution_kernel.is_some() || tags.kvp.is_some() {
        return Modality::Ct(Some("ConvolutionKernel"));
    }
    let hounsfield = tags.rescale_type.as_ref().is_some_and(|t| t.eq_ignore_ascii_case("HU"));
    if hounsfield || (tags.rescale_present && c.rescale_intercept.is_some_and(|v| v <= -900.0)) {
        return Modality::Ct(Some("RescaleIntercept"));
    }
    if c.names_weighting("t1") || c.names_weighting("t2") || c.word(&["stir", "flair"]) {
        return Modality::Mr(Some(c.text_source));
    }
    Modality::Untold
}

fn ct(c: &Clues<'_>, told_by: Option<&'static str>) -> RoleAssessment {
    let mut heard = listen(c, &[COMMON, CT]);
    match c.tags.convolution_kernel.as_deref().map(convolution_kernel::meaning) {
        Some(Some((role, plainness))) => heard.weightings.push(evidence(
            "ConvolutionKernel",
            role,
            KERNEL_WEIGHT * plainness,
            match role {
                Role::CtBone => "a sharp bone kernel",
                Role::CtLung => "a lung kernel",
                _ => "a soft-tissue kernel",
            },
        )),
        Some(None) => heard.weightings.push(evidence(
            "ConvolutionKernel",
            Role::CtSoft,
            0.7,
            "an unknown kernel name; most are for soft tissue",
        )),
        None => heard.weightings.push(evidence(
            "Modality",
            Role::CtSoft,
            0.7,
            "CT without a kernel name; most are for soft tissue",
        )),
    }
    conclude(heard, told_by)
}

fn mr(c: &Clues<'_>, told_by: Option<&'static str>) -> RoleAssessment {
    conclude(listen(c, &[COMMON, MR]), told_by)
}

/// What the rules said.
#[derive(Default)]
struct Heard {
    kinds: Vec<RoleEvidence>,
    weightings: Vec<RoleEvidence>,
    /// Role is filled in when the weighting is known.
    fat_suppression: Vec<RoleEvidence>,
    contrast: Vec<(ContrastMedium, RoleEvidence)>,
}

fn listen(c: &Clues<'_>, tables: &[&[Rule]]) -> Heard {
    let mut heard = Heard::default();
    for rule in tables.iter().copied().flatten().filter(|rule| (rule.test)(c)) {
        let source = if rule.source == TEXT { c.text_source } else { rule.source };
        let piece = |role| evidence(source, role, rule.weight, rule.seen);
        match rule.supports {
            Supports::Kind(role) => heard.kinds.push(piece(role)),
            Supports::Weighting(role) => heard.weightings.push(piece(role)),
            Supports::FatSuppression => heard.fat_suppression.push(piece(Role::Other)),
            Supports::Contrast(medium) => heard.contrast.push((medium, piece(Role::MrT1Contrast))),
        }
    }
    heard
}

fn conclude(heard: Heard, told_by: Option<&'static str>) -> RoleAssessment {
    let Heard { kinds, weightings, mut fat_suppression, contrast } = heard;
    let mut problems = Vec::new();
    if let Some(tag) = told_by {
        problems.push(Problem::new(
            ProblemCode::ModalityMissing,
            Severity::Warning,
            format!("Modality is missing; CT or MR was told from {tag}"),
        ));
    }

    let contrast_medium = contrast_medium(&contrast, &mut problems);
    let best_kind = strongest(&kinds).filter(|&(_, weight)| weight >= KIND_DECIDES);
    let decisive = if best_kind.is_some() { &kinds } else { &weightings };
    let mut chosen = best_kind.or_else(|| strongest(decisive));

    // The rival: the strongest evidence for a role that cannot be true at the same time.
    let against = |role: Role| {
        let pool: Vec<RoleEvidence> = if best_kind.is_some() {
            kinds.clone()
        } else {
            weightings.iter().chain(&kinds).cloned().collect()
        };
        let rivals: Vec<RoleEvidence> =
            pool.into_iter().filter(|piece| !agree(role, piece.role)).collect();
        let sum: f64 = rivals.iter().map(|piece| piece.weight).sum();
        (strongest(&rivals), sum)
    };
    let mut confidence = 0.0;
    if let Some((role, weight)) = chosen {
        let (rival, opposed) = against(role);
        confidence = (1.0 - libm::exp2(-weight)) * weight / (weight + opposed);
        if let Some((other, other_weight)) = rival {
            if other_weight >= CONFLICT_WEIGHT {
                problems.push(conflict(role, weight, other, other_weight));
            }
            if weight - other_weight < LEAST_LEAD {
                chosen = None;
                confidence = 0.0;
            }
        }
    }

    let base = chosen.map_or(Role::Other, |(role, _)| role);
    let suppressed: f64 = fat_suppression.iter().map(|piece| piece.weight).sum();
    let role = match base {
        Role::MrT1 if contrast_medium == ContrastMedium::Given => Role::MrT1Contrast,
        Role::MrT1 if suppressed >= 0.7 => Role::MrT1Fatsat,
        Role::MrT2 if suppressed >= 0.7 => Role::MrT2Fatsat,
        role => role,
    };
    for piece in &mut fat_suppression {
        piece.role = match base {
            Role::MrT1 => Role::MrT1Fatsat,
            Role::MrT2 => Role::MrT2Fatsat,
            role => role,
        };
    }
    if confidence < UNCERTAIN {
        problems.push(
            Problem::new(
                ProblemCode::RoleUncertain,
                Severity::Warning,
                if chosen.is_some() {
                    "little or contradicting evidence for the kind of series"
                } else {
                    "nothing, or a tie, tells the kind of series"
                },
            )
            .with_number("confidence", rounded(confidence, 2)),
        );
    }

    // Contrast medium makes a role of T1 only; elsewhere it is told without weight.
    let medium = contrast.into_iter().map(|(medium, mut piece)| {
        if base == Role::MrT1 && medium == ContrastMedium::Given {
            piece.role = Role::MrT1Contrast;
        } else {
            piece.role = base;
            piece.weight = 0.0;
        }
        piece
    });
    let mut evidence: Vec<RoleEvidence> = kinds
        .into_iter()
        .chain(weightings)
        .chain(if matches!(base, Role::MrT1 | Role::MrT2) { fat_suppression } else { Vec::new() })
        .chain(medium)
        .collect();
    sort_evidence(&mut evidence);
    RoleAssessment {
        role,
        confidence: Share::new(rounded(confidence, 3)),
        contrast_medium,
        evidence,
        problems,
    }
}

/// Given, not given, or unknown where tags contradict each other.
fn contrast_medium(
    heard: &[(ContrastMedium, RoleEvidence)],
    problems: &mut Vec<Problem>,
) -> ContrastMedium {
    let sum = |medium| -> f64 {
        heard.iter().filter(|(m, _)| *m == medium).map(|(_, piece)| piece.weight).sum()
    };
    let given = sum(ContrastMedium::Given);
    let denied = sum(ContrastMedium::NotGiven);
    match (given > 0.0, denied > 0.0) {
        (true, false) => ContrastMedium::Given,
        (false, true) => ContrastMedium::NotGiven,
        (false, false) => ContrastMedium::Unknown,
        (true, true) => {
            problems.push(
                Problem::new(
                    ProblemCode::RoleConflict,
                    Severity::Warning,
                    "tags contradict each other on whether contrast medium was given",
                )
                .with_number("weight_given", rounded(given, 2))
                .with_number("weight_not_given", rounded(denied, 2)),
            );
            ContrastMedium::Unknown
        }
    }
}

/// Whether evidence for `other` fits a series that is `role`.
fn agree(role: Role, other: Role) -> bool {
    if role == other {
        return true;
    }
    match role {
        // A map is derived, and made from the images whose tags it carries.
        Role::MrAdc => matches!(other, Role::Derived | Role::MrDwi),
        Role::MrFatFraction => {
            matches!(other, Role::Derived | Role::MrDixonWater | Role::MrDixonFat)
        }
        Role::MrDixonWater | Role::MrDixonFat | Role::MrInPhase | Role::MrOpposedPhase => {
            other == Role::Derived
        }
        // Whatever kind it is, it carries the tags of what it was made from.
        Role::Derived | Role::Localizer | Role::NotAnImage => true,
        _ => false,
    }
}

/// The role with the largest sum of weights, with that sum; the first heard of two equals.
fn strongest(pieces: &[RoleEvidence]) -> Option<(Role, f64)> {
    let mut sums: Vec<(Role, f64)> = Vec::new();
    for piece in pieces {
        match sums.iter_mut().find(|(role, _)| *role == piece.role) {
            Some((_, sum)) => *sum += piece.weight,
            None => sums.push((piece.role, piece.weight)),
        }
    }
    let mut best: Option<(Role, f64)> = None;
    for (role, sum) in sums {
        if best.is_none_or(|(_, most)| sum > most) {
            best = Some((role, sum));
        }
    }
    best
}

pub(super) fn evidence(source: &str, role: Role, weight: f64, seen: &str) -> RoleEvidence {
    RoleEvidence {
        source: source.to_owned(),
        role,
        weight: rounded(weight, 2),
        seen: seen.to_owned(),
    }
}

pub(super) fn conflict(role: Role, weight: f64, other: Role, other_weight: f64) -> Problem {
    Problem::new(
        ProblemCode::RoleConflict,
        Severity::Warning,
        format!("evidence for {role} and for {other} contradict each other"),
    )
    .with_number("weight_for", rounded(weight, 2))
    .with_number("weight_against", rounded(other_weight, 2))
}

/// Strongest first; equals by role and source, so that the order never depends on the tables.
pub(super) fn sort_evidence(pieces: &mut [RoleEvidence]) {
    pieces.sort_by(|a, b| {
        b.weight
            .total_cmp(&a.weight)
            .then_with(|| (a.role, &a.source, &a.seen).cmp(&(b.role, &b.source, &b.seen)))
    });
}
