//! NumPy's basic indexing: integers, ranges with steps, new axes and an ellipsis.

use super::{Layout, normalize_axis};
use crate::{Error, Result};
use alloc::format;

/// One item between the brackets of NumPy's basic indexing. The `i!` macro of `trueno-tensor` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceItem {
    /// One position, which removes the axis; negative counts from the end.
    Index(isize),
    /// `start:stop:step` with NumPy's defaults and clamping; a negative step walks backwards.
    Range {
        /// First position, by default the near end.
        start: Option<isize>,
        /// One past the last position, by default the far end.
        stop: Option<isize>,
        /// Step, not 0.
        step: isize,
    },
    /// A new axis of size 1.
    NewAxis,
    /// All the axes that the other items leave over.
    Ellipsis,
}

impl SliceItem {
    /// The whole axis.
    pub const FULL: SliceItem = SliceItem::Range { start: None, stop: None, step: 1 };
}

/// First position and length of a NumPy range over an axis of `size`.
fn resolve(start: Option<isize>, stop: Option<isize>, step: isize, size: isize) -> (isize, usize) {
    let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
    let clamp = |bound: isize| (if bound < 0 { bound.saturating_add(size) } else { bound }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    let span = if step > 0 { stop - start } else { start - stop };
    let length = if span <= 0 { 0 } else { (span as usize - 1) / step.unsigned_abs() + 1 };
    (start, length)
}

impl Layout {
    /// The view that NumPy's `x[items]` gives.
    ///
    /// # Errors
    /// [`Error::Index`] for an index beyond its axis, [`Error::Argument`] for too many items, two
    /// ellipses or a step of 0.
    pub fn slice(&self, op: &'static str, items: &[SliceItem]) -> Result<Layout> {
        let argument = |reason: alloc::string::String| Error::Argument { op, reason: reason.into() };
        let ellipses = items.iter().filter(|item| **item == SliceItem::Ellipsis).count();
        let taken = items.iter().filter(|i| matches!(i, SliceItem::Index(_) | SliceItem::Range { .. })).count();
        if ellipses > 1 || taken > self.rank() {
            let reason = format!("{items:?} has too many items for shape {:?} (one ellipsis is allowed)", self.shape);
            return Err(argument(reason));
        }
        let mut result = Layout { shape: Default::default(), strides: Default::default(), offset: self.offset };
        let mut offset = self.offset as isize;
        let mut axis = 0;
        for item in items {
            match *item {
                SliceItem::NewAxis => {
                    result.shape.push(1);
                    result.strides.push(0);
                }
                SliceItem::Ellipsis => {
                    let rest = self.rank() - taken;
                    result.shape.extend_from_slice(&self.shape[axis..axis + rest]);
                    result.strides.extend_from_slice(&self.strides[axis..axis + rest]);
                    axis += rest;
                }
                SliceItem::Index(index) => {
                    let size = self.shape[axis];
                    let position = normalize_axis(op, index, size).map_err(|_| Error::Index {
                        op,
                        index: index as i64,
                        axis,
                        size,
                    })?;
                    offset += position as isize * self.strides[axis];
                    axis += 1;
                }
                SliceItem::Range { start, stop, step } => {
                    if step == 0 {
                        return Err(argument(format!("axis {axis}: a slice step cannot be 0")));
                    }
                    let (first, length) = resolve(start, stop, step, self.shape[axis] as isize);
                    if length > 0 {
                        offset += first * self.strides[axis];
                    }
                    result.shape.push(length);
                    result.strides.push(self.strides[axis].saturating_mul(step));
                    axis += 1;
                }
            }
        }
        result.shape.extend_from_slice(&self.shape[axis..]);
        result.strides.extend_from_slice(&self.strides[axis..]);
        result.offset = offset as usize;
        Ok(result)
    }
}
