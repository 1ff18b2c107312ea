//! Loss of T1 signal in a vertebral body: diffuse (the whole body) or focal.
//!
//! The adjacent discs are the best reference, because coil shading cancels; paraspinal muscle and
//! the other bodies of the series (each over its own discs first) must agree.

use std::collections::BTreeMap;

use super::{Context, Feature, Location, Need, Observation, Spec, Threshold};
use crate::anatomy::{BodyPosition, Disc, Vertebra, VertebralBody};
use crate::geometry::{Grid, LocalPoint, LpsPoint, VoxelIndex};
use crate::kernels::BitMask;
use crate::terms::{FeatureId, Part, Reason, Role, Side, SpineSection, Status};
use crate::units::{
    CubicMillimetres, Measurement, Millimetres, Reference, Share, Unit, rounded,
};
use crate::volume::Image;

/// Loss of T1 signal in marrow.
pub struct T1MarrowSignalDrop;

const ID: FeatureId = FeatureId::T1MarrowSignalDrop;

static LESION_TO_DISC_MAX: Threshold = Threshold {
    name: "lesion_to_disc_max",
    meaning: "signal of marrow over adjacent discs at or below which it is dark",
    unit: Unit::Ratio,
    range: (0.85, 1.15),
    default: 1.0,
    source: "Carroll 1997 and Zhao 2009 (from memory, unverified); own trials: 0 of 23 normal bodies below 1.2",
};
static NORMAL_TO_DISC_MIN: Threshold = Threshold {
    name: "normal_to_disc_min",
    meaning: "signal of marrow over adjacent discs from which it counts as normal",
    unit: Unit::Ratio,
    range: (1.1, 1.4),
    default: 1.2,
    source: "own trials: least of 23 normal bodies 1.21",
};
static LESION_TO_MUSCLE_MAX: Threshold = Threshold {
    name: "lesion_to_muscle_max",
    meaning: "signal of marrow over paraspinal muscle at or below which it is dark (1.0 at 3 T)",
    unit: Unit::Ratio,
    range: (0.9, 1.25),
    default: 1.1,
    source: "derived from Zhao 2009, 1.5 T",
};
static LESION_TO_MARROW_MAX: Threshold = Threshold {
    name: "lesion_to_marrow_max",
    meaning: "signal over discs, against the other bodies of the series, at or below which it is dark",
    unit: Unit::Ratio,
    range: (0.55, 0.80),
    default: 0.70,
    source: "derived from Zhao 2009",
};
static BALL_TO_OWN_MAX: Threshold = Threshold {
    name: "ball_to_own_max",
    meaning: "signal of the darkest ball of 8 mm over the body's own median at or below which it is dark",
    unit: Unit::Ratio,
    range: (0.5, 0.75),
    default: 0.60,
    source: "own trials: 5 % of 23 normal bodies lie below 0.61, none of 9 healthy ones below 0.7",
};
static BALL_TO_DISC_MAX: Threshold = Threshold {
    name: "ball_to_disc_max",
    meaning: "signal of the darkest ball over adjacent discs at or below which it is dark",
    unit: Unit::Ratio,
    range: (0.9, 1.2),
    default: 1.0,
    source: "as lesion_to_disc_max",
};
static BALL_SUSPECT_TO_OWN: Threshold = Threshold {
    name: "ball_suspect_to_own",
    meaning: "signal of the darkest ball over the body's own median from which nothing focal is seen",
    unit: Unit::Ratio,
    range: (0.6, 0.85),
    default: 0.70,
    source: "own trials: below 0.7 lie 4 of 23 normal bodies (mottling, veins, field end)",
};
static LEAST_CONFIDENCE: Threshold = Threshold {
    name: "least_confidence",
    meaning: "confidence of vertebra and outline below which a body is not measured",
    unit: Unit::Fraction,
    range: (0.0, 0.9),
    default: 0.3,
    source: "own trials: outlines below it missed the body by more than a quarter",
};

