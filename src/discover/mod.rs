//! Finds candidate files: recursive, blind to names and extensions, in a fixed order.
//!
//! Takes a path, gives the regular files below it. Nothing is opened here: what a file is, is
//! told from its bytes by the room `series`, which opens each file once. [`archive_kind`] is the
//! part of that question that belongs to this room.

#![warn(clippy::indexing_slicing)]

mod archive;
mod walk;

pub use archive::{ArchiveKind, archive_kind};
pub use walk::{CandidateFile, DiscoverError, Discovered, discover};
