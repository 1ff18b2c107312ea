//! Which voxels of a slice are no tissue.

use super::load::Voxel;
use super::model::Validity;
use crate::kernels::BitMask;
use crate::series::Slice;

/// CT values below this are neither tissue nor air (-1000 HU, with noise).
const NO_AIR_HU: i16 = -1100;
/// Where 12 bit scanners with an intercept of -1024 end, whatever `BitsStored` says.
const TWELVE_BIT_END_HU: i16 = 3071;

/// The masks of one slice, one bit for each voxel; `None` where none is set.
pub(super) struct SliceMasks {
    len: usize,
    padding: Option<Vec<u64>>,
    outside_field_of_view: Option<Vec<u64>>,
    saturated: Option<Vec<u64>>,
}

impl SliceMasks {
    /// The masks of a slice that could not be decoded: all padding.
    pub(super) fn no_pixels(len: usize) -> Self {
        let padding = Some(vec![u64::MAX; len.div_ceil(64)]);
        Self { len, padding, outside_field_of_view: None, saturated: None }
    }

    /// Looks at the stored samples of a slice and the voxels made of them.
    ///
    /// Padding is compared before rescale and as 16 bits, as some writers give the tag without its
    /// sign. Outside the field of view lies what has the value of a corner, if no air is that
    /// dark: reconstruction fills the square around its circle with one value.
    pub(super) fn of<T: Voxel>(slice: &Slice, ct: bool, samples: &[u16], voxels: &[T]) -> Self {
        let len = samples.len();
        let signed = slice.layout.signed;
        let as_stored = |word: u16| if signed { i32::from(word as i16) } else { i32::from(word) };
        let padding = slice.pixel_padding_value.and_then(|value| {
            let one_end = as_stored(value as u16);
            let other_end =
                slice.pixel_padding_range_limit.map_or(one_end, |limit| as_stored(limit as u16));
            let (low, high) = (one_end.min(other_end), one_end.max(other_end));
            mask(samples, |word| (low..=high).contains(&as_stored(word)))
        });
        let columns = usize::from(slice.layout.columns);
        let corners: Vec<i16> =
            [0, columns.wrapping_sub(1), len.wrapping_sub(columns), len.wrapping_sub(1)]
                .iter()
                .filter_map(|&at| voxels.get(at)?.hu())
                .filter(|&hu| ct && hu < NO_AIR_HU)
                .collect();
        let mut outside_field_of_view = if corners.is_empty() {
            None
        } else {
            mask(voxels, |voxel| voxel.hu().is_some_and(|hu| corners.contains(&hu)))
        };
        // A voxel has one reason: padding comes first.
        if let (Some(outside), Some(padding)) = (&mut outside_field_of_view, &padding) {
            for (word, padding) in outside.iter_mut().zip(padding) {
                *word &= !padding;
            }
            if outside.iter().all(|&word| word == 0) {
                outside_field_of_view = None;
            }
        }
        let bits = u32::from(slice.layout.bits_stored.clamp(1, 16));
        let end = (1_i32 << (bits - u32::from(signed))) - 1;
        let twelve_bits = ct && slice.rescale_slope == 1.0 && slice.rescale_intercept == -1024.0;
        let saturated_from =
            if twelve_bits { end.min(i32::from(TWELVE_BIT_END_HU) + 1024) } else { end };
        let saturated = if twelve_bits && end > saturated_from {
            // A scanner with more bits goes on beyond; one that ends there has nothing above.
            let above = samples.iter().any(|&word| as_stored(word) > saturated_from);
            let from = if above { end } else { saturated_from };
            mask(samples, |word| as_stored(word) >= from)
        } else {
            mask(samples, |word| as_stored(word) >= saturated_from)
        };
        Self { len, padding, outside_field_of_view, saturated }
    }
}

fn mask<T: Copy>(values: &[T], in_set: impl Fn(T) -> bool) -> Option<Vec<u64>> {
    if !values.iter().any(|&value| in_set(value)) {
        return None;
    }
    let word = |chunk: &[T]| {
        chunk.iter().enumerate().fold(0, |bits, (n, &value)| bits | u64::from(in_set(value)) << n)
    };
    Some(values.chunks(64).map(word).collect())
}

/// Puts the masks of all slices together.
pub(super) fn merge(size: [usize; 3], slices: &[SliceMasks]) -> Validity {
    let together = |of: fn(&SliceMasks) -> Option<&Vec<u64>>| {
        let mut all: Option<BitMask> = None;
        let mut start = 0;
        for slice in slices {
            if let Some(words) = of(slice) {
                let mask = all.get_or_insert_with(|| BitMask::empty(size));
                for (w, &word) in words.iter().enumerate() {
                    let mut rest = word;
                    while rest != 0 {
                        let bit = 64 * w + rest.trailing_zeros() as usize;
                        rest &= rest - 1;
                        if bit < slice.len {
                            mask.insert(start + bit);
                        }
                    }
                }
            }
            start += slice.len;
        }
        all
    };
    Validity {
        padding: together(|slice| slice.padding.as_ref()),
        outside_field_of_view: together(|slice| slice.outside_field_of_view.as_ref()),
        saturated: together(|slice| slice.saturated.as_ref()),
    }
}
