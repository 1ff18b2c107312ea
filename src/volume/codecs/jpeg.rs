//! JPEG (ITU-T T.81): Baseline, Extended with 8 bits, and the lossless processes.

use jpeg_decoder::{Decoder, PixelFormat};

use super::{Codec, CodecError, SpareBits};
use crate::series::PixelLayout;

/// JPEG. Extended with 12 bits is refused: the crate does not decode it.
pub static JPEG: Codec = Codec {
    name: "JPEG baseline, extended 8 bit, lossless",
    transfer_syntax_uids: &[
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.70",
    ],
    spare_bits: SpareBits::Coded,
    decode,
};

fn decode(bytes: &[u8], layout: PixelLayout, samples: &mut [u16]) -> Result<(), CodecError> {
    let damaged = |error: jpeg_decoder::Error| CodecError::Damaged(error.to_string());
    let mut decoder = Decoder::new(bytes);
    decoder.read_info().map_err(damaged)?;
    let info = decoder.info().ok_or_else(|| CodecError::Damaged("no frame header".to_owned()))?;
    if (info.width, info.height) != (layout.columns, layout.rows) {
        return Err(CodecError::WrongSize {
            found: format!("{} x {}", info.width, info.height),
            expected: format!("{} x {}", layout.columns, layout.rows),
        });
    }
    let sixteen = match info.pixel_format {
        PixelFormat::L8 => false,
        PixelFormat::L16 => true,
        PixelFormat::RGB24 | PixelFormat::CMYK32 => {
            return Err(CodecError::Damaged("the stream is in colour".to_owned()));
        }
    };
    decoder.set_max_decoding_buffer_size(2 * samples.len());
    let decoded = decoder.decode().map_err(damaged)?;
    let expected = samples.len() * if sixteen { 2 } else { 1 };
    if decoded.len() != expected {
        return Err(CodecError::Truncated {
            found: decoded.len() as u64,
            expected: expected as u64,
        });
    }
    if sixteen {
        for (sample, pair) in samples.iter_mut().zip(decoded.as_chunks::<2>().0) {
            *sample = u16::from_ne_bytes(*pair);
        }
    } else {
        for (sample, byte) in samples.iter_mut().zip(&decoded) {
            *sample = u16::from(*byte);
        }
    }
    Ok(())
}
