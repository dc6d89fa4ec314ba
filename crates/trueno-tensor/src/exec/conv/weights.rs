//! The gradient of a convolution by its weight.

use super::images::{cost, image_sizes, scratch};
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
    /// One part of the weight and one image.
    fn part(&self, shape: &Conv2dShape) -> Conv2dShape {
        let part = Conv2dShape { batch: 1, out_channels: shape.out_channels / self.parts, ..*shape };
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
    let ([image_in, image_out], parts, part) = (image_sizes(shape), cut.parts, cut.part(shape));
    let [part_in, part_out] = image_sizes(&part);
    let size = part.weight_sums_len::<T>(isa());
    try_for_each_piece(sums, size, cost(&part).saturating_mul(cut.images) / size.max(1), |index, sums| {
        let (run, index) = (index / parts, index % parts);
        let mut scratch = scratch::<T>(op, &part)?;
        for image in run * cut.images..shape.batch.min((run + 1) * cut.images) {
            let start = image * image_in + if shape.groups > 1 { index * part_in } else { 0 };
            let g = &g[image * image_out + index * part_out..][..part_out];
            kernel::conv2d_weight_sums(isa(), &part, &x[start..][..part_in], g, sums, scratch.as_mut_slice());
        }
        Ok(())
    })
}
