//! The engine's face: one door through which every operation goes, and a method per operation.

mod methods;
mod views;

use crate::{DynTensor, Op, Saved, exec};
use trueno_core::Result;

/// Executes an operation, and records it if any operand is tracked. Every operation of every crate comes
/// through here, so none can be forgotten by the tape.
///
/// # Errors
/// What the operation refuses, with its name and the shapes.
pub fn apply(op: &Op, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let (output, saved) = exec::execute(op, inputs)?;
    Ok(record(op, inputs, output, saved))
}

fn record(op: &Op, inputs: &[&DynTensor], output: DynTensor, saved: Saved) -> DynTensor {
    let Some(recorder) = inputs.iter().find_map(|input| input.recorder()) else {
        return output;
    };
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
pub fn apply_owned(op: &Op, first: DynTensor, rest: &[&DynTensor]) -> Result<DynTensor> {
    let tracked = first.recorder().is_some() || rest.iter().any(|x| x.recorder().is_some());
    let first = match tracked {
        true => first,
        false => match exec::elementwise::in_place(op, first, rest)? {
            Ok(done) => return Ok(done),
            Err(first) => first,
        },
    };
    let inputs: smallvec::SmallVec<[&DynTensor; 3]> = std::iter::once(&first).chain(rest.iter().copied()).collect();
    apply(op, &inputs)
}
