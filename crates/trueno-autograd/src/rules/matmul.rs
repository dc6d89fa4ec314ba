//! Matrix products: `g bᵀ` and `aᵀ g`, transposed as views; nothing is copied for it.

use super::shape::sum_to;
use super::{Grads, Step, undefined};
use trueno_core::Result;
use trueno_core::table::BinaryOp;
use trueno_tensor::DynTensor;

pub(super) fn matmul(step: &Step<'_>) -> Result<Grads> {
    step.each(|by| {
        if by == 0 {
            let gradient = step.g.matmul(&step.input(1)?.swap_axes(-2, -1)?)?;
            sum_to(&gradient, step.shape(0))
        } else if step.shape(1).len() == 2 {
            // One matrix met every batch: the batches are more rows of one product.
            let (a, g) = (rows(&step.input(0)?)?, rows(&step.g)?);
            a.transpose()?.matmul(&g)
        } else {
            let gradient = step.input(0)?.swap_axes(-2, -1)?.matmul(&step.g)?;
            sum_to(&gradient, step.shape(1))
        }
    })
}

/// `g w`, `gᵀ x` over all rows, and the sum of the rows of `g`.
pub(super) fn linear(step: &Step<'_>) -> Result<Grads> {
    step.each(|by| match by {
        0 => step.g.matmul(&step.input(1)?),
        1 => {
            let (g, x) = (rows(&step.g)?, rows(&step.input(0)?)?);
            g.transpose()?.matmul(&x)
        }
        _ => sum_to(&step.g, step.shape(2)),
    })
}

/// By the scales `g` times the sums of integers and the other scale, and by the bias `g`, summed to their shapes.
pub(super) fn linear_int8(step: &Step<'_>) -> Result<Grads> {
    let scaled = |by: usize, other: usize| {
        let (x, weight) = (step.input(0)?, step.input(1)?);
        let sums = x.matmul_integer(&weight.transpose()?)?.cast(step.g.dtype())?;
        let gradient = step.g.binary(BinaryOp::Mul, &sums)?.binary(BinaryOp::Mul, &step.input(other)?)?;
        sum_to(&gradient, step.shape(by))
    };
    step.each(|by| match by {
        0 | 1 => Err(undefined(&step.record.op)),
        2 => scaled(2, 3),
        3 => scaled(3, 2),
        _ => sum_to(&step.g, step.shape(by)),
    })
}

/// A stack of matrices (or a row) as one.
fn rows(x: &DynTensor) -> Result<DynTensor> {
    if x.rank() == 1 { x.unsqueeze(0) } else { x.flatten(0, -2) }
}
