//! AVX-512 F, BW, DQ and VL: 512-bit vectors, a bit per lane as mask.

use core::arch::x86_64::*;

use super::words::{forward, forward_bits, hints};
use super::{I32x16, I64x8, IntegerLanes, RealVector, Sealed, Simd, Token};
use crate::Level;
use trueno_core::f16;

/// The proof of AVX-512 F, BW, DQ and VL, and of all that [`Avx2`](super::Avx2) proves.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The machine must have the instructions, and the operating system must save the registers.
    pub(crate) unsafe fn assume() -> Self {
        Avx512(())
    }
}

impl Sealed for Avx512 {}
impl Token for Avx512 {
    const LEVEL: Level = Level::Avx512;
    hints!();
}
impl Simd for Avx512 {
    type F32 = F32x16;
    type F64 = F64x8;
    type I32 = I32x16;
    type I64 = I64x8;
}

/// Comparisons.
macro_rules! compare {
    ($mask:ty, $intrinsic:ident: $($method:ident = $predicate:ident;)*) => {$(
        #[inline(always)]
        fn $method(self, other: Self) -> $mask {
            // SAFETY: a vector is only made from the token that proves these instructions.
            unsafe { $intrinsic::<$predicate>(self.0, other.0) }
        }
    )*};
}

/// Lanes whose result is certainly 0 are left out: a result below the normal numbers costs some machines hundreds of cycles, and those
/// of masked scores are that, all of them.
macro_rules! scale_by_floor {
    ($compare:ident, $scale:ident, $least:expr) => {
        #[inline(always)]
        fn scale_by_floor(self, exponent: Self) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            unsafe { Self($scale($compare::<_CMP_NLT_UQ>(exponent.0, $least), self.0, exponent.0)) }
        }
    };
}

/// The exponent and the mantissa from the instructions that know subnormals.
macro_rules! split_exponent {
    ($exponent:ident, $mantissa:ident) => {
        #[inline(always)]
        fn split_exponent(self) -> (Self, Self) {
            // SAFETY: a vector is only made from the token that proves these instructions.
            unsafe {
                let mantissa = $mantissa::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_ZERO>(self.0);
                // A mantissa below 1 is half of what belongs to the exponent of the value.
                (Self($exponent(self.0)).sub(Self($exponent(mantissa))), Self(mantissa))
            }
        }

        #[inline(always)]
        fn exponent_and_mantissa(self) -> (Self, Self) {
            // SAFETY: a vector is only made from the token that proves these instructions.
            unsafe {
                let mantissa = $mantissa::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_NAN>(self.0);
                (Self($exponent(self.0)), Self(mantissa))
            }
        }
    };
}

/// Extremes of the lanes, by halves; the instructions pass over NaN.
macro_rules! reduce_extremes {
    ($($method:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $method(self) -> Self::Elem {
            if Self::any(!self.eq(self)) {
                return Self::Elem::NAN;
            }
            // SAFETY: a vector is only made from the token that proves these instructions.
            unsafe { $intrinsic(self.0) }
        }
    )*};
}

