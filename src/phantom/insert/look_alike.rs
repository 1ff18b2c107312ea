//! Harmless changes that tempt a heuristic.

use glam::DVec3;

use super::super::random::Texture;
use super::Contrast;
use super::Refusal;
use super::body::Body;
use super::canvas::{Canvas, Shares};
use super::density::{at, borrowed_noise, draw_strength, mottle, place_within};
use super::draw::Draw;
use super::kind::InsertKind;
use super::marrow_signal::scale_signal;
use super::paint::Painted;
use super::shape::{Lump, LumpForm};
use crate::geometry::{LocalPoint, LpsPoint};

/// Below this a shape is too small for any voxel, mm³.
const LEAST_MM3: f64 = 15.0;

fn shares(
    canvas: &Canvas,
    centre: LpsPoint,
    reach: f64,
    margin: f64,
    inside: impl Fn(LpsPoint) -> f64,
) -> Result<Shares, Refusal> {
    let shares = canvas.shares(centre, reach, margin, inside).ok_or(Refusal::OutsideVolume)?;
    if shares.volume_mm3 < LEAST_MM3 { Err(Refusal::NoRoom) } else { Ok(shares) }
}

/// Lays a value over a shape: `value(old, n)` is what stands where the share is 1.
fn blend(canvas: &mut Canvas, shares: &Shares, value: impl Fn(f64, usize) -> f64) {
    let mut values = canvas.read(shares.block);
    for (n, old) in values.data_mut().iter_mut().enumerate() {
        let share = f64::from(shares.share.data()[n]);
        *old = (f64::from(*old) * (1.0 - share) + share * value(f64::from(*old), n)) as f32;
    }
    canvas.write(shares.block, &values);
}

/// Bone island: 2 to 6 mm in radius, dense, sharply edged, the edge brushed out into the
/// trabeculae.
pub(super) fn put_bone_island(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let contrast = draw_strength(InsertKind::BoneIsland, draw);
    let radius = draw.between(2.0, 6.0);
    let centre = place_within(body, radius, draw);
    let form = LumpForm { most_lobes: 1, roughness: draw.between(0.2, 0.4), grain: 0.3 };
    let lump = Lump::new(at(body, centre), radius, form, draw);
    let shares =
        shares(canvas, centre, 2.0 * radius + 4.0, 0.8, |p| lump.depth(p).min(body.depth(p)))?;
    blend(canvas, &shares, |old, _| old + (contrast - 0.5 * (old - body.marrow).max(0.0)).max(0.0));
    Ok(Painted::new(InsertKind::BoneIsland, contrast, shares)
        .with("radius_mm", radius)
        .with("marrow_hu", body.marrow))
}

/// Haemangioma: marrow lowered, upright trabeculae 3 to 5 mm apart left and thickened.
pub(super) fn put_haemangioma(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let drop = draw_strength(InsertKind::Haemangioma, draw);
    let least = body.half_size().into_iter().fold(f64::INFINITY, f64::min);
    let radius = draw.between(0.5, 0.95) * least;
    let centre = place_within(body, radius, draw);
    let form = LumpForm { most_lobes: 2, roughness: 0.12, grain: 0.7 };
    let lump = Lump::new(at(body, centre), radius, form, draw);
    let (spacing, thickness) = (draw.between(3.0, 5.0), draw.between(0.5, 0.9));
    let bone = draw.between(180.0, 400.0);
    let bend = Texture::new(draw.seed());
    let trabecula = |p: LpsPoint| {
        let local = body.frame.to_local(p);
        // A bent hexagonal lattice of columns.
        let warp = |salt: f64| {
            1.3 * bend.at(DVec3::new(local.u / 6.0 + salt, local.v / 6.0, local.s / 14.0))
        };
        let (u, v) = ((local.u + warp(0.0)) / spacing, (local.v + warp(9.0)) / spacing);
        let row = v.round();
        let shift = if row.rem_euclid(2.0) < 0.5 { 0.0 } else { 0.5 };
        let column = (u - shift).round() + shift;
        thickness - spacing * libm::hypot(u - column, v - row)
    };
    let reach = 2.0 * radius + 5.0;
    let inside = |p: LpsPoint| lump.depth(p).min(body.depth(p) - 1.5);
    let all = shares(canvas, centre, reach, 1.6, inside)?;
    let columns = canvas
        .shares(centre, reach, 0.8, |p| trabecula(p).min(inside(p)))
        .ok_or(Refusal::OutsideVolume)?;
    let noise = borrowed_noise(canvas, all.block, draw);
    let ground = body.marrow - drop;
    blend(canvas, &all, |_, n| {
        ground + f64::from(noise.data()[n]) + bone * f64::from(columns.share.data()[n])
    });
    Ok(Painted::new(InsertKind::Haemangioma, drop, all)
        .with("radius_mm", radius)
        .with("trabecula_spacing_mm", spacing)
        .with("trabecula_hu", bone)
        .with("marrow_hu", body.marrow))
}

