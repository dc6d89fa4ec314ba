//! Convolutions whose groups have one input channel: too little arithmetic per element for a product of matrices.

use super::Filter;
use super::geometry::Geometry;
use crate::lanes::{Sum, read, write};
use crate::matmul::Activation;
use crate::simd::{Real, RealVector, kernel};

/// Weights whose elements are looked up together.
const CHUNK: usize = 64;

/// Some of the weights of a channel, and where their elements start.
struct Taps<'a, T> {
    offsets: &'a [usize],
    weights: &'a [T],
    /// What the sums start from: the bias or, for later chunks, what is there.
    start: Option<T>,
    /// What is applied to the sums of the last chunk.
    activation: Activation,
}

kernel! {
    /// The results of one channel, one per set of weights.
    pub(super) fn convolve<T: Real>(simd: S, geometry: &Geometry, image: &[T], filter: &Filter<'_, T>, output: &mut [T]) {
        let ([rows, cols], count) = (geometry.output(), geometry.taps());
        for (channel, output) in output.chunks_exact_mut(rows * cols).enumerate() {
            let bias = match filter.bias {
                Some(bias) => bias[channel],
                None => T::ZERO,
            };
            let weights = &filter.weight[channel * count..][..count];
            for (index, weights) in weights.chunks(CHUNK).enumerate() {
                let mut offsets = [0; CHUNK];
                for (offset, tap) in offsets.iter_mut().zip(geometry.taps_from(index * CHUNK).take(weights.len())) {
                    *offset = tap;
                }
                let last = (index + 1) * CHUNK >= count;
                let taps = Taps {
                    offsets: &offsets[..weights.len()],
                    weights,
                    start: if index == 0 { Some(bias) } else { None },
                    activation: if last { filter.activation } else { Activation::Identity },
                };
                for (oy, out) in output.chunks_exact_mut(cols).enumerate() {
                    convolve_row::<T::Vector<S>>(simd, &image[geometry.pixel_row(oy)..], &taps, out);
                }
            }
        }
    }
}

/// A row of the result.
#[inline(always)]
fn convolve_row<V: RealVector>(simd: V::Token, image: &[V::Elem], taps: &Taps<'_, V::Elem>, out: &mut [V::Elem]) {
    let mut ox = 0;
    while ox + 4 * V::LANES <= out.len() {
        convolve_vectors::<V, 4>(simd, image, taps, ox, out);
        ox += 4 * V::LANES;
    }
    while ox + 2 * V::LANES <= out.len() {
        convolve_vectors::<V, 2>(simd, image, taps, ox, out);
        ox += 2 * V::LANES;
    }
    while ox < out.len() {
        convolve_vectors::<V, 1>(simd, image, taps, ox, out);
        ox += V::LANES;
    }
}

/// `N` vectors of a row of the result, from `ox` on.
#[inline(always)]
fn convolve_vectors<V: RealVector, const N: usize>(
    simd: V::Token,
    image: &[V::Elem],
    taps: &Taps<'_, V::Elem>,
    ox: usize,
    out: &mut [V::Elem],
) {
    let mut sums = [V::splat(simd, V::Elem::ZERO); N];
    for (j, sum) in sums.iter_mut().enumerate() {
        *sum = match taps.start {
            Some(start) => V::splat(simd, start),
            None => read::<V>(simd, out, ox + j * V::LANES),
        };
    }
    for (&offset, &weight) in taps.offsets.iter().zip(taps.weights) {
        let row = &image[offset..][..out.len()];
        let weight = V::splat(simd, weight);
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = read::<V>(simd, row, ox + j * V::LANES).mul_add(weight, *sum);
        }
    }
    for (j, &sum) in sums.iter().enumerate() {
        let value = match taps.activation {
            Activation::Identity => sum,
            Activation::Relu => V::splat(simd, V::Elem::ZERO).max(sum),
        };
        write(value, out, ox + j * V::LANES);
    }
}

kernel! {
    /// Adds to the elements of one channel what they give to its results.
    pub(super) fn input_gradient<T: Real>(simd: S, geometry: &Geometry, weight: &[T], g: &[T], d_image: &mut [T]) {
        let ([rows, cols], taps) = (geometry.output(), geometry.taps());
        for (g, weight) in g.chunks_exact(rows * cols).zip(weight.chunks_exact(taps)) {
            for (oy, g) in g.chunks_exact(cols).enumerate() {
                for (tap, &weight) in geometry.taps_from(0).zip(weight) {
                    let target = &mut d_image[geometry.pixel_row(oy) + tap..][..cols];
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
            for (tap, d_weight) in geometry.taps_from(0).zip(d_weight) {
                let mut sum = Sum::<T::Vector<S>>::new(simd);
                for (oy, g) in g.chunks_exact(cols).enumerate() {
                    let image = &image[geometry.pixel_row(oy) + tap..][..cols];
                    for ox in (0..cols).step_by(T::Vector::<S>::LANES) {
                        sum.add_product(read::<T::Vector<S>>(simd, image, ox), read::<T::Vector<S>>(simd, g, ox));
                    }
                }
                *d_weight = *d_weight + T::from_f64(sum.finish());
            }
        }
    }
}
