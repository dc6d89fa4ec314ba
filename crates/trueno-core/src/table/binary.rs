//! Operations on two operands that broadcast.

use super::{Cancels, Gradient, RowInfo, Saves, cancels, is_arith, used};
use crate::math::{Arith, Dual, Math};

/// The rows of operations on two operands: a formula in `a` and `b`, and the gradients by each from `g`, the gradient
/// by the result. `grad` says whether those use the operands; `dual` differentiates the formula.
#[macro_export]
macro_rules! binary_table {
    ($with:ident) => {
        $with! {
            /// Sum, `a + b`.
            arith Add add(a, b) {
                value: a + b;
                grad: nothing(g) => g, g;
                oracle: "a + b"; domain: [-4.0, 4.0], [-4.0, 4.0]; tolerance: 1e-6, 1e-14;
            }
            /// Difference, `a - b`.
            arith Sub sub(a, b) {
                value: a - b;
                grad: nothing(g) => g, -g;
                oracle: "a - b"; domain: [-4.0, 4.0], [-4.0, 4.0]; tolerance: 1e-6, 1e-14;
            }
            /// Product, `a * b`.
            arith Mul mul(a, b) {
                value: a * b;
                grad: operands(g) => g * b, g * a;
                oracle: "a * b"; domain: [-4.0, 4.0], [-4.0, 4.0]; tolerance: 1e-6, 1e-14;
            }
            /// Quotient, `a / b`.
            float Div div(a, b) {
                value: a / b;
                grad: operands(g) => g / b, -(g * a / b / b);
                oracle: "a / b"; domain: [-4.0, 4.0], [0.3, 4.0]; tolerance: 1e-6, 1e-14;
            }
            /// `a` to the power `b`.
            float Pow pow(a, b) {
                value: a.pow(b);
                grad: dual;
                oracle: "torch.pow(a, b)"; domain: [0.2, 3.0], [-2.0, 3.0]; tolerance: 1e-6, 1e-13;
            }
            /// The angle of the point `(b, a)`, from -pi to pi (NumPy's `arctan2`).
            float Atan2 atan2(a, b) {
                value: a.atan2(b);
                grad: dual;
                oracle: "torch.atan2(a, b)"; domain: [-4.0, 4.0], [0.3, 4.0]; tolerance: 1e-6, 1e-14;
            }
            /// Length, `sqrt(a^2 + b^2)`, without overflow or underflow on the way.
            float Hypot hypot(a, b) {
                value: a.hypot(b);
                grad: dual;
                oracle: "torch.hypot(a, b)"; domain: [0.3, 4.0], [0.3, 4.0]; tolerance: 1e-6, 1e-14;
            }
            /// The larger; NaN if either is NaN. On a tie each operand gets half the gradient.
            arith Maximum maximum(a, b) {
                value: a.max(b);
                grad: dual;
                oracle: "torch.maximum(a, b)"; domain: [-4.0, 4.0], [-4.0, 4.0]; tolerance: 0.0, 0.0;
            }
            /// The smaller; NaN if either is NaN. On a tie each operand gets half the gradient.
            arith Minimum minimum(a, b) {
                value: a.min(b);
                grad: dual;
                oracle: "torch.minimum(a, b)"; domain: [-4.0, 4.0], [-4.0, 4.0]; tolerance: 0.0, 0.0;
            }
        }
    };
}

/// A row of [`binary_table!`](crate::binary_table) as a type.
pub trait BinaryRow: Copy + Send + Sync + 'static {
    /// The same row as a value.
    const OP: BinaryOp;
    /// The formula.
    fn value<M: Math>(a: M, b: M) -> M;
    /// The gradient by the left operand. Where [`BinaryOp::saves`] is nothing, `a` and `b` are not looked at.
    fn left<M: Math>(a: M, b: M, g: M) -> M;
    /// The gradient by the right operand.
    fn right<M: Math>(a: M, b: M, g: M) -> M;
}

/// A row that integers have too.
pub trait ArithBinaryRow: BinaryRow {
    /// The formula.
    fn value_arith<M: Arith>(a: M, b: M) -> M;
}

/// Code to run for the row that a [`BinaryOp`] names.
pub trait BinaryVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: BinaryRow>(self) -> Self::Output;
}

/// Code to run for the row that a [`BinaryOp`] names, if integers have it.
pub trait ArithBinaryVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: ArithBinaryRow>(self) -> Self::Output;
}

#[rustfmt::skip]
macro_rules! saves {
    (nothing) => { Saves::Nothing };
    (operands) => { Saves::Input };
    (dual) => { Saves::Input };
}

