//! Transposed copies, by squares that keep both sides in whole cache lines.

use core::slice;

use trueno_core::Element;

use crate::Isa;
use crate::matmul::{MatMut, MatRef, ProductVector, Unit, transpose_square};
use crate::simd::{MAX_LANES, kernel};

/// Rows and columns of a square: a multiple of all vectors' lanes.
const SQUARE: usize = 16;

/// A matrix in memory: `out[c * out_step + r] = source[r * source_step + c]` for `rows` and `cols` of the source.
///
/// ```
/// use trueno_kernels::{Isa, transpose};
///
/// let mut out = [0; 6];
/// transpose(Isa::best(), &[1, 2, 3, 4, 5, 6], 3, &mut out, 2, [2, 3]);
/// assert_eq!(out, [1, 4, 2, 5, 3, 6]);
/// ```
///
/// # Panics
/// If a slice ends before the matrix does, or rows of the result overlap.
pub fn transpose<T: Element>(
    isa: Isa,
    source: &[T],
    source_step: usize,
    out: &mut [T],
    out_step: usize,
    [rows, cols]: [usize; 2],
) {
    let whole = [rows, cols].map(|length| length / SQUARE * SQUARE);
    let (from, to) = ((source, source_step), (&mut *out, out_step));
    match size_of::<T>() {
        4 => turn_as::<T, f32>(isa, from, to, whole),
        8 => turn_as::<T, f64>(isa, from, to, whole),
        _ => turn_small(from, to, whole),
    }
    for row in (0..rows).step_by(SQUARE) {
        let first = if row < whole[0] { whole[1] } else { 0 };
        for col in (first..cols).step_by(SQUARE) {
            for r in row..rows.min(row + SQUARE) {
                for c in col..cols.min(col + SQUARE) {
                    out[c * out_step + r] = source[r * source_step + c];
                }
            }
        }
    }
}

/// Whole squares of elements that vectors move as floats of their size, which keeps all bits.
fn turn_as<T: Element, F: Unit>(
    isa: Isa,
    (source, source_step): (&[T], usize),
    (out, out_step): (&mut [T], usize),
    [rows, cols]: [usize; 2],
) {
    assert!(size_of::<T>() == size_of::<F>() && align_of::<T>() == align_of::<F>());
    // SAFETY: any bits of their size are a float, and the lengths are the same.
    let source = unsafe { slice::from_raw_parts(source.as_ptr().cast::<F>(), source.len()) };
    // SAFETY: as above; the borrow is unique, and what is written there are elements of the type.
    let out = unsafe { slice::from_raw_parts_mut(out.as_mut_ptr().cast::<F>(), out.len()) };
    let from = MatRef::new(source, 0, [rows, cols], [source_step as isize, 1]);
    turn(isa, from, MatMut::new(out, cols, rows, out_step));
}

kernel! {
    /// Whole squares: `to` becomes the transpose of `from`, whose rows are adjacent elements.
    fn turn<T: Unit, V>(simd, from: MatRef<'_, T>, to: MatMut<'_, T>) {
        let (rows, cols) = (to.rows(), to.cols());
        assert!(from.rows() == cols && from.cols() == rows && from.col_stride() == 1);
        assert!(rows.is_multiple_of(SQUARE) && cols.is_multiple_of(SQUARE));
        let mut square = [[T::NOTHING; SQUARE]; SQUARE];
        // Along the rows of the result: the machine sees ahead where lines follow each other, and to write a line takes longer than to read it.
        for row in (0..rows).step_by(SQUARE) {
            for col in (0..cols).step_by(SQUARE) {
                // SAFETY: the squares are inside the matrices, whose sizes were compared.
                unsafe {
                    load_turned::<V>(simd, from.at(col, row), from.row_stride(), &mut square);
                    for (i, line) in square.iter().enumerate() {
                        copy_line::<V>(simd, line, to.at(row + i, col));
                    }
                }
            }
        }
    }
}

/// Fills a square with the transpose of one in memory.
///
/// # Safety
/// `from` must be readable for so many rows, `step` apart.
#[inline(always)]
unsafe fn load_turned<V: ProductVector>(
    simd: V::Token,
    from: *const V::Elem,
    step: isize,
    square: &mut [[V::Elem; SQUARE]; SQUARE],
) {
    for row in (0..SQUARE).step_by(V::LANES) {
        for col in (0..SQUARE).step_by(V::LANES) {
            let mut part = [V::splat(simd, V::Elem::NOTHING); MAX_LANES];
            for (i, line) in part.iter_mut().enumerate().take(V::LANES) {
                // SAFETY: the caller vouches for this row.
                *line = unsafe { V::load(simd, from.wrapping_offset((row + i) as isize * step).wrapping_add(col)) };
            }
            transpose_square(&mut part);
            for (i, line) in part.iter().enumerate().take(V::LANES) {
                // SAFETY: lanes divide the square.
                unsafe { line.store(square[col + i].as_mut_ptr().wrapping_add(row)) };
            }
        }
    }
}

/// Writes a line at once: where rows are a power of two apart they would push each other out of the cache half written.
///
/// # Safety
/// `to` must be writable for the line.
#[inline(always)]
unsafe fn copy_line<V: ProductVector>(simd: V::Token, line: &[V::Elem; SQUARE], to: *mut V::Elem) {
    for at in (0..SQUARE).step_by(V::LANES) {
        // SAFETY: lanes divide the line.
        unsafe { V::load(simd, line.as_ptr().wrapping_add(at)).store(to.wrapping_add(at)) };
    }
}

/// Whole squares of elements that are smaller than a lane.
fn turn_small<T: Element>(
    (source, source_step): (&[T], usize),
    (out, out_step): (&mut [T], usize),
    [rows, cols]: [usize; 2],
) {
    for col in (0..cols).step_by(SQUARE) {
        for row in (0..rows).step_by(SQUARE) {
            let mut square = [[T::default(); SQUARE]; SQUARE];
            for (r, line) in square.iter_mut().enumerate() {
                line.copy_from_slice(&source[(row + r) * source_step + col..][..SQUARE]);
            }
            for c in 0..SQUARE {
                let line = &mut out[(col + c) * out_step + row..][..SQUARE];
                for (to, from) in line.iter_mut().zip(&square) {
                    *to = from[c];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn check<T: Element>(value: impl Fn(usize) -> T) {
        for isa in Isa::available() {
            for (rows, cols) in [(0, 3), (1, 1), (3, 40), (16, 16), (17, 33), (48, 31), (70, 64)] {
                let (source_step, out_step) = (cols + 3, rows + 2);
                let source: Vec<T> = (0..rows * source_step + cols).map(|i| value(i + 1)).collect();
                let mut out = vec![value(0); cols * out_step + rows];
                transpose(isa, &source, source_step, &mut out, out_step, [rows, cols]);
                for (i, &got) in out.iter().enumerate() {
                    let (c, r) = (i / out_step, i % out_step);
                    let want = if r < rows && c < cols { source[r * source_step + c] } else { value(0) };
                    assert_eq!(got, want, "{} {rows} x {cols} at {c}, {r}", isa.level());
                }
            }
        }
    }

    #[test]
    fn every_size_is_transposed_and_nothing_else_is_touched() {
        check(|i| i as f32);
        check(|i| i as f64);
        check(|i| i as i64);
        check(|i| i % 3 == 0);
        check(|i| (i % 256) as u8);
        // Among them what would be numbers without a value.
        check(|i| 0x7F80_0000 + i as i32);
    }
}
