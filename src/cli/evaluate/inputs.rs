//! Results and truths below the paths that were given.

use std::path::{Path, PathBuf};

use crate::cli::{Failure, nearest, read_text};
use crate::evaluate::{
    MaskPair, MatchedBy, ResultKey, Scan, Truth, TruthError, TruthKey, lesions_of_labels, pair,
    parse_csv, vertebrae_of_labels,
};
use crate::findings::schema::{Choice, Findings, SCHEMA};
use crate::terms::FeatureId;
use crate::volume::{LabelMap, read_label_map};

/// Names, without extension, of files below a truth folder that are read as truth wherever they
/// lie; besides these, files named like a study or series id.
const TRUTH_STEMS: [&str; 3] = ["truth", "vertebrae", "lesions"];

/// A result with the file it came from.
pub struct LoadedResult {
    /// What pairing needs.
    pub key: ResultKey,
    /// The findings.
    pub findings: Findings,
    /// The folder of its file, where `screen --label-maps` puts masks.
    pub folder: PathBuf,
}

/// A truth with what pairing needs.
pub struct LoadedTruth {
    /// What pairing needs.
    pub key: TruthKey,
    /// The truth.
    pub truth: Truth,
    /// The label map of its vertebrae, where it came from one.
    pub labels: Option<LabelMap>,
}

/// Everything that is compared.
pub struct Inputs {
    /// Results.
    pub results: Vec<LoadedResult>,
    /// Truths.
    pub truths: Vec<LoadedTruth>,
}

/// How results and truths are brought together.
pub struct Choices<'a> {
    /// `--series`.
    pub series: Option<&'a str>,
    /// `--subset`: truths without a result are left out.
    pub subset: bool,
    /// `--max-memory`, bytes.
    pub max_bytes: u64,
}

/// What came of bringing them together.
pub struct Scans {
    /// Scans to compare.
    pub scans: Vec<Scan>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

impl Inputs {
    /// Reads both sides.
    pub fn read(
        results: &Path,
        truth: &Path,
        lesion_kind: Option<FeatureId>,
        max_bytes: u64,
    ) -> Result<Self, Failure> {
        let results = read_results(results)?;
        let known: Vec<&str> = results
            .iter()
            .flat_map(|one| one.key.series.iter().chain([&one.key.study]).map(String::as_str))
            .collect();
        let labels = Labels { lesion_kind, max_bytes };
        let truths = read_truths(truth, &known, labels)?;
        Ok(Self { results, truths })
    }

    /// Brings results and truths together.
    pub fn scans(&self, choices: &Choices<'_>) -> Result<Scans, Failure> {
        let keys: Vec<ResultKey> = self.results.iter().map(|one| one.key.clone()).collect();
        let truth_keys: Vec<TruthKey> = self.truths.iter().map(|one| one.key.clone()).collect();
        let pairing = pair(&keys, &truth_keys)
            .map_err(|error| Failure::usage(&error, error.hint().to_owned()))?;
        let mut notes = pairing.notes.clone();
        let mut joined: Vec<Joined<'_>> = Vec::new();
        for (one, found) in self.truths.iter().zip(&pairing.of_truth) {
            let (key, truth) = (&one.key, &one.truth);
            let same = joined.iter_mut().find(|other| {
                let result = |of: &Option<(usize, MatchedBy)>| of.map(|(n, _)| n);
                let series = &other.truth.series_id;
                found.is_some()
                    && result(&other.found) == result(found)
                    && (series.is_none() || truth.series_id.is_none() || *series == truth.series_id)
            });
            match same {
                Some(other) => {
                    // A label map beside a table of vertebrae gives the masks alone.
                    let mut more = truth.clone();
                    if one.labels.is_some() && other.truth.vertebrae.is_some() {
                        more.vertebrae = None;
                    } else if other.labels.is_some() && truth.vertebrae.is_some() {
                        other.truth.vertebrae = None;
                    }
                    other.labels = other.labels.or(one.labels.as_ref());
                    other.truth.join(more).map_err(|error| {
                        Failure::usage(
                            format!("{} and {}: {error}", key.path, other.name),
                            "give each once; parts in several files may add to each other"
                                .to_owned(),
                        )
                    })?;
                }
                None => joined.push(Joined {
                    name: name_of(key),
                    truth: truth.clone(),
                    labels: one.labels.as_ref(),
                    found: *found,
                }),
            }
        }
        let mut scans = Vec::new();
        for Joined { name, truth, labels, found } in joined {
            match found.and_then(|(n, by)| Some((by, self.results.get(n)?))) {
                Some((by, result)) => {
                    let series = self.checked_series(choices.series, result)?;
                    let mut scan = Scan::new(&name, truth, &result.findings, series, by);
                    scan.masks = masks(&scan, result, labels, choices.max_bytes, &mut notes)?;
                    scans.push(scan);
                }
                None if choices.subset => {
                    notes.push(format!("{name}: left out, there is no result (--subset)"));
                }
                None => scans.push(Scan::without_result(&name, truth)),
            }
        }
        for n in pairing.results_without_truth {
            if let Some(result) = self.results.get(n) {
                notes.push(format!("{}: not compared, there is no truth for it", result.key.path));
            }
        }
        Ok(Scans { scans, notes })
    }

