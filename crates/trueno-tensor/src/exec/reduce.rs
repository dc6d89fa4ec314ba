//! Reductions: axes become `[outer, reduced, inner]`, kernels accumulate blocks, blocks join in a fixed tree.

use super::isa::isa;
use super::{movement, unsupported};
use crate::parallel::{for_each_piece, num_threads, piece_size};
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
    /// What is reduced once the middle is: the results that far as `[length, inner]`, each to `inner`, from there on as before.
    folds: Vec<[usize; 2]>,
    shape: Dims,
}

/// Inner axes this long are reduced by themselves where others are too: rows shorter than that cost more than to move them together.
const LONG: usize = 16;

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
            return Ok(Frame { x: movement::contiguous(x)?, outer, length, inner, folds: vec![], shape });
        }
        if let Some(frame) = Frame::by_groups(x, axes, &shape) {
            return Ok(frame);
        }
        let order: Vec<isize> =
            (0..x.rank()).filter(|a| !reduced(a)).chain(axes.iter().copied()).map(|a| a as isize).collect();
        let moved = x.view(x.layout().permute("reduce", &order)?);
        let length: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
        let outer = x.size().checked_div(length).unwrap_or_else(|| shape.iter().product());
        Ok(Frame { x: movement::contiguous(&moved)?, outer, length, inner: 1, folds: vec![], shape })
    }

    /// The innermost of several groups of adjacent axes first, and then the others, where that needs no copy and has long rows.
    fn by_groups(x: &DynTensor, axes: &[usize], shape: &Dims) -> Option<Frame> {
        let rank = x.rank();
        if rank == 0 || axes.last() != Some(&(rank - 1)) || x.size() == 0 || !x.layout().is_contiguous() {
            return None;
        }
        let kept = (0..rank).rev().find(|axis| !axes.contains(axis)).unwrap_or(0);
        let length: usize = x.shape()[kept + 1..].iter().product();
        if length < LONG {
            return None;
        }
        // From the inside out: a reduced axis of the results that far, and how many of them lie inside of it.
        let (mut folds, mut inner) = (Vec::new(), 1);
        for axis in (0..=kept).rev() {
            let size = x.shape()[axis];
            if axes.contains(&axis) {
                folds.push([size, inner]);
            } else {
                inner *= size;
            }
        }
        Some(Frame { x: x.detach(), outer: x.size() / length, length, inner: 1, folds, shape: shape.clone() })
    }

    /// Results before the folds.
    fn partial(&self) -> usize {
        self.outer * self.inner
    }

    fn results(&self) -> usize {
        self.folds.iter().fold(self.partial(), |count, [length, _]| count / length)
    }

    /// Elements that a result is made of.
    fn count(&self) -> usize {
        self.folds.iter().fold(self.length, |count, [length, _]| count * length)
    }
}

/// The same elements with axes in the order in which they lie in memory, and the reduced axes among these, if there is nothing
/// in between and the order of what is kept stays the same: where reduced axes stand, and whether they run backwards, makes no difference.
fn in_memory_order(x: &DynTensor, axes: &[usize]) -> Option<(DynTensor, Vec<usize>)> {
    if x.layout().is_contiguous() || x.size() == 0 {
        return None;
    }
    let mut layout = x.layout().clone();
    for &axis in axes {
        if layout.strides()[axis] < 0 {
            layout = layout.flip("reduce", &[axis as isize]).ok()?;
        }
    }
    let mut order: Vec<usize> = (0..x.rank()).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(layout.strides()[axis]));
    if !order.iter().filter(|axis| !axes.contains(axis)).is_sorted() {
        return None;
    }
    let moved: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
    let layout = layout.permute("reduce", &moved).ok().filter(|layout| layout.is_contiguous())?;
    let axes = (0..x.rank()).filter(|&at| axes.contains(&order[at])).collect();
    Some((x.view(layout), axes))
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
    let frame = match in_memory_order(x, &reduction.axes) {
        Some((moved, axes)) => {
            let shape = reduced_shape(x.shape(), &reduction.axes, reduction.keep_dims);
            Frame { shape, ..Frame::new(&moved, &axes, false)? }
        }
        None => Frame::new(x, &reduction.axes, reduction.keep_dims)?,
    };
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
    let centers = centers.as_ref().map(|c| spread(c.as_slice::<T>().unwrap_or(&[]), &frame.folds));
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
    let finished = if count == out.len() { buffer } else { Buffer::from_slice(op.name(), &out[..count])? };
    Ok(DynTensor::from_buffer(finished, &[count]))
}

