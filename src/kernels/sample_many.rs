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
            for lane in 0..LANES {
                // Beyond the end of the line its last place again.
                let p = place(n * LANES + lane.min(into.len() - 1));
                [at[0][lane], at[1][lane], at[2][lane]] = [p.i, p.j, p.k];
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
    pub fn at(&self, at: ContinuousIndex) -> f32 {
        let is_measured = |offset: usize, value: T| {
            value.into() > self.above
                && !self.without.iter().flatten().any(|mask| mask.get(offset))
        };
        trilinear_where(self.size, self.values, is_measured, at)
    }
}

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
    let mut low = [[0i32; LANES]; 3];
    let mut part = [[0.0f64; LANES]; 3];
    let mut inside = true;
    for axis in 0..3 {
        let last = size[axis] as f64 - 1.0;
        for lane in 0..LANES {
            let x = at[axis][lane];
            inside &= x >= 0.0 && x < last;
            low[axis][lane] = x as i32;
            part[axis][lane] = x - f64::from(low[axis][lane]);
        }
    }
    if !inside || size.iter().any(|&n| n > i32::MAX as usize) {
        return false;
    }
    let [ni, nj, _] = size;
    let rows = [0, ni, ni * nj, ni * nj + ni];
    let mut first = [0usize; LANES];
    for lane in 0..LANES {
        let [i, j, k] = [low[0][lane] as usize, low[1][lane] as usize, low[2][lane] as usize];
        first[lane] = (k * nj + j) * ni + i;
    }
    for mask in without.iter().flatten() {
        for offset in first {
            if rows.iter().any(|row| mask.bits_from(offset + row) & 3 != 0) {
                return false;
            }
        }
    }
    let (mut sum, mut total) = ([0.0f32; LANES], [0.0f32; LANES]);
    for (n, row) in rows.into_iter().enumerate() {
        let mut pairs = [[0.0f32; LANES]; 2];
        for lane in 0..LANES {
            let Some(&[a, b]) = values.get(first[lane] + row..).and_then(<[T]>::first_chunk) else {
                return false;
            };
            (pairs[0][lane], pairs[1][lane]) = (a.into(), b.into());
        }
        for lane in 0..LANES {
            let [i, j, k] = [part[0][lane], part[1][lane], part[2][lane]];
            let of_row = if n < 2 { 1.0 - k } else { k } * if n % 2 == 0 { 1.0 - j } else { j };
            for (value, of_column) in [(pairs[0][lane], 1.0 - i), (pairs[1][lane], i)] {
                // Without a branch: a weight of zero adds nothing.
                let weight = if value > above { (of_row * of_column) as f32 } else { 0.0 };
                sum[lane] += weight * value;
                total[lane] += weight;
            }
        }
    }
    for lane in 0..LANES {
        out[lane] = if total[lane] > 0.5 { sum[lane] / total[lane] } else { f32::NAN };
    }
    true
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
