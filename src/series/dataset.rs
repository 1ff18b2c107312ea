//! The kept elements of a header and how their values are read: tolerant of padding, of missing
//! and of nonsensical values, which all read as "not there".

use std::borrow::Cow;

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

use super::wanted::{SPECIFIC_CHARACTER_SET, wanted_vr};

/// Group and element number, `0xGGGG_EEEE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag(pub(crate) u32);

impl Tag {
    pub(crate) const fn group(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:04X},{:04X})", self.0 >> 16, self.0 & 0xFFFF)
    }
}

/// Value representations (PS3.5 section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Vr {
    AE, AS, AT, CS, DA, DS, DT, FD, FL, IS, LO, LT, OB, OD, OF, OL, OV, OW, PN, SH, SL, SQ, SS,
    ST, SV, TM, UC, UI, UL, UN, UR, US, UT, UV,
}

impl Vr {
    pub(crate) fn from_bytes(bytes: [u8; 2]) -> Option<Self> {
        Some(match &bytes {
            b"AE" => Self::AE,
            b"AS" => Self::AS,
            b"AT" => Self::AT,
            b"CS" => Self::CS,
            b"DA" => Self::DA,
            b"DS" => Self::DS,
            b"DT" => Self::DT,
            b"FD" => Self::FD,
            b"FL" => Self::FL,
            b"IS" => Self::IS,
            b"LO" => Self::LO,
            b"LT" => Self::LT,
            b"OB" => Self::OB,
            b"OD" => Self::OD,
            b"OF" => Self::OF,
            b"OL" => Self::OL,
            b"OV" => Self::OV,
            b"OW" => Self::OW,
            b"PN" => Self::PN,
            b"SH" => Self::SH,
            b"SL" => Self::SL,
            b"SQ" => Self::SQ,
            b"SS" => Self::SS,
            b"ST" => Self::ST,
            b"SV" => Self::SV,
            b"TM" => Self::TM,
            b"UC" => Self::UC,
            b"UI" => Self::UI,
            b"UL" => Self::UL,
            b"UN" => Self::UN,
            b"UR" => Self::UR,
            b"US" => Self::US,
            b"UT" => Self::UT,
            b"UV" => Self::UV,
            _ => return None,
        })
    }

    /// Whether its explicit form has two reserved bytes and a length of 32 bits.
    pub(crate) const fn has_long_length(self) -> bool {
        matches!(
            self,
            Self::OB
                | Self::OD
                | Self::OF
                | Self::OL
                | Self::OV
                | Self::OW
                | Self::SQ
                | Self::SV
                | Self::UC
                | Self::UN
                | Self::UR
                | Self::UT
                | Self::UV
        )
    }
}

/// The value of a kept element.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    Items(Vec<DataSet>),
}

/// A kept element.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) tag: Tag,
    pub(crate) vr: Vr,
    pub(crate) value: Value,
}

/// The kept elements of a data set or item, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataSet {
    pub(crate) elements: Vec<Element>,
    pub(crate) big_endian: bool,
}

impl DataSet {
    /// The first element with this tag: a repeated one is a defect and does not overrule it.
    pub(crate) fn get(&self, tag: Tag) -> Option<&Element> {
        self.elements.iter().find(|element| element.tag == tag)
    }

    fn bytes(&self, tag: Tag) -> Option<(Vr, &[u8])> {
        match self.get(tag)? {
            Element { vr, value: Value::Bytes(bytes), .. } => Some((*vr, bytes)),
            Element { value: Value::Items(_), .. } => None,
        }
    }

    /// The items of a sequence; empty where it is missing.
    pub(crate) fn items(&self, tag: Tag) -> &[Self] {
        match self.get(tag) {
            Some(Element { value: Value::Items(items), .. }) => items,
            _ => &[],
        }
    }

