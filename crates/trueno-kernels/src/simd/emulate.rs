//! Rounding to integers and taking values apart, for instruction sets that have no instructions for it.
//!
//! Adding and subtracting 2^MANTISSA_BITS leaves no room for a fraction, so the addition rounds to
//! nearest even. Values of that magnitude and above are integers already; they, infinities and NaN pass through.

use trueno_core::Element;

use super::{Real, RealVector};
use crate::math::Tables;

/// Rounds a magnitude; right for `0 <= magnitude < 2^MANTISSA_BITS`.
#[inline(always)]
fn round_magnitude<V: RealVector>(magnitude: V, limit: V) -> V {
    magnitude.add(limit).sub(limit)
}

/// 2^MANTISSA_BITS, from which on every value is an integer.
#[inline(always)]
fn integer_limit<V: RealVector>(x: V) -> V {
    V::splat(x.token(), V::Elem::from_f64((1_u64 << V::Elem::MANTISSA_BITS) as f64))
}

/// `rounded` with the sign of `x` where `x` can have a fraction, else `x`.
#[inline(always)]
fn unless_integer<V: RealVector>(x: V, rounded: V) -> V {
    V::select(x.abs().lt(integer_limit(x)), rounded.copysign(x), x)
}

/// Nearest integer, ties to even.
#[inline(always)]
pub(super) fn round<V: RealVector>(x: V) -> V {
    unless_integer(x, round_magnitude(x.abs(), integer_limit(x)))
}

/// Integer part.
#[inline(always)]
pub(super) fn trunc<V: RealVector>(x: V) -> V {
    let magnitude = x.abs();
    let nearest = round_magnitude(magnitude, integer_limit(x));
    unless_integer(x, nearest.sub(one_where::<V>(magnitude.lt(nearest), x)))
}

/// Largest integer not above.
#[inline(always)]
pub(super) fn floor<V: RealVector>(x: V) -> V {
    let nearest = round(x);
    unless_integer(x, nearest.sub(one_where::<V>(x.lt(nearest), x)))
}

/// Smallest integer not below.
#[inline(always)]
pub(super) fn ceil<V: RealVector>(x: V) -> V {
    let nearest = round(x);
    unless_integer(x, nearest.add(one_where::<V>(nearest.lt(x), x)))
}

/// 1 where `mask` holds, else 0.
#[inline(always)]
fn one_where<V: RealVector>(mask: V::Mask, x: V) -> V {
    V::select(mask, V::splat(x.token(), V::Elem::ONE), V::splat(x.token(), V::Elem::ZERO))
}

/// `e` and `m` with `x = 2^e m` and `m` from 3/4 to 3/2, for a positive finite `x`.
#[inline(always)]
pub(super) fn split_exponent<V: RealVector>(x: V) -> (V, V) {
    let token = x.token();
    let shift = f64::from(V::Elem::SUBNORMAL_SHIFT);
    let subnormal = x.lt(V::splat(token, V::Elem::MIN_NORMAL));
    let x = V::select(subnormal, x.mul(x.lit((1_u64 << V::Elem::SUBNORMAL_SHIFT) as f64)), x);
    let bias = V::select(subnormal, x.lit(V::Elem::BIAS + shift), x.lit(V::Elem::BIAS));

    let one = x.lit(1.0);
    let biased = x.sub_bits(x.lit(0.75)).add_bits(one).shift_out_exponent();
    let base = V::splat(token, V::Elem::INTEGER_BASE);
    let exponent = biased.or(base).sub(base).sub(bias);
    (exponent, x.sub_bits(biased.shift_into_exponent()).add_bits(one))
}

/// `e` and `m` with `|x| = 2^e m` and `m` from 1 to 2; see [`RealVector::exponent_and_mantissa`].
#[inline(always)]
pub(super) fn exponent_and_mantissa<V: RealVector>(x: V) -> (V, V) {
    let token = x.token();
    let (zero, one, infinity) = (x.lit(0.0), x.lit(1.0), V::splat(token, V::Elem::INFINITY));
    let (exponent, mantissa) = split_exponent(x);
    let low = mantissa.lt(one);
    let exponent = V::select(low, exponent.sub(one), exponent);
    let mantissa = V::select(low, mantissa.add(mantissa), mantissa);
    let regular = zero.lt(x) & x.lt(infinity);
    let exponent = V::select(regular, exponent, V::select(x.eq(zero), infinity.neg(), infinity));
    let end = V::select(x.eq(zero) | x.eq(infinity), one, V::splat(token, V::Elem::NAN));
    (exponent, V::select(regular, mantissa, end))
}

/// The values of a table that the lowest four bits of the lanes number.
#[inline(always)]
pub(super) fn lookup<V: RealVector>(index: V, table: &[V::Elem; 16]) -> V {
    let mut lanes = index.to_lanes();
    for lane in &mut lanes[..V::LANES] {
        *lane = table[(lane.to_bits() & 15) as usize];
    }
    V::from_lanes(index.token(), &lanes)
}

/// The representations of the lanes, shifted right.
#[inline(always)]
pub(super) fn shift_right<V: RealVector>(x: V, bits: u32) -> V {
    let mut lanes = x.to_lanes();
    for lane in &mut lanes[..V::LANES] {
        *lane = V::Elem::from_bits(lane.to_bits() >> bits);
    }
    V::from_lanes(x.token(), &lanes)
}
