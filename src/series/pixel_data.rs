//! Where each frame's bytes stand in a file. No pixel is decoded here.

use std::io;

use super::dataset::Tag;
use super::header::{DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, Header, IMPLICIT_LITTLE};
use super::source::{ByteSource, Window};
use super::walker::{Encoding, element_header};
use super::wanted::EXTENDED_OFFSET_TABLE;

/// The frames of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FrameTable {
    /// One behind the other, each of the same length.
    Native {
        /// Of the first frame.
        offset: u64,
        /// Bytes that the element has; may end inside a frame.
        available: u64,
    },
    /// Each frame in one or more fragments, `(offset, length)`.
    Encapsulated(Vec<Vec<(u64, u64)>>),
}

/// Why the frames of a file cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameTableError {
    #[error("there is no pixel data")]
    Missing,
    #[error("the pixel data is in floating point")]
    Float,
    #[error(
        "{fragments} fragments without an offset table cannot be told apart as {frames} frames"
    )]
    Ambiguous { fragments: usize, frames: u32 },
    #[error("the encapsulated pixel data is damaged at byte {at}")]
    Damaged { at: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whether pixels of a transfer syntax stand in the file as they are.
pub(crate) fn is_native(transfer_syntax_uid: &str) -> bool {
    [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED].contains(&transfer_syntax_uid)
}

/// Locates the `frames` frames of a file whose header was read from the same source.
pub(crate) fn frame_table(
    source: &mut dyn ByteSource,
    header: &Header,
    frames: u32,
) -> Result<FrameTable, FrameTableError> {
    let pixel = header.pixel.ok_or(FrameTableError::Missing)?;
    if pixel.tag != Tag(0x7FE0_0010) {
        return Err(FrameTableError::Float);
    }
    if pixel.length == Some(0) {
        return Err(FrameTableError::Missing);
    }
    match pixel.length {
        Some(length) => {
            let left = source.known_len().map_or(length, |len| len.saturating_sub(pixel.offset));
            Ok(FrameTable::Native { offset: pixel.offset, available: length.min(left) })
        }
        None => encapsulated(&mut Window::new(source), header, pixel.offset, frames),
    }
}

/// Reads the items of encapsulated pixel data (PS3.5 section A.4).
fn encapsulated(
    window: &mut Window<'_>,
    header: &Header,
    offset: u64,
    frames: u32,
) -> Result<FrameTable, FrameTableError> {
    let len = window.known_len().unwrap_or(u64::MAX);
    let mut at = offset;
    let mut items: Vec<(u64, u64)> = Vec::new();
    loop {
        let head = element_header(window, at, Encoding::ExplicitLittle)
            .map_err(|_| FrameTableError::Damaged { at })?;
        // A missing end is forgiven: what matters is whether each frame is whole.
        let Some(head) = head.filter(|head| head.tag == Tag(0xFFFE_E000)) else { break };
        let length = u64::from(head.length);
        if head.length == u32::MAX {
            return Err(FrameTableError::Damaged { at });
        }
        // A fragment that is cut off keeps its length, so that reading it tells.
        items.push((head.value_at, length));
        if length >= len.saturating_sub(head.value_at) {
            break;
        }
        at = head.value_at + length;
    }
    let Some((&(table_at, table_length), fragments)) = items.split_first() else {
        return Err(FrameTableError::Damaged { at: offset });
    };
    if fragments.is_empty() {
        return Err(FrameTableError::Missing);
    }
    let count = frames as usize;
    if count == 1 {
        return Ok(FrameTable::Encapsulated(vec![fragments.to_vec()]));
    }
    let mut starts = header.data_set.offsets(EXTENDED_OFFSET_TABLE);
    if starts.len() != count && table_length == 4 * u64::from(frames) {
        let table = window.bytes(table_at, 4 * count)?;
        starts = table
            .chunks_exact(4)
            .filter_map(|c| c.try_into().ok())
            .map(|c| u64::from(u32::from_le_bytes(c)))
            .collect();
    }
    if starts.len() == count {
        // Offsets count from the item header of the first fragment.
        let zero = table_at + table_length;
        if let Some(by_table) =
            by_starts(fragments, count, |fragment, _| starts.contains(&(fragment.0 - 8 - zero)))
        {
            return Ok(by_table);
        }
    }
    if fragments.len() == count {
        return Ok(FrameTable::Encapsulated(fragments.iter().map(|&f| vec![f]).collect()));
    }
    // Without a table, a frame begins where a code stream begins: SOI of JPEG and JPEG-LS, SOC
    // of JPEG 2000, or a JP2 signature box.
    let mut begins = Vec::with_capacity(fragments.len());
    for &(at, _) in fragments {
        let head = window.bytes(at, 8)?;
        begins.push(
            head.starts_with(&[0xFF, 0xD8])
                || head.starts_with(&[0xFF, 0x4F, 0xFF, 0x51])
                || head.starts_with(&[0, 0, 0, 12, b'j', b'P']),
        );
    }
    by_starts(fragments, count, |_, n| begins.get(n).copied().unwrap_or(false))
        .ok_or(FrameTableError::Ambiguous { fragments: fragments.len(), frames })
}

/// Groups fragments into frames, each beginning where `begins` says; `None` unless that gives
/// `count` frames from the first fragment on.
fn by_starts(
    fragments: &[(u64, u64)],
    count: usize,
    begins: impl Fn(&(u64, u64), usize) -> bool,
) -> Option<FrameTable> {
    let mut frames: Vec<Vec<(u64, u64)>> = Vec::new();
    for (n, fragment) in fragments.iter().enumerate() {
        if begins(fragment, n) {
            frames.push(vec![*fragment]);
        } else {
            frames.last_mut()?.push(*fragment);
        }
    }
    (frames.len() == count).then_some(FrameTable::Encapsulated(frames))
}

/// Bytes of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truncated {
    pub(crate) found: u64,
    pub(crate) expected: u64,
}

