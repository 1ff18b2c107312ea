//! Dense foci of one body: local maxima of the filter answer, their region, and the rules that
//! tell look-alikes from them.

use super::body_samples::BodySamples;
use super::matched_filter::{Filtered, SpreadByPlace};
use crate::geometry::LocalPoint;

/// Candidates of one body are at least this far apart, mm.
const PEAK_DISTANCE_MM: f64 = 10.0;
/// A region keeps this far inside the core, mm, so that it does not run along the cortex.
const REGION_DEPTH_MM: f64 = 0.5;
/// Samples deeper in the core than this are "deep", mm.
const DEEP_MM: f64 = 2.0;
/// Samples this near to the end of the core are "at the endplate", mm.
const ENDPLATE_BAND_MM: f64 = 2.0;
/// The mirror image is searched this far round its place, mm.
const MIRROR_REACH_MM: f64 = 3.0;
/// Foci nearer to the midline than this have no mirror image of their own, mm.
const MIDLINE_MM: f64 = 5.0;

/// The numbers that decide whether a local maximum is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Least answer over spread.
    pub min_z: f64,
    /// Least contrast at the peak, smoothed by 2 mm, HU.
    pub min_contrast_hu: f64,
    /// Least volume of the region, mm³.
    pub min_volume_mm3: f64,
    /// Least share of the region deep in the core.
    pub min_deep_share: f64,
    /// An endplate band is at least this many times as wide as high.
    pub band_flatness: f64,
    /// An endplate band has more than this share next to the endplate.
    pub band_share: f64,
    /// A focus whose mirror image is at least this share of it is anatomy.
    pub mirror_share: f64,
    /// The same for foci of at least 1 ml of which half is deep.
    pub mirror_share_large: f64,
}

/// Why a local maximum was taken for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookAlike {
    /// Too faint.
    Faint,
    /// Too small.
    Small,
    /// Only along the border of the core.
    Border,
    /// A flat band along an endplate.
    EndplateBand,
    /// Has a mirror image on the other side.
    Mirrored,
}

/// A dense focus.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Largest answer over spread, over the scales.
    pub z: f64,
    /// Contrast at the peak against reference and normal pattern, smoothed by 2 mm, HU.
    pub contrast_hu: f64,
    /// Its samples, ascending.
    pub region: Vec<usize>,
    /// Share of the region deep in the core.
    pub deep_share: f64,
    /// Share of the region next to an endplate.
    pub endplate_share: f64,
    /// Width over height of the region.
    pub flatness: f64,
    /// Contrast at the mirror place over its own; `None` near the midline.
    pub mirror: Option<f64>,
    /// What it was taken for, where it was not kept.
    pub look_alike: Option<LookAlike>,
}

/// Local maxima of the filter answer of one body, strongest first, each with its region and the
/// verdict of the rules. Maxima that share their region with a stronger kept one are part of it.
pub(super) fn candidates(
    samples: &BodySamples,
    filtered: &Filtered,
    spread: &SpreadByPlace,
    rules: &Rules,
) -> Vec<Candidate> {
    let mut peaks = local_maxima(samples, filtered, spread, rules.min_z);
    // Strongest first; equal ones in sample order.
    peaks.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut kept: Vec<(usize, f64)> = Vec::new();
    for (at, z) in peaks {
        let p = samples.local(at);
        if kept.iter().all(|&(other, _)| distance(p, samples.local(other)) >= PEAK_DISTANCE_MM) {
            kept.push((at, z));
        }
    }
    let mut found: Vec<Candidate> = Vec::new();
    for (at, z) in kept {
        let stronger = || found.iter().filter(|c| c.look_alike.is_none());
        if stronger().any(|c| c.region.binary_search(&at).is_ok()) {
            continue;
        }
        let candidate = describe(samples, filtered, rules, at, z);
        // A fainter peak on the slope of a stronger one floods over it from below.
        let same = stronger().any(|c| {
            let shared =
                c.region.iter().filter(|&at| candidate.region.binary_search(at).is_ok()).count();
            2 * shared >= c.region.len().min(candidate.region.len()).max(1)
        });
        if !same {
            found.push(candidate);
        }
    }
    found
}

fn distance(a: LocalPoint, b: LocalPoint) -> f64 {
    let (s, v, u) = (a.s - b.s, a.v - b.v, a.u - b.u);
    libm::sqrt(s * s + v * v + u * u)
}

fn local_maxima(
    samples: &BodySamples,
    filtered: &Filtered,
    spread: &SpreadByPlace,
    min_z: f64,
) -> Vec<(usize, f64)> {
    let [ns, nv, nu] = samples.size;
    let z: Vec<f64> = (0..samples.core.len())
        .map(|at| if samples.core[at] { spread.score(filtered, at) } else { f64::NEG_INFINITY })
        .collect();
    let mut peaks = Vec::new();
    for s in 1..ns.saturating_sub(1) {
        for v in 1..nv - 1 {
            for u in 1..nu - 1 {
                let at = (s * nv + v) * nu + u;
                if z[at] < min_z {
                    continue;
                }
                let neighbours = (0..27)
                    .filter(|&n| n != 13)
                    .map(|n| ((s + n / 9 - 1) * nv + v + n / 3 % 3 - 1) * nu + u + n % 3 - 1);
                // Of equal neighbours the first in sample order is the maximum.
                if neighbours.into_iter().all(|b| z[b] < z[at] || (z[b] == z[at] && b > at)) {
                    peaks.push((at, z[at]));
                }
            }
        }
    }
    peaks
}

