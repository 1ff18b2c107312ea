//! From a series to its volume: frames decoded in parallel, each rescaled into its place.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::error::{SliceFailure, VolumeError};
use super::model::{Image, MrVoxels, Validity, Volume};
use super::stored::{Prepared, Scratch, decode_frame, prepare};
use super::validity::{SliceMasks, merge};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::series::{CtOrMr, Series, Slice, ct_or_mr};

/// Bounds of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadLimits {
    /// Bytes that the volume with its masks and buffers may take.
    pub max_bytes: u64,
}

/// A loaded series.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The voxels.
    pub image: Image,
    /// What was found while loading.
    pub problems: Vec<Problem>,
    /// Slices (`k`) without pixels; their voxels are masked as padding.
    pub failed_slices: Vec<usize>,
}

/// CT value of a slice without pixels, HU: air, for whoever forgets to ask the mask.
const NO_PIXELS_HU: i16 = -1024;
/// A CT without rescale is believed to be in HU when its lowest value is below this: air is.
const AIR_BELOW_HU: i16 = -900;

/// CT or MR, by SOP class, else Modality.
fn kind_of(series: &Series) -> CtOrMr {
    ct_or_mr(&series.tags).unwrap_or(CtOrMr::Mr)
}

/// How the voxels are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    Hounsfield,
    MrSigned,
    MrUnsigned,
    MrRescaled,
}

fn storage_of(series: &Series) -> Storage {
    if kind_of(series) == CtOrMr::Ct {
        return Storage::Hounsfield;
    }
    let same = series.slices.first().is_some_and(|first| {
        series.slices.iter().all(|slice| {
            slice.rescale_slope == first.rescale_slope
                && slice.rescale_intercept == first.rescale_intercept
                && slice.layout.signed == first.layout.signed
        })
    });
    match series.slices.first() {
        Some(first) if same && first.layout.signed => Storage::MrSigned,
        Some(_) if same => Storage::MrUnsigned,
        _ => Storage::MrRescaled,
    }
}

/// Bytes that loading a series takes at its peak: voxels, three masks, and the buffers of each
/// thread.
pub fn required_bytes(series: &Series) -> u64 {
    let [ni, nj, nk] = series.grid.size().map(|n| n as u64);
    let slice = ni.saturating_mul(nj);
    let voxels = slice.saturating_mul(nk);
    let voxel_bytes = if storage_of(series) == Storage::MrRescaled { 4 } else { 2 };
    // Masks are collected slice by slice and then put together: twice an eighth of a byte each.
    let masks = voxels / 8 * 6;
    // Encoded bytes and samples, and what a codec holds beside them (JPEG 2000: 32 bit samples
    // twice), for each thread.
    let buffers = slice.saturating_mul(14).saturating_mul(rayon::current_num_threads() as u64);
    voxels.saturating_mul(voxel_bytes).saturating_add(masks).saturating_add(buffers)
}

/// Loads a series.
///
/// A slice that cannot be decoded is masked as padding and reported, the others stay.
///
/// # Errors
/// When the headers rule a volume out, memory does not suffice, fewer than half of the slices can
/// be decoded, or CT values are not in Hounsfield units.
pub fn load(series: &Series, limits: &LoadLimits) -> Result<Loaded, VolumeError> {
    if let Some(problem) = &series.not_a_volume {
        return Err(VolumeError::NotAVolume {
            series: series.id.clone(),
            problem: problem.clone(),
        });
    }
    let required_bytes = required_bytes(series);
    if required_bytes > limits.max_bytes {
        return Err(VolumeError::MemoryLimit {
            series: series.id.clone(),
            required_bytes,
            max_bytes: limits.max_bytes,
        });
    }
    let mut problems = Vec::new();
    match storage_of(series) {
        Storage::Hounsfield => {
            let decoded = decode(series, NO_PIXELS_HU, hounsfield_units)?;
            problems.extend(rescale_problems(series, &decoded)?);
            let image = Volume {
                grid: series.grid.clone(),
                voxels: decoded.voxels,
                validity: decoded.validity,
            };
            Ok(finish(Image::Ct(image), problems, series, decoded.failures))
        }
        Storage::MrSigned => {
            let decoded = decode(series, 0, |_, samples, out| {
                for (voxel, &word) in out.iter_mut().zip(samples) {
                    *voxel = word as i16;
                }
            })?;
            Ok(finish_mr(
                MrVoxels::Signed(decoded.voxels),
                decoded.validity,
                problems,
                series,
                decoded.failures,
            ))
        }
        Storage::MrUnsigned => {
            let decoded = decode(series, 0, |_, samples, out| out.copy_from_slice(samples))?;
            Ok(finish_mr(
                MrVoxels::Unsigned(decoded.voxels),
                decoded.validity,
                problems,
                series,
                decoded.failures,
            ))
        }
        Storage::MrRescaled => {
            let decoded = decode(series, 0.0, |slice, samples, out| {
                for (voxel, &word) in out.iter_mut().zip(samples) {
                    let value = f64::from(stored(slice, word));
                    *voxel = (value * slice.rescale_slope + slice.rescale_intercept) as f32;
                }
            })?;
            problems.push(rescale_varies(series, Severity::Note));
            Ok(finish_mr(
                MrVoxels::Rescaled(decoded.voxels),
                decoded.validity,
                problems,
                series,
                decoded.failures,
            ))
        }
    }
}

