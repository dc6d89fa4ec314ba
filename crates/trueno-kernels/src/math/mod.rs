//! Elementary functions over SIMD vectors, written once for `f32` and `f64` and every instruction set.
//!
//! The algorithms are the textbook ones (Muller et al., *Handbook of Floating-Point Arithmetic*, chapter 10):
//! reduce the argument with more precision than the type has, evaluate a minimax polynomial, put the result
//! together from a large and a small part. What differs between the types are the constants in [`Tables`].
//!
//! Largest errors, in units in the last place of `f32`, over every 131st of its values (`examples/ulp.rs` measures them,
//! over all values if asked): exp 0.76, exp2 0.76, expm1 0.98, ln 0.90, log2 0.92, log10 0.81, log1p 0.92, sin 0.82,
//! cos 0.82, tan 0.96, tanh 0.82, and erf 1.14, where e^(-x^2) just above 1 is rounded a few times. `pow` stays
//! below 2 and `f64` within 2 of the oracle's in the tests' samples. NaN, infinities, signed zeros and subnormals are
//! as in IEEE 754 and NumPy.

mod double;
mod erf;
mod exp;
mod hyperbolic;
mod log;
mod pow;
mod reduction;
mod tables;
mod trig;

pub(crate) use erf::erf;
pub(crate) use exp::{exp, exp2, expm1};
pub(crate) use hyperbolic::tanh;
pub(crate) use log::{ln, ln_of_one, log1p, log2, log10};
pub(crate) use pow::pow;
pub use tables::Tables;
pub(crate) use trig::{cos, sin, tan};

use crate::simd::RealVector;

/// The polynomial with these coefficients, the constant one first, by Horner's rule.
#[inline(always)]
fn polynomial<V: RealVector>(x: V, coefficients: &[V::Elem]) -> V {
    let token = x.token();
    let mut degree = coefficients.len() - 1;
    let mut sum = V::splat(token, coefficients[degree]);
    while degree > 0 {
        degree -= 1;
        sum = sum.mul_add(x, V::splat(token, coefficients[degree]));
    }
    sum
}

/// `x` with what lies outside `low..=high` replaced by the bound; NaN stays.
#[inline(always)]
fn clamp<V: RealVector>(x: V, low: f64, high: f64) -> V {
    x.lit(low).max(x.lit(high).min(x))
}

/// 2^exponent for an integral `exponent` that gives a normal value.
#[inline(always)]
fn power_of_two<V: RealVector>(exponent: V) -> V {
    exponent.add(V::splat(exponent.token(), V::Elem::EXPONENT_ONE)).shift_into_exponent()
}

#[cfg(test)]
mod tests;
