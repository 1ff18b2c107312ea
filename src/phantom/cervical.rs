//! Bone of the neck: atlas, axis and the arches of C3 to C7, in a segment's own axes, and the
//! skull above them in the axes of the atlas.

use glam::DVec3;

use super::shapes::{ellipse, rod, slab};
use super::skeleton::{DENS_MM, Segment};

const FAR: f64 = -50.0;

/// Where the atlas's front arch lies before the segment's origin, mm.
const ARCH_V: f64 = 10.5;

/// The dens above the body of C2.
pub(super) fn dens(segment: &Segment, p: DVec3) -> f64 {
    let top = segment.half_size().z;
    let from = DVec3::new(0.0, -0.5, top - 4.0);
    rod(p, from, 6.2, DVec3::new(0.0, -1.0, top + DENS_MM - 5.0), 5.0)
}

/// The atlas: ring, lateral masses, transverse processes; mirrored place (`p.x >= 0`).
pub(super) fn atlas(segment: &Segment, p: DVec3) -> f64 {
    let half = segment.half_size();
    let [width, depth] = segment.canal;
    let back = -half.y;
    let side = 0.5 * width;
    let mut d = rod(p, DVec3::new(0.0, ARCH_V, 0.0), 4.2, DVec3::new(side - 4.0, 5.0, 0.0), 4.0);
    // Lateral mass between the skull's condyle and the axis.
    let mass = p - DVec3::new(side + 5.0, back + 1.0, 0.0);
    d = d.max(8.5 - DVec3::new(mass.x * 1.05, mass.y * 0.75, mass.z * 0.85).length());
    d = d.max(rod(
        p,
        DVec3::new(side + 6.0, back, 0.0),
        5.0,
        DVec3::new(side + 24.0, back - 1.0, -1.0),
        4.6,
    ));
    let behind = back - depth - 3.0;
    d = d.max(rod(
        p,
        DVec3::new(side + 1.0, back - 6.0, 0.0),
        4.0,
        DVec3::new(side - 5.0, back - 0.72 * depth, 0.0),
        3.8,
    ));
    d.max(rod(
        p,
        DVec3::new(side - 5.0, back - 0.72 * depth, 0.0),
        3.8,
        DVec3::new(0.0, behind, 0.0),
        4.4,
    ))
}

/// Arch, articular pillars and processes of C2 to C7; mirrored place (`p.x >= 0`).
pub(super) fn posterior_elements(segment: &Segment, p: DVec3) -> f64 {
    let half = segment.half_size();
    let back = -half.y;
    let [width, depth] = segment.canal;
    let [pedicle_width, pedicle_height] = segment.pedicle;
    let side = 0.5 * width;
    let axis = segment.station < -5.5;
    let mut d = FAR;
    // Pedicle, backwards and outwards.
    d = d.max(rod(
        p * DVec3::new(1.0, 1.0, pedicle_width / pedicle_height),
        DVec3::new(0.62 * half.x, back + 3.0, 0.15 * half.z),
        0.5 * pedicle_width,
        DVec3::new(side + 4.0, back - 4.5, 0.1 * half.z),
        0.5 * pedicle_width,
    ));
    // Articular pillar: a leaning block, its joint faces sloping down and backwards.
    let joint = 0.62 * (p.y - (back - 6.5));
    let block = (half.z + 1.2 - (p.z - joint).abs()) * 0.85;
    let round = ellipse(p.x - (side + 5.5), p.y - (back - 6.5), 6.8, 6.6);
    d = d.max(block.min(round));
    if axis {
        let face = p - DVec3::new(side + 1.5, back + 4.5, half.z - 1.0);
        d = d.max(7.8 - DVec3::new(face.x * 0.9, face.y * 0.85, face.z * 1.2).length());
    }
    // Transverse process with its two roots about the artery's hole.
    let tip = DVec3::new(side + 12.5, back + 1.0, -0.25 * half.z);
    d = d.max(rod(p, DVec3::new(0.95 * half.x, back + 6.0, 0.0), 2.6, tip, 2.6));
    d = d.max(rod(p, DVec3::new(side + 8.0, back - 4.0, 0.0), 2.8, tip, 2.6));
    // Lamina and spinous process: forked above C7, long at C7.
    let root = back - depth - 1.5;
    let axial = slab(p.x, p.y, [side + 3.0, back - 9.0], [0.0, root - 1.0], 2.1);
    d = d.max(axial.min(0.85 * half.z - (p.z + 0.25 * half.z).abs()));
    let length = match segment.station {
        s if s < -5.5 => 15.0,
        s if s < -1.5 => 13.0 + 2.0 * (s + 5.0),
        _ => 28.0,
    };
    let end = DVec3::new(0.0, root - length, -0.45 * half.z - 0.32 * length);
    d = d.max(rod(p, DVec3::new(0.0, root, -0.2 * half.z), 3.2, end, 3.0));
    if segment.station < -1.5 {
        let fork = end + DVec3::new(5.0, -2.5, -2.0);
        d = d.max(rod(p, end, 2.8, fork, 2.4));
    }
    d
}

/// The skull in the axes of the atlas: distance to its bone (positive inside), and whether the
/// place lies in the cavity.
pub(super) fn skull(p: DVec3) -> (f64, bool) {
    let centre = DVec3::new(0.0, 14.0, 84.0);
    let q = p - centre;
    let scaled = (q / DVec3::new(72.0, 90.0, 74.0)).length();
    let outer = (1.0 - scaled) * 72.0;
    let thick = 5.5 + 2.0 * (-q.z / 74.0).max(0.0);
    let cavity = outer > thick;
    let mut d = outer.min(thick - outer);
    // The great hole above the canal, and no vault below the face.
    let hole = ellipse(p.x, p.y + 15.5, 15.0, 17.5);
    if q.z < 0.0 {
        d = d.min(-hole);
    }
    if p.y > 24.0 && q.z < -20.0 {
        d = d.min(30.0 - p.y);
    }
    let a = p.x.abs();
    let m = DVec3::new(a, p.y, p.z);
    // Condyles, the slope in front of the hole, petrous bone, mastoid, jaw and palate.
    let parts = [
        rod(m, DVec3::new(17.0, -4.0, 11.0), 5.5, DVec3::new(15.0, 4.0, 14.0), 5.0),
        rod(m, DVec3::new(0.0, 3.0, 16.0), 5.5, DVec3::new(0.0, 30.0, 44.0), 8.0),
        rod(m, DVec3::new(12.0, 18.0, 30.0), 7.0, DVec3::new(52.0, -8.0, 28.0), 10.0),
        rod(m, DVec3::new(50.0, -10.0, 24.0), 10.0, DVec3::new(50.0, -8.0, 2.0), 7.0),
        rod(m, DVec3::new(46.0, 22.0, 24.0), 5.0, DVec3::new(43.0, 34.0, -28.0), 5.0),
        rod(m, DVec3::new(43.0, 34.0, -28.0), 6.0, DVec3::new(8.0, 84.0, -38.0), 6.5),
        rod(m, DVec3::new(24.0, 40.0, 6.0), 3.0, DVec3::new(6.0, 80.0, 2.0), 4.5),
        rod(m, DVec3::new(14.0, 34.0, 8.0), 2.5, DVec3::new(15.0, 36.0, 36.0), 2.5),
    ];
    for part in parts {
        d = d.max(part);
    }
    (d, cavity)
}
