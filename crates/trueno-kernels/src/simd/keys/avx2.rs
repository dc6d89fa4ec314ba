//! Keys in 256-bit vectors.

use core::arch::x86_64::*;

use crate::simd::{Avx2, KeyVector, Sealed};

/// For each choice of eight lanes, the chosen ones and then zeros: where `compress` finds them.
static CHOSEN: [[u8; 8]; 256] = chosen(8);
/// As [`CHOSEN`] for four lanes of two words each.
static CHOSEN_PAIRS: [[u8; 8]; 16] = chosen(4);

/// The words of the lanes that each number has as bits, lanes being `8 / lanes` words.
const fn chosen<const N: usize>(lanes: usize) -> [[u8; 8]; N] {
    let words = 8 / lanes;
    let mut table = [[0; 8]; N];
    let mut bits = 0;
    while bits < N {
        let (mut word, mut next) = (0, 0);
        while word < 8 {
            if bits >> (word / words) & 1 == 1 {
                table[bits][next] = word as u8;
                next += 1;
            }
            word += 1;
        }
        bits += 1;
    }
    table
}

/// The words of `$x` that a line of a table names, 8 bytes of it.
macro_rules! words {
    ($x:expr, $line:expr) => {
        _mm256_permutevar8x32_epi32($x, _mm256_cvtepu8_epi32(_mm_loadl_epi64($line.as_ptr().cast())))
    };
}

/// Moves between memory and registers.
macro_rules! memory {
    ($elem:ty, $lanes:literal, $splat:ident, $load_some:ident, $store_some:ident, $greater:ident, $numbers:expr) => {
        type Elem = $elem;
        type Token = Avx2;
        const LANES: usize = $lanes;
        const ROWS: usize = 8;

        #[inline(always)]
        fn splat(_: Avx2, key: $elem) -> Self {
            // SAFETY: the token proves these instructions.
            Self(unsafe { $splat(key) })
        }
        #[inline(always)]
        unsafe fn load(_: Avx2, source: *const $elem) -> Self {
            // SAFETY: the token proves these instructions, the caller vouches for `source`.
            Self(unsafe { _mm256_loadu_si256(source.cast()) })
        }
        #[inline(always)]
        unsafe fn store(self, target: *mut $elem) {
            // SAFETY: the vector proves these instructions, the caller vouches for `target`.
            unsafe { _mm256_storeu_si256(target.cast(), self.0) }
        }
        #[inline(always)]
        unsafe fn load_partial(_: Avx2, source: *const $elem, count: usize) -> Self {
            debug_assert!(count <= $lanes);
            // SAFETY: the token proves these instructions; lanes outside the mask are not read.
            Self(unsafe {
                let mask = $greater($splat(count as $elem), $numbers);
                _mm256_blendv_epi8($splat(<$elem>::MAX), $load_some(source, mask), mask)
            })
        }
        #[inline(always)]
        unsafe fn store_partial(self, target: *mut $elem, count: usize) {
            debug_assert!(count <= $lanes);
            // SAFETY: the vector proves these instructions; lanes outside the mask are not written.
            unsafe { $store_some(target, $greater($splat(count as $elem), $numbers), self.0) }
        }
    };
}

/// Eight `i32`.
#[derive(Clone, Copy, Debug)]
pub struct I32x8(__m256i);

impl Sealed for I32x8 {}
impl KeyVector for I32x8 {
    memory!(
        i32,
        8,
        _mm256_set1_epi32,
        _mm256_maskload_epi32,
        _mm256_maskstore_epi32,
        _mm256_cmpgt_epi32,
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
    );

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm256_min_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn larger(self, other: Self, _: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm256_max_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn larger_at(self, bit: usize, other: Self, smaller: Self) -> Self {
        let (no, yes) = (smaller.0, self.larger(other, smaller).0);
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            match bit {
                1 => _mm256_blend_epi32::<0b1010_1010>(no, yes),
                2 => _mm256_blend_epi32::<0b1100_1100>(no, yes),
                _ => _mm256_blend_epi32::<0b1111_0000>(no, yes),
            }
        })
    }

    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        let x = self.0;
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            match distance {
                1 => _mm256_shuffle_epi32::<0b10_11_00_01>(x),
                2 => _mm256_shuffle_epi32::<0b01_00_11_10>(x),
                3 => _mm256_shuffle_epi32::<0b00_01_10_11>(x),
                4 => _mm256_permute4x64_epi64::<0b01_00_11_10>(x),
                _ => _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0)),
            }
        })
    }
    #[inline(always)]
    fn greater(self, other: Self) -> u32 {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe { _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(self.0, other.0))) as u32 }
    }
    #[inline(always)]
    fn compress(self, bits: u32) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions; a line has 8 bytes.
        Self(unsafe { words!(self.0, CHOSEN[bits as usize & 0xFF]) })
    }
}

/// Four `i64`.
#[derive(Clone, Copy, Debug)]
pub struct I64x4(__m256i);

impl I64x4 {
    /// The larger of each two lanes if `greater`, else the smaller.
    #[inline(always)]
    fn extreme(self, other: Self, greater: bool) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            let is_greater = _mm256_cmpgt_epi64(other.0, self.0);
            let (no, yes) = if greater { (self.0, other.0) } else { (other.0, self.0) };
            _mm256_blendv_epi8(no, yes, is_greater)
        })
    }
}

impl Sealed for I64x4 {}
impl KeyVector for I64x4 {
    memory!(
        i64,
        4,
        _mm256_set1_epi64x,
        _mm256_maskload_epi64,
        _mm256_maskstore_epi64,
        _mm256_cmpgt_epi64,
        _mm256_setr_epi64x(0, 1, 2, 3)
    );

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.extreme(other, false)
    }
    #[inline(always)]
    fn larger(self, other: Self, _: Self) -> Self {
        self.extreme(other, true)
    }
    #[inline(always)]
    fn larger_at(self, bit: usize, other: Self, smaller: Self) -> Self {
        let (no, yes) = (smaller.0, self.larger(other, smaller).0);
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            match bit {
                1 => _mm256_blend_epi32::<0b1100_1100>(no, yes),
                _ => _mm256_blend_epi32::<0b1111_0000>(no, yes),
            }
        })
    }
    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        let x = self.0;
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            match distance {
                1 => _mm256_shuffle_epi32::<0b01_00_11_10>(x),
                2 => _mm256_permute4x64_epi64::<0b01_00_11_10>(x),
                _ => _mm256_permute4x64_epi64::<0b00_01_10_11>(x),
            }
        })
    }
    #[inline(always)]
    fn greater(self, other: Self) -> u32 {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe { _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(self.0, other.0))) as u32 }
    }
    #[inline(always)]
    fn compress(self, bits: u32) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions; a line has 8 bytes.
        Self(unsafe { words!(self.0, CHOSEN_PAIRS[bits as usize & 0xF]) })
    }
}
