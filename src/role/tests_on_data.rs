//! Roles of real series, against the roles that their publishers or a reader gave.

#![allow(clippy::print_stdout, reason = "the table is what the test is run for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use super::assess;
use super::tests::series;
use crate::series::SeriesTags;
use crate::terms::Role;

/// The data set of a file, also of one whose group 0002 has no length.
fn dataset(path: &Path) -> Option<(String, String, InMemDicomObject)> {
    let bytes = std::fs::read(path).ok()?;
    let (mut at, mut class, mut syntax) = (132, String::new(), "1.2.840.10008.1.2".to_owned());
    if bytes.get(128..132)? != b"DICM" {
        return None;
    }
    while bytes.get(at..at + 2)? == [2, 0] {
        let element = u16::from_le_bytes([bytes[at + 2], bytes[at + 3]]);
        let long = matches!(&bytes[at + 4..at + 6], b"OB" | b"UN");
        let (start, length) = if long {
            (at + 12, u32::from_le_bytes(bytes[at + 8..at + 12].try_into().ok()?) as usize)
        } else {
            (at + 8, usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]])))
        };
        let text = String::from_utf8_lossy(bytes.get(start..start + length)?);
        let text = text.trim_end_matches('\0').to_owned();
        match element {
            0x02 => class = text,
            0x10 => syntax = text,
            _ => {}
        }
        at = start + length;
    }
    let codec = TransferSyntaxRegistry.get(&syntax)?;
    let object = InMemDicomObject::read_dataset_with_ts(&bytes[at..], codec).ok()?;
    Some((class, syntax, object))
}

fn read_tags(path: &Path) -> Option<SeriesTags> {
    let (class, _, object) = dataset(path)?;
    let find = |tag| {
        let mut found = object.get(tag).cloned();
        for sequence in
            [tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE]
        {
            let groups = object.get(sequence).and_then(|e| e.items()).and_then(<[_]>::first);
            for group in groups.into_iter().flat_map(InMemDicomObject::iter) {
                let inner = group.items().and_then(<[_]>::first).and_then(|item| item.get(tag));
                found = found.or_else(|| inner.cloned());
            }
        }
        found
    };
    let list = |tag| -> Vec<String> {
        let Some(element) = find(tag) else { return Vec::new() };
        // One series keeps its text elements with the unknown VR.
        let values = if matches!(element.vr(), VR::UN | VR::OB) {
            let bytes = element.to_bytes().unwrap_or_default();
            String::from_utf8_lossy(&bytes).split('\\').map(str::to_owned).collect()
        } else {
            element.to_multi_str().map(|values| values.to_vec()).unwrap_or_default()
        };
        values
            .into_iter()
            .map(|text| text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    };
    let text = |tag| Some(list(tag).join("\\")).filter(|text| !text.is_empty());
    let number = |tag| list(tag).first().and_then(|text| text.parse::<f64>().ok());
    Some(SeriesTags {
        sop_class_uid: text(tags::SOP_CLASS_UID).or(Some(class)),
        modality: text(tags::MODALITY),
        image_type: list(tags::IMAGE_TYPE),
        series_description: text(tags::SERIES_DESCRIPTION),
        protocol_name: text(tags::PROTOCOL_NAME),
        convolution_kernel: text(tags::CONVOLUTION_KERNEL),
        kvp: number(tags::KVP),
        contrast_bolus_agent: text(tags::CONTRAST_BOLUS_AGENT),
        rescale_type: text(tags::RESCALE_TYPE),
        rescale_present: number(tags::RESCALE_INTERCEPT).is_some(),
        scanning_sequence: list(tags::SCANNING_SEQUENCE),
        sequence_variant: list(tags::SEQUENCE_VARIANT),
        scan_options: list(tags::SCAN_OPTIONS),
        sequence_name: text(tags::SEQUENCE_NAME),
        repetition_time_ms: number(tags::REPETITION_TIME),
        echo_time_ms: number(tags::ECHO_TIME).or_else(|| number(tags::EFFECTIVE_ECHO_TIME)),
        inversion_time_ms: number(tags::INVERSION_TIME),
        flip_angle_deg: number(tags::FLIP_ANGLE),
        magnetic_field_strength_t: number(tags::MAGNETIC_FIELD_STRENGTH),
        diffusion_b_value: number(tags::DIFFUSION_B_VALUE),
        acquisition_contrast: text(tags::ACQUISITION_CONTRAST),
        complex_image_component: text(tags::COMPLEX_IMAGE_COMPONENT),
        ..SeriesTags::default()
    })
}

fn first_image(folder: &Path) -> Option<PathBuf> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .find(|path| path.extension().is_some_and(|end| end == "dcm"))
}