static SPEC: Spec = Spec {
    id: ID,
    title: "T1 signal of marrow lost",
    method: "Median signal of the middle of each body (3 mm inside its surface, 30 mm wide) over the \
        median of the adjacent discs, over paraspinal muscle, and over the other bodies of the series \
        (each divided by its own discs first). All three low: present. Also the darkest ball of 8 mm, \
        outside the rear-middle third where the basivertebral vein runs, over the body's own median \
        and over the discs.",
    limits: "Fractures, Schmorl nodes and Modic changes look alike; red marrow of the young and \
        patients whose whole marrow is replaced have no normal body to compare with. Lesions below \
        about 8 mm, and those of pedicles and arches, are not looked for.",
    needs: &[Need::Roles(&[Role::MrT1]), Need::Bodies],
    thresholds: &[
        &LESION_TO_DISC_MAX,
        &NORMAL_TO_DISC_MIN,
        &LESION_TO_MUSCLE_MAX,
        &LESION_TO_MARROW_MAX,
        &BALL_TO_OWN_MAX,
        &BALL_TO_DISC_MAX,
        &BALL_SUSPECT_TO_OWN,
        &LEAST_CONFIDENCE,
    ],
    absence_rules_out: false,
};

/// Marrow is measured this far inside the surface, mm.
const EROSION_MM: f64 = 3.0;
/// And within this distance of the body's middle, side to side, mm.
const HALF_WIDTH_MM: f64 = 15.0;
/// Radius of the ball, mm.
const BALL_MM: f64 = 4.0;
/// Least share of a ball's voxels that must be marrow.
const BALL_FILLED: f64 = 0.6;
/// Least number of voxels of any tissue for a median.
const LEAST_VOXELS: usize = 60;
/// Least share of the body in view.
const LEAST_IN_VIEW: f64 = 0.75;
/// Least number of other bodies for the same-series comparison.
const LEAST_OTHERS: usize = 3;
/// Signal of discs and muscle at the end of the field, against the series' median.
const END_OF_FIELD: f64 = 0.55;

/// Signal of a tissue.
#[derive(Clone, Debug)]
struct Tissue {
    median: f64,
    spread: f64,
    voxels: usize,
}

impl Tissue {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        let voxels = values.len();
        if voxels < LEAST_VOXELS {
            return None;
        }
        let median = median(&mut values)?;
        let mut away: Vec<f64> = values.iter().map(|v| libm::fabs(v - median)).collect();
        let spread = 1.48 * self::median(&mut away)?;
        (median > 0.0).then_some(Self { median, spread, voxels })
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let n = values.len();
    Some(f64::midpoint(values[(n - 1) / 2], values[n / 2]))
}

/// A dark place inside a body.
#[derive(Clone, Debug)]
struct Ball {
    median: f64,
    voxels: Vec<usize>,
}

/// What was measured on one vertebra.
struct Measured {
    marrow: Option<Tissue>,
    discs: Option<Tissue>,
    muscle: Option<Tissue>,
    ball: Option<Ball>,
    /// Median signal of the third of the body next to the lower and the upper endplate.
    plate_thirds: [Option<f64>; 2],
    voxels: Vec<usize>,
}

impl Measured {
    fn over_discs(&self) -> Option<f64> {
        Some(self.marrow.as_ref()?.median / self.discs.as_ref()?.median)
    }
}

impl Feature for T1MarrowSignalDrop {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn assess(&self, context: &Context<'_>) -> Vec<Observation> {
        let vertebrae = &context.anatomy.vertebrae;
        let measured: Vec<Option<Measured>> = vertebrae
            .iter()
            .map(|v| refusal(context, v).is_none().then(|| measure(context.image, v)).flatten())
            .collect();
        vertebrae.iter().enumerate().map(|(n, v)| judge(context, &measured, n, v)).collect()
    }
}

/// Why a vertebra is not measured at all.
fn refusal(context: &Context<'_>, vertebra: &Vertebra) -> Option<Reason> {
    let least = context.value(ID, &LEAST_CONFIDENCE);
    let Some(body) = &vertebra.body else { return Some(Reason::OutlineUncertain) };
    if vertebra.fraction_in_view.get() < LEAST_IN_VIEW {
        return Some(Reason::PartlyOutsideFieldOfView);
    }
    if vertebra.confidence.get() < least {
        return Some(Reason::AnatomyUncertain);
    }
    if body.confidence.get() < least {
        return Some(Reason::OutlineUncertain);
    }
    let section = vertebra.level.map(crate::terms::Level::section).or(vertebra.section_guess);
    (section == Some(SpineSection::Cervical)).then_some(Reason::CervicalSpine)
}

