//! Fused backward kernels: gradients that one pass computes, for a tape that does not record.
//!
//! Each equals the gradient composed of recorded operations; `trueno-autograd` takes that one when it
//! needs gradients of gradients.

use super::elementwise;
use crate::DynTensor;
use trueno_core::Result;
use trueno_core::table::UnaryOp;

/// The gradient of a row of the unary table by its operand, from what the row saves
/// ([`UnaryOp::saves`]; pass `g` itself where that is nothing) and the gradient `g` by its result.
///
/// # Errors
/// As the operation itself.
pub fn unary(op: UnaryOp, parameters: [f64; 2], saved: &DynTensor, g: &DynTensor) -> Result<DynTensor> {
    elementwise::unary_grad(op, parameters, saved, g)
}
