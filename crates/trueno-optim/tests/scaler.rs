//! The gradient scaler: PyTorch's documented behaviour, on numbers that can be followed by hand.

use trueno_autograd::{Autograd, Backward, Gradients};
use trueno_core::Error;
use trueno_nn::{Linear, Module, Rng};
use trueno_optim::{AdamW, AdamWConfig, GradScaler, GradScalerConfig, Sgd, SgdConfig, clip_grad_norm, load, save_with};
use trueno_tensor::prelude::*;

/// A parameter of value 1, and its gradient for a loss of `slope` times it, scaled.
struct Toy {
    net: Linear,
    optimizer: trueno_optim::Optimizer<SgdConfig>,
}

impl Toy {
    fn new() -> Toy {
        let mut net = Linear::without_bias(1, 1, &mut Rng::seed(0));
        let mut start = net.state_dict();
        start.insert("weight", trueno_tensor::DynTensor::full(&[1, 1], trueno_core::DType::F32, 1.0).unwrap());
        net.load_state_dict(&start, true).unwrap();
        let optimizer = Sgd::new(&net, SgdConfig { lr: 0.5, ..Default::default() });
        Toy { net, optimizer }
    }

    fn gradients(&self, scaler: &GradScaler, slope: f32) -> Gradients {
        let loss: Tensor<f32, 0> = (&*self.net.weight * slope).sum();
        scaler.scale(&loss).backward()
    }

    fn step(&mut self, scaler: &mut GradScaler, slope: f32) -> bool {
        let gradients = self.gradients(scaler, slope);
        let moved = scaler.step(&mut self.optimizer, &mut self.net, &gradients).unwrap();
        scaler.update().unwrap();
        moved
    }

    fn weight(&self) -> f32 {
        self.net.weight.detach().to_vec()[0]
    }
}

fn scaler(init_scale: f64, growth_interval: u64) -> GradScaler {
    GradScaler::with_config(GradScalerConfig { init_scale, growth_interval, ..Default::default() }).unwrap()
}

#[test]
fn defaults_are_pytorchs() {
    let GradScalerConfig { init_scale, growth_factor, backoff_factor, growth_interval, enabled } = Default::default();
    assert_eq!((init_scale, growth_factor, backoff_factor, growth_interval), (65536.0, 2.0, 0.5, 2000));
    assert!(enabled && GradScaler::default().get_scale() == 65536.0);
}

#[test]
fn gradients_are_scaled_and_unscaled() {
    let (mut toy, mut scaler) = (Toy::new(), scaler(1024.0, 2000));
    let scaled = toy.gradients(&scaler, 0.25);
    assert_eq!(scaled.get(&*toy.net.weight).unwrap().to_vec(), [256.0]);
    assert!(toy.step(&mut scaler, 0.25));
    assert_eq!((toy.weight(), scaler.get_scale()), (1.0 - 0.5 * 0.25, 1024.0));
}

#[test]
fn a_step_whose_gradients_are_not_finite_is_left_out_and_the_scale_backs_off() {
    let (mut toy, mut scaler) = (Toy::new(), scaler(1024.0, 3));
    for (slope, moves, scale) in
        [(0.25, true, 1024.0), (f32::INFINITY, false, 512.0), (f32::NAN, false, 256.0), (1e38, false, 128.0)]
    {
        let before = toy.weight();
        assert_eq!(toy.step(&mut scaler, slope), moves, "{slope}");
        assert_eq!(toy.weight() != before, moves, "{slope}");
        assert_eq!(scaler.get_scale(), scale, "{slope}");
    }
    // What was left out is counted nowhere: three good steps in a row make the scale larger.
    for scale in [128.0, 128.0, 256.0, 256.0] {
        assert!(toy.step(&mut scaler, 0.25));
        assert_eq!(scaler.get_scale(), scale);
    }
    // One bad step in between, and they are counted anew.
    assert!(!toy.step(&mut scaler, f32::NAN));
    assert_eq!(scaler.get_scale(), 128.0);
    for scale in [128.0, 128.0, 256.0] {
        assert!(toy.step(&mut scaler, 0.25));
        assert_eq!(scaler.get_scale(), scale);
    }
}

