//! Angles modulo a quarter turn.

use super::Tables;
use super::double::Double;
use crate::simd::{F64x1, MAX_LANES, Real, RealOps, RealVector, Scalar};

/// An angle as `quadrant * pi / 2 + hi + lo`, with `|hi|` at most about `pi / 4`.
pub(super) struct Reduced<V> {
    /// The quadrant in the lowest bits of the representation.
    pub quadrant: V,
    pub hi: V,
    pub lo: V,
}

/// Reduces a non-negative angle; infinity and NaN give NaN.
///
/// By subtracting the three parts of pi / 2 in turn (Cody and Waite). Up to `NEAR_ANGLE` the products with the first
/// two parts have no rounding errors, and the first difference has none either. If the second one has, it is larger
/// than what is taken away, or it is so small that it has none, so that `lo` is its rounding error exactly.
#[inline(always)]
pub(super) fn reduce<V: RealOps>(angle: V) -> Reduced<V> {
    let token = angle.token();
    let shift = V::splat(token, V::Elem::INTEGER_SHIFT);
    let quadrant = angle.mul_add(angle.lit(core::f64::consts::FRAC_2_PI), shift);
    let turns = quadrant.sub(shift);
    let [first, second, third] = V::Elem::HALF_PI_NEAR;
    let (first, second, third) = (V::splat(token, first), V::splat(token, second), V::splat(token, third));
    let rest = turns.neg_mul_add(first, angle);
    let hi = turns.neg_mul_add(second, rest);
    let lo = turns.neg_mul_add(third, turns.neg_mul_add(second, rest.sub(hi)));
    if !V::any(angle.lit(V::Elem::NEAR_ANGLE).lt(angle)) {
        return Reduced { quadrant, hi, lo };
    }
    reduce_distant(angle)
}

/// Reduces any non-negative angle; infinity and NaN give NaN.
///
/// Up to `FAR_ANGLE` as [`reduce`] does, but for products of longer parts with more quadrants: the first product still
/// cancels the leading bits exactly, so the parts are as good as one of three times the precision.
#[inline(always)]
fn reduce_distant<V: RealOps>(angle: V) -> Reduced<V> {
    let token = angle.token();
    let [first, second, third] = V::Elem::HALF_PI;
    let (first, second, third) = (V::splat(token, first), V::splat(token, second), V::splat(token, third));
    let shift = V::splat(token, V::Elem::INTEGER_SHIFT);
    let quadrant = angle.mul_add(angle.lit(core::f64::consts::FRAC_2_PI), shift);
    let turns = quadrant.sub(shift);
    let rest = if V::FUSED {
        turns.neg_mul_add(first, angle)
    } else {
        let product = Double::product(turns, first);
        angle.sub(product.hi).sub(product.lo)
    };
    let product = Double::product(turns, second);
    let difference = Double::sum(rest, product.hi.neg());
    let small = difference.lo.sub(turns.mul_add(third, product.lo));
    let reduced = Double::ordered_sum(difference.hi, small);

    let far = angle.lit(V::Elem::FAR_ANGLE).lt(angle) & angle.lt(V::splat(token, V::Elem::INFINITY));
    if !V::any(far) {
        return Reduced { quadrant, hi: reduced.hi, lo: reduced.lo };
    }
    let [far_turns, far_hi, far_lo] = angle.reduce_far();
    Reduced {
        quadrant: V::select(far, far_turns.add(shift), quadrant),
        hi: V::select(far, far_hi, reduced.hi),
        lo: V::select(far, far_lo, reduced.lo),
    }
}

/// Quarter turns, high and low parts of angles that are far out.
#[inline(always)]
pub(crate) fn reduce_far<V: RealVector>(angle: V) -> [V; 3] {
    let token = angle.token();
    let [turns, hi, lo] = far_lanes(&angle.to_lanes());
    [V::from_lanes(token, &turns), V::from_lanes(token, &hi), V::from_lanes(token, &lo)]
}

