//! The patient as a function: a value for every place.
//!
//! Tissues are painted over each other, each with the share of a sample that lies inside it, so
//! that edges are soft by a sample's width and thin cortex keeps its mass.

use glam::DVec3;

use super::bone::{self, BoneDistance, bulge_at};
use super::morphometry::S1;
use super::palette::Palette;
use super::pelvis;
use super::random::Texture;
use super::shapes::{body_outline, canal_outline, ellipse, occupancy, slab, smooth_step};
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

/// No place is moved further than this by [`Scene::warped`], mm.
const WARP_MM: f64 = 3.0;

/// Far outside.
const FAR: f64 = -50.0;

/// What may reach into a ball of places: found once for many of them.
pub(super) struct Near {
    /// The segment from which to search the column.
    from: usize,
    /// Numbers of the segments.
    segments: Vec<usize>,
    /// Numbers of the segments with ribs.
    ribs: Vec<usize>,
    pelvis: bool,
    column: bool,
}

impl Near {
    /// Neither bone nor disc nor canal.
    pub fn is_soft(&self) -> bool {
        self.segments.is_empty() && self.ribs.is_empty() && !self.pelvis && !self.column
    }
}

/// Distances to the bones about a place.
struct BoneNear {
    wing: f64,
    ilium: f64,
    rib: f64,
    /// Number of the segment, the place in its axes, distances.
    segments: [Option<(usize, DVec3, BoneDistance)>; 5],
}

/// Size of the back muscles at a level (rows of the morphometry table): they taper on the sacrum.
fn muscle_size(row: f64) -> f64 {
    (1.0 - 0.06 * (row - 15.0).max(0.0)).max(0.5)
}