/// The stored value that a word of 16 bits means.
fn stored(slice: &Slice, word: u16) -> i32 {
    if slice.layout.signed { i32::from(word as i16) } else { i32::from(word) }
}

/// Hounsfield units of a slice's samples, rounded half to even and kept within 16 bits.
fn hounsfield_units(slice: &Slice, samples: &[u16], out: &mut [i16]) {
    let (slope, intercept) = (slice.rescale_slope, slice.rescale_intercept);
    let is_whole = |v: f64, most: f64| v.fract() == 0.0 && v.abs() <= most;
    let pairs = out.iter_mut().zip(samples);
    if is_whole(slope, 1000.0) && is_whole(intercept, 1e6) {
        // Nearly every scanner: whole numbers, which the processor does eight at a time.
        let (slope, intercept) = (slope as i32, intercept as i32);
        let hu = |value: i32| {
            (value * slope + intercept).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
        };
        if slice.layout.signed {
            pairs.for_each(|(voxel, &word)| *voxel = hu(i32::from(word as i16)));
        } else {
            pairs.for_each(|(voxel, &word)| *voxel = hu(i32::from(word)));
        }
        return;
    }
    for (voxel, &word) in pairs {
        let hu = f64::from(stored(slice, word)) * slope + intercept;
        // A cast from f64 saturates.
        *voxel = hu.round_ties_even() as i16;
    }
}

/// A voxel type that the masks can look at.
pub(super) trait Voxel: Copy + Default + Send + Sync {
    /// The value in Hounsfield units, for CT.
    fn hu(self) -> Option<i16>;
}

impl Voxel for i16 {
    fn hu(self) -> Option<i16> {
        Some(self)
    }
}

impl Voxel for u16 {
    fn hu(self) -> Option<i16> {
        None
    }
}

impl Voxel for f32 {
    fn hu(self) -> Option<i16> {
        None
    }
}

struct Decoded<T> {
    voxels: Vec<T>,
    validity: Validity,
    failures: BTreeMap<usize, SliceFailure>,
}

/// Decodes all slices; `convert` turns the samples of a slice into its voxels.
fn decode<T: Voxel>(
    series: &Series,
    without_pixels: T,
    convert: impl Fn(&Slice, &[u16], &mut [T]) + Sync,
) -> Result<Decoded<T>, VolumeError> {
    let [ni, nj, nk] = series.grid.size();
    let slice_len = ni * nj;
    let mut voxels = zeroed::<T>(slice_len * nk).ok_or_else(|| VolumeError::MemoryLimit {
        series: series.id.clone(),
        required_bytes: required_bytes(series),
        max_bytes: u64::MAX,
    })?;
    let ct = kind_of(series) == CtOrMr::Ct;
    let prepared = prepare_files_of_many_slices(series);
    let results: Vec<Result<SliceMasks, SliceFailure>> = voxels
        .par_chunks_mut(slice_len.max(1))
        .zip(series.slices.par_iter())
        .map_init(Scratch::default, |scratch, (out, slice)| {
            let (path, frame) = (&slice.source.path, slice.source.frame);
            let decoded = match prepared.get(path.as_path()) {
                Some(file) => file.decode_frame(path, frame, slice.layout, scratch),
                None => decode_frame(path, frame, frames_of(series, slice), slice.layout, scratch),
            };
            match decoded {
                Ok(()) => {
                    convert(slice, &scratch.samples, out);
                    Ok(SliceMasks::of(slice, ct, &scratch.samples, out))
                }
                Err(failure) => {
                    out.fill(without_pixels);
                    Err(failure)
                }
            }
        })
        .collect();
    let mut masks = Vec::with_capacity(results.len());
    let mut failures = BTreeMap::new();
    for (k, result) in results.into_iter().enumerate() {
        masks.push(match result {
            Ok(mask) => mask,
            Err(failure) => {
                failures.insert(k, failure);
                SliceMasks::no_pixels(slice_len)
            }
        });
    }
    let decoded = nk - failures.len();
    if let Some(first) = failures.values().next().filter(|_| 2 * decoded < nk) {
        return Err(VolumeError::TooFewSlicesDecoded {
            series: series.id.clone(),
            decoded,
            slices: nk,
            first: first.clone(),
        });
    }
    let validity = merge([ni, nj, nk], &masks);
    Ok(Decoded { voxels, validity, failures })
}

