//! The logistic function.

use super::double::Double;
use super::exp::{expm1_of_rest, reduce};
use super::{Lookups, Tables, clamp, lookup, power_of_two};
use crate::simd::RealOps;

/// Logistic function, `1 / (1 + e^-x)`: with `e^x = 2^n e^r` it is `2^n / (2^n + e^-r)`, whose numerator is exact.
#[inline(always)]
pub(crate) fn sigmoid<V: RealOps>(x: V) -> V {
    if V::LOOKUP
        && let Some(pieces) = V::Elem::SIGMOID_PIECES
    {
        return lookup::sigmoid(x, pieces);
    }
    let [low, _] = V::Elem::EXP_RANGE;
    let (n, r) = reduce(clamp(x, low, V::Elem::SIGMOID_ONE));
    // What is too small for a normal power is nothing beside e^-r.
    let power = power_of_two(x.lit(1.0 - V::Elem::BIAS).max(n));
    let decay = Double::ordered_sum(x.lit(1.0), expm1_of_rest(r.neg()));
    let sum = Double::ordered_sum(power.max(decay.hi), power.min(decay.hi)).plus_small(decay.lo);
    sum.inverse().round().scale(n)
}
