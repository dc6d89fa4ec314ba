//! Fused backward kernels: gradients that one pass computes, for a tape that does not record.
//!
//! Each equals the gradient composed of recorded operations; `trueno-autograd` takes that one when it
//! needs gradients of gradients. Operands in half precision are computed in `f32` and rounded once at the end.

use super::{elementwise, loss, movement, softmax as rows};
use crate::{CrossEntropyConfig, DynTensor};
use smallvec::SmallVec;
use trueno_core::table::UnaryOp;
use trueno_core::{DType, Result};

/// Runs `work` on the operands with half precision widened to `f32`, and rounds its result back.
fn widened(operands: &[&DynTensor], work: impl FnOnce(&[&DynTensor]) -> Result<DynTensor>) -> Result<DynTensor> {
    let is_half = |dtype: DType| matches!(dtype, DType::F16 | DType::BF16);
    let Some(half) = operands.iter().map(|x| x.dtype()).find(|&dtype| is_half(dtype)) else {
        return work(operands);
    };
    let wide = |x: &&DynTensor| if is_half(x.dtype()) { movement::cast(x, DType::F32) } else { Ok(x.detach()) };
    let wide: SmallVec<[DynTensor; 3]> = operands.iter().map(wide).collect::<Result<_>>()?;
    movement::cast(&work(&wide.iter().collect::<SmallVec<[&DynTensor; 3]>>())?, half)
}

/// The gradient of a row of the unary table by its operand, from what the row saves
/// ([`UnaryOp::saves`]; pass `g` itself where that is nothing) and the gradient `g` by its result.
///
/// # Errors
/// As the operation itself.
pub fn unary(op: UnaryOp, parameters: [f64; 2], saved: &DynTensor, g: &DynTensor) -> Result<DynTensor> {
    widened(&[saved, g], |operands| elementwise::unary_grad(op, parameters, operands[0], operands[1]))
}

/// The gradient of `softmax` by its operand: `y * (g - sum(g * y))` along `axis`, from the result `y` and the
/// gradient `g` of that, both of one shape and float type.
///
/// # Errors
/// [`Error::ShapePair`](trueno_core::Error::ShapePair), [`Error::DType`](trueno_core::Error::DType) or
/// [`Error::Axis`](trueno_core::Error::Axis).
pub fn softmax(y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    widened(&[y, g], |operands| rows::softmax_grad("softmax", false, axis, operands[0], operands[1]))
}

/// The gradient of `log_softmax` by its operand: `g - exp(y) * sum(g)` along `axis`, from the result `y` and the
/// gradient `g` of that, both of one shape and float type.
///
/// # Errors
/// As [`softmax`].
pub fn log_softmax(y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    widened(&[y, g], |operands| rows::softmax_grad("log_softmax", true, axis, operands[0], operands[1]))
}

/// The gradient of `logsumexp` by its operand `x`: `g * exp(x - y)`, from the result `y` and the gradient `g` of that, which
/// have lost `axis` or kept it with size 1.
///
/// # Errors
/// As [`softmax`].
pub fn logsumexp(x: &DynTensor, y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    widened(&[x, y, g], |operands| rows::logsumexp_grad(operands[0], operands[1], operands[2], axis))
}

/// The gradient of `cross_entropy` by its logits `[N, C]`, from the `int64` labels `[N]` and the gradient `g` by the loss, of
/// one element: `g * (softmax(row) - target)`, over the number of rows that count if the loss is a mean.
///
/// # Errors
/// As the operation itself.
pub fn cross_entropy(
    logits: &DynTensor,
    labels: &DynTensor,
    g: &DynTensor,
    config: &CrossEntropyConfig,
) -> Result<DynTensor> {
    widened(&[logits, g], |operands| loss::cross_entropy_grad(config, operands[0], labels, operands[1]))
}
