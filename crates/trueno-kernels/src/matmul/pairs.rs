//! Pairs of `bfloat16`, the lanes of a product in that type: two steps of the summed axis side by side.
//!
//! A pair times a pair adds two products to a sum of `f32`, in one instruction where the machine has AVX512-BF16. The products are exact
//! and each addition rounds, as in `f32`; but numbers below 2^-126 count as 0 there, as factors and as sums.

use super::Epilogue;
use super::grouped::{Grouped, Side, moved_as_floats};
use super::tile::load_some;
use super::unit::{DotRows, Kind, ProductVector, Unit};
use super::view::{MatMut, MatRef};
use crate::Isa;
use crate::simd::{PairDots, RealVector, Sealed, kernel};
use trueno_core::bf16;

/// Two `bfloat16` of a factor, the first in the lower half; or as a sum an `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Pair(u32);

impl Pair {
    /// Two elements.
    #[inline(always)]
    pub fn new(first: bf16, second: bf16) -> Pair {
        Pair(u32::from(second.to_bits()) << 16 | u32::from(first.to_bits()))
    }

    /// Pairs of elements of two slices, or of one and 0.
    ///
    /// # Panics
    /// If they are not of one length.
    pub fn zip(isa: Isa, first: &[bf16], second: Option<&[bf16]>, pairs: &mut [Pair]) {
        let lengths = [first.len(), second.map_or(first.len(), <[bf16]>::len)];
        assert_eq!(lengths, [pairs.len(); 2], "as many pairs as elements");
        zip(isa, first, second, pairs);
    }

    /// Rounds sums, whose rows have no gaps, to the nearest `bfloat16`, the even one of two. Where the machine has an instruction for it, sums
    /// below 2^-126 become 0.
    ///
    /// # Panics
    /// If `out` has another size, or there are gaps.
    pub fn round(isa: Isa, sums: MatRef<'_, f32>, out: MatMut<'_, bf16>) {
        assert_eq!([sums.rows(), sums.cols()], [out.rows(), out.cols()], "as many sums as elements");
        assert!(sums.col_stride() == 1 || sums.cols() < 2, "rows without gaps");
        round(isa, sums, out);
    }

    /// Pairs as what moves them, bit for bit.
    pub(crate) fn as_floats(pairs: &[Pair]) -> &[f32] {
        // SAFETY: both are 4 bytes of the same alignment, for which every bit pattern is a value.
        unsafe { core::slice::from_raw_parts(pairs.as_ptr().cast(), pairs.len()) }
    }

    /// As [`as_floats`](Pair::as_floats), to write.
    pub(crate) fn as_floats_mut(pairs: &mut [Pair]) -> &mut [f32] {
        // SAFETY: as above; the borrow goes along.
        unsafe { core::slice::from_raw_parts_mut(pairs.as_mut_ptr().cast(), pairs.len()) }
    }
}

impl Sealed for Pair {}
impl Unit for Pair {
    type Held = f32;
    type Epilogue<'a> = Epilogue<'a, f32>;
    const NOTHING: Self = Pair(0);
    const KIND: Kind = Kind::Pair;
    // The vector and the matrix are read where they lie: see `half_vector`.
    const DOT_ROWS: Option<DotRows<Self>> = None;

    fn of(held: &[f32]) -> &[Pair] {
        // SAFETY: both are 4 bytes of the same alignment, for which every bit pattern is a value.
        unsafe { core::slice::from_raw_parts(held.as_ptr().cast(), held.len()) }
    }
    fn of_mut(held: &mut [f32]) -> &mut [Pair] {
        // SAFETY: as above; the borrow goes along.
        unsafe { core::slice::from_raw_parts_mut(held.as_mut_ptr().cast(), held.len()) }
    }
}

impl Grouped for Pair {
    type Of = bf16;

    fn per_word(_: Isa) -> usize {
        2
    }

    fn are_adjacent(_: Isa, _: Side) -> bool {
        true
    }

    fn write_lines(isa: Isa, _: Side, x: MatRef<'_, bf16>, pairs: &mut [Pair]) {
        if Pair::lie_across(&x) {
            pairs_across(isa, x, pairs);
        } else {
            pairs_along(isa, x, Pair::steps(isa, x.cols()), pairs);
        }
    }
}

/// Two elements, or the last one of an odd number.
#[inline(always)]
fn pair(first: bf16, second: Option<&bf16>) -> Pair {
    Pair::new(first, second.copied().unwrap_or(bf16::ZERO))
}

