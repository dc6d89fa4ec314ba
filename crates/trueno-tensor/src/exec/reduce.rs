//! Reductions: axes become `[outer, reduced, inner]`, kernels accumulate blocks, blocks join in a fixed tree.

use super::isa::isa;
use super::{movement, unsupported};
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Extreme, Reduction};
use trueno_core::table::{ReduceOp, ReduceResult};
use trueno_core::{DType, Dims, Element, Error, Result, dispatch_dtype};
use trueno_kernels::reduce as kernel;
use trueno_kernels::simd::Real;

/// How a reduction sees its operand: row-major `[outer, length, inner]`, reduced over the middle.
struct Frame {
    x: DynTensor,
    outer: usize,
    length: usize,
    inner: usize,
    shape: Dims,
}

impl Frame {
    /// Moves the reduced axes together (by a copy if they are not already) and drops or keeps them in the result's shape.
    fn new(x: &DynTensor, axes: &[usize], keep_dims: bool) -> Result<Frame> {
        let reduced = |axis: &usize| axes.contains(axis);
        let shape =
            (0..x.rank()).filter(|a| keep_dims || !reduced(a)).map(|a| if reduced(&a) { 1 } else { x.shape()[a] });
        let shape: Dims = shape.collect();
        let adjacent = axes.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let product = |axes: std::ops::Range<usize>| x.shape()[axes].iter().product::<usize>();
        if let (true, Some(&first)) = (adjacent, axes.first()) {
            let end = first + axes.len();
            let (outer, length, inner) = (product(0..first), product(first..end), product(end..x.rank()));
            return Ok(Frame { x: movement::contiguous(x)?, outer, length, inner, shape });
        }
        let order: Vec<isize> =
            (0..x.rank()).filter(|a| !reduced(a)).chain(axes.iter().copied()).map(|a| a as isize).collect();
        let moved = x.view(x.layout().permute("reduce", &order)?);
        let length: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
        let outer = x.size().checked_div(length).unwrap_or_else(|| shape.iter().product());
        Ok(Frame { x: movement::contiguous(&moved)?, outer, length, inner: 1, shape })
    }

    fn results(&self) -> usize {
        self.outer * self.inner
    }
}

/// An extreme of nothing does not exist.
fn refuse_empty(op: &'static str, x: &DynTensor, length: usize) -> Result<()> {
    if length == 0 {
        return Err(Error::Shape { op, got: x.shape().into(), reason: "has no element along the reduced axes".into() });
    }
    Ok(())
}

pub(crate) fn reduce(reduction: &Reduction, x: &DynTensor) -> Result<DynTensor> {
    let op = reduction.op;
    let frame = Frame::new(x, &reduction.axes, reduction.keep_dims)?;
    if op.refuses_empty() {
        refuse_empty(op.name(), x, if frame.results() == 0 { 1 } else { frame.length })?;
    }
    let result = match x.dtype() {
        DType::F32 | DType::F64 => dispatch_dtype!(x.dtype(), real T => {
            reduce_real::<T>(op, reduction.correction, &frame)
        }, else Err(unsupported(op.name(), x.dtype(), "it takes floats"))),
        _ if !op.info().integers => Err(unsupported(op.name(), x.dtype(), "it takes floats; cast it first")),
        _ => reduce_int(op, &frame),
    }?;
    let result = result.view(trueno_core::Layout::contiguous(&frame.shape));
    match op.result() {
        ReduceResult::Truth => movement::cast(&result, DType::Bool),
        ReduceResult::Same | ReduceResult::Sum => Ok(result),
    }
}

