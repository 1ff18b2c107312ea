//! What is drawn over a cut: bodies, canal, letters, scale bar.

use super::canvas::{
    Area, BODY, CANAL, CELL_WIDTH, Canvas, LINE_HEIGHT, Rgb, UNSURE, WHITE, text_width,
};
use super::font::GLYPH_HEIGHT;
use super::panel::{Panel, Plane, Rim, RimSide, letters};
use crate::anatomy::{Canal, CanalSection, Vertebra};
use crate::geometry::LpsPoint;

/// Letters at the four edges and the scale bar.
pub(super) fn letters_and_scale(canvas: &mut Canvas, area: Area, panel: &Panel) {
    let scale = 2;
    let height = (GLYPH_HEIGHT * scale) as i64;
    let (width_px, height_px) = (area.width as i64, area.height as i64);
    let edge = 4;
    let place = |text: &str| text_width(text, scale) as i64;
    let (left, right) = (letters(-panel.right), letters(panel.right));
    let (top, bottom) = (letters(-panel.down), letters(panel.down));
    canvas.text(area, (edge, (height_px - height) / 2), &left, scale, WHITE);
    canvas.text(
        area,
        (width_px - place(&right) - edge + 2, (height_px - height) / 2),
        &right,
        scale,
        WHITE,
    );
    canvas.text(area, ((width_px - place(&top)) / 2, edge), &top, scale, WHITE);
    canvas.text(
        area,
        ((width_px - place(&bottom)) / 2, height_px - height - edge + 2),
        &bottom,
        scale,
        WHITE,
    );

    let widest = area.width as f64 * panel.pixel_mm * 0.4;
    let Some(mm) = [200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 1.0].into_iter().find(|mm| *mm <= widest)
    else {
        return;
    };
    let length = mm / panel.pixel_mm;
    let (x, y) = (8.0, area.height as f64 - 10.0);
    for dy in [0.0, 1.0] {
        canvas.line(area, (x, y + dy), (x + length, y + dy), WHITE);
    }
    for end in [x, x + length] {
        canvas.line(area, (end, y - 4.0), (end, y + 5.0), WHITE);
    }
    let label = format!("{mm:.0} mm");
    canvas.text(area, (8, area.height as i64 - 32), &label, scale, WHITE);
}

/// Outline of a vertebral body where the cut meets it; a dot where it was not cut out.
pub(super) fn vertebra(
    canvas: &mut Canvas,
    area: Area,
    panel: &Panel,
    vertebra: &Vertebra,
    alpha: f64,
) {
    let colour = vertebra_colour(vertebra);
    let Some(body) = &vertebra.body else {
        let (x, y) = panel.project(vertebra.centroid);
        for radius in [1.0, 2.0, 3.0] {
            canvas.ring(area, (x, y), radius, colour);
        }
        return;
    };
    let wall = body.surface.outlines.iter().flatten().fold(0.0_f32, |a, &b| a.max(b));
    let (low, high) = body.surface.in_view_s;
    let reach = f64::from(wall) + low.abs().max(high.abs());
    if !reach.is_finite() {
        return;
    }
    let (x, y) = panel.project(body.frame.origin);
    let pixels = (reach / panel.pixel_mm).min(4000.0);
    let style = Rim { colour, alpha, side: RimSide::Inner };
    panel.rim(canvas, area, ((x - pixels, y - pixels), (x + pixels, y + pixels)), style, |point| {
        let local = body.frame.to_local(point);
        local.s >= low && local.s <= high && body.surface.position(local).depth() >= 0.0
    });
}

/// Colour of a vertebra: another where it is unsure.
pub(super) fn vertebra_colour(vertebra: &Vertebra) -> super::canvas::Rgb {
    if vertebra.outline_is_sure() { BODY } else { UNSURE }
}

/// Id and level of a vertebra.
pub(super) fn vertebra_name(vertebra: &Vertebra) -> String {
    let mark = |doubtful: bool| if doubtful { "?" } else { "" };
    let unsure = vertebra.confidence.get() < Vertebra::SURE;
    match vertebra.level {
        Some(level) => {
            let doubtful = unsure || level.doubt(&vertebra.level_candidates).is_some();
            format!("{} {level}{}", vertebra.id, mark(doubtful))
        }
        None => format!("{}{}", vertebra.id, mark(unsure)),
    }
}

