//! A picture in memory with linear interpolation.

/// A 2D array `[row, column]`, column fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Plane {
    /// A picture of `rows` times `columns` pixels; missing values are zero, surplus ones are cut.
    pub fn new(rows: usize, columns: usize, mut values: Vec<f32>) -> Self {
        values.resize(rows * columns, 0.0);
        Self { rows, columns, values }
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// All pixels, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All pixels, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// The pixel at (row, column).
    pub fn get(&self, row: usize, column: usize) -> f32 {
        self.values[row * self.columns + column]
    }

    /// Whether a place lies between the outermost pixel centres.
    pub fn holds(&self, row: f64, column: f64) -> bool {
        row >= 0.0
            && column >= 0.0
            && row <= self.rows as f64 - 1.0
            && column <= self.columns as f64 - 1.0
    }

    /// Bilinear value; places outside take the value of the nearest edge. Zero for an empty
    /// picture.
    pub fn sample(&self, row: f64, column: f64) -> f64 {
        if self.rows == 0 || self.columns == 0 {
            return 0.0;
        }
        let row = row.clamp(0.0, (self.rows - 1) as f64);
        let column = column.clamp(0.0, (self.columns - 1) as f64);
        let (r, c) = (row as usize, column as usize);
        let (fr, fc) = ((row - r as f64) as f32, (column - c as f64) as f32);
        let below = if r + 1 < self.rows { self.columns } else { 0 };
        let right = usize::from(c + 1 < self.columns);
        let o = r * self.columns + c;
        let v = &self.values;
        let top = v[o] + (v[o + right] - v[o]) * fc;
        let bottom = v[o + below] + (v[o + below + right] - v[o + below]) * fc;
        f64::from(top + (bottom - top) * fr)
    }

    /// Bilinear value, zero outside.
    pub fn sample_or_zero(&self, row: f64, column: f64) -> f64 {
        if self.holds(row, column) { self.sample(row, column) } else { 0.0 }
    }
}

/// Index mirrored into `0..n` about the outer edges of the first and last element
/// (`b a | a b c | c b`), for `n > 0`.
pub fn mirrored(index: isize, n: usize) -> usize {
    let period = 2 * n as isize;
    let i = index.rem_euclid(period);
    if i < n as isize { i as usize } else { (period - 1 - i) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_linear_inside_and_the_edge_outside() {
        let plane = Plane::new(2, 3, vec![0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        assert!((plane.sample(0.5, 1.5) - 6.5).abs() < 1e-6);
        assert!((plane.sample(-4.0, 9.0) - 2.0).abs() < 1e-6);
        assert_eq!(plane.sample_or_zero(-0.1, 0.0), 0.0);
        assert_eq!(plane.sample_or_zero(1.0, 2.0), 12.0);
    }

    #[test]
    fn mirroring_repeats_the_edge() {
        let seen: Vec<usize> = (-4..7).map(|i| mirrored(i, 3)).collect();
        assert_eq!(seen, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(mirrored(-5, 1), 0);
    }
}