/// What both vectors have in the same words.
macro_rules! common {
    ($elem:ty, $mask:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $load_some:ident, $store_some:ident, $blend:ident) => {
        type Elem = $elem;
        type Token = Avx512;
        type Mask = $mask;
        const LANES: usize = $lanes;
        const FUSED: bool = true;
        const LOOKUP: bool = true;

        #[inline(always)]
        fn token(self) -> Avx512 {
            Avx512(())
        }
        #[inline(always)]
        fn splat(_: Avx512, value: $elem) -> Self {
            // SAFETY: the token proves these instructions.
            Self(unsafe { $splat(value) })
        }
        #[inline(always)]
        unsafe fn load(_: Avx512, source: *const $elem) -> Self {
            // SAFETY: the token proves these instructions, the caller vouches for `source`.
            Self(unsafe { $load(source) })
        }
        #[inline(always)]
        unsafe fn store(self, target: *mut $elem) {
            // SAFETY: the vector proves these instructions, the caller vouches for `target`.
            unsafe { $store(target, self.0) }
        }
        #[inline(always)]
        unsafe fn load_partial(_: Avx512, source: *const $elem, count: usize) -> Self {
            debug_assert!(count <= $lanes);
            let mask = ((1_u32 << count) - 1) as $mask;
            // SAFETY: the token proves these instructions; lanes outside the mask are not read.
            Self(unsafe { $load_some(mask, source) })
        }
        #[inline(always)]
        unsafe fn store_partial(self, target: *mut $elem, count: usize) {
            debug_assert!(count <= $lanes);
            let mask = ((1_u32 << count) - 1) as $mask;
            // SAFETY: the vector proves these instructions; lanes outside the mask are not written.
            unsafe { $store_some(target, mask, self.0) }
        }
        #[inline(always)]
        fn select(mask: $mask, yes: Self, no: Self) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $blend(mask, no.0, yes.0) })
        }
        #[inline(always)]
        fn mask_bits(mask: $mask) -> u32 {
            u32::from(mask)
        }
        #[inline(always)]
        fn neg(self) -> Self {
            self.xor(Self::splat(self.token(), -0.0))
        }
    };
}

/// Sixteen `f32`.
#[derive(Clone, Copy, Debug)]
pub struct F32x16(__m512);

impl Sealed for F32x16 {}
impl RealVector for F32x16 {
    common!(
        f32,
        __mmask16,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_maskz_loadu_ps,
        _mm512_mask_storeu_ps,
        _mm512_mask_blend_ps
    );

    #[inline(always)]
    unsafe fn store_past_caches(self, target: *mut f32) {
        // SAFETY: the vector proves these instructions, the caller vouches for `target`.
        unsafe { _mm512_stream_ps(target, self.0) }
    }

    #[inline(always)]
    fn from_halves(_: Avx512, x: &[f16]) -> Self {
        let count = x.len().min(16);
        // SAFETY: the token proves these instructions; halves outside the mask are not read.
        Self(unsafe {
            let mask = ((1_u32 << count) - 1) as __mmask16;
            _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x.as_ptr().cast()))
        })
    }

    forward! {
        add(other) = _mm512_add_ps;
        sub(other) = _mm512_sub_ps;
        mul(other) = _mm512_mul_ps;
        div(other) = _mm512_div_ps;
        mul_add(factor, term) = _mm512_fmadd_ps;
        neg_mul_add(factor, term) = _mm512_fnmadd_ps;
        abs() = _mm512_abs_ps;
        sqrt() = _mm512_sqrt_ps;
        min(other) = _mm512_min_ps;
        max(other) = _mm512_max_ps;
        floor() = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>;
        ceil() = _mm512_roundscale_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>;
        trunc() = _mm512_roundscale_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>;
        round() = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>;
        and(other) = _mm512_and_ps;
        or(other) = _mm512_or_ps;
        xor(other) = _mm512_xor_ps;
        scale(exponent) = _mm512_scalef_ps;
    }
    scale_by_floor!(_mm512_cmp_ps_mask, _mm512_maskz_scalef_ps, _mm512_set1_ps(-155.0));
    split_exponent!(_mm512_getexp_ps, _mm512_getmant_ps);
    reduce_extremes! {
        reduce_max = _mm512_reduce_max_ps;
        reduce_min = _mm512_reduce_min_ps;
    }
    forward_bits! {
        _mm512_castps_si512, _mm512_castsi512_ps:
        add_bits(other) = _mm512_add_epi32;
        sub_bits(other) = _mm512_sub_epi32;
        shift_into_exponent() = _mm512_slli_epi32::<23>;
        shift_out_exponent() = _mm512_srli_epi32::<23>;
        shift_second_bit_into_sign() = _mm512_slli_epi32::<30>;
    }
    compare! {
        __mmask16, _mm512_cmp_ps_mask:
        lt = _CMP_LT_OQ;
        le = _CMP_LE_OQ;
        eq = _CMP_EQ_OQ;
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            _mm512_castsi512_ps(_mm512_srl_epi32(_mm512_castps_si512(self.0), _mm_cvtsi32_si128(bits as i32)))
        })
    }

    #[inline(always)]
    fn lookup(self, table: &[f32; 16]) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions; the table has 16 values.
        Self(unsafe { _mm512_permutexvar_ps(_mm512_castps_si512(self.0), _mm512_loadu_ps(table.as_ptr())) })
    }

    #[inline(always)]
    fn lookup_wide(self, low: &[f32; 16], high: &[f32; 16]) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions; the tables have 16 values each.
        Self(unsafe {
            let (low, high) = (_mm512_loadu_ps(low.as_ptr()), _mm512_loadu_ps(high.as_ptr()));
            _mm512_permutex2var_ps(low, _mm512_castps_si512(self.0), high)
        })
    }

    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let lower = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let upper = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            (Self(_mm512_permutex2var_ps(self.0, lower, other.0)), Self(_mm512_permutex2var_ps(self.0, upper, other.0)))
        }
    }

    #[inline(always)]
    fn unzip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
            (Self(_mm512_permutex2var_ps(self.0, even, other.0)), Self(_mm512_permutex2var_ps(self.0, odd, other.0)))
        }
    }
}

