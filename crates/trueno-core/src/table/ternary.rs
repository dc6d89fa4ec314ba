//! Operations on three operands that broadcast.

use super::{Cancels, Gradient, RowInfo, cancels, used};
use crate::math::Math;

/// The rows of operations on three operands: a formula, and the gradient by each operand from `g`.
#[macro_export]
macro_rules! ternary_table {
    ($with:ident) => {
        $with! {
            /// `a * b + c`, rounded once where the hardware can.
            Fma fma(a, b, c) {
                value: a.mul_add(b, c);
                grad: (g) => g * b, g * a, g;
                oracle: "a * b + c"; tolerance: 1e-6, 1e-14; cancels: value;
            }
            /// Linear interpolation, `a + w (b - a)`, exact at both ends.
            Lerp lerp(a, b, w) {
                value: {
                    let span = b - a;
                    M::select(w.abs().lt(w.lit(0.5)), a + w * span, b - span * (-w + 1.0))
                };
                grad: (g) => g * (-w + 1.0), g * w, g * (b - a);
                oracle: "torch.lerp(a, b, w)"; tolerance: 1e-6, 1e-14; cancels: value;
            }
        }
    };
}

/// A row of [`ternary_table!`](crate::ternary_table) as a type.
pub trait TernaryRow: Copy + Send + Sync + 'static {
    /// The same row as a value.
    const OP: TernaryOp;
    /// The formula.
    fn value<M: Math>(a: M, b: M, c: M) -> M;
    /// The gradient by operand `index` (0, 1 or 2).
    fn grad<M: Math>(index: usize, operands: [M; 3], g: M) -> M;
}

/// Code to run for the row that a [`TernaryOp`] names.
pub trait TernaryVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: TernaryRow>(self) -> Self::Output;
}

macro_rules! define {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident, $c:ident) {
            value: $value:expr;
            grad: ($g:ident) => $ga:expr, $gb:expr, $gc:expr;
            oracle: $oracle:literal; tolerance: $t32:expr, $t64:expr; $(cancels: $cancels:ident;)?
        }
    )+) => {
        /// An operation on three operands that broadcast: a row of [`ternary_table!`](crate::ternary_table).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum TernaryOp { $($(#[doc = $doc])+ $variant,)+ }

        /// The rows as types.
        pub mod rows {
            $($(#[doc = $doc])+ #[derive(Clone, Copy, Debug)] pub struct $variant;)+
        }

        $(impl TernaryRow for rows::$variant {
            const OP: TernaryOp = TernaryOp::$variant;
            #[inline(always)]
            fn value<M: Math>($a: M, $b: M, $c: M) -> M { $value }
            #[inline(always)]
            fn grad<M: Math>(index: usize, operands: [M; 3], $g: M) -> M {
                let [$a, $b, $c] = operands;
                used(($a, $b, $c));
                match index {
                    0 => $ga,
                    1 => $gb,
                    _ => $gc,
                }
            }
        })+

        impl TernaryOp {
            /// Every row, in the table's order.
            pub const ALL: &[TernaryOp] = &[$(TernaryOp::$variant),+];

            /// The row's data.
            pub const fn info(self) -> &'static RowInfo {
                match self {
                    $(TernaryOp::$variant => const { &RowInfo {
                        name: stringify!($name),
                        doc: concat!($($doc),+).trim_ascii(),
                        parameters: &[],
                        integers: false,
                        gradient: Gradient::Defined,
                        oracle: $oracle,
                        domain: &[[-2.0, 2.0], [-2.0, 2.0], [-2.0, 2.0]],
                        kinks: &[],
                        tolerance: [$t32, $t64],
                        cancels: cancels!($($cancels)?),
                    } },)+
                }
            }

            /// Runs a visitor on the row's type.
            #[inline]
            pub fn dispatch<V: TernaryVisitor>(self, visitor: V) -> V::Output {
                match self { $(TernaryOp::$variant => visitor.visit::<rows::$variant>(),)+ }
            }
        }
    };
}

ternary_table!(define);

impl TernaryOp {
    /// The row's name.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The oracle value.
    pub fn eval(self, a: f64, b: f64, c: f64) -> f64 {
        struct Eval(f64, f64, f64);
        impl TernaryVisitor for Eval {
            type Output = f64;
            fn visit<R: TernaryRow>(self) -> f64 {
                R::value(self.0, self.1, self.2)
            }
        }
        self.dispatch(Eval(a, b, c))
    }
}
