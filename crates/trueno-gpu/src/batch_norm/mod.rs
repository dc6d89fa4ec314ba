//! Batch normalisation of the channels of `[N, C, ...]` (Ioffe and Szegedy, 2015), and its gradients.
//!
//! Statistics and sums are made of parts of channels, which join in a tree that the shape alone decides: the same operands give
//! the same bits on the same device.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::{CHUNKS, slots};
use trueno_core::table::{BinaryOp, UnaryOp};
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::device::Device;
use crate::elementwise::{self, binary, cast, unary};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::storage;

const OP: &str = "batch_norm";

/// What [`batch_norm`] gives.
#[derive(Debug)]
pub struct Normalised {
    /// The result, row-major.
    pub output: Buffer,
    /// The mean of each channel, `f32`, or `f64` for an operand of those.
    pub mean: Buffer,
    /// `1 / sqrt(var + eps)` of each channel, in the same type.
    pub rstd: Buffer,
    /// The biased variance of each channel, in the same type, where it was computed.
    pub var: Option<Buffer>,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias` for each channel of `[N, C, ...]`, by the moments of the batch or by the `given`
/// mean and variance. Weight and bias are of the operand's type or `float32`, and so is what is given.
///
/// # Errors
/// [`Error::Shape`] for an operand without channels, [`Error::ShapePair`] for a parameter that has not one element for each,
/// [`Error::DType`]; and what the device refuses.
pub fn batch_norm(
    x: &View<'_>,
    weight: &View<'_>,
    bias: &View<'_>,
    given: Option<[&View<'_>; 2]>,
    eps: f64,
) -> Result<Normalised> {
    let shape = Channels::new(x)?;
    let statistics = given.into_iter().flat_map(|[mean, var]| [(mean, "mean"), (var, "variance")]);
    for (param, what) in [(weight, "weight"), (bias, "bias")].into_iter().chain(statistics) {
        shape.expect_parameter(x, param, what)?;
    }
    let x = Dense::from_start(x)?;
    let (mean, rstd, var) = match given {
        Some([mean, var]) => (cast(mean, shape.sums())?, reciprocal_deviation(var, eps, shape.sums())?, None),
        None => {
            let [mean, rstd, var] = moments(x.buffer(), &shape, eps)?;
            (mean, rstd, Some(var))
        }
    };
    let [weight, bias] = same_type([weight, bias])?;
    let dtype = x.buffer().dtype();
    let output = Buffer::new(x.buffer().device(), OP, dtype, shape.elements())?;
    let program = Program::Normalise { dtype, params: weight.buffer().dtype(), whole: shape.whole() };
    let reads = [x.buffer(), weight.buffer(), bias.buffer(), &mean, &rstd];
    shape.each(program, &reads, &output)?;
    Ok(Normalised { output, mean, rstd, var })
}

/// The gradients of [`batch_norm`] by operand, weight and bias, those that `needs` asks for, from the statistics that it gave and the
/// gradient `g` by its result. With `training` the statistics were those of the batch, and depend on `x`.
///
/// # Errors
/// As [`batch_norm`].
pub fn batch_norm_grad(
    x: &View<'_>,
    weight: &View<'_>,
    [mean, rstd]: [&Buffer; 2],
    g: &View<'_>,
    training: bool,
    needs: [bool; 3],
) -> Result<[Option<Buffer>; 3]> {
    let shape = Channels::new(x)?;
    shape.expect_parameter(x, weight, "weight")?;
    if g.shape() != x.shape() {
        let reason = format!("a gradient of shape {:?} is needed", x.shape()).into();
        return Err(Error::ShapePair { op: OP, lhs: x.shape().into(), rhs: g.shape().into(), reason });
    }
    let dtype = x.buffer().dtype();
    if g.buffer().dtype() != dtype {
        let expected = format!("the other operand is {dtype}; cast one of them").into();
        return Err(Error::DType { op: OP, got: g.buffer().dtype(), expected });
    }
    if [mean, rstd].iter().any(|stat| stat.len() != shape.channels || stat.dtype() != shape.sums()) {
        let reason =
            format!("the statistics are not one {} for each of {} channels", shape.sums(), shape.channels).into();
        return Err(Error::Argument { op: OP, reason });
    }
    let (x, g, weight) = (Dense::from_start(x)?, Dense::from_start(g)?, Dense::from_start(weight)?);
    let sums = match needs[1] || needs[2] || (training && needs[0]) {
        true => Some(sums(&shape, [x.buffer(), g.buffer(), mean, rstd])?),
        false => None,
    };
    let mut by_input = None;
    if needs[0] {
        let output = Buffer::new(x.buffer().device(), OP, dtype, shape.elements())?;
        let params = weight.buffer().dtype();
        let program = Program::Gradient { dtype, params, whole: shape.whole(), training };
        match &sums {
            Some([bias, factor]) if training => {
                let reads = [x.buffer(), g.buffer(), weight.buffer(), mean, rstd, bias, factor];
                shape.each(program, &reads, &output)?;
            }
            _ => shape.each(program, &[g.buffer(), weight.buffer(), rstd], &output)?,
        }
        by_input = Some(output);
    }
    let [by_bias, by_weight] = match sums {
        Some(sums) => sums.map(Some),
        None => [None, None],
    };
    let narrow = |sum: Option<Buffer>, needed: bool| {
        sum.filter(|_| needed).map(|sum| converted(sum, weight.buffer().dtype())).transpose()
    };
    Ok([by_input, narrow(by_weight, needs[1])?, narrow(by_bias, needs[2])?])
}

/// An operand of shape `[N, C, ...]`.
struct Channels {
    batch: usize,
    channels: usize,
    /// Elements of one channel of one sample.
    row: usize,
    dtype: DType,
}

impl Channels {
    fn new(x: &View<'_>) -> Result<Self> {
        let dtype = storage::float(OP, x.buffer())?;
        match x.shape() {
            [batch, channels, rest @ ..] => {
                Ok(Self { batch: *batch, channels: *channels, row: rest.iter().product(), dtype })
            }
            shape => {
                let reason = "has no axis of channels; [N, C, ...] is needed".into();
                Err(Error::Shape { op: OP, got: shape.into(), reason })
            }
        }
    }

    /// The type of statistics and sums.
    fn sums(&self) -> DType {
        storage::sums(self.dtype)
    }

    fn elements(&self) -> usize {
        self.batch * self.channels * self.row
    }

    /// Whether four neighbours are always of one channel.
    fn whole(&self) -> bool {
        self.row.is_multiple_of(4)
    }

    /// Elements of a channel that are read at once.
    fn width(&self) -> usize {
        if self.whole() { 4 } else { 1 }
    }

    /// Refuses a parameter that has not one element for each channel.
    fn expect_parameter(&self, x: &View<'_>, param: &View<'_>, what: &str) -> Result<()> {
        let (dtype, got) = (x.buffer().dtype(), param.buffer().dtype());
        if got != dtype && got != self.sums() {
            let expected =
                format!("the operand is {dtype}, and parameters are that or {}; cast one of them", self.sums()).into();
            return Err(Error::DType { op: OP, got, expected });
        }
        if param.shape() != [self.channels] {
            let reason = format!("a {what} of shape [{}] is needed", self.channels).into();
            return Err(Error::ShapePair { op: OP, lhs: x.shape().into(), rhs: param.shape().into(), reason });
        }
        Ok(())
    }

    /// Parts of each channel that have `span` words at most, and the immediates that say so.
    fn parts(&self, span: usize) -> (usize, Immediates) {
        let row = self.row / self.width();
        let words = self.batch * row;
        let parts = words.div_ceil(span);
        let mut immediates = Immediates::default();
        let scalars = [
            (slots::CHANNELS, self.channels),
            (slots::ROW, row),
            (slots::WORDS, words),
            (slots::SPAN, span),
            (slots::PARTS, parts),
        ];
        scalars.into_iter().for_each(|(at, value)| immediates[at] = value as u32);
        (parts, immediates)
    }

    /// A workgroup for each part of each channel.
    fn groups(&self, device: &Device, parts: usize) -> Result<[u32; 3]> {
        let most = device.capabilities().groups_per_axis as usize;
        if self.channels > most || parts > most {
            return device.refuse(OP, format!("{} channels in {parts} parts, and {most} are the most", self.channels));
        }
        Ok([self.channels as u32, parts as u32, 1])
    }

    /// A kernel of all elements.
    fn each(&self, program: Program, reads: &[&Buffer], output: &Buffer) -> Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let mut immediates = Immediates::default();
        immediates[slots::CHANNELS] = self.channels as u32;
        immediates[slots::ROW] = self.row as u32;
        immediates[slots::ELEMENTS] = self.elements() as u32;
        storage::put_number(&mut immediates, slots::COUNT, self.dtype, (self.batch * self.row) as f64);
        let groups = record::grid(output.device(), self.elements().div_ceil(4 * 256));
        record(program, reads, &[output], immediates, groups)
    }
}

fn record(
    program: Program,
    reads: &[&Buffer],
    writes: &[&Buffer],
    immediates: Immediates,
    groups: [u32; 3],
) -> Result<()> {
    let program = record::Program::BatchNorm(program);
    Launch { op: OP, program, reads, writes, immediates, groups }.record(writes[0].device())
}

/// Mean, reciprocal deviation and biased variance of each channel.
fn moments(x: &Buffer, shape: &Channels, eps: f64) -> Result<[Buffer; 3]> {
    let device = x.device();
    let statistic = || Buffer::new(device, OP, shape.sums(), shape.channels);
    if shape.elements() == 0 {
        // Nothing has no moments.
        let nothing = || elementwise::fill(device, shape.sums(), shape.channels, f64::NAN);
        return Ok([nothing()?, nothing()?, nothing()?]);
    }
    let (parts, mut immediates) = shape.parts(256 * CHUNKS);
    storage::put_number(&mut immediates, slots::EPS, shape.dtype, eps);
    let partial = Buffer::new(device, OP, shape.sums(), 4 * shape.channels * parts)?;
    let program = Program::Moments { dtype: x.dtype(), width: shape.width() };
    record(program, &[x], &[&partial], immediates, shape.groups(device, parts)?)?;
    let statistics = [statistic()?, statistic()?, statistic()?];
    let groups = shape.groups(device, 1)?;
    record(Program::Join { dtype: shape.sums() }, &[&partial], &statistics.each_ref(), immediates, groups)?;
    Ok(statistics)
}

/// The sums of the gradient, and of it times the normalised operand, for each channel: the gradients by bias and weight.
fn sums(shape: &Channels, [x, g, mean, rstd]: [&Buffer; 4]) -> Result<[Buffer; 2]> {
    let device = x.device();
    if shape.elements() == 0 {
        let zeros = || elementwise::fill(device, shape.sums(), shape.channels, 0.0);
        return Ok([zeros()?, zeros()?]);
    }
    let (parts, immediates) = shape.parts(256 * CHUNKS);
    let partial = Buffer::new(device, OP, shape.sums(), 2 * shape.channels * parts)?;
    let program = Program::Sums { dtype: x.dtype(), width: shape.width() };
    record(program, &[x, g, mean], &[&partial], immediates, shape.groups(device, parts)?)?;
    let sum = || Buffer::new(device, OP, shape.sums(), shape.channels);
    let sums = [sum()?, sum()?];
    let program = Program::JoinSums { dtype: shape.sums() };
    record(program, &[&partial, rstd], &sums.each_ref(), immediates, shape.groups(device, 1)?)?;
    Ok(sums)
}

/// Two parameters of one type: single precision where they differ.
fn same_type<'a>(params: [&View<'a>; 2]) -> Result<[Dense<'a>; 2]> {
    let [weight, bias] = params.map(|param| param.buffer().dtype());
    let [weight, bias] =
        params.map(
            |param| if weight == bias { Dense::from_start(param) } else { cast(param, DType::F32).map(Dense::Copied) },
        );
    Ok([weight?, bias?])
}

/// `1 / sqrt(var + eps)` of a variance that is given, in `dtype`.
fn reciprocal_deviation(var: &View<'_>, eps: f64, dtype: DType) -> Result<Buffer> {
    let device = var.buffer().device();
    let (var, eps) = (cast(var, dtype)?, elementwise::fill(device, dtype, 1, eps)?);
    let flat = |buffer| View::contiguous(OP, buffer, &[Buffer::len(buffer)]);
    let raised = binary(BinaryOp::Add, &flat(&var)?, &flat(&eps)?)?;
    unary(UnaryOp::Rsqrt, [0.0; 2], &flat(&raised)?)
}

/// A sum in the type of what it is the gradient by.
fn converted(sum: Buffer, dtype: DType) -> Result<Buffer> {
    if sum.dtype() == dtype { Ok(sum) } else { cast(&View::contiguous(OP, &sum, &[sum.len()])?, dtype) }
}
