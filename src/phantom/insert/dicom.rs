//! The series as DICOM again: native pixels, the old header without who the patient is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use dicom_core::header::Header;
use dicom_core::value::{C, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject, OpenFileOptions};
use sha2::{Digest, Sha256};

use super::{InsertError, Inserted};
use crate::geometry::LpsVector;
use crate::series::{CtOrMr, Series, Slice, Study, ct_or_mr};
use crate::units::rounded;
use crate::volume::{NiftiData, StoredValues, nifti_gz_bytes, stored_values};

/// Who wrote the file, as a UID of this program (2.25 root, drawn once).
const IMPLEMENTATION_CLASS_UID: &str = "2.25.132803457018452318870942630012387254103";
/// Most bytes of one source file's decoded frames.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// UIDs of the new series: functions of the old ones and the seed, so that two series of one
/// study stay one study.
pub(super) struct Uids {
    study: String,
    series: String,
    frame_of_reference: String,
    seed: u64,
}

/// A UID under 2.25 from text.
fn uid(text: &str) -> String {
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

/// The pseudonym that the room `series` gives to a UID.
fn pseudonym(uid: &str) -> String {
    let digest = Sha256::digest(uid);
    digest.iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl Uids {
    pub(super) fn new(study: &Study, series: &Series, seed: u64) -> Self {
        let of = |what: &str, old: &str| uid(&format!("osteoflag insert {seed} {what} {old}"));
        Self {
            study: of("study", &study.id.0),
            // The id and not the UID: a series of several stacks gives several new ones.
            series: of("series", &series.id.0),
            frame_of_reference: of("frame of reference", &series.frame_of_reference_uid),
            seed,
        }
    }

    pub(super) fn study_id(&self) -> String {
        pseudonym(&self.study)
    }

    pub(super) fn series_id(&self) -> String {
        pseudonym(&self.series)
    }

    fn instance(&self, k: usize) -> String {
        uid(&format!("osteoflag insert {} instance {} {k}", self.seed, self.series))
    }
}

/// Writes `IM0001.dcm` … in stack order, `truth.json` and the label map `lesions.nii.gz` (see
/// [`Inserted::labels`]) into a folder, which is made if need be.
/// Gives the number of slices written and of those left out because their source had no readable
/// pixels.
///
/// Each slice becomes one classic CT or MR image in Explicit VR Little Endian with UIDs of its
/// own. The header of a single-frame source is kept without the patient, people, places, orders,
/// references to other objects and private elements; dates, times and descriptions stay: this is
/// no de-identification. Of a multi-frame source, and of one that stands outside the standard, the
/// tags that tell what kind of series it is are written anew. Voxels that no lesion touched keep
/// their stored values.
///
/// # Errors
/// [`InsertError::Source`] and [`InsertError::Write`].
pub fn write(
    study: &Study,
    series: &Series,
    inserted: &Inserted,
    out: &Path,
) -> Result<(usize, usize), InsertError> {
    let failed = |path: &Path, what: String| InsertError::Write { path: path.to_owned(), what };
    fs::create_dir_all(out).map_err(|error| failed(out, error.to_string()))?;
    let uids = Uids::new(study, series, inserted.truth.seed);
    let mut decoded: Option<(&Path, StoredValues)> = None;
    let (mut written, mut left_out) = (0, 0);
    for (k, slice) in series.slices.iter().enumerate() {
        let path = slice.source.path.as_path();
        if decoded.as_ref().is_none_or(|(of, _)| *of != path) {
            decoded = stored_values(path, MAX_FILE_BYTES).ok().map(|values| (path, values));
        }
        let Some(stored) = decoded.as_ref().and_then(|(_, values)| frame(values, slice)) else {
            left_out += 1;
            continue;
        };
        let pixels = pixels(series, inserted, slice, k, stored);
        let object = object(series, slice, &uids, k, pixels, inserted.truth.seed);
        let file = out.join(format!("IM{:04}.dcm", k + 1));
        let meta = FileMetaTableBuilder::new()
            .media_storage_sop_class_uid(sop_class(series))
            .media_storage_sop_instance_uid(uids.instance(k))
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
            .implementation_version_name("OSTEOFLAG");
        let mut bytes = Vec::new();
        object
            .with_meta(meta)
            .map_err(|error| error.to_string())
            .and_then(|object| object.write_all(&mut bytes).map_err(|error| error.to_string()))
            .map_err(|what| failed(&file, what))?;
        fs::write(&file, bytes).map_err(|error| failed(&file, error.to_string()))?;
        written += 1;
    }
    let file = out.join("truth.json");
    let text = serde_json::to_string_pretty(&inserted.truth)
        .map_err(|error| failed(&file, error.to_string()))?;
    fs::write(&file, text + "\n").map_err(|error| failed(&file, error.to_string()))?;
    let file = out.join("lesions.nii.gz");
    let bytes = nifti_gz_bytes(&series.grid, NiftiData::U8(&inserted.labels), &[])
        .map_err(|error| failed(&file, error.to_string()))?;
    fs::write(&file, bytes).map_err(|error| failed(&file, error.to_string()))?;
    Ok((written, left_out))
}

/// The stored values of a slice.
fn frame<'a>(values: &'a StoredValues, slice: &Slice) -> Option<&'a [u16]> {
    let pixels = usize::from(values.layout.rows) * usize::from(values.layout.columns);
    let from = (slice.source.frame as usize).checked_mul(pixels)?;
    values.values.get(from..from.checked_add(pixels)?)
}

