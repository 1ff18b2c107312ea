//! What is measured at each millimetre of the straightened spine: the size of the bodies, and how
//! much pedicle there is.

use rayon::prelude::*;

use super::straightened::{COLUMNS, ROWS, Straightened, column, row};
use crate::kernels::Boundary;
use crate::kernels::{
    gaussian_profile, gaussian_profile_in_view, interpolate, median, median_profile, percentile,
};

/// Profiles along the straightened spine, one value for each millimetre.
pub struct Signals {
    /// From the line to the back wall of the body (or the disc), mm.
    pub back_wall_mm: Vec<f64>,
    /// Whether the back wall was seen here, before filling in from the neighbours.
    pub back_wall_seen: Vec<bool>,
    /// Depth of the body, back wall to front wall, mm.
    pub depth_mm: Vec<f64>,
    /// Middle between the side walls, left of the line, mm.
    pub middle_mm: Vec<f64>,
    /// Width between the side walls, mm.
    pub width_mm: Vec<f64>,
    /// Mean HU over the middle strip of the body, by row (forward coordinate); NaN out of view.
    pub strip: Vec<[f64; ROWS]>,
    /// Pedicle and facet density to both sides, in standard deviations about its own running mean;
    /// NaN out of view.
    pub pedicle: Vec<f64>,
    /// Median HU of the canal.
    pub canal_hu: f64,
}

/// Mean of the finite values; NaN where there are none.
fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0u32);
    for value in values {
        if value.is_finite() {
            sum += value;
            n += 1;
        }
    }
    if n > 0 { sum / f64::from(n) } else { f64::NAN }
}

/// Mean of the finite values; NaN where they are half or less.
fn mean_of_most(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n, mut all) = (0.0, 0u32, 0u32);
    for value in values {
        all += 1;
        if value.is_finite() {
            sum += value;
            n += 1;
        }
    }
    if 2 * n > all { sum / f64::from(n) } else { f64::NAN }
}

/// A profile with gaps filled, outliers removed by a median of `width` and smoothed by 5 mm;
/// `default` everywhere when nothing was measured.
fn filled(profile: &[f64], width: usize, default: f64) -> Vec<f64> {
    let (at, values): (Vec<f64>, Vec<f64>) = profile
        .iter()
        .enumerate()
        .filter(|(_, v)| v.is_finite())
        .map(|(s, &v)| (s as f64, v))
        .unzip();
    if values.is_empty() {
        return vec![default; profile.len()];
    }
    let whole: Vec<f64> = (0..profile.len()).map(|s| interpolate(s as f64, &at, &values)).collect();
    let width = width.min((profile.len() / 2 * 2).saturating_sub(1)).max(1);
    gaussian_profile(&median_profile(&whole, width), 5.0, Boundary::Nearest)
}

/// Share of the greatest step that is nearly as good.
const NEARLY: f64 = 0.8;

/// Depth in which the cortex of a body lies, blurred, mm.
const CORTEX_MM: usize = 6;

/// No body is deeper than this many times its width (in the middle of the chest they measure alike), nor
/// than the greater of these, mm: 47 was met in loins with bone grown on in front. At least the lesser is
/// looked through.
const DEEPEST_OF_WIDTH: f64 = 1.2;
const DEEPEST_MM: (f64, f64) = (20.0, 52.0);
/// Depth within which the width for that is taken, mm: near the back wall no vessel lies beside a body.
const DEPTH_FOR_WIDTH_MM: f64 = 20.0;
/// Least depth of a body, mm, and the stretch beyond its edge that is no bone: there may be no more fat than
/// that before an aorta.
const LEAST_DEPTH_MM: usize = 11;
const BEYOND_DEPTH_MM: usize = 5;

