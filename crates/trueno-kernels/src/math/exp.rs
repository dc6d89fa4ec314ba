//! Exponential functions: `e^x = 2^n e^r` with `r = x - n ln 2`.

use super::double::Double;
use super::{Tables, clamp, lookup, polynomial, power_of_two};
use crate::simd::RealOps;

/// The integer nearest to `x * factor`, as a value, and as a representation whose lowest bits are that integer plus
/// the exponent bias.
#[inline(always)]
pub(super) fn nearest_exponent<V: RealOps>(x: V, factor: f64) -> (V, V) {
    let shift = V::splat(x.token(), V::Elem::EXPONENT_ONE);
    // The sum has no room for a fraction.
    let shifted = x.mul_add(x.lit(factor), shift);
    (shifted.sub(shift), shifted)
}

/// `n` and `r` with `x = n ln 2 + r`.
#[inline(always)]
pub(super) fn reduce<V: RealOps>(x: V) -> (V, V) {
    let token = x.token();
    let (n, _) = nearest_exponent(x, core::f64::consts::LOG2_E);
    let r = n.neg_mul_add(V::splat(token, V::Elem::LN_2_HI), x);
    (n, n.neg_mul_add(V::splat(token, V::Elem::LN_2_LO), r))
}

/// What [`reduce`] loses of `x` by rounding `r`.
#[inline(always)]
pub(super) fn lost_by_reduction<V: RealOps>(x: V, n: V, r: V) -> V {
    let rough = n.neg_mul_add(V::splat(x.token(), V::Elem::LN_2_HI), x);
    n.neg_mul_add(V::splat(x.token(), V::Elem::LN_2_LO), rough.sub(r))
}

/// `e^r - 1` for `|r| <= ln(2) / 2`.
#[inline(always)]
pub(super) fn expm1_of_rest<V: RealOps>(r: V) -> V {
    r.mul(r).mul_add(polynomial(r, V::Elem::EXP), r)
}

/// `2^(integer + fraction + small)` for an integral `integer`, `|fraction| <= 1/2` and a much smaller `small`.
#[inline(always)]
pub(super) fn exp2_of_parts<V: RealOps>(integer: V, fraction: V, small: V) -> V {
    let slope = polynomial(fraction, V::Elem::EXP2);
    // The power is 1 at 0, where its slope is ln 2; away from there `small` counts for as much as the power does.
    let power = Double::ordered_sum(integer.lit(1.0), fraction.mul(slope));
    let power = power.plus_small(small.mul(integer.lit(core::f64::consts::LN_2)).mul(power.hi));
    power.round().scale_by_floor(integer)
}

/// `n` and `p` with `e^(x + small) = 2^n p`, for a `small` that is a rounding error of `x`.
#[inline(always)]
pub(super) fn exp_of_sum<V: RealOps>(x: V, small: V) -> (V, Double<V>) {
    let (n, r) = reduce(x);
    let r = r.add(small);
    (n, Double::ordered_sum(x.lit(1.0), r).plus_small(r.mul(r).mul(polynomial(r, V::Elem::EXP))))
}

/// `e^x` for `x` within `EXP_RANGE`, or NaN.
#[inline(always)]
pub(super) fn exp_in_range<V: RealOps>(x: V) -> V {
    if V::LOOKUP {
        return lookup::exp_in_range(x);
    }
    let (n, r) = reduce(x);
    expm1_of_rest(r).add(x.lit(1.0)).scale(n)
}

/// `e^x`.
#[inline(always)]
pub(crate) fn exp<V: RealOps>(x: V) -> V {
    let [low, high] = V::Elem::EXP_RANGE;
    exp_in_range(clamp(x, low, high))
}

/// `2^x`.
#[inline(always)]
pub(crate) fn exp2<V: RealOps>(x: V) -> V {
    let [low, high] = V::Elem::EXP2_RANGE;
    let x = clamp(x, low, high);
    if V::LOOKUP {
        return lookup::exp2_in_range(x);
    }
    let (n, _) = nearest_exponent(x, 1.0);
    let fraction = x.sub(n);
    // e^(fraction ln 2), whose linear term is exact but for what is added last.
    let [hi, lo] = V::Elem::LN_2.map(|part| V::splat(x.token(), part));
    let r = Double::product(fraction, hi);
    let rest = fraction.mul_add(lo, r.lo).add(r.hi.mul(r.hi).mul(polynomial(r.hi, V::Elem::EXP)));
    Double::ordered_sum(x.lit(1.0), r.hi).plus_small(rest).round().scale(n)
}

/// `e^x - 1`.
#[inline(always)]
pub(crate) fn expm1<V: RealOps>(x: V) -> V {
    // Below -40 the result is -1 in either type.
    let inside = clamp(x, -40.0, V::Elem::EXP_RANGE[1]);
    let (n, r) = reduce(inside);
    let power = Double::ordered_sum(r, r.mul(r).mul(polynomial(r, V::Elem::EXP)));
    let power = power.plus_small(lost_by_reduction(inside, n, r));
    // Half of 2^n (1 + power) - 1, so that it overflows no sooner than the result.
    let scale = power_of_two(n.sub(x.lit(1.0)));
    let constant = Double::sum(scale, x.lit(-0.5));
    // The constant is 0, or larger than the rest: |power| < 0.42 and, for n != 0, |scale - 1/2| >= scale / 2.
    let total = Double::ordered_sum(constant.hi, scale.mul(power.hi));
    let result = total.plus_small(scale.mul_add(power.lo, constant.lo)).round().mul(x.lit(2.0));
    V::select(x.abs().lt(x.lit(V::Elem::EXPM1_IDENTITY)), x, result)
}
