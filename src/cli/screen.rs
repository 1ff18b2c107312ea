//! `osteoflag screen PATH -o OUT`.

use std::path::PathBuf;

use super::{Exit, Failure, output};
use crate::anatomy::imported::{MaskFile, MaskLabels, read_masks};
use crate::eligibility::{ClinicalContext, ContextFormat, Rulebook};
use crate::features::{self, Settings};
use crate::screen::{Options, RunError, RunRecord, run as screen};
use crate::volume::LoadLimits;

/// Arguments of `osteoflag screen`.
#[derive(Debug, clap::Args)]
#[allow(clippy::doc_markdown, reason = "help texts carry no backticks")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Arguments {
    /// Folder (or file) with DICOM, searched to the bottom; names and extensions do not matter
    path: PathBuf,
    /// Folder for the results, made when it is missing
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,
    /// Print run.json instead of the table
    #[arg(long)]
    json: bool,
    /// Change a threshold; `osteoflag explain FEATURE` lists them
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Rulebook to use instead of the built-in one
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Clinical context (TOML or JSON) that names its study or patient
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// Masks of vertebrae made elsewhere: NIfTI label maps or DICOM SEG, a file or a folder. They
    /// must lie voxel on voxel with a series of PATH (axes in any order); else exit 2
    #[arg(long, value_name = "PATH")]
    masks: Option<PathBuf>,
    /// Numbering of the masks, where it cannot be recognised: totalsegmentator, verse, spineps,
    /// count
    #[arg(long, value_name = "NUMBERING", requires = "masks", value_parser = super::from_nifti::mask_labels)]
    mask_labels: Option<MaskLabels>,
    /// Write the vertebral bodies as OUT/<study>/label_maps/<series>.nii.gz with a JSON of names
    #[arg(long)]
    label_maps: bool,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
    /// Write UIDs beside the pseudonyms; results are then identifiable
    #[arg(long)]
    identifiers: bool,
    /// Most memory for one volume, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    max_memory: u64,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let options = Options {
        settings: Settings::parse(&arguments.settings, features::ALL).map_err(|error| {
            Failure::usage(error, "osteoflag explain FEATURE lists its settings".to_owned())
        })?,
        rulebook: rulebook(arguments.rules.as_ref())?,
        context: context(arguments.context.as_ref())?,
        pictures: !arguments.no_pictures,
        identifiers: arguments.identifiers,
        masks: masks(arguments)?,
        label_maps: arguments.label_maps,
        limits: LoadLimits { max_bytes: arguments.max_memory.saturating_mul(1 << 20) },
    };
    // The place of a panic helps, its payload may hold data: the record names the study.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" at {at}"));
        output::error(&format!("a bug{place}"), Some("please report it with the version"));
    }));
    let progress = output::Progress::new(quiet || arguments.json);
    let result = screen(&arguments.path, &arguments.output, &options, &|e| progress.show(e));
    progress.end();
    let record = result.map_err(|error| failure(&error))?;
    if arguments.json {
        output::result(&super::to_json(&record)?);
    } else {
        output::result(&table(&record));
    }
    let folder = arguments.output.display();
    output::message(quiet, &format!("results in {folder}; start with report.md of a study"));
    Ok(Exit::from_code(record.exit_code))
}

fn masks(arguments: &Arguments) -> Result<Vec<MaskFile>, Failure> {
    let Some(path) = &arguments.masks else { return Ok(Vec::new()) };
    let max_bytes = arguments.max_memory.saturating_mul(1 << 20);
    read_masks(path, arguments.mask_labels, max_bytes)
        .map_err(|error| Failure::usage(&error, error.hint().to_owned()))
}

fn failure(error: &RunError) -> Failure {
    let what = error.to_string();
    match error {
        RunError::Path(_) => Failure::usage(what, "give a folder or file that exists".to_owned()),
        RunError::ContextMatchesNoStudy { .. } => Failure::usage(
            what,
            "osteoflag series PATH lists the study ids; the context's `study` or `patient_id` must match one".to_owned(),
        ),
        RunError::Masks(error) => Failure::usage(what, error.hint().to_owned()),
        RunError::Output(_) => Failure {
            exit: Exit::Output,
            what,
            help: Some("give a folder that can be written with --output".to_owned()),
        },
    }
}

/// The rulebook of a file, or the built-in one.
pub(super) fn rulebook(file: Option<&PathBuf>) -> Result<Rulebook, Failure> {
    let Some(file) = file else {
        return Rulebook::builtin().map_err(|error| Failure {
            exit: Exit::Bug,
            what: format!("the built-in rulebook: {error}"),
            help: None,
        });
    };
    let text = super::read_text(file)?;
    Rulebook::parse(&text, &file.display().to_string())
        .map_err(|error| Failure::usage(&error, error.hint().map(str::to_owned)))
}

/// The clinical context of a file.
pub(super) fn context(file: Option<&PathBuf>) -> Result<Option<ClinicalContext>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text = super::read_text(file)?;
    let format = match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => ContextFormat::Json,
        _ => ContextFormat::Toml,
    };
    ClinicalContext::parse(&text, format)
        .map(Some)
        .map_err(|error| Failure::usage(format!("{}: {error}", file.display()), error.hint()))
}

fn table(record: &RunRecord) -> String {
    let mut lines = vec![format!(
        "{:<18} {:>8} {:>8} {:>10} {:>8} {:>14} {:>8}",
        "study", "screened", "skipped", "vertebrae", "present", "indeterminate", "seconds"
    )];
    for study in &record.studies {
        lines.push(format!(
            "{:<18} {:>8} {:>8} {:>10} {:>8} {:>14} {:>8.1}",
            study.id,
            study.series_screened,
            study.series_skipped,
            study.vertebrae,
            study.findings_present,
            study.findings_indeterminate,
            study.seconds
        ));
    }
    if record.studies.is_empty() {
        lines.push("no readable image".to_owned());
    }
    let left_out = record.files.iter().filter(|file| file.left_out.is_some()).count();
    lines.push(format!(
        "{} files, {left_out} left out; \"present\" are candidates for a reader, what was not assessed is in each report",
        record.files.len()
    ));
    lines.join("\n")
}
