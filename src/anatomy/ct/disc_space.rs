//! The two endplates that face each other across a disc, found together as planes.
//!
//! # Method
//! Alone, the endplate of a neighbour across a thin disc looks like one's own: dense bone ends there,
//! too. Together they cannot be mistaken. Every column of the expected cross section votes for the
//! planes it would put a fall (bone below, disc above) and a rise (disc below, bone above) on; the
//! pair with the greatest sum of both (the weaker counts more), at a disc's distance, near where the rhythm expects the disc,
//! stands for the disc. A thin disc and its endplates may be one dense band, of two peaks or one, of which the denser
//! endplate alone looks like a narrower band: so a band is a rise from the marrow below and a fall to the marrow above
//! at the distance of a disc with both plates, and the endplates lie inside its flanks. A few of the best pairs and
//! bands of every disc are kept; a Viterbi along the spine takes those between which bodies are neither much higher or lower than the spacing of the
//! vertebrae asks nor much wedged.

use super::body_volume::BodyVolume;
use super::endplates::BAND_PLATE_MM;
use crate::anatomy::surface::EndplateSurface;
use crate::geometry::Frame;
use crate::volume::Volume;

/// How far from the expected middle of the disc the planes are searched, mm.
const REACH_MM: i32 = 12;
/// How far the middle of the disc may lie from where the rhythm put it, mm.
const MAX_SHIFT_MM: f64 = 7.0;
/// Least distance of two endplates: fused and nearly fused discs are not told apart from none.
const LEAST_GAP_MM: i32 = 2;
/// Greatest distance of two endplates, mm: the highest lumbar discs measure 14 mm.
const GREATEST_GAP_MM: i32 = 15;
const GREATEST_GAP_SHARE: f64 = 0.45;
/// Distance of the columns that vote, mm.
const COLUMN_STEP_MM: i32 = 4;
/// Fall that gains one point, HU, and the most that one column may give or take.
const FALL_SCALE_HU: f64 = 150.0;
const VOTE_LIMITS: (f64, f64) = (-1.0, 1.5);
/// Slopes that are tried, tan, about the expected one: forward for each plate, sideways for both.
const SLOPE_STEP: f64 = 0.07;
const FORWARD_STEPS: i32 = 5;
const SIDE_STEPS: i32 = 3;
/// Two endplates of one disc differ by at most this many steps forward (19 degrees).
const WEDGE_STEPS: usize = 5;
/// Points that a pair loses one such distance from what is expected: middle, mm; slope and wedge, tan.
const SHIFT_SIGMA_MM: f64 = 6.0;
const SLOPE_SIGMA: f64 = 0.35;
const WEDGE_SIGMA: f64 = 0.25;
/// Height of a disc over the distance of discs: 0.15 to 0.25 in the chest, to 0.33 in the lumbar
/// spine, down to 0.08 where it is narrowed.
const GAP_SHARE: f64 = 0.2;
const GAP_SHARE_SIGMA: f64 = 0.1;
const PRIOR_WEIGHT: f64 = 0.15;
/// Share of the weaker plate of a pair: the far side of one's own endplate shows a fall as well, but
/// nothing faces it.
const WEAKER: f64 = 0.7;
/// Least points of each plate: falls of 15 HU on average over the cross section.
const LEAST_VOTE: f64 = 0.10;
/// Pairs that are kept for each disc, and by how much one of their heights must differ, mm.
const CANDIDATES: usize = 12;
const DISTINCT_MM: usize = 2;
/// Cost of one such deviation, points: natural logarithm of the height over the expected one, and
/// wedge (tan).
const CHAIN_WEIGHT: f64 = 0.15;
const HEIGHT_SIGMA: f64 = 0.25;
/// The same where one end is only the rhythm's: its place may be off by a third of a body, and must not
/// outweigh a disc that was seen.
const UNSEEN_HEIGHT_SIGMA: f64 = 0.5;
const BODY_WEDGE_SIGMA: f64 = 0.3;
/// No vertebral body is lower, mm: a collapsed one still is.
const LEAST_BODY_MM: f64 = 5.0;
/// Cost of what cannot be, points.
const IMPOSSIBLE: f64 = 1e3;
/// A dense band is sought as a rise and a fall this far apart, mm (one endplate alone has 4 to 5, a disc of 6 mm with both of its
/// plates 11), and what it costs against a pair, points: what is seen as falls is placed better.
const BAND_WIDTHS_MM: std::ops::RangeInclusive<usize> = 4..=11;
const BAND_COST: f64 = 0.5;
/// Least distance of the endplates of a band, mm.
const LEAST_BAND_GAP_MM: f64 = 1.0;
/// What it costs to take the rhythm's place instead of a pair that was seen, points.
const UNSEEN_SCORE: f64 = -0.6;
/// Least number of columns in view.
const LEAST_COLUMNS: usize = 12;