fn measure(image: &Image, vertebra: &Vertebra) -> Option<Measured> {
    let body = vertebra.body.as_ref()?;
    let grid = image.grid();
    let (mask, low, high) = body.surface.rasterise(&body.frame, grid)?;
    let mut marrow: Vec<(usize, VoxelIndex, LocalPoint, BodyPosition)> = Vec::new();
    for offset in mask.offsets() {
        if !image.validity().is_tissue(offset) {
            continue;
        }
        let index = index_of(grid, offset);
        let local = body.frame.to_local(grid.voxel_to_lps(index));
        let position = body.surface.position(local);
        if position.depth() >= EROSION_MM && libm::fabs(local.u) <= HALF_WIDTH_MM {
            marrow.push((offset, index, local, position));
        }
    }
    let values = marrow.iter().map(|m| image.value(m.0)).collect();
    let thirds = [true, false].map(|lower| {
        let mut values: Vec<f64> = marrow
            .iter()
            .filter(|m| if lower { m.3.height_fraction < 0.38 } else { m.3.height_fraction > 0.62 })
            .map(|m| image.value(m.0))
            .collect();
        if values.len() < LEAST_VOXELS / 3 { None } else { median(&mut values) }
    });
    Some(Measured {
        ball: darkest_ball(image, &marrow, (low, high)),
        marrow: Tissue::of(values),
        discs: disc_signal(image, vertebra, body),
        muscle: muscle_signal(image, body),
        plate_thirds: thirds,
        voxels: marrow.iter().map(|m| m.0).collect(),
    })
}

fn index_of(grid: &Grid, offset: usize) -> VoxelIndex {
    let i = offset % grid.ni();
    let rest = offset / grid.ni();
    VoxelIndex { i, j: rest % grid.nj(), k: rest / grid.nj() }
}

/// Signal of the middle of the adjacent discs, each within half of its height.
fn disc_signal(image: &Image, vertebra: &Vertebra, body: &VertebralBody) -> Option<Tissue> {
    let front = 0.5 * body.surface.radius(0.0, 0.0);
    let rear = 0.5 * body.surface.radius(0.0, std::f64::consts::PI);
    let mut values = Vec::new();
    for disc in [vertebra.disc_below, vertebra.disc_above].into_iter().flatten() {
        values.extend(one_disc(image, &disc, front, rear));
    }
    Tissue::of(values)
}

fn one_disc(image: &Image, disc: &Disc, front: f64, rear: f64) -> Vec<f64> {
    let half = (0.4 * disc.half_height.mm()).max(0.5);
    box_samples(image, disc, (-half, half), (-rear, front), (-10.0, 10.0))
}

/// Samples each millimetre in a box of a frame, where all voxels about them are measured.
fn box_samples(
    image: &Image,
    disc: &Disc,
    s: (f64, f64),
    v: (f64, f64),
    u: (f64, f64),
) -> Vec<f64> {
    let steps = |range: (f64, f64), step: f64| {
        let count = libm::floor((range.1 - range.0) / step).max(0.0) as usize;
        (0..=count).map(move |n| range.0 + n as f64 * step)
    };
    let mut out = Vec::new();
    for s in steps(s, 0.7) {
        for v in steps(v, 1.0) {
            for u in steps(u, 2.0) {
                out.extend(image.sample(disc.frame.to_lps(LocalPoint { s, v, u })));
            }
        }
    }
    out
}

/// Paraspinal muscle at the height of the body: 17 to 24 mm from the midline, 22 to 45 mm behind
/// the rear wall. Fat is cut off: what is brighter than 1.6 of the median.
fn muscle_signal(image: &Image, body: &VertebralBody) -> Option<Tissue> {
    let rear = body.surface.radius(0.0, std::f64::consts::PI);
    let holder = Disc { frame: body.frame, half_height: Millimetres::new(1.0) };
    let mut values = Vec::new();
    for u in [(-24.0, -17.0), (17.0, 24.0)] {
        values.extend(box_samples(image, &holder, (-10.0, 10.0), (-rear - 45.0, -rear - 22.0), u));
    }
    // Twice: the first median is lifted by the fat itself.
    for _ in 0..2 {
        let middle = median(&mut values)?;
        values.retain(|v| *v <= 1.6 * middle);
    }
    Tissue::of(values)
}

