//! Stochastic gradient descent.

use crate::{Optimizer, Rule};
#[cfg(feature = "gpu")]
use trueno_core::Result;
use trueno_kernels::optim::{SgdStep, sgd};
use trueno_kernels::simd::Real;

/// Stochastic gradient descent with momentum, Nesterov's variant and weight decay (PyTorch's `SGD`).
///
/// With `d = g + weight_decay * p`, the velocity is `v = momentum * v + (1 - dampening) * d` (at the first step
/// `v = d`), and `p -= lr * v`, or with `nesterov` `p -= lr * (d + momentum * v)`.
pub type Sgd = Optimizer<SgdConfig>;

/// Hyperparameters of [`Sgd`]; the defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdConfig {
    /// Learning rate.
    pub lr: f64,
    /// Momentum factor, 0 for none.
    pub momentum: f64,
    /// Share of the gradient that does not enter the velocity.
    pub dampening: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Whether steps look ahead along the velocity.
    pub nesterov: bool,
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig { lr: 1e-3, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false }
    }
}

impl Rule for SgdConfig {
    const NAME: &'static str = "SGD";

    fn state(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }
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
            ("momentum", self.momentum),
            ("dampening", self.dampening),
            ("weight_decay", self.weight_decay),
            ("nesterov", f64::from(u8::from(self.nesterov))),
        ]
    }

    fn set_hyperparameter(&mut self, name: &str, value: f64) {
        match name {
            "lr" => self.lr = value,
            "momentum" => self.momentum = value,
            "dampening" => self.dampening = value,
            "weight_decay" => self.weight_decay = value,
            "nesterov" => self.nesterov = value != 0.0,
            _ => {}
        }
    }

    fn update<T: Real>(&self, step: u64, parameter: &mut [T], grad: &[T], state: &mut [&mut [T]]) {
        let velocity = state.first_mut().map_or(&mut [][..], |velocity| &mut **velocity);
        sgd(trueno_tensor::isa(), self.kernel(step), parameter, grad, velocity);
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
        let velocity = state.first_mut().map(|velocity| &mut **velocity);
        trueno_gpu::optim::sgd(&self.kernel(step), parameter, grad, velocity, factor)
    }
}

impl SgdConfig {
    /// What the kernel is told at a step.
    fn kernel(&self, step: u64) -> SgdStep {
        let SgdConfig { lr, momentum, dampening, weight_decay, nesterov } = *self;
        SgdStep { lr, momentum, dampening, weight_decay, nesterov, first: step == 1 }
    }
}
