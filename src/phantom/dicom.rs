//! Writes a phantom as DICOM: one file a slice, Explicit VR Little Endian, no clock, UIDs from
//! name and seed.

use std::fs;
use std::path::Path;

use dicom_core::value::{C, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use sha2::{Digest, Sha256};

use super::raster::RESCALE_INTERCEPT;
use super::spec::{Kernel, Modality, Spec, Surrounding};
use super::{Phantom, PhantomError};
use crate::geometry::{LpsVector, VoxelIndex};
use crate::units::rounded;

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

/// Writes `IM0001.dcm` … and `truth.json` into a folder, which is made if need be.
///
/// Instance numbers run from the head down (axial) or from the right (sagittal): against the
/// order of the stack's normal, as on many scanners, so that nobody leans on file order.
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

/// The files of [`write()`] in memory: name and bytes, in name order, `truth.json` last.
///
/// # Errors
/// [`PhantomError::Dicom`] when an object cannot be encoded.
pub fn files(phantom: &Phantom) -> Result<Vec<(String, Vec<u8>)>, PhantomError> {
    let slices = phantom.grid.nk();
    let mut files = Vec::with_capacity(slices + 1);
    for instance in 1..=slices {
        let object = object(phantom, slices - instance, instance);
        let sop_class = sop_class(phantom.spec.modality);
        let meta = FileMetaTableBuilder::new()
            .media_storage_sop_class_uid(sop_class)
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
        files.push((format!("IM{instance:04}.dcm"), bytes));
    }
    files.push(("truth.json".to_owned(), truth_json(phantom)?.into_bytes()));
    Ok(files)
}

fn truth_json(phantom: &Phantom) -> Result<String, PhantomError> {
    serde_json::to_string_pretty(&phantom.truth)
        .map(|text| text + "\n")
        .map_err(|error| PhantomError::Dicom { instance: 0, message: error.to_string() })
}

const fn sop_class(modality: Modality) -> &'static str {
    match modality {
        Modality::Ct => uids::CT_IMAGE_STORAGE,
        Modality::MrT1 => uids::MR_IMAGE_STORAGE,
    }
}

fn object(phantom: &Phantom, k: usize, instance: usize) -> InMemDicomObject {
    let spec = &phantom.spec;
    let grid = &phantom.grid;
    let ct = spec.modality == Modality::Ct;
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
    put(tags::SOP_CLASS_UID, VR::UI, text(sop_class(spec.modality)));
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
    put(tags::BODY_PART_EXAMINED, VR::CS, text("LSPINE"));
    put(tags::SLICE_THICKNESS, VR::DS, decimals(&[spec.slice_thickness_mm]));
    put(tags::SPACING_BETWEEN_SLICES, VR::DS, decimals(&[spec.slice_spacing_mm]));
    put(tags::SOFTWARE_VERSIONS, VR::LO, text("phantom 1"));
    put(tags::PATIENT_POSITION, VR::CS, text("HFS"));
    if ct {
        put(tags::KVP, VR::DS, text("120"));
        put(tags::X_RAY_TUBE_CURRENT, VR::IS, text("180"));
        put(tags::GANTRY_DETECTOR_TILT, VR::DS, text("0"));
        let kernel = match spec.kernel {
            Kernel::Soft => "STANDARD",
            Kernel::Bone => "BONE",
        };
        put(tags::CONVOLUTION_KERNEL, VR::SH, text(kernel));
        if spec.surroundings.contains(&Surrounding::ContrastMedium) {
            put(tags::CONTRAST_BOLUS_AGENT, VR::LO, text("IODINE"));
        }
        put(tags::RESCALE_INTERCEPT, VR::DS, decimals(&[RESCALE_INTERCEPT]));
        put(tags::RESCALE_SLOPE, VR::DS, text("1"));
        put(tags::RESCALE_TYPE, VR::LO, text("HU"));
        put(tags::WINDOW_CENTER, VR::DS, text("300"));
        put(tags::WINDOW_WIDTH, VR::DS, text("1500"));
    } else {
        put(tags::SCANNING_SEQUENCE, VR::CS, text("SE"));
        put(tags::SEQUENCE_VARIANT, VR::CS, text("SK"));
        put(tags::SCAN_OPTIONS, VR::CS, text(""));
        put(tags::MR_ACQUISITION_TYPE, VR::CS, text("2D"));
        put(tags::REPETITION_TIME, VR::DS, text("550"));
        put(tags::ECHO_TIME, VR::DS, text("10"));
        put(tags::ECHO_TRAIN_LENGTH, VR::IS, text("3"));
        put(tags::FLIP_ANGLE, VR::DS, text("90"));
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
    let position = grid.voxel_to_lps(VoxelIndex { i: 0, j: 0, k });
    put(
        tags::IMAGE_POSITION_PATIENT,
        VR::DS,
        decimals(&[position.x(), position.y(), position.z()]),
    );
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
    let from = grid.offset(VoxelIndex { i: 0, j: 0, k });
    let intercept = if ct { RESCALE_INTERCEPT as i16 } else { 0 };
    let stored: C<u16> = phantom.voxels[from..from + grid.ni() * grid.nj()]
        .iter()
        .map(|&value| (value - intercept) as u16)
        .collect();
    put(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored));
    object
}
