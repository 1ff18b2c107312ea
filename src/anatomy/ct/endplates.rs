//! Endplates: the steepest fall from bone to disc over the cross section, or the steepest rise to the dense band of a
//! thin disc, as a quadratic surface.

use super::body_volume::BodyVolume;
use crate::anatomy::surface::EndplateSurface;
use crate::kernels::{median, solve};

/// Distance of the sampled places, mm.
const GRID_MM: i32 = 3;
/// Fall that gains one point, HU, and the distance from the expected plane that costs half a
/// point, mm.
const FALL_SCALE_HU: f64 = 150.0;
const AWAY_SIGMA_MM: f64 = 5.0;
/// A fall, or the rise to a band, that counts as an endplate seen, HU.
const SEEN_FALL_HU: f64 = 40.0;
/// From where the marrow ends at a band to the disc's side of that endplate, mm: the standard deviation of the blur of
/// a thin plate (1.5 to 1.7 in slices of 2.5 to 3 mm) and half of the plate.
pub const BAND_PLATE_MM: f64 = 2.3;
/// Coordinates are divided by this in the fit, mm, so that its six terms are of one size.
const FIT_SCALE_MM: f64 = 15.0;
/// Pull of the quadratic and of the linear terms towards the expected plane, per sample.
const QUADRATIC_RIDGE: f64 = 0.01;
const LINEAR_RIDGE: f64 = 0.002;
/// Samples 3 mm apart share voxels: so many count as one. Terms of the surface, and by how much its
/// error at the rim exceeds the mean one.
const SAMPLES_PER_INDEPENDENT: f64 = 4.0;
const TERMS: f64 = 6.0;
const TERMS_AT_RIM: f64 = 2.0;
/// Rounds of reweighting.
const ROUNDS: usize = 6;

/// Which endplate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Bone below, disc above.
    Upper,
    /// Bone above, disc below.
    Lower,
}

/// What tells where an endplate lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Bone falls to the disc.
    Fall,
    /// The marrow's side of a dense band that holds both endplates of a thin disc: density rises to it.
    Flank,
}

impl Edge {
    /// How far outward of it the disc's side of the endplate lies, mm.
    fn to_disc_mm(self) -> f64 {
        if self == Self::Flank { BAND_PLATE_MM } else { 0.0 }
    }
}

/// A fitted endplate.
pub struct Endplate {
    /// The surface in the frame of the volume.
    pub surface: EndplateSurface,
    /// Share of the sampled places that show the edge and lie within 1.5 mm of the surface.
    pub seen_share: f64,
    /// Standard error of the surface, mm: the scatter of the places about it over the number of
    /// independent ones; `None` where the surface is only the expected plane.
    pub scatter_mm: Option<f64>,
}

