//! What kind of object a SOP class or Modality promises.

use strum::Display;

use super::model::SeriesTags;

/// CT or MR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display)]
#[strum(serialize_all = "UPPERCASE")]
pub enum CtOrMr {
    /// Computed tomography.
    Ct,
    /// Magnetic resonance.
    Mr,
}

/// What an object is, as far as this program cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    /// An image that can be a slice (or slices) of a CT or MR volume.
    Image(CtOrMr),
    /// An image of another kind.
    OtherImage,
    /// No image: report, plan, presentation state, directory, text.
    NotAnImage,
    /// Neither SOP class nor Modality say.
    Unknown,
}

/// SOP classes of CT and MR images (PS3.6 table A-1).
const CT_OR_MR: [(&str, CtOrMr); 7] = [
    ("1.2.840.10008.5.1.4.1.1.2", CtOrMr::Ct),
    ("1.2.840.10008.5.1.4.1.1.2.1", CtOrMr::Ct),
    ("1.2.840.10008.5.1.4.1.1.2.2", CtOrMr::Ct),
    ("1.2.840.10008.5.1.4.1.1.4", CtOrMr::Mr),
    ("1.2.840.10008.5.1.4.1.1.4.1", CtOrMr::Mr),
    ("1.2.840.10008.5.1.4.1.1.4.3", CtOrMr::Mr),
    ("1.2.840.10008.5.1.4.1.1.4.4", CtOrMr::Mr),
];

/// Families of SOP classes that are no images. A name ending in a dot stands for all below it.
const NOT_IMAGES: [&str; 17] = [
    // Media directory, verification, commitment, print, worklists, palettes, protocols.
    "1.2.840.10008.1.",
    "1.2.840.10008.5.1.4.31",
    "1.2.840.10008.5.1.4.32.",
    "1.2.840.10008.5.1.4.33",
    "1.2.840.10008.5.1.4.34.",
    "1.2.840.10008.5.1.4.38.",
    "1.2.840.10008.5.1.4.39.",
    "1.2.840.10008.5.1.4.43.",
    // MR spectroscopy, waveforms, presentation states, raw data, registrations, segmentations,
    // real world values, reports, encapsulated documents, radiotherapy, annotations.
    "1.2.840.10008.5.1.4.1.1.4.2",
    "1.2.840.10008.5.1.4.1.1.9.",
    "1.2.840.10008.5.1.4.1.1.11.",
    "1.2.840.10008.5.1.4.1.1.66",
    "1.2.840.10008.5.1.4.1.1.66.",
    "1.2.840.10008.5.1.4.1.1.67",
    "1.2.840.10008.5.1.4.1.1.88.",
    "1.2.840.10008.5.1.4.1.1.104.",
    "1.2.840.10008.5.1.4.1.1.91.",
];

/// Values of Modality that are no images.
const NOT_IMAGE_MODALITIES: [&str; 19] = [
    "SR",
    "PR",
    "KO",
    "SEG",
    "REG",
    "RTSTRUCT",
    "RTPLAN",
    "RTDOSE",
    "RTRECORD",
    "DOC",
    "PLAN",
    "ECG",
    "HD",
    "AU",
    "RWV",
    "ANN",
    "FID",
    "M3D",
    "TEXTUREMAP",
];

/// Radiotherapy; of these only class 1 is an image.
const RT: &str = "1.2.840.10008.5.1.4.1.1.481.";
/// Secondary Capture, single and multi-frame.
const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";

/// Tells what an object is. The SOP class decides; Modality where the class is missing, private
/// or as vague as Secondary Capture.
pub(crate) fn object_kind(sop_class_uid: Option<&str>, modality: Option<&str>) -> ObjectKind {
    let by_modality = match modality {
        Some("CT") => ObjectKind::Image(CtOrMr::Ct),
        Some("MR") => ObjectKind::Image(CtOrMr::Mr),
        Some(other) if NOT_IMAGE_MODALITIES.contains(&other) => ObjectKind::NotAnImage,
        Some(_) => ObjectKind::OtherImage,
        None => ObjectKind::Unknown,
    };
    let Some(uid) = sop_class_uid else { return by_modality };
    if let Some(&(_, image)) = CT_OR_MR.iter().find(|(known, _)| *known == uid) {
        return ObjectKind::Image(image);
    }
    if NOT_IMAGES
        .iter()
        .any(|family| uid == *family || (family.ends_with('.') && uid.starts_with(family)))
    {
        return ObjectKind::NotAnImage;
    }
    if let Some(class) = uid.strip_prefix(RT) {
        return if class == "1" { ObjectKind::OtherImage } else { ObjectKind::NotAnImage };
    }
    if uid.starts_with("1.2.840.10008.5.1.4.1.1.") && !uid.starts_with(SECONDARY_CAPTURE) {
        return ObjectKind::OtherImage;
    }
    match by_modality {
        ObjectKind::Unknown if uid.starts_with(SECONDARY_CAPTURE) => ObjectKind::OtherImage,
        kind => kind,
    }
}

/// Whether a series is CT or MR, by its SOP class, else by Modality.
pub fn ct_or_mr(tags: &SeriesTags) -> Option<CtOrMr> {
    match object_kind(tags.sop_class_uid.as_deref(), tags.modality.as_deref()) {
        ObjectKind::Image(kind) => Some(kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_and_modality_fills_in() {
        let kind = object_kind;
        let mr = "1.2.840.10008.5.1.4.1.1.4";
        assert_eq!(kind(Some(mr), None), ObjectKind::Image(CtOrMr::Mr));
        assert_eq!(kind(Some("1.2.840.10008.5.1.4.1.1.4.2"), Some("MR")), ObjectKind::NotAnImage);
        assert_eq!(
            kind(Some("1.2.840.10008.5.1.4.1.1.7"), Some("CT")),
            ObjectKind::Image(CtOrMr::Ct)
        );
        assert_eq!(kind(Some("1.2.840.10008.5.1.4.1.1.128"), Some("PT")), ObjectKind::OtherImage);
        assert_eq!(kind(Some("1.2.840.10008.5.1.4.1.1.481.3"), None), ObjectKind::NotAnImage);
        assert_eq!(kind(Some("1.2.840.10008.1.3.10"), None), ObjectKind::NotAnImage);
        assert_eq!(kind(Some("1.3.12.2.1107.5.9.1"), None), ObjectKind::Unknown);
        assert_eq!(kind(None, Some("MR")), ObjectKind::Image(CtOrMr::Mr));
    }
}