/// `paint` over `under` with opacity `alpha`.
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
        bone::distance(segment, segment.to_local(self.warped(p))).body() >= 0.0
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
                    self.blob(shallow, &Lesion { radius_mm: 0.62 * lesion.radius_mm, ..*lesion })
                        / 2.5,
                );
                let across = (d.x * d.x + (1.3 * d.z) * (1.3 * d.z)).sqrt();
                let opening =
                    occupancy(0.5 * gap_mm - across, 2.0) * if d.y < 3.0 { 1.0 } else { 0.0 };
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

    /// A place moved by under a millimetre, smoothly: no bone is as regular as a formula.
    pub fn warped(&self, p: DVec3) -> DVec3 {
        let q = p / 8.0;
        p + 0.65
            * DVec3::new(
                self.texture.at(q + DVec3::splat(3.3)),
                self.texture.at(q + DVec3::splat(11.7)),
                self.texture.at(q + DVec3::splat(19.1)),
            )
    }

    /// What may reach within `radius` of a place.
    pub fn near(&self, centre: DVec3, radius: f64) -> Near {
        let along = self.skeleton.along(centre, 0);
        let from = along.index.saturating_sub(2);
        let radius = radius + WARP_MM;
        let mut near = Near { from, segments: vec![], ribs: vec![], pelvis: false, column: false };
        for (index, segment) in self.skeleton.segments.iter().enumerate() {
            let local = segment.to_local(centre);
            if bone::within_reach(segment, local, radius) {
                near.segments.push(index);
            }
            if self.has(Surrounding::Ribs) && pelvis::ribs(segment, local) > -radius {
                near.ribs.push(index);
            }
        }
        if let Some(first) = self.first_sacral {
            near.pelvis = (centre - self.skeleton.segments[first].origin).length() < 165.0 + radius;
        }
        let half = self.skeleton.blend(along, |s| s.half_size().max_element());
        near.column = along.u.abs() < half + 6.0 + radius
            && along.v < half + 6.0 + radius
            && along.v > -half - 30.0 - radius;
        near
    }

    /// Soft tissue at a place, before blur, noise and coil.
    pub fn soft(&self, p: DVec3, near: &Near) -> f64 {
        let p = self.warped(p);
        self.soft_tissue(p, self.skeleton.along(p, near.from))
    }

    /// Discs, canal and bone at a place, over soft tissue of a given value.
    pub fn hard(&self, p: DVec3, soft: f64, near: &Near) -> f64 {
        let p = self.warped(p);
        let along = self.skeleton.along(p, near.from);
        let under = if near.column { self.column(soft, along) } else { soft };
        self.bones(under, p, along, &self.bone_near(p, along, near))
    }

    /// Thickest shell of bone, mm: deeper than this there is marrow alone.
    pub fn shell_mm(&self) -> f64 {
        1.5
    }

    /// How deep a place lies in the nearest bone, disc or canal, mm, negative outside; within the
    /// reach of edges the least distance to one.
    pub fn depth(&self, p: DVec3, near: &Near) -> f64 {
        let p = self.warped(p);
        let along = self.skeleton.along(p, near.from);
        if near.column {
            let half = self.skeleton.blend(along, |s| s.half_size().max_element());
            if along.u.abs() < half && along.v < half + 2.0 && along.v > -half - 24.0 {
                let bone = self.bone_near(p, along, near);
                // Deep in a body, or else among the edges of disc and canal.
                let body = bone.segments.iter().flatten().map(|(_, _, d)| d.body());
                return body.fold(0.0, f64::max);
            }
        }
        let near = self.bone_near(p, along, near);
        let mut nearest = near.wing.max(near.ilium).max(near.rib);
        for (_, _, d) in near.segments.iter().flatten() {
            nearest = nearest.max(d.body()).max(d.posterior);
        }
        nearest
    }

    fn bone_near(&self, p: DVec3, along: Along, about: &Near) -> BoneNear {
        let mut near = BoneNear { wing: FAR, ilium: FAR, rib: FAR, segments: [None; 5] };
        if let (true, Some(first)) = (about.pelvis, self.first_sacral) {
            near.wing = pelvis::sacral_wing(self.skeleton, along, p);
            near.ilium = pelvis::ilium(&self.skeleton.segments[first], p);
        }
        for &index in &about.ribs {
            let segment = &self.skeleton.segments[index];
            near.rib = near.rib.max(pelvis::ribs(segment, segment.to_local(p)));
        }
        for (slot, &index) in near.segments.iter_mut().zip(&about.segments) {
            let segment = &self.skeleton.segments[index];
            let local = segment.to_local(p);
            *slot = Some((index, local, bone::distance(segment, local)));
        }
        near
    }

    /// Air, skin, fat, muscle, bowel, kidneys, vessels.
    fn soft_tissue(&self, p: DVec3, along: Along) -> f64 {
        let palette = &self.palette;
        let [canal_x, canal_y] = self.skeleton.canal_at_z(p.z);
        let grain = |mm: f64| self.texture.at(p / mm);
        let w = self.width;
        // Organs are less regular than bone.
        let x = p.x - canal_x * 0.8 - self.skeleton.centre.x() * 0.2 + 3.0 * grain(24.0);
        let y = p.y - canal_y + 2.5 * self.texture.at(p / 21.0 + DVec3::splat(9.0));
        let a = x.abs();

        // The back follows the lordosis in part; the outline is a rounded box.
        let back = self.back_y + 0.55 * (canal_y - self.skeleton.centre.y());
        let groove = 6.0 * libm::exp(-(x / 13.0) * (x / 13.0));
        let depth = 112.0;
        let (sx, sy) = ((x / 172.0).abs(), ((p.y - back + depth + groove) / depth).abs());
        let (sx, sy) = (sx * sx * sx, sy * sy * sy);
        let outline = (1.0 - libm::cbrt(sx + sy)) * depth;
        let skin =
            if self.has(Surrounding::BodyOutline) { outline } else { 40.0 + outline.max(0.0) };
        if skin < -w {
            return self.outside(p, back);
        }
        let mut value = over(palette.air, palette.skin, occupancy(skin, w));
        // Septa run through fat as thin darker sheets.
        let septum = smooth_step(1.0 - grain(7.0).abs() / 0.10);
        let fat = over(palette.fat + palette.fat_grain * grain(3.0), palette.muscle, 0.10 * septum);
        value = over(value, fat, occupancy(skin - 1.8, w));

        // Fascia of the trunk: beneath it the wall's muscle, then the cavity.
        let row = self.skeleton.row_at_z(p.z);
        let pad = if y > 10.0 { 8.0 + 5.5 * (row - 13.5).clamp(0.0, 5.0) } else { 24.0 };
        let fascia = skin - pad - 2.0 * grain(25.0);
        // Fibres run along the body.
        let fibre = self.texture.at(p * DVec3::new(0.42, 0.42, 0.12));
        let muscle = palette.muscle + palette.muscle_grain * fibre;
        if y < 4.0 {
            value = over(value, muscle, occupancy(fascia, w));
            let cavity = fascia - 11.0;
            if cavity > -w {
                let loops = grain(17.0) + 0.5 * grain(9.0);
                let loop_share = smooth_step((loops + 0.1) / 0.2) * smooth_step((-y - 62.0) / 8.0);
                let bowel = palette.bowel + palette.bowel_grain * grain(5.0);
                let gas = smooth_step((loops - 1.15) / 0.15) * smooth_step((-y - 90.0) / 10.0);
                let content = over(over(fat, bowel, loop_share), palette.gas, gas * loop_share);
                value = over(value, content, occupancy(cavity, w));
            }
        }
        let lobes = Self::back_muscles([a, y], row).min(fascia);
        if lobes > -w {
            let streaked = over(muscle, fat, self.muscle_fat(p, [a, y], row));
            value = over(value, streaked, occupancy(lobes, w));
        }
        // Quadratus lumborum.
        let quadratus = ellipse(a - 62.0, y + 4.0, 19.0, 9.0);
        let quadratus_share = smooth_step((row - 11.5) / 1.0) * smooth_step((16.4 - row) / 0.6);
        value = over(value, muscle, quadratus_share * occupancy(quadratus, w));
        // Psoas grows downwards beside the bodies.
        let half_width = self.skeleton.blend(along, |s| s.half_size().x);
        let grown = ((row - 11.6) / 4.4).clamp(0.0, 1.0);
        if grown > 0.0 {
            let radius = 5.0 + 15.0 * grown;
            let outward = half_width.min(25.0) + 0.72 * radius + 9.0 * (row - 16.0).max(0.0);
            let psoas = ellipse(
                along.u.abs() - outward + 2.0 * grain(19.0),
                along.v + 6.0 - 8.0 * grown - 10.0 * (row - 16.2).max(0.0) + 2.0 * grain(16.0),
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
            let sinus = ellipse(a - 58.0, y + 24.0, 11.0 * shrink, 7.0 * shrink) + 2.0 * grain(6.0);
            let tissue = palette.kidney + 0.4 * palette.muscle_grain * grain(4.0);
            value = over(value, tissue, occupancy(kidney, w));
            value = over(value, fat, occupancy(sinus, w));
        }
        if self.has(Surrounding::Vessels) {
            value = self.vessels(value, along, row);
        }
        value
    }

    /// Distance to erector spinae and multifidus, positive inside: two lobes on each side that
    /// fill the space between laminae and fascia. `a` is the distance from the midline, `y` that
    /// behind the canal's axis.
    fn back_muscles([a, y]: [f64; 2], row: f64) -> f64 {
        let size = muscle_size(row);
        let medial = ellipse(a - 16.0, y - 21.0, 18.0 * size + 2.0, 27.0 * size);
        let lateral = ellipse(a - 41.0 * size - 2.0, y - 20.0 * size, 31.0 * size, 24.0 * size);
        medial.max(lateral)
    }

    /// Share of fat at a place in the back muscles: streaks along the fibres, more of them lower
    /// down, the cleft between the two muscles, loose fat beside the spinous processes.
    fn muscle_fat(&self, p: DVec3, [a, y]: [f64; 2], row: f64) -> f64 {
        let streaks = self.texture.at(p * DVec3::new(0.3, 0.3, 0.07))
            + 0.7 * self.texture.at(p * DVec3::new(0.5, 0.5, 0.16));
        let streak = 0.7 * smooth_step((streaks - 1.15 + 0.14 * (row - 14.0)) / 0.5);
        let width = 0.9 + 0.5 * (row - 14.0).clamp(0.0, 3.0);
        let cleft = slab(a, y, [20.0, 8.0], [36.0 * muscle_size(row), 46.0], width);
        let midline = 3.0 - a + 0.2 * (y - 20.0).max(0.0);
        over(streak, 1.0, 0.75 * occupancy(cleft.max(midline), 1.5))
    }

    /// Aorta in front and to the left, vena cava to the right; both part before L4 and L5.
    fn vessels(&self, under: f64, along: Along, row: f64) -> f64 {
        let palette = &self.palette;
        let w = self.width;
        let half_depth = self.skeleton.blend(along, |s| s.half_size().y);
        let parting = (row - 15.2).max(0.0);
        let v = along.v - half_depth - 12.0 + (5.0 * parting).min(10.0);
        let mut value = under;
        let narrowed = (parting * 2.5).min(1.0);
        let vein_parting = (row - 15.7).max(0.0);
        let vein_narrowed = (vein_parting * 2.5).min(1.0);
        for side in [-1.0, 1.0] {
            let shift = side * (15.0 * vein_parting).min(30.0);
            let vein = ellipse(
                along.u + 17.0 - 12.0 * vein_narrowed + shift,
                v + 1.5 - 4.0 * vein_narrowed,
                11.0 - 4.0 * vein_narrowed,
                8.0 - 2.0 * vein_narrowed,
            );
            value = over(value, palette.vein, occupancy(vein, w) * smooth_step((row - 10.5) / 1.0));
        }
        for side in [-1.0, 1.0] {
            let shift = side * (14.0 * parting).min(32.0);
            let radius = 9.5 - 3.5 * narrowed;
            let artery = ellipse(along.u - 8.0 + 4.0 * narrowed - shift, v, radius, radius);
            value = over(
                value,
                palette.vessel_wall,
                occupancy(artery + 1.0, w) * (1.0 - occupancy(artery, w)),
            );
            value = over(value, palette.artery, occupancy(artery, w));
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
        let disc = body_outline(along.u, along.v, a + 1.6, b + 1.0, 1.0);
        if disc > -3.0 {
            let ligament = occupancy(disc + 1.0, self.width);
            value = over(value, palette.ligament, 0.8 * ligament);
            value = over(value, palette.annulus, occupancy(disc, self.width));
            value = over(value, palette.nucleus, smooth_step((disc - 6.0) / 5.0));
        }
        // Behind the bodies: the canal with fat, sac, cord or roots.
        let (canal, v, width, depth) = self.canal(along);
        if canal > -4.0 {
            // Yellow ligament lines the back of the canal between the laminae.
            if v < 0.0 && row < S1 as f64 {
                value = over(
                    value,
                    palette.flavum,
                    occupancy(canal + 3.2, self.width) * smooth_step((-v - 1.0) / 3.0),
                );
            }
            value = over(value, palette.epidural_fat, occupancy(canal, self.width));
            let sac_taper = (1.0 - 0.28 * (row - 16.0).max(0.0)).max(0.0);
            if sac_taper > 0.05 {
                let sac_v = v - 0.10 * depth;
                let sac =
                    ellipse(along.u, sac_v, 0.40 * width * sac_taper, 0.40 * depth * sac_taper);
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
        if !segment.is_sacral()
            && from_wall < 0.7 * half.y
            && bulge_at(segment, local.x, local.z) < 1.0
        {
            let vein = ellipse(
                local.x,
                local.z + 0.5,
                5.0 - 0.25 * from_wall,
                2.6 - 0.1 * from_wall.max(0.0),
            );
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
                    let tumour =
                        palette.marrow * signal_share * (1.0 + 0.10 * coarse + 0.05 * fine);
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

    fn bones(&self, under: f64, p: DVec3, along: Along, near: &BoneNear) -> f64 {
        let palette = &self.palette;
        let w = self.width;
        // The canal keeps its content against everything but bodies.
        let canal_share = occupancy(self.canal(along).0, w);
        let mut value = self.simple_bone(under, near.wing, 0.75 * palette.arch_mm, p);
        value = self.simple_bone(value, near.ilium, 1.3 * palette.arch_mm, p);
        value = self.simple_bone(value, near.rib, palette.arch_mm, p);
        for &(index, local, d) in near.segments.iter().flatten() {
            if d.posterior > -1.0 {
                let segment = &self.skeleton.segments[index];
                let outer = occupancy(d.posterior, w);
                let inner =
                    occupancy((d.posterior - palette.arch_mm).max(d.body() - palette.wall_mm), w);
                let bone = over(palette.arch_cortex, self.marrow(segment, local, d.body()), inner);
                value = over(value, bone, outer);
            }
        }
        value = over(value, under, canal_share);
        for &(index, local, d) in near.segments.iter().flatten() {
            let outer = occupancy(d.body(), w);
            if outer <= 0.0 {
                continue;
            }
            let segment = &self.skeleton.segments[index];
            // No cortex between the body and what grows out of it.
            let grown = if segment.is_sacral() { near.wing - 1.5 } else { d.posterior - 2.0 };
            let wall = occupancy(d.wall - palette.wall_mm, w).max(occupancy(grown, w));
            let end = occupancy(d.endplate - palette.endplate_mm, w);
            let open = self.opening(segment, local);
            let marrow = self.marrow(segment, local, d.body());
            let bone = over(palette.cortex, marrow, wall.max(open));
            value = over(value, over(palette.endplate, bone, end), outer);
        }
        value
    }

    /// Distance to the canal's wall, and the place about the canal's centre: `(d, v)`, with the
    /// canal's width and depth.
    fn canal(&self, along: Along) -> (f64, f64, f64, f64) {
        let blend = |size: fn(&Segment) -> f64| self.skeleton.blend(along, size);
        let (width, depth) = (blend(|s| s.canal[0]), blend(|s| s.canal[1]));
        let v = along.v + blend(|s| s.half_size().y) + 0.5 * depth;
        (canal_outline(along.u, v, width, depth), v, width, depth)
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
