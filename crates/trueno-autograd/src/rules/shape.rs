//! Bringing gradients to the shapes of their operands.

use smallvec::SmallVec;
use trueno_core::Result;
use trueno_core::table::ReduceOp;
use trueno_tensor::DynTensor;

/// The gradient of broadcasting from `shape`: sums over the axes that were repeated.
pub(super) fn sum_to(g: &DynTensor, shape: &[usize]) -> Result<DynTensor> {
    if g.shape() == shape {
        return Ok(g.clone());
    }
    let lead = g.rank() - shape.len();
    let repeated = |&axis: &usize| axis < lead || (shape[axis - lead] == 1 && g.shape()[axis] != 1);
    let axes: SmallVec<[isize; 6]> = (0..g.rank()).filter(repeated).map(|axis| axis as isize).collect();
    let summed = if axes.is_empty() { g.clone() } else { sum(g, &axes)? };
    summed.reshape_to(shape)
}

/// Sum over axes, which stay with size 1.
pub(super) fn sum(x: &DynTensor, axes: &[isize]) -> Result<DynTensor> {
    x.reduce(ReduceOp::Sum, axes, true, 0.0)
}

/// Mean over axes, which stay with size 1.
pub(super) fn mean(x: &DynTensor, axes: &[isize]) -> Result<DynTensor> {
    x.reduce(ReduceOp::Mean, axes, true, 0.0)
}

/// A reduced shape with the reduced axes back, of size 1.
pub(super) fn with_axes(shape: &[usize], axes: &[usize]) -> SmallVec<[usize; 6]> {
    shape.iter().enumerate().map(|(axis, &size)| if axes.contains(&axis) { 1 } else { size }).collect()
}
