//! SIMD128: the 128-bit vectors of WebAssembly. No fused multiply-add.
//!
//! A module either has these instructions or does not load, so they are there if the build says so.

use core::arch::wasm32::*;

use super::words::{compare, derived, forward, memory, vector_mask};
use super::{IntegerLanes, OneKey, RealVector, Sealed, Simd, Token};
use crate::Level;

/// The proof of SIMD128.
#[derive(Clone, Copy, Debug)]
pub struct Simd128(());

impl Simd128 {
    /// # Safety
    /// The machine must have the instructions.
    pub(crate) unsafe fn assume() -> Self {
        Simd128(())
    }
}

impl Sealed for Simd128 {}
impl Token for Simd128 {
    const LEVEL: Level = Level::Simd128;
}
impl Simd for Simd128 {
    type F32 = F32x4;
    type F64 = F64x2;
    type I32 = OneKey<i32, Self>;
    type I64 = OneKey<i64, Self>;
}

vector_mask!(
    /// A truth value per lane of [`F32x4`].
    Mask32x4(v128): v128_and, v128_or, v128_xor, u32x4_splat(u32::MAX)
);
vector_mask!(
    /// A truth value per lane of [`F64x2`].
    Mask64x2(v128): v128_and, v128_or, v128_xor, u64x2_splat(u64::MAX)
);

/// # Safety
/// `source` must be readable for 16 bytes.
#[inline(always)]
unsafe fn load<T>(source: *const T) -> v128 {
    // SAFETY: the caller vouches for `source`, and the instruction takes any alignment.
    unsafe { v128_load(source.cast()) }
}

/// # Safety
/// `target` must be writable for 16 bytes.
#[inline(always)]
unsafe fn store<T>(target: *mut T, value: v128) {
    // SAFETY: the caller vouches for `target`, and the instruction takes any alignment.
    unsafe { v128_store(target.cast(), value) }
}

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
pub struct F32x4(v128);

impl Sealed for F32x4 {}
impl RealVector for F32x4 {
    memory!(Simd128, f32, Mask32x4, 4, fused false, f32x4_splat, load, store, i32x4_bitmask);
    forward! {
        add(other) = f32x4_add;
        sub(other) = f32x4_sub;
        mul(other) = f32x4_mul;
        div(other) = f32x4_div;
        abs() = f32x4_abs;
        sqrt() = f32x4_sqrt;
        floor() = f32x4_floor;
        ceil() = f32x4_ceil;
        trunc() = f32x4_trunc;
        round() = f32x4_nearest;
        and(other) = v128_and;
        or(other) = v128_or;
        xor(other) = v128_xor;
        add_bits(other) = i32x4_add;
        sub_bits(other) = i32x4_sub;
    }
    compare! {
        Mask32x4:
        lt = f32x4_lt;
        le = f32x4_le;
        eq = f32x4_eq;
    }
    derived! {
        mul_add(self, factor, term) = self.mul(factor).add(term);
        // The pseudo-minimum of (a, b) is `b < a ? b : a`.
        min(self, other) = Self(f32x4_pmin(other.0, self.0));
        max(self, other) = Self(f32x4_pmax(other.0, self.0));
        shift_into_exponent(self) = Self(i32x4_shl(self.0, 23));
        shift_out_exponent(self) = Self(u32x4_shr(self.0, 23));
        shift_second_bit_into_sign(self) = Self(i32x4_shl(self.0, 30));
    }

    #[inline(always)]
    fn select(mask: Mask32x4, yes: Self, no: Self) -> Self {
        Self(v128_bitselect(yes.0, no.0, mask.0))
    }
}

impl IntegerLanes for F32x4 {
    #[inline(always)]
    fn dot_pairs(self, factor: Self, sum: Self) -> Self {
        Self(i32x4_add(sum.0, i32x4_dot_i16x8(self.0, factor.0)))
    }
    #[inline(always)]
    fn integers_to_floats(self) -> Self {
        Self(f32x4_convert_i32x4(self.0))
    }
}

/// Two `f64`.
#[derive(Clone, Copy, Debug)]
pub struct F64x2(v128);

impl Sealed for F64x2 {}
impl RealVector for F64x2 {
    memory!(Simd128, f64, Mask64x2, 2, fused false, f64x2_splat, load, store, i64x2_bitmask);
    forward! {
        add(other) = f64x2_add;
        sub(other) = f64x2_sub;
        mul(other) = f64x2_mul;
        div(other) = f64x2_div;
        abs() = f64x2_abs;
        sqrt() = f64x2_sqrt;
        floor() = f64x2_floor;
        ceil() = f64x2_ceil;
        trunc() = f64x2_trunc;
        round() = f64x2_nearest;
        and(other) = v128_and;
        or(other) = v128_or;
        xor(other) = v128_xor;
        add_bits(other) = i64x2_add;
        sub_bits(other) = i64x2_sub;
    }
    compare! {
        Mask64x2:
        lt = f64x2_lt;
        le = f64x2_le;
        eq = f64x2_eq;
    }
    derived! {
        mul_add(self, factor, term) = self.mul(factor).add(term);
        // The pseudo-minimum of (a, b) is `b < a ? b : a`.
        min(self, other) = Self(f64x2_pmin(other.0, self.0));
        max(self, other) = Self(f64x2_pmax(other.0, self.0));
        shift_into_exponent(self) = Self(i64x2_shl(self.0, 52));
        shift_out_exponent(self) = Self(u64x2_shr(self.0, 52));
        shift_second_bit_into_sign(self) = Self(i64x2_shl(self.0, 62));
    }

    #[inline(always)]
    fn select(mask: Mask64x2, yes: Self, no: Self) -> Self {
        Self(v128_bitselect(yes.0, no.0, mask.0))
    }
}
