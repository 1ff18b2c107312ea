//! Threshold studies: stored findings cut again, or pixels screened again.

use std::path::Path;

use super::inputs::{Choices, Inputs};
use crate::cli::{Exit, Failure, output};
use crate::eligibility::Rulebook;
use crate::evaluate::{
    Cut, Options, STORED_CUTS, Sweep, SweepResult, apply_cut, evaluate, row, stored_cut,
};
use crate::features::{self, Settings};
use crate::findings::schema::Findings;
use crate::screen;
use crate::volume::LoadLimits;

/// Runs one sweep over the results that were read.
pub fn run(
    sweep: &Sweep,
    inputs: &mut Inputs,
    choices: &Choices<'_>,
    options: &Options,
    images: Option<&Path>,
    quiet: bool,
) -> Result<SweepResult, Failure> {
    let cut = stored_cut(&sweep.name);
    if !matches!(cut, Some(Cut::Score(_))) {
        // The setting and its range are checked before hours of work.
        for value in &sweep.values {
            settings(&sweep.name, *value)?;
        }
    }
    let original: Vec<Findings> = inputs.results.iter().map(|one| one.findings.clone()).collect();
    let mut rows = Vec::new();
    let from_pixels = match (cut, images) {
        (Some(cut), None) => {
            for &value in &sweep.values {
                let mut open = 0;
                for (one, findings) in inputs.results.iter_mut().zip(&original) {
                    let stored = in_force(findings, &sweep.name);
                    let (cut_again, near) =
                        apply_cut(findings, cut, value, stored).map_err(|error| {
                            Failure::usage(
                                error,
                                "give --images PATH to screen the pixels again".to_owned(),
                            )
                        })?;
                    open += near;
                    one.findings = cut_again;
                }
                rows.push(row(value, open, &evaluate(&inputs.scans(choices)?.scans, options)));
            }
            false
        }
        (Some(Cut::Score(_)), Some(_)) => {
            return Err(Failure::usage(
                format!("{} is a cut on stored scores, not a setting of screen", sweep.name),
                "leave --images away, or sweep a setting".to_owned(),
            ));
        }
        (_, Some(images)) => {
            for &value in &sweep.values {
                output::message(quiet, &format!("screening with {}={value}", sweep.name));
                let screened = screen_again(images, &settings(&sweep.name, value)?, inputs)?;
                for (one, findings) in inputs.results.iter_mut().zip(screened) {
                    one.findings = findings;
                }
                rows.push(row(value, 0, &evaluate(&inputs.scans(choices)?.scans, options)));
            }
            true
        }
        (None, None) => {
            let stored: Vec<&str> = STORED_CUTS.iter().map(|cut| cut.setting).collect();
            return Err(Failure::usage(
                format!("{} changes what is looked at: stored findings are not enough", sweep.name),
                format!(
                    "give --images PATH with the images of these results; without it <feature id>.score, {} can be swept",
                    stored.join(", ")
                ),
            ));
        }
    };
    for (one, findings) in inputs.results.iter_mut().zip(original) {
        one.findings = findings;
    }
    Ok(SweepResult { name: sweep.name.clone(), from_pixels, rows })
}

fn settings(name: &str, value: f64) -> Result<Settings, Failure> {
    Settings::parse(&[format!("{name}={value}")], features::ALL).map_err(|error| {
        Failure::usage(error, "osteoflag explain FEATURE lists its settings".to_owned())
    })
}

/// Value of a setting when a result was made: what the result says was changed, else the default.
fn in_force(findings: &Findings, name: &str) -> Option<f64> {
    let changed = findings.tool.settings.iter().find_map(|setting| {
        let (known, value) = setting.split_once('=')?;
        (known == name).then(|| value.parse().ok()).flatten()
    });
    let default = || {
        let (feature, threshold) = name.split_once('.')?;
        let spec = features::ALL
            .iter()
            .map(|feature| feature.spec())
            .find(|spec| spec.id.to_string() == feature)?;
        spec.thresholds.iter().find(|t| t.name == threshold).map(|t| t.default)
    };
    changed.or_else(default)
}

/// Findings of every result, screened again. Settings that the results were made with are kept.
fn screen_again(
    images: &Path,
    swept: &Settings,
    inputs: &Inputs,
) -> Result<Vec<Findings>, Failure> {
    let discovered = crate::discover::discover(images)
        .map_err(|error| Failure::usage(error, "give a folder that exists".to_owned()))?;
    let intake = crate::series::read(&discovered.files, &|_| {});
    inputs
        .results
        .iter()
        .map(|one| {
            let id = &one.key.study;
            let study = intake.studies.iter().find(|study| study.id.to_string() == *id);
            let study = study.ok_or_else(|| {
                Failure::usage(
                    format!("{}: study {id} of {} is not there", images.display(), one.key.path),
                    "give --images the folder that these results were screened from".to_owned(),
                )
            })?;
            let options = screen::Options {
                settings: with_kept(&one.findings, swept)?,
                rulebook: Rulebook::builtin().map_err(|error| Failure {
                    exit: Exit::Bug,
                    what: format!("the built-in rulebook: {error}"),
                    help: None,
                })?,
                context: None,
                masks: Vec::new(),
                pictures: false,
                label_maps: false,
                identifiers: false,
                limits: LoadLimits { max_bytes: 4096 << 20 },
            };
            let result = screen::study(study, &options, &|_, _| {}).map_err(|error| Failure {
                exit: Exit::Bug,
                what: format!("study {id}: {error}"),
                help: None,
            })?;
            Ok(result.findings)
        })
        .collect()
}

/// The swept setting on top of those that a result was made with.
fn with_kept(findings: &Findings, swept: &Settings) -> Result<Settings, Failure> {
    let is_swept = |pair: &&String| {
        pair.split_once('=').is_some_and(|(name, _)| swept.changed().contains_key(name))
    };
    let mut pairs: Vec<String> =
        findings.tool.settings.iter().filter(|pair| !is_swept(pair)).cloned().collect();
    pairs.extend(swept.changed().iter().map(|(name, value)| format!("{name}={value}")));
    Settings::parse(&pairs, features::ALL).map_err(|error| {
        Failure::usage(error, "the results were made with a setting this version lacks".to_owned())
    })
}
