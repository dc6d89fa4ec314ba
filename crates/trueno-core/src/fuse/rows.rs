//! Who computes rows.

use crate::math::Math;
use crate::table::{BinaryRow, CompareRow, TernaryRow, UnaryRow};
use core::ops::Not;

/// What a formula is computed in: every interpreter of [`Math`], by the rows' formulas, and the [`Listing`](super::Listing),
/// which notes which rows they are.
pub trait Rows: Copy {
    /// What comparisons give.
    type Truth: Copy;
    /// The constant `value`, in the context of `self`.
    fn literal(self, value: f64) -> Self;
    /// A row of one operand. Parameters that it does not have are `None`.
    fn unary<R: UnaryRow>(self, parameters: [Option<Self>; 2]) -> Self;
    /// A row of two operands.
    fn binary<R: BinaryRow>(self, other: Self) -> Self;
    /// A row of three operands.
    fn ternary<R: TernaryRow>(self, second: Self, third: Self) -> Self;
    /// A comparison.
    fn compare<R: CompareRow>(self, other: Self) -> Self::Truth;
    /// `yes` where the mask holds, else `no`.
    fn select(mask: Self::Truth, yes: Self, no: Self) -> Self;
    /// Both hold.
    fn and(a: Self::Truth, b: Self::Truth) -> Self::Truth;
    /// At least one holds.
    fn or(a: Self::Truth, b: Self::Truth) -> Self::Truth;
    /// Exactly one holds.
    fn xor(a: Self::Truth, b: Self::Truth) -> Self::Truth;
    /// It does not hold.
    fn not(a: Self::Truth) -> Self::Truth;
}

/// The parameters of a row, padded with 0. No closure, for kernels call it (see `kernel!` of `trueno-kernels`).
#[inline(always)]
pub(super) fn padded<M: Math>(like: M, [first, second]: [Option<M>; 2]) -> [M; 2] {
    [or_zero(like, first), or_zero(like, second)]
}

#[inline(always)]
fn or_zero<M: Math>(like: M, parameter: Option<M>) -> M {
    match parameter {
        Some(value) => value,
        None => like.lit(0.0),
    }
}

impl<M: Math> Rows for M {
    type Truth = M::Mask;

    #[inline(always)]
    fn literal(self, value: f64) -> M {
        self.lit(value)
    }

    #[inline(always)]
    fn unary<R: UnaryRow>(self, parameters: [Option<M>; 2]) -> M {
        R::value(self, padded(self, parameters))
    }

    #[inline(always)]
    fn binary<R: BinaryRow>(self, other: M) -> M {
        R::value(self, other)
    }

    #[inline(always)]
    fn ternary<R: TernaryRow>(self, second: M, third: M) -> M {
        R::value(self, second, third)
    }

    #[inline(always)]
    fn compare<R: CompareRow>(self, other: M) -> M::Mask {
        R::value(self, other)
    }

    #[inline(always)]
    fn select(mask: M::Mask, yes: M, no: M) -> M {
        M::select(mask, yes, no)
    }

    #[inline(always)]
    fn and(a: M::Mask, b: M::Mask) -> M::Mask {
        a & b
    }

    #[inline(always)]
    fn or(a: M::Mask, b: M::Mask) -> M::Mask {
        a | b
    }

    #[inline(always)]
    fn xor(a: M::Mask, b: M::Mask) -> M::Mask {
        (a & b.not()) | (a.not() & b)
    }

    #[inline(always)]
    fn not(a: M::Mask) -> M::Mask {
        !a
    }
}
