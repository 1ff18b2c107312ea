//! Stored values of single frames: the bytes of a file through the right codec.

use std::path::Path;

use super::codecs::{self, Codec};
use super::error::SliceFailure;
use crate::series::{
    ByteSource, FileSource, FrameTable, FrameTableError, PixelLayout, frame_table, is_native,
    stored_layout, with_pixels,
};

/// Buffers that a thread keeps between frames.
#[derive(Default)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
    pub(super) samples: Vec<u16>,
}

/// The stored values of all frames of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredValues {
    /// How they are stored.
    pub layout: PixelLayout,
    /// Number of frames.
    pub frames: u32,
    /// `[frame, row, column]`; signed values as two's complement of 16 bits.
    pub values: Vec<u16>,
}

/// What is read once from a file that holds many slices.
pub(super) struct Prepared {
    codec: &'static Codec,
    table: FrameTable,
}

/// Reads the frame table of a file with `frames` frames; `None` for a deflated one, whose offsets
/// do not count in the file itself.
pub(super) fn prepare(path: &Path, frames: u32) -> Result<Option<Prepared>, SliceFailure> {
    with_pixels(path, 0, |source, header| {
        if header.deflated_at.is_some() {
            return Ok(None);
        }
        let codec = codec_for(&header.transfer_syntax_uid)?;
        let table = frame_table(source, header, frames).map_err(from_table)?;
        Ok(Some(Prepared { codec, table }))
    })?
}

impl Prepared {
    /// Decodes frame `frame` of the file into `scratch.samples`.
    pub(super) fn decode_frame(
        &self,
        path: &Path,
        frame: u32,
        layout: PixelLayout,
        scratch: &mut Scratch,
    ) -> Result<(), SliceFailure> {
        let mut source = FileSource::open(path)?;
        read_and_decode(&mut source, self.codec, &self.table, frame, layout, scratch)
    }
}

/// Decodes frame `frame` of `frames` in the file at `path` into `scratch.samples`.
pub(super) fn decode_frame(
    path: &Path,
    frame: u32,
    frames: u32,
    layout: PixelLayout,
    scratch: &mut Scratch,
) -> Result<(), SliceFailure> {
    let all_bytes = layout.frame_bytes().saturating_mul(frames.into());
    with_pixels(path, all_bytes, |source, header| {
        let codec = codec_for(&header.transfer_syntax_uid)?;
        let table = frame_table(source, header, frames).map_err(from_table)?;
        read_and_decode(source, codec, &table, frame, layout, scratch)
    })?
}

fn read_and_decode(
    source: &mut dyn ByteSource,
    codec: &Codec,
    table: &FrameTable,
    frame: u32,
    layout: PixelLayout,
    scratch: &mut Scratch,
) -> Result<(), SliceFailure> {
    // A compressed frame that was written with a defined length is one stream.
    let frame_bytes = match table {
        FrameTable::Native { available, .. }
            if !codec.transfer_syntax_uids.iter().any(|uid| is_native(uid)) =>
        {
            *available
        }
        _ => layout.frame_bytes(),
    };
    table
        .read(source, frame, frame_bytes, &mut scratch.bytes)?
        .map_err(|t| SliceFailure::Truncated { found: t.found, expected: t.expected })?;
    decode(codec, layout, scratch)
}

fn decode(codec: &Codec, layout: PixelLayout, scratch: &mut Scratch) -> Result<(), SliceFailure> {
    let pixels = usize::from(layout.rows) * usize::from(layout.columns);
    scratch.samples.clear();
    scratch
        .samples
        .try_reserve_exact(pixels)
        .map_err(|error| SliceFailure::Unreadable(error.to_string()))?;
    scratch.samples.resize(pixels, 0);
    codec.stored_values(&scratch.bytes, layout, &mut scratch.samples)
}

fn codec_for(uid: &str) -> Result<&'static Codec, SliceFailure> {
    codecs::for_transfer_syntax(uid)
        .ok_or_else(|| SliceFailure::UnsupportedTransferSyntax { uid: uid.to_owned() })
}

impl From<std::io::Error> for SliceFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

fn from_table(error: FrameTableError) -> SliceFailure {
    match error {
        FrameTableError::Missing => SliceFailure::NoPixelData,
        FrameTableError::Float => {
            SliceFailure::UnsupportedLayout("pixels in floating point".to_owned())
        }
        FrameTableError::Io(error) => error.into(),
        other => SliceFailure::Decode { codec: "fragments", what: other.to_string() },
    }
}

/// Reads the stored values of all frames of one DICOM file, before any rescale. For checks of the
/// codecs: screening goes through [`super::load`].
///
/// # Errors
/// When a frame cannot be decoded, the pixels are not one sample of 8 or 16 bits, or all frames
/// together need more than `max_bytes`.
pub fn stored_values(path: &Path, max_bytes: u64) -> Result<StoredValues, SliceFailure> {
    let (layout, frames) = with_pixels(path, 0, |_, header| stored_layout(header))?
        .map_err(SliceFailure::UnsupportedLayout)?;
    let pixels = usize::from(layout.rows) * usize::from(layout.columns);
    let required = (pixels as u64).saturating_mul(u64::from(frames)).saturating_mul(2);
    if required > max_bytes {
        return Err(SliceFailure::UnsupportedLayout(format!(
            "{frames} frames need {required} bytes, {max_bytes} are allowed"
        )));
    }
    let mut scratch = Scratch::default();
    let mut values = Vec::new();
    for frame in 0..frames {
        decode_frame(path, frame, frames, layout, &mut scratch)?;
        values.try_reserve(pixels).map_err(|error| SliceFailure::Unreadable(error.to_string()))?;
        values.extend_from_slice(&scratch.samples);
    }
    Ok(StoredValues { layout, frames, values })
}
