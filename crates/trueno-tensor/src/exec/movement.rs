//! Operations that move elements: copies, casts, joins, borders.

use super::isa::isa;
use super::mixed;
use super::operand::{BLOCK, RowMajor, Source};
use super::transpose::Transposed;
use crate::DynTensor;
use crate::dyn_tensor::checked_size;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use trueno_core::{Collapsed, DType, Dims, Element, Error, Layout, Result, SliceItem, dispatch_dtype};
use trueno_kernels::{Operand, Plane, copy_plane, elementwise as kernel};

/// A row-major copy in memory of its own.
pub(crate) fn copy(op: &'static str, x: &DynTensor) -> Result<DynTensor> {
    let size = x.size();
    dispatch_dtype!(x.dtype(), all T => {
        let mut buffer = Buffer::new(op, T::DTYPE, size)?;
        if size > 0 {
            let walk = Collapsed::new([x.layout()]);
            let (elements, out) = (x.storage().as_slice::<T>(), buffer.as_mut_slice::<T>());
            if let Some(transposed) = Transposed::new(&walk) {
                transposed.copy(elements, out);
            } else {
                let source = Source::<T>::new(x, x.layout());
                let piece = piece_size(size, 2);
                for_each_piece(out, piece, 2, |index, part| source.copy(index * piece, part));
            }
        }
        Ok(DynTensor::from_buffer(buffer, x.shape()))
    })
}

/// The tensor itself if it is row-major, else a copy that is.
pub(crate) fn contiguous(x: &DynTensor) -> Result<RowMajor<'_>> {
    if x.layout().is_contiguous() {
        return Ok(RowMajor::Lent(x));
    }
    copy("contiguous", x).map(|copy| RowMajor::Owned(Box::new(copy)))
}

/// The same elements in another shape: a view where strides allow, else a copy.
pub(crate) fn reshape(shape: &[usize], x: &DynTensor) -> Result<DynTensor> {
    reshape_with(shape, x, |x| copy("reshape", x))
}

/// As [`reshape`], with the device's own way to copy.
pub(crate) fn reshape_with(
    shape: &[usize],
    x: &DynTensor,
    copied: impl FnOnce(&DynTensor) -> Result<DynTensor>,
) -> Result<DynTensor> {
    if x.size() != checked_size("reshape", shape)? {
        let reason = format!("({} elements) cannot become {shape:?}", x.size());
        return Err(Error::Shape { op: "reshape", got: x.shape().into(), reason: reason.into() });
    }
    match x.layout().reshape(shape) {
        Some(layout) => Ok(x.view(layout)),
        None => Ok(copied(x)?.view(Layout::contiguous(shape))),
    }
}

/// The same elements in another type.
pub(crate) fn cast(x: &DynTensor, dtype: DType) -> Result<DynTensor> {
    if x.dtype() == dtype {
        return Ok(x.detach());
    }
    let mut buffer = Buffer::new("cast", dtype, x.size())?;
    if x.size() > 0 {
        dispatch_dtype!(x.dtype(), all T => dispatch_dtype!(dtype, all U => {
            convert::<T, U>(x, buffer.as_mut_slice::<U>());
        }));
    }
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}

fn convert<T: Element, U: Element>(x: &DynTensor, out: &mut [U]) {
    let source = Source::<T>::new(x, x.layout());
    let piece = piece_size(out.len(), 2);
    for_each_piece(out, piece, 2, |index, part| {
        let mut scratch = [T::default(); BLOCK];
        let start = index * piece;
        for (block, out) in part.chunks_mut(BLOCK).enumerate() {
            match source.block(start + block * BLOCK, out.len(), &mut scratch) {
                Operand::Slice(elements) => kernel::convert(isa(), elements, out),
                Operand::Scalar(value) => {
                    kernel::convert(isa(), &[value], &mut out[..1]);
                    let value = out[0];
                    out.fill(value);
                }
                Operand::InPlace => unreachable!("a source has elements of its own"),
            }
        }
    });
}

