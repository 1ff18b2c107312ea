//! What the labels of a mask mean.
//!
//! | numbering | vertebrae | others that are read |
//! |---|---|---|
//! | TotalSegmentator (`total`, version 2) | 26 S1, 27 to 31 L5 to L1, 32 to 43 T12 to T1, 44 to 50 C7 to C1 | 25 sacrum, 79 cord, 92 to 103 left and 104 to 115 right ribs 1 to 12 |
//! | VerSe | 1 to 7 C1 to C7, 8 to 19 T1 to T12, 20 to 25 L1 to L6, 28 T13 | 26 sacrum, 27 coccyx |
//! | SPINEPS (vertebra map) | as VerSe | 100 + n disc below, 200 + n endplates of vertebra n; 26, 29 to 33 sacrum and coccyx |
//! | SPINEPS (subregion map) | none | 41 to 48 arch and processes, 49 and 50 body, 60 cord, 61 canal, 62 endplate, 100 disc |
//! | count | any number: one vertebra each, without a level | |
//!
//! Names in the file (label table, `SegmentLabel`, or the name of a file with one label) say more
//! than numbers and go before them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::terms::Level;

/// A numbering of labels.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MaskLabels {
    /// `total` of `TotalSegmentator` 2.
    Totalsegmentator,
    /// VerSe 2019 and 2020.
    Verse,
    /// SPINEPS: vertebra maps and subregion maps.
    Spineps,
    /// Each label is one vertebra whose level is not told (`--label-maps` of this program).
    Count,
}

/// What a label stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Structure {
    /// A vertebra, or what the mask has of it.
    Vertebra(VertebraLabel),
    /// The body of whichever vertebra lies there.
    Body,
    /// Arch and processes of whichever vertebra lies there.
    Arch,
    /// The spinal canal.
    Canal,
    /// The spinal cord.
    Cord,
    /// Sacrum (as one bone): an anchor for levels.
    Sacrum,
    /// A rib, 1 to 12: an anchor for levels where it is the first or last.
    Rib(u8),
    /// Anything else.
    Other,
}

/// Which vertebra.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VertebraLabel {
    /// By level.
    Level(Level),
    /// By a number that says nothing of the level.
    Number(u16),
}

impl VertebraLabel {
    /// The level, where the label says it.
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::Level(level) => Some(level),
            Self::Number(_) => None,
        }
    }
}

/// The meaning of each label of a mask, and where it was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// By label.
    pub structures: BTreeMap<u16, Structure>,
    /// `None` where names said it.
    pub numbering: Option<MaskLabels>,
}

impl Meaning {
    /// Words for the source of the levels.
    pub fn source(&self) -> String {
        match self.numbering {
            None => "names in the file".to_owned(),
            Some(numbering) => format!("{numbering} numbering"),
        }
    }

    /// Whether a label stands for a vertebra.
    pub fn has_vertebrae(&self) -> bool {
        self.structures.values().any(|s| matches!(s, Structure::Vertebra(_)))
    }
}

/// Why labels cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberingError {
    /// A mask without any label.
    #[error("the mask is empty")]
    Empty,
    /// A label that the numbering does not have.
    #[error("label {label} does not belong to the {numbering} numbering")]
    UnknownLabel {
        /// The label.
        label: u16,
        /// The numbering.
        numbering: MaskLabels,
    },
    /// A name that speaks of a vertebra and tells no level.
    #[error("label {label} is named '{name}', which tells no vertebral level")]
    UnknownName {
        /// The label.
        label: u16,
        /// Its name.
        name: String,
    },
    /// Nothing in it belongs to the spine.
    #[error("no label is a vertebra or a part of one (labels {labels:?})")]
    NoSpine {
        /// The labels.
        labels: Vec<u16>,
    },
    /// The labels fit more than one numbering, or might be a plain count.
    #[error("labels {labels:?} could be {}", candidates.join(" or "))]
    Ambiguous {
        /// The labels.
        labels: Vec<u16>,
        /// What they could be.
        candidates: Vec<String>,
    },
}

impl NumberingError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoSpine { .. } => "give a mask with vertebrae",
            Self::UnknownLabel { .. } | Self::Ambiguous { .. } => {
                "name the numbering with --mask-labels totalsegmentator, verse, spineps or count"
            }
            Self::UnknownName { .. } => "name vertebrae as L1 or vertebrae_L1",
        }
    }
}

/// What one label means in a numbering; `None` where the numbering does not have it.
pub fn structure(numbering: MaskLabels, label: u16) -> Option<Structure> {
    let level = |n: usize| Level::VARIANTS.get(n).map(|&l| named(l));
    match numbering {
        MaskLabels::Count => Some(Structure::Vertebra(VertebraLabel::Number(label))),
        MaskLabels::Totalsegmentator => match label {
            25 => Some(Structure::Sacrum),
            26 => Some(named(Level::S1)),
            // T13 and L6 have no label: C1 is the first, L5 the nineteenth after C7.
            27..=31 => level(Level::L5 as usize - usize::from(label - 27)),
            32..=43 => level(Level::T12 as usize - usize::from(label - 32)),
            44..=50 => level(Level::C7 as usize - usize::from(label - 44)),
            79 => Some(Structure::Cord),
            92..=103 => Some(Structure::Rib((label - 91) as u8)),
            104..=115 => Some(Structure::Rib((label - 103) as u8)),
            1..=117 => Some(Structure::Other),
            _ => None,
        },
        MaskLabels::Verse => verse(label),
        MaskLabels::Spineps => match label {
            29..=33 => Some(Structure::Sacrum),
            41..=48 => Some(Structure::Arch),
            49 | 50 => Some(Structure::Body),
            60 => Some(Structure::Cord),
            61 => Some(Structure::Canal),
            62..=64 | 100..=133 | 200..=233 => Some(Structure::Other),
            _ => verse(label),
        },
    }
}

