//! Headers into stacks: each [`Series`] is one stack of slices that can be a volume.
//!
//! Takes candidate files, gives studies. Each file is opened once and read up to its pixel data
//! by a walker of its own (`walker`, `header`); what the header says becomes one record for each
//! slice (`record`); records are grouped (`intake`), split into stacks (`stacks`) and measured
//! (`measure`). Guarantees: no file can stop the reading of another, nothing depends on file names
//! or order, every file has an outcome.

#![warn(clippy::indexing_slicing)]

pub(crate) mod dataset;
mod digest;
mod header;
mod intake;
mod measure;
mod model;
mod pixel_data;
mod record;
mod sop_class;
mod source;
mod stacks;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod walker;
pub(crate) mod wanted;

pub use intake::{FileOutcome, FileRecord, Intake, read};
pub use model::{FrameSource, PixelLayout, Series, SeriesId, SeriesTags, Slice, Study, StudyId};
pub use sop_class::{CtOrMr, ct_or_mr};

pub(crate) use digest::with_pixels;
pub(crate) use header::Header;
pub(crate) use pixel_data::{FrameTable, FrameTableError, frame_table, is_native};
pub(crate) use record::stored_layout;
pub(crate) use source::{ByteSource, FileSource};
