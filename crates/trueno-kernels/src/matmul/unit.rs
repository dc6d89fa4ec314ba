//! What products are made of, and the vectors that they are summed in. The loops over blocks and tiles are written once, for floats and
//! for words of small integers.

use core::fmt::Debug;
use core::ops::Range;

use trueno_core::Element;

use super::epilogue::{Activation, Bias, Epilogue};
use super::tile::load_some;
use super::vector::dot_rows;
use super::view::{MatMut, MatRef};
use crate::Isa;
use crate::simd::{Real, RealVector, Sealed, Token};

/// One lane of a factor, and of a sum of products: `f32`, `f64`, a [`Word`](super::Word) of 8-bit integers, or a [`Pair`](super::Pair) of
/// `bfloat16`.
pub trait Unit: Copy + Debug + Send + Sync + Sealed + 'static {
    /// The elements in whose memory they lie.
    type Held: Element;
    /// What can be fused into a product.
    type Epilogue<'a>: Finish;
    /// What adds nothing, as a factor and as a sum.
    const NOTHING: Self;
    /// Which type this is.
    #[doc(hidden)]
    const KIND: Kind;
    /// The product with a vector, for those that need no packing for it.
    #[doc(hidden)]
    const DOT_ROWS: Option<DotRows<Self>>;

    /// Elements read as units.
    fn of(held: &[Self::Held]) -> &[Self];
    /// Elements read and written as units.
    fn of_mut(held: &mut [Self::Held]) -> &mut [Self];
}

/// What a [`Unit`] is.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Single,
    Double,
    Word,
    Pair,
}

/// The kernel of [`Unit::DOT_ROWS`].
#[doc(hidden)]
pub type DotRows<T> = fn(Isa, MatRef<'_, T>, &[T], MatMut<'_, T>, bool);

/// What is fused into a product, as the loops over its blocks see it.
pub trait Finish: Copy + Debug + Send + Sync {
    /// Whether the product is added to what is there, or takes its place.
    fn accumulates(&self) -> bool;
    /// Whether the sum itself is the result.
    fn is_identity(&self) -> bool;
    /// The part that concerns a block of the product.
    ///
    /// # Panics
    /// If a range ends past what there is for its axis.
    #[must_use]
    fn block(&self, rows: Range<usize>, cols: Range<usize>) -> Self;
    /// Panics if what there is for an axis is not as long as the product is high (or wide).
    fn check(&self, rows: usize, cols: usize);
}

macro_rules! float {
    ($t:ident, $kind:ident) => {
        impl Unit for $t {
            type Held = $t;
            type Epilogue<'a> = Epilogue<'a, $t>;
            const NOTHING: Self = 0.0;
            const KIND: Kind = Kind::$kind;
            const DOT_ROWS: Option<DotRows<Self>> = Some(dot_rows::<$t>);

            fn of(held: &[$t]) -> &[$t] {
                held
            }
            fn of_mut(held: &mut [$t]) -> &mut [$t] {
                held
            }
        }
    };
}
float!(f32, Single);
float!(f64, Double);

/// A vector of [`Unit`] lanes: as much of one as products need.
pub(crate) trait ProductVector: Copy {
    /// The type of a lane.
    type Elem: Unit;
    /// The proof of its instructions.
    type Token: Token;
    /// How many lanes there are.
    const LANES: usize;

    /// `value` in every lane.
    fn splat(token: Self::Token, value: Self::Elem) -> Self;
    /// Reads `LANES` values, at any alignment.
    ///
    /// # Safety
    /// `source` must be readable for `LANES` values.
    unsafe fn load(token: Self::Token, source: *const Self::Elem) -> Self;
    /// Reads the first `count` lanes and sets the others to 0.
    ///
    /// # Safety
    /// `count` must be at most `LANES`, and `source` readable for `count` values.
    unsafe fn load_partial(token: Self::Token, source: *const Self::Elem, count: usize) -> Self;
    /// Writes `LANES` values, at any alignment.
    ///
    /// # Safety
    /// `target` must be writable for `LANES` values.
    unsafe fn store(self, target: *mut Self::Elem);
    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// `count` must be at most `LANES`, and `target` writable for `count` values.
    unsafe fn store_partial(self, target: *mut Self::Elem, count: usize);
    /// The sum of two sums.
    fn add(self, other: Self) -> Self;
    /// `sum` plus the product of `self`, from the left matrix, and `right`.
    fn mul_add(self, right: Self, sum: Self) -> Self;
    /// The lanes of both, alternating: those of the lower halves, then those of the upper halves.
    fn zip(self, other: Self) -> (Self, Self);
    /// What the epilogue makes of sums in row `i` and in the `width` columns from `col`.
    fn finish(self, epilogue: &<Self::Elem as Unit>::Epilogue<'_>, i: usize, col: usize, width: usize) -> Self;
}

impl<V: RealVector> ProductVector for V {
    type Elem = <V as RealVector>::Elem;
    type Token = <V as RealVector>::Token;
    const LANES: usize = <V as RealVector>::LANES;

    #[inline(always)]
    fn splat(token: Self::Token, value: Self::Elem) -> Self {
        <V as RealVector>::splat(token, value)
    }
    #[inline(always)]
    unsafe fn load(token: Self::Token, source: *const Self::Elem) -> Self {
        // SAFETY: the caller's promise is the same.
        unsafe { <V as RealVector>::load(token, source) }
    }
    #[inline(always)]
    unsafe fn load_partial(token: Self::Token, source: *const Self::Elem, count: usize) -> Self {
        // SAFETY: the caller's promise is the same.
        unsafe { <V as RealVector>::load_partial(token, source, count) }
    }
    #[inline(always)]
    unsafe fn store(self, target: *mut Self::Elem) {
        // SAFETY: the caller's promise is the same.
        unsafe { RealVector::store(self, target) }
    }
    #[inline(always)]
    unsafe fn store_partial(self, target: *mut Self::Elem, count: usize) {
        // SAFETY: the caller's promise is the same.
        unsafe { RealVector::store_partial(self, target, count) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        RealVector::add(self, other)
    }
    #[inline(always)]
    fn mul_add(self, right: Self, sum: Self) -> Self {
        RealVector::mul_add(self, right, sum)
    }
    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        RealVector::zip(self, other)
    }

    /// Adds the bias, then activates.
    #[inline(always)]
    fn finish(self, epilogue: &Epilogue<'_, Self::Elem>, i: usize, col: usize, width: usize) -> Self {
        let simd = self.token();
        let sum = match epilogue.bias {
            Bias::None => self,
            Bias::PerRow(bias) => RealVector::add(self, <V as RealVector>::splat(simd, bias[i])),
            Bias::PerColumn(bias) => {
                let bias = &bias[col..col + width];
                // SAFETY: `bias` has `width` elements.
                RealVector::add(self, unsafe { load_some::<V>(simd, bias.as_ptr(), width) })
            }
        };
        match epilogue.activation {
            Activation::Identity => sum,
            // The second operand is what a NaN on either side gives.
            Activation::Relu => <V as RealVector>::splat(simd, Self::Elem::ZERO).max(sum),
        }
    }
}
