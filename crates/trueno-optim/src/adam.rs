//! Adam and AdamW, and what other rules share with them.

use crate::rule::rule;
use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};

/// `1 - decay^steps`: what the running mean of a constant has reached, in shares of that constant, after so many steps from 0.
pub(crate) fn correction(decay: f64, steps: u64) -> f64 {
    1.0 - decay.pow(steps as f64)
}

/// What a parameter keeps of itself in a step, and what it adds to its gradient: weight decay, decoupled from the gradient or a penalty.
pub(crate) fn decay(lr: f64, weight_decay: f64, decoupled: bool) -> [f64; 2] {
    if decoupled { [1.0 - lr * weight_decay, 0.0] } else { [1.0, weight_decay] }
}

/// The running mean `mean` with `g` taken in at a weight of `fresh`.
#[inline(always)]
pub(crate) fn mean<M: Math>(mean: M, g: M, fresh: M) -> M {
    mean + (g - mean) * fresh
}

/// The running mean of squares `square`, which decays by `keep`, with the square of `g` taken in at a weight of `fresh`.
#[inline(always)]
pub(crate) fn mean_square<M: Math>(square: M, g: M, keep: M, fresh: M) -> M {
    square * keep + g * g * fresh
}

/// Adam and AdamW differ in their names, their defaults and in what `weight_decay` acts on.
macro_rules! adam_like {
    ($(#[$about:meta])* $optimizer:ident, $name:literal, $config:ident, $decoupled:literal, $(#[$decay_doc:meta])* $decay:literal) => {
        rule! {
            $(#[$about])*
            $optimizer, $name;
            #[doc = concat!("Hyperparameters of [`", stringify!($optimizer), "`]; the defaults are PyTorch's.")]
            $config {
                /// Learning rate. Default: 0.001.
                lr: f64 = 1e-3;
                /// Decays of the running means of gradients and of squared gradients. Default: 0.9 and 0.999.
                betas: (f64, f64) = (0.9, 0.999), "beta1" in 0.0..1.0, "beta2" in 0.0..1.0;
                /// Added to the denominator. Default: 1e-8.
                eps: f64 = 1e-8;
                $(#[$decay_doc])*
                weight_decay: f64 = $decay;
                /// Whether the largest mean of squares so far is used (Reddi et al., 2018). Default: no.
                amsgrad: bool = false;
            }
        }

        impl Update for $config {
            fn state(&self) -> Vec<(&'static str, f64)> {
                let mut state = vec![("exp_avg", 0.0), ("exp_avg_sq", 0.0)];
                state.extend(self.amsgrad.then_some(("max_exp_avg_sq", 0.0)));
                state
            }

            fn step(&self, number: u64, _: &mut [f64]) -> Step {
                let (beta1, beta2) = self.betas;
                let [keep, penalty] = decay(self.lr, self.weight_decay, $decoupled);
                let step_size = self.lr / correction(beta1, number);
                let root_correction = correction(beta2, number).sqrt();
                Step::new(
                    [],
                    [keep, penalty, 1.0 - beta1, beta2, 1.0 - beta2, root_correction, self.eps, step_size],
                )
            }

            #[inline(always)]
            fn update<M: Math>(_: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M {
                let [keep, penalty, fresh1, beta2, fresh2, root_correction, eps, step_size, ..] = numbers;
                let p = p * keep;
                let g = g + p * penalty;
                state[0] = mean(state[0], g, fresh1);
                state[1] = mean_square(state[1], g, beta2, fresh2);
                let mut square = state[1];
                if let [_, _, largest] = state {
                    *largest = largest.max(square);
                    square = *largest;
                }
                p - state[0] / (square.sqrt() / root_correction + eps) * step_size
            }
        }
    };
}

adam_like! {
    /// Adam (Kingma and Ba, 2014; PyTorch's `Adam`): steps scaled by running moments of the gradient; weight decay is an L2 penalty.
    ///
    /// With `d = g + weight_decay * p`, the means `m = beta1 * m + (1 - beta1) * d` and `v = beta2 * v + (1 - beta2) * d^2`, and at step `t`
    /// `p -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)`.
    Adam, "Adam", AdamConfig, false,
    /// L2 penalty. Default: 0.
    0.0
}

adam_like! {
    /// AdamW (Loshchilov and Hutter, 2017; PyTorch's `AdamW`): [`Adam`] whose weight decay acts on the parameter itself,
    /// `p -= lr * weight_decay * p`.
    AdamW, "AdamW", AdamWConfig, true,
    /// Weight decay. Default: 0.01.
    0.01
}
