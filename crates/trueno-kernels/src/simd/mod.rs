//! SIMD vectors as values that prove their instruction set.
//!
//! A token ([`Simd`]) exists only where its instructions do, and a vector ([`RealVector`]) is only made from a
//! token; so their methods are safe to call. Code is written once, generic over the token, as
//! `#[inline(always)]` functions, and entered through the `kernel!` macro, which makes one `#[target_feature]`
//! function per instruction set. A kernel outside the macro cannot get a token to run with.

mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dots;
mod emulate;
mod entry;
mod keys;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod ops;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[allow(unused_unsafe, reason = "on this target alone the compiler knows that intrinsics are safe to call")]
mod wasm;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")))]
mod words;

use core::fmt::Debug;
use core::ops::{Add, Div, Mul, Neg, Sub};

use trueno_core::math::Mask;
use trueno_core::{Element, Float, f16};

use crate::Level;
use crate::elementwise::RealKernels;
use crate::math::{Lookups, Tables};
use crate::matmul::{Epilogue, Unit};
use crate::reduce::{Readable, RealReductions};

#[cfg(target_arch = "x86_64")]
pub use avx2::{Avx2, F32x8, F64x4};
#[cfg(target_arch = "x86_64")]
pub use avx512::{Avx512, F32x16, F64x8};
#[cfg(target_arch = "aarch64")]
pub use neon::{F32x4, F64x2, Neon};
#[cfg(target_arch = "x86_64")]
pub use sse2::{F32x4, F64x2, Sse2};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::{F32x4, F64x2, Simd128};

pub(crate) use amx::{Amx, Numbers, SIDE, TileProduct, Tiles};
pub use dots::IntegerLanes;
#[cfg(target_arch = "x86_64")]
pub(crate) use dots::{Avx2Vnni, Avx512Bf16, Avx512Vnni, ByteDots};
pub(crate) use dots::{Dots, PairDots};
pub(crate) use entry::{AnyToken, kernel};
#[cfg(target_arch = "x86_64")]
pub use keys::{I32x8, I32x16, I64x4, I64x8};
pub use keys::{KeyVector, OneKey};
pub use lanes::Lanes;
pub use ops::RealOps;
pub use scalar::{F32x1, F64x1, Scalar};

/// The most lanes that a vector of any instruction set has.
pub const MAX_LANES: usize = 16;

mod sealed {
    pub trait Sealed {}
}
pub(crate) use sealed::Sealed;

/// The proof that instructions are there.
pub trait Token: Copy + Debug + Send + Sync + Sealed + 'static {
    /// The level that they are of, or belong to.
    const LEVEL: Level;

    /// Asks for the cache line at `address`, which need not be readable. A hint: it may do nothing.
    #[inline(always)]
    fn prefetch<T>(self, address: *const T) {
        let _ = address;
    }

    /// Makes what [`RealVector::store_past_caches`] wrote visible to other threads before anything that is written after.
    #[inline(always)]
    fn settle(self) {}
}

/// The proof that an instruction set is there, and the vectors that it brings.
pub trait Simd: Token {
    /// The name of the instruction set.
    const NAME: &'static str = Self::LEVEL.name();
    /// Its vector of `f32`.
    type F32: RealVector<Elem = f32, Token = Self> + IntegerLanes;
    /// Its vector of `f64`.
    type F64: RealVector<Elem = f64, Token = Self>;
    /// Its vector of `i32`, for sorts.
    type I32: KeyVector<Elem = i32, Token = Self>;
    /// Its vector of `i64`, for sorts.
    type I64: KeyVector<Elem = i64, Token = Self>;
}

/// `f32` or `f64`: what vectors are made of.
pub trait Real:
    Float
    + Sealed
    + for<'a> Unit<Epilogue<'a> = Epilogue<'a, Self>>
    + Tables
    + Lookups
    + RealKernels
    + RealReductions
    + Readable<Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The vector of this type under the instruction set `S`.
    type Vector<S: Simd>: RealVector<Elem = Self, Token = S>;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// The quiet NaN with a clear sign bit.
    const NAN: Self;
    /// The distance from 1 to the next larger value.
    const EPSILON: Self;
    /// Bits of the mantissa that are stored.
    const MANTISSA_BITS: u32;
    /// The value with the lower bits of `bits` as its representation.
    fn from_bits(bits: u64) -> Self;
    /// The representation, in the lower bits.
    fn to_bits(self) -> u64;
    /// Whether the value is a NaN.
    fn is_nan(self) -> bool;
}

