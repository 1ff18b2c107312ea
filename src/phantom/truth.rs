//! What is where: the truth of a phantom, from its geometry and not from its voxels.

use std::ops::Range;

use glam::DVec3;
use serde::{Deserialize, Serialize};

use super::bone::{self, BoneDistance};
use super::marrow;
use super::scene::Scene;
use super::skeleton::{DENS_MM, Segment};
use super::spec::{Lesion, LesionKind, LesionSite, LookAlike, LookAlikeKind, Spec};
use crate::anatomy::HEIGHT_PLACE;
use crate::geometry::{Grid, LpsPoint};
use crate::terms::{FeatureId, Level};
use crate::units::rounded;

/// Pitch of the points by which volumes and centroids are counted, mm.
const PITCH_MM: f64 = 1.0;
/// Look-alikes are counted at every second point: only their centroid is told.
const LOOK_ALIKE_STEPS: f64 = 2.0;

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
    /// What was asked for; of a case of a population, what was drawn.
    pub spec: Spec,
    /// Vertebrae with any part of the body in view, from the head down (S2 and below left out).
    pub vertebrae: Vec<TrueVertebra>,
    /// Lesions.
    pub lesions: Vec<TrueLesion>,
    /// What looks like a lesion and is none: a finding there is false.
    pub look_alikes: Vec<TrueLookAlike>,
}

/// A vertebra of the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueVertebra {
    /// Its level.
    pub level: Level,
    /// Whether the sacrum or the axis is in view, so that the level can be told (ribs are not
    /// counted as anchors here).
    pub level_anchor_in_view: bool,
    /// Centroid of the part of the body that is in view.
    pub centroid_lps_mm: LpsPoint,
    /// Of what it is the centroid.
    pub centroid_of: String,
    /// Share of the body in view.
    pub fraction_in_view: f64,
    /// Value in `labels.nii.gz`: C1 to C7 1 to 7, T1 to T12 8 to 19, L1 to L6 20 to 25, S1 26,
    /// T13 28 (the numbering of `VerSe`).
    pub label: u8,
    /// Sizes of the whole body, also where it is cut by the field.
    pub measurements: BodySizes,
    /// Kinds of height lost ([`super::DeformityKind::name`]) with the share lost.
    pub deformities: Vec<(String, f64)>,
}

/// Sizes of a body, mm, between its outer surfaces in its own axes. Heights are taken where the
/// anatomy takes them ([`crate::anatomy::BodyMeasurements`]), so that both are of the same thing; they are
/// those of the body without its lesions, whose bulge behind the wall changes no height. Depths go to the
/// wall as it stands, with the bulge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodySizes {
    /// Height in the midline, at [`HEIGHT_PLACE`] of the way from the middle to the front wall at
    /// mid height.
    pub anterior_height_mm: f64,
    /// Height in the midline, half way from the front wall to the back wall.
    pub middle_height_mm: f64,
    /// Height in the midline, at [`HEIGHT_PLACE`] of the way from the middle to the back wall at
    /// mid height.
    pub posterior_height_mm: f64,
    /// Front to back in the midline: at mid height, and at 80 % of the way to each endplate.
    pub middle_depth_mm: f64,
    /// See `middle_depth_mm`.
    pub upper_depth_mm: f64,
    /// See `middle_depth_mm`.
    pub lower_depth_mm: f64,
    /// Side to side at mid height and mid depth, and at 80 % of the way to each endplate.
    pub middle_width_mm: f64,
    /// See `middle_width_mm`.
    pub upper_width_mm: f64,
    /// See `middle_width_mm`.
    pub lower_width_mm: f64,
    /// Bony canal at mid height of the body, front to back.
    pub canal_depth_mm: f64,
    /// Bony canal, side to side.
    pub canal_width_mm: f64,
    /// Middle of the canal at mid height of the body.
    pub canal_centre_lps_mm: LpsPoint,
    /// Unit normals of the endplates' rims, both to the head.
    pub upper_endplate_normal_lps: [f64; 3],
    /// See `upper_endplate_normal_lps`.
    pub lower_endplate_normal_lps: [f64; 3],
}

