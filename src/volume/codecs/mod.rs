//! One codec, one file. To add one: its file, a line in [`ALL`], a fixture.
//!
//! | codec | transfer syntaxes | decoder |
//! |---|---|---|
//! | native | implicit and explicit VR, deflated | own |
//! | RLE | RLE Lossless | own |
//! | JPEG | Baseline, Extended (8 bit), Lossless | crate `jpeg-decoder` |
//! | JPEG-LS | lossless, near-lossless | own |
//! | JPEG 2000 | lossless, lossy, High-Throughput | crate `jpeg2k` on `openjp2` |

mod jpeg;
mod jpeg2000;
mod jpeg_ls;
mod native;
mod rle;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::SliceFailure;
use crate::series::PixelLayout;

/// A decoder of single frames with one sample for each pixel.
#[derive(Debug)]
pub struct Codec {
    /// As it is listed in results.
    pub name: &'static str,
    /// Transfer syntaxes that it decodes.
    pub transfer_syntax_uids: &'static [&'static str],
    /// What stands in the bits that `BitsStored` leaves out.
    pub spare_bits: SpareBits,
    /// Decodes one frame.
    pub decode: DecodeFrame,
}

/// Decodes the bytes of one frame into its samples, row by row, each as it stands in the stream:
/// bits that `BitsStored` leaves out are dealt with afterwards.
pub type DecodeFrame = fn(&[u8], PixelLayout, &mut [u16]) -> Result<(), CodecError>;

/// What stands in the bits that `BitsStored` leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpareBits {
    /// Overlays or rubbish: only the `BitsStored` bits that end at `HighBit` count.
    Anything,
    /// What the encoder was given: unsigned values are kept as they are, signed ones are
    /// extended from `BitsStored`.
    Coded,
}

/// Why a codec gives no samples.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The data ends early.
    #[error("data ends after {found} of {expected} bytes")]
    Truncated {
        /// Bytes found.
        found: u64,
        /// Bytes that the image needs.
        expected: u64,
    },
    /// The stream's own size differs from the header's.
    #[error("the stream holds {found}, the header says {expected}")]
    WrongSize {
        /// In the stream.
        found: String,
        /// In the header.
        expected: String,
    },
    /// The stream cannot be decoded.
    #[error("{0}")]
    Damaged(String),
}

/// All codecs of this build, in the order in which results list them.
pub static ALL: &[&Codec] = &[
    &native::LITTLE_ENDIAN,
    &native::BIG_ENDIAN,
    &rle::RLE,
    &jpeg::JPEG,
    &jpeg_ls::JPEG_LS,
    &jpeg2000::JPEG_2000,
];

/// The codec for a transfer syntax.
pub fn for_transfer_syntax(uid: &str) -> Option<&'static Codec> {
    ALL.iter().copied().find(|codec| codec.transfer_syntax_uids.contains(&uid))
}

impl Codec {
    /// Decodes one frame into stored values: `samples[j · columns + i]`, signed ones as two's
    /// complement of 16 bits. A panic of the decoder is contained.
    ///
    /// # Errors
    /// When the frame cannot be decoded; `samples` then holds nothing of use.
    pub fn stored_values(
        &self,
        bytes: &[u8],
        layout: PixelLayout,
        samples: &mut [u16],
    ) -> Result<(), SliceFailure> {
        let decoded = catch_unwind(AssertUnwindSafe(|| (self.decode)(bytes, layout, samples)))
            .map_err(|_| SliceFailure::Panicked { codec: self.name })?;
        decoded.map_err(|error| match error {
            CodecError::Truncated { found, expected } => {
                SliceFailure::Truncated { found, expected }
            }
            other => SliceFailure::Decode { codec: self.name, what: other.to_string() },
        })?;
        drop_spare_bits(self.spare_bits, layout, samples);
        Ok(())
    }
}

/// Brings samples to the values that `BitsStored`, `HighBit` and `PixelRepresentation` mean.
fn drop_spare_bits(spare: SpareBits, layout: PixelLayout, samples: &mut [u16]) {
    let bits = u32::from(layout.bits_stored.clamp(1, 16));
    let unused = 16 - bits;
    let shift = match spare {
        SpareBits::Anything => {
            u32::from(layout.high_bit.saturating_sub(layout.bits_stored.saturating_sub(1))).min(15)
        }
        SpareBits::Coded => 0,
    };
    match (layout.signed, spare) {
        _ if unused == 0 && shift == 0 => {}
        (true, _) => {
            for sample in samples {
                *sample = (((*sample >> shift << unused) as i16) >> unused) as u16;
            }
        }
        (false, SpareBits::Anything) => {
            let mask = u16::MAX >> unused;
            for sample in samples {
                *sample = *sample >> shift & mask;
            }
        }
        (false, SpareBits::Coded) => {}
    }
}

#[cfg(test)]
pub(crate) fn test_layout(rows: u16, columns: u16, bits: u16, signed: bool) -> PixelLayout {
    PixelLayout {
        rows,
        columns,
        bits_allocated: 16,
        bits_stored: bits,
        high_bit: bits - 1,
        signed,
        samples_per_pixel: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_codecs_claim_one_transfer_syntax() {
        let mut uids: Vec<_> = ALL.iter().flat_map(|codec| codec.transfer_syntax_uids).collect();
        let all = uids.len();
        uids.sort();
        uids.dedup();
        assert_eq!(uids.len(), all);
    }

    #[test]
    fn overlay_bits_are_dropped_and_signs_extended() {
        let mut samples = [0xF801, 0x0FFF, 0x0800];
        drop_spare_bits(SpareBits::Anything, test_layout(1, 3, 12, true), &mut samples);
        assert_eq!(samples.map(|s| s as i16), [-2047, -1, -2048]);
        let mut samples = [0xF801, 0x0FFF];
        drop_spare_bits(SpareBits::Anything, test_layout(1, 2, 12, false), &mut samples);
        assert_eq!(samples, [0x0801, 0x0FFF]);
    }

    #[test]
    fn values_that_end_at_a_higher_bit_are_shifted_down() {
        let layout = PixelLayout { high_bit: 15, ..test_layout(1, 1, 12, false) };
        let mut samples = [0xABC7];
        drop_spare_bits(SpareBits::Anything, layout, &mut samples);
        assert_eq!(samples, [0xABC]);
    }

    #[test]
    fn unsigned_values_of_a_codec_stay_even_above_bits_stored() {
        let mut samples = [0x1001];
        drop_spare_bits(SpareBits::Coded, test_layout(1, 1, 12, false), &mut samples);
        assert_eq!(samples, [0x1001]);
    }
}
