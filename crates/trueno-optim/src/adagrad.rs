//! Adagrad.

use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// Adagrad (Duchi et al., 2011; PyTorch's `Adagrad`): steps over the root of the sum of all squared gradients, so that rare features
    /// move further.
    ///
    /// With `d = g + weight_decay * p` and `s = s + d^2`, at step `t` `p -= lr / (1 + (t - 1) * lr_decay) * d / (sqrt(s) + eps)`.
    ///
    /// ```
    /// use trueno_autograd::Backward;
    /// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
    /// use trueno_optim::{Adagrad, AdagradConfig};
    /// use trueno_tensor::prelude::*;
    ///
    /// let (x, y): (Tensor<f32, 2>, Tensor<f32, 2>) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
    /// let mut net = Linear::new(1, 1, &mut Rng::seed(0));
    /// let mut optimizer = Adagrad::new(&net, AdagradConfig { lr: 0.5, ..Default::default() });
    /// let loss = |net: &Linear| mse_loss(&net.forward(&x, Mode::Train), &y);
    /// for _ in 0..300 {
    ///     let gradients = loss(&net).backward();
    ///     optimizer.step(&mut net, &gradients);
    /// }
    /// assert!(loss(&net).item() < 1e-2);
    /// ```
    Adagrad, "Adagrad";
    /// Hyperparameters of [`Adagrad`]; the defaults are PyTorch's.
    AdagradConfig {
        /// Learning rate. Default: 0.01.
        lr: f64 = 1e-2;
        /// How fast the rate falls: at step `t` it is `lr / (1 + (t - 1) * lr_decay)`. Default: 0.
        lr_decay: f64 = 0.0;
        /// L2 penalty. Default: 0.
        weight_decay: f64 = 0.0;
        /// What the sum of squares begins with. Default: 0.
        initial_accumulator_value: f64 = 0.0;
        /// Added to the denominator. Default: 1e-10.
        eps: f64 = 1e-10;
    }
}

impl Update for AdagradConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        vec![("sum", self.initial_accumulator_value)]
    }

    fn step(&self, number: u64, _: &mut [f64]) -> Step {
        let lr = self.lr / (1.0 + (number - 1) as f64 * self.lr_decay);
        Step::new([], [lr, self.eps, self.weight_decay])
    }

    #[inline(always)]
    fn update<M: Math>(_: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [lr, eps, weight_decay, ..] = numbers;
        let g = g + p * weight_decay;
        state[0] = state[0] + g * g;
        p - g / (state[0].sqrt() + eps) * lr
    }
}
