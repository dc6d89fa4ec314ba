//! All steps of one direction of one layer, as one operation with a gradient of its own.
//!
//! The tape would hold a few nodes per step, and sum the weight's gradient step by step. As one operation the steps leave what their
//! gradients read, and the weight's gradient is one product over all steps. The product with the input is none of its concern: it is
//! one `linear` over the whole sequence.

use super::kind::{Kept, Kind, State, StepGradient};
use std::fmt;
use std::sync::{Arc, OnceLock};
use trueno_autograd::{Autograd, GradOptions, grads, is_grad_enabled};
use trueno_core::table::{BinaryOp, ReduceOp};
use trueno_core::{Error, Result};
use trueno_tensor::{DynTensor, Function, Op, apply, apply_owned};

/// The operands of a sequence.
#[derive(Clone)]
pub(super) struct Operands<X> {
    /// Products with the input at every step, `[T, N, gates * H]`.
    pub input: X,
    /// The hidden state before the first step, `[N, P]`.
    pub h: X,
    /// The cell's, `[N, H]`.
    pub c: Option<X>,
    /// `[gates * H, P]`.
    pub weight: X,
    /// `[gates * H]`.
    pub bias: Option<X>,
    /// Of the hidden state, `[P, H]`.
    pub projection: Option<X>,
}

impl<X> Operands<X> {
    fn into_vec(self) -> Vec<X> {
        let Operands { input, h, c, weight, bias, projection } = self;
        [Some(input), Some(h), c, Some(weight), bias, projection].into_iter().flatten().collect()
    }
}

/// What a direction gives.
pub(super) struct Outcome {
    /// `[T, N, P]`.
    pub output: DynTensor,
    /// After the last step, `[N, P]`.
    pub h: DynTensor,
    /// `[N, H]`.
    pub c: Option<DynTensor>,
}

/// Runs a direction.
pub(super) fn run(kind: Kind, reverse: bool, operands: Operands<&DynTensor>) -> Result<Outcome> {
    let steps = operands.input.shape()[0];
    let (h, c) = (operands.h.shape().to_vec(), operands.c.map(|c| c.shape().to_vec()));
    let has = [operands.c.is_some(), operands.bias.is_some(), operands.projection.is_some()];
    let inputs = operands.into_vec();
    let keep = is_grad_enabled() && inputs.iter().any(|x| x.tracks_gradient());
    let sequence = Sequence { kind, reverse, has, steps: keep.then(OnceLock::new) };
    let all = apply(&Op::Custom(Arc::new(sequence)), &inputs)?;
    let joined = Joined { steps, h: &h, c: c.as_deref(), reverse };
    let last = joined.hidden(&all)?.narrow(0, if reverse { 0 } else { steps }, 1)?;
    Ok(Outcome { output: joined.after(&all)?, h: last.squeeze(0)?, c: joined.cell(&all)? })
}

/// How the results lie in one row: the hidden states from before the first step to after the last, in the order of time, and the
/// last state of the cell.
struct Joined<'a> {
    steps: usize,
    h: &'a [usize],
    c: Option<&'a [usize]>,
    reverse: bool,
}

impl Joined<'_> {
    /// `[T + 1, N, P]`.
    fn hidden(&self, all: &DynTensor) -> Result<DynTensor> {
        let [batch, width] = [self.h[0], self.h[1]];
        all.narrow(0, 0, (self.steps + 1) * batch * width)?.reshape_to(&[self.steps + 1, batch, width])
    }

    /// The hidden states after the steps, `[T, N, P]`.
    fn after(&self, all: &DynTensor) -> Result<DynTensor> {
        self.hidden(all)?.narrow(0, usize::from(!self.reverse), self.steps)
    }

    /// Those before.
    fn before(&self, all: &DynTensor) -> Result<DynTensor> {
        self.hidden(all)?.narrow(0, usize::from(self.reverse), self.steps)
    }

    /// The last state of the cell.
    fn cell(&self, all: &DynTensor) -> Result<Option<DynTensor>> {
        let Some(shape) = self.c else { return Ok(None) };
        let size: usize = shape.iter().product();
        all.narrow(0, all.size() - size, size)?.reshape_to(shape).map(Some)
    }
}

