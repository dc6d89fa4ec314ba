//! Elements at integer positions, and sums into them. Negative positions count from the end, as in NumPy.
//!
//! Sums are in the order of the axis: what goes to one place is a chain, which the thread of that place follows. A position
//! outside its axis is an [`Error::Index`] when something is next read back.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::slots;
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::elementwise::fill;
use crate::memory::{Buffer, View};
use crate::movement::pad;
use crate::record::{self, Checked, Immediates, Launch};
use crate::storage;
use crate::walk::{Axes, groups_of_fours, index as word, write_axes};

/// Slices of `x` along `axis` at positions of rank 1, row-major.
///
/// # Errors
/// [`Error::Axis`], [`Error::ShapePair`], [`Error::DType`] for what does not fit; and what the device refuses.
pub fn index_select(x: &View<'_>, axis: usize, index: &View<'_>) -> Result<Buffer> {
    let op = Checked::IndexSelect;
    list(op, x, index)?;
    let size = size_of(op, x, axis)?;
    let mut shape = x.shape().to_vec();
    shape[axis] = index.shape()[0];
    Take { op, axis, size, slices: true }.run(x, index, &shape)
}

/// Elements of `x` along `axis` at positions of the same rank, row-major; the other axes may be shorter than those of `x`.
///
/// # Errors
/// As [`index_select`].
pub fn gather(x: &View<'_>, axis: usize, index: &View<'_>) -> Result<Buffer> {
    let op = Checked::Gather;
    let size = size_of(op, x, axis)?;
    reached(op, axis, x.shape(), x, index)?;
    Take { op, axis, size, slices: false }.run(x, index, index.shape())
}

/// Slices of `g` added, in order, into zeros whose `axis` has `size`, row-major.
///
/// # Errors
/// As [`index_select`]; sums are of floats.
pub fn index_add(g: &View<'_>, axis: usize, size: usize, index: &View<'_>) -> Result<Buffer> {
    let op = Checked::IndexAdd;
    list(op, g, index)?;
    if size_of(op, g, axis)? != index.shape()[0] {
        return Err(misfit(op, g, index, format!("axis {axis} needs one slice per position")));
    }
    let mut shape = g.shape().to_vec();
    shape[axis] = size;
    let chains = Chains::new(op, index, axis, [1, index.shape()[0], 1], size)?;
    chains.sum(op, g, &shape, axis, true)
}

/// Elements of `g` added, in order along `axis`, into zeros of `shape`, row-major.
///
/// # Errors
/// As [`index_add`].
pub fn scatter_add(g: &View<'_>, axis: usize, shape: &[usize], index: &View<'_>) -> Result<Buffer> {
    let op = Checked::ScatterAdd;
    if g.shape() != index.shape() {
        return Err(misfit(op, g, index, "one position per element is needed".into()));
    }
    size_of(op, g, axis)?;
    let reached = reached(op, axis, shape, g, index)?;
    let (before, after) = (index.shape()[..axis].iter().product(), index.shape()[axis + 1..].iter().product());
    let chains = Chains::new(op, index, axis, [before, index.shape()[axis], after], shape[axis])?;
    let sums = chains.sum(op, g, &reached, axis, false)?;
    if reached == shape {
        return Ok(sums);
    }
    let border: Vec<[usize; 2]> = shape.iter().zip(&reached).map(|(&size, &have)| [0, size - have]).collect();
    pad(&View::contiguous(op.name(), &sums, &reached)?, &border, 0.0)
}

fn misfit(op: Checked, x: &View<'_>, index: &View<'_>, reason: String) -> Error {
    Error::ShapePair { op: op.name(), lhs: x.shape().into(), rhs: index.shape().into(), reason: reason.into() }
}

/// Refuses positions that are not a list.
fn list(op: Checked, x: &View<'_>, index: &View<'_>) -> Result<()> {
    if index.shape().len() == 1 { Ok(()) } else { Err(misfit(op, x, index, "the positions must have rank 1".into())) }
}

fn size_of(op: Checked, x: &View<'_>, axis: usize) -> Result<usize> {
    let rank = x.shape().len();
    x.shape().get(axis).copied().ok_or(Error::Axis { op: op.name(), axis: axis as isize, rank })
}

/// The part of `shape` that positions reach: all of `axis`, and as much of the others as the positions have.
fn reached(op: Checked, axis: usize, shape: &[usize], x: &View<'_>, index: &View<'_>) -> Result<Vec<usize>> {
    let fits = index.shape().len() == shape.len()
        && index.shape().iter().zip(shape).enumerate().all(|(i, (have, most))| i == axis || have <= most);
    if !fits {
        let rank = shape.len();
        let reason = format!("positions of rank {rank}, not larger than {shape:?} but for axis {axis}, are needed");
        return Err(misfit(op, x, index, reason));
    }
    let mut reached = index.shape().to_vec();
    reached[axis] = shape[axis];
    Ok(reached)
}

/// The positions in row-major order.
fn positions<'a>(op: Checked, index: &View<'a>) -> Result<Dense<'a>> {
    match index.buffer().dtype() {
        DType::I64 => Dense::new(index, 1),
        got => Err(Error::DType { op: op.name(), got, expected: "positions are int64".into() }),
    }
}

/// An axis without elements has no position that is inside.
fn nowhere<T>(op: Checked, axis: usize) -> Result<T> {
    Err(Error::Index { op: op.name(), index: 0, axis, size: 0 })
}

