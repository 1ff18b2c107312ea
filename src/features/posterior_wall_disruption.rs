//! Posterior wall of a vertebral body: bulge into the canal and loss of its cortex, on CT.
//!
//! Millimetres behind the line between the posterior corners, against the patient's other walls.
//! No publication gives a bulge in millimetres; the limits are those of own trials on 90 walls.

use super::body_doubts::{Least, measurable_body};
use super::posterior_wall::{
    COLUMNS, ROWS, WallMap, column_u, largest_mean, largest_patch, median_map, row_fraction,
    step_along_body, wall_density, wall_place,
};
use super::robust_statistics::median_of;
use super::{Context, Feature, Location, Need, Observation, Site, Spec, Threshold};
use crate::anatomy::{Canal, Vertebra, VertebralBody};
use crate::problem::ProblemCode;
use crate::terms::{FeatureId, Part, Reason, Role, Side, Status};
use crate::units::{Measurement, Millimetres, Reference, Share, Unit, rounded};

/// The feature.
pub struct PosteriorWallDisruption;

const TRIAL: &str = "own trial: 90 healthy walls of eight patients, inserted caps of 2-5 mm";

static BULGE: Threshold = Threshold {
    name: "bulge_mm",
    meaning: "bulge over the patient's other walls, at slice steps under 3.5 mm",
    unit: Unit::Millimetre,
    range: (1.0, 4.0),
    default: 2.0,
    source: TRIAL,
};
static BULGE_THICK: Threshold = Threshold {
    name: "bulge_thick_slices_mm",
    meaning: "the same at slice steps of 3.5 mm and more, which blunt a bulge",
    unit: Unit::Millimetre,
    range: (1.0, 4.0),
    default: 1.5,
    source: TRIAL,
};
static BULGE_UNCLEAR_SHARE: Threshold = Threshold {
    name: "bulge_unclear_share",
    meaning: "share of the limit from which a bulge is indeterminate",
    unit: Unit::Fraction,
    range: (0.4, 1.0),
    default: 0.75,
    source: TRIAL,
};
static BULGE_MIN_AREA: Threshold = Threshold {
    name: "bulge_min_area_mm2",
    meaning: "least area that lies more than half of the limit behind where it is expected",
    unit: Unit::SquareMillimetre,
    range: (3.0, 60.0),
    default: 15.0,
    source: "own trial: caps are 9-15 mm wide, single spurs less",
};
static BULGE_BEHIND_CORNERS_SHARE: Threshold = Threshold {
    name: "bulge_behind_corners_share",
    meaning: "share of the limit that the wall must lie behind the line of its own corners, whatever the other walls do",
    unit: Unit::Fraction,
    range: (0.0, 1.0),
    default: 0.5,
    source: "own trial: a flat L5 among concave walls reads 2.3 mm against them and 0.9 mm behind its corners",
};
static GAP: Threshold = Threshold {
    name: "gap_mm2",
    meaning: "area of wall without its cortical density from which it is indeterminate",
    unit: Unit::SquareMillimetre,
    range: (10.0, 100.0),
    default: 30.0,
    source: TRIAL,
};
static GAP_DENSITY_SHARE: Threshold = Threshold {
    name: "gap_density_share",
    meaning: "density over the canal, as a share of the patient's other walls, that counts as lost",
    unit: Unit::Fraction,
    range: (0.2, 0.7),
    default: 0.45,
    source: TRIAL,
};
static BASIVERTEBRAL_HALF_WIDTH: Threshold = Threshold {
    name: "basivertebral_half_width_mm",
    meaning: "half width of the window in which the basivertebral veins leave the wall",
    unit: Unit::Millimetre,
    range: (3.0, 10.0),
    default: 6.0,
    source: "foramen 5-10 mm wide in 1561 dry vertebrae, at 30-70 % of the height",
};
static MIN_FRACTION_IN_VIEW: Threshold = Threshold {
    name: "min_fraction_in_view",
    meaning: "least share of the body in the field of view",
    unit: Unit::Fraction,
    range: (0.5, 1.0),
    default: 0.8,
    source: "both posterior corners are needed",
};
static MIN_FOLLOWED: Threshold = Threshold {
    name: "min_followed_share",
    meaning: "least share of the wall that could be followed",
    unit: Unit::Fraction,
    range: (0.3, 1.0),
    default: 0.6,
    source: TRIAL,
};
static MIN_OUTLINE_CONFIDENCE: Threshold = Threshold {
    name: "min_outline_confidence",
    meaning: "least confidence in the outline of the body",
    unit: Unit::Fraction,
    range: (0.0, 1.0),
    default: VertebralBody::SURE_OUTLINE,
    source: "ten CT series: below it outlines ran into discs and ossifications",
};
static MIN_VERTEBRA_CONFIDENCE: Threshold = Threshold {
    name: "min_vertebra_confidence",
    meaning: "least confidence that a vertebra lies here",
    unit: Unit::Fraction,
    range: (0.0, 1.0),
    default: Vertebra::SURE,
    source: "as for the count of levels: below it two vertebrae may have been taken for one",
};

