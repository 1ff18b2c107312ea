//! Writes a phantom as DICOM: one file a slice, Explicit VR Little Endian, no clock, UIDs from
//! name and seed.

use std::fs;
use std::path::Path;

use dicom_core::value::{C, DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use sha2::{Digest, Sha256};

use super::raster::RESCALE_INTERCEPT;
use super::spec::{InstanceOrder, Kernel, Modality, ObjectKind, Pose, Spec, Surrounding};
use super::{Phantom, PhantomError};
use crate::geometry::{LpsVector, VoxelIndex};
use crate::terms::Level;
use crate::units::rounded;
use crate::volume::{NiftiData, nifti_gz_bytes};

/// Who wrote the file, as a UID of this program (2.25 root, drawn once).
pub(super) const IMPLEMENTATION_CLASS_UID: &str = "2.25.132803457018452318870942630012387254103";

/// All dates are this one: a phantom has no clock.
pub(super) const DATE: &str = "20260101";

/// A UID under the 2.25 root from the spec and a role.
fn uid(spec: &Spec, role: &str) -> String {
    uid_of(&format!("osteoflag phantom {} {} {role}", spec.name, spec.seed))
}

/// A UID under the 2.25 root from any text.
pub(super) fn uid_of(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest) {
        *byte = from;
    }
    // Version 8, variant 1: a UUID of own making.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

/// A decimal string of at most 16 characters.
fn decimal(value: f64) -> String {
    let text = format!("{}", rounded(value, 6));
    if text.len() <= 16 { text } else { format!("{}", rounded(value, 3)) }
}

fn decimals(values: &[f64]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(|&value| decimal(value)).collect::<C<String>>())
}

fn strings(values: &[&str]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(|&value| value.to_owned()).collect::<C<String>>())
}

/// Writes `IM0001.dcm` …, `truth.json` and `labels.nii.gz` into a folder, which is made if need be.
///
/// Instance numbers run against the stack's normal unless the spec says otherwise, as on many
/// scanners, so that nobody leans on file order.
///
/// # Errors
/// [`PhantomError::Write`] and [`PhantomError::Dicom`] when a file cannot be written.
pub fn write(phantom: &Phantom, out: &Path) -> Result<(), PhantomError> {
    let failed = |error| PhantomError::Write { path: out.to_owned(), source: error };
    fs::create_dir_all(out).map_err(failed)?;
    for (name, bytes) in files(phantom)? {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|source| PhantomError::Write { path, source })?;
    }
    Ok(())
}

/// The files of [`write()`] in memory: name and bytes, in name order, `truth.json` and
/// `labels.nii.gz` last.
///
/// # Errors
/// [`PhantomError::Dicom`] when an object cannot be encoded.
pub fn files(phantom: &Phantom) -> Result<Vec<(String, Vec<u8>)>, PhantomError> {
    let slices = phantom.grid.nk();
    let mut files = Vec::with_capacity(slices + 2);
    match phantom.spec.objects {
        ObjectKind::Classic => {
            for instance in 1..=slices {
                let object = object(phantom, slice_of(phantom, instance), instance);
                files.push((format!("IM{instance:04}.dcm"), encoded(phantom, object, instance)?));
            }
        }
        ObjectKind::Enhanced => {
            let object = enhanced(phantom)?;
            files.push(("IM0001.dcm".to_owned(), encoded(phantom, object, 1)?));
        }
    }
    files.push(("truth.json".to_owned(), truth_json(phantom)?.into_bytes()));
    files.push(("labels.nii.gz".to_owned(), label_map(phantom)?));
    Ok(files)
}

/// Bodies as a label map on the series' grid, [`super::TrueVertebra::label`].
fn label_map(phantom: &Phantom) -> Result<Vec<u8>, PhantomError> {
    let mut values = [0; 256];
    for (value, vertebra) in values[1..].iter_mut().zip(&phantom.truth.vertebrae) {
        *value = vertebra.label;
    }
    let labels: Vec<u8> =
        phantom.body_labels.iter().map(|&number| values[usize::from(number)]).collect();
    nifti_gz_bytes(&phantom.grid, NiftiData::U8(&labels), &[])
        .map_err(|error| PhantomError::Dicom { instance: 0, message: error.to_string() })
}

