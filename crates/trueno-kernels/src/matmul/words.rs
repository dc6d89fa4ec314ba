//! Words of 8-bit integers, the lanes of an integer product: several steps of the summed axis side by side.
//!
//! Where the machine multiplies bytes, a word is four of them, and those of the right factor are unsigned (unless it multiplies tiles): 128 is
//! added to each, and 128 times the sum of each row of the left factor taken off the product. Elsewhere a word is two halves of 16 bits. Sums are the same,
//! to the bit: they are exact, and wrap at 32 bits as all sums of `i32` do.

use super::grouped::{Grouped, Side, moved_as_floats};
use super::integer::dots;
use super::tile::{Target, finish_in_place, load_some};
use super::unit::{DotRows, Finish, Kind, ProductVector, Unit};
use super::view::{MatMut, MatRef};
use crate::Isa;
use crate::simd::{Dots, IntegerLanes, RealVector, Sealed, kernel};
use core::ops::Range;

/// Two or four 8-bit integers of a factor, or a sum of their products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Word(pub(super) i32);

/// What is added to each byte of a right factor that is read as unsigned: the sign bit turned.
pub(super) const OFFSET: i32 = 128;
/// Words of four with every sign bit set.
const SIGNS: i32 = i32::from_le_bytes([0x80; 4]);

impl Word {
    /// Whether rows of a left factor add to the product besides their words: where the right one is read as unsigned. Elsewhere terms are 0.
    pub fn has_row_terms(isa: Isa) -> bool {
        isa.has_byte_dots() && !isa.has_amx()
    }

    /// What each row of a left factor adds to the product besides its words: the [`row_terms`](WordEpilogue::row_terms).
    ///
    /// # Panics
    /// If `terms` is not one per row.
    pub fn row_terms(isa: Isa, a: MatRef<'_, i8>, terms: &mut [i32]) {
        assert_eq!(terms.len(), a.rows(), "one term per row");
        if Word::has_row_terms(isa) {
            row_sums(isa, a, terms);
            terms.iter_mut().for_each(|sum| *sum = sum.wrapping_mul(-OFFSET));
        } else {
            terms.fill(0);
        }
    }

    /// Floats, as the memory of a product whose epilogue gives floats.
    pub fn of_floats(floats: &mut [f32]) -> &mut [Word] {
        // SAFETY: both are 4 bytes of the same alignment, for which every bit pattern is a value; the borrow goes along.
        unsafe { core::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), floats.len()) }
    }

    /// Sums, as the integers that they are.
    pub fn sums(words: &mut [Word]) -> &mut [i32] {
        // SAFETY: a word is an integer, by `repr(transparent)`; the borrow goes along.
        unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len()) }
    }

    /// Applies the epilogue to sums that are in memory.
    ///
    /// # Panics
    /// If what there is for an axis is not as long as `c` is high (or wide).
    pub fn finish(isa: Isa, c: MatMut<'_, Word>, epilogue: &WordEpilogue<'_>) {
        epilogue.check(c.rows(), c.cols());
        finish_in_place(isa, Target { c, accumulate: false, epilogue: Some(*epilogue) });
    }
}

impl Sealed for Word {}
impl Unit for Word {
    type Held = i32;
    type Epilogue<'a> = WordEpilogue<'a>;
    const NOTHING: Self = Word(0);
    const KIND: Kind = Kind::Word;
    // A vector would have to be made words of, and the matrix too: see `integer`.
    const DOT_ROWS: Option<DotRows<Self>> = None;

    fn of(held: &[i32]) -> &[Word] {
        // SAFETY: a word is an integer, by `repr(transparent)`.
        unsafe { core::slice::from_raw_parts(held.as_ptr().cast(), held.len()) }
    }
    fn of_mut(held: &mut [i32]) -> &mut [Word] {
        // SAFETY: a word is an integer, by `repr(transparent)`; the borrow goes along.
        unsafe { core::slice::from_raw_parts_mut(held.as_mut_ptr().cast(), held.len()) }
    }
}

impl Grouped for Word {
    type Of = i8;

    fn per_word(isa: Isa) -> usize {
        if isa.has_byte_dots() { 4 } else { 2 }
    }

    /// Bytes, which words have too where they are signed there.
    fn are_adjacent(isa: Isa, side: Side) -> bool {
        isa.has_byte_dots() && (side == Side::Left || !Word::has_row_terms(isa))
    }

