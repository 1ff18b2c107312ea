//! From label maps on a series' grid to one mask for each vertebra, ordered along the spine.

use rayon::prelude::*;

use super::numbering::{Meaning, Structure, VertebraLabel};
use crate::geometry::{Grid, LpsPoint, LpsVector, VoxelIndex};
use crate::kernels::{BitMask, Connectivity, components, median};
use crate::terms::Level;

/// A vertebra of fewer voxels than this, in mm³, is a speckle and no vertebra (C1, the smallest,
/// has about 5000 mm³; a tenth of it may be in view).
const LEAST_MM3: f64 = 400.0;
/// A mask of fewer voxels than this share of the median one is cut: its centre is not that of the
/// vertebra, and says nothing of the direction of the spine.
const WHOLE_SHARE: f64 = 0.6;
/// Neighbours whose centres differ by less than this along the body axis have no order, mm.
const ORDER_MM: f64 = 3.0;

/// One label map on the grid of the series, with what its labels mean.
pub struct Layer {
    /// Labels `[k, j, i]` of the series' grid.
    pub labels: Vec<u16>,
    /// What they mean.
    pub meaning: Meaning,
}

/// The voxels of one vertebra, in a box of the grid.
#[derive(Clone, Debug)]
pub struct Crop {
    /// First voxel of the box in the grid.
    pub low: [usize; 3],
    /// The voxels.
    pub mask: BitMask,
}

impl Crop {
    /// Whether the voxel (i, j, k) of the grid is in the mask.
    pub fn holds(&self, index: [i64; 3]) -> bool {
        let mut at = [0usize; 3];
        for axis in 0..3 {
            let n = index[axis] - self.low[axis] as i64;
            if n < 0 || n >= self.mask.size()[axis] as i64 {
                return false;
            }
            at[axis] = n as usize;
        }
        self.mask.at(at[0], at[1], at[2])
    }

    /// Voxels of the grid that are in the mask.
    pub fn voxels(&self) -> impl Iterator<Item = VoxelIndex> + '_ {
        let [ni, nj, _] = self.mask.size();
        let [i, j, k] = self.low;
        self.mask.offsets().map(move |offset| VoxelIndex {
            i: i + offset % ni,
            j: j + offset / ni % nj,
            k: k + offset / ni / nj,
        })
    }

    /// Mean place of the voxels; `None` where there are none.
    pub fn centroid(&self, grid: &Grid) -> Option<LpsPoint> {
        let (mut sum, mut n) = ([0.0f64; 3], 0u64);
        for voxel in self.voxels() {
            for (total, index) in sum.iter_mut().zip([voxel.i, voxel.j, voxel.k]) {
                *total += index as f64;
            }
            n += 1;
        }
        let [i, j, k] = sum.map(|total| total / n.max(1) as f64);
        (n > 0).then(|| grid.to_lps(crate::geometry::ContinuousIndex { i, j, k }))
    }

    /// The largest piece, if it has at least `least` voxels.
    fn largest_piece(self, least: u64) -> Option<Self> {
        let size = self.mask.size();
        let found = components(&self.mask, Connectivity::Corners);
        let mut best: Option<&crate::kernels::Component> = None;
        for piece in &found {
            if best.is_none_or(|b| piece.voxels > b.voxels) {
                best = Some(piece);
            }
        }
        let best = best.filter(|piece| piece.voxels >= least)?;
        let mut mask = BitMask::empty(size);
        best.offsets(size).for_each(|offset| mask.insert(offset));
        Some(Self { low: self.low, mask })
    }

    /// The voxels for which `keep` holds; the largest piece of them.
    pub fn kept(&self, keep: impl Fn(VoxelIndex) -> bool) -> Option<Self> {
        let [ni, nj, _] = self.mask.size();
        let mut mask = BitMask::empty(self.mask.size());
        for voxel in self.voxels().filter(|v| keep(*v)) {
            let [i, j, k] = [voxel.i - self.low[0], voxel.j - self.low[1], voxel.k - self.low[2]];
            mask.insert((k * nj + j) * ni + i);
        }
        Self { low: self.low, mask }.largest_piece(1)
    }
}

/// One vertebra of the masks.
#[derive(Clone, Debug)]
pub struct VertebraMask {
    /// What it is called.
    pub label: VertebraLabel,
    /// All of it that the mask holds, largest piece.
    pub whole: Crop,
    /// The part that a subregion map calls body.
    pub body: Option<Crop>,
    /// Centre of `whole`.
    pub centroid: LpsPoint,
    /// Along the spine to the head, from the neighbours.
    pub up: LpsVector,
}

