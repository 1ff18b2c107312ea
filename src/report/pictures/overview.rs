//! The overview of one series: what was taken for the spine, so that a reader can check it.

use super::Picture;
use super::canvas::{
    Area, BODY, CANAL, Canvas, GREY, LINE_HEIGHT, OUTSIDE, UNSURE, WHITE, text_width, wrap,
};
use super::finding::heading;
use super::overlay;
use super::panel::{Axes, Panel, Plane, Size, Window, extent, middle};
use crate::anatomy::Anatomy;
use crate::geometry::{LpsPoint, LpsVector};
use crate::volume::Image;

/// Width of the long cuts, mm: from the front of the bodies to the skin of the back.
const LONG_CUT_MM: f64 = 180.0;
const LONG_CUT_MIN_PX: usize = 200;
const LONG_CUT_PX: usize = 460;
const LONG_CUT_MAX_HEIGHT: f64 = 860.0;
/// Edge of an axial cut: pixels, as the height allows, and mm.
const AXIAL_PX: (usize, usize) = (320, 420);
const AXIAL_MM: f64 = 130.0;
const GAP: usize = 8;
const HEADER: usize = LINE_HEIGHT * 2;

/// A sagittal and a coronal cut over the whole stack and four axial cuts, with canal, vertebral
/// bodies and their names drawn in.
///
/// Where the slices are sagittal, the sagittal cut is the slice nearest to the middle of the
/// spine. Else it is bent along the canal, sideways only, and the coronal cut is bent along the
/// bodies, front to back only: heights stay true. The headings say which. Without a spine the
/// cuts are straight through the middle of the stack and the caption says that no spine was found.
pub fn overview_picture(image: &Image, anatomy: &Anatomy, title: &str) -> Picture {
    let grid = image.grid();
    let axes = Axes::of(grid);
    let middle = middle(grid);
    let spine = Spine::of(anatomy, &axes, middle);
    let centre = middle + axes.left * spine.mean_left + axes.posterior * spine.mid_posterior;

    // Long cuts: the whole stack in height, square pixels.
    let (low, high) = extent(grid, middle, axes.head);
    let height_mm = (high - low).clamp(1.0, 5000.0);
    let width_mm = spine.width_mm.clamp(LONG_CUT_MM, 2.0 * LONG_CUT_MM);
    let pixel_mm = (height_mm / LONG_CUT_MAX_HEIGHT).max(width_mm / LONG_CUT_PX as f64);
    let rows = libm::ceil(height_mm / pixel_mm).max(1.0) as usize;
    let columns = (libm::ceil(width_mm / pixel_mm) as usize).max(LONG_CUT_MIN_PX);
    let size = Size { width: columns, height: rows, pixel_mm };
    let level = centre + axes.head * f64::midpoint(low, high);
    let height_of_row = |y: usize| high - (y as f64 + 0.5) * pixel_mm;

    let bend = |along: &Curve, mean: f64| -> Vec<f64> {
        (0..rows).map(|y| along.at(height_of_row(y)).map_or(0.0, |value| value - mean)).collect()
    };
    let bent_sagittal = axes.acquired != Plane::Sagittal && spine.left.known();
    let sagittal = if bent_sagittal {
        let bend = bend(&spine.left, spine.mean_left);
        Panel::bent(image, &axes, Plane::Sagittal, level, size, bend)
    } else {
        Panel::flat(image, &axes, Plane::Sagittal, level, size)
    };
    let bent_coronal = axes.acquired != Plane::Coronal && spine.posterior.known();
    // The coronal cut runs through the bodies, the sagittal one is centred behind them.
    let coronal_centre = level + axes.posterior * (spine.mean_posterior - spine.mid_posterior);
    let coronal = if bent_coronal {
        let bend = bend(&spine.posterior, spine.mean_posterior);
        Panel::bent(image, &axes, Plane::Coronal, coronal_centre, size, bend)
    } else {
        Panel::flat(image, &axes, Plane::Coronal, coronal_centre, size)
    };

    let axial = (rows.saturating_sub(HEADER + GAP) / 2).clamp(AXIAL_PX.0, AXIAL_PX.1);
    let axial_size = Size { width: axial, height: axial, pixel_mm: AXIAL_MM / axial as f64 };
    let stops = axial_stops(anatomy, &axes, centre, (low, high));
    let axials: Vec<(String, LpsPoint, Panel)> = stops
        .into_iter()
        .map(|(name, at)| {
            let panel = Panel::flat(image, &axes, Plane::Axial, at, axial_size);
            (name, at, panel)
        })
        .collect();

    let mut panels = vec![sagittal, coronal];
    let mut names = Vec::new();
    for (name, at, panel) in axials {
        names.push((name, at));
        panels.push(panel);
    }
    let window = Window::of(image, &panels);

    let width = 2 * columns + 2 * axial + 5 * GAP;
    let text_px = width - 2 * GAP;
    let title_lines = wrap(title, text_px, 2, 2);
    let line = LINE_HEIGHT * 2;
    let caption = (title_lines.len() + 3) * line + GAP;
    let body_height = (rows + HEADER).max(2 * (axial + HEADER) + GAP);
    let mut canvas = Canvas::new(width, GAP + body_height + GAP + caption);

    for (n, panel) in panels.iter().enumerate() {
        let (x, y) = match n.checked_sub(2) {
            None => (GAP + n * (columns + GAP), GAP),
            Some(n) => (
                GAP + 2 * (columns + GAP) + (n % 2) * (axial + GAP),
                GAP + (n / 2) * (axial + HEADER + GAP),
            ),
        };
        let words = match n {
            0 if bent_sagittal => "SAGITTAL curved along canal".to_owned(),
            1 if bent_coronal => "CORONAL curved through bodies".to_owned(),
            0 | 1 if panel.slice.is_none() => format!("{} straight", panel.plane.name()),
            _ => heading(panel, grid.nk()),
        };
        let words = match n.checked_sub(2).and_then(|n| names.get(n)) {
            Some((name, _)) if !name.is_empty() => match panel.slice {
                Some(k) => format!("{name}, slice {}/{}", k + 1, grid.nk()),
                None => format!("{name}, axial reformat"),
            },
            _ => words,
        };
        let header = Area { x, y, width: panel.width, height: HEADER };
        let scale = if text_width(&words, 2) > panel.width { 1 } else { 2 };
        canvas.text(header, (0, 2), &words, scale, WHITE);
        let area = Area { x, y: y + HEADER, width: panel.width, height: panel.height };
        panel.paint(&mut canvas, area, &window);
        for vertebra in &anatomy.vertebrae {
            overlay::vertebra(&mut canvas, area, panel, vertebra, 0.85);
        }
        if let Some(canal) = &anatomy.canal {
            match names.get(n.wrapping_sub(2)) {
                Some((_, at)) => overlay::canal_cross(&mut canvas, area, panel, canal, *at),
                None => overlay::canal_line(&mut canvas, area, panel, canal),
            }
        }
        if n < 2 {
            overlay::vertebra_names(&mut canvas, area, panel, &anatomy.vertebrae);
        }
        overlay::letters_and_scale(&mut canvas, area, panel);
    }

    let below = Area { x: GAP, y: GAP + body_height + GAP, width: text_px, height: caption };
    let mut y = 0;
    for text in &title_lines {
        canvas.text(below, (0, y), text, 2, WHITE);
        y += line as i64;
    }
    let (summary, colour) = summary(anatomy);
    for text in wrap(&summary, text_px, 2, 1) {
        canvas.text(below, (0, y), &text, 2, colour);
    }
    y += line as i64;
    canvas.text(below, (0, y), &window.words, 2, GREY);
    y += line as i64;
    let key = [
        ("vertebral body  ", BODY),
        ("unsure  ", UNSURE),
        ("canal  ", CANAL),
        ("not scanned  ", OUTSIDE.map(|c| c.saturating_mul(2))),
        ("found by a program, to be checked by a reader", GREY),
    ];
    let mut x = 0;
    for (text, colour) in key {
        canvas.text(below, (x, y), text, 2, colour);
        x += text_width(text, 2) as i64;
    }
    Picture { width: canvas.width, height: canvas.height, rgb: canvas.rgb }
}

