//! The patient as a function: a value for every place.
//!
//! Tissues are painted over each other, each with the share of a sample that lies inside it, so
//! that edges are soft by a sample's width and thin cortex keeps its mass.

use glam::DVec3;

use super::bone::{self, bulge_at};
use super::morphometry::S1;
use super::palette::Palette;
use super::pelvis;
use super::random::Texture;
use super::shapes::{ellipse, occupancy, smooth_step};
use super::skeleton::{Along, Segment, Skeleton};
use super::spec::{Lesion, LesionKind, Modality, Spec, Surrounding};

pub(super) struct Scene<'a> {
    pub spec: &'a Spec,
    pub skeleton: &'a Skeleton,
    pub palette: Palette,
    texture: Texture,
    /// Width of a sample, mm: what [`occupancy`] softens by.
    width: f64,
    /// Height of the skin of the back at the middle of the field.
    back_y: f64,
    first_sacral: Option<usize>,
}

fn over(under: f64, paint: f64, alpha: f64) -> f64 {
    under + (paint - under) * alpha
}

impl<'a> Scene<'a> {
    pub fn new(spec: &'a Spec, skeleton: &'a Skeleton, width: f64) -> Self {
        Self {
            spec,
            skeleton,
            palette: Palette::new(spec),
            texture: Texture::new(spec.seed),
            width,
            back_y: skeleton.centre.y() + 66.0,
            first_sacral: skeleton.segments.iter().position(|segment| segment.row == S1),
        }
    }

    fn has(&self, surrounding: Surrounding) -> bool {
        self.spec.surroundings.contains(&surrounding)
    }

    /// Whether the body of segment `index` covers a place.
    pub fn in_body(&self, index: usize, p: DVec3) -> bool {
        let segment = &self.skeleton.segments[index];
        bone::distance(segment, segment.to_local(p)).body() >= 0.0
    }

    /// Share of lesion `lesion` of a segment at a place in the segment's axes, 0..1.
    pub fn lesion_share(&self, segment: &Segment, lesion: &Lesion, local: DVec3) -> f64 {
        let half = segment.half_size();
        match lesion.kind {
            LesionKind::Sclerotic { .. } | LesionKind::T1Replacement { .. } => {
                let centre = DVec3::from(lesion.place) * half;
                smooth_step(self.blob(local - centre, lesion) / 3.0)
            }
            LesionKind::PosteriorWallBreach { gap_mm, .. } => {
                let centre =
                    DVec3::new(lesion.place[0] * half.x, -half.y + 1.0, lesion.place[2] * half.z);
                let d = local - centre;
                // Marrow lost just in front of the opening, and everything in the opening itself.
                let shallow = DVec3::new(d.x, d.y * 1.9, d.z * 1.25);
                let share = smooth_step(
                    self.blob(shallow, &Lesion { radius_mm: 0.62 * lesion.radius_mm, ..*lesion }) / 2.5,
                );
                let across = (d.x * d.x + (1.3 * d.z) * (1.3 * d.z)).sqrt();
                let opening = occupancy(0.5 * gap_mm - across, 2.0)
                    * if d.y < 3.0 { 1.0 } else { 0.0 };
                if gap_mm > 0.0 { share.max(opening) } else { share }
            }
        }
    }

    /// Signed distance to an irregular ball about the origin, positive inside.
    fn blob(&self, p: DVec3, lesion: &Lesion) -> f64 {
        let r = lesion.radius_mm;
        let shift = DVec3::new(lesion.place[0] * 7.3 + 3.1, 5.7, lesion.place[2] * 9.1);
        let rough = 0.30 * self.texture.at(p / (0.75 * r) + shift)
            + 0.14 * self.texture.at(p / (0.33 * r) + shift);
        r * (1.0 + rough) - p.length()
    }

    /// The value at a place, before blur, noise and coil.
    pub fn value(&self, p: DVec3) -> f64 {
        let along = self.skeleton.along(p);
        let mut value = self.soft_tissue(p, along);
        if along.u.abs() > 130.0 || along.v.abs() > 120.0 {
            return value;
        }
        value = self.column(value, along);
        self.bones(value, p, along)
    }