/// Names beside the bodies: at their front on sagittal cuts, at the right of the patient on
/// coronal ones.
pub(super) fn vertebra_names(
    canvas: &mut Canvas,
    area: Area,
    panel: &Panel,
    vertebrae: &[Vertebra],
) {
    let heights: Vec<f64> = vertebrae.iter().map(|v| panel.project(v.centroid).1).collect();
    let closest = heights.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(1e9, f64::min);
    let scale = if closest < (LINE_HEIGHT * 2) as f64 { 1 } else { 2 };
    for vertebra in vertebrae {
        let (x, y) = panel.project(vertebra.centroid);
        let wall = vertebra.body.as_ref().map_or(18.0, |body| {
            f64::from(body.surface.outlines.iter().flatten().fold(0.0_f32, |a, &b| a.max(b)))
        });
        let name = vertebra_name(vertebra);
        let reach = (wall.clamp(8.0, 40.0) + 4.0) / panel.pixel_mm;
        let left = x - reach - text_width(&name, scale) as f64;
        // Kept clear of the letter at the edge.
        let left = left.max((3 * CELL_WIDTH) as f64);
        let top = y - (GLYPH_HEIGHT * scale) as f64 / 2.0;
        if left.abs() < 1e6 && top.abs() < 1e6 {
            canvas.text(
                area,
                (libm::round(left) as i64, libm::round(top) as i64),
                &name,
                scale,
                vertebra_colour(vertebra),
            );
        }
    }
}

/// The canal along a sagittal or coronal cut: centre line, and its walls where they were
/// measured.
pub(super) fn canal_line(canvas: &mut Canvas, area: Area, panel: &Panel, canal: &Canal) {
    let lines: [fn(&CanalSection) -> Option<LpsPoint>; 3] = match panel.plane {
        Plane::Coronal => [
            |s| Some(s.frame.origin),
            |s| s.left.map(|mm| s.frame.origin + s.frame.left * mm.mm()),
            |s| s.right.map(|mm| s.frame.origin - s.frame.left * mm.mm()),
        ],
        _ => [
            |s| Some(s.frame.origin),
            |s| Some(s.frame.origin + s.frame.anterior * s.anterior.mm()),
            |s| s.posterior.map(|mm| s.frame.origin - s.frame.anterior * mm.mm()),
        ],
    };
    for (n, place) in lines.into_iter().enumerate() {
        for pair in canal.sections.windows(2) {
            let sure = canal_colour(pair[0].followed && pair[1].followed);
            let colour = if n == 0 { sure } else { sure.map(|c| c / 2) };
            if let (Some(from), Some(to)) = (place(&pair[0]), place(&pair[1])) {
                // A jump is a gap, not a line.
                if from.distance(to) < 8.0 {
                    canvas.line(area, panel.project(from), panel.project(to), colour);
                }
            }
        }
    }
}

/// Green where the canal was followed, the colour of the unsure where its line was only drawn.
fn canal_colour(followed: bool) -> Rgb {
    if followed { CANAL } else { UNSURE }
}

/// The canal in an axial cut: a cross at its centre, marks at its walls.
pub(super) fn canal_cross(
    canvas: &mut Canvas,
    area: Area,
    panel: &Panel,
    canal: &Canal,
    at: LpsPoint,
) {
    let nearest =
        canal.sections.iter().min_by(|a, b| height(a, at, panel).total_cmp(&height(b, at, panel)));
    let Some(section) = nearest.filter(|section| height(section, at, panel) < 3.0) else { return };
    let centre = section.frame.origin;
    let colour = canal_colour(section.followed);
    let (x, y) = panel.project(centre);
    canvas.line(area, (x - 4.0, y), (x + 4.0, y), colour);
    canvas.line(area, (x, y - 4.0), (x, y + 4.0), colour);
    let walls = [
        Some(centre + section.frame.anterior * section.anterior.mm()),
        section.posterior.map(|mm| centre - section.frame.anterior * mm.mm()),
        section.left.map(|mm| centre + section.frame.left * mm.mm()),
        section.right.map(|mm| centre - section.frame.left * mm.mm()),
    ];
    for wall in walls.into_iter().flatten() {
        let wall = panel.project(wall);
        canvas.ring(area, wall, 1.5, colour);
    }
}

/// Distance of a section from the plane of an axial panel through `at`, mm.
fn height(section: &CanalSection, at: LpsPoint, panel: &Panel) -> f64 {
    (section.frame.origin - at).dot(panel.right.cross(panel.down)).abs()
}
