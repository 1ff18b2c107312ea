//! `osteoflag phantom from-nifti`: research volumes on the way of a scanner's.

use std::path::PathBuf;

use strum::VariantArray;

use super::{Exit, Failure, nearest, output};
use crate::anatomy::imported::MaskLabels;
use crate::geometry::Plane;
use crate::phantom::{Contrast, FromNifti, FromNiftiError, convert, write_converted};
use crate::terms::Role;
use crate::volume::{read_label_map, read_nifti};

/// Arguments of `osteoflag phantom from-nifti`.
#[derive(Debug, clap::Args)]
#[allow(clippy::doc_markdown, reason = "help texts carry no backticks")]
pub(super) struct Arguments {
    /// NIfTI volume (.nii or .nii.gz)
    image: PathBuf,
    /// Folder for the DICOM files, made when it is missing
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,
    /// What scanner the volume comes from
    #[arg(long, value_name = "CT|MR")]
    modality: Modality,
    /// What it shows: soft, bone or lung (CT); t1, t1_contrast, t1_fatsat, t2, t2_fatsat, stir,
    /// pd, in_phase, opposed_phase, dixon_water, dixon_fat (MR). NIfTI does not say it, so the
    /// tags written are typical of what is named here [CT: soft]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Label map on the volume's grid (NIfTI or DICOM SEG); gives truth.json and labels.nii.gz
    #[arg(long, value_name = "MAP")]
    labels: Option<PathBuf>,
    /// Numbering of the labels, where it cannot be recognised: totalsegmentator, verse, spineps,
    /// count
    #[arg(long, value_name = "NUMBERING", value_parser = mask_labels)]
    mask_labels: Option<MaskLabels>,
    /// Plane of the slices: axial, sagittal, coronal [the plane of thick slices; of cubes axial
    /// for CT, sagittal for MR]
    #[arg(long, value_name = "PLANE", value_parser = plane)]
    plane: Option<Plane>,
    /// Name of the study: series of one name are one study of one patient in one frame of
    /// reference [a study of its own]
    #[arg(long, value_name = "NAME")]
    study: Option<String>,
    /// Most memory for one volume, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    max_memory: u64,
}

/// CT or MR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Modality {
    #[value(name = "CT", alias = "ct")]
    Ct,
    #[value(name = "MR", alias = "mr")]
    Mr,
}

/// A numbering of labels by its name.
pub(super) fn mask_labels(name: &str) -> Result<MaskLabels, String> {
    let known: Vec<&str> = MaskLabels::VARIANTS.iter().map(|&n| n.into()).collect();
    name.to_ascii_lowercase()
        .parse()
        .map_err(|_| format!("no numbering is named '{name}'; there are {}", known.join(", ")))
}

fn plane(name: &str) -> Result<Plane, String> {
    [Plane::Axial, Plane::Sagittal, Plane::Coronal]
        .into_iter()
        .find(|plane| plane.to_string() == name.to_ascii_lowercase())
        .ok_or_else(|| format!("no plane is named '{name}'; there are axial, sagittal, coronal"))
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let contrast = contrast(arguments)?;
    let max_bytes = arguments.max_memory.saturating_mul(1 << 20);
    let image = read_nifti(&arguments.image, max_bytes)
        .map_err(|error| Failure::usage(&error, error.hint().to_owned()))?;
    let labels = match &arguments.labels {
        Some(path) => Some(
            read_label_map(path, max_bytes)
                .map_err(|error| Failure::usage(&error, error.hint().to_owned()))?,
        ),
        None => None,
    };
    let how = FromNifti { contrast, plane: arguments.plane, study: arguments.study.clone() };
    let labels = labels.as_ref().map(|labels| (labels, arguments.mask_labels));
    let converted = convert(&image, labels, &how).map_err(|error| {
        let help = matches!(error, FromNiftiError::Labels(_))
            .then(|| "the label map must lie on the grid of the volume".to_owned());
        Failure::usage(error, help)
    })?;
    write_converted(&converted, &arguments.output)
        .map_err(|error| super::phantom::cannot_write(&error))?;
    for remark in &converted.remarks {
        output::message(quiet, remark);
    }
    let text = format!(
        "{} slices ({}) written to {}",
        converted.grid.nk(),
        converted.grid.plane(),
        arguments.output.display()
    );
    output::message(quiet, &text);
    Ok(Exit::Complete)
}

fn contrast(arguments: &Arguments) -> Result<Contrast, Failure> {
    let (prefix, roles): (&str, Vec<Role>) = match arguments.modality {
        Modality::Ct => ("ct_", vec![Role::CtSoft, Role::CtBone, Role::CtLung]),
        Modality::Mr => (
            "mr_",
            vec![
                Role::MrT1,
                Role::MrT1Contrast,
                Role::MrT1Fatsat,
                Role::MrT2,
                Role::MrT2Fatsat,
                Role::MrStir,
                Role::MrPd,
                Role::MrInPhase,
                Role::MrOpposedPhase,
                Role::MrDixonWater,
                Role::MrDixonFat,
            ],
        ),
    };
    let short = |role: Role| {
        let name: &'static str = role.into();
        name.strip_prefix(prefix).unwrap_or(name)
    };
    let named = match (&arguments.role, arguments.modality) {
        (None, Modality::Ct) => Some(Role::CtSoft),
        (None, Modality::Mr) => None,
        (Some(name), _) => {
            let lower = name.to_ascii_lowercase();
            let asked = lower.strip_prefix(prefix).unwrap_or(&lower);
            roles.iter().copied().find(|&role| short(role) == asked)
        }
    };
    let Some(role) = named else {
        let known: Vec<&str> = roles.iter().map(|&role| short(role)).collect();
        let what = match &arguments.role {
            Some(name) => format!("--role: no {prefix}role is named '{name}'"),
            None => "--role is needed for MR: NIfTI does not say what the volume shows".to_owned(),
        };
        let near = arguments.role.as_deref().and_then(|n| nearest(n, known.iter().copied()));
        let near = near.map_or(String::new(), |near| format!("is '{near}' meant? "));
        return Err(Failure::usage(what, format!("{near}there are {}", known.join(", "))));
    };
    Ok(match arguments.modality {
        Modality::Ct => Contrast::Ct(role),
        Modality::Mr => Contrast::Mr(role),
    })
}
