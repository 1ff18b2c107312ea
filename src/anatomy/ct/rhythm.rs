//! The rhythm of vertebrae along the spine: disc, body with pedicle, disc, by Viterbi over
//! (lower disc, spacing).

use super::disc_evidence::{DiscEvidence, limit_for_spacing};
use super::parameters::Parameters;
use super::signals::Signals;

/// Least and greatest spacing of neighbouring discs, mm.
const LEAST_SPACING: usize = 12;
const GREATEST_SPACING: usize = 44;
/// Number of spacings.
const SPACINGS: usize = GREATEST_SPACING - LEAST_SPACING + 1;
/// Where the pedicle lies between the middles of the discs (the upper half of the body), and by how
/// much higher it may seem, mm: discs fall to the front, so that beside the canal, 14 mm behind
/// their middle, they lie up to 5 mm higher. The best fit counts.
const PEDICLE_PHASE: f64 = 0.64;
const PEDICLE_SHIFTS_MM: [f64; 3] = [0.0, 2.5, 5.0];

/// Greatest width of a body over its depth: what is wider (a neck with its transverse processes and
/// facets) is no body.
const WIDEST_OF_DEPTH: f64 = 1.5;

/// A vertebra between two discs. Places are millimetres along the straightened spine and may lie
/// before its start or beyond its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Middle of the lower disc.
    pub low: i64,
    /// Middle of the upper disc.
    pub high: i64,
    /// Half height of the lower disc.
    pub half_low: f64,
    /// Half height of the upper disc.
    pub half_high: f64,
    /// Strength of the lower and upper disc, where in view.
    pub disc_low: Option<f64>,
    /// See `disc_low`.
    pub disc_high: Option<f64>,
    /// Gain of this vertebra over none.
    pub score: f64,
    /// Gain of the best chain over the best chain without a vertebra about here.
    pub margin: f64,
    /// Share in view.
    pub fraction_in_view: f64,
}

/// Pedicle fit, worst disc-like place inside, share in view of one (lower disc, spacing).
#[derive(Clone, Copy)]
struct Fit {
    pedicle: f64,
    inside: f64,
    visible: f64,
}

/// Mirror correlation from which the bonus for a symmetric stretch begins, and at which it is whole.
const SYMMETRIC: (f64, f64) = (0.6, 0.85);

