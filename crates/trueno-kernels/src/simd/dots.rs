//! Products of 8-bit integers and of `bfloat16`: what a lane of 32 bits holds of a factor, and how two such words are multiplied.

#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512, F32x8, F32x16, Sealed};
use super::{F32x1, MAX_LANES, RealVector, Scalar, Simd, Token};
#[cfg(target_arch = "x86_64")]
use crate::Level;
use crate::elementwise::nearest_bf16;
use trueno_core::bf16;

/// Vectors of `f32` whose lanes are read as integers of 32 bits, next to the operations on representations that all vectors have.
pub trait IntegerLanes: RealVector<Elem = f32> {
    /// In each lane `sum`, plus the product of the lower halves of `self` and `factor`, plus that of the upper ones; halves are signed, and
    /// the sum wraps.
    fn dot_pairs(self, factor: Self, sum: Self) -> Self;
    /// The float nearest to each lane, which is signed.
    fn integers_to_floats(self) -> Self;
}

/// The proof of instructions that multiply words of small integers: of two of 16 bits where it is that of a level, else of four of 8 bits, of
/// which those of the right factor are unsigned.
pub trait Dots: Token {
    /// What holds the words, and their sums.
    type Lanes: IntegerLanes;
    /// Whether words are bytes, those of the right factor unsigned.
    const OF_BYTES: bool;
    /// What the lanes ask for.
    fn base(self) -> <Self::Lanes as RealVector>::Token;
    /// In each lane `sum` plus the products of the integers in the words of the two factors, one by one; the sum wraps.
    fn dot(self, left: Self::Lanes, right: Self::Lanes, sum: Self::Lanes) -> Self::Lanes;
    /// Adjacent integers of a left factor as words, as many as the lanes hold.
    ///
    /// # Safety
    /// `source` must be readable for so many.
    unsafe fn load_left(self, source: *const i8) -> Self::Lanes;
    /// As [`load_left`](Dots::load_left), and 0 for those from `count` on.
    ///
    /// # Safety
    /// `source` must be readable for `count`, no more than the lanes hold.
    #[inline(always)]
    unsafe fn load_left_partial(self, source: *const i8, count: usize) -> Self::Lanes {
        let mut integers = [0_i8; 4 * MAX_LANES];
        // SAFETY: the caller vouches for `count`, and there is room for as many as any lanes hold.
        unsafe {
            core::ptr::copy_nonoverlapping(source, integers.as_mut_ptr(), count);
            self.load_left(integers.as_ptr())
        }
    }
}

impl<S: Simd> Dots for S {
    type Lanes = S::F32;
    const OF_BYTES: bool = false;
    #[inline(always)]
    fn base(self) -> S {
        self
    }
    #[inline(always)]
    fn dot(self, left: S::F32, right: S::F32, sum: S::F32) -> S::F32 {
        left.dot_pairs(right, sum)
    }
    #[inline(always)]
    unsafe fn load_left(self, source: *const i8) -> S::F32 {
        let mut halves = [0_i16; 2 * MAX_LANES];
        for (i, half) in halves.iter_mut().enumerate().take(2 * S::F32::LANES) {
            // SAFETY: the caller vouches for two per lane.
            *half = i16::from(unsafe { *source.add(i) });
        }
        // SAFETY: there are two halves per lane, which are as large as a float.
        unsafe { S::F32::load(self, halves.as_ptr().cast()) }
    }
}

/// The proof of instructions for words of four, and of the level whose vectors they work on.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum ByteDots {
    Avx2(Avx2Vnni),
    Avx512(Avx512Vnni),
}

