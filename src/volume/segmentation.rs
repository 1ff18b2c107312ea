//! DICOM segmentation objects as label maps: binary (one bit a voxel, one segment a frame) and
//! labelmap (PS3.3 A.51 and C.8.20; labelmap: supplement 243).
//!
//! Frames are placed by their own positions: any order, empty frames left out. Fractional
//! segmentations and overlapping segments are refused, because a label map cannot hold them.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::SliceFailure;
use super::label_map::{LabelMap, LabelMapError, SegmentCode, SlicesHeld};
use super::stored::{Scratch, decode_frame};
use crate::geometry::{Grid, LpsPoint, LpsVector};
use crate::series::dataset::{DataSet, Tag};
use crate::series::wanted as tags;
use crate::series::{FrameTable, Header, PixelLayout, frame_table, is_native, with_pixels};

/// Segmentation Storage and Label Map Segmentation Storage.
const SOP_CLASSES: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"];
/// Frames whose distances along the normal are this close lie in one plane, mm.
const SAME_PLANE_MM: f64 = 0.01;
/// A frame may lie so far from where equal steps put it, as a share of the step.
const STEP_TOLERANCE: f64 = 0.05;
/// Orientations that differ by less than this in any component are the same.
const SAME_ORIENTATION: f64 = 1e-4;

/// How voxels tell their segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Binary,
    Labelmap,
}

struct Frame {
    /// For binary ones.
    segment: Option<u16>,
    position: LpsPoint,
}

struct Segmentation {
    kind: Kind,
    rows: usize,
    columns: usize,
    frames: Vec<Frame>,
    step_i: LpsVector,
    step_j: LpsVector,
    /// `SpacingBetweenSlices`, else `SliceThickness`.
    slice_mm: Option<f64>,
    segments: BTreeMap<u16, (String, SegmentCode)>,
}

/// Reads a DICOM segmentation.
pub(super) fn read_segmentation(path: &Path, max_bytes: u64) -> Result<LabelMap, LabelMapError> {
    let header = with_pixels(path, 0, |_, header| header.clone()).map_err(|source| {
        if source.kind() == std::io::ErrorKind::InvalidData {
            LabelMapError::NotALabelMap { path: path.to_owned(), found: "neither of them".into() }
        } else {
            LabelMapError::Io { path: path.to_owned(), source }
        }
    })?;
    let reader = Reader { path, set: &header.data_set };
    let segmentation = reader.segmentation(&header)?;
    let (grid, slice_of) = reader.grid(&segmentation)?;
    let cells = grid.size().iter().fold(1u64, |n, &m| n.saturating_mul(m as u64));
    let required_bytes = cells.saturating_mul(2);
    let too_large =
        |max_bytes| LabelMapError::MemoryLimit { path: path.to_owned(), required_bytes, max_bytes };
    if required_bytes > max_bytes {
        return Err(too_large(max_bytes));
    }
    let mut labels: Vec<u16> = Vec::new();
    labels.try_reserve_exact(grid.len()).map_err(|_| too_large(u64::MAX))?;
    labels.resize(grid.len(), 0);
    match segmentation.kind {
        Kind::Binary => binary(path, &header, &segmentation, &slice_of, &mut labels)?,
        Kind::Labelmap => labelmap(path, &header, &segmentation, &slice_of, &mut labels)?,
    }
    let text = |tag| header.data_set.uid(tag);
    Ok(LabelMap {
        grid,
        labels,
        names: segmentation.segments.iter().map(|(&n, (name, _))| (n, name.clone())).collect(),
        codes: segmentation
            .segments
            .into_iter()
            .filter(|(_, (_, code))| *code != SegmentCode::default())
            .map(|(n, (_, code))| (n, code))
            .collect(),
        frame_of_reference_uid: text(tags::FRAME_OF_REFERENCE_UID),
        referenced_series_uid: match header.data_set.items(tags::REFERENCED_SERIES_SEQUENCE) {
            [one] => one.uid(tags::SERIES_INSTANCE_UID),
            _ => None,
        },
        slices_held: SlicesHeld::FirstToLastLabelled,
    })
}

