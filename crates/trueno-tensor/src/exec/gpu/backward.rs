//! Gradients that one kernel computes: what `exec::backward` calls for values of a GPU.

use super::operand::{Operands, operands};
use super::{elementwise, loss, pool, shaped};
use crate::exec::norm::{Gradients, lead};
use crate::{CrossEntropyConfig, DynTensor, Pool2dConfig};
use trueno_core::Result;
use trueno_core::table::UnaryOp;
use trueno_gpu::{Buffer, Device, batch_norm as channels, rows as kernel};

pub(crate) fn unary(
    device: &Device,
    op: UnaryOp,
    parameters: [f64; 2],
    saved: &DynTensor,
    g: &DynTensor,
) -> Result<DynTensor> {
    elementwise::unary_grad(op, parameters, &operands(op.name(), device, &[saved, g])?)
}

pub(crate) fn softmax(device: &Device, y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    let held = operands("softmax", device, &[y, g])?;
    shaped(y.shape(), kernel::softmax_grad(&held[0].view("softmax")?, &held[1].view("softmax")?, axis))
}

pub(crate) fn log_softmax(device: &Device, y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    let held = operands("log_softmax", device, &[y, g])?;
    shaped(y.shape(), kernel::log_softmax_grad(&held[0].view("log_softmax")?, &held[1].view("log_softmax")?, axis))
}

pub(crate) fn logsumexp(
    device: &Device,
    x: &DynTensor,
    y: &DynTensor,
    g: &DynTensor,
    axis: usize,
) -> Result<DynTensor> {
    loss::logsumexp_grad(axis, &operands("logsumexp", device, &[x, y, g])?)
}

pub(crate) fn cross_entropy(
    device: &Device,
    logits: &DynTensor,
    labels: &DynTensor,
    g: &DynTensor,
    config: &CrossEntropyConfig,
) -> Result<DynTensor> {
    loss::cross_entropy_grad(config, &operands("cross_entropy", device, &[logits, labels, g])?)
}

pub(crate) fn layer_norm(
    device: &Device,
    axes: usize,
    [x, mean, rstd, g]: [&DynTensor; 4],
    weight: Option<&DynTensor>,
    needs: [bool; 3],
) -> Result<Gradients> {
    let op = "layer_norm";
    let row = &x.shape()[lead(x.shape(), axes)?..];
    let held = operands(op, device, &[x, mean, rstd, g])?;
    let weight: Operands<'_> = operands(op, device, weight.as_slice())?;
    let weight = weight.first().map(|weight| weight.view(op)).transpose()?;
    let (x_view, g_view) = (held[0].view(op)?, held[3].view(op)?);
    let (mean, rstd) = (held[1].buffer(), held[2].buffer());
    let mut gradients = [None, None, None];
    if needs[0] {
        let by_input = kernel::layer_norm_grad(&x_view, &g_view, axes, weight.as_ref(), mean, rstd);
        gradients[0] = Some(shaped(x.shape(), by_input)?);
    }
    if needs[1] || needs[2] {
        let by_parameters = kernel::layer_norm_grad_params(&x_view, &g_view, axes, mean, rstd)?;
        for (at, by) in by_parameters.into_iter().enumerate() {
            let by = DynTensor::from_gpu(by, row);
            gradients[at + 1] = if needs[at + 1] { Some(by.cast(x.dtype())?) } else { None };
        }
    }
    Ok(gradients)
}

pub(crate) fn batch_norm(
    device: &Device,
    training: bool,
    tensors: [&DynTensor; 5],
    needs: [bool; 3],
) -> Result<Gradients> {
    let op = "batch_norm";
    let held = operands(op, device, &tensors)?;
    let [x, weight, mean, rstd, g] = [0, 1, 2, 3, 4].map(|at| &held[at]);
    let statistics = [mean.buffer(), rstd.buffer()];
    let gradients =
        channels::batch_norm_grad(&x.view(op)?, &weight.view(op)?, statistics, &g.view(op)?, training, needs)?;
    let [by_input, by_weight, by_bias] = gradients;
    let parameter = |by: Option<Buffer>| {
        let by = by.map(|by| DynTensor::from_gpu(by, weight.shape()));
        by.map(|by| by.cast(tensors[1].dtype())).transpose()
    };
    let by_input = by_input.map(|by| DynTensor::from_gpu(by, x.shape()));
    Ok([by_input, parameter(by_weight)?, parameter(by_bias)?])
}

/// Of the gradient by the result and the positions that the forward pass saved.
pub(crate) fn max_pool2d(
    device: &Device,
    config: &Pool2dConfig,
    input: [usize; 4],
    g: &DynTensor,
    positions: &DynTensor,
) -> Result<DynTensor> {
    pool::max_pool2d_grad(config, input, &operands("max_pool2d", device, &[g, positions])?)
}
