//! The vertebral bodies into which lesions go: axes, extent and marrow.

use super::canvas::Canvas;
use super::{BodyPlace, Contrast, InsertError};
use crate::anatomy::{Anatomy, BodySurface};
use crate::geometry::{Frame, LocalPoint, LpsPoint, LpsVector};
use crate::kernels::median;

/// A body with its axes, as the lesions see it.
pub(super) struct Body {
    /// Axes; the origin is the given centre.
    pub(super) frame: Frame,
    extent: Extent,
    /// Median of the marrow around the centre.
    pub(super) marrow: f64,
    /// Directions, of six, in which a cortex brighter than the marrow (CT) or a wall (T1) was seen
    /// from the centre.
    walls_seen: usize,
    posterior_seen: bool,
}

/// How far the body reaches from its centre.
enum Extent {
    /// The tool's own surface.
    Surface(BodySurface),
    /// Half axes, mm: towards left and right, anterior, posterior, up and down.
    HalfAxes { side: f64, anterior: f64, posterior: f64, up: f64, down: f64 },
}

/// Exponent of the outline seen from above: 2 is an ellipse, a body is squarer.
const OUTLINE_EXPONENT: f64 = 2.5;

impl Extent {
    /// Depth below the surface, mm; negative outside.
    fn depth(&self, p: LocalPoint) -> f64 {
        match self {
            Self::Surface(surface) => surface.position(p).depth(),
            Self::HalfAxes { side, anterior, posterior, up, down } => {
                let along = if p.v > 0.0 { *anterior } else { *posterior };
                let power = |x: f64| libm::pow(x.abs(), OUTLINE_EXPONENT);
                let ring = power(p.u / side) + power(p.v / along);
                let radius = libm::pow(ring, 1.0 / OUTLINE_EXPONENT);
                ((1.0 - radius) * side.min(along)).min(up - p.s).min(p.s + down)
            }
        }
    }
}

impl Body {
    /// Depth of a place below the body's surface, mm; negative outside.
    pub(super) fn depth(&self, at: LpsPoint) -> f64 {
        self.extent.depth(self.frame.to_local(at))
    }

    /// Distance from the centre to the surface along a direction of the frame, mm (0 to 40).
    pub(super) fn reach(&self, direction: LocalPoint) -> f64 {
        let at = |r: f64| {
            self.extent.depth(LocalPoint {
                s: direction.s * r,
                v: direction.v * r,
                u: direction.u * r,
            })
        };
        let (mut low, mut high) = (0.0, 40.0);
        if at(low) <= 0.0 {
            return 0.0;
        }
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            if at(middle) > 0.0 { low = middle } else { high = middle }
        }
        low
    }

    /// Half sizes of the body: towards the sides, front and back, up and down, mm.
    pub(super) fn half_size(&self) -> [f64; 3] {
        let reach = |s, v, u| self.reach(LocalPoint { s, v, u });
        [
            0.5 * (reach(0.0, 0.0, 1.0) + reach(0.0, 0.0, -1.0)),
            0.5 * (reach(0.0, 1.0, 0.0) + reach(0.0, -1.0, 0.0)),
            0.5 * (reach(1.0, 0.0, 0.0) + reach(-1.0, 0.0, 0.0)),
        ]
    }

    /// Distance from the centre back to the posterior wall, mm; `None` where none was seen.
    pub(super) fn posterior_wall(&self) -> Option<f64> {
        let wall = self.reach(LocalPoint { s: 0.0, v: -1.0, u: 0.0 });
        (self.posterior_seen && wall > 0.0).then_some(wall)
    }

    /// Height of an endplate over the centre at (v, u), mm; negative for the lower one.
    pub(super) fn endplate_height(&self, v: f64, u: f64, upper: bool) -> f64 {
        match &self.extent {
            Extent::Surface(surface) if upper => surface.upper.height(v, u),
            Extent::Surface(surface) => surface.lower.height(v, u),
            Extent::HalfAxes { up, down, .. } => {
                if upper {
                    *up
                } else {
                    -down
                }
            }
        }
    }

    /// Depth between the endplates, whatever the side walls, mm.
    pub(super) fn depth_of_height(&self, p: LocalPoint) -> f64 {
        let upper = self.endplate_height(p.v, p.u, true);
        let lower = self.endplate_height(p.v, p.u, false);
        (upper - p.s).min(p.s - lower)
    }

    /// A place given in the frame.
    pub(super) fn place(&self, s: f64, v: f64, u: f64) -> LpsPoint {
        self.frame.to_lps(LocalPoint { s, v, u })
    }
}

