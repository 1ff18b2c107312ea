//! One record for each slice: what a header says of it, before any grouping.

use std::path::Path;
use std::sync::Arc;

use super::dataset::{DataSet, Tag};
use super::header::Header;
use super::model::{FrameSource, PixelLayout, SeriesTags};
use super::pixel_data::is_native;
use super::sop_class::{CtOrMr, ObjectKind, object_kind};
use super::wanted as tags;
use crate::problem::{Problem, ProblemCode, Severity};

/// What all slices of a file share.
#[derive(Clone, Debug)]
pub(crate) struct FileInfo {
    /// Position in the list of files that was given to read.
    pub(crate) file: usize,
    pub(crate) study_instance_uid: String,
    pub(crate) patient_id: String,
    pub(crate) series_instance_uid: String,
    pub(crate) frame_of_reference_uid: String,
    pub(crate) sop_instance_uid: String,
    pub(crate) kind: CtOrMr,
    pub(crate) modality_missing: bool,
    pub(crate) transfer_syntax_uid: String,
    pub(crate) layout: PixelLayout,
    pub(crate) pixel_padding_value: Option<i32>,
    pub(crate) pixel_padding_range_limit: Option<i32>,
    pub(crate) lossy: bool,
    /// Why its pixels cannot be those of a volume, if so.
    pub(crate) layout_problem: Option<Problem>,
}

/// One slice.
#[derive(Clone, Debug)]
pub(crate) struct SliceRecord {
    pub(crate) info: Arc<FileInfo>,
    pub(crate) tags: Arc<SeriesTags>,
    pub(crate) source: FrameSource,
    /// LPS millimetres.
    pub(crate) position: Option<[f64; 3]>,
    /// Direction along a row, then along a column.
    pub(crate) orientation: Option<[f64; 6]>,
    /// Distance of rows, then of columns, mm.
    pub(crate) spacing: Option<[f64; 2]>,
    pub(crate) rescale_slope: f64,
    pub(crate) rescale_intercept: f64,
    /// Attributes that tell apart several volumes at the same places.
    pub(crate) keys: SplitKeys,
}

/// Attributes that tell apart several volumes at the same places.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SplitKeys {
    pub(crate) echo_number: Option<f64>,
    pub(crate) stack: Option<String>,
    pub(crate) temporal_position: Option<f64>,
    pub(crate) acquisition_number: Option<f64>,
    pub(crate) cardiac_phase: Option<f64>,
    pub(crate) trigger_time_ms: Option<f64>,
    pub(crate) instance_number: Option<f64>,
    pub(crate) acquisition_time: Option<String>,
    pub(crate) content_time: Option<String>,
    pub(crate) dimension_index: Vec<f64>,
}

/// What a readable DICOM file gave.
pub(crate) enum FileContent {
    /// Slices of CT or MR; the problem says that its pixels end early.
    Slices(Vec<SliceRecord>, Option<Problem>),
    /// Readable, but nothing to screen.
    NotAnImage(Problem),
    /// Should be an image and is not readable.
    Failed(Problem),
}

