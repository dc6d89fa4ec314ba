//! Matrix times vector of 8-bit integers, where every element of the matrix is used once: it is read where it lies, and no words are
//! made of it.

use super::grouped::{Grouped, Side};
use super::unit::ProductVector;
use super::view::MatRef;
use super::words::{OFFSET, Word, Words};
use crate::Isa;
use crate::simd::{Dots, MAX_LANES, kernel};

/// Columns whose sums stay in the first level of cache while the rows go by.
const COLUMNS: usize = 2048;
/// Rows that are read, or added, at a time.
const ROWS: usize = 4;

/// A vector of 8-bit integers that matrices are multiplied with.
#[derive(Clone, Copy, Debug)]
pub struct ByteVector<'a> {
    integers: &'a [i8],
    /// The same as words of a left factor, up to a whole vector of them: where bytes of a right factor are unsigned, those of the
    /// matrix are made so as they are read.
    words: &'a [Word],
}

impl<'a> ByteVector<'a> {
    /// Words that a vector of `k` integers takes.
    pub fn len(isa: Isa, k: usize) -> usize {
        Word::steps(isa, k).next_multiple_of(MAX_LANES)
    }

    /// The vector, with room for its words.
    ///
    /// # Panics
    /// If there are not [`ByteVector::len`] of them.
    pub fn new(isa: Isa, integers: &'a [i8], words: &'a mut [Word]) -> ByteVector<'a> {
        assert_eq!(words.len(), ByteVector::len(isa, integers.len()), "as many words as the vector takes");
        let (held, rest) = words.split_at_mut(Word::steps(isa, integers.len()));
        Word::lines(isa, Side::Left, MatRef::row_major(integers, 1, integers.len()), held);
        rest.fill(Word(0));
        ByteVector { integers, words }
    }
}

/// `out[i]` is the product of row `i` of `matrix` with `vector`, exact but for wrapping at 32 bits.
///
/// ```
/// use trueno_kernels::{Isa, matmul::{ByteVector, MatRef, Unit, Word, product_with_vector}};
/// let isa = Isa::best();
/// let mut words = vec![Word::NOTHING; ByteVector::len(isa, 2)];
/// let vector = ByteVector::new(isa, &[-128, 127], &mut words);
/// let mut out = [0; 2];
/// product_with_vector(isa, MatRef::row_major(&[1, 2, -128, 127], 2, 2), vector, &mut out);
/// assert_eq!(out, [126, 32_513]);
/// ```
///
/// # Panics
/// If the sizes do not fit together, or the vector was made for another instruction set.
pub fn product_with_vector(isa: Isa, matrix: MatRef<'_, i8>, vector: ByteVector<'_>, out: &mut [i32]) {
    let ByteVector { integers, words } = vector;
    assert!(integers.len() == matrix.cols() && out.len() == matrix.rows(), "a vector per axis of the matrix");
    assert_eq!(words.len(), ByteVector::len(isa, integers.len()), "words of this instruction set");
    if matrix.col_stride() == 1 || matrix.cols() < 2 {
        let sum = integers.iter().fold(0_i32, |sum, &x| sum.wrapping_add(i32::from(x)));
        dot_rows(isa, matrix, words, sum, out);
    } else if matrix.row_stride() == 1 {
        add_columns(isa, matrix.transposed(), integers, out);
    } else {
        for (i, out) in out.iter_mut().enumerate() {
            *out = 0;
            for (step, &factor) in integers.iter().enumerate() {
                // SAFETY: inside the matrix.
                *out = out.wrapping_add(i32::from(unsafe { *matrix.at(i, step) }) * i32::from(factor));
            }
        }
    }
}