/// The endplate nearest in a drawn direction: its place over (v, u), and +1 for the upper one.
fn endplate(body: &Body, v: f64, u: f64, draw: &mut Draw) -> (LpsPoint, f64) {
    let side = if draw.chance(0.5) { 1.0 } else { -1.0 };
    let height = body.endplate_height(v, u, side > 0.0);
    (body.place(height, v, u), side)
}

/// Schmorl node: disc tissue in a pit of an endplate, with a dense rim of 1.5 mm.
pub(super) fn put_schmorl_node(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let depth = draw_strength(InsertKind::SchmorlNode, draw);
    let [side_half, depth_half, _] = body.half_size();
    let v = draw.between(-0.4, 0.3) * depth_half;
    let u = draw.between(-0.4, 0.4) * side_half;
    let (centre, _) = endplate(body, v, u, draw);
    let radius = [draw.between(0.8, 1.3) * depth, draw.between(0.8, 1.3) * depth];
    let field = Texture::new(draw.seed());
    let pit = |p: LpsPoint| {
        let d = body.frame.to_local(p);
        let c = body.frame.to_local(centre);
        let offset =
            DVec3::new((d.u - c.u) / radius[0], (d.v - c.v) / radius[1], (d.s - c.s) / depth);
        (1.0 - offset.length()) * depth + 0.5 * field.at(DVec3::new(d.u, d.v, d.s) / 3.0)
    };
    let inside = |p: LpsPoint| pit(p).min(body.depth(p) + 1.5);
    let rim_mm = draw.between(1.0, 2.0);
    let reach = 1.4 * depth + rim_mm + 5.0;
    let hole = shares(canvas, centre, reach, 1.0, inside)?;
    let rim = canvas
        .shares(centre, reach, 1.2, |p| (pit(p) + rim_mm).min(body.depth(p)))
        .ok_or(Refusal::OutsideVolume)?;
    let (disc, dense) = (draw.between(60.0, 100.0), draw.between(80.0, 250.0));
    let noise = borrowed_noise(canvas, hole.block, draw);
    blend(canvas, &rim, |old, _| old + (dense - 0.5 * (old - body.marrow).max(0.0)).max(0.0));
    blend(canvas, &hole, |_, n| disc + f64::from(noise.data()[n]));
    Ok(Painted::new(InsertKind::SchmorlNode, depth, hole)
        .with("rim_mm", rim_mm)
        .with("rim_hu_above_marrow", dense)
        .with("disc_hu", disc))
}

/// A band below an endplate that thins out to its rim. Degeneration is strongest in front: the band is
/// tilted towards it.
struct Band<'a> {
    body: &'a Body,
    upper: bool,
    thickness_mm: f64,
    /// Share by which it is thicker at the front wall.
    tilt: f64,
    /// Half depth of the body, mm.
    depth_half: f64,
    field: Texture,
}

impl<'a> Band<'a> {
    fn new(body: &'a Body, upper: bool, thickness_mm: f64, tilt: f64, draw: &mut Draw) -> Self {
        let [_, depth_half, _] = body.half_size();
        Self { body, upper, thickness_mm, tilt, depth_half, field: Texture::new(draw.seed()) }
    }

    /// Depth of a place below the surface of the band, mm; negative outside.
    fn depth(&self, p: LpsPoint) -> f64 {
        let local = self.body.frame.to_local(p);
        let height = self.body.endplate_height(local.v, local.u, self.upper);
        let below = if self.upper { height - local.s } else { local.s - height };
        let here = self.thickness_mm * (1.0 + self.tilt * local.v / self.depth_half)
            + 1.2 * self.field.at(DVec3::new(local.u, local.v, 0.0) / 5.0);
        (here - below).min(below + 0.5).min(self.body.depth(p) + 0.5)
    }
}

/// Dense band below an endplate, fading out over its depth.
pub(super) fn put_endplate_sclerosis(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let contrast = draw_strength(InsertKind::EndplateSclerosis, draw);
    let [side_half, depth_half, height] = body.half_size();
    let (centre, side) = endplate(body, 0.0, 0.0, draw);
    let thickness = draw.between(2.0, 0.35 * height + 2.0);
    let tilt = draw.between(-0.3, 0.8);
    let band = Band::new(body, side > 0.0, thickness, tilt, draw);
    let reach = side_half.max(depth_half) + 6.0;
    let band = |p: LpsPoint| band.depth(p);
    let all = shares(canvas, centre, reach, 0.8 * thickness, band)?;
    let mottle = mottle(canvas, all.block, 3.0, draw);
    blend(canvas, &all, |old, n| {
        let room = (1.0 - (old - body.marrow - 0.5 * contrast) / 400.0).clamp(0.15, 1.0);
        old + contrast * room * (1.0 + 0.2 * mottle[n]).max(0.0)
    });
    Ok(Painted::new(InsertKind::EndplateSclerosis, contrast, all)
        .with("thickness_mm", thickness)
        .with("marrow_hu", body.marrow))
}

