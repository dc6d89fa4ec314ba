//! Gradient clipping.

use trueno_autograd::Gradients;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Result};

/// Scales all gradients by one factor so that their joint L2 norm is at most `max_norm`, and returns the norm they had
/// (PyTorch's `clip_grad_norm_`).
///
/// # Errors
/// [`trueno_core::Error::OutOfMemory`].
pub fn clip_grad_norm(gradients: &mut Gradients, max_norm: f64) -> Result<f64> {
    let mut squares = 0.0;
    for gradient in gradients.iter() {
        let norm = gradient.reduce(ReduceOp::NormL2, &gradient.all_axes(), false, 0.0)?;
        let norm: f64 = norm.cast(DType::F64)?.item()?;
        squares += norm * norm;
    }
    let total = squares.sqrt();
    let factor = max_norm / (total + 1e-6);
    // A NaN factor spreads, as in PyTorch: a run that has diverged should show it.
    if factor < 1.0 || factor.is_nan() {
        gradients.try_map(|gradient| gradient.binary_scalar(BinaryOp::Mul, factor))?;
    }
    Ok(total)
}

/// Limits every element of every gradient to `[-limit, limit]` (PyTorch's `clip_grad_value_`).
///
/// # Errors
/// [`trueno_core::Error::OutOfMemory`].
pub fn clip_grad_value(gradients: &mut Gradients, limit: f64) -> Result<()> {
    gradients.try_map(|gradient| gradient.unary(UnaryOp::Clamp, [-limit, limit]))
}