struct Reader<'a> {
    path: &'a Path,
    set: &'a DataSet,
}

impl Reader<'_> {
    #[allow(clippy::needless_pass_by_value, reason = "numbers and words alike, said in place")]
    fn field(
        &self,
        field: &'static str,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
    ) -> LabelMapError {
        LabelMapError::Field {
            path: self.path.to_owned(),
            field,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    fn segmentation(&self, header: &Header) -> Result<Segmentation, LabelMapError> {
        let set = self.set;
        let class =
            set.uid(tags::SOP_CLASS_UID).or_else(|| header.media_storage_sop_class_uid.clone());
        if !class.as_deref().is_some_and(|uid| SOP_CLASSES.contains(&uid)) {
            let found = match set.text(tags::MODALITY) {
                Some(modality) => format!("a DICOM object of modality {modality}"),
                None => "a DICOM object of another kind".to_owned(),
            };
            return Err(LabelMapError::NotALabelMap { path: self.path.to_owned(), found });
        }
        if let Some(damage) = &header.damage {
            return Err(self.field(
                "the header",
                format!("damaged ({damage})"),
                "a whole data set",
            ));
        }
        let bits = set.single_u16(tags::BITS_ALLOCATED).unwrap_or(0);
        let kind = match (set.text(tags::SEGMENTATION_TYPE).as_deref(), bits) {
            (Some("BINARY"), 1) => Kind::Binary,
            (Some("LABELMAP"), 8 | 16) => Kind::Labelmap,
            (kind, bits) => {
                return Err(self.field(
                    "SegmentationType",
                    format!("{} with {bits} bits", kind.unwrap_or("missing")),
                    "BINARY with 1 bit or LABELMAP with 8 or 16 (make a fractional one binary first)",
                ));
            }
        };
        let side = |field: &'static str, tag: Tag| match set.single_u16(tag) {
            Some(n) if n > 0 => Ok(usize::from(n)),
            _ => Err(self.field(field, "missing or 0", "1 to 65535")),
        };
        let (rows, columns) = (side("Rows", tags::ROWS)?, side("Columns", tags::COLUMNS)?);
        let per_frame = set.items(tags::PER_FRAME_FUNCTIONAL_GROUPS);
        let declared = set.number(tags::NUMBER_OF_FRAMES).unwrap_or(1.0);
        if per_frame.is_empty() || declared != per_frame.len() as f64 {
            return Err(self.field(
                "NumberOfFrames",
                declared,
                format!("{}, the items of PerFrameFunctionalGroupsSequence", per_frame.len()),
            ));
        }
        let segments = self.segments()?;
        let shared = set.items(tags::SHARED_FUNCTIONAL_GROUPS).first();
        let find = |own: &'_ DataSet, group: Tag, tag: Tag| {
            let values = |set: &DataSet| set.items(group).first().and_then(|g| g.numbers(tag));
            values(own).or_else(|| shared.and_then(values))
        };
        let mut frames = Vec::with_capacity(per_frame.len());
        let mut first_axes: Option<([f64; 6], [f64; 2])> = None;
        for (n, own) in per_frame.iter().enumerate() {
            let values = |group, tag| find(own, group, tag);
            let axes: Option<([f64; 6], [f64; 2])> =
                values(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT)
                    .and_then(|v| v.try_into().ok())
                    .zip(
                        values(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING)
                            .and_then(|v| v.try_into().ok()),
                    );
            let axes = axes.ok_or_else(|| {
                self.field(
                    "ImageOrientationPatient and PixelSpacing",
                    format!("missing in frame {}", n + 1),
                    "six and two numbers, shared or in the frame",
                )
            })?;
            let first = first_axes.get_or_insert(axes);
            let same = |a: &[f64], b: &[f64]| {
                a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME_ORIENTATION)
            };
            if !same(&axes.0, &first.0) || !same(&axes.1, &first.1) {
                return Err(self.field(
                    "ImageOrientationPatient or PixelSpacing",
                    format!("another in frame {} than in frame 1", n + 1),
                    "the same in all frames",
                ));
            }
            let position: [f64; 3] =
                values(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT)
                    .and_then(|v| v.try_into().ok())
                    .ok_or_else(|| {
                        self.field(
                            "ImagePositionPatient",
                            format!("missing in frame {}", n + 1),
                            "three numbers",
                        )
                    })?;
            let segment = match kind {
                Kind::Labelmap => None,
                Kind::Binary => {
                    let number = values(
                        tags::SEGMENT_IDENTIFICATION_SEQUENCE,
                        tags::REFERENCED_SEGMENT_NUMBER,
                    );
                    let number = number.as_deref().and_then(<[f64]>::first).copied();
                    let segment = number
                        .filter(|n| n.fract() == 0.0 && (1.0..=f64::from(u16::MAX)).contains(n))
                        .map(|n| n as u16)
                        .filter(|n| segments.contains_key(n));
                    Some(segment.ok_or_else(|| {
                        let found = number.map_or("missing".to_owned(), |n| n.to_string());
                        self.field(
                            "ReferencedSegmentNumber",
                            format!("{found} in frame {}", n + 1),
                            "a SegmentNumber of SegmentSequence",
                        )
                    })?)
                }
            };
            frames.push(Frame { segment, position: position.into() });
        }
        let (orientation, spacing) = first_axes.unwrap_or_default();
        let [rx, ry, rz, cx, cy, cz] = orientation;
        let slice_mm = per_frame.first().and_then(|own| {
            [tags::SPACING_BETWEEN_SLICES, tags::SLICE_THICKNESS].into_iter().find_map(|tag| {
                let values = find(own, tags::PIXEL_MEASURES_SEQUENCE, tag)?;
                values.first().copied().filter(|&mm| mm > 0.0)
            })
        });
        Ok(Segmentation {
            kind,
            rows,
            columns,
            frames,
            // PixelSpacing is (between rows, between columns).
            step_i: LpsVector::new(rx, ry, rz) * spacing[1],
            step_j: LpsVector::new(cx, cy, cz) * spacing[0],
            slice_mm,
            segments,
        })
    }

    fn segments(&self) -> Result<BTreeMap<u16, (String, SegmentCode)>, LabelMapError> {
        let items = self.set.items(tags::SEGMENT_SEQUENCE);
        let mut segments = BTreeMap::new();
        for (n, item) in items.iter().enumerate() {
            // A labelmap may list the background as segment 0.
            let number = item.single_u16(tags::SEGMENT_NUMBER).ok_or_else(|| {
                self.field("SegmentNumber", format!("missing in item {}", n + 1), "a whole number")
            })?;
            let code = item.items(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE).first();
            let text = |tag| code.and_then(|code| code.text(tag)).unwrap_or_default();
            let code = SegmentCode {
                scheme: text(tags::CODING_SCHEME_DESIGNATOR),
                value: text(tags::CODE_VALUE),
                meaning: text(tags::CODE_MEANING),
            };
            let name = item.text(tags::SEGMENT_LABEL).unwrap_or_else(|| code.meaning.clone());
            if segments.insert(number, (name, code)).is_some() {
                return Err(self.field("SegmentNumber", format!("{number} twice"), "each once"));
            }
        }
        if segments.is_empty() {
            return Err(self.field("SegmentSequence", "missing or empty", "one item a segment"));
        }
        Ok(segments)
    }

    /// The grid from the first to the last frame, and the slice of each frame in it.
    fn grid(&self, of: &Segmentation) -> Result<(Grid, Vec<usize>), LabelMapError> {
        let degenerate = || {
            let found = format!("{:?} and {:?}", of.step_i, of.step_j);
            self.field("ImageOrientationPatient", found, "two directions at right angles")
        };
        let normal = of.step_i.cross(of.step_j).normalised().ok_or_else(degenerate)?;
        let zero = LpsPoint::new(0.0, 0.0, 0.0);
        let along = |frame: &Frame| (frame.position - zero).dot(normal);
        let (mut first, mut last) = (None::<&Frame>, None::<&Frame>);
        for frame in &of.frames {
            if first.is_none_or(|f| along(frame) < along(f)) {
                first = Some(frame);
            }
            if last.is_none_or(|f| along(frame) > along(f)) {
                last = Some(frame);
            }
        }
        let (Some(first), Some(last)) = (first, last) else {
            return Err(self.field("NumberOfFrames", 0, "at least 1"));
        };
        let mut distances: Vec<f64> = of.frames.iter().map(|f| along(f) - along(first)).collect();
        let whole = along(last) - along(first);
        let of_frames = distances.clone();
        distances.sort_by(f64::total_cmp);
        let least = distances
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] if b - a > SAME_PLANE_MM => Some(b - a),
                _ => None,
            })
            .fold(f64::INFINITY, f64::min);
        let fits = |step: f64| {
            let slices = libm::round(whole / step).max(1.0);
            let step = whole / slices;
            let off = |d: &f64| (d / step - libm::round(d / step)).abs();
            distances.iter().all(|d| off(d) <= STEP_TOLERANCE)
        };
        // What the file says counts where it fits: all frames may be every second slice.
        let step = if least.is_finite() {
            let candidates =
                [of.slice_mm.filter(|&mm| mm <= least * (1.0 + STEP_TOLERANCE)), Some(least)];
            let step = candidates.into_iter().flatten().find(|&step| fits(step));
            step.ok_or_else(|| {
                self.field(
                    "ImagePositionPatient",
                    format!("uneven (least distance of two frames {least:.3} mm)"),
                    "whole multiples of one slice step",
                )
            })?
        } else {
            of.slice_mm.ok_or_else(|| {
                self.field(
                    "SpacingBetweenSlices",
                    "missing with all frames in one plane",
                    "the distance of slices",
                )
            })?
        };
        let steps = libm::round(whole / step);
        if !(steps.is_finite() && steps < 65535.0) {
            return Err(self.field("ImagePositionPatient", whole, "at most 65535 slices"));
        }
        // Along the line through first and last frame: a gantry tilt is a shear.
        let step_k = if steps > 0.0 {
            (last.position - first.position) * (1.0 / steps)
        } else {
            normal * step
        };
        let size = [of.columns, of.rows, steps as usize + 1];
        let grid = Grid::new(size, first.position, of.step_i, of.step_j, step_k)
            .map_err(|_| degenerate())?;
        let mut slices = Vec::with_capacity(of.frames.len());
        for (n, (frame, distance)) in of.frames.iter().zip(of_frames).enumerate() {
            let k = libm::round(distance / normal.dot(step_k));
            let off = (frame.position - (first.position + step_k * k)).length();
            if off > STEP_TOLERANCE * step_k.length() {
                return Err(self.field(
                    "ImagePositionPatient",
                    format!("frame {} lies {off:.3} mm beside the line of the others", n + 1),
                    "parallel frames one above the other",
                ));
            }
            slices.push(k as usize);
        }
        Ok((grid, slices))
    }
}

