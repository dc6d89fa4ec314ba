//! Elements at integer positions, and sums into them. A position outside its axis shows when something is next read back.

use super::operand::Operand;
use super::shaped;
use crate::DynTensor;
use trueno_core::{Dims, Result};
use trueno_gpu::index as kernel;

/// A shape with another size along an axis.
fn resized(shape: &[usize], axis: usize, size: usize) -> Dims {
    let mut shape = Dims::from_slice(shape);
    shape[axis] = size;
    shape
}

/// Of `[x, index]`.
pub(super) fn index_select(axis: usize, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let (x, index) = (operands[0].view("index_select")?, operands[1].view("index_select")?);
    shaped(&resized(x.shape(), axis, index.layout().size()), kernel::index_select(&x, axis, &index))
}

/// Of `[x, index]`.
pub(super) fn gather(axis: usize, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let (x, index) = (operands[0].view("gather")?, operands[1].view("gather")?);
    shaped(index.shape(), kernel::gather(&x, axis, &index))
}

/// Of `[g, index]`.
pub(super) fn index_add(axis: usize, size: usize, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let (g, index) = (operands[0].view("index_add")?, operands[1].view("index_add")?);
    shaped(&resized(g.shape(), axis, size), kernel::index_add(&g, axis, size, &index))
}

/// Of `[g, index]`.
pub(super) fn scatter_add(axis: usize, shape: &[usize], operands: &[Operand<'_>]) -> Result<DynTensor> {
    let (g, index) = (operands[0].view("scatter_add")?, operands[1].view("scatter_add")?);
    shaped(shape, kernel::scatter_add(&g, axis, shape, &index))
}
