//! Convolutions whose groups have one input channel: too little arithmetic per element for a product of matrices.

use super::Filter;
use super::geometry::Geometry;
use crate::lanes::{Sum, read, write};
use crate::matmul::Activation;
use crate::simd::{Real, RealVector, kernel};

kernel! {
    /// The results of one channel, one per set of weights.
    pub(super) fn convolve<T: Real>(simd: S, geometry: &Geometry, image: &[T], filter: &Filter<'_, T>, output: &mut [T]) {
        let ([rows, cols], taps) = (geometry.output(), geometry.taps());
        for (channel, output) in output.chunks_exact_mut(rows * cols).enumerate() {
            let weight = &filter.weight[channel * taps..][..taps];
            let bias = filter.bias.map_or(T::ZERO, |bias| bias[channel]);
            for (oy, out) in output.chunks_exact_mut(cols).enumerate() {
                let image = &image[geometry.pixel_row(oy)..];
                for ox in (0..cols).step_by(T::Vector::<S>::LANES) {
                    let mut sum = T::Vector::<S>::splat(simd, bias);
                    for (k, &weight) in weight.iter().enumerate() {
                        let elements = read::<T::Vector<S>>(simd, &image[geometry.tap(k)..][..cols], ox);
                        sum = elements.mul_add(T::Vector::<S>::splat(simd, weight), sum);
                    }
                    match filter.activation {
                        Activation::Identity => {}
                        Activation::Relu => sum = T::Vector::<S>::splat(simd, T::ZERO).max(sum),
                    }
                    write(sum, out, ox);
                }
            }
        }
    }
}

kernel! {
    /// Adds to the elements of one channel what they give to its results.
    pub(super) fn input_gradient<T: Real>(simd: S, geometry: &Geometry, weight: &[T], g: &[T], d_image: &mut [T]) {
        let ([rows, cols], taps) = (geometry.output(), geometry.taps());
        for (g, weight) in g.chunks_exact(rows * cols).zip(weight.chunks_exact(taps)) {
            for (oy, g) in g.chunks_exact(cols).enumerate() {
                for (k, &weight) in weight.iter().enumerate() {
                    let target = &mut d_image[geometry.pixel_row(oy) + geometry.tap(k)..][..cols];
                    let weight = T::Vector::<S>::splat(simd, weight);
                    for ox in (0..cols).step_by(T::Vector::<S>::LANES) {
                        let sum = read::<T::Vector<S>>(simd, g, ox).mul_add(weight, read::<T::Vector<S>>(simd, target, ox));
                        write(sum, target, ox);
                    }
                }
            }
        }
    }
}

kernel! {
    /// Adds to the gradients of one channel's weights.
    pub(super) fn weight_gradient<T: Real>(simd: S, geometry: &Geometry, image: &[T], g: &[T], d_weight: &mut [T]) {
        let ([rows, cols], taps) = (geometry.output(), geometry.taps());
        for (g, d_weight) in g.chunks_exact(rows * cols).zip(d_weight.chunks_exact_mut(taps)) {
            for (k, d_weight) in d_weight.iter_mut().enumerate() {
                let mut sum = Sum::<T::Vector<S>>::new(simd);
                for (oy, g) in g.chunks_exact(cols).enumerate() {
                    let image = &image[geometry.pixel_row(oy) + geometry.tap(k)..][..cols];
                    for ox in (0..cols).step_by(T::Vector::<S>::LANES) {
                        sum.add_product(read::<T::Vector<S>>(simd, image, ox), read::<T::Vector<S>>(simd, g, ox));
                    }
                }
                *d_weight = *d_weight + T::from_f64(sum.finish());
            }
        }
    }
}
