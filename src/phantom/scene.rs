//! The patient as a function: a value for every place.
//!
//! Tissues are painted over each other, each with the share of a sample that lies inside it, so
//! that edges are soft by a sample's width and thin cortex keeps its mass.

use glam::DVec3;

use super::bone::{self, BoneDistance};
use super::cervical;
use super::morphometry::S1;
use super::palette::Palette;
use super::pelvis;
use super::random::Texture;
use super::rods::{self, Rod, RodKind};
use super::shapes::{body_outline, canal_outline, ellipse, occupancy, smooth_step};
use super::skeleton::{Along, Segment, Skeleton};
use super::spec::{LesionKind, LookAlikeKind, Spec, Surrounding};
use super::trunk::Trunk;
use crate::terms::Level;

pub(super) struct Scene<'a> {
    pub spec: &'a Spec,
    pub skeleton: &'a Skeleton,
    pub palette: Palette,
    pub(super) texture: Texture,
    /// Width of a sample, mm: what [`occupancy`] softens by.
    pub(super) width: f64,
    pub(super) trunk: Trunk,
    rods: Vec<Rod>,
    /// Where the couch begins behind the back.
    pub(super) couch_y: f64,
    first_sacral: Option<usize>,
    /// The atlas, which carries the skull.
    pub(super) atlas: Option<Segment>,
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
    /// Numbers of the rods.
    rods: Vec<usize>,
    pelvis: bool,
    skull: bool,
    column: bool,
}

impl Near {
    /// Neither bone nor disc nor canal.
    pub fn is_soft(&self) -> bool {
        self.segments.is_empty()
            && self.rods.is_empty()
            && !self.pelvis
            && !self.skull
            && !self.column
    }
}

/// At most this many segments reach into one tile, see [`super::raster`].
const NEAR_SEGMENTS: usize = 8;

/// Distances to the bones about a place.
struct BoneNear {
    wing: f64,
    ilium: f64,
    skull: f64,
    /// Distance to the nearest rod and what it is.
    rod: (f64, RodKind),
    /// Number of the segment, the place in its axes, distances.
    segments: [Option<(usize, DVec3, BoneDistance)>; NEAR_SEGMENTS],
}

/// `paint` over `under` with opacity `alpha`.
pub(super) fn over(under: f64, paint: f64, alpha: f64) -> f64 {
    under + (paint - under) * alpha
}

/// A mass is edge as far as this about it, mm: half a coarse voxel.
const MASS_MARGIN_MM: f64 = 5.0;

/// As [`Scene::depth`], for what stands out of the bone: masses and screws.
fn depth_beyond_bone(segment: &Segment, local: DVec3) -> f64 {
    let mut nearest = FAR;
    for lesion in &segment.lesions {
        let LesionKind::ParavertebralMass { thickness_mm } = lesion.kind else { continue };
        // Only about the mass itself: elsewhere the muscle is even.
        let half = segment.half_size();
        let beside = DVec3::new(0.0, lesion.place[1] * half.y, lesion.place[2] * half.z);
        let away = (local - beside).with_x(0.0).length() - lesion.radius_mm;
        let across = if lesion.place[0] < 0.0 { local.x } else { -local.x };
        if away.max(across) < MASS_MARGIN_MM {
            // All of it is edge: the mass blends into the muscle.
            let stands = bone::wall_distance(segment, local) + 1.3 * thickness_mm;
            nearest = nearest.max(stands.min(0.0));
        }
    }
    if segment.look_alikes.iter().any(|alike| alike.kind == LookAlikeKind::Screw) {
        nearest = nearest.max(bone::screw(segment, local.with_x(local.x.abs())));
    }
    nearest
}

/// Thickest shell of bone but for long bones, mm: deeper than this there is marrow alone.
pub(super) const SHELL_MM: f64 = 1.5;

