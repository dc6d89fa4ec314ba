//! What needs a whole row at once: softmax, its logarithm and layer normalisation, with their gradients.
//!
//! A row is read once and held in registers; one too long for that goes through several kernels.

mod program;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use program::every_program;
pub(crate) use program::{JOINS, NARROW, Program, WIDE};

use program::{Kind, THREADS, slots};
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Error, Layout, Result};

use crate::elementwise::{self, binary, cast, contiguous, unary};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::reduce::reduce;
use crate::storage;

/// `exp(x) / sum(exp(x))` along an axis, row-major.
///
/// # Errors
/// [`Error::Axis`]; [`Error::DType`] for what is no float, or none of the device's; and what the device refuses.
pub fn softmax(x: &View<'_>, axis: usize) -> Result<Buffer> {
    along("softmax", Kind::Softmax, axis, &[x])
}

/// `x - ln(sum(exp(x)))` along an axis, row-major.
///
/// # Errors
/// As [`softmax`].
pub fn log_softmax(x: &View<'_>, axis: usize) -> Result<Buffer> {
    along("log_softmax", Kind::LogSoftmax, axis, &[x])
}

/// The gradient of [`softmax`]: `y * (g - sum(g * y))`, from its result and the gradient by that.
///
/// # Errors
/// As [`softmax`]; [`Error::ShapePair`] if the shapes differ.
pub fn softmax_grad(y: &View<'_>, g: &View<'_>, axis: usize) -> Result<Buffer> {
    along("softmax", Kind::SoftmaxGrad, axis, &[y, g])
}

/// The gradient of [`log_softmax`]: `g - exp(y) * sum(g)`.
///
/// # Errors
/// As [`softmax_grad`].
pub fn log_softmax_grad(y: &View<'_>, g: &View<'_>, axis: usize) -> Result<Buffer> {
    along("log_softmax", Kind::LogSoftmaxGrad, axis, &[y, g])
}

