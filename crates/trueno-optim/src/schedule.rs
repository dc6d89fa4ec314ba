//! Learning rates over time: closed forms, so that a resumed run needs nothing but the epoch.

use std::f64::consts::PI;

/// A learning rate as a function of the epoch (or step, if that is what the caller counts).
///
/// ```
/// use trueno_optim::{Schedule, StepLr};
/// let schedule = StepLr { step_size: 10, gamma: 0.1 };
/// assert_eq!(schedule.learning_rate(0.5, 9), 0.5);
/// assert_eq!(schedule.learning_rate(0.5, 10), 0.05);
/// ```
pub trait Schedule {
    /// The rate in `epoch` (from 0), where `base` is the optimizer's own.
    fn learning_rate(&self, base: f64, epoch: u64) -> f64;
}

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

/// From the base rate to `eta_min` along half a cosine (Loshchilov and Hutter, 2016; PyTorch's
/// `CosineAnnealingLR`); after `t_max` epochs it climbs back, as PyTorch's does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineAnnealingLr {
    /// Epochs of the descent.
    pub t_max: u64,
    /// The lowest rate.
    pub eta_min: f64,
}

impl Schedule for CosineAnnealingLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        let angle = PI * epoch as f64 / self.t_max.max(1) as f64;
        self.eta_min + (base - self.eta_min) * (1.0 + angle.cos()) / 2.0
    }
}

/// Sets an optimizer's rate by a schedule, remembering the rate it began with.
///
/// ```no_run
/// use trueno_optim::{CosineAnnealingLr, Scheduler};
/// # fn example(mut optimizer: trueno_optim::AdamW) {
/// let schedule = Scheduler::new(CosineAnnealingLr { t_max: 10, eta_min: 0.0 }, &optimizer);
/// for epoch in 0..10 {
///     schedule.apply(&mut optimizer, epoch);
///     // ... train for an epoch ...
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheduler<S> {
    schedule: S,
    base: f64,
}

impl<S: Schedule> Scheduler<S> {
    /// A schedule for the rate that `optimizer` has now.
    pub fn new<R: crate::Rule>(schedule: S, optimizer: &crate::Optimizer<R>) -> Self {
        Scheduler { schedule, base: optimizer.learning_rate() }
    }

    /// A schedule from a given base rate (when an optimizer is resumed with a rate that already decayed).
    pub fn with_base(schedule: S, base: f64) -> Self {
        Scheduler { schedule, base }
    }

    /// The rate in `epoch`.
    pub fn learning_rate(&self, epoch: u64) -> f64 {
        self.schedule.learning_rate(self.base, epoch)
    }

    /// Gives `optimizer` the rate of `epoch`.
    pub fn apply<R: crate::Rule>(&self, optimizer: &mut crate::Optimizer<R>, epoch: u64) {
        optimizer.set_learning_rate(self.learning_rate(epoch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PyTorch 2.15's schedulers give for a base rate of 0.1.
    #[test]
    fn schedules_follow_pytorch() {
        let step = StepLr { step_size: 3, gamma: 0.5 };
        let rates: Vec<f64> = (0..7).map(|epoch| step.learning_rate(0.1, epoch)).collect();
        assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025]);
        let exponential = ExponentialLr { gamma: 0.9 };
        assert!((exponential.learning_rate(0.1, 3) - 0.0729).abs() < 1e-15);
        let cosine = CosineAnnealingLr { t_max: 4, eta_min: 0.01 };
        let want = [0.1, 0.086_819_805_153_394_63, 0.055, 0.023_180_194_846_605_36, 0.01, 0.023_180_194_846_605_36];
        for (epoch, want) in want.into_iter().enumerate() {
            let got = cosine.learning_rate(0.1, epoch as u64);
            assert!((got - want).abs() < 1e-15, "epoch {epoch}: {got} against {want}");
        }
    }
}
