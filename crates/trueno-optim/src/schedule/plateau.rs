//! A rate that falls when a figure no longer gets better.

use crate::{Optimizer, Rule};

/// Which figures are better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlateauMode {
    /// Lower ones, as of a loss.
    #[default]
    Min,
    /// Higher ones, as of an accuracy.
    Max,
}

/// Settings of [`ReduceLrOnPlateau`], with PyTorch's names and defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReduceLrOnPlateauConfig {
    /// Which figures are better.
    pub mode: PlateauMode,
    /// Factor of a reduction.
    pub factor: f64,
    /// Epochs without a better figure that are borne.
    pub patience: u64,
    /// How much better counts.
    pub threshold: f64,
    /// Whether `threshold` is a share of the best figure, rather than a difference to it.
    pub relative: bool,
    /// Epochs after a reduction in which nothing is counted.
    pub cooldown: u64,
    /// The lowest rate.
    pub min_lr: f64,
    /// A reduction by no more than this is left out.
    pub eps: f64,
}

impl Default for ReduceLrOnPlateauConfig {
    fn default() -> Self {
        ReduceLrOnPlateauConfig {
            mode: PlateauMode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            relative: true,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
        }
    }
}

/// Lowers the rate when a figure has not become better for a while (PyTorch's `ReduceLROnPlateau`).
///
/// Unlike a [`Schedule`](crate::Schedule) it depends on what it was told. To resume a run, keep a copy of its fields.
///
/// ```no_run
/// use trueno_optim::{ReduceLrOnPlateau, ReduceLrOnPlateauConfig};
/// # fn validate() -> f64 { 0.0 }
/// # fn example(mut optimizer: trueno_optim::Sgd) {
/// let mut plateau = ReduceLrOnPlateau::new(ReduceLrOnPlateauConfig { patience: 3, ..Default::default() });
/// for epoch in 0..100 {
///     // ... train for an epoch ...
///     plateau.step(validate(), &mut optimizer);
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReduceLrOnPlateau {
    /// The settings.
    pub config: ReduceLrOnPlateauConfig,
    /// The best figure; infinitely bad before the first.
    pub best: f64,
    /// Epochs since it came.
    pub num_bad_epochs: u64,
    /// Epochs in which nothing is counted yet.
    pub cooldown_counter: u64,
}

impl ReduceLrOnPlateau {
    /// Has been told nothing yet.
    pub fn new(config: ReduceLrOnPlateauConfig) -> Self {
        let best = match config.mode {
            PlateauMode::Min => f64::INFINITY,
            PlateauMode::Max => f64::NEG_INFINITY,
        };
        ReduceLrOnPlateau { config, best, num_bad_epochs: 0, cooldown_counter: 0 }
    }

    /// Hears the figure of an epoch, and lowers the rate of `optimizer` if it is time; tells whether it did.
    ///
    /// A figure that is not a number is not better.
    pub fn step<R: Rule>(&mut self, metric: f64, optimizer: &mut Optimizer<R>) -> bool {
        if self.is_better(metric) {
            self.best = metric;
            self.num_bad_epochs = 0;
        } else {
            self.num_bad_epochs += 1;
        }
        if self.cooldown_counter > 0 {
            self.cooldown_counter -= 1;
            self.num_bad_epochs = 0;
        }
        if self.num_bad_epochs <= self.config.patience {
            return false;
        }
        self.cooldown_counter = self.config.cooldown;
        self.num_bad_epochs = 0;
        let rate = optimizer.learning_rate();
        let reduced = (rate * self.config.factor).max(self.config.min_lr);
        let changes = rate - reduced > self.config.eps;
        if changes {
            optimizer.set_learning_rate(reduced);
        }
        changes
    }

    fn is_better(&self, metric: f64) -> bool {
        let ReduceLrOnPlateauConfig { mode, threshold, relative, .. } = self.config;
        let margin =
            |sign: f64| if relative { self.best * (1.0 + sign * threshold) } else { self.best + sign * threshold };
        match mode {
            PlateauMode::Min => metric < margin(-1.0),
            PlateauMode::Max => metric > margin(1.0),
        }
    }
}
