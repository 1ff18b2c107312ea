//! `osteoflag phantom insert SERIES -o OUT`: lesions in a real series.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use strum::IntoEnumIterator;

use super::{Exit, Failure, nearest, output, read_text};
use crate::discover::discover;
use crate::geometry::LpsPoint;
use crate::phantom::insert::{
    BodyPlace, Contrast, InsertError, InsertKind, InsertOptions, Inserted, InsertedLesion, insert,
    kinds_of, places_of_anatomy, places_of_labels, write,
};
use crate::series::{Series, Study};
use crate::terms::{Level, Role};
use crate::volume::{Image, LoadLimits, load, read_label_map};

/// Arguments of `osteoflag phantom insert`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder (or file) with one DICOM series, CT or MR, in any syntax that can be read
    #[arg(value_name = "SERIES")]
    path: PathBuf,
    /// Folder for the new series and truth.json, made when it is missing
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,
    /// Seed of everything that is drawn; the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the vertebral bodies come from: `anatomy` (found by this program), a JSON file with
    /// `vertebrae` (a truth file) or a plain list of `[x, y, z]` in LPS mm, or a label map (NIfTI or
    /// DICOM segmentation) with one label for each body
    #[arg(long, value_name = "anatomy|FILE", default_value = "anatomy")]
    bodies: String,
    /// Kinds, separated by commas, or `lesions`, `look-alikes`, `all` that the series can show
    #[arg(long, value_name = "KIND,...", default_value = "lesions", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Id of the series where the folder holds several (osteoflag series PATH lists them)
    #[arg(long, value_name = "ID")]
    series: Option<String>,
    /// What an MR series shows, where its header does not tell
    #[arg(long, value_enum)]
    contrast: Option<ContrastArgument>,
    /// Most memory for the volume, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    max_memory: u64,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ContrastArgument {
    Ct,
    T1,
    Stir,
}

impl From<ContrastArgument> for Contrast {
    fn from(argument: ContrastArgument) -> Self {
        match argument {
            ContrastArgument::Ct => Self::Ct,
            ContrastArgument::T1 => Self::MrT1,
            ContrastArgument::Stir => Self::MrFluid,
        }
    }
}

/// A file of bodies.
#[derive(Deserialize)]
#[serde(untagged)]
enum BodiesFile {
    Truth { vertebrae: Vec<BodyEntry> },
    Points(Vec<LpsPoint>),
}

#[derive(Deserialize)]
struct BodyEntry {
    level: Option<Level>,
    centroid_lps_mm: LpsPoint,
    #[serde(default = "whole")]
    fraction_in_view: f64,
}

fn whole() -> f64 {
    1.0
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let discovered = discover(&arguments.path)
        .map_err(|error| Failure::usage(error, "give a folder or file that exists".to_owned()))?;
    let intake = crate::series::read(&discovered.files, &|_| {});
    let (study, series) = choose(&intake.studies, arguments.series.as_deref())?;
    let contrast = match arguments.contrast {
        Some(contrast) => contrast.into(),
        None => contrast_of(series)?,
    };
    let kinds = kinds(&arguments.kinds, contrast)?;
    let limits = LoadLimits { max_bytes: arguments.max_memory.saturating_mul(1 << 20) };
    let loaded = load(series, &limits).map_err(|error| Failure {
        exit: Exit::Partly,
        what: error.to_string(),
        help: None,
    })?;
    let places = bodies(&arguments.bodies, series, &loaded.image, limits)?;
    let from_file = arguments.bodies != "anatomy";
    let options = InsertOptions {
        seed: arguments.seed,
        kinds,
        contrast,
        bodies_from: if from_file {
            "a list of centres or a label map"
        } else {
            "the tool's own anatomy"
        }
        .to_owned(),
    };
    let inserted =
        insert(study, series, &loaded.image, &places, &options).map_err(|error| failure(&error))?;
    let (written, left_out) =
        write(study, series, &inserted, &arguments.output).map_err(|error| failure(&error))?;
    output::result(&summary(&inserted));
    let folder = arguments.output.display();
    output::message(quiet, &format!("{written} slices and truth.json in {folder}"));
    if left_out > 0 {
        output::message(quiet, &format!("{left_out} slices without readable pixels left out"));
    }
    Ok(Exit::Complete)
}

fn failure(error: &InsertError) -> Failure {
    let exit = match error {
        InsertError::Write { .. } => Exit::Output,
        InsertError::Source { .. } => Exit::Partly,
        _ => Exit::Usage,
    };
    Failure { exit, what: error.to_string(), help: None }
}

/// The series asked for, or the only one that can be a volume.
fn choose<'a>(
    studies: &'a [Study],
    wanted: Option<&str>,
) -> Result<(&'a Study, &'a Series), Failure> {
    let all = || studies.iter().flat_map(|study| study.series.iter().map(move |s| (study, s)));
    if let Some(wanted) = wanted {
        return all().find(|(_, series)| series.id.0 == wanted).ok_or_else(|| {
            Failure::usage(
                format!("no series has the id {wanted}"),
                "osteoflag series PATH lists the ids".to_owned(),
            )
        });
    }
    let volumes: Vec<_> = all().filter(|(_, series)| series.not_a_volume.is_none()).collect();
    match volumes.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure {
            exit: Exit::NothingToScreen,
            what: "no CT or MR series that could be a volume".to_owned(),
            help: Some("osteoflag series PATH says what each file is".to_owned()),
        }),
        several => {
            let ids: Vec<&str> = several.iter().map(|(_, series)| series.id.0.as_str()).collect();
            Err(Failure::usage(
                format!("{} series could be meant: {}", several.len(), ids.join(", ")),
                "name one with --series".to_owned(),
            ))
        }
    }
}