/// Turns the header of file number `file` (of `file_len` bytes) into slices or the reason why not.
pub(crate) fn slices_of(file: usize, path: &Path, file_len: u64, header: &Header) -> FileContent {
    let set = &header.data_set;
    let sop_class =
        set.uid(tags::SOP_CLASS_UID).or_else(|| header.media_storage_sop_class_uid.clone());
    let modality = set.text(tags::MODALITY);
    let kind = object_kind(sop_class.as_deref(), modality.as_deref());
    let failed = |code, sentence: String| {
        FileContent::Failed(Problem::new(code, Severity::Blocks, sentence).with_file(path))
    };
    let other = |code, sentence: &str| {
        FileContent::NotAnImage(Problem::new(code, Severity::Note, sentence).with_file(path))
    };
    if kind == ObjectKind::NotAnImage {
        return other(ProblemCode::NotAnImage, "a DICOM object that is no image");
    }
    if let Some(damage) = &header.damage {
        return failed(ProblemCode::DamagedHeader, format!("the header is damaged: {damage}"));
    }
    let Some(pixel) = header.pixel.filter(|pixel| pixel.length != Some(0)) else {
        return if header.private_pixel {
            failed(
                ProblemCode::PrivatePixelData,
                "the pixels stand only in a private, vendor-compressed element".to_owned(),
            )
        } else if matches!(kind, ObjectKind::Image(_)) || set.get(tags::ROWS).is_some() {
            failed(ProblemCode::NoPixelData, "an image object without pixel data".to_owned())
        } else {
            other(ProblemCode::NotAnImage, "a DICOM object without pixels")
        };
    };
    let layout = match layout(set) {
        Ok(layout) => layout,
        Err(what) => return failed(ProblemCode::ImpossibleSize, what),
    };
    let frames = number_of_frames(set);
    let mut truncated = None;
    if let Some(length) = pixel.length.filter(|_| is_native(&header.transfer_syntax_uid)) {
        let available = match header.deflated_at {
            Some(_) => length,
            None => length.min(file_len.saturating_sub(pixel.offset)),
        };
        let expected = layout.frame_bytes().saturating_mul(frames.into());
        let sentence = format!("the pixel data ends after {available} of {expected} bytes");
        if expected / 16 > available {
            return failed(ProblemCode::ImpossibleSize, sentence);
        }
        // Colour may be stored with fewer samples of chroma; it is not read anyway.
        if expected > available && layout.samples_per_pixel == 1 {
            truncated = Some(
                Problem::new(ProblemCode::PixelDataTruncated, Severity::Blocks, sentence)
                    .with_number("found_bytes", available as f64)
                    .with_number("expected_bytes", expected as f64)
                    .with_file(path),
            );
        }
    }
    let ObjectKind::Image(kind) = kind else {
        return match truncated {
            Some(problem) => FileContent::Failed(problem),
            None => other(ProblemCode::NotCtOrMr, "an image, but neither CT nor MR"),
        };
    };
    let padding = |tag| {
        let value = set.number(tag)?;
        (value.abs() <= f64::from(u16::MAX)).then_some(value as i32)
    };
    let info = Arc::new(FileInfo {
        file,
        study_instance_uid: set.uid(tags::STUDY_INSTANCE_UID).unwrap_or_default(),
        patient_id: set.text(tags::PATIENT_ID).unwrap_or_default(),
        series_instance_uid: set.uid(tags::SERIES_INSTANCE_UID).unwrap_or_default(),
        frame_of_reference_uid: set.uid(tags::FRAME_OF_REFERENCE_UID).unwrap_or_default(),
        sop_instance_uid: set.uid(tags::SOP_INSTANCE_UID).unwrap_or_default(),
        kind,
        modality_missing: modality.is_none(),
        transfer_syntax_uid: header.transfer_syntax_uid.clone(),
        layout,
        pixel_padding_value: padding(tags::PIXEL_PADDING_VALUE),
        pixel_padding_range_limit: padding(tags::PIXEL_PADDING_RANGE_LIMIT),
        lossy: set.text(tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01"),
        layout_problem: layout_problem(set, pixel.tag, layout),
    });
    let shared = set.items(tags::SHARED_FUNCTIONAL_GROUPS).first();
    let per_frame = set.items(tags::PER_FRAME_FUNCTIONAL_GROUPS);
    let base = series_tags(set, sop_class, modality, frames);
    let record = |frame: u32, own: Option<&DataSet>, placed: bool| {
        let view = FrameView { top: set, shared, own };
        slice_record(&view, &info, &base, FrameSource { path: path.to_owned(), frame }, placed)
    };
    let records = if per_frame.is_empty() {
        // Frames of a classic multi-frame object have one place for all: no volume. A functional
        // group object of one frame may keep everything in the shared groups.
        vec![record(0, None, frames == 1)]
    } else {
        (0..frames).zip(per_frame).map(|(frame, own)| record(frame, Some(own), true)).collect()
    };
    FileContent::Slices(records, truncated)
}

/// How the pixels of a file are stored and in how many frames, or why no codec can take them.
pub(crate) fn stored_layout(header: &Header) -> Result<(PixelLayout, u32), String> {
    let set = &header.data_set;
    if let Some(damage) = &header.damage {
        return Err(format!("the header is damaged: {damage}"));
    }
    let pixel = header.pixel.ok_or_else(|| "the file holds no pixel data".to_owned())?;
    let layout = layout(set)?;
    match bits_problem(pixel.tag, layout) {
        Some(sentence) => Err(sentence),
        None => Ok((layout, number_of_frames(set))),
    }
}

fn number_of_frames(set: &DataSet) -> u32 {
    match set.number(tags::NUMBER_OF_FRAMES) {
        Some(n) if n >= 1.0 && n <= f64::from(u32::MAX) => n as u32,
        _ => 1,
    }
}

impl PixelLayout {
    /// Bytes of one native frame.
    pub(crate) const fn frame_bytes(&self) -> u64 {
        let samples = self.rows as u64 * self.columns as u64 * self.samples_per_pixel as u64;
        (samples * self.bits_allocated as u64).div_ceil(8)
    }
}

fn layout(set: &DataSet) -> Result<PixelLayout, String> {
    let size = |tag: Tag, name: &str| match set.single_u16(tag) {
        Some(0) => Err(format!("{name} is 0")),
        Some(n) => Ok(n),
        None => Err(format!("{name} is missing or no number")),
    };
    let bits_allocated = size(tags::BITS_ALLOCATED, "BitsAllocated")?;
    if bits_allocated > 64 {
        return Err(format!("BitsAllocated is {bits_allocated}"));
    }
    let bits_stored = set.single_u16(tags::BITS_STORED).unwrap_or(bits_allocated);
    Ok(PixelLayout {
        rows: size(tags::ROWS, "Rows")?,
        columns: size(tags::COLUMNS, "Columns")?,
        bits_allocated,
        bits_stored,
        high_bit: set.single_u16(tags::HIGH_BIT).unwrap_or_else(|| bits_stored.saturating_sub(1)),
        signed: set.single_u16(tags::PIXEL_REPRESENTATION) == Some(1),
        samples_per_pixel: set.single_u16(tags::SAMPLES_PER_PIXEL).unwrap_or(1).max(1),
    })
}

/// Why pixels of this layout cannot be those of a volume.
fn layout_problem(set: &DataSet, pixel_tag: Tag, layout: PixelLayout) -> Option<Problem> {
    let sentence = if set
        .text(tags::PHOTOMETRIC_INTERPRETATION)
        .is_some_and(|photometric| photometric == "PALETTE COLOR")
    {
        "a colour image by palette".to_owned()
    } else if set.texts(tags::IMAGE_TYPE).iter().any(|v| v == "MOSAIC" || v == "VFRAME") {
        "a mosaic of many slices in one image".to_owned()
    } else {
        bits_problem(pixel_tag, layout)?
    };
    Some(Problem::new(ProblemCode::UnsupportedPixelLayout, Severity::Blocks, sentence))
}

/// Why no codec can take pixels of this layout.
fn bits_problem(pixel_tag: Tag, layout: PixelLayout) -> Option<String> {
    let PixelLayout { bits_allocated, bits_stored, high_bit, samples_per_pixel, .. } = layout;
    let sentence = if samples_per_pixel != 1 {
        format!("{samples_per_pixel} samples for each pixel: a colour image")
    } else if pixel_tag != Tag(0x7FE0_0010) {
        "pixels in floating point".to_owned()
    } else if !matches!(bits_allocated, 8 | 16) {
        format!("{bits_allocated} bits allocated for each pixel")
    } else if bits_stored == 0
        || bits_stored > bits_allocated
        || high_bit >= bits_allocated
        || high_bit + 1 < bits_stored
    {
        format!("{bits_stored} bits stored below bit {high_bit} of {bits_allocated}")
    } else {
        return None;
    };
    Some(sentence)
}

/// Looks a value up in the frame's own groups, then the shared ones, then the data set itself.
struct FrameView<'a> {
    top: &'a DataSet,
    shared: Option<&'a DataSet>,
    own: Option<&'a DataSet>,
}