/// What the gradient of a step reads.
struct Step {
    kept: Kept,
    /// The hidden state before it was projected.
    wide: Option<DynTensor>,
}

/// The operation.
struct Sequence {
    kind: Kind,
    reverse: bool,
    /// Which of the operands that may be missing are there: cell, bias, projection.
    has: [bool; 3],
    /// What the forward pass left, in the order of time; `None` if nothing will ask for it.
    steps: Option<OnceLock<Vec<Step>>>,
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sequence({:?})", self.kind)
    }
}

impl Sequence {
    fn operands<'a>(&self, inputs: &'a [DynTensor]) -> Operands<&'a DynTensor> {
        let mut rest = inputs.iter();
        let mut next = || rest.next().unwrap_or_else(|| unreachable!("as many as `into_vec` gave"));
        let [cell, bias, projection] = self.has;
        Operands {
            input: next(),
            h: next(),
            c: cell.then(&mut next),
            weight: next(),
            bias: bias.then(&mut next),
            projection: projection.then(&mut next),
        }
    }

    fn joined<'a>(&self, operands: &Operands<&'a DynTensor>) -> Joined<'a> {
        let steps = operands.input.shape()[0];
        Joined { steps, h: operands.h.shape(), c: operands.c.map(DynTensor::shape), reverse: self.reverse }
    }

    /// The steps in the order in which they are taken.
    fn order(&self, steps: usize) -> impl DoubleEndedIterator<Item = usize> {
        let reverse = self.reverse;
        (0..steps).map(move |step| if reverse { steps - 1 - step } else { step })
    }

    /// The joined results, and what the steps left if it is to be kept; recorded step by step if the operands are tracked.
    fn unroll(&self, operands: &Operands<&DynTensor>, keep: bool) -> Result<(DynTensor, Vec<Step>)> {
        // Turned once, it is read in place at every step.
        let weight = operands.weight.transpose()?.contiguous()?;
        let mut state = State { h: operands.h.clone(), c: operands.c.cloned() };
        let (mut hidden, mut kept) = (vec![flat(&state.h)?], Vec::new());
        for t in self.order(operands.input.shape()[0]) {
            let input = operands.input.narrow(0, t, 1)?.squeeze(0)?;
            let mut recurrent = state.h.matmul(&weight)?;
            if let Some(bias) = operands.bias {
                recurrent = apply_owned(&Op::Binary(BinaryOp::Add), recurrent, &[bias])?;
            }
            let (after, step) = self.kind.step(&input, recurrent, &state)?;
            state = after;
            let mut wide = None;
            if let Some(projection) = operands.projection {
                let narrow = state.h.linear(projection, None)?;
                wide = Some(std::mem::replace(&mut state.h, narrow));
            }
            hidden.push(flat(&state.h)?);
            if keep {
                kept.push(Step { kept: step, wide });
            }
        }
        if self.reverse {
            hidden.reverse();
            kept.reverse();
        }
        if let Some(c) = &state.c {
            hidden.push(flat(c)?);
        }
        Ok((DynTensor::concat(&hidden.iter().collect::<Vec<_>>(), 0)?, kept))
    }

    /// The gradients by the operands, outside any graph.
    fn gradients(
        &self,
        operands: &Operands<&DynTensor>,
        steps: &[Step],
        all: &DynTensor,
        g: &DynTensor,
    ) -> Result<Operands<DynTensor>> {
        let joined = self.joined(operands);
        // Of the states before the first step and after each, in the order of time.
        let by_hidden = joined.hidden(g)?;
        let by_state = |t: usize| by_hidden.narrow(0, t, 1)?.squeeze(0);
        let before = usize::from(self.reverse);
        let mut by_h = by_state(if self.reverse { 0 } else { steps.len() })?;
        let mut by_c = joined.cell(g)?;
        let (mut recurrent, mut input) = (vec![None; steps.len()], vec![None; steps.len()]);
        let mut projected = vec![None; steps.len()];
        for t in self.order(steps.len()).rev() {
            if let Some(projection) = operands.projection {
                let wide = by_h.matmul(projection)?;
                projected[t] = Some(std::mem::replace(&mut by_h, wide));
            }
            let step: StepGradient = self.kind.step_gradient(&steps[t].kept, by_h, by_c)?;
            by_h = step.recurrent.matmul(operands.weight)?;
            for direct in [Some(by_state(t + before)?), step.h].into_iter().flatten() {
                by_h = apply_owned(&Op::Binary(BinaryOp::Add), by_h, &[&direct])?;
            }
            by_c = step.c;
            recurrent[t] = Some(step.recurrent);
            input[t] = step.input;
        }
        // `[T * N, ...]`, of every step.
        let rows = |parts: Vec<Option<DynTensor>>| {
            let parts: Vec<DynTensor> = parts.into_iter().flatten().collect();
            DynTensor::concat(&parts.iter().collect::<Vec<_>>(), 0)
        };
        let product = |a: &DynTensor, b: &DynTensor| a.transpose()?.matmul(b);
        let recurrent = rows(recurrent)?;
        let [count, width] = [recurrent.shape()[0], joined.h[1]];
        let weight = product(&recurrent, &joined.before(all)?.reshape_to(&[count, width])?)?;
        let bias = operands.bias.map(|_| recurrent.reduce(ReduceOp::Sum, &[0], false, 0.0)).transpose()?;
        let projection = match operands.projection {
            Some(_) => Some(product(&rows(projected)?, &rows(steps.iter().map(|step| step.wide.clone()).collect())?)?),
            None => None,
        };
        let input = if self.kind.adds_products() { recurrent } else { rows(input)? };
        let input = input.reshape_to(operands.input.shape())?;
        Ok(Operands { input, h: by_h, c: by_c, weight, bias, projection })
    }
}

