//! Places in a TOML file: line and column of a byte, also of a byte inside a string value.

use std::fmt;
use std::ops::Range;

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePlace {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The place of a byte of a text; bytes beyond the end give the end.
pub fn place_of(text: &str, byte: usize) -> FilePlace {
    let mut end = byte.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    FilePlace {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or("").chars().count() + 1,
    }
}

/// The byte of the file behind byte `offset` of a string value that stands at `span`, quotes
/// included. Knows basic and literal strings of one and of several lines, and escapes.
pub fn byte_in_string(text: &str, span: Range<usize>, offset: usize) -> usize {
    let Some(raw) = text.get(span.clone()) else { return span.start };
    let (quotes, escapes) = match raw {
        raw if raw.starts_with("\"\"\"") => (3, true),
        raw if raw.starts_with("'''") => (3, false),
        raw if raw.starts_with('"') => (1, true),
        raw if raw.starts_with('\'') => (1, false),
        _ => (0, false),
    };
    let mut at = quotes;
    if quotes == 3 {
        // A newline right after the opening quotes is not part of the value.
        let rest = raw.get(at..).unwrap_or("");
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut value_bytes = 0;
    loop {
        let rest = raw.get(at..).unwrap_or("");
        // A backslash at the end of a line swallows what is blank after it, also right here.
        let swallows = escapes
            && rest.starts_with('\\')
            && rest.get(1..).is_some_and(|rest| rest.starts_with(char::is_whitespace));
        if value_bytes >= offset && !swallows {
            break;
        }
        let Some(next) = rest.chars().next() else { break };
        if next != '\\' || !escapes {
            value_bytes += next.len_utf8();
            at += next.len_utf8();
            continue;
        }
        let rest = raw.get(at + 1..).unwrap_or("");
        let (raw_length, value) = match rest.chars().next() {
            Some('u') => (6, hexadecimal(rest.get(1..5))),
            Some('U') => (10, hexadecimal(rest.get(1..9))),
            Some('x') => (4, hexadecimal(rest.get(1..3))),
            Some(blank) if blank.is_whitespace() => {
                let trimmed = rest.trim_start();
                (1 + rest.len() - trimmed.len(), 0)
            }
            Some(other) => (1 + other.len_utf8(), 1),
            None => (1, 0),
        };
        at += raw_length;
        value_bytes += value;
    }
    (span.start + at).min(span.end)
}

/// Bytes of the character with this hexadecimal number.
fn hexadecimal(digits: Option<&str>) -> usize {
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .and_then(char::from_u32)
        .map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct One {
        v: toml::Spanned<String>,
    }

    /// Where the character `@` of the value stands in the file, found through the value.
    fn found(text: &str) -> FilePlace {
        let one: One = toml::from_str(text).unwrap();
        let offset = one.v.get_ref().find('@').unwrap();
        place_of(text, byte_in_string(text, one.v.span(), offset))
    }

    #[test]
    fn a_byte_of_a_value_is_found_in_every_kind_of_string() {
        for text in [
            "v = \"ab @\"",
            "v = 'ab @'",
            "# é\nv = \"é \\\"q\\\" \\u00e9 @\"",
            "v = '''\nline é\n  two @ x'''",
            "v = \"\"\"\none \\\n   @ \\t\"\"\"",
            "v = \"\"\"one\n @\"\"\"",
        ] {
            let wanted = place_of(text, text.find('@').unwrap());
            assert_eq!(found(text), wanted, "{text}");
        }
    }

    #[test]
    fn places_count_characters_and_stay_inside_the_text() {
        assert_eq!(place_of("aé\nb", 4), FilePlace { line: 2, column: 1 });
        assert_eq!(place_of("aé", 3), FilePlace { line: 1, column: 3 });
        assert_eq!(place_of("a", 99), FilePlace { line: 1, column: 2 });
    }
}