/// What is known of a disc before its endplates are looked for.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedDisc {
    /// Centre, `up` at right angles to the disc plane as far as known.
    pub frame: Frame,
    /// Half of the depth and half of the width of the bodies about it, mm.
    pub half_depth_mm: f64,
    /// See `half_depth_mm`.
    pub half_width_mm: f64,
    /// Distance to the nearer neighbouring disc, mm.
    pub spacing_mm: f64,
    /// Half of its height by the rhythm, mm.
    pub half_height_mm: f64,
}

/// How the endplates about a disc were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// As a pair with the disc between.
    Pair,
    /// As one dense band between the marrow of both bodies: a narrow, calcified or bridged disc. The planes lie a
    /// plate's thickness inside its flanks.
    Band,
    /// Not seen: the planes follow the rhythm.
    Rhythm,
}

/// The planes of both endplates in the disc's frame.
#[derive(Clone, Copy, Debug)]
pub struct DiscSpace {
    /// The frame of the expected disc.
    pub frame: Frame,
    /// Mean falls of both planes over the cross section less what is unlike the expectation; 0
    /// for planes that only follow the rhythm.
    pub score: f64,
    /// How they were found.
    pub evidence: Evidence,
    /// Upper endplate of the body below.
    pub below: EndplateSurface,
    /// Lower endplate of the body above.
    pub above: EndplateSurface,
}

/// Votes for planes `[height][forward slope][side slope]`.
struct Votes {
    values: Vec<f64>,
}

const HEIGHTS: usize = (2 * REACH_MM + 1) as usize;
const FORWARD: usize = (2 * FORWARD_STEPS + 1) as usize;
const SIDE: usize = (2 * SIDE_STEPS + 1) as usize;

impl Votes {
    fn at(&self, height: usize, forward: usize, side: usize) -> f64 {
        self.values[(height * FORWARD + forward) * SIDE + side]
    }
}

/// The best pairs of endplates about a disc, the rhythm's own last.
pub fn disc_spaces(volume: &Volume<i16>, expected: &ExpectedDisc) -> Vec<DiscSpace> {
    let mut found = seen_pairs(volume, expected);
    let half = expected.half_height_mm;
    found.push(DiscSpace {
        frame: expected.frame,
        score: UNSEEN_SCORE,
        evidence: Evidence::Rhythm,
        below: EndplateSurface::flat(-half),
        above: EndplateSurface::flat(half),
    });
    found
}

