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