/// Stored values with the changed voxels in them.
fn pixels(series: &Series, inserted: &Inserted, slice: &Slice, k: usize, stored: &[u16]) -> C<u16> {
    let bits = u32::from(slice.layout.bits_stored.clamp(1, 16));
    let (low, high) = if slice.layout.signed {
        (-f64::from(1u32 << (bits - 1)), f64::from((1u32 << (bits - 1)) - 1))
    } else {
        (0.0, f64::from((1u32 << bits) - 1))
    };
    let slope = if slice.rescale_slope == 0.0 { 1.0 } else { slice.rescale_slope };
    let first = k * series.grid.ni() * series.grid.nj();
    let new = stored.iter().enumerate().map(|(n, &word)| {
        if !inserted.changed.get(first + n) {
            return word;
        }
        let value = (f64::from(inserted.values[first + n]) - slice.rescale_intercept) / slope;
        // Held within the stored range; a negative number becomes its two's complement.
        (value.round().clamp(low, high) as i32) as u16
    });
    new.collect()
}

fn sop_class(series: &Series) -> &'static str {
    match ct_or_mr(&series.tags) {
        Some(CtOrMr::Ct) => uids::CT_IMAGE_STORAGE,
        _ => uids::MR_IMAGE_STORAGE,
    }
}

/// Elements of group 0008 that name people, places, orders or other objects, and those that are
/// written anew.
const DROPPED: &[Tag] = &[
    tags::ACCESSION_NUMBER,
    tags::INSTITUTION_NAME,
    tags::INSTITUTION_ADDRESS,
    tags::INSTITUTIONAL_DEPARTMENT_NAME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::REFERRING_PHYSICIAN_ADDRESS,
    tags::REFERRING_PHYSICIAN_TELEPHONE_NUMBERS,
    tags::REFERRING_PHYSICIAN_IDENTIFICATION_SEQUENCE,
    tags::PHYSICIANS_OF_RECORD,
    tags::PERFORMING_PHYSICIAN_NAME,
    tags::NAME_OF_PHYSICIANS_READING_STUDY,
    tags::OPERATORS_NAME,
    tags::STATION_NAME,
    tags::ADMITTING_DIAGNOSES_DESCRIPTION,
    tags::REFERENCED_STUDY_SEQUENCE,
    tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE,
    tags::REFERENCED_SERIES_SEQUENCE,
    tags::REFERENCED_PATIENT_SEQUENCE,
    tags::REFERENCED_IMAGE_SEQUENCE,
    tags::SOURCE_IMAGE_SEQUENCE,
    tags::STUDIES_CONTAINING_OTHER_REFERENCED_INSTANCES_SEQUENCE,
    tags::DEVICE_SERIAL_NUMBER,
    tags::IMAGE_COMMENTS,
    tags::SMALLEST_IMAGE_PIXEL_VALUE,
    tags::LARGEST_IMAGE_PIXEL_VALUE,
    tags::NUMBER_OF_FRAMES,
];

/// What is kept of the patient.
const KEPT_OF_PATIENT: &[Tag] =
    &[tags::PATIENT_SEX, tags::PATIENT_AGE, tags::PATIENT_SIZE, tags::PATIENT_WEIGHT];

/// Whether an element of a source header goes into the new one.
fn is_kept(tag: Tag) -> bool {
    let private = tag.group() % 2 == 1;
    let kept_group = matches!(tag.group(), 0x0008 | 0x0010 | 0x0018 | 0x0020 | 0x0028 | 0x0054);
    let patient = tag.group() == 0x0010 && !KEPT_OF_PATIENT.contains(&tag);
    kept_group && !private && !patient && !DROPPED.contains(&tag)
}

