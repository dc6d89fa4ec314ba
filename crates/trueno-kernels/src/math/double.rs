//! Unevaluated sums of two floats: twice the precision where one rounding too many would show.

use super::Tables;
use crate::simd::RealVector;

/// `hi + lo`, where `lo` is at most about half a unit in the last place of `hi`.
#[derive(Clone, Copy)]
pub(super) struct Double<V> {
    pub hi: V,
    pub lo: V,
}

impl<V: RealVector> Double<V> {
    /// A constant in two parts.
    #[inline(always)]
    pub fn constant(token: V::Token, [hi, lo]: [V::Elem; 2]) -> Self {
        Double { hi: V::splat(token, hi), lo: V::splat(token, lo) }
    }

    /// `a + b` exactly (Knuth).
    #[inline(always)]
    pub fn sum(a: V, b: V) -> Self {
        let hi = a.add(b);
        let b_part = hi.sub(a);
        let a_part = hi.sub(b_part);
        Double { hi, lo: a.sub(a_part).add(b.sub(b_part)) }
    }

    /// `large + small` exactly, for `|large| >= |small|` or `large == 0` (Dekker).
    #[inline(always)]
    pub fn ordered_sum(large: V, small: V) -> Self {
        let hi = large.add(small);
        Double { hi, lo: small.sub(hi.sub(large)) }
    }

    /// `a * b`, exactly where multiply-add is fused, else but for the last bit (Dekker).
    #[inline(always)]
    pub fn product(a: V, b: V) -> Self {
        let hi = a.mul(b);
        if V::FUSED {
            return Double { hi, lo: a.mul_add(b, hi.neg()) };
        }
        let upper = V::splat(a.token(), V::Elem::UPPER_HALF);
        let (a_hi, b_hi) = (a.and(upper), b.and(upper));
        let (a_lo, b_lo) = (a.sub(a_hi), b.sub(b_hi));
        let cross = a_hi.mul(b_hi).sub(hi).add(a_hi.mul(b_lo)).add(a_lo.mul(b_hi));
        Double { hi, lo: cross.add(a_lo.mul(b_lo)) }
    }

    /// `self + small`, which must not be larger than `self`.
    #[inline(always)]
    pub fn plus_small(self, small: V) -> Self {
        Double { hi: self.hi, lo: self.lo.add(small) }
    }

    /// `self * other`, short of the product of the low parts.
    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        let product = Self::product(self.hi, other.hi);
        product.plus_small(self.hi.mul(other.lo).add(self.lo.mul(other.hi)))
    }

    /// `self / divisor`, with one division of floats.
    #[inline(always)]
    pub fn divided_by(self, divisor: Self) -> Self {
        let inverse = self.hi.lit(1.0).div(divisor.hi);
        let quotient = self.hi.mul(inverse);
        let back = Self::product(quotient, divisor.hi);
        let rest = self.hi.sub(back.hi).sub(back.lo).add(quotient.neg_mul_add(divisor.lo, self.lo));
        Double { hi: quotient, lo: rest.mul(inverse) }
    }

    /// Rounds to one float.
    #[inline(always)]
    pub fn round(self) -> V {
        self.hi.add(self.lo)
    }
}