/// Places the vertebrae, from feet to head. `symmetry` is the mirror correlation along the line.
pub fn rhythm(
    signals: &Signals,
    discs: &DiscEvidence,
    symmetry: &[f64],
    parameters: &Parameters,
) -> Vec<Segment> {
    let n = discs.in_view.len();
    let places = n + 2 * GREATEST_SPACING;
    let cosines: Vec<Vec<[f64; PEDICLE_SHIFTS_MM.len()]>> = (0..SPACINGS)
        .map(|hi| {
            let h = LEAST_SPACING + hi;
            (0..h)
                .map(|x| {
                    let f = (x as f64 + 0.5) / h as f64;
                    PEDICLE_SHIFTS_MM.map(|mm| {
                        let phase = PEDICLE_PHASE + mm / h as f64;
                        1.3 * libm::cos(std::f64::consts::TAU * (f - phase))
                    })
                })
                .collect()
        })
        .collect();
    let size: Vec<f64> = (0..n)
        .map(|s| {
            let depth = signals.depth_mm[s];
            0.85 * 0.5 * (depth + 0.8 * signals.width_mm[s].min(WIDEST_OF_DEPTH * depth))
        })
        .collect();
    let disc_at = |limit: usize, place: usize| -> Option<f64> {
        let s = place.checked_sub(GREATEST_SPACING)?;
        discs.strength[limit].get(s).copied().filter(|v| v.is_finite())
    };
    let beyond_mm = mm_beyond_view(discs, places);
    // Else the last vertebra would be squeezed into the field.
    let unseen = |place: usize| {
        parameters.unseen_disc * (beyond_mm[place] / parameters.unseen_disc_beyond_mm).min(1.0)
    };
    let bonus =
        |b: usize, h: usize| parameters.symmetric_bonus * symmetric_share(symmetry, b, b + h);
    let mut gains = vec![[f64::NEG_INFINITY; SPACINGS]; places];
    let mut visible = vec![[0.0f64; SPACINGS]; places];
    for b in 0..places {
        for hi in 0..SPACINGS {
            let h = LEAST_SPACING + hi;
            let Some(fit) = fit(signals, discs, b, h, &cosines[hi], parameters) else { continue };
            if b + h >= places || n == 0 {
                continue;
            }
            let limit = limit_for_spacing(h);
            let discs = 0.5
                * (disc_at(limit, b).unwrap_or_else(|| unseen(b))
                    + disc_at(limit, b + h).unwrap_or_else(|| unseen(b + h)));
            let middle = (b as f64 - GREATEST_SPACING as f64 + h as f64 / 2.0)
                .clamp(0.0, n as f64 - 1.0) as usize;
            let unlike = (libm::log(h as f64 / size[middle].max(1.0)).abs() - 0.2).max(0.0) / 0.2;
            let gain = discs + parameters.pedicle_weight * fit.pedicle
                - parameters.inside_penalty * fit.inside
                - parameters.gain_threshold
                + bonus(b, h)
                - (parameters.size_weight * unlike * unlike).min(parameters.size_cost_limit);
            gains[b][hi] = gain * (0.4 + 0.6 * fit.visible);
            visible[b][hi] = fit.visible;
        }
    }
    let change = change_costs(parameters.change_cost);
    let (sum, chain) = best_chain(&gains, &change, None);
    chain
        .into_iter()
        .map(|(b, hi)| {
            let h = LEAST_SPACING + hi;
            let limit = limit_for_spacing(h);
            let half = |place: usize| {
                let seen = place
                    .checked_sub(GREATEST_SPACING)
                    .filter(|_| disc_at(limit, place).is_some())
                    .map_or(3.0, |s| discs.half_height_mm[limit][s]);
                seen.min(0.2 * h as f64)
            };
            let low = b as i64 - GREATEST_SPACING as i64;
            Segment {
                low,
                high: low + h as i64,
                half_low: half(b),
                half_high: half(b + h),
                disc_low: disc_at(limit, b),
                disc_high: disc_at(limit, b + h),
                score: gains[b][hi],
                // The bonus is no evidence for this one.
                margin: sum - best_chain(&gains, &change, Some((b, h))).0 - bonus(b, h),
                fraction_in_view: visible[b][hi],
            }
        })
        .collect()
}

/// Distance of each place from the nearest one whose disc could be seen, mm; infinite where there is none.
fn mm_beyond_view(discs: &DiscEvidence, places: usize) -> Vec<f64> {
    let is_seen = |place: usize| {
        let at = place.checked_sub(GREATEST_SPACING).and_then(|s| discs.strength[0].get(s));
        at.is_some_and(|strength| strength.is_finite())
    };
    let mut beyond: Vec<f64> =
        (0..places).map(|place| if is_seen(place) { 0.0 } else { f64::INFINITY }).collect();
    for place in 1..places {
        beyond[place] = beyond[place].min(beyond[place - 1] + 1.0);
    }
    for place in (1..places).rev() {
        beyond[place - 1] = beyond[place - 1].min(beyond[place] + 1.0);
    }
    beyond
}

/// How symmetric the part in view between two places is, from 0 to 1.
fn symmetric_share(symmetry: &[f64], low: usize, high: usize) -> f64 {
    let from = low.saturating_sub(GREATEST_SPACING).min(symmetry.len());
    let to = high.saturating_sub(GREATEST_SPACING).clamp(from, symmetry.len());
    let mean = symmetry[from..to].iter().sum::<f64>() / (to - from).max(1) as f64;
    ((mean - SYMMETRIC.0) / (SYMMETRIC.1 - SYMMETRIC.0)).clamp(0.0, 1.0)
}

