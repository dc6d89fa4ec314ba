//! Matrices as views: a pointer, two sizes and two strides whose bounds were checked once, at construction.

use core::{marker::PhantomData, ops::Range};

/// A matrix that is read: any strides, zero (broadcast) and negative (reversed) ones too.
#[derive(Debug)]
pub struct MatRef<'a, T> {
    pointer: *const T,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
    lifetime: PhantomData<&'a [T]>,
}

impl<T> Clone for MatRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MatRef<'_, T> {}

// SAFETY: a `MatRef` gives nothing but shared access to elements that a `&[T]` lent.
unsafe impl<T: Sync> Send for MatRef<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for MatRef<'_, T> {}

impl<'a, T> MatRef<'a, T> {
    /// The matrix whose element `[i, j]` is `data[offset + i * row_stride + j * col_stride]`.
    ///
    /// # Panics
    /// If an element lies outside `data`.
    #[inline]
    pub fn new(
        data: &'a [T],
        offset: usize,
        [rows, cols]: [usize; 2],
        [row_stride, col_stride]: [isize; 2],
    ) -> MatRef<'a, T> {
        let empty = rows == 0 || cols == 0;
        assert!(
            empty || lies_within(data.len(), offset, [rows, cols], [row_stride, col_stride]),
            "a {rows}x{cols} matrix with strides {row_stride}, {col_stride} at {offset} reaches outside its {} elements",
            data.len()
        );
        let start = if empty { 0 } else { offset };
        MatRef { pointer: data[start..].as_ptr(), rows, cols, row_stride, col_stride, lifetime: PhantomData }
    }

    /// `data` as a contiguous matrix, row after row.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * cols`.
    #[inline]
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> MatRef<'a, T> {
        MatRef::new(data, 0, [rows, cols], [cols as isize, 1])
    }

    /// Number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[inline]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements from one row to the next.
    #[inline]
    pub fn row_stride(&self) -> isize {
        self.row_stride
    }

    /// Elements from one column to the next.
    #[inline]
    pub fn col_stride(&self) -> isize {
        self.col_stride
    }

    /// The transpose of the same memory.
    #[inline]
    pub fn transposed(self) -> MatRef<'a, T> {
        MatRef { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// Whether this is the transpose of `other` in the same memory.
    ///
    /// ```
    /// use trueno_kernels::matmul::MatRef;
    /// let x = [1.0, 2.0, 3.0, 4.0];
    /// let a = MatRef::row_major(&x, 2, 2);
    /// assert!(a.transposed().is_transpose_of(&a) && !a.is_transpose_of(&a));
    /// ```
    #[inline]
    pub fn is_transpose_of(&self, other: &MatRef<'_, T>) -> bool {
        core::ptr::eq(self.pointer, other.pointer)
            && [self.rows, self.cols] == [other.cols, other.rows]
            && [self.row_stride, self.col_stride] == [other.col_stride, other.row_stride]
    }

    /// The block of the given rows and columns.
    ///
    /// # Panics
    /// If a range ends past the matrix or before it starts.
    #[inline]
    pub fn block(self, rows: Range<usize>, cols: Range<usize>) -> MatRef<'a, T> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(cols.start <= cols.end && cols.end <= self.cols, "columns {cols:?} of {}", self.cols);
        let (row_count, col_count) = (rows.len(), cols.len());
        let pointer = if row_count == 0 || col_count == 0 { self.pointer } else { self.at(rows.start, cols.start) };
        MatRef { pointer, rows: row_count, cols: col_count, ..self }
    }

    /// The same memory with `by` adjacent elements of each row as one of another type.
    ///
    /// # Safety
    /// Elements of a row must be adjacent, `by` of them as large as a `U`, rows start where a `U` may lie, and their bits be values of it.
    pub(crate) unsafe fn regrouped<U>(self, by: usize) -> MatRef<'a, U> {
        MatRef {
            pointer: self.pointer.cast(),
            rows: self.rows,
            cols: self.cols / by,
            row_stride: self.row_stride / by as isize,
            col_stride: 1,
            lifetime: PhantomData,
        }
    }

    /// Copies the elements, row after row.
    ///
    /// # Panics
    /// If `out` has another number of elements.
    pub fn copy_to(&self, out: &mut [T])
    where
        T: Copy,
    {
        assert_eq!(out.len(), self.rows * self.cols);
        for row in 0..self.rows {
            for col in 0..self.cols {
                // SAFETY: inside the matrix.
                out[row * self.cols + col] = unsafe { *self.at(row, col) };
            }
        }
    }

    /// Address of element `[row, col]`; readable when both are inside the matrix.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, col: usize) -> *const T {
        let offset =
            (row as isize).wrapping_mul(self.row_stride).wrapping_add((col as isize).wrapping_mul(self.col_stride));
        self.pointer.wrapping_offset(offset)
    }
}

