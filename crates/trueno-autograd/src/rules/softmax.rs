//! Softmax and its kin.

use super::{Grads, Step};
use crate::traced::{Arena, Traced};
use trueno_core::math::{Arith, Math};
use trueno_core::{Dims, Result};
use trueno_tensor::{DynTensor, backward};

/// `y * (g - sum(g * y))`.
pub(super) fn softmax(axis: usize, step: &Step<'_>) -> Result<Grads> {
    if !step.create_graph {
        return step.each(|_| backward::softmax(&step.output()?, &step.g, axis));
    }
    by_result(step, |y, g| y * (g - (g * y).sum(&[axis as isize])))
}

/// `g - exp(y) * sum(g)`.
pub(super) fn log_softmax(axis: usize, step: &Step<'_>) -> Result<Grads> {
    if !step.create_graph {
        return step.each(|_| backward::log_softmax(&step.output()?, &step.g, axis));
    }
    by_result(step, |y, g| g - y.exp() * g.sum(&[axis as isize]))
}

fn by_result(step: &Step<'_>, rule: impl for<'a> Fn(Traced<'a>, Traced<'a>) -> Traced<'a>) -> Result<Grads> {
    step.each(|i| {
        let arena = Arena::new(step.g.dtype());
        let result = rule(arena.tensor(step.output()?), arena.tensor(step.g.clone()));
        arena.finish(result, step.shape(i))
    })
}

/// `g * exp(x - y)`.
pub(super) fn logsumexp(axis: usize, keep_dims: bool, step: &Step<'_>) -> Result<Grads> {
    let kept = |x: DynTensor| if keep_dims { Ok(x) } else { x.unsqueeze(axis as isize) };
    step.each(|i| {
        let arena = Arena::new(step.g.dtype());
        let (x, y) = (step.input(0)?, kept(step.output()?)?);
        let shape = Dims::from_slice(y.shape());
        let y = arena.tensor(y);
        // Where all elements are -inf the result is too, and the difference of the two would be NaN.
        let y = Traced::select(y.abs().eq(y.lit(f64::INFINITY)), y.lit(0.0), y);
        let g = kept(step.g.clone())?;
        match step.create_graph {
            false => backward::logsumexp(&x, &arena.finish(y, &shape)?, &g, axis),
            true => arena.finish(arena.tensor(g) * (arena.tensor(x) - y).exp(), step.shape(i)),
        }
    })
}
