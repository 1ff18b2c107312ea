//! Bone of one segment: distances to body and posterior elements in the segment's own axes.

use glam::DVec3;

use super::cervical;
use super::shapes::{body_outline, ellipse, rod, rounded_box, slab, smooth_step};
use super::skeleton::Segment;
use super::spec::{LesionKind, LookAlike, LookAlikeKind};

/// Distances of a place to the surfaces of a segment, mm, positive inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoneDistance {
    /// To the side wall of the body.
    pub wall: f64,
    /// To the nearer endplate.
    pub endplate: f64,
    /// To the surface of pedicles, laminae, facets and processes.
    pub posterior: f64,
}

impl BoneDistance {
    /// To the surface of the body.
    pub fn body(self) -> f64 {
        self.wall.min(self.endplate)
    }
}

/// Far outside.
const FAR: f64 = -50.0;

/// Stations below these are the atlas, and atlas or axis.
const ATLAS_BELOW: f64 = -6.5;
const AXIS_BELOW: f64 = -5.5;

/// The dens has no endplate: its wall is the nearer surface everywhere.
const DENS_INSIDE: f64 = 50.0;

/// How far a wall breach pushes the posterior wall back at `(u, s)`, mm.
pub(super) fn bulge_at(segment: &Segment, u: f64, s: f64) -> f64 {
    let half = segment.half_size();
    let mut bulge: f64 = 0.0;
    for lesion in &segment.lesions {
        if let LesionKind::PosteriorWallBreach { bulge_mm, .. } = lesion.kind {
            let du = (u - lesion.place[0] * half.x) / lesion.radius_mm;
            let ds = (s - lesion.place[2] * half.z) / (0.8 * lesion.radius_mm);
            let r2 = (du * du + ds * ds).min(1.0);
            bulge = bulge.max(bulge_mm * (1.0 - r2) * (1.0 - r2));
        }
    }
    bulge
}

/// Distance to the side wall at a place in the segment's axes.
pub(super) fn wall_distance(segment: &Segment, p: DVec3) -> f64 {
    body(segment, p).0
}

/// A screw through the pedicle into the body; mirrored place (`p.x >= 0`).
pub(super) fn screw(segment: &Segment, p: DVec3) -> f64 {
    let half = segment.half_size();
    let [width, depth] = segment.canal;
    let u = 0.5 * (width + segment.pedicle[0]);
    let s = 0.34 * half.z;
    let head = DVec3::new(u + 5.0, -half.y - depth - 12.0, s);
    let shaft = rod(p, head, 2.9, DVec3::new(0.45 * u, 0.45 * half.y, s), 2.5);
    shaft.max(rod(p, head, 6.0, head + DVec3::new(1.0, -9.0, 0.0), 6.0))
}

/// A spur at the rim of the upper endplate that reaches for the one above.
fn osteophyte(segment: &Segment, alike: &LookAlike, p: DVec3) -> f64 {
    let half = segment.half_size();
    let direction = glam::DVec2::new(alike.place[0], alike.place[1]).normalize_or(glam::DVec2::Y);
    let rim = DVec3::new(0.92 * half.x * direction.x, 0.92 * half.y * direction.y, 0.78 * half.z);
    let out = DVec3::new(direction.x, direction.y, 0.0) * alike.radius_mm;
    let tip = rim + out + DVec3::new(0.0, 0.0, 0.9 * alike.radius_mm);
    rod(p, rim, 4.2, rim + out * 0.8, 3.2).max(rod(p, rim + out * 0.8, 3.2, tip, 1.8))
}