/// Number of frames of a slice's file.
fn frames_of(series: &Series, slice: &Slice) -> u32 {
    series.tags.number_of_frames.max(slice.source.frame.saturating_add(1))
}

/// Frame tables of multi-frame files, so that a long header is not walked for each frame. A file
/// whose table cannot be read is left to its slices, which say why.
fn prepare_files_of_many_slices(series: &Series) -> BTreeMap<&Path, Prepared> {
    if series.tags.number_of_frames < 2 {
        return BTreeMap::new();
    }
    let files: BTreeMap<&Path, u32> = series
        .slices
        .iter()
        .map(|slice| (slice.source.path.as_path(), frames_of(series, slice)))
        .collect();
    files
        .into_iter()
        .filter_map(|(path, frames)| Some((path, prepare(path, frames).ok()??)))
        .collect()
}

/// Zeros that the system hands out untouched, so that each thread touches its own slices first;
/// `None` when it has no room for them.
fn zeroed<T: Voxel>(len: usize) -> Option<Vec<T>> {
    Vec::<T>::new().try_reserve_exact(len).ok()?;
    Some(vec![T::default(); len])
}

fn finish_mr(
    voxels: MrVoxels,
    validity: Validity,
    problems: Vec<Problem>,
    series: &Series,
    failures: BTreeMap<usize, SliceFailure>,
) -> Loaded {
    let (slope, intercept) = match (&voxels, series.slices.first()) {
        (MrVoxels::Signed(_) | MrVoxels::Unsigned(_), Some(first)) => {
            (first.rescale_slope as f32, first.rescale_intercept as f32)
        }
        _ => (1.0, 0.0),
    };
    let image = Image::Mr { grid: series.grid.clone(), voxels, slope, intercept, validity };
    finish(image, problems, series, failures)
}

fn finish(
    image: Image,
    mut problems: Vec<Problem>,
    series: &Series,
    failures: BTreeMap<usize, SliceFailure>,
) -> Loaded {
    let mut by_code: BTreeMap<ProblemCode, Vec<(usize, &SliceFailure)>> = BTreeMap::new();
    for (&k, failure) in &failures {
        by_code.entry(failure.code()).or_default().push((k, failure));
    }
    for (code, failures) in by_code {
        let Some(&(k, first)) = failures.first() else { continue };
        let mut problem = Problem::new(
            code,
            Severity::Warning,
            format!(
                "{} of {} slices have no pixels and were masked; slice {}: {first}",
                failures.len(),
                series.slices.len(),
                k + 1
            ),
        )
        .with_number("slices", failures.len() as f64);
        problem.files = failures
            .iter()
            .filter_map(|(k, _)| series.slices.get(*k))
            .map(|slice| slice.source.path.clone())
            .collect();
        problems.push(problem);
    }
    Loaded { image, problems, failed_slices: failures.into_keys().collect() }
}

fn rescale_varies(series: &Series, severity: Severity) -> Problem {
    let slopes = || series.slices.iter().map(|slice| slice.rescale_slope);
    Problem::new(
        ProblemCode::RescaleVaries,
        severity,
        "RescaleSlope or RescaleIntercept varies between slices; each was rescaled by its own",
    )
    .with_number("lowest_slope", slopes().fold(f64::INFINITY, f64::min))
    .with_number("highest_slope", slopes().fold(f64::NEG_INFINITY, f64::max))
}

/// Whether CT values are Hounsfield units, and what is odd about how they became so.
fn rescale_problems(series: &Series, decoded: &Decoded<i16>) -> Result<Vec<Problem>, VolumeError> {
    let mut problems = Vec::new();
    let first = series.slices.first();
    if series.slices.iter().any(|slice| {
        first.is_some_and(|first| {
            slice.rescale_slope != first.rescale_slope
                || slice.rescale_intercept != first.rescale_intercept
        })
    }) {
        problems.push(rescale_varies(series, Severity::Warning));
    }
    if series.tags.rescale_present {
        return Ok(problems);
    }
    let measured = decoded
        .voxels
        .par_iter()
        .enumerate()
        .filter(|(offset, _)| decoded.validity.is_measured(*offset))
        .map(|(_, &hu)| (hu, hu))
        .reduce(|| (i16::MAX, i16::MIN), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (lowest, highest) = measured;
    if lowest > AIR_BELOW_HU {
        return Err(VolumeError::NotHounsfield { series: series.id.clone(), lowest, highest });
    }
    problems.push(
        Problem::new(
            ProblemCode::RescaleMissing,
            Severity::Warning,
            format!(
                "RescaleSlope or RescaleIntercept is missing; values reach down to {lowest} as air does and were taken as Hounsfield units"
            ),
        )
        .with_number("lowest_hu", lowest.into())
        .with_number("highest_hu", highest.into()),
    );
    Ok(problems)
}
