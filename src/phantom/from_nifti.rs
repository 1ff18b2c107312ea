//! A NIfTI volume (and a label map) as a DICOM series with truth.
//!
//! Voxels are neither resampled nor mirrored: axes are put into the order that a viewer expects
//! (exact permutations and flips), CT values are written as Hounsfield units, MR values as they
//! are where they are whole numbers of 16 bits, else scaled, with slope and intercept recorded.
//!
//! Sequence and kernel tags are *typical of the contrast that the caller names*, not those of the
//! scanner: NIfTI does not carry them. The series says so (`DerivationDescription`).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use dicom_core::value::{C, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::PhantomError;
use crate::anatomy::imported::{
    Layer, MaskLabels, SpineMaskError, VertebraLabel, masked_spine, meaning,
};
use crate::geometry::{Grid, LpsPoint, LpsVector, Plane, VoxelIndex};
use crate::terms::{Level, Role};
use crate::units::rounded;
use crate::volume::{LabelMap, NiftiData, NiftiError, NiftiImage, label_table, nifti_gz_bytes};

/// Voxels that are no number are written as this (CT, with `PixelPaddingValue`).
const NOT_A_NUMBER: i16 = -32768;
/// Rows and columns stand at right angles when the sine of what is missing is below this: about
/// what decimal strings of a DICOM orientation keep.
const RIGHT_ANGLE: f64 = 1e-4;

/// What a NIfTI volume shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contrast {
    /// CT with a soft, bone or lung kernel ([`Role::CtSoft`] and so on).
    Ct(Role),
    /// MR with the tags of a role.
    Mr(Role),
}

/// How a series is made of a NIfTI volume.
#[derive(Clone, Debug)]
pub struct FromNifti {
    /// What it shows.
    pub contrast: Contrast,
    /// Plane of the slices; `None`: across the longest voxel axis, of cubes axial for CT and
    /// sagittal for MR.
    pub plane: Option<Plane>,
    /// Series of one name are one study in one frame of reference. `None`: a study of its own.
    pub study: Option<String>,
}

