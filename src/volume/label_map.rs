//! Label maps: NIfTI or DICOM segmentation objects, and whether they fit a series.

#![allow(clippy::indexing_slicing, reason = "indices are axes 0, 1 and 2 of arrays of three")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::nifti::{NiftiError, NiftiImage, NiftiVoxels, is_nifti_name, read_nifti};
use super::segmentation::read_segmentation;
use crate::geometry::{ContinuousIndex, Grid};

/// A label map and a series lie in the same place when no voxel centre of one is farther than
/// this from a voxel centre of the other, in voxels. Single precision, decimal strings of 16
/// characters and a mean slice step stay below 0.02; a shift by half a voxel (centre against
/// corner as origin) is far above.
const SAME_PLACE_VOXELS: f64 = 0.1;

/// Why a label map cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelMapError {
    /// The NIfTI file cannot be read.
    #[error(transparent)]
    Nifti(#[from] NiftiError),
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A value that is no label.
    #[error(
        "{}: voxel {offset} has the value {value}, expected a whole number from 0 to 65535", path.display()
    )]
    NotALabel {
        /// The file.
        path: PathBuf,
        /// Its place in the order of the file.
        offset: usize,
        /// Its value.
        value: f64,
    },
    /// Neither NIfTI nor a DICOM segmentation.
    #[error("{}: {found}, expected NIfTI or a DICOM segmentation (SEG)", path.display())]
    NotALabelMap {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// An attribute of a DICOM segmentation that cannot be used.
    #[error("{}: {field} is {found}, expected {expected}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The attribute's keyword.
        field: &'static str,
        /// Its value.
        found: String,
        /// What can be used.
        expected: String,
    },
    /// A frame whose pixels cannot be read.
    #[error("{}: frame {frame}: {failure}", path.display())]
    Frame {
        /// The file.
        path: PathBuf,
        /// Frame, counted from 1 as in DICOM.
        frame: u32,
        /// Why.
        failure: super::SliceFailure,
    },
    /// Two segments claim the same voxels: a label map holds one label a voxel, and which of
    /// them is meant nobody can tell.
    #[error(
        "{}: segments {first} and {second} overlap ({voxels} voxels of the file are claimed twice), expected one segment a voxel", path.display()
    )]
    SegmentsOverlap {
        /// The file.
        path: PathBuf,
        /// The segment that came first.
        first: u16,
        /// The segment that claims a voxel of it.
        second: u16,
        /// Voxels claimed twice, over all segments.
        voxels: u64,
    },
    /// More memory than allowed; nothing was allocated.
    #[error("{}: {required_bytes} bytes needed, {max_bytes} allowed", path.display())]
    MemoryLimit {
        /// The file.
        path: PathBuf,
        /// What the labels take.
        required_bytes: u64,
        /// What is allowed.
        max_bytes: u64,
    },
}

impl LabelMapError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Nifti(error) => error.hint(),
            Self::Io { .. } => "check the path and that the file may be read",
            Self::NotALabel { .. } => "give a label map, not an image or a probability map",
            Self::NotALabelMap { .. } => "give .nii, .nii.gz or a DICOM SEG file",
            Self::Field { .. } => "write the segmentation again, for example with highdicom",
            Self::Frame { .. } => "send or write the segmentation again",
            Self::SegmentsOverlap { .. } => "write it without overlaps, or one file a segment",
            Self::MemoryLimit { .. } => "raise --max-memory or give a smaller label map",
        }
    }
}

/// What a segment is, by code (`SegmentedPropertyTypeCodeSequence`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentCode {
    /// `CodingSchemeDesignator`, for example `SCT`.
    pub scheme: String,
    /// `CodeValue`.
    pub value: String,
    /// `CodeMeaning`.
    pub meaning: String,
}

/// Which slices a label map holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlicesHeld {
    /// All of its image.
    All,
    /// Those with labels and what lies between them (a DICOM segmentation may leave empty frames
    /// out).
    FirstToLastLabelled,
}