/// A look-alike of the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueLookAlike {
    /// Kind ([`super::LookAlikeKind::name`]).
    pub kind: String,
    /// In which vertebra.
    pub level: Level,
    /// Its centre as asked for; of kinds with a place of their own, the centroid of what they change
    /// in bone; of what lies on both sides (facets, screws), between them.
    pub centroid_lps_mm: LpsPoint,
    /// Radius as asked for, mm.
    pub radius_mm: f64,
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
    /// In which part its centre lies.
    pub site: LesionSite,
    /// Share of its volume that lies in the body.
    pub share_in_body: f64,
    /// From its nearest point to the posterior wall's plane, mm; 0 where it reaches the wall.
    pub distance_to_posterior_wall_mm: f64,
}

fn point(p: DVec3) -> LpsPoint {
    LpsPoint::new(p.x, p.y, p.z).rounded(1)
}

/// Distances of a place given in nominal axes, after the patient's irregularity.
fn bone_at(scene: &Scene<'_>, segment: &Segment, local: DVec3) -> (DVec3, BoneDistance) {
    let local = segment.to_local(scene.warped(segment.to_lps(local)));
    (local, bone::distance(segment, local))
}

/// How far the body reaches from a place inside it along a direction, mm.
fn reach(scene: &Scene<'_>, segment: &Segment, from: DVec3, direction: DVec3) -> f64 {
    let inside = |t: f64| bone_at(scene, segment, from + direction * t).1.body() >= 0.0;
    let mut low = 0.0;
    while low < 60.0 && inside(low + 0.5) {
        low += 0.5;
    }
    let mut high = low + 0.5;
    for _ in 0..10 {
        let middle = 0.5 * (low + high);
        if inside(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

fn body_sizes(scene: &Scene<'_>, segment: &Segment) -> BodySizes {
    let half = segment.half_size();
    let mm = |value: f64| rounded(value, 2);
    let across = |segment: &Segment, from: DVec3, axis: DVec3| {
        mm(reach(scene, segment, from, axis) + reach(scene, segment, from, -axis))
    };
    let both = |from: DVec3, axis: DVec3| across(segment, from, axis);
    // Heights are those of the body without its lesions: behind the place of a wall that a lesion pushed
    // back there is its bulge alone, which reaches neither endplate.
    let sound = Segment { lesions: Vec::new(), ..segment.clone() };
    let front = reach(scene, &sound, DVec3::ZERO, DVec3::Y);
    let back = reach(scene, &sound, DVec3::ZERO, -DVec3::Y);
    let place = |share: f64| 0.5 * (front - back) + share * 0.5 * (front + back);
    let height = |share: f64| across(&sound, DVec3::new(0.0, place(share), 0.0), DVec3::Z);
    let depth = |s: f64| both(DVec3::new(0.0, 0.0, s * half.z), DVec3::Y);
    let width = |s: f64| both(DVec3::new(0.0, 0.0, s * half.z), DVec3::X);
    let canal = DVec3::new(0.0, -half.y - 0.5 * segment.canal[1], 0.0);
    // The rim's plane from four points as far out as the hollow is the same.
    let normal = |up: f64| {
        let rim = |u: f64, v: f64| {
            let from = DVec3::new(u * half.x, v * half.y, 0.0);
            from + DVec3::Z * up * reach(scene, segment, from, DVec3::Z * up)
        };
        let across = rim(0.75, 0.0) - rim(-0.75, 0.0);
        let forward = rim(0.0, 0.75) - rim(0.0, -0.75);
        let n = across.cross(forward).normalize();
        let n = segment.left * n.x + segment.anterior * n.y + segment.up * n.z;
        n.to_array().map(|x| rounded(x, 4))
    };
    BodySizes {
        anterior_height_mm: height(HEIGHT_PLACE),
        middle_height_mm: height(0.0),
        posterior_height_mm: height(-HEIGHT_PLACE),
        middle_depth_mm: depth(0.0),
        upper_depth_mm: depth(0.8),
        lower_depth_mm: depth(-0.8),
        middle_width_mm: width(0.0),
        upper_width_mm: width(0.8),
        lower_width_mm: width(-0.8),
        canal_depth_mm: mm(segment.canal[1]),
        canal_width_mm: mm(segment.canal[0]),
        canal_centre_lps_mm: point(segment.to_lps(canal)),
        upper_endplate_normal_lps: normal(1.0),
        lower_endplate_normal_lps: normal(-1.0),
    }
}

fn lattice(half: DVec3) -> impl Iterator<Item = DVec3> {
    let range = |r: f64| -(r.ceil() as i32)..=(r.ceil() as i32);
    let half = half / PITCH_MM;
    range(half.z).flat_map(move |c| {
        range(half.y).flat_map(move |b| {
            range(half.x)
                .map(move |a| DVec3::new(f64::from(a), f64::from(b), f64::from(c)) * PITCH_MM)
        })
    })
}

fn true_vertebra(
    scene: &Scene<'_>,
    grid: &Grid,
    segment: &Segment,
    level: Level,
) -> Option<TrueVertebra> {
    let (mut all, mut seen) = (0_usize, 0_usize);
    let mut sum = DVec3::ZERO;
    let mut half = segment.half_size() + DVec3::new(4.0, 10.0, 5.0);
    if level == Level::C2 {
        half.z += 2.0 * DENS_MM;
    }
    for local in lattice(half) {
        if bone_at(scene, segment, local).1.body() < 0.0 {
            continue;
        }
        all += 1;
        let place = segment.to_lps(local);
        if grid.nearest(LpsPoint::new(place.x, place.y, place.z)).is_some() {
            seen += 1;
            sum += place;
        }
    }
    (seen > 0).then(|| TrueVertebra {
        level,
        level_anchor_in_view: false,
        centroid_lps_mm: point(sum / seen as f64),
        centroid_of: "body (visible part where cut)".to_owned(),
        fraction_in_view: rounded(seen as f64 / all as f64, 2),
        label: label(level),
        measurements: body_sizes(scene, segment),
        deformities: segment
            .deformities
            .iter()
            .map(|deformity| (deformity.kind.name().to_owned(), deformity.loss))
            .collect(),
    })
}

fn true_lesion(scene: &Scene<'_>, segment: &Segment, lesion: &Lesion) -> TrueLesion {
    let half = segment.half_size();
    let reach = DVec3::splat(lesion.radius_mm + 4.0).max(half + DVec3::new(24.0, 12.0, 6.0));
    let centre = match lesion.site {
        LesionSite::Body => DVec3::ZERO,
        _ => marrow::lesion_centre(segment, lesion),
    };
    let (mut count, mut in_body) = (0_usize, 0_usize);
    let mut sum = DVec3::ZERO;
    let mut nearest = f64::INFINITY;
    for offset in lattice(reach) {
        let nominal = centre + offset;
        let (local, d) = bone_at(scene, segment, nominal);
        let share = scene.lesion_share(segment, lesion, local);
        let there = match lesion.kind {
            LesionKind::EpiduralMass { .. } | LesionKind::ParavertebralMass { .. } => {
                d.body() < 0.0 && share >= 0.5
            }
            LesionKind::PosteriorWallBreach { .. } => {
                let behind =
                    bone::bulge_at(segment, local.x, local.z) > 0.5 && local.y < -half.y + 1.0;
                d.body() >= 0.0 && (behind || share >= 0.5)
            }
            _ => d.body().max(d.posterior) >= 0.0 && share >= 0.5,
        };
        if there {
            count += 1;
            in_body += usize::from(d.body() >= 0.0);
            sum += segment.to_lps(nominal);
            nearest = nearest.min((local.y + half.y).max(0.0));
        }
    }
    let (contrast, unit) = match lesion.kind {
        LesionKind::Sclerotic { contrast_hu } | LesionKind::Mixed { contrast_hu, .. } => {
            (contrast_hu, "HU")
        }
        LesionKind::Lytic { tissue_hu } => {
            (rounded(tissue_hu - scene.mean_marrow(segment), 1), "HU")
        }
        LesionKind::PosteriorWallBreach { bulge_mm, .. } => (bulge_mm, "mm"),
        LesionKind::EpiduralMass { thickness_mm }
        | LesionKind::ParavertebralMass { thickness_mm } => (thickness_mm, "mm"),
        LesionKind::T1Replacement { signal_share } => (signal_share, "ratio"),
        LesionKind::Oedema { water_share } => (water_share, "ratio"),
    };
    let total = count.max(1) as f64;
    TrueLesion {
        kind: lesion.kind.name().to_owned(),
        feature: lesion.kind.feature(scene.spec.modality),
        level: lesion.level,
        centroid_lps_mm: if count > 0 { point(sum / total) } else { point(segment.to_lps(centre)) },
        volume_mm3: count as f64 * PITCH_MM * PITCH_MM * PITCH_MM,
        contrast,
        contrast_unit: unit.to_owned(),
        site: lesion.site,
        share_in_body: rounded(in_body as f64 / total, 2),
        distance_to_posterior_wall_mm: if count > 0 { rounded(nearest, 1) } else { 0.0 },
    }
}

/// A look-alike where it is painted: several kinds have a place of their own in the vertebra.
fn true_look_alike(
    scene: &Scene<'_>,
    segment: &Segment,
    alike: &LookAlike,
    level: Level,
) -> TrueLookAlike {
    let half = segment.half_size();
    let asked = segment.to_lps(DVec3::from(alike.place) * half);
    let told = |centroid: DVec3| TrueLookAlike {
        kind: alike.kind.name().to_owned(),
        level,
        centroid_lps_mm: point(centroid),
        radius_mm: alike.radius_mm,
    };
    if alike.kind.is_a_ball() {
        return told(asked);
    }
    let others = segment.look_alikes.iter().filter(|other| *other != alike);
    let without = Segment { look_alikes: others.copied().collect(), ..segment.clone() };
    let inside = |d: &BoneDistance| d.body().max(d.posterior) >= 0.0;
    let seen = 0.1 * scene.mean_marrow(segment);
    let reach = DVec3::new(half.x + 20.0, half.y + segment.canal[1] + 32.0, 2.0 * half.z);
    let (mut sum, mut count) = (DVec3::ZERO, 0_usize);
    for offset in lattice(reach / LOOK_ALIKE_STEPS).map(|offset| offset * LOOK_ALIKE_STEPS) {
        let (local, d) = bone_at(scene, segment, offset);
        let bare = bone::distance(&without, local);
        let painted = if alike.kind == LookAlikeKind::Screw {
            bone::screw(segment, local.with_x(local.x.abs())) >= 0.0
        } else if inside(&d) && inside(&bare) {
            let change =
                scene.marrow(segment, local, d.body()) - scene.marrow(&without, local, bare.body());
            change.abs() > seen
        } else {
            inside(&d) != inside(&bare)
        };
        if painted {
            sum += segment.to_lps(offset);
            count += 1;
        }
    }
    told(if count > 0 { sum / count as f64 } else { asked })
}

/// Value of a level in label maps (`VerSe`).
pub(super) fn label(level: Level) -> u8 {
    match level {
        Level::T13 => 28,
        Level::S1 => 26,
        _ => level as u8 + u8::from(level < Level::T13),
    }
}

/// The truth of a scene on a grid.
pub(super) fn truth(scene: &Scene<'_>, grid: &Grid) -> Truth {
    let spec = scene.spec;
    let (mut vertebrae, mut lesions, mut look_alikes) = (vec![], vec![], vec![]);
    for segment in &scene.skeleton.segments {
        // The atlas has no body; S2 and below have no level.
        let Some(level) = segment.level.filter(|level| *level != Level::C1) else { continue };
        vertebrae.extend(true_vertebra(scene, grid, segment, level));
        lesions.extend(segment.lesions.iter().map(|lesion| true_lesion(scene, segment, lesion)));
        let alikes = segment.look_alikes.iter();
        look_alikes.extend(alikes.map(|alike| true_look_alike(scene, segment, alike, level)));
    }
    let seen = |level| {
        vertebrae.iter().any(|v: &TrueVertebra| v.level == level && v.fraction_in_view >= 0.5)
    };
    let anchored = seen(Level::S1) || seen(Level::C2);
    for vertebra in &mut vertebrae {
        vertebra.level_anchor_in_view = anchored;
    }
    Truth {
        frame: "LPS mm of the DICOM patient coordinate system".to_owned(),
        made_by: "osteoflag phantom, from its geometry".to_owned(),
        name: spec.name.clone(),
        seed: spec.seed,
        spec: spec.clone(),
        vertebrae,
        lesions,
        look_alikes,
    }
}

/// Number of the body each voxel's centre lies in, `[k, j, i]`: 0 for none, n for
/// `truth.vertebrae[n - 1]`.
pub(super) fn body_labels(scene: &Scene<'_>, grid: &Grid, truth: &Truth) -> Vec<u8> {
    let mut labels = vec![0; grid.len()];
    for (index, segment) in scene.skeleton.segments.iter().enumerate() {
        let number = truth.vertebrae.iter().position(|v| Some(v.level) == segment.level);
        let Some(number) = number else { continue };
        let reach = (segment.half_size() + DVec3::new(4.0, 10.0, 5.0)).length()
            + if segment.level == Some(Level::C2) { DENS_MM } else { 0.0 };
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
