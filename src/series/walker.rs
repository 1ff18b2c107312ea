//! Walks the elements of a data set up to the pixel data, keeping what [`super::wanted`] lists.
//!
//! Own code, because the header of a real file is often not what the standard says: group 0002
//! without its length, no meta group at all, implicit elements inside an explicit data set,
//! sequences of undefined length in private elements. It steps over what it does not want, never
//! allocates what a file claims without the bytes being there, and ends at the first thing it
//! cannot make sense of, keeping what came before. Encoding: PS3.5 chapter 7.

use std::io;

use super::dataset::{DataSet, Element, Tag, Value, Vr};
use super::source::Window;
use super::wanted::wanted_vr;

/// A length of 32 ones: undefined, the value ends with a delimiter.
const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE_E000);
const ITEM_END: Tag = Tag(0xFFFE_E00D);
const SEQUENCE_END: Tag = Tag(0xFFFE_E0DD);
/// Sequences nested deeper than this are an attack, not a header.
const MAX_DEPTH: u32 = 32;
/// Values longer than this are none of those that are wanted.
const MAX_VALUE: u32 = 1 << 20;
/// Kept values of one header together, in bytes.
const MAX_KEPT: u64 = 64 << 20;

/// How elements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    ExplicitLittle,
    ImplicitLittle,
    ExplicitBig,
}

impl Encoding {
    pub(crate) const fn is_big_endian(self) -> bool {
        matches!(self, Self::ExplicitBig)
    }
}

/// Why a walk ended before the pixel data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("element {tag} at byte {at} claims {length} bytes, {left} are left")]
    Truncated { tag: Tag, at: u64, length: u64, left: u64 },
    #[error("no element can begin at byte {at}")]
    NotAnElement { at: u64 },
    #[error("sequences are nested deeper than {MAX_DEPTH} at byte {at}")]
    TooDeep { at: u64 },
    #[error("the header holds more than {} MiB of values", MAX_KEPT >> 20)]
    TooLong,
    #[error("{0}")]
    Unreadable(String),
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Where the pixel data stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PixelElement {
    pub(crate) tag: Tag,
    /// Of its value, from the start of the (inflated) source.
    pub(crate) offset: u64,
    /// `None` for encapsulated frames.
    pub(crate) length: Option<u64>,
}

/// What a walk found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walked {
    pub(crate) data_set: DataSet,
    pub(crate) pixel: Option<PixelElement>,
    /// A private element that is known to hold the pixels of a vendor's own compression.
    pub(crate) private_pixel: bool,
    /// Why the walk ended early.
    pub(crate) damage: Option<Damage>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ElementHeader {
    pub(crate) tag: Tag,
    /// As written, or from the table for implicit elements; `UN` where neither says.
    pub(crate) vr: Vr,
    pub(crate) length: u32,
    pub(crate) value_at: u64,
}

/// Reads the head of the element at `at`; `None` at the end of the source.
pub(crate) fn element_header(
    window: &mut Window<'_>,
    at: u64,
    encoding: Encoding,
) -> Result<Option<ElementHeader>, Damage> {
    let bytes = window.bytes(at, 12)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let half = |from: usize| -> Option<u16> {
        let pair: [u8; 2] = bytes.get(from..from + 2)?.try_into().ok()?;
        Some(if encoding.is_big_endian() {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        })
    };
    let whole = |from: usize| -> Option<u32> {
        let four: [u8; 4] = bytes.get(from..from + 4)?.try_into().ok()?;
        Some(if encoding.is_big_endian() {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        })
    };
    let broken = Damage::NotAnElement { at };
    let (Some(group), Some(element), Some(length)) = (half(0), half(2), whole(4)) else {
        // A few zero bytes behind the last element are padding.
        return if bytes.iter().all(|&b| b == 0) { Ok(None) } else { Err(broken) };
    };
    let tag = Tag(u32::from(group) << 16 | u32::from(element));
    if tag.group() == 0xFFFE || encoding == Encoding::ImplicitLittle {
        let vr = wanted_vr(tag).unwrap_or(Vr::UN);
        return Ok(Some(ElementHeader { tag, vr, length, value_at: at + 8 }));
    }
    let name: [u8; 2] = bytes.get(4..6).and_then(|b| b.try_into().ok()).unwrap_or_default();
    let (vr, long) = match Vr::from_bytes(name) {
        Some(vr) => (vr, vr.has_long_length()),
        // VRs that the standard may add later have the long form.
        None if name.iter().all(u8::is_ascii_uppercase) => (Vr::UN, true),
        // Some writers drop implicit elements into an explicit data set.
        None if encoding == Encoding::ExplicitLittle && length < MAX_VALUE => {
            let vr = wanted_vr(tag).unwrap_or(Vr::UN);
            return Ok(Some(ElementHeader { tag, vr, length, value_at: at + 8 }));
        }
        None => return Err(broken),
    };
    if long {
        let length = whole(8).ok_or(broken)?;
        Ok(Some(ElementHeader { tag, vr, length, value_at: at + 12 }))
    } else {
        let length = half(6).ok_or(broken)?.into();
        Ok(Some(ElementHeader { tag, vr, length, value_at: at + 8 }))
    }
}

