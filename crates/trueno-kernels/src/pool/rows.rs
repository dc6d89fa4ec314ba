//! Rows of a plane with the elements that a window's column meets side by side.
//!
//! Pooling moves along the columns of the result, one vector of windows at a time. With a stride of 2 the elements that a column of those
//! windows meets are every second of a row, so rows are sorted by that first.

use core::ops::Range;

use super::Pool2dShape;
use crate::conv::sort_row;
use crate::lanes::read;
use crate::simd::{MAX_LANES, Real, RealVector};

/// Windows of a row that are worked on together.
const WINDOWS: usize = 64;
/// The most rows and columns of a window, and the largest stride, that rows are sorted for.
const KERNEL: usize = 7;
const STRIDE: usize = 2;
/// Elements of one remainder of a row: those of the windows, what the last reaches further, and room for its vector.
const PITCH: usize = WINDOWS + KERNEL + MAX_LANES;

/// The elements of up to [`WINDOWS`] windows of one row of the result, whose columns are all inside the plane.
pub(super) struct SortedRows<T> {
    elements: [[T; STRIDE * PITCH]; KERNEL],
    stride: usize,
}

impl<T: Real> SortedRows<T> {
    /// Room for the windows of `shape`; `None` if they are too large.
    #[inline(always)]
    pub fn new(shape: &Pool2dShape) -> Option<SortedRows<T>> {
        let fits = shape.kernel.iter().all(|&size| size <= KERNEL) && shape.stride[1] <= STRIDE;
        fits.then(|| SortedRows { elements: [[T::ZERO; STRIDE * PITCH]; KERNEL], stride: shape.stride[1] })
    }

    /// Cuts windows into runs that fit.
    pub fn runs(windows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        windows.clone().step_by(WINDOWS).map(move |start| start..windows.end.min(start + WINDOWS))
    }

    /// Takes the elements of the windows `cols` in the given rows of the plane `x`.
    #[inline(always)]
    pub fn take(&mut self, shape: &Pool2dShape, x: &[T], rows: Range<usize>, cols: Range<usize>) {
        let left = cols.start * shape.stride[1] - shape.padding[1];
        let len = (cols.len() - 1) * shape.stride[1] + shape.kernel[1];
        for (row, sorted) in rows.zip(&mut self.elements) {
            let row = &x[row * shape.width + left..][..len];
            if self.stride == 1 {
                sorted[..len].copy_from_slice(row);
            } else {
                sort_row::<T, STRIDE>(row, 0, sorted);
            }
        }
    }

    /// What column `kx` of the windows from the `first` on meets in row `ky` of those taken.
    #[inline(always)]
    pub fn at<V: RealVector<Elem = T>>(&self, simd: V::Token, ky: usize, kx: usize, first: usize) -> V {
        read::<V>(simd, &self.elements[ky], kx % self.stride * PITCH + kx / self.stride + first)
    }
}
