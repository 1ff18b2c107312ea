//! Dense and open marrow on CT.

use super::super::random::Texture;
use super::Refusal;
use super::body::Body;
use super::canvas::{Block, Canvas, Shares};
use super::draw::Draw;
use super::kind::InsertKind;
use super::paint::Painted;
use super::shape::{Lump, LumpForm};
use crate::geometry::{Frame, LpsPoint};
use crate::kernels::Array3;
use glam::DVec3;

/// The surface of a lump is softened over this before the scan's blur, mm.
const MARGIN_MM: f64 = 1.6;
/// Marrow begins this deep below the body's surface, mm.
const CORTEX_MM: f64 = 1.5;

/// A place for a lump of a radius within a body: uniform in what room is left.
pub(super) fn place_within(body: &Body, radius: f64, draw: &mut Draw) -> LpsPoint {
    let [side, depth, height] = body.half_size();
    let room = |half: f64, share: f64| (half - share * radius).max(0.0);
    let u = draw.between(-0.85, 0.85) * room(side, 0.9);
    let v = draw.between(-0.85, 0.85) * room(depth, 0.9);
    let s = draw.between(-0.85, 0.85) * room(height, 0.8);
    body.place(s, v, u)
}

/// The body's axes at another place.
pub(super) fn at(body: &Body, origin: LpsPoint) -> Frame {
    Frame { origin, ..body.frame }
}

/// A smooth random field over a block, mean 0 and standard deviation about 1.
pub(super) fn mottle(canvas: &Canvas, block: Block, grain_mm: f64, draw: &mut Draw) -> Vec<f64> {
    let field = Texture::new(draw.seed());
    let fine = Texture::new(draw.seed());
    let places = canvas.places(block);
    places
        .into_iter()
        .map(|place| {
            let p = DVec3::new(place.x(), place.y(), place.z()) / grain_mm;
            1.2 * field.at(p) + 0.8 * fine.at(p * 2.3)
        })
        .collect()
}

/// Residual of the scan in the most even soft tissue of the same slices: noise for what is
/// painted anew. Zero where the slices hold no even tissue.
pub(super) fn borrowed_noise(canvas: &Canvas, block: Block, draw: &mut Draw) -> Array3<f32> {
    const TRIES: usize = 300;
    /// Soft tissue without fat, HU.
    const TISSUE_HU: [f64; 2] = [10.0, 130.0];
    let size = canvas.grid.size();
    let room = [0, 1].map(|axis| size[axis].saturating_sub(block.size[axis]) + 1);
    let mut best: Option<(f64, Block)> = None;
    for _ in 0..TRIES {
        let low = [draw.below(room[0]), draw.below(room[1]), block.low[2]];
        let patch = Block { low, size: block.size };
        let core = canvas.read(Block {
            low: [low[0] + block.size[0] / 4, low[1] + block.size[1] / 4, low[2]],
            size: [(block.size[0] / 2).max(1), (block.size[1] / 2).max(1), block.size[2]],
        });
        let count = core.data().len() as f64;
        let mean = core.data().iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        if !(TISSUE_HU[0]..TISSUE_HU[1]).contains(&mean) {
            continue;
        }
        let spread =
            core.data().iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
        if best.is_none_or(|(least, _)| spread < least) {
            best = Some((spread, patch));
        }
    }
    let Some((spread, patch)) = best else { return Array3::filled(block.size, 0.0) };
    let mut residual = canvas.read(patch);
    let smooth = canvas.smooth_in_plane(&residual, 3.0);
    let limit = 3.0 * spread.sqrt() as f32;
    for (value, smooth) in residual.data_mut().iter_mut().zip(smooth.data()) {
        *value = (*value - smooth).clamp(-limit, limit);
    }
    residual
}

/// Centre, shape and shares of a lump inside the marrow of a body.
fn lump_in_marrow(
    canvas: &Canvas,
    body: &Body,
    radius: f64,
    form: LumpForm,
    draw: &mut Draw,
) -> Result<Shares, Refusal> {
    let centre = place_within(body, radius, draw);
    let lump = Lump::new(at(body, centre), radius, form, draw);
    let shares = canvas
        .shares(centre, 2.2 * radius + 5.0, MARGIN_MM, |p| {
            lump.depth(p).min(body.depth(p) - CORTEX_MM)
        })
        .ok_or(Refusal::OutsideVolume)?;
    if shares.volume_mm3 < 20.0 { Err(Refusal::NoRoom) } else { Ok(shares) }
}

/// Radius of a lesion: a third to nine tenths of the least half size, uniform, at most 14 mm.
fn radius_in(body: &Body, draw: &mut Draw) -> f64 {
    let least = body.half_size().into_iter().fold(f64::INFINITY, f64::min);
    draw.between(0.33, 0.95) * least.min(14.0)
}

/// Denser marrow: the difference is added, so that trabeculae and noise stay.
///
/// What is already denser than the marrow by half of the contrast is raised less: bone has an
/// upper end.
pub(super) fn put_sclerotic(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let contrast = draw_strength(InsertKind::Sclerotic, draw);
    let radius = radius_in(body, draw);
    let form = LumpForm { most_lobes: 4, roughness: draw.between(0.15, 0.4), grain: 0.5 };
    let shares = lump_in_marrow(canvas, body, radius, form, draw)?;
    let added = raise(canvas, &shares, body.marrow, contrast, draw);
    Ok(Painted::new(InsertKind::Sclerotic, contrast, shares)
        .with("radius_mm", radius)
        .with("marrow_hu", body.marrow)
        .with("mean_added_hu", added))
}

