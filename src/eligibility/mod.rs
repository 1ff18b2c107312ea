//! The rulebook: three-valued conditions over findings and clinical context.
//!
//! Knows nothing of pixels: it stands on the ground and on [`crate::findings::schema`].

pub mod verdict;