/// The darkest ball of marrow, leaving out the rear-middle third (basivertebral vein); two slices
/// at least, where there are so many.
fn darkest_ball(
    image: &Image,
    marrow: &[(usize, VoxelIndex, LocalPoint, BodyPosition)],
    (low, high): (VoxelIndex, VoxelIndex),
) -> Option<Ball> {
    let grid = image.grid();
    let inside: BTreeMap<usize, usize> =
        marrow.iter().enumerate().map(|(n, m)| (m.0, n)).collect();
    let spacing = grid.spacing();
    let reach = spacing.map(|mm| libm::ceil(BALL_MM / mm) as isize);
    let volume = 4.0 / 3.0 * std::f64::consts::PI * BALL_MM * BALL_MM * BALL_MM;
    let full = volume / grid.voxel_mm3();
    let mut best: Option<Ball> = None;
    for (_, centre, local, position) in marrow {
        if rear_middle(position, local) {
            continue;
        }
        // Every second voxel in finely sampled directions.
        let coarse = |n: usize, low: usize, mm: f64| mm < 0.9 && (n - low) % 2 == 1;
        if coarse(centre.i, low.i, spacing[0])
            || coarse(centre.j, low.j, spacing[1])
            || coarse(centre.k, low.k, spacing[2])
        {
            continue;
        }
        let middle = grid.voxel_to_lps(*centre);
        let mut values = Vec::new();
        let mut voxels = Vec::new();
        for dk in -reach[2]..=reach[2] {
            for dj in -reach[1]..=reach[1] {
                for di in -reach[0]..=reach[0] {
                    let Some(index) = moved(*centre, [di, dj, dk], (low, high)) else { continue };
                    let offset = grid.offset(index);
                    if !inside.contains_key(&offset)
                        || grid.voxel_to_lps(index).distance(middle) > BALL_MM
                    {
                        continue;
                    }
                    values.push(image.value(offset));
                    voxels.push(offset);
                }
            }
        }
        if (values.len() as f64) < BALL_FILLED * full.min(LEAST_VOXELS as f64 * 4.0) {
            continue;
        }
        let Some(median) = median(&mut values) else { continue };
        if best.as_ref().is_none_or(|b| median < b.median) {
            best = Some(Ball { median, voxels });
        }
    }
    best
}

fn moved(
    from: VoxelIndex,
    by: [isize; 3],
    (low, high): (VoxelIndex, VoxelIndex),
) -> Option<VoxelIndex> {
    let i = from.i.checked_add_signed(by[0])?;
    let j = from.j.checked_add_signed(by[1])?;
    let k = from.k.checked_add_signed(by[2])?;
    let within = (low.i..=high.i).contains(&i)
        && (low.j..=high.j).contains(&j)
        && (low.k..=high.k).contains(&k);
    within.then_some(VoxelIndex { i, j, k })
}

/// The rear third within 8 mm of the midline and away from the endplates: the basivertebral vein.
fn rear_middle(position: &BodyPosition, local: &LocalPoint) -> bool {
    let behind = -libm::cos(position.angle) * position.radius_fraction;
    behind > 1.0 / 3.0
        && libm::fabs(local.u) < 8.0
        && (0.25..0.75).contains(&position.height_fraction)
}

/// The quotients that decide about one vertebra.
struct Quotients {
    body_over_disc: f64,
    body_over_muscle: Option<f64>,
    body_over_others: Option<f64>,
    others_over_disc: Option<f64>,
    ball_over_own: Option<f64>,
    ball_over_disc: Option<f64>,
    ball_over_muscle: Option<f64>,
    ball_over_others: Option<f64>,
}

impl Quotients {
    fn of(measured: &[Option<Measured>], n: usize) -> Option<Self> {
        let own = measured.get(n)?.as_ref()?;
        let marrow = own.marrow.as_ref()?.median;
        let disc = own.discs.as_ref()?.median;
        let mut others: Vec<f64> = measured
            .iter()
            .enumerate()
            .filter(|(m, _)| *m != n)
            .filter_map(|(_, m)| m.as_ref()?.over_discs())
            .collect();
        let others =
            if others.len() < LEAST_OTHERS { None } else { median(&mut others) };
        let muscle = own.muscle.as_ref().map(|m| m.median);
        let ball = own.ball.as_ref().map(|b| b.median);
        Some(Self {
            body_over_disc: marrow / disc,
            body_over_muscle: muscle.map(|m| marrow / m),
            body_over_others: others.map(|o| marrow / disc / o),
            others_over_disc: others,
            ball_over_own: ball.map(|b| b / marrow),
            ball_over_disc: ball.map(|b| b / disc),
            ball_over_muscle: ball.zip(muscle).map(|(b, m)| b / m),
            ball_over_others: ball.zip(others).map(|(b, o)| b / disc / o),
        })
    }

