//! The closed list of outcomes: what a rule may say.
//!
//! Every outcome names something for a team to discuss, to ask for or to keep in mind; none is an
//! order. The order of the variants is the order of precedence within a family.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// What kind of thing an outcome is. The order is the order of precedence: what is dangerous to
/// overlook comes first, what is nice to read comes last.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Family {
    /// Says that something is out of scope here, and why.
    Exclusion,
    /// Names a specialty or a kind of treatment to bring in.
    Routing,
    /// Asks for what is missing.
    Request,
    /// An option that a team may discuss.
    Candidate,
    /// How an option would be carried out. Shown only beside an option.
    Planning,
    /// What could go wrong. Not yet ruled out, it stands beside an option; known to hold, it
    /// stands alone.
    Caution,
    /// What to look at afterwards. Shown only beside an option.
    FollowUp,
    /// A line of the report.
    Report,
}

impl Family {
    /// One sentence for people.
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Exclusion => "Says that something is out of scope here, and why.",
            Self::Routing => "Names a specialty or a kind of treatment to bring in.",
            Self::Request => {
                "Asks for what is missing; derived from what is missing, or from a rule."
            }
            Self::Candidate => "An option that a team may discuss; never a recommendation.",
            Self::Planning => {
                "How an option would be carried out; shown only beside an option of the same subject."
            }
            Self::Caution => {
                "What could go wrong; known to hold it stands alone, not yet ruled out it stands beside an option."
            }
            Self::FollowUp => "What to look at afterwards; shown only beside an option.",
            Self::Report => "A line of the report.",
        }
    }
}

/// What a rule may say. A word that is not here is refused in a rulebook.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[allow(missing_docs, reason = "each variant is explained by Outcome::definition")]
pub enum Outcome {
    // Exclusion
    ExcludeAblationAlone,
    DeferAblationAsymptomatic,
    // Routing
    ReferSurgery,
    ReferRadiationOncology,
    ReferMultidisciplinary,
    DiscussSystemicTherapy,
    DiscussRadiopharmaceutical,
    DiscussBoneDrug,
    DiscussAnalgesia,
    DiscussNeuropathicDrug,
    // Request
    RequestClinicalInput,
    RequestPhysicalExam,
    RequestMri,
    RequestCoagulationReview,
    // Candidate
    ConsiderAblation,
    ConsiderRfAblation,
    ConsiderCryoablation,
    ConsiderAugmentation,
    ConsiderCementoplastyExtraspinal,
    ConsiderFixation,
    ConsiderSpinalInjection,
    ConsiderPainPump,
    RareExceptionEpidural,
    // Planning
    PlanNerveMonitoring,
    PlanStabilizeAfterAblation,
    PlanStabilizeBeforeRadiation,
    PlanCementVigilance,
    PlanCoverage,
    PlanAccessRoute,
    PlanBilateralAccess,
    PlanPedicleAblation,
    PlanOverlappingAblations,
    PlanBoneDrill,
    PlanNeedleAcrossLesion,
    PlanCtGuidance,
    PlanScaffoldDevice,
    PlanFullBodyCement,
    PlanTherapyTiming,
    FlagAdjacentLevel,
    // Caution
    CautionCanal,
    CautionPosteriorWall,
    CautionNerveInjury,
    CautionCementLeak,
    CautionIntravasation,
    CautionForaminalHeat,
    CautionSclerotic,
    CautionBalloonNoInflate,
    CautionImplantMigration,
    CautionFractureRisk,
    CautionRadiationFlare,
    CautionPrognosis,
    // Follow-up
    #[serde(rename = "followup_clinic_2w")]
    #[strum(serialize = "followup_clinic_2w")]
    FollowupClinic2w,
    FollowupPainAnalgesia,
    #[serde(rename = "followup_imaging_1m")]
    #[strum(serialize = "followup_imaging_1m")]
    FollowupImaging1m,
    FollowupRevisitPump,
    // Report
    ReportFeature,
    ReportSentence,
    MentionPainPump,
    ReportDisclaimer,
}

