//! One step of all parameters at once: cut into chunks that go to threads together, whoever's they are.

use crate::Rule;
use trueno_core::{DType, Element, Result, bf16, f16};
use trueno_kernels::elementwise::convert;
use trueno_kernels::simd::Real;
use trueno_tensor::{DynTensor, for_each_job, isa};

/// Elements of a chunk: enough to be worth a thread, little enough for threads to share a large parameter evenly.
const CHUNK: usize = 1 << 14;
/// Steps per element; memory is what they wait for.
const COST: usize = 4;
/// Elements of half precision that are widened at a time; their `f32` lie in the first-level cache.
const BLOCK: usize = 1024;

/// A parameter that is to be moved, and what moves it. All tensors have one shape and one type.
pub(crate) struct Update<'a, R> {
    pub(crate) rule: &'a R,
    /// Number of the step, from 1.
    pub(crate) step: u64,
    pub(crate) parameter: &'a mut DynTensor,
    pub(crate) grad: &'a DynTensor,
    pub(crate) state: &'a mut [DynTensor],
}

/// Moves the parameters, in their memory, along the gradients times `factor`. They are all moved, or on an error none; but when a
/// GPU fails, those before it are.
pub(crate) fn step<R: Rule>(updates: &mut [Update<'_, R>], factor: f64) -> Result<()> {
    let mut jobs = Vec::new();
    #[cfg(feature = "gpu")]
    let mut factors = Factors { value: factor, on: Vec::new() };
    for update in updates {
        #[cfg(feature = "gpu")]
        if update.parameter.device() != trueno_tensor::Device::Cpu {
            on_gpu(update, &mut factors)?;
            continue;
        }
        match update.parameter.dtype() {
            DType::F32 => cut::<R, f32>(update, factor, &mut jobs)?,
            DType::F64 => cut::<R, f64>(update, factor, &mut jobs)?,
            DType::F16 => cut::<R, f16>(update, factor, &mut jobs)?,
            DType::BF16 => cut::<R, bf16>(update, factor, &mut jobs)?,
            DType::Bool | DType::U8 | DType::I8 | DType::I32 | DType::U32 | DType::I64 => {
                unreachable!("integers are no leaves")
            }
        }
    }
    for_each_job(jobs, |job| job.elements * COST, |job| (job.run)());
    Ok(())
}

/// What gradients are multiplied by, on every device that has some.
#[cfg(feature = "gpu")]
struct Factors {
    value: f64,
    on: Vec<trueno_gpu::Buffer>,
}

#[cfg(feature = "gpu")]
impl Factors {
    /// The factor on a device, made there, in the type that gradients of `dtype` are multiplied in; nothing if it is 1.
    fn on(&mut self, device: &trueno_gpu::Device, dtype: DType) -> Result<Option<&trueno_gpu::Buffer>> {
        if self.value == 1.0 {
            return Ok(None);
        }
        let dtype = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        let known = self.on.iter().position(|factor| factor.device() == device && factor.dtype() == dtype);
        let at = known.unwrap_or(self.on.len());
        if at == self.on.len() {
            self.on.push(trueno_gpu::elementwise::fill(device, dtype, 1, self.value)?);
        }
        Ok(self.on.get(at))
    }
}

/// Records the step of a parameter on a GPU.
#[cfg(feature = "gpu")]
fn on_gpu<R: Rule>(update: &mut Update<'_, R>, factors: &mut Factors) -> Result<()> {
    let Update { rule, step, parameter, grad, state } = update;
    let grad = grad.to(&parameter.device())?;
    let Some(grad) = grad.gpu_view(R::NAME)? else { return Ok(()) };
    let mut state = state.iter_mut().map(|state| state.gpu_make_mut(R::NAME)).collect::<Result<Vec<_>>>()?;
    let factor = factors.on(grad.buffer().device(), grad.buffer().dtype())?;
    rule.update_on_gpu(*step, parameter.gpu_make_mut(R::NAME)?, &grad, &mut state, factor)
}

/// A chunk of one parameter.
struct Job<'a> {
    elements: usize,
    run: Box<dyn FnOnce() + Send + 'a>,
}