/// The slice of an instance number, or of a frame number.
fn slice_of(phantom: &Phantom, instance: usize) -> usize {
    match phantom.spec.order {
        InstanceOrder::AgainstNormal => phantom.grid.nk() - instance,
        InstanceOrder::AlongNormal => instance - 1,
    }
}

fn encoded(
    phantom: &Phantom,
    object: InMemDicomObject,
    instance: usize,
) -> Result<Vec<u8>, PhantomError> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(sop_class(&phantom.spec))
        .media_storage_sop_instance_uid(uid(&phantom.spec, &format!("instance {instance}")))
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name("OSTEOFLAG");
    let mut bytes = Vec::new();
    object
        .with_meta(meta)
        .map_err(|error| error.to_string())
        .and_then(|file| file.write_all(&mut bytes).map_err(|error| error.to_string()))
        .map_err(|message| PhantomError::Dicom { instance, message })?;
    Ok(bytes)
}

fn truth_json(phantom: &Phantom) -> Result<String, PhantomError> {
    serde_json::to_string_pretty(&phantom.truth)
        .map(|text| text + "\n")
        .map_err(|error| PhantomError::Dicom { instance: 0, message: error.to_string() })
}

const fn sop_class(spec: &Spec) -> &'static str {
    match (spec.modality, spec.objects) {
        (Modality::Ct, ObjectKind::Classic) => uids::CT_IMAGE_STORAGE,
        (Modality::Ct, ObjectKind::Enhanced) => uids::ENHANCED_CT_IMAGE_STORAGE,
        (_, ObjectKind::Classic) => uids::MR_IMAGE_STORAGE,
        (_, ObjectKind::Enhanced) => uids::ENHANCED_MR_IMAGE_STORAGE,
    }
}

/// How an MR series was made, as its header says: sequence, variant, times in ms.
struct Sequence {
    kind: &'static str,
    variant: &'static str,
    options: &'static str,
    repetition: &'static str,
    echo: &'static str,
    inversion: Option<&'static str>,
    train: &'static str,
    flip: &'static str,
}

const fn sequence(modality: Modality) -> Sequence {
    let spin_echo = Sequence {
        kind: "SE",
        variant: "SK",
        options: "",
        repetition: "550",
        echo: "10",
        inversion: None,
        train: "3",
        flip: "90",
    };
    match modality {
        Modality::MrT2 => Sequence { repetition: "3500", echo: "100", train: "16", ..spin_echo },
        Modality::MrStir => Sequence {
            kind: "IR",
            repetition: "4200",
            echo: "45",
            inversion: Some("160"),
            train: "12",
            ..spin_echo
        },
        // Echoes at 1.5 T: fat and water meet every 4.6 ms.
        Modality::MrInPhase => Sequence {
            kind: "GR",
            variant: "SP",
            repetition: "150",
            echo: "4.6",
            train: "1",
            flip: "70",
            ..spin_echo
        },
        Modality::MrOpposedPhase => Sequence {
            kind: "GR",
            variant: "SP",
            repetition: "150",
            echo: "2.3",
            train: "1",
            flip: "70",
            ..spin_echo
        },
        Modality::Ct | Modality::MrT1 => spin_echo,
    }
}

/// What body the levels lie in, as a word of the standard.
fn body_part(spec: &Spec) -> &'static str {
    let (first, last) = (spec.levels.first(), spec.levels.last());
    match (first, last) {
        (Some(first), _) if *first >= Level::T11 => "LSPINE",
        (_, Some(last)) if *last <= Level::T2 => "CSPINE",
        _ => "SPINE",
    }
}