/// Adds a contrast to the voxels of a shape; gives the mean of what was added in its core.
fn raise(canvas: &mut Canvas, shares: &Shares, marrow: f64, contrast: f64, draw: &mut Draw) -> f64 {
    let mut values = canvas.read(shares.block);
    let smooth = canvas.smooth_in_plane(&values, 0.8);
    let mottle = mottle(canvas, shares.block, 3.0, draw);
    let most = shares.share.data().iter().copied().fold(0.0f32, f32::max);
    let (mut sum, mut count) = (0.0, 0usize);
    for (n, value) in values.data_mut().iter_mut().enumerate() {
        let share = f64::from(shares.share.data()[n]);
        let over = f64::from(smooth.data()[n]) - marrow - 0.5 * contrast;
        let room = (1.0 - over / 400.0).clamp(0.15, 1.0);
        let added = share * room * contrast * (1.0 + 0.15 * mottle[n]).max(0.0);
        *value += added as f32;
        if share >= 0.5 * f64::from(most) && share > 0.0 {
            sum += added;
            count += 1;
        }
    }
    canvas.write(shares.block, &values);
    sum / count.max(1) as f64
}

/// Marrow replaced by tissue of `marrow - contrast` with the scan's own noise; some trabeculae
/// are left.
pub(super) fn put_lytic(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    /// Tissue darker than this would be fat: nothing is painted below it, HU.
    const DARKEST_HU: f64 = -20.0;
    let [low, high] = InsertKind::Lytic.drawn_from().0;
    let most = (body.marrow - DARKEST_HU).min(high);
    if most < low {
        return Err(Refusal::MarrowTooDark { marrow: body.marrow });
    }
    let contrast = draw.between(low, most);
    let radius = radius_in(body, draw);
    let form = LumpForm { most_lobes: 4, roughness: draw.between(0.1, 0.35), grain: 0.5 };
    let shares = lump_in_marrow(canvas, body, radius, form, draw)?;
    let left = draw.between(0.05, 0.45);
    lower(canvas, &shares, body.marrow - contrast, left, draw);
    Ok(Painted::new(InsertKind::Lytic, contrast, shares)
        .with("radius_mm", radius)
        .with("marrow_hu", body.marrow)
        .with("drawn_up_to_hu", most)
        .with("trabeculae_left_share", left))
}

/// Fills a shape with tissue; `left` is the share of the old texture that stays.
fn lower(canvas: &mut Canvas, shares: &Shares, tissue: f64, left: f64, draw: &mut Draw) {
    let noise = borrowed_noise(canvas, shares.block, draw);
    let mut values = canvas.read(shares.block);
    let smooth = canvas.smooth_in_plane(&values, 2.5);
    let mottle = mottle(canvas, shares.block, 4.0, draw);
    for (n, value) in values.data_mut().iter_mut().enumerate() {
        let share = f64::from(shares.share.data()[n]);
        let texture = f64::from(*value - smooth.data()[n]);
        // Old texture holds the noise already: the borrowed one fills up what is taken away.
        let new = tissue
            + 6.0 * mottle[n]
            + left * texture
            + (1.0 - left * left).max(0.0).sqrt() * f64::from(noise.data()[n]);
        *value = (f64::from(*value) * (1.0 - share) + share * new) as f32;
    }
    canvas.write(shares.block, &values);
}

/// Open marrow with dense parts: an open lump, and a dense one that overlaps it.
pub(super) fn put_mixed(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let dense = draw_strength(InsertKind::Mixed, draw);
    let [low, high] = InsertKind::Lytic.drawn_from().0;
    let most = (body.marrow + 20.0).min(high);
    if most < low {
        return Err(Refusal::MarrowTooDark { marrow: body.marrow });
    }
    let open = draw.between(low, most);
    let radius = radius_in(body, draw);
    let centre = place_within(body, radius, draw);
    let form = LumpForm { most_lobes: 4, roughness: draw.between(0.15, 0.4), grain: 0.5 };
    let whole = Lump::new(at(body, centre), radius, form, draw);
    let field = Texture::new(draw.seed());
    let grain = draw.between(0.45, 0.9) * radius;
    let which = |p: LpsPoint| {
        let d = p - centre;
        grain * 0.5 * field.at(DVec3::new(d.x(), d.y(), d.z()) / grain)
    };
    let inside = |p: LpsPoint| whole.depth(p).min(body.depth(p) - CORTEX_MM);
    let reach = 2.2 * radius + 5.0;
    let all = canvas.shares(centre, reach, MARGIN_MM, inside).ok_or(Refusal::OutsideVolume)?;
    if all.volume_mm3 < 20.0 {
        return Err(Refusal::NoRoom);
    }
    let open_part = canvas
        .shares(centre, reach, MARGIN_MM, |p| inside(p).min(which(p)))
        .ok_or(Refusal::OutsideVolume)?;
    let dense_part = canvas
        .shares(centre, reach, MARGIN_MM, |p| inside(p).min(-which(p)))
        .ok_or(Refusal::OutsideVolume)?;
    let left = draw.between(0.1, 0.5);
    lower(canvas, &open_part, body.marrow - open, left, draw);
    let added = raise(canvas, &dense_part, body.marrow, dense, draw);
    let dense_share = dense_part.volume_mm3 / all.volume_mm3.max(1.0);
    Ok(Painted::new(InsertKind::Mixed, dense, all)
        .with("lytic_contrast_hu", open)
        .with("dense_share", dense_share)
        .with("radius_mm", radius)
        .with("marrow_hu", body.marrow)
        .with("mean_added_hu", added))
}

/// The strength of a kind, uniform over its range.
pub(super) fn draw_strength(kind: InsertKind, draw: &mut Draw) -> f64 {
    let [low, high] = kind.drawn_from().0;
    draw.between(low, high)
}
