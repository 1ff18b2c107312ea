//! Truth as CSV: one table of vertebrae or of lesions, of one series or of many.
//!
//! Columns, in any order, other columns are notes:
//! - which series: `study_id`, `series_id`, `folder` (each optional), `patient`;
//! - vertebrae: `level` (may be empty), `x_mm`, `y_mm`, `z_mm` (LPS), `fraction_in_view`;
//! - lesions (a table with a column `feature`): `feature`, `x_mm`, `y_mm`, `z_mm`, `volume_mm3` or
//!   `diameter_mm`, `level`, `contrast`, `contrast_unit`, `ignored` (true/false). A row with an
//!   empty `feature` says that the series was looked at and has no lesion.

use std::collections::BTreeMap;

use super::truth::{TrueSizes, Truth, TruthError, TruthLesion, TruthVertebra};
use crate::geometry::LpsPoint;

/// The truth of one series out of a table, with the folder it names.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthRow {
    /// Value of the column `folder`.
    pub folder: Option<String>,
    /// What the table says of the series.
    pub truth: Truth,
}

/// Reads a table of vertebrae or lesions; one entry for each series, in the order of their first
/// rows.
///
/// # Errors
/// When a column is missing, a value is no number, or a level or feature is unknown.
pub fn parse_csv(text: &str) -> Result<Vec<TruthRow>, TruthError> {
    let mut records = records(text)?.into_iter();
    let Some((header_line, header)) = records.next() else {
        return Err(TruthError::Empty);
    };
    let columns: BTreeMap<&str, usize> =
        header.iter().enumerate().map(|(n, name)| (name.trim(), n)).collect();
    let lesions = columns.contains_key("feature");
    let needed: &[&str] =
        if lesions { &["x_mm", "y_mm", "z_mm"] } else { &["level", "x_mm", "y_mm", "z_mm"] };
    for name in needed {
        if !columns.contains_key(name) {
            return Err(TruthError::Table {
                line: header_line,
                what: format!(
                    "the column {name} is missing (columns are level, x_mm, y_mm, z_mm, fraction_in_view for vertebrae; feature, x_mm, y_mm, z_mm, volume_mm3 or diameter_mm for lesions)"
                ),
            });
        }
    }
    let mut order: Vec<[Option<String>; 3]> = Vec::new();
    let mut rows: Vec<TruthRow> = Vec::new();
    for (line, record) in records {
        if record.len() != header.len() {
            return Err(TruthError::Table {
                line,
                what: format!("{} values, the header has {} columns", record.len(), header.len()),
            });
        }
        let row = Row { line, columns: &columns, record: &record };
        let key = ["study_id", "series_id", "folder"].map(|name| row.text(name));
        let at = order.iter().position(|known| *known == key).unwrap_or_else(|| {
            order.push(key.clone());
            let [study_id, series_id, folder] = key;
            let truth =
                Truth { study_id, series_id, patient: row.text("patient"), ..Truth::default() };
            rows.push(TruthRow { folder, truth });
            rows.len() - 1
        });
        let Some(entry) = rows.get_mut(at) else { continue };
        if lesions {
            let list = entry.truth.lesions.get_or_insert_default();
            list.extend(row.lesion()?);
        } else {
            let list = entry.truth.vertebrae.get_or_insert_default();
            list.push(row.vertebra()?);
        }
    }
    rows.into_iter()
        .map(|row| Ok(TruthRow { folder: row.folder, truth: row.truth.checked()? }))
        .collect()
}

struct Row<'a> {
    line: usize,
    columns: &'a BTreeMap<&'a str, usize>,
    record: &'a [String],
}

