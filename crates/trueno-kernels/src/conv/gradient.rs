//! The gradient of a convolution by its images.

use super::Conv2dShape;
use core::ops::Range;

use super::depthwise;
use super::geometry::Geometry;
use crate::Isa;
use crate::lanes::{read, write};
use crate::matmul::{Epilogue, MatMut, MatRef, Plan, gemm};
use crate::simd::{Real, RealVector, kernel};

/// Weights and pixels whose products are in scratch at a time: enough of both to make packing cheap, few enough for the cache.
const BLOCK: [usize; 2] = [112, 512];

/// The plan and the size of the blocks of the gradient by the images.
fn input_plan<T: Real>(isa: Isa, shape: &Conv2dShape) -> (Plan, [usize; 2]) {
    let pixels: usize = shape.output().iter().product();
    let block = [BLOCK[0].min(shape.taps()), BLOCK[1].min(shape.images_together() * pixels)];
    (Plan::packed::<T>(isa, block[0], block[1], shape.out_channels / shape.groups), block)
}

/// Elements of scratch for the gradient by the images, besides the arranged image.
pub(super) fn input_scratch_len<T: Real>(isa: Isa, shape: &Conv2dShape) -> usize {
    let (plan, [taps, pixels]) = input_plan::<T>(isa, shape);
    let [rows, cols] = shape.output();
    let pointwise = Plan::packed::<T>(isa, shape.taps(), rows * cols, shape.out_channels / shape.groups);
    let together = shape.images_together();
    let gathered = if together > 1 { together * shape.output_elements() } else { 0 };
    pointwise.scratch_len().max(gathered + plan.scratch_len() + taps * pixels)
}

/// The gradient by the images, from the gradient `g` of the result. Overwrites `d_input`.
///
/// # Panics
/// As [`conv2d`](super::conv2d).
pub fn conv2d_input_gradient<T: Real>(
    isa: Isa,
    shape: &Conv2dShape,
    weight: &[T],
    g: &[T],
    d_input: &mut [T],
    scratch: &mut [T],
) {
    shape.check(d_input, weight, g);
    d_input.fill(T::ZERO);
    if g.is_empty() || d_input.is_empty() {
        return;
    }
    let geometry = Geometry::new(shape);
    let together = if shape.is_pointwise() { 1 } else { shape.images_together() };
    let (buffer, scratch) = scratch.split_at_mut(geometry.of_images(together).buffer_len());
    let (outs, taps, pixels) = (shape.out_channels / shape.groups, geometry.taps(), geometry.pixels());
    let group_in = shape.image_elements() / shape.groups;
    // Groups one by one, or a few images of one group.
    let groups = d_input.chunks_mut(together * group_in).zip(g.chunks(together * outs * pixels));
    for (index, (d_image, g)) in groups.enumerate() {
        let geometry = geometry.of_images(d_image.len() / group_in);
        let weight = &weight[index % shape.groups * outs * taps..][..outs * taps];
        if shape.is_pointwise() && !shape.is_depthwise() {
            let plan = Plan::packed::<T>(isa, taps, pixels, outs);
            let weight = MatRef::row_major(weight, outs, taps).transposed();
            let (g, d_image) = (MatRef::row_major(g, outs, pixels), MatMut::row_major(d_image, taps, pixels));
            gemm(isa, &plan, weight, g, d_image, &Epilogue::STORE, scratch);
            continue;
        }
        let buffer = &mut buffer[..geometry.buffer_len()];
        let arranged = if geometry.is_image() { &mut *d_image } else { &mut *buffer };
        arranged.fill(T::ZERO);
        if shape.is_depthwise() {
            depthwise::input_gradient(isa, &geometry, weight, g, arranged);
        } else {
            spread_blocks(isa, shape, &geometry, weight, g, arranged, scratch);
        }
        if !geometry.is_image() {
            geometry.restore(isa, buffer, d_image);
        }
    }
}