/// Writes `x` into the part of `out`, of row-major shape, that `window` lays out.
fn write_window<T: Element>(out: &mut [T], window: &Layout, x: &DynTensor) {
    if x.size() == 0 {
        return;
    }
    let walk = Collapsed::new([window, x.layout()]);
    let elements = x.storage().as_slice::<T>();
    let axes = walk.shape().len();
    let rows = if axes > 1 { walk.shape()[axes - 2] } else { 1 };
    let steps = walk.strides().each_ref().map(|steps| [if axes > 1 { steps[axes - 2] } else { 0 }, steps[axes - 1]]);
    for run in (0..walk.outer()).step_by(rows) {
        let [to, from] = walk.run_offsets(run);
        let (to, from) = (Plane { first: to, steps: steps[0] }, Plane { first: from, steps: steps[1] });
        copy_plane(isa(), elements, from, out, to, [rows, walk.inner()]);
    }
}

/// The shape of what is joined along an axis.
pub(super) fn concat_shape(axis: usize, shapes: &[&[usize]]) -> Result<Dims> {
    let first = shapes[0];
    let mut joined = Dims::from_slice(first);
    for shape in &shapes[1..] {
        let fits = shape.len() == first.len() && (0..first.len()).all(|i| i == axis || shape[i] == first[i]);
        if !fits {
            let reason = format!("all axes but {axis} must be equal").into();
            return Err(Error::ShapePair { op: "concat", lhs: first.into(), rhs: (*shape).into(), reason });
        }
        let sum = joined[axis].checked_add(shape[axis]);
        joined[axis] = sum.ok_or(Error::OutOfMemory { op: "concat", bytes: usize::MAX })?;
    }
    Ok(joined)
}

/// Tensors joined along an axis.
pub(crate) fn concat(axis: usize, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let first = inputs[0];
    let shape = concat_shape(axis, &inputs.iter().map(|x| x.shape()).collect::<Vec<_>>())?;
    if let Some(other) = inputs.iter().find(|x| x.dtype() != first.dtype()) {
        return Err(mixed("concat", first.dtype(), other.dtype()));
    }
    let mut buffer = Buffer::new("concat", first.dtype(), checked_size("concat", &shape)?)?;
    if buffer.len() > 0 {
        dispatch_dtype!(first.dtype(), all T => Joined::<T>::new(axis, inputs).write(buffer.as_mut_slice::<T>()));
    }
    Ok(DynTensor::from_buffer(buffer, &shape))
}

/// Elements of a part of a row that is narrow.
const NARROW: usize = 64;

/// Tensors joined along an axis, as rows that hold a part of each.
struct Joined<'a, T> {
    /// Where each part ends in a row, and what it is from.
    parts: Vec<(usize, Source<'a, T>)>,
    width: usize,
}