/// One bit a voxel, least significant first, frames one behind the other without padding.
fn binary(
    path: &Path,
    header: &Header,
    of: &Segmentation,
    slice_of: &[usize],
    labels: &mut [u16],
) -> Result<(), LabelMapError> {
    let failed = |frame: usize, failure| LabelMapError::Frame {
        path: path.to_owned(),
        frame: frame as u32 + 1,
        failure,
    };
    if !is_native(&header.transfer_syntax_uid) || header.data_set.big_endian {
        let uid = header.transfer_syntax_uid.clone();
        return Err(failed(0, SliceFailure::UnsupportedTransferSyntax { uid }));
    }
    let frame_bits = (of.rows * of.columns) as u64;
    let all_bytes = frame_bits.saturating_mul(of.frames.len() as u64).div_ceil(8);
    let frames = of.frames.len() as u32;
    let mut overlap: Option<(u16, u16, u64)> = None;
    with_pixels(path, all_bytes, |source, header| {
        let table = frame_table(source, header, frames)
            .map_err(|error| failed(0, SliceFailure::Unreadable(error.to_string())))?;
        let FrameTable::Native { offset, available } = table else {
            return Err(failed(0, SliceFailure::NoPixelData));
        };
        let mut bytes = Vec::new();
        for (n, (frame, &k)) in of.frames.iter().zip(slice_of).enumerate() {
            let from_bit = frame_bits * n as u64;
            let (from, to) = (from_bit / 8, (from_bit + frame_bits).div_ceil(8));
            if to > available {
                let failure = SliceFailure::Truncated { found: available, expected: all_bytes };
                return Err(failed(n, failure));
            }
            bytes.resize((to - from) as usize, 0);
            let read = source.read_at(offset + from, &mut bytes);
            match read {
                Ok(read) if read == bytes.len() => {}
                Ok(read) => {
                    let found = from + read as u64;
                    let failure = SliceFailure::Truncated { found, expected: all_bytes };
                    return Err(failed(n, failure));
                }
                Err(error) => return Err(failed(n, error.into())),
            }
            let first_bit = (from_bit % 8) as usize;
            let start = k * of.rows * of.columns;
            let slice = labels.get_mut(start..).unwrap_or_default();
            let Some(segment) = frame.segment else { continue };
            for (voxel, to) in slice.iter_mut().take(of.rows * of.columns).enumerate() {
                let bit = first_bit + voxel;
                if bytes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1) {
                    if *to != 0 && *to != segment {
                        let entry = overlap.get_or_insert((*to, segment, 0));
                        entry.2 += 1;
                    }
                    *to = segment;
                }
            }
        }
        Ok(())
    })
    .map_err(|source| LabelMapError::Io { path: path.to_owned(), source })??;
    match overlap {
        None => Ok(()),
        Some((first, second, voxels)) => {
            Err(LabelMapError::SegmentsOverlap { path: path.to_owned(), first, second, voxels })
        }
    }
}

