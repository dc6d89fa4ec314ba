//! Unevaluated sums of two floats: twice the precision where one rounding too many would show.

use super::Tables;
use crate::simd::RealOps;

/// `hi + lo`, where `lo` is at most about half a unit in the last place of `hi`.
#[derive(Clone, Copy)]
pub(super) struct Double<V> {
    pub hi: V,
    pub lo: V,
}

impl<V: RealOps> Double<V> {
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

    /// `large + a * b` with a single rounding, or next to it, for `|large| >= |a * b|`.
    #[inline(always)]
    pub fn sum_with_product(large: V, a: V, b: V) -> V {
        if V::FUSED {
            return a.mul_add(b, large);
        }
        let product = Self::product(a, b);
        Self::ordered_sum(large, product.hi).plus_small(product.lo).round()
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

    /// `self - factor * divisor`, which must be small beside `self`.
    #[inline(always)]
    pub fn rest(self, factor: V, divisor: Self) -> V {
        let rest = if V::FUSED {
            factor.neg_mul_add(divisor.hi, self.hi)
        } else {
            let product = Self::product(factor, divisor.hi);
            self.hi.sub(product.hi).sub(product.lo)
        };
        factor.neg_mul_add(divisor.lo, rest.add(self.lo))
    }

    /// `self / divisor`, with one division of floats.
    #[inline(always)]
    pub fn divided_by(self, divisor: Self) -> Self {
        let inverse = self.hi.lit(1.0).div(divisor.hi);
        let quotient = self.hi.mul(inverse);
        Double { hi: quotient, lo: self.rest(quotient, divisor).mul(inverse) }
    }

    /// `1 / self`.
    #[inline(always)]
    pub fn inverse(self) -> Self {
        let one = self.hi.lit(1.0);
        let inverse = one.div(self.hi);
        let rest = Double { hi: one, lo: one.lit(0.0) }.rest(inverse, self);
        Double { hi: inverse, lo: rest.mul(inverse) }
    }

    /// `self - other`, for `|self| >= |other|`.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        let difference = Self::ordered_sum(self.hi, other.hi.neg());
        difference.plus_small(self.lo.sub(other.lo))
    }

    /// `self + other`, for `|self| >= |other|`.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self::ordered_sum(self.hi, other.hi).plus_small(self.lo.add(other.lo))
    }

    /// `self + self`.
    #[inline(always)]
    pub fn twice(self) -> Self {
        Double { hi: self.hi.add(self.hi), lo: self.lo.add(self.lo) }
    }

    /// Square root; NaN of negatives.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        let zero = self.hi.lit(0.0);
        let root = self.hi.sqrt();
        let rest = self.rest(root, Double { hi: root, lo: zero });
        let lo = rest.div(root.add(root));
        // The root of 0 has no error, and no quotient to tell it.
        Double { hi: root, lo: V::select(zero.lt(root), lo, zero) }
    }

    /// Rounds to one float.
    #[inline(always)]
    pub fn round(self) -> V {
        self.hi.add(self.lo)
    }
}
