//! The gradient of a convolution by its weights: a product, summed over pixels, of the image's elements that each weight meets and of the
//! result's gradient.
//!
//! The gradient is copied with its channels last, so that lanes are channels. The image is read where it lies: one element for all lanes,
//! at the same distance for each weight whatever the pixel.

use core::ops::Range;

use super::geometry::Geometry;
use super::{Conv2dShape, depthwise};
use crate::simd::{MAX_LANES, Real, RealVector, Simd, kernel};
use crate::{Isa, Level};

/// Pixels whose gradients are used by all weights before the next are: few enough for the first cache.
const PIXELS: usize = 160;

/// Most weights of a tile.
const MOST_WEIGHTS: usize = 14;

kernel! {
    /// Elements of a result's gradient with channels last, in whole vectors.
    fn channels_last_len<T: Real>(simd: S, channels: usize, pixels: usize) -> usize {
        let _ = simd;
        channels.next_multiple_of(T::Vector::<S>::LANES) * pixels
    }
}

/// Elements of scratch for the gradient by the weights, besides the arranged image.
pub(super) fn scratch_len<T: Real>(isa: Isa, shape: &Conv2dShape) -> usize {
    let [rows, cols] = shape.output();
    channels_last_len::<T>(isa, shape.out_channels / shape.groups, rows * cols)
}

/// Adds the gradient by the weights, from the images and the gradient `g` of the result, to `d_weight`, image by image.
///
/// # Panics
/// As [`conv2d`](super::conv2d).
pub fn conv2d_weight_gradient<T: Real>(
    isa: Isa,
    shape: &Conv2dShape,
    input: &[T],
    g: &[T],
    d_weight: &mut [T],
    scratch: &mut [T],
) {
    shape.check(input, d_weight, g);
    if g.is_empty() || d_weight.is_empty() {
        return;
    }
    let geometry = Geometry::new(shape);
    let (buffer, scratch) = scratch.split_at_mut(geometry.buffer_len());
    let (outs, taps, pixels) = (shape.out_channels / shape.groups, geometry.taps(), geometry.pixels());
    let group_in = shape.image_elements() / shape.groups;
    for (index, g) in g.chunks_exact(outs * pixels).enumerate() {
        let image = geometry.arrange(isa, &input[index * group_in..][..group_in], buffer);
        let d_weight = &mut d_weight[index % shape.groups * outs * taps..][..outs * taps];
        if shape.is_depthwise() {
            depthwise::weight_gradient(isa, &geometry, image, g, d_weight);
        } else {
            add_products(isa, &geometry, image, g, d_weight, scratch);
        }
    }
}

