//! Where tensors live.

use std::fmt;
use std::str::FromStr;
use trueno_core::{Error, Result};

/// Where a tensor's elements live and its operations run.
///
/// Operations on a GPU are only recorded, and handed over in batches; what waits is the reading of values
/// ([`Tensor::to_vec`](crate::Tensor::to_vec), `item`, printing). All operands of an operation live on one device, but for
/// values of one element in main memory, which go along as constants.
///
/// ```
/// use trueno_tensor::prelude::*;
/// # fn main() -> trueno_tensor::core::Result<()> {
/// let device = Device::from_env()?; // `TRUENO_DEVICE=gpu`, `gpu:1`, a PCI bus id; the processor if it says nothing
/// let x = tensor![1.0, 2.0, 3.0].to(&device)?;
/// let y = (&x * 2.0).sum(); // computed where `x` is
/// assert_eq!(y.item(), 12.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// Main memory and the processor's SIMD units.
    #[default]
    Cpu,
    /// A GPU, through wgpu.
    #[cfg(feature = "gpu")]
    Gpu(trueno_gpu::Device),
}

impl Device {
    /// The environment variable that [`Device::from_env`] reads.
    pub const VARIABLE: &'static str = "TRUENO_DEVICE";

    /// The processor.
    pub const fn cpu() -> Device {
        Device::Cpu
    }

    /// A GPU by its place among those of the machine: discrete ones come first, software last.
    ///
    /// Opening one anew gives a device of its own, with memory of its own; open it once and clone the handle.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no such GPU, its driver refuses, or this build has not the feature `gpu`.
    pub fn gpu(index: usize) -> Result<Device> {
        open(&format!("gpu:{index}"))
    }

    /// The device that `TRUENO_DEVICE` names: `cpu`, `gpu` (the best), `gpu:N`, or a PCI bus id; the processor if it is not set.
    ///
    /// # Errors
    /// As [`Device::gpu`]; [`Error::Device`] for a name that is none of these.
    pub fn from_env() -> Result<Device> {
        std::env::var(Device::VARIABLE).map_or(Ok(Device::Cpu), |name| name.parse())
    }

    /// Waits until the device has done everything that was asked of it. (The processor does each thing at once.)
    ///
    /// # Errors
    /// [`Error::Device`] for what went wrong on a GPU since it was last asked.
    pub fn synchronize(&self) -> Result<()> {
        match self {
            Device::Cpu => Ok(()),
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Device::Gpu(gpu) => gpu.synchronize(),
            #[cfg(all(feature = "gpu", target_arch = "wasm32"))]
            Device::Gpu(gpu) => gpu.submit(),
        }
    }
}

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
fn open(name: &str) -> Result<Device> {
    trueno_gpu::Device::open(&name.parse()?, &trueno_gpu::Options::default()).map(Device::Gpu)
}

#[cfg(all(feature = "gpu", target_arch = "wasm32"))]
fn open(name: &str) -> Result<Device> {
    let reason = "in a browser a device is opened by `trueno_gpu::Device::open_async`, which is awaited";
    Err(Error::Device { op: "device", device: name.into(), reason: reason.into() })
}

#[cfg(not(feature = "gpu"))]
fn open(name: &str) -> Result<Device> {
    let reason = "this build has not the feature `gpu` of trueno";
    Err(Error::Device { op: "device", device: name.into(), reason: reason.into() })
}

/// `cpu`, or what [`Device::gpu`] and [`Device::from_env`] take.
impl FromStr for Device {
    type Err = Error;

    fn from_str(name: &str) -> Result<Device> {
        let name = name.trim();
        if name.is_empty() || name.eq_ignore_ascii_case("cpu") { Ok(Device::Cpu) } else { open(name) }
    }
}

#[cfg(feature = "gpu")]
impl From<trueno_gpu::Device> for Device {
    fn from(gpu: trueno_gpu::Device) -> Device {
        Device::Gpu(gpu)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            #[cfg(feature = "gpu")]
            Device::Gpu(gpu) => write!(f, "{}", gpu.info()),
        }
    }
}