    /// Air, skin, fat, muscle, bowel, kidneys, vessels.
    fn soft_tissue(&self, p: DVec3, along: Along) -> f64 {
        let palette = &self.palette;
        let [canal_x, canal_y] = self.skeleton.canal_at_z(p.z);
        let x = p.x - canal_x * 0.8 - self.skeleton.centre.x() * 0.2;
        let y = p.y - canal_y;
        let grain = |mm: f64| self.texture.at(p / mm);
        let w = self.width;

        // The back follows the lordosis in part; the outline is a rounded box.
        let back = self.back_y + 0.55 * (canal_y - self.skeleton.centre.y());
        let groove = 5.0 * libm::exp(-(x / 14.0) * (x / 14.0));
        let depth = 112.0;
        let (sx, sy) = ((x / 172.0).abs(), ((p.y - back + depth + groove) / depth).abs());
        let (sx, sy) = (sx * sx * sx, sy * sy * sy);
        let skin = if self.has(Surrounding::BodyOutline) {
            (1.0 - libm::cbrt(sx + sy)) * depth
        } else {
            40.0 + depth * (1.0 - libm::cbrt(sx + sy)).max(0.0)
        };
        if skin < -w {
            return self.outside(p, back);
        }
        let mut value = over(palette.air, palette.skin, occupancy(skin, w));
        let fat = palette.fat + palette.fat_grain * grain(3.0);
        value = over(value, fat, occupancy(skin - 1.8, w));

        // Fascia of the trunk: beneath it the wall's muscle, then the cavity.
        let row = self.skeleton.row_at_z(p.z);
        let pad = if y > 10.0 { 11.0 + 5.0 * (row - 13.0).clamp(0.0, 5.0) } else { 24.0 };
        let fascia = skin - pad - 2.0 * grain(25.0);
        let muscle = palette.muscle + palette.muscle_grain * grain(2.2);
        let a = x.abs();
        if y < 4.0 {
            value = over(value, muscle, occupancy(fascia, w));
            let cavity = fascia - 11.0;
            if cavity > -w {
                let loops = grain(17.0) + 0.5 * grain(9.0);
                let loop_share = smooth_step((loops - 0.15) / 0.25) * smooth_step((-y - 62.0) / 8.0);
                let bowel = palette.bowel + palette.bowel_grain * grain(5.0);
                let gas = smooth_step((loops - 1.15) / 0.15) * smooth_step((-y - 90.0) / 10.0);
                let content = over(over(fat, bowel, loop_share), palette.gas, gas * loop_share);
                value = over(value, content, occupancy(cavity, w));
            }
        }

        // Erector spinae and multifidus: two lobes behind the laminae with streaks of fat.
        let size = (1.0 - 0.07 * (row - 15.0).max(0.0)).max(0.45);
        let streak = smooth_step((grain(4.5) + 0.7 * grain(2.6) - 1.25 + 0.12 * (row - 14.0)) / 0.4);
        let streaky = over(muscle, fat, 0.75 * streak);
        let medial = ellipse(a - 15.0, y - 27.0, 14.0 * size + 2.0, 19.0 * size);
        let lateral = ellipse(a - 41.0 * size - 2.0, y - 23.0 * size, 21.0 * size, 19.0 * size);
        let erector = medial.max(lateral).min(fascia);
        value = over(value, streaky, occupancy(erector, w));
        // Septum between the lobes.
        value = over(value, fat, 0.6 * occupancy(1.0 - (medial - lateral).abs() * 0.5, w)
            * occupancy(medial.min(lateral), 2.0));
        // Quadratus lumborum.
        let quadratus = ellipse(a - 62.0, y + 6.0, 17.0, 9.0);
        let quadratus_share = smooth_step((row - 11.5) / 1.0) * smooth_step((16.4 - row) / 0.6);
        value = over(value, muscle, quadratus_share * occupancy(quadratus, w));
        // Psoas grows downwards beside the bodies.
        let half_width = self.skeleton.blend(along, |s| s.half_size().x);
        let grown = ((row - 11.6) / 4.4).clamp(0.0, 1.0);
        if grown > 0.0 {
            let radius = 5.0 + 15.0 * grown;
            let outward = half_width.min(25.0) + 0.72 * radius + 9.0 * (row - 16.0).max(0.0);
            let psoas = ellipse(
                along.u.abs() - outward,
                along.v + 6.0 - 8.0 * grown - 10.0 * (row - 16.2).max(0.0),
                radius,
                radius * 1.12,
            );
            value = over(value, muscle, occupancy(psoas, w));
        }
        // Kidneys.
        let kidney_row = row - 12.8;
        if kidney_row.abs() < 1.9 {
            let shrink = (1.0 - (kidney_row / 1.9) * (kidney_row / 1.9)).sqrt();
            let kidney = ellipse(a - 70.0, y + 22.0, 25.0 * shrink, 23.0 * shrink);
            let sinus = ellipse(a - 60.0, y + 24.0, 11.0 * shrink, 8.0 * shrink);
            let tissue = palette.kidney + 0.4 * palette.muscle_grain * grain(4.0);
            value = over(value, tissue, occupancy(kidney, w));
            value = over(value, fat, occupancy(sinus, w));
        }
        if self.has(Surrounding::Vessels) {
            value = self.vessels(value, along, row);
        }
        value
    }

