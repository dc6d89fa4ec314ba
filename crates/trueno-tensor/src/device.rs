//! Where tensors live.

use std::fmt;

/// Where a tensor's elements live and its operations run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// Main memory and the processor's SIMD units.
    #[default]
    Cpu,
}

impl Device {
    /// The processor.
    pub const fn cpu() -> Device {
        Device::Cpu
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
        }
    }
}