/// Fits an endplate by its `edge` near the plane `expected`, `reach_mm` into the body and out of it, over the places for which `inside` (v, u, mm) holds
/// and within the heights in view. With too few places in view it stays the expected plane and
/// its share is 0.
pub fn endplate(
    volume: &BodyVolume,
    (which, edge): (Which, Edge),
    expected: EndplateSurface,
    reach_mm: (f64, f64),
    in_view: (i32, i32),
    inside: impl Fn(f64, f64) -> bool,
) -> Endplate {
    let outward = if which == Which::Upper { 1 } else { -1 };
    let to_disc_mm = f64::from(outward) * edge.to_disc_mm();
    let mut samples = Vec::new();
    let mut asked = 0u32;
    for v in (-36..=36).step_by(GRID_MM as usize) {
        for u in (-36..=36).step_by(GRID_MM as usize) {
            let (v_mm, u_mm) = (f64::from(v), f64::from(u));
            if !inside(v_mm, u_mm) {
                continue;
            }
            asked += 1;
            let plane = expected.height(v_mm, u_mm) - to_disc_mm;
            let way = (outward, edge);
            if let Some(sample) = steepest(volume, way, (plane, reach_mm), in_view, v, u) {
                samples.push((v_mm / FIT_SCALE_MM, u_mm / FIT_SCALE_MM, sample.0, sample.1));
            }
        }
    }
    if samples.len() < 12 || (samples.len() as f64) < 0.4 * f64::from(asked) {
        return Endplate { surface: expected, seen_share: 0.0, scatter_mm: None };
    }
    let prior = [
        expected.coefficients[0] - to_disc_mm,
        expected.coefficients[1] * FIT_SCALE_MM,
        expected.coefficients[2] * FIT_SCALE_MM,
        0.0,
        0.0,
        0.0,
    ];
    let mut weights: Vec<f64> = samples.iter().map(|s| s.3).collect();
    let mut fit = prior;
    for _ in 0..ROUNDS {
        let Some(next) = least_squares(&samples, &weights, &prior) else { break };
        fit = next;
        let residuals: Vec<f64> =
            samples.iter().map(|s| (s.2 - value(&fit, s.0, s.1)).abs()).collect();
        let spread = (1.48 * median(residuals.iter().copied()).unwrap_or(0.0)).max(0.5);
        for ((weight, residual), sample) in weights.iter_mut().zip(&residuals).zip(&samples) {
            let x = residual / (4.0 * spread);
            *weight = if x < 1.0 { (1.0 - x * x) * (1.0 - x * x) * sample.3 } else { 0.0 };
        }
    }
    let near = samples.iter().filter(|s| (s.2 - value(&fit, s.0, s.1)).abs() <= 1.5).count();
    let residuals = samples.iter().map(|s| (s.2 - value(&fit, s.0, s.1)).abs());
    let scatter = 1.48 * median(residuals).unwrap_or(0.0);
    let independent = (samples.len() as f64 / SAMPLES_PER_INDEPENDENT - TERMS).max(1.0);
    let k = FIT_SCALE_MM;
    let coefficients = [
        fit[0] + to_disc_mm,
        fit[1] / k,
        fit[2] / k,
        fit[3] / (k * k),
        fit[4] / (k * k),
        fit[5] / (k * k),
    ];
    Endplate {
        surface: EndplateSurface { coefficients },
        seen_share: near as f64 / f64::from(asked.max(1)),
        scatter_mm: Some(scatter / libm::sqrt(independent) * TERMS_AT_RIM),
    }
}

/// Height of the steepest fall, or rise to a band, near the plane at (v, u), mm with parts, and its weight.
fn steepest(
    volume: &BodyVolume,
    (outward, edge): (i32, Edge),
    (plane, reach_mm): (f64, (f64, f64)),
    in_view: (i32, i32),
    v: i32,
    u: i32,
) -> Option<(f64, f64)> {
    let (inward, beyond) = reach_mm;
    let (below, above) = if outward > 0 { (inward, beyond) } else { (beyond, inward) };
    let from = libm::ceil(plane - below) as i32;
    let to = libm::floor(plane + above) as i32;
    let fall = |s: i32| -> f64 {
        let mean = |a: i32, b: i32| {
            f64::from(
                volume.square_mean(s + a * outward, v, u)
                    + volume.square_mean(s + b * outward, v, u),
            ) / 2.0
        };
        let fall = mean(-2, -1) - mean(1, 2);
        if edge == Edge::Flank { -fall } else { fall }
    };
    let mut best: Option<(f64, i32)> = None;
    for s in from.max(in_view.0)..=to.min(in_view.1) {
        let away = (f64::from(s) - plane) / AWAY_SIGMA_MM;
        let gain = fall(s) / FALL_SCALE_HU - 0.5 * away * away;
        if gain.is_finite() && best.is_none_or(|(top, _)| gain > top) {
            best = Some((gain, s));
        }
    }
    let (_, s) = best?;
    let (a, b, c) = (fall(s - 1), fall(s), fall(s + 1));
    if b < SEEN_FALL_HU {
        return None;
    }
    let curve = a - 2.0 * b + c;
    let shift = if curve < -1e-6 { (0.5 * (a - c) / curve).clamp(-0.5, 0.5) } else { 0.0 };
    let shift = if shift.is_finite() { shift } else { 0.0 };
    Some((f64::from(s) + shift, (b / FALL_SCALE_HU).min(1.5)))
}