    /// Aorta in front and to the left, vena cava to the right; the aorta parts before L4.
    fn vessels(&self, under: f64, along: Along, row: f64) -> f64 {
        let palette = &self.palette;
        let half_depth = self.skeleton.blend(along, |s| s.half_size().y);
        let parted = ((row - 15.3) * 13.0).clamp(0.0, 34.0);
        let v = along.v - half_depth - 12.0 + 0.25 * parted;
        let sunk = if row > 11.0 { 1.0 } else { 0.0 };
        let mut value = under;
        if parted > 0.0 {
            for side in [-1.0, 1.0] {
                let artery = ellipse(along.u - 5.0 - side * parted * 0.8, v, 6.0, 6.5);
                value = over(value, palette.artery, occupancy(artery, self.width));
            }
        } else {
            let artery = ellipse(along.u - 8.0, v, 9.5, 9.5);
            value = over(value, palette.vessel_wall, occupancy(artery + 1.2, self.width));
            value = over(value, palette.artery, occupancy(artery, self.width));
        }
        let vein_v = v + 1.5;
        if row < 16.0 {
            let vein = ellipse(along.u + 17.0, vein_v, 11.0, 8.0) * sunk;
            value = over(value, palette.vein, sunk * occupancy(vein, self.width));
        }
        value
    }

    fn outside(&self, p: DVec3, back: f64) -> f64 {
        if self.has(Surrounding::Couch) && self.spec.modality == Modality::Ct {
            let x = (p.x - self.skeleton.centre.x()) / 260.0;
            let below = p.y - (self.back_y.max(back) + 9.0 - 18.0 * x * x);
            if below > 0.0 {
                let shell = occupancy(1.2 - (below - 1.2).abs(), self.width)
                    .max(occupancy(1.2 - (below - 45.0).abs(), self.width));
                let foam = if below < 45.0 { -960.0 } else { self.palette.air };
                return over(foam, -250.0, shell);
            }
        }
        self.palette.air
    }

