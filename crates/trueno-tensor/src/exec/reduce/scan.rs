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

/// Running sums of one line by several threads, to the bit those of one: first the parts of every block are summed, then, from these,
/// all that lies before each block, and with that the blocks no longer wait for each other.
fn shared_line<T: Real>(x: &[T], out: &mut [T]) {
    const BLOCKS: usize = 4;
    let (piece, whole) = (BLOCKS * kernel::SCAN_BLOCK, x.len() / kernel::SCAN_BLOCK * kernel::SCAN_BLOCK);
    let mut sums = vec![T::ZERO; whole / kernel::SCAN_BLOCK * kernel::SCAN_PARTS];
    for_each_piece(&mut sums, BLOCKS * kernel::SCAN_PARTS, kernel::SCAN_BLOCK / kernel::SCAN_PARTS, |i, sums| {
        let count = sums.len() / kernel::SCAN_PARTS * kernel::SCAN_BLOCK;
        kernel::scan_parts(isa(), &x[i * piece..][..count], sums);
    });
    let mut total = -T::ZERO;
    for sums in sums.chunks_exact_mut(kernel::SCAN_PARTS) {
        let before = total;
        total = sums.iter().fold(total, |total, &sum| total + sum);
        sums[0] = before;
    }
    for_each_piece(out, piece, 2, |i, out| {
        let before = sums.get(i * BLOCKS * kernel::SCAN_PARTS).copied().unwrap_or(total);
        kernel::cumsum_from(isa(), &x[i * piece..][..out.len()], before, out);
    });
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