/// Why a NIfTI volume gives no series.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FromNiftiError {
    /// A role that a NIfTI volume cannot be given.
    #[error("role {role} cannot be given to a converted volume")]
    Role {
        /// The role.
        role: Role,
    },
    /// DICOM slices have rows and columns at right angles; these have not.
    #[error("rows and columns of {plane} slices stand at {angle_deg:.2} degrees, expected 90")]
    Shear {
        /// The plane.
        plane: Plane,
        /// Their angle, degrees.
        angle_deg: f64,
    },
    /// No axis runs across the plane that was asked for.
    #[error("no axis of the volume runs across {plane} slices")]
    NoSuchPlane {
        /// The plane.
        plane: Plane,
    },
    /// MR values that are no numbers.
    #[error("{voxels} of {of} MR voxels are no finite numbers")]
    NotFinite {
        /// How many.
        voxels: usize,
        /// Of so many.
        of: usize,
    },
    /// A side of a slice that DICOM cannot hold.
    #[error("a slice of {columns} x {rows} pixels, at most 65535 along a side can be written")]
    TooLarge {
        /// Columns.
        columns: usize,
        /// Rows.
        rows: usize,
    },
    /// The label map cannot be used.
    #[error("label map: {0}")]
    Labels(String),
    /// The label map cannot be written beside the series.
    #[error(transparent)]
    Nifti(#[from] NiftiError),
    /// A file cannot be encoded or written.
    #[error(transparent)]
    Write(#[from] PhantomError),
}

impl From<SpineMaskError> for FromNiftiError {
    fn from(error: SpineMaskError) -> Self {
        Self::Labels(error.to_string())
    }
}

/// A converted series in memory.
#[derive(Clone, Debug)]
pub struct Converted {
    /// Where the slices lie.
    pub grid: Grid,
    /// Files, name and bytes, in name order: slices, then `labels.nii.gz` and `truth.json` where a
    /// label map was given.
    pub files: Vec<(String, Vec<u8>)>,
    /// What a reader should know: values that were rounded, clipped or left out.
    pub remarks: Vec<String>,
}

/// Truth from a label map; the fields are those of the phantoms' truth.
#[derive(Debug, Serialize)]
struct MaskTruth {
    frame: &'static str,
    made_by: String,
    vertebrae: Vec<MaskVertebra>,
}

#[derive(Debug, Serialize)]
struct MaskVertebra {
    level: Option<Level>,
    level_anchor_in_view: bool,
    source_level: Option<String>,
    centroid_lps_mm: LpsPoint,
    centroid_of: &'static str,
    fraction_in_view: f64,
}

/// Converts a volume; `labels` is a label map on its grid with the numbering it is written in
/// (`None`: recognised).
///
/// # Errors
/// [`FromNiftiError`].
pub fn convert(
    image: &NiftiImage,
    labels: Option<(&LabelMap, Option<MaskLabels>)>,
    how: &FromNifti,
) -> Result<Converted, FromNiftiError> {
    let order = Order::new(&image.grid, how)?;
    let grid = order.grid.clone();
    let mut remarks = Vec::new();
    let stored = match how.contrast {
        Contrast::Ct(_) => hounsfield(image, &order, &mut remarks),
        Contrast::Mr(_) => signal(image, &order, &mut remarks)?,
    };
    let mut series = Writer::new(&grid, how, &stored)?;
    let mut files = series.files()?;
    if let Some((map, numbering)) = labels {
        let placed = map.on_grid(&grid, "").map_err(|e| FromNiftiError::Labels(e.to_string()))?;
        let found: Vec<u16> = map.counts().into_keys().collect();
        let meaning = meaning(&found, &map.names, "", numbering)
            .map_err(|e| FromNiftiError::Labels(format!("{e} ({})", e.hint())))?;
        let table = (!map.names.is_empty()).then(|| label_table(&map.names));
        let bytes =
            nifti_gz_bytes(&grid, NiftiData::U16(&placed), &table.into_iter().collect::<Vec<_>>())?;
        files.push(("labels.nii.gz".to_owned(), bytes));
        let made_by =
            format!("osteoflag phantom from-nifti, from a label map ({})", meaning.source());
        let truth = truth(&grid, Layer { labels: placed, meaning }, made_by)?;
        files.push(("truth.json".to_owned(), truth));
    }
    Ok(Converted { grid, files, remarks })
}

/// Writes the files of a conversion into a folder, which is made if need be.
///
/// # Errors
/// [`PhantomError::Write`].
pub fn write_converted(converted: &Converted, out: &Path) -> Result<(), PhantomError> {
    fs::create_dir_all(out)
        .map_err(|source| PhantomError::Write { path: out.to_owned(), source })?;
    for (name, bytes) in &converted.files {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|source| PhantomError::Write { path, source })?;
    }
    Ok(())
}

fn truth(grid: &Grid, layer: Layer, made_by: String) -> Result<Vec<u8>, FromNiftiError> {
    let spine = masked_spine(grid, &[layer])?;
    let anchored = spine.anchor_in_view;
    let vertebrae = spine
        .vertebrae
        .iter()
        .zip(&spine.labels)
        // From the head down, as in the truth of phantoms.
        .rev()
        .map(|(vertebra, label)| MaskVertebra {
            level: vertebra.level.filter(|_| anchored),
            level_anchor_in_view: anchored,
            source_level: Some(match label {
                VertebraLabel::Level(level) => level.to_string(),
                VertebraLabel::Number(number) => number.to_string(),
            }),
            centroid_lps_mm: vertebra.centroid.rounded(1),
            centroid_of: if vertebra.body.is_some() {
                "body (visible part where cut)"
            } else {
                "what the mask holds (the body could not be told or fitted)"
            },
            fraction_in_view: rounded(vertebra.fraction_in_view.get(), 2),
        })
        .collect();
    let frame = "LPS mm of the DICOM patient coordinate system";
    let truth = MaskTruth { frame, made_by, vertebrae };
    let mut text = serde_json::to_vec_pretty(&truth)
        .map_err(|error| PhantomError::Dicom { instance: 0, message: error.to_string() })?;
    text.push(b'\n');
    Ok(text)
}

