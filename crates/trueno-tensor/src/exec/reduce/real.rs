//! Reductions of floats: kernels accumulate blocks, which join in a fixed tree.

use super::frame::Frame;
use crate::exec::isa::isa;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use std::ops::Range;
use trueno_core::Result;
use trueno_core::table::ReduceOp;
use trueno_kernels::reduce as kernel;
use trueno_kernels::simd::Real;

/// The reduction of floats, with two passes over them where the row is centered.
pub(super) fn reduce_real<T: Real>(op: ReduceOp, correction: f64, frame: &Frame<'_>) -> Result<Buffer> {
    let centers = match op.centered() {
        true => Some(reduce_real::<T>(ReduceOp::Mean, 0.0, frame)?),
        false => None,
    };
    let centers = centers.as_ref().map(|c| spread(c.as_slice::<T>(), &frame.folds));
    let centers = centers.as_deref();
    let elements = frame.x.as_slice::<T>().unwrap_or(&[]);
    let mut buffer = Buffer::new(op.name(), T::DTYPE, frame.partial())?;
    let out = buffer.as_mut_slice::<T>();
    if frame.inner == 1 {
        rows(op, elements, frame.length, centers, out);
    } else {
        for (i, out) in out.chunks_mut(frame.inner.max(1)).enumerate() {
            let elements = &elements[i * frame.length * frame.inner..][..frame.length * frame.inner];
            columns(op, elements, centers.map(|c| &c[i * frame.inner..][..frame.inner]), out);
        }
    }
    let mut count = out.len();
    for &[length, inner] in &frame.folds {
        fold(&mut out[..count], [length, inner], |block| join_pairwise(op, block, inner));
        count /= length;
    }
    kernel::finish(isa(), op, frame.count(), correction, &mut out[..count]);
    if count == out.len() { Ok(buffer) } else { Buffer::from_slice(op.name(), &out[..count]) }
}

/// Reduces each block `[length, inner]` of `partial` to its first row, which `join` makes the result, and moves these together.
pub(super) fn fold<T: Copy>(partial: &mut [T], [length, inner]: [usize; 2], mut join: impl FnMut(&mut [T])) {
    for block in 0..partial.len() / (length * inner) {
        let start = block * length * inner;
        join(&mut partial[start..start + length * inner]);
        partial.copy_within(start..start + inner, block * inner);
    }
}

/// One value for each partial result from one for each result: what [`fold`] does, the other way.
fn spread<T: Copy>(values: &[T], folds: &[[usize; 2]]) -> Vec<T> {
    folds.iter().rev().fold(values.to_vec(), |values, &[length, inner]| {
        values.chunks_exact(inner).flat_map(|row| row.repeat(length)).collect()
    })
}

/// Accumulates contiguous rows of `length` into `out`. Long rows are cut into blocks, which join pairwise.
fn rows<T: Real>(op: ReduceOp, elements: &[T], length: usize, centers: Option<&[T]>, out: &mut [T]) {
    if length <= kernel::BLOCK {
        let piece = piece_size(out.len(), length.max(1));
        for_each_piece(out, piece, length.max(1), |index, part| {
            let start = index * piece;
            let elements = &elements[start * length..][..part.len() * length];
            kernel::accumulate_rows(isa(), op, elements, length, centers.map(|c| &c[start..][..part.len()]), part);
        });
        return;
    }
    for (row, out) in out.iter_mut().enumerate() {
        let elements = &elements[row * length..][..length];
        let center = centers.map(|c| &c[row..row + 1]);
        let mut partial = of_blocks(length, |block| {
            let (block, mut acc) = (&elements[block], [T::ZERO]);
            kernel::accumulate_rows(isa(), op, block, block.len(), center, &mut acc);
            acc[0]
        });
        join_pairwise(op, &mut partial, 1);
        *out = partial[0];
    }
}

/// What `reduce` makes of each block of a long row.
pub(super) fn of_blocks<T: Real>(length: usize, reduce: impl Fn(Range<usize>) -> T + Sync + Send) -> Vec<T> {
    let mut partial = vec![T::ZERO; length.div_ceil(kernel::BLOCK)];
    for_each_piece(&mut partial, 1, kernel::BLOCK, |block, part| {
        let start = block * kernel::BLOCK;
        part[0] = reduce(start..length.min(start + kernel::BLOCK));
    });
    partial
}

/// The sum of the products of two rows of one length.
pub(in crate::exec) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    if a.len() <= kernel::BLOCK {
        return kernel::dot(isa(), a, b);
    }
    let mut partial = of_blocks(a.len(), |block| kernel::dot(isa(), &a[block.clone()], &b[block]));
    join_pairwise(ReduceOp::Sum, &mut partial, 1);
    partial.first().copied().unwrap_or(T::ZERO)
}

/// Rows of a column block that are accumulated in sequence before blocks join pairwise.
const COLUMN_BLOCK: usize = 256;

/// Accumulates `[length, out.len()]` over its first axis.
fn columns<T: Real>(op: ReduceOp, elements: &[T], centers: Option<&[T]>, out: &mut [T]) {
    let inner = out.len();
    if inner == 0 {
        return;
    }
    let length = elements.len() / inner;
    if length <= COLUMN_BLOCK {
        kernel::accumulate_columns(isa(), op, elements, centers, out);
        return;
    }
    let mut partial = vec![T::ZERO; length.div_ceil(COLUMN_BLOCK) * inner];
    for_each_piece(&mut partial, inner, COLUMN_BLOCK, |block, part| {
        let start = block * COLUMN_BLOCK * inner;
        let end = (start + COLUMN_BLOCK * inner).min(elements.len());
        kernel::accumulate_columns(isa(), op, &elements[start..end], centers, part);
    });
    join_pairwise(op, &mut partial, inner);
    out.copy_from_slice(&partial[..inner]);
}

/// Joins partial results of `width` each into the first, always in the same tree.
fn join_pairwise<T: Real>(op: ReduceOp, partial: &mut [T], width: usize) {
    let count = partial.len() / width;
    let mut step = 1;
    while step < count {
        for left in (0..count - step).step_by(2 * step) {
            let (head, tail) = partial.split_at_mut((left + step) * width);
            kernel::combine(isa(), op, &mut head[left * width..][..width], &tail[..width]);
        }
        step *= 2;
    }
}
