//! Formulas of `fuse!`: one kernel backwards, or their steps one by one where gradients are to have gradients.

use super::shape::sum_to;
use super::{Grads, Step};
use crate::traced::{Arena, Traced};
use trueno_core::Result;
use trueno_tensor::fused::Fusion;
use trueno_tensor::{DynTensor, backward};

pub(super) fn fused(fusion: &Fusion, step: &Step<'_>) -> Result<Grads> {
    let wanted: Vec<bool> = (0..step.operands()).map(|i| step.wants(i)).collect();
    let operands = (0..step.operands()).map(|i| step.kept(i).transpose()).collect::<Result<Vec<_>>>()?;
    let gradients = match step.create_graph {
        false => backward::fused(fusion, &operands, &step.g, &wanted)?,
        true => traced(fusion, operands, &step.g, &wanted)?,
    };
    let found = |by: usize| gradients[by].as_ref().map_or_else(|| Err(step.missing("an operand")), Ok);
    step.each(|by| sum_to(found(by)?, step.shape(by)))
}

/// The gradients as recorded operations, of the shape of `g`.
fn traced(
    fusion: &Fusion,
    operands: Vec<Option<DynTensor>>,
    g: &DynTensor,
    wanted: &[bool],
) -> Result<Vec<Option<DynTensor>>> {
    let arena = Arena::new(g.dtype());
    let operands: Vec<Traced<'_>> = operands.into_iter().map(|x| arena.operand(x)).collect();
    let numbers: Vec<Traced<'_>> = fusion.parameters().iter().map(|&value| arena.constant(value)).collect();
    let gradients = fusion.listing().gradients(&operands, &numbers, arena.tensor(g.clone()), wanted);
    let finish = |gradient: Option<Traced<'_>>| gradient.map(|x| arena.finish(x, g.shape())).transpose();
    gradients.into_iter().map(finish).collect()
}
