//! Keys in 512-bit vectors.

use core::arch::x86_64::*;

use crate::simd::{Avx512, KeyVector, Sealed};

/// What both vectors have in the same words.
macro_rules! common {
    (
        $elem:ty, $mask:ty, $lanes:literal, $splat:ident, $load_some:ident, $store_some:ident, $min:ident, $greater:ident, $compress:ident
    ) => {
        type Elem = $elem;
        type Token = Avx512;
        const LANES: usize = $lanes;
        const ROWS: usize = 16;

        #[inline(always)]
        fn splat(_: Avx512, key: $elem) -> Self {
            // SAFETY: the token proves these instructions.
            Self(unsafe { $splat(key) })
        }
        #[inline(always)]
        unsafe fn load(_: Avx512, source: *const $elem) -> Self {
            // SAFETY: the token proves these instructions, the caller vouches for `source`.
            Self(unsafe { _mm512_loadu_si512(source.cast()) })
        }
        #[inline(always)]
        unsafe fn store(self, target: *mut $elem) {
            // SAFETY: the vector proves these instructions, the caller vouches for `target`.
            unsafe { _mm512_storeu_si512(target.cast(), self.0) }
        }
        #[inline(always)]
        unsafe fn load_partial(_: Avx512, source: *const $elem, count: usize) -> Self {
            debug_assert!(count <= $lanes);
            let mask = ((1_u32 << count) - 1) as $mask;
            // SAFETY: the token proves these instructions; lanes outside the mask are not read.
            Self(unsafe { $load_some($splat(<$elem>::MAX), mask, source) })
        }
        #[inline(always)]
        unsafe fn store_partial(self, target: *mut $elem, count: usize) {
            debug_assert!(count <= $lanes);
            let mask = ((1_u32 << count) - 1) as $mask;
            // SAFETY: the vector proves these instructions; lanes outside the mask are not written.
            unsafe { $store_some(target, mask, self.0) }
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $min(self.0, other.0) })
        }
        #[inline(always)]
        fn greater(self, other: Self) -> u32 {
            // SAFETY: a vector is only made from the token that proves these instructions.
            u32::from(unsafe { $greater(self.0, other.0) })
        }
        #[inline(always)]
        fn compress(self, bits: u32) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $compress(bits as $mask, self.0) })
        }
    };
}

/// The exclusive or of three, for instructions that take any function of three bits: of two keys and the smaller of them, the larger.
///
/// Intel's processors have one unit that finds minima and maxima in vectors of this width, and two for this. It is asked for in lanes of
/// 64 bits, because compilers make a maximum of it else.
const XOR: i32 = 0b1001_0110;

/// Sixteen `i32`.
#[derive(Clone, Copy, Debug)]
pub struct I32x16(__m512i);

impl Sealed for I32x16 {}
impl KeyVector for I32x16 {
    common!(
        i32,
        __mmask16,
        16,
        _mm512_set1_epi32,
        _mm512_mask_loadu_epi32,
        _mm512_mask_storeu_epi32,
        _mm512_min_epi32,
        _mm512_cmpgt_epi32_mask,
        _mm512_maskz_compress_epi32
    );

    #[inline(always)]
    fn larger(self, other: Self, smaller: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm512_ternarylogic_epi64::<XOR>(self.0, other.0, smaller.0) })
    }
    #[inline(always)]
    fn larger_at(self, bit: usize, other: Self, smaller: Self) -> Self {
        let (x, y, smaller) = (self.0, other.0, smaller.0);
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            match bit {
                1 => _mm512_mask_max_epi32(smaller, 0xAAAA, x, y),
                2 => _mm512_mask_ternarylogic_epi64::<XOR>(smaller, 0xAA, x, y),
                4 => _mm512_mask_ternarylogic_epi64::<XOR>(smaller, 0xCC, x, y),
                _ => _mm512_mask_ternarylogic_epi64::<XOR>(smaller, 0xF0, x, y),
            }
        })
    }

    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        let x = self.0;
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            match distance {
                1 => _mm512_shuffle_epi32::<0b10_11_00_01>(x),
                2 => _mm512_shuffle_epi32::<0b01_00_11_10>(x),
                3 => _mm512_shuffle_epi32::<0b00_01_10_11>(x),
                4 => _mm512_shuffle_i32x4::<0b10_11_00_01>(x, x),
                7 => {
                    let lanes = _mm512_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
                    _mm512_permutexvar_epi32(lanes, x)
                }
                8 => _mm512_shuffle_i32x4::<0b01_00_11_10>(x, x),
                _ => {
                    let lanes = _mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
                    _mm512_permutexvar_epi32(lanes, x)
                }
            }
        })
    }
}

/// Eight `i64`.
#[derive(Clone, Copy, Debug)]
pub struct I64x8(__m512i);

impl Sealed for I64x8 {}
impl KeyVector for I64x8 {
    common!(
        i64,
        __mmask8,
        8,
        _mm512_set1_epi64,
        _mm512_mask_loadu_epi64,
        _mm512_mask_storeu_epi64,
        _mm512_min_epi64,
        _mm512_cmpgt_epi64_mask,
        _mm512_maskz_compress_epi64
    );

    #[inline(always)]
    fn larger(self, other: Self, _: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm512_max_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn larger_at(self, bit: usize, other: Self, smaller: Self) -> Self {
        let mask = match bit {
            1 => 0xAA,
            2 => 0xCC,
            _ => 0xF0,
        };
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm512_mask_max_epi64(smaller.0, mask, self.0, other.0) })
    }
    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        let x = self.0;
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            match distance {
                1 => _mm512_shuffle_epi32::<0b01_00_11_10>(x),
                2 => _mm512_permutex_epi64::<0b01_00_11_10>(x),
                3 => _mm512_permutex_epi64::<0b00_01_10_11>(x),
                4 => _mm512_shuffle_i64x2::<0b01_00_11_10>(x, x),
                _ => _mm512_permutexvar_epi64(_mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0), x),
            }
        })
    }
}
