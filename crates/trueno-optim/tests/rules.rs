//! What holds for every rule: it finds the minimum, its state is what its options need, its checkpoints continue bit for bit, and it
//! works with loss scaling and schedules.

use trueno_autograd::{Backward, Gradients};
use trueno_core::DType;
use trueno_nn::{Layer, Linear, Mode, Module, Rng, mse_loss};
use trueno_optim::{
    Adadelta, AdadeltaConfig, AdagradConfig, AdamConfig, AdamWConfig, AdamaxConfig, ExponentialLr, GradScaler, NAdam,
    NAdamConfig, Optimizer, RAdamConfig, RmsProp, RmsPropConfig, Rprop, RpropConfig, Rule, Scheduler, SgdConfig, load,
    save,
};
use trueno_tensor::{DynTensor, prelude::*};

/// Calls a function with every rule, at a rate that suits it, and the options that change what it keeps or computes.
macro_rules! with_every_rule {
    ($check:ident) => {{
        let sgd = SgdConfig { lr: 0.1, ..Default::default() };
        $check(sgd);
        $check(SgdConfig { lr: 0.03, momentum: 0.9, nesterov: true, ..sgd });
        $check(AdamConfig { lr: 0.05, ..Default::default() });
        $check(AdamWConfig { lr: 0.05, weight_decay: 1e-4, amsgrad: true, ..Default::default() });
        let rms = RmsPropConfig { lr: 0.01, ..Default::default() };
        $check(rms);
        $check(RmsPropConfig { lr: 0.003, centered: true, momentum: 0.8, ..rms });
        $check(AdagradConfig { lr: 0.5, lr_decay: 1e-3, initial_accumulator_value: 0.1, ..Default::default() });
        $check(AdadeltaConfig { eps: 1e-4, ..Default::default() });
        $check(AdamaxConfig { lr: 0.05, ..Default::default() });
        $check(NAdamConfig { lr: 0.05, ..Default::default() });
        $check(NAdamConfig { lr: 0.05, weight_decay: 1e-4, decoupled_weight_decay: true, ..Default::default() });
        $check(RAdamConfig { lr: 0.05, ..Default::default() });
        $check(RpropConfig::default());
    }};
}

/// A layer, and the data of another one that it is to become.
struct Problem {
    net: Linear,
    x: Tensor<f32, 2>,
    y: Tensor<f32, 2>,
}

impl Problem {
    fn new() -> Self {
        let rng = &mut Rng::seed(3);
        let x = Tensor::randn([64, 3], rng);
        let y = Linear::new(3, 2, rng).forward(&x, Mode::Eval).detach();
        Problem { net: Linear::new(3, 2, rng), x, y }
    }

    fn loss(&self) -> Tensor<f32, 0> {
        mse_loss(&self.net.forward(&self.x, Mode::Train), &self.y)
    }

    fn steps<R: Rule>(&mut self, count: usize, optimizer: &mut Optimizer<R>) {
        for _ in 0..count {
            let gradients = self.loss().backward();
            optimizer.step(&mut self.net, &gradients);
        }
    }

    fn bits(&self) -> Vec<Vec<u32>> {
        let bits = |p: &DynTensor| p.to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect();
        self.net.parameters().iter().map(bits).collect()
    }
}

#[test]
fn every_rule_finds_the_minimum() {
    fn check<R: Rule>(rule: R) {
        let mut problem = Problem::new();
        let before = problem.loss().item();
        let mut optimizer = Optimizer::new(&problem.net, rule);
        problem.steps(600, &mut optimizer);
        let after = problem.loss().item();
        assert!(after < 1e-3 * before, "{}: {before} became {after}", R::NAME);
    }
    with_every_rule!(check);
}

