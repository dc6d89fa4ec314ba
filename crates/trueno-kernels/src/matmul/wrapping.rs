//! Products of matrices of integers of any width, whose products and sums wrap as NumPy's do.
//!
//! The compiler makes the vectors: every loop over columns has a fixed number of them, a few vectors' worth.

use core::ops::Range;
use core::slice;

use super::view::MatRef;
use crate::Isa;
use crate::elementwise::Integer;
use crate::simd::{RealVector, Simd, Token, kernel};

/// Vectors in a row of a tile, whose sums stay in registers.
const VECTORS: usize = 2;
/// Columns of the widest tile of any instruction set.
const WIDEST: usize = 128;
/// Columns of the panel of what is left where that is narrow.
const NARROW: usize = 8;

/// Rows of a tile.
#[inline(always)]
const fn rows<S: Token>() -> usize {
    if S::LEVEL.has_many_registers() { 8 } else { 4 }
}

/// Columns of a tile.
#[inline(always)]
const fn cols<S: Simd, T>() -> usize {
    const LEAST: usize = 16;
    let vector = S::F32::LANES * size_of::<f32>();
    VECTORS * if vector < LEAST { LEAST } else { vector } / size_of::<T>()
}

/// `out = a * b`, row-major, wrapping on overflow. `scratch` has [`wrapping_scratch_len`] elements, whose values do not matter.
///
/// ```
/// use trueno_kernels::{Isa, matmul::{MatRef, wrapping_product, wrapping_scratch_len}};
/// let (a, b) = ([100_u8, 2], [3_u8, 4]);
/// let mut scratch = vec![0; wrapping_scratch_len::<u8>(2)];
/// let mut out = [0];
/// wrapping_product(Isa::best(), MatRef::row_major(&a, 1, 2), MatRef::row_major(&b, 2, 1), &mut out, &mut scratch);
/// assert_eq!(out, [52]); // 308 of 256
/// ```
///
/// # Panics
/// If the sizes do not fit together, or `scratch` is too short.
pub fn wrapping_product<T: Integer>(isa: Isa, a: MatRef<'_, T>, b: MatRef<'_, T>, out: &mut [T], scratch: &mut [T]) {
    assert!(a.cols() == b.rows() && out.len() == a.rows() * b.cols(), "sizes of a product");
    let panel = &mut scratch[..wrapping_scratch_len::<T>(a.cols())];
    T::product(isa, a, b, out, panel);
}

/// Elements of scratch that a product takes over `k` steps of the summed axis.
pub fn wrapping_scratch_len<T: Integer>(k: usize) -> usize {
    k * WIDEST / size_of::<T>()
}

kernel! {
    /// See [`wrapping_product`].
    pub(crate) fn product<T: Integer>(_simd: S, a: MatRef<'_, T>, b: MatRef<'_, T>, out: &mut [T], panel: &mut [T]) {
        let n = b.cols();
        let mut col = 0;
        while col < n {
            let width = if n - col <= NARROW { NARROW } else { cols::<S, T>() };
            let cols = width.min(n - col);
            let panel = &mut panel[..a.cols() * width];
            pack(b.block(0..b.rows(), col..col + cols), width, panel);
            let place = (&mut *out, n, col..col + cols);
            match width {
                4 => panel_product::<S, T, 4>(a, panel, place),
                8 => panel_product::<S, T, 8>(a, panel, place),
                16 => panel_product::<S, T, 16>(a, panel, place),
                32 => panel_product::<S, T, 32>(a, panel, place),
                64 => panel_product::<S, T, 64>(a, panel, place),
                _ => panel_product::<S, T, WIDEST>(a, panel, place),
            }
            col += cols;
        }
    }
}

/// Columns side by side, `width` of them, and zeros for those that are missing.
#[inline(always)]
fn pack<T: Integer>(b: MatRef<'_, T>, width: usize, panel: &mut [T]) {
    for (step, line) in panel.chunks_exact_mut(width).enumerate() {
        let (values, missing) = line.split_at_mut(b.cols());
        missing.fill(T::default());
        if b.col_stride() == 1 {
            // SAFETY: the panel has as many lines as `b` has rows, each of `b.cols()` adjacent elements.
            values.copy_from_slice(unsafe { slice::from_raw_parts(b.at(step, 0), b.cols()) });
            continue;
        }
        for (j, value) in values.iter_mut().enumerate() {
            // SAFETY: the panel has as many lines as `b` has rows, and a line as many values as `b` has columns.
            *value = unsafe { *b.at(step, j) };
        }
    }
}

