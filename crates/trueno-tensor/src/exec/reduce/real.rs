//! Reductions of floats: kernels accumulate blocks, which join in a fixed tree.

use super::frame::Frame;
use crate::exec::isa::isa;
use crate::exec::operand::elements;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use std::ops::Range;
use std::slice;
use trueno_core::Result;
use trueno_core::table::ReduceOp;
use trueno_kernels::reduce::{self as kernel, Readable};
use trueno_kernels::simd::Real;

/// The reduction of floats, with two passes over them where the row is centered. Halves are reduced as `f32`.
pub(super) fn reduce_real<T: Real, E: Readable<T>>(op: ReduceOp, correction: f64, frame: &Frame<'_>) -> Result<Buffer> {
    let centers = match op.centered() {
        true => Some(reduce_real::<T, E>(ReduceOp::Mean, 0.0, frame)?),
        false => None,
    };
    let centers = centers.as_ref().map(|c| spread(c.as_slice::<T>(), &frame.folds));
    let centers = centers.as_deref();
    let elements = elements::<E>(&frame.x);
    let mut buffer = Buffer::new(op.name(), T::DTYPE, frame.partial())?;
    let out = buffer.as_mut_slice::<T>();
    if frame.inner == 1 {
        rows(op, elements, frame.length, centers, out);
    } else {
        for (i, out) in out.chunks_mut(frame.inner.max(1)).enumerate() {
            let size = frame.length * frame.inner;
            columns(
                op,
                (&elements[i * size..(i + 1) * size], frame.length),
                centers.map(|c| &c[i * frame.inner..][..frame.inner]),
                out,
            );
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
fn rows<T: Real, E: Readable<T>>(op: ReduceOp, elements: &[E], length: usize, centers: Option<&[T]>, out: &mut [T]) {
    if length == 0 {
        return kernel::accumulate_rows(isa(), op, elements, 0, centers, out);
    }
    if length <= kernel::BLOCK {
        let piece = piece_size(out.len(), length);
        for_each_piece(out, piece, length, |index, part| {
            let start = index * piece;
            let centers = centers.map(|c| &c[start..][..part.len()]);
            let elements = &elements[start * length..(start + part.len()) * length];
            kernel::accumulate_rows(isa(), op, elements, length, centers, part);
        });
        return;
    }
    for (row, out) in out.iter_mut().enumerate() {
        let elements = &elements[row * length..(row + 1) * length];
        let center = centers.map(|c| c[row]);
        let mut partial =
            of_blocks(length, |blocks, partial| accumulate_blocks(op, &elements[blocks], center, partial));
        join_pairwise(op, &mut partial, 1);
        *out = partial[0];
    }
}

/// What `reduce` makes of each block of a long row: it gets the elements of some of them, and room for as many results.
fn of_blocks<T: Real>(length: usize, reduce: impl Fn(Range<usize>, &mut [T]) + Sync + Send) -> Vec<T> {
    let mut partial = vec![T::ZERO; length.div_ceil(kernel::BLOCK)];
    let together = piece_size(partial.len(), kernel::BLOCK);
    for_each_piece(&mut partial, together, kernel::BLOCK, |piece, part| {
        let start = piece * together * kernel::BLOCK;
        reduce(start..length.min(start + part.len() * kernel::BLOCK), part);
    });
    partial
}

/// Accumulates each block of a row, of which the last may be shorter, into one of `out`.
fn accumulate_blocks<T: Real, E: Readable<T>>(op: ReduceOp, elements: &[E], center: Option<T>, out: &mut [T]) {
    let whole = elements.len() / kernel::BLOCK;
    let (blocks, rest) = elements.split_at(whole * kernel::BLOCK);
    let (of_blocks, of_rest) = out.split_at_mut(whole);
    let centers = center.map(|center| vec![center; whole]);
    kernel::accumulate_rows(isa(), op, blocks, kernel::BLOCK, centers.as_deref(), of_blocks);
    if !rest.is_empty() {
        kernel::accumulate_rows(isa(), op, rest, rest.len(), center.as_ref().map(slice::from_ref), of_rest);
    }
}

/// The extreme of each block of a row.
pub(super) fn extremes_of_blocks<T: Real>(op: ReduceOp, row: &[T]) -> Vec<T> {
    of_blocks(row.len(), |blocks, out| accumulate_blocks(op, &row[blocks], None, out))
}

/// The sum of the products of two rows of one length.
pub(in crate::exec) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    if a.len() <= kernel::BLOCK {
        return kernel::dot(isa(), a, b);
    }
    let mut partial = of_blocks(a.len(), |blocks, partial| {
        let blocks = a[blocks.clone()].chunks(kernel::BLOCK).zip(b[blocks].chunks(kernel::BLOCK));
        partial.iter_mut().zip(blocks).for_each(|(partial, (a, b))| *partial = kernel::dot(isa(), a, b));
    });
    join_pairwise(ReduceOp::Sum, &mut partial, 1);
    partial.first().copied().unwrap_or(T::ZERO)
}

/// Rows of a column block that are accumulated in sequence before blocks join pairwise.
const COLUMN_BLOCK: usize = 256;

/// Accumulates `[length, out.len()]` over its first axis.
fn columns<T: Real, E: Readable<T>>(
    op: ReduceOp,
    (elements, length): (&[E], usize),
    centers: Option<&[T]>,
    out: &mut [T],
) {
    let inner = out.len();
    if inner == 0 {
        return;
    }
    if length <= COLUMN_BLOCK {
        return kernel::accumulate_columns(isa(), op, elements, centers, out);
    }
    let mut partial = vec![T::ZERO; length.div_ceil(COLUMN_BLOCK) * inner];
    for_each_piece(&mut partial, inner, COLUMN_BLOCK, |block, part| {
        let start = block * COLUMN_BLOCK * inner;
        let end = (start + COLUMN_BLOCK * inner).min(length * inner);
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
