//! Losses.

use super::{Grads, Step};
use crate::traced::Arena;
use trueno_core::table::CompareOp;
use trueno_core::{Dims, Result};
use trueno_tensor::{CrossEntropyConfig, DynTensor, Op, apply, backward};

/// `g * (softmax(x) - target)` in rows that count, divided by their number for the mean.
pub(super) fn cross_entropy(config: &CrossEntropyConfig, step: &Step<'_>) -> Result<Grads> {
    if !step.create_graph {
        return step.each(|_| backward::cross_entropy(&step.input(0)?, &step.input(1)?, &step.g, config));
    }
    step.each(|i| {
        let logits = step.input(0)?;
        let counts = counting_rows(config, &step.input(1)?, &logits)?;
        let targets = targets(config, &step.input(1)?, &counts, step.shape(i))?;
        let arena = Arena::new(step.g.dtype());
        let (g, counts) = (arena.tensor(step.g.clone()), arena.tensor(counts));
        let slope = arena.tensor(logits.softmax(1)?) * counts - arena.tensor(targets);
        let scaled = if config.mean { g / counts.sum(&[0, 1]) } else { g };
        arena.finish(slope * scaled, step.shape(i))
    })
}

/// 1 in rows that count and 0 in ignored ones, as a column of the logits' type.
fn counting_rows(config: &CrossEntropyConfig, labels: &DynTensor, logits: &DynTensor) -> Result<DynTensor> {
    let column = labels.unsqueeze(1)?;
    match config.ignore_index {
        None => logits.constant(1.0)?.broadcast_to(column.shape())?.to(&logits.device()),
        Some(ignored) => column.compare(CompareOp::Ne, &DynTensor::scalar(ignored)?)?.cast(logits.dtype()),
    }
}

/// The distribution that each row is to have: most on its label, `label_smoothing` spread evenly; 0 in ignored rows.
fn targets(config: &CrossEntropyConfig, labels: &DynTensor, counts: &DynTensor, shape: &[usize]) -> Result<DynTensor> {
    // An ignored label need not be a class.
    let counted = counts.cast(trueno_core::DType::Bool)?;
    let safe = counted.select(&labels.unsqueeze(1)?, &DynTensor::scalar(0_i64)?)?;
    let shape = Dims::from_slice(shape);
    let classes = shape[1] as f64;
    let hot = apply(&Op::ScatterAdd { axis: 1, shape: shape.clone() }, &[counts, &safe])?;
    let arena = Arena::new(counts.dtype());
    let spread = arena.tensor(counts.clone()) * (config.label_smoothing / classes);
    arena.finish(arena.tensor(hot) * (1.0 - config.label_smoothing) + spread, &shape)
}