/// Matrices of one size and strides, each as far from the one before as any two neighbours are.
#[derive(Debug)]
pub struct MatRefs<'a, T> {
    first: MatRef<'a, T>,
    count: usize,
    step: isize,
}

impl<T> Clone for MatRefs<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MatRefs<'_, T> {}

impl<'a, T> MatRefs<'a, T> {
    /// The matrices whose elements `[index, i, j]` are `data[offset + index * step + i * row_stride + j * col_stride]`, for a size
    /// of `[count, rows, cols]` and strides of `[step, row_stride, col_stride]`.
    ///
    /// # Panics
    /// If an element lies outside `data`.
    pub fn new(
        data: &'a [T],
        offset: usize,
        size @ [count, rows, cols]: [usize; 3],
        strides @ [step, row_stride, col_stride]: [isize; 3],
    ) -> MatRefs<'a, T> {
        let empty = size.contains(&0);
        assert!(
            empty || lies_within(data.len(), offset, size, strides),
            "{count} {rows}x{cols} matrices with strides {strides:?} at {offset} reach outside their {} elements",
            data.len()
        );
        let pointer = data[if empty { 0 } else { offset }..].as_ptr();
        let first = MatRef { pointer, rows, cols, row_stride, col_stride, lifetime: PhantomData };
        MatRefs { first, count, step }
    }

    /// Number of matrices.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Rows and columns of each.
    #[inline]
    pub fn size(&self) -> [usize; 2] {
        [self.first.rows, self.first.cols]
    }

    /// The matrix of this index.
    ///
    /// # Panics
    /// If there are no more.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> MatRef<'a, T> {
        assert!(index < self.count, "matrix {index} of {}", self.count);
        MatRef { pointer: self.first.pointer.wrapping_offset((index as isize).wrapping_mul(self.step)), ..self.first }
    }
}

/// Whether an array that is not empty lies within `len` elements. What `isize` does not hold is outside of any.
#[inline]
fn lies_within<const N: usize>(len: usize, offset: usize, size: [usize; N], strides: [isize; N]) -> bool {
    let ends = || {
        let (mut lowest, mut highest) = (isize::try_from(offset).ok()?, isize::try_from(offset).ok()?);
        for (size, stride) in size.into_iter().zip(strides) {
            let reach = isize::try_from(size - 1).ok()?.checked_mul(stride)?;
            (lowest, highest) = (lowest.checked_add(reach.min(0))?, highest.checked_add(reach.max(0))?);
        }
        Some((lowest, highest))
    };
    ends().is_some_and(|(lowest, highest)| lowest >= 0 && highest.unsigned_abs() < len)
}

