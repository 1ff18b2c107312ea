//! The picture of one finding: three cuts through its centre.

use super::canvas::{
    Area, BODY, Canvas, FINDING, GREY, LINE_HEIGHT, OUTSIDE, WHITE, text_width, wrap,
};
use super::overlay;
use super::panel::{Axes, Panel, Plane, Rim, RimSide, Size, Window, in_mask};
use super::{Picture, PictureSubject};
use crate::anatomy::{Anatomy, Vertebra};
use crate::geometry::{LpsPoint, VoxelIndex};
use crate::volume::Image;

/// Edge of a cut, pixels.
const CUT: usize = 360;
/// Edge of a cut, mm, unless the finding is larger: a lumbar vertebra with its neighbours.
const CUT_MM: f64 = 110.0;
/// Largest edge of a cut, mm.
const LARGEST_CUT_MM: f64 = 400.0;
const GAP: usize = 8;
const HEADER: usize = LINE_HEIGHT * 2;
/// Ring around the centre of a finding without extent, mm.
const RING_MM: f64 = 6.0;

/// Axial, sagittal and coronal cut through the centre of a finding, side by side, with a caption.
///
/// The cuts follow the acquired slices: one of the three is the acquired slice nearest to the
/// centre, upright to the patient, the others are at right angles to it. All have one scale.
/// Drawn: outline of the finding (a ring where it has no extent), outlines of vertebral bodies,
/// letters, scale bar. Places that were not scanned are dark blue, never black.
pub fn finding_picture(image: &Image, anatomy: &Anatomy, subject: &PictureSubject<'_>) -> Picture {
    let grid = image.grid();
    let axes = Axes::of(grid);
    let location = subject.location;
    let centre = location.centroid;
    let widest = location.voxel_box.map_or(0.0, |(low, high)| {
        let corner = |index: VoxelIndex| grid.voxel_to_lps(index);
        corner(low).distance(corner(high))
    });
    let edge_mm = (widest * 1.5).clamp(CUT_MM, LARGEST_CUT_MM);
    let size = Size { width: CUT, height: CUT, pixel_mm: edge_mm / CUT as f64 };

    let panels = [Plane::Axial, Plane::Sagittal, Plane::Coronal]
        .map(|plane| Panel::flat(image, &axes, plane, centre, size));
    let window = Window::of(image, &panels);

    let width = 3 * CUT + 4 * GAP;
    let text_px = width - 2 * GAP;
    let title = wrap(subject.title, text_px, 2, 2);
    let line = (LINE_HEIGHT * 2) as i64;
    let caption = (title.len() + 2) * LINE_HEIGHT * 2 + 2 * GAP;
    let mut canvas = Canvas::new(width, HEADER + GAP + CUT + caption);

    for (n, panel) in panels.iter().enumerate() {
        let x = GAP + n * (CUT + GAP);
        let header = Area { x, y: GAP / 2, width: CUT, height: HEADER };
        canvas.text(header, (0, 2), &heading(panel, grid.nk()), 2, WHITE);
        let area = Area { x, y: HEADER + GAP / 2, width: CUT, height: CUT };
        panel.paint(&mut canvas, area, &window);
        for vertebra in &anatomy.vertebrae {
            let alpha = if is_subject(vertebra, subject) { 0.9 } else { 0.35 };
            overlay::vertebra(&mut canvas, area, panel, vertebra, alpha);
        }
        let drawn = outline(&mut canvas, area, panel, image, subject);
        if !drawn {
            let ring = RING_MM / panel.pixel_mm;
            canvas.ring(area, panel.project(centre), ring, FINDING);
        }
        cut_marks(&mut canvas, area, panel, centre);
        overlay::letters_and_scale(&mut canvas, area, panel);
    }

    let below = Area { x: GAP, y: HEADER + GAP + CUT, width: text_px, height: caption };
    let mut y = GAP as i64 / 2;
    for text in &title {
        canvas.text(below, (0, y), text, 2, WHITE);
        y += line;
    }
    let [px, py, pz] = <[f64; 3]>::from(centre.rounded(1));
    let place = format!("{}, centre {px:.1} {py:.1} {pz:.1} mm LPS", window.words);
    for text in wrap(&place, text_px, 2, 1) {
        canvas.text(below, (0, y), &text, 2, GREY);
    }
    y += line;
    let key = [
        ("finding  ", FINDING),
        ("vertebral body  ", BODY),
        ("not scanned  ", OUTSIDE.map(|c| c.saturating_mul(2))),
        ("candidate for a reader, no diagnosis", GREY),
    ];
    let mut x = 0;
    for (text, colour) in key {
        canvas.text(below, (x, y), text, 2, colour);
        x += text_width(text, 2) as i64;
    }
    Picture { width: canvas.width, height: canvas.height, rgb: canvas.rgb }
}

fn is_subject(vertebra: &Vertebra, subject: &PictureSubject<'_>) -> bool {
    subject.vertebra.is_some_and(|id| *id == vertebra.id)
}

/// Name of a cut, with its slice number (counted from 1 in stack order) where it is one.
pub(super) fn heading(panel: &Panel, slices: usize) -> String {
    match panel.slice {
        Some(k) => format!("{} slice {} of {slices}", panel.plane.name(), k + 1),
        None => format!("{} reformat", panel.plane.name()),
    }
}

/// Draws the rim of the finding's voxels; `false` where the cut does not meet them.
fn outline(
    canvas: &mut Canvas,
    area: Area,
    panel: &Panel,
    image: &Image,
    subject: &PictureSubject<'_>,
) -> bool {
    let Some(mask) = &subject.location.mask else { return false };
    let grid = image.grid();
    let spacing = grid.spacing().into_iter().fold(0.0, f64::max);
    let everywhere = ((0.0, 0.0), (panel.width as f64, panel.height as f64));
    let bounds = subject.location.voxel_box.map_or(everywhere, |(low, high)| {
        let mut from = (f64::INFINITY, f64::INFINITY);
        let mut to = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for n in 0..8_usize {
            let pick = |bit: usize, a: usize, b: usize| if n >> bit & 1 == 0 { a } else { b };
            let (x, y) = panel.project(grid.voxel_to_lps(VoxelIndex {
                i: pick(0, low.i, high.i),
                j: pick(1, low.j, high.j),
                k: pick(2, low.k, high.k),
            }));
            from = (from.0.min(x), from.1.min(y));
            to = (to.0.max(x), to.1.max(y));
        }
        let margin = spacing / panel.pixel_mm;
        ((from.0 - margin, from.1 - margin), (to.0 + margin, to.1 + margin))
    });
    let style = Rim { colour: FINDING, alpha: 1.0, side: RimSide::Outer };
    panel.rim(canvas, area, bounds, style, |point| in_mask(mask, grid, point))
}

/// Short marks at the edges that point to the centre of the finding.
fn cut_marks(canvas: &mut Canvas, area: Area, panel: &Panel, centre: LpsPoint) {
    let (x, y) = panel.project(centre);
    let (w, h) = (area.width as f64 - 1.0, area.height as f64 - 1.0);
    for (from, to) in [
        ((x, 24.0), (x, 36.0)),
        ((x, h - 36.0), (x, h - 24.0)),
        ((24.0, y), (36.0, y)),
        ((w - 36.0, y), (w - 24.0, y)),
    ] {
        canvas.line(area, from, to, FINDING);
    }
}
