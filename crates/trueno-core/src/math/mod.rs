//! What a row of the operation table is written in, and who can read it.
//!
//! A row is a generic function over [`Math`] (or [`Arith`], when it also makes sense for integers).
//! Whoever implements the trait interprets the row:
//!
//! | interpreter | gives |
//! | --- | --- |
//! | `f64` | the oracle value |
//! | [`Dual`] over another interpreter | the derivative |
//! | [`Int`] | the integer kernel |
//! | [`wgsl::Expr`] | the shader text |
//! | `trueno_kernels::simd::Lanes` | the SIMD kernel |
//! | `trueno_autograd`'s traced tensors | gradients of gradients |
//!
//! Values are `Copy`, so that rows read like formulas; interpreters that build something keep it in
//! an arena and hand out references to it. A literal is made from a value at hand (`x.lit(0.5)`),
//! because some interpreters need its context: the arena, the dtype, or the proof of an instruction set.

mod dual;
mod int;
mod oracle;
pub mod wgsl;

pub use dual::Dual;
pub use int::Int;

use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

/// A truth value per lane.
pub trait Mask: Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self> {}

impl<T: Copy + BitAnd<Output = T> + BitOr<Output = T> + Not<Output = T>> Mask for T {}

/// Arithmetic that integers and floats share.
///
/// Comparisons follow IEEE 754: with a NaN operand all but `ne` are false.
pub trait Arith:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    /// What comparisons give.
    type Mask: Mask;
    /// The constant `value`, in the context of `self`.
    fn lit(self, value: f64) -> Self;
    /// `self < other`.
    fn lt(self, other: Self) -> Self::Mask;
    /// `self <= other`.
    fn le(self, other: Self) -> Self::Mask;
    /// `self == other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// `self != other`; true when either is NaN.
    #[inline(always)]
    fn ne(self, other: Self) -> Self::Mask {
        !self.eq(other)
    }
    /// `self > other`.
    #[inline(always)]
    fn gt(self, other: Self) -> Self::Mask {
        other.lt(self)
    }
    /// `self >= other`.
    #[inline(always)]
    fn ge(self, other: Self) -> Self::Mask {
        other.le(self)
    }
    /// `yes` where `mask` holds, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Magnitude. Clears the sign bit of a float; wraps for the least integer.
    fn abs(self) -> Self;
    /// The larger, NaN if either is NaN (NumPy's `maximum`).
    fn max(self, other: Self) -> Self;
    /// The smaller, NaN if either is NaN (NumPy's `minimum`).
    fn min(self, other: Self) -> Self;
}

/// The functions of one operand that [`Math`] has: method, row of the unary table, function of `f64` and of WGSL.
///
/// Hands the list to the macro `$with`; interpreters that need nothing else of a function are made from it.
#[doc(hidden)]
#[macro_export]
macro_rules! math_functions {
    ($with:ident) => {
        $with! {
            /// Square root, correctly rounded.
            sqrt Sqrt libm::sqrt, "ieee_sqrt";
            /// Largest integer not above.
            floor Floor libm::floor, "floor";
            /// Smallest integer not below.
            ceil Ceil libm::ceil, "ceil";
            /// Integer part.
            trunc Trunc libm::trunc, "trunc";
            /// Nearest integer, ties to even (NumPy's and PyTorch's `round`).
            round Round libm::rint, "round";
            /// `e^self`.
            exp Exp libm::exp, "ieee_exp";
            /// `2^self`.
            exp2 Exp2 libm::exp2, "ieee_exp2";
            /// `e^self - 1`, accurate near 0.
            expm1 Expm1 libm::expm1, "ieee_expm1";
            /// Natural logarithm.
            ln Ln libm::log, "ieee_log";
            /// Logarithm to base 2.
            log2 Log2 libm::log2, "ieee_log2";
            /// Logarithm to base 10.
            log10 Log10 libm::log10, "ieee_log10";
            /// `ln(1 + self)`, accurate near 0.
            log1p Log1p libm::log1p, "ieee_log1p";
            /// Sine of an angle in radians.
            sin Sin libm::sin, "ieee_sin";
            /// Cosine of an angle in radians.
            cos Cos libm::cos, "ieee_cos";
            /// Tangent of an angle in radians.
            tan Tan libm::tan, "ieee_tan";
            /// Hyperbolic sine.
            sinh Sinh libm::sinh, "ieee_sinh";
            /// Hyperbolic cosine.
            cosh Cosh libm::cosh, "ieee_cosh";
            /// Hyperbolic tangent.
            tanh Tanh libm::tanh, "ieee_tanh";
            /// Arc sine.
            asin Asin libm::asin, "ieee_asin";
            /// Arc cosine.
            acos Acos libm::acos, "ieee_acos";
            /// Arc tangent.
            atan Atan libm::atan, "ieee_atan";
            /// Inverse hyperbolic sine.
            asinh Asinh libm::asinh, "ieee_asinh";
            /// Inverse hyperbolic cosine.
            acosh Acosh exact::acosh, "ieee_acosh";
            /// Inverse hyperbolic tangent.
            atanh Atanh libm::atanh, "ieee_atanh";
            /// Error function.
            erf Erf libm::erf, "ieee_erf";
            /// Logistic function, `1 / (1 + e^-self)`.
            sigmoid Sigmoid exact::sigmoid, "ieee_sigmoid";
            /// `self * Phi(self)` with the normal distribution's `Phi`, accurate where that is next to nothing.
            gelu Gelu exact::gelu, "ieee_gelu";
        }
    };
}