    fn measurements(&self) -> Vec<Measurement> {
        let mut out = vec![Measurement::new("body_over_disc_ratio", self.body_over_disc, Unit::Ratio)];
        for (name, value) in [
            ("body_over_muscle_ratio", self.body_over_muscle),
            ("body_over_other_bodies_ratio", self.body_over_others),
            ("darkest_ball_over_own_median_ratio", self.ball_over_own),
            ("darkest_ball_over_disc_ratio", self.ball_over_disc),
            ("darkest_ball_over_muscle_ratio", self.ball_over_muscle),
            ("darkest_ball_over_other_bodies_ratio", self.ball_over_others),
        ] {
            out.extend(value.map(|v| Measurement::new(name, v, Unit::Ratio)));
        }
        out
    }
}

/// The thresholds of this run.
struct Limits {
    disc_dark: f64,
    disc_normal: f64,
    muscle_dark: f64,
    others_dark: f64,
    ball_own: f64,
    ball_disc: f64,
    ball_suspect: f64,
}

/// One way of being dark, judged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Normal,
    Dark,
    Unclear(Reason),
}

fn judge(
    context: &Context<'_>,
    measured: &[Option<Measured>],
    n: usize,
    vertebra: &Vertebra,
) -> Observation {
    if let Some(reason) = refusal(context, vertebra) {
        return SPEC.not_assessed(vertebra, reason);
    }
    let own = measured.get(n).and_then(Option::as_ref);
    let (Some(own), Some(body)) = (own.filter(|m| m.marrow.is_some()), &vertebra.body) else {
        return SPEC.not_assessed(vertebra, Reason::OutlineUncertain);
    };
    let Some(q) = Quotients::of(measured, n) else {
        return SPEC.indeterminate(vertebra, Reason::ReferenceTissueNotFound);
    };
    let limits = Limits {
        disc_dark: context.value(ID, &LESION_TO_DISC_MAX),
        disc_normal: context.value(ID, &NORMAL_TO_DISC_MIN),
        muscle_dark: context.value(ID, &LESION_TO_MUSCLE_MAX),
        others_dark: context.value(ID, &LESION_TO_MARROW_MAX),
        ball_own: context.value(ID, &BALL_TO_OWN_MAX),
        ball_disc: context.value(ID, &BALL_TO_DISC_MAX),
        ball_suspect: context.value(ID, &BALL_SUSPECT_TO_OWN),
    };
    let diffuse = diffuse(&q, &limits);
    let focal = focal(&q, &limits);
    let modic = modic_like(measured, n, &q);
    let end_of_field = at_end_of_field(measured, n);
    let cut = vertebra.fraction_in_view.get() < 0.95;
    let (status, reason) = match (diffuse, focal) {
        (Verdict::Dark, _) | (_, Verdict::Dark) if end_of_field => {
            (Status::Indeterminate, Some(Reason::EndOfField))
        }
        // The whole body is dark, far from the disc too: no Modic change does that.
        (Verdict::Dark, _) if modic != Some(Extent::NearDisc) => (Status::Present, None),
        (_, Verdict::Dark) if modic.is_none() => (Status::Present, None),
        (Verdict::Normal, Verdict::Normal) if end_of_field => {
            (Status::Indeterminate, Some(Reason::EndOfField))
        }
        (Verdict::Normal, Verdict::Normal) if cut => {
            (Status::Indeterminate, Some(Reason::PartlyOutsideFieldOfView))
        }
        (Verdict::Normal, Verdict::Normal) => missing(&q)
            .map_or((Status::Absent, None), |reason| (Status::Indeterminate, Some(reason))),
        (Verdict::Unclear(_) | Verdict::Dark, _) | (_, Verdict::Unclear(_) | Verdict::Dark)
            if modic.is_some() =>
        {
            (Status::Indeterminate, Some(Reason::LookAlike))
        }
        (Verdict::Unclear(_), _) | (_, Verdict::Unclear(_)) if end_of_field => {
            (Status::Indeterminate, Some(Reason::EndOfField))
        }
        (Verdict::Unclear(reason), _) | (_, Verdict::Unclear(reason)) => {
            (Status::Indeterminate, Some(reason))
        }
        (Verdict::Dark, _) | (_, Verdict::Dark) => {
            (Status::Indeterminate, Some(Reason::LookAlike))
        }
    };
    let site = super::Site::Vertebra(vertebra.id.clone());
    let mut observation = SPEC.observation(site, status, reason);
    observation.measurements = q.measurements();
    observation.reference = own.discs.as_ref().map(|d| Reference {
        tissue: "middle of the adjacent discs".to_owned(),
        voxels: d.voxels as u64,
        median: rounded(d.median, 2),
        spread: rounded(d.spread, 2),
        unit: None,
    });
    explain(&mut observation, &q, &limits, (diffuse, focal), modic, end_of_field);
    observation.problems.clone_from(&vertebra.problems);
    if status != Status::Absent {
        let suspected = diffuse != Verdict::Normal || focal != Verdict::Normal;
        if suspected {
            let depth = ((limits.disc_normal + 0.1 - q.body_over_disc) / 0.6)
                .max((limits.ball_suspect + 0.1
                    - q.ball_over_own.filter(|_| focal != Verdict::Normal).unwrap_or(1.0))
                    / 0.5)
                .clamp(0.0, 1.0);
            let (base, room) =
                if status == Status::Present { (0.6, 0.4) } else { (0.2, 0.3) };
            observation.score = Some(Share::new(base + room * depth));
            observation.location = locate(context, own, body, &q, diffuse);
            if let Some(volume) = observation.location.as_ref().and_then(|l| l.volume) {
                observation.measurements.push(Measurement::new(
                    "dark_volume_in_core_mm3",
                    volume.mm3(),
                    Unit::CubicMillimetre,
                ));
            }
        }
    }
    observation
}

