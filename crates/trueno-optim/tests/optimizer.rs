//! Optimizers as a whole: state, groups, clipping, checkpoints.

use trueno_autograd::{Autograd, Backward, Gradients};
use trueno_core::Error;
use trueno_nn::{Layer, Linear, Mode, Module, Rng, StateDict, mse_loss};
use trueno_optim::{
    Adam, AdamConfig, AdamW, AdamWConfig, CosineAnnealingLr, Optimizer, Rule, Scheduler, Sgd, SgdConfig,
    clip_grad_norm, clip_grad_value, load, save_with,
};
use trueno_tensor::prelude::*;

fn data() -> (Tensor<f32, 2>, Tensor<f32, 2>) {
    let rng = &mut Rng::seed(9);
    (Tensor::randn([16, 3], rng), Tensor::randn([16, 2], rng))
}

fn gradients(net: &Linear) -> Gradients {
    let (x, y) = data();
    mse_loss(&net.forward(&x, Mode::Train), &y).backward()
}

/// One step along the gradients of the moment.
fn step<R: Rule>(optimizer: &mut Optimizer<R>, net: &mut Linear) {
    let found = gradients(net);
    optimizer.step(net, &found);
}

fn values(net: &Linear) -> Vec<Vec<f32>> {
    net.parameters().iter().map(|p| p.to_vec::<f32>().unwrap()).collect()
}

/// Five steps of PyTorch's optimizers on one parameter of value 1 whose gradient is always 0.5.
#[test]
fn five_steps_on_one_number_follow_the_rules() {
    let mut net = Linear::without_bias(1, 1, &mut Rng::seed(0));
    let mut start = net.state_dict();
    start.insert("weight", trueno_tensor::DynTensor::full(&[1, 1], trueno_core::DType::F32, 1.0).unwrap());
    let gradient = |net: &Linear| {
        let half = tensor![[0.5]];
        net.forward(&half, Mode::Train).sum().backward()
    };
    net.load_state_dict(&start, true).unwrap();
    let mut sgd = Sgd::new(&net, SgdConfig { lr: 0.1, momentum: 0.9, nesterov: true, ..Default::default() });
    let (mut value, mut velocity) = (1.0_f64, 0.0);
    for _ in 0..5 {
        let found = gradient(&net);
        sgd.step(&mut net, &found);
        velocity = velocity * 0.9 + 0.5;
        value -= 0.1 * (0.5 + 0.9 * velocity);
    }
    assert!((f64::from(values(&net)[0][0]) - value).abs() < 1e-6);
    net.load_state_dict(&start, true).unwrap();
    // With a constant gradient Adam's corrected moments are the gradient and its square: every step is lr.
    let mut adam = Adam::new(&net, AdamConfig { lr: 0.01, ..Default::default() });
    for _ in 0..5 {
        let found = gradient(&net);
        adam.step(&mut net, &found);
    }
    assert!((values(&net)[0][0] - 0.95).abs() < 1e-5);
}

#[test]
fn a_step_empties_the_gradient_slots_and_keeps_the_leaves() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    let before = values(&net);
    let found = gradients(&net);
    assert!(net.parameters().iter().all(|p| p.grad().is_some()));
    optimizer.step(&mut net, &found);
    assert!(net.parameters().iter().all(|p| p.grad().is_none() && p.is_leaf()));
    assert!(values(&net).iter().zip(&before).all(|(a, b)| a != b));
}

#[test]
fn groups_have_their_own_hyperparameters_and_follow_the_rate() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let config = SgdConfig { lr: 0.1, ..Default::default() };
    let mut optimizer = Sgd::new(&net, config).group(|name| name == "bias", |config| config.lr = 0.0);
    let before = values(&net);
    step(&mut optimizer, &mut net);
    let after = values(&net);
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
    let schedule = Scheduler::new(CosineAnnealingLr { t_max: 2, eta_min: 0.0 }, &optimizer);
    schedule.apply(&mut optimizer, 1);
    assert!((optimizer.learning_rate() - 0.05).abs() < 1e-15);
}

#[test]
fn a_rate_of_zero_does_not_level_the_groups() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let config = SgdConfig { lr: 0.1, ..Default::default() };
    let mut optimizer = Sgd::new(&net, config).group(|name| name == "bias", |config| config.lr = 0.0);
    optimizer.set_learning_rate(0.0);
    optimizer.set_learning_rate(0.1);
    let before = values(&net);
    step(&mut optimizer, &mut net);
    assert_eq!(values(&net)[1], before[1]);
}

#[test]
fn gradients_of_a_clone_are_refused_and_nothing_moves() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let mut optimizer = Sgd::new(&net, SgdConfig::default());
    let found = gradients(&net.clone());
    let before = values(&net);
    let error = optimizer.try_step(&mut net, &found).unwrap_err();
    assert!(error.to_string().contains("clone"), "{error}");
    let mut found = gradients(&net);
    let weight = net.parameters().remove(0);
    found.insert(&weight, &trueno_tensor::DynTensor::zeros(&[2, 5], trueno_core::DType::F32).unwrap());
    assert!(matches!(optimizer.try_step(&mut net, &found), Err(Error::ShapePair { .. })));
    assert_eq!(values(&net), before);
}

#[test]
fn state_of_other_names_or_groups_is_refused() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let mut optimizer = AdamW::new(&net, AdamWConfig::default()).group(|name| name == "bias", |c| c.weight_decay = 0.0);
    step(&mut optimizer, &mut net);
    let state = optimizer.state_dict().unwrap();
    let mut plain = AdamW::new(&net, AdamWConfig::default());
    assert!(plain.load_state_dict(&net, &state).unwrap_err().to_string().contains("groups"));
    let mut renamed = state.clone();
    let stray = renamed.remove("bias.step").unwrap();
    renamed.insert("other.step", stray);
    assert!(optimizer.load_state_dict(&net, &renamed).unwrap_err().to_string().contains("other.step"));
}

