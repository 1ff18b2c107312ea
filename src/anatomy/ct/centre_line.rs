//! A smooth line of frames, one millimetre apart, and samples in planes across it.

use crate::geometry::{Frame, LpsPoint, LpsVector};
use crate::kernels::{Boundary, gaussian_profile, interpolate, linear_fit};

/// The smoothed path as points one millimetre apart, drawn out straight by `extension_mm` at both
/// ends. `places` are centres of the path, one for each slice, from feet to head.
pub fn centre_line(places: &[LpsPoint], extension_mm: usize, sigma_mm: f64) -> Vec<LpsPoint> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Vec::new() };
    let zs: Vec<f64> = places.iter().map(|p| p.z()).collect();
    let whole = libm::floor(last.z() - first.z() + 0.01) as usize + 1;
    let inner: Vec<f64> = (0..whole).map(|n| first.z() + n as f64).collect();
    let end = whole.min(25);
    let below: Vec<f64> = (1..=extension_mm).rev().map(|n| inner[0] - n as f64).collect();
    let above: Vec<f64> = (1..=extension_mm).map(|n| inner[whole - 1] + n as f64).collect();
    let drawn_out = |values: Vec<f64>| -> Vec<f64> {
        let within: Vec<f64> = inner.iter().map(|&z| interpolate(z, &zs, &values)).collect();
        let (a0, b0) = linear_fit(&inner[..end], &within[..end]);
        let (a1, b1) = linear_fit(&inner[whole - end..], &within[whole - end..]);
        let all: Vec<f64> = below
            .iter()
            .map(|z| a0 + b0 * z)
            .chain(within.iter().copied())
            .chain(above.iter().map(|z| a1 + b1 * z))
            .collect();
        gaussian_profile(&all, sigma_mm, Boundary::Nearest)
    };
    let xs = drawn_out(places.iter().map(|p| p.x()).collect());
    let ys = drawn_out(places.iter().map(|p| p.y()).collect());
    let zs: Vec<f64> = below.iter().chain(&inner).chain(&above).copied().collect();
    let points: Vec<LpsPoint> =
        xs.into_iter().zip(ys).zip(zs).map(|((x, y), z)| LpsPoint::new(x, y, z)).collect();
    every_millimetre(&points)
}

/// Points one millimetre of arc apart along a polyline.
pub fn every_millimetre(points: &[LpsPoint]) -> Vec<LpsPoint> {
    let mut lengths = Vec::with_capacity(points.len());
    let mut length = 0.0;
    for (n, point) in points.iter().enumerate() {
        if n > 0 {
            length += point.distance(points[n - 1]);
        }
        lengths.push(length);
    }
    let axis = |f: fn(LpsPoint) -> f64| points.iter().map(|&p| f(p)).collect::<Vec<f64>>();
    let (xs, ys, zs) = (axis(LpsPoint::x), axis(LpsPoint::y), axis(LpsPoint::z));
    (0..libm::ceil(length) as usize)
        .map(|s| {
            let at = |v: &[f64]| interpolate(s as f64, &lengths, v);
            LpsPoint::new(at(&xs), at(&ys), at(&zs))
        })
        .collect()
}

/// The points smoothed along the line.
pub fn smoothed(points: &[LpsPoint], sigma_mm: f64) -> Vec<LpsPoint> {
    let axis = |f: fn(LpsPoint) -> f64| {
        let values: Vec<f64> = points.iter().map(|&p| f(p)).collect();
        gaussian_profile(&values, sigma_mm, Boundary::Nearest)
    };
    let (xs, ys, zs) = (axis(LpsPoint::x), axis(LpsPoint::y), axis(LpsPoint::z));
    (0..points.len()).map(|n| LpsPoint::new(xs[n], ys[n], zs[n])).collect()
}

/// Frames along the points: `up` along the line, `anterior` the direction `front` made perpendicular
/// and turned by `turns` (radians, forward towards left; none where the slice is empty).
pub fn frames(points: &[LpsPoint], front: LpsVector, turns: &[f64]) -> Vec<Frame> {
    let n = points.len();
    let tangents: Vec<LpsVector> = (0..n)
        .map(|s| {
            let (a, b) = (s.saturating_sub(1), (s + 1).min(n - 1));
            (points[b] - points[a]) * (1.0 / (b - a).max(1) as f64)
        })
        .collect();
    let axis = |f: fn(LpsVector) -> f64| {
        let values: Vec<f64> = tangents.iter().map(|&t| f(t)).collect();
        gaussian_profile(&values, 6.0, Boundary::Nearest)
    };
    let (xs, ys, zs) = (axis(LpsVector::x), axis(LpsVector::y), axis(LpsVector::z));
    (0..n)
        .map(|s| {
            let up = LpsVector::new(xs[s], ys[s], zs[s]);
            // A line that runs straight to the front has no anterior; the standing frame stands in.
            let frame = Frame::from_up_and_anterior(points[s], up, front).unwrap_or(Frame {
                origin: points[s],
                up: LpsVector::HEAD,
                anterior: LpsVector::ANTERIOR,
                left: LpsVector::LEFT,
            });
            turned(&frame, turns.get(s).copied().unwrap_or(0.0))
        })
        .collect()
}

/// The frame turned about its `up`, forward towards left, radians.
pub fn turned(frame: &Frame, turn: f64) -> Frame {
    let (c, s) = (libm::cos(turn), libm::sin(turn));
    Frame {
        anterior: frame.anterior * c + frame.left * s,
        left: frame.left * c - frame.anterior * s,
        ..*frame
    }
}

/// The frame rolled about its `anterior`, `up` towards left, radians.
pub fn rolled(frame: &Frame, roll: f64) -> Frame {
    let (c, s) = (libm::cos(roll), libm::sin(roll));
    Frame { up: frame.up * c + frame.left * s, left: frame.left * c - frame.up * s, ..*frame }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_path_stays_straight_and_is_drawn_out_at_both_ends() {
        let places: Vec<LpsPoint> =
            (0..40).map(|n| LpsPoint::new(5.0, 2.0 * f64::from(n), 2.0 * f64::from(n))).collect();
        let line = centre_line(&places, 25, 8.0);
        let length = 78.0 * std::f64::consts::SQRT_2;
        assert!(line.len() as f64 > length + 40.0, "{} points", line.len());
        for pair in line.windows(2) {
            assert!((pair[0].distance(pair[1]) - 1.0).abs() < 0.02);
        }
        let middle = line[line.len() / 2];
        assert!((middle.x() - 5.0).abs() < 1e-9 && (middle.y() - middle.z()).abs() < 0.01);
    }

    #[test]
    fn frames_follow_the_line_and_keep_left_on_the_left() {
        let points: Vec<LpsPoint> =
            (0..50).map(|n| LpsPoint::new(0.0, 0.3 * f64::from(n), f64::from(n))).collect();
        for frame in frames(&points, LpsVector::ANTERIOR, &[]) {
            assert!((frame.left.x() - 1.0).abs() < 1e-9);
            assert!((frame.up.y() / frame.up.z() - 0.3).abs() < 1e-9);
        }
    }
}
