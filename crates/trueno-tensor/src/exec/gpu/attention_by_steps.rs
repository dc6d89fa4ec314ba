//! Scaled dot-product attention in `float64`, for which the kernel by tiles has no form: the scores are held, and each step is an
//! operation of its own.

use crate::exec::attention::fitting;
use crate::{AttentionConfig, DynTensor, Saved};
use smallvec::smallvec;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Error, Result};

use super::attention::OP;

/// Operands outside any graph, and how they are scored.
struct Steps<'a> {
    config: &'a AttentionConfig,
    operands: [DynTensor; 3],
    mask: Option<&'a DynTensor>,
    /// `[queries, keys, width, values]`.
    sizes: [usize; 4],
}

/// Of `[q, k, v]` or `[q, k, v, mask]`, as the kernel by tiles.
pub(super) fn attention(config: &AttentionConfig, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    let mut run = || -> Result<DynTensor> {
        let steps = Steps::new(config, [inputs[0], inputs[1], inputs[2]], inputs.get(3).copied())?;
        let scores = steps.scores()?;
        let log_sum = scores.logsumexp(-1, false)?;
        let output = shares(&scores, &log_sum)?.matmul(&steps.operands[2])?;
        *saved = smallvec![log_sum];
        Ok(output)
    };
    run().map_err(|error: Error| error.named(OP))
}

/// The gradients by `[q, k, v]`, from the logarithms that [`attention`] saved and the gradient by its result.
pub(super) fn attention_grad(
    config: &AttentionConfig,
    tensors: [&DynTensor; 3],
    mask: Option<&DynTensor>,
    log_sum: &DynTensor,
    g: &DynTensor,
) -> Result<[DynTensor; 3]> {
    let run = || -> Result<[DynTensor; 3]> {
        let steps = Steps::new(config, tensors, mask)?;
        let [q, k, v] = &steps.operands;
        let (shares, g) = (shares(&steps.scores()?, log_sum)?, g.detach());
        let by_share = g.matmul(&v.swap_axes(-1, -2)?)?;
        let level = by_share.binary(BinaryOp::Mul, &shares)?.reduce(ReduceOp::Sum, &[-1], true, 0.0)?;
        let by_score = by_share.binary(BinaryOp::Sub, &level)?.binary(BinaryOp::Mul, &shares)?;
        let by_score = by_score.binary_scalar(BinaryOp::Mul, steps.scale())?;
        let by_key = by_score.swap_axes(-1, -2)?.matmul(q)?;
        Ok([by_score.matmul(k)?, by_key, shares.swap_axes(-1, -2)?.matmul(&g)?])
    };
    run().map_err(|error: Error| error.named(OP))
}

impl<'a> Steps<'a> {
    fn new(config: &'a AttentionConfig, operands: [&DynTensor; 3], mask: Option<&'a DynTensor>) -> Result<Self> {
        let sizes = fitting(operands)?;
        Ok(Self { config, operands: operands.map(DynTensor::detach), mask, sizes })
    }

    fn scale(&self) -> f64 {
        self.config.scale_for(self.sizes[2])
    }

    /// `[.., queries, keys]`: minus infinity where a key is hidden.
    fn scores(&self) -> Result<DynTensor> {
        let [q, k, _] = &self.operands;
        let mut scores = q.binary_scalar(BinaryOp::Mul, self.scale())?.matmul(&k.swap_axes(-1, -2)?)?;
        let hidden = scores.constant(f64::NEG_INFINITY)?;
        if let Some(mask) = self.mask {
            let mask = mask.detach().broadcast_to(scores.shape())?;
            scores = match mask.dtype() {
                DType::Bool => mask.select(&scores, &hidden)?,
                _ => scores.binary(BinaryOp::Add, &mask)?,
            };
        }
        if self.config.causal {
            let [queries, keys, ..] = self.sizes;
            let seen: Vec<bool> = (0..queries * keys).map(|at| at % keys <= at / keys).collect();
            let seen = DynTensor::from_slice(&seen, &[queries, keys])?.to(&scores.device())?;
            scores = seen.select(&scores, &hidden)?;
        }
        Ok(scores)
    }
}

/// The share of each key in each query's result. A query that sees none has a logarithm of minus infinity, and shares of 0.
fn shares(scores: &DynTensor, log_sum: &DynTensor) -> Result<DynTensor> {
    let nothing = log_sum.compare(CompareOp::Eq, &log_sum.constant(f64::NEG_INFINITY)?)?;
    let shift = nothing.select(&log_sum.constant(0.0)?, log_sum)?.unsqueeze(-1)?;
    scores.binary(BinaryOp::Sub, &shift)?.unary(UnaryOp::Exp, [0.0; 2])
}
