//! Curves as SVG: axes, grid, lines, legend. No clock, no fonts of the machine beyond
//! `sans-serif`, coordinates with two decimal places: the same curves give the same bytes.

use std::fmt::Write as _;

use super::{Evaluation, RocUnit, Tier};
use crate::terms::FeatureId;

/// Colours that are told apart with any colour vision (Okabe and Ito 2008).
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// Size of a picture in its own units, and the frame of its plot.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 620.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 310.0;

/// One axis.
pub struct Axis {
    /// What it shows.
    pub title: String,
    /// Values with a line and a number.
    pub ticks: Vec<f64>,
    /// Logarithmic.
    pub logarithmic: bool,
}

impl Axis {
    /// Place of a value between the first (0) and the last tick (1), clamped to them.
    fn share(&self, value: f64) -> f64 {
        let (Some(&first), Some(&last)) = (self.ticks.first(), self.ticks.last()) else {
            return 0.0;
        };
        let scale = |v: f64| if self.logarithmic { libm::log(v.max(first)) } else { v };
        let span = scale(last) - scale(first);
        if span <= 0.0 { 0.0 } else { ((scale(value) - scale(first)) / span).clamp(0.0, 1.0) }
    }
}

/// One line.
pub struct Line {
    /// Its text in the legend.
    pub name: String,
    /// Its points, left to right.
    pub points: Vec<(f64, f64)>,
    /// Dashed.
    pub dashed: bool,
    /// Place in the list of colours.
    pub colour: usize,
}

