//! The gradient of a convolution by its weights: a product, summed over pixels, of the image's elements that each weight meets and of the
//! result's gradient.
//!
//! The gradient is copied with its channels last, so that lanes are channels. The image is read where it lies: one element for all lanes,
//! at the same distance for each weight whatever the pixel.

use core::ops::Range;

use super::geometry::Geometry;
use super::{Conv2dShape, depthwise};
use crate::Isa;
use crate::lanes::{read, write};
use crate::simd::{Real, RealVector, Simd, kernel};

/// Elements of a result's gradient that are used by all weights before the next are: few enough for the first cache.
const ELEMENTS: usize = 6144;

/// Most vectors of channels, and most weights, of a tile.
const VECTORS: usize = 4;
const WEIGHTS: usize = 14;

kernel! {
    /// Channels of the result in whole vectors.
    fn padded<T: Real>(simd: S, channels: usize) -> usize {
        let _ = simd;
        channels.next_multiple_of(T::Vector::<S>::LANES)
    }
}

impl Conv2dShape {
    /// Elements of the sums that [`conv2d_weight_sums`] adds to.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn weight_sums_len<T: Real>(&self, isa: Isa) -> usize {
        if self.is_depthwise() {
            return self.weight_elements();
        }
        self.groups * padded::<T>(isa, self.out_channels / self.groups) * self.taps()
    }
}

/// Elements of scratch for the gradient by the weights, besides the arranged image.
pub(super) fn scratch_len<T: Real>(isa: Isa, shape: &Conv2dShape) -> usize {
    let [rows, cols] = shape.output();
    padded::<T>(isa, shape.out_channels / shape.groups) * rows * cols
}

/// Adds to `sums` what the images and the gradient `g` of the result give to the gradient by the weights, image by image.
///
/// The sums, [`Conv2dShape::weight_sums_len`] elements that are zeros at first, are in an order of their own, which
/// [`conv2d_weight_gradient`] undoes; sums of other images can be added to them.
///
/// # Panics
/// As [`conv2d`](super::conv2d), and if `sums` has another length.
pub fn conv2d_weight_sums<T: Real>(
    isa: Isa,
    shape: &Conv2dShape,
    input: &[T],
    g: &[T],
    sums: &mut [T],
    scratch: &mut [T],
) {
    shape.check_images(input, g);
    assert_eq!(sums.len(), shape.weight_sums_len::<T>(isa), "sums of {shape:?}");
    if g.is_empty() || sums.is_empty() {
        return;
    }
    let geometry = Geometry::new(shape);
    let (buffer, scratch) = scratch.split_at_mut(geometry.buffer_len());
    let (outs, pixels) = (shape.out_channels / shape.groups, geometry.pixels());
    let (group_in, group_sums) = (shape.image_elements() / shape.groups, sums.len() / shape.groups);
    for (index, g) in g.chunks_exact(outs * pixels).enumerate() {
        let image = geometry.arrange(isa, &input[index * group_in..][..group_in], buffer);
        let sums = &mut sums[index % shape.groups * group_sums..][..group_sums];
        if shape.is_depthwise() {
            depthwise::weight_gradient(isa, &geometry, image, g, sums);
        } else {
            add_products(isa, &geometry, image, g, sums, scratch);
        }
    }
}

/// The gradient by the weights from its sums.
///
/// # Panics
/// If the shape is not valid or the slices are not as long as it says.
pub fn conv2d_weight_gradient<T: Real>(isa: Isa, shape: &Conv2dShape, sums: &[T], d_weight: &mut [T]) {
    assert_eq!(sums.len(), shape.weight_sums_len::<T>(isa), "sums of {shape:?}");
    assert_eq!(d_weight.len(), shape.weight_elements(), "weights of {shape:?}");
    if shape.is_depthwise() {
        d_weight.copy_from_slice(sums);
    } else if !d_weight.is_empty() {
        let (group_sums, group) = (sums.len() / shape.groups, d_weight.len() / shape.groups);
        for (sums, d_weight) in sums.chunks_exact(group_sums).zip(d_weight.chunks_exact_mut(group)) {
            put_weights_last(isa, shape.taps(), sums, d_weight);
        }
    }
}