    /// Discs, ligaments and canal content, continuous along the curved column.
    fn column(&self, under: f64, along: Along) -> f64 {
        let palette = &self.palette;
        let blend = |size: fn(&Segment) -> f64| self.skeleton.blend(along, size);
        let (a, b) = (blend(|s| s.half_size().x), blend(|s| s.half_size().y));
        let row = self.skeleton.segments[along.index].row as f64 + along.share;
        let mut value = under;
        // Discs bulge a little over the rims; bodies are painted over this column later.
        let disc = super::shapes::body_outline(along.u, along.v, a + 1.6, b + 1.0, 1.0);
        if disc > -3.0 {
            let ligament = occupancy(disc + 1.0, self.width);
            value = over(value, palette.ligament, 0.8 * ligament);
            value = over(value, palette.annulus, occupancy(disc, self.width));
            value = over(value, palette.nucleus, smooth_step((disc - 6.0) / 5.0));
        }
        // Behind the bodies: the canal with fat, sac, cord or roots.
        let (width, depth) = (blend(|s| s.canal[0]), blend(|s| s.canal[1]));
        let v = along.v + b + 0.5 * depth;
        // Flat in front, rounder behind.
        let canal = ellipse(along.u, v, 0.5 * width, if v > 0.0 { 0.52 * depth } else { 0.5 * depth })
            .max((0.36 * width - along.u.abs()).min(0.5 * depth - v.abs()).min(v + 0.15 * depth));
        if canal > -4.0 {
            // Yellow ligament lines the back of the canal between the laminae.
            if v < 0.0 && row < S1 as f64 {
                value = over(value, palette.flavum, occupancy(canal + 3.2, self.width)
                    * smooth_step((-v - 1.0) / 3.0));
            }
            value = over(value, palette.epidural_fat, occupancy(canal, self.width));
            let sac_taper = (1.0 - 0.28 * (row - 16.0).max(0.0)).max(0.0);
            if sac_taper > 0.05 {
                let sac_v = v - 0.10 * depth;
                let sac = ellipse(
                    along.u,
                    sac_v,
                    0.40 * width * sac_taper,
                    0.40 * depth * sac_taper,
                );
                value = over(value, palette.csf, occupancy(sac, self.width));
                if row < 12.4 {
                    let taper = ((12.6 - row) / 1.0).clamp(0.25, 1.0);
                    let cord = ellipse(along.u, sac_v, 4.6 * taper, 3.6 * taper);
                    value = over(value, palette.cord, occupancy(cord, self.width));
                } else {
                    let roots = ellipse(
                        along.u,
                        sac_v + 0.16 * depth * sac_taper,
                        0.28 * width * sac_taper,
                        0.15 * depth * sac_taper,
                    );
                    value = over(value, palette.roots, 0.7 * occupancy(roots, 1.5));
                }
            }
        }
        value
    }

    /// Marrow of a segment at a place in its axes: grain, darker about the vein, denser at the
    /// endplates, with its lesions.
    fn marrow(&self, segment: &Segment, local: DVec3, body: f64) -> f64 {
        let palette = &self.palette;
        let seat = local + DVec3::splat(37.0 * segment.row as f64);
        // Trabeculae run up and down: the grain is drawn out along s.
        let fine = self.texture.at(seat * DVec3::new(0.45, 0.45, 0.25));
        let coarse = self.texture.at(seat * DVec3::new(0.13, 0.13, 0.13));
        let half = segment.half_size();
        let towards_endplate = smooth_step((local.z.abs() / half.z - 0.75) / 0.5);
        let mut marrow = palette.marrow
            * (1.0
                + palette.marrow_fine * fine
                + palette.marrow_coarse * coarse
                + palette.marrow_endplate * (towards_endplate - 0.35));
        if body < 0.0 {
            marrow *= palette.posterior_marrow;
        }
        // Basivertebral vein: enters at the middle of the back wall.
        let from_wall = local.y + half.y;
        if !segment.is_sacral() && from_wall < 0.7 * half.y && bulge_at(segment, local.x, local.z) < 1.0 {
            let vein = ellipse(local.x, local.z + 0.5, 5.0 - 0.25 * from_wall, 2.6 - 0.1 * from_wall.max(0.0));
            let share = smooth_step(vein / 1.6) * smooth_step((0.36 * half.y - from_wall) / 4.0);
            marrow = over(marrow, palette.basivertebral, share);
        }
        for lesion in &segment.lesions {
            let share = self.lesion_share(segment, lesion, local);
            if share <= 0.0 {
                continue;
            }
            match lesion.kind {
                LesionKind::Sclerotic { contrast_hu } => {
                    marrow += share * contrast_hu * (1.0 + 0.12 * fine + 0.08 * coarse);
                }
                LesionKind::PosteriorWallBreach { .. } => {
                    marrow = over(marrow, palette.tumour, share);
                }
                LesionKind::T1Replacement { signal_share } => {
                    let tumour = palette.marrow * signal_share * (1.0 + 0.10 * coarse + 0.05 * fine);
                    marrow = over(marrow, tumour, share);
                }
            }
        }
        marrow
    }