fn seen_pairs(volume: &Volume<i16>, expected: &ExpectedDisc) -> Vec<DiscSpace> {
    // Slopes carry the plane past the reach at the rim; the fall looks two millimetres further.
    let half_height = REACH_MM + 16;
    let local = BodyVolume::new(volume, &expected.frame, half_height);
    let columns = columns(&local, expected, half_height);
    if columns.len() < LEAST_COLUMNS {
        return Vec::new();
    }
    let falls = votes(&columns, half_height, 1.0);
    let rises = votes(&columns, half_height, -1.0);
    let greatest_gap = GREATEST_GAP_MM.min((GREATEST_GAP_SHARE * expected.spacing_mm) as i32);
    let unusual_cost = |gap_mm: f64, shift_mm: f64| {
        let share = gap_mm / expected.spacing_mm.max(1.0);
        let unusual = (share - GAP_SHARE) / GAP_SHARE_SIGMA;
        let off = shift_mm / SHIFT_SIGMA_MM;
        PRIOR_WEIGHT * (unusual * unusual + off * off)
    };
    let mut pairs = Vec::new();
    for low in 0..HEIGHTS {
        for gap in LEAST_GAP_MM..=greatest_gap {
            let high = low + gap as usize;
            let shift = 0.5 * (low + high) as f64 - f64::from(REACH_MM);
            if high < HEIGHTS && shift.abs() <= MAX_SHIFT_MM {
                let cost = unusual_cost(f64::from(gap), shift);
                pairs.extend(best_slopes(&falls, &rises, low, high, cost));
            }
        }
    }
    let mut bands = Vec::new();
    for low in 0..HEIGHTS {
        for width in BAND_WIDTHS_MM {
            let high = low + width;
            let shift = 0.5 * (low + high) as f64 - f64::from(REACH_MM);
            if high < HEIGHTS && shift.abs() <= MAX_SHIFT_MM {
                let cost = unusual_cost(band_gap(low, high), shift) + BAND_COST;
                // Bone rises to the band and falls behind it.
                bands.extend(best_slopes(&falls, &rises, high, low, cost));
            }
        }
    }
    let plane = |height: f64, forward: usize, side: usize| EndplateSurface {
        coefficients: [
            height - f64::from(REACH_MM),
            slope(forward, FORWARD_STEPS),
            slope(side, SIDE_STEPS),
            0.0,
            0.0,
            0.0,
        ],
    };
    let mut spaces: Vec<DiscSpace> = distinct(pairs)
        .into_iter()
        .map(|(score, [low, high, below, above, side])| DiscSpace {
            frame: expected.frame,
            score,
            evidence: Evidence::Pair,
            below: plane(low as f64, below, side),
            above: plane(high as f64, above, side),
        })
        .collect();
    spaces.extend(distinct(bands).into_iter().map(|(score, [high, low, above, below, side])| {
        let middle = 0.5 * (low + high) as f64;
        let half = 0.5 * band_gap(low, high);
        DiscSpace {
            frame: expected.frame,
            score,
            evidence: Evidence::Band,
            below: plane(middle - half, below, side),
            above: plane(middle + half, above, side),
        }
    }));
    spaces
}

/// Height of the disc in a band between two heights, mm.
fn band_gap(low: usize, high: usize) -> f64 {
    ((high - low) as f64 - 2.0 * BAND_PLATE_MM).max(LEAST_BAND_GAP_MM)
}

/// The best pairs that differ by more than their neighbours do.
fn distinct(mut pairs: Vec<(f64, [usize; 5])>) -> Vec<(f64, [usize; 5])> {
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut kept: Vec<(f64, [usize; 5])> = Vec::new();
    for pair in pairs {
        let [low, high, ..] = pair.1;
        let near = |k: &(f64, [usize; 5])| {
            k.1[0].abs_diff(low) < DISTINCT_MM && k.1[1].abs_diff(high) < DISTINCT_MM
        };
        if !kept.iter().any(near) {
            kept.push(pair);
        }
        if kept.len() == CANDIDATES {
            break;
        }
    }
    kept
}

fn slope(step: usize, steps: i32) -> f64 {
    (step as i32 - steps) as f64 * SLOPE_STEP
}

/// The slopes with the greatest sum of votes for two heights.
fn best_slopes(
    falls: &Votes,
    rises: &Votes,
    low: usize,
    high: usize,
    cost: f64,
) -> Option<(f64, [usize; 5])> {
    let mut best: Option<(f64, [usize; 5])> = None;
    for side in 0..SIDE {
        let lean = slope(side, SIDE_STEPS) / SLOPE_SIGMA;
        for below in 0..FORWARD {
            let fall = falls.at(low, below, side);
            if fall.is_nan() || fall < LEAST_VOTE {
                continue;
            }
            let least = below.saturating_sub(WEDGE_STEPS);
            for above in least..=(below + WEDGE_STEPS).min(FORWARD - 1) {
                let rise = rises.at(high, above, side);
                if rise.is_nan() || rise < LEAST_VOTE {
                    continue;
                }
                let tilt =
                    0.5 * (slope(below, FORWARD_STEPS) + slope(above, FORWARD_STEPS)) / SLOPE_SIGMA;
                let wedge = (below as f64 - above as f64) * SLOPE_STEP / WEDGE_SIGMA;
                let unlike = tilt * tilt + wedge * wedge + lean * lean;
                let seen = 2.0 * (WEAKER * fall.min(rise) + (1.0 - WEAKER) * fall.max(rise));
                let value = seen - PRIOR_WEIGHT * unlike - cost;
                if best.is_none_or(|(top, _)| value > top) {
                    best = Some((value, [low, high, below, above, side]));
                }
            }
        }
    }
    best
}

