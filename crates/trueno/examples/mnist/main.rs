//! Trains a convolutional network on MNIST: data, model, optimizer, checkpoints, learning curve.
//!
//! `cargo run --release --example mnist` uses the 10,000 training and 2,000 test images that are embedded in
//! `trueno-data`; `--data DIR` takes the full IDX files. Everything is written to `--out` (runs/mnist). Ctrl-C saves a
//! checkpoint and stops; `--resume runs/mnist/last.safetensors` continues as if nothing had happened.

mod net;
mod settings;
#[path = "../support/mod.rs"]
mod support;

use clap::Parser;
use net::Net;
use settings::Settings;
use std::path::PathBuf;
use std::process::ExitCode;
use support::{Network, Outcome, Training, interrupt_flag, saved_words};
use trueno::data::{RandomCrop, mnist};
use trueno::optim::CosineAnnealingLr;
use trueno::prelude::*;

/// Train a convolutional network on MNIST.
#[derive(Parser, Debug)]
pub struct Options {
    /// Folder with the four IDX files of MNIST (or Fashion-MNIST, ...), plain or gzipped; by default the embedded subset
    #[arg(long)]
    data: Option<PathBuf>,
    /// Passes over the training images [default: 16]
    #[arg(long)]
    epochs: Option<u64>,
    /// Images per step [default: 64]
    #[arg(long)]
    batch_size: Option<usize>,
    /// Highest learning rate; it falls to 0 along a cosine [default: 0.002]
    #[arg(long)]
    lr: Option<f64>,
    /// Seed of initial weights, order, augmentation and dropout [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Checkpoint to continue from; options that are not given are those of the run that wrote it
    #[arg(long, value_name = "CKPT")]
    resume: Option<PathBuf>,
    /// Threads of the arithmetic; by default one per processor. The result does not depend on it
    #[arg(long)]
    threads: Option<usize>,
    /// Where it is computed: cpu, gpu, gpu:1, a PCI bus id [default: what TRUENO_DEVICE says, else cpu]
    #[arg(long)]
    device: Option<String>,
    /// Folder for checkpoints and the learning curve
    #[arg(long, default_value = "runs/mnist")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let run = || train(&options);
    let outcome = match options.threads {
        Some(threads) => trueno::tensor::with_num_threads(threads, run),
        None => run(),
    };
    match outcome {
        Ok(Outcome::Finished) => ExitCode::SUCCESS,
        // What a shell reports for a program that Ctrl-C ended.
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Network for Net {
    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        Net::forward(self, images, mode)
    }
}

/// Trains as the options say.
fn train(options: &Options) -> Result<Outcome, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(&options.out)?;
    let device = options.device.as_deref().map_or_else(Device::from_env, str::parse)?;
    let (train, test) = match &options.data {
        Some(folder) => mnist::load_dir(folder)?,
        None => mnist::subset(),
    };
    let threads = trueno::tensor::num_threads();
    println!("{} training images, {} test images, on {device}, {threads} threads", train.len(), test.len());
    let settings = Settings::new(options, &saved_words(options.resume.as_deref())?);
    let net = Net::new(train.classes(), &mut Rng::seed(settings.seed)).try_to(&device)?;
    println!("{} parameters", net.num_parameters());
    let loader =
        |shuffle| DataLoaderConfig { batch_size: settings.batch_size, shuffle, seed: settings.seed, ..default() };
    let train = DataLoader::new(train.augment(RandomCrop { padding: 2 }), loader(true))?;
    let training = Training {
        title: "MNIST",
        optimizer: AdamW::try_new(&net, AdamWConfig { lr: settings.lr, ..default() })?,
        net,
        schedule: Box::new(CosineAnnealingLr { t_max: settings.epochs * train.len() as u64, eta_min: 0.0 }),
        label_smoothing: 0.0,
        train,
        test: DataLoader::new(test, loader(false))?,
        device,
        precision: DType::F32,
        scaler: GradScaler::with_config(GradScalerConfig { enabled: false, ..default() })?,
        epochs: settings.epochs,
        lr: settings.lr,
        settings: settings.to_words(),
        out: options.out.clone(),
        stop: interrupt_flag()?,
    };
    training.run(options.resume.as_deref())
}
