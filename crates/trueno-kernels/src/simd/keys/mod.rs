//! Vectors of integers that sorts compare and move.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod one;

use core::fmt::Debug;

use super::{Sealed, Simd};

#[cfg(target_arch = "x86_64")]
pub use avx2::{I32x8, I64x4};
#[cfg(target_arch = "x86_64")]
pub use avx512::{I32x16, I64x8};
pub use one::OneKey;

/// A vector of `i32` or `i64`.
///
/// Lanes are chosen by bits, the first lane lowest; bits beyond the lanes must be 0.
pub trait KeyVector: Copy + Debug + Send + Sync + Sealed + 'static {
    /// The type of a lane.
    type Elem: Copy + Ord + Default;
    /// The instruction set.
    type Token: Simd;
    /// How many lanes there are: 1 where there is no vector code for keys.
    const LANES: usize;
    /// How many vectors the registers hold at work, a power of two.
    const ROWS: usize;
    /// A bit for each lane.
    const ALL: u32 = ((1_u64 << Self::LANES) - 1) as u32;

    /// `key` in every lane.
    fn splat(token: Self::Token, key: Self::Elem) -> Self;
    /// Reads `LANES` keys, at any alignment.
    ///
    /// # Safety
    /// `source` must be readable for `LANES` keys.
    unsafe fn load(token: Self::Token, source: *const Self::Elem) -> Self;
    /// Writes `LANES` keys, at any alignment.
    ///
    /// # Safety
    /// `target` must be writable for `LANES` keys.
    unsafe fn store(self, target: *mut Self::Elem);
    /// Reads the first `count` lanes; the others hold the largest key there is.
    ///
    /// # Safety
    /// `count` must be at most `LANES`, and `source` readable for `count` keys.
    unsafe fn load_partial(token: Self::Token, source: *const Self::Elem, count: usize) -> Self;
    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// `count` must be at most `LANES`, and `target` writable for `count` keys.
    unsafe fn store_partial(self, target: *mut Self::Elem, count: usize);
    /// The smaller of each two lanes.
    fn min(self, other: Self) -> Self;
    /// The larger of each two lanes, of which `smaller` has the smaller.
    fn larger(self, other: Self, smaller: Self) -> Self;
    /// The same in lanes whose number has `bit`, which is a power of two; the others are those of `smaller`.
    fn larger_at(self, bit: usize, other: Self, smaller: Self) -> Self;
    /// Lanes that change places: `i` and `i ^ distance`, for a distance below `LANES` that is a power of two or one less.
    fn swap(self, distance: usize) -> Self;
    /// The lanes that are greater than those of `other`.
    fn greater(self, other: Self) -> u32;
    /// The lanes of `bits`, moved to the front in their order. What follows them is unspecified.
    fn compress(self, bits: u32) -> Self;
}

#[cfg(test)]
mod tests;
