//! Operands as kernels that walk no strides want them.

use trueno_core::{DType, Result};

use crate::elementwise::{cast, contiguous};
use crate::memory::{Buffer, View};

/// Elements in row-major order: in place where they lie so, else copied.
#[derive(Debug)]
pub(crate) enum Dense<'a> {
    InPlace(&'a Buffer, usize),
    Copied(Buffer),
}

impl<'a> Dense<'a> {
    /// The elements of a view; in place only if their first is at a multiple of `align`.
    pub fn new(x: &View<'a>, align: usize) -> Result<Self> {
        let (layout, buffer) = (x.layout(), x.buffer());
        if layout.is_contiguous() && layout.offset().is_multiple_of(align) {
            return Ok(Self::InPlace(buffer, layout.offset()));
        }
        Ok(Self::Copied(contiguous(x)?))
    }

    /// The elements of a view for a kernel that reads its buffer from the beginning.
    pub fn from_start(x: &View<'a>) -> Result<Self> {
        // Only 0 is a multiple of so much.
        Self::new(x, usize::MAX)
    }

    /// The same in another type, if it is another.
    pub fn in_type(x: &View<'a>, dtype: DType, align: usize) -> Result<Self> {
        if x.buffer().dtype() == dtype { Self::new(x, align) } else { Ok(Self::Copied(cast(x, dtype)?)) }
    }

    /// The buffer.
    pub fn buffer(&self) -> &Buffer {
        match self {
            Self::InPlace(buffer, _) => buffer,
            Self::Copied(buffer) => buffer,
        }
    }

    /// The position of the first element.
    pub fn from(&self) -> usize {
        match self {
            Self::InPlace(_, from) => *from,
            Self::Copied(_) => 0,
        }
    }
}
