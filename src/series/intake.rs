//! From candidate files to studies.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::digest::{content_pseudonym, slice_digest, uid_pseudonym};
use super::header::{Opened, read_header};
use super::measure::measure;
use super::model::{Series, SeriesId, Slice, Study, StudyId};
use super::record::{FileContent, SliceRecord, slices_of};
use super::source::{ByteSource, FileSource};
use super::stacks::{Stack, split_into_stacks};
use crate::discover::{CandidateFile, archive_kind};
use crate::geometry::LpsPoint;
use crate::problem::{Problem, ProblemCode, Severity};

/// What became of all files.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// Studies, ordered by id.
    pub studies: Vec<Study>,
    /// One record for each file given, in the order given.
    pub files: Vec<FileRecord>,
    /// Problems of no single file or study.
    pub problems: Vec<Problem>,
}

/// What became of one file.
#[derive(Clone, Debug)]
pub struct FileRecord {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is.
    pub outcome: FileOutcome,
}

/// What a file is.
#[derive(Clone, Debug)]
pub enum FileOutcome {
    /// CT or MR; the series (or the first of several) that its slices went to.
    Image(SeriesId),
    /// DICOM, but no CT or MR image: nothing is lost.
    NotAnImage(Problem),
    /// Not DICOM; an archive that was not opened is a warning, all else a note.
    NotDicom(Problem),
    /// Should be an image and could not be read, wholly or in part. A slice whose pixels end early
    /// still stands in its series, so that the geometry is right, and is masked when loaded.
    Failed(Problem),
}

/// Reads the headers of all files in parallel, up to their pixel data, and groups them into
/// studies, series and stacks.
///
/// `progress` is called after each file with the number of files done so far. The result does not
/// depend on the order or names of the files, but for [`Intake::files`] and paths.
pub fn read(files: &[CandidateFile], progress: &(dyn Fn(usize) + Sync)) -> Intake {
    let done = AtomicUsize::new(0);
    let contents: Vec<Read> = files
        .par_iter()
        .enumerate()
        .map(|(n, file)| {
            let content = read_file_contained(n, &file.path);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            content
        })
        .collect();
    let mut records = Vec::new();
    let mut outcomes: Vec<Option<FileOutcome>> = Vec::with_capacity(files.len());
    for content in contents {
        outcomes.push(match content {
            Read::Slices(slices, problem) => {
                records.extend(slices);
                problem.map(FileOutcome::Failed)
            }
            Read::Other(outcome) => Some(outcome),
        });
    }
    let (studies, homes) = group_into_studies(records);
    let files = files
        .iter()
        .zip(outcomes)
        .enumerate()
        .map(|(n, (file, outcome))| {
            let outcome = outcome.or_else(|| homes.get(&n).cloned().map(FileOutcome::Image));
            FileRecord {
                path: file.path.clone(),
                // Each file without another outcome gave slices, and each slice has its series.
                outcome: outcome.unwrap_or_else(|| {
                    FileOutcome::Failed(Problem::new(
                        ProblemCode::DamagedHeader,
                        Severity::Blocks,
                        "no frame of the file could be placed in a series",
                    ))
                }),
            }
        })
        .collect();
    Intake { studies, files, problems: Vec::new() }
}

enum Read {
    Slices(Vec<SliceRecord>, Option<Problem>),
    Other(FileOutcome),
}

/// A panic in the reading of one file is that file's problem.
fn read_file_contained(n: usize, path: &Path) -> Read {
    catch_unwind(AssertUnwindSafe(|| read_file(n, path))).unwrap_or_else(|_| {
        Read::Other(FileOutcome::Failed(
            Problem::new(
                ProblemCode::DamagedHeader,
                Severity::Blocks,
                "reading the header broke off; this is a bug, please report the file if it may be shared",
            )
            .with_file(path),
        ))
    })
}

fn read_file(n: usize, path: &Path) -> Read {
    let opened = FileSource::open(path).and_then(|mut source| {
        let opened = read_header(&mut source)?;
        Ok((source.known_len().unwrap_or(0), opened))
    });
    match opened {
        Err(error) => Read::Other(FileOutcome::Failed(
            Problem::new(
                ProblemCode::UnreadableFile,
                Severity::Blocks,
                format!("the file could not be read: {}", error.kind()),
            )
            .with_file(path),
        )),
        Ok((_, Opened::NotDicom(head))) => {
            Read::Other(FileOutcome::NotDicom(not_dicom(&head).with_file(path)))
        }
        Ok((len, Opened::Dicom(header))) => match slices_of(n, path, len, &header) {
            FileContent::Slices(slices, problem) => Read::Slices(slices, problem),
            FileContent::NotAnImage(problem) => Read::Other(FileOutcome::NotAnImage(problem)),
            FileContent::Failed(problem) => Read::Other(FileOutcome::Failed(problem)),
        },
    }
}

