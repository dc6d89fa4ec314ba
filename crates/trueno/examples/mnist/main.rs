//! Trains a convolutional network on MNIST: data, model, optimizer, checkpoints, learning curve.
//!
//! `cargo run --release --example mnist` uses the 10,000 training and 2,000 test images that are embedded in
//! `trueno-data`; `--data DIR` takes the full IDX files. Everything is written to `--out` (runs/mnist). Ctrl-C saves a
//! checkpoint and stops; `--resume runs/mnist/last.safetensors` continues as if nothing had happened.

mod curve;
mod history;
mod net;
mod settings;
mod train;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Folder for checkpoints and the learning curve
    #[arg(long, default_value = "runs/mnist")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let run = || train::run(&options);
    let outcome = match options.threads {
        Some(threads) => trueno::tensor::with_num_threads(threads, run),
        None => run(),
    };
    match outcome {
        Ok(train::Outcome::Finished) => ExitCode::SUCCESS,
        // What a shell reports for a program that Ctrl-C ended.
        Ok(train::Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
