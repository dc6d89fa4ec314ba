//! Pooling of the planes of `[N, C, H, W]`, and its gradients.

use super::operand::Operand;
use super::shaped;
use crate::exec::pool::{images, windows};
use crate::{DynTensor, Pool2dConfig, Saved};
use smallvec::smallvec;
use trueno_core::Result;
use trueno_gpu::pool as kernel;

fn geometry(config: &Pool2dConfig) -> kernel::Config {
    let Pool2dConfig { kernel, stride, padding } = *config;
    kernel::Config { kernel, stride, padding }
}

/// Saves the positions of the maxima in their planes, as `u32` of the result's shape.
pub(super) fn max_pool2d(config: &Pool2dConfig, x: &Operand<'_>, saved: &mut Saved) -> Result<DynTensor> {
    let op = "max_pool2d";
    let (_, shape) = windows(op, config, images(op, x.shape())?)?;
    let kernel::Largest { output, positions } = kernel::max_pool2d(&x.view(op)?, &geometry(config))?;
    *saved = smallvec![DynTensor::from_gpu(positions, &shape)];
    Ok(DynTensor::from_gpu(output, &shape))
}

/// Of `[g, positions]`.
pub(super) fn max_pool2d_grad(config: &Pool2dConfig, input: [usize; 4], operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "max_pool2d";
    shaped(&input, kernel::max_pool2d_grad(&operands[0].view(op)?, operands[1].buffer(), input, &geometry(config)))
}

pub(super) fn avg_pool2d(config: &Pool2dConfig, x: &Operand<'_>) -> Result<DynTensor> {
    let op = "avg_pool2d";
    let (_, shape) = windows(op, config, images(op, x.shape())?)?;
    shaped(&shape, kernel::avg_pool2d(&x.view(op)?, &geometry(config)))
}

pub(super) fn avg_pool2d_grad(config: &Pool2dConfig, input: [usize; 4], g: &Operand<'_>) -> Result<DynTensor> {
    shaped(&input, kernel::avg_pool2d_grad(&g.view("avg_pool2d_grad")?, input, &geometry(config)))
}

pub(super) fn adaptive_avg_pool2d(size: [usize; 2], x: &Operand<'_>) -> Result<DynTensor> {
    let op = "adaptive_avg_pool2d";
    let [batch, channels, ..] = images(op, x.shape())?;
    shaped(&[batch, channels, size[0], size[1]], kernel::adaptive_avg_pool2d(&x.view(op)?, size))
}

pub(super) fn adaptive_avg_pool2d_grad(input: [usize; 4], g: &Operand<'_>) -> Result<DynTensor> {
    shaped(&input, kernel::adaptive_avg_pool2d_grad(&g.view("adaptive_avg_pool2d_grad")?, input))
}
