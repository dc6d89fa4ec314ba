//! Formulas of the user's own, one shader each.

use super::elementwise::common;
use super::operand::{Operand, operands};
use super::shaped;
use crate::DynTensor;
use crate::fused::Fusion;
use trueno_core::Result;
use trueno_gpu::{Device, View, elementwise as kernel};

const OP: &str = "fused";

fn views<'a>(operands: &'a [Operand<'_>]) -> Result<Vec<View<'a>>> {
    operands.iter().map(|operand| operand.view(OP)).collect()
}

pub(super) fn fused(fusion: &Fusion, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let views = views(operands)?;
    let all: Vec<&View<'_>> = views.iter().collect();
    shaped(&common(OP, operands)?, kernel::fused(fusion.listing(), fusion.parameters(), &all))
}

/// Operands that no wanted gradient reads may be missing.
pub(crate) fn fused_grad(
    device: &Device,
    fusion: &Fusion,
    tensors: &[Option<DynTensor>],
    g: &DynTensor,
    wanted: &[bool],
) -> Result<Vec<Option<DynTensor>>> {
    let zero = g.constant(0.0)?;
    let tensors: Vec<&DynTensor> = tensors.iter().map(|x| x.as_ref().unwrap_or(&zero)).chain([g]).collect();
    let held = operands(OP, device, &tensors)?;
    let views = views(&held)?;
    let mut all: Vec<&View<'_>> = views.iter().collect();
    let Some(g_view) = all.pop() else { return Ok(Vec::new()) };
    let gradients = kernel::fused_grad(fusion.listing(), fusion.parameters(), &all, g_view, wanted)?;
    Ok(gradients.into_iter().map(|by| by.map(|by| DynTensor::from_gpu(by, g.shape()))).collect())
}