impl<'a, T: Element> Joined<'a, T> {
    /// The tensors that have any elements.
    fn new(axis: usize, inputs: &[&'a DynTensor]) -> Joined<'a, T> {
        let mut width = 0;
        let part = |x: &&'a DynTensor| {
            width += x.shape()[axis..].iter().product::<usize>();
            (width, Source::new(x, x.layout()))
        };
        let parts = inputs.iter().filter(|x| x.size() > 0).map(part).collect();
        Joined { parts, width }
    }

    /// Writes all rows, on several threads if that pays.
    fn write(&self, out: &mut [T]) {
        let starts = std::iter::once(0).chain(self.parts.iter().map(|&(end, _)| end));
        let widest = starts.zip(&self.parts).map(|(start, (end, _))| end - start).max().unwrap_or(0);
        if widest <= NARROW { self.write_narrow(widest, out) } else { self.write_wide(out) }
    }

    /// Writes a block of rows at a time, and in it one operand after the other: a part has too few elements to be looked for by itself.
    fn write_narrow(&self, widest: usize, out: &mut [T]) {
        let rows = (BLOCK / widest).min(8 * BLOCK / self.width).max(1);
        let together = piece_size(out.len(), 2).div_ceil(self.width * rows) * rows;
        for_each_piece(out, together * self.width, 2, |index, out| {
            let mut scratch = [T::default(); BLOCK];
            for (block, out) in out.chunks_mut(rows * self.width).enumerate() {
                let (row, count) = (index * together + block * rows, out.len() / self.width);
                let mut start = 0;
                for (end, source) in &self.parts {
                    let width = end - start;
                    let to = Plane { first: start, steps: [self.width as isize, 1] };
                    let block = source.block(row * width, count * width, &mut scratch);
                    let (elements, steps) = match &block {
                        Operand::Slice(elements) => (*elements, [width as isize, 1]),
                        Operand::Scalar(value) => (std::slice::from_ref(value), [0, 0]),
                        Operand::InPlace => unreachable!("a source has elements of its own"),
                    };
                    copy_plane(isa(), elements, Plane { first: 0, steps }, out, to, [count, width]);
                    start = *end;
                }
            }
        });
    }

    /// Writes part after part.
    fn write_wide(&self, out: &mut [T]) {
        let piece = piece_size(out.len(), 2);
        for_each_piece(out, piece, 2, |index, out| {
            let (mut row, mut within) = (index * piece / self.width, index * piece % self.width);
            let mut part = self.parts.partition_point(|&(end, _)| end <= within);
            let mut rest = out;
            while !rest.is_empty() {
                let (end, source) = &self.parts[part];
                let start = if part == 0 { 0 } else { self.parts[part - 1].0 };
                let (head, tail) = rest.split_at_mut(rest.len().min(end - within));
                source.copy(row * (end - start) + within - start, head);
                within += head.len();
                if within == self.width {
                    (row, within, part) = (row + 1, 0, 0);
                } else {
                    part += 1;
                }
                rest = tail;
            }
        });
    }
}

/// A shape with a border.
pub(super) fn padded_shape(shape: &[usize], widths: &[[usize; 2]]) -> Result<Dims> {
    if widths.len() != shape.len() {
        let reason = format!("{} pairs of widths for shape {shape:?}; one pair per axis is needed", widths.len());
        return Err(Error::Argument { op: "pad", reason: reason.into() });
    }
    let sum = |size: usize, [before, after]: [usize; 2]| size.checked_add(before)?.checked_add(after);
    let sizes = shape.iter().zip(widths).map(|(&size, &width)| sum(size, width));
    sizes.collect::<Option<_>>().ok_or(Error::OutOfMemory { op: "pad", bytes: usize::MAX })
}

/// Fills what lies around the part of `out`, of row-major `shape`, that is left without so many places on both sides of each axis.
fn fill_border<T: Element>(out: &mut [T], shape: &[usize], widths: &[[usize; 2]], value: T) {
    let Some((&[before, after], inner)) = widths.split_first() else { return };
    if out.is_empty() {
        return;
    }
    let step = out.len() / shape[0];
    let (head, rest) = out.split_at_mut(before * step);
    let (middle, tail) = rest.split_at_mut(rest.len() - after * step);
    head.fill(value);
    tail.fill(value);
    if inner.iter().any(|width| *width != [0, 0]) {
        middle.chunks_mut(step).for_each(|out| fill_border(out, &shape[1..], inner, value));
    }
}

/// A border of a constant.
pub(crate) fn pad(widths: &[[usize; 2]], value: f64, x: &DynTensor) -> Result<DynTensor> {
    let shape = padded_shape(x.shape(), widths)?;
    let size = checked_size("pad", &shape)?;
    let mut window = Layout::contiguous(&shape);
    for (axis, [before, _]) in widths.iter().enumerate() {
        window = window.narrow("pad", axis as isize, *before, x.shape()[axis])?;
    }
    let mut buffer = Buffer::new("pad", x.dtype(), size)?;
    dispatch_dtype!(x.dtype(), all T => {
        let out = buffer.as_mut_slice::<T>();
        fill_border(out, &shape, widths, T::from_f64(value));
        write_window::<T>(out, &window, x);
    });
    Ok(DynTensor::from_buffer(buffer, &shape))
}

/// Zeros of `shape`, with the part that `items` select replaced by `x`.
pub(crate) fn slice_scatter(shape: &[usize], items: &[SliceItem], x: &DynTensor) -> Result<DynTensor> {
    let size = checked_size("slice_scatter", shape)?;
    let window = Layout::contiguous(shape).slice("slice_scatter", items)?;
    if window.shape() != x.shape() {
        let reason = "the slice and the value must have one shape".into();
        let (lhs, rhs) = (window.shape().into(), x.shape().into());
        return Err(Error::ShapePair { op: "slice_scatter", lhs, rhs, reason });
    }
    let mut buffer = Buffer::zeros("slice_scatter", x.dtype(), size)?;
    dispatch_dtype!(x.dtype(), all T => write_window::<T>(buffer.as_mut_slice::<T>(), &window, x));
    Ok(DynTensor::from_buffer(buffer, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(shape: &[usize]) -> DynTensor {
        let size: usize = shape.iter().product();
        DynTensor::from_slice(&(0..size).map(|i| i as i64).collect::<Vec<_>>(), shape).unwrap()
    }

    #[test]
    fn copies_follow_strides() {
        let x = ramp(&[2, 3]).transpose().unwrap();
        assert_eq!(copy("test", &x).unwrap().to_vec::<i64>().unwrap(), [0, 3, 1, 4, 2, 5]);
        let flipped = ramp(&[2, 3]).flip(&[1]).unwrap();
        assert_eq!(flipped.to_vec::<i64>().unwrap(), [2, 1, 0, 5, 4, 3]);
    }

    #[test]
    fn casts_round_truncate_and_test() {
        let x = DynTensor::from_slice(&[0.0_f64, 1.9, -1.9, 300.0], &[4]).unwrap();
        assert_eq!(cast(&x, DType::I32).unwrap().to_vec::<i32>().unwrap(), [0, 1, -1, 300]);
        assert_eq!(cast(&x, DType::Bool).unwrap().to_vec::<bool>().unwrap(), [false, true, true, true]);
        let wide = x.unsqueeze(0).unwrap().broadcast_to(&[3, 4]).unwrap().transpose().unwrap();
        assert_eq!(cast(&wide, DType::F32).unwrap().to_vec::<f32>().unwrap()[3..6], [1.9; 3]);
        let big = DynTensor::from_slice(&[(1_i64 << 53) + 1], &[1]).unwrap();
        assert_eq!(cast(&big, DType::I64).unwrap().to_vec::<i64>().unwrap(), [(1 << 53) + 1]);
    }

    #[test]
    fn joins_and_borders_place_their_operands() {
        let (a, b) = (ramp(&[2, 1]), ramp(&[2, 2]).transpose().unwrap());
        let joined = concat(1, &[&a, &b]).unwrap();
        assert_eq!(joined.to_vec::<i64>().unwrap(), [0, 0, 2, 1, 1, 3]);
        let padded = pad(&[[1, 0], [0, 2]], 9.0, &ramp(&[1, 2])).unwrap();
        assert_eq!(padded.to_vec::<i64>().unwrap(), [9, 9, 9, 9, 0, 1, 9, 9]);
        assert!(concat(0, &[&a, &b]).is_err());
    }

    /// The elements by index arithmetic alone, of whatever type they are.
    fn slowly(x: &DynTensor) -> Vec<f64> {
        let all = x.view(Layout::contiguous(&[x.storage().len()]));
        let all = cast(&all, DType::F64).unwrap().to_vec::<f64>().unwrap();
        let at = |mut position: usize| {
            let axes = x.shape().iter().zip(x.layout().strides()).rev();
            let steps = axes.map(|(&size, &stride)| {
                let index = position % size;
                position /= size;
                index as isize * stride
            });
            all[(x.layout().offset() as isize + steps.sum::<isize>()) as usize]
        };
        (0..x.size()).map(at).collect()
    }

    const TYPES: [DType; 5] = [DType::Bool, DType::U8, DType::F16, DType::F32, DType::I64];

    #[test]
    fn views_of_every_kind_are_copied() {
        for dtype in TYPES {
            let x = cast(&ramp(&[3, 50, 7, 6]), dtype).unwrap();
            let views = [
                x.flip(&[3]).unwrap(),
                x.flip(&[0, 1, 2, 3]).unwrap(),
                x.flip(&[1]).unwrap(),
                x.permute(&[0, 2, 1, 3]).unwrap(),
                x.permute(&[3, 2, 0, 1]).unwrap().flip(&[3]).unwrap(),
                x.narrow(3, 1, 2).unwrap(),
                x.narrow(3, 5, 1).unwrap(),
                x.slice(&[SliceItem::FULL, SliceItem::Range { start: None, stop: None, step: -3 }]).unwrap(),
                x.slice(&[SliceItem::Ellipsis, SliceItem::Range { start: None, stop: None, step: 2 }]).unwrap(),
                x.unsqueeze(4).unwrap().broadcast_to(&[3, 50, 7, 6, 2]).unwrap(),
                x.unsqueeze(4).unwrap().broadcast_to(&[3, 50, 7, 6, 11]).unwrap(),
                x.unsqueeze(1).unwrap().broadcast_to(&[3, 2, 50, 7, 6]).unwrap().narrow(2, 1, 7).unwrap(),
                x.narrow(1, 3, 0).unwrap(),
            ];
            for view in views {
                let want = slowly(&view);
                let got = cast(&copy("test", &view).unwrap(), DType::F64).unwrap().to_vec::<f64>().unwrap();
                assert_eq!(got, want, "{view:?}");
                // Positions that begin and end within runs.
                let flat = copy("test", &view).unwrap().reshape_to(&[view.size()]).unwrap();
                let joined = concat(0, &[&flat, &flat]).unwrap();
                assert_eq!(slowly(&joined), [want.clone(), want].concat(), "{view:?}");
            }
        }
    }

    #[test]
    fn parts_of_any_width_are_joined() {
        for dtype in TYPES {
            for widths in [vec![1, 1], vec![1, 2, 3], vec![64, 1], vec![65, 1], vec![0, 5], vec![1; 100], vec![1200, 3]]
            {
                let part = |(i, &width): (usize, &usize)| {
                    let x = ramp(&[width, 70]).binary_scalar(trueno_core::table::BinaryOp::Add, i as f64).unwrap();
                    cast(&x.transpose().unwrap(), dtype).unwrap()
                };
                let mut parts: Vec<DynTensor> = widths.iter().enumerate().map(part).collect();
                parts[0] = copy("contiguous", &parts[0]).unwrap();
                let still = parts[1].narrow(0, 0, 1).unwrap().narrow(1, 0, 1).unwrap();
                parts.push(still.broadcast_to(&[70, 1]).unwrap());
                let joined = concat(1, &parts.iter().collect::<Vec<_>>()).unwrap();
                let rows: Vec<Vec<f64>> = parts.iter().map(slowly).collect();
                let row = |r: usize| {
                    rows.iter().flat_map(move |part| part[r * part.len() / 70..(r + 1) * part.len() / 70].to_vec())
                };
                assert_eq!(slowly(&joined), (0..70).flat_map(row).collect::<Vec<_>>(), "{widths:?}");
            }
        }
    }

    #[test]
    fn borders_lie_around_and_nowhere_else() {
        let x = ramp(&[4, 3, 5]).permute(&[1, 0, 2]).unwrap().flip(&[2]).unwrap();
        let all =
            [[[0, 0], [0, 0], [0, 0]], [[1, 2], [0, 0], [0, 0]], [[0, 1], [2, 0], [3, 1]], [[0, 0], [0, 2], [1, 0]]];
        for widths in all {
            for x in [&x, &x.narrow(1, 2, 0).unwrap()] {
                let padded = pad(&widths, -7.0, x).unwrap();
                let mut inside = padded.clone();
                for (axis, [before, _]) in widths.iter().enumerate() {
                    inside = inside.narrow(axis as isize, *before, x.shape()[axis]).unwrap();
                }
                assert_eq!(slowly(&inside), slowly(x), "{widths:?}");
                let outside = slowly(&padded).into_iter().filter(|&value| value == -7.0).count();
                assert_eq!(outside, padded.size() - x.size(), "{widths:?}");
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let [a, b] = [300, 400].map(|size| ramp(&[size, 700]).transpose().unwrap().flip(&[0]).unwrap());
        crate::exec::fixtures::assert_threads_agree(|| copy("test", &a.flip(&[1]).unwrap()).unwrap());
        crate::exec::fixtures::assert_threads_agree(|| concat(1, &[&a, &b]).unwrap());
        let columns = [&a, &a].map(|x| x.unsqueeze(2).unwrap());
        crate::exec::fixtures::assert_threads_agree(|| concat(2, &[&columns[0], &columns[1]]).unwrap());
    }

    #[test]
    fn slice_scatter_undoes_slice() {
        let items = [SliceItem::Range { start: None, stop: None, step: -2 }];
        let part = ramp(&[5]).slice(&items).unwrap();
        let back = slice_scatter(&[5], &items, &part).unwrap();
        assert_eq!(back.to_vec::<i64>().unwrap(), [0, 0, 2, 0, 4]);
    }
}