/// Quadrants, high and low parts of the finite angles that are far out; the other lanes are 0.
#[cold]
#[inline(never)]
fn far_lanes<T: Real>(angles: &[T; MAX_LANES]) -> [[T; MAX_LANES]; 3] {
    let mut parts = [[T::ZERO; MAX_LANES]; 3];
    for (lane, angle) in angles.iter().map(|angle| angle.to_f64()).enumerate() {
        if angle > T::FAR_ANGLE && angle < f64::INFINITY {
            let (quadrant, hi, lo) = payne_hanek(angle);
            parts[0][lane] = T::from_f64(f64::from(quadrant));
            parts[1][lane] = T::from_f64(hi);
            parts[2][lane] = T::from_f64(hi - parts[1][lane].to_f64() + lo);
        }
    }
    parts
}

/// The binary digits of 2 / pi, after 64 zeros.
pub const TWO_OVER_PI: [u64; 21] = [
    0,
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
    0xf0cfbc209af4361d,
];

/// The quadrant (0 to 4) of a finite angle of at least 1, and the rest as a sum of two floats.
///
/// Multiplies by 2 / pi in fixed point. Digits of 2 / pi that only add whole turns are skipped, and the 192 that
/// follow decide the quadrant and give more than 128 right digits of the fraction (Payne and Hanek, 1983).
fn payne_hanek(angle: f64) -> (u8, f64, f64) {
    const MANTISSA: u64 = (1 << 52) - 1;
    let mantissa = u128::from((angle.to_bits() & MANTISSA) | (1 << 52));
    // angle = mantissa * 2^exponent; a digit of weight 2^(2 - exponent) or more adds whole turns.
    let exponent = (angle.to_bits() >> 52) as i32 - 1075;
    let skipped = (exponent + 62) as usize;
    let (word, bit) = (skipped / 64, skipped % 64);
    let digits = [0, 1, 2].map(|i| {
        let pair = u128::from(TWO_OVER_PI[word + i]) << 64 | u128::from(TWO_OVER_PI[word + i + 1]);
        (pair << bit >> 64) as u64
    });

    // The product modulo 2^192: two digits of quadrant, then the fraction.
    let low = mantissa * u128::from(digits[2]);
    let middle = mantissa * u128::from(digits[1]) + (low >> 64);
    let high = (mantissa as u64).wrapping_mul(digits[0]).wrapping_add((middle >> 64) as u64);
    let quadrant = (high >> 62) as u8;
    let upper = u128::from(high) << 64 | u128::from(middle as u64);
    // Read as signed, a fraction of at least one half becomes the distance below the next quadrant.
    let fraction = (upper << 2 | u128::from(low as u64 >> 62)) as i128;
    let quadrant = quadrant + u8::from(fraction < 0);

    const UNIT: f64 = 1.0 / (1_u128 << 127) as f64 / 2.0;
    let hi = fraction as f64;
    let lo = fraction.wrapping_sub(hi as i128) as f64;
    let lane = |value| <F64x1 as RealVector>::splat(Scalar, value);
    let turns = Double { hi: lane(hi * UNIT), lo: lane(lo * UNIT) };
    let [first, second, _] = f64::HALF_PI.map(lane);
    let product = turns.times(Double { hi: first, lo: second });
    let radians = Double::ordered_sum(product.hi, product.lo);
    (quadrant, radians.hi.first(), radians.lo.first())
}

#[cfg(test)]
mod tests {
    use super::payne_hanek;

    #[test]
    fn far_angles_have_the_rest_of_exact_arithmetic() {
        // From 3000-bit arithmetic.
        let cases = [
            (131073.0, 0, -0.5286930733534951),
            (1000000000.5, 1, -0.49340090329351144),
            (1e22, 3, 0.5506189342358097),
            (6381956970095103.0 * 2_f64.powi(797), 1, 4.687165924254628e-19),
            (f64::MAX, 2, -0.004961975150787273),
            (f64::from(f32::MAX), 0, -0.5490493299574543),
        ];
        for (angle, quadrant, rest) in cases {
            let (q, hi, _) = payne_hanek(angle);
            assert_eq!((q % 4, hi), (quadrant, rest), "{angle}");
        }
    }
}
