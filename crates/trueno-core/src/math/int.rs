//! Integers as interpreters of [`Arith`] rows, wrapping on overflow as NumPy does.

use super::Arith;
use crate::Element;

/// A machine integer whose arithmetic wraps.
///
/// ```
/// use trueno_core::math::{Arith, Int};
/// assert_eq!((Int(250_u8) + Int(10)).0, 4);
/// assert_eq!(Int(i32::MIN).abs().0, i32::MIN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Int<T>(pub T);

macro_rules! int {
    ($($t:ty, $abs:expr;)*) => {$(
        crate::math_operators!(arith [] Int<$t> { a, b =>
            add Int(a.0.wrapping_add(b.0)),
            sub Int(a.0.wrapping_sub(b.0)),
            mul Int(a.0.wrapping_mul(b.0)),
            neg Int(a.0.wrapping_neg()),
        });
        impl Arith for Int<$t> {
            type Mask = bool;
            #[inline(always)]
            fn lit(self, value: f64) -> Self { Int(<$t>::from_f64(value)) }
            #[inline(always)]
            fn lt(self, other: Self) -> bool { self.0 < other.0 }
            #[inline(always)]
            fn le(self, other: Self) -> bool { self.0 <= other.0 }
            #[inline(always)]
            fn eq(self, other: Self) -> bool { self.0 == other.0 }
            #[inline(always)]
            fn select(mask: bool, yes: Self, no: Self) -> Self { if mask { yes } else { no } }
            #[inline(always)]
            fn abs(self) -> Self { Int(($abs)(self.0)) }
            #[inline(always)]
            fn max(self, other: Self) -> Self { Int(Ord::max(self.0, other.0)) }
            #[inline(always)]
            fn min(self, other: Self) -> Self { Int(Ord::min(self.0, other.0)) }
        }
    )*};
}

int! {
    u8, |v| v;
    i8, i8::wrapping_abs;
    i32, i32::wrapping_abs;
    u32, |v| v;
    i64, i64::wrapping_abs;
}
