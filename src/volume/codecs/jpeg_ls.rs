//! JPEG-LS, lossless and near-lossless (ITU-T T.87): single-component images of 2 to 16 bits.
//!
//! Own decoder: the crate `pure_jpegls` 2.0 refuses about a third of the frames that dcmtk writes,
//! and dicom-rs has only `CharLS`, which needs cmake. Names are those of the recommendation.
//!
//! ```text
//! c b d    Each sample x is predicted from its neighbours a, b, c by the median edge detector,
//! a x      corrected by its context, which the differences d-b, b-c and c-a choose. Where all
//!          three are (nearly) zero, a run of equal samples is coded instead.
//! ```

#![allow(
    clippy::indexing_slicing,
    reason = "rows and contexts are arrays of our own, indexed by what was clamped to them; a panic is contained"
)]

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
    let scan = read_headers(bytes)?;
    if (scan.columns, scan.rows) != (layout.columns, layout.rows) {
        return Err(CodecError::WrongSize {
            found: format!("{} x {}", scan.columns, scan.rows),
            expected: format!("{} x {}", layout.columns, layout.rows),
        });
    }
    let data = bytes.get(scan.data_at..).unwrap_or_default();
    Decoder::new(&scan, data).decode(samples)
}

fn damaged(what: &str) -> CodecError {
    CodecError::Damaged(what.to_owned())
}

/// What the markers before the coded data say (T.87 annex C).
struct Scan {
    columns: u16,
    rows: u16,
    maxval: i32,
    near: i32,
    thresholds: [i32; 3],
    reset: i32,
    data_at: usize,
}

fn read_headers(bytes: &[u8]) -> Result<Scan, CodecError> {
    let byte = |at: usize| bytes.get(at).copied().ok_or_else(|| damaged("markers end early"));
    let word = |at: usize| -> Result<u16, CodecError> {
        Ok(u16::from_be_bytes([byte(at)?, byte(at + 1)?]))
    };
    if word(0)? != 0xFFD8 {
        return Err(damaged("no start of image"));
    }
    let mut at = 2;
    let mut frame: Option<(u8, u16, u16)> = None;
    let mut preset: Option<[u16; 5]> = None;
    loop {
        if byte(at)? != 0xFF {
            return Err(CodecError::Damaged(format!("no marker at byte {at}")));
        }
        // Any number of fill bytes may come before a marker.
        while byte(at + 1)? == 0xFF {
            at += 1;
        }
        let marker = byte(at + 1)?;
        let length = usize::from(word(at + 2)?);
        let body = at + 4;
        match marker {
            0xF7 => {
                if byte(body + 5)? != 1 {
                    return Err(damaged("more than one component"));
                }
                frame = Some((byte(body)?, word(body + 1)?, word(body + 3)?));
            }
            0xF8 => match byte(body)? {
                1 => {
                    let mut values = [0; 5];
                    for (n, value) in values.iter_mut().enumerate() {
                        *value = word(body + 1 + 2 * n)?;
                    }
                    preset = Some(values);
                }
                kind => return Err(CodecError::Damaged(format!("parameters of type {kind}"))),
            },
            0xDA => {
                let (precision, rows, columns) =
                    frame.ok_or_else(|| damaged("no frame header before the scan"))?;
                let near = byte(body + 3)?;
                let (interleave, transform) = (byte(body + 4)?, byte(body + 5)?);
                if byte(body)? != 1 || interleave != 0 || transform & 0x0F != 0 {
                    return Err(damaged("interleaved or shifted scan"));
                }
                return scan(precision, [rows, columns], near, preset, at + 2 + length);
            }
            0xDD => return Err(damaged("restart intervals")),
            // Comments and application data.
            0xE0..=0xEF | 0xFE => {}
            _ => return Err(CodecError::Damaged(format!("marker FF{marker:02X}"))),
        }
        at += 2 + length.max(2);
    }
}