fn reduce_real<T: Real>(op: ReduceOp, correction: f64, frame: &Frame) -> Result<DynTensor> {
    let centers = match op.centered() {
        true => Some(reduce_real::<T>(ReduceOp::Mean, 0.0, frame)?),
        false => None,
    };
    let centers = centers.as_ref().and_then(|c| c.as_slice::<T>());
    let elements = frame.x.as_slice::<T>().unwrap_or(&[]);
    let mut buffer = Buffer::new(op.name(), T::DTYPE, frame.results())?;
    let out = buffer.as_mut_slice::<T>();
    if frame.inner == 1 {
        rows(op, elements, frame.length, centers, out);
    } else {
        for (i, out) in out.chunks_mut(frame.inner.max(1)).enumerate() {
            let elements = &elements[i * frame.length * frame.inner..][..frame.length * frame.inner];
            columns(op, elements, centers.map(|c| &c[i * frame.inner..][..frame.inner]), out);
        }
    }
    kernel::finish(isa(), op, frame.length, correction, out);
    Ok(DynTensor::from_buffer(buffer, &[frame.results()]))
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
    let blocks = length.div_ceil(kernel::BLOCK);
    let mut partial = vec![T::ZERO; blocks];
    for (row, out) in out.iter_mut().enumerate() {
        let elements = &elements[row * length..][..length];
        let center = centers.map(|c| &c[row..row + 1]);
        for_each_piece(&mut partial, 1, kernel::BLOCK, |block, part| {
            let start = block * kernel::BLOCK;
            let len = kernel::BLOCK.min(length - start);
            kernel::accumulate_rows(isa(), op, &elements[start..start + len], len, center, part);
        });
        join_pairwise(op, &mut partial, 1);
        *out = partial[0];
    }
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

/// Integer and truth-value reductions, whose sums are `i64`, as in NumPy.
fn reduce_int(op: ReduceOp, frame: &Frame) -> Result<DynTensor> {
    let widen = op.result() == ReduceResult::Sum;
    let x = match frame.x.dtype() {
        _ if widen => movement::cast(&frame.x, DType::I64)?,
        DType::Bool => movement::cast(&frame.x, DType::U8)?,
        _ => frame.x.clone(),
    };
    let x = movement::contiguous(&x)?;
    let result = dispatch_dtype!(x.dtype(), int T => {
        let elements = x.as_slice::<T>().unwrap_or(&[]);
        let mut buffer = Buffer::new(op.name(), T::DTYPE, frame.results())?;
        for (i, out) in buffer.as_mut_slice::<T>().chunks_mut(frame.inner.max(1)).enumerate() {
            let elements = &elements[i * frame.length * frame.inner..][..frame.length * frame.inner];
            kernel::reduce_int(isa(), op, elements, out);
        }
        DynTensor::from_buffer(buffer, &[frame.results()])
    }, else return Err(unsupported(op.name(), x.dtype(), "it takes numbers; cast it first")));
    let narrow_back = frame.x.dtype() == DType::Bool && !widen;
    if narrow_back { movement::cast(&result, DType::Bool) } else { Ok(result) }
}

pub(crate) fn arg_reduce(extreme: Extreme, axis: usize, keep_dims: bool, x: &DynTensor) -> Result<DynTensor> {
    let op = extreme.position_name();
    let frame = Frame::new(x, &[axis], keep_dims)?;
    refuse_empty(op, x, if frame.results() == 0 { 1 } else { frame.length })?;
    let source = if x.dtype() == DType::Bool { movement::cast(&frame.x, DType::U8)? } else { frame.x.clone() };
    let source = movement::contiguous(&source)?;
    let mut buffer = Buffer::new(op, DType::I64, frame.results())?;
    let out = buffer.as_mut_slice::<i64>();
    let largest = extreme == Extreme::Max;
    let size = frame.length * frame.inner;
    dispatch_dtype!(source.dtype(), real T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        for_each_piece(out, frame.inner, frame.length, |i, out| {
            kernel::arg_columns(isa(), largest, &elements[i * size..][..size], out);
        });
    }, else dispatch_dtype!(source.dtype(), int T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        for_each_piece(out, frame.inner, frame.length, |i, out| {
            kernel::arg_int(isa(), largest, &elements[i * size..][..size], out);
        });
    }, else return Err(unsupported(op, x.dtype(), "it takes numbers; cast it first"))));
    Ok(DynTensor::from_buffer(buffer, &frame.shape))
}

/// Running sums along an axis.
pub(crate) fn cumsum(axis: usize, x: &DynTensor) -> Result<DynTensor> {
    let frame = Frame::new(x, &[axis], true)?;
    let widen = !x.dtype().is_float();
    let source = if widen { movement::cast(&frame.x, DType::I64)? } else { frame.x.clone() };
    let source = movement::contiguous(&source)?;
    let mut buffer = Buffer::new("cumsum", source.dtype(), x.size())?;
    let size = frame.length * frame.inner;
    dispatch_dtype!(source.dtype(), real T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        for_each_piece(buffer.as_mut_slice::<T>(), size, 2, |i, out| {
            kernel::cumsum(isa(), &elements[i * size..][..size], frame.inner, out);
        });
    }, else dispatch_dtype!(source.dtype(), int T => {
        let elements = source.as_slice::<T>().unwrap_or(&[]);
        for_each_piece(buffer.as_mut_slice::<T>(), size, 2, |i, out| {
            kernel::cumsum_int(isa(), &elements[i * size..][..size], frame.inner, out);
        });
    }, else return Err(unsupported("cumsum", x.dtype(), "it takes numbers; cast it first"))));
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}