const fn named(level: Level) -> Structure {
    Structure::Vertebra(VertebraLabel::Level(level))
}

fn verse(label: u16) -> Option<Structure> {
    let level = |n: usize| Level::VARIANTS.get(n).map(|&l| named(l));
    match label {
        1..=19 => level(usize::from(label) - 1),
        20..=25 => level(Level::L1 as usize + usize::from(label - 20)),
        26 => Some(Structure::Sacrum),
        27 => Some(Structure::Other),
        28 => Some(named(Level::T13)),
        _ => None,
    }
}

/// What a name means; `None` where it tells nothing of the spine.
fn by_name(label: u16, name: &str) -> Result<Structure, NumberingError> {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let spoken =
        |word: &&&str| ["vertebra", "vertebrae", "vertebral", "level", "of", "the"].contains(*word);
    let level = |word: &str| {
        Level::VARIANTS.iter().copied().find(|l| l.to_string().eq_ignore_ascii_case(word))
    };
    let rest: Vec<&str> = words.iter().filter(|w| !spoken(w)).copied().collect();
    let structure = match rest.as_slice() {
        [word] if level(word).is_some() => level(word).map(named),
        // `--label-maps` of this program: v1, v2 …
        [word] if word.strip_prefix('v').is_some_and(|n| n.parse::<u16>().is_ok()) => {
            Some(Structure::Vertebra(VertebraLabel::Number(label)))
        }
        ["sacrum"] => Some(Structure::Sacrum),
        ["spinal", "cord"] => Some(Structure::Cord),
        ["spinal", "canal"] => Some(Structure::Canal),
        ["body" | "corpus"] if words.len() > 1 => Some(Structure::Body),
        ["rib", "left" | "right", n] => {
            n.parse().ok().filter(|n| (1..=12).contains(n)).map(Structure::Rib)
        }
        _ => None,
    };
    match structure {
        Some(structure) => Ok(structure),
        None if words.iter().any(|w| w.starts_with("vertebra")) => {
            Err(NumberingError::UnknownName { label, name: name.to_owned() })
        }
        None => Ok(Structure::Other),
    }
}

/// What the labels of one mask mean.
///
/// `asked` is the numbering that the user named; without it names decide, and without names the
/// numbers, where only one numbering fits. `file_stem` names a mask with one label.
///
/// # Errors
/// [`NumberingError`]; a label is never guessed.
pub fn meaning(
    labels: &[u16],
    names: &BTreeMap<u16, String>,
    file_stem: &str,
    asked: Option<MaskLabels>,
) -> Result<Meaning, NumberingError> {
    if labels.is_empty() {
        return Err(NumberingError::Empty);
    }
    if let Some(numbering) = asked {
        return by_number(labels, numbering);
    }
    let mut names = names.clone();
    if let ([only], true) = (labels, names.is_empty()) {
        // One file a structure, as TotalSegmentator writes by default.
        if !matches!(by_name(*only, file_stem), Ok(Structure::Other) | Err(_)) {
            names.insert(*only, file_stem.to_owned());
        }
    }
    if labels.iter().all(|label| names.contains_key(label)) {
        let structures = labels
            .iter()
            .filter_map(|&label| Some((label, names.get(&label)?)))
            .map(|(label, name)| Ok((label, by_name(label, name)?)))
            .collect::<Result<BTreeMap<_, _>, NumberingError>>()?;
        let meaning = Meaning { structures, numbering: None };
        if meaning.structures.values().any(|s| *s != Structure::Other) {
            return Ok(meaning);
        }
    }
    by_numbers_alone(labels)
}

fn by_number(labels: &[u16], numbering: MaskLabels) -> Result<Meaning, NumberingError> {
    let structures = labels
        .iter()
        .map(|&label| {
            let structure = structure(numbering, label)
                .ok_or(NumberingError::UnknownLabel { label, numbering })?;
            Ok((label, structure))
        })
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    if structures.values().all(|s| *s == Structure::Other) {
        return Err(NumberingError::NoSpine { labels: labels.to_vec() });
    }
    Ok(Meaning { structures, numbering: Some(numbering) })
}