/// Pixels are segment numbers; 0 is background, listed or not.
fn labelmap(
    path: &Path,
    header: &Header,
    of: &Segmentation,
    slice_of: &[usize],
    labels: &mut [u16],
) -> Result<(), LabelMapError> {
    let number = |tag| header.data_set.single_u16(tag);
    let bits_allocated = number(tags::BITS_ALLOCATED).unwrap_or(16);
    let bits_stored = number(tags::BITS_STORED).unwrap_or(bits_allocated);
    let layout = PixelLayout {
        rows: of.rows as u16,
        columns: of.columns as u16,
        bits_allocated,
        bits_stored,
        high_bit: number(tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1)),
        signed: false,
        samples_per_pixel: 1,
    };
    let mut seen = vec![false; labels.len() / (of.rows * of.columns).max(1)];
    let mut scratch = Scratch::default();
    for (n, &k) in slice_of.iter().enumerate() {
        let frame = n as u32;
        if let Some(seen) = seen.get_mut(k)
            && std::mem::replace(seen, true)
        {
            return Err(LabelMapError::Field {
                path: path.to_owned(),
                field: "ImagePositionPatient",
                found: format!("that of another frame in frame {}", n + 1),
                expected: "one frame a slice in a labelmap".to_owned(),
            });
        }
        decode_frame(path, frame, of.frames.len() as u32, layout, &mut scratch).map_err(
            |failure| LabelMapError::Frame { path: path.to_owned(), frame: frame + 1, failure },
        )?;
        let unknown = scratch.samples.iter().find(|&l| *l != 0 && !of.segments.contains_key(l));
        if let Some(label) = unknown {
            return Err(LabelMapError::Field {
                path: path.to_owned(),
                field: "PixelData",
                found: format!("{label} in frame {}", n + 1),
                expected: "a SegmentNumber of SegmentSequence".to_owned(),
            });
        }
        let start = k * of.rows * of.columns;
        for (to, &from) in
            labels.get_mut(start..).unwrap_or_default().iter_mut().zip(&scratch.samples)
        {
            *to = from;
        }
    }
    Ok(())
}