    fn write_lines(isa: Isa, side: Side, x: MatRef<'_, i8>, words: &mut [Word]) {
        let turned = if side == Side::Right && Word::has_row_terms(isa) { SIGNS } else { 0 };
        if Word::lie_across(&x) {
            words_across(isa, x, Word::per_word(isa), turned, words);
        } else {
            words_along(isa, x, Word::per_word(isa), Word::steps(isa, x.cols()), turned, words);
        }
    }
}

/// The word of up to two or four integers; those that are missing are 0.
#[inline(always)]
fn word(integers: &[i8], per_word: usize) -> i32 {
    let mut bytes = [0; 4];
    for (byte, &integer) in bytes.iter_mut().zip(integers) {
        *byte = integer as u8;
    }
    if per_word == 4 { i32::from_le_bytes(bytes) } else { pair(i16::from_le_bytes([bytes[0], bytes[1]])) }
}

/// Two bytes as halves of 16 bits each.
#[inline(always)]
fn pair(bytes: i16) -> i32 {
    let bytes = i32::from(bytes);
    (bytes & !0xFF) << 8 | (bytes << 24 >> 24) & 0xFFFF
}

kernel! {
    /// Words row after row, `steps` of each.
    fn words_along(_simd: S, x: MatRef<'_, i8>, per_word: usize, steps: usize, turned: i32, words: &mut [Word]) {
        for (i, words) in words.chunks_exact_mut(steps.max(1)).enumerate() {
            let (words, missing) = words.split_at_mut(x.cols().div_ceil(per_word));
            missing.fill(Word(turned));
            if x.col_stride() != 1 {
                for (step, word) in words.iter_mut().enumerate() {
                    *word = Word(strided(x, i, step * per_word, per_word) ^ turned);
                }
                continue;
            }
            // SAFETY: row `i` is in the matrix, and its elements are adjacent.
            let row = unsafe { core::slice::from_raw_parts(x.at(i, 0), x.cols()) };
            let whole = row.len() / per_word;
            // One loop for each size, so that the compiler sees what a word is made of.
            if per_word == 4 {
                for (word, bytes) in words.iter_mut().zip(row.chunks_exact(4)) {
                    let bytes = [bytes[0] as u8, bytes[1] as u8, bytes[2] as u8, bytes[3] as u8];
                    *word = Word(i32::from_le_bytes(bytes) ^ turned);
                }
            } else {
                for (word, bytes) in words.iter_mut().zip(row.chunks_exact(2)) {
                    *word = Word(pair(i16::from_le_bytes([bytes[0] as u8, bytes[1] as u8])) ^ turned);
                }
            }
            if whole < words.len() {
                words[whole] = Word(word(&row[whole * per_word..], per_word) ^ turned);
            }
        }
    }
}

kernel! {
    /// Words step after step, of a matrix whose columns are without gaps.
    fn words_across(_simd: S, x: MatRef<'_, i8>, per_word: usize, turned: i32, words: &mut [Word]) {
        let rows = x.rows().max(1);
        for (step, words) in words.chunks_exact_mut(rows).enumerate() {
            let first = step * per_word;
            if first + per_word > x.cols() {
                for (i, word) in words.iter_mut().enumerate() {
                    *word = Word(strided(x, i, first, per_word) ^ turned);
                }
                continue;
            }
            let mut columns: [&[i8]; 4] = [&[]; 4];
            for (i, column) in columns.iter_mut().enumerate().take(per_word) {
                // SAFETY: column `first + i` is in the matrix, and its elements are adjacent.
                *column = unsafe { core::slice::from_raw_parts(x.at(0, first + i), rows) };
            }
            let [a, b, c, d] = columns;
            if per_word == 4 {
                for ((((word, &a), &b), &c), &d) in words.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *word = Word(i32::from_le_bytes([a as u8, b as u8, c as u8, d as u8]) ^ turned);
                }
            } else {
                for ((word, &a), &b) in words.iter_mut().zip(a).zip(b) {
                    *word = Word((i32::from(b) << 16 | i32::from(a) & 0xFFFF) ^ turned);
                }
            }
        }
    }
}