/// Adds the chunks of one parameter to the jobs.
fn cut<'a, R: Rule, T: Steps>(update: &'a mut Update<'_, R>, factor: f64, jobs: &mut Vec<Job<'a>>) -> Result<()> {
    let Update { rule, step, parameter, grad, state } = update;
    let (rule, number) = (*rule, *step);
    let grads = grad.as_slice::<T>().expect("a gradient was made contiguous and of its parameter's type");
    let mut states =
        state.iter_mut().map(|state| Ok(state.make_mut::<T>()?.chunks_mut(CHUNK))).collect::<Result<Vec<_>>>()?;
    for (parameter, grad) in parameter.make_mut::<T>()?.chunks_mut(CHUNK).zip(grads.chunks(CHUNK)) {
        let mut state: Vec<&mut [T]> = states.iter_mut().filter_map(Iterator::next).collect();
        let elements = parameter.len();
        let step = Step { rule, number, factor };
        jobs.push(Job { elements, run: Box::new(move || T::update(&step, parameter, grad, &mut state)) });
    }
    Ok(())
}

/// How a chunk is moved.
struct Step<'a, R> {
    rule: &'a R,
    number: u64,
    /// What the gradient is multiplied by.
    factor: f64,
}

/// An element type whose parameters can be moved.
trait Steps: Element {
    fn update<R: Rule>(step: &Step<'_, R>, parameter: &mut [Self], grad: &[Self], state: &mut [&mut [Self]]);
}

macro_rules! native {
    ($($t:ty),*) => {$(
        impl Steps for $t {
            fn update<R: Rule>(step: &Step<'_, R>, parameter: &mut [$t], grad: &[$t], state: &mut [&mut [$t]]) {
                let Step { rule, number, factor } = *step;
                if factor == 1.0 {
                    return rule.update(number, parameter, grad, state);
                }
                let scaled: Vec<$t> = grad.iter().map(|g| g * factor as $t).collect();
                rule.update(number, parameter, &scaled, state);
            }
        }
    )*};
}
native!(f32, f64);

/// Half precision: widened, moved and rounded once, block by block.
macro_rules! half {
    ($($t:ty),*) => {$(
        impl Steps for $t {
            fn update<R: Rule>(step: &Step<'_, R>, parameter: &mut [$t], grad: &[$t], state: &mut [&mut [$t]]) {
                let Step { rule, number, factor } = *step;
                let mut wide = vec![[f32::ZERO; BLOCK]; 2 + state.len()];
                for start in (0..parameter.len()).step_by(BLOCK) {
                    let range = start..parameter.len().min(start + BLOCK);
                    let mut blocks = wide.iter_mut().map(|block| &mut block[..range.len()]);
                    let (Some(p), Some(g)) = (blocks.next(), blocks.next()) else { return };
                    let mut states: Vec<&mut [f32]> = blocks.collect();
                    convert(isa(), &parameter[range.clone()], p);
                    convert(isa(), &grad[range.clone()], g);
                    if factor != 1.0 {
                        g.iter_mut().for_each(|g| *g *= factor as f32);
                    }
                    for (from, to) in state.iter().zip(&mut states) {
                        convert(isa(), &from[range.clone()], to);
                    }
                    rule.update(number, p, g, &mut states);
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
mod tests {
    use super::*;
    use crate::{AdamW, AdamWConfig, Optimizer, Sgd, SgdConfig};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use trueno_autograd::{Autograd, Gradients};
    use trueno_nn::{Module, Visitor, VisitorMut};
    use trueno_tensor::{Rng, Tensor, with_num_threads};

    /// Parameters of sizes around a chunk, many small ones, an empty one, and one of rank 0, of every float type.
    #[derive(Clone)]
    struct Many(Vec<DynTensor>);

    impl Module for Many {
        fn visit(&self, visitor: &mut dyn Visitor) {
            self.0.iter().enumerate().for_each(|(i, value)| visitor.parameter(&format!("{i}"), value));
        }

        fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
            self.0.iter_mut().enumerate().for_each(|(i, value)| visitor.parameter(&format!("{i}"), value));
        }
    }

    const SIZES: [usize; 9] = [CHUNK, 1, CHUNK * 3 + 5, 0, BLOCK, BLOCK + 3, CHUNK - 1, 40, 7];

    fn random(dtype: DType, shape: [usize; 1], rng: &mut Rng) -> DynTensor {
        Tensor::<f64, 1>::randn(shape, rng).into_dyn().cast(dtype).unwrap()
    }

    fn many() -> (Many, Gradients) {
        let rng = &mut Rng::seed(4);
        let mut values = Vec::new();
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            values.extend(SIZES.iter().map(|&size| random(dtype, [size], rng).requires_grad()));
        }
        values.push(DynTensor::scalar(2.0_f32).unwrap().requires_grad());
        let mut gradients = Gradients::default();
        for value in &values {
            let flat = random(value.dtype(), [value.size()], rng);
            gradients.insert(value, &flat.reshape_to(value.shape()).unwrap());
        }
        (Many(values), gradients)
    }

    fn bits(values: &[DynTensor]) -> Vec<Vec<u64>> {
        let wide = |x: &DynTensor| x.detach().cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
        values.iter().map(|x| wide(x).into_iter().map(f64::to_bits).collect()).collect()
    }

    /// Three steps of everything at once, on some threads.
    fn fused<R: Rule>(rule: &R, threads: usize) -> Vec<Vec<u64>> {
        let (mut module, gradients) = many();
        let mut optimizer = Optimizer::new(&module, rule.clone());
        with_num_threads(threads, || (0..3).for_each(|_| optimizer.step(&mut module, &gradients)));
        bits(&module.0)
    }

    /// The same by the rule alone, parameter after parameter and each whole.
    fn one_by_one<R: Rule>(rule: &R) -> Vec<Vec<u64>> {
        let (module, gradients) = many();
        let moved = module.0.iter().map(|parameter| {
            let mut value = parameter.detach();
            let gradient = gradients.get(parameter).unwrap();
            let mut state: Vec<DynTensor> =
                rule.state().iter().map(|_| DynTensor::zeros(value.shape(), value.dtype()).unwrap()).collect();
            for step in 1..=3 {
                whole(rule, step, &mut value, &gradient, &mut state);
            }
            value
        });
        bits(&moved.collect::<Vec<_>>())
    }

    fn whole<R: Rule>(rule: &R, step: u64, value: &mut DynTensor, gradient: &DynTensor, state: &mut [DynTensor]) {
        let dtype = value.dtype();
        let compute = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        let wide = |x: &DynTensor| x.cast(compute).unwrap();
        let (mut p, g) = (wide(value), wide(gradient));
        let mut s: Vec<DynTensor> = state.iter().map(wide).collect();
        trueno_core::dispatch_dtype!(compute, real T => {
            let mut s: Vec<&mut [T]> = s.iter_mut().map(|s| s.make_mut::<T>().unwrap()).collect();
            rule.update(step, p.make_mut::<T>().unwrap(), g.as_slice::<T>().unwrap(), &mut s);
        }, else unreachable!());
        *value = p.cast(dtype).unwrap();
        state.iter_mut().zip(&s).for_each(|(state, s)| *state = s.cast(dtype).unwrap());
    }

    #[test]
    fn a_fused_step_is_that_of_every_parameter_by_itself_on_any_number_of_threads() {
        fn check<R: Rule>(rule: &R) {
            let want = one_by_one(rule);
            for threads in [1, 2, 7] {
                assert!(fused(rule, threads) == want, "{} on {threads} threads", R::NAME);
            }
        }
        check(&AdamWConfig::default());
        check(&AdamWConfig { amsgrad: true, ..Default::default() });
        check(&SgdConfig { lr: 0.1, weight_decay: 0.01, ..Default::default() });
        check(&SgdConfig { lr: 0.1, momentum: 0.9, nesterov: true, ..Default::default() });
    }

    #[test]
    fn a_factor_multiplies_gradients_of_every_type() {
        let (mut module, gradients) = many();
        let (mut scaled, eighths) = many();
        let mut eighths = eighths;
        eighths.try_map(|gradient| gradient.binary_scalar(trueno_core::table::BinaryOp::Mul, 0.125)).unwrap();
        let rule = AdamWConfig { eps: 0.1, ..Default::default() };
        let mut whole = Optimizer::new(&module, rule);
        whole.try_step_scaled(&mut module, &gradients, 0.125).unwrap();
        Optimizer::new(&scaled, rule).step(&mut scaled, &eighths);
        // A power of two rounds nothing but half precision's smallest numbers, which these are not.
        assert!(bits(&module.0) == bits(&scaled.0));
        let (mut unscaled, same) = many();
        Optimizer::new(&unscaled, rule).step(&mut unscaled, &same);
        assert!(bits(&module.0) != bits(&unscaled.0));
    }

    /// Clipped by their norm, scaled, and stepped along on a GPU, where it computes in `f64`.
    #[cfg(feature = "gpu")]
    #[test]
    fn doubles_on_a_gpu_step_as_on_the_processor() {
        use trueno_tensor::Device;
        let device = match Device::gpu(0) {
            Ok(Device::Gpu(gpu)) if gpu.capabilities().f64 => Device::Gpu(gpu),
            other => return println!("nothing is compared: {other:?}"),
        };
        let run = |device: &Device| {
            let rng = &mut Rng::seed(6);
            let mut random = |size: usize| random(DType::F64, [size], rng).to(device).unwrap();
            let mut module = Many([5, 300].map(|size| random(size).requires_grad()).to_vec());
            let mut gradients = Gradients::default();
            for value in &module.0 {
                gradients.insert(value, &random(value.size()));
            }
            let norm = crate::clip_grad_norm(&mut gradients, 2.0).unwrap();
            let mut optimizer = AdamW::new(&module, AdamWConfig { amsgrad: true, ..Default::default() });
            for _ in 0..3 {
                optimizer.try_step_scaled(&mut module, &gradients, 0.3).unwrap();
            }
            let values: Vec<f64> = module.0.iter().flat_map(|value| value.to_vec::<f64>().unwrap()).collect();
            (norm, values)
        };
        let (there, here) = (run(&device), run(&Device::Cpu));
        assert!((there.0 - here.0).abs() <= 1e-13 * here.0, "{} {}", there.0, here.0);
        for (there, here) in there.1.iter().zip(&here.1) {
            assert!((there - here).abs() <= 1e-13 * here.abs().max(1.0), "{there} {here}");
        }
    }

    #[test]
    fn a_step_moves_parameters_in_their_memory_and_allocates_the_state_once() {
        let (mut module, gradients) = many();
        let addresses = |module: &Many| -> Vec<usize> {
            let start = |x: &DynTensor| {
                trueno_core::dispatch_dtype!(x.dtype(), float T => {
                x.as_slice::<T>().unwrap().as_ptr() as usize
            }, else 0)
            };
            module.0.iter().map(start).collect()
        };
        let before = addresses(&module);
        let mut optimizer = AdamW::new(&module, AdamWConfig::default());
        optimizer.step(&mut module, &gradients);
        assert_eq!(addresses(&module), before);
        assert!(module.0.iter().all(|p| p.is_leaf() && p.is_unique()));
        let state = optimizer.state_dict().unwrap();
        assert_eq!(state.len(), module.0.len() * 3, "a step and two moments, for amsgrad is off");
        let mut plain = Sgd::new(&module, SgdConfig::default());
        plain.step(&mut module, &gradients);
        assert_eq!(plain.state_dict().unwrap().len(), module.0.len(), "without momentum nothing is kept but the step");
    }

    /// A rule that counts its calls and elements.
    #[derive(Clone)]
    struct Counting(&'static [AtomicUsize; 2]);

    impl Rule for Counting {
        const NAME: &'static str = "Counting";

        fn state(&self) -> &'static [&'static str] {
            &["seen"]
        }

        fn learning_rate(&self) -> f64 {
            0.0
        }

        fn set_learning_rate(&mut self, _: f64) {}

        fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
            Vec::new()
        }

        fn set_hyperparameter(&mut self, _: &str, _: f64) {}

        fn update<T: Real>(&self, _: u64, parameter: &mut [T], grad: &[T], state: &mut [&mut [T]]) {
            assert!(parameter.len() == grad.len() && state.len() == 1 && state[0].len() == grad.len());
            self.0[0].fetch_add(1, Ordering::Relaxed);
            self.0[1].fetch_add(parameter.len(), Ordering::Relaxed);
        }
    }

    #[test]
    fn every_element_is_stepped_once_and_large_parameters_are_cut() {
        static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
        let (mut module, gradients) = many();
        Optimizer::new(&module, Counting(&CALLS)).step(&mut module, &gradients);
        let pieces = |by: usize| SIZES.iter().map(|size| size.div_ceil(by)).sum::<usize>();
        let elements = 4 * SIZES.iter().sum::<usize>() + 1;
        // Half precision goes by blocks, the others by chunks; a chunk is a whole number of blocks.
        assert_eq!(CALLS[0].load(Ordering::Relaxed), 2 * pieces(CHUNK) + 2 * pieces(BLOCK) + 1);
        assert_eq!(CALLS[1].load(Ordering::Relaxed), elements);
    }
}