/// The same problem, with its sign turned: what goes up the gradient ends at the same place.
#[test]
fn maximizing_the_negative_is_minimizing() {
    fn check<R: Rule>(rule: R) {
        let mut turned = rule.clone();
        turned.set_hyperparameter("maximize", 1.0);
        assert!(turned.maximize() && !rule.maximize());
        let (mut down, mut up) = (Problem::new(), Problem::new());
        let (mut falls, mut rises) = (Optimizer::new(&down.net, rule), Optimizer::new(&up.net, turned));
        for _ in 0..8 {
            down.steps(1, &mut falls);
            let gradients = (-up.loss()).backward();
            rises.step(&mut up.net, &gradients);
        }
        assert_eq!(up.bits(), down.bits(), "{}", R::NAME);
    }
    with_every_rule!(check);
}

#[test]
fn checkpoints_of_every_rule_continue_bit_for_bit() {
    fn check<R: Rule + Default>(rule: R) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.safetensors");
        let mut problem = Problem::new();
        let mut optimizer = Optimizer::new(&problem.net, rule);
        problem.steps(4, &mut optimizer);
        save(&problem.net, &optimizer, &path).unwrap();
        let saved = problem.bits();
        problem.steps(4, &mut optimizer);

        let mut resumed = Problem::new();
        let mut other = Optimizer::new(&resumed.net, R::default());
        load(&mut resumed.net, &mut other, &path).unwrap();
        assert_eq!(resumed.bits(), saved, "{}", R::NAME);
        assert_eq!(other.learning_rate(), optimizer.learning_rate());
        resumed.steps(4, &mut other);
        assert_eq!(resumed.bits(), problem.bits(), "{}", R::NAME);
        assert_ne!(resumed.bits(), saved, "{}", R::NAME);
    }
    with_every_rule!(check);
}

#[test]
fn every_rule_unscales_scaled_gradients() {
    fn check<R: Rule>(rule: R) {
        let (mut plain, mut scaled) = (Problem::new(), Problem::new());
        let (mut first, mut second) = (Optimizer::new(&plain.net, rule.clone()), Optimizer::new(&scaled.net, rule));
        let mut scaler = GradScaler::default();
        for _ in 0..8 {
            plain.steps(1, &mut first);
            let gradients = scaler.scale(&scaled.loss()).backward();
            assert!(scaler.step(&mut second, &mut scaled.net, &gradients).unwrap());
            scaler.update().unwrap();
        }
        // The scale is a power of two, which rounds nothing.
        assert_eq!(scaled.bits(), plain.bits(), "{}", R::NAME);
    }
    with_every_rule!(check);
}

#[test]
fn every_rule_but_rprop_follows_a_schedule() {
    fn check<R: Rule>(rule: R) {
        let moved_in_the_third_step = |gamma: f64| {
            let mut problem = Problem::new();
            let mut optimizer = Optimizer::new(&problem.net, rule.clone());
            problem.steps(2, &mut optimizer);
            let before = problem.net.parameters()[0].to_vec::<f32>().unwrap();
            Scheduler::new(ExponentialLr { gamma }, &optimizer).apply(&mut optimizer, 1);
            problem.steps(1, &mut optimizer);
            let after = problem.net.parameters()[0].to_vec::<f32>().unwrap();
            before.iter().zip(&after).map(|(before, after)| f64::from(after - before).abs()).sum::<f64>()
        };
        let (whole, tenth) = (moved_in_the_third_step(1.0), moved_in_the_third_step(0.1));
        let want = if R::NAME == "Rprop" { 1.0 } else { 0.1 };
        // A momentum of quotients holds earlier gradients, but no earlier rates.
        assert!((tenth / whole - want).abs() < 1e-3, "{}: {whole} and {tenth}", R::NAME);
    }
    with_every_rule!(check);
}

fn keys<R: Rule>(rule: R) -> Vec<String> {
    let mut problem = Problem::new();
    let mut optimizer = Optimizer::new(&problem.net, rule);
    problem.steps(1, &mut optimizer);
    let state = optimizer.state_dict().unwrap();
    let mut keys: Vec<String> = state.keys().filter_map(|key| key.strip_prefix("bias.")).map(str::to_owned).collect();
    keys.sort();
    keys
}

