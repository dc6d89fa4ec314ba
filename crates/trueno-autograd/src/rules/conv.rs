//! Convolution and its two gradients. The three are one trilinear form, so each is the gradient of another.

use super::shape::sum_to;
use super::{Grads, Step};
use trueno_core::{Error, Result};
use trueno_tensor::{Conv2dConfig, ConvTranspose2dConfig, DynTensor, Op, apply};

pub(super) fn conv2d(config: Conv2dConfig, step: &Step<'_>) -> Result<Grads> {
    step.each(|by| match by {
        0 => by_input(config, &step.g, &step.input(1)?, step.shape(0)),
        1 => by_weight(config, &step.g, &step.input(0)?, step.shape(1)),
        _ => by_bias(step),
    })
}

/// The weight of a transposed convolution is that of the convolution whose input's gradient it is.
pub(super) fn conv_transpose2d(config: ConvTranspose2dConfig, step: &Step<'_>) -> Result<Grads> {
    let config = config.convolution();
    step.each(|by| match by {
        0 => step.g.conv2d(&step.input(1)?, None, config),
        1 => by_weight(config, &step.input(0)?, &step.g, step.shape(1)),
        _ => by_bias(step),
    })
}

fn by_bias(step: &Step<'_>) -> Result<DynTensor> {
    let channels = step.shape(2)[0];
    sum_to(&step.g, &[channels, 1, 1])?.reshape_to(&[channels])
}

/// Of `[g, weight]`, which gave something of the input's shape.
pub(super) fn input_grad(config: Conv2dConfig, step: &Step<'_>) -> Result<Grads> {
    step.each(|by| match by {
        0 => step.g.conv2d(&step.input(1)?, None, config),
        _ => by_weight(config, &step.input(0)?, &step.g, step.shape(1)),
    })
}

/// Of `[g, x]`, which gave something of the weight's shape.
pub(super) fn weight_grad(config: Conv2dConfig, step: &Step<'_>) -> Result<Grads> {
    step.each(|by| match by {
        0 => step.input(1)?.conv2d(&step.g, None, config),
        _ => by_input(config, &step.input(0)?, &step.g, step.shape(1)),
    })
}

fn by_input(config: Conv2dConfig, g: &DynTensor, weight: &DynTensor, shape: &[usize]) -> Result<DynTensor> {
    apply(&Op::Conv2dInputGrad(config, image(shape)?), &[g, weight])
}

fn by_weight(config: Conv2dConfig, g: &DynTensor, x: &DynTensor, shape: &[usize]) -> Result<DynTensor> {
    apply(&Op::Conv2dWeightGrad(config, image(shape)?), &[g, x])
}

/// A shape of four axes.
pub(super) fn image(shape: &[usize]) -> Result<[usize; 4]> {
    shape.try_into().map_err(|_| Error::Shape { op: "conv2d", got: shape.into(), reason: "has not four axes".into() })
}