/// Preset parameters, or their defaults where missing or 0 (T.87 C.2.4.1.1).
fn scan(
    precision: u8,
    [rows, columns]: [u16; 2],
    near: u8,
    preset: Option<[u16; 5]>,
    data_at: usize,
) -> Result<Scan, CodecError> {
    if !(2..=16).contains(&precision) {
        return Err(CodecError::Damaged(format!("precision of {precision} bits")));
    }
    let [maxval, t1, t2, t3, reset] = preset.unwrap_or_default().map(i32::from);
    let most = (1 << precision) - 1;
    let maxval = if maxval == 0 { most } else { maxval };
    let near = i32::from(near);
    if maxval > most || near > (maxval / 2).min(255) {
        return Err(damaged("MAXVAL or NEAR out of range"));
    }
    let clamp = |value: i32, low: i32| if value > maxval || value < low { low } else { value };
    let defaults = if maxval >= 128 {
        let factor = (maxval.min(4095) + 128) / 256;
        [factor + 2 + 3 * near, 4 * factor + 3 + 5 * near, 17 * factor + 4 + 7 * near]
    } else {
        let factor = 256 / (maxval + 1);
        [
            (3 / factor + 3 * near).max(2),
            (7 / factor + 5 * near).max(3),
            (21 / factor + 7 * near).max(4),
        ]
    };
    let default_t1 = clamp(defaults[0], near + 1);
    let t1 = if t1 == 0 { default_t1 } else { t1 };
    let default_t2 = clamp(defaults[1], t1);
    let t2 = if t2 == 0 { default_t2 } else { t2 };
    let default_t3 = clamp(defaults[2], t2);
    let t3 = if t3 == 0 { default_t3 } else { t3 };
    if !(near < t1 && t1 <= t2 && t2 <= t3 && t3 <= maxval) {
        return Err(damaged("thresholds out of order"));
    }
    let reset = if reset == 0 { 64 } else { reset };
    if reset < 3 {
        return Err(damaged("RESET out of range"));
    }
    Ok(Scan { columns, rows, maxval, near, thresholds: [t1, t2, t3], reset, data_at })
}

/// Orders of run lengths (T.87 table A.1... J).
const J: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];

#[derive(Clone, Copy)]
struct Context {
    a: i32,
    b: i32,
    c: i32,
    n: i32,
}

#[derive(Clone, Copy)]
struct RunContext {
    a: i32,
    n: i32,
    nn: i32,
}

struct Decoder<'a> {
    bits: BitReader<'a>,
    maxval: i32,
    near: i32,
    reset: i32,
    range: i32,
    qbpp: u32,
    limit: u32,
    columns: usize,
    /// Quantised gradient for each difference from -maxval to maxval.
    quantised: Vec<i8>,
    contexts: [Context; 365],
    run_contexts: [RunContext; 2],
    run_index: usize,
}

/// Bits that hold the numbers 0..count.
fn bits_for(count: i32) -> u32 {
    i32::BITS - (count - 1).leading_zeros()
}

impl<'a> Decoder<'a> {
    fn new(scan: &Scan, data: &'a [u8]) -> Self {
        let Scan { maxval, near, thresholds: [t1, t2, t3], reset, .. } = *scan;
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let bpp = bits_for(maxval + 1).max(2);
        let a = ((range + 32) / 64).max(2);
        let quantise = |d: i32| {
            let size = match d.abs() {
                d if d <= near => 0,
                d if d < t1 => 1,
                d if d < t2 => 2,
                d if d < t3 => 3,
                _ => 4,
            };
            if d < 0 { -size } else { size }
        };
        Self {
            bits: BitReader { data, at: 0, held: 0, count: 0, after_ff: false },
            maxval,
            near,
            reset,
            range,
            qbpp: bits_for(range),
            limit: 2 * (bpp + bpp.max(8)),
            columns: usize::from(scan.columns),
            quantised: (-maxval..=maxval).map(quantise).collect(),
            contexts: [Context { a, b: 0, c: 0, n: 1 }; 365],
            run_contexts: [RunContext { a, n: 1, nn: 0 }; 2],
            run_index: 0,
        }
    }

    fn decode(mut self, samples: &mut [u16]) -> Result<(), CodecError> {
        let columns = self.columns;
        // One sample of border on each side: [0] left, [columns + 1] right.
        let mut previous = vec![0; columns + 2];
        let mut current = vec![0; columns + 2];
        for row in samples.chunks_exact_mut(columns) {
            previous[columns + 1] = previous[columns];
            current[0] = previous[1];
            self.line(&previous, &mut current)?;
            for (sample, &value) in row.iter_mut().zip(&current[1..]) {
                *sample = value as u16;
            }
            std::mem::swap(&mut previous, &mut current);
        }
        Ok(())
    }

    fn line(&mut self, previous: &[i32], current: &mut [i32]) -> Result<(), CodecError> {
        let mut x = 1;
        while x <= self.columns {
            let (ra, rb, rc, rd) = (current[x - 1], previous[x], previous[x - 1], previous[x + 1]);
            let q1 = self.quantise(rd - rb);
            let q2 = self.quantise(rb - rc);
            let q3 = self.quantise(rc - ra);
            let q = 81 * q1 + 9 * q2 + q3;
            if q == 0 {
                x = self.run(previous, current, x)?;
            } else {
                current[x] = self.regular(q, ra, rb, rc)?;
                x += 1;
            }
        }
        Ok(())
    }

