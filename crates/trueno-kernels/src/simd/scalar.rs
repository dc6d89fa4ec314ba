//! One lane of plain Rust: the level that every machine has.

use super::{IntegerLanes, OneKey, Real, RealVector, Sealed, Simd, Token, emulate};
use crate::Level;

/// No vector instructions.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Sealed for Scalar {}
impl Token for Scalar {
    const LEVEL: Level = Level::Scalar;
}
impl Simd for Scalar {
    type F32 = F32x1;
    type F64 = F64x1;
    type I32 = OneKey<i32, Self>;
    type I64 = OneKey<i64, Self>;
}

macro_rules! scalar {
    ($(#[$doc:meta])* $name:ident, $t:ident, $sqrt:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($t);

        impl Sealed for $name {}
        impl $name {
            #[inline(always)]
            fn with_bits(bits: u64) -> Self {
                Self(<$t as Real>::from_bits(bits))
            }
            #[inline(always)]
            fn bits(self) -> u64 {
                Real::to_bits(self.0)
            }
        }

        impl RealVector for $name {
            type Elem = $t;
            type Token = Scalar;
            type Mask = bool;
            const LANES: usize = 1;
            const FUSED: bool = false;

            #[inline(always)]
            fn token(self) -> Scalar {
                Scalar
            }
            #[inline(always)]
            fn splat(_: Scalar, value: $t) -> Self {
                Self(value)
            }
            #[inline(always)]
            unsafe fn load(_: Scalar, source: *const $t) -> Self {
                // SAFETY: the caller vouches for one readable value.
                Self(unsafe { source.read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, target: *mut $t) {
                // SAFETY: the caller vouches for one writable value.
                unsafe { target.write_unaligned(self.0) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                Self(self.0 * other.0)
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                Self(self.0 / other.0)
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                Self(self.0 * factor.0 + term.0)
            }
            #[inline(always)]
            fn neg(self) -> Self {
                Self(-self.0)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self(self.0.abs())
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self($sqrt(self.0))
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                if self.0 < other.0 { self } else { other }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                if self.0 > other.0 { self } else { other }
            }
            #[inline(always)]
            fn floor(self) -> Self {
                emulate::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                emulate::ceil(self)
            }
            #[inline(always)]
            fn trunc(self) -> Self {
                emulate::trunc(self)
            }
            #[inline(always)]
            fn round(self) -> Self {
                emulate::round(self)
            }
            #[inline(always)]
            fn lt(self, other: Self) -> bool {
                self.0 < other.0
            }
            #[inline(always)]
            fn le(self, other: Self) -> bool {
                self.0 <= other.0
            }
            #[inline(always)]
            fn eq(self, other: Self) -> bool {
                self.0 == other.0
            }
            #[inline(always)]
            fn select(mask: bool, yes: Self, no: Self) -> Self {
                if mask { yes } else { no }
            }
            #[inline(always)]
            fn mask_bits(mask: bool) -> u32 {
                u32::from(mask)
            }
            #[inline(always)]
            fn and(self, other: Self) -> Self {
                Self::with_bits(self.bits() & other.bits())
            }
            #[inline(always)]
            fn or(self, other: Self) -> Self {
                Self::with_bits(self.bits() | other.bits())
            }
            #[inline(always)]
            fn xor(self, other: Self) -> Self {
                Self::with_bits(self.bits() ^ other.bits())
            }
            #[inline(always)]
            fn add_bits(self, other: Self) -> Self {
                Self::with_bits(self.bits().wrapping_add(other.bits()))
            }
            #[inline(always)]
            fn sub_bits(self, other: Self) -> Self {
                Self::with_bits(self.bits().wrapping_sub(other.bits()))
            }
            #[inline(always)]
            fn shift_into_exponent(self) -> Self {
                Self::with_bits(self.bits() << $t::MANTISSA_BITS)
            }
            #[inline(always)]
            fn shift_second_bit_into_sign(self) -> Self {
                Self::with_bits(self.bits() << (8 * size_of::<$t>() - 2))
            }
            #[inline(always)]
            fn shift_out_exponent(self) -> Self {
                Self::with_bits(self.bits() >> $t::MANTISSA_BITS)
            }
        }
    };
}

scalar!(
    /// One `f32`.
    F32x1,
    f32,
    libm::sqrtf
);
scalar!(
    /// One `f64`.
    F64x1,
    f64,
    libm::sqrt
);

impl IntegerLanes for F32x1 {
    #[inline(always)]
    fn dot_pairs(self, factor: Self, sum: Self) -> Self {
        let [x, y, sum] = [self.0.to_bits() as i32, factor.0.to_bits() as i32, sum.0.to_bits() as i32];
        let lower = i32::from(x as i16) * i32::from(y as i16);
        let upper = (x >> 16) * (y >> 16);
        Self(f32::from_bits(sum.wrapping_add(lower).wrapping_add(upper) as u32))
    }
    #[inline(always)]
    fn integers_to_floats(self) -> Self {
        Self(self.0.to_bits() as i32 as f32)
    }
}
