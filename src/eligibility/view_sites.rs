//! Which sites there are, and which vertebrae of which series each of them is.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::context::{ClinicalContext, SiteName};
use super::view::{SAME_VERTEBRA_MM, ViewError, region_label};
use crate::findings::schema::{Findings, VertebraRecord};
use crate::terms::{Level, Region, Side};

/// A site and what of the findings belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SiteMembers {
    /// As in the findings, or the name that the context gave.
    pub id: String,
    /// Its level, as a word.
    pub level: Option<String>,
    /// Levels that the vertebra may be besides, where its level rests on a single anchor.
    pub level_candidates: Vec<Level>,
    /// The bone, where it is no vertebra.
    pub region: Option<Region>,
    /// Side, for regions.
    pub side: Option<Side>,
    /// Ids of the vertebrae that it is, one for each series.
    pub vertebrae: BTreeSet<String>,
    /// Whether the findings know it; else the context alone.
    pub in_findings: bool,
    /// Index of the context's site that it is.
    pub context_site: Option<usize>,
}

impl SiteMembers {
    /// What to call it in a sentence.
    pub fn label(&self) -> String {
        match (&self.level, self.region) {
            (Some(level), _) => match self.level_doubt() {
                Some(doubt) => format!("{level} ({doubt})"),
                None => level.clone(),
            },
            (None, Some(region)) => region_label(region, self.side),
            (None, None) => format!("the vertebra {} (level not known)", self.id),
        }
    }

    /// Which other levels it may be; `None` where its level is not in doubt.
    pub fn level_doubt(&self) -> Option<String> {
        self.level.as_ref()?.parse::<Level>().ok()?.doubt(&self.level_candidates)
    }

    /// Whether a row of the findings speaks of it.
    pub fn has(
        &self,
        vertebra: Option<&String>,
        region: Option<Region>,
        side: Option<Side>,
    ) -> bool {
        match (vertebra, region) {
            (Some(id), _) => self.vertebrae.contains(id),
            (None, Some(region)) => self.region == Some(region) && self.side == side,
            (None, None) => false,
        }
    }
}

/// The sites of a study, in the order of the findings, then of the context.
pub(super) fn sites_of(
    findings: &Findings,
    context: Option<&ClinicalContext>,
    notes: &mut Vec<String>,
) -> Result<Vec<SiteMembers>, ViewError> {
    let mut sites: Vec<SiteMembers> = Vec::new();
    for record in &findings.sites {
        add_site(
            &mut sites,
            findings,
            &record.id,
            record.vertebra.as_ref(),
            record.region,
            record.side,
            notes,
        );
    }
    // A finding whose site the file does not list is listed here: it must not be lost.
    for finding in &findings.findings {
        let site = &finding.site;
        if sites.iter().any(|known| known.has(site.vertebra.as_ref(), site.region, site.side)) {
            continue;
        }
        let id = match (&site.vertebra, site.region) {
            (Some(id), _) => id.clone(),
            (None, Some(region)) => SiteName::Region(region, site.side).to_string(),
            (None, None) => {
                notes.push(format!(
                    "the finding {} lies in no vertebra and no region; rules cannot see it",
                    finding.id
                ));
                continue;
            }
        };
        add_site(&mut sites, findings, &id, site.vertebra.as_ref(), site.region, site.side, notes);
    }
    for (index, site) in context.into_iter().flat_map(|context| context.sites.iter().enumerate()) {
        let place = place_context_site(&mut sites, findings, &site.name, notes)?;
        if let Some(members) = sites.get_mut(place) {
            if let Some(first) = members.context_site.and_then(|first| context?.sites.get(first)) {
                return Err(ViewError::SameSite {
                    first: first.name.to_string(),
                    second: site.name.to_string(),
                    site: members.id.clone(),
                });
            }
            members.context_site = Some(index);
        }
    }
    Ok(sites)
}

fn add_site(
    sites: &mut Vec<SiteMembers>,
    findings: &Findings,
    id: &str,
    vertebra: Option<&String>,
    region: Option<Region>,
    side: Option<Side>,
    notes: &mut Vec<String>,
) {
    let Some(vertebra) = vertebra else {
        if !sites.iter().any(|site| site.has(None, region, side)) {
            sites.push(SiteMembers {
                id: id.to_owned(),
                level: None,
                level_candidates: Vec::new(),
                region,
                side,
                vertebrae: BTreeSet::new(),
                in_findings: true,
                context_site: None,
            });
        }
        return;
    };
    if let Some(site) = sites.iter().find(|site| site.vertebrae.contains(vertebra)) {
        if site.id != id {
            notes.push(format!(
                "{id} and {} are one vertebra seen on two series ({})",
                site.id,
                site.label()
            ));
        }
        return;
    }
    let vertebrae = same_vertebra(findings, vertebra);
    let record = findings.anatomy.vertebrae.iter().find(|record| record.id == *vertebra);
    let level = record.and_then(|record| record.level).map(|level| level.to_string());
    let level_candidates = record.map(|record| record.level_candidates.clone()).unwrap_or_default();
    sites.push(SiteMembers {
        id: id.to_owned(),
        level,
        level_candidates,
        region: None,
        side: None,
        vertebrae,
        in_findings: true,
        context_site: None,
    });
}

