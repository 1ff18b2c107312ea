//! A cheap look at pixels: is this CT, and was it reconstructed sharp.

use crate::geometry::VoxelIndex;
use crate::volume::Image;

/// What a look at the pixels tells, before any anatomy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelLook {
    /// Share of measured voxels within 100 of -1000, the value of air in Hounsfield units.
    pub share_like_air: f64,
    /// Median over quiet blocks of soft tissue of the standard deviation in the block, HU; `None`
    /// where there are too few such blocks.
    pub noise_hu: Option<f64>,
    /// Median correlation of horizontal neighbours in those blocks: how smooth the
    /// reconstruction kernel is, apart from dose.
    pub neighbour_correlation: Option<f64>,
    /// Distance of voxel centres along a row, mm.
    pub column_spacing_mm: f64,
}

/// Edge of a block, voxels.
const BLOCK: usize = 8;
/// Slices looked at.
const SLICES: usize = 8;
/// Fewest blocks that say something.
const LEAST_BLOCKS: usize = 40;

/// Looks at up to eight slices.
///
/// # Method
/// Blocks of 8 x 8 voxels whose mean lies in soft tissue (-30 to 120 HU) and which hold neither
/// air nor bone are freed of their plane; standard deviation and correlation of horizontal
/// neighbours are taken in each, medians over the quieter half.
pub fn pixel_look(image: &Image) -> PixelLook {
    let grid = image.grid();
    let validity = image.validity();
    let nk = grid.nk();
    let mut measured = 0_u64;
    let mut like_air = 0_u64;
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    let taken = nk.min(SLICES);
    for n in 0..taken {
        let k = (2 * n + 1) * nk / (2 * taken);
        for j in 0..grid.nj() {
            for i in 0..grid.ni() {
                let offset = grid.offset(VoxelIndex { i, j, k });
                if validity.is_measured(offset) {
                    measured += 1;
                    if (image.value(offset) + 1000.0).abs() <= 100.0 {
                        like_air += 1;
                    }
                }
            }
        }
        for j in (0..grid.nj().saturating_sub(BLOCK - 1)).step_by(BLOCK) {
            for i in (0..grid.ni().saturating_sub(BLOCK - 1)).step_by(BLOCK) {
                blocks.extend(block(image, VoxelIndex { i, j, k }));
            }
        }
    }
    blocks.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let noise = (blocks.len() >= LEAST_BLOCKS).then(|| blocks[blocks.len() / 2].0);
    let mut correlations: Vec<f64> =
        blocks[..blocks.len() / 2].iter().map(|&(_, correlation)| correlation).collect();
    correlations.sort_by(f64::total_cmp);
    PixelLook {
        share_like_air: if measured == 0 { 0.0 } else { like_air as f64 / measured as f64 },
        noise_hu: noise,
        neighbour_correlation: noise
            .and_then(|_| correlations.get(correlations.len() / 2).copied()),
        column_spacing_mm: grid.spacing()[0],
    }
}

/// Standard deviation and correlation of horizontal neighbours in one block of soft tissue.
fn block(image: &Image, first: VoxelIndex) -> Option<(f64, f64)> {
    let grid = image.grid();
    let mut values = [[0.0_f64; BLOCK]; BLOCK];
    let mut mean = 0.0;
    for (dj, row) in values.iter_mut().enumerate() {
        for (di, value) in row.iter_mut().enumerate() {
            let offset = grid.offset(VoxelIndex { i: first.i + di, j: first.j + dj, k: first.k });
            if !image.validity().is_tissue(offset) {
                return None;
            }
            *value = image.value(offset);
            if !(-250.0..=400.0).contains(value) {
                return None;
            }
            mean += *value;
        }
    }
    let count = (BLOCK * BLOCK) as f64;
    mean /= count;
    if !(-30.0..=120.0).contains(&mean) {
        return None;
    }
    let centre = (BLOCK as f64 - 1.0) / 2.0;
    let (mut along_i, mut along_j, mut norm) = (0.0, 0.0, 0.0);
    for (dj, row) in values.iter().enumerate() {
        for (di, value) in row.iter().enumerate() {
            along_i += (value - mean) * (di as f64 - centre);
            along_j += (value - mean) * (dj as f64 - centre);
            norm += (di as f64 - centre) * (di as f64 - centre);
        }
    }
    for (dj, row) in values.iter_mut().enumerate() {
        for (di, value) in row.iter_mut().enumerate() {
            *value -= mean
                + along_i / norm * (di as f64 - centre)
                + along_j / norm * (dj as f64 - centre);
        }
    }
    let variance = values.iter().flatten().map(|v| v * v).sum::<f64>() / count;
    if variance <= 0.0 {
        return None;
    }
    let pairs = values.iter().flat_map(|row| row.windows(2)).map(|pair| pair[0] * pair[1]);
    let neighbours = pairs.sum::<f64>() / (BLOCK * (BLOCK - 1)) as f64;
    Some((libm::sqrt(variance), neighbours / variance))
}
