//! Views: new layouts over the same storage.

use super::{Dims, Layout, Strides, normalize_axis, repeated, short};
use crate::{Error, Result};
use alloc::{borrow::Cow, format};
use smallvec::SmallVec;

impl Layout {
    fn shape_error<T>(&self, op: &'static str, reason: impl Into<Cow<'static, str>>) -> Result<T> {
        Err(Error::Shape { op, got: self.shape().into(), reason: reason.into() })
    }

    /// Repeats axes of size 1 (stride 0) and adds leading axes until the shape is `shape`.
    ///
    /// # Errors
    /// [`Error::Broadcast`] if a size is neither 1 nor that of the target; [`Error::Shape`] if there are more elements
    /// than an index can count. Axes of size 0 do not excuse the others.
    pub fn broadcast_to(&self, op: &'static str, shape: &[usize]) -> Result<Layout> {
        let result = super::broadcast_shapes(op, &self.shape, shape)?;
        if result.as_slice() != shape {
            let axis = -(result.iter().rev().zip(shape.iter().rev()).take_while(|(a, b)| a == b).count() as isize) - 1;
            return Err(Error::Broadcast { op, lhs: self.shape().into(), rhs: shape.into(), axis });
        }
        // Nothing is allocated for a broadcast axis, so no allocation would refuse the count later.
        let count = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size.max(1)));
        if count.is_none_or(|n| isize::try_from(n).is_err()) {
            return Err(Error::Shape {
                op,
                got: shape.into(),
                reason: "has more elements than memory can address".into(),
            });
        }
        let lead = shape.len() - self.rank();
        let mut strides: Strides = repeated(0, shape.len());
        for (axis, &stride) in self.strides.iter().enumerate() {
            strides[lead + axis] = if self.shape[axis] == 1 && shape[lead + axis] != 1 { 0 } else { stride };
        }
        Ok(Layout { shape: result, strides, offset: self.offset })
    }

    /// Reorders the axes: axis `i` of the result is axis `axes[i]` of `self` (NumPy's `transpose(axes)`).
    ///
    /// # Errors
    /// [`Error::Argument`] unless `axes` names every axis once.
    pub fn permute(&self, op: &'static str, axes: &[isize]) -> Result<Layout> {
        let rank = self.rank();
        let mut seen = repeated(false, rank);
        let mut order: Dims = Dims::new();
        for &axis in axes {
            let axis = normalize_axis(op, axis, rank)?;
            if core::mem::replace(&mut seen[axis], true) {
                let reason = format!("axes {axes:?} name axis {axis} twice");
                return Err(Error::Argument { op, reason: reason.into() });
            }
            order.push(axis);
        }
        if order.len() != rank {
            let reason = format!("axes {axes:?} must name each of the {rank} axes of shape {:?} once", self.shape);
            return Err(Error::Argument { op, reason: reason.into() });
        }
        Ok(Layout {
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            strides: order.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        })
    }

    /// Exchanges two axes.
    ///
    /// # Errors
    /// [`Error::Axis`] if one does not exist.
    pub fn swap_axes(&self, op: &'static str, first: isize, second: isize) -> Result<Layout> {
        let (first, second) = (self.axis(op, first)?, self.axis(op, second)?);
        let mut result = self.clone();
        result.shape.swap(first, second);
        result.strides.swap(first, second);
        Ok(result)
    }

    /// Inserts an axis of size 1 before `axis`; `axis` may be the rank, or count from the end of the result.
    ///
    /// # Errors
    /// [`Error::Axis`] if the result has no such axis.
    pub fn unsqueeze(&self, op: &'static str, axis: isize) -> Result<Layout> {
        let axis = normalize_axis(op, axis, self.rank() + 1)?;
        let mut result = self.clone();
        let stride = if axis < self.rank() { self.shape[axis] as isize * self.strides[axis] } else { 1 };
        result.shape.insert(axis, 1);
        result.strides.insert(axis, stride);
        Ok(result)
    }

    /// Removes an axis of size 1.
    ///
    /// # Errors
    /// [`Error::Shape`] if its size is not 1.
    pub fn squeeze(&self, op: &'static str, axis: isize) -> Result<Layout> {
        let axis = self.axis(op, axis)?;
        if self.shape[axis] != 1 {
            return self.shape_error(op, format!("has size {} at axis {axis}; only size 1 can go", self.shape[axis]));
        }
        let mut result = self.clone();
        result.shape.remove(axis);
        result.strides.remove(axis);
        Ok(result)
    }

    /// Reverses the given axes.
    ///
    /// # Errors
    /// [`Error::Axis`] if one does not exist, [`Error::Argument`] if one is named twice.
    pub fn flip(&self, op: &'static str, axes: &[isize]) -> Result<Layout> {
        let mut result = self.clone();
        let mut seen = repeated(false, self.rank());
        for &axis in axes {
            let axis = self.axis(op, axis)?;
            if core::mem::replace(&mut seen[axis], true) {
                let reason = format!("axes {axes:?} name axis {axis} twice");
                return Err(Error::Argument { op, reason: reason.into() });
            }
            if result.shape[axis] > 0 {
                let last = (result.shape[axis] as isize - 1) * result.strides[axis];
                result.offset = (result.offset as isize + last) as usize;
                result.strides[axis] = -result.strides[axis];
            }
        }
        Ok(result)
    }

    /// The part of one axis from `start`, `length` long.
    ///
    /// # Errors
    /// [`Error::Argument`] if it reaches beyond the axis.
    pub fn narrow(&self, op: &'static str, axis: isize, start: usize, length: usize) -> Result<Layout> {
        let axis = self.axis(op, axis)?;
        let size = self.shape[axis];
        if start.checked_add(length).is_none_or(|end| end > size) {
            let reason = format!("{start}..{start}+{length} reaches beyond axis {axis} of shape {:?}", self.shape);
            return Err(Error::Argument { op, reason: reason.into() });
        }
        let mut result = self.clone();
        result.shape[axis] = length;
        if length > 0 {
            result.offset = (result.offset as isize + start as isize * result.strides[axis]) as usize;
        }
        Ok(result)
    }

    /// Sliding windows: axis `axis` becomes the window positions, a new last axis the window itself
    /// (PyTorch's `unfold`).
    ///
    /// # Errors
    /// [`Error::Argument`] if the window is longer than the axis or the step is 0.
    pub fn unfold(&self, op: &'static str, axis: isize, size: usize, step: usize) -> Result<Layout> {
        let axis = self.axis(op, axis)?;
        if step == 0 || size > self.shape[axis] {
            let reason = format!("window {size} with step {step} does not fit axis {axis} of shape {:?}", self.shape);
            return Err(Error::Argument { op, reason: reason.into() });
        }
        let mut result = self.clone();
        result.shape[axis] = (self.shape[axis] - size) / step + 1;
        // Of a single window no step is taken, and a step may be larger than a stride can be.
        if result.shape[axis] > 1 {
            result.strides[axis] *= step as isize;
        }
        result.shape.push(size);
        result.strides.push(self.strides[axis]);
        Ok(result)
    }

    /// Replaces one `-1` in `shape` by what the element count leaves for it.
    ///
    /// # Errors
    /// [`Error::Shape`] if the counts do not agree or there are several `-1`.
    pub fn infer_shape(&self, op: &'static str, shape: &[isize]) -> Result<Dims> {
        let open = shape.iter().filter(|&&size| size == -1).count();
        if open > 1 || shape.iter().any(|&size| size < -1) {
            return self.shape_error(op, format!("cannot become {shape:?}: sizes are >= 0, one may be -1"));
        }
        let known = shape.iter().filter(|&&size| size >= 0).try_fold(1_usize, |n, &size| n.checked_mul(size as usize));
        let size = self.size();
        let rest = match (known, open) {
            (Some(known), 0) if known == size => 0,
            (Some(known), 1) if known > 0 && size.is_multiple_of(known) => size / known,
            _ => return self.shape_error(op, format!("({size} elements) cannot become {shape:?}")),
        };
        Ok(shape.iter().map(|&size| if size < 0 { rest } else { size as usize }).collect())
    }

    /// The layout of the same elements, in the same order, under another shape; `None` if that
    /// needs a copy.
    ///
    /// # Panics
    /// If the element counts differ ([`Layout::infer_shape`] checks them).
    pub fn reshape(&self, shape: &[usize]) -> Option<Layout> {
        assert_eq!(self.size(), shape.iter().product::<usize>(), "reshape keeps the element count");
        if self.is_contiguous() {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape) });
        }
        let old = self.collapsed_axes();
        let mut strides: Strides = repeated(0, shape.len());
        // Both shapes are walked from the end; each run of old memory must be cut exactly by new axes.
        let mut axis = shape.len();
        for &(size, stride) in old.iter().rev() {
            let (mut filled, mut step) = (1, stride);
            while filled < size {
                axis = axis.checked_sub(1)?;
                strides[axis] = step;
                step *= shape[axis] as isize;
                filled *= shape[axis];
            }
            if filled != size {
                return None;
            }
        }
        Some(Layout { shape: short(shape), strides, offset: self.offset })
    }

    /// Axes of size other than 1, neighbours merged where one step of the outer is a whole run of the inner.
    fn collapsed_axes(&self) -> SmallVec<[(usize, isize); 6]> {
        let mut runs: SmallVec<[(usize, isize); 6]> = SmallVec::new();
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            match runs.last_mut() {
                _ if size == 1 => {}
                Some((run, step)) if *step == stride * size as isize => (*run, *step) = (*run * size, stride),
                _ => runs.push((size, stride)),
            }
        }
        runs
    }
}
