//! Trilinear values at many places, eight at a time: what [`trilinear_where`] gives one by one, to
//! the bit.

use multiversion::multiversion;

use super::BitMask;
use super::resample::trilinear_where;
use crate::geometry::ContinuousIndex;

/// Places worked on together.
const LANES: usize = 8;

/// Voxels to be sampled, and which of them hold a measured value.
#[derive(Clone, Copy)]
pub struct Samples<'a, T> {
    /// Columns, rows, slices.
    pub size: [usize; 3],
    /// Values `[k, j, i]`.
    pub values: &'a [T],
    /// A value that is not above this was not measured.
    pub above: f32,
    /// Voxels in one of these were not measured either.
    pub without: [Option<&'a BitMask>; 2],
}

impl<T: Copy + Into<f32>> Samples<'_, T> {
    /// Fills a line with the values at `place(0)`, `place(1)`, ...: trilinear over the measured
    /// voxels; NaN outside the grid, and where half of the weight or more falls on voxels that were
    /// not measured.
    pub fn fill(&self, line: &mut [f32], place: impl Fn(usize) -> ContinuousIndex) {
        for (n, into) in line.chunks_mut(LANES).enumerate() {
            let mut at = [[0.0; LANES]; 3];
            let [is, js, ks] = &mut at;
            for (lane, ((i, j), k)) in is.iter_mut().zip(js).zip(ks).enumerate() {
                // Beyond the end of the line its last place again.
                let place = place(n * LANES + lane.min(into.len() - 1));
                (*i, *j, *k) = (place.i, place.j, place.k);
            }
            let mut values = [f32::NAN; LANES];
            if !eight_within(self.size, self.values, self.above, &self.without, &at, &mut values) {
                for (lane, value) in values.iter_mut().enumerate().take(into.len()) {
                    let at = ContinuousIndex { i: at[0][lane], j: at[1][lane], k: at[2][lane] };
                    *value = self.at(at);
                }
            }
            into.copy_from_slice(&values[..into.len()]);
        }
    }

    /// The value at one place, see [`Samples::fill`].
    fn at(&self, at: ContinuousIndex) -> f32 {
        trilinear_where(self.size, self.values, |offset, _| self.is_measured(offset), at)
    }

    /// Whether the voxel at an offset holds a measured value.
    pub fn is_measured(&self, offset: usize) -> bool {
        self.values[offset].into() > self.above
            && !self.without.iter().flatten().any(|mask| mask.get(offset))
    }
}

