//! Which truth belongs to which result.
//!
//! In this order: the series or study id that the truth names, a truth file named like a study or
//! series id, a folder of the same name above both (the deepest first), and where there is one of
//! each, those two. A truth that names an id is never given to a result with another one.

use super::scan::MatchedBy;

/// A result, as far as pairing cares.
#[derive(Clone, Debug, Default)]
pub struct ResultKey {
    /// Its path, for messages.
    pub path: String,
    /// Folders above its file, below the folder that was given, outermost first; or all of them
    /// where a file was given.
    pub folders: Vec<String>,
    /// Study id.
    pub study: String,
    /// Ids of its series.
    pub series: Vec<String>,
    /// Number of vertebrae found.
    pub vertebrae: usize,
}

/// A truth, as far as pairing cares.
#[derive(Clone, Debug, Default)]
pub struct TruthKey {
    /// Its path, for messages.
    pub path: String,
    /// Folders above its file, outermost first; the folder that a table names, last.
    pub folders: Vec<String>,
    /// Name of its file without extension.
    pub stem: String,
    /// Study id that it names.
    pub study: Option<String>,
    /// Series id that it names.
    pub series: Option<String>,
}

/// What belongs together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// For each truth its result.
    pub of_truth: Vec<Option<(usize, MatchedBy)>>,
    /// Results that no truth belongs to.
    pub results_without_truth: Vec<usize>,
    /// Choices that a reader must know.
    pub notes: Vec<String>,
}

/// Why truths and results cannot be brought together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingError {
    /// Nothing to compare with.
    #[error("there is no truth")]
    NoTruth,
    /// Nothing to compare.
    #[error("there is no result")]
    NoResult,
    /// Not one pair.
    #[error("{truth}: the truth is of {of}; the results are of {known}")]
    AnotherStudy {
        /// The truth's path.
        truth: String,
        /// What it is of.
        of: String,
        /// What the results are of.
        known: String,
    },
    /// The study is there, the series is not.
    #[error("{truth}: the truth is of series {series}; study {study} has {known}")]
    AnotherSeries {
        /// The truth's path.
        truth: String,
        /// Series it is of.
        series: String,
        /// Its study.
        study: String,
        /// Series of that study.
        known: String,
    },
    /// One truth without an id, many results.
    #[error("{truth}: the truth names no study and no folder, and there are {results} results")]
    Ambiguous {
        /// The truth's path.
        truth: String,
        /// Results.
        results: usize,
    },
    /// Two results of the study that a truth names.
    #[error("{truth}: {first} and {second} are results of the same study")]
    SameStudyTwice {
        /// The truth's path.
        truth: String,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
}

impl PairingError {
    /// What to do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoTruth => {
                "give truth.json, vertebrae.json, vertebrae.csv or lesions.csv, or files named like the study"
            }
            Self::NoResult => "give a findings.json or an output folder of osteoflag screen",
            Self::AnotherStudy { .. } | Self::AnotherSeries { .. } => {
                "give the truth of these results; study_id and series_id in the truth are those of findings.json"
            }
            Self::Ambiguous { .. } => {
                "give one result, add study_id to the truth, or name folders of truth and results alike"
            }
            Self::SameStudyTwice { .. } => "give one of the two results",
        }
    }
}

