//! Matrix products.

use super::operand::Operand;
use super::shaped;
use crate::DynTensor;
use crate::exec::integer::bytes;
use crate::exec::matmul::{LinearShape, product_shape};
use trueno_core::{DType, Result};
use trueno_gpu::View;
use trueno_gpu::matmul::{self as kernel, Epilogue};

pub(super) fn matmul(operands: &[Operand<'_>]) -> Result<DynTensor> {
    let [a, b] = [&operands[0], &operands[1]];
    let shape = product_shape("matmul", a.shape(), b.shape())?;
    shaped(&shape, kernel::matmul(&a.view("matmul")?, &b.view("matmul")?, a.dtype(), Epilogue::default()))
}

/// The product of 32-bit integers that hold 8: the same sums.
pub(super) fn matmul_integer(operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "matmul_integer";
    let [a, b] = [&operands[0], &operands[1]];
    let shape = product_shape(op, a.shape(), b.shape())?;
    bytes(op, [a.dtype(), b.dtype()])?;
    let [a, b] = [a.whole(op, DType::I32)?, b.whole(op, DType::I32)?];
    let product = kernel::matmul(&a.view(op)?, &b.view(op)?, DType::I32, Epilogue::default());
    shaped(&shape, product.map_err(|error| error.named(op)))
}

/// `x wᵀ + b`; the weight is read transposed where it lies.
pub(super) fn linear(operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "linear";
    let (x, w) = (&operands[0], &operands[1]);
    let bias = operands.get(2);
    let LinearShape { rows, inputs, output } = LinearShape::new(op, x.shape(), w.shape(), bias.map(Operand::shape))?;
    let copy;
    let rows = match x.layout().reshape(&[rows, inputs]) {
        Some(layout) => x.with_layout(op, &layout)?,
        None => {
            copy = trueno_gpu::elementwise::contiguous(&x.view(op)?)?;
            View::contiguous(op, &copy, &[rows, inputs])?
        }
    };
    let weight = w.with_layout(op, &w.layout().swap_axes(op, 0, 1)?)?;
    // It is added to the accumulators, which are `f32` unless the operands are wider.
    let wide = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let bias = bias.map(|bias| bias.whole(op, wide)).transpose()?;
    let bias = bias.as_ref().map(|bias| bias.view(op)).transpose()?;
    let epilogue = Epilogue { bias: bias.as_ref(), activation: None };
    shaped(&output, kernel::matmul(&rows, &weight, x.dtype(), epilogue).map_err(|error| error.named(op)))
}