/// The header of the source, if it is a single image in a form that can be carried over.
fn source_header(slice: &Slice) -> Option<InMemDicomObject> {
    let file =
        OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(&slice.source.path).ok()?;
    let source = file.into_inner();
    let multi_frame = source.element(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).is_ok()
        || source
            .element(tags::NUMBER_OF_FRAMES)
            .ok()
            .and_then(|element| element.to_int::<u32>().ok())
            .is_some_and(|frames| frames > 1);
    if multi_frame || source.element(tags::IMAGE_POSITION_PATIENT).is_err() {
        return None;
    }
    let mut kept = InMemDicomObject::new_empty();
    for element in source.into_iter().filter(|element| is_kept(element.tag())) {
        kept.put(element);
    }
    Some(kept)
}

fn object(
    series: &Series,
    slice: &Slice,
    new: &Uids,
    k: usize,
    pixels: C<u16>,
    seed: u64,
) -> InMemDicomObject {
    let mut object = source_header(slice).unwrap_or_else(|| fresh_header(series, slice, k));
    let image_type = image_type(&series.tags.image_type);
    let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    put(tags::SOP_CLASS_UID, VR::UI, sop_class(series).into());
    put(tags::SOP_INSTANCE_UID, VR::UI, new.instance(k).into());
    put(tags::STUDY_INSTANCE_UID, VR::UI, new.study.clone().into());
    put(tags::SERIES_INSTANCE_UID, VR::UI, new.series.clone().into());
    put(tags::FRAME_OF_REFERENCE_UID, VR::UI, new.frame_of_reference.clone().into());
    put(tags::IMAGE_TYPE, VR::CS, image_type);
    put(
        tags::DERIVATION_DESCRIPTION,
        VR::ST,
        format!("artificial lesions by osteoflag phantom insert, seed {seed}").into(),
    );
    put(tags::PATIENT_NAME, VR::PN, "INSERTED^LESIONS".into());
    put(tags::PATIENT_ID, VR::LO, format!("INSERTED-{}", new.study_id()).into());
    put(tags::PATIENT_BIRTH_DATE, VR::DA, "".into());
    put(tags::ACCESSION_NUMBER, VR::SH, "".into());
    put(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "".into());
    put(tags::SAMPLES_PER_PIXEL, VR::US, 1u16.into());
    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric(series).into());
    put(tags::ROWS, VR::US, slice.layout.rows.into());
    put(tags::COLUMNS, VR::US, slice.layout.columns.into());
    let bits = slice.layout.bits_stored.clamp(1, 16);
    put(tags::BITS_ALLOCATED, VR::US, 16u16.into());
    put(tags::BITS_STORED, VR::US, bits.into());
    put(tags::HIGH_BIT, VR::US, (bits - 1).into());
    put(tags::PIXEL_REPRESENTATION, VR::US, u16::from(slice.layout.signed).into());
    put(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels));
    object
}

fn photometric(series: &Series) -> String {
    series.tags.photometric_interpretation.clone().unwrap_or_else(|| "MONOCHROME2".to_owned())
}

/// The old image type, said to be derived.
fn image_type(old: &[String]) -> PrimitiveValue {
    let mut values: C<String> = old.iter().cloned().collect();
    if values.is_empty() {
        values.extend(["DERIVED".to_owned(), "PRIMARY".to_owned()]);
    }
    "DERIVED".clone_into(&mut values[0]);
    PrimitiveValue::Strs(values)
}

/// A decimal string of at most 16 characters.
fn decimal(value: f64) -> String {
    let text = format!("{}", rounded(value, 8));
    if text.len() <= 16 { text } else { format!("{}", rounded(value, 4)) }
}

fn decimals(values: &[f64]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(|&value| decimal(value)).collect::<C<String>>())
}

