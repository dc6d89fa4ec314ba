//! Logarithms: `ln x = e ln 2 + ln(1 + f)` with `x = 2^e (1 + f)` and `1 + f` from 3/4 to 3/2.

use super::double::Double;
use super::{Lookups, Tables, lookup, polynomial, power_of_two};
use crate::simd::{Real, RealOps, RealVector, Scalar};

/// `ln(1 + f) - f`.
#[inline(always)]
fn beyond_linear<V: RealOps>(f: V) -> V {
    let square = f.mul(f);
    square.mul(f).mul_add(polynomial(f, V::Elem::LN), square.mul(f.lit(-0.5)))
}

/// `result`, or what any logarithm gives for 0 (`pole` marks it), negatives, infinity and NaN.
#[inline(always)]
fn with_special<V: RealOps>(x: V, pole: V, result: V) -> V {
    let token = x.token();
    let infinity = V::splat(token, V::Elem::INFINITY);
    if !V::any(!(pole.lt(x) & x.lt(infinity))) {
        return result;
    }
    let result = V::select(x.lt(infinity), result, x);
    let invalid = V::select(x.eq(pole), infinity.neg(), V::splat(token, V::Elem::NAN));
    V::select(x.le(pole), invalid, result)
}

/// `exponent * unit + (f + beyond) / ln(base)`, for `unit = log_base 2` and `scale = 1 / ln(base)`, in two parts each.
#[inline(always)]
fn in_base<V: RealOps>(x: V, unit: [V::Elem; 2], scale: [V::Elem; 2]) -> V {
    let token = x.token();
    let (exponent, m) = x.split_exponent();
    let f = m.sub(x.lit(1.0));
    let fraction = Double::ordered_sum(f, beyond_linear(f)).times(Double::constant(token, scale));
    let unit = Double::<V>::constant(token, unit);
    let whole = Double::ordered_sum(exponent.mul(unit.hi), fraction.hi);
    let result = whole.plus_small(exponent.mul_add(unit.lo, fraction.lo)).round();
    with_special(x, x.lit(0.0), result)
}

/// Natural logarithm.
#[inline(always)]
pub(crate) fn ln<V: RealOps>(x: V) -> V {
    if V::LOOKUP {
        return lookup::ln(x);
    }
    let token = x.token();
    let (exponent, m) = x.split_exponent();
    let f = m.sub(x.lit(1.0));
    let whole = Double::ordered_sum(exponent.mul(V::splat(token, V::Elem::LN_2_HI)), f);
    let rest = exponent.mul_add(V::splat(token, V::Elem::LN_2_LO), beyond_linear(f));
    with_special(x, x.lit(0.0), whole.plus_small(rest).round())
}

/// Natural logarithm of a single value.
#[inline(always)]
pub(crate) fn ln_of_one<T: Real>(x: T) -> T {
    ln(<T::Vector<Scalar> as RealVector>::splat(Scalar, x)).first()
}

/// Logarithm to base 2.
#[inline(always)]
pub(crate) fn log2<V: RealOps>(x: V) -> V {
    if V::LOOKUP {
        return lookup::log(x, &V::Elem::LOG2_PIECES, V::Elem::LOG2_E);
    }
    in_base(x, [V::Elem::ONE, V::Elem::ZERO], V::Elem::LOG2_E)
}

/// Logarithm to base 10.
#[inline(always)]
pub(crate) fn log10<V: RealOps>(x: V) -> V {
    if V::LOOKUP {
        return lookup::log(x, &V::Elem::LOG10_PIECES, V::Elem::LOG10_E);
    }
    in_base(x, [V::Elem::LOG10_2_HI, V::Elem::LOG10_2_LO], V::Elem::LOG10_E)
}

/// `ln(sum) + more ln 2`, for a positive finite sum. Small results have all their digits: the low part may be all that
/// tells the sum from 1.
#[inline(always)]
fn ln_of_sum<V: RealOps>(sum: Double<V>, more: V) -> V {
    if V::LOOKUP {
        return lookup::ln_of_sum(sum, more);
    }
    let token = more.token();
    let one = more.lit(1.0);
    let (exponent, m) = sum.hi.split_exponent();
    let f = m.sub(one);
    // The low part scaled as `m` is. Beyond 2^126 it is nothing, and the power must stay normal.
    let lost = sum.lo.mul(power_of_two(more.lit(126.0).min(exponent).neg()));
    // ln(1 + f + lost) = ln(1 + f) + lost / (1 + f) - lost^2 / 2 + ..; a parabola is within 3 % of 1 / (1 + f), and
    // exact at 0.
    let bend = f.mul_add(f.mul_add(more.lit(0.889), more.lit(-1.054)), lost.mul(more.lit(-0.5)));
    let correction = lost.mul_add(bend, lost);
    let exponent = exponent.add(more);
    // The first two terms are exact, for the rounding errors of the sum that this is a logarithm of come on top.
    let whole = Double::ordered_sum(exponent.mul(V::splat(token, V::Elem::LN_2_HI)), f);
    let half_square = Double::product(f, f.mul(more.lit(-0.5)));
    let total = Double::ordered_sum(whole.hi, half_square.hi).plus_small(whole.lo.add(half_square.lo));
    let cubic = f.mul(f).mul(f).mul(polynomial(f, V::Elem::LN));
    let rest = exponent.mul_add(V::splat(token, V::Elem::LN_2_LO), cubic.add(correction));
    total.plus_small(rest).round()
}

