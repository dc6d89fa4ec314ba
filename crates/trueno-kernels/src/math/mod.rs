//! Elementary functions over SIMD vectors, written once for `f32` and `f64` and every instruction set.
//!
//! The algorithms are the textbook ones (Muller et al., *Handbook of Floating-Point Arithmetic*, chapter 10):
//! reduce the argument with more precision than the type has, evaluate a minimax polynomial, put the result
//! together from a large and a small part. What differs between the types are the constants in [`Tables`]. Where the
//! instructions look values up in a register, the reduction goes further, by the tables of [`Lookups`].
//!
//! Largest errors, over all values of `f32`, are in `docs/accuracy.md`, which `cargo xtask accuracy` writes. `f64` is
//! within 2 units in the last place of the oracle in the tests' samples. NaN, infinities, signed zeros and subnormals
//! are as in IEEE 754 and NumPy.

mod double;
mod erf;
mod exp;
mod gelu;
mod hyperbolic;
mod hypot;
mod inverse;
mod log;
mod lookup;
mod pow;
mod reduction;
mod sigmoid;
mod tables;
mod trig;

pub(crate) use erf::erf;
pub(crate) use exp::{exp, exp2, expm1};
pub(crate) use gelu::gelu;
pub(crate) use hyperbolic::{cosh, sinh, tanh};
pub(crate) use hypot::hypot;
pub(crate) use inverse::{acos, asin, atan, atan2};
pub(crate) use log::{acosh, asinh, atanh, ln, ln_of_one, log1p, log2, log10};
pub use lookup::Lookups;
pub(crate) use pow::pow;
pub use reduction::TWO_OVER_PI;
pub(crate) use reduction::reduce_far;
pub(crate) use sigmoid::sigmoid;
pub use tables::Tables;
pub(crate) use trig::{cos, sin, tan};

use crate::simd::RealOps;

/// What is an instruction of the vector, under the name that the table has for it.
macro_rules! instructions {
    ($($name:ident)*) => {$(
        #[inline(always)]
        pub(crate) fn $name<V: RealOps>(x: V) -> V {
            x.$name()
        }
    )*};
}
instructions!(sqrt floor ceil trunc round);

/// The polynomial with these coefficients, the constant one first.
///
/// By Estrin's scheme within blocks of four and Horner's rule from block to block: about as many instructions as
/// Horner's rule alone, but a third as many that wait for one another, which is what the time goes into. The constant
/// coefficient, on which the error depends most, is added last.
#[inline(always)]
fn polynomial<V: RealOps>(x: V, coefficients: &[V::Elem]) -> V {
    let (constant, others) = (V::splat(x.token(), coefficients[0]), &coefficients[1..]);
    let square = x.mul(x);
    let fourth = square.mul(square);
    let mut start = (others.len() - 1) / 4 * 4;
    let mut sum = cubic(x, square, &others[start..]);
    while start > 0 {
        start -= 4;
        sum = sum.mul_add(fourth, cubic(x, square, &others[start..start + 4]));
    }
    sum.mul_add(x, constant)
}

/// As [`polynomial`], with a slower and more precise end: the linear coefficient is added by Horner's rule too.
#[inline(always)]
fn precise_polynomial<V: RealOps>(x: V, coefficients: &[V::Elem]) -> V {
    polynomial(x, &coefficients[1..]).mul_add(x, V::splat(x.token(), coefficients[0]))
}

/// The polynomial with up to four coefficients, given the square of its argument.
#[inline(always)]
fn cubic<V: RealOps>(x: V, square: V, coefficients: &[V::Elem]) -> V {
    let token = x.token();
    let lower = match coefficients {
        [a, b, ..] => V::splat(token, *b).mul_add(x, V::splat(token, *a)),
        [a] => V::splat(token, *a),
        [] => x.lit(0.0),
    };
    match coefficients {
        [_, _, c, d] => V::splat(token, *d).mul_add(x, V::splat(token, *c)).mul_add(square, lower),
        [_, _, c] => V::splat(token, *c).mul_add(square, lower),
        _ => lower,
    }
}

/// `x` with what lies outside `low..=high` replaced by the bound; NaN stays.
#[inline(always)]
fn clamp<V: RealOps>(x: V, low: f64, high: f64) -> V {
    x.lit(low).max(x.lit(high).min(x))
}

/// 2^exponent for an integral `exponent` that gives a normal value.
#[inline(always)]
fn power_of_two<V: RealOps>(exponent: V) -> V {
    exponent.add(V::splat(exponent.token(), V::Elem::EXPONENT_ONE)).shift_into_exponent()
}

#[cfg(test)]
mod tests;