/// Takes one pair for each disc of a chain, from feet to head, so that the bodies between are
/// plausible. `heights_mm` holds the expected height of the body above each disc but the last.
pub fn best_chain(discs: &[Vec<DiscSpace>], heights_mm: &[f64]) -> Vec<DiscSpace> {
    let Some(first) = discs.first() else { return Vec::new() };
    let mut best: Vec<f64> = first.iter().map(|d| d.score).collect();
    let mut from: Vec<Vec<usize>> = Vec::new();
    for (pair, &height) in discs.windows(2).zip(heights_mm) {
        let (lower, upper) = (&pair[0], &pair[1]);
        let mut next = Vec::with_capacity(upper.len());
        let mut steps = Vec::with_capacity(upper.len());
        for above in upper {
            let (mut top, mut step) = (f64::NEG_INFINITY, 0);
            for (n, below) in lower.iter().enumerate() {
                let value = best[n] - implausible(below, above, height);
                if value > top {
                    (top, step) = (value, n);
                }
            }
            next.push(top + above.score);
            steps.push(step);
        }
        best = next;
        from.push(steps);
    }
    let mut n = 0;
    for (candidate, value) in best.iter().enumerate() {
        if *value > best[n] {
            n = candidate;
        }
    }
    let mut chain = Vec::with_capacity(discs.len());
    for (at, disc) in discs.iter().enumerate().rev() {
        chain.push(disc[n]);
        if at > 0 {
            n = from[at - 1][n];
        }
    }
    chain.reverse();
    chain
}

/// What a body between two discs costs: for its height against the expected one and its wedge.
fn implausible(below: &DiscSpace, above: &DiscSpace, height_mm: f64) -> f64 {
    let place =
        |frame: &Frame, plane: &EndplateSurface| frame.origin + frame.up * plane.height(0.0, 0.0);
    let normal = |frame: &Frame, plane: &EndplateSurface| {
        frame.up - frame.anterior * plane.coefficients[1] - frame.left * plane.coefficients[2]
    };
    let up = (below.frame.up + above.frame.up) * 0.5;
    let height = (place(&above.frame, &above.below) - place(&below.frame, &below.above)).dot(up);
    if height < LEAST_BODY_MM {
        return IMPOSSIBLE;
    }
    let seen = [below, above].iter().all(|disc| disc.evidence != Evidence::Rhythm);
    let sigma = if seen { HEIGHT_SIGMA } else { UNSEEN_HEIGHT_SIGMA };
    let quotient = libm::log(height / height_mm.max(1.0)) / sigma;
    let turned = (normal(&above.frame, &above.below) - normal(&below.frame, &below.above)).length();
    let wedge = turned / BODY_WEDGE_SIGMA;
    CHAIN_WEIGHT * (quotient * quotient + wedge * wedge)
}

/// A column of the cross section: falls (going up) at each height in steps of 1 mm.
struct Column {
    v: f64,
    u: f64,
    falls: Vec<f64>,
}

fn columns(local: &BodyVolume, expected: &ExpectedDisc, half_height: i32) -> Vec<Column> {
    let mut columns = Vec::new();
    let (front, side) = (0.85 * expected.half_depth_mm, 0.85 * expected.half_width_mm);
    for v in (-36..=36).step_by(COLUMN_STEP_MM as usize) {
        for u in (-36..=36).step_by(COLUMN_STEP_MM as usize) {
            let (a, b) = (f64::from(v) / front, f64::from(u) / side);
            if a * a + b * b > 1.0 {
                continue;
            }
            let means: Vec<f64> = (-half_height..=half_height)
                .map(|s| f64::from(local.square_mean(s, v, u)))
                .collect();
            let falls: Vec<f64> = (0..means.len())
                .map(|n| {
                    if n < 2 || n + 2 >= means.len() {
                        return f64::NAN;
                    }
                    0.5 * (means[n - 2] + means[n - 1] - means[n + 1] - means[n + 2])
                })
                .collect();
            if falls.iter().any(|f| f.is_finite()) {
                columns.push(Column { v: f64::from(v), u: f64::from(u), falls });
            }
        }
    }
    columns
}

