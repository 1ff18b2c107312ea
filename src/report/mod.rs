//! Files under OUT: pictures, Markdown, JSON; each written beside its place and renamed.

mod markdown;
mod pictures;
mod write;

pub use markdown::markdown;
pub use pictures::{Picture, PictureSubject, finding_picture, overview_picture};
pub use write::{ReportError, json, write_atomically};
