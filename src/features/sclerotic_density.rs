//! Bone denser than the patient's own marrow, on CT.
//!
//! Hounsfield units on 1 mm samples of each body's own frame; volumes and means of a finding on
//! the native grid. The chain: core, reference, normal pattern, matched filter, candidates,
//! look-alike rules (own trials on ten series; see `limits`).

use super::body_doubts::Least;
use super::body_samples::CoreMargins;
use super::canal_distance::least_distance_to_canal;
use super::density_candidates::{Candidate, LookAlike, Rules, candidates};
use super::marrow_contrast::{ComparedBody, Comparison, compare};
use super::matched_filter::{DEEP, SpreadByPlace};
use super::region_on_grid::{NativeRegion, body_parts, region_on_grid, side_of};
use super::{Context, Feature, Location, Need, Observation, Site, Spec, Threshold};
use crate::anatomy::{Vertebra, VertebralBody};
use crate::terms::{FeatureId, Reason, Role, Status};
use crate::units::{CubicMillimetres, Measurement, Millimetres, Reference, Share, Unit};

/// The feature.
pub struct ScleroticDensity;

const TRIAL: &str = "own trial on ten CT series (false flags counted, lesions inserted)";

static Z_PRESENT: Threshold = Threshold {
    name: "z_present",
    meaning: "filter answer over its spread from which a focus is present",
    unit: Unit::StandardDeviation,
    range: (3.0, 10.0),
    default: 5.0,
    source: TRIAL,
};
static Z_LOOK_HERE: Threshold = Threshold {
    name: "z_look_here",
    meaning: "filter answer over its spread from which a focus is indeterminate: look here",
    unit: Unit::StandardDeviation,
    range: (2.5, 10.0),
    default: 3.0,
    source: TRIAL,
};
static MIN_CONTRAST: Threshold = Threshold {
    name: "min_contrast_hu",
    meaning: "least contrast at the peak, smoothed by 2 mm",
    unit: Unit::Hounsfield,
    range: (20.0, 300.0),
    default: 40.0,
    source: TRIAL,
};
static MIN_VOLUME: Threshold = Threshold {
    name: "min_volume_mm3",
    meaning: "least volume of the part in the marrow core above half of the peak",
    unit: Unit::CubicMillimetre,
    range: (50.0, 1000.0),
    default: 100.0,
    source: TRIAL,
};
static MIN_DEEP_SHARE: Threshold = Threshold {
    name: "min_deep_share",
    meaning: "least share of the focus that is more than 2 mm deep in the core",
    unit: Unit::Fraction,
    range: (0.0, 1.0),
    default: 0.2,
    source: TRIAL,
};
static BAND_FLATNESS: Threshold = Threshold {
    name: "endplate_band_flatness",
    meaning: "width over height from which a focus at an endplate is degenerative sclerosis",
    unit: Unit::Ratio,
    range: (1.5, 5.0),
    default: 2.2,
    source: TRIAL,
};
static BAND_SHARE: Threshold = Threshold {
    name: "endplate_band_share",
    meaning: "share next to the endplate above which a flat focus is degenerative sclerosis",
    unit: Unit::Fraction,
    range: (0.2, 1.0),
    default: 0.42,
    source: TRIAL,
};
static MIRROR_SHARE: Threshold = Threshold {
    name: "mirror_share",
    meaning: "contrast of the mirror place from which a focus is paired anatomy",
    unit: Unit::Ratio,
    range: (0.3, 2.0),
    default: 0.6,
    source: TRIAL,
};
static MIRROR_SHARE_LARGE: Threshold = Threshold {
    name: "mirror_share_large",
    meaning: "the same for foci of at least 1 ml that lie half or more in the depth",
    unit: Unit::Ratio,
    range: (0.3, 3.0),
    default: 1.1,
    source: TRIAL,
};
static SIDE_MARGIN: Threshold = Threshold {
    name: "side_margin_mm",
    meaning: "depth below the side wall where marrow begins, plus 0.4 of a pixel",
    unit: Unit::Millimetre,
    range: (1.0, 5.0),
    default: 2.5,
    source: TRIAL,
};
static ENDPLATE_MARGIN: Threshold = Threshold {
    name: "endplate_margin_mm",
    meaning: "depth below the endplates where marrow begins, plus half a slice step",
    unit: Unit::Millimetre,
    range: (1.0, 5.0),
    default: 2.0,
    source: TRIAL,
};
static FIELD_MARGIN: Threshold = Threshold {
    name: "field_margin_mm",
    meaning: "distance kept from the edge of the field of view",
    unit: Unit::Millimetre,
    range: (0.0, 15.0),
    default: 6.0,
    source: TRIAL,
};
static REFERENCE_BAND: Threshold = Threshold {
    name: "reference_band_hu",
    meaning: "how far a body's own median may lie from its neighbours' and still be its reference",
    unit: Unit::Hounsfield,
    range: (10.0, 80.0),
    default: 25.0,
    source: TRIAL,
};
static REFERENCE_BAND_SHARE: Threshold = Threshold {
    name: "reference_band_share",
    meaning: "the same as a share of the neighbours' median; the larger of both holds",
    unit: Unit::Fraction,
    range: (0.05, 0.5),
    default: 0.2,
    source: TRIAL,
};
static MAX_REFERENCE: Threshold = Threshold {
    name: "max_reference_hu",
    meaning: "reference marrow denser than this may itself be diseased: nothing is called absent",
    unit: Unit::Hounsfield,
    range: (200.0, 500.0),
    default: 350.0,
    source: "L1 226 ± 44 HU under 30 years (Jang 2019) plus two deviations and 40 HU for upper thoracic levels",
};
static MIN_FRACTION_IN_VIEW: Threshold = Threshold {
    name: "min_fraction_in_view",
    meaning: "least share of the body in the field of view",
    unit: Unit::Fraction,
    range: (0.3, 1.0),
    default: 0.6,
    source: TRIAL,
};
static MIN_VERTEBRA_CONFIDENCE: Threshold = Threshold {
    name: "min_vertebra_confidence",
    meaning: "least confidence that a vertebra lies here",
    unit: Unit::Fraction,
    range: (0.0, 1.0),
    default: Vertebra::SURE,
    source: "as for the count of levels: below it two vertebrae may have been taken for one",
};
static MIN_OUTLINE_CONFIDENCE: Threshold = Threshold {
    name: "min_outline_confidence",
    meaning: "least confidence in the outline of the body",
    unit: Unit::Fraction,
    range: (0.0, 1.0),
    default: VertebralBody::SURE_OUTLINE,
    source: "ten CT series: below it outlines ran into discs and ossifications",
};
static ENOSTOSIS_MEAN: Threshold = Threshold {
    name: "enostosis_mean_hu",
    meaning: "mean above which (with the maximum) a bone island is likely",
    unit: Unit::Hounsfield,
    range: (850.0, 950.0),
    default: 885.0,
    source: "Ulano 2016 (AJR 207:362); not reproduced by Azar 2021 (AJR 216:1022)",
};
static ENOSTOSIS_MAX: Threshold = Threshold {
    name: "enostosis_max_hu",
    meaning: "maximum above which (with the mean) a bone island is likely",
    unit: Unit::Hounsfield,
    range: (1000.0, 1150.0),
    default: 1060.0,
    source: "Ulano 2016 (AJR 207:362); not reproduced by Azar 2021 (AJR 216:1022)",
};
static ENOSTOSIS_UNCLEAR: Threshold = Threshold {
    name: "enostosis_unclear_from_hu",
    meaning: "mean from which density alone does not tell island from metastasis",
    unit: Unit::Hounsfield,
    range: (650.0, 800.0),
    default: 700.0,
    source: "between the cohorts of Ulano 2016 and the Br J Radiol 2019 cohort",
};
static METAL: Threshold = Threshold {
    name: "metal_or_cement_hu",
    meaning: "maximum above which a focus is metal or cement rather than bone",
    unit: Unit::Hounsfield,
    range: (1500.0, 3000.0),
    default: 2000.0,
    source: "cement 1500-3000 HU, titanium clipped, cortex 1200-1800 HU (recalled)",
};

