//! One key, where there is no vector code for keys.

use crate::simd::{KeyVector, Sealed, Simd};

/// One key of the type `K`, with the token of the instruction set.
#[derive(Clone, Copy, Debug)]
pub struct OneKey<K, S>(K, S);

macro_rules! one_key {
    ($($k:ty)*) => {$(
        impl<S: Simd> Sealed for OneKey<$k, S> {}
        impl<S: Simd> KeyVector for OneKey<$k, S> {
            type Elem = $k;
            type Token = S;
            const LANES: usize = 1;
            const ROWS: usize = 1;

            #[inline(always)]
            fn splat(token: S, key: $k) -> Self {
                Self(key, token)
            }
            #[inline(always)]
            unsafe fn load(token: S, source: *const $k) -> Self {
                // SAFETY: the caller vouches for one readable key.
                Self(unsafe { source.read_unaligned() }, token)
            }
            #[inline(always)]
            unsafe fn store(self, target: *mut $k) {
                // SAFETY: the caller vouches for one writable key.
                unsafe { target.write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn load_partial(token: S, source: *const $k, count: usize) -> Self {
                // SAFETY: the caller vouches for `count` readable keys.
                if count > 0 { unsafe { Self::load(token, source) } } else { Self(<$k>::MAX, token) }
            }
            #[inline(always)]
            unsafe fn store_partial(self, target: *mut $k, count: usize) {
                if count > 0 {
                    // SAFETY: the caller vouches for `count` writable keys.
                    unsafe { self.store(target) }
                }
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Self(self.0.min(other.0), self.1)
            }
            #[inline(always)]
            fn larger(self, other: Self, _: Self) -> Self {
                Self(self.0.max(other.0), self.1)
            }
            #[inline(always)]
            fn larger_at(self, _: usize, _: Self, smaller: Self) -> Self {
                smaller
            }
            #[inline(always)]
            fn swap(self, _: usize) -> Self {
                self
            }
            #[inline(always)]
            fn greater(self, other: Self) -> u32 {
                u32::from(self.0 > other.0)
            }
            #[inline(always)]
            fn compress(self, _: u32) -> Self {
                self
            }
        }
    )*};
}
one_key!(i32 i64);
