//! RAdam.

use crate::adam::{correction, decay, mean, mean_square};
use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// RAdam (Liu et al., 2019; PyTorch's `RAdam`): Adam that does without the mean of squares until that is known well enough, so that it
    /// needs no warm-up.
    ///
    /// With `m` and `v` as in [`Adam`](crate::Adam), `v` is as good at step `t` as an average of
    /// `n = n_max - 2 * t * beta2^t / (1 - beta2^t)` gradients, where `n_max = 2 / (1 - beta2) - 1`. Where `n > 5`,
    /// `p -= lr * r * (m / (1 - beta1^t)) * sqrt(1 - beta2^t) / (sqrt(v) + eps)` with
    /// `r^2 = (n - 4) * (n - 2) * n_max / ((n_max - 4) * (n_max - 2) * n)`; before, `p -= lr * m / (1 - beta1^t)`.
    ///
    /// ```
    /// use trueno_autograd::Backward;
    /// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
    /// use trueno_optim::{RAdam, RAdamConfig};
    /// use trueno_tensor::prelude::*;
    ///
    /// let (x, y): (Tensor<f32, 2>, Tensor<f32, 2>) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
    /// let mut net = Linear::new(1, 1, &mut Rng::seed(0));
    /// let mut optimizer = RAdam::new(&net, RAdamConfig { lr: 0.1, ..Default::default() });
    /// let loss = |net: &Linear| mse_loss(&net.forward(&x, Mode::Train), &y);
    /// for _ in 0..300 {
    ///     let gradients = loss(&net).backward();
    ///     optimizer.step(&mut net, &gradients);
    /// }
    /// assert!(loss(&net).item() < 1e-2);
    /// ```
    RAdam, "RAdam";
    /// Hyperparameters of [`RAdam`]; the defaults are PyTorch's.
    RAdamConfig {
        /// Learning rate. Default: 0.001.
        lr: f64 = 1e-3;
        /// Decays of the running means of gradients and of squared gradients. Default: 0.9 and 0.999.
        betas: (f64, f64) = (0.9, 0.999), "beta1" in 0.0..1.0, "beta2" in 0.0..1.0;
        /// Added to the denominator. Default: 1e-8.
        eps: f64 = 1e-8;
        /// L2 penalty, or with `decoupled_weight_decay` decay of the parameter itself. Default: 0.
        weight_decay: f64 = 0.0;
        /// Whether weight decay acts on the parameter itself, as in [`AdamW`](crate::AdamW). Default: no.
        decoupled_weight_decay: bool = false;
    }
}

impl RAdamConfig {
    /// What makes up for a mean of few squares, or nothing if they are too few.
    fn rectification(&self, number: u64) -> Option<f64> {
        let beta2 = self.betas.1;
        let steps = number as f64;
        let most = 2.0 / (1.0 - beta2) - 1.0;
        let length = most - 2.0 * steps * beta2.pow(steps) / correction(beta2, number);
        let square = (length - 4.0) * (length - 2.0) * most / ((most - 4.0) * (most - 2.0) * length);
        (length > 5.0).then(|| square.sqrt())
    }
}

impl Update for RAdamConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        vec![("exp_avg", 0.0), ("exp_avg_sq", 0.0)]
    }

    fn step(&self, number: u64, _: &mut [f64]) -> Step {
        let (beta1, beta2) = self.betas;
        let [keep, penalty] = decay(self.lr, self.weight_decay, self.decoupled_weight_decay);
        let rectification = self.rectification(number);
        let scale = rectification.map_or(1.0, |factor| factor * correction(beta2, number).sqrt());
        let step_size = self.lr / correction(beta1, number) * scale;
        Step::new([rectification.is_some()], [keep, penalty, 1.0 - beta1, beta2, 1.0 - beta2, self.eps, step_size])
    }

    #[inline(always)]
    fn update<M: Math>([rectified, _]: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [keep, penalty, fresh1, beta2, fresh2, eps, step_size, ..] = numbers;
        let p = p * keep;
        let g = g + p * penalty;
        state[0] = mean(state[0], g, fresh1);
        state[1] = mean_square(state[1], g, beta2, fresh2);
        let direction = if rectified { state[0] / (state[1].sqrt() + eps) } else { state[0] };
        p - direction * step_size
    }
}