impl FrameTable {
    /// Reads the bytes of frame `frame` into `buffer`; native frames are `frame_bytes` long.
    /// Fewer bytes than that, or a missing frame, are told as [`Truncated`].
    pub(crate) fn read(
        &self,
        source: &mut dyn ByteSource,
        frame: u32,
        frame_bytes: u64,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Result<(), Truncated>> {
        buffer.clear();
        let one;
        let (fragments, expected): (&[(u64, u64)], u64) = match self {
            Self::Native { offset, available } => {
                let from = u64::from(frame).saturating_mul(frame_bytes);
                let left = available.saturating_sub(from).min(frame_bytes);
                if left < frame_bytes {
                    return Ok(Err(Truncated { found: left, expected: frame_bytes }));
                }
                one = [(offset + from, frame_bytes)];
                (&one, frame_bytes)
            }
            Self::Encapsulated(frames) => match frames.get(frame as usize) {
                Some(fragments) => (fragments, fragments.iter().map(|f| f.1).sum()),
                None => return Ok(Err(Truncated { found: 0, expected: 1 })),
            },
        };
        // What a file claims is believed only as far as the file goes.
        let last = fragments.last().map_or(0, |&(at, length)| at.saturating_add(length));
        if let Some(len) = source.known_len().filter(|&len| last > len) {
            let found = expected.saturating_sub(last - len);
            return Ok(Err(Truncated { found, expected }));
        }
        // No codec makes a frame several times larger than it is uncompressed.
        if expected > frame_bytes.saturating_mul(4).saturating_add(1 << 20) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("one frame of {frame_bytes} bytes is coded in {expected}"),
            ));
        }
        let total = usize::try_from(expected).map_err(|_| io::ErrorKind::OutOfMemory)?;
        buffer.try_reserve_exact(total).map_err(|_| io::ErrorKind::OutOfMemory)?;
        for &(at, length) in fragments {
            let start = buffer.len();
            let wanted = start + usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
            buffer.resize(wanted, 0);
            let read = source.read_at(at, buffer.get_mut(start..).unwrap_or_default())?;
            if start + read < wanted {
                let found = (start + read) as u64;
                return Ok(Err(Truncated { found, expected }));
            }
        }
        Ok(Ok(()))
    }
}
