//! The gradient of a convolution by its weights: a product, summed over pixels, of the image's elements that each weight meets and of the
//! result's gradient.
//!
//! The gradient is copied with its channels last, so that lanes are channels. The image is read where it lies, arranged: one element for all
//! lanes, at the same distance for each weight whatever the pixel.

use core::ops::Range;

use super::geometry::Geometry;
use super::{Conv2dShape, depthwise};
use crate::Isa;
use crate::lanes::{read, write};
use crate::matmul::transpose_square;
use crate::simd::{MAX_LANES, Real, RealVector, Simd, Token, kernel};

/// Elements of a result's gradient that are used by all weights before the next are: few enough for the first cache.
const ELEMENTS: usize = 6144;

/// Weights that are put in their places together.
const TAPS: usize = 32;

/// Most weights of a tile.
const WEIGHTS: usize = 14;

/// Most vectors of channels of a tile.
#[inline(always)]
const fn most_vectors<S: Simd>() -> usize {
    if S::LEVEL.has_many_registers() { 4 } else { 2 }
}

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

kernel! {
    /// Elements of a pixel in a panel of so many channels of the result.
    fn most_width<T: Real>(simd: S, channels: usize) -> usize {
        let _ = simd;
        let lanes = T::Vector::<S>::LANES;
        channels.next_multiple_of(lanes).min(most_vectors::<S>() * lanes)
    }
}

impl Conv2dShape {
    /// Elements of an image as [`conv2d_weight_sums`] reads it.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn arranged_len(&self) -> usize {
        self.groups * Geometry::new(self).len()
    }

    /// Whether images are arranged as they are.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn is_arranged(&self) -> bool {
        Geometry::new(self).is_image()
    }

    /// Elements of scratch that [`conv2d_weight_sums`] needs, for as many images or fewer.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn weight_scratch_len<T: Real>(&self, isa: Isa) -> usize {
        let pixels: usize = self.output().iter().product();
        most_width::<T>(isa, self.out_channels / self.groups) * pixels * self.images_together()
    }
}

/// The images as [`conv2d_weight_sums`] reads them: themselves, or a copy in `buffer`, [`Conv2dShape::arranged_len`] elements for each.
///
/// # Panics
/// If the shape is not valid or a slice is not as long as it says.
pub fn conv2d_arrange<'a, T: Real>(isa: Isa, shape: &Conv2dShape, input: &'a [T], buffer: &'a mut [T]) -> &'a [T] {
    Geometry::new(shape).of_images(shape.batch * shape.groups).arrange(isa, input, buffer)
}

/// Adds to `sums` what images and the gradient `g` of their results give to the gradient by the weights of some `channels` of the result:
/// all channels of one group, a part of them, or all of some groups. The images are [arranged](conv2d_arrange).
///
/// The sums are as many as a convolution with these channels alone has, [`Conv2dShape::weight_sums_len`], zeros at first. They are in an order
/// of their own, which [`conv2d_weight_gradient`] undoes; sums of other images can be added to them.
///
/// # Panics
/// If the shape is not valid, a slice is not as long as it says, `scratch` is too short, the channels of several groups are not all of theirs, or
/// they are so few that alone they would be convolved in another way.
pub fn conv2d_weight_sums<T: Real>(
    isa: Isa,
    shape: &Conv2dShape,
    channels: Range<usize>,
    arranged: &[T],
    g: &[T],
    sums: &mut [T],
    scratch: &mut [T],
) {
    let geometry = Geometry::new(shape);
    let (len, each, groups) = (geometry.len(), geometry.pixels(), shape.groups);
    assert_eq!(arranged.len(), shape.batch * groups * len, "arranged images of {shape:?}");
    assert_eq!(g.len(), shape.batch * shape.output_elements(), "result of {shape:?}");
    if g.is_empty() || sums.is_empty() {
        return;
    }
    let outs = shape.out_channels / groups;
    let (first_group, in_group) = (channels.start / outs, if groups == 1 { channels.clone() } else { 0..outs });
    let count = if groups == 1 { 1 } else { channels.len() / outs };
    assert!(
        channels.end <= shape.out_channels && channels.len() == count * in_group.len(),
        "{channels:?} of {shape:?}"
    );
    let group_sums = sums.len() / count;
    let part =
        Conv2dShape { in_channels: shape.in_channels / groups, out_channels: in_group.len(), groups: 1, ..*shape };
    assert_eq!(group_sums, part.weight_sums_len::<T>(isa), "sums of {shape:?}");
    assert_eq!(part.is_depthwise(), shape.is_depthwise(), "{channels:?} of {shape:?} are too few");
    let together = shape.images_together();
    for first in (0..shape.batch).step_by(together) {
        let geometry = geometry.of_images(together.min(shape.batch - first));
        for (index, sums) in sums.chunks_exact_mut(group_sums).enumerate() {
            let group = first_group + index;
            let images = &arranged[(first * groups + group) * len..][..geometry.images() * len];
            let g = &g[(first * shape.out_channels + group * outs + in_group.start) * each..];
            if shape.is_depthwise() {
                depthwise::weight_gradient(isa, &geometry, images, &g[..in_group.len() * each], sums);
            } else {
                let g = Results { elements: g, channels: in_group.len(), image: shape.output_elements() };
                add_products(isa, &geometry, images, &g, sums, scratch);
            }
        }
    }
}

