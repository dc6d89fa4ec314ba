//! Attention.

use super::{Grads, Step};
use crate::rules::shape::sum_to;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Result};
use trueno_tensor::{AttentionConfig, DynTensor, backward};

/// Without a graph and for a mask that is given, by tiles as the forward pass; else by the matrix of weights, whose
/// gradient the mask's is.
pub(super) fn attention(config: &AttentionConfig, step: &Step<'_>) -> Result<Grads> {
    let [q, k, v] = [step.input(0)?, step.input(1)?, step.input(2)?];
    let mask = if step.operands() == 4 { Some(step.input(3)?) } else { None };
    if !step.create_graph && !step.wants(3) {
        let results = [&step.output()?, step.saved(0)?];
        let by = backward::scaled_dot_product_attention([&q, &k, &v], mask.as_ref(), results, &step.g, config)?;
        return step.each(|i| Ok(by[i].clone()));
    }
    let scale = config.scale_for(q.shape()[q.rank() - 1]);
    let asked = q.binary_scalar(BinaryOp::Mul, scale)?;
    let weights = weights(config, &asked, &k, mask.as_ref())?;
    // The gradient by the weights, then by the scores.
    let slope = step.g.matmul(&v.swap_axes(-1, -2)?)?;
    let dots = weights.binary(BinaryOp::Mul, &slope)?.reduce(ReduceOp::Sum, &[-1], true, 0.0)?;
    let by_scores = weights.binary(BinaryOp::Mul, &slope.binary(BinaryOp::Sub, &dots)?)?;
    step.each(|i| match i {
        0 => by_scores.matmul(&k)?.binary_scalar(BinaryOp::Mul, scale),
        1 => by_scores.swap_axes(-1, -2)?.matmul(&asked),
        2 => weights.swap_axes(-1, -2)?.matmul(&step.g),
        _ => sum_to(&by_scores, step.shape(i)),
    })
}

/// `softmax(asked k^T + mask)`; 0 in rows that see no key.
fn weights(config: &AttentionConfig, asked: &DynTensor, k: &DynTensor, mask: Option<&DynTensor>) -> Result<DynTensor> {
    let mut scores = asked.matmul(&k.swap_axes(-1, -2)?)?;
    let hidden = scores.constant(f64::NEG_INFINITY)?;
    match mask {
        Some(mask) if mask.dtype() == DType::Bool => scores = mask.select(&scores, &hidden)?,
        Some(mask) => scores = scores.binary(BinaryOp::Add, mask)?,
        None => {}
    }
    if config.causal {
        let [.., queries, keys] = *scores.shape() else { return Ok(scores) };
        let seen: Vec<bool> = (0..queries).flat_map(|i| (0..keys).map(move |j| j <= i)).collect();
        scores = DynTensor::from_slice(&seen, &[queries, keys])?.to(&scores.device())?.select(&scores, &hidden)?;
    }
    let log_sum = scores.logsumexp(-1, true)?;
    let sees = log_sum.compare(CompareOp::Gt, &hidden)?;
    let shift = sees.select(&log_sum, &log_sum.constant(0.0)?)?;
    scores.binary(BinaryOp::Sub, &shift)?.unary(UnaryOp::Exp, [0.0; 2])
}
