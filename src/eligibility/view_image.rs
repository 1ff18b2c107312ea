//! Keys that come from headers and images.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::input::{Scope, Setter};
use super::view::{Datum, KnownKeys, SiteView, set};
use super::view_sites::SiteMembers;
use super::vocabulary::INPUTS;
use crate::findings::schema::{Choice, Finding, Findings, VertebraRecord};
use crate::terms::{FeatureId, Level, Part, Region, Role, Side, SpineSection, Status};

/// Features that see a lesion, as opposed to what a lesion or age does to a bone.
const LESION_FEATURES: &[FeatureId] = &[
    FeatureId::T1MarrowSignalDrop,
    FeatureId::ScleroticDensity,
    FeatureId::LyticDensity,
    FeatureId::MixedDensity,
    FeatureId::PelvicLesion,
];

/// What cannot be involved outside the spine: there is no canal, no pedicle, no vertebral body.
const SPINE_ONLY: &[&str] = &[
    "epidural_extension",
    "spinal_canal_involvement",
    "cord_compression",
    "vertebral_compression_fracture",
    "vertebra_plana",
    "posterior_wall_disruption",
    "posterior_wall_effacement",
    "posterior_third_involvement",
    "pedicle_involvement",
    "posterior_element_involvement",
    "costovertebral_junction_involvement",
    "neuroforamen_involvement",
    "upper_thoracic",
    "thoracic",
];

/// Sets what the headers and the whole of the findings say of the patient.
pub(super) fn add_study_keys(keys: &mut KnownKeys, findings: &Findings) {
    let modalities = &findings.study.modalities;
    let has = |name: &str| modalities.iter().any(|modality| modality == name);
    let others = modalities.iter().any(|modality| !matches!(modality.as_str(), "CT" | "MR" | "PT"));
    for (name, truth) in [
        ("modality_ct", has("CT")),
        ("modality_mr", has("MR")),
        ("modality_pet_ct", has("PT")),
        ("modality_other", others),
    ] {
        let source = format!("header: modalities {}", modalities.join(", "));
        set(keys, Scope::Patient, name, Datum::Boolean(truth), source);
    }
    series_available(keys, findings, "mr_t1_available", &[Role::MrT1]);
    series_available(
        keys,
        findings,
        "mr_fluid_sensitive_available",
        &[Role::MrStir, Role::MrT2Fatsat],
    );
    count_lesion_sites(keys, findings);
}

/// True with a screened series of the role; false only if no series could be one unrecognized.
fn series_available(keys: &mut KnownKeys, findings: &Findings, name: &str, roles: &[Role]) {
    let readable = |series: &&crate::findings::schema::SeriesRecord| roles.contains(&series.role);
    let chosen =
        findings.series.iter().find(|series| series.choice == Choice::Chosen && readable(series));
    // A series of the right kind that was left out for another of its kind is there all the same;
    // one that is `other` might be of the kind.
    let unclear =
        findings.series.iter().any(|series| series.role == Role::Other || readable(&series));
    let (value, source) = match chosen {
        Some(series) => (true, format!("header: series {}", series.id)),
        None if unclear => return,
        None => (false, "header: no series of this kind in the study".to_owned()),
    };
    set(keys, Scope::Patient, name, Datum::Boolean(value), source);
}

/// Lower bound of the number of lesion sites: the most that one series shows. Series are not
/// added up, for the same vertebra may be on each of them.
fn count_lesion_sites(keys: &mut KnownKeys, findings: &Findings) {
    let mut by_series: BTreeMap<&str, std::collections::BTreeSet<String>> = BTreeMap::new();
    for finding in present_lesions(findings) {
        let place = match (&finding.site.vertebra, finding.site.region) {
            (Some(id), _) => id.clone(),
            (None, Some(region)) => format!("{region} {:?}", finding.site.side),
            (None, None) => continue,
        };
        for evidence in &finding.evidence {
            by_series.entry(evidence.series.as_str()).or_default().insert(place.clone());
        }
        if finding.evidence.is_empty() {
            by_series.entry("").or_default().insert(place);
        }
    }
    let most = by_series.values().map(std::collections::BTreeSet::len).max().unwrap_or(0);
    let source = format!("image: candidates at {most} sites of one series");
    set(keys, Scope::Patient, "lesion_count_min", Datum::Number(most as f64), source.clone());
    if most >= 2 {
        set(keys, Scope::Patient, "multifocal_disease", Datum::Boolean(true), source);
    }
}

fn present_lesions(findings: &Findings) -> impl Iterator<Item = &Finding> {
    findings.findings.iter().filter(|finding| {
        finding.status == Status::Present && LESION_FEATURES.contains(&finding.kind)
    })
}

