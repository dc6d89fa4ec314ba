//! Optimizers, schedules and clipping go where PyTorch's go, in `f32` and in `f64`.
//!
//! The fixture is made by `xtask/oracle/optim.py`.

use trueno_autograd::Gradients;
use trueno_core::{DType, Float};
use trueno_nn::{Linear, Module, Rng, StateDict};
use trueno_optim::{
    AdadeltaConfig, AdagradConfig, AdamConfig, AdamWConfig, AdamaxConfig, ConstantLr, CosineAnnealingLr,
    CosineAnnealingWarmRestarts, ExponentialLr, LambdaLr, LinearLr, MultiStepLr, NAdamConfig, OneCycleLr, Optimizer,
    PlateauMode, PolynomialLr, RAdamConfig, ReduceLrOnPlateau, ReduceLrOnPlateauConfig, RmsPropConfig, RpropConfig,
    Rule, Schedule, SequentialLr, Sgd, SgdConfig, StepLr, clip_grad_norm, clip_grad_value,
};
use trueno_tensor::DynTensor;

const NAMES: [&str; 2] = ["weight", "bias"];
const STEPS: usize = 9;

fn fixture() -> StateDict {
    StateDict::load_safetensors(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/optim.safetensors")).unwrap()
}

fn values(x: &DynTensor) -> Vec<f64> {
    x.detach().cast(DType::F64).unwrap().to_vec::<f64>().unwrap()
}

#[track_caller]
fn assert_close(what: &str, got: &DynTensor, want: &DynTensor) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    let tolerance = if got.dtype() == DType::F32 { 1e-5 } else { 1e-10 };
    for (got, want) in values(got).into_iter().zip(values(want)) {
        assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{what}: {got}, PyTorch has {want}");
    }
}

/// The layer whose parameters the fixture moves, with the values of a step.
fn at_step<T: Float>(case: &StateDict, step: usize) -> Linear<T> {
    let mut net = Linear::new(7, 5, &mut Rng::seed(0));
    let mut state = StateDict::new();
    for name in NAMES {
        state.insert(name, case.get(&format!("{step}.{name}")).unwrap().clone());
    }
    net.load_state_dict(&state, true).unwrap();
    net
}

/// Gradients of the layer's type from tensors called `prefix.NAME`, for the parameters that have one.
fn gradients<T: Float>(net: &Linear<T>, case: &StateDict, prefix: &str) -> Gradients {
    let mut gradients = Gradients::default();
    for (name, parameter) in net.named_parameters() {
        if let Some(gradient) = case.get(&format!("{prefix}.{name}")) {
            gradients.insert(&parameter, &gradient.cast(T::DTYPE).unwrap());
        }
    }
    gradients
}

fn follows<T: Float, R: Rule>(name: &str, rule: R) {
    let fixture = fixture();
    let case = fixture.under(name);
    let mut net: Linear<T> = at_step(&case, 0);
    let mut optimizer = Optimizer::new(&net, rule);
    for step in 0..STEPS {
        let found = gradients(&net, &fixture, &format!("grad.{step}"));
        optimizer.step(&mut net, &found);
        // Half of the way the state goes through a dict, which keeps its type.
        if step == STEPS / 2 {
            let state = optimizer.state_dict().unwrap();
            assert!(state.iter().all(|(_, value)| value.shape().is_empty() || value.dtype() == T::DTYPE));
            optimizer.load_state_dict(&net, &state).unwrap();
        }
        for (parameter, value) in net.named_parameters() {
            assert_eq!(value.dtype(), T::DTYPE);
            let want = case.get(&format!("{}.{parameter}", step + 1)).unwrap();
            assert_close(&format!("{name}, step {step}, {parameter}"), &value, want);
        }
    }
}

fn optimizers<T: Float>() {
    let sgd = SgdConfig { lr: 0.1, ..Default::default() };
    follows::<T, _>("sgd.plain", sgd);
    follows::<T, _>("sgd.decayed", SgdConfig { weight_decay: 0.01, ..sgd });
    follows::<T, _>("sgd.momentum", SgdConfig { momentum: 0.9, dampening: 0.2, weight_decay: 0.01, ..sgd });
    follows::<T, _>("sgd.nesterov", SgdConfig { momentum: 0.8, nesterov: true, ..sgd });
    let adam = AdamConfig { lr: 0.01, ..Default::default() };
    follows::<T, _>("adam.plain", adam);
    follows::<T, _>("adam.decayed", AdamConfig { betas: (0.8, 0.99), eps: 1e-6, weight_decay: 0.1, ..adam });
    follows::<T, _>("adam.amsgrad", AdamConfig { betas: (0.5, 0.6), amsgrad: true, ..adam });
    let adamw = AdamWConfig { lr: 0.01, ..Default::default() };
    follows::<T, _>("adamw.plain", adamw);
    follows::<T, _>("adamw.amsgrad", AdamWConfig { betas: (0.5, 0.6), weight_decay: 0.1, amsgrad: true, ..adamw });
    follows::<T, _>("sgd.maximize", SgdConfig { momentum: 0.9, weight_decay: 0.01, maximize: true, ..sgd });
    follows::<T, _>("adam.maximize", AdamConfig { weight_decay: 0.1, maximize: true, ..adam });
    follows::<T, _>("adamw.maximize", AdamWConfig { maximize: true, ..adamw });
}

