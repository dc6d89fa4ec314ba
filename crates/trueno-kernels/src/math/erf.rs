//! The error function.

use super::double::Double;
use super::exp::exp_of_sum;
use super::{Lookups, Tables, polynomial, precise_polynomial};
use crate::simd::RealOps;

/// Where the polynomial of the centre gives way to the tail.
const CENTRE: f64 = 1.1;

/// Error function: `x + x P(x^2)` up to `CENTRE`, from there `1 - e^(-x^2) Q(1 / (1 + x))`, with the sign of `x`.
#[inline(always)]
pub(crate) fn erf<V: RealOps>(x: V) -> V {
    if V::PIECES
        && let Some(pieces) = &V::Elem::ERF_PIECES
    {
        return pieces.odd(x);
    }
    let one = x.lit(1.0);
    let magnitude = x.lit(V::Elem::ERF_ONE).min(x.abs());
    let square = Double::product(magnitude, magnitude);
    let place = square.hi.sub(x.lit(0.375)).add(square.lo);
    let centre = if V::FUSED {
        Double::sum_with_product(magnitude, magnitude, precise_polynomial(place, V::Elem::ERF))
    } else {
        let rest = Double::product(place, polynomial(place, &V::Elem::ERF[1..]));
        let slope = Double::sum(V::splat(x.token(), V::Elem::ERF[0]), rest.hi).plus_small(rest.lo);
        let product = Double::product(magnitude, slope.hi).plus_small(magnitude.mul(slope.lo));
        let centre = Double::ordered_sum(magnitude, product.hi).plus_small(product.lo).round();
        // The parts of an exact product would underflow.
        let tiny = magnitude.lt(x.lit(1e-16));
        V::select(tiny, magnitude.mul_add(x.lit(core::f64::consts::FRAC_2_SQRT_PI - 1.0), magnitude), centre)
    };

    let (n, decay) = exp_of_sum(square.hi.neg(), square.lo.neg());
    let scaled = polynomial(one.div(magnitude.add(one)).sub(x.lit(0.375)), V::Elem::ERFC);
    let tail = Double::sum_with_product(one, decay.round().scale(n).neg(), scaled);
    V::select(magnitude.lt(x.lit(CENTRE)), centre, tail).copysign(x)
}