/// What the sagittal cut shows in front of the bodies' centres and behind them, mm.
const MARGIN_MM: (f64, f64) = (45.0, 95.0);

/// What the caption says of the anatomy.
pub(super) fn summary(anatomy: &Anatomy) -> (String, super::canvas::Rgb) {
    let count = anatomy.vertebrae.len();
    let canal_mm = |followed: bool| -> f64 {
        let pairs = anatomy.canal.iter().flat_map(|canal| canal.sections.windows(2));
        pairs
            .filter(|pair| (pair[0].followed && pair[1].followed) == followed)
            .fold(0.0, |sum, pair| sum + pair[0].frame.origin.distance(pair[1].frame.origin))
    };
    let canal = match (canal_mm(true), canal_mm(false)) {
        (followed, beyond) if beyond < 0.5 => format!("canal followed over {followed:.0} mm"),
        (followed, beyond) if followed < 0.5 => {
            format!("canal not followed, its line drawn over {beyond:.0} mm")
        }
        (followed, beyond) => {
            format!("canal followed over {followed:.0} mm, its line drawn on over {beyond:.0} mm")
        }
    };
    match (count, anatomy.canal.is_some()) {
        (0, false) => {
            ("NO SPINE FOUND: nothing is said about bone in this series".to_owned(), UNSURE)
        }
        (0, true) => (format!("{canal}, NO VERTEBRAL BODY found"), UNSURE),
        (_, false) => (format!("{count} vertebral bodies, canal not followed"), WHITE),
        (_, true) => (format!("{count} vertebral bodies, {canal}"), WHITE),
    }
}