    fn quantise(&self, difference: i32) -> i32 {
        // Samples stay within 0..=maxval, so their differences within the table.
        i32::from(self.quantised[(difference + self.maxval) as usize])
    }

    /// A sample coded by its prediction error (T.87 A.4 to A.6).
    fn regular(&mut self, q: i32, ra: i32, rb: i32, rc: i32) -> Result<i32, CodecError> {
        let negative = q < 0;
        let context = &mut self.contexts[q.unsigned_abs() as usize];
        let predicted = if rc >= ra.max(rb) {
            ra.min(rb)
        } else if rc <= ra.min(rb) {
            ra.max(rb)
        } else {
            ra + rb - rc
        };
        let correction = if negative { -context.c } else { context.c };
        let predicted = (predicted + correction).clamp(0, self.maxval);
        let k = golomb_order(context.n, context.a)?;
        let mapped = self.bits.limited_golomb(k, self.limit, self.qbpp)?;
        let mut error = if mapped & 1 == 0 { mapped >> 1 } else { -((mapped + 1) >> 1) };
        if self.near == 0 && k == 0 && 2 * context.b <= -context.n {
            error = -error - 1;
        }
        let step = 2 * self.near + 1;
        context.a += error.abs();
        context.b += error * step;
        if context.n == self.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        if context.b <= -context.n {
            context.b = (context.b + context.n).max(1 - context.n);
            context.c = (context.c - 1).max(-128);
        } else if context.b > 0 {
            context.b = (context.b - context.n).min(0);
            context.c = (context.c + 1).min(127);
        }
        Ok(self.reconstruct(predicted, if negative { -error } else { error }))
    }

    /// A run of equal samples and the one that ends it (T.87 A.7); gives where the line goes on.
    fn run(
        &mut self,
        previous: &[i32],
        current: &mut [i32],
        start: usize,
    ) -> Result<usize, CodecError> {
        let ra = current[start - 1];
        let end = self.columns + 1;
        let mut x = start;
        loop {
            let order = J[self.run_index];
            if self.bits.bit()? {
                let whole = 1 << order;
                let length = whole.min(end - x);
                current[x..x + length].fill(ra);
                x += length;
                if length == whole {
                    self.run_index = (self.run_index + 1).min(31);
                }
                if x == end {
                    return Ok(x);
                }
            } else {
                let length = self.bits.take(order)? as usize;
                if length >= end - x {
                    return Err(damaged("a run goes beyond its line"));
                }
                current[x..x + length].fill(ra);
                x += length;
                break;
            }
        }
        let rb = previous[x];
        current[x] = self.run_interruption(ra, rb)?;
        self.run_index = self.run_index.saturating_sub(1);
        Ok(x + 1)
    }

    fn run_interruption(&mut self, ra: i32, rb: i32) -> Result<i32, CodecError> {
        let alike = (ra - rb).abs() <= self.near;
        let kind = i32::from(alike);
        let context = &mut self.run_contexts[usize::from(alike)];
        let k = golomb_order(context.n, context.a + if alike { context.n >> 1 } else { 0 })?;
        let limit = self.limit - J[self.run_index] - 1;
        let mapped = self.bits.limited_golomb(k, limit, self.qbpp)?;
        let folded = mapped + kind;
        let odd = folded & 1;
        let size = (folded + odd) >> 1;
        let negative = (k != 0 || 2 * context.nn >= context.n) == (odd == 1);
        let error = if negative { -size } else { size };
        context.nn += i32::from(error < 0);
        context.a += (mapped + 1 - kind) >> 1;
        if context.n == self.reset {
            context.a >>= 1;
            context.n >>= 1;
            context.nn >>= 1;
        }
        context.n += 1;
        Ok(if alike {
            self.reconstruct(ra, error)
        } else {
            self.reconstruct(rb, if ra > rb { -error } else { error })
        })
    }

    /// The sample by prediction and quantised error, brought back into its range.
    fn reconstruct(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut value = predicted + error * step;
        if value < -self.near {
            value += self.range * step;
        } else if value > self.maxval + self.near {
            value -= self.range * step;
        }
        value.clamp(0, self.maxval)
    }
}

/// The least k with n · 2^k >= a. Bounded: in a damaged stream sums may run away.
fn golomb_order(n: i32, a: i32) -> Result<u32, CodecError> {
    let mut k = 0;
    while n << k < a {
        k += 1;
        if k > 24 {
            return Err(damaged("prediction errors out of range"));
        }
    }
    Ok(k)
}

/// Reads bits, most significant first. Behind a byte FF one bit is stuffed; a marker ends the data.
struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    /// Bits read ahead, from the top.
    held: u64,
    count: u32,
    after_ff: bool,
}

