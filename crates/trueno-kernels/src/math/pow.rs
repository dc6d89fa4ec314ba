//! Powers: `|x|^y = 2^(y log2 |x|)`, the logarithm and its product with `y` in double precision of the type.

use super::double::Double;
use super::exp::exp2_of_parts;
use super::{Lookups, Tables};
use super::{clamp, lookup, polynomial};
use crate::simd::{Real, RealOps};

/// log2 of a positive finite value.
///
/// With `s = f / (2 + f)`, `ln(1 + f) = ln((1 + s) / (1 - s)) = 2 s + s^3 (2/3 + s^2 P(s^2))`: all but `P` is kept in
/// two parts.
#[inline(always)]
fn log2_in_parts<V: RealOps>(x: V) -> Double<V> {
    // Sixteen pieces are too few for `f64`: what the cubic term is rounded by would be multiplied by up to 700.
    if V::LOOKUP && V::Elem::RECIPROCALS.len() > 1 {
        return lookup::log2_in_parts(x);
    }
    let token = x.token();
    let (exponent, m) = x.split_exponent();
    let f = m.sub(x.lit(1.0));
    let zero = x.lit(0.0);

    let s = Double { hi: f, lo: zero }.divided_by(Double::ordered_sum(x.lit(2.0), f));
    let square = s.times(s);
    let two_thirds = Double::<V>::constant(token, V::Elem::TWO_THIRDS);
    let series = Double::ordered_sum(two_thirds.hi, square.hi.mul(polynomial(square.hi, V::Elem::ATANH)));
    let cubic = square.times(s).times(series.plus_small(two_thirds.lo));
    let linear = Double { hi: s.hi.add(s.hi), lo: s.lo.add(s.lo) };
    let natural = Double::ordered_sum(linear.hi, cubic.hi).plus_small(linear.lo.add(cubic.lo));
    let fraction = natural.times(Double::constant(token, V::Elem::LOG2_E));
    Double::ordered_sum(exponent, fraction.hi).plus_small(fraction.lo)
}

/// `2^(y log)`.
#[inline(always)]
fn exp2_of_product<V: RealOps>(y: V, log: Double<V>) -> V {
    let product = Double::product(y, log.hi).plus_small(y.mul(log.lo));
    let exponent = Double::ordered_sum(product.hi, product.lo);
    // What is infinite has no second part.
    let [low, high] = V::Elem::EXP2_RANGE;
    let moderate = exponent.hi.abs().lt(y.lit(-low));
    let hi = clamp(V::select(moderate, exponent.hi, product.hi), low, high);
    let lo = V::select(moderate, exponent.lo, y.lit(0.0));
    if V::LOOKUP {
        return lookup::exp2_of_sum(Double { hi, lo });
    }
    let integer = hi.round();
    exp2_of_parts(integer, hi.sub(integer), lo)
}

/// `x^y` with C99's special cases: `pow(x, 0)` and `pow(1, y)` are 1 even for NaN, the sign of a negative base
/// survives odd integral exponents, and a fractional power of a negative finite base is NaN.
#[inline(always)]
pub(crate) fn pow<V: RealOps>(x: V, y: V) -> V {
    let token = x.token();
    let (zero, one) = (x.lit(0.0), x.lit(1.0));
    let infinity = V::splat(token, V::Elem::INFINITY);
    let base = x.abs();
    let magnitude = exp2_of_product(y, log2_in_parts(base));
    let plain = zero.lt(x) & x.lt(infinity) & y.abs().lt(infinity);
    if !V::any(!plain) {
        return magnitude;
    }

    // The ends of the range, and NaN, have no logarithm.
    let inside = zero.lt(base) & base.lt(infinity);
    let inverse = V::select(base.eq(zero), infinity, V::select(base.eq(infinity), zero, base));
    let end = V::select(y.lt(zero), inverse, V::select(y.eq(y), base, y));
    let magnitude = V::select(inside, magnitude, end);

    let integral = y.trunc().eq(y);
    let half = y.mul(x.lit(0.5));
    let odd = integral & !half.trunc().eq(half);
    let sign = V::select(odd, x.and(x.lit(-0.0)), zero);
    let invalid = x.lt(zero) & infinity.neg().lt(x) & y.eq(y) & !integral;
    let result = V::select(invalid, V::splat(token, V::Elem::NAN), magnitude.or(sign));
    // The base -1 with an infinite exponent is 1 as well: its logarithm times infinity is not.
    let unit = y.eq(zero) | x.eq(one) | (base.eq(one) & y.abs().eq(infinity));
    V::select(unit, one, result)
}