/// Reduces each block `[length, inner]` of `partial` to its first row, which `join` makes the result, and moves these together.
fn fold<T: Copy>(partial: &mut [T], [length, inner]: [usize; 2], mut join: impl FnMut(&mut [T])) {
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
    let x = if widen { movement::cast(&frame.x, DType::I64)? } else { frame.x.clone() };
    let x = movement::contiguous(&x)?;
    // Truth values are read as the bytes that they are.
    let readable = if x.dtype() == DType::Bool { DType::U8 } else { x.dtype() };
    let result = dispatch_dtype!(readable, int T => {
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
        let finished = if count == out.len() { buffer } else { Buffer::from_slice(op.name(), &out[..count])? };
        DynTensor::from_buffer(finished, &[count])
    }, else return Err(unsupported(op.name(), x.dtype(), "it takes numbers; cast it first")));
    let narrow_back = frame.x.dtype() == DType::Bool && !widen;
    if narrow_back { movement::cast(&result, DType::Bool) } else { Ok(result) }
}

/// Integers of a long row that one thread reduces at a time.
const INTEGERS: usize = 1 << 16;

/// The middle of a frame. What integers are mapped to stays as it is when it is reduced again, so blocks join by the same kernel.
fn reduce_int_frame<T: kernel::IntegerReduction>(op: ReduceOp, elements: &[T], frame: &Frame, out: &mut [T]) {
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
    let widen = !x.dtype().is_float();
    let source = if widen { movement::cast(&frame.x, DType::I64)? } else { frame.x.clone() };
    let source = movement::contiguous(&source)?;
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

#[cfg(test)]
mod tests {
    use crate::exec::fixtures::{assert_close, assert_threads_agree, numbers, single, values};
    use crate::{DynTensor, Extreme};
    use trueno_core::DType;
    use trueno_core::table::{BinaryOp, CompareOp, ReduceOp};

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

    /// Sums over some axes, by index arithmetic alone.
    fn slow_sums(x: &DynTensor, axes: &[usize]) -> Vec<f64> {
        let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
        let mut sums = vec![0.0; kept.iter().map(|&axis| x.shape()[axis]).product()];
        for (i, value) in values(x).into_iter().enumerate() {
            let at = |axis: usize| i / x.shape()[axis + 1..].iter().product::<usize>() % x.shape()[axis];
            sums[kept.iter().fold(0, |place, &axis| place * x.shape()[axis] + at(axis))] += value;
        }
        sums
    }

    #[test]
    fn axes_in_any_order_and_direction_are_reduced() {
        let x = numbers(&[3, 5, 4, 17]);
        let views = [
            x.clone(),
            x.permute(&[3, 2, 1, 0]).unwrap(),
            x.permute(&[3, 0, 1, 2]).unwrap(),
            x.permute(&[0, 2, 1, 3]).unwrap(),
            x.flip(&[0, 3]).unwrap(),
            x.permute(&[3, 1, 0, 2]).unwrap().flip(&[0, 1, 2, 3]).unwrap(),
            x.narrow(1, 1, 3).unwrap(),
            x.narrow(0, 1, 1).unwrap().broadcast_to(&[3, 5, 4, 17]).unwrap(),
        ];
        let integers = |x: &DynTensor| x.binary_scalar(BinaryOp::Mul, 16.0).unwrap();
        for view in views {
            for axes in 0..16_usize {
                let axes: Vec<usize> = (0..4).filter(|axis| axes >> axis & 1 == 1).collect();
                let signed: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
                let want = slow_sums(&view, &axes);
                let got = view.reduce(ReduceOp::Sum, &signed, false, 0.0).unwrap();
                assert_close(&got, &want, 1e-12);
                let mean = view.reduce(ReduceOp::Mean, &signed, true, 0.0).unwrap();
                let count = view.size() as f64 / want.len() as f64;
                assert_close(&mean, &want.iter().map(|sum| sum / count).collect::<Vec<_>>(), 1e-12);
                let centered = view.binary(BinaryOp::Sub, &mean).unwrap();
                let squares = slow_sums(&centered.binary(BinaryOp::Mul, &centered).unwrap(), &axes);
                let var = view.reduce(ReduceOp::Var, &signed, false, 0.0).unwrap();
                assert_close(&var, &squares.iter().map(|sum| sum / count).collect::<Vec<_>>(), 1e-12);
                let whole = integers(&view).cast(DType::I32).unwrap();
                let sums = whole.reduce(ReduceOp::Sum, &signed, false, 0.0).unwrap();
                assert_close(&sums, &want.iter().map(|sum| sum * 16.0).collect::<Vec<_>>(), 0.0);
                let positive = view.compare(CompareOp::Gt, &view.constant(2.5).unwrap()).unwrap();
                let counts = slow_sums(&positive, &axes);
                let any = positive.reduce(ReduceOp::Any, &signed, false, 0.0).unwrap();
                assert_close(&any, &counts.iter().map(|&n| f64::from(n > 0.0)).collect::<Vec<_>>(), 0.0);
                let all = positive.reduce(ReduceOp::All, &signed, false, 0.0).unwrap();
                assert_close(&all, &counts.iter().map(|&n| f64::from(n == count)).collect::<Vec<_>>(), 0.0);
            }
        }
    }

    #[test]
    fn all_of_a_transposed_matrix_is_reduced_where_it_lies() {
        let x = numbers(&[300, 700]);
        let sum = |x: &DynTensor| x.reduce(ReduceOp::Sum, &[0, 1], false, 0.0).unwrap().item::<f64>().unwrap();
        assert_eq!(sum(&x.transpose().unwrap()).to_bits(), sum(&x).to_bits());
        assert!(super::in_memory_order(&x.transpose().unwrap(), &[0, 1]).is_some());
        assert!(super::in_memory_order(&x.transpose().unwrap(), &[0]).is_some());
        assert!(super::in_memory_order(&x.narrow(1, 0, 3).unwrap(), &[0, 1]).is_none());
        // What is kept would change places.
        let three = numbers(&[2, 3, 4]).permute(&[1, 0, 2]).unwrap();
        assert!(super::in_memory_order(&three, &[2]).is_none());
    }

    #[test]
    fn the_number_of_threads_changes_no_bit_of_reductions() {
        let [x, long] = single([&numbers(&[40, 30, 200]), &numbers(&[20 * super::kernel::SCAN_BLOCK + 1003])]);
        let over = |x: &DynTensor, op, axes: &[isize]| x.reduce(op, axes, false, 0.0).unwrap();
        assert_threads_agree(|| over(&x, ReduceOp::Std, &[0, 2]));
        assert_threads_agree(|| over(&x.permute(&[2, 0, 1]).unwrap(), ReduceOp::Sum, &[0, 1, 2]));
        assert_threads_agree(|| over(&x.cast(DType::I64).unwrap(), ReduceOp::Sum, &[0, 1, 2]));
        assert_threads_agree(|| over(&x.cast(DType::I32).unwrap(), ReduceOp::Max, &[1]));
        assert_threads_agree(|| x.arg_reduce(Extreme::Max, 2, false).unwrap());
        assert_threads_agree(|| long.cumsum(0).unwrap());
        let whole = long.narrow(0, 0, 16 * super::kernel::SCAN_BLOCK).unwrap();
        assert_threads_agree(|| whole.cumsum(0).unwrap());
        assert_threads_agree(|| whole.reshape_to(&[1, whole.size()]).unwrap().cumsum(1).unwrap());
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
