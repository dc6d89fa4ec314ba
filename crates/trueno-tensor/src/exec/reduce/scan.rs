//! Running sums.

use super::frame::Frame;
use crate::DynTensor;
use crate::exec::isa::isa;
use crate::exec::{movement, unsupported};
use crate::parallel::{for_each_piece, num_threads};
use crate::storage::Buffer;
use trueno_core::{DType, Result, dispatch_dtype};
use trueno_kernels::reduce as kernel;
use trueno_kernels::simd::Real;

/// Elements of a line that several threads share.
const SHARED: usize = 16 * kernel::SCAN_BLOCK;

/// Blocks whose elements are still near when they are read again.
const TOGETHER: usize = 64;

/// Running sums of one line by several threads, to the bit those of one.
fn shared_line<T: Real>(x: &[T], out: &mut [T]) {
    let whole = x.len() / kernel::SCAN_BLOCK * kernel::SCAN_BLOCK;
    let (blocks, after) = out.split_at_mut(whole);
    let (size, mut total) = (TOGETHER * kernel::SCAN_BLOCK, -T::ZERO);
    for (x, out) in x[..whole].chunks(size).zip(blocks.chunks_mut(size)) {
        total = shared_blocks(x, total, out);
    }
    kernel::cumsum_from(isa(), &x[whole..], total, after);
}

/// Running sums of some blocks from `total` on, and the last of them: first every block is summed by itself, then, from the last sums of
/// all, what lies before each block is added to it.
fn shared_blocks<T: Real>(x: &[T], total: T, out: &mut [T]) -> T {
    const BLOCKS: usize = 4;
    const PIECE: usize = BLOCKS * kernel::SCAN_BLOCK;
    for_each_piece(out, PIECE, 2, |i, out| kernel::scan_parts(isa(), &x[i * PIECE..][..out.len()], out));
    let (mut total, mut before) = (total, [T::ZERO; TOGETHER / BLOCKS]);
    for (before, piece) in before.iter_mut().zip(out.chunks(PIECE)) {
        *before = total;
        total = piece.chunks(kernel::SCAN_BLOCK).fold(total, kernel::scan_total);
    }
    for_each_piece(out, PIECE, 1, |i, out| kernel::scan_go_on(isa(), before[i], out));
    total
}

/// Running sums along an axis.
pub(crate) fn cumsum(axis: usize, x: &DynTensor) -> Result<DynTensor> {
    let frame = Frame::new(x, &[axis], true)?;
    let wide;
    let source = match x.dtype().is_float() {
        true => &*frame.x,
        false => {
            wide = movement::cast(&frame.x, DType::I64)?;
            &wide
        }
    };
    let mut buffer = Buffer::new("cumsum", source.dtype(), x.size())?;
    let size = frame.length * frame.inner;
    dispatch_dtype!(source.dtype(), real T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        let shared = frame.inner == 1 && size >= SHARED && frame.outer < num_threads();
        if shared {
            let lines = buffer.as_mut_slice::<T>().chunks_exact_mut(size).zip(elements.chunks_exact(size));
            lines.for_each(|(out, x)| shared_line(x, out));
        } else {
            for_each_piece(buffer.as_mut_slice::<T>(), size, 2, |i, out| {
                kernel::cumsum(isa(), &elements[i * size..][..size], frame.inner, out);
            });
        }
    }, else dispatch_dtype!(source.dtype(), int T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        for_each_piece(buffer.as_mut_slice::<T>(), size, 2, |i, out| {
            kernel::cumsum_int(isa(), &elements[i * size..][..size], frame.inner, out);
        });
    }, else return Err(unsupported("cumsum", x.dtype(), "it takes numbers; cast it first"))));
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}
