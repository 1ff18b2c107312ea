//! RLE Lossless (PS3.5 annex G): `PackBits` over byte planes, most significant plane first.
//!
//! ```text
//! number of segments | 15 offsets | segment: high bytes | segment: low bytes
//!        u32            15 x u32
//! ```

use super::{Codec, CodecError, SpareBits};
use crate::series::PixelLayout;

/// RLE Lossless. Own code: it is short, and dicom-pixeldata panics on one fragmented file.
pub static RLE: Codec = Codec {
    name: "RLE lossless",
    transfer_syntax_uids: &["1.2.840.10008.1.2.5"],
    spare_bits: SpareBits::Anything,
    decode,
};

const HEADER: usize = 64;

fn decode(bytes: &[u8], layout: PixelLayout, samples: &mut [u16]) -> Result<(), CodecError> {
    let word = |n: usize| -> Option<usize> {
        let four: [u8; 4] = bytes.get(4 * n..4 * n + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let expected = usize::from(layout.bits_allocated / 8);
    let segments = word(0)
        .filter(|_| bytes.len() >= HEADER)
        .ok_or(CodecError::Truncated { found: bytes.len() as u64, expected: HEADER as u64 })?;
    if segments != expected {
        return Err(CodecError::WrongSize {
            found: format!("{segments} byte planes"),
            expected: format!("{expected}"),
        });
    }
    let mut plane = vec![0; samples.len()];
    for n in 0..segments {
        let start = word(n + 1).unwrap_or(usize::MAX);
        // Each segment ends where the next begins; the last with the frame.
        let end = if n + 1 < segments { word(n + 2).unwrap_or(usize::MAX) } else { bytes.len() };
        let segment = bytes.get(start..end).filter(|_| start >= HEADER).ok_or_else(|| {
            CodecError::Damaged(format!(
                "segment {} from byte {start} to {end} of {}",
                n + 1,
                bytes.len()
            ))
        })?;
        let found = unpack(segment, &mut plane);
        if found < plane.len() {
            let (found, expected) = (found as u64, plane.len() as u64);
            return Err(CodecError::Truncated { found, expected });
        }
        if n == 0 {
            for (sample, byte) in samples.iter_mut().zip(&plane) {
                *sample = u16::from(*byte);
            }
        } else {
            for (sample, byte) in samples.iter_mut().zip(&plane) {
                *sample = *sample << 8 | u16::from(*byte);
            }
        }
    }
    Ok(())
}

/// `PackBits`: a count of 0..=127 copies that many bytes and one more, 129..=255 repeats the next
/// byte 257 minus count times, 128 says nothing. Gives the number of bytes written.
fn unpack(segment: &[u8], plane: &mut [u8]) -> usize {
    let (mut from, mut to) = (0, 0);
    while to < plane.len() {
        let Some(&count) = segment.get(from) else { break };
        from += 1;
        let count = usize::from(count);
        if count < 128 {
            let length = (count + 1).min(plane.len() - to);
            let (Some(source), Some(target)) =
                (segment.get(from..from + length), plane.get_mut(to..to + length))
            else {
                break;
            };
            target.copy_from_slice(source);
            from += count + 1;
            to += length;
        } else if count > 128 {
            let Some(&value) = segment.get(from) else { break };
            let end = (to + 257 - count).min(plane.len());
            if let Some(run) = plane.get_mut(to..end) {
                run.fill(value);
            }
            from += 1;
            to = end;
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::super::test_layout;
    use super::*;

    /// Two planes of three bytes: a run of high bytes, literal low bytes.
    fn frame() -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[0] = 2;
        bytes[4] = 64;
        bytes[8] = 66;
        bytes.extend([254, 0x12, 2, 1, 2, 3]);
        bytes
    }

    #[test]
    fn planes_are_put_together_high_byte_first() {
        let mut samples = [0; 3];
        decode(&frame(), test_layout(1, 3, 16, false), &mut samples).unwrap();
        assert_eq!(samples, [0x1201, 0x1202, 0x1203]);
    }

    #[test]
    fn a_frame_cut_anywhere_is_refused_and_never_panics() {
        let whole = frame();
        for cut in 0..whole.len() {
            let mut samples = [0; 3];
            let result = decode(&whole[..cut], test_layout(1, 3, 16, false), &mut samples);
            assert!(result.is_err(), "cut at {cut}");
        }
    }
}
