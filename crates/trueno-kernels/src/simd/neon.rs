//! NEON: the 128-bit vectors that every AArch64 machine has, with fused multiply-add.

use core::arch::aarch64::*;

use super::words::{compare, derived, forward, forward_bits, memory, vector_mask};
use super::{IntegerLanes, OneKey, RealVector, Sealed, Simd, Token};
use crate::Level;

/// The proof of NEON.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

impl Neon {
    /// # Safety
    /// The machine must have the instructions.
    pub(crate) unsafe fn assume() -> Self {
        Neon(())
    }
}

impl Sealed for Neon {}
impl Token for Neon {
    const LEVEL: Level = Level::Neon;
}
impl Simd for Neon {
    type F32 = F32x4;
    type F64 = F64x2;
    type I32 = OneKey<i32, Self>;
    type I64 = OneKey<i64, Self>;
}

vector_mask!(
    /// A truth value per lane of [`F32x4`].
    Mask32x4(uint32x4_t): vandq_u32, vorrq_u32, veorq_u32, vdupq_n_u32(u32::MAX)
);
vector_mask!(
    /// A truth value per lane of [`F64x2`].
    Mask64x2(uint64x2_t): vandq_u64, vorrq_u64, veorq_u64, vdupq_n_u64(u64::MAX)
);

/// One bit per lane of a mask, as there is no instruction for it.
///
/// # Safety
/// The machine must have NEON.
#[inline(always)]
unsafe fn bits32(mask: uint32x4_t) -> u32 {
    // SAFETY: the caller vouches for the instructions; the array has the four values that are read.
    unsafe { vaddvq_u32(vandq_u32(mask, vld1q_u32([1_u32, 2, 4, 8].as_ptr()))) }
}

/// As [`bits32`].
///
/// # Safety
/// The machine must have NEON.
#[inline(always)]
unsafe fn bits64(mask: uint64x2_t) -> u64 {
    // SAFETY: the caller vouches for the instructions; the array has the two values that are read.
    unsafe { vaddvq_u64(vandq_u64(mask, vld1q_u64([1_u64, 2].as_ptr()))) }
}

/// Methods whose intrinsics take their operands in an order of their own.
macro_rules! reordered {
    ($mask:ident, $fused_add:ident, $fused_sub:ident, $blend:ident) => {
        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $fused_add(term.0, self.0, factor.0) })
        }
        #[inline(always)]
        fn neg_mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $fused_sub(term.0, self.0, factor.0) })
        }
        #[inline(always)]
        fn select(mask: $mask, yes: Self, no: Self) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $blend(mask.0, yes.0, no.0) })
        }
        derived! {
            // The machine's give NaN, or the other operand, whichever side the NaN is on.
            min(self, other) = Self::select(self.lt(other), self, other);
            max(self, other) = Self::select(other.lt(self), self, other);
        }
    };
}

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
pub struct F32x4(float32x4_t);

impl Sealed for F32x4 {}
impl RealVector for F32x4 {
    memory!(Neon, f32, Mask32x4, 4, fused true, vdupq_n_f32, vld1q_f32, vst1q_f32, bits32);
    reordered!(Mask32x4, vfmaq_f32, vfmsq_f32, vbslq_f32);
    forward! {
        add(other) = vaddq_f32;
        sub(other) = vsubq_f32;
        mul(other) = vmulq_f32;
        div(other) = vdivq_f32;
        abs() = vabsq_f32;
        sqrt() = vsqrtq_f32;
        floor() = vrndmq_f32;
        ceil() = vrndpq_f32;
        trunc() = vrndq_f32;
        round() = vrndnq_f32;
    }
    forward_bits! {
        vreinterpretq_u32_f32, vreinterpretq_f32_u32:
        and(other) = vandq_u32;
        or(other) = vorrq_u32;
        xor(other) = veorq_u32;
        add_bits(other) = vaddq_u32;
        sub_bits(other) = vsubq_u32;
        shift_into_exponent() = vshlq_n_u32::<23>;
        shift_out_exponent() = vshrq_n_u32::<23>;
        shift_second_bit_into_sign() = vshlq_n_u32::<30>;
    }
    compare! {
        Mask32x4:
        lt = vcltq_f32;
        le = vcleq_f32;
        eq = vceqq_f32;
    }
}

impl IntegerLanes for F32x4 {
    #[inline(always)]
    fn dot_pairs(self, factor: Self, sum: Self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        unsafe {
            let (x, y) = (vreinterpretq_s16_f32(self.0), vreinterpretq_s16_f32(factor.0));
            let (low, high) = (vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
            Self(vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(sum.0), vpaddq_s32(low, high))))
        }
    }
    #[inline(always)]
    fn integers_to_floats(self) -> Self {
        // SAFETY: a vector is only made from the token that proves these instructions.
        Self(unsafe { vcvtq_f32_s32(vreinterpretq_s32_f32(self.0)) })
    }
}

/// Two `f64`.
#[derive(Clone, Copy, Debug)]
pub struct F64x2(float64x2_t);

impl Sealed for F64x2 {}
impl RealVector for F64x2 {
    memory!(Neon, f64, Mask64x2, 2, fused true, vdupq_n_f64, vld1q_f64, vst1q_f64, bits64);
    reordered!(Mask64x2, vfmaq_f64, vfmsq_f64, vbslq_f64);
    forward! {
        add(other) = vaddq_f64;
        sub(other) = vsubq_f64;
        mul(other) = vmulq_f64;
        div(other) = vdivq_f64;
        abs() = vabsq_f64;
        sqrt() = vsqrtq_f64;
        floor() = vrndmq_f64;
        ceil() = vrndpq_f64;
        trunc() = vrndq_f64;
        round() = vrndnq_f64;
    }
    forward_bits! {
        vreinterpretq_u64_f64, vreinterpretq_f64_u64:
        and(other) = vandq_u64;
        or(other) = vorrq_u64;
        xor(other) = veorq_u64;
        add_bits(other) = vaddq_u64;
        sub_bits(other) = vsubq_u64;
        shift_into_exponent() = vshlq_n_u64::<52>;
        shift_out_exponent() = vshrq_n_u64::<52>;
        shift_second_bit_into_sign() = vshlq_n_u64::<62>;
    }
    compare! {
        Mask64x2:
        lt = vcltq_f64;
        le = vcleq_f64;
        eq = vceqq_f64;
    }
}
