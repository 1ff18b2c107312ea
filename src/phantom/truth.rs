//! What is where: the truth of a phantom, from its geometry and not from its voxels.

use std::ops::Range;

use glam::DVec3;
use serde::{Deserialize, Serialize};

use super::bone;
use super::scene::Scene;
use super::spec::LesionKind;
use crate::geometry::{Grid, LpsPoint};
use crate::terms::{FeatureId, Level};
use crate::units::rounded;

/// Pitch of the points by which volumes and centroids are counted, mm.
const PITCH_MM: f64 = 1.0;

/// The truth of one series. Field names are those of the truth files of the development data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// In which coordinates.
    pub frame: String,
    /// How it was made.
    pub made_by: String,
    /// Name of the spec.
    pub name: String,
    /// Seed of the spec.
    pub seed: u64,
    /// Vertebrae with any part of the body in view, from the head down (S2 and below left out).
    pub vertebrae: Vec<TrueVertebra>,
    /// Lesions.
    pub lesions: Vec<TrueLesion>,
}

/// A vertebra of the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueVertebra {
    /// Its level.
    pub level: Level,
    /// Whether the sacrum is in view, so that the level can be told.
    pub level_anchor_in_view: bool,
    /// Centroid of the part of the body that is in view.
    pub centroid_lps_mm: LpsPoint,
    /// Of what it is the centroid.
    pub centroid_of: String,
    /// Share of the body in view.
    pub fraction_in_view: f64,
}

/// A lesion of the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueLesion {
    /// Kind ([`LesionKind::name`]).
    pub kind: String,
    /// The feature that ought to see it.
    pub feature: FeatureId,
    /// In which body.
    pub level: Level,
    /// Centroid of the changed tissue.
    pub centroid_lps_mm: LpsPoint,
    /// Volume in which the change is at least half of its full strength; of a wall breach, the
    /// changed marrow and what stands behind the wall's place.
    pub volume_mm3: f64,
    /// Strength: HU above the marrow, share of the marrow's signal, or mm of bulge.
    pub contrast: f64,
    /// Unit of the strength: `HU`, `ratio` or `mm`.
    pub contrast_unit: String,
}

fn point(p: DVec3) -> LpsPoint {
    LpsPoint::new(p.x, p.y, p.z).rounded(1)
}

/// The truth of a scene on a grid.
pub(super) fn truth(scene: &Scene<'_>, grid: &Grid) -> Truth {
    let spec = scene.spec;
    let mut vertebrae = Vec::new();
    let mut lesions = Vec::new();
    for segment in &scene.skeleton.segments {
        let Some(level) = segment.level else { continue };
        let mut all = 0_usize;
        let mut seen = 0_usize;
        let mut sum = DVec3::ZERO;
        let mut changed = vec![(0_usize, DVec3::ZERO); segment.lesions.len()];
        let reach = (segment.half_size() + DVec3::new(4.0, 10.0, 5.0)) / PITCH_MM;
        let range = |r: f64| -(r.ceil() as i32)..=(r.ceil() as i32);
        for c in range(reach.z) {
            for b in range(reach.y) {
                for a in range(reach.x) {
                    let local = DVec3::new(f64::from(a), f64::from(b), f64::from(c)) * PITCH_MM;
                    let place = segment.to_lps(local);
                    let local = segment.to_local(scene.warped(place));
                    if bone::distance(segment, local).body() < 0.0 {
                        continue;
                    }
                    all += 1;
                    if grid.nearest(LpsPoint::new(place.x, place.y, place.z)).is_some() {
                        seen += 1;
                        sum += place;
                    }
                    for (lesion, (count, total)) in segment.lesions.iter().zip(&mut changed) {
                        let behind = matches!(lesion.kind, LesionKind::PosteriorWallBreach { .. })
                            && bone::bulge_at(segment, local.x, local.z) > 0.5
                            && local.y < -segment.half_size().y + 1.0;
                        if behind || scene.lesion_share(segment, lesion, local) >= 0.5 {
                            *count += 1;
                            *total += place;
                        }
                    }
                }
            }
        }
        if seen > 0 {
            vertebrae.push(TrueVertebra {
                level,
                level_anchor_in_view: false,
                centroid_lps_mm: point(sum / seen as f64),
                centroid_of: "body (visible part where cut)".to_owned(),
                fraction_in_view: rounded(seen as f64 / all as f64, 2),
            });
        }
        for (lesion, (count, total)) in segment.lesions.iter().zip(changed) {
            let (contrast, unit) = match lesion.kind {
                LesionKind::Sclerotic { contrast_hu } => (contrast_hu, "HU"),
                LesionKind::PosteriorWallBreach { bulge_mm, .. } => (bulge_mm, "mm"),
                LesionKind::T1Replacement { signal_share } => (signal_share, "ratio"),
            };
            lesions.push(TrueLesion {
                kind: lesion.kind.name().to_owned(),
                feature: lesion.kind.feature(),
                level,
                centroid_lps_mm: point(total / count.max(1) as f64),
                volume_mm3: count as f64 * PITCH_MM * PITCH_MM * PITCH_MM,
                contrast,
                contrast_unit: unit.to_owned(),
            });
        }
    }
    let anchored = vertebrae.iter().any(|v| v.level == Level::S1 && v.fraction_in_view >= 0.5);
    for vertebra in &mut vertebrae {
        vertebra.level_anchor_in_view = anchored;
    }
    Truth {
        frame: "LPS mm of the DICOM patient coordinate system".to_owned(),
        made_by: "osteoflag phantom, from its geometry".to_owned(),
        name: spec.name.clone(),
        seed: spec.seed,
        vertebrae,
        lesions,
    }
}

/// Number of the body each voxel's centre lies in, `[k, j, i]`: 0 for none, n for
/// `truth.vertebrae[n - 1]`.
pub(super) fn body_labels(scene: &Scene<'_>, grid: &Grid, truth: &Truth) -> Vec<u8> {
    let mut labels = vec![0; grid.len()];
    for (index, segment) in scene.skeleton.segments.iter().enumerate() {
        let number = truth.vertebrae.iter().position(|v| Some(v.level) == segment.level);
        let Some(number) = number else { continue };
        let reach = (segment.half_size() + DVec3::new(4.0, 10.0, 5.0)).length();
        let [i_range, j_range, k_range] = index_box(grid, segment.origin, reach);
        for k in k_range {
            for j in j_range.clone() {
                for i in i_range.clone() {
                    let voxel = crate::geometry::VoxelIndex { i, j, k };
                    let place = super::raster::vector(grid.voxel_to_lps(voxel));
                    if (place - segment.origin).length_squared() < reach * reach
                        && scene.in_body(index, place)
                    {
                        labels[grid.offset(voxel)] = number as u8 + 1;
                    }
                }
            }
        }
    }
    labels
}

/// Indices along each axis of the voxels within `reach` of a place, for a grid with orthogonal
/// axes.
fn index_box(grid: &Grid, centre: DVec3, reach: f64) -> [Range<usize>; 3] {
    let middle = grid.to_index(LpsPoint::new(centre.x, centre.y, centre.z));
    let spacing = grid.spacing();
    let along = |middle: f64, pitch: f64, count: usize| {
        let low = (middle - reach / pitch).floor().clamp(0.0, count as f64) as usize;
        let high = ((middle + reach / pitch).ceil() + 1.0).clamp(0.0, count as f64) as usize;
        low..high
    };
    [
        along(middle.i, spacing[0], grid.ni()),
        along(middle.j, spacing[1], grid.nj()),
        along(middle.k, spacing[2], grid.nk()),
    ]
}