/// Those that scale each element by what its gradients have been.
fn adaptive<T: Float>() {
    let rms = RmsPropConfig::default();
    follows::<T, _>("rmsprop.plain", rms);
    let centered = RmsPropConfig { lr: 0.02, alpha: 0.9, eps: 1e-3, weight_decay: 0.1, centered: true, ..rms };
    follows::<T, _>("rmsprop.centered", centered);
    follows::<T, _>("rmsprop.momentum", RmsPropConfig { momentum: 0.8, maximize: true, ..rms });
    follows::<T, _>("rmsprop.both", RmsPropConfig { lr: 0.02, alpha: 0.7, momentum: 0.9, centered: true, ..rms });
    follows::<T, _>("adagrad.plain", AdagradConfig::default());
    let adagrad = AdagradConfig { lr: 0.1, lr_decay: 0.2, weight_decay: 0.1, eps: 1e-3, ..Default::default() };
    follows::<T, _>("adagrad.decayed", AdagradConfig { initial_accumulator_value: 0.3, maximize: true, ..adagrad });
    follows::<T, _>("adadelta.plain", AdadeltaConfig::default());
    let adadelta = AdadeltaConfig { lr: 0.5, rho: 0.7, eps: 1e-3, weight_decay: 0.1, maximize: true };
    follows::<T, _>("adadelta.decayed", adadelta);
    follows::<T, _>("rprop.plain", RpropConfig::default());
    let rprop = RpropConfig { lr: 0.1, etas: (0.3, 1.5), step_sizes: (0.05, 0.12), maximize: true };
    follows::<T, _>("rprop.bounded", rprop);
}

/// Adam's other relatives.
fn adam_like<T: Float>() {
    follows::<T, _>("adamax.plain", AdamaxConfig::default());
    let adamax = AdamaxConfig { lr: 0.01, betas: (0.7, 0.6), eps: 1e-2, weight_decay: 0.1, maximize: true };
    follows::<T, _>("adamax.decayed", adamax);
    let nadam = NAdamConfig::default();
    follows::<T, _>("nadam.plain", nadam);
    let decayed = NAdamConfig { lr: 0.01, betas: (0.8, 0.9), eps: 1e-4, weight_decay: 0.1, ..nadam };
    follows::<T, _>("nadam.decayed", NAdamConfig { momentum_decay: 0.3, maximize: true, ..decayed });
    let decoupled = NAdamConfig { lr: 0.01, weight_decay: 0.1, decoupled_weight_decay: true, ..nadam };
    follows::<T, _>("nadam.decoupled", decoupled);
    let radam = RAdamConfig::default();
    follows::<T, _>("radam.plain", radam);
    let decayed = RAdamConfig { lr: 0.01, betas: (0.8, 0.9), eps: 1e-4, weight_decay: 0.1, ..radam };
    follows::<T, _>("radam.decayed", RAdamConfig { maximize: true, ..decayed });
    let decoupled = RAdamConfig { lr: 0.01, weight_decay: 0.1, decoupled_weight_decay: true, ..radam };
    follows::<T, _>("radam.decoupled", decoupled);
}

#[test]
fn optimizers_in_single_precision() {
    optimizers::<f32>();
    adaptive::<f32>();
    adam_like::<f32>();
}

#[test]
fn optimizers_in_double_precision() {
    optimizers::<f64>();
    adaptive::<f64>();
    adam_like::<f64>();
}