/// The word of the integers from column `first` of row `i`.
#[inline(always)]
fn strided(x: MatRef<'_, i8>, i: usize, first: usize, per_word: usize) -> i32 {
    let mut integers = [0; 4];
    for (at, integer) in integers.iter_mut().enumerate().take(per_word.min(x.cols().saturating_sub(first))) {
        // SAFETY: callers name a row of the matrix, and the column was compared with their number.
        *integer = unsafe { *x.at(i, first + at) };
    }
    word(&integers[..per_word], per_word)
}

kernel! {
    /// `sums[i]` is the sum of row `i`.
    fn row_sums<S: Dots>(simd: S, x: MatRef<'_, i8>, sums: &mut [i32]) {
        sums.fill(0);
        if x.col_stride() == 1 {
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: row `i` is in the matrix, and its elements are adjacent.
                [*sum] = unsafe { dots(simd, ([x.at(i, 0)], x.row_stride()), x.cols(), None) };
            }
        } else if x.row_stride() == 1 {
            for step in 0..x.cols() {
                // SAFETY: column `step` is in the matrix, and its elements are adjacent.
                let column = unsafe { core::slice::from_raw_parts(x.at(0, step), x.rows()) };
                for (sum, &value) in sums.iter_mut().zip(column) {
                    *sum = sum.wrapping_add(i32::from(value));
                }
            }
        } else {
            for (i, sum) in sums.iter_mut().enumerate() {
                for step in 0..x.cols() {
                    // SAFETY: inside the matrix.
                    *sum = sum.wrapping_add(i32::from(unsafe { *x.at(i, step) }));
                }
            }
        }
    }
}

/// One factor of the sums for each row or column of a product.
#[derive(Clone, Copy, Debug)]
pub enum Scale<'a> {
    /// The same for all.
    All(f32),
    /// One each.
    Each(&'a [f32]),
}

impl Scale<'_> {
    fn block(&self, range: Range<usize>) -> Self {
        match *self {
            Scale::All(scale) => Scale::All(scale),
            Scale::Each(scales) => Scale::Each(&scales[range]),
        }
    }

    fn check(&self, length: usize, what: &str) {
        if let Scale::Each(scales) = self {
            assert_eq!(scales.len(), length, "one scale per {what}");
        }
    }
}

/// What makes floats of sums: `sum * (row scale * column scale) + bias`, each step rounded, the sum to `f32` first.
#[derive(Clone, Copy, Debug)]
pub struct Dequantize<'a> {
    /// The scales of the left factor's rows.
    pub rows: Scale<'a>,
    /// The scales of the right factor's columns.
    pub cols: Scale<'a>,
    /// What is added to each column.
    pub bias: Option<&'a [f32]>,
}

/// What is fused into a product of words.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordEpilogue<'a> {
    /// What is left to be added to each row: the part of a left factor that its words do not hold.
    pub row_terms: &'a [i32],
    /// What makes floats of the sums; the product's memory then holds their bits.
    pub dequantize: Option<Dequantize<'a>>,
}

impl Finish for WordEpilogue<'_> {
    fn accumulates(&self) -> bool {
        false
    }

    fn is_identity(&self) -> bool {
        self.dequantize.is_none() && self.row_terms.is_empty()
    }

    fn block(&self, rows: Range<usize>, cols: Range<usize>) -> Self {
        let dequantize = self.dequantize.map(|Dequantize { rows: by_row, cols: by_col, bias }| Dequantize {
            rows: by_row.block(rows.clone()),
            cols: by_col.block(cols.clone()),
            bias: bias.map(|bias| &bias[cols]),
        });
        WordEpilogue { row_terms: if self.row_terms.is_empty() { &[] } else { &self.row_terms[rows] }, dequantize }
    }

    fn check(&self, rows: usize, cols: usize) {
        assert!(self.row_terms.is_empty() || self.row_terms.len() == rows, "one term per row");
        if let Some(Dequantize { rows: by_row, cols: by_col, bias }) = &self.dequantize {
            by_row.check(rows, "row");
            by_col.check(cols, "column");
            assert!(bias.is_none_or(|bias| bias.len() == cols), "one bias per column");
        }
    }
}

/// A vector of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<T: Dots> {
    lanes: T::Lanes,
    token: T,
}

impl<T: Dots> Words<T> {
    /// Integers in a vector.
    pub(super) const INTEGERS: usize = if T::OF_BYTES { 4 } else { 2 } * <T::Lanes as RealVector>::LANES;