/// A matrix that is written: rows of adjacent elements, `row_stride` apart.
///
/// It can be cut into disjoint blocks of rows and of columns, which may go to different threads.
#[derive(Debug)]
pub struct MatMut<'a, T> {
    pointer: *mut T,
    rows: usize,
    cols: usize,
    row_stride: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: a `MatMut` is the only way to its elements for as long as it lives (blocks cut from it are
// disjoint, because rows do not overlap), just as a `&mut [T]` is.
unsafe impl<T: Send> Send for MatMut<'_, T> {}
// SAFETY: a shared `MatMut` gives no access to elements.
unsafe impl<T: Sync> Sync for MatMut<'_, T> {}

impl<'a, T> MatMut<'a, T> {
    /// The matrix whose element `[i, j]` is `data[i * row_stride + j]`.
    ///
    /// # Panics
    /// If rows overlap (`row_stride < cols` with more than one row) or an element lies outside `data`.
    #[inline]
    pub fn new(data: &'a mut [T], rows: usize, cols: usize, row_stride: usize) -> MatMut<'a, T> {
        if rows > 0 && cols > 0 {
            assert!(rows == 1 || row_stride >= cols, "rows of {cols} elements overlap with a stride of {row_stride}");
            let end = (rows as u128 - 1) * row_stride as u128 + cols as u128;
            assert!(end <= data.len() as u128, "a {rows}x{cols} matrix needs {end} elements, got {}", data.len());
        }
        MatMut { pointer: data.as_mut_ptr(), rows, cols, row_stride, lifetime: PhantomData }
    }

    /// `data` as a contiguous matrix, row after row.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * cols`.
    #[inline]
    pub fn row_major(data: &'a mut [T], rows: usize, cols: usize) -> MatMut<'a, T> {
        MatMut::new(data, rows, cols, cols)
    }

    /// Number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[inline]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements from one row to the next.
    #[inline]
    pub fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// The same matrix, borrowed for less long.
    #[inline]
    pub fn reborrow(&mut self) -> MatMut<'_, T> {
        MatMut { lifetime: PhantomData, ..*self }
    }

    /// The rows before `row` and those from it on.
    ///
    /// # Panics
    /// If `row` is past the end.
    #[inline]
    pub fn split_at_row(self, row: usize) -> (MatMut<'a, T>, MatMut<'a, T>) {
        assert!(row <= self.rows, "row {row} of {}", self.rows);
        let lower = self.pointer.wrapping_add(row * self.row_stride);
        (MatMut { rows: row, ..self }, MatMut { pointer: lower, rows: self.rows - row, ..self })
    }

    /// The columns before `col` and those from it on.
    ///
    /// # Panics
    /// If `col` is past the end.
    #[inline]
    pub fn split_at_col(self, col: usize) -> (MatMut<'a, T>, MatMut<'a, T>) {
        assert!(col <= self.cols, "column {col} of {}", self.cols);
        let right = self.pointer.wrapping_add(col);
        (MatMut { cols: col, ..self }, MatMut { pointer: right, cols: self.cols - col, ..self })
    }

    /// Sets every element to `value`.
    pub fn fill(&mut self, value: T)
    where
        T: Copy,
    {
        for row in 0..self.rows {
            for col in 0..self.cols {
                // SAFETY: inside the matrix.
                unsafe { *self.at(row, col) = value };
            }
        }
    }

    /// The block of the given rows and columns.
    ///
    /// # Panics
    /// If a range ends past the matrix or before it starts.
    #[inline]
    pub fn block(self, rows: Range<usize>, cols: Range<usize>) -> MatMut<'a, T> {
        let (row, col) = (rows.start, cols.start);
        let block = self.split_at_row(rows.end).0.split_at_row(row).1;
        block.split_at_col(cols.end).0.split_at_col(col).1
    }

    /// Address of element `[row, col]`; writable when both are inside the matrix.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, col: usize) -> *mut T {
        self.pointer.wrapping_add(row * self.row_stride + col)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "reaches outside")]
    fn a_view_past_the_end_is_refused() {
        MatRef::new(&[0.0; 5], 0, [2, 3], [3, 1]);
    }

    #[test]
    #[should_panic(expected = "reaches outside")]
    fn a_view_before_the_start_is_refused() {
        MatRef::new(&[0.0; 6], 2, [2, 3], [-3, 1]);
    }

    #[test]
    #[should_panic(expected = "reach outside their 7 elements")]
    fn matrices_past_the_end_are_refused() {
        MatRefs::new(&[0.0; 7], 0, [3, 1, 2], [3, 2, 1]);
    }

    #[test]
    #[should_panic(expected = "overlap")]
    fn overlapping_rows_cannot_be_written() {
        MatMut::new(&mut [0.0; 6], 2, 3, 2);
    }

    #[test]
    #[should_panic(expected = "reaches outside its 4 elements")]
    fn huge_strides_do_not_wrap_around() {
        MatRef::new(&[0.0; 4], 0, [usize::MAX / 2, 2], [isize::MAX, 1]);
    }

    #[test]
    fn blocks_of_a_written_matrix_are_disjoint() {
        let mut data = [0; 12];
        let (top, bottom) = MatMut::row_major(&mut data, 3, 4).split_at_row(1);
        let (left, right) = bottom.split_at_col(3);
        for (value, block) in [(1, top), (2, left), (3, right)] {
            for row in 0..block.rows() {
                for col in 0..block.cols() {
                    // SAFETY: inside the block.
                    unsafe { *block.at(row, col) += value };
                }
            }
        }
        assert_eq!(data, [1, 1, 1, 1, 2, 2, 2, 3, 2, 2, 2, 3]);
    }
}
