//! SSE2: 128-bit vectors that every x86-64 machine has. No fused multiply-add, no rounding, no blend.

use core::arch::x86_64::*;

use super::words::{compare, derived, forward, forward_bits, hints, memory, vector_mask};
use super::{IntegerLanes, OneKey, RealVector, Sealed, Simd, Token, emulate};
use crate::Level;

/// The proof of SSE2.
#[derive(Clone, Copy, Debug)]
pub struct Sse2(());

impl Sse2 {
    /// # Safety
    /// The machine must have the instructions.
    pub(crate) unsafe fn assume() -> Self {
        Sse2(())
    }
}

impl Sealed for Sse2 {}
impl Token for Sse2 {
    const LEVEL: Level = Level::Sse2;
    hints!();
}
impl Simd for Sse2 {
    type F32 = F32x4;
    type F64 = F64x2;
    type I32 = OneKey<i32, Self>;
    type I64 = OneKey<i64, Self>;
}

vector_mask!(
    /// A truth value per lane of [`F32x4`].
    Mask32x4(__m128): _mm_and_ps, _mm_or_ps, _mm_xor_ps, _mm_castsi128_ps(_mm_set1_epi32(-1))
);
vector_mask!(
    /// A truth value per lane of [`F64x2`].
    Mask64x2(__m128d): _mm_and_pd, _mm_or_pd, _mm_xor_pd, _mm_castsi128_pd(_mm_set1_epi32(-1))
);

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
pub struct F32x4(__m128);

impl Sealed for F32x4 {}
impl RealVector for F32x4 {
    memory!(Sse2, f32, Mask32x4, 4, fused false, _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps, _mm_movemask_ps);

    #[inline(always)]
    unsafe fn store_past_caches(self, target: *mut f32) {
        // SAFETY: the vector proves these instructions, the caller vouches for `target`.
        unsafe { _mm_stream_ps(target, self.0) }
    }

    forward! {
        add(other) = _mm_add_ps;
        sub(other) = _mm_sub_ps;
        mul(other) = _mm_mul_ps;
        div(other) = _mm_div_ps;
        sqrt() = _mm_sqrt_ps;
        min(other) = _mm_min_ps;
        max(other) = _mm_max_ps;
        and(other) = _mm_and_ps;
        or(other) = _mm_or_ps;
        xor(other) = _mm_xor_ps;
    }
    forward_bits! {
        _mm_castps_si128, _mm_castsi128_ps:
        add_bits(other) = _mm_add_epi32;
        sub_bits(other) = _mm_sub_epi32;
        shift_into_exponent() = _mm_slli_epi32::<23>;
        shift_out_exponent() = _mm_srli_epi32::<23>;
        shift_second_bit_into_sign() = _mm_slli_epi32::<30>;
    }
    compare! {
        Mask32x4:
        lt = _mm_cmplt_ps;
        le = _mm_cmple_ps;
        eq = _mm_cmpeq_ps;
    }
    derived! {
        mul_add(self, factor, term) = self.mul(factor).add(term);
        floor(self) = emulate::floor(self);
        ceil(self) = emulate::ceil(self);
        trunc(self) = emulate::trunc(self);
        round(self) = emulate::round(self);
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm_andnot_ps(_mm_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    fn select(mask: Mask32x4, yes: Self, no: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm_or_ps(_mm_and_ps(mask.0, yes.0), _mm_andnot_ps(mask.0, no.0)) })
    }

    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe { (Self(_mm_unpacklo_ps(self.0, other.0)), Self(_mm_unpackhi_ps(self.0, other.0))) }
    }

    #[inline(always)]
    fn unzip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            (
                Self(_mm_shuffle_ps::<0b10_00_10_00>(self.0, other.0)),
                Self(_mm_shuffle_ps::<0b11_01_11_01>(self.0, other.0)),
            )
        }
    }
}

impl IntegerLanes for F32x4 {
    #[inline(always)]
    fn dot_pairs(self, factor: Self, sum: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let products = _mm_madd_epi16(_mm_castps_si128(self.0), _mm_castps_si128(factor.0));
            Self(_mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(sum.0), products)))
        }
    }
    #[inline(always)]
    fn integers_to_floats(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm_cvtepi32_ps(_mm_castps_si128(self.0)) })
    }
}

/// Two `f64`.
#[derive(Clone, Copy, Debug)]
pub struct F64x2(__m128d);

impl Sealed for F64x2 {}
impl RealVector for F64x2 {
    memory!(Sse2, f64, Mask64x2, 2, fused false, _mm_set1_pd, _mm_loadu_pd, _mm_storeu_pd, _mm_movemask_pd);

    #[inline(always)]
    unsafe fn store_past_caches(self, target: *mut f64) {
        // SAFETY: the vector proves these instructions, the caller vouches for `target`.
        unsafe { _mm_stream_pd(target, self.0) }
    }

    forward! {
        add(other) = _mm_add_pd;
        sub(other) = _mm_sub_pd;
        mul(other) = _mm_mul_pd;
        div(other) = _mm_div_pd;
        sqrt() = _mm_sqrt_pd;
        min(other) = _mm_min_pd;
        max(other) = _mm_max_pd;
        and(other) = _mm_and_pd;
        or(other) = _mm_or_pd;
        xor(other) = _mm_xor_pd;
    }
    forward_bits! {
        _mm_castpd_si128, _mm_castsi128_pd:
        add_bits(other) = _mm_add_epi64;
        sub_bits(other) = _mm_sub_epi64;
        shift_into_exponent() = _mm_slli_epi64::<52>;
        shift_out_exponent() = _mm_srli_epi64::<52>;
        shift_second_bit_into_sign() = _mm_slli_epi64::<62>;
    }
    compare! {
        Mask64x2:
        lt = _mm_cmplt_pd;
        le = _mm_cmple_pd;
        eq = _mm_cmpeq_pd;
    }
    derived! {
        mul_add(self, factor, term) = self.mul(factor).add(term);
        floor(self) = emulate::floor(self);
        ceil(self) = emulate::ceil(self);
        trunc(self) = emulate::trunc(self);
        round(self) = emulate::round(self);
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm_andnot_pd(_mm_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    fn select(mask: Mask64x2, yes: Self, no: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { _mm_or_pd(_mm_and_pd(mask.0, yes.0), _mm_andnot_pd(mask.0, no.0)) })
    }

    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe { (Self(_mm_unpacklo_pd(self.0, other.0)), Self(_mm_unpackhi_pd(self.0, other.0))) }
    }

    #[inline(always)]
    fn unzip(self, other: Self) -> (Self, Self) {
        // Of two lanes each, both orders are the same.
        self.zip(other)
    }
}
