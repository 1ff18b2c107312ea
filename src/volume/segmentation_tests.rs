//! Segmentations written by `dicom-object`, read by our own walker.

use std::path::PathBuf;

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::label_map::{LabelMap, LabelMapError, read_label_map};
use crate::geometry::{Grid, LpsPoint, LpsVector};

const COLUMNS: usize = 5;
const ROWS: usize = 3;

/// A frame: segment (0 in a labelmap), slice, and the voxels set (or their labels).
type Frame = (u16, usize, Vec<u16>);

fn grid(slices: usize) -> Grid {
    Grid::new(
        [COLUMNS, ROWS, slices],
        LpsPoint::new(-12.5, 40.25, 300.0),
        LpsVector::new(0.7, 0.0, 0.0),
        LpsVector::new(0.0, 0.7, 0.0),
        LpsVector::new(0.0, 0.0, 2.5),
    )
    .unwrap()
}

fn item(elements: Vec<(Tag, VR, PrimitiveValue)>) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    for (tag, vr, value) in elements {
        object.put(DataElement::new(tag, vr, value));
    }
    object
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

fn nested(tag: Tag, items: Vec<InMemDicomObject>) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    object.put(sequence(tag, items));
    object
}

struct Writer {
    kind: &'static str,
    frames: Vec<Frame>,
    spacing_between_slices: Option<&'static str>,
    change: fn(&mut InMemDicomObject),
}

impl Writer {
    fn binary(frames: Vec<Frame>) -> Self {
        Self { kind: "BINARY", frames, spacing_between_slices: None, change: |_| {} }
    }

    fn labelmap(frames: Vec<Frame>) -> Self {
        Self { kind: "LABELMAP", ..Self::binary(frames) }
    }

    fn read(&self) -> Result<LabelMap, LabelMapError> {
        let folder = tempfile::tempdir().unwrap();
        let path = self.write(&folder);
        read_label_map(&path, 1 << 20)
    }