fn not_dicom(head: &[u8]) -> Problem {
    match archive_kind(head) {
        Some(kind) => Problem::new(
            ProblemCode::ArchiveNotOpened,
            Severity::Warning,
            format!("a {kind} archive; what it holds was not looked at"),
        ),
        None if head.is_empty() => {
            Problem::new(ProblemCode::NotDicom, Severity::Note, "an empty file")
        }
        None => Problem::new(ProblemCode::NotDicom, Severity::Note, "not a DICOM file"),
    }
}

/// Digits and dots, as the standard asks; an empty or other text is no key.
fn is_valid_uid(uid: &str) -> bool {
    !uid.is_empty() && uid.len() <= 64 && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Groups slices; also gives for each file the series of its first slice.
fn group_into_studies(records: Vec<SliceRecord>) -> (Vec<Study>, BTreeMap<usize, SeriesId>) {
    let mut groups: BTreeMap<(String, String, String), Vec<SliceRecord>> = BTreeMap::new();
    for record in records {
        let info = &record.info;
        let uid = &info.study_instance_uid;
        let key = if is_valid_uid(uid) {
            (uid.clone(), info.patient_id.clone(), String::new())
        } else if info.patient_id.is_empty() {
            // Nothing names patient or study: slices of one frame of reference belong together.
            (String::new(), String::new(), info.frame_of_reference_uid.clone())
        } else {
            (String::new(), info.patient_id.clone(), String::new())
        };
        groups.entry(key).or_default().push(record);
    }
    adopt_slices_without_patient(&mut groups);
    let mut sharing: BTreeMap<String, usize> = BTreeMap::new();
    for (uid, _, _) in groups.keys().filter(|key| !key.0.is_empty()) {
        *sharing.entry(uid.clone()).or_default() += 1;
    }
    let mut studies = Vec::new();
    let mut homes = BTreeMap::new();
    let mut built: Vec<(String, Study, BTreeMap<usize, SeriesId>)> = groups
        .into_iter()
        .map(|((uid, patient_id, _), records)| {
            let base = if uid.is_empty() {
                content_pseudonym(&mut digests(&records))
            } else {
                uid_pseudonym(&uid)
            };
            let mut problems = Vec::new();
            if uid.is_empty() {
                problems.push(Problem::new(
                    ProblemCode::SeriesUidMissing,
                    Severity::Warning,
                    "StudyInstanceUID is empty or invalid; slices were put together by patient or frame of reference",
                ));
            }
            if sharing.get(&uid).is_some_and(|&n| n > 1) {
                problems.push(Problem::new(
                    ProblemCode::StudyUidSharedByPatients,
                    Severity::Warning,
                    "several patients share this StudyInstanceUID; each is a study of its own",
                ));
            }
            let (series, homes) = group_into_series(records);
            problems.extend(frames_of_reference_differ(&series));
            let study = Study {
                id: StudyId(base.clone()),
                study_instance_uid: uid,
                patient_id,
                series,
                problems,
            };
            (base, study, homes)
        })
        .collect();
    // Groups come ordered by UID and patient, so that further studies of one id are numbered by
    // what the headers say.
    built.sort_by(|a, b| (&a.0, &a.1.patient_id).cmp(&(&b.0, &b.1.patient_id)));
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for (base, mut study, study_homes) in built {
        let n = numbers.entry(base.clone()).or_default();
        *n += 1;
        if *n > 1 {
            study.id = StudyId(format!("{base}-{n}"));
        }
        studies.push(study);
        homes.extend(study_homes);
    }
    studies.sort_by(|a, b| a.id.cmp(&b.id));
    (studies, homes)
}

/// Slices that lack `PatientID` join the one patient of the same study, if there is just one.
fn adopt_slices_without_patient(groups: &mut BTreeMap<(String, String, String), Vec<SliceRecord>>) {
    let orphans: Vec<_> = groups
        .keys()
        .filter(|(uid, patient, _)| !uid.is_empty() && patient.is_empty())
        .cloned()
        .collect();
    for orphan in orphans {
        let mut hosts = groups.keys().filter(|key| key.0 == orphan.0 && **key != orphan);
        if let (Some(host), None) = (hosts.next().cloned(), hosts.next()) {
            let slices = groups.remove(&orphan).unwrap_or_default();
            groups.entry(host).or_default().extend(slices);
        }
    }
}

fn digests(records: &[SliceRecord]) -> Vec<super::digest::Sha> {
    records.par_iter().map(slice_digest).collect()
}

fn group_into_series(records: Vec<SliceRecord>) -> (Vec<Series>, BTreeMap<usize, SeriesId>) {
    let mut groups: BTreeMap<[String; 4], Vec<SliceRecord>> = BTreeMap::new();
    for record in records {
        let info = &record.info;
        let key = if is_valid_uid(&info.series_instance_uid) {
            [info.series_instance_uid.clone(), String::new(), String::new(), String::new()]
        } else {
            // Geometry splits later; this is what could tell series apart without it.
            [
                String::new(),
                info.frame_of_reference_uid.clone(),
                info.kind.to_string(),
                format!("{:?}", record.keys.acquisition_number),
            ]
        };
        groups.entry(key).or_default().push(record);
    }
    let mut all: Vec<Series> = Vec::new();
    let mut homes = BTreeMap::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for ([uid, ..], records) in groups {
        let base = if uid.is_empty() {
            content_pseudonym(&mut digests(&records))
        } else {
            uid_pseudonym(&uid)
        };
        let mut problems = series_problems(&uid, &records);
        let stacks = split_into_stacks(records);
        if stacks.len() > 1 {
            problems.push(
                Problem::new(
                    ProblemCode::SeriesSplit,
                    Severity::Note,
                    format!("the series holds {} stacks; each is treated by itself", stacks.len()),
                )
                .with_number("stacks", stacks.len() as f64),
            );
        }
        for stack in stacks {
            let n = numbers.entry(base.clone()).or_default();
            *n += 1;
            let id = SeriesId(if *n > 1 { format!("{base}-{n}") } else { base.clone() });
            for slice in stack.slices.iter().chain(&stack.duplicates) {
                homes.entry(slice.info.file).or_insert_with(|| id.clone());
            }
            all.extend(series(id, &uid, stack, &problems));
        }
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    (all, homes)
}

/// Problems of a series before it is split.
fn series_problems(uid: &str, records: &[SliceRecord]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if uid.is_empty() {
        problems.push(Problem::new(
            ProblemCode::SeriesUidMissing,
            Severity::Warning,
            "SeriesInstanceUID is empty or invalid; slices were put together by frame of reference, modality, acquisition and geometry",
        ));
    }
    let missing = records.iter().filter(|record| record.info.modality_missing).count();
    if missing > 0 {
        problems.push(
            Problem::new(
                ProblemCode::ModalityMissing,
                Severity::Note,
                "Modality is missing; the SOP class tells CT or MR",
            )
            .with_number("slices", missing as f64),
        );
    }
    let mut files: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.info.sop_instance_uid.is_empty()) {
        files.entry(&record.info.sop_instance_uid).or_default().insert(record.info.file);
    }
    let repeated: usize = files.values().map(|files| files.len() - 1).sum();
    if repeated > 0 {
        problems.push(
            Problem::new(
                ProblemCode::RepeatedSopInstanceUid,
                Severity::Note,
                format!("{repeated} images repeat the SOPInstanceUID of another"),
            )
            .with_number("images", repeated as f64),
        );
    }
    problems
}

fn series(id: SeriesId, uid: &str, stack: Stack, problems: &[Problem]) -> Option<Series> {
    let measured = measure(&stack.slices);
    let first = stack.slices.first()?;
    let mut all = problems.to_vec();
    all.extend(stack.problems);
    all.extend(measured.problems);
    let lossy = stack.slices.iter().filter(|slice| slice.info.lossy).count();
    if lossy > 0 {
        all.push(
            Problem::new(
                ProblemCode::LossyCompression,
                Severity::Warning,
                format!("{lossy} of {} slices were compressed with loss", stack.slices.len()),
            )
            .with_number("slices", lossy as f64),
        );
    }
    Some(Series {
        id,
        series_instance_uid: uid.to_owned(),
        frame_of_reference_uid: first.info.frame_of_reference_uid.clone(),
        tags: (*first.tags).clone(),
        slices: stack.slices.iter().map(slice).collect(),
        grid: measured.grid,
        problems: all,
        not_a_volume: measured.not_a_volume,
    })
}

fn slice(record: &SliceRecord) -> Slice {
    let info = &record.info;
    Slice {
        source: record.source.clone(),
        position: LpsPoint::from(record.position.unwrap_or_default()),
        transfer_syntax_uid: info.transfer_syntax_uid.clone(),
        layout: info.layout,
        rescale_slope: record.rescale_slope,
        rescale_intercept: record.rescale_intercept,
        pixel_padding_value: info.pixel_padding_value,
        pixel_padding_range_limit: info.pixel_padding_range_limit,
    }
}

/// Whether the volumes of a study lie in different frames of reference.
fn frames_of_reference_differ(series: &[Series]) -> Option<Problem> {
    let frames: BTreeSet<&str> = series
        .iter()
        .filter(|series| series.not_a_volume.is_none())
        .map(|series| series.frame_of_reference_uid.as_str())
        .collect();
    (frames.len() > 1).then(|| {
        Problem::new(
            ProblemCode::FrameOfReferenceDiffers,
            Severity::Note,
            format!("the volumes of the study lie in {} frames of reference", frames.len()),
        )
        .with_number("frames_of_reference", frames.len() as f64)
    })
}
