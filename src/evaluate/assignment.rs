//! Which of two lists belong together, one to one, so that the sum of the costs is least.
//!
//! Shortest augmenting paths with potentials (Jonker and Volgenant 1987; Crouse 2016), O(n² m).

/// For each row the column it is given, when `cost[row][column]` is summed to the least over
/// all ways that give `min(rows, columns)` rows a column of their own. Every row of `cost` has the
/// same length and every cost is finite. Among equal sums the result is one fixed choice.
#[allow(clippy::needless_range_loop, reason = "rows and columns index several lists at once")]
pub fn assign(cost: &[Vec<f64>]) -> Vec<Option<usize>> {
    let rows = cost.len();
    let columns = cost.first().map_or(0, Vec::len);
    if columns == 0 {
        return vec![None; rows];
    }
    if rows > columns {
        let turned: Vec<Vec<f64>> =
            (0..columns).map(|c| cost.iter().map(|row| row[c]).collect()).collect();
        let mut of_row = vec![None; rows];
        for (column, row) in assign(&turned).into_iter().enumerate() {
            if let Some(row) = row {
                of_row[row] = Some(column);
            }
        }
        return of_row;
    }
    // Row and column 0 stand for "none yet".
    let mut row_potential = vec![0.0; rows + 1];
    let mut column_potential = vec![0.0; columns + 1];
    let mut row_of = vec![0_usize; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut least = vec![f64::INFINITY; columns + 1];
        let mut before = vec![0_usize; columns + 1];
        let mut visited = vec![false; columns + 1];
        let mut at = 0;
        loop {
            visited[at] = true;
            let from = row_of[at];
            let mut step = f64::INFINITY;
            let mut next = 0;
            for column in 1..=columns {
                if visited[column] {
                    continue;
                }
                let reduced =
                    cost[from - 1][column - 1] - row_potential[from] - column_potential[column];
                if reduced < least[column] {
                    least[column] = reduced;
                    before[column] = at;
                }
                if least[column] < step {
                    step = least[column];
                    next = column;
                }
            }
            for column in 0..=columns {
                if visited[column] {
                    row_potential[row_of[column]] += step;
                    column_potential[column] -= step;
                } else {
                    least[column] -= step;
                }
            }
            at = next;
            if row_of[at] == 0 {
                break;
            }
        }
        while at != 0 {
            row_of[at] = row_of[before[at]];
            at = before[at];
        }
    }
    let mut of_row = vec![None; rows];
    for column in 1..=columns {
        if row_of[column] != 0 {
            of_row[row_of[column] - 1] = Some(column - 1);
        }
    }
    of_row
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Least sum over every way, by trying them all.
    fn least_sum(cost: &[Vec<f64>], row: usize, used: &mut Vec<bool>, left_out: usize) -> f64 {
        if row == cost.len() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        if left_out > 0 {
            best = least_sum(cost, row + 1, used, left_out - 1);
        }
        for column in 0..used.len() {
            if !used[column] {
                used[column] = true;
                best = best.min(cost[row][column] + least_sum(cost, row + 1, used, left_out));
                used[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_way_has_a_smaller_sum(
            rows in 1_usize..6, columns in 1_usize..6, values in prop::collection::vec(0.0_f64..100.0, 36)
        ) {
            let cost: Vec<Vec<f64>> =
                (0..rows).map(|r| values[r * 6..r * 6 + columns].to_vec()).collect();
            let given = assign(&cost);
            let mut used = vec![false; columns];
            let mut sum = 0.0;
            for (row, column) in given.iter().enumerate() {
                if let Some(column) = *column {
                    prop_assert!(!used[column]);
                    used[column] = true;
                    sum += cost[row][column];
                }
            }
            prop_assert_eq!(used.iter().filter(|used| **used).count(), rows.min(columns));
            let least =
                least_sum(&cost, 0, &mut vec![false; columns], rows.saturating_sub(columns));
            prop_assert!((sum - least).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_to_assign_is_no_error() {
        assert!(assign(&[]).is_empty());
        assert_eq!(assign(&[vec![], vec![]]), [None, None]);
    }
}
