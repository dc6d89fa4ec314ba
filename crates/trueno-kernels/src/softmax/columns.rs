//! Lines whose elements are apart: a vector holds an element each of neighbouring lines.
//!
//! `x` is `[len, inner]` throughout.

use crate::lanes::{read, write};
use crate::math::{exp, ln};
use crate::simd::{Real, RealVector};

/// The rows of `[len, inner]`, cut to the lanes from `col`.
#[inline(always)]
fn row<T>(x: &[T], inner: usize, j: usize) -> &[T] {
    &x[j * inner..][..inner]
}

/// The largest elements of the lines from `col`.
#[inline(always)]
fn largest<V: RealVector>(simd: V::Token, x: &[V::Elem], inner: usize, col: usize) -> V {
    let mut best = V::splat(simd, -V::Elem::INFINITY);
    for x in x.chunks_exact(inner) {
        best = read::<V>(simd, x, col).max(best);
    }
    best
}

/// The sums of `exp(x - shift)` of the lines from `col`.
#[inline(always)]
fn sum_of_exp<V: RealVector>(simd: V::Token, x: &[V::Elem], inner: usize, col: usize, shift: V) -> V {
    let mut sum = V::splat(simd, V::Elem::ZERO);
    for x in x.chunks_exact(inner) {
        sum = sum.add(exp(read::<V>(simd, x, col).sub(shift)));
    }
    sum
}

#[inline(always)]
pub(super) fn softmax<V: RealVector>(simd: V::Token, x: &[V::Elem], inner: usize, out: &mut [V::Elem]) {
    for col in (0..inner).step_by(V::LANES) {
        let shift = largest::<V>(simd, x, inner, col);
        let mut sum = V::splat(simd, V::Elem::ZERO);
        for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
            let term = exp(read::<V>(simd, x, col).sub(shift));
            write(term, out, col);
            sum = sum.add(term);
        }
        let scale = V::splat(simd, V::Elem::ONE).div(sum);
        for out in out.chunks_exact_mut(inner) {
            write(read::<V>(simd, out, col).mul(scale), out, col);
        }
    }
}

#[inline(always)]
pub(super) fn log_softmax<V: RealVector>(simd: V::Token, x: &[V::Elem], inner: usize, out: &mut [V::Elem]) {
    for col in (0..inner).step_by(V::LANES) {
        let shift = largest::<V>(simd, x, inner, col);
        let log = ln(sum_of_exp(simd, x, inner, col, shift));
        for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
            write(read::<V>(simd, x, col).sub(shift).sub(log), out, col);
        }
    }
}

#[inline(always)]
pub(super) fn logsumexp<V: RealVector>(simd: V::Token, x: &[V::Elem], out: &mut [V::Elem]) {
    let inner = out.len();
    for col in (0..inner).step_by(V::LANES) {
        let largest = largest::<V>(simd, x, inner, col);
        // An infinite shift would make NaN of infinite elements.
        let finite = largest.abs().lt(V::splat(simd, V::Elem::INFINITY));
        let shift = V::select(finite, largest, V::splat(simd, V::Elem::ZERO));
        write(ln(sum_of_exp(simd, x, inner, col, shift)).add(shift), out, col);
    }
}

#[inline(always)]
pub(super) fn softmax_gradient<V: RealVector>(
    simd: V::Token,
    y: &[V::Elem],
    g: &[V::Elem],
    inner: usize,
    out: &mut [V::Elem],
) {
    for col in (0..inner).step_by(V::LANES) {
        let mut dot = V::splat(simd, V::Elem::ZERO);
        for (y, g) in y.chunks_exact(inner).zip(g.chunks_exact(inner)) {
            dot = read::<V>(simd, y, col).mul_add(read::<V>(simd, g, col), dot);
        }
        for (j, out) in out.chunks_exact_mut(inner).enumerate() {
            let (y, g) = (read::<V>(simd, row(y, inner, j), col), read::<V>(simd, row(g, inner, j), col));
            write(y.mul(g.sub(dot)), out, col);
        }
    }
}

#[inline(always)]
pub(super) fn log_softmax_gradient<V: RealVector>(
    simd: V::Token,
    y: &[V::Elem],
    g: &[V::Elem],
    inner: usize,
    out: &mut [V::Elem],
) {
    for col in (0..inner).step_by(V::LANES) {
        let mut sum = V::splat(simd, V::Elem::ZERO);
        for g in g.chunks_exact(inner) {
            sum = sum.add(read::<V>(simd, g, col));
        }
        for (j, out) in out.chunks_exact_mut(inner).enumerate() {
            let (y, g) = (read::<V>(simd, row(y, inner, j), col), read::<V>(simd, row(g, inner, j), col));
            write(exp(y).neg_mul_add(sum, g), out, col);
        }
    }
}

#[inline(always)]
pub(super) fn logsumexp_gradient<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    y: &[V::Elem],
    g: &[V::Elem],
    out: &mut [V::Elem],
) {
    let inner = y.len();
    for col in (0..inner).step_by(V::LANES) {
        let (y, g) = (read::<V>(simd, y, col), read::<V>(simd, g, col));
        for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
            write(exp(read::<V>(simd, x, col).sub(y)).mul(g), out, col);
        }
    }
}