impl FrameView<'_> {
    fn find<T>(&self, group: Tag, get: impl Fn(&DataSet) -> Option<T>) -> Option<T> {
        [self.own, self.shared]
            .into_iter()
            .flatten()
            .find_map(|set| set.items(group).first().and_then(&get))
            .or_else(|| get(self.top))
    }

    fn number(&self, group: Tag, tag: Tag) -> Option<f64> {
        self.find(group, |set| set.number(tag))
    }
}

fn slice_record(
    view: &FrameView<'_>,
    info: &Arc<FileInfo>,
    base: &Arc<SeriesTags>,
    source: FrameSource,
    placed: bool,
) -> SliceRecord {
    let top = view.top;
    let slope = view
        .number(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_SLOPE)
        .filter(|&slope| slope != 0.0);
    let intercept = view.number(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_INTERCEPT);
    let mut frame_tags = base.clone();
    if view.own.is_some() || view.shared.is_some() {
        apply_groups(view, Arc::make_mut(&mut frame_tags));
    }
    if frame_tags.rescale_present != (slope.is_some() && intercept.is_some()) {
        Arc::make_mut(&mut frame_tags).rescale_present = !frame_tags.rescale_present;
    }
    let content = tags::FRAME_CONTENT_SEQUENCE;
    SliceRecord {
        info: Arc::clone(info),
        tags: frame_tags,
        source,
        position: view
            .find(tags::PLANE_POSITION_SEQUENCE, |set| set.array(tags::IMAGE_POSITION_PATIENT))
            .filter(|_| placed),
        orientation: view
            .find(tags::PLANE_ORIENTATION_SEQUENCE, |set| {
                set.array(tags::IMAGE_ORIENTATION_PATIENT)
            })
            .filter(is_a_pair_of_directions),
        spacing: view
            .find(tags::PIXEL_MEASURES_SEQUENCE, |set| set.array(tags::PIXEL_SPACING))
            .filter(|spacing| spacing.iter().all(|&mm| mm > 0.0)),
        rescale_slope: slope.unwrap_or(1.0),
        rescale_intercept: intercept.unwrap_or(0.0),
        keys: SplitKeys {
            echo_number: top.number(tags::ECHO_NUMBERS),
            stack: view.find(content, |set| set.text(tags::STACK_ID)),
            temporal_position: view
                .number(content, tags::TEMPORAL_POSITION_INDEX)
                .or_else(|| top.number(tags::TEMPORAL_POSITION_IDENTIFIER)),
            acquisition_number: view
                .number(content, tags::FRAME_ACQUISITION_NUMBER)
                .or_else(|| top.number(tags::ACQUISITION_NUMBER)),
            cardiac_phase: top.number(tags::NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE),
            trigger_time_ms: top.number(tags::TRIGGER_TIME),
            instance_number: top.number(tags::INSTANCE_NUMBER),
            acquisition_time: top.text(tags::ACQUISITION_TIME),
            content_time: top.text(tags::CONTENT_TIME),
            dimension_index: view
                .find(content, |set| set.numbers(tags::DIMENSION_INDEX_VALUES))
                .unwrap_or_default(),
        },
    }
}