kernel! {
    /// Adds to `[outs, taps]` the sums over pixels of `g`, `[outs, pixels]`, times what the weights meet.
    fn add_products<T: Real>(
        simd: S, geometry: &Geometry, image: &[T], g: &[T], d_weight: &mut [T], scratch: &mut [T],
    ) {
        let lanes = T::Vector::<S>::LANES;
        let (pixels, taps) = (geometry.pixels(), geometry.taps());
        for (g, d_weight) in g.chunks(2 * lanes * pixels).zip(d_weight.chunks_mut(2 * lanes * taps)) {
            let channels = g.len() / pixels;
            let width = channels.next_multiple_of(lanes);
            let last = &mut scratch[..width * pixels];
            put_channels_last(g, pixels, width, last);
            for first in (0..pixels).step_by(PIXELS) {
                let range = first..pixels.min(first + PIXELS);
                let last = &last[range.start * width..range.end * width];
                if width == lanes {
                    add_tiles::<S, T, 1>(simd, geometry, image, range, last, d_weight);
                } else {
                    add_tiles::<S, T, 2>(simd, geometry, image, range, last, d_weight);
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

/// The weights of a tile: most where registers allow.
#[inline(always)]
const fn most_weights<S: Simd>() -> usize {
    match S::LEVEL {
        Level::Scalar | Level::Sse2 | Level::Avx2 => 6,
        Level::Avx512 => MOST_WEIGHTS,
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
    d_weight: &mut [T],
) {
    let taps = geometry.taps();
    let tiles = taps.div_ceil(most_weights::<S>());
    let size = taps.div_ceil(tiles);
    let reach = geometry.runs(pixels.clone()).map(|run| run.source + run.len).max().unwrap_or(0);
    for first in (0..taps).step_by(size) {
        let count = size.min(taps - first);
        // Weights that are not there repeat the last; their sums are dropped.
        let mut offsets = [geometry.tap(first + count - 1); MOST_WEIGHTS];
        for (offset, tap) in offsets.iter_mut().zip(geometry.taps_from(first).take(count)) {
            *offset = tap;
        }
        assert!(offsets.iter().all(|offset| offset + reach <= image.len()));
        assert!(last.len() >= pixels.len() * N * <T::Vector<S> as RealVector>::LANES);
        let mut sums = [T::ZERO; MOST_WEIGHTS * 2 * MAX_LANES];
        // SAFETY: no run ends after `reach`, which is inside the image at every offset; `last` has a row for every pixel, and `sums`
        // one for every weight of the largest tile.
        unsafe {
            let (image, last, sums) = (image.as_ptr(), last.as_ptr(), sums.as_mut_ptr());
            if most_weights::<S>() == MOST_WEIGHTS {
                match size {
                    ..=5 => sum_tile::<T::Vector<S>, 5, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums),
                    6..=9 => {
                        sum_tile::<T::Vector<S>, 9, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums)
                    }
                    10..=12 => {
                        sum_tile::<T::Vector<S>, 12, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums);
                    }
                    _ => sum_tile::<T::Vector<S>, 14, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums),
                }
            } else {
                match size {
                    ..=3 => sum_tile::<T::Vector<S>, 3, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums),
                    4 => sum_tile::<T::Vector<S>, 4, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums),
                    5 => sum_tile::<T::Vector<S>, 5, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums),
                    _ => sum_tile::<T::Vector<S>, 6, N>(simd, geometry, image, &offsets, pixels.clone(), last, sums),
                }
            }
        }
        let width = N * <T::Vector<S> as RealVector>::LANES;
        for (channel, row) in d_weight.chunks_exact_mut(taps).enumerate() {
            for (i, target) in row[first..first + count].iter_mut().enumerate() {
                *target = *target + sums[i * width + channel];
            }
        }
    }
}

/// The sums over the given pixels of `R` weights' elements times `N` vectors of channels.
///
/// # Safety
/// `image` must be readable at every offset for every run of the pixels, `last` for `N` vectors per pixel, and `out` writable for `R * N` vectors.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "iterators over registers would have to be unrolled through their adaptors"
)]
unsafe fn sum_tile<V: RealVector, const R: usize, const N: usize>(
    simd: V::Token,
    geometry: &Geometry,
    image: *const V::Elem,
    offsets: &[usize; MOST_WEIGHTS],
    pixels: Range<usize>,
    last: *const V::Elem,
    out: *mut V::Elem,
) {
    let mut sums = [[V::splat(simd, V::Elem::ZERO); N]; R];
    let mut row = [sums[0][0]; N];
    for run in geometry.runs(pixels) {
        for i in 0..run.len {
            for j in 0..N {
                // SAFETY: the caller vouches for this row of `last`.
                row[j] = unsafe { V::load(simd, last.wrapping_add(((run.at + i) * N + j) * V::LANES)) };
            }
            let pixel = image.wrapping_add(run.source + i);
            for r in 0..R {
                // SAFETY: the caller vouches for this element.
                let x = V::splat(simd, unsafe { *pixel.wrapping_add(offsets[r]) });
                for j in 0..N {
                    sums[r][j] = x.mul_add(row[j], sums[r][j]);
                }
            }
        }
    }
    for r in 0..R {
        for j in 0..N {
            // SAFETY: the caller vouches for these vectors of `out`.
            unsafe { sums[r][j].store(out.wrapping_add((r * N + j) * V::LANES)) };
        }
    }
}
