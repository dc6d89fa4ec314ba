//! Vectors as an interpreter of the operation table.

use trueno_core::math::{Arith, Math};

use super::RealOps;
use crate::math;

/// A vector that rows of the operation table run on: NumPy's semantics on top of the machine's.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<V>(pub V);

trueno_core::math_operators!(float [V: RealOps] Lanes<V> { a, b =>
    add Lanes(a.0.add(b.0)),
    sub Lanes(a.0.sub(b.0)),
    mul Lanes(a.0.mul(b.0)),
    neg Lanes(a.0.neg()),
    div Lanes(a.0.div(b.0)),
});

impl<V: RealOps> Arith for Lanes<V> {
    type Mask = V::Mask;

    #[inline(always)]
    fn lit(self, value: f64) -> Self {
        Lanes(self.0.lit(value))
    }

    #[inline(always)]
    fn lt(self, other: Self) -> V::Mask {
        self.0.lt(other.0)
    }

    #[inline(always)]
    fn le(self, other: Self) -> V::Mask {
        self.0.le(other.0)
    }

    #[inline(always)]
    fn eq(self, other: Self) -> V::Mask {
        self.0.eq(other.0)
    }

    #[inline(always)]
    fn select(mask: V::Mask, yes: Self, no: Self) -> Self {
        Lanes(V::select(mask, yes.0, no.0))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Lanes(self.0.abs())
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // The machine's gives `other` for a NaN on either side.
        Lanes(V::select(self.0.eq(self.0), self.0.max(other.0), self.0))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes(V::select(self.0.eq(self.0), self.0.min(other.0), self.0))
    }
}

/// Functions of one vector: those of [`math`].
macro_rules! functions {
    ($($(#[doc = $doc:literal])+ $method:ident $row:ident $function:path, $text:literal;)+) => {$(
        #[inline(always)]
        fn $method(self) -> Self {
            Lanes(math::$method(self.0))
        }
    )+};
}

impl<V: RealOps> Math for Lanes<V> {
    trueno_core::math_functions!(functions);

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Lanes(self.0.mul_add(factor.0, term.0))
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Lanes(self.0.copysign(sign.0))
    }

    #[inline(always)]
    fn pow(self, exponent: Self) -> Self {
        Lanes(math::pow(self.0, exponent.0))
    }

    #[inline(always)]
    fn atan2(self, x: Self) -> Self {
        Lanes(math::atan2(self.0, x.0))
    }

    #[inline(always)]
    fn hypot(self, other: Self) -> Self {
        Lanes(math::hypot(self.0, other.0))
    }
}