/// Sets what place and images say of one site.
pub(super) fn add_image_keys(site: &mut SiteView, findings: &Findings, members: &SiteMembers) {
    add_place(site, members);
    for input in INPUTS.iter().filter(|input| input.from.contains(&Setter::Image)) {
        if let Some(feature) = input.feature
            && let Some((truth, source)) = answer(findings, members, feature)
        {
            set(&mut site.keys, Scope::Site, input.name, Datum::Boolean(truth), source);
        }
    }
    let own: Vec<&Finding> = findings
        .findings
        .iter()
        .filter(|finding| {
            let place = &finding.site;
            finding.status == Status::Present
                && members.has(place.vertebra.as_ref(), place.region, place.side)
        })
        .collect();
    if let Some(finding) = own.first() {
        let source = format!("image candidate: {} ({})", finding.kind, finding.id);
        set(&mut site.keys, Scope::Site, "finding_present", Datum::Boolean(true), source);
    }
    add_parts(site, &own);
    add_wall_effacement(site);
    add_adjacent(site, findings, members);
}

fn add_place(site: &mut SiteView, members: &SiteMembers) {
    let origin = if members.in_findings { "image" } else { "clinician" };
    let keys = &mut site.keys;
    let mut put = |name: &str, value: Datum, source: &str| {
        set(keys, Scope::Site, name, value, source.to_owned());
    };
    let word = match members.region {
        None => "vertebra",
        Some(region) => site_word(region),
    };
    put("lesion_site", Datum::Word(word.to_owned()), origin);
    let bears = match members.region {
        None
        | Some(
            Region::Sacrum
            | Region::Ilium
            | Region::Ischium
            | Region::Acetabulum
            | Region::Pubis
            | Region::PubicRamus
            | Region::Femur,
        ) => Some(true),
        Some(
            Region::Rib
            | Region::Sternum
            | Region::Scapula
            | Region::Clavicle
            | Region::Humerus
            | Region::ShoulderGirdle,
        ) => Some(false),
        Some(Region::LongBone | Region::Other) => None,
    };
    if let Some(bears) = bears {
        put("weight_bearing_site", Datum::Boolean(bears), "follows from the bone");
    }
    if let Some(side) = members.side {
        put("lesion_side", Datum::Word(side.to_string()), origin);
    }
    if let Some(level) = &members.level {
        if members.level_doubt().is_none() {
            put("vertebral_level", Datum::Word(level.clone()), origin);
        }
        if let Ok(level) = Level::from_str(level) {
            let source = format!("follows from the level {level}");
            // With a single anchor the level may be off by one: what differs there is not known.
            let of_all = |is: &dyn Fn(Level) -> bool| {
                let own = is(level);
                members.level_candidates.iter().all(|&other| is(other) == own).then_some(own)
            };
            let upper = |level: Level| (Level::T1..=Level::T6).contains(&level);
            if let Some(upper) = of_all(&upper) {
                put("upper_thoracic", Datum::Boolean(upper), &source);
            }
            if let Some(thoracic) = of_all(&|level| level.section() == SpineSection::Thoracic) {
                put("thoracic", Datum::Boolean(thoracic), &source);
            }
        }
    }
    // The sacrum has a canal and foramina, ribs reach the vertebra: nothing follows for them.
    let away_from_spine = members
        .region
        .is_some_and(|region| !matches!(region, Region::Sacrum | Region::Rib | Region::Other));
    if away_from_spine {
        for name in SPINE_ONLY {
            put(name, Datum::Boolean(false), "follows from the bone: not in the spine");
        }
    }
}

fn site_word(region: Region) -> &'static str {
    match region {
        Region::Sacrum => "sacrum",
        Region::Ilium => "ilium",
        Region::Ischium => "ischium",
        Region::Pubis => "pubis",
        Region::PubicRamus => "pubic_ramus",
        Region::Acetabulum => "acetabulum",
        Region::Femur => "femur",
        Region::Rib => "rib",
        Region::Sternum => "sternum",
        Region::Scapula | Region::Clavicle | Region::ShoulderGirdle => "shoulder_girdle",
        Region::Humerus | Region::LongBone => "long_bone",
        Region::Other => "other",
    }
}