/// Mean vote of the columns in view for each plane; NaN where fewer than three in four are: a slope
/// cannot be told from one corner of the cross section.
fn votes(columns: &[Column], half_height: i32, sign: f64) -> Votes {
    let mut values = vec![f64::NAN; HEIGHTS * FORWARD * SIDE];
    for forward in 0..FORWARD {
        for side in 0..SIDE {
            let mut sums = [0.0f64; HEIGHTS];
            let mut seen = [0u32; HEIGHTS];
            for column in columns {
                let rise = (forward as i32 - FORWARD_STEPS) as f64 * SLOPE_STEP * column.v
                    + (side as i32 - SIDE_STEPS) as f64 * SLOPE_STEP * column.u;
                let start = rise + f64::from(half_height - REACH_MM);
                let first = libm::floor(start);
                let part = start - first;
                for height in 0..HEIGHTS {
                    let n = first as i64 + height as i64;
                    let Ok(n) = usize::try_from(n) else { continue };
                    let (Some(a), Some(b)) = (column.falls.get(n), column.falls.get(n + 1)) else {
                        continue;
                    };
                    let fall = sign * (a * (1.0 - part) + b * part);
                    if fall.is_finite() {
                        let (least, most) = VOTE_LIMITS;
                        sums[height] += (fall / FALL_SCALE_HU).clamp(least, most);
                        seen[height] += 1;
                    }
                }
            }
            for height in 0..HEIGHTS {
                if 4 * seen[height] as usize >= 3 * columns.len() {
                    values[(height * FORWARD + forward) * SIDE + side] =
                        sums[height] / f64::from(seen[height]);
                }
            }
        }
    }
    Votes { values }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::made;
    use crate::geometry::{LpsPoint, LpsVector};

    /// The best planes about a disc between `hu` of heights (mm), expected at 42 mm: how they were found, and where.
    fn best(hu: impl Fn(f64) -> i16) -> (Evidence, f64, f64) {
        let (volume, _) = made([40, 40, 40], |_, _, z| hu(z));
        let centre = LpsPoint::new(0.0, 0.0, 42.0);
        let frame =
            Frame::from_up_and_anterior(centre, LpsVector::HEAD, LpsVector::ANTERIOR).unwrap();
        let expected = ExpectedDisc {
            frame,
            half_depth_mm: 14.0,
            half_width_mm: 16.0,
            spacing_mm: 22.0,
            half_height_mm: 2.0,
        };
        let best = disc_spaces(&volume, &expected)
            .into_iter()
            .max_by(|a, b| a.score.total_cmp(&b.score))
            .unwrap();
        let place = |plane: &EndplateSurface| 42.0 + plane.height(0.0, 0.0);
        (best.evidence, place(&best.below), place(&best.above))
    }

    #[test]
    fn of_two_falls_the_one_with_an_endplate_that_faces_it_is_the_disc() {
        // A thin disc between thin, dense endplates, marrow as dark as the disc, and a little denser again 6 mm
        // behind the upper endplate on.
        let (_, low, high) = best(|z| match z {
            36.0 | 40.0 => 400,
            46.0.. => 160,
            _ => 100,
        });
        assert!((low - 37.0).abs() <= 1.0 && (high - 39.0).abs() <= 1.0, "{low} {high}");
    }

    #[test]
    fn of_a_thin_disc_denser_than_marrow_the_whole_band_is_taken_and_not_its_denser_endplate() {
        let (evidence, low, high) = best(|z| match z {
            36.0 => 270,
            38.0 => 250,
            40.0 => 280,
            42.0 => 420,
            _ => 120,
        });
        assert_eq!(evidence, Evidence::Band);
        assert!((low - 37.3).abs() <= 1.0 && (high - 40.7).abs() <= 1.0, "{low} {high}");
    }
}
