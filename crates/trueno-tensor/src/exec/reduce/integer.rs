//! Reductions of integers and truth values.

use super::frame::Frame;
use super::real::fold;
use crate::exec::isa::isa;
use crate::exec::{movement, unsupported};
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use trueno_core::table::{ReduceOp, ReduceResult};
use trueno_core::{DType, Element, Result, dispatch_dtype};
use trueno_kernels::reduce as kernel;

/// Integer and truth-value reductions, whose sums are `i64`, as in NumPy. Extremes of truth values are the bytes that they are.
pub(super) fn reduce_int(op: ReduceOp, frame: &Frame<'_>) -> Result<Buffer> {
    let widen = op.result() == ReduceResult::Sum;
    let wide;
    let x = match widen {
        true => {
            wide = movement::cast(&frame.x, DType::I64)?;
            &wide
        }
        false => &*frame.x,
    };
    // Truth values are read as the bytes that they are.
    let readable = if x.dtype() == DType::Bool { DType::U8 } else { x.dtype() };
    dispatch_dtype!(readable, int T => {
        let elements = &x.storage().as_slice::<T>()[x.layout().offset()..][..x.size()];
        let mut buffer = Buffer::new(op.name(), T::DTYPE, frame.partial())?;
        let out = buffer.as_mut_slice::<T>();
        reduce_int_frame(op, elements, frame, out);
        let mut count = out.len();
        for &[length, inner] in &frame.folds {
            let mut acc = vec![T::default(); inner];
            fold(&mut out[..count], [length, inner], |block| {
                kernel::reduce_int(isa(), op, block, &mut acc);
                block[..inner].copy_from_slice(&acc);
            });
            count /= length;
        }
        if count == out.len() { Ok(buffer) } else { Buffer::from_slice(op.name(), &out[..count]) }
    }, else Err(unsupported(op.name(), x.dtype(), "it takes numbers; cast it first")))
}

/// Integers of a long row that one thread reduces at a time.
const INTEGERS: usize = 1 << 16;

/// The middle of a frame. What integers are mapped to stays as it is when it is reduced again, so blocks join by the same kernel.
fn reduce_int_frame<T: kernel::IntegerReduction>(op: ReduceOp, elements: &[T], frame: &Frame<'_>, out: &mut [T]) {
    let size = frame.length * frame.inner;
    if out.len() == 1 && size > INTEGERS {
        let mut partial = vec![T::default(); size.div_ceil(INTEGERS)];
        for_each_piece(&mut partial, 1, INTEGERS, |block, part| {
            let start = block * INTEGERS;
            kernel::reduce_int(isa(), op, &elements[start..size.min(start + INTEGERS)], part);
        });
        return kernel::reduce_int(isa(), op, &partial, out);
    }
    let inner = frame.inner.max(1);
    let together = piece_size(frame.outer, size.max(1));
    for_each_piece(out, together * inner, frame.length, |index, out| {
        for (i, out) in out.chunks_mut(inner).enumerate() {
            let start = (index * together + i) * size;
            kernel::reduce_int(isa(), op, &elements[start..start + size], out);
        }
    });
}
