//! The sacrum as an anchor: S1 is the highest body whose sides reach the hip bones as bone.
//!
//! # Method
//! Beside a lumbar body lies the psoas, the transverse process runs behind it. Beside S1 the ala
//! goes on at the height and depth of the body to the joint with the ilium, its front cortex
//! dense even where its marrow is fat. In the body's own plane the share of columns (30 to 50 mm
//! to a side) that meet bone beside the body tells the two apart. Between a lumbar body and a kidney
//! bright with contrast medium lies the psoas: bone that does not reach the body does not join it.

use super::column::Column;
use crate::anatomy::ct::coarse::Coarse;
use crate::anatomy::ct::ends::SACRAL_STEP_SHARE;
use crate::anatomy::levels::{Anchor, AnchorKind};
use crate::geometry::{Frame, LocalPoint};
use crate::units::Share;

/// Columns to the side that are asked, mm from the midline: outside the widest lumbar body, inside
/// the joint with the ilium.
const FROM_MM: i32 = 30;
const TO_MM: i32 = 50;
/// Where the ala begins, mm from the midline, and the widest stretch without bone from there to the
/// joint: the psoas is 15 mm wide and more beside L2, a joint space 4.
const ALA_FROM_MM: i32 = 22;
const WIDEST_GAP_MM: i32 = 8;
/// What a side with a wider one counts at most: neither joined nor free.
const NOT_REACHED: f64 = 0.5;
/// Window in front of and behind the body's centre in which the ala lies, mm. The transverse
/// process of L5 leaves it about 33 mm from the midline.
const BEHIND_MM: i32 = -8;
const AHEAD_MM: i32 = 16;
/// Half thickness of the plane, mm.
const HALF_SLAB_MM: i32 = 4;
/// Bone on the smoothed coarse grid, HU over soft tissue (about 50): cortex blurred to 2 mm.
const BONE_HU: f32 = 150.0;
/// The ilium: dense bone this far to the side, mm, up to this far behind or ahead.
const ILIUM_MM: (i32, i32) = (46, 84);
const ILIUM_HU: f32 = 250.0;
/// Share of columns that must be in view.
const LEAST_IN_VIEW: f64 = 0.9;

/// What lies beside one body on one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// Share of columns with bone between the body and the joint.
    pub joined: f64,
    /// Whether dense bone of an ilium lies further out.
    pub ilium: bool,
}

/// What lies beside a body; `None` where it is out of view.
pub fn beside(coarse: &Coarse, frame: &Frame, left: bool) -> Option<Beside> {
    let sign = if left { 1.0 } else { -1.0 };
    let hu = |s: i32, v: i32, u: i32| -> Option<f32> {
        let local = LocalPoint { s: f64::from(s), v: f64::from(v), u: sign * f64::from(u) };
        let at = coarse.grid.nearest(frame.to_lps(local))?;
        Some(coarse.hu.at(at.i, at.j, at.k)).filter(|&hu| hu > -1500.0)
    };
    let (mut seen, mut bone, mut columns) = (0u32, 0u32, 0u32);
    let (mut gap_mm, mut widest_gap_mm) = (0, 0);
    for u in (ALA_FROM_MM..=TO_MM).step_by(2) {
        let mut densest: Option<f32> = None;
        for v in (BEHIND_MM..=AHEAD_MM).step_by(2) {
            for s in (-HALF_SLAB_MM..=HALF_SLAB_MM).step_by(2) {
                if let Some(value) = hu(s, v, u) {
                    densest = Some(densest.map_or(value, |d: f32| d.max(value)));
                }
            }
        }
        let is_bone = densest.is_some_and(|d| d > BONE_HU);
        gap_mm = if is_bone { 0 } else { gap_mm + 2 };
        widest_gap_mm = widest_gap_mm.max(gap_mm);
        if u >= FROM_MM {
            columns += 1;
            seen += u32::from(densest.is_some());
            bone += u32::from(is_bone);
        }
    }
    if f64::from(seen) < LEAST_IN_VIEW * f64::from(columns) {
        return None;
    }
    let ilium = (ILIUM_MM.0..=ILIUM_MM.1)
        .step_by(2)
        .any(|u| (-40..=30).step_by(2).any(|v| hu(0, v, u).is_some_and(|value| value > ILIUM_HU)));
    let share = f64::from(bone) / f64::from(seen.max(1));
    let reached = widest_gap_mm <= WIDEST_GAP_MM;
    Some(Beside { joined: if reached { share } else { share.min(NOT_REACHED) }, ilium })
}

