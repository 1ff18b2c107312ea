//! Files under OUT: pictures, Markdown, JSON; each written beside its place and renamed.

mod pictures;
mod write;

pub use pictures::{Picture, PictureSubject, finding_picture, overview_picture};
pub use write::{ReportError, json, write_atomically};