/// A classic header from what the room `series` kept of a source that has none.
fn fresh_header(series: &Series, slice: &Slice, k: usize) -> InMemDicomObject {
    let from = &series.tags;
    let ct = ct_or_mr(from) == Some(CtOrMr::Ct);
    let mut object = InMemDicomObject::new_empty();
    let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    put(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192".into());
    put(tags::MODALITY, VR::CS, if ct { "CT" } else { "MR" }.into());
    put(tags::STUDY_DATE, VR::DA, "".into());
    put(tags::STUDY_TIME, VR::TM, "".into());
    put(tags::STUDY_ID, VR::SH, "".into());
    put(tags::SERIES_NUMBER, VR::IS, "1".into());
    put(tags::INSTANCE_NUMBER, VR::IS, (k + 1).to_string().into());
    put(tags::PATIENT_SEX, VR::CS, "".into());
    put(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "".into());
    let texts = [
        (tags::MANUFACTURER, VR::LO, &from.manufacturer),
        (tags::SERIES_DESCRIPTION, VR::LO, &from.series_description),
        (tags::PROTOCOL_NAME, VR::LO, &from.protocol_name),
        (tags::BODY_PART_EXAMINED, VR::CS, &from.body_part_examined),
        (tags::PATIENT_POSITION, VR::CS, &from.patient_position),
        (tags::CONVOLUTION_KERNEL, VR::SH, &from.convolution_kernel),
        (tags::CONTRAST_BOLUS_AGENT, VR::LO, &from.contrast_bolus_agent),
        (tags::RESCALE_TYPE, VR::LO, &from.rescale_type),
        (tags::SEQUENCE_NAME, VR::SH, &from.sequence_name),
        (tags::MR_ACQUISITION_TYPE, VR::CS, &from.mr_acquisition_type),
        (tags::ACQUISITION_CONTRAST, VR::CS, &from.acquisition_contrast),
        (tags::COMPLEX_IMAGE_COMPONENT, VR::CS, &from.complex_image_component),
    ];
    for (tag, vr, text) in texts {
        if let Some(text) = text {
            put(tag, vr, text.clone().into());
        }
    }
    let lists = [
        (tags::SCANNING_SEQUENCE, &from.scanning_sequence),
        (tags::SEQUENCE_VARIANT, &from.sequence_variant),
        (tags::SCAN_OPTIONS, &from.scan_options),
    ];
    for (tag, list) in lists {
        if !list.is_empty() {
            put(tag, VR::CS, PrimitiveValue::Strs(list.iter().cloned().collect()));
        }
    }
    let numbers = [
        (tags::KVP, from.kvp),
        (tags::REPETITION_TIME, from.repetition_time_ms),
        (tags::ECHO_TIME, from.echo_time_ms),
        (tags::INVERSION_TIME, from.inversion_time_ms),
        (tags::FLIP_ANGLE, from.flip_angle_deg),
        (tags::MAGNETIC_FIELD_STRENGTH, from.magnetic_field_strength_t),
    ];
    for (tag, number) in numbers {
        if let Some(number) = number {
            put(tag, VR::DS, decimals(&[number]));
        }
    }
    if let Some(length) = from.echo_train_length {
        put(tags::ECHO_TRAIN_LENGTH, VR::IS, format!("{length:.0}").into());
    }
    if let Some(b_value) = from.diffusion_b_value {
        put(tags::DIFFUSION_B_VALUE, VR::FD, b_value.into());
    }
    let spacing = series.grid.spacing();
    put(tags::SLICE_THICKNESS, VR::DS, decimals(&[from.slice_thickness_mm.unwrap_or(spacing[2])]));
    put(tags::SPACING_BETWEEN_SLICES, VR::DS, decimals(&[spacing[2]]));
    if from.rescale_present || ct {
        put(tags::RESCALE_INTERCEPT, VR::DS, decimals(&[slice.rescale_intercept]));
        put(tags::RESCALE_SLOPE, VR::DS, decimals(&[slice.rescale_slope]));
    }
    let vr = if slice.layout.signed { VR::SS } else { VR::US };
    let paddings = [
        (tags::PIXEL_PADDING_VALUE, slice.pixel_padding_value),
        (tags::PIXEL_PADDING_RANGE_LIMIT, slice.pixel_padding_range_limit),
    ];
    for (tag, padding) in paddings {
        if let Some(padding) = padding {
            // Stored in 16 bits, as two's complement where signed.
            let value = if slice.layout.signed {
                PrimitiveValue::from(padding as i16)
            } else {
                PrimitiveValue::from(padding as u16)
            };
            put(tag, vr, value);
        }
    }
    let position = slice.position;
    put(
        tags::IMAGE_POSITION_PATIENT,
        VR::DS,
        decimals(&[position.x(), position.y(), position.z()]),
    );
    let cosines = |v: LpsVector| {
        let length = v.length();
        [v.x() / length, v.y() / length, v.z() / length]
    };
    let orientation = [cosines(series.grid.step(0)), cosines(series.grid.step(1))].concat();
    put(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, decimals(&orientation));
    put(tags::PIXEL_SPACING, VR::DS, decimals(&[spacing[1], spacing[0]]));
    object
}
