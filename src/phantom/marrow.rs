//! Marrow of vertebrae with what changes it: lesions and look-alikes.

use glam::DVec3;

use super::bone::bulge_at;
use super::scene::{Scene, over};
use super::shapes::{ellipse, occupancy, smooth_step};
use super::skeleton::Segment;
use super::spec::{Lesion, LesionKind, LesionSite, LookAlike, LookAlikeKind, Modality};

/// Where a lesion's centre lies in the segment's axes.
pub(super) fn lesion_centre(segment: &Segment, lesion: &Lesion) -> DVec3 {
    let half = segment.half_size();
    let [width, depth] = segment.canal;
    let side = if lesion.place[0] < 0.0 { -1.0 } else { 1.0 };
    let back = -half.y;
    match lesion.site {
        LesionSite::Body => DVec3::from(lesion.place) * half,
        LesionSite::Pedicle => {
            let up = if segment.is_thoracic() { 0.42 } else { 0.32 };
            DVec3::new(side * 0.5 * (width + segment.pedicle[0]), back - 4.0, up * half.z)
        }
        LesionSite::Lamina => {
            DVec3::new(side * (0.5 * width), back - 0.85 * depth - 2.0, -0.35 * half.z)
        }
        LesionSite::SpinousProcess => {
            let slope = if segment.is_thoracic() { 0.9 } else { 0.22 };
            DVec3::new(0.0, back - depth - 16.0, -0.35 * half.z - slope * 14.0)
        }
    }
}

