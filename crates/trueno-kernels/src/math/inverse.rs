//! Inverse trigonometric functions.

use super::double::Double;
use super::{Tables, polynomial, precise_polynomial};
use crate::simd::{Real, RealOps};

/// `asin(x)` for `|x| <= 1/2` less `x`.
#[inline(always)]
fn asin_beyond_linear<V: RealOps>(x: V, square: V) -> V {
    x.mul(square).mul(polynomial(square, V::Elem::ASIN))
}

/// Where `|x| > 1/2`, and the arc sine of `x` there: of `|x|` if not, else of `sqrt((1 - |x|) / 2)`, which is half of what
/// `asin |x|` lacks to a quarter turn.
#[inline(always)]
fn asin_folded<V: RealOps>(x: V) -> (V::Mask, Double<V>) {
    let magnitude = x.abs();
    let half = x.lit(0.5);
    let folds = half.lt(magnitude);
    let square = V::select(folds, half.neg_mul_add(magnitude, half), magnitude.mul(magnitude));
    let root = Double { hi: square, lo: x.lit(0.0) }.sqrt();
    let base = Double { hi: V::select(folds, root.hi, magnitude), lo: V::select(folds, root.lo, x.lit(0.0)) };
    (folds, base.plus_small(asin_beyond_linear(base.hi, square)))
}

/// Arc sine.
#[inline(always)]
pub(crate) fn asin<V: RealOps>(x: V) -> V {
    let (folds, arc) = asin_folded(x);
    let folded = half_pi(x).minus(arc.twice()).round();
    V::select(folds, folded, arc.round()).copysign(x)
}

/// Arc cosine.
#[inline(always)]
pub(crate) fn acos<V: RealOps>(x: V) -> V {
    let (folds, arc) = asin_folded(x);
    let negative = x.lt(x.lit(0.0));
    let doubled = arc.twice();
    let near_end = V::select(negative, half_pi(x).twice().minus(doubled).round(), doubled.round());
    let signed = Double { hi: arc.hi.copysign(x), lo: V::select(negative, arc.lo.neg(), arc.lo) };
    V::select(folds, near_end, half_pi(x).minus(signed).round())
}

/// `atan(t + small)` for `0 <= t <= 1` and a `small` that is a rounding error of `t`.
#[inline(always)]
fn atan_of_ratio<V: RealOps>(t: V, small: V) -> Double<V> {
    let square = t.mul(t);
    // The derivative, 1 / (1 + t^2), within a tenth: `small` counts for half a unit at most.
    let slope = square.neg_mul_add(t.lit(0.5), t.lit(1.0));
    let (cube, factor) = (Double::product(t, square), precise_polynomial(square, V::Elem::ATAN));
    let bend = Double::product(cube.hi, factor).plus_small(cube.lo.mul(factor));
    Double::ordered_sum(t, bend.hi).plus_small(small.mul_add(slope, bend.lo))
}

/// Arc tangent.
#[inline(always)]
pub(crate) fn atan<V: RealOps>(x: V) -> V {
    let (zero, one) = (x.lit(0.0), x.lit(1.0));
    // From here on, the result is a quarter turn, and finite arguments have inverses that can be multiplied.
    let magnitude = x.lit(1e30).min(x.abs());
    let inverts = one.lt(magnitude);
    let inverse = Double { hi: magnitude, lo: zero }.inverse();
    let ratio = V::select(inverts, inverse.hi, magnitude);
    let arc = atan_of_ratio(ratio, V::select(inverts, inverse.lo, zero));
    V::select(inverts, half_pi(x).minus(arc).round(), arc.round()).copysign(x)
}

/// `1 / x` for `3/4 <= x <= 3/2` within a hundredth of it: `(1 + T(8/3 x - 3) / 99) / x` with Chebyshev's polynomial of the third degree.
#[inline(always)]
fn near_inverse<V: RealOps>(x: V) -> V {
    x.mul_add(x.lit(2048.0 / 27.0 / 99.0), x.lit(-256.0 / 99.0)).mul_add(x, x.lit(280.0 / 99.0))
}

/// The angle of the point (x, y), with C99's special cases.
#[inline(always)]
pub(crate) fn atan2<V: RealOps>(y: V, x: V) -> V {
    let token = x.token();
    let (zero, infinity) = (x.lit(0.0), V::splat(token, V::Elem::INFINITY));
    let (height, width) = (y.abs(), x.abs());
    let steep = width.lt(height);
    let (large, small) = (V::select(steep, height, width), V::select(steep, width, height));
    // A tiny ratio is the result, and rounded once: scaled first, it could lose digits twice.
    let ratio = small.div(large);
    // What the division leaves needs exponents to spare; a power of two that both are divided by changes nothing else. It counts for half
    // a unit at most, so that its own quotient may be rough.
    let (exponent, mantissa) = large.split_exponent();
    let scaled = small.scale(exponent.neg());
    let rest = Double { hi: scaled, lo: zero }.rest(ratio, Double { hi: mantissa, lo: zero });
    let rest = rest.mul(near_inverse(mantissa));
    // 0 / 0 counts as 0, and infinity over infinity as 1; those have no rest, and that of a tiny ratio is nothing.
    let finite = zero.lt(small) & large.lt(infinity);
    let ratio = V::select(small.eq(infinity), x.lit(1.0), V::select(finite, ratio, zero));
    let arc = atan_of_ratio(ratio, V::select(finite & x.lit(1e-30).lt(scaled), rest, zero));

    let complement = half_pi(x).minus(arc);
    let arc = Double { hi: V::select(steep, complement.hi, arc.hi), lo: V::select(steep, complement.lo, arc.lo) };
    let turned = half_pi(x).twice().minus(arc);
    let left = x.lit(1.0).copysign(x).lt(zero);
    let angle = V::select(left, turned.round(), arc.round()).copysign(y);
    V::select(x.eq(x) & y.eq(y), angle, x.add(y))
}

/// A quarter turn.
#[inline(always)]
fn half_pi<V: RealOps>(x: V) -> Double<V> {
    let [hi, lo, _] = V::Elem::HALF_PI;
    Double::constant(x.token(), [hi, lo])
}