/// Axes of every body from the chain of centres, and the distance to the nearest neighbour, mm.
///
/// `order` counts from the head down. Without a neighbour `up` is the head and the distance 30 mm.
fn axes(places: &[BodyPlace]) -> Vec<(Frame, f64)> {
    /// Farther apart than this two centres are no neighbours, mm.
    const FARTHEST_NEIGHBOUR_MM: f64 = 50.0;
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[b].centroid.z().total_cmp(&places[a].centroid.z()));
    let mut out = vec![None; places.len()];
    for (at, &n) in order.iter().enumerate() {
        let centre = places[n].centroid;
        let near = |other: Option<&usize>| {
            let other = places[*other?].centroid;
            (other.distance(centre) < FARTHEST_NEIGHBOUR_MM).then_some(other)
        };
        let above = near(at.checked_sub(1).and_then(|at| order.get(at)));
        let below = near(order.get(at + 1));
        let up = above.unwrap_or(centre) - below.unwrap_or(centre);
        let pitch = [above, below]
            .into_iter()
            .flatten()
            .map(|other| other.distance(centre))
            .fold(f64::INFINITY, f64::min);
        let straight = Frame {
            origin: centre,
            up: LpsVector::HEAD,
            anterior: LpsVector::ANTERIOR,
            left: LpsVector::LEFT,
        };
        let frame = Frame::from_up_and_anterior(centre, up, LpsVector::ANTERIOR);
        out[n] = Some((frame.unwrap_or(straight), if pitch.is_finite() { pitch } else { 30.0 }));
    }
    out.into_iter().flatten().collect()
}

/// Bodies at the given places: axes and extent of the tool's anatomy where it is given, else from
/// the chain of centres and the image itself.
pub(super) fn bodies(canvas: &Canvas, contrast: Contrast, places: &[BodyPlace]) -> Vec<Body> {
    axes(places)
        .into_iter()
        .zip(places)
        .map(|((frame, pitch), place)| match &place.surface {
            Some((own, surface)) => Body {
                frame: *own,
                extent: Extent::Surface(surface.clone()),
                marrow: marrow(canvas, own),
                walls_seen: 6,
                posterior_seen: true,
            },
            None => measured(canvas, contrast, frame, pitch),
        })
        .collect()
}

/// The places of the tool's own anatomy.
pub(super) fn of_anatomy(anatomy: &Anatomy) -> Vec<BodyPlace> {
    anatomy
        .vertebrae
        .iter()
        .rev()
        .map(|vertebra| BodyPlace {
            level: vertebra.level,
            centroid: vertebra.centroid,
            fraction_in_view: vertebra.fraction_in_view.get(),
            surface: vertebra.body.as_ref().map(|body| (body.frame, body.surface.clone())),
        })
        .collect()
}

/// Median within 6 mm of the centre.
fn marrow(canvas: &Canvas, frame: &Frame) -> f64 {
    let steps = [-5.0, -2.5, 0.0, 2.5, 5.0];
    let mut values = Vec::new();
    for s in steps {
        for v in steps {
            for u in steps {
                values.extend(canvas.sample(frame.to_lps(LocalPoint { s, v, u })));
            }
        }
    }
    median(values).unwrap_or(0.0)
}

/// A direction in which a wall is looked for: its axis, the two across it, where walls stand as
/// shares of the distance between bodies (nearest, farthest, and what is taken where none shows).
struct Look {
    axis: [f64; 3],
    across: [[f64; 3]; 2],
    range: [f64; 3],
}

const S: [f64; 3] = [1.0, 0.0, 0.0];
const V: [f64; 3] = [0.0, 1.0, 0.0];
const U: [f64; 3] = [0.0, 0.0, 1.0];

/// Axes and walls of a body from the image: the steepest fall of a median of parallel rays.
///
/// On CT and T1 marrow with its wall is brighter than what lies outside; on other contrasts the
/// darkest point (the cortex) is taken. Where none shows in the range that the distance to the
/// neighbours allows, a usual proportion stands in.
fn measured(canvas: &Canvas, contrast: Contrast, frame: Frame, pitch: f64) -> Body {
    let marrow = marrow(canvas, &frame);
    let minus = |a: [f64; 3]| a.map(|x| -x);
    let looks = [
        Look { axis: U, across: [V, S], range: [0.40, 1.00, 0.62] },
        Look { axis: minus(U), across: [V, S], range: [0.40, 1.00, 0.62] },
        Look { axis: V, across: [U, S], range: [0.30, 0.90, 0.50] },
        Look { axis: minus(V), across: [U, S], range: [0.30, 0.80, 0.48] },
        Look { axis: S, across: [U, V], range: [0.26, 0.50, 0.36] },
        Look { axis: minus(S), across: [U, V], range: [0.26, 0.50, 0.36] },
    ];
    let mut seen = 0;
    let mut found = [0.0; 6];
    let mut posterior_seen = false;
    for (at, look) in looks.iter().enumerate() {
        let (wall, is_bone) = wall(canvas, contrast, &frame, pitch, look, marrow);
        seen += usize::from(is_bone);
        posterior_seen |= at == 3 && wall.is_some();
        found[at] = wall.unwrap_or(look.range[2] * pitch);
    }
    Body {
        frame,
        extent: Extent::HalfAxes {
            side: 0.5 * (found[0] + found[1]),
            anterior: found[2],
            posterior: found[3],
            up: found[4],
            down: found[5],
        },
        marrow,
        walls_seen: seen,
        posterior_seen,
    }
}