/// Both sides of one body: the share joined on the less joined side, and whether both ilia are in
/// view; the best of a few tilts, because the canal's slope is not that of the body.
pub fn joined(coarse: &Coarse, column: &Column, n: usize) -> Option<(f64, bool)> {
    let frame = column.frame_from_above(n);
    let mut best: Option<(f64, bool)> = None;
    for degrees in [-20.0, 0.0, 20.0_f64] {
        let (sine, cosine) = (libm::sin(degrees.to_radians()), libm::cos(degrees.to_radians()));
        let up = frame.up * cosine + frame.anterior * sine;
        let Some(tilted) = Frame::from_up_and_anterior(frame.origin, up, frame.anterior) else {
            continue;
        };
        let (Some(left), Some(right)) =
            (beside(coarse, &tilted, true), beside(coarse, &tilted, false))
        else {
            continue;
        };
        let share = left.joined.min(right.joined);
        if best.is_none_or(|(most, _)| share > most) {
            best = Some((share, left.ilium && right.ilium));
        }
    }
    best
}

/// S1, where the sacrum is in view.
pub fn anchor(coarse: &Coarse, column: &Column) -> Option<Anchor> {
    let count = column.places.len().min(MOST_SACRAL + 1);
    let all: Vec<Option<(f64, bool)>> = (0..=count)
        .map(|n| (n < column.places.len()).then(|| joined(coarse, column, n))?)
        .collect();
    // The bodies from the head down.
    let (n, share) = (0..count).rev().find_map(|n| match all[n] {
        Some((share, true)) if share >= LEAST_JOINED => Some((n, share)),
        _ => None,
    })?;
    if column.places[n].step_mm < LEAST_STEP_MM {
        return None;
    }
    // The body above must not be half joined: that would be a transitional vertebra.
    let above = all.get(n + 1).copied().flatten().map(|(share, _)| share);
    let confidence = confidence(share, above, n);
    Some(Anchor {
        kind: AnchorKind::Sacrum,
        position: isize::try_from(n).ok()?,
        confidence,
        evidence: format!(
            "bone reaches from the body to both hip bones on {:.0} % of the way, {} at the body above",
            100.0 * share,
            above.map_or("nothing is in view".to_owned(), |above| format!(
                "on {:.0} %",
                100.0 * above
            )),
        ),
    })
}

/// How sure body `n` is S1: `share` of it is joined, `above` of the next one up.
fn confidence(share: f64, above: Option<f64>, n: usize) -> Share {
    let joined = ((share - 0.4) / 0.5).clamp(0.0, 1.0);
    // Without a body above in view there is nothing to tell S1 from S2.
    let alone = above.map_or(0.5, |above| 1.0 - above);
    // What stands below it, and was no sacral body by its distance, makes it a transitional one
    // perhaps: such an anchor must name nothing.
    let lowest = if n == 0 { 1.0 } else { 0.5 };
    Share::new(0.97 * joined * alone * lowest)
}

/// What the joints with the hip bones say of the lowest bodies of a chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joints {
    /// How many lie below S1, told by the joint alone: below the highest body that bone joins to both
    /// hip bones, with a free one above it.
    pub below_s1: usize,
    /// Which of the lowest are free on one side at least, both in view: no sacral bodies.
    pub free: Vec<bool>,
    /// Whether one of the lowest is joined to both hip bones.
    pub sacrum: bool,
}

/// Looks at the lowest bodies of a chain.
pub fn joints(coarse: &Coarse, column: &Column) -> Joints {
    let steps: Vec<f64> = column.places.iter().map(|place| place.step_mm).collect();
    let shares: Vec<Option<(f64, bool)>> =
        (0..steps.len().min(MOST_SACRAL + 3)).map(|n| joined(coarse, column, n)).collect();
    let free = shares.iter().map(|share| share.is_some_and(|(share, _)| share < FREE)).collect();
    let share = |n: usize| shares.get(n).copied().flatten();
    let sacrum = (0..shares.len()).any(|n| is_joined(share(n)));
    Joints { below_s1: below_s1(&steps, share), free, sacrum }
}

/// Whether bone joins a body to both hip bones.
fn is_joined(beside: Option<(f64, bool)>) -> bool {
    beside.is_some_and(|(share, ilia)| ilia && share >= LEAST_JOINED)
}

/// `steps` go from each body to the next one up, mm (from the highest to the one below). A step as long as a lumbar one
/// is none within the sacrum: then the joined body may be a transitional lumbar one with S1 below it. In a field that
/// ends at L5 or S1 no whole lumbar step is in view: there the body below must be joined, too.
fn below_s1(steps: &[f64], joined: impl Fn(usize) -> Option<(f64, bool)>) -> usize {
    let is_joined = |n| is_joined(joined(n));
    let is_free = |n| joined(n).is_some_and(|(share, _)| share < FREE);
    let is_short = |n: usize| steps[n - 1] <= SACRAL_STEP_SHARE * steps[n];
    let is_s1 = |n: usize| match steps.len() - 1 - n {
        0 => is_joined(n - 1),
        1 => is_free(n + 1) && (is_short(n) || is_joined(n - 1)),
        _ => is_free(n + 1) && is_short(n),
    };
    let highest = (MOST_SACRAL + 1).min(steps.len());
    (1..highest).rev().find(|&n| is_joined(n) && is_s1(n)).unwrap_or(0)
}

