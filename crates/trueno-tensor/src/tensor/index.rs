//! `i![]`: NumPy's basic indexing, with the change of rank in its type.

use super::rank::{Lower, Raise, Rank, Ranked, Shell};
use super::{Tensor, expect};
use smallvec::SmallVec;
use trueno_core::{Element, Result, SliceItem};

/// What stands between NumPy's brackets, made by [`i!`](crate::i): `REMOVED` axes are indexed away, `KEPT` axes are cut, and
/// `ADDED` ones are new.
#[derive(Clone, Debug)]
pub struct Items<const REMOVED: usize, const KEPT: usize, const ADDED: usize>(SmallVec<[SliceItem; 6]>);

impl<const REMOVED: usize, const KEPT: usize, const ADDED: usize> Items<REMOVED, KEPT, ADDED> {
    #[doc(hidden)]
    pub fn new(items: &[SliceItem]) -> Self {
        Items(SmallVec::from_slice(items))
    }

    /// The items as the engine takes them.
    pub fn as_slice(&self) -> &[SliceItem] {
        &self.0
    }
}

/// An integer that may be a position along an axis; negative ones count from the end.
pub trait Position {
    /// As the engine takes it. What does not fit is beyond every axis, and stays so.
    fn position(self) -> isize;
}

macro_rules! positions {
    ($($t:ty)*) => {$(
        impl Position for $t {
            fn position(self) -> isize {
                isize::try_from(self).unwrap_or(isize::MAX)
            }
        }
    )*};
}

positions!(usize isize i32 u32 i64);

/// The end of a range whose last position is `last`: none after -1, which is the last of all.
#[doc(hidden)]
pub fn after(last: isize) -> Option<isize> {
    last.checked_add(1).filter(|&stop| stop != 0)
}

