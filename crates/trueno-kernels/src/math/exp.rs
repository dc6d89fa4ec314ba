//! Exponential functions: `e^x = 2^n e^r` with `r = x - n ln 2`.

use super::double::Double;
use super::{Tables, clamp, polynomial, power_of_two};
use crate::simd::RealVector;

/// `e^r - 1 - r` for `|r| <= ln(2) / 2`.
#[inline(always)]
fn beyond_linear<V: RealVector>(r: V) -> V {
    r.mul(r).mul(polynomial(r, V::Elem::EXP))
}

/// `n` and `r` with `x = n ln 2 + r`.
#[inline(always)]
fn reduce<V: RealVector>(x: V) -> (V, V) {
    let token = x.token();
    let n = x.mul(x.lit(core::f64::consts::LOG2_E)).round();
    let r = n.neg_mul_add(V::splat(token, V::Elem::LN_2_HI), x);
    (n, n.neg_mul_add(V::splat(token, V::Elem::LN_2_LO), r))
}

/// `2^(integer + fraction + small)` for an integral `integer`, `|fraction| <= 1/2` and a much smaller `small`.
#[inline(always)]
pub(super) fn exp2_of_parts<V: RealVector>(integer: V, fraction: V, small: V) -> V {
    let token = integer.token();
    let ln_2 = Double::<V>::constant(token, V::Elem::LN_2);
    let r = Double::ordered_sum(fraction, small).times(ln_2);
    let power = Double::ordered_sum(integer.lit(1.0), r.hi).plus_small(beyond_linear(r.hi).add(r.lo));
    power.round().scale(integer)
}

/// `e^x` for `x` within `EXP_RANGE`, or NaN.
#[inline(always)]
pub(super) fn exp_in_range<V: RealVector>(x: V) -> V {
    let (n, r) = reduce(x);
    Double::ordered_sum(x.lit(1.0), r).plus_small(beyond_linear(r)).round().scale(n)
}

/// `e^x`.
#[inline(always)]
pub(crate) fn exp<V: RealVector>(x: V) -> V {
    let [low, high] = V::Elem::EXP_RANGE;
    exp_in_range(clamp(x, low, high))
}

/// `2^x`.
#[inline(always)]
pub(crate) fn exp2<V: RealVector>(x: V) -> V {
    let [low, high] = V::Elem::EXP2_RANGE;
    let x = clamp(x, low, high);
    let n = x.round();
    exp2_of_parts(n, x.sub(n), x.lit(0.0))
}

/// `(e^x - 1) / 2`, for `x` not beyond `EXP_RANGE`: half, so that it overflows no sooner than the result.
#[inline(always)]
pub(super) fn half_expm1<V: RealVector>(x: V) -> Double<V> {
    let (n, r) = reduce(x);
    let power = Double::ordered_sum(r, beyond_linear(r));
    // 2^(n-1) (1 + power) - 1/2
    let scale = power_of_two(n.sub(x.lit(1.0)));
    let constant = Double::sum(scale, x.lit(-0.5));
    // The constant is 0, or larger than the rest: |power| < 0.42 and, for n != 0, |scale - 1/2| >= scale / 2.
    let total = Double::ordered_sum(constant.hi, scale.mul(power.hi));
    total.plus_small(scale.mul_add(power.lo, constant.lo))
}

/// `e^x - 1`.
#[inline(always)]
pub(crate) fn expm1<V: RealVector>(x: V) -> V {
    // Below -40 the result is -1 in either type.
    let inside = clamp(x, -40.0, V::Elem::EXP_RANGE[1]);
    let result = half_expm1(inside).round().mul(x.lit(2.0));
    V::select(x.abs().lt(x.lit(V::Elem::EXPM1_IDENTITY)), x, result)
}
