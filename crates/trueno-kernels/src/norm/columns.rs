//! Batch normalisation of `[batch, channels]`: lanes are channels.

use core::ops::Range;

use super::batch::ChannelShape;
use crate::lanes::{read, write};
use crate::simd::{MAX_LANES, Real, RealVector};
use trueno_core::Element;

/// Rows that are summed in lanes before the sums move on to `f64`.
const CHUNK: usize = 256;

/// Sums down columns: in lanes for a chunk of rows, in `f64` from there.
struct ColumnSums<V: RealVector> {
    lanes: V,
    rows: usize,
    totals: [f64; MAX_LANES],
}

impl<V: RealVector> ColumnSums<V> {
    #[inline(always)]
    fn new(simd: V::Token) -> Self {
        ColumnSums { lanes: V::splat(simd, V::Elem::ZERO), rows: 0, totals: [0.0; MAX_LANES] }
    }

    /// Adds `x * y`.
    #[inline(always)]
    fn add_product(&mut self, x: V, y: V) {
        self.lanes = x.mul_add(y, self.lanes);
        self.rows += 1;
        if self.rows == CHUNK {
            self.flush();
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        for (total, lane) in self.totals.iter_mut().zip(self.lanes.to_lanes()) {
            *total += lane.to_f64();
        }
        self.lanes = V::splat(self.lanes.token(), V::Elem::ZERO);
        self.rows = 0;
    }

    /// The sums, one per lane.
    #[inline(always)]
    fn finish(mut self) -> [f64; MAX_LANES] {
        self.flush();
        self.totals
    }
}

/// See [`batch_moments`](super::batch_moments).
#[inline(always)]
pub(super) fn moments<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    shape: ChannelShape,
    channels: Range<usize>,
    mean: &mut [V::Elem],
    var: &mut [V::Elem],
) {
    let (count, one) = (shape.batch as f64, V::splat(simd, V::Elem::ONE));
    for first in (0..channels.len()).step_by(V::LANES) {
        let mut sums = ColumnSums::<V>::new(simd);
        for row in x.chunks_exact(shape.channels) {
            sums.add_product(read::<V>(simd, &row[..channels.end], channels.start + first), one);
        }
        for (mean, total) in mean[first..].iter_mut().zip(&sums.finish()[..V::LANES]) {
            *mean = V::Elem::from_f64(total / count);
        }
        let means = read::<V>(simd, mean, first);
        let mut sums = ColumnSums::<V>::new(simd);
        for row in x.chunks_exact(shape.channels) {
            let distance = read::<V>(simd, &row[..channels.end], channels.start + first).sub(means);
            sums.add_product(distance, distance);
        }
        for (var, total) in var[first..].iter_mut().zip(&sums.finish()[..V::LANES]) {
            *var = V::Elem::from_f64(total / count);
        }
    }
}

/// The sums over rows of `g` and of `g * (x - mean)` for the vector of channels from `first` on.
#[inline(always)]
pub(super) fn gradient_sums<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    g: &[V::Elem],
    mean: &[V::Elem],
    first: usize,
) -> [[f64; MAX_LANES]; 2] {
    let (means, one) = (read::<V>(simd, mean, first), V::splat(simd, V::Elem::ONE));
    let (mut total, mut product) = (ColumnSums::<V>::new(simd), ColumnSums::<V>::new(simd));
    for (x, g) in x.chunks_exact(mean.len()).zip(g.chunks_exact(mean.len())) {
        let g = read::<V>(simd, g, first);
        total.add_product(g, one);
        product.add_product(g, read::<V>(simd, x, first).sub(means));
    }
    [total.finish(), product.finish()]
}

/// `out = x * scale + shift`, where those are of the channels from `first` on.
#[inline(always)]
pub(super) fn affine<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    channels: usize,
    first: usize,
    [scale, shift]: [&[V::Elem; MAX_LANES]; 2],
    out: &mut [V::Elem],
) {
    let (scale, shift) = (V::from_lanes(simd, scale), V::from_lanes(simd, shift));
    for (x, out) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
        write(read::<V>(simd, x, first).mul_add(scale, shift), out, first);
    }
}

/// `out = scale * (g - mean_g - (x - mean) * slope)`, where those are of the channels from `first` on.
#[inline(always)]
pub(super) fn train<V: RealVector>(
    simd: V::Token,
    [x, g]: [&[V::Elem]; 2],
    channels: usize,
    first: usize,
    factors: &[[V::Elem; MAX_LANES]; 4],
    out: &mut [V::Elem],
) {
    let (mean, scale) = (V::from_lanes(simd, &factors[0]), V::from_lanes(simd, &factors[1]));
    let (slope, mean_g) = (V::from_lanes(simd, &factors[2]), V::from_lanes(simd, &factors[3]));
    let rows = x.chunks_exact(channels).zip(g.chunks_exact(channels));
    for ((x, g), out) in rows.zip(out.chunks_exact_mut(channels)) {
        let distance = read::<V>(simd, x, first).sub(mean);
        write(distance.neg_mul_add(slope, read::<V>(simd, g, first).sub(mean_g)).mul(scale), out, first);
    }
}