/// The reason why `absent` cannot be said though nothing dark was seen.
fn missing(q: &Quotients) -> Option<Reason> {
    if q.body_over_others.is_none() {
        return Some(Reason::TooFewReferenceVertebrae);
    }
    (q.body_over_muscle.is_none() || q.ball_over_own.is_none())
        .then_some(Reason::ReferenceTissueNotFound)
}

fn diffuse(q: &Quotients, limits: &Limits) -> Verdict {
    let muscle = q.body_over_muscle.map(|m| m <= limits.muscle_dark);
    let others = q.body_over_others.map(|o| o <= limits.others_dark);
    if q.body_over_disc >= limits.disc_normal {
        // Dark against everything but its own discs: they may be dark as well.
        return match (muscle, others) {
            (_, Some(true)) => Verdict::Unclear(Reason::MeasuresDisagree),
            _ => Verdict::Normal,
        };
    }
    if q.body_over_disc > limits.disc_dark {
        return Verdict::Unclear(Reason::BetweenLimits);
    }
    match (muscle, others) {
        (Some(true), Some(true)) => Verdict::Dark,
        (None, _) | (_, None) => Verdict::Unclear(Reason::ReferenceTissueNotFound),
        (Some(true), Some(false))
            if q.others_over_disc.is_some_and(|o| o < limits.disc_normal) =>
        {
            Verdict::Unclear(Reason::MarrowAsDarkAsTumour)
        }
        _ => Verdict::Unclear(Reason::MeasuresDisagree),
    }
}

fn focal(q: &Quotients, limits: &Limits) -> Verdict {
    let (Some(own), Some(disc)) = (q.ball_over_own, q.ball_over_disc) else {
        return Verdict::Unclear(Reason::ReferenceTissueNotFound);
    };
    // Between the ball's limit and what a normal body's darkest place still is.
    if own > limits.ball_suspect || disc > limits.ball_disc + 0.1 {
        return Verdict::Normal;
    }
    let muscle = q.ball_over_muscle.map(|m| m <= limits.muscle_dark);
    let others = q.ball_over_others.map(|o| o <= limits.others_dark);
    match (muscle, others) {
        (Some(true), Some(true)) if own <= limits.ball_own && disc <= limits.ball_disc => {
            Verdict::Dark
        }
        (None, _) | (_, None) => Verdict::Unclear(Reason::ReferenceTissueNotFound),
        (Some(true), Some(true)) => Verdict::Unclear(Reason::BetweenLimits),
        _ => Verdict::Unclear(Reason::MeasuresDisagree),
    }
}

/// How far a change on both sides of a disc goes into this body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Only the third next to that disc is dark.
    NearDisc,
    /// The far third is dark as well.
    WholeBody,
}