kernel! {
    /// Adds to the sums over pixels of `g`, `[outs, pixels]`, times what the weights meet. The sums are panels of up to [`VECTORS`] vectors of
    /// channels, `[taps, width]` each.
    fn add_products<T: Real>(
        simd: S, geometry: &Geometry, image: &[T], g: &[T], sums: &mut [T], scratch: &mut [T],
    ) {
        let lanes = T::Vector::<S>::LANES;
        let (pixels, most) = (geometry.pixels(), VECTORS * lanes);
        for (g, sums) in g.chunks(most * pixels).zip(sums.chunks_mut(most * geometry.taps())) {
            let width = sums.len() / geometry.taps();
            let last = &mut scratch[..width * pixels];
            put_channels_last(g, pixels, width, last);
            let together = ELEMENTS / width;
            for first in (0..pixels).step_by(together) {
                let range = first..pixels.min(first + together);
                let last = &last[range.start * width..range.end * width];
                match width / lanes {
                    1 => add_tiles::<S, T, 1>(simd, geometry, image, range, last, sums),
                    2 => add_tiles::<S, T, 2>(simd, geometry, image, range, last, sums),
                    3 => add_tiles::<S, T, 3>(simd, geometry, image, range, last, sums),
                    _ => add_tiles::<S, T, VECTORS>(simd, geometry, image, range, last, sums),
                }
            }
        }
    }
}

kernel! {
    /// `[outs, taps]` from the panels of [`add_products`].
    fn put_weights_last<T: Real>(simd: S, taps: usize, sums: &[T], d_weight: &mut [T]) {
        let _ = simd;
        let most = VECTORS * T::Vector::<S>::LANES;
        for (sums, d_weight) in sums.chunks(most * taps).zip(d_weight.chunks_mut(most * taps)) {
            let width = sums.len() / taps;
            for (channel, row) in d_weight.chunks_exact_mut(taps).enumerate() {
                for (weight, sums) in row.iter_mut().zip(sums.chunks_exact(width)) {
                    *weight = sums[channel];
                }
            }
        }
    }
}

/// `[channels, pixels]` as `[pixels, width]`, with zeros for the channels that are not there.
#[inline(always)]
fn put_channels_last<T: Real>(g: &[T], pixels: usize, width: usize, out: &mut [T]) {
    /// Channels and pixels that are moved together, so that moving them is straight code.
    const BLOCK: usize = 4;
    let channels = g.len() / pixels;
    if channels < width {
        out.fill(T::ZERO);
    }
    let blocks = (channels / BLOCK * BLOCK, pixels / BLOCK * BLOCK);
    for channel in (0..blocks.0).step_by(BLOCK) {
        for pixel in (0..blocks.1).step_by(BLOCK) {
            let mut block = [[T::ZERO; BLOCK]; BLOCK];
            for (i, row) in block.iter_mut().enumerate() {
                row.copy_from_slice(&g[(channel + i) * pixels + pixel..][..BLOCK]);
            }
            for i in 0..BLOCK {
                let values = [block[0][i], block[1][i], block[2][i], block[3][i]];
                out[(pixel + i) * width + channel..][..BLOCK].copy_from_slice(&values);
            }
        }
    }
    for channel in 0..channels {
        let done = if channel < blocks.0 { blocks.1 } else { 0 };
        for pixel in done..pixels {
            out[pixel * width + channel] = g[channel * pixels + pixel];
        }
    }
}

/// The most weights of a tile of `N` vectors: sums, a row of the gradient and one element fill the registers.
#[inline(always)]
const fn most_weights<S: Simd, const N: usize>() -> usize {
    match (S::LEVEL.has_many_registers(), N) {
        (false, ..=2) => 6,
        (false, _) => 3,
        (true, ..=2) => WEIGHTS,
        (true, 3) => 9,
        (true, _) => 7,
    }
}

