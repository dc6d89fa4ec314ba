//! Views: other layouts of the same memory.

use super::apply;
use crate::{Axes, DynTensor, Op};
use smallvec::SmallVec;
use trueno_core::{Dims, Error, Layout, Result, SliceItem};

impl DynTensor {
    /// Axes reordered: axis `i` of the result is axis `axes[i]` of `self`.
    ///
    /// # Errors
    /// [`Error::Argument`] unless `axes` names every axis once.
    pub fn permute(&self, axes: &[isize]) -> Result<DynTensor> {
        let axes: Axes = axes.iter().map(|&axis| self.layout().axis("permute", axis)).collect::<Result<_>>()?;
        apply(&Op::Permute(axes), &[self])
    }

    /// Axes in reverse order (NumPy's `.T`).
    ///
    /// # Errors
    /// None for a valid tensor.
    pub fn transpose(&self) -> Result<DynTensor> {
        apply(&Op::Permute((0..self.rank()).rev().collect()), &[self])
    }

    /// Two axes exchanged (PyTorch's `transpose(a, b)`).
    ///
    /// # Errors
    /// [`Error::Axis`] if one does not exist.
    pub fn swap_axes(&self, first: isize, second: isize) -> Result<DynTensor> {
        let mut axes: Axes = (0..self.rank()).collect();
        axes.swap(self.layout().axis("transpose", first)?, self.layout().axis("transpose", second)?);
        apply(&Op::Permute(axes), &[self])
    }

    /// The same elements in another shape; one size may be -1. A view where strides allow, else a copy.
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers of elements differ.
    pub fn reshape(&self, shape: &[isize]) -> Result<DynTensor> {
        self.reshape_to(&self.layout().infer_shape("reshape", shape)?)
    }

    /// The same elements in another shape of non-negative sizes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers of elements differ.
    pub fn reshape_to(&self, shape: &[usize]) -> Result<DynTensor> {
        if shape == self.shape() {
            return Ok(self.clone());
        }
        apply(&Op::Reshape(Dims::from_slice(shape)), &[self])
    }

    /// The elements seen through another layout of them: a reshape that needs no copy, and if nobody records it, nothing else.
    fn reshaped(&self, layout: Layout) -> Result<DynTensor> {
        match self.recorder() {
            None => Ok(self.view(layout)),
            Some(_) => apply(&Op::Reshape(Dims::from_slice(layout.shape())), &[self]),
        }
    }

    /// Axes from `start` to `end` (inclusive) joined into one.
    ///
    /// # Errors
    /// [`Error::Axis`] if one does not exist.
    pub fn flatten(&self, start: isize, end: isize) -> Result<DynTensor> {
        if self.rank() == 0 {
            return self.reshape_to(&[1]);
        }
        let (start, end) = (self.layout().axis("flatten", start)?, self.layout().axis("flatten", end)?);
        if start > end {
            let reason = format!("axes {start} to {end} are in the wrong order");
            return Err(Error::Argument { op: "flatten", reason: reason.into() });
        }
        let mut shape = Dims::from_slice(&self.shape()[..start]);
        shape.push(self.shape()[start..=end].iter().product());
        shape.extend_from_slice(&self.shape()[end + 1..]);
        self.reshape_to(&shape)
    }

    /// An axis of size 1 inserted.
    ///
    /// # Errors
    /// [`Error::Axis`] if the result has no such axis.
    pub fn unsqueeze(&self, axis: isize) -> Result<DynTensor> {
        self.reshaped(self.layout().unsqueeze("unsqueeze", axis)?)
    }

    /// An axis of size 1 removed.
    ///
    /// # Errors
    /// [`Error::Shape`] if its size is not 1.
    pub fn squeeze(&self, axis: isize) -> Result<DynTensor> {
        self.reshaped(self.layout().squeeze("squeeze", axis)?)
    }

    /// As [`squeeze`](DynTensor::squeeze) of a value that is given away.
    pub(super) fn into_squeezed(self, axis: isize) -> Result<DynTensor> {
        let layout = self.layout().squeeze("squeeze", axis)?;
        if self.recorder().is_none() { Ok(self.into_view(layout)) } else { self.reshaped(layout) }
    }

    /// Axes of size 1 repeated, and leading axes added, until the shape is `shape`.
    ///
    /// # Errors
    /// [`Error::Broadcast`] if a size is neither 1 nor that of the target.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<DynTensor> {
        if shape == self.shape() {
            return Ok(self.clone());
        }
        apply(&Op::Broadcast(Dims::from_slice(shape)), &[self])
    }

    /// NumPy's basic indexing.
    ///
    /// # Errors
    /// [`Error::Index`] or [`Error::Argument`] as [`trueno_core::Layout::slice`].
    pub fn slice(&self, items: &[SliceItem]) -> Result<DynTensor> {
        apply(&Op::Slice(SmallVec::from_slice(items)), &[self])
    }

    /// The part of an axis from `start`, `length` long.
    ///
    /// # Errors
    /// [`Error::Argument`] if it reaches beyond the axis.
    pub fn narrow(&self, axis: isize, start: usize, length: usize) -> Result<DynTensor> {
        let axis = self.layout().axis("narrow", axis)?;
        self.layout().narrow("narrow", axis as isize, start, length)?;
        let mut items: SmallVec<[SliceItem; 6]> = SmallVec::from_elem(SliceItem::FULL, self.rank());
        items[axis] = SliceItem::Range { start: Some(start as isize), stop: Some((start + length) as isize), step: 1 };
        apply(&Op::Slice(items), &[self])
    }

    /// Windows of an axis, `size` long and `step` apart, as a new last axis: a view (PyTorch's `unfold`).
    ///
    /// # Errors
    /// [`Error::Argument`] if a window is longer than the axis, or the step is 0.
    pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Result<DynTensor> {
        apply(&Op::Unfold { axis: self.layout().axis("unfold", axis)?, size, step }, &[self])
    }

    /// Axes reversed.
    ///
    /// # Errors
    /// [`Error::Axis`] if one does not exist.
    pub fn flip(&self, axes: &[isize]) -> Result<DynTensor> {
        let axes: Axes = axes.iter().map(|&axis| self.layout().axis("flip", axis)).collect::<Result<_>>()?;
        apply(&Op::Flip(axes), &[self])
    }
}
