//! Normalisation of groups of channels of each sample of `[batch, channels, spatial]`.
//!
//! A group of a sample lies in one piece, so it is a row of [`layer_norm`](super::layer_norm) whose parameters change from channel to
//! channel. Rows are numbered through the batch, and callers that use threads give each a run of them.

use core::ops::Range;

use super::layer::{input_row, normalise_row};
use super::moments::{gradient_sums, reciprocal_deviation, squares, sum};
use crate::lanes::{read, write};
use crate::simd::{Real, RealVector, kernel};
use trueno_core::Element;

/// Samples of `groups` groups of `channels` channels of `spatial` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupShape {
    /// Groups of one sample.
    pub groups: usize,
    /// Channels of one group.
    pub channels: usize,
    /// Elements of one channel of one sample; 1 for `[batch, channels]`.
    pub spatial: usize,
}

impl GroupShape {
    /// Elements of one row: what moments are means over.
    pub fn per_row(&self) -> usize {
        self.channels * self.spatial
    }

    /// The channels of row `row` of the batch.
    #[inline(always)]
    fn of_row(&self, row: usize) -> Range<usize> {
        let first = row % self.groups * self.channels;
        first..first + self.channels
    }

    /// Panics unless arrays have `rows` rows and parameters one element for each channel.
    fn check<T>(&self, rows: usize, arrays: &[&[T]], params: &[Option<&[T]>]) {
        assert!(self.groups > 0, "{self:?}");
        for array in arrays {
            assert_eq!(array.len(), rows * self.per_row(), "array of {rows} rows of {self:?}");
        }
        for param in params.iter().flatten() {
            assert_eq!(param.len(), self.groups * self.channels, "parameter of {self:?}");
        }
    }
}

kernel! {
    /// `out = (x - mean) * rstd * weight + bias` for the rows of the batch from `first` on, where `weight` and `bias` are those of the
    /// channel (1 and 0 where absent) and `rstd = 1 / sqrt(var + eps)` with the biased variance of the row.
    ///
    /// Writes the mean and `rstd` of every row to `stats`, for the gradient.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    #[allow(clippy::too_many_arguments, reason = "those of the definition")]
    pub fn group_norm<T: Real>(
        simd: S,
        x: &[T],
        shape: GroupShape,
        first: usize,
        weight: Option<&[T]>,
        bias: Option<&[T]>,
        eps: f64,
        out: &mut [T],
        stats: [&mut [T]; 2],
    ) {
        let [means, rstds] = stats;
        shape.check(means.len(), &[x, out], &[weight, bias]);
        assert_eq!(rstds.len(), means.len(), "rstd");
        let width = shape.per_row().max(1);
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for (i, ((x, out), (mean, rstd))) in rows.zip(means.iter_mut().zip(rstds)).enumerate() {
            *mean = T::from_f64(sum::<T::Vector<S>>(simd, x) / width as f64);
            *rstd = reciprocal_deviation(squares::<T::Vector<S>>(simd, x, *mean) / width as f64, eps);
            let channels = shape.of_row(first + i);
            let [weight, bias] = [weight, bias].map(|p| p.map(|p| &p[channels.clone()]));
            if shape.spatial == 1 {
                normalise_row::<T::Vector<S>>(simd, x, *mean, *rstd, weight, bias, out);
                continue;
            }
            let channels = x.chunks_exact(shape.spatial).zip(out.chunks_exact_mut(shape.spatial));
            for (c, (x, out)) in channels.enumerate() {
                let scale = weight.map_or(*rstd, |weight| weight[c] * *rstd);
                let shift = bias.map_or(T::ZERO, |bias| bias[c]);
                scaled_distance::<T::Vector<S>>(simd, x, [*mean, scale, shift], out);
            }
        }
    }
}

/// `out = (x - mean) * scale + shift`.
#[inline(always)]
fn scaled_distance<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    [mean, scale, shift]: [V::Elem; 3],
    out: &mut [V::Elem],
) {
    let (mean, scale, shift) = (V::splat(simd, mean), V::splat(simd, scale), V::splat(simd, shift));
    for from in (0..x.len()).step_by(V::LANES) {
        write(read::<V>(simd, x, from).sub(mean).mul_add(scale, shift), out, from);
    }
}