    /// `--series` names a series of at least this or another result; where this one lacks it, its
    /// fullest is taken.
    fn checked_series<'a>(
        &self,
        series: Option<&'a str>,
        result: &LoadedResult,
    ) -> Result<Option<&'a str>, Failure> {
        let Some(series) = series else { return Ok(None) };
        if result.key.series.iter().any(|known| known == series) {
            return Ok(Some(series));
        }
        let known =
            || self.results.iter().flat_map(|one| one.key.series.iter().map(String::as_str));
        if known().any(|known| known == series) {
            return Ok(None);
        }
        Err(Failure::usage(
            format!("the findings have no series '{series}'"),
            nearest(series, known()).map(|near| format!("did you mean '{near}'?")),
        ))
    }
}

/// Truths of one series, joined.
struct Joined<'a> {
    name: String,
    truth: Truth,
    labels: Option<&'a LabelMap>,
    found: Option<(usize, MatchedBy)>,
}

/// How label maps are read.
#[derive(Clone, Copy)]
struct Labels {
    lesion_kind: Option<FeatureId>,
    max_bytes: u64,
}

/// The masks of both sides on the grid of the result's. Without masks of the result there is
/// nothing to compare, which is said.
fn masks(
    scan: &Scan,
    result: &LoadedResult,
    labels: Option<&LabelMap>,
    max_bytes: u64,
    notes: &mut Vec<String>,
) -> Result<Option<MaskPair>, Failure> {
    let (Some(labels), Some(series)) = (labels, &scan.series) else { return Ok(None) };
    let file = result.folder.join("label_maps").join(format!("{series}.nii.gz"));
    if !file.is_file() {
        notes.push(format!(
            "{}: masks are not compared, the result has none (screen --label-maps writes them)",
            scan.name
        ));
        return Ok(None);
    }
    let found = label_map(&file, max_bytes)?;
    let expected = labels.on_grid(&found.grid, "").map_err(|error| {
        Failure::usage(format!("{}: {error}", scan.name), error.hint().to_owned())
    })?;
    Ok(Some(MaskPair { grid: found.grid, found: found.labels, expected }))
}

fn label_map(file: &Path, max_bytes: u64) -> Result<LabelMap, Failure> {
    read_label_map(file, max_bytes).map_err(|error| Failure::usage(&error, error.hint().to_owned()))
}

/// The name of a truth for people: its folder where the file's own name says nothing.
fn name_of(key: &TruthKey) -> String {
    let folder = key.folders.iter().rev().find(|folder| *folder != "truth");
    match folder {
        Some(folder) if TRUTH_STEMS.contains(&key.stem.as_str()) => folder.clone(),
        _ => key.series.clone().or_else(|| key.study.clone()).unwrap_or_else(|| key.stem.clone()),
    }
}

/// Files below a folder, by path.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            Failure::usage(
                format!("{}: {error}", folder.display()),
                "give a readable folder".to_owned(),
            )
        })?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// Names of the folders between a root and a file.
fn folders_between(root: &Path, file: &Path) -> Vec<String> {
    let below = file.strip_prefix(root).unwrap_or(file).parent();
    below
        .into_iter()
        .flat_map(Path::components)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect()
}

fn missing(path: &Path) -> Failure {
    Failure::usage(
        format!("{}: no such file or folder", path.display()),
        "give a path that exists".to_owned(),
    )
}