macro_rules! real {
    ($t:ident, $bits:ty, $vector:ident) => {
        impl Sealed for $t {}
        impl Real for $t {
            type Vector<S: Simd> = S::$vector;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $t::INFINITY;
            const NAN: Self = $t::NAN;
            const EPSILON: Self = $t::EPSILON;
            const MANTISSA_BITS: u32 = $t::MANTISSA_DIGITS - 1;
            #[inline(always)]
            fn from_bits(bits: u64) -> Self {
                $t::from_bits(bits as $bits)
            }
            #[inline(always)]
            fn to_bits(self) -> u64 {
                u64::from($t::to_bits(self))
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
        }
    };
}

real!(f32, u32, F32);
real!(f64, u64, F64);

/// A vector of [`Real`] lanes.
///
/// Comparisons with NaN are false. `min` and `max` are the machine's: `self < other ? self : other` and
/// `self > other ? self : other`, so a NaN on either side gives `other`
/// ([`Lanes`] has NumPy's, which propagate NaN).
pub trait RealVector: Copy + Debug + Send + Sync + Sealed + 'static {
    /// The type of a lane.
    type Elem: Real;
    /// The instruction set.
    type Token: Simd;
    /// A truth value per lane.
    type Mask: Mask;
    /// How many lanes there are.
    const LANES: usize;
    /// Whether [`mul_add`](Self::mul_add) rounds once.
    const FUSED: bool;
    /// Whether a [`lookup`](Self::lookup) costs no more than a multiplication.
    const LOOKUP: bool = false;
    /// Whether it costs no more than a few: little enough for polynomials whose coefficients are looked up.
    const PIECES: bool = Self::LOOKUP;

    /// The proof that this vector carries.
    fn token(self) -> Self::Token;
    /// `value` in every lane.
    fn splat(token: Self::Token, value: Self::Elem) -> Self;

    /// `value` in every lane, rounded to the type of a lane.
    #[inline(always)]
    fn lit(self, value: f64) -> Self {
        Self::splat(self.token(), Self::Elem::from_f64(value))
    }

    /// Reads `LANES` values, at any alignment.
    ///
    /// # Safety
    /// `source` must be readable for `LANES` values.
    unsafe fn load(token: Self::Token, source: *const Self::Elem) -> Self;
    /// Writes `LANES` values, at any alignment.
    ///
    /// # Safety
    /// `target` must be writable for `LANES` values.
    unsafe fn store(self, target: *mut Self::Elem);

    /// As [`store`](Self::store), without a place in the caches where there are instructions for that. Other threads see it
    /// after [`Token::settle`].
    ///
    /// # Safety
    /// `target` must be writable for `LANES` values and a multiple of the vector's size.
    #[inline(always)]
    unsafe fn store_past_caches(self, target: *mut Self::Elem) {
        // SAFETY: the caller vouches for more.
        unsafe { self.store(target) }
    }

    /// Reads the first `count` lanes and sets the others to 0.
    ///
    /// # Safety
    /// `count` must be at most `LANES`, and `source` readable for `count` values.
    #[inline(always)]
    unsafe fn load_partial(token: Self::Token, source: *const Self::Elem, count: usize) -> Self {
        debug_assert!(count <= Self::LANES);
        let mut lanes = [Self::Elem::ZERO; MAX_LANES];
        // SAFETY: the caller vouches for `source`; `lanes` has `MAX_LANES >= LANES >= count` values.
        unsafe {
            core::ptr::copy_nonoverlapping(source, lanes.as_mut_ptr(), count);
            Self::load(token, lanes.as_ptr())
        }
    }

    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// `count` must be at most `LANES`, and `target` writable for `count` values.
    #[inline(always)]
    unsafe fn store_partial(self, target: *mut Self::Elem, count: usize) {
        debug_assert!(count <= Self::LANES);
        let lanes = self.to_lanes();
        // SAFETY: the caller vouches for `target`; `lanes` has `MAX_LANES >= LANES >= count` values.
        unsafe { core::ptr::copy_nonoverlapping(lanes.as_ptr(), target, count) }
    }

    /// The vector of the first `LANES` values.
    #[inline(always)]
    fn from_lanes(token: Self::Token, lanes: &[Self::Elem; MAX_LANES]) -> Self {
        // SAFETY: the array has `MAX_LANES >= LANES` values.
        unsafe { Self::load(token, lanes.as_ptr()) }
    }

    /// The first `LANES` halves, widened, and zeros after their end.
    #[inline(always)]
    fn from_halves(token: Self::Token, x: &[f16]) -> Self {
        let mut lanes = [Self::Elem::ZERO; MAX_LANES];
        for (lane, x) in lanes[..Self::LANES].iter_mut().zip(x) {
            *lane = Self::Elem::from_f64(f64::from(x.to_f32()));
        }
        Self::from_lanes(token, &lanes)
    }

    /// The first lane.
    #[inline(always)]
    fn first(self) -> Self::Elem {
        self.to_lanes()[0]
    }

    /// The lanes, followed by zeros.
    #[inline(always)]
    fn to_lanes(self) -> [Self::Elem; MAX_LANES] {
        let mut lanes = [Self::Elem::ZERO; MAX_LANES];
        // SAFETY: `lanes` has `MAX_LANES >= LANES` values.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }

    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self - other`.
    fn sub(self, other: Self) -> Self;
    /// `self * other`.
    fn mul(self, other: Self) -> Self;
    /// `self / other`.
    fn div(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once where [`FUSED`](Self::FUSED).
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `term - self * factor`, rounded once where [`FUSED`](Self::FUSED).
    #[inline(always)]
    fn neg_mul_add(self, factor: Self, term: Self) -> Self {
        self.neg().mul_add(factor, term)
    }
    /// The sign bit flipped.
    fn neg(self) -> Self;
    /// The sign bit cleared.
    fn abs(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// `self < other ? self : other`.
    fn min(self, other: Self) -> Self;
    /// `self > other ? self : other`.
    fn max(self, other: Self) -> Self;
    /// The largest integer not above.
    fn floor(self) -> Self;
    /// The smallest integer not below.
    fn ceil(self) -> Self;
    /// The integer part.
    fn trunc(self) -> Self;
    /// The nearest integer, ties to even.
    fn round(self) -> Self;

    /// `self < other`.
    fn lt(self, other: Self) -> Self::Mask;
    /// `self <= other`.
    fn le(self, other: Self) -> Self::Mask;
    /// `self == other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// `yes` where `mask` holds, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// One bit per lane, the first lane lowest.
    fn mask_bits(mask: Self::Mask) -> u32;
    /// Whether `mask` holds in any lane.
    #[inline(always)]
    fn any(mask: Self::Mask) -> bool {
        Self::mask_bits(mask) != 0
    }

    /// Bitwise and of the representations.
    fn and(self, other: Self) -> Self;
    /// Bitwise or of the representations.
    fn or(self, other: Self) -> Self;
    /// Bitwise exclusive or of the representations.
    fn xor(self, other: Self) -> Self;
    /// Wrapping sum of the representations as integers.
    fn add_bits(self, other: Self) -> Self;
    /// Wrapping difference of the representations as integers.
    fn sub_bits(self, other: Self) -> Self;
    /// The representation shifted left by `MANTISSA_BITS`: a small integer becomes an exponent.
    fn shift_into_exponent(self) -> Self;
    /// The representation shifted right by `MANTISSA_BITS`, zeros coming in: exponent and sign become a small integer.
    fn shift_out_exponent(self) -> Self;

    /// The representation shifted left until its second lowest bit is the sign.
    fn shift_second_bit_into_sign(self) -> Self;

    /// `e` and `m` with `self = 2^e m` and `m` from 3/4 to 3/2, for a positive finite `self`.
    #[inline(always)]
    fn split_exponent(self) -> (Self, Self) {
        emulate::split_exponent(self)
    }

    /// `e` and `m` with `self = 2^e m` and `m` from 1 to 2: for 0 -inf and 1 (for -0 perhaps -1), for infinity inf and 1, for negatives
    /// and NaN anything and NaN.
    #[inline(always)]
    fn exponent_and_mantissa(self) -> (Self, Self) {
        emulate::exponent_and_mantissa(self)
    }

    /// In each lane the value of the table that the lane's four lowest bits of representation number.
    #[inline(always)]
    fn lookup(self, table: &[Self::Elem; 16]) -> Self {
        emulate::lookup(self, table)
    }

    /// [`lookup`](Self::lookup) by five bits: the highest of them picks the table.
    #[inline(always)]
    fn lookup_wide(self, low: &[Self::Elem; 16], high: &[Self::Elem; 16]) -> Self {
        let is_high = self.shift_right(4).and(Self::splat(self.token(), Self::Elem::from_bits(1)));
        let one = self.lit(1.0);
        // On top of the representation of 1, so that no subnormal is compared.
        Self::select(one.lt(is_high.or(one)), self.lookup(high), self.lookup(low))
    }

    /// The representation shifted right by `bits`, zeros coming in.
    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        emulate::shift_right(self, bits)
    }

    /// `self * 2^floor(exponent)` for `self` from 0 to 4, within the range of [`scale`](Self::scale): 0 if that is less than half of the smallest
    /// number. NaN in either gives NaN.
    #[inline(always)]
    fn scale_by_floor(self, exponent: Self) -> Self {
        self.scale(exponent.floor())
    }

    /// `self * 2^exponent` for an integral `exponent` of at most twice the range of the type.
    #[inline(always)]
    fn scale(self, exponent: Self) -> Self {
        // In two steps, for 2^exponent may overflow or be subnormal where the result is not.
        let half = exponent.mul(exponent.lit(0.5)).floor();
        let one = Self::splat(exponent.token(), Self::Elem::EXPONENT_ONE);
        let first = half.add(one).shift_into_exponent();
        let second = exponent.sub(half).add(one).shift_into_exponent();
        self.mul(first).mul(second)
    }

    /// The lanes of both, alternating: those of the lower halves, then those of the upper halves.
    #[inline(always)]
    fn zip(self, other: Self) -> (Self, Self) {
        let (even, odd) = (self.to_lanes(), other.to_lanes());
        let mut lanes = [Self::Elem::ZERO; 2 * MAX_LANES];
        for i in 0..Self::LANES {
            lanes[2 * i] = even[i];
            lanes[2 * i + 1] = odd[i];
        }
        // SAFETY: the array has `2 * MAX_LANES >= 2 * LANES` values.
        unsafe { (Self::load(self.token(), lanes.as_ptr()), Self::load(self.token(), lanes.as_ptr().add(Self::LANES))) }
    }

    /// Every second lane of both, one after the other: the first, third and so on, then the others. The reverse of [`zip`](Self::zip).
    #[inline(always)]
    fn unzip(self, other: Self) -> (Self, Self) {
        let mut lanes = [Self::Elem::ZERO; 2 * MAX_LANES];
        // SAFETY: the array has `2 * MAX_LANES >= 2 * LANES` values.
        unsafe {
            self.store(lanes.as_mut_ptr());
            other.store(lanes.as_mut_ptr().add(Self::LANES));
        }
        let every_second = |first: usize| {
            let lanes = core::array::from_fn(|i| if i < Self::LANES { lanes[2 * i + first] } else { Self::Elem::ZERO });
            Self::from_lanes(self.token(), &lanes)
        };
        (every_second(0), every_second(1))
    }

    /// The magnitude of `self` with the sign bit of `sign`.
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let sign_bit = Self::splat(self.token(), -Self::Elem::ZERO);
        self.abs().or(sign.and(sign_bit))
    }

    /// The sum of the lanes, by halves: lane `i` takes lane `i + LANES / 2`, and so on.
    #[inline(always)]
    fn reduce_add(self) -> Self::Elem {
        let mut lanes = self.to_lanes();
        let mut half = Self::LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] = lanes[i] + lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }

    /// The largest lane, NaN if any lane is.
    #[inline(always)]
    fn reduce_max(self) -> Self::Elem {
        self.reduce_extreme(Self::Elem::gt)
    }

    /// The smallest lane, NaN if any lane is.
    #[inline(always)]
    fn reduce_min(self) -> Self::Elem {
        self.reduce_extreme(Self::Elem::lt)
    }

    /// The lane that `better` prefers, NaN if any lane is.
    #[doc(hidden)]
    #[inline(always)]
    fn reduce_extreme(self, better: fn(&Self::Elem, &Self::Elem) -> bool) -> Self::Elem {
        let lanes = self.to_lanes();
        let mut best = lanes[0];
        for &lane in &lanes[1..Self::LANES] {
            let replaces = better(&lane, &best) || lane.is_nan();
            best = if replaces && !best.is_nan() { lane } else { best };
        }
        best
    }
}

#[cfg(test)]
mod inline_check;
#[cfg(test)]
mod tests;
