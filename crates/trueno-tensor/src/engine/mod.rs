//! The engine's face: one door through which every operation goes, and a method per operation.

mod arrange;
mod methods;
mod views;

use crate::{DynTensor, Op, Recorder, Saved, autocast, exec};
use smallvec::SmallVec;
use std::sync::Arc;
use trueno_core::table::BinaryOp;
use trueno_core::{Error, Result};

/// Executes an operation, and records it if any operand is tracked. Every operation of every crate comes
/// through here, so none can be forgotten by the tape.
///
/// # Errors
/// What the operation refuses, with its name and the shapes.
pub fn apply(op: &Op, inputs: &[&DynTensor]) -> Result<DynTensor> {
    // What narrows nothing would still be moved here, all of it.
    if !autocast::is_active() {
        return execute(op, inputs);
    }
    match autocast::narrowed(op, inputs)? {
        None => execute(op, inputs),
        Some(narrowed) => execute(op, &narrowed.iter().collect::<SmallVec<[&DynTensor; 4]>>()),
    }
}

/// As [`apply`], with operands that autocast has seen.
fn execute(op: &Op, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let mut saved = Saved::new();
    let Some(recorder) = recorder(inputs) else {
        return exec::execute(op, inputs, &mut saved);
    };
    let output = exec::execute(op, inputs, &mut saved)?;
    Ok(record(recorder, op, inputs, output, saved))
}

/// As [`DynTensor::batch_norm`] by the statistics of the batch, with those statistics: the mean and the unbiased variance of
/// each channel, which PyTorch's running statistics are made of. They carry no gradient, and cost no pass of their own.
///
/// The variance of a single element per channel is NaN. For operands in half precision the statistics are `f32`.
///
/// # Errors
/// As [`DynTensor::batch_norm`].
///
/// ```
/// use trueno_tensor::{DynTensor, batch_norm_with_stats, core::DType};
/// let x = DynTensor::from_slice(&[1.0_f32, 3.0], &[2, 1])?;
/// let (one, zero) = (DynTensor::full(&[1], DType::F32, 1.0)?, DynTensor::zeros(&[1], DType::F32)?);
/// let (y, [mean, var]) = batch_norm_with_stats(&x, &one, &zero, 0.0)?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 1.0]);
/// assert_eq!((mean.to_vec::<f32>()?, var.to_vec::<f32>()?), (vec![2.0], vec![2.0]));
/// # Ok::<(), trueno_tensor::core::Error>(())
/// ```
pub fn batch_norm_with_stats(
    x: &DynTensor,
    weight: &DynTensor,
    bias: &DynTensor,
    eps: f64,
) -> Result<(DynTensor, [DynTensor; 2])> {
    let (op, inputs) = (Op::BatchNorm { eps }, [x, weight, bias]);
    let mut saved = Saved::new();
    let output = exec::execute(&op, &inputs, &mut saved)?;
    let count = x.size() as f64 / weight.size() as f64;
    let var = saved[2].binary_scalar(BinaryOp::Mul, count / (count - 1.0))?;
    let mean = saved[0].clone();
    let output = match recorder(&inputs) {
        Some(recorder) => record(recorder, &op, &inputs, output, saved),
        None => output,
    };
    Ok((output, [mean, var]))
}

/// The place in a gradient graph of the first operand that has one.
fn recorder<'a>(inputs: &[&'a DynTensor]) -> Option<&'a Arc<dyn Recorder>> {
    inputs.iter().find_map(|input| input.recorder())
}

/// A result at its place in the graph.
fn record(recorder: &Arc<dyn Recorder>, op: &Op, inputs: &[&DynTensor], output: DynTensor, saved: Saved) -> DynTensor {
    // An integer or truth value has no gradient; the table says so, and the graph ends here by right.
    if !output.dtype().is_float() {
        return output;
    }
    let place = recorder.record(op, inputs, &output, saved);
    output.with_recorder(place)
}

/// As [`apply`] for an elementwise operation whose first operand is given away: its memory takes the result
/// if nobody else uses it and nothing is recorded.
///
/// # Errors
/// As [`apply`].
pub fn apply_owned(op: &Op, mut first: DynTensor, rest: &[&DynTensor]) -> Result<DynTensor> {
    if !tracked(&first, rest) && exec::elementwise::in_place(op, &mut first, rest)? {
        return Ok(first);
    }
    apply(op, &beside(&first, rest))
}

/// As [`apply`] for an elementwise operation whose result replaces its first operand: in that operand's memory
/// if nobody else uses it, in fresh memory otherwise. The operand keeps its place in a gradient graph: a leaf stays one.
///
/// # Errors
/// [`Error::Gradient`] if gradients are tracked and recorded, [`Error::ShapePair`] if the result has another shape; else
/// as [`apply`].
pub fn apply_in_place(op: &Op, first: &mut DynTensor, rest: &[&DynTensor]) -> Result<()> {
    let recorded = |x: &DynTensor| x.recorder().is_some_and(|recorder| recorder.is_recording());
    if recorded(first) || rest.iter().any(|x| recorded(x)) {
        return Err(overwritten(op));
    }
    let place = first.replace_recorder(None);
    let result = overwrite(op, first, rest);
    first.replace_recorder(place);
    result
}

/// As [`apply_in_place`] for `a op= b`, where `a` may become the recorded result (a sum of losses, say) unless it is a leaf.
pub(crate) fn assign(op: BinaryOp, a: &mut DynTensor, b: &DynTensor) -> Result<()> {
    let op = Op::Binary(op);
    let becomes_result = a.recorder().is_none_or(|recorder| recorder.is_recording() && !recorder.is_leaf());
    if becomes_result { overwrite(&op, a, &[b]) } else { apply_in_place(&op, a, &[b]) }
}

fn overwritten(op: &Op) -> Error {
    let reason = "gradients are tracked through this value, so it cannot be overwritten while operations are recorded; \
                  use the form that returns a new value (`x = &x + y`), update it inside `no_grad`, or `detach()` it first";
    Error::Gradient { op: op.name(), reason: reason.into() }
}

/// Replaces an untracked operand by the result.
fn overwrite(op: &Op, first: &mut DynTensor, rest: &[&DynTensor]) -> Result<()> {
    if !tracked(first, rest) && exec::elementwise::in_place(op, first, rest)? {
        return Ok(());
    }
    let result = apply(op, &beside(first, rest))?;
    if result.shape() != first.shape() {
        let (lhs, rhs) = (first.shape().into(), result.shape().into());
        let reason = "the left side keeps its shape, and the result has another".into();
        return Err(Error::ShapePair { op: op.name(), lhs, rhs, reason });
    }
    *first = result;
    Ok(())
}

fn tracked(first: &DynTensor, rest: &[&DynTensor]) -> bool {
    first.recorder().is_some() || rest.iter().any(|x| x.recorder().is_some())
}

fn beside<'a>(first: &'a DynTensor, rest: &[&'a DynTensor]) -> SmallVec<[&'a DynTensor; 3]> {
    std::iter::once(first).chain(rest.iter().copied()).collect()
}
