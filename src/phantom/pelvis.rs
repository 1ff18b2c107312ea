//! Sacral wings with their canal wall and foramina, and the iliac wings.

use glam::DVec3;

use super::morphometry::S1;
use super::shapes::smooth_step;
use super::skeleton::{Along, Segment, Skeleton};

const FAR: f64 = -50.0;

/// Distance to the fused sacrum beside and behind its bodies, positive inside.
pub(super) fn sacral_wing(skeleton: &Skeleton, along: Along, p: DVec3) -> f64 {
    let row = skeleton.station(along);
    // 0 at the middle of S1, 1 at the middle of S2.
    let down = row - S1;
    if !(-0.9..=4.4).contains(&down) {
        return FAR;
    }
    let Some(first) = skeleton.segments.iter().find(|segment| segment.station == S1) else {
        return FAR;
    };
    let a = along.u.abs();
    let half_width = skeleton.blend(along, |s| s.half_size().x);
    let half_depth = skeleton.blend(along, |s| s.half_size().y);
    let canal_depth = skeleton.blend(along, |s| s.canal[1]);
    // The wing narrows downwards and its side, the joint face, runs obliquely to the back.
    let reach = 47.0 - 7.5 * (down + 0.4).max(0.0) + 0.42 * (along.v + half_depth);
    let front = 0.35 * half_depth - 0.42 * (a - half_width).max(0.0) - 2.0;
    let back = -half_depth - canal_depth - 6.5 + 0.12 * a;
    // The upper face of the wing falls away from the promontory.
    let local = first.to_local(p);
    let top = first.half_height[0]
        - 2.0
        - 0.1 * (a - half_width).max(0.0)
        - local.z
        - 0.55 * (-half_depth - 2.0 - along.v).max(0.0);
    let mut d = (reach - a).min(front - along.v).min(along.v - back).min(top) * 0.92;
    // Median crest.
    d = d.max((3.2 - a).min(along.v - back + 9.0).min(back + 2.0 - along.v).min(top));
    // Foramina between the segments, running from front to back.
    let nearest = libm::round(down - 0.5).max(0.0) + 0.5;
    let pitch = 26.0;
    let (du, ds) = (a - half_width - 3.0 - 2.0, (down - nearest) * pitch);
    let foramen = (du * du + ds * ds).sqrt() - (5.2 - 0.5 * nearest);
    d.min(foramen)
}

/// Distance to the iliac wings, positive inside.
pub(super) fn ilium(first_sacral: &Segment, p: DVec3) -> f64 {
    let half = first_sacral.half_size();
    let side = (p - first_sacral.origin).dot(first_sacral.left).abs();
    let back = p.y - first_sacral.origin.y;
    let z = p.z - first_sacral.origin.z;
    // The joint line: further out in front than behind, and further in lower down.
    let joint = 43.5 - 0.42 * (back - half.y)
        + 0.18 * z.clamp(-60.0, 30.0)
        + 0.012 * (back - 30.0).min(0.0) * (back - 30.0).min(0.0) * 0.4;
    let out = (side - joint - 2.6) * 0.9;
    let thickness = 7.5 + 8.0 * smooth_step((back - 8.0) / 26.0);
    let crest = 22.0 + 0.9 * (side - 55.0).clamp(-20.0, 35.0) - 0.004 * back * back;
    // Rounded where it ends behind.
    let end = 46.0 - 0.06 * (out - 0.5 * thickness) * (out - 0.5 * thickness) - back;
    out.min(thickness - out).min(crest - z).min(z + 78.0).min(end).min(back + 75.0)
}
