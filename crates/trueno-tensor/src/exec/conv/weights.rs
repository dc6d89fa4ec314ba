//! The gradient of a convolution by its weight.

use super::images::{cost, image_sizes, scratch};
use crate::exec::chunks;
use crate::exec::isa::isa;
use crate::parallel::try_for_each_piece;
use crate::storage::Buffer;
use trueno_core::Result;
use trueno_kernels::conv::{self as kernel, Conv2dShape};
use trueno_kernels::simd::Real;

/// Multiply-adds that are worth a thread of their own.
const JOB: usize = 1 << 20;
/// Parts that work is cut into: parts of the weight times runs of images.
const PARTS: usize = 16;
/// Channels of the result that a part has at least, for they share what is read of an image.
const CHANNELS: usize = 32;
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

/// The gradient by the weight, from the gradient `g` of the result.
pub(super) fn gradient<T: Real>(op: &'static str, shape: &Conv2dShape, g: &[T], x: &[T], out: &mut [T]) -> Result<()> {
    let cut = Cut::new(shape);
    if shape.batch <= cut.images {
        return add_parts(op, shape, &cut, g, x, out);
    }
    let mut sums = Buffer::new(op, T::DTYPE, shape.batch.div_ceil(cut.images) * out.len())?;
    add_parts(op, shape, &cut, g, x, sums.as_mut_slice())?;
    chunks::join(sums.as_slice::<T>(), out);
    Ok(())
}

/// The sums over runs of images, one after the other.
fn add_parts<T: Real>(
    op: &'static str,
    shape: &Conv2dShape,
    cut: &Cut,
    g: &[T],
    x: &[T],
    sums: &mut [T],
) -> Result<()> {
    let ([image_in, image_out], parts) = (image_sizes(shape), cut.parts);
    let size = shape.weight_elements() / parts;
    let part = Conv2dShape { batch: 1, out_channels: shape.out_channels / parts, ..*shape };
    let part = if shape.groups > 1 {
        Conv2dShape { in_channels: shape.in_channels / parts, groups: shape.groups / parts, ..part }
    } else {
        part
    };
    let [part_in, part_out] = image_sizes(&part);
    let cost = cost(&part).saturating_mul(cut.images) / size.max(1);
    try_for_each_piece(sums, size, cost, |index, sum| {
        let (run, index) = (index / parts, index % parts);
        let mut scratch = scratch::<T>(op, &part)?;
        sum.fill(T::ZERO);
        for image in run * cut.images..shape.batch.min((run + 1) * cut.images) {
            let start = image * image_in + if shape.groups > 1 { index * part_in } else { 0 };
            let g = &g[image * image_out + index * part_out..][..part_out];
            kernel::conv2d_weight_gradient(isa(), &part, &x[start..][..part_in], g, sum, scratch.as_mut_slice());
        }
        Ok(())
    })
}