    /// The text of an element as it stands there, padding and control characters taken off.
    /// `None` where nothing is left.
    pub(crate) fn text(&self, tag: Tag) -> Option<String> {
        let (_, bytes) = self.bytes(tag)?;
        let text = decode_text(bytes, || self.character_set());
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The values of an element with several, each trimmed.
    pub(crate) fn texts(&self, tag: Tag) -> Vec<String> {
        match self.text(tag) {
            Some(text) => text.split('\\').map(|part| part.trim().to_owned()).collect(),
            None => Vec::new(),
        }
    }

    /// A UID; `None` where it is empty. Whether it is valid is another question.
    pub(crate) fn uid(&self, tag: Tag) -> Option<String> {
        self.text(tag)
    }

    /// The numbers of an element, text or binary; `None` when one of them is no finite number.
    pub(crate) fn numbers(&self, tag: Tag) -> Option<Vec<f64>> {
        let (vr, bytes) = self.bytes(tag)?;
        // A writer that did not know the element wrote UN: the dictionary knows.
        let vr = if vr == Vr::UN { wanted_vr(tag)? } else { vr };
        let big = self.big_endian;
        let values: Vec<f64> = match vr {
            Vr::US | Vr::OW => {
                words::<2>(bytes, big).map(|b| u16::from_le_bytes(b).into()).collect()
            }
            Vr::SS => words::<2>(bytes, big).map(|b| i16::from_le_bytes(b).into()).collect(),
            Vr::UL | Vr::OL => {
                words::<4>(bytes, big).map(|b| u32::from_le_bytes(b).into()).collect()
            }
            Vr::SL => words::<4>(bytes, big).map(|b| i32::from_le_bytes(b).into()).collect(),
            Vr::FL | Vr::OF => {
                words::<4>(bytes, big).map(|b| f32::from_le_bytes(b).into()).collect()
            }
            Vr::FD | Vr::OD => words::<8>(bytes, big).map(f64::from_le_bytes).collect(),
            _ => {
                let text = std::str::from_utf8(bytes).ok()?;
                text.trim_matches(is_padding)
                    .split('\\')
                    .map(|part| part.trim_matches(is_padding).parse().ok())
                    .collect::<Option<_>>()?
            }
        };
        (!values.is_empty() && values.iter().all(|v| v.is_finite())).then_some(values)
    }

    /// The first number of an element.
    pub(crate) fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag)?.first().copied()
    }

    /// Exactly `N` numbers.
    pub(crate) fn array<const N: usize>(&self, tag: Tag) -> Option<[f64; N]> {
        self.numbers(tag)?.try_into().ok()
    }

    /// A single whole number that fits 16 bits.
    pub(crate) fn single_u16(&self, tag: Tag) -> Option<u16> {
        let [value] = self.array(tag)?;
        (value >= 0.0 && value <= f64::from(u16::MAX) && value.fract() == 0.0)
            .then_some(value as u16)
    }

    /// The raw bytes as 64-bit offsets.
    pub(crate) fn offsets(&self, tag: Tag) -> Vec<u64> {
        match self.bytes(tag) {
            Some((_, bytes)) => {
                words::<8>(bytes, self.big_endian).map(u64::from_le_bytes).collect()
            }
            None => Vec::new(),
        }
    }

    fn character_set(&self) -> Option<SpecificCharacterSet> {
        let (_, bytes) = self.bytes(SPECIFIC_CHARACTER_SET)?;
        let codes = std::str::from_utf8(bytes).ok()?;
        // The first value is the one in force at the start of a text; it may be empty.
        codes
            .split('\\')
            .map(|code| code.trim_matches(is_padding))
            .filter(|code| !code.is_empty())
            .find_map(SpecificCharacterSet::from_code)
    }
}

fn is_padding(c: char) -> bool {
    c == '\0' || c.is_whitespace()
}

fn decode_text(bytes: &[u8], set: impl Fn() -> Option<SpecificCharacterSet>) -> Cow<'_, str> {
    if bytes.is_ascii() {
        return String::from_utf8_lossy(bytes);
    }
    match set().and_then(|set| set.decode(bytes).ok()) {
        Some(text) => Cow::Owned(text),
        // Nothing rests on these letters: readable parts are kept.
        None => String::from_utf8_lossy(bytes),
    }
}

/// The whole words of `bytes`, each brought to little endian.
fn words<const N: usize>(bytes: &[u8], big_endian: bool) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).filter_map(move |chunk| {
        let mut word: [u8; N] = chunk.try_into().ok()?;
        if big_endian {
            word.reverse();
        }
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::wanted::{
        IMAGE_POSITION_PATIENT, IMAGE_TYPE, ROWS, SERIES_DESCRIPTION, SLICE_THICKNESS,
    };

    fn one(tag: Tag, vr: Vr, bytes: &[u8]) -> DataSet {
        let element = Element { tag, vr, value: Value::Bytes(bytes.to_vec()) };
        DataSet { elements: vec![element], big_endian: false }
    }

    #[test]
    fn malformed_decimals_read_as_not_there() {
        assert_eq!(one(SLICE_THICKNESS, Vr::DS, b"  ").number(SLICE_THICKNESS), None);
        assert_eq!(one(SLICE_THICKNESS, Vr::DS, b"1,5 ").number(SLICE_THICKNESS), None);
        assert_eq!(one(SLICE_THICKNESS, Vr::DS, b"NaN ").number(SLICE_THICKNESS), None);
        assert_eq!(one(SLICE_THICKNESS, Vr::DS, b"2.5\0").number(SLICE_THICKNESS), Some(2.5));
        let two = one(IMAGE_POSITION_PATIENT, Vr::DS, b"1\\2 ");
        assert_eq!(two.array::<3>(IMAGE_POSITION_PATIENT), None);
    }

    #[test]
    fn rows_with_two_values_are_no_size() {
        assert_eq!(one(ROWS, Vr::US, &[0, 128, 0, 0]).single_u16(ROWS), None);
        assert_eq!(one(ROWS, Vr::US, &[0, 2]).single_u16(ROWS), Some(512));
    }

    #[test]
    fn text_is_decoded_by_its_character_set_and_survives_an_unknown_one() {
        let mut set = one(SERIES_DESCRIPTION, Vr::LO, b"Wirbels\xe4ule ");
        assert!(set.text(SERIES_DESCRIPTION).unwrap().starts_with("Wirbels"));
        set.elements.push(Element {
            tag: SPECIFIC_CHARACTER_SET,
            vr: Vr::CS,
            value: Value::Bytes(b"ISO_IR 100".to_vec()),
        });
        assert_eq!(set.text(SERIES_DESCRIPTION).as_deref(), Some("Wirbelsäule"));
    }

    #[test]
    fn values_are_split_and_trimmed() {
        let set = one(IMAGE_TYPE, Vr::CS, b"ORIGINAL\\PRIMARY \\AXIAL\0");
        assert_eq!(set.texts(IMAGE_TYPE), ["ORIGINAL", "PRIMARY", "AXIAL"]);
    }
}
