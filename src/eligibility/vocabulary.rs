//! The table of inputs. Names are those of the clinical vocabulary; definitions are our own.

use super::input::{DerivedKey, Input, InputType, KeyType, SIDES, Scope, Setter};
use super::outcome::Outcome::{RequestCoagulationReview, RequestMri, RequestPhysicalExam};
use crate::terms::FeatureId;

use InputType::{Boolean, Bounds, Date, FreeText, FreeTexts, Number, Place, Word, Words};
use Scope::{Patient, Site};

const IMAGE: &[Setter] = &[Setter::Image];
const HEADER: &[Setter] = &[Setter::Header];
const READER: &[Setter] = &[Setter::Reader];
const CLINICIAN: &[Setter] = &[Setter::Clinician];
const IMAGE_OR_READER: &[Setter] = &[Setter::Image, Setter::Reader];
const IMAGE_OR_CLINICIAN: &[Setter] = &[Setter::Image, Setter::Clinician];
const HEADER_OR_CLINICIAN: &[Setter] = &[Setter::Header, Setter::Clinician];
const DERIVED: &[Setter] = &[Setter::Derived];

/// Vertebral levels, and the sacral segments as one word each.
pub const LEVELS: &[&str] = &[
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9",
    "T10", "T11", "T12", "T13", "L1", "L2", "L3", "L4", "L5", "L6", "S1", "S2", "S3", "S4", "S5",
];

/// Bone regions as conditions know them.
pub const LESION_SITES: &[&str] = &[
    "vertebra",
    "sacrum",
    "ilium",
    "ischium",
    "acetabulum",
    "pubis",
    "pubic_ramus",
    "femur",
    "rib",
    "sternum",
    "shoulder_girdle",
    "long_bone",
    "other",
];

const fn count() -> InputType {
    Bounds { unit: "count", min: 0.0, max: 10_000.0 }
}

const fn from_zero(unit: &'static str, max: f64) -> InputType {
    Number { unit, min: 0.0, max }
}

