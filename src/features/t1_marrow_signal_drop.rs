//! Loss of T1 signal in a vertebral body: diffuse (the whole body) or focal.
//!
//! The adjacent discs are the best reference, because coil shading cancels; paraspinal muscle and
//! the other bodies of the series (each over its own discs first) must agree.

mod locate;
mod measure;

use self::locate::{Located, locate};
use self::measure::{Measured, measure, median};
use super::{Context, Feature, Need, Observation, Spec, Threshold};
use crate::anatomy::Vertebra;
use crate::terms::{FeatureId, Reason, Role, SpineSection, Status};
use crate::units::{CubicMillimetres, Measurement, Reference, Share, Unit, rounded};

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
static FOCAL_MIN_VOLUME: Threshold = Threshold {
    name: "focal_min_volume_mm3",
    meaning: "volume from which a round dark place that touches the edge of the body is a lesion, \
        not an endplate change or an outline a little too wide",
    unit: Unit::CubicMillimetre,
    range: (300.0, 3000.0),
    default: 800.0,
    source: "own trials: such places in bodies without a lesion reached 480 mm³",
};
static LEAST_CONFIDENCE: Threshold = Threshold {
    name: "least_confidence",
    meaning: "confidence of vertebra and outline below which a body is not measured",
    unit: Unit::Fraction,
    range: (0.0, 0.9),
    default: 0.3,
    source: "own choice, not verified against outlines",
};

static SPEC: Spec = Spec {
    id: ID,
    title: "T1 signal of marrow lost",
    method: "Median signal of the middle of each body (3 mm inside its surface, 30 mm wide) over the \
        median of the adjacent discs, over paraspinal muscle, and over the other bodies of the series \
        (each divided by its own discs first). All three low: present. Also the darkest ball of 8 mm, \
        outside the place of the basivertebral vein, over the body's own median \
        and over the discs.",
    limits: "Fractures, Schmorl nodes and Modic changes look alike; red marrow of the young and \
        patients whose whole marrow is replaced have no normal body to compare with. Lesions below \
        about 8 mm, and those of pedicles and arches, are not looked for; \
        with slices of 4 mm and more, lesions below about 15 mm at the rear wall are missed.",
    needs: &[Need::Roles(&[Role::MrT1]), Need::Bodies],
    thresholds: &[
        &LESION_TO_DISC_MAX,
        &NORMAL_TO_DISC_MIN,
        &LESION_TO_MUSCLE_MAX,
        &LESION_TO_MARROW_MAX,
        &BALL_TO_OWN_MAX,
        &BALL_TO_DISC_MAX,
        &BALL_SUSPECT_TO_OWN,
        &FOCAL_MIN_VOLUME,
        &LEAST_CONFIDENCE,
    ],
    absence_rules_out: false,
};

/// Least share of the body in view.
const LEAST_IN_VIEW: f64 = 0.75;
/// Least number of other bodies for the same-series comparison.
const LEAST_OTHERS: usize = 3;
/// Signal of discs and muscle at the end of the field, against the series' median.
const END_OF_FIELD: f64 = 0.55;
/// Confidence of the outline below which dark marrow is not called present.
const PRESENT_OUTLINE_CONFIDENCE: f64 = 0.45;
/// Marrow over discs where the series has too few bodies to tell: median of 23 normal bodies.
const NORMAL_OVER_DISC: f64 = 1.6;

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