macro_rules! math_trait {
    ($($(#[doc = $doc:literal])+ $method:ident $row:ident $function:path, $text:literal;)+) => {
/// Floating-point functions.
///
/// Every interpreter gives NumPy's result for NaN, infinities and signed zeros.
pub trait Math: Arith + Div<Output = Self> + Div<f64, Output = Self> {
    $($(#[doc = $doc])+ fn $method(self) -> Self;)+
    /// `self * factor + term`, rounded once where the hardware can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The magnitude of `self` with the sign bit of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// `self^exponent`, with C99's (and NumPy's) special cases.
    fn pow(self, exponent: Self) -> Self;
    /// The angle of the point `(x, self)`, with C99's (and NumPy's) special cases.
    fn atan2(self, x: Self) -> Self;
    /// `sqrt(self^2 + other^2)` without overflow or underflow on the way.
    fn hypot(self, other: Self) -> Self;
}
    };
}
math_functions!(math_trait);

/// Implements the operators of [`Arith`] (and `Div` with the `float` word) for a wrapper from four named methods.
#[doc(hidden)]
#[macro_export]
macro_rules! math_operators {
    (arith [$($generics:tt)*] $t:ty { $a:ident, $b:ident => add $add:expr, sub $sub:expr, mul $mul:expr, neg $neg:expr $(,)? }) => {
        $crate::math_operators!(@op [$($generics)*] $t, Add, add, $a, $b, $add);
        $crate::math_operators!(@op [$($generics)*] $t, Sub, sub, $a, $b, $sub);
        $crate::math_operators!(@op [$($generics)*] $t, Mul, mul, $a, $b, $mul);
        impl<$($generics)*> core::ops::Neg for $t {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self { let $a = self; $neg }
        }
    };
    (float [$($generics:tt)*] $t:ty { $a:ident, $b:ident => add $add:expr, sub $sub:expr, mul $mul:expr, neg $neg:expr, div $div:expr $(,)? }) => {
        $crate::math_operators!(arith [$($generics)*] $t { $a, $b => add $add, sub $sub, mul $mul, neg $neg });
        $crate::math_operators!(@op [$($generics)*] $t, Div, div, $a, $b, $div);
    };
    (@op [$($generics:tt)*] $t:ty, $trait:ident, $method:ident, $a:ident, $b:ident, $body:expr) => {
        impl<$($generics)*> core::ops::$trait for $t {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self { let ($a, $b) = (self, other); $body }
        }
        impl<$($generics)*> core::ops::$trait<f64> for $t {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: f64) -> Self { let ($a, $b) = (self, $crate::math::Arith::lit(self, other)); $body }
        }
    };
}
