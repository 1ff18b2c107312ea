//! Opens a file: preamble, meta group, transfer syntax, data set.

use std::io;

use super::dataset::{DataSet, Tag};
use super::source::{ByteSource, InflateSource, MAX_INFLATED_HEADER, Window};
use super::walker::{Damage, Encoding, PixelElement, element_header, walk};

/// Implicit VR Little Endian.
pub(crate) const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian.
pub(crate) const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
/// Deflated Explicit VR Little Endian.
pub(crate) const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// Explicit VR Big Endian.
pub(crate) const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";

/// What is known of a file before its pixels.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// As written, or by the data where the meta group does not say.
    pub(crate) transfer_syntax_uid: String,
    /// From the meta group.
    pub(crate) media_storage_sop_class_uid: Option<String>,
    pub(crate) data_set: DataSet,
    pub(crate) pixel: Option<PixelElement>,
    pub(crate) private_pixel: bool,
    /// Where the deflated data set begins; offsets inside it count from its inflated start.
    pub(crate) deflated_at: Option<u64>,
    pub(crate) damage: Option<Damage>,
}

/// What a file turned out to be.
#[derive(Debug)]
pub(crate) enum Opened {
    Dicom(Box<Header>),
    /// Its first bytes, to tell what else it is.
    NotDicom(Vec<u8>),
}

/// Reads a header up to its pixel data.
///
/// # Errors
/// When the first bytes cannot be read. Damage further on is kept in [`Header::damage`].
pub(crate) fn read_header(source: &mut dyn ByteSource) -> io::Result<Opened> {
    let mut window = Window::new(source);
    let head = window.bytes(0, 512)?.to_vec();
    let Some((meta_at, marked)) = start(&mut window, &head) else {
        return Ok(Opened::NotDicom(head));
    };
    let mut meta = match read_meta(&mut window, meta_at) {
        Ok(meta) => meta,
        Err(damage) => return Ok(Opened::Dicom(Box::new(Header::damaged(damage)))),
    };
    let declared = meta.transfer_syntax_uid.take();
    if declared.as_deref() == Some(DEFLATED) {
        let deflated_at = meta.end;
        let mut inflate = InflateSource::new(source, deflated_at, MAX_INFLATED_HEADER);
        let walked = walk(&mut Window::new(&mut inflate), 0, Encoding::ExplicitLittle);
        return Ok(Opened::Dicom(Box::new(Header {
            transfer_syntax_uid: DEFLATED.to_owned(),
            media_storage_sop_class_uid: meta.media_storage_sop_class_uid,
            data_set: walked.data_set,
            pixel: walked.pixel,
            private_pixel: walked.private_pixel,
            deflated_at: Some(deflated_at),
            damage: walked.damage,
        })));
    }
    let declared_encoding = declared.as_deref().map(|uid| match uid {
        IMPLICIT_LITTLE => Encoding::ImplicitLittle,
        EXPLICIT_BIG => Encoding::ExplicitBig,
        _ => Encoding::ExplicitLittle,
    });
    // The data decide where they contradict the declaration: writers forget to change it.
    let encoding = match declared_encoding {
        Some(encoding) if is_plausible(&mut window, meta.end, encoding) => Some(encoding),
        _ => guess_encoding(&mut window, meta.end).or(declared_encoding),
    };
    let Some(encoding) = encoding else {
        return Ok(if marked {
            Opened::Dicom(Box::new(Header::damaged(Damage::NotAnElement { at: meta.end })))
        } else {
            Opened::NotDicom(head)
        });
    };
    let walked = walk(&mut window, meta.end, encoding);
    let by_data = match encoding {
        Encoding::ExplicitLittle => EXPLICIT_LITTLE,
        Encoding::ImplicitLittle => IMPLICIT_LITTLE,
        Encoding::ExplicitBig => EXPLICIT_BIG,
    };
    let native = |uid: &str| [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG].contains(&uid);
    let transfer_syntax_uid = match declared {
        Some(uid) if !native(&uid) => uid,
        _ => by_data.to_owned(),
    };
    Ok(Opened::Dicom(Box::new(Header {
        transfer_syntax_uid,
        media_storage_sop_class_uid: meta.media_storage_sop_class_uid,
        data_set: walked.data_set,
        pixel: walked.pixel,
        private_pixel: walked.private_pixel,
        deflated_at: None,
        damage: walked.damage,
    })))
}

