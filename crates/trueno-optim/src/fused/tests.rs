use super::*;
use crate::{
    AdadeltaConfig, AdagradConfig, AdamConfig, AdamW, AdamWConfig, AdamaxConfig, NAdamConfig, Optimizer, RAdamConfig,
    RmsPropConfig, RpropConfig, Sgd, SgdConfig,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use trueno_autograd::{Autograd, Gradients};
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Update};
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

/// So many steps that all formulas of [`crate::RAdam`] have their turn.
const STEPS: u64 = 6;

/// Some steps of everything at once, on some threads.
fn fused<R: Rule>(rule: &R, threads: usize) -> Vec<Vec<u64>> {
    let (mut module, gradients) = many();
    let mut optimizer = Optimizer::new(&module, rule.clone());
    with_num_threads(threads, || (0..STEPS).for_each(|_| optimizer.step(&mut module, &gradients)));
    bits(&module.0)
}

/// The same by the rule alone, parameter after parameter and each whole.
fn one_by_one<R: Rule>(rule: &R) -> Vec<Vec<u64>> {
    let (module, gradients) = many();
    let moved = module.0.iter().map(|parameter| {
        let mut value = parameter.detach();
        let gradient = gradients.get(parameter).unwrap();
        let full = |(_, first)| DynTensor::full(value.shape(), value.dtype(), first).unwrap();
        let mut state: Vec<DynTensor> = rule.state().into_iter().map(full).collect();
        let mut counters: Vec<f64> = rule.counters().iter().map(|&(_, first)| first).collect();
        for number in 1..=STEPS {
            let step = rule.step(number, &mut counters);
            let step = Step { factor: if rule.maximize() { -1.0 } else { 1.0 }, ..step };
            match value.dtype() {
                DType::F64 => whole(R::update_f64, &step, &mut value, &gradient, &mut state),
                _ => whole(R::update_f32, &step, &mut value, &gradient, &mut state),
            }
        }
        value
    });
    bits(&moved.collect::<Vec<_>>())
}

/// What moves the elements of a parameter by their gradients and states.
type Moves<T> = fn(&Step, &mut [T], &[T], &mut [&mut [T]]);

fn whole<T: Element>(
    update: Moves<T>,
    step: &Step,
    value: &mut DynTensor,
    gradient: &DynTensor,
    state: &mut [DynTensor],
) {
    let dtype = value.dtype();
    let wide = |x: &DynTensor| x.cast(T::DTYPE).unwrap();
    let (mut p, g) = (wide(value), wide(gradient));
    let mut s: Vec<DynTensor> = state.iter().map(wide).collect();
    let mut slices: Vec<&mut [T]> = s.iter_mut().map(|s| s.make_mut::<T>().unwrap()).collect();
    update(step, p.make_mut::<T>().unwrap(), g.as_slice::<T>().unwrap(), &mut slices);
    *value = p.cast(dtype).unwrap();
    state.iter_mut().zip(&s).for_each(|(state, s)| *state = s.cast(dtype).unwrap());
}

/// Every rule, with the options that change what it keeps or computes.
macro_rules! with_every_rule {
    ($check:ident) => {{
        let sgd = SgdConfig { lr: 0.1, weight_decay: 0.01, ..Default::default() };
        $check(&sgd);
        $check(&SgdConfig { momentum: 0.9, nesterov: true, maximize: true, ..sgd });
        $check(&AdamConfig { weight_decay: 0.1, ..Default::default() });
        $check(&AdamWConfig::default());
        $check(&AdamWConfig { amsgrad: true, maximize: true, ..Default::default() });
        let rms = RmsPropConfig::default();
        $check(&rms);
        $check(&RmsPropConfig { centered: true, ..rms });
        $check(&RmsPropConfig { momentum: 0.9, ..rms });
        // Where decay and gradient cancel, a first step is the rounding error of what is left over eps: with a tiny one, anything.
        $check(&RmsPropConfig { centered: true, momentum: 0.9, weight_decay: 0.1, eps: 1e-3, ..rms });
        $check(&AdagradConfig { lr_decay: 0.1, initial_accumulator_value: 0.5, ..Default::default() });
        $check(&AdadeltaConfig { weight_decay: 0.1, ..Default::default() });
        $check(&AdamaxConfig::default());
        $check(&NAdamConfig { weight_decay: 0.1, decoupled_weight_decay: true, ..Default::default() });
        $check(&RAdamConfig::default());
        $check(&RpropConfig { maximize: true, ..Default::default() });
    }};
}

