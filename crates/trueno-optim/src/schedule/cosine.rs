//! Rates along cosines.

use super::Schedule;
use std::f64::consts::PI;

/// Along half a cosine from `from` to `to`; `share` goes from 0 to 1.
fn anneal(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * share).cos()) / 2.0
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
        anneal(base, self.eta_min, epoch as f64 / self.t_max.max(1) as f64)
    }
}

/// Descents along half a cosine that begin anew at the base rate, each `t_mult` times as long as the last (SGDR, Loshchilov
/// and Hutter, 2016; PyTorch's `CosineAnnealingWarmRestarts`).
///
/// ```
/// use trueno_optim::{CosineAnnealingWarmRestarts, Schedule};
/// let schedule = CosineAnnealingWarmRestarts { t_0: 10, ..Default::default() };
/// assert_eq!(schedule.learning_rate(0.1, 10), 0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineAnnealingWarmRestarts {
    /// Epochs of the first descent; 0 counts as 1.
    pub t_0: u64,
    /// How many times longer the next one is; 0 counts as 1.
    pub t_mult: u64,
    /// The lowest rate.
    pub eta_min: f64,
}

impl Default for CosineAnnealingWarmRestarts {
    /// Descents of ten epochs to 0.
    fn default() -> Self {
        CosineAnnealingWarmRestarts { t_0: 10, t_mult: 1, eta_min: 0.0 }
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    fn learning_rate(&self, base: f64, epoch: u64) -> f64 {
        let (mut length, mut into) = (self.t_0.max(1), epoch);
        if self.t_mult <= 1 {
            into %= length;
        }
        // Lengths grow at least twofold, so few descents came before any epoch.
        while into >= length {
            into -= length;
            length = length.saturating_mul(self.t_mult);
        }
        anneal(base, self.eta_min, into as f64 / length as f64)
    }
}

/// Up from `max_lr / div_factor` to `max_lr`, then down to far less than it began with, along cosines; counted in
/// steps (Smith and Topin, 2017; PyTorch's `OneCycleLR`, of which it changes the rate alone, not the momentum).
///
/// It has rates of its own: the optimizer's does not matter. Steps from `total_steps` on have the last rate.
///
/// ```
/// use trueno_optim::{OneCycleLr, Schedule};
/// let schedule = OneCycleLr { max_lr: 0.1, total_steps: 101, ..Default::default() };
/// assert!((schedule.learning_rate(1.0, 0) - 0.1 / 25.0).abs() < 1e-12);
/// assert!((schedule.learning_rate(1.0, 30) - 0.1).abs() < 1e-3);
/// assert!(schedule.learning_rate(1.0, 100) < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycleLr {
    /// The highest rate.
    pub max_lr: f64,
    /// Steps of the whole cycle.
    pub total_steps: u64,
    /// Share of them in which the rate rises.
    pub pct_start: f64,
    /// The highest rate over the first.
    pub div_factor: f64,
    /// The first rate over the last.
    pub final_div_factor: f64,
    /// Whether the rate falls back to the first in as many steps as it rose, and only then to the last.
    pub three_phase: bool,
}

impl Default for OneCycleLr {
    /// PyTorch's settings; `max_lr` and `total_steps` have to be given.
    fn default() -> Self {
        OneCycleLr {
            max_lr: 0.1,
            total_steps: 1,
            pct_start: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }
}

impl Schedule for OneCycleLr {
    fn learning_rate(&self, _: f64, step: u64) -> f64 {
        let first = self.max_lr / self.div_factor;
        let last = first / self.final_div_factor;
        let total = self.total_steps as f64;
        let (top, end) = (self.pct_start * total - 1.0, total - 1.0);
        // Rates at the ends of each phase, and the step at which it ends.
        let back = if self.three_phase { 2.0 * self.pct_start * total - 2.0 } else { top };
        let phases = [(first, self.max_lr, top), (self.max_lr, first, back), (first, last, end)];
        let two = [(first, self.max_lr, top), (self.max_lr, last, end)];
        let phases: &[_] = if self.three_phase { &phases } else { &two };
        let (step, mut began) = (step as f64, 0.0);
        for &(from, to, ends) in phases {
            if step <= ends {
                return anneal(from, to, (step - began) / (ends - began));
            }
            began = ends;
        }
        last
    }
}