/// Sacral bodies that a chain may hold below S1 (S2 to S5).
const MOST_SACRAL: usize = 4;
/// From S1 to L5, mm, at least: first ribs and clavicles beside T1 look joined, too, but the
/// bodies there are not 22 mm apart.
const LEAST_STEP_MM: f64 = 25.0;
/// Share of columns from which a side counts as joined: measured 0.9 and more at S1, below 0.4 at L5.
const LEAST_JOINED: f64 = 0.65;
/// A side that meets bone on less than this share of the columns is free, as at L5.
const FREE: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::made;
    use crate::anatomy::levels::LEAST_ANCHOR;
    use crate::geometry::{LpsPoint, LpsVector};

    /// What lies on the left of a body whose surroundings hold `hu` at a distance from the midline.
    fn beside_a_body(hu: impl Fn(f64) -> i16) -> Beside {
        let (_, coarse) = made([90, 70, 30], |x, _, _| hu(x.abs()));
        let centre = LpsPoint::new(0.0, 0.0, 30.0);
        let frame =
            Frame::from_up_and_anterior(centre, LpsVector::HEAD, LpsVector::ANTERIOR).unwrap();
        beside(&coarse, &frame, true).unwrap()
    }

    #[test]
    fn an_ala_joins_the_body_and_a_bright_kidney_behind_the_psoas_does_not() {
        let ala = beside_a_body(|x| match x {
            0.0..44.0 => 260,
            44.0..48.0 => 40,
            48.0..70.0 => 420,
            _ => 40,
        });
        assert!(ala.joined >= LEAST_JOINED && ala.ilium, "{ala:?}");
        let kidney = beside_a_body(|x| match x {
            0.0..21.0 => 260,
            33.0..70.0 => 280,
            _ => 40,
        });
        assert!(kidney.ilium && kidney.joined < LEAST_JOINED, "{kidney:?}");
        assert!(kidney.joined >= FREE, "nor is it seen to be free: {kidney:?}");
    }

    #[test]
    fn a_joined_body_names_where_it_is_the_lowest_and_the_one_above_is_free() {
        let names = |above, n| confidence(1.0, above, n).get() >= LEAST_ANCHOR;
        assert!(names(Some(0.1), 0));
        assert!(!names(Some(0.1), 1), "another vertebra stands below it");
        assert!(!names(Some(0.6), 0), "transitional");
        assert!(!names(None, 0), "it may be S2");
    }

    #[test]
    fn what_lies_below_the_highest_joined_body_is_sacral_unless_its_step_is_lumbar() {
        // S3, S2, S1, L5, L4.
        let shares = [1.0, 0.6, 0.9, 0.1, 0.0];
        let at = |n: usize| Some((shares[n], true));
        assert_eq!(below_s1(&[25.0, 26.0, 36.0, 37.0, 38.0], at), 2);
        assert_eq!(below_s1(&[25.0, 34.0, 36.0, 37.0, 38.0], at), 0, "transitional body over S1");
        assert_eq!(below_s1(&[25.0, 26.0, 36.0, 37.0, 38.0], |n| Some((shares[n], false))), 0);
        // S5 to S1 and a lumbar pair, as in a scan of the whole pelvis.
        let long = |n: usize| Some((if n < 5 { 1.0 } else { 0.1 }, true));
        assert_eq!(below_s1(&[20.0, 21.0, 22.0, 28.0, 36.0, 37.0, 38.0], long), 4);
        // A field that ends in L5, or in S1.
        let pelvis = |n: usize| Some(([0.3, 1.0, 1.0, 1.0, 0.0][n], n > 0));
        assert_eq!(below_s1(&[33.0, 31.0, 35.0, 27.0, 27.0], pelvis), 3);
        assert_eq!(below_s1(&[33.0, 31.0, 35.0, 35.0], pelvis), 3);
        let one_joined = |n: usize| Some(([0.3, 1.0, 0.0][n], n > 0));
        assert_eq!(below_s1(&[35.0, 27.0, 27.0], one_joined), 0, "transitional body over S1");
        assert_eq!(below_s1(&[35.0, 35.0], one_joined), 0);
        let no_free_body_above = |n: usize| (n < 3).then_some((shares[n], true));
        assert_eq!(below_s1(&[25.0, 26.0, 36.0, 37.0], no_free_body_above), 0);
    }
}