impl Scene<'_> {
    /// Share of lesion `lesion` of a segment at a place in the segment's axes, 0..1.
    pub fn lesion_share(&self, segment: &Segment, lesion: &Lesion, local: DVec3) -> f64 {
        let half = segment.half_size();
        match lesion.kind {
            LesionKind::Sclerotic { .. }
            | LesionKind::Lytic { .. }
            | LesionKind::Mixed { .. }
            | LesionKind::T1Replacement { .. }
            | LesionKind::Oedema { .. } => {
                let d = local - lesion_centre(segment, lesion);
                if d.length_squared() > 4.0 * (lesion.radius_mm + 2.0) * (lesion.radius_mm + 2.0) {
                    return 0.0;
                }
                smooth_step(self.blob(d, lesion) / 3.0)
            }
            LesionKind::PosteriorWallBreach { gap_mm, bulge_mm } => {
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
                // From just in front of the wall to the top of the bulge, not on into the arch.
                let in_the_wall = (-bulge_mm - 4.0..3.0).contains(&d.y);
                let opening = occupancy(0.5 * gap_mm - across, 2.0) * f64::from(in_the_wall);
                if gap_mm > 0.0 { share.max(opening) } else { share }
            }
            LesionKind::EpiduralMass { thickness_mm } => {
                let stands = thickness_mm * self.cap(segment, lesion, local);
                if stands < 0.3 {
                    return 0.0;
                }
                let behind = -half.y - local.y;
                occupancy(stands - behind, self.width) * occupancy(behind + 1.0, self.width)
            }
            LesionKind::ParavertebralMass { thickness_mm } => {
                let q = DVec3::new(local.y, 0.0, local.z)
                    - DVec3::new(lesion.place[1] * half.y, 0.0, lesion.place[2] * half.z);
                let side = if lesion.place[0] < 0.0 { -1.0 } else { 1.0 };
                if local.x * side < 0.0 {
                    return 0.0;
                }
                let r2 = q.length_squared() / (lesion.radius_mm * lesion.radius_mm);
                if r2 >= 1.0 {
                    return 0.0;
                }
                let stands =
                    thickness_mm * (1.0 - r2).sqrt() * (1.0 + 0.15 * self.texture.at(local / 7.0));
                let d = super::bone::wall_distance(segment, local);
                let outside = occupancy(0.5 - d, self.width);
                occupancy(d + stands, self.width) * smooth_step((1.0 - r2) * 8.0 - 0.5) * outside
            }
        }
    }

    /// Height of a rounded cap on the posterior wall at a place, 0..1.
    fn cap(&self, segment: &Segment, lesion: &Lesion, local: DVec3) -> f64 {
        let half = segment.half_size();
        let du = (local.x - lesion.place[0] * half.x) / lesion.radius_mm;
        let ds = (local.z - lesion.place[2] * half.z) / lesion.radius_mm;
        let r2 = (du * du + ds * ds).min(1.0);
        (1.0 - r2) * (1.0 + 0.2 * self.texture.at(local / 6.0))
    }

    /// Signed distance to an irregular ball about the origin, positive inside.
    fn blob(&self, p: DVec3, lesion: &Lesion) -> f64 {
        self.ball(p, lesion.radius_mm, lesion.place, 1.0)
    }

    fn ball(&self, p: DVec3, r: f64, place: [f64; 3], roughness: f64) -> f64 {
        let shift = DVec3::new(place[0] * 7.3 + 3.1, 5.7, place[2] * 9.1);
        let rough = 0.30 * self.texture.at(p / (0.75 * r) + shift)
            + 0.14 * self.texture.at(p / (0.33 * r) + shift);
        r * (1.0 + roughness * rough) - p.length()
    }

    /// Marrow of a segment at a place in its axes: grain, darker about the vein, denser at the
    /// endplates, with its lesions and look-alikes.
    pub(super) fn marrow(&self, segment: &Segment, local: DVec3, body: f64) -> f64 {
        let palette = &self.palette;
        let seat = local + DVec3::splat(37.0 * segment.station);
        // Trabeculae run up and down: the grain is drawn out along s.
        let fine = self.texture.at(seat * DVec3::new(0.45, 0.45, 0.25));
        let coarse = self.texture.at(seat * DVec3::new(0.13, 0.13, 0.13));
        let half = segment.half_size();
        let towards_endplate = smooth_step((local.z.abs() / half.z - 0.75) / 0.5);
        let mean = self.mean_marrow(segment);
        let mut marrow = mean
            * (1.0
                + palette.marrow_fine * fine
                + palette.marrow_coarse * coarse
                + palette.marrow_endplate * (towards_endplate - 0.35));
        if body < 0.0 {
            marrow *= palette.posterior_marrow;
        }
        // Basivertebral vein: enters at the middle of the back wall.
        let from_wall = local.y + half.y;
        let wide = segment
            .look_alikes
            .iter()
            .find(|alike| alike.kind == LookAlikeKind::BasivertebralVein)
            .map_or(1.0, |alike| 0.3 * alike.radius_mm);
        if !segment.is_sacral()
            && from_wall < 0.9 * half.y
            && bulge_at(segment, local.x, local.z) < 1.0
        {
            let vein = ellipse(
                local.x,
                local.z + 0.5,
                (5.0 - 0.25 * from_wall).max(1.0) * wide,
                (2.6 - 0.1 * from_wall.max(0.0)).max(0.8) * wide,
            );
            let share =
                smooth_step(vein / 1.6) * smooth_step((0.36 * half.y * wide - from_wall) / 4.0);
            marrow = over(marrow, palette.basivertebral, share);
        }
        for alike in &segment.look_alikes {
            marrow = self.look_alike(segment, alike, local, marrow, mean);
        }
        for lesion in &segment.lesions {
            let share = self.lesion_share(segment, lesion, local);
            if share <= 0.0 {
                continue;
            }
            marrow = match lesion.kind {
                LesionKind::Sclerotic { contrast_hu } => {
                    marrow + share * contrast_hu * (1.0 + 0.12 * fine + 0.08 * coarse)
                }
                LesionKind::Lytic { tissue_hu } => {
                    over(marrow, tissue_hu * (1.0 + 0.06 * coarse), share)
                }
                LesionKind::Mixed { contrast_hu, tissue_hu } => {
                    // Dense islands and a dense rim in soft tissue.
                    let island = smooth_step((self.texture.at(seat / 4.5) - 0.2) / 0.3);
                    let rim = smooth_step((0.75 - share) / 0.3);
                    let dense = mean + contrast_hu * (1.0 + 0.1 * fine);
                    over(marrow, over(tissue_hu, dense, island.max(rim)), share)
                }
                LesionKind::PosteriorWallBreach { .. } => over(marrow, palette.tumour, share),
                LesionKind::T1Replacement { signal_share } => {
                    let grain = 1.0 + 0.10 * coarse + 0.05 * fine;
                    let core = match self.spec.modality {
                        Modality::MrT1 => mean * signal_share,
                        _ => palette.tumour,
                    };
                    over(marrow, core * grain, share)
                }
                LesionKind::Oedema { water_share } => {
                    over(marrow, palette.oedema * (1.0 + 0.1 * coarse), share * water_share)
                }
                LesionKind::EpiduralMass { .. } | LesionKind::ParavertebralMass { .. } => marrow,
            };
        }
        marrow
    }

    /// Mean of a body's marrow. On CT it is denser towards the neck (published for the thoracic
    /// spine, drawn for the neck).
    pub(super) fn mean_marrow(&self, segment: &Segment) -> f64 {
        let marrow = self.palette.marrow;
        if !self.spec.modality.is_ct() {
            return marrow;
        }
        let up = ((10.0 - segment.station) / 10.0).clamp(0.0, 1.0);
        let neck = ((1.0 - segment.station) / 2.0).clamp(0.0, 1.0);
        marrow * (1.0 + 0.22 * up + 0.45 * neck)
    }

    fn look_alike(
        &self,
        segment: &Segment,
        alike: &LookAlike,
        local: DVec3,
        marrow: f64,
        mean: f64,
    ) -> f64 {
        let palette = &self.palette;
        let half = segment.half_size();
        let d = local - DVec3::from(alike.place) * half;
        let r = alike.radius_mm;
        let ball = |roughness: f64, edge: f64| {
            if d.length_squared() > 4.0 * (r + 2.0) * (r + 2.0) {
                0.0
            } else {
                smooth_step(self.ball(d, r, alike.place, roughness) / edge)
            }
        };
        // Into the body from the lower (-1) or upper (1) endplate.
        let from_plate = |up: f64| segment.half_size().z - up * local.z;
        let band = |up: f64| {
            let across = (d.x / (2.4 * r)).powi(2) + (d.y / (2.4 * r)).powi(2);
            let depth = r * (1.0 + 0.3 * self.texture.at(local / 5.0));
            smooth_step((depth - from_plate(up)) / 2.5) * smooth_step((1.0 - across) * 3.0)
        };
        match alike.kind {
            LookAlikeKind::BoneIsland => over(marrow, palette.compact, ball(1.6, 1.2)),
            LookAlikeKind::Haemangioma => {
                // Struts upright, some millimetres apart, as dots on axial slices.
                let strut = self.texture.at(DVec3::new(d.x / 2.1, d.y / 2.1, d.z / 30.0));
                let inside = over(
                    over(palette.fat, marrow, 0.35),
                    palette.strut,
                    smooth_step((strut - 0.55) / 0.3),
                );
                over(marrow, inside, ball(0.5, 2.0))
            }
            LookAlikeKind::EndplateSclerosis => marrow + palette.sclerosis * band(-1.0),
            LookAlikeKind::SchmorlNode => {
                let depth = 0.5 * (segment.half_height[0] + segment.half_height[1]) - local.z;
                let across = (d.x * d.x + d.y * d.y).sqrt();
                let node = (r - depth).min(0.8 * r - across);
                let rimmed =
                    over(marrow, marrow + palette.sclerosis, smooth_step((node + 2.5) / 1.5));
                over(rimmed, palette.nucleus, smooth_step(node / 1.5))
            }
            LookAlikeKind::Cement => over(marrow, palette.cement, ball(1.3, 1.0)),
            LookAlikeKind::ModicOne => over(marrow, palette.oedema, 0.8 * band(-1.0)),
            LookAlikeKind::ModicTwo => over(marrow, palette.fat, 0.7 * band(-1.0)),
            LookAlikeKind::ModicThree => {
                if self.spec.modality.is_ct() {
                    marrow + palette.sclerosis * band(-1.0)
                } else {
                    over(marrow, 0.25 * mean, 0.8 * band(-1.0))
                }
            }
            LookAlikeKind::FocalFat => over(marrow, palette.fat, 0.9 * ball(0.6, 2.5)),
            LookAlikeKind::RedMarrow => over(marrow, palette.red_marrow, 0.9 * ball(1.0, 4.0)),
            LookAlikeKind::FacetSclerosis => {
                let facet = DVec3::new(
                    local.x.abs() - 0.5 * segment.canal[0] - 3.0,
                    local.y + half.y + 0.95 * segment.canal[1],
                    0.6 * (local.z + 0.9 * half.z),
                );
                marrow + palette.sclerosis * smooth_step((r - facet.length()) / 3.0)
            }
            // Outside the marrow: see `bone` and `Scene::metal`.
            LookAlikeKind::Osteophyte | LookAlikeKind::Screw | LookAlikeKind::BasivertebralVein => {
                marrow
            }
        }
    }
}
