//! The error function.

use super::double::Double;
use super::exp::exp_in_range;
use super::{Lookups, Tables, polynomial, precise_polynomial};
use crate::simd::RealOps;

/// Where the polynomial of the centre gives way to the tail.
const CENTRE: f64 = 1.1;

/// Error function: `x + x P(x^2)` up to `CENTRE`, from there `1 - e^(-x^2) Q(1 / (1 + x))`, with the sign of `x`.
#[inline(always)]
pub(crate) fn erf<V: RealOps>(x: V) -> V {
    if V::LOOKUP
        && let Some(pieces) = &V::Elem::ERF_PIECES
    {
        return pieces.odd(x);
    }
    let one = x.lit(1.0);
    let magnitude = x.lit(V::Elem::ERF_ONE).min(x.abs());
    let square = Double::product(magnitude, magnitude);
    let slope = precise_polynomial(square.hi.sub(x.lit(0.375)).add(square.lo), V::Elem::ERF);
    let mut centre = Double::sum_with_product(magnitude, magnitude, slope);
    if !V::FUSED {
        // The parts of an exact product would underflow.
        let tiny = magnitude.lt(x.lit(1e-16));
        centre = V::select(tiny, magnitude.mul_add(x.lit(core::f64::consts::FRAC_2_SQRT_PI - 1.0), magnitude), centre);
    }

    let decay = exp_in_range(square.hi.neg());
    let decay = decay.neg_mul_add(square.lo, decay);
    let scaled = polynomial(one.div(magnitude.add(one)).sub(x.lit(0.375)), V::Elem::ERFC);
    let tail = decay.neg_mul_add(scaled, one);
    V::select(magnitude.lt(x.lit(CENTRE)), centre, tail).copysign(x)
}