/// A label for each voxel.
#[derive(Clone, Debug)]
pub struct LabelMap {
    /// Where the voxels lie.
    pub grid: Grid,
    /// Labels `[k, j, i]`, `i` fastest; 0 is none.
    pub labels: Vec<u16>,
    /// Names, as far as the file has them: of a label table in a NIfTI extension, or
    /// `SegmentLabel`.
    pub names: BTreeMap<u16, String>,
    /// Codes, as far as the file has them (DICOM only).
    pub codes: BTreeMap<u16, SegmentCode>,
    /// `FrameOfReferenceUID` (DICOM only). An identifier.
    pub frame_of_reference_uid: Option<String>,
    /// `SeriesInstanceUID` of the series it was drawn on (DICOM only, where it names one). An
    /// identifier.
    pub referenced_series_uid: Option<String>,
    /// Which slices it holds.
    pub slices_held: SlicesHeld,
}

/// How a label map and a series differ.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GridMismatch {
    /// They are in different frames of reference: coordinates cannot be compared.
    #[error(
        "the label map and the series have different frames of reference (FrameOfReferenceUID)"
    )]
    FrameOfReference,
    /// The segmentation names another series of the study as the one it was drawn on.
    #[error("the segmentation was drawn on another series (ReferencedSeriesSequence)")]
    AnotherSeries,
    /// Size, spacing, direction or place differ.
    #[error("the label map lies on another grid than the series: {}", differences.join("; "))]
    Grid {
        /// Each difference as "size 10 x 10 x 5, the series has 10 x 10 x 6".
        differences: Vec<String>,
    },
}

impl GridMismatch {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::FrameOfReference | Self::AnotherSeries => {
                "give masks of this study, drawn on one of its series"
            }
            Self::Grid { .. } => {
                "resample the mask onto the series with nearest neighbour, or give the one drawn on it"
            }
        }
    }
}

/// Reads a label map from NIfTI (`.nii`, `.nii.gz`) or a DICOM segmentation (binary or labelmap).
///
/// # Errors
/// Every [`LabelMapError`]; memory is checked against `max_bytes` before any is taken.
pub fn read_label_map(path: &Path, max_bytes: u64) -> Result<LabelMap, LabelMapError> {
    if !is_nifti_name(path) {
        return read_segmentation(path, max_bytes);
    }
    // The labels are kept beside the stored values while they are converted.
    let image = read_nifti(path, max_bytes / 2)?;
    Ok(LabelMap {
        labels: labels(path, &image)?,
        names: label_names(&image),
        grid: image.grid,
        codes: BTreeMap::new(),
        frame_of_reference_uid: None,
        referenced_series_uid: None,
        slices_held: SlicesHeld::All,
    })
}

fn labels(path: &Path, image: &NiftiImage) -> Result<Vec<u16>, LabelMapError> {
    let count = image.grid.len();
    let required_bytes = 2 * count as u64;
    let mut labels = Vec::new();
    labels.try_reserve_exact(count).map_err(|_| LabelMapError::MemoryLimit {
        path: path.to_owned(),
        required_bytes,
        max_bytes: u64::MAX,
    })?;
    let as_stored = image.slope == 1.0 && image.intercept == 0.0;
    match &image.voxels {
        NiftiVoxels::U8(v) if as_stored => labels.extend(v.iter().map(|&v| u16::from(v))),
        NiftiVoxels::U16(v) if as_stored => labels.extend_from_slice(v),
        _ => {
            for offset in 0..count {
                let value = image.value(offset).unwrap_or(f64::NAN);
                if !(value.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&value)) {
                    let path = path.to_owned();
                    return Err(LabelMapError::NotALabel { path, offset, value });
                }
                labels.push(value as u16);
            }
        }
    }
    Ok(labels)
}

