//! How a user names a device.

use std::str::FromStr;

use trueno_core::{Error, Result};

use super::DeviceInfo;

/// Which of the machine's GPUs is meant. [`Device::list`](crate::Device::list) shows them in the order that indices count.
///
/// ```
/// use trueno_gpu::Selector;
/// assert_eq!("gpu".parse(), Ok(Selector::Best));
/// assert_eq!("gpu:1".parse(), Ok(Selector::Index(1)));
/// assert_eq!("0000:41:00.0".parse(), Ok(Selector::Pci("0000:41:00.0".into())));
/// assert!("cpu".parse::<Selector>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selector {
    /// The first: discrete GPUs come before integrated ones, and those before software.
    #[default]
    Best,
    /// By place in the list.
    Index(usize),
    /// By PCI bus id, `domain:bus:device.function`.
    Pci(String),
}

impl Selector {
    /// The environment variable that names a device where a program does not.
    pub const VARIABLE: &'static str = "TRUENO_DEVICE";

    /// What `TRUENO_DEVICE` says; [`Selector::Best`] where it says nothing.
    ///
    /// # Errors
    /// [`Error::Device`] if it says something that is no GPU.
    pub fn from_env() -> Result<Self> {
        match std::env::var(Self::VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.parse(),
            Ok(_) | Err(_) => Ok(Self::Best),
        }
    }

    /// The place of the device in a list.
    pub(super) fn find(&self, list: &[DeviceInfo]) -> Result<usize> {
        let found = match self {
            Self::Best => (!list.is_empty()).then_some(0),
            Self::Index(index) => (*index < list.len()).then_some(*index),
            Self::Pci(id) => list.iter().position(|info| info.pci_bus_id.eq_ignore_ascii_case(id)),
        };
        found.ok_or_else(|| {
            let names: Vec<String> = list.iter().map(ToString::to_string).collect();
            let reason = if list.is_empty() {
                "this machine has no GPU with a Vulkan, Metal, DirectX 12 or WebGPU driver; compute on the CPU".into()
            } else {
                format!("there is no such device; there are: {}", names.join("; "))
            };
            Error::Device { op: "device", device: self.to_string(), reason }
        })
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Best => f.write_str("gpu"),
            Self::Index(index) => write!(f, "gpu:{index}"),
            Self::Pci(id) => f.write_str(id),
        }
    }
}

impl FromStr for Selector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("gpu") {
            return Ok(Self::Best);
        }
        let number = text.strip_prefix("gpu:").unwrap_or(text);
        if let Ok(index) = number.parse() {
            return Ok(Self::Index(index));
        }
        let hexadecimal = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_hexdigit());
        if number.contains(':') && number.split([':', '.']).all(hexadecimal) {
            return Ok(Self::Pci(number.into()));
        }
        Err(Error::Device {
            op: "device",
            device: text.into(),
            reason: format!("{} takes `gpu`, `gpu:N` or a PCI bus id such as `0000:41:00.0`", Self::VARIABLE),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceKind;

    fn info(name: &str, pci: &str) -> DeviceInfo {
        let kind = DeviceKind::Discrete;
        DeviceInfo { name: name.into(), kind, pci_bus_id: pci.into(), driver: "d".into(), backend: "Vulkan" }
    }

    #[test]
    fn devices_are_found_by_place_and_bus() {
        let list = [info("first", "0000:01:00.0"), info("second", "0000:41:00.0")];
        assert_eq!(Selector::Best.find(&list), Ok(0));
        assert_eq!(Selector::Index(1).find(&list), Ok(1));
        assert_eq!(Selector::Pci("0000:41:00.0".into()).find(&list), Ok(1));
    }

    #[test]
    fn what_is_missing_is_said_with_what_there_is() {
        let error = Selector::Index(7).find(&[info("first", "")]).unwrap_err().to_string();
        assert!(error.contains("gpu:7") && error.contains("first"), "{error}");
        let error = Selector::Best.find(&[]).unwrap_err().to_string();
        assert!(error.contains("no GPU"), "{error}");
    }

    #[test]
    fn names_that_are_no_gpu_are_refused() {
        for text in ["cpu", "cuda:x", "gpu:-1", ""] {
            assert!(text.parse::<Selector>().is_err(), "{text:?}");
        }
    }
}
