//! The GPU twin of `trueno-kernels`: buffers and layouts in, buffers out, on any GPU that Vulkan, Metal, DirectX 12 or WebGPU reach.
//!
//! It is for engines that own shapes and graphs. It is not for users of arrays (see `trueno-tensor`): nothing here knows
//! what a tensor is.
//!
//! A [`Device`] records operations and hands them over in batches; a [`Buffer`] is memory from its pool; a [`View`] is a
//! buffer under a layout that was proved to fit. Nothing waits but the reading back of values.
//!
//! ```
//! use trueno_core::table::UnaryOp;
//! use trueno_gpu::{Buffer, Device, Options, Selector, View, elementwise};
//!
//! # fn main() -> trueno_core::Result<()> {
//! # if Device::list().is_empty() { return Ok(()); }
//! let device = Device::open(&Selector::from_env()?, &Options::default())?;
//! let x = Buffer::from_slice(&device, "example", &[-1.0_f32, 0.0, 4.0])?;
//! let y = elementwise::unary(UnaryOp::Relu, [0.0; 2], &View::contiguous("example", &x, &[3])?)?;
//! assert_eq!(y.download::<f32>("example").wait()?, [0.0, 0.0, 4.0]);
//! # Ok(())
//! # }
//! ```

pub mod attention;
pub mod batch_norm;
pub mod conv;
mod dense;
mod device;
mod double;
pub mod elementwise;
pub mod index;
pub mod loss;
pub mod mask;
pub mod matmul;
mod memory;
pub mod movement;
pub mod optim;
mod order;
pub mod pool;
pub mod random;
mod record;
pub mod reduce;
pub mod rows;
pub mod scan;
pub mod sort;
mod storage;
#[cfg(test)]
mod testing;
mod tile;
mod tuning;
mod units;
mod walk;

pub use device::{Capabilities, Device, DeviceInfo, DeviceKind, Options, Selector, Stats};
pub use memory::{Buffer, Readback, View};
pub use record::Timing;
pub use tuning::TileRate;