/// Distance at which bone ends: the split between `from` and `to` with the greatest step from what is
/// inside to the mean of the next `beyond` values, in units of its standard error (the change point of
/// greatest likelihood). Inside counts half as a whole and half as its last stretch, so that a cortex
/// tells the edge of a body whose marrow is darker than muscle. Of edges nearly as good the nearest: beyond the
/// fat in front of a body an aorta full of contrast medium ends as clearly.
fn edge(profile: &[f64], from: usize, to: usize, beyond: usize) -> Option<f64> {
    let mut sums = Vec::with_capacity(profile.len() + 1);
    let mut sum = 0.0;
    sums.push(0.0);
    for value in profile {
        sum += if value.is_finite() { *value } else { 0.0 };
        sums.push(sum);
    }
    let mean = |from: usize, to: usize| (sums[to] - sums[from]) / (to - from) as f64;
    let to = to.min(profile.len().saturating_sub(beyond));
    let values: Vec<f64> = (from..to)
        .map(|d| {
            let inside = 0.5 * (mean(0, d) + mean(d.saturating_sub(CORTEX_MM), d));
            let counts = (d * beyond) as f64 / (d + beyond) as f64;
            (inside - mean(d, d + beyond)) * libm::sqrt(counts)
        })
        .collect();
    let greatest = values.iter().copied().fold(0.0, f64::max);
    let peak = |n: &usize| {
        let beside = [n.checked_sub(1), n.checked_add(1)];
        let beside = beside.into_iter().flatten().filter_map(|m| values.get(m));
        values[*n] >= NEARLY * greatest && beside.into_iter().all(|v| *v <= values[*n])
    };
    (0..values.len()).find(peak).map(|n| (from + n) as f64)
}

/// Transposes `profiles[s][n]` filtered along s.
fn smoothed_along(profiles: &[Vec<f64>], sigma: f64) -> Vec<Vec<f64>> {
    let n = profiles.first().map_or(0, Vec::len);
    let mut out = vec![vec![f64::NAN; n]; profiles.len()];
    for r in 0..n {
        let along: Vec<f64> = profiles.iter().map(|p| p[r]).collect();
        for (s, value) in gaussian_profile_in_view(&along, sigma).into_iter().enumerate() {
            out[s][r] = value;
        }
    }
    out
}

/// Measures the straightened spine.
pub fn signals(straight: &Straightened) -> Signals {
    let n = straight.len();
    // Very dense or dark voxels must not decide a mean.
    let hu = straight.map(|_, v| v.clamp(-150.0, 900.0));
    let central = |volume: &Straightened, s: usize, r: usize| {
        mean(volume.line(s, r)[column(-5.0)..=column(5.0)].iter().map(|&v| f64::from(v)))
    };
    let canal_hu = median((0..n).filter_map(|s| {
        median((row(-2.0)..=row(2.0)).flat_map(|r| {
            hu.line(s, r)[column(-3.0)..=column(3.0)]
                .iter()
                .map(|&v| f64::from(v))
                .collect::<Vec<_>>()
        }))
    }))
    .unwrap_or(30.0);
    // Back wall: where the middle profile has risen half way to the densest place within 18 mm.
    let middle: Vec<Vec<f64>> =
        (0..n).into_par_iter().map(|s| (0..ROWS).map(|r| central(&hu, s, r)).collect()).collect();
    let middle = smoothed_along(&middle, 6.0);
    let raw_wall: Vec<f64> = middle
        .iter()
        .map(|profile| {
            let stretch = &profile[row(2.0)..row(18.0)];
            if stretch.iter().any(|v| !v.is_finite()) {
                return f64::NAN;
            }
            let top = stretch.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if top <= canal_hu + 40.0 {
                return f64::NAN;
            }
            let half = canal_hu + 0.5 * (top - canal_hu);
            stretch.iter().position(|&v| v > half).map_or(f64::NAN, |d| 2.0 + d as f64)
        })
        .collect();
    let back_wall_seen = raw_wall.iter().map(|v| v.is_finite()).collect();
    let back_wall_mm = filled(&raw_wall, 31, 7.0);
    let bone_hu = bone_hu(&hu);
    let likeness = hu.map(|s, v| ((v - 40.0) / (bone_hu[s] - 40.0)).clamp(0.0, 1.0));
    let forward: Vec<Vec<f64>> = (0..n)
        .into_par_iter()
        .map(|s| (0..ROWS).map(|r| central(&likeness, s, r)).collect())
        .collect();
    let forward = smoothed_along(&forward, 10.0);
    let (left, right) = half_widths(&likeness, &back_wall_mm, &vec![DEPTH_FOR_WIDTH_MM; n]);
    let depth: Vec<f64> = (0..n)
        .map(|s| {
            let start = row(back_wall_mm[s]) + 1;
            let (least, most) = DEEPEST_MM;
            let deepest = (DEEPEST_OF_WIDTH * (left[s] + right[s])).clamp(least, most);
            let profile = &forward[s][start.min(ROWS)..(start + 62).min(ROWS)];
            if profile.iter().filter(|v| v.is_finite()).count() > 25 {
                let deepest = libm::round(deepest) as usize;
                edge(profile, LEAST_DEPTH_MM, deepest, BEYOND_DEPTH_MM).unwrap_or(f64::NAN)
            } else {
                f64::NAN
            }
        })
        .collect();
    let depth_mm = filled(&depth, 41, 28.0);
    let (left, right) = half_widths(&likeness, &back_wall_mm, &depth_mm);
    let middle_mm: Vec<f64> = left.iter().zip(&right).map(|(l, r)| (l - r) / 2.0).collect();
    let width_mm: Vec<f64> = left.iter().zip(&right).map(|(l, r)| l + r).collect();
    let strip = (0..n)
        .into_par_iter()
        .map(|s| {
            let half = 0.5 * (width_mm[s] / 2.0).min(18.0);
            let (a, b) = (column(middle_mm[s] - half), column(middle_mm[s] + half));
            std::array::from_fn(|r| {
                let values = &hu.line(s, r)[a..=b];
                let seen = values.iter().filter(|v| v.is_finite()).count();
                if seen as f64 > 0.5 * values.len() as f64 {
                    mean(values.iter().map(|&v| f64::from(v)))
                } else {
                    f64::NAN
                }
            })
        })
        .collect();
    Signals {
        back_wall_mm,
        back_wall_seen,
        depth_mm,
        middle_mm,
        width_mm,
        strip,
        pedicle: pedicle(&hu),
        canal_hu,
    }
}

