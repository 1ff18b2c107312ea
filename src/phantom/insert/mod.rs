//! Lesions painted into a real series, with truth.
//!
//! A phantom shows that a heuristic works where the world is as its author thought; a lesion in a
//! real series is met with everything else a scan holds. Half of the usable bodies stay untouched,
//! so that false findings are counted in the same scan.
//!
//! # Method
//! Bodies come from a list of centres (truth, or by hand), from the tool's own anatomy, or from a
//! label map; axes from the chain of centres, walls from the image (steepest fall of a median of
//! parallel rays). Shapes are lobed and rough, drawn at 0.7 mm along the scan's axes, blurred by
//! the scan's own resolution (in plane: the steepest edges of skin against air on CT, 0.6 of a
//! pixel on MR; through plane: the mean over the slice thickness) and laid over the voxels. Added
//! density keeps the noise that is there; what is painted anew takes noise from even tissue of
//! the same slices. Strength is uniform over the range of [`InsertKind::drawn_from`]: most lesions
//! are faint, because nobody may make them loud.
//!
//! # Limits
//! No loss of height ([`InsertKind`] says why), no soft tissue outside the bone but a breach of the
//! posterior wall, no lesion of pedicle, arch or rib, none that crosses a disc. The blur is taken
//! as Gaussian and equal over the field; a sharp kernel's overshoot is not made.
//!
//! One seed gives the same bytes for any number of threads.

#![allow(
    clippy::indexing_slicing,
    reason = "numeric loops over blocks that were made for each other"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use strum::IntoEnumIterator;

use crate::anatomy::{Anatomy, BodySurface};
use crate::geometry::{ContinuousIndex, Frame, LpsPoint};
use crate::kernels::BitMask;
use crate::series::{Series, Study};
use crate::terms::Level;
use crate::volume::{Image, LabelMap};

mod body;
mod canvas;
mod density;
mod dicom;
mod draw;
mod kind;
mod look_alike;
mod marrow_signal;
mod paint;
mod posterior_wall;
mod shape;
mod truth;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
mod tests;

pub use dicom::write;
pub use kind::InsertKind;
pub use truth::{InsertedLesion, InsertedTruth, NotPlaced};

/// What the voxels show: decides how walls are found and which lesions can be painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Contrast {
    /// CT.
    Ct,
    /// MR, T1-weighted without fat suppression: marrow is bright.
    MrT1,
    /// MR, STIR or fat-suppressed T2: marrow is dark, water bright.
    MrFluid,
}

/// A vertebral body that may get a lesion.
#[derive(Clone, Debug)]
pub struct BodyPlace {
    /// Its level, where it is known.
    pub level: Option<Level>,
    /// Its centre.
    pub centroid: LpsPoint,
    /// Share of it in the field of view.
    pub fraction_in_view: f64,
    /// Its surface in its own axes, where it is known; else it is measured from the image.
    pub surface: Option<(Frame, BodySurface)>,
}

/// What to put in.
#[derive(Clone, Debug)]
pub struct InsertOptions {
    /// Seed of everything that is drawn; other series get other draws with the same seed.
    pub seed: u64,
    /// Kinds, dealt in turn.
    pub kinds: Vec<InsertKind>,
    /// What the series shows.
    pub contrast: Contrast,
    /// Where the bodies come from, for the truth.
    pub bodies_from: String,
}

/// A series with lesions in it.
#[derive(Clone, Debug)]
pub struct Inserted {
    /// What is where.
    pub truth: InsertedTruth,
    /// Rescaled values `[k, j, i]` on the series' grid.
    pub values: Vec<f32>,
    /// Voxels whose value changed.
    pub changed: BitMask,
    /// Number of the lesion whose share of a voxel is at least half of its largest, `[k, j, i]`: 0 for none, n for
    /// `truth.lesions[n - 1]`, and on from there for `truth.look_alikes`.
    pub labels: Vec<u8>,
}

