//! One study: series chosen, read, searched, measured, drawn and judged.

use crate::anatomy::Anatomy;
use crate::anatomy::imported::MaskFile;
use crate::eligibility::{
    ClinicalContext, EvaluationError, Rulebook, StudyMatch, verdict::Verdict,
};
use crate::features::{Context, Location, Observation, Settings, Site};
use crate::findings::schema::{Findings, Tool};
use crate::findings::{Screened, SeriesOutcome, assemble, is_finding, picture_name};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::report::{self, ReportError};
use crate::role::{self, RoleAssessment};
use crate::series::{Series, Study};
use crate::terms::FeatureId;
use crate::volume::{self, Image, LoadLimits, codecs};

use super::choice::choose;
use super::masks::{self, LabelMapWriteError};

/// What a run is asked to do.
#[derive(Debug)]
pub struct Options {
    /// Thresholds that differ from their defaults.
    pub settings: Settings,
    /// The rulebook.
    pub rulebook: Rulebook,
    /// The clinical context, if one was given.
    pub context: Option<ClinicalContext>,
    /// Whether pictures are drawn.
    pub pictures: bool,
    /// Whether UIDs are written beside the pseudonyms.
    pub identifiers: bool,
    /// Masks of vertebrae made elsewhere ([`crate::anatomy::imported::read_masks`]); empty for none.
    pub masks: Vec<MaskFile>,
    /// Whether bodies are written as label maps.
    pub label_maps: bool,
    /// Most bytes that one volume may take.
    pub limits: LoadLimits,
}

/// What came of one study.
#[derive(Debug)]
pub struct StudyResult {
    /// `findings.json`.
    pub findings: Findings,
    /// `verdict.json`.
    pub verdict: Verdict,
    /// PNG files by their name relative to the study's folder.
    pub pictures: Vec<(String, Vec<u8>)>,
    /// Label maps and their names, by their name relative to the study's folder.
    pub label_maps: Vec<(String, Vec<u8>)>,
    /// Problems that came up while voxels were read, with their files.
    pub problems: Vec<Problem>,
    /// Whether something that should be an image could not be read.
    pub incomplete: bool,
}

