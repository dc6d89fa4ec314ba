//! Reductions: axes become `[outer, reduced, inner]`, kernels accumulate blocks, blocks join in a fixed tree.

use super::isa::isa;
use super::{movement, unsupported};
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Extreme, Reduction};
use std::ops::Range;
use trueno_core::table::{ReduceOp, ReduceResult};
use trueno_core::{DType, Dims, Element, Error, Result, dispatch_dtype};
use trueno_kernels::reduce as kernel;
use trueno_kernels::simd::Real;

/// The shape of a reduction's result.
pub(super) fn reduced_shape(shape: &[usize], axes: &[usize], keep_dims: bool) -> Dims {
    let reduced = |axis: usize| axes.contains(&axis);
    let sizes = shape.iter().enumerate().filter(|&(axis, _)| keep_dims || !reduced(axis));
    sizes.map(|(axis, &size)| if reduced(axis) { 1 } else { size }).collect()
}

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
        let shape = reduced_shape(x.shape(), axes, keep_dims);
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
fn of_blocks<T: Real>(length: usize, reduce: impl Fn(Range<usize>) -> T + Sync + Send) -> Vec<T> {
    let mut partial = vec![T::ZERO; length.div_ceil(kernel::BLOCK)];
    for_each_piece(&mut partial, 1, kernel::BLOCK, |block, part| {
        let start = block * kernel::BLOCK;
        part[0] = reduce(start..length.min(start + kernel::BLOCK));
    });
    partial
}

/// The sum of the products of two rows of one length.
pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    if a.len() <= kernel::BLOCK {
        return kernel::dot(isa(), a, b);
    }
    let mut partial = of_blocks(a.len(), |block| kernel::dot(isa(), &a[block.clone()], &b[block]));
    join_pairwise(ReduceOp::Sum, &mut partial, 1);
    partial.first().copied().unwrap_or(T::ZERO)
}

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
    let extremes = of_blocks(row.len(), |block| {
        let (block, mut acc) = (&row[block], [T::ZERO]);
        kernel::accumulate_rows(isa(), op, block, block.len(), None, &mut acc);
        acc[0]
    });
    let start = within(&extremes) as usize * kernel::BLOCK;
    start as i64 + within(&row[start..row.len().min(start + kernel::BLOCK)])
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
        if frame.inner == 1 && frame.length > kernel::BLOCK {
            for (out, row) in out.iter_mut().zip(elements.chunks_exact(frame.length)) {
                *out = position(extreme, row);
            }
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

#[cfg(test)]
mod tests {
    use crate::exec::fixtures::{assert_close, assert_threads_agree, numbers, single, values};
    use crate::{DynTensor, Extreme};

    /// Rows of several blocks and a part of one.
    const LONG: usize = 5 * super::kernel::BLOCK + 77;

    #[test]
    fn positions_in_long_rows_are_of_the_first_extreme() {
        let mut row: Vec<f64> = (0..LONG).map(|i| ((i * 37) % 1009) as f64).collect();
        let expect = |row: &[f64], extreme, want: &[i64]| {
            let x = DynTensor::from_slice(row, &[want.len(), row.len() / want.len()]).unwrap();
            assert_eq!(x.arg_reduce(extreme, 1, false).unwrap().to_vec::<i64>().unwrap(), want);
        };
        for place in [super::kernel::BLOCK + 3, super::kernel::BLOCK - 1, 0] {
            row[place] = 5000.0;
            row[place + 1] = -1.0;
            expect(&row, Extreme::Max, &[place as i64]);
            expect(&row, Extreme::Min, &[place as i64 + 1]);
        }
        row[LONG - 1] = f64::NAN;
        expect(&row, Extreme::Max, &[LONG as i64 - 1]);
        let two = [row.clone(), row.iter().map(|v| -v).collect()].concat();
        expect(&two, Extreme::Min, &[LONG as i64 - 1, LONG as i64 - 1]);
    }

    #[test]
    fn products_of_long_vectors_are_sums_of_products() {
        let (a, b) = (numbers(&[LONG]), numbers(&[LONG + 3]).narrow(0, 3, LONG).unwrap());
        let want: f64 = values(&a).iter().zip(values(&b)).map(|(a, b)| a * b).sum();
        assert_close(&a.matmul(&b).unwrap(), &[want], 1e-12);
        let flipped = b.flip(&[0]).unwrap();
        let want = values(&a).iter().zip(values(&flipped)).map(|(a, b)| a * b).sum();
        assert_close(&a.matmul(&flipped).unwrap(), &[want], 1e-12);
        let [x, y] = single([&a, &b]);
        assert_threads_agree(|| x.matmul(&y).unwrap());
        assert_close(&numbers(&[0]).matmul(&numbers(&[0])).unwrap(), &[0.0], 0.0);
    }
}
