//! Group normalisation, as layer normalisation of the groups and then a line per channel.

use super::{backward, execute};
use crate::exec::group_norm::{GROUP, Groups};
use crate::exec::norm::Gradients;
use crate::{DynTensor, Op, Saved};
use smallvec::smallvec;
use trueno_core::table::{BinaryOp, ReduceOp, TernaryOp};
use trueno_core::{DType, Error, Result};
use trueno_gpu::Device;

/// Of `[x]` or `[x, weight, bias]`, saving mean and reciprocal deviation `[N, groups]`, `f32` but for an operand of `f64`.
pub(super) fn group_norm(
    device: &Device,
    groups: usize,
    eps: f64,
    inputs: &[&DynTensor],
    saved: &mut Saved,
) -> Result<DynTensor> {
    let layout = Groups::new(inputs[0].shape(), groups)?;
    layout.expect_parameters(inputs[0], [1, 2].map(|i| inputs.get(i).copied()))?;
    let rows = wide(inputs[0])?.reshape_to(&by_group(&layout))?;
    let named = |error: Error| error.named(GROUP);
    let rows = execute(&Op::LayerNorm { axes: 1, eps }, device, &[&rows], saved).map_err(named)?;
    let mut output = rows.reshape_to(&by_channel(&layout))?;
    if let [_, weight, bias] = inputs {
        let [weight, bias] = [spread(weight, &layout)?, spread(bias, &layout)?];
        output = output.ternary(TernaryOp::Fma, &weight, &bias)?;
    }
    let statistics = [layout.batch, groups];
    *saved = smallvec![saved[0].reshape_to(&statistics)?, saved[1].reshape_to(&statistics)?];
    output.reshape_to(inputs[0].shape())?.cast(inputs[0].dtype())
}

/// The gradients of [`group_norm`].
pub(in crate::exec) fn group_norm_grad(
    device: &Device,
    groups: usize,
    [x, mean, rstd, g]: [&DynTensor; 4],
    weight: Option<&DynTensor>,
    needs: [bool; 3],
) -> Result<Gradients> {
    let layout = Groups::new(x.shape(), groups)?;
    let rows = wide(x)?.reshape_to(&by_group(&layout))?;
    let g = wide(g)?.reshape_to(&by_channel(&layout))?;
    let [mean, rstd] = [mean, rstd].map(|moment| moment.reshape_to(&[layout.rows()]));
    let (mean, rstd) = (mean?, rstd?);
    let mut gradients = [None, None, None];
    if needs[0] {
        let weighed = match weight {
            Some(weight) => g.binary(BinaryOp::Mul, &spread(weight, &layout)?)?,
            None => g.clone(),
        };
        let weighed = weighed.reshape_to(&by_group(&layout))?;
        let found = backward::layer_norm(device, 1, [&rows, &mean, &rstd, &weighed], None, [true, false, false])?;
        gradients[0] = found[0].as_ref().map(|by| by.reshape_to(x.shape())?.cast(x.dtype())).transpose()?;
    }
    let over_samples = |terms: &DynTensor| terms.reduce(ReduceOp::Sum, &[0, 2], false, 0.0)?.cast(x.dtype()).map(Some);
    if needs[1] {
        let centered = rows.binary(BinaryOp::Sub, &mean.unsqueeze(1)?)?;
        let normal = centered.binary(BinaryOp::Mul, &rstd.unsqueeze(1)?)?.reshape_to(&by_channel(&layout))?;
        gradients[1] = over_samples(&g.binary(BinaryOp::Mul, &normal)?)?;
    }
    if needs[2] {
        gradients[2] = over_samples(&g)?;
    }
    Ok(gradients)
}

/// Outside any graph and, if of half precision, in `f32`, so that a result is rounded once.
fn wide(x: &DynTensor) -> Result<DynTensor> {
    x.detach().cast(if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 })
}

/// A parameter of the channels as it broadcasts.
fn spread(parameter: &DynTensor, layout: &Groups) -> Result<DynTensor> {
    wide(parameter)?.reshape_to(&[1, layout.channels(), 1])
}

fn by_group(layout: &Groups) -> [usize; 2] {
    [layout.rows(), layout.shape.per_row()]
}

fn by_channel(layout: &Groups) -> [usize; 3] {
    [layout.batch, layout.channels(), layout.shape.spatial]
}
