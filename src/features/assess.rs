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
        Need::Roles(roles) => (!roles.contains(&context.role)).then_some(Reason::NoSuitableSeries),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::synthetic::{Spine, of_body, spine};
    use crate::terms::{Level, Role, SpineSection};
    use crate::units::Share;
    use proptest::prelude::*;

    fn assess(spine: &Spine) -> Vec<Observation> {
        spine.with_context(assess_series)
    }

    /// Every feature answers for every vertebra (the pelvis for its bones), and every answer that
    /// tells nothing tells why.
    fn complete(spine: &Spine, observations: &[Observation]) -> Result<(), String> {
        for &id in FeatureId::VARIANTS {
            for vertebra in &spine.anatomy.vertebrae {
                let answered = observations
                    .iter()
                    .any(|o| o.feature == id && o.site == Site::Vertebra(vertebra.id.clone()));
                if !answered && id != FeatureId::PelvicLesion {
                    return Err(format!("{id} is silent about {}", vertebra.id));
                }
            }
            if !observations.iter().any(|o| o.feature == id) {
                return Err(format!("{id} is silent"));
            }
        }
        for o in observations {
            let needs = matches!(o.status, Status::Indeterminate | Status::NotAssessed);
            if needs != o.reason.is_some() {
                return Err(format!(
                    "{} says {:?} with reason {:?}",
                    o.feature, o.status, o.reason
                ));
            }
        }
        Ok(())
    }

    fn only(observations: &[Observation], id: FeatureId, n: usize) -> Observation {
        let of: Vec<Observation> =
            observations.iter().filter(|o| o.feature == id).cloned().collect();
        of_body(&of, n)[0].clone()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn every_feature_answers_for_every_vertebra_whatever_is_missing(
            count in 0usize..4, role in 0..Role::VARIANTS.len(), level in proptest::option::of(0..Level::VARIANTS.len()),
            view in 0.0..1.0f64, trust in 0.0..1.0f64, without_body in 0usize..4, canal in any::<bool>(),
            section in proptest::option::of(0..SpineSection::VARIANTS.len()), step in prop_oneof![Just(3.0), Just(5.0), Just(8.0)],
            inverted in any::<bool>(),
        ) {
            let mut spine = spine(count.max(1), step, |_, _| 0.0);
            spine.role = Role::VARIANTS[role];
            spine.anatomy.vertebrae.truncate(count);
            if !canal {
                spine.anatomy.canal = None;
            }
            if let Some(vertebra) = spine.anatomy.vertebrae.first_mut() {
                vertebra.level = level.map(|l| Level::VARIANTS[l]);
                vertebra.section_guess = section.map(|s| SpineSection::VARIANTS[s]);
                vertebra.fraction_in_view = Share::new(view);
                vertebra.confidence = Share::new(trust);
                if inverted && let Some(body) = &mut vertebra.body {
                    std::mem::swap(&mut body.surface.upper, &mut body.surface.lower);
                }
            }
            if let Some(vertebra) = spine.anatomy.vertebrae.get_mut(without_body) {
                vertebra.body = None;
            }
            let observations = assess(&spine);
            prop_assert_eq!(complete(&spine, &observations), Ok(()));
        }
    }

    #[test]
    fn a_series_of_another_kind_is_no_suitable_series() {
        let mut spine = spine(2, 3.0, |_, _| 0.0);
        spine.role = Role::Other;
        let answer = only(&assess(&spine), FeatureId::ScleroticDensity, 0);
        assert_eq!(answer.reason, Some(Reason::NoSuitableSeries));
    }

    #[test]
    fn thick_slices_a_missing_canal_and_a_missing_body_are_said() {
        let thick = spine(3, 8.0, |_, _| 0.0);
        let answer = only(&assess(&thick), FeatureId::PosteriorWallDisruption, 1);
        assert_eq!(answer.reason, Some(Reason::SlicesTooThick));
        let mut plain = spine(3, 3.0, |_, _| 0.0);
        plain.anatomy.canal = None;
        plain.anatomy.vertebrae[1].body = None;
        let observations = assess(&plain);
        let wall = only(&observations, FeatureId::PosteriorWallDisruption, 0);
        assert_eq!(wall.reason, Some(Reason::CanalNotFollowed));
        let dense = only(&observations, FeatureId::ScleroticDensity, 1);
        assert_eq!(
            (dense.status, dense.reason),
            (Status::NotAssessed, Some(Reason::OutlineUncertain))
        );
    }

    #[test]
    fn what_is_not_built_says_so_and_the_pelvis_by_its_bones() {
        let observations = assess(&spine(2, 3.0, |_, _| 0.0));
        let lytic = only(&observations, FeatureId::FractureLine, 1);
        assert_eq!((lytic.status, lytic.reason), (Status::NotAssessed, Some(Reason::NotBuilt)));
        let pelvis: Vec<_> =
            observations.iter().filter(|o| o.feature == FeatureId::PelvicLesion).collect();
        assert_eq!(pelvis.len(), PELVIC_SITES.len());
    }

    /// A feature that answers for the first vertebra alone.
    struct Forgetful;
    static FORGETFUL: Spec = Spec {
        id: FeatureId::LyticDensity,
        title: "forgets",
        method: "",
        limits: "",
        needs: &[],
        thresholds: &[],
        absence_rules_out: true,
    };
    impl Feature for Forgetful {
        fn spec(&self) -> &'static Spec {
            &FORGETFUL
        }
        fn assess(&self, context: &Context<'_>) -> Vec<Observation> {
            vec![FORGETFUL.absent(&context.anatomy.vertebrae[0])]
        }
    }

    #[test]
    fn a_vertebra_that_a_feature_forgets_is_not_assessed() {
        let spine = spine(2, 3.0, |_, _| 0.0);
        let observations = spine.with_context(|context| assess_with(context, &[&Forgetful]));
        let forgotten = only(&observations, FeatureId::LyticDensity, 1);
        assert_eq!(forgotten.status, Status::NotAssessed);
        complete(&spine, &observations).unwrap();
    }
}