/// Names of the label table that Connectome Workbench and `TotalSegmentator` put into a header
/// extension: `<Label Key="26" …><![CDATA[vertebrae_S1]]></Label>`.
fn label_names(image: &NiftiImage) -> BTreeMap<u16, String> {
    let mut names = BTreeMap::new();
    for (_, content) in &image.extensions {
        let Ok(text) = std::str::from_utf8(content) else { continue };
        for label in text.split("<Label ").skip(1) {
            let key = between(label, "Key=\"", "\"").and_then(|key| key.trim().parse().ok());
            let name = between(label, "<![CDATA[", "]]>")
                .or_else(|| between(label, ">", "</Label>"))
                .map(str::trim);
            if let (Some(key), Some(name)) = (key, name)
                && !name.is_empty()
            {
                names.insert(key, name.chars().filter(|c| !c.is_control()).collect());
            }
        }
    }
    names
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to)?.0)
}

/// A header extension `(ecode, content)` with the names of labels, as [`read_label_map`] reads it.
pub fn label_table(names: &BTreeMap<u16, String>) -> (i32, Vec<u8>) {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?> <CaretExtension> <VolumeInformation Index=\"0\"> <LabelTable>\n",
    );
    for (key, name) in names {
        // Writing to a String cannot fail.
        let name = name.replace("]]>", "");
        let _ = writeln!(text, "<Label Key=\"{key}\"><![CDATA[{name}]]></Label>");
    }
    text += "</LabelTable> <VolumeType><![CDATA[Label]]></VolumeType> </VolumeInformation></CaretExtension>\n";
    (0, text.into_bytes())
}