/// How the axes of the file become columns, rows and slices.
struct Order {
    grid: Grid,
    /// Axis of the file along each axis of the series.
    axis: [usize; 3],
    /// Whether it runs the other way.
    flipped: [bool; 3],
}

impl Order {
    fn new(from: &Grid, how: &FromNifti) -> Result<Self, FromNiftiError> {
        // The axis of the file that runs along each axis of the patient (x, y, z).
        let along = axes_of_patient(from);
        let across = |plane| match plane {
            Plane::Axial => Some(along[2]),
            Plane::Sagittal => Some(along[0]),
            Plane::Coronal => Some(along[1]),
            Plane::Oblique => None,
        };
        let slice_axis = if let Some(plane) = how.plane {
            across(plane).ok_or(FromNiftiError::NoSuchPlane { plane })?
        } else {
            let mm = from.spacing();
            let usual = match how.contrast {
                Contrast::Ct(_) => along[2],
                Contrast::Mr(_) => along[0],
            };
            // Thick slices tell the plane; a tenth is no thick slice.
            let longest = (0..3).fold(usual, |a, b| if mm[b] > 1.1 * mm[a] { b } else { a });
            if mm[longest] > 1.1 * mm[usual] { longest } else { usual }
        };
        let body_axis = along.iter().position(|&a| a == slice_axis).unwrap_or(2);
        // Columns and rows as viewers show them: (left, posterior), (posterior, feet), (left, feet).
        let (column, row) = match body_axis {
            2 => ((0, LpsVector::LEFT), (1, -LpsVector::ANTERIOR)),
            0 => ((1, -LpsVector::ANTERIOR), (2, -LpsVector::HEAD)),
            _ => ((0, LpsVector::LEFT), (2, -LpsVector::HEAD)),
        };
        let axis = [along[column.0], along[row.0], slice_axis];
        let step = |n: usize, towards: LpsVector| {
            let step = from.step(axis[n]);
            if step.dot(towards) < 0.0 { (-step, true) } else { (step, false) }
        };
        let (step_i, flip_i) = step(0, column.1);
        let (step_j, flip_j) = step(1, row.1);
        // The stack runs along the normal.
        let (step_k, flip_k) = step(2, step_i.cross(step_j));
        let flipped = [flip_i, flip_j, flip_k];
        let mut origin = from.origin();
        for n in 0..3 {
            if flipped[n] {
                let last = from.size()[axis[n]].saturating_sub(1) as f64;
                origin = origin + from.step(axis[n]) * last;
            }
        }
        let size = axis.map(|a| from.size()[a]);
        let cosine = step_i.dot(step_j) / (step_i.length() * step_j.length());
        let grid = Grid::new(size, origin, step_i, step_j, step_k).map_err(PhantomError::Grid)?;
        if cosine.abs() > RIGHT_ANGLE {
            let angle_deg = libm::acos(cosine.clamp(-1.0, 1.0)).to_degrees();
            return Err(FromNiftiError::Shear { plane: grid.plane(), angle_deg });
        }
        if size[0] > 65535 || size[1] > 65535 {
            return Err(FromNiftiError::TooLarge { columns: size[0], rows: size[1] });
        }
        Ok(Self { grid, axis, flipped })
    }

    /// Offset in the file of each voxel of slice `k` of the series, row by row.
    fn offsets(&self, from: &Grid, k: usize) -> Vec<usize> {
        let [ni, nj, _] = self.grid.size();
        let stride = [1, from.ni(), from.ni() * from.nj()];
        let place = |n: usize, at: usize| {
            let last = self.grid.size()[n] - 1;
            stride[self.axis[n]] * if self.flipped[n] { last - at } else { at }
        };
        let slice = place(2, k);
        let mut offsets = Vec::with_capacity(ni * nj);
        for j in 0..nj {
            let row = slice + place(1, j);
            offsets.extend((0..ni).map(|i| row + place(0, i)));
        }
        offsets
    }
}

