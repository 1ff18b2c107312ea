//! An array over a voxel grid.

/// Values over a `[k, j, i]` grid, `i` fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Array3<T> {
    size: [usize; 3],
    data: Vec<T>,
}

impl<T: Copy> Array3<T> {
    /// An array of `size` = `[columns, rows, slices]` that holds `value` everywhere.
    pub fn filled(size: [usize; 3], value: T) -> Self {
        Self { size, data: vec![value; size[0] * size[1] * size[2]] }
    }

    /// An array over values that are there already; `None` when their number does not fit.
    pub fn from_vec(size: [usize; 3], data: Vec<T>) -> Option<Self> {
        (data.len() == size[0] * size[1] * size[2]).then_some(Self { size, data })
    }

    /// `[columns, rows, slices]`.
    pub const fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Number of voxels of one slice.
    pub const fn slice_len(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Position of voxel (i, j, k).
    pub const fn offset(&self, i: usize, j: usize, k: usize) -> usize {
        (k * self.size[1] + j) * self.size[0] + i
    }

    /// The value at voxel (i, j, k).
    pub fn at(&self, i: usize, j: usize, k: usize) -> T {
        self.data[self.offset(i, j, k)]
    }

    /// All values.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// All values, to be changed.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
}

/// Column, row and slice of the voxel at `offset` in a grid of `size`.
pub const fn place_of(offset: usize, size: [usize; 3]) -> [usize; 3] {
    [offset % size[0], offset / size[0] % size[1], offset / size[0] / size[1]]
}

/// Offset of the voxel that lies `step` from another, `None` beyond the border of the grid.
pub fn neighbour(at: [usize; 3], step: [isize; 3], size: [usize; 3]) -> Option<usize> {
    let along =
        |axis: usize| at[axis].checked_add_signed(step[axis]).filter(|&to: &usize| to < size[axis]);
    let [i, j, k] = [along(0)?, along(1)?, along(2)?];
    Some((k * size[1] + j) * size[0] + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_those_inside_the_grid() {
        let size = [4, 3, 2];
        for offset in 0..24 {
            let at = place_of(offset, size);
            assert_eq!(neighbour(at, [0, 0, 0], size), Some(offset));
            let inside = (-1..=1)
                .flat_map(|k| (-1..=1).flat_map(move |j| (-1..=1).map(move |i| [i, j, k])))
                .filter_map(|step| neighbour(at, step, size))
                .count();
            let along = |axis: usize| {
                3 - usize::from(at[axis] == 0) - usize::from(at[axis] + 1 == size[axis])
            };
            assert_eq!(inside, along(0) * along(1) * along(2), "{at:?}");
        }
    }
}