/// Some channels of the gradient of results, from the first of the first image on.
struct Results<'a, T> {
    elements: &'a [T],
    channels: usize,
    /// Elements from one image to the next.
    image: usize,
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
    /// Adds to the sums over pixels of `g`, `[outs, pixels]`, times what the weights meet. The sums are panels of up to [`most_vectors`] vectors of
    /// channels, `[taps, width]` each.
    fn add_products<T: Real>(
        simd: S, geometry: &Geometry, image: &[T], g: &Results<'_, T>, sums: &mut [T], scratch: &mut [T],
    ) {
        let lanes = T::Vector::<S>::LANES;
        let (pixels, most) = (geometry.pixels(), most_vectors::<S>() * lanes);
        let each = pixels / geometry.images();
        for (first, sums) in (0..g.channels).step_by(most).zip(sums.chunks_mut(most * geometry.taps())) {
            let (width, count) = (sums.len() / geometry.taps(), most.min(g.channels - first));
            let last = &mut scratch[..width * pixels];
            for (index, last) in last.chunks_exact_mut(each * width).enumerate() {
                put_channels_last::<T::Vector<S>>(simd, &g.elements[index * g.image + first * each..][..count * each], each, width, last);
            }
            let together = ELEMENTS / width;
            for first in (0..pixels).step_by(together) {
                let range = first..pixels.min(first + together);
                let last = &last[range.start * width..range.end * width];
                match width / lanes {
                    1 => add_tiles::<S, T, 1>(simd, geometry, image, range, last, sums),
                    2 => add_tiles::<S, T, 2>(simd, geometry, image, range, last, sums),
                    3 => add_tiles::<S, T, 3>(simd, geometry, image, range, last, sums),
                    _ => add_tiles::<S, T, 4>(simd, geometry, image, range, last, sums),
                }
            }
        }
    }
}

kernel! {
    /// `[outs, taps]` from the panels of [`add_products`].
    fn put_weights_last<T: Real>(simd: S, taps: usize, sums: &[T], d_weight: &mut [T]) {
        let _ = simd;
        let most = most_vectors::<S>() * T::Vector::<S>::LANES;
        for (sums, d_weight) in sums.chunks(most * taps).zip(d_weight.chunks_mut(most * taps)) {
            let width = sums.len() / taps;
            // A few rows of sums at a time: all channels find them in the first cache.
            for (index, sums) in sums.chunks(TAPS * width).enumerate() {
                for (channel, row) in d_weight.chunks_exact_mut(taps).enumerate() {
                    for (weight, sums) in row[index * TAPS..].iter_mut().zip(sums.chunks_exact(width)) {
                        *weight = sums[channel];
                    }
                }
            }
        }
    }
}

/// Squares that are asked for before they are turned: each channel is a stream of its own, too short for the machine to notice it.
const AHEAD: usize = 4;

/// `[channels, pixels]` as `[pixels, width]`, with zeros for the channels that are not there; `width` is a number of whole vectors.
#[inline(always)]
fn put_channels_last<V: RealVector>(simd: V::Token, g: &[V::Elem], pixels: usize, width: usize, out: &mut [V::Elem]) {
    assert!(width.is_multiple_of(V::LANES) && out.len() == pixels * width);
    for first in (0..width).step_by(V::LANES) {
        for pixel in (0..pixels).step_by(V::LANES) {
            let mut square = [V::splat(simd, V::Elem::ZERO); MAX_LANES];
            for (line, channel) in square.iter_mut().zip(g.chunks_exact(pixels).skip(first)).take(V::LANES) {
                *line = read::<V>(simd, channel, pixel);
                simd.prefetch(channel.as_ptr().wrapping_add(pixel + AHEAD * V::LANES));
            }
            transpose_square(&mut square);
            for (i, line) in square.iter().enumerate().take((pixels - pixel).min(V::LANES)) {
                write(*line, out, (pixel + i) * width + first);
            }
        }
    }
}

/// The most weights of a tile of `N` vectors: sums, a row of the gradient and one element fill the registers.
#[inline(always)]
const fn most_weights<S: Simd, const N: usize>() -> usize {
    match (S::LEVEL.has_many_registers(), N) {
        (false, _) => 6,
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
                (_, ..=3) => tile.add::<T::Vector<S>, 3, N>(simd, sums),
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
        for vector in 0..R * N {
            simd.prefetch(sums.as_ptr().wrapping_add(vector * V::LANES));
        }
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
