//! Lines whose elements are adjacent.

use trueno_core::Element;

use crate::lanes::{Sum, keep_first, largest, read, write};
use crate::math::{exp, ln_of_one as ln};
use crate::simd::{Real, RealVector};

/// The sum of `exp(x - shift)`.
#[inline(always)]
pub(crate) fn sum_of_exp<V: RealVector>(simd: V::Token, x: &[V::Elem], shift: V::Elem) -> V::Elem {
    let shift = V::splat(simd, shift);
    let mut sum = Sum::<V>::new(simd);
    for from in (0..x.len()).step_by(V::LANES) {
        let term = exp(read::<V>(simd, x, from).sub(shift));
        sum.add(keep_first(term, x.len() - from));
    }
    V::Elem::from_f64(sum.finish())
}

#[inline(always)]
pub(super) fn softmax<V: RealVector>(simd: V::Token, x: &[V::Elem], out: &mut [V::Elem]) {
    let shift = V::splat(simd, largest::<V>(simd, x));
    let mut sum = Sum::<V>::new(simd);
    for from in (0..x.len()).step_by(V::LANES) {
        let term = exp(read::<V>(simd, x, from).sub(shift));
        write(term, out, from);
        sum.add(keep_first(term, x.len() - from));
    }
    // One division: those of all elements would take as long as the exponentials.
    let scale = V::splat(simd, V::Elem::from_f64(1.0 / sum.finish()));
    for from in (0..x.len()).step_by(V::LANES) {
        write(read::<V>(simd, out, from).mul(scale), out, from);
    }
}

#[inline(always)]
pub(super) fn log_softmax<V: RealVector>(simd: V::Token, x: &[V::Elem], out: &mut [V::Elem]) {
    let largest = largest::<V>(simd, x);
    let log = V::splat(simd, ln(sum_of_exp::<V>(simd, x, largest)));
    let shift = V::splat(simd, largest);
    for from in (0..x.len()).step_by(V::LANES) {
        write(read::<V>(simd, x, from).sub(shift).sub(log), out, from);
    }
}

#[inline(always)]
pub(super) fn logsumexp<V: RealVector>(simd: V::Token, x: &[V::Elem]) -> V::Elem {
    let largest = largest::<V>(simd, x);
    // An infinite shift would make NaN of infinite elements.
    let shift = if largest.to_f64().is_infinite() { V::Elem::ZERO } else { largest };
    ln(sum_of_exp::<V>(simd, x, shift)) + shift
}

#[inline(always)]
pub(super) fn softmax_gradient<V: RealVector>(simd: V::Token, y: &[V::Elem], g: &[V::Elem], out: &mut [V::Elem]) {
    let mut dot = Sum::<V>::new(simd);
    for from in (0..y.len()).step_by(V::LANES) {
        dot.add_product(read::<V>(simd, y, from), read::<V>(simd, g, from));
    }
    let dot = V::splat(simd, V::Elem::from_f64(dot.finish()));
    for from in (0..y.len()).step_by(V::LANES) {
        write(read::<V>(simd, y, from).mul(read::<V>(simd, g, from).sub(dot)), out, from);
    }
}

#[inline(always)]
pub(super) fn log_softmax_gradient<V: RealVector>(simd: V::Token, y: &[V::Elem], g: &[V::Elem], out: &mut [V::Elem]) {
    let mut sum = Sum::<V>::new(simd);
    for from in (0..y.len()).step_by(V::LANES) {
        sum.add(read::<V>(simd, g, from));
    }
    let sum = V::splat(simd, V::Elem::from_f64(sum.finish()));
    for from in (0..y.len()).step_by(V::LANES) {
        write(exp(read::<V>(simd, y, from)).neg_mul_add(sum, read::<V>(simd, g, from)), out, from);
    }
}

#[inline(always)]
pub(super) fn logsumexp_gradient<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    y: V::Elem,
    g: V::Elem,
    out: &mut [V::Elem],
) {
    let (y, g) = (V::splat(simd, y), V::splat(simd, g));
    for from in (0..x.len()).step_by(V::LANES) {
        write(exp(read::<V>(simd, x, from).sub(y)).mul(g), out, from);
    }
}
