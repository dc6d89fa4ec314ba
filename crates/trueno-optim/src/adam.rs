//! Adam and AdamW.

use crate::{Optimizer, Rule};
#[cfg(feature = "gpu")]
use trueno_core::Result;
use trueno_kernels::optim::{AdamState, AdamStep, adam};
use trueno_kernels::simd::Real;

/// Adam (Kingma and Ba, 2014): steps scaled by running moments of the gradient; weight decay is an L2 penalty.
pub type Adam = Optimizer<AdamConfig>;

/// AdamW (Loshchilov and Hutter, 2017): Adam whose weight decay acts on the parameter itself.
pub type AdamW = Optimizer<AdamWConfig>;

macro_rules! adam_like {
    ($(#[$doc:meta])* $config:ident, $name:literal, decay $decay:literal, decoupled $decoupled:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $config {
            /// Learning rate.
            pub lr: f64,
            /// Decays of the running means of gradients and of squared gradients.
            pub betas: (f64, f64),
            /// Added to the denominator.
            pub eps: f64,
            /// Weight decay.
            pub weight_decay: f64,
            /// Whether the largest mean of squares so far is used (Reddi et al., 2018).
            pub amsgrad: bool,
        }

        impl Default for $config {
            fn default() -> Self {
                $config { lr: 1e-3, betas: (0.9, 0.999), eps: 1e-8, weight_decay: $decay, amsgrad: false }
            }
        }

        impl Rule for $config {
            const NAME: &'static str = $name;

            fn state(&self) -> &'static [&'static str] {
                let all = &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
                if self.amsgrad { all } else { &all[..2] }
            }

            fn learning_rate(&self) -> f64 {
                self.lr
            }

            fn set_learning_rate(&mut self, lr: f64) {
                self.lr = lr;
            }

            fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
                vec![
                    ("lr", self.lr),
                    ("beta1", self.betas.0),
                    ("beta2", self.betas.1),
                    ("eps", self.eps),
                    ("weight_decay", self.weight_decay),
                    ("amsgrad", f64::from(u8::from(self.amsgrad))),
                ]
            }

            fn set_hyperparameter(&mut self, name: &str, value: f64) {
                match name {
                    "lr" => self.lr = value,
                    "beta1" => self.betas.0 = value,
                    "beta2" => self.betas.1 = value,
                    "eps" => self.eps = value,
                    "weight_decay" => self.weight_decay = value,
                    "amsgrad" => self.amsgrad = value != 0.0,
                    _ => {}
                }
            }

            fn update<T: Real>(&self, step: u64, parameter: &mut [T], grad: &[T], state: &mut [&mut [T]]) {
                let (mean, square, largest) = match state {
                    [mean, square] => (mean, square, &mut [][..]),
                    [mean, square, largest] => (mean, square, &mut **largest),
                    _ => unreachable!("there is a slice per name in state()"),
                };
                adam(trueno_tensor::isa(), self.kernel(step), parameter, grad, AdamState { mean, square, largest });
            }

            #[cfg(feature = "gpu")]
            fn update_on_gpu(
                &self,
                step: u64,
                parameter: &mut trueno_gpu::Buffer,
                grad: &trueno_gpu::View<'_>,
                state: &mut [&mut trueno_gpu::Buffer],
                factor: Option<&trueno_gpu::Buffer>,
            ) -> Result<()> {
                let (mean, square, largest) = match state {
                    [mean, square] => (mean, square, None),
                    [mean, square, largest] => (mean, square, Some(&mut **largest)),
                    _ => unreachable!("there is a buffer per name in state()"),
                };
                let state = trueno_gpu::optim::AdamState { mean, square, largest };
                trueno_gpu::optim::adam(&self.kernel(step), parameter, grad, state, factor)
            }
        }

        impl $config {
            /// What the kernel is told at a step.
            fn kernel(&self, step: u64) -> AdamStep {
                AdamStep {
                    lr: self.lr,
                    beta1: self.betas.0,
                    beta2: self.betas.1,
                    eps: self.eps,
                    weight_decay: self.weight_decay,
                    decoupled: $decoupled,
                    step,
                    amsgrad: self.amsgrad,
                }
            }
        }
    };
}

adam_like! {
    /// Hyperparameters of [`Adam`]; the defaults are PyTorch's.
    AdamConfig, "Adam", decay 0.0, decoupled false
}

adam_like! {
    /// Hyperparameters of [`AdamW`]; the defaults are PyTorch's.
    AdamWConfig, "AdamW", decay 0.01, decoupled true
}