/// Two directions of length 1 at right angles, within what rounding to a few digits does.
fn is_a_pair_of_directions(v: &[f64; 6]) -> bool {
    let [a, b, c, d, e, f] = *v;
    let length = |x: f64, y: f64, z: f64| (x * x + y * y + z * z).sqrt();
    (length(a, b, c) - 1.0).abs() < 0.01
        && (length(d, e, f) - 1.0).abs() < 0.01
        && (a * d + b * e + c * f).abs() < 0.01
}

fn series_tags(
    set: &DataSet,
    sop_class_uid: Option<String>,
    modality: Option<String>,
    frames: u32,
) -> Arc<SeriesTags> {
    let text = |tag| set.text(tag);
    let number = |tag| set.number(tag);
    // Empty values of a list say nothing, but the place of ImageType's values matters.
    let list = |tag| set.texts(tag).into_iter().filter(|v| !v.is_empty()).collect::<Vec<_>>();
    Arc::new(SeriesTags {
        sop_class_uid,
        modality,
        image_type: set.texts(tags::IMAGE_TYPE),
        series_description: text(tags::SERIES_DESCRIPTION),
        protocol_name: text(tags::PROTOCOL_NAME),
        body_part_examined: text(tags::BODY_PART_EXAMINED),
        manufacturer: text(tags::MANUFACTURER),
        patient_position: text(tags::PATIENT_POSITION),
        photometric_interpretation: text(tags::PHOTOMETRIC_INTERPRETATION),
        convolution_kernel: text(tags::CONVOLUTION_KERNEL),
        kvp: number(tags::KVP),
        slice_thickness_mm: number(tags::SLICE_THICKNESS),
        spacing_between_slices_mm: number(tags::SPACING_BETWEEN_SLICES),
        contrast_bolus_agent: text(tags::CONTRAST_BOLUS_AGENT),
        rescale_type: text(tags::RESCALE_TYPE),
        rescale_present: number(tags::RESCALE_SLOPE).is_some_and(|slope| slope != 0.0)
            && number(tags::RESCALE_INTERCEPT).is_some(),
        scanning_sequence: list(tags::SCANNING_SEQUENCE),
        sequence_variant: list(tags::SEQUENCE_VARIANT),
        scan_options: list(tags::SCAN_OPTIONS),
        sequence_name: text(tags::SEQUENCE_NAME).or_else(|| text(tags::PULSE_SEQUENCE_NAME)),
        mr_acquisition_type: text(tags::MR_ACQUISITION_TYPE),
        repetition_time_ms: number(tags::REPETITION_TIME),
        echo_time_ms: number(tags::ECHO_TIME),
        inversion_time_ms: number(tags::INVERSION_TIME),
        flip_angle_deg: number(tags::FLIP_ANGLE),
        echo_train_length: number(tags::ECHO_TRAIN_LENGTH),
        magnetic_field_strength_t: number(tags::MAGNETIC_FIELD_STRENGTH),
        diffusion_b_value: number(tags::DIFFUSION_B_VALUE),
        acquisition_contrast: text(tags::ACQUISITION_CONTRAST),
        complex_image_component: text(tags::COMPLEX_IMAGE_COMPONENT),
        number_of_frames: frames,
    })
}

