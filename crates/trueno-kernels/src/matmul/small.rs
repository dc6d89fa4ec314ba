//! Products of many small matrices: one loop over all of them, in which nothing is planned, packed for the caches or checked for each.
//!
//! Every element is summed as [`gemm`](super::gemm) sums it, bit for bit.

use core::slice;

use super::vector::write_dots;
use super::view::{MatRef, MatRefs};
use crate::Isa;
use crate::simd::{Real, RealVector, Token, kernel};

/// Steps of the summed axis at most: no plan cuts so few.
const STEPS: usize = 64;
/// Multiply-adds of a product at most: beside more, what a plan and its blocks cost is nothing.
const SMALL: usize = 1 << 15;

/// Whether products of `[m, k]` and `[k, n]` are small enough for [`small_products`].
pub fn is_small([m, n, k]: [usize; 3]) -> bool {
    k <= STEPS && (m * n).saturating_mul(k) <= SMALL
}

/// Elements of scratch that [`small_products`] takes for right factors of `k` rows and `n` columns.
pub fn small_scratch_len(n: usize, k: usize) -> usize {
    n * k
}

/// The products of the matrices of `a` with those of `b`, pair by pair, in `out`: row-major, one after the other. `scratch` has
/// [`small_scratch_len`] elements, whose values do not matter.
///
/// ```
/// use trueno_kernels::{Isa, matmul::{MatRefs, small_products}};
/// // Two rows times one column.
/// let a = MatRefs::new(&[1.0, 2.0, 3.0, 4.0], 0, [2, 1, 2], [2, 2, 1]);
/// let b = MatRefs::new(&[5.0, 6.0], 0, [2, 2, 1], [0, 1, 1]);
/// let mut out = [0.0; 2];
/// small_products(Isa::best(), a, b, &mut out, &mut [0.0; 2]);
/// assert_eq!(out, [17.0, 39.0]);
/// ```
///
/// # Panics
/// If the products are not small ([`is_small`]), the sizes do not fit together, or `scratch` is too short.
pub fn small_products<T: Real>(isa: Isa, a: MatRefs<'_, T>, b: MatRefs<'_, T>, out: &mut [T], scratch: &mut [T]) {
    let ([m, k], [rows, n]) = (a.size(), b.size());
    assert!(is_small([m, n, k]), "[{m}, {k}] x [{k}, {n}] is not small");
    assert!(k == rows && a.count() == b.count(), "{a:?} and {b:?} are no pairs");
    assert_eq!(out.len(), a.count() * m * n, "elements of the results");
    assert!(scratch.len() >= small_scratch_len(n, k), "scratch of {} elements", scratch.len());
    if !out.is_empty() {
        products(isa, a, b, out, scratch);
    }
}

kernel! {
    /// See [`small_products`].
    fn products<T: Real>(simd: S, a: MatRefs<'_, T>, b: MatRefs<'_, T>, out: &mut [T], scratch: &mut [T]) {
        let ([m, k], n) = (a.size(), b.size()[1]);
        for (i, out) in out.chunks_exact_mut(m * n).enumerate() {
            let (a, b) = (a.get(i), b.get(i));
            if m == 1 && b.row_stride() == 1 {
                dots::<T::Vector<S>>(simd, b.transposed(), a.transposed(), out, scratch);
            } else if n == 1 && a.col_stride() == 1 {
                dots::<T::Vector<S>>(simd, a, b, out, scratch);
            } else if b.col_stride() == 1 || n == 1 {
                blocks::<T::Vector<S>>(simd, a, b, out);
            } else {
                b.copy_to(&mut scratch[..k * n]);
                blocks::<T::Vector<S>>(simd, a, MatRef::row_major(scratch, k, n), out);
            }
        }
    }
}

/// The product of a matrix of adjacent columns and a column.
#[inline(always)]
fn dots<V: RealVector>(
    simd: V::Token,
    matrix: MatRef<'_, V::Elem>,
    column: MatRef<'_, V::Elem>,
    out: &mut [V::Elem],
    scratch: &mut [V::Elem],
) {
    let x = if column.row_stride() == 1 {
        // SAFETY: the elements of the column are adjacent.
        unsafe { slice::from_raw_parts(column.at(0, 0), column.rows()) }
    } else {
        let x = &mut scratch[..column.rows()];
        column.copy_to(x);
        x
    };
    write_dots::<V>(simd, matrix, x, |i, sum| out[i] = sum);
}

/// Vectors in a row of a tile.
const VECTORS: usize = 2;

