//! N-dimensional arrays: [`Tensor<T, N>`](Tensor) with element type and rank known at compile time, over one
//! dynamic engine, [`DynTensor`].
//!
//! It is for array work as NumPy does it. It is not for training by itself: gradients come from
//! `trueno-autograd`, layers from `trueno-nn`; this crate only leaves the seam ([`Recorder`]).
//!
//! A tensor is a value: operations make new tensors, views (transpose, slice, broadcast, ...) share memory, and a
//! write through one handle never shows through another.
//!
//! ```
//! use trueno_tensor::prelude::*;
//! let a = tensor![[1.0, 2.0], [3.0, 4.0]]; // Tensor<f32, 2>
//! let rows = a.mean_axis(1); // Tensor<f32, 1>: a wrong rank does not compile
//! let centred = &a - rows.unsqueeze(1); // broadcasts; a wrong shape panics here, and `try_sub` says why
//! assert_eq!(centred, tensor![[-0.5, 0.5], [-0.5, 0.5]]);
//! assert_eq!(a.slice(i![.., ::-1]).t(), tensor![[2.0, 4.0], [1.0, 3.0]]); // views; nothing is copied
//! assert_eq!(a.matmul(&a).to_string(), "[[ 7. 10.]\n [15. 22.]]"); // prints as NumPy does
//! ```
//!
//! [`fuse!`] makes one operation of several: one pass over memory, with the same result.
//!
//! ```
//! # use trueno_tensor::prelude::*;
//! let (a, b) = (tensor![1.0, 2.0], tensor![3.0, -4.0]);
//! let f = fuse!(|a, b| (a * b + 0.5).relu());
//! assert_eq!(f.call(&a, &b), (&a * &b + 0.5).relu());
//! ```
//!
//! Every operation goes through one door, [`apply`], on [`DynTensor`]s, whose type and rank are known at run time:
//!
//! ```
//! use trueno_tensor::DynTensor;
//! use trueno_core::table::BinaryOp;
//! let a = DynTensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0], &[2, 2])?;
//! let b = a.binary(BinaryOp::Add, &a.transpose()?)?;
//! assert_eq!(b.to_vec::<f32>()?, [2.0, 5.0, 5.0, 8.0]);
//! # Ok::<(), trueno_core::Error>(())
//! ```
#![deny(unsafe_code)]

mod autocast;
mod device;
mod dyn_tensor;
mod engine;
mod exec;
pub mod fused;
mod numbers;
mod op;
mod parallel;
mod record;
#[expect(unsafe_code, reason = "typed access to raw memory; the only module that may")]
mod storage;
mod tensor;

pub use autocast::{autocast, autocast_dtype, following_storage, try_autocast};
pub use device::Device;
pub use dyn_tensor::DynTensor;
pub use engine::{apply, apply_in_place, apply_owned, batch_norm_with_stats};
pub use exec::backward;
pub use exec::conv::{is_winograd_enabled, with_winograd};
pub use exec::isa::isa;
pub use exec::prepacking::{is_prepacking_enabled, with_prepacking};
pub use op::{
    AttentionConfig, Axes, Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, DropoutConfig, Extreme, Function,
    Op, Pool2dConfig, Reduction, Row,
};
pub use parallel::{for_each_job, num_threads, with_num_threads};
pub use record::{Recorder, Saved};
pub use storage::{PoolStats, pool_stats, release_pooled_memory};
pub use tensor::{
    Broadcast, Items, Lower, Lowered, Operand, Position, Product, Raise, Raised, Rank, Ranked, Rng, Tensor, concat,
    stack, try_concat, try_stack,
};
#[doc(hidden)]
pub use tensor::{Settle, SettleOther, Shell, after, nested};
pub use trueno_core as core;

/// What most programs need, in one import.
pub mod prelude {
    pub use crate::{Device, Rng, Tensor, concat, fuse, i, stack, tensor};
}