/// Brings truths and results together.
///
/// # Errors
/// When either list is empty, no truth belongs to any result, a truth names a series that its
/// study does not have, or a truth fits several results equally well.
pub fn pair(results: &[ResultKey], truths: &[TruthKey]) -> Result<Pairing, PairingError> {
    if results.is_empty() {
        return Err(PairingError::NoResult);
    }
    if truths.is_empty() {
        return Err(PairingError::NoTruth);
    }
    let mut pairing = Pairing::default();
    for truth in truths {
        let found = one(results, truth, truths.len(), &mut pairing.notes)?;
        pairing.of_truth.push(found);
    }
    if let (Some(first), true) = (truths.first(), pairing.of_truth.iter().all(Option::is_none)) {
        let of = match (&first.series, &first.study) {
            (Some(series), _) => format!("series {series}"),
            (None, Some(study)) => format!("study {study}"),
            (None, None) if truths.len() == 1 => {
                return Err(PairingError::Ambiguous {
                    truth: first.path.clone(),
                    results: results.len(),
                });
            }
            (None, None) => "no study that it names and no folder of the results' names".to_owned(),
        };
        let mut known: Vec<&str> = results.iter().map(|result| result.study.as_str()).collect();
        known.truncate(3);
        let more = if results.len() > 3 { " and others" } else { "" };
        return Err(PairingError::AnotherStudy {
            truth: first.path.clone(),
            of,
            known: format!("study {}{more}", known.join(", ")),
        });
    }
    pairing.results_without_truth = (0..results.len())
        .filter(|n| !pairing.of_truth.iter().flatten().any(|(given, _)| given == n))
        .collect();
    Ok(pairing)
}

fn one(
    results: &[ResultKey],
    truth: &TruthKey,
    truths: usize,
    notes: &mut Vec<String>,
) -> Result<Option<(usize, MatchedBy)>, PairingError> {
    let all: Vec<usize> = (0..results.len()).collect();
    let keep = |list: &[usize], fits: &dyn Fn(&ResultKey) -> bool| -> Vec<usize> {
        list.iter().copied().filter(|&n| fits(&results[n])).collect()
    };
    if truth.study.is_some() || truth.series.is_some() {
        let mut left = all;
        let mut by = MatchedBy::StudyId;
        if let Some(study) = &truth.study {
            left = keep(&left, &|result| result.study == *study);
        }
        if let Some(series) = &truth.series {
            let with_series = keep(&left, &|result| result.series.contains(series));
            if let (true, Some(study), Some(&n)) =
                (with_series.is_empty(), &truth.study, left.first())
            {
                return Err(PairingError::AnotherSeries {
                    truth: truth.path.clone(),
                    series: series.clone(),
                    study: study.clone(),
                    known: match results[n].series.as_slice() {
                        [] => "none".to_owned(),
                        known => known.join(", "),
                    },
                });
            }
            left = with_series;
            by = MatchedBy::SeriesId;
        }
        if left.len() > 1 {
            let alike = keep(&left, &|result| shares_folder(result, truth).is_some());
            left = if alike.len() == 1 { alike } else { left };
        }
        return match left.as_slice() {
            [] => Ok(None),
            [n] => Ok(Some((*n, by))),
            [first, second, ..] => Err(PairingError::SameStudyTwice {
                truth: truth.path.clone(),
                first: results[*first].path.clone(),
                second: results[*second].path.clone(),
            }),
        };
    }
    let named = keep(&all, &|r| r.study == truth.stem || r.series.contains(&truth.stem));
    if let [n] = named.as_slice() {
        return Ok(Some((*n, MatchedBy::FileName)));
    }
    let deepest = all.iter().filter_map(|&n| shares_folder(&results[n], truth)).max();
    let alike = keep(&all, &|result| deepest.is_some() && shares_folder(result, truth) == deepest);
    if let [n] = alike.as_slice() {
        return Ok(Some((*n, MatchedBy::FolderName)));
    }
    if let Some(&most) = alike.iter().max_by(|&&a, &&b| {
        let (a_key, b_key) = (&results[a], &results[b]);
        a_key.vertebrae.cmp(&b_key.vertebrae).then_with(|| b_key.study.cmp(&a_key.study))
    }) {
        notes.push(format!(
            "{}: {} results lie in its folder; the one with the most vertebrae (study {}) is compared",
            truth.path,
            alike.len(),
            results[most].study
        ));
        return Ok(Some((most, MatchedBy::FolderName)));
    }
    Ok((results.len() == 1 && truths == 1).then_some((0, MatchedBy::OnlyOne)))
}

