//! Elements as keys of the same order.

use super::{Key, VectorKey};
use crate::Isa;
use crate::simd::kernel;

/// An element that has a key of the same order, and is what its key says.
pub trait Sortable: Copy + Send + Sync + 'static {
    /// The key: `i32`, or `i64` for what 32 bits do not hold.
    type Key: VectorKey;
    /// Larger for larger elements. All NaN have the largest.
    fn key(self) -> Self::Key;
    /// Larger for smaller elements. All NaN have the smallest.
    fn reversed_key(self) -> Self::Key;
    /// The representation of the element that has this key, in the lower bits; of a NaN, that of any.
    fn bits_of_key(key: Self::Key) -> Self::Key;
    /// As [`bits_of_key`](Self::bits_of_key) for a reversed key.
    fn bits_of_reversed_key(key: Self::Key) -> Self::Key;
    /// The element of a key; a NaN may be another one.
    fn from_key(key: Self::Key) -> Self;
    /// The element of a reversed key.
    fn from_reversed_key(key: Self::Key) -> Self;
    /// The key as a number, equal for both zeros: what positions are sorted by. Of a key of 32 bits it is an `i32`.
    fn rank(self) -> i64;
    #[doc(hidden)]
    fn make_keys(isa: Isa, descending: bool, x: &[Self], keys: &mut [Self::Key]);
    #[doc(hidden)]
    fn restore_bits(isa: Isa, descending: bool, keys: &mut [Self::Key]);
    #[doc(hidden)]
    fn make_packed(isa: Isa, descending: bool, x: &[Self], position: i64, keys: &mut [i64]);
}

/// The keys of elements, or their reversed keys if `descending`; as many as the shorter of the slices has.
pub fn keys<T: Sortable>(isa: Isa, descending: bool, x: &[T], keys: &mut [T::Key]) {
    T::make_keys(isa, descending, x, keys);
}

/// Turns keys that [`keys`] made into the bits of their elements.
pub fn restore<T: Sortable>(isa: Isa, descending: bool, keys: &mut [T::Key]) {
    T::restore_bits(isa, descending, keys);
}

/// Whether an element's rank and its position among `count` fit into one `i64`.
pub fn packs<T: Sortable>(count: usize) -> bool {
    T::Key::BITS == 32 && u32::try_from(count).is_ok()
}

/// The ranks of elements, or those that grow downwards if `descending`, above the positions from `position` on.
///
/// Numbers of this order have that of the elements, and among equal ones that of their positions, which are the lower 32
/// bits. The elements must be such as [`packs`] affirms.
pub fn packed<T: Sortable>(isa: Isa, descending: bool, x: &[T], position: i64, keys: &mut [i64]) {
    T::make_packed(isa, descending, x, position, keys);
}

/// Loops over elements, compiled here for each instruction set.
macro_rules! loops {
    ($t:ident) => {
        fn make_keys(isa: Isa, descending: bool, x: &[$t], keys: &mut [Self::Key]) {
            kernel! {
                fn make(_simd: S, descending: bool, x: &[$t], keys: &mut [<$t as Sortable>::Key]) {
                    let turn = if descending { !0 } else { 0 };
                    for (key, x) in keys.iter_mut().zip(x) {
                        *key = x.key() ^ turn;
                    }
                }
            }
            make(isa, descending, x, keys);
        }

        fn restore_bits(isa: Isa, descending: bool, keys: &mut [Self::Key]) {
            kernel! {
                fn restore(_simd: S, descending: bool, keys: &mut [<$t as Sortable>::Key]) {
                    let turn = if descending { !0 } else { 0 };
                    for key in keys {
                        *key = <$t>::bits_of_key(*key ^ turn);
                    }
                }
            }
            restore(isa, descending, keys);
        }

        fn make_packed(isa: Isa, descending: bool, x: &[$t], position: i64, keys: &mut [i64]) {
            kernel! {
                fn pack(_simd: S, descending: bool, x: &[$t], position: i64, keys: &mut [i64]) {
                    let turn = if descending { !0 } else { 0 };
                    for ((key, x), position) in keys.iter_mut().zip(x).zip(position..) {
                        *key = ((x.rank() ^ turn) << 32) | position;
                    }
                }
            }
            pack(isa, descending, x, position, keys);
        }
    };
}

/// What follows from a key and back: `!key` has the reversed order.
macro_rules! reversed {
    () => {
        #[inline(always)]
        fn reversed_key(self) -> Self::Key {
            !self.key()
        }

        #[inline(always)]
        fn bits_of_reversed_key(key: Self::Key) -> Self::Key {
            Self::bits_of_key(!key)
        }

        #[inline(always)]
        fn from_reversed_key(key: Self::Key) -> Self {
            Self::from_key(!key)
        }
    };
}

macro_rules! integers {
    ($($t:ident: $key:ty, |$x:ident| $to:expr, |$k:ident| $bits:expr;)*) => {$(
        impl Sortable for $t {
            type Key = $key;
            reversed!();
            loops!($t);

            #[inline(always)]
            fn key(self) -> $key {
                let $x = self;
                $to
            }

            #[inline(always)]
            fn bits_of_key($k: $key) -> $key {
                $bits
            }

            #[inline(always)]
            fn from_key(key: $key) -> $t {
                <$t>::bits_of_key(key) as $t
            }

            #[inline(always)]
            fn rank(self) -> i64 {
                i64::from(self.key())
            }
        }
    )*};
}

integers! {
    u8: i32, |x| i32::from(x), |k| k;
    i8: i32, |x| i32::from(x), |k| k;
    u32: i32, |x| (x ^ (1 << 31)) as i32, |k| k ^ i32::MIN;
    i32: i32, |x| x, |k| k;
    i64: i64, |x| x, |k| k;
}

/// Floats by their representation: negative numbers grow downwards, so all their bits but the sign turn.
macro_rules! floats {
    ($($t:ident: $key:ident, $unsigned:ty;)*) => {$(
        impl Sortable for $t {
            type Key = $key;
            reversed!();
            loops!($t);

            #[inline(always)]
            fn key(self) -> $key {
                if self.is_nan() { $key::MAX } else { $t::bits_of_key(self.to_bits() as $key) }
            }

            #[inline(always)]
            fn bits_of_key(key: $key) -> $key {
                key ^ ((key >> ($key::BITS - 1)) as $unsigned >> 1) as $key
            }

            #[inline(always)]
            fn from_key(key: $key) -> $t {
                $t::from_bits($t::bits_of_key(key) as $unsigned)
            }

            #[inline(always)]
            fn rank(self) -> i64 {
                // Adding 0 makes a negative zero positive.
                i64::from((self + 0.0).key())
            }
        }
    )*};
}

floats! {
    f32: i32, u32;
    f64: i64, u64;
}
