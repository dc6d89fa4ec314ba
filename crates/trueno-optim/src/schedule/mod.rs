//! Learning rates over time: closed forms, so that a resumed run needs nothing but the epoch.

mod cosine;
mod decay;
mod plateau;
mod sequential;

pub use cosine::{CosineAnnealingLr, CosineAnnealingWarmRestarts, OneCycleLr};
pub use decay::{ConstantLr, ExponentialLr, LambdaLr, LinearLr, MultiStepLr, PolynomialLr, StepLr};
pub use plateau::{PlateauMode, ReduceLrOnPlateau, ReduceLrOnPlateauConfig};
pub use sequential::SequentialLr;

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
