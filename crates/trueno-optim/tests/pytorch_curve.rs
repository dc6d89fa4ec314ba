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
use trueno_optim::{AdamW, AdamWConfig, Optimizer, Rule, Sgd, SgdConfig};
use trueno_tensor::{Device, with_num_threads};

const STEPS: usize = 50;
const BATCH: usize = 64;

/// Losses before each of the first steps, from the fixture's weights.
fn losses<R: Rule>(
    fixture: &StateDict,
    device: &Device,
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
    let images = mnist::subset().0.subset(0..STEPS * BATCH).unwrap();
    let config = DataLoaderConfig { batch_size: BATCH, ..Default::default() };
    let batches = DataLoader::new(images, config).unwrap().epoch(0);
    batches
        .map(|(images, labels)| {
            let (images, labels) = (images.to(device).unwrap(), labels.to(device).unwrap());
            let loss = cross_entropy(&net.forward(&images, Mode::Train), &labels);
            optimizer.step(&mut net, &loss.backward());
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

fn compare_both_runs(device: &Device) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mnist_curve.safetensors");
    let fixture = StateDict::load_safetensors(path).unwrap();
    let sgd =
        losses(&fixture, device, |net| Sgd::new(net, SgdConfig { lr: 0.02, momentum: 0.9, ..Default::default() }));
    compare("sgd", &fixture, &sgd);
    let adamw = losses(&fixture, device, |net| AdamW::new(net, AdamWConfig { lr: 1e-3, ..Default::default() }));
    compare("adamw", &fixture, &adamw);
}