/// All vertebrae of the masks, from feet to head.
#[derive(Clone, Debug)]
pub struct SpineMasks {
    /// The vertebrae.
    pub vertebrae: Vec<VertebraMask>,
    /// The canal, or the cord where there is no canal, as far as the masks have them.
    pub canal: Option<BitMask>,
    /// Whether a sacrum, S1, C1, C2, first or last rib is in the masks.
    pub anchor_in_view: bool,
    /// Labels dropped because they were speckles.
    pub speckles: Vec<VertebraLabel>,
}

/// Why masks give no vertebrae.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpineMaskError {
    /// No map tells vertebrae apart.
    #[error(
        "no mask tells vertebrae apart: a subregion map needs the vertebra map of the same grid beside it"
    )]
    NoVertebrae,
    /// Two maps claim the same voxels for different vertebrae.
    #[error("{voxels} voxels belong to {first:?} in one mask and to {second:?} in another")]
    Contradiction {
        /// In the first mask.
        first: VertebraLabel,
        /// In a later mask.
        second: VertebraLabel,
        /// Number of voxels.
        voxels: u64,
    },
    /// Levels in an order that no spine has and that a wrong numbering would give.
    #[error(
        "{lower} lies below {upper} in the mask: a wrong numbering, or masks of different kinds in one file"
    )]
    LevelsOutOfOrder {
        /// The level that lies nearer to the feet.
        lower: Level,
        /// Its neighbour nearer to the head.
        upper: Level,
    },
}

impl SpineMaskError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoVertebrae => "give the vertebra map as well (--masks takes a folder)",
            Self::Contradiction { .. } => "give one set of vertebra masks a series",
            Self::LevelsOutOfOrder { .. } => "name the right numbering with --mask-labels",
        }
    }
}

/// Sorts the labels of all layers into vertebrae.
///
/// # Errors
/// [`SpineMaskError`].
pub fn spine_masks(grid: &Grid, layers: &[Layer]) -> Result<SpineMasks, SpineMaskError> {
    let mut labels: Vec<VertebraLabel> = layers
        .iter()
        .flat_map(|layer| layer.meaning.structures.values())
        .filter_map(|s| if let Structure::Vertebra(label) = s { Some(*label) } else { None })
        .collect();
    labels.sort_unstable();
    labels.dedup();
    if labels.is_empty() {
        return Err(SpineMaskError::NoVertebrae);
    }
    let number =
        |label: VertebraLabel| labels.iter().position(|l| *l == label).map_or(0, |n| n + 1);
    let mut vertebra_of: Vec<u16> = vec![0; grid.len()];
    let mut body: Option<BitMask> = None;
    let mut canal: Option<BitMask> = None;
    let mut cord: Option<BitMask> = None;
    let mut contradiction: Option<(u16, u16, u64)> = None;
    for layer in layers {
        // Meaning of each label by direct look-up.
        let mut table: Vec<(Structure, u16)> = vec![(Structure::Other, 0); 1 << 16];
        for (&label, &structure) in &layer.meaning.structures {
            let number =
                if let Structure::Vertebra(label) = structure { number(label) as u16 } else { 0 };
            table[usize::from(label)] = (structure, number);
        }
        for (offset, &label) in layer.labels.iter().enumerate().filter(|(_, l)| **l != 0) {
            match table[usize::from(label)] {
                (Structure::Vertebra(_), number) => {
                    let to = &mut vertebra_of[offset];
                    if *to == 0 {
                        *to = number;
                    } else if *to != number {
                        contradiction.get_or_insert((*to, number, 0)).2 += 1;
                    }
                }
                (Structure::Body, _) => insert(&mut body, grid, offset),
                (Structure::Canal, _) => insert(&mut canal, grid, offset),
                (Structure::Cord, _) => insert(&mut cord, grid, offset),
                _ => {}
            }
        }
    }
    if let Some((first, second, voxels)) = contradiction {
        let label = |n: u16| labels[usize::from(n) - 1];
        return Err(SpineMaskError::Contradiction {
            first: label(first),
            second: label(second),
            voxels,
        });
    }
    let least = libm::ceil(LEAST_MM3 / grid.voxel_mm3()) as u64;
    let boxes = boxes(grid, &vertebra_of, labels.len());
    let found: Vec<Option<VertebraMask>> = labels
        .par_iter()
        .zip(boxes.par_iter())
        .enumerate()
        .map(|(n, (&label, bounds))| {
            let (low, high) = (*bounds)?;
            let whole = crop(grid, low, high, |offset| usize::from(vertebra_of[offset]) == n + 1)
                .largest_piece(least)?;
            let body =
                body.as_ref().and_then(|body| whole.kept(|voxel| body.get(grid.offset(voxel))));
            let centroid = whole.centroid(grid)?;
            Some(VertebraMask { label, whole, body, centroid, up: LpsVector::HEAD })
        })
        .collect();
    let speckles = labels
        .iter()
        .zip(&found)
        .zip(&boxes)
        .filter(|((_, found), bounds)| found.is_none() && bounds.is_some())
        .map(|((&label, _), _)| label)
        .collect();
    let mut vertebrae: Vec<VertebraMask> = found.into_iter().flatten().collect();
    vertebrae.sort_by(|a, b| a.centroid.z().total_cmp(&b.centroid.z()));
    in_order(&vertebrae)?;
    let anchor = |s: &Structure| match s {
        Structure::Sacrum => true,
        Structure::Rib(n) => *n == 1 || *n == 12,
        Structure::Vertebra(label) => {
            matches!(label.level(), Some(Level::C1 | Level::C2 | Level::S1))
        }
        _ => false,
    };
    // A label that the numbering has but the map does not hold is no anchor: `meaning` is made
    // from the labels that occur.
    let anchor_in_view = layers.iter().any(|l| l.meaning.structures.values().any(anchor));
    let voxels: Vec<f64> = vertebrae.iter().map(|v| v.whole.mask.count() as f64).collect();
    let typical = median(voxels.iter().copied()).unwrap_or(0.0);
    let centres: Vec<Option<LpsPoint>> = vertebrae
        .iter()
        .zip(&voxels)
        .map(|(v, &n)| (n >= WHOLE_SHARE * typical).then_some(v.centroid))
        .collect();
    for (vertebra, up) in vertebrae.iter_mut().zip(directions(&centres)) {
        vertebra.up = up;
    }
    Ok(SpineMasks { vertebrae, canal: canal.or(cord), anchor_in_view, speckles })
}

