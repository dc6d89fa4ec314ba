//! Cross-entropy of logits with class labels, softmax included, and the logarithm of summed exponentials.
//!
//! With smoothing `s` and `c` classes, the target of a row with label `y` is `(1 - s) onehot(y) + s / c`, as in PyTorch; the loss
//! is its cross-entropy with `softmax(row)`, the gradient `softmax(row) - target`.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::{Folded, Kind, slots};
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::device::Device;
use crate::elementwise::{cast, fill, scaled_exp};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::storage;
use crate::walk::index;

/// What cross-entropy does with the losses of the rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Mean over the rows that count, or sum.
    pub mean: bool,
    /// Rows with this label count for nothing.
    pub ignore_index: Option<i64>,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
}

const OP: &str = "cross_entropy";

/// Pairs that a workgroup sums.
const SPAN: usize = 4096;

/// The mean or sum of the losses of logits `[N, C]` with labels `[N]`: one element. The mean of no rows is NaN.
///
/// # Errors
/// [`Error::ShapePair`] and [`Error::DType`] for what does not fit, [`Error::Argument`] for a smoothing that is no share; and what
/// the device refuses. A label that is no class is an [`Error::Index`] when something is next read back.
pub fn cross_entropy(config: &CrossEntropy, logits: &View<'_>, labels: &View<'_>) -> Result<Buffer> {
    let rows = Rows::new(config, logits, labels)?;
    let device = logits.buffer().device();
    let loss = if rows.shape.contains(&0) {
        fill(device, rows.sums(), 1, if config.mean && rows.shape[0] == 0 { f64::NAN } else { 0.0 })?
    } else {
        let pairs = Buffer::new(device, OP, rows.sums(), 2 * rows.shape[0])?;
        rows.launch(Kind::CrossEntropy, &[], &pairs, 0)?;
        let result = if config.mean { Folded::Mean } else { Folded::Sum };
        fold(&pairs, (0, rows.shape[0]), None, result, rows.sums())?
    };
    in_type(loss, logits.buffer().dtype())
}

/// The gradient of [`cross_entropy`] by the logits, from the gradient `g` by its result.
///
/// # Errors
/// As there.
pub fn cross_entropy_grad(config: &CrossEntropy, logits: &View<'_>, labels: &View<'_>, g: &View<'_>) -> Result<Buffer> {
    let rows = Rows::new(config, logits, labels)?;
    let (device, dtype) = (logits.buffer().device(), logits.buffer().dtype());
    if g.buffer().dtype() != dtype || g.layout().size() != 1 {
        let reason = format!("its gradient is one {dtype}, not {:?} of {}", g.shape(), g.buffer().dtype()).into();
        return Err(Error::Argument { op: OP, reason });
    }
    if rows.shape.contains(&0) {
        return Buffer::new(device, OP, dtype, 0);
    }
    let g = Dense::in_type(g, rows.logits.buffer().dtype(), 1)?;
    let counted = if config.mean { Some(rows.counted(device)?) } else { None };
    let extra: Vec<&Buffer> = std::iter::once(g.buffer()).chain(&counted).collect();
    let out = Buffer::new(device, OP, rows.logits.buffer().dtype(), rows.shape[0] * rows.shape[1])?;
    rows.launch(Kind::CrossEntropyGrad { mean: config.mean }, &extra, &out, g.from())?;
    in_type(out, dtype)
}

/// `ln(sum(exp(x)))` along an axis, row-major over the others; minus infinity of nothing.
///
/// # Errors
/// [`Error::Axis`]; [`Error::DType`] for what is no float, or none of the device's; and what the device refuses.
pub fn logsumexp(x: &View<'_>, axis: usize) -> Result<Buffer> {
    let op = "logsumexp";
    let dtype = storage::float(op, x.buffer())?;
    let last = x.axis_last(op, axis)?;
    let columns = x.shape()[axis];
    let rows: usize = last.shape()[..last.shape().len() - 1].iter().product();
    let device = x.buffer().device();
    if rows * columns == 0 {
        return fill(device, dtype, rows, f64::NEG_INFINITY);
    }
    let x = Dense::new(&last, if columns.is_multiple_of(4) { 4 } else { 1 })?;
    let out = Buffer::new(device, op, storage::sums(dtype), rows)?;
    let program = Program::rows(Kind::LogSumExp, dtype, columns);
    let immediates = row_immediates(op, &program, [rows, columns], x.from())?;
    let groups = record::grid(device, program.groups(rows));
    let program = record::Program::Loss(program);
    Launch { op, program, reads: &[x.buffer()], writes: &[&out], immediates, groups }.record(device)?;
    in_type(out, dtype)
}

/// The gradient of [`logsumexp`] by `x`, `exp(x - y) * g`, from its result `y` and the gradient by that, both with the axis as 1.
///
/// # Errors
/// As there; [`Error::Broadcast`] for what has another shape.
pub fn logsumexp_grad(x: &View<'_>, y: &View<'_>, g: &View<'_>) -> Result<Buffer> {
    scaled_exp("logsumexp", x, y, g)
}

/// A result that was made in `f32`, or in the right type already.
fn in_type(result: Buffer, dtype: DType) -> Result<Buffer> {
    if result.dtype() == dtype { Ok(result) } else { cast(&View::contiguous(OP, &result, &[result.len()])?, dtype) }
}