/// Beak of bone at the front or side rim of an endplate: cortex around marrow.
pub(super) fn put_osteophyte(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let length = draw_strength(InsertKind::Osteophyte, draw);
    let angle = draw.between(-1.5, 1.5);
    let (sin, cos) = libm::sincos(angle);
    let wall = body.reach(LocalPoint { s: 0.0, v: cos, u: sin });
    let side = if draw.chance(0.5) { 1.0 } else { -1.0 };
    let plate = body.endplate_height(0.8 * wall * cos, 0.8 * wall * sin, side > 0.0);
    let root = body.place(plate - side * 2.5, wall * cos, wall * sin);
    // A rim that is not where bone ends would make a lump in the marrow of it.
    let outside = [3.0, 5.0].map(|more| {
        canvas.sample(body.place(plate - side * 2.5, (wall + more) * cos, (wall + more) * sin))
    });
    if !outside.iter().flatten().any(|&value| value < (body.marrow - 20.0).min(90.0)) {
        return Err(Refusal::NoRoom);
    }
    let width = draw.between(4.0, 9.0);
    let thick = draw.between(2.0, 3.5);
    let rise = draw.between(0.2, 0.6);
    let field = Texture::new(draw.seed());
    let beak = |p: LpsPoint| {
        let d = body.frame.to_local(p);
        let c = body.frame.to_local(root);
        let out = (d.v - c.v) * cos + (d.u - c.u) * sin;
        let across = (d.u - c.u) * cos - (d.v - c.v) * sin;
        // The beak leans towards the disc and thins to its tip.
        let along = (d.s - c.s) * side - rise * out.max(0.0);
        let taper = (1.0 - out / length).max(0.0);
        let reach = DVec3::new(across / width, along / (thick * (0.25 + 0.75 * taper)), 0.0);
        let within = (1.0 - reach.length()) * thick;
        within.min(length - out).min(out + 4.0) + 0.5 * field.at(DVec3::new(d.u, d.v, d.s) / 3.0)
    };
    let reach = width.max(length) + 8.0;
    let all = shares(canvas, root, reach, 0.8, beak)?;
    let core = canvas.shares(root, reach, 1.0, |p| beak(p) - 1.2).ok_or(Refusal::OutsideVolume)?;
    let cortex = draw.between(350.0, 650.0);
    let noise = borrowed_noise(canvas, all.block, draw);
    blend(canvas, &all, |old, n| {
        let inner = f64::from(core.share.data()[n]);
        let bone = inner * (body.marrow + 60.0) + (1.0 - inner) * cortex;
        old.max(bone + f64::from(noise.data()[n]))
    });
    Ok(Painted::new(InsertKind::Osteophyte, length, all)
        .with("width_mm", 2.0 * width)
        .with("cortex_hu", cortex))
}

/// Focal fat on T1: a feathered spot brighter than the marrow.
pub(super) fn put_focal_fat(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let ratio = draw_strength(InsertKind::FocalFat, draw);
    let least = body.half_size().into_iter().fold(f64::INFINITY, f64::min);
    let radius = draw.between(0.3, 0.7) * least;
    let centre = place_within(body, radius, draw);
    let form = LumpForm { most_lobes: 3, roughness: 0.3, grain: 0.5 };
    let lump = Lump::new(at(body, centre), radius, form, draw);
    let all = shares(canvas, centre, 2.2 * radius + 5.0, 4.0, |p| {
        lump.depth(p).min(body.depth(p) - 1.0)
    })?;
    scale_signal(canvas, &all, body.marrow, ratio, |_| 1.0, draw);
    Ok(Painted::new(InsertKind::FocalFat, ratio, all).with("marrow_signal", body.marrow))
}

/// Modic change of type 1: a band below an endplate, dark on T1, bright on STIR.
pub(super) fn put_modic(
    canvas: &mut Canvas,
    body: &Body,
    contrast: Contrast,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let strength = draw_strength(InsertKind::Modic, draw);
    let ratio = if contrast == Contrast::MrFluid { 2.2 - strength } else { strength };
    let [side_half, depth_half, height] = body.half_size();
    let (centre, side) = endplate(body, 0.0, 0.0, draw);
    let thickness = draw.between(0.25, 0.7) * height;
    let tilt = draw.between(-0.2, 0.7);
    let band = Band::new(body, side > 0.0, thickness, tilt, draw);
    let reach = side_half.max(depth_half) + 6.0;
    let band = |p: LpsPoint| band.depth(p);
    let all = shares(canvas, centre, reach, 0.6 * thickness, band)?;
    scale_signal(canvas, &all, body.marrow, ratio, |_| 1.0, draw);
    Ok(Painted::new(InsertKind::Modic, ratio, all)
        .with("thickness_mm", thickness)
        .with("marrow_signal", body.marrow))
}
