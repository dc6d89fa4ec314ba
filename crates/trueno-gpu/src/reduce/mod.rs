//! Reductions over any axes of any view: every row of core's table.
//!
//! Elements join in a tree that the shape alone decides, so that the same input gives the same bits on the same device.

mod arg;
mod program;
#[cfg(test)]
mod tests;

pub use arg::arg_reduce;

pub(crate) use arg::Program as Arg;
#[cfg(test)]
pub(crate) use arg::every_program as every_arg;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::{MOST_LANES, Shape, THREADS, slots};
use trueno_core::math::wgsl::Scalar;
use trueno_core::table::ReduceOp;
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::elementwise;
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::scan;
use crate::storage;
use crate::walk::Axes;

/// Workgroups that keep a large GPU busy: results are made in parts where there would be fewer.
const BUSY: usize = 1024;

/// Elements of a part, at least, where a result is made in parts.
const LEAST_SPAN: usize = 4096;

/// Joins the elements along `axes` (counted from the first axis); the result is row-major over the others. `correction` is taken
/// off the count of elements (NumPy's `ddof`).
///
/// # Errors
/// [`Error::Axis`], [`Error::Argument`] for an axis that is named twice, [`Error::DType`] for a type that the row or the device has not
/// (products of integers are 64 bits wide), [`Error::Shape`] for nothing to choose from.
pub fn reduce(op: ReduceOp, x: &View<'_>, axes: &[usize], correction: f64) -> Result<Buffer> {
    let result = result_type(op, x.buffer().dtype());
    joined(op, x, axes, correction, result)
}

/// As [`reduce`], with what half precision comes to left in the `float32` that it is joined in.
///
/// # Errors
/// As [`reduce`].
pub fn reduce_wide(op: ReduceOp, x: &View<'_>, axes: &[usize], correction: f64) -> Result<Buffer> {
    let is_half = |dtype: DType| matches!(dtype, DType::F16 | DType::BF16);
    let result = result_type(op, x.buffer().dtype()).map(|dtype| if is_half(dtype) { DType::F32 } else { dtype });
    joined(op, x, axes, correction, result)
}

fn joined(op: ReduceOp, x: &View<'_>, axes: &[usize], correction: f64, result: Result<DType>) -> Result<Buffer> {
    let name = op.name();
    let dtype = x.buffer().dtype();
    if op == ReduceOp::Sum && matches!(dtype, DType::I64 | DType::I32 | DType::U32 | DType::U8 | DType::I8) {
        return integer_sum(x, axes);
    }
    let result = result?;
    if let Some(other) = first_cast(op, dtype) {
        let cast = elementwise::cast(x, other)?;
        return joined(op, &View::contiguous(name, &cast, x.shape())?, axes, correction, Ok(result));
    }
    let (kept, joined) = split(name, x, axes)?;
    let device = x.buffer().device();
    let results: usize = kept.count();
    if results == 0 {
        return Buffer::new(device, name, result, 0);
    }
    if joined.count() == 0 && op.refuses_empty() {
        let reason = "has no element to choose from along the axes".into();
        return Err(Error::Shape { op: name, got: x.shape().into(), reason });
    }
    if joined.count() == 0 {
        return elementwise::fill(device, result, results, op.eval(&[], correction));
    }
    let center = if op.centered() { Some(raw(ReduceOp::Mean, x, [&kept, &joined], None, 0.0)?) } else { None };
    let total = raw(op, x, [&kept, &joined], center.as_ref(), correction)?;
    if total.dtype() == result {
        return Ok(total);
    }
    elementwise::cast(&View::contiguous(name, &total, &[results])?, result)
}

/// Sums of integers, which are `int64`: in pairs of words.
fn integer_sum(x: &View<'_>, axes: &[usize]) -> Result<Buffer> {
    let (op, device) = (ReduceOp::Sum.name(), x.buffer().device());
    let (kept, joined) = split(op, x, axes)?;
    if kept.count() * joined.count() == 0 {
        return elementwise::fill(device, DType::I64, kept.count(), 0.0);
    }
    let order = (0..x.shape().len()).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied());
    let order: Vec<isize> = order.map(|axis| axis as isize).collect();
    let rows = Dense::in_type(&View::new(op, x.buffer(), &x.layout().permute(op, &order)?)?, DType::I64, 1)?;
    scan::sums(op, rows.buffer(), rows.from(), [kept.count(), joined.count()])
}