/// The product of a matrix and one of adjacent columns, tile by tile.
#[inline(always)]
fn blocks<V: RealVector>(simd: V::Token, a: MatRef<'_, V::Elem>, b: MatRef<'_, V::Elem>, out: &mut [V::Elem]) {
    let (m, n) = (a.rows(), b.cols());
    assert!(out.len() == m * n && a.cols() == b.rows() && (b.col_stride() == 1 || n == 1));
    for col in (0..n).step_by(VECTORS * V::LANES) {
        let width = (n - col).min(VECTORS * V::LANES);
        let mut row = 0;
        while row < m {
            let tile = Tile { a, b, row, col, width, out: out.as_mut_ptr() };
            // SAFETY: the tile has no more rows and columns than the product has from its first, and the sizes fit together.
            unsafe {
                row += match (width <= V::LANES, m - row) {
                    (true, 8..) => tile.run::<V, 8, 1>(simd),
                    (true, 4..) => tile.run::<V, 4, 1>(simd),
                    (true, 2..) => tile.run::<V, 2, 1>(simd),
                    (true, _) => tile.run::<V, 1, 1>(simd),
                    (false, 8..) if V::Token::LEVEL.has_many_registers() => tile.run::<V, 8, VECTORS>(simd),
                    (false, 4..) => tile.run::<V, 4, VECTORS>(simd),
                    (false, 2..) => tile.run::<V, 2, VECTORS>(simd),
                    (false, _) => tile.run::<V, 1, VECTORS>(simd),
                };
            }
        }
    }
}

/// A part of a product whose sums stay in registers.
struct Tile<'a, T> {
    a: MatRef<'a, T>,
    b: MatRef<'a, T>,
    row: usize,
    col: usize,
    width: usize,
    out: *mut T,
}

impl<T: Real> Tile<'_, T> {
    /// Computes `R` rows of `N` vectors, of which the last may be narrower; returns `R`.
    ///
    /// # Safety
    /// The product must have the `R` rows from `row` and the `width` columns from `col`, `(N - 1) * LANES < width <= N * LANES`, lie
    /// row-major at `out`, and its factors have as many steps as each other, the right one with adjacent columns.
    #[inline(always)]
    unsafe fn run<V: RealVector<Elem = T>, const R: usize, const N: usize>(&self, simd: V::Token) -> usize {
        let last = self.width - (N - 1) * V::LANES;
        // SAFETY: the caller vouches for the tile, and the last vector has so many lanes.
        unsafe { if last == V::LANES { self.sum::<V, R, N, true>(simd) } else { self.sum::<V, R, N, false>(simd) } }
        R
    }

    /// # Safety
    /// As [`run`](Self::run); the last vector must be whole if `WHOLE`.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "iterators over registers would have to be unrolled through their adaptors"
    )]
    unsafe fn sum<V: RealVector<Elem = T>, const R: usize, const N: usize, const WHOLE: bool>(&self, simd: V::Token) {
        let mut sums = [[V::splat(simd, T::ZERO); N]; R];
        let widths: [usize; N] = core::array::from_fn(|j| (self.width - j * V::LANES).min(V::LANES));
        let mut lines = [self.a.at(self.row, 0); R];
        for i in 0..R {
            lines[i] = self.a.at(self.row + i, 0);
        }
        let (a_step, b_step) = (self.a.col_stride(), self.b.row_stride());
        let mut b = self.b.at(0, self.col);
        let mut step = 0;
        for _ in 0..self.a.cols() {
            let mut row = [V::splat(simd, T::ZERO); N];
            for j in 0..N {
                let source = b.wrapping_add(j * V::LANES);
                // SAFETY: this row of B has `width` columns from here.
                row[j] = unsafe {
                    if WHOLE || j + 1 < N { V::load(simd, source) } else { V::load_partial(simd, source, widths[j]) }
                };
            }
            for i in 0..R {
                // SAFETY: A has this row, and a column for every step.
                let x = V::splat(simd, unsafe { *lines[i].wrapping_offset(step) });
                for j in 0..N {
                    sums[i][j] = x.mul_add(row[j], sums[i][j]);
                }
            }
            step = step.wrapping_add(a_step);
            b = b.wrapping_offset(b_step);
        }
        for i in 0..R {
            let out = self.out.wrapping_add((self.row + i) * self.b.cols() + self.col);
            for j in 0..N {
                let target = out.wrapping_add(j * V::LANES);
                // SAFETY: the product has this row, and `width` columns from here.
                unsafe {
                    if WHOLE || j + 1 < N {
                        sums[i][j].store(target);
                    } else {
                        sums[i][j].store_partial(target, widths[j]);
                    }
                }
            }
        }
    }
}
