//! Changed marrow signal on MR.

use super::Refusal;
use super::body::Body;
use super::canvas::{Canvas, Shares};
use super::density::{at, draw_strength, mottle, place_within};
use super::draw::Draw;
use super::kind::InsertKind;
use super::paint::Painted;
use super::shape::{Lump, LumpForm};

/// Marrow begins this deep below the body's surface, mm.
const CORTEX_MM: f64 = 1.0;

/// A lump or the whole body; a third of the draws take the whole body.
fn region(canvas: &Canvas, body: &Body, draw: &mut Draw) -> Result<(Shares, bool), Refusal> {
    let half = body.half_size();
    let least = half.into_iter().fold(f64::INFINITY, f64::min);
    let whole = draw.chance(0.33);
    let radius = draw.between(0.4, 1.0) * least;
    let centre = if whole { body.frame.origin } else { place_within(body, radius, draw) };
    let form = LumpForm { most_lobes: 3, roughness: draw.between(0.1, 0.3), grain: 0.6 };
    let lump = Lump::new(at(body, centre), radius, form, draw);
    let reach = if whole { half.into_iter().fold(0.0, f64::max) + 6.0 } else { 2.2 * radius + 5.0 };
    let shares = canvas
        .shares(centre, reach, 2.0, |p| {
            let marrow = body.depth(p) - CORTEX_MM;
            if whole { marrow } else { lump.depth(p).min(marrow) }
        })
        .ok_or(Refusal::OutsideVolume)?;
    if shares.volume_mm3 < 20.0 { Err(Refusal::NoRoom) } else { Ok((shares, whole)) }
}

/// Multiplies the smooth part of the signal by `ratio` inside a shape; the residual (noise,
/// trabeculae, ringing) stays. `only` weighs each voxel by its smooth signal over the marrow's.
pub(super) fn scale_signal(
    canvas: &mut Canvas,
    shares: &Shares,
    marrow: f64,
    ratio: f64,
    only: impl Fn(f64) -> f64,
    draw: &mut Draw,
) {
    let mut values = canvas.read(shares.block);
    let smooth = canvas.smooth_in_plane(&values, 1.0);
    let mottle = mottle(canvas, shares.block, 4.0, draw);
    for (n, value) in values.data_mut().iter_mut().enumerate() {
        let base = f64::from(smooth.data()[n]);
        let share = f64::from(shares.share.data()[n]) * only(base / marrow.max(1e-6));
        let factor = 1.0 - share * (1.0 - ratio) * (1.0 + 0.1 * mottle[n]);
        let residual = f64::from(*value) - base;
        *value = (base * factor + residual).max(0.0) as f32;
    }
    canvas.write(shares.block, &values);
}

/// Fat of the marrow replaced on T1: signal times the drawn share. What is much darker than
/// marrow (veins, cortex) stays as it is.
pub(super) fn put_t1_replacement(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let ratio = draw_strength(InsertKind::T1Replacement, draw);
    let (shares, whole) = region(canvas, body, draw)?;
    // The darker a voxel is, the less fat it has to lose.
    let fat = |over: f64| ((over - ratio) / (0.9 - ratio)).clamp(0.0, 1.0);
    scale_signal(canvas, &shares, body.marrow, ratio, fat, draw);
    Ok(Painted::new(InsertKind::T1Replacement, ratio, shares)
        .with("marrow_signal", body.marrow)
        .with_flag("whole_body", whole))
}

/// Water in the marrow on STIR or fat-suppressed T2: signal times the drawn ratio.
pub(super) fn put_oedema(
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    let ratio = draw_strength(InsertKind::StirOedema, draw);
    let (shares, whole) = region(canvas, body, draw)?;
    // What is brighter than the lesion already (cysts, veins) is not raised.
    let room = |over: f64| ((ratio + 0.5 - over) / 0.5).clamp(0.0, 1.0);
    scale_signal(canvas, &shares, body.marrow, ratio, room, draw);
    Ok(Painted::new(InsertKind::StirOedema, ratio, shares)
        .with("marrow_signal", body.marrow)
        .with_flag("whole_body", whole))
}
