//! Operations on two operands that give a truth value.

use super::{Cancels, Gradient, RowInfo};
use crate::math::Arith;

/// The rows of comparisons and logical operations. Any element type has them; `bool` counts as 0 and 1.
#[macro_export]
macro_rules! compare_table {
    ($with:ident) => { $with! {
        /// `a == b`; false if either is NaN.
        Eq eq(a, b) { value: a.eq(b); oracle: "a == b"; }
        /// `a != b`; true if either is NaN.
        Ne ne(a, b) { value: a.ne(b); oracle: "a != b"; }
        /// `a < b`.
        Lt lt(a, b) { value: a.lt(b); oracle: "a < b"; }
        /// `a <= b`.
        Le le(a, b) { value: a.le(b); oracle: "a <= b"; }
        /// `a > b`.
        Gt gt(a, b) { value: a.gt(b); oracle: "a > b"; }
        /// `a >= b`.
        Ge ge(a, b) { value: a.ge(b); oracle: "a >= b"; }
        /// Both are nonzero (NaN counts as nonzero).
        LogicalAnd logical_and(a, b) { value: a.ne(a.lit(0.0)) & b.ne(b.lit(0.0)); oracle: "torch.logical_and(a, b)"; }
        /// At least one is nonzero.
        LogicalOr logical_or(a, b) { value: a.ne(a.lit(0.0)) | b.ne(b.lit(0.0)); oracle: "torch.logical_or(a, b)"; }
        /// Exactly one is nonzero.
        LogicalXor logical_xor(a, b) {
            value: (a.ne(a.lit(0.0)) & b.eq(b.lit(0.0))) | (a.eq(a.lit(0.0)) & b.ne(b.lit(0.0)));
            oracle: "torch.logical_xor(a, b)";
        }
    } };
}

/// A row of [`compare_table!`](crate::compare_table) as a type.
pub trait CompareRow: Copy + Send + Sync + 'static {
    /// The same row as a value.
    const OP: CompareOp;
    /// The formula.
    fn value<M: Arith>(a: M, b: M) -> M::Mask;
}

/// Code to run for the row that a [`CompareOp`] names.
pub trait CompareVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: CompareRow>(self) -> Self::Output;
}

macro_rules! define {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident) { value: $value:expr; oracle: $oracle:literal; }
    )+) => {
        /// A comparison or logical operation: a row of [`compare_table!`](crate::compare_table).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CompareOp { $($(#[doc = $doc])+ $variant,)+ }

        /// The rows as types.
        pub mod rows {
            $($(#[doc = $doc])+ #[derive(Clone, Copy, Debug)] pub struct $variant;)+
        }

        $(impl CompareRow for rows::$variant {
            const OP: CompareOp = CompareOp::$variant;
            #[inline(always)]
            fn value<M: Arith>($a: M, $b: M) -> M::Mask { $value }
        })+

        impl CompareOp {
            /// Every row, in the table's order.
            pub const ALL: &[CompareOp] = &[$(CompareOp::$variant),+];

            /// The row's data.
            pub const fn info(self) -> &'static RowInfo {
                match self {
                    $(CompareOp::$variant => const { &RowInfo {
                        name: stringify!($name),
                        doc: concat!($($doc),+).trim_ascii(),
                        parameters: &[],
                        integers: true,
                        gradient: Gradient::None("a truth value does not vary smoothly"),
                        oracle: $oracle,
                        domain: &[[-2.0, 2.0], [-2.0, 2.0]],
                        kinks: &[],
                        tolerance: [0.0, 0.0],
                        cancels: Cancels::Nothing,
                    } },)+
                }
            }

            /// Runs a visitor on the row's type.
            #[inline]
            pub fn dispatch<V: CompareVisitor>(self, visitor: V) -> V::Output {
                match self { $(CompareOp::$variant => visitor.visit::<rows::$variant>(),)+ }
            }
        }
    };
}

compare_table!(define);

impl CompareOp {
    /// The row's name.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The oracle value.
    pub fn eval(self, a: f64, b: f64) -> bool {
        struct Eval(f64, f64);
        impl CompareVisitor for Eval {
            type Output = bool;
            fn visit<R: CompareRow>(self) -> bool {
                R::value(self.0, self.1)
            }
        }
        self.dispatch(Eval(a, b))
    }
}
