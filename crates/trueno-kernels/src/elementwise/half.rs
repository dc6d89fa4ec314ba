//! The two half precisions to and from `f32`.

use trueno_core::{bf16, f16};

use crate::simd::kernel;

kernel! {
    /// Shifts the upper half into place.
    pub(super) fn bf16_to_f32(_simd: S, x: &[bf16], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = f32::from_bits(u32::from(x.to_bits()) << 16);
        }
    }
}

kernel! {
    /// Rounds to nearest even; NaN stays NaN. Without a branch, so that the compiler vectorises it.
    pub(super) fn f32_to_bf16(_simd: S, x: &[f32], out: &mut [bf16]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = nearest_bf16(*x);
        }
    }
}

/// The nearest `bfloat16`, the even one of two; NaN stays NaN.
#[inline(always)]
pub(crate) fn nearest_bf16(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
    let quiet = bits >> 16 | 0x40;
    bf16::from_bits(if x.is_nan() { quiet } else { rounded } as u16)
}

kernel! {
    /// Widens, with the machine's instruction where it has one.
    pub(super) fn f16_to_f32(simd: S, x: &[f16], out: &mut [f32]) {
        let done = widen_blocks(simd, x, out);
        for (out, x) in out.iter_mut().zip(x).skip(done) {
            *out = x.to_f32();
        }
    }
}

kernel! {
    /// Rounds to nearest even, with the machine's instruction where it has one.
    pub(super) fn f32_to_f16(simd: S, x: &[f32], out: &mut [f16]) {
        let done = narrow_blocks(simd, x, out);
        for (out, x) in out.iter_mut().zip(x).skip(done) {
            *out = f16::from_f32(*x);
        }
    }
}

#[cfg(target_arch = "x86_64")]
use f16c::{narrow_blocks, widen_blocks};
#[cfg(not(target_arch = "x86_64"))]
use one_by_one::{narrow_blocks, widen_blocks};

/// Conversions by F16C, where the level has it.
#[cfg(target_arch = "x86_64")]
mod f16c {
    use core::arch::x86_64::*;

    use trueno_core::f16;

    use crate::Level;
    use crate::simd::Simd;

    /// Widens whole blocks of eight, and gives how many elements those are: none without F16C.
    #[inline(always)]
    pub fn widen_blocks<S: Simd>(_: S, x: &[f16], out: &mut [f32]) -> usize {
        if S::LEVEL < Level::Avx2 {
            return 0;
        }
        for (x, out) in x.chunks_exact(8).zip(out.chunks_exact_mut(8)) {
            // SAFETY: a token of this level proves F16C; both blocks have eight elements.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(x.as_ptr().cast()))) };
        }
        x.len() / 8 * 8
    }

    /// Narrows whole blocks of eight, and gives how many elements those are: none without F16C.
    #[inline(always)]
    pub fn narrow_blocks<S: Simd>(_: S, x: &[f32], out: &mut [f16]) -> usize {
        if S::LEVEL < Level::Avx2 {
            return 0;
        }
        for (x, out) in x.chunks_exact(8).zip(out.chunks_exact_mut(8)) {
            // SAFETY: a token of this level proves F16C; both blocks have eight elements.
            unsafe {
                let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(x.as_ptr()));
                _mm_storeu_si128(out.as_mut_ptr().cast(), halves);
            }
        }
        x.len() / 8 * 8
    }
}

/// What stands for [`f16c`] where kernels know no such instructions: every element is left to the caller.
#[cfg(not(target_arch = "x86_64"))]
mod one_by_one {
    use trueno_core::f16;

    use crate::simd::Simd;

    #[inline(always)]
    pub fn widen_blocks<S: Simd>(_: S, _: &[f16], _: &mut [f32]) -> usize {
        0
    }

    #[inline(always)]
    pub fn narrow_blocks<S: Simd>(_: S, _: &[f32], _: &mut [f16]) -> usize {
        0
    }
}
