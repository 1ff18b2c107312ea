//! All features over one series: needs first, then the features, and no vertebra left without
//! an answer.

use strum::VariantArray;

use super::{ALL, Context, Feature, Need, Observation, Site, Spec};
use crate::anatomy::Vertebra;
use crate::terms::{FeatureId, Reason, Region, Side, Status};

/// Bones that a feature of the pelvis answers for.
const PELVIC_SITES: [(Region, Option<Side>); 13] = [
    (Region::Sacrum, None),
    (Region::Ilium, Some(Side::Left)),
    (Region::Ilium, Some(Side::Right)),
    (Region::Ischium, Some(Side::Left)),
    (Region::Ischium, Some(Side::Right)),
    (Region::Pubis, Some(Side::Left)),
    (Region::Pubis, Some(Side::Right)),
    (Region::PubicRamus, Some(Side::Left)),
    (Region::PubicRamus, Some(Side::Right)),
    (Region::Acetabulum, Some(Side::Left)),
    (Region::Acetabulum, Some(Side::Right)),
    (Region::Femur, Some(Side::Left)),
    (Region::Femur, Some(Side::Right)),
];

/// Runs every feature of [`ALL`] over a series and answers for the others.
///
/// Observations come in the order of [`FeatureId`], then of the vertebrae from feet to head. Every
/// feature has at least one observation for every vertebra (a feature of the pelvis: for every
/// pelvic bone); in a series without a vertebra it has one for the series. What a feature needs is
/// checked first: where it is missing, the answer is `not_assessed` with the reason.
pub fn assess_series(context: &Context<'_>) -> Vec<Observation> {
    assess_with(context, ALL)
}

/// [`assess_series`] with a list of features.
pub(super) fn assess_with(context: &Context<'_>, features: &[&dyn Feature]) -> Vec<Observation> {
    let mut observations = Vec::new();
    for &id in FeatureId::VARIANTS {
        match features.iter().find(|feature| feature.spec().id == id) {
            Some(feature) => observations.extend(assess_one(context, *feature)),
            None => observations.extend(not_built(context, id)),
        }
    }
    observations
}

fn not_built(context: &Context<'_>, id: FeatureId) -> Vec<Observation> {
    let sites: Vec<Site> = if id == FeatureId::PelvicLesion {
        PELVIC_SITES.iter().map(|&(region, side)| Site::Region(region, side)).collect()
    } else if context.anatomy.vertebrae.is_empty() {
        vec![Site::Series]
    } else {
        context.anatomy.vertebrae.iter().map(|v| Site::Vertebra(v.id.clone())).collect()
    };
    sites
        .into_iter()
        .map(|site| Observation {
            feature: id,
            site,
            status: Status::NotAssessed,
            reason: Some(Reason::NotBuilt),
            score: None,
            measurements: Vec::new(),
            reference: None,
            speaks_for: Vec::new(),
            speaks_against: Vec::new(),
            location: None,
            problems: Vec::new(),
        })
        .collect()
}

fn assess_one(context: &Context<'_>, feature: &dyn Feature) -> Vec<Observation> {
    let spec = feature.spec();
    let vertebrae = &context.anatomy.vertebrae;
    let series_reason = spec.needs.iter().find_map(|need| missing_in_series(context, *need));
    if vertebrae.is_empty() {
        // A wrong kind of series says more than "no spine found" in it.
        let reason = match series_reason {
            Some(Reason::NoSuitableSeries) => Reason::NoSuitableSeries,
            _ => Reason::SpineNotFound,
        };
        return vec![spec.observation(Site::Series, Status::NotAssessed, Some(reason))];
    }
    if let Some(reason) = series_reason {
        return vertebrae.iter().map(|vertebra| spec.not_assessed(vertebra, reason)).collect();
    }
    let given = feature.assess(context);
    let mut observations = Vec::with_capacity(given.len().max(vertebrae.len()));
    for vertebra in vertebrae {
        if let Some(reason) = missing_in_vertebra(spec, vertebra) {
            observations.push(spec.not_assessed(vertebra, reason));
            continue;
        }
        let before = observations.len();
        observations.extend(
            given
                .iter()
                .filter(|o| matches!(&o.site, Site::Vertebra(id) if *id == vertebra.id))
                .cloned(),
        );
        if observations.len() == before {
            // A feature that forgets a vertebra must not make it look healthy.
            observations.push(spec.not_assessed(vertebra, Reason::AnatomyUncertain));
        }
    }
    observations.extend(given.into_iter().filter(|o| !matches!(o.site, Site::Vertebra(_))));
    observations
}

/// What a series lacks for a need, if anything.
fn missing_in_series(context: &Context<'_>, need: Need) -> Option<Reason> {
    match need {
        Need::Roles(roles) => {
            (!roles.contains(&context.role)).then_some(Reason::NoSuitableSeries)
        }
        Need::Canal => context
            .anatomy
            .canal
            .as_ref()
            .is_none_or(|canal| canal.sections.is_empty())
            .then_some(Reason::CanalNotFollowed),
        Need::SliceStepAtMostMm(most) => {
            // A hundredth of a millimetre: steps are means of rounded positions.
            let step = context.image.grid().spacing()[2];
            (step > most + 0.01).then_some(Reason::SlicesTooThick)
        }
        Need::Bodies => None,
    }
}

fn missing_in_vertebra(spec: &Spec, vertebra: &Vertebra) -> Option<Reason> {
    (spec.needs.contains(&Need::Bodies) && vertebra.body.is_none())
        .then_some(Reason::OutlineUncertain)
}