macro_rules! define {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($a:ident, $b:ident) {
            value: $value:expr;
            grad: $keeps:ident $(($g:ident) => $left:expr, $right:expr)?;
            oracle: $oracle:literal; domain: $da:expr, $db:expr; tolerance: $t32:expr, $t64:expr; $(cancels: $cancels:ident;)?
        }
    )+) => {
        /// An operation on two operands that broadcast: a row of [`binary_table!`](crate::binary_table).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum BinaryOp { $($(#[doc = $doc])+ $variant,)+ }

        /// The rows as types.
        pub mod rows {
            $($(#[doc = $doc])+ #[derive(Clone, Copy, Debug)] pub struct $variant;)+
        }

        $(
            impl BinaryRow for rows::$variant {
                const OP: BinaryOp = BinaryOp::$variant;
                #[inline(always)]
                fn value<M: Math>($a: M, $b: M) -> M { $value }
                define!(@grad $a, $b $(, $g, $left, $right)?);
            }
            define!(@arith $class $variant $a $b $value);
        )+

        impl BinaryOp {
            /// Every row, in the table's order.
            pub const ALL: &[BinaryOp] = &[$(BinaryOp::$variant),+];

            /// The row's data.
            pub const fn info(self) -> &'static RowInfo {
                match self {
                    $(BinaryOp::$variant => const { &RowInfo {
                        name: stringify!($name),
                        doc: concat!($($doc),+).trim_ascii(),
                        parameters: &[],
                        integers: is_arith!($class),
                        gradient: Gradient::Defined,
                        oracle: $oracle,
                        domain: &[$da, $db],
                        kinks: &[],
                        tolerance: [$t32, $t64],
                        cancels: cancels!($($cancels)?),
                    } },)+
                }
            }

            /// What the gradient keeps.
            pub const fn saves(self) -> Saves {
                match self { $(BinaryOp::$variant => saves!($keeps),)+ }
            }

            /// Runs a visitor on the row's type.
            #[inline]
            pub fn dispatch<V: BinaryVisitor>(self, visitor: V) -> V::Output {
                match self { $(BinaryOp::$variant => visitor.visit::<rows::$variant>(),)+ }
            }

            /// Runs a visitor on the row's type, or gives `None` if integers lack the operation.
            #[inline]
            pub fn dispatch_arith<V: ArithBinaryVisitor>(self, visitor: V) -> Option<V::Output> {
                match self { $(BinaryOp::$variant => define!(@dispatch $class visitor $variant),)+ }
            }
        }
    };
    (@grad $a:ident, $b:ident) => {
        #[inline(always)]
        fn left<M: Math>($a: M, $b: M, g: M) -> M {
            g * Self::value(Dual::variable($a), Dual::constant($b)).derivative
        }
        #[inline(always)]
        fn right<M: Math>($a: M, $b: M, g: M) -> M {
            g * Self::value(Dual::constant($a), Dual::variable($b)).derivative
        }
    };
    (@grad $a:ident, $b:ident, $g:ident, $left:expr, $right:expr) => {
        #[inline(always)]
        fn left<M: Math>($a: M, $b: M, $g: M) -> M {
            used(($a, $b));
            $left
        }
        #[inline(always)]
        fn right<M: Math>($a: M, $b: M, $g: M) -> M {
            used(($a, $b));
            $right
        }
    };
    (@arith arith $variant:ident $a:ident $b:ident $value:expr) => {
        impl ArithBinaryRow for rows::$variant {
            #[inline(always)]
            fn value_arith<M: Arith>($a: M, $b: M) -> M { $value }
        }
    };
    (@arith float $($rest:tt)*) => {};
    (@dispatch arith $visitor:ident $variant:ident) => { Some($visitor.visit::<rows::$variant>()) };
    (@dispatch float $visitor:ident $variant:ident) => {{ let _ = $visitor; None }};
}

binary_table!(define);

impl BinaryOp {
    /// The row's name.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The oracle value.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        struct Eval(f64, f64);
        impl BinaryVisitor for Eval {
            type Output = f64;
            fn visit<R: BinaryRow>(self) -> f64 {
                R::value(self.0, self.1)
            }
        }
        self.dispatch(Eval(a, b))
    }

    /// The oracle gradients by both operands, by the row's own rules.
    pub fn eval_gradients(self, a: f64, b: f64) -> (f64, f64) {
        struct Eval(f64, f64);
        impl BinaryVisitor for Eval {
            type Output = (f64, f64);
            fn visit<R: BinaryRow>(self) -> (f64, f64) {
                (R::left(self.0, self.1, 1.0), R::right(self.0, self.1, 1.0))
            }
        }
        self.dispatch(Eval(a, b))
    }
}
