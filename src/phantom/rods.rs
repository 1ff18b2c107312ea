//! Bones beside the spine as chains of round rods: ribs, sternum, shoulder girdle, hip bones,
//! femora.

use glam::DVec3;

use super::shapes::rod;
use super::skeleton::{Segment, Skeleton};
use super::spec::{Spec, Surrounding};
use super::trunk::Trunk;
use crate::terms::Level;

/// What a rod is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RodKind {
    /// Thin cortex, marrow.
    Rib,
    /// Cortex of moderate thickness, marrow.
    Flat,
    /// Thick cortex, fatty marrow.
    Shaft,
    /// No bone at all.
    Cartilage,
}

/// A rounded rod between two places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rod {
    from: DVec3,
    from_radius: f64,
    to: DVec3,
    to_radius: f64,
    pub kind: RodKind,
}

impl Rod {
    /// Signed distance to the surface, mm, positive inside.
    pub fn distance(&self, p: DVec3) -> f64 {
        rod(p, self.from, self.from_radius, self.to, self.to_radius)
    }

    /// Whether the rod may reach within `radius` of a place.
    pub fn within(&self, p: DVec3, radius: f64) -> bool {
        let reach = radius + self.from_radius.max(self.to_radius);
        let low = self.from.min(self.to) - DVec3::splat(reach);
        let high = self.from.max(self.to) + DVec3::splat(reach);
        p.cmpge(low).all() && p.cmple(high).all() && self.distance(p) > -radius
    }
}

/// Where the ribs leave the transverse processes and where their bone ends, degrees round the cage
/// from the back, and how far they sink on the way, mm; first to twelfth.
#[rustfmt::skip]
const RIBS: [(f64, f64); 12] = [
    (112.0, 34.0), (138.0, 55.0), (146.0, 70.0), (148.0, 80.0), (148.0, 86.0), (146.0, 92.0),
    (143.0, 98.0), (134.0, 100.0), (124.0, 98.0), (114.0, 92.0), (82.0, 66.0), (52.0, 42.0),
];

/// Where ribs join the cage's curve, degrees from the back.
const RIB_ANGLE_DEG: f64 = 27.0;

fn chain(rods: &mut Vec<Rod>, points: &[DVec3], radius: f64, kind: RodKind) {
    for pair in points.windows(2) {
        if let &[from, to] = pair {
            rods.push(Rod { from, from_radius: radius, to, to_radius: radius, kind });
        }
    }
}

/// Cuts a line of points off after a length.
fn shortened(points: &[DVec3], share: f64) -> Vec<DVec3> {
    let whole: f64 = points.windows(2).map(|pair| (pair[1] - pair[0]).length()).sum();
    let mut left = share * whole;
    let mut kept = vec![points[0]];
    for pair in points.windows(2) {
        let step = (pair[1] - pair[0]).length();
        if left <= 0.0 {
            break;
        }
        kept.push(pair[0] + (pair[1] - pair[0]) * (left / step).min(1.0));
        left -= step;
    }
    kept
}

/// The line of a rib from its head; `side` is 1 for left.
fn rib_line(trunk: &Trunk, segment: &Segment, side: f64) -> Vec<DVec3> {
    let half = segment.half_size();
    let number = (segment.station.clamp(0.0, 11.0) + 0.5) as usize;
    let (end_deg, drop) = RIBS[number];
    // Heads of the second to ninth rib lie at the disc above, the others beside the body.
    let head = if (1..9).contains(&number) { 0.92 * half.z } else { 0.3 * half.z };
    let at = |u: f64, v: f64, s: f64| segment.to_lps(DVec3::new(side * u, v, s));
    let mut points = vec![
        at(half.x + 1.5, -half.y + 4.0, head),
        at(half.x + 9.0, -half.y - 5.0, head - 0.5),
        at(half.x + 18.0, -half.y - 15.0, head - 3.0),
    ];
    let neck = points[2];
    let steps = ((end_deg - RIB_ANGLE_DEG) / 7.0) as usize + 2;
    for n in 0..=steps {
        let share = n as f64 / steps as f64;
        let angle = (RIB_ANGLE_DEG + share * (end_deg - RIB_ANGLE_DEG)).to_radians();
        let z = neck.z - 6.0 - drop * share;
        let level = trunk.at(z);
        let (sin, cos) = libm::sincos(angle);
        let [a, b] = level.cage;
        points.push(DVec3::new(level.x + side * a * sin, level.cage_y() + b * cos, z));
    }
    points
}

