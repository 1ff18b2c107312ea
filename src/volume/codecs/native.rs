//! Pixels as they are: 8 or 16 bits, little or big endian (PS3.5 section 8.1).

use super::{Codec, CodecError, SpareBits};
use crate::series::PixelLayout;

/// Implicit VR, explicit VR and deflated, little endian.
pub static LITTLE_ENDIAN: Codec = Codec {
    name: "native little endian",
    transfer_syntax_uids: &["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"],
    spare_bits: SpareBits::Anything,
    decode: |bytes, layout, samples| decode(bytes, layout, samples, u16::from_le_bytes),
};

/// Explicit VR, big endian (retired).
pub static BIG_ENDIAN: Codec = Codec {
    name: "native big endian",
    transfer_syntax_uids: &["1.2.840.10008.1.2.2"],
    spare_bits: SpareBits::Anything,
    decode: |bytes, layout, samples| decode(bytes, layout, samples, u16::from_be_bytes),
};

fn decode(
    bytes: &[u8],
    layout: PixelLayout,
    samples: &mut [u16],
    word: fn([u8; 2]) -> u16,
) -> Result<(), CodecError> {
    let expected = layout.frame_bytes();
    if (bytes.len() as u64) < expected {
        return Err(CodecError::Truncated { found: bytes.len() as u64, expected });
    }
    if layout.bits_allocated == 8 {
        for (sample, byte) in samples.iter_mut().zip(bytes) {
            *sample = u16::from(*byte);
        }
    } else {
        for (sample, pair) in samples.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *sample = word(*pair);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_layout;
    use super::*;

    #[test]
    fn byte_order_is_that_of_the_transfer_syntax() {
        let layout = test_layout(1, 2, 16, false);
        let mut samples = [0; 2];
        (LITTLE_ENDIAN.decode)(&[1, 2, 3, 4], layout, &mut samples).unwrap();
        assert_eq!(samples, [0x0201, 0x0403]);
        (BIG_ENDIAN.decode)(&[1, 2, 3, 4], layout, &mut samples).unwrap();
        assert_eq!(samples, [0x0102, 0x0304]);
    }

    #[test]
    fn a_frame_that_ends_early_is_refused() {
        let error = (LITTLE_ENDIAN.decode)(&[1, 2, 3], test_layout(1, 2, 16, false), &mut [0; 2]);
        assert_eq!(error, Err(CodecError::Truncated { found: 3, expected: 4 }));
    }
}
