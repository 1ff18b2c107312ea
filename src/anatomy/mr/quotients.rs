//! Signal quotients of the tissues about the found bodies: they tell T1 from T2 from
//! fat-suppressed where tags are missing. Medians over the bodies of the series.

use super::FoundSpine;
use super::chain::{BodyBox, percentile};
use crate::kernels::plane::Plane;
use crate::role::TissueQuotients;

/// Canal: this far behind the rear wall, mm.
const CANAL_MM: (f64, f64) = (4.0, 13.0);
/// Subcutaneous fat: this far under the skin of the back, mm.
const UNDER_SKIN_MM: (f64, f64) = (2.0, 13.0);
/// Muscle: this far from the midline and behind the rear wall, mm.
const MUSCLE_LATERAL_MM: (f64, f64) = (17.0, 20.0);
const MUSCLE_BEHIND_MM: (f64, f64) = (22.0, 45.0);
/// Signal below this share of the tissue signal is air.
const AIR: f64 = 0.25;
const LEAST_BODIES: usize = 2;
const LEAST_SAMPLES: usize = 100;

/// Measures the quotients on the found spine.
pub fn tissue_quotients(spine: &FoundSpine) -> TissueQuotients {
    let mm = spine.stack.pixel_mm;
    let (mut canal, mut disc, mut fat, mut muscle) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (body, &slice) in spine.bodies.iter().zip(&spine.slices) {
        let Some(plane) = picture(spine, slice) else { continue };
        let half_height = body.height / 2.0;
        let marrow = samples(&plane, body, (-0.6 * half_height, 0.6 * half_height), |_| {
            (-0.6 * body.half_depth, 0.6 * body.half_depth)
        });
        let Some(marrow) = percentile(marrow, 0.5).filter(|m| *m > 0.0) else { continue };
        let behind = body.half_depth;
        let band = samples(&plane, body, (-0.5 * body.pitch, 0.5 * body.pitch), |_| {
            (behind + CANAL_MM.0 / mm, behind + CANAL_MM.1 / mm)
        });
        canal.extend(percentile(band, 0.5).map(|v| v / marrow));
        for side in [-0.5, 0.5] {
            let thin = 0.15 * (body.pitch - body.height).max(2.0);
            let at = side * body.pitch;
            let across = (-0.5 * body.half_depth, 0.5 * body.half_depth);
            let plate = samples(&plane, body, (at - thin, at + thin), |_| across);
            disc.extend(percentile(plate, 0.5).map(|v| v / marrow));
        }
        skin_fat(&plane, body, spine.stack.tissue_signal, mm, &mut fat);
        for lateral in [-1.0, 1.0] {
            let mut at = MUSCLE_LATERAL_MM.0;
            while at <= MUSCLE_LATERAL_MM.1 {
                let beside = slice + lateral * at / spine.stack.slice_mm;
                at += spine.stack.slice_mm.max(1.0);
                let Some(plane) = picture(spine, beside) else { continue };
                muscle.extend(samples(&plane, body, (-half_height, half_height), |_| {
                    (behind + MUSCLE_BEHIND_MM.0 / mm, behind + MUSCLE_BEHIND_MM.1 / mm)
                }));
            }
        }
    }
    let median = |v: Vec<f64>| if v.len() < LEAST_BODIES { None } else { percentile(v, 0.5) };
    let enough = |v: Vec<f64>, share: f64| {
        if v.len() < LEAST_SAMPLES { None } else { percentile(v, share).filter(|v| *v > 0.0) }
    };
    let fat_over_muscle = match (enough(fat, 0.7), enough(muscle, 0.3)) {
        (Some(fat), Some(muscle)) => Some(fat / muscle),
        _ => None,
    };
    TissueQuotients {
        canal_over_body: median(canal),
        disc_over_body: median(disc),
        fat_over_muscle,
    }
}

/// The slice nearest to a position, `None` outside the stack.
fn picture(spine: &FoundSpine, slice: f64) -> Option<Plane> {
    let nearest = libm::round(slice);
    if nearest < 0.0 || nearest >= spine.stack.slices.len() as f64 {
        return None;
    }
    spine.stack.slices.get(nearest as usize).cloned()
}

/// Signal inside a box of the body's plane: along the axis (to the feet) and across (to the
/// back), pixels; only what lies in the picture.
fn samples(
    plane: &Plane,
    body: &BodyBox,
    along: (f64, f64),
    across: impl Fn(f64) -> (f64, f64),
) -> Vec<f64> {
    let (axis, side) = body.axes();
    let mut out = Vec::new();
    let mut a = along.0;
    while a <= along.1 {
        let (from, to) = across(a);
        let mut w = from;
        while w <= to {
            let row = body.row + a * axis[0] + w * side[0];
            let column = body.column + a * axis[1] + w * side[1];
            if plane.holds(row, column) {
                out.push(plane.sample(row, column));
            }
            w += 1.0;
        }
        a += 1.0;
    }
    out
}

/// Signal under the skin of the back, for the rows of a body where air lies behind the skin.
fn skin_fat(plane: &Plane, body: &BodyBox, tissue: f64, mm: f64, out: &mut Vec<f64>) {
    let first = (body.row - body.height / 2.0).max(0.0) as usize;
    let last = ((body.row + body.height / 2.0).max(0.0) as usize).min(plane.rows());
    let air = (AIR * tissue) as f32;
    for row in (first..last).step_by(2) {
        let values = plane.row(row);
        let Some(skin) = values.iter().rposition(|&v| v > air) else { continue };
        if skin + 3 >= values.len() {
            continue;
        }
        let from = skin.saturating_sub((UNDER_SKIN_MM.1 / mm) as usize);
        let to = skin.saturating_sub((UNDER_SKIN_MM.0 / mm) as usize);
        out.extend(values[from..to].iter().map(|&v| f64::from(v)));
    }
}