/// What a series shows, by its header.
fn contrast_of(series: &Series) -> Result<Contrast, Failure> {
    match crate::role::assess(series).role {
        Role::CtBone | Role::CtSoft | Role::CtLung => Ok(Contrast::Ct),
        Role::MrT1 => Ok(Contrast::MrT1),
        Role::MrStir | Role::MrT2Fatsat => Ok(Contrast::MrFluid),
        other => Err(Failure::usage(
            format!("the series shows {other}: lesions can be put into CT, T1 and STIR"),
            "where the header does not tell, give --contrast ct, t1 or stir".to_owned(),
        )),
    }
}

fn kinds(names: &[String], contrast: Contrast) -> Result<Vec<InsertKind>, Failure> {
    let mut kinds = Vec::new();
    for name in names {
        match name.as_str() {
            "lesions" => kinds.extend(kinds_of(contrast, false)),
            "look-alikes" => kinds.extend(kinds_of(contrast, true)),
            "all" => {
                kinds.extend(kinds_of(contrast, false));
                kinds.extend(kinds_of(contrast, true));
            }
            name => kinds.push(InsertKind::from_str(name).map_err(|_| {
                let all: Vec<String> = InsertKind::iter().map(|kind| kind.to_string()).collect();
                let near = nearest(name, all.iter().map(String::as_str)).unwrap_or_default();
                Failure::usage(
                    format!("no kind is named '{name}'"),
                    format!("is '{near}' meant? There are: {}", all.join(", ")),
                )
            })?),
        }
    }
    Ok(kinds)
}

/// The bodies of a file, or of the tool's own anatomy.
fn bodies(
    from: &str,
    series: &Series,
    image: &Image,
    limits: LoadLimits,
) -> Result<Vec<BodyPlace>, Failure> {
    if from == "anatomy" {
        let anatomy = match image {
            Image::Ct(volume) => crate::anatomy::ct::find(volume),
            Image::Mr { .. } => crate::anatomy::mr::find(image),
        };
        return Ok(places_of_anatomy(&anatomy));
    }
    let path = Path::new(from);
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        let map = read_label_map(path, limits.max_bytes).map_err(|error| {
            Failure::usage(error, "give `anatomy`, a .json file or a label map".to_owned())
        })?;
        // A map of other voxels is a map of another series.
        map.on_grid(&series.grid, &series.frame_of_reference_uid)
            .map_err(|error| Failure::usage(format!("{from}: {error}"), None))?;
        return Ok(places_of_labels(&map));
    }
    let file: BodiesFile = serde_json::from_str(&read_text(path)?).map_err(|error| {
        Failure::usage(
            format!("{from}: {error}"),
            "a truth file with `vertebrae`, or a list of [x, y, z] in LPS mm".to_owned(),
        )
    })?;
    let place = |level, centroid, fraction_in_view| BodyPlace {
        level,
        centroid,
        fraction_in_view,
        surface: None,
    };
    Ok(match file {
        BodiesFile::Truth { vertebrae } => vertebrae
            .into_iter()
            .map(|entry| place(entry.level, entry.centroid_lps_mm, entry.fraction_in_view))
            .collect(),
        BodiesFile::Points(points) => {
            points.into_iter().map(|point| place(None, point, 1.0)).collect()
        }
    })
}

/// What was drawn, one line each: nobody needs to open a file to see how loud the lesions are.
fn summary(inserted: &Inserted) -> String {
    let truth = &inserted.truth;
    let mut lines = vec![format!(
        "seed {}, {} lesions, {} look-alikes, {} usable bodies untouched; blur {} mm in plane, {} mm slices",
        truth.seed,
        truth.lesions.len(),
        truth.look_alikes.len(),
        truth.untouched.len(),
        truth.in_plane_sigma_mm,
        truth.slice_thickness_mm
    )];
    for (kind, range) in &truth.drawn_from {
        lines.push(format!("drawn from: {kind}: {range}"));
    }
    let line = |lesion: &InsertedLesion| {
        let level = lesion.level.map_or_else(|| "level ?".to_owned(), |level| level.to_string());
        let place: [f64; 3] = lesion.centroid_lps_mm.into();
        format!(
            "body {} ({level}): {} {} {}, {:.2} ml at {place:?}",
            lesion.vertebra_index,
            lesion.kind,
            lesion.contrast,
            lesion.contrast_unit,
            lesion.volume_mm3 / 1000.0,
        )
    };
    lines.extend(truth.lesions.iter().map(line));
    lines.extend(truth.look_alikes.iter().map(|lesion| format!("look-alike: {}", line(lesion))));
    lines.extend(truth.not_placed.iter().map(|refused| {
        format!(
            "body {}: {} could not be placed ({}), left untouched",
            refused.vertebra_index, refused.kind, refused.why
        )
    }));
    lines.join("\n")
}
