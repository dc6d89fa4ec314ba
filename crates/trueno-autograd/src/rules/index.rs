//! Reading at positions and adding at positions: each is the other's gradient.

use super::{Grads, Step};
use trueno_core::{Dims, Result};
use trueno_tensor::{Op, apply};

pub(super) fn index_select(axis: usize, step: &Step<'_>) -> Result<Grads> {
    step.each(|i| apply(&Op::IndexAdd { axis, size: step.shape(i)[axis] }, &[&step.g, &step.input(1)?]))
}

pub(super) fn index_add(axis: usize, step: &Step<'_>) -> Result<Grads> {
    step.each(|_| step.g.index_select(axis as isize, &step.input(1)?))
}

pub(super) fn gather(axis: usize, step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let shape = Dims::from_slice(step.shape(i));
        apply(&Op::ScatterAdd { axis, shape }, &[&step.g, &step.input(1)?])
    })
}

pub(super) fn scatter_add(axis: usize, step: &Step<'_>) -> Result<Grads> {
    step.each(|_| step.g.gather(axis as isize, &step.input(1)?))
}