impl BitReader<'_> {
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.data.get(self.at) else { return };
            if byte == 0xFF && self.data.get(self.at + 1).is_none_or(|next| next & 0x80 != 0) {
                return;
            }
            let width = if self.after_ff { 7 } else { 8 };
            // The stuffed bit is 0, so that the byte's value stands in its lower bits.
            self.held |= u64::from(byte) << (64 - width - self.count);
            self.count += width;
            self.after_ff = byte == 0xFF;
            self.at += 1;
        }
    }

    fn need(&mut self, bits: u32) -> Result<(), CodecError> {
        if self.count < bits {
            self.fill();
            if self.count < bits {
                return Err(CodecError::Truncated {
                    found: self.at as u64,
                    expected: self.at as u64 + 1,
                });
            }
        }
        Ok(())
    }

    fn take(&mut self, bits: u32) -> Result<i32, CodecError> {
        if bits == 0 {
            return Ok(0);
        }
        self.need(bits)?;
        let value = self.held >> (64 - bits);
        self.held <<= bits;
        self.count -= bits;
        Ok(value as i32)
    }

    fn bit(&mut self) -> Result<bool, CodecError> {
        Ok(self.take(1)? == 1)
    }

    /// A limited Golomb code (T.87 A.5.3): zeros count multiples of 2^k, up to the limit.
    fn limited_golomb(&mut self, k: u32, limit: u32, qbpp: u32) -> Result<i32, CodecError> {
        let longest = limit - qbpp - 1;
        let mut zeros = self.held.leading_zeros();
        if zeros >= self.count {
            self.fill();
            zeros = self.held.leading_zeros();
        }
        if zeros >= self.count {
            self.need(zeros.min(63) + 1)?;
        }
        if zeros > longest {
            return Err(damaged("a code longer than its limit"));
        }
        self.take(zeros + 1)?;
        if zeros < longest {
            Ok((zeros << k) as i32 + self.take(k)?)
        } else {
            Ok(self.take(qbpp)? + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_layout;
    use super::*;
    use proptest::prelude::*;

    /// The example of T.87 annex H.3: 4 x 4 samples of 8 bits.
    #[test]
    fn the_example_of_the_recommendation_decodes_to_its_samples() {
        let stream = [
            0xFF, 0xD8, 0xFF, 0xF7, 0x00, 0x0B, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11,
            0x00, 0xFF, 0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00,
            0x6C, 0x80, 0x20, 0x8E, 0x01, 0xC0, 0x00, 0x00, 0x57, 0x40, 0x00, 0x00, 0x6E, 0xE6,
            0x00, 0x00, 0x01, 0xBC, 0x18, 0x00, 0x00, 0x05, 0xD8, 0x00, 0x00, 0x91, 0x60, 0xFF,
            0xD9,
        ];
        let mut samples = [0; 16];
        let layout = PixelLayout { bits_allocated: 8, ..test_layout(4, 4, 8, false) };
        decode(&stream, layout, &mut samples).unwrap();
        let expected = [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];
        assert_eq!(samples, expected);
    }

    fn encoded(image: &[u16], columns: u16, rows: u16, precision: u8, near: u8) -> Vec<u8> {
        let mut options = jpegls::EncodeOptions::default();
        options.precision = Some(precision);
        options.near = near;
        let mut stream = Vec::new();
        jpegls::encode_with_options(image, columns.into(), rows.into(), &options, &mut stream)
            .unwrap();
        stream
    }

    proptest! {
        #[test]
        fn what_an_independent_encoder_wrote_comes_back(
            seed in proptest::collection::vec(0u16..4096, 24 * 20),
            flat in 0usize..400,
            near in 0u8..4,
        ) {
            let mut image = seed;
            // A flat part exercises the run mode.
            image[40..40 + flat].fill(1000);
            let stream = encoded(&image, 24, 20, 12, near);
            let mut samples = vec![0; image.len()];
            decode(&stream, test_layout(20, 24, 12, false), &mut samples).unwrap();
            for (sample, original) in samples.iter().zip(&image) {
                prop_assert!(sample.abs_diff(*original) <= near.into());
            }
        }

        #[test]
        fn damage_gives_an_error_or_other_samples_but_never_a_panic(
            at in 0usize..400, bit in 0u8..8, cut in 0usize..400,
        ) {
            let image: Vec<u16> = (0..256).map(|n| n * 37 % 4096).collect();
            let mut stream = encoded(&image, 16, 16, 12, 0);
            let at = at % stream.len();
            stream[at] ^= 1 << bit;
            stream.truncate(stream.len() - cut % stream.len() / 4);
            let mut samples = vec![0; image.len()];
            let _ = decode(&stream, test_layout(16, 16, 12, false), &mut samples);
        }
    }
}
