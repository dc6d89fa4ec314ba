//! Training steps on the GPU that `TRUENO_DEVICE` names, or the best: a row per network as `name<TAB>value<TAB>unit`; `_f16` and
//! `_bf16` with autocast. Arguments are beginnings of the names to run.
//!
//! With `TRUENO_PROFILE=1` each network's kernels
//! follow its row, with what they take of a step; the row itself is then of no use, for batches are waited for.
//!
//! The rows of kernels are those of `trueno-gpu`'s example `throughput`; `gpu_peers.py` has PyTorch's side of both.
#![forbid(unsafe_code)]

#[expect(dead_code, reason = "the example has more networks than are timed")]
#[path = "../../../crates/trueno/examples/cifar_resnet/net.rs"]
mod net;

use net::ResNet;
use std::time::Instant;
use trueno::nn::{TransformerEncoderConfig, TransformerEncoderLayer};
use trueno::prelude::*;

/// Least seconds of one measurement, and how many there are; the figure is the median.
const SECONDS: f64 = 0.5;
const ROUNDS: usize = 5;

fn main() -> Result<(), Error> {
    let device = if std::env::var_os(Device::VARIABLE).is_some() { Device::from_env()? } else { Device::gpu(0)? };
    println!("# {device}");
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let is_asked = |name: &str| asked.is_empty() || asked.iter().any(|asked| name.starts_with(asked));
    if is_asked("mlp_step") {
        let step = seconds(&device, perceptron(&device)?)?;
        println!("mlp_step\t{:.1}\tus", step.seconds * 1e6);
        report(&device, &step);
    }
    for (precision, suffix) in [(DType::F32, ""), (DType::F16, "_f16"), (DType::BF16, "_bf16")] {
        for batch in [128, 512] {
            let name = format!("resnet50_{batch}{suffix}");
            if is_asked(&name) {
                let step = seconds(&device, residual(&device, batch, precision)?)?;
                println!("{name}\t{:.0}\timages/s", batch as f64 / step.seconds);
                report(&device, &step);
            }
        }
        let name = format!("bert_step{suffix}");
        if is_asked(&name) {
            let step = seconds(&device, encoder(&device, precision)?)?;
            println!("{name}\t{:.1}\tsequences/s", 32.0 / step.seconds);
            report(&device, &step);
        }
    }
    Ok(())
}

/// What scales losses where `precision` needs it.
fn scaler(precision: DType) -> Result<GradScaler, Error> {
    GradScaler::with_config(GradScalerConfig { enabled: precision == DType::F16, ..default() })
}

/// What a step took, and how many there were.
struct Timed {
    seconds: f64,
    steps: u64,
}

/// Prints what kernels took of a step, where the device's clock was read around them.
fn report(device: &Device, step: &Timed) {
    let Device::Gpu(gpu) = device else { return };
    let timings = gpu.timings();
    let total: f64 = timings.iter().map(|timing| timing.seconds).sum();
    for timing in &timings {
        let per_step = 1e6 / step.steps as f64;
        println!(
            "#\t{:.1} us\t{:.1} %\t{:.1} calls\t{:.0} groups\t{}",
            timing.seconds * per_step,
            100.0 * timing.seconds / total,
            timing.calls as f64 / step.steps as f64,
            timing.groups as f64 / timing.calls as f64,
            timing.kernel
        );
    }
}

/// Median seconds of one call, which only records; the device is waited for at the end of each measurement.
fn seconds(device: &Device, mut step: impl FnMut()) -> Result<Timed, Error> {
    let mut steps = 0;
    let mut timed = |calls: usize| -> Result<f64, Error> {
        steps += calls as u64;
        let start = Instant::now();
        (0..calls).for_each(|_| step());
        device.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    };
    timed(3)?;
    let mut calls = 1;
    while timed(calls)? < SECONDS {
        calls *= 2;
    }
    let mut rounds = (0..ROUNDS).map(|_| timed(calls)).collect::<Result<Vec<_>, _>>()?;
    rounds.sort_by(f64::total_cmp);
    Ok(Timed { seconds: rounds[ROUNDS / 2] / calls as f64, steps })
}

/// Labels that go through ten classes.
fn labels(count: usize) -> Tensor<i64, 1> {
    Tensor::from_fn([count], |[i]| (i % 10) as i64)
}

/// Layers 784-512-256-10, batch 64, AdamW.
fn perceptron(device: &Device) -> Result<impl FnMut() + use<>, Error> {
    let rng = &mut Rng::seed(0);
    let (first, second) = (Linear::new(784, 512, rng), Linear::new(512, 256, rng));
    let mut net = sequential![first, Relu, second, Relu, Linear::new(256, 10, rng)].try_to(device)?;
    let x = Tensor::<f32, 2>::randn([64, 784], rng).to(device)?;
    let labels = labels(64).to(device)?;
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    Ok(move || {
        let loss = cross_entropy(&net.forward(&x, Mode::Train), &labels);
        optimizer.step(&mut net, &loss.backward());
    })
}

/// ResNet-50 for images of 32 x 32, SGD with momentum.
fn residual(device: &Device, batch: usize, precision: DType) -> Result<impl FnMut() + use<>, Error> {
    let rng = &mut Rng::seed(0);
    let mut net = ResNet::resnet50(10, rng).try_to(device)?;
    let x = Tensor::<f32, 4>::randn([batch, 3, 32, 32], rng).to(device)?;
    let labels = labels(batch).to(device)?;
    let rule = SgdConfig { lr: 0.01, momentum: 0.9, weight_decay: 5e-4, nesterov: true, ..default() };
    let (mut optimizer, mut scaler) = (Sgd::new(&net, rule), scaler(precision)?);
    Ok(move || {
        let loss = autocast(precision, || cross_entropy(&net.forward(&x, Mode::Train), &labels));
        let gradients = scaler.scale(&loss).backward();
        scaler.step(&mut optimizer, &mut net, &gradients).unwrap();
        scaler.update().unwrap();
    })
}

/// An encoder of BERT-base's shape (12 layers of width 768 with 12 heads) under a classifier; batch 32 of 128 tokens, AdamW.
fn encoder(device: &Device, precision: DType) -> Result<impl FnMut() + use<>, Error> {
    #[derive(Module)]
    struct Encoder {
        layers: Vec<TransformerEncoderLayer>,
        head: Linear,
    }
    let rng = &mut Rng::seed(0);
    let config = TransformerEncoderConfig { dim_feedforward: 3072, dropout: 0.0, ..default() };
    let layers = (0..12).map(|_| TransformerEncoderLayer::new(768, 12, config, rng)).collect();
    let mut net = Encoder { layers, head: Linear::new(768, 10, rng) }.try_to(device)?;
    let x = Tensor::<f32, 3>::randn([32, 128, 768], rng).to(device)?;
    let labels = labels(32).to(device)?;
    let (mut optimizer, mut scaler) = (AdamW::new(&net, AdamWConfig::default()), scaler(precision)?);
    Ok(move || {
        let loss = autocast(precision, || {
            let hidden = net.layers.iter().fold(x.clone(), |x, layer| layer.forward(&x, Mode::Train));
            cross_entropy(&net.head.forward(&hidden.mean_axis(1), Mode::Train), &labels)
        });
        let gradients = scaler.scale(&loss).backward();
        scaler.step(&mut optimizer, &mut net, &gradients).unwrap();
        scaler.update().unwrap();
    })
}