/// What [`layer_norm`] gives.
#[derive(Debug)]
pub struct Normalised {
    /// The result.
    pub output: Buffer,
    /// The mean of each row, `f32`, or `f64` of rows of those.
    pub mean: Buffer,
    /// `1 / sqrt(var + eps)` of each row, in the same type.
    pub rstd: Buffer,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias` over the last `axes` axes (Ba et al., 2016), with the statistics that its
/// gradient wants.
///
/// # Errors
/// [`Error::Argument`] for more axes than there are; [`Error::ShapePair`] for parameters of another size; [`Error::DType`].
pub fn layer_norm(
    x: &View<'_>,
    axes: usize,
    weight: Option<&View<'_>>,
    bias: Option<&View<'_>>,
    eps: f64,
) -> Result<Normalised> {
    let op = "layer_norm";
    let (rows, columns) = cut(op, x, axes)?;
    let kind = Kind::LayerNorm { weight: weight.is_some(), bias: bias.is_some() };
    let params: Vec<&View<'_>> = weight.into_iter().chain(bias).collect();
    let dtype = checked(op, x, &params, columns)?;
    let device = x.buffer().device();
    let mean = Buffer::new(device, op, storage::sums(dtype), rows)?;
    let rstd = Buffer::new(device, op, storage::sums(dtype), rows)?;
    let job = Job { op, kind, rows, columns, eps };
    let mut operands = vec![x];
    operands.extend(params);
    let output = job.run(dtype, &operands, &[], &[&mean, &rstd])?;
    Ok(Normalised { output, mean, rstd })
}

/// The gradient of [`layer_norm`] by `x`, from the gradient by its result and the statistics that it gave.
///
/// # Errors
/// As [`layer_norm`].
pub fn layer_norm_grad(
    x: &View<'_>,
    g: &View<'_>,
    axes: usize,
    weight: Option<&View<'_>>,
    mean: &Buffer,
    rstd: &Buffer,
) -> Result<Buffer> {
    let op = "layer_norm";
    let (rows, columns) = cut(op, x, axes)?;
    same_shape(op, x, g)?;
    let params: Vec<&View<'_>> = weight.into_iter().collect();
    let dtype = checked(op, x, &params, columns)?;
    if [mean, rstd].iter().any(|stat| stat.len() != rows || stat.dtype() != storage::sums(dtype)) {
        let reason = format!("the statistics are not of {rows} rows").into();
        return Err(Error::Argument { op, reason });
    }
    let mut operands = vec![x, g];
    operands.extend(params);
    let kind = Kind::LayerNormGrad { weight: weight.is_some() };
    Job { op, kind, rows, columns, eps: 0.0 }.run(dtype, &operands, &[mean, rstd], &[])
}

/// Rows and columns of a value whose last `axes` axes are a row.
fn cut(op: &'static str, x: &View<'_>, axes: usize) -> Result<(usize, usize)> {
    let rank = x.shape().len();
    if axes == 0 || axes > rank {
        let reason = format!("{axes} axes of a value of rank {rank}; it takes 1 to {rank}").into();
        return Err(Error::Argument { op, reason });
    }
    let (rows, columns) = x.shape().split_at(rank - axes);
    Ok((rows.iter().product(), columns.iter().product()))
}

/// The one type of all operands, whose parameters have one element per column.
fn checked(op: &'static str, x: &View<'_>, params: &[&View<'_>], columns: usize) -> Result<DType> {
    let dtype = storage::float(op, x.buffer())?;
    for param in params {
        if param.layout().size() != columns {
            let reason = format!("a parameter has one element for each of {columns}").into();
            return Err(Error::ShapePair { op, lhs: x.shape().into(), rhs: param.shape().into(), reason });
        }
        if param.buffer().dtype() != dtype {
            let expected = format!("the other operand is {dtype}; cast one of them").into();
            return Err(Error::DType { op, got: param.buffer().dtype(), expected });
        }
    }
    Ok(dtype)
}

fn same_shape(op: &'static str, a: &View<'_>, b: &View<'_>) -> Result<()> {
    if a.shape() == b.shape() {
        return Ok(());
    }
    Err(Error::ShapePair { op, lhs: a.shape().into(), rhs: b.shape().into(), reason: "they must be equal".into() })
}

/// A kernel along any axis: the axis is moved to the end, and back.
fn along(op: &'static str, kind: Kind, axis: usize, operands: &[&View<'_>]) -> Result<Buffer> {
    let x = operands[0];
    let rank = x.shape().len();
    if axis >= rank {
        return Err(Error::Axis { op, axis: axis as isize, rank });
    }
    let dtype = storage::float(op, x.buffer())?;
    for other in &operands[1..] {
        same_shape(op, x, other)?;
        if other.buffer().dtype() != dtype {
            let expected = format!("the other operand is {dtype}; cast one of them").into();
            return Err(Error::DType { op, got: other.buffer().dtype(), expected });
        }
    }
    let columns = x.shape()[axis];
    let rows = x.layout().size().checked_div(columns).unwrap_or(0);
    let job = Job { op, kind, rows, columns, eps: 0.0 };
    if axis + 1 == rank {
        return job.run(dtype, operands, &[], &[]);
    }
    let last = |layout: &Layout| layout.swap_axes(op, axis as isize, -1);
    let moved = operands.iter().map(|x| View::new(op, x.buffer(), &last(x.layout())?)).collect::<Result<Vec<_>>>()?;
    let result = job.run(dtype, &moved.iter().collect::<Vec<_>>(), &[], &[])?;
    contiguous(&View::new(op, &result, &last(&Layout::contiguous(moved[0].shape()))?)?)
}

/// Rows, and what is made of each.
struct Job {
    op: &'static str,
    kind: Kind,
    rows: usize,
    columns: usize,
    eps: f64,
}

impl Job {
    fn run(&self, dtype: DType, operands: &[&View<'_>], extra: &[&Buffer], statistics: &[&Buffer]) -> Result<Buffer> {
        let device = operands[0].buffer().device();
        if self.rows * self.columns == 0 {
            return Buffer::new(device, self.op, dtype, 0);
        }
        // Packed words that two rows share can only be written whole.
        if dtype != storage::sums(dtype) && !self.columns.is_multiple_of(4) {
            let wide = operands.iter().map(|x| cast(x, DType::F32)).collect::<Result<Vec<_>>>()?;
            let views = wide.iter().zip(operands);
            let views =
                views.map(|(wide, x)| View::contiguous(self.op, wide, x.shape())).collect::<Result<Vec<_>>>()?;
            let result = self.run(DType::F32, &views.iter().collect::<Vec<_>>(), extra, statistics)?;
            return cast(&View::contiguous(self.op, &result, &[result.len()])?, dtype);
        }
        let Some(program) = Program::new(self.kind, dtype, self.columns, true) else {
            return self.in_steps(operands);
        };
        let mut copies = Vec::new();
        for x in operands {
            let in_place = x.layout().is_contiguous() && x.layout().offset().is_multiple_of(program.width);
            copies.push(if in_place { None } else { Some(contiguous(x)?) });
        }
        let place = |at: usize| match &copies[at] {
            Some(copy) => (copy, 0),
            None => (operands[at].buffer(), operands[at].layout().offset() / program.width),
        };
        let mut reads: Vec<&Buffer> = Vec::new();
        let mut immediates = Immediates::default();
        for at in 0..operands.len() {
            let (buffer, from) = place(at);
            let with_gradient = !matches!(self.kind, Kind::Softmax | Kind::LogSoftmax | Kind::LayerNorm { .. });
            let is_param = at > usize::from(with_gradient);
            match at {
                _ if is_param && from > 0 => return self.with_copied_params(dtype, operands, extra, statistics, at),
                0 => immediates[slots::FROM_X] = from as u32,
                1 if with_gradient => immediates[slots::FROM_G] = from as u32,
                _ => {}
            }
            reads.push(buffer);
        }
        reads.extend(extra);
        immediates[slots::ROWS] = self.rows as u32;
        immediates[slots::WORDS] = (self.columns / program.width) as u32;
        storage::put_number(&mut immediates, slots::COLUMNS, dtype, self.columns as f64);
        storage::put_number(&mut immediates, slots::EPS, dtype, self.eps);
        let output = Buffer::new(device, self.op, dtype, self.rows * self.columns)?;
        let writes: Vec<&Buffer> = std::iter::once(&output).chain(statistics.iter().copied()).collect();
        let groups = record::grid(device, self.rows.div_ceil(THREADS / program.lanes));
        let program = record::Program::Rows(program);
        Launch { op: self.op, program, reads: &reads, writes: &writes, immediates, groups }.record(device)?;
        Ok(output)
    }

    /// The same with a parameter that starts inside its buffer copied first.
    fn with_copied_params(
        &self,
        dtype: DType,
        operands: &[&View<'_>],
        extra: &[&Buffer],
        statistics: &[&Buffer],
        at: usize,
    ) -> Result<Buffer> {
        let copy = contiguous(operands[at])?;
        let view = View::contiguous(self.op, &copy, operands[at].shape())?;
        let mut operands = operands.to_vec();
        operands[at] = &view;
        self.run(dtype, &operands, extra, statistics)
    }

    /// Rows too long to be held, by reductions and elementwise kernels.
    fn in_steps(&self, operands: &[&View<'_>]) -> Result<Buffer> {
        let op = self.op;
        let flat = operands.iter().map(|x| contiguous(x)).collect::<Result<Vec<_>>>()?;
        let (all, column) = ([self.rows, self.columns], [self.rows, 1]);
        let pair = |row: BinaryOp, a: &Buffer, b: &Buffer, shape: &[usize; 2]| {
            binary(row, &View::contiguous(op, a, &all)?, &View::contiguous(op, b, shape)?)
        };
        let one = |row: UnaryOp, a: &Buffer| unary(row, [0.0; 2], &View::contiguous(op, a, &[a.len()])?);
        let join = |row: ReduceOp, a: &Buffer| reduce(row, &View::contiguous(op, a, &all)?, &[1], 0.0);
        match self.kind {
            Kind::Softmax | Kind::LogSoftmax => {
                let shifted = pair(BinaryOp::Sub, &flat[0], &join(ReduceOp::Max, &flat[0])?, &column)?;
                let powers = one(UnaryOp::Exp, &shifted)?;
                let total = join(ReduceOp::Sum, &powers)?;
                if self.kind == Kind::Softmax {
                    return pair(BinaryOp::Div, &powers, &total, &column);
                }
                pair(BinaryOp::Sub, &shifted, &one(UnaryOp::Ln, &total)?, &column)
            }
            Kind::SoftmaxGrad => {
                let total = join(ReduceOp::Sum, &pair(BinaryOp::Mul, &flat[0], &flat[1], &all)?)?;
                pair(BinaryOp::Mul, &pair(BinaryOp::Sub, &flat[1], &total, &column)?, &flat[0], &all)
            }
            Kind::LogSoftmaxGrad => {
                let total = join(ReduceOp::Sum, &flat[1])?;
                let share = pair(BinaryOp::Mul, &one(UnaryOp::Exp, &flat[0])?, &total, &column)?;
                pair(BinaryOp::Sub, &flat[1], &share, &all)
            }
            Kind::LayerNorm { .. } | Kind::LayerNormGrad { .. } => {
                let reason = format!("rows of {} elements are too long for a GPU; compute on the CPU", self.columns);
                operands[0].buffer().device().refuse(op, reason)
            }
        }
    }
}

/// The gradients of [`layer_norm`] by weight and bias: sums over the rows of `g * (x - mean) * rstd` and of `g`.
///
/// # Errors
/// As [`layer_norm`].
pub fn layer_norm_grad_params(
    x: &View<'_>,
    g: &View<'_>,
    axes: usize,
    mean: &Buffer,
    rstd: &Buffer,
) -> Result<[Buffer; 2]> {
    let op = "layer_norm";
    let (rows, columns) = cut(op, x, axes)?;
    same_shape(op, x, g)?;
    let wide = storage::sums(x.buffer().dtype());
    let (x, g) = (elementwise::cast(x, wide)?, elementwise::cast(g, wide)?);
    let grid = |buffer| View::contiguous(op, buffer, &[rows, columns]);
    let column = |buffer| View::contiguous(op, buffer, &[rows, 1]);
    let distance = binary(BinaryOp::Sub, &grid(&x)?, &column(mean)?)?;
    let normal = binary(BinaryOp::Mul, &grid(&distance)?, &column(rstd)?)?;
    let product = binary(BinaryOp::Mul, &grid(&normal)?, &grid(&g)?)?;
    Ok([reduce(ReduceOp::Sum, &grid(&product)?, &[0], 0.0)?, reduce(ReduceOp::Sum, &grid(&g)?, &[0], 0.0)?])
}