/// The type of the result, or why there is none.
fn result_type(op: ReduceOp, dtype: DType) -> Result<DType> {
    match op {
        ReduceOp::Any | ReduceOp::All => Ok(DType::Bool),
        _ if dtype.is_float() => Ok(dtype),
        ReduceOp::Max | ReduceOp::Min if matches!(dtype, DType::I32 | DType::U32 | DType::I64) => Ok(dtype),
        // Of truth values, how many there are: at most as many as a buffer has elements, which 32 bits count.
        ReduceOp::Sum | ReduceOp::Prod => Ok(DType::I64),
        ReduceOp::Max
        | ReduceOp::Min
        | ReduceOp::Mean
        | ReduceOp::NormL1
        | ReduceOp::NormL2
        | ReduceOp::NormInf
        | ReduceOp::Var
        | ReduceOp::Std => {
            let expected = "on a GPU it takes floats; cast it first".into();
            Err(Error::DType { op: op.name(), got: dtype, expected })
        }
    }
}

/// What elements are cast to before they are joined, if they are not joined as they are.
fn first_cast(op: ReduceOp, dtype: DType) -> Option<DType> {
    let to = match op {
        // Whether a pair of words is 0 is all that counts, and any device can tell.
        ReduceOp::Any | ReduceOp::All if storage::is_pair(dtype) => DType::Bool,
        ReduceOp::Prod if !dtype.is_float() => DType::I64,
        _ => dtype,
    };
    (to != dtype).then_some(to)
}

/// The axes that stay and those that are joined.
fn split(op: &'static str, x: &View<'_>, axes: &[usize]) -> Result<(Axes, Axes)> {
    let rank = x.shape().len();
    for (at, &axis) in axes.iter().enumerate() {
        if axis >= rank {
            return Err(Error::Axis { op, axis: axis as isize, rank });
        }
        if axes[..at].contains(&axis) {
            return Err(Error::Argument { op, reason: format!("axes {axes:?} name axis {axis} twice").into() });
        }
    }
    let pick = |joined: bool| {
        let all = x.shape().iter().zip(x.layout().strides()).enumerate();
        Axes::new(all.filter(|(axis, _)| axes.contains(axis) == joined).map(|(_, (&size, &stride))| (size, stride)))
    };
    Ok((pick(false), pick(true)))
}

/// The result in the type that is computed in, in one pass or two.
fn raw(op: ReduceOp, x: &View<'_>, axes: [&Axes; 2], center: Option<&Buffer>, correction: f64) -> Result<Buffer> {
    let scalar = storage::computes(op.name(), x.buffer().dtype(), x.buffer().device())?;
    let [kept, joined] = axes;
    let (results, elements) = (kept.count(), joined.count());
    let shape = choose(kept, joined, x.layout().offset());
    let parts = parts(shape, results, elements);
    let count = (elements as f64 - correction).max(0.0);
    let pass = Pass { op, scalar, shape, count };
    if parts == 1 {
        return pass.run((x.buffer(), x.layout().offset()), center, axes, 1, true, true);
    }
    let partial = pass.run((x.buffer(), x.layout().offset()), center, axes, parts, true, false)?;
    // Parts lie side by side: of one result where rows are joined, of one part where columns are.
    let (kept, joined) = match shape {
        Shape::Rows { .. } => (Axes::new([(results, parts as isize)]), Axes::new([(parts, 1)])),
        Shape::Columns { .. } => (Axes::new([(results, 1)]), Axes::new([(parts, results as isize)])),
    };
    let last = Pass { shape: choose(&kept, &joined, 0), ..pass };
    last.run((&partial, 0), None, [&kept, &joined], 1, false, true)
}

