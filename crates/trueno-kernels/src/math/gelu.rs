//! The Gaussian error linear unit.

use super::double::Double;
use super::exp::reduce;
use super::{Tables, polynomial, precise_polynomial};
use crate::simd::{Real, RealVector};

/// `x Phi(x)` with the normal distribution's `Phi`: `max(x, 0) - |x| Phi(-|x|)`, whose second term is
/// `|x| e^(-x^2/2) R(|x|)` and right in every digit however small it is.
#[inline(always)]
pub(crate) fn gelu<V: RealVector>(x: V) -> V {
    let (zero, one) = (x.lit(0.0), x.lit(1.0));
    let magnitude = x.lit(V::Elem::GELU_ZERO).min(x.abs());
    let square = Double::product(magnitude, magnitude);
    let minus_half = x.lit(-0.5);
    let (n, r) = reduce(square.hi.mul(minus_half));
    let r = square.lo.mul_add(minus_half, r);
    let decay = Double::ordered_sum(one, r).plus_small(r.mul(r).mul(polynomial(r, V::Elem::EXP)));

    let scale = x.lit(GELU_SCALE);
    let denominator = magnitude.mul_add(scale, one);
    let lost = magnitude.mul_add(scale, one.sub(denominator));
    let share = Double { hi: magnitude, lo: zero }.divided_by(Double { hi: denominator, lo: lost });
    let place = share.lo.neg_mul_add(scale, share.hi.neg_mul_add(scale, x.lit(1.0 - GELU_SHIFT)));
    let constant = Double::<V>::constant(x.token(), V::Elem::GELU_CONSTANT);
    let ratio = Double::sum(constant.hi, place.mul(precise_polynomial(place, V::Elem::GELU))).plus_small(constant.lo);
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