impl LabelMap {
    /// Labels that occur (without 0) with their number of voxels.
    pub fn counts(&self) -> BTreeMap<u16, u64> {
        let mut counts = vec![0u64; 1 << 16];
        for &label in &self.labels {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        let counts = (0..=u16::MAX).zip(counts).skip(1);
        counts.filter(|&(_, count)| count > 0).collect()
    }

    /// The labels on the grid of a series, `[k, j, i]` of that grid.
    ///
    /// The label map has to hold the same voxels: axes may be in another order or run the other
    /// way, nothing is interpolated. `frame_of_reference_uid` is the series' own (empty: unknown).
    ///
    /// # Errors
    /// [`GridMismatch`], saying how they differ.
    pub fn on_grid(
        &self,
        grid: &Grid,
        frame_of_reference_uid: &str,
    ) -> Result<Vec<u16>, GridMismatch> {
        self.fits(grid, frame_of_reference_uid)?;
        let lattice = Lattice::between(&self.grid, grid);
        let mut placed = vec![0; grid.len()];
        let [ni, nj, nk] = self.grid.size();
        let mut rows = self.labels.chunks_exact(ni.max(1));
        for k in 0..nk {
            for j in 0..nj {
                let Some(row) = rows.next() else { continue };
                for (i, &label) in row.iter().enumerate().filter(|(_, label)| **label != 0) {
                    // Held inside the grid by `fits`.
                    let [i, j, k] = lattice.target([i, j, k]);
                    let offset = (k * grid.nj() as i64 + j) * grid.ni() as i64 + i;
                    if let Some(to) = usize::try_from(offset).ok().and_then(|o| placed.get_mut(o)) {
                        *to = label;
                    }
                }
            }
        }
        Ok(placed)
    }

    /// Whether [`LabelMap::on_grid`] would place the labels; needs no voxels.
    ///
    /// # Errors
    /// [`GridMismatch`], saying how they differ.
    pub fn fits(&self, grid: &Grid, frame_of_reference_uid: &str) -> Result<(), GridMismatch> {
        if let Some(own) = &self.frame_of_reference_uid
            && !own.is_empty()
            && !frame_of_reference_uid.is_empty()
            && own != frame_of_reference_uid
        {
            return Err(GridMismatch::FrameOfReference);
        }
        let lattice = Lattice::between(&self.grid, grid);
        let differences = self.differences(grid, &lattice);
        if differences.is_empty() { Ok(()) } else { Err(GridMismatch::Grid { differences }) }
    }

    /// What keeps the label map from lying voxel on voxel with `grid`; empty when nothing does.
    fn differences(&self, grid: &Grid, lattice: &Lattice) -> Vec<String> {
        let own = &self.grid;
        let mut found = Vec::new();
        let size = |size: [usize; 3]| format!("{} x {} x {}", size[0], size[1], size[2]);
        let spacing = |mm: [f64; 3]| format!("{:.4} x {:.4} x {:.4} mm", mm[0], mm[1], mm[2]);
        let own_size = lattice.in_target_order(own.size());
        let slices_axis = lattice.axis[2];
        let size_fits = (0..3).all(|axis| {
            let (a, b) = (own_size[axis], grid.size()[axis]);
            let fewer_slices =
                self.slices_held == SlicesHeld::FirstToLastLabelled && axis == slices_axis;
            a == b || fewer_slices && a < b
        });
        if !size_fits {
            found.push(format!("size {}, the series has {}", size(own_size), size(grid.size())));
        }
        let own_mm = lattice.in_target_order(own.spacing());
        let same = |a: f64, b: f64, n: usize| {
            (a - b).abs() * n.saturating_sub(1) as f64 <= SAME_PLACE_VOXELS * b
        };
        if (0..3).any(|axis| !same(own_mm[axis], grid.spacing()[axis], own_size[axis])) {
            let (a, b) = (spacing(own_mm), spacing(grid.spacing()));
            found.push(format!("spacing {a}, the series has {b}"));
        }
        if lattice.angle_deg > 0.05 {
            found.push(format!("axes turned by {:.2} degrees", lattice.angle_deg));
        }
        if !found.is_empty() {
            return found;
        }
        // The rest is a matter of place.
        let mut farthest = 0.0f64;
        let mut inside = true;
        for corner in corners(own.size()) {
            let at = own.to_lps(continuous(corner.map(|n| n as i64)));
            let target = lattice.target(corner);
            inside &= (0..3)
                .all(|axis| usize::try_from(target[axis]).is_ok_and(|n| n < grid.size()[axis]));
            let voxel = grid.to_index(at);
            let place = continuous(target);
            let off = [voxel.i - place.i, voxel.j - place.j, voxel.k - place.k];
            farthest = off.iter().fold(farthest, |most, off| most.max(off.abs()));
        }
        if farthest > SAME_PLACE_VOXELS {
            found.push(format!(
                "voxel centres up to {farthest:.2} voxels beside those of the series (origin {}, the series' nearest corner {})",
                place(own.origin().into()),
                place(grid.to_lps(nearest_corner(grid, own)).into()),
            ));
        } else if !inside {
            found.push(format!(
                "part of it lies outside the series (origin {}, the series' nearest corner {})",
                place(own.origin().into()),
                place(grid.to_lps(nearest_corner(grid, own)).into()),
            ));
        }
        found
    }
}

fn place([x, y, z]: [f64; 3]) -> String {
    format!("({x:.2}, {y:.2}, {z:.2})")
}

fn continuous([i, j, k]: [i64; 3]) -> ContinuousIndex {
    ContinuousIndex { i: i as f64, j: j as f64, k: k as f64 }
}

fn corners(size: [usize; 3]) -> Vec<[usize; 3]> {
    let end = |n: usize| [0, n.saturating_sub(1)];
    let mut corners = Vec::with_capacity(8);
    for i in end(size[0]) {
        for j in end(size[1]) {
            for k in end(size[2]) {
                corners.push([i, j, k]);
            }
        }
    }
    corners
}

fn nearest_corner(grid: &Grid, own: &Grid) -> ContinuousIndex {
    let ends = corners(grid.size());
    let distance = |corner: &[usize; 3]| {
        grid.to_lps(continuous(corner.map(|n| n as i64))).distance(own.origin())
    };
    let nearest = ends.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    continuous(nearest.unwrap_or_default().map(|n| n as i64))
}

/// All orders of three axes.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// How the axes of one grid run along those of another.
struct Lattice {
    /// For each own axis, the axis of the target that runs along it.
    axis: [usize; 3],
    /// Whether it runs the same way (1) or the other (-1).
    sign: [i64; 3],
    /// Voxel of the target nearest to the own first voxel.
    origin: [i64; 3],
    /// Largest angle between axes that run along each other, degrees.
    angle_deg: f64,
}

impl Lattice {
    fn between(own: &Grid, target: &Grid) -> Self {
        let cosine = |a: usize, b: usize| {
            let (a, b) = (own.step(a), target.step(b));
            a.dot(b) / (a.length() * b.length()).max(f64::MIN_POSITIVE)
        };
        let fit = |order: &[usize; 3]| -> f64 { (0..3).map(|n| cosine(n, order[n]).abs()).sum() };
        let axis = ORDERS.iter().copied().max_by(|a, b| fit(a).total_cmp(&fit(b)));
        let axis = axis.unwrap_or([0, 1, 2]);
        let sign = [0, 1, 2].map(|n| if cosine(n, axis[n]) < 0.0 { -1 } else { 1 });
        let angle_deg = (0..3)
            .map(|n| libm::acos(cosine(n, axis[n]).abs().min(1.0)).to_degrees())
            .fold(0.0, f64::max);
        let at = target.to_index(own.origin());
        let origin = [at.i, at.j, at.k].map(|v| libm::round(v) as i64);
        Self { axis, sign, origin, angle_deg }
    }