impl IntegerLanes for F32x16 {
    #[inline(always)]
    fn dot_pairs(self, factor: Self, sum: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let products = _mm512_madd_epi16(_mm512_castps_si512(self.0), _mm512_castps_si512(factor.0));
            Self(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(sum.0), products)))
        }
    }
    #[inline(always)]
    fn integers_to_floats(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm512_cvtepi32_ps(_mm512_castps_si512(self.0)) })
    }
}

impl F32x16 {
    /// In each lane `sum` plus the products of the four bytes of `self`, signed, and of `factor`, unsigned; the sum wraps.
    ///
    /// # Safety
    /// The machine must have AVX512-VNNI.
    #[inline(always)]
    pub(super) unsafe fn dot_bytes(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the instruction.
        unsafe {
            let [x, y] = [_mm512_castps_si512(self.0), _mm512_castps_si512(factor.0)];
            Self(_mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(sum.0), y, x)))
        }
    }

    /// In each lane `sum` plus the products of the two `bfloat16` of `self` and of `factor`; subnormal numbers count as 0.
    ///
    /// # Safety
    /// The machine must have AVX512-BF16.
    #[inline(always)]
    pub(super) unsafe fn dot_halves(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the instruction; registers of both types are any 512 bits.
        unsafe {
            let x = core::mem::transmute::<__m512, __m512bh>(self.0);
            let y = core::mem::transmute::<__m512, __m512bh>(factor.0);
            Self(_mm512_dpbf16_ps(sum.0, x, y))
        }
    }

    /// Writes the nearest `bfloat16` to each of the first `count` lanes, the even one of two; numbers below 2^-126 become 0.
    ///
    /// # Safety
    /// The machine must have AVX512-BF16, `count` be at most the lanes that there are, and `target` writable for `count` elements.
    #[inline(always)]
    pub(super) unsafe fn store_nearest_halves(self, target: *mut trueno_core::bf16, count: usize) {
        debug_assert!(count <= 16, "{count} lanes");
        // SAFETY: the caller vouches for the instruction and the target; lanes that are masked out are not written. Registers of both types
        // are any 256 bits.
        unsafe {
            let halves = core::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(self.0));
            _mm256_mask_storeu_epi16(target.cast(), ((1_u32 << count) - 1) as u16, halves);
        }
    }

    /// The first `count` bytes of a vector, and zeros.
    ///
    /// # Safety
    /// The machine must have AVX-512, `source` be readable for `count` bytes, and these be no more than a vector's.
    #[inline(always)]
    pub(super) unsafe fn load_bytes(source: *const i8, count: usize) -> Self {
        debug_assert!(count <= 64, "{count} bytes of a vector");
        let mask = u64::MAX.checked_shr(64 - count as u32).unwrap_or(0);
        // SAFETY: masked lanes are not read, and the caller vouches for the others.
        unsafe { Self(_mm512_castsi512_ps(_mm512_maskz_loadu_epi8(mask, source))) }
    }
}