/// Density of the bodies here, HU: what bone likeness is scaled to. Osteoporotic bodies have half
/// the density of others, and a neck twice that of the loins below it; scaled to the whole spine,
/// the muscle before a neck would pass for bone.
fn bone_hu(hu: &Straightened) -> Vec<f32> {
    let n = hu.len();
    let own: Vec<f64> = (0..n)
        .into_par_iter()
        .map(|s| {
            let body = (row(10.0)..row(25.0))
                .flat_map(|r| hu.line(s, r)[column(-10.0)..=column(10.0)].iter());
            percentile(body.map(|&v| f64::from(v)), 70.0).unwrap_or(f64::NAN)
        })
        .collect();
    let about = gaussian_profile_in_view(&own, 20.0);
    about
        .into_iter()
        .map(|hu| if hu.is_finite() { hu.clamp(160.0, 600.0) as f32 } else { 300.0 })
        .collect()
}

/// Half widths of the body to the left and right of the line, mm.
fn half_widths(
    likeness: &Straightened,
    back_wall_mm: &[f64],
    depth_mm: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let n = likeness.len();
    let widths = |s: usize| {
        let rows =
            row(back_wall_mm[s] + depth_mm[s] * 0.4)..row(back_wall_mm[s] + depth_mm[s] * 0.8);
        let (mut sums, mut counts) = ([0.0f64; COLUMNS], [0u32; COLUMNS]);
        for t in s.saturating_sub(8)..(s + 9).min(n) {
            for r in rows.clone() {
                for (c, &value) in likeness.line(t, r).iter().enumerate() {
                    if value.is_finite() {
                        sums[c] += f64::from(value);
                        counts[c] += 1;
                    }
                }
            }
        }
        let profile: [f64; COLUMNS] = std::array::from_fn(|c| {
            if counts[c] > 0 { sums[c] / f64::from(counts[c]) } else { f64::NAN }
        });
        let to_left: Vec<f64> = profile[column(0.0)..].iter().take(40).copied().collect();
        let to_right: Vec<f64> = profile[..=column(0.0)].iter().rev().take(40).copied().collect();
        [to_left, to_right].map(|half| {
            if half.iter().filter(|v| v.is_finite()).count() >= 20 {
                edge(&half, 7, 30, 6).unwrap_or(f64::NAN)
            } else {
                f64::NAN
            }
        })
    };
    let (left, right): (Vec<f64>, Vec<f64>) =
        (0..n).into_par_iter().map(|s| widths(s).into()).unzip();
    (filled(&left, 41, 16.0), filled(&right, 41, 16.0))
}