static SPEC: Spec = Spec {
    id: FeatureId::PosteriorWallDisruption,
    title: "Posterior wall bulging into the canal or lost",
    method: "The wall is the crossing of half height between the canal's own median and the \
        hindmost bony ridge, for each millimetre across (up to 7 mm from the midline) and each \
        1/32 of the height. Robust curves through its upper and lower ends give the line between \
        the posterior corners; the bulge is the largest mean over 5 by 5 mm behind that line in \
        the middle of the height, less the median of the six nearest walls of the patient; the wall must \
        also lie half of the limit behind its own corners. A gap \
        is the area where the density at the expected wall rises less than 45 % as far above the \
        canal as on the other walls, outside the window of the basivertebral veins. A bulge over \
        the limit is present; between three quarters of the limit and the limit, or a gap alone, \
        indeterminate.",
    limits: "Soft breach fails on CT: tumour and dural sac have nearly the same density, so a wall \
        lost without bony bulge is almost never present and in a third to a half of cases \
        indeterminate; 'absent' rules nothing out. A 3 mm peak reads 1.5-2 mm as a mean of 5 by \
        5 mm. Inserted bony caps of 3.5-5.5 mm in the development scans: present in 12 of 15 (2-3 \
        mm slices) and 7 of 7 (4-6 mm); of 1.5-3.5 mm in 4 of 13 and 2 of 4. Untouched, 28 walls: \
        3 falsely present (2.1 to 3.4 mm), all in a kyphotic patient whose walls are hardly denser \
        than marrow, 3 falsely indeterminate. The limits at 1 mm slices \
        are not known (two walls): the one for 2-3 mm is used and said. Not for neck and sacrum.",
    needs: &[
        Need::Roles(&[Role::CtSoft, Role::CtBone, Role::CtLung]),
        Need::Bodies,
        Need::Canal,
        Need::SliceStepAtMostMm(6.0),
    ],
    thresholds: &[
        &BULGE,
        &BULGE_THICK,
        &BULGE_UNCLEAR_SHARE,
        &BULGE_MIN_AREA,
        &BULGE_BEHIND_CORNERS_SHARE,
        &GAP,
        &GAP_DENSITY_SHARE,
        &BASIVERTEBRAL_HALF_WIDTH,
        &MIN_FRACTION_IN_VIEW,
        &MIN_FOLLOWED,
        &MIN_VERTEBRA_CONFIDENCE,
        &MIN_OUTLINE_CONFIDENCE,
    ],
    absence_rules_out: false,
};

/// Slices farther apart than this are "thick" for the wall, mm.
const THICK_STEP_MM: f64 = 3.5;
/// The trials knew slices from here on, mm.
const KNOWN_STEP_MM: f64 = 1.75;
/// Bodies whose walls are expected.
const PATTERN_BODIES: usize = 6;
/// Fewer other walls than this tell nothing of the patient's normal.
const MIN_OTHER_WALLS: usize = 2;
/// Bulge over the limit at which the score is one half, as a multiple of the limit.
const HALF_SCORE: f64 = 1.0;
/// A hole larger than this is no foramen of the basivertebral veins, mm².
const VEIN_AREA_MM2: f64 = 60.0;
/// A wall may be this much fainter as a whole, as a share of the others, before that is a hole.
const FAINTEST_LEVEL: f64 = 0.5;
/// Basivertebral window: shares of the height.
const BASIVERTEBRAL_HEIGHTS: std::ops::RangeInclusive<f64> = 0.3..=0.7;

struct Wall<'a> {
    vertebra: &'a Vertebra,
    body: VertebralBody,
    map: WallMap,
    bulge: Vec<f64>,
}