static SPEC: Spec = Spec {
    id: FeatureId::ScleroticDensity,
    title: "Bone denser than the patient's own marrow",
    method: "Marrow core of each body (below the walls and endplates, inside the field) against \
        the body's own median, which is held within 25 HU or 20 % of its four nearest bodies, so \
        that a body dense as a whole is seen too. The patient's normal pattern (median of the six \
        nearest bodies, warped place by place) is taken off; Gaussian filters of 2, 3 and 4.5 mm \
        inside the core are compared with their spread in the same kind of place. Foci that are \
        an endplate band, paired left and right, or only border are taken for look-alikes and \
        named in the answer 'absent'. From z 5 a focus is present, from z 3 indeterminate (look \
        here). With fewer than two other bodies nothing is called absent.",
    limits: "Vertebral bodies of the thoracic and lumbar spine only: not pedicles, arch, neck, \
        sacrum. Inserted foci in ten development scans, bodies as found: 85 % of at least 1 ml \
        and 100 HU are present or indeterminate (69 % present; 52 foci), 61 % (47 %; 36 foci) of \
        0.3-1 ml and 100 HU, a third of fainter ones; on new patients expect less. Untouched, 29 bodies that \
        could be assessed: 3 falsely present, all in one patient, 5 falsely indeterminate (ossification at the \
        front, endplate sclerosis, dense pedicle bases, trabeculae round the basivertebral \
        vein). A patient whose whole spine is dense is not seen by comparison; above 350 HU the \
        answer is indeterminate. Volumes are those of the part inside the core above half of the \
        contrast. Tube voltage is not corrected for in the bone-island limits.",
    needs: &[
        Need::Roles(&[Role::CtSoft, Role::CtBone, Role::CtLung]),
        Need::Bodies,
        Need::SliceStepAtMostMm(6.0),
    ],
    thresholds: &[
        &Z_PRESENT,
        &Z_LOOK_HERE,
        &MIN_CONTRAST,
        &MIN_VOLUME,
        &MIN_DEEP_SHARE,
        &BAND_FLATNESS,
        &BAND_SHARE,
        &MIRROR_SHARE,
        &MIRROR_SHARE_LARGE,
        &SIDE_MARGIN,
        &ENDPLATE_MARGIN,
        &FIELD_MARGIN,
        &REFERENCE_BAND,
        &REFERENCE_BAND_SHARE,
        &MAX_REFERENCE,
        &MIN_FRACTION_IN_VIEW,
        &MIN_VERTEBRA_CONFIDENCE,
        &MIN_OUTLINE_CONFIDENCE,
        &ENOSTOSIS_MEAN,
        &ENOSTOSIS_MAX,
        &ENOSTOSIS_UNCLEAR,
        &METAL,
    ],
    absence_rules_out: false,
};