/// Logits and labels that were found to fit.
struct Rows<'a> {
    config: CrossEntropy,
    logits: Dense<'a>,
    labels: Dense<'a>,
    /// Rows and classes.
    shape: [usize; 2],
}

impl<'a> Rows<'a> {
    fn new(config: &CrossEntropy, logits: &View<'a>, labels: &View<'a>) -> Result<Self> {
        let misfit = |reason: String| Error::ShapePair {
            op: OP,
            lhs: logits.shape().into(),
            rhs: labels.shape().into(),
            reason: reason.into(),
        };
        let (&[rows, classes], &[count]) = (logits.shape(), labels.shape()) else {
            return Err(misfit("logits [N, C] and labels [N] are needed".into()));
        };
        if rows != count {
            return Err(misfit(format!("{rows} rows of logits, {count} labels")));
        }
        if labels.buffer().dtype() != DType::I64 {
            let got = labels.buffer().dtype();
            return Err(Error::DType { op: OP, got, expected: "labels are int64".into() });
        }
        let smoothing = config.label_smoothing;
        if !(0.0..=1.0).contains(&smoothing) {
            let reason = format!("label_smoothing = {smoothing} is not between 0 and 1").into();
            return Err(Error::Argument { op: OP, reason });
        }
        // Packed words that two rows share can only be written whole.
        let dtype = storage::float(OP, logits.buffer())?;
        let dtype = if classes.is_multiple_of(4) { dtype } else { storage::sums(dtype) };
        let logits = Dense::in_type(logits, dtype, if classes.is_multiple_of(4) { 4 } else { 1 })?;
        Ok(Self { config: *config, logits, labels: Dense::new(labels, 1)?, shape: [rows, classes] })
    }

    /// The type that losses are summed in.
    fn sums(&self) -> DType {
        storage::sums(self.logits.buffer().dtype())
    }

    /// How many rows count, on the device.
    fn counted(&self, device: &Device) -> Result<Buffer> {
        match self.config.ignore_index {
            None => fill(device, self.sums(), 1, self.shape[0] as f64),
            ignored => {
                let labels = (self.labels.from(), self.shape[0]);
                fold(self.labels.buffer(), labels, ignored, Folded::Count, self.sums())
            }
        }
    }

    /// Records a kernel over the rows; `extra` are its operands besides logits and labels.
    fn launch(&self, kind: Kind, extra: &[&Buffer], out: &Buffer, from_g: usize) -> Result<()> {
        let device = out.device();
        let program = Program::rows(kind, self.logits.buffer().dtype(), self.shape[1]);
        let mut immediates = row_immediates(OP, &program, self.shape, self.logits.from())?;
        immediates[slots::FROM_L] = index(OP, self.labels.from())?;
        immediates[slots::FROM_G] = index(OP, from_g)?;
        let dtype = self.logits.buffer().dtype();
        storage::put_number(&mut immediates, slots::CLASSES, dtype, self.shape[1] as f64);
        storage::put_number(&mut immediates, slots::SMOOTHING, dtype, self.config.label_smoothing);
        ignore(&mut immediates, self.config.ignore_index);
        let reads: Vec<&Buffer> =
            [self.logits.buffer(), self.labels.buffer()].into_iter().chain(extra.iter().copied()).collect();
        let groups = record::grid(device, program.groups(self.shape[0]));
        let program = record::Program::Loss(program);
        Launch { op: OP, program, reads: &reads, writes: &[out], immediates, groups }.record_checked(device)
    }
}

fn row_immediates(op: &'static str, program: &Program, [rows, columns]: [usize; 2], from: usize) -> Result<Immediates> {
    let mut immediates = Immediates::default();
    immediates[slots::ROWS] = index(op, rows)?;
    immediates[slots::WORDS] = index(op, columns / program.width())?;
    immediates[slots::FROM_X] = index(op, from / program.width())?;
    Ok(immediates)
}

/// The label that counts for nothing, as words.
fn ignore(immediates: &mut Immediates, label: Option<i64>) {
    immediates[slots::FLAGS] = u32::from(label.is_some());
    let label = label.unwrap_or(0) as u64;
    immediates[slots::IGNORE] = label as u32;
    immediates[slots::IGNORE + 1] = (label >> 32) as u32;
}

/// Joins pairs of loss and count, or the labels that are not ignored, `count` from `from` on, in `dtype`.
fn fold(
    pairs: &Buffer,
    (from, count): (usize, usize),
    ignored: Option<i64>,
    result: Folded,
    dtype: DType,
) -> Result<Buffer> {
    let device = pairs.device();
    let parts = count.div_ceil(SPAN);
    let gives = if parts > 1 { Folded::Pair } else { result };
    let out = Buffer::new(device, OP, dtype, if parts > 1 { 2 * parts } else { 1 })?;
    let mut immediates = Immediates::default();
    immediates[slots::COUNT] = index(OP, count)?;
    immediates[slots::SPAN] = SPAN as u32;
    immediates[slots::PARTS] = index(OP, parts)?;
    immediates[slots::FROM_L] = index(OP, from)?;
    ignore(&mut immediates, ignored);
    let program = record::Program::Loss(Program::Fold { labels: ignored.is_some(), result: gives, dtype });
    let groups = record::grid(device, parts);
    Launch { op: OP, program, reads: &[pairs], writes: &[&out], immediates, groups }.record(device)?;
    if parts > 1 { fold(&out, (0, parts), None, result, dtype) } else { Ok(out) }
}
