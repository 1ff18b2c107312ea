//! The chain of segments: where each body stands, and the curved coordinates along it.

use glam::DVec3;

use super::PhantomError;
use super::morphometry::{S1, SEGMENTS};
use super::random::{Stream, generator, normal_pair};
use super::spec::{Lesion, Spec};
use crate::geometry::LpsPoint;
use crate::terms::Level;

/// One vertebra or sacral segment. Local axes: u left, v anterior, s up, from the body's centre.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub level: Option<Level>,
    /// Row in the morphometry table.
    pub row: usize,
    pub origin: DVec3,
    pub left: DVec3,
    pub anterior: DVec3,
    pub up: DVec3,
    /// Half width and half depth of the upper and lower endplate.
    pub upper: [f64; 2],
    pub lower: [f64; 2],
    /// Half heights at the posterior and anterior wall.
    pub half_height: [f64; 2],
    pub canal: [f64; 2],
    pub pedicle: [f64; 2],
    /// Height of the disc above and below, at their middle.
    pub disc: [f64; 2],
    pub lesions: Vec<Lesion>,
}

impl Segment {
    /// A place in the patient in local axes `(u, v, s)`.
    pub fn to_local(&self, point: DVec3) -> DVec3 {
        let d = point - self.origin;
        DVec3::new(d.dot(self.left), d.dot(self.anterior), d.dot(self.up))
    }

    /// Local axes `(u, v, s)` as a place in the patient.
    pub fn to_lps(&self, local: DVec3) -> DVec3 {
        self.origin + self.left * local.x + self.anterior * local.y + self.up * local.z
    }

    /// Half width, half depth and half height at the middle.
    pub fn half_size(&self) -> DVec3 {
        DVec3::new(
            0.5 * (self.upper[0] + self.lower[0]),
            0.5 * (self.upper[1] + self.lower[1]),
            0.5 * (self.half_height[0] + self.half_height[1]),
        )
    }

    /// S1 and below: fused, without facets and free processes.
    pub fn is_sacral(&self) -> bool {
        self.row >= S1
    }

    /// T1 to T12.
    pub fn is_thoracic(&self) -> bool {
        self.row < 12
    }
}

/// A place relative to the curved column: between which segments, and across.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along {
    /// The segment above the place (index into [`Skeleton::segments`]).
    pub index: usize,
    /// 0 at the middle of that segment, 1 at the middle of the next lower one.
    pub share: f64,
    /// Left of the line through the bodies' centres, mm.
    pub u: f64,
    /// In front of it, mm.
    pub v: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Skeleton {
    /// From the head down; neighbours of the levels asked for included.
    pub segments: Vec<Segment>,
    /// Middle of the levels asked for, on the canal's axis.
    pub centre: LpsPoint,
    /// Lowest and highest z of the levels asked for.
    pub extent_z: [f64; 2],
}

/// Where phantoms lie in their scanner: off zero, so that a lost origin shows.
const WORLD: DVec3 = DVec3::new(-6.0, 24.0, -340.0);

