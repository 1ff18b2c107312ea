//! Small DICOM files for tests, written byte by byte so that they can be wrong on purpose.

use std::collections::BTreeMap;
use std::path::Path;

use super::intake::{Intake, read};
use crate::discover::discover;

/// One single-frame object, Explicit VR Little Endian.
#[derive(Clone, Debug)]
pub(crate) struct TestObject {
    elements: BTreeMap<u32, ([u8; 2], Vec<u8>)>,
    pub(crate) transfer_syntax: &'static str,
}

impl TestObject {
    /// A CT slice of 4 x 4 pixels, 3 mm thick, first voxel at `position`, all pixels `stored`.
    pub(crate) fn ct(position: [f64; 3], stored: i16) -> Self {
        let mut object = Self { elements: BTreeMap::new(), transfer_syntax: "1.2.840.10008.1.2.1" };
        object
            .text(0x0008_0008, *b"CS", "ORIGINAL\\PRIMARY\\AXIAL")
            .text(0x0008_0016, *b"UI", "1.2.840.10008.5.1.4.1.1.2")
            .text(0x0008_0060, *b"CS", "CT")
            .text(0x0010_0020, *b"LO", "P1")
            .text(0x0018_0050, *b"DS", "3")
            .text(0x0020_000D, *b"UI", "1.2.3.4")
            .text(0x0020_000E, *b"UI", "1.2.3.4.5")
            .text(0x0020_0052, *b"UI", "1.2.3.4.6")
            .text(0x0020_0032, *b"DS", &position.map(|v| v.to_string()).join("\\"))
            .text(0x0020_0037, *b"DS", "1\\0\\0\\0\\1\\0")
            .text(0x0028_0030, *b"DS", "0.5\\0.5")
            .text(0x0028_1052, *b"DS", "-1024")
            .text(0x0028_1053, *b"DS", "1")
            .short(0x0028_0002, 1)
            .short(0x0028_0010, 4)
            .short(0x0028_0011, 4)
            .short(0x0028_0100, 16)
            .short(0x0028_0101, 16)
            .short(0x0028_0102, 15)
            .short(0x0028_0103, 1)
            .pixels(&[stored; 16]);
        object
    }

    /// An MR slice like [`TestObject::ct`], unsigned, without rescale.
    pub(crate) fn mr(position: [f64; 3], stored: i16) -> Self {
        let mut object = Self::ct(position, stored);
        object
            .text(0x0008_0016, *b"UI", "1.2.840.10008.5.1.4.1.1.4")
            .text(0x0008_0060, *b"CS", "MR")
            .remove(0x0028_1052)
            .remove(0x0028_1053)
            .short(0x0028_0103, 0);
        object
    }

    pub(crate) fn raw(&mut self, tag: u32, vr: [u8; 2], bytes: &[u8]) -> &mut Self {
        self.elements.insert(tag, (vr, bytes.to_vec()));
        self
    }

    pub(crate) fn text(&mut self, tag: u32, vr: [u8; 2], text: &str) -> &mut Self {
        let mut bytes = text.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(if vr == *b"UI" { 0 } else { b' ' });
        }
        self.raw(tag, vr, &bytes)
    }

    pub(crate) fn short(&mut self, tag: u32, value: u16) -> &mut Self {
        self.raw(tag, *b"US", &value.to_le_bytes())
    }

    pub(crate) fn remove(&mut self, tag: u32) -> &mut Self {
        self.elements.remove(&tag);
        self
    }

    pub(crate) fn pixels(&mut self, pixels: &[i16]) -> &mut Self {
        let bytes: Vec<u8> = pixels.iter().flat_map(|p| p.to_le_bytes()).collect();
        self.raw(0x7FE0_0010, *b"OW", &bytes)
    }

    /// Encapsulated pixel data in one fragment, without offset table.
    pub(crate) fn fragment(&mut self, syntax: &'static str, bytes: &[u8]) -> &mut Self {
        self.transfer_syntax = syntax;
        let mut value = vec![0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0x00, 0xE0];
        value.extend((bytes.len() as u32).to_le_bytes());
        value.extend(bytes);
        value.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        self.raw(0x7FE0_0010, *b"OB", &value)
    }

    /// The data set, elements in ascending order.
    pub(crate) fn data_set(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (&tag, (vr, value)) in &self.elements {
            let encapsulated = tag == 0x7FE0_0010 && *vr == *b"OB";
            let length = if encapsulated { u32::MAX } else { value.len() as u32 };
            element(&mut bytes, tag, *vr, length, value);
        }
        bytes
    }

    /// The file with preamble and a meta group without its length.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        let mut uid = self.transfer_syntax.as_bytes().to_vec();
        if uid.len() % 2 == 1 {
            uid.push(0);
        }
        element(&mut bytes, 0x0002_0010, *b"UI", uid.len() as u32, &uid);
        bytes.extend(self.data_set());
        bytes
    }
}

