//! What vectors with vector-wide masks share in words: SSE2, AVX2, NEON and SIMD128 differ in the intrinsics only.

/// A mask whose lanes are all ones or all zeros.
macro_rules! vector_mask {
    ($(#[$doc:meta])* $name:ident($register:ty): $and:ident, $or:ident, $xor:ident, $ones:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($register);

        impl core::ops::BitAnd for $name {
            type Output = Self;
            #[inline(always)]
            fn bitand(self, other: Self) -> Self {
                // SAFETY: a mask is only made from vectors, which prove these instructions.
                Self(unsafe { $and(self.0, other.0) })
            }
        }
        impl core::ops::BitOr for $name {
            type Output = Self;
            #[inline(always)]
            fn bitor(self, other: Self) -> Self {
                // SAFETY: a mask is only made from vectors, which prove these instructions.
                Self(unsafe { $or(self.0, other.0) })
            }
        }
        impl core::ops::Not for $name {
            type Output = Self;
            #[inline(always)]
            fn not(self) -> Self {
                // SAFETY: a mask is only made from vectors, which prove these instructions.
                Self(unsafe { $xor(self.0, $ones) })
            }
        }
    };
}

/// What every x86-64 machine does about its caches.
#[cfg(target_arch = "x86_64")]
macro_rules! hints {
    () => {
        #[inline(always)]
        fn prefetch<T>(self, address: *const T) {
            // SAFETY: a prefetch reads nothing and never faults; every x86-64 machine has it.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
        }

        #[inline(always)]
        fn settle(self) {
            // SAFETY: every x86-64 machine has the instruction.
            unsafe { _mm_sfence() }
        }
    };
}

/// Methods that are one intrinsic on the registers of the operands.
macro_rules! forward {
    ($($method:ident($($arg:ident),*) = $intrinsic:expr;)*) => {$(
        #[inline(always)]
        fn $method(self $(, $arg: Self)*) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $intrinsic(self.0 $(, $arg.0)*) })
        }
    )*};
}

/// Methods that are one integer intrinsic on the bits of the operands, where integers have registers of another type.
#[cfg(not(target_arch = "wasm32"))]
macro_rules! forward_bits {
    ($to:ident, $from:ident: $($method:ident($($arg:ident),*) = $intrinsic:expr;)*) => {$(
        #[inline(always)]
        fn $method(self $(, $arg: Self)*) -> Self {
            // SAFETY: a vector is only made from the token that proves these instructions.
            Self(unsafe { $from($intrinsic($to(self.0) $(, $to($arg.0))*)) })
        }
    )*};
}

/// Methods that are an expression of other methods.
macro_rules! derived {
    ($($method:ident($self:ident $(, $arg:ident)*) = $body:expr;)*) => {$(
        #[inline(always)]
        fn $method($self $(, $arg: Self)*) -> Self {
            $body
        }
    )*};
}

/// Comparisons that give a vector-wide mask.
macro_rules! compare {
    ($mask:ident: $($method:ident = $intrinsic:expr;)*) => {$(
        #[inline(always)]
        fn $method(self, other: Self) -> $mask {
            // SAFETY: a vector is only made from the token that proves these instructions.
            $mask(unsafe { $intrinsic(self.0, other.0) })
        }
    )*};
}

/// The associated items, and moves between memory and registers.
macro_rules! memory {
    ($token:ident, $elem:ty, $mask:ident, $lanes:literal, fused $fused:literal, $splat:ident, $load:ident, $store:ident, $bits:ident) => {
        type Elem = $elem;
        type Token = $token;
        type Mask = $mask;
        const LANES: usize = $lanes;
        const FUSED: bool = $fused;

        #[inline(always)]
        fn token(self) -> $token {
            $token(())
        }
        #[inline(always)]
        fn splat(_: $token, value: $elem) -> Self {
            // SAFETY: the token proves these instructions.
            Self(unsafe { $splat(value) })
        }
        #[inline(always)]
        unsafe fn load(_: $token, source: *const $elem) -> Self {
            // SAFETY: the token proves these instructions, the caller vouches for `source`.
            Self(unsafe { $load(source) })
        }
        #[inline(always)]
        unsafe fn store(self, target: *mut $elem) {
            // SAFETY: the vector proves these instructions, the caller vouches for `target`.
            unsafe { $store(target, self.0) }
        }
        #[inline(always)]
        fn mask_bits(mask: $mask) -> u32 {
            // SAFETY: a mask is only made from vectors, which prove these instructions.
            unsafe { $bits(mask.0) as u32 }
        }
        #[inline(always)]
        fn neg(self) -> Self {
            self.xor(Self::splat(self.token(), -0.0))
        }
    };
}

pub(super) use {compare, derived, forward, memory, vector_mask};

#[cfg(not(target_arch = "wasm32"))]
pub(super) use forward_bits;
#[cfg(target_arch = "x86_64")]
pub(super) use hints;