/// Other bodies needed before "absent" is said.
const MIN_OTHER_BODIES: usize = 2;
/// Answer over spread at which the score is one half.
const HALF_SCORE_Z: f64 = 5.0;
/// What a score is multiplied by when a bone island is likely.
const ENOSTOSIS_SCORE: f64 = 0.6;

impl Feature for ScleroticDensity {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn assess(&self, context: &Context<'_>) -> Vec<Observation> {
        let value = |threshold| context.value(SPEC.id, threshold);
        let comparison = Comparison {
            margins: CoreMargins {
                side: value(&SIDE_MARGIN),
                endplate: value(&ENDPLATE_MARGIN),
                field: value(&FIELD_MARGIN),
            },
            least: Least {
                fraction_in_view: value(&MIN_FRACTION_IN_VIEW),
                vertebra_confidence: value(&MIN_VERTEBRA_CONFIDENCE),
                outline_confidence: value(&MIN_OUTLINE_CONFIDENCE),
            },
            reference_band_hu: value(&REFERENCE_BAND),
            reference_band_share: value(&REFERENCE_BAND_SHARE),
        };
        let rules = Rules {
            min_z: value(&Z_LOOK_HERE).min(value(&Z_PRESENT)),
            min_contrast_hu: value(&MIN_CONTRAST),
            min_volume_mm3: value(&MIN_VOLUME),
            min_deep_share: value(&MIN_DEEP_SHARE),
            band_flatness: value(&BAND_FLATNESS),
            band_share: value(&BAND_SHARE),
            mirror_share: value(&MIRROR_SHARE),
            mirror_share_large: value(&MIRROR_SHARE_LARGE),
        };
        let contrast = compare(context.image, context.anatomy, &comparison);
        let mut observations = Vec::new();
        for (vertebra, body) in context.anatomy.vertebrae.iter().zip(&contrast.bodies) {
            match (body, &contrast.spread) {
                (Ok(body), Some(spread)) => {
                    let found = candidates(&body.samples, &body.filtered, spread, &rules);
                    observations.extend(answers(context, body, spread, &found));
                }
                (Ok(_), None) => {
                    observations.push(SPEC.not_assessed(vertebra, Reason::OutlineUncertain));
                }
                (Err(reason), _) => observations.push(SPEC.not_assessed(vertebra, *reason)),
            }
        }
        observations
    }
}

