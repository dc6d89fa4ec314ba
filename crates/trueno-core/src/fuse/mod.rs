//! Formulas of the user's own, made of rows of the operation table: what `fuse!` compiles.
//!
//! A [`Formula`] is a generic function, as a row is, but over several operands and captured numbers, and each of its
//! [`Step`]s is a row. So whoever computes rows computes formulas, and the gradient of a formula is made of the rows' own
//! gradients, backwards through its steps: value and gradients are those of the operations one by one, in the same order.
//!
//! There are two ways to read a formula. Compiled, it is one straight line of code: the SIMD kernel. As a [`Listing`] it is
//! data: the shader, the tape's gradients of gradients, and its identity.
//!
//! | type | stands for |
//! | --- | --- |
//! | [`Value`] | an operand, or what a step gave |
//! | [`Scalar`] | a number: a literal or a captured one |
//! | [`Truth`] | what a comparison gave |

mod listing;
mod rows;
mod step;
mod value;

pub use listing::{Listing, Node};
pub use rows::Rows;
pub use step::{Adjoint, BinaryStep, SelectStep, Step, TernaryStep, UnaryStep};
pub use value::{Scalar, Term, Truth, Value};

use crate::math::Math;

/// The most operands that a formula has.
pub const MAX_OPERANDS: usize = 6;

/// The most numbers that a formula captures.
pub const MAX_PARAMETERS: usize = 8;

/// A formula of `N` operands and `P` captured numbers. `fuse!` implements it; nothing else needs to.
pub trait Formula<const N: usize, const P: usize>: Copy + Send + Sync + 'static {
    /// The formula as it was written.
    const TEXT: &'static str;

    /// The value.
    fn value<M: Rows>(operands: [Value<M>; N], parameters: [Scalar<M>; P]) -> Value<M>;

    /// The gradient by each operand, from the gradient `g` by the value.
    fn gradients<M: Math>(operands: [Value<M>; N], parameters: [Scalar<M>; P], g: Value<M>) -> [Value<M>; N];

    /// The same formula as data, made once.
    fn listing() -> &'static Listing;
}

#[cfg(test)]
mod tests;