/// Along the spine to the head at each vertebra: from the neighbours whose centre is known, for the
/// others the direction of the nearest one that has it.
pub fn directions(centres: &[Option<LpsPoint>]) -> Vec<LpsVector> {
    let known: Vec<(usize, LpsPoint)> =
        centres.iter().enumerate().filter_map(|(n, c)| Some((n, (*c)?))).collect();
    let along: Vec<(usize, LpsVector)> = (0..known.len())
        .filter_map(|m| {
            let below = known.get(m.saturating_sub(1))?;
            let above = known.get(m + 1).or(known.get(m))?;
            Some((known[m].0, (above.1 - below.1).normalised()?))
        })
        .collect();
    (0..centres.len())
        .map(|n| {
            let nearest = along.iter().min_by_key(|(m, _)| m.abs_diff(n));
            nearest.map_or(LpsVector::HEAD, |(_, up)| *up)
        })
        .collect()
}

fn insert(mask: &mut Option<BitMask>, grid: &Grid, offset: usize) {
    mask.get_or_insert_with(|| BitMask::empty(grid.size())).insert(offset);
}

/// Lowest and highest voxel of each vertebra.
fn boxes(
    grid: &Grid,
    vertebra_of: &[u16],
    vertebrae: usize,
) -> Vec<Option<([usize; 3], [usize; 3])>> {
    let mut boxes: Vec<Option<([usize; 3], [usize; 3])>> = vec![None; vertebrae];
    let mut offset = 0;
    for k in 0..grid.nk() {
        for j in 0..grid.nj() {
            for i in 0..grid.ni() {
                let n = usize::from(vertebra_of[offset]);
                offset += 1;
                if n == 0 {
                    continue;
                }
                let at = [i, j, k];
                let (low, high) = boxes[n - 1].get_or_insert((at, at));
                for axis in 0..3 {
                    low[axis] = low[axis].min(at[axis]);
                    high[axis] = high[axis].max(at[axis]);
                }
            }
        }
    }
    boxes
}

fn crop(
    grid: &Grid,
    low: [usize; 3],
    high: [usize; 3],
    inside: impl Fn(usize) -> bool + Sync,
) -> Crop {
    let size = [0, 1, 2].map(|axis| high[axis] - low[axis] + 1);
    let mask = BitMask::from_fn(size, |i, j, k| {
        inside(grid.offset(VoxelIndex { i: low[0] + i, j: low[1] + j, k: low[2] + k }))
    });
    Crop { low, mask }
}

/// Levels of vertebrae sorted from feet to head must fall.
fn in_order(vertebrae: &[VertebraMask]) -> Result<(), SpineMaskError> {
    for pair in vertebrae.windows(2) {
        let (Some(lower), Some(upper)) = (pair[0].label.level(), pair[1].label.level()) else {
            continue;
        };
        let apart = pair[1].centroid.z() - pair[0].centroid.z();
        if lower < upper && apart > ORDER_MM {
            return Err(SpineMaskError::LevelsOutOfOrder { lower, upper });
        }
    }
    Ok(())
}