    /// How far the cortex is taken away by a wall breach at a place, 0..1.
    fn opening(&self, segment: &Segment, local: DVec3) -> f64 {
        let half = segment.half_size();
        if local.y > -half.y + 5.0 {
            return 0.0;
        }
        let mut open: f64 = 0.0;
        for lesion in &segment.lesions {
            if let LesionKind::PosteriorWallBreach { gap_mm, .. } = lesion.kind {
                let du = local.x - lesion.place[0] * half.x;
                let ds = 1.3 * (local.z - lesion.place[2] * half.z);
                let ragged = 1.0 + 0.25 * self.texture.at(DVec3::new(du / 4.0, 0.3, ds / 4.0));
                open = open.max(occupancy(0.5 * gap_mm * ragged - (du * du + ds * ds).sqrt(), 1.5));
            }
        }
        // The vein's own opening.
        if !segment.is_sacral() {
            open = open.max(0.85 * occupancy(ellipse(local.x, local.z + 0.5, 4.0, 2.4), 1.2));
        }
        open
    }

    fn bones(&self, under: f64, p: DVec3, along: Along) -> f64 {
        let palette = &self.palette;
        let w = self.width;
        let mut value = under;
        let canal_content = under;
        let count = self.skeleton.segments.len();
        let from = along.index.saturating_sub(1);
        let to = (along.index + 3).min(count);

        // The canal keeps its content against everything but bodies.
        let depth = self.skeleton.blend(along, |s| s.canal[1]);
        let width = self.skeleton.blend(along, |s| s.canal[0]);
        let half_depth = self.skeleton.blend(along, |s| s.half_size().y);
        let canal_v = along.v + half_depth + 0.5 * depth;
        let canal = ellipse(along.u, canal_v, 0.5 * width, 0.52 * depth)
            .max((0.36 * width - along.u.abs()).min(0.5 * depth - canal_v.abs()).min(canal_v + 0.15 * depth));
        let canal_share = occupancy(canal, w);

        if self.first_sacral.is_some() {
            let wing = pelvis::sacral_wing(self.skeleton, along, p);
            value = self.simple_bone(value, wing, 1.1, p);
            if let Some(first) = self.first_sacral {
                let ilium = pelvis::ilium(&self.skeleton.segments[first], p);
                value = self.simple_bone(value, ilium, 1.4, p);
            }
        }
        for index in from..to {
            let segment = &self.skeleton.segments[index];
            let local = segment.to_local(p);
            if self.has(Surrounding::Ribs) {
                value = self.simple_bone(value, pelvis::ribs(segment, local), 1.0, p);
            }
            let d = bone::distance(segment, local);
            if d.posterior > -2.0 {
                let outer = occupancy(d.posterior, w);
                let inner = occupancy((d.posterior - 1.3).max(d.body() - palette.wall_mm), w);
                let bone = over(palette.arch_cortex, self.marrow(segment, local, d.body()), inner);
                value = over(value, bone, outer);
            }
        }
        value = over(value, canal_content, canal_share);
        for index in from..to {
            let segment = &self.skeleton.segments[index];
            let local = segment.to_local(p);
            let d = bone::distance(segment, local);
            if d.body() > -2.0 {
                let outer = occupancy(d.body(), w);
                if outer <= 0.0 {
                    continue;
                }
                let wall = occupancy(d.wall - palette.wall_mm, w).max(occupancy(d.posterior - 2.0, w));
                let end = occupancy(d.endplate - palette.endplate_mm, w);
                let open = self.opening(segment, local);
                let marrow = self.marrow(segment, local, d.body());
                let mut bone = over(palette.cortex, marrow, wall.max(open));
                bone = over(palette.endplate, bone, end);
                value = over(value, bone, outer);
            }
        }
        value
    }

    /// Cortex of `cortex_mm` round marrow without lesions.
    fn simple_bone(&self, under: f64, inside: f64, cortex_mm: f64, p: DVec3) -> f64 {
        let outer = occupancy(inside, self.width);
        if outer <= 0.0 {
            return under;
        }
        let grain = self.texture.at(p / 2.6);
        let marrow = self.palette.marrow
            * self.palette.pelvic_marrow
            * (1.0 + 1.4 * self.palette.marrow_fine * grain);
        let bone =
            over(self.palette.arch_cortex, marrow, occupancy(inside - cortex_mm, self.width));
        over(under, bone, outer)
    }
}
