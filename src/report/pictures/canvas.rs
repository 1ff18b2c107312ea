//! An RGB canvas in memory: pixels, lines, text. Whatever lies outside it is not drawn.

use super::font::{GLYPH_HEIGHT, GLYPH_WIDTH, glyph};

/// A colour, red, green, blue.
pub(super) type Rgb = [u8; 3];

pub(super) const WHITE: Rgb = [255, 255, 255];
pub(super) const GREY: Rgb = [170, 170, 170];
pub(super) const BLACK: Rgb = [0, 0, 0];
/// What was found.
pub(super) const FINDING: Rgb = [255, 214, 0];
/// Vertebral bodies.
pub(super) const BODY: Rgb = [0, 200, 255];
/// Vertebral bodies that are unsure.
pub(super) const UNSURE: Rgb = [255, 130, 60];
/// The spinal canal.
pub(super) const CANAL: Rgb = [90, 230, 90];
/// Not scanned: never black, which is how air looks.
pub(super) const OUTSIDE: Rgb = [26, 30, 64];

/// Width of one character cell at scale 1, pixels.
pub(super) const CELL_WIDTH: usize = GLYPH_WIDTH + 1;
/// Height of one line of text at scale 1, pixels.
pub(super) const LINE_HEIGHT: usize = GLYPH_HEIGHT + 2;

/// A canvas of `width` x `height` pixels, three bytes each, row by row from the top.
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

/// A rectangle of a canvas to which drawing is clipped.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![0; width * height * 3] }
    }

    /// Mixes a colour into pixel (x, y) of `area`; `alpha` 1 covers.
    pub(super) fn blend(&mut self, area: Area, x: i64, y: i64, colour: Rgb, alpha: f64) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= area.width || y >= area.height {
            return;
        }
        let (x, y) = (x + area.x, y + area.y);
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y * self.width + x) * 3;
        for (channel, new) in self.rgb[at..at + 3].iter_mut().zip(colour) {
            let old = f64::from(*channel);
            *channel = libm::round(old + (f64::from(new) - old) * alpha) as u8;
        }
    }

    /// A straight line one pixel wide, in pixels of `area`. Ends far outside are refused rather
    /// than walked.
    pub(super) fn line(&mut self, area: Area, from: (f64, f64), to: (f64, f64), colour: Rgb) {
        let longest = (to.0 - from.0).abs().max((to.1 - from.1).abs());
        if !longest.is_finite() || longest > 20_000.0 {
            return;
        }
        let steps = libm::ceil(longest).max(1.0) as usize;
        for n in 0..=steps {
            let f = n as f64 / steps as f64;
            let x = from.0 + (to.0 - from.0) * f;
            let y = from.1 + (to.1 - from.1) * f;
            self.blend(area, libm::round(x) as i64, libm::round(y) as i64, colour, 1.0);
        }
    }

    /// A ring of the given radius, in pixels of `area`.
    pub(super) fn ring(&mut self, area: Area, centre: (f64, f64), radius: f64, colour: Rgb) {
        if !(radius > 0.0 && radius < 2000.0) {
            return;
        }
        let steps = libm::ceil(radius * 7.0) as usize;
        for n in 0..steps {
            let angle = std::f64::consts::TAU * n as f64 / steps as f64;
            let x = centre.0 + radius * libm::cos(angle);
            let y = centre.1 + radius * libm::sin(angle);
            if x.is_finite() && y.is_finite() && x.abs() < 1e6 && y.abs() < 1e6 {
                self.blend(area, libm::round(x) as i64, libm::round(y) as i64, colour, 1.0);
            }
        }
    }

    /// Text with its upper left corner at (x, y) of `area`, with a dark rim so that it reads on
    /// any ground.
    pub(super) fn text(
        &mut self,
        area: Area,
        (x, y): (i64, i64),
        text: &str,
        scale: usize,
        colour: Rgb,
    ) {
        for (ink, reach) in [(BLACK, 1_i64), (colour, 0)] {
            for (n, character) in text.chars().enumerate() {
                let left = x + (n * CELL_WIDTH * scale) as i64;
                for (row, bits) in glyph(character).into_iter().enumerate() {
                    for column in 0..GLYPH_WIDTH {
                        if bits >> (GLYPH_WIDTH - 1 - column) & 1 == 0 {
                            continue;
                        }
                        let x0 = left + (column * scale) as i64;
                        let y0 = y + (row * scale) as i64;
                        let side = scale as i64;
                        for dy in -reach..side + reach {
                            for dx in -reach..side + reach {
                                self.blend(area, x0 + dx, y0 + dy, ink, 1.0);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Width of a text, pixels.
pub(super) fn text_width(text: &str, scale: usize) -> usize {
    text.chars().count() * CELL_WIDTH * scale
}

/// Breaks text at spaces into at most `lines` lines of `width` pixels; what does not fit ends in
/// an ellipsis. Characters that no font has, control characters among them, become a question
/// mark when drawn.
pub(super) fn wrap(text: &str, width: usize, scale: usize, lines: usize) -> Vec<String> {
    let columns = (width / (CELL_WIDTH * scale)).max(2);
    let mut wrapped: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let word: String = word.chars().take(columns).collect();
        let count = word.chars().count();
        if length > 0 && length + 1 + count > columns {
            wrapped.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(&word);
        length += count;
    }
    wrapped.push(line);
    if wrapped.len() > lines {
        wrapped.truncate(lines.max(1));
        if let Some(last) = wrapped.last_mut() {
            let kept: String = last.chars().take(columns - 1).collect();
            *last = kept + "\u{2026}";
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_outside_is_clipped_and_never_wraps_to_the_next_row() {
        let mut canvas = Canvas::new(4, 3);
        let inner = Area { x: 1, y: 1, width: 2, height: 1 };
        canvas.line(inner, (-10.0, 0.0), (10.0, 0.0), WHITE);
        canvas.text(inner, (-3, -100), "W", 1, WHITE);
        let lit: Vec<usize> = (0..12).filter(|n| canvas.rgb[n * 3] == 255).collect();
        assert_eq!(lit, [5, 6]);
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        let lines = wrap("one two three four five six", 10 * CELL_WIDTH, 1, 2);
        assert_eq!(lines, ["one two", "three fou\u{2026}"]);
    }
}
