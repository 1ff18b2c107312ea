//! The hostile inputs of `fixtures/bad`, each made from one good slice.

use dicom_core::value::{DataSetSequence, PixelFragmentSequence};
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::*;

/// One slice of 16 by 16 pixels, as file bytes.
fn good_slice() -> Vec<u8> {
    let spec = Spec {
        name: "bad".to_owned(),
        levels: vec![Level::L3],
        size: [16, 16],
        pixel_spacing_mm: 8.0,
        slice_spacing_mm: 8.0,
        slices: Some(1),
        lesions: Vec::new(),
        ..Spec::ct_lumbar()
    };
    files(&generate(&spec).unwrap()).unwrap().remove(0).1
}

fn object(bytes: &[u8]) -> InMemDicomObject {
    dicom_object::from_reader(bytes).unwrap().into_inner()
}

fn encoded(object: InMemDicomObject, sop_class: &str, transfer_syntax: &str) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(sop_class)
        .media_storage_sop_instance_uid("2.25.1")
        .transfer_syntax(transfer_syntax)
        .implementation_class_uid("2.25.2")
        .implementation_version_name("OSTEOFLAG");
    let mut bytes = Vec::new();
    object.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
    bytes
}

fn changed(change: impl FnOnce(&mut InMemDicomObject)) -> Vec<u8> {
    let mut object = object(&good_slice());
    change(&mut object);
    encoded(object, uids::CT_IMAGE_STORAGE, uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

fn with_size(rows: u16, columns: u16) -> Vec<u8> {
    changed(|object| {
        object.put(DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(rows)));
        object.put(DataElement::new(tags::COLUMNS, VR::US, PrimitiveValue::from(columns)));
    })
}

fn report() -> Vec<u8> {
    let mut object = InMemDicomObject::new_empty();
    let mut put = |tag, vr, value: &str| {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    };
    put(tags::SOP_CLASS_UID, VR::UI, uids::BASIC_TEXT_SR_STORAGE);
    put(tags::SOP_INSTANCE_UID, VR::UI, "2.25.1");
    put(tags::MODALITY, VR::CS, "SR");
    put(tags::PATIENT_NAME, VR::PN, "PHANTOM^OSTEOFLAG");
    put(tags::PATIENT_ID, VR::LO, "PHANTOM-BAD");
    put(tags::STUDY_INSTANCE_UID, VR::UI, "2.25.3");
    put(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.4");
    put(tags::VALUE_TYPE, VR::CS, "CONTAINER");
    let item = InMemDicomObject::from_element_iter([
        DataElement::new(tags::VALUE_TYPE, VR::CS, PrimitiveValue::from("TEXT")),
        DataElement::new(tags::TEXT_VALUE, VR::UT, PrimitiveValue::from("A report, no pixels.")),
    ]);
    object.put(DataElement::new(tags::CONTENT_SEQUENCE, VR::SQ, DataSetSequence::from(vec![item])));
    encoded(object, uids::BASIC_TEXT_SR_STORAGE, uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

fn unsupported_syntax() -> Vec<u8> {
    let mut object = object(&good_slice());
    let fragments = PixelFragmentSequence::new_fragments(vec![vec![0_u8, 0, 1, 0xb3, 1, 0, 1, 0]]);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, fragments));
    encoded(object, uids::CT_IMAGE_STORAGE, uids::MPEG2MPML)
}

/// An element of group 0009 that claims to be 4 GiB long, put behind the meta group.
fn length_beyond_the_file() -> Vec<u8> {
    let mut bytes = good_slice();
    let meta_end = 128 + 4 + 12 + u32::from_le_bytes(bytes[140..144].try_into().unwrap()) as usize;
    bytes.truncate(meta_end);
    bytes.extend([0x08, 0x00, 0x08, 0x00, b'U', b'T', 0, 0, 0xf0, 0xff, 0xff, 0xff]);
    bytes.extend(b"ORIGINAL");
    bytes
}

#[test]
fn the_committed_bad_files_are_what_is_described_here() {
    let good = good_slice();
    let mut noise = vec![0; 128];
    noise.extend(b"DICM");
    noise.extend((0..400_u32).map(|n| (n.wrapping_mul(2654435761) >> 13) as u8));
    let made: Vec<(String, Vec<u8>)> = vec![
        ("empty.dcm", Vec::new()),
        ("folder.dcm/note.txt", b"A folder with the name of a file.\n".to_vec()),
        ("header_cut.dcm", good[..420].to_vec()),
        ("length_beyond_the_file.dcm", length_beyond_the_file()),
        ("no_position.dcm", changed(|object| drop(object.take(tags::IMAGE_POSITION_PATIENT)))),
        ("noise_after_preamble.dcm", noise),
        ("pixel_data_cut.dcm", good[..good.len() - 200].to_vec()),
        ("report_without_pixels.dcm", report()),
        ("rows_huge.dcm", with_size(65535, 65535)),
        ("rows_zero.dcm", with_size(0, 16)),
        ("text.dcm", b"This is a text file with the ending of an image.\n".to_vec()),
        ("unsupported_syntax.dcm", unsupported_syntax()),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect();
    compare_with_committed("bad", &made);
}