/// Walks the data set that begins at `at` and ends with its pixel data or the source.
pub(crate) fn walk(window: &mut Window<'_>, at: u64, encoding: Encoding) -> Walked {
    let mut walker = Walker { window, kept: 0, private_pixel: false };
    let mut walked = Walked::default();
    walked.data_set.big_endian = encoding.is_big_endian();
    let mut at = at;
    loop {
        match walker.step(&mut walked, at, encoding) {
            Ok(Some(next)) => at = next,
            Ok(None) => break,
            Err(damage) => {
                walked.damage = Some(damage);
                break;
            }
        }
    }
    walked.private_pixel = walker.private_pixel;
    walked
}

struct Walker<'a, 'b> {
    window: &'a mut Window<'b>,
    kept: u64,
    private_pixel: bool,
}

impl Walker<'_, '_> {
    /// One element of the outermost data set; gives where the next begins.
    fn step(
        &mut self,
        walked: &mut Walked,
        at: u64,
        encoding: Encoding,
    ) -> Result<Option<u64>, Damage> {
        let Some(head) = element_header(self.window, at, encoding)? else { return Ok(None) };
        match head.tag {
            // Float, double float and integer pixel data.
            Tag(0x7FE0_0008..=0x7FE0_0010) => {
                let length = (head.length != UNDEFINED).then_some(u64::from(head.length));
                walked.pixel = Some(PixelElement { tag: head.tag, offset: head.value_at, length });
                Ok(None)
            }
            // Stray delimiters outside any sequence are stepped over.
            ITEM | ITEM_END | SEQUENCE_END => Ok(Some(at + 8)),
            // ELSCINT1 PMSCT_RLE1.
            Tag(0x07A1_100A) => {
                self.private_pixel = true;
                self.skip(head, encoding, 0).map(Some)
            }
            _ => self.element(&mut walked.data_set, head, encoding, 0).map(Some),
        }
    }

    /// Keeps or skips an element; gives where the next begins.
    fn element(
        &mut self,
        into: &mut DataSet,
        head: ElementHeader,
        encoding: Encoding,
        depth: u32,
    ) -> Result<u64, Damage> {
        let Some(wanted) = wanted_vr(head.tag) else { return self.skip(head, encoding, depth) };
        if wanted == Vr::SQ {
            // A sequence written as UN of undefined length is implicit inside (PS3.5 6.2.2).
            let inner = if head.vr == Vr::UN { Encoding::ImplicitLittle } else { encoding };
            let (items, next) = self.items(head, inner, depth)?;
            into.elements.push(Element { tag: head.tag, vr: Vr::SQ, value: Value::Items(items) });
            return Ok(next);
        }
        if head.length == UNDEFINED || head.length > MAX_VALUE {
            return self.skip(head, encoding, depth);
        }
        self.kept += u64::from(head.length) + 64;
        if self.kept > MAX_KEPT {
            return Err(Damage::TooLong);
        }
        let bytes = self.window.bytes(head.value_at, head.length as usize)?;
        if (bytes.len() as u64) < u64::from(head.length) {
            return Err(Damage::Truncated {
                tag: head.tag,
                at: head.value_at,
                length: head.length.into(),
                left: bytes.len() as u64,
            });
        }
        let value = Value::Bytes(bytes.to_vec());
        into.elements.push(Element { tag: head.tag, vr: head.vr, value });
        Ok(head.value_at + u64::from(head.length))
    }

