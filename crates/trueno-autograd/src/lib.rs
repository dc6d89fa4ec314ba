//! Automatic differentiation: gradients of whatever is computed with tensors, by whatever it is computed from.
//!
//! It is for training, and for gradients in general: reverse mode, of any order, of every operation of the table.
//! It is not for building networks; layers and parameters are in `trueno-nn`.
//!
//! A leaf ([`Autograd::requires_grad`]) makes the operations that follow it record themselves; a backward pass from the
//! result gives the gradients and releases the record as it goes.
//!
//! ```
//! use trueno_autograd::prelude::*;
//! use trueno_tensor::prelude::*;
//!
//! let x = tensor![1.0, 2.0, 3.0].requires_grad();
//! (&x * &x).sum().backward(); // only a value of rank 0 has `backward()`
//! assert_eq!(x.grad().unwrap(), tensor![2.0, 4.0, 6.0]);
//! ```
//!
//! Other ranks need a seed, the gradient by the value itself; without one they do not compile:
//!
//! ```compile_fail
//! # use trueno_autograd::prelude::*;
//! # use trueno_tensor::prelude::*;
//! let x = tensor![1.0, 2.0, 3.0].requires_grad();
//! (&x * &x).backward();
//! ```
//!
//! A graph that was cut is an error, never a silent zero:
//!
//! ```
//! # use trueno_autograd::prelude::*;
//! # use trueno_tensor::prelude::*;
//! let x = tensor![1.0, 2.0].requires_grad();
//! let error = x.detach().sum().try_backward(Default::default()).unwrap_err();
//! assert!(error.to_string().contains("no path to a leaf"));
//! ```
#![forbid(unsafe_code)]

mod backward;
mod checkpoint;
mod gradcheck;
mod gradients;
mod keeps;
mod mode;
mod reads;
mod replay;
mod rules;
mod tensor;
mod traced;
mod variable;
mod walk;

pub use backward::{GradOptions, grad, grads};
pub use checkpoint::checkpoint;
pub use gradcheck::{GradcheckOptions, gradcheck, gradgradcheck};
pub use gradients::Gradients;
pub use mode::{enable_grad, is_grad_enabled, no_grad};
pub use replay::{draw_once, is_recomputing};
pub use tensor::{Autograd, Backward, HookHandle, RankZero};
pub use walk::BackwardOptions;

/// What programs that take gradients import.
pub mod prelude {
    pub use crate::{Autograd, Backward, BackwardOptions, Gradients, enable_grad, no_grad};
}