/// Adds what the given pixels give to all weights, for channels of `N` vectors.
#[inline(always)]
fn add_tiles<S: Simd, T: Real, const N: usize>(
    simd: S,
    geometry: &Geometry,
    image: &[T],
    pixels: Range<usize>,
    last: &[T],
    sums: &mut [T],
) {
    let (taps, width) = (geometry.taps(), N * <T::Vector<S> as RealVector>::LANES);
    let tiles = taps.div_ceil(most_weights::<S, N>());
    let size = taps.div_ceil(tiles);
    assert_eq!(last.len(), pixels.len() * width);
    let mut reach = 0;
    for run in geometry.runs(pixels.clone()) {
        reach = reach.max(run.source + run.len);
    }
    for (index, sums) in sums.chunks_mut(size * width).enumerate() {
        let (first, count) = (index * size, sums.len() / width);
        // Weights that are not there repeat the last; their sums are dropped.
        let mut offsets = [geometry.tap(first + count - 1); WEIGHTS];
        for (offset, tap) in offsets.iter_mut().zip(geometry.taps_from(first).take(count)) {
            *offset = tap;
        }
        assert!(offsets.iter().all(|offset| offset + reach <= image.len()));
        let tile = Tile { geometry, image, offsets: &offsets, pixels: pixels.clone(), last };
        // SAFETY: no run ends after `reach`, which is inside the image at every offset, and `last` has a row for every pixel.
        unsafe {
            match (most_weights::<S, N>(), size) {
                (3.., ..=3) => tile.add::<T::Vector<S>, 3, N>(simd, sums),
                (6.., 4) => tile.add::<T::Vector<S>, 4, N>(simd, sums),
                (6.., 5) => tile.add::<T::Vector<S>, 5, N>(simd, sums),
                (6, _) => tile.add::<T::Vector<S>, 6, N>(simd, sums),
                (7.., ..=7) => tile.add::<T::Vector<S>, 7, N>(simd, sums),
                (9.., ..=9) => tile.add::<T::Vector<S>, 9, N>(simd, sums),
                (WEIGHTS, ..=12) => tile.add::<T::Vector<S>, 12, N>(simd, sums),
                _ => tile.add::<T::Vector<S>, WEIGHTS, N>(simd, sums),
            }
        }
    }
}

/// Some weights, by the offsets of their elements, and some pixels.
struct Tile<'a, T> {
    geometry: &'a Geometry,
    image: &'a [T],
    offsets: &'a [usize; WEIGHTS],
    pixels: Range<usize>,
    last: &'a [T],
}

impl<T: Real> Tile<'_, T> {
    /// Adds the sums over the pixels of `R` weights' elements times `N` vectors of channels to as many rows as `sums` has.
    ///
    /// # Safety
    /// The runs of the pixels must be inside the image at every offset, and `last` have `N` vectors per pixel.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "iterators over registers would have to be unrolled through their adaptors"
    )]
    unsafe fn add<V: RealVector<Elem = T>, const R: usize, const N: usize>(&self, simd: V::Token, sums: &mut [T]) {
        let mut totals = [[V::splat(simd, T::ZERO); N]; R];
        let mut row = [totals[0][0]; N];
        for run in self.geometry.runs(self.pixels.clone()) {
            let pixels = self.image.as_ptr().wrapping_add(run.source);
            let last = self.last.as_ptr().wrapping_add(run.at * N * V::LANES);
            for i in 0..run.len {
                for j in 0..N {
                    // SAFETY: the caller vouches for this row.
                    row[j] = unsafe { V::load(simd, last.wrapping_add((i * N + j) * V::LANES)) };
                }
                for r in 0..R {
                    // SAFETY: the caller vouches for this element.
                    let x = V::splat(simd, unsafe { *pixels.wrapping_add(self.offsets[r] + i) });
                    for j in 0..N {
                        totals[r][j] = x.mul_add(row[j], totals[r][j]);
                    }
                }
            }
        }
        for r in 0..R {
            for j in 0..N {
                let at = (r * N + j) * V::LANES;
                if at < sums.len() {
                    write(totals[r][j].add(read::<V>(simd, sums, at)), sums, at);
                }
            }
        }
    }
}