#[test]
fn schedules() {
    fn follows(name: &str, schedule: impl Schedule) {
        let want = values(fixture().get(&format!("{name}.rates")).unwrap());
        for (epoch, want) in want.into_iter().enumerate() {
            let got = schedule.learning_rate(0.3, epoch as u64);
            assert!((got - want).abs() < 1e-14, "{name}, epoch {epoch}: {got}, PyTorch has {want}");
        }
    }
    follows("step_lr", StepLr { step_size: 3, gamma: 0.5 });
    follows("exponential_lr", ExponentialLr { gamma: 0.9 });
    follows("cosine_annealing_lr", CosineAnnealingLr { t_max: 5, eta_min: 0.01 });
    follows("multi_step_lr", MultiStepLr { milestones: vec![7, 2, 7], gamma: 0.5 });
    follows("constant_lr", ConstantLr::default());
    follows("linear_lr", LinearLr { start_factor: 0.1, end_factor: 0.9, total_iters: 7 });
    follows("polynomial_lr", PolynomialLr { total_iters: 8, power: 2.0 });
    follows("lambda_lr", LambdaLr(|epoch| 1.0 / (1.0 + epoch as f64)));
    let restarts = CosineAnnealingWarmRestarts { t_0: 4, eta_min: 0.02, ..Default::default() };
    follows("warm_restarts", restarts);
    follows("warm_restarts.growing", CosineAnnealingWarmRestarts { t_0: 2, t_mult: 2, eta_min: 0.0 });
    let one = OneCycleLr { max_lr: 0.7, total_steps: 12, ..Default::default() };
    follows("one_cycle_lr", one);
    let three = OneCycleLr { pct_start: 0.4, div_factor: 10.0, final_div_factor: 100.0, three_phase: true, ..one };
    follows("one_cycle_lr.three_phase", three);
    let warm_up = LinearLr { start_factor: 0.1, end_factor: 1.0, total_iters: 3 };
    follows("sequential_lr", SequentialLr::new(warm_up).then(3, CosineAnnealingLr { t_max: 9, eta_min: 0.0 }));
}

#[test]
fn plateaus() {
    fn follows(name: &str, config: ReduceLrOnPlateauConfig) {
        let case = fixture().under(name);
        let [figures, rates] = ["figures", "rates"].map(|part| values(case.get(part).unwrap()));
        let net: Linear = Linear::new(1, 1, &mut Rng::seed(0));
        let mut optimizer = Sgd::new(&net, SgdConfig { lr: 0.3, ..Default::default() });
        let mut plateau = ReduceLrOnPlateau::new(config);
        for (epoch, (figure, want)) in figures.into_iter().zip(rates).enumerate() {
            let before = optimizer.learning_rate();
            let reduced = plateau.step(figure, &mut optimizer);
            let got = optimizer.learning_rate();
            assert_eq!(reduced, got < before);
            assert!((got - want).abs() < 1e-14, "{name}, epoch {epoch}: {got}, PyTorch has {want}");
        }
    }
    let config = ReduceLrOnPlateauConfig { patience: 2, factor: 0.5, ..Default::default() };
    follows("plateau.min", config);
    let cooldown = ReduceLrOnPlateauConfig { patience: 1, cooldown: 2, threshold: 0.3, relative: false, ..config };
    follows("plateau.cooldown", cooldown);
    let max = ReduceLrOnPlateauConfig { mode: PlateauMode::Max, factor: 0.1, min_lr: 0.001, ..config };
    follows("plateau.max", max);
}

fn clipping<T: Float>() {
    for name in ["clip.norm", "clip.value"] {
        let case = fixture().under(name);
        let net: Linear<T> = Linear::new(7, 5, &mut Rng::seed(0));
        let mut found = gradients(&net, &case, "before");
        match case.get("total") {
            Some(total) => {
                let norm = clip_grad_norm(&mut found, 1.5).unwrap();
                assert_close(name, &DynTensor::scalar(T::from_f64(norm)).unwrap(), total);
            }
            None => clip_grad_value(&mut found, 0.5).unwrap(),
        }
        for (parameter, value) in net.named_parameters() {
            assert_close(name, &found.get(&value).unwrap(), case.get(&format!("after.{parameter}")).unwrap());
        }
    }
}

#[test]
fn clipping_in_single_and_double_precision() {
    clipping::<f32>();
    clipping::<f64>();
}

/// Half precision is moved in `f32` and rounded once: a step is the rounded step of the widened values.
#[test]
fn parameters_in_half_precision_are_rounded_once() {
    fn check<T: Float>() {
        let fixture = fixture();
        let case = fixture.under("sgd.plain");
        let mut half: Linear<T> = at_step(&case, 0);
        let mut single: Linear<f32> = Linear::new(7, 5, &mut Rng::seed(0));
        single.load_state_dict(&half.state_dict(), true).unwrap();
        let config = SgdConfig { lr: 0.1, ..Default::default() };
        let (mut first, mut second) = (Sgd::new(&half, config), Sgd::new(&single, config));
        let found = gradients(&half, &fixture, "grad.0");
        let mut wide = Gradients::default();
        for (own, parameter) in half.parameters().iter().zip(single.parameters()) {
            wide.insert(&parameter, &found.get(own).unwrap().cast(DType::F32).unwrap());
        }
        first.step(&mut half, &found);
        second.step(&mut single, &wide);
        for (half, single) in half.parameters().iter().zip(single.parameters()) {
            assert_eq!(values(half), values(&single.cast(T::DTYPE).unwrap()));
        }
    }
    check::<trueno_core::f16>();
    check::<trueno_core::bf16>();
}