impl Row<'_> {
    /// The value of a column; `None` where the column is missing or the value empty.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.record.get(*self.columns.get(name)?)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn wrong(&self, name: &str, given: Option<&str>, expected: &str) -> TruthError {
        let given = given.map_or_else(|| "empty".to_owned(), |text| format!("'{text}'"));
        TruthError::Table {
            line: self.line,
            what: format!("{name} is {given}, expected {expected}"),
        }
    }

    fn optional<T: std::str::FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, TruthError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.wrong(name, Some(&text), expected))
    }

    fn number(&self, name: &str) -> Result<f64, TruthError> {
        self.optional(name, "a number")?.ok_or_else(|| self.wrong(name, None, "a number"))
    }

    fn place(&self) -> Result<LpsPoint, TruthError> {
        Ok(LpsPoint::new(self.number("x_mm")?, self.number("y_mm")?, self.number("z_mm")?))
    }

    fn vertebra(&self) -> Result<TruthVertebra, TruthError> {
        Ok(TruthVertebra {
            level: self.optional("level", "C1 to C7, T1 to T13, L1 to L6, S1 or nothing")?,
            centroid_lps_mm: self.place()?,
            fraction_in_view: self.optional("fraction_in_view", "0 to 1")?.unwrap_or(1.0),
            measurements: TrueSizes::default(),
        })
    }

    fn lesion(&self) -> Result<Option<TruthLesion>, TruthError> {
        let Some(feature) = self.optional("feature", "a feature id (docs/FEATURES.md)")? else {
            return Ok(None);
        };
        let volume = self.optional("volume_mm3", "a number")?;
        let diameter: Option<f64> = self.optional("diameter_mm", "a number")?;
        let volume = volume
            .or(diameter.map(|d| std::f64::consts::PI / 6.0 * d * d * d))
            .ok_or_else(|| self.wrong("volume_mm3", None, "a number here or in diameter_mm"))?;
        Ok(Some(TruthLesion {
            feature,
            level: self.optional("level", "C1 to C7, T1 to T13, L1 to L6, S1 or nothing")?,
            centroid_lps_mm: self.place()?,
            volume_mm3: volume,
            contrast: self.optional("contrast", "a number")?,
            contrast_unit: self.text("contrast_unit"),
            mean_added_hu: None,
            ignored: self.optional("ignored", "true or false")?.unwrap_or(false),
            measurements: BTreeMap::new(),
        }))
    }
}

/// The records of a CSV text (RFC 4180) with the lines they begin on; empty lines are passed over.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, TruthError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut all, mut record, mut value) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun, mut quoted) = (1, 1, false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                value.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if value.is_empty() => quoted = true,
            ',' if !quoted => record.push(std::mem::take(&mut value)),
            '\r' if !quoted => {}
            '\n' => {
                line += 1;
                if quoted {
                    value.push(c);
                    continue;
                }
                record.push(std::mem::take(&mut value));
                if record.iter().any(|value| !value.is_empty()) {
                    all.push((begun, std::mem::take(&mut record)));
                }
                record.clear();
                begun = line;
            }
            c => value.push(c),
        }
    }
    if quoted {
        return Err(TruthError::Table { line: begun, what: "a quote is not closed".into() });
    }
    record.push(value);
    if record.iter().any(|value| !value.is_empty()) {
        all.push((begun, record));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{FeatureId, Level};

    #[test]
    fn vertebrae_of_two_series_are_told_apart_and_notes_passed_over() {
        let rows = parse_csv(
            "\u{feff}folder,level,x_mm,y_mm,z_mm,note\r\na,L1,1,2,3,\"by eye, twice\"\r\n\r\nb,,4,5,6,\na,L2,1,2,-30,\n",
        )
        .unwrap();
        assert_eq!(rows.len(), 2);
        let first = rows[0].truth.vertebrae.as_ref().unwrap();
        assert_eq!((first.len(), first[1].level), (2, Some(Level::L2)));
        assert_eq!(rows[1].truth.vertebrae.as_ref().unwrap()[0].level, None);
        assert_eq!(rows[0].truth.lesions, None);
    }

    #[test]
    fn a_row_without_a_feature_says_that_there_is_no_lesion() {
        let rows = parse_csv(
            "study_id,feature,x_mm,y_mm,z_mm,diameter_mm\n1a,sclerotic_density,0,0,0,10\n2b,,,,,\n",
        )
        .unwrap();
        let lesions = rows[0].truth.lesions.as_ref().unwrap();
        assert_eq!(lesions[0].feature, FeatureId::ScleroticDensity);
        assert!((lesions[0].radius_mm() - 5.0).abs() < 1e-12);
        assert_eq!(rows[1].truth.lesions, Some(vec![]));
    }

    #[test]
    fn errors_name_line_column_and_what_was_expected() {
        let error = |text: &str| parse_csv(text).unwrap_err().to_string();
        let unknown = error("level,x_mm,y_mm,z_mm\nL1,0,0,0\nL9,0,0,0\n");
        assert!(unknown.starts_with("line 3: level is 'L9'"), "{unknown}");
        let missing = error("level,x_mm,y_mm\nL1,0,0\n");
        assert!(missing.starts_with("line 1: the column z_mm is missing"), "{missing}");
        assert!(error("level,x_mm,y_mm,z_mm\nL1,0,0\n").contains("3 values"));
        assert!(error("feature,x_mm,y_mm,z_mm\nsclerosis,0,0,0\n").contains("'sclerosis'"));
        assert!(error("level,x_mm,y_mm,z_mm\nL1,0,,0\n").contains("y_mm is empty"));
        assert!(error("level,x_mm,y_mm,z_mm\n\"L1,0,0,0\n").contains("quote"));
        assert!(parse_csv("").is_err());
    }
}
