//! Logarithms: `ln x = e ln 2 + ln(1 + f)` with `x = 2^e (1 + f)` and `1 + f` within `sqrt(2)` of 1.

use super::double::Double;
use super::{Tables, polynomial, power_of_two};
use crate::simd::{Real, RealVector, Scalar};

/// `e` and `m` with `x = 2^e m` and `m` from `sqrt(1/2)` to `sqrt(2)`, for positive finite `x`.
#[inline(always)]
pub(super) fn split<V: RealVector>(x: V) -> (V, V) {
    let token = x.token();
    let shift = f64::from(V::Elem::SUBNORMAL_SHIFT);
    let subnormal = x.lt(V::splat(token, V::Elem::MIN_NORMAL));
    let x = V::select(subnormal, x.mul(x.lit((1_u64 << V::Elem::SUBNORMAL_SHIFT) as f64)), x);
    let bias = V::select(subnormal, x.lit(V::Elem::BIAS + shift), x.lit(V::Elem::BIAS));

    let one = x.lit(1.0);
    let biased = x.sub_bits(x.lit(core::f64::consts::FRAC_1_SQRT_2)).add_bits(one).shift_out_exponent();
    let base = V::splat(token, V::Elem::INTEGER_BASE);
    let exponent = biased.or(base).sub(base).sub(bias);
    (exponent, x.sub_bits(biased.shift_into_exponent()).add_bits(one))
}

/// `ln(1 + f) - f`.
#[inline(always)]
fn beyond_linear<V: RealVector>(f: V) -> V {
    f.mul(f).mul(f.mul_add(polynomial(f, V::Elem::LN), f.lit(-0.5)))
}

/// `result`, or what any logarithm gives for 0 (`pole` marks it), negatives, infinity and NaN.
#[inline(always)]
fn with_special<V: RealVector>(x: V, pole: V, result: V) -> V {
    let token = x.token();
    let infinity = V::splat(token, V::Elem::INFINITY);
    let result = V::select(x.lt(infinity), result, x);
    let invalid = V::select(x.eq(pole), infinity.neg(), V::splat(token, V::Elem::NAN));
    V::select(x.le(pole), invalid, result)
}

/// `exponent * unit + (f + beyond) / ln(base)`, for `unit = log_base 2` and `scale = 1 / ln(base)`, in two parts each.
#[inline(always)]
fn in_base<V: RealVector>(x: V, unit: [V::Elem; 2], scale: [V::Elem; 2]) -> V {
    let token = x.token();
    let (exponent, m) = split(x);
    let f = m.sub(x.lit(1.0));
    let fraction = Double::ordered_sum(f, beyond_linear(f)).times(Double::constant(token, scale));
    let unit = Double::<V>::constant(token, unit);
    let whole = Double::ordered_sum(exponent.mul(unit.hi), fraction.hi);
    let result = whole.plus_small(exponent.mul_add(unit.lo, fraction.lo)).round();
    with_special(x, x.lit(0.0), result)
}

/// Natural logarithm.
#[inline(always)]
pub(crate) fn ln<V: RealVector>(x: V) -> V {
    let token = x.token();
    let (exponent, m) = split(x);
    let f = m.sub(x.lit(1.0));
    let whole = Double::ordered_sum(exponent.mul(V::splat(token, V::Elem::LN_2_HI)), f);
    let rest = exponent.mul_add(V::splat(token, V::Elem::LN_2_LO), beyond_linear(f));
    with_special(x, x.lit(0.0), whole.plus_small(rest).round())
}

/// Natural logarithm of a single value.
#[inline(always)]
pub(crate) fn ln_of_one<T: Real>(x: T) -> T {
    ln(T::Vector::<Scalar>::splat(Scalar, x)).first()
}

/// Logarithm to base 2.
#[inline(always)]
pub(crate) fn log2<V: RealVector>(x: V) -> V {
    in_base(x, [V::Elem::ONE, V::Elem::ZERO], V::Elem::LOG2_E)
}

/// Logarithm to base 10.
#[inline(always)]
pub(crate) fn log10<V: RealVector>(x: V) -> V {
    in_base(x, [V::Elem::LOG10_2_HI, V::Elem::LOG10_2_LO], V::Elem::LOG10_E)
}

/// `ln(1 + x)`.
#[inline(always)]
pub(crate) fn log1p<V: RealVector>(x: V) -> V {
    let token = x.token();
    let one = x.lit(1.0);
    let sum = Double::sum(one, x);
    let (exponent, m) = split(sum.hi);
    let f = m.sub(one);
    // What the sum lost, scaled as `m` is. Beyond 2^126 it is nothing, and the power must stay normal.
    let lost = sum.lo.mul(power_of_two(x.lit(126.0).min(exponent).neg()));
    // ln(1 + f + lost) = ln(1 + f) + lost / (1 + f), where three terms of 1 / (1 + f) are enough.
    let correction = lost.mul(f.mul_add(f.sub(one), one));
    let whole = Double::ordered_sum(exponent.mul(V::splat(token, V::Elem::LN_2_HI)), f);
    let rest = exponent.mul_add(V::splat(token, V::Elem::LN_2_LO), beyond_linear(f).add(correction));
    let result = with_special(x, x.lit(-1.0), whole.plus_small(rest).round());
    V::select(x.eq(x.lit(0.0)), x, result)
}