/// One observation for each focus that was kept; without one, what the body as a whole says.
fn answers(
    context: &Context<'_>,
    body: &ComparedBody<'_>,
    spread: &SpreadByPlace,
    found: &[Candidate],
) -> Vec<Observation> {
    let kept: Vec<Observation> = found
        .iter()
        .filter(|candidate| candidate.look_alike.is_none())
        .map(|candidate| focus(context, body, spread, candidate))
        .collect();
    if !kept.is_empty() {
        return kept;
    }
    let mut answer = if body.neighbours < MIN_OTHER_BODIES {
        SPEC.indeterminate(body.vertebra, Reason::TooFewReferenceVertebrae)
    } else if body.reference > context.value(SPEC.id, &MAX_REFERENCE) {
        let mut answer = SPEC.indeterminate(body.vertebra, Reason::ReferenceTissueNotFound);
        answer.speaks_for.push(format!(
            "the reference marrow itself is dense ({:.0} HU): disease of the whole spine is not \
             excluded by comparison",
            body.reference
        ));
        answer
    } else {
        SPEC.absent(body.vertebra)
    };
    answer.reference = Some(reference(body));
    answer.measurements.push(Measurement::new("core_median_hu", body.own_median, Unit::Hounsfield));
    answer.measurements.push(Measurement::new(
        "faintest_visible_contrast_hu",
        context.value(SPEC.id, &Z_PRESENT) * spread.spread[1][DEEP],
        Unit::Hounsfield,
    ));
    for candidate in found {
        if let Some(look_alike) = candidate.look_alike
            && !matches!(look_alike, LookAlike::Faint | LookAlike::Small)
        {
            answer.speaks_against.push(look_alike_sentence(look_alike, candidate));
        }
    }
    vec![answer]
}

fn look_alike_sentence(look_alike: LookAlike, candidate: &Candidate) -> String {
    let what = match look_alike {
        LookAlike::Faint => "too faint",
        LookAlike::Small => "too small",
        LookAlike::Border => "it lies only along the border of the marrow",
        LookAlike::EndplateBand => "it is a flat band along an endplate, as in degeneration",
        LookAlike::Mirrored => "it has a mirror image on the other side, as normal anatomy has",
    };
    format!(
        "a denser place (+{:.0} HU, {} mm³, z {:.1}) was not taken for a lesion: {what}",
        candidate.contrast_hu,
        candidate.region.len(),
        candidate.z
    )
}

fn reference(body: &ComparedBody<'_>) -> Reference {
    let tissue = match body.neighbours {
        0 => "own marrow core; no other body to compare with".to_owned(),
        n => format!("own marrow core, held near the median of the {n} nearest bodies"),
    };
    Reference {
        tissue,
        voxels: body.reference_voxels,
        median: crate::units::rounded(body.reference, 0),
        spread: crate::units::rounded(body.own_spread, 0),
        unit: Some(Unit::Hounsfield),
    }
}