#[test]
fn a_scale_grows_no_further_than_f32() {
    let (mut toy, mut scaler) = (Toy::new(), scaler(2.0_f64.powi(127), 1));
    assert!(toy.step(&mut scaler, 1e-30));
    assert_eq!(scaler.get_scale(), 2.0_f64.powi(127));
}

#[test]
fn unscaled_gradients_can_be_clipped() {
    let (mut toy, mut scaler) = (Toy::new(), scaler(1024.0, 2000));
    let mut gradients = toy.gradients(&scaler, 4.0);
    scaler.unscale(&mut gradients).unwrap();
    assert_eq!(clip_grad_norm(&mut gradients, 1.0).unwrap(), 4.0);
    assert!(matches!(scaler.unscale(&mut gradients), Err(Error::Argument { op: "unscale", .. })));
    assert!(scaler.step(&mut toy.optimizer, &mut toy.net, &gradients).unwrap());
    scaler.update().unwrap();
    assert!((toy.weight() - 0.5).abs() < 1e-5);
    assert!(matches!(scaler.update(), Err(Error::Argument { op: "update", .. })), "nothing was looked at since");
}

#[test]
fn a_scaler_that_is_not_enabled_does_nothing() {
    let config = GradScalerConfig { enabled: false, ..Default::default() };
    let (mut toy, mut scaler) = (Toy::new(), GradScaler::with_config(config).unwrap());
    assert_eq!(toy.gradients(&scaler, 0.25).get(&*toy.net.weight).unwrap().to_vec(), [0.25]);
    assert!(toy.step(&mut scaler, f32::INFINITY), "the step is the optimizer's own");
    assert_eq!((scaler.get_scale(), scaler.to_words().len()), (1.0, 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    let wrong = [
        GradScalerConfig { init_scale: 0.0, ..Default::default() },
        GradScalerConfig { init_scale: f64::INFINITY, ..Default::default() },
        GradScalerConfig { growth_factor: 1.0, ..Default::default() },
        GradScalerConfig { backoff_factor: 1.0, ..Default::default() },
        GradScalerConfig { growth_interval: 0, ..Default::default() },
    ];
    for config in wrong {
        assert!(matches!(GradScaler::with_config(config), Err(Error::Argument { .. })), "{config:?}");
    }
}

#[test]
fn a_checkpoint_continues_where_the_scale_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (mut toy, mut first) = (Toy::new(), scaler(1024.0, 3));
    for slope in [0.25, f32::NAN, 0.25, 0.25] {
        toy.step(&mut first, slope);
    }
    save_with(&toy.net, &toy.optimizer, &first.to_words(), &path).unwrap();
    let (mut resumed, mut second) = (Toy::new(), GradScaler::default());
    let words = load(&mut resumed.net, &mut resumed.optimizer, &path).unwrap();
    second.load_words(&words).unwrap();
    assert_eq!(second.to_words(), first.to_words());
    for _ in 0..3 {
        assert_eq!(toy.step(&mut first, 0.25), resumed.step(&mut second, 0.25));
        assert_eq!((toy.weight(), first.get_scale()), (resumed.weight(), second.get_scale()));
    }
    assert_eq!(first.get_scale(), 1024.0, "the third good step in a row was after the checkpoint");
    // Words of a run without a scaler, and words that mean nothing.
    let error = second.load_words(&Default::default()).unwrap_err();
    assert!(error.to_string().contains("scaler.scale is missing"), "{error}");
    let mut broken = words.clone();
    broken.insert("scaler._growth_tracker".into(), "-1".into());
    assert!(second.load_words(&broken).is_err());
    assert_eq!(second.to_words(), first.to_words(), "all or nothing");
}

#[test]
fn state_of_the_optimizer_does_not_count_steps_that_were_left_out() {
    let (toy, mut scaler) = (Toy::new(), scaler(1024.0, 2000));
    let mut net = toy.net;
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    let loss = |net: &Linear, slope: f32| -> Tensor<f32, 0> { (&*net.weight * slope).sum() };
    for slope in [f32::NAN, 0.25] {
        let gradients = scaler.scale(&loss(&net, slope)).backward();
        scaler.step(&mut optimizer, &mut net, &gradients).unwrap();
        scaler.update().unwrap();
    }
    assert_eq!(optimizer.state_dict().unwrap().get("weight.step").unwrap().item::<i64>().unwrap(), 1);
    assert!(net.weight.is_leaf());
}
