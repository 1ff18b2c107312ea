//! One test for each trap that a header sets.

use super::{PixelLook, RoleAssessment, TissueQuotients, assess, refine, with_look};
use crate::geometry::{Grid, LpsPoint, LpsVector};
use crate::problem::ProblemCode;
use crate::series::{Series, SeriesId, SeriesTags};
use crate::terms::{ContrastMedium, Role};

pub(super) fn series(tags: SeriesTags) -> Series {
    Series {
        id: SeriesId("0123456789abcdef".to_owned()),
        series_instance_uid: String::new(),
        frame_of_reference_uid: String::new(),
        tags,
        slices: Vec::new(),
        grid: Grid::new(
            [4, 4, 4],
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::LEFT,
            LpsVector::new(0.0, 1.0, 0.0),
            LpsVector::HEAD,
        )
        .unwrap(),
        problems: Vec::new(),
        not_a_volume: None,
    }
}

fn mr(description: &str, sequence: &[&str], tr: f64, te: f64, ti: f64) -> SeriesTags {
    let positive = |value: f64| (value > 0.0).then_some(value);
    SeriesTags {
        modality: Some("MR".to_owned()),
        series_description: (!description.is_empty()).then(|| description.to_owned()),
        scanning_sequence: sequence.iter().map(|&code| code.to_owned()).collect(),
        repetition_time_ms: positive(tr),
        echo_time_ms: positive(te),
        inversion_time_ms: positive(ti),
        ..SeriesTags::default()
    }
}

fn ct(kernel: &str, description: &str) -> SeriesTags {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    SeriesTags {
        modality: Some("CT".to_owned()),
        series_description: text(description),
        convolution_kernel: text(kernel),
        rescale_present: true,
        ..SeriesTags::default()
    }
}