fn terms(x: f64, y: f64) -> [f64; 6] {
    [1.0, x, y, x * x, x * y, y * y]
}

fn value(fit: &[f64; 6], x: f64, y: f64) -> f64 {
    terms(x, y).iter().zip(fit).map(|(t, c)| t * c).sum()
}

/// Weighted least squares of `s` over the six terms, pulled towards a prior.
fn least_squares(
    samples: &[(f64, f64, f64, f64)],
    weights: &[f64],
    prior: &[f64; 6],
) -> Option<[f64; 6]> {
    let mut normal = [[0.0f64; 7]; 6];
    let mut total = 0.0;
    for (&(x, y, s, _), &w) in samples.iter().zip(weights) {
        let t = terms(x, y);
        total += w;
        for a in 0..6 {
            for b in 0..6 {
                normal[a][b] += w * t[a] * t[b];
            }
            normal[a][6] += w * t[a] * s;
        }
    }
    for (n, row) in normal.iter_mut().enumerate() {
        let ridge = total
            * match n {
                0 => 1e-6,
                1 | 2 => LINEAR_RIDGE,
                _ => QUADRATIC_RIDGE,
            };
        row[n] += ridge;
        row[6] += ridge * prior[n];
    }
    solve(normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::made;
    use crate::geometry::{Frame, LpsPoint, LpsVector};
    use proptest::prelude::*;

    #[test]
    fn the_endplate_of_a_thin_disc_lies_a_plate_inside_the_flank_of_its_band() {
        let (volume, _) = made([40, 40, 40], |_, _, z| if z >= 56.0 { 300 } else { 120 });
        let centre = LpsPoint::new(0.0, 0.0, 40.0);
        let frame =
            Frame::from_up_and_anterior(centre, LpsVector::HEAD, LpsVector::ANTERIOR).unwrap();
        let local = BodyVolume::new(&volume, &frame, 30);
        let fitted = |edge: Edge| {
            let plane = EndplateSurface::flat(18.0);
            endplate(&local, (Which::Upper, edge), plane, (3.0, 2.0), (-20, 30), |v, u| {
                v.hypot(u) < 12.0
            })
        };
        let flank = fitted(Edge::Flank);
        let height = flank.surface.height(0.0, 0.0);
        assert!((height - (15.0 + BAND_PLATE_MM)).abs() < 0.5, "{height}");
        assert!(flank.seen_share > 0.9);
        // No bone falls there.
        assert_eq!(fitted(Edge::Fall).seen_share, 0.0);
    }

    proptest! {
        #[test]
        fn the_fit_gives_back_a_quadratic_in_spite_of_outliers(
            c in proptest::array::uniform6(-1.0..1.0f64), outlier in 5usize..40,
        ) {
            let mut samples = Vec::new();
            for n in 0..81 {
                let (x, y) = (f64::from(n % 9 - 4) / 4.0, f64::from(n / 9 - 4) / 4.0);
                samples.push((x, y, value(&c, x, y), 1.0));
            }
            samples[outlier].2 += 20.0;
            let mut weights = vec![1.0; samples.len()];
            weights[outlier] = 0.0;
            let fit = least_squares(&samples, &weights, &[c[0], c[1], c[2], 0.0, 0.0, 0.0]).unwrap();
            for (a, b) in fit.iter().zip(&c) {
                // The ridge pulls the quadratic terms a little.
                prop_assert!((a - b).abs() < 0.15, "{a} against {b}");
            }
        }
    }
}