    fn write(&self, folder: &tempfile::TempDir) -> PathBuf {
        let labelmap = self.kind == "LABELMAP";
        let text = |value: &str| PrimitiveValue::from(value);
        let short = |value: u16| PrimitiveValue::from(value);
        let class =
            if labelmap { "1.2.840.10008.5.1.4.1.1.66.7" } else { "1.2.840.10008.5.1.4.1.1.66.4" };
        let bits = if labelmap { 16 } else { 1 };
        let mut object = item(vec![
            (tags::SOP_CLASS_UID, VR::UI, text(class)),
            (tags::SOP_INSTANCE_UID, VR::UI, text("1.2.3.9")),
            (tags::MODALITY, VR::CS, text("SEG")),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, text("1.2.3.4")),
            (tags::ROWS, VR::US, short(ROWS as u16)),
            (tags::COLUMNS, VR::US, short(COLUMNS as u16)),
            (tags::BITS_ALLOCATED, VR::US, short(bits)),
            (tags::BITS_STORED, VR::US, short(bits)),
            (tags::HIGH_BIT, VR::US, short(bits - 1)),
            (tags::PIXEL_REPRESENTATION, VR::US, short(0)),
            (tags::SAMPLES_PER_PIXEL, VR::US, short(1)),
            (tags::SEGMENTATION_TYPE, VR::CS, text(self.kind)),
            (tags::NUMBER_OF_FRAMES, VR::IS, self.frames.len().to_string().into()),
        ]);
        object.put(sequence(
            tags::REFERENCED_SERIES_SEQUENCE,
            vec![item(vec![(tags::SERIES_INSTANCE_UID, VR::UI, text("1.2.3.5"))])],
        ));
        let segment = |number: u16, label: &str, code: &str, meaning: &str| {
            let mut segment = item(vec![
                (tags::SEGMENT_NUMBER, VR::US, short(number)),
                (tags::SEGMENT_LABEL, VR::LO, text(label)),
            ]);
            segment.put(sequence(
                tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE,
                vec![item(vec![
                    (tags::CODE_VALUE, VR::SH, text(code)),
                    (tags::CODING_SCHEME_DESIGNATOR, VR::SH, text("SCT")),
                    (tags::CODE_MEANING, VR::LO, text(meaning)),
                ])],
            ));
            segment
        };
        object.put(sequence(
            tags::SEGMENT_SEQUENCE,
            vec![
                segment(1, "vertebrae_L1", "14293000", "L1 vertebra"),
                segment(2, "vertebrae_L2", "14293001", "L2 vertebra"),
            ],
        ));
        let mut measures = item(vec![
            (
                tags::PIXEL_SPACING,
                VR::DS,
                PrimitiveValue::Strs(["0.7", "0.7"].map(String::from).into_iter().collect()),
            ),
            (tags::SLICE_THICKNESS, VR::DS, text("2.5")),
        ]);
        if let Some(mm) = self.spacing_between_slices {
            measures.put(DataElement::new(tags::SPACING_BETWEEN_SLICES, VR::DS, text(mm)));
        }
        let orientation = ["1", "0", "0", "0", "1", "0"].map(String::from);
        let mut shared = nested(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]);
        shared.put(sequence(
            tags::PLANE_ORIENTATION_SEQUENCE,
            vec![item(vec![(
                tags::IMAGE_ORIENTATION_PATIENT,
                VR::DS,
                PrimitiveValue::Strs(orientation.into_iter().collect()),
            )])],
        ));
        object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]));
        let per_frame = self.frames.iter().map(|&(segment, k, _)| {
            let z = 300.0 + 2.5 * k as f64;
            let position = ["-12.5".to_owned(), "40.25".to_owned(), z.to_string()];
            let mut own = nested(
                tags::PLANE_POSITION_SEQUENCE,
                vec![item(vec![(
                    tags::IMAGE_POSITION_PATIENT,
                    VR::DS,
                    PrimitiveValue::Strs(position.into_iter().collect()),
                )])],
            );
            if !labelmap {
                own.put(sequence(
                    tags::SEGMENT_IDENTIFICATION_SEQUENCE,
                    vec![item(vec![(tags::REFERENCED_SEGMENT_NUMBER, VR::US, short(segment))])],
                ));
            }
            own
        });
        object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame.collect()));
        let voxels: Vec<u16> = self.frames.iter().flat_map(|(.., voxels)| voxels.clone()).collect();
        let bytes: Vec<u8> = if labelmap {
            voxels.iter().flat_map(|v| v.to_le_bytes()).collect()
        } else {
            let mut bytes = vec![0u8; voxels.len().div_ceil(8).next_multiple_of(2)];
            for (n, _) in voxels.iter().enumerate().filter(|(_, v)| **v != 0) {
                bytes[n / 8] |= 1 << (n % 8);
            }
            bytes
        };
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(bytes)));
        (self.change)(&mut object);
        let path = folder.path().join("seg.dcm");
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax("1.2.840.10008.1.2.1")
            .media_storage_sop_class_uid(class)
            .media_storage_sop_instance_uid("1.2.3.9");
        object.with_meta(meta).unwrap().write_to_file(&path).unwrap();
        path
    }
}

fn voxels(set: &[usize]) -> Vec<u16> {
    (0..ROWS * COLUMNS).map(|n| u16::from(set.contains(&n))).collect()
}

#[test]
fn frames_in_any_order_with_empty_ones_left_out_land_in_their_slices() {
    let frames = vec![
        (2, 4, voxels(&[0, 14])),
        (1, 1, voxels(&[3])),
        (1, 4, voxels(&[7])),
        (2, 2, voxels(&[1, 2, 3])),
    ];
    let map = Writer::binary(frames).read().unwrap();
    let placed = map.on_grid(&grid(6), "1.2.3.4").unwrap();
    let mut expected = vec![0u16; 6 * 15];
    for (offset, label) in [(60, 2), (74, 2), (18, 1), (67, 1), (31, 2), (32, 2), (33, 2)] {
        expected[offset] = label;
    }
    assert_eq!(placed, expected);
    assert_eq!(map.names[&1], "vertebrae_L1");
    assert_eq!(map.codes[&2].meaning, "L2 vertebra");
    assert_eq!(map.referenced_series_uid.as_deref(), Some("1.2.3.5"));
    assert!(map.on_grid(&grid(6), "9.9").is_err(), "another frame of reference");
}

