//! One schedule after another.

use super::Schedule;
use std::fmt;

/// Schedules one after the other, each counting from 0 where it begins (PyTorch's `SequentialLR`): a warm-up and what follows it.
///
/// ```
/// use trueno_optim::{CosineAnnealingLr, LinearLr, Schedule, SequentialLr};
/// let warm_up = LinearLr { start_factor: 0.01, end_factor: 1.0, total_iters: 5 };
/// let schedule = SequentialLr::new(warm_up).then(5, CosineAnnealingLr { t_max: 95, eta_min: 0.0 });
/// assert_eq!(schedule.learning_rate(0.1, 0), 0.001);
/// assert_eq!(schedule.learning_rate(0.1, 5), 0.1);
/// assert!(schedule.learning_rate(0.1, 99) < 0.001);
/// ```
pub struct SequentialLr {
    /// Where each begins, in rising order; the first at 0.
    parts: Vec<(u64, Box<dyn Schedule>)>,
}

impl SequentialLr {
    /// Begins with `first`.
    pub fn new(first: impl Schedule + 'static) -> Self {
        SequentialLr { parts: vec![(0, Box::new(first))] }
    }

    /// From epoch `milestone` on, `next`.
    ///
    /// # Panics
    /// If the part before begins at `milestone` or later.
    #[must_use]
    #[track_caller]
    pub fn then(mut self, milestone: u64, next: impl Schedule + 'static) -> Self {
        let before = self.parts.last().map_or(0, |&(begins, _)| begins);
        assert!(milestone > before, "SequentialLr: a part at epoch {milestone} follows one that begins at {before}");
        self.parts.push((milestone, Box::new(next)));
        self
    }
}

impl fmt::Debug for SequentialLr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milestones: Vec<u64> = self.parts.iter().map(|&(begins, _)| begins).collect();
        f.debug_struct("SequentialLr").field("begins", &milestones).finish()
    }
}

impl Schedule for SequentialLr {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        let part = self.parts.iter().rev().find(|&&(begins, _)| epoch >= begins);
        part.map_or(base, |(begins, schedule)| schedule.learning_rate(base, epoch - begins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LambdaLr;

    #[test]
    #[should_panic(expected = "a part at epoch 3 follows one that begins at 3")]
    fn parts_come_in_order() {
        let same = LambdaLr(|_| 1.0);
        let _ = SequentialLr::new(same).then(3, same).then(3, same);
    }
}
