//! The posterior wall, open or pushed into the canal, on CT.

use glam::DVec3;

use super::super::random::Texture;
use super::Refusal;
use super::body::Body;
use super::canvas::Canvas;
use super::density::{borrowed_noise, draw_strength};
use super::draw::Draw;
use super::kind::InsertKind;
use super::paint::Painted;
use crate::geometry::{LocalPoint, LpsPoint};

/// Softness of the surfaces before the scan's blur, mm.
const MARGIN_MM: f64 = 1.0;
/// The opening reaches this far behind the wall's place, mm: the cortex's outer half.
const BEHIND_WALL_MM: f64 = 1.2;
/// A bony bulge is at least this dense, HU.
const LEAST_BONE_HU: f64 = 110.0;

/// A dome behind the wall and an opening in it.
struct Breach {
    /// Middle of the opening on the wall.
    place: LocalPoint,
    /// Across and along the spine, mm.
    radius: [f64; 2],
    bulge_mm: f64,
    gap_mm: f64,
    /// How far the rim wanders, mm.
    field: Texture,
}

impl Breach {
    /// Height of the dome and depth inside its rim at a place of the frame, mm.
    fn dome(&self, p: LocalPoint) -> (f64, f64) {
        let (u, s) = (p.u - self.place.u, p.s - self.place.s);
        let wander = 1.0 + 0.18 * self.field.at(DVec3::new(u, s, 0.0) / 5.0);
        let r2 = (u / (self.radius[0] * wander)).powi(2) + (s / (self.radius[1] * wander)).powi(2);
        let r2 = r2.min(1.0);
        let within = (1.0 - r2.sqrt()) * self.radius[1];
        (self.bulge_mm * (1.0 - r2) * (1.0 - r2), within)
    }

    /// Depth inside what stands behind the wall's place, mm.
    fn bulge(&self, p: LocalPoint) -> f64 {
        let behind = self.place.v - p.v;
        let (height, within) = self.dome(p);
        within.min(height - behind).min(behind + 1.0)
    }

    /// Depth inside the opening: the cortex and a shallow bowl of marrow before it, mm.
    fn opening(&self, p: LocalPoint) -> f64 {
        let behind = self.place.v - p.v;
        let (u, s) = (p.u - self.place.u, p.s - self.place.s);
        let wander = 1.0 + 0.2 * self.field.at(DVec3::new(u, p.v, s) / 4.0);
        let before = 1.3 * (-behind).max(0.0);
        let across = DVec3::new(u, 1.15 * s, before).length();
        let (height, _) = self.dome(p);
        (0.5 * self.gap_mm * wander - across).min(height + BEHIND_WALL_MM - behind)
    }
}

/// Wall open for 4 to 14 mm with a bulge of 2 to 7 mm, filled with tissue or bone.
pub(super) fn put_breach(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let bulge = draw_strength(InsertKind::PosteriorWallBreach, draw);
    let [low, high] = InsertKind::PosteriorWallLysis.drawn_from().0;
    let gap = draw.between(low, high);
    let bony = draw.chance(0.5);
    paint(canvas, body, InsertKind::PosteriorWallBreach, bulge, gap, bony, draw)
}

/// Wall open without a bulge.
pub(super) fn put_lysis(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let gap = draw_strength(InsertKind::PosteriorWallLysis, draw);
    paint(canvas, body, InsertKind::PosteriorWallLysis, 0.0, gap, false, draw)
}

fn paint(
    canvas: &mut Canvas,
    body: &Body,
    kind: InsertKind,
    bulge_mm: f64,
    gap_mm: f64,
    bony: bool,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let wall = body.posterior_wall().ok_or(Refusal::NoPosteriorWall)?;
    let [_, _, height] = body.half_size();
    let radius = draw.between(6.5, 10.0).max(0.55 * gap_mm);
    let breach = Breach {
        place: LocalPoint {
            s: draw.between(-0.25, 0.25) * height,
            v: -wall,
            u: draw.between(-5.0, 5.0),
        },
        radius: [
            radius * draw.between(0.85, 1.15),
            (0.8 * radius * draw.between(0.85, 1.15)).min(0.95 * height),
        ],
        bulge_mm,
        gap_mm,
        field: Texture::new(draw.seed()),
    };
    let centre = body.frame.to_lps(breach.place);
    let reach = radius + bulge_mm + 8.0;
    let shares = |depth: &dyn Fn(LocalPoint) -> f64| {
        let inside = |p: LpsPoint| depth(body.frame.to_local(p));
        canvas.shares(centre, reach, MARGIN_MM, inside).ok_or(Refusal::OutsideVolume)
    };
    // Bone above and below is spared: the disc is not the lesion's.
    let within_height = |p: LocalPoint| body.depth_of_height(p) - 0.5;
    let opening = shares(&|p| breach.opening(p).min(within_height(p)))?;
    let behind = shares(&|p| breach.bulge(p).min(within_height(p)))?;
    let all = shares(&|p| breach.opening(p).max(breach.bulge(p)).min(within_height(p)))?;
    if opening.volume_mm3 < 10.0 {
        return Err(Refusal::NoRoom);
    }
    let tissue = draw.between(40.0, 75.0);
    let filling = if bony { body.marrow.max(LEAST_BONE_HU) } else { tissue };
    let noise = borrowed_noise(canvas, all.block, draw);
    let mut values = canvas.read(all.block);
    for (n, value) in values.data_mut().iter_mut().enumerate() {
        let noise = f64::from(noise.data()[n]);
        let [bulge, open] = [&behind, &opening].map(|part| f64::from(part.share.data()[n]));
        let filled = f64::from(*value) * (1.0 - bulge) + bulge * (filling + noise);
        *value = (filled * (1.0 - open) + open * (tissue + noise)) as f32;
    }
    canvas.write(all.block, &values);
    let strength = if kind == InsertKind::PosteriorWallLysis { gap_mm } else { bulge_mm };
    Ok(Painted::new(kind, strength, all)
        .with("bulge_mm", bulge_mm)
        .with("gap_mm", gap_mm)
        .with_flag("bony", bony)
        .with("tissue_hu", tissue)
        .with("marrow_hu", body.marrow)
        .with("wall_mm_behind_centre", wall)
        .with("radius_mm", radius))
}