/// From here on `f64` holds whole numbers only: what is added to it is rounded to one.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// Eight values between voxels that all lie inside the grid; `false` where one does not, or where a
/// mask holds one of the voxels: then nothing was done.
#[multiversion(targets("x86_64+avx2"))]
fn eight_within<T: Copy + Into<f32>>(
    size: [usize; 3],
    values: &[T],
    above: f32,
    without: &[Option<&BitMask>; 2],
    at: &[[f64; LANES]; 3],
    out: &mut [f32; LANES],
) -> bool {
    let mut inside = true;
    for (x, &n) in at.iter().zip(&size) {
        let last = n as f64 - 1.0;
        for &x in x {
            inside &= x >= 0.0 && x < last;
        }
    }
    if !inside || values.is_empty() {
        return false;
    }
    let mut low = [[0.0f64; LANES]; 3];
    // Weights of the voxels before and beyond.
    let mut before = [[0.0f64; LANES]; 3];
    let mut beyond = [[0.0f64; LANES]; 3];
    for axis in 0..3 {
        for lane in 0..LANES {
            let x = at[axis][lane];
            // The whole part, without a call for each place.
            let nearest = (x + WHOLE) - WHOLE;
            let floor = if nearest > x { nearest - 1.0 } else { nearest };
            low[axis][lane] = floor;
            beyond[axis][lane] = x - floor;
            before[axis][lane] = 1.0 - (x - floor);
        }
    }
    let [ni, nj, _] = size;
    let (columns, of_slice) = (ni as f64, nj as f64);
    let mut offsets = [0.0f64; LANES];
    for lane in 0..LANES {
        offsets[lane] = (low[2][lane] * of_slice + low[1][lane]) * columns + low[0][lane] + WHOLE;
    }
    let first = offsets.map(|offset| (offset.to_bits() & ((1 << 52) - 1)) as usize);
    let rows = [0, ni, ni * nj, ni * nj + ni];
    for mask in without.iter().flatten() {
        for offset in first {
            if rows.iter().any(|row| mask.bits_from(offset + row) & 3 != 0) {
                return false;
            }
        }
    }
    let mut sums = Sums::default();
    let of_columns = [&before[0], &beyond[0]];
    let of_rows = [
        (&before[2], &before[1]),
        (&before[2], &beyond[1]),
        (&beyond[2], &before[1]),
        (&beyond[2], &beyond[1]),
    ];
    for (row, of_row) in rows.into_iter().zip(of_rows) {
        let mut pairs = [[values[0]; LANES]; 2];
        for lane in 0..LANES {
            let Some(&[a, b]) = values.get(first[lane] + row..).and_then(<[T]>::first_chunk) else {
                return false;
            };
            (pairs[0][lane], pairs[1][lane]) = (a, b);
        }
        sums.add(&pairs[0], of_row, of_columns[0], above);
        sums.add(&pairs[1], of_row, of_columns[1], above);
    }
    for (value, (sum, total)) in out.iter_mut().zip(sums.values.into_iter().zip(sums.weights)) {
        *value = if total > 0.5 { sum / total } else { f32::NAN };
    }
    true
}

/// Weighted values and weights added up.
#[derive(Default)]
struct Sums {
    values: [f32; LANES],
    weights: [f32; LANES],
}

impl Sums {
    #[allow(clippy::inline_always, reason = "becomes part of a loop compiled for AVX2")]
    #[inline(always)]
    fn add<T: Copy + Into<f32>>(
        &mut self,
        values: &[T; LANES],
        of_row: (&[f64; LANES], &[f64; LANES]),
        of_column: &[f64; LANES],
        above: f32,
    ) {
        for lane in 0..LANES {
            // Without a branch: a weight of zero adds nothing.
            let value: f32 = values[lane].into();
            let weight = (of_row.0[lane] * of_row.1[lane] * of_column[lane]) as f32;
            let weight = if value > above { weight } else { 0.0 };
            self.values[lane] += weight * value;
            self.weights[lane] += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn many_places_have_the_bits_of_single_ones_in_and_out_of_the_grid_and_of_masks(
            seed in any::<u32>(), masked in any::<bool>(),
            start in proptest::array::uniform3(-2.0..9.0f64),
            step in proptest::array::uniform3(-0.9..0.9f64),
        ) {
            let size = [9, 8, 7];
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                state >> 8
            };
            let values: Vec<i16> = (0..504).map(|_| (next() % 5000) as i16 - 2000).collect();
            let mask = BitMask::from_fn(size, |i, j, k| (i * 5 + j * 3 + k) % 17 == 0);
            let without = [None, masked.then_some(&mask)];
            let samples = Samples { size, values: &values, above: -1500.0, without };
            let place = |n: usize| {
                let n = n as f64;
                let [i, j, k] = [0, 1, 2].map(|axis| start[axis] + step[axis] * n);
                ContinuousIndex { i, j, k }
            };
            let mut line = [0.0f32; 21];
            samples.fill(&mut line, place);
            for (n, value) in line.into_iter().enumerate() {
                let is_measured =
                    |offset: usize, v: i16| v > -1500 && !(masked && mask.get(offset));
                let one = trilinear_where(size, &values, is_measured, place(n));
                prop_assert_eq!(value.to_bits(), one.to_bits());
            }
        }
    }
}