impl Function for Sequence {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn forward(&self, inputs: &[&DynTensor]) -> Result<DynTensor> {
        let inputs: Vec<DynTensor> = inputs.iter().map(|x| (*x).clone()).collect();
        let (all, kept) = self.unroll(&self.operands(&inputs), self.steps.is_some())?;
        if let Some(steps) = &self.steps {
            // The first to run is the only one.
            let _ = steps.set(kept);
        }
        Ok(all)
    }

    fn backward(&self, inputs: &[&DynTensor], output: &DynTensor, g: &DynTensor) -> Result<Vec<Option<DynTensor>>> {
        if is_grad_enabled() {
            // This pass is recorded: the steps one by one have gradients of every order. An operand may have been made of
            // another; views of them are places of their own in the graph.
            let view = |x: &&DynTensor| apply(&Op::Reshape(x.shape().into()), &[x]);
            let views = inputs.iter().map(view).collect::<Result<Vec<_>>>()?;
            let (all, _) = self.unroll(&self.operands(&views), false)?;
            let tracked: Vec<&DynTensor> = views.iter().filter(|x| x.tracks_gradient()).collect();
            let options = GradOptions { create_graph: true, allow_unused: true, ..GradOptions::default() };
            let mut found = grads(&[&all], &tracked, &[g], options)?.into_iter();
            return Ok(views.iter().map(|x| if x.tracks_gradient() { found.next() } else { None }).collect());
        }
        let inputs: Vec<DynTensor> = inputs.iter().map(|x| x.detach()).collect();
        let steps = self.steps.as_ref().and_then(OnceLock::get).ok_or_else(|| {
            let reason = "what the forward pass left was not kept, for it ran without gradients".into();
            Error::Gradient { op: self.name(), reason }
        })?;
        let found = self.gradients(&self.operands(&inputs), steps, &output.detach(), g)?;
        Ok(found.into_vec().into_iter().map(Some).collect())
    }
}

/// All elements in a row.
fn flat(x: &DynTensor) -> Result<DynTensor> {
    x.reshape_to(&[x.size()])
}