/// Why nothing can be put in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// No body is given at all.
    #[error("bodies: the list is empty; give centres of vertebral bodies")]
    NoBodies,
    /// All bodies are cut, cervical or sacral.
    #[error(
        "bodies: none of the {given} can be used: at least {least} of a body must be in view, and it must not be cervical or sacral"
    )]
    NoneUsable {
        /// How many were given.
        given: usize,
        /// Least share in view.
        least: f64,
    },
    /// A centre lies outside the volume.
    #[error(
        "bodies: number {number} at {place:?} mm lies outside the volume ({low:?} to {high:?} mm LPS); is the list of another series or frame of reference?"
    )]
    OutsideVolume {
        /// Place in the list, from 1.
        number: usize,
        /// LPS, mm.
        place: [f64; 3],
        /// Lowest coordinates of the volume.
        low: [f64; 3],
        /// Highest coordinates of the volume.
        high: [f64; 3],
    },
    /// There is no bone at half or more of the centres; the first of them.
    #[error(
        "bodies: number {number} at {place:?} mm: no vertebral body there (median value {found:.0}, {walls} of 6 walls seen); is the list of another series or frame of reference?"
    )]
    NoBone {
        /// Place in the list, from 1.
        number: usize,
        /// LPS, mm.
        place: [f64; 3],
        /// Median around the centre, HU or signal.
        found: f64,
        /// Walls seen from the centre.
        walls: usize,
    },
    /// A kind that the series cannot show.
    #[error("kind {kind} cannot be put into a {contrast} series; {possible}")]
    KindOfOtherContrast {
        /// The kind.
        kind: InsertKind,
        /// What the series shows.
        contrast: Contrast,
        /// Which can.
        possible: String,
    },
    /// A source file cannot be read again.
    #[error("{}: {what}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// A file cannot be written.
    #[error("{}: cannot write: {what}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

/// Why one lesion was not painted; the body stays untouched.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the place lies outside the volume")]
    OutsideVolume,
    #[error("no room for it inside the bone")]
    NoRoom,
    #[error("the marrow ({marrow:.0} HU) is too dark: less would be fat")]
    MarrowTooDark {
        /// Median, HU.
        marrow: f64,
    },
    #[error("no posterior wall was seen")]
    NoPosteriorWall,
}

/// Bodies less in view than this get no lesion.
const MIN_FRACTION_IN_VIEW: f64 = 0.9;

/// Kinds that stand for metastases, or for their look-alikes, on a contrast.
pub fn kinds_of(contrast: Contrast, look_alikes: bool) -> Vec<InsertKind> {
    InsertKind::iter()
        .filter(|kind| kind.is_shown_by(contrast) && kind.is_look_alike() == look_alikes)
        .collect()
}

/// The bodies of the tool's own anatomy, from the head down.
pub fn places_of_anatomy(anatomy: &Anatomy) -> Vec<BodyPlace> {
    body::of_anatomy(anatomy)
}

/// The bodies of a label map, one for each label (not of whole vertebrae: their centroid lies near
/// the canal). A body that touches the map's border counts as cut; its level is what the label's
/// name ends in.
pub fn places_of_labels(map: &LabelMap) -> Vec<BodyPlace> {
    let [ni, nj, nk] = map.grid.size();
    let mut sums: BTreeMap<u16, (usize, [f64; 3], bool)> = BTreeMap::new();
    for (offset, &label) in map.labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        let at = [offset % ni, offset / ni % nj, offset / (ni * nj)];
        let (count, sum, cut) = sums.entry(label).or_default();
        *count += 1;
        for axis in 0..3 {
            sum[axis] += at[axis] as f64;
            *cut |= at[axis] == 0 || at[axis] + 1 == [ni, nj, nk][axis];
        }
    }
    let mut places: Vec<BodyPlace> = sums
        .into_iter()
        .map(|(label, (count, sum, cut))| {
            let [i, j, k] = sum.map(|s| s / count as f64);
            BodyPlace {
                level: map.names.get(&label).and_then(|name| Level::of_label_name(name)),
                centroid: map.grid.to_lps(ContinuousIndex { i, j, k }),
                fraction_in_view: if cut { 0.5 } else { 1.0 },
                surface: None,
            }
        })
        .collect();
    places.sort_by(|a, b| b.centroid.z().total_cmp(&a.centroid.z()));
    places
}

