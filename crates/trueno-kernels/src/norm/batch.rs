//! Normalisation of each channel of `[batch, channels, spatial]`.
//!
//! The steps are kernels of their own, so that callers can split them: moments and gradient sums by ranges of channels, what
//! is done to every element by ranges of the batch.

use core::ops::Range;

use super::columns;
use super::moments::{affine, gradient_sums, reciprocal_deviation, squares, sum};
use crate::lanes::{read, write};
use crate::simd::{MAX_LANES, Real, RealVector, kernel};

/// An array `[batch, channels, spatial]`; `spatial` is 1 for `[batch, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelShape {
    /// Number of samples.
    pub batch: usize,
    /// Number of channels.
    pub channels: usize,
    /// Elements of one channel of one sample.
    pub spatial: usize,
}

impl ChannelShape {
    /// Elements of the array.
    pub fn elements(&self) -> usize {
        self.batch * self.channels * self.spatial
    }

    /// Elements of one channel: what moments are means over.
    pub fn per_channel(&self) -> usize {
        self.batch * self.spatial
    }

    /// Where channel `c` of sample `n` lies.
    #[inline(always)]
    fn row(&self, n: usize, c: usize) -> Range<usize> {
        let start = (n * self.channels + c) * self.spatial;
        start..start + self.spatial
    }

    /// Panics unless arrays are of this shape and parameters have one element per channel.
    fn check<T>(&self, arrays: &[&[T]], params: &[Option<&[T]>]) {
        for array in arrays {
            assert_eq!(array.len(), self.elements(), "array of {self:?}");
        }
        for param in params.iter().flatten() {
            assert_eq!(param.len(), self.channels, "parameter of {self:?}");
        }
    }
}

kernel! {
    /// The mean and the biased variance of the given channels.
    ///
    /// # Panics
    /// If a slice is not as long as the shape and the range say.
    pub fn batch_moments<T: Real>(
        simd: S, x: &[T], shape: ChannelShape, channels: Range<usize>, mean: &mut [T], var: &mut [T],
    ) {
        shape.check(&[x], &[]);
        assert!(channels.end <= shape.channels && mean.len() == channels.len() && var.len() == channels.len());
        if shape.spatial == 1 {
            columns::moments::<T::Vector<S>>(simd, x, shape, channels, mean, var);
            return;
        }
        let count = shape.per_channel() as f64;
        for (c, (mean, var)) in channels.zip(mean.iter_mut().zip(var)) {
            let mut total = 0.0;
            for n in 0..shape.batch {
                total += sum::<T::Vector<S>>(simd, &x[shape.row(n, c)]);
            }
            *mean = T::from_f64(total / count);
            let mut total = 0.0;
            for n in 0..shape.batch {
                total += squares::<T::Vector<S>>(simd, &x[shape.row(n, c)], *mean);
            }
            *var = T::from_f64(total / count);
        }
    }
}

/// `out = 1 / sqrt(var + eps)`, from `f64`.
///
/// # Panics
/// If the slices differ in length.
pub fn rstd<T: Real>(var: &[T], eps: f64, out: &mut [T]) {
    assert_eq!(var.len(), out.len());
    for (&var, out) in var.iter().zip(out) {
        *out = reciprocal_deviation(var.to_f64(), eps);
    }
}

kernel! {
    /// `out = (x - mean) * rstd * weight + bias` by channel; `weight` is 1 and `bias` 0 where absent.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn batch_norm<T: Real>(
        simd: S,
        x: &[T],
        shape: ChannelShape,
        stats: [&[T]; 2],
        weight: Option<&[T]>,
        bias: Option<&[T]>,
        out: &mut [T],
    ) {
        let [mean, rstd] = stats;
        shape.check(&[x, out], &[Some(mean), Some(rstd), weight, bias]);
        if shape.spatial == 1 {
            for first in (0..shape.channels).step_by(T::Vector::<S>::LANES) {
                let (mut scales, mut shifts) = ([T::ZERO; MAX_LANES], [T::ZERO; MAX_LANES]);
                for (lane, c) in (first..shape.channels).take(T::Vector::<S>::LANES).enumerate() {
                    [scales[lane], shifts[lane]] = line(stats, weight, bias, c);
                }
                columns::affine::<T::Vector<S>>(simd, x, shape.channels, first, [&scales, &shifts], out);
            }
            return;
        }
        for n in 0..shape.batch {
            for c in 0..shape.channels {
                let [scale, shift] = line(stats, weight, bias, c);
                let row = shape.row(n, c);
                affine::<T::Vector<S>>(simd, &x[row.clone()], scale, shift, &mut out[row]);
            }
        }
    }
}

/// What is done to channel `c`: a factor and a term.
#[inline(always)]
fn line<T: Real>([mean, rstd]: [&[T]; 2], weight: Option<&[T]>, bias: Option<&[T]>, c: usize) -> [T; 2] {
    let scale = match weight {
        Some(weight) => rstd[c] * weight[c],
        None => rstd[c],
    };
    let bias = match bias {
        Some(bias) => bias[c],
        None => T::ZERO,
    };
    [scale, bias - mean[c] * scale]
}

