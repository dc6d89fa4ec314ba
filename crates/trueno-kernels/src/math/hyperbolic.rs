//! The hyperbolic tangent.

use super::Tables;
use super::double::Double;
use super::exp::half_expm1;
use crate::simd::RealVector;

/// Hyperbolic tangent: `h / (h + 1)` with `h = (e^(2|x|) - 1) / 2`, and the sign of `x`.
#[inline(always)]
pub(crate) fn tanh<V: RealVector>(x: V) -> V {
    let magnitude = x.lit(V::Elem::TANH_ONE).min(x.abs());
    let numerator = half_expm1(magnitude.add(magnitude));
    let denominator = Double::sum(x.lit(1.0), numerator.hi).plus_small(numerator.lo);
    numerator.divided_by(denominator).round().copysign(x)
}
