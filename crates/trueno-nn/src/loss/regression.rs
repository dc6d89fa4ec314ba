//! Distances between numbers.

use super::{Reduction, elementwise_losses};
use trueno_core::Float;
use trueno_core::table::{BinaryOp, UnaryOp};
use trueno_tensor::{DynTensor, Tensor};

elementwise_losses! {
    /// Squared error, `(input - target)^2`.
    mse_loss: |input, target| input.binary(BinaryOp::Sub, target)?.unary(UnaryOp::Square, [0.0; 2]);
    /// Absolute error, `|input - target|`.
    l1_loss: |input, target| input.binary(BinaryOp::Sub, target)?.unary(UnaryOp::Abs, [0.0; 2]);
}