/// Place of the deepest folder of the truth that a result lies in too. Folders called `truth`,
/// which say nothing, are passed over.
fn shares_folder(result: &ResultKey, truth: &TruthKey) -> Option<usize> {
    (0..truth.folders.len())
        .rev()
        .find(|&n| truth.folders[n] != "truth" && result.folders.contains(&truth.folders[n]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(folder: &str, study: &str) -> ResultKey {
        ResultKey {
            path: format!("{folder}/{study}"),
            folders: vec![folder.into(), study.into()],
            study: study.into(),
            series: vec![format!("{study}s")],
            vertebrae: 3,
        }
    }

    fn truth(folder: &str) -> TruthKey {
        TruthKey {
            path: format!("{folder}/truth.json"),
            folders: vec!["ct".into(), folder.into(), "truth".into()],
            stem: "truth".into(),
            ..TruthKey::default()
        }
    }

    #[test]
    fn ids_go_before_file_names_and_these_before_folders() {
        let results = [result("a", "1"), result("b", "2"), result("c", "3")];
        let by_series = TruthKey { series: Some("3s".into()), ..truth("a") };
        let by_study = TruthKey { study: Some("2".into()), ..truth("a") };
        let by_file = TruthKey { stem: "3".into(), ..truth("x") };
        let by_folder = truth("b");
        let found = |truth: TruthKey| pair(&results, &[truth]).unwrap().of_truth[0];
        assert_eq!(found(by_series), Some((2, MatchedBy::SeriesId)));
        assert_eq!(found(by_study), Some((1, MatchedBy::StudyId)));
        assert_eq!(found(by_file), Some((2, MatchedBy::FileName)));
        assert_eq!(found(by_folder), Some((1, MatchedBy::FolderName)));
    }

    #[test]
    fn truth_of_another_study_or_series_is_an_error_that_names_both() {
        let results = [result("a", "1")];
        let other = TruthKey { study: Some("9".into()), ..truth("a") };
        let error = pair(&results, &[other]).unwrap_err().to_string();
        assert!(error.contains("study 9") && error.contains("study 1"), "{error}");
        let other = TruthKey { study: Some("1".into()), series: Some("7s".into()), ..truth("a") };
        let error = pair(&results, &[other]).unwrap_err().to_string();
        assert!(error.contains("series 7s") && error.contains("1s"), "{error}");
    }

    #[test]
    fn one_of_each_belongs_together_and_one_truth_for_many_results_does_not() {
        let lone = pair(&[result("a", "1")], &[truth("x")]).unwrap();
        assert_eq!(lone.of_truth, [Some((0, MatchedBy::OnlyOne))]);
        let two = [result("a", "1"), result("b", "2")];
        assert!(matches!(
            pair(&two, &[truth("x")]),
            Err(PairingError::Ambiguous { results: 2, .. })
        ));
        let cohort = pair(&two, &[truth("a"), truth("x")]).unwrap();
        assert_eq!(cohort.of_truth, [Some((0, MatchedBy::FolderName)), None]);
        assert_eq!(cohort.results_without_truth, [1]);
    }

    #[test]
    fn empty_results_and_empty_truths_are_errors() {
        assert_eq!(pair(&[], &[truth("a")]), Err(PairingError::NoResult));
        assert_eq!(pair(&[result("a", "1")], &[]), Err(PairingError::NoTruth));
    }

    #[test]
    fn two_results_of_one_study_are_told_apart_by_their_folder_or_refused() {
        let twice = [result("a", "1"), result("b", "1")];
        let in_b = TruthKey { study: Some("1".into()), ..truth("b") };
        assert_eq!(pair(&twice, &[in_b]).unwrap().of_truth, [Some((1, MatchedBy::StudyId))]);
        let nowhere = TruthKey { study: Some("1".into()), ..truth("x") };
        assert!(matches!(pair(&twice, &[nowhere]), Err(PairingError::SameStudyTwice { .. })));
    }

    #[test]
    fn of_several_results_in_a_folder_the_fullest_is_taken_and_said() {
        let mut fuller = result("a", "2");
        fuller.vertebrae = 5;
        let pairing = pair(&[result("a", "1"), fuller], &[truth("a"), truth("b")]).unwrap();
        assert_eq!(pairing.of_truth[0], Some((1, MatchedBy::FolderName)));
        assert_eq!(pairing.notes.len(), 1);
    }
}