/// Overwrites tags by what the functional groups of a frame say (PS3.3 C.7.6.16, C.8.13, C.8.15).
fn apply_groups(view: &FrameView<'_>, to: &mut SeriesTags) {
    let replace = |slot: &mut Option<f64>, group: Tag, tag: Tag| {
        if let Some(value) = view.number(group, tag) {
            *slot = Some(value);
        }
    };
    let measures = tags::PIXEL_MEASURES_SEQUENCE;
    replace(&mut to.slice_thickness_mm, measures, tags::SLICE_THICKNESS);
    replace(&mut to.spacing_between_slices_mm, measures, tags::SPACING_BETWEEN_SLICES);
    replace(&mut to.kvp, tags::CT_X_RAY_DETAILS_SEQUENCE, tags::KVP);
    let timing = tags::MR_TIMING_SEQUENCE;
    replace(&mut to.repetition_time_ms, timing, tags::REPETITION_TIME);
    replace(&mut to.flip_angle_deg, timing, tags::FLIP_ANGLE);
    replace(&mut to.echo_train_length, timing, tags::ECHO_TRAIN_LENGTH);
    replace(&mut to.echo_train_length, timing, tags::RF_ECHO_TRAIN_LENGTH);
    replace(&mut to.echo_time_ms, tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME);
    replace(&mut to.inversion_time_ms, tags::MR_MODIFIER_SEQUENCE, tags::INVERSION_TIMES);
    replace(&mut to.diffusion_b_value, tags::MR_DIFFUSION_SEQUENCE, tags::DIFFUSION_B_VALUE);
    if let Some(kernel) =
        view.find(tags::CT_RECONSTRUCTION_SEQUENCE, |set| set.text(tags::CONVOLUTION_KERNEL))
    {
        to.convolution_kernel = Some(kernel);
    }
    if let Some(kind) =
        view.find(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, |set| set.text(tags::RESCALE_TYPE))
    {
        to.rescale_type = Some(kind);
    }
    for group in [tags::MR_FRAME_TYPE_SEQUENCE, tags::CT_FRAME_TYPE_SEQUENCE] {
        let frame_type = view.find(group, |set| Some(set.texts(tags::FRAME_TYPE)));
        if let Some(frame_type) = frame_type.filter(|values| !values.is_empty()) {
            to.image_type = frame_type;
        }
    }
    let mr = tags::MR_FRAME_TYPE_SEQUENCE;
    if let Some(component) = view.find(mr, |set| set.text(tags::COMPLEX_IMAGE_COMPONENT)) {
        to.complex_image_component = Some(component);
    }
    if let Some(contrast) = view.find(mr, |set| set.text(tags::ACQUISITION_CONTRAST)) {
        to.acquisition_contrast = Some(contrast);
    }
}