/// How the elements are gone through, by their layout alone.
fn choose(kept: &Axes, joined: &Axes, offset: usize) -> Shape {
    let elements = joined.count();
    let aligned = offset.is_multiple_of(4);
    let neighbours = kept.strides.last() == Some(&1) && kept.sizes.last().is_some_and(|size| size.is_multiple_of(4));
    if aligned && neighbours && kept.steps_by_fours(true) && joined.steps_by_fours(false) {
        return Shape::Columns { lanes: (elements / 4).next_power_of_two().clamp(1, MOST_LANES) };
    }
    let vectors = aligned && joined.is_dense() && elements.is_multiple_of(4) && kept.steps_by_fours(false);
    let steps = if vectors { elements / 4 } else { elements };
    Shape::Rows { lanes: (steps / 4).next_power_of_two().clamp(1, THREADS), vectors }
}

/// In how many parts each result is made.
fn parts(shape: Shape, results: usize, elements: usize) -> usize {
    let (groups, least) = match shape {
        Shape::Rows { lanes, .. } => ((results * lanes).div_ceil(THREADS), LEAST_SPAN),
        Shape::Columns { lanes } => ((results / 4 * lanes).div_ceil(THREADS), 16 * lanes),
    };
    BUSY.div_ceil(groups).clamp(1, elements.div_ceil(least))
}

/// One dispatch of a reduction.
#[derive(Clone, Copy)]
struct Pass {
    op: ReduceOp,
    scalar: Scalar,
    shape: Shape,
    count: f64,
}

impl Pass {
    fn run(
        self,
        (elements, offset): (&Buffer, usize),
        center: Option<&Buffer>,
        [kept, joined]: [&Axes; 2],
        parts: usize,
        first: bool,
        last: bool,
    ) -> Result<Buffer> {
        let (op, device) = (self.op.name(), elements.device());
        let results = kept.count();
        let dtype = match self.scalar {
            Scalar::F32 => DType::F32,
            Scalar::I32 => DType::I32,
            Scalar::U32 => DType::U32,
            Scalar::I64 => DType::I64,
            Scalar::F64 => DType::F64,
        };
        let output = Buffer::new(device, op, dtype, results * parts)?;
        let span = joined.count().div_ceil(parts).next_multiple_of(4);
        let ranks = [kept.rank(), joined.rank()];
        let mut immediates = Immediates::default();
        if slots::AXES + 2 * (ranks[0] + ranks[1]) > immediates.len() {
            let reason = format!("its layout has {} axes that do not merge; copy it first", ranks[0] + ranks[1]);
            return Err(Error::Argument { op, reason: reason.into() });
        }
        immediates[slots::RESULTS] = results as u32;
        immediates[slots::PARTS] = parts as u32;
        immediates[slots::SPAN] = span as u32;
        immediates[slots::ELEMENTS] = joined.count() as u32;
        immediates[slots::OFFSET] = offset as u32;
        let count = storage::words(if self.scalar.is_float() { self.scalar } else { Scalar::F32 }, self.count);
        immediates[slots::COUNT..][..count.len()].copy_from_slice(&count);
        for (word, value) in immediates[slots::AXES..].iter_mut().zip(kept.words().chain(joined.words())) {
            *word = value;
        }
        let groups = match self.shape {
            Shape::Rows { lanes, .. } => (results * parts).div_ceil(THREADS / lanes),
            Shape::Columns { lanes } => (results / 4 * parts).div_ceil(THREADS / lanes),
        };
        let program = Program {
            op: self.op,
            dtype: elements.dtype(),
            scalar: self.scalar,
            shape: self.shape,
            ranks,
            first,
            last,
        };
        let reads: &[&Buffer] = match center {
            Some(center) if program.is_centered() => &[elements, center],
            _ => &[elements],
        };
        let program = record::Program::Reduce(program);
        Launch { op, program, reads, writes: &[&output], immediates, groups: record::grid(device, groups) }
            .record(device)?;
        Ok(output)
    }
}
