//! The Gaussian error linear unit.

use super::double::Double;
use super::exp::exp_of_sum;
use super::lookup::{self, Parts, Pieces};
use super::{Lookups, Tables, precise_polynomial};
use crate::simd::{Real, RealOps};

/// `x Phi(x)` with the normal distribution's `Phi`: `max(x, 0) - |x| Phi(-|x|)`, whose second term is
/// `|x| e^(-x^2/2) R(|x|)` and right in every digit however small it is.
#[inline(always)]
pub(crate) fn gelu<V: RealOps>(x: V) -> V {
    // Few arguments are far below 0, and without the exponential that those need it takes half as long.
    if V::PIECES
        && let Some(near) = &V::Elem::GELU_NEAR
        && !V::any(!near.end::<V>(x.token()).neg().lt(x))
    {
        return by_parts(x, near);
    }
    match &V::Elem::GELU_PIECES {
        Some(pieces) if V::LOOKUP => by_pieces(x, pieces),
        _ => by_exponential(x),
    }
}

/// By a polynomial in `1 / (1 + c |x|)`, for all arguments and instruction sets.
#[inline(always)]
fn by_exponential<V: RealOps>(x: V) -> V {
    let (zero, one) = (x.lit(0.0), x.lit(1.0));
    let magnitude = x.lit(V::Elem::GELU_ZERO).min(x.abs());
    let square = Double::product(magnitude, magnitude);
    let minus_half = x.lit(-0.5);
    let (n, decay) = exp_of_sum(square.hi.mul(minus_half), square.lo.mul(minus_half));

    let scale = x.lit(GELU_SCALE);
    let denominator = magnitude.mul_add(scale, one);
    let lost = magnitude.mul_add(scale, one.sub(denominator));
    let share = Double { hi: magnitude, lo: zero }.divided_by(Double { hi: denominator, lo: lost });
    let place = Double { hi: x.lit(1.0 - GELU_SHIFT), lo: zero }.rest(share.hi, Double { hi: scale, lo: zero });
    let place = share.lo.neg_mul_add(scale, place);
    let constant = Double::<V>::constant(x.token(), V::Elem::GELU_CONSTANT);
    let rest = Double::product(place, precise_polynomial(place, V::Elem::GELU));
    let ratio = Double::sum(constant.hi, rest.hi).plus_small(constant.lo.add(rest.lo));
    let tail = share.times(ratio).times(decay).round().scale(n);
    let result = x.max(zero).sub(tail).copysign(x);
    // As PyTorch: the product of the definition has no value there.
    let infinity = V::splat(x.token(), V::Elem::INFINITY);
    V::select(x.eq(infinity.neg()), V::splat(x.token(), V::Elem::NAN), result)
}

/// `R(x) = u P(u - GELU_SHIFT)` with `u = 1 / (1 + GELU_SCALE x)`, so that `x R(x) = s P(1 - GELU_SCALE s - GELU_SHIFT)`
/// with `s = x / (1 + GELU_SCALE x)`.
const GELU_SCALE: f64 = 0.3125;
const GELU_SHIFT: f64 = 0.5;

/// With `Phi(-|x|)` from its parts, for arguments above the negative of their end.
#[inline(always)]
fn by_parts<V: RealOps>(x: V, parts: &Parts<V::Elem>) -> V {
    let magnitude = parts.end::<V>(x.token()).min(x.abs());
    // What the smallest numbers leave can be a zero of either sign.
    magnitude.neg_mul_add(parts.at(magnitude), x.max(x.lit(0.0))).copysign(x)
}

/// With `|x| R(|x|)` from its pieces.
///
/// The machine looks a few vectors ahead and no further, so what counts is how few instructions there are and how few of them wait
/// for one another.
#[inline(always)]
fn by_pieces<V: RealOps>(x: V, pieces: &Pieces<V::Elem>) -> V {
    let (token, zero) = (x.token(), x.lit(0.0));
    let magnitude = pieces.magnitude(x);
    // e^(-x^2/2) = 2^n e^r.
    let exponent = Double::product(magnitude.mul(x.lit(-0.5)), magnitude);
    let (n, shifted) = lookup::nearest_sixteenth(exponent.hi, core::f64::consts::LOG2_E);
    let [hi, lo] = V::Elem::LN_PIECES.unit();
    let r = n.neg_mul_add(V::splat(token, hi), exponent.hi).add(n.neg_mul_add(V::splat(token, lo), exponent.lo));
    let decay = lookup::power_of_sixteenths(shifted, lookup::expm1_near_zero(r));
    let ratio = pieces.at(magnitude);
    let tail = ratio.mul_add(decay.hi, ratio.mul(decay.lo)).scale_by_floor(n);
    // max(x, 0), but NaN for -inf: as PyTorch, for the product of the definition has no value there.
    let positive = x.max(zero.min(x).mul(zero));
    // The tail of the smallest numbers can round to a zero of either sign.
    positive.sub(tail).copysign(x)
}