#[test]
fn state_has_pytorch_names_and_only_what_the_options_need() {
    let rms = RmsPropConfig::default();
    assert_eq!(keys(rms), ["square_avg", "step"]);
    assert_eq!(keys(RmsPropConfig { centered: true, ..rms }), ["grad_avg", "square_avg", "step"]);
    assert_eq!(keys(RmsPropConfig { momentum: 0.5, ..rms }), ["momentum_buffer", "square_avg", "step"]);
    assert_eq!(keys(AdagradConfig::default()), ["step", "sum"]);
    assert_eq!(keys(AdadeltaConfig::default()), ["acc_delta", "square_avg", "step"]);
    assert_eq!(keys(AdamaxConfig::default()), ["exp_avg", "exp_inf", "step"]);
    assert_eq!(keys(NAdamConfig::default()), ["exp_avg", "exp_avg_sq", "mu_product", "step"]);
    assert_eq!(keys(RAdamConfig::default()), ["exp_avg", "exp_avg_sq", "step"]);
    assert_eq!(keys(RpropConfig::default()), ["prev", "step", "step_size"]);
}

#[test]
fn what_is_counted_is_saved_and_needed() {
    let mut problem = Problem::new();
    let mut optimizer = NAdam::new(&problem.net, NAdamConfig { momentum_decay: 0.0, ..Default::default() });
    problem.steps(3, &mut optimizer);
    let state = optimizer.state_dict().unwrap();
    // Without decay the momentum is half of `beta1` in every step.
    let product = state.get("bias.mu_product").unwrap().item::<f64>().unwrap();
    assert!((product - 0.45_f64.powi(3)).abs() < 1e-15, "{product}");
    let mut short = state.clone();
    short.remove("bias.mu_product");
    let error = optimizer.load_state_dict(&problem.net, &short).unwrap_err().to_string();
    assert!(error.contains("bias.mu_product is missing"), "{error}");
}

#[test]
fn a_step_that_is_refused_counts_nothing() {
    let mut problem = Problem::new();
    let mut optimizer = NAdam::new(&problem.net, NAdamConfig::default());
    problem.steps(2, &mut optimizer);
    let before = optimizer.state_dict().unwrap();
    let foreign: Gradients = Problem::new().loss().backward();
    optimizer.try_step(&mut problem.net, &foreign).unwrap_err();
    let after = optimizer.state_dict().unwrap();
    for name in ["step", "mu_product"] {
        let [before, after] = [&before, &after].map(|state| state.get(&format!("weight.{name}")).unwrap().clone());
        assert_eq!(before.cast(DType::F64).unwrap().item::<f64>(), after.cast(DType::F64).unwrap().item::<f64>());
    }
}

#[test]
fn hyperparameters_that_pytorch_refuses_are_errors() {
    fn refused<R: Rule + std::fmt::Debug>(rule: R, part: &str) {
        let error = Optimizer::try_new(&Problem::new().net, rule).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(R::NAME), "{error}");
    }
    refused(RmsPropConfig { alpha: -0.1, ..Default::default() }, "alpha = -0.1");
    refused(AdagradConfig { lr_decay: -1.0, ..Default::default() }, "lr_decay = -1");
    refused(AdadeltaConfig { rho: 1.1, ..Default::default() }, "rho = 1.1");
    refused(AdamaxConfig { betas: (0.9, 1.0), ..Default::default() }, "beta2 = 1");
    refused(NAdamConfig { momentum_decay: -1.0, ..Default::default() }, "momentum_decay = -1");
    refused(RAdamConfig { betas: (-0.1, 0.9), ..Default::default() }, "beta1 = -0.1");
    refused(RpropConfig { etas: (1.0, 1.2), ..Default::default() }, "etaminus = 1");
    refused(RpropConfig { etas: (0.5, 1.0), ..Default::default() }, "etaplus = 1");
    let net = Problem::new().net;
    Adadelta::try_new(&net, AdadeltaConfig { rho: 1.0, ..Default::default() }).unwrap();
    Rprop::try_new(&net, RpropConfig::default()).unwrap();
    // Groups are checked as the optimizer is.
    let rates = RmsProp::new(&net, RmsPropConfig::default()).group(|name| name == "bias", |c| c.lr = 0.5);
    assert_eq!(rates.learning_rate(), 0.01);
}
