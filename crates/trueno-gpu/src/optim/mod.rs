//! Steps of optimizers: parameter and state are changed in place, in one pass; and the norm of all gradients.
//!
//! Parameters and states are `f32`, or `f64` where the gradients are. Gradients may be of half precision, and are multiplied by a factor that is already on the
//! device, so that neither the scaling of losses nor clipping brings a number back to the host.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::{Formula, SPAN, slots};
use trueno_core::optim::{Step, Update};
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::device::Device;
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::storage;
use crate::walk::index;

/// Threads of a workgroup.
const THREADS: usize = 256;

/// One step of a parameter by the rule `R`, which names itself `op` in errors. `factor`, of one element, multiplies the gradient
/// beside the step's own.
///
/// # Errors
/// [`Error::Argument`] for states of another length; [`Error::DType`] for a parameter or state that is not `f32` (`f64` with gradients of
/// those); and what the device refuses.
pub fn step<R: Update>(
    op: &'static str,
    step: &Step,
    parameter: &mut Buffer,
    grad: &View<'_>,
    state: &mut [&mut Buffer],
    factor: Option<&Buffer>,
) -> Result<()> {
    let formula = Formula::of::<R>(step.flags, state.len());
    let program = Program::Step { formula, grad: grad.buffer().dtype(), scaled: factor.is_some() };
    let states: Vec<&Buffer> = std::iter::once(&*parameter).chain(state.iter().map(|state| &**state)).collect();
    run(op, program, &states, grad, factor, step)
}

/// What [`grad_norm`] gives, on the device.
#[derive(Debug)]
pub struct GradNorm {
    /// The L2 norm of all elements of all gradients.
    pub norm: Buffer,
    /// What gradients are multiplied by so that their norm is at most the limit; 1 if it is, NaN if it is NaN.
    pub factor: Buffer,
}

/// The joint norm of gradients, and the factor that limits it to `max_norm` (PyTorch's `clip_grad_norm_`). Nothing is brought back.
///
/// # Errors
/// [`Error::DType`] for gradients that are no floats, or `float64` beside others; and what the device refuses.
pub fn grad_norm(device: &Device, gradients: &[View<'_>], max_norm: f64) -> Result<GradNorm> {
    let op = "clip_grad_norm";
    let parts = |gradient: &View<'_>| gradient.layout().size().div_ceil(4 * SPAN);
    let total = gradients.iter().map(parts).sum();
    let sums = gradients.first().map_or(DType::F32, |gradient| storage::sums(gradient.buffer().dtype()));
    let partial = Buffer::new(device, op, sums, total)?;
    let mut first = 0;
    for gradient in gradients {
        let got = storage::float(op, gradient.buffer())?;
        if storage::sums(got) != sums {
            let expected = format!("another gradient is summed in {sums}; cast one of them").into();
            return Err(Error::DType { op, got, expected });
        }
        if parts(gradient) == 0 {
            continue;
        }
        let g = Dense::new(gradient, 4)?;
        let mut immediates = Immediates::default();
        let count = gradient.layout().size();
        immediates[slots::VECTORS] = index(op, count.div_ceil(4))?;
        immediates[slots::FROM_G] = index(op, g.from() / 4)?;
        immediates[slots::COUNT] = index(op, count)?;
        immediates[slots::FIRST] = index(op, first)?;
        let program = record::Program::Optim(Program::Squares { grad: gradient.buffer().dtype() });
        let groups = record::grid(device, parts(gradient));
        Launch { op, program, reads: &[g.buffer()], writes: &[&partial], immediates, groups }.record(device)?;
        first += parts(gradient);
    }
    let [norm, factor] = [Buffer::new(device, op, sums, 1)?, Buffer::new(device, op, sums, 1)?];
    let mut immediates = Immediates::default();
    immediates[slots::COUNT] = index(op, total)?;
    storage::put_number(&mut immediates, slots::NUMBERS, sums, max_norm);
    let (program, groups) = (record::Program::Optim(Program::Norm { dtype: sums }), [1, 1, 1]);
    Launch { op, program, reads: &[&partial], writes: &[&norm, &factor], immediates, groups }.record(device)?;
    Ok(GradNorm { norm, factor })
}

/// Records a step over states of one length, the parameter first.
fn run(
    op: &'static str,
    program: Program,
    states: &[&Buffer],
    grad: &View<'_>,
    factor: Option<&Buffer>,
    step: &Step,
) -> Result<()> {
    let wide = storage::sums(storage::float(op, grad.buffer())?);
    let len = grad.layout().size();
    if let Some(state) = states.iter().find(|state| state.dtype() != wide) {
        let expected = format!("on a GPU parameters and states are {wide} for these gradients").into();
        return Err(Error::DType { op, got: state.dtype(), expected });
    }
    if let Some(state) = states.iter().find(|state| state.len() != len) {
        let reason = format!("{len} gradients do not fit a parameter or state of {} elements", state.len()).into();
        return Err(Error::Argument { op, reason });
    }
    if factor.is_some_and(|factor| factor.dtype() != wide || factor.len() != 1) {
        return Err(Error::Argument { op, reason: format!("the factor is one {wide}").into() });
    }
    if len == 0 {
        return Ok(());
    }
    let device = grad.buffer().device();
    let grad = Dense::new(grad, 4)?;
    let vectors = len.div_ceil(4);
    let mut immediates = Immediates::default();
    immediates[slots::VECTORS] = index(op, vectors)?;
    immediates[slots::FROM_G] = index(op, grad.from() / 4)?;
    storage::put_number(&mut immediates, slots::FACTOR, wide, step.factor);
    let words = step.numbers.iter().flat_map(|&number| storage::words(storage::scalar(wide), number));
    immediates[slots::NUMBERS..].iter_mut().zip(words).for_each(|(slot, word)| *slot = word);
    let reads: Vec<&Buffer> = std::iter::once(grad.buffer()).chain(factor).collect();
    let groups = record::grid(device, vectors.div_ceil(THREADS));
    let program = record::Program::Optim(program);
    Launch { op, program, reads: &reads, writes: states, immediates, groups }.record(device)
}
