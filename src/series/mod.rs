//! Headers into stacks: each [`Series`] is one stack of slices that can be a volume.

mod model;

pub use model::{FrameSource, PixelLayout, Series, SeriesId, SeriesTags, Slice, Study, StudyId};
