//! Reading at positions and adding at positions: each is the other's gradient.

use super::{Grads, Step};
use trueno_core::{Dims, Result};
use trueno_tensor::{DynTensor, Op, apply};

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

/// Sorting moves each element, so the gradient goes back to where it came from.
pub(super) fn sort(axis: usize, descending: bool, step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let origin = step.input(i)?.detach().argsort(axis as isize, descending)?;
        apply(&Op::ScatterAdd { axis, shape: Dims::from_slice(step.shape(i)) }, &[&step.g, &origin])
    })
}

pub(super) fn masked_select(step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let mask = step.input(1)?;
        let picked = mask.reshape_to(&[mask.size()])?.nonzero()?.squeeze(1)?;
        apply(&Op::IndexAdd { axis: 0, size: mask.size() }, &[&step.g, &picked])?.reshape_to(step.shape(i))
    })
}

/// An element gets what every window that shows it gets.
pub(super) fn unfold(axis: usize, size: usize, apart: usize, step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let shape = step.shape(i);
        let windows = step.g.shape()[axis];
        // The windows beside their elements, as one axis.
        let mut order: Vec<isize> = (0..shape.len() as isize).collect();
        order.insert(axis + 1, shape.len() as isize);
        let mut joined = Dims::from_slice(shape);
        joined[axis] = windows * size;
        let g = step.g.permute(&order)?.reshape_to(&joined)?;
        let shown: Vec<i64> = (0..windows * size).map(|at| (at / size * apart + at % size) as i64).collect();
        let shown = DynTensor::from_slice(&shown, &[shown.len()])?.to(&g.device())?;
        apply(&Op::IndexAdd { axis, size: shape[axis] }, &[&g, &shown])
    })
}
