//! The length of a vector.

use super::double::Double;
use crate::simd::{Real, RealOps};

/// `sqrt(x^2 + y^2)` without overflow or underflow on the way; infinite if either is, even beside NaN.
#[inline(always)]
pub(crate) fn hypot<V: RealOps>(x: V, y: V) -> V {
    let token = x.token();
    let (zero, infinity) = (x.lit(0.0), V::splat(token, V::Elem::INFINITY));
    let (x, y) = (x.abs(), y.abs());
    let first = y.lt(x);
    let (large, small) = (V::select(first, x, y), V::select(first, y, x));
    let (exponent, mantissa) = large.split_exponent();
    // Below 2^-64 of the larger one, the smaller one is nothing.
    let other = small.scale(exponent.neg());
    let (square, beside) = (Double::product(mantissa, mantissa), Double::product(other, other));
    let sum = Double::sum(square.hi, beside.hi).plus_small(square.lo.add(beside.lo));
    let length = sum.round().sqrt().scale(exponent);
    let length = V::select(large.eq(zero), zero, length);
    let length = V::select(x.eq(x) & y.eq(y), length, x.add(y));
    V::select(x.eq(infinity) | y.eq(infinity), infinity, length)
}
