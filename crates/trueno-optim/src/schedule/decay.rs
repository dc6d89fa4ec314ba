//! Rates that change by a factor.

use super::Schedule;

/// The rate times `gamma` every `step_size` epochs (PyTorch's `StepLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLr {
    /// Epochs between decays; 0 counts as 1.
    pub step_size: u64,
    /// Factor of a decay.
    pub gamma: f64,
}

impl Schedule for StepLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        base * self.gamma.powf((epoch / self.step_size.max(1)) as f64)
    }
}

/// The rate times `gamma` at each of the milestones, in any order (PyTorch's `MultiStepLR`).
///
/// ```
/// use trueno_optim::{MultiStepLr, Schedule};
/// let schedule = MultiStepLr { milestones: vec![30, 80], gamma: 0.1 };
/// assert_eq!(schedule.learning_rate(1.0, 29), 1.0);
/// assert_eq!(schedule.learning_rate(1.0, 30), 0.1);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStepLr {
    /// Epochs from which the rate is lower; one that is named twice counts twice.
    pub milestones: Vec<u64>,
    /// Factor of a decay.
    pub gamma: f64,
}

impl Schedule for MultiStepLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        let passed = self.milestones.iter().filter(|&&milestone| epoch >= milestone).count();
        base * self.gamma.powf(passed as f64)
    }
}

/// The rate times `gamma` every epoch (PyTorch's `ExponentialLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialLr {
    /// Factor of an epoch.
    pub gamma: f64,
}

impl Schedule for ExponentialLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        base * self.gamma.powf(epoch as f64)
    }
}

/// The rate times `factor` for `total_iters` epochs, then the rate itself (PyTorch's `ConstantLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConstantLr {
    /// Factor of the first epochs.
    pub factor: f64,
    /// How many they are.
    pub total_iters: u64,
}

impl Default for ConstantLr {
    /// A third of the rate for five epochs.
    fn default() -> Self {
        ConstantLr { factor: 1.0 / 3.0, total_iters: 5 }
    }
}

impl Schedule for ConstantLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        if epoch < self.total_iters { base * self.factor } else { base }
    }
}

/// The factor of the rate goes from `start_factor` to `end_factor` along a line: a warm-up (PyTorch's `LinearLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearLr {
    /// Factor of the first epoch.
    pub start_factor: f64,
    /// Factor from epoch `total_iters` on.
    pub end_factor: f64,
    /// Epochs between the two.
    pub total_iters: u64,
}

impl Default for LinearLr {
    /// From a third of the rate to the rate, in five epochs.
    fn default() -> Self {
        LinearLr { start_factor: 1.0 / 3.0, end_factor: 1.0, total_iters: 5 }
    }
}

impl Schedule for LinearLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        let share =
            if self.total_iters == 0 { 1.0 } else { epoch.min(self.total_iters) as f64 / self.total_iters as f64 };
        base * (self.start_factor + (self.end_factor - self.start_factor) * share)
    }
}

/// The rate falls to 0 in `total_iters` epochs as a power of what is left of them (PyTorch's `PolynomialLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolynomialLr {
    /// Epochs until the rate is 0.
    pub total_iters: u64,
    /// The power; 1 is a line.
    pub power: f64,
}

impl Default for PolynomialLr {
    /// A line of five epochs.
    fn default() -> Self {
        PolynomialLr { total_iters: 5, power: 1.0 }
    }
}

impl Schedule for PolynomialLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        let left = self.total_iters.saturating_sub(epoch) as f64 / self.total_iters.max(1) as f64;
        if left == 0.0 { 0.0 } else { base * left.powf(self.power) }
    }
}

/// The rate times a function of the epoch (PyTorch's `LambdaLR`).
///
/// ```
/// use trueno_optim::{LambdaLr, Schedule};
/// // The schedule of Vaswani et al. (2017), with 4,000 steps of warm-up.
/// let schedule = LambdaLr(|step| {
///     let step = step as f64 + 1.0;
///     step.powf(-0.5).min(step * 4000_f64.powf(-1.5))
/// });
/// assert!(schedule.learning_rate(1.0, 3999) > schedule.learning_rate(1.0, 8000));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LambdaLr<F>(
    /// The factor of an epoch.
    pub F,
);

impl<F: Fn(u64) -> f64> Schedule for LambdaLr<F> {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        base * (self.0)(epoch)
    }
}
