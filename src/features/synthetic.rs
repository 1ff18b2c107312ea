//! A plain spine for tests: cylinders of marrow with cortex, a canal behind them, one lesion.

use crate::anatomy::{
    Anatomy, BodySurface, Canal, CanalSection, EndplateSurface, OUTLINE_DIRECTIONS, Vertebra,
    VertebraId, VertebralBody,
};
use crate::features::{Context, Feature, Observation, Settings, Site};
use crate::geometry::{Frame, Grid, LocalPoint, LpsPoint, LpsVector, VoxelIndex};
use crate::series::SeriesId;
use crate::terms::{ContrastMedium, Level, Provider, Role};
use crate::units::{Millimetres, Share};
use crate::volume::{Image, Validity, Volume};

/// Radius of the bodies, mm.
pub const RADIUS: f64 = 16.0;
/// Half of their height, mm.
pub const HALF_HEIGHT: f64 = 11.0;
/// Distance of their centres, mm.
pub const SPACING: f64 = 28.0;
/// Density of healthy marrow, HU.
pub const MARROW: f64 = 150.0;

/// A spine of `count` bodies along z; body `n` has its centre at (0, 0, `n` · spacing).
pub struct Spine {
    pub image: Image,
    pub anatomy: Anatomy,
    pub settings: Settings,
    pub role: Role,
}

/// Repeatable texture: a hash of the voxel, about ±20 HU.
fn texture(i: usize, j: usize, k: usize) -> f64 {
    let mix = |n: usize, by: u64| (n as u64).wrapping_mul(by);
    let mut x = mix(i, 0x9E37_79B9_7F4A_7C15)
        ^ mix(j, 0xC2B2_AE3D_27D4_EB4F)
        ^ mix(k, 0x1656_67B1_9E37_79F9);
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 32;
    (x & 0xFFFF) as f64 / 65535.0 * 40.0 - 20.0
}

/// Builds a spine; `lesion(body, local)` gives what is added at a place of a body's frame, HU.
pub fn spine(count: usize, step_k: f64, lesion: impl Fn(usize, LocalPoint) -> f64) -> Spine {
    let length = SPACING * count as f64 + 20.0;
    let size = [71, 81, (length / step_k) as usize];
    let grid = Grid::new(
        size,
        LpsPoint::new(-35.0, -35.0, -24.0),
        LpsVector::new(1.0, 0.0, 0.0),
        LpsVector::new(0.0, 1.0, 0.0),
        LpsVector::new(0.0, 0.0, step_k),
    )
    .unwrap();
    let frames: Vec<Frame> = (0..count)
        .map(|n| {
            let origin = LpsPoint::new(0.0, 0.0, n as f64 * SPACING);
            Frame::from_up_and_anterior(origin, LpsVector::HEAD, LpsVector::ANTERIOR).unwrap()
        })
        .collect();
    let mut voxels = Vec::with_capacity(grid.len());
    for k in 0..size[2] {
        for j in 0..size[1] {
            for i in 0..size[0] {
                let p = grid.voxel_to_lps(VoxelIndex { i, j, k });
                let n = libm::round(p.z() / SPACING).clamp(0.0, count as f64 - 1.0) as usize;
                let local = frames[n].to_local(p);
                let side = RADIUS - libm::sqrt(local.v * local.v + local.u * local.u);
                let end = HALF_HEIGHT - local.s.abs();
                let plain = if side >= 0.0 && end >= 0.0 {
                    if side.min(end) < 1.5 { 450.0 } else { MARROW }
                } else {
                    40.0
                };
                let value = plain + texture(i, j, k) + lesion(n, local);
                voxels.push(value as i16);
            }
        }
    }
    let image = Image::Ct(Volume { grid, voxels, validity: Validity::default() });
    let vertebrae = frames
        .iter()
        .enumerate()
        .map(|(n, frame)| Vertebra {
            id: VertebraId(format!("v{}", n + 1)),
            level: None,
            level_candidates: Vec::new(),
            section_guess: None,
            centroid: frame.origin,
            fraction_in_view: Share::new(1.0),
            confidence: Share::new(1.0),
            body: Some(VertebralBody {
                frame: *frame,
                surface: BodySurface {
                    first_outline_s: -14.0,
                    outlines: vec![[RADIUS as f32; OUTLINE_DIRECTIONS]; 29],
                    upper: EndplateSurface::flat(HALF_HEIGHT),
                    lower: EndplateSurface::flat(-HALF_HEIGHT),
                    in_view_s: (-14.0, 14.0),
                },
                confidence: Share::new(1.0),
                measurements: None,
            }),
            disc_below: None,
            disc_above: None,
            problems: Vec::new(),
        })
        .collect();
    let sections = (0..length as i32 - 20)
        .map(|z| CanalSection {
            frame: Frame::from_up_and_anterior(
                LpsPoint::new(0.0, RADIUS + 8.0, f64::from(z) - 10.0),
                LpsVector::HEAD,
                LpsVector::ANTERIOR,
            )
            .unwrap(),
            anterior: Millimetres::new(8.0),
            posterior: None,
            left: None,
            right: None,
            outline: None,
            followed: true,
            confidence: Share::new(1.0),
        })
        .collect();
    let mut anatomy = Anatomy::empty(Provider::Heuristic);
    anatomy.canal = Some(Canal { sections });
    anatomy.vertebrae = vertebrae;
    Spine { image, anatomy, settings: Settings::default(), role: Role::CtSoft }
}

impl Spine {
    /// Runs something with this spine as context.
    pub fn with_context<T>(&self, run: impl FnOnce(&Context<'_>) -> T) -> T {
        let series = SeriesId("synthetic".to_owned());
        run(&Context {
            series: &series,
            role: self.role,
            contrast_medium: ContrastMedium::NotGiven,
            image: &self.image,
            anatomy: &self.anatomy,
            settings: &self.settings,
        })
    }

    /// What a feature answers.
    pub fn assess(&self, feature: &dyn Feature) -> Vec<Observation> {
        self.with_context(|context| feature.assess(context))
    }

    /// Gives a vertebra a level.
    pub fn name(&mut self, body: usize, level: Level) {
        self.anatomy.vertebrae[body].level = Some(level);
    }
}

/// The observations of body `n`.
pub fn of_body(observations: &[Observation], n: usize) -> Vec<&Observation> {
    let id = VertebraId(format!("v{}", n + 1));
    observations.iter().filter(|o| o.site == Site::Vertebra(id.clone())).collect()
}

/// A measurement by name.
pub fn measured(observation: &Observation, name: &str) -> f64 {
    observation.measurements.iter().find(|m| m.name == name).unwrap().value
}

/// A ball of `hu` round a place.
pub fn ball(p: LocalPoint, centre: [f64; 3], radius: f64, hu: f64) -> f64 {
    let (s, v, u) = (p.s - centre[0], p.v - centre[1], p.u - centre[2]);
    if s * s + v * v + u * u <= radius * radius { hu } else { 0.0 }
}
