//! CPU kernels: slices in, slices out, written once over a [`simd::Simd`] token and compiled for every
//! instruction set.
//!
//! It is for engines that own memory, shapes and threads. It is not for users of arrays (see `trueno-tensor`):
//! nothing here allocates, spawns or knows what a tensor is.
//!
//! Every kernel takes an [`Isa`], the proof that the machine has the instructions it names.
//!
//! ```
//! use trueno_kernels::{Isa, Level};
//!
//! let best = Isa::best();
//! assert!(Isa::available().any(|isa| isa == best));
//! assert!(Isa::with_level(Level::Scalar).is_some());
//! ```
#![no_std]

#[cfg(test)]
extern crate std;

pub mod attention;
mod axis;
mod cache;
pub mod conv;
pub mod elementwise;
pub mod gather;
mod isa;
mod lanes;
pub mod loss;
mod math;
pub mod matmul;
pub mod norm;
pub mod optim;
pub mod pool;
pub mod reduce;
pub mod simd;
pub mod softmax;
pub mod sort;
pub mod stream;
mod strided;
mod transpose;

pub use axis::AxisBlocks;
pub use cache::CacheSizes;
pub use elementwise::Operand;
pub use gather::IndexError;
pub use isa::{Isa, Level};
pub use math::TWO_OVER_PI;
pub use strided::{Plane, copy_plane};
pub use transpose::transpose;
