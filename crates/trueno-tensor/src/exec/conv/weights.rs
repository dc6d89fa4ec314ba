//! The gradient of a convolution by its weight.

use super::images::{cost, image_sizes};
use crate::exec::chunks;
use crate::exec::isa::isa;
use crate::parallel::{for_each_piece, try_for_each_piece};
use crate::storage::Buffer;
use trueno_core::Result;
use trueno_kernels::conv::{self as kernel, Conv2dShape};
use trueno_kernels::simd::Real;

/// Multiply-adds that are worth a thread of their own.
const JOB: usize = 1 << 20;
/// Parts that work is cut into: parts of the weight times runs of images.
const PARTS: usize = 8;
/// Channels of the result that a part has at least, for they share what is read of an image.
const CHANNELS: usize = 64;
/// Elements that the sums of runs of images may take together.
const SUMS: usize = 1 << 24;

/// How the work is cut. It depends on the shape alone.
struct Cut {
    /// Parts of the weight: groups, or channels of the result.
    parts: usize,
    /// Images whose sum is made at a time.
    images: usize,
}

impl Cut {
    fn new(shape: &Conv2dShape) -> Cut {
        let (units, least) = if shape.groups > 1 { (shape.groups, 1) } else { (shape.out_channels, CHANNELS) };
        let total = cost(shape).saturating_mul(shape.batch);
        let most = PARTS.min(units.div_ceil(least)).min(total.div_ceil(JOB)).max(1);
        let parts = (1..=most).rev().find(|parts| units.is_multiple_of(*parts)).unwrap_or(1);
        let runs = (PARTS / parts).min(total.div_ceil(JOB) / parts).min(SUMS / shape.weight_elements().max(1)).max(1);
        Cut { parts, images: shape.batch.div_ceil(runs).max(1) }
    }
}

impl Cut {
    /// One part of the weight.
    fn part(&self, shape: &Conv2dShape) -> Conv2dShape {
        let part = Conv2dShape { out_channels: shape.out_channels / self.parts, ..*shape };
        if shape.groups == 1 {
            return part;
        }
        Conv2dShape { in_channels: shape.in_channels / self.parts, groups: shape.groups / self.parts, ..part }
    }
}

/// The gradient by the weight, from the gradient `g` of the result.
pub(super) fn gradient<T: Real>(op: &'static str, shape: &Conv2dShape, g: &[T], x: &[T], out: &mut [T]) -> Result<()> {
    let cut = Cut::new(shape);
    let part = cut.part(shape);
    let size = part.weight_sums_len::<T>(isa());
    let runs = shape.batch.div_ceil(cut.images).max(1);
    let mut sums = Buffer::zeros(op, T::DTYPE, runs * cut.parts * size)?;
    add_parts(op, shape, &cut, g, x, sums.as_mut_slice::<T>())?;
    if runs > 1 {
        let mut joined = Buffer::new(op, T::DTYPE, cut.parts * size)?;
        chunks::join(sums.as_slice::<T>(), joined.as_mut_slice());
        sums = joined;
    }
    let sums = sums.as_slice::<T>();
    for_each_piece(out, part.weight_elements(), 2, |index, out| {
        kernel::conv2d_weight_gradient(isa(), &part, &sums[index * size..][..size], out);
    });
    Ok(())
}

/// The sums of every part over runs of images, one run after the other.
fn add_parts<T: Real>(
    op: &'static str,
    shape: &Conv2dShape,
    cut: &Cut,
    g: &[T],
    x: &[T],
    sums: &mut [T],
) -> Result<()> {
    let (arranged_len, image_out) = (shape.arranged_len(), image_sizes(shape)[1]);
    let (parts, channels) = (cut.parts, shape.out_channels / cut.parts);
    let mut buffer = Buffer::new(op, T::DTYPE, if shape.is_arranged() { 0 } else { shape.batch * arranged_len })?;
    arrange(shape, x, buffer.as_mut_slice::<T>());
    let arranged = if shape.is_arranged() { x } else { buffer.as_slice::<T>() };
    let size = cut.part(shape).weight_sums_len::<T>(isa());
    let cost = (cost(shape) / parts).saturating_mul(cut.images);
    try_for_each_piece(sums, size, cost / size.max(1), |index, sums| {
        let (run, index) = (index / parts, index % parts);
        let images = run * cut.images..shape.batch.min((run + 1) * cut.images);
        let shape = shape.with_batch(images.len());
        let arranged = &arranged[images.start * arranged_len..images.end * arranged_len];
        let g = &g[images.start * image_out..images.end * image_out];
        let channels = index * channels..(index + 1) * channels;
        let mut scratch = Buffer::new(op, T::DTYPE, shape.weight_scratch_len::<T>(isa()))?;
        kernel::conv2d_weight_sums(isa(), &shape, channels, arranged, g, sums, scratch.as_mut_slice());
        Ok(())
    })
}

/// Arranges the images in `buffer`, if it has room: each is read by several parts.
fn arrange<T: Real>(shape: &Conv2dShape, x: &[T], buffer: &mut [T]) {
    let (image_in, arranged_len) = (image_sizes(shape)[0], shape.arranged_len());
    for_each_piece(buffer, arranged_len, 1, |index, buffer| {
        kernel::conv2d_arrange(isa(), &shape.with_batch(1), &x[index * image_in..][..image_in], buffer);
    });
}
