//! The chain of segments: where each body stands, and the curved coordinates along it.

use glam::DVec3;
use strum::VariantArray;

use super::PhantomError;
use super::morphometry::{S1, sizes_at};
use super::random::{Stream, generator, normal_pair};
use super::spec::{Deformity, DeformityKind, Lesion, LookAlike, Spec};
use crate::geometry::LpsPoint;
use crate::terms::{Level, SpineSection};

/// One vertebra or sacral segment. Local axes: u left, v anterior, s up, from the body's centre.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// `None` for S2 and below, which have no level of their own.
    pub level: Option<Level>,
    /// Place along the normal spine, see [`super::morphometry`].
    pub station: f64,
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
    /// How much deeper the endplates are hollow, mm each.
    pub hollow: f64,
    pub deformities: Vec<Deformity>,
    pub lesions: Vec<Lesion>,
    pub look_alikes: Vec<LookAlike>,
    /// Length of the ribs as a share of their normal one; 0 for none.
    pub rib_share: f64,
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
        self.station >= S1
    }

    /// T1 to T12 or T13.
    pub fn is_thoracic(&self) -> bool {
        self.level.is_some_and(|level| level.section() == SpineSection::Thoracic)
    }

    /// C1 to C7.
    pub fn is_cervical(&self) -> bool {
        self.station < -0.5
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
        let chain = chain(spec)?;
        let rows: Vec<usize> = spec
            .levels
            .iter()
            .map(|&level| {
                chain
                    .iter()
                    .position(|(own, _)| *own == Some(level))
                    .ok_or(PhantomError::LevelNotMade { level })
            })
            .collect::<Result<_, _>>()?;
        let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else {
            return Err(PhantomError::NoLevels);
        };
        if rows.windows(2).any(|pair| pair[1] != pair[0] + 1) {
            return Err(PhantomError::LevelsWithGap { levels: spec.levels.clone() });
        }
        check_changes(spec)?;

        // Neighbours are made as far as the field may reach.
        let reach = spec.field_reach_mm();
        let from = first.saturating_sub(2 + (reach / 25.0) as usize);
        let to = (last + 3 + (reach / 30.0) as usize).min(chain.len() - 1);
        let mut rng = generator(spec.seed, Stream::Shape);
        // One factor per segment besides the common one: people are not scaled copies.
        let jitter: Vec<[f64; 2]> = chain.iter().map(|_| normal_pair(&mut rng)).collect();

        let mut segments: Vec<Segment> = Vec::new();
        for (n, &(level, station)) in chain.iter().enumerate().take(to + 1).skip(from) {
            let sizes = sizes_at(station);
            let scale = spec.size_factor;
            let own = jitter[n];
            let height = scale * (1.0 + 0.02 * own[0]);
            let width = scale * (1.0 + 0.02 * own[1]);
            let posterior = 0.5 * sizes.posterior_height * height;
            let deformities: Vec<Deformity> =
                spec.deformities.iter().filter(|d| Some(d.level) == level).copied().collect();
            let (half_height, hollow) =
                deformed([posterior, posterior * sizes.wedge], &deformities);
            let lean = (spec.curvature * sizes.lean_deg + 0.6 * own[1]).to_radians();
            let lateral = spec.scoliosis.lateral_tilt_deg(station).to_radians();
            let axial = spec.scoliosis.rotation_deg(station).to_radians();
            let rotation = glam::DMat3::from_cols_array(&rotation_y(lateral))
                * glam::DMat3::from_cols_array(&rotation_x(lean))
                * glam::DMat3::from_cols_array(&rotation_z(axial));
            let up = rotation * DVec3::Z;
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
            let disc_share = spec.disc_height * (1.0 + 0.04 * own[0]);
            segments.push(Segment {
                level,
                station,
                origin,
                left: rotation * DVec3::X,
                anterior: rotation * -DVec3::Y,
                up,
                upper: sizes.upper.map(|w| 0.5 * w * width),
                lower: sizes.lower.map(|w| 0.5 * w * width),
                half_height,
                canal: sizes.canal.map(|w| w * scale),
                pedicle: sizes.pedicle.map(|w| w * scale),
                disc: [
                    disc_above,
                    sizes.disc_below * scale * if station < S1 { disc_share } else { 1.0 },
                ],
                hollow,
                deformities,
                lesions: spec.lesions.iter().filter(|l| Some(l.level) == level).copied().collect(),
                look_alikes: spec
                    .look_alikes
                    .iter()
                    .filter(|l| Some(l.level) == level)
                    .copied()
                    .collect(),
                rib_share: rib_share(spec, level),
            });
        }

        // The patient as a whole: turned and tilted about the middle of the levels asked for.
        let asked = (first - from)..=(last - from);
        let mean =
            asked.clone().map(|n| segments[n].origin).sum::<DVec3>() / asked.clone().count() as f64;
        let turn = glam::DMat3::from_cols_array(&rotation_z(-spec.turn_deg.to_radians()));
        let tilt = glam::DMat3::from_cols_array(&rotation_y(spec.tilt_deg.to_radians()));
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
            if segment.level == Some(Level::C2) {
                let dens = segment.to_lps(DVec3::new(0.0, 0.0, half.z + DENS_MM)).z;
                extent_z[1] = extent_z[1].max(dens);
            }
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

    /// The station of a place.
    pub fn station(&self, along: Along) -> f64 {
        let (above, below) = (&self.segments[along.index], &self.segments[along.index + 1]);
        above.station + (below.station - above.station) * along.share
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

    /// The station at a height: stations run on between segments.
    pub fn station_at_z(&self, z: f64) -> f64 {
        let first = &self.segments[0];
        if z >= first.origin.z {
            return first.station
                - (z - first.origin.z) / if first.station < 0.0 { 18.0 } else { 30.0 };
        }
        for pair in self.segments.windows(2) {
            let (above, below) = (&pair[0], &pair[1]);
            if z >= below.origin.z {
                let share = (above.origin.z - z) / (above.origin.z - below.origin.z);
                return above.station + (below.station - above.station) * share;
            }
        }
        self.segments.last().map_or(0.0, |last| last.station + (last.origin.z - z) / 25.0)
    }

    /// The segment of a level.
    pub fn find(&self, level: Level) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.level == Some(level))
    }
}

