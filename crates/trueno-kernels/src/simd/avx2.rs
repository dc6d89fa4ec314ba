//! AVX2, FMA and F16C: 256-bit vectors.

use core::arch::x86_64::*;

use super::words::{compare, forward, forward_bits, hints, memory, vector_mask};
use super::{I32x8, I64x4, IntegerLanes, RealVector, Sealed, Simd, Token};
use crate::Level;
use trueno_core::f16;

/// The proof of AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The machine must have the instructions, and the operating system must save the registers.
    pub(crate) unsafe fn assume() -> Self {
        Avx2(())
    }
}

impl Sealed for Avx2 {}
impl Token for Avx2 {
    const LEVEL: Level = Level::Avx2;
    hints!();
}
impl Simd for Avx2 {
    type F32 = F32x8;
    type F64 = F64x4;
    type I32 = I32x8;
    type I64 = I64x4;
}

vector_mask!(
    /// A truth value per lane of [`F32x8`].
    Mask32x8(__m256): _mm256_and_ps, _mm256_or_ps, _mm256_xor_ps, _mm256_castsi256_ps(_mm256_set1_epi32(-1))
);
vector_mask!(
    /// A truth value per lane of [`F64x4`].
    Mask64x4(__m256d): _mm256_and_pd, _mm256_or_pd, _mm256_xor_pd, _mm256_castsi256_pd(_mm256_set1_epi32(-1))
);

/// Eight `f32`.
#[derive(Clone, Copy, Debug)]
pub struct F32x8(__m256);

/// All ones in the first `count` lanes.
#[inline(always)]
fn first32(_: Avx2, count: usize) -> __m256i {
    debug_assert!(count <= 8);
    // SAFETY: the token proves these instructions.
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}

impl Sealed for F32x8 {}
impl RealVector for F32x8 {
    memory!(Avx2, f32, Mask32x8, 8, fused true, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_movemask_ps);
    const PIECES: bool = true;

    #[inline(always)]
    unsafe fn store_past_caches(self, target: *mut f32) {
        // SAFETY: the vector proves these instructions, the caller vouches for `target`.
        unsafe { _mm256_stream_ps(target, self.0) }
    }

    forward! {
        add(other) = _mm256_add_ps;
        sub(other) = _mm256_sub_ps;
        mul(other) = _mm256_mul_ps;
        div(other) = _mm256_div_ps;
        mul_add(factor, term) = _mm256_fmadd_ps;
        neg_mul_add(factor, term) = _mm256_fnmadd_ps;
        sqrt() = _mm256_sqrt_ps;
        min(other) = _mm256_min_ps;
        max(other) = _mm256_max_ps;
        floor() = _mm256_round_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>;
        ceil() = _mm256_round_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>;
        trunc() = _mm256_round_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>;
        round() = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>;
        and(other) = _mm256_and_ps;
        or(other) = _mm256_or_ps;
        xor(other) = _mm256_xor_ps;
    }
    forward_bits! {
        _mm256_castps_si256, _mm256_castsi256_ps:
        add_bits(other) = _mm256_add_epi32;
        sub_bits(other) = _mm256_sub_epi32;
        shift_into_exponent() = _mm256_slli_epi32::<23>;
        shift_out_exponent() = _mm256_srli_epi32::<23>;
        shift_second_bit_into_sign() = _mm256_slli_epi32::<30>;
    }
    compare! {
        Mask32x8:
        lt = _mm256_cmp_ps::<_CMP_LT_OQ>;
        le = _mm256_cmp_ps::<_CMP_LE_OQ>;
        eq = _mm256_cmp_ps::<_CMP_EQ_OQ>;
    }

    #[inline(always)]
    unsafe fn load_partial(token: Avx2, source: *const f32, count: usize) -> Self {
        // SAFETY: the token proves these instructions; lanes outside the mask are not read.
        Self(unsafe { _mm256_maskload_ps(source, first32(token, count)) })
    }
    #[inline(always)]
    unsafe fn store_partial(self, target: *mut f32, count: usize) {
        // SAFETY: the vector proves these instructions; lanes outside the mask are not written.
        unsafe { _mm256_maskstore_ps(target, first32(self.token(), count), self.0) }
    }
    #[inline(always)]
    fn from_halves(_: Avx2, x: &[f16]) -> Self {
        let mut part = [f16::ZERO; 8];
        let whole = x.first_chunk().unwrap_or_else(|| {
            part[..x.len()].copy_from_slice(x);
            &part
        });
        // SAFETY: the token proves these instructions, F16C among them; a chunk has eight halves.
        Self(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(whole.as_ptr().cast())) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    fn select(mask: Mask32x8, yes: Self, no: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm256_blendv_ps(no.0, yes.0, mask.0) })
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe {
            _mm256_castsi256_ps(_mm256_srl_epi32(_mm256_castps_si256(self.0), _mm_cvtsi32_si128(bits as i32)))
        })
    }

    #[inline(always)]
    fn lookup(self, table: &[f32; 16]) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions; the table has 16 values.
        Self(unsafe {
            let index = _mm256_castps_si256(self.0);
            let low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr()), index);
            let high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr().add(8)), index);
            // The fourth bit, as the sign, picks one.
            _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(index)))
        })
    }

    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            // These alternate within each half; then the halves change places.
            let (low, high) = (_mm256_unpacklo_ps(self.0, other.0), _mm256_unpackhi_ps(self.0, other.0));
            (Self(_mm256_permute2f128_ps::<0x20>(low, high)), Self(_mm256_permute2f128_ps::<0x31>(low, high)))
        }
    }

    #[inline(always)]
    fn unzip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let low = _mm256_permute2f128_ps::<0x20>(self.0, other.0);
            let high = _mm256_permute2f128_ps::<0x31>(self.0, other.0);
            let even = _mm256_shuffle_ps::<0b10_00_10_00>(low, high);
            (Self(even), Self(_mm256_shuffle_ps::<0b11_01_11_01>(low, high)))
        }
    }
}