/// Eight `f64`.
#[derive(Clone, Copy, Debug)]
pub struct F64x8(__m512d);

impl Sealed for F64x8 {}
impl RealVector for F64x8 {
    common!(
        f64,
        __mmask8,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_maskz_loadu_pd,
        _mm512_mask_storeu_pd,
        _mm512_mask_blend_pd
    );

    #[inline(always)]
    unsafe fn store_past_caches(self, target: *mut f64) {
        // SAFETY: the vector proves these instructions, the caller vouches for `target`.
        unsafe { _mm512_stream_pd(target, self.0) }
    }

    forward! {
        add(other) = _mm512_add_pd;
        sub(other) = _mm512_sub_pd;
        mul(other) = _mm512_mul_pd;
        div(other) = _mm512_div_pd;
        mul_add(factor, term) = _mm512_fmadd_pd;
        neg_mul_add(factor, term) = _mm512_fnmadd_pd;
        abs() = _mm512_abs_pd;
        sqrt() = _mm512_sqrt_pd;
        min(other) = _mm512_min_pd;
        max(other) = _mm512_max_pd;
        floor() = _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>;
        ceil() = _mm512_roundscale_pd::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>;
        trunc() = _mm512_roundscale_pd::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>;
        round() = _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>;
        and(other) = _mm512_and_pd;
        or(other) = _mm512_or_pd;
        xor(other) = _mm512_xor_pd;
        scale(exponent) = _mm512_scalef_pd;
    }
    scale_by_floor!(_mm512_cmp_pd_mask, _mm512_maskz_scalef_pd, _mm512_set1_pd(-1081.0));
    split_exponent!(_mm512_getexp_pd, _mm512_getmant_pd);
    reduce_extremes! {
        reduce_max = _mm512_reduce_max_pd;
        reduce_min = _mm512_reduce_min_pd;
    }
    forward_bits! {
        _mm512_castpd_si512, _mm512_castsi512_pd:
        add_bits(other) = _mm512_add_epi64;
        sub_bits(other) = _mm512_sub_epi64;
        shift_into_exponent() = _mm512_slli_epi64::<52>;
        shift_out_exponent() = _mm512_srli_epi64::<52>;
        shift_second_bit_into_sign() = _mm512_slli_epi64::<62>;
    }
    compare! {
        __mmask8, _mm512_cmp_pd_mask:
        lt = _CMP_LT_OQ;
        le = _CMP_LE_OQ;
        eq = _CMP_EQ_OQ;
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            _mm512_castsi512_pd(_mm512_srl_epi64(_mm512_castpd_si512(self.0), _mm_cvtsi32_si128(bits as i32)))
        })
    }

    #[inline(always)]
    fn lookup(self, table: &[f64; 16]) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions; the table has 16 values.
        Self(unsafe {
            let (low, high) = (_mm512_loadu_pd(table.as_ptr()), _mm512_loadu_pd(table.as_ptr().add(8)));
            _mm512_permutex2var_pd(low, _mm512_castpd_si512(self.0), high)
        })
    }

    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let lower = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
            let upper = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
            (Self(_mm512_permutex2var_pd(self.0, lower, other.0)), Self(_mm512_permutex2var_pd(self.0, upper, other.0)))
        }
    }

    #[inline(always)]
    fn unzip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
            let odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
            (Self(_mm512_permutex2var_pd(self.0, even, other.0)), Self(_mm512_permutex2var_pd(self.0, odd, other.0)))
        }
    }
}