/// All rods of a patient.
pub(super) fn rods(spec: &Spec, skeleton: &Skeleton, trunk: &Trunk) -> Vec<Rod> {
    let mut rods = Vec::new();
    if spec.surroundings.contains(&Surrounding::Ribs) {
        cage(&mut rods, skeleton, trunk);
    }
    if let Some(first) = skeleton.find(Level::S1) {
        hips(&mut rods, first, spec.size_factor);
    }
    if spec.surroundings.contains(&Surrounding::Arms) {
        for side in [-1.0, 1.0] {
            let at = |station_z: f64| {
                let level = trunk.at(station_z);
                DVec3::new(
                    level.x + side * (level.half_width.max(165.0) + 42.0),
                    level.y - 15.0,
                    station_z,
                )
            };
            let top = skeleton.segments[0].origin.z + 60.0;
            chain(&mut rods, &[at(top), at(top - 300.0)], 11.5, RodKind::Shaft);
            // Radius and ulna.
            for shift in [-9.0, 9.0] {
                let away = DVec3::new(0.0, shift, 0.0);
                let points = [at(top - 310.0) + away, at(top - 560.0) + away * 1.8];
                chain(&mut rods, &points, 7.0, RodKind::Shaft);
            }
        }
    }
    rods
}

fn cage(rods: &mut Vec<Rod>, skeleton: &Skeleton, trunk: &Trunk) {
    for segment in &skeleton.segments {
        if segment.rib_share <= 0.0 {
            continue;
        }
        for side in [-1.0, 1.0] {
            let line = rib_line(trunk, segment, side);
            let line =
                if segment.rib_share < 1.0 { shortened(&line, segment.rib_share) } else { line };
            chain(rods, &line, 4.3, RodKind::Rib);
        }
    }
    let (Some(first), Some(last)) = (skeleton.find(Level::T1), skeleton.find(Level::T9)) else {
        return;
    };
    // Breast bone: manubrium from about T2, body down to T9.
    let front = |z: f64, u: f64| {
        let level = trunk.at(z);
        DVec3::new(level.x + u, level.cage_y() - level.cage[1] - 3.0, z)
    };
    let top = first.origin.z - 42.0;
    let bottom = last.origin.z.min(top - 60.0) + 10.0;
    for (u, radius) in [(-11.0, 4.6), (-4.0, 5.4), (4.0, 5.4), (11.0, 4.6)] {
        let points: Vec<DVec3> =
            (0..=8).map(|n| front(top + (bottom - top) * f64::from(n) / 8.0, u)).collect();
        chain(rods, &points, radius, RodKind::Flat);
    }
    for side in [-1.0, 1.0] {
        // Costal cartilage of the second to seventh rib.
        for segment in &skeleton.segments {
            let joined = (0.5..6.5).contains(&segment.station) && segment.rib_share >= 1.0;
            let line = if joined { rib_line(trunk, segment, side) } else { vec![] };
            if let Some(&end) = line.last() {
                let z = (end.z + 6.0).clamp(bottom, top);
                chain(rods, &[end, front(z, side * 16.0)], 4.6, RodKind::Cartilage);
            }
        }
        // Collar bone, shoulder blade, head of the humerus; the arms are raised out of view.
        let level = trunk.at(first.origin.z);
        let place = |x: f64, y: f64, z: f64| {
            DVec3::new(level.x + side * x, level.y + y, first.origin.z + z)
        };
        let inner = front(top + 4.0, side * 20.0);
        chain(
            rods,
            &[inner, place(75.0, -52.0, -2.0), place(134.0, -12.0, 4.0)],
            6.0,
            RodKind::Shaft,
        );
        let glenoid = place(133.0, -8.0, -26.0);
        for n in 0..14 {
            let share = f64::from(n) / 13.0;
            let from = place(64.0 + 10.0 * share, 42.0 - 6.0 * share, -20.0 - 120.0 * share);
            let to = glenoid + DVec3::new(-side * 46.0 * share, 24.0 * share, -92.0 * share);
            chain(rods, &[from, to], 3.1, RodKind::Rib);
        }
        chain(
            rods,
            &[place(62.0, 44.0, -34.0), place(120.0, 36.0, -10.0), place(142.0, 6.0, 2.0)],
            5.0,
            RodKind::Flat,
        );
        let head = place(158.0, -16.0, -24.0);
        rods.push(Rod {
            from: head,
            from_radius: 23.0,
            to: head + DVec3::new(side * 4.0, -6.0, 14.0),
            to_radius: 21.0,
            kind: RodKind::Flat,
        });
    }
}