    /// The items of a wanted sequence.
    fn items(
        &mut self,
        head: ElementHeader,
        encoding: Encoding,
        depth: u32,
    ) -> Result<(Vec<DataSet>, u64), Damage> {
        let mut at = head.value_at;
        if depth >= MAX_DEPTH {
            return Err(Damage::TooDeep { at });
        }
        let end = self.end_of(head)?;
        let mut items = Vec::new();
        while end.is_none_or(|end| at < end) {
            let item = self.item_header(at, encoding)?;
            match item.tag {
                SEQUENCE_END => return Ok((items, end.unwrap_or(item.value_at))),
                ITEM => {
                    let (data_set, next) = self.item(item, encoding, depth + 1)?;
                    self.kept += 64;
                    if self.kept > MAX_KEPT {
                        return Err(Damage::TooLong);
                    }
                    items.push(data_set);
                    at = next;
                }
                _ => return Err(Damage::NotAnElement { at }),
            }
        }
        Ok((items, end.unwrap_or(at)))
    }

    fn item(
        &mut self,
        item: ElementHeader,
        encoding: Encoding,
        depth: u32,
    ) -> Result<(DataSet, u64), Damage> {
        let mut data_set = DataSet { elements: Vec::new(), big_endian: encoding.is_big_endian() };
        let end = self.end_of(item)?;
        let mut at = item.value_at;
        while end.is_none_or(|end| at < end) {
            let head =
                element_header(self.window, at, encoding)?.ok_or(Damage::NotAnElement { at })?;
            if head.tag == ITEM_END {
                return Ok((data_set, end.unwrap_or(head.value_at)));
            }
            at = self.element(&mut data_set, head, encoding, depth)?;
        }
        Ok((data_set, end.unwrap_or(at)))
    }

    /// Steps over an element; gives where the next begins.
    fn skip(&mut self, head: ElementHeader, encoding: Encoding, depth: u32) -> Result<u64, Damage> {
        if let Some(end) = self.end_of(head)? {
            return Ok(end);
        }
        if depth >= MAX_DEPTH {
            return Err(Damage::TooDeep { at: head.value_at });
        }
        let inner = if head.vr == Vr::UN { Encoding::ImplicitLittle } else { encoding };
        let fragments = matches!(head.vr, Vr::OB | Vr::OW) || head.tag == Tag(0x7FE0_0010);
        let mut at = head.value_at;
        loop {
            let item = self.item_header(at, encoding)?;
            at = match item.tag {
                SEQUENCE_END => return Ok(item.value_at),
                ITEM => match self.end_of(item)? {
                    Some(end) => end,
                    None if fragments => return Err(Damage::NotAnElement { at }),
                    None => self.skip_item(item.value_at, inner, depth + 1)?,
                },
                _ => return Err(Damage::NotAnElement { at }),
            };
        }
    }

    fn skip_item(&mut self, at: u64, encoding: Encoding, depth: u32) -> Result<u64, Damage> {
        let mut at = at;
        loop {
            let head =
                element_header(self.window, at, encoding)?.ok_or(Damage::NotAnElement { at })?;
            if head.tag == ITEM_END {
                return Ok(head.value_at);
            }
            at = self.skip(head, encoding, depth)?;
        }
    }

    fn item_header(&mut self, at: u64, encoding: Encoding) -> Result<ElementHeader, Damage> {
        element_header(self.window, at, encoding)?.ok_or(Damage::NotAnElement { at })
    }

    /// Where a value of defined length ends; an error when the source ends before.
    fn end_of(&self, head: ElementHeader) -> Result<Option<u64>, Damage> {
        if head.length == UNDEFINED {
            return Ok(None);
        }
        let end = head.value_at + u64::from(head.length);
        match self.window.known_len() {
            Some(len) if end > len => Err(Damage::Truncated {
                tag: head.tag,
                at: head.value_at,
                length: head.length.into(),
                left: len.saturating_sub(head.value_at),
            }),
            _ => Ok(Some(end)),
        }
    }
}