kernel! {
    /// The product of each row, whose elements are adjacent, with the vector, whose elements are `sum` together.
    fn dot_rows<S: Dots>(simd: S, matrix: MatRef<'_, i8>, vector: &[Word], sum: i32, out: &mut [i32]) {
        let next = matrix.row_stride() * ROWS as isize;
        let added = if S::OF_BYTES { sum.wrapping_mul(OFFSET) } else { 0 };
        for (part, out) in out.chunks_mut(ROWS).enumerate() {
            let rows: [_; ROWS] = core::array::from_fn(|i| matrix.at(part * ROWS + i.min(out.len() - 1), 0));
            // SAFETY: these rows are in the matrix, their elements adjacent, and the vector was made for as many.
            let products = unsafe { dots(simd, (rows, next), matrix.cols(), Some(vector)) };
            for (out, product) in out.iter_mut().zip(products) {
                *out = product.wrapping_sub(added);
            }
        }
    }
}

/// The products of rows of `length` integers with the words of a vector, [`OFFSET`] added to each integer where words are of bytes; or
/// without a vector the sums of the rows. `next` is how far the rows lie that will be asked for after these: the machine by itself looks no
/// further than a page ahead, and rows are shorter.
///
/// # Safety
/// Each row must be readable for `length` integers, and the vector hold the words of as many, up to whole vectors of words.
#[inline(always)]
pub(super) unsafe fn dots<T: Dots, const R: usize>(
    simd: T,
    (rows, next): ([*const i8; R], isize),
    length: usize,
    vector: Option<&[Word]>,
) -> [i32; R] {
    let mut sums = [Words::splat(simd, Word(0)); R];
    let ones = Words::ones(simd);
    for from in (0..length).step_by(Words::<T>::INTEGERS) {
        let count = (length - from).min(Words::<T>::INTEGERS);
        let factor = vector.map(|words| {
            let words = words.as_ptr().wrapping_add(from / Words::<T>::INTEGERS * Words::<T>::LANES);
            // SAFETY: the caller vouches for whole vectors of words.
            unsafe { Words::load(simd, words) }
        });
        for i in 0..R {
            // SAFETY: the caller vouches for `count` integers, which are no more than a vector's.
            let row = unsafe { Words::load_integers(simd, rows[i].wrapping_add(from), count) };
            simd.prefetch(rows[i].wrapping_offset(next).wrapping_add(from));
            sums[i] = match factor {
                Some(factor) => factor.mul_add(row.as_right(), sums[i]),
                None => row.mul_add(ones, sums[i]),
            };
        }
    }
    Words::totals(sums)
}

kernel! {
    /// The sum of the rows of a matrix of adjacent columns, each times an element of the vector.
    fn add_columns(_simd: S, matrix: MatRef<'_, i8>, vector: &[i8], out: &mut [i32]) {
        for (part, out) in out.chunks_mut(COLUMNS).enumerate() {
            out.fill(0);
            for (at, factors) in vector.chunks(ROWS).enumerate() {
                let mut rows: [&[i8]; ROWS] = [&[]; ROWS];
                for (i, row) in rows.iter_mut().enumerate().take(factors.len()) {
                    // SAFETY: these columns of the row are in the matrix, and adjacent.
                    *row = unsafe { core::slice::from_raw_parts(matrix.at(at * ROWS + i, part * COLUMNS), out.len()) };
                }
                if let (&[a, b, c, d], [w, x, y, z]) = (factors, rows) {
                    for ((((out, &w), &x), &y), &z) in out.iter_mut().zip(w).zip(x).zip(y).zip(z) {
                        let first = i32::from(a) * i32::from(w) + i32::from(b) * i32::from(x);
                        let second = i32::from(c) * i32::from(y) + i32::from(d) * i32::from(z);
                        *out = out.wrapping_add(first + second);
                    }
                } else {
                    for (&factor, row) in factors.iter().zip(rows) {
                        for (out, &x) in out.iter_mut().zip(row) {
                            *out = out.wrapping_add(i32::from(factor) * i32::from(x));
                        }
                    }
                }
            }
        }
    }
}