/// All frames in one object: what differs between them stands in functional groups.
fn enhanced(phantom: &Phantom) -> Result<InMemDicomObject, PhantomError> {
    let frames = phantom.grid.nk();
    let mut whole = object(phantom, slice_of(phantom, 1), 1);
    let item = |elements: Vec<DataElement<InMemDicomObject>>| {
        InMemDicomObject::from_element_iter(elements)
    };
    let sequence = |tag: Tag, items: Vec<InMemDicomObject>| {
        DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
    };
    let mut moved = |tag: Tag| {
        whole
            .take_element(tag)
            .map_err(|error| PhantomError::Dicom { instance: 1, message: error.to_string() })
    };
    let mut shared = vec![
        sequence(
            tags::PIXEL_MEASURES_SEQUENCE,
            vec![item(vec![
                moved(tags::PIXEL_SPACING)?,
                moved(tags::SLICE_THICKNESS)?,
                moved(tags::SPACING_BETWEEN_SLICES)?,
            ])],
        ),
        sequence(
            tags::PLANE_ORIENTATION_SEQUENCE,
            vec![item(vec![moved(tags::IMAGE_ORIENTATION_PATIENT)?])],
        ),
    ];
    if phantom.spec.modality.is_ct() {
        shared.push(sequence(
            tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
            vec![item(vec![
                moved(tags::RESCALE_INTERCEPT)?,
                moved(tags::RESCALE_SLOPE)?,
                moved(tags::RESCALE_TYPE)?,
            ])],
        ));
        shared.push(sequence(
            tags::CT_RECONSTRUCTION_SEQUENCE,
            vec![item(vec![moved(tags::CONVOLUTION_KERNEL)?])],
        ));
    } else {
        shared.push(sequence(
            tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE,
            vec![item(vec![
                moved(tags::REPETITION_TIME)?,
                moved(tags::ECHO_TRAIN_LENGTH)?,
                moved(tags::FLIP_ANGLE)?,
            ])],
        ));
        let echo = moved(tags::ECHO_TIME)?;
        let echo: f64 = echo
            .to_float64()
            .map_err(|error| PhantomError::Dicom { instance: 1, message: error.to_string() })?;
        shared.push(sequence(
            tags::MR_ECHO_SEQUENCE,
            vec![item(vec![DataElement::new(
                tags::EFFECTIVE_ECHO_TIME,
                VR::FD,
                PrimitiveValue::from(echo),
            )])],
        ));
    }
    moved(tags::IMAGE_POSITION_PATIENT)?;
    let mut per_frame = Vec::with_capacity(frames);
    let mut stored = C::new();
    for frame in 1..=frames {
        let k = slice_of(phantom, frame);
        per_frame.push(item(vec![
            sequence(
                tags::FRAME_CONTENT_SEQUENCE,
                vec![item(vec![
                    DataElement::new(tags::STACK_ID, VR::SH, PrimitiveValue::from("1")),
                    DataElement::new(
                        tags::IN_STACK_POSITION_NUMBER,
                        VR::UL,
                        PrimitiveValue::from(frame as u32),
                    ),
                    DataElement::new(
                        tags::DIMENSION_INDEX_VALUES,
                        VR::UL,
                        PrimitiveValue::from(frame as u32),
                    ),
                ])],
            ),
            sequence(
                tags::PLANE_POSITION_SEQUENCE,
                vec![item(vec![DataElement::new(
                    tags::IMAGE_POSITION_PATIENT,
                    VR::DS,
                    position(phantom, k),
                )])],
            ),
        ]));
        stored.extend(stored_values(phantom, k));
    }
    whole.put(DataElement::new(
        tags::NUMBER_OF_FRAMES,
        VR::IS,
        PrimitiveValue::from(frames.to_string()),
    ));
    whole.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![item(shared)]));
    whole.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame));
    whole.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored)));
    Ok(whole)
}

fn position(phantom: &Phantom, k: usize) -> PrimitiveValue {
    let position = phantom.grid.voxel_to_lps(VoxelIndex { i: 0, j: 0, k });
    decimals(&[position.x(), position.y(), position.z()])
}

