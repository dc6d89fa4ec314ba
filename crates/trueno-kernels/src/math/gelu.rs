//! The Gaussian error linear unit.

use super::double::Double;
use super::exp::reduce;
use super::lookup::{self, Pieces};
use super::{Lookups, Tables, polynomial, precise_polynomial};
use crate::simd::{Real, RealOps};

/// `x Phi(x)` with the normal distribution's `Phi`: `max(x, 0) - |x| Phi(-|x|)`, whose second term is
/// `|x| e^(-x^2/2) R(|x|)` and right in every digit however small it is.
#[inline(always)]
pub(crate) fn gelu<V: RealOps>(x: V) -> V {
    if V::LOOKUP
        && let Some(pieces) = &V::Elem::GELU_PIECES
    {
        return by_pieces(x, pieces);
    }
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

/// The same, with `|x| R(|x|)` from its pieces.
#[inline(always)]
fn by_pieces<V: RealOps>(x: V, pieces: &Pieces<V::Elem>) -> V {
    let half = x.lit(0.5);
    let magnitude = pieces.magnitude(x);
    let square = Double::product(magnitude, magnitude);
    // e^(-x^2/2) = 2^n e^(-r/2) with x^2 = r - 2 n ln 2.
    let (n, shifted) = lookup::nearest_sixteenth(square.hi, -0.5 * core::f64::consts::LOG2_E);
    let [hi, lo] = V::Elem::LN_PIECES.unit();
    let twice = n.add(n);
    let r = twice.mul_add(V::splat(x.token(), hi), square.hi).add(square.lo);
    let r = twice.mul_add(V::splat(x.token(), lo), r);
    let growth = lookup::expm1_near_zero(r.mul(half.neg()));
    let decay = lookup::power_of_sixteenths(shifted, growth);
    let ratio = pieces.at(magnitude);
    let product = Double::product(ratio, decay.hi);
    let tail = product.hi.add(ratio.mul_add(decay.lo, product.lo)).scale_by_floor(n);
    // max(x, 0), but NaN for -inf: as PyTorch, for the product of the definition has no value there.
    let positive = half.mul_add(x.abs(), half.mul(x));
    positive.sub(tail).copysign(x)
}
