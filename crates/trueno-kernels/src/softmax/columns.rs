//! Lines whose elements are apart: a vector holds an element each of neighbouring lines.
//!
//! `x` is `[len, inner]` throughout.

use crate::lanes::{read, write};
use crate::math::{exp, ln};
use crate::simd::{Real, RealVector, Token};

/// Vectors side by side in a strip of columns: what is read of a row is whole lines of memory.
const WIDE: usize = 4;
/// Rows that are asked for before they are read. Each may be in a page of its own, where the machine looks for nothing.
const AHEAD: usize = 6;

/// Calls a function of a strip for all columns, as wide as they last.
macro_rules! by_strips {
    ($inner:expr, $strip:ident::<$vector:ident>($($argument:expr),*)) => {{
        let mut col = 0;
        while col < $inner {
            if $inner - col >= WIDE * $vector::LANES {
                $strip::<$vector, WIDE>($($argument),*, col);
                col += WIDE * $vector::LANES;
            } else {
                $strip::<$vector, 1>($($argument),*, col);
                col += $vector::LANES;
            }
        }
    }};
}

/// `N` vectors of a row from `col` on.
#[inline(always)]
fn vectors<V: RealVector, const N: usize>(simd: V::Token, row: &[V::Elem], col: usize) -> [V; N] {
    let mut vectors = [V::splat(simd, V::Elem::ZERO); N];
    let mut i = 0;
    while i < N {
        vectors[i] = read::<V>(simd, row, col + i * V::LANES);
        i += 1;
    }
    vectors
}

/// As [`vectors`], and asks for those of a row that follows.
#[inline(always)]
fn vectors_and_next<V: RealVector, const N: usize>(simd: V::Token, row: &[V::Elem], col: usize) -> [V; N] {
    let mut i = 0;
    while i < N {
        simd.prefetch(row.as_ptr().wrapping_add(AHEAD * row.len() + col + i * V::LANES));
        i += 1;
    }
    vectors(simd, row, col)
}

/// The rows of `[len, inner]`, cut to the lanes from `col`.
#[inline(always)]
fn row<T>(x: &[T], inner: usize, j: usize) -> &[T] {
    &x[j * inner..][..inner]
}

/// The largest elements of the lines from `col`.
#[inline(always)]
fn largest<V: RealVector, const N: usize>(simd: V::Token, x: &[V::Elem], inner: usize, col: usize) -> [V; N] {
    let mut best = [V::splat(simd, -V::Elem::INFINITY); N];
    for x in x.chunks_exact(inner) {
        let x = vectors_and_next::<V, N>(simd, x, col);
        for (best, x) in best.iter_mut().zip(&x) {
            *best = x.max(*best);
        }
    }
    best
}

/// The sums of `exp(x - shift)` of the lines from `col`.
#[inline(always)]
fn sum_of_exp<V: RealVector, const N: usize>(
    simd: V::Token,
    x: &[V::Elem],
    inner: usize,
    col: usize,
    shift: [V; N],
) -> [V; N] {
    let mut sums = [V::splat(simd, V::Elem::ZERO); N];
    for x in x.chunks_exact(inner) {
        let x = vectors_and_next::<V, N>(simd, x, col);
        for ((sum, x), shift) in sums.iter_mut().zip(&x).zip(&shift) {
            *sum = sum.add(exp(x.sub(*shift)));
        }
    }
    sums
}

#[inline(always)]
pub(super) fn softmax<V: RealVector>(simd: V::Token, x: &[V::Elem], inner: usize, out: &mut [V::Elem]) {
    by_strips!(inner, softmax_strip::<V>(simd, x, inner, out));
}

#[inline(always)]
fn softmax_strip<V: RealVector, const N: usize>(
    simd: V::Token,
    x: &[V::Elem],
    inner: usize,
    out: &mut [V::Elem],
    col: usize,
) {
    let shift = largest::<V, N>(simd, x, inner, col);
    let mut sums = [V::splat(simd, V::Elem::ZERO); N];
    for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
        let x = vectors_and_next::<V, N>(simd, x, col);
        for (i, sum) in sums.iter_mut().enumerate() {
            let term = exp(x[i].sub(shift[i]));
            write(term, out, col + i * V::LANES);
            *sum = sum.add(term);
        }
    }
    for sum in &mut sums {
        *sum = V::splat(simd, V::Elem::ONE).div(*sum);
    }
    for out in out.chunks_exact_mut(inner) {
        let terms = vectors_and_next::<V, N>(simd, out, col);
        for (i, term) in terms.iter().enumerate() {
            write(term.mul(sums[i]), out, col + i * V::LANES);
        }
    }
}

#[inline(always)]
pub(super) fn log_softmax<V: RealVector>(simd: V::Token, x: &[V::Elem], inner: usize, out: &mut [V::Elem]) {
    by_strips!(inner, log_softmax_strip::<V>(simd, x, inner, out));
}