fn stored_values(phantom: &Phantom, k: usize) -> C<u16> {
    let grid = &phantom.grid;
    let from = grid.offset(VoxelIndex { i: 0, j: 0, k });
    let intercept = if phantom.spec.modality.is_ct() { RESCALE_INTERCEPT as i16 } else { 0 };
    phantom.voxels[from..from + grid.ni() * grid.nj()]
        .iter()
        .map(|&value| (value - intercept) as u16)
        .collect()
}

fn object(phantom: &Phantom, k: usize, instance: usize) -> InMemDicomObject {
    let spec = &phantom.spec;
    let grid = &phantom.grid;
    let ct = spec.modality.is_ct();
    let mut object = InMemDicomObject::new_empty();
    let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    let text = |value: &str| PrimitiveValue::from(value);
    let short = |value: u16| PrimitiveValue::from(value);

    put(tags::SPECIFIC_CHARACTER_SET, VR::CS, text("ISO_IR 100"));
    put(
        tags::IMAGE_TYPE,
        VR::CS,
        if ct {
            strings(&["ORIGINAL", "PRIMARY", "AXIAL"])
        } else {
            strings(&["ORIGINAL", "PRIMARY", "OTHER"])
        },
    );
    put(tags::SOP_CLASS_UID, VR::UI, text(sop_class(spec)));
    put(tags::SOP_INSTANCE_UID, VR::UI, uid(spec, &format!("instance {instance}")).into());
    for tag in [tags::STUDY_DATE, tags::SERIES_DATE, tags::ACQUISITION_DATE, tags::CONTENT_DATE] {
        put(tag, VR::DA, text(DATE));
    }
    for tag in [tags::STUDY_TIME, tags::SERIES_TIME, tags::ACQUISITION_TIME, tags::CONTENT_TIME] {
        put(tag, VR::TM, text("120000"));
    }
    put(tags::ACCESSION_NUMBER, VR::SH, text(""));
    put(tags::MODALITY, VR::CS, text(if ct { "CT" } else { "MR" }));
    put(tags::MANUFACTURER, VR::LO, text("osteoflag phantom"));
    put(tags::REFERRING_PHYSICIAN_NAME, VR::PN, text(""));
    put(tags::STUDY_DESCRIPTION, VR::LO, text("Synthetic spine"));
    put(tags::SERIES_DESCRIPTION, VR::LO, text(&spec.name));
    put(tags::MANUFACTURER_MODEL_NAME, VR::LO, text("seeded, not a person"));
    put(tags::PATIENT_NAME, VR::PN, text("PHANTOM^OSTEOFLAG"));
    put(tags::PATIENT_ID, VR::LO, format!("PHANTOM-{}", spec.seed).into());
    put(tags::PATIENT_BIRTH_DATE, VR::DA, text(""));
    put(tags::PATIENT_SEX, VR::CS, text("O"));
    put(tags::BODY_PART_EXAMINED, VR::CS, text(body_part(spec)));
    put(tags::SLICE_THICKNESS, VR::DS, decimals(&[spec.slice_thickness_mm]));
    put(tags::SPACING_BETWEEN_SLICES, VR::DS, decimals(&[spec.slice_spacing_mm]));
    put(tags::SOFTWARE_VERSIONS, VR::LO, text("phantom 1"));
    let pose = match spec.pose {
        Pose::Hfs => "HFS",
        Pose::Hfp => "HFP",
        Pose::Hfdl => "HFDL",
        Pose::Hfdr => "HFDR",
        Pose::Ffs => "FFS",
        Pose::Ffp => "FFP",
    };
    put(tags::PATIENT_POSITION, VR::CS, text(pose));
    if ct {
        put(tags::KVP, VR::DS, text("120"));
        put(tags::X_RAY_TUBE_CURRENT, VR::IS, text("180"));
        put(tags::GANTRY_DETECTOR_TILT, VR::DS, text("0"));
        let kernel = match spec.kernel {
            Kernel::Soft => "STANDARD",
            Kernel::Bone => "BONE",
            Kernel::Lung => "LUNG",
        };
        put(tags::CONVOLUTION_KERNEL, VR::SH, text(kernel));
        let contrast = [Surrounding::ContrastMedium, Surrounding::IntrathecalContrast];
        if contrast.iter().any(|medium| spec.surroundings.contains(medium)) {
            put(tags::CONTRAST_BOLUS_AGENT, VR::LO, text("IODINE"));
        }
        put(tags::RESCALE_INTERCEPT, VR::DS, decimals(&[RESCALE_INTERCEPT]));
        put(tags::RESCALE_SLOPE, VR::DS, text("1"));
        put(tags::RESCALE_TYPE, VR::LO, text("HU"));
        put(tags::WINDOW_CENTER, VR::DS, text("300"));
        put(tags::WINDOW_WIDTH, VR::DS, text("1500"));
    } else {
        let sequence = sequence(spec.modality);
        put(tags::SCANNING_SEQUENCE, VR::CS, text(sequence.kind));
        put(tags::SEQUENCE_VARIANT, VR::CS, text(sequence.variant));
        put(tags::SCAN_OPTIONS, VR::CS, text(sequence.options));
        put(tags::MR_ACQUISITION_TYPE, VR::CS, text("2D"));
        put(tags::REPETITION_TIME, VR::DS, text(sequence.repetition));
        put(tags::ECHO_TIME, VR::DS, text(sequence.echo));
        if let Some(inversion) = sequence.inversion {
            put(tags::INVERSION_TIME, VR::DS, text(inversion));
        }
        put(tags::ECHO_TRAIN_LENGTH, VR::IS, text(sequence.train));
        put(tags::FLIP_ANGLE, VR::DS, text(sequence.flip));
        put(tags::MAGNETIC_FIELD_STRENGTH, VR::DS, text("1.5"));
        put(tags::WINDOW_CENTER, VR::DS, text("500"));
        put(tags::WINDOW_WIDTH, VR::DS, text("1000"));
    }
    put(tags::STUDY_INSTANCE_UID, VR::UI, uid(spec, "study").into());
    put(tags::SERIES_INSTANCE_UID, VR::UI, uid(spec, "series").into());
    put(tags::STUDY_ID, VR::SH, text("1"));
    put(tags::SERIES_NUMBER, VR::IS, text("2"));
    put(tags::ACQUISITION_NUMBER, VR::IS, text("1"));
    put(tags::INSTANCE_NUMBER, VR::IS, instance.to_string().into());
    put(tags::IMAGE_POSITION_PATIENT, VR::DS, position(phantom, k));
    let unit = |v: LpsVector| {
        let length = v.length();
        [v.x() / length, v.y() / length, v.z() / length]
    };
    let orientation = [unit(grid.step(0)), unit(grid.step(1))].concat();
    put(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, decimals(&orientation));
    put(tags::FRAME_OF_REFERENCE_UID, VR::UI, uid(spec, "frame of reference").into());
    put(tags::POSITION_REFERENCE_INDICATOR, VR::LO, text(""));
    put(tags::SAMPLES_PER_PIXEL, VR::US, short(1));
    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, text("MONOCHROME2"));
    // The size was held within 1..=2048 by the grid.
    put(tags::ROWS, VR::US, short(grid.nj() as u16));
    put(tags::COLUMNS, VR::US, short(grid.ni() as u16));
    let spacing = grid.spacing();
    put(tags::PIXEL_SPACING, VR::DS, decimals(&[spacing[1], spacing[0]]));
    put(tags::BITS_ALLOCATED, VR::US, short(16));
    put(tags::BITS_STORED, VR::US, short(12));
    put(tags::HIGH_BIT, VR::US, short(11));
    put(tags::PIXEL_REPRESENTATION, VR::US, short(0));
    put(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored_values(phantom, k)));
    object
}
