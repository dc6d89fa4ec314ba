//! Elementwise operations: operands are read where their layouts say, so nothing is copied to broadcast.

use super::operand::Operand;
use super::shaped;
use crate::DynTensor;
use trueno_core::table::{BinaryOp, CompareOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Dims, Result, broadcast_shapes};
use trueno_gpu::elementwise as kernel;

/// The shape that operands broadcast to.
pub(super) fn common(op: &'static str, operands: &[Operand<'_>]) -> Result<Dims> {
    let mut shape = Dims::from_slice(operands[0].shape());
    for other in &operands[1..] {
        shape = broadcast_shapes(op, &shape, other.shape())?;
    }
    Ok(shape)
}

pub(super) fn cast(x: &Operand<'_>, dtype: DType) -> Result<DynTensor> {
    shaped(x.shape(), kernel::cast(&x.view("cast")?, dtype))
}

pub(super) fn unary(op: UnaryOp, parameters: [f64; 2], x: &Operand<'_>) -> Result<DynTensor> {
    shaped(x.shape(), kernel::unary(op, parameters, &x.view(op.name())?))
}

pub(super) fn unary_grad(op: UnaryOp, parameters: [f64; 2], operands: &[Operand<'_>]) -> Result<DynTensor> {
    let (name, saved, g) = (op.name(), &operands[0], &operands[1]);
    shaped(g.shape(), kernel::unary_grad(op, parameters, &saved.view(name)?, &g.view(name)?))
}

pub(super) fn binary(op: BinaryOp, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let name = op.name();
    shaped(&common(name, operands)?, kernel::binary(op, &operands[0].view(name)?, &operands[1].view(name)?))
}

pub(super) fn compare(op: CompareOp, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let name = op.name();
    shaped(&common(name, operands)?, kernel::compare(op, &operands[0].view(name)?, &operands[1].view(name)?))
}

pub(super) fn ternary(op: TernaryOp, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let [a, b, c] = [0, 1, 2].map(|i| operands[i].view(op.name()));
    shaped(&common(op.name(), operands)?, kernel::ternary(op, [&a?, &b?, &c?]))
}

pub(super) fn select(operands: &[Operand<'_>]) -> Result<DynTensor> {
    let [mask, a, b] = [0, 1, 2].map(|i| operands[i].view("where"));
    shaped(&common("where", operands)?, kernel::select(&mask?, &a?, &b?))
}