/// Half height of the body at depth `v` and its cross-section at height `s`.
fn body(segment: &Segment, p: DVec3) -> (f64, f64) {
    let half = segment.half_size();
    let forward = (0.5 + 0.5 * p.y / half.y).clamp(-0.2, 1.2);
    let rim = segment.half_height[0] * (1.0 - forward) + segment.half_height[1] * forward;
    let radial = ((p.x / half.x) * (p.x / half.x) + (p.y / half.y) * (p.y / half.y)).min(1.0);
    // Endplates are hollow: deepest behind the middle, the lower one more than the upper.
    let hollow = if p.z > 0.0 { 0.045 } else { 0.06 } * 2.0 * half.z;
    let hollow = if segment.is_sacral() { 0.3 * hollow } else { hollow };
    let endplate = rim - (hollow + segment.hollow) * (1.0 - radial) - p.z.abs();
    let t = (p.z / half.z).clamp(-1.0, 1.0);
    let waist = if segment.is_sacral() { 0.0 } else { 1.0 - t * t };
    let blend = 0.5 + 0.5 * t;
    let across = segment.lower[0] * (1.0 - blend) + segment.upper[0] * blend;
    let depth = segment.lower[1] * (1.0 - blend) + segment.upper[1] * blend;
    let across = across * (1.0 - 0.10 * waist);
    // The front wall is hollow too; the back wall nearly straight.
    let v = p.y + if p.y > 0.0 { 0.09 * depth * waist } else { 0.015 * depth * waist };
    let v =
        if p.y < 0.0 { v + bulge_at(segment, p.x, p.z) * smooth_step(-p.y / half.y) } else { v };
    // L5 and the sacrum have a flat back, the others are dented by about a millimetre and a half.
    let dent = if segment.station >= 15.5 { 0.3 } else { 1.6 };
    (body_outline(p.x, v, across, depth, dent), endplate)
}

/// Pedicles, laminae, facets and processes of a free vertebra at the mirrored place `p`
/// (`p.x >= 0`).
fn posterior_elements(segment: &Segment, p: DVec3) -> f64 {
    let half = segment.half_size();
    let height = half.z;
    let back = -half.y;
    let [canal_width, canal_depth] = segment.canal;
    let [pedicle_width, pedicle_height] = segment.pedicle;
    let side = 0.5 * canal_width;
    let a = p.x;
    let mut d = FAR;

    // Pedicle: from the upper half of the body to the articular pillar.
    let pedicle_s = if segment.is_thoracic() { 0.42 * height } else { 0.32 * height };
    let spread = 0.12 * (back - p.y).clamp(-4.0, 14.0);
    let tube = ellipse(
        a - (side + 0.5 * pedicle_width) - spread.abs() * 0.4,
        p.z - pedicle_s,
        0.5 * pedicle_width,
        0.5 * pedicle_height,
    );
    let pillar = back - 0.62 * canal_depth;
    d = d.max(tube.min(back + 5.0 - p.y).min(p.y - pillar + 5.0));

    // Articular processes: flattened along the joint, which runs from the front and inside to
    // the back and outside; the upper one of each joint belongs to the vertebra below and lies
    // outside and in front.
    let turned = |q: DVec3| {
        let (along, across) = (0.62 * q.x - 0.78 * q.y, 0.78 * q.x + 0.62 * q.y);
        DVec3::new(0.66 * along, across, q.z)
    };
    let pillar_rod =
        |from: DVec3, ra: f64, to: DVec3, rb: f64| rod(turned(p), turned(from), ra, turned(to), rb);
    let superior_u = side + 0.45 * pedicle_width.min(11.0) + 1.0;
    let superior_v = back - 0.72 * canal_depth;
    let isthmus = DVec3::new(superior_u - 1.0, superior_v - 1.0, 0.2 * height);
    d = d.max(pillar_rod(
        DVec3::new(superior_u, superior_v, 0.3 * height),
        5.0,
        DVec3::new(superior_u + 2.0, superior_v - 1.5, 1.25 * height),
        4.4,
    ));
    let inferior = DVec3::new(side - 0.5, back - canal_depth - 2.0, -0.7 * height);
    d = d.max(pillar_rod(isthmus, 4.8, inferior, 4.7));
    d = d.max(pillar_rod(
        inferior,
        4.7,
        DVec3::new(side, back - canal_depth - 3.5, -1.55 * height),
        4.2,
    ));
    // Lamina: a sloping slab from the pillar to the root of the spinous process.
    let root = back - canal_depth - 2.0;
    let slab_half = 2.9;
    let axial = slab(a, p.y, [side + 2.0, back - 0.55 * canal_depth], [0.0, root - 2.0], slab_half);
    let lamina_s = -0.45 * height + 0.9 * (p.y - root).clamp(-6.0, 12.0) * 0.35;
    d = d.max(axial.min(0.78 * height - (p.z - lamina_s).abs()));
    // Spinous process: a plate that thickens at its end; thoracic ones slope down.
    let slope = if segment.is_thoracic() { 0.9 } else { 0.22 };
    let length = if segment.is_thoracic() { 34.0 } else { 31.0 };
    let behind = (root - p.y).clamp(0.0, length);
    let spinous = DVec3::new(p.x, p.y, p.z + 0.35 * height + slope * behind);
    let thickness = 2.9 + 0.07 * behind + 0.4 * (spinous.z / height).abs();
    d = d.max(rounded_box(
        spinous,
        DVec3::new(0.0, root - 0.5 * length + 2.0, -0.1 * height),
        DVec3::new(thickness, 0.5 * length, 0.66 * height),
        2.5,
    ));
    // Transverse process.
    let reach = if segment.is_thoracic() { 16.0 } else { 27.0 };
    let base = DVec3::new(side + pedicle_width - 1.0, pillar + 2.0, 0.28 * height);
    let tip_v = if segment.is_thoracic() { pillar - 14.0 } else { pillar - 5.0 };
    let tip = DVec3::new(side + pedicle_width + reach, tip_v, 0.38 * height);
    let flat = DVec3::new(1.0, 1.3, 0.85);
    d.max(rod(p * flat, base * flat, 4.6, tip * flat, 3.2))
}