    /// Adjacent integers as those of a left factor, and 0 for those that are missing.
    ///
    /// # Safety
    /// `source` must be readable for `count`, at most [`INTEGERS`](Self::INTEGERS).
    #[inline(always)]
    pub(super) unsafe fn load_integers(token: T, source: *const i8, count: usize) -> Self {
        // SAFETY: the caller's promise is the same.
        let lanes = unsafe {
            if count == Self::INTEGERS { token.load_left(source) } else { token.load_left_partial(source, count) }
        };
        Words { lanes, token }
    }

    /// Integers of a left factor as those of a right one.
    #[inline(always)]
    pub(super) fn as_right(self) -> Self {
        let Words { lanes: signs, .. } = Self::splat(self.token, Word(SIGNS));
        if T::OF_BYTES { self.map(self.lanes.xor(signs)) } else { self }
    }

    /// The integer 1, as one of a right factor, everywhere.
    #[inline(always)]
    pub(super) fn ones(token: T) -> Self {
        ProductVector::splat(token, Word(if T::OF_BYTES { 0x0101_0101 } else { 0x0001_0001 }))
    }

    /// The sum of the lanes of each.
    #[inline(always)]
    pub(super) fn totals<const R: usize>(all: [Self; R]) -> [i32; R] {
        let total = |lanes: &[f32]| lanes.iter().fold(0_i32, |sum, lane| sum.wrapping_add(lane.to_bits() as i32));
        let mut totals = [0_i32; R];
        match all[..] {
            // Four at once: sums of their halves side by side, and of halves of those.
            [a, b, c, d] if Self::LANES >= 4 => {
                let joined = a.zipped_sum(c).zipped_sum(b.zipped_sum(d)).lanes.to_lanes();
                for lanes in joined[..Self::LANES].chunks_exact(4) {
                    for (sum, lane) in totals.iter_mut().zip(lanes) {
                        *sum = sum.wrapping_add(lane.to_bits() as i32);
                    }
                }
            }
            _ => {
                for (sum, one) in totals.iter_mut().zip(all) {
                    *sum = total(&one.lanes.to_lanes()[..Self::LANES]);
                }
            }
        }
        totals
    }

    /// Sums of two lanes of `self` and of `other`, alternating.
    #[inline(always)]
    fn zipped_sum(self, other: Self) -> Self {
        let (lower, upper) = self.zip(other);
        ProductVector::add(lower, upper)
    }

    #[inline(always)]
    fn map(self, lanes: T::Lanes) -> Self {
        Words { lanes, ..self }
    }
}

impl<T: Dots> ProductVector for Words<T> {
    moved_as_floats!(Word);
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.map(self.lanes.add_bits(other.lanes))
    }
    #[inline(always)]
    fn mul_add(self, right: Self, sum: Self) -> Self {
        self.map(self.token.dot(self.lanes, right.lanes, sum.lanes))
    }

    #[inline(always)]
    fn finish(self, epilogue: &WordEpilogue<'_>, i: usize, col: usize, width: usize) -> Self {
        let sums = match epilogue.row_terms {
            [] => self,
            terms => ProductVector::add(self, Words::splat(self.token, Word(terms[i]))),
        };
        let Some(Dequantize { rows, cols, bias }) = epilogue.dequantize else { return sums };
        let simd = self.token.base();
        let row = match rows {
            Scale::All(scale) => scale,
            Scale::Each(scales) => scales[i],
        };
        let row = <T::Lanes as RealVector>::splat(simd, row);
        let scale = match cols {
            Scale::All(scale) => row.mul(RealVector::splat(simd, scale)),
            Scale::Each(scales) => row.mul(part(simd, scales, col, width)),
        };
        let floats = sums.lanes.integers_to_floats().mul(scale);
        self.map(match bias {
            None => floats,
            Some(bias) => RealVector::add(floats, part(simd, bias, col, width)),
        })
    }
}

/// The `width` values from `col`.
#[inline(always)]
fn part<V: RealVector>(simd: V::Token, values: &[V::Elem], col: usize, width: usize) -> V {
    let values = &values[col..col + width];
    // SAFETY: there are `width` values.
    unsafe { load_some::<V>(simd, values.as_ptr(), width) }
}