#[inline(always)]
fn log_softmax_strip<V: RealVector, const N: usize>(
    simd: V::Token,
    x: &[V::Elem],
    inner: usize,
    out: &mut [V::Elem],
    col: usize,
) {
    let shift = largest::<V, N>(simd, x, inner, col);
    let mut logs = sum_of_exp(simd, x, inner, col, shift);
    for log in &mut logs {
        *log = ln(*log);
    }
    for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
        let x = vectors_and_next::<V, N>(simd, x, col);
        for (i, x) in x.iter().enumerate() {
            write(x.sub(shift[i]).sub(logs[i]), out, col + i * V::LANES);
        }
    }
}

#[inline(always)]
pub(super) fn logsumexp<V: RealVector>(simd: V::Token, x: &[V::Elem], out: &mut [V::Elem]) {
    let inner = out.len();
    by_strips!(inner, logsumexp_strip::<V>(simd, x, out));
}

#[inline(always)]
fn logsumexp_strip<V: RealVector, const N: usize>(simd: V::Token, x: &[V::Elem], out: &mut [V::Elem], col: usize) {
    let mut shift = largest::<V, N>(simd, x, out.len(), col);
    for shift in &mut shift {
        // An infinite shift would make NaN of infinite elements.
        let finite = shift.abs().lt(V::splat(simd, V::Elem::INFINITY));
        *shift = V::select(finite, *shift, V::splat(simd, V::Elem::ZERO));
    }
    let sums = sum_of_exp(simd, x, out.len(), col, shift);
    for (i, sum) in sums.iter().enumerate() {
        write(ln(*sum).add(shift[i]), out, col + i * V::LANES);
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
    by_strips!(inner, softmax_gradient_strip::<V>(simd, y, g, inner, out));
}

#[inline(always)]
fn softmax_gradient_strip<V: RealVector, const N: usize>(
    simd: V::Token,
    y: &[V::Elem],
    g: &[V::Elem],
    inner: usize,
    out: &mut [V::Elem],
    col: usize,
) {
    let mut dots = [V::splat(simd, V::Elem::ZERO); N];
    for (y, g) in y.chunks_exact(inner).zip(g.chunks_exact(inner)) {
        let (y, g) = (vectors_and_next::<V, N>(simd, y, col), vectors_and_next::<V, N>(simd, g, col));
        for (i, dot) in dots.iter_mut().enumerate() {
            *dot = y[i].mul_add(g[i], *dot);
        }
    }
    for (j, out) in out.chunks_exact_mut(inner).enumerate() {
        let y = vectors_and_next::<V, N>(simd, row(y, inner, j), col);
        let g = vectors_and_next::<V, N>(simd, row(g, inner, j), col);
        for (i, dot) in dots.iter().enumerate() {
            write(y[i].mul(g[i].sub(*dot)), out, col + i * V::LANES);
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
    by_strips!(inner, log_softmax_gradient_strip::<V>(simd, y, g, inner, out));
}

#[inline(always)]
fn log_softmax_gradient_strip<V: RealVector, const N: usize>(
    simd: V::Token,
    y: &[V::Elem],
    g: &[V::Elem],
    inner: usize,
    out: &mut [V::Elem],
    col: usize,
) {
    let mut sums = [V::splat(simd, V::Elem::ZERO); N];
    for g in g.chunks_exact(inner) {
        let g = vectors_and_next::<V, N>(simd, g, col);
        for (sum, g) in sums.iter_mut().zip(&g) {
            *sum = sum.add(*g);
        }
    }
    for (j, out) in out.chunks_exact_mut(inner).enumerate() {
        let y = vectors_and_next::<V, N>(simd, row(y, inner, j), col);
        let g = vectors_and_next::<V, N>(simd, row(g, inner, j), col);
        for (i, sum) in sums.iter().enumerate() {
            write(exp(y[i]).neg_mul_add(*sum, g[i]), out, col + i * V::LANES);
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
    by_strips!(inner, logsumexp_gradient_strip::<V>(simd, x, y, g, out));
}

#[inline(always)]
fn logsumexp_gradient_strip<V: RealVector, const N: usize>(
    simd: V::Token,
    x: &[V::Elem],
    y: &[V::Elem],
    g: &[V::Elem],
    out: &mut [V::Elem],
    col: usize,
) {
    let inner = y.len();
    let (y, g) = (vectors::<V, N>(simd, y, col), vectors::<V, N>(simd, g, col));
    for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
        let x = vectors_and_next::<V, N>(simd, x, col);
        for (i, x) in x.iter().enumerate() {
            write(exp(x.sub(y[i])).mul(g[i]), out, col + i * V::LANES);
        }
    }
}
