//! Matrix products: `g bᵀ` and `aᵀ g`, transposed as views.

use super::shape::sum_to;
use super::{Grads, Step};
use trueno_core::Result;
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

/// A stack of matrices as one.
fn rows(x: &DynTensor) -> Result<DynTensor> {
    x.flatten(0, -2)
}
