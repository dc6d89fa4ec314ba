//! Trains ResNet-18 or ResNet-50 on CIFAR-10, on a GPU if one is named.
//!
//! `cargo run --release --example cifar_resnet -- --data DIR --device gpu`, where DIR holds the binary version of CIFAR-10
//! (`data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`). Everything is written to `--out` (runs/cifar). Ctrl-C saves
//! a checkpoint and stops; `--resume runs/cifar/last.safetensors` continues. `--autocast f16` trains in mixed precision: checkpoints
//! hold the weights in single precision and the scale of the losses.

mod net;
#[path = "../support/mod.rs"]
mod support;

use clap::{Parser, ValueEnum};
use net::ResNet;
use std::path::PathBuf;
use std::process::ExitCode;
use support::{Network, Outcome, Training, interrupt_flag, saved_words};
use trueno::data::{Image, RandomCrop, RandomHorizontalFlip, SampleRng, Transform, cifar};
use trueno::optim::{CosineAnnealingLr, LinearLr, SequentialLr};
use trueno::prelude::*;

/// Train a residual network on CIFAR-10.
#[derive(Parser, Debug)]
struct Options {
    /// Folder with the binary version of CIFAR-10, plain or gzipped
    #[arg(long)]
    data: PathBuf,
    /// How deep the network is
    #[arg(long, value_enum, default_value_t = Depth::Eighteen)]
    depth: Depth,
    /// Passes over the training images
    #[arg(long, default_value_t = 30)]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 128)]
    batch_size: usize,
    /// Highest learning rate; it rises to it along a line and falls to 0 along a cosine
    #[arg(long, default_value_t = 0.1)]
    lr: f64,
    /// Epochs in which the rate rises
    #[arg(long, default_value_t = 3)]
    warm_up: u64,
    /// Share of each label that is spread over all classes
    #[arg(long, default_value_t = 0.1)]
    label_smoothing: f64,
    /// Seed of initial weights, order and augmentation
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Checkpoint to continue from; give the same options as the run that wrote it
    #[arg(long, value_name = "CKPT")]
    resume: Option<PathBuf>,
    /// Where it is computed: cpu, gpu, gpu:1, a PCI bus id [default: what TRUENO_DEVICE says, else cpu]
    #[arg(long)]
    device: Option<String>,
    /// Half precision for products and what lies between them; weights stay in single precision [default: none]
    #[arg(long, value_enum)]
    autocast: Option<Half>,
    /// Threads that load images
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Folder for checkpoints and the learning curve
    #[arg(long, default_value = "runs/cifar")]
    out: PathBuf,
}

/// The two networks of the paper that fit small images.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Depth {
    #[value(name = "18")]
    Eighteen,
    #[value(name = "50")]
    Fifty,
}

/// What products are computed in with `--autocast`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Half {
    F16,
    Bf16,
}

fn main() -> ExitCode {
    match train(&Options::parse()) {
        Ok(Outcome::Finished) => ExitCode::SUCCESS,
        // What a shell reports for a program that Ctrl-C ended.
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Shifted by up to four pixels and mirrored half of the time.
struct ShiftAndFlip;

impl Transform<Image> for ShiftAndFlip {
    fn apply(&self, image: Image, rng: &mut SampleRng) -> Image {
        let shifted = RandomCrop { padding: 4 }.apply(image, rng);
        RandomHorizontalFlip::default().apply(shifted, rng)
    }
}

impl Network for ResNet {
    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        ResNet::forward(self, images, mode)
    }
}

fn train(options: &Options) -> Result<Outcome, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(&options.out)?;
    let device = options.device.as_deref().map_or_else(Device::from_env, str::parse)?;
    let (train, test) = cifar::load_dir(&options.data, cifar::Variant::Cifar10)?;
    let normalized = |images: trueno::data::ImageSet| images.normalized(&cifar::CIFAR10_MEAN, &cifar::CIFAR10_STD);
    let (train, test) = (normalized(train)?, normalized(test)?);
    let precision = options.autocast.map_or(DType::F32, |half| match half {
        Half::F16 => DType::F16,
        Half::Bf16 => DType::BF16,
    });
    println!("{} training images, {} test images, on {device}, in {precision}", train.len(), test.len());
    let rng = &mut Rng::seed(options.seed);
    let net = match options.depth {
        Depth::Eighteen => ResNet::resnet18(train.classes(), rng),
        Depth::Fifty => ResNet::resnet50(train.classes(), rng),
    };
    let net = net.try_to(&device)?;
    println!("{} parameters", net.num_parameters());
    let loader = |shuffle| DataLoaderConfig {
        batch_size: options.batch_size,
        shuffle,
        seed: options.seed,
        workers: options.workers,
        ..default()
    };
    let rule = SgdConfig { lr: options.lr, momentum: 0.9, weight_decay: 5e-4, nesterov: true, ..default() };
    // Refuses a file that is no checkpoint before anything long begins.
    saved_words(options.resume.as_deref())?;
    // Decay is for weights: offsets and what normalisation scales by are few, and small for no good.
    let few = |name: &str| name.ends_with("bias") || name.contains("norm.");
    let train = DataLoader::new(train.augment(ShiftAndFlip), loader(true))?;
    let training = Training {
        title: "CIFAR-10",
        optimizer: Sgd::try_new(&net, rule)?.group(few, |rule| rule.weight_decay = 0.0),
        net,
        schedule: Box::new(schedule(options, train.len() as u64)),
        label_smoothing: options.label_smoothing,
        train,
        test: DataLoader::new(test, loader(false))?,
        device,
        precision,
        // Only `float16` has so few exponents that gradients vanish in it.
        scaler: GradScaler::with_config(GradScalerConfig { enabled: precision == DType::F16, ..default() })?,
        epochs: options.epochs,
        lr: options.lr,
        settings: Vec::new(),
        out: options.out.clone(),
        stop: interrupt_flag()?,
    };
    training.run(options.resume.as_deref())
}

/// The rate over the run, counted in steps: a full rate from the first would throw the network where it takes epochs to come back
/// from (Goyal et al., 2017).
fn schedule(options: &Options, steps_per_epoch: u64) -> SequentialLr {
    let warm_up = options.warm_up.min(options.epochs.saturating_sub(1)) * steps_per_epoch;
    let fall = CosineAnnealingLr { t_max: options.epochs * steps_per_epoch - warm_up, eta_min: 0.0 };
    match warm_up {
        0 => SequentialLr::new(fall),
        _ => SequentialLr::new(LinearLr { start_factor: 1.0 / warm_up as f64, end_factor: 1.0, total_iters: warm_up })
            .then(warm_up, fall),
    }
}