/// Appends an explicit little endian element.
pub(crate) fn element(bytes: &mut Vec<u8>, tag: u32, vr: [u8; 2], length: u32, value: &[u8]) {
    bytes.extend(((tag >> 16) as u16).to_le_bytes());
    bytes.extend((tag as u16).to_le_bytes());
    bytes.extend(vr);
    if matches!(&vr, b"OB" | b"OW" | b"SQ" | b"UN" | b"UT") {
        bytes.extend([0, 0]);
        bytes.extend(length.to_le_bytes());
    } else {
        bytes.extend((length as u16).to_le_bytes());
    }
    bytes.extend(value);
}

/// Writes named files into a folder and reads them all.
pub(crate) fn intake_of(folder: &Path, files: &[(String, Vec<u8>)]) -> Intake {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    read(&discover(folder).unwrap().files, &|_| {})
}

/// The intake of objects under names that say nothing.
pub(crate) fn intake(objects: &[TestObject]) -> (tempfile::TempDir, Intake) {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> =
        objects.iter().enumerate().map(|(n, o)| (format!("f{n:03}"), o.bytes())).collect();
    let intake = intake_of(folder.path(), &files);
    (folder, intake)
}

/// `count` CT slices, `step` mm apart.
pub(crate) fn stack(count: usize, step: f64) -> Vec<TestObject> {
    (0..count).map(|n| TestObject::ct([0.0, 0.0, n as f64 * step], n as i16)).collect()
}

/// A sequence with one item for each data set, all of defined length.
fn sequence(tag: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let mut value = Vec::new();
    for item in items {
        value.extend([0xFE, 0xFF, 0x00, 0xE0]);
        value.extend((item.len() as u32).to_le_bytes());
        value.extend(item);
    }
    let mut bytes = Vec::new();
    element(&mut bytes, tag, *b"SQ", value.len() as u32, &value);
    bytes
}

fn text(tag: u32, vr: [u8; 2], text: &str) -> Vec<u8> {
    let mut value = text.as_bytes().to_vec();
    if value.len() % 2 == 1 {
        value.push(b' ');
    }
    let mut bytes = Vec::new();
    element(&mut bytes, tag, vr, value.len() as u32, &value);
    bytes
}

/// A sagittal Enhanced MR object of three frames at these places along x; pixels of frame `n` are
/// all `n`.
pub(crate) fn enhanced_mr(places: [&str; 3]) -> TestObject {
    let pixels: Vec<i16> = (0..48).map(|n| n / 16).collect();
    let mut object = TestObject::mr([0.0; 3], 0);
    object
        .text(0x0008_0016, *b"UI", "1.2.840.10008.5.1.4.1.1.4.1")
        .remove(0x0020_0032)
        .remove(0x0020_0037)
        .remove(0x0028_0030)
        .text(0x0028_0008, *b"IS", "3")
        .pixels(&pixels);
    let mut measures = text(0x0018_0050, *b"DS", "4");
    measures.extend(text(0x0028_0030, *b"DS", "0.8\\0.9"));
    let mut shared = sequence(0x0018_9112, &[text(0x0018_0080, *b"DS", "550")]);
    shared.extend(sequence(0x0020_9116, &[text(0x0020_0037, *b"DS", "0\\1\\0\\0\\0\\-1")]));
    shared.extend(sequence(0x0028_9110, &[measures]));
    let frames: Vec<Vec<u8>> = places
        .iter()
        .map(|x| {
            let position = format!("{x}\\0\\0");
            sequence(0x0020_9113, &[text(0x0020_0032, *b"DS", &position)])
        })
        .collect();
    let value = |bytes: Vec<u8>| bytes[12..].to_vec();
    object.raw(0x5200_9229, *b"SQ", &value(sequence(0x5200_9229, &[shared]))).raw(
        0x5200_9230,
        *b"SQ",
        &value(sequence(0x5200_9230, &frames)),
    );
    object
}
