//! The nearest of many points in space, exactly: a k-d tree (Bentley 1975).

/// Points sorted so that the middle of each part divides it along one axis in turn.
pub struct Nearest {
    points: Vec<[f64; 3]>,
}

impl Nearest {
    /// A tree over the points, mm.
    pub fn new(mut points: Vec<[f64; 3]>) -> Self {
        divide(&mut points, 0);
        Self { points }
    }

    /// Distance to the nearest point, mm; `None` without points.
    pub fn distance(&self, to: [f64; 3]) -> Option<f64> {
        if self.points.is_empty() {
            return None;
        }
        let mut squared = f64::INFINITY;
        search(&self.points, 0, to, &mut squared);
        Some(squared.sqrt())
    }
}

fn divide(points: &mut [[f64; 3]], axis: usize) {
    if points.len() < 2 {
        return;
    }
    let middle = points.len() / 2;
    points.select_nth_unstable_by(middle, |a, b| a[axis].total_cmp(&b[axis]));
    let (below, above) = points.split_at_mut(middle);
    divide(below, (axis + 1) % 3);
    divide(&mut above[1..], (axis + 1) % 3);
}

fn search(points: &[[f64; 3]], axis: usize, to: [f64; 3], squared: &mut f64) {
    let middle = points.len() / 2;
    let Some(point) = points.get(middle) else { return };
    let apart: f64 = (0..3).map(|n| (point[n] - to[n]) * (point[n] - to[n])).sum();
    *squared = squared.min(apart);
    let side = to[axis] - point[axis];
    let (near, far) = if side < 0.0 {
        (&points[..middle], &points[middle + 1..])
    } else {
        (&points[middle + 1..], &points[..middle])
    };
    search(near, (axis + 1) % 3, to, squared);
    if side * side < *squared {
        search(far, (axis + 1) % 3, to, squared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_point_is_nearer(
            points in prop::collection::vec([-9_i32..9, -9_i32..9, -9_i32..9], 1..60),
            to in [-12_i32..12, -12_i32..12, -12_i32..12]
        ) {
            let points: Vec<[f64; 3]> = points.iter().map(|p| p.map(f64::from)).collect();
            let to = to.map(f64::from);
            let plain = points
                .iter()
                .map(|p| (0..3).map(|n| (p[n] - to[n]).powi(2)).sum::<f64>().sqrt())
                .fold(f64::INFINITY, f64::min);
            prop_assert_eq!(Nearest::new(points).distance(to), Some(plain));
        }
    }

    #[test]
    fn without_points_nothing_is_near() {
        assert_eq!(Nearest::new(Vec::new()).distance([0.0; 3]), None);
    }
}
