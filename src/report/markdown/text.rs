//! Text of unknown origin made safe for a Markdown page.
//!
//! Findings and rulebooks can come from elsewhere (`osteoflag assess`): whatever they hold is
//! shown as it is and never becomes markup, a link or HTML.

/// Text for a line or a table cell: one line, no control or direction characters, no markup.
pub(super) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // An address must not become a link by itself.
            ':' if safe.ends_with("http") || safe.ends_with("https") || safe.ends_with("ftp") => {
                safe.push_str("&#58;");
            }
            '@' => safe.push_str("&#64;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '#' | '~' | '!' | '$' => {
                safe.push('\\');
                safe.push(character);
            }
            // Inside a word an underscore is no markup.
            '_' if !safe.ends_with(char::is_alphanumeric) => safe.push_str("\\_"),
            '\n' | '\r' | '\t' => safe.push(' '),
            _ if is_hidden(character) => {}
            _ => safe.push(character),
        }
    }
    safe
}

/// A name in code letters: whatever does not belong into a name becomes a question mark.
pub(super) fn code(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "_-./: ,()+=".contains(c) { c } else { '?' })
        .collect();
    if safe.is_empty() { "`?`".to_owned() } else { format!("`{safe}`") }
}

/// A link to a file below the page, or only its name where it could lead elsewhere.
pub(super) fn link(words: &str, path: &str) -> String {
    let below = !path.starts_with('/')
        && !path.split('/').any(|part| part == ".." || part.is_empty())
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    if below { format!("[{}]({path})", plain(words)) } else { code(path) }
}

/// A number as people write it: no more digits than it has.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let text = format!("{:.2}", crate::units::rounded(value, 2));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Invisible characters and those that turn the direction of text.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_html_and_links_are_shown_and_not_obeyed() {
        assert_eq!(plain("<img src=x> **b** | c"), "&lt;img src=x&gt; \\*\\*b\\*\\* \\| c");
        assert_eq!(plain("see https://x.y"), "see https&#58;//x.y");
        assert_eq!(plain("a\nb\u{202e}c\u{7}"), "a bc");
        assert_eq!(plain("snake_case _not_ markup"), "snake_case \\_not_ markup");
        assert_eq!(code("a`b"), "`a?b`");
        assert_eq!(link("picture", "pictures/a_b.png"), "[picture](pictures/a_b.png)");
        for bad in ["../x.png", "/etc/passwd", "javascript:alert(1)", "a//b", "x) [y](z"] {
            assert!(!link("picture", bad).contains("]("), "{bad}");
        }
    }

    #[test]
    fn numbers_carry_no_empty_digits() {
        assert_eq!(number(320.0), "320");
        assert_eq!(number(0.5), "0.5");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(f64::NAN), "?");
    }

    proptest! {
        #[test]
        fn nothing_opens_a_tag_or_a_new_line(text in any::<String>()) {
            let safe = plain(&text);
            prop_assert!(!safe.contains(['<', '>', '\n', '\r']));
        }
    }
}
