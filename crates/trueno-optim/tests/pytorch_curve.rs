//! The same network, initial weights and batches as in PyTorch: the losses of the first 50 steps agree.
//!
//! The fixture is made by `xtask/oracle/mnist_curve.py`.

use std::path::Path;
use trueno_autograd::Backward;
use trueno_core::DType;
use trueno_data::{DataLoader, DataLoaderConfig, Dataset, mnist};
use trueno_nn::{
    Conv2d, Conv2dConfig, Flatten, Layer, Linear, MaxPool2d, Mode, Module, Relu, Rng, StateDict, cross_entropy,
    sequential,
};
use trueno_optim::{AdamW, AdamWConfig, GradScaler, GradScalerConfig, Optimizer, Rule, Sgd, SgdConfig};
use trueno_tensor::{Device, autocast, with_num_threads};

const STEPS: usize = 50;
const BATCH: usize = 64;

fn fixture() -> StateDict {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mnist_curve.safetensors");
    StateDict::load_safetensors(path).unwrap()
}

/// Losses before each of the first steps, from the fixture's weights: computed on a device, under autocast but for `float32`.
fn losses<R: Rule>(
    fixture: &StateDict,
    device: &Device,
    precision: DType,
    optimizer_of: impl FnOnce(&dyn Module) -> Optimizer<R>,
) -> Vec<f64> {
    let rng = &mut Rng::seed(1);
    let same = Conv2dConfig { padding: [1, 1], ..Default::default() };
    let mut net = sequential![
        Conv2d::with_config(1, 16, 3, same, rng),
        Relu,
        MaxPool2d::new(2),
        Conv2d::with_config(16, 32, 3, same, rng),
        Relu,
        MaxPool2d::new(2),
        Flatten,
        Linear::new(1568, 64, rng),
        Relu,
        Linear::new(64, 10, rng),
    ];
    net.load_state_dict(&fixture.under("init"), true).unwrap();
    let mut net = net.to(device);
    let mut optimizer = optimizer_of(&net);
    let scaling = GradScalerConfig { init_scale: 1024.0, enabled: precision == DType::F16, ..Default::default() };
    let mut scaler = GradScaler::with_config(scaling).unwrap();
    let images = mnist::subset().0.subset(0..STEPS * BATCH).unwrap();
    let config = DataLoaderConfig { batch_size: BATCH, ..Default::default() };
    let batches = DataLoader::new(images, config).unwrap().epoch(0);
    batches
        .map(|(images, labels)| {
            let (images, labels) = (images.to(device).unwrap(), labels.to(device).unwrap());
            let loss = autocast(precision, || cross_entropy(&net.forward(&images, Mode::Train), &labels));
            let gradients = scaler.scale(&loss).backward();
            assert!(scaler.step(&mut optimizer, &mut net, &gradients).unwrap());
            scaler.update().unwrap();
            f64::from(loss.item())
        })
        .collect()
}

fn compare(run: &str, fixture: &StateDict, got: &[f64]) {
    let want: Vec<f64> = fixture.get(&format!("{run}.losses")).unwrap().cast(DType::F64).unwrap().to_vec().unwrap();
    assert_eq!((got.len(), want.len()), (STEPS, STEPS));
    for (step, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!((got - want).abs() <= 1e-4 * want.abs(), "{run}, step {step}: loss {got}, PyTorch has {want}");
    }
    assert!(got[STEPS - 1] < got[0] / 4.0, "{run}: the loss hardly fell");
}

#[test]
fn losses_follow_pytorch() {
    // Threads change no result, and two that share coverage counters are slower than one.
    with_num_threads(1, || compare_both_runs(&Device::Cpu));
}

/// The same on a GPU. A machine without one is counted as skipped by the gate that looks for it.
#[cfg(feature = "gpu")]
#[test]
fn losses_follow_pytorch_on_a_gpu() {
    let device = match std::env::var_os(Device::VARIABLE) {
        Some(_) => Device::from_env().unwrap(),
        None => match Device::gpu(0) {
            Ok(device) => device,
            Err(error) => return println!("nothing is compared: {error}"),
        },
    };
    compare_both_runs(&device);
}

const SGD: SgdConfig =
    SgdConfig { lr: 0.02, momentum: 0.9, dampening: 0.0, weight_decay: 0.0, nesterov: false, maximize: false };

fn adamw() -> AdamWConfig {
    AdamWConfig { lr: 1e-3, ..Default::default() }
}

fn compare_both_runs(device: &Device) {
    let fixture = fixture();
    let sgd = losses(&fixture, device, DType::F32, |net| Sgd::new(net, SGD));
    compare("sgd", &fixture, &sgd);
    compare("adamw", &fixture, &losses(&fixture, device, DType::F32, |net| AdamW::new(net, adamw())));
}

/// Under autocast the same 50 steps stay as near to PyTorch's under its own as those are to its `float32`: a sum that falls on the
/// other side of a rounding moves everything after it. The first steps, before much has moved, are held to a limit of their own.
#[test]
fn losses_under_autocast_follow_pytorch() {
    let fixture = fixture();
    let values = |name: &str| fixture.get(name).unwrap().cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a / b - 1.0).abs()).collect::<Vec<f64>>();
    let mean = |apart: &[f64]| apart.iter().sum::<f64>() / apart.len() as f64;
    let most = |apart: &[f64]| apart.iter().copied().fold(0.0, f64::max);
    let near = |run: &str, half: DType, got: &[f64], first: f64| {
        let (want, whole) = (values(&format!("{run}.losses_{half}")), values(&format!("{run}.losses")));
        let (ours, theirs) = (apart(got, &want), apart(&want, &whole));
        assert!(mean(&ours) <= 1.5 * mean(&theirs), "{run} in {half}: {} apart", mean(&ours));
        assert!(most(&ours[..10]) <= first, "{run} in {half}: {} apart in the first steps", most(&ours[..10]));
        assert!(most(&apart(got, &whole)) > 1e-4, "{run} in {half}: nothing was rounded");
    };
    with_num_threads(1, || {
        for (half, first) in [(DType::F16, 2e-3), (DType::BF16, 1e-2)] {
            near("sgd", half, &losses(&fixture, &Device::Cpu, half, |net| Sgd::new(net, SGD)), first);
            near("adamw", half, &losses(&fixture, &Device::Cpu, half, |net| AdamW::new(net, adamw())), first);
        }
    });
}
