//! Neural networks: [`Module`] with `#[derive(Module)]`, and the state of networks in memory and in files
//! ([`StateDict`]).
//!
//! It is for defining and saving networks, under PyTorch's names and with its numbers. It is not for training them by
//! itself: steps are taken by `trueno-optim`, batches come from `trueno-data`.
//!
//! ```
//! use trueno_nn::tensor::DynTensor;
//! use trueno_nn::{Module, Param, StateDict};
//!
//! #[derive(Module)]
//! struct Affine {
//!     weight: Param<2>,
//!     bias: Option<Param<1>>,
//! }
//!
//! let weight = Param::from_dyn(DynTensor::zeros(&[2, 3], trueno_core::DType::F32)?)?;
//! let mut affine = Affine { weight, bias: None };
//! assert_eq!(affine.num_parameters(), 6);
//!
//! let saved = affine.state_dict();
//! affine.load_state_dict(&saved, true)?;
//! # Ok::<(), trueno_core::Error>(())
//! ```
#![forbid(unsafe_code)]

// Lets `#[derive(Module)]` be used in this crate itself, under the name that users see.
extern crate self as trueno_nn;

pub mod module;
mod param;
mod state;
mod tuples;

pub use module::{Module, Scoped, Visitor, VisitorMut};
pub use param::Param;
pub use state::{Incompatible, RngState, StateDict};
pub use trueno_core::Rng;
pub use trueno_nn_derive::Module;
pub use trueno_tensor as tensor;
