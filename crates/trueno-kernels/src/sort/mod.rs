//! Sorting: elements become integers of the same order, which vectors compare and move.
//!
//! Keys are cut by a pivot until the parts fit into the registers (`quick`), where a network orders them (`network`).
//! Instruction sets without vectors of keys, and pairs of a key and a position, sort by digits (`radix`). What
//! several threads are to sort is first cut into [`WAYS`] parts ([`Splitters`]).
//!
//! The order of keys is total, so however they are cut the result is the same. NaN is larger than any number, as in NumPy
//! and PyTorch.
//!
//! ```
//! use trueno_kernels::{Isa, sort::{self, Sortable}};
//!
//! let mut keys = [2.5_f32, -1.0, f32::NAN, 0.0].map(f32::key);
//! sort::sort(Isa::best(), &mut keys, &mut [0; 4], 0, |_| {});
//! assert_eq!(keys.map(f32::from_key)[..3], [-1.0, 0.0, 2.5]);
//! ```

mod element;
mod network;
mod quick;
mod radix;
mod spread;
#[cfg(test)]
mod tests;

use crate::Isa;
use crate::simd::{KeyVector, kernel};

pub use element::{Sortable, keys, packed, packs, restore};
pub use spread::{SAMPLE, Splitters, WAYS};

/// A key that sorts by its bits.
pub trait Key: Copy + Default + Ord + Send + Sync + 'static {
    /// The number of bits that order it.
    const BITS: u32;
    #[doc(hidden)]
    fn digit(self, shift: u32) -> usize;
    /// What [`sort_into`] does where vectors hold such keys; says `false` and does nothing elsewhere. With `moved` unset, what [`sort`] does.
    #[doc(hidden)]
    fn sort_by_vectors(
        _: Isa,
        _main: &mut [Self],
        _side: &mut [Self],
        _moved: bool,
        _finish: Finish<'_, Self>,
    ) -> bool {
        false
    }
}

/// A key that vectors hold.
pub trait VectorKey: Key {
    #[doc(hidden)]
    fn count(isa: Isa, keys: &[Self], splitters: &[Self; WAYS - 1], counts: &mut [usize; WAYS]);
    #[doc(hidden)]
    fn spread(isa: Isa, keys: &[Self], splitters: &[Self; WAYS - 1], parts: &mut [&mut [Self]; WAYS]);
}

/// Kernels are made here and not in the crates that call them, which may be built without optimisation.
macro_rules! keys {
    ($($module:ident: $t:ident as $unsigned:ty, $vector:ident;)*) => {$(
        mod $module {
            use super::*;

            kernel! {
                /// Sorts the keys of `side` into `main` if `moved`, else those of `main`, with the memory of both. Says `false`
                /// and does nothing where there are no vectors of keys.
                pub(super) fn sort(simd: S, main: &mut [$t], side: &mut [$t], moved: bool, finish: Finish<'_, $t>) -> bool {
                    if S::$vector::LANES > 1 {
                        quick::sort::<S::$vector>(simd, main, side, moved, quick::patience(main.len()), finish);
                    }
                    S::$vector::LANES > 1
                }
            }
            kernel! {
                pub(super) fn count(simd: S, keys: &[$t], splitters: &[$t; WAYS - 1], counts: &mut [usize; WAYS]) {
                    spread::count::<S::$vector>(simd, keys, splitters, counts);
                }
            }
            kernel! {
                pub(super) fn spread(simd: S, keys: &[$t], splitters: &[$t; WAYS - 1], parts: &mut [&mut [$t]; WAYS]) {
                    spread::spread::<S::$vector>(simd, keys, splitters, parts);
                }
            }
        }

        impl Key for $t {
            const BITS: u32 = $t::BITS;

            #[inline(always)]
            fn digit(self, shift: u32) -> usize {
                (((self as $unsigned ^ (1 << ($t::BITS - 1))) >> shift) & radix::MASK as $unsigned) as usize
            }

            fn sort_by_vectors(isa: Isa, main: &mut [$t], side: &mut [$t], moved: bool, finish: Finish<'_, $t>) -> bool {
                $module::sort(isa, main, side, moved, finish)
            }
        }

        impl VectorKey for $t {
            fn count(isa: Isa, keys: &[$t], splitters: &[$t; WAYS - 1], counts: &mut [usize; WAYS]) {
                $module::count(isa, keys, splitters, counts);
            }
            fn spread(isa: Isa, keys: &[$t], splitters: &[$t; WAYS - 1], parts: &mut [&mut [$t]; WAYS]) {
                $module::spread(isa, keys, splitters, parts);
            }
        }
    )*};
}
keys! {
    words: i32 as u32, I32;
    long_words: i64 as u64, I64;
}

/// A key and where it stood, by which equal keys are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// The key.
    pub key: i64,
    /// Its position.
    pub position: i64,
}

impl Key for Placed {
    const BITS: u32 = 64;

    #[inline(always)]
    fn digit(self, shift: u32) -> usize {
        self.key.digit(shift)
    }
}

/// What is done to keys in order, part by part.
type Finish<'a, K> = &'a mut dyn FnMut(&mut [K]);

/// Sorts keys whose bits below `low` are in order already (positions, say), using `scratch` of the same length. `finish` gets them part
/// by part as soon as they are in order, while they lie in a cache; the parts come in any order.
///
/// # Panics
/// If `scratch` is not as long as `keys`.
pub fn sort<K: Key>(isa: Isa, keys: &mut [K], scratch: &mut [K], low: u32, mut finish: impl FnMut(&mut [K])) {
    assert_eq!(keys.len(), scratch.len(), "scratch");
    if !K::sort_by_vectors(isa, keys, scratch, false, &mut finish) {
        radix::sort(keys, scratch, low);
        finish(keys);
    }
}

/// As [`sort`], into `to`; what `from` holds afterwards is unspecified.
///
/// # Panics
/// If `to` is not as long as `from`.
pub fn sort_into<K: Key>(isa: Isa, from: &mut [K], to: &mut [K], low: u32, mut finish: impl FnMut(&mut [K])) {
    assert_eq!(from.len(), to.len(), "to");
    if !K::sort_by_vectors(isa, to, from, true, &mut finish) {
        radix::sort(from, to, low);
        to.copy_from_slice(from);
        finish(to);
    }
}

/// Moves the `k` smallest keys to the front, in order.
///
/// # Panics
/// If there are not as many.
pub fn smallest<K: Key>(keys: &mut [K], k: usize) {
    if k > 0 && k < keys.len() {
        keys.select_nth_unstable(k - 1);
    }
    keys[..k].sort_unstable();
}
