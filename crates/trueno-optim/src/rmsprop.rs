//! RMSprop.

use crate::adam::{mean, mean_square};
use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// RMSprop (Hinton's lectures on neural networks, 6e, 2012; centered: Graves, 2013; PyTorch's `RMSprop`): steps over the root of a
    /// running mean of squared gradients.
    ///
    /// With `d = g + weight_decay * p` and `v = alpha * v + (1 - alpha) * d^2`, `p -= lr * d / (sqrt(v) + eps)`. With `momentum` the
    /// quotient enters a velocity, `b = momentum * b + d / (sqrt(v) + eps)`, and `p -= lr * b`. With `centered` the root is that of
    /// `v - m^2`, where `m` is the running mean of `d`.
    ///
    /// ```
    /// use trueno_autograd::Backward;
    /// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
    /// use trueno_optim::{RmsProp, RmsPropConfig};
    /// use trueno_tensor::prelude::*;
    ///
    /// let (x, y): (Tensor<f32, 2>, Tensor<f32, 2>) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
    /// let mut net = Linear::new(1, 1, &mut Rng::seed(0));
    /// let mut optimizer = RmsProp::new(&net, RmsPropConfig { lr: 0.02, momentum: 0.5, ..Default::default() });
    /// let loss = |net: &Linear| mse_loss(&net.forward(&x, Mode::Train), &y);
    /// for _ in 0..300 {
    ///     let gradients = loss(&net).backward();
    ///     optimizer.step(&mut net, &gradients);
    /// }
    /// assert!(loss(&net).item() < 1e-2);
    /// ```
    RmsProp, "RMSprop";
    /// Hyperparameters of [`RmsProp`]; the defaults are PyTorch's.
    RmsPropConfig {
        /// Learning rate. Default: 0.01.
        lr: f64 = 1e-2;
        /// Decay of the running means. Default: 0.99.
        alpha: f64 = 0.99;
        /// Added to the denominator. Default: 1e-8.
        eps: f64 = 1e-8;
        /// L2 penalty. Default: 0.
        weight_decay: f64 = 0.0;
        /// Momentum factor, 0 for none. Default: 0.
        momentum: f64 = 0.0;
        /// Whether gradients are scaled by their deviation from their mean instead of their size. Default: no.
        centered: bool = false;
    }
}

impl Update for RmsPropConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        let mut state = vec![("square_avg", 0.0)];
        state.extend(self.centered.then_some(("grad_avg", 0.0)));
        state.extend((self.momentum > 0.0).then_some(("momentum_buffer", 0.0)));
        state
    }

    fn step(&self, _: u64, _: &mut [f64]) -> Step {
        let flags = [self.centered, self.momentum > 0.0];
        Step::new(flags, [self.lr, self.alpha, 1.0 - self.alpha, self.eps, self.weight_decay, self.momentum])
    }

    #[inline(always)]
    fn update<M: Math>([centered, moving]: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [lr, alpha, fresh, eps, weight_decay, momentum, ..] = numbers;
        let g = g + p * weight_decay;
        state[0] = mean_square(state[0], g, alpha, fresh);
        let mut square = state[0];
        if centered {
            state[1] = mean(state[1], g, fresh);
            square = square - state[1] * state[1];
        }
        let mut direction = g / (square.sqrt() + eps);
        if moving {
            let last = state.len() - 1;
            state[last] = state[last] * momentum + direction;
            direction = state[last];
        }
        p - direction * lr
    }
}