kernel! {
    /// The sums over the given channels that gradients are made of: `sum(g)`, which is the gradient by `bias`, and
    /// `sum(g * (x - mean) * rstd)`, which is that by `weight`.
    ///
    /// # Panics
    /// If a slice is not as long as the shape and the range say.
    pub fn batch_norm_gradient_sums<T: Real>(
        simd: S,
        x: &[T],
        g: &[T],
        shape: ChannelShape,
        channels: Range<usize>,
        stats: [&[T]; 2],
        sums: [&mut [T]; 2],
    ) {
        let [mean, rstd] = stats;
        let [d_bias, d_weight] = sums;
        shape.check(&[x, g], &[Some(mean), Some(rstd)]);
        assert!(channels.end <= shape.channels && d_bias.len() == channels.len() && d_weight.len() == channels.len());
        if shape.spatial == 1 {
            for first in channels.clone().step_by(T::Vector::<S>::LANES) {
                let [totals, products] = columns::gradient_sums::<T::Vector<S>>(simd, x, g, mean, first);
                for (lane, c) in (first..channels.end).take(T::Vector::<S>::LANES).enumerate() {
                    d_bias[c - channels.start] = T::from_f64(totals[lane]);
                    d_weight[c - channels.start] = T::from_f64(products[lane] * rstd[c].to_f64());
                }
            }
            return;
        }
        for (c, (d_bias, d_weight)) in channels.zip(d_bias.iter_mut().zip(d_weight)) {
            let [mut total, mut product] = [0.0; 2];
            for n in 0..shape.batch {
                let row = shape.row(n, c);
                let [t, p] = gradient_sums::<T::Vector<S>>(simd, &x[row.clone()], &g[row], None, mean[c]);
                total += t;
                product += p;
            }
            *d_bias = T::from_f64(total);
            *d_weight = T::from_f64(product * rstd[c].to_f64());
        }
    }
}

kernel! {
    /// The gradient of [`batch_norm`] by `x` where the moments are those of `x`:
    /// `weight * rstd * (g - sums[0] / count - (x - mean) * rstd * sums[1] / count)`.
    ///
    /// `sums` are those of [`batch_norm_gradient_sums`] over all that the moments were taken of, `count` elements per channel; `x` may be a
    /// part of the batch.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    #[allow(clippy::too_many_arguments, reason = "those of the definition")]
    pub fn batch_norm_gradient_train<T: Real>(
        simd: S,
        x: &[T],
        g: &[T],
        shape: ChannelShape,
        stats: [&[T]; 2],
        weight: Option<&[T]>,
        sums: [&[T]; 2],
        count: usize,
        out: &mut [T],
    ) {
        let [mean, rstd] = stats;
        shape.check(&[x, g, out], &[Some(mean), Some(rstd), weight, Some(sums[0]), Some(sums[1])]);
        if shape.spatial == 1 {
            for first in (0..shape.channels).step_by(T::Vector::<S>::LANES) {
                let mut factors = [[T::ZERO; MAX_LANES]; 4];
                for (lane, c) in (first..shape.channels).take(T::Vector::<S>::LANES).enumerate() {
                    for (factor, value) in factors.iter_mut().zip(train_factors(stats, weight, sums, count, c)) {
                        factor[lane] = value;
                    }
                }
                columns::train::<T::Vector<S>>(simd, [x, g], shape.channels, first, &factors, out);
            }
            return;
        }
        for n in 0..shape.batch {
            for c in 0..shape.channels {
                let factors = train_factors(stats, weight, sums, count, c);
                let row = shape.row(n, c);
                train_row::<T::Vector<S>>(simd, &x[row.clone()], &g[row.clone()], factors, &mut out[row]);
            }
        }
    }
}

/// The mean of channel `c`, what its gradient is multiplied by, its slope against `x`, and the mean of `g`.
#[inline(always)]
fn train_factors<T: Real>(
    [mean, rstd]: [&[T]; 2],
    weight: Option<&[T]>,
    sums: [&[T]; 2],
    count: usize,
    c: usize,
) -> [T; 4] {
    let weight = match weight {
        Some(weight) => weight[c].to_f64(),
        None => 1.0,
    };
    let slope = rstd[c].to_f64() * sums[1][c].to_f64() / count as f64;
    let mean_g = sums[0][c].to_f64() / count as f64;
    [mean[c], T::from_f64(rstd[c].to_f64() * weight), T::from_f64(slope), T::from_f64(mean_g)]
}

/// `out = scale * (g - mean_g - (x - mean) * slope)`.
#[inline(always)]
fn train_row<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    g: &[V::Elem],
    [mean, scale, slope, mean_g]: [V::Elem; 4],
    out: &mut [V::Elem],
) {
    let (mean, scale) = (V::splat(simd, mean), V::splat(simd, scale));
    let (slope, mean_g) = (V::splat(simd, slope), V::splat(simd, mean_g));
    for from in (0..x.len()).step_by(V::LANES) {
        let distance = read::<V>(simd, x, from).sub(mean);
        write(distance.neg_mul_add(slope, read::<V>(simd, g, from).sub(mean_g)).mul(scale), out, from);
    }
}

kernel! {
    /// The gradient of [`batch_norm`] by `x` where the moments are given (running statistics): `g * weight * rstd`.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn batch_norm_gradient_eval<T: Real>(
        simd: S, g: &[T], shape: ChannelShape, rstd: &[T], weight: Option<&[T]>, out: &mut [T],
    ) {
        shape.check(&[g, out], &[Some(rstd), weight]);
        if shape.spatial == 1 {
            for first in (0..shape.channels).step_by(T::Vector::<S>::LANES) {
                let mut scales = [T::ZERO; MAX_LANES];
                for (lane, c) in (first..shape.channels).take(T::Vector::<S>::LANES).enumerate() {
                    scales[lane] = line([rstd, rstd], weight, None, c)[0];
                }
                columns::affine::<T::Vector<S>>(simd, g, shape.channels, first, [&scales, &[T::ZERO; MAX_LANES]], out);
            }
            return;
        }
        for n in 0..shape.batch {
            for c in 0..shape.channels {
                let scale = line([rstd, rstd], weight, None, c)[0];
                let row = shape.row(n, c);
                affine::<T::Vector<S>>(simd, &g[row.clone()], scale, T::ZERO, &mut out[row]);
            }
        }
    }
}
