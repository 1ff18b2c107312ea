//! JPEG 2000 and High-Throughput JPEG 2000 (ITU-T T.800, T.814).

use jpeg2k::{DecodeParameters, Image};

use super::{Codec, CodecError, SpareBits};
use crate::series::PixelLayout;

/// JPEG 2000, by `OpenJPEG`'s translation to Rust.
pub static JPEG_2000: Codec = Codec {
    name: "JPEG 2000, HTJ2K",
    transfer_syntax_uids: &[
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91",
        "1.2.840.10008.1.2.4.201",
        "1.2.840.10008.1.2.4.202",
        "1.2.840.10008.1.2.4.203",
    ],
    spare_bits: SpareBits::Coded,
    decode,
};

fn decode(bytes: &[u8], layout: PixelLayout, samples: &mut [u16]) -> Result<(), CodecError> {
    let (columns, rows) = (u32::from(layout.columns), u32::from(layout.rows));
    // Checked before the decoder sees it: it allocates what the stream claims.
    let size = stream_size(bytes)
        .ok_or_else(|| CodecError::Damaged("no JPEG 2000 code stream".to_owned()))?;
    if size != (columns, rows) {
        return Err(CodecError::WrongSize {
            found: format!("{} x {}", size.0, size.1),
            expected: format!("{columns} x {rows}"),
        });
    }
    // Strict: a stream that ends early would otherwise come out blurred, without an error.
    let image = Image::from_bytes_with(bytes, DecodeParameters::new().strict(true))
        .map_err(|error| CodecError::Damaged(error.to_string()))?;
    let [component] = image.components() else {
        return Err(CodecError::Damaged("the stream is in colour".to_owned()));
    };
    let data = component.data();
    if (component.width(), component.height()) != (columns, rows) || data.len() != samples.len() {
        return Err(CodecError::WrongSize {
            found: format!("{} x {}", component.width(), component.height()),
            expected: format!("{columns} x {rows}"),
        });
    }
    for (sample, value) in samples.iter_mut().zip(data) {
        // Two's complement: the data set's PixelRepresentation decides what it means.
        *sample = *value as u16;
    }
    Ok(())
}

/// Width and height by the SIZ marker, which follows SOC at once (T.800 A.5.1); the code stream
/// may be wrapped in a JP2 file.
fn stream_size(bytes: &[u8]) -> Option<(u32, u32)> {
    const SOC_SIZ: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
    let start = bytes.windows(4).take(1 << 12).position(|four| four == SOC_SIZ)?;
    let field = |n: usize| -> Option<u32> {
        // Behind the markers: Lsiz and Rsiz, two bytes each, then fields of four bytes.
        let at = start + 8 + 4 * n;
        Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    Some((field(0)?.checked_sub(field(2)?)?, field(1)?.checked_sub(field(3)?)?))
}

#[cfg(test)]
mod tests {
    use super::super::test_layout;
    use super::*;

    #[test]
    fn a_stream_that_claims_another_size_is_refused_before_it_is_decoded() {
        let mut stream = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
        for field in [1_000_000_u32, 1_000_000, 0, 0] {
            stream.extend(field.to_be_bytes());
        }
        let error = decode(&stream, test_layout(2, 2, 16, false), &mut [0; 4]).unwrap_err();
        assert!(matches!(error, CodecError::WrongSize { .. }), "{error}");
    }
}
