//! A buffer under a layout.

use trueno_core::{Error, Layout, Result};

use super::Buffer;

/// Elements of a buffer where a layout says they lie: any transposed, sliced, flipped or broadcast view.
///
/// Making one proves that the layout stays inside the buffer, so that shaders need not check it for every element.
#[derive(Clone, Debug)]
pub struct View<'a> {
    buffer: &'a Buffer,
    layout: Layout,
}

impl<'a> View<'a> {
    /// The elements of `buffer` that `layout` names.
    ///
    /// # Errors
    /// [`Error::Shape`], naming `op`, if the layout reaches beyond the buffer.
    pub fn new(op: &'static str, buffer: &'a Buffer, layout: &Layout) -> Result<Self> {
        // In wide integers, since nothing limits the strides of a layout that a caller made.
        let (mut low, mut high) = (layout.offset() as i128, layout.offset() as i128);
        for (&size, &stride) in layout.shape().iter().zip(layout.strides()) {
            let reach = (size as i128 - 1) * stride as i128;
            if reach < 0 { low += reach } else { high += reach }
        }
        let inside = low >= 0 && high < buffer.len() as i128;
        if layout.shape().contains(&0) || inside {
            return Ok(Self { buffer, layout: layout.clone() });
        }
        let reason =
            format!("with strides {:?} reaches beyond the {} elements of its buffer", layout.strides(), buffer.len());
        Err(Error::Shape { op, got: layout.shape().into(), reason: reason.into() })
    }

    /// All elements of a buffer in row-major order under a shape.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn contiguous(op: &'static str, buffer: &'a Buffer, shape: &[usize]) -> Result<Self> {
        Self::new(op, buffer, &Layout::contiguous(shape))
    }

    /// The same elements repeated until the shape is `shape`.
    ///
    /// # Errors
    /// [`Error::Broadcast`] if they cannot be.
    pub fn broadcast_to(&self, op: &'static str, shape: &[usize]) -> Result<Self> {
        Ok(Self { buffer: self.buffer, layout: self.layout.broadcast_to(op, shape)? })
    }

    /// The same elements with an axis moved to the end, the others staying in order.
    pub(crate) fn axis_last(&self, op: &'static str, axis: usize) -> Result<Self> {
        let rank = self.layout.rank();
        if axis >= rank {
            return Err(Error::Axis { op, axis: axis as isize, rank });
        }
        let order: Vec<isize> =
            (0..rank).filter(|&other| other != axis).chain([axis]).map(|axis| axis as isize).collect();
        Ok(Self { buffer: self.buffer, layout: self.layout.permute(op, &order)? })
    }

    /// The buffer.
    pub fn buffer(&self) -> &'a Buffer {
        self.buffer
    }

    /// The layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }
}
