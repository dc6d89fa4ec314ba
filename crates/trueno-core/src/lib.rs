//! The facts every other Trueno crate agrees on: element types ([`DType`]), shape and stride arithmetic
//! ([`Layout`], [`Conv2dConfig`]), the operation table ([`table`]) with the language its rows are written in ([`math`]), update rules ([`optim`]),
//! counter-based random numbers ([`Philox`]) and the one [`Error`].
//!
//! It is for authors of kernels, backends and bindings. It is not for computing: nothing here
//! touches an array (see `trueno-kernels` for slices, `trueno-tensor` for tensors).
//!
//! `no_std`, needs `alloc`, has no `unsafe`.
//!
//! ```
//! use trueno_core::{Layout, table::UnaryOp};
//!
//! // Shapes: a transpose and a broadcast are new strides over the same memory.
//! let rows = Layout::contiguous(&[3, 1]);
//! let grid = rows.broadcast_to("example", &[3, 4])?;
//! assert_eq!(grid.strides(), [1, 0]);
//!
//! // The table: one row is the value, the derivative and the shader at once.
//! let (value, slope) = UnaryOp::Tanh.eval_with_derivative(0.5, [0.0; 2]);
//! assert!((slope - (1.0 - value * value)).abs() < 1e-15);
//! # Ok::<(), trueno_core::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod conv;
mod dtype;
mod error;
pub mod fuse;
mod layout;
pub mod math;
pub mod optim;
mod random;
pub mod table;
//TABLE

pub use conv::Conv2dConfig;
pub use dtype::{DType, Element, Float, Number};
pub use error::{Error, Result};
pub use half::{bf16, f16};
pub use layout::{Collapsed, Dims, Layout, SliceItem, Strides, broadcast_shapes, dims};
pub use random::Philox;
