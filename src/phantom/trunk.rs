//! Sizes of head, neck, trunk and rib cage along the spine, by height in the patient.

use super::skeleton::Skeleton;

/// Sizes at a station, mm: half width and half depth of the skin, its distance behind the canal's
/// axis, half width and half depth of the rib cage. Adult figures, drawn to look normal.
#[rustfmt::skip]
const PROFILE: [(f64, [f64; 5]); 19] = [
    (-11.0, [74.0,  92.0, 72.0, 0.0, 0.0]),
    (-7.5,  [74.0,  92.0, 70.0, 0.0, 0.0]),
    (-6.0,  [71.0,  89.0, 62.0, 0.0, 0.0]),
    (-4.9,  [64.0,  86.0, 57.0, 0.0, 0.0]),
    (-4.2,  [61.0,  64.0, 55.0, 0.0, 0.0]),
    (-3.0,  [61.0,  60.0, 54.0, 0.0, 0.0]),
    (-1.5,  [76.0,  60.0, 54.0, 0.0, 0.0]),
    (-0.5,  [130.0, 68.0, 56.0, 40.0, 30.0]),
    (0.5,   [178.0, 80.0, 58.0, 62.0, 46.0]),
    (2.0,   [186.0, 94.0, 58.0, 96.0, 66.0]),
    (4.0,   [184.0, 108.0, 54.0, 120.0, 82.0]),
    (7.0,   [166.0, 114.0, 52.0, 134.0, 92.0]),
    (10.0,  [158.0, 114.0, 56.0, 134.0, 92.0]),
    (13.0,  [156.0, 108.0, 62.0, 126.0, 86.0]),
    (15.0,  [161.0, 107.0, 69.0, 120.0, 80.0]),
    (17.0,  [172.0, 108.0, 76.0, 0.0, 0.0]),
    (19.0,  [182.0, 112.0, 78.0, 0.0, 0.0]),
    (22.0,  [186.0, 112.0, 76.0, 0.0, 0.0]),
    (26.0,  [180.0, 106.0, 70.0, 0.0, 0.0]),
];

/// The trunk at one height.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    /// Station of the spine.
    pub station: f64,
    /// The canal's axis; below S1 that of S1.
    pub x: f64,
    pub y: f64,
    /// Skin: half width, half depth, distance behind the canal's axis.
    pub half_width: f64,
    pub half_depth: f64,
    pub back: f64,
    /// Rib cage: half width and half depth.
    pub cage: [f64; 2],
}

impl Level {
    /// Middle of the rib cage, front to back: its back lies a little behind the canal's axis.
    pub fn cage_y(&self) -> f64 {
        self.y + CAGE_BEHIND_MM - self.cage[1]
    }

    /// Middle of the body, front to back.
    pub fn skin_y(&self) -> f64 {
        self.y + self.back - self.half_depth
    }
}

/// How far the ribs' angles stand behind the canal's axis, mm.
const CAGE_BEHIND_MM: f64 = 24.0;

/// Pitch of the table, mm.
const PITCH_MM: f64 = 0.5;

/// How far the table reaches beyond the spine, mm.
const BEYOND_MM: f64 = 500.0;

/// The trunk by height.
#[derive(Clone, Debug)]
pub(super) struct Trunk {
    bottom: f64,
    levels: Vec<Level>,
}

impl Trunk {
    pub fn new(skeleton: &Skeleton, size: f64) -> Self {
        let heights = skeleton.segments.iter().map(|segment| segment.origin.z);
        let top = heights.clone().fold(f64::NEG_INFINITY, f64::max) + BEYOND_MM;
        let bottom = heights.fold(f64::INFINITY, f64::min) - BEYOND_MM;
        let promontory = skeleton
            .segments
            .iter()
            .find(|segment| segment.is_sacral())
            .map_or(f64::NEG_INFINITY, |segment| segment.origin.z);
        let count = ((top - bottom) / PITCH_MM) as usize + 1;
        let levels = (0..count)
            .map(|n| {
                let z = bottom + PITCH_MM * n as f64;
                let station = skeleton.station_at_z(z);
                let [x, y] = skeleton.canal_at_z(z.max(promontory));
                let [half_width, half_depth, back, cage_a, cage_b] =
                    profile(station).map(|mm| mm * size);
                Level { station, x, y, half_width, half_depth, back, cage: [cage_a, cage_b] }
            })
            .collect();
        Self { bottom, levels }
    }

    /// The trunk at a height; beyond the table its end.
    pub fn at(&self, z: f64) -> &Level {
        let place = ((z - self.bottom) / PITCH_MM + 0.5).max(0.0) as usize;
        &self.levels[place.min(self.levels.len() - 1)]
    }
}

fn profile(station: f64) -> [f64; 5] {
    let mut below = PROFILE[0];
    if station <= below.0 {
        return below.1;
    }
    for &knot in &PROFILE[1..] {
        if station < knot.0 {
            let share = (station - below.0) / (knot.0 - below.0);
            return [0, 1, 2, 3, 4].map(|n| below.1[n] + share * (knot.1[n] - below.1[n]));
        }
        below = knot;
    }
    below.1
}
