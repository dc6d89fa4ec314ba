//! Rprop.

use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

rule! {
    /// Rprop (Riedmiller and Braun, 1993, without taking steps back; PyTorch's `Rprop`): steps that know nothing of a gradient but its sign,
    /// and grow while it stays. It is for gradients of all data, not of batches.
    ///
    /// Each element has a step size `s`, which begins as `lr`. It is multiplied by the larger of `etas` where the sign of the gradient is that
    /// of the step before, by the smaller where it has turned, and kept within `step_sizes`; `p -= s * sign(g)`, but where the sign has
    /// turned the element stays, and the gradient counts as 0 for the next step.
    ///
    /// ```
    /// use trueno_autograd::Backward;
    /// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
    /// use trueno_optim::{Rprop, RpropConfig};
    /// use trueno_tensor::prelude::*;
    ///
    /// let (x, y): (Tensor<f32, 2>, Tensor<f32, 2>) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
    /// let mut net = Linear::new(1, 1, &mut Rng::seed(0));
    /// let mut optimizer = Rprop::new(&net, RpropConfig::default());
    /// let loss = |net: &Linear| mse_loss(&net.forward(&x, Mode::Train), &y);
    /// for _ in 0..100 {
    ///     let gradients = loss(&net).backward();
    ///     optimizer.step(&mut net, &gradients);
    /// }
    /// assert!(loss(&net).item() < 1e-2);
    /// ```
    Rprop, "Rprop";
    /// Hyperparameters of [`Rprop`]; the defaults are PyTorch's.
    RpropConfig {
        /// What all step sizes begin with; later it means nothing, so schedules do nothing. Default: 0.01.
        lr: f64 = 1e-2;
        /// What step sizes are multiplied by where the sign turns and where it stays. Default: 0.5 and 1.2.
        etas: (f64, f64) = (0.5, 1.2),
            "etaminus" in f64::MIN_POSITIVE..1.0, "etaplus" in 1.0 + f64::EPSILON..f64::INFINITY;
        /// The least and the largest step size. Default: 1e-6 and 50.
        step_sizes: (f64, f64) = (1e-6, 50.0),
            "step_size_min" in 0.0..f64::INFINITY, "step_size_max" in 0.0..f64::INFINITY;
    }
}

impl Update for RpropConfig {
    fn state(&self) -> Vec<(&'static str, f64)> {
        vec![("prev", 0.0), ("step_size", self.lr)]
    }

    fn step(&self, _: u64, _: &mut [f64]) -> Step {
        Step::new([], [self.etas.0, self.etas.1, self.step_sizes.0, self.step_sizes.1])
    }

    #[inline(always)]
    fn update<M: Math>(_: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
        let [etaminus, etaplus, least, most, ..] = numbers;
        let zero = g.lit(0.0);
        let agreement = g * state[0];
        let (stayed, turned) = (agreement.gt(zero), agreement.lt(zero));
        let scale = M::select(stayed, etaplus, M::select(turned, etaminus, g.lit(1.0)));
        let size = (state[1] * scale).max(least).min(most);
        let g = M::select(turned, zero, g);
        state[0] = g;
        state[1] = size;
        // A NaN is its own sign.
        let sign = M::select(g.gt(zero), g.lit(1.0), M::select(g.lt(zero), g.lit(-1.0), g));
        p - sign * size
    }
}
