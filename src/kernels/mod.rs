//! Image operations that know nothing of DICOM or medicine: arrays `[k, j, i]`, `i` fastest.

mod bit_mask;
pub mod fft_2d;
pub mod gaussian_2d;
pub mod plane;

pub use bit_mask::BitMask;
