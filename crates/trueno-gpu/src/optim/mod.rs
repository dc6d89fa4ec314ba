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
pub use trueno_kernels::optim::{AdamStep, SgdStep};

use program::{SPAN, slots};
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::device::Device;
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::storage;
use crate::walk::index;

/// Threads of a workgroup.
const THREADS: usize = 256;

/// What Adam keeps per parameter.
#[derive(Debug)]
pub struct AdamState<'a> {
    /// Running mean of gradients.
    pub mean: &'a mut Buffer,
    /// Running mean of squared gradients.
    pub square: &'a mut Buffer,
    /// The largest of those means; needed with `amsgrad`.
    pub largest: Option<&'a mut Buffer>,
}

/// One step of stochastic gradient descent. `velocity` is needed with momentum, and `factor`, of one element, multiplies the
/// gradient.
///
/// # Errors
/// [`Error::Argument`] for states of another length or none; [`Error::DType`] for a parameter that is not `f32` (`f64` with gradients
/// of those); and what the device refuses.
pub fn sgd(
    step: &SgdStep,
    parameter: &mut Buffer,
    grad: &View<'_>,
    velocity: Option<&mut Buffer>,
    factor: Option<&Buffer>,
) -> Result<()> {
    let op = "sgd";
    let moving = step.momentum != 0.0;
    let velocity = if moving { Some(velocity.ok_or_else(|| missing(op, "momentum needs a velocity"))?) } else { None };
    let program = Program::Sgd {
        grad: grad.buffer().dtype(),
        scaled: factor.is_some(),
        moving,
        first: moving && step.first,
        nesterov: moving && step.nesterov,
    };
    let constants = [step.lr, step.momentum, 1.0 - step.dampening, step.weight_decay];
    let states: Vec<&Buffer> = std::iter::once(&*parameter).chain(velocity.as_deref()).collect();
    run(op, program, &states, grad, factor, &constants)
}

/// One step of Adam or AdamW. `factor`, of one element, multiplies the gradient.
///
/// # Errors
/// As [`sgd`].
pub fn adam(
    step: &AdamStep,
    parameter: &mut Buffer,
    grad: &View<'_>,
    state: AdamState<'_>,
    factor: Option<&Buffer>,
) -> Result<()> {
    let op = "adam";
    let AdamState { mean, square, largest } = state;
    let largest = match largest {
        None if step.amsgrad => return Err(missing(op, "amsgrad needs the largest mean of squares")),
        Some(largest) if step.amsgrad => Some(&*largest),
        _ => None,
    };
    let program = Program::Adam { grad: grad.buffer().dtype(), scaled: factor.is_some(), amsgrad: step.amsgrad };
    let correction = |beta: f64| 1.0 - beta.powf(step.step as f64);
    let (keep, penalty) = match step.decoupled {
        true => (1.0 - step.lr * step.weight_decay, 0.0),
        false => (1.0, step.weight_decay),
    };
    let constants = [
        keep,
        penalty,
        1.0 - step.beta1,
        step.beta2,
        1.0 - step.beta2,
        correction(step.beta2).sqrt(),
        step.eps,
        step.lr / correction(step.beta1),
    ];
    let states: Vec<&Buffer> = [&*parameter, &*mean, &*square].into_iter().chain(largest).collect();
    run(op, program, &states, grad, factor, &constants)
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
    storage::put_number(&mut immediates, slots::CONSTANTS, sums, max_norm);
    let (program, groups) = (record::Program::Optim(Program::Norm { dtype: sums }), [1, 1, 1]);
    Launch { op, program, reads: &[&partial], writes: &[&norm, &factor], immediates, groups }.record(device)?;
    Ok(GradNorm { norm, factor })
}

fn missing(op: &'static str, reason: &'static str) -> Error {
    Error::Argument { op, reason: reason.into() }
}

/// Records a step over states of one length, the parameter first.
fn run(
    op: &'static str,
    program: Program,
    states: &[&Buffer],
    grad: &View<'_>,
    factor: Option<&Buffer>,
    constants: &[f64],
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
    let words = constants.iter().flat_map(|&constant| storage::words(storage::scalar(wide), constant));
    immediates[slots::CONSTANTS..].iter_mut().zip(words).for_each(|(slot, word)| *slot = word);
    let reads: Vec<&Buffer> = std::iter::once(grad.buffer()).chain(factor).collect();
    let groups = record::grid(device, vectors.div_ceil(THREADS));
    let program = record::Program::Optim(program);
    Launch { op, program, reads: &reads, writes: states, immediates, groups }.record(device)
}
