//! Sine, cosine and tangent.

use super::double::Double;
use super::reduction::{Reduced, reduce};
use super::{Tables, polynomial};
use crate::simd::{Real, RealVector};

/// Sine of the reduced angle.
#[inline(always)]
fn sin_kernel<V: RealVector>(hi: V, lo: V) -> Double<V> {
    let square = hi.mul(hi);
    let cubic = hi.mul(square).mul(polynomial(square, V::Elem::SIN));
    // sin(hi + lo) = sin(hi) + lo cos(hi), with two terms of the cosine.
    let slope = square.mul_add(hi.lit(-0.5), hi.lit(1.0));
    Double { hi, lo: lo.mul_add(slope, cubic) }
}

/// Cosine of the reduced angle.
#[inline(always)]
fn cos_kernel<V: RealVector>(hi: V, lo: V) -> Double<V> {
    let square = Double::product(hi, hi);
    let quartic = square.hi.mul(square.hi).mul(polynomial(square.hi, V::Elem::COS));
    let minus_half = hi.lit(-0.5);
    let parabola = Double::ordered_sum(hi.lit(1.0), square.hi.mul(minus_half));
    parabola.plus_small(square.lo.mul_add(minus_half, hi.neg_mul_add(lo, quartic)))
}

/// Where the bit of weight `weight` (1 or 2) of an integral `quadrant` is set.
#[inline(always)]
fn has_bit<V: RealVector>(quadrant: V, weight: u64) -> V::Mask {
    let token = quadrant.token();
    let one = quadrant.lit(1.0);
    let integer = quadrant.add(V::splat(token, V::Elem::INTEGER_SHIFT));
    // On top of the representation of 1, so that no subnormal is compared.
    let bit = integer.and(V::splat(token, V::Elem::from_bits(weight))).or(one);
    !bit.eq(one)
}

/// `x` with its sign flipped where `mask` holds.
#[inline(always)]
fn negate_where<V: RealVector>(mask: V::Mask, x: V) -> V {
    V::select(mask, x.neg(), x)
}

/// Sine of `quadrant` quarter turns and the rest.
#[inline(always)]
fn sin_of_quadrant<V: RealVector>(quadrant: V, hi: V, lo: V) -> V {
    let (sine, cosine) = (sin_kernel(hi, lo).round(), cos_kernel(hi, lo).round());
    negate_where(has_bit(quadrant, 2), V::select(has_bit(quadrant, 1), cosine, sine))
}

/// Sine.
#[inline(always)]
pub(crate) fn sin<V: RealVector>(x: V) -> V {
    let Reduced { quadrant, hi, lo } = reduce(x.abs());
    let sign = x.and(x.lit(-0.0));
    sin_of_quadrant(quadrant, hi, lo).xor(sign)
}

/// Cosine: the sine of a quarter turn more.
#[inline(always)]
pub(crate) fn cos<V: RealVector>(x: V) -> V {
    let Reduced { quadrant, hi, lo } = reduce(x.abs());
    sin_of_quadrant(quadrant.add(x.lit(1.0)), hi, lo)
}

/// `yes` where `odd` holds, else `no`.
#[inline(always)]
fn select<V: RealVector>(odd: V::Mask, yes: Double<V>, no: Double<V>) -> Double<V> {
    Double::ordered_sum(V::select(odd, yes.hi, no.hi), V::select(odd, yes.lo, no.lo))
}

/// Tangent.
#[inline(always)]
pub(crate) fn tan<V: RealVector>(x: V) -> V {
    let Reduced { quadrant, hi, lo } = reduce(x.abs());
    let (sine, cosine) = (sin_kernel(hi, lo), cos_kernel(hi, lo));
    let odd = has_bit(quadrant, 1);
    let (numerator, denominator) = (select(odd, cosine, sine), select(odd, sine, cosine));
    let sign = x.and(x.lit(-0.0));
    negate_where::<V>(odd, numerator.divided_by(denominator).round()).xor(sign)
}