impl Header {
    fn damaged(damage: Damage) -> Self {
        Self {
            transfer_syntax_uid: String::new(),
            media_storage_sop_class_uid: None,
            data_set: DataSet::default(),
            pixel: None,
            private_pixel: false,
            deflated_at: None,
            damage: Some(damage),
        }
    }
}

/// Where the meta group (or, without one, the data set) begins, and whether `DICM` says so.
fn start(window: &mut Window<'_>, head: &[u8]) -> Option<(u64, bool)> {
    let marked = head.get(128..132) == Some(b"DICM");
    let meta_follows = |at: usize| {
        head.get(at..at + 2) == Some(&[2, 0]) && head.get(at + 4..at + 6).is_some_and(is_vr)
    };
    if marked && meta_follows(132) {
        return Some((132, true));
    }
    if meta_follows(0) {
        return Some((0, false));
    }
    // The letters may stand there by chance, inside the data of a file without preamble.
    if guess_encoding(window, 0).is_some() {
        return Some((0, false));
    }
    marked.then_some((132, true))
}

fn is_vr(bytes: &[u8]) -> bool {
    <[u8; 2]>::try_from(bytes).is_ok_and(|name| super::dataset::Vr::from_bytes(name).is_some())
}

struct Meta {
    transfer_syntax_uid: Option<String>,
    media_storage_sop_class_uid: Option<String>,
    /// Where the data set begins.
    end: u64,
}

/// Walks group 0002 until another group begins; its length element is not asked, as it is often
/// missing or wrong.
fn read_meta(window: &mut Window<'_>, at: u64) -> Result<Meta, Damage> {
    let mut meta = Meta { transfer_syntax_uid: None, media_storage_sop_class_uid: None, end: at };
    while window.bytes(meta.end, 2)? == [2, 0] {
        let Some(head) = element_header(window, meta.end, Encoding::ExplicitLittle)? else { break };
        let bytes = window.bytes(head.value_at, head.length.min(1 << 16) as usize)?;
        let left = bytes.len() as u64;
        let text = || {
            let text = String::from_utf8_lossy(bytes);
            Some(text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned())
                .filter(|text| !text.is_empty())
        };
        match head.tag {
            Tag(0x0002_0002) => meta.media_storage_sop_class_uid = text(),
            Tag(0x0002_0010) => meta.transfer_syntax_uid = text(),
            _ => {}
        }
        let length = u64::from(head.length);
        if left < length.min(1 << 16) || head.length == u32::MAX {
            return Err(Damage::Truncated { tag: head.tag, at: head.value_at, length, left });
        }
        meta.end = head.value_at + length;
    }
    Ok(meta)
}

/// Which encoding makes sense of the elements at `at`.
fn guess_encoding(window: &mut Window<'_>, at: u64) -> Option<Encoding> {
    [Encoding::ExplicitLittle, Encoding::ImplicitLittle, Encoding::ExplicitBig]
        .into_iter()
        .find(|&encoding| is_plausible(window, at, encoding))
}

/// Whether the first elements from `at` on have known VRs, rising tags and values that fit.
fn is_plausible(window: &mut Window<'_>, at: u64, encoding: Encoding) -> bool {
    let len = window.known_len().unwrap_or(u64::MAX);
    let (mut at, mut last, mut count) = (at, Tag(0), 0);
    while count < 3 {
        if at == len && count > 0 {
            return true;
        }
        let Ok(bytes) = window.bytes(at, 8) else { return false };
        let explicit = bytes.get(4..6).is_some_and(is_vr);
        if explicit == (encoding == Encoding::ImplicitLittle) {
            return false;
        }
        let Ok(Some(head)) = element_header(window, at, encoding) else { return false };
        // A data set begins with group 0008; a few old ones with a group length or command group.
        if (count == 0 && !matches!(head.tag.group(), 0 | 4 | 8)) || (count > 0 && head.tag <= last)
        {
            return false;
        }
        if head.length == u32::MAX {
            return count > 0;
        }
        at = head.value_at + u64::from(head.length);
        if at > len {
            return false;
        }
        last = head.tag;
        count += 1;
    }
    true
}
