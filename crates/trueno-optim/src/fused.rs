//! One step of all parameters at once: cut into chunks that go to threads together, whoever's they are.

use crate::Rule;
use trueno_core::optim::Step;
use trueno_core::{DType, Element, Result, bf16, f16};
use trueno_kernels::elementwise::convert;
use trueno_tensor::{DynTensor, for_each_job, isa};

/// Elements of a chunk: enough to be worth a thread, little enough for threads to share a large parameter evenly.
const CHUNK: usize = 1 << 14;
/// Steps per element; memory is what they wait for.
const COST: usize = 4;
/// Elements of half precision that are widened at a time; their `f32` lie in the first-level cache.
const BLOCK: usize = 1024;

/// A parameter that is to be moved, and what moves it. All tensors have one shape and one type.
pub(crate) struct Move<'a> {
    pub(crate) step: Step,
    pub(crate) parameter: &'a mut DynTensor,
    pub(crate) grad: &'a DynTensor,
    pub(crate) state: &'a mut [DynTensor],
}

/// Moves the parameters by the rule `R`, in their memory. They are all moved, or on an error none; but when a GPU fails, those before it are.
pub(crate) fn step<R: Rule>(moves: &mut [Move<'_>]) -> Result<()> {
    let mut jobs = Vec::new();
    for one in moves {
        #[cfg(feature = "gpu")]
        if one.parameter.device() != trueno_tensor::Device::Cpu {
            on_gpu::<R>(one)?;
            continue;
        }
        match one.parameter.dtype() {
            DType::F32 => cut::<R, f32>(one, &mut jobs)?,
            DType::F64 => cut::<R, f64>(one, &mut jobs)?,
            DType::F16 => cut::<R, f16>(one, &mut jobs)?,
            DType::BF16 => cut::<R, bf16>(one, &mut jobs)?,
            DType::Bool | DType::U8 | DType::I8 | DType::I32 | DType::U32 | DType::I64 => {
                unreachable!("integers are no leaves")
            }
        }
    }
    for_each_job(jobs, |job| job.elements * COST, |job| (job.run)());
    Ok(())
}

/// Records the step of a parameter on a GPU.
#[cfg(feature = "gpu")]
fn on_gpu<R: Rule>(one: &mut Move<'_>) -> Result<()> {
    let grad = one.grad.to(&one.parameter.device())?;
    let Some(grad) = grad.gpu_view(R::NAME)? else { return Ok(()) };
    let mut state = one.state.iter_mut().map(|state| state.gpu_make_mut(R::NAME)).collect::<Result<Vec<_>>>()?;
    trueno_gpu::optim::step::<R>(R::NAME, &one.step, one.parameter.gpu_make_mut(R::NAME)?, &grad, &mut state, None)
}

/// A chunk of one parameter.
struct Job<'a> {
    elements: usize,
    run: Box<dyn FnOnce() + Send + 'a>,
}

/// Adds the chunks of one parameter to the jobs.
fn cut<'a, R: Rule, T: Steps>(one: &'a mut Move<'_>, jobs: &mut Vec<Job<'a>>) -> Result<()> {
    let Move { step, parameter, grad, state } = one;
    let step = &*step;
    let grads = grad.as_slice::<T>().expect("a gradient was made contiguous and of its parameter's type");
    let mut states =
        state.iter_mut().map(|state| Ok(state.make_mut::<T>()?.chunks_mut(CHUNK))).collect::<Result<Vec<_>>>()?;
    for (parameter, grad) in parameter.make_mut::<T>()?.chunks_mut(CHUNK).zip(grads.chunks(CHUNK)) {
        let mut state: Vec<&mut [T]> = states.iter_mut().filter_map(Iterator::next).collect();
        let elements = parameter.len();
        jobs.push(Job { elements, run: Box::new(move || T::update::<R>(step, parameter, grad, &mut state)) });
    }
    Ok(())
}

/// An element type whose parameters can be moved.
trait Steps: Element {
    fn update<R: Rule>(step: &Step, parameter: &mut [Self], grad: &[Self], state: &mut [&mut [Self]]);
}

macro_rules! native {
    ($($t:ty: $update:ident),*) => {$(
        impl Steps for $t {
            fn update<R: Rule>(step: &Step, parameter: &mut [$t], grad: &[$t], state: &mut [&mut [$t]]) {
                R::$update(step, parameter, grad, state);
            }
        }
    )*};
}
native!(f32: update_f32, f64: update_f64);

/// Half precision: widened, moved and rounded once, block by block.
macro_rules! half {
    ($($t:ty),*) => {$(
        impl Steps for $t {
            fn update<R: Rule>(step: &Step, parameter: &mut [$t], grad: &[$t], state: &mut [&mut [$t]]) {
                let mut wide = vec![[0.0_f32; BLOCK]; 2 + state.len()];
                for start in (0..parameter.len()).step_by(BLOCK) {
                    let range = start..parameter.len().min(start + BLOCK);
                    let mut blocks = wide.iter_mut().map(|block| &mut block[..range.len()]);
                    let (Some(p), Some(g)) = (blocks.next(), blocks.next()) else { return };
                    let mut states: Vec<&mut [f32]> = blocks.collect();
                    convert(isa(), &parameter[range.clone()], p);
                    convert(isa(), &grad[range.clone()], g);
                    for (from, to) in state.iter().zip(&mut states) {
                        convert(isa(), &from[range.clone()], to);
                    }
                    R::update_f32(step, p, g, &mut states);
                    convert(isa(), p, &mut parameter[range.clone()]);
                    for (to, from) in state.iter_mut().zip(&states) {
                        convert(isa(), from, &mut to[range.clone()]);
                    }
                }
            }
        }
    )*};
}
half!(f16, bf16);

#[cfg(test)]
mod tests;
