//! Trueno under one name: arrays, automatic differentiation, neural networks and training.
//!
//! It is for applications. Libraries that need one part only take that crate (`trueno-tensor`, `trueno-autograd`, ...).
//!
//! ```
//! use trueno::tensor::DynTensor;
//! let x = DynTensor::from_slice(&[1.0_f32, 2.0], &[2])?;
//! assert_eq!(x.shape(), [2]);
//! # Ok::<(), trueno::Error>(())
//! ```
#![forbid(unsafe_code)]

pub use trueno_autograd as autograd;
pub use trueno_core::{DType, Error, Result};
pub use trueno_tensor as tensor;