/// How well the pedicles fit one (lower disc place, spacing); `None` where too little is in view.
fn fit(
    signals: &Signals,
    discs: &DiscEvidence,
    place: usize,
    spacing: usize,
    cosines: &[[f64; PEDICLE_SHIFTS_MM.len()]],
    parameters: &Parameters,
) -> Option<Fit> {
    let n = discs.in_view.len();
    let inside_of = &discs.strength[limit_for_spacing(spacing)];
    let mut sums = [0.0; PEDICLE_SHIFTS_MM.len()];
    let (mut seen, mut worst) = (0usize, 0.0f64);
    for (x, cosines) in cosines.iter().enumerate() {
        let Some(s) = (place + x).checked_sub(GREATEST_SPACING).filter(|&s| s < n) else {
            continue;
        };
        let pedicle = signals.pedicle[s];
        if !discs.in_view[s] || !pedicle.is_finite() {
            continue;
        }
        seen += 1;
        let f = (x as f64 + 0.5) / spacing as f64;
        if f > 0.3 && f < 0.7 && inside_of[s] > worst {
            worst = inside_of[s];
        }
        for (sum, c) in sums.iter_mut().zip(cosines) {
            *sum += c * pedicle;
        }
    }
    if (seen as f64) < parameters.min_in_view * spacing as f64 || seen == 0 {
        return None;
    }
    let best = sums.into_iter().fold(f64::NEG_INFINITY, f64::max);
    Some(Fit { pedicle: best / seen as f64, inside: worst, visible: seen as f64 / spacing as f64 })
}

/// What a change of spacing costs, `[above][below]`: a parabola that goes over into straight lines
/// at a factor of e^0.18, since a neck and a chest do meet.
fn change_costs(change_cost: f64) -> Vec<[f64; SPACINGS]> {
    (0..SPACINGS)
        .map(|a| {
            std::array::from_fn(|b| {
                let quotient = (LEAST_SPACING + a) as f64 / (LEAST_SPACING + b) as f64;
                let x = (libm::log(quotient) / 0.18).abs();
                change_cost * if x < 1.0 { x * x } else { 2.0 * x - 1.0 }
            })
        })
        .collect()
}

/// Whether (lower disc place, spacing index) has its middle within 0.4 spacings of another's
/// (lower disc place, spacing).
fn same_place((low, spacing): (usize, usize), (b, hi): (usize, usize)) -> bool {
    let apart = (2 * low + spacing).abs_diff(2 * b + LEAST_SPACING + hi);
    10 * apart <= 8 * spacing
}

