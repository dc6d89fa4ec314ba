//! Rows of the reduction table and running sums.

use super::shape::{mean, sum, with_axes};
use super::{Grads, Step};
use crate::reads::{self, CENTER, ELEMENT, RESULT};
use crate::traced::{Arena, Traced};
use smallvec::SmallVec;
use trueno_core::math::{Arith, Dual};
use trueno_core::table::{BinaryOp, CompareOp, ReduceGrad, ReduceRow, ReduceVisitor};
use trueno_core::{Dims, Result};
use trueno_tensor::{DynTensor, Reduction};

pub(super) fn reduce(reduction: &Reduction, step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let frame = Frame::new(reduction, step, i)?;
        match reduction.op.grad() {
            ReduceGrad::Elementwise => frame.elementwise(),
            ReduceGrad::Ties => frame.ties(),
            ReduceGrad::Product => frame.product(),
            ReduceGrad::None => Err(super::undefined(&step.record.op)),
        }
    })
}

/// A reduction on its way back, with the result's axes back at size 1.
struct Frame<'a> {
    reduction: &'a Reduction,
    step: &'a Step<'a>,
    shape: &'a [usize],
    axes: SmallVec<[isize; 6]>,
    g: DynTensor,
}

impl<'a> Frame<'a> {
    fn new(reduction: &'a Reduction, step: &'a Step<'a>, input: usize) -> Result<Frame<'a>> {
        let shape = step.shape(input);
        let g = step.g.reshape_to(&with_axes(shape, &reduction.axes))?;
        let axes = reduction.axes.iter().map(|&axis| axis as isize).collect();
        Ok(Frame { reduction, step, shape, axes, g })
    }

    fn result(&self) -> Result<DynTensor> {
        self.step.output()?.reshape_to(&with_axes(self.shape, &self.reduction.axes))
    }

    /// By the row's own rule.
    fn elementwise(&self) -> Result<DynTensor> {
        struct Rule<'a>([Traced<'a>; 5]);
        impl<'a> ReduceVisitor for Rule<'a> {
            type Output = Traced<'a>;
            fn visit<R: ReduceRow>(self) -> Traced<'a> {
                let Rule([x, center, y, g, n]) = self;
                R::grad(x, center, y, g, n)
            }
        }
        let op = self.reduction.op;
        let reads = reads::reduce(op);
        let arena = Arena::new(self.g.dtype());
        let x = if reads.contains(ELEMENT) { Some(self.step.input(0)?) } else { None };
        let center = if reads.contains(CENTER) { Some(mean(&self.step.input(0)?, &self.axes)?) } else { None };
        let y = if reads.contains(RESULT) { Some(self.result()?) } else { None };
        let count: usize = self.reduction.axes.iter().map(|&axis| self.shape[axis]).product();
        let operands = [
            arena.operand(x),
            arena.operand(center),
            arena.operand(y),
            arena.tensor(self.g.clone()),
            arena.constant(count as f64 - self.reduction.correction),
        ];
        arena.finish(op.dispatch(Rule(operands)), self.shape)
    }

    /// `g` shared evenly among the elements that attain the result.
    fn ties(&self) -> Result<DynTensor> {
        let arena = Arena::new(self.g.dtype());
        let x = arena.tensor(self.step.input(0)?);
        let Dual { value, derivative } = self.reduction.op.dispatch(Map(x));
        let attains = arena.finish(value, self.shape)?.compare(CompareOp::Eq, &self.result()?)?.cast(self.g.dtype())?;
        let share = arena.tensor(self.g.clone()) / arena.tensor(sum(&attains, &self.axes)?);
        arena.finish(share * derivative * arena.tensor(attains), self.shape)
    }

    /// `g` times the product of the other elements: products of pairs, of pairs of pairs, ... up to all, then each
    /// node's "product of the others" from its parent's and its sibling. Nothing is divided, so zeros are exact.
    fn product(&self) -> Result<DynTensor> {
        let (x, order) = self.reduced_axes_last(&self.step.input(0)?)?;
        let (rows, length) = (x.shape()[0], x.shape()[1]);
        let padding = length.next_power_of_two() - length;
        let mut levels = vec![x.pad(&[[0, 0], [0, padding]], 1.0)?];
        while let Some(last) = levels.last().filter(|level| level.shape()[1] > 2) {
            let pairs = last.reshape_to(&[rows, last.shape()[1] / 2, 2])?;
            levels.push(pairs.narrow(2, 0, 1)?.binary(BinaryOp::Mul, &pairs.narrow(2, 1, 1)?)?.squeeze(2)?);
        }
        let mut others = self.g.reshape_to(&[rows, 1])?;
        for level in levels.iter().rev().filter(|level| level.shape()[1] > 1) {
            let siblings = level.reshape_to(&[rows, level.shape()[1] / 2, 2])?.flip(&[2])?;
            others = others.unsqueeze(2)?.binary(BinaryOp::Mul, &siblings)?.reshape_to(level.shape())?;
        }
        self.reduced_axes_back(&others.narrow(1, 0, length)?, &order)
    }

    /// The operand as rows of the elements that are reduced together, and the order of axes that made it so.
    fn reduced_axes_last(&self, x: &DynTensor) -> Result<(DynTensor, Vec<isize>)> {
        let kept = (0..x.rank()).filter(|axis| !self.reduction.axes.contains(axis));
        let order: Vec<isize> = kept.chain(self.reduction.axes.iter().copied()).map(|axis| axis as isize).collect();
        let length: usize = self.reduction.axes.iter().map(|&axis| self.shape[axis]).product();
        let rows = x.size().checked_div(length).unwrap_or(self.g.size());
        Ok((x.permute(&order)?.reshape_to(&[rows, length])?, order))
    }

    fn reduced_axes_back(&self, rows: &DynTensor, order: &[isize]) -> Result<DynTensor> {
        let moved: Dims = order.iter().map(|&axis| self.shape[axis as usize]).collect();
        let mut inverse = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            inverse[from as usize] = to as isize;
        }
        rows.reshape_to(&moved)?.permute(&inverse)
    }
}

/// What an element contributes, with its derivative.
struct Map<'a>(Traced<'a>);

impl<'a> ReduceVisitor for Map<'a> {
    type Output = Dual<Traced<'a>>;
    fn visit<R: ReduceRow>(self) -> Dual<Traced<'a>> {
        R::map(Dual::variable(self.0), Dual::constant(self.0.lit(0.0)))
    }
}

/// Element `i` contributes to the sums from `i` on: a running sum from the far end.
pub(super) fn cumsum(axis: usize, step: &Step<'_>) -> Result<Grads> {
    let axis = axis as isize;
    step.each(|_| step.g.flip(&[axis])?.cumsum(axis)?.flip(&[axis]))
}