impl Outcome {
    /// The family, which decides precedence and whether an option must stand beside it.
    pub const fn family(self) -> Family {
        match self {
            Self::ExcludeAblationAlone | Self::DeferAblationAsymptomatic => Family::Exclusion,
            Self::ReferSurgery
            | Self::ReferRadiationOncology
            | Self::ReferMultidisciplinary
            | Self::DiscussSystemicTherapy
            | Self::DiscussRadiopharmaceutical
            | Self::DiscussBoneDrug
            | Self::DiscussAnalgesia
            | Self::DiscussNeuropathicDrug => Family::Routing,
            Self::RequestClinicalInput
            | Self::RequestPhysicalExam
            | Self::RequestMri
            | Self::RequestCoagulationReview => Family::Request,
            Self::ConsiderAblation
            | Self::ConsiderRfAblation
            | Self::ConsiderCryoablation
            | Self::ConsiderAugmentation
            | Self::ConsiderCementoplastyExtraspinal
            | Self::ConsiderFixation
            | Self::ConsiderSpinalInjection
            | Self::ConsiderPainPump
            | Self::RareExceptionEpidural => Family::Candidate,
            Self::PlanNerveMonitoring
            | Self::PlanStabilizeAfterAblation
            | Self::PlanStabilizeBeforeRadiation
            | Self::PlanCementVigilance
            | Self::PlanCoverage
            | Self::PlanAccessRoute
            | Self::PlanBilateralAccess
            | Self::PlanPedicleAblation
            | Self::PlanOverlappingAblations
            | Self::PlanBoneDrill
            | Self::PlanNeedleAcrossLesion
            | Self::PlanCtGuidance
            | Self::PlanScaffoldDevice
            | Self::PlanFullBodyCement
            | Self::PlanTherapyTiming
            | Self::FlagAdjacentLevel => Family::Planning,
            Self::CautionCanal
            | Self::CautionPosteriorWall
            | Self::CautionNerveInjury
            | Self::CautionCementLeak
            | Self::CautionIntravasation
            | Self::CautionForaminalHeat
            | Self::CautionSclerotic
            | Self::CautionBalloonNoInflate
            | Self::CautionImplantMigration
            | Self::CautionFractureRisk
            | Self::CautionRadiationFlare
            | Self::CautionPrognosis => Family::Caution,
            Self::FollowupClinic2w
            | Self::FollowupPainAnalgesia
            | Self::FollowupImaging1m
            | Self::FollowupRevisitPump => Family::FollowUp,
            Self::ReportFeature
            | Self::ReportSentence
            | Self::MentionPainPump
            | Self::ReportDisclaimer => Family::Report,
        }
    }

