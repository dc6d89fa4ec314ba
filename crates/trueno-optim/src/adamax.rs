//! Adamax.

use crate::adam::{correction, mean};
use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// Adamax (Kingma and Ba, 2014, section 7; PyTorch's `Adamax`): Adam over the largest gradient, which fades, instead of the mean square.
    ///
    /// With `d = g + weight_decay * p`, `m = beta1 * m + (1 - beta1) * d` and `u = max(beta2 * u, |d| + eps)`, at step `t`
    /// `p -= lr / (1 - beta1^t) * m / u`.
    ///
    /// ```
    /// use trueno_autograd::Backward;
    /// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
    /// use trueno_optim::{Adamax, AdamaxConfig};
    /// use trueno_tensor::prelude::*;
    ///
    /// let (x, y): (Tensor<f32, 2>, Tensor<f32, 2>) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
    /// let mut net = Linear::new(1, 1, &mut Rng::seed(0));
    /// let mut optimizer = Adamax::new(&net, AdamaxConfig { lr: 0.05, ..Default::default() });
    /// let loss = |net: &Linear| mse_loss(&net.forward(&x, Mode::Train), &y);
    /// for _ in 0..300 {
    ///     let gradients = loss(&net).backward();
    ///     optimizer.step(&mut net, &gradients);
    /// }
    /// assert!(loss(&net).item() < 1e-2);
    /// ```
    Adamax, "Adamax";
    /// Hyperparameters of [`Adamax`]; the defaults are PyTorch's.
    AdamaxConfig {
        /// Learning rate. Default: 0.002.
        lr: f64 = 2e-3;
        /// Decays of the running mean of gradients and of the largest gradient. Default: 0.9 and 0.999.
        betas: (f64, f64) = (0.9, 0.999), "beta1" in 0.0..1.0, "beta2" in 0.0..1.0;
        /// Added to the sizes of gradients. Default: 1e-8.
        eps: f64 = 1e-8;
        /// L2 penalty. Default: 0.
        weight_decay: f64 = 0.0;
    }
}

impl Update for AdamaxConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        vec![("exp_avg", 0.0), ("exp_inf", 0.0)]
    }

    fn step(&self, number: u64, _: &mut [f64]) -> Step {
        let (beta1, beta2) = self.betas;
        Step::new([], [self.lr / correction(beta1, number), 1.0 - beta1, beta2, self.eps, self.weight_decay])
    }

    #[inline(always)]
    fn update<M: Math>(_: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [step_size, fresh, beta2, eps, weight_decay, ..] = numbers;
        let g = g + p * weight_decay;
        state[0] = mean(state[0], g, fresh);
        state[1] = (state[1] * beta2).max(g.abs() + eps);
        p - state[0] / state[1] * step_size
    }
}
