//! The operation table: one row per operation, and everything else follows from the row.
//!
//! | table | a row is | enum |
//! | --- | --- | --- |
//! | [`unary_table!`](crate::unary_table) | one operand, up to two scalar parameters | [`UnaryOp`] |
//! | [`binary_table!`](crate::binary_table) | two operands that broadcast | [`BinaryOp`] |
//! | [`compare_table!`](crate::compare_table) | two operands, a truth value | [`CompareOp`] |
//! | [`ternary_table!`](crate::ternary_table) | three operands that broadcast | [`TernaryOp`] |
//! | [`reduce_table!`](crate::reduce_table) | init, map, combine, finish over axes | [`ReduceOp`] |
//! | [`family_table!`](crate::family_table) | an operation with a kernel folder of its own | [`Family`] |
//!
//! A row states its value as a formula over [`Math`](crate::math::Math); kernels, oracle, shader, derivative, tensor
//! method, tests and documentation are made from it. Each table is a macro that hands its rows to another macro, so
//! that other crates make their part (a method per row, say) without listing the rows again.
//!
//! Adding an elementwise operation is adding one row; nothing else is edited:
//!
//! ```text
//! /// What it computes, in a sentence.
//! float Name name(x; parameter = default) {
//!     value: formula in x and parameter;
//!     grad: dual;                            // or a cheaper hand-written rule, see below
//!     oracle: "torch expression in x";
//!     domain: lowest, highest;               // where tests draw from
//!     kinks: points;                         // where the derivative jumps, if anywhere
//!     tolerance: f32, f64;                   // against the oracle, relative to the value
//!     cancels: value;                        // only if large terms cancel in it; or `gradient`, or `both`
//!     ulps: bound;                           // of the f32 kernel over all inputs, if it is not 1 (operations on one operand)
//! }
//! ```
//!
//! The first word is `arith` if the formula also makes sense for integers. `grad` is one of
//! `dual` (differentiate the formula, keep the input), `input(x, g) => ...`, `output(y, g) => ...`,
//! `nothing(_x, g) => ...` (what the rule needs kept, and the rule), or `zero`.

pub(crate) mod binary;
pub(crate) mod compare;
mod family;
mod reduce;
pub(crate) mod ternary;
pub(crate) mod unary;

pub use binary::{ArithBinaryRow, ArithBinaryVisitor, BinaryOp, BinaryRow, BinaryVisitor};
pub use compare::{CompareOp, CompareRow, CompareVisitor};
pub use family::Family;
pub use reduce::{ArithReduceRow, ArithReduceVisitor, ReduceGrad, ReduceOp, ReduceResult, ReduceRow, ReduceVisitor};
pub use ternary::{TernaryOp, TernaryRow, TernaryVisitor};
pub use unary::{ArithUnaryRow, ArithUnaryVisitor, UnaryOp, UnaryRow, UnaryVisitor};

/// What the backward pass of an operation keeps from the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saves {
    /// Nothing: the gradient depends on the incoming gradient alone.
    Nothing,
    /// The operands.
    Input,
    /// The result.
    Output,
}

/// The gradient of an operation, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// It has one.
    Defined,
    /// It is zero wherever it exists, and is passed on as zeros.
    Zero,
    /// Mathematically there is none; a result carries no graph. The reason is for people.
    None(&'static str),
}

/// The facts of a row that are data: for documentation, tests, bindings and fixtures.
#[derive(Clone, Copy, Debug)]
pub struct RowInfo {
    /// The method's name.
    pub name: &'static str,
    /// The row's documentation, one line.
    pub doc: &'static str,
    /// Scalar parameters with their defaults.
    pub parameters: &'static [(&'static str, f64)],
    /// Whether integers have it too.
    pub integers: bool,
    /// Its gradient.
    pub gradient: Gradient,
    /// The value in PyTorch (`torch`), over the operands' and parameters' names.
    pub oracle: &'static str,
    /// Where tests draw each operand from.
    pub domain: &'static [[f64; 2]],
    /// Points of an operand where the derivative jumps; tests of gradients stay away from them.
    pub kinks: &'static [f64],
    /// Largest error against the oracle for `f32` and `f64`, relative to the value; see [`RowInfo::cancels`].
    pub tolerance: [f64; 2],
    /// Where the error is measured against the largest operand instead, if that is larger than the value.
    pub cancels: Cancels,
}

/// Where terms much larger than their sum cancel, and leave it with few of their digits: there no algorithm that
/// rounds has a bound relative to the result, only one relative to the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancels {
    /// Nowhere.
    Nothing,
    /// In the value.
    Value,
    /// In the gradient.
    Gradient,
    /// In the value and in the gradient.
    Both,
}

impl Cancels {
    /// Whether they do in the value.
    pub const fn in_value(self) -> bool {
        matches!(self, Cancels::Value | Cancels::Both)
    }

    /// Whether they do in the gradient.
    pub const fn in_gradient(self) -> bool {
        matches!(self, Cancels::Gradient | Cancels::Both)
    }
}

/// A row's `cancels` entry.
#[rustfmt::skip]
macro_rules! cancels {
    () => { Cancels::Nothing };
    (value) => { Cancels::Value };
    (gradient) => { Cancels::Gradient };
    (both) => { Cancels::Both };
}
use cancels;

/// `arith` as a truth value, inside table macros.
macro_rules! is_arith {
    (arith) => {
        true
    };
    (float) => {
        false
    };
}
use is_arith;

/// Marks values as used that a formula may not need.
#[inline(always)]
fn used<T: Copy>(_: T) {}

#[cfg(test)]
mod tests;