/// Names and places of the axial cuts: at four vertebrae spread over those found, else at four
/// heights of the stack.
fn axial_stops(
    anatomy: &Anatomy,
    axes: &Axes,
    centre: LpsPoint,
    (low, high): (f64, f64),
) -> Vec<(String, LpsPoint)> {
    let count = anatomy.vertebrae.len();
    if count == 0 {
        return (0..4)
            .map(|n| {
                let share = (f64::from(n) + 0.5) / 4.0;
                (String::new(), centre + axes.head * (high - (high - low) * share))
            })
            .collect();
    }
    let taken = count.min(4);
    // From the head down, as they are read.
    (0..taken)
        .rev()
        .filter_map(|n| anatomy.vertebrae.get((2 * n + 1) * count / (2 * taken)))
        .map(|vertebra| {
            let at = vertebra.centroid + axes.posterior * 15.0;
            (overlay::vertebra_name(vertebra), at)
        })
        .collect()
}

/// A value over height, linear between its points and constant beyond them.
struct Curve(Vec<(f64, f64)>);

impl Curve {
    fn new(mut points: Vec<(f64, f64)>) -> Self {
        points.retain(|(height, value)| height.is_finite() && value.is_finite());
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(points)
    }

    fn known(&self) -> bool {
        !self.0.is_empty()
    }

    fn mean(&self) -> Option<f64> {
        let sum: f64 = self.0.iter().map(|(_, value)| value).sum();
        self.known().then(|| sum / self.0.len() as f64)
    }

    fn at(&self, height: f64) -> Option<f64> {
        let above = self.0.partition_point(|(h, _)| *h < height);
        match (above.checked_sub(1).and_then(|n| self.0.get(n)), self.0.get(above)) {
            (Some(&(h0, v0)), Some(&(h1, v1))) => {
                let share = if h1 > h0 { (height - h0) / (h1 - h0) } else { 0.0 };
                Some(v0 + (v1 - v0) * share)
            }
            (Some(&(_, value)), None) | (None, Some(&(_, value))) => Some(value),
            (None, None) => None,
        }
    }
}

/// Course of the spine over height, relative to the middle of the stack, mm.
struct Spine {
    /// Of the canal (of the bodies without one), to the left.
    left: Curve,
    /// Of the bodies (in front of the canal without any), to posterior.
    posterior: Curve,
    mean_left: f64,
    mean_posterior: f64,
    /// Where the sagittal cut is centred, and its width: it holds every body.
    mid_posterior: f64,
    width_mm: f64,
}

impl Spine {
    fn of(anatomy: &Anatomy, axes: &Axes, middle: LpsPoint) -> Self {
        let pair = |point: LpsPoint, direction: LpsVector| {
            let d = point - middle;
            (d.dot(axes.head), d.dot(direction))
        };
        let canal: Vec<LpsPoint> = anatomy
            .canal
            .iter()
            .flat_map(|canal| canal.sections.iter().map(|section| section.frame.origin))
            .collect();
        let bodies: Vec<LpsPoint> = anatomy.vertebrae.iter().map(|v| v.centroid).collect();
        let sideways = if canal.is_empty() { &bodies } else { &canal };
        let left = Curve::new(sideways.iter().map(|&p| pair(p, axes.left)).collect());
        let posterior = if bodies.is_empty() {
            Curve::new(
                canal.iter().map(|&p| pair(p - axes.posterior * 22.0, axes.posterior)).collect(),
            )
        } else {
            Curve::new(bodies.iter().map(|&p| pair(p, axes.posterior)).collect())
        };
        let mean_left = left.mean().unwrap_or(0.0);
        let mean_posterior = posterior.mean().unwrap_or(0.0);
        let (front, back) = posterior
            .0
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &(_, v)| (a.min(v), b.max(v)));
        let (front, back) = (front - MARGIN_MM.0, back + MARGIN_MM.1);
        let known = posterior.known();
        Self {
            mid_posterior: if known { f64::midpoint(front, back) } else { 0.0 },
            width_mm: if known { back - front } else { LONG_CUT_MM },
            left,
            posterior,
            mean_left,
            mean_posterior,
        }
    }
}
