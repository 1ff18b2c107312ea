//! Small systems of linear equations.

/// Below this a pivot counts as zero: the equations are not independent.
const LEAST_PIVOT: f64 = 1e-9;

/// Solves `N` equations, each a row of `N` coefficients and the right side (`M` is `N + 1`), by
/// Gauss-Jordan elimination with pivots; `None` when they are not independent.
pub fn solve<const N: usize, const M: usize>(mut m: [[f64; M]; N]) -> Option<[f64; N]> {
    const { assert!(M == N + 1) };
    for column in 0..N {
        let mut pivot = column;
        for row in column + 1..N {
            if m[row][column].abs() > m[pivot][column].abs() {
                pivot = row;
            }
        }
        if m[pivot][column].abs() < LEAST_PIVOT {
            return None;
        }
        m.swap(column, pivot);
        let pivot = m[column];
        for (row, values) in m.iter_mut().enumerate() {
            if row != column {
                let factor = values[column] / pivot[column];
                for (value, p) in values.iter_mut().zip(pivot).skip(column) {
                    *value -= factor * p;
                }
            }
        }
    }
    Some(std::array::from_fn(|n| m[n][N] / m[n][n]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_solution_fulfils_its_equations(
            rows in proptest::array::uniform3(proptest::array::uniform4(-10.0..10.0f64)),
        ) {
            if let Some(x) = solve(rows) {
                let size = x.iter().fold(1.0f64, |a, b| a.max(b.abs()));
                for row in rows {
                    let left: f64 = row.iter().zip(x).map(|(a, x)| a * x).sum();
                    prop_assert!((left - row[3]).abs() < 1e-6 * size, "{left} {}", row[3]);
                }
            }
        }
    }

    #[test]
    fn a_zero_on_the_diagonal_is_no_obstacle_and_dependent_equations_are_none() {
        assert_eq!(solve([[0.0, 2.0, 4.0], [3.0, 0.0, 9.0]]), Some([3.0, 2.0]));
        assert_eq!(solve([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]), None);
    }
}