/// Why a study gave no result. Both are bugs, not bad input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A rule could not be evaluated.
    #[error("the rules could not be evaluated: {0}")]
    Rules(#[from] EvaluationError),
    /// A picture could not be made.
    #[error("a picture could not be made: {0}")]
    Picture(#[from] ReportError),
    /// A label map could not be made.
    #[error("a label map could not be made: {0}")]
    LabelMap(#[from] LabelMapWriteError),
}

/// What a series shows by its header, and whether it would be screened or why not.
#[derive(Debug)]
pub struct SeriesPlan {
    /// What it shows.
    pub role: RoleAssessment,
    /// Screened, or why it is left out.
    pub choice: Result<(), String>,
}

/// What would be done with each series of a study, in the study's order. Reads no voxels.
pub fn plan(study: &Study) -> Vec<SeriesPlan> {
    let roles: Vec<RoleAssessment> = study.series.iter().map(role::assess).collect();
    let pairs: Vec<(&Series, &RoleAssessment)> = study.series.iter().zip(&roles).collect();
    let choices = choose(&pairs);
    roles.into_iter().zip(choices).map(|(role, choice)| SeriesPlan { role, choice }).collect()
}

/// This program, as findings name it.
pub(super) fn tool(settings: &Settings) -> Tool {
    Tool {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        decoders: codecs::ALL.iter().map(|codec| codec.name.to_owned()).collect(),
        settings: settings
            .changed()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
    }
}

/// Screens one study. `progress` is told of each series as it is begun, with its place and the
/// number of series that are screened.
///
/// # Errors
/// Only by a bug: a rule that cannot be evaluated, a picture that cannot be encoded. Bad input
/// gives a result that says so.
pub fn study(
    study: &Study,
    options: &Options,
    progress: &dyn Fn(usize, usize),
) -> Result<StudyResult, StudyError> {
    let plans = plan(study);
    let number = plans.iter().filter(|plan| plan.choice.is_ok()).count();

    let mut files = Files::default();
    let mut problems = Vec::new();
    let mut incomplete = false;
    let mut outcomes = Vec::new();
    let mut begun = 0;
    for (series, SeriesPlan { role, choice }) in study.series.iter().zip(plans) {
        let mut outcome =
            SeriesOutcome { series, role, problems: Vec::new(), screened: Err(String::new()) };
        if let Some(problem) = undecodable(series) {
            incomplete = true;
            problems.push(problem.clone());
            outcome.problems.push(problem);
        }
        if let Err(reason) = choice {
            outcome.screened = Err(reason);
            outcomes.push(outcome);
            continue;
        }
        progress(begun, number);
        begun += 1;
        match volume::load(series, &options.limits) {
            Err(error) => {
                incomplete = true;
                let problem = error.problem();
                problems.push(problem.clone());
                outcome.screened = Err(problem.sentence.clone());
                outcome.problems.push(problem);
            }
            Ok(loaded) => {
                incomplete |= !loaded.failed_slices.is_empty();
                problems.extend(loaded.problems.iter().cloned());
                outcome.problems.extend(loaded.problems);
                let refused = screen_series(&loaded.image, &mut outcome, options, &mut files)?;
                incomplete |= refused.is_some();
                problems.extend(refused);
            }
        }
        outcomes.push(outcome);
    }
    let findings =
        assemble(study, &outcomes, tool(&options.settings), absence_rules_out, options.identifiers);
    // What is known of one patient never reaches the study of another.
    let context = options.context.as_ref().filter(|context| context_names(context, study));
    let verdict = crate::eligibility::assess(&findings, context, &options.rulebook)?;
    let Files { pictures, label_maps } = files;
    Ok(StudyResult { findings, verdict, pictures, label_maps, problems, incomplete })
}

/// Files of a study beside its JSON.
#[derive(Default)]
struct Files {
    pictures: Vec<(String, Vec<u8>)>,
    label_maps: Vec<(String, Vec<u8>)>,
}

/// A CT or MR image that this build cannot decode should have been read, whether or not it would
/// have been screened.
fn undecodable(series: &Series) -> Option<Problem> {
    crate::series::ct_or_mr(&series.tags)?;
    let slice = series
        .slices
        .iter()
        .find(|slice| codecs::for_transfer_syntax(&slice.transfer_syntax_uid).is_none())?;
    Some(
        Problem::new(
            ProblemCode::UnsupportedTransferSyntax,
            Severity::Blocks,
            format!(
                "series {}: transfer syntax {} is not supported",
                series.id, slice.transfer_syntax_uid
            ),
        )
        .with_file(&slice.source.path),
    )
}

/// Whether a clinical context names this study or its patient.
pub(super) fn context_names(context: &ClinicalContext, study: &Study) -> bool {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (uid, patient) = (known(&study.study_instance_uid), known(&study.patient_id));
    context.matches_study(&study.id.to_string(), uid.as_deref(), patient.as_deref())
        == StudyMatch::ThisStudy
}

/// A feature that is not built never says `absent`, so it rules nothing out.
fn absence_rules_out(feature: FeatureId) -> bool {
    crate::features::ALL
        .iter()
        .map(|built| built.spec())
        .any(|spec| spec.id == feature && spec.absence_rules_out)
}

/// Searches, measures and draws a series. Gives the problem of masks that could not be used.
fn screen_series(
    image: &Image,
    outcome: &mut SeriesOutcome<'_>,
    options: &Options,
    files: &mut Files,
) -> Result<Option<Problem>, StudyError> {
    outcome.role = role::with_look(outcome.role.clone(), &role::pixel_look(image));
    let anatomy = match image {
        Image::Ct(volume) => crate::anatomy::ct::find(volume),
        Image::Mr { .. } => crate::anatomy::mr::find(image),
    };
    if let Some(quotients) = &anatomy.tissue_quotients {
        outcome.role = role::refine(outcome.role.clone(), quotients);
    }
    let (anatomy, refused) =
        masks::with_masks(outcome.series, image.grid(), &options.masks, anatomy);
    let series = &outcome.series.id;
    if options.label_maps {
        files.label_maps.extend(masks::label_map(series, image.grid(), &anatomy)?);
    }
    let pictures = &mut files.pictures;
    let observations = crate::features::assess_series(&Context {
        series,
        role: outcome.role.role,
        contrast_medium: outcome.role.contrast_medium,
        image,
        anatomy: &anatomy,
        settings: &options.settings,
    });
    if options.pictures {
        let title = format!("series {series}  {}", outcome.role.role);
        let overview = report::overview_picture(image, &anatomy, &title);
        pictures.push((format!("pictures/{series}_overview.png"), overview.to_png()?));
        for (index, observation) in observations.iter().enumerate() {
            if let Some((picture, name)) = draw(image, &anatomy, observation, series, index) {
                pictures.push((name, picture.to_png()?));
            }
        }
    }
    outcome.screened = Ok(Screened { anatomy, observations, pictures: options.pictures });
    Ok(refused)
}

fn draw(
    image: &Image,
    anatomy: &Anatomy,
    observation: &Observation,
    series: &crate::series::SeriesId,
    index: usize,
) -> Option<(report::Picture, String)> {
    let location: &Location = observation.location.as_ref().filter(|_| is_finding(observation))?;
    let vertebra = match &observation.site {
        Site::Vertebra(id) => anatomy.vertebrae.iter().find(|vertebra| vertebra.id == *id),
        Site::Region(..) | Site::Series => None,
    };
    let place = vertebra.map_or_else(
        || "no vertebra".to_owned(),
        |vertebra| {
            let level =
                vertebra.level.map_or_else(|| "level not known".to_owned(), |l| l.to_string());
            format!("{} ({level})", vertebra.id)
        },
    );
    let title = format!("{}  {}  {place}", observation.feature, observation.status);
    let subject =
        report::PictureSubject { title: &title, location, vertebra: vertebra.map(|v| &v.id) };
    Some((
        report::finding_picture(image, anatomy, &subject),
        picture_name(series, index, observation),
    ))
}
