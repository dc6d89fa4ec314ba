//! The rows of the operation table over slices.
//!
//! Each operand is a slice as long as the result, one value for all elements, or what the result's slice
//! holds before the call. Rows of floats run on vectors; rows of integers are loops that the compiler vectorises for each
//! instruction set.

mod compare;
mod convert;
mod formula;
mod fused;
mod half;
mod integer;
mod job;
mod real;
mod select;

use trueno_core::table::{BinaryOp, CompareOp, TernaryOp, UnaryOp};

use crate::Isa;
use crate::simd::Real;

pub use compare::ElementKernels;
pub use convert::convert;
pub use fused::{FusedKernels, fused, fused_grad};
pub(crate) use half::nearest_bf16;
pub use integer::{Integer, binary_int, unary_int};
pub use real::RealKernels;

/// Where a kernel finds an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand<'a, T> {
    /// A slice as long as the result.
    Slice(&'a [T]),
    /// The same value for every element.
    Scalar(T),
    /// What the slice of the result holds before the call.
    InPlace,
}

impl<'a, T: Copy> Operand<'a, T> {
    /// The operand of the elements `start..start + length` of the result.
    ///
    /// # Panics
    /// If the operand is a slice that ends before.
    pub fn part(self, start: usize, length: usize) -> Operand<'a, T> {
        match self {
            Operand::Slice(values) => Operand::Slice(&values[start..start + length]),
            Operand::Scalar(_) | Operand::InPlace => self,
        }
    }

    /// # Panics
    /// If the operand is a slice of another length than `length`.
    #[inline]
    fn check(&self, length: usize) {
        if let Operand::Slice(values) = self {
            assert_eq!(values.len(), length, "an operand is as long as the result");
        }
    }
}

/// `out[i] = op(x[i])`, with the row's parameters (see [`UnaryOp::default_parameters`]).
///
/// ```
/// use trueno_core::table::UnaryOp;
/// use trueno_kernels::{Isa, elementwise::{Operand, unary}};
///
/// let mut out = [1.0_f32, 4.0, 9.0];
/// unary(Isa::best(), UnaryOp::Sqrt, [0.0; 2], Operand::InPlace, &mut out);
/// assert_eq!(out, [1.0, 2.0, 3.0]);
/// ```
///
/// # Panics
/// If a slice has another length than `out`.
pub fn unary<T: Real>(isa: Isa, op: UnaryOp, parameters: [f64; 2], x: Operand<'_, T>, out: &mut [T]) {
    T::unary(isa, op, parameters, x, out);
}

/// `out[i]` is the gradient by the operand of [`unary`], from the gradient `grad` by its result.
///
/// `saved` is the operand or the result, as [`UnaryOp::saves`] says; where that is nothing, any operand will do.
///
/// # Panics
/// If a slice has another length than `out`.
pub fn unary_grad<T: Real>(
    isa: Isa,
    op: UnaryOp,
    parameters: [f64; 2],
    saved: Operand<'_, T>,
    grad: Operand<'_, T>,
    out: &mut [T],
) {
    T::unary_grad(isa, op, parameters, [saved, grad], out);
}

/// `out[i] = op(a[i], b[i])`.
///
/// # Panics
/// If a slice has another length than `out`.
pub fn binary<T: Real>(isa: Isa, op: BinaryOp, a: Operand<'_, T>, b: Operand<'_, T>, out: &mut [T]) {
    T::binary(isa, op, [a, b], out);
}

/// `out[i] = op(a[i], b[i], c[i])`.
///
/// # Panics
/// If a slice has another length than `out`.
pub fn ternary<T: Real>(
    isa: Isa,
    op: TernaryOp,
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    c: Operand<'_, T>,
    out: &mut [T],
) {
    T::ternary(isa, op, [a, b, c], out);
}

/// `out[i] = op(a[i], b[i])`, for elements of any type; `bool` counts as 0 and 1.
///
/// # Panics
/// If a slice has another length than `out`, or an operand is [`Operand::InPlace`].
pub fn compare<T: ElementKernels>(isa: Isa, op: CompareOp, a: Operand<'_, T>, b: Operand<'_, T>, out: &mut [bool]) {
    for operand in [a, b] {
        operand.check(out.len());
        assert!(operand != Operand::InPlace, "truth values are no operand of a comparison");
    }
    T::compare(isa, op, a, b, out);
}

/// `out[i] = if mask[i] { yes[i] } else { no[i] }`: NumPy's and PyTorch's `where`.
///
/// # Panics
/// If a slice has another length than `out`, or the mask is [`Operand::InPlace`].
pub fn select<T: ElementKernels>(
    isa: Isa,
    mask: Operand<'_, bool>,
    yes: Operand<'_, T>,
    no: Operand<'_, T>,
    out: &mut [T],
) {
    assert!(mask != Operand::InPlace, "a result is no mask");
    T::select(isa, mask, yes, no, out);
}

#[cfg(test)]
mod tests;
