//! The steps of a formula: rows with their operands and result, and the way back through them.

use super::rows::{Rows, padded};
use super::value::{Scalar, Truth, Value};
use crate::math::Math;
use crate::table::{BinaryRow, Saves, TernaryRow, UnaryRow};
use core::marker::PhantomData;

/// One operation of a formula.
pub trait Step<M> {
    /// What it gives.
    type Output: Copy;
    /// The result.
    fn output(&self) -> Self::Output;
    /// The gradients by its operands, in their order, from the gradient by its result.
    fn pull(&self, g: Adjoint<M>) -> [Adjoint<M>; 3]
    where
        M: Math;
}

/// A gradient that is summed up as it arrives: nothing at first. Which ones have arrived is known when code is compiled.
#[derive(Clone, Copy, Debug)]
pub struct Adjoint<M>(Option<M>);

impl<M> Adjoint<M> {
    /// No gradient has arrived: none is passed on.
    pub const NOTHING: Adjoint<M> = Adjoint(None);
}

impl<M: Math> Adjoint<M> {
    /// A gradient that has arrived.
    #[inline(always)]
    pub fn of(g: Value<M>) -> Self {
        Adjoint(Some(g.0))
    }

    /// Takes in another part.
    #[inline(always)]
    pub fn add(&mut self, part: Adjoint<M>) {
        self.0 = match (self.0, part.0) {
            (Some(sum), Some(part)) => Some(sum + part),
            (sum, None) => sum,
            (None, part) => part,
        };
    }

    /// The sum; 0 if nothing has arrived.
    #[inline(always)]
    pub fn total(self, like: Value<M>) -> Value<M> {
        match self.0 {
            Some(sum) => Value(sum),
            None => Value(like.0.lit(0.0)),
        }
    }
}

/// A row of one operand.
#[derive(Clone, Copy, Debug)]
pub struct UnaryStep<R, M> {
    x: M,
    parameters: [Option<M>; 2],
    y: M,
    row: PhantomData<R>,
}

impl<R: UnaryRow, M: Rows> UnaryStep<R, M> {
    #[inline(always)]
    pub(super) fn new<const P: usize>(x: Value<M>, given: [Scalar<M>; P]) -> Self {
        let mut parameters = [None; 2];
        let mut index = 0;
        while index < P {
            parameters[index] = Some(given[index].0);
            index += 1;
        }
        UnaryStep { x: x.0, parameters, y: x.0.unary::<R>(parameters), row: PhantomData }
    }
}

impl<R: UnaryRow, M: Rows> Step<M> for UnaryStep<R, M> {
    type Output = Value<M>;

    #[inline(always)]
    fn output(&self) -> Value<M> {
        Value(self.y)
    }

    #[inline(always)]
    fn pull(&self, g: Adjoint<M>) -> [Adjoint<M>; 3]
    where
        M: Math,
    {
        let Some(g) = g.0 else { return [Adjoint::NOTHING; 3] };
        let by_x = unary_gradient::<R, M>(self.x, self.y, g, padded(self.x, self.parameters));
        [Adjoint(Some(by_x)), Adjoint::NOTHING, Adjoint::NOTHING]
    }
}

/// The gradient of a unary row, of what it saves.
#[inline(always)]
pub(super) fn unary_gradient<R: UnaryRow, M: Math>(x: M, y: M, g: M, parameters: [M; 2]) -> M {
    let saved = match R::OP.saves() {
        Saves::Nothing => g,
        Saves::Input => x,
        Saves::Output => y,
    };
    R::grad(saved, g, parameters)
}

/// A row of two operands.
#[derive(Clone, Copy, Debug)]
pub struct BinaryStep<R, M> {
    operands: [M; 2],
    y: M,
    row: PhantomData<R>,
}

impl<R: BinaryRow, M: Rows> BinaryStep<R, M> {
    #[inline(always)]
    pub(super) fn new(a: Value<M>, b: Value<M>) -> Self {
        BinaryStep { operands: [a.0, b.0], y: a.0.binary::<R>(b.0), row: PhantomData }
    }
}

impl<R: BinaryRow, M: Rows> Step<M> for BinaryStep<R, M> {
    type Output = Value<M>;

    #[inline(always)]
    fn output(&self) -> Value<M> {
        Value(self.y)
    }

    #[inline(always)]
    fn pull(&self, g: Adjoint<M>) -> [Adjoint<M>; 3]
    where
        M: Math,
    {
        let Some(g) = g.0 else { return [Adjoint::NOTHING; 3] };
        let [a, b] = self.operands;
        [Adjoint(Some(R::left(a, b, g))), Adjoint(Some(R::right(a, b, g))), Adjoint::NOTHING]
    }
}

/// A row of three operands.
#[derive(Clone, Copy, Debug)]
pub struct TernaryStep<R, M> {
    operands: [M; 3],
    y: M,
    row: PhantomData<R>,
}

impl<R: TernaryRow, M: Rows> TernaryStep<R, M> {
    #[inline(always)]
    pub(super) fn new(a: Value<M>, b: Value<M>, c: Value<M>) -> Self {
        TernaryStep { operands: [a.0, b.0, c.0], y: a.0.ternary::<R>(b.0, c.0), row: PhantomData }
    }
}

impl<R: TernaryRow, M: Rows> Step<M> for TernaryStep<R, M> {
    type Output = Value<M>;

    #[inline(always)]
    fn output(&self) -> Value<M> {
        Value(self.y)
    }

    #[inline(always)]
    fn pull(&self, g: Adjoint<M>) -> [Adjoint<M>; 3]
    where
        M: Math,
    {
        let Some(g) = g.0 else { return [Adjoint::NOTHING; 3] };
        [
            Adjoint(Some(R::grad(0, self.operands, g))),
            Adjoint(Some(R::grad(1, self.operands, g))),
            Adjoint(Some(R::grad(2, self.operands, g))),
        ]
    }
}

/// A choice between two values.
#[derive(Clone, Copy, Debug)]
pub struct SelectStep<M: Rows> {
    mask: M::Truth,
    y: M,
}

impl<M: Rows> SelectStep<M> {
    #[inline(always)]
    pub(super) fn new(mask: Truth<M>, yes: Value<M>, no: Value<M>) -> Self {
        SelectStep { mask: mask.0, y: M::select(mask.0, yes.0, no.0) }
    }
}

impl<M: Rows> Step<M> for SelectStep<M> {
    type Output = Value<M>;

    #[inline(always)]
    fn output(&self) -> Value<M> {
        Value(self.y)
    }

    #[inline(always)]
    fn pull(&self, g: Adjoint<M>) -> [Adjoint<M>; 3]
    where
        M: Math,
    {
        let Some(g) = g.0 else { return [Adjoint::NOTHING; 3] };
        let zero = g.lit(0.0);
        let yes = <M as Rows>::select(self.mask, g, zero);
        let no = <M as Rows>::select(self.mask, zero, g);
        [Adjoint::NOTHING, Adjoint(Some(yes)), Adjoint(Some(no))]
    }
}

/// A truth value does not vary smoothly: no gradient goes through it.
impl<M: Rows> Step<M> for Truth<M> {
    type Output = Truth<M>;

    #[inline(always)]
    fn output(&self) -> Truth<M> {
        *self
    }

    #[inline(always)]
    fn pull(&self, _: Adjoint<M>) -> [Adjoint<M>; 3]
    where
        M: Math,
    {
        [Adjoint::NOTHING; 3]
    }
}