#[test]
fn a_fused_step_is_that_of_every_parameter_by_itself_on_any_number_of_threads() {
    fn check<R: Rule>(rule: &R) {
        let want = one_by_one(rule);
        for threads in [1, 2, 7] {
            assert!(fused(rule, threads) == want, "{} on {threads} threads", R::NAME);
        }
    }
    with_every_rule!(check);
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

/// A GPU, if there is one and it computes in a type.
#[cfg(feature = "gpu")]
fn gpu(dtype: DType) -> Option<trueno_tensor::Device> {
    use trueno_tensor::Device;
    match Device::gpu(0) {
        Ok(Device::Gpu(gpu)) if dtype == DType::F32 || gpu.capabilities().f64 => Some(Device::Gpu(gpu)),
        other => {
            println!("nothing is compared: {other:?}");
            None
        }
    }
}

/// Parameters after some steps along gradients that turn and change in size, on a device.
#[cfg(feature = "gpu")]
fn steps_on<R: Rule>(rule: &R, dtype: DType, device: &trueno_tensor::Device) -> Vec<f64> {
    let rng = &mut Rng::seed(6);
    let mut random = |size: usize| random(dtype, [size], rng).to(device).unwrap();
    let mut module = Many([5, 300].map(|size| random(size).requires_grad()).to_vec());
    let mut optimizer = Optimizer::new(&module, rule.clone());
    for _ in 0..7 {
        let mut gradients = Gradients::default();
        for value in &module.0 {
            gradients.insert(value, &random(value.size()));
        }
        crate::clip_grad_norm(&mut gradients, 2.0).unwrap();
        optimizer.try_step_scaled(&mut module, &gradients, 0.3).unwrap();
    }
    module.0.iter().flat_map(|value| value.cast(DType::F64).unwrap().to_vec::<f64>().unwrap()).collect()
}

/// Clipped by their norm, scaled, and stepped along on a GPU, by every rule and in every type that it computes in.
#[cfg(feature = "gpu")]
#[test]
fn every_rule_steps_on_a_gpu_as_on_the_processor() {
    fn check<R: Rule>(rule: &R) {
        for (dtype, tolerance) in [(DType::F32, 2e-6), (DType::F64, 1e-13)] {
            let Some(device) = gpu(dtype) else { continue };
            let here = steps_on(rule, dtype, &trueno_tensor::Device::Cpu);
            for (there, here) in steps_on(rule, dtype, &device).into_iter().zip(here) {
                let far = (there - here).abs() > tolerance * here.abs().max(1.0);
                let with = rule.hyperparameters();
                assert!(!far && there.is_finite(), "{} in {dtype}: {there}, not {here}, {with:?}", R::NAME);
            }
        }
    }
    with_every_rule!(check);
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
struct Counting;

static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

impl Counting {
    fn count(parameter: usize, grad: usize, state: &[usize]) {
        assert!(parameter == grad && state == [grad]);
        CALLS[0].fetch_add(1, Ordering::Relaxed);
        CALLS[1].fetch_add(parameter, Ordering::Relaxed);
    }
}

impl Update for Counting {
    fn state(&self) -> Vec<(&'static str, f64)> {
        vec![("seen", 0.0)]
    }

    fn step(&self, _: u64, _: &mut [f64]) -> Step {
        Step::new([], [])
    }

    #[inline(always)]
    fn update<M: Math>(_: [bool; FLAGS], p: M, _: M, _: &mut [M], _: [M; NUMBERS]) -> M {
        p
    }
}

impl Rule for Counting {
    const NAME: &'static str = "Counting";

    fn learning_rate(&self) -> f64 {
        0.0
    }

    fn set_learning_rate(&mut self, _: f64) {}

    fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn set_hyperparameter(&mut self, _: &str, _: f64) {}

    fn update_f32(_: &Step, parameter: &mut [f32], grad: &[f32], state: &mut [&mut [f32]]) {
        let lengths: Vec<usize> = state.iter().map(|state| state.len()).collect();
        Self::count(parameter.len(), grad.len(), &lengths);
    }

    fn update_f64(_: &Step, parameter: &mut [f64], grad: &[f64], state: &mut [&mut [f64]]) {
        let lengths: Vec<usize> = state.iter().map(|state| state.len()).collect();
        Self::count(parameter.len(), grad.len(), &lengths);
    }
}

#[test]
fn every_element_is_stepped_once_and_large_parameters_are_cut() {
    let (mut module, gradients) = many();
    Optimizer::new(&module, Counting).step(&mut module, &gradients);
    let pieces = |by: usize| SIZES.iter().map(|size| size.div_ceil(by)).sum::<usize>();
    let elements = 4 * SIZES.iter().sum::<usize>() + 1;
    // Half precision goes by blocks, the others by chunks; a chunk is a whole number of blocks.
    assert_eq!(CALLS[0].load(Ordering::Relaxed), 2 * pieces(CHUNK) + 2 * pieces(BLOCK) + 1);
    assert_eq!(CALLS[1].load(Ordering::Relaxed), elements);
}
