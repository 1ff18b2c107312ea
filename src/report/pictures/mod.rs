//! Pictures: pure functions from voxels to pixels and to PNG bytes.
//!
//! The same voxels give the same bytes: no time, no text chunk, an embedded bitmap font, fixed
//! encoder settings.

mod canvas;
mod finding;
mod font;
mod overlay;
mod overview;
mod panel;
#[cfg(test)]
mod tests;

pub use finding::finding_picture;
pub use overview::overview_picture;

use super::ReportError;
use crate::anatomy::VertebraId;
use crate::features::Location;

/// What a picture of a finding is about.
#[derive(Clone, Copy, Debug)]
pub struct PictureSubject<'a> {
    /// Printed below: id, kind, level. No identifiers of the patient.
    pub title: &'a str,
    /// Where the finding lies.
    pub location: &'a Location,
    /// The vertebra it belongs to, drawn stronger than its neighbours.
    pub vertebra: Option<&'a VertebraId>,
}

/// An RGB picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue of each pixel, row by row from the top.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// The picture as PNG.
    ///
    /// # Errors
    /// [`ReportError::PictureSize`] for a picture without pixels or one that PNG cannot hold,
    /// [`ReportError::Png`] when the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>, ReportError> {
        let size = |n: usize| u32::try_from(n).ok().filter(|&n| n > 0 && n < 1 << 30);
        let (Some(width), Some(height)) = (size(self.width), size(self.height)) else {
            return Err(ReportError::PictureSize { width: self.width, height: self.height });
        };
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let failed = |source| ReportError::Png { source };
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.rgb).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}
