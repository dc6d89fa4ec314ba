//! Pooling.

use super::conv::image;
use super::{Grads, Step};
use trueno_core::{DType, Dims, Result};
use trueno_tensor::{Op, Pool2dConfig, apply, backward};

/// `g` goes to the positions of the maxima, which the forward pass left as indices into a flattened plane.
pub(super) fn max(config: Pool2dConfig, step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let input = image(step.shape(i))?;
        let positions = step.saved(0)?;
        if !step.create_graph {
            return backward::max_pool2d(&config, input, &step.g, positions);
        }
        let [n, c, h, w] = input;
        let windows = step.g.flatten(2, 3)?;
        let positions = positions.cast(DType::I64)?.reshape_to(windows.shape())?;
        let shape = Dims::from_slice(&[n, c, h * w]);
        apply(&Op::ScatterAdd { axis: 2, shape }, &[&windows, &positions])?.reshape_to(step.shape(i))
    })
}

pub(super) fn avg(config: Pool2dConfig, step: &Step<'_>) -> Result<Grads> {
    step.each(|i| apply(&Op::AvgPool2dGrad(config, image(step.shape(i))?), &[&step.g]))
}

pub(super) fn avg_grad(config: Pool2dConfig, step: &Step<'_>) -> Result<Grads> {
    step.each(|_| step.g.avg_pool2d(config))
}

pub(super) fn adaptive(step: &Step<'_>) -> Result<Grads> {
    step.each(|i| apply(&Op::AdaptiveAvgPool2dGrad(image(step.shape(i))?), &[&step.g]))
}

pub(super) fn adaptive_grad(step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let [_, _, h, w] = image(step.shape(i))?;
        step.g.adaptive_avg_pool2d([h, w])
    })
}
