//! Distances between numbers and between distributions.

use super::{Reduction, elementwise_losses};
use trueno_core::table::{BinaryOp, CompareOp, UnaryOp};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Tensor};

elementwise_losses! {
    /// Squared error, `(input - target)^2`.
    mse_loss: |input, target| input.binary(BinaryOp::Sub, target)?.unary(UnaryOp::Square, [0.0; 2]);
    /// Absolute error, `|input - target|`.
    l1_loss: |input, target| distance(input, target);
    /// Squared error near the target and absolute error away from it (Girshick, 2015): with `d = |input - target|`,
    /// `d^2 / (2 beta)` where `d < beta`, and `d - beta / 2` elsewhere. `beta` is 1 by default; with 0 it is [`l1_loss`].
    smooth_l1_loss(beta: f64 = 1.0): |input, target| {
        require("smooth_l1_loss", "beta", beta, beta >= 0.0)?;
        match beta {
            0.0 => distance(input, target),
            _ => bent(input, target, beta)?.binary_scalar(BinaryOp::Div, beta),
        }
    };
    /// Squared error near the target and absolute error away from it (Huber, 1964): with `d = |input - target|`,
    /// `d^2 / 2` where `d < delta`, and `delta (d - delta / 2)` elsewhere. `delta` is 1 by default.
    huber_loss(delta: f64 = 1.0): |input, target| {
        require("huber_loss", "delta", delta, delta > 0.0)?;
        bent(input, target, delta)
    };
    /// Kullback-Leibler divergence, `target (ln(target) - input)`, of log-probabilities from probabilities, or with
    /// `log_target` from log-probabilities too. PyTorch's `batchmean` is the sum by the size of the batch.
    kl_div(log_target: bool = false): |input, target| {
        if log_target {
            let excess = target.binary(BinaryOp::Sub, input)?;
            return target.unary(UnaryOp::Exp, [0.0; 2])?.binary(BinaryOp::Mul, &excess);
        }
        // What has no probability adds nothing, though its logarithm is infinite.
        let possible = target.compare(CompareOp::Gt, &target.constant(0.0)?)?;
        let ln = possible.select(target, &target.constant(1.0)?)?.unary(UnaryOp::Ln, [0.0; 2])?;
        ln.binary(BinaryOp::Sub, input)?.binary(BinaryOp::Mul, target)
    };
}

/// `|input - target|`.
fn distance(input: &DynTensor, target: &DynTensor) -> Result<DynTensor> {
    input.binary(BinaryOp::Sub, target)?.unary(UnaryOp::Abs, [0.0; 2])
}

/// `m (d - m / 2)` with `m = min(d, knee)`: half the square up to the knee, and its tangent beyond.
fn bent(input: &DynTensor, target: &DynTensor, knee: f64) -> Result<DynTensor> {
    let distance = distance(input, target)?;
    let near = distance.unary(UnaryOp::Clamp, [0.0, knee])?;
    let rest = distance.binary(BinaryOp::Sub, &near.binary_scalar(BinaryOp::Mul, 0.5)?)?;
    near.binary(BinaryOp::Mul, &rest)
}

fn require(op: &'static str, name: &str, value: f64, holds: bool) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Argument { op, reason: format!("{name} = {value} is not positive").into() })
}
