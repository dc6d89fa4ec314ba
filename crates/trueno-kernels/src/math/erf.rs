//! The error function.

use super::double::Double;
use super::exp::exp_in_range;
use super::{Tables, polynomial};
use crate::simd::RealVector;

/// Error function: `x + x P(x^2)` up to 1, from there `1 - e^(-x^2) Q(1 / (1 + x))`, with the sign of `x`.
#[inline(always)]
pub(crate) fn erf<V: RealVector>(x: V) -> V {
    let one = x.lit(1.0);
    let magnitude = x.lit(V::Elem::ERF_ONE).min(x.abs());
    let square = Double::product(magnitude, magnitude);
    let centre = magnitude.mul_add(polynomial(square.hi.sub(x.lit(0.5)), V::Elem::ERF), magnitude);

    let decay = exp_in_range(square.hi.neg());
    let decay = decay.neg_mul_add(square.lo, decay);
    let scaled = polynomial(one.div(magnitude.add(one)).sub(x.lit(0.375)), V::Elem::ERFC);
    let tail = decay.neg_mul_add(scaled, one);
    V::select(magnitude.lt(one), centre, tail).copysign(x)
}