/// All orders of three axes.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// For each axis of the patient the axis of the grid that runs along it most.
fn axes_of_patient(grid: &Grid) -> [usize; 3] {
    let share = |axis: usize, of: usize| {
        let step = grid.step(axis);
        [step.x(), step.y(), step.z()][of].abs() / step.length().max(f64::MIN_POSITIVE)
    };
    let fit = |order: &[usize; 3]| -> f64 { (0..3).map(|of| share(order[of], of)).sum() };
    let mut best = ORDERS[0];
    for order in ORDERS {
        if fit(&order) > fit(&best) + 1e-9 {
            best = order;
        }
    }
    best
}

/// Pixels as they are written, slice by slice.
struct Stored {
    slices: Vec<Vec<u16>>,
    signed: bool,
    bits: u16,
    /// Slope and intercept, where they are written.
    rescale: Option<(f64, f64)>,
    padding: bool,
}

fn hounsfield(image: &NiftiImage, order: &Order, remarks: &mut Vec<String>) -> Stored {
    let (mut clipped, mut rounded_off, mut missing) = (0u64, 0u64, 0u64);
    let mut slices = Vec::with_capacity(order.grid.nk());
    for k in 0..order.grid.nk() {
        let hu = |offset| {
            let value = image.value(offset).unwrap_or(f64::NAN);
            if !value.is_finite() {
                missing += 1;
                return NOT_A_NUMBER as u16;
            }
            rounded_off += u64::from(value.fract() != 0.0);
            let whole = libm::rint(value);
            // The lowest value is kept for padding.
            let kept = whole.clamp(-32767.0, 32767.0);
            clipped += u64::from(whole != kept);
            (kept as i16) as u16
        };
        slices.push(order.offsets(&image.grid, k).into_iter().map(hu).collect());
    }
    let mut say = |n: u64, what: &str| {
        if n > 0 {
            remarks.push(format!("{n} voxels {what}"));
        }
    };
    say(rounded_off, "had a fraction and were rounded to whole Hounsfield units");
    say(clipped, "were beyond 16 bits and were clipped");
    say(missing, "were no numbers and were written as padding");
    Stored { slices, signed: true, bits: 16, rescale: Some((1.0, 0.0)), padding: missing > 0 }
}

fn signal(
    image: &NiftiImage,
    order: &Order,
    remarks: &mut Vec<String>,
) -> Result<Stored, FromNiftiError> {
    let of = image.grid.len();
    let (mut low, mut high, mut whole, mut not_finite) =
        (f64::INFINITY, f64::NEG_INFINITY, true, 0);
    for offset in 0..of {
        let value = image.value(offset).unwrap_or(f64::NAN);
        if value.is_finite() {
            low = low.min(value);
            high = high.max(value);
            whole &= value.fract() == 0.0;
        } else {
            not_finite += 1;
        }
    }
    if not_finite > 0 || of == 0 {
        return Err(FromNiftiError::NotFinite { voxels: not_finite, of });
    }
    let as_is = whole && low >= 0.0 && high <= 65535.0;
    // Written with six digits: what is written is what is scaled with.
    let decimal = |v: f64| decimal(v).parse::<f64>().unwrap_or(v);
    let (slope, intercept) = if as_is {
        (1.0, 0.0)
    } else {
        let intercept = decimal(libm::floor(low.min(0.0)));
        // Rounded up, so that the highest value fits.
        let slope = ((high - intercept) / 65535.0).max(1e-6);
        (decimal(slope * (1.0 + 1e-4)), intercept)
    };
    let mut slices = Vec::with_capacity(order.grid.nk());
    for k in 0..order.grid.nk() {
        let stored = |offset| {
            let value = image.value(offset).unwrap_or(0.0);
            libm::rint((value - intercept) / slope).clamp(0.0, 65535.0) as u16
        };
        slices.push(order.offsets(&image.grid, k).into_iter().map(stored).collect());
    }
    if !as_is {
        remarks.push(format!(
            "signal from {low} to {high} was written in 16 bits with slope {slope} and intercept {intercept}"
        ));
    }
    let bits = if as_is && high < 4096.0 { 12 } else { 16 };
    let rescale = (!as_is).then_some((slope, intercept));
    Ok(Stored { slices, signed: false, bits, rescale, padding: false })
}

