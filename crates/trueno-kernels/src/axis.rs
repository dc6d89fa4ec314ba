//! A contiguous array seen from one of its axes.

/// The array `[outer, len, inner]`: the axis in the middle, all axes before it as one, all after it as one.
///
/// ```
/// use trueno_kernels::AxisBlocks;
/// let blocks = AxisBlocks::new(&[2, 3, 4, 5], 1);
/// assert_eq!(blocks, AxisBlocks { outer: 2, len: 3, inner: 20 });
/// assert_eq!(AxisBlocks::rows(6, 20), AxisBlocks { outer: 6, len: 20, inner: 1 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisBlocks {
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// Size of the axis.
    pub len: usize,
    /// Product of the sizes after the axis: the distance of neighbours along it.
    pub inner: usize,
}

impl AxisBlocks {
    /// The view of an array of this shape from `axis`.
    ///
    /// # Panics
    /// If the shape has no such axis.
    pub fn new(shape: &[usize], axis: usize) -> AxisBlocks {
        AxisBlocks {
            outer: shape[..axis].iter().product(),
            len: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }

    /// The last axis of a matrix.
    pub fn rows(rows: usize, cols: usize) -> AxisBlocks {
        AxisBlocks { outer: rows, len: cols, inner: 1 }
    }

    /// The same array with another size of the axis.
    pub fn with_len(self, len: usize) -> AxisBlocks {
        AxisBlocks { len, ..self }
    }

    /// Elements of the array.
    pub fn elements(&self) -> usize {
        self.outer * self.len * self.inner
    }

    /// Elements of the array without the axis: how many lines run along it.
    pub fn lines(&self) -> usize {
        self.outer * self.inner
    }
}