/// The chain of (lower disc place, spacing index) with the greatest sum, and the sum; from feet to
/// head. `without` excludes vertebrae whose middle lies about that of one (lower disc, spacing).
fn best_chain(
    gains: &[[f64; SPACINGS]],
    change: &[[f64; SPACINGS]],
    without: Option<(usize, usize)>,
) -> (f64, Vec<(usize, usize)>) {
    let mut best = vec![[f64::NEG_INFINITY; SPACINGS]; gains.len()];
    let mut from = vec![[None::<usize>; SPACINGS]; gains.len()];
    let mut top: Option<(f64, usize, usize)> = None;
    for b in 0..gains.len() {
        for hi in 0..SPACINGS {
            let gain = gains[b][hi];
            if gain == f64::NEG_INFINITY || without.is_some_and(|w| same_place(w, (b, hi))) {
                continue;
            }
            let (mut sum, mut below) = (gain, None);
            for hj in 0..SPACINGS {
                let Some(lower) = b.checked_sub(LEAST_SPACING + hj) else { continue };
                let reached = best[lower][hj] + gain - change[hi][hj];
                if best[lower][hj] > 0.0 && reached > sum {
                    (sum, below) = (reached, Some(hj));
                }
            }
            best[b][hi] = sum;
            from[b][hi] = below;
            if top.is_none_or(|(t, ..)| sum > t) {
                top = Some((sum, b, hi));
            }
        }
    }
    let mut chain = Vec::new();
    let Some((sum, mut b, mut hi)) = top else { return (0.0, chain) };
    if sum <= 0.0 {
        return (0.0, chain);
    }
    loop {
        chain.push((b, hi));
        let Some(below) = from[b][hi] else { break };
        b -= LEAST_SPACING + below;
        hi = below;
    }
    chain.reverse();
    (sum, chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spine whose discs lie every 30 mm from 20 mm on, pedicles above the middle of each body.
    fn regular(n: usize) -> (Signals, DiscEvidence) {
        let phase = |s: usize| ((s as f64 - 20.0) / 30.0).rem_euclid(1.0);
        let near_disc = |s: usize| phase(s) < 0.05 || phase(s) > 0.95;
        let strength: Vec<f64> = (0..n).map(|s| if near_disc(s) { 1.0 } else { -0.3 }).collect();
        let pedicle = (0..n).map(|s| (std::f64::consts::TAU * (phase(s) - 0.66)).cos()).collect();
        let signals = Signals {
            back_wall_mm: vec![8.0; n],
            back_wall_seen: vec![true; n],
            depth_mm: vec![32.0; n],
            middle_mm: vec![0.0; n],
            width_mm: vec![46.0; n],
            strip: vec![[0.0; super::super::straightened::ROWS]; n],
            pedicle,
            canal_hu: 30.0,
        };
        let discs = DiscEvidence {
            strength: std::array::from_fn(|_| strength.clone()),
            tilt: std::array::from_fn(|_| vec![6; n]),
            half_height_mm: std::array::from_fn(|_| vec![4.0; n]),
            in_view: vec![true; n],
        };
        (signals, discs)
    }

    #[test]
    fn a_regular_rhythm_is_counted_disc_by_disc() {
        let (signals, discs) = regular(150);
        let found =
            rhythm(&signals, &discs, &vec![0.8; signals.pedicle.len()], &Parameters::default());
        let whole: Vec<_> = found.iter().filter(|s| s.fraction_in_view == 1.0).collect();
        assert_eq!(whole.len(), 4, "{found:?}");
        for segment in whole {
            assert!((segment.high - segment.low - 30).abs() <= 2, "{segment:?}");
        }
    }

    #[test]
    fn a_symmetric_stretch_needs_less_evidence_than_one_that_is_not() {
        let (mut signals, mut discs) = regular(150);
        for value in &mut signals.pedicle {
            *value *= 0.38;
        }
        for strength in discs.strength.iter_mut().flatten() {
            *strength *= 0.15;
        }
        let found = |symmetry: f64| {
            rhythm(&signals, &discs, &[symmetry; 150], &Parameters::default()).len()
        };
        assert!(found(0.5) < found(0.9), "{} and {}", found(0.5), found(0.9));
    }

    #[test]
    fn a_vertebra_cut_by_the_field_is_not_squeezed_into_it() {
        // Discs are seen up to 130 mm. An endplate at 105 mm looks more like one than the disc at 110 mm does.
        let (mut signals, mut discs) = regular(150);
        signals.pedicle[86..].fill(0.0);
        for strength in &mut discs.strength {
            strength[86..].fill(-0.1);
            strength[104..107].fill(0.65);
            strength[109..112].fill(0.0);
            strength[130..].fill(f64::NAN);
        }
        discs.in_view[138..].fill(false);
        let squeezed = |beyond_mm: f64| {
            let parameters =
                Parameters { unseen_disc_beyond_mm: beyond_mm, ..Parameters::default() };
            let found = rhythm(&signals, &discs, &[0.8; 150], &parameters);
            found.iter().any(|segment| (130..136).contains(&segment.high))
        };
        assert!(squeezed(0.0) && !squeezed(Parameters::default().unseen_disc_beyond_mm));
    }

    #[test]
    fn nothing_in_view_gives_no_vertebra() {
        let (signals, mut discs) = regular(60);
        discs.in_view = vec![false; 60];
        assert!(
            rhythm(&signals, &discs, &vec![0.8; signals.pedicle.len()], &Parameters::default())
                .is_empty()
        );
    }
}