/// Reading at positions.
struct Take {
    op: Checked,
    axis: usize,
    /// The size of the axis.
    size: usize,
    slices: bool,
}

impl Take {
    fn run(&self, x: &View<'_>, index: &View<'_>, shape: &[usize]) -> Result<Buffer> {
        let (op, axis) = (self.op.name(), self.axis);
        let positions = positions(self.op, index)?;
        let device = x.buffer().device();
        let dtype = x.buffer().dtype();
        let output = Buffer::new(device, op, dtype, shape.iter().product())?;
        if output.is_empty() {
            return Ok(output);
        }
        if self.size == 0 {
            return nowhere(self.op, axis);
        }
        let strides = x.layout().strides();
        let walk = Axes::new((0..shape.len()).map(|i| (shape[i], if i == axis { 0 } else { strides[i] })));
        let inner: usize = shape[axis + 1..].iter().product();
        let (stride, offset) = (strides[axis], x.layout().offset());
        let lines = walk.strides.last() == Some(&1) && walk.sizes.last().is_some_and(|size| size.is_multiple_of(4));
        let by_fours = stride % 4 == 0 && offset.is_multiple_of(4) && walk.steps_by_fours(true);
        let vectors = self.slices && lines && by_fours && inner.is_multiple_of(4);
        let mut immediates = Immediates::default();
        immediates[slots::COUNT] = word(op, output.len())?;
        immediates[slots::INNER] = word(op, inner)?;
        immediates[slots::LENGTH] = word(op, shape[axis])?;
        immediates[slots::SIZE] = word(op, self.size)?;
        immediates[slots::AXIS] = word(op, axis)?;
        immediates[slots::FROM_P] = word(op, positions.from())?;
        immediates[slots::FROM_X] = word(op, offset)?;
        // Shaders add modulo 2^32, where a negative stride is the one it is congruent to.
        immediates[slots::STRIDE] = stride as u32;
        write_axes(op, &mut immediates, slots::AXES, [&walk])?;
        let program = Program::Take { op: self.op, dtype, rank: walk.rank(), slices: self.slices, vectors };
        let (program, groups) = (record::Program::Index(program), groups_of_fours(device, output.len()));
        let reads = [x.buffer(), positions.buffer()];
        Launch { op, program, reads: &reads, writes: &[&output], immediates, groups }.record_checked(device)?;
        Ok(output)
    }
}

/// What goes to each place, in order: the first, and after each the next; `u32::MAX` for none.
struct Chains {
    heads: Buffer,
    next: Buffer,
}

impl Chains {
    /// Of positions in `[before, length, after]`, in an axis of `size`.
    fn new(
        op: Checked,
        index: &View<'_>,
        axis: usize,
        [before, length, after]: [usize; 3],
        size: usize,
    ) -> Result<Self> {
        let name = op.name();
        let positions = positions(op, index)?;
        let count = before * length * after;
        let device = index.buffer().device();
        let heads = fill(device, DType::U32, before * size * after, f64::from(u32::MAX))?;
        let next = Buffer::new(device, name, DType::U32, count)?;
        if count == 0 {
            return Ok(Self { heads, next });
        }
        if size == 0 {
            return nowhere(op, axis);
        }
        let mut immediates = Immediates::default();
        immediates[slots::COUNT] = word(name, count)?;
        immediates[slots::INNER] = word(name, after)?;
        immediates[slots::LENGTH] = word(name, length)?;
        immediates[slots::SIZE] = word(name, size)?;
        immediates[slots::AXIS] = word(name, axis)?;
        immediates[slots::FROM_P] = word(name, positions.from())?;
        let program = record::Program::Index(Program::Links { op });
        let groups = record::grid(device, count.div_ceil(256));
        Launch { op: name, program, reads: &[positions.buffer()], writes: &[&heads, &next], immediates, groups }
            .record_checked(device)?;
        Ok(Self { heads, next })
    }

    /// The sums of `g` along the chains, which are of slices or of elements, in `shape`.
    fn sum(&self, op: Checked, g: &View<'_>, shape: &[usize], axis: usize, slices: bool) -> Result<Buffer> {
        let op = op.name();
        let dtype = g.buffer().dtype();
        if !dtype.is_float() {
            return Err(Error::DType { op, got: dtype, expected: "sums are of floats; cast it first".into() });
        }
        let device = g.buffer().device();
        storage::computes(op, dtype, device)?;
        let output = Buffer::new(device, op, dtype, shape.iter().product())?;
        if output.is_empty() {
            return Ok(output);
        }
        let (length, inner) = (g.shape()[axis], shape[axis + 1..].iter().product::<usize>());
        let vectors = slices && inner.is_multiple_of(4);
        let g = Dense::new(g, if vectors { 4 } else { 1 })?;
        let mut immediates = Immediates::default();
        immediates[slots::COUNT] = word(op, output.len())?;
        immediates[slots::INNER] = word(op, inner)?;
        immediates[slots::LENGTH] = word(op, length)?;
        immediates[slots::SIZE] = word(op, shape[axis])?;
        immediates[slots::FROM_X] = word(op, g.from())?;
        let program = record::Program::Index(Program::Sum { dtype, slices, vectors });
        let (reads, groups) = ([g.buffer(), &self.heads, &self.next], groups_of_fours(device, output.len()));
        Launch { op, program, reads: &reads, writes: &[&output], immediates, groups }.record(device)?;
        Ok(output)
    }
}