fn by_numbers_alone(labels: &[u16]) -> Result<Meaning, NumberingError> {
    let of_spine = |m: &Meaning| {
        m.structures
            .values()
            .any(|s| matches!(s, Structure::Vertebra(_) | Structure::Body | Structure::Arch))
    };
    let mut fitting: Vec<Meaning> = Vec::new();
    let known = [MaskLabels::Totalsegmentator, MaskLabels::Verse, MaskLabels::Spineps];
    for meaning in known.into_iter().filter_map(|n| by_number(labels, n).ok()).filter(of_spine) {
        // Two numberings that say the same are one answer.
        if fitting.iter().all(|other| other.structures != meaning.structures) {
            fitting.push(meaning);
        }
    }
    let mut candidates: Vec<String> =
        fitting.iter().filter_map(|m| m.numbering).map(|n| n.to_string()).collect();
    // 1, 2, 3 …: as likely a count of vertebrae as the neck.
    let plain_count = labels.iter().zip(1u16..).all(|(&label, n)| label == n);
    if plain_count {
        candidates.push(MaskLabels::Count.to_string());
    }
    match (fitting.pop(), candidates.len()) {
        (Some(one), 1) => Ok(one),
        (None, 0) => Err(NumberingError::NoSpine { labels: labels.to_vec() }),
        _ => Err(NumberingError::Ambiguous { labels: labels.to_vec(), candidates }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(numbering: MaskLabels, label: u16) -> Option<Level> {
        match structure(numbering, label)? {
            Structure::Vertebra(v) => v.level(),
            _ => None,
        }
    }

    #[test]
    fn the_published_tables_are_followed_at_their_ends() {
        use MaskLabels::{Spineps, Totalsegmentator as Total, Verse};
        for (numbering, label, expected) in [
            (Total, 26, Level::S1),
            (Total, 27, Level::L5),
            (Total, 31, Level::L1),
            (Total, 32, Level::T12),
            (Total, 43, Level::T1),
            (Total, 44, Level::C7),
            (Total, 50, Level::C1),
            (Verse, 1, Level::C1),
            (Verse, 7, Level::C7),
            (Verse, 8, Level::T1),
            (Verse, 19, Level::T12),
            (Verse, 20, Level::L1),
            (Verse, 25, Level::L6),
            (Verse, 28, Level::T13),
            (Spineps, 22, Level::L3),
        ] {
            assert_eq!(level(numbering, label), Some(expected), "{numbering} {label}");
        }
        assert_eq!(structure(Verse, 29), None);
        assert_eq!(structure(Total, 118), None);
        assert_eq!(structure(Total, 95), Some(Structure::Rib(4)));
        assert_eq!(structure(Total, 115), Some(Structure::Rib(12)));
    }

    #[test]
    fn numbers_that_only_one_numbering_explains_are_recognised() {
        let of = |labels: &[u16]| meaning(labels, &BTreeMap::new(), "x", None);
        assert_eq!(of(&[19, 20, 21]).unwrap().numbering, Some(MaskLabels::Verse));
        let with_discs = of(&[20, 21, 120, 220]).unwrap();
        assert_eq!(with_discs.numbering, Some(MaskLabels::Spineps));
        assert!(of(&[52, 90]).unwrap_err().to_string().contains("no label"));
    }

    #[test]
    fn numbers_that_two_numberings_explain_differently_are_refused() {
        let of = |labels: &[u16]| meaning(labels, &BTreeMap::new(), "x", None);
        // TotalSegmentator: S1 and L4; VerSe: sacrum and T13.
        assert!(matches!(of(&[26, 28]), Err(NumberingError::Ambiguous { .. })));
        // The neck, or a count.
        assert!(matches!(of(&[1, 2, 3]), Err(NumberingError::Ambiguous { .. })));
        let asked = meaning(&[1, 2, 3], &BTreeMap::new(), "x", Some(MaskLabels::Count)).unwrap();
        assert!(
            asked
                .structures
                .values()
                .all(|s| matches!(s, Structure::Vertebra(v) if v.level().is_none()))
        );
    }

    #[test]
    fn an_unknown_label_is_an_error_that_names_it() {
        let error = meaning(&[20, 77], &BTreeMap::new(), "x", Some(MaskLabels::Verse));
        assert_eq!(
            error,
            Err(NumberingError::UnknownLabel { label: 77, numbering: MaskLabels::Verse })
        );
    }

    #[test]
    fn names_go_before_numbers() {
        let names: BTreeMap<u16, String> =
            [(1, "vertebrae_L1"), (2, "L2 vertebra"), (3, "liver"), (4, "rib_left_12")]
                .map(|(n, name)| (n, name.to_owned()))
                .into();
        let found = meaning(&[1, 2, 3, 4], &names, "x", None).unwrap();
        assert_eq!(found.structures[&1], named(Level::L1));
        assert_eq!(found.structures[&2], named(Level::L2));
        assert_eq!(found.structures[&3], Structure::Other);
        assert_eq!(found.structures[&4], Structure::Rib(12));
        let stem = meaning(&[1], &BTreeMap::new(), "vertebrae_T7", None).unwrap();
        assert_eq!(stem.structures[&1], named(Level::T7));
        let odd = BTreeMap::from([(1, "vertebra middle".to_owned())]);
        assert!(matches!(meaning(&[1], &odd, "x", None), Err(NumberingError::UnknownName { .. })));
    }
}
