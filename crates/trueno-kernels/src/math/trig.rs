//! Sine, cosine and tangent.

use super::double::Double;
use super::reduction::{Reduced, reduce};
use super::{Tables, polynomial};
use crate::simd::{Real, RealOps};

/// Sine and cosine of the reduced angle.
#[inline(always)]
fn sin_cos<V: RealOps>(hi: V, lo: V) -> (Double<V>, Double<V>) {
    let Double { hi: square, lo: lost } = Double::product(hi, hi);
    let parabola = Double::ordered_sum(hi.lit(1.0), square.mul(hi.lit(-0.5)));
    let quartic = square.mul(square).mul(polynomial(square, V::Elem::COS));
    let cosine = parabola.plus_small(hi.neg_mul_add(lo, lost.mul_add(hi.lit(-0.5), quartic)));
    // sin(hi + lo) = sin(hi) + lo cos(hi), with two terms of the cosine.
    let slope = hi.mul(polynomial(square, V::Elem::SIN));
    let cubic = slope.mul_add(lost, slope.mul(square));
    (Double { hi, lo: lo.mul_add(parabola.hi, cubic) }, cosine)
}

/// Where an integer in the lowest bits of a representation is odd.
#[inline(always)]
fn is_odd<V: RealOps>(integer: V) -> V::Mask {
    let one = integer.lit(1.0);
    // On top of the representation of 1, so that no subnormal is compared.
    let bit = integer.and(V::splat(integer.token(), V::Elem::from_bits(1))).or(one);
    one.lt(bit)
}

/// `x` with its sign flipped where `mask` holds.
#[inline(always)]
fn negate_where<V: RealOps>(mask: V::Mask, x: V) -> V {
    V::select(mask, x.neg(), x)
}

/// Sine of an angle; its sign bit is flipped where that of `sign` is set.
#[inline(always)]
fn sin_of_quadrant<V: RealOps>(angle: Reduced<V>, sign: V) -> V {
    let (sine, cosine) = sin_cos(angle.hi, angle.lo);
    let magnitude = V::select(is_odd(angle.quadrant), cosine.round(), sine.round());
    magnitude.xor(angle.quadrant.shift_second_bit_into_sign().xor(sign).and(sign.lit(-0.0)))
}

/// Sine.
#[inline(always)]
pub(crate) fn sin<V: RealOps>(x: V) -> V {
    sin_of_quadrant(reduce(x.abs()), x)
}

/// Cosine: the sine of a quarter turn more.
#[inline(always)]
pub(crate) fn cos<V: RealOps>(x: V) -> V {
    let angle = reduce(x.abs());
    sin_of_quadrant(Reduced { quadrant: angle.quadrant.add(x.lit(1.0)), ..angle }, x.lit(0.0))
}

/// `yes` where `odd` holds, else `no`.
#[inline(always)]
fn select<V: RealOps>(odd: V::Mask, yes: Double<V>, no: Double<V>) -> Double<V> {
    Double::ordered_sum(V::select(odd, yes.hi, no.hi), V::select(odd, yes.lo, no.lo))
}

/// Tangent.
#[inline(always)]
pub(crate) fn tan<V: RealOps>(x: V) -> V {
    let angle = reduce(x.abs());
    let (sine, cosine) = sin_cos(angle.hi, angle.lo);
    let odd = is_odd(angle.quadrant);
    let (numerator, denominator) = (select(odd, cosine, sine), select(odd, sine, cosine));
    let sign = x.and(x.lit(-0.0));
    negate_where::<V>(odd, numerator.divided_by(denominator).round()).xor(sign)
}