/// A focus that was kept.
fn focus(
    context: &Context<'_>,
    body: &ComparedBody<'_>,
    spread: &SpreadByPlace,
    candidate: &Candidate,
) -> Observation {
    let value = |threshold| context.value(SPEC.id, threshold);
    let native = region_on_grid(context.image, &body.body, &body.samples, &candidate.region);
    let NativeRegion { mean, peak, .. } = native;
    let z_present = value(&Z_PRESENT);
    let (mut status, mut reason) = if candidate.z >= z_present {
        (Status::Present, None)
    } else {
        (Status::Indeterminate, Some(Reason::BetweenLimits))
    };
    let mut score = candidate.z / (candidate.z + HALF_SCORE_Z);
    let mut speaks_for = Vec::new();
    let mut speaks_against = Vec::new();

    let contrast = mean - body.reference;
    speaks_for.push(format!(
        "denser than the patient's own marrow by {contrast:.0} HU on average, {:.1} times the \
         variation of healthy bone at such a place",
        candidate.z
    ));
    if candidate.deep_share >= 0.5 {
        speaks_for
            .push("most of it lies deep in the marrow, away from cortex and endplates".to_owned());
    }
    if let Some(neighbours) = body.neighbours_median {
        let limit = value(&REFERENCE_BAND).max(value(&REFERENCE_BAND_SHARE) * neighbours.abs());
        if body.own_median > neighbours + limit {
            speaks_for.push(format!(
                "the body as a whole is denser than its neighbours ({:.0} against {neighbours:.0} HU)",
                body.own_median
            ));
        }
    }
    let touches_endplate =
        candidate.region.iter().any(|&at| body.samples.endplate_depth_in_core(at) < 1.0);
    let touches_wall = candidate.region.iter().any(|&at| body.samples.side_depth_in_core(at) < 1.0);
    if touches_endplate {
        speaks_against
            .push("reaches an endplate, where degenerative sclerosis is common".to_owned());
    }
    if touches_wall {
        speaks_against.push(
            "reaches the wall of the body, where ossification and cortex look alike".to_owned(),
        );
    }
    if let Some(mirror) = candidate.mirror.filter(|mirror| *mirror >= 0.5 * value(&MIRROR_SHARE)) {
        speaks_against.push(format!(
            "the mirror place on the other side is denser too ({:.0} % of it)",
            100.0 * mirror
        ));
    }
    if peak > value(&METAL) {
        status = Status::Indeterminate;
        reason = Some(Reason::MetalOrCement);
        speaks_against.push(format!("with up to {peak:.0} HU it may be metal or cement"));
    } else if !touches_endplate {
        // Beside an endplate degenerative sclerosis reaches such densities too, so the label is
        // withheld there.
        if mean > value(&ENOSTOSIS_MEAN) && peak > value(&ENOSTOSIS_MAX) {
            score *= ENOSTOSIS_SCORE;
            speaks_against.push(format!(
                "as dense as a bone island (mean {mean:.0}, maximum {peak:.0} HU); not proof, \
                 biopsy series disagree"
            ));
        } else if mean > value(&ENOSTOSIS_UNCLEAR) {
            speaks_against
                .push(format!("mean {mean:.0} HU lies where bone islands and metastases overlap"));
        }
    }
    if body.neighbours < MIN_OTHER_BODIES {
        speaks_against.push("fewer than two other bodies to compare with".to_owned());
    }
    if !spread.from_patient {
        speaks_against.push(
            "fewer than four bodies: the variation near cortex was taken from other patients"
                .to_owned(),
        );
    }

    let distance = context.anatomy.canal.as_ref().and_then(|canal| {
        let places =
            candidate.region.iter().map(|&at| body.body.frame.to_lps(body.samples.local(at)));
        least_distance_to_canal(canal, places)
    });
    let volume = candidate.region.len() as f64;
    let mut measurements = vec![
        Measurement::new("volume_mm3", volume, Unit::CubicMillimetre),
        Measurement::new("mean_hu", mean, Unit::Hounsfield),
        Measurement::new("peak_hu", peak, Unit::Hounsfield),
        Measurement::new("mean_contrast_hu", contrast, Unit::Hounsfield),
        Measurement::new("peak_contrast_smoothed_hu", candidate.contrast_hu, Unit::Hounsfield),
        Measurement::new("z", candidate.z, Unit::StandardDeviation),
        Measurement::new("share_deep", candidate.deep_share, Unit::Fraction),
        Measurement::new("share_at_endplate", candidate.endplate_share, Unit::Fraction),
        Measurement::new("width_over_height", candidate.flatness, Unit::Ratio),
    ];
    if let Some(mirror) = candidate.mirror {
        measurements.push(Measurement::new("mirror_contrast", mirror, Unit::Ratio));
    }
    if let Some(distance) = distance {
        measurements.push(Measurement::new("distance_to_canal_mm", distance, Unit::Millimetre));
    }
    let centre = native.centre;
    let mut observation =
        SPEC.observation(Site::Vertebra(body.vertebra.id.clone()), status, reason);
    observation.score = Some(Share::new(crate::units::rounded(score, 3)));
    observation.measurements = measurements;
    observation.reference = Some(reference(body));
    observation.speaks_for = speaks_for;
    observation.speaks_against = speaks_against;
    observation.location = Some(Location {
        centroid: body.body.frame.to_lps(centre),
        voxel_box: native.voxel_box,
        mask: native.mask,
        volume: Some(CubicMillimetres::new(volume)),
        side: Some(side_of(&body.samples, &candidate.region)),
        parts: body_parts(&body.body, &body.samples, &candidate.region),
        distance_to_canal: distance.map(Millimetres::new),
    });
    observation
}

#[cfg(test)]
mod tests;