/// A picture of lines over two axes.
pub fn plot(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let at_x = |value: f64| LEFT + x.share(value) * (RIGHT - LEFT);
    let at_y = |value: f64| BOTTOM - y.share(value) * (BOTTOM - TOP);
    let height = HEIGHT.max(BOTTOM + 52.0 + 16.0 * lines.len() as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let mut text = |x: f64, y: f64, anchor: &str, turn: &str, words: &str| {
        let _ = writeln!(
            svg,
            "<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\"{turn}>{}</text>",
            escaped(words)
        );
    };
    text(WIDTH / 2.0, 20.0, "middle", " font-weight=\"bold\"", title);
    text(f64::midpoint(LEFT, RIGHT), BOTTOM + 36.0, "middle", "", &x.title);
    let middle = f64::midpoint(TOP, BOTTOM);
    text(16.0, middle, "middle", &format!(" transform=\"rotate(-90 16 {middle:.2})\""), &y.title);
    for &tick in &x.ticks {
        text(at_x(tick), BOTTOM + 18.0, "middle", "", &tick_text(tick));
    }
    for &tick in &y.ticks {
        text(LEFT - 6.0, at_y(tick) + 4.0, "end", "", &tick_text(tick));
    }
    for (n, line) in lines.iter().enumerate() {
        text(LEFT + 34.0, BOTTOM + 60.0 + 16.0 * n as f64, "start", "", &line.name);
    }
    let mut grid = String::new();
    for &tick in &x.ticks {
        let _ = write!(grid, "M{:.2} {TOP}V{BOTTOM}", at_x(tick));
    }
    for &tick in &y.ticks {
        let _ = write!(grid, "M{LEFT} {:.2}H{RIGHT}", at_y(tick));
    }
    let _ = writeln!(svg, "<path d=\"{grid}\" stroke=\"#dddddd\" fill=\"none\"/>");
    let _ = writeln!(
        svg,
        "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" stroke=\"#333333\" fill=\"none\"/>"
    );
    for (n, line) in lines.iter().enumerate() {
        let mut path = String::new();
        for (at, &(px, py)) in line.points.iter().enumerate() {
            let letter = if at == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.2} {:.2}", at_x(px), at_y(py));
        }
        let colour = COLOURS[line.colour % COLOURS.len()];
        let dash = if line.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let legend = BOTTOM + 56.0 + 16.0 * n as f64;
        for d in [path, format!("M{LEFT} {legend:.2}h26")] {
            let _ = writeln!(
                svg,
                "<path d=\"{d}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\"{dash}/>"
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn tick_text(tick: f64) -> String {
    match tick {
        0.125 => "1/8".to_owned(),
        0.25 => "1/4".to_owned(),
        0.5 => "1/2".to_owned(),
        tick => format!("{}", crate::units::rounded(tick, 3)),
    }
}

/// Text without what XML would read as markup or refuse.
fn escaped(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .map(|c| match c {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// An axis of shares.
pub fn shares(title: &str) -> Axis {
    Axis { title: title.to_owned(), ticks: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0], logarithmic: false }
}

fn named(feature: Option<FeatureId>) -> String {
    feature.map_or_else(|| "all".to_owned(), |feature| feature.to_string())
}

fn interval(estimate: &super::Estimate) -> String {
    match (estimate.value, estimate.low, estimate.high) {
        (Some(value), Some(low), Some(high)) => format!("{value:.2} ({low:.2} to {high:.2})"),
        (Some(value), ..) => format!("{value:.2}"),
        (None, ..) => "not defined".to_owned(),
    }
}

/// The points with one more at the end of the axis: beyond the last limit more false findings would
/// be allowed than there are, so that sensitivity stays (LUNA16 reads its curves on likewise).
fn read_on(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let end = super::RATES[super::RATES.len() - 1];
    if let Some(&(_, sensitivity)) = points.last().filter(|(rate, _)| *rate < end) {
        points.push((end, sensitivity));
    }
    points
}

/// File name and text of each picture: `froc.svg` and `roc.svg`. A picture without a curve says so
/// in its title.
pub fn pictures(evaluation: &Evaluation) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut colours: Vec<Option<FeatureId>> = Vec::new();
    for curve in evaluation.lesions.froc.iter().filter(|curve| !curve.froc.points.is_empty()) {
        let colour =
            colours.iter().position(|known| *known == curve.feature).unwrap_or_else(|| {
                colours.push(curve.feature);
                colours.len() - 1
            });
        let indeterminate = curve.findings == Tier::PresentAndIndeterminate;
        // Where no indeterminate finding changes anything the second line would hide the first.
        let present = evaluation.lesions.froc.iter().find(|other| {
            other.feature == curve.feature && other.findings != Tier::PresentAndIndeterminate
        });
        if indeterminate && present.is_some_and(|other| other.froc.points == curve.froc.points) {
            continue;
        }
        let which = if indeterminate { ", with indeterminate" } else { "" };
        lines.push(Line {
            name: format!(
                "{}{which}: {} lesions, mean of seven {}",
                named(curve.feature),
                curve.froc.lesions,
                interval(&curve.froc.mean_sensitivity)
            ),
            points: read_on(
                curve.froc.points.iter().map(|p| (p.false_per_scan, p.sensitivity)).collect(),
            ),
            dashed: indeterminate,
            colour,
        });
    }
    let empty = |lines: &[Line]| if lines.is_empty() { " (no lesions to draw)" } else { "" };
    let x = Axis {
        title: "false findings per scan (level beyond the last limit)".to_owned(),
        ticks: super::RATES.to_vec(),
        logarithmic: true,
    };
    let title = format!(
        "FROC, {} scans of {} patients{}",
        evaluation.lesions.scans,
        evaluation.patients,
        empty(&lines)
    );
    let froc = plot(&title, &x, &shares("sensitivity"), &lines);
    let lines: Vec<Line> = evaluation
        .roc
        .iter()
        .filter(|curve| !curve.roc.points.is_empty())
        .enumerate()
        .map(|(n, curve)| Line {
            name: format!(
                "{} by {}: {} with, {} without a lesion, area {}",
                named(curve.feature),
                match curve.unit {
                    RocUnit::Vertebra => "vertebra",
                    RocUnit::Patient => "patient",
                },
                curve.roc.positives,
                curve.roc.negatives,
                interval(&curve.roc.auc)
            ),
            points: curve
                .roc
                .points
                .iter()
                .map(|p| (p.false_positive_rate, p.true_positive_rate))
                .collect(),
            dashed: curve.unit == RocUnit::Patient,
            colour: n,
        })
        .collect();
    let title = format!("ROC, unanswered counted against{}", empty(&lines));
    let roc = plot(&title, &shares("false positive rate"), &shares("true positive rate"), &lines);
    vec![("froc.svg", froc), ("roc.svg", roc)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_escaped_and_points_stay_in_the_frame() {
        let line = Line {
            name: "<script>\u{1b}".into(),
            points: vec![(0.0, -1.0), (100.0, 2.0)],
            dashed: false,
            colour: 9,
        };
        let x = Axis { title: "x".into(), ticks: vec![0.125, 8.0], logarithmic: true };
        let svg = plot("a & b", &x, &shares("y"), &[line]);
        assert!(svg.contains("&lt;script&gt;</text>") && svg.contains("a &amp; b"));
        assert!(svg.contains("M62.00 310.00L620.00 34.00"), "{svg}");
    }
    #[test]
    fn a_froc_curve_is_read_on_to_the_end_of_its_axis_and_never_back() {
        assert_eq!(read_on(vec![(0.0, 0.0), (0.5, 0.4)]), [(0.0, 0.0), (0.5, 0.4), (8.0, 0.4)]);
        assert_eq!(read_on(vec![(0.0, 0.0), (9.0, 0.4)]), [(0.0, 0.0), (9.0, 0.4)]);
        assert!(read_on(vec![]).is_empty());
    }
}
