//! The training loop: progress, checkpoints, Ctrl-C, resuming, a learning curve.

#[cfg(feature = "gpu")]
use super::compiling::Compiling;
use super::curve;
use super::history::{Epoch, History};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use trueno::data::{Image, ImageSet, Stacked};
use trueno::nn::{CrossEntropyConfig, cross_entropy_with};
use trueno::optim::{Optimizer, Rule, Schedule};
use trueno::prelude::*;

/// Steps whose losses are read together: reading waits for a GPU, which else would work ahead.
const TOGETHER: usize = 32;

/// How a run ended.
pub enum Outcome {
    Finished,
    Interrupted,
}

/// Images `[N, C, H, W]` to class scores `[N, classes]`.
pub trait Network: Module {
    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2>;
}

/// Everything a run holds.
pub struct Training<N, R, D: Dataset> {
    pub title: &'static str,
    pub net: N,
    pub optimizer: Optimizer<R>,
    pub train: DataLoader<D, Stacked>,
    pub test: DataLoader<ImageSet, Stacked>,
    pub device: Device,
    /// What products are computed in; `float16` and `bfloat16` with autocast.
    pub precision: DType,
    /// Scales losses, if it is enabled.
    pub scaler: GradScaler,
    pub epochs: u64,
    /// What the schedule makes rates of.
    pub lr: f64,
    /// The rate over the steps of the whole run.
    pub schedule: Box<dyn Schedule>,
    /// Share of a label that is spread over all classes while training.
    pub label_smoothing: f64,
    /// What a checkpoint keeps of the command line.
    pub settings: Vec<(&'static str, String)>,
    /// Folder for checkpoints and the learning curve.
    pub out: PathBuf,
    pub stop: Arc<AtomicBool>,
}

/// A flag that Ctrl-C raises.
pub fn interrupt_flag() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = stop.clone();
    ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed))?;
    Ok(stop)
}

/// What the run that wrote a checkpoint kept in it; nothing without one.
pub fn saved_words(checkpoint: Option<&Path>) -> Result<BTreeMap<String, String>, Error> {
    let Some(checkpoint) = checkpoint else { return Ok(BTreeMap::new()) };
    let words = StateDict::load_safetensors(checkpoint)?.metadata().clone();
    Ok(words.into_iter().filter_map(|(name, value)| Some((name.strip_prefix("user.")?.to_owned(), value))).collect())
}