/// Paints lesions into half of the usable bodies of a series.
///
/// # Errors
/// [`InsertError`] when the bodies do not fit the image or a kind does not fit the contrast.
pub fn insert(
    study: &Study,
    series: &Series,
    image: &Image,
    places: &[BodyPlace],
    options: &InsertOptions,
) -> Result<Inserted, InsertError> {
    check_kinds(options)?;
    let usable = usable(image, places)?;
    let ct = options.contrast == Contrast::Ct;
    let mut canvas = canvas::Canvas::new(image, ct, series.tags.slice_thickness_mm);
    let bodies = body::bodies(&canvas, options.contrast, places);
    let (usable, without_bone) = with_bone(&bodies, usable, options.contrast)?;
    // The content decides the draws, not the folder's name.
    let purpose = |what: &str| format!("{} {what}", series.id);
    let mut plan = draw::Draw::new(options.seed, &purpose("plan"));
    let order = plan.permutation(usable.len());
    let count = (usable.len() / 2).max(1);
    let first_kind = plan.below(options.kinds.len());
    let mut picked: Vec<usize> = order.into_iter().take(count).map(|at| usable[at]).collect();
    picked.sort_unstable();
    // Kinds are dealt in an order of their own, so that no kind keeps to one end of the spine.
    let deal = plan.permutation(picked.len());
    let mut painted = Vec::new();
    let mut not_placed = Vec::new();
    for (turn, &n) in picked.iter().enumerate() {
        let kind = options.kinds[(first_kind + deal[turn]) % options.kinds.len()];
        let mut draw = draw::Draw::new(options.seed, &purpose(&format!("body {n} {kind}")));
        match paint::paint(kind, options.contrast, &mut canvas, &bodies[n], &mut draw) {
            Ok(lesion) => painted.push((n, lesion)),
            Err(refusal) => not_placed.push(NotPlaced {
                vertebra_index: n,
                kind: kind.to_string(),
                why: refusal.to_string(),
            }),
        }
    }
    painted.sort_by_key(|(_, lesion)| lesion.kind.is_look_alike());
    let labels = labels(&canvas, &painted);
    let mut changed = BitMask::empty(canvas.grid.size());
    for (offset, &value) in canvas.values.data().iter().enumerate() {
        if value != image.value(offset) as f32 {
            changed.insert(offset);
        }
    }
    let mut truth =
        truth::truth(study, series, places, &usable, options, &canvas, painted, not_placed);
    truth.without_bone = without_bone;
    Ok(Inserted { truth, values: canvas.values.data().to_vec(), changed, labels })
}

/// The bodies where there is bone, and the others.
fn with_bone(
    bodies: &[body::Body],
    usable: Vec<usize>,
    contrast: Contrast,
) -> Result<(Vec<usize>, Vec<usize>), InsertError> {
    let mut first_error = None;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for n in usable {
        match body::check_bone(&bodies[n], contrast, n) {
            Ok(()) => with.push(n),
            Err(error) => {
                first_error = first_error.or(Some(error));
                without.push(n);
            }
        }
    }
    // One body may be odd; a list that misses the bone half of the time is of another frame.
    match first_error {
        Some(error) if without.len() >= with.len() => Err(error),
        _ => Ok((with, without)),
    }
}

fn check_kinds(options: &InsertOptions) -> Result<(), InsertError> {
    let contrast = options.contrast;
    let possible = || {
        let names: Vec<String> = InsertKind::iter()
            .filter(|kind| kind.is_shown_by(contrast))
            .map(|kind| kind.to_string())
            .collect();
        format!("these can: {}", names.join(", "))
    };
    match options.kinds.iter().find(|kind| !kind.is_shown_by(contrast)) {
        Some(&kind) => {
            Err(InsertError::KindOfOtherContrast { kind, contrast, possible: possible() })
        }
        None => Ok(()),
    }
}

/// Numbers of the bodies that may get a lesion.
fn usable(image: &Image, places: &[BodyPlace]) -> Result<Vec<usize>, InsertError> {
    if places.is_empty() {
        return Err(InsertError::NoBodies);
    }
    let grid = image.grid();
    let mut usable = Vec::new();
    for (n, place) in places.iter().enumerate() {
        let thoracic_or_lumbar = place.level.is_none_or(|level| {
            let name = level.to_string();
            name.starts_with('T') || name.starts_with('L')
        });
        if place.fraction_in_view < MIN_FRACTION_IN_VIEW || !thoracic_or_lumbar {
            continue;
        }
        if grid.nearest(place.centroid).is_none() {
            let (low, high) = grid.bounds();
            return Err(InsertError::OutsideVolume {
                number: n + 1,
                place: place.centroid.rounded(1).into(),
                low: low.rounded(1).into(),
                high: high.rounded(1).into(),
            });
        }
        usable.push(n);
    }
    if usable.is_empty() {
        return Err(InsertError::NoneUsable { given: places.len(), least: MIN_FRACTION_IN_VIEW });
    }
    Ok(usable)
}

/// Label map of the lesions in the order of the truth.
fn labels(canvas: &canvas::Canvas, painted: &[(usize, paint::Painted)]) -> Vec<u8> {
    let mut labels = vec![0u8; canvas.grid.len()];
    for (number, (_, lesion)) in painted.iter().enumerate() {
        let label = u8::try_from(number + 1).unwrap_or(u8::MAX);
        let shares = lesion.shares.share.data();
        // Thick slices may leave a small lesion less than half of any voxel.
        let half = 0.5 * shares.iter().copied().fold(0.0f32, f32::max);
        for (offset, &share) in canvas.offsets(lesion.shares.block).zip(shares) {
            if share > 0.0 && share >= half {
                labels[offset] = label;
            }
        }
    }
    labels
}