/// The product with a packed panel of `COLS` columns, which go to the columns `cols` of rows of `out` that are `width` apart.
#[inline(always)]
fn panel_product<S: Simd, T: Integer, const COLS: usize>(
    a: MatRef<'_, T>,
    panel: &[T],
    (out, width, cols): (&mut [T], usize, Range<usize>),
) {
    let mut row = 0;
    while row < a.rows() {
        let left = a.rows() - row;
        let height = if left >= rows::<S>() {
            rows::<S>()
        } else if left >= 4 {
            4
        } else {
            1
        };
        let (a, out) = (a.block(row..row + height, 0..a.cols()), &mut out[row * width + cols.start..]);
        match height {
            8 => rows_product::<T, 8, COLS>(a, panel, (out, width, cols.len())),
            4 => rows_product::<T, 4, COLS>(a, panel, (out, width, cols.len())),
            _ => rows_product::<T, 1, COLS>(a, panel, (out, width, cols.len())),
        }
        row += height;
    }
}

/// The product of `R` rows with a packed panel, of which the first `cols` columns go to rows of `out` that are `width` apart.
#[inline(always)]
fn rows_product<T: Integer, const R: usize, const COLS: usize>(
    a: MatRef<'_, T>,
    panel: &[T],
    (out, width, cols): (&mut [T], usize, usize),
) {
    let (lines, _) = panel.as_chunks::<COLS>();
    assert!(a.rows() == R && lines.len() == a.cols());
    let mut sums = [[T::default(); COLS]; R];
    for (step, line) in lines.iter().enumerate() {
        for (i, sums) in sums.iter_mut().enumerate() {
            // Where it may, the compiler makes vectors of several steps instead, and gathers them.
            // SAFETY: `a` has `R` rows, and as many columns as the panel has lines.
            let x = unsafe { a.at(i, step).read_volatile() };
            for (sum, &y) in sums.iter_mut().zip(line) {
                *sum = sum.wrapping_sum(x.wrapping_product(y));
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        out[i * width..][..cols].copy_from_slice(&sums[..cols]);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Every element of products of rows, columns and reversed columns, against sums one by one.
    fn check<T: Integer>(value: impl Fn(usize) -> T) {
        for isa in Isa::available() {
            for size in
                [[1, 1, 1], [1, 40, 9], [3, 9, 0], [5, 8, 33], [8, 17, 7], [13, 33, 5], [21, 130, 4], [9, 300, 3]]
            {
                let [m, n, k] = size;
                let (x, y): (Vec<T>, Vec<T>) = ((0..m * k).map(&value).collect(), (1..=k * n).map(&value).collect());
                let reversed = MatRef::new(&y, (k * n).saturating_sub(1), [k, n], [-(n as isize), -1]);
                for a in [MatRef::row_major(&x, m, k), MatRef::row_major(&x, k, m).transposed()] {
                    for b in [MatRef::row_major(&y, k, n), MatRef::row_major(&y, n, k).transposed(), reversed] {
                        let mut out = vec![value(7); m * n];
                        wrapping_product(isa, a, b, &mut out, &mut vec![value(5); wrapping_scratch_len::<T>(k)]);
                        for (i, &got) in out.iter().enumerate() {
                            let terms = (0..k).map(|step| {
                                // SAFETY: inside the matrices.
                                let (a, b) = unsafe { (*a.at(i / n, step), *b.at(step, i % n)) };
                                a.wrapping_product(b)
                            });
                            let want = terms.fold(T::default(), T::wrapping_sum);
                            assert_eq!(got, want, "{} {:?} [{}, {}]", isa.level(), size, i / n, i % n);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn products_wrap_in_every_width() {
        check(|i| (i * 37 % 251) as u8);
        check(|i| (i * 37 % 251) as i8);
        check(|i| (i as i32 - 9).wrapping_mul(0x1234_5677));
        check(|i| (i as u32).wrapping_mul(0x9234_5677));
        check(|i| (i as i64 - 9).wrapping_mul(0x1234_5678_9ABC_DEF1));
    }
}