impl IntegerLanes for F32x8 {
    #[inline(always)]
    fn dot_pairs(self, factor: Self, sum: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let products = _mm256_madd_epi16(_mm256_castps_si256(self.0), _mm256_castps_si256(factor.0));
            Self(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum.0), products)))
        }
    }
    #[inline(always)]
    fn integers_to_floats(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(self.0)) })
    }
}

impl F32x8 {
    /// In each lane `sum` plus the products of the four bytes of `self`, signed, and of `factor`, unsigned; the sum wraps.
    ///
    /// # Safety
    /// The machine must have AVX-VNNI.
    #[inline(always)]
    pub(super) unsafe fn dot_bytes(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the instruction.
        unsafe {
            let [x, y] = [_mm256_castps_si256(self.0), _mm256_castps_si256(factor.0)];
            Self(_mm256_castsi256_ps(_mm256_dpbusd_avx_epi32(_mm256_castps_si256(sum.0), y, x)))
        }
    }
}

/// Four `f64`.
#[derive(Clone, Copy, Debug)]
pub struct F64x4(__m256d);

/// All ones in the first `count` lanes.
#[inline(always)]
fn first64(_: Avx2, count: usize) -> __m256i {
    debug_assert!(count <= 4);
    // SAFETY: the token proves these instructions.
    unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
}

impl Sealed for F64x4 {}
impl RealVector for F64x4 {
    memory!(Avx2, f64, Mask64x4, 4, fused true, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_movemask_pd);

    #[inline(always)]
    unsafe fn store_past_caches(self, target: *mut f64) {
        // SAFETY: the vector proves these instructions, the caller vouches for `target`.
        unsafe { _mm256_stream_pd(target, self.0) }
    }

    forward! {
        add(other) = _mm256_add_pd;
        sub(other) = _mm256_sub_pd;
        mul(other) = _mm256_mul_pd;
        div(other) = _mm256_div_pd;
        mul_add(factor, term) = _mm256_fmadd_pd;
        neg_mul_add(factor, term) = _mm256_fnmadd_pd;
        sqrt() = _mm256_sqrt_pd;
        min(other) = _mm256_min_pd;
        max(other) = _mm256_max_pd;
        floor() = _mm256_round_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>;
        ceil() = _mm256_round_pd::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>;
        trunc() = _mm256_round_pd::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>;
        round() = _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>;
        and(other) = _mm256_and_pd;
        or(other) = _mm256_or_pd;
        xor(other) = _mm256_xor_pd;
    }
    forward_bits! {
        _mm256_castpd_si256, _mm256_castsi256_pd:
        add_bits(other) = _mm256_add_epi64;
        sub_bits(other) = _mm256_sub_epi64;
        shift_into_exponent() = _mm256_slli_epi64::<52>;
        shift_out_exponent() = _mm256_srli_epi64::<52>;
        shift_second_bit_into_sign() = _mm256_slli_epi64::<62>;
    }
    compare! {
        Mask64x4:
        lt = _mm256_cmp_pd::<_CMP_LT_OQ>;
        le = _mm256_cmp_pd::<_CMP_LE_OQ>;
        eq = _mm256_cmp_pd::<_CMP_EQ_OQ>;
    }

    #[inline(always)]
    unsafe fn load_partial(token: Avx2, source: *const f64, count: usize) -> Self {
        // SAFETY: the token proves these instructions; lanes outside the mask are not read.
        Self(unsafe { _mm256_maskload_pd(source, first64(token, count)) })
    }
    #[inline(always)]
    unsafe fn store_partial(self, target: *mut f64, count: usize) {
        // SAFETY: the vector proves these instructions; lanes outside the mask are not written.
        unsafe { _mm256_maskstore_pd(target, first64(self.token(), count), self.0) }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    fn select(mask: Mask64x4, yes: Self, no: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm256_blendv_pd(no.0, yes.0, mask.0) })
    }

    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            // These alternate within each half; then the halves change places.
            let (low, high) = (_mm256_unpacklo_pd(self.0, other.0), _mm256_unpackhi_pd(self.0, other.0));
            (Self(_mm256_permute2f128_pd::<0x20>(low, high)), Self(_mm256_permute2f128_pd::<0x31>(low, high)))
        }
    }

    #[inline(always)]
    fn unzip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let low = _mm256_permute2f128_pd::<0x20>(self.0, other.0);
            let high = _mm256_permute2f128_pd::<0x31>(self.0, other.0);
            (Self(_mm256_unpacklo_pd(low, high)), Self(_mm256_unpackhi_pd(low, high)))
        }
    }
}
