//! What a feature is, and what it answers.

use crate::anatomy::{Anatomy, Vertebra, VertebraId};
use crate::geometry::{LpsPoint, VoxelIndex};
use crate::kernels::BitMask;
use crate::problem::Problem;
use crate::series::SeriesId;
use crate::terms::{ContrastMedium, FeatureId, Part, Reason, Region, Role, Side, Status};
use crate::units::{CubicMillimetres, Measurement, Millimetres, Reference, Share, Unit};
use crate::volume::Image;

use super::Settings;

/// A number that decides, with where it comes from.
#[derive(Debug)]
pub struct Threshold {
    /// Name within the feature; settings are named `<feature id>.<name>`.
    pub name: &'static str,
    /// What it does, in a few words.
    pub meaning: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Least and greatest value that `--set` takes.
    pub range: (f64, f64),
    /// Value when nothing is set.
    pub default: f64,
    /// Publication or trial it comes from.
    pub source: &'static str,
}

/// What a feature needs of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    /// One of these roles.
    Roles(&'static [Role]),
    /// Vertebral bodies that were cut out.
    Bodies,
    /// The spinal canal.
    Canal,
    /// Slices at most this far apart (voxel centres), mm.
    SliceStepAtMostMm(f64),
}

/// What stands for a feature in help, docs and the registry.
#[derive(Debug)]
pub struct Spec {
    /// Its id.
    pub id: FeatureId,
    /// A title for people.
    pub title: &'static str,
    /// What it asks and how, for `osteoflag explain` and the docs: a few sentences.
    pub method: &'static str,
    /// What it misses or takes for a lesion.
    pub limits: &'static str,
    /// What it needs.
    pub needs: &'static [Need],
    /// Its thresholds.
    pub thresholds: &'static [&'static Threshold],
    /// Whether `absent` rules the finding out. Where it does not, `absent` gives the rules no
    /// "false".
    pub absence_rules_out: bool,
}

/// One question about bone.
pub trait Feature: Sync {
    /// Its description.
    fn spec(&self) -> &'static Spec;

    /// One observation for each vertebra of the context (more where a vertebra has several
    /// lesions), never none. Needs have been checked before.
    fn assess(&self, context: &Context<'_>) -> Vec<Observation>;
}

/// What a feature sees: one series with its anatomy.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The series.
    pub series: &'a SeriesId,
    /// Its role.
    pub role: Role,
    /// Whether contrast medium was given.
    pub contrast_medium: ContrastMedium,
    /// Its voxels.
    pub image: &'a Image,
    /// Its anatomy.
    pub anatomy: &'a Anatomy,
    /// Values of the thresholds.
    pub settings: &'a Settings,
}

impl Context<'_> {
    /// Value of a threshold of `feature`: what `--set` says, else its default.
    pub fn value(&self, feature: FeatureId, threshold: &Threshold) -> f64 {
        self.settings.value(feature, threshold)
    }
}

/// What an observation is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Site {
    /// A vertebra of the series.
    Vertebra(VertebraId),
    /// Another bone.
    Region(Region, Option<Side>),
    /// The series as a whole, where nothing was found to ask about.
    Series,
}

/// Where a finding lies.
#[derive(Clone, Debug)]
pub struct Location {
    /// Centre of the finding.
    pub centroid: LpsPoint,
    /// Its voxels on the series' grid, where it has an extent.
    pub mask: Option<BitMask>,
    /// Box around it, in voxels, inclusive.
    pub voxel_box: Option<(VoxelIndex, VoxelIndex)>,
    /// Its volume.
    pub volume: Option<CubicMillimetres>,
    /// Side of the midline of the vertebra.
    pub side: Option<Side>,
    /// Parts it lies in.
    pub parts: Vec<Part>,
    /// Shortest distance to the canal, where that is known.
    pub distance_to_canal: Option<Millimetres>,
}

/// The answer of a feature for one site.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Which feature.
    pub feature: FeatureId,
    /// What it is about.
    pub site: Site,
    /// The answer.
    pub status: Status,
    /// Why, for `indeterminate` and `not_assessed`.
    pub reason: Option<Reason>,
    /// For ranking, 0 to 1.
    pub score: Option<Share>,
    /// What was measured.
    pub measurements: Vec<Measurement>,
    /// What it was compared with.
    pub reference: Option<Reference>,
    /// What speaks for a lesion.
    pub speaks_for: Vec<String>,
    /// What speaks against one, look-alikes considered among it.
    pub speaks_against: Vec<String>,
    /// Where it lies.
    pub location: Option<Location>,
    /// Problems that touch it.
    pub problems: Vec<Problem>,
}

impl Spec {
    /// An observation with nothing but its answer.
    pub fn observation(&self, site: Site, status: Status, reason: Option<Reason>) -> Observation {
        Observation {
            feature: self.id,
            site,
            status,
            reason,
            score: None,
            measurements: Vec::new(),
            reference: None,
            speaks_for: Vec::new(),
            speaks_against: Vec::new(),
            location: None,
            problems: Vec::new(),
        }
    }

    /// Did not look at this vertebra, and why.
    pub fn not_assessed(&self, vertebra: &Vertebra, reason: Reason) -> Observation {
        self.observation(Site::Vertebra(vertebra.id.clone()), Status::NotAssessed, Some(reason))
    }

    /// Looked at this vertebra and cannot tell, and why.
    pub fn indeterminate(&self, vertebra: &Vertebra, reason: Reason) -> Observation {
        self.observation(Site::Vertebra(vertebra.id.clone()), Status::Indeterminate, Some(reason))
    }

    /// Looked at this vertebra and saw nothing.
    pub fn absent(&self, vertebra: &Vertebra) -> Observation {
        self.observation(Site::Vertebra(vertebra.id.clone()), Status::Absent, None)
    }
}
