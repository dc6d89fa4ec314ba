//! Adadelta.

use crate::adam::mean_square;
use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// Adadelta (Zeiler, 2012; PyTorch's `Adadelta`): gradients over the root of their mean square times that of the steps before, so that
    /// steps have the parameter's unit and no rate must be found.
    ///
    /// With `d = g + weight_decay * p` and `v = rho * v + (1 - rho) * d^2`, the change is `c = sqrt(u + eps) / sqrt(v + eps) * d`, then
    /// `u = rho * u + (1 - rho) * c^2`, and `p -= lr * c`.
    ///
    /// ```
    /// use trueno_autograd::Backward;
    /// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
    /// use trueno_optim::{Adadelta, AdadeltaConfig};
    /// use trueno_tensor::prelude::*;
    ///
    /// let (x, y): (Tensor<f32, 2>, Tensor<f32, 2>) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
    /// let mut net = Linear::new(1, 1, &mut Rng::seed(0));
    /// // The first steps are about the root of `eps`.
    /// let mut optimizer = Adadelta::new(&net, AdadeltaConfig { eps: 1e-4, ..Default::default() });
    /// let loss = |net: &Linear| mse_loss(&net.forward(&x, Mode::Train), &y);
    /// let before = loss(&net).item();
    /// for _ in 0..500 {
    ///     let gradients = loss(&net).backward();
    ///     optimizer.step(&mut net, &gradients);
    /// }
    /// // It comes near and then steps about, for nothing lowers its rate.
    /// assert!(loss(&net).item() < 0.1 * before);
    /// ```
    Adadelta, "Adadelta";
    /// Hyperparameters of [`Adadelta`]; the defaults are PyTorch's.
    AdadeltaConfig {
        /// What changes are multiplied by. Default: 1.
        lr: f64 = 1.0;
        /// Decay of the running means of squared gradients and of squared changes. Default: 0.9.
        rho: f64 = 0.9, "rho" in 0.0..1.0 + f64::EPSILON;
        /// Added to both means. Default: 1e-6.
        eps: f64 = 1e-6;
        /// L2 penalty. Default: 0.
        weight_decay: f64 = 0.0;
    }
}

impl Update for AdadeltaConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        vec![("square_avg", 0.0), ("acc_delta", 0.0)]
    }

    fn step(&self, _: u64, _: &mut [f64]) -> Step {
        Step::new([], [self.lr, self.rho, 1.0 - self.rho, self.eps, self.weight_decay])
    }

    #[inline(always)]
    fn update<M: Math>(_: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [lr, rho, fresh, eps, weight_decay, ..] = numbers;
        let g = g + p * weight_decay;
        state[0] = mean_square(state[0], g, rho, fresh);
        let change = (state[1] + eps).sqrt() / (state[0] + eps).sqrt() * g;
        state[1] = mean_square(state[1], change, rho, fresh);
        p - change * lr
    }
}
