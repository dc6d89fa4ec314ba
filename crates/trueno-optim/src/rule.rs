//! What tells one optimizer from another.

use trueno_core::{Error, Result};
use trueno_kernels::simd::Real;

/// The hyperparameters of an optimizer, and its update rule for one parameter.
///
/// [`Optimizer`](crate::Optimizer) does what is common: it finds parameters and gradients, keeps state,
/// counts steps, saves and loads.
pub trait Rule: Clone + Send + Sync + 'static {
    /// The optimizer's name, as PyTorch spells it.
    const NAME: &'static str;

    /// Names of what is kept per element of a parameter with these hyperparameters, as PyTorch's `state_dict` spells
    /// them. Nothing else is allocated or saved.
    fn state(&self) -> &'static [&'static str];

    /// The learning rate.
    fn learning_rate(&self) -> f64;

    /// Changes the learning rate.
    fn set_learning_rate(&mut self, lr: f64);

    /// Every hyperparameter by PyTorch's name; a flag is 0 or 1.
    fn hyperparameters(&self) -> Vec<(&'static str, f64)>;

    /// Changes a hyperparameter by name. Unknown names are ignored, so that newer files load.
    fn set_hyperparameter(&mut self, name: &str, value: f64);

    /// One step (number `step`, from 1) of part of a parameter; `state` has a slice per name in [`Rule::state`].
    ///
    /// Parts are stepped in any order and by several threads, so an element's step must depend on nothing but that element.
    /// Parameters in half precision come in `f32`, and are rounded afterwards.
    fn update<T: Real>(&self, step: u64, parameter: &mut [T], grad: &[T], state: &mut [&mut [T]]);

    /// The same step of a whole parameter on a GPU, along the gradient times `factor`, which has one element, if there is one.
    ///
    /// # Errors
    /// [`Error::Device`] from a rule that has no kernel there, and for what the device refuses.
    #[cfg(feature = "gpu")]
    fn update_on_gpu(
        &self,
        step: u64,
        parameter: &mut trueno_gpu::Buffer,
        grad: &trueno_gpu::View<'_>,
        state: &mut [&mut trueno_gpu::Buffer],
        factor: Option<&trueno_gpu::Buffer>,
    ) -> Result<()> {
        let _ = (step, grad, state, factor);
        let device = parameter.device().info().to_string();
        let reason = "this optimizer has no kernel for GPUs; train on the processor";
        Err(Error::Device { op: Self::NAME, device, reason: reason.into() })
    }
}

/// Refuses a hyperparameter outside `[low, high)`.
pub(crate) fn require(op: &'static str, name: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..high).contains(&value) {
        return Ok(());
    }
    let reason = format!("{name} = {value} is outside [{low}, {high})");
    Err(Error::Argument { op, reason: reason.into() })
}

/// Refuses hyperparameters that PyTorch refuses: negative rates, decays outside `[0, 1)`.
pub(crate) fn check<R: Rule>(rule: &R) -> Result<()> {
    for (name, value) in rule.hyperparameters() {
        let high = if matches!(name, "beta1" | "beta2") { 1.0 } else { f64::INFINITY };
        require(R::NAME, name, value, 0.0, high)?;
    }
    Ok(())
}