/// Every input, in the order in which it is documented.
pub static INPUTS: &[Input] = &[
    // What there is to look at
    Input::new("modality", Patient, Words(&["ct", "mr", "pet_ct", "other"]), HEADER,
        "Modalities of the series that were screened."),
    Input::new("mr_t1_available", Patient, Boolean, HEADER,
        "The study has a T1-weighted MR series that could be read.").asked_by(RequestMri),
    Input::new("mr_fluid_sensitive_available", Patient, Boolean, HEADER,
        "The study has a STIR or fat-suppressed T2 series that could be read.")
        .asked_by(RequestMri),
    // Where
    Input::new("vertebral_level", Site, Word(LEVELS), IMAGE,
        "Level of the site; unknown where no anchor numbers the vertebra."),
    Input::new("lesion_site", Site, Word(LESION_SITES), IMAGE, "The bone that the site is in."),
    Input::new("lesion_side", Site, Word(SIDES), IMAGE, "Side of the lesion within the site."),
    Input::new("lesion_count", Patient, count(), IMAGE,
        "Number of sites with a candidate lesion; the upper bound is unknown while the list of sites is unfinished.")
        .near(&[FeatureId::T1MarrowSignalDrop, FeatureId::ScleroticDensity, FeatureId::LyticDensity]),
    Input::new("multifocal_disease", Patient, Boolean, IMAGE_OR_CLINICIAN,
        "More than one bone metastasis, from images or history."),
    Input::new("weight_bearing_site", Site, Boolean, DERIVED,
        "The site carries load: spine, pelvis, acetabulum, femur; follows from the bone."),
    // What is seen
    Input::new("bone_extent", Site, Number { unit: "percent", min: 0.0, max: 100.0 }, IMAGE,
        "Share of the bone part that is involved.")
        .with(&[("bone_extent_diameter_mm", Number { unit: "mm", min: 0.0, max: 500.0 })])
        .near(&[FeatureId::T1MarrowSignalDrop, FeatureId::ScleroticDensity, FeatureId::LyticDensity]),
    Input::new("soft_tissue_extent", Site, Boolean, IMAGE, "Tumour beyond the bone.")
        .set_by(FeatureId::ExtraosseousSoftTissue)
        .with(&[("soft_tissue_extent_diameter_mm", Number { unit: "mm", min: 0.0, max: 500.0 })]),
    Input::new("t1_marrow_replacement", Site, Boolean, IMAGE, "Marrow signal replaced on T1.")
        .set_by(FeatureId::T1MarrowSignalDrop)
        .asked_by(RequestMri),
    Input::new("tumor_margin_defined", Site, Boolean, READER,
        "The edge of the lesion inside the bone can be drawn.")
        .near(&[FeatureId::T1MarrowSignalDrop])
        .asked_by(RequestMri),
    Input::new("lytic_lesion", Site, Boolean, IMAGE, "Bone destroyed, or less dense than it should be.")
        .set_by(FeatureId::LyticDensity),
    Input::new("sclerotic_lesion", Site, Boolean, IMAGE, "Bone denser than the patient's own marrow.")
        .set_by(FeatureId::ScleroticDensity),
    Input::new("mixed_density_lesion", Site, Boolean, IMAGE, "Lytic and sclerotic parts in one site.")
        .set_by(FeatureId::MixedDensity),
    Input::new("extensive_lysis", Site, Boolean, READER,
        "So much bone is lost that a device has little to hold on to; a reader's word, no number decides.")
        .near(&[FeatureId::LyticDensity]),
    Input::new("nontumor_bone_in_body", Site, Boolean, IMAGE_OR_READER,
        "Part of the vertebral body is free of sclerosis and tumour.")
        .near(&[FeatureId::ScleroticDensity])
        .with(&[("nontumor_bone_in_body_side", Word(SIDES))]),
    Input::new("rapid_sclerotic_growth", Site, Boolean, READER,
        "A sclerotic lesion that grows quickly from one study to the next."),
    Input::new("fracture_line_visible", Site, Boolean, IMAGE,
        "A fracture line is seen; not seeing one excludes no fracture.")
        .set_by(FeatureId::FractureLine),
    Input::new("pathologic_fracture", Site, Boolean, READER, "Fracture through bone that carries tumour.")
        .near(&[FeatureId::FractureLine, FeatureId::HeightLoss]),
    Input::new("vertebral_compression_fracture", Site, Boolean, IMAGE, "The vertebral body has lost height.")
        .set_by(FeatureId::HeightLoss),
    Input::new("vertebra_plana", Site, Boolean, IMAGE_OR_READER, "The vertebral body is all but flat.")
        .near(&[FeatureId::HeightLoss]),
    Input::new("fracture_etiology", Site, Word(&["pathologic", "osteoporotic", "traumatic"]), READER,
        "Cause of the fracture."),
    Input::new("fracture_acuity", Site, Word(&["acute", "subacute", "chronic"]), READER, "Age of the fracture.")
        .near(&[FeatureId::MarrowOedema])
        .asked_by(RequestMri),
    Input::new("focal_marrow_edema", Site, Boolean, IMAGE, "Focal bright marrow on a fluid-sensitive series.")
        .set_by(FeatureId::MarrowOedema)
        .asked_by(RequestMri),
    Input::new("posterior_wall_disruption", Site, Boolean, IMAGE,
        "The posterior cortex of the body is broken, bulging or eroded.")
        .set_by(FeatureId::PosteriorWallDisruption),
    Input::new("posterior_wall_effacement", Site, Boolean, IMAGE_OR_READER,
        "The posterior wall is lost to tumour or bulged by it.")
        .near(&[FeatureId::PosteriorWallDisruption]),
    Input::new("posterior_third_involvement", Site, Boolean, IMAGE_OR_READER,
        "The lesion reaches the posterior third of the body.")
        .near(&[FeatureId::T1MarrowSignalDrop, FeatureId::ScleroticDensity, FeatureId::LyticDensity]),
    Input::new("anterior_column_disruption", Site, Boolean, IMAGE, "The front of the body is broken or eroded.")
        .set_by(FeatureId::AnteriorColumnErosion),
    Input::new("pedicle_involvement", Site, Boolean, IMAGE, "The lesion reaches a pedicle.")
        .set_by(FeatureId::PedicleInvolvement)
        .with(&[("pedicle_involvement_side", Word(SIDES))]),
    Input::new("posterior_element_involvement", Site, Boolean, IMAGE, "The lesion reaches lamina, facet or process.")
        .set_by(FeatureId::PosteriorElementInvolvement)
        .with(&[("posterior_element_involvement_side", Word(SIDES))]),
    Input::new("costovertebral_junction_involvement", Site, Boolean, IMAGE, "The lesion reaches the rib joint.")
        .set_by(FeatureId::CostovertebralInvolvement)
        .with(&[("costovertebral_junction_involvement_side", Word(SIDES))]),
    Input::new("neuroforamen_involvement", Site, Boolean, IMAGE_OR_READER,
        "Lesion, or a defect of the wall, at an exit foramen.")
        .near(&[FeatureId::ExtraosseousSoftTissue])
        .with(&[("neuroforamen_involvement_side", Word(SIDES))])
        .asked_by(RequestMri),
    Input::new("spinal_canal_involvement", Site, Boolean, IMAGE, "Tumour or bone reaches into the spinal canal.")
        .set_by(FeatureId::CanalEncroachment)
        .asked_by(RequestMri),
    Input::new("spinal_canal_involvement_minor", Site, Boolean, READER,
        "A reader has graded what reaches into the canal as minor; no measurement ever sets it, and without a grade it counts as more than minor.")
        .near(&[FeatureId::CanalEncroachment]),
    Input::new("epidural_extension", Site, Boolean, IMAGE_OR_READER,
        "Tumour in the epidural space; not known without MRI.")
        .set_by(FeatureId::EpiduralSoftTissue)
        .asked_by(RequestMri),
    Input::new("cord_compression", Site, Boolean, READER, "The cord is compressed on imaging.")
        .near(&[FeatureId::CanalEncroachment])
        .asked_by(RequestMri),
    Input::new("nerve_root_compression", Site, Boolean, READER, "A root is pressed on MRI.")
        .with(&[("nerve_root_compression_side", Word(SIDES))])
        .asked_by(RequestMri),
    Input::new("tumor_hypervascularity", Site, Boolean, READER,
        "The tumour is vascular, on contrast imaging or by a clinician's word.")
        .asked_by(RequestMri),
    Input::new("lesion_active", Site, Boolean, READER, "The lesion is active, not treated.")
        .asked_by(RequestMri),
    Input::new("adjacent_level_lesion", Site, Boolean, IMAGE_OR_READER,
        "A lesion at the level above or below.")
        .near(&[FeatureId::T1MarrowSignalDrop, FeatureId::ScleroticDensity, FeatureId::LyticDensity])
        .asked_by(RequestMri),
    Input::new("access_route_available", Site, Boolean, CLINICIAN,
        "A needle can get there, in the operator's judgment."),
    Input::new("hypermetabolic_on_pet", Site, Boolean, READER, "Uptake at the site on FDG PET."),
    Input::new("cement_leak_type", Site, Word(&["none", "intravascular", "epidural", "foraminal", "other"]), READER,
        "A leak seen during or after cement."),
    Input::new("cement_distribution_adequate", Site, Boolean, READER,
        "The cement is judged sufficient on the check images.")
        .near(&[FeatureId::CementOrMetal]),
    // Who
    Input::new("age_years", Patient, from_zero("years", 120.0), HEADER_OR_CLINICIAN, "Age; no rule depends on it."),
    Input::new("primary_tumor_type", Patient, FreeText, CLINICIAN, "The primary tumour, in the clinician's words."),
    Input::new("disease_extent", Patient, Word(&["bone_only", "bone_and_visceral", "widespread"]), CLINICIAN,
        "How far the cancer has spread."),
    Input::new("comorbidities", Patient, FreeTexts, CLINICIAN, "Other illness that bears on a procedure."),
    Input::new("life_expectancy_months", Patient, from_zero("months", 1200.0), CLINICIAN,
        "The team's estimate; never computed, never a limit."),
    Input::new("goals_of_care", Patient, Word(&["palliation", "local_control", "both", "other"]), CLINICIAN,
        "What the patient wants."),
    Input::new("perceived_benefit", Patient, Word(&["low", "moderate", "high"]), CLINICIAN,
        "Benefit expected, set against the pain."),
    // Pain
    Input::new("pain_score_0_10", Patient, Bounds { unit: "points", min: 0.0, max: 10.0 }, CLINICIAN,
        "Worst pain on the 0 to 10 scale before treatment; a range has a lower and an upper value."),
    Input::new("pain_score_after_0_10", Patient, from_zero("points", 10.0), CLINICIAN,
        "Pain on the 0 to 10 scale after treatment."),
    Input::new("pain_on_weight_bearing", Patient, Boolean, CLINICIAN, "Pain with load or movement."),
    Input::new("pain_mechanism", Patient, Words(&["mechanical", "biologic", "neuropathic"]), CLINICIAN,
        "Pattern of the pain; several may hold."),
    Input::new("painful_site_count", Patient, count(), CLINICIAN, "Number of places that hurt, not of places on the images."),
    Input::new("diffuse_pain", Patient, Boolean, CLINICIAN, "Pain that cannot be pinned to places."),
    Input::new("site_of_maximal_pain", Patient, Place, CLINICIAN, "Where it hurts most."),
    Input::new("exam_performed", Patient, Boolean, CLINICIAN, "An examination by palpation was done.")
        .asked_by(RequestPhysicalExam),
    Input::new("exam_localizes_pain", Site, Boolean, CLINICIAN,
        "Pressing there brings the pain on; recorded without sight of the images.")
        .asked_by(RequestPhysicalExam),
    Input::new("pain_imaging_concordant", Site, Boolean, CLINICIAN, "The painful place and the finding agree."),
    Input::new("neurologic_deficit", Patient, Boolean, CLINICIAN,
        "Any sign of neurologic compromise; false only after an examination. New incontinence or weakness of a limb makes it true."),
    Input::new("incontinence", Patient, Boolean, CLINICIAN, "New loss of control of bladder or bowel."),
    Input::new("limb_weakness", Patient, Boolean, CLINICIAN, "Weakness of a limb."),
    Input::new("neuropathic_pain_description", Patient, Boolean, CLINICIAN, "The patient's words fit nerve pain."),
    Input::new("analgesia_adequate", Patient, Boolean, CLINICIAN, "The present pain drugs are enough."),
    Input::new("opioid_use", Patient, Boolean, CLINICIAN, "The patient takes opioids."),
    Input::new("opioid_adverse_effects", Patient, Boolean, CLINICIAN,
        "Opioids are badly tolerated: sedation, fogginess, constipation, uneven effect, or a burden to take."),
    Input::new("analgesic_dose_change_percent", Patient, Number { unit: "percent", min: -100.0, max: 10_000.0 }, CLINICIAN,
        "Change of the daily dose of pain drugs since the procedure."),
    Input::new("residual_pain_after_ablation", Patient, Boolean, CLINICIAN, "Pain is left after an ablation."),
    Input::new("disease_progression", Patient, Boolean, CLINICIAN, "The cancer has progressed since the last review."),
    Input::new("functional_limitation", Patient, Boolean, CLINICIAN, "Pain limits daily life or walking."),
    Input::new("able_to_lie_still_min", Patient, from_zero("minutes", 1440.0), CLINICIAN,
        "How long the patient can lie still."),
    // Blood
    Input::new("platelets_per_ul", Patient, from_zero("platelets per microlitre", 10_000_000.0), CLINICIAN,
        "The latest platelet count; without its date it settles nothing.")
        .with(&[("platelets_date", Date)])
        .asked_by(RequestCoagulationReview),
    Input::new("inr", Patient, Number { unit: "ratio", min: 0.1, max: 50.0 }, CLINICIAN,
        "Kept and printed; the sources give no limit, and no rule uses it.")
        .asked_by(RequestCoagulationReview),
    Input::new("anticoagulant_use", Patient, Boolean, CLINICIAN,
        "Kept and printed; the sources give no rule for it.")
        .asked_by(RequestCoagulationReview),
    Input::new("bleeding_dyscrasia", Patient, Boolean, CLINICIAN, "A known bleeding disorder.")
        .asked_by(RequestCoagulationReview),
    Input::new("hypercalcemia", Patient, Boolean, CLINICIAN, "Blood calcium above the local laboratory's range."),
    Input::new("poor_bone_quality", Site, Boolean, IMAGE_OR_CLINICIAN, "Weak bone around the lesion.")
        .set_by(FeatureId::BoneQuality),
    // Treatment
    Input::new("systemic_therapy_active", Patient, Boolean, CLINICIAN, "On systemic treatment for the cancer."),
    Input::new("myelosuppressive_therapy", Patient, Boolean, CLINICIAN, "On treatment that suppresses marrow."),
    Input::new("days_to_blood_count_nadir", Patient, Number { unit: "days", min: -365.0, max: 365.0 }, CLINICIAN,
        "Days until the blood counts are expected lowest; negative after that.")
        .asked_by(RequestCoagulationReview),
    Input::new("tki_therapy", Patient, Boolean, CLINICIAN, "On a tyrosine kinase inhibitor or a drug like it."),
    Input::new("immunotherapy_cycle_weeks", Patient, Number { unit: "weeks", min: 0.1, max: 104.0 }, CLINICIAN,
        "Length of the immunotherapy cycle."),
    Input::new("bisphosphonate_tried", Patient, Boolean, CLINICIAN, "A bisphosphonate has been given."),
    Input::new("prior_radiation_to_site", Site, Boolean, CLINICIAN, "The site was irradiated."),
    Input::new("radiation_technique", Site, Word(&["conventional", "stereotactic"]), CLINICIAN,
        "Technique of radiation at the site, past or planned."),
    Input::new("radiation_planned", Site, Boolean, CLINICIAN, "Radiation is planned for the site."),
    Input::new("hours_from_radiosurgery", Site, from_zero("hours", 100_000.0), CLINICIAN,
        "Time between radiosurgery and the procedure."),
    Input::new("surgical_candidate", Patient, Boolean, CLINICIAN, "A surgeon's opinion that surgery is possible."),
    Input::new("multidisciplinary_review_done", Patient, Boolean, CLINICIAN, "A team has discussed the case."),
    Input::new("procedure_planned", Patient,
        Words(&["ablation", "augmentation", "cementoplasty", "pump", "radiation"]), CLINICIAN,
        "What is being planned; several may hold."),
    Input::new("days_since_procedure", Patient, from_zero("days", 36_500.0), CLINICIAN, "Days since the procedure."),
    Input::new("caregiver_present", Patient, Boolean, CLINICIAN, "A family caregiver takes part."),
];

/// Keys that follow from inputs. A condition may read them; nobody gives them.
pub(super) static DERIVED_KEYS: &[DerivedKey] = &[
    DerivedKey {
        name: "upper_thoracic",
        scope: Site,
        kind: KeyType::Boolean,
        input: "vertebral_level",
        definition: "The level is T1 to T6 (the source says upper thoracic and gives no range).",
    },
    DerivedKey {
        name: "thoracic",
        scope: Site,
        kind: KeyType::Boolean,
        input: "vertebral_level",
        definition: "The level is T1 to T13.",
    },
    DerivedKey {
        name: "finding_present",
        scope: Site,
        kind: KeyType::Boolean,
        input: "lesion_count",
        definition: "Some feature reports a present finding at this site; never false, for not every feature looks everywhere.",
    },
    DerivedKey {
        name: "maximal_pain_here",
        scope: Site,
        kind: KeyType::Boolean,
        input: "site_of_maximal_pain",
        definition: "The place of worst pain is this level, or this bone and side; false where it is another one.",
    },
];
