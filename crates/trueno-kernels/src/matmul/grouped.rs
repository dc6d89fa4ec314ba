//! Units that hold several steps of the summed axis: how the elements of a factor become them.

use super::tile::TileShape;
use super::unit::Unit;
use super::view::MatRef;
use crate::Isa;
use trueno_core::Element;

/// Which factor of a product a matrix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// A [`Unit`] that is a word of several elements of a factor, one of each step of the summed axis: a [`Word`](super::Word) of 8-bit
/// integers, or a [`Pair`](super::Pair) of `bfloat16`.
pub trait Grouped: Unit {
    /// The elements.
    type Of: Element;

    /// How many steps of the summed axis a word holds.
    fn per_word(isa: Isa) -> usize;

    /// Whether elements that lie side by side in a factor, first to last, are a word.
    fn are_adjacent(isa: Isa, side: Side) -> bool;

    /// Writes what [`lines`](Grouped::lines) gives, to as many words as that is.
    #[doc(hidden)]
    fn write_lines(isa: Isa, side: Side, x: MatRef<'_, Self::Of>, words: &mut [Self]);

    /// Words that `k` steps of the summed axis take: as many as hold them, up to a multiple of [`step_unit`](Grouped::step_unit).
    fn steps(isa: Isa, k: usize) -> usize {
        k.div_ceil(Self::per_word(isa)).next_multiple_of(Self::step_unit(isa))
    }

    /// Words of the summed axis that are multiplied together: 16 where the machine multiplies tiles, else one.
    fn step_unit(isa: Isa) -> usize {
        TileShape::of::<Self>(isa).steps
    }

    /// Whether [`lines`](Grouped::lines) lays the words of a matrix out step after step, rather than row after row: as the matrix lies.
    fn lie_across(x: &MatRef<'_, Self::Of>) -> bool {
        x.row_stride() == 1 && x.col_stride() != 1
    }

    /// The words of a matrix where it lies, if it has them: a factor of rows without gaps, at multiples of a word and with as many as
    /// are multiplied together.
    fn in_place<'a>(isa: Isa, side: Side, x: MatRef<'a, Self::Of>) -> Option<MatRef<'a, Self>> {
        let (per_word, whole) = (Self::per_word(isa), Self::per_word(isa) * Self::step_unit(isa));
        let aligned =
            x.at(0, 0).cast::<Self>().is_aligned() && (x.rows() < 2 || x.row_stride() % per_word as isize == 0);
        let gapless = x.col_stride() == 1 && x.cols().is_multiple_of(whole);
        let fits = Self::are_adjacent(isa, side) && cfg!(target_endian = "little");
        // SAFETY: rows are so many elements as whole words have, from aligned places on; and a word is as large as its elements where it is made
        // of adjacent ones, and any such elements.
        (fits && aligned && gapless).then(|| unsafe { x.regrouped(per_word) })
    }

    /// A factor whose rows run along the summed axis (the right one transposed, therefore) as words, `[rows, steps]`. Those that the last
    /// words lack are 0.
    ///
    /// A matrix may be made in parts: in blocks of rows, or where they [`lie_across`](Grouped::lie_across) in blocks of
    /// [`per_word`](Grouped::per_word) times as many columns as steps, which are multiples of [`step_unit`](Grouped::step_unit). Their words
    /// follow each other.
    ///
    /// # Panics
    /// If `words` is not as long as they are.
    fn lines<'w>(isa: Isa, side: Side, x: MatRef<'_, Self::Of>, words: &'w mut [Self]) -> MatRef<'w, Self> {
        let (rows, steps) = (x.rows(), Self::steps(isa, x.cols()));
        assert_eq!(words.len(), rows * steps, "as many words as the matrix takes");
        Self::write_lines(isa, side, x, words);
        if Self::lie_across(&x) {
            MatRef::row_major(words, steps, rows).transposed()
        } else {
            MatRef::row_major(words, rows, steps)
        }
    }
}

/// What vectors of words of 32 bits, which are `lanes` of floats under a `token`, share: they are moved as such, bit for bit.
macro_rules! moved_as_floats {
    ($unit:ident) => {
        type Elem = $unit;
        type Token = T;
        const LANES: usize = <T::Lanes as RealVector>::LANES;

        #[inline(always)]
        fn splat(token: T, value: $unit) -> Self {
            Self { lanes: RealVector::splat(token.base(), f32::from_bits(value.0 as u32)), token }
        }
        #[inline(always)]
        unsafe fn load(token: T, source: *const $unit) -> Self {
            // SAFETY: the caller vouches for so many words, which are as large as floats.
            Self { lanes: unsafe { RealVector::load(token.base(), source.cast()) }, token }
        }
        #[inline(always)]
        unsafe fn load_partial(token: T, source: *const $unit, count: usize) -> Self {
            // SAFETY: as above.
            Self { lanes: unsafe { RealVector::load_partial(token.base(), source.cast(), count) }, token }
        }
        #[inline(always)]
        unsafe fn store(self, target: *mut $unit) {
            // SAFETY: as above.
            unsafe { RealVector::store(self.lanes, target.cast()) }
        }
        #[inline(always)]
        unsafe fn store_partial(self, target: *mut $unit, count: usize) {
            // SAFETY: as above.
            unsafe { RealVector::store_partial(self.lanes, target.cast(), count) }
        }
        #[inline(always)]
        fn zip(self, other: Self) -> (Self, Self) {
            let (lower, upper) = RealVector::zip(self.lanes, other.lanes);
            (self.map(lower), self.map(upper))
        }
    };
}
pub(super) use moved_as_floats;