kernel! {
    /// What the gradients of [`group_norm`] are made of, for the rows of the batch from `first` on: for each of their channels the
    /// sums of `g` and of `g * (x - mean) * rstd`. Over the samples these are the gradients by `bias` and `weight`.
    ///
    /// If there is an `out`, the gradient by `x` goes there.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    #[allow(clippy::too_many_arguments, reason = "those of the definition")]
    pub fn group_norm_gradient<T: Real>(
        simd: S,
        x: &[T],
        g: &[T],
        shape: GroupShape,
        first: usize,
        weight: Option<&[T]>,
        stats: [&[T]; 2],
        sums: [&mut [T]; 2],
        out: Option<&mut [T]>,
    ) {
        let [means, rstds] = stats;
        shape.check(means.len(), &[x, g], &[weight]);
        assert_eq!(rstds.len(), means.len(), "rstd");
        let [totals, products] = sums;
        assert!([totals.len(), products.len()] == [means.len() * shape.channels; 2], "sums of {shape:?}");
        let mut out = out;
        assert!(out.as_ref().is_none_or(|out| out.len() == x.len()), "gradient of {shape:?}");
        let width = shape.per_row();
        for (i, (&mean, &rstd)) in means.iter().zip(rstds).enumerate() {
            let row = i * width..(i + 1) * width;
            let (x, g) = (&x[row.clone()], &g[row.clone()]);
            let of_row = i * shape.channels..(i + 1) * shape.channels;
            let (totals, products) = (&mut totals[of_row.clone()], &mut products[of_row]);
            channel_sums::<T::Vector<S>>(simd, x, g, shape.spatial, [mean, rstd], [totals, products]);
            if let Some(out) = &mut out {
                let weight = weight.map(|weight| &weight[shape.of_row(first + i)]);
                let sums = [&*totals, &*products];
                row_gradient::<T::Vector<S>>(simd, [x, g], shape.spatial, weight, [mean, rstd], sums, &mut out[row]);
            }
        }
    }
}

/// For every channel of a row the sums of `g` and of `g * (x - mean) * rstd`.
#[inline(always)]
fn channel_sums<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    g: &[V::Elem],
    spatial: usize,
    [mean, rstd]: [V::Elem; 2],
    [totals, products]: [&mut [V::Elem]; 2],
) {
    if spatial == 0 {
        // Nothing adds up to 0, although it has no moments.
        totals.fill(V::Elem::ZERO);
        products.fill(V::Elem::ZERO);
        return;
    }
    if spatial == 1 {
        totals.copy_from_slice(g);
        let (mean, rstd) = (V::splat(simd, mean), V::splat(simd, rstd));
        for from in (0..g.len()).step_by(V::LANES) {
            let normal = read::<V>(simd, x, from).sub(mean).mul(rstd);
            write(read::<V>(simd, g, from).mul(normal), products, from);
        }
        return;
    }
    for (c, (total, product)) in totals.iter_mut().zip(products).enumerate() {
        let at = c * spatial..(c + 1) * spatial;
        let [sum, distance] = gradient_sums::<V>(simd, &x[at.clone()], &g[at], None, mean);
        *total = V::Elem::from_f64(sum);
        *product = V::Elem::from_f64(distance * rstd.to_f64());
    }
}

/// The gradient by a row: `rstd * (g w - mean(g w) - h mean(g w h))` with `h = (x - mean) * rstd`.
#[inline(always)]
fn row_gradient<V: RealVector>(
    simd: V::Token,
    [x, g]: [&[V::Elem]; 2],
    spatial: usize,
    weight: Option<&[V::Elem]>,
    [mean, rstd]: [V::Elem; 2],
    [totals, products]: [&[V::Elem]; 2],
    out: &mut [V::Elem],
) {
    let weighed = |sums: &[V::Elem]| match weight {
        Some(weight) => sums.iter().zip(weight).map(|(sum, w)| sum.to_f64() * w.to_f64()).sum::<f64>(),
        None => sums.iter().map(|sum| sum.to_f64()).sum(),
    };
    let n = x.len() as f64;
    let mean_g = V::Elem::from_f64(weighed(totals) / n);
    let slope = V::Elem::from_f64(weighed(products) / n * rstd.to_f64());
    if spatial == 1 {
        return input_row::<V>(simd, x, g, weight, [mean, rstd, slope, mean_g], out);
    }
    let (mean, rstd) = (V::splat(simd, mean), V::splat(simd, rstd));
    let (slope, minus_mean_g) = (V::splat(simd, slope), V::splat(simd, mean_g).neg());
    for (c, start) in (0..x.len()).step_by(spatial.max(1)).enumerate() {
        let (x, g) = (&x[start..start + spatial], &g[start..start + spatial]);
        let out = &mut out[start..start + spatial];
        let weight = V::splat(simd, weight.map_or(V::Elem::ONE, |weight| weight[c]));
        for from in (0..spatial).step_by(V::LANES) {
            let distance = read::<V>(simd, x, from).sub(mean);
            let g = read::<V>(simd, g, from).mul_add(weight, minus_mean_g);
            write(distance.neg_mul_add(slope, g).mul(rstd), out, from);
        }
    }
}