    /// What it means, in one sentence.
    pub const fn definition(self) -> &'static str {
        match self {
            Self::ExcludeAblationAlone => {
                "A neurologic deficit is recorded: ablation by itself cannot answer it, whatever the images show."
            }
            Self::DeferAblationAsymptomatic => {
                "The site does not hurt, or was not tender when examined: it is not put forward for treatment; the finding stays in the report."
            }
            Self::ReferSurgery => {
                "A surgical opinion (neurosurgery or orthopaedics) is named; urgently where there is a deficit."
            }
            Self::ReferRadiationOncology => {
                "A radiation oncology opinion is named; urgently where there is a deficit."
            }
            Self::ReferMultidisciplinary => {
                "The findings belong before a team of medical oncology, surgery, radiation oncology, interventional radiology and palliative care."
            }
            Self::DiscussSystemicTherapy => {
                "Whole-body treatment of the cancer is a topic, alongside any local option."
            }
            Self::DiscussRadiopharmaceutical => {
                "A bone-seeking radiopharmaceutical may be a topic in widespread painful bone disease."
            }
            Self::DiscussBoneDrug => "Drugs that strengthen bone may be a topic.",
            Self::DiscussAnalgesia => {
                "The pain drugs may be reviewed by the treating team; no drug and no dose is named."
            }
            Self::DiscussNeuropathicDrug => {
                "A class of drugs against nerve pain may be a topic: a collapsed vertebra presses a nerve on MRI and the patient's words fit."
            }
            Self::RequestClinicalInput => {
                "A clinical input, or a reader's look at the images, is missing and could decide something."
            }
            Self::RequestPhysicalExam => {
                "An examination by palpation, with the tender levels, is missing and could decide something."
            }
            Self::RequestMri => "MRI is missing, or unread, and could decide something.",
            Self::RequestCoagulationReview => {
                "Platelets or bleeding disorders are unknown, or stand against a procedure: it waits for a review."
            }
            Self::ConsiderAblation => {
                "Thermal ablation of this lesion may be discussed: a finding on the images, pain, and agreement of the two."
            }
            Self::ConsiderRfAblation => {
                "Radiofrequency, with a system made for the spine, is the kind of ablation to discuss for this vertebra."
            }
            Self::ConsiderCryoablation => {
                "Cryoablation is the kind of ablation to discuss: a lytic lesion of the posterior elements, the rib joint or the pelvis."
            }
            Self::ConsiderAugmentation => {
                "Stabilizing this vertebra with cement, with or without a balloon or implant, may be discussed."
            }
            Self::ConsiderCementoplastyExtraspinal => {
                "Cement in this bone outside the vertebrae may be discussed."
            }
            Self::ConsiderFixation => {
                "Screws may be discussed as added structure outside the spine."
            }
            Self::ConsiderSpinalInjection => {
                "An injection at a nerve root, in the epidural space or at a facet may be discussed for pain of that kind."
            }
            Self::ConsiderPainPump => {
                "Intrathecal delivery of pain drugs may be discussed: pain that remains, is diffuse or comes from many places, or oral opioids that fail or are badly tolerated. Reasons against a pump are not covered."
            }
            Self::RareExceptionEpidural => {
                "Ablation despite epidural tumour, as a documented exception: irradiated before, no surgery possible, no deficit, monitored, decided by a team."
            }
            Self::PlanNerveMonitoring => {
                "Nerves can be watched with temperature probes, electrophysiology or an awake patient."
            }
            Self::PlanStabilizeAfterAblation => {
                "Ablation is followed by cement or another stabilization."
            }
            Self::PlanStabilizeBeforeRadiation => {
                "Stabilizing first can make radiation possible for someone who cannot lie still long enough."
            }
            Self::PlanCementVigilance => "Viscous cement, given slowly and watched often.",
            Self::PlanCoverage => {
                "How far treatment reaches: the lesion as far as safe, often bone around it, and the parts that hurt."
            }
            Self::PlanAccessRoute => {
                "Whether and how a needle can get there is for the operator to judge; large or two-part targets may need several."
            }
            Self::PlanBilateralAccess => "Access from both sides is the usual way at this level.",
            Self::PlanPedicleAblation => {
                "The pedicle carries tumour too and is treated on the way out; the access itself runs through it."
            }
            Self::PlanOverlappingAblations => {
                "In dense bone the treated zone comes out small: several overlapping ones, with pauses."
            }
            Self::PlanBoneDrill => "A powered drill may help to get into dense bone.",
            Self::PlanNeedleAcrossLesion => {
                "Needles that cross dense and tumour-free bone let cement spread better, where possible."
            }
            Self::PlanCtGuidance => {
                "CT can show where needles and cement lie at a difficult level; it is not a live view."
            }
            Self::PlanScaffoldDevice => {
                "A balloon or implant may hold cement together, restore height and act as scaffold."
            }
            Self::PlanFullBodyCement => {
                "With much bone lost, cement through the whole body, as much as is safe, is what holds."
            }
            Self::PlanTherapyTiming => {
                "The date is agreed with whoever gives the cancer drugs or the radiation."
            }
            Self::FlagAdjacentLevel => {
                "The neighbouring levels carry a lesion, or none has been ruled out, and may be what hurts."
            }
            Self::CautionCanal => {
                "The spinal canal is involved: it speaks for symptoms, and against heat and cement."
            }
            Self::CautionPosteriorWall => {
                "The posterior wall is broken: cement could reach the canal."
            }
            Self::CautionNerveInjury => {
                "Nerves lie near, and the treated zone cannot be seen inside bone."
            }
            Self::CautionCementLeak => "Cement leaks often at a level with tumour.",
            Self::CautionIntravasation => "Cement may enter veins here.",
            Self::CautionForaminalHeat => {
                "Cement near a foramen: its heat can hurt the root without pressing on it."
            }
            Self::CautionSclerotic => {
                "Dense bone: hard to enter, a smaller ablation zone, uneven cement."
            }
            Self::CautionBalloonNoInflate => {
                "A balloon does not open in dense bone, and an implant might not."
            }
            Self::CautionImplantMigration => "With much bone lost, implants tend to move.",
            Self::CautionFractureRisk => {
                "Ablation, or radiation given before, raises the risk of a fracture."
            }
            Self::CautionRadiationFlare => {
                "Pain may get worse after radiation before it gets better."
            }
            Self::CautionPrognosis => {
                "Survival figures belong to populations; none is used as a limit or given for a patient."
            }
            Self::FollowupClinic2w => "A visit about two weeks after a procedure.",
            Self::FollowupPainAnalgesia => {
                "Pain, pain drugs, function and remaining painful places, one to two weeks after a procedure."
            }
            Self::FollowupImaging1m => {
                "Imaging of local control about a month after ablation, if the team wants it."
            }
            Self::FollowupRevisitPump => "The question of a pump is taken up again at follow-up.",
            Self::ReportFeature => "What was seen, where, and how sure it is.",
            Self::ReportSentence => "A neutral sentence for people.",
            Self::MentionPainPump => {
                "A pump is mentioned early, so that it is no surprise later; this recommends nothing."
            }
            Self::ReportDisclaimer => "For information; it does not replace professional judgment.",
        }
    }

    /// The facts behind a request that was derived from missing inputs; empty for other outcomes,
    /// whose facts stand in their rules.
    pub const fn request_sources(self) -> &'static [&'static str] {
        match self {
            Self::RequestClinicalInput => {
                &["F016", "F060", "F074", "F076", "F118", "F133", "F174", "F191"]
            }
            Self::RequestPhysicalExam => &["F010", "F024", "F025", "F038"],
            Self::RequestMri => &["F003", "F234", "F237", "F239"],
            Self::RequestCoagulationReview => &["F193", "F194", "F225"],
            _ => &[],
        }
    }

    /// Place in the verdict, smallest first. What is hard (exclusions and urgent referrals) stands
    /// before all else; then requests, options, other routing, plans, cautions, follow-up, report.
    pub const fn precedence(self, hard: bool) -> u8 {
        match self.family() {
            Family::Exclusion if hard => 0,
            Family::Routing if hard => 1,
            Family::Exclusion => 2,
            Family::Request => 3,
            Family::Candidate => 4,
            Family::Routing => 5,
            Family::Planning => 6,
            Family::Caution => 7,
            Family::FollowUp => 8,
            Family::Report => 9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fifty_nine_outcomes_and_each_family_is_used() {
        assert_eq!(Outcome::VARIANTS.len(), 59);
        for family in Family::VARIANTS {
            assert!(Outcome::VARIANTS.iter().any(|outcome| outcome.family() == *family));
        }
    }

    #[test]
    fn variants_of_a_family_stand_together_so_that_their_order_is_precedence() {
        let mut seen = Vec::new();
        for outcome in Outcome::VARIANTS {
            if seen.last() != Some(&outcome.family()) {
                assert!(!seen.contains(&outcome.family()), "{outcome} stands apart");
                seen.push(outcome.family());
            }
        }
    }

    #[test]
    fn words_are_those_of_the_clinical_vocabulary() {
        assert_eq!(Outcome::FollowupClinic2w.to_string(), "followup_clinic_2w");
        assert_eq!(Outcome::FollowupImaging1m.to_string(), "followup_imaging_1m");
        for outcome in Outcome::VARIANTS {
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, serde_json::json!(outcome.to_string()));
        }
    }
}
