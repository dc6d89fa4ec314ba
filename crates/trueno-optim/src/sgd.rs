//! Stochastic gradient descent.

use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// Stochastic gradient descent with momentum, Nesterov's variant and weight decay (Sutskever et al., 2013; PyTorch's `SGD`).
    ///
    /// With `d = g + weight_decay * p`, the velocity is `v = momentum * v + (1 - dampening) * d` (at the first step
    /// `v = d`), and `p -= lr * v`, or with `nesterov` `p -= lr * (d + momentum * v)`.
    Sgd, "SGD";
    /// Hyperparameters of [`Sgd`]; the defaults are PyTorch's.
    SgdConfig {
        /// Learning rate. Default: 0.001.
        lr: f64 = 1e-3;
        /// Momentum factor, 0 for none. Default: 0.
        momentum: f64 = 0.0;
        /// Share of the gradient that does not enter the velocity. Default: 0.
        dampening: f64 = 0.0;
        /// L2 penalty. Default: 0.
        weight_decay: f64 = 0.0;
        /// Whether steps look ahead along the velocity. Default: no.
        nesterov: bool = false;
    }
}

impl Update for SgdConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        if self.momentum == 0.0 { vec![] } else { vec![("momentum_buffer", 0.0)] }
    }

    fn step(&self, number: u64, _: &mut [f64]) -> Step {
        let flags = [number == 1, self.nesterov];
        Step::new(flags, [self.lr, self.momentum, 1.0 - self.dampening, self.weight_decay])
    }

    #[inline(always)]
    fn update<M: Math>([first, nesterov]: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [lr, momentum, fresh, weight_decay, ..] = numbers;
        let g = g + p * weight_decay;
        let mut direction = g;
        if let [velocity] = state {
            *velocity = if first { g } else { *velocity * momentum + g * fresh };
            direction = if nesterov { g + *velocity * momentum } else { *velocity };
        }
        p - direction * lr
    }
}
