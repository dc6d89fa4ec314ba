//! `exp` and `ln` of vectors, lane by lane.

use crate::simd::{Real, RealVector};
use trueno_core::Element;

/// `e^x` in every lane.
#[inline(always)]
pub(crate) fn exp<V: RealVector>(x: V) -> V {
    let mut lanes = x.to_lanes();
    for lane in &mut lanes[..V::LANES] {
        *lane = V::Elem::from_f64(libm::exp(lane.to_f64()));
    }
    // SAFETY: `lanes` has at least `LANES` values.
    unsafe { V::load(x.token(), lanes.as_ptr()) }
}

/// Natural logarithm of one value.
#[inline(always)]
pub(crate) fn ln<T: Real>(x: T) -> T {
    T::from_f64(libm::log(x.to_f64()))
}

/// Natural logarithm in every lane.
#[inline(always)]
pub(crate) fn ln_lanes<V: RealVector>(x: V) -> V {
    let mut lanes = x.to_lanes();
    for lane in &mut lanes[..V::LANES] {
        *lane = ln(*lane);
    }
    // SAFETY: `lanes` has at least `LANES` values.
    unsafe { V::load(x.token(), lanes.as_ptr()) }
}