/// The proof of instructions on top of those of a level.
#[cfg(target_arch = "x86_64")]
macro_rules! above {
    ($(#[$doc:meta])* $name:ident, $base:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($base);

        impl $name {
            /// # Safety
            /// The machine must have the instructions, on top of those of `base`.
            pub(crate) unsafe fn assume(base: $base) -> Self {
                $name(base)
            }
        }

        impl Sealed for $name {}
        impl Token for $name {
            const LEVEL: Level = $base::LEVEL;
            #[inline(always)]
            fn prefetch<T>(self, address: *const T) {
                self.0.prefetch(address);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! vnni {
    ($(#[$doc:meta])* $name:ident, $base:ident, $lanes:ident $(, $load_partial:item)?) => {
        above!($(#[$doc])* $name, $base);
        impl Dots for $name {
            type Lanes = $lanes;
            const OF_BYTES: bool = true;
            #[inline(always)]
            fn base(self) -> $base {
                self.0
            }
            #[inline(always)]
            fn dot(self, left: $lanes, right: $lanes, sum: $lanes) -> $lanes {
                // SAFETY: the token proves the instructions.
                unsafe { left.dot_bytes(right, sum) }
            }
            #[inline(always)]
            unsafe fn load_left(self, source: *const i8) -> $lanes {
                // SAFETY: the caller vouches for four bytes per lane, which are as large as a float.
                unsafe { $lanes::load(self.0, source.cast()) }
            }
            $($load_partial)?
        }
    };
}

#[cfg(target_arch = "x86_64")]
vnni!(
    /// The proof of AVX-VNNI on top of AVX2.
    Avx2Vnni,
    Avx2,
    F32x8
);
#[cfg(target_arch = "x86_64")]
vnni!(
    /// The proof of AVX512-VNNI on top of the other parts of AVX-512.
    Avx512Vnni,
    Avx512,
    F32x16,
    #[inline(always)]
    unsafe fn load_left_partial(self, source: *const i8, count: usize) -> F32x16 {
        // SAFETY: the caller vouches for `count` bytes, and the token proves the instructions.
        unsafe { F32x16::load_bytes(source, count) }
    }
);

/// The proof of instructions that multiply pairs of `bfloat16`.
pub trait PairDots: Token {
    /// What holds the pairs, and their sums.
    type Lanes: RealVector<Elem = f32>;
    /// What the lanes ask for.
    fn base(self) -> <Self::Lanes as RealVector>::Token;
    /// In each lane `sum` plus the product of the upper halves of the two factors, plus that of the lower ones, each rounded to `f32`.
    fn dot(self, left: Self::Lanes, right: Self::Lanes, sum: Self::Lanes) -> Self::Lanes;
    /// Adjacent elements as pairs, and 0 for those from `count` on.
    ///
    /// # Safety
    /// `source` must be readable for `count`, no more than two per lane.
    unsafe fn load_pairs(self, source: *const bf16, count: usize) -> Self::Lanes;
    /// Writes the nearest element to each of the first `count` lanes, the even one of two.
    ///
    /// # Safety
    /// `count` must be at most the lanes that there are, and `target` writable for `count` elements.
    unsafe fn store_nearest(self, lanes: Self::Lanes, target: *mut bf16, count: usize);
}

/// What stands for the instructions where the machine lacks them: one pair at a time.
impl PairDots for Scalar {
    type Lanes = F32x1;
    #[inline(always)]
    fn base(self) -> Scalar {
        self
    }
    #[inline(always)]
    fn dot(self, left: F32x1, right: F32x1, sum: F32x1) -> F32x1 {
        let [left, right] = [left.first().to_bits(), right.first().to_bits()];
        let upper = f32::from_bits(left & !0xFFFF) * f32::from_bits(right & !0xFFFF);
        let lower = f32::from_bits(left << 16) * f32::from_bits(right << 16);
        F32x1::splat(self, sum.first() + upper + lower)
    }
    #[inline(always)]
    unsafe fn load_pairs(self, source: *const bf16, count: usize) -> F32x1 {
        let mut bits = 0;
        for i in 0..count {
            // SAFETY: the caller vouches for `count`.
            bits |= u32::from(unsafe { *source.add(i) }.to_bits()) << (16 * i);
        }
        F32x1::splat(self, f32::from_bits(bits))
    }
    #[inline(always)]
    unsafe fn store_nearest(self, lanes: F32x1, target: *mut bf16, count: usize) {
        if count > 0 {
            // SAFETY: the caller vouches for one element.
            unsafe { target.write(nearest_bf16(lanes.first())) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
above!(
    /// The proof of AVX512-BF16 on top of the other parts of AVX-512.
    Avx512Bf16,
    Avx512
);
#[cfg(target_arch = "x86_64")]
impl PairDots for Avx512Bf16 {
    type Lanes = F32x16;
    #[inline(always)]
    fn base(self) -> Avx512 {
        self.0
    }
    #[inline(always)]
    fn dot(self, left: F32x16, right: F32x16, sum: F32x16) -> F32x16 {
        // SAFETY: the token proves the instruction.
        unsafe { left.dot_halves(right, sum) }
    }
    #[inline(always)]
    unsafe fn load_pairs(self, source: *const bf16, count: usize) -> F32x16 {
        // SAFETY: the caller vouches for `count`, of two bytes each, and the token proves the instructions.
        unsafe {
            if count == 2 * F32x16::LANES {
                F32x16::load(self.0, source.cast())
            } else {
                F32x16::load_bytes(source.cast(), 2 * count)
            }
        }
    }
    #[inline(always)]
    unsafe fn store_nearest(self, lanes: F32x16, target: *mut bf16, count: usize) {
        // SAFETY: the token proves the instruction, and the caller vouches for the target.
        unsafe { lanes.store_nearest_halves(target, count) };
    }
}
