//! Products of matrices of integers of any width, whose products and sums wrap as NumPy's do.
//!
//! The compiler makes the vectors: every loop over columns has a fixed number of them.

use super::view::MatRef;
use crate::Isa;
use crate::elementwise::Integer;
use crate::simd::kernel;

/// Rows and columns whose sums stay in registers.
const ROWS: usize = 4;
const COLS: usize = 16;

/// `out = a * b`, row-major, wrapping on overflow. `scratch` has [`wrapping_scratch_len`] elements, whose values do not matter.
///
/// ```
/// use trueno_kernels::{Isa, matmul::{MatRef, wrapping_product, wrapping_scratch_len}};
/// let (a, b) = ([100_u8, 2], [3_u8, 4]);
/// let mut scratch = vec![0; wrapping_scratch_len(2)];
/// let mut out = [0];
/// wrapping_product(Isa::best(), MatRef::row_major(&a, 1, 2), MatRef::row_major(&b, 2, 1), &mut out, &mut scratch);
/// assert_eq!(out, [52]); // 308 of 256
/// ```
///
/// # Panics
/// If the sizes do not fit together, or `scratch` is too short.
pub fn wrapping_product<T: Integer>(isa: Isa, a: MatRef<'_, T>, b: MatRef<'_, T>, out: &mut [T], scratch: &mut [T]) {
    assert!(a.cols() == b.rows() && out.len() == a.rows() * b.cols(), "sizes of a product");
    let panel = &mut scratch[..wrapping_scratch_len(a.cols())];
    T::product(isa, a, b, out, panel);
}

/// Elements of scratch that a product takes over `k` steps of the summed axis.
pub fn wrapping_scratch_len(k: usize) -> usize {
    k * COLS
}

kernel! {
    /// See [`wrapping_product`].
    pub(crate) fn product<T: Integer>(_simd: S, a: MatRef<'_, T>, b: MatRef<'_, T>, out: &mut [T], panel: &mut [T]) {
        let (m, n) = (a.rows(), b.cols());
        for col in (0..n).step_by(COLS) {
            let cols = COLS.min(n - col);
            pack(b.block(0..b.rows(), col..col + cols), panel);
            let mut row = 0;
            while row < m {
                let height = if m - row < ROWS { 1 } else { ROWS };
                let (rows, place) = (a.block(row..row + height, 0..a.cols()), (&mut out[row * n + col..], n, cols));
                match height {
                    1 => rows_product::<T, 1>(rows, panel, place),
                    _ => rows_product::<T, ROWS>(rows, panel, place),
                }
                row += height;
            }
        }
    }
}

/// Columns side by side, and zeros for those that are missing.
#[inline(always)]
fn pack<T: Integer>(b: MatRef<'_, T>, panel: &mut [T]) {
    for (step, line) in panel.chunks_exact_mut(COLS).enumerate() {
        for (j, value) in line.iter_mut().enumerate() {
            // SAFETY: the panel has as many lines as `b` has rows, and the column was compared with their number.
            *value = if j < b.cols() { unsafe { *b.at(step, j) } } else { T::default() };
        }
    }
}

/// The product of `R` rows with a packed panel, of which the first `cols` columns go to rows of `out` that are `width` apart.
#[inline(always)]
fn rows_product<T: Integer, const R: usize>(
    a: MatRef<'_, T>,
    panel: &[T],
    (out, width, cols): (&mut [T], usize, usize),
) {
    assert!(a.rows() == R && panel.len() == a.cols() * COLS);
    let mut sums = [[T::default(); COLS]; R];
    for (step, line) in panel.chunks_exact(COLS).enumerate() {
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `a` has `R` rows, and as many columns as the panel has lines.
            let x = unsafe { *a.at(i, step) };
            for (sum, &y) in sums.iter_mut().zip(line) {
                *sum = sum.wrapping_sum(x.wrapping_product(y));
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        out[i * width..][..cols].copy_from_slice(&sums[..cols]);
    }
}