/// A decimal string of at most 16 characters.
fn decimal(value: f64) -> String {
    let plain = format!("{value}");
    if plain.len() <= 16 {
        return plain;
    }
    (0..=14)
        .rev()
        .map(|digits| format!("{value:.digits$}"))
        .find(|text| text.len() <= 16)
        .unwrap_or_else(|| format!("{value:.9e}"))
}

fn decimals(values: &[f64]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(|&value| decimal(value)).collect::<C<String>>())
}

fn text(value: &str) -> PrimitiveValue {
    PrimitiveValue::from(value)
}

fn texts(values: &[&str]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(|&value| value.to_owned()).collect::<C<String>>())
}

type Tags = Vec<(Tag, VR, PrimitiveValue)>;

/// Tags that are typical of a contrast.
fn contrast_tags(contrast: Contrast) -> Result<Tags, FromNiftiError> {
    let ds = |tag, value: &str| (tag, VR::DS, text(value));
    let mr = |sequence: &[&str], options: &str, tr: &str, te: &str| -> Tags {
        vec![
            (tags::SCANNING_SEQUENCE, VR::CS, texts(sequence)),
            (tags::SEQUENCE_VARIANT, VR::CS, text("SK")),
            (tags::SCAN_OPTIONS, VR::CS, text(options)),
            (tags::MR_ACQUISITION_TYPE, VR::CS, text("2D")),
            ds(tags::REPETITION_TIME, tr),
            ds(tags::ECHO_TIME, te),
            ds(tags::MAGNETIC_FIELD_STRENGTH, "1.5"),
        ]
    };
    let with = |mut base: Tags, more: Tags| {
        base.extend(more);
        base
    };
    let turbo = |length: &str| (tags::ECHO_TRAIN_LENGTH, VR::IS, text(length));
    let flip = |degrees: &str| ds(tags::FLIP_ANGLE, degrees);
    let kind = |flavour: &str| {
        vec![(tags::IMAGE_TYPE, VR::CS, texts(&["DERIVED", "PRIMARY", "M", flavour])), flip("12")]
    };
    Ok(match contrast {
        Contrast::Ct(role) => {
            let kernel = match role {
                Role::CtSoft => "STANDARD",
                Role::CtBone => "BONE",
                Role::CtLung => "LUNG",
                role => return Err(FromNiftiError::Role { role }),
            };
            vec![
                ds(tags::KVP, "120"),
                (tags::CONVOLUTION_KERNEL, VR::SH, text(kernel)),
                (tags::RESCALE_TYPE, VR::LO, text("HU")),
            ]
        }
        Contrast::Mr(role) => match role {
            Role::MrT1 => with(mr(&["SE"], "", "550", "10"), vec![turbo("3"), flip("90")]),
            Role::MrT1Contrast => with(
                mr(&["SE"], "", "550", "10"),
                vec![
                    turbo("3"),
                    flip("90"),
                    (tags::CONTRAST_BOLUS_AGENT, VR::LO, text("GADOLINIUM")),
                ],
            ),
            Role::MrT1Fatsat => with(mr(&["SE"], "FS", "600", "10"), vec![turbo("3"), flip("90")]),
            Role::MrT2 => with(mr(&["SE"], "", "3500", "100"), vec![turbo("16"), flip("150")]),
            Role::MrT2Fatsat => {
                with(mr(&["SE"], "FS", "3500", "80"), vec![turbo("16"), flip("150")])
            }
            Role::MrStir => with(
                mr(&["SE", "IR"], "", "4500", "60"),
                vec![turbo("12"), flip("150"), ds(tags::INVERSION_TIME, "150")],
            ),
            Role::MrPd => with(mr(&["SE"], "", "2500", "20"), vec![turbo("4"), flip("150")]),
            Role::MrInPhase => with(mr(&["GR"], "", "150", "4.6"), kind("IN_PHASE")),
            Role::MrOpposedPhase => with(mr(&["GR"], "", "150", "2.3"), kind("OUT_PHASE")),
            Role::MrDixonWater => with(mr(&["GR"], "", "7", "2.4"), kind("WATER")),
            Role::MrDixonFat => with(mr(&["GR"], "", "7", "2.4"), kind("FAT")),
            role => return Err(FromNiftiError::Role { role }),
        },
    })
}

