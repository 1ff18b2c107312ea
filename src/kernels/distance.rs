//! Euclidean distance in millimetres from the voxels of a mask to its background.
//!
//! # Method
//! Squared distances axis by axis (Saito and Toriwaki 1994): along i from the runs of each row,
//! then along j and k the smallest of each neighbour's value and its squared distance, outwards
//! until the distance alone is more than what was found. The minimum is exact; only the squares
//! are rounded to `f32`. Work and memory traffic go with the voxels of the mask and their depth;
//! background is neither read nor written.

#![allow(
    clippy::inline_always,
    reason = "what is called from a loop for AVX2 must become part of it, or it stays at the baseline"
)]

use multiversion::multiversion;
use rayon::prelude::*;

use super::bit_rows::{BitRows, runs_of_row};
use super::{Array3, BitMask};

/// Columns worked on together.
const LANES: usize = 16;
/// Steps outwards before it is asked whether more can help.
const STEPS: usize = 3;

/// Distance of each voxel of the mask from the nearest voxel centre outside it, mm; 0 outside.
///
/// `spacing` is in mm along i, j, k. What lies beyond the border is no background, as in
/// `scipy.ndimage.distance_transform_edt`; a mask without background is infinitely deep.
pub fn distance_inside(mask: &BitMask, spacing: [f64; 3]) -> Array3<f32> {
    let mut out = Array3::filled(mask.size(), 0.0);
    distance_inside_into(mask, spacing, out.data_mut());
    out
}

/// The same into memory of the caller, `[k, j, i]`, which must hold zeros.
///
/// Does nothing when its length is not the number of voxels.
pub fn distance_inside_into(mask: &BitMask, spacing: [f64; 3], into: &mut [f32]) {
    let [ni, nj, nk] = mask.size();
    if into.len() != ni * nj * nk || into.is_empty() {
        return;
    }
    let rows = BitRows::from_packed(mask.size(), mask.words());
    let [squares_i, squares_j, squares_k] =
        [0, 1, 2].map(|axis| squares(mask.size()[axis], spacing[axis]));
    into.par_chunks_mut(ni * nj).enumerate().for_each_init(
        || Plane::new(ni, nj),
        |plane, (k, slice)| {
            for j in 0..nj {
                let row = rows.row(k * nj + j);
                plane.put_row(j, row, |blocks, _| {
                    along_i(row, ni, &squares_i, blocks.as_flattened_mut());
                });
            }
            plane.lower(&squares_j);
            for (j, line) in slice.chunks_exact_mut(ni).enumerate() {
                plane.take_row(j, line);
            }
        },
    );
    let mut columns: Vec<Vec<&mut [f32]>> = (0..nj).map(|_| Vec::with_capacity(nk)).collect();
    for (row, line) in into.chunks_exact_mut(ni).enumerate() {
        columns[row % nj].push(line);
    }
    columns.into_par_iter().enumerate().for_each_init(
        || Plane::new(ni, nk),
        |plane, (j, mut lines)| {
            for (k, line) in lines.iter().enumerate() {
                plane.put_row(k, rows.row(k * nj + j), |blocks, used| {
                    // Beside the mask there are zeros here and there.
                    let blocks = blocks.iter_mut().zip(line.chunks(LANES)).zip(used);
                    for ((block, values), _) in blocks.filter(|(_, used)| **used) {
                        block[..values.len()].copy_from_slice(values);
                    }
                });
            }
            plane.lower(&squares_k);
            plane.square_root();
            for (k, line) in lines.iter_mut().enumerate() {
                plane.take_row(k, line);
            }
        },
    );
}

/// Squares of whole steps, mm².
fn squares(n: usize, spacing: f64) -> Vec<f32> {
    (0..=n)
        .map(|steps| {
            let mm = steps as f64 * spacing;
            (mm * mm) as f32
        })
        .collect()
}

/// Squared distances to the ends of the runs of one row; infinite where there is no end.
fn along_i(row: &[u64], ni: usize, squares: &[f32], line: &mut [f32]) {
    runs_of_row(row, ni, |from, to| {
        let run = &mut line[from..to];
        match (from > 0, to < ni) {
            (true, true) => {
                let middle = run.len().div_ceil(2);
                run[..middle].copy_from_slice(&squares[1..=middle]);
                for (value, &square) in run[middle..].iter_mut().rev().zip(&squares[1..]) {
                    *value = square;
                }
            }
            (true, false) => run.copy_from_slice(&squares[1..=to - from]),
            (false, true) => {
                for (value, &square) in run.iter_mut().rev().zip(&squares[1..]) {
                    *value = square;
                }
            }
            (false, false) => run.fill(f32::INFINITY),
        }
    });
}

/// Rows of squared distances, in blocks of [`LANES`] columns. Blocks without a voxel of the mask
/// hold zeros.
struct Plane {
    /// Blocks of a row.
    width: usize,
    count: usize,
    from: Vec<[f32; LANES]>,
    lowered: Vec<[f32; LANES]>,
    /// One bit for each block of a row that holds a voxel of the mask.
    used: Vec<bool>,
}

impl Plane {
    fn new(ni: usize, count: usize) -> Self {
        let width = ni.div_ceil(LANES);
        Self {
            width,
            count,
            from: vec![[0.0; LANES]; width * count],
            lowered: vec![[0.0; LANES]; width * count],
            used: vec![false; width * count],
        }
    }