#[test]
fn every_second_slice_is_placed_by_the_spacing_that_the_file_states() {
    let frames = vec![(1, 0, voxels(&[0])), (1, 2, voxels(&[0])), (1, 4, voxels(&[0]))];
    let map = Writer { spacing_between_slices: Some("2.5"), ..Writer::binary(frames) };
    let placed = map.read().unwrap().on_grid(&grid(5), "").unwrap();
    let set: Vec<usize> = (0..75).filter(|&n| placed[n] == 1).collect();
    assert_eq!(set, [0, 30, 60]);
}

#[test]
fn a_labelmap_gives_the_same_as_a_binary_one() {
    let mut first = voxels(&[1, 2]);
    first[9] = 2;
    let map = Writer::labelmap(vec![(0, 3, voxels(&[4])), (0, 2, first)]).read().unwrap();
    let binary =
        Writer::binary(vec![(1, 2, voxels(&[1, 2])), (2, 2, voxels(&[9])), (1, 3, voxels(&[4]))]);
    assert_eq!(map.on_grid(&grid(5), ""), binary.read().unwrap().on_grid(&grid(5), ""));
}

#[test]
fn overlapping_segments_are_refused_with_both_numbers() {
    let frames = vec![(1, 2, voxels(&[1, 2])), (2, 2, voxels(&[2, 3]))];
    let error = Writer::binary(frames).read().unwrap_err();
    assert!(
        matches!(error, LabelMapError::SegmentsOverlap { first: 1, second: 2, voxels: 1, .. }),
        "{error}"
    );
}

type Change = fn(&mut InMemDicomObject);

#[test]
fn what_cannot_be_used_is_named() {
    let frames = || vec![(1, 2, voxels(&[1])), (1, 3, voxels(&[1]))];
    let change: [(Change, &str); 7] = [
        (
            |o| {
                o.remove_element(tags::SEGMENT_SEQUENCE);
            },
            "SegmentSequence",
        ),
        (
            |o| {
                o.remove_element(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
            },
            "NumberOfFrames",
        ),
        (
            |o| {
                o.remove_element(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
            },
            "PixelSpacing",
        ),
        (
            |o| {
                o.remove_element(tags::ROWS);
            },
            "Rows",
        ),
        (
            |o| {
                o.remove_element(tags::PIXEL_DATA);
            },
            "frame 1",
        ),
        (
            |o| {
                let kind = PrimitiveValue::from("FRACTIONAL");
                o.put(DataElement::new(tags::SEGMENTATION_TYPE, VR::CS, kind));
            },
            "FRACTIONAL",
        ),
        (
            |o| {
                let ct = PrimitiveValue::from("1.2.840.10008.5.1.4.1.1.2");
                o.put(DataElement::new(tags::SOP_CLASS_UID, VR::UI, ct));
            },
            "expected NIfTI or a DICOM segmentation",
        ),
    ];
    for (change, named) in change {
        let error = Writer { change, ..Writer::binary(frames()) }.read().unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
    let uneven = vec![(1, 0, voxels(&[1])), (1, 2, voxels(&[1])), (1, 5, voxels(&[1]))];
    let error = Writer::binary(uneven).read().map(|_| ());
    assert!(error.is_ok(), "2.5 mm is the step that the slice thickness tells: {error:?}");
    let beyond = vec![(7, 0, voxels(&[1]))];
    let error = Writer::binary(beyond).read().unwrap_err();
    assert!(error.to_string().contains("ReferencedSegmentNumber is 7 in frame 1"), "{error}");
    let twice = vec![(0, 1, voxels(&[1])), (0, 1, voxels(&[2]))];
    let error = Writer::labelmap(twice).read().unwrap_err();
    assert!(error.to_string().contains("one frame a slice"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = Writer::binary(vec![(1, 2, voxels(&[1])), (2, 3, voxels(&[1]))]).write(&folder);
    let whole = std::fs::read(&path).unwrap();
    // The last byte pads the value; one bit before it belongs to no voxel.
    for length in (0..whole.len() - 1).step_by(3) {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(read_label_map(&path, 1 << 20).is_err(), "{length} of {}", whole.len());
    }
}
