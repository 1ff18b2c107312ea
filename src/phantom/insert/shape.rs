//! Irregular shapes.

use glam::DVec3;

use super::super::random::Texture;
use super::draw::Draw;
use crate::geometry::{Frame, LpsPoint};

/// A lump of one to four lobes with a rough surface.
///
/// Depth in mm is that of the nearest lobe, moved by a smooth random field: no two lumps are
/// alike, and none is an ellipsoid.
pub(super) struct Lump {
    frame: Frame,
    lobes: Vec<(DVec3, DVec3)>,
    rough_mm: f64,
    grain_mm: f64,
    field: Texture,
}

/// How a lump looks.
#[derive(Clone, Copy)]
pub(super) struct LumpForm {
    /// Most lobes.
    pub(super) most_lobes: usize,
    /// How far the surface wanders, as a share of the radius.
    pub(super) roughness: f64,
    /// Size of its waves, as a share of the radius.
    pub(super) grain: f64,
}

impl Lump {
    /// A lump of about a radius around the frame's origin, in the frame's axes.
    pub(super) fn new(frame: Frame, radius_mm: f64, form: LumpForm, draw: &mut Draw) -> Self {
        let count = 1 + draw.below(form.most_lobes);
        let lobes = (0..count)
            .map(|n| {
                // Further lobes are smaller and sit at the rim of the first.
                let size = if n == 0 { 1.0 } else { draw.between(0.4, 0.75) } * radius_mm;
                let radii = DVec3::new(
                    size * draw.between(0.8, 1.2),
                    size * draw.between(0.8, 1.2),
                    size * draw.between(0.75, 1.1),
                );
                let away = if n == 0 { 0.0 } else { draw.between(0.5, 0.95) * radius_mm };
                let direction =
                    DVec3::new(draw.normal(), draw.normal(), draw.normal()).normalize_or_zero();
                (direction * away, radii)
            })
            .collect();
        Self {
            frame,
            lobes,
            rough_mm: form.roughness * radius_mm,
            grain_mm: (form.grain * radius_mm).max(1.0),
            field: Texture::new(draw.seed()),
        }
    }

    /// Depth below the surface, mm; negative outside.
    pub(super) fn depth(&self, at: LpsPoint) -> f64 {
        let local = self.frame.to_local(at);
        let p = DVec3::new(local.u, local.v, local.s);
        let lobes = self.lobes.iter().map(|(centre, radii)| {
            let scaled = ((p - *centre) / *radii).length();
            (1.0 - scaled) * radii.min_element()
        });
        lobes.fold(f64::NEG_INFINITY, f64::max) + self.rough_mm * self.field.at(p / self.grain_mm)
    }
}