    /// Voxel of the target at an own voxel; may lie outside of it.
    fn target(&self, own: [usize; 3]) -> [i64; 3] {
        let mut target = self.origin;
        for (n, along) in own.into_iter().enumerate() {
            target[self.axis[n]] += self.sign[n] * along as i64;
        }
        target
    }

    /// Values for each own axis, in the order of the target's axes.
    fn in_target_order<T: Copy>(&self, own: [T; 3]) -> [T; 3] {
        let mut ordered = own;
        for (value, axis) in own.into_iter().zip(self.axis) {
            ordered[axis] = value;
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{LpsPoint, LpsVector};
    use crate::volume::{NiftiData, nifti_gz_bytes};

    fn grid() -> Grid {
        Grid::new(
            [4, 3, 5],
            LpsPoint::new(-30.0, 20.0, 100.0),
            LpsVector::new(0.8, 0.0, 0.0),
            LpsVector::new(0.0, 0.8, 0.0),
            LpsVector::new(0.0, 0.3, 2.0),
        )
        .unwrap()
    }

    fn map(grid: Grid, labels: Vec<u16>) -> LabelMap {
        LabelMap {
            grid,
            labels,
            names: BTreeMap::new(),
            codes: BTreeMap::new(),
            frame_of_reference_uid: None,
            referenced_series_uid: None,
            slices_held: SlicesHeld::All,
        }
    }

    /// The same voxels with axis `n` of the copy along axis `order[n]`, some run the other way.
    fn reordered(grid: &Grid, labels: &[u16], order: [usize; 3], flips: [bool; 3]) -> LabelMap {
        let size = order.map(|axis| grid.size()[axis]);
        let steps = [0, 1, 2].map(|n| grid.step(order[n]) * if flips[n] { -1.0 } else { 1.0 });
        let source = |at: [usize; 3]| {
            let mut index = [0; 3];
            for n in 0..3 {
                index[order[n]] = if flips[n] { size[n] - 1 - at[n] } else { at[n] };
            }
            index
        };
        let origin = grid.to_lps(continuous(source([0, 0, 0]).map(|n| n as i64)));
        let own = Grid::new(size, origin, steps[0], steps[1], steps[2]).unwrap();
        let mut copy = Vec::new();
        for k in 0..size[2] {
            for j in 0..size[1] {
                for i in 0..size[0] {
                    let [i, j, k] = source([i, j, k]);
                    copy.push(labels[(k * grid.nj() + j) * grid.ni() + i]);
                }
            }
        }
        map(own, copy)
    }

    #[test]
    fn any_order_and_direction_of_axes_gives_the_same_labels() {
        let labels: Vec<u16> = (0..60).map(|n| n * 7 % 11).collect();
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for flips in 0..8 {
                let flips = [flips & 1 > 0, flips & 2 > 0, flips & 4 > 0];
                let map = reordered(&grid(), &labels, order, flips);
                assert_eq!(map.on_grid(&grid(), "").unwrap(), labels, "{order:?} {flips:?}");
            }
        }
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let (x, y, z) = (grid().step(0), grid().step(1), grid().step(2));
        let at = grid().origin();
        let grids = [
            (Grid::new([4, 3, 6], at, x, y, z), "size 4 x 3 x 6, the series has 4 x 3 x 5"),
            (Grid::new([4, 3, 5], at, x * 1.5, y, z), "spacing 1.2000"),
            (Grid::new([4, 3, 5], at, x, y, LpsVector::new(0.0, 0.0, 2.0224)), "degrees"),
            (Grid::new([4, 3, 5], at + x * 0.5, x, y, z), "0.50 voxels"),
            (Grid::new([4, 3, 5], at + x, x, y, z), "outside the series"),
            (Grid::new([4, 3, 5], at + z * 40.0, x, y, z), "outside the series"),
        ];
        for (other, expected) in grids {
            let error = map(other.unwrap(), vec![1; 72]).on_grid(&grid(), "").unwrap_err();
            assert!(error.to_string().contains(expected), "{expected}: {error}");
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn another_frame_of_reference_is_refused_and_an_unknown_one_is_not() {
        let mut map = map(grid(), vec![1; 60]);
        map.frame_of_reference_uid = Some("1.2".into());
        assert_eq!(map.on_grid(&grid(), "1.3"), Err(GridMismatch::FrameOfReference));
        assert!(map.on_grid(&grid(), "1.2").is_ok());
        assert!(map.on_grid(&grid(), "").is_ok());
    }

    #[test]
    fn missing_slices_are_allowed_only_where_empty_frames_may_be_left_out() {
        let (x, y, z) = (grid().step(0), grid().step(1), grid().step(2));
        let part = Grid::new([4, 3, 2], grid().origin() + z * 2.0, x, y, z).unwrap();
        let mut map = map(part, vec![5; 24]);
        assert!(map.on_grid(&grid(), "").is_err());
        map.slices_held = SlicesHeld::FirstToLastLabelled;
        let placed = map.on_grid(&grid(), "").unwrap();
        let expected: Vec<u16> =
            (0..60).map(|n| if (24..48).contains(&n) { 5 } else { 0 }).collect();
        assert_eq!(placed, expected);
    }

    #[test]
    fn names_travel_with_the_labels() {
        let names = BTreeMap::from([(3, "vertebrae_L1".to_owned()), (300, "disc <&>".to_owned())]);
        let labels: Vec<u16> =
            (0..60).map(|n| if n < 5 { 3 } else { 300 * u16::from(n > 50) }).collect();
        let table = label_table(&names);
        let bytes = nifti_gz_bytes(&grid(), NiftiData::U16(&labels), &[table]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.nii.gz");
        std::fs::write(&path, bytes).unwrap();
        let map = read_label_map(&path, 1 << 20).unwrap();
        assert_eq!(map.names, names);
        assert_eq!(map.counts(), BTreeMap::from([(3, 5), (300, 9)]));
        assert_eq!(map.on_grid(&grid(), "").unwrap(), labels);
    }

    #[test]
    fn an_image_is_no_label_map() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.nii.gz");
        for voxels in [vec![0.5f32; 60], vec![-1.0; 60], vec![f32::NAN; 60], vec![70000.0; 60]] {
            let bytes = nifti_gz_bytes(&grid(), NiftiData::F32(&voxels), &[]).unwrap();
            std::fs::write(&path, bytes).unwrap();
            let error = read_label_map(&path, 1 << 20).unwrap_err();
            assert!(matches!(error, LabelMapError::NotALabel { offset: 0, .. }), "{error}");
        }
        let whole = nifti_gz_bytes(&grid(), NiftiData::F32(&[7.0; 60]), &[]).unwrap();
        std::fs::write(&path, whole).unwrap();
        assert_eq!(read_label_map(&path, 1 << 20).unwrap().counts(), BTreeMap::from([(7, 60)]));
    }
}
