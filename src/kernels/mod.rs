//! Image operations that know nothing of DICOM or medicine: arrays `[k, j, i]`, `i` fastest.

mod bit_mask;

pub use bit_mask::BitMask;