impl<N: Network, R: Rule, D: Dataset<Item = Image> + 'static> Training<N, R, D> {
    /// Trains from the start, or from where a checkpoint is.
    pub fn run(mut self, checkpoint: Option<&Path>) -> Result<Outcome, Box<dyn std::error::Error>> {
        let mut history = History::default();
        if let Some(checkpoint) = checkpoint {
            let words = load(&mut self.net, &mut self.optimizer, checkpoint)?;
            history = History::from_words(&words)
                .ok_or_else(|| format!("{}: is not a checkpoint of this example", checkpoint.display()))?;
            self.scaler.load_words(&words)?;
            println!("resumed after epoch {}, batch {}", history.epochs.len(), history.batches);
        }
        let started = Instant::now();
        for number in history.epochs.len() as u64..self.epochs {
            if !self.train_epoch(number, &mut history)? {
                self.save(&history)?;
                println!("stopped; continue with --resume {}", self.checkpoint().display());
                return Ok(Outcome::Interrupted);
            }
            self.finish_epoch(number, &mut history)?;
        }
        println!("done in {:.1} s; see {}", started.elapsed().as_secs_f64(), self.out.display());
        Ok(Outcome::Finished)
    }

    fn checkpoint(&self) -> PathBuf {
        self.out.join("last.safetensors")
    }

    fn save(&self, history: &History) -> Result<(), Error> {
        let words = [history.to_words(), self.scaler.to_words(), self.settings.clone()].concat();
        save_with(&self.net, &self.optimizer, &words, self.checkpoint())
    }

    /// Trains on what is left of an epoch; `false` if Ctrl-C came.
    fn train_epoch(&mut self, number: u64, history: &mut History) -> Result<bool, Error> {
        let batches = self.train.epoch(number).skip_to(history.batches).progress();
        let status = batches.status();
        #[cfg(feature = "gpu")]
        let _compiling = Compiling::show(&self.device, status.clone());
        let (started, before) = (Instant::now(), history.batches);
        let first = number * self.train.len() as u64 + before as u64;
        let smoothed = CrossEntropyConfig { label_smoothing: self.label_smoothing, ..default() };
        let mut unread = Vec::new();
        for (step, (images, labels)) in (first..).zip(batches) {
            self.optimizer.set_learning_rate(self.schedule.learning_rate(self.lr, step));
            let (images, labels) = (images.to(&self.device)?, labels.to(&self.device)?);
            let (logits, loss) = autocast(self.precision, || {
                let logits = self.net.forward(&images, Mode::Train);
                let loss = cross_entropy_with(&logits, &labels, &smoothed);
                (logits, loss)
            });
            let gradients = self.scaler.scale(&loss).backward();
            self.scaler.step(&mut self.optimizer, &mut self.net, &gradients)?;
            self.scaler.update()?;
            unread.push((loss.detach(), correct(&logits, &labels)));
            let stopped = self.stop.load(Ordering::Relaxed);
            if unread.len() == TOGETHER || stopped {
                read(&mut unread, history);
                let done = (history.batches - before) * self.train.config().batch_size;
                let speed = done as f64 / started.elapsed().as_secs_f64();
                status.message(format!("loss {:.4}, {speed:.0} images/s", history.loss / history.batches as f64));
            }
            if stopped {
                return Ok(false);
            }
        }
        read(&mut unread, history);
        Ok(true)
    }

    /// Tests, reports, draws the curve and saves.
    fn finish_epoch(&mut self, number: u64, history: &mut History) -> Result<(), Box<dyn std::error::Error>> {
        let images = self.train.dataset().len();
        let epoch = Epoch {
            loss: history.loss / history.batches.max(1) as f64,
            train_accuracy: history.correct as f64 / images as f64,
            test_accuracy: self.test_accuracy()?,
        };
        *history = History { epochs: [history.epochs.as_slice(), &[epoch]].concat(), ..default() };
        println!(
            "epoch {:>2}: loss {:.4}, train accuracy {:.2} %, test accuracy {:.2} %",
            number + 1,
            epoch.loss,
            100.0 * epoch.train_accuracy,
            100.0 * epoch.test_accuracy
        );
        self.save(history)?;
        curve::draw(self.title, &history.epochs, &self.out.join("curve.svg"))
    }

    fn test_accuracy(&self) -> Result<f64, Error> {
        let right = no_grad(|| {
            let answers = self.test.epoch(0).map(|(images, labels)| {
                let (images, labels) = (images.to(&self.device)?, labels.to(&self.device)?);
                let logits = autocast(self.precision, || self.net.forward(&images, Mode::Eval));
                Ok(correct(&logits, &labels))
            });
            answers.collect::<Result<Vec<_>, Error>>()
        })?;
        let right: i64 = right.iter().map(Tensor::item).sum();
        Ok(right as f64 / self.test.dataset().len() as f64)
    }
}

/// Takes the losses and right answers of some steps into the history.
fn read(unread: &mut Vec<(Tensor<f32, 0>, Tensor<i64, 0>)>, history: &mut History) {
    for (loss, right) in unread.drain(..) {
        history.batches += 1;
        history.loss += f64::from(loss.item());
        history.correct += right.item() as usize;
    }
}

/// How many rows have their largest score at the label.
fn correct(logits: &Tensor<f32, 2>, labels: &Tensor<i64, 1>) -> Tensor<i64, 0> {
    logits.detach().argmax_axis(1).eq(labels).sum()
}
