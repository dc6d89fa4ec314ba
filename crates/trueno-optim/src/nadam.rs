//! NAdam.

use crate::adam::{correction, decay, mean, mean_square};
use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// NAdam (Dozat, 2016; PyTorch's `NAdam`): Adam that looks ahead along its mean, as Nesterov's momentum does.
    ///
    /// With `d = g + weight_decay * p`, `m` and `v` as in [`Adam`](crate::Adam), and the momentum of step `t`
    /// `mu(t) = beta1 * (1 - 0.96^(t * momentum_decay) / 2)`, whose product up to step `t` is `w(t)`, the direction is
    /// `(1 - mu(t)) / (1 - w(t)) * d + mu(t + 1) / (1 - w(t + 1)) * m`, and `p -= lr * direction / (sqrt(v / (1 - beta2^t)) + eps)`.
    ///
    /// ```
    /// use trueno_autograd::Backward;
    /// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
    /// use trueno_optim::{NAdam, NAdamConfig};
    /// use trueno_tensor::prelude::*;
    ///
    /// let (x, y): (Tensor<f32, 2>, Tensor<f32, 2>) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
    /// let mut net = Linear::new(1, 1, &mut Rng::seed(0));
    /// let mut optimizer = NAdam::new(&net, NAdamConfig { lr: 0.05, ..Default::default() });
    /// let loss = |net: &Linear| mse_loss(&net.forward(&x, Mode::Train), &y);
    /// for _ in 0..300 {
    ///     let gradients = loss(&net).backward();
    ///     optimizer.step(&mut net, &gradients);
    /// }
    /// assert!(loss(&net).item() < 1e-2);
    /// ```
    NAdam, "NAdam";
    /// Hyperparameters of [`NAdam`]; the defaults are PyTorch's.
    NAdamConfig {
        /// Learning rate. Default: 0.002.
        lr: f64 = 2e-3;
        /// Decays of the running means of gradients and of squared gradients. Default: 0.9 and 0.999.
        betas: (f64, f64) = (0.9, 0.999), "beta1" in 0.0..1.0, "beta2" in 0.0..1.0;
        /// Added to the denominator. Default: 1e-8.
        eps: f64 = 1e-8;
        /// L2 penalty, or with `decoupled_weight_decay` decay of the parameter itself. Default: 0.
        weight_decay: f64 = 0.0;
        /// How fast the momentum grows from half of `beta1` towards it. Default: 0.004.
        momentum_decay: f64 = 4e-3;
        /// Whether weight decay acts on the parameter itself, as in [`AdamW`](crate::AdamW). Default: no.
        decoupled_weight_decay: bool = false;
    }
}

impl NAdamConfig {
    fn momentum(&self, number: u64) -> f64 {
        self.betas.0 * (1.0 - 0.5 * 0.96_f64.pow(number as f64 * self.momentum_decay))
    }
}

impl Update for NAdamConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        vec![("exp_avg", 0.0), ("exp_avg_sq", 0.0)]
    }

    fn counters(&self) -> &'static [(&'static str, f64)] {
        &[("mu_product", 1.0)]
    }

    fn step(&self, number: u64, counters: &mut [f64]) -> Step {
        let (beta1, beta2) = self.betas;
        let [keep, penalty] = decay(self.lr, self.weight_decay, self.decoupled_weight_decay);
        let (now, next) = (self.momentum(number), self.momentum(number + 1));
        counters[0] *= now;
        let of_gradient = self.lr * (1.0 - now) / (1.0 - counters[0]);
        let of_mean = self.lr * next / (1.0 - counters[0] * next);
        let correction = correction(beta2, number);
        Step::new([], [keep, penalty, 1.0 - beta1, beta2, 1.0 - beta2, correction, self.eps, of_gradient, of_mean])
    }

    #[inline(always)]
    fn update<M: Math>(_: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [keep, penalty, fresh1, beta2, fresh2, correction, eps, of_gradient, of_mean, ..] = numbers;
        let p = p * keep;
        let g = g + p * penalty;
        state[0] = mean(state[0], g, fresh1);
        state[1] = mean_square(state[1], g, beta2, fresh2);
        p - (g * of_gradient + state[0] * of_mean) / ((state[1] / correction).sqrt() + eps)
    }
}
