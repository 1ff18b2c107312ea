//! JPEG-LS, lossless and near-lossless (ITU-T T.87).

use super::{Codec, CodecError, SpareBits};
use crate::series::PixelLayout;

/// JPEG-LS.
pub static JPEG_LS: Codec = Codec {
    name: "JPEG-LS",
    transfer_syntax_uids: &["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"],
    spare_bits: SpareBits::Coded,
    decode,
};

fn decode(bytes: &[u8], layout: PixelLayout, samples: &mut [u16]) -> Result<(), CodecError> {
    let (decoded, _, _) = jpegls::decode(bytes, layout.columns.into(), layout.rows.into())
        .map_err(|error| CodecError::Damaged(error.to_string()))?;
    if decoded.len() != samples.len() {
        return Err(CodecError::Truncated {
            found: decoded.len() as u64,
            expected: samples.len() as u64,
        });
    }
    samples.copy_from_slice(&decoded);
    Ok(())
}
