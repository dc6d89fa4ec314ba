//! What tells one optimizer from another.

use trueno_core::{Error, Result};

/// The hyperparameters of an optimizer, and its update rule for one parameter.
///
/// [`Optimizer`](crate::Optimizer) does what is common: it finds parameters and gradients, keeps state,
/// counts steps, saves and loads.
pub trait Rule: Clone + Send + 'static {
    /// The optimizer's name, as PyTorch spells it.
    const NAME: &'static str;
    /// Names of what is kept per element of a parameter, as PyTorch's `state_dict` spells them.
    const STATE: &'static [&'static str];

    /// The learning rate.
    fn learning_rate(&self) -> f64;

    /// Changes the learning rate.
    fn set_learning_rate(&mut self, lr: f64);

    /// Every hyperparameter by PyTorch's name; a flag is 0 or 1.
    fn hyperparameters(&self) -> Vec<(&'static str, f64)>;

    /// Changes a hyperparameter by name. Unknown names are ignored, so that newer files load.
    fn set_hyperparameter(&mut self, name: &str, value: f64);

    /// One step (number `step`, from 1) of one parameter; `state` has a slice per name in [`Rule::STATE`].
    fn update(&self, step: u64, parameter: &mut [f32], grad: &[f32], state: &mut [&mut [f32]]);
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