/// The roles of `roles.json` in our words.
fn in_our_words(role: &str) -> Role {
    match role {
        "t1" => Role::MrT1,
        "t1_contrast" => Role::MrT1Contrast,
        "t2" => Role::MrT2,
        "t2_fatsat" => Role::MrT2Fatsat,
        "stir" => Role::MrStir,
        "pd" => Role::MrPd,
        "dwi" => Role::MrDwi,
        "adc" => Role::MrAdc,
        "localizer" => Role::Localizer,
        "derived" => Role::Derived,
        "dixon_water" => Role::MrDixonWater,
        _ => Role::Other,
    }
}

/// Kernel by name; the three series without one are left to texture.
const CT_ROLES: [(&str, Role); 11] = [
    ("acrin_breast_lowdose_abdomen_pelvis_5mm", Role::CtSoft),
    ("cerr_head_neck_cspine_3mm", Role::CtSoft),
    ("cmb_crc_chest_lung_kernel", Role::CtLung),
    ("crlm_contrast_abdomen_5mm", Role::CtSoft),
    ("ge_head_gantry_tilt_no_spine", Role::CtSoft),
    ("ibsi_lung_tumour_chest_crop_3mm", Role::CtSoft),
    ("ibsi_sts003_extremity_no_spine", Role::CtSoft),
    ("lidc_chest_1mm_sharp", Role::CtBone),
    ("midrc_sagittal_bone_reformat_lateral_no_spine", Role::CtBone),
    ("nsclc_whole_chest_3mm", Role::CtSoft),
    ("totalsegmentator_t11_t12_j2k", Role::CtSoft),
];

#[test]
fn roles_of_real_series_are_told_from_their_tags() {
    let Some(data) = std::env::var_os("OSTEOFLAG_DATA").map(PathBuf::from) else {
        println!("skipped: OSTEOFLAG_DATA is not set");
        return;
    };
    let mr: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data.join("mr/roles.json")).unwrap()).unwrap();
    let mut wanted: Vec<(PathBuf, Role, bool)> = mr
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let folder = data.join("mr").join(entry["folder"].as_str().unwrap());
            let certain = entry["certain"].as_bool().unwrap();
            (folder, in_our_words(entry["role"].as_str().unwrap()), certain)
        })
        .collect();
    wanted.extend(CT_ROLES.map(|(folder, role)| (data.join("ct").join(folder), role, true)));

    let mut confusion: BTreeMap<(Role, Role), usize> = BTreeMap::new();
    let (mut right, mut asked) = (0, 0);
    let mut wrong = Vec::new();
    for (folder, truth, certain) in wanted {
        let Some(tags) = first_image(&folder).and_then(|path| read_tags(&path)) else { continue };
        let told = assess(&series(tags));
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        println!(
            "{name:48} truth {truth:14} told {:14} {:.2} contrast medium {}{}",
            told.role.to_string(),
            told.confidence.get(),
            told.contrast_medium,
            if certain { "" } else { " (truth not certain)" }
        );
        for piece in &told.evidence {
            println!(
                "    {:4.1} {:14} {}: {}",
                piece.weight,
                piece.role.to_string(),
                piece.source,
                piece.seen
            );
        }
        for problem in &told.problems {
            println!("    ! {}: {}", problem.code, problem.sentence);
        }
        *confusion.entry((truth, told.role)).or_default() += 1;
        if certain {
            asked += 1;
            if told.role == truth {
                right += 1;
            } else {
                wrong.push(name);
            }
        }
    }
    println!("truth -> told: series");
    for ((truth, told), count) in &confusion {
        println!("{truth:14} -> {told:14}: {count}");
    }
    println!("{right} of {asked} right; wrong: {wrong:?}");
    assert!(asked >= 30, "only {asked} series were found");
    assert!(wrong.is_empty(), "wrong: {wrong:?}");
}