/// The vertebra itself and what is the same one on other series: same level, close by, and the
/// only one of its series with that level.
fn same_vertebra(findings: &Findings, id: &str) -> BTreeSet<String> {
    let all = &findings.anatomy.vertebrae;
    let mut same = BTreeSet::from([id.to_owned()]);
    let Some(own) = all.iter().find(|record| record.id == id) else { return same };
    let Some(level) = own.level else { return same };
    let alone = |record: &VertebraRecord| {
        all.iter()
            .filter(|other| other.series == record.series && other.level == Some(level))
            .count()
            == 1
    };
    if !alone(own) {
        return same;
    }
    for other in all {
        let near =
            other.body_centroid_lps_mm.distance(own.body_centroid_lps_mm) <= SAME_VERTEBRA_MM;
        if other.series != own.series && other.level == Some(level) && near && alone(other) {
            same.insert(other.id.clone());
        }
    }
    same
}

/// Says that what the context knows of a level went to a vertebra that may be another one.
fn note_level_doubt(site: Option<&SiteMembers>, notes: &mut Vec<String>) {
    let Some(site) = site else { return };
    if let (Some(level), Some(doubt)) = (&site.level, site.level_doubt()) {
        notes.push(format!(
            "what the context says of {level} was given to the vertebra {}, whose level is not certain ({doubt}): check that it is the same",
            site.id
        ));
    }
}

/// Index of the site that the context names; a new one where none fits.
fn place_context_site(
    sites: &mut Vec<SiteMembers>,
    findings: &Findings,
    name: &SiteName,
    notes: &mut Vec<String>,
) -> Result<usize, ViewError> {
    let stand_alone = |sites: &mut Vec<SiteMembers>, level: Option<String>, region, side| {
        sites.push(SiteMembers {
            id: name.to_string(),
            level,
            level_candidates: Vec::new(),
            region,
            side,
            vertebrae: BTreeSet::new(),
            in_findings: false,
            context_site: None,
        });
        sites.len() - 1
    };
    match name {
        SiteName::Vertebra(id) => {
            if let Some(index) = sites.iter().position(|site| site.vertebrae.contains(id)) {
                return Ok(index);
            }
            if !findings.anatomy.vertebrae.iter().any(|record| record.id == *id) {
                return Err(ViewError::NoSuchVertebra { id: id.clone() });
            }
            add_site(sites, findings, id, Some(id), None, None, notes);
            Ok(sites.len() - 1)
        }
        SiteName::Region(region, side) => {
            if let Some(index) = sites.iter().position(|site| site.has(None, Some(*region), *side))
            {
                return Ok(index);
            }
            if sites.iter().any(|site| site.region == Some(*region)) {
                notes.push(format!(
                    "the context names {}; the findings have this bone with another side or none, and both stay",
                    region_label(*region, *side)
                ));
            }
            Ok(stand_alone(sites, None, Some(*region), *side))
        }
        SiteName::Level(level) => {
            let fitting: Vec<usize> = sites
                .iter()
                .enumerate()
                .filter(|(_, site)| site.in_findings && site.level.as_deref() == Some(level))
                .map(|(index, _)| index)
                .collect();
            if let [index] = fitting[..] {
                // The same level elsewhere in the study, not joined with it, makes it unclear.
                if unjoined(findings, level, sites.get(index)).is_empty() {
                    note_level_doubt(sites.get(index), notes);
                    return Ok(index);
                }
            }
            if fitting.is_empty() {
                let unlisted: Vec<&VertebraRecord> = with_level(findings, level).collect();
                if let Some(first) = unlisted.first() {
                    let joined = same_vertebra(findings, &first.id);
                    if unlisted.iter().all(|record| joined.contains(&record.id)) {
                        add_site(sites, findings, &first.id, Some(&first.id), None, None, notes);
                        let index = sites.len() - 1;
                        note_level_doubt(sites.get(index), notes);
                        return Ok(index);
                    }
                }
            }
            let why = if fitting.is_empty() && with_level(findings, level).next().is_none() {
                let unnumbered = findings
                    .anatomy
                    .vertebrae
                    .iter()
                    .filter(|record| record.level.is_none())
                    .count();
                if unnumbered == 0 {
                    "the findings have no vertebra of that level".to_owned()
                } else {
                    format!(
                        "the findings have no vertebra numbered so, but {unnumbered} without a level; which of them it is was not guessed"
                    )
                }
            } else {
                "the findings have several vertebrae of that level that are not surely one"
                    .to_owned()
            };
            notes.push(format!("the context's {level} stands alone: {why}"));
            Ok(stand_alone(sites, Some(level.clone()), None, None))
        }
    }
}

fn with_level<'a>(findings: &'a Findings, level: &str) -> impl Iterator<Item = &'a VertebraRecord> {
    let level = Level::from_str(level).ok();
    findings.anatomy.vertebrae.iter().filter(move |record| level.is_some() && record.level == level)
}

/// Vertebrae of the level that are not part of the site.
fn unjoined<'a>(
    findings: &'a Findings,
    level: &str,
    site: Option<&SiteMembers>,
) -> Vec<&'a VertebraRecord> {
    with_level(findings, level)
        .filter(|record| !site.is_some_and(|site| site.vertebrae.contains(&record.id)))
        .collect()
}
