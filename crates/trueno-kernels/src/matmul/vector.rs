//! Matrix times vector, where every element of the matrix is used once and reading it is all the cost.

use super::tile::load_some;
use super::view::{MatMut, MatRef};
use crate::simd::{Real, RealVector, kernel};

/// Rows that share the reading of the vector.
const ROWS: usize = 4;
/// Partial sums per row, to hide the latency of the addition.
const CHAINS: usize = 2;

kernel! {
    /// Element `i` of the row or column `out` becomes `dot(w[i, ..], x)`, added to what is there if `accumulate`.
    pub(super) fn dot_rows<T: Real>(simd: S, w: MatRef<'_, T>, x: &[T], out: MatMut<'_, T>, accumulate: bool) {
        assert!(out.rows().min(out.cols()) == 1 && out.rows().max(out.cols()) == w.rows());
        write_dots::<T::Vector<S>>(simd, w, x, |i, sum| {
            let target = if out.cols() == 1 { out.at(i, 0) } else { out.at(0, i) };
            // SAFETY: `i` is less than the length of `out`.
            unsafe { *target = if accumulate { *target + sum } else { sum } };
        });
    }
}

/// Has `write` take `dot(w[i, ..], x)` for every `i`.
#[inline(always)]
pub(super) fn write_dots<V: RealVector>(
    simd: V::Token,
    w: MatRef<'_, V::Elem>,
    x: &[V::Elem],
    mut write: impl FnMut(usize, V::Elem),
) {
    assert!(w.cols() == x.len() && (w.col_stride() == 1 || w.cols() < 2));
    let mut row = 0;
    while row < w.rows() {
        let mut sums = [V::Elem::ZERO; ROWS];
        let count = if row + ROWS <= w.rows() { ROWS } else { 1 };
        // SAFETY: `count` rows from `row` are in `w`, their elements adjacent and as many as those of `x`.
        unsafe {
            if count == ROWS {
                sums = dots::<V, ROWS>(simd, w.at(row, 0), w.row_stride(), x);
            } else {
                [sums[0]] = dots::<V, 1>(simd, w.at(row, 0), w.row_stride(), x);
            }
        }
        for (i, &sum) in sums[..count].iter().enumerate() {
            write(row + i, sum);
        }
        row += count;
    }
}

/// The products of `R` rows with `x`; each is summed in the same order whatever `R`.
///
/// # Safety
/// `w` must be readable for `R` rows, `row_stride` apart, of `x.len()` elements.
#[inline(always)]
unsafe fn dots<V: RealVector, const R: usize>(
    simd: V::Token,
    w: *const V::Elem,
    row_stride: isize,
    x: &[V::Elem],
) -> [V::Elem; R] {
    let mut sums = [[V::splat(simd, V::Elem::ZERO); CHAINS]; R];
    let mut from = 0;
    while from < x.len() {
        for chain in 0..CHAINS {
            let width = (x.len() - from).min(V::LANES);
            if width == 0 {
                // Short rows have nothing for the second sum.
                break;
            }
            // SAFETY: `from + width <= x.len()`.
            let factor = unsafe { load_some::<V>(simd, x.as_ptr().wrapping_add(from), width) };
            for (i, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the caller vouches for `x.len()` elements of row `i`.
                let row = unsafe {
                    load_some::<V>(simd, w.wrapping_offset(i as isize * row_stride).wrapping_add(from), width)
                };
                sums[chain] = row.mul_add(factor, sums[chain]);
            }
            from += width;
        }
    }
    let mut out = [V::Elem::ZERO; R];
    for (out, [even, odd]) in out.iter_mut().zip(sums) {
        *out = even.add(odd).reduce_add();
    }
    out
}
