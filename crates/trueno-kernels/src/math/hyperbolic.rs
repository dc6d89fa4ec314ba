//! Hyperbolic functions.

use super::double::Double;
use super::exp::{lost_by_reduction, nearest_exponent, reduce};
use super::{Lookups, Tables, polynomial, power_of_two};
use crate::simd::RealOps;

/// Where `x + x^3 P(x^2)` gives way to `1 - 2 e^(-2x) / (1 + e^(-2x))`: from here on, the fraction is less than 1/3, so
/// that its rounding errors count for less than a third. The largest of them, that of `e^(-2x)`, is carried along.
const CENTRE: f64 = 0.85;

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<V: RealOps>(x: V) -> V {
    if V::PIECES
        && let Some(pieces) = &V::Elem::TANH_PIECES
    {
        return pieces.odd(x);
    }
    let magnitude = x.lit(V::Elem::TANH_ONE).min(x.abs());
    let square = x.mul(x);
    let centre = Double::sum_with_product(x, x, square.mul(polynomial(square, V::Elem::TANH)));

    // -2 e^(-2|x|) = 2^n (-2 e^(-2r)) with |x| = r - n ln(2) / 2.
    let (n, shifted) = nearest_exponent(magnitude, -2.0 * core::f64::consts::LOG2_E);
    let (half, token) = (n.mul(x.lit(0.5)), x.token());
    let r = half.mul_add(V::splat(token, V::Elem::LN_2_HI), magnitude);
    let r = half.mul_add(V::splat(token, V::Elem::LN_2_LO), r);
    let slope = r.mul_add(polynomial(r, V::Elem::TANH_EXP), x.lit(4.0));
    let scale = shifted.shift_into_exponent();
    let product = Double::product(r, slope);
    let decay = Double::ordered_sum(x.lit(-2.0), product.hi).plus_small(product.lo);
    let (decay, lost) = (decay.hi.mul(scale), decay.lo.mul(scale));
    let factor = polynomial(decay, V::Elem::TANH_TAIL);
    let product = Double::product(decay, factor).plus_small(lost.mul(factor));
    let tail = Double::ordered_sum(x.lit(1.0), product.hi).plus_small(product.lo).round();
    V::select(magnitude.lt(x.lit(CENTRE)), centre, tail).copysign(x)
}

/// Half of the hyperbolic sine and cosine of a magnitude, each short of its last rounding.
///
/// With `x = n ln 2 + r`: `2 sinh x = (2^n - 2^-n) cosh r + (2^n + 2^-n) sinh r`, and the cosine with the signs swapped,
/// where both factors are sums of two floats.
#[inline(always)]
fn halved_sinh_cosh<V: RealOps>(magnitude: V) -> (Double<V>, Double<V>) {
    let (n, r) = reduce(magnitude);
    let lost = lost_by_reduction(magnitude, n, r);

    let square = r.mul(r);
    let cosine = square.mul(square).mul_add(polynomial(square, V::Elem::COSH), square.mul(magnitude.lit(0.5)));
    let cosine = lost.mul_add(r, cosine);
    let sine = Double { hi: r, lo: r.mul(square).mul_add(polynomial(square, V::Elem::SINH), lost) };

    let two = magnitude.lit(2.0);
    let lowest = magnitude.lit(2.0 - V::Elem::BIAS);
    let (up, down) = (power_of_two(n.sub(two)), power_of_two(n.neg().sub(two).max(lowest)));
    let (sum, difference) = (Double::ordered_sum(up, down), Double::ordered_sum(up, down.neg()));
    (weighted(difference, cosine, sum, sine), weighted(sum, cosine, difference, sine))
}

/// `first (1 + cosine) + second sine`.
#[inline(always)]
fn weighted<V: RealOps>(first: Double<V>, cosine: V, second: Double<V>, sine: Double<V>) -> Double<V> {
    let product = second.times(sine);
    let total = Double::sum(first.hi, product.hi);
    total.plus_small(first.hi.mul_add(cosine, first.lo.add(product.lo)))
}

/// Hyperbolic sine.
#[inline(always)]
pub(crate) fn sinh<V: RealOps>(x: V) -> V {
    let magnitude = x.lit(V::Elem::EXP_RANGE[1] + 0.6).min(x.abs());
    let (sinh, _) = halved_sinh_cosh(magnitude);
    let result = sinh.round().mul(x.lit(2.0));
    V::select(magnitude.lt(x.lit(V::Elem::CUBIC_IDENTITY)), magnitude, result).copysign(x)
}

/// Hyperbolic cosine.
#[inline(always)]
pub(crate) fn cosh<V: RealOps>(x: V) -> V {
    let magnitude = x.lit(V::Elem::EXP_RANGE[1] + 0.6).min(x.abs());
    let (_, cosh) = halved_sinh_cosh(magnitude);
    cosh.round().mul(x.lit(2.0))
}