impl Skeleton {
    /// Stands the segments on each other.
    pub fn new(spec: &Spec) -> Result<Self, PhantomError> {
        let rows: Vec<usize> = spec
            .levels
            .iter()
            .map(|&level| {
                SEGMENTS
                    .iter()
                    .position(|sizes| sizes.level == Some(level))
                    .ok_or(PhantomError::LevelNotMade { level })
            })
            .collect::<Result<_, _>>()?;
        let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else {
            return Err(PhantomError::NoLevels);
        };
        if rows.windows(2).any(|pair| pair[1] != pair[0] + 1) {
            return Err(PhantomError::LevelsWithGap { levels: spec.levels.clone() });
        }
        for lesion in &spec.lesions {
            if !spec.levels.contains(&lesion.level) {
                return Err(PhantomError::LesionOutsideLevels { level: lesion.level });
            }
            if lesion.kind.modality() != spec.modality {
                return Err(PhantomError::LesionOfOtherModality {
                    kind: lesion.kind.name(),
                    modality: spec.modality,
                });
            }
        }

        let from = first.saturating_sub(2);
        let to = (last + 3).min(SEGMENTS.len() - 1);
        let mut rng = generator(spec.seed, Stream::Shape);
        // One factor per segment besides the common one: people are not scaled copies.
        let jitter: Vec<[f64; 2]> = (from..=to).map(|_| normal_pair(&mut rng)).collect();

        let mut segments: Vec<Segment> = Vec::new();
        for row in from..=to {
            let sizes = &SEGMENTS[row];
            let scale = spec.size_factor;
            let own = jitter[row - from];
            let height = scale * (1.0 + 0.02 * own[0]);
            let width = scale * (1.0 + 0.02 * own[1]);
            let posterior = 0.5 * sizes.posterior_height * height;
            let half_height = [posterior, posterior * sizes.wedge];
            let lean = (spec.curvature * sizes.lean_deg + 0.6 * own[1]).to_radians();
            let (sin, cos) = libm::sincos(lean);
            let up = DVec3::new(0.0, -sin, cos);
            let anterior = DVec3::new(0.0, -cos, -sin);
            let disc_above = segments.last().map_or(sizes.disc_below * scale, |s| s.disc[1]);
            let middle = 0.5 * (half_height[0] + half_height[1]);
            let origin = match segments.last() {
                None => DVec3::ZERO,
                Some(above) => {
                    let between = (above.up + up).normalize();
                    above.origin
                        - above.up * above.half_size().z
                        - between * disc_above
                        - up * middle
                }
            };
            segments.push(Segment {
                level: sizes.level,
                row,
                origin,
                left: DVec3::X,
                anterior,
                up,
                upper: sizes.upper.map(|w| 0.5 * w * width),
                lower: sizes.lower.map(|w| 0.5 * w * width),
                half_height,
                canal: sizes.canal.map(|w| w * scale),
                pedicle: sizes.pedicle.map(|w| w * scale),
                disc: [disc_above, sizes.disc_below * scale],
                lesions: spec
                    .lesions
                    .iter()
                    .filter(|lesion| Some(lesion.level) == sizes.level)
                    .copied()
                    .collect(),
            });
        }

        // The patient as a whole: turned and tilted about the middle of the levels asked for.
        let asked = (first - from)..=(last - from);
        let mean =
            asked.clone().map(|n| segments[n].origin).sum::<DVec3>() / asked.clone().count() as f64;
        let turn = glam::DMat3::from_rotation_z(-spec.turn_deg.to_radians());
        let tilt = glam::DMat3::from_rotation_y(spec.tilt_deg.to_radians());
        let rotation = tilt * turn;
        for segment in &mut segments {
            segment.origin = rotation * (segment.origin - mean) + WORLD;
            segment.left = rotation * segment.left;
            segment.anterior = rotation * segment.anterior;
            segment.up = rotation * segment.up;
        }
        let mut extent_z = [f64::INFINITY, f64::NEG_INFINITY];
        let mut canal = DVec3::ZERO;
        for segment in &segments[asked.clone()] {
            let half = segment.half_size();
            for v in [-half.y, half.y] {
                for s in [-half.z, half.z] {
                    let z = segment.to_lps(DVec3::new(0.0, v, s)).z;
                    extent_z = [extent_z[0].min(z), extent_z[1].max(z)];
                }
            }
            canal += segment.to_lps(DVec3::new(0.0, -half.y - 0.5 * segment.canal[1], 0.0));
        }
        canal /= asked.count() as f64;
        let centre = LpsPoint::new(canal.x, canal.y, 0.5 * (extent_z[0] + extent_z[1]));
        Ok(Self { segments, centre, extent_z })
    }

    /// Coordinates along and across the curved column; beyond its ends the end is drawn out. The
    /// search runs down from segment `from`.
    pub fn along(&self, point: DVec3, from: usize) -> Along {
        let height = |n: usize| {
            let segment: &Segment = &self.segments[n];
            (point - segment.origin).dot(segment.up)
        };
        let count = self.segments.len();
        let mut index = from.min(count - 2);
        while index + 2 < count && height(index + 1) < 0.0 {
            index += 1;
        }
        let (above, below) = (&self.segments[index], &self.segments[index + 1]);
        let (over, under) = (height(index), height(index + 1));
        let share = if under > over { -over / (under - over) } else { 0.5 };
        let share = share.clamp(-3.0, 4.0);
        let blend = share.clamp(0.0, 1.0);
        let mix = |a: DVec3, b: DVec3| a * (1.0 - share) + b * share;
        let origin = mix(above.origin, below.origin);
        let anterior = above.anterior * (1.0 - blend) + below.anterior * blend;
        let left = above.left * (1.0 - blend) + below.left * blend;
        let d = point - origin;
        Along { index, share, u: d.dot(left), v: d.dot(anterior) }
    }

    /// A size interpolated between the two segments of a place.
    pub fn blend(&self, along: Along, size: impl Fn(&Segment) -> f64) -> f64 {
        let share = along.share.clamp(0.0, 1.0);
        size(&self.segments[along.index]) * (1.0 - share)
            + size(&self.segments[along.index + 1]) * share
    }

    /// The canal's axis (x, y) at a height, by straight lines between the segments.
    pub fn canal_at_z(&self, z: f64) -> [f64; 2] {
        let place = |segment: &Segment| {
            segment.to_lps(DVec3::new(0.0, -segment.half_size().y - 0.5 * segment.canal[1], 0.0))
        };
        let mut above = place(&self.segments[0]);
        if z >= above.z {
            return [above.x, above.y];
        }
        for segment in &self.segments[1..] {
            let below = place(segment);
            if z >= below.z {
                let share = (above.z - z) / (above.z - below.z);
                return [
                    above.x + share * (below.x - above.x),
                    above.y + share * (below.y - above.y),
                ];
            }
            above = below;
        }
        [above.x, above.y]
    }

    /// The height of a level's middle above `z` in segments: row numbers run on between levels.
    pub fn row_at_z(&self, z: f64) -> f64 {
        let first = &self.segments[0];
        if z >= first.origin.z {
            return first.row as f64 - (z - first.origin.z) / 35.0;
        }
        for pair in self.segments.windows(2) {
            let (above, below) = (&pair[0], &pair[1]);
            if z >= below.origin.z {
                return above.row as f64 + (above.origin.z - z) / (above.origin.z - below.origin.z);
            }
        }
        self.segments.last().map_or(0.0, |last| last.row as f64 + (last.origin.z - z) / 25.0)
    }
}
