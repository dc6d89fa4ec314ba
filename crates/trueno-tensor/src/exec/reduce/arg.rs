//! Where the extremes are.

use super::frame::Frame;
use super::real::extremes_of_blocks;
use super::refuse_empty;
use crate::exec::isa::isa;
use crate::exec::{movement, unsupported};
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Extreme};
use trueno_core::table::ReduceOp;
use trueno_core::{DType, Result, dispatch_dtype};
use trueno_kernels::reduce as kernel;
use trueno_kernels::simd::Real;

/// Where the extreme of a row is: in the first of its blocks whose own extreme is that of all.
fn position<T: Real>(extreme: Extreme, row: &[T]) -> i64 {
    let (op, largest) = match extreme {
        Extreme::Max => (ReduceOp::Max, true),
        Extreme::Min => (ReduceOp::Min, false),
    };
    let within = |elements: &[T]| {
        let mut position = [0];
        kernel::arg_columns(isa(), largest, elements, &mut position);
        position[0]
    };
    let extremes = extremes_of_blocks(op, row);
    let start = within(&extremes) as usize * kernel::BLOCK;
    start as i64 + within(&row[start..row.len().min(start + kernel::BLOCK)])
}

pub(crate) fn arg_reduce(extreme: Extreme, axis: usize, keep_dims: bool, x: &DynTensor) -> Result<DynTensor> {
    let op = extreme.position_name();
    let frame = Frame::new(x, &[axis], keep_dims)?;
    refuse_empty(op, x, if frame.results() == 0 { 1 } else { frame.length })?;
    let bytes;
    let source = match x.dtype() {
        DType::Bool => {
            bytes = movement::cast(&frame.x, DType::U8)?;
            &bytes
        }
        _ => &*frame.x,
    };
    let mut buffer = Buffer::new(op, DType::I64, frame.results())?;
    let out = buffer.as_mut_slice::<i64>();
    let largest = extreme == Extreme::Max;
    let size = frame.length * frame.inner;
    dispatch_dtype!(source.dtype(), real T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        if frame.inner == 1 && frame.length > kernel::BLOCK {
            for (out, row) in out.iter_mut().zip(elements.chunks_exact(frame.length)) {
                *out = position(extreme, row);
            }
        } else if frame.inner == 1 {
            let together = piece_size(out.len(), frame.length);
            for_each_piece(out, together, frame.length, |i, out| {
                let rows = &elements[i * together * frame.length..][..out.len() * frame.length];
                kernel::arg_rows(isa(), largest, rows, frame.length, out);
            });
        } else {
            for_each_piece(out, frame.inner, frame.length, |i, out| {
                kernel::arg_columns(isa(), largest, &elements[i * size..][..size], out);
            });
        }
    }, else dispatch_dtype!(source.dtype(), int T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        for_each_piece(out, frame.inner, frame.length, |i, out| {
            kernel::arg_int(isa(), largest, &elements[i * size..][..size], out);
        });
    }, else return Err(unsupported(op, x.dtype(), "it takes numbers; cast it first"))));
    Ok(DynTensor::from_buffer(buffer, &frame.shape))
}
