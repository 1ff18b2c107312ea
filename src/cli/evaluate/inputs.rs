//! Results and truths below the paths that were given.

use std::path::{Path, PathBuf};

use crate::cli::{Failure, nearest, read_text};
use crate::evaluate::{MatchedBy, ResultKey, Scan, Truth, TruthError, TruthKey, pair, parse_csv};
use crate::findings::schema::{Choice, Findings, SCHEMA};

/// Names, without extension, of files below a truth folder that are read as truth wherever they
/// lie; besides these, files named like a study or series id.
const TRUTH_STEMS: [&str; 3] = ["truth", "vertebrae", "lesions"];

/// A result with the file it came from.
pub struct LoadedResult {
    /// What pairing needs.
    pub key: ResultKey,
    /// The findings.
    pub findings: Findings,
}

/// Everything that is compared.
pub struct Inputs {
    /// Results.
    pub results: Vec<LoadedResult>,
    /// Truths, each with what pairing needs.
    pub truths: Vec<(TruthKey, Truth)>,
}

/// How results and truths are brought together.
pub struct Choices<'a> {
    /// `--series`.
    pub series: Option<&'a str>,
    /// `--subset`: truths without a result are left out.
    pub subset: bool,
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
    pub fn read(results: &Path, truth: &Path) -> Result<Self, Failure> {
        let results = read_results(results)?;
        let known: Vec<&str> = results
            .iter()
            .flat_map(|one| one.key.series.iter().chain([&one.key.study]).map(String::as_str))
            .collect();
        let truths = read_truths(truth, &known)?;
        Ok(Self { results, truths })
    }

    /// Brings results and truths together.
    pub fn scans(&self, choices: &Choices<'_>) -> Result<Scans, Failure> {
        let keys: Vec<ResultKey> = self.results.iter().map(|one| one.key.clone()).collect();
        let truth_keys: Vec<TruthKey> = self.truths.iter().map(|(key, _)| key.clone()).collect();
        let pairing = pair(&keys, &truth_keys)
            .map_err(|error| Failure::usage(&error, error.hint().to_owned()))?;
        let mut notes = pairing.notes.clone();
        let mut joined: Vec<(String, Truth, Option<(usize, MatchedBy)>)> = Vec::new();
        for ((key, truth), found) in self.truths.iter().zip(&pairing.of_truth) {
            let same = joined.iter_mut().find(|(_, other, of)| {
                let result = |of: &Option<(usize, MatchedBy)>| of.map(|(n, _)| n);
                found.is_some()
                    && result(of) == result(found)
                    && (other.series_id.is_none()
                        || truth.series_id.is_none()
                        || other.series_id == truth.series_id)
            });
            match same {
                Some((name, other, _)) => other.join(truth.clone()).map_err(|error| {
                    Failure::usage(
                        format!("{} and {name}: {error}", key.path),
                        "give each once; parts in several files may add to each other".to_owned(),
                    )
                })?,
                None => joined.push((name_of(key), truth.clone(), *found)),
            }
        }
        let mut scans = Vec::new();
        for (name, truth, found) in joined {
            match found.and_then(|(n, by)| Some((by, self.results.get(n)?))) {
                Some((by, result)) => {
                    let series = self.checked_series(choices.series, result)?;
                    scans.push(Scan::new(&name, truth, &result.findings, series, by));
                }
                None if choices.subset => {
                    notes.push(format!("{name}: left out, there is no result (--subset)"));
                }
                None => {
                    scans.push(Scan::without_result(&name, truth));
                }
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
            Ok(LoadedResult { key, findings })
        })
        .collect()
}

fn read_truths(path: &Path, known: &[&str]) -> Result<Vec<(TruthKey, Truth)>, Failure> {
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
        return read_truth(path, folders);
    }
    let mut truths = Vec::new();
    for file in files_below(path)? {
        let is_truth = matches!(extension(&file).as_str(), "json" | "csv");
        let stem = stem(&file);
        if is_truth && (TRUTH_STEMS.contains(&stem.as_str()) || known.contains(&stem.as_str())) {
            truths.extend(read_truth(&file, folders_between(path, &file))?);
        }
    }
    Ok(truths)
}

fn extension(file: &Path) -> String {
    file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_truth(file: &Path, folders: Vec<String>) -> Result<Vec<(TruthKey, Truth)>, Failure> {
    let failure = |error: &TruthError| {
        Failure::usage(
            format!("{}: {error}", file.display()),
            "docs/EVALUATION.md lists the forms of truth: JSON with vertebrae[] and lesions[], or CSV"
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
    let text = read_text(file)?;
    if extension(file) == "csv" {
        let rows = parse_csv(&text).map_err(|error| failure(&error))?;
        return Ok(rows
            .into_iter()
            .map(|row| {
                let folders: Vec<String> = folders.iter().cloned().chain(row.folder).collect();
                (key(&folders, &row.truth), row.truth)
            })
            .collect());
    }
    let truth = Truth::parse(&text).map_err(|error| failure(&error))?;
    Ok(vec![(key(&folders, &truth), truth)])
}