/// Writes the slices.
struct Writer<'a> {
    grid: &'a Grid,
    stored: &'a Stored,
    contrast: Contrast,
    contrast_tags: Tags,
    /// Of the pixels, the place and the contrast.
    digest: String,
    study: String,
}

impl<'a> Writer<'a> {
    fn new(grid: &'a Grid, how: &FromNifti, stored: &'a Stored) -> Result<Self, FromNiftiError> {
        let mut hash = Sha256::new();
        hash.update(format!("{:?} {:?}", how.contrast, grid));
        for slice in &stored.slices {
            for value in slice {
                hash.update(value.to_le_bytes());
            }
        }
        let digest: String =
            hash.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            });
        let study = how.study.clone().unwrap_or_else(|| digest.clone());
        let contrast_tags = contrast_tags(how.contrast)?;
        Ok(Self { grid, stored, contrast: how.contrast, contrast_tags, digest, study })
    }

    fn uid(of: &str, what: &str) -> String {
        super::dicom::uid_of(&format!("osteoflag from-nifti {of} {what}"))
    }

    fn files(&mut self) -> Result<Vec<(String, Vec<u8>)>, FromNiftiError> {
        let sop_class = match self.contrast {
            Contrast::Ct(_) => uids::CT_IMAGE_STORAGE,
            Contrast::Mr(_) => uids::MR_IMAGE_STORAGE,
        };
        let mut files = Vec::with_capacity(self.grid.nk());
        for k in 0..self.grid.nk() {
            let instance = k + 1;
            let uid = Self::uid(&self.digest, &format!("instance {instance}"));
            let meta = FileMetaTableBuilder::new()
                .media_storage_sop_class_uid(sop_class)
                .media_storage_sop_instance_uid(uid.clone())
                .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
                .implementation_class_uid(super::dicom::IMPLEMENTATION_CLASS_UID)
                .implementation_version_name("OSTEOFLAG");
            let mut bytes = Vec::new();
            self.object(k, sop_class, &uid)
                .with_meta(meta)
                .map_err(|error| error.to_string())
                .and_then(|file| file.write_all(&mut bytes).map_err(|error| error.to_string()))
                .map_err(|message| PhantomError::Dicom { instance, message })?;
            files.push((format!("IM{instance:05}.dcm"), bytes));
        }
        Ok(files)
    }

    fn object(&self, k: usize, sop_class: &str, uid: &str) -> InMemDicomObject {
        let (grid, stored) = (self.grid, self.stored);
        let mut object = InMemDicomObject::new_empty();
        let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
            object.put(DataElement::new(tag, vr, value));
        };
        let short = |value: u16| PrimitiveValue::from(value);
        let ct = matches!(self.contrast, Contrast::Ct(_));
        put(tags::SPECIFIC_CHARACTER_SET, VR::CS, text("ISO_IR 100"));
        put(tags::IMAGE_TYPE, VR::CS, texts(&["DERIVED", "SECONDARY", "REFORMATTED"]));
        put(tags::SOP_CLASS_UID, VR::UI, text(sop_class));
        put(tags::SOP_INSTANCE_UID, VR::UI, text(uid));
        for tag in [tags::STUDY_DATE, tags::SERIES_DATE, tags::CONTENT_DATE] {
            put(tag, VR::DA, text(super::dicom::DATE));
        }
        for tag in [tags::STUDY_TIME, tags::SERIES_TIME, tags::CONTENT_TIME] {
            put(tag, VR::TM, text("120000"));
        }
        put(tags::ACCESSION_NUMBER, VR::SH, text(""));
        put(tags::MODALITY, VR::CS, text(if ct { "CT" } else { "MR" }));
        put(tags::MANUFACTURER, VR::LO, text("osteoflag from-nifti"));
        put(tags::REFERRING_PHYSICIAN_NAME, VR::PN, text(""));
        put(tags::STUDY_DESCRIPTION, VR::LO, text("Converted from NIfTI"));
        put(
            tags::DERIVATION_DESCRIPTION,
            VR::ST,
            text(
                "Converted from NIfTI; sequence and kernel tags are typical of the contrast that was named, not those of the scanner",
            ),
        );
        put(tags::PATIENT_NAME, VR::PN, text("CONVERTED^NIFTI"));
        let patient: String =
            self.study.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        put(tags::PATIENT_ID, VR::LO, format!("NIFTI-{patient}").into());
        put(tags::PATIENT_BIRTH_DATE, VR::DA, text(""));
        put(tags::PATIENT_SEX, VR::CS, text(""));
        let spacing = grid.spacing();
        let normal = grid.step(0).cross(grid.step(1));
        let between = grid.step(2).dot(normal).abs() / normal.length();
        put(tags::SLICE_THICKNESS, VR::DS, decimals(&[between]));
        put(tags::SPACING_BETWEEN_SLICES, VR::DS, decimals(&[between]));
        put(tags::PATIENT_POSITION, VR::CS, text("HFS"));
        put(tags::STUDY_INSTANCE_UID, VR::UI, Self::uid(&self.study, "study").into());
        put(tags::SERIES_INSTANCE_UID, VR::UI, Self::uid(&self.digest, "series").into());
        put(tags::STUDY_ID, VR::SH, text("1"));
        put(tags::SERIES_NUMBER, VR::IS, text("1"));
        put(tags::ACQUISITION_NUMBER, VR::IS, text("1"));
        put(tags::INSTANCE_NUMBER, VR::IS, (k + 1).to_string().into());
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
        put(
            tags::FRAME_OF_REFERENCE_UID,
            VR::UI,
            Self::uid(&self.study, "frame of reference").into(),
        );
        put(tags::POSITION_REFERENCE_INDICATOR, VR::LO, text(""));
        put(tags::SAMPLES_PER_PIXEL, VR::US, short(1));
        put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, text("MONOCHROME2"));
        // Sides were held within 65535.
        put(tags::ROWS, VR::US, short(grid.nj() as u16));
        put(tags::COLUMNS, VR::US, short(grid.ni() as u16));
        put(tags::PIXEL_SPACING, VR::DS, decimals(&[spacing[1], spacing[0]]));
        put(tags::BITS_ALLOCATED, VR::US, short(16));
        put(tags::BITS_STORED, VR::US, short(stored.bits));
        put(tags::HIGH_BIT, VR::US, short(stored.bits - 1));
        put(tags::PIXEL_REPRESENTATION, VR::US, short(stored.signed.into()));
        if stored.padding {
            put(tags::PIXEL_PADDING_VALUE, VR::SS, PrimitiveValue::from(NOT_A_NUMBER));
        }
        if let Some((slope, intercept)) = stored.rescale {
            put(tags::RESCALE_INTERCEPT, VR::DS, decimals(&[intercept]));
            put(tags::RESCALE_SLOPE, VR::DS, decimals(&[slope]));
        }
        for (tag, vr, value) in &self.contrast_tags {
            put(*tag, *vr, value.clone());
        }
        let pixels: C<u16> = stored.slices[k].iter().copied().collect();
        put(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels));
        object
    }
}