/// Whether any bone of a segment may lie within `radius` of a place in its axes.
pub(super) fn within_reach(segment: &Segment, p: DVec3, radius: f64) -> bool {
    let half = segment.half_size();
    p.z.abs() < 3.4 * half.z + radius
        && p.x.abs() < half.x + 48.0 + radius
        && p.y < half.y + 8.0 + radius
        && p.y > -half.y - 66.0 - radius
        && (!segment.is_sacral()
            || (p.z.abs() < 1.6 * half.z + radius && p.x.abs() < 1.4 * half.x + radius))
}

/// The neural arch of a sacral segment belongs to the sacrum as a whole, see
/// [`super::pelvis`]; here only the body.
pub(super) fn distance(segment: &Segment, p: DVec3) -> BoneDistance {
    let half = segment.half_size();
    let reach = DVec3::new(p.x.abs(), p.y, p.z);
    if p.z.abs() > 3.4 * half.z
        || reach.x > half.x + 48.0
        || p.y > half.y + 8.0
        || p.y < -half.y - 66.0
    {
        return BoneDistance { wall: FAR, endplate: FAR, posterior: FAR };
    }
    let (wall, endplate) =
        if p.z.abs() < 1.6 * half.z && reach.x < 1.4 * half.x && p.y > -half.y - 14.0 {
            body(segment, p)
        } else {
            (FAR, FAR)
        };
    if segment.station < ATLAS_BELOW {
        return BoneDistance {
            wall: FAR,
            endplate: FAR,
            posterior: cervical::atlas(segment, reach),
        };
    }
    let mut distance = BoneDistance { wall, endplate, posterior: FAR };
    if !segment.is_sacral() && p.y <= -half.y + 10.0 {
        distance.posterior = if segment.is_cervical() {
            cervical::posterior_elements(segment, reach)
        } else {
            posterior_elements(segment, reach)
        };
    }
    if segment.station < AXIS_BELOW && p.z > 0.0 {
        let dens = cervical::dens(segment, p);
        if dens > distance.body() {
            distance.wall = dens;
            distance.endplate = DENS_INSIDE;
        }
    }
    for alike in &segment.look_alikes {
        if alike.kind == LookAlikeKind::Osteophyte {
            distance.posterior = distance.posterior.max(osteophyte(segment, alike, p));
        }
    }
    distance
}