/// How far the dens stands above the body of C2, mm.
pub(super) const DENS_MM: f64 = 17.0;

// `glam` takes sine and cosine from the standard library unless told otherwise: these do not
// depend on its features.
fn rotation_x(angle: f64) -> [f64; 9] {
    let (s, c) = libm::sincos(angle);
    [1.0, 0.0, 0.0, 0.0, c, s, 0.0, -s, c]
}

fn rotation_y(angle: f64) -> [f64; 9] {
    let (s, c) = libm::sincos(angle);
    [c, 0.0, -s, 0.0, 1.0, 0.0, s, 0.0, c]
}

fn rotation_z(angle: f64) -> [f64; 9] {
    let (s, c) = libm::sincos(angle);
    [c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0]
}

/// Levels and stations of the spine from C1 to S5, with as many thoracic and lumbar vertebrae as
/// the spec says.
fn chain(spec: &Spec) -> Result<Vec<(Option<Level>, f64)>, PhantomError> {
    let count = |name, value: u8, least: u8, most: u8, range| {
        if (least..=most).contains(&value) {
            Ok(usize::from(value))
        } else {
            Err(PhantomError::NumberOutOfRange { name, value: f64::from(value), range })
        }
    };
    let thoracic = count("anatomy.thoracic", spec.anatomy.thoracic, 11, 13, "11 to 13")?;
    let lumbar = count("anatomy.lumbar", spec.anatomy.lumbar, 4, 6, "4 to 6")?;
    let of = |section: SpineSection| {
        Level::VARIANTS.iter().copied().filter(move |level| level.section() == section)
    };
    let spread = |n: usize, count: usize, from: f64, to: f64| {
        from + (to - from) * n as f64 / (count as f64 - 1.0)
    };
    let mut chain = Vec::new();
    chain.extend(of(SpineSection::Cervical).enumerate().map(|(n, l)| (Some(l), n as f64 - 7.0)));
    chain.extend(
        of(SpineSection::Thoracic)
            .take(thoracic)
            .enumerate()
            .map(|(n, l)| (Some(l), spread(n, thoracic, 0.0, 11.0))),
    );
    chain.extend(
        of(SpineSection::Lumbar)
            .take(lumbar)
            .enumerate()
            .map(|(n, l)| (Some(l), spread(n, lumbar, 12.0, 16.0))),
    );
    chain.push((Some(Level::S1), S1));
    chain.extend((1..5).map(|n| (None, S1 + f64::from(n))));
    Ok(chain)
}

/// Refuses changes that sit outside the levels or that the scanner does not show.
fn check_changes(spec: &Spec) -> Result<(), PhantomError> {
    let levels = spec
        .lesions
        .iter()
        .map(|lesion| lesion.level)
        .chain(spec.look_alikes.iter().map(|alike| alike.level))
        .chain(spec.deformities.iter().map(|deformity| deformity.level));
    for level in levels {
        if !spec.levels.contains(&level) {
            return Err(PhantomError::LesionOutsideLevels { level });
        }
    }
    for lesion in &spec.lesions {
        if !lesion.kind.shown_on(spec.modality) {
            return Err(PhantomError::LesionOfOtherModality {
                kind: lesion.kind.name(),
                modality: spec.modality,
            });
        }
    }
    for deformity in &spec.deformities {
        if !(0.0..=0.9).contains(&deformity.loss) {
            return Err(PhantomError::NumberOutOfRange {
                name: "deformities.loss",
                value: deformity.loss,
                range: "0 to 0.9",
            });
        }
    }
    Ok(())
}

/// Half heights at the back and at the front, and how much deeper each endplate is hollow, mm.
fn deformed(half_height: [f64; 2], deformities: &[Deformity]) -> ([f64; 2], f64) {
    let [mut back, mut front] = half_height;
    let mut hollow = 0.0;
    for deformity in deformities {
        let kept = 1.0 - deformity.loss;
        match deformity.kind {
            DeformityKind::Wedge => front *= kept,
            DeformityKind::Biconcave => hollow += deformity.loss * 0.5 * (back + front),
            DeformityKind::Crush => {
                back *= kept;
                front *= kept;
            }
        }
    }
    ([back, front], hollow)
}

/// Length of a level's ribs as a share of the normal one.
fn rib_share(spec: &Spec, level: Option<Level>) -> f64 {
    let Some(level) = level else { return 0.0 };
    match level.section() {
        SpineSection::Thoracic => {
            let last = Level::VARIANTS
                .iter()
                .filter(|l| l.section() == SpineSection::Thoracic)
                .nth(usize::from(spec.anatomy.thoracic).saturating_sub(1));
            if last == Some(&level) { spec.anatomy.last_rib_share } else { 1.0 }
        }
        SpineSection::Lumbar if level == Level::L1 => spec.anatomy.lumbar_rib_share,
        _ => 0.0,
    }
}
