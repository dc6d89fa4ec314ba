//! Values put together: joined, given a border, or put where a slice of a larger value was.

mod program;
#[cfg(test)]
mod tests;
mod turn;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;
pub(crate) use turn::turned;

use program::{MOST_JOINED, slots};
use smallvec::SmallVec;
use trueno_core::{Dims, Error, Layout, Result, SliceItem};

use crate::dense::Dense;
use crate::elementwise::{fill, words_of};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::walk::{groups_of_fours, index};

/// Operands joined along an axis, row-major.
///
/// # Errors
/// [`Error::Argument`] for no operands; [`Error::Axis`], [`Error::ShapePair`], [`Error::DType`] for what does not fit; and what the
/// device refuses.
pub fn concat(inputs: &[&View<'_>], axis: usize) -> Result<Buffer> {
    let op = "concat";
    let [first, rest @ ..] = inputs else {
        return Err(Error::Argument { op, reason: "there is nothing to join".into() });
    };
    let (rank, dtype) = (first.shape().len(), first.buffer().dtype());
    if axis >= rank {
        return Err(Error::Axis { op, axis: axis as isize, rank });
    }
    for x in rest {
        let fits = x.shape().len() == rank && (0..rank).all(|i| i == axis || x.shape()[i] == first.shape()[i]);
        if !fits {
            let reason = format!("all axes but {axis} must be equal").into();
            return Err(Error::ShapePair { op, lhs: first.shape().into(), rhs: x.shape().into(), reason });
        }
        if x.buffer().dtype() != dtype {
            let expected = format!("the other operand is {dtype}; cast one of them").into();
            return Err(Error::DType { op, got: x.buffer().dtype(), expected });
        }
    }
    if inputs.len() <= MOST_JOINED {
        return join(inputs, axis);
    }
    let shape = |group: &[&View<'_>]| {
        let mut shape = Dims::from_slice(first.shape());
        shape[axis] = group.iter().map(|x| x.shape()[axis]).sum();
        shape
    };
    let groups = inputs.chunks(inputs.len().div_ceil(MOST_JOINED).max(MOST_JOINED));
    let joined = groups.map(|group| Ok((concat(group, axis)?, shape(group)))).collect::<Result<Vec<_>>>()?;
    let views = joined.iter().map(|(x, shape)| View::contiguous(op, x, shape)).collect::<Result<Vec<_>>>()?;
    join(&views.iter().collect::<Vec<_>>(), axis)
}

/// A few operands that fit.
fn join(inputs: &[&View<'_>], axis: usize) -> Result<Buffer> {
    let op = "concat";
    let (device, dtype) = (inputs[0].buffer().device(), inputs[0].buffer().dtype());
    let inner: usize = inputs[0].shape()[axis + 1..].iter().product();
    let lengths: Vec<usize> = inputs.iter().map(|x| x.shape()[axis] * inner).collect();
    let output = Buffer::new(device, op, dtype, inputs.iter().map(|x| x.layout().size()).sum())?;
    if output.is_empty() {
        return Ok(output);
    }
    let vectors = lengths.iter().all(|length| length.is_multiple_of(4));
    let dense = inputs.iter().map(|x| Dense::new(x, if vectors { 4 } else { 1 })).collect::<Result<Vec<_>>>()?;
    let mut immediates = Immediates::default();
    immediates[slots::COUNT] = index(op, output.len())?;
    let mut start = 0;
    for (at, (x, length)) in dense.iter().zip(&lengths).enumerate() {
        immediates[slots::FROMS + at] = index(op, x.from())?;
        start += length;
        immediates[slots::STARTS + at + 1] = index(op, start)?;
    }
    immediates[slots::BLOCK] = index(op, start)?;
    let reads: SmallVec<[&Buffer; MOST_JOINED]> = dense.iter().map(Dense::buffer).collect();
    let program = record::Program::Movement(Program::Concat { dtype, inputs: inputs.len(), vectors });
    let groups = groups_of_fours(device, output.len());
    Launch { op, program, reads: &reads, writes: &[&output], immediates, groups }.record(device)?;
    Ok(output)
}

/// `x` with a border of a constant, row-major: elements before and after, per axis.
///
/// # Errors
/// [`Error::Argument`] for another number of widths than axes; and what the device refuses.
pub fn pad(x: &View<'_>, widths: &[[usize; 2]], value: f64) -> Result<Buffer> {
    let op = "pad";
    if widths.len() != x.shape().len() {
        let reason = format!("{} pairs of widths for shape {:?}; one pair per axis is needed", widths.len(), x.shape());
        return Err(Error::Argument { op, reason: reason.into() });
    }
    let sum = |(&size, &[before, after]): (&usize, &[usize; 2])| size.checked_add(before)?.checked_add(after);
    let shape: Option<Dims> = x.shape().iter().zip(widths).map(sum).collect();
    let shape = shape.ok_or(Error::OutOfMemory { op, bytes: usize::MAX })?;
    let mut window = Layout::contiguous(&shape);
    for (axis, [before, _]) in widths.iter().enumerate() {
        window = window.narrow(op, axis as isize, *before, x.shape()[axis])?;
    }
    place(op, &shape, &window, x, value)
}

/// Zeros of `shape` with the part that `items` select replaced by `x`, row-major.
///
/// # Errors
/// [`Error::ShapePair`] if the slice has not the shape of `x`, what slicing refuses, and what the device refuses.
pub fn slice_scatter(x: &View<'_>, shape: &[usize], items: &[SliceItem]) -> Result<Buffer> {
    let op = "slice_scatter";
    let window = Layout::contiguous(shape).slice(op, items)?;
    if window.shape() != x.shape() {
        let reason = "the slice and the value must have one shape".into();
        let (lhs, rhs) = (window.shape().into(), x.shape().into());
        return Err(Error::ShapePair { op, lhs, rhs, reason });
    }
    place(op, shape, &window, x, 0.0)
}

/// An axis of a result, and the part of it that a window takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    size: usize,
    begin: usize,
    step: usize,
    count: usize,
}

/// A constant of `shape` with the elements that `window`, a slice of its row-major layout, names replaced by `x`.
fn place(op: &'static str, shape: &[usize], window: &Layout, x: &View<'_>, value: f64) -> Result<Buffer> {
    let (device, dtype) = (x.buffer().device(), x.buffer().dtype());
    let count = shape.iter().product();
    if x.layout().size() == 0 || count == 0 {
        return fill(device, dtype, count, value);
    }
    let backwards: Vec<isize> =
        (0..window.rank()).filter(|&axis| window.strides()[axis] < 0).map(|a| a as isize).collect();
    let x = View::new(op, x.buffer(), &x.layout().flip(op, &backwards)?)?;
    let spans = merged(&spans(shape, &window.flip(op, &backwards)?));
    let last = spans[spans.len() - 1];
    let vectors = last.step == 1 && [last.size, last.begin, last.count].iter().all(|size| size.is_multiple_of(4));
    let x = Dense::new(&x, if vectors { 4 } else { 1 })?;
    let output = Buffer::new(device, op, dtype, count)?;
    let mut immediates = Immediates::default();
    if slots::AXES + 4 * spans.len() > immediates.len() {
        let reason = format!("{} axes of which it takes parts are more than a GPU walks", spans.len()).into();
        return Err(Error::Argument { op, reason });
    }
    immediates[slots::COUNT] = index(op, count)?;
    immediates[slots::FROM_X] = index(op, x.from())?;
    immediates[slots::VALUE..][..2].copy_from_slice(&words_of(dtype, value));
    for (axis, span) in spans.iter().enumerate() {
        let words = [span.size, span.begin, span.step, span.count];
        for (word, value) in immediates[slots::AXES + 4 * axis..].iter_mut().zip(words) {
            *word = index(op, value)?;
        }
    }
    let program = record::Program::Movement(Program::Place { dtype, rank: spans.len(), vectors });
    let groups = groups_of_fours(device, count);
    Launch { op, program, reads: &[x.buffer()], writes: &[&output], immediates, groups }.record(device)?;
    Ok(output)
}

/// What a window without negative strides takes of each axis of a row-major shape.
fn spans(shape: &[usize], window: &Layout) -> Vec<Span> {
    let whole = Layout::contiguous(shape);
    let axes = shape.iter().zip(whole.strides()).filter(|&(&size, _)| size > 1);
    let span = |(&size, &unit): (&usize, &isize)| {
        // An axis of the window that steps through this one steps by less than all of it.
        let steps = window.shape().iter().zip(window.strides());
        let own =
            steps.into_iter().find(|&(&count, &stride)| count > 1 && stride >= unit && stride < unit * size as isize);
        let (count, stride) = own.map_or((1, unit), |(&count, &stride)| (count, stride));
        Span { size, begin: window.offset() / unit as usize % size, step: (stride / unit) as usize, count }
    };
    let spans: Vec<Span> = axes.map(span).collect();
    if spans.is_empty() { vec![Span { size: 1, begin: 0, step: 1, count: 1 }] } else { spans }
}

/// The same with whole axes joined to the one before them.
fn merged(spans: &[Span]) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for &span in spans {
        let whole = span.count == span.size;
        match joined.last_mut() {
            Some(last) if whole && last.step == 1 => {
                let [size, begin, count] = [last.size, last.begin, last.count].map(|n| n * span.size);
                *last = Span { size, begin, step: 1, count };
            }
            _ => joined.push(span),
        }
    }
    joined
}
