//! Rows of the operation table interpreted on tensors: a formula becomes operations, which are recorded if their
//! operands are tracked. So the gradient rules of rows have gradients themselves, to any order.

use std::cell::RefCell;
use trueno_core::math::{Arith, Math};
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Error, Result};
use trueno_tensor::DynTensor;

/// Where the tensors of one formula live, so that [`Traced`] can be `Copy`; and the first error met.
///
/// Formulas cannot fail halfway, so operations on a failed one do nothing and [`Arena::finish`] reports it.
pub(crate) struct Arena {
    dtype: DType,
    tensors: RefCell<Vec<DynTensor>>,
    error: RefCell<Option<Error>>,
}

/// A value of a formula: a tensor in an arena, or a constant, which becomes a tensor only where it meets one.
#[derive(Clone, Copy)]
pub(crate) struct Traced<'a> {
    arena: &'a Arena,
    term: Term<f64>,
}

/// A truth value of a formula.
#[derive(Clone, Copy)]
pub(crate) struct TracedMask<'a> {
    arena: &'a Arena,
    term: Term<bool>,
}

#[derive(Clone, Copy, PartialEq)]
enum Term<T> {
    Constant(T),
    Tensor(usize),
}
use Term::{Constant, Tensor};

impl Arena {
    /// An arena for formulas over tensors of a type.
    pub(crate) fn new(dtype: DType) -> Arena {
        Arena { dtype, tensors: RefCell::default(), error: RefCell::default() }
    }

    pub(crate) fn tensor(&self, tensor: DynTensor) -> Traced<'_> {
        Traced { arena: self, term: Tensor(self.push(tensor)) }
    }

    pub(crate) fn constant(&self, value: f64) -> Traced<'_> {
        Traced { arena: self, term: Constant(value) }
    }

    /// A formula's operand, or NaN in place of one that was not kept because the formula does not read it.
    pub(crate) fn operand(&self, tensor: Option<DynTensor>) -> Traced<'_> {
        tensor.map_or(self.constant(f64::NAN), |tensor| self.tensor(tensor))
    }

    /// The tensor that a formula came to, broadcast to a shape; or the first error on the way.
    pub(crate) fn finish(&self, result: Traced<'_>, shape: &[usize]) -> Result<DynTensor> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.materialize(result.term)?.broadcast_to(shape),
        }
    }

    fn push(&self, tensor: DynTensor) -> usize {
        let mut tensors = self.tensors.borrow_mut();
        tensors.push(tensor);
        tensors.len() - 1
    }

    fn get(&self, index: usize) -> DynTensor {
        self.tensors.borrow()[index].clone()
    }

    fn materialize(&self, term: Term<f64>) -> Result<DynTensor> {
        match term {
            Tensor(index) => Ok(self.get(index)),
            Constant(value) => DynTensor::full(&[], self.dtype, value),
        }
    }

    fn materialize_mask(&self, term: Term<bool>) -> Result<DynTensor> {
        match term {
            Tensor(index) => Ok(self.get(index)),
            Constant(value) => DynTensor::scalar(value),
        }
    }

    /// Runs an operation unless an earlier one failed.
    fn run<T>(&self, operation: impl FnOnce() -> Result<DynTensor>, failed: T) -> Term<T> {
        if self.error.borrow().is_some() {
            return Constant(failed);
        }
        match operation() {
            Ok(tensor) => Tensor(self.push(tensor)),
            Err(error) => {
                *self.error.borrow_mut() = Some(error);
                Constant(failed)
            }
        }
    }
}

impl<'a> Traced<'a> {
    fn unary(self, op: UnaryOp) -> Traced<'a> {
        let term = match self.term {
            Constant(x) => Constant(op.eval(x, [0.0; 2])),
            Tensor(x) => self.arena.run(|| self.arena.get(x).unary(op, [0.0; 2]), f64::NAN),
        };
        Traced { term, ..self }
    }

    fn binary(self, op: BinaryOp, other: Traced<'a>) -> Traced<'a> {
        let term = match (self.term, other.term) {
            (Constant(a), Constant(b)) => Constant(op.eval(a, b)),
            (a, b) => self.arena.run(|| self.arena.materialize(a)?.binary(op, &self.arena.materialize(b)?), f64::NAN),
        };
        Traced { term, ..self }
    }

    fn reduce(self, op: ReduceOp, axes: &[isize]) -> Traced<'a> {
        let arena = self.arena;
        Traced { term: arena.run(|| arena.materialize(self.term)?.reduce(op, axes, true, 0.0), f64::NAN), arena }
    }

    /// Sum over axes, which stay with size 1.
    pub(crate) fn sum(self, axes: &[isize]) -> Traced<'a> {
        self.reduce(ReduceOp::Sum, axes)
    }

    /// Mean over axes, which stay with size 1.
    pub(crate) fn mean(self, axes: &[isize]) -> Traced<'a> {
        self.reduce(ReduceOp::Mean, axes)
    }

    /// `1 / sqrt(self)`.
    pub(crate) fn rsqrt(self) -> Traced<'a> {
        self.unary(UnaryOp::Rsqrt)
    }

    fn compare(self, op: CompareOp, other: Traced<'a>) -> TracedMask<'a> {
        let term = match (self.term, other.term) {
            (Constant(a), Constant(b)) => Constant(op.eval(a, b)),
            (a, b) => self.arena.run(|| self.arena.materialize(a)?.compare(op, &self.arena.materialize(b)?), false),
        };
        TracedMask { arena: self.arena, term }
    }
}