fn wall(
    canvas: &Canvas,
    contrast: Contrast,
    frame: &Frame,
    pitch: f64,
    look: &Look,
    marrow: f64,
) -> (Option<f64>, bool) {
    const STEP_MM: f64 = 0.5;
    /// Cortex of osteoporotic bodies in thick slices is hardly denser than this, HU.
    const LEAST_CORTEX_HU: f64 = 100.0;
    const DARKEST_OUTSIDE_HU: f64 = 0.0;
    /// The wall is the first fall of at least this share of the steepest: behind it come vessels
    /// and other bones with falls of their own.
    const STEEP_SHARE: f64 = 0.6;
    let (near, far) = (look.range[0] * pitch, look.range[1] * pitch);
    let count = (far / STEP_MM).ceil() as usize + 4;
    let mut profile = Vec::with_capacity(count);
    for n in 0..count {
        let r = n as f64 * STEP_MM;
        let mut values = Vec::with_capacity(15);
        for a in [-5.0, -2.5, 0.0, 2.5, 5.0] {
            for b in [-3.0, 0.0, 3.0] {
                let at =
                    |c: usize| look.axis[c] * r + look.across[0][c] * a + look.across[1][c] * b;
                let place = frame.to_lps(LocalPoint { s: at(0), v: at(1), u: at(2) });
                values.extend(canvas.sample(place));
            }
        }
        let Some(value) = median(values) else { return (None, false) };
        profile.push(value);
    }
    // Air and lung are as dark as fat here: the edge of a lung is no wall of a bone.
    let darkest = if contrast == Contrast::Ct { DARKEST_OUTSIDE_HU } else { f64::NEG_INFINITY };
    let mean = |from: usize, to: usize| {
        let part = profile.get(from..to.min(profile.len())).unwrap_or_default();
        part.iter().map(|v| v.max(darkest)).sum::<f64>() / part.len().max(1) as f64
    };
    let range = ((near / STEP_MM) as usize).max(1)..(far / STEP_MM) as usize;
    match contrast {
        Contrast::Ct | Contrast::MrT1 => {
            // Mean of the millimetre before against that after.
            let fall = |n: usize| mean(n.saturating_sub(2), n) - mean(n, n + 2);
            let peak = range.clone().map(|n| profile[n]).fold(f64::NEG_INFINITY, f64::max);
            let steepest = range.clone().map(fall).fold(f64::NEG_INFINITY, f64::max);
            let least = if contrast == Contrast::Ct { 25.0 } else { 0.12 * marrow.abs() };
            let strong = (STEEP_SHARE * steepest).max(least);
            let is_crest = |n: usize| fall(n) >= fall(n - 1) && fall(n) >= fall(n + 1);
            let wall = range
                .clone()
                .find(|&n| fall(n) >= strong && is_crest(n))
                .map(|n| n as f64 * STEP_MM);
            let is_bone = match contrast {
                Contrast::Ct => peak >= LEAST_CORTEX_HU.max(marrow + 15.0),
                Contrast::MrT1 | Contrast::MrFluid => wall.is_some(),
            };
            (wall, is_bone)
        }
        Contrast::MrFluid => {
            let darkest = range.min_by(|&a, &b| profile[a].total_cmp(&profile[b]));
            let wall = darkest.filter(|&n| profile[n] < 0.75 * marrow);
            (wall.map(|n| n as f64 * STEP_MM), wall.is_some())
        }
    }
}

/// Whether there is bone at a body's place; else the error that says what was found.
///
/// # Errors
/// [`InsertError::NoBone`] where the marrow is darker than any (CT below -50 HU, MR no signal) or
/// fewer than three of six walls can be seen from the centre.
pub(super) fn check_bone(
    body: &Body,
    contrast: Contrast,
    number: usize,
) -> Result<(), InsertError> {
    /// Fatty marrow of the old reaches down to about this.
    const LEAST_MARROW_HU: f64 = -50.0;
    const FEWEST_WALLS: usize = 3;
    let dark = match contrast {
        Contrast::Ct => body.marrow < LEAST_MARROW_HU,
        Contrast::MrT1 | Contrast::MrFluid => body.marrow <= 0.0,
    };
    // On fluid-sensitive images the cortex of a thick slice often does not show.
    let fewest = if contrast == Contrast::MrFluid { 0 } else { FEWEST_WALLS };
    if dark || body.walls_seen < fewest {
        return Err(InsertError::NoBone {
            number: number + 1,
            place: body.frame.origin.rounded(1).into(),
            found: body.marrow,
            walls: body.walls_seen,
        });
    }
    Ok(())
}