/// Whether the thirds on both sides of one disc are darker than the rest of the series: Modic
/// change, infection and degeneration do that, metastases seldom.
fn modic_like(measured: &[Option<Measured>], n: usize, q: &Quotients) -> Option<Extent> {
    const DARK_THIRD: f64 = 0.85;
    let others = q.others_over_disc?;
    let third = |m: usize, upper: usize| -> Option<f64> {
        let body = measured.get(m)?.as_ref()?;
        Some(body.plate_thirds[upper]? / body.discs.as_ref()?.median / others)
    };
    let dark = |m: Option<usize>, upper: usize| {
        m.and_then(|m| third(m, upper)).is_some_and(|t| t <= DARK_THIRD)
    };
    let below = dark(Some(n), 0) && dark(n.checked_sub(1), 1);
    let above = dark(Some(n), 1) && dark(Some(n + 1), 0);
    match (below, above) {
        (false, false) => None,
        (true, true) => Some(Extent::WholeBody),
        (true, false) if dark(Some(n), 1) => Some(Extent::WholeBody),
        (false, true) if dark(Some(n), 0) => Some(Extent::WholeBody),
        _ => Some(Extent::NearDisc),
    }
}

/// Whether discs and muscle here give much less signal than in the middle of the series.
fn at_end_of_field(measured: &[Option<Measured>], n: usize) -> bool {
    let discs = |m: &Measured| m.discs.as_ref().map(|t| t.median);
    let muscle = |m: &Measured| m.muscle.as_ref().map(|t| t.median);
    let low = |tissue: &dyn Fn(&Measured) -> Option<f64>| -> Option<bool> {
        let own = tissue(measured.get(n)?.as_ref()?)?;
        let mut all: Vec<f64> =
            measured.iter().filter_map(|m| m.as_ref().and_then(tissue)).collect();
        Some(own < END_OF_FIELD * median(&mut all)?)
    };
    low(&discs) == Some(true) || low(&muscle) == Some(true)
}

fn explain(
    observation: &mut Observation,
    q: &Quotients,
    limits: &Limits,
    (diffuse, focal): (Verdict, Verdict),
    modic: Option<Extent>,
    end_of_field: bool,
) {
    let speaks_for = &mut observation.speaks_for;
    let against = &mut observation.speaks_against;
    let disc = rounded(q.body_over_disc, 2);
    if q.body_over_disc <= limits.disc_dark {
        speaks_for.push(format!("body no brighter than the adjacent discs ({disc})"));
    } else if q.body_over_disc >= limits.disc_normal {
        against.push(format!("body brighter than the adjacent discs ({disc})"));
    }
    let pairs = [
        ("paraspinal muscle", q.body_over_muscle, limits.muscle_dark),
        ("the other bodies of the series", q.body_over_others, limits.others_dark),
    ];
    for (tissue, value, limit) in pairs {
        let Some(value) = value else { continue };
        let line = format!("body against {tissue}: {} (limit {limit})", rounded(value, 2));
        if value <= limit { speaks_for.push(line) } else { against.push(line) }
    }
    if let (Some(own), true) = (q.ball_over_own, focal != Verdict::Normal) {
        speaks_for.push(format!(
            "a dark place of about 8 mm: {} of the body's own median",
            rounded(own, 2)
        ));
    }
    if diffuse == Verdict::Dark {
        against.push("fractures and Schmorl nodes look the same on T1".to_owned());
    }
    if modic.is_some() {
        against.push(
            "both sides of one disc are dark: Modic change, degeneration or infection".to_owned(),
        );
    }
    if end_of_field {
        against.push("discs or muscle are dark here too: end of the coil's field".to_owned());
    }
}

/// The dark voxels that hang together with the darkest ball.
fn locate(
    context: &Context<'_>,
    own: &Measured,
    body: &VertebralBody,
    q: &Quotients,
    diffuse: Verdict,
) -> Option<Location> {
    let ball = own.ball.as_ref()?;
    let grid = context.image.grid();
    let normal = if diffuse == Verdict::Normal {
        own.marrow.as_ref()?.median
    } else {
        // The body's own median is the lesion: what it should be, from the other bodies.
        let expected = own.discs.as_ref()?.median * q.others_over_disc.unwrap_or(1.6);
        expected.max(own.marrow.as_ref()?.median)
    };
    let limit = f64::midpoint(ball.median, normal);
    let mut core = BitMask::empty(grid.size());
    for &offset in &own.voxels {
        core.insert(offset);
    }
    let mut region = BitMask::empty(grid.size());
    let mut open: Vec<usize> = Vec::new();
    for &offset in &ball.voxels {
        if context.image.value(offset) <= limit && !region.get(offset) {
            region.insert(offset);
            open.push(offset);
        }
    }
    while let Some(offset) = open.pop() {
        for next in neighbours(grid, offset) {
            if core.get(next) && !region.get(next) && context.image.value(next) <= limit {
                region.insert(next);
                open.push(next);
            }
        }
    }
    describe(context, body, region)
}

