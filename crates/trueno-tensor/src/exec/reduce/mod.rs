//! Reductions: axes become `[outer, reduced, inner]`, kernels accumulate blocks, blocks join in a fixed tree.

mod arg;
mod frame;
mod integer;
mod real;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use arg::arg_reduce;
pub(super) use frame::reduced_shape;
pub(super) use real::dot;
pub(crate) use scan::cumsum;

use super::{movement, unsupported};
use crate::{DynTensor, Reduction};
use frame::{Frame, in_memory_order};
use integer::reduce_int;
use real::reduce_real;
use trueno_core::table::ReduceResult;
use trueno_core::{DType, Error, Result, bf16, dispatch_dtype, f16};

/// An extreme of nothing does not exist.
fn refuse_empty(op: &'static str, x: &DynTensor, length: usize) -> Result<()> {
    if length == 0 {
        return Err(Error::Shape { op, got: x.shape().into(), reason: "has no element along the reduced axes".into() });
    }
    Ok(())
}

pub(crate) fn reduce(reduction: &Reduction, x: &DynTensor) -> Result<DynTensor> {
    let op = reduction.op;
    let turned = in_memory_order(x, &reduction.axes);
    let frame = match &turned {
        Some((turned, axes)) => {
            let shape = reduced_shape(x.shape(), &reduction.axes, reduction.keep_dims);
            Frame { shape, ..Frame::new(turned, axes, false)? }
        }
        None => Frame::new(x, &reduction.axes, reduction.keep_dims)?,
    };
    if op.refuses_empty() {
        refuse_empty(op.name(), x, if frame.results() == 0 { 1 } else { frame.length })?;
    }
    let buffer = match x.dtype() {
        DType::F32 | DType::F64 => dispatch_dtype!(x.dtype(), real T => {
            reduce_real::<T, T>(op, reduction.correction, &frame)
        }, else Err(unsupported(op.name(), x.dtype(), "it takes floats"))),
        DType::F16 => reduce_real::<f32, f16>(op, reduction.correction, &frame),
        DType::BF16 => reduce_real::<f32, bf16>(op, reduction.correction, &frame),
        _ if !op.info().integers => Err(unsupported(op.name(), x.dtype(), "it takes floats; cast it first")),
        _ => reduce_int(op, &frame),
    }?;
    let to = match (op.result(), x.dtype()) {
        (ReduceResult::Truth, _) | (ReduceResult::Same, DType::Bool) => DType::Bool,
        (ReduceResult::Same | ReduceResult::Sum, half @ (DType::F16 | DType::BF16)) => half,
        // Where it is wanted: a small reduction takes no longer than to move its result there.
        (ReduceResult::Same | ReduceResult::Sum, _) => return Ok(DynTensor::from_buffer(buffer, &frame.shape)),
    };
    movement::cast(&DynTensor::from_buffer(buffer, &frame.shape), to)
}
