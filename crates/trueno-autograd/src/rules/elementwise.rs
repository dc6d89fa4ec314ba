//! Rows of the elementwise tables, `where` and dropout.

use super::shape::sum_to;
use super::{Grads, Step};
use crate::traced::{Arena, Traced};
use trueno_core::Result;
use trueno_core::table::{
    BinaryOp, BinaryRow, BinaryVisitor, Gradient, Saves, TernaryOp, TernaryRow, TernaryVisitor, UnaryOp, UnaryRow,
    UnaryVisitor,
};
use trueno_tensor::{DropoutConfig, DynTensor, backward};

pub(super) fn unary(op: UnaryOp, parameters: [f64; 2], step: &Step<'_>) -> Result<Grads> {
    if op.info().gradient == Gradient::Zero {
        return step.each(|i| step.g.detach().constant(0.0)?.broadcast_to(step.shape(i)));
    }
    let saved = || match op.saves() {
        Saves::Nothing => Ok(step.g.clone()),
        Saves::Input => step.input(0),
        Saves::Output => step.output(),
    };
    step.each(|_| match step.create_graph {
        false => backward::unary(op, parameters, &saved()?, &step.g),
        true => unary_traced(op, parameters, saved()?, &step.g),
    })
}

fn unary_traced(op: UnaryOp, parameters: [f64; 2], saved: DynTensor, g: &DynTensor) -> Result<DynTensor> {
    struct Rule<'a> {
        saved: Traced<'a>,
        g: Traced<'a>,
        parameters: [Traced<'a>; 2],
    }
    impl<'a> UnaryVisitor for Rule<'a> {
        type Output = Traced<'a>;
        fn visit<R: UnaryRow>(self) -> Traced<'a> {
            R::grad(self.saved, self.g, self.parameters)
        }
    }
    let arena = Arena::new(g.dtype());
    let parameters = parameters.map(|value| arena.constant(value));
    let result = op.dispatch(Rule { saved: arena.tensor(saved), g: arena.tensor(g.clone()), parameters });
    arena.finish(result, g.shape())
}

/// The kept operands of a step in an arena, and `g`.
fn operands<'a, const N: usize>(arena: &'a Arena, step: &Step<'_>) -> Result<([Traced<'a>; N], Traced<'a>)> {
    let mut operands = [arena.operand(None); N];
    for (i, operand) in operands.iter_mut().enumerate() {
        *operand = arena.operand(step.kept(i).transpose()?);
    }
    Ok((operands, arena.tensor(step.g.clone())))
}

pub(super) fn binary(op: BinaryOp, step: &Step<'_>) -> Result<Grads> {
    struct Rule<'a> {
        by: usize,
        operands: [Traced<'a>; 2],
        g: Traced<'a>,
    }
    impl<'a> BinaryVisitor for Rule<'a> {
        type Output = Traced<'a>;
        fn visit<R: BinaryRow>(self) -> Traced<'a> {
            let [a, b] = self.operands;
            if self.by == 0 { R::left(a, b, self.g) } else { R::right(a, b, self.g) }
        }
    }
    let arena = Arena::new(step.g.dtype());
    let (operands, g) = operands(&arena, step)?;
    step.each(|by| {
        let gradient = arena.finish(op.dispatch(Rule { by, operands, g }), step.g.shape())?;
        sum_to(&gradient, step.shape(by))
    })
}

pub(super) fn ternary(op: TernaryOp, step: &Step<'_>) -> Result<Grads> {
    struct Rule<'a> {
        by: usize,
        operands: [Traced<'a>; 3],
        g: Traced<'a>,
    }
    impl<'a> TernaryVisitor for Rule<'a> {
        type Output = Traced<'a>;
        fn visit<R: TernaryRow>(self) -> Traced<'a> {
            R::grad(self.by, self.operands, self.g)
        }
    }
    let arena = Arena::new(step.g.dtype());
    let (operands, g) = operands(&arena, step)?;
    step.each(|by| {
        let gradient = arena.finish(op.dispatch(Rule { by, operands, g }), step.g.shape())?;
        sum_to(&gradient, step.shape(by))
    })
}

/// `g` goes to the operand that was chosen.
pub(super) fn select(step: &Step<'_>) -> Result<Grads> {
    let mask = step.input(0)?;
    let zero = step.g.detach().constant(0.0)?;
    step.each(|by| {
        let gradient = if by == 1 { mask.select(&step.g, &zero)? } else { mask.select(&zero, &step.g)? };
        sum_to(&gradient, step.shape(by))
    })
}

/// What was dropped is a pure function of the configuration, so the same operation drops it again.
pub(super) fn dropout(config: DropoutConfig, step: &Step<'_>) -> Result<Grads> {
    step.each(|_| step.g.dropout(config))
}
