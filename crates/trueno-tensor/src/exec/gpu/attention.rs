//! Scaled dot-product attention. The kernels say whether operands fit; shapes of results follow from those that do.

use super::attention_by_steps;
use super::operand::{Operand, operands};
use crate::{AttentionConfig, DynTensor, Saved};
use smallvec::smallvec;
use trueno_core::{DType, Result};
use trueno_gpu::{Device, attention as kernel};

pub(super) const OP: &str = "scaled_dot_product_attention";

fn settings(config: &AttentionConfig, queries: &[usize]) -> kernel::Attention {
    let width = queries.last().copied().unwrap_or(1);
    kernel::Attention { scale: config.scale_for(width), causal: config.causal }
}

/// Results `[..., L, V]` of `[q, k, v]` or `[q, k, v, mask]`; saves the logarithm of each query's sum of exponentials, as `f32`
/// but for operands of `f64`.
pub(super) fn attention(
    config: &AttentionConfig,
    inputs: &[&DynTensor],
    held: &[Operand<'_>],
    saved: &mut Saved,
) -> Result<DynTensor> {
    if inputs[0].dtype() == DType::F64 {
        return attention_by_steps::attention(config, inputs, saved);
    }
    let [q, k, v] = [held[0].view(OP)?, held[1].view(OP)?, held[2].view(OP)?];
    let mask = held.get(3).map(|mask| mask.view(OP)).transpose()?;
    let attended = kernel::attention(&settings(config, q.shape()), [&q, &k, &v], mask.as_ref())?;
    let [rows @ .., _] = q.shape() else { unreachable!("the kernel refuses rank 0") };
    let log_sum = DynTensor::from_gpu(attended.log_sum, rows);
    *saved = smallvec![log_sum];
    Ok(placed(attended.output))
}

/// A result whose axes may lie in another order than they count.
fn placed(result: kernel::Placed) -> DynTensor {
    let all = [result.buffer.len()];
    DynTensor::from_gpu(result.buffer, &all).view(result.layout)
}

/// The gradients by `[q, k, v]`.
pub(crate) fn scaled_dot_product_attention(
    device: &Device,
    tensors: [&DynTensor; 3],
    mask: Option<&DynTensor>,
    [out, log_sum]: [&DynTensor; 2],
    g: &DynTensor,
    config: &AttentionConfig,
) -> Result<[DynTensor; 3]> {
    if tensors[0].dtype() == DType::F64 {
        return attention_by_steps::attention_grad(config, tensors, mask, log_sum, g);
    }
    let held = operands(OP, device, &[tensors[0], tensors[1], tensors[2], out, log_sum, g])?;
    let mask = operands(OP, device, mask.as_slice())?;
    let mask = mask.first().map(|mask| mask.view(OP)).transpose()?;
    let [q, k, v] = [held[0].view(OP)?, held[1].view(OP)?, held[2].view(OP)?];
    let (out, g) = (held[3].view(OP)?, held[5].view(OP)?);
    let settings = settings(config, q.shape());
    let [gq, gk, gv] = kernel::attention_grad(&settings, [&q, &k, &v], mask.as_ref(), &out, held[4].buffer(), &g)?;
    Ok([placed(gq), placed(gk), placed(gv)])
}