fn describe(
    samples: &BodySamples,
    filtered: &Filtered,
    rules: &Rules,
    at: usize,
    z: f64,
) -> Candidate {
    let peak = samples.local(at);
    let contrast_hu = f64::from(filtered.scales[0][at]);
    let region = region_at_half(samples, &filtered.scales[0], at);
    let n = region.len().max(1) as f64;
    let share =
        |test: &dyn Fn(usize) -> bool| region.iter().filter(|&&at| test(at)).count() as f64 / n;
    let deep_share = share(&|at| samples.depth_in_core(at) > DEEP_MM);
    let endplate_share = share(&|at| samples.endplate_depth_in_core(at) < ENDPLATE_BAND_MM);
    let flatness = flatness(samples, &region);
    let mirror = mirror_contrast(samples, &filtered.scales[0], peak)
        .map(|mirror| mirror / contrast_hu.max(1e-6));
    let volume = region.len() as f64;
    let mirror_limit = if volume >= 1000.0 && deep_share >= 0.5 {
        rules.mirror_share_large
    } else {
        rules.mirror_share
    };
    let look_alike = if contrast_hu < rules.min_contrast_hu {
        Some(LookAlike::Faint)
    } else if volume < rules.min_volume_mm3 {
        Some(LookAlike::Small)
    } else if deep_share < rules.min_deep_share {
        Some(LookAlike::Border)
    } else if flatness >= rules.band_flatness && endplate_share > rules.band_share {
        Some(LookAlike::EndplateBand)
    } else if mirror.is_some_and(|mirror| mirror >= mirror_limit) {
        Some(LookAlike::Mirrored)
    } else {
        None
    };
    Candidate { z, contrast_hu, region, deep_share, endplate_share, flatness, mirror, look_alike }
}

/// Connected samples (by faces) around a peak whose smoothed contrast is above half of the
/// peak's, ascending. Empty where the peak lies at the very border of the core.
fn region_at_half(samples: &BodySamples, contrast: &[f32], peak: usize) -> Vec<usize> {
    let [_, nv, nu] = samples.size;
    let half = 0.5 * contrast[peak];
    let belongs = |at: usize| {
        samples.core[at] && contrast[at] > half && samples.depth_in_core(at) >= REGION_DEPTH_MM
    };
    let steps = [1, nu, nv * nu];
    let mut seen = vec![false; samples.core.len()];
    let mut stack = Vec::new();
    // The peak itself may lie in the outermost half millimetre: begin next to it.
    let centre = samples.local(peak);
    for ds in -1..=1 {
        for dv in -1..=1 {
            for du in -1..=1 {
                let p = LocalPoint {
                    s: centre.s + f64::from(ds),
                    v: centre.v + f64::from(dv),
                    u: centre.u + f64::from(du),
                };
                if let Some(at) = samples.nearest(p).filter(|&at| belongs(at) && !seen[at]) {
                    seen[at] = true;
                    stack.push(at);
                }
            }
        }
    }
    let mut region = Vec::new();
    while let Some(at) = stack.pop() {
        region.push(at);
        for step in steps {
            let near = [at.checked_sub(step), Some(at + step)];
            for next in near.into_iter().flatten() {
                // The core never touches the border of the box, so a step along a row cannot
                // run into the next row.
                if next < seen.len() && !seen[next] && belongs(next) {
                    seen[next] = true;
                    stack.push(next);
                }
            }
        }
    }
    region.sort_unstable();
    region
}

/// Lateral over axial standard deviation of the places of a region.
fn flatness(samples: &BodySamples, region: &[usize]) -> f64 {
    let n = region.len() as f64;
    if region.len() < 2 {
        return 1.0;
    }
    let mut sum = [0.0f64; 3];
    let mut square = [0.0f64; 3];
    for &at in region {
        let p = samples.local(at);
        for (axis, x) in [p.s, p.v, p.u].into_iter().enumerate() {
            sum[axis] += x;
            square[axis] += x * x;
        }
    }
    let variance = |axis: usize| (square[axis] / n - (sum[axis] / n) * (sum[axis] / n)).max(0.0);
    // One sample is a cube of 1 mm, whose own variance is 1/12 mm².
    let axial = variance(0) + 1.0 / 12.0;
    let lateral = 0.5 * (variance(1) + variance(2)) + 1.0 / 12.0;
    libm::sqrt(lateral / axial)
}

/// Largest contrast near the mirror place (left for right); `None` near the midline, or where
/// the mirror place is not in the core.
fn mirror_contrast(samples: &BodySamples, contrast: &[f32], peak: LocalPoint) -> Option<f64> {
    if peak.u.abs() < MIDLINE_MM {
        return None;
    }
    let reach = MIRROR_REACH_MM as i32;
    let mut best: Option<f64> = None;
    for ds in -reach..=reach {
        for dv in -reach..=reach {
            for du in -reach..=reach {
                if ds * ds + dv * dv + du * du > reach * reach {
                    continue;
                }
                let p = LocalPoint {
                    s: peak.s + f64::from(ds),
                    v: peak.v + f64::from(dv),
                    u: -peak.u + f64::from(du),
                };
                if let Some(at) = samples.nearest(p).filter(|&at| samples.core[at]) {
                    let value = f64::from(contrast[at]);
                    best = Some(best.map_or(value, |b| b.max(value)));
                }
            }
        }
    }
    best
}
