//! Sums over rows that both norms take.

use crate::lanes::{Sum, keep_first, read};
use crate::simd::{Real, RealVector};

/// The sum of the elements.
#[inline(always)]
pub(super) fn sum<V: RealVector>(simd: V::Token, x: &[V::Elem]) -> f64 {
    let mut sum = Sum::<V>::new(simd);
    for from in (0..x.len()).step_by(V::LANES) {
        sum.add(read::<V>(simd, x, from));
    }
    sum.finish()
}

/// The sum of the squares of the distances from `mean`.
#[inline(always)]
pub(super) fn squares<V: RealVector>(simd: V::Token, x: &[V::Elem], mean: V::Elem) -> f64 {
    let mean = V::splat(simd, mean);
    let mut sum = Sum::<V>::new(simd);
    for from in (0..x.len()).step_by(V::LANES) {
        let distance = keep_first(read::<V>(simd, x, from).sub(mean), x.len() - from);
        sum.add_product(distance, distance);
    }
    sum.finish()
}

/// The sums of `g` and of `g * (x - mean)`, where every `g` is multiplied by its weight first, if there are weights.
#[inline(always)]
pub(super) fn gradient_sums<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    g: &[V::Elem],
    weight: Option<&[V::Elem]>,
    mean: V::Elem,
) -> [f64; 2] {
    let mean = V::splat(simd, mean);
    let (mut total, mut product) = (Sum::<V>::new(simd), Sum::<V>::new(simd));
    for from in (0..x.len()).step_by(V::LANES) {
        // Zeros after the end of `g` keep what `x - mean` is there out of the product.
        let mut g = read::<V>(simd, g, from);
        if let Some(weight) = weight {
            g = g.mul(read::<V>(simd, weight, from));
        }
        total.add(g);
        product.add_product(g, read::<V>(simd, x, from).sub(mean));
    }
    [total.finish(), product.finish()]
}

/// `out = x * scale + shift`.
#[inline(always)]
pub(super) fn affine<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    scale: V::Elem,
    shift: V::Elem,
    out: &mut [V::Elem],
) {
    let (scale, shift) = (V::splat(simd, scale), V::splat(simd, shift));
    for from in (0..x.len()).step_by(V::LANES) {
        crate::lanes::write(read::<V>(simd, x, from).mul_add(scale, shift), out, from);
    }
}

/// `1 / sqrt(variance + eps)`.
#[inline(always)]
pub(super) fn reciprocal_deviation<T: Real>(variance: f64, eps: f64) -> T {
    T::from_f64(1.0 / libm::sqrt(variance + eps))
}
