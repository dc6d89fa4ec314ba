//! Matrix times vector of `bfloat16`, where every element of the matrix is used once: it is read where it lies, and never widened in memory.

use super::view::MatRef;
use crate::Isa;
use crate::simd::{PairDots, RealVector, kernel};
use trueno_core::bf16;

/// Columns whose sums stay in the first level of cache while the rows go by.
const COLUMNS: usize = 2048;
/// Rows that are read, or added, at a time.
const ROWS: usize = 4;

/// `out[i]` is the product of row `i` of `matrix` with `vector`, summed in `f32`.
///
/// The elements of `matrix` best lie side by side along one of its axes. Rows may be computed in parts: each gives the same, bit for bit.
///
/// ```
/// use trueno_core::bf16;
/// use trueno_kernels::{Isa, matmul::{MatRef, bf16_product_with_vector}};
/// let [one, half, third] = [1.0, 0.5, 1.0 / 3.0].map(bf16::from_f32);
/// let mut out = [0.0; 2];
/// let matrix = [one, half, third, third];
/// bf16_product_with_vector(Isa::best(), MatRef::row_major(&matrix, 2, 2), &[half, half], &mut out);
/// assert_eq!(out, [0.75, third.to_f32()]);
/// ```
///
/// # Panics
/// If the sizes do not fit together.
pub fn bf16_product_with_vector(isa: Isa, matrix: MatRef<'_, bf16>, vector: &[bf16], out: &mut [f32]) {
    assert!(vector.len() == matrix.cols() && out.len() == matrix.rows(), "a vector per axis of the matrix");
    if matrix.col_stride() == 1 || matrix.cols() < 2 {
        dot_rows(isa, matrix, vector, out);
    } else if matrix.row_stride() == 1 {
        add_columns(isa, matrix.transposed(), vector, out);
    } else {
        for (i, out) in out.iter_mut().enumerate() {
            *out = 0.0;
            for (step, factor) in vector.iter().enumerate() {
                // SAFETY: inside the matrix.
                *out += unsafe { *matrix.at(i, step) }.to_f32() * factor.to_f32();
            }
        }
    }
}

kernel! {
    /// The product of each row, whose elements are adjacent, with the vector.
    fn dot_rows<S: PairDots>(simd: S, matrix: MatRef<'_, bf16>, vector: &[bf16], out: &mut [f32]) {
        let next = matrix.row_stride() * ROWS as isize;
        for (part, out) in out.chunks_mut(ROWS).enumerate() {
            let rows: [_; ROWS] = core::array::from_fn(|i| matrix.at(part * ROWS + i.min(out.len() - 1), 0));
            // SAFETY: these rows are in the matrix, their elements adjacent and as many as the vector has.
            let products = unsafe { dots(simd, rows, next, vector) };
            out.copy_from_slice(&products[..out.len()]);
        }
    }
}

/// The products of rows with a vector. `next` is how far the rows lie that will be asked for after these: the machine by itself looks no further
/// than a page ahead, and rows are shorter.
///
/// # Safety
/// Each row must be readable for as many elements as the vector has.
#[inline(always)]
unsafe fn dots<T: PairDots>(simd: T, rows: [*const bf16; ROWS], next: isize, vector: &[bf16]) -> [f32; ROWS] {
    let lanes = 2 * <T::Lanes as RealVector>::LANES;
    let mut sums = [T::Lanes::splat(simd.base(), 0.0); ROWS];
    for (step, factor) in vector.chunks(lanes).enumerate() {
        let (from, count) = (step * lanes, factor.len());
        // SAFETY: the slice has `count` elements.
        let factor = unsafe { simd.load_pairs(factor.as_ptr(), count) };
        for i in 0..ROWS {
            // SAFETY: the caller vouches for `count` elements from here.
            let row = unsafe { simd.load_pairs(rows[i].wrapping_add(from), count) };
            simd.prefetch(rows[i].wrapping_offset(next).wrapping_add(from));
            sums[i] = simd.dot(row, factor, sums[i]);
        }
    }
    let mut products = [0.0; ROWS];
    for (product, sum) in products.iter_mut().zip(sums) {
        *product = sum.reduce_add();
    }
    products
}

kernel! {
    /// The sum of the rows of a matrix of adjacent columns, each times an element of the vector. Products are exact in `f32`.
    fn add_columns<S: PairDots>(_simd: S, matrix: MatRef<'_, bf16>, vector: &[bf16], out: &mut [f32]) {
        for (part, out) in out.chunks_mut(COLUMNS).enumerate() {
            out.fill(0.0);
            for (at, factors) in vector.chunks(ROWS).enumerate() {
                let mut rows: [&[bf16]; ROWS] = [&[]; ROWS];
                for (i, row) in rows.iter_mut().enumerate().take(factors.len()) {
                    // SAFETY: these columns of the row are in the matrix, and adjacent.
                    *row = unsafe { core::slice::from_raw_parts(matrix.at(at * ROWS + i, part * COLUMNS), out.len()) };
                }
                if let (&[a, b, c, d], [w, x, y, z]) = (factors, rows) {
                    let [a, b, c, d] = [wide(a), wide(b), wide(c), wide(d)];
                    for ((((out, &w), &x), &y), &z) in out.iter_mut().zip(w).zip(x).zip(y).zip(z) {
                        *out = *out + a * wide(w) + b * wide(x) + c * wide(y) + d * wide(z);
                    }
                } else {
                    for (&factor, row) in factors.iter().zip(rows) {
                        for (out, &x) in out.iter_mut().zip(row) {
                            *out += wide(factor) * wide(x);
                        }
                    }
                }
            }
        }
    }
}

/// The same number in `f32`.
#[inline(always)]
fn wide(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}