fn codes(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn told(tags: SeriesTags) -> RoleAssessment {
    assess(&series(tags))
}

fn has(assessment: &RoleAssessment, code: ProblemCode) -> bool {
    assessment.problems.iter().any(|problem| problem.code == code)
}

#[test]
fn a_plain_t1_and_t2_spin_echo_are_told_with_confidence() {
    let t1 = told(mr("SAG T1 TSE", &["SE"], 550.0, 11.0, 0.0));
    assert_eq!(t1.role, Role::MrT1);
    assert!(t1.confidence.get() > 0.7 && t1.problems.is_empty(), "{t1:?}");
    let t2 = told(mr("SAG T2 TSE", &["SE"], 3500.0, 100.0, 0.0));
    assert_eq!(t2.role, Role::MrT2);
    assert!(t2.confidence.get() > 0.7 && t2.problems.is_empty(), "{t2:?}");
}

#[test]
fn times_alone_tell_t1_where_no_text_is_given() {
    assert_eq!(told(mr("", &["SE"], 500.0, 22.0, 0.0)).role, Role::MrT1);
}

#[test]
fn a_description_that_contradicts_the_times_is_a_conflict_with_less_confidence() {
    let honest = told(mr("T2", &["SE"], 3500.0, 100.0, 0.0));
    let lying = told(mr("T1", &["SE"], 3500.0, 100.0, 0.0));
    assert!(has(&lying, ProblemCode::RoleConflict));
    assert!(lying.confidence.get() < honest.confidence.get() - 0.2);
}

#[test]
fn a_tie_is_other_and_uncertain() {
    let tie = told(mr("T1 T2", &[], 0.0, 0.0, 0.0));
    assert_eq!(tie.role, Role::Other);
    assert!(has(&tie, ProblemCode::RoleUncertain));
    assert_eq!(told(mr("", &["SE"], 0.0, 0.0, 0.0)).role, Role::Other);
}

#[test]
fn the_inversion_time_of_an_mprage_does_not_make_it_stir_nor_its_tr_make_it_t2() {
    assert_eq!(told(mr("t1_mpr_tra_iso", &["GR", "IR"], 1160.0, 4.24, 600.0)).role, Role::MrT1);
    assert_eq!(told(mr("", &["RM", "IR"], 2217.0, 3.2, 1000.0)).role, Role::MrT1);
}

#[test]
fn a_short_inversion_time_is_stir_whatever_the_echo_time() {
    for te in [14.0, 64.0, 100.0] {
        assert_eq!(told(mr("", &["SE", "IR"], 4400.0, te, 150.0)).role, Role::MrStir, "TE {te}");
    }
}

#[test]
fn flair_is_no_t2_and_a_t1_flair_is_t1() {
    assert_eq!(told(mr("T2 FLAIR", &["SE", "IR"], 9000.0, 120.0, 2500.0)).role, Role::Other);
    assert_eq!(told(mr("FLAIR", &["RM"], 10002.0, 159.5, 0.0)).role, Role::Other);
    assert_eq!(told(mr("", &["SE", "IR"], 4000.0, 194.0, 1400.0)).role, Role::Other);
    assert_eq!(told(mr("SAG T1 FLAIR", &["SE", "IR"], 2100.0, 20.0, 860.0)).role, Role::MrT1);
}

#[test]
fn an_agent_called_none_is_no_agent() {
    let mut tags = mr("SAG T1", &["SE"], 550.0, 11.0, 0.0);
    tags.contrast_bolus_agent = Some("NONE".to_owned());
    let plain = told(tags.clone());
    assert_eq!((plain.role, plain.contrast_medium), (Role::MrT1, ContrastMedium::NotGiven));
    tags.contrast_bolus_agent = Some("Dotarem 14ml".to_owned());
    let given = told(tags.clone());
    assert_eq!((given.role, given.contrast_medium), (Role::MrT1Contrast, ContrastMedium::Given));
    tags.series_description = Some("SAG T1 ohne KM".to_owned());
    let unclear = told(tags);
    assert_eq!(unclear.contrast_medium, ContrastMedium::Unknown);
    assert!(has(&unclear, ProblemCode::RoleConflict));
}

#[test]
fn fat_saturation_makes_t2_fat_suppressed_and_t1_fat_suppressed() {
    let mut tags = mr("SAG T2", &["SE"], 3500.0, 90.0, 0.0);
    tags.scan_options = codes(&["PFF", "FS"]);
    assert_eq!(told(tags.clone()).role, Role::MrT2Fatsat);
    tags.repetition_time_ms = Some(600.0);
    tags.echo_time_ms = Some(12.0);
    tags.series_description = Some("SAG T1".to_owned());
    assert_eq!(told(tags).role, Role::MrT1Fatsat);
    assert_eq!(told(mr("SAG T2 FSE", &["SE"], 3500.0, 90.0, 0.0)).role, Role::MrT2);
}

#[test]
fn an_adc_map_that_keeps_its_b_value_is_a_map() {
    let mut tags = mr("ADC", &["SE"], 2500.0, 80.0, 0.0);
    tags.image_type = codes(&["DERIVED", "SECONDARY", "ADC"]);
    tags.diffusion_b_value = Some(500.0);
    let adc = told(tags);
    assert_eq!(adc.role, Role::MrAdc);
    assert!(!has(&adc, ProblemCode::RoleConflict), "a map may carry the tags of its sources");
}

#[test]
fn a_b_value_of_zero_is_no_diffusion() {
    let mut tags = mr("AX T1 SE", &["SE"], 613.0, 12.0, 0.0);
    tags.diffusion_b_value = Some(0.0);
    assert_eq!(told(tags).role, Role::MrT1);
}

#[test]
fn field_strength_in_gauss_is_read_as_such() {
    let mut tags = mr("dual echo in phase", &["GR"], 120.0, 4.6, 0.0);
    tags.magnetic_field_strength_t = Some(15000.0);
    let phase = told(tags);
    assert_eq!(phase.role, Role::MrInPhase);
    assert!(phase.evidence.iter().any(|piece| piece.source == "EchoTime"), "{phase:?}");
}

#[test]
fn vertebral_levels_in_a_description_name_no_weighting() {
    let levels = told(mr("SAG T1-T12", &["SE"], 0.0, 0.0, 0.0));
    assert_eq!(levels.role, Role::Other);
}

#[test]
fn dixon_parts_are_told_apart() {
    for (flavour, role) in [
        ("WATER", Role::MrDixonWater),
        ("FAT", Role::MrDixonFat),
        ("IN_PHASE", Role::MrInPhase),
        ("OPP_PHASE", Role::MrOpposedPhase),
        ("FAT_FRACTION", Role::MrFatFraction),
    ] {
        let mut tags = mr("t1_vibe_dixon", &["GR"], 6.0, 2.4, 0.0);
        tags.image_type = codes(&["DERIVED", "PRIMARY", "DIXON", flavour]);
        assert_eq!(told(tags).role, role);
    }
    for (text, role) in [
        ("t1_vibe_dixon_tra_W", Role::MrDixonWater),
        ("t1_vibe_dixon_tra_opp", Role::MrOpposedPhase),
    ] {
        assert_eq!(told(mr(text, &["GR"], 6.0, 2.4, 0.0)).role, role);
    }
}

#[test]
fn t2_star_and_balanced_gradient_echoes_are_no_t2() {
    assert_eq!(told(mr("AX T2* MEDIC", &["GR"], 800.0, 18.0, 0.0)).role, Role::Other);
    assert_eq!(told(mr("AX FIESTA", &["GR"], 5.0, 2.0, 0.0)).role, Role::Other);
}

#[test]
fn localizers_of_both_modalities_are_localizers() {
    assert_eq!(told(mr("3-PLANE LOC", &["RM"], 75.6, 1.7, 0.0)).role, Role::Localizer);
    let mut scout = ct("", "Topogram 0.6");
    scout.image_type = codes(&["ORIGINAL", "PRIMARY", "LOCALIZER"]);
    assert_eq!(told(scout).role, Role::Localizer);
}

#[test]
fn a_derived_reformat_of_ct_stays_usable_and_a_projection_does_not() {
    let mut tags = ct("BONE", "SAG 3X3");
    tags.image_type = codes(&["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]);
    let reformat = told(tags.clone());
    assert_eq!(reformat.role, Role::CtBone);
    assert!(reformat.confidence.get() > 0.7);
    tags.image_type = codes(&["DERIVED", "SECONDARY", "MIP"]);
    assert_eq!(told(tags).role, Role::Derived);
}

#[test]
fn a_series_of_another_modality_is_no_role() {
    let mut tags = ct("", "");
    tags.modality = Some("SR".to_owned());
    assert_eq!(told(tags.clone()).role, Role::NotAnImage);
    tags.modality = Some("PT".to_owned());
    assert_eq!(told(tags).role, Role::Other);
}

#[test]
fn nothing_at_all_is_other_and_uncertain() {
    let nothing = told(SeriesTags::default());
    assert_eq!(nothing.role, Role::Other);
    assert!(has(&nothing, ProblemCode::RoleUncertain));
}

fn described_only(text: &str) -> RoleAssessment {
    told(SeriesTags {
        sop_class_uid: Some("1.2.840.10008.5.1.4.1.1.4.1".to_owned()),
        series_description: Some(text.to_owned()),
        ..SeriesTags::default()
    })
}

#[test]
fn a_described_role_is_weak_until_pixels_confirm_it() {
    let weak = described_only("T1");
    assert_eq!(weak.role, Role::MrT1);
    assert!(weak.confidence.get() < 0.5 && has(&weak, ProblemCode::RoleUncertain));
    assert!(has(&weak, ProblemCode::ModalityMissing));

    let t1 = TissueQuotients {
        canal_over_body: Some(0.5),
        disc_over_body: Some(0.6),
        fat_over_muscle: Some(3.2),
    };
    let confirmed = refine(weak.clone(), &t1);
    assert_eq!(confirmed.role, Role::MrT1);
    assert!(confirmed.confidence.get() > 0.7 && !has(&confirmed, ProblemCode::RoleUncertain));

    let unconfirmed = refine(weak, &TissueQuotients::NONE);
    assert_eq!(unconfirmed.role, Role::Other, "free text alone never decides");
    assert!(has(&unconfirmed, ProblemCode::RoleUncertain));
}

#[test]
fn a_described_role_that_the_pixels_deny_is_other() {
    let t2 = TissueQuotients {
        canal_over_body: Some(1.8),
        disc_over_body: Some(1.2),
        fat_over_muscle: Some(6.5),
    };
    let denied = refine(described_only("T1"), &t2);
    assert_eq!(denied.role, Role::Other);
    assert!(has(&denied, ProblemCode::RoleConflict));
}

#[test]
fn a_t2_whose_fat_is_dark_becomes_fat_suppressed_with_a_bounded_confidence() {
    let suppressed = TissueQuotients {
        canal_over_body: Some(3.0),
        disc_over_body: Some(1.5),
        fat_over_muscle: Some(1.3),
    };
    let refined = refine(described_only("T2"), &suppressed);
    assert_eq!(refined.role, Role::MrT2Fatsat);
    assert!(refined.confidence.get() > 0.5 && refined.confidence.get() <= 0.7);
    assert!(has(&refined, ProblemCode::RoleConflict));
}

#[test]
fn a_canal_that_is_missed_does_not_turn_a_well_tagged_t2_into_t1() {
    let beside = TissueQuotients {
        canal_over_body: Some(0.71),
        disc_over_body: Some(1.1),
        fat_over_muscle: Some(6.5),
    };
    let before = told(mr("T2 DE SAG", &["SE"], 3500.0, 125.0, 0.0));
    let after = refine(before.clone(), &beside);
    assert_eq!(after.role, Role::MrT2);
    assert!(after.confidence.get() < before.confidence.get());
    assert!(has(&after, ProblemCode::RoleConflict));
}

#[test]
fn texture_tells_sharp_from_smooth_where_the_kernel_is_missing() {
    let look = |correlation| PixelLook {
        share_like_air: 0.4,
        noise_hu: Some(20.0),
        neighbour_correlation: Some(correlation),
        column_spacing_mm: 0.8,
    };
    let missing = told(ct("", ""));
    assert!(has(&missing, ProblemCode::RoleUncertain));
    assert_eq!(with_look(missing.clone(), &look(0.2)).role, Role::CtBone);
    assert_eq!(with_look(missing.clone(), &look(0.6)).role, Role::CtSoft);
    assert_eq!(with_look(missing.clone(), &look(0.35)), missing, "between the limits");
    let named = told(ct("B19f", ""));
    let doubted = with_look(named, &look(0.2));
    assert_eq!(doubted.role, Role::CtSoft, "a named kernel outweighs texture");
    assert!(has(&doubted, ProblemCode::RoleConflict));
    assert_eq!(with_look(told(ct("LUNG", "")), &look(0.2)).role, Role::CtLung);
}

#[test]
fn no_free_text_of_the_header_stands_in_evidence_or_problems() {
    let mut tags = mr("T1 SECRETNAME", &["SE"], 550.0, 11.0, 0.0);
    tags.contrast_bolus_agent = Some("SECRETNAME".to_owned());
    let told = format!("{:?}", told(tags));
    assert!(!told.contains("SECRETNAME"));
}