impl Feature for PosteriorWallDisruption {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn assess(&self, context: &Context<'_>) -> Vec<Observation> {
        let Some(canal) = context.anatomy.canal.as_ref() else {
            return context
                .anatomy
                .vertebrae
                .iter()
                .map(|vertebra| SPEC.not_assessed(vertebra, Reason::CanalNotFollowed))
                .collect();
        };
        let walls: Vec<Result<Wall<'_>, Reason>> =
            (0..context.anatomy.vertebrae.len()).map(|n| measure(context, n, canal)).collect();
        let good: Vec<&Wall<'_>> = walls.iter().filter_map(|wall| wall.as_ref().ok()).collect();
        context
            .anatomy
            .vertebrae
            .iter()
            .zip(&walls)
            .map(|(vertebra, wall)| match wall {
                Ok(wall) => answer(context, canal, wall, &good),
                Err(reason) => SPEC.not_assessed(vertebra, *reason),
            })
            .collect()
    }
}

fn measure<'a>(context: &Context<'a>, n: usize, canal: &Canal) -> Result<Wall<'a>, Reason> {
    let value = |threshold| context.value(SPEC.id, threshold);
    let least = Least {
        fraction_in_view: value(&MIN_FRACTION_IN_VIEW),
        vertebra_confidence: value(&MIN_VERTEBRA_CONFIDENCE),
        outline_confidence: value(&MIN_OUTLINE_CONFIDENCE),
    };
    let body = measurable_body(context.anatomy, n, &least)?;
    let vertebra = context.anatomy.vertebrae.get(n).ok_or(Reason::SpineNotFound)?;
    if context.anatomy.problems.iter().any(|p| p.code == ProblemCode::ContrastInCanal) {
        return Err(Reason::ContrastInCanal);
    }
    let map = WallMap::measure(context.image, &body, canal).ok_or(Reason::CanalNotFollowed)?;
    let bulge = map.bulge();
    if map.followed < value(&MIN_FOLLOWED)
        || largest_mean(&bulge, map.height_mm, map.half_columns).is_none()
    {
        return Err(Reason::WallNotFollowed);
    }
    Ok(Wall { vertebra, body, map, bulge })
}

