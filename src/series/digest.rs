//! Digests of pixels and files, for what header values cannot tell apart.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::header::{DEFLATED, Header, Opened, read_header};
use super::pixel_data::frame_table;
use super::record::SliceRecord;
use super::source::{ByteSource, FileSource, InflateSource, MAX_INFLATED_HEADER};

/// SHA-256.
pub(crate) type Sha = [u8; 32];

/// Opens a DICOM file for its pixels: `work` sees the source in which the header's offsets count
/// (inflated where the data set is deflated, up to `pixel_bytes` beyond its header).
///
/// # Errors
/// When the file cannot be read or is no DICOM.
pub(crate) fn with_pixels<T>(
    path: &Path,
    pixel_bytes: u64,
    work: impl FnOnce(&mut dyn ByteSource, &Header) -> T,
) -> io::Result<T> {
    let mut file = FileSource::open(path)?;
    let Opened::Dicom(header) = read_header(&mut file)? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no DICOM file"));
    };
    match header.deflated_at {
        Some(at) if header.transfer_syntax_uid == DEFLATED => {
            let limit = MAX_INFLATED_HEADER.saturating_add(pixel_bytes);
            let mut inflate = InflateSource::new(&mut file, at, limit);
            Ok(work(&mut inflate, &header))
        }
        _ => Ok(work(&mut file, &header)),
    }
}

/// Digest of what a slice shows: its pixels as stored and how they become values.
///
/// A slice whose pixels cannot be read is told by its path-independent header values alone.
pub(crate) fn slice_digest(record: &SliceRecord) -> Sha {
    let layout = record.info.layout;
    let mut hash = Sha256::new();
    hash.update(record.info.transfer_syntax_uid.as_bytes());
    for n in [layout.rows, layout.columns, layout.bits_stored, layout.signed.into()] {
        hash.update(n.to_le_bytes());
    }
    hash.update(record.rescale_slope.to_le_bytes());
    hash.update(record.rescale_intercept.to_le_bytes());
    let frames = record.tags.number_of_frames.max(1);
    let frame_bytes = layout.frame_bytes();
    let pixels = with_pixels(
        &record.source.path,
        frame_bytes.saturating_mul(frames.into()),
        |source, header| {
            let mut buffer = Vec::new();
            let table = frame_table(source, header, frames).ok()?;
            table.read(source, record.source.frame, frame_bytes, &mut buffer).ok()?.ok()?;
            Some(buffer)
        },
    );
    if let Ok(Some(pixels)) = pixels {
        hash.update(&pixels);
    } else {
        hash.update(record.info.sop_instance_uid.as_bytes());
    }
    hash.finalize().into()
}

/// Digest of a whole file.
pub(crate) fn file_digest(path: &Path) -> io::Result<Sha> {
    let mut file = FileSource::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut at = 0;
    loop {
        let read = file.read_at(at, &mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        at += read as u64;
    }
}

/// The first 16 hex digits of a digest.
pub(crate) fn pseudonym(digest: &Sha) -> String {
    digest.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Pseudonym of a UID.
pub(crate) fn uid_pseudonym(uid: &str) -> String {
    pseudonym(&Sha256::digest(uid.as_bytes()).into())
}

/// Pseudonym of a set of slices, whatever their order.
pub(crate) fn content_pseudonym(digests: &mut [Sha]) -> String {
    digests.sort_unstable();
    let mut hash = Sha256::new();
    for digest in digests.iter() {
        hash.update(digest);
    }
    pseudonym(&hash.finalize().into())
}