/// A constant that is exactly 0 or 1 leaves sums and products as they are or makes them 0: derivatives are full of such
/// (the directions of dual numbers), and what they multiply need not be computed.
fn is(term: Term<f64>, value: f64) -> bool {
    matches!(term, Constant(c) if c == value)
}

impl<'a> Traced<'a> {
    fn plus(self, other: Traced<'a>) -> Traced<'a> {
        match (self.term, other.term) {
            (zero, _) if is(zero, 0.0) => other,
            (_, zero) if is(zero, 0.0) => self,
            _ => self.binary(BinaryOp::Add, other),
        }
    }

    fn minus(self, other: Traced<'a>) -> Traced<'a> {
        match (self.term, other.term) {
            (_, zero) if is(zero, 0.0) => self,
            (zero, _) if is(zero, 0.0) => other.unary(UnaryOp::Neg),
            _ => self.binary(BinaryOp::Sub, other),
        }
    }

    fn times(self, other: Traced<'a>) -> Traced<'a> {
        match (self.term, other.term) {
            (zero, _) | (_, zero) if is(zero, 0.0) => self.lit(0.0),
            (one, _) if is(one, 1.0) => other,
            (_, one) if is(one, 1.0) => self,
            _ => self.binary(BinaryOp::Mul, other),
        }
    }

    fn over(self, other: Traced<'a>) -> Traced<'a> {
        match (self.term, other.term) {
            (zero, Tensor(_)) if is(zero, 0.0) => self,
            (_, one) if is(one, 1.0) => self,
            (one, Tensor(_)) if is(one, 1.0) => other.unary(UnaryOp::Recip),
            _ => self.binary(BinaryOp::Div, other),
        }
    }
}

trueno_core::math_operators!(float ['a] Traced<'a> { a, b =>
    add a.plus(b), sub a.minus(b), mul a.times(b), neg a.unary(UnaryOp::Neg), div a.over(b),
});

impl<'a> TracedMask<'a> {
    fn combine(self, op: CompareOp, other: TracedMask<'a>) -> TracedMask<'a> {
        let arena = self.arena;
        let both = || arena.materialize_mask(self.term)?.compare(op, &arena.materialize_mask(other.term)?);
        TracedMask { term: arena.run(both, false), ..self }
    }
}

impl<'a> core::ops::BitAnd for TracedMask<'a> {
    type Output = TracedMask<'a>;
    fn bitand(self, other: TracedMask<'a>) -> TracedMask<'a> {
        match (self.term, other.term) {
            (Constant(true), _) | (_, Constant(false)) => other,
            (_, Constant(true)) | (Constant(false), _) => self,
            _ => self.combine(CompareOp::LogicalAnd, other),
        }
    }
}

impl<'a> core::ops::BitOr for TracedMask<'a> {
    type Output = TracedMask<'a>;
    fn bitor(self, other: TracedMask<'a>) -> TracedMask<'a> {
        match (self.term, other.term) {
            (Constant(false), _) | (_, Constant(true)) => other,
            (_, Constant(false)) | (Constant(true), _) => self,
            _ => self.combine(CompareOp::LogicalOr, other),
        }
    }
}

impl<'a> core::ops::Not for TracedMask<'a> {
    type Output = TracedMask<'a>;
    fn not(self) -> TracedMask<'a> {
        match self.term {
            Constant(value) => TracedMask { term: Constant(!value), ..self },
            Tensor(_) => self.combine(CompareOp::LogicalXor, TracedMask { term: Constant(true), ..self }),
        }
    }
}

impl<'a> Arith for Traced<'a> {
    type Mask = TracedMask<'a>;

    fn lit(self, value: f64) -> Self {
        self.arena.constant(value)
    }

    fn lt(self, other: Self) -> TracedMask<'a> {
        self.compare(CompareOp::Lt, other)
    }

    fn le(self, other: Self) -> TracedMask<'a> {
        self.compare(CompareOp::Le, other)
    }

    fn eq(self, other: Self) -> TracedMask<'a> {
        self.compare(CompareOp::Eq, other)
    }

    fn ne(self, other: Self) -> TracedMask<'a> {
        self.compare(CompareOp::Ne, other)
    }

    fn select(mask: TracedMask<'a>, yes: Self, no: Self) -> Self {
        let arena = mask.arena;
        let term = match mask.term {
            Constant(true) => yes.term,
            Constant(false) => no.term,
            Tensor(_) if yes.term == no.term => yes.term,
            Tensor(mask) => {
                let choose = || arena.get(mask).select(&arena.materialize(yes.term)?, &arena.materialize(no.term)?);
                arena.run(choose, f64::NAN)
            }
        };
        Traced { arena, term }
    }

    fn abs(self) -> Self {
        self.unary(UnaryOp::Abs)
    }

    fn max(self, other: Self) -> Self {
        self.binary(BinaryOp::Maximum, other)
    }

    fn min(self, other: Self) -> Self {
        self.binary(BinaryOp::Minimum, other)
    }
}

macro_rules! of_one {
    ($($(#[doc = $doc:literal])+ $name:ident $op:ident $function:path, $text:literal;)+) => {
        $(fn $name(self) -> Self { self.unary(UnaryOp::$op) })+
    };
}

impl Math for Traced<'_> {
    trueno_core::math_functions!(of_one);

    fn mul_add(self, factor: Self, term: Self) -> Self {
        let arena = self.arena;
        match (self.term, factor.term, term.term) {
            (Tensor(a), Tensor(b), Tensor(c)) => {
                let fma = || arena.get(a).ternary(TernaryOp::Fma, &arena.get(b), &arena.get(c));
                Traced { term: arena.run(fma, f64::NAN), arena }
            }
            _ => self * factor + term,
        }
    }

    fn copysign(self, sign: Self) -> Self {
        // The reciprocal tells -0 from 0.
        let zero = sign.lit(0.0);
        let negative = sign.lt(zero) | sign.lit(1.0).over(sign).lt(zero);
        let magnitude = self.abs();
        Self::select(negative, -magnitude, magnitude)
    }

    fn pow(self, exponent: Self) -> Self {
        self.binary(BinaryOp::Pow, exponent)
    }

    fn atan2(self, x: Self) -> Self {
        self.binary(BinaryOp::Atan2, x)
    }

    fn hypot(self, other: Self) -> Self {
        self.binary(BinaryOp::Hypot, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(elements: &[f64]) -> DynTensor {
        DynTensor::from_slice(elements, &[elements.len()]).unwrap()
    }

    #[test]
    fn formulas_compute_what_they_say() {
        let arena = Arena::new(DType::F64);
        let x = arena.tensor(vector(&[-2.0, -0.0, 0.0, 3.0]));
        let signed = x.lit(1.0).copysign(x);
        assert_eq!(arena.finish(signed, &[4]).unwrap().to_vec::<f64>().unwrap(), [-1.0, -1.0, 1.0, 1.0]);
        let outside = !(x.ge(x.lit(-1.0)) & x.le(x.lit(1.0))) | x.eq(x.lit(0.0));
        let picked = Traced::select(outside, x * 2.0, x.lit(9.0));
        assert_eq!(arena.finish(picked, &[4]).unwrap().to_vec::<f64>().unwrap(), [-4.0, 0.0, 0.0, 6.0]);
    }

    #[test]
    fn constants_fold_and_become_tensors_at_the_end() {
        let arena = Arena::new(DType::F32);
        let x = arena.tensor(DynTensor::zeros(&[2], DType::F32).unwrap());
        let folded = (x * 0.0 + 2.0) * 3.0;
        assert!(is(folded.term, 6.0));
        assert_eq!(arena.finish(folded, &[2]).unwrap().to_vec::<f32>().unwrap(), [6.0, 6.0]);
        assert_eq!(arena.tensors.borrow().len(), 1);
    }

    #[test]
    fn the_first_error_is_the_result() {
        let arena = Arena::new(DType::F64);
        let sum = arena.tensor(vector(&[1.0, 2.0])) + arena.tensor(vector(&[1.0, 2.0, 3.0]));
        let error = arena.finish(sum.exp() * 2.0, &[2]).unwrap_err();
        assert!(error.to_string().contains("add"), "{error}");
    }
}