fn read_results(path: &Path) -> Result<Vec<LoadedResult>, Failure> {
    if !path.exists() {
        return Err(missing(path));
    }
    let files = if path.is_dir() {
        let mut files = files_below(path)?;
        files.retain(|file| file.file_name().is_some_and(|name| name == "findings.json"));
        files
    } else {
        vec![path.to_owned()]
    };
    files
        .into_iter()
        .map(|file| {
            let findings: Findings = serde_json::from_str(&read_text(&file)?).map_err(|error| {
                Failure::usage(
                    format!("{}: {error}", file.display()),
                    "give a findings.json of this version of osteoflag".to_owned(),
                )
            })?;
            if findings.schema != SCHEMA {
                return Err(Failure::usage(
                    format!(
                        "{}: schema is '{}', expected '{SCHEMA}'",
                        file.display(),
                        findings.schema
                    ),
                    "screen again with this version".to_owned(),
                ));
            }
            let mut folders = Vec::new();
            if path.is_dir() {
                folders.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
                folders.extend(folders_between(path, &file));
            }
            let key = ResultKey {
                path: file.display().to_string(),
                folders,
                study: findings.study.id.clone(),
                series: findings
                    .series
                    .iter()
                    .filter(|series| series.choice == Choice::Chosen)
                    .map(|series| series.id.clone())
                    .collect(),
                vertebrae: findings.anatomy.vertebrae.len(),
            };
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            Ok(LoadedResult { key, findings, folder })
        })
        .collect()
}

fn read_truths(path: &Path, known: &[&str], labels: Labels) -> Result<Vec<LoadedTruth>, Failure> {
    if !path.exists() {
        return Err(missing(path));
    }
    if !path.is_dir() {
        let parents: Vec<&Path> = path.ancestors().skip(1).take(2).collect();
        let mut folders: Vec<String> = parents
            .iter()
            .filter_map(|parent| Some(parent.file_name()?.to_string_lossy().into_owned()))
            .collect();
        folders.reverse();
        return read_truth(path, &folders, labels);
    }
    let mut truths = Vec::new();
    for file in files_below(path)? {
        let is_truth = matches!(extension(&file).as_str(), "json" | "csv" | "nii" | "dcm");
        let stem = stem(&file);
        if lesions_are_listed_beside(&file) {
            continue;
        }
        if is_truth && (TRUTH_STEMS.contains(&stem.as_str()) || known.contains(&stem.as_str())) {
            truths.extend(read_truth(&file, &folders_between(path, &file), labels)?);
        }
    }
    Ok(truths)
}

/// Whether a file is a label map of lesions that `truth.json` beside it lists: the same lesions as
/// voxels, as `phantom insert` writes them.
fn lesions_are_listed_beside(file: &Path) -> bool {
    let is_map = stem(file) == "lesions" && matches!(extension(file).as_str(), "nii" | "dcm");
    is_map
        && read_text(&file.with_file_name("truth.json"))
            .is_ok_and(|text| Truth::parse(&text).is_ok_and(|truth| truth.lesions.is_some()))
}

/// Extension in small letters; `nii` for `.nii.gz` as well.
fn extension(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or_else(String::new, |(_, extension)| extension.to_owned())
}

/// Name without extension.
fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

fn read_truth(
    file: &Path,
    folders: &[String],
    labels: Labels,
) -> Result<Vec<LoadedTruth>, Failure> {
    let failure = |error: &TruthError| {
        Failure::usage(
            format!("{}: {error}", file.display()),
            match error {
                TruthError::LabelWithoutFeature { .. } => {
                    "give --lesion-kind FEATURE, or name the label like a feature"
                }
                _ => "docs/EVALUATION.md lists the forms of truth: JSON with vertebrae[] and lesions[], CSV, label maps",
            }
            .to_owned(),
        )
    };
    let key = |folders: &[String], truth: &Truth| TruthKey {
        path: file.display().to_string(),
        folders: folders.to_vec(),
        stem: stem(file),
        study: truth.study_id.clone(),
        series: truth.series_id.clone(),
    };
    match extension(file).as_str() {
        "csv" => {
            let rows = parse_csv(&read_text(file)?).map_err(|error| failure(&error))?;
            Ok(rows
                .into_iter()
                .map(|row| {
                    let folders: Vec<String> = folders.iter().cloned().chain(row.folder).collect();
                    LoadedTruth { key: key(&folders, &row.truth), truth: row.truth, labels: None }
                })
                .collect())
        }
        "nii" | "dcm" => {
            let map = label_map(file, labels.max_bytes)?;
            // Only a file that is called so holds lesions; all others hold vertebrae.
            if stem(file) == "lesions" {
                let truth =
                    lesions_of_labels(&map.labels, &map.grid, &map.names, labels.lesion_kind)
                        .map_err(|error| failure(&error))?;
                return Ok(vec![LoadedTruth { key: key(folders, &truth), truth, labels: None }]);
            }
            let truth = vertebrae_of_labels(&map.labels, &map.grid, &map.names);
            Ok(vec![LoadedTruth { key: key(folders, &truth), truth, labels: Some(map) }])
        }
        _ => {
            let truth = Truth::parse(&read_text(file)?).map_err(|error| failure(&error))?;
            Ok(vec![LoadedTruth { key: key(folders, &truth), truth, labels: None }])
        }
    }
}