/// See [`Pair::zip`].
#[inline(always)]
fn zip_rows(first: &[bf16], second: Option<&[bf16]>, pairs: &mut [Pair]) {
    match second {
        Some(second) => {
            for ((target, &first), &second) in pairs.iter_mut().zip(first).zip(second) {
                *target = Pair::new(first, second);
            }
        }
        None => {
            for (target, &first) in pairs.iter_mut().zip(first) {
                *target = Pair::new(first, bf16::ZERO);
            }
        }
    }
}

kernel! {
    fn zip<S: PairDots>(_simd: S, first: &[bf16], second: Option<&[bf16]>, pairs: &mut [Pair]) {
        zip_rows(first, second, pairs);
    }
}

kernel! {
    /// Pairs row after row, `steps` of each.
    fn pairs_along<S: PairDots>(_simd: S, x: MatRef<'_, bf16>, steps: usize, pairs: &mut [Pair]) {
        for (i, pairs) in pairs.chunks_exact_mut(steps.max(1)).enumerate() {
            let (pairs, missing) = pairs.split_at_mut(x.cols().div_ceil(2));
            missing.fill(Pair::NOTHING);
            if x.col_stride() == 1 {
                // SAFETY: row `i` is in the matrix, and its elements are adjacent.
                let row = unsafe { core::slice::from_raw_parts(x.at(i, 0), x.cols()) };
                for (target, two) in pairs.iter_mut().zip(row.chunks(2)) {
                    *target = pair(two[0], two.get(1));
                }
            } else {
                for (step, target) in pairs.iter_mut().enumerate() {
                    // SAFETY: inside the matrix: the second one was compared with the number of columns.
                    let (first, second) = unsafe {
                        (*x.at(i, 2 * step), (2 * step + 1 < x.cols()).then(|| &*x.at(i, 2 * step + 1)))
                    };
                    *target = pair(first, second);
                }
            }
        }
    }
}

kernel! {
    /// Pairs step after step, of a matrix whose columns are without gaps.
    fn pairs_across<S: PairDots>(_simd: S, x: MatRef<'_, bf16>, pairs: &mut [Pair]) {
        let rows = x.rows().max(1);
        for (step, pairs) in pairs.chunks_exact_mut(rows).enumerate() {
            if 2 * step >= x.cols() {
                pairs.fill(Pair::NOTHING);
                continue;
            }
            // SAFETY: column `2 * step` is in the matrix, and its elements are adjacent.
            let first = unsafe { core::slice::from_raw_parts(x.at(0, 2 * step), rows) };
            // SAFETY: so is the next one, if there is one.
            let next = || unsafe { core::slice::from_raw_parts(x.at(0, 2 * step + 1), rows) };
            zip_rows(first, (2 * step + 1 < x.cols()).then(next), pairs);
        }
    }
}

kernel! {
    fn round<S: PairDots>(simd: S, sums: MatRef<'_, f32>, out: MatMut<'_, bf16>) {
        let lanes = <S::Lanes as RealVector>::LANES;
        for i in 0..out.rows() {
            for col in (0..out.cols()).step_by(lanes) {
                let count = (out.cols() - col).min(lanes);
                // SAFETY: the columns are in both matrices, in each of which they are adjacent.
                unsafe {
                    let sums = load_some::<S::Lanes>(simd.base(), sums.at(i, col), count);
                    simd.store_nearest(sums, out.at(i, col), count);
                }
            }
        }
    }
}

/// A vector of pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs<T: PairDots> {
    lanes: T::Lanes,
    token: T,
}

impl<T: PairDots> Pairs<T> {
    #[inline(always)]
    fn map(self, lanes: T::Lanes) -> Self {
        Pairs { lanes, ..self }
    }
}

impl<T: PairDots> ProductVector for Pairs<T> {
    moved_as_floats!(Pair);

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.map(RealVector::add(self.lanes, other.lanes))
    }
    #[inline(always)]
    fn mul_add(self, right: Self, sum: Self) -> Self {
        self.map(self.token.dot(self.lanes, right.lanes, sum.lanes))
    }
    #[inline(always)]
    fn finish(self, epilogue: &Epilogue<'_, f32>, i: usize, col: usize, width: usize) -> Self {
        self.map(ProductVector::finish(self.lanes, epilogue, i, col, width))
    }
}