/// Density of the side walls of the canal, at their densest column: high at pedicles, low at
/// foramina in every patient, osteoporotic or not; the most reliable rhythm of all. Further out the
/// heads of the ribs and the facets lie at other heights and would blur it.
fn pedicle(hu: &Straightened) -> Vec<f64> {
    let n = hu.len();
    let side = |columns: std::ops::RangeInclusive<usize>| -> Vec<f64> {
        // Smoothed before the densest is taken, else noise decides which that is.
        let columns: Vec<Vec<f64>> = columns
            .map(|c| {
                let along: Vec<f64> = (0..n)
                    .map(|s| {
                        mean_of_most(
                            (row(0.0)..=row(8.0))
                                .map(|r| f64::from(hu.line(s, r)[c].clamp(-50.0, 700.0))),
                        )
                    })
                    .collect();
                let smooth = gaussian_profile_in_view(&along, 1.5);
                let seen = |(&v, r): (&f64, &f64)| if r.is_finite() { v } else { f64::NAN };
                smooth.iter().zip(&along).map(seen).collect()
            })
            .collect();
        (0..n).map(|s| columns.iter().map(|c| c[s]).fold(f64::NAN, f64::max)).collect()
    };
    let left = side(column(6.0)..=column(14.0));
    let right = side(column(-14.0)..=column(-6.0));
    let raw: Vec<f64> = left.iter().zip(&right).map(|(&l, &r)| mean([l, r])).collect();
    let level = gaussian_profile_in_view(&raw, 18.0);
    let squares: Vec<f64> = raw.iter().zip(&level).map(|(v, m)| (v - m) * (v - m)).collect();
    let spread = gaussian_profile_in_view(&squares, 24.0);
    (0..n)
        .map(|s| ((raw[s] - level[s]) / (libm::sqrt(spread[s]) + 1e-3)).clamp(-1.6, 1.6))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Frame, Grid, LpsPoint, LpsVector, VoxelIndex};
    use crate::volume::{Validity, Volume};

    /// Spacing of the vertebrae, mm, and the stretch of each that holds the pedicle.
    const SPACING: usize = 24;
    const PEDICLE: std::ops::Range<usize> = 10..19;

    /// A canal with a wall 9 mm to either side at the pedicles, marrow darker than muscle behind it,
    /// and ribs at the foramina, denser than any wall.
    fn canal(length: usize) -> Straightened {
        straightened(length, |p, z| {
            let at_pedicle = PEDICLE.contains(&(z % SPACING));
            match (at_pedicle, p.x().abs()) {
                (true, 9.0..=11.0) => 300,
                (true, 12.0..=20.0) => -20,
                (false, 16.0..=20.0) => 600,
                _ => 40,
            }
        })
    }

    /// What `hu` gives for each place, with a straight line up the middle.
    fn straightened(length: usize, hu: impl Fn(LpsPoint, usize) -> i16) -> Straightened {
        let grid = Grid::new(
            [101, 121, length],
            LpsPoint::new(-50.0, -70.0, 0.0),
            LpsVector::LEFT,
            LpsVector::ANTERIOR * -1.0,
            LpsVector::HEAD,
        )
        .unwrap();
        let voxels = (0..grid.len())
            .map(|n| {
                let index = VoxelIndex { i: n % 101, j: n / 101 % 121, k: n / (101 * 121) };
                hu(grid.voxel_to_lps(index), index.k)
            })
            .collect();
        let frames: Vec<Frame> = (0..length)
            .map(|s| Frame {
                origin: LpsPoint::new(0.0, 0.0, s as f64),
                up: LpsVector::HEAD,
                anterior: LpsVector::ANTERIOR,
                left: LpsVector::LEFT,
            })
            .collect();
        Straightened::new(&Volume { grid, voxels, validity: Validity::default() }, &frames)
    }

    #[test]
    fn bone_ends_at_its_cortex_whether_marrow_is_bright_or_dark_and_not_at_what_follows() {
        let profile = |pieces: &[(f64, usize)]| -> Vec<f64> {
            pieces.iter().flat_map(|&(value, mm)| std::iter::repeat_n(value, mm)).collect()
        };
        let depth = |pieces: &[(f64, usize)]| {
            edge(&profile(pieces), LEAST_DEPTH_MM, DEEPEST_MM.1 as usize, BEYOND_DEPTH_MM).unwrap()
        };
        // A neck: bone, the muscle and gullet before it, the windpipe.
        assert_eq!(depth(&[(0.8, 20), (0.12, 12), (0.0, 30)]), 20.0);
        // Fat marrow between two cortices, muscle before it.
        let dark = depth(&[(0.5, 3), (0.05, 24), (0.5, 3), (0.1, 32)]);
        assert!((dark - 30.0).abs() <= 4.0, "{dark}");
        // An aorta full of contrast medium beyond a little fat; its wall is blurred more than cortex.
        let aorta = [(0.8, 2), (0.95, 12), (0.8, 3), (0.5, 2), (0.3, 2), (0.2, 8)];
        let loins = [&[(0.65, 8), (0.55, 16), (0.9, 4), (0.4, 3), (0.2, 2), (0.3, 2)][..], &aorta];
        assert!((depth(&loins.concat()) - 28.0).abs() <= 2.0);
        // One that ends a little more clearly than the body does.
        assert_eq!(depth(&[(0.7, 30), (0.1, 6), (0.8, 10), (0.0, 16)]), 30.0);
        // A tall man's loins, bone grown on in front.
        assert_eq!(depth(&[(0.35, 44), (0.8, 3), (0.05, 15)]), 47.0);
    }

    #[test]
    fn no_body_is_much_deeper_than_wide_however_dense_the_vessel_that_touches_it() {
        let spine = straightened(90, |p, _| match (-p.y(), p.x().abs()) {
            (7.0..=33.0, ..=15.0) | (33.0.., ..=10.0) => 220,
            _ => 40,
        });
        let measured = signals(&spine);
        assert!(measured.depth_mm[45] <= 37.0, "{}", measured.depth_mm[45]);
        assert!((measured.width_mm[45] - 31.0).abs() <= 3.0, "{}", measured.width_mm[45]);
    }

    #[test]
    fn a_tall_man_with_bone_grown_on_in_front_is_measured_to_his_front() {
        let spine = straightened(90, |p, _| match (-p.y(), p.x().abs()) {
            (12.0..=59.0, ..=26.0) => 220,
            _ => 40,
        });
        let measured = signals(&spine);
        assert!((measured.depth_mm[45] - 47.0).abs() <= 2.0, "{}", measured.depth_mm[45]);
    }

    #[test]
    fn a_pedicle_with_dark_marrow_is_told_from_a_foramen_with_a_rib_beside_it() {
        let signal = pedicle(&canal(96));
        let share = |wanted: bool| {
            let values: Vec<f64> = (SPACING..72)
                .filter(|s| PEDICLE.contains(&(s % SPACING)) == wanted)
                .map(|s| signal[s])
                .collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(share(true) > 0.6, "pedicles {}", share(true));
        assert!(share(false) < -0.3, "foramina {}", share(false));
    }

    #[test]
    fn bone_is_scaled_to_the_bodies_near_by_and_not_to_the_whole_spine() {
        let bodies = straightened(160, |_, z| if z < 80 { 180 } else { 420 });
        let scale = bone_hu(&bodies);
        assert!((scale[10] - 180.0).abs() < 15.0, "loins {}", scale[10]);
        assert!((scale[150] - 420.0).abs() < 15.0, "neck {}", scale[150]);
    }
}
