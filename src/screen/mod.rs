//! The way of the data from a folder to results: the rooms in their order, nothing of its own.
//!
//! [`run`] takes a folder and writes results; [`study`] takes one [`Study`](crate::series::Study) and gives them back.

#![warn(clippy::indexing_slicing)]

mod choice;
mod masks;
mod run;
mod run_record;
mod schemas;
mod study;

pub use masks::{
    LABEL_MAP_SCHEMA, LabelMapRecord, LabelMapWriteError, LabelRecord, MaskMatchError,
};
pub use run::{Event, RunError, run};
pub use run_record::{FileEntry, RUN_SCHEMA, RunRecord, StudyEntry};
pub use schemas::schemas;
pub use study::{Options, SeriesPlan, StudyError, StudyResult, plan, study};
