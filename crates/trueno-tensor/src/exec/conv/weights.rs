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
/// Runs of images whose weight gradients are summed apart.
const CHUNKS: usize = 16;
/// Elements that those sums may take together, unless so few chunks would leave processors idle.
const SUMS: usize = 1 << 24;

/// The gradient by the weight, from the gradient `g` of the result.
pub(super) fn gradient<T: Real>(op: &'static str, shape: &Conv2dShape, g: &[T], x: &[T], out: &mut [T]) -> Result<()> {
    let ([image_in, image_out], batch, size) = (image_sizes(shape), shape.batch, out.len());
    let most = (SUMS / size.max(1)).clamp(CHUNKS / 4, CHUNKS);
    let together = batch.div_ceil(most).max(JOB / cost(shape).max(1)).max(1);
    let mut sums = Buffer::zeros(op, T::DTYPE, batch.div_ceil(together) * size)?;
    let cost = (cost(shape) / size.max(1)).saturating_mul(together);
    try_for_each_piece(sums.as_mut_slice::<T>(), size, cost, |index, sum| {
        let first = index * together;
        let shape = shape.with_batch(together.min(batch - first));
        let (g, x) = (&g[first * image_out..], &x[first * image_in..]);
        let (g, x) = (&g[..shape.batch * image_out], &x[..shape.batch * image_in]);
        let mut scratch = scratch::<T>(op, &shape)?;
        kernel::conv2d_weight_gradient(isa(), &shape, x, g, sum, scratch.as_mut_slice());
        Ok(())
    })?;
    chunks::join(sums.as_slice::<T>(), out);
    Ok(())
}
