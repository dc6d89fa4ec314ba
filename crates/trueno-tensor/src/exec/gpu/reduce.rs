//! Reductions.

use super::operand::Operand;
use super::shaped;
use crate::exec::reduce::reduced_shape;
use crate::{DynTensor, Extreme, Reduction};
use trueno_core::Result;

pub(super) fn reduce(reduction: &Reduction, x: &Operand<'_>) -> Result<DynTensor> {
    let Reduction { op, axes, keep_dims, correction } = reduction;
    let shape = reduced_shape(x.shape(), axes, *keep_dims);
    shaped(&shape, trueno_gpu::reduce::reduce(*op, &x.view(op.name())?, axes, *correction))
}

/// The result in `f32`, of an operand in half precision.
pub(super) fn reduce_wide(reduction: &Reduction, x: &Operand<'_>) -> Result<DynTensor> {
    let Reduction { op, axes, keep_dims, correction } = reduction;
    let shape = reduced_shape(x.shape(), axes, *keep_dims);
    shaped(&shape, trueno_gpu::reduce::reduce_wide(*op, &x.view(op.name())?, axes, *correction))
}

pub(super) fn arg_reduce(extreme: Extreme, axis: usize, keep_dims: bool, x: &Operand<'_>) -> Result<DynTensor> {
    let view = x.view(extreme.position_name())?;
    let positions = trueno_gpu::reduce::arg_reduce(extreme == Extreme::Max, &view, axis);
    shaped(&reduced_shape(x.shape(), &[axis], keep_dims), positions)
}