    /// Takes in a row: `fill` writes its values where `bits` are set, given which blocks hold any.
    fn put_row(
        &mut self,
        row: usize,
        bits: &[u64],
        fill: impl FnOnce(&mut [[f32; LANES]], &[bool]),
    ) {
        let range = row * self.width..(row + 1) * self.width;
        let (blocks, used) = (&mut self.from[range.clone()], &mut self.used[range]);
        // Zeros where the row before had values.
        for (block, used) in blocks.iter_mut().zip(&mut *used) {
            if *used {
                *block = [0.0; LANES];
                *used = false;
            }
        }
        if bits.iter().all(|&word| word == 0) {
            return;
        }
        for (n, used) in used.iter_mut().enumerate() {
            *used = bits[n / 4] >> (n % 4 * LANES) & 0xffff != 0;
        }
        fill(blocks, used);
    }

    /// Gives out what was lowered; the rest of `line` stays.
    fn take_row(&self, row: usize, line: &mut [f32]) {
        let range = row * self.width..(row + 1) * self.width;
        for (n, (block, used)) in
            self.lowered[range.clone()].iter().zip(&self.used[range]).enumerate()
        {
            if *used {
                let at = n * LANES;
                let len = LANES.min(line.len() - at);
                line[at..at + len].copy_from_slice(&block[..len]);
            }
        }
    }

    /// `squares` of up to as many steps as there are rows.
    fn lower(&mut self, squares: &[f32]) {
        lower(&self.from, &self.used, self.width, &squares[..self.count], &mut self.lowered);
    }

    fn square_root(&mut self) {
        for (block, used) in self.lowered.iter_mut().zip(&self.used) {
            if *used {
                *block = block.map(f32::sqrt);
            }
        }
    }
}

/// The smallest value of each column of rows `width` blocks apart, the square of the steps to it added.
#[multiversion(targets("x86_64+avx2"))]
fn lower(
    from: &[[f32; LANES]],
    used: &[bool],
    width: usize,
    squares: &[f32],
    into: &mut [[f32; LANES]],
) {
    let rows = squares.len();
    for row in 0..rows {
        for n in 0..width {
            let at = row * width + n;
            if !used[at] {
                continue;
            }
            let mut lowest = from[at];
            let mut highest = largest(&lowest);
            let reach = row.max(rows - 1 - row);
            let mut steps = 1;
            while steps <= reach && squares[steps] < highest {
                // A few steps too many change nothing; asking after each costs more.
                for steps in steps..=(steps + STEPS - 1).min(reach) {
                    if steps <= row {
                        lower_by(&mut lowest, &from[at - steps * width], squares[steps]);
                    }
                    if row + steps < rows {
                        lower_by(&mut lowest, &from[at + steps * width], squares[steps]);
                    }
                }
                steps += STEPS;
                highest = largest(&lowest);
            }
            into[at] = lowest;
        }
    }
}

#[inline(always)]
fn lower_by(lowest: &mut [f32; LANES], other: &[f32; LANES], square: f32) {
    for n in 0..LANES {
        let through = other[n] + square;
        lowest[n] = if through < lowest[n] { through } else { lowest[n] };
    }
}

#[inline(always)]
fn largest(values: &[f32; LANES]) -> f32 {
    // Numbers from 0 to infinity are in the order of their bits, whose maximum is one instruction.
    let mut top = 0;
    for value in values {
        top = top.max(value.to_bits());
    }
    f32::from_bits(top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask(size: [usize; 3], share: f64, seed: u64) -> BitMask {
        let mut state = seed;
        let mut mask = BitMask::empty(size);
        for offset in 0..size[0] * size[1] * size[2] {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if ((state >> 40) as f64) < share * f64::from(1 << 24) {
                mask.insert(offset);
            }
        }
        mask
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn distances_agree_with_asking_every_voxel(
            ni in 1usize..40, nj in 1usize..8, nk in 1usize..7, share in 0.5..1.0f64,
            spacing in proptest::array::uniform3(0.3..5.0f64), seed in any::<u64>(),
        ) {
            let mask = mask([ni, nj, nk], share, seed);
            let found = distance_inside(&mask, spacing);
            let place = |n: usize| [n % ni, n / ni % nj, n / ni / nj];
            for at in 0..ni * nj * nk {
                let mut nearest = if mask.get(at) { f64::INFINITY } else { 0.0 };
                for other in (0..ni * nj * nk).filter(|&n| !mask.get(n)) {
                    let square: f64 = (0..3)
                        .map(|axis| {
                            let steps = place(at)[axis].abs_diff(place(other)[axis]);
                            let mm = steps as f64 * spacing[axis];
                            mm * mm
                        })
                        .sum();
                    nearest = nearest.min(square.sqrt());
                }
                let value = f64::from(found.data()[at]);
                prop_assert!(
                    value == nearest || (value - nearest).abs() <= 1e-6 * nearest,
                    "{} against {} at {:?}", value, nearest, place(at)
                );
            }
        }
    }

    #[test]
    fn a_plate_between_two_words_is_as_deep_as_it_is_thick() {
        let mut plate = BitMask::empty([200, 3, 1]);
        for j in 0..3 {
            plate.insert_range(j * 200 + 50..j * 200 + 150);
        }
        let depth = distance_inside(&plate, [0.5, 2.0, 1.0]);
        assert_eq!(depth.at(49, 1, 0), 0.0);
        assert_eq!(depth.at(50, 1, 0), 0.5);
        assert_eq!(depth.at(99, 1, 0), 25.0);
        assert_eq!(depth.at(149, 1, 0), 0.5);
    }
}
