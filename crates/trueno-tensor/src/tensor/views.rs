//! Views, which share memory, and joins, which do not.

use super::index::Position;
use super::rank::{Lower, Lowered, Raise, Raised, Rank, Shell};
use super::{Tensor, expect, twins};
use crate::DynTensor;
use trueno_core::{Element, Error, Result};

impl<T: Element, const N: usize> Tensor<T, N> {
    twins! {
        /// Axes reordered: axis `i` of the result is axis `axes[i]` of `self`.
        pub fn permute(&self, axes: [isize; N]) -> Tensor<T, N> {
            self.inner.permute(&axes).map(Tensor::new)
        }

        /// Two axes exchanged (NumPy's `swapaxes`).
        pub fn transpose(&self, first: isize, second: isize) -> Tensor<T, N> {
            self.inner.swap_axes(first, second).map(Tensor::new)
        }

        /// The same elements in another shape, of any integer type; one size may be -1. A view where strides allow, else
        /// a copy.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x = tensor![1.0, 2.0, 3.0, 4.0];
        /// assert_eq!(x.reshape([2, -1]), tensor![[1.0, 2.0], [3.0, 4.0]]);
        /// assert_eq!(x.reshape([x.size(), 1]).shape(), [4, 1]);
        /// ```
        pub fn reshape[S: Position, const M: usize](&self, shape: [S; M]) -> Tensor<T, M> {
            self.inner.reshape(&shape.map(Position::position)).map(Tensor::new)
        }

        /// All the elements along one axis.
        pub fn flatten(&self) -> Tensor<T, 1> {
            self.inner.reshape_to(&[self.size()]).map(Tensor::new)
        }

        /// An axis of size 1 inserted before `axis`, which counts in the result if negative.
        pub fn unsqueeze(&self, axis: isize) -> Raised<T, N> where [Rank<N>: Raise] {
            self.inner.unsqueeze(axis).map(Shell::shell)
        }

        /// An axis of size 1 removed.
        pub fn squeeze(&self, axis: isize) -> Lowered<T, N> where [Rank<N>: Lower] {
            self.inner.squeeze(axis).map(Shell::shell)
        }

        /// Axes of size 1 repeated, and leading axes added, until the shape is `shape` (PyTorch's `expand`).
        pub fn broadcast_to[const M: usize](&self, shape: [usize; M]) -> Tensor<T, M> {
            self.inner.broadcast_to(&shape).map(Tensor::new)
        }

        /// Axes reversed.
        pub fn flip(&self, axes: &[isize]) -> Tensor<T, N> {
            self.inner.flip(axes).map(Tensor::new)
        }

        /// The part of an axis from `start`, `length` long.
        pub fn narrow(&self, axis: isize, start: usize, length: usize) -> Tensor<T, N> {
            self.inner.narrow(axis, start, length).map(Tensor::new)
        }

        /// Consecutive parts of an axis, of the given sizes, which add up to it.
        pub fn split(&self, sizes: &[usize], axis: isize) -> Vec<Tensor<T, N>> {
            Ok(self.inner.split(sizes, axis)?.into_iter().map(Tensor::new).collect())
        }

        /// `parts` consecutive parts of an axis as equal as can be, the larger ones first (NumPy's `array_split`).
        pub fn chunk(&self, parts: usize, axis: isize) -> Vec<Tensor<T, N>> {
            let size = self.shape()[self.inner.layout().axis("chunk", axis)?];
            if parts == 0 {
                return Err(Error::Argument { op: "chunk", reason: "cannot make 0 parts".into() });
            }
            let sizes: Vec<usize> = (0..parts).map(|part| size / parts + usize::from(part < size % parts)).collect();
            self.try_split(&sizes, axis)
        }

        /// A border of `value`, `[before, after]` elements per axis.
        pub fn pad(&self, widths: [[usize; 2]; N], value: T) -> Tensor<T, N> {
            self.inner.pad(&widths, value.to_f64()).map(Tensor::new)
        }
    }
}

impl<T: Element> Tensor<T, 2> {
    /// Rows and columns exchanged.
    #[must_use]
    #[track_caller]
    pub fn t(&self) -> Tensor<T, 2> {
        self.permute([1, 0])
    }
}

fn engine_values<'a, T: Element, const N: usize>(tensors: &[&'a Tensor<T, N>]) -> Vec<&'a DynTensor> {
    tensors.iter().map(|tensor| tensor.as_dyn()).collect()
}

/// Tensors joined along an existing axis (NumPy's `concatenate`).
///
/// # Panics
/// At the caller's line, with the error of [`try_concat`] as the message.
///
/// ```
/// use trueno_tensor::prelude::*;
/// let (a, b) = (tensor![[1, 2]], tensor![[3, 4], [5, 6]]);
/// assert_eq!(concat(&[&a, &b], 0), tensor![[1, 2], [3, 4], [5, 6]]);
/// ```
#[track_caller]
pub fn concat<T: Element, const N: usize>(tensors: &[&Tensor<T, N>], axis: isize) -> Tensor<T, N> {
    expect(try_concat(tensors, axis))
}

/// As [`concat()`], for shapes that are not known to fit.
///
/// # Errors
/// [`Error::ShapePair`] if other sizes differ, [`Error::Argument`] without operands, [`Error::Axis`].
pub fn try_concat<T: Element, const N: usize>(tensors: &[&Tensor<T, N>], axis: isize) -> Result<Tensor<T, N>> {
    DynTensor::concat(&engine_values(tensors), axis).map(Tensor::new)
}

/// Tensors of one shape joined along a new axis.
///
/// # Panics
/// At the caller's line, with the error of [`try_stack`] as the message.
#[track_caller]
pub fn stack<T: Element, const N: usize>(tensors: &[&Tensor<T, N>], axis: isize) -> Raised<T, N>
where
    Rank<N>: Raise,
{
    expect(try_stack(tensors, axis))
}

/// As [`stack`], for shapes that are not known to be equal.
///
/// # Errors
/// As [`try_concat`].
pub fn try_stack<T: Element, const N: usize>(tensors: &[&Tensor<T, N>], axis: isize) -> Result<Raised<T, N>>
where
    Rank<N>: Raise,
{
    DynTensor::stack(&engine_values(tensors), axis).map(Shell::shell)
}
