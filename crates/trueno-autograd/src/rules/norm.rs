//! Normalisations: `y = (x - mean) / sqrt(var + eps) * weight + bias`.

use super::shape::sum_to;
use super::{Grads, Step};
use crate::traced::{Arena, Traced};
use smallvec::SmallVec;
use trueno_core::table::BinaryOp;
use trueno_core::{Dims, Result};
use trueno_tensor::{DynTensor, backward};

type Axes = SmallVec<[isize; 6]>;

/// `x` on its way to the result: normalised, and what it was divided by, inverted.
#[derive(Clone, Copy)]
struct Normalized<'a> {
    value: Traced<'a>,
    inverse_std: Traced<'a>,
}

impl<'a> Normalized<'a> {
    fn by_own_statistics(x: Traced<'a>, axes: &[isize], eps: f64) -> Normalized<'a> {
        let centered = x - x.mean(axes);
        let inverse_std = ((centered * centered).mean(axes) + eps).rsqrt();
        Normalized { value: centered * inverse_std, inverse_std }
    }

    /// The gradient by `x` from `g`, the gradient by the normalised value. Mean and variance depend on `x` too: what
    /// of `g` lies along the constant and along the value itself has no effect.
    fn gradient(self, g: Traced<'a>, axes: &[isize]) -> Traced<'a> {
        (g - g.mean(axes) - self.value * (g * self.value).mean(axes)) * self.inverse_std
    }
}

pub(super) fn layer_norm(axes: usize, eps: f64, step: &Step<'_>) -> Result<Grads> {
    if !step.create_graph {
        let weight = if step.operands() > 1 { Some(step.input(1)?) } else { None };
        let (x, mean, rstd) = (step.input(0)?, step.saved(0)?, step.saved(1)?);
        let found = backward::layer_norm(&x, weight.as_ref(), mean, rstd, &step.g, axes, wanted(step))?;
        return step.each(|by| found[by].clone().ok_or_else(|| step.missing("a gradient")));
    }
    let rank = step.shape(0).len();
    let axes: Axes = (rank - axes..rank).map(|axis| axis as isize).collect();
    let arena = Arena::new(step.g.dtype());
    let g = arena.tensor(step.g.clone());
    let normalized = Normalized::by_own_statistics(arena.tensor(step.input(0)?), &axes, eps);
    step.each(|by| match by {
        0 => {
            let g = if step.operands() > 1 { g * arena.tensor(step.input(1)?) } else { g };
            arena.finish(normalized.gradient(g, &axes), step.shape(0))
        }
        1 => sum_to(&arena.finish(g * normalized.value, step.shape(0))?, step.shape(1)),
        _ => sum_to(&step.g, step.shape(by)),
    })
}

pub(super) fn batch_norm(eps: f64, step: &Step<'_>) -> Result<Grads> {
    let given = step.operands() > 3;
    if !step.create_graph && !step.wants(3) && !step.wants(4) {
        let (x, weight, mean, rstd) = (step.input(0)?, step.input(1)?, step.saved(0)?, step.saved(1)?);
        let found = backward::batch_norm(&x, &weight, mean, rstd, &step.g, !given, wanted(step))?;
        return step.each(|by| found[by].clone().ok_or_else(|| step.missing("a gradient")));
    }
    let shape = step.shape(0);
    let channels = Channels::new(shape);
    let arena = Arena::new(step.g.dtype());
    let g = arena.tensor(step.g.clone());
    let x = arena.tensor(step.input(0)?);
    let vector = |index: usize| Ok(arena.tensor(channels.spread(&step.input(index)?)?));
    let normalized = if given {
        let inverse_std = (vector(4)? + eps).rsqrt();
        Normalized { value: (x - vector(3)?) * inverse_std, inverse_std }
    } else {
        Normalized::by_own_statistics(x, &channels.others, eps)
    };
    let Normalized { value, inverse_std } = normalized;
    step.each(|by| {
        let per_element = match by {
            0 if given => g * vector(1)? * inverse_std,
            0 => normalized.gradient(g * vector(1)?, &channels.others),
            1 => g * value,
            2 => g,
            3 => -(g * vector(1)? * inverse_std),
            _ => g * vector(1)? * value * inverse_std * inverse_std * -0.5,
        };
        let per_element = arena.finish(per_element, shape)?;
        if by == 0 { Ok(per_element) } else { channels.gather(&per_element) }
    })
}

pub(super) fn group_norm(groups: usize, eps: f64, step: &Step<'_>) -> Result<Grads> {
    let weight = if step.operands() > 1 { Some(step.input(1)?) } else { None };
    if !step.create_graph {
        let (x, mean, rstd) = (step.input(0)?, step.saved(0)?, step.saved(1)?);
        let found = backward::group_norm(&x, weight.as_ref(), mean, rstd, &step.g, groups, wanted(step))?;
        return step.each(|by| found[by].clone().ok_or_else(|| step.missing("a gradient")));
    }
    let shape = step.shape(0);
    let channels = Channels::new(shape);
    let (samples, group) = (shape[0], shape[1] / groups * shape[2..].iter().product::<usize>());
    let by_group = [samples, groups, group];
    let arena = Arena::new(step.g.dtype());
    let normalized = Normalized::by_own_statistics(arena.tensor(step.input(0)?.reshape_to(&by_group)?), &[2], eps);
    step.each(|by| match by {
        0 => {
            let g = match &weight {
                Some(weight) => step.g.binary(BinaryOp::Mul, &channels.spread(weight)?)?,
                None => step.g.clone(),
            };
            let g = arena.tensor(g.reshape_to(&by_group)?);
            arena.finish(normalized.gradient(g, &[2]), &by_group)?.reshape_to(shape)
        }
        1 => {
            let value = arena.finish(normalized.value, &by_group)?.reshape_to(shape)?;
            channels.gather(&step.g.binary(BinaryOp::Mul, &value)?)
        }
        _ => channels.gather(&step.g),
    })
}

fn wanted(step: &Step<'_>) -> [bool; 3] {
    [0, 1, 2].map(|i| step.wants(i))
}

/// The channel axis, 1, among the others.
struct Channels {
    /// A vector of channels as it broadcasts.
    shape: Dims,
    others: Axes,
}

impl Channels {
    fn new(shape: &[usize]) -> Channels {
        let of = |(axis, &size): (usize, &usize)| if axis == 1 { size } else { 1 };
        Channels {
            shape: shape.iter().enumerate().map(of).collect(),
            others: (0..shape.len() as isize).filter(|&axis| axis != 1).collect(),
        }
    }

    fn spread(&self, vector: &DynTensor) -> Result<DynTensor> {
        vector.reshape_to(&self.shape)
    }

    fn gather(&self, x: &DynTensor) -> Result<DynTensor> {
        sum_to(x, &self.shape)?.reshape_to(&[self.shape[1]])
    }
}