fn neighbours(grid: &Grid, offset: usize) -> impl Iterator<Item = usize> {
    let at = index_of(grid, offset);
    let (ni, plane) = (grid.ni(), grid.ni() * grid.nj());
    let candidates = [
        (at.i > 0).then(|| offset - 1),
        (at.i + 1 < grid.ni()).then(|| offset + 1),
        (at.j > 0).then(|| offset - ni),
        (at.j + 1 < grid.nj()).then(|| offset + ni),
        (at.k > 0).then(|| offset - plane),
        (at.k + 1 < grid.nk()).then(|| offset + plane),
    ];
    candidates.into_iter().flatten()
}

/// Centre, box, thirds, side and distance to the canal of a region inside a body.
fn describe(
    context: &Context<'_>,
    body: &VertebralBody,
    region: BitMask,
) -> Option<Location> {
    let grid = context.image.grid();
    let count = region.count();
    if count == 0 {
        return None;
    }
    let mut sum = [0.0; 3];
    let mut low = [usize::MAX; 3];
    let mut high = [0usize; 3];
    let mut thirds = [0u64; 3];
    let (mut left, mut right) = (0u64, 0u64);
    let (mut upper, mut lower) = (false, false);
    let mut to_rear_wall = f64::INFINITY;
    for offset in region.offsets() {
        let index = index_of(grid, offset);
        let place = grid.voxel_to_lps(index);
        let local = body.frame.to_local(place);
        let position = body.surface.position(local);
        for (s, v) in sum.iter_mut().zip([place.x(), place.y(), place.z()]) {
            *s += v;
        }
        for (axis, n) in [index.i, index.j, index.k].into_iter().enumerate() {
            low[axis] = low[axis].min(n);
            high[axis] = high[axis].max(n);
        }
        let behind = -libm::cos(position.angle) * position.radius_fraction;
        let third = if behind < -1.0 / 3.0 { 0 } else { usize::from(behind > 1.0 / 3.0) + 1 };
        thirds[third] += 1;
        left += u64::from(local.u > 4.0);
        right += u64::from(local.u < -4.0);
        upper |= position.upper_depth < EROSION_MM + 1.5;
        lower |= position.lower_depth < EROSION_MM + 1.5;
        let wall = body.surface.radius(local.s, std::f64::consts::PI);
        to_rear_wall = to_rear_wall.min(local.v + wall);
    }
    let share = |n: u64| n as f64 / count as f64;
    let mut parts = vec![Part::VertebralBody];
    for (n, part) in [Part::AnteriorThird, Part::MiddleThird, Part::PosteriorThird]
        .into_iter()
        .enumerate()
    {
        if share(thirds[n]) >= 0.2 {
            parts.push(part);
        }
    }
    if upper {
        parts.push(Part::UpperEndplate);
    }
    if lower {
        parts.push(Part::LowerEndplate);
    }
    let side = match (share(left) > 0.2, share(right) > 0.2) {
        (true, true) => Side::Bilateral,
        (true, false) => Side::Left,
        (false, true) => Side::Right,
        (false, false) => Side::Midline,
    };
    let n = count as f64;
    let corner = |c: [usize; 3]| VoxelIndex { i: c[0], j: c[1], k: c[2] };
    let centroid = LpsPoint::new(sum[0] / n, sum[1] / n, sum[2] / n);
    Some(Location {
        centroid,
        voxel_box: Some((corner(low), corner(high))),
        volume: Some(CubicMillimetres::new(n * grid.voxel_mm3())),
        mask: Some(region),
        side: Some(side),
        parts,
        distance_to_canal: context
            .anatomy
            .canal
            .as_ref()
            .map(|_| Millimetres::new(to_rear_wall.max(0.0))),
    })
}
