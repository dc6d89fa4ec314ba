//! Shapes, strides and the views made of them. Nothing here touches memory.

mod collapse;
mod slice;
mod view;

pub use collapse::Collapsed;
pub use slice::SliceItem;

use crate::{Error, Result};
use smallvec::SmallVec;

/// The sizes of a value's axes; up to four need no heap.
pub type Dims = SmallVec<[usize; INLINE]>;
/// Steps, in elements, from one index to the next along each axis. May be negative or zero.
pub type Strides = SmallVec<[isize; INLINE]>;

/// Where the elements of a value lie in its storage: shape, strides and the offset of the first element.
///
/// Every view (transpose, slice, broadcast, flip, ...) is another `Layout` over the same storage.
///
/// ```
/// use trueno_core::Layout;
/// let matrix = Layout::contiguous(&[2, 3]);
/// let transposed = matrix.permute("example", &[1, 0])?;
/// assert_eq!(transposed.shape(), [3, 2]);
/// assert_eq!(transposed.strides(), [1, 3]);
/// assert!(!transposed.is_contiguous());
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    shape: Dims,
    strides: Strides,
    offset: usize,
}

/// The axes that a list of one value for each has room for without the heap. With more room, a tensor would be so large that to move it is a
/// call, and small operations are mostly such moves.
const INLINE: usize = 4;

/// The values as a list. A copy of a length that the compiler does not know would be a call, which takes longer than most lists.
#[inline]
fn short<T: Copy + Default>(values: &[T]) -> SmallVec<[T; INLINE]> {
    if values.len() > INLINE {
        return SmallVec::from_slice(values);
    }
    let mut list = [T::default(); INLINE];
    for (axis, place) in list.iter_mut().enumerate() {
        if let Some(&value) = values.get(axis) {
            *place = value;
        }
    }
    SmallVec::from_buf_and_len(list, values.len())
}

/// One value for each of `rank` axes.
#[inline]
fn repeated<T: Copy>(value: T, rank: usize) -> SmallVec<[T; INLINE]> {
    if rank > INLINE { SmallVec::from_elem(value, rank) } else { SmallVec::from_buf_and_len([value; INLINE], rank) }
}

/// A shape as a value of its own.
///
/// ```
/// use trueno_core::{Layout, dims};
/// let shape = dims(Layout::contiguous(&[2, 3]).shape());
/// assert_eq!(shape.as_slice(), [2, 3]);
/// ```
#[inline]
pub fn dims(shape: &[usize]) -> Dims {
    short(shape)
}

impl Clone for Layout {
    // The derived one would take the sizes and steps one by one.
    #[inline]
    fn clone(&self) -> Self {
        Layout { shape: short(&self.shape), strides: short(&self.strides), offset: self.offset }
    }
}

impl Layout {
    /// Row-major (C) order from the start of the storage.
    pub fn contiguous(shape: &[usize]) -> Self {
        let mut strides: Strides = repeated(0, shape.len());
        let mut step = 1_isize;
        for (stride, &size) in strides.iter_mut().zip(shape).rev() {
            *stride = step;
            step *= size.max(1) as isize;
        }
        Layout { shape: short(shape), strides, offset: 0 }
    }

    /// Sizes of the axes, outermost first.
    #[inline]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Steps in elements, outermost first.
    #[inline]
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Index of the first element in the storage.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements; 1 for rank 0.
    #[inline]
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// True if the elements lie in row-major order without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1_isize;
        if self.shape.contains(&0) {
            return true;
        }
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if size != 1 && stride != step {
                return false;
            }
            step *= size as isize;
        }
        true
    }

    /// The least and greatest storage index that an element lies at, or `None` for an empty value.
    pub fn extent(&self) -> Option<(usize, usize)> {
        let (mut low, mut high) = (self.offset as isize, self.offset as isize);
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            if size == 0 {
                return None;
            }
            let reach = (size as isize - 1) * stride;
            if reach < 0 { low += reach } else { high += reach }
        }
        Some((low as usize, high as usize))
    }

    /// The axis as an index: negative axes count from the end.
    ///
    /// # Errors
    /// [`Error::Axis`] if there is no such axis.
    pub fn axis(&self, op: &'static str, axis: isize) -> Result<usize> {
        normalize_axis(op, axis, self.rank())
    }
}

/// The axis as an index into `rank` axes: negative axes count from the end.
pub(crate) fn normalize_axis(op: &'static str, axis: isize, rank: usize) -> Result<usize> {
    let index = if axis < 0 { axis + rank as isize } else { axis };
    if (0..rank as isize).contains(&index) { Ok(index as usize) } else { Err(Error::Axis { op, axis, rank }) }
}

/// The shape that two operands broadcast to, by NumPy's rule: align at the last axis, sizes equal or 1.
///
/// # Errors
/// [`Error::Broadcast`] with the first axis from the end that disagrees.
///
/// ```
/// use trueno_core::broadcast_shapes;
/// assert_eq!(broadcast_shapes("add", &[4, 1, 3], &[2, 1])?.as_slice(), [4, 2, 3]);
/// assert!(broadcast_shapes("add", &[2, 3], &[2]).is_err());
/// # Ok::<(), trueno_core::Error>(())
/// ```
pub fn broadcast_shapes(op: &'static str, lhs: &[usize], rhs: &[usize]) -> Result<Dims> {
    let rank = lhs.len().max(rhs.len());
    let mut shape: Dims = repeated(1, rank);
    for back in 1..=rank {
        let size_of = |dims: &[usize]| if back <= dims.len() { dims[dims.len() - back] } else { 1 };
        shape[rank - back] = match (size_of(lhs), size_of(rhs)) {
            (a, b) if a == b => a,
            (1, b) => b,
            (a, 1) => a,
            _ => {
                return Err(Error::Broadcast { op, lhs: lhs.into(), rhs: rhs.into(), axis: -(back as isize) });
            }
        };
    }
    Ok(shape)
}

#[cfg(test)]
mod tests;
