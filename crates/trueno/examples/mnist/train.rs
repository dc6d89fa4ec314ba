//! The training loop, with everything that keeps a long run safe.

use crate::Options;
use crate::history::{Epoch, History};
use crate::net::Net;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use trueno::data::{Augment, ImageSet, RandomCrop, Stacked, mnist};
use trueno::optim::{CosineAnnealingLr, Scheduler};
use trueno::prelude::*;

/// How a run ended.
pub enum Outcome {
    Finished,
    Interrupted,
}

type TrainLoader = DataLoader<Augment<ImageSet, RandomCrop>, Stacked>;
type TestLoader = DataLoader<ImageSet, Stacked>;

/// Everything a run holds.
struct Run<'a> {
    options: &'a Options,
    settings: Settings,
    net: Net,
    optimizer: AdamW,
    history: History,
    train: TrainLoader,
    test: TestLoader,
    stop: Arc<AtomicBool>,
}

/// Trains as the options say.
pub fn run(options: &Options) -> Result<Outcome, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(&options.out)?;
    let (train, test) = match &options.data {
        Some(folder) => mnist::load_dir(folder)?,
        None => mnist::subset(),
    };
    println!("{} training images, {} test images, {} threads", train.len(), test.len(), trueno::tensor::num_threads());
    let words = match &options.resume {
        Some(checkpoint) => StateDict::load_safetensors(checkpoint)?.metadata().clone(),
        None => BTreeMap::new(),
    };
    let words = words.into_iter().filter_map(|(name, value)| Some((name.strip_prefix("user.")?.to_owned(), value)));
    let settings = Settings::new(options, &words.collect());
    let net = Net::new(train.classes(), &mut Rng::seed(settings.seed));
    println!("{} parameters", net.num_parameters());
    let optimizer = AdamW::try_new(&net, AdamWConfig { lr: settings.lr, ..default() })?;
    let mut run = Run {
        options,
        settings,
        optimizer,
        net,
        history: History::default(),
        train: DataLoader::new(train.augment(RandomCrop { padding: 2 }), loader_config(settings, true))?,
        test: DataLoader::new(test, loader_config(settings, false))?,
        stop: interrupt_flag()?,
    };
    if let Some(checkpoint) = &options.resume {
        run.resume(checkpoint)?;
    }
    run.epochs()
}

fn loader_config(settings: Settings, shuffle: bool) -> DataLoaderConfig {
    DataLoaderConfig { batch_size: settings.batch_size, shuffle, seed: settings.seed, ..default() }
}

/// A flag that Ctrl-C raises.
fn interrupt_flag() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = stop.clone();
    ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed))?;
    Ok(stop)
}

impl Run<'_> {
    fn resume(&mut self, checkpoint: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let words = load(&mut self.net, &mut self.optimizer, checkpoint)?;
        self.history = History::from_words(&words)
            .ok_or_else(|| format!("{}: is not a checkpoint of this example", checkpoint.display()))?;
        println!("resumed after epoch {}, batch {}", self.history.epochs.len(), self.history.batches);
        Ok(())
    }

    fn save(&self) -> Result<(), Error> {
        let words = [self.history.to_words(), self.settings.to_words()].concat();
        save_with(&self.net, &self.optimizer, &words, self.options.out.join("last.safetensors"))
    }

    fn epochs(&mut self) -> Result<Outcome, Box<dyn std::error::Error>> {
        let started = Instant::now();
        let schedule = CosineAnnealingLr { t_max: self.settings.epochs, eta_min: 0.0 };
        let schedule = Scheduler::with_base(schedule, self.settings.lr);
        for number in self.history.epochs.len() as u64..self.settings.epochs {
            schedule.apply(&mut self.optimizer, number);
            if !self.train_epoch(number)? {
                self.save()?;
                let path = self.options.out.join("last.safetensors");
                println!("stopped; continue with --resume {}", path.display());
                return Ok(Outcome::Interrupted);
            }
            self.finish_epoch(number)?;
        }
        println!("done in {:.1} s; see {}", started.elapsed().as_secs_f64(), self.options.out.display());
        Ok(Outcome::Finished)
    }

    /// Trains on what is left of an epoch; `false` if Ctrl-C came.
    fn train_epoch(&mut self, number: u64) -> Result<bool, Error> {
        let batches = self.train.epoch(number).skip_to(self.history.batches).progress();
        let status = batches.status();
        for (images, labels) in batches {
            let logits = self.net.forward(&images, Mode::Train);
            let loss = cross_entropy(&logits, &labels);
            self.optimizer.step(&mut self.net, &loss.backward());
            self.history.batches += 1;
            self.history.loss += f64::from(loss.item());
            self.history.correct += correct(&logits, &labels);
            status.message(format!("loss {:.4}", self.history.loss / self.history.batches as f64));
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Tests, reports, draws the curve and saves.
    fn finish_epoch(&mut self, number: u64) -> Result<(), Box<dyn std::error::Error>> {
        let images = self.train.dataset().len();
        let epoch = Epoch {
            loss: self.history.loss / self.history.batches.max(1) as f64,
            train_accuracy: self.history.correct as f64 / images as f64,
            test_accuracy: self.test_accuracy(),
        };
        self.history = History { epochs: [self.history.epochs.as_slice(), &[epoch]].concat(), ..default() };
        println!(
            "epoch {:>2}: loss {:.4}, train accuracy {:.2} %, test accuracy {:.2} %",
            number + 1,
            epoch.loss,
            100.0 * epoch.train_accuracy,
            100.0 * epoch.test_accuracy
        );
        self.save()?;
        crate::curve::draw(&self.history.epochs, &self.options.out.join("curve.svg"))
    }

    fn test_accuracy(&self) -> f64 {
        let right: usize = no_grad(|| {
            let batches = self.test.epoch(0);
            batches.map(|(images, labels)| correct(&self.net.forward(&images, Mode::Eval), &labels)).sum()
        });
        right as f64 / self.test.dataset().len() as f64
    }
}

/// How many rows have their largest score at the label.
fn correct(logits: &Tensor<f32, 2>, labels: &Tensor<i64, 1>) -> usize {
    let right = logits.detach().argmax_axis(1).eq(labels);
    right.to_vec().into_iter().filter(|&right| right).count()
}
