//! What was put where.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::canvas::Canvas;
use super::paint::Painted;
use super::{BodyPlace, InsertOptions, dicom};
use crate::geometry::LpsPoint;
use crate::series::{Series, Study};
use crate::terms::{FeatureId, Level};
use crate::units::rounded;

/// The truth of a series with inserted lesions: `truth.json`, which `osteoflag evaluate` reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InsertedTruth {
    /// In which coordinates.
    pub frame: String,
    /// How it was made.
    pub made_by: String,
    /// Seed.
    pub seed: u64,
    /// Pseudonym that the new study will have.
    pub study_id: String,
    /// Pseudonym that the new series will have.
    pub series_id: String,
    /// Pseudonym of the study that it was made from: copies of one study are one patient, and
    /// intervals over patients have to know.
    pub patient: String,
    /// Pseudonym of the series that it was made from.
    pub source_series_id: String,
    /// What the series shows.
    pub contrast: String,
    /// Where the bodies come from.
    pub bodies_from: String,
    /// Standard deviation of the blur within the slices, mm.
    pub in_plane_sigma_mm: f64,
    /// Thickness over which shapes were averaged, mm.
    pub slice_thickness_mm: f64,
    /// Range and unit from which each kind's strength is drawn, uniform.
    pub drawn_from: BTreeMap<String, String>,
    /// Bodies as given.
    pub vertebrae: Vec<InsertedVertebra>,
    /// Numbers (from 0) of usable bodies that were left as they were.
    pub untouched: Vec<usize>,
    /// Numbers (from 0) of usable bodies at whose centre no bone was seen; nothing was put there.
    pub without_bone: Vec<usize>,
    /// Lesions.
    pub lesions: Vec<InsertedLesion>,
    /// Harmless changes: a finding there is false.
    pub look_alikes: Vec<InsertedLesion>,
    /// What was dealt to a body and could not be painted.
    pub not_placed: Vec<NotPlaced>,
}

/// A body of the truth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InsertedVertebra {
    /// Its level, where it is known.
    pub level: Option<Level>,
    /// Its centre as given.
    pub centroid_lps_mm: LpsPoint,
    /// Share of it in view.
    pub fraction_in_view: f64,
}

/// One thing that was put in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InsertedLesion {
    /// Kind ([`super::InsertKind`]).
    pub kind: String,
    /// The feature that ought to see it, or that a look-alike tempts.
    pub feature: FeatureId,
    /// In which body, where its level is known.
    pub level: Option<Level>,
    /// The body's number in `vertebrae`, from 0.
    pub vertebra_index: usize,
    /// Its value in the label map.
    pub label: usize,
    /// Centroid of its shape before the scan's blur.
    pub centroid_lps_mm: LpsPoint,
    /// Volume of its shape before the scan's blur.
    pub volume_mm3: f64,
    /// Strength as drawn.
    pub contrast: f64,
    /// Unit of the strength: `HU`, `ratio` or `mm`.
    pub contrast_unit: String,
    /// What else was drawn or measured, beside the other keys.
    #[serde(flatten)]
    pub details: BTreeMap<String, Value>,
}

/// A lesion that could not be painted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotPlaced {
    /// The body's number in `vertebrae`, from 0.
    pub vertebra_index: usize,
    /// Kind.
    pub kind: String,
    /// Why.
    pub why: String,
}

#[allow(clippy::too_many_arguments, reason = "the pieces of one document, put together once")]
pub(super) fn truth(
    study: &Study,
    series: &Series,
    places: &[BodyPlace],
    usable: &[usize],
    options: &InsertOptions,
    canvas: &Canvas,
    painted: Vec<(usize, Painted)>,
    not_placed: Vec<NotPlaced>,
) -> InsertedTruth {
    let touched: Vec<usize> = painted.iter().map(|(n, _)| *n).collect();
    let uids = dicom::Uids::new(study, series, options.seed);
    let (mut lesions, mut look_alikes) = (Vec::new(), Vec::new());
    for (at, (n, painted)) in painted.into_iter().enumerate() {
        let (list, kind) = if painted.kind.is_look_alike() {
            (&mut look_alikes, painted.kind)
        } else {
            (&mut lesions, painted.kind)
        };
        list.push(InsertedLesion {
            kind: kind.to_string(),
            feature: kind.feature(options.contrast),
            level: places[n].level,
            vertebra_index: n,
            label: at + 1,
            centroid_lps_mm: painted.shares.centroid.rounded(1),
            volume_mm3: rounded(painted.shares.volume_mm3, 0),
            contrast: rounded(painted.strength, 2),
            contrast_unit: kind.drawn_from().1.to_owned(),
            details: painted.details,
        });
    }
    InsertedTruth {
        frame: "LPS mm of the DICOM patient coordinate system".to_owned(),
        made_by: "osteoflag phantom insert".to_owned(),
        seed: options.seed,
        study_id: uids.study_id(),
        series_id: uids.series_id(),
        patient: study.id.to_string(),
        source_series_id: series.id.to_string(),
        contrast: options.contrast.to_string(),
        bodies_from: options.bodies_from.clone(),
        in_plane_sigma_mm: rounded(canvas.sigma_mm, 3),
        slice_thickness_mm: rounded(canvas.thickness_mm, 3),
        drawn_from: options
            .kinds
            .iter()
            .map(|kind| {
                let ([low, high], unit) = kind.drawn_from();
                (kind.to_string(), format!("uniform {low} to {high} {unit}"))
            })
            .collect(),
        vertebrae: places
            .iter()
            .map(|place| InsertedVertebra {
                level: place.level,
                centroid_lps_mm: place.centroid.rounded(1),
                fraction_in_view: rounded(place.fraction_in_view, 2),
            })
            .collect(),
        untouched: usable.iter().copied().filter(|n| !touched.contains(n)).collect(),
        without_bone: Vec::new(),
        lesions,
        look_alikes,
        not_placed,
    }
}