impl<'a> Scene<'a> {
    pub fn new(spec: &'a Spec, skeleton: &'a Skeleton, width: f64) -> Self {
        let trunk = Trunk::new(skeleton, spec.size_factor);
        let rods = rods::rods(spec, skeleton, &trunk);
        let heights = || {
            let (low, high) = (skeleton.extent_z[0] as i64, skeleton.extent_z[1] as i64);
            (low..=high).step_by(10).map(|z| trunk.at(z as f64))
        };
        let couch_y = heights().map(|level| level.y + level.back).fold(f64::MIN, f64::max) + 9.0;
        Self {
            spec,
            skeleton,
            palette: Palette::new(spec),
            texture: Texture::new(spec.seed),
            width,
            trunk,
            rods,
            couch_y,
            first_sacral: skeleton.segments.iter().position(|segment| segment.station == S1),
            atlas: skeleton.find(Level::C1).cloned(),
        }
    }

    pub(super) fn has(&self, surrounding: Surrounding) -> bool {
        self.spec.surroundings.contains(&surrounding)
    }

    /// Whether the body of segment `index` covers a place.
    pub fn in_body(&self, index: usize, p: DVec3) -> bool {
        let segment = &self.skeleton.segments[index];
        bone::distance(segment, segment.to_local(self.warped(p))).body() >= 0.0
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
        let mut near = Near {
            from,
            segments: vec![],
            rods: vec![],
            skull: false,
            pelvis: false,
            column: false,
        };
        for (index, segment) in self.skeleton.segments.iter().enumerate() {
            let local = segment.to_local(centre);
            if bone::within_reach(segment, local, radius) {
                near.segments.push(index);
            }
        }
        for (index, rod) in self.rods.iter().enumerate() {
            if rod.within(centre, radius) {
                near.rods.push(index);
            }
        }
        if let Some(atlas) = &self.atlas {
            let local = atlas.to_local(centre);
            near.skull = local.z > -52.0 - radius
                && (local - DVec3::new(0.0, 20.0, 70.0)).length() < 125.0 + radius
                && cervical::skull(local).0 > -radius - 12.0;
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
        self.soft_tissue(p, self.skeleton.along(p, near.from))
    }

    /// Discs, canal and bone at a place, over soft tissue of a given value.
    pub fn hard(&self, p: DVec3, soft: f64, near: &Near) -> f64 {
        let p = self.warped(p);
        let along = self.skeleton.along(p, near.from);
        let under = if near.column { self.column(soft, along) } else { soft };
        self.bones(under, p, along, &self.bone_near(p, along, near))
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
        let mut nearest = near.wing.max(near.ilium).max(near.rod.0).max(near.skull);
        for &(index, local, d) in near.segments.iter().flatten() {
            let beyond = depth_beyond_bone(&self.skeleton.segments[index], local);
            nearest = nearest.max(d.body()).max(d.posterior).max(beyond);
        }
        nearest
    }

    fn bone_near(&self, p: DVec3, along: Along, about: &Near) -> BoneNear {
        let mut near = BoneNear {
            wing: FAR,
            ilium: FAR,
            skull: FAR,
            rod: (FAR, RodKind::Rib),
            segments: [None; NEAR_SEGMENTS],
        };
        if let (true, Some(first)) = (about.pelvis, self.first_sacral) {
            near.wing = pelvis::sacral_wing(self.skeleton, along, p);
            near.ilium = pelvis::ilium(&self.skeleton.segments[first], p);
        }
        for &index in &about.rods {
            let rod = &self.rods[index];
            let d = rod.distance(p);
            if d > near.rod.0 {
                near.rod = (d, rod.kind);
            }
        }
        if let (true, Some(atlas)) = (about.skull, &self.atlas) {
            near.skull = cervical::skull(atlas.to_local(p)).0;
        }
        for (slot, &index) in near.segments.iter_mut().zip(&about.segments) {
            let segment = &self.skeleton.segments[index];
            let local = segment.to_local(p);
            *slot = Some((index, local, bone::distance(segment, local)));
        }
        near
    }

    /// Discs, ligaments and canal content, continuous along the curved column.
    fn column(&self, under: f64, along: Along) -> f64 {
        let palette = &self.palette;
        let blend = |size: fn(&Segment) -> f64| self.skeleton.blend(along, size);
        let (a, b) = (blend(|s| s.half_size().x), blend(|s| s.half_size().y));
        let row = self.skeleton.station(along);
        let mut value = under;
        // Discs bulge a little over the rims; bodies are painted over this column later.
        let disc = body_outline(along.u, along.v, a + 1.6, b + 1.0, 1.0);
        if disc > -3.0 && row > -5.9 {
            let ligament = occupancy(disc + 1.0, self.width);
            value = over(value, palette.ligament, 0.8 * ligament);
            value = over(value, palette.annulus, occupancy(disc, self.width));
            value = over(value, palette.nucleus, smooth_step((disc - 6.0) / 5.0));
        }
        // Behind the bodies: the canal with fat, sac, cord or roots.
        let (canal, v, width, depth) = self.canal(along);
        if canal > -4.0 {
            // Yellow ligament lines the back of the canal between the laminae.
            if v < 0.0 && row < S1 {
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
                    let neck = smooth_step((1.0 - row) / 3.0);
                    let cord = ellipse(
                        along.u,
                        sac_v,
                        (4.6 + 2.0 * neck) * taper,
                        (3.6 + 0.4 * neck) * taper,
                    );
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
        value = self.simple_bone(value, near.skull, 1.6 * palette.arch_mm, p);
        value = match near.rod.1 {
            RodKind::Rib => self.simple_bone(value, near.rod.0, 0.85 * palette.arch_mm, p),
            RodKind::Flat => self.simple_bone(value, near.rod.0, 1.2 * palette.arch_mm, p),
            RodKind::Shaft => {
                let bone = self.simple_bone(value, near.rod.0, 4.5 * palette.arch_mm, p);
                over(bone, palette.fat, smooth_step(near.rod.0 - 6.0))
            }
            RodKind::Cartilage => over(value, palette.annulus, occupancy(near.rod.0, w)),
        };
        for &(index, local, d) in near.segments.iter().flatten() {
            if d.posterior > -1.0 {
                let segment = &self.skeleton.segments[index];
                let outer = occupancy(d.posterior, w);
                let inner =
                    occupancy((d.posterior - palette.arch_mm).max(d.body() - palette.wall_mm), w);
                let open = self.eaten(segment, local);
                let marrow = self.marrow(segment, local, d.body());
                let bone = over(palette.arch_cortex, marrow, inner.max(open));
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
            let eaten = self.eaten(segment, local);
            let open = self.opening(segment, local).max(eaten);
            let marrow = self.marrow(segment, local, d.body());
            let bone = over(palette.cortex, marrow, wall.max(open));
            let plate = over(palette.endplate, bone, end.max(eaten));
            value = over(value, plate, outer);
        }
        for &(index, local, d) in near.segments.iter().flatten() {
            let segment = &self.skeleton.segments[index];
            value = self.beyond_bone(value, segment, local, d.body(), canal_share);
        }
        value
    }

    /// Masses beside the body and in the canal, and screws.
    fn beyond_bone(
        &self,
        under: f64,
        segment: &Segment,
        local: DVec3,
        body: f64,
        canal_share: f64,
    ) -> f64 {
        let mut value = under;
        for lesion in &segment.lesions {
            let room = match lesion.kind {
                LesionKind::EpiduralMass { .. } => canal_share,
                LesionKind::ParavertebralMass { .. } => 1.0 - canal_share,
                _ => continue,
            };
            let outside = 1.0 - occupancy(body, self.width);
            let share = self.lesion_share(segment, lesion, local);
            value = over(value, self.palette.tumour, share * room * outside);
        }
        if segment.look_alikes.iter().any(|alike| alike.kind == LookAlikeKind::Screw) {
            let d = bone::screw(segment, DVec3::new(local.x.abs(), local.y, local.z));
            value = over(value, self.palette.metal, occupancy(d, self.width));
        }
        value
    }

    /// How far a lytic lesion has taken cortex away, 0..1.
    fn eaten(&self, segment: &Segment, local: DVec3) -> f64 {
        let mut eaten: f64 = 0.0;
        for lesion in &segment.lesions {
            if let LesionKind::Lytic { .. } | LesionKind::Mixed { .. } = lesion.kind {
                eaten = eaten.max(self.lesion_share(segment, lesion, local));
            }
        }
        eaten
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
