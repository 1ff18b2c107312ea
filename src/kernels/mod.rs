//! Image operations that know nothing of DICOM or medicine: arrays `[k, j, i]`, `i` fastest.

mod array3;
mod bit_mask;
mod bit_rows;
mod block_decisions;
mod components;
mod convolve;
mod distance;
mod distribution;
pub mod fft_2d;
pub mod gaussian_2d;
mod gaussian_above;
mod linear;
mod morphology;
mod nearest_owner;
pub mod plane;
mod profile;
mod resample;
mod resample_aligned;
mod sample_many;

pub use array3::{Array3, place_of};
pub use bit_mask::{BitMask, Ranks};
pub use bit_rows::bits_above;
pub use components::{Component, Connectivity, components, fill_holes_in_slices, keep_components};
pub use convolve::{
    Boundary, convolve_axis, convolve_axis_into, gaussian, gaussian_weights, uniform,
};
pub use distance::{distance_inside, distance_inside_into};
pub use distribution::{median, percentile};
pub use gaussian_above::{Blocks, gaussian_above};
pub use linear::solve;
pub use morphology::{Beyond, dilate, erode, erode_with_border, open};
pub use nearest_owner::nearest_owner;
pub use profile::{
    correlation, gaussian_profile, gaussian_profile_in_view, interpolate, linear_fit,
    longest_bridged_run, longest_run, median_profile, uniform_profile,
};
pub use resample::{resample_onto, trilinear, trilinear_where};
pub use sample_many::Samples;