fn hips(rods: &mut Vec<Rod>, first_sacral: &Segment, size: f64) {
    for side in [-1.0, 1.0] {
        let at = |x: f64, y: f64, z: f64| first_sacral.origin + DVec3::new(side * x, y, z) * size;
        let one = |from: DVec3, from_radius: f64, to: DVec3, to_radius: f64, kind| Rod {
            from,
            from_radius: from_radius * size,
            to,
            to_radius: to_radius * size,
            kind,
        };
        let centre = at(89.0, -24.0, -102.0);
        rods.extend([
            // Femur: head, neck, trochanters, shaft.
            one(centre, 22.5, at(92.0, -23.0, -103.0), 22.0, RodKind::Flat),
            one(centre, 16.0, at(124.0, -12.0, -124.0), 15.5, RodKind::Flat),
            one(at(130.0, -4.0, -104.0), 12.0, at(126.0, -6.0, -150.0), 16.5, RodKind::Flat),
            one(at(125.0, -7.0, -150.0), 16.0, at(112.0, -12.0, -420.0), 14.0, RodKind::Shaft),
            // Ilium above the socket, ischium, pubis.
            one(at(66.0, 8.0, -52.0), 8.0, at(82.0, -20.0, -74.0), 9.0, RodKind::Flat),
            one(at(66.0, 2.0, -66.0), 8.0, at(62.0, 2.0, -104.0), 8.5, RodKind::Flat),
            one(at(62.0, 2.0, -104.0), 10.0, at(60.0, 18.0, -160.0), 13.0, RodKind::Flat),
            one(at(64.0, -34.0, -96.0), 7.5, at(20.0, -70.0, -116.0), 6.5, RodKind::Flat),
            one(at(12.0, -72.0, -114.0), 8.0, at(12.0, -66.0, -144.0), 7.5, RodKind::Flat),
            one(at(14.0, -64.0, -144.0), 6.0, at(56.0, 8.0, -172.0), 7.0, RodKind::Flat),
        ]);
        // The socket: arcs of a hemisphere that is open to the side and downwards.
        let radius = 28.5;
        for n in 0..6 {
            let turn = f64::from(n) * std::f64::consts::PI / 6.0;
            let (sin, cos) = libm::sincos(turn);
            let points: Vec<DVec3> = (0..=6)
                .map(|m| {
                    let (s, c) = libm::sincos(
                        (-0.25 + 0.92 * f64::from(m) / 6.0 * 1.1) * std::f64::consts::PI,
                    );
                    // Poles at the side: circles run over the medial and upper face.
                    let around = DVec3::new(
                        -side * c.abs() * 0.9,
                        s * cos,
                        s.abs() * sin.abs() * 0.9 + 0.2 * sin,
                    );
                    centre + around.normalize_or(DVec3::Z) * radius * size
                })
                .collect();
            chain(rods, &points, 3.6 * size, RodKind::Flat);
        }
    }
}