/// `ln(1 + x)`.
#[inline(always)]
pub(crate) fn log1p<V: RealOps>(x: V) -> V {
    let zero = x.lit(0.0);
    let result = with_special(x, x.lit(-1.0), ln_of_sum(Double::sum(x.lit(1.0), x), zero));
    V::select(x.eq(zero), x, result)
}

/// Whether a value is so large that its square says nothing of 1, and `ln(2 x)` is the inverse of both hyperbolic sine
/// and cosine.
#[inline(always)]
fn is_huge<V: RealOps>(x: V) -> V::Mask {
    x.lit((1_u64 << (V::Elem::MANTISSA_BITS / 2 + 2)) as f64).lt(x)
}

/// `ln(1 + small)`, or `ln(2 x)` where `x` is huge.
#[inline(always)]
fn ln_of_one_and<V: RealOps>(small: Double<V>, x: V) -> V {
    let (zero, one) = (x.lit(0.0), x.lit(1.0));
    let huge = is_huge(x);
    let sum = Double::sum(one, small.hi).plus_small(small.lo);
    let sum = Double { hi: V::select(huge, x, sum.hi), lo: V::select(huge, zero, sum.lo) };
    let result = ln_of_sum(sum, V::select(huge, one, zero));
    V::select(x.lt(V::splat(x.token(), V::Elem::INFINITY)), result, x)
}

/// Inverse hyperbolic sine: `ln(1 + x + x^2 / (1 + sqrt(1 + x^2)))`, with the sign of `x`.
#[inline(always)]
pub(crate) fn asinh<V: RealOps>(x: V) -> V {
    let (magnitude, one) = (x.abs(), x.lit(1.0));
    let square = Double::product(magnitude, magnitude);
    let root = Double::sum(one, square.hi).plus_small(square.lo).sqrt();
    let fraction = square.divided_by(root.plus(Double { hi: one, lo: x.lit(0.0) }));
    let excess = Double { hi: magnitude, lo: x.lit(0.0) }.plus(fraction);
    let result = ln_of_one_and(excess, magnitude);
    V::select(magnitude.lt(x.lit(V::Elem::CUBIC_IDENTITY)), magnitude, result).copysign(x)
}

/// Inverse hyperbolic cosine: `ln(1 + t + sqrt(t (t + 2)))` with `t = x - 1`; NaN below 1.
#[inline(always)]
pub(crate) fn acosh<V: RealOps>(x: V) -> V {
    let (zero, one) = (x.lit(0.0), x.lit(1.0));
    let t = Double { hi: x.sub(one), lo: zero };
    let root = Double::sum(x, one).times(t).sqrt();
    V::select(x.lt(one), V::splat(x.token(), V::Elem::NAN), ln_of_one_and(root.plus(t), x))
}

/// Inverse hyperbolic tangent: half of `ln(1 + 2 x / (1 - x))`, with the sign of `x`; NaN beyond 1.
#[inline(always)]
pub(crate) fn atanh<V: RealOps>(x: V) -> V {
    let (magnitude, one, zero) = (x.abs(), x.lit(1.0), x.lit(0.0));
    let fraction = Double { hi: magnitude.add(magnitude), lo: zero }.divided_by(Double::sum(one, magnitude.neg()));
    let sum = Double::sum(one, fraction.hi).plus_small(fraction.lo);
    let result = ln_of_sum(sum, zero).mul(x.lit(0.5));
    let end = V::select(magnitude.eq(one), V::splat(x.token(), V::Elem::INFINITY), V::splat(x.token(), V::Elem::NAN));
    let result = V::select(magnitude.lt(one), result, end);
    V::select(magnitude.lt(x.lit(V::Elem::CUBIC_IDENTITY)), magnitude, result).copysign(x)
}