/// What a feature says of a site over all series: see the table at [`super::view`].
fn answer(
    findings: &Findings,
    members: &SiteMembers,
    feature: FeatureId,
) -> Option<(bool, String)> {
    let own_finding = |status: Status| {
        findings.findings.iter().find(|finding| {
            let place = &finding.site;
            finding.kind == feature
                && finding.status == status
                && members.has(place.vertebra.as_ref(), place.region, place.side)
        })
    };
    let rows = || {
        findings.coverage.iter().filter(|row| {
            row.feature == feature && members.has(row.vertebra.as_ref(), row.region, row.side)
        })
    };
    let in_series = |series: Option<&String>| {
        series.map_or_else(String::new, |series| format!(", series {series}"))
    };
    if let Some(finding) = own_finding(Status::Present) {
        return Some((true, format!("image candidate: {feature}, finding {}", finding.id)));
    }
    if let Some(row) = rows().find(|row| row.status == Status::Present) {
        return Some((
            true,
            format!("image candidate: {feature}{}", in_series(row.series.as_ref())),
        ));
    }
    if own_finding(Status::Indeterminate).is_some()
        || rows().any(|row| row.status == Status::Indeterminate)
    {
        return None;
    }
    let absent = rows().find(|row| row.status == Status::Absent && row.absence_rules_out)?;
    Some((
        false,
        format!("image: looked for and not seen, {feature}{}", in_series(absent.series.as_ref())),
    ))
}

fn add_parts(site: &mut SiteView, own: &[&Finding]) {
    let lesion = |part: Part| {
        own.iter().find(|finding| {
            LESION_FEATURES.contains(&finding.kind) && finding.site.parts.contains(&part)
        })
    };
    if let Some(finding) = lesion(Part::PosteriorThird) {
        let source =
            format!("image candidate: {} reaches it, finding {}", finding.kind, finding.id);
        set(
            &mut site.keys,
            Scope::Site,
            "posterior_third_involvement",
            Datum::Boolean(true),
            source,
        );
    }
    for (feature, name) in [
        (FeatureId::PedicleInvolvement, "pedicle_involvement_side"),
        (FeatureId::PosteriorElementInvolvement, "posterior_element_involvement_side"),
        (FeatureId::CostovertebralInvolvement, "costovertebral_junction_involvement_side"),
    ] {
        let sides: Vec<Side> = own
            .iter()
            .filter(|finding| finding.kind == feature)
            .filter_map(|finding| finding.site.side)
            .collect();
        let side = match (sides.contains(&Side::Left), sides.contains(&Side::Right)) {
            (true, true) => Some(Side::Bilateral),
            _ => sides.first().copied(),
        };
        if let Some(side) = side {
            let source = format!("image candidate: {feature}");
            set(&mut site.keys, Scope::Site, name, Datum::Word(side.to_string()), source);
        }
    }
    // The side of the lesions, where they agree on one.
    let mut sides: Vec<Side> = own
        .iter()
        .filter(|finding| LESION_FEATURES.contains(&finding.kind))
        .filter_map(|finding| finding.site.side)
        .collect();
    sides.sort_unstable();
    sides.dedup();
    if let [side] = sides[..]
        && !site.keys.contains_key("lesion_side")
    {
        set(
            &mut site.keys,
            Scope::Site,
            "lesion_side",
            Datum::Word(side.to_string()),
            "image".to_owned(),
        );
    }
}

/// A wall that was looked at and is neither broken nor bulging is not effaced. The other way
/// round nothing follows: a gap is no bulge.
fn add_wall_effacement(site: &mut SiteView) {
    let intact = site
        .keys
        .get("posterior_wall_disruption")
        .is_some_and(|known| known.value == Datum::Boolean(false));
    if intact && !site.keys.contains_key("posterior_wall_effacement") {
        let source = "image: the posterior wall was looked at and is whole".to_owned();
        set(
            &mut site.keys,
            Scope::Site,
            "posterior_wall_effacement",
            Datum::Boolean(false),
            source,
        );
    }
}

/// True where a neighbour in the chain of the same series carries a lesion. Never false: a
/// neighbour may be missing from the chain, and no single feature clears a level.
fn add_adjacent(site: &mut SiteView, findings: &Findings, members: &SiteMembers) {
    let all = &findings.anatomy.vertebrae;
    for own in all.iter().filter(|record| members.vertebrae.contains(&record.id)) {
        let chain: Vec<&VertebraRecord> =
            all.iter().filter(|record| record.series == own.series).collect();
        let Some(place) = chain.iter().position(|record| record.id == own.id) else { continue };
        let below = place.checked_sub(1).and_then(|index| chain.get(index));
        for neighbour in below.into_iter().chain(chain.get(place + 1)) {
            let lesion = present_lesions(findings)
                .find(|finding| finding.site.vertebra.as_deref() == Some(neighbour.id.as_str()));
            if let Some(finding) = lesion {
                let name =
                    neighbour.level.map_or_else(|| neighbour.id.clone(), |level| level.to_string());
                let source =
                    format!("image candidate: {} at {name}, finding {}", finding.kind, finding.id);
                set(
                    &mut site.keys,
                    Scope::Site,
                    "adjacent_level_lesion",
                    Datum::Boolean(true),
                    source,
                );
                return;
            }
        }
    }
}
