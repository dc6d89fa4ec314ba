//! Two-dimensional convolution and its gradients.

use super::operand::Operand;
use super::shaped;
use crate::exec::conv::geometry::transposed;
use crate::{Conv2dConfig, ConvTranspose2dConfig, DynTensor};
use trueno_core::{DType, Result};
use trueno_gpu::conv as kernel;

/// Of `[x, weight]` or `[x, weight, bias]`.
pub(super) fn conv2d(config: &Conv2dConfig, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "conv2d";
    let (x, weight) = (operands[0].view(op)?, operands[1].view(op)?);
    let bias = operands.get(2).map(|bias| bias.view(op)).transpose()?;
    let output = config.output(op, x.shape(), weight.shape())?;
    shaped(&output, kernel::conv2d(&x, &weight, bias.as_ref(), config))
}

/// Of `[x, weight]` or `[x, weight, bias]`.
pub(super) fn conv_transpose2d(config: &ConvTranspose2dConfig, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "conv_transpose2d";
    let (x, weight) = (operands[0].view(op)?, operands[1].view(op)?);
    let bias = operands.get(2).map(|bias| bias.view(op)).transpose()?;
    let output = transposed(op, config, x.shape(), weight.shape())?;
    shaped(&output, kernel::conv_transpose2d(&x, &weight, bias.as_ref(), output, &config.convolution()))
}

/// The gradient by the input, of shape `input`, of `[g, weight]`.
pub(super) fn input_grad(config: &Conv2dConfig, input: [usize; 4], operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "conv2d_input_grad";
    let (g, weight) = (operands[0].view(op)?, operands[1].view(op)?);
    shaped(&input, kernel::input_grad(&g, &weight, input, config))
}

/// The gradient by the weight, of shape `weight` and type `result`, of `[g, x]`.
pub(super) fn weight_grad(
    config: &Conv2dConfig,
    weight: [usize; 4],
    operands: &[Operand<'_>],
    result: DType,
) -> Result<DynTensor> {
    let op = "conv2d_weight_grad";
    let (g, x) = (operands[0].view(op)?, operands[1].view(op)?);
    shaped(&weight, kernel::weight_grad(&g, &x, weight, config, result))
}
