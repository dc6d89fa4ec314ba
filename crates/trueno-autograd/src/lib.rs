//! Automatic differentiation: gradients of whatever is computed with tensors, by whatever it is computed from.
//!
//! It is for training, and for gradients in general: reverse mode, of any order, of every operation of the table.
//! It is not for building networks; layers and parameters are in `trueno-nn`.
//!
//! A leaf ([`Autograd::requires_grad`]) makes the operations that follow it record themselves; a backward pass from the
//! result gives the gradients and releases the record as it goes.
//!
//! ```
//! use trueno_autograd::{Autograd, Backward};
//! use trueno_core::table::{BinaryOp, ReduceOp};
//! use trueno_tensor::DynTensor;
//!
//! let x = DynTensor::from_slice(&[1.0_f32, 2.0, 3.0], &[3])?.requires_grad();
//! let y = x.binary(BinaryOp::Mul, &x)?.reduce(ReduceOp::Sum, &[0], false, 0.0)?;
//! y.backward();
//! assert_eq!(x.grad().unwrap().to_vec::<f32>()?, [2.0, 4.0, 6.0]);
//! # Ok::<(), trueno_core::Error>(())
//! ```
//!
//! A graph that was cut is an error, never a silent zero:
//!
//! ```
//! # use trueno_autograd::{Autograd, Backward};
//! # use trueno_tensor::DynTensor;
//! let x = DynTensor::scalar(1.0_f32)?.requires_grad();
//! let error = x.detach().try_backward(Default::default()).unwrap_err();
//! assert!(error.to_string().contains("no path to a leaf"));
//! # Ok::<(), trueno_core::Error>(())
//! ```
#![forbid(unsafe_code)]

mod backward;
mod checkpoint;
mod gradcheck;
mod gradients;
mod keeps;
mod mode;
mod reads;
mod rules;
mod tensor;
mod traced;
mod variable;
mod walk;

pub use backward::{GradOptions, grad};
pub use checkpoint::checkpoint;
pub use gradcheck::{GradcheckOptions, gradcheck, gradgradcheck};
pub use gradients::Gradients;
pub use mode::{enable_grad, is_grad_enabled, no_grad};
pub use tensor::{Autograd, Backward, HookHandle};
pub use walk::BackwardOptions;