fn answer(
    context: &Context<'_>,
    canal: &Canal,
    wall: &Wall<'_>,
    good: &[&Wall<'_>],
) -> Observation {
    let value = |threshold| context.value(SPEC.id, threshold);
    let map = &wall.map;
    let mut others: Vec<&Wall<'_>> =
        good.iter().copied().filter(|other| other.vertebra.id != wall.vertebra.id).collect();
    let distance = |other: &Wall<'_>| wall.vertebra.centroid.distance(other.vertebra.centroid);
    others.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    others.truncate(PATTERN_BODIES);

    let compared = others.len() >= MIN_OTHER_WALLS;
    let bulges: Vec<&[f64]> = others.iter().map(|other| other.bulge.as_slice()).collect();
    let normal = if compared { median_map(&bulges) } else { vec![0.0; ROWS * COLUMNS] };
    // Where the neighbours know nothing the wall is expected on the chord.
    let normal: Vec<f64> = normal.iter().map(|n| if n.is_nan() { 0.0 } else { *n }).collect();
    let relative: Vec<f64> = wall.bulge.iter().zip(&normal).map(|(b, n)| b - n).collect();
    let raw = largest_mean(&wall.bulge, map.height_mm, map.half_columns);
    let Some((bulge, row, column)) = largest_mean(&relative, map.height_mm, map.half_columns)
    else {
        return SPEC.not_assessed(wall.vertebra, Reason::WallNotFollowed);
    };

    let step = step_along_body(context.image, &wall.body);
    let limit = if step < THICK_STEP_MM { value(&BULGE) } else { value(&BULGE_THICK) };
    let (area, bulging) = largest_patch(
        |r, c| relative[r * COLUMNS + c] > 0.5 * limit && (0.1..0.9).contains(&row_fraction(r)),
        map.height_mm,
    );
    let (gap, lost) = if compared {
        let own = wall_density(context.image, &wall.body, map, &normal);
        let densities: Vec<Vec<f64>> = others
            .iter()
            .map(|other| wall_density(context.image, &other.body, &other.map, &normal))
            .collect();
        let expected = median_map(&densities.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let share = value(&GAP_DENSITY_SHARE);
        let half_width = value(&BASIVERTEBRAL_HALF_WIDTH);
        // A wall that is fainter as a whole (osteoporosis differs by level) is not a hole.
        let ratios: Vec<f64> =
            own.iter().zip(&expected).map(|(o, e)| o / e).filter(|r| r.is_finite()).collect();
        let level = median_of(&ratios).unwrap_or(1.0).clamp(FAINTEST_LEVEL, 1.0);
        let is_lost = |r: usize, c: usize| {
            let at = r * COLUMNS + c;
            (0.08..0.92).contains(&row_fraction(r)) && own[at] < share * level * expected[at]
        };
        let outside = largest_patch(
            |r, c| {
                let window = column_u(c).abs() <= half_width
                    && BASIVERTEBRAL_HEIGHTS.contains(&row_fraction(r));
                !window && is_lost(r, c)
            },
            map.height_mm,
        );
        // The veins take up to about 10 by 7 mm: a hole that is larger than that counts wherever
        // it lies.
        let anywhere = largest_patch(is_lost, map.height_mm);
        if anywhere.0 >= VEIN_AREA_MM2 && anywhere.0 > outside.0 { anywhere } else { outside }
    } else {
        (f64::NAN, Vec::new())
    };

    let mut observation = SPEC.absent(wall.vertebra);
    let mut speaks_for = Vec::new();
    let mut speaks_against = Vec::new();
    let wide = area >= value(&BULGE_MIN_AREA);
    let gap_seen = gap >= value(&GAP);
    let unclear = bulge >= value(&BULGE_UNCLEAR_SHARE) * limit;
    let behind = raw.map_or(f64::NAN, |(raw, ..)| raw);
    let behind_corners = behind >= value(&BULGE_BEHIND_CORNERS_SHARE) * limit;
    if bulge >= limit && wide && behind_corners && compared {
        observation.status = Status::Present;
    } else if bulge >= limit || (unclear && behind_corners && wide) {
        observation.status = Status::Indeterminate;
        observation.reason =
            Some(if compared { Reason::BetweenLimits } else { Reason::TooFewReferenceVertebrae });
    } else if gap_seen {
        observation.status = Status::Indeterminate;
        observation.reason = Some(Reason::MeasuresDisagree);
    } else if !compared {
        observation.status = Status::Indeterminate;
        observation.reason = Some(Reason::TooFewReferenceVertebrae);
    }
    observation.score = Some(Share::new(rounded(
        (bulge / limit).max(0.0) / ((bulge / limit).max(0.0) + HALF_SCORE),
        3,
    )));

    let place = wall_place(
        &wall.body,
        row,
        column,
        map.chord[row * COLUMNS + column] + normal[row * COLUMNS + column] + bulge,
    );
    observation.measurements = vec![
        Measurement::new("bulge_mm", bulge, Unit::Millimetre),
        Measurement::new("area_mm2", area, Unit::SquareMillimetre),
    ];
    if !behind.is_nan() {
        observation.measurements.push(Measurement::new(
            "bulge_behind_corners_mm",
            behind,
            Unit::Millimetre,
        ));
    }
    if !gap.is_nan() {
        observation.measurements.push(Measurement::new("gap_mm2", gap, Unit::SquareMillimetre));
    }
    let section = super::canal_distance::nearest_section(canal, place);
    if let Some(section) = section {
        // From the wall to the centre line of the canal: what is left in front of it.
        observation.measurements.push(Measurement::new(
            "wall_to_canal_centre_mm",
            section.frame.to_local(place).v,
            Unit::Millimetre,
        ));
    }
    observation.measurements.push(Measurement::new("wall_followed", map.followed, Unit::Fraction));
    if compared {
        let same_place: Vec<f64> = others
            .iter()
            .map(|other| other.bulge[row * COLUMNS + column])
            .filter(|b| !b.is_nan())
            .collect();
        let mut same: Vec<f32> = same_place.iter().map(|&b| b as f32).collect();
        if let Some((centre, spread)) = super::robust_statistics::median_and_spread(&mut same) {
            observation.reference = Some(Reference {
                tissue: format!(
                    "the same place of the {} nearest posterior walls, behind their corners",
                    others.len()
                ),
                voxels: same_place.len() as u64,
                median: rounded(centre, 2),
                spread: rounded(spread, 2),
                unit: Some(Unit::Millimetre),
            });
        }
    }

    if unclear {
        speaks_for.push(format!(
            "the wall lies {bulge:.1} mm further back than the patient's other walls, over {area:.0} mm²"
        ));
    }
    if gap_seen {
        speaks_for.push(format!(
            "cortical density is missing over {gap:.0} mm² outside the window of the basivertebral veins"
        ));
        if bulge < limit {
            speaks_against.push(
                "the density of the wall alone gave more false than true answers in trials"
                    .to_owned(),
            );
        }
    }
    if bulge >= limit && !wide {
        speaks_against.push(format!("only {area:.0} mm² wide: a spur or a single ridge"));
    }
    if bulge >= limit && !behind_corners {
        speaks_against.push(format!(
            "only {behind:.1} mm behind the line of its own corners: a flat wall among concave ones"
        ));
    }
    if row_fraction(row) > 2.0 / 3.0 && bulge >= limit {
        speaks_against.push(
            "largest in the upper third, as a retropulsed fragment of a benign fracture is"
                .to_owned(),
        );
    }
    if step < KNOWN_STEP_MM {
        speaks_against.push(format!(
            "limits are not established for slices {step:.1} mm apart (those for 2-3 mm were used)"
        ));
    }
    if !compared {
        speaks_against.push("fewer than two other walls to compare with".to_owned());
    }
    observation.speaks_for = speaks_for;
    observation.speaks_against = speaks_against;
    if observation.status != Status::Absent {
        let patch =
            if observation.reason == Some(Reason::MeasuresDisagree) { &lost } else { &bulging };
        observation.location = Some(locate(context, wall, &normal, patch, place));
    }
    debug_assert!(matches!(observation.site, Site::Vertebra(_)));
    observation
}

fn locate(
    context: &Context<'_>,
    wall: &Wall<'_>,
    normal: &[f64],
    patch: &[(usize, usize)],
    fallback: crate::geometry::LpsPoint,
) -> Location {
    use crate::geometry::{LocalPoint, VoxelIndex};
    use crate::kernels::BitMask;

    let grid = context.image.grid();
    let map = &wall.map;
    let mut mask = BitMask::empty(grid.size());
    let mut corners: Option<(VoxelIndex, VoxelIndex)> = None;
    let mut centre = LocalPoint { s: 0.0, v: 0.0, u: 0.0 };
    let mut places = 0usize;
    for &(row, column) in patch {
        let at = row * COLUMNS + column;
        let from = map.chord[at] + normal[at];
        let to = if map.back[at].is_nan() { from } else { map.back[at].max(from) };
        if from.is_nan() {
            continue;
        }
        let middle =
            wall.body.frame.to_local(wall_place(&wall.body, row, column, 0.5 * (from + to)));
        centre.s += middle.s;
        centre.v += middle.v;
        centre.u += middle.u;
        places += 1;
        let steps = libm::ceil((to - from) / 0.5) as usize;
        for n in 0..=steps {
            let back = from + 0.5 * n as f64;
            let Some(index) = grid.nearest(wall_place(&wall.body, row, column, back)) else {
                continue;
            };
            mask.insert(grid.offset(index));
            let (low, high) = corners.get_or_insert((index, index));
            *low =
                VoxelIndex { i: low.i.min(index.i), j: low.j.min(index.j), k: low.k.min(index.k) };
            *high = VoxelIndex {
                i: high.i.max(index.i),
                j: high.j.max(index.j),
                k: high.k.max(index.k),
            };
        }
    }
    let n = places as f64;
    let (centroid, side) = if places == 0 {
        (fallback, None)
    } else {
        let centre = LocalPoint { s: centre.s / n, v: centre.v / n, u: centre.u / n };
        let side = match centre.u {
            u if u > 2.5 => Side::Left,
            u if u < -2.5 => Side::Right,
            _ => Side::Midline,
        };
        (wall.body.frame.to_lps(centre), Some(side))
    };
    Location {
        centroid,
        mask: (!mask.is_empty()).then_some(mask),
        voxel_box: corners,
        volume: None,
        side,
        parts: vec![Part::VertebralBody, Part::PosteriorWall],
        distance_to_canal: Some(Millimetres::new(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::synthetic::{RADIUS, Spine, measured, of_body, spine};
    use crate::geometry::LocalPoint;

    /// A bony cap of `height` mm behind the wall, 12 mm wide.
    fn cap(p: LocalPoint, height: f64) -> f64 {
        let behind = -p.v - libm::sqrt((RADIUS * RADIUS - p.u * p.u).max(0.0));
        let out = libm::sqrt(p.s * p.s + p.u * p.u) / 6.0;
        let reach = height * libm::sqrt((1.0 - out * out).max(0.0));
        if out < 1.0 && behind > 0.0 && behind <= reach { 260.0 } else { 0.0 }
    }

    fn with_cap(height: f64, step: f64) -> Spine {
        spine(5, step, move |n, p| if n == 2 { cap(p, height) } else { 0.0 })
    }

    #[test]
    fn plain_walls_are_absent_and_absence_rules_nothing_out() {
        let observations = with_cap(0.0, 2.0).assess(&PosteriorWallDisruption);
        assert!(observations.iter().all(|o| o.status == Status::Absent), "{observations:?}");
        assert!(!PosteriorWallDisruption.spec().absence_rules_out);
    }

    #[test]
    fn beside_contrast_medium_in_the_canal_no_wall_is_called_intact() {
        let mut spine = with_cap(0.0, 2.0);
        spine.anatomy.problems.push(crate::problem::Problem::new(
            ProblemCode::ContrastInCanal,
            crate::problem::Severity::Warning,
            "contrast medium",
        ));
        for wall in spine.assess(&PosteriorWallDisruption) {
            assert_eq!(wall.status, Status::NotAssessed);
            assert_eq!(wall.reason, Some(Reason::ContrastInCanal));
        }
    }

    #[test]
    fn a_bony_cap_of_4_mm_is_present_in_its_body_alone() {
        let observations = with_cap(4.0, 2.0).assess(&PosteriorWallDisruption);
        for n in [0, 1, 3, 4] {
            assert_eq!(of_body(&observations, n)[0].status, Status::Absent, "body {n}");
        }
        let bulging = of_body(&observations, 2)[0];
        assert_eq!(bulging.status, Status::Present, "{bulging:?}");
        let bulge = measured(bulging, "bulge_mm");
        assert!((2.5..4.2).contains(&bulge), "{bulge} mm of 4");
        let location = bulging.location.as_ref().unwrap();
        let off = location.centroid.distance(crate::geometry::LpsPoint::new(0.0, 18.0, 56.0));
        assert!(off < 2.0, "{off} mm off");
        assert!(!location.mask.as_ref().unwrap().is_empty());
    }

    #[test]
    fn a_retracted_wall_is_no_bulge() {
        // The wall of one body lies 3 mm further forward: soft tissue in its place.
        let observations = spine(5, 2.0, |n, p| {
            let round = libm::sqrt(p.v * p.v + p.u * p.u);
            let shell = if round > RADIUS - 1.5 { 410.0 } else { 110.0 };
            if n == 2
                && p.v < 0.0
                && p.u.abs() < 9.0
                && p.s.abs() < 5.0
                && round > RADIUS - 3.0
                && round <= RADIUS
            {
                -shell
            } else {
                0.0
            }
        })
        .assess(&PosteriorWallDisruption);
        let wall = of_body(&observations, 2)[0];
        assert_ne!(wall.status, Status::Present);
    }

    #[test]
    fn two_walls_alone_are_never_called_absent() {
        let observations = spine(2, 2.0, |_, _| 0.0).assess(&PosteriorWallDisruption);
        for wall in &observations {
            assert_eq!(wall.status, Status::Indeterminate);
            assert_eq!(wall.reason, Some(Reason::TooFewReferenceVertebrae));
        }
    }

    #[test]
    fn a_wall_without_cortical_density_over_a_wide_area_is_not_absent() {
        // Cortex and marrow behind it give way to soft tissue over half of the wall.
        let observations = spine(6, 2.0, |n, p| {
            let round = libm::sqrt(p.v * p.v + p.u * p.u);
            let behind = p.v < -6.0 && round <= RADIUS;
            if n == 2 && behind && p.s > -1.0 && p.s < 9.0 {
                if round > RADIUS - 1.5 { -395.0 } else { -95.0 }
            } else {
                0.0
            }
        })
        .assess(&PosteriorWallDisruption);
        assert_ne!(of_body(&observations, 2)[0].status, Status::Absent);
        assert_eq!(of_body(&observations, 4)[0].status, Status::Absent);
    }

    #[test]
    fn thin_slices_say_that_their_limit_is_not_established() {
        let observations = with_cap(0.0, 1.0).assess(&PosteriorWallDisruption);
        assert!(observations[0].speaks_against.iter().any(|s| s.contains("not established")));
    }
}