/// The quotients that decide about one vertebra.
struct Quotients {
    /// The discs are those of a neighbour: nothing is called present or absent on them.
    discs_borrowed: bool,
    /// Signal of the discs.
    disc: f64,
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
        let discs_of = |m: Option<usize>| -> Option<f64> {
            Some(measured.get(m?)?.as_ref()?.discs.as_ref()?.median)
        };
        // Where the own discs could not be measured, those of the nearest body stand in.
        let nearest = [n.checked_sub(1), Some(n + 1), n.checked_sub(2), Some(n + 2)];
        let borrowed = own.discs.is_none();
        let disc = discs_of(Some(n)).or_else(|| nearest.into_iter().find_map(discs_of))?;
        let mut others: Vec<f64> = measured
            .iter()
            .enumerate()
            .filter(|(m, _)| *m != n)
            .filter_map(|(_, m)| m.as_ref()?.over_discs())
            .collect();
        let others = if others.len() < LEAST_OTHERS { None } else { median(&mut others) };
        let muscle = own.muscle.as_ref().map(|m| m.median);
        let ball = own.ball.as_ref().map(|b| b.median);
        Some(Self {
            discs_borrowed: borrowed,
            disc,
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
        let mut out =
            vec![Measurement::new("body_over_disc_ratio", self.body_over_disc, Unit::Ratio)];
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
    let suspected = diffuse != Verdict::Normal || focal != Verdict::Normal;
    // What marrow would be here, from the other bodies.
    let expected = (diffuse != Verdict::Normal)
        .then(|| q.disc * q.others_over_disc.unwrap_or(NORMAL_OVER_DISC));
    let located = suspected.then(|| locate(context, own, body, expected)).flatten();
    let decided = if q.discs_borrowed {
        Some(Reason::ReferenceTissueNotFound)
    } else if suspected {
        let doubt = Doubt {
            modic,
            end_of_field,
            outline_uncertain: body.confidence.get() < PRESENT_OUTLINE_CONFIDENCE,
            edge: located
                .as_ref()
                .map_or(Edge::Endplate, |l| Edge::of(l, context.value(ID, &FOCAL_MIN_VOLUME))),
        };
        decide(diffuse, focal, &doubt)
    } else if end_of_field {
        Some(Reason::EndOfField)
    } else if cut {
        Some(Reason::PartlyOutsideFieldOfView)
    } else {
        missing(&q)
    };
    let (status, reason) = match (suspected, decided) {
        (true, None) => (Status::Present, None),
        (false, None) => (Status::Absent, None),
        (_, Some(reason)) => (Status::Indeterminate, Some(reason)),
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
    if suspected {
        let ball = q.ball_over_own.filter(|_| focal != Verdict::Normal).unwrap_or(1.0);
        let depth = ((limits.disc_normal + 0.1 - q.body_over_disc) / 0.6)
            .max((limits.ball_suspect + 0.1 - ball) / 0.5)
            .clamp(0.0, 1.0);
        let (base, room) = if status == Status::Present { (0.6, 0.4) } else { (0.2, 0.3) };
        observation.score = Some(Share::new(base + room * depth));
    }
    if let Some(located) = located {
        if let Some(volume) = located.location.volume {
            observation.measurements.push(Measurement::new(
                "dark_volume_in_core_mm3",
                volume.mm3(),
                Unit::CubicMillimetre,
            ));
        }
        observation.location = Some(located.location);
    }
    observation
}

/// What keeps a dark body from being called present.
struct Doubt {
    modic: Option<Extent>,
    end_of_field: bool,
    outline_uncertain: bool,
    edge: Edge,
}

/// Whether a dark place is a mere rim at the edge of what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// Inside the body, or a lump that also reaches its edge.
    None,
    /// A rim at an endplate: Modic change, Schmorl node.
    Endplate,
    /// A rim at the front or rear wall: what an outline a little too wide takes in.
    Wall,
}

impl Edge {
    /// Rims are small, or at least twice as long as they are deep.
    fn of(located: &Located, least_mm3: f64) -> Self {
        const LEAST_EXTENT_MM: f64 = 8.0;
        let [along, across] = located.extents_mm;
        let (short, long) = (along.min(across), along.max(across));
        let volume = located.location.volume.map_or(0.0, CubicMillimetres::mm3);
        if volume >= least_mm3 && short >= LEAST_EXTENT_MM && 2.0 * short > long {
            Self::None
        } else if located.touches_endplate {
            Self::Endplate
        } else if located.touches_wall {
            Self::Wall
        } else {
            Self::None
        }
    }
}

/// Why a suspected body is indeterminate; `None` is present.
fn decide(diffuse: Verdict, focal: Verdict, doubt: &Doubt) -> Option<Reason> {
    if diffuse == Verdict::Dark || focal == Verdict::Dark {
        if doubt.end_of_field {
            return Some(Reason::EndOfField);
        }
        if doubt.outline_uncertain {
            return Some(Reason::OutlineUncertain);
        }
        if diffuse == Verdict::Dark {
            // The far third is dark as well: no Modic change does that.
            return (doubt.modic == Some(Extent::NearDisc)).then_some(Reason::LookAlike);
        }
        return match doubt.edge {
            _ if doubt.modic.is_some() => Some(Reason::LookAlike),
            Edge::None => None,
            Edge::Endplate => Some(Reason::LookAlike),
            Edge::Wall => Some(Reason::OutlineUncertain),
        };
    }
    if doubt.modic.is_some() {
        return Some(Reason::LookAlike);
    }
    if doubt.end_of_field {
        return Some(Reason::EndOfField);
    }
    match (diffuse, focal) {
        (Verdict::Unclear(reason), _) | (_, Verdict::Unclear(reason)) => Some(reason),
        _ => None,
    }
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
        (Some(true), Some(false)) if q.others_over_disc.is_some_and(|o| o < limits.disc_normal) => {
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
    const DARK_THIRD: f64 = 0.9;
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

#[cfg(test)]
mod tests;