#[test]
fn state_is_what_the_hyperparameters_use() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let mut optimizer = Adam::new(&net, AdamConfig::default());
    step(&mut optimizer, &mut net);
    let state = optimizer.state_dict().unwrap();
    assert!(!state.keys().any(|key| key.contains("max_exp_avg_sq")));
    // A file of a run with other settings brings its settings along; state that they do not use, or lack, is refused.
    let mut stray = state.clone();
    stray.insert("bias.max_exp_avg_sq", state.get("bias.exp_avg_sq").unwrap().clone());
    let error = optimizer.load_state_dict(&net, &stray).unwrap_err().to_string();
    assert!(error.contains("bias.max_exp_avg_sq is no state of Adam") && error.contains("amsgrad = 0"), "{error}");
    let mut short = state.clone();
    short.metadata_mut().insert("optimizer.0.amsgrad".into(), "1.0".into());
    let error = optimizer.load_state_dict(&net, &short).unwrap_err().to_string();
    assert!(error.contains("max_exp_avg_sq is missing") && error.contains("amsgrad = 1"), "{error}");
    optimizer.load_state_dict(&net, &state).unwrap();
}

#[test]
#[should_panic(expected = "make groups first")]
fn a_group_that_needs_other_state_comes_before_the_first_step() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let mut optimizer = Sgd::new(&net, SgdConfig::default());
    step(&mut optimizer, &mut net);
    let _ = optimizer.group(|_| true, |config| config.momentum = 0.9);
}

#[test]
fn bad_hyperparameters_and_foreign_modules_are_errors() {
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let error = Sgd::try_new(&net, SgdConfig { lr: -0.1, ..Default::default() }).unwrap_err();
    assert!(error.to_string().contains("lr = -0.1"), "{error}");
    let betas = (1.0, 0.999);
    assert!(Adam::try_new(&net, AdamConfig { betas, ..Default::default() }).is_err());
    let unbiased: Linear = Linear::without_bias(3, 2, &mut Rng::seed(0));
    let mut optimizer = Sgd::new(&unbiased, SgdConfig::default());
    let found = gradients(&net);
    let error = optimizer.try_step(&mut net, &found).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }) && error.to_string().contains("bias"), "{error}");
}

#[test]
fn clipping_bounds_the_norm_and_the_values() {
    let net = Linear::new(3, 2, &mut Rng::seed(0));
    let norm = |g: &Gradients| {
        let all = g.iter().flat_map(|g| g.to_vec::<f32>().unwrap());
        all.map(|v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
    };
    let mut found = gradients(&net);
    let before = norm(&found);
    let reported = clip_grad_norm(&mut found, before / 2.0).unwrap();
    assert!((reported - before).abs() < 1e-6 * before);
    assert!((norm(&found) - before / 2.0).abs() < 1e-5 * before);
    let untouched = norm(&found);
    clip_grad_norm(&mut found, 1e9).unwrap();
    assert_eq!(norm(&found), untouched);
    clip_grad_value(&mut found, 1e-3).unwrap();
    assert!(found.iter().all(|g| g.to_vec::<f32>().unwrap().iter().all(|v| v.abs() <= 1e-3)));
}

#[test]
fn a_checkpoint_continues_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let mut optimizer = AdamW::new(&net, AdamWConfig { lr: 0.03, amsgrad: true, ..Default::default() });
    (0..3).for_each(|_| step(&mut optimizer, &mut net));
    save_with(&net, &optimizer, &[("epoch", "3".to_owned())], &path).unwrap();
    (0..3).for_each(|_| step(&mut optimizer, &mut net));

    let mut resumed = Linear::new(3, 2, &mut Rng::seed(77));
    let mut other = AdamW::new(&resumed, AdamWConfig::default());
    let words = load(&mut resumed, &mut other, &path).unwrap();
    assert_eq!(words["epoch"], "3");
    assert_eq!(other.learning_rate(), 0.03);
    (0..3).for_each(|_| step(&mut other, &mut resumed));
    assert_eq!(values(&resumed), values(&net));
}

#[test]
fn broken_and_foreign_checkpoints_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut net = Linear::new(3, 2, &mut Rng::seed(0));
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    step(&mut optimizer, &mut net);
    save_with(&net, &optimizer, &[], &path).unwrap();
    let before = values(&net);

    let mut sgd = Sgd::new(&net, SgdConfig::default());
    assert!(load(&mut net, &mut sgd, &path).unwrap_err().to_string().contains("AdamW"));
    let mut larger: Linear = Linear::new(4, 2, &mut Rng::seed(0));
    let mut its = AdamW::new(&larger, AdamWConfig::default());
    assert!(load(&mut larger, &mut its, &path).unwrap_err().to_string().contains("weight"));
    net.state_dict().save_safetensors(folder.path().join("model.safetensors")).unwrap();
    let bare = load(&mut net, &mut optimizer, folder.path().join("model.safetensors")).unwrap_err();
    assert!(matches!(bare, Error::File { .. }) && bare.to_string().contains("model.safetensors"), "{bare}");
    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 7, 8, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let error = load(&mut net, &mut optimizer, &path).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{cut}: {error}");
    }
    assert_eq!(values(&net), before);
    let _: StateDict = optimizer.state_dict().unwrap();
}