/// NumPy's indexing syntax, for [`Tensor::slice`].
///
/// | item | meaning |
/// | --- | --- |
/// | `3`, `-1`, `n`, `(n + 1)` | one position; the axis goes |
/// | `a:b`, `a:b:step`, `::2`, `::-1`, `:` | a range, with NumPy's defaults and clamping |
/// | `a..b`, `a..`, `..b`, `a..=b` | the same range in Rust's spelling |
/// | `..` | all the axes that the other items leave over (NumPy's `...`) |
/// | `new` | a new axis of size 1 (NumPy's `newaxis`) |
///
/// ```
/// use trueno_tensor::prelude::*;
/// let x = Tensor::from_fn([4, 6], |[r, c]| 10 * r as i64 + c as i64);
/// assert_eq!(x.slice(i![1:3, ::-3]), tensor![[15_i64, 12], [25, 22]]);
/// assert_eq!(x.slice(i![1..=2, 4..]), tensor![[14_i64, 15], [24, 25]]);
/// assert_eq!(x.slice(i![-1]), tensor![30_i64, 31, 32, 33, 34, 35]); // rank 1
/// assert_eq!(x.slice(i![.., 0, new]).shape(), [4, 1]);
/// assert_eq!(x.slice(i![2, 3]).item(), 23);
/// ```
#[macro_export]
macro_rules! i {
    // @items: [removed] [kept] [added] [items made] [tokens of the item being read] rest.
    (@items $r:tt $k:tt $a:tt $made:tt [] , $($rest:tt)*) => {
        ::core::compile_error!("an index item is missing before `,`")
    };
    (@items $r:tt $k:tt $a:tt $made:tt $item:tt , $($rest:tt)*) => {
        $crate::i!(@item $r $k $a $made $item [$($rest)*])
    };
    (@items [$($r:tt)*] [$($k:tt)*] [$($a:tt)*] [$($made:tt)*] []) => {
        $crate::Items::<{ 0 $($r)* }, { 0 $($k)* }, { 0 $($a)* }>::new(&[$($made)*])
    };
    (@items $r:tt $k:tt $a:tt $made:tt $item:tt) => {
        $crate::i!(@item $r $k $a $made $item [])
    };
    (@items $r:tt $k:tt $a:tt $made:tt [$($item:tt)*] $next:tt $($rest:tt)*) => {
        $crate::i!(@items $r $k $a $made [$($item)* $next] $($rest)*)
    };
    // @item: one item is complete; its kind counts, and reading goes on.
    (@item $r:tt $k:tt [$($a:tt)*] [$($made:tt)*] [new] [$($rest:tt)*]) => {
        $crate::i!(@items $r $k [$($a)* + 1] [$($made)* $crate::core::SliceItem::NewAxis,] [] $($rest)*)
    };
    (@item $r:tt $k:tt $a:tt [$($made:tt)*] [..] [$($rest:tt)*]) => {
        $crate::i!(@items $r $k $a [$($made)* $crate::core::SliceItem::Ellipsis,] [] $($rest)*)
    };
    (@item $r:tt $k:tt $a:tt $made:tt [$($item:tt)*] $rest:tt) => {
        $crate::i!(@start $r $k $a $made $rest [] $($item)*)
    };
    // @start: tokens up to a colon or dots are the start; without them they are a position.
    (@start $r:tt [$($k:tt)*] $a:tt $made:tt $rest:tt $start:tt :: $($tail:tt)*) => {
        $crate::i!(@range $r [$($k)* + 1] $a $made $rest $start [] [$($tail)*])
    };
    (@start $r:tt [$($k:tt)*] $a:tt $made:tt $rest:tt $start:tt : $($tail:tt)*) => {
        $crate::i!(@stop $r [$($k)* + 1] $a $made $rest $start [] $($tail)*)
    };
    (@start $r:tt [$($k:tt)*] $a:tt $made:tt $rest:tt $start:tt .. $($stop:tt)*) => {
        $crate::i!(@range $r [$($k)* + 1] $a $made $rest $start [$($stop)*] [])
    };
    (@start $r:tt [$($k:tt)*] $a:tt $made:tt $rest:tt $start:tt ..= $($stop:tt)+) => {
        $crate::i!(@range $r [$($k)* + 1] $a $made $rest $start [= $($stop)+] [])
    };
    (@start [$($r:tt)*] $k:tt $a:tt [$($made:tt)*] [$($rest:tt)*] [$($at:tt)+]) => {
        $crate::i!(@items [$($r)* + 1] $k $a
            [$($made)* $crate::core::SliceItem::Index($crate::Position::position($($at)+)),] [] $($rest)*)
    };
    (@start $r:tt $k:tt $a:tt $made:tt $rest:tt [$($start:tt)*] $next:tt $($tail:tt)*) => {
        $crate::i!(@start $r $k $a $made $rest [$($start)* $next] $($tail)*)
    };
    // @stop: tokens up to a second colon.
    (@stop $r:tt $k:tt $a:tt $made:tt $rest:tt $start:tt $stop:tt : $($tail:tt)*) => {
        $crate::i!(@range $r $k $a $made $rest $start $stop [$($tail)*])
    };
    (@stop $r:tt $k:tt $a:tt $made:tt $rest:tt $start:tt $stop:tt) => {
        $crate::i!(@range $r $k $a $made $rest $start $stop [])
    };
    (@stop $r:tt $k:tt $a:tt $made:tt $rest:tt $start:tt [$($stop:tt)*] $next:tt $($tail:tt)*) => {
        $crate::i!(@stop $r $k $a $made $rest $start [$($stop)* $next] $($tail)*)
    };
    (@range $r:tt $k:tt $a:tt [$($made:tt)*] [$($rest:tt)*] $start:tt $stop:tt $step:tt) => {
        $crate::i!(@items $r $k $a [$($made)* $crate::core::SliceItem::Range {
            start: $crate::i!(@bound $start),
            stop: $crate::i!(@bound $stop),
            step: $crate::i!(@step $step),
        },] [] $($rest)*)
    };
    (@bound []) => { ::core::option::Option::None };
    (@bound [= $($last:tt)+]) => { $crate::after($crate::Position::position($($last)+)) };
    (@bound [$($at:tt)+]) => { ::core::option::Option::Some($crate::Position::position($($at)+)) };
    (@step []) => { 1 };
    (@step [$($at:tt)+]) => { $crate::Position::position($($at)+) };
    ($($item:tt)*) => { $crate::i!(@items [] [] [] [] [] $($item)*) };
}

impl<T: Element, const N: usize> Tensor<T, N> {
    /// NumPy's basic indexing with [`i!`](crate::i): a view of the same memory.
    ///
    /// # Panics
    /// At the caller's line, with the error of [`Tensor::try_slice`] as the message.
    #[track_caller]
    pub fn slice<const REMOVED: usize, const KEPT: usize, const ADDED: usize>(
        &self,
        items: Items<REMOVED, KEPT, ADDED>,
    ) -> <<<Rank<N> as Lower<REMOVED>>::Output as Raise<ADDED>>::Output as Ranked>::Tensor<T>
    where
        Rank<N>: Lower<REMOVED>,
        <Rank<N> as Lower<REMOVED>>::Output: Lower<KEPT> + Raise<ADDED>,
    {
        expect(self.try_slice(items))
    }

    /// As [`Tensor::slice`], for positions that are not known to exist.
    ///
    /// # Errors
    /// [`trueno_core::Error::Index`] for a position beyond its axis, [`trueno_core::Error::Argument`] for a step of 0.
    pub fn try_slice<const REMOVED: usize, const KEPT: usize, const ADDED: usize>(
        &self,
        items: Items<REMOVED, KEPT, ADDED>,
    ) -> Result<<<<Rank<N> as Lower<REMOVED>>::Output as Raise<ADDED>>::Output as Ranked>::Tensor<T>>
    where
        Rank<N>: Lower<REMOVED>,
        <Rank<N> as Lower<REMOVED>>::Output: Lower<KEPT> + Raise<ADDED>,
    {
        self.inner.slice(items.as_slice()).map(Shell::shell)
    }
}
