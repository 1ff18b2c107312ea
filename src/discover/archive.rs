//! Archives, told by their first bytes.

use std::io::Read;

use flate2::read::GzDecoder;
use strum::Display;

/// Length of a `NIfTI` header, bytes: versions 1 and 2.
const NIFTI_HEADER: [u32; 2] = [348, 540];

/// A kind of archive or compressed file that may hold DICOM files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
#[strum(serialize_all = "lowercase")]
pub enum ArchiveKind {
    /// ZIP.
    Zip,
    /// tar, not compressed.
    Tar,
    /// gzip, often around a tar.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// 7-Zip.
    SevenZip,
}

/// Tells an archive by the first bytes of a file (262 or more, fewer if the file is shorter).
///
/// A DICOM file may start with anything in its preamble: ask only for files that are not DICOM.
/// A gzipped `NIfTI` image, told by the length that its header starts with, is no archive.
pub fn archive_kind(head: &[u8]) -> Option<ArchiveKind> {
    const MAGIC: [(usize, &[u8], ArchiveKind); 7] = [
        (0, b"PK\x03\x04", ArchiveKind::Zip),
        (0, b"PK\x05\x06", ArchiveKind::Zip),
        (0, b"\x1f\x8b", ArchiveKind::Gzip),
        (0, b"BZh", ArchiveKind::Bzip2),
        (0, b"\xfd7zXZ\0", ArchiveKind::Xz),
        (0, b"7z\xbc\xaf\x27\x1c", ArchiveKind::SevenZip),
        (257, b"ustar", ArchiveKind::Tar),
    ];
    let mut start = [0; 4];
    if head.starts_with(b"\x1f\x8b")
        && GzDecoder::new(head).read_exact(&mut start).is_ok()
        && (NIFTI_HEADER.contains(&u32::from_le_bytes(start))
            || NIFTI_HEADER.contains(&u32::from_be_bytes(start)))
    {
        return None;
    }
    MAGIC
        .iter()
        .find(|(at, magic, _)| head.get(*at..at + magic.len()) == Some(*magic))
        .map(|&(_, _, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_by_their_bytes_and_text_is_none() {
        assert_eq!(archive_kind(b"PK\x03\x04rest"), Some(ArchiveKind::Zip));
        assert_eq!(archive_kind(&[0x1f, 0x8b, 8]), Some(ArchiveKind::Gzip));
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(archive_kind(&tar), Some(ArchiveKind::Tar));
        assert_eq!(archive_kind(b"Please keep this folder."), None);
        assert_eq!(archive_kind(b""), None);
    }

    #[test]
    fn a_gzipped_nifti_image_is_no_archive() {
        let gzipped = |text: &[u8]| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, text).unwrap();
            encoder.finish().unwrap()
        };
        let mut header = vec![0; 352];
        header[..4].copy_from_slice(&348_u32.to_le_bytes());
        assert_eq!(archive_kind(&gzipped(&header)), None);
        assert_eq!(archive_kind(&gzipped(b"IM0001.dcm")), Some(ArchiveKind::Gzip));
    }
}