/// The weights of [`Conv2dShape::input_gradient`]: `[in_channels, out_channels / groups, ..]` from `[out_channels, in_channels / groups, ..]`, group by
/// group, rows and columns of the kernel from last to first.
///
/// # Panics
/// If the slices are not as long as the shape says.
pub fn turn_weights<T: Copy>(shape: &Conv2dShape, weight: &[T], turned: &mut [T]) {
    let (groups, area) = (shape.groups, shape.kernel[0] * shape.kernel[1]);
    let (ins, outs) = (shape.in_channels / groups, shape.out_channels / groups);
    assert!(weight.len() == shape.weight_elements() && turned.len() == weight.len(), "weights of {shape:?}");
    if weight.is_empty() {
        return;
    }
    for (weight, turned) in weight.chunks_exact(ins * outs * area).zip(turned.chunks_exact_mut(ins * outs * area)) {
        for (index, target) in turned.chunks_exact_mut(area).enumerate() {
            let source = &weight[(index % outs * ins + index / outs) * area..][..area];
            target.iter_mut().zip(source.iter().rev()).for_each(|(target, &value)| *target = value);
        }
    }
}

/// Adds to every element of the arranged image what it gives to the result, block by block: a product of the
/// transposed weights and `g`, whose rows are added to the elements that a weight meets.
fn spread_blocks<T: Real>(
    isa: Isa,
    shape: &Conv2dShape,
    geometry: &Geometry,
    weight: &[T],
    g: &[T],
    arranged: &mut [T],
    scratch: &mut [T],
) {
    let (plan, block) = input_plan::<T>(isa, shape);
    let (taps, pixels) = (geometry.taps(), geometry.pixels());
    let outs = weight.len() / taps;
    let (products, scratch) = scratch.split_at_mut(block[0] * block[1]);
    let (gathered, scratch) = scratch.split_at_mut(if geometry.images() > 1 { g.len() } else { 0 });
    let weight = MatRef::row_major(weight, outs, taps).transposed();
    let g = MatRef::row_major(gather_pixels(geometry, g, gathered), outs, pixels);
    for first_tap in (0..taps).step_by(block[0]) {
        let tap_range = first_tap..taps.min(first_tap + block[0]);
        for first_pixel in (0..pixels).step_by(block[1]) {
            let pixel_range = first_pixel..pixels.min(first_pixel + block[1]);
            let product = MatMut::row_major(products, tap_range.len(), pixel_range.len());
            let (rows, cols) = (weight.block(tap_range.clone(), 0..outs), g.block(0..outs, pixel_range.clone()));
            gemm(isa, &plan, rows, cols, product, &Epilogue::STORE, scratch);
            let products = &products[..tap_range.len() * pixel_range.len()];
            add_products(isa, geometry, products, tap_range.start, pixel_range, arranged);
        }
    }
}

/// `[outs, pixels]` of all images from `[images, outs, pixels of one]`: `g` itself where there is one image, or a copy in `gathered`.
fn gather_pixels<'a, T: Real>(geometry: &Geometry, g: &'a [T], gathered: &'a mut [T]) -> &'a [T] {
    if gathered.is_empty() {
        return g;
    }
    let each = geometry.pixels() / geometry.images();
    let outs = g.len() / geometry.pixels();
    for (index, row) in gathered.chunks_exact_mut(each).enumerate() {
        let (channel, image) = (index / geometry.images(), index % geometry.images());
        row.copy_from_slice(&g[(image * outs + channel) * each..][..each]);
    }
    gathered
}

kernel! {
    /// Adds each row of `products`, which belongs to a weight from the `first`, to the elements that the weight meets at `pixels`.
    fn add_products<T: Real>(
        simd: S, geometry: &Geometry, products: &[T], first: usize, pixels: Range<usize>, arranged: &mut [T],
    ) {
        for (tap, row) in geometry.taps_from(first).zip(products.chunks_exact(pixels.len())) {
            for run in geometry.runs(pixels.clone()) {
                let (x, out) = (&row[run.at..][..run.len], &mut arranged[tap + run.source..][..run.len]);
                for from in (0..out.len()).step_by(T::Vector::<S>::LANES) {
                    write(read::<T::Vector<S>>(simd, x, from).add(read::<T::Vector<S>>(simd, out, from)), out, from);
                }
            }
        }
    }
}
