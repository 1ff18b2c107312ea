//! Shapes by signed distance, mm, positive inside; near the surface the distance is true.

use glam::DVec3;

/// Share of a sample of the given width that lies inside a surface at signed distance `inside`.
pub(super) fn occupancy(inside: f64, width: f64) -> f64 {
    (inside / width + 0.5).clamp(0.0, 1.0)
}

/// Smooth step from 0 at -0.5 to 1 at 0.5.
pub(super) fn smooth_step(x: f64) -> f64 {
    let t = (x + 0.5).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A rounded rod from `a` (radius `ra`) to `b` (radius `rb`), its cross-section flattened by the
/// caller through scaled coordinates.
pub(super) fn rod(p: DVec3, a: DVec3, ra: f64, b: DVec3, rb: f64) -> f64 {
    let axis = b - a;
    let t = ((p - a).dot(axis) / axis.length_squared()).clamp(0.0, 1.0);
    ra + t * (rb - ra) - (p - a - axis * t).length()
}

/// A box with rounded edges.
pub(super) fn rounded_box(p: DVec3, centre: DVec3, half: DVec3, rounding: f64) -> f64 {
    let q = (p - centre).abs() - (half - DVec3::splat(rounding));
    let outside = q.max(DVec3::ZERO).length();
    let inside = q.max_element().min(0.0);
    rounding - outside - inside
}

/// An ellipse about the origin with half axes `a` and `b`.
pub(super) fn ellipse(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let s = (x / a) * (x / a) + (y / b) * (y / b);
    let gradient = 2.0 * ((x / (a * a)) * (x / (a * a)) + (y / (b * b)) * (y / (b * b))).sqrt();
    // Two roots of one level set: true near the rim, bounded by the shorter axis at the centre.
    let first_order = (1.0 - s) / gradient.max(1e-6);
    let radial = (1.0 - s.sqrt()) * a.min(b);
    if s < 1.0 { first_order.min(radial.max(0.0) * 1.6 + 1e-9) } else { first_order }
}

/// The kidney-shaped outline of a body: half width `a`, half depth `b`, rounder in front, the
/// posterior wall flat and dented forward by `dent` at the midline.
pub(super) fn body_outline(u: f64, v: f64, a: f64, b: f64, dent: f64) -> f64 {
    let dented =
        if v < 0.0 { v - dent * libm::exp(-(u / (0.45 * a)) * (u / (0.45 * a))) } else { v };
    let x = (u / a).abs();
    let y = (dented / b).abs();
    // Exponents 2.5 sideways, 2.2 in front and 3.5 behind, without pow: blends of squares and cubes.
    let (x2, y2) = (x * x, y * y);
    let sideways = 0.5 * x2 + 0.5 * x2 * x;
    let sideways_slope = (x + 1.5 * x2) / a;
    let (along, along_slope) = if dented < 0.0 {
        (0.5 * y2 * y + 0.5 * y2 * y2, (1.5 * y2 + 2.0 * y2 * y) / b)
    } else {
        (0.8 * y2 + 0.2 * y2 * y, (1.6 * y + 0.6 * y2) / b)
    };
    let slope = (sideways_slope * sideways_slope + along_slope * along_slope).sqrt();
    let level = 1.0 - sideways - along;
    // Deep inside the slope vanishes: a bound keeps the distance finite.
    level / slope.max(0.6 / a.min(b))
}

/// The canal's outline about its own centre (`v` forward): flat in front, its sides running
/// together behind as a rounded triangle; `width` and `depth` are full sizes.
pub(super) fn canal_outline(u: f64, v: f64, width: f64, depth: f64) -> f64 {
    let a = u.abs();
    let front = 0.5 * depth - v;
    let side = 0.5 * width - a;
    // From the widest place to the root of the spinous process.
    let (from, to) = ((0.5 * width, 0.05 * depth), (0.09 * width, -0.5 * depth));
    let (du, dv) = (to.0 - from.0, to.1 - from.1);
    let length = (du * du + dv * dv).sqrt();
    let oblique = ((a - from.0) * dv - (v - from.1) * du) / length;
    let triangle = front.min(side).min(oblique).min(v + 0.5 * depth);
    triangle.max(ellipse(a, v, 0.44 * width, 0.46 * depth))
}

/// A slab seen end on: distance to the stretch from `a` to `b`, half thickness `half`.
pub(super) fn slab(x: f64, y: f64, a: [f64; 2], b: [f64; 2], half: f64) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let t = (((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    let (ex, ey) = (x - a[0] - t * dx, y - a[1] - t * dy);
    half - (ex * ex + ey * ey).sqrt()
}
